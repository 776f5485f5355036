/* BBR on samples made by hand: the states and what leads from one to the next, the filters, the bounds, the window
 * and the rate. Sections are those of draft-ietf-ccwg-bbr-06; test A.n is of its appendix A. */
#include "tapstack/congestion.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MSS 1000u
#define MS INT64_C(1000000)
#define S INT64_C(1000000000)
#define ACKS 10u /* a round trip */

enum { STARTUP, DRAIN, DOWN, CRUISE, REFILL, UP, PROBE_RTT };
enum { OUT_STATE, OUT_BW, OUT_MAX_BW, OUT_MIN_RTT, OUT_LONGTERM, OUT_SHORTTERM, OUT_EXTRA_ACKED, OUT_PACING_GAIN };

/* One connection: what the host would tell, of a path that delivers `rate` bytes a second and has always a little
 * less than a bandwidth-delay product under way. */
struct flow {
	_Alignas(8) unsigned char state[TAPSTACK_CC_STATE_MAX];
	struct tapstack_cc_decision decision;
	int64_t now, rtt;
	uint64_t rate, delivered, lost;
	uint64_t inflight, tx_in_flight; /* 0: that */
	uint64_t newly_lost, lost_since; /* of the next ACKs */
	bool app_limited, cwnd_limited, no_rate;
};

static inline const struct tapstack_cc_ops *ops(void)
{
	return tapstack_plugin.ops;
}

static inline double output(const struct flow *flow, unsigned which)
{
	double values[8];

	assert_int_equal(tapstack_plugin.output_count, 8);
	ops()->outputs(flow->state, values);
	return values[which];
}

static inline int state_of(const struct flow *flow)
{
	return (int)output(flow, OUT_STATE);
}

static inline const struct tapstack_params *defaults(void)
{
	static struct tapstack_param_value values[32];
	static struct tapstack_params params = { sizeof(params), 0, values };

	params.count = tapstack_plugin.param_count;
	for (uint32_t i = 0; i < params.count; i++)
		values[i].number = tapstack_plugin.params[i].initial;
	return &params;
}

static inline double parameter(const char *name)
{
	for (uint32_t i = 0; i < tapstack_plugin.param_count; i++) {
		if (strcmp(tapstack_plugin.params[i].name, name) == 0)
			return tapstack_plugin.params[i].initial;
	}
	fail_msg("no parameter %s", name);
	return 0;
}

static inline struct tapstack_cc_env env_of(const struct flow *flow)
{
	return (struct tapstack_cc_env){ .struct_size = sizeof(struct tapstack_cc_env),
		                         .mss_bytes = MSS,
		                         .now_ns = flow->now,
		                         .initial_cwnd_bytes = 10 * MSS,
		                         .random = 7,
		                         .srtt_ns = flow->rtt,
		                         .min_rtt_ns = flow->rtt };
}

static inline void begin_with(struct flow *flow, uint64_t rate, int64_t rtt, uint32_t flags, uint64_t random)
{
	struct tapstack_cc_env env;

	memset(flow, 0, sizeof(*flow));
	flow->now = 1000 * S;
	flow->rate = rate;
	flow->rtt = rtt;
	flow->cwnd_limited = true;
	flow->decision = (struct tapstack_cc_decision){ .cwnd_bytes = 10 * MSS, .ssthresh_bytes = UINT64_MAX };
	env = env_of(flow);
	env.flags = flags;
	env.random = random;
	assert_int_equal(ops()->init(flow->state, &env, defaults(), &flow->decision), 0);
}

/* 100 ms; the rate is 100 segments a round trip. */
static inline void begin(struct flow *flow)
{
	begin_with(flow, 1000 * MSS, 100 * MS, 0, 7);
}

static inline uint64_t bdp(const struct flow *flow)
{
	return (uint64_t)((double)flow->rate * (double)flow->rtt / 1e9);
}

static inline uint64_t inflight_of(const struct flow *flow)
{
	return flow->inflight > 0 ? flow->inflight : bdp(flow) * 95 / 100;
}

static inline struct tapstack_cc_sample sample_of(const struct flow *flow)
{
	uint64_t under_way = bdp(flow) < flow->delivered ? bdp(flow) : flow->delivered;
	uint64_t inflight = inflight_of(flow);

	return (struct tapstack_cc_sample){
		.struct_size = sizeof(struct tapstack_cc_sample),
		.mss_bytes = MSS,
		.now_ns = flow->now,
		.rtt_ns = flow->rtt,
		.srtt_ns = flow->rtt,
		.min_rtt_ns = flow->rtt,
		.inflight_before_bytes = inflight,
		.inflight_bytes = inflight,
		.cwnd_limited = flow->cwnd_limited,
		.app_limited = flow->app_limited,
		.rate_interval_ns = flow->no_rate ? 0 : flow->rtt,
		.rate_delivered_bytes = bdp(flow),
		.sent_inflight_bytes = flow->tx_in_flight > 0 ? flow->tx_in_flight : inflight,
		.sent_delivered_bytes = flow->delivered - under_way,
		.sent_lost_bytes = flow->lost - flow->lost_since,
		.delivered_total_bytes = flow->delivered,
		.lost_total_bytes = flow->lost,
	};
}

