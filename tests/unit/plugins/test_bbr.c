/* BBR: the states and what leads from one to the next, the filters, the window and the rate. */
#include "bbr_flow.h"

/* ---- beginning ---------------------------------------------------------------------------------------------------
 */

static void test_init(void **state)
{
	struct tapstack_cc_env env;
	struct flow flow;

	(void)state;
	assert_true(ops()->state_size <= 512);
	assert_int_equal(ops()->flags, TAPSTACK_CC_NEEDS_PACING | TAPSTACK_CC_OWN_RECOVERY); /* and no ECN */
	begin(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 10 * MSS);
	ASSERT_NEAR(flow.decision.pacing_bytes_per_s, 2.77 * 10 * MSS / 0.1, 0.001);
	assert_int_equal(state_of(&flow), STARTUP);
	/* section 5.6.2: without a round-trip time one of a millisecond is taken, until there is one */
	begin_with(&flow, 1000 * MSS, 0, 0, 7);
	ASSERT_NEAR(flow.decision.pacing_bytes_per_s, 2.77 * 10 * MSS / 0.001, 0.001);
	flow.rtt = 100 * MS;
	ack(&flow, MSS);
	assert_true(flow.decision.pacing_bytes_per_s <= 2.77 * (double)flow.rate);
	/* a live switch: the search begins at the window that was there */
	env = env_of(&flow);
	env.flags = TAPSTACK_CC_SWITCHED;
	flow.decision.cwnd_bytes = 50 * MSS;
	assert_int_equal(ops()->init(flow.state, &env, defaults(), &flow.decision), 0);
	assert_int_equal(flow.decision.cwnd_bytes, 50 * MSS);
	ASSERT_NEAR(flow.decision.pacing_bytes_per_s, 2.77 * 50 * MSS / 0.1, 0.001);
	/* a host that tells of no losses */
	env.struct_size = offsetof(struct tapstack_cc_env, flags);
	assert_true(ops()->init(flow.state, &env, defaults(), &flow.decision) < 0);
}

/* A.1 and A.3: growth by a quarter goes on; three round trips without end STARTUP. */
static void test_plateau(void **state)
{
	struct flow flow;
	unsigned rounds = 0;

	(void)state;
	begin(&flow);
	flow.rate = 100 * MSS;
	for (unsigned i = 0; i < 10; i++) {
		round_trip(&flow);
		assert_int_equal(state_of(&flow), STARTUP);
		ASSERT_NEAR(flow.decision.pacing_bytes_per_s, 2.77 * 0.99 * (double)flow.rate, 0.5);
		flow.rate = flow.rate * 13 / 10;
	}
	round_trip(&flow);
	while (state_of(&flow) == STARTUP && rounds++ < 10)
		round_trip(&flow);
	assert_in_range(rounds, 2, 4);
	ASSERT_NEAR(output(&flow, OUT_MAX_BW), flow.rate, 0.02);
	/* DRAIN until no more than the bandwidth-delay product is in flight */
	flow.inflight = 2 * bdp(&flow);
	begin(&flow);
	flow.inflight = 2 * bdp(&flow);
	until(&flow, DRAIN, 20);
	assert_true(fabs(output(&flow, OUT_PACING_GAIN) - 0.5) < 1e-9);
	ASSERT_NEAR(flow.decision.pacing_bytes_per_s, 0.5 * 0.99 * (double)flow.rate, 0.01);
	ASSERT_NEAR(flow.decision.ssthresh_bytes, bdp(&flow), 0.02);
	step(&flow);
	step(&flow);
	assert_int_equal(state_of(&flow), DRAIN);
	flow.inflight = bdp(&flow);
	step(&flow);
	assert_int_equal(state_of(&flow), CRUISE);
}

/* A.4: no longer than three round trips. */
static void test_drain_by_time(void **state)
{
	struct flow flow;
	unsigned rounds = 0;

	(void)state;
	begin(&flow);
	flow.inflight = 2 * bdp(&flow);
	until(&flow, DRAIN, 20);
	for (; state_of(&flow) == DRAIN && rounds < 10; rounds++)
		round_trip(&flow);
	assert_in_range(rounds, 3, 5);
	assert_int_equal(state_of(&flow), DOWN);
}

