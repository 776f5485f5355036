/* Losses and their repair: detection by time (RACK-TLP, RFC 8985), or by counting where there is no SACK (RFC 6582)
 * or RACK is off (RFC 6675); fast recovery with proportional rate reduction (RFC 9937); the time-out (RFC 6298) with
 * F-RTO (RFC 5682); and the undoing of what proves needless (RFC 4015). The mechanisms are in sent.h, rack.h, tlp.h,
 * prr.h, frto.h and undo.h; here they meet the connection. */
#include "core/tcp/engine.h"

#define DUPLICATE_ACKS 3 /* RFC 5681 */

static struct loss_record *record_of(const struct conn *conn)
{
	return conn->extra ? &conn->extra->loss : NULL;
}

/* The same, made when missing; NULL: no memory. */
static struct loss_record *record_made(struct stack *stack, struct conn *conn)
{
	return conn_extra(stack, conn) ? &conn->extra->loss : NULL;
}

static bool uses_rack(const struct conn *conn)
{
	return conn->agreed.sack && conn->tcp->rack;
}

/* Without SACK what is delivered is only guessed: NewReno's own window does better then. */
uint32_t recovery_room(const struct conn *conn)
{
	uint32_t pipe;

	if (conn->ca_state == CA_RECOVERY && conn->tcp->prr && conn->agreed.sack && conn->tx &&
	    !(conn->congestion->ops->flags & TAPSTACK_CC_OWN_RECOVERY))
		return conn->tx->prr.room;
	pipe = congestion_pipe(conn);
	return conn->cwnd > pipe ? conn->cwnd - pipe : 0;
}

/* Something came after what had been sent later. */
static void saw_reordering(struct stack *stack, struct conn *conn)
{
	struct loss_record *record = record_made(stack, conn);

	COUNT(stack, rack_reorderings);
	if (!record)
		return;
	record->reordering.reordering_seen = true;
	record->reord_seen++;
}

/* ---- episodes ----------------------------------------------------------------------------------------------------
 */

static void enter_recovery(struct stack *stack, struct conn *conn, const struct sent_news *news)
{
	const struct sent_queue *sent = &conn->tx->sent;
	struct loss_record *record = record_made(stack, conn);

	conn->ca_state = CA_RECOVERY;
	conn->recover = conn->snd_nxt;
	conn->flags |= CONN_FAST_RETRANSMIT;
	conn->tx->pto_due = INSTANT_NEVER;
	prr_begin(&conn->tx->prr, (uint32_t)seq_diff(conn->snd_nxt, conn->snd_una),
	          sent->sacked_bytes - news->sacked_bytes, news->acked_bytes);
	COUNT(stack, fast_recoveries);
	congestion_event(stack, conn, TAPSTACK_CC_LOSS);
	if (record)
		undo_begin(&record->undo);
}

static void leave_recovery(struct stack *stack, struct conn *conn)
{
	struct loss_record *record = record_of(conn);

	if (record && conn->ca_state == CA_LOSS)
		record->total_rto_time.ns += instant_sub(stack->now, record->rto_since).ns;
	if (record)
		undo_recovered(&record->undo, conn->snd_nxt);
	conn->ca_state = CA_OPEN;
	conn->dupacks = 0;
	conn->flags &= ~(uint32_t)CONN_FAST_RETRANSMIT;
	if (conn->tx) {
		conn->tx->dupack_bytes = 0;
		conn->tx->frto = FRTO_OFF;
	}
	congestion_event(stack, conn, TAPSTACK_CC_RECOVERED);
}

/* RFC 4015: as if nothing had happened. */
static void undo(struct stack *stack, struct conn *conn, int64_t rtt_ns)
{
	bool after_timeout = conn->ca_state == CA_LOSS;
	struct loss_record *record = record_of(conn);

	if (conn->tx)
		rack_forget(&conn->tx->rack);
	if (!after_timeout) /* what had been sent again by then is not looked at in rack_learn */
		saw_reordering(stack, conn);
	if (conn->ca_state != CA_OPEN) {
		if (conn->tx)
			sent_unmark_lost(&conn->tx->sent);
		leave_recovery(stack, conn);
	}
	congestion_event(stack, conn, TAPSTACK_CC_UNDO);
	if (record)
		undo_end(&record->undo);
	conn->backoff = 0;
	if (after_timeout) {
		COUNT(stack, spurious_rto);
		if (rtt_ns >= 0)
			rtt_after_spurious_timeout(&conn->rtt, (struct duration){ rtt_ns }, conn->tcp->rto_min,
			                           conn->tcp->rto_max);
	}
	conn->rtx_due = INSTANT_NEVER;
	COUNT(stack, undos);
}

/* ---- what an ACK says about earlier repairs ----------------------------------------------------------------------
 */

