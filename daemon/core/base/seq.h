#pragma once
/* TCP sequence numbers (RFC 9293 section 3.4): a position modulo 2^32, as a type of its own, so that a position and a
 * length can't be mixed. Comparison is by signed distance: right while the two lie within 2^31 of each other. */
#include <stdbool.h>
#include <stdint.h>

typedef struct {
	uint32_t v;
} seq_t;

#define SEQ(x) ((seq_t){ (uint32_t)(x) })

static inline seq_t seq_add(seq_t a, uint32_t n)
{
	return (seq_t){ a.v + n };
}

static inline seq_t seq_sub(seq_t a, uint32_t n)
{
	return (seq_t){ a.v - n };
}

/* a - b as a signed distance. */
static inline int32_t seq_diff(seq_t a, seq_t b)
{
	return (int32_t)(a.v - b.v);
}

static inline bool seq_eq(seq_t a, seq_t b)
{
	return a.v == b.v;
}

static inline bool seq_lt(seq_t a, seq_t b)
{
	return seq_diff(a, b) < 0;
}

static inline bool seq_leq(seq_t a, seq_t b)
{
	return seq_diff(a, b) <= 0;
}

static inline bool seq_gt(seq_t a, seq_t b)
{
	return seq_diff(a, b) > 0;
}

static inline bool seq_geq(seq_t a, seq_t b)
{
	return seq_diff(a, b) >= 0;
}

static inline seq_t seq_max(seq_t a, seq_t b)
{
	return seq_gt(a, b) ? a : b;
}

static inline seq_t seq_min(seq_t a, seq_t b)
{
	return seq_lt(a, b) ? a : b;
}
