/* LEDBAT++: what it does with a line of its own, how it gives way, and how two of it share. */
#include "contest.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MBIT 125000u

enum { OUTPUT_BASE, OUTPUT_QUEUE, OUTPUT_GAIN, OUTPUT_PHASE };
enum { PHASE_SLOWDOWN = 2 };

/* The queue holds 160 ms, far more than the target of 60 ms. */
static const struct contest_path path = { .bytes_per_s = 10 * MBIT, .rtt = { 20000000 }, .buffer_bytes = 200000 };

static struct contest *run(const struct contest_path *over, const struct contest_flow *flows, uint32_t count,
                           struct duration until)
{
	struct contest *contest = contest_begin(over, flows, count, DURATION_MS(10), 1);

	contest_run(contest, until);
	return contest;
}

static uint32_t slowdowns(const struct contest *contest, uint32_t flow)
{
	const struct contest_point *points;
	size_t count = contest_points(contest, flow, &points);
	uint32_t begun = 0;

	for (size_t i = 1; i < count; i++)
		begun += points[i].outputs[OUTPUT_PHASE] == PHASE_SLOWDOWN &&
		         points[i - 1].outputs[OUTPUT_PHASE] != PHASE_SLOWDOWN;
	return begun;
}

/* The queue stays at the target, the line is full but for the slowdowns, and these find the path's own delay. */
static void test_alone(void **state)
{
	static const int64_t rtts_ms[] = { 5, 20, 60 };
	const struct contest_flow flow = { .plugin = contest_plugin("ledbat") };
	const struct duration begin = DURATION_S(4), end = DURATION_S(20);

	(void)state;
	for (size_t i = SIM_SANITIZED ? 2 : 0; i < 3; i++) {
		struct contest_path over = path;
		struct contest_bottleneck line;
		struct contest *contest;
		double base;

		over.rtt = DURATION_MS(rtts_ms[i]);
		contest = run(&over, &flow, 1, end);
		line = contest_bottleneck(contest, begin, end);
		base = contest_at(contest, 0, end)->outputs[OUTPUT_BASE] * 1e-6;
		if (line.utilisation < 0.9 || line.delay_mean_ms < 40 || line.delay_p99_ms > 66 || line.dropped > 0)
			fail_msg("%d ms: %.1f %% used, queue %.1f ms (p99 %.1f)", (int)rtts_ms[i],
			         100 * line.utilisation, line.delay_mean_ms, line.delay_p99_ms);
		assert_true(base >= (double)rtts_ms[i] && base < (double)rtts_ms[i] + 4);
		/* a tenth of the time at most, but not none of it */
		assert_true(slowdowns(contest, 0) >= 2 && slowdowns(contest, 0) < 15);
		contest_end(contest);
	}
}

/* Beside Reno and CUBIC it has next to nothing; when they have ended, the line is its own again within seconds. */
static void test_gives_way(void **state)
{
	const char *names[] = { NULL, "cubic" };

	(void)state;
	for (size_t i = SIM_SANITIZED ? 1 : 0; i < 2; i++) {
		const struct contest_flow flows[2] = { { .plugin = contest_plugin("ledbat") },
			                               { .plugin = names[i] ? contest_plugin(names[i]) : NULL,
			                                 .start = DURATION_S(4),
			                                 .stop = DURATION_S(20) } };
		struct contest *contest = run(&path, flows, 2, DURATION_S(28));
		double share = contest_goodput(contest, 0, DURATION_S(6), DURATION_S(20)) / (10 * MBIT);
		double after = contest_goodput(contest, 0, DURATION_S(24), DURATION_S(28)) / (10 * MBIT);

		if (share > 0.1 || after < 0.7)
			fail_msg("beside %s it has %.3f of the line, and %.3f four seconds later",
			         names[i] ? names[i] : "reno", share, after);
		assert_true(contest_bottleneck(contest, DURATION_S(6), DURATION_S(20)).utilisation > 0.98);
		contest_end(contest);
	}
}

/* Who comes later finds the other's queue, takes it for the path, and would take all (RFC 6817 section 4.2): were it
 * not for the slowdowns, in which both see the path. From then on they approach each other. */
static void test_late_comer(void **state)
{
	(void)state;
	for (int64_t start = 5; start <= (SIM_SANITIZED ? 5 : 10); start += 5) {
		const struct duration begin = DURATION_S(40), end = DURATION_S(60);
		const struct contest_flow flows[2] = {
			{ .plugin = contest_plugin("ledbat") },
			{ .plugin = contest_plugin("ledbat"), .start = DURATION_S(start) },
		};
		struct contest *contest = run(&path, flows, 2, end);
		double early = contest_jain(contest, DURATION_S(start + 5), DURATION_S(start + 15));
		double late = contest_jain(contest, begin, end);

		if (late < 0.9 || late < early - 0.05)
			fail_msg("begun after %d s: Jain's index is %.3f at first, %.3f later", (int)start, early,
			         late);
		assert_true(contest_bottleneck(contest, begin, end).utilisation > 0.95);
		assert_true(contest_bottleneck(contest, begin, end).delay_p99_ms < 75);
		for (uint32_t i = 0; i < 2; i++)
			assert_true(contest_at(contest, i, end)->outputs[OUTPUT_BASE] < 32e6);
		contest_end(contest);
	}
}

/* Delays that vary by themselves are no queue. */
static void test_noise(void **state)
{
	const struct duration begin = DURATION_S(5), end = DURATION_S(20);
	const struct contest_flow flow = { .plugin = contest_plugin("ledbat") };
	struct contest_path over = path;
	struct contest_bottleneck line;
	struct contest *contest;

	(void)state;
	over.jitter = over.jitter_of_acks = DURATION_MS(10);
	contest = run(&over, &flow, 1, end);
	line = contest_bottleneck(contest, begin, end);
	if (line.utilisation < 0.85 || line.delay_mean_ms < 30 || line.delay_p99_ms > 70)
		fail_msg("%.1f %% used, queue %.1f ms (p99 %.1f)", 100 * line.utilisation, line.delay_mean_ms,
		         line.delay_p99_ms);
	contest_end(contest);
}

static void test_curve(void **state)
{
	const struct contest_flow flow = { .plugin = contest_plugin("ledbat") };
	/* Up to shortly before the second slowdown: nine times what the first one took is nine times as sensitive. */
	struct contest *contest = run(&path, &flow, 1, DURATION_S(9));

	(void)state;
	assert_int_equal(contest_golden(contest, 0, "ledbat", DURATION_MS(100), 0.05), 0);
	contest_end(contest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone), cmocka_unit_test(test_gives_way), cmocka_unit_test(test_late_comer),
		cmocka_unit_test(test_noise), cmocka_unit_test(test_curve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
