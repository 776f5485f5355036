/* What congestion algorithms are told, and when; what their decisions mean for sending. How they are run is in
 * algorithm.c. */
#include "core/tcp/engine.h"

uint32_t congestion_pipe(const struct conn *conn)
{
	const struct send_queue *tx = conn->tx;
	uint32_t outstanding = (uint32_t)seq_diff(conn->snd_nxt, conn->snd_una);
	uint32_t gone;

	if (!tx)
		return 0;
	gone = tx->sent.sacked_bytes + tx->sent.lost_bytes - tx->sent.resent_bytes + tx->dupack_bytes;
	return outstanding > gone ? outstanding - gone : 0;
}

uint32_t congestion_initial_window(const struct conn *conn)
{
	uint32_t segments = conn->tcp->initial_window_segments;
	uint32_t bound = segments * 1460 > 2u * conn->mss ? segments * 1460 : 2u * conn->mss;

	if (conn->flags & CONN_SYN_RETRANSMITTED)
		return conn->mss;
	return segments * conn->mss < bound ? segments * conn->mss : bound;
}

/* Without a send queue all has been acknowledged, and what the peer had thrown away has arrived twice. */
uint64_t congestion_delivered_total(const struct conn *conn)
{
	if (conn->tx)
		return conn->tx->rate.delivered;
	return conn->bytes_acked + (conn->extra ? conn->extra->loss.reneged_bytes : 0);
}

static uint64_t lost_total(const struct conn *conn)
{
	return conn->extra ? conn->extra->loss.lost_bytes : 0;
}

/* A sum when it stood at `then` (modulo 2^32), not long ago. */
static uint64_t sum_then(uint64_t now, uint32_t then)
{
	return now - (uint32_t)((uint32_t)now - then);
}

static void fill_sample(const struct stack *stack, struct conn *conn, struct tapstack_cc_sample *sample)
{
	*sample = (struct tapstack_cc_sample){
		.struct_size = sizeof(*sample),
		.mss_bytes = conn->mss,
		.now_ns = stack->now.ns,
		.rtt_ns = -1,
		.srtt_ns = conn->rtt.srtt.ns,
		.min_rtt_ns = conn->rtt.min.ns,
		.inflight_bytes = congestion_pipe(conn),
		.cwnd_limited = (conn->flags & CONN_CWND_LIMITED) != 0,
		.in_recovery = conn->ca_state == CA_RECOVERY,
		.delivered_total_bytes = congestion_delivered_total(conn),
		.lost_total_bytes = lost_total(conn),
		.ce_total_bytes = conn->agreed.ecn != ECN_NONE && conn->extra ? conn->extra->ecn.ce_bytes : 0,
	};
}

/* ---- RFC 7661 ----------------------------------------------------------------------------------------------------
 */

/* NULL: not wanted, or of no use: the window has never been larger than any connection's first, or the algorithm goes
 * by rates. */
static struct validation *validation_of(const struct conn *conn)
{
	bool wanted = conn->tcp->cwnd_validation && !(conn->congestion->ops->flags & TAPSTACK_CC_NEEDS_PACING);

	return wanted && conn->extra ? &conn->extra->validation : NULL;
}

static void validate_on_ack(struct stack *stack, struct conn *conn, uint32_t acked)
{
	struct validation *validation;

	if (conn->tcp->cwnd_validation && !conn->extra && conn->cwnd > congestion_initial_window(conn))
		conn_extra(stack, conn); /* without memory there is no validation */
	validation = validation_of(conn);
	if (!validation)
		return;
	validation_acked(validation, stack->now, conn->rtt.srtt, acked);
	validation_look(validation, stack->now, conn->rtt.srtt, conn->cwnd);
}

