/* Half-open connections: SYN-RECEIVED after a passive open, in records small enough that a flood of SYNs costs
 * little. When there are too many, SYN cookies need no record at all (RFC 4987 section 3.6). */
#include "core/tcp/engine.h"

static struct listener *listener_of(const struct stack *stack, const struct half_open *half)
{
	return pool_at(&stack->listeners, half->listener_slot);
}

void half_open_free(struct stack *stack, struct half_open *half)
{
	listener_of(stack, half)->half_open--;
	wheel_cancel(&stack->half_open_wheel, &half->timer);
	demux_remove(stack, &half->node, RECORD_HALF_OPEN);
	pool_put(&stack->half_opens, half);
}

static void arm(struct stack *stack, struct half_open *half)
{
	const struct stack_tcp_config *tcp = listener_of(stack, half)->tcp;
	struct instant end = instant_add(half->opened, tcp->half_open_timeout); /* when it gives up */
	struct rtt_estimator unmeasured;

	rtt_init(&unmeasured, tcp->rto_initial);
	wheel_set(&stack->half_open_wheel, &half->timer,
	          instant_min(instant_add(stack->now, rtt_backed_off(&unmeasured, half->retransmits, tcp->rto_max)),
	                      end));
}

/* Never scaled on a SYN: RFC 7323 section 2.2. */
uint16_t half_open_window(const struct stack_tcp_config *tcp)
{
	return (uint16_t)(tcp->rcvbuf_initial_bytes > UINT16_MAX ? UINT16_MAX : tcp->rcvbuf_initial_bytes);
}

static void fill_syn_ack(const struct stack *stack, const struct stack_tcp_config *tcp, const struct flow *flow,
                         struct tcp_segment *syn_ack, const struct tcp_agreed *agreed)
{
	syn_ack->flags = TCP_SYN | TCP_ACK;
	syn_ack->options.has_mss = true;
	syn_ack->options.mss = conn_mss_offer(stack, tcp, flow);
	syn_ack->options.sack_permitted = agreed->sack;
	syn_ack->options.has_wscale = agreed->window_scaling;
	syn_ack->options.wscale = agreed->rcv_wscale;
	syn_ack->options.has_timestamps = agreed->timestamps;
	patience_fill_option(tcp, &syn_ack->options);
}

void half_open_send_syn_ack(struct stack *stack, struct half_open *half)
{
	const struct stack_tcp_config *tcp = listener_of(stack, half)->tcp;
	struct tcp_segment syn_ack = { .seq = half->iss, .ack = seq_add(half->irs, 1), .window = half->rcv_wnd };

	fill_syn_ack(stack, tcp, &half->node.flow, &syn_ack, &half->agreed);
	ecn_fill_syn_ack(&half->agreed, half->retransmits, half->resent, &syn_ack);
	syn_ack.options.tsval = tcp_clock_ms(stack) + secrets_timestamp_offset(stack, &half->node.flow);
	syn_ack.options.tsecr = half->ts_recent;
	if (half->fastopen)
		fastopen_give(stack, &half->node.flow, &syn_ack.options);
	reply_segment(stack, tcp, &half->node.flow, &syn_ack);
}

static bool gives_up(const struct stack *stack, const struct half_open *half)
{
	const struct stack_tcp_config *tcp = listener_of(stack, half)->tcp;

	return instant_reached(instant_add(half->opened, tcp->half_open_timeout), stack->now) ||
	       (tcp->syn_ack_retries_max > 0 && half->retransmits >= tcp->syn_ack_retries_max);
}

void half_open_timers(struct stack *stack, int *budget)
{
	struct timer *timer;

	while (*budget > 0 && (timer = wheel_pop(&stack->half_open_wheel, stack->now))) {
		struct half_open *half = CONTAINER_OF(timer, struct half_open, timer);

		(*budget)--;
		if (gives_up(stack, half)) {
			half_open_gone(stack, half, CAUSE_TIMEOUT_SYN);
			half_open_free(stack, half);
			continue;
		}
		half->retransmits++;
		half->resent = true;
		COUNT(stack, retransmitted_segments);
		half_open_send_syn_ack(stack, half);
		arm(stack, half);
	}
}

