/* SEGMENT ARRIVES, fifth step: the ACK field (RFC 9293 section 3.10.7.4), with SACK (RFC 2018, 2883) and RTT (RFC
 * 6298, 7323). What follows from it for losses is in recovery.c. */
#include "core/tcp/engine.h"

/* Only what is in flight can be reported. The first block may be a D-SACK (RFC 2883), told apart by `dsack`; the rest
 * is stale, or invented. */
static void take_sack_blocks(struct stack *stack, struct conn *conn, const struct tcp_segment *seg,
                             struct ack_facts *ack, struct sent_news *news)
{
	ack->dsack = false;
	for (int i = 0; i < seg->options.sack_count; i++) {
		const struct tcp_sack_block *block = &seg->options.sack[i];
		seq_t start = seq_max(block->start, conn->snd_una);

		if (!seq_lt(block->start, block->end) || seq_gt(block->end, conn->snd_nxt))
			continue;
		if (seq_lt(block->start, seg->ack) && seq_gt(block->end, seg->ack))
			continue; /* a peer that held it would acknowledge it */
		if (i == 0 && dsack_in_option(&seg->options, seg->ack)) {
			ack->dsack = true;
			ack->twice = *block;
		}
		if (conn->tx && seq_lt(start, block->end))
			sent_sacked(&conn->tx->sent, &stack->sents, start, block->end, news);
	}
}

/* RFC 5681 section 2: an ACK that tells nothing but that some segment has arrived. */
static bool is_duplicate_ack(const struct conn *conn, const struct tcp_segment *seg)
{
	return seq_eq(seg->ack, conn->snd_una) && seg->payload_bytes == 0 && !(seg->flags & (TCP_SYN | TCP_FIN)) &&
	       conn->tx && conn->tx->sent.first && conn->snd_wnd > 0 &&
	       (uint32_t)seg->window << conn->agreed.snd_wscale == conn->snd_wnd;
}

/* When the timestamp clock showed what the ACK echoes: so long ago. False: it echoes nothing credible. */
static bool echoed_age_ms(struct stack *stack, const struct conn *conn, const struct tcp_segment *seg,
                          int32_t *ret_ms)
{
	uint32_t sent_ms = seg->options.tsecr - secrets_timestamp_offset(stack, &conn->node.flow);
	int32_t ms = (int32_t)(tcp_clock_ms(stack) - sent_ms);

	if (!conn->agreed.timestamps || !seg->options.has_timestamps || seg->options.tsecr == 0 || ms < 0 ||
	    ms > 60000)
		return false;
	*ret_ms = ms;
	return true;
}

/* A round-trip sample: from what was sent once only (Karn); else from timestamps, which tell the transmissions apart.
 */