/* Section 4.4.2. */
static void give_up_unused(struct stack *stack, struct conn *conn)
{
	struct validation *validation = validation_of(conn);
	uint32_t least = congestion_initial_window(conn);

	if (!validation)
		return;
	validation_look(validation, stack->now, conn->rtt.srtt, conn->cwnd);
	while (conn->cwnd > least && validation_expires(validation, stack->now)) {
		if (conn->ssthresh != UINT32_MAX && conn->ssthresh < conn->cwnd / 4 * 3)
			conn->ssthresh = conn->cwnd / 4 * 3;
		conn->cwnd = conn->cwnd / 2 > least ? conn->cwnd / 2 : least;
		COUNT(stack, cwnd_validations);
	}
}

/* Section 4.4.1: what was in use, and not the window, was too much for the path. A window that is filled just now is
 * in use, whatever was measured in the round trip before, when slow start had half of it. */
static void reduce_by_use(struct stack *stack, struct conn *conn, enum tapstack_cc_event event, uint32_t flight,
                          uint32_t cwnd_before)
{
	struct validation *validation = validation_of(conn);
	uint32_t used, most;

	if (!validation)
		return;
	used = validation_pipe_ack(validation, stack->now, conn->rtt.srtt);
	if (event == TAPSTACK_CC_RECOVERED && validation->repairing) {
		uint64_t resent = conn->bytes_retransmitted - validation->resent_then;

		used = validation->loss_bytes;
		most = resent < used ? (used - (uint32_t)resent) / 2 : 0;
		if (most < 2u * conn->mss)
			most = 2u * conn->mss;
		conn->cwnd = conn->cwnd < most ? conn->cwnd : most;
		conn->ssthresh = conn->ssthresh < most ? conn->ssthresh : most;
	} else if ((event == TAPSTACK_CC_LOSS || event == TAPSTACK_CC_ECN) && validation->not_validated &&
	           flight < cwnd_before / 2) {
		used = used > flight ? used : flight;
		most = used / 2 > 2u * conn->mss ? used / 2 : 2u * conn->mss;
		conn->cwnd = conn->cwnd < most ? conn->cwnd : most;
		if (event == TAPSTACK_CC_LOSS) {
			validation->repairing = true;
			validation->loss_bytes = used;
			validation->resent_then = conn->bytes_retransmitted;
			return;
		}
	} else if (event == TAPSTACK_CC_LOSS || event == TAPSTACK_CC_MTU_CHANGED ||
	           event == TAPSTACK_CC_IDLE_RESTART) {
		return;
	}
	*validation = (struct validation){ 0 }; /* measured anew */
}

/* `flight`: what was outstanding when the event came up. */
static void tell_event(struct stack *stack, struct conn *conn, enum tapstack_cc_event event, uint32_t flight)
{
	struct tapstack_cc_sample sample;
	uint32_t cwnd_before = conn->cwnd;

	fill_sample(stack, conn, &sample);
	sample.inflight_before_bytes = flight;
	if (conn->tx)
		sample.lost_bytes = conn->tx->sent.lost_bytes;
	sample.ece = event == TAPSTACK_CC_ECN;
	algorithm_tell(stack, conn, &(struct told){ .what = TOLD_EVENT, .event = event, .sample = &sample });
	reduce_by_use(stack, conn, event, flight, cwnd_before);
	if (event == TAPSTACK_CC_LOSS || event == TAPSTACK_CC_RTO || event == TAPSTACK_CC_ECN) {
		ecn_reduced(conn);
		if (conn->extra) /* what UNDO would take back now is this, not what the repair before it did */
			undo_end(&conn->extra->loss.undo);
	} else if (event == TAPSTACK_CC_UNDO) {
		ecn_reduction_undone(conn);
	}
}

static void sample_rate(const struct stack *stack, struct conn *conn, const struct sent_news *news,
                        struct tapstack_cc_sample *sample)
{
	struct send_queue *tx = conn->tx;
	struct rate_sample rate =
	        rate_on_delivered(&tx->rate, stack->now, 0, &news->rate, news->rate_sent_at, conn->rtt.min);

