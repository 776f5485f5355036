#pragma once
/* Pacing: bytes leave at a rate, in bursts of a quantum. A value type: no connection inside.
 *
 * Invariant: within any time t no more than rate * t plus two quanta leave; and while there is always something to
 * send and whoever asks is at most a quantum late, no less than rate * t minus a quantum. */
#include "core/base/time.h"

#include <stdint.h>

#define PACER_BURST_MAX 65536u /* a super-frame */

struct pacer {
	struct instant until; /* what has left takes up to then, at the rate; zeroed: nothing has */
};

/* What leaves at once where nobody asks for less: about a millisecond's worth, but two segments at least. */
static inline uint32_t pacer_quantum(uint64_t bytes_per_s, uint32_t mss)
{
	uint64_t quantum = bytes_per_s / 1000;

	if (quantum > PACER_BURST_MAX)
		quantum = PACER_BURST_MAX;
	return quantum < 2u * mss ? 2u * mss : (uint32_t)quantum;
}

/* The time that `bytes` (up to 2^30) take, rounded up. */
static inline struct duration pacer_time(uint64_t bytes, uint64_t bytes_per_s)
{
	return (struct duration){ (int64_t)((bytes * 1000000000u + bytes_per_s - 1) / bytes_per_s) };
}

/* `bytes` leave now. Returns when the next may: `now` as long as the quantum lasts. */
static inline struct instant pacer_sent(struct pacer *pacer, struct instant now, uint32_t bytes, uint64_t bytes_per_s,
                                        uint32_t quantum_bytes)
{
	struct duration quantum = pacer_time(quantum_bytes, bytes_per_s);

	/* What a late timer has cost is made good; time without anything to send is not. */
	if (pacer->until.ns < now.ns - quantum.ns)
		pacer->until = now;
	pacer->until = instant_add(pacer->until, pacer_time(bytes, bytes_per_s));
	return pacer->until.ns - now.ns >= quantum.ns ? pacer->until : now;
}
