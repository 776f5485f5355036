/* The only writer of connection states. Every transition is checked against the RFC's diagram, counted, and written
 * to the journal with its cause; the room for it was reserved before the connection came to be. */
#include "core/tcp/engine.h"

struct transition {
	uint64_t id;
	const struct flow *flow;
	enum tcp_state from, to;
	enum tcp_cause cause;
	uint8_t index, flags;
	uint16_t service, congestion;
};

static uint64_t reserve_for(enum tcp_state state)
{
	return tcp_state_transitions_left(state);
}

bool journal_admits(const struct stack *stack, enum tcp_state state)
{
	const struct journal_ring *ring = stack->config.journal;

	return !ring || journal_room(ring) >= stack->journal_reserved + 1 + reserve_for(state);
}

/* Counters, gauges, reservation. */
static void account(struct stack *stack, const struct transition *t)
{
	bool first = t->flags & JOURNAL_FIRST;

	CORE_ASSERT(tcp_state_edge_allowed(t->from, t->to));
	stack->counters.transitions[t->from][t->to]++;
	if (!first) {
		stack->in_state[t->from]--;
		stack->journal_reserved -= reserve_for(t->from);
	}
	if (t->to != TCPS_CLOSED) {
		stack->in_state[t->to]++;
		stack->journal_reserved += reserve_for(t->to);
	}
	if (t->from == TCPS_SYN_SENT || t->from == TCPS_SYN_RECEIVED) {
		if (t->to == TCPS_CLOSED)
			COUNT(stack, attempt_fails);
	} else if (t->to == TCPS_CLOSED && (t->from == TCPS_ESTABLISHED || t->from == TCPS_CLOSE_WAIT)) {
		COUNT(stack, established_resets);
	}
}

/* The record with what every kind of connection knows; the caller adds its own and publishes. NULL: no journal. */
static struct journal_record *record_begin(struct stack *stack, const struct transition *t)
{
	struct journal_record *record;

	account(stack, t);
	if (!stack->config.journal)
		return NULL;
	record = journal_next(stack->config.journal);
	memset((char *)record + sizeof(record->number), 0, sizeof(*record) - sizeof(record->number));
	record->connection_id = t->id;
	record->time_ns = stack->now.ns;
	record->flow = *t->flow;
	record->from = (uint8_t)t->from;
	record->to = (uint8_t)t->to;
	record->index = t->index;
	record->flags = t->flags | (t->to == TCPS_CLOSED ? JOURNAL_LAST : 0);
	record->cause = (uint16_t)t->cause;
	record->service = t->service;
	record->congestion = t->congestion;
	record->shard = stack->config.shard;
	return record;
}

static void record_variables(struct journal_record *record, const struct conn *conn)
{
	record->last_speaker = conn->last_speaker;
	record->iss = conn->iss.v;
	record->irs = conn->irs.v;
	record->snd_una = conn->snd_una.v;
	record->snd_nxt = conn->snd_nxt.v;
	record->rcv_nxt = conn->rcv_nxt.v;
	record->segs_in = conn->segs_in;
	record->segs_out = conn->segs_out;
	record->retransmits = conn->retransmits;
	record->cwnd_bytes = conn->cwnd;
	record->ssthresh_bytes = conn->ssthresh == UINT32_MAX ? UINT64_MAX : conn->ssthresh;
	record->srtt_ns = conn->rtt.srtt.ns;
	record->bytes_received = conn->bytes_received;
	record->bytes_acked = conn->bytes_acked;
	record->bytes_retransmitted = conn->bytes_retransmitted;
}

void connection_set_state(struct stack *stack, struct conn *conn, enum tcp_state to, enum tcp_cause cause)
{
	struct transition t = {
		.id = conn->id,
		.flow = &conn->node.flow,
		.from = conn->state,
		.to = to,
		.cause = cause,
		.index = conn->index,
		.flags = (uint8_t)((conn->index == 0 ? JOURNAL_FIRST : 0) |
		                   (conn->flags & CONN_ACTIVE ? JOURNAL_ACTIVE : 0) |
		                   (conn->flags & CONN_COOKIE ? JOURNAL_COOKIE : 0)),
		.service = conn->service,
		.congestion = conn->congestion->id,
	};
	struct journal_record *record = record_begin(stack, &t);

	conn->index++;
	if (record) {
		record_variables(record, conn);
		journal_publish(stack->config.journal);
	}
	conn->state = (uint8_t)to;
}

void connection_take_over(struct conn *conn, const struct half_open *half)
{
	conn->state = TCPS_SYN_RECEIVED;
	conn->index = half->index;
}

static void half_open_transition(struct stack *stack, struct half_open *half, enum tcp_state from, enum tcp_state to,
                                 enum tcp_cause cause)
{
	const struct listener *listener = pool_at(&stack->listeners, half->listener_slot);
	struct transition t = {
		.id = half->id,
		.flow = &half->node.flow,
		.from = from,
		.to = to,
		.cause = cause,
		.index = half->index,
		.flags = (uint8_t)(JOURNAL_COMPACT | (half->index == 0 ? JOURNAL_FIRST : 0)),
		.service = listener->options.service,
		.congestion = choice_of_half_open(stack, half)->id,
	};
	struct journal_record *record = record_begin(stack, &t);

	half->index++;
	if (!record)
		return;
	record->last_speaker = SPEAKER_PEER;
	record->iss = record->snd_una = half->iss.v;
	record->snd_nxt = half->iss.v + 1;
	record->irs = half->irs.v;
	record->rcv_nxt = half->irs.v + 1;
	journal_publish(stack->config.journal);
}

void half_open_born(struct stack *stack, struct half_open *half, enum tcp_cause cause)
{
	half_open_transition(stack, half, TCPS_LISTEN, TCPS_SYN_RECEIVED, cause);
}

void half_open_gone(struct stack *stack, struct half_open *half, enum tcp_cause cause)
{
	half_open_transition(stack, half, TCPS_SYN_RECEIVED, TCPS_CLOSED, cause);
}

void time_wait_gone(struct stack *stack, struct time_wait *tw, enum tcp_cause cause)
{
	struct transition t = {
		.id = tw->id,
		.flow = &tw->node.flow,
		.from = TCPS_TIME_WAIT,
		.to = TCPS_CLOSED,
		.cause = cause,
		.index = tw->index,
		.flags = tw->flags | JOURNAL_COMPACT,
		.service = tw->service,
		.congestion = tw->congestion,
	};
	struct journal_record *record = record_begin(stack, &t);

	if (!record)
		return;
	record->snd_una = record->snd_nxt = tw->snd_nxt.v;
	record->rcv_nxt = tw->rcv_nxt.v;
	journal_publish(stack->config.journal);
}
