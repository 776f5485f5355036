/* LEDBAT++ on virtual time: gain, growth and decrease by delay, slowdowns, the base history. */
#include "flow.h"

#include <math.h>
#include <stdlib.h>

#define BASE (100 * MS) /* the gain is 1/2 */
#define TARGET (60 * MS)

enum { INITIAL_START, AVOIDANCE, SLOWDOWN, RAMP_UP, REPAIR };

static unsigned phase(const struct flow *flow)
{
	return (unsigned)flow_output(flow, "phase");
}

static void seen(struct flow *flow, int64_t rtt)
{
	flow->rtt = rtt;
	for (unsigned i = 0; i < 4; i++)
		flow_ack(flow, 0);
}

/* In congestion avoidance at `segments`, the path's round trip being known, no slowdown due for long. */
static void settled(struct flow *flow, int64_t base, uint64_t segments)
{
	flow_defaults(flow);
	flow_begin(flow, base);
	seen(flow, base);
	flow->decision.cwnd_bytes = flow->decision.ssthresh_bytes = 4 * MSS;
	flow_ack(flow, MSS); /* slow start is over: the initial slowdown comes */
	while (phase(flow) != AVOIDANCE || flow->now == 1000 * S)
		flow_round(flow);
	if (phase(flow) == AVOIDANCE && flow->decision.cwnd_bytes != 2 * MSS)
		while (phase(flow) != SLOWDOWN)
			flow_round(flow);
	while (phase(flow) != AVOIDANCE)
		flow_round(flow);
	flow->decision.cwnd_bytes = segments * MSS;
}

static void test_size(void **state)
{
	(void)state;
	assert_true(flow_ops()->state_size <= 256);
}

/* GAIN = 1 / min(16, ceil(2 * TARGET / base)). */
static void test_gain(void **state)
{
	static const struct {
		int64_t base;
		double divisor;
	} table[] = { { 1 * MS, 16 }, { 7 * MS, 16 },  { 8 * MS, 15 },  { 20 * MS, 6 },
		      { 50 * MS, 3 }, { 100 * MS, 2 }, { 120 * MS, 1 }, { 400 * MS, 1 } };
	struct flow flow;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		flow_defaults(&flow);
		flow_begin(&flow, table[i].base);
		seen(&flow, table[i].base);
		assert_true(fabs(flow_output(&flow, "gain") * table[i].divisor - 1) < 1e-9);
	}
}

/* Slow start is scaled by the gain, and ends at three quarters of the target. */
static void test_slow_start(void **state)
{
	struct flow flow;

	(void)state;
	flow_defaults(&flow);
	flow_begin(&flow, BASE);
	seen(&flow, BASE);
	flow_round(&flow);
	assert_true(fabs((double)flow.decision.cwnd_bytes - 15 * MSS) <= 2 * MSS);
	seen(&flow, BASE + 45 * MS);
	assert_int_equal(phase(&flow), INITIAL_START);
	flow_ack(&flow, MSS);
	assert_int_equal(phase(&flow), INITIAL_START);
	seen(&flow, BASE + 46 * MS);
	flow_ack(&flow, MSS);
	assert_int_equal(phase(&flow), AVOIDANCE);
	assert_int_equal(flow.decision.ssthresh_bytes, flow.decision.cwnd_bytes);
}

/* One ACK that was held back says nothing: the least of four counts. */
static void test_current_filter(void **state)
{
	struct flow flow;

	(void)state;
	flow_defaults(&flow);
	flow_begin(&flow, BASE);
	seen(&flow, BASE);
	flow.rtt = BASE + 40 * MS;
	for (unsigned i = 0; i < 3; i++) {
		flow_ack(&flow, 0);
		assert_true(flow_output(&flow, "queue_delay") == 0);
	}
	flow_ack(&flow, 0);
	assert_true(flow_output(&flow, "queue_delay") == 40 * MS);
}

/* Below the target a share of a segment each round trip, whatever the delay is. */
static void test_increase(void **state)
{
	static const int64_t delays[] = { 0, 20 * MS, 59 * MS };
	struct flow flow;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		uint64_t before;

		settled(&flow, BASE, 50);
		seen(&flow, BASE + delays[i]);
		before = flow.decision.cwnd_bytes;
		for (unsigned round = 0; round < 4; round++)
			flow_round(&flow);
		assert_true(fabs((double)(flow.decision.cwnd_bytes - before) - 2 * MSS) < 100);
		flow.limited = false;
		before = flow.decision.cwnd_bytes;
		flow_round(&flow);
		assert_int_equal(flow.decision.cwnd_bytes, before);
	}
}

