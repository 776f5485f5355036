/* DCTCP on virtual time: its estimate, and what it makes of marks, losses and time-outs. */
#include "marks.h"

#include <math.h>

static void ecn_event(struct flow *flow)
{
	flow_event(flow, TAPSTACK_CC_ECN);
}

/* In congestion avoidance, at `segments` (0: it begins), with this alpha. */
static void settled(struct flow *flow, uint64_t segments, double alpha, uint32_t ecn)
{
	flow_defaults(flow);
	*flow_param(flow, "alpha") = alpha;
	flow_begin_ecn(flow, 1 * MS, ecn, segments);
}

static void test_size(void **state)
{
	(void)state;
	assert_true(flow_ops()->state_size <= 64);
	assert_int_equal(flow_ops()->flags, TAPSTACK_CC_ECT0);
}

/* Section 3.3: alpha goes to the share of marks, and by g a window at a time. */
static void test_alpha(void **state)
{
	static const double shares[] = { 0, 0.03, 0.1, 0.5, 1 };
	struct flow flow;

	(void)state;
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		double expected = 1;

		settled(&flow, 200, 1, TAPSTACK_CC_ECN_ACCURATE);
		for (unsigned round = 0; round < 120; round++) {
			flow.decision.cwnd_bytes = 200 * MSS;
			flow_round_marked(&flow, shares[i]);
			if (round == 0) {
				assert_true(flow_output(&flow, "alpha") >= 15.0 / 16);
				continue;
			}
			/* the window that this round has ended */
			expected += (flow_output(&flow, "fraction") - expected) / 16;
			if (round > 1 && fabs(flow_output(&flow, "fraction") - shares[i]) > 0.011)
				fail_msg("share %.3f, observed %.3f", shares[i], flow_output(&flow, "fraction"));
		}
		if (fabs(flow_output(&flow, "alpha") - shares[i]) > 0.012)
			fail_msg("share %.3f, alpha %.3f", shares[i], flow_output(&flow, "alpha"));
		assert_true(fabs(expected - flow_output(&flow, "alpha")) < 0.001);
	}
}

/* Bytes, not ACKs, are what is counted. */
static void test_alpha_counts_bytes(void **state)
{
	struct tapstack_cc_sample sample;
	struct flow flow;

	(void)state;
	settled(&flow, 100, 0, TAPSTACK_CC_ECN_ACCURATE);
	sample = flow_sample(&flow, 9 * MSS);
	flow_ops()->on_ack(flow.state, &sample, &flow.decision);
	sample = flow_sample(&flow, 7 * MSS);
	sample.ce_bytes = 4 * MSS;
	sample.ece = 1;
	sample.round_start = 1;
	flow_ops()->on_ack(flow.state, &sample, &flow.decision);
	assert_true(fabs(flow_output(&flow, "fraction") - 0.25) < 1e-9);
	assert_true(fabs(flow_output(&flow, "alpha") - 0.25 / 16) < 1e-6);
	/* never more marked than delivered */
	sample.ce_bytes = 20 * MSS;
	flow_ops()->on_ack(flow.state, &sample, &flow.decision);
	assert_true(fabs(flow_output(&flow, "fraction") - 1) < 1e-9);
}

/* In recovery marks are counted, too. */
static void test_alpha_in_recovery(void **state)
{
	struct tapstack_cc_sample sample;
	struct flow flow;

	(void)state;
	settled(&flow, 100, 0, TAPSTACK_CC_ECN_ACCURATE);
	sample = flow_sample(&flow, 10 * MSS);
	sample.ce_bytes = 10 * MSS;
	sample.ece = sample.round_start = sample.in_recovery = 1;
	flow_ops()->on_ack(flow.state, &sample, &flow.decision);
	assert_true(fabs(flow_output(&flow, "fraction") - 1) < 1e-9);
	assert_int_equal(flow.decision.cwnd_bytes, 100 * MSS);
}

/* Step 9. */
static void test_reduction(void **state)
{
	static const double alphas[] = { 0, 0.1, 0.5, 1 };
	struct flow flow;

	(void)state;
	for (size_t i = 0; i < sizeof(alphas) / sizeof(alphas[0]); i++) {
		settled(&flow, 100, alphas[i], TAPSTACK_CC_ECN_ACCURATE);
		ecn_event(&flow);
		assert_true(fabs((double)flow.decision.cwnd_bytes - 100 * MSS * (1 - alphas[i] / 2)) < 2);
		assert_int_equal(flow.decision.ssthresh_bytes, flow.decision.cwnd_bytes);
	}
	settled(&flow, 3, 1, TAPSTACK_CC_ECN_ACCURATE);
	ecn_event(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 2 * MSS);
}