	sample->app_limited = rate.app_limited;
	sample->is_retransmit = news->rate_resent;
	sample->rate_interval_ns = rate.interval.ns;
	sample->rate_delivered_bytes = rate.interval.ns > 0 ? rate.delivered_bytes : 0;
	sample->sent_inflight_bytes = news->rate.inflight;
	sample->sent_delivered_bytes = sum_then(sample->delivered_total_bytes, news->rate.delivered);
	sample->sent_lost_bytes = sum_then(sample->lost_total_bytes, news->rate.lost);
	if (rate.interval.ns > 0)
		tx->rate_sample = rate;
}

void congestion_delivered(struct conn *conn, uint32_t bytes)
{
	conn->tx->rate.delivered += bytes;
	conn->tx->bytes_in_round += bytes;
}

void congestion_on_ack(struct stack *stack, struct conn *conn, const struct tcp_segment *seg,
                       const struct sent_news *news, int64_t rtt_ns, uint64_t inflight_before)
{
	struct tapstack_cc_sample sample;
	struct send_queue *tx = conn->tx;

	fill_sample(stack, conn, &sample);
	sample.rtt_ns = rtt_ns;
	sample.acked_bytes = news->acked_bytes;
	sample.delivered_bytes = news->delivered_bytes;
	conn->delivered += (news->delivered_bytes + conn->mss - 1) / conn->mss;
	sample.lost_bytes = tx->lost_untold;
	tx->lost_untold = 0;
	sample.inflight_before_bytes = inflight_before;
	sample.bytes_in_round = tx->bytes_in_round;
	if (seq_gt(conn->snd_una, tx->round_end)) {
		sample.round_start = 1;
		tx->round_end = conn->snd_nxt;
		tx->bytes_in_round = 0;
	}
	if (news->has_rate)
		sample_rate(stack, conn, news, &sample);
	if (ecn_feedback(stack, conn, seg, news, &sample))
		tell_event(stack, conn, TAPSTACK_CC_ECN,
		           (uint32_t)seq_diff(conn->snd_nxt, conn->snd_una) + news->acked_bytes);
	if (conn->agreed.ecn != ECN_NONE && conn->extra)
		sample.ce_total_bytes = conn->extra->ecn.ce_bytes;
	algorithm_tell(stack, conn, &(struct told){ .what = TOLD_ACK, .sample = &sample });
	validate_on_ack(stack, conn, news->acked_bytes);
	if (sample.round_start)
		conn->flags &= ~(uint32_t)CONN_CWND_LIMITED;
}

/* What was too long for the path says nothing of congestion (RFC 4821 section 7.5). */
static bool is_mtu_probe(const struct conn *conn, const struct sent *entry)
{
	return conn->tx->path.probe_bytes > 0 && seq_eq(entry->start, conn->tx->path.probe_at);
}

void congestion_lost(void *context, const struct sent *entry)
{
	const struct loss_witness *witness = context;
	struct stack *stack = witness->stack;
	struct conn *conn = witness->conn;
	uint32_t bytes = (uint32_t)seq_diff(seq_min(entry->end, conn->snd_end), entry->start); /* the FIN is none */
	struct tapstack_cc_lost lost;

	if (is_mtu_probe(conn, entry))
		return;
	conn->tx->lost_untold += bytes;
	if (conn_extra(stack, conn))
		conn->extra->loss.lost_bytes += bytes;
	lost = (struct tapstack_cc_lost){
		.struct_size = sizeof(lost),
		.mss_bytes = conn->mss,
		.now_ns = stack->now.ns,
		.bytes = bytes,
		.sent_inflight_bytes = entry->rate.inflight,
		.sent_lost_bytes = sum_then(lost_total(conn), entry->rate.lost),
		.sent_delivered_bytes = sum_then(conn->tx->rate.delivered, entry->rate.delivered),
		.lost_total_bytes = lost_total(conn),
		.delivered_total_bytes = congestion_delivered_total(conn),
		.app_limited = entry->rate.app_limited,
		.is_retransmit = (entry->flags & SENT_EVER_RETRANSMITTED) != 0,
	};
	algorithm_tell(stack, conn, &(struct told){ .what = TOLD_LOST, .lost = &lost });
}

