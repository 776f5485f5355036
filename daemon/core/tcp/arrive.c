/* SEGMENT ARRIVES (RFC 9293 section 3.10.7): the way in, and the steps for the synchronized states in the RFC's
 * order. */
#include "core/tcp/engine.h"

enum stack_verdict arrive_closed(struct stack *stack, const struct arrival *in)
{
	if (in->seg.flags & TCP_RST)
		return VERDICT_DROP_RST_NO_CONNECTION;
	reply_reset(stack, in);
	return VERDICT_DROP_NO_CONNECTION;
}

static void count_marks(struct stack *stack, const struct arrival *in)
{
	uint32_t bytes = in->seg.payload_bytes;
	uint32_t packets = bytes > in->segment_bytes && in->segment_bytes > 0
	                           ? (bytes + in->segment_bytes - 1) / in->segment_bytes
	                           : 1;

	if ((in->tos & 3) == IP_CE)
		stack->counters.ecn_ce_in += packets;
	else if (in->tos & 3)
		stack->counters.ecn_ect_in += packets;
}

/* RFC 7323 section 5: is the segment's timestamp older than one already seen? A connection idle for 24 days forgets.
 */
static bool fails_paws(const struct stack *stack, const struct conn *conn, const struct tcp_segment *seg)
{
	uint32_t age = (uint32_t)(stack->now.ns / 1000000000) - conn->ts_recent_age_s;

	if (!conn->agreed.timestamps || (seg->flags & TCP_RST))
		return false;
	return seg->options.has_timestamps && (int32_t)(seg->options.tsval - conn->ts_recent) < 0 &&
	       age < 24u * 86400;
}

/* The four cases of RFC 9293 section 3.4. */
static bool is_acceptable(const struct tcp_segment *seg, seq_t rcv_nxt, uint32_t rcv_wnd)
{
	uint32_t length = tcp_segment_length(seg);
	seq_t edge = seq_add(rcv_nxt, rcv_wnd), last = seq_add(seg->seq, length - 1);

	if (length == 0 && rcv_wnd == 0)
		return seq_eq(seg->seq, rcv_nxt);
	if (length == 0)
		return seq_leq(rcv_nxt, seg->seq) && seq_lt(seg->seq, edge);
	if (rcv_wnd == 0)
		return false;
	return (seq_leq(rcv_nxt, seg->seq) && seq_lt(seg->seq, edge)) ||
	       (seq_leq(rcv_nxt, last) && seq_lt(last, edge));
}

/* Cuts off what was received before and what lies beyond the window. */
static void trim(struct tcp_segment *seg, seq_t rcv_nxt, uint32_t rcv_wnd)
{
	int32_t before = seq_diff(rcv_nxt, seg->seq);
	int32_t beyond;

	if (before > 0) {
		if (seg->flags & TCP_SYN) {
			seg->flags &= (uint16_t)~TCP_SYN;
			before--;
			seg->seq = seq_add(seg->seq, 1);
		}
		if ((uint32_t)before > seg->payload_bytes)
			before = (int32_t)seg->payload_bytes;
		seg->payload += before;
		seg->payload_bytes -= (uint32_t)before;
		seg->seq = seq_add(seg->seq, (uint32_t)before);
	}
	beyond = seq_diff(seq_add(seg->seq, seg->payload_bytes), seq_add(rcv_nxt, rcv_wnd));
	if (beyond <= 0)
		return; /* a FIN just at the edge needs no room */
	seg->flags &= (uint16_t)~TCP_FIN;
	seg->payload_bytes -= (uint32_t)beyond < seg->payload_bytes ? (uint32_t)beyond : seg->payload_bytes;
}

/* RFC 2883 section 4: what lies before RCV.NXT came again. */
static void note_old_text(struct stack *stack, struct conn *conn, const struct tcp_segment *seg)
{
	seq_t end = seq_min(seq_add(seg->seq, tcp_segment_length(seg)), conn->rcv_nxt);

	if (seq_lt(seg->seq, end) && !(seg->flags & TCP_SYN) &&
	    (uint64_t)seq_diff(conn->rcv_nxt, seg->seq) <= conn->bytes_received + 1)
		recovery_note_duplicate(stack, conn, seg->seq, end);
}

