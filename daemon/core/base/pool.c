#include "core/base/pool.h"

#include "core/base/assert.h"

#include <errno.h>
#include <string.h>

#define CHUNK_BYTES 65536u
#define LIMIT_MAX (1u << 31) /* slot numbers, and the sum of slots in all chunks, stay below POOL_NONE */

static uint32_t records_per_chunk(const struct pool *pool)
{
	return 1u << pool->records_per_chunk_log2;
}

static size_t chunk_bytes(const struct pool *pool)
{
	return (size_t)pool->record_bytes << pool->records_per_chunk_log2;
}

static size_t table_bytes(const struct pool *pool)
{
	return (size_t)pool->chunks_max * sizeof(*pool->chunks);
}

static uint32_t slot_count(const struct pool *pool)
{
	return pool->chunk_count << pool->records_per_chunk_log2;
}

int pool_init(struct pool *pool, const struct memory *memory, uint32_t record_bytes, uint32_t limit)
{
	CORE_ASSERT(record_bytes >= sizeof(struct pool_head) && record_bytes % 8 == 0);
	memset(pool, 0, sizeof(*pool));
	pool->memory = *memory;
	pool->record_bytes = record_bytes;
	pool->limit = limit;
	pool->free_head = POOL_NONE;
	if (limit > LIMIT_MAX)
		return -ENOMEM;
	/* Not more to a chunk than the limit asks for: a small pool stays small. */
	while ((uint64_t)record_bytes << (pool->records_per_chunk_log2 + 1) <= CHUNK_BYTES &&
	       1u << pool->records_per_chunk_log2 < limit)
		pool->records_per_chunk_log2++;
	pool->chunks_max =
	        (uint32_t)(((uint64_t)limit + records_per_chunk(pool) - 1) >> pool->records_per_chunk_log2);
	if (pool->chunks_max == 0)
		return 0;
	pool->chunks = memory->alloc(memory->context, table_bytes(pool));
	if (!pool->chunks) {
		pool->chunks_max = 0;
		pool->limit = 0;
		return -ENOMEM;
	}
	return 0;
}

void pool_done(struct pool *pool)
{
	const struct memory *memory = &pool->memory;

	for (uint32_t i = 0; i < pool->chunk_count; i++)
		memory->free(memory->context, pool->chunks[i], chunk_bytes(pool));
	if (pool->chunks)
		memory->free(memory->context, pool->chunks, table_bytes(pool));
	pool->chunks = NULL;
	pool->chunk_count = pool->chunks_max = pool->limit = pool->used = 0;
	pool->free_head = POOL_NONE;
}

/* One chunk more; its slots go to the front of the free list, lowest first. */
static bool grow(struct pool *pool)
{
	uint32_t first = slot_count(pool);
	uint8_t *chunk;

	if (pool->chunk_count == pool->chunks_max)
		return false;
	chunk = pool->memory.alloc(pool->memory.context, chunk_bytes(pool));
	if (!chunk)
		return false;
	pool->chunks[pool->chunk_count++] = chunk;
	for (uint32_t slot = slot_count(pool); slot-- > first;) {
		struct pool_head *head = pool_at(pool, slot);

		head->generation = 0;
		head->slot = pool->free_head;
		pool->free_head = slot;
	}
	return true;
}

void *pool_get(struct pool *pool)
{
	struct pool_head *head;
	uint32_t slot;

	if (UNLIKELY(pool->used >= pool->limit))
		return NULL;
	if (UNLIKELY(pool->free_head == POOL_NONE) && !grow(pool))
		return NULL;
	slot = pool->free_head;
	head = pool_at(pool, slot);
	pool->free_head = head->slot;
	pool->used++;
	head->generation++;
	head->slot = slot;
	memset(head + 1, 0, pool->record_bytes - sizeof(*head));
	return head;
}

void pool_put(struct pool *pool, void *record)
{
	struct pool_head *head = record;
	uint32_t slot = head->slot;

	CORE_ASSERT(head->generation & 1 && pool->used > 0);
	head->generation++;
	head->slot = pool->free_head;
	pool->free_head = slot;
	pool->used--;
}

bool pool_reserve(struct pool *pool, uint32_t count)
{
	if (pool->limit - pool->used < count)
		return false;
	while (slot_count(pool) - pool->used < count)
		if (!grow(pool))
			return false;
	return true;
}

void *pool_next_live(const struct pool *pool, uint32_t from)
{
	for (uint32_t slot = from; slot < slot_count(pool); slot++) {
		struct pool_head *head = pool_at(pool, slot);

		if (head->generation & 1)
			return head;
	}
	return NULL;
}

size_t pool_bytes(const struct pool *pool)
{
	return table_bytes(pool) + pool->chunk_count * chunk_bytes(pool);
}
