#include "shard/tenants.h"
#include "shard/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct tenant {
	struct service *service;
	struct conn_handle listener; /* NONE: does not listen */
	bool leaving;                /* listens no more; goes with its last connection */
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

/* One that is not leaving. */
static struct tenant *find_staying(const struct shard *shard, uint16_t id)
{
	struct tenant *tenant = find(shard, id);

	return tenant && !tenant->leaving ? tenant : NULL;
}

int tenant_add(struct shard *shard, const struct service_type *type, const struct service_options *options)
{
	struct tenant *tenant;
	int error = reserve(shard, options->id);

	if (error != 0)
		return error;
	if (shard->tenant[options->id])
		return -EEXIST;
	tenant = calloc(1, sizeof(*tenant));
	if (!tenant)
		return -ENOMEM;
	shard_begin(shard);
	error = service_start(type, &shard->host, options, &tenant->service);
	if (error != 0) {
		free(tenant);
		return error;
	}
	shard->tenant[options->id] = tenant;
	return 0;
}

int tenant_listen(struct shard *shard, uint16_t id, const struct stack_listen_options *options)
{
	struct tenant *tenant = find_staying(shard, id);
	struct stack_listen_options listen = *options;

	if (!tenant)
		return -ENOENT;
	if (tenant->listener.v != CONN_HANDLE_NONE.v)
		return -EISCONN;
	shard_begin(shard);
	listen.service = id;
	return stack_listen(shard->host.stack, &listen, &tenant->listener);
}

int tenant_tune(struct shard *shard, uint16_t id, const struct stack_tcp_config *tcp)
{
	struct tenant *tenant = find_staying(shard, id);

	if (!tenant)
		return -ENOENT;
	if (tenant->listener.v == CONN_HANDLE_NONE.v)
		return 0;
	shard_begin(shard);
	return stack_set_tcp(shard->host.stack, tenant->listener, tcp);
}

int tenant_set_congestion(struct shard *shard, uint16_t id, const struct stack_congestion *congestion)
{
	struct tenant *tenant = find_staying(shard, id);

	if (!tenant)
		return -ENOENT;
	if (tenant->listener.v == CONN_HANDLE_NONE.v)
		return 0;
	shard_begin(shard);
	return stack_set_listener_congestion(shard->host.stack, tenant->listener, congestion);
}

static void deafen(struct shard *shard, struct tenant *tenant)
{
	if (tenant->listener.v == CONN_HANDLE_NONE.v)
		return;
	shard_begin(shard);
	stack_unlisten(shard->host.stack, tenant->listener);
	tenant->listener = CONN_HANDLE_NONE;
}

int tenant_deafen(struct shard *shard, uint16_t id)
{
	struct tenant *tenant = find_staying(shard, id);

	if (!tenant)
		return -ENOENT;
	deafen(shard, tenant);
	return 0;
}

int tenant_configure(struct shard *shard, const struct service_options *options)
{
	struct tenant *tenant = find_staying(shard, options->id);

	return tenant ? service_configure(tenant->service, options) : -ENOENT;
}

static bool is_idle(const struct tenant *tenant)
{
	return tenant->service->stats.accepted == tenant->service->stats.ended;
}

int tenant_remove(struct shard *shard, uint16_t id)
{
	struct tenant *tenant = find_staying(shard, id);

	if (!tenant)
		return -ENOENT;
	deafen(shard, tenant);
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
	const struct tenant *tenant = find_staying(shard, id);

	return tenant ? tenant->service : NULL;
}

uint32_t tenant_id_end(const struct shard *shard)
{
	return shard->tenant_end;
}
