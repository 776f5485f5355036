#pragma once
/* What holds of every stack after every turn: legal transitions only, one journal record for each with a dense index
 * per connection, room in the journal for all that may still come, gauges that agree with a walk over the records, a
 * deadline that lies ahead, buffers only where something is held. A breach is told and aborts. */
#include "core/tcp/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATCH_CHECK(condition)                                                                                       \
	do {                                                                                                         \
		if (!(condition)) {                                                                                  \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                      \
			abort();                                                                                     \
		}                                                                                                    \
	} while (0)

/* What the journal has said so far about a connection; ids are dense from 1. */
struct watched {
	uint8_t state;
	uint8_t next_index;
	uint16_t cause; /* of the latest transition */
	bool begun, ended;
	bool has_edge;
	uint32_t edge; /* of the window it offered last */
};

struct watch {
	struct stack *stack;
	struct journal_ring *ring; /* NULL: the stack has none */
	uint64_t seen;             /* records looked at */
	int64_t last_ns;
	uint64_t transitions[TCPS_STATE_COUNT][TCPS_STATE_COUNT];
	struct watched *conn; /* by id - 1 */
	size_t room;
	uint64_t begun, ended;
};

static inline struct journal_ring *watch_ring_new(uint64_t capacity)
{
	struct journal_ring *ring =
	        aligned_alloc(64, (sizeof(*ring) + capacity * sizeof(struct journal_record) + 63) & ~63ul);

	if (!ring)
		abort();
	memset(ring, 0, sizeof(*ring) + capacity * sizeof(struct journal_record));
	ring->capacity = capacity;
	return ring;
}

static inline void watch_begin(struct watch *watch, struct stack *stack, struct journal_ring *ring)
{
	*watch = (struct watch){ .stack = stack, .ring = ring, .last_ns = INT64_MIN };
}

static inline void watch_end(struct watch *watch)
{
	free(watch->conn);
	watch->conn = NULL;
}

static inline struct watched *watch_find(struct watch *watch, uint64_t id)
{
	WATCH_CHECK(id > 0 && id < 1u << 24);
	if (id > watch->room) {
		size_t room = (id + 64) * 2;

		watch->conn = realloc(watch->conn, room * sizeof(*watch->conn));
		if (!watch->conn)
			abort();
		memset(watch->conn + watch->room, 0, (room - watch->room) * sizeof(*watch->conn));
		watch->room = room;
	}
	return &watch->conn[id - 1];
}

static inline void watch_record(struct watch *watch, const struct journal_record *record)
{
	struct watched *conn = watch_find(watch, record->connection_id);

	WATCH_CHECK(record->number == watch->seen);
	WATCH_CHECK(record->time_ns >= watch->last_ns);
	watch->last_ns = record->time_ns;
	WATCH_CHECK(tcp_state_edge_allowed(record->from, record->to));
	WATCH_CHECK(record->cause > CAUSE_NONE && record->cause < TCP_CAUSE_COUNT);
	WATCH_CHECK(!conn->ended);
	if (!conn->begun) {
		WATCH_CHECK(record->from == TCPS_CLOSED || record->from == TCPS_LISTEN);
		WATCH_CHECK(record->flags & JOURNAL_FIRST);
		conn->begun = true;
		watch->begun++;
	} else {
		WATCH_CHECK(!(record->flags & JOURNAL_FIRST));
		WATCH_CHECK(record->from == conn->state);
	}
	WATCH_CHECK(record->index == conn->next_index);
	WATCH_CHECK(!(record->flags & JOURNAL_LAST) == (record->to != TCPS_CLOSED));
	conn->next_index++;
	conn->state = record->to;
	conn->cause = record->cause;
	if (record->to == TCPS_CLOSED) {
		conn->ended = true;
		watch->ended++;
	}
	watch->transitions[record->from][record->to]++;
}