/* Growth is that of standard TCP; an ACK that reports marks adds nothing. */
static void test_growth(void **state)
{
	struct tapstack_cc_sample sample;
	struct flow flow;

	(void)state;
	settled(&flow, 0, 1, TAPSTACK_CC_ECN_ACCURATE);
	flow_round_marked(&flow, 0);
	assert_int_equal(flow.decision.cwnd_bytes, 20 * MSS);
	flow_ack(&flow, 1000000);
	assert_int_equal(flow.decision.cwnd_bytes, 20 * MSS + 65536);

	settled(&flow, 100, 0, TAPSTACK_CC_ECN_ACCURATE);
	flow_round_marked(&flow, 0);
	assert_int_equal(flow.decision.cwnd_bytes, 101 * MSS);
	sample = flow_sample(&flow, 101 * MSS);
	sample.ece = 1;
	sample.ce_bytes = MSS;
	flow_ops()->on_ack(flow.state, &sample, &flow.decision);
	assert_int_equal(flow.decision.cwnd_bytes, 101 * MSS);
	flow.limited = false;
	flow_round_marked(&flow, 0);
	assert_int_equal(flow.decision.cwnd_bytes, 101 * MSS);
}

/* What there is to go by without AccECN. */
static void test_feedback(void **state)
{
	struct tapstack_cc_env env = { .mss_bytes = MSS, .now_ns = 1000 * S, .initial_cwnd_bytes = 10 * MSS };
	struct tapstack_cc_sample sample;
	struct flow flow;

	(void)state;
	/* RFC 3168: some mark in a round trip halves the window, whatever alpha is */
	settled(&flow, 100, 0, TAPSTACK_CC_ECN_CLASSIC);
	assert_true(flow_output(&flow, "exact") == 0);
	ecn_event(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 50 * MSS);

	/* RFC 8257 section 3.2: what ECE acknowledges was marked */
	flow_defaults(&flow);
	*flow_param(&flow, "peer_echoes_marks") = 1;
	*flow_param(&flow, "alpha") = 0;
	flow_begin_ecn(&flow, 1 * MS, TAPSTACK_CC_ECN_CLASSIC, 100);
	assert_true(flow_output(&flow, "exact") == 1);
	sample = flow_sample(&flow, 2 * MSS);
	sample.ece = 1;
	flow_ops()->on_ack(flow.state, &sample, &flow.decision);
	sample = flow_sample(&flow, 6 * MSS);
	sample.round_start = 1;
	flow_ops()->on_ack(flow.state, &sample, &flow.decision);
	assert_true(fabs(flow_output(&flow, "fraction") - 0.25) < 1e-9);

	/* what the host guesses then is not taken for it */
	settled(&flow, 100, 0, TAPSTACK_CC_ECN_CLASSIC);
	flow_ack_marked(&flow, MSS, MSS);
	assert_true(flow_output(&flow, "exact") == 0);

	/* a host of 0.1 does not say, but tells of bytes */
	settled(&flow, 100, 0.2, TAPSTACK_CC_ECN_NONE);
	env.struct_size = TAPSTACK_SIZE_UP_TO(struct tapstack_cc_env, min_rtt_ns);
	assert_int_equal(flow_ops()->init(flow.state, &env, &flow.params, &flow.decision), 0);
	assert_true(flow_output(&flow, "exact") == 0);
	flow_ack_marked(&flow, MSS, MSS);
	assert_true(flow_output(&flow, "exact") == 1);
	ecn_event(&flow);
	assert_true(fabs((double)flow.decision.cwnd_bytes - 90 * MSS) < 2);
}

/* Section 3.5. */
static void test_loss(void **state)
{
	struct flow flow;

	(void)state;
	settled(&flow, 100, 0.1, TAPSTACK_CC_ECN_ACCURATE);
	flow_event(&flow, TAPSTACK_CC_LOSS);
	assert_int_equal(flow.decision.cwnd_bytes, 50 * MSS);
	assert_int_equal(flow.decision.ssthresh_bytes, 50 * MSS);

	/* marks, then a loss among the same data: halved once, from what it was */
	settled(&flow, 100, 0.5, TAPSTACK_CC_ECN_ACCURATE);
	ecn_event(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 75 * MSS);
	flow_event(&flow, TAPSTACK_CC_LOSS);
	assert_int_equal(flow.decision.cwnd_bytes, 50 * MSS);

	/* two round trips later they are two events */
	settled(&flow, 100, 0.5, TAPSTACK_CC_ECN_ACCURATE);
	ecn_event(&flow);
	flow_round_marked(&flow, 0);
	flow_round_marked(&flow, 0);
	flow_event(&flow, TAPSTACK_CC_LOSS);
	assert_true(flow.decision.cwnd_bytes < 40 * MSS);
}

