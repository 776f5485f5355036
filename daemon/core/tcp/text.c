/* SEGMENT ARRIVES, seventh and eighth step: the text and the FIN (RFC 9293 section 3.10.7.4). */
#include "core/tcp/engine.h"

static bool takes_text(const struct conn *conn)
{
	return conn->state == TCPS_ESTABLISHED || conn->state == TCPS_FIN_WAIT_1 || conn->state == TCPS_FIN_WAIT_2;
}

static void ack_now(struct stack *stack, struct conn *conn)
{
	conn->flags |= CONN_ACK_NOW;
	conn_want_output(stack, conn);
}

/* RFC 9293 3.8.6.3: every second full segment at once, less within the delay. */
static void schedule_ack(struct stack *stack, struct conn *conn, uint32_t length)
{
	conn->rcv_unacked += length;
	if (conn->rcv_unacked >= 2u * conn->rcv_mss || conn->tcp->delayed_ack.ns == 0) {
		ack_now(stack, conn);
		return;
	}
	if (!(conn->flags & CONN_ACK_DELAYED)) {
		conn->flags |= CONN_ACK_DELAYED;
		conn->ack_due = instant_add(stack->now, conn->tcp->delayed_ack);
		conn_arm(stack, conn);
	}
}

int step7_text(struct stack *stack, struct conn *conn, struct arrival *in)
{
	struct tcp_segment *seg = &in->seg;

	if (seg->payload_bytes == 0)
		return CONTINUE;
	if (conn->flags & CONN_FIN_RECEIVED) /* nothing can follow a FIN */
		return VERDICT_DROP_TEXT_AFTER_FIN;
	if (!takes_text(conn))
		return CONTINUE;
	if (conn->flags & CONN_ORPHAN) {
		/* Nobody will ever read it; the peer must learn that (RFC 9293 3.6.1, RFC 2525 2.17). */
		conn_reset(stack, conn, CAUSE_LATE_DATA);
		return VERDICT_DROP_TEXT_CLOSED;
	}
	conn->data_segs_in++;
	if (stack->neighbours_unsure > 0) /* new text: what we acknowledge arrives there */
		neighbour_confirmed(stack, &conn->node.flow.remote);
	if (in->segment_bytes > conn->rcv_mss)
		conn->rcv_mss = in->segment_bytes;
	if (seq_eq(seg->seq, conn->rcv_nxt)) {
		bool filled_hole = conn->rx && conn->rx->holes;

		if (!receive_in_order(stack, conn, seg->payload, seg->payload_bytes)) {
			ack_now(stack, conn);
			return VERDICT_DROP_NO_MEMORY;
		}
		if (filled_hole)
			ack_now(stack, conn);
		else
			schedule_ack(stack, conn, seg->payload_bytes);
		conn_tell(stack, conn, READY_READABLE);
		return CONTINUE;
	}
	COUNT(stack, out_of_order);
	ack_now(stack, conn); /* MAY-13, and SACK wants it */
	if (!receive_out_of_order(stack, conn, seg->seq, seg->payload, seg->payload_bytes))
		return VERDICT_DROP_REASSEMBLY;
	return CONTINUE;
}

/* Where the FIN lies that may be taken now; false: there is none. */
static bool find_fin(struct stack *stack, struct conn *conn, const struct tcp_segment *seg)
{
	seq_t at = seq_add(seg->seq, seg->payload_bytes);

	if (seg->flags & TCP_FIN) {
		if (seq_eq(at, conn->rcv_nxt))
			return true;
		if (seq_gt(at, conn->rcv_nxt))
			ack_now(stack, conn); /* something before it is missing */
		if (conn->rx && conn->rx->holes) {
			conn->rx->fin_at = at;
			conn->rx->has_fin = true;
		}
		return false;
	}
	return conn->rx && conn->rx->has_fin && seq_eq(conn->rx->fin_at, conn->rcv_nxt);
}

int step8_fin(struct stack *stack, struct conn *conn, struct arrival *in)
{
	if (conn->state < TCPS_SYN_RECEIVED || (conn->flags & CONN_FIN_RECEIVED) || !find_fin(stack, conn, &in->seg))
		return CONTINUE;
	/* The transition is recorded for good: what lies before the FIN must be safe first. */
	if (conn->rx && conn->rx->first_span && !receive_settle(stack, conn)) {
		ack_now(stack, conn);
		return VERDICT_DROP_NO_MEMORY;
	}
	conn->rcv_nxt = seq_add(conn->rcv_nxt, 1);
	conn->flags |= CONN_FIN_RECEIVED;
	urgent_settle(conn);
	ack_now(stack, conn);
	conn_tell(stack, conn, READY_EOF | READY_READABLE);
	switch (conn->state) {
	case TCPS_SYN_RECEIVED:
	case TCPS_ESTABLISHED:
		connection_set_state(stack, conn, TCPS_CLOSE_WAIT, CAUSE_RECEIVED_FIN);
		break;
	case TCPS_FIN_WAIT_1:
		/* Had our FIN been acknowledged by this segment, step 5 would have passed to FIN-WAIT-2. */
		connection_set_state(stack, conn, TCPS_CLOSING, CAUSE_RECEIVED_FIN);
		break;
	case TCPS_FIN_WAIT_2:
		conn_time_wait(stack, conn, CAUSE_RECEIVED_FIN);
		if (conn->flags & CONN_ORPHAN)
			conn_compact_time_wait(stack, conn);
		break;
	default:
		break;
	}
	return CONTINUE;
}
