/* SEGMENT ARRIVES, fifth step: the ACK field (RFC 9293 section 3.10.7.4), with SACK (RFC 2018), loss detection and
 * recovery (RFC 6675; RFC 6582 without SACK; RFC 3042 follows from counting what has left the network), and RTT (RFC
 * 6298, 7323). */
#include "core/tcp/engine.h"

#define DUPLICATE_ACKS 3 /* RFC 5681 */

static void take_sack_blocks(struct stack *stack, struct conn *conn, const struct tcp_segment *seg,
                             struct sent_news *news)
{
	for (int i = 0; i < seg->options.sack_count; i++) {
		const struct tcp_sack_block *block = &seg->options.sack[i];

		/* Only what is in flight can be reported; the rest is D-SACK (RFC 2883), stale, or invented. */
		if (seq_geq(block->start, conn->snd_una) && seq_leq(block->end, conn->snd_nxt) &&
		    seq_lt(block->start, block->end))
			sent_sacked(&conn->tx->sent, &stack->sents, block->start, block->end, news);
	}
}

/* RFC 5681 section 2: an ACK that tells nothing but that some segment has arrived. */
static bool is_duplicate_ack(const struct conn *conn, const struct tcp_segment *seg)
{
	return seq_eq(seg->ack, conn->snd_una) && seg->payload_bytes == 0 && !(seg->flags & (TCP_SYN | TCP_FIN)) &&
	       conn->tx && conn->tx->sent.first && conn->snd_wnd > 0 &&
	       (uint32_t)seg->window << conn->agreed.snd_wscale == conn->snd_wnd;
}

static void enter_recovery(struct stack *stack, struct conn *conn)
{
	conn->ca_state = CA_RECOVERY;
	conn->recover = conn->snd_nxt;
	conn->flags |= CONN_FAST_RETRANSMIT;
	COUNT(stack, fast_recoveries);
	congestion_event(stack, conn, TAPSTACK_CC_LOSS);
}

static void leave_recovery(struct stack *stack, struct conn *conn)
{
	conn->ca_state = CA_OPEN;
	conn->dupacks = 0;
	conn->flags &= ~(uint32_t)CONN_FAST_RETRANSMIT;
	if (conn->tx)
		conn->tx->dupack_bytes = 0;
	congestion_event(stack, conn, TAPSTACK_CC_RECOVERED);
}

/* Without SACK each duplicate ACK stands for one segment that has arrived, and a partial ACK for one lost. */
static void detect_loss_by_counting(struct stack *stack, struct conn *conn, bool duplicate, struct sent_news *news)
{
	struct send_queue *tx = conn->tx;
	uint32_t outstanding = (uint32_t)seq_diff(conn->snd_nxt, conn->snd_una);

	if (duplicate && tx->dupack_bytes + conn->mss <= outstanding)
		tx->dupack_bytes += conn->mss;
	if (news->acked_bytes > 0) {
		/* One segment of it was sent again; the others had been counted. */
		uint32_t counted = news->acked_bytes > conn->mss ? news->acked_bytes - conn->mss : 0;

		tx->dupack_bytes -=
		        counted < tx->dupack_bytes && conn->ca_state != CA_OPEN ? counted : tx->dupack_bytes;
	}
	if (conn->ca_state == CA_RECOVERY) {
		if (news->acked_bytes > 0 && seq_lt(conn->snd_una, conn->recover)) {
			sent_mark_first_lost(&tx->sent, &stack->sents, conn->mss, news);
			conn->flags |= CONN_FAST_RETRANSMIT;
		}
	} else if (conn->ca_state == CA_OPEN && conn->dupacks >= DUPLICATE_ACKS && tx->sent.lost_bytes == 0 &&
	           seq_geq(conn->snd_una, conn->recover)) {
		sent_mark_first_lost(&tx->sent, &stack->sents, conn->mss, news);
	}
}

static void detect_loss(struct stack *stack, struct conn *conn, bool duplicate, struct sent_news *news)
{
	struct sent_queue *sent = &conn->tx->sent;

	if (!conn->agreed.sack) {
		detect_loss_by_counting(stack, conn, duplicate, news);
	} else if (sent->sacked_bytes > 0) {
		sent_mark_lost_below_sacked(sent, (DUPLICATE_ACKS - 1) * conn->mss + 1u, news);
		if (conn->dupacks >= DUPLICATE_ACKS && sent->lost_bytes == 0)
			sent_mark_first_lost(sent, &stack->sents, conn->mss, news);
	}
}

