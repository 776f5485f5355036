/* RFC 863: reads everything, answers nothing. No memory per connection. */
#include "services/kinds.h"

static void discard_ready(struct service *service, const struct stack_ready *ready)
{
	if (ready->flags & READY_ACCEPTED)
		service->stats.accepted++;
	if (ready->flags & READY_ERROR) {
		service_error(service, ready);
		service_close(service, ready->conn);
		return;
	}
	service_drain(service, ready->conn);
	if (stack_at_eof(service->host->stack, ready->conn))
		service_close(service, ready->conn);
}

const struct service_type discard_service = {
	.name = "discard",
	.help = "reads everything and throws it away (RFC 863)",
	.instance_size = sizeof(struct service),
	.ready = discard_ready,
};
