#pragma once
/* The transition journal: a ring of fixed-size records, one writer (a stack) and one reader (the recorder). The host
 * gives the memory, usually a mapped file, so that a record survives the process the moment it is published.
 *
 * Layout of the memory: struct journal_ring, then `capacity` records. A record is written in full before `head` is
 * moved (release); the reader copies it before it moves `tail` (release). head and tail only grow; the record
 * numbered n is at index n % capacity. Invariant: tail <= head <= tail + capacity.
 *
 * Every record is whole by itself: five-tuple, state edge, cause, TCP variables and counters at that moment. */
#include "core/base/addr.h"
#include "core/base/time.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_MAGIC 0x4c4e524a53504154u /* "TAPSJRNL", little endian */
#define JOURNAL_VERSION 1u

/* struct journal_record.flags */
enum {
	JOURNAL_FIRST = 1,   /* first record of its connection */
	JOURNAL_LAST = 2,    /* the connection is gone after this one */
	JOURNAL_ACTIVE = 4,  /* we sent the first SYN */
	JOURNAL_COMPACT = 8, /* from a half-open or TIME-WAIT record: cwnd .. retransmits are unknown (zero) */
	JOURNAL_COOKIE = 16, /* opened through a SYN cookie */
};

enum journal_speaker { SPEAKER_NONE, SPEAKER_LOCAL, SPEAKER_PEER };

struct journal_record {
	uint64_t number;        /* of this record in the ring; equals its position, as a check after a crash */
	uint64_t connection_id; /* unique in the database, never reused */
	int64_t time_ns;        /* monotonic clock of the host */
	struct flow flow;
	uint8_t from, to; /* enum tcp_state */
	uint8_t index;    /* 0, 1, 2 ... within the connection */
	uint8_t flags;
	uint16_t cause;       /* enum tcp_cause */
	uint16_t service;     /* the tag given to stack_listen or stack_connect */
	uint16_t congestion;  /* enum value of the host: struct stack_congestion.id */
	uint8_t last_speaker; /* enum journal_speaker: who sent the last segment before this transition */
	uint8_t shard;
	uint32_t iss, irs, snd_una, snd_nxt, rcv_nxt;
	uint32_t segs_in, segs_out, retransmits;
	uint64_t cwnd_bytes, ssthresh_bytes;
	int64_t srtt_ns;
	uint64_t bytes_received, bytes_acked, bytes_retransmitted;
};
_Static_assert(sizeof(struct journal_record) == 152, "on disk: bump JOURNAL_VERSION when this changes");

struct journal_ring {
	uint64_t magic;
	uint32_t version, record_bytes;
	uint64_t capacity;      /* in records */
	uint64_t run_id;        /* of the writer */
	int64_t wall_offset_ns; /* CLOCK_REALTIME minus the monotonic clock, at the writer's start */
	uint8_t reserved[24];
	_Alignas(64) _Atomic uint64_t head; /* records written */
	_Alignas(64) _Atomic uint64_t tail; /* records stored */
	_Alignas(64) struct journal_record record[];
};

/* Records that could be written now without overtaking the reader. */
static inline uint64_t journal_room(const struct journal_ring *ring)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

	return ring->capacity - (head - tail);
}

/* Where the next record goes. The writer has made sure that there is room, fills it, then publishes. */
static inline struct journal_record *journal_next(struct journal_ring *ring)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	struct journal_record *record = &ring->record[head % ring->capacity];

	record->number = head;
	return record;
}

static inline void journal_publish(struct journal_ring *ring)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}
