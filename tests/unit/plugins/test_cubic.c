/* CUBIC on virtual time: its curve, the estimate of standard TCP, and every event. */
#include "flow.h"

#include <math.h>

#define C 0.4
#define BETA 0.7

/* Without HyStart++, which has tests of its own. */
static void begin_with(struct flow *flow, int64_t rtt, double fast_convergence, double friendly)
{
	flow_defaults(flow);
	*flow_param(flow, "fast_convergence") = fast_convergence;
	*flow_param(flow, "friendly") = friendly;
	*flow_param(flow, "hystart") = 0;
	flow_begin(flow, rtt);
}

static void begin(struct flow *flow, int64_t rtt)
{
	begin_with(flow, rtt, 1, 1);
}

/* In congestion avoidance at `segments`, just after a loss at segments / BETA. */
static void after_loss(struct flow *flow, double segments)
{
	flow->decision.cwnd_bytes = (uint64_t)(segments * MSS);
	flow_event(flow, TAPSTACK_CC_LOSS);
	assert_int_equal(flow->decision.cwnd_bytes, flow->decision.ssthresh_bytes);
	flow_event(flow, TAPSTACK_CC_RECOVERED);
}

static void test_size(void **state)
{
	(void)state;
	assert_true(flow_ops()->state_size <= 64);
}

static void test_slow_start(void **state)
{
	struct flow flow;

	(void)state;
	begin(&flow, 50 * MS);
	flow_round(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 20 * MSS);
	flow_round(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 40 * MSS);
	/* one ACK for very much adds no more than a super-frame */
	flow_ack(&flow, 1000000);
	assert_int_equal(flow.decision.cwnd_bytes, 40 * MSS + 65536);
	/* a window that is not used does not grow */
	flow.limited = false;
	flow_round(&flow);
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
	assert_true(fabs(flow_segments(&flow) - BETA * w_max) < 1);
	begun = flow.now;
	flow_ack(&flow, 1);
	assert_true(fabs(flow_output(&flow, "k") / 1e9 - k) < 0.01);
	assert_true(fabs(flow_output(&flow, "w_max") / MSS - w_max) < 1);
	before = flow_segments(&flow);
	for (unsigned i = 0; i < 180; i++) {
		double t, expected;

		flow_round(&flow);
		t = (double)(flow.now - begun) / 1e9;
		expected = C * pow(t - k, 3) + w_max;
		if (fabs(flow_segments(&flow) - expected) > 0.01 * expected)
			fail_msg("after %.1f s: %.1f segments, the curve says %.1f", t, flow_segments(&flow),
			         expected);
		if (t < k - 0.5) /* concave */
			assert_true(flow_segments(&flow) - before <= growth_before + 0.1);
		else if (t > k + 0.5) /* convex */
			assert_true(flow_segments(&flow) - before >= growth_before - 0.1);
		growth_before = flow_segments(&flow) - before;
		before = flow_segments(&flow);
	}
	assert_true(flow_segments(&flow) > 1.25 * w_max);
}

/* Growth of less than a byte per ACK is not lost. */
static void test_small_steps(void **state)
{
	struct flow flow;
	double begun, k = cbrt(10000 * (1 - BETA) / C), expected;

	(void)state;
	begin_with(&flow, 1 * MS, 1, 0);
	after_loss(&flow, 10000);
	begun = flow_segments(&flow);
	for (unsigned i = 0; i < 100; i++) {
		for (unsigned j = 0; j < 7000; j++) {
			flow_ack(&flow, MSS);
			flow.now += MS / 7000;
		}
	}
	expected = C * (pow(0.1 - k, 3) - pow(-k, 3));
	if (fabs(flow_segments(&flow) - begun - expected) > 0.05 * expected)
		fail_msg("grew by %.2f segments, expected %.2f", flow_segments(&flow) - begun, expected);
}

/* No more than half a window per round trip, however far away the target is. */
static void test_target_limit(void **state)
{
	struct flow flow;
	uint64_t before;

	(void)state;
	begin_with(&flow, 100 * MS, 1, 0);
	after_loss(&flow, 20);
	flow_ack(&flow, 1);
	flow.now += 100 * S;
	before = flow.decision.cwnd_bytes;
	flow_ack(&flow, before);
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
	begun = flow_segments(&flow);
	for (unsigned i = 1; i <= 20; i++) {
		flow_round(&flow);
		if (fabs(flow_segments(&flow) - (begun + alpha * i)) > 0.6)
			fail_msg("round %u: %.2f segments, expected %.2f", i, flow_segments(&flow),
			         begun + alpha * i);
	}
	while (flow_segments(&flow) < 41)
		flow_round(&flow);
	begun = flow_segments(&flow);
	for (unsigned i = 0; i < 20; i++)
		flow_round(&flow);
	assert_true(fabs(flow_segments(&flow) - (begun + 20)) < 1.5);

	/* without it the curve has hardly moved in that time */
	begin_with(&flow, 1 * MS, 1, 0);
	after_loss(&flow, 40);
	for (unsigned i = 0; i < 20; i++)
		flow_round(&flow);
	assert_true(flow_segments(&flow) < 29);
}

