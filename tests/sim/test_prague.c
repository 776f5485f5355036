/* Prague: over bottlenecks that mark early (RFC 9331), beside others, over classic bottlenecks of both kinds. */
#include "contest.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MBIT 125000u

enum { OUTPUT_ALPHA, OUTPUT_CLASSIC, OUTPUT_L4S };

static const struct contest_path step = { .bytes_per_s = 50 * MBIT,
	                                  .rtt = { 5000000 },
	                                  .buffer_bytes = 500000,
	                                  .discipline = IMPAIR_STEP,
	                                  .target = { 1000000 } };

static struct contest *run(const struct contest_path *over, const struct contest_flow *flows, uint32_t count,
                           struct duration until)
{
	struct contest *contest = contest_begin(over, flows, count, DURATION_MS(10), 1);

	contest_run(contest, until);
	return contest;
}

static struct contest_flow flow_of(const char *name)
{
	return (struct contest_flow){ .plugin = contest_plugin(name), .ecn = STACK_ECN_REQUEST };
}

/* The line is full and the queue about a millisecond, also for those at its end. */
static void test_low_delay(void **state)
{
	static const struct {
		uint32_t mbit;
		int64_t rtt_ms;
	} table[] = { { 50, 5 }, { 50, 20 } };
	const struct contest_flow flow = flow_of("prague");

	(void)state;
	for (size_t i = 0; i < (SIM_SANITIZED ? 1 : sizeof(table) / sizeof(table[0])); i++) {
		const struct duration begin = DURATION_S(3), end = DURATION_S(5);
		struct contest_path over = step;
		struct contest_bottleneck line;
		struct contest *contest;

		over.bytes_per_s = table[i].mbit * MBIT;
		over.rtt = DURATION_MS(table[i].rtt_ms);
		contest = run(&over, &flow, 1, end);
		line = contest_bottleneck(contest, begin, end);
		if (line.utilisation < 0.9 || line.delay_p99_ms > 2 || line.marked == 0 || line.dropped > 0)
			fail_msg("%u Mbit/s, %d ms: %.1f %% used, p99 %.2f ms, %llu marked, %llu dropped",
			         table[i].mbit, (int)table[i].rtt_ms, 100 * line.utilisation, line.delay_p99_ms,
			         (unsigned long long)line.marked, (unsigned long long)line.dropped);
		assert_true(contest_at(contest, 0, end)->outputs[OUTPUT_L4S] == 1);
		assert_true(contest_at(contest, 0, end)->outputs[OUTPUT_CLASSIC] == 0);
		contest_end(contest);
	}
}

static void test_fair(void **state)
{
	const struct duration begin = DURATION_S(2), end = DURATION_S(4);
	const struct contest_flow flows[2] = { flow_of("prague"), flow_of("prague") };
	struct contest *contest = run(&step, flows, 2, end);

	(void)state;
	assert_true(contest_jain(contest, begin, end) > 0.95);
	assert_true(contest_bottleneck(contest, begin, end).delay_p99_ms < 2);
	contest_end(contest);
}

/* 5 ms beside 20 ms: DCTCP gives the shorter one nearly all. */
static double ratio_of(const char *name)
{
	const struct duration begin = DURATION_S(3), end = DURATION_S(7);
	struct contest_flow flows[2] = { flow_of(name), flow_of(name) };
	struct contest *contest;
	double ratio;

	flows[1].extra_rtt = DURATION_MS(15);
	contest = run(&step, flows, 2, end);
	ratio = contest_goodput(contest, 0, begin, end) / contest_goodput(contest, 1, begin, end);
	contest_end(contest);
	return ratio;
}

static void test_round_trips(void **state)
{
	double prague, dctcp;

	(void)state;
	if (SIM_SANITIZED)
		skip();
	prague = ratio_of("prague");
	dctcp = ratio_of("dctcp");
	if (prague < 1 / 2.5 || prague > 2.5 || dctcp < 8)
		fail_msg("5 ms has %.2f times what 20 ms have; with DCTCP %.2f times", prague, dctcp);
}