static int answer_unacceptable(struct stack *stack, struct conn *conn, const struct tcp_segment *seg,
                               enum stack_verdict verdict)
{
	if (seg->flags & TCP_RST)
		return verdict;
	if (tcp_segment_length(seg) > 0 && !(seg->flags & TCP_SYN)) {
		note_old_text(stack, conn, seg);
		conn->flags |= CONN_ACK_NOW; /* the peer sends again what we have: our ACK was lost */
		conn_want_output(stack, conn);
		return verdict;
	}
	reply_challenge(stack, conn);
	return verdict;
}

/* Both ends may probe each other's window at a time, and both probes be taken: then what either sends besides stands
 * one octet before what the other expects, until it hears that its probe was taken. Somebody must listen to such an
 * ACK, or neither ever does (draft-gont-tcpm-tcp-seq-validation). */
static bool is_beside_a_probe(const struct conn *conn, const struct tcp_segment *seg)
{
	return conn->state >= TCPS_ESTABLISHED && (seg->flags & TCP_ACK) && !(seg->flags & (TCP_RST | TCP_URG)) &&
	       tcp_segment_length(seg) == 0 && seq_eq(seq_add(seg->seq, 1), conn->rcv_nxt);
}

/* First: sequence number and timestamp. */
static int step1_sequence(struct stack *stack, struct conn *conn, struct arrival *in)
{
	struct tcp_segment *seg = &in->seg;
	int32_t offered = seq_diff(conn->rcv_adv, conn->rcv_nxt);
	uint32_t rcv_wnd = offered > 0 ? (uint32_t)offered : 0;

	if (conn->agreed.timestamps && !seg->options.has_timestamps && !(seg->flags & (TCP_RST | TCP_SYN)))
		return VERDICT_DROP_PAWS; /* RFC 7323 section 3.2: silently */
	if (fails_paws(stack, conn, seg))
		return answer_unacceptable(stack, conn, seg, VERDICT_DROP_PAWS);
	if (!is_acceptable(seg, conn->rcv_nxt, rcv_wnd)) {
		/* A closed window takes no text, but the ACK, the urgent pointer and RST still count (MUST-66). */
		if (rcv_wnd == 0 && seq_eq(seg->seq, conn->rcv_nxt) && !(seg->flags & TCP_SYN)) {
			conn->flags |= CONN_ACK_NOW;
			conn_want_output(stack, conn);
			if (seg->payload_bytes > 0)
				seg->flags &= (uint16_t)~TCP_FIN;
			seg->payload_bytes = 0;
			return CONTINUE;
		}
		if (is_beside_a_probe(conn, seg)) {
			reply_challenge(stack, conn); /* it may be a keepalive, too */
			return CONTINUE;
		}
		return answer_unacceptable(stack, conn, seg,
		                           seq_lt(seg->seq, conn->rcv_nxt) && !(seg->flags & TCP_RST)
		                                   ? VERDICT_DUPLICATE
		                                   : VERDICT_DROP_OUT_OF_WINDOW);
	}
	if (seg->flags & TCP_RST)
		return CONTINUE; /* judged by the sequence number it came with, and not trusted with anything else */
	in->covers_edge = seq_leq(seg->seq, conn->last_ack_sent); /* RFC 7323 section 4.3 */
	note_old_text(stack, conn, seg);
	if (!(seg->flags & TCP_SYN) || conn->state == TCPS_SYN_RECEIVED)
		trim(seg, conn->rcv_nxt, rcv_wnd);
	return CONTINUE;
}

/* Second: RST, by RFC 5961 section 3: only the exact next sequence number resets. */
static int step2_reset(struct stack *stack, struct conn *conn, const struct arrival *in)
{
	if (!(in->seg.flags & TCP_RST))
		return CONTINUE;
	if (!seq_eq(in->seg.seq, conn->rcv_nxt))
		return (int)reply_challenge(stack, conn);
	if (conn->state == TCPS_TIME_WAIT) /* RFC 1337 */
		return VERDICT_DROP_RST_SEQ;
	conn_end(stack, conn,
	         conn->state == TCPS_SYN_RECEIVED && (conn->flags & CONN_ACTIVE) ? CAUSE_RECEIVED_RST_REFUSED
	                                                                         : CAUSE_RECEIVED_RST);
	return VERDICT_RESET;
}

/* Third: security and compartment are not used any more (RFC 9293 section 3.10.7.4 leaves it to RFC 6301 users). */
static int step3_security(void)
{
	return CONTINUE;
}

