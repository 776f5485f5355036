/* TIME-WAIT (RFC 9293 section 3.6.1) in compact records, kept in order of expiry: 2 MSL is the same for all, so a new
 * or restarted one goes to the end; when it is made shorter, all that wait follow (time_wait_shorten). */
#include "core/tcp/engine.h"

struct duration time_wait_length(const struct stack *stack)
{
	const struct stack_tcp_config *tcp = &stack->config.tcp;

	return tcp->time_wait.ns > 0 ? tcp->time_wait : (struct duration){ 2 * tcp->msl.ns };
}

static void enqueue(struct stack *stack, struct time_wait *tw)
{
	tw->due = instant_add(stack->now, time_wait_length(stack));
	tw->newer = POOL_NONE;
	tw->older = stack->time_wait_newest;
	if (tw->older != POOL_NONE)
		((struct time_wait *)pool_at(&stack->time_waits, tw->older))->newer = tw->node.head.slot;
	else
		stack->time_wait_oldest = tw->node.head.slot;
	stack->time_wait_newest = tw->node.head.slot;
}

static void dequeue(struct stack *stack, struct time_wait *tw)
{
	if (tw->older != POOL_NONE)
		((struct time_wait *)pool_at(&stack->time_waits, tw->older))->newer = tw->newer;
	else
		stack->time_wait_oldest = tw->newer;
	if (tw->newer != POOL_NONE)
		((struct time_wait *)pool_at(&stack->time_waits, tw->newer))->older = tw->older;
	else
		stack->time_wait_newest = tw->older;
}

void time_wait_shorten(struct stack *stack)
{
	struct instant latest = instant_add(stack->now, time_wait_length(stack));
	uint32_t slot = stack->time_wait_newest;

	while (slot != POOL_NONE) {
		struct time_wait *tw = pool_at(&stack->time_waits, slot);

		if (tw->due.ns <= latest.ns) /* so are all before it */
			return;
		tw->due = latest;
		slot = tw->older;
	}
}

static struct time_wait *oldest(struct stack *stack)
{
	return stack->time_wait_oldest == POOL_NONE ? NULL : pool_at(&stack->time_waits, stack->time_wait_oldest);
}

void time_wait_free(struct stack *stack, struct time_wait *tw)
{
	dequeue(stack, tw);
	demux_remove(stack, &tw->node, RECORD_TIME_WAIT);
	pool_put(&stack->time_waits, tw);
}

static void send_ack(struct stack *stack, const struct time_wait *tw);

void time_wait_insert(struct stack *stack, const struct conn *conn)
{
	struct time_wait *tw = pool_get(&stack->time_waits);
	int32_t window;

	if (!tw && (tw = oldest(stack))) {
		COUNT(stack, time_wait_evicted);
		time_wait_gone(stack, tw, CAUSE_EVICTED_TIME_WAIT);
		time_wait_free(stack, tw);
		tw = pool_get(&stack->time_waits);
	}
	CORE_ASSERT(tw); /* stack_new has made room for at least one record */
	tw->node.flow = conn->node.flow;
	tw->id = conn->id;
	tw->snd_nxt = conn->snd_nxt;
	tw->rcv_nxt = conn->rcv_nxt;
	tw->ts_recent = conn->ts_recent;
	tw->timestamps = conn->agreed.timestamps;
	tw->ecn_flags = ecn_ack_flags(conn, false);
	window = seq_diff(conn->rcv_adv, conn->rcv_nxt); /* the FIN may lie beyond what was offered */
	window = window > 0 ? window >> conn->agreed.rcv_wscale : 0;
	tw->window = (uint16_t)(window > UINT16_MAX ? UINT16_MAX : window);
	tw->service = conn->service;
	tw->congestion = conn->congestion->id;
	tw->index = conn->index;
	tw->flags = (uint8_t)((conn->flags & CONN_ACTIVE ? JOURNAL_ACTIVE : 0) |
	                      (conn->flags & CONN_COOKIE ? JOURNAL_COOKIE : 0));
	enqueue(stack, tw);
	demux_insert(stack, &tw->node, RECORD_TIME_WAIT);
	if (conn->flags & (CONN_ACK_NOW | CONN_ACK_DELAYED))
		send_ack(stack, tw);
}

void time_wait_timers(struct stack *stack, int *budget)
{
	struct time_wait *tw;

	while (*budget > 0 && (tw = oldest(stack)) && instant_reached(tw->due, stack->now)) {
		time_wait_gone(stack, tw, CAUSE_TIMEOUT_2MSL);
		time_wait_free(stack, tw);
		(*budget)--;
	}
}