/* Where nothing is marked it gives way as Reno: CUBIC gets from it about what it gets from Reno. */
static void test_beside_cubic(void **state)
{
	const struct contest_path over = { .bytes_per_s = 20 * MBIT, .rtt = { 20000000 }, .buffer_bytes = 50000 };
	const struct duration begin = DURATION_S(3), end = DURATION_S(SIM_SANITIZED ? 10 : 20);
	double share[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct contest_flow flows[2] = { { .plugin = i ? contest_plugin("prague") : NULL,
			                           .ecn = STACK_ECN_REQUEST },
			                         { .plugin = contest_plugin("cubic") } };
		struct contest *contest = run(&over, flows, 2, end);

		share[i] = contest_goodput(contest, 0, begin, end) / (20 * MBIT);
		if (i == 1)
			assert_true(contest_at(contest, 0, end)->outputs[OUTPUT_L4S] == 0);
		assert_true(contest_bottleneck(contest, begin, end).utilisation > 0.95);
		contest_end(contest);
	}
	if (share[1] > 1.5 * share[0] || share[1] < share[0] / 1.5)
		fail_msg("Prague has %.2f of the line, Reno %.2f", share[1], share[0]);
}

/* A bottleneck that marks late, as it would drop: it is found out, and Reno beside it is not pushed away. */
static void test_classic_bottleneck(void **state)
{
	const struct contest_path over = {
		.bytes_per_s = 20 * MBIT, .rtt = { 10000000 }, .discipline = IMPAIR_CODEL, .ecn = true
	};
	const struct duration begin = DURATION_S(4), end = DURATION_S(SIM_SANITIZED ? 8 : 12);
	double ratio[2];

	(void)state;
	for (int detect = 0; detect < 2; detect++) {
		struct contest_flow flows[2] = { flow_of("prague"), { .ecn = STACK_ECN_REQUEST } };
		struct contest *contest;

		flows[0].param[0] = (struct contest_param){ "detect_classic", detect };
		contest = run(&over, flows, 2, end);
		ratio[detect] = contest_goodput(contest, 0, begin, end) / contest_goodput(contest, 1, begin, end);
		assert_true((contest_at(contest, 0, end)->outputs[OUTPUT_CLASSIC] == 1) == (detect == 1));
		contest_end(contest);
	}
	if (ratio[1] > 2 || ratio[1] < 0.5 || ratio[0] < 3)
		fail_msg("Prague has %.2f times what Reno has; without the detection %.2f", ratio[1], ratio[0]);
}

static void count(void *context, const struct contest_call *call)
{
	uint32_t *halvings = context;

	if (call->kind != CONTEST_EVENT || call->event != TAPSTACK_CC_ECN)
		return;
	assert_true(call->after.cwnd_bytes <= call->before.cwnd_bytes / 2 || call->before.cwnd_bytes < 6000);
	(*halvings)++;
}

/* Without AccECN: ECT(0), and half for a mark. */
static void test_classic_feedback(void **state)
{
	const struct duration end = DURATION_S(SIM_SANITIZED ? 2 : 4);
	struct contest_flow flow = flow_of("prague");
	struct contest_path over = step;
	uint32_t halvings = 0;
	struct contest *contest;

	(void)state;
	flow.no_accecn = true;
	flow.tap = count;
	flow.tap_context = &halvings;
	over.target = DURATION_MS(5);
	contest = run(&over, &flow, 1, end);
	assert_true(halvings > 2);
	assert_true(contest_bottleneck(contest, DURATION_S(1), end).utilisation > 0.9);
	contest_end(contest);
}

static void test_curve(void **state)
{
	const struct contest_flow flow = flow_of("prague");
	struct contest *contest = run(&step, &flow, 1, DURATION_S(4));

	(void)state;
	assert_int_equal(contest_golden(contest, 0, "prague", DURATION_MS(50), 0.05), 0);
	contest_end(contest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_low_delay),
		cmocka_unit_test(test_fair),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_beside_cubic),
		cmocka_unit_test(test_classic_bottleneck),
		cmocka_unit_test(test_classic_feedback),
		cmocka_unit_test(test_curve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
