/* CUBIC, RFC 9438.
 *
 * In congestion avoidance the window follows W_cubic(t) = C * (t - K)^3 + W_max, t being the time since the epoch
 * began: concave towards W_max, the window at the last congestion, and convex beyond it. Where standard TCP would
 * have more (short round trips, small windows) the window follows W_est, its estimate of that. The RFC counts
 * segments and seconds; here W is in bytes, so C * x^3 is multiplied by the segment size.
 *
 * The state is one cache line, for a daemon may hold a hundred thousand of them. Hence times are counted in units of
 * 2^16 ns (65.5 us; they wrap after 78 hours, and a wrong t only makes growth slower or bounded by half a window per
 * round trip), windows, which the host limits to 2^30, are 32 bits wide, and what only an undo needs is single
 * precision. */
#include "tapstack/congestion.h"

#include <math.h>
#include <stdbool.h>

#define C_SCALE 1000.0    /* of struct cubic.c */
#define BETA_SCALE 1000.0 /* of struct cubic.beta */
#define CREDIT_SCALE 65536.0
#define TIME_SHIFT 16
#define SECONDS_PER_UNIT (65536e-9)

/* RFC 3465 limits what one ACK may add in slow start. The classic two segments would punish receivers that
 * acknowledge a whole super-frame of segmentation offload at once: one of those counts in full. After a timeout one
 * ACK may report much that had arrived long before: then one segment, as RFC 3465 section 2.3 says. */
#define ABC_LIMIT_BYTES 65536u

#define WINDOW_UNKNOWN UINT32_MAX /* ssthresh before the first congestion */

enum {
	HAS_EPOCH = 1, /* epoch, k and w_est hold */
	HAS_UNDO = 2,  /* undo holds */
	AFTER_RTO = 4, /* slow start after a timeout */
	FAST_CONVERGENCE = 8,
	FRIENDLY = 16,   /* follow standard TCP where that is faster */
	UNDO_EPOCH = 32, /* HAS_EPOCH as it was before the last congestion */
};

struct cubic {
	uint16_t c, beta; /* scaled */
	uint16_t credit;  /* growth below one byte, scaled */
	uint8_t flags;
	uint8_t initial_segments; /* initial window, for restarts after idle times */
	float w_max;              /* bytes */
	float k;                  /* seconds */
	double w_est;             /* bytes */
	uint32_t epoch, last;     /* units: when the epoch began; when it was last looked at */
	uint32_t cwnd_prior;      /* at the last congestion */
	/* As they were before the last congestion: RFC 9438 section 4.9. */
	uint32_t undo_cwnd, undo_ssthresh, undo_cwnd_prior, undo_epoch;
	float undo_w_max, undo_k, undo_w_est;
};

_Static_assert(sizeof(struct cubic) == 64, "one cache line for each connection");

static double beta_of(const struct cubic *cubic)
{
	return cubic->beta / BETA_SCALE;
}

static uint32_t units(int64_t ns)
{
	return (uint32_t)((uint64_t)ns >> TIME_SHIFT);
}

static uint64_t at_least(uint64_t value, uint64_t floor)
{
	return value < floor ? floor : value;
}

static uint32_t narrow(uint64_t window)
{
	return window >= WINDOW_UNKNOWN ? WINDOW_UNKNOWN : (uint32_t)window;
}

/* The time since the last look does not count: nothing could have been sent that the window would have held back
 * (RFC 9438 section 5.8). */
static void hold_epoch(struct cubic *cubic, uint32_t now)
{
	cubic->epoch += now - cubic->last;
	cubic->last = now;
}

static void begin_epoch(struct cubic *cubic, uint32_t now, double cwnd, double mss)
{
	cubic->epoch = cubic->last = now;
	cubic->w_est = cwnd;
	cubic->credit = 0;
	cubic->flags |= HAS_EPOCH;
	/* w_max is single precision: what is less than a segment below it has reached it. */
	if (cwnd + mss <= (double)cubic->w_max) {
		cubic->k = (float)cbrt(((double)cubic->w_max - cwnd) / mss / (cubic->c / C_SCALE));
		return;
	}
	/* No congestion yet, a timeout since, or grown beyond it: the convex half only. */
	cubic->k = 0;
	cubic->w_max = (float)cwnd;
}

