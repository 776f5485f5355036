#include "shard/tenants.h"
#include "shard/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct tenant {
	struct service *service;
	struct conn_handle listener;
	struct stack_listen_options listen;
	bool leaving; /* listens no more; goes with its last connection */
};

static struct tenant *find(const struct shard *shard, uint16_t id)
{
	return id < shard->tenant_end ? shard->tenant[id] : NULL;
}

/* Makes the table reach to `id`. */
static int reserve(struct shard *shard, uint16_t id)
{
	uint32_t end = (uint32_t)id + 1;
	struct tenant **table;

	if (end <= shard->tenant_end)
		return 0;
	table = realloc(shard->tenant, end * sizeof(*table));
	if (!table)
		return -ENOMEM;
	memset(table + shard->tenant_end, 0, (end - shard->tenant_end) * sizeof(*table));
	shard->tenant = table;
	shard->tenant_end = end;
	return 0;
}

static void let_go(struct shard *shard, uint16_t id)
{
	struct tenant *tenant = shard->tenant[id];

	shard->tenant[id] = NULL;
	service_stop(tenant->service);
	free(tenant);
}

int tenant_add(struct shard *shard, const struct tenant_options *options)
{
	uint16_t id = options->service.id;
	struct tenant *tenant;
	int error = reserve(shard, id);

	if (error != 0)
		return error;
	if (shard->tenant[id])
		return -EEXIST;
	tenant = calloc(1, sizeof(*tenant));
	if (!tenant)
		return -ENOMEM;
	shard_begin(shard);
	tenant->listen = options->listen;
	tenant->listen.service = id;
	error = service_start(options->type, &shard->host, &options->service, &tenant->service);
	if (error != 0)
		goto fail;
	error = stack_listen(shard->host.stack, &tenant->listen, &tenant->listener);
	if (error != 0)
		goto fail;
	shard->tenant[id] = tenant;
	return 0;
fail:
	service_stop(tenant->service);
	free(tenant);
	return error;
}

/* Field by field: the struct has padding. */
static bool listens_alike(const struct stack_listen_options *a, const struct stack_listen_options *b)
{
	return ip_addr_equal(&a->address, &b->address) && a->port == b->port && a->backlog == b->backlog &&
	       a->congestion == b->congestion && a->nodelay == b->nodelay;
}

/* The new listener may be at the same address and port, so the old one has to go first; if the new one can't be had,
 * the old one comes back. */
static int listen_anew(struct shard *shard, struct tenant *tenant, const struct stack_listen_options *listen)
{
	struct stack *stack = shard->host.stack;
	struct conn_handle listener;
	int error, back;

	if (listens_alike(&tenant->listen, listen))
		return 0;
	stack_unlisten(stack, tenant->listener);
	error = stack_listen(stack, listen, &listener);
	if (error != 0) {
		back = stack_listen(stack, &tenant->listen, &tenant->listener);
		if (back != 0)
			tenant->listener = CONN_HANDLE_NONE;
		return error;
	}
	tenant->listener = listener;
	tenant->listen = *listen;
	return 0;
}

int tenant_change(struct shard *shard, const struct tenant_options *options)
{
	struct tenant *tenant = find(shard, options->service.id);
	struct stack_listen_options listen = options->listen, before;
	int error;

	if (!tenant || tenant->leaving || tenant->service->type != options->type)
		return -ENOENT;
	shard_begin(shard);
	listen.service = options->service.id;
	before = tenant->listen;
	error = listen_anew(shard, tenant, &listen);
	if (error != 0)
		return error;
	error = service_configure(tenant->service, &options->service);
	if (error != 0)
		listen_anew(shard, tenant, &before);
	return error;
}

static bool is_idle(const struct tenant *tenant)
{
	return tenant->service->stats.accepted == tenant->service->stats.ended;
}

int tenant_remove(struct shard *shard, uint16_t id)
{
	struct tenant *tenant = find(shard, id);

	if (!tenant || tenant->leaving)
		return -ENOENT;
	shard_begin(shard);
	stack_unlisten(shard->host.stack, tenant->listener);
	tenant->leaving = true;
	if (is_idle(tenant))
		let_go(shard, id);
	else
		shard->tenants_leaving++;
	return 0;
}

void tenant_dispatch(struct shard *shard, const struct stack_ready *ready)
{
	struct tenant *tenant = find(shard, ready->service);

	if (!tenant) {
		/* Accepted in the same turn in which its service went. */
		stack_abort(shard->host.stack, ready->conn);
		return;
	}
	service_ready(tenant->service, ready);
}

void tenants_sweep(struct shard *shard)
{
	for (uint32_t id = 0; id < shard->tenant_end; id++) {
		struct tenant *tenant = shard->tenant[id];

		if (tenant && tenant->leaving && is_idle(tenant)) {
			let_go(shard, (uint16_t)id);
			shard->tenants_leaving--;
		}
	}
}

void tenants_free(struct shard *shard)
{
	for (uint32_t id = 0; id < shard->tenant_end; id++) {
		if (shard->tenant[id])
			let_go(shard, (uint16_t)id);
	}
	free(shard->tenant);
	shard->tenant = NULL;
	shard->tenant_end = 0;
}

const struct service *tenant_service(const struct shard *shard, uint16_t id)
{
	const struct tenant *tenant = find(shard, id);

	return tenant && !tenant->leaving ? tenant->service : NULL;
}

uint32_t tenant_id_end(const struct shard *shard)
{
	return shard->tenant_end;
}