static int64_t measure_rtt(struct stack *stack, struct conn *conn, int32_t age_ms, const struct sent_news *news)
{
	struct duration sample;

	if (news->has_sample && !news->acked_resent) {
		sample = instant_sub(stack->now, news->sample_at);
	} else if (news->acked_bytes > 0 && age_ms >= 0) {
		sample = DURATION_MS(age_ms > 0 ? age_ms : 1);
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
	conn->timeouts = 0;
	if (payload > 0)
		strip_release(&tx->strip, &stack->blocks, payload_end, seq_eq(payload_end, conn->snd_end));
	if (seq_lt(conn->recover, ack) && conn->ca_state == CA_OPEN)
		conn->recover = seq_sub(ack, 1); /* keep it within reach of comparisons */
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

/* A peer that ACKs up to something it had SACKed, and not that, has thrown it away (RFC 2018 section 8). It may be an
 * old ACK that came late: the time-out decides, but soon. */
static void suspect_reneging(struct stack *stack, struct conn *conn)
{
	const struct sent *first = conn->tx->sent.first;
	struct duration soon = { conn->rtt.srtt.ns / 2 };

	if (first && (first->flags & SENT_SACKED))
		conn->rtx_due =
		        instant_min(conn->rtx_due, instant_add(stack->now, duration_max(soon, DURATION_MS(10))));
}

/* What is in flight: what of it has arrived, and what is lost. */
static void process_ack_of_flight(struct stack *stack, struct conn *conn, const struct tcp_segment *seg,
                                  struct ack_facts *ack)
{
	uint64_t inflight_before = congestion_pipe(conn);
	struct instant plausible = { stack->now.ns - conn->rtt.min.ns };
	struct loss_witness witness = { stack, conn };
	struct sent_news news = { .resent_before = plausible, .on_lost = congestion_lost, .witness = &witness };
	int32_t age_ms = -1;

	ack->duplicate = is_duplicate_ack(conn, seg);
	ack->has_echo = echoed_age_ms(stack, conn, seg, &age_ms);
	if (ack->has_echo) {
		/* An echo that is older than the transmission answers an earlier one. */
		struct instant echo = { stack->now.ns - stack->now.ns % 1000000 - (int64_t)age_ms * 1000000 +
			                999999 };

		ack->echo_ms = tcp_clock_ms(stack) - (uint32_t)age_ms;
		news.resent_before = instant_min(news.resent_before, echo);
	}
	if (ack->advances)
		advance_una(stack, conn, seg->ack, &news);
	if (ack->advances && stack->neighbours_unsure > 0)
		neighbour_confirmed(stack, &conn->node.flow.remote);
	/* The echo is of what moved the left edge of the peer's window (RFC 7323 section 4.3), and says nothing of
	 * what lies ahead of a hole. */
	news.resent_before = plausible;
	if (conn->agreed.sack)
		take_sack_blocks(stack, conn, seg, ack, &news);
	if (!ack->advances && (conn->agreed.sack ? news.sacked_bytes > 0 : ack->duplicate) &&
	    conn->dupacks < UINT8_MAX)
		conn->dupacks++;
	ack->rtt_ns = measure_rtt(stack, conn, age_ms, &news);
	if (ack->rtt_ns >= 0)
		conn->backoff = 0; /* RFC 6298 section 5: kept until a new measurement */
	update_window(stack, conn, seg);
	congestion_delivered(conn, news.delivered_bytes);
	recovery_on_ack(stack, conn, ack, &news);
	if (news.delivered_bytes > 0 || news.lost_bytes > 0)
		congestion_on_ack(stack, conn, seg, &news, ack->rtt_ns, inflight_before);
}

/* The parts of the fifth step that all states from ESTABLISHED on share. */
static void process_ack(struct stack *stack, struct conn *conn, const struct tcp_segment *seg)
{
	struct ack_facts ack = { .advances = seq_gt(seg->ack, conn->snd_una), .rtt_ns = -1 };

	ack.bare = !ack.advances && seq_eq(seg->ack, conn->snd_una) && tcp_segment_length(seg) == 0 &&
	           seg->options.sack_count == 0 && (uint32_t)seg->window << conn->agreed.snd_wscale == conn->snd_wnd;
	if (!conn->tx || !conn->tx->sent.first) { /* nothing is in flight: at most the window is new */
		struct sent_news nothing = { 0 };

		update_window(stack, conn, seg);
		if (conn->agreed.sack)
			take_sack_blocks(stack, conn, seg, &ack, &nothing);
		if (conn->extra)
			recovery_on_ack(stack, conn, &ack, &nothing);
		return;
	}
	process_ack_of_flight(stack, conn, seg, &ack);
	if (ack.advances) {
		conn->rtx_due = INSTANT_NEVER; /* RFC 6298 section 5.2, 5.3 */
		output_restart_timer(stack, conn);
		suspect_reneging(stack, conn);
		send_tell_space(stack, conn);
		recovery_schedule_probe(stack, conn);
	}
	conn_arm(stack, conn);
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

/* SYN-RECEIVED after a simultaneous open, or one that a Fast Open cookie made (RFC 7413). */
static int complete_open(struct stack *stack, struct conn *conn, const struct arrival *in)
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
	patience_arm(stack, conn);
	ecn_opened(stack, conn);
	if (fastopen_is_pending(conn)) {
		COUNT(stack, passive_opens);
		fastopen_completed(stack, conn);
	} else {
		COUNT(stack, active_opens);
		conn_tell(stack, conn, READY_CONNECTED);
	}
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
		result = complete_open(stack, conn, in);
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
	conn->last_rcv = stack->now; /* not before: what anybody could have made up shows no peer */
	conn->keepalive_probes = 0;
	if (seg->options.has_user_timeout)
		patience_take_option(stack, conn, &seg->options);
	process_ack(stack, conn, seg);
	conn_want_output(stack, conn);
	return close_progress(stack, conn);
}