/* Only for a loss: what a reopened window or a smaller MTU makes go out again is none. */
static void react_to_loss(struct stack *stack, struct conn *conn, const struct sent_news *news)
{
	if (conn->ca_state == CA_OPEN && news->lost_bytes > 0)
		enter_recovery(stack, conn);
}

/* A round-trip sample: from what was sent once only (Karn); else from timestamps, which tell the transmissions apart.
 */
static int64_t measure_rtt(struct stack *stack, struct conn *conn, const struct tcp_segment *seg,
                           const struct sent_news *news)
{
	struct duration sample;

	if (news->has_sample && !news->acked_resent) {
		sample = instant_sub(stack->now, news->sample_at);
	} else if (news->acked_bytes > 0 && conn->agreed.timestamps && seg->options.tsecr != 0) {
		uint32_t sent_ms = seg->options.tsecr - secrets_timestamp_offset(stack, &conn->node.flow);
		int32_t ms = (int32_t)(tcp_clock_ms(stack) - sent_ms);

		if (ms < 0 || ms > 60000)
			return -1;
		sample = DURATION_MS(ms > 0 ? ms : 1);
	} else {
		return -1;
	}
	rtt_sample(&conn->rtt, sample, conn->tcp->rto_min, conn->tcp->rto_max);
	return sample.ns;
}

/* SND.UNA moves. */
static void advance_una(struct stack *stack, struct conn *conn, seq_t ack, struct sent_news *news)
{
	struct send_queue *tx = conn->tx;
	seq_t payload_start = conn_payload_start(conn);
	seq_t payload_end = seq_min(ack, conn->snd_end);
	uint32_t payload = seq_gt(payload_end, payload_start) ? (uint32_t)seq_diff(payload_end, payload_start) : 0;

	sent_acked(&tx->sent, &stack->sents, ack, news);
	conn->bytes_acked += payload;
	conn->snd_una = ack;
	conn->dupacks = 0;
	conn->progress_at = stack->now;
	if (payload > 0)
		strip_release(&tx->strip, &stack->blocks, payload_end, seq_eq(payload_end, conn->snd_end));
	if (seq_lt(conn->recover, ack) && conn->ca_state == CA_OPEN)
		conn->recover = ack; /* keep it within reach of comparisons */
	if (tx->has_small && seq_leq(tx->small_end, ack))
		tx->has_small = false; /* the same */
	urgent_acked(conn);
}

/* RFC 9293: only a segment that is not older than the one that set it last may set the window. An ACK that moves
 * SND.UNA is none of those, also in a segment that was sent again: were its window left out, the old one would reach
 * beyond what the peer has offered. */
static void update_window(struct stack *stack, struct conn *conn, const struct tcp_segment *seg)
{
	uint32_t window = (uint32_t)seg->window << conn->agreed.snd_wscale;

	if (seq_lt(seg->ack, conn->snd_una) || (seq_leq(seg->ack, conn->snd_wl2) && seq_lt(seg->seq, conn->snd_wl1)))
		return;
	conn->snd_wl1 = seg->seq;
	conn->snd_wl2 = seg->ack;
	if (conn->snd_wnd == window)
		return;
	if (conn->flags & CONN_PERSIST) {
		struct sent_news ignored = { 0 };

		if (conn->tx) /* the octet that probed the closed window was very likely thrown away */
			sent_mark_all_lost(&conn->tx->sent, INSTANT_NEVER, &ignored);
		conn->backoff = 0;
		conn->flags &= ~(uint32_t)(CONN_PERSIST | CONN_PROBE);
		conn->rtx_due = INSTANT_NEVER;
	}
	conn->snd_wnd = window;
	if (window > conn->max_snd_wnd)
		conn->max_snd_wnd = window;
	output_restart_timer(stack, conn);
}

