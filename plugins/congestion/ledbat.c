/* LEDBAT++, draft-irtf-iccrg-ledbat-plus-plus-01: a transport for what can wait. It keeps the queue of the bottleneck
 * below a target that standard TCP soon exceeds, so that it takes what others leave, and little else.
 *
 * It differs from LEDBAT (RFC 6817) in that it goes by round-trip times and not by one-way delays, slows its start
 * and growth down on short paths, answers too much delay by a multiple of its window, and slows down periodically, to
 * see the path without its own queue: otherwise who comes later takes the queue of who was there for the path's
 * delay, and the line with it.
 *
 * Losses and marks (RFC 3168) halve the window, as standard TCP's. What the receiver could do by itself (RFC 9840) is
 * not here. */
#include "tapstack/congestion.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#define ABC_LIMIT_BYTES 65536u
#define WINDOW_UNKNOWN UINT32_MAX /* ssthresh before the first congestion */
#define MINUTE_NS INT64_C(60000000000)
#define RTT_NONE UINT32_MAX
#define BASE_HISTORY_MAX 20 /* minutes */
#define CURRENT_FILTER_MAX 16
#define WINDOW_MIN_SEGMENTS 2u

enum phase {
	INITIAL_START, /* slow start, until the queue fills */
	AVOIDANCE,     /* the window follows the delay */
	SLOWDOWN,      /* two segments for two round trips: the queue empties, the path shows itself */
	RAMP_UP,       /* slow start to the window before that */
	REPAIR,        /* slow start after a time-out */
};

struct ledbat {
	int64_t minute_end;     /* when the current minute of the base history is over */
	int64_t phase_began;    /* SLOWDOWN and RAMP_UP: when the slowdown began */
	int64_t slowdown_due;   /* the next; INT64_MAX: not set */
	int64_t thaw_at;        /* SLOWDOWN: its end */
	int64_t target_ns;      /* TARGET */
	double growth;          /* what the window has still to move by: less than a byte */
	double decrease_factor; /* Constant */
	double gain_divisor_max;
	double slowdown_ratio;               /* of the time between slowdowns to that of one */
	uint32_t base_us[BASE_HISTORY_MAX];  /* least round trip of each minute, RTT_NONE: none; ring */
	uint32_t rtt_us[CURRENT_FILTER_MAX]; /* the latest round trips; ring */
	uint32_t initial_cwnd;
	uint32_t prior_cwnd, prior_ssthresh; /* before the last loss */
	uint8_t base_count, base_at;
	uint8_t filter_count, filter_at;
	uint8_t phase; /* enum phase */
	bool has_undo;
};

_Static_assert(sizeof(struct ledbat) <= TAPSTACK_CC_STATE_MAX, "the host's limit");

static uint32_t narrow(uint64_t window)
{
	return window >= WINDOW_UNKNOWN ? WINDOW_UNKNOWN : (uint32_t)window;
}

static uint64_t least_window(const struct tapstack_cc_sample *sample)
{
	return (uint64_t)WINDOW_MIN_SEGMENTS * sample->mss_bytes;
}

/* ---- delays ------------------------------------------------------------------------------------------------------
 */

static uint32_t least_of(const uint32_t *values, unsigned count)
{
	uint32_t least = RTT_NONE;

	for (unsigned i = 0; i < count; i++)
		least = values[i] < least ? values[i] : least;
	return least;
}

/* RFC 6817 section 3.4.2, update_base_delay(), for round trips: the least of each of the last minutes, so that a path
 * that grew longer is believed in the end. */
static void note_base(struct ledbat *ledbat, int64_t now, uint32_t rtt_us)
{
	/* After hours of silence every minute of the history is over. */
	for (unsigned i = 0; now >= ledbat->minute_end && i < ledbat->base_count; i++) {
		ledbat->base_at = (uint8_t)((ledbat->base_at + 1u) % ledbat->base_count);
		ledbat->base_us[ledbat->base_at] = RTT_NONE;
		ledbat->minute_end += MINUTE_NS;
	}
	if (now >= ledbat->minute_end)
		ledbat->minute_end = now + MINUTE_NS;
	if (rtt_us < ledbat->base_us[ledbat->base_at])
		ledbat->base_us[ledbat->base_at] = rtt_us;
}