/* Above it W * (delay / target - 1) less each round trip, by half at most. */
static void test_decrease(void **state)
{
	static const struct {
		int64_t delay;
		double left;
	} table[] = { { 66 * MS, 0.9 }, { 72 * MS, 0.8 }, { 90 * MS, 0.5 }, { 300 * MS, 0.5 } };
	struct flow flow;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		double step;

		settled(&flow, BASE, 1000);
		seen(&flow, BASE + table[i].delay);
		flow_ack(&flow, 10 * MSS); /* a hundredth of a round trip */
		step = (table[i].left - 1) * 1000 + 0.5;
		step = step < -500 ? -500 : step;
		if (fabs((double)flow.decision.cwnd_bytes / MSS - 1000 - step / 100) > 0.01)
			fail_msg("%g ms: %.3f segments", (double)table[i].delay / 1e6,
			         (double)flow.decision.cwnd_bytes / MSS);
	}
	/* never below two segments */
	for (unsigned i = 0; i < 300; i++)
		flow_round(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 2 * MSS);
}

/* Section 4.4: two round trips after slow start; two segments for two round trips; back to where it was; and again
 * after nine times what it took. */
static void test_slowdowns(void **state)
{
	int64_t begun, took, ended;
	uint64_t before;
	struct flow flow;

	(void)state;
	flow_defaults(&flow);
	flow_begin(&flow, BASE);
	seen(&flow, BASE);
	flow.decision.ssthresh_bytes = flow.decision.cwnd_bytes = 30 * MSS;
	flow_ack(&flow, MSS);
	ended = flow.now;
	assert_int_equal(phase(&flow), AVOIDANCE);
	before = flow.decision.cwnd_bytes;
	while (phase(&flow) != SLOWDOWN) {
		before = flow.decision.cwnd_bytes;
		flow.now += MS;
		flow_ack(&flow, 1);
	}
	assert_int_equal(flow.now - ended, 2 * BASE);
	assert_int_equal(flow.decision.cwnd_bytes, 2 * MSS);
	assert_int_equal(flow.decision.ssthresh_bytes, before);
	begun = flow.now;
	while (phase(&flow) == SLOWDOWN) {
		assert_int_equal(flow.decision.cwnd_bytes, 2 * MSS);
		flow.now += MS;
		flow_ack(&flow, MSS);
	}
	assert_int_equal(flow.now - begun, 2 * BASE);
	while (phase(&flow) == RAMP_UP)
		flow_round(&flow);
	assert_true(flow.decision.cwnd_bytes >= before);
	assert_true(flow.decision.cwnd_bytes < before + 2 * MSS);
	took = flow.now - begun;
	ended = flow.now;
	while (phase(&flow) == AVOIDANCE) {
		flow.now += MS;
		flow_ack(&flow, 1);
	}
	assert_int_equal(phase(&flow), SLOWDOWN);
	if (llabs((flow.now - ended) - 9 * took) > 9 * BASE + MS)
		fail_msg("a slowdown of %lld ms, the next after %lld ms", (long long)(took / MS),
		         (long long)((flow.now - ended) / MS));
}

/* A path that has become longer is believed after the history's ten minutes, one that became shorter at once. */
static void test_base_history(void **state)
{
	struct flow flow;
	int64_t begun;

	(void)state;
	flow_defaults(&flow);
	flow_begin(&flow, BASE);
	seen(&flow, BASE);
	begun = flow.now;
	flow.rtt = 2 * BASE;
	while (flow_output(&flow, "base_delay") == BASE && flow.now - begun < 3600 * S) {
		flow.now += S;
		flow_ack(&flow, 0);
	}
	assert_true(flow.now - begun > 9 * 60 * S && flow.now - begun <= 10 * 60 * S + S);
	assert_true(flow_output(&flow, "base_delay") == 2 * BASE);
	seen(&flow, BASE / 2);
	assert_true(flow_output(&flow, "base_delay") == BASE / 2);
	/* after hours of silence nothing of it is left */
	flow.now += 5 * 3600 * S;
	seen(&flow, 3 * BASE);
	assert_true(flow_output(&flow, "base_delay") == 3 * BASE);
}

static void test_loss(void **state)
{
	struct flow flow;

	(void)state;
	settled(&flow, BASE, 50);
	flow_event(&flow, TAPSTACK_CC_LOSS);
	assert_int_equal(flow.decision.cwnd_bytes, 25 * MSS);
	flow_event(&flow, TAPSTACK_CC_UNDO);
	assert_int_equal(flow.decision.cwnd_bytes, 50 * MSS);
	flow_event(&flow, TAPSTACK_CC_ECN);
	assert_int_equal(flow.decision.cwnd_bytes, 25 * MSS);
	flow_event(&flow, TAPSTACK_CC_RTO);
	assert_int_equal(flow.decision.cwnd_bytes, MSS);
	assert_int_equal(flow.decision.ssthresh_bytes, 25 * MSS / 2);
	assert_int_equal(phase(&flow), REPAIR);
	flow_event(&flow, TAPSTACK_CC_RTO);
	assert_int_equal(flow.decision.ssthresh_bytes, 25 * MSS / 2);
	flow_ack(&flow, 30 * MSS); /* one segment's worth, times the gain */
	assert_int_equal(flow.decision.cwnd_bytes, MSS + MSS / 2);
	while (phase(&flow) == REPAIR)
		flow_round(&flow);
	assert_int_equal(phase(&flow), AVOIDANCE);
}