/* As configured, or the shift that lets the window field reach as far as auto-tuning may go. */
uint8_t window_scale(const struct stack_tcp_config *tcp)
{
	uint8_t shift = 0;

	if (tcp->window_scale != STACK_WSCALE_AUTO)
		return tcp->window_scale;
	while (tcp->rcvbuf_max_bytes >> shift > UINT16_MAX && shift < TCP_WSCALE_MAX)
		shift++;
	return shift;
}

/* What our side makes of the options on a SYN. */
static void agree(const struct stack_tcp_config *tcp, const struct arrival *in, struct tcp_agreed *ret_agreed)
{
	const struct tcp_segment *syn = &in->seg;

	*ret_agreed = (struct tcp_agreed){
		.peer_mss = syn->options.has_mss ? syn->options.mss : conn_mss_default(&in->flow),
		.timestamps = tcp->timestamps && syn->options.has_timestamps,
		.sack = tcp->sack && syn->options.sack_permitted,
		.window_scaling = tcp->window_scaling && syn->options.has_wscale,
	};
	ecn_agree(tcp, in, ret_agreed);
	if (ret_agreed->window_scaling) {
		ret_agreed->snd_wscale = syn->options.wscale > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : syn->options.wscale;
		ret_agreed->rcv_wscale = window_scale(tcp);
	}
}

/* Options live in the low bits of the timestamp that the peer will echo: 4 bits of its window scale (15: none), one
 * of SACK and one of ECN. Without timestamps they are given up; AccECN shows in the ACK itself (RFC 9768 section
 * 5.1). */
#define COOKIE_TS_BITS 6

/* What the echo of this timestamp tells. It is hashed into the cookie: the echo of any other segment's timestamp,
 * when the connection has been forgotten again, would tell of options that nobody has agreed on. Our own window scale
 * finds no place there, so that a cookie is void when it has been tuned since: the peer goes by the old one. */
static uint32_t cookie_told(const struct stack_tcp_config *tcp, bool has_timestamps, uint32_t ts)
{
	uint32_t told = ts & ((1u << COOKIE_TS_BITS) - 1);

	if (!has_timestamps)
		return 0;
	if ((ts & 15) != 15)
		told |= (uint32_t)window_scale(tcp) << (COOKIE_TS_BITS + 1);
	return 1u << COOKIE_TS_BITS | told;
}

static enum stack_verdict send_cookie(struct stack *stack, const struct stack_tcp_config *tcp, struct arrival *in,
                                      const struct tcp_agreed *wanted)
{
	struct tcp_agreed agreed = *wanted;
	struct tcp_segment syn_ack = { .ack = seq_add(in->seg.seq, 1), .window = half_open_window(tcp) };
	uint32_t ts = tcp_clock_ms(stack) + secrets_timestamp_offset(stack, &in->flow), now;

	if (!agreed.timestamps) {
		agreed.sack = agreed.window_scaling = false;
		if (agreed.ecn == ECN_CLASSIC)
			agreed.ecn = ECN_NONE;
	}
	fill_syn_ack(stack, tcp, &in->flow, &syn_ack, &agreed);
	ecn_fill_syn_ack(&agreed, 0, false, &syn_ack);
	now = ts;
	ts = (ts & ~((1u << COOKIE_TS_BITS) - 1)) | (agreed.window_scaling ? agreed.snd_wscale : 15u) |
	     (agreed.sack ? 16u : 0) | (agreed.ecn == ECN_CLASSIC ? 32u : 0);
	if ((int32_t)(ts - now) > 0) /* never ahead of the clock: the next segment would look old */
		ts -= 1u << COOKIE_TS_BITS;
	syn_ack.seq = secrets_cookie(stack, &in->flow, in->seg.seq, agreed.peer_mss,
	                             cookie_told(tcp, agreed.timestamps, ts));
	syn_ack.options.tsval = ts;
	syn_ack.options.tsecr = in->seg.options.tsval;
	stack->cookie_sent_at = stack->now;
	COUNT(stack, cookies_sent);
	reply_segment(stack, tcp, &in->flow, &syn_ack);
	return VERDICT_COOKIE_SENT;
}

