#pragma once
/* Round-trip time estimation and the retransmission time-out of RFC 6298. A value type: no connection inside.
 * Invariant: rto_min <= rto <= rto_max (by the arguments given); srtt is 0 until the first measurement. */
#include "core/base/time.h"

struct rtt_estimator {
	struct duration srtt, rttvar, rto, min;
};

/* Section 2.1: before any measurement RTO is the initial one. */
static inline void rtt_init(struct rtt_estimator *rtt, struct duration rto_initial)
{
	*rtt = (struct rtt_estimator){ .rto = rto_initial };
}

/* Sections 2.2 and 2.3. `sample` must not stem from a retransmitted segment (Karn), unless told apart by timestamps.
 */
static inline void rtt_sample(struct rtt_estimator *rtt, struct duration sample, struct duration rto_min,
                              struct duration rto_max)
{
	int64_t r = sample.ns < 1 ? 1 : sample.ns;
	int64_t deviation, spread;

	if (rtt->srtt.ns == 0) {
		rtt->srtt.ns = r;
		rtt->rttvar.ns = r / 2;
	} else {
		deviation = rtt->srtt.ns > r ? rtt->srtt.ns - r : r - rtt->srtt.ns;
		rtt->rttvar.ns += (deviation - rtt->rttvar.ns) / 4;
		rtt->srtt.ns += (r - rtt->srtt.ns) / 8;
		if (rtt->srtt.ns < 1)
			rtt->srtt.ns = 1;
	}
	if (rtt->min.ns == 0 || r < rtt->min.ns)
		rtt->min.ns = r;
	/* The variance term may not vanish below the minimum: a steady path would else time out at its first hiccup.
	 */
	spread = 4 * rtt->rttvar.ns > rto_min.ns ? 4 * rtt->rttvar.ns : rto_min.ns;
	rtt->rto.ns = rtt->srtt.ns + spread;
	rtt->rto = duration_min(rtt->rto, rto_max);
}

/* RFC 4015 section 3.1 step ADAPT: a time-out was spurious, and `sample` is how long the path really takes now. */
static inline void rtt_after_spurious_timeout(struct rtt_estimator *rtt, struct duration sample,
                                              struct duration rto_min, struct duration rto_max)
{
	int64_t spread;

	rtt->srtt = duration_max(rtt->srtt, sample);
	rtt->rttvar = duration_max(rtt->rttvar, (struct duration){ sample.ns / 2 });
	spread = 4 * rtt->rttvar.ns > rto_min.ns ? 4 * rtt->rttvar.ns : rto_min.ns;
	rtt->rto = duration_min((struct duration){ rtt->srtt.ns + spread }, rto_max);
}

/* Section 5.5: RTO after `backoff` time-outs in a row. */
static inline struct duration rtt_backed_off(const struct rtt_estimator *rtt, unsigned backoff,
                                             struct duration rto_max)
{
	struct duration rto = rtt->rto;

	while (backoff-- > 0 && rto.ns < rto_max.ns)
		rto.ns *= 2;
	return duration_min(rto, rto_max);
}
