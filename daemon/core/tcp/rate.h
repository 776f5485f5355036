#pragma once
/* How fast data is delivered (draft-cheng-iccrg-delivery-rate-estimation): of the bytes that an ACK reports, the rate
 * over the flight they were part of, measured both at sending and at arrival, the slower of which counts. Value
 * types: no connection inside. Invariant: delivered only grows. Zeroed, a sampler is as new; `delivered` may also
 * begin where one left off. */
#include "core/base/time.h"

#include <stdbool.h>
#include <stdint.h>

struct rate_sampler {
	uint64_t delivered;           /* bytes that are known to have arrived */
	struct instant delivered_at;  /* when the latest of them became known */
	struct instant first_sent_at; /* when the flight began that they were part of */
	uint64_t app_limited_until;   /* samples are app-limited until so much is delivered; valid with app_limited */
	bool app_limited;
};

/* What is kept with a segment in flight. */
struct rate_snapshot {
	/* Modulo 2^32. The last two are the caller's: what was in flight with it, and lost on the connection so far.
	 */
	uint32_t delivered, inflight, lost;
	bool app_limited;
	struct instant delivered_at, first_sent_at;
};

struct rate_sample {
	uint32_t delivered_bytes;
	struct duration interval; /* 0: no sample */
	bool app_limited;
};

/* A segment goes out; `idle`: nothing was in flight. */
static inline struct rate_snapshot rate_on_sent(struct rate_sampler *rate, struct instant now, bool idle)
{
	if (idle)
		rate->first_sent_at = rate->delivered_at = now;
	return (struct rate_snapshot){ .delivered = (uint32_t)rate->delivered,
		                       .delivered_at = rate->delivered_at,
		                       .first_sent_at = rate->first_sent_at,
		                       .app_limited = rate->app_limited };
}

/* The application has nothing to send, and the window would let more go; `inflight` bytes are still to be told of. */
static inline void rate_app_limited(struct rate_sampler *rate, uint32_t inflight)
{
	rate->app_limited = true;
	rate->app_limited_until = rate->delivered + (inflight > 0 ? inflight : 1);
}

/* An ACK has delivered `bytes`, the latest of them sent at `sent_at`, when `of` was kept with them. No sample when
 * the interval is shorter than `min_rtt` (0: not known): a retransmission was confused with what it repeats. */
static inline struct rate_sample rate_on_delivered(struct rate_sampler *rate, struct instant now, uint32_t bytes,
                                                   const struct rate_snapshot *of, struct instant sent_at,
                                                   struct duration min_rtt)
{
	struct duration sending = instant_sub(sent_at, of->first_sent_at), arriving;
	struct rate_sample sample = { .app_limited = of->app_limited };

	rate->delivered += bytes;
	rate->delivered_at = now;
	rate->first_sent_at = sent_at;
	if (rate->app_limited && rate->delivered > rate->app_limited_until)
		rate->app_limited = false;
	arriving = instant_sub(now, of->delivered_at);
	sample.delivered_bytes = (uint32_t)rate->delivered - of->delivered;
	sample.interval = duration_max(sending, arriving);
	if (sample.interval.ns < min_rtt.ns)
		sample.interval.ns = 0;
	return sample;
}

/* 0: none. */
static inline uint64_t rate_bytes_per_s(const struct rate_sample *sample)
{
	return sample->interval.ns > 0 ? sample->delivered_bytes * 1000000000ull / (uint64_t)sample->interval.ns : 0;
}