enum stack_verdict half_open_admits(const struct stack *stack, const struct listener *listener)
{
	/* A handshake that could not be completed is better not begun. */
	if (stack->conns.used >= stack->conns.limit || listener->accept_queue >= listener->options.backlog)
		return VERDICT_DROP_BACKLOG;
	if (!journal_admits(stack, TCPS_SYN_RECEIVED))
		return VERDICT_DROP_JOURNAL_FULL;
	if (listener->half_open + listener->accept_queue >= listener->options.backlog ||
	    stack->half_opens.used >= stack->config.half_open_max)
		return stack->config.tcp.syn_cookies ? VERDICT_COOKIE_SENT : VERDICT_DROP_BACKLOG;
	return VERDICT_ACCEPTED;
}

/* RFC 9293 3.10.7.2, third: a SYN for a listener. */
static enum stack_verdict accept_syn(struct stack *stack, struct listener *listener, struct arrival *in, seq_t iss)
{
	enum stack_verdict verdict = half_open_admits(stack, listener);
	struct tcp_agreed agreed;
	struct half_open *half;
	int opened;
	bool give;

	agree(listener->tcp, in, &agreed);
	if (verdict == VERDICT_COOKIE_SENT)
		return send_cookie(stack, listener->tcp, in, &agreed);
	if (verdict != VERDICT_ACCEPTED)
		return verdict;
	opened = fastopen_arrives(stack, listener, in, &agreed, iss, &give);
	if (opened != CONTINUE)
		return (enum stack_verdict)opened;
	half = pool_get(&stack->half_opens);
	if (!half) {
		COUNT(stack, alloc_failures);
		return VERDICT_DROP_NO_MEMORY;
	}
	half->node.flow = in->flow;
	half->id = stack->next_id;
	stack->next_id += stack->config.connection_id_step;
	half->opened = stack->now;
	half->iss = iss;
	half->irs = in->seg.seq;
	half->ts_recent = agreed.timestamps ? in->seg.options.tsval : 0;
	half->snd_wnd = in->seg.window;
	half->rcv_wnd = half_open_window(listener->tcp);
	half->listener_slot = listener->head.slot;
	half->agreed = agreed;
	half->fastopen = give;
	listener->half_open++;
	demux_insert(stack, &half->node, RECORD_HALF_OPEN);
	half_open_born(stack, half, CAUSE_RECEIVED_SYN);
	half_open_send_syn_ack(stack, half);
	arm(stack, half);
	return VERDICT_ACCEPTED;
}

/* A connection in SYN-RECEIVED with all that the handshake told, about to be ESTABLISHED. */
struct conn *half_open_establish(struct stack *stack, struct listener *listener, const struct half_open *half)
{
	struct conn *conn = conn_new(stack, &half->node.flow, choice_of_half_open(stack, half), listener->tcp);