/* The parts of the fifth step that all states from ESTABLISHED on share. */
static void process_ack(struct stack *stack, struct conn *conn, const struct tcp_segment *seg)
{
	bool advances = seq_gt(seg->ack, conn->snd_una);
	bool duplicate = is_duplicate_ack(conn, seg);
	uint64_t inflight_before = congestion_pipe(conn);
	struct sent_news news = { 0 };
	int64_t rtt;

	if (!conn->tx || !conn->tx->sent.first) { /* nothing is in flight: at most the window is new */
		update_window(stack, conn, seg);
		return;
	}
	if (advances)
		advance_una(stack, conn, seg->ack, &news);
	if (advances && stack->neighbours_unsure > 0)
		neighbour_confirmed(stack, &conn->node.flow.remote);
	if (conn->agreed.sack && seg->options.sack_count > 0)
		take_sack_blocks(stack, conn, seg, &news);
	if (!advances && (conn->agreed.sack ? news.sacked_bytes > 0 : duplicate) && conn->dupacks < UINT8_MAX)
		conn->dupacks++;
	rtt = measure_rtt(stack, conn, seg, &news);
	if (rtt >= 0)
		conn->backoff = 0; /* RFC 6298 section 5: kept until a new measurement */
	update_window(stack, conn, seg);
	if (conn->ca_state != CA_OPEN && seq_geq(conn->snd_una, conn->recover)) {
		leave_recovery(stack, conn);
		news.lost_bytes += conn->tx->sent.lost_bytes; /* lost after the point that ended it: a new episode */
	}
	detect_loss(stack, conn, duplicate, &news);
	path_acked(stack, conn, &news);
	react_to_loss(stack, conn, &news);
	if (news.delivered_bytes > 0 || news.lost_bytes > 0)
		congestion_on_ack(stack, conn, &news, rtt, inflight_before);
	if (advances) {
		conn->rtx_due = INSTANT_NEVER; /* RFC 6298 section 5.2, 5.3 */
		output_restart_timer(stack, conn);
		send_tell_space(stack, conn);
	}
	conn_release_idle_queues(stack, conn);
}

static bool fin_is_acked(const struct conn *conn)
{
	return (conn->flags & CONN_FIN_SENT) && seq_gt(conn->snd_una, conn->snd_end);
}

/* What the ACK of our FIN means in each state. */
static int close_progress(struct stack *stack, struct conn *conn)
{
	if (!fin_is_acked(conn))
		return CONTINUE;
	switch (conn->state) {
	case TCPS_FIN_WAIT_1:
		connection_set_state(stack, conn, TCPS_FIN_WAIT_2, CAUSE_RECEIVED_ACK_OF_FIN);
		conn_tell(stack, conn, READY_SENT);
		patience_arm(stack, conn);
		return CONTINUE;
	case TCPS_CLOSING:
		conn_time_wait(stack, conn, CAUSE_RECEIVED_ACK_OF_FIN);
		if (conn->flags & CONN_ORPHAN)
			conn_compact_time_wait(stack, conn);
		return VERDICT_ACCEPTED;
	case TCPS_LAST_ACK:
		conn_end(stack, conn, CAUSE_RECEIVED_ACK_OF_FIN);
		return VERDICT_ACCEPTED;
	default:
		return CONTINUE;
	}
}

/* SYN-RECEIVED after a simultaneous open. */
static int complete_simultaneous_open(struct stack *stack, struct conn *conn, const struct arrival *in)
{
	const struct tcp_segment *seg = &in->seg;

	if (seq_leq(seg->ack, conn->snd_una) || seq_gt(seg->ack, conn->snd_nxt)) {
		reply_reset(stack, in);
		return VERDICT_DROP_ACK_UNSENT;
	}
	connection_set_state(stack, conn, TCPS_ESTABLISHED, CAUSE_RECEIVED_ACK_OF_SYN);
	conn->snd_wnd = conn->max_snd_wnd = (uint32_t)seg->window << conn->agreed.snd_wscale;
	conn->snd_wl1 = seg->seq;
	conn->snd_wl2 = seg->ack;
	COUNT(stack, active_opens);
	patience_arm(stack, conn);
	conn_tell(stack, conn, READY_CONNECTED);
	if (conn->flags & CONN_FIN_QUEUED) /* closed while it was opening */
		connection_set_state(stack, conn, TCPS_FIN_WAIT_1, CAUSE_LOCAL_CLOSE);
	return CONTINUE;
}

int step5_ack(struct stack *stack, struct conn *conn, struct arrival *in)
{
	const struct tcp_segment *seg = &in->seg;
	int result;

	if (!(seg->flags & TCP_ACK))
		return VERDICT_DROP_NO_ACK;
	if (conn->state == TCPS_SYN_RECEIVED) {
		result = complete_simultaneous_open(stack, conn, in);
		if (result != CONTINUE)
			return result;
	}
	if (seq_lt(seg->ack, seq_sub(conn->snd_una, conn->max_snd_wnd))) { /* RFC 5961 section 5 */
		reply_challenge(stack, conn);
		return VERDICT_DROP_ACK_TOO_OLD;
	}
	if (seq_gt(seg->ack, conn->snd_nxt)) {
		reply_challenge(stack, conn);
		return VERDICT_DROP_ACK_UNSENT;
	}
	if (seg->options.has_user_timeout)
		patience_take_option(stack, conn, &seg->options);
	process_ack(stack, conn, seg);
	conn_want_output(stack, conn);
	return close_progress(stack, conn);
}
