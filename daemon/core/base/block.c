#include "core/base/block.h"

#include "core/base/assert.h"

#include <errno.h>
#include <string.h>

#define BLOCKS_PER_CHUNK 16u /* 256 KiB at a time */

/* The last chunk is only as large as the limit leaves room for. */
static uint32_t blocks_in_chunk(const struct block_pool *pool, uint32_t chunk)
{
	uint32_t left = pool->limit - chunk * BLOCKS_PER_CHUNK;

	return left < BLOCKS_PER_CHUNK ? left : BLOCKS_PER_CHUNK;
}

static size_t chunk_bytes(const struct block_pool *pool, uint32_t chunk)
{
	return (size_t)blocks_in_chunk(pool, chunk) * BLOCK_BYTES;
}

static size_t table_bytes(const struct block_pool *pool)
{
	return (size_t)pool->chunks_max * sizeof(*pool->chunks);
}

static void push_free(struct block_pool *pool, uint8_t *block)
{
	memcpy(block, &pool->free_list, sizeof(pool->free_list));
	pool->free_list = block;
	pool->free_count++;
}

int block_pool_init(struct block_pool *pool, const struct memory *memory, uint64_t limit_bytes)
{
	uint64_t limit = limit_bytes / BLOCK_BYTES;

	memset(pool, 0, sizeof(*pool));
	pool->memory = *memory;
	if (limit > UINT32_MAX - BLOCKS_PER_CHUNK)
		limit = UINT32_MAX - BLOCKS_PER_CHUNK;
	pool->chunks_max = ((uint32_t)limit + BLOCKS_PER_CHUNK - 1) / BLOCKS_PER_CHUNK;
	if (pool->chunks_max == 0)
		return 0;
	pool->chunks = memory->alloc(memory->context, table_bytes(pool));
	if (!pool->chunks) {
		pool->chunks_max = 0;
		return -ENOMEM;
	}
	pool->limit = (uint32_t)limit;
	return 0;
}

void block_pool_done(struct block_pool *pool)
{
	const struct memory *memory = &pool->memory;

	for (uint32_t i = 0; i < pool->chunk_count; i++)
		memory->free(memory->context, pool->chunks[i], chunk_bytes(pool, i));
	if (pool->chunks)
		memory->free(memory->context, pool->chunks, table_bytes(pool));
	pool->chunks = NULL;
	pool->free_list = NULL;
	pool->chunk_count = pool->chunks_max = pool->limit = pool->used = pool->free_count = 0;
}

static bool grow(struct block_pool *pool)
{
	uint8_t *chunk;

	if (pool->chunk_count == pool->chunks_max)
		return false;
	chunk = pool->memory.alloc(pool->memory.context, chunk_bytes(pool, pool->chunk_count));
	if (!chunk)
		return false;
	for (uint32_t i = blocks_in_chunk(pool, pool->chunk_count); i-- > 0;)
		push_free(pool, chunk + (size_t)i * BLOCK_BYTES);
	pool->chunks[pool->chunk_count++] = chunk;
	return true;
}

uint8_t *block_get(struct block_pool *pool)
{
	uint8_t *block;

	if (UNLIKELY(!pool->free_list) && !grow(pool))
		return NULL;
	block = pool->free_list;
	memcpy(&pool->free_list, block, sizeof(pool->free_list));
	pool->free_count--;
	pool->used++;
	return block;
}

void block_put(struct block_pool *pool, uint8_t *block)
{
	CORE_ASSERT(pool->used > 0);
	push_free(pool, block);
	pool->used--;
}

bool block_reserve(struct block_pool *pool, uint32_t count)
{
	if (pool->limit - pool->used < count)
		return false;
	while (pool->free_count < count)
		if (!grow(pool))
			return false;
	return true;
}

size_t block_pool_bytes(const struct block_pool *pool)
{
	size_t bytes = table_bytes(pool) + pool->strip_table_bytes;

	for (uint32_t i = 0; i < pool->chunk_count; i++)
		bytes += chunk_bytes(pool, i);
	return bytes;
}