/* A.7: an application that sends little proves nothing. */
static void test_startup_app_limited(void **state)
{
	struct flow flow;

	(void)state;
	begin_with(&flow, 50 * MSS, 100 * MS, 0, 7);
	flow.app_limited = true;
	round_trip(&flow);
	ASSERT_NEAR(flow.decision.pacing_bytes_per_s, 2.77 * 10 * MSS / 0.1, 0.001); /* it does not fall either */
	begin(&flow);
	flow.app_limited = true;
	for (unsigned i = 0; i < 30; i++) {
		refresh_rtt(&flow);
		round_trip(&flow);
	}
	assert_int_equal(state_of(&flow), STARTUP);
	flow.app_limited = false;
	until(&flow, CRUISE, 6);
}

/* A.2, section 5.3.1.3. */
static void test_startup_high_loss(void **state)
{
	struct flow flow;

	(void)state;
	startup_losses(&flow, 0, 6, 3 * MSS);
	assert_int_not_equal(state_of(&flow), STARTUP);
	ASSERT_NEAR(output(&flow, OUT_LONGTERM), bdp(&flow), 0.02);
	startup_losses(&flow, 0, 5, 3 * MSS); /* too few */
	assert_int_equal(state_of(&flow), STARTUP);
	startup_losses(&flow, 0, 6, 2 * MSS); /* 2 % of 100 segments is not above the threshold */
	assert_int_equal(state_of(&flow), STARTUP);
	startup_losses(&flow, TAPSTACK_CC_NO_SACK, 1, MSS);
	assert_int_not_equal(state_of(&flow), STARTUP);
}

/* ---- probing for bandwidth ---------------------------------------------------------------------------------------
 */

/* Section 5.3.3: DOWN, CRUISE, REFILL, UP and again; the gains of section 5.6.1. */
static void test_cycle(void **state)
{
	static const struct {
		int state;
		double pacing, cwnd;
	} table[] = { { REFILL, 1, 2 }, { UP, 1.25, 2.25 }, { DOWN, 0.9, 2 }, { CRUISE, 1, 2 } };
	struct flow flow;
	int64_t begun = 0;

	(void)state;
	begin(&flow);
	until_cruise(&flow);
	for (size_t i = 0; i < 4; i++) {
		until(&flow, table[i].state, 40);
		if (i == 1) { /* REFILL took a round trip */
			assert_in_range(flow.now - begun, flow.rtt * 9 / 10, flow.rtt * 12 / 10);
		} else if (i == 2) { /* UP found no more: three round trips */
			assert_in_range(flow.now - begun, flow.rtt * 29 / 10, flow.rtt * 45 / 10);
			flow.inflight = 2 * bdp(&flow); /* it takes until that is drained */
		}
		begun = flow.now;
		assert_true(fabs(output(&flow, OUT_PACING_GAIN) - table[i].pacing) < 1e-9);
		ASSERT_NEAR(flow.decision.pacing_bytes_per_s, table[i].pacing * 0.99 * (double)flow.rate, 0.01);
		for (unsigned j = 0; j < 3; j++)
			step(&flow);
		assert_int_equal(state_of(&flow), table[i].state);
		ASSERT_NEAR((double)flow.decision.cwnd_bytes - output(&flow, OUT_EXTRA_ACKED),
		            table[i].cwnd * (double)bdp(&flow) + (table[i].state == UP ? 2 * MSS : 0), 0.005);
		flow.inflight = 0;
	}
}

/* Section 5.3.3.8: between two and three seconds, at random, where Reno would take longer. */
static void test_probe_wait(void **state)
{
	double least = 1e9, most = 0;

	(void)state;
	for (uint64_t random = 1; random <= 40; random++) {
		struct flow flow;
		int64_t begun;
		double took;

		begin_with(&flow, 10000 * MSS, 100 * MS, 0, random * 1000003);
		until(&flow, CRUISE, 20);
		begun = flow.now;
		until(&flow, REFILL, 40);
		took = (double)(flow.now - begun) / 1e9;
		least = took < least ? took : least;
		most = took > most ? took : most;
	}
	assert_true(least >= 2.0 && least < 2.2);
	assert_true(most <= 3.05 && most > 2.8);
}

/* As many round trips as segments are in flight, up to 63. */
static void test_reno_coexistence(void **state)
{
	static const unsigned segments[] = { 10, 20, 63, 500 };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct flow flow;
		unsigned rounds = 0, most = segments[i] < 63 ? segments[i] : 63;

		begin_with(&flow, (uint64_t)segments[i] * MSS * 100, 10 * MS, 0, 7);
		until(&flow, CRUISE, 20);
		while (state_of(&flow) != REFILL && rounds < 100) {
			round_trip(&flow);
			rounds++;
		}
		assert_in_range(rounds, most - 2, most + 1);
	}
}

