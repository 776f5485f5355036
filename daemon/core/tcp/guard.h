#pragma once
/* Guard rails: what a congestion algorithm may decide, and how often it may be wrong. Value types: no connection
 * inside.
 *
 * A decision out of bounds is an offence each time. A callback that takes too long is one as well, but on a busy
 * machine it may have been interrupted: GUARD_FORGIVES callbacks in time make one that was not forgotten, so that
 * only an algorithm that is slow often runs out of them. Zeroed, a guard is as new. */
#include "core/stack.h"

#define GUARD_OFFENCES_MAX 8
#define GUARD_FORGIVES 64
#define GUARD_CWND_MAX (1u << 30)
#define GUARD_PACING_MAX (1ull << 40)

struct guard {
	uint8_t wrong; /* decisions out of bounds */
	uint8_t slow;  /* callbacks that took too long, and are not forgotten */
	uint8_t timely;
	uint8_t seen;            /* enum stack_offence */
	uint64_t cwnd_wanted;    /* the least; valid with STACK_OFFENCE_WINDOW */
	uint64_t pacing_wanted;  /* the least; valid with STACK_OFFENCE_PACING */
	struct duration longest; /* callback of those that took too long */
};

/* The least rate: a segment a round trip, or a second as long as that is not known. On a short path that would be
 * much, and whoever means to be slow could not: a round trip counts as 10 ms at least. */
static inline uint64_t guard_pacing_floor(uint32_t mss, struct duration srtt)
{
	return srtt.ns > 0 ? mss * 1000000000ull / (uint64_t)duration_max(srtt, DURATION_MS(10)).ns : mss;
}

/* Brings a decision within bounds. Returns which of them it broke (enum stack_offence); what is out of bounds only
 * because these have moved, and stands as it was `before`, breaks none. */
static inline unsigned guard_bound(struct tapstack_cc_decision *decision, const struct tapstack_cc_decision *before,
                                   uint32_t mss, struct duration srtt)
{
	uint64_t floor = guard_pacing_floor(mss, srtt);
	unsigned offences = 0;

	if (decision->cwnd_bytes < mss) {
		offences |= decision->cwnd_bytes != before->cwnd_bytes ? STACK_OFFENCE_WINDOW : 0u;
		decision->cwnd_bytes = mss;
	}
	if (decision->cwnd_bytes > GUARD_CWND_MAX)
		decision->cwnd_bytes = GUARD_CWND_MAX;
	if (decision->ssthresh_bytes < mss)
		decision->ssthresh_bytes = mss;
	if (decision->ssthresh_bytes > GUARD_CWND_MAX)
		decision->ssthresh_bytes = UINT64_MAX;
	if (decision->pacing_bytes_per_s > 0 && decision->pacing_bytes_per_s < floor) {
		offences |= decision->pacing_bytes_per_s != before->pacing_bytes_per_s ? STACK_OFFENCE_PACING : 0u;
		decision->pacing_bytes_per_s = floor;
	}
	if (decision->pacing_bytes_per_s > GUARD_PACING_MAX)
		decision->pacing_bytes_per_s = GUARD_PACING_MAX;
	return offences;
}

/* Notes offences, what was asked for, and how long the callback took. Returns whether they are too many now. */
static inline bool guard_note(struct guard *guard, unsigned offences, const struct tapstack_cc_decision *asked,
                              struct duration took)
{
	if ((offences & STACK_OFFENCE_WINDOW) &&
	    (!(guard->seen & STACK_OFFENCE_WINDOW) || asked->cwnd_bytes < guard->cwnd_wanted))
		guard->cwnd_wanted = asked->cwnd_bytes;
	if ((offences & STACK_OFFENCE_PACING) &&
	    (!(guard->seen & STACK_OFFENCE_PACING) || asked->pacing_bytes_per_s < guard->pacing_wanted))
		guard->pacing_wanted = asked->pacing_bytes_per_s;
	if (offences & STACK_OFFENCE_TIME) {
		guard->longest = duration_max(guard->longest, took);
		guard->slow++;
		guard->timely = 0;
	}
	guard->wrong += (offences & (STACK_OFFENCE_WINDOW | STACK_OFFENCE_PACING)) != 0;
	guard->seen |= (uint8_t)offences;
	return guard->wrong + guard->slow >= GUARD_OFFENCES_MAX;
}

/* A callback was in time. */
static inline void guard_forgive(struct guard *guard)
{
	if (guard->slow == 0 || ++guard->timely < GUARD_FORGIVES)
		return;
	guard->timely = 0;
	guard->slow--;
}
