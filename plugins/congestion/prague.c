/* Prague, draft-briscoe-iccrg-prague-congestion-control-04: a scalable congestion control for the Internet (RFC 9330,
 * RFC 9331 section 4), by which bottlenecks that mark ECT(1) early, at a millisecond or less, stay that short and are
 * full all the same. Like DCTCP (RFC 8257) it reduces its window by half the share of marks; unlike it, its shares do
 * not depend on round trips below 25 ms, it paces, and it gives way as Reno (RFC 5681) where the bottleneck is not of
 * that kind.
 *
 * Of the draft is here: the moving average of marks per virtual round trip (2.3), begun with the first mark; the
 * reduction once per virtual round trip (2.4.2); the increase per byte that was not marked, also while reducing
 * (2.4.3), scaled for independence of the round trip (2.4.4); losses as Reno, less what marks in the same round trip
 * have taken already (2.4.1); pacing and bursts of 250 microseconds (2.5). With feedback of RFC 3168 packets are sent
 * as ECT(0), and marks are answered as Reno does. Of the kind that RFC 9331 section 4.3 wants detected are
 * bottlenecks that mark ECT(1) as if it were ECT(0), in a queue of their own length: this is done by the round trip's
 * height above its least and its variation (Briscoe and Ahmed, "TCP Prague Fall-back on Detection of a Classic ECN
 * AQM", 2019), and can be switched off, for it takes a path that varies by itself for such a bottleneck.
 *
 * Not here: windows below two segments (RFC 9331 wants to go there; the host's least is one), CUBIC in place of Reno
 * on classic paths (the draft leaves the choice). The reduction takes effect at once, and is not spread over a round
 * trip. */
#include "tapstack/congestion.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#define ABC_LIMIT_BYTES 65536u
#define WINDOW_UNKNOWN UINT32_MAX /* ssthresh before the first congestion */
#define WINDOW_MIN_SEGMENTS 2u

/* The score of a classic bottleneck: below CLASSIC_BEGINS marks are answered by their share, above CLASSIC_FULL as by
 * Reno, between by a mixture; beyond both ends is room, so that one odd round trip does not change the verdict. */
#define CLASSIC_BEGINS 8.0
#define CLASSIC_FULL 9.0
#define CLASSIC_MAX 17.0
#define CLASSIC_VARIATION_NS 750e3 /* V0: more of it is classic, less is not */
#define CLASSIC_DEPTH_NS 2e6       /* D0: more of it is classic */
#define CLASSIC_WEIGHT 0.5         /* V and D: of either, per factor of two */

enum {
	EXACT = 1,            /* AccECN: marks are known to the byte */
	SAW_MARKS = 2,        /* alpha holds */
	L4S = 4,              /* the latest sign of congestion was a mark, not a loss */
	AFTER_RTO = 8,        /* slow start repairs */
	HAS_UNDO = 16,        /* prior_* hold */
	DETECTS_CLASSIC = 32, /* parameter */
	HAS_REDUCED = 64,     /* reduced_at holds */
};

struct prague {
	double alpha;            /* share of bytes marked, on the average */
	double growth;           /* of the window, less than a byte */
	double classic;          /* score, see above */
	double smoothed_ns;      /* round trip, over many virtual ones; 0: none yet */
	double variation_ns;     /* of the round trip around that, mean */
	double deviation_sum_ns; /* in this window of observation: of rtt_count samples */
	double rtt_sum_ns;
	uint64_t acked, marked; /* bytes, in this window of observation */
	int64_t observed_at;    /* when it began */
	int64_t reduced_at;     /* for marks, the last time */
	int64_t virtual_rtt_ns; /* parameter: the least */
	uint32_t rtt_count;
	uint32_t rounds;     /* round trips since slow start */
	uint32_t transition; /* parameter: of them, before the round trip's length is corrected for */
	uint32_t burst_ns;   /* parameter */
	uint32_t initial_cwnd;
	uint32_t prior_cwnd, prior_ssthresh; /* before the last loss */
	uint32_t marked_cwnd;                /* before the last reduction for marks */
	float g;
	uint8_t flags;
};

_Static_assert(sizeof(struct prague) <= TAPSTACK_CC_STATE_MAX, "the host's limit");

static uint32_t narrow(uint64_t window)
{
	return window >= WINDOW_UNKNOWN ? WINDOW_UNKNOWN : (uint32_t)window;
}

static uint64_t at_least(uint64_t value, uint64_t floor)
{
	return value < floor ? floor : value;
}