static inline void watch_journal(struct watch *watch, const struct stack_gauges *gauges)
{
	struct journal_ring *ring = watch->ring;
	uint64_t head = atomic_load(&ring->head), tail = atomic_load(&ring->tail);

	WATCH_CHECK(tail <= head && head - tail <= ring->capacity); /* never overrun */
	for (; watch->seen < head; watch->seen++)
		watch_record(watch, &ring->record[watch->seen % ring->capacity]);
	WATCH_CHECK(memcmp(watch->transitions, stack_get_counters(watch->stack)->transitions,
	                   sizeof(watch->transitions)) == 0);
	WATCH_CHECK(head - tail + gauges->journal_reserved <= ring->capacity);
}

/* RFC 9293 SHLD-14: the right edge of the window never moves left. */
static inline void watch_edge(struct watch *watch, const struct stack_conn_info *info)
{
	struct watched *conn = watch_find(watch, info->id);
	uint32_t edge = info->rcv_nxt + info->rcv_wnd;

	if (info->compact || info->state < TCPS_ESTABLISHED)
		return;
	WATCH_CHECK(!conn->has_edge || (int32_t)(edge - conn->edge) >= 0);
	conn->edge = edge;
	conn->has_edge = true;
}

#define WATCH_FLIGHT_MAX 64 /* longer ones are test_sent's matter: each turn looks at all */

/* What is in flight: entries from SND.UNA to SND.NXT without a gap, each on the list that its flags ask for, sums
 * that agree; the timers of loss recovery lie ahead, but for the resolution of the wheel. */
static inline void watch_flight(const struct conn *conn, struct instant now)
{
	const struct sent_queue *sent = &conn->tx->sent;
	uint32_t sacked = 0, lost = 0, resent = 0, count = 0, listed = 0;
	const struct sent *entry;
	seq_t at = conn->snd_una;

	WATCH_CHECK(conn->tx->reo_due.ns > now.ns - 1000000 && conn->tx->pto_due.ns > now.ns - 1000000);
	WATCH_CHECK(conn->ca_state != CA_OPEN || conn->tx->frto == FRTO_OFF);
	if (sent->count > WATCH_FLIGHT_MAX)
		return;
	for (entry = sent->first; entry; entry = entry->next) {
		uint32_t length = (uint32_t)seq_diff(entry->end, entry->start);

		WATCH_CHECK(seq_eq(entry->start, at) && seq_lt(entry->start, entry->end));
		WATCH_CHECK(!(entry->flags & SENT_SACKED) || !(entry->flags & SENT_LOST));
		WATCH_CHECK(!(entry->flags & SENT_RETRANSMITTED) || (entry->flags & SENT_LOST));
		at = entry->end;
		sacked += entry->flags & SENT_SACKED ? length : 0;
		lost += entry->flags & SENT_LOST ? length : 0;
		resent += entry->flags & SENT_RETRANSMITTED ? length : 0;
		count += !(entry->flags & SENT_SACKED);
	}
	WATCH_CHECK(!sent->first || seq_eq(at, conn->snd_nxt));
	WATCH_CHECK(sacked == sent->sacked_bytes && lost == sent->lost_bytes && resent == sent->resent_bytes);
	for (entry = sent->flight.first; entry; entry = entry->after)
		listed++;
	for (entry = sent->lost.first; entry; entry = entry->after)
		listed++;
	WATCH_CHECK(listed == count);
}

static inline void watch_flights(const struct watch *watch, struct instant now)
{
	const struct conn *conn;

	for (uint32_t slot = 0; (conn = pool_next_live(&watch->stack->conns, slot)); slot = conn->node.head.slot + 1)
		if (conn->tx)
			watch_flight(conn, now);
}

