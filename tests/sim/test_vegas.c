/* Vegas over a network: its queue is a few packets, flows of it share, and it gives way to those that fill the queue.
 */
#include "contest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define PACKET_MS(path) (1514.0 * 1000 / (double)(path)->bytes_per_s)

static const struct contest_path paths[] = {
	{ .bytes_per_s = 1250000, .rtt = { 40000000 }, .buffer_bytes = 100000 },
	{ .bytes_per_s = 2500000, .rtt = { 100000000 }, .buffer_bytes = 250000 },
	{ .bytes_per_s = 2500000, .rtt = { 10000000 }, .buffer_bytes = 100000 },
};

/* One flow: between alpha and beta packets wait, nothing is lost, and the line is full. */
static void test_queue(void **state)
{
	static const double bands[][2] = { { 2, 4 }, { 8, 12 } };

	(void)state;
	for (size_t p = 0; p < sizeof(paths) / sizeof(paths[0]); p++) {
		for (size_t b = 0; b < 2; b++) {
			const struct contest_flow flow = { .plugin = contest_plugin("vegas"),
				                           .param = { { "alpha", bands[b][0] },
				                                      { "beta", bands[b][1] } } };
			struct contest *contest = contest_begin(&paths[p], &flow, 1, DURATION_MS(10), 1);
			struct contest_bottleneck line;
			double queued;

			contest_run(contest, DURATION_S(6));
			line = contest_bottleneck(contest, DURATION_S(4), DURATION_S(6));
			queued = line.delay_mean_ms / PACKET_MS(&paths[p]);
			print_message("%3d ms, alpha %.0f, beta %.0f: %.1f packets in the queue, line %.1f %% used\n",
			              (int)(paths[p].rtt.ns / 1000000), bands[b][0], bands[b][1], queued,
			              100 * line.utilisation);
			/* one more or less: segments that leave in pairs, for an ACK that was delayed */
			assert_true(queued > bands[b][0] - 1.2 && queued < bands[b][1] + 1.2);
			assert_true(line.utilisation > 0.97);
			assert_int_equal(contest_bottleneck(contest, DURATION_S(0), DURATION_S(6)).dropped, 0);
			if (p == 0 && b == 0)
				assert_int_equal(contest_golden(contest, 0, "vegas", DURATION_MS(100), 0.05), 0);
			contest_end(contest);
		}
	}
}

/* Two flows: the queue is that of two, and they share, also when one comes later. */
static void test_two(void **state)
{
	(void)state;
	for (int later = 0; later < 2; later++) {
		const struct contest_flow flows[] = {
			{ .plugin = contest_plugin("vegas") },
			{ .plugin = contest_plugin("vegas"), .start = DURATION_S(2 * later) },
		};
		struct contest *contest = contest_begin(&paths[0], flows, 2, DURATION_MS(10), 1);
		struct contest_bottleneck line;
		double queued;

		contest_run(contest, DURATION_S(12));
		contest_print(contest, "two of vegas", DURATION_S(6), DURATION_S(12));
		line = contest_bottleneck(contest, DURATION_S(6), DURATION_S(12));
		queued = line.delay_mean_ms / PACKET_MS(&paths[0]);
		/* who comes later takes the queue of the first for a part of the path */
		assert_true(queued > 3 && queued < (later ? 14 : 10));
		assert_int_equal(line.dropped, 0);
		assert_true(contest_jain(contest, DURATION_S(6), DURATION_S(12)) > 0.9);
		contest_end(contest);
	}
}

/* Against Reno. Printed: how much it gives way depends on the buffer. */
static void test_against_reno(void **state)
{
	const struct contest_flow flows[] = { { .plugin = contest_plugin("vegas") }, { .plugin = NULL } };
	struct contest *contest = contest_begin(&paths[0], flows, 2, DURATION_MS(10), 1);

	(void)state;
	contest_run(contest, DURATION_S(10));
	contest_print(contest, "vegas against reno", DURATION_S(2), DURATION_S(10));
	assert_true(contest_goodput(contest, 0, DURATION_S(2), DURATION_S(10)) > 10000); /* but is not starved */
	contest_end(contest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_two),
		cmocka_unit_test(test_against_reno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
