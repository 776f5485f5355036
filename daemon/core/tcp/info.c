/* Looking in: snapshots of records, walks over them, counters and gauges. */
#include "core/tcp/engine.h"

#include <errno.h>

/* A clock of 32 bits in ms, when it showed `then`. Right for 49 days. */
static struct instant at_ms(const struct stack *stack, uint32_t then)
{
	return (struct instant){ stack->now.ns - (int64_t)(tcp_clock_ms(stack) - then) * 1000000 };
}

/* What Linux's struct tcp_info has beside the variables of the protocol, and what we have beside that. */
static void fill_observations(const struct stack *stack, const struct conn *conn, struct stack_conn_info *info)
{
	const struct conn_extra *extra = conn->extra;
	const struct send_queue *tx = conn->tx;
	int64_t urgent = stack_urgent(stack, info->handle);

	info->last_data_rcv = conn->data_segs_in > 0 ? at_ms(stack, conn->last_data_rcv_ms) : (struct instant){ 0 };
	info->rcv_mss = conn->rcv_mss;
	info->rcv_space = conn->rx ? (uint32_t)seq_diff(conn->rx->read, conn->autotune_seq) : 0;
	info->probes = conn->flags & CONN_PERSIST ? conn->backoff : conn->keepalive_probes;
	info->urgent_left = urgent > 0 ? (uint32_t)urgent : 0;
	info->dscp = conn->tcp->dscp;
	info->rcv_dscp = conn->rcv_tos >> 2;
	info->ato = conn->tcp->delayed_ack;
	info->rcv_rtt.ns = conn->rcv_rtt_us * 1000LL;
	info->busy_time.ns = (int64_t)conn->busy_ticks << CHRONO_TICK_LOG2;
	info->user_timeout = patience_user_timeout(conn);
	info->keepalive_left = patience_keepalive_left(stack, conn);
	info->max_pacing_rate = conn->tcp->pacing_max_bytes_per_s;
	if (extra) {
		info->rcv_ooopack = extra->rcv_ooopack;
		info->icmp_errors = extra->soft_error.count;
		info->icmp_type = extra->soft_error.type;
		info->icmp_code = extra->soft_error.code;
		info->rwnd_limited = extra->limited[CHRONO_RWND];
		info->sndbuf_limited = extra->limited[CHRONO_SNDBUF];
	}
	if (tx) {
		info->delivery_rate = rate_bytes_per_s(&tx->rate_sample);
		info->delivery_app_limited = tx->rate_sample.app_limited;
		info->busy_time.ns += instant_sub(stack->now, tx->chrono.busy_since).ns;
		info->rwnd_limited.ns += chrono_limited(&tx->chrono, CHRONO_RWND, stack->now).ns;
		info->sndbuf_limited.ns += chrono_limited(&tx->chrono, CHRONO_SNDBUF, stack->now).ns;
	}
}

static void fill_ecn(const struct conn *conn, struct stack_conn_info *info)
{
	const struct ecn *ecn = conn->extra ? &conn->extra->ecn : NULL;

	if (!ecn)
		return;
	info->ecn = conn->agreed.ecn;
	info->ecn_seen = (ecn->flags & ECN_SEEN_ECT) != 0;
	info->ecn_fallback = (ecn->flags & ECN_FALLEN_BACK) != 0;
	info->delivered_ce = ecn->delivered_ce;
	if (info->ecn != ECN_ACCURATE)
		return;
	info->accecn_option = ecn->flags & ECN_OPTION_BELIEVED  ? STACK_ACCECN_OPTION_SEEN
	                      : ecn->flags & ECN_OPTION_IGNORED ? STACK_ACCECN_OPTION_MANGLED
	                                                        : STACK_ACCECN_OPTION_NONE;
	info->received_ce = ecn->receiver.cep - ACCECN_CEP_INITIAL;
	info->received_e0_bytes = ecn->receiver.e0b - ACCECN_ECT_INITIAL;
	info->received_e1_bytes = ecn->receiver.e1b - ACCECN_ECT_INITIAL;
	info->received_ce_bytes = ecn->receiver.ceb;
	info->delivered_e0_bytes = ecn->sender.e0b - ACCECN_ECT_INITIAL;
	info->delivered_e1_bytes = ecn->sender.e1b - ACCECN_ECT_INITIAL;
	info->delivered_ce_bytes = ecn->sender.ceb;
}