/* Section 4.7. */
static void test_fast_convergence(void **state)
{
	struct flow flow;

	(void)state;
	begin(&flow, 100 * MS);
	after_loss(&flow, 1000);
	assert_true(fabs(flow_output(&flow, "w_max") / MSS - 1000) < 1);
	flow_event(&flow, TAPSTACK_CC_ECN); /* at 700, below the last one */
	assert_true(fabs(flow_output(&flow, "w_max") / MSS - 700 * (1 + BETA) / 2) < 1);
	assert_true(fabs(flow_segments(&flow) - 490) < 1);

	begin_with(&flow, 100 * MS, 0, 1);
	after_loss(&flow, 1000);
	flow_event(&flow, TAPSTACK_CC_LOSS);
	assert_true(fabs(flow_output(&flow, "w_max") / MSS - 700) < 1);
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
			flow_round(&flow);
		undisturbed = flow;
		flow_event(&flow, events[i]);
		assert_true(flow.decision.cwnd_bytes < undisturbed.decision.cwnd_bytes);
		if (events[i] == TAPSTACK_CC_LOSS) { /* found out late: the next epoch has begun */
			flow_event(&flow, TAPSTACK_CC_RECOVERED);
			flow_ack(&flow, 1);
		}
		flow_event(&flow, TAPSTACK_CC_UNDO);
		assert_int_equal(flow.decision.cwnd_bytes, undisturbed.decision.cwnd_bytes);
		assert_int_equal(flow.decision.ssthresh_bytes, undisturbed.decision.ssthresh_bytes);
		flow_event(&flow, TAPSTACK_CC_UNDO); /* a second time: nothing */
		for (unsigned j = 0; j < 60; j++) {
			flow_round(&flow);
			flow_round(&undisturbed);
			assert_true(fabs(flow_segments(&flow) - flow_segments(&undisturbed)) < 0.1);
		}
	}
	/* before the first congestion ssthresh is unknown, and is again */
	begin(&flow, 100 * MS);
	flow_event(&flow, TAPSTACK_CC_LOSS);
	flow_event(&flow, TAPSTACK_CC_UNDO);
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
	flow_event(&flow, TAPSTACK_CC_RTO);
	assert_int_equal(flow.decision.cwnd_bytes, MSS);
	ssthresh = flow.decision.ssthresh_bytes;
	assert_true(fabs((double)ssthresh / MSS - 490) < 1);
	flow_event(&flow, TAPSTACK_CC_RTO); /* the same segment again */
	assert_int_equal(flow.decision.ssthresh_bytes, ssthresh);
	flow_ack(&flow, 100 * MSS); /* had arrived long before */
	assert_int_equal(flow.decision.cwnd_bytes, 2 * MSS);
	while (flow.decision.cwnd_bytes < ssthresh)
		flow_round(&flow);
	flow_ack(&flow, MSS);
	assert_true(flow_output(&flow, "k") == 0); /* K */
	assert_true(fabs(flow_output(&flow, "w_max") - (double)flow.decision.cwnd_bytes) < 2 * MSS);
}

/* Section 5.8: time in which the application sent little does not count. */
static void test_application_limited(void **state)
{
	struct flow busy, flow;

	(void)state;
	begin_with(&flow, 100 * MS, 1, 0);
	after_loss(&flow, 1000);
	for (unsigned i = 0; i < 20; i++)
		flow_round(&flow);
	busy = flow;
	flow.limited = false;
	for (unsigned i = 0; i < 300; i++) {
		flow.now += 100 * MS;
		flow_ack(&flow, MSS);
	}
	assert_int_equal(flow.decision.cwnd_bytes, busy.decision.cwnd_bytes);
	flow.limited = true;
	for (unsigned i = 0; i < 100; i++) {
		flow_round(&flow);
		flow_round(&busy);
		assert_true(fabs(flow_segments(&flow) - flow_segments(&busy)) < 0.01 * flow_segments(&busy));
	}
}

static void test_idle_restart(void **state)
{
	struct flow busy, flow;

	(void)state;
	begin_with(&flow, 100 * MS, 1, 0);
	after_loss(&flow, 1000);
	for (unsigned i = 0; i < 20; i++)
		flow_round(&flow);
	busy = flow;
	flow.now += 3600 * S;
	flow_event(&flow, TAPSTACK_CC_IDLE_RESTART);
	assert_int_equal(flow.decision.cwnd_bytes, 10 * MSS);
	assert_true(flow.decision.ssthresh_bytes >= busy.decision.cwnd_bytes / 4 * 3);
	/* An hour in the curve would be far beyond; it has not passed. */
	while (flow.decision.cwnd_bytes < flow.decision.ssthresh_bytes)
		flow_round(&flow);
	for (unsigned i = 0; i < 10; i++)
		flow_round(&flow);
	assert_true(flow_segments(&flow) < 1000);
	/* a small window is left alone */
	begin(&flow, 100 * MS);
	flow.decision.cwnd_bytes = 4 * MSS;
	flow_event(&flow, TAPSTACK_CC_IDLE_RESTART);
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
	sample = flow_sample(&flow, 10 * MSS);
	sample.in_recovery = 1;
	flow_ops()->on_ack(flow.state, &sample, &flow.decision);
	assert_int_equal(flow.decision.cwnd_bytes, 10 * MSS);
	/* an unused window: what was in flight counts; never below two segments */
	flow.limited = false;
	sample = flow_sample(&flow, 0);
	sample.inflight_before_bytes = 2 * MSS;
	flow_ops()->on_event(flow.state, TAPSTACK_CC_LOSS, &sample, &flow.decision);
	assert_int_equal(flow.decision.ssthresh_bytes, 2 * MSS);
	/* a new segment size begins a new epoch and leaves the window alone */
	begin(&flow, 100 * MS);
	after_loss(&flow, 100);
	flow_round(&flow);
	before = flow.decision.cwnd_bytes;
	flow_event(&flow, TAPSTACK_CC_MTU_CHANGED);
	flow_event(&flow, 4711);
	assert_int_equal(flow.decision.cwnd_bytes, before);
	flow_round(&flow);
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
