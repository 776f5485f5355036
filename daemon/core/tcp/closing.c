/* How connections and listeners are ended from here: by their service, by an administrator, by the daemon's stop
 * (RFC 9293 sections 3.9.1.4, 3.9.1.5 and 3.6). */
#include "core/tcp/engine.h"

#include <errno.h>

/* ---- listeners ------------------------------------------------------------------------------------------------- */

/* RST to the peer of a half-open connection, whose record goes. */
static void refuse_half_open(struct stack *stack, struct half_open *half, enum tcp_cause cause)
{
	const struct listener *listener = pool_at(&stack->listeners, half->listener_slot);
	struct tcp_segment rst = { .seq = seq_add(half->iss, 1),
		                   .ack = seq_add(half->irs, 1),
		                   .flags = TCP_RST | TCP_ACK };

	reply_segment(stack, listener->tcp, &half->node.flow, &rst);
	half_open_gone(stack, half, cause);
	half_open_free(stack, half);
}

static void remove_listener(struct stack *stack, struct listener *listener, enum tcp_cause cause)
{
	uint32_t *slot = &stack->listener_bucket[listener->options.port % LISTENER_BUCKETS];
	struct half_open *half;
	struct conn *conn;
	uint32_t from = 0;

	while (listener->half_open > 0 && (half = pool_next_live(&stack->half_opens, from))) {
		from = half->node.head.slot + 1; /* before the record may go */
		if (half->listener_slot == listener->head.slot)
			refuse_half_open(stack, half, cause);
	}
	from = 0;
	while (listener->accept_queue > 0 && (conn = pool_next_live(&stack->conns, from))) {
		from = conn->node.head.slot + 1;
		if (!(conn->flags & CONN_ACCEPT_PENDING) || conn->listener_slot != listener->head.slot)
			continue;
		conn_orphan(stack, conn); /* nobody has been told of it */
		if (conn->state == TCPS_CLOSED)
			conn_free(stack, conn);
		else
			conn_reset(stack, conn, cause);
	}
	while (*slot != listener->head.slot)
		slot = &((struct listener *)pool_at(&stack->listeners, *slot))->next_slot;
	*slot = listener->next_slot;
	stack->in_state[TCPS_LISTEN]--;
	profile_put(stack, listener->tcp);
	algorithm_release(listener->options.congestion);
	pool_put(&stack->listeners, listener);
}

int stack_unlisten(struct stack *stack, struct conn_handle handle)
{
	struct listener *listener = listener_find(stack, handle);

	if (!listener)
		return -EBADF;
	remove_listener(stack, listener, CAUSE_LISTENER_CLOSED);
	return 0;
}

/* ---- by the service -------------------------------------------------------------------------------------------- */

void conn_shutdown(struct stack *stack, struct conn *conn, enum tcp_cause cause)
{
	if (conn->flags & CONN_SHUTDOWN)
		return;
	conn->flags |= CONN_SHUTDOWN | CONN_FIN_QUEUED;
	conn_want_output(stack, conn);
	if (conn->state == TCPS_ESTABLISHED)
		connection_set_state(stack, conn, TCPS_FIN_WAIT_1, cause);
	else if (conn->state == TCPS_CLOSE_WAIT)
		conn->cause = (uint8_t)cause; /* of passing to LAST-ACK, once the FIN goes out */
}

int stack_shutdown(struct stack *stack, struct conn_handle handle)
{
	struct conn *conn = conn_find(stack, handle);

	if (!conn)
		return -EBADF;
	if (conn->state != TCPS_CLOSED)
		conn_shutdown(stack, conn, CAUSE_LOCAL_CLOSE);
	return 0;
}

void conn_orphan(struct stack *stack, struct conn *conn)
{
	conn->flags |= CONN_ORPHAN;
	conn->orphaned_at = stack->now;
	stack->orphans++;
}

/* What is left of the connection ends, or is sent to its end without a service. */
static void close_orphan(struct stack *stack, struct conn *conn)
{
	bool both_closed = conn->state == TCPS_CLOSING || conn->state == TCPS_LAST_ACK;

	switch (conn->state) {
	case TCPS_CLOSED:
		conn_free(stack, conn);
		return;
	case TCPS_SYN_SENT: /* RFC 9293 3.9.1.4: nothing to finish */
		conn_end(stack, conn, CAUSE_LOCAL_CLOSE);
		return;
	case TCPS_TIME_WAIT:
		conn_compact_time_wait(stack, conn);
		return;
	default:
		break;
	}
	if (receive_unread(conn) > 0 && !both_closed) {
		conn_reset(stack, conn, CAUSE_LOCAL_CLOSE_UNREAD);
		return;
	}
	if (conn->tcp->linger.ns == 0 && !both_closed) {
		conn_reset(stack, conn, CAUSE_LOCAL_LINGER);
		return;
	}
	if (stack->config.tcp.orphans_max > 0 && stack->orphans > stack->config.tcp.orphans_max) {
		conn_reset(stack, conn, CAUSE_TOO_MANY_ORPHANS);
		return;
	}
	conn_shutdown(stack, conn, CAUSE_LOCAL_CLOSE);
	receive_clear(stack, conn);
	patience_arm(stack, conn);
}

