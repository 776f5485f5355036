/* NewReno: the standard congestion control of TCP (RFC 5681, RFC 6582), counting bytes (RFC 3465).
 *
 * This is also the simplest complete congestion algorithm there is, and meant to be read by who wants to write one.
 * What it does can be said in five lines:
 *
 *   slow start              cwnd < ssthresh: each ACK adds what it acknowledges, so cwnd doubles in a round trip
 *   congestion avoidance    else: each cwnd of acknowledged bytes adds one segment, so cwnd grows by one a round trip
 *   a loss, or a mark       ssthresh is half of what was in flight; so is cwnd
 *   a time-out              likewise, but cwnd is one segment: slow start up to ssthresh
 *   nothing sent for long   cwnd is the initial window again
 *
 * The host has done the rest by the time it calls: it has found out what was lost, tells of it once for each window
 * (the "New" of NewReno, RFC 6582), retransmits, paces the window down while the repair lasts, and finds out when a
 * repair proves needless.
 *
 * The daemon's built-in Reno decides the same. This plugin has parameters and outputs besides. */
#include "tapstack/congestion.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

/* All that is known of a connection. The host keeps it, zeroed before init; 64 bytes fit into the connection's own
 * record. */
struct newreno {
	const struct tapstack_param_value *value; /* the parameters, by enum param */
	uint64_t initial_cwnd;                    /* for restarts after idle times */
	uint64_t acked;                           /* bytes towards the next segment of congestion avoidance */
	uint64_t prior_cwnd, prior_ssthresh;      /* before the last reduction, in case it proves needless */
	bool after_timeout;                       /* slow start goes on with one segment for an ACK at most */
};

enum param { BETA, BETA_ECN, ABC_LIMIT, PARAM_COUNT };

static const struct tapstack_param_spec params[PARAM_COUNT] = {
	[BETA] = { "beta", "", "what is left of the bytes in flight after a loss (RFC 5681: 0.5)",
	           TAPSTACK_PARAM_NUMBER, 0, 0.1, 0.95, 0.5, NULL },
	[BETA_ECN] = { "beta_ecn", "", "the same after a mark (RFC 5681: 0.5; RFC 8511: 0.8)", TAPSTACK_PARAM_NUMBER,
	               0, 0.1, 0.95, 0.5, NULL },
	/* RFC 3465 wants two segments here, at a time when a receiver acknowledged every second one. A receiver with
	 * offloads acknowledges a super-frame at once, 64 KiB, and it did arrive: counting two segments of it would
	 * stifle slow start. */
	[ABC_LIMIT] = { "abc_limit", "bytes", "most that one ACK may add in slow start (L of RFC 3465)",
	                TAPSTACK_PARAM_NUMBER, 0, 1000, 1 << 20, 65536, NULL },
};

static uint64_t least_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* *decision holds the initial window (RFC 6928), with ssthresh not yet known: slow start. On a connection that was
 * switched to this algorithm it holds the window and threshold of the one before, which is where it goes on. */
static int newreno_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *values,
                        struct tapstack_cc_decision *decision)
{
	struct newreno *newreno = state;

	if (values->count < PARAM_COUNT)
		return -1;
	newreno->value = values->value;
	newreno->initial_cwnd = env->initial_cwnd_bytes;
	decision->pacing_bytes_per_s = 0; /* ACKs set the pace; the algorithm before may have set one */
	decision->burst_bytes_max = 0;
	return 0;
}

/* RFC 5681 section 3.1 (2), as RFC 3465 section 2.2 counts. */
static void slow_start(const struct newreno *newreno, const struct tapstack_cc_sample *sample,
                       struct tapstack_cc_decision *decision)
{
	uint64_t limit = (uint64_t)newreno->value[ABC_LIMIT].number;
	uint64_t room = decision->ssthresh_bytes - decision->cwnd_bytes;

	/* After a time-out one ACK may report much that had arrived long before (RFC 3465 section 2.3). */
	if (newreno->after_timeout)
		limit = least_of(limit, sample->mss_bytes);
	decision->cwnd_bytes += least_of(least_of(sample->acked_bytes, limit), room);
}

/* RFC 5681 section 3.1 (3), as RFC 3465 section 2.1 counts: a segment for each window of acknowledged bytes. */
static void congestion_avoidance(struct newreno *newreno, const struct tapstack_cc_sample *sample,
                                 struct tapstack_cc_decision *decision)
{
	newreno->after_timeout = false;
	newreno->acked += sample->acked_bytes;
	while (newreno->acked >= decision->cwnd_bytes) {
		newreno->acked -= decision->cwnd_bytes;
		decision->cwnd_bytes += sample->mss_bytes;
	}
}

/* In recovery the window is the host's; an ACK that reports a mark is no reason to grow; and a window that was not
 * full has not been tried, so growing it would say nothing about the path (RFC 7661). */
