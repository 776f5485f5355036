/* DCTCP, RFC 8257: standard TCP (RFC 5681) that answers marks by how many there are, not by whether there are any. It
 * keeps the queue of a switch that marks beyond a threshold about as long as that threshold. For networks under one
 * administration: beside standard TCP it takes more than its share (section 5).
 *
 * It needs to know how many bytes were marked. AccECN (RFC 9768) tells it. A receiver that echoes each mark by itself
 * (section 3.2) tells it too, but nothing in the handshake says that it is one: the parameter peer_echoes_marks does.
 * One that echoes as RFC 3168 has it says "some, in this round trip", so the window is then halved, as RFC 3168 asks.
 */
#include "tapstack/congestion.h"

#include <stdbool.h>
#include <stdio.h>

/* RFC 3465: what one ACK may add in slow start. A super-frame that is acknowledged at once counts in full; after a
 * time-out one ACK may report much that had arrived long before: then one segment. */
#define ABC_LIMIT_BYTES 65536u

#define WINDOW_UNKNOWN UINT32_MAX /* ssthresh before the first congestion */

enum {
	EXACT = 1,       /* it is known which bytes were marked */
	ECHOED = 2,      /* by ECE, on the ACKs of these bytes */
	AFTER_RTO = 4,   /* slow start repairs */
	HAS_UNDO = 8,    /* prior_* hold */
	MARKED_NOW = 16, /* the window was reduced for marks in the window of data that is in flight */
	NOT_TOLD = 32,   /* the host does not say what was agreed on; see dctcp_init */
};

struct dctcp {
	double alpha;           /* DCTCP.Alpha: share of bytes marked, on the average */
	double fraction;        /* M: the same in the last observation window */
	uint64_t acked, marked; /* DCTCP.BytesAcked, DCTCP.BytesMarked */
	float g;
	uint32_t initial_cwnd;
	uint32_t prior_cwnd, prior_ssthresh; /* before the last reduction */
	uint32_t credit;                     /* bytes acknowledged towards the next full segment */
	uint8_t flags;
	uint8_t rounds; /* begun since the last reduction for marks, 2 at most */
};

_Static_assert(sizeof(struct dctcp) <= 64, "in the connection's own record");

static uint32_t narrow(uint64_t window)
{
	return window >= WINDOW_UNKNOWN ? WINDOW_UNKNOWN : (uint32_t)window;
}

static uint64_t at_least(uint64_t value, uint64_t floor)
{
	return value < floor ? floor : value;
}

/* ---- the estimate ------------------------------------------------------------------------------------------------
 */

/* Section 3.3, steps 1 to 3: what this ACK tells. What was delivered by SACK counts when it was; its mark is reported
 * then, too. */
static void count(struct dctcp *dctcp, const struct tapstack_cc_sample *sample)
{
	uint64_t marked = sample->ce_bytes;

	if ((dctcp->flags & ECHOED) != 0)
		marked = sample->ece ? sample->delivered_bytes : 0;
	dctcp->acked += sample->delivered_bytes;
	dctcp->marked += marked < sample->delivered_bytes ? marked : sample->delivered_bytes;
}

/* Section 3.3, steps 4 to 8: an observation window, which is a round trip of the host's, is over. */
static void observe(struct dctcp *dctcp)
{
	if (dctcp->rounds < 2 && ++dctcp->rounds == 2)
		dctcp->flags &= (uint8_t)~MARKED_NOW;
	if (dctcp->acked == 0)
		return;
	dctcp->fraction = (double)dctcp->marked / (double)dctcp->acked;
	dctcp->alpha += (double)dctcp->g * (dctcp->fraction - dctcp->alpha);
	dctcp->acked = dctcp->marked = 0;
}

/* Time in which nothing was sent, or nothing came back, says nothing about marks. */
static void forget_window(struct dctcp *dctcp)
{
	dctcp->acked = dctcp->marked = 0;
}

/* ---- the window --------------------------------------------------------------------------------------------------
 */

/* Section 3.4: grows as that of standard TCP, RFC 5681 section 3.1. */
static void grow(struct dctcp *dctcp, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	uint64_t acked = sample->acked_bytes;

	if (decision->cwnd_bytes < decision->ssthresh_bytes) {
		uint64_t limit = (dctcp->flags & AFTER_RTO) != 0 ? sample->mss_bytes : ABC_LIMIT_BYTES;
		uint64_t room = decision->ssthresh_bytes - decision->cwnd_bytes;

		acked = acked < limit ? acked : limit;
		decision->cwnd_bytes += acked < room ? acked : room;
		return;
	}
	dctcp->flags &= (uint8_t)~AFTER_RTO;
	acked += dctcp->credit;
	while (acked >= decision->cwnd_bytes) {
		acked -= decision->cwnd_bytes;
		decision->cwnd_bytes += sample->mss_bytes;
	}
	dctcp->credit = narrow(acked);
}

