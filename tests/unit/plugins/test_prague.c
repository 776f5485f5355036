/* Prague on virtual time: the share of marks, what marks and losses do, independence of the round trip, pacing. */
#include "marks.h"

#include <math.h>

static bool is(const struct flow *flow, const char *output)
{
	return flow_output(flow, output) != 0;
}

/* In congestion avoidance at `segments`; 0: it begins. */
static void settled(struct flow *flow, int64_t rtt, uint64_t segments, uint32_t ecn)
{
	flow_defaults(flow);
	flow_begin_ecn(flow, rtt, ecn, segments);
}

/* The same, marks were seen, alpha is what it is, and the round trip is that of a short queue. */
static void marked(struct flow *flow, int64_t rtt, uint64_t segments, double alpha)
{
	char text[100];

	settled(flow, rtt, segments, TAPSTACK_CC_ECN_ACCURATE);
	snprintf(text, sizeof(text), "alpha %f saw_marks 1 classic 0 rounds 1000", alpha);
	assert_int_equal(flow_ops()->import_state(flow->state, text, &flow->decision), 0);
}

static void test_flags(void **state)
{
	(void)state;
	assert_true(flow_ops()->state_size <= 256);
	assert_true(flow_ops()->flags & TAPSTACK_CC_ECT1);
	assert_true(flow_ops()->flags & TAPSTACK_CC_NEEDS_ACCECN);
	assert_true(flow_ops()->flags & TAPSTACK_CC_NEEDS_PACING);
}

/* The first mark halves the window, ends slow start, and begins the average. */
static void test_first_mark(void **state)
{
	struct flow flow;

	(void)state;
	settled(&flow, 10 * MS, 0, TAPSTACK_CC_ECN_ACCURATE);
	flow_round_marked(&flow, 0);
	flow_round_marked(&flow, 0);
	assert_int_equal(flow.decision.cwnd_bytes, 40 * MSS);
	assert_true(flow_output(&flow, "alpha") == 0);
	flow_ack_marked(&flow, MSS, MSS);
	assert_true(flow_output(&flow, "alpha") == 1);
	assert_int_equal(flow.decision.cwnd_bytes, 20 * MSS);
	assert_int_equal(flow.decision.ssthresh_bytes, 20 * MSS);
}

/* Alpha goes to the share of marks, by g each virtual round trip: so a flow with short ones takes more of them. */
static void test_alpha(void **state)
{
	static const double shares[] = { 0.02, 0.25, 1 };
	static const int64_t rtts[] = { 5 * MS, 25 * MS, 50 * MS };
	struct flow flow;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (size_t j = 0; j < 3; j++) {
			int64_t begun;

			settled(&flow, rtts[j], 200, TAPSTACK_CC_ECN_ACCURATE);
			flow_ack_marked(&flow, MSS, MSS);
			begun = flow.now;
			while (flow_output(&flow, "alpha") > shares[i] + (1 - shares[i]) / 2.718282 + 1e-9 &&
			       flow.now - begun < 60 * S) {
				flow.decision.cwnd_bytes = 200 * MSS;
				flow_round_marked(&flow, shares[i]);
			}
			/* (15/16)^15.5 is 1/e */
			if (i < 2 &&
			    fabs((double)(flow.now - begun) / (15.5 * (double)(j < 2 ? 25 * MS : 50 * MS)) - 1) > 0.1)
				fail_msg("share %.2f: %.1f ms", shares[i], (double)(flow.now - begun) / 1e6);
			for (unsigned round = 0; round < 600; round++) {
				flow.decision.cwnd_bytes = 200 * MSS;
				flow_round_marked(&flow, shares[i]);
			}
			assert_true(fabs(flow_output(&flow, "alpha") - shares[i]) < 0.01);
		}
	}
}

/* By half of alpha, once per virtual round trip. */
static void test_reduction(void **state)
{
	struct flow flow;

	(void)state;
	marked(&flow, 5 * MS, 100, 0.2);
	assert_true(is(&flow, "rtt_independent"));
	flow_ack_marked(&flow, MSS, MSS);
	assert_true(fabs((double)flow.decision.cwnd_bytes - 90 * MSS) < 2);
	for (unsigned i = 0; i < 4; i++) { /* up to 24 ms */
		flow.now += 6 * MS;
		flow_ack_marked(&flow, 2, 2);
		assert_true(fabs((double)flow.decision.cwnd_bytes - 90 * MSS) < 2);
	}
	flow.now += MS;
	flow_ack_marked(&flow, 2, 2);
	assert_true(flow.decision.cwnd_bytes < 82 * MSS);
	/* never below two segments */
	marked(&flow, 5 * MS, 2, 1);
	flow_ack_marked(&flow, MSS, MSS);
	assert_int_equal(flow.decision.cwnd_bytes, 2 * MSS);
}