static void note_rtt(struct ledbat *ledbat, int64_t now, int64_t rtt_ns)
{
	int64_t us = rtt_ns / 1000;
	uint32_t rtt_us = us < 1 ? 1 : us >= RTT_NONE ? RTT_NONE - 1 : (uint32_t)us;

	note_base(ledbat, now, rtt_us);
	ledbat->filter_at = (uint8_t)((ledbat->filter_at + 1u) % ledbat->filter_count);
	ledbat->rtt_us[ledbat->filter_at] = rtt_us;
}

/* 0: not known. */
static int64_t base_ns(const struct ledbat *ledbat)
{
	uint32_t least = least_of(ledbat->base_us, ledbat->base_count);

	return least == RTT_NONE ? 0 : (int64_t)least * 1000;
}

/* Section 4.1: the least of the latest round trips is taken, for the receiver may hold ACKs back. */
static int64_t queue_delay_ns(const struct ledbat *ledbat)
{
	uint32_t current = least_of(ledbat->rtt_us, ledbat->filter_count);
	int64_t delay = current == RTT_NONE ? 0 : (int64_t)current * 1000 - base_ns(ledbat);

	return delay > 0 ? delay : 0;
}

/* Section 4.2: GAIN = 1 / min(16, ceil(2 * TARGET / base)). */
static double gain(const struct ledbat *ledbat)
{
	int64_t base = base_ns(ledbat);
	double divisor = base == 0 ? ledbat->gain_divisor_max : ceil(2 * (double)ledbat->target_ns / (double)base);

	if (divisor > ledbat->gain_divisor_max)
		divisor = ledbat->gain_divisor_max;
	return divisor < 1 ? 1 : 1 / divisor;
}

/* ---- slowdowns (section 4.4) -------------------------------------------------------------------------------------
 */

static void begin_slowdown(struct ledbat *ledbat, const struct tapstack_cc_sample *sample,
                           struct tapstack_cc_decision *decision)
{
	ledbat->phase = SLOWDOWN;
	ledbat->phase_began = sample->now_ns;
	ledbat->thaw_at = sample->now_ns + 2 * sample->srtt_ns;
	ledbat->slowdown_due = INT64_MAX;
	decision->ssthresh_bytes = decision->cwnd_bytes;
	decision->cwnd_bytes = least_window(sample);
	ledbat->growth = 0;
}

/* The line was not full for so long; the next slowdown comes after nine times that, so that they cost a tenth of it
 * at most. But while what the last one saw of the path is in the base history. */
static void end_slowdown(struct ledbat *ledbat, int64_t now)
{
	double after = ledbat->slowdown_ratio * (double)(now - ledbat->phase_began);
	double most = (double)MINUTE_NS * ledbat->base_count / 2;

	ledbat->phase = AVOIDANCE;
	ledbat->slowdown_due = now + (int64_t)(after < most ? after : most);
}

/* ---- the window --------------------------------------------------------------------------------------------------
 */

/* Moves the window by `bytes`, a fraction of one being kept for later. */
static void move(struct ledbat *ledbat, double bytes, const struct tapstack_cc_sample *sample,
                 struct tapstack_cc_decision *decision)
{
	double cwnd = (double)decision->cwnd_bytes, least = (double)least_window(sample);

	ledbat->growth += bytes;
	bytes = trunc(ledbat->growth);
	ledbat->growth -= bytes;
	if (bytes < 0 && cwnd + bytes < least)
		bytes = cwnd < least ? 0 : least - cwnd;
	decision->cwnd_bytes = (uint64_t)(cwnd + bytes);
}

/* Section 4.2, slow start: growth is scaled by the gain, too. True: the window has reached ssthresh. */
static bool slow_start(struct ledbat *ledbat, const struct tapstack_cc_sample *sample,
                       struct tapstack_cc_decision *decision)
{
	uint64_t limit = ledbat->phase == REPAIR ? sample->mss_bytes : ABC_LIMIT_BYTES;
	uint64_t acked = sample->acked_bytes < limit ? sample->acked_bytes : limit;

	if (decision->cwnd_bytes < decision->ssthresh_bytes && sample->cwnd_limited)
		move(ledbat, gain(ledbat) * (double)acked, sample, decision);
	if (decision->cwnd_bytes < decision->ssthresh_bytes)
		return false;
	decision->cwnd_bytes = decision->ssthresh_bytes;
	return true;
}

