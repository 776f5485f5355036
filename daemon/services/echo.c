/* RFC 862: sends back what it reads, urgent what came as urgent. The bytes go straight from where they arrived to
 * where they are sent from, in one copy. What finds no room stays unread, so that the window closes on a peer that
 * sends without reading. No memory per connection. */
#include "services/kinds.h"

#include <errno.h>
#include <string.h>

/* As many bytes as both sides hold; returns their number. */
static size_t copy_spans(const struct iovec *to, int to_count, const struct iovec *from, int from_count)
{
	size_t done = 0, to_at = 0, from_at = 0;
	int t = 0, f = 0;

	while (t < to_count && f < from_count) {
		size_t n = to[t].iov_len - to_at;

		if (n > from[f].iov_len - from_at)
			n = from[f].iov_len - from_at;
		memcpy((uint8_t *)to[t].iov_base + to_at, (const uint8_t *)from[f].iov_base + from_at, n);
		done += n;
		to_at += n;
		from_at += n;
		if (to_at == to[t].iov_len) {
			to_at = 0;
			t++;
		}
		if (from_at == from[f].iov_len) {
			from_at = 0;
			f++;
		}
	}
	return done;
}

/* Until nothing is left to read or there is no room; then READY_WRITABLE follows. */
static void echo_all(struct service *service, struct conn_handle conn)
{
	struct stack *stack = service->host->stack;
	struct iovec in[SERVICE_SPANS], out[SERVICE_SPANS];
	ssize_t unread, room;
	int in_count, out_count;
	int64_t urgent;
	size_t n;

	while ((unread = stack_peek(stack, conn, in, SERVICE_SPANS, &in_count)) > 0) {
		urgent = stack_urgent(stack, conn);
		if (urgent > 0 && unread > urgent) /* the rest is not: it comes in the next round */
			unread = urgent;
		room = stack_space(stack, conn, (size_t)unread, out, SERVICE_SPANS, &out_count);
		/* An administrator has closed our direction: nothing can go back, but the peer's end must be seen. */
		if (room == -EPIPE)
			service_drain(service, conn);
		if (room <= 0)
			return;
		n = copy_spans(out, out_count, in, in_count);
		if (stack_commit(stack, conn, n) < 0)
			return;
		if (urgent > 0)
			stack_mark_urgent(stack, conn);
		stack_consume(stack, conn, n);
		service->stats.bytes_in += n;
		service->stats.bytes_out += n;
	}
}

static void echo_ready(struct service *service, const struct stack_ready *ready)
{
	if (ready->flags & READY_ACCEPTED)
		service->stats.accepted++;
	if (ready->flags & READY_ERROR) {
		service_error(service, ready);
		service_close(service, ready->conn);
		return;
	}
	echo_all(service, ready->conn);
	/* What is queued still goes out before the FIN. */
	if (stack_at_eof(service->host->stack, ready->conn))
		service_close(service, ready->conn);
}

const struct service_type echo_service = {
	.name = "echo",
	.help = "sends back what it reads (RFC 862)",
	.instance_size = sizeof(struct service),
	.ready = echo_ready,
};