/* A segment each round trip, times the square of its ratio to the virtual one; only for what was not marked. */
static void test_increase(void **state)
{
	static const struct {
		int64_t rtt;
		double marked, segments;
	} table[] = { { 50 * MS, 0, 1 },
		      { 25 * MS, 0, 1 },
		      { 12500000, 0, 0.25 },
		      { 5 * MS, 0, 0.04 },
		      { 25 * MS, 0.4, 0.6 } };
	struct flow flow;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		double grown = 0;

		marked(&flow, table[i].rtt, 100, 0);
		for (unsigned j = 0; j < 100; j++) {
			flow.decision.cwnd_bytes = 100 * MSS;
			flow_ack_marked(&flow, 10 * MSS, (uint64_t)(table[i].marked * 10 * MSS));
			grown += (double)flow.decision.cwnd_bytes - 100 * MSS;
		}
		if (fabs(grown / (10 * MSS) - table[i].segments) > 0.01)
			fail_msg("%.1f ms: %.3f segments a round trip", (double)table[i].rtt / 1e6,
			         grown / (10 * MSS));
		flow.limited = false;
		flow.decision.cwnd_bytes = 100 * MSS;
		flow_ack_marked(&flow, 10 * MSS, 0);
		assert_int_equal(flow.decision.cwnd_bytes, 100 * MSS);
	}
}

/* A young flow, and one that goes by losses, grow as Reno. */
static void test_transition(void **state)
{
	struct flow flow;

	(void)state;
	settled(&flow, 5 * MS, 100, TAPSTACK_CC_ECN_ACCURATE);
	flow_ack_marked(&flow, 2, 2);
	for (unsigned i = 0; i < 3; i++)
		flow_round_marked(&flow, 0);
	assert_false(is(&flow, "rtt_independent"));
	flow_round_marked(&flow, 0);
	flow_round_marked(&flow, 0);
	assert_true(is(&flow, "rtt_independent"));
	flow_event(&flow, TAPSTACK_CC_LOSS);
	assert_false(is(&flow, "rtt_independent"));
	assert_false(is(&flow, "l4s"));
	flow.decision.cwnd_bytes = 100 * MSS;
	flow_round_marked(&flow, 0);
	assert_true(fabs((double)flow.decision.cwnd_bytes - 101 * MSS) < 20);
	flow_ack_marked(&flow, 2, 2);
	assert_true(is(&flow, "rtt_independent"));
}

static void test_loss(void **state)
{
	struct flow flow;

	(void)state;
	marked(&flow, 20 * MS, 100, 0.2);
	flow_event(&flow, TAPSTACK_CC_LOSS);
	assert_int_equal(flow.decision.cwnd_bytes, 50 * MSS);
	assert_int_equal(flow.decision.ssthresh_bytes, 50 * MSS);
	flow_event(&flow, TAPSTACK_CC_UNDO);
	assert_int_equal(flow.decision.cwnd_bytes, 100 * MSS);

	/* what marks took in the same round trip counts */
	marked(&flow, 20 * MS, 100, 0.2);
	flow_ack_marked(&flow, 2, 2);
	flow.now += 10 * MS;
	flow_event(&flow, TAPSTACK_CC_LOSS);
	assert_int_equal(flow.decision.cwnd_bytes, 50 * MSS);
	/* and what they took before does not */
	marked(&flow, 20 * MS, 100, 0.2);
	flow_ack_marked(&flow, 2, 2);
	flow.now += 30 * MS;
	flow_event(&flow, TAPSTACK_CC_LOSS);
	assert_true(fabs((double)flow.decision.cwnd_bytes - 45 * MSS) < 2);
}

static void test_timeout(void **state)
{
	struct flow flow;

	(void)state;
	marked(&flow, 20 * MS, 100, 0.2);
	flow_event(&flow, TAPSTACK_CC_RTO);
	assert_int_equal(flow.decision.cwnd_bytes, MSS);
	assert_int_equal(flow.decision.ssthresh_bytes, 50 * MSS);
	flow_event(&flow, TAPSTACK_CC_RTO);
	assert_int_equal(flow.decision.ssthresh_bytes, 50 * MSS);
	flow_ack(&flow, 30 * MSS);
	assert_int_equal(flow.decision.cwnd_bytes, 2 * MSS);
}

/* With the feedback of RFC 3168 it is Reno: half for a mark, a segment a round trip. */
static void test_classic_feedback(void **state)
{
	struct tapstack_cc_sample sample;
	struct flow flow;

	(void)state;
	settled(&flow, 5 * MS, 100, TAPSTACK_CC_ECN_CLASSIC);
	flow_event(&flow, TAPSTACK_CC_ECN);
	assert_int_equal(flow.decision.cwnd_bytes, 50 * MSS);
	sample = flow_sample(&flow, MSS);
	sample.ece = 1;
	sample.ce_bytes = MSS; /* a guess */
	flow_ops()->on_ack(flow.state, &sample, &flow.decision);
	assert_true(flow_output(&flow, "alpha") == 0);
	for (unsigned i = 0; i < 10; i++)
		flow_round_marked(&flow, 0);
	assert_true(fabs((double)flow.decision.cwnd_bytes - 60 * MSS) < MSS);
	/* and with AccECN the host's event does nothing by itself */
	marked(&flow, 5 * MS, 100, 0.2);
	flow_event(&flow, TAPSTACK_CC_ECN);
	assert_int_equal(flow.decision.cwnd_bytes, 100 * MSS);
}

