/* CUBIC, RFC 9438, with HyStart++, RFC 9406.
 *
 * In congestion avoidance the window follows W_cubic(t) = C * (t - K)^3 + W_max, t being the time since the epoch
 * began: concave towards W_max, the window at the last congestion, and convex beyond it. Where standard TCP would
 * have more (short round trips, small windows) the window follows W_est, its estimate of that. The RFC counts
 * segments and seconds; here W is in bytes, so C * x^3 is multiplied by the segment size.
 *
 * The first slow start, before anything is known of the path, ends by HyStart++; later ones end at ssthresh (RFC 9406
 * section 4.3).
 *
 * The state is one cache line, for a daemon may hold a hundred thousand of them. Hence times are counted in units of
 * 2^16 ns (65.5 us; they wrap after 78 hours, and a wrong t only makes growth slower or bounded by half a window per
 * round trip), windows, which the host limits to 2^30, are 32 bits wide, what only an undo needs is single precision,
 * and HyStart++ lies where the curve will be, since there is no curve before the first slow start is over. */
#include "hystart.h"
#include "tapstack/congestion.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define CREDIT_SCALE 65536.0
#define TIME_SHIFT 16
#define SECONDS_PER_UNIT (65536e-9)

#define WINDOW_UNKNOWN UINT32_MAX /* ssthresh before the first congestion */

enum {
	HAS_EPOCH = 1,  /* epoch, k and w_est hold */
	HAS_UNDO = 2,   /* what begins with undo_ holds, and cwnd_prior is the window before the last congestion */
	AFTER_RTO = 4,  /* slow start after a timeout */
	UNDO_EPOCH = 8, /* HAS_EPOCH as it was before the last congestion */
	HYSTART = 16,   /* `hystart` holds, not the curve */
};

struct curve {
	float w_max;  /* bytes */
	float k;      /* seconds */
	double w_est; /* bytes */
};

struct cubic {
	const struct tapstack_param_value *value; /* by enum param */
	uint16_t credit;                          /* growth below one byte, scaled */
	uint8_t flags;
	uint8_t initial_segments; /* initial window, for restarts after idle times */
	uint32_t cwnd_prior;      /* at the last congestion */
	union {
		struct curve curve;
		struct hystart hystart; /* with HYSTART */
	};
	uint32_t epoch, last; /* units: when the epoch began; when it was last looked at */
	/* As they were before the last congestion: RFC 9438 section 4.9. */
	uint32_t undo_ssthresh, undo_cwnd_prior, undo_epoch;
	float undo_w_max, undo_k, undo_w_est;
};

_Static_assert(sizeof(struct cubic) == 64, "one cache line for each connection");

enum param {
	PARAM_C,
	PARAM_BETA,
	PARAM_FAST_CONVERGENCE,
	PARAM_FRIENDLY,
	PARAM_BETA_ECN,
	PARAM_ABC_LIMIT,
	PARAM_HYSTART,
	PARAM_MIN_RTT_THRESH,
	PARAM_MAX_RTT_THRESH,
	PARAM_MIN_RTT_DIVISOR,
	PARAM_RTT_SAMPLES,
	PARAM_CSS_GROWTH_DIVISOR,
	PARAM_CSS_ROUNDS,
	PARAM_COUNT
};