static double w_cubic(const struct cubic *cubic, double t, double mss)
{
	double x = t - (double)cubic->k;

	return cubic->c / C_SCALE * x * x * x * mss + (double)cubic->w_max;
}

/* RFC 9438 section 4.3: what standard TCP with this beta would have reached. */
static void grow_estimate(struct cubic *cubic, double acked, double cwnd, double mss)
{
	double beta = beta_of(cubic), alpha = 1;

	if (cubic->w_est < cubic->cwnd_prior)
		alpha = 3 * (1 - beta) / (1 + beta);
	cubic->w_est += alpha * acked / cwnd * mss;
}

/* Where the curve will be in one round trip is reached in as many steps as there are ACKs till then. */
static void follow_curve(struct cubic *cubic, const struct tapstack_cc_sample *sample, double t, uint64_t acked,
                         struct tapstack_cc_decision *decision)
{
	double cwnd = (double)decision->cwnd_bytes, growth, whole;
	double target = w_cubic(cubic, t + (double)sample->srtt_ns * 1e-9, sample->mss_bytes);

	target = target < cwnd ? cwnd : target > 1.5 * cwnd ? 1.5 * cwnd : target;
	growth = (target - cwnd) / cwnd * (double)acked + cubic->credit / CREDIT_SCALE;
	whole = floor(growth);
	cubic->credit = (uint16_t)((growth - whole) * CREDIT_SCALE);
	decision->cwnd_bytes += (uint64_t)whole;
}

/* Congestion avoidance: `acked` bytes have left the network. */
static void avoid(struct cubic *cubic, const struct tapstack_cc_sample *sample, uint64_t acked,
                  struct tapstack_cc_decision *decision)
{
	double cwnd = (double)decision->cwnd_bytes, mss = sample->mss_bytes, t;
	uint32_t now = units(sample->now_ns);

	if ((cubic->flags & HAS_EPOCH) == 0)
		begin_epoch(cubic, now, cwnd, mss);
	if (!sample->cwnd_limited) {
		hold_epoch(cubic, now);
		return;
	}
	cubic->last = now;
	t = (now - cubic->epoch) * SECONDS_PER_UNIT;
	grow_estimate(cubic, (double)acked, cwnd, mss);
	if ((cubic->flags & FRIENDLY) == 0 || w_cubic(cubic, t, mss) >= cubic->w_est)
		follow_curve(cubic, sample, t, acked, decision);
	else if (cubic->w_est > cwnd)
		decision->cwnd_bytes = (uint64_t)cubic->w_est;
}

/* RFC 5681 section 3.1 with RFC 3465. Returns the bytes of the ACK that are left for congestion avoidance. */
static uint64_t slow_start(struct cubic *cubic, const struct tapstack_cc_sample *sample,
                           struct tapstack_cc_decision *decision)
{
	uint64_t limit = (cubic->flags & AFTER_RTO) != 0 ? sample->mss_bytes : ABC_LIMIT_BYTES;
	uint64_t growth = sample->acked_bytes < limit ? sample->acked_bytes : limit;
	uint64_t room = decision->ssthresh_bytes - decision->cwnd_bytes;

	hold_epoch(cubic, units(sample->now_ns));
	if (!sample->cwnd_limited)
		return 0;
	if (growth < room) {
		decision->cwnd_bytes += growth;
		return 0;
	}
	decision->cwnd_bytes = decision->ssthresh_bytes;
	cubic->flags &= (uint8_t)~AFTER_RTO;
	return growth - room;
}

static void cubic_on_ack(void *state, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	struct cubic *cubic = state;
	uint64_t acked = sample->acked_bytes;

	if (sample->in_recovery || sample->ece || acked == 0)
		return;
	if (decision->cwnd_bytes < decision->ssthresh_bytes)
		acked = slow_start(cubic, sample, decision);
	if (acked > 0)
		avoid(cubic, sample, acked, decision);
}