/* Gauges against a walk over all records. Returns whether any of them holds payload or waits for something. */
static inline bool watch_gauges(struct watch *watch, const struct stack_gauges *gauges)
{
	uint32_t in_state[TCPS_STATE_COUNT] = { 0 };
	struct stack_conn_info info[16];
	uint64_t cursor = 0, reserved = 0;
	bool holds = false;

	while (cursor != UINT64_MAX) {
		size_t count = stack_walk(watch->stack, &cursor, info, 16);

		for (size_t i = 0; i < count; i++) {
			in_state[info[i].state]++;
			if (info[i].state == TCPS_LISTEN)
				continue;
			reserved += tcp_state_transitions_left(info[i].state);
			holds |= info[i].send_q > 0 || info[i].unacked > 0 || info[i].recv_q > 0 ||
			         info[i].rcv_holes > 0;
			watch_edge(watch, &info[i]);
			WATCH_CHECK(info[i].sacked + info[i].lost <= info[i].unacked);
			WATCH_CHECK(info[i].retrans <= info[i].lost);
			if (watch->ring)
				WATCH_CHECK(watch_find(watch, info[i].id)->state == info[i].state);
		}
	}
	WATCH_CHECK(memcmp(in_state, gauges->in_state, sizeof(in_state)) == 0);
	WATCH_CHECK(reserved == gauges->journal_reserved);
	return holds;
}

/* Where no connection holds anything, no queue is left behind either. Only a look inside can tell. */
static inline void watch_pools(const struct watch *watch)
{
	WATCH_CHECK(watch->stack->sents.used == 0);
	WATCH_CHECK(watch->stack->send_queues.used == 0);
	WATCH_CHECK(watch->stack->receive_queues.used == 0);
	WATCH_CHECK(watch->stack->hole_sets.used == 0);
}

/* After a finished turn at `now`; `dead_held`: services hold handles of dead connections, whose unread payload no
 * walk shows. */
static inline void watch_turn(struct watch *watch, struct instant now, bool dead_held)
{
	struct stack_gauges gauges;

	stack_get_gauges(watch->stack, &gauges);
	if (watch->ring)
		watch_journal(watch, &gauges);
	if (!watch_gauges(watch, &gauges) && !dead_held) {
		/* But for packets of ours that wait for their neighbours. */
		WATCH_CHECK(gauges.buffer_bytes == (uint64_t)watch->stack->raw.blocks * BLOCK_BYTES);
		watch_pools(watch);
	}
	watch_flights(watch, now);
	WATCH_CHECK(watch->stack->extras.used <= watch->stack->conns.used);
	WATCH_CHECK(stack_deadline(watch->stack).ns > now.ns);
}

static inline void watch_print(const struct watch *watch)
{
	struct stack_conn_info info[16];
	uint64_t cursor = 0;

	while (cursor != UINT64_MAX) {
		size_t count = stack_walk(watch->stack, &cursor, info, 16);

		for (size_t i = 0; i < count; i++)
			fprintf(stderr,
			        "%llu: port %u to %u, %s%s, send_q %u unacked %u lost %u recv_q %u snd_wnd %u "
			        "backoff "
			        "%u timer %lld ns\n",
			        (unsigned long long)info[i].id, info[i].flow.local_port, info[i].flow.remote_port,
			        tcp_state_name(info[i].state), info[i].orphan ? " orphan" : "", info[i].send_q,
			        info[i].unacked, info[i].lost, info[i].recv_q, info[i].snd_wnd, info[i].backoff,
			        (long long)info[i].timer_left.ns);
	}
}

/* All is over: nothing may be left. */
static inline void watch_all_gone(struct watch *watch)
{
	struct stack_gauges gauges;

	stack_get_gauges(watch->stack, &gauges);
	if (gauges.connections + gauges.half_open + gauges.time_wait > 0)
		watch_print(watch);
	WATCH_CHECK(gauges.connections == 0 && gauges.half_open == 0 && gauges.time_wait == 0);
	for (int state = 0; state < TCPS_STATE_COUNT; state++)
		WATCH_CHECK(gauges.in_state[state] == 0);
	WATCH_CHECK(gauges.journal_reserved == 0);
	WATCH_CHECK(gauges.buffer_bytes == 0);
	watch_pools(watch);
	WATCH_CHECK(watch->stack->conns.used == 0 && watch->stack->extras.used == 0);
	WATCH_CHECK(watch->stack->half_opens.used == 0 && watch->stack->time_waits.used == 0);
	WATCH_CHECK(watch->begun == watch->ended);
}