static double number(const struct cubic *cubic, enum param which)
{
	return cubic->value[which].number;
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

static void end_hystart(struct cubic *cubic)
{
	if ((cubic->flags & HYSTART) != 0)
		cubic->curve = (struct curve){ 0 };
	cubic->flags &= (uint8_t)~HYSTART;
}

static void begin_epoch(struct cubic *cubic, uint32_t now, double cwnd, double mss)
{
	cubic->epoch = cubic->last = now;
	cubic->curve.w_est = cwnd;
	cubic->credit = 0;
	cubic->flags |= HAS_EPOCH;
	/* w_max is single precision: what is less than a segment below it has reached it. */
	if (cwnd + mss <= (double)cubic->curve.w_max) {
		cubic->curve.k = (float)cbrt(((double)cubic->curve.w_max - cwnd) / mss / (number(cubic, PARAM_C)));
		return;
	}
	/* No congestion yet, a timeout since, or grown beyond it: the convex half only. */
	cubic->curve.k = 0;
	cubic->curve.w_max = (float)cwnd;
}

static double w_cubic(const struct cubic *cubic, double t, double mss)
{
	double x = t - (double)cubic->curve.k;

	return number(cubic, PARAM_C) * x * x * x * mss + (double)cubic->curve.w_max;
}

/* RFC 9438 section 4.3: what standard TCP with this beta would have reached. */
static void grow_estimate(struct cubic *cubic, double acked, double cwnd, double mss)
{
	double beta = number(cubic, PARAM_BETA), alpha = 1;

	if (cubic->curve.w_est < cubic->cwnd_prior)
		alpha = 3 * (1 - beta) / (1 + beta);
	cubic->curve.w_est += alpha * acked / cwnd * mss;
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
	if (number(cubic, PARAM_FRIENDLY) == 0 || w_cubic(cubic, t, mss) >= cubic->curve.w_est)
		follow_curve(cubic, sample, t, acked, decision);
	else if (cubic->curve.w_est > cwnd)
		decision->cwnd_bytes = (uint64_t)cubic->curve.w_est;
}

/* RFC 9406. Returns what is left of the growth in this slow start, `growth` of it at most; 0 when it is over. */
static uint64_t hystart_growth(struct cubic *cubic, const struct tapstack_cc_sample *sample, uint64_t growth,
                               struct tapstack_cc_decision *decision)
{
	const struct hystart_tuning tuning = {
		.min_thresh = (uint32_t)(number(cubic, PARAM_MIN_RTT_THRESH) / 1000),
		.max_thresh = (uint32_t)(number(cubic, PARAM_MAX_RTT_THRESH) / 1000),
		.min_rtt_divisor = number(cubic, PARAM_MIN_RTT_DIVISOR),
		.samples = (uint8_t)number(cubic, PARAM_RTT_SAMPLES),
		.css_rounds = (uint8_t)number(cubic, PARAM_CSS_ROUNDS),
	};

	if ((cubic->flags & HYSTART) == 0) {
		cubic->hystart = (struct hystart){ 0 };
		cubic->flags |= HYSTART;
	}
	switch (hystart_on_ack(&cubic->hystart, &tuning, sample->round_start, sample->rtt_ns)) {
	case HYSTART_CSS:
		return (uint64_t)((double)growth / number(cubic, PARAM_CSS_GROWTH_DIVISOR));
	case HYSTART_OVER:
		end_hystart(cubic);
		decision->ssthresh_bytes = decision->cwnd_bytes;
		return 0;
	default:
		return growth;
	}
}

/* RFC 5681 section 3.1 with RFC 3465. Returns the bytes of the ACK that are left for congestion avoidance. */
static uint64_t slow_start(struct cubic *cubic, const struct tapstack_cc_sample *sample,
                           struct tapstack_cc_decision *decision)
{
	uint64_t limit =
	        (cubic->flags & AFTER_RTO) != 0 ? sample->mss_bytes : (uint64_t)number(cubic, PARAM_ABC_LIMIT);
	uint64_t growth = sample->acked_bytes < limit ? sample->acked_bytes : limit;
	uint64_t room;

	hold_epoch(cubic, units(sample->now_ns));
	if (decision->ssthresh_bytes == UINT64_MAX && number(cubic, PARAM_HYSTART) != 0)
		growth = hystart_growth(cubic, sample, growth, decision);
	if (!sample->cwnd_limited)
		return 0;
	room = decision->ssthresh_bytes - decision->cwnd_bytes;
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
	cubic->undo_ssthresh = narrow(decision->ssthresh_bytes);
	cubic->undo_cwnd_prior = cubic->cwnd_prior;
	cubic->undo_epoch = cubic->epoch;
	cubic->undo_w_max = cubic->curve.w_max;
	cubic->undo_k = cubic->curve.k;
	cubic->undo_w_est = (float)cubic->curve.w_est;
	cubic->flags &= (uint8_t)~UNDO_EPOCH;
	cubic->flags |= HAS_UNDO | ((cubic->flags & HAS_EPOCH) != 0 ? UNDO_EPOCH : 0);
}

static void undo(struct cubic *cubic, struct tapstack_cc_decision *decision)
{
	if ((cubic->flags & HAS_UNDO) == 0)
		return;
	decision->cwnd_bytes = at_least(decision->cwnd_bytes, cubic->cwnd_prior);
	decision->ssthresh_bytes = cubic->undo_ssthresh == WINDOW_UNKNOWN ? UINT64_MAX : cubic->undo_ssthresh;
	cubic->cwnd_prior = cubic->undo_cwnd_prior;
	cubic->epoch = cubic->undo_epoch;
	cubic->curve.w_max = cubic->undo_w_max;
	cubic->curve.k = cubic->undo_k;
	cubic->curve.w_est = (double)cubic->undo_w_est;
	cubic->flags &= (uint8_t) ~(HAS_UNDO | AFTER_RTO | HAS_EPOCH);
	if ((cubic->flags & UNDO_EPOCH) != 0)
		cubic->flags |= HAS_EPOCH;
}

/* RFC 9438 sections 4.6 and 4.7: `beta` is what is left, `least` segments at least. */
static void reduce(struct cubic *cubic, const struct tapstack_cc_sample *sample, double beta, unsigned least,
                   struct tapstack_cc_decision *decision)
{
	uint64_t cwnd = decision->cwnd_bytes, flight = cwnd, left;

	end_hystart(cubic);
	remember(cubic, decision);
	/* A window that was not used says nothing about the path. */
	if (!sample->cwnd_limited && sample->inflight_before_bytes > 0 && sample->inflight_before_bytes < cwnd)
		flight = sample->inflight_before_bytes;
	if (number(cubic, PARAM_FAST_CONVERGENCE) != 0 && (double)cwnd < (double)cubic->curve.w_max)
		cubic->curve.w_max = (float)((double)cwnd * (1 + beta) / 2);
	else
		cubic->curve.w_max = (float)cwnd;
	cubic->cwnd_prior = narrow(cwnd);
	left = (uint64_t)((double)flight * beta);
	decision->cwnd_bytes = at_least(left, (uint64_t)least * sample->mss_bytes);
	decision->ssthresh_bytes = at_least(left, 2 * (uint64_t)sample->mss_bytes);
	cubic->flags &= (uint8_t)~HAS_EPOCH;
}

/* RFC 9438 section 4.8. When the same segment times out again (the window is still the loss window), ssthresh stays
 * (RFC 5681 section 3.1). */
static void timeout(struct cubic *cubic, const struct tapstack_cc_sample *sample,
                    struct tapstack_cc_decision *decision)
{
	bool again = (cubic->flags & AFTER_RTO) != 0 && decision->cwnd_bytes <= sample->mss_bytes;

	if (!again)
		reduce(cubic, sample, number(cubic, PARAM_BETA), 2, decision);
	cubic->flags |= AFTER_RTO;
	cubic->flags &= (uint8_t)~HAS_EPOCH;
	cubic->curve.w_max = 0; /* the next epoch begins from what slow start reaches, with K = 0 */
	decision->cwnd_bytes = sample->mss_bytes;
}

/* RFC 5681 section 4.1: the restart window; ssthresh remembers what was in use (RFC 2861). */
static void restart(struct cubic *cubic, const struct tapstack_cc_sample *sample,
                    struct tapstack_cc_decision *decision)
{
	uint64_t window = (uint64_t)cubic->initial_segments * sample->mss_bytes, cwnd = decision->cwnd_bytes;

	hold_epoch(cubic, units(sample->now_ns));
	end_hystart(cubic); /* what it knows is old; it begins anew */
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
		reduce(cubic, sample, number(cubic, PARAM_BETA), 2, decision);
		break;
	case TAPSTACK_CC_ECN: /* with marks one segment may be too much already */
		reduce(cubic, sample, number(cubic, PARAM_BETA_ECN), 1, decision);
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

static int cubic_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                      struct tapstack_cc_decision *decision)
{
	uint64_t segments = env->mss_bytes == 0 ? 0 : env->initial_cwnd_bytes / env->mss_bytes;
	struct cubic *cubic = state;

	if (params->count < PARAM_COUNT)
		return -1;
	cubic->value = params->value;
	cubic->initial_segments = (uint8_t)(segments == 0 ? 1 : segments > UINT8_MAX ? UINT8_MAX : segments);
	cubic->last = units(env->now_ns);
	decision->pacing_bytes_per_s = 0; /* of the algorithm before */
	decision->burst_bytes_max = 0;
	return 0;
}

static void cubic_outputs(const void *state, double *values)
{
	const struct cubic *cubic = state;
	bool in_hystart = (cubic->flags & HYSTART) != 0;

	values[0] = in_hystart ? 0 : (double)cubic->curve.w_max;
	values[1] = in_hystart ? 0 : (double)cubic->curve.k * 1e9;
	values[2] = in_hystart ? 0 : cubic->curve.w_est;
	values[3] = in_hystart && cubic->hystart.baseline > 0 ? cubic->hystart.css_rounds + 1 : 0;
	values[4] = in_hystart ? cubic->hystart.current * 1e3 : 0;
}

/* Whole numbers only: text that does not depend on a locale. In the first slow start HyStart++ begins anew. */
#define EXPORT_FORMAT                                                                                                \
	"cubic1 %u %u %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32  \
	" %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32
#define IMPORT_FORMAT                                                                                                \
	"cubic1 %u %u %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32  \
	" %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32

enum { IS_W_MAX, IS_K_US, IS_W_EST, WAS_W_MAX, WAS_K_US, WAS_W_EST, ROUNDED };

static int cubic_export(const void *state, char *text, size_t size)
{
	const struct cubic *cubic = state;
	struct curve curve = { 0 };

	if ((cubic->flags & HYSTART) == 0)
		curve = cubic->curve;
	return snprintf(text, size, EXPORT_FORMAT, cubic->flags & ~(unsigned)HYSTART, cubic->credit,
	                cubic->cwnd_prior, cubic->epoch, cubic->last, cubic->undo_ssthresh, cubic->undo_cwnd_prior,
	                cubic->undo_epoch, (uint32_t)curve.w_max, (uint32_t)lround((double)curve.k * 1e6),
	                (uint32_t)curve.w_est, (uint32_t)cubic->undo_w_max,
	                (uint32_t)lround((double)cubic->undo_k * 1e6), (uint32_t)cubic->undo_w_est);
}

static int cubic_import(void *state, const char *text, struct tapstack_cc_decision *decision)
{
	struct cubic *cubic = state, read = *cubic;
	uint32_t rounded[ROUNDED];
	unsigned flags, credit;

	(void)decision; /* cwnd and ssthresh are in it already */
	if (sscanf(text, IMPORT_FORMAT, &flags, &credit, &read.cwnd_prior, &read.epoch, &read.last,
	           &read.undo_ssthresh, &read.undo_cwnd_prior, &read.undo_epoch, &rounded[IS_W_MAX],
	           &rounded[IS_K_US], &rounded[IS_W_EST], &rounded[WAS_W_MAX], &rounded[WAS_K_US],
	           &rounded[WAS_W_EST]) != 14)
		return -1;
	read.flags = (uint8_t)(flags & (HAS_EPOCH | HAS_UNDO | AFTER_RTO | UNDO_EPOCH));
	read.credit = (uint16_t)credit;
	read.curve.w_max = (float)rounded[IS_W_MAX];
	read.curve.k = (float)(rounded[IS_K_US] * 1e-6);
	read.curve.w_est = rounded[IS_W_EST];
	read.undo_w_max = (float)rounded[WAS_W_MAX];
	read.undo_k = (float)(rounded[WAS_K_US] * 1e-6);
	read.undo_w_est = (float)rounded[WAS_W_EST];
	*cubic = read;
	return 0;
}

#define NUMBER TAPSTACK_PARAM_NUMBER, 0

static const struct tapstack_param_spec params[PARAM_COUNT] = {
	[PARAM_C] = { "c", "", "how steep the curve is", NUMBER, 0.01, 10, 0.4, NULL },
	[PARAM_BETA] = { "beta", "", "what is left of the window after a loss", NUMBER, 0.1, 0.95, 0.7, NULL },
	[PARAM_FAST_CONVERGENCE] = { "fast_convergence", "", "1: make room for new flows sooner; 0: don't", NUMBER, 0,
	                             1, 1, NULL },
	[PARAM_FRIENDLY] = { "friendly", "", "1: be no slower than standard TCP; 0: follow the curve only", NUMBER, 0,
	                     1, 1, NULL },
	[PARAM_BETA_ECN] = { "beta_ecn", "", "what is left of the window after a mark (RFC 8511: 0.85)", NUMBER, 0.1,
	                     0.95, 0.7, NULL },
	/* RFC 3465 and RFC 9406 have fewer, for receivers that acknowledge each second segment. One with offloads
	 * acknowledges a super-frame at once, 64 KiB, and it did arrive: counting less would stifle slow start. */
	[PARAM_ABC_LIMIT] = { "abc_limit", "bytes", "most that one ACK may add in slow start (L of RFC 9406)", NUMBER,
	                      1000, 1 << 20, 65536, NULL },
	[PARAM_HYSTART] = { "hystart", "",
	                    "1: leave the first slow start when the round-trip time grows; 0: when something is lost",
	                    NUMBER, 0, 1, 1, NULL },
	[PARAM_MIN_RTT_THRESH] = { "min_rtt_thresh", "ns", "less than this is no growth of the round-trip time",
	                           NUMBER, 1000, 1e9, 4e6, NULL },
	[PARAM_MAX_RTT_THRESH] = { "max_rtt_thresh", "ns", "more than this always is", NUMBER, 1000, 1e9, 16e6,
	                           NULL },
	[PARAM_MIN_RTT_DIVISOR] = { "min_rtt_divisor", "", "in between, this fraction of a round trip is", NUMBER, 1,
	                            100, 8, NULL },
	[PARAM_RTT_SAMPLES] = { "rtt_samples", "", "measurements in a round before it is judged", NUMBER, 1, 255, 8,
	                        NULL },
	[PARAM_CSS_GROWTH_DIVISOR] = { "css_growth_divisor", "", "conservative slow start grows so much slower",
	                               NUMBER, 2, 100, 4, NULL },
	[PARAM_CSS_ROUNDS] = { "css_rounds", "", "round trips that it lasts", NUMBER, 1, 255, 5, NULL },
};

static const struct tapstack_output_spec outputs[] = {
	{ "w_max", "bytes", "window at the last congestion, after fast convergence" },
	{ "k", "ns", "time the curve takes to reach w_max" },
	{ "w_est", "bytes", "window that standard TCP would have" },
	{ "css_round", "", "round of conservative slow start; 0: it is another phase" },
	{ "round_min_rtt", "ns", "least round-trip time of this round; 0 after the first slow start" },
};

static const struct tapstack_cc_ops ops = {
	.struct_size = sizeof(ops),
	.flags = TAPSTACK_CC_ECT0,
	.state_size = sizeof(struct cubic),
	.init = cubic_init,
	.on_ack = cubic_on_ack,
	.on_event = cubic_on_event,
	.outputs = cubic_outputs,
	.export_state = cubic_export,
	.import_state = cubic_import,
};

const struct tapstack_plugin tapstack_plugin = {
	TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_CONGESTION),
	.name = "cubic",
	.version = "1.1",
	.licence = "MIT",
	.description = "CUBIC (RFC 9438) with HyStart++ (RFC 9406)",
	.params = params,
	.param_count = sizeof(params) / sizeof(params[0]),
	.outputs = outputs,
	.output_count = sizeof(outputs) / sizeof(outputs[0]),
	.ops = &ops,
};