static inline void ack(struct flow *flow, uint64_t bytes)
{
	struct tapstack_cc_sample sample;

	flow->delivered += bytes;
	sample = sample_of(flow);
	sample.acked_bytes = sample.delivered_bytes = bytes;
	sample.lost_bytes = flow->newly_lost;
	ops()->on_ack(flow->state, &sample, &flow->decision);
}

/* A tenth of a round trip. */
static inline void step(struct flow *flow)
{
	flow->now += flow->rtt / ACKS;
	ack(flow, bdp(flow) / ACKS);
}

static inline void round_trip(struct flow *flow)
{
	for (unsigned i = 0; i < ACKS; i++)
		step(flow);
}

static inline void event(struct flow *flow, uint32_t what)
{
	struct tapstack_cc_sample sample = sample_of(flow);

	sample.rtt_ns = -1;
	ops()->on_event(flow->state, what, &sample, &flow->decision);
}

/* One that was sent with so much in flight, and so much was lost since, itself included. */
static inline void lose(struct flow *flow, uint64_t bytes, uint64_t sent_inflight, uint64_t lost_since)
{
	struct tapstack_cc_lost lost = { .struct_size = sizeof(lost),
		                         .mss_bytes = MSS,
		                         .now_ns = flow->now,
		                         .bytes = bytes,
		                         .sent_inflight_bytes = sent_inflight,
		                         .delivered_total_bytes = flow->delivered,
		                         .sent_delivered_bytes = flow->delivered - bdp(flow),
		                         .app_limited = flow->app_limited };

	flow->lost += bytes;
	lost.lost_total_bytes = flow->lost;
	lost.sent_lost_bytes = flow->lost - lost_since;
	ops()->on_lost(flow->state, &lost, &flow->decision);
}

/* Steps until it is in this state; fails after so many round trips. */
static inline void until(struct flow *flow, int state, unsigned rounds)
{
	for (unsigned i = 0; i < rounds * ACKS; i++) {
		if (state_of(flow) == state)
			return;
		step(flow);
	}
	fail_msg("state %d, not %d, after %u round trips", state_of(flow), state, rounds);
}

static inline void until_cruise(struct flow *flow)
{
	until(flow, CRUISE, 25); /* with no more in flight than there is room for, DRAIN and DOWN are over at once */
	round_trip(flow);
	round_trip(flow);
}

/* The least round-trip time is seen again, so that PROBE_RTT does not come between. */
static inline void refresh_rtt(struct flow *flow)
{
	int64_t rtt = flow->rtt;

	flow->rtt -= 1; /* ns */
	step(flow);
	flow->rtt = rtt - 1;
}

#define ASSERT_NEAR(is, should, tolerance)                                                                           \
	do {                                                                                                         \
		double is_ = (double)(is), should_ = (double)(should);                                               \
		if (fabs(is_ - should_) > (tolerance)*should_)                                                       \
			fail_msg("line %d: %.1f, not %.1f", __LINE__, is_, should_);                                 \
	} while (0)

static inline void until_up(struct flow *flow)
{
	until_cruise(flow);
	refresh_rtt(flow);
	until(flow, UP, 40);
	for (unsigned i = 0; i < ACKS + 2; i++)
		step(flow);
	assert_int_equal(state_of(flow), UP);
}

/* So many ACKs in a round trip of STARTUP that find losses, where so much was lost since what they acknowledge was
 * sent. */
static inline void startup_losses(struct flow *flow, uint32_t flags, unsigned events, uint64_t lost_since)
{
	begin_with(flow, 1000 * MSS, 100 * MS, flags, 7);
	flow->app_limited = true; /* so that there is no other way out */
	for (unsigned i = 0; i < 5; i++)
		round_trip(flow);
	flow->tx_in_flight = bdp(flow);
	lose(flow, MSS, bdp(flow), MSS);
	event(flow, TAPSTACK_CC_LOSS);
	flow->lost += 100 * MSS;
	flow->lost_since = lost_since;
	flow->newly_lost = MSS;
	for (unsigned i = 0; i < events; i++)
		step(flow);
	flow->newly_lost = 0;
	for (unsigned i = events; i < ACKS + 1; i++)
		step(flow);
}
