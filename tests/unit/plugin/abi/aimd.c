/* A congestion plugin that uses all that release 0.1 had; compiled with the headers of then and of today (NAME). */
#include "tapstack/congestion.h"

#include <stdio.h>

struct aimd {
	double increase, decrease;
	uint64_t before; /* the last loss */
	uint64_t delivered, lost, rate_best;
	uint64_t filler[8]; /* too much for the connection's own record */
	uint32_t rounds;
};

static int aimd_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                     struct tapstack_cc_decision *decision)
{
	struct aimd *aimd = state;

	if (env->struct_size < sizeof(*env) || params->struct_size < sizeof(*params) || params->count != 2 ||
	    aimd->rounds != 0)
		return -1;
	aimd->increase = params->value[0].number;
	aimd->decrease = params->value[1].number;
	decision->cwnd_bytes = env->initial_cwnd_bytes;
	return 0;
}

static void aimd_on_sent(void *state, int64_t now_ns, uint64_t bytes, uint64_t inflight_bytes,
                         struct tapstack_cc_decision *decision)
{
	struct aimd *aimd = state;

	(void)now_ns;
	(void)decision;
	aimd->filler[0] += bytes;
	if (inflight_bytes > aimd->filler[1])
		aimd->filler[1] = inflight_bytes;
}

static void aimd_on_ack(void *state, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	struct aimd *aimd = state;

	if (sample->struct_size < sizeof(*sample))
		return;
	aimd->delivered += sample->delivered_bytes;
	aimd->lost += sample->lost_bytes;
	aimd->rounds += sample->round_start;
	if (sample->rate_interval_ns > 0) {
		uint64_t rate = sample->rate_delivered_bytes * 1000000000u / (uint64_t)sample->rate_interval_ns;

		if (rate > aimd->rate_best)
			aimd->rate_best = rate;
	}
	if (sample->in_recovery || !sample->cwnd_limited)
		return;
	if (decision->cwnd_bytes < decision->ssthresh_bytes)
		decision->cwnd_bytes += sample->acked_bytes;
	else
		decision->cwnd_bytes += (uint64_t)(aimd->increase * (double)sample->acked_bytes * sample->mss_bytes /
		                                   (double)decision->cwnd_bytes);
	decision->pacing_bytes_per_s =
	        sample->srtt_ns > 0 ? 2 * decision->cwnd_bytes * 1000000000u / (uint64_t)sample->srtt_ns : 0;
}

static void aimd_on_event(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
                          struct tapstack_cc_decision *decision)
{
	struct aimd *aimd = state;
	uint64_t least = 2 * (uint64_t)sample->mss_bytes;

	switch (event) {
	case TAPSTACK_CC_LOSS:
	case TAPSTACK_CC_ECN:
	case TAPSTACK_CC_RTO:
		aimd->before = decision->cwnd_bytes;
		decision->ssthresh_bytes = (uint64_t)(aimd->decrease * (double)decision->cwnd_bytes);
		if (decision->ssthresh_bytes < least)
			decision->ssthresh_bytes = least;
		decision->cwnd_bytes = event == TAPSTACK_CC_RTO ? sample->mss_bytes : decision->ssthresh_bytes;
		break;
	case TAPSTACK_CC_UNDO:
		decision->cwnd_bytes = aimd->before;
		break;
	default:
		break;
	}
}

static void aimd_outputs(const void *state, double *values)
{
	const struct aimd *aimd = state;

	values[0] = (double)aimd->delivered;
	values[1] = (double)aimd->rate_best;
}

static int aimd_export(const void *state, char *text, size_t size)
{
	const struct aimd *aimd = state;

	return snprintf(text, size, "%llu", (unsigned long long)aimd->before);
}

static int aimd_import(void *state, const char *text, struct tapstack_cc_decision *decision)
{
	struct aimd *aimd = state;
	unsigned long long before;

	(void)decision;
	if (sscanf(text, "%llu", &before) != 1)
		return -1;
	aimd->before = before;
	return 0;
}

static const struct tapstack_param_spec params[] = {
	{ "increase", "segments", "a round trip", TAPSTACK_PARAM_NUMBER, 0, 0.1, 10, 1, NULL },
	{ "decrease", "", "what is left after a loss", TAPSTACK_PARAM_NUMBER, 0, 0.1, 0.9, 0.5, NULL },
};

static const struct tapstack_output_spec outputs[] = {
	{ "delivered", "bytes", "so far" },
	{ "rate_best", "bytes/s", "the best sample" },
};

static const struct tapstack_cc_ops ops = {
	.struct_size = sizeof(ops),
	.flags = TAPSTACK_CC_ECT0,
	.state_size = sizeof(struct aimd),
	.init = aimd_init,
	.on_sent = aimd_on_sent,
	.on_ack = aimd_on_ack,
	.on_event = aimd_on_event,
	.outputs = aimd_outputs,
	.export_state = aimd_export,
	.import_state = aimd_import,
};

const struct tapstack_plugin tapstack_plugin = {
	TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_CONGESTION),
	.name = NAME,
	.version = "1",
	.licence = "MIT",
	.description = "additive increase, multiplicative decrease",
	.params = params,
	.outputs = outputs,
	.param_count = sizeof(params) / sizeof(params[0]),
	.output_count = sizeof(outputs) / sizeof(outputs[0]),
	.ops = &ops,
};
