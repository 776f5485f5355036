/* The harness of congestion algorithms: what it measures is what was there. With the built-in Reno, which is as well
 * understood as any. */
#include "contest.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MBIT 125000u

static const struct contest_path path = { .bytes_per_s = 10 * MBIT, .rtt = { 40000000 }, .buffer_bytes = 50000 };

struct seen {
	uint64_t calls[CONTEST_LOST + 1], acked, losses;
	struct tapstack_cc_decision last;
	bool changed; /* somebody else did so between two calls */
	struct duration at;
};

static void see(void *context, const struct contest_call *call)
{
	struct seen *seen = context;

	seen->calls[call->kind]++;
	assert_true(call->at.ns >= seen->at.ns);
	seen->at = call->at;
	if (call->kind == CONTEST_ACK)
		seen->acked += call->sample->acked_bytes;
	if (call->kind == CONTEST_EVENT && call->event == TAPSTACK_CC_LOSS)
		seen->losses++;
	if (call->kind != CONTEST_INIT && call->before.cwnd_bytes != seen->last.cwnd_bytes)
		seen->changed = true;
	seen->last = call->after;
}

static void test_one_flow(void **state)
{
	const struct duration end = DURATION_S(SIM_SANITIZED ? 4 : 8), begin = DURATION_S(1);
	struct seen seen = { 0 };
	struct contest_flow flow = { .tap = see, .tap_context = &seen };
	struct contest *contest = contest_begin(&path, &flow, 1, DURATION_MS(10), 1);
	const struct contest_point *points, *last;
	struct contest_bottleneck line;

	(void)state;
	contest_run(contest, end);
	line = contest_bottleneck(contest, begin, end);
	last = contest_at(contest, 0, end);
	/* A queue as long as what the path holds is never empty (but a little shorter than that it is). */
	assert_true(line.utilisation > 0.95 && line.utilisation < 1.001);
	assert_true(fabs(contest_goodput(contest, 0, begin, end) / (10 * MBIT) - line.utilisation * 1448 / 1514) <
	            0.02);
	assert_true(line.dropped > 0 && line.marked == 0 && seen.losses > 0);
	assert_true(line.delay_max_ms <= 41 && line.delay_max_ms > 38); /* 50 kB take 40 ms */
	assert_true(line.delay_mean_ms > 5 && line.delay_mean_ms < 35);
	assert_true(line.delay_p95_ms > line.delay_mean_ms && line.delay_p99_ms >= line.delay_p95_ms);
	assert_true(last->open && last->srtt.ns >= 40000000 && last->srtt.ns <= 85000000);
	assert_true(last->retransmitted >= line.dropped * 1448 && last->received <= seen.acked + 64 * 1448);
	assert_int_equal(contest_points(contest, 0, &points), end.ns / 10000000 + 1);
	assert_int_equal(points[100].at.ns, 1000000000);
	assert_true(seen.calls[CONTEST_INIT] == 1 && seen.calls[CONTEST_SENT] > 1000 &&
	            seen.calls[CONTEST_ACK] > 500);
	contest_end(contest);
}

/* A tap and a seed change nothing that they should not. */
static void test_replay(void **state)
{
	const struct tapstack_plugin *cubic = contest_plugin("cubic");
	struct contest_path harm = path;
	uint64_t received[3];

	(void)state;
	assert_non_null(cubic);
	harm.loss_per_million = 5000;
	for (int i = 0; i < 3; i++) {
		struct seen seen = { 0 };
		struct contest_flow flow = { .plugin = cubic, .tap = i == 0 ? NULL : see, .tap_context = &seen };
		struct contest *contest = contest_begin(&harm, &flow, 1, DURATION_MS(100), i == 2 ? 2 : 1);

		contest_run(contest, DURATION_S(2));
		received[i] = contest_at(contest, 0, DURATION_S(2))->received;
		contest_end(contest);
	}
	assert_int_equal(received[0], received[1]);
	assert_int_not_equal(received[0], received[2]);
}