static void fill_variables(const struct conn *conn, struct stack_conn_info *info)
{
	info->iss = conn->iss.v;
	info->irs = conn->irs.v;
	info->snd_una = conn->snd_una.v;
	info->snd_nxt = conn->snd_nxt.v;
	info->rcv_nxt = conn->rcv_nxt.v;
	info->snd_wnd = conn->snd_wnd;
	if (seq_gt(conn->rcv_adv, conn->rcv_nxt))
		info->rcv_wnd = (uint32_t)seq_diff(conn->rcv_adv, conn->rcv_nxt);
	info->rcvbuf = conn->rcvbuf;
	info->sndbuf = conn->sndbuf;
	info->recv_q = receive_unread(conn);
	info->rcv_holes = conn->rx && conn->rx->holes ? conn->rx->holes->count : 0;
	info->bytes_retrans = conn->bytes_retransmitted;
	info->bytes_acked = conn->bytes_acked;
	info->bytes_received = conn->bytes_received;
	info->segs_out = conn->segs_out;
	info->segs_in = conn->segs_in;
	info->data_segs_out = conn->data_segs_out;
	info->data_segs_in = conn->data_segs_in;
	info->delivered = conn->delivered;
	info->retrans_total = conn->retransmits;
}

static void fill_queue(const struct conn *conn, struct stack_conn_info *info)
{
	const struct send_queue *tx = conn->tx;

	if (tx) {
		info->unacked = tx->sent.first ? (uint32_t)seq_diff(conn->snd_nxt, conn->snd_una) : 0;
		info->lost = tx->sent.lost_bytes;
		info->sacked = tx->sent.sacked_bytes;
		info->retrans = tx->sent.resent_bytes;
		info->notsent = conn_not_sent(conn);
		info->send_q = info->unacked + info->notsent;
	}
	info->bytes_sent = conn->bytes_acked + info->unacked + conn->bytes_retransmitted;
}

static void fill_losses(const struct stack *stack, const struct conn *conn, struct stack_conn_info *info)
{
	const struct rack_reordering *reordering = NULL;

	if (conn->extra) {
		const struct loss_record *loss = &conn->extra->loss;

		info->dsack_dups = loss->dsack_dups;
		info->reord_seen = loss->reord_seen;
		reordering = &loss->reordering;
		info->total_rto = loss->total_rto;
		info->total_rto_recoveries = loss->total_rto_recoveries;
		info->total_rto_time = loss->total_rto_time;
		if (conn->ca_state == CA_LOSS)
			info->total_rto_time.ns += instant_sub(stack->now, loss->rto_since).ns;
	}
	if (conn->agreed.sack && conn->tcp->rack && conn->state > TCPS_SYN_SENT)
		info->reo_wnd = rack_reo_wnd(reordering, false, conn->rtt.min, conn->rtt.srtt);
}

static void fill_congestion(const struct conn *conn, struct stack_conn_info *info)
{
	const struct shadow *shadow = shadow_of(conn);

	info->congestion = conn->congestion->name;
	info->congestion_id = conn->congestion->id;
	info->cwnd = conn->cwnd;
	info->ssthresh = conn->ssthresh == UINT32_MAX ? UINT64_MAX : conn->ssthresh;
	info->pacing_rate = congestion_pacing(conn);
	if (conn->extra)
		info->congestion_offences = conn->extra->guard.wrong + conn->extra->guard.slow;
	if (conn->state == TCPS_SYN_SENT || conn->state == TCPS_CLOSED) /* it has not begun; it is over */
		return;
	info->output_count = samples_outputs(conn->congestion, algorithm_state(conn), info->output);
	if (!shadow)
		return;
	info->shadow = shadow->congestion->name;
	info->shadow_id = shadow->congestion->id;
	info->shadow_cwnd = shadow->decision.cwnd_bytes;
	info->shadow_ssthresh = shadow->decision.ssthresh_bytes;
	info->shadow_pacing_rate = shadow->decision.pacing_bytes_per_s;
	info->shadow_output_count = samples_outputs(shadow->congestion, shadow->state, info->shadow_output);
}