static uint64_t least_window(const struct tapstack_cc_sample *sample)
{
	return (uint64_t)WINDOW_MIN_SEGMENTS * sample->mss_bytes;
}

/* 0: marks come from a bottleneck for scalable algorithms; 1: from a classic one. */
static double classic_share(const struct prague *prague)
{
	double share = (prague->classic - CLASSIC_BEGINS) / (CLASSIC_FULL - CLASSIC_BEGINS);

	return share < 0 ? 0 : share > 1 ? 1 : share;
}

/* Section 2.4.4: is the window moved as if the round trip were the virtual one? Not in the first round trips after
 * slow start, for short flows are not to be slowed down; and not beside algorithms that go by losses. */
static bool independent(const struct prague *prague)
{
	return (prague->flags & L4S) != 0 && prague->rounds >= prague->transition && classic_share(prague) == 0;
}

static int64_t virtual_rtt(const struct prague *prague, int64_t srtt_ns)
{
	return srtt_ns > prague->virtual_rtt_ns ? srtt_ns : prague->virtual_rtt_ns;
}

/* ---- the share of marks (section 2.3) ----------------------------------------------------------------------------
 */

static void note_rtt(struct prague *prague, int64_t rtt_ns)
{
	double rtt = (double)rtt_ns;

	if (rtt_ns < 0)
		return;
	if (prague->smoothed_ns == 0)
		prague->smoothed_ns = rtt;
	prague->rtt_sum_ns += rtt;
	prague->deviation_sum_ns += fabs(rtt - prague->smoothed_ns);
	prague->rtt_count++;
}

/* Is it a classic bottleneck that marks? One that keeps a queue of milliseconds, and whose queue swings. */
static void judge_bottleneck(struct prague *prague, int64_t min_rtt_ns)
{
	double depth;

	if (prague->rtt_count == 0)
		return;
	prague->variation_ns += (prague->deviation_sum_ns / prague->rtt_count - prague->variation_ns) / 4;
	prague->smoothed_ns += (prague->rtt_sum_ns / prague->rtt_count - prague->smoothed_ns) / 4;
	prague->deviation_sum_ns = prague->rtt_sum_ns = 0;
	prague->rtt_count = 0;
	if ((prague->flags & DETECTS_CLASSIC) == 0 || (prague->flags & SAW_MARKS) == 0)
		return;
	depth = prague->smoothed_ns - (double)min_rtt_ns;
	prague->classic += CLASSIC_WEIGHT * log2(fmax(prague->variation_ns, 1e3) / CLASSIC_VARIATION_NS);
	if (depth > CLASSIC_DEPTH_NS)
		prague->classic += CLASSIC_WEIGHT * log2(depth / CLASSIC_DEPTH_NS);
	prague->classic = fmin(fmax(prague->classic, 0), CLASSIC_MAX);
}

/* A window of observation, a virtual round trip, may be over. */
static void observe(struct prague *prague, const struct tapstack_cc_sample *sample)
{
	int64_t now = sample->now_ns;
	double share;

	if (now - prague->observed_at < virtual_rtt(prague, sample->srtt_ns) || prague->acked == 0)
		return;
	share = (double)prague->marked / (double)prague->acked;
	if ((prague->flags & SAW_MARKS) != 0)
		prague->alpha += (double)prague->g * (share - prague->alpha);
	prague->acked = prague->marked = 0;
	prague->observed_at = now;
	judge_bottleneck(prague, sample->min_rtt_ns);
}

/* ---- the window (section 2.4) ------------------------------------------------------------------------------------
 */

/* Moves the window by `bytes`, a fraction of one being kept for later. */
static void move(struct prague *prague, double bytes, struct tapstack_cc_decision *decision)
{
	double whole;

	prague->growth += bytes;
	whole = trunc(prague->growth);
	prague->growth -= whole;
	decision->cwnd_bytes = (uint64_t)((double)decision->cwnd_bytes + whole);
}

static void slow_start(struct prague *prague, const struct tapstack_cc_sample *sample,
                       struct tapstack_cc_decision *decision)
{
	uint64_t limit = (prague->flags & AFTER_RTO) != 0 ? sample->mss_bytes : ABC_LIMIT_BYTES;
	uint64_t growth = sample->acked_bytes < limit ? sample->acked_bytes : limit;
	uint64_t room = decision->ssthresh_bytes - decision->cwnd_bytes;

	decision->cwnd_bytes += growth < room ? growth : room;
}