static void remember(struct cubic *cubic, const struct tapstack_cc_decision *decision)
{
	cubic->undo_cwnd = narrow(decision->cwnd_bytes);
	cubic->undo_ssthresh = narrow(decision->ssthresh_bytes);
	cubic->undo_cwnd_prior = cubic->cwnd_prior;
	cubic->undo_epoch = cubic->epoch;
	cubic->undo_w_max = cubic->w_max;
	cubic->undo_k = cubic->k;
	cubic->undo_w_est = (float)cubic->w_est;
	cubic->flags &= (uint8_t)~UNDO_EPOCH;
	cubic->flags |= HAS_UNDO | ((cubic->flags & HAS_EPOCH) != 0 ? UNDO_EPOCH : 0);
}

static void undo(struct cubic *cubic, struct tapstack_cc_decision *decision)
{
	if ((cubic->flags & HAS_UNDO) == 0)
		return;
	decision->cwnd_bytes = at_least(decision->cwnd_bytes, cubic->undo_cwnd);
	decision->ssthresh_bytes = cubic->undo_ssthresh == WINDOW_UNKNOWN ? UINT64_MAX : cubic->undo_ssthresh;
	cubic->cwnd_prior = cubic->undo_cwnd_prior;
	cubic->epoch = cubic->undo_epoch;
	cubic->w_max = cubic->undo_w_max;
	cubic->k = cubic->undo_k;
	cubic->w_est = (double)cubic->undo_w_est;
	cubic->flags &= (uint8_t) ~(HAS_UNDO | AFTER_RTO | HAS_EPOCH);
	if ((cubic->flags & UNDO_EPOCH) != 0)
		cubic->flags |= HAS_EPOCH;
}

/* RFC 9438 sections 4.6 and 4.7. */
static void reduce(struct cubic *cubic, const struct tapstack_cc_sample *sample,
                   struct tapstack_cc_decision *decision)
{
	uint64_t cwnd = decision->cwnd_bytes, flight = cwnd;
	double beta = beta_of(cubic);

	remember(cubic, decision);
	/* A window that was not used says nothing about the path. */
	if (!sample->cwnd_limited && sample->inflight_before_bytes > 0 && sample->inflight_before_bytes < cwnd)
		flight = sample->inflight_before_bytes;
	if ((cubic->flags & FAST_CONVERGENCE) != 0 && (double)cwnd < (double)cubic->w_max)
		cubic->w_max = (float)((double)cwnd * (1 + beta) / 2);
	else
		cubic->w_max = (float)cwnd;
	cubic->cwnd_prior = narrow(cwnd);
	decision->ssthresh_bytes = at_least((uint64_t)((double)flight * beta), 2 * (uint64_t)sample->mss_bytes);
	cubic->flags &= (uint8_t)~HAS_EPOCH;
}

/* RFC 9438 section 4.8. When the same segment times out again (the window is still the loss window), ssthresh stays
 * (RFC 5681 section 3.1). */
static void timeout(struct cubic *cubic, const struct tapstack_cc_sample *sample,
                    struct tapstack_cc_decision *decision)
{
	bool again = (cubic->flags & AFTER_RTO) != 0 && decision->cwnd_bytes <= sample->mss_bytes;

	if (!again)
		reduce(cubic, sample, decision);
	cubic->flags |= AFTER_RTO;
	cubic->flags &= (uint8_t)~HAS_EPOCH;
	cubic->w_max = 0; /* the next epoch begins from what slow start reaches, with K = 0 */
	decision->cwnd_bytes = sample->mss_bytes;
}

/* RFC 5681 section 4.1: the restart window; ssthresh remembers what was in use (RFC 2861). */
static void restart(struct cubic *cubic, const struct tapstack_cc_sample *sample,
                    struct tapstack_cc_decision *decision)
{
	uint64_t window = (uint64_t)cubic->initial_segments * sample->mss_bytes, cwnd = decision->cwnd_bytes;

	hold_epoch(cubic, units(sample->now_ns));
	if (cwnd <= window)
		return;
	decision->ssthresh_bytes = at_least(decision->ssthresh_bytes, cwnd / 4 * 3);
	decision->cwnd_bytes = window;
}

static void cubic_on_event(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
                           struct tapstack_cc_decision *decision)
{
	struct cubic *cubic = state;

