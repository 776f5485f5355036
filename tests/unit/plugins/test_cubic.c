/* CUBIC on virtual time: its curve, the estimate of standard TCP, and every event. */
#include "tapstack/congestion.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MSS 1448u
#define MS INT64_C(1000000)
#define S INT64_C(1000000000)
#define C 0.4
#define BETA 0.7

/* One connection: what the host would do, without a network. */
struct flow {
	_Alignas(8) unsigned char state[TAPSTACK_CC_STATE_MAX];
	struct tapstack_cc_decision decision;
	int64_t now, rtt;
	bool limited;
};

static const struct tapstack_cc_ops *ops(void)
{
	return tapstack_plugin.ops;
}

static void begin_with(struct flow *flow, int64_t rtt, double fast_convergence, double friendly)
{
	const struct tapstack_param_value values[] = {
		{ C, NULL }, { BETA, NULL }, { fast_convergence, NULL }, { friendly, NULL }
	};
	const struct tapstack_params params = { sizeof(params), 4, values };
	const struct tapstack_cc_env env = {
		.struct_size = sizeof(env), .mss_bytes = MSS, .now_ns = 1000 * S, .initial_cwnd_bytes = 10 * MSS
	};

	memset(flow, 0, sizeof(*flow));
	flow->now = env.now_ns;
	flow->rtt = rtt;
	flow->limited = true;
	flow->decision = (struct tapstack_cc_decision){ .cwnd_bytes = 10 * MSS, .ssthresh_bytes = UINT64_MAX };
	assert_int_equal(ops()->init(flow->state, &env, &params, &flow->decision), 0);
}

static void begin(struct flow *flow, int64_t rtt)
{
	begin_with(flow, rtt, 1, 1);
}

static struct tapstack_cc_sample sample_of(const struct flow *flow, uint64_t acked)
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

static void ack(struct flow *flow, uint64_t bytes)
{
	struct tapstack_cc_sample sample = sample_of(flow, bytes);

	ops()->on_ack(flow->state, &sample, &flow->decision);
}

static void event(struct flow *flow, uint32_t what)
{
	struct tapstack_cc_sample sample = sample_of(flow, 0);

	ops()->on_event(flow->state, what, &sample, &flow->decision);
}

/* A round trip: the whole window is acknowledged, evenly, in at most 100 ACKs. */
static void round_trip(struct flow *flow)
{
	uint64_t window = flow->decision.cwnd_bytes, step = window / 100 < MSS ? MSS : window / 100;
	int64_t begun = flow->now;
	uint64_t done = 0;

	while (done < window) {
		uint64_t bytes = window - done < step ? window - done : step;

		done += bytes;
		flow->now = begun + (int64_t)((double)flow->rtt * (double)done / (double)window);
		ack(flow, bytes);
	}
	flow->now = begun + flow->rtt;
}

/* In congestion avoidance at `segments`, just after a loss at segments / BETA. */
static void after_loss(struct flow *flow, double segments)
{
	flow->decision.cwnd_bytes = (uint64_t)(segments * MSS);
	event(flow, TAPSTACK_CC_LOSS);
	assert_int_equal(flow->decision.cwnd_bytes, flow->decision.ssthresh_bytes);
	event(flow, TAPSTACK_CC_RECOVERED);
}

static double segments(const struct flow *flow)
{
	return (double)flow->decision.cwnd_bytes / MSS;
}

static double output(const struct flow *flow, unsigned which)
{
	double values[3];

	assert_int_equal(tapstack_plugin.output_count, 3);
	ops()->outputs(flow->state, values);
	return values[which];
}

static void test_size(void **state)
{
	(void)state;
	assert_true(ops()->state_size <= 64);
}

static void test_slow_start(void **state)
{
	struct flow flow;

	(void)state;
	begin(&flow, 50 * MS);
	round_trip(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 20 * MSS);
	round_trip(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 40 * MSS);
	/* one ACK for very much adds no more than a super-frame */
	ack(&flow, 1000000);
	assert_int_equal(flow.decision.cwnd_bytes, 40 * MSS + 65536);
	/* a window that is not used does not grow */
	flow.limited = false;
	round_trip(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 40 * MSS + 65536);
}