static void dctcp_on_ack(void *state, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	struct dctcp *dctcp = state;

	if (sample->ce_bytes > 0 && (dctcp->flags & NOT_TOLD) != 0)
		dctcp->flags |= EXACT;
	if ((dctcp->flags & EXACT) != 0) {
		count(dctcp, sample);
		if (sample->round_start)
			observe(dctcp);
	}
	if (!sample->in_recovery && !sample->ece && sample->cwnd_limited && sample->acked_bytes > 0)
		grow(dctcp, sample, decision);
}

static void remember(struct dctcp *dctcp, const struct tapstack_cc_decision *decision)
{
	dctcp->prior_cwnd = narrow(decision->cwnd_bytes);
	dctcp->prior_ssthresh = narrow(decision->ssthresh_bytes);
	dctcp->flags |= HAS_UNDO;
	dctcp->credit = 0;
}

/* Section 3.3, step 9; the host tells of marks once per window of data. */
static void reduce_for_marks(struct dctcp *dctcp, const struct tapstack_cc_sample *sample,
                             struct tapstack_cc_decision *decision)
{
	double alpha = (dctcp->flags & EXACT) != 0 ? dctcp->alpha : 1;
	double cwnd = (double)decision->cwnd_bytes;

	remember(dctcp, decision);
	dctcp->flags |= MARKED_NOW;
	dctcp->rounds = 0;
	decision->cwnd_bytes = at_least((uint64_t)(cwnd * (1 - alpha / 2)), 2 * (uint64_t)sample->mss_bytes);
	decision->ssthresh_bytes = decision->cwnd_bytes;
}

/* Section 3.5: as standard TCP. Of a window of data that was marked as well, all signals together reduce it once: by
 * half of what it was before. */
static void reduce_for_loss(struct dctcp *dctcp, const struct tapstack_cc_sample *sample,
                            struct tapstack_cc_decision *decision)
{
	uint64_t from = sample->inflight_before_bytes, half;

	if ((dctcp->flags & MARKED_NOW) != 0 && dctcp->prior_cwnd > from)
		from = dctcp->prior_cwnd;
	half = at_least(from / 2, 2 * (uint64_t)sample->mss_bytes);
	remember(dctcp, decision);
	dctcp->flags &= (uint8_t)~MARKED_NOW;
	decision->ssthresh_bytes = half;
}

/* Section 3.5; when the same segment times out again, ssthresh stays (RFC 5681 section 3.1). */
static void time_out(struct dctcp *dctcp, const struct tapstack_cc_sample *sample,
                     struct tapstack_cc_decision *decision)
{
	if ((dctcp->flags & AFTER_RTO) == 0 || decision->cwnd_bytes > sample->mss_bytes)
		reduce_for_loss(dctcp, sample, decision);
	dctcp->flags |= AFTER_RTO;
	decision->cwnd_bytes = sample->mss_bytes;
	forget_window(dctcp);
}

static void undo(struct dctcp *dctcp, struct tapstack_cc_decision *decision)
{
	if ((dctcp->flags & HAS_UNDO) == 0)
		return;
	decision->cwnd_bytes = at_least(decision->cwnd_bytes, dctcp->prior_cwnd);
	decision->ssthresh_bytes = dctcp->prior_ssthresh == WINDOW_UNKNOWN ? UINT64_MAX : dctcp->prior_ssthresh;
	dctcp->flags &= (uint8_t) ~(HAS_UNDO | AFTER_RTO);
}

/* RFC 5681 section 4.1. What is known of marks stays: the path is the same. */
static void restart(struct dctcp *dctcp, struct tapstack_cc_decision *decision)
{
	if (decision->cwnd_bytes > dctcp->initial_cwnd) {
		decision->ssthresh_bytes = at_least(decision->ssthresh_bytes, decision->cwnd_bytes / 4 * 3);
		decision->cwnd_bytes = dctcp->initial_cwnd;
	}
	forget_window(dctcp);
}

static void dctcp_on_event(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
                           struct tapstack_cc_decision *decision)
{
	struct dctcp *dctcp = state;