/* Fourth: a SYN in a synchronized state is challenged (RFC 5961 section 4). */
static int step4_syn(struct stack *stack, struct conn *conn, const struct arrival *in)
{
	return in->seg.flags & TCP_SYN ? (int)reply_challenge(stack, conn) : CONTINUE;
}

/* Sixth: the urgent pointer. Urgent data stays in line (RFC 6093 section 3). */
static int step6_urgent(struct stack *stack, struct conn *conn, const struct arrival *in)
{
	if (in->seg.flags & TCP_URG)
		urgent_arrives(stack, conn, in->urgent_end);
	return CONTINUE;
}

/* RFC 7323 section 5.3, R3. Not before the ACK has been found acceptable: who forges a segment and guesses its
 * sequence number, but not the ACK (RFC 5961 section 5), could else make all that the peer sends look old. */
static void remember_timestamp(const struct stack *stack, struct conn *conn, const struct arrival *in)
{
	if (!conn->agreed.timestamps || !in->seg.options.has_timestamps || !in->covers_edge)
		return;
	conn->ts_recent = in->seg.options.tsval;
	conn->ts_recent_age_s = (uint32_t)(stack->now.ns / 1000000000);
}

/* TIME-WAIT while the service has not let go yet: a FIN sent again, not one from outside, restarts 2 MSL. */
static enum stack_verdict arrive_time_wait_held(struct stack *stack, struct conn *conn, const struct arrival *in)
{
	if ((in->seg.flags & TCP_FIN) && seq_eq(seq_add(in->seg.seq, tcp_segment_length(&in->seg)), conn->rcv_nxt) &&
	    !fails_paws(stack, conn, &in->seg)) {
		conn->idle_due = instant_add(stack->now, time_wait_length(stack));
		conn_arm(stack, conn);
	}
	return VERDICT_DUPLICATE;
}

/* The same, and a SYN: the service keeps what it holds, but the ports are free for a new incarnation. */
static struct listener *release_ports(struct stack *stack, struct conn *conn, const struct arrival *in)
{
	struct time_wait_past past = { .rcv_nxt = conn->rcv_nxt,
		                       .ts_recent = conn->ts_recent,
		                       .timestamps = conn->agreed.timestamps };
	struct listener *listener = time_wait_taken_over(stack, &past, in);

	if (listener)
		conn_end(stack, conn, CAUSE_RECEIVED_SYN_IN_TIME_WAIT);
	return listener;
}

/* RFC 5961 section 4: whatever its sequence number. */
static enum stack_verdict answer_syn(struct stack *stack, struct conn *conn, const struct arrival *in)
{
	bool again = (in->seg.flags & TCP_ACK) && seq_eq(in->seg.seq, conn->irs) && (conn->flags & CONN_ACTIVE);

	if (again)
		ecn_syn_ack_again(conn, in);
	return reply_challenge_flags(stack, conn, ecn_ack_flags(conn, again));
}

/* The SYN that opened the connection by Fast Open comes again: our answer was lost. */
static enum stack_verdict send_syn_ack_again(struct stack *stack, struct conn *conn)
{
	if (reply_allowed(stack, &conn->challenges)) {
		conn->flags |= CONN_SEND_SYN;
		conn_want_output(stack, conn);
	}
	return VERDICT_DUPLICATE;
}

enum stack_verdict arrive_synchronized(struct stack *stack, struct conn *conn, struct arrival *in)
{
	bool whole = seq_geq(in->seg.seq, conn->rcv_nxt);
	bool syn = in->seg.flags & TCP_SYN;
	uint32_t bytes = in->seg.payload_bytes;
	int result;