/* Sections 2.4.3 and 2.4.4: a segment each round trip, for that share of it that was not marked. With R the round
 * trip and V the virtual one, a window V's rate times as large grows by a segment each V: this one, R / V as large,
 * by R / V in V / R round trips. */
static void avoid(struct prague *prague, const struct tapstack_cc_sample *sample,
                  struct tapstack_cc_decision *decision)
{
	uint64_t marked = (prague->flags & EXACT) != 0 ? sample->ce_bytes : 0;
	double scale = 1, bytes;

	prague->flags &= (uint8_t)~AFTER_RTO;
	if (marked >= sample->delivered_bytes && marked > 0)
		return;
	if (independent(prague) && sample->srtt_ns > 0) {
		scale = (double)sample->srtt_ns / (double)virtual_rtt(prague, sample->srtt_ns);
		scale *= scale;
	}
	bytes = (double)sample->acked_bytes;
	if (marked > 0)
		bytes *= 1 - (double)marked / (double)sample->delivered_bytes;
	move(prague, scale * bytes * sample->mss_bytes / (double)decision->cwnd_bytes, decision);
}

/* Section 2.4.2: by half the share of marks, once per virtual round trip; the first mark halves the window. */
static void answer_marks(struct prague *prague, const struct tapstack_cc_sample *sample,
                         struct tapstack_cc_decision *decision)
{
	int64_t now = sample->now_ns, apart = sample->srtt_ns;
	double alpha, share = classic_share(prague);

	prague->flags |= L4S;
	if ((prague->flags & SAW_MARKS) == 0) {
		prague->flags |= SAW_MARKS;
		prague->alpha = 1;
		prague->acked = prague->marked = 0;
		prague->observed_at = now;
	}
	if (independent(prague))
		apart = virtual_rtt(prague, apart);
	if ((prague->flags & HAS_REDUCED) != 0 && now - prague->reduced_at < apart)
		return;
	alpha = (1 - share) * prague->alpha + share;
	prague->reduced_at = now;
	prague->flags |= HAS_REDUCED;
	prague->marked_cwnd = narrow(decision->cwnd_bytes);
	move(prague, -alpha / 2 * (double)decision->cwnd_bytes, decision);
	decision->cwnd_bytes = at_least(decision->cwnd_bytes, least_window(sample));
	decision->ssthresh_bytes = decision->cwnd_bytes;
}

/* Section 2.5: at the rate of the window; twice that in slow start, which sends two segments for each that arrived.
 */
static void pace(const struct prague *prague, uint64_t window, int64_t srtt_ns, uint32_t mss,
                 struct tapstack_cc_decision *decision)
{
	double rate;

	if (srtt_ns <= 0)
		return;
	rate = (double)window * 1e9 / (double)srtt_ns;
	if (decision->cwnd_bytes < decision->ssthresh_bytes / 2)
		rate *= 2;
	decision->pacing_bytes_per_s = at_least((uint64_t)rate, mss);
	decision->burst_bytes_max = narrow(at_least((uint64_t)(rate * prague->burst_ns * 1e-9), mss));
}

static void pace_now(const struct prague *prague, const struct tapstack_cc_sample *sample,
                     struct tapstack_cc_decision *decision)
{
	/* After a reduction more than the window is in flight, and goes on at its own rate. */
	pace(prague, at_least(decision->cwnd_bytes, sample->inflight_bytes), sample->srtt_ns, sample->mss_bytes,
	     decision);
}

static void prague_on_ack(void *state, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	struct prague *prague = state;
	bool starting = decision->cwnd_bytes < decision->ssthresh_bytes;

	note_rtt(prague, sample->rtt_ns);
	if (sample->ce_bytes > 0 && (prague->flags & EXACT) != 0 && !sample->in_recovery)
		answer_marks(prague, sample, decision);
	prague->acked += sample->delivered_bytes;
	if ((prague->flags & EXACT) != 0)
		prague->marked +=
		        sample->ce_bytes < sample->delivered_bytes ? sample->ce_bytes : sample->delivered_bytes;
	observe(prague, sample);
	if (sample->round_start && !starting && prague->rounds < prague->transition)
		prague->rounds++;
	if (!sample->in_recovery && sample->cwnd_limited && sample->acked_bytes > 0) {
		if (decision->cwnd_bytes >= decision->ssthresh_bytes)
			avoid(prague, sample, decision);
		else if (!sample->ece)
			slow_start(prague, sample, decision);
	}
	pace_now(prague, sample, decision);
}

/* Section 2.4.1: half of the window, as Reno; what marks have taken in the same round trip counts towards it. */
static void answer_loss(struct prague *prague, const struct tapstack_cc_sample *sample,
                        struct tapstack_cc_decision *decision)
{
	uint64_t from = decision->cwnd_bytes;

