/* A congestion algorithm that has nothing to learn from: the window is as large as it is told to be, whatever the
 * network says. For a path that is known, and as a beginning for an algorithm of your own: see tapstack-plugin(7),
 * and tapstack/congestion.h for what each call means. */
#include <tapstack/congestion.h>

enum { PARAM_WINDOW, PARAM_PACED, PARAM_COUNT };

struct fixed {
	double window;
	uint64_t losses;
	int paced;
};

static void decide(const struct fixed *fixed, int64_t srtt_ns, struct tapstack_cc_decision *decision)
{
	decision->cwnd_bytes = (uint64_t)fixed->window;
	decision->pacing_bytes_per_s = 0;
	if (fixed->paced && srtt_ns > 0)
		decision->pacing_bytes_per_s = (uint64_t)(fixed->window * 1e9 / (double)srtt_ns);
}

static int fixed_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                      struct tapstack_cc_decision *decision)
{
	struct fixed *fixed = state;

	if (params->count < PARAM_COUNT)
		return -1;
	fixed->window = params->value[PARAM_WINDOW].number;
	fixed->paced = params->value[PARAM_PACED].number != 0;
	decide(fixed, env->srtt_ns, decision);
	return 0;
}

static void fixed_on_ack(void *state, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	decide(state, sample->srtt_ns, decision);
}

static void fixed_on_event(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
                           struct tapstack_cc_decision *decision)
{
	struct fixed *fixed = state;

	if (event == TAPSTACK_CC_LOSS || event == TAPSTACK_CC_RTO)
		fixed->losses++;
	decide(fixed, sample->srtt_ns, decision);
}

static void fixed_outputs(const void *state, double *values)
{
	const struct fixed *fixed = state;

	values[0] = (double)fixed->losses;
}

static const struct tapstack_param_spec params[] = {
	[PARAM_WINDOW] = { .name = "window",
	                   .unit = "bytes",
	                   .help = "the congestion window",
	                   .type = TAPSTACK_PARAM_NUMBER,
	                   .min = 2920,
	                   .max = 1 << 30,
	                   .initial = 65536 },
	[PARAM_PACED] = { .name = "paced",
	                  .unit = "",
	                  .help = "spread a window over a round trip",
	                  .type = TAPSTACK_PARAM_SWITCH,
	                  .min = 0,
	                  .max = 1,
	                  .initial = 0 },
};

static const struct tapstack_output_spec outputs[] = {
	{ "losses", "", "times that the window should have shrunk" },
};

static const struct tapstack_cc_ops ops = {
	.struct_size = sizeof(ops),
	.state_size = sizeof(struct fixed),
	.init = fixed_init,
	.on_ack = fixed_on_ack,
	.on_event = fixed_on_event,
	.outputs = fixed_outputs,
};

const struct tapstack_plugin tapstack_plugin = {
	TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_CONGESTION),
	.name = "fixed",
	.version = "1.0",
	.licence = "MIT",
	.description = "a window that never changes",
	.params = params,
	.param_count = PARAM_COUNT,
	.outputs = outputs,
	.output_count = sizeof(outputs) / sizeof(outputs[0]),
	.ops = &ops,
};