	if (!conn)
		return NULL;
	conn->id = half->id;
	conn->opened = half->opened;
	conn->service = listener->options.service;
	conn->listener_slot = listener->head.slot;
	conn->flags |= listener->options.nodelay ? CONN_NODELAY : 0;
	conn->iss = half->iss;
	conn->snd_una = conn->snd_nxt = conn->snd_end = seq_add(half->iss, 1);
	conn->recover = half->iss;
	conn->irs = half->irs;
	conn->rcv_nxt = conn->last_ack_sent = conn->autotune_seq = seq_add(half->irs, 1);
	conn->rcv_adv = seq_add(conn->rcv_nxt, half->rcv_wnd);
	conn->snd_wnd = conn->max_snd_wnd = half->snd_wnd;
	conn->snd_wl1 = half->irs;
	conn->snd_wl2 = conn->snd_una;
	conn->ts_recent = half->ts_recent;
	conn->ts_recent_age_s = (uint32_t)(stack->now.ns / 1000000000);
	conn->segs_in = 1;
	conn->segs_out = 1u + half->retransmits;
	conn->retransmits = half->retransmits;
	conn->last_speaker = SPEAKER_PEER;
	if (half->retransmits > 0) {
		conn->flags |= CONN_SYN_RETRANSMITTED;
		conn->rtt.rto = duration_max(conn->rtt.rto, DURATION_S(3)); /* RFC 6298 section 5.7 */
	} else if (!half->resent) {
		rtt_sample(&conn->rtt, instant_sub(stack->now, half->opened), conn->tcp->rto_min, conn->tcp->rto_max);
	}
	conn_agree(stack, conn, &half->agreed);
	if (!ecn_begin_passive(stack, conn)) {
		conn_free(stack, conn);
		return NULL;
	}
	connection_take_over(conn, half);
	return conn;
}

void half_open_announce(struct stack *stack, struct listener *listener, struct conn *conn)
{
	demux_insert(stack, &conn->node, RECORD_CONN);
	conn->flags &= ~(uint32_t)CONN_NOT_HASHED;
	listener->accept_queue++;
	conn->flags |= CONN_ACCEPT_PENDING;
	conn_tell(stack, conn, READY_ACCEPTED);
}

static void become_established(struct stack *stack, struct listener *listener, struct conn *conn)
{
	connection_set_state(stack, conn, TCPS_ESTABLISHED, CAUSE_RECEIVED_ACK_OF_SYN);
	COUNT(stack, passive_opens);
	patience_arm(stack, conn);
	half_open_announce(stack, listener, conn);
}

struct conn *half_open_promote(struct stack *stack, struct half_open *half, enum stack_verdict *ret_verdict)
{
	struct listener *listener = listener_of(stack, half);
	struct conn *conn;

	if (listener->accept_queue >= listener->options.backlog) {
		*ret_verdict = VERDICT_DROP_BACKLOG;
		return NULL;
	}
	conn = half_open_establish(stack, listener, half);
	if (!conn) {
		*ret_verdict =
		        stack->conns.used >= stack->conns.limit ? VERDICT_DROP_BACKLOG : VERDICT_DROP_NO_MEMORY;
		return NULL;
	}
	half_open_free(stack, half);
	become_established(stack, listener, conn);
	return conn;
}

/* What an ACK tells of the SYN that its cookie answered. */
static bool read_cookie(struct stack *stack, const struct stack_tcp_config *tcp, struct arrival *in,
                        struct half_open *half)
{
	const struct tcp_segment *seg = &in->seg;
	struct tcp_agreed *agreed = &half->agreed;
	uint32_t ts = seg->options.tsecr;

	half->iss = seq_sub(seg->ack, 1);
	half->irs = seq_sub(seg->seq, 1);
	half->rcv_wnd = half_open_window(tcp);
	if (!secrets_cookie_check(stack, &in->flow, half->irs, half->iss,
	                          cookie_told(tcp, seg->options.has_timestamps, ts), &agreed->peer_mss))
		return false;
	/* All this was promised with the cookie, whatever has been tuned meanwhile. */
	agreed->timestamps = seg->options.has_timestamps;
	if (agreed->timestamps) {
		half->ts_recent = seg->options.tsval;
		agreed->sack = ts & 16;
		agreed->window_scaling = (ts & 15) != 15;
		agreed->ecn = ts & 32 ? ECN_CLASSIC : ECN_NONE;
	}
	if (agreed->window_scaling) {
		agreed->snd_wscale = ts & 15;
		agreed->rcv_wscale = window_scale(tcp);
	}
	if (tcp->ecn != STACK_ECN_OFF && tcp->accecn && agreed->ecn == ECN_NONE && accecn_ace(seg->flags) >= 2)
		agreed->ecn = ECN_ACCURATE;
	return true;
}