static void fill_conn(const struct stack *stack, const struct conn *conn, struct stack_conn_info *info)
{
	*info = (struct stack_conn_info){
		.id = conn->id,
		.handle = { conn->flags & CONN_ORPHAN ? 0 : pool_handle(conn) },
		.flow = conn->node.flow,
		.state = conn->state,
		.shard = stack->config.shard,
		.active = (conn->flags & CONN_ACTIVE) != 0,
		.sack = conn->agreed.sack,
		.timestamps = conn->agreed.timestamps,
		.window_scaling = conn->agreed.window_scaling,
		.nodelay = (conn->flags & CONN_NODELAY) != 0,
		.orphan = (conn->flags & CONN_ORPHAN) != 0,
		.snd_wscale = conn->agreed.snd_wscale,
		.rcv_wscale = conn->agreed.rcv_wscale,
		.ca_state = conn->ca_state,
		.fastopen = conn->extra && (conn->extra->fastopen & FASTOPEN_ACCEPTED),
		.fastopen_refused = conn->extra && (conn->extra->fastopen & FASTOPEN_REFUSED),
		.service = conn->service,
		.opened = conn->opened,
		.last_snd = conn->last_snd,
		.last_rcv = conn->last_rcv,
		.rto = rtt_backed_off(&conn->rtt, conn->backoff, conn->tcp->rto_max),
		.srtt = conn->rtt.srtt,
		.rttvar = conn->rtt.rttvar,
		.min_rtt = conn->rtt.min,
		.backoff = conn->backoff,
		.mss = conn->mss,
		.advmss = conn_mss_offer(stack, conn->tcp, &conn->node.flow),
		.pmtu = path_mtu(stack, conn),
	};
	if (conn->rtx_due.ns != INT64_MAX && conn->rtx_due.ns > stack->now.ns)
		info->timer_left = instant_sub(conn->rtx_due, stack->now);
	fill_variables(conn, info);
	fill_queue(conn, info);
	fill_losses(stack, conn, info);
	fill_congestion(conn, info);
	info->ecn_codepoint = (uint8_t)ecn_codepoint(conn);
	if (conn->agreed.ecn != ECN_NONE && conn->state > TCPS_SYN_SENT)
		fill_ecn(conn, info);
	fill_observations(stack, conn, info);
}

static void fill_half_open(const struct stack *stack, const struct half_open *half, struct stack_conn_info *info)
{
	const struct listener *listener = pool_at(&stack->listeners, half->listener_slot);
	const struct stack_congestion *congestion = choice_of_half_open(stack, half);

	*info = (struct stack_conn_info){
		.id = half->id,
		.flow = half->node.flow,
		.state = TCPS_SYN_RECEIVED,
		.shard = stack->config.shard,
		.compact = true,
		.sack = half->agreed.sack,
		.timestamps = half->agreed.timestamps,
		.window_scaling = half->agreed.window_scaling,
		.snd_wscale = half->agreed.snd_wscale,
		.rcv_wscale = half->agreed.rcv_wscale,
		.service = listener->options.service,
		.congestion = congestion->name,
		.congestion_id = congestion->id,
		.opened = half->opened,
		.last_rcv = half->opened,
		.backoff = half->retransmits,
		.retrans_total = half->retransmits,
		.iss = half->iss.v,
		.irs = half->irs.v,
		.snd_una = half->iss.v,
		.snd_nxt = half->iss.v + 1,
		.rcv_nxt = half->irs.v + 1,
	};
}

static void fill_time_wait(const struct stack *stack, const struct time_wait *tw, struct stack_conn_info *info)
{
	*info = (struct stack_conn_info){
		.id = tw->id,
		.flow = tw->node.flow,
		.state = TCPS_TIME_WAIT,
		.shard = stack->config.shard,
		.compact = true,
		.active = (tw->flags & JOURNAL_ACTIVE) != 0,
		.timestamps = tw->timestamps,
		.service = tw->service,
		.congestion_id = tw->congestion,
		.snd_una = tw->snd_nxt.v,
		.snd_nxt = tw->snd_nxt.v,
		.rcv_nxt = tw->rcv_nxt.v,
	};
	if (tw->due.ns > stack->now.ns)
		info->timer_left = instant_sub(tw->due, stack->now);
}

static void fill_listener(const struct stack *stack, const struct listener *listener, struct stack_conn_info *info)
{
	*info = (struct stack_conn_info){
		.handle = listener_handle(listener),
		.flow = { .local = listener->options.address, .local_port = listener->options.port },
		.state = TCPS_LISTEN,
		.shard = stack->config.shard,
		.service = listener->options.service,
		.congestion = listener->options.congestion->name,
		.congestion_id = listener->options.congestion->id,
		.backlog = listener->options.backlog,
		.accept_q = listener->accept_queue,
		.recv_q = listener->half_open,
	};
}

int stack_info(const struct stack *stack, struct conn_handle handle, struct stack_conn_info *ret_info)
{
	const struct conn *conn = conn_find(stack, handle);

	if (!conn)
		return -EBADF;
	fill_conn(stack, conn, ret_info);
	return 0;
}