static void send_ack(struct stack *stack, const struct time_wait *tw)
{
	struct tcp_segment ack = {
		.seq = tw->snd_nxt,
		.ack = tw->rcv_nxt,
		.flags = TCP_ACK | tw->ecn_flags,
		.window = tw->window,
	};

	if (tw->timestamps) {
		ack.options.has_timestamps = true;
		ack.options.tsval = tcp_clock_ms(stack) + secrets_timestamp_offset(stack, &tw->node.flow);
		ack.options.tsecr = tw->ts_recent;
	}
	reply_segment(stack, reply_tunables(stack, &tw->node.flow), &tw->node.flow, &ack);
}

/* RFC 6191 section 2, RFC 9293 MAY-2: may this SYN begin a new incarnation? Where both have timestamps these tell the
 * old one's segments from the new one's; where only the new one has, the option itself does; else sequence numbers.
 */
static bool syn_is_new(const struct time_wait_past *past, const struct tcp_segment *syn, bool timestamps)
{
	int32_t newer = (int32_t)(syn->options.tsval - past->ts_recent);

	if (timestamps && !past->timestamps)
		return true;
	if (timestamps && newer != 0)
		return newer > 0;
	return seq_gt(syn->seq, past->rcv_nxt);
}

struct listener *time_wait_taken_over(struct stack *stack, const struct time_wait_past *past,
                                      const struct arrival *in)
{
	struct listener *listener;

	if ((in->seg.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_SYN)
		return NULL;
	listener = demux_listener(stack, &in->flow.local, in->flow.local_port);
	if (!listener || !syn_is_new(past, &in->seg, listener->tcp->timestamps && in->seg.options.has_timestamps))
		return NULL;
	return half_open_admits(stack, listener) == VERDICT_ACCEPTED ? listener : NULL;
}

static bool fails_paws(const struct time_wait *tw, const struct tcp_segment *seg)
{
	return tw->timestamps && seg->options.has_timestamps && (int32_t)(seg->options.tsval - tw->ts_recent) < 0;
}

/* The peer's FIN once more, and not an old copy of it: our ACK of it was lost. */
static bool is_fin_again(const struct time_wait *tw, const struct tcp_segment *seg)
{
	return (seg->flags & TCP_FIN) && seq_eq(seq_add(seg->seq, tcp_segment_length(seg)), tw->rcv_nxt) &&
	       !fails_paws(tw, seg);
}

/* RFC 7323 section 5.3, R3. */
static void remember_timestamp(struct time_wait *tw, const struct tcp_segment *seg)
{
	if (tw->timestamps && seg->options.has_timestamps && !fails_paws(tw, seg) && (seg->flags & TCP_ACK) &&
	    seq_eq(seg->ack, tw->snd_nxt))
		tw->ts_recent = seg->options.tsval;
}

/* RFC 9293 3.10.7.4 for TIME-WAIT, with RFC 1337: a reset does not end it. */
enum stack_verdict arrive_time_wait(struct stack *stack, struct time_wait *tw, struct arrival *in)
{
	struct time_wait_past past = { .rcv_nxt = tw->rcv_nxt,
		                       .ts_recent = tw->ts_recent,
		                       .timestamps = tw->timestamps };
	const struct tcp_segment *seg = &in->seg;
	seq_t above = tw->snd_nxt;
	struct listener *listener;

	if (seg->flags & TCP_RST)
		return VERDICT_DROP_RST_SEQ;
	listener = time_wait_taken_over(stack, &past, in);
	if (listener) {
		time_wait_gone(stack, tw, CAUSE_RECEIVED_SYN_IN_TIME_WAIT);
		time_wait_free(stack, tw);
		return arrive_listen(stack, listener, in, above, true);
	}
	if (is_fin_again(tw, seg)) {
		dequeue(stack, tw);
		enqueue(stack, tw);
	} else if (tcp_segment_length(seg) == 0 && seq_eq(seg->seq, tw->rcv_nxt)) {
		remember_timestamp(tw, seg);
		return VERDICT_DUPLICATE; /* a late ACK asks for no answer */
	}
	if (!reply_allowed(stack, &tw->challenges))
		return VERDICT_CHALLENGE_ACK_LIMITED;
	send_ack(stack, tw);
	return VERDICT_TIME_WAIT_ACK;
}