	if ((prague->flags & HAS_REDUCED) != 0 && sample->now_ns - prague->reduced_at <= sample->srtt_ns)
		from = at_least(from, prague->marked_cwnd);
	else if (!sample->cwnd_limited && sample->inflight_before_bytes < from)
		from = sample->inflight_before_bytes; /* a window that was not used says nothing */
	prague->prior_cwnd = narrow(decision->cwnd_bytes);
	prague->prior_ssthresh = narrow(decision->ssthresh_bytes);
	prague->flags |= HAS_UNDO;
	prague->flags &= (uint8_t)~L4S;
	prague->growth = 0;
	decision->ssthresh_bytes = at_least(from / 2, least_window(sample));
}

static void time_out(struct prague *prague, const struct tapstack_cc_sample *sample,
                     struct tapstack_cc_decision *decision)
{
	if ((prague->flags & AFTER_RTO) == 0 || decision->cwnd_bytes > sample->mss_bytes)
		answer_loss(prague, sample, decision);
	prague->flags |= AFTER_RTO;
	prague->acked = prague->marked = 0;
	prague->observed_at = sample->now_ns;
	decision->cwnd_bytes = sample->mss_bytes;
}

static void undo(struct prague *prague, struct tapstack_cc_decision *decision)
{
	if ((prague->flags & HAS_UNDO) == 0)
		return;
	decision->cwnd_bytes = at_least(decision->cwnd_bytes, prague->prior_cwnd);
	decision->ssthresh_bytes = prague->prior_ssthresh == WINDOW_UNKNOWN ? UINT64_MAX : prague->prior_ssthresh;
	prague->flags &= (uint8_t) ~(HAS_UNDO | AFTER_RTO);
}

/* RFC 5681 section 4.1; after so long the share of marks is not known any better than at the beginning of a window of
 * observation. */
static void restart(struct prague *prague, const struct tapstack_cc_sample *sample,
                    struct tapstack_cc_decision *decision)
{
	prague->acked = prague->marked = 0;
	prague->observed_at = sample->now_ns;
	if (decision->cwnd_bytes <= prague->initial_cwnd)
		return;
	decision->ssthresh_bytes = at_least(decision->ssthresh_bytes, decision->cwnd_bytes / 4 * 3);
	decision->cwnd_bytes = prague->initial_cwnd;
}

static void prague_on_event(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
                            struct tapstack_cc_decision *decision)
{
	struct prague *prague = state;

	switch (event) {
	case TAPSTACK_CC_ECN: /* exact feedback is answered when it comes */
		if ((prague->flags & EXACT) != 0)
			return;
		answer_loss(prague, sample, decision);
		decision->cwnd_bytes = decision->ssthresh_bytes;
		break;
	case TAPSTACK_CC_LOSS:
		answer_loss(prague, sample, decision);
		decision->cwnd_bytes = decision->ssthresh_bytes;
		break;
	case TAPSTACK_CC_RTO:
		time_out(prague, sample, decision);
		break;
	case TAPSTACK_CC_UNDO:
		undo(prague, decision);
		break;
	case TAPSTACK_CC_IDLE_RESTART:
		restart(prague, sample, decision);
		break;
	default:
		return;
	}
	pace_now(prague, sample, decision);
}

/* ---- the plugin --------------------------------------------------------------------------------------------------
 */

enum { PARAM_G, PARAM_VIRTUAL_RTT, PARAM_TRANSITION, PARAM_BURST, PARAM_DETECT_CLASSIC, PARAM_COUNT };

static int prague_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                       struct tapstack_cc_decision *decision)
{
	struct prague *prague = state;
	const struct tapstack_param_value *value = params->value;

	if (params->count < PARAM_COUNT)
		return -1;
	*prague = (struct prague){
		.g = (float)value[PARAM_G].number,
		.virtual_rtt_ns = (int64_t)value[PARAM_VIRTUAL_RTT].number,
		.transition = (uint32_t)value[PARAM_TRANSITION].number,
		.burst_ns = (uint32_t)value[PARAM_BURST].number,
		.initial_cwnd = narrow(env->initial_cwnd_bytes),
		.observed_at = env->now_ns,
	};
	if (value[PARAM_DETECT_CLASSIC].number != 0)
		prague->flags |= DETECTS_CLASSIC;
	/* Hosts of 0.1 do not tell, and mark only where it is exact. */
	if (env->struct_size < TAPSTACK_SIZE_UP_TO(struct tapstack_cc_env, ecn) ||
	    env->ecn != TAPSTACK_CC_ECN_CLASSIC)
		prague->flags |= EXACT;
	decision->pacing_bytes_per_s = 0;
	decision->burst_bytes_max = 0;
	/* The handshake has told the round trip, or another algorithm: the first window is no burst either. */
	pace(prague, decision->cwnd_bytes, env->srtt_ns, env->mss_bytes, decision);
	return 0;
}