/* RFC 8985 section 7.4. A loss that the probe itself has repaired is congestion all the same. */
static void acked_probe(struct stack *stack, struct conn *conn, const struct ack_facts *ack, uint32_t acked_bytes)
{
	struct loss_record *record = record_of(conn);
	bool dsack;

	if (!record)
		return;
	dsack = ack->dsack && seq_eq(ack->twice.end, record->tlp.end_seq);
	if (!tlp_on_ack(&record->tlp, conn->snd_una, dsack, ack->bare) || conn->ca_state != CA_OPEN)
		return;
	COUNT(stack, tlp_recoveries);
	congestion_lost_before(stack, conn, acked_bytes);
	congestion_event(stack, conn, TAPSTACK_CC_RECOVERED);
}

static bool timeout_was_spurious(struct conn *conn, const struct ack_facts *ack, const struct sent_news *news)
{
	struct frto_ack facts = {
		.advances = ack->advances,
		.covers_recover = seq_geq(conn->snd_una, conn->recover),
		.fresh = news->has_fresh && seq_leq(news->fresh_end, conn->recover),
		.duplicate = ack->duplicate || news->sacked_bytes > 0,
		.can_send_new = seq_gt(conn->snd_end, conn->snd_nxt) &&
		                seq_gt(seq_add(conn->snd_una, conn->snd_wnd), conn->snd_nxt),
		.sack = conn->agreed.sack,
	};

	return conn->tx && frto_on_ack(&conn->tx->frto, &facts);
}

/* Was what was sent again not lost at all? */
static bool was_needless(struct conn *conn, const struct ack_facts *ack, const struct sent_news *news)
{
	struct loss_record *record = record_of(conn);

	if (conn->ca_state == CA_LOSS && timeout_was_spurious(conn, ack, news))
		return true;
	if (!record || !conn->tcp->undo)
		return false;
	if (ack->dsack && undo_by_dsack(&record->undo, ack->twice.start, ack->twice.end))
		return true;
	if (conn->ca_state == CA_OPEN || !ack->advances || !ack->has_echo)
		return false;
	/* In fast recovery one hole may be filled by a late original, others by what was sent again. */
	if (conn->ca_state == CA_RECOVERY && seq_lt(conn->snd_una, conn->recover) && conn->tx->sent.resent_bytes > 0)
		return false;
	return undo_by_timestamp(&record->undo, ack->echo_ms);
}

/* ---- detection
 * ----------------------------------------------------------------------------------------------------- */

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
	           seq_gt(conn->snd_una, conn->recover)) {
		/* Right at that point they may be for what was sent again needlessly (RFC 6582 section 3.2 step 1).
		 */
		sent_mark_first_lost(&tx->sent, &stack->sents, conn->mss, news);
	}
}

/* RFC 6675. */
static void detect_loss_by_sack(struct stack *stack, struct conn *conn, struct sent_news *news)
{
	struct sent_queue *sent = &conn->tx->sent;

	if (sent->sacked_bytes == 0)
		return;
	sent_mark_lost_below_sacked(sent, (DUPLICATE_ACKS - 1) * conn->mss + 1u, news);
	if (conn->dupacks >= DUPLICATE_ACKS && sent->lost_bytes == 0)
		sent_mark_first_lost(sent, &stack->sents, conn->mss, news);
}

/* What is older than the newest arrival by more than this is lost. */
static struct duration rack_wait(const struct conn *conn)
{
	const struct loss_record *record = record_of(conn);
	bool losses_known = conn->ca_state != CA_OPEN || conn->dupacks >= DUPLICATE_ACKS ||
	                    conn->tx->sent.sacked_bytes > (DUPLICATE_ACKS - 1) * conn->mss;
	struct duration wnd =
	        rack_reo_wnd(record ? &record->reordering : NULL, losses_known, conn->rtt.min, conn->rtt.srtt);

	return (struct duration){ conn->tx->rack.rtt.ns + wnd.ns };
}

/* RFC 8985 section 6.2 step 5. */
static void rack_detect_loss(struct stack *stack, struct conn *conn, struct sent_news *news)
{
	struct send_queue *tx = conn->tx;
	struct duration wait = rack_wait(conn);
	struct instant deadline = { stack->now.ns - wait.ns }, next;

	next = sent_mark_lost_by_time(&tx->sent, tx->rack.xmit_ts, tx->rack.end_seq, deadline, news);
	tx->reo_due = next.ns == INT64_MAX ? INSTANT_NEVER : instant_add(next, wait);
	stack->counters.lost_retransmissions += news->lost_again;
}

