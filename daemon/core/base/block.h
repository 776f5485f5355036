#pragma once
/* Blocks of payload bytes, all of one size, from one pool under one limit: what send and receive buffers are made of.
 * The free list is last-in first-out, so that a block is reused while it is still in the cache. */
#include "core/base/memory.h"

#include <stdbool.h>
#include <stdint.h>

#define BLOCK_BYTES 16384u

struct block_pool {
	struct memory memory;
	void *free_list;  /* through the first bytes of each free block */
	uint8_t **chunks; /* table of the chunks taken so far */
	uint32_t chunk_count, chunks_max;
	uint32_t limit, used, free_count; /* in blocks */
	size_t strip_table_bytes; /* what strips have taken from `memory` for their tables; on top of the limit */
};

/* At most `limit_bytes` of payload. Returns 0 or -ENOMEM. */
int block_pool_init(struct block_pool *pool, const struct memory *memory, uint64_t limit_bytes);
void block_pool_done(struct block_pool *pool);

/* A block of BLOCK_BYTES, content undefined; NULL when the limit is reached or memory is out. */
uint8_t *block_get(struct block_pool *pool);
void block_put(struct block_pool *pool, uint8_t *block);

/* Makes sure that the next `count` block_get calls can't fail. */
bool block_reserve(struct block_pool *pool, uint32_t count);

/* Bytes taken from `memory` in all. */
size_t block_pool_bytes(const struct block_pool *pool);
