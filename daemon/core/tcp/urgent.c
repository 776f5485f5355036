/* Urgent data (RFC 9293 section 3.8.5) as RFC 6093 wants it: the octets stay in line, the pointer names the one after
 * them, and all that a service learns is how far they reach. */
#include "core/tcp/engine.h"

#include <errno.h>

/* ---- received ----------------------------------------------------------------------------------------------------
 */

/* What the service reads next. */
static seq_t next_unread(const struct conn *conn)
{
	if (conn->rx)
		return conn->rx->read;
	return seq_sub(conn->rcv_nxt, conn->flags & CONN_FIN_RECEIVED ? 1 : 0);
}

void urgent_arrives(struct stack *stack, struct conn *conn, seq_t up)
{
	struct conn_extra *extra;

	if ((conn->state != TCPS_ESTABLISHED && conn->state != TCPS_FIN_WAIT_1 && conn->state != TCPS_FIN_WAIT_2) ||
	    (conn->flags & (CONN_FIN_RECEIVED | CONN_ORPHAN)))
		return;
	if (seq_leq(up, next_unread(conn)))
		return;
	extra = conn_extra(stack, conn);
	if (!extra || (extra->has_urgent && seq_leq(up, extra->rcv_up)))
		return;
	extra->rcv_up = up;
	extra->has_urgent = true;
	conn_tell(stack, conn, READY_URGENT); /* MUST-32 */
}

void urgent_settle(struct conn *conn)
{
	struct conn_extra *extra = conn->extra;

	if (!extra || !extra->has_urgent)
		return;
	/* Nothing comes after a FIN, whatever the pointer has promised. */
	if (conn->flags & CONN_FIN_RECEIVED)
		extra->rcv_up = seq_min(extra->rcv_up, seq_sub(conn->rcv_nxt, 1));
	/* A pointer that lies behind would look ahead again 2^31 octets later. */
	if (seq_leq(extra->rcv_up, next_unread(conn)))
		extra->has_urgent = false;
}

int64_t stack_urgent(const struct stack *stack, struct conn_handle handle)
{
	const struct conn *conn = conn_find(stack, handle);
	seq_t up;

	if (!conn)
		return -EBADF;
	if (!conn->extra || !conn->extra->has_urgent)
		return 0;
	up = conn->extra->rcv_up;
	if (conn->state == TCPS_CLOSED) /* what has not arrived by now never will */
		up = seq_min(up, seq_add(next_unread(conn), receive_unread(conn)));
	return seq_diff(up, next_unread(conn));
}

/* ---- sent --------------------------------------------------------------------------------------------------------
 */

void urgent_acked(struct conn *conn)
{
	if (conn->tx->has_urgent && seq_geq(conn->snd_una, conn->tx->snd_up))
		conn->tx->has_urgent = false;
}

bool urgent_pointer(const struct conn *conn, seq_t seq, uint16_t *ret_pointer)
{
	int32_t ahead;

	if (!conn->tx || !conn->tx->has_urgent)
		return false;
	ahead = seq_diff(conn->tx->snd_up, seq);
	if (ahead <= 0)
		return false;
	/* What is too far away is pointed at as far as 16 bits reach; later segments get nearer (MUST-31). */
	*ret_pointer = (uint16_t)(ahead > UINT16_MAX ? UINT16_MAX : ahead);
	return true;
}

int stack_mark_urgent(struct stack *stack, struct conn_handle handle)
{
	struct conn *conn = conn_find(stack, handle);

	if (!conn)
		return -EBADF;
	if (conn->flags & CONN_SHUTDOWN)
		return -EPIPE;
	if (conn->state == TCPS_CLOSED)
		return -ECONNRESET;
	if (!conn->tx || seq_leq(conn->snd_end, conn_payload_start(conn)))
		return -ENODATA;
	conn->tx->snd_up = conn->snd_end;
	conn->tx->has_urgent = true;
	/* The pointer passes a closed window, which the data don't (RFC 9293 3.8.5, MUST-66). */
	if (conn->state >= TCPS_ESTABLISHED && conn->snd_wnd == 0)
		conn->flags |= CONN_ACK_NOW;
	conn_want_output(stack, conn);
	return 0;
}

ssize_t stack_send_urgent(struct stack *stack, struct conn_handle handle, const void *bytes, size_t length)
{
	ssize_t taken = stack_send(stack, handle, bytes, length);

	if (taken > 0)
		stack_mark_urgent(stack, handle);
	return taken;
}