/* Steps 2 to 4. */
static void rack_learn(struct stack *stack, struct conn *conn, bool dsack, bool recovered,
                       const struct sent_news *news)
{
	struct send_queue *tx = conn->tx;
	struct loss_record *record;
	seq_t highest = tx->sent.sacked_bytes > 0 ? seq_max(tx->sent.sacked_end, conn->snd_una) : conn->snd_una;

	if (news->has_newest)
		rack_update(&tx->rack, news->newest_at, news->newest_end, stack->now);
	if (rack_detect_reordering(&tx->rack, news->has_fresh, news->fresh_end, highest))
		saw_reordering(stack, conn);
	record = record_of(conn);
	if (record)
		rack_adapt(&record->reordering, conn->snd_una, conn->snd_nxt, dsack, recovered);
}

static void detect_loss(struct stack *stack, struct conn *conn, const struct ack_facts *ack, struct sent_news *news)
{
	if (!conn->agreed.sack)
		detect_loss_by_counting(stack, conn, ack->duplicate, news);
	else if (conn->tcp->rack)
		rack_detect_loss(stack, conn, news);
	else
		detect_loss_by_sack(stack, conn, news);
	path_acked(stack, conn, news);
	/* Only for a loss: what a reopened window or a smaller MTU makes go out again is none. */
	if (conn->ca_state == CA_OPEN && news->lost_bytes > 0)
		enter_recovery(stack, conn, news);
}

static void note_dsack(struct stack *stack, struct conn *conn)
{
	struct loss_record *record = record_made(stack, conn);

	COUNT(stack, dsack_received);
	if (record)
		record->dsack_dups++;
}

void recovery_on_ack(struct stack *stack, struct conn *conn, const struct ack_facts *ack, struct sent_news *news)
{
	struct loss_record *record;
	bool recovered = false;
	uint32_t lost_before;

	if (ack->dsack)
		note_dsack(stack, conn);
	acked_probe(stack, conn, ack, news->acked_bytes);
	if (was_needless(conn, ack, news)) {
		undo(stack, conn, ack->rtt_ns);
		recovered = true;
	} else if (conn->ca_state != CA_OPEN && seq_geq(conn->snd_una, conn->recover)) {
		leave_recovery(stack, conn);
		if (conn->tx) /* lost after the point that ended it: a new episode */
			news->lost_bytes += conn->tx->sent.lost_bytes;
		recovered = true;
	}
	record = record_of(conn);
	if (record)
		undo_acked(&record->undo, conn->snd_una);
	if (!conn->tx || !conn->tx->sent.first) {
		if (!conn->tx && record)
			rack_adapt(&record->reordering, conn->snd_una, conn->snd_nxt, ack->dsack, recovered);
		if (conn->tx) {
			rack_learn(stack, conn, ack->dsack, recovered, news); /* also from the last ACK of a flight */
			conn->tx->reo_due = INSTANT_NEVER;
			path_acked(stack, conn, news);
		}
		return;
	}
	rack_learn(stack, conn, ack->dsack, recovered, news);
	lost_before = news->lost_bytes;
	detect_loss(stack, conn, ack, news);
	if (conn->ca_state == CA_RECOVERY)
		prr_on_ack(&conn->tx->prr, news->delivered_bytes, congestion_pipe(conn), conn->cwnd, conn->mss,
		           ack->advances && news->lost_bytes == lost_before);
}

/* ---- timers
 * -------------------------------------------------------------------------------------------------------- */

static void note_timeout(struct stack *stack, struct loss_record *record, bool first)
{
	record->total_rto++;
	record->tlp.out = false;
	if (!first)
		return;
	undo_begin(&record->undo);
	record->rto_since = stack->now;
	record->total_rto_recoveries++;
}

/* RFC 6298 section 5.4 to 5.6, RFC 5681 section 3.1, RFC 5682 step 1. */
void recovery_timeout(struct stack *stack, struct conn *conn)
{
	bool first = conn->ca_state != CA_LOSS || seq_geq(conn->snd_una, conn->recover);
	struct loss_record *record = record_made(stack, conn);
	struct send_queue *tx = conn->tx;
	struct instant deadline = INSTANT_NEVER;
	struct loss_witness witness = { stack, conn };
	struct sent_news news = { .on_lost = congestion_lost, .witness = &witness };

	conn->ca_state = CA_LOSS;
	conn->recover = conn->snd_nxt;
	conn->dupacks = 0;
	conn->flags |= CONN_FAST_RETRANSMIT;
	tx->dupack_bytes = 0;
	tx->reo_due = tx->pto_due = INSTANT_NEVER;
	tx->tail_probe = false;
	/* RFC 8985 section 6.3: what went out just now is not lost yet. */
	if (uses_rack(conn))
		deadline.ns = stack->now.ns - rack_wait(conn).ns -
		              (tx->rack.xmit_ts.ns == INT64_MIN ? conn->rtt.srtt.ns : 0);
	tx->frto = conn->tcp->frto ? FRTO_RESENT : FRTO_OFF;
	if (sent_mark_all_lost(&tx->sent, deadline, &news)) {
		COUNT(stack, sack_reneges);
		tx->frto = FRTO_OFF;
	}
	stack->counters.lost_retransmissions += news.lost_again;
	if (first)
		congestion_event(stack, conn, TAPSTACK_CC_RTO);
	else
		congestion_timeout_again(conn); /* ssthresh stays (RFC 5681 equation 4 is for the first) */
	if (record)
		note_timeout(stack, record, first);
	conn_want_output(stack, conn);
}

