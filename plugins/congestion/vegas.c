/* TCP Vegas (L. Brakmo and L. Peterson, "TCP Vegas: End to End Congestion Avoidance on a Global Internet", IEEE JSAC
 * 13(8), 1995).
 *
 * A window of cwnd should bring cwnd / BaseRTT bytes a second, BaseRTT being the round trip with empty queues; what
 * it brings is cwnd / RTT. The difference, times BaseRTT, is what lies in the queue of the bottleneck:
 *
 *     diff = cwnd - cwnd * BaseRTT / RTT
 *
 * Once in a round trip the window grows by a segment when diff is less than alpha segments, shrinks by one when it is
 * more than beta, and else stays. In slow start the window doubles in every other round trip; the one in between
 * shows what it did, and once diff is more than gamma, slow start is over. So no queue need overflow before a flow
 * learns of it, and flows of Vegas among themselves keep queues of a few packets. Against flows that fill the queue
 * Vegas gives way; and a BaseRTT measured while others had filled it makes a flow too bold.
 *
 * What differs from the paper: RTT is the least of the round, for a delayed ACK or a burst only lengthens it. At the
 * end of slow start the window becomes what fits on the path (Actual * BaseRTT), plus gamma, for all above it is in
 * the queue, and would leave it by one segment a round trip. Finding losses early and judging them once a window is
 * the host's affair; after them the window is halved, as RFC 5681 has it. BaseRTT is forgotten when the path may have
 * become another: after time-outs and idle times, when little of one's own is in any queue. */
#include "tapstack/congestion.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

/* With fewer measurements in a round, which may all be of delayed ACKs, Vegas knows nothing and grows as standard TCP
 * does. */
#define SAMPLES_MIN 3

struct vegas {
	const struct tapstack_param_value *value; /* by enum param */
	int64_t base_rtt, round_rtt;              /* ns; least ever and of this round; 0: none yet */
	uint64_t round_cwnd;                      /* when this round began, and when what it measures was sent */
	uint64_t prior_cwnd, prior_ssthresh;      /* before the last reduction, in case it proves needless */
	uint32_t samples;                         /* in this round */
	float diff;                               /* segments, as of the last round that was measured */
	uint16_t initial_segments;
	bool growing;       /* slow start: in this round the window doubles */
	bool after_timeout; /* slow start goes on with one segment for an ACK at most (RFC 3465 section 2.3) */
};
_Static_assert(sizeof(struct vegas) <= 64, "lies in the connection's record");

enum param { ALPHA, BETA, GAMMA, LOSS_BETA, ABC_LIMIT, PARAM_COUNT };

#define NUMBER TAPSTACK_PARAM_NUMBER, 0

static const struct tapstack_param_spec params[PARAM_COUNT] = {
	[ALPHA] = { "alpha", "segments", "fewer in the queue: grow", NUMBER, 0.5, 1000, 2, NULL },
	[BETA] = { "beta", "segments", "more in the queue: shrink; at least alpha", NUMBER, 0.5, 1000, 4, NULL },
	[GAMMA] = { "gamma", "segments", "more in the queue: slow start is over", NUMBER, 0.5, 1000, 1, NULL },
	[LOSS_BETA] = { "loss_beta", "", "what is left of the bytes in flight after a loss or a mark", NUMBER, 0.1,
	                0.95, 0.5, NULL },
	[ABC_LIMIT] = { "abc_limit", "bytes", "most that one ACK may add in slow start (L of RFC 3465)", NUMBER, 1000,
	                1 << 20, 65536, NULL },
};

static uint64_t least_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* What the round has shown to be in the queue, in segments. */
static double diff_of(const struct vegas *vegas, uint32_t mss)
{
	double waited = (double)(vegas->round_rtt - vegas->base_rtt) / (double)vegas->round_rtt;

	return (double)vegas->round_cwnd * waited / mss;
}

static int vegas_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *values,
                      struct tapstack_cc_decision *decision)
{
	uint64_t segments = env->mss_bytes > 0 ? env->initial_cwnd_bytes / env->mss_bytes : 0;
	struct vegas *vegas = state;

