#pragma once
/* A queue of records of any length between two threads: one writes, one reads, none waits. Records lie in one piece
 * of memory and are read in place. A record's length is a multiple of 8 and its first four bytes are that length.
 *
 * Invariant: tail <= head <= tail + size; both only grow, and each has one writer. */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define RING_LINE 64 /* of the cache: what one thread writes is not where the other one does */

struct ring {
	uint8_t *bytes;
	uint64_t size; /* a power of two */
	/* the writer's */
	_Alignas(RING_LINE) _Atomic uint64_t head; /* all that was ever committed */
	uint64_t tail_seen;
	uint64_t start; /* of the record that was reserved last */
	/* the reader's */
	_Alignas(RING_LINE) _Atomic uint64_t tail; /* all that was ever released */
	uint64_t at;                               /* what has been read, and perhaps not released */
};

/* Room for a record of `length` bytes, at most half of the ring. NULL: there is none. */
static inline void *ring_reserve(struct ring *ring, uint32_t length)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint64_t at = head & (ring->size - 1), left = ring->size - at;
	uint64_t skip = length <= left ? 0 : left; /* no record lies around the end */

	if (head + skip + length - ring->tail_seen > ring->size) {
		ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
		if (head + skip + length - ring->tail_seen > ring->size)
			return NULL;
	}
	if (skip > 0)
		*(uint32_t *)(void *)(ring->bytes + at) = 0;
	ring->start = head + skip;
	return ring->bytes + (ring->start & (ring->size - 1));
}

/* What was reserved last is complete: the reader may have it. */
static inline void ring_commit(struct ring *ring, uint32_t length)
{
	atomic_store_explicit(&ring->head, ring->start + length, memory_order_release);
}

/* The next record, which stays where it is until ring_release; NULL: none. */
static inline const void *ring_peek(struct ring *ring)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
	uint64_t at = ring->at & (ring->size - 1);

	if (ring->at == head)
		return NULL;
	if (*(const uint32_t *)(const void *)(ring->bytes + at) == 0) {
		ring->at += ring->size - at;
		at = 0;
	}
	return ring->bytes + at;
}

static inline void ring_next(struct ring *ring)
{
	ring->at += *(const uint32_t *)(const void *)(ring->bytes + (ring->at & (ring->size - 1)));
}

/* What ring_next has gone over is done with. */
static inline void ring_release(struct ring *ring)
{
	atomic_store_explicit(&ring->tail, ring->at, memory_order_release);
}

/* From any thread. */
static inline uint64_t ring_used(const struct ring *ring)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

	return head > tail ? head - tail : 0;
}