/* A.9: from DOWN straight to REFILL when the queue does not go away. */
static void test_down_by_time(void **state)
{
	struct flow flow;

	(void)state;
	begin(&flow);
	flow.inflight = 2 * bdp(&flow);
	until(&flow, DOWN, 25);
	while (state_of(&flow) == DOWN)
		step(&flow);
	assert_int_equal(state_of(&flow), REFILL);
}

/* A.16, section 5.5.6: what was seen two cycles ago is forgotten. */
static void test_max_bw_filter(void **state)
{
	struct flow flow;
	uint64_t before;

	(void)state;
	begin(&flow);
	until_cruise(&flow);
	before = flow.rate;
	flow.rate /= 2;
	for (unsigned cycle = 0; cycle < 3; cycle++) {
		ASSERT_NEAR(output(&flow, OUT_MAX_BW), cycle < 2 ? before : flow.rate, 0.01);
		refresh_rtt(&flow);
		until(&flow, UP, 40);
		until(&flow, CRUISE, 10);
		round_trip(&flow);
		round_trip(&flow);
	}
	ASSERT_NEAR(output(&flow, OUT_BW), flow.rate, 0.01);
}

/* Section 5.5.4, A.22. */
static void test_app_limited(void **state)
{
	struct flow flow;
	uint64_t before;

	(void)state;
	begin(&flow);
	until_cruise(&flow);
	before = flow.rate;
	flow.app_limited = true;
	flow.rate /= 4;
	for (unsigned cycle = 0; cycle < 3; cycle++) {
		refresh_rtt(&flow);
		for (unsigned i = 0; i < 35; i++)
			round_trip(&flow);
		ASSERT_NEAR(output(&flow, OUT_MAX_BW), before, 0.01);
	}
	assert_int_equal(state_of(&flow), UP); /* and does not end: A.7 */
	flow.rate = before * 3 / 2;
	round_trip(&flow);
	ASSERT_NEAR(output(&flow, OUT_MAX_BW), flow.rate, 0.01);
}

/* Low ones don't push out what was seen before, also when cycles go by. */
static void test_app_limited_cycles(void **state)
{
	struct flow flow;
	uint64_t before;

	(void)state;
	begin(&flow);
	until_cruise(&flow);
	before = flow.rate;
	for (unsigned cycle = 0; cycle < 3; cycle++) {
		flow.app_limited = true;
		flow.rate = before / 4;
		refresh_rtt(&flow);
		until(&flow, UP, 40);
		round_trip(&flow);
		round_trip(&flow);
		lose(&flow, 10 * MSS, bdp(&flow), 10 * MSS);
		assert_int_equal(state_of(&flow), DOWN);
		flow.app_limited = false;
		flow.no_rate = true; /* the cycle ends with an ACK without a sample */
		round_trip(&flow);
		step(&flow);
		flow.no_rate = false;
		ASSERT_NEAR(output(&flow, OUT_MAX_BW), before, 0.01);
	}
}

/* ---- the least round-trip time -----------------------------------------------------------------------------------
 */

/* A.10: every five seconds without a lower one, half of the bandwidth-delay product for 200 ms. */
static void test_probe_rtt(void **state)
{
	struct flow flow;
	uint64_t before;
	int64_t begun;

	(void)state;
	begin(&flow);
	begun = flow.now;
	until_cruise(&flow);
	flow.rtt = 110 * MS; /* there is a queue; what is delivered stays */
	before = flow.decision.cwnd_bytes;
	until(&flow, PROBE_RTT, 60);
	assert_in_range((flow.now - begun) / MS, 5000, 5300);
	ASSERT_NEAR(flow.decision.cwnd_bytes, 0.5 * output(&flow, OUT_BW) * output(&flow, OUT_MIN_RTT) / 1e9, 0.01);
	for (unsigned i = 0; i < 50; i++) /* not yet */
		step(&flow);
	assert_int_equal(state_of(&flow), PROBE_RTT);
	flow.inflight = bdp(&flow) / 3;
	flow.rtt = 101 * MS;
	begun = flow.now;
	until(&flow, CRUISE, 10);
	assert_in_range((flow.now - begun) / MS, 200, 330);
	assert_true(flow.decision.cwnd_bytes >= before * 9 / 10);
	assert_true(output(&flow, OUT_MIN_RTT) <= 100 * (double)MS);
	/* after ten the path's new time counts */
	flow.inflight = 0;
	flow.rtt = 110 * MS;
	until(&flow, PROBE_RTT, 60);
	flow.inflight = bdp(&flow) / 3;
	flow.rtt = 102 * MS;
	until(&flow, CRUISE, 10);
	ASSERT_NEAR(output(&flow, OUT_MIN_RTT), 102 * (double)MS, 0.012);
}

