/* NewReno by the numbers of RFC 5681 and RFC 3465. */
#include "flow.h"

static void begin(struct flow *flow)
{
	flow_defaults(flow);
	flow_begin(flow, 100 * MS);
}

static void test_slow_start(void **state)
{
	struct flow flow;

	(void)state;
	begin(&flow);
	flow_round(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 20 * MSS);
	flow_ack(&flow, 100); /* bytes count, not ACKs */
	assert_int_equal(flow.decision.cwnd_bytes, 20 * MSS + 100);
	flow_ack(&flow, 100000); /* L */
	assert_int_equal(flow.decision.cwnd_bytes, 20 * MSS + 100 + 65536);
	flow.limited = false;
	flow_ack(&flow, MSS);
	assert_int_equal(flow.decision.cwnd_bytes, 20 * MSS + 100 + 65536);
	/* it ends exactly at ssthresh */
	begin(&flow);
	flow.decision.ssthresh_bytes = 10 * MSS + 7;
	flow_ack(&flow, MSS);
	assert_int_equal(flow.decision.cwnd_bytes, 10 * MSS + 7);

	flow_defaults(&flow);
	*flow_param(&flow, "abc_limit") = 2 * MSS;
	flow_begin(&flow, 100 * MS);
	flow_ack(&flow, 5 * MSS);
	assert_int_equal(flow.decision.cwnd_bytes, 12 * MSS);
}

/* One segment a round trip, whatever the ACKs are cut into. */
static void test_congestion_avoidance(void **state)
{
	struct flow flow;

	(void)state;
	for (unsigned acks = 1; acks <= 100; acks = 10 * acks) {
		begin(&flow);
		flow.decision.ssthresh_bytes = 10 * MSS;
		for (unsigned round = 1; round <= 20; round++) {
			flow_round_in(&flow, acks);
			assert_int_equal(flow.decision.cwnd_bytes, (10 + round) * MSS);
			assert_true(flow_output(&flow, "acked") < MSS);
		}
	}
}

static void test_reductions(void **state)
{
	static const struct {
		uint32_t event;
		uint64_t flight, ssthresh, cwnd; /* segments */
	} rows[] = {
		{ TAPSTACK_CC_LOSS, 10, 5, 5 }, { TAPSTACK_CC_ECN, 10, 5, 5 }, { TAPSTACK_CC_RTO, 10, 5, 1 },
		{ TAPSTACK_CC_LOSS, 6, 3, 3 }, /* what was in flight counts, not the window */
		{ TAPSTACK_CC_LOSS, 3, 2, 2 }, /* never less than two */
		{ TAPSTACK_CC_RTO, 1, 2, 1 },
	};
	struct tapstack_cc_sample sample;
	struct flow flow;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&flow);
		sample = flow_sample(&flow, 0);
		sample.inflight_before_bytes = rows[i].flight * MSS;
		flow_ops()->on_event(flow.state, rows[i].event, &sample, &flow.decision);
		assert_int_equal(flow.decision.ssthresh_bytes, rows[i].ssthresh * MSS);
		assert_int_equal(flow.decision.cwnd_bytes, rows[i].cwnd * MSS);
		flow_event(&flow, TAPSTACK_CC_UNDO);
		assert_int_equal(flow.decision.cwnd_bytes, 10 * MSS);
		assert_true(flow.decision.ssthresh_bytes == UINT64_MAX);
	}
	flow_defaults(&flow);
	*flow_param(&flow, "beta") = 0.7;
	*flow_param(&flow, "beta_ecn") = 0.8;
	flow_begin(&flow, 100 * MS);
	flow_event(&flow, TAPSTACK_CC_ECN);
	assert_int_equal(flow.decision.cwnd_bytes, 8 * MSS);
	flow.decision.cwnd_bytes = 10 * MSS;
	flow_event(&flow, TAPSTACK_CC_LOSS);
	assert_int_equal(flow.decision.cwnd_bytes, 7 * MSS);
}

static void test_rest(void **state)
{
	struct tapstack_cc_sample sample;
	struct flow flow;

	(void)state;
	/* after a time-out: a segment an ACK, up to ssthresh, then congestion avoidance */
	begin(&flow);
	flow_event(&flow, TAPSTACK_CC_RTO);
	flow_ack(&flow, 9 * MSS);
	assert_int_equal(flow.decision.cwnd_bytes, 2 * MSS);
	flow_round(&flow);
	flow_round(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 5 * MSS);
	flow_round(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 6 * MSS);
	/* recovery is the host's; an ACK with a mark is no reason to grow */
	sample = flow_sample(&flow, 6 * MSS);
	sample.in_recovery = 1;
	flow_ops()->on_ack(flow.state, &sample, &flow.decision);
	sample.in_recovery = 0;
	sample.ece = 1;
	flow_ops()->on_ack(flow.state, &sample, &flow.decision);
	assert_int_equal(flow.decision.cwnd_bytes, 6 * MSS);
	/* idle */
	flow_event(&flow, TAPSTACK_CC_IDLE_RESTART);
	assert_int_equal(flow.decision.cwnd_bytes, 6 * MSS);
	flow.decision.cwnd_bytes = 20 * MSS;
	flow_event(&flow, TAPSTACK_CC_IDLE_RESTART);
	assert_int_equal(flow.decision.cwnd_bytes, 10 * MSS);
	/* what it does not know */
	flow_event(&flow, TAPSTACK_CC_RECOVERED);
	flow_event(&flow, TAPSTACK_CC_MTU_CHANGED);
	flow_event(&flow, 4711);
	assert_int_equal(flow.decision.cwnd_bytes, 10 * MSS);
}

static void test_move(void **state)
{
	struct flow flow;

	(void)state;
	begin(&flow);
	flow_event(&flow, TAPSTACK_CC_RTO);
	flow_move(&flow);
	flow_ack(&flow, 9 * MSS); /* still knows of the time-out */
	assert_int_equal(flow.decision.cwnd_bytes, 2 * MSS);
	flow_event(&flow, TAPSTACK_CC_UNDO);
	assert_int_equal(flow.decision.cwnd_bytes, 10 * MSS);
	assert_true(flow.decision.ssthresh_bytes == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slow_start), cmocka_unit_test(test_congestion_avoidance),
		cmocka_unit_test(test_reductions), cmocka_unit_test(test_rest),
		cmocka_unit_test(test_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
