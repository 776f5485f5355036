#pragma once
/* Slab pool of equal records, each known by a slot number; grows a chunk at a time and never moves a record.
 *
 * A record starts with `struct pool_head`. The pool keeps a generation in it: odd while the record is in use, even
 * while it is free, one more at each get and put. `generation << 32 | slot` is therefore a handle that goes stale
 * by itself. Invariant: used + length of the free list == slots in all chunks. */
#include "core/base/memory.h"

#include <stdbool.h>
#include <stdint.h>

#define POOL_NONE UINT32_MAX

struct pool_head {
	uint32_t generation;
	uint32_t slot; /* own number while in use; next free slot while free */
};

struct pool {
	struct memory memory;
	uint8_t **chunks;
	uint32_t record_bytes, records_per_chunk_log2;
	uint32_t chunks_max, chunk_count;
	uint32_t limit, used, free_head;
};

/* A pool of at most `limit` records of `record_bytes` (a multiple of 8, at least sizeof(struct pool_head)).
 * Returns 0 or -ENOMEM. Chunks are about 64 KiB; the table of chunks is allocated here. */
int pool_init(struct pool *pool, const struct memory *memory, uint32_t record_bytes, uint32_t limit);

/* Frees all chunks; records still in use die with it. */
void pool_done(struct pool *pool);

/* A record, zeroed but for its head; NULL when the limit is reached or memory is out. */
void *pool_get(struct pool *pool);
void pool_put(struct pool *pool, void *record);

/* Makes sure that `count` more pool_get calls can't fail. Returns false if that can't be had. */
bool pool_reserve(struct pool *pool, uint32_t count);

/* The lowest live record with slot >= from; NULL: none. For walks: continue with record->slot + 1. */
void *pool_next_live(const struct pool *pool, uint32_t from);

/* Bytes taken from `memory` in all. */
size_t pool_bytes(const struct pool *pool);

/* The record in a slot that is known to exist. */
static inline void *pool_at(const struct pool *pool, uint32_t slot)
{
	uint32_t in_chunk = slot & ((1u << pool->records_per_chunk_log2) - 1);

	return pool->chunks[slot >> pool->records_per_chunk_log2] + (size_t)in_chunk * pool->record_bytes;
}

static inline uint64_t pool_handle(const void *record)
{
	const struct pool_head *head = record;

	return (uint64_t)head->generation << 32 | head->slot;
}

/* The live record that a handle names; NULL when the handle is stale or was never given out. */
static inline void *pool_find(const struct pool *pool, uint64_t handle)
{
	uint32_t slot = (uint32_t)handle;
	struct pool_head *head;

	if (slot >= pool->chunk_count << pool->records_per_chunk_log2 || !(handle >> 32 & 1))
		return NULL;
	head = (struct pool_head *)pool_at(pool, slot);
	return head->generation == handle >> 32 ? head : NULL;
}