static bool cookies_are_out(const struct stack *stack)
{
	return stack->cookie_sent_at.ns > 0 &&
	       instant_sub(stack->now, stack->cookie_sent_at).ns <= DURATION_S(192).ns;
}

/* Only the first segment after the SYN can be told by its cookie. One with text or a FIN that looks like a later one,
 * the first being lost, gets no RST, which would end a good connection: its peer begins again with what was lost. */
static bool came_too_early(const struct stack *stack, const struct tcp_segment *seg)
{
	return tcp_segment_length(seg) > 0 && secrets_cookie_is_current(stack, seq_sub(seg->ack, 1));
}

/* An ACK for which there is no (fitting) record: perhaps a cookie comes back. CONTINUE: none does; else what became
 * of it. When there is no room for the connection nothing is answered: the peer, which believes in it, tries again.
 */
static int accept_cookie(struct stack *stack, struct listener *listener, struct arrival *in)
{
	struct half_open half = {
		.node.flow = in->flow,
		.opened = stack->now,
		.listener_slot = listener->head.slot,
		.resent = true, /* for all we know */
	};
	struct conn *conn;

	if (!cookies_are_out(stack) || (in->seg.flags & TCP_SYN))
		return CONTINUE;
	if (!read_cookie(stack, listener->tcp, in, &half))
		return came_too_early(stack, &in->seg) ? VERDICT_DROP_LISTEN : CONTINUE;
	if (listener->accept_queue >= listener->options.backlog)
		return VERDICT_DROP_BACKLOG;
	if (!journal_admits(stack, TCPS_SYN_RECEIVED))
		return VERDICT_DROP_JOURNAL_FULL;
	conn = half_open_establish(stack, listener, &half);
	if (!conn)
		return VERDICT_DROP_NO_MEMORY;
	conn->id = half.id = stack->next_id;
	conn->snd_wnd = conn->max_snd_wnd = (uint32_t)in->seg.window << conn->agreed.snd_wscale;
	stack->next_id += stack->config.connection_id_step;
	half_open_born(stack, &half, CAUSE_RECEIVED_COOKIE);
	conn->index = half.index;
	conn->flags |= CONN_COOKIE;
	become_established(stack, listener, conn);
	COUNT(stack, cookies_received);
	return arrive_synchronized(stack, conn, in);
}

/* RFC 9293 3.10.7.2. `iss_above`: the incarnation before must not be confused with the new one (RFC 6191). */
enum stack_verdict arrive_listen(struct stack *stack, struct listener *listener, struct arrival *in, seq_t iss_above,
                                 bool has_iss_above)
{
	const struct tcp_segment *seg = &in->seg;
	int verdict;
	seq_t iss;

	if (seg->flags & TCP_RST) /* first */
		return VERDICT_DROP_RST_NO_CONNECTION;
	if (seg->flags & TCP_ACK) { /* second */
		verdict = accept_cookie(stack, listener, in);
		if (verdict != CONTINUE)
			return (enum stack_verdict)verdict;
		reply_reset(stack, in);
		return VERDICT_DROP_LISTEN;
	}
	if (!(seg->flags & TCP_SYN) || (seg->flags & TCP_FIN)) /* third, fourth; SYN with FIN is nobody's */
		return VERDICT_DROP_LISTEN;
	iss = secrets_isn(stack, &in->flow);
	if (has_iss_above && seq_leq(iss, iss_above))
		iss = seq_add(iss_above, UINT16_MAX);
	return accept_syn(stack, listener, in, iss);
}

/* An ACK of something that this record did not send: refused, unless it brings a cookie that went out when the record
 * did not exist yet (a delayed duplicate of the SYN made it). */
static enum stack_verdict wrong_ack(struct stack *stack, struct half_open *half, struct arrival *in)
{
	struct half_open cookie = { .node.flow = in->flow };

	struct listener *listener = listener_of(stack, half);