/* Section 4.3. Below the target the window grows by the gain, a share of a segment each round trip; above it, it
 * shrinks by Constant times itself, as far above as it is, by half at most. Here for the bytes of one ACK. */
static void avoid(struct ledbat *ledbat, const struct tapstack_cc_sample *sample,
                  struct tapstack_cc_decision *decision)
{
	double cwnd = (double)decision->cwnd_bytes, excess, step;

	excess = (double)queue_delay_ns(ledbat) / (double)ledbat->target_ns - 1;
	step = gain(ledbat) * sample->mss_bytes;
	if (excess > 0) {
		step -= ledbat->decrease_factor * cwnd * excess;
		step = step < -cwnd / 2 ? -cwnd / 2 : step;
	}
	/* A window that the application does not use does not grow (RFC 6817 section 2.4.2). */
	if (step > 0 && !sample->cwnd_limited)
		return;
	move(ledbat, step * (double)sample->acked_bytes / cwnd, sample, decision);
}

/* Section 4.2: the first slow start ends before the target is reached. */
static bool queue_fills(const struct ledbat *ledbat)
{
	return queue_delay_ns(ledbat) > ledbat->target_ns / 4 * 3;
}

static void ledbat_on_ack(void *state, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	struct ledbat *ledbat = state;
	int64_t now = sample->now_ns;

	if (sample->rtt_ns >= 0)
		note_rtt(ledbat, now, sample->rtt_ns);
	if (sample->in_recovery || sample->ece || sample->acked_bytes == 0)
		return;
	if (now >= ledbat->slowdown_due && (ledbat->phase == AVOIDANCE || ledbat->phase == REPAIR)) {
		begin_slowdown(ledbat, sample, decision);
		return;
	}
	switch (ledbat->phase) {
	case INITIAL_START:
		if (queue_fills(ledbat))
			decision->ssthresh_bytes = decision->cwnd_bytes;
		if (!slow_start(ledbat, sample, decision))
			return;
		ledbat->phase = AVOIDANCE;
		/* The initial slowdown comes two round trips after slow start. */
		ledbat->slowdown_due = now + 2 * sample->srtt_ns;
		break;
	case SLOWDOWN:
		if (now >= ledbat->thaw_at)
			ledbat->phase = RAMP_UP;
		break;
	case RAMP_UP:
		if (slow_start(ledbat, sample, decision))
			end_slowdown(ledbat, now);
		break;
	case REPAIR:
		if (slow_start(ledbat, sample, decision))
			ledbat->phase = AVOIDANCE;
		break;
	default:
		avoid(ledbat, sample, decision);
		break;
	}
}

/* Section 4.3: a loss halves the window, as it does that of standard TCP; a mark says the same. */
static void reduce(struct ledbat *ledbat, const struct tapstack_cc_sample *sample,
                   struct tapstack_cc_decision *decision)
{
	uint64_t from = decision->cwnd_bytes, half;

	ledbat->prior_cwnd = narrow(decision->cwnd_bytes);
	ledbat->prior_ssthresh = narrow(decision->ssthresh_bytes);
	ledbat->has_undo = true;
	/* While it slows down the window says nothing of the path; what it would go back to is what was too much. */
	if (ledbat->phase == SLOWDOWN)
		from = decision->ssthresh_bytes;
	half = from / 2 < least_window(sample) ? least_window(sample) : from / 2;
	if (ledbat->phase == INITIAL_START)
		ledbat->slowdown_due = sample->now_ns + 2 * sample->srtt_ns;
	ledbat->growth = 0;
	decision->ssthresh_bytes = half;
	if (ledbat->phase == SLOWDOWN)
		return;
	if (ledbat->phase == RAMP_UP)
		end_slowdown(ledbat, sample->now_ns);
	ledbat->phase = AVOIDANCE;
	decision->cwnd_bytes = half;
}

static void time_out(struct ledbat *ledbat, const struct tapstack_cc_sample *sample,
                     struct tapstack_cc_decision *decision)
{
	if (ledbat->phase != REPAIR || decision->cwnd_bytes > sample->mss_bytes) {
		if (ledbat->phase == SLOWDOWN)
			ledbat->phase = RAMP_UP;
		reduce(ledbat, sample, decision);
	}
	ledbat->phase = REPAIR;
	decision->cwnd_bytes = sample->mss_bytes;
}

