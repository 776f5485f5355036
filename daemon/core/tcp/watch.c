/* What the stack thinks of frames, told to the host that watches (stack.h). Nothing of it costs more than a branch a
 * frame while nobody does. */
#include "core/tcp/engine.h"
#include "core/wire/bytes.h"
#include "core/wire/ipv6.h"

void stack_set_watch(struct stack *stack, struct stack_watch *watch)
{
	stack->watch = watch;
}

static void view_conn(const struct conn *conn, struct stack_view *view)
{
	view->connection_id = conn->id;
	view->state = conn->state;
	view->service = conn->service;
	view->congestion = conn->congestion->id;
	view->compact = false;
	view->iss = conn->iss.v;
	view->irs = conn->irs.v;
	view->snd_una = conn->snd_una.v;
	view->snd_nxt = conn->snd_nxt.v;
	view->rcv_nxt = conn->rcv_nxt.v;
	view->snd_wnd = conn->snd_wnd;
	view->rcv_wnd = seq_gt(conn->rcv_adv, conn->rcv_nxt) ? (uint32_t)seq_diff(conn->rcv_adv, conn->rcv_nxt) : 0;
	view->retransmits = conn->retransmits;
	view->cwnd_bytes = conn->cwnd;
	view->ssthresh_bytes = conn->ssthresh == UINT32_MAX ? UINT64_MAX : conn->ssthresh;
	view->inflight_bytes = conn->tx ? congestion_pipe(conn) : 0;
	view->pacing_bytes_per_s = congestion_pacing(conn);
	view->srtt_ns = conn->rtt.srtt.ns;
}

static void view_half_open(const struct stack *stack, const struct half_open *half, struct stack_view *view)
{
	const struct listener *listener = pool_at(&stack->listeners, half->listener_slot);

	view->connection_id = half->id;
	view->state = TCPS_SYN_RECEIVED;
	view->service = listener->options.service;
	view->congestion = choice_of_half_open(stack, half)->id;
	view->compact = true;
	view->iss = view->snd_una = half->iss.v;
	view->snd_nxt = half->iss.v + 1;
	view->irs = half->irs.v;
	view->rcv_nxt = half->irs.v + 1;
	view->snd_wnd = half->snd_wnd;
	view->rcv_wnd = half->rcv_wnd;
	view->retransmits = half->retransmits;
}

static void view_time_wait(const struct time_wait *tw, struct stack_view *view)
{
	view->connection_id = tw->id;
	view->state = TCPS_TIME_WAIT;
	view->service = tw->service;
	view->congestion = tw->congestion;
	view->compact = true;
	view->snd_una = view->snd_nxt = tw->snd_nxt.v;
	view->rcv_nxt = tw->rcv_nxt.v;
}

/* All that is known of `flow` now. */
static void view_flow(struct stack *stack, const struct flow *flow, struct stack_view *view)
{
	enum record_kind kind;
	const struct flow_node *node = demux_find(stack, flow, &kind);

	*view = (struct stack_view){ .is_segment = true, .flow = *flow };
	if (!node)
		view->state = demux_listener(stack, &flow->local, flow->local_port) ? TCPS_LISTEN : TCPS_CLOSED;
	else if (kind == RECORD_CONN)
		view_conn((const struct conn *)node, view);
	else if (kind == RECORD_HALF_OPEN)
		view_half_open(stack, (const struct half_open *)node, view);
	else
		view_time_wait((const struct time_wait *)node, view);
	view->state_before = view->state;
}

void watch_begins(struct stack *stack)
{
	stack->watch->in = (struct stack_view){ 0 };
}

void watch_arrives(struct stack *stack, const struct flow *flow)
{
	if (stack->watch)
		view_flow(stack, flow, &stack->watch->in);
}

void watch_judged(struct stack *stack, enum stack_verdict verdict)
{
	struct stack_view *view = &stack->watch->in, after;

	if (view->is_segment) {
		view_flow(stack, &view->flow, &after);
		after.state_before = view->state;
		if (after.connection_id != 0 || view->connection_id == 0)
			*view = after;
		else
			view->state = TCPS_CLOSED; /* it ended its connection: the variables as they were last */
	}
	view->verdict = (uint8_t)verdict;
}

void watch_sent(const struct conn *conn, uint8_t state_before, struct stack_view *ret_view)
{
	*ret_view = (struct stack_view){ .is_segment = true, .flow = conn->node.flow, .state_before = state_before };
	view_conn(conn, ret_view);
}

void watch_reply(struct stack *stack, const struct flow *flow, struct raw_frame *frame)
{
	struct stack_view view;

	view_flow(stack, flow, &view);
	frame->is_segment = true;
	frame->connection_id = view.connection_id;
	frame->state = view.state;
}

/* Of a segment that the stack itself has written. */
static struct flow flow_of(const struct raw_frame *frame)
{
	const uint8_t *ip = frame->bytes + ETHERNET_HEADER_BYTES;
	struct flow flow = { .remote = frame->destination };

	if (ip_addr_is_v4(&flow.remote)) {
		flow.local = ip_addr_v4(load32(ip + 12));
		ip += IPV4_HEADER_BYTES;
	} else {
		memcpy(flow.local.b, ip + 8, sizeof(flow.local.b));
		ip += IPV6_HEADER_BYTES;
	}
	flow.local_port = load16(ip);
	flow.remote_port = load16(ip + 2);
	return flow;
}

void watch_emitted(struct stack *stack, const struct raw_frame *frame, struct stack_view *ret_view)
{
	struct flow flow;

	*ret_view = (struct stack_view){ 0 };
	if (!frame->is_segment)
		return;
	flow = flow_of(frame);
	view_flow(stack, &flow, ret_view);
	if (ret_view->connection_id != frame->connection_id)
		*ret_view = (struct stack_view){ .is_segment = true,
			                         .compact = true,
			                         .flow = flow,
			                         .connection_id = frame->connection_id,
			                         .state = frame->connection_id != 0 ? TCPS_CLOSED : frame->state };
	ret_view->state_before = frame->state;
}