/* RFC 8985 section 7.2: only where there is SACK to learn by, and nothing else is going on. */
static bool wants_probe(const struct conn *conn)
{
	const struct loss_record *record = record_of(conn);
	const struct send_queue *tx = conn->tx;

	return tx && tx->sent.first && conn->agreed.sack && conn->tcp->tail_loss_probe &&
	       conn->state >= TCPS_ESTABLISHED && conn->ca_state == CA_OPEN && tx->sent.sacked_bytes == 0 &&
	       tx->sent.lost_bytes == 0 && conn->snd_wnd > 0 && !(conn->flags & CONN_PERSIST) &&
	       !(record && record->tlp.out);
}

void recovery_schedule_probe(struct stack *stack, struct conn *conn)
{
	bool one_segment = seq_diff(conn->snd_nxt, conn->snd_una) <= (int32_t)conn->mss;

	if (!conn->tx)
		return;
	conn->tx->pto_due = INSTANT_NEVER;
	if (!wants_probe(conn))
		return;
	conn->tx->pto_due = instant_min(conn->rtx_due, instant_add(stack->now, tlp_pto(conn->rtt.srtt, one_segment)));
	conn_arm(stack, conn);
}

/* Section 6.2 step 5, as the timer calls it. */
static void reordering_timeout(struct stack *stack, struct conn *conn)
{
	struct loss_witness witness = { stack, conn };
	struct sent_news news = { .on_lost = congestion_lost, .witness = &witness };

	conn->tx->reo_due = INSTANT_NEVER;
	if (!uses_rack(conn) || !conn->tx->sent.first)
		return;
	rack_detect_loss(stack, conn, &news);
	path_acked(stack, conn, &news);
	if (conn->ca_state == CA_OPEN && news.lost_bytes > 0) {
		enter_recovery(stack, conn, &news);
		prr_on_ack(&conn->tx->prr, 0, congestion_pipe(conn), conn->cwnd, conn->mss, false);
	}
	conn_want_output(stack, conn);
}

void recovery_timers(struct stack *stack, struct conn *conn)
{
	if (!conn->tx)
		return;
	if (instant_reached(conn->tx->reo_due, stack->now))
		reordering_timeout(stack, conn);
	if (instant_reached(conn->tx->pto_due, stack->now)) {
		conn->tx->pto_due = INSTANT_NEVER;
		if (wants_probe(conn)) {
			conn->tx->tail_probe = true;
			/* Section 7.3: the time-out waits until the probe had its chance. */
			conn->rtx_due = instant_add(stack->now,
			                            rtt_backed_off(&conn->rtt, conn->backoff, conn->tcp->rto_max));
			conn_want_output(stack, conn);
		}
	}
}

/* ---- what is sent
 * --------------------------------------------------------------------------------------------------- */

void recovery_sent(struct stack *stack, struct conn *conn, seq_t start, seq_t end, bool again)
{
	struct loss_record *record = record_of(conn);

	if (conn->ca_state == CA_RECOVERY)
		prr_on_sent(&conn->tx->prr, (uint32_t)seq_diff(end, start));
	if (!again)
		return;
	if (record && record->undo.armed)
		undo_retransmitted(&record->undo, start, end, tcp_clock_ms(stack));
	/* The head was sent again: RACK learns within a round trip if that is lost, too. The time-out is for what
	 * even that does not tell. */
	if (conn->ca_state == CA_RECOVERY && seq_eq(start, conn->snd_una))
		conn->rtx_due =
		        instant_add(stack->now, rtt_backed_off(&conn->rtt, conn->backoff, conn->tcp->rto_max));
}

bool recovery_probes_tail(struct stack *stack, struct conn *conn, bool again)
{
	struct loss_record *record = record_made(stack, conn);

	if (!record)
		return false;
	tlp_sent(&record->tlp, conn->snd_nxt, again);
	COUNT(stack, tlp_probes);
	return true;
}

void recovery_note_duplicate(struct stack *stack, struct conn *conn, seq_t start, seq_t end)
{
	struct loss_record *record;

	if (!conn->agreed.sack || !seq_lt(start, end))
		return;
	record = record_made(stack, conn);
	if (!record)
		return;
	dsack_note(&record->duplicates, start, end);
	conn->flags |= CONN_ACK_NOW;
	conn_want_output(stack, conn);
}