/* What is sent meanwhile says nothing of the bandwidth. */
static void test_probe_rtt_samples(void **state)
{
	struct flow flow;
	double before;

	(void)state;
	begin(&flow);
	until_cruise(&flow);
	before = output(&flow, OUT_MAX_BW);
	flow.inflight = bdp(&flow) / 2;
	for (unsigned i = 0; i < 3; i++) {
		uint64_t rate = flow.rate;

		until(&flow, PROBE_RTT, 60);
		flow.rate /= 2;
		until(&flow, CRUISE, 20);
		flow.rate = rate;
		ASSERT_NEAR(output(&flow, OUT_MAX_BW), before, 0.01);
	}
}

/* A.20. */
static void test_probe_rtt_in_startup(void **state)
{
	struct flow flow;

	(void)state;
	begin(&flow);
	flow.app_limited = true;
	until(&flow, PROBE_RTT, 60);
	flow.app_limited = false; /* that nothing grows now is our own doing */
	for (unsigned i = 0; i < 6; i++)
		round_trip(&flow);
	flow.inflight = 4 * MSS;
	until(&flow, STARTUP, 10);
}

/* ---- pauses ------------------------------------------------------------------------------------------------------
 */

/* A.11, section 5.4: silence was as good as PROBE_RTT; the rate is the bandwidth. */
static void test_idle(void **state)
{
	struct flow flow;

	(void)state;
	begin(&flow);
	until_cruise(&flow);
	until(&flow, UP, 40);
	ops()->on_sent(flow.state, flow.now, MSS, bdp(&flow), &flow.decision);
	ASSERT_NEAR(flow.decision.pacing_bytes_per_s, 1.25 * 0.99 * (double)flow.rate, 0.01);
	ops()->on_sent(flow.state, flow.now + 1, MSS, MSS, &flow.decision); /* the pacer, not the application */
	ASSERT_NEAR(flow.decision.pacing_bytes_per_s, 1.25 * 0.99 * (double)flow.rate, 0.01);
	flow.now += 8 * S;
	ops()->on_sent(flow.state, flow.now, MSS, MSS, &flow.decision);
	ASSERT_NEAR(flow.decision.pacing_bytes_per_s, 0.99 * (double)flow.rate, 0.01);
	flow.rtt = 103 * MS;
	step(&flow);
	assert_int_not_equal(state_of(&flow), PROBE_RTT);
	assert_true(output(&flow, OUT_EXTRA_ACKED) < (double)bdp(&flow) / 2);
	/* PROBE_RTT that went by while there was silence is over */
	begin(&flow);
	until_cruise(&flow);
	flow.inflight = bdp(&flow) / 3;
	until(&flow, PROBE_RTT, 60);
	step(&flow);
	flow.now += 1 * S;
	flow.inflight = 0;
	event(&flow, TAPSTACK_CC_IDLE_RESTART); /* but something is in flight */
	assert_int_equal(state_of(&flow), PROBE_RTT);
	ops()->on_sent(flow.state, flow.now, MSS, MSS, &flow.decision);
	assert_int_equal(state_of(&flow), CRUISE);
}

/* ---- window and rate ---------------------------------------------------------------------------------------------
 */