static void undo(struct ledbat *ledbat, struct tapstack_cc_decision *decision)
{
	if (!ledbat->has_undo)
		return;
	if (ledbat->phase != SLOWDOWN && decision->cwnd_bytes < ledbat->prior_cwnd)
		decision->cwnd_bytes = ledbat->prior_cwnd;
	decision->ssthresh_bytes = ledbat->prior_ssthresh == WINDOW_UNKNOWN ? UINT64_MAX : ledbat->prior_ssthresh;
	if (ledbat->phase == REPAIR)
		ledbat->phase = AVOIDANCE;
	ledbat->has_undo = false;
}

/* After an idle time the queue is somebody else's: slow start to where it was, and the path is looked at anew. */
static void restart(struct ledbat *ledbat, const struct tapstack_cc_sample *sample,
                    struct tapstack_cc_decision *decision)
{
	if (ledbat->phase == INITIAL_START || decision->cwnd_bytes <= ledbat->initial_cwnd)
		return;
	if (ledbat->phase == AVOIDANCE) {
		decision->ssthresh_bytes = decision->cwnd_bytes;
		ledbat->phase_began = sample->now_ns;
		ledbat->phase = RAMP_UP;
		ledbat->slowdown_due = INT64_MAX;
	}
	decision->cwnd_bytes = ledbat->initial_cwnd;
}

static void ledbat_on_event(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
                            struct tapstack_cc_decision *decision)
{
	struct ledbat *ledbat = state;

	switch (event) {
	case TAPSTACK_CC_LOSS:
	case TAPSTACK_CC_ECN:
		reduce(ledbat, sample, decision);
		break;
	case TAPSTACK_CC_RTO:
		time_out(ledbat, sample, decision);
		break;
	case TAPSTACK_CC_UNDO:
		undo(ledbat, decision);
		break;
	case TAPSTACK_CC_IDLE_RESTART:
		restart(ledbat, sample, decision);
		break;
	default:
		break;
	}
}

/* ---- the plugin --------------------------------------------------------------------------------------------------
 */

enum {
	PARAM_TARGET,
	PARAM_GAIN_DIVISOR_MAX,
	PARAM_CONSTANT,
	PARAM_BASE_HISTORY,
	PARAM_CURRENT_FILTER,
	PARAM_SLOWDOWN_RATIO,
	PARAM_COUNT
};

static int ledbat_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                       struct tapstack_cc_decision *decision)
{
	struct ledbat *ledbat = state;
	const struct tapstack_param_value *value = params->value;
	bool known = decision->ssthresh_bytes != UINT64_MAX;

	if (params->count < PARAM_COUNT)
		return -1;
	*ledbat = (struct ledbat){
		.minute_end = env->now_ns + MINUTE_NS,
		.slowdown_due = INT64_MAX,
		.target_ns = (int64_t)value[PARAM_TARGET].number,
		.decrease_factor = value[PARAM_CONSTANT].number,
		.gain_divisor_max = value[PARAM_GAIN_DIVISOR_MAX].number,
		.slowdown_ratio = value[PARAM_SLOWDOWN_RATIO].number,
		.base_count = (uint8_t)value[PARAM_BASE_HISTORY].number,
		.filter_count = (uint8_t)value[PARAM_CURRENT_FILTER].number,
		.initial_cwnd = WINDOW_MIN_SEGMENTS * env->mss_bytes,
		.phase = INITIAL_START,
	};
	for (unsigned i = 0; i < BASE_HISTORY_MAX; i++)
		ledbat->base_us[i] = RTT_NONE;
	for (unsigned i = 0; i < CURRENT_FILTER_MAX; i++)
		ledbat->rtt_us[i] = RTT_NONE;
	if (env->min_rtt_ns > 0)
		note_base(ledbat, env->now_ns, narrow((uint64_t)env->min_rtt_ns / 1000));
	if (known) { /* another algorithm has found the line's capacity: only its queue is not known */
		ledbat->phase = AVOIDANCE;
		ledbat->slowdown_due = env->now_ns + 2 * env->srtt_ns;
	}
	decision->pacing_bytes_per_s = 0; /* whatever an algorithm before had */
	decision->burst_bytes_max = 0;
	return 0;
}