int stack_close(struct stack *stack, struct conn_handle handle)
{
	struct conn *conn = conn_find(stack, handle);

	if (!conn)
		return -EBADF;
	conn_orphan(stack, conn);
	close_orphan(stack, conn);
	return 0;
}

int stack_abort(struct stack *stack, struct conn_handle handle)
{
	struct conn *conn = conn_find(stack, handle);

	if (!conn)
		return -EBADF;
	conn_orphan(stack, conn);
	if (conn->state == TCPS_CLOSED || conn->state == TCPS_TIME_WAIT)
		close_orphan(stack, conn);
	else if (conn->state == TCPS_CLOSING || conn->state == TCPS_LAST_ACK) /* RFC 9293 3.9.1.5: both have closed */
		conn_end(stack, conn, CAUSE_LOCAL_ABORT);
	else
		conn_reset(stack, conn, CAUSE_LOCAL_ABORT);
	return 0;
}

/* ---- from outside ---------------------------------------------------------------------------------------------- */

static int admin_close_compact(struct stack *stack, uint64_t id, bool abort)
{
	struct half_open *half;
	struct time_wait *tw;

	for (uint32_t from = 0; (half = pool_next_live(&stack->half_opens, from)); from = half->node.head.slot + 1) {
		if (half->id != id)
			continue;
		if (!abort)
			return -EAGAIN;
		refuse_half_open(stack, half, CAUSE_ADMIN_ABORT);
		return 0;
	}
	for (uint32_t from = 0; (tw = pool_next_live(&stack->time_waits, from)); from = tw->node.head.slot + 1) {
		if (tw->id != id)
			continue;
		if (!abort)
			return -EALREADY;
		time_wait_gone(stack, tw, CAUSE_ADMIN_ABORT);
		time_wait_free(stack, tw);
		return 0;
	}
	return -ENOENT;
}

int stack_admin_close(struct stack *stack, uint64_t id, bool abort)
{
	struct conn *conn;

	for (uint32_t from = 0; (conn = pool_next_live(&stack->conns, from)); from = conn->node.head.slot + 1) {
		if (conn->id != id || (conn->flags & CONN_DEAD) || conn->state == TCPS_CLOSED)
			continue;
		if (!abort && conn->state == TCPS_TIME_WAIT)
			return -EALREADY;
		if (!abort && conn->state < TCPS_ESTABLISHED)
			return -EAGAIN;
		if (abort)
			conn_reset(stack, conn, CAUSE_ADMIN_ABORT);
		else
			conn_shutdown(stack, conn, CAUSE_ADMIN_CLOSE);
		return 0;
	}
	return admin_close_compact(stack, id, abort);
}

static bool raw_has_room(const struct stack *stack)
{
	return stack->raw.head - stack->raw.tail < RAW_FRAMES - 1;
}

static size_t stop_connections(struct stack *stack, bool abort)
{
	struct conn *conn;
	uint32_t from = 0;
	size_t alive = 0;

	while ((conn = pool_next_live(&stack->conns, from))) {
		from = conn->node.head.slot + 1; /* before the record may go */
		if ((conn->flags & CONN_DEAD) || conn->state == TCPS_CLOSED)
			continue;
		if (abort && raw_has_room(stack)) {
			conn_reset(stack, conn, CAUSE_DAEMON_STOP);
			continue;
		}
		if (!abort)
			conn_shutdown(stack, conn, CAUSE_DAEMON_STOP);
		alive++;
	}
	return alive;
}

size_t stack_stop(struct stack *stack, bool abort)
{
	struct listener *listener;
	struct time_wait *tw;
	uint32_t from = 0;
	size_t alive;

	while ((listener = pool_next_live(&stack->listeners, 0)))
		remove_listener(stack, listener, CAUSE_DAEMON_STOP);
	alive = stop_connections(stack, abort);
	while (abort && (tw = pool_next_live(&stack->time_waits, from))) {
		from = tw->node.head.slot + 1;
		time_wait_gone(stack, tw, CAUSE_DAEMON_STOP);
		time_wait_free(stack, tw);
	}
	return alive;
}
