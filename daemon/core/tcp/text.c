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

/* The round trip as a receiver sees it: the peer echoes the timestamp of an ACK of ours in what it sends then. Looked
 * at once a millisecond, the clock's step. Waiting for something to send makes it longer, so that it falls at once,
 * and rises slowly. */
static void measure_rcv_rtt(struct stack *stack, struct conn *conn, const struct tcp_segment *seg)
{
	uint32_t now_ms = tcp_clock_ms(stack), sent_ms, sample;

	if (conn->agreed.timestamps && seg->options.tsecr != 0 &&
	    (now_ms != conn->last_data_rcv_ms || conn->rcv_rtt_us == 0)) {
		sent_ms = seg->options.tsecr - secrets_timestamp_offset(stack, &conn->node.flow);
		sample = now_ms - sent_ms > 1 ? (now_ms - sent_ms) * 1000 : 1000;
		if (now_ms - sent_ms > 60000) /* an echo of nothing that was sent */
			sample = conn->rcv_rtt_us;
		if (conn->rcv_rtt_us == 0 || sample < conn->rcv_rtt_us)
			conn->rcv_rtt_us = sample;
		else
			conn->rcv_rtt_us += (sample - conn->rcv_rtt_us) / 8;
	}
	conn->last_data_rcv_ms = now_ms;
}

static void count_out_of_order(struct stack *stack, struct conn *conn)
{
	struct conn_extra *extra = conn_extra(stack, conn);

	COUNT(stack, out_of_order);
	if (extra)
		extra->rcv_ooopack++;
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
	measure_rcv_rtt(stack, conn, seg);
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
	count_out_of_order(stack, conn);
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
	receive_ends(stack, conn);
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