static void newreno_on_ack(void *state, const struct tapstack_cc_sample *sample,
                           struct tapstack_cc_decision *decision)
{
	if (sample->in_recovery || sample->ece || !sample->cwnd_limited)
		return;
	if (decision->cwnd_bytes < decision->ssthresh_bytes)
		slow_start(state, sample, decision);
	else
		congestion_avoidance(state, sample, decision);
}

/* RFC 5681 section 3.1 equation (4): from what was in flight (FlightSize), not from cwnd, which may not have been in
 * use. */
static void reduce(struct newreno *newreno, double beta, const struct tapstack_cc_sample *sample,
                   struct tapstack_cc_decision *decision)
{
	uint64_t left = (uint64_t)((double)sample->inflight_before_bytes * beta);

	newreno->prior_cwnd = decision->cwnd_bytes;
	newreno->prior_ssthresh = decision->ssthresh_bytes;
	newreno->acked = 0;
	decision->ssthresh_bytes = most_of(left, 2 * (uint64_t)sample->mss_bytes);
	decision->cwnd_bytes = decision->ssthresh_bytes;
}

static void newreno_on_event(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
                             struct tapstack_cc_decision *decision)
{
	struct newreno *newreno = state;

	switch (event) {
	case TAPSTACK_CC_LOSS:
		reduce(newreno, newreno->value[BETA].number, sample, decision);
		break;
	case TAPSTACK_CC_ECN:
		reduce(newreno, newreno->value[BETA_ECN].number, sample, decision);
		break;
	case TAPSTACK_CC_RTO:
		reduce(newreno, newreno->value[BETA].number, sample, decision);
		decision->cwnd_bytes = sample->mss_bytes; /* the loss window */
		newreno->after_timeout = true;
		break;
	case TAPSTACK_CC_UNDO: /* RFC 4015: as if it had not been, but nothing that has grown since is taken back */
		newreno->after_timeout = false;
		decision->cwnd_bytes = most_of(decision->cwnd_bytes, newreno->prior_cwnd);
		decision->ssthresh_bytes = most_of(decision->ssthresh_bytes, newreno->prior_ssthresh);
		break;
	case TAPSTACK_CC_IDLE_RESTART: /* RFC 5681 section 4.1: no ACKs are left to set the pace */
		decision->cwnd_bytes = least_of(decision->cwnd_bytes, newreno->initial_cwnd);
		break;
	default: /* RECOVERED, MTU_CHANGED: nothing to do; and events that later hosts may have */
		break;
	}
}

static void newreno_outputs(const void *state, double *values)
{
	const struct newreno *newreno = state;

	values[0] = (double)newreno->acked;
}

static const struct tapstack_output_spec outputs[] = {
	{ "acked", "bytes", "acknowledged in congestion avoidance towards the next segment of growth" },
};

/* What moves with a connection to a newer version of this plugin. The first word says what follows, so that a later
 * version can tell. */
#define EXPORT_FORMAT "newreno1 %" PRIu64 " %" PRIu64 " %" PRIu64 " %d"
#define IMPORT_FORMAT "newreno1 %" SCNu64 " %" SCNu64 " %" SCNu64 " %d"

static int newreno_export(const void *state, char *text, size_t size)
{
	const struct newreno *newreno = state;

	return snprintf(text, size, EXPORT_FORMAT, newreno->acked, newreno->prior_cwnd, newreno->prior_ssthresh,
	                newreno->after_timeout);
}

static int newreno_import(void *state, const char *text, struct tapstack_cc_decision *decision)
{
	struct newreno *newreno = state, read;
	int after_timeout;

	(void)decision; /* cwnd and ssthresh are in it already */
	if (sscanf(text, IMPORT_FORMAT, &read.acked, &read.prior_cwnd, &read.prior_ssthresh, &after_timeout) != 4)
		return -1;
	newreno->acked = read.acked;
	newreno->prior_cwnd = read.prior_cwnd;
	newreno->prior_ssthresh = read.prior_ssthresh;
	newreno->after_timeout = after_timeout != 0;
	return 0;
}

static const struct tapstack_cc_ops ops = {
	.struct_size = sizeof(ops),
	.flags = TAPSTACK_CC_ECT0,
	.state_size = sizeof(struct newreno),
	.init = newreno_init,
	.on_ack = newreno_on_ack,
	.on_event = newreno_on_event,
	.outputs = newreno_outputs,
	.export_state = newreno_export,
	.import_state = newreno_import,
};

const struct tapstack_plugin tapstack_plugin = {
	TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_CONGESTION),
	.name = "newreno",
	.version = "1.0",
	.licence = "MIT",
	.description = "NewReno (RFC 5681, RFC 6582), counting bytes (RFC 3465)",
	.params = params,
	.param_count = PARAM_COUNT,
	.outputs = outputs,
	.output_count = sizeof(outputs) / sizeof(outputs[0]),
	.ops = &ops,
};