/* Sections 4.2, 4.4, 4.5: the window is where the equation says, all the way. */
static void test_curve(void **state)
{
	const double w_max = 1000, k = cbrt(w_max * (1 - BETA) / C);
	double before, growth_before = 1e9;
	struct flow flow;
	int64_t begun;

	(void)state;
	begin_with(&flow, 100 * MS, 1, 0);
	after_loss(&flow, w_max);
	assert_true(fabs(segments(&flow) - BETA * w_max) < 1);
	begun = flow.now;
	ack(&flow, 1);
	assert_true(fabs(output(&flow, 1) / 1e9 - k) < 0.01);
	assert_true(fabs(output(&flow, 0) / MSS - w_max) < 1);
	before = segments(&flow);
	for (unsigned i = 0; i < 180; i++) {
		double t, expected;

		round_trip(&flow);
		t = (double)(flow.now - begun) / 1e9;
		expected = C * pow(t - k, 3) + w_max;
		if (fabs(segments(&flow) - expected) > 0.01 * expected)
			fail_msg("after %.1f s: %.1f segments, the curve says %.1f", t, segments(&flow), expected);
		if (t < k - 0.5) /* concave */
			assert_true(segments(&flow) - before <= growth_before + 0.1);
		else if (t > k + 0.5) /* convex */
			assert_true(segments(&flow) - before >= growth_before - 0.1);
		growth_before = segments(&flow) - before;
		before = segments(&flow);
	}
	assert_true(segments(&flow) > 1.25 * w_max);
}

/* Growth of less than a byte per ACK is not lost. */
static void test_small_steps(void **state)
{
	struct flow flow;
	double begun, k = cbrt(10000 * (1 - BETA) / C), expected;

	(void)state;
	begin_with(&flow, 1 * MS, 1, 0);
	after_loss(&flow, 10000);
	begun = segments(&flow);
	for (unsigned i = 0; i < 100; i++) {
		for (unsigned j = 0; j < 7000; j++) {
			ack(&flow, MSS);
			flow.now += MS / 7000;
		}
	}
	expected = C * (pow(0.1 - k, 3) - pow(-k, 3));
	if (fabs(segments(&flow) - begun - expected) > 0.05 * expected)
		fail_msg("grew by %.2f segments, expected %.2f", segments(&flow) - begun, expected);
}

/* No more than half a window per round trip, however far away the target is. */
static void test_target_limit(void **state)
{
	struct flow flow;
	uint64_t before;

	(void)state;
	begin_with(&flow, 100 * MS, 1, 0);
	after_loss(&flow, 20);
	ack(&flow, 1);
	flow.now += 100 * S;
	before = flow.decision.cwnd_bytes;
	ack(&flow, before);
	assert_true(flow.decision.cwnd_bytes > before * 14 / 10);
	assert_true(flow.decision.cwnd_bytes <= before * 15 / 10 + 1);
}

/* Section 4.3: short round trips and small windows; alpha per round trip, then, beyond the old window, one segment.
 */
static void test_friendly(void **state)
{
	const double alpha = 3 * (1 - BETA) / (1 + BETA);
	struct flow flow;
	double begun;

	(void)state;
	begin(&flow, 1 * MS);
	after_loss(&flow, 40);
	begun = segments(&flow);
	for (unsigned i = 1; i <= 20; i++) {
		round_trip(&flow);
		if (fabs(segments(&flow) - (begun + alpha * i)) > 0.6)
			fail_msg("round %u: %.2f segments, expected %.2f", i, segments(&flow), begun + alpha * i);
	}
	while (segments(&flow) < 41)
		round_trip(&flow);
	begun = segments(&flow);
	for (unsigned i = 0; i < 20; i++)
		round_trip(&flow);
	assert_true(fabs(segments(&flow) - (begun + 20)) < 1.5);

	/* without it the curve has hardly moved in that time */
	begin_with(&flow, 1 * MS, 1, 0);
	after_loss(&flow, 40);
	for (unsigned i = 0; i < 20; i++)
		round_trip(&flow);
	assert_true(segments(&flow) < 29);
}

