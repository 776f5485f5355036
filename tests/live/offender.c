/* A congestion algorithm that is wrong in the way that its parameter says, for the guard rails of the daemon. */
#include "tapstack/congestion.h"

#include <math.h>
#include <string.h>
#include <time.h>

struct offender {
	const struct tapstack_params *params;
	uint64_t random;
};

static int is(const struct offender *offender, const char *way)
{
	return strcmp(offender->params->value[0].text, way) == 0;
}

static uint64_t draw(struct offender *offender)
{
	offender->random = offender->random * 6364136223846793005u + 1442695040888963407u;
	return offender->random >> (offender->random >> 58);
}

static void decide(struct offender *offender, struct tapstack_cc_decision *decision)
{
	if (is(offender, "garbage"))
		*decision = (struct tapstack_cc_decision){ draw(offender), draw(offender), draw(offender),
			                                   (uint32_t)draw(offender), (uint32_t)draw(offender) };
	else if (is(offender, "byte"))
		decision->cwnd_bytes = 1;
	else if (is(offender, "sleep"))
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
}

static int offender_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                         struct tapstack_cc_decision *decision)
{
	struct offender *offender = state;

	(void)decision;
	offender->params = params;
	offender->random = env->random;
	return is(offender, "refuse") ? -1 : 0;
}

static void offender_on_ack(void *state, const struct tapstack_cc_sample *sample,
                            struct tapstack_cc_decision *decision)
{
	(void)sample;
	decide(state, decision);
}

static void offender_on_event(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
                              struct tapstack_cc_decision *decision)
{
	(void)event, (void)sample;
	decide(state, decision);
}

static void offender_outputs(const void *state, double *values)
{
	const struct offender *offender = state;

	if (is(offender, "outputs"))
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	values[0] = (double)NAN;
	values[1] = (double)-INFINITY;
}

static const struct tapstack_param_spec params[] = {
	{ .name = "way",
	  .unit = "",
	  .help = "garbage, byte, sleep, outputs (which sleep), refuse",
	  .type = TAPSTACK_PARAM_TEXT,
	  .initial_text = "garbage" },
};

static const struct tapstack_output_spec outputs[] = {
	{ "nothing", "", "no number" },
	{ "everything", "", "no number either" },
};

static const struct tapstack_cc_ops ops = {
	.struct_size = sizeof(ops),
	.state_size = sizeof(struct offender),
	.init = offender_init,
	.on_ack = offender_on_ack,
	.on_event = offender_on_event,
	.outputs = offender_outputs,
};

const struct tapstack_plugin tapstack_plugin = {
	TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_CONGESTION),
	.name = "offender",
	.version = "1",
	.licence = "MIT",
	.description = "what no algorithm should do",
	.params = params,
	.param_count = sizeof(params) / sizeof(params[0]),
	.outputs = outputs,
	.output_count = sizeof(outputs) / sizeof(outputs[0]),
	.ops = &ops,
};
