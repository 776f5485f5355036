/* RFC 9438: CUBIC. The equations are checked with the algorithm alone; a flow in a stack shows that it is obeyed. */
#include "dialogue.h"

#include "tapstack/plugin.h"

#include <math.h>

#define MSS 1000u
#define SECOND INT64_C(1000000000)
#define C 0.4
#define BETA 0.7

#define PARAMS_MAX 32

struct flow_alone {
	struct tapstack_param_value values[PARAMS_MAX];
	struct tapstack_params params; /* stay in place as long as the state, which may point there */
	_Alignas(8) unsigned char state[TAPSTACK_CC_STATE_MAX];
	struct tapstack_cc_decision decision;
	int64_t now, rtt;
	bool limited;
};

static const struct tapstack_cc_ops *cubic(void)
{
	return tapstack_plugin.ops;
}

/* All as the plugin has them, which are the RFC's; but slow start is that of RFC 5681, not of RFC 9406. */
static struct tapstack_params params_of(struct tapstack_param_value values[PARAMS_MAX])
{
	assert_true(tapstack_plugin.param_count <= PARAMS_MAX);
	for (uint32_t i = 0; i < tapstack_plugin.param_count; i++)
		values[i].number = strcmp(tapstack_plugin.params[i].name, "hystart") == 0
		                           ? 0
		                           : tapstack_plugin.params[i].initial;
	assert_true(values[0].number == C && values[1].number == BETA);
	return (struct tapstack_params){ sizeof(struct tapstack_params), tapstack_plugin.param_count, values };
}

static void begin(struct flow_alone *flow, double segments, int64_t rtt)
{
	const struct tapstack_cc_env env = {
		.struct_size = sizeof(env), .mss_bytes = MSS, .now_ns = 1000 * SECOND, .initial_cwnd_bytes = 10 * MSS
	};

	*flow = (struct flow_alone){ .now = env.now_ns, .rtt = rtt, .limited = true };
	flow->params = params_of(flow->values);
	flow->decision = (struct tapstack_cc_decision){ .cwnd_bytes = 10 * MSS, .ssthresh_bytes = UINT64_MAX };
	assert_int_equal(cubic()->init(flow->state, &env, &flow->params, &flow->decision), 0);
	flow->decision.cwnd_bytes = (uint64_t)(segments * MSS);
}

static struct tapstack_cc_sample sample_of(const struct flow_alone *flow, uint64_t acked)
{
	return (struct tapstack_cc_sample){ .struct_size = sizeof(struct tapstack_cc_sample),
		                            .mss_bytes = MSS,
		                            .now_ns = flow->now,
		                            .rtt_ns = flow->rtt,
		                            .srtt_ns = flow->rtt,
		                            .min_rtt_ns = flow->rtt,
		                            .acked_bytes = acked,
		                            .delivered_bytes = acked,
		                            .inflight_before_bytes = flow->decision.cwnd_bytes,
		                            .cwnd_limited = flow->limited };
}

static void event(struct flow_alone *flow, uint32_t what)
{
	struct tapstack_cc_sample sample = sample_of(flow, 0);

	cubic()->on_event(flow->state, what, &sample, &flow->decision);
}

static void loss(struct flow_alone *flow)
{
	event(flow, TAPSTACK_CC_LOSS);
	event(flow, TAPSTACK_CC_RECOVERED);
}

/* A window is acknowledged, segment by segment, over one round trip. */
static void round_trip(struct flow_alone *flow)
{
	uint64_t window = flow->decision.cwnd_bytes;
	int64_t begun = flow->now;

	for (uint64_t done = MSS; done <= window; done += MSS) {
		struct tapstack_cc_sample sample;

		flow->now = begun + (int64_t)((double)flow->rtt * (double)done / (double)window);
		sample = sample_of(flow, MSS);
		cubic()->on_ack(flow->state, &sample, &flow->decision);
	}
	flow->now = begun + flow->rtt;
}

static double segments(const struct flow_alone *flow)
{
	return (double)flow->decision.cwnd_bytes / MSS;
}

/* ---- in a stack
 * ---------------------------------------------------------------------------------------------------------- */

static struct tapstack_param_value stack_values[PARAMS_MAX];
static struct stack_congestion cubic_for_stack;

static void with_cubic(struct stack_config *config)
{
	classic(config);
	cubic_for_stack = (struct stack_congestion){
		.name = "cubic", .id = 1, .ops = cubic(), .params = params_of(stack_values)
	};
	config->congestion_default = &cubic_for_stack;
}

static struct peer *ten_in_flight(void)
{
	struct peer *p = opened(with_cubic, mss_option(1000));

	service_sends(p, 10000);
	hears_run(p, 10, 1, 1000);
	return p;
}

void rfc9438_multiplicative_decrease(void **state)
{
	struct peer *p = ten_in_flight();

	(void)state;
	for (int i = 0; i < 3; i++)
		says(p, TCP_ACK, 1, 0, 1);
	hears(p, TCP_ACK, 1, 1000, 1);
	assert_int_equal(peer_info(p).cwnd, 7000);
	assert_int_equal(peer_info(p).ssthresh, 7000);
	peer_stop_anyhow(p);
}

