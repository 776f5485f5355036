#pragma once
/* flow.h, and what the network marks: for algorithms that answer Congestion Experienced. */
#include "flow.h"

/* A connection that agreed on this (enum tapstack_cc_ecn_kind), with the parameters as they are, in congestion
 * avoidance at `segments`; 0: it begins. */
static inline void flow_begin_ecn(struct flow *flow, int64_t rtt, uint32_t ecn, uint64_t segments)
{
	struct tapstack_cc_env env = { .struct_size = sizeof(env),
		                       .mss_bytes = MSS,
		                       .now_ns = 1000 * S,
		                       .initial_cwnd_bytes = 10 * MSS,
		                       .ecn = ecn };

	flow_begin(flow, rtt);
	memset(flow->state, 0, sizeof(flow->state));
	if (segments > 0)
		flow->decision.cwnd_bytes = flow->decision.ssthresh_bytes = segments * MSS;
	assert_int_equal(flow_ops()->init(flow->state, &env, &flow->params, &flow->decision), 0);
}

/* An ACK that says that this much of what it delivers was marked. */
static inline void flow_ack_marked(struct flow *flow, uint64_t delivered, uint64_t ce)
{
	struct tapstack_cc_sample sample = flow_sample(flow, delivered);

	sample.ce_bytes = ce;
	sample.ece = ce > 0;
	flow_ops()->on_ack(flow->state, &sample, &flow->decision);
}

/* A round trip as the host tells it: the whole window is acknowledged, a segment at a time, of which this share is
 * marked, evenly; the first mark comes with the event. */
static inline void flow_round_marked(struct flow *flow, double share)
{
	uint64_t window = flow->decision.cwnd_bytes;
	int64_t begun = flow->now;
	bool told = false, first = true;
	double due = 0.5;

	for (uint64_t done = 0; done < window;) {
		uint64_t bytes = window - done < MSS ? window - done : MSS;
		struct tapstack_cc_sample sample;

		done += bytes;
		due += share;
		flow->now = begun + (int64_t)((double)flow->rtt * (double)done / (double)window);
		sample = flow_sample(flow, bytes);
		sample.round_start = first;
		first = false;
		if (due >= 1) {
			due -= 1;
			sample.ce_bytes = bytes;
			sample.ece = 1;
			if (!told)
				flow_event(flow, TAPSTACK_CC_ECN);
			told = true;
		}
		flow_ops()->on_ack(flow->state, &sample, &flow->decision);
	}
	flow->now = begun + flow->rtt;
}