/* Section 4.7. */
static void test_fast_convergence(void **state)
{
	struct flow flow;

	(void)state;
	begin(&flow, 100 * MS);
	after_loss(&flow, 1000);
	assert_true(fabs(output(&flow, 0) / MSS - 1000) < 1);
	event(&flow, TAPSTACK_CC_ECN); /* at 700, below the last one */
	assert_true(fabs(output(&flow, 0) / MSS - 700 * (1 + BETA) / 2) < 1);
	assert_true(fabs(segments(&flow) - 490) < 1);

	begin_with(&flow, 100 * MS, 0, 1);
	after_loss(&flow, 1000);
	event(&flow, TAPSTACK_CC_LOSS);
	assert_true(fabs(output(&flow, 0) / MSS - 700) < 1);
}

/* Section 4.9: as if nothing had been. */
static void test_undo(void **state)
{
	static const uint32_t events[] = { TAPSTACK_CC_LOSS, TAPSTACK_CC_RTO, TAPSTACK_CC_LOSS };
	struct flow undisturbed, flow;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		/* on the curve; at last where standard TCP is faster */
		begin_with(&flow, i < 2 ? 100 * MS : 1 * MS, 1, 1);
		after_loss(&flow, i < 2 ? 1000 : 100);
		for (unsigned j = 0; j < 30; j++)
			round_trip(&flow);
		undisturbed = flow;
		event(&flow, events[i]);
		assert_true(flow.decision.cwnd_bytes < undisturbed.decision.cwnd_bytes);
		if (events[i] == TAPSTACK_CC_LOSS) { /* found out late: the next epoch has begun */
			event(&flow, TAPSTACK_CC_RECOVERED);
			ack(&flow, 1);
		}
		event(&flow, TAPSTACK_CC_UNDO);
		assert_int_equal(flow.decision.cwnd_bytes, undisturbed.decision.cwnd_bytes);
		assert_int_equal(flow.decision.ssthresh_bytes, undisturbed.decision.ssthresh_bytes);
		event(&flow, TAPSTACK_CC_UNDO); /* a second time: nothing */
		for (unsigned j = 0; j < 60; j++) {
			round_trip(&flow);
			round_trip(&undisturbed);
			assert_true(fabs(segments(&flow) - segments(&undisturbed)) < 0.1);
		}
	}
	/* before the first congestion ssthresh is unknown, and is again */
	begin(&flow, 100 * MS);
	event(&flow, TAPSTACK_CC_LOSS);
	event(&flow, TAPSTACK_CC_UNDO);
	assert_true(flow.decision.ssthresh_bytes == UINT64_MAX);
	assert_int_equal(flow.decision.cwnd_bytes, 10 * MSS);
}

/* Section 4.8. */
static void test_timeout(void **state)
{
	struct flow flow;
	uint64_t ssthresh;

	(void)state;
	begin(&flow, 100 * MS);
	after_loss(&flow, 1000);
	event(&flow, TAPSTACK_CC_RTO);
	assert_int_equal(flow.decision.cwnd_bytes, MSS);
	ssthresh = flow.decision.ssthresh_bytes;
	assert_true(fabs((double)ssthresh / MSS - 490) < 1);
	event(&flow, TAPSTACK_CC_RTO); /* the same segment again */
	assert_int_equal(flow.decision.ssthresh_bytes, ssthresh);
	ack(&flow, 100 * MSS); /* had arrived long before */
	assert_int_equal(flow.decision.cwnd_bytes, 2 * MSS);
	while (flow.decision.cwnd_bytes < ssthresh)
		round_trip(&flow);
	ack(&flow, MSS);
	assert_true(output(&flow, 1) == 0); /* K */
	assert_true(fabs(output(&flow, 0) - (double)flow.decision.cwnd_bytes) < 2 * MSS);
}

