#pragma once
/* One connection as a congestion plugin has it, on virtual time, without a network: what the host would tell, ACK by
 * ACK. For tests of the plugin that the program is linked with. */
#include "tapstack/congestion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MSS 1448u
#define MS INT64_C(1000000)
#define S INT64_C(1000000000)
#define FLOW_PARAMS_MAX 16

struct flow {
	_Alignas(8) unsigned char state[TAPSTACK_CC_STATE_MAX];
	struct tapstack_param_value value[FLOW_PARAMS_MAX]; /* read by the plugin as long as the flow lives */
	struct tapstack_params params;
	struct tapstack_cc_decision decision;
	int64_t now, rtt, min_rtt;
	bool limited;
};

static inline const struct tapstack_cc_ops *flow_ops(void)
{
	return tapstack_plugin.ops;
}

/* The number of a parameter; set it between flow_defaults and flow_begin. */
static inline double *flow_param(struct flow *flow, const char *name)
{
	for (uint32_t i = 0; i < tapstack_plugin.param_count; i++) {
		if (strcmp(tapstack_plugin.params[i].name, name) == 0)
			return &flow->value[i].number;
	}
	fail_msg("no parameter %s", name);
	return NULL;
}

static inline void flow_defaults(struct flow *flow)
{
	assert_true(tapstack_plugin.param_count <= FLOW_PARAMS_MAX);
	assert_true(flow_ops()->state_size <= TAPSTACK_CC_STATE_MAX);
	memset(flow, 0, sizeof(*flow));
	for (uint32_t i = 0; i < tapstack_plugin.param_count; i++)
		flow->value[i].number = tapstack_plugin.params[i].initial;
	flow->params = (struct tapstack_params){ sizeof(flow->params), tapstack_plugin.param_count, flow->value };
}

/* With the parameters as they are; again: a new connection. */
static inline void flow_begin(struct flow *flow, int64_t rtt)
{
	struct tapstack_cc_env env = {
		.struct_size = sizeof(env), .mss_bytes = MSS, .now_ns = 1000 * S, .initial_cwnd_bytes = 10 * MSS
	};

	memset(flow->state, 0, sizeof(flow->state));
	flow->now = env.now_ns;
	flow->rtt = flow->min_rtt = rtt;
	flow->limited = true;
	flow->decision = (struct tapstack_cc_decision){ .cwnd_bytes = 10 * MSS, .ssthresh_bytes = UINT64_MAX };
	assert_int_equal(flow_ops()->init(flow->state, &env, &flow->params, &flow->decision), 0);
}

static inline struct tapstack_cc_sample flow_sample(const struct flow *flow, uint64_t acked)
{
	return (struct tapstack_cc_sample){ .struct_size = sizeof(struct tapstack_cc_sample),
		                            .mss_bytes = MSS,
		                            .now_ns = flow->now,
		                            .rtt_ns = flow->rtt,
		                            .srtt_ns = flow->rtt,
		                            .min_rtt_ns = flow->min_rtt,
		                            .acked_bytes = acked,
		                            .delivered_bytes = acked,
		                            .inflight_before_bytes = flow->decision.cwnd_bytes,
		                            .cwnd_limited = flow->limited };
}

static inline void flow_ack(struct flow *flow, uint64_t bytes)
{
	struct tapstack_cc_sample sample = flow_sample(flow, bytes);

	flow_ops()->on_ack(flow->state, &sample, &flow->decision);
}

static inline void flow_event(struct flow *flow, uint32_t event)
{
	struct tapstack_cc_sample sample = flow_sample(flow, 0);

	flow_ops()->on_event(flow->state, event, &sample, &flow->decision);
}

/* A round trip: the whole window is acknowledged, evenly, in at most `acks` ACKs. */
static inline void flow_round_in(struct flow *flow, unsigned acks)
{
	uint64_t window = flow->decision.cwnd_bytes, step = window / acks < MSS ? MSS : window / acks, done = 0;
	int64_t begun = flow->now;
	bool start = true;

	while (done < window) {
		uint64_t bytes = window - done < step ? window - done : step;
		struct tapstack_cc_sample sample;

		done += bytes;
		flow->now = begun + (int64_t)((double)flow->rtt * (double)done / (double)window);
		sample = flow_sample(flow, bytes);
		sample.round_start = start;
		start = false;
		flow_ops()->on_ack(flow->state, &sample, &flow->decision);
	}
	flow->now = begun + flow->rtt;
}

static inline void flow_round(struct flow *flow)
{
	flow_round_in(flow, 100);
}

static inline double flow_segments(const struct flow *flow)
{
	return (double)flow->decision.cwnd_bytes / MSS;
}

static inline double flow_output(const struct flow *flow, const char *name)
{
	double values[8];

	assert_true(tapstack_plugin.output_count <= 8);
	flow_ops()->outputs(flow->state, values);
	for (uint32_t i = 0; i < tapstack_plugin.output_count; i++) {
		if (strcmp(tapstack_plugin.outputs[i].name, name) == 0)
			return values[i];
	}
	fail_msg("no output %s", name);
	return 0;
}

/* Moves the connection to another instance of the plugin, as a newer version of it would be: by text. */
static inline void flow_move(struct flow *flow)
{
	struct tapstack_cc_decision decision = flow->decision;
	char text[TAPSTACK_CC_EXPORT_MAX], again[TAPSTACK_CC_EXPORT_MAX];
	int length = flow_ops()->export_state(flow->state, text, sizeof(text));
	int64_t now = flow->now, rtt = flow->rtt, min_rtt = flow->min_rtt;
	bool limited = flow->limited;
	unsigned char before[TAPSTACK_CC_STATE_MAX];

	assert_true(length > 0 && length < (int)TAPSTACK_CC_EXPORT_MAX);
	assert_int_equal(flow_ops()->export_state(flow->state, again, 4), length); /* tells what it needs */
	flow_begin(flow, rtt);
	flow->now = now;
	flow->min_rtt = min_rtt;
	flow->limited = limited;
	flow->decision = decision;
	memcpy(before, flow->state, sizeof(before));
	assert_true(flow_ops()->import_state(flow->state, "something else 1 2 3", &flow->decision) < 0);
	assert_true(flow_ops()->import_state(flow->state, "", &flow->decision) < 0);
	assert_memory_equal(before, flow->state, sizeof(before));
	assert_int_equal(flow_ops()->import_state(flow->state, text, &flow->decision), 0);
	assert_int_equal(flow_ops()->export_state(flow->state, again, sizeof(again)), length);
	assert_string_equal(again, text);
	assert_int_equal(flow->decision.cwnd_bytes, decision.cwnd_bytes);
	assert_true(flow->decision.ssthresh_bytes == decision.ssthresh_bytes);
}
