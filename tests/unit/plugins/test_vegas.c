/* Vegas by hand-made rounds. */
#include "flow.h"

static void begin(struct flow *flow)
{
	flow_defaults(flow);
	flow_begin(flow, 100 * MS);
}

/* In congestion avoidance at so many segments. */
static void begin_avoiding(struct flow *flow, uint64_t segments)
{
	begin(flow);
	flow->decision.cwnd_bytes = flow->decision.ssthresh_bytes = segments * MSS;
	flow_round(flow);
	assert_int_equal(flow->decision.cwnd_bytes, (segments + 1) * MSS); /* no round before: not measured */
	flow->decision.cwnd_bytes = flow->decision.ssthresh_bytes = segments * MSS;
}

/* The least round trip of a round that leaves so many segments in the queue. */
static int64_t rtt_with(double segments, double window)
{
	return (int64_t)(100e6 * window / (window - segments));
}

/* alpha and beta: the window grows below, shrinks above, and stays in between. */
static void test_bands(void **state)
{
	static const struct {
		double queued;
		int step;
	} rows[] = { { 0, 1 }, { 1.9, 1 }, { 2.1, 0 }, { 3.9, 0 }, { 4.1, -1 }, { 20, -1 } };
	struct flow flow;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_avoiding(&flow, 50);
		flow_round(&flow); /* the base */
		flow.decision.cwnd_bytes = 50 * MSS;
		flow_round(&flow);
		flow.decision.cwnd_bytes = 50 * MSS;
		flow.rtt = rtt_with(rows[i].queued, 50);
		flow_round(&flow); /* 51 or so: what the round before showed */
		flow.decision.cwnd_bytes = 50 * MSS;
		flow_ack(&flow, MSS);
		assert_int_equal(flow.decision.cwnd_bytes, 50 * MSS); /* nothing within a round */
		flow_round(&flow);
		assert_int_equal((int)(flow.decision.cwnd_bytes / MSS), 50 + rows[i].step);
		assert_true(flow_output(&flow, "base_rtt") == 100e6);
		assert_true(flow_output(&flow, "diff") > rows[i].queued * 0.95 - 0.05 &&
		            flow_output(&flow, "diff") < rows[i].queued * 1.1 + 0.05);
		assert_true(flow.decision.cwnd_bytes >= flow.decision.ssthresh_bytes);
	}
}

/* Doubles every other round; the one after shows a queue: down to what fits, plus gamma. */
static void test_slow_start(void **state)
{
	struct flow flow;
	uint64_t before;

	(void)state;
	begin(&flow);
	flow.decision.cwnd_bytes = 10 * MSS;
	for (unsigned i = 0; i < 6; i++) {
		before = flow.decision.cwnd_bytes;
		flow_round(&flow);
		assert_int_equal(flow.decision.cwnd_bytes, i % 2 ? 2 * before : before);
	}
	assert_int_equal(flow.decision.cwnd_bytes, 80 * MSS);
	flow.rtt = rtt_with(30, 80);
	flow_round(&flow);
	assert_int_equal(flow.decision.cwnd_bytes / MSS, 51);
	assert_int_equal(flow.decision.ssthresh_bytes, flow.decision.cwnd_bytes);
	/* less than gamma ends nothing */
	begin(&flow);
	flow_round(&flow);
	flow.rtt = rtt_with(0.9, 10);
	flow_round(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 20 * MSS);
}

/* Too little to go by: as standard TCP. An unused window says nothing. */
static void test_few_samples(void **state)
{
	struct flow flow;

	(void)state;
	begin_avoiding(&flow, 20);
	for (unsigned i = 0; i < 5; i++) {
		flow.rtt = 300 * MS;
		flow_round_in(&flow, 2);
	}
	assert_true(flow.decision.cwnd_bytes >= 24 * MSS);
	begin_avoiding(&flow, 20);
	flow.limited = false;
	for (unsigned i = 0; i < 5; i++)
		flow_round(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 20 * MSS);
}

static void test_events(void **state)
{
	static const uint32_t events[] = { TAPSTACK_CC_LOSS, TAPSTACK_CC_ECN, TAPSTACK_CC_RTO };
	struct tapstack_cc_sample sample;
	struct flow flow;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		begin_avoiding(&flow, 40);
		flow_event(&flow, events[i]);
		assert_int_equal(flow.decision.ssthresh_bytes, 20 * MSS);
		assert_int_equal(flow.decision.cwnd_bytes, i < 2 ? 20 * MSS : MSS);
		assert_true((flow_output(&flow, "base_rtt") == 0) == (i == 2));
		flow_event(&flow, TAPSTACK_CC_UNDO);
		assert_int_equal(flow.decision.cwnd_bytes, 40 * MSS);
		assert_int_equal(flow.decision.ssthresh_bytes, 40 * MSS);
	}
	begin_avoiding(&flow, 40);
	flow_event(&flow, TAPSTACK_CC_RTO);
	flow_round(&flow);
	flow_round(&flow);
	flow_ack(&flow, 10 * MSS); /* had arrived before */
	assert_true(flow.decision.cwnd_bytes <= 3 * MSS);
	begin_avoiding(&flow, 40);
	flow_event(&flow, TAPSTACK_CC_IDLE_RESTART);
	assert_int_equal(flow.decision.cwnd_bytes, 10 * MSS);
	assert_true(flow_output(&flow, "base_rtt") == 0);
	/* never below two segments by itself; recovery is the host's */
	begin_avoiding(&flow, 8);
	*flow_param(&flow, "alpha") = *flow_param(&flow, "beta") = 0.5;
	flow.rtt = 400 * MS;
	for (unsigned i = 0; i < 20; i++)
		flow_round(&flow);
	assert_true(flow.decision.cwnd_bytes >= 2 * MSS && flow.decision.cwnd_bytes <= 4 * MSS);
	begin_avoiding(&flow, 40);
	sample = flow_sample(&flow, MSS);
	sample.in_recovery = sample.round_start = 1;
	flow_ops()->on_ack(flow.state, &sample, &flow.decision);
	assert_int_equal(flow.decision.cwnd_bytes, 40 * MSS);
	/* alpha must not be more than beta */
	flow_defaults(&flow);
	*flow_param(&flow, "alpha") = 5;
	flow.params.value = flow.value;
	assert_true(flow_ops()->init(flow.state,
	                             &(struct tapstack_cc_env){ .mss_bytes = MSS, .initial_cwnd_bytes = 10 * MSS },
	                             &flow.params, &flow.decision) < 0);
}

static void test_move(void **state)
{
	struct flow flow;

	(void)state;
	begin_avoiding(&flow, 40);
	flow_event(&flow, TAPSTACK_CC_LOSS);
	flow_move(&flow);
	assert_true(flow_output(&flow, "base_rtt") == 100e6);
	flow_event(&flow, TAPSTACK_CC_UNDO);
	assert_int_equal(flow.decision.cwnd_bytes, 40 * MSS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bands),  cmocka_unit_test(test_slow_start), cmocka_unit_test(test_few_samples),
		cmocka_unit_test(test_events), cmocka_unit_test(test_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