	conn->segs_in++;
	in->urgent_end = seq_add(in->seg.seq, in->seg.urgent_pointer); /* before anything is cut off */
	conn->last_speaker = SPEAKER_PEER;
	if (conn->state == TCPS_SYN_RECEIVED && (in->seg.flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK) &&
	    seq_eq(in->seg.seq, conn->irs)) {
		/* Simultaneous open, RFC 9293 figure 8: the SYN is known, its ACK is what is new. And its window,
		 * which is not scaled (RFC 7323 section 2.2) as all that follows will do. */
		in->seg.flags &= (uint16_t)~TCP_SYN;
		in->seg.seq = conn->rcv_nxt;
		in->seg.window = (uint16_t)(in->seg.window >> conn->agreed.snd_wscale);
	}
	if (fastopen_is_pending(conn) && (in->seg.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN &&
	    seq_eq(in->seg.seq, conn->irs))
		return send_syn_ack_again(stack, conn);
	if ((in->seg.flags & TCP_SYN) && conn->state > TCPS_SYN_RECEIVED && !(in->seg.flags & TCP_RST))
		return answer_syn(stack, conn, in);
	result = step1_sequence(stack, conn, in);
	if (result == VERDICT_DUPLICATE && bytes > 0)
		ecn_duplicate(stack, conn);
	if (result != CONTINUE)
		return conn->state == TCPS_TIME_WAIT ? arrive_time_wait_held(stack, conn, in)
		                                     : (enum stack_verdict)result;
	conn->rcv_tos = in->tos;
	ecn_arrived(stack, conn, in, bytes, syn);
	if ((result = step2_reset(stack, conn, in)) != CONTINUE || (result = step3_security()) != CONTINUE ||
	    (result = step4_syn(stack, conn, in)) != CONTINUE || (result = step5_ack(stack, conn, in)) != CONTINUE)
		return (enum stack_verdict)result;
	remember_timestamp(stack, conn, in);
	if ((result = step6_urgent(stack, conn, in)) != CONTINUE ||
	    (result = step7_text(stack, conn, in)) != CONTINUE || (result = step8_fin(stack, conn, in)) != CONTINUE)
		return (enum stack_verdict)result;
	return whole ? VERDICT_ACCEPTED : VERDICT_DUPLICATE;
}

/* ---- SYN-SENT ------------------------------------------------------------------------------------------------ */

/* The handshake's round trip (RFC 6298), unless it is not clear which SYN was answered. */
static void first_round_trip(struct stack *stack, struct conn *conn)
{
	const struct sent *syn = conn->tx->sent.first;

	if (conn->flags & CONN_SYN_RETRANSMITTED)
		conn->rtt.rto = duration_max(conn->rtt.rto, DURATION_S(3)); /* RFC 6298 section 5.7 */
	else if (syn)
		rtt_sample(&conn->rtt, instant_sub(stack->now, syn->at), conn->tcp->rto_min, conn->tcp->rto_max);
}

/* False: no memory; nothing has happened then. */
static bool take_syn(struct stack *stack, struct conn *conn, const struct arrival *in, bool acks_syn)
{
	const struct tcp_segment *seg = &in->seg;
	const struct stack_tcp_config *tcp = conn->tcp;
	struct tcp_agreed agreed = {
		.peer_mss = seg->options.has_mss ? seg->options.mss : conn_mss_default(&conn->node.flow),
		.timestamps = tcp->timestamps && seg->options.has_timestamps,
		.sack = tcp->sack && seg->options.sack_permitted,
		.window_scaling = tcp->window_scaling && seg->options.has_wscale,
		.rcv_wscale = conn->agreed.rcv_wscale,
	};

	if (agreed.window_scaling)
		agreed.snd_wscale = seg->options.wscale > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : seg->options.wscale;
	else
		agreed.rcv_wscale = 0;
	if (!ecn_begin_active(stack, conn, in, &agreed))
		return false;
	conn->irs = seg->seq;
	conn->rcv_nxt = conn->last_ack_sent = conn->autotune_seq = seq_add(seg->seq, 1);
	conn->rcv_adv = seq_add(conn->rcv_nxt, conn->rcvbuf > UINT16_MAX ? UINT16_MAX : conn->rcvbuf);
	conn->ts_recent = agreed.timestamps ? seg->options.tsval : 0;
	conn->ts_recent_age_s = (uint32_t)(stack->now.ns / 1000000000);
	conn->snd_wnd = conn->max_snd_wnd = seg->window; /* never scaled on a SYN */
	conn->snd_wl1 = seg->seq;
	conn->snd_wl2 = seg->ack;
	if (acks_syn) /* before the congestion algorithm begins, which may want to know */
		first_round_trip(stack, conn);
	conn_agree(stack, conn, &agreed);
	if (seg->options.has_user_timeout)
		patience_take_option(stack, conn, &seg->options);
	ecn_syn_marked(conn, in);
	return true;
}

/* Our SYN is acknowledged: it leaves the queue of what is in flight. */
static void syn_acknowledged(struct stack *stack, struct conn *conn, const struct tcp_segment *syn_ack)
{
	struct sent_news news = { 0 };

	sent_acked(&conn->tx->sent, &stack->sents, syn_ack->ack, &news);
	conn->snd_una = syn_ack->ack;
	fastopen_answered(stack, conn, syn_ack);
	conn->backoff = 0;
	conn->flags &= ~(uint32_t)CONN_SEND_SYN;
	conn->rtx_due = INSTANT_NEVER;
	conn->progress_at = stack->now;
	conn->timeouts = 0;
	conn_release_idle_queues(stack, conn);
}

/* RFC 9293 3.10.7.3. */
enum stack_verdict arrive_syn_sent(struct stack *stack, struct conn *conn, struct arrival *in)
{
	const struct tcp_segment *seg = &in->seg;
	bool acks_syn = (seg->flags & TCP_ACK) && seq_gt(seg->ack, conn->iss) && seq_leq(seg->ack, conn->snd_nxt);