static void test_timeout(void **state)
{
	struct tapstack_cc_sample sample;
	struct flow flow;

	(void)state;
	settled(&flow, 100, 0.1, TAPSTACK_CC_ECN_ACCURATE);
	sample = flow_sample(&flow, 10 * MSS);
	sample.ce_bytes = 10 * MSS;
	flow_ops()->on_ack(flow.state, &sample, &flow.decision);
	flow_event(&flow, TAPSTACK_CC_RTO);
	assert_int_equal(flow.decision.cwnd_bytes, MSS);
	assert_int_equal(flow.decision.ssthresh_bytes, 50 * MSS);
	flow_event(&flow, TAPSTACK_CC_RTO); /* the same segment again */
	assert_int_equal(flow.decision.ssthresh_bytes, 50 * MSS);
	/* what was counted of the window before is no observation; and one segment an ACK */
	sample = flow_sample(&flow, 10 * MSS);
	sample.round_start = 1;
	flow_ops()->on_ack(flow.state, &sample, &flow.decision);
	assert_true(flow_output(&flow, "fraction") == 0);
	assert_int_equal(flow.decision.cwnd_bytes, 2 * MSS);
}

static void test_undo(void **state)
{
	static const uint32_t events[] = { TAPSTACK_CC_LOSS, TAPSTACK_CC_RTO };
	struct flow flow;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		settled(&flow, 0, 1, TAPSTACK_CC_ECN_ACCURATE);
		flow.decision.cwnd_bytes = 100 * MSS;
		flow_event(&flow, events[i]);
		flow_event(&flow, TAPSTACK_CC_UNDO);
		assert_int_equal(flow.decision.cwnd_bytes, 100 * MSS);
		assert_true(flow.decision.ssthresh_bytes == UINT64_MAX);
		flow.decision.cwnd_bytes = 5 * MSS;
		flow_event(&flow, TAPSTACK_CC_UNDO); /* a second time: nothing */
		assert_int_equal(flow.decision.cwnd_bytes, 5 * MSS);
	}
}

static void test_idle(void **state)
{
	struct flow flow;

	(void)state;
	settled(&flow, 100, 0.3, TAPSTACK_CC_ECN_ACCURATE);
	flow.now += 60 * S;
	flow_event(&flow, TAPSTACK_CC_IDLE_RESTART);
	assert_int_equal(flow.decision.cwnd_bytes, 10 * MSS);
	assert_true(flow.decision.ssthresh_bytes >= 75 * MSS);
	assert_true(fabs(flow_output(&flow, "alpha") - 0.3) < 1e-6);
	flow_event(&flow, 4711);
	assert_int_equal(flow.decision.cwnd_bytes, 10 * MSS);
}

static void test_export(void **state)
{
	struct flow flow, other;
	char text[64];

	(void)state;
	settled(&flow, 100, 0.3125, TAPSTACK_CC_ECN_ACCURATE);
	assert_int_equal(flow_ops()->export_state(flow.state, NULL, 0), (int)strlen("alpha 0.3125"));
	assert_true(flow_ops()->export_state(flow.state, text, sizeof(text)) > 0);
	settled(&other, 0, 1, TAPSTACK_CC_ECN_ACCURATE);
	assert_int_equal(flow_ops()->import_state(other.state, text, &other.decision), 0);
	assert_true(fabs(flow_output(&other, "alpha") - 0.3125) < 1e-9);
	assert_true(flow_ops()->import_state(other.state, "alpha 7", &other.decision) < 0);
	assert_true(flow_ops()->import_state(other.state, "alpha nan", &other.decision) < 0);
	assert_true(flow_ops()->import_state(other.state, "", &other.decision) < 0);
	assert_true(fabs(flow_output(&other, "alpha") - 0.3125) < 1e-9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_alpha),
		cmocka_unit_test(test_alpha_counts_bytes),
		cmocka_unit_test(test_alpha_in_recovery),
		cmocka_unit_test(test_reduction),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_feedback),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_undo),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_export),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
