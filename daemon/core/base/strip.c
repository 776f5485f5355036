/* Blocks are counted from the one `base` lies in: position `at` is byte `origin + (at - base)` from that block's
 * start. Nothing here looks at the value of a sequence number, so the wrap of the sequence space needs no care; and
 * a strip that was empty starts at the start of a block, so a full 64 KiB takes four blocks, not five. */
#include "core/base/strip.h"

#include "core/base/assert.h"

#include <errno.h>
#include <string.h>

#define BLOCK_LOG2 14
_Static_assert(BLOCK_BYTES == 1u << BLOCK_LOG2, "positions are split by shift and mask");

/* Bytes from the start of base's block to `at`. */
static uint64_t offset_of(const struct strip *strip, seq_t at)
{
	return (uint64_t)strip->origin + (at.v - strip->base.v);
}

static uint32_t table_length(const struct strip *strip)
{
	return strip->table ? strip->table_mask + 1 : 0;
}

/* The entry of the n-th block counted from base's; n < table_length. */
static uint8_t **entry(const struct strip *strip, uint32_t n)
{
	return &strip->table[(strip->first + n) & strip->table_mask];
}

/* Gives a table that was allocated back to the host. */
static void table_release(struct strip *strip, struct block_pool *pool)
{
	size_t bytes = table_length(strip) * sizeof(*strip->table);

	if (!strip->table || strip->table == strip->small)
		return;
	pool->memory.free(pool->memory.context, strip->table, bytes);
	pool->strip_table_bytes -= bytes;
}

static void table_free(struct strip *strip, struct block_pool *pool)
{
	table_release(strip, pool);
	strip->table = NULL;
	strip->table_mask = strip->first = strip->origin = 0;
}

/* Makes the table reach `count` blocks from base's. */
static int table_reach(struct strip *strip, struct block_pool *pool, uint64_t count)
{
	uint32_t old_length = table_length(strip), length = STRIP_SMALL;
	uint8_t **table = strip->small;

	if (LIKELY(count <= old_length))
		return 0;
	while (length < count)
		length *= 2;
	if (length > STRIP_SMALL) {
		table = pool->memory.alloc(pool->memory.context, length * sizeof(*table));
		if (!table)
			return -ENOMEM;
		pool->strip_table_bytes += length * sizeof(*table);
	} else {
		memset(strip->small, 0, sizeof(strip->small));
	}
	for (uint32_t n = 0; n < old_length; n++)
		table[n] = *entry(strip, n);
	table_release(strip, pool);
	strip->table = table;
	strip->table_mask = length - 1;
	strip->first = 0;
	return 0;
}

/* Gives back the block behind an entry, if there is one. */
static void entry_put(struct strip *strip, struct block_pool *pool, uint8_t **slot)
{
	if (!*slot)
		return;
	block_put(pool, *slot);
	*slot = NULL;
	strip->blocks--;
}

void strip_init(struct strip *strip, seq_t base)
{
	*strip = (struct strip){ .base = base };
}

void strip_clear(struct strip *strip, struct block_pool *pool)
{
	for (uint32_t n = 0; strip->blocks > 0; n++)
		entry_put(strip, pool, entry(strip, n));
	table_free(strip, pool);
}

uint32_t strip_blocks_missing(const struct strip *strip, seq_t at, uint32_t length)
{
	uint64_t offset = offset_of(strip, at), n = offset >> BLOCK_LOG2;
	uint64_t end = length ? ((offset + length - 1) >> BLOCK_LOG2) + 1 : n;
	uint32_t missing = 0;

	for (; n < end && n < table_length(strip); n++)
		missing += *entry(strip, (uint32_t)n) == NULL;
	return missing + (uint32_t)(end - n);
}

int strip_write(struct strip *strip, struct block_pool *pool, seq_t at, const void *bytes, uint32_t length)
{
	uint64_t offset = offset_of(strip, at);
	uint32_t missing = strip_blocks_missing(strip, at, length);
	const uint8_t *from = bytes;
	int r;

	if (length == 0)
		return 0;
	/* Everything that can fail comes before the first byte. */
	if (missing > 0 && !block_reserve(pool, missing))
		return -ENOMEM;
	r = table_reach(strip, pool, ((offset + length - 1) >> BLOCK_LOG2) + 1);
	if (r < 0)
		return r;
	while (length > 0) {
		uint8_t **slot = entry(strip, (uint32_t)(offset >> BLOCK_LOG2));
		uint32_t in_block = (uint32_t)offset & (BLOCK_BYTES - 1), part = BLOCK_BYTES - in_block;

		if (part > length)
			part = length;
		if (!*slot) {
			*slot = block_get(pool);
			CORE_ASSERT(*slot);
			strip->blocks++;
		}
		memcpy(*slot + in_block, from, part);
		from += part;
		offset += part;
		length -= part;
	}
	return 0;
}

uint32_t strip_space(struct strip *strip, struct block_pool *pool, seq_t at, uint32_t length, struct iovec *iov,
                     int iov_max, int *ret_count)
{
	uint64_t offset = offset_of(strip, at);
	uint32_t covered = 0;
	int count = 0;

	while (covered < length && count < iov_max) {
		uint32_t n = (uint32_t)(offset >> BLOCK_LOG2);
		uint32_t in_block = (uint32_t)offset & (BLOCK_BYTES - 1), part = BLOCK_BYTES - in_block;
		uint8_t **slot;

		if (table_reach(strip, pool, (uint64_t)n + 1) < 0)
			break;
		slot = entry(strip, n);
		if (!*slot) {
			*slot = block_get(pool);
			if (!*slot)
				break;
			strip->blocks++;
		}
		if (part > length - covered)
			part = length - covered;
		iov[count++] = (struct iovec){ *slot + in_block, part };
		covered += part;
		offset += part;
	}
	if (strip->blocks == 0)
		table_free(strip, pool);
	*ret_count = count;
	return covered;
}

uint32_t strip_view(const struct strip *strip, seq_t at, uint32_t length, struct iovec *iov, int iov_max,
                    int *ret_count)
{
	uint64_t offset = offset_of(strip, at);
	uint32_t covered = 0;
	int count = 0;

	while (covered < length && count < iov_max) {
		uint32_t n = (uint32_t)(offset >> BLOCK_LOG2);
		uint32_t in_block = (uint32_t)offset & (BLOCK_BYTES - 1), part = BLOCK_BYTES - in_block;
		uint8_t *block;

		CORE_ASSERT(n < table_length(strip));
		block = *entry(strip, n);
		CORE_ASSERT(block);
		if (part > length - covered)
			part = length - covered;
		iov[count++] = (struct iovec){ block + in_block, part };
		covered += part;
		offset += part;
	}
	*ret_count = count;
	return covered;
}

void strip_release(struct strip *strip, struct block_pool *pool, seq_t to, bool empty)
{
	uint64_t offset = offset_of(strip, to);
	uint64_t passed = offset >> BLOCK_LOG2;

	CORE_ASSERT(seq_geq(to, strip->base));
	strip->base = to;
	if (empty || passed >= table_length(strip)) {
		strip_clear(strip, pool);
		return;
	}
	for (uint32_t n = 0; n < passed && strip->blocks > 0; n++)
		entry_put(strip, pool, entry(strip, n));
	strip->origin = (uint32_t)offset & (BLOCK_BYTES - 1);
	strip->first = (strip->first + (uint32_t)passed) & strip->table_mask;
	if (strip->blocks == 0)
		table_free(strip, pool);
}