/* Flows begin and end, have paths of their own, parameters, little to send; the line changes. */
static void test_flows(void **state)
{
	const struct contest_flow flows[] = {
		{ .stop = DURATION_S(3) },
		{ .plugin = contest_plugin("cubic"),
		  .param = { { "beta", 0.5 } },
		  .start = DURATION_S(1),
		  .extra_rtt = DURATION_MS(30) },
		{ .send_bytes = 100000, .gso_bytes = 65536 },
		{ .write_bytes = 1000, .write_pause = DURATION_MS(10) },
	};
	struct contest *contest = contest_begin(&path, flows, 4, DURATION_MS(10), 1);
	struct contest_bottleneck line;

	(void)state;
	contest_run(contest, DURATION_MS(990));
	assert_int_equal(contest_at(contest, 1, DURATION_MS(990))->received, 0);
	contest_run(contest, DURATION_S(4));
	assert_false(contest_at(contest, 0, DURATION_S(4))->open);
	assert_true(contest_goodput(contest, 0, DURATION_MS(3500), DURATION_S(4)) == 0);
	assert_true(contest_at(contest, 1, DURATION_S(2))->min_rtt.ns >= 70000000);
	assert_int_equal(contest_at(contest, 2, DURATION_S(4))->received, 100000);
	assert_false(contest_at(contest, 2, DURATION_S(4))->open);
	assert_true(fabs(contest_goodput(contest, 3, DURATION_S(1), DURATION_S(4)) - 100000) < 10000);
	assert_true(contest_goodput(contest, 1, DURATION_MS(3500), DURATION_S(4)) > 4 * MBIT);
	contest_line(contest)->options.bytes_per_s = MBIT;
	contest_run(contest, DURATION_S(6));
	line = contest_bottleneck(contest, DURATION_S(5), DURATION_S(6));
	assert_true(line.bytes > MBIT * 0.9 && line.bytes <= MBIT * 1.02);
	contest_end(contest);
}

/* Marks instead of drops, where both ends agree. */
static void test_marks(void **state)
{
	const struct contest_flow flow = { .ecn = STACK_ECN_REQUEST };
	struct contest_path codel = path;
	struct contest_bottleneck line;
	struct contest *contest;

	(void)state;
	codel.discipline = IMPAIR_CODEL;
	codel.ecn = true;
	codel.buffer_bytes = 0;
	contest = contest_begin(&codel, &flow, 1, DURATION_MS(10), 1);
	contest_run(contest, DURATION_S(4));
	line = contest_bottleneck(contest, DURATION_S(0), DURATION_S(4));
	assert_true(line.marked > 0 && line.dropped == 0);
	contest_end(contest);
}

/* A curve that is another one does not pass for the stored one. */
static void test_curves(void **state)
{
	struct contest *contest;
	struct contest_flow flow = { 0 };

	(void)state;
	contest = contest_begin(&path, &flow, 1, DURATION_MS(10), 1);
	contest_run(contest, DURATION_S(4));
	assert_int_equal(contest_golden(contest, 0, "reno", DURATION_MS(100), 0.05), 0);
	contest_end(contest);
	if (getenv("TAPSTACK_GOLDEN_UPDATE"))
		return;
	flow.plugin = contest_plugin("cubic");
	contest = contest_begin(&path, &flow, 1, DURATION_MS(10), 1);
	contest_run(contest, DURATION_S(4));
	print_message("what follows is meant to differ:\n");
	assert_true(contest_golden(contest, 0, "reno", DURATION_MS(100), 0.05) > 10);
	contest_end(contest);
}

static void test_plugins(void **state)
{
	const struct tapstack_plugin *plugins[16];
	uint32_t count = contest_plugins(plugins, 16), known = 0;

	(void)state;
	assert_null(contest_plugin("nonesuch"));
	for (uint32_t i = 0; i < count; i++)
		known += strcmp(plugins[i]->name, "cubic") == 0;
	assert_int_equal(known, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_flow), cmocka_unit_test(test_replay), cmocka_unit_test(test_flows),
		cmocka_unit_test(test_marks),    cmocka_unit_test(test_curves), cmocka_unit_test(test_plugins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
