/* BBR: what losses do to its bounds and states, how that is undone; and its state as text. */
#include "bbr_flow.h"

/* ---- losses ------------------------------------------------------------------------------------------------------
 */

/* Section 5.5.10.3: once a round trip, down to what was delivered, by no more than beta. */
static void test_short_term(void **state)
{
	struct flow flow;
	double bw, shortterm;

	(void)state;
	begin(&flow);
	until_cruise(&flow);
	assert_true(output(&flow, OUT_SHORTTERM) == 0); /* none */
	bw = output(&flow, OUT_MAX_BW);
	shortterm = (double)flow.decision.cwnd_bytes;
	for (unsigned i = 0; i < 3; i++) {
		flow.rate = (uint64_t)(bw * (i == 1 ? 0.68 : 0.4)); /* 0.68 is more than 0.7 * 0.7 */
		round_trip(&flow);
		round_trip(&flow); /* of the rate before nothing is left */
		lose(&flow, MSS, bdp(&flow), MSS);
		round_trip(&flow);
		step(&flow);
		ASSERT_NEAR(output(&flow, OUT_BW), bw * (i == 0 ? 0.7 : i == 1 ? 0.68 : 0.7 * 0.68), 0.01);
		shortterm *= 0.7;
		if (shortterm > (double)bdp(&flow))
			ASSERT_NEAR(output(&flow, OUT_SHORTTERM), shortterm, 0.02);
		assert_true((double)flow.decision.cwnd_bytes <= output(&flow, OUT_SHORTTERM));
		ASSERT_NEAR(output(&flow, OUT_MAX_BW), bw, 0.01);
	}
	/* marks, which nobody has asked for, are no better */
	flow.rate = (uint64_t)(bw * 0.2);
	round_trip(&flow);
	round_trip(&flow);
	event(&flow, TAPSTACK_CC_ECN);
	round_trip(&flow);
	step(&flow);
	ASSERT_NEAR(output(&flow, OUT_BW), bw * 0.7 * 0.7 * 0.68, 0.01);
	/* forgotten with the next probe */
	refresh_rtt(&flow);
	until(&flow, REFILL, 40);
	step(&flow);
	assert_true(output(&flow, OUT_SHORTTERM) == 0);
	ASSERT_NEAR(output(&flow, OUT_BW), bw, 0.01);
}

/* Section 5.5.10.2, A.21: losses while probing set the long-term bound to where they crossed the threshold, and end
 * the probe. */
static void test_loss_in_probe(void **state)
{
	struct flow flow;
	uint64_t sent_with;

	(void)state;
	begin(&flow);
	until_up(&flow);
	sent_with = bdp(&flow) * 5 / 4;
	lose(&flow, 2 * MSS, sent_with, 2 * MSS); /* 1.6 % */
	assert_int_equal(state_of(&flow), UP);
	assert_true(output(&flow, OUT_LONGTERM) == 0);
	lose(&flow, 10 * MSS, sent_with, 12 * MSS); /* a burst of ten */
	assert_int_equal(state_of(&flow), DOWN);
	/* 115 segments before it, of which 2 are lost: x of the ten with (2 + x) / (115 + x) = 2 % */
	ASSERT_NEAR(output(&flow, OUT_LONGTERM), (115 + 0.3 / 0.98) * MSS, 0.001);
	/* once a probe */
	lose(&flow, MSS, bdp(&flow), 40 * MSS);
	ASSERT_NEAR(output(&flow, OUT_LONGTERM), (115 + 0.3 / 0.98) * MSS, 0.001);
	/* room is left for others while cruising */
	flow.inflight = bdp(&flow) / 2;
	until(&flow, CRUISE, 3);
	step(&flow);
	ASSERT_NEAR(flow.decision.cwnd_bytes, 0.85 * output(&flow, OUT_LONGTERM), 0.001);
	/* never by more than beta */
	begin(&flow);
	until_up(&flow);
	lose(&flow, MSS, 10 * MSS, 5 * MSS);
	ASSERT_NEAR(output(&flow, OUT_LONGTERM), 0.7 * (double)bdp(&flow), 0.001);
	/* an application that sends little says nothing of the bound, but the probe is over: A.6 */
	begin(&flow);
	until_up(&flow);
	flow.app_limited = true;
	lose(&flow, MSS, 10 * MSS, 5 * MSS);
	assert_true(output(&flow, OUT_LONGTERM) == 0);
	assert_int_equal(state_of(&flow), DOWN);
	/* without SACK a single loss is too much */
	begin_with(&flow, 1000 * MSS, 100 * MS, TAPSTACK_CC_NO_SACK, 7);
	until_up(&flow);
	lose(&flow, MSS, bdp(&flow) * 5 / 4, MSS);
	assert_int_equal(state_of(&flow), DOWN);
	/* not a probe: no long-term bound */
	begin(&flow);
	until_cruise(&flow);
	lose(&flow, MSS, 10 * MSS, 5 * MSS);
	assert_true(output(&flow, OUT_LONGTERM) == 0);
}