/* Section 5.5.9, A.12, A.13: ACKs that come in bunches. */
static void test_extra_acked(void **state)
{
	struct flow flow;
	uint64_t smooth;

	(void)state;
	begin(&flow);
	until_cruise(&flow);
	smooth = flow.decision.cwnd_bytes;
	assert_true(output(&flow, OUT_EXTRA_ACKED) < (double)bdp(&flow) / 5);
	for (unsigned i = 0; i < 4; i++) { /* half of a round trip's at once */
		flow.now += flow.rtt / 2;
		for (unsigned j = 0; j < 5; j++)
			ack(&flow, bdp(&flow) / 10);
	}
	ASSERT_NEAR(output(&flow, OUT_EXTRA_ACKED), (double)bdp(&flow) / 2, 0.1);
	assert_true(flow.decision.cwnd_bytes > smooth + bdp(&flow) / 3);
	flow.rate = flow.rate * 80 / 100; /* as paced: ACKs fall behind the bandwidth, and the excess is over */
	for (unsigned i = 0; i < 15; i++)
		round_trip(&flow);
	assert_true(output(&flow, OUT_EXTRA_ACKED) < (double)bdp(&flow) / 5);
	/* what was to be expected is no excess: twice as fast, from the second ACK on */
	begin(&flow);
	until_cruise(&flow);
	flow.now += flow.rtt;
	for (unsigned i = 0; i < 6; i++) {
		ack(&flow, bdp(&flow) / 10);
		flow.now += flow.rtt / 20;
	}
	ASSERT_NEAR(output(&flow, OUT_EXTRA_ACKED), 0.35 * (double)bdp(&flow), 0.03);
	/* nor is what came before a pause */
	for (unsigned i = 0; i < 5; i++) {
		flow.now += S;
		ops()->on_sent(flow.state, flow.now, MSS, MSS, &flow.decision);
		flow.now += flow.rtt;
		for (unsigned j = 0; j < 30; j++) {
			ack(&flow, bdp(&flow) / 10);
			flow.now += flow.rtt / 20;
		}
		assert_true(output(&flow, OUT_EXTRA_ACKED) < 1.7 * (double)bdp(&flow));
	}
	/* never more than a window */
	ack(&flow, 100 * bdp(&flow));
	assert_true(output(&flow, OUT_EXTRA_ACKED) <= (double)flow.decision.cwnd_bytes);
}

/* A.14, sections 5.6.3 and 5.6.4.3: a path that holds less than a segment; and one that holds very much. */
static void test_extremes(void **state)
{
	struct flow flow;

	(void)state;
	begin_with(&flow, 8000, 100 * MS, 0, 7);
	for (unsigned i = 0; i < 300; i++) {
		flow.now += 125 * MS;
		flow.rtt = 125 * MS;
		ack(&flow, MSS);
		assert_true(flow.decision.cwnd_bytes >= 4 * MSS);
		assert_true(flow.decision.pacing_bytes_per_s >= MSS * (uint64_t)S / (uint64_t)flow.rtt);
	}
	assert_int_not_equal(state_of(&flow), STARTUP);
	assert_true(flow.decision.cwnd_bytes <= 9 * MSS);
	assert_true(flow.decision.pacing_bytes_per_s < 2 * 8000);
	assert_int_equal(flow.decision.burst_bytes_max, 2 * MSS);
	begin_with(&flow, UINT64_C(12500000000), 100 * MS, 0, 7);
	until_cruise(&flow);
	assert_int_equal(flow.decision.burst_bytes_max, 65536);
	ASSERT_NEAR(flow.decision.pacing_bytes_per_s, 0.99 * 12.5e9, 0.01);
	ASSERT_NEAR((double)flow.decision.cwnd_bytes - output(&flow, OUT_EXTRA_ACKED), 2.5e9, 0.02);
}

static void test_mtu(void **state)
{
	struct tapstack_cc_sample sample;
	struct flow flow;

	(void)state;
	begin(&flow);
	flow.decision.cwnd_bytes = 4 * MSS;
	sample = sample_of(&flow);
	sample.mss_bytes = 8 * MSS;
	ops()->on_event(flow.state, TAPSTACK_CC_MTU_CHANGED, &sample, &flow.decision);
	assert_int_equal(flow.decision.cwnd_bytes, 32 * MSS);
	assert_true(flow.decision.burst_bytes_max >= 16 * MSS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_plateau),
		cmocka_unit_test(test_drain_by_time),
		cmocka_unit_test(test_startup_app_limited),
		cmocka_unit_test(test_startup_high_loss),
		cmocka_unit_test(test_cycle),
		cmocka_unit_test(test_probe_wait),
		cmocka_unit_test(test_reno_coexistence),
		cmocka_unit_test(test_down_by_time),
		cmocka_unit_test(test_max_bw_filter),
		cmocka_unit_test(test_app_limited),
		cmocka_unit_test(test_app_limited_cycles),
		cmocka_unit_test(test_probe_rtt),
		cmocka_unit_test(test_probe_rtt_samples),
		cmocka_unit_test(test_probe_rtt_in_startup),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_extra_acked),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_mtu),
	};

	return cmocka_run_group_tests_name("bbr", tests, NULL, NULL);
}