static void ledbat_outputs(const void *state, double *values)
{
	const struct ledbat *ledbat = state;

	values[0] = (double)base_ns(ledbat);
	values[1] = (double)queue_delay_ns(ledbat);
	values[2] = gain(ledbat);
	values[3] = ledbat->phase;
}

/* What took minutes to learn: the base delays, oldest first. */
static int ledbat_export(const void *state, char *text, size_t size)
{
	const struct ledbat *ledbat = state;
	int used = snprintf(text, size, "base_us"), more;

	for (unsigned i = 1; i <= ledbat->base_count; i++) {
		size_t at = (size_t)used < size ? (size_t)used : size;

		more = snprintf(size > 0 ? text + at : NULL, size - at, " %u",
		                (unsigned)ledbat->base_us[(ledbat->base_at + i) % ledbat->base_count]);
		used += more;
	}
	return used;
}

static int ledbat_import(void *state, const char *text, struct tapstack_cc_decision *decision)
{
	struct ledbat *ledbat = state, before = *ledbat;
	int used = 0;
	unsigned us;

	(void)decision;
	if (sscanf(text, "base_us%n", &used) != 0 || used == 0)
		return -1;
	for (text += used; sscanf(text, " %u%n", &us, &used) == 1; text += used) {
		if (us == 0) {
			*ledbat = before;
			return -1;
		}
		ledbat->base_at = (uint8_t)((ledbat->base_at + 1u) % ledbat->base_count);
		ledbat->base_us[ledbat->base_at] = us;
	}
	return 0;
}

static const struct tapstack_param_spec params[] = {
	[PARAM_TARGET] = { "target", "ns", "queue delay to stay below (TARGET)", TAPSTACK_PARAM_NUMBER, 0, 1e6, 1e9,
	                   60e6, NULL },
	[PARAM_GAIN_DIVISOR_MAX] = { "gain_divisor_max", "", "growth is at least this part of standard TCP's",
	                             TAPSTACK_PARAM_NUMBER, 0, 1, 64, 16, NULL },
	[PARAM_CONSTANT] = { "constant", "", "how strongly delay beyond the target reduces the window",
	                     TAPSTACK_PARAM_NUMBER, 0, 0.1, 4, 1, NULL },
	[PARAM_BASE_HISTORY] = { "base_history", "minutes", "for how long a base delay is remembered",
	                         TAPSTACK_PARAM_NUMBER, 0, 2, BASE_HISTORY_MAX, 10, NULL },
	[PARAM_CURRENT_FILTER] = { "current_filter", "samples", "of so many round trips the least counts",
	                           TAPSTACK_PARAM_NUMBER, 0, 1, CURRENT_FILTER_MAX, 4, NULL },
	[PARAM_SLOWDOWN_RATIO] = { "slowdown_ratio", "", "time between slowdowns, in times that one took",
	                           TAPSTACK_PARAM_NUMBER, 0, 1, 100, 9, NULL },
};

static const struct tapstack_output_spec outputs[] = {
	{ "base_delay", "ns", "least round trip of the base history" },
	{ "queue_delay", "ns", "round trip now, less the base delay" },
	{ "gain", "", "growth as a part of standard TCP's" },
	{ "phase", "",
	  "0: first slow start, 1: follows the delay, 2: slowdown, 3: back from it, 4: after a time-out" },
};

static const struct tapstack_cc_ops ops = {
	.struct_size = sizeof(ops),
	.flags = TAPSTACK_CC_ECT0,
	.state_size = sizeof(struct ledbat),
	.init = ledbat_init,
	.on_ack = ledbat_on_ack,
	.on_event = ledbat_on_event,
	.outputs = ledbat_outputs,
	.export_state = ledbat_export,
	.import_state = ledbat_import,
};

const struct tapstack_plugin tapstack_plugin = {
	TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_CONGESTION),
	.name = "ledbat",
	.version = "1.0",
	.licence = "MIT",
	.description = "LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus), for what can wait",
	.params = params,
	.param_count = sizeof(params) / sizeof(params[0]),
	.outputs = outputs,
	.output_count = sizeof(outputs) / sizeof(outputs[0]),
	.ops = &ops,
};