	conn->segs_in++;
	conn->last_rcv = stack->now;
	if ((seg->flags & TCP_ACK) && !acks_syn) { /* first */
		if (!(seg->flags & TCP_RST))
			reply_reset(stack, in);
		return VERDICT_DROP_SYN_SENT_ACK;
	}
	if (seg->flags & TCP_RST) { /* second */
		if (!acks_syn)
			return VERDICT_DROP_RST_SEQ;
		conn->last_speaker = SPEAKER_PEER;
		conn_end(stack, conn, CAUSE_RECEIVED_RST_REFUSED);
		return VERDICT_RESET;
	}
	if (!(seg->flags & TCP_SYN)) /* fifth */
		return VERDICT_DROP_SYN_SENT_ACK;
	conn->last_speaker = SPEAKER_PEER; /* fourth */
	if (!take_syn(stack, conn, in, acks_syn))
		return VERDICT_DROP_NO_MEMORY;
	if (!acks_syn) {
		/* Simultaneous open: answer the peer's SYN with ours again, and an ACK. */
		connection_set_state(stack, conn, TCPS_SYN_RECEIVED, CAUSE_RECEIVED_SYN_SIMULTANEOUS);
		conn->flags |= CONN_SEND_SYN;
		conn_want_output(stack, conn);
		return VERDICT_ACCEPTED;
	}
	syn_acknowledged(stack, conn, seg);
	connection_set_state(stack, conn, TCPS_ESTABLISHED, CAUSE_RECEIVED_SYN_ACK);
	COUNT(stack, active_opens);
	conn->flags |=
	        CONN_ACK_NOW | CONN_TELL_TIMEOUT; /* a peer that sent a cookie has forgotten our SYN's options */
	patience_arm(stack, conn);
	conn_want_output(stack, conn);
	conn_tell(stack, conn, READY_CONNECTED | READY_WRITABLE);
	if (conn->flags & CONN_FIN_QUEUED) /* closed while it was opening */
		connection_set_state(stack, conn, TCPS_FIN_WAIT_1, CAUSE_LOCAL_CLOSE);
	return VERDICT_ACCEPTED;
}

/* ---- the way in ---------------------------------------------------------------------------------------------- */

enum stack_verdict tcp_arrives(struct stack *stack, struct arrival *in)
{
	enum record_kind kind;
	struct flow_node *node = demux_find(stack, &in->flow, &kind);
	struct listener *listener;
	struct conn *conn;
	seq_t above;

	count_marks(stack, in);
	if (node) {
		if (kind == RECORD_HALF_OPEN)
			return arrive_half_open(stack, (struct half_open *)node, in);
		if (kind == RECORD_TIME_WAIT)
			return arrive_time_wait(stack, (struct time_wait *)node, in);
		conn = (struct conn *)node;
		if (conn->state == TCPS_SYN_SENT)
			return arrive_syn_sent(stack, conn, in);
		above = conn->snd_nxt;
		if (conn->state == TCPS_TIME_WAIT && (listener = release_ports(stack, conn, in)))
			return arrive_listen(stack, listener, in, above, true);
		return arrive_synchronized(stack, conn, in);
	}
	listener = demux_listener(stack, &in->flow.local, in->flow.local_port);
	if (listener)
		return arrive_listen(stack, listener, in, SEQ(0), false);
	return arrive_closed(stack, in);
}