	if (values->count < PARAM_COUNT || values->value[ALPHA].number > values->value[BETA].number)
		return -1;
	vegas->value = values->value;
	vegas->initial_segments = (uint16_t)least_of(most_of(segments, 1), UINT16_MAX);
	vegas->base_rtt = env->min_rtt_ns;
	vegas->round_cwnd = decision->cwnd_bytes;
	vegas->growing = true;
	decision->pacing_bytes_per_s = 0; /* of the algorithm before */
	decision->burst_bytes_max = 0;
	return 0;
}

static void measure(struct vegas *vegas, int64_t rtt)
{
	if (rtt <= 0)
		return;
	if (vegas->base_rtt == 0 || rtt < vegas->base_rtt)
		vegas->base_rtt = rtt;
	if (vegas->round_rtt == 0 || rtt < vegas->round_rtt)
		vegas->round_rtt = rtt;
	vegas->samples++;
}

static void forget_base(struct vegas *vegas)
{
	vegas->base_rtt = vegas->round_rtt = 0;
	vegas->samples = 0;
}

/* ---- slow start ---------------------------------------------------------------------------------------------------
 */

static void end_slow_start(struct vegas *vegas, const struct tapstack_cc_sample *sample,
                           struct tapstack_cc_decision *decision)
{
	double fits = (double)vegas->round_cwnd * (double)vegas->base_rtt / (double)vegas->round_rtt;
	uint64_t window = (uint64_t)(fits + vegas->value[GAMMA].number * sample->mss_bytes);

	window = most_of(window, 2 * (uint64_t)sample->mss_bytes);
	decision->cwnd_bytes = least_of(decision->cwnd_bytes, window);
	decision->ssthresh_bytes = least_of(decision->ssthresh_bytes, decision->cwnd_bytes);
	vegas->after_timeout = false;
}

static void slow_start(struct vegas *vegas, const struct tapstack_cc_sample *sample,
                       struct tapstack_cc_decision *decision)
{
	uint64_t limit = vegas->after_timeout ? sample->mss_bytes : (uint64_t)vegas->value[ABC_LIMIT].number;
	uint64_t room = decision->ssthresh_bytes - decision->cwnd_bytes;

	if (vegas->samples >= SAMPLES_MIN) {
		vegas->diff = (float)diff_of(vegas, sample->mss_bytes);
		if ((double)vegas->diff > vegas->value[GAMMA].number) {
			end_slow_start(vegas, sample, decision);
			return;
		}
	}
	if (vegas->growing && sample->cwnd_limited)
		decision->cwnd_bytes += least_of(least_of(sample->acked_bytes, limit), room);
}

/* ---- congestion avoidance -----------------------------------------------------------------------------------------
 */

/* A round is over. */
static void adjust(struct vegas *vegas, const struct tapstack_cc_sample *sample,
                   struct tapstack_cc_decision *decision)
{
	uint64_t mss = sample->mss_bytes;

	vegas->after_timeout = false;
	if (!sample->cwnd_limited) /* what was in flight was not cwnd */
		return;
	if (vegas->samples < SAMPLES_MIN) {
		decision->cwnd_bytes += mss;
		return;
	}
	vegas->diff = (float)diff_of(vegas, sample->mss_bytes);
	if ((double)vegas->diff < vegas->value[ALPHA].number) {
		decision->cwnd_bytes += mss;
	} else if ((double)vegas->diff > vegas->value[BETA].number) {
		decision->cwnd_bytes = most_of(decision->cwnd_bytes - least_of(mss, decision->cwnd_bytes), 2 * mss);
		decision->ssthresh_bytes = least_of(decision->ssthresh_bytes, decision->cwnd_bytes);
	}
}

static void vegas_on_ack(void *state, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	struct vegas *vegas = state;
	bool in_slow_start = decision->cwnd_bytes < decision->ssthresh_bytes;
	bool steers = !sample->in_recovery && !sample->ece;

	if (sample->round_start) {
		if (steers && !in_slow_start)
			adjust(vegas, sample, decision);
		vegas->growing = !vegas->growing;
		vegas->round_rtt = 0;
		vegas->samples = 0;
		vegas->round_cwnd = decision->cwnd_bytes;
	}
	measure(vegas, sample->rtt_ns);
	if (steers && in_slow_start)
		slow_start(vegas, sample, decision);
}