/* A loss during a slowdown: it stays at two segments, and comes back to half. */
static void test_loss_in_slowdown(void **state)
{
	struct flow flow;

	(void)state;
	flow_defaults(&flow);
	flow_begin(&flow, BASE);
	seen(&flow, BASE);
	flow.decision.ssthresh_bytes = flow.decision.cwnd_bytes = 40 * MSS;
	flow_ack(&flow, MSS);
	flow.now += S;
	flow_ack(&flow, MSS);
	assert_int_equal(phase(&flow), SLOWDOWN);
	flow_event(&flow, TAPSTACK_CC_LOSS);
	assert_int_equal(flow.decision.cwnd_bytes, 2 * MSS);
	assert_true(flow.decision.ssthresh_bytes <= 20 * MSS + 500);
	assert_true(flow.decision.ssthresh_bytes >= 20 * MSS);
	while (phase(&flow) != AVOIDANCE)
		flow_round(&flow);
	assert_true(flow.decision.cwnd_bytes <= 22 * MSS);
}

static void test_idle(void **state)
{
	struct flow flow;

	(void)state;
	settled(&flow, BASE, 50);
	flow.now += 60 * S;
	flow_event(&flow, TAPSTACK_CC_IDLE_RESTART);
	assert_int_equal(flow.decision.cwnd_bytes, 2 * MSS);
	assert_int_equal(flow.decision.ssthresh_bytes, 50 * MSS);
	assert_int_equal(phase(&flow), RAMP_UP);
	while (phase(&flow) == RAMP_UP)
		flow_round(&flow);
	assert_true(flow.decision.cwnd_bytes >= 50 * MSS);
	flow_event(&flow, 4711);
}

static void test_export(void **state)
{
	struct flow flow, other;
	char text[512];
	int length;

	(void)state;
	settled(&flow, BASE, 50);
	length = flow_ops()->export_state(flow.state, NULL, 0);
	assert_true(length > 0 && length < (int)sizeof(text));
	assert_int_equal(flow_ops()->export_state(flow.state, text, sizeof(text)), length);
	assert_int_equal(strlen(text), length);
	flow_defaults(&other);
	flow_begin(&other, 3 * BASE);
	assert_int_equal(flow_ops()->import_state(other.state, text, &other.decision), 0);
	assert_true(flow_output(&other, "base_delay") == BASE);
	assert_true(flow_ops()->import_state(other.state, "base_us 5 0", &other.decision) < 0);
	assert_true(flow_ops()->import_state(other.state, "delay 5", &other.decision) < 0);
	assert_true(flow_output(&other, "base_delay") == BASE);
}

/* Another algorithm knew the line. */
static void test_switched(void **state)
{
	const struct tapstack_cc_env env = { .struct_size = sizeof(env),
		                             .mss_bytes = MSS,
		                             .now_ns = 1000 * S,
		                             .initial_cwnd_bytes = 10 * MSS,
		                             .srtt_ns = BASE,
		                             .min_rtt_ns = BASE,
		                             .flags = TAPSTACK_CC_SWITCHED };
	struct flow flow;

	(void)state;
	flow_defaults(&flow);
	flow_begin(&flow, BASE);
	flow.decision = (struct tapstack_cc_decision){ .cwnd_bytes = 70 * MSS,
		                                       .ssthresh_bytes = 35 * MSS,
		                                       .pacing_bytes_per_s = 1000000,
		                                       .burst_bytes_max = 5000 };
	assert_int_equal(flow_ops()->init(flow.state, &env, &flow.params, &flow.decision), 0);
	assert_int_equal(flow.decision.cwnd_bytes, 70 * MSS);
	assert_int_equal(flow.decision.pacing_bytes_per_s, 0);
	assert_int_equal(phase(&flow), AVOIDANCE);
	assert_true(flow_output(&flow, "base_delay") == BASE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),       cmocka_unit_test(test_gain),
		cmocka_unit_test(test_slow_start), cmocka_unit_test(test_current_filter),
		cmocka_unit_test(test_increase),   cmocka_unit_test(test_decrease),
		cmocka_unit_test(test_slowdowns),  cmocka_unit_test(test_base_history),
		cmocka_unit_test(test_loss),       cmocka_unit_test(test_loss_in_slowdown),
		cmocka_unit_test(test_idle),       cmocka_unit_test(test_export),
		cmocka_unit_test(test_switched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
