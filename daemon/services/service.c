#include "services/service.h"

#include "log.h"
#include "services/kinds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct service_type *const kinds[] = {
	&echo_service, &discard_service, &chargen_service, &relay_service, &http_service,
};

#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

const struct service_type *service_type_find(const char *name)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}

const struct service_type *const *service_types(size_t *ret_count)
{
	*ret_count = KIND_COUNT;
	return kinds;
}

static bool needs_target(const struct service_type *type)
{
	return type->wants_target || type == &http_service;
}

int service_start(const struct service_type *type, struct service_host *host, const struct service_options *options,
                  struct service **ret_service)
{
	struct service *service;
	int r;

	if (needs_target(type) && options->target.length == 0)
		return -EINVAL;
	service = calloc(1, type->instance_size);
	if (!service)
		return -ENOMEM;
	service->type = type;
	service->host = host;
	service->options = *options;
	r = type->start ? type->start(service) : 0;
	if (r < 0) {
		free(service);
		return r;
	}
	*ret_service = service;
	return 0;
}

int service_configure(struct service *service, const struct service_options *options)
{
	uint16_t id = service->options.id;

	if (strcmp(options->name, service->options.name) != 0 || options->id != id)
		return -EINVAL;
	if (needs_target(service->type) && options->target.length == 0)
		return -EINVAL;
	service->options = *options;
	return 0;
}

void service_stop(struct service *service)
{
	if (!service)
		return;
	if (service->type->stop)
		service->type->stop(service);
	free(service);
}

/* What ends nothing, and asks for nothing to be done: for who looks at the counters, or debugs. */
static void note_advice(struct service *service, const struct stack_ready *ready)
{
	const struct stack *stack = service->host->stack;
	const char *name = service->options.name;
	struct stack_soft_error error;
	int64_t urgent;

	if (ready->flags & READY_TROUBLE) {
		service->stats.troubles++;
		log_write(LOG_DEBUG, "service %s: a peer acknowledges nothing; TCP goes on trying", name);
	}
	if ((ready->flags & READY_SOFT_ERROR) && stack_soft_error(stack, ready->conn, &error) == 0) {
		service->stats.soft_errors++;
		log_write(LOG_DEBUG, "service %s: ICMP type %u code %u about a connection, which goes on", name,
		          error.type, error.code);
	}
	if (ready->flags & READY_URGENT) {
		urgent = stack_urgent(stack, ready->conn);
		service->stats.urgencies++;
		log_write(LOG_DEBUG, "service %s: urgent data, %lld bytes from here on", name,
		          urgent > 0 ? (long long)urgent : 0);
	}
}

void service_ready(struct service *service, const struct stack_ready *ready)
{
	if (ready->flags & (READY_TROUBLE | READY_SOFT_ERROR | READY_URGENT))
		note_advice(service, ready);
	service->type->ready(service, ready);
}

void service_drain(struct service *service, struct conn_handle conn)
{
	struct iovec iov[SERVICE_SPANS];
	ssize_t n;
	int count;

	while ((n = stack_peek(service->host->stack, conn, iov, SERVICE_SPANS, &count)) > 0) {
		stack_consume(service->host->stack, conn, (size_t)n);
		service->stats.bytes_in += (uint64_t)n;
	}
}

void service_error(struct service *service, const struct stack_ready *ready)
{
	service->stats.peer_errors++;
	log_write(LOG_DEBUG, "service %s: a connection ended: %s (%s)", service->options.name,
	          tcp_cause_name(ready->cause), tcp_cause_meaning(ready->cause));
}

void service_close(struct service *service, struct conn_handle conn)
{
	stack_close(service->host->stack, conn);
	service->stats.ended++;
}

void service_abort(struct service *service, struct conn_handle conn)
{
	stack_abort(service->host->stack, conn);
	service->stats.ended++;
}