static void prague_outputs(const void *state, double *values)
{
	const struct prague *prague = state;

	values[0] = prague->alpha;
	values[1] = classic_share(prague);
	values[2] = (prague->flags & L4S) != 0 ? 1 : 0;
	values[3] = independent(prague) ? 1 : 0;
}

static int prague_export(const void *state, char *text, size_t size)
{
	const struct prague *prague = state;

	return snprintf(text, size, "alpha %.9g saw_marks %u classic %.9g rounds %u", prague->alpha,
	                (prague->flags & SAW_MARKS) != 0 ? 1u : 0u, prague->classic, (unsigned)prague->rounds);
}

static int prague_import(void *state, const char *text, struct tapstack_cc_decision *decision)
{
	struct prague *prague = state;
	unsigned saw_marks, rounds;
	double alpha, classic;

	(void)decision;
	if (sscanf(text, "alpha %lf saw_marks %u classic %lf rounds %u", &alpha, &saw_marks, &classic, &rounds) !=
	            4 ||
	    !(alpha >= 0 && alpha <= 1) || !(classic >= 0 && classic <= CLASSIC_MAX))
		return -1;
	prague->alpha = alpha;
	prague->classic = classic;
	prague->rounds = rounds < prague->transition ? rounds : prague->transition;
	if (saw_marks != 0)
		prague->flags |= SAW_MARKS | L4S;
	return 0;
}

static const struct tapstack_param_spec params[] = {
	[PARAM_G] = { "g", "", "weight of the latest virtual round trip in alpha", TAPSTACK_PARAM_NUMBER, 0, 0.001, 1,
	              0.0625, NULL },
	[PARAM_VIRTUAL_RTT] = { "virtual_rtt", "ns", "shorter round trips get the same share as this one",
	                        TAPSTACK_PARAM_NUMBER, 0, 0, 100e6, 25e6, NULL },
	[PARAM_TRANSITION] = { "transition", "", "round trips after slow start before that begins",
	                       TAPSTACK_PARAM_NUMBER, 0, 0, 10000, 4, NULL },
	[PARAM_BURST] = { "burst", "ns", "what may leave at once, as time at the pacing rate", TAPSTACK_PARAM_NUMBER,
	                  0, 0, 10e6, 250e3, NULL },
	[PARAM_DETECT_CLASSIC] = { "detect_classic", "",
	                           "answer marks as Reno where the queue looks like that of a classic bottleneck",
	                           TAPSTACK_PARAM_SWITCH, 0, 0, 1, 1, NULL },
};

static const struct tapstack_output_spec outputs[] = {
	{ "alpha", "", "share of bytes marked, on the average" },
	{ "classic", "", "how much the bottleneck is taken for a classic one: 0 not at all, 1 fully" },
	{ "l4s", "", "1: the latest sign of congestion was a mark; 0: a loss, or none yet" },
	{ "rtt_independent", "", "1: the window moves as if the round trip were the virtual one" },
};

static const struct tapstack_cc_ops ops = {
	.struct_size = sizeof(ops),
	/* ECT(1) with AccECN, else ECT(0) */
	.flags = TAPSTACK_CC_ECT0 | TAPSTACK_CC_ECT1 | TAPSTACK_CC_NEEDS_ACCECN | TAPSTACK_CC_NEEDS_PACING,
	.state_size = sizeof(struct prague),
	.init = prague_init,
	.on_ack = prague_on_ack,
	.on_event = prague_on_event,
	.outputs = prague_outputs,
	.export_state = prague_export,
	.import_state = prague_import,
};

const struct tapstack_plugin tapstack_plugin = {
	TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_CONGESTION),
	.name = "prague",
	.version = "1.0",
	.licence = "MIT",
	.description = "Prague (draft-briscoe-iccrg-prague-congestion-control, RFC 9331)",
	.params = params,
	.param_count = sizeof(params) / sizeof(params[0]),
	.outputs = outputs,
	.output_count = sizeof(outputs) / sizeof(outputs[0]),
	.ops = &ops,
};