void congestion_event(struct stack *stack, struct conn *conn, enum tapstack_cc_event event)
{
	tell_event(stack, conn, event, (uint32_t)seq_diff(conn->snd_nxt, conn->snd_una)); /* RFC 5681 FlightSize */
}

void congestion_lost_before(struct stack *stack, struct conn *conn, uint32_t acked_bytes)
{
	tell_event(stack, conn, TAPSTACK_CC_LOSS, (uint32_t)seq_diff(conn->snd_nxt, conn->snd_una) + acked_bytes);
}

void congestion_timeout_again(struct conn *conn)
{
	conn->cwnd = conn->mss;
	if (conn->flags & CONN_SHADOWED)
		conn->extra->shadow->decision.cwnd_bytes = conn->mss;
}

void congestion_resume(struct stack *stack, struct conn *conn)
{
	give_up_unused(stack, conn);
	if (conn->tcp->idle_restart && conn->bytes_acked > 0 &&
	    instant_sub(stack->now, conn->last_snd).ns > conn->rtt.rto.ns)
		congestion_event(stack, conn, TAPSTACK_CC_IDLE_RESTART);
}

uint64_t congestion_pacing(const struct conn *conn)
{
	uint64_t rate = conn->pacing_bytes_per_s, most = conn->tcp->pacing_max_bytes_per_s;

	return most > 0 && (rate == 0 || rate > most) ? most : rate;
}

bool congestion_holds(const struct stack *stack, const struct conn *conn)
{
	return conn->pace_due.ns != INT64_MAX && instant_before(stack->now, conn->pace_due);
}

uint32_t congestion_burst(const struct conn *conn)
{
	uint64_t rate = congestion_pacing(conn);

	uint32_t burst = rate > 0 ? pacer_quantum(rate, conn->mss) : UINT32_MAX;

	if (conn->burst_max > 0 && conn->burst_max < burst)
		burst = conn->burst_max;
	return burst > conn->mss ? burst : conn->mss;
}

void congestion_snapshot(struct stack *stack, struct conn *conn, struct sent *entry)
{
	struct send_queue *tx = conn->tx;

	entry->rate = rate_on_sent(&tx->rate, stack->now, tx->sent.first == tx->sent.last);
	entry->rate.inflight = congestion_pipe(conn);
	entry->rate.lost = (uint32_t)lost_total(conn);
}

void congestion_nothing_to_send(struct conn *conn)
{
	struct send_queue *tx = conn->tx;

	/* As the draft has it: nothing is queued, nothing waits to be sent again, and there is room in the window. */
	if (tx && tx->sent.first && !seq_gt(conn->snd_end, conn->snd_nxt) && !sent_next_lost(&tx->sent) &&
	    congestion_pipe(conn) < conn->cwnd)
		rate_app_limited(&tx->rate, congestion_pipe(conn));
}

void congestion_on_sent(struct stack *stack, struct conn *conn, uint32_t bytes)
{
	uint64_t rate = congestion_pacing(conn);

	if (rate > 0 && conn->tx) {
		struct instant next = pacer_sent(&conn->tx->pacer, stack->now, bytes, rate, congestion_burst(conn));

		if (instant_before(stack->now, next))
			conn->pace_due = next;
	}
	if (!conn->congestion->ops->on_sent && !(conn->flags & CONN_SHADOWED))
		return;
	algorithm_tell(stack, conn,
	               &(struct told){ .what = TOLD_SENT,
	                               .now_ns = stack->now.ns,
	                               .sent_bytes = bytes,
	                               .inflight_bytes = congestion_pipe(conn) });
}