/* ---- events -------------------------------------------------------------------------------------------------------
 */

static void reduce(struct vegas *vegas, const struct tapstack_cc_sample *sample,
                   struct tapstack_cc_decision *decision)
{
	uint64_t left = (uint64_t)((double)sample->inflight_before_bytes * vegas->value[LOSS_BETA].number);

	vegas->prior_cwnd = decision->cwnd_bytes;
	vegas->prior_ssthresh = decision->ssthresh_bytes;
	decision->ssthresh_bytes = most_of(left, 2 * (uint64_t)sample->mss_bytes);
	decision->cwnd_bytes = decision->ssthresh_bytes;
}

static void vegas_on_event(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
                           struct tapstack_cc_decision *decision)
{
	struct vegas *vegas = state;

	switch (event) {
	case TAPSTACK_CC_LOSS:
	case TAPSTACK_CC_ECN:
		reduce(vegas, sample, decision);
		break;
	case TAPSTACK_CC_RTO:
		reduce(vegas, sample, decision);
		decision->cwnd_bytes = sample->mss_bytes;
		vegas->after_timeout = true;
		forget_base(vegas);
		break;
	case TAPSTACK_CC_UNDO:
		vegas->after_timeout = false;
		decision->cwnd_bytes = most_of(decision->cwnd_bytes, vegas->prior_cwnd);
		decision->ssthresh_bytes = most_of(decision->ssthresh_bytes, vegas->prior_ssthresh);
		break;
	case TAPSTACK_CC_IDLE_RESTART:
		decision->cwnd_bytes =
		        least_of(decision->cwnd_bytes, (uint64_t)vegas->initial_segments * sample->mss_bytes);
		forget_base(vegas);
		break;
	default:
		break;
	}
}

static void vegas_outputs(const void *state, double *values)
{
	const struct vegas *vegas = state;

	values[0] = (double)vegas->diff;
	values[1] = (double)vegas->base_rtt;
	values[2] = (double)vegas->round_rtt;
}

static const struct tapstack_output_spec outputs[] = {
	{ "diff", "segments", "in the queue, as the last round that was measured shows it" },
	{ "base_rtt", "ns", "round-trip time with empty queues" },
	{ "round_rtt", "ns", "least round-trip time of this round; 0: none measured yet" },
};

static int vegas_export(const void *state, char *text, size_t size)
{
	const struct vegas *vegas = state;

	return snprintf(text, size, "vegas1 %" PRId64 " %" PRIu64 " %" PRIu64 " %d", vegas->base_rtt,
	                vegas->prior_cwnd, vegas->prior_ssthresh, vegas->after_timeout);
}

static int vegas_import(void *state, const char *text, struct tapstack_cc_decision *decision)
{
	uint64_t prior_cwnd, prior_ssthresh;
	struct vegas *vegas = state;
	int after_timeout;
	int64_t base_rtt;

	(void)decision; /* cwnd and ssthresh are in it already */
	if (sscanf(text, "vegas1 %" SCNd64 " %" SCNu64 " %" SCNu64 " %d", &base_rtt, &prior_cwnd, &prior_ssthresh,
	           &after_timeout) != 4)
		return -1;
	vegas->base_rtt = base_rtt;
	vegas->prior_cwnd = prior_cwnd;
	vegas->prior_ssthresh = prior_ssthresh;
	vegas->after_timeout = after_timeout != 0;
	return 0;
}

static const struct tapstack_cc_ops ops = {
	.struct_size = sizeof(ops),
	.flags = TAPSTACK_CC_ECT0,
	.state_size = sizeof(struct vegas),
	.init = vegas_init,
	.on_ack = vegas_on_ack,
	.on_event = vegas_on_event,
	.outputs = vegas_outputs,
	.export_state = vegas_export,
	.import_state = vegas_import,
};

const struct tapstack_plugin tapstack_plugin = {
	TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_CONGESTION),
	.name = "vegas",
	.version = "1.0",
	.licence = "MIT",
	.description = "TCP Vegas (Brakmo and Peterson, 1995)",
	.params = params,
	.param_count = PARAM_COUNT,
	.outputs = outputs,
	.output_count = sizeof(outputs) / sizeof(outputs[0]),
	.ops = &ops,
};