/* A long queue that swings is a classic bottleneck's: half for a mark. A short one is not, nor a long one that stays.
 */
static void test_classic_bottleneck(void **state)
{
	static const struct {
		int64_t low, high; /* of the queue */
		double classic;
		double detect;
	} table[] = { { 0, 1 * MS, 0, 1 }, { 0, 20 * MS, 1, 1 }, { 0, 20 * MS, 0, 0 }, { 1500000, 1600000, 0, 1 } };
	struct flow flow;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		flow_defaults(&flow);
		*flow_param(&flow, "detect_classic") = table[i].detect;
		flow_begin_ecn(&flow, 20 * MS, TAPSTACK_CC_ECN_ACCURATE, 100);
		flow_ack_marked(&flow, MSS, MSS);
		for (unsigned round = 0; round < 100; round++) {
			flow.decision.cwnd_bytes = 100 * MSS;
			flow.rtt =
			        20 * MS + table[i].low + (table[i].high - table[i].low) * (int64_t)(round % 20) / 20;
			flow_round_marked(&flow, 0.01);
		}
		if (flow_output(&flow, "classic") != table[i].classic)
			fail_msg("row %zu: %.2f", i, flow_output(&flow, "classic"));
		flow.now += S;
		flow.decision.cwnd_bytes = 100 * MSS;
		flow_ack_marked(&flow, 2, 2);
		if (table[i].classic > 0)
			assert_true(flow.decision.cwnd_bytes <= 50 * MSS + 1);
		else
			assert_true(flow.decision.cwnd_bytes > 95 * MSS);
	}
}

static void test_pacing(void **state)
{
	struct tapstack_cc_env env = { .struct_size = sizeof(env), .mss_bytes = MSS, .initial_cwnd_bytes = 10 * MSS };
	struct flow flow;

	(void)state;
	settled(&flow, 10 * MS, 0, TAPSTACK_CC_ECN_ACCURATE);
	assert_int_equal(flow.decision.pacing_bytes_per_s, 0); /* the round trip is not known */
	flow_ack(&flow, MSS);
	assert_int_equal(flow.decision.pacing_bytes_per_s, 2 * 11 * MSS * 100);
	env.srtt_ns = 10 * MS; /* the handshake has told */
	flow.decision.cwnd_bytes = 10 * MSS;
	assert_int_equal(flow_ops()->init(flow.state, &env, &flow.params, &flow.decision), 0);
	assert_int_equal(flow.decision.pacing_bytes_per_s, 2 * 10 * MSS * 100);
	marked(&flow, 10 * MS, 2000, 0.1);
	flow_ack(&flow, MSS);
	assert_true(fabs((double)flow.decision.pacing_bytes_per_s / (2000 * MSS * 100.0) - 1) < 0.01);
	assert_true(fabs((double)flow.decision.burst_bytes_max / (2000 * MSS * 100 * 250e-6) - 1) < 0.01);
	marked(&flow, 100 * MS, 2, 0.1);
	flow_ack(&flow, MSS);
	assert_int_equal(flow.decision.burst_bytes_max, MSS);
}

static void test_idle(void **state)
{
	struct flow flow;

	(void)state;
	marked(&flow, 10 * MS, 100, 0.25);
	flow.now += 60 * S;
	flow_event(&flow, TAPSTACK_CC_IDLE_RESTART);
	assert_int_equal(flow.decision.cwnd_bytes, 10 * MSS);
	assert_true(flow.decision.ssthresh_bytes >= 75 * MSS);
	assert_true(fabs(flow_output(&flow, "alpha") - 0.25) < 1e-6);
	flow_event(&flow, 4711);
}

static void test_export(void **state)
{
	struct flow flow, other;
	char text[200], again[200];
	int length;

	(void)state;
	marked(&flow, 10 * MS, 100, 0.375);
	length = flow_ops()->export_state(flow.state, NULL, 0);
	assert_int_equal(flow_ops()->export_state(flow.state, text, sizeof(text)), length);
	settled(&other, 10 * MS, 100, TAPSTACK_CC_ECN_ACCURATE);
	assert_int_equal(flow_ops()->import_state(other.state, text, &other.decision), 0);
	assert_int_equal(flow_ops()->export_state(other.state, again, sizeof(again)), length);
	assert_string_equal(text, again);
	assert_true(flow_ops()->import_state(other.state, "alpha 2 saw_marks 1 classic 0 rounds 0", &other.decision) <
	            0);
	assert_true(flow_ops()->import_state(other.state, "alpha 0.5", &other.decision) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_first_mark),
		cmocka_unit_test(test_alpha),
		cmocka_unit_test(test_reduction),
		cmocka_unit_test(test_increase),
		cmocka_unit_test(test_transition),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_classic_feedback),
		cmocka_unit_test(test_classic_bottleneck),
		cmocka_unit_test(test_pacing),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_export),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
