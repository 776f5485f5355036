#pragma once
/* A strip: bytes of a stream addressed by sequence number, kept in blocks. Send and receive buffers are strips.
 *
 * It covers [base, base + span) where only blocks that hold something exist; a byte lives at its final place from the
 * moment it is written, so out-of-order data is never moved. Which bytes are valid is the owner's business. An empty
 * strip holds no memory. The table of block pointers is a power-of-two ring that grows by doubling; looking a
 * position up is O(1).
 *
 * Invariant: table == NULL iff no block is held; every block lies in [base rounded down to a block, + capacity). */
#include "core/base/block.h"
#include "core/base/seq.h"

#include <sys/uio.h>

#define STRIP_SMALL 4 /* blocks that need no table of their own: 64 KiB, so short exchanges allocate none */

struct strip {
	uint8_t **table;             /* ring of block pointers; NULL where there is no block */
	uint32_t table_mask;         /* table length - 1 */
	uint32_t blocks;             /* held now */
	seq_t base;                  /* first byte still wanted */
	uint32_t origin;             /* offset of `base` within its block */
	uint32_t first;              /* ring index of base's block */
	uint8_t *small[STRIP_SMALL]; /* the table while that is enough; a strip must not be moved */
};

/* An empty strip whose first byte will be `base`. */
void strip_init(struct strip *strip, seq_t base);

/* Gives all blocks and the table back; the strip is as after strip_init(base). */
void strip_clear(struct strip *strip, struct block_pool *pool);

/* Copies `length` bytes to position `at` (base <= at), taking blocks as needed.
 * Returns 0, or -ENOMEM with nothing kept half-written that was valid before. */
int strip_write(struct strip *strip, struct block_pool *pool, seq_t at, const void *bytes, uint32_t length);

/* How many blocks strip_write(at, length) would have to take. */
uint32_t strip_blocks_missing(const struct strip *strip, seq_t at, uint32_t length);

/* Writable space at `at`: up to `length` bytes as up to `iov_max` spans, taking blocks as needed. Returns the bytes
 * covered (may be fewer than asked: memory), and the spans' number in *ret_count. */
uint32_t strip_space(struct strip *strip, struct block_pool *pool, seq_t at, uint32_t length, struct iovec *iov,
                     int iov_max, int *ret_count);

/* The `length` bytes at `at` (all of which must have been written) as spans, without copying. Returns the bytes
 * covered; fewer than `length` only if iov_max ran out. */
uint32_t strip_view(const struct strip *strip, seq_t at, uint32_t length, struct iovec *iov, int iov_max,
                    int *ret_count);

/* Moves base forward to `to`, giving back the blocks that lie wholly before it. When `empty`, nothing valid remains
 * and all memory is given back. */
void strip_release(struct strip *strip, struct block_pool *pool, seq_t to, bool empty);