/* Section 5.8: time in which the application sent little does not count. */
static void test_application_limited(void **state)
{
	struct flow busy, flow;

	(void)state;
	begin_with(&flow, 100 * MS, 1, 0);
	after_loss(&flow, 1000);
	for (unsigned i = 0; i < 20; i++)
		round_trip(&flow);
	busy = flow;
	flow.limited = false;
	for (unsigned i = 0; i < 300; i++) {
		flow.now += 100 * MS;
		ack(&flow, MSS);
	}
	assert_int_equal(flow.decision.cwnd_bytes, busy.decision.cwnd_bytes);
	flow.limited = true;
	for (unsigned i = 0; i < 100; i++) {
		round_trip(&flow);
		round_trip(&busy);
		assert_true(fabs(segments(&flow) - segments(&busy)) < 0.01 * segments(&busy));
	}
}

static void test_idle_restart(void **state)
{
	struct flow busy, flow;

	(void)state;
	begin_with(&flow, 100 * MS, 1, 0);
	after_loss(&flow, 1000);
	for (unsigned i = 0; i < 20; i++)
		round_trip(&flow);
	busy = flow;
	flow.now += 3600 * S;
	event(&flow, TAPSTACK_CC_IDLE_RESTART);
	assert_int_equal(flow.decision.cwnd_bytes, 10 * MSS);
	assert_true(flow.decision.ssthresh_bytes >= busy.decision.cwnd_bytes / 4 * 3);
	/* An hour in the curve would be far beyond; it has not passed. */
	while (flow.decision.cwnd_bytes < flow.decision.ssthresh_bytes)
		round_trip(&flow);
	for (unsigned i = 0; i < 10; i++)
		round_trip(&flow);
	assert_true(segments(&flow) < 1000);
	/* a small window is left alone */
	begin(&flow, 100 * MS);
	flow.decision.cwnd_bytes = 4 * MSS;
	event(&flow, TAPSTACK_CC_IDLE_RESTART);
	assert_int_equal(flow.decision.cwnd_bytes, 4 * MSS);
	assert_true(flow.decision.ssthresh_bytes == UINT64_MAX);
}

static void test_rest(void **state)
{
	struct tapstack_cc_sample sample;
	struct flow flow;
	uint64_t before;

	(void)state;
	/* during recovery the window is the host's */
	begin(&flow, 100 * MS);
	sample = sample_of(&flow, 10 * MSS);
	sample.in_recovery = 1;
	ops()->on_ack(flow.state, &sample, &flow.decision);
	assert_int_equal(flow.decision.cwnd_bytes, 10 * MSS);
	/* an unused window: what was in flight counts; never below two segments */
	flow.limited = false;
	sample = sample_of(&flow, 0);
	sample.inflight_before_bytes = 2 * MSS;
	ops()->on_event(flow.state, TAPSTACK_CC_LOSS, &sample, &flow.decision);
	assert_int_equal(flow.decision.ssthresh_bytes, 2 * MSS);
	/* a new segment size begins a new epoch and leaves the window alone */
	begin(&flow, 100 * MS);
	after_loss(&flow, 100);
	round_trip(&flow);
	before = flow.decision.cwnd_bytes;
	event(&flow, TAPSTACK_CC_MTU_CHANGED);
	event(&flow, 4711);
	assert_int_equal(flow.decision.cwnd_bytes, before);
	round_trip(&flow);
	assert_true(flow.decision.cwnd_bytes >= before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_slow_start),
		cmocka_unit_test(test_curve),
		cmocka_unit_test(test_small_steps),
		cmocka_unit_test(test_target_limit),
		cmocka_unit_test(test_friendly),
		cmocka_unit_test(test_fast_convergence),
		cmocka_unit_test(test_undo),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_application_limited),
		cmocka_unit_test(test_idle_restart),
		cmocka_unit_test(test_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
