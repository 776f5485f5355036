#pragma once
/* Was the latest repair needless? By timestamps: the ACK that ends the wait was caused by something sent before the
 * first retransmission (Eifel detection, RFC 3522). By D-SACK: the peer had all that was sent again already (RFC
 * 2883, 3708). A value type: no connection inside.
 *
 * Invariant: unclaimed never counts more than what was sent again. */
#include "core/base/seq.h"

#include <stdbool.h>
#include <stdint.h>

struct undo {
	bool armed;  /* an episode can be undone */
	bool resent; /* something was sent again in it */
	bool over;   /* it ended; D-SACKs may still come until `until` is acknowledged */
	seq_t until;
	seq_t low, high;    /* between these lies what was sent again; valid with `resent` */
	uint32_t stamp_ms;  /* timestamp clock at the first retransmission */
	uint32_t unclaimed; /* bytes sent again that no D-SACK has reported yet */
};

static inline void undo_begin(struct undo *undo)
{
	*undo = (struct undo){ .armed = true };
}

static inline void undo_end(struct undo *undo)
{
	*undo = (struct undo){ 0 };
}

/* [start, end) goes out again, while the timestamp clock shows clock_ms. */
static inline void undo_retransmitted(struct undo *undo, seq_t start, seq_t end, uint32_t clock_ms)
{
	if (!undo->resent) {
		undo->stamp_ms = clock_ms;
		undo->low = start;
		undo->high = end;
	}
	undo->resent = true;
	undo->low = seq_min(undo->low, start);
	undo->high = seq_max(undo->high, end);
	undo->unclaimed += (uint32_t)seq_diff(end, start);
}

/* Recovery is over: what was sent again may yet turn out needless within a round trip. */
static inline void undo_recovered(struct undo *undo, seq_t snd_nxt)
{
	undo->over = true;
	undo->until = snd_nxt;
}

static inline void undo_acked(struct undo *undo, seq_t snd_una)
{
	if (undo->armed && undo->over && seq_gt(snd_una, undo->until))
		undo_end(undo);
}

/* The peer has received [start, end) twice. Returns whether that makes the whole episode needless. What the network
 * has doubled by itself does not count, unless it lies between two retransmissions. */
static inline bool undo_by_dsack(struct undo *undo, seq_t start, seq_t end)
{
	uint32_t bytes = (uint32_t)seq_diff(end, start);

	if (!undo->armed || !undo->resent || seq_lt(start, undo->low) || seq_gt(end, undo->high))
		return false;
	undo->unclaimed = undo->unclaimed > bytes ? undo->unclaimed - bytes : 0;
	return undo->unclaimed == 0;
}

/* An ACK that advances echoes `tsecr_ms` of the timestamp clock. */
static inline bool undo_by_timestamp(const struct undo *undo, uint32_t tsecr_ms)
{
	return undo->armed && undo->resent && !undo->over && (int32_t)(tsecr_ms - undo->stamp_ms) < 0;
}