/* The next record of a kind from a slot on, as info; returns its slot, or POOL_NONE. Kinds in the order of a walk. */
enum { WALK_LISTENERS, WALK_CONNS, WALK_HALF_OPENS, WALK_TIME_WAITS, WALK_KINDS };

static uint32_t next_of_kind(const struct stack *stack, unsigned kind, uint32_t from, struct stack_conn_info *info)
{
	const struct listener *listener;
	const struct half_open *half;
	const struct time_wait *tw;
	const struct conn *conn;

	switch (kind) {
	case WALK_LISTENERS:
		listener = pool_next_live(&stack->listeners, from);
		if (!listener)
			return POOL_NONE;
		fill_listener(stack, listener, info);
		return listener->head.slot;
	case WALK_CONNS:
		for (; (conn = pool_next_live(&stack->conns, from)); from = conn->node.head.slot + 1) {
			if ((conn->flags & CONN_DEAD) || conn->state == TCPS_CLOSED)
				continue;
			fill_conn(stack, conn, info);
			return conn->node.head.slot;
		}
		return POOL_NONE;
	case WALK_HALF_OPENS:
		half = pool_next_live(&stack->half_opens, from);
		if (!half)
			return POOL_NONE;
		fill_half_open(stack, half, info);
		return half->node.head.slot;
	default:
		tw = pool_next_live(&stack->time_waits, from);
		if (!tw)
			return POOL_NONE;
		fill_time_wait(stack, tw, info);
		return tw->node.head.slot;
	}
}

size_t stack_walk(const struct stack *stack, uint64_t *cursor, struct stack_conn_info *ret_infos, size_t count)
{
	unsigned kind = (unsigned)(*cursor >> 32);
	uint32_t slot = (uint32_t)*cursor;
	size_t n = 0;

	while (n < count && kind < WALK_KINDS) {
		uint32_t found = next_of_kind(stack, kind, slot, &ret_infos[n]);

		if (found == POOL_NONE) {
			kind++;
			slot = 0;
		} else {
			slot = found + 1;
			n++;
		}
	}
	*cursor = kind < WALK_KINDS ? (uint64_t)kind << 32 | slot : UINT64_MAX;
	return n;
}

int stack_find(const struct stack *stack, uint64_t id, struct stack_conn_info *ret_info)
{
	struct stack_conn_info info;

	for (unsigned kind = WALK_CONNS; kind < WALK_KINDS; kind++) {
		uint32_t slot = 0;

		while ((slot = next_of_kind(stack, kind, slot, &info)) != POOL_NONE) {
			if (info.id == id) {
				*ret_info = info;
				return 0;
			}
			slot++;
		}
	}
	return -ENOENT;
}

const struct stack_counters *stack_get_counters(const struct stack *stack)
{
	return &stack->counters;
}

void stack_get_gauges(const struct stack *stack, struct stack_gauges *ret_gauges)
{
	*ret_gauges = (struct stack_gauges){
		.connections = stack->conns.used,
		.half_open = stack->half_opens.used,
		.time_wait = stack->time_waits.used,
		.neighbours = stack->neighbours.used,
		.orphans = stack->orphans,
		.connections_max = stack->config.connections_max,
		.half_open_max = stack->config.half_open_max,
		.time_wait_max = stack->config.time_wait_max,
		.buffer_bytes = (uint64_t)stack->blocks.used * BLOCK_BYTES,
		.buffer_bytes_max = stack->config.buffers_max_bytes,
		.memory_bytes = stack->memory_bytes,
		.journal_reserved = stack->journal_reserved,
	};
	memcpy(ret_gauges->in_state, stack->in_state, sizeof(ret_gauges->in_state));
	if (stack->config.journal)
		ret_gauges->journal_room = journal_room(stack->config.journal);
}

static const char *const verdict_names[STACK_VERDICT_COUNT] = {
#define VERDICT_NAME(name, meaning) [VERDICT_##name] = #name,
	STACK_VERDICTS(VERDICT_NAME)
#undef VERDICT_NAME
};

static const char *const verdict_meanings[STACK_VERDICT_COUNT] = {
#define VERDICT_MEANING(name, meaning) [VERDICT_##name] = meaning,
	STACK_VERDICTS(VERDICT_MEANING)
#undef VERDICT_MEANING
};

const char *stack_verdict_name(unsigned verdict)
{
	return verdict < STACK_VERDICT_COUNT ? verdict_names[verdict] : "?";
}

const char *stack_verdict_meaning(unsigned verdict)
{
	return verdict < STACK_VERDICT_COUNT ? verdict_meanings[verdict] : "?";
}
