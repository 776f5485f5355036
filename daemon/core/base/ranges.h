#pragma once
/* A bounded, sorted set of disjoint, non-adjacent ranges [start, end) of sequence numbers: which out-of-order bytes
 * are held. The owner keeps all members within 2^31 of each other. */
#include "core/base/seq.h"

#define RANGES_MAX 64

struct seq_range {
	seq_t start, end;
	uint32_t stamp; /* when it was changed last: the greater, the later */
};

struct ranges {
	uint32_t count;
	uint32_t stamp; /* of the latest change */
	struct seq_range range[RANGES_MAX];
};

/* Adds [start, end), start < end, merging with what it touches. Returns false, and changes nothing, when that would
 * need more than RANGES_MAX ranges. */
bool ranges_add(struct ranges *ranges, seq_t start, seq_t end);

/* Forgets everything before `to`. */
void ranges_remove_before(struct ranges *ranges, seq_t to);

/* Is the whole of [start, end) held? */
bool ranges_contain(const struct ranges *ranges, seq_t start, seq_t end);

/* Bytes held in all. */
uint32_t ranges_bytes(const struct ranges *ranges);

/* The up to `max` ranges that were changed last, the latest first: RFC 2018 wants SACK blocks so. Returns how many.
 */
uint32_t ranges_recent(const struct ranges *ranges, struct seq_range *ret_recent, uint32_t max);
