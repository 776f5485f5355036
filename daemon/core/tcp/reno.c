/* The built-in congestion control: Reno with the NewReno response (RFC 5681, RFC 6582), counting bytes (RFC 3465). */
#include "core/tcp/engine.h"

/* What one ACK may add in slow start: RFC 3465 section 2.3, whose two segments are here one super-frame, which a
 * receiver with offloads acknowledges at once. */
#define ABC_LIMIT_BYTES 65536u

struct reno {
	uint64_t initial_cwnd;
	uint64_t prior_cwnd, prior_ssthresh; /* before the last reduction, for UNDO */
	uint64_t acked;                      /* towards the next full segment in congestion avoidance */
	bool after_timeout;                  /* slow start repairs: one segment an ACK */
};
_Static_assert(sizeof(struct reno) <= CC_INLINE_BYTES, "Reno lives in the connection record");

static int reno_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                     struct tapstack_cc_decision *decision)
{
	struct reno *reno = state;

	(void)params;
	(void)decision;
	reno->initial_cwnd = env->initial_cwnd_bytes;
	return 0;
}

static void reno_on_ack(void *state, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	struct reno *reno = state;

	if (sample->in_recovery || sample->ece || !sample->cwnd_limited)
		return;
	if (decision->cwnd_bytes < decision->ssthresh_bytes) {
		/* An ACK for a whole super-segment counts for all its bytes, or offloads would stifle slow start; the
		 * burst it allows is no larger than the one that was acknowledged. */
		uint64_t most = decision->ssthresh_bytes - decision->cwnd_bytes;
		uint64_t growth = sample->acked_bytes;

		if (growth > ABC_LIMIT_BYTES)
			growth = ABC_LIMIT_BYTES;
		if (reno->after_timeout && growth > sample->mss_bytes) /* RFC 3465 section 2.3 */
			growth = sample->mss_bytes;
		decision->cwnd_bytes += growth < most ? growth : most;
		return;
	}
	reno->after_timeout = false;
	reno->acked += sample->acked_bytes;
	while (reno->acked >= decision->cwnd_bytes) {
		reno->acked -= decision->cwnd_bytes;
		decision->cwnd_bytes += sample->mss_bytes;
	}
}

static void reduce(struct reno *reno, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	uint64_t half = sample->inflight_before_bytes / 2;
	uint64_t least = 2ull * sample->mss_bytes;

	reno->prior_cwnd = decision->cwnd_bytes;
	reno->prior_ssthresh = decision->ssthresh_bytes;
	reno->acked = 0;
	decision->ssthresh_bytes = half > least ? half : least;
}

static void reno_on_event(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
                          struct tapstack_cc_decision *decision)
{
	struct reno *reno = state;

	switch (event) {
	case TAPSTACK_CC_LOSS:
	case TAPSTACK_CC_ECN:
		reduce(reno, sample, decision);
		decision->cwnd_bytes = decision->ssthresh_bytes;
		break;
	case TAPSTACK_CC_RTO:
		reduce(reno, sample, decision);
		decision->cwnd_bytes = sample->mss_bytes;
		reno->after_timeout = true;
		break;
	case TAPSTACK_CC_UNDO:
		reno->after_timeout = false;
		if (decision->cwnd_bytes < reno->prior_cwnd)
			decision->cwnd_bytes = reno->prior_cwnd;
		if (decision->ssthresh_bytes < reno->prior_ssthresh)
			decision->ssthresh_bytes = reno->prior_ssthresh;
		break;
	case TAPSTACK_CC_IDLE_RESTART: /* RFC 5681 section 4.1 */
		if (decision->cwnd_bytes > reno->initial_cwnd)
			decision->cwnd_bytes = reno->initial_cwnd;
		break;
	default:
		break;
	}
}

static const struct tapstack_cc_ops reno_ops = {
	.struct_size = sizeof(struct tapstack_cc_ops),
	.flags = TAPSTACK_CC_ECT0,
	.state_size = sizeof(struct reno),
	.init = reno_init,
	.on_ack = reno_on_ack,
	.on_event = reno_on_event,
};

static const struct stack_congestion reno = {
	.name = "reno",
	.id = 0,
	.ops = &reno_ops,
	.params = { .struct_size = sizeof(struct tapstack_params) },
};

const struct stack_congestion *stack_builtin_reno(void)
{
	return &reno;
}
