#pragma once
/* Congestion algorithms for tests: what they are told is noted, what they decide is the test's. Each is an ordinary
 * one but for `wanted`. */
#include "repair.h"

#include <stdio.h>

struct puppet {
	struct stack_congestion congestion;
	_Atomic uint32_t users;
	struct tapstack_cc_env env;           /* of the latest init */
	struct tapstack_cc_decision at_init;  /* as it was handed in */
	struct tapstack_cc_decision wanted;   /* cwnd 0: nothing is changed */
	struct tapstack_cc_sample sample;     /* the latest */
	struct tapstack_cc_decision in_force; /* as handed in with it */
	uint32_t inits, acks, events[16], lost, sent;
	int refuses;
	bool import_fails, imported;
};

/* Which puppet it is, and a number that export and import carry over. */
struct puppet_state {
	struct puppet *puppet;
	uint64_t count;
};

static inline void puppet_decides(struct puppet *puppet, struct tapstack_cc_decision *decision)
{
	if (puppet->wanted.cwnd_bytes != 0)
		*decision = puppet->wanted;
}

static inline int puppet_init(void *memory, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                              struct tapstack_cc_decision *decision)
{
	struct puppet_state *state = memory;

	state->puppet = (struct puppet *)(uintptr_t)params->value; /* the host hands them on unseen */
	state->puppet->env = *env;
	state->puppet->at_init = *decision;
	state->puppet->inits++;
	puppet_decides(state->puppet, decision);
	return state->puppet->refuses ? -1 : 0;
}

static inline void puppet_on_ack(void *memory, const struct tapstack_cc_sample *sample,
                                 struct tapstack_cc_decision *decision)
{
	struct puppet_state *state = memory;

	state->count++;
	state->puppet->acks++;
	state->puppet->sample = *sample;
	state->puppet->in_force = *decision;
	puppet_decides(state->puppet, decision);
}

static inline void puppet_on_event(void *memory, uint32_t event, const struct tapstack_cc_sample *sample,
                                   struct tapstack_cc_decision *decision)
{
	struct puppet_state *state = memory;

	(void)sample;
	state->puppet->events[event % 16]++;
	puppet_decides(state->puppet, decision);
}

static inline void puppet_on_lost(void *memory, const struct tapstack_cc_lost *lost,
                                  struct tapstack_cc_decision *decision)
{
	struct puppet_state *state = memory;

	(void)lost, (void)decision;
	state->puppet->lost++;
}

static inline void puppet_on_sent(void *memory, int64_t now_ns, uint64_t bytes, uint64_t inflight_bytes,
                                  struct tapstack_cc_decision *decision)
{
	struct puppet_state *state = memory;

	(void)now_ns, (void)bytes, (void)inflight_bytes, (void)decision;
	state->puppet->sent++;
}

static inline void puppet_outputs(const void *memory, double *values)
{
	const struct puppet_state *state = memory;

	values[0] = (double)state->count;
	values[1] = 0.5;
}

static inline int puppet_export(const void *memory, char *text, size_t size)
{
	const struct puppet_state *state = memory;

	return snprintf(text, size, "%llu", (unsigned long long)state->count);
}

static inline int puppet_import(void *memory, const char *text, struct tapstack_cc_decision *decision)
{
	struct puppet_state *state = memory;

	decision->cwnd_bytes++;
	if (state->puppet->import_fails)
		return -1;
	state->count = strtoull(text, NULL, 10);
	state->puppet->imported = true;
	return 0;
}

/* A puppet as new. `state_bytes`: 64 at most lie in the record. */
static inline void puppet_make(struct puppet *puppet, struct tapstack_cc_ops *ops, const char *name, uint16_t id,
                               size_t state_bytes)
{
	*ops = (struct tapstack_cc_ops){
		.struct_size = sizeof(*ops),
		.state_size = state_bytes,
		.init = puppet_init,
		.on_sent = puppet_on_sent,
		.on_ack = puppet_on_ack,
		.on_event = puppet_on_event,
		.on_lost = puppet_on_lost,
		.outputs = puppet_outputs,
		.export_state = puppet_export,
		.import_state = puppet_import,
	};
	memset(puppet, 0, sizeof(*puppet));
	puppet->congestion =
	        (struct stack_congestion){ .name = name,
		                           .id = id,
		                           .ops = ops,
		                           .params = { .struct_size = sizeof(struct tapstack_params),
		                                       .value = (const struct tapstack_param_value *)(void *)puppet },
		                           .users = &puppet->users,
		                           .output_count = 2 };
}