/* Section 5.3.3.6: the probe after one that went too high stops at the bound; when that was well, another follows. */
static void test_precautionary(void **state)
{
	struct flow flow;
	unsigned rounds = 0;

	(void)state;
	begin(&flow);
	until_up(&flow);
	lose(&flow, 5 * MSS, bdp(&flow) * 5 / 4, 5 * MSS);
	assert_int_equal(state_of(&flow), DOWN);
	flow.inflight = bdp(&flow) / 2;
	until(&flow, CRUISE, 3);
	refresh_rtt(&flow);
	until(&flow, UP, 40);
	flow.inflight = (uint64_t)output(&flow, OUT_LONGTERM);
	step(&flow);
	assert_int_equal(state_of(&flow), DOWN);
	while (state_of(&flow) == DOWN && rounds++ < 3 * ACKS)
		step(&flow);
	assert_int_equal(state_of(&flow), REFILL); /* at once */
	assert_in_range(rounds, 5, 15);
	flow.cwnd_limited = false;
	until(&flow, UP, 2);
	round_trip(&flow);
	assert_int_equal(state_of(&flow), UP); /* this one stays */
}

/* Section 5.3.3.5, A.15: the bound grows by 1, 2, 4... segments a round trip where the window is used. */
static void test_longterm_growth(void **state)
{
	struct flow flow;
	double bound, growth;

	(void)state;
	begin(&flow);
	until_up(&flow);
	lose(&flow, 5 * MSS, bdp(&flow) * 5 / 4, 5 * MSS);
	flow.inflight = flow.tx_in_flight = bdp(&flow) / 2;
	until(&flow, CRUISE, 3);
	refresh_rtt(&flow);
	until(&flow, UP, 40); /* precautionary */
	flow.inflight = (uint64_t)output(&flow, OUT_LONGTERM);
	step(&flow);
	flow.inflight = 0;
	until(&flow, UP, 5);
	bound = output(&flow, OUT_LONGTERM);
	for (unsigned i = 0; i < 5; i++) {
		round_trip(&flow);
		assert_int_equal(state_of(&flow), UP); /* the bound, not the bandwidth, is the limit */
		growth = (output(&flow, OUT_LONGTERM) - bound) / MSS;
		bound = output(&flow, OUT_LONGTERM);
		if (growth < (1u << i) * 0.5 - 1 || growth > (1u << i) * 1.6 + 1)
			fail_msg("round trip %u: %.1f segments", i, growth);
	}
	/* more was in flight, and all is well */
	flow.tx_in_flight = (uint64_t)bound + 50 * MSS;
	step(&flow);
	assert_true(output(&flow, OUT_LONGTERM) >= bound + 50 * MSS);
	/* a window that is not used does not raise it */
	flow.cwnd_limited = false;
	flow.tx_in_flight = 0;
	bound = output(&flow, OUT_LONGTERM);
	round_trip(&flow);
	assert_true(output(&flow, OUT_LONGTERM) <= bound);
}

/* Section 5.6.4.4. */
static void test_recovery(void **state)
{
	struct flow flow;
	uint64_t before;

	(void)state;
	begin(&flow);
	until_cruise(&flow);
	before = flow.decision.cwnd_bytes;
	event(&flow, TAPSTACK_CC_LOSS);
	assert_int_equal(flow.decision.cwnd_bytes, before);
	event(&flow, TAPSTACK_CC_RTO);
	assert_int_equal(flow.decision.cwnd_bytes, inflight_of(&flow) + MSS);
	flow.inflight = 1;
	event(&flow, TAPSTACK_CC_RTO);
	assert_int_equal(flow.decision.cwnd_bytes, 1 + MSS);
	flow.inflight = 0;
	ack(&flow, MSS);
	assert_int_equal(flow.decision.cwnd_bytes, 4 * MSS);
	step(&flow);
	assert_true(flow.decision.cwnd_bytes < 20 * MSS);
	event(&flow, TAPSTACK_CC_RECOVERED);
	assert_int_equal(flow.decision.cwnd_bytes, before);
}