	switch (event) {
	case TAPSTACK_CC_LOSS:
	case TAPSTACK_CC_ECN:
		reduce(cubic, sample, decision);
		decision->cwnd_bytes = decision->ssthresh_bytes;
		break;
	case TAPSTACK_CC_RTO:
		timeout(cubic, sample, decision);
		break;
	case TAPSTACK_CC_UNDO:
		undo(cubic, decision);
		break;
	case TAPSTACK_CC_RECOVERED:
		cubic->flags &= (uint8_t)~AFTER_RTO;
		break;
	case TAPSTACK_CC_IDLE_RESTART:
		restart(cubic, sample, decision);
		break;
	case TAPSTACK_CC_MTU_CHANGED:
		cubic->flags &= (uint8_t)~HAS_EPOCH; /* K depends on the segment size */
		break;
	default:
		break;
	}
}

enum { PARAM_C, PARAM_BETA, PARAM_FAST_CONVERGENCE, PARAM_FRIENDLY, PARAM_COUNT };

static int cubic_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                      struct tapstack_cc_decision *decision)
{
	struct cubic *cubic = state;
	uint64_t segments = env->mss_bytes == 0 ? 0 : env->initial_cwnd_bytes / env->mss_bytes;

	(void)decision;
	if (params->count < PARAM_COUNT)
		return -1;
	*cubic = (struct cubic){
		.c = (uint16_t)lround(params->value[PARAM_C].number * C_SCALE),
		.beta = (uint16_t)lround(params->value[PARAM_BETA].number * BETA_SCALE),
		.initial_segments = (uint8_t)(segments == 0          ? 1
		                              : segments > UINT8_MAX ? UINT8_MAX
		                                                     : segments),
		.last = units(env->now_ns),
	};
	if (params->value[PARAM_FAST_CONVERGENCE].number != 0)
		cubic->flags |= FAST_CONVERGENCE;
	if (params->value[PARAM_FRIENDLY].number != 0)
		cubic->flags |= FRIENDLY;
	return 0;
}

static void cubic_outputs(const void *state, double *values)
{
	const struct cubic *cubic = state;

	values[0] = (double)cubic->w_max;
	values[1] = (double)cubic->k * 1e9;
	values[2] = cubic->w_est;
}

static const struct tapstack_param_spec params[] = {
	[PARAM_C] = { "c", "", "how steep the curve is", TAPSTACK_PARAM_NUMBER, 0, 0.01, 10, 0.4, NULL },
	[PARAM_BETA] = { "beta", "", "what is left of the window after congestion", TAPSTACK_PARAM_NUMBER, 0, 0.1,
	                 0.95, 0.7, NULL },
	[PARAM_FAST_CONVERGENCE] = { "fast_convergence", "", "1: make room for new flows sooner; 0: don't",
	                             TAPSTACK_PARAM_NUMBER, 0, 0, 1, 1, NULL },
	[PARAM_FRIENDLY] = { "friendly", "", "1: be no slower than standard TCP; 0: follow the curve only",
	                     TAPSTACK_PARAM_NUMBER, 0, 0, 1, 1, NULL },
};

static const struct tapstack_output_spec outputs[] = {
	{ "w_max", "bytes", "window at the last congestion, after fast convergence" },
	{ "k", "ns", "time the curve takes to reach w_max" },
	{ "w_est", "bytes", "window that standard TCP would have" },
};

static const struct tapstack_cc_ops ops = {
	.struct_size = sizeof(ops),
	.flags = TAPSTACK_CC_ECT0,
	.state_size = sizeof(struct cubic),
	.init = cubic_init,
	.on_ack = cubic_on_ack,
	.on_event = cubic_on_event,
	.outputs = cubic_outputs,
};

const struct tapstack_plugin tapstack_plugin = {
	TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_CONGESTION),
	.name = "cubic",
	.version = "1.0",
	.licence = "MIT",
	.description = "CUBIC (RFC 9438)",
	.params = params,
	.param_count = sizeof(params) / sizeof(params[0]),
	.outputs = outputs,
	.output_count = sizeof(outputs) / sizeof(outputs[0]),
	.ops = &ops,
};