void rfc9438_time_out(void **state)
{
	struct peer *p = ten_in_flight();

	(void)state;
	peer_waits(p, DURATION_MS(250));
	hears(p, TCP_ACK, 1, 1000, 1);
	expect_nothing(p);
	assert_int_equal(peer_info(p).cwnd, 1000);
	assert_int_equal(peer_info(p).ssthresh, 7000);
	for (uint32_t i = 1; i <= 6; i++) {
		says(p, TCP_ACK, 1, 0, 1 + 1000 * i);
		assert_int_equal(peer_info(p).cwnd, 1000 + 1000 * i);
	}
	peer_stop_anyhow(p);
}

/* What conforms may take part in place of the built-in algorithm, chosen for each listener and connection. */
void may_18_other_congestion_controls(void **state)
{
	struct stack_listen_options listen = { .port = 99, .backlog = 4, .congestion = &cubic_for_stack };
	struct seg seg = { .flags = TCP_SYN, .seq = THEIR_ISN, .destination_port = 99 };
	struct peer *p = peer_start(NULL);
	struct conn_handle listener;
	struct stack_config scratch;

	(void)state;
	stack_config_init(&scratch);
	with_cubic(&scratch);
	assert_int_equal(stack_listen(p->stack, &listen, &listener), 0);
	peer_sends(p, seg);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	seg.flags = TCP_ACK;
	seg.seq = THEIRS(1);
	seg.ack = OURS(1);
	peer_sends(p, seg);
	assert_string_equal(peer_info(p).congestion, "cubic");
	peer_stop(p);
	p = opened(NULL, no_options);
	assert_string_equal(peer_info(p).congestion, "reno");
	peer_stop(p);
}

/* ---- alone
 * -----------------------------------------------------------------------------------------------------------------
 */

void rfc9438_least_ssthresh(void **state)
{
	struct flow_alone flow;

	(void)state;
	begin(&flow, 2, SECOND / 10);
	event(&flow, TAPSTACK_CC_LOSS);
	assert_int_equal(flow.decision.ssthresh_bytes, 2 * MSS);
	begin(&flow, 1, SECOND / 10);
	event(&flow, TAPSTACK_CC_RTO);
	assert_int_equal(flow.decision.ssthresh_bytes, 2 * MSS);
}

void rfc9438_cubic_curve(void **state)
{
	const double w_max = 1000, k = cbrt(w_max * (1 - BETA) / C);
	double slope = 1e9, before;
	struct flow_alone flow;

	(void)state;
	begin(&flow, w_max, SECOND / 10);
	loss(&flow);
	before = segments(&flow);
	for (int i = 1; i <= 180; i++) {
		double t = i / 10.0, expected;

		round_trip(&flow);
		expected = C * pow(t - k, 3) + w_max;
		assert_true(fabs(segments(&flow) - expected) < 0.02 * expected);
		if (t < k - 0.5)
			assert_true(segments(&flow) - before <= slope + 0.2);
		else if (t > k + 0.5)
			assert_true(segments(&flow) - before >= slope - 0.2);
		slope = segments(&flow) - before;
		before = segments(&flow);
	}
	assert_true(segments(&flow) > 1.2 * w_max);
}

/* RTT 1 ms and ten segments: by the cubic alone nothing would happen for 2 s. alpha = 3 (1 - beta) / (1 + beta). */
void rfc9438_reno_friendly(void **state)
{
	const double alpha = 3 * (1 - BETA) / (1 + BETA);
	struct flow_alone flow;
	double begun;

	(void)state;
	begin(&flow, 10, SECOND / 1000);
	loss(&flow);
	begun = segments(&flow);
	for (int i = 0; i < 5; i++)
		round_trip(&flow);
	assert_true(fabs(segments(&flow) - begun - 5 * alpha) < 0.6);
	for (int i = 0; i < 95; i++)
		round_trip(&flow);
	assert_true(segments(&flow) > begun + 40);
}

/* The second loss comes before W_max is reached: the plateau of the next epoch lies at (1 + beta) / 2 of the window.
 */
void rfc9438_fast_convergence(void **state)
{
	double outputs[STACK_SAMPLE_OUTPUTS_MAX], first;
	struct flow_alone flow;

	(void)state;
	begin(&flow, 1000, SECOND / 10);
	loss(&flow);
	round_trip(&flow);
	first = segments(&flow);
	assert_true(first < 1000);
	loss(&flow);
	round_trip(&flow);
	cubic()->outputs(flow.state, outputs); /* w_max is the first */
	assert_true(fabs(outputs[0] / MSS - first * (1 + BETA) / 2) < 1);
}

void rfc9438_undo(void **state)
{
	struct flow_alone flow;

	(void)state;
	begin(&flow, 100, SECOND / 10);
	event(&flow, TAPSTACK_CC_LOSS);
	assert_int_equal(flow.decision.cwnd_bytes, 70 * MSS);
	event(&flow, TAPSTACK_CC_UNDO);
	assert_int_equal(flow.decision.cwnd_bytes, 100 * MSS);
	assert_true(flow.decision.ssthresh_bytes >= 100 * MSS);
}

void rfc9438_slow_start(void **state)
{
	struct flow_alone flow;

	(void)state;
	begin(&flow, 10, SECOND / 10);
	round_trip(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 20 * MSS);
	round_trip(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 40 * MSS);
}

void rfc9438_application_limited(void **state)
{
	struct flow_alone flow;

	(void)state;
	begin(&flow, 100, SECOND / 10);
	loss(&flow);
	flow.limited = false;
	for (int i = 0; i < 100; i++)
		round_trip(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 70 * MSS);
}