	switch (event) {
	case TAPSTACK_CC_ECN:
		reduce_for_marks(dctcp, sample, decision);
		break;
	case TAPSTACK_CC_LOSS:
		reduce_for_loss(dctcp, sample, decision);
		decision->cwnd_bytes = decision->ssthresh_bytes;
		break;
	case TAPSTACK_CC_RTO:
		time_out(dctcp, sample, decision);
		break;
	case TAPSTACK_CC_UNDO:
		undo(dctcp, decision);
		break;
	case TAPSTACK_CC_IDLE_RESTART:
		restart(dctcp, decision);
		break;
	default:
		break;
	}
}

/* ---- the plugin --------------------------------------------------------------------------------------------------
 */

enum { PARAM_G, PARAM_ALPHA, PARAM_PEER_ECHOES_MARKS, PARAM_COUNT };

/* A host of 0.1 does not say what was agreed on. There ce_bytes is never a guess: if it comes, the feedback is exact.
 */
static int dctcp_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                      struct tapstack_cc_decision *decision)
{
	struct dctcp *dctcp = state;
	bool echoes;

	if (params->count < PARAM_COUNT)
		return -1;
	*dctcp = (struct dctcp){
		.alpha = params->value[PARAM_ALPHA].number,
		.g = (float)params->value[PARAM_G].number,
		.initial_cwnd = narrow(env->initial_cwnd_bytes),
		.rounds = 2,
	};
	echoes = params->value[PARAM_PEER_ECHOES_MARKS].number != 0;
	if (env->struct_size < TAPSTACK_SIZE_UP_TO(struct tapstack_cc_env, ecn))
		dctcp->flags |= NOT_TOLD;
	else if (env->ecn == TAPSTACK_CC_ECN_ACCURATE)
		dctcp->flags |= EXACT;
	else if (env->ecn == TAPSTACK_CC_ECN_CLASSIC && echoes)
		dctcp->flags |= EXACT | ECHOED;
	decision->pacing_bytes_per_s = 0; /* whatever an algorithm before had */
	decision->burst_bytes_max = 0;
	return 0;
}

static void dctcp_outputs(const void *state, double *values)
{
	const struct dctcp *dctcp = state;

	values[0] = dctcp->alpha;
	values[1] = dctcp->fraction;
	values[2] = (dctcp->flags & EXACT) != 0 ? 1 : 0;
}

static int dctcp_export(const void *state, char *text, size_t size)
{
	const struct dctcp *dctcp = state;

	return snprintf(text, size, "alpha %.9g", dctcp->alpha);
}

static int dctcp_import(void *state, const char *text, struct tapstack_cc_decision *decision)
{
	struct dctcp *dctcp = state;
	double alpha;

	(void)decision;
	if (sscanf(text, "alpha %lf", &alpha) != 1 || !(alpha >= 0 && alpha <= 1))
		return -1;
	dctcp->alpha = alpha;
	return 0;
}

static const struct tapstack_param_spec params[] = {
	[PARAM_G] = { "g", "", "weight of the latest window of data in alpha (RFC 8257 section 4.2)",
	              TAPSTACK_PARAM_NUMBER, 0, 0.001, 1, 0.0625, NULL },
	[PARAM_ALPHA] = { "alpha", "", "alpha at the beginning (RFC 8257 section 4.2)", TAPSTACK_PARAM_NUMBER, 0, 0,
	                  1, 1, NULL },
	[PARAM_PEER_ECHOES_MARKS] = { "peer_echoes_marks", "",
	                              "without AccECN the peer echoes each mark by itself (RFC 8257 section 3.2)",
	                              TAPSTACK_PARAM_SWITCH, 0, 0, 1, 0, NULL },
};

static const struct tapstack_output_spec outputs[] = {
	{ "alpha", "", "share of bytes marked, on the average" },
	{ "fraction", "", "share of bytes marked in the last window of data" },
	{ "exact", "", "1: the feedback tells which bytes were marked; 0: marks halve the window (RFC 3168)" },
};

static const struct tapstack_cc_ops ops = {
	.struct_size = sizeof(ops),
	.flags = TAPSTACK_CC_ECT0,
	.state_size = sizeof(struct dctcp),
	.init = dctcp_init,
	.on_ack = dctcp_on_ack,
	.on_event = dctcp_on_event,
	.outputs = dctcp_outputs,
	.export_state = dctcp_export,
	.import_state = dctcp_import,
};

const struct tapstack_plugin tapstack_plugin = {
	TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_CONGESTION),
	.name = "dctcp",
	.version = "1.0",
	.licence = "MIT",
	.description = "DCTCP (RFC 8257)",
	.params = params,
	.param_count = sizeof(params) / sizeof(params[0]),
	.outputs = outputs,
	.output_count = sizeof(outputs) / sizeof(outputs[0]),
	.ops = &ops,
};