	if (stack->cookie_sent_at.ns > 0 && read_cookie(stack, listener->tcp, in, &cookie)) {
		int verdict;

		COUNT(stack, half_open_evicted);
		half_open_gone(stack, half, CAUSE_EVICTED_HALF_OPEN);
		half_open_free(stack, half);
		verdict = accept_cookie(stack, listener, in);
		if (verdict != CONTINUE)
			return (enum stack_verdict)verdict;
	}
	reply_reset(stack, in);
	return VERDICT_DROP_ACK_UNSENT;
}

/* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> */
static enum stack_verdict challenge(struct stack *stack, struct half_open *half)
{
	struct tcp_segment ack = {
		.seq = seq_add(half->iss, 1),
		.ack = seq_add(half->irs, 1),
		.flags = TCP_ACK,
		.window = (uint16_t)(half->rcv_wnd >> half->agreed.rcv_wscale),
	};

	if (!reply_allowed(stack, &half->challenges))
		return VERDICT_CHALLENGE_ACK_LIMITED;
	if (half->agreed.ecn == ECN_ACCURATE)
		ack.flags |= accecn_ace_flags(ACCECN_CEP_INITIAL);
	ack.options.has_timestamps = half->agreed.timestamps;
	ack.options.tsval = tcp_clock_ms(stack) + secrets_timestamp_offset(stack, &half->node.flow);
	ack.options.tsecr = half->ts_recent;
	reply_segment(stack, listener_of(stack, half)->tcp, &half->node.flow, &ack);
	return VERDICT_CHALLENGE_ACK;
}

/* RFC 9293 3.10.7.4 for SYN-RECEIVED after a passive open. */
enum stack_verdict arrive_half_open(struct stack *stack, struct half_open *half, struct arrival *in)
{
	const struct tcp_segment *seg = &in->seg;
	seq_t rcv_nxt = seq_add(half->irs, 1);
	int32_t offset = seq_diff(seg->seq, rcv_nxt);
	enum stack_verdict verdict;
	struct conn *conn;

	/* The same SYN again: our answer was lost. */
	if ((seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN && seq_eq(seg->seq, half->irs)) {
		half->resent = true;
		if (!ecn_syn_again(listener_of(stack, half)->tcp, in, &half->agreed)) {
			reply_reset(stack, in);
			half_open_gone(stack, half, CAUSE_ECN_CONFLICT);
			half_open_free(stack, half);
			return VERDICT_RESET;
		}
		if (reply_allowed(stack, &half->challenges))
			half_open_send_syn_ack(stack, half);
		return VERDICT_DUPLICATE;
	}
	/* step 1 */
	if (half->agreed.timestamps && !(seg->flags & TCP_RST)) {
		if (!seg->options.has_timestamps)
			return VERDICT_DROP_PAWS; /* RFC 7323 section 3.2: silently */
		if ((int32_t)(seg->options.tsval - half->ts_recent) < 0) {
			challenge(stack, half); /* RFC 7323 section 5.3, R1 */
			return VERDICT_DROP_PAWS;
		}
	}
	if (offset < 0 || (offset > 0 && (uint32_t)offset >= half->rcv_wnd)) {
		if (!(seg->flags & TCP_RST))
			challenge(stack, half);
		return VERDICT_DROP_OUT_OF_WINDOW;
	}
	/* step 2 */
	if (seg->flags & TCP_RST) {
		if (offset != 0) /* RFC 5961 section 3.2 */
			return challenge(stack, half);
		half_open_gone(stack, half, CAUSE_RECEIVED_RST);
		half_open_free(stack, half);
		return VERDICT_RESET;
	}
	/* step 4 */
	if (seg->flags & TCP_SYN)
		return challenge(stack, half);
	/* step 5 */
	if (!(seg->flags & TCP_ACK))
		return VERDICT_DROP_NO_ACK;
	if (!seq_eq(seg->ack, seq_add(half->iss, 1)))
		return wrong_ack(stack, half, in);
	conn = half_open_promote(stack, half, &verdict);
	return conn ? arrive_synchronized(stack, conn, in) : verdict;
}
