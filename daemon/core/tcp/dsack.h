#pragma once
/* D-SACK (RFC 2883). The receiver's half: which segments came twice, each to be reported once, in the first block of
 * an ACK. The sender's half: what a SACK option says about duplicates. Value types: no connection inside. */
#include "core/base/seq.h"
#include "core/wire/tcp.h"

#include <stdbool.h>
#include <stdint.h>

#define DSACK_PENDING_MAX 4 /* in one turn; what comes beyond is not reported: D-SACK is a hint */

struct dsack_queue {
	struct tcp_sack_block range[DSACK_PENDING_MAX];
	uint32_t count;
};

/* [start, end) came again. Ranges that touch are reported as one. */
static inline void dsack_note(struct dsack_queue *queue, seq_t start, seq_t end)
{
	struct tcp_sack_block *last = queue->count > 0 ? &queue->range[queue->count - 1] : NULL;

	if (last && seq_eq(last->end, start))
		last->end = end;
	else if (queue->count < DSACK_PENDING_MAX)
		queue->range[queue->count++] = (struct tcp_sack_block){ start, end };
}

/* The oldest not yet reported; false: none. */
static inline bool dsack_take(struct dsack_queue *queue, struct tcp_sack_block *ret_range)
{
	if (queue->count == 0)
		return false;
	*ret_range = queue->range[0];
	queue->count--;
	for (uint32_t i = 0; i < queue->count; i++)
		queue->range[i] = queue->range[i + 1];
	return true;
}

/* Section 4: does the first block report a duplicate: something below the segment's ACK, or inside the second block?
 */
static inline bool dsack_in_option(const struct tcp_options *options, seq_t ack)
{
	const struct tcp_sack_block *block = options->sack;

	if (options->sack_count == 0)
		return false;
	if (seq_lt(block[0].start, ack))
		return true;
	return options->sack_count > 1 && seq_leq(block[1].start, block[0].start) &&
	       seq_leq(block[0].end, block[1].end);
}