/* Section 5.5.11, A.18, A.19: as if it had not been. */
static void test_undo(void **state)
{
	struct flow flow;
	uint64_t before;

	(void)state;
	begin(&flow);
	until_cruise(&flow);
	before = flow.decision.cwnd_bytes;
	lose(&flow, MSS, bdp(&flow), MSS);
	event(&flow, TAPSTACK_CC_LOSS);
	flow.rate /= 2;
	round_trip(&flow);
	round_trip(&flow);
	assert_true(output(&flow, OUT_SHORTTERM) > 0);
	flow.rate *= 2;
	event(&flow, TAPSTACK_CC_UNDO);
	assert_true(output(&flow, OUT_SHORTTERM) == 0);
	assert_int_equal(flow.decision.cwnd_bytes, before);
	ASSERT_NEAR(output(&flow, OUT_BW), flow.rate, 0.01);
	/* back to STARTUP */
	startup_losses(&flow, 0, 6, 3 * MSS);
	assert_int_not_equal(state_of(&flow), STARTUP);
	event(&flow, TAPSTACK_CC_UNDO);
	assert_int_equal(state_of(&flow), STARTUP);
	assert_true(output(&flow, OUT_LONGTERM) == 0);
	/* back to the probe, by way of REFILL */
	begin(&flow);
	until_up(&flow);
	lose(&flow, 10 * MSS, bdp(&flow), 10 * MSS);
	assert_int_equal(state_of(&flow), DOWN);
	event(&flow, TAPSTACK_CC_LOSS);
	event(&flow, TAPSTACK_CC_UNDO);
	assert_int_equal(state_of(&flow), REFILL);
	assert_true(output(&flow, OUT_LONGTERM) == 0);
	/* there is nothing to undo twice */
	until(&flow, UP, 3);
	event(&flow, TAPSTACK_CC_UNDO);
	assert_int_equal(state_of(&flow), UP);
}

/* ---- the state as text -------------------------------------------------------------------------------------------
 */

static void test_text(void **state)
{
	static const char *const bad[] = { "",
		                           "bbr 2 state=1",
		                           "bbr 1 state=9",
		                           "bbr 1 state",
		                           "bbr 1 state=",
		                           "cubic",
		                           "bbr 1 state=300",
		                           "bbr 1 mss=0",
		                           "bbr 1 state=1x",
		                           "bbr 1 ack_phase=5",
		                           "bbr 1 full_bw_now=2" };
	char text[TAPSTACK_CC_EXPORT_MAX], again[TAPSTACK_CC_EXPORT_MAX], little[10];
	char text_before[TAPSTACK_CC_EXPORT_MAX];
	struct flow flow, other;
	int length;

	(void)state;
	begin(&flow);
	until_up(&flow);
	lose(&flow, 5 * MSS, bdp(&flow) * 5 / 4, 5 * MSS);
	length = ops()->export_state(flow.state, text, sizeof(text));
	assert_in_range(length, 100, sizeof(text) - 1);
	assert_int_equal(strlen(text), length);
	assert_int_equal(ops()->export_state(flow.state, little, sizeof(little)), length);
	assert_int_equal(strlen(little), sizeof(little) - 1);
	assert_int_equal(ops()->export_state(flow.state, NULL, 0), length);
	begin(&other);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ops()->export_state(other.state, text_before, sizeof(text_before));
		if (ops()->import_state(other.state, bad[i], &other.decision) >= 0)
			fail_msg("took \"%s\"", bad[i]);
		ops()->export_state(other.state, again, sizeof(again));
		assert_string_equal(again, text_before);
	}
	assert_int_equal(ops()->import_state(other.state, "bbr 1 later=5", &other.decision), 0);
	assert_int_equal(ops()->import_state(other.state, text, &other.decision), 0);
	ops()->export_state(other.state, again, sizeof(again));
	assert_string_equal(again, text);
	assert_true(other.decision.pacing_bytes_per_s > (uint64_t)((double)flow.rate * 0.8));
}

static void test_tables(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < tapstack_plugin.param_count; i++) {
		const struct tapstack_param_spec *spec = &tapstack_plugin.params[i];

		assert_non_null(spec->name);
		assert_true(spec->min <= spec->initial && spec->initial <= spec->max);
	}
	/* the draft's */
	assert_true(parameter("startup_pacing_gain") == 2.77 && parameter("cwnd_gain") == 2);
	assert_true(parameter("loss_threshold") == 0.02 && parameter("beta") == 0.7);
	assert_true(parameter("headroom") == 0.15 && parameter("probe_rtt_interval") == 5e9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_term),    cmocka_unit_test(test_loss_in_probe),
		cmocka_unit_test(test_precautionary), cmocka_unit_test(test_longterm_growth),
		cmocka_unit_test(test_recovery),      cmocka_unit_test(test_undo),
		cmocka_unit_test(test_text),          cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests_name("bbr, losses", tests, NULL, NULL);
}
