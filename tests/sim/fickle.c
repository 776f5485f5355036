#include "fickle.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct fickle_state {
	uint64_t random;
	uint8_t rest[200]; /* of the large one */
};

static uint32_t draw(struct fickle_state *state, uint32_t bound)
{
	state->random = state->random * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(state->random >> 33) % bound;
}

static void decide(struct fickle_state *state, uint32_t mss, struct tapstack_cc_decision *decision)
{
	if (draw(state, 4) > 0)
		return;
	decision->cwnd_bytes = draw(state, 200) == 0 ? draw(state, mss) : mss + draw(state, 60 * mss);
	decision->ssthresh_bytes = draw(state, 3) == 0 ? UINT64_MAX : draw(state, 100 * mss);
	decision->pacing_bytes_per_s = draw(state, 3) == 0 ? 1000000 + draw(state, 100000000) : 0;
	if (draw(state, 200) == 0)
		decision->pacing_bytes_per_s = 1 + draw(state, 1000);
	decision->burst_bytes_max = draw(state, 3) == 0 ? draw(state, 80000) : 0;
}

static int fickle_init(void *memory, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                       struct tapstack_cc_decision *decision)
{
	struct fickle_state *state = memory;

	(void)params;
	state->random = env->random;
	decide(state, env->mss_bytes, decision);
	return draw(state, 20) == 0 ? -1 : 0;
}

static void fickle_on_ack(void *memory, const struct tapstack_cc_sample *sample,
                          struct tapstack_cc_decision *decision)
{
	decide(memory, sample->mss_bytes, decision);
}

static void fickle_on_event(void *memory, uint32_t event, const struct tapstack_cc_sample *sample,
                            struct tapstack_cc_decision *decision)
{
	(void)event;
	decide(memory, sample->mss_bytes, decision);
}

static void fickle_on_lost(void *memory, const struct tapstack_cc_lost *lost, struct tapstack_cc_decision *decision)
{
	decide(memory, lost->mss_bytes, decision);
}

static void fickle_on_sent(void *memory, int64_t now_ns, uint64_t bytes, uint64_t inflight_bytes,
                           struct tapstack_cc_decision *decision)
{
	(void)now_ns, (void)bytes, (void)inflight_bytes;
	decide(memory, 1000, decision);
}

static void fickle_outputs(const void *memory, double *values)
{
	values[0] = (double)((const struct fickle_state *)memory)->random;
}

static int fickle_export(const void *memory, char *text, size_t size)
{
	return snprintf(text, size, "%llu", (unsigned long long)((const struct fickle_state *)memory)->random);
}

static int fickle_import(void *memory, const char *text, struct tapstack_cc_decision *decision)
{
	(void)decision;
	((struct fickle_state *)memory)->random = strtoull(text, NULL, 10);
	return 0;
}

static const struct tapstack_cc_ops ops[FICKLE_KINDS] = {
	{
	        .struct_size = sizeof(struct tapstack_cc_ops),
	        .flags = TAPSTACK_CC_ECT0,
	        .state_size = offsetof(struct fickle_state, rest),
	        .init = fickle_init,
	        .on_ack = fickle_on_ack,
	        .on_event = fickle_on_event,
	        .outputs = fickle_outputs,
	        .export_state = fickle_export,
	        .import_state = fickle_import,
	},
	{
	        .struct_size = sizeof(struct tapstack_cc_ops),
	        .flags = TAPSTACK_CC_ECT1 | TAPSTACK_CC_NEEDS_PACING | TAPSTACK_CC_OWN_RECOVERY,
	        .state_size = sizeof(struct fickle_state),
	        .init = fickle_init,
	        .on_sent = fickle_on_sent,
	        .on_ack = fickle_on_ack,
	        .on_event = fickle_on_event,
	        .outputs = fickle_outputs,
	        .export_state = fickle_export,
	        .import_state = fickle_import,
	        .on_lost = fickle_on_lost,
	},
};
static _Atomic uint32_t users;
/* One name: each can be moved to the other with its state. */
static const struct stack_congestion congestion[FICKLE_KINDS] = {
	{ "fickle", 11, &ops[0], { .struct_size = sizeof(struct tapstack_params) }, &users, 1 },
	{ "fickle", 12, &ops[1], { .struct_size = sizeof(struct tapstack_params) }, &users, 1 },
};

const struct stack_congestion *fickle(unsigned kind)
{
	return &congestion[kind % FICKLE_KINDS];
}

uint32_t fickle_users(void)
{
	return atomic_load(&users);
}
