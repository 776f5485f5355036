/* BBR against what is published of it (draft-ietf-ccwg-bbr-06, "A.n": its test cases): it does not take random losses
 * for congestion, keeps queues short, follows the path when it changes, shares with its like, and lives beside CUBIC.
 *
 * TAPSTACK_CONTEST_SEED=n runs with another seed. */
#include "contest.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MBIT 125000u
#define PAYLOAD (1448.0 / 1514)      /* of what the line carries */
#define SLOW (SIM_SANITIZED ? 2 : 1) /* runs are so much shorter */
#define S(seconds) DURATION_S(seconds)
#define BDP 100000u /* of the path below */

enum { STARTUP, DRAIN, DOWN, CRUISE, REFILL, UP, PROBE_RTT };
enum { OUT_STATE, OUT_BW, OUT_MAX_BW, OUT_MIN_RTT, OUT_LONGTERM, OUT_SHORTTERM, OUT_EXTRA_ACKED };

static const struct contest_path path = { .bytes_per_s = 20 * MBIT, .rtt = { 40000000 }, .buffer_bytes = BDP };

static uint64_t seed = 1;

static struct contest_flow flow_of(const char *name)
{
	struct contest_flow flow = { .plugin = contest_plugin(name) };

	assert_non_null(flow.plugin);
	return flow;
}

/* One flow until `end`. */
static struct contest *run_one(const char *name, const struct contest_path *on, struct duration end)
{
	struct contest_flow flow = flow_of(name);
	struct contest *contest = contest_begin(on, &flow, 1, DURATION_MS(10), seed);

	contest_run(contest, end);
	return contest;
}

static double share_of_line(const struct contest *contest, uint32_t flow, struct duration from, struct duration to)
{
	return contest_goodput(contest, flow, from, to) / ((double)path.bytes_per_s * PAYLOAD);
}

/* The golden curve, and the way through the states: A.1, A.3, A.10. */
static void test_curve(void **state)
{
	unsigned seen[7] = { 0 }, changes[7] = { 0 };
	const struct contest_flow flow = flow_of("bbr");
	const struct contest_point *points;
	struct contest_path deep = path;
	struct contest *contest;
	size_t count;
	int before = STARTUP;

	(void)state;
	deep.buffer_bytes = 4 * BDP;
	contest = contest_begin(&deep, &flow, 1, DURATION_MS(10), 1); /* the stored curve's seed */
	contest_run(contest, S(12));
	contest_print(contest, "BBR alone", S(2), S(12));
	assert_int_equal(contest_golden(contest, 0, "bbr", DURATION_MS(100), 0.1), 0);
	count = contest_points(contest, 0, &points);
	for (size_t i = 20; i < count; i++) {
		int now = (int)points[i].outputs[OUT_STATE];

		seen[now]++;
		changes[now] += now != before;
		before = now;
	}
	/* 10 ms each. STARTUP doubles each round trip, and sees three without growth, twice as long by then. */
	assert_true(seen[STARTUP] > 20 && seen[STARTUP] < 60 && changes[STARTUP] == 0);
	assert_true(seen[DRAIN] > 2 && seen[DRAIN] < 12 && changes[DRAIN] == 1);
	assert_true(changes[UP] >= 3 && changes[UP] <= 6 && changes[PROBE_RTT] == 2);
	assert_true(seen[PROBE_RTT] >= 2 * 20 && seen[PROBE_RTT] <= 2 * 45); /* 200 ms and the way there */
	assert_true(seen[CRUISE] > 600);
	assert_true(fabs(points[count - 1].outputs[OUT_BW] / (20.0 * MBIT * PAYLOAD) - 1) < 0.02);
	assert_true(fabs(points[count - 1].outputs[OUT_MIN_RTT] / 40.6e6 - 1) < 0.01);
	contest_end(contest);
}

/* Section 1: "an average packet loss rate of up to 1 %" does not matter; CUBIC falls to a fraction. */
static void test_random_loss(void **state)
{
	const struct duration begin = S(2), end = S(30 / SLOW);
	struct contest_path lossy = path;
	struct contest *bbr, *cubic;
	double share, of_cubic;

	(void)state;
	lossy.loss_per_million = 10000;
	bbr = run_one("bbr", &lossy, end);
	cubic = run_one("cubic", &lossy, end);
	contest_print(bbr, "1 % random loss", begin, end);
	contest_print(cubic, "1 % random loss", begin, end);
	share = share_of_line(bbr, 0, begin, end);
	of_cubic = share_of_line(cubic, 0, begin, end);
	assert_true(share > 0.8);
	assert_true(of_cubic < 0.4);
	assert_true(contest_at(bbr, 0, end)->timeouts == 0);
	contest_end(bbr);
	contest_end(cubic);
}

/* A buffer of four round trips is CUBIC's to fill. BBR is paced: there is a queue only while it probes, for some of
 * every two or three seconds. */
static void test_short_queue(void **state)
{
	const struct duration begin = S(2), end = S(20 / SLOW);
	struct contest_path deep = path;
	struct contest_bottleneck line, of_cubic;
	struct contest *bbr, *cubic;

	(void)state;
	deep.buffer_bytes = 4 * BDP;
	bbr = run_one("bbr", &deep, end);
	cubic = run_one("cubic", &deep, end);
	contest_print(bbr, "deep buffer", begin, end);
	contest_print(cubic, "deep buffer", begin, end);
	line = contest_bottleneck(bbr, begin, end);
	of_cubic = contest_bottleneck(cubic, begin, end);
	assert_true(line.utilisation > 0.95 && line.dropped == 0);
	assert_true(line.delay_mean_ms < 6);
	assert_true(line.delay_p95_ms < 40); /* a round trip */
	assert_true(line.delay_max_ms < 60); /* a window of 2.25 of them */
	assert_true(of_cubic.delay_mean_ms > 60 && of_cubic.delay_mean_ms > 10 * line.delay_mean_ms);
	contest_end(bbr);
	contest_end(cubic);
}

/* A buffer of a fifth: the long-term bound keeps losses rare. */
static void test_shallow_buffer(void **state)
{
	const struct duration begin = S(2), end = S(20 / SLOW);
	struct contest_path shallow = path;
	struct contest_bottleneck line;
	struct contest *contest;

	(void)state;
	shallow.buffer_bytes = BDP / 5;
	contest = run_one("bbr", &shallow, end);
	contest_print(contest, "shallow buffer", begin, end);
	line = contest_bottleneck(contest, begin, end);
	assert_true(share_of_line(contest, 0, begin, end) > 0.9);
	assert_true(line.dropped < line.packets / 200);
	contest_end(contest);
}

/* Losses are repaired while it goes on sending: no buffer runs dry of data that may be sent. */
static void test_repair(void **state)
{
	const struct duration end = S(20 / SLOW);
	struct contest *contest = run_one("bbr", &path, end);
	struct stack_conn_info info;
	struct conn_handle handle;
	struct host *host = contest_sender(contest, 0, &handle);

	(void)state;
	contest_print(contest, "a buffer of one round trip", S(2), end);
	assert_true(contest_at(contest, 0, end)->retransmitted > 0);
	assert_int_equal(stack_info(host->stack, handle, &info), 0);
	assert_true(info.sndbuf_limited.ns < 10000000);
	contest_end(contest);
}

/* A.15: five times the bandwidth is found within the time between two probes, and a few round trips; A.16: a fifth of
 * it is known at once by its losses or its queue, and believed after two cycles. */
static void test_changing_rate(void **state)
{
	struct contest_flow flow = flow_of("bbr");
	struct contest *contest = contest_begin(&path, &flow, 1, DURATION_MS(10), seed);
	const struct contest_point *points;
	double low = 4 * MBIT * PAYLOAD;
	struct contest_bottleneck line;

	(void)state;
	contest_line(contest)->options.bytes_per_s = 4 * MBIT;
	contest_run(contest, S(6));
	assert_true(fabs(contest_at(contest, 0, S(6))->outputs[OUT_MAX_BW] / low - 1) < 0.05);
	contest_line(contest)->options.bytes_per_s = 20 * MBIT;
	contest_run(contest, S(12));
	assert_true(fabs(contest_at(contest, 0, S(12))->outputs[OUT_MAX_BW] / (5 * low) - 1) < 0.05);
	assert_true(share_of_line(contest, 0, S(10), S(12)) > 0.9);
	contest_line(contest)->options.bytes_per_s = 4 * MBIT;
	contest_run(contest, S(26));
	contest_print(contest, "20, then 4 Mbit/s", S(20), S(26));
	contest_points(contest, 0, &points);
	assert_true(fabs(points[2600].outputs[OUT_MAX_BW] / low - 1) < 0.05);
	assert_true(contest_goodput(contest, 0, S(14), S(26)) > 0.85 * low);
	line = contest_bottleneck(contest, S(22), S(26));
	assert_true(line.delay_p95_ms < 80); /* on this line a round trip of segments takes longer */
	contest_end(contest);
}

/* A longer path: the queue is emptied to measure it, and min_rtt follows within its ten seconds. */
static void test_changing_delay(void **state)
{
	struct contest_flow flow = flow_of("bbr");
	struct contest *contest = contest_begin(&path, &flow, 1, DURATION_MS(10), seed);

	(void)state;
	contest_run(contest, S(4));
	assert_true(contest_at(contest, 0, S(4))->outputs[OUT_MIN_RTT] < 41.5e6);
	contest_delay(contest, false)->options.delay = DURATION_MS(60); /* 80 both ways */
	contest_run(contest, S(20));
	assert_true(fabs(contest_at(contest, 0, S(20))->outputs[OUT_MIN_RTT] / 80.6e6 - 1) < 0.02);
	assert_true(share_of_line(contest, 0, S(16), S(20)) > 0.85);
	contest_delay(contest, false)->options.delay = DURATION_MS(20);
	contest_run(contest, S(21));
	assert_true(contest_at(contest, 0, S(21))->outputs[OUT_MIN_RTT] < 41.5e6); /* shorter: at once */
	contest_end(contest);
}

/* PROBE_RTT empties the queue that two flows have made: both see the path as it is, though neither was ever alone on
 * it for long. */
static void test_fairness(void **state)
{
	struct contest_flow flows[] = { flow_of("bbr"), flow_of("bbr") };
	const struct duration begin = S(10), end = S(SIM_SANITIZED ? 20 : 40);
	struct contest_path deep = path;
	struct contest_bottleneck line;
	struct contest *contest;

	(void)state;
	flows[1].start = S(SIM_SANITIZED ? 1 : 4); /* it takes some cycles of probing to come together */
	deep.buffer_bytes = 4 * BDP;
	contest = contest_begin(&deep, flows, 2, DURATION_MS(10), seed);
	contest_run(contest, end);
	contest_print(contest, "two of them", begin, end);
	line = contest_bottleneck(contest, begin, end);
	assert_true(contest_jain(contest, begin, end) > 0.9);
	assert_true(line.utilisation > 0.95 && line.dropped == 0);
	assert_true(line.delay_p95_ms < 80); /* twice the product, less the product itself, and the probes of both */
	for (uint32_t i = 0; i < 2; i++) {
		double min_rtt = contest_at(contest, i, end)->outputs[OUT_MIN_RTT];

		assert_true(min_rtt < 48e6);
	}
	contest_end(contest);
}

/* Section 5.3.3.8.1. */
static void test_beside_cubic(void **state)
{
	static const uint32_t buffers[] = { BDP, 2 * BDP, 4 * BDP };
	const struct duration begin = S(5), end = S(30 / SLOW);

	(void)state;
	for (unsigned i = 0; i < (SIM_SANITIZED ? 1 : 3); i++) {
		struct contest_flow flows[] = { flow_of("bbr"), flow_of("cubic") };
		struct contest_path buffer = path;
		struct contest *contest;
		char title[64];

		buffer.buffer_bytes = buffers[i];
		contest = contest_begin(&buffer, flows, 2, DURATION_MS(10), seed);
		contest_run(contest, end);
		snprintf(title, sizeof(title), "BBR beside CUBIC, a buffer of %u round trips", buffers[i] / BDP);
		contest_print(contest, title, begin, end);
		for (uint32_t j = 0; j < 2; j++)
			assert_true(share_of_line(contest, j, begin, end) > 0.12);
		contest_end(contest);
	}
}

/* A.12, A.13: ACKs come in bunches, by jitter on their way. */
static void test_aggregation(void **state)
{
	const struct duration begin = S(8), end = S(SIM_SANITIZED ? 12 : 20); /* also SYN-ACKs are lost */
	struct contest_path bunches = path;
	struct contest *contest;

	(void)state;
	bunches.jitter_of_acks = DURATION_MS(20);
	bunches.ack_loss_per_million = 200000;
	contest = run_one("bbr", &bunches, end);
	contest_print(contest, "bunches of ACKs", begin, end);
	assert_true(share_of_line(contest, 0, begin, end) > 0.9);
	contest_end(contest);
}

/* A.14: less than a segment under way. */
static void test_tiny_path(void **state)
{
	const struct contest_path tiny = { .bytes_per_s = 16000, .rtt = DURATION_MS(20), .buffer_bytes = 60000 };
	struct contest *contest = run_one("bbr", &tiny, S(30));
	struct contest_bottleneck line = contest_bottleneck(contest, S(10), S(30));

	(void)state;
	contest_print(contest, "128 kbit/s", S(10), S(30));
	assert_true(line.utilisation > 0.9 && line.dropped == 0);
	/* A round trip is never seen with less than four segments, each 95 ms: the window is twice that and some. */
	assert_true(line.delay_p95_ms < 1100);
	contest_end(contest);
}

/* A.11: an application that pauses is not sent into PROBE_RTT, and goes on at the bandwidth that was known. */
static void test_pauses(void **state)
{
	struct contest_flow flow = flow_of("bbr");
	const struct contest_point *points;
	struct contest *contest;
	size_t count;

	(void)state;
	flow.write_bytes = 200000;
	flow.write_pause = DURATION_MS(1300);
	contest = contest_begin(&path, &flow, 1, DURATION_MS(10), seed);
	contest_run(contest, S(20 / SLOW));
	count = contest_points(contest, 0, &points);
	for (size_t i = 200; i < count; i++)
		assert_int_not_equal((int)points[i].outputs[OUT_STATE], PROBE_RTT);
	assert_true(points[count - 1].outputs[OUT_MAX_BW] > 2.0 * MBIT);
	assert_true(points[count - 1].outputs[OUT_EXTRA_ACKED] < 50000); /* no more with each pause */
	contest_end(contest);
}

static void without_sack(struct stack_tcp_config *tcp)
{
	tcp->sack = false;
}

static void look_for_sack(void *context, const struct contest_call *call)
{
	if (call->kind == CONTEST_INIT)
		*(uint32_t *)context = call->env->flags;
}

/* It is told that there is none; and works, if less well. */
static void test_without_sack(void **state)
{
	struct contest_flow flow = flow_of("bbr");
	struct contest *contest;
	uint32_t flags = 0;

	(void)state;
	flow.tap = look_for_sack;
	flow.tap_context = &flags;
	contest = contest_begin(&path, &flow, 1, DURATION_MS(10), seed);
	contest_run(contest, S(1));
	assert_int_equal(flags & TAPSTACK_CC_NO_SACK, 0);
	contest_end(contest);
	flow.tune = without_sack;
	contest = contest_begin(&path, &flow, 1, DURATION_MS(10), seed);
	contest_run(contest, S(12));
	contest_print(contest, "without SACK", S(2), S(12));
	assert_int_equal(flags & TAPSTACK_CC_NO_SACK, TAPSTACK_CC_NO_SACK);
	assert_true(share_of_line(contest, 0, S(2), S(12)) > 0.6);
	contest_end(contest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_curve),          cmocka_unit_test(test_random_loss),
		cmocka_unit_test(test_short_queue),    cmocka_unit_test(test_shallow_buffer),
		cmocka_unit_test(test_repair),         cmocka_unit_test(test_changing_rate),
		cmocka_unit_test(test_changing_delay), cmocka_unit_test(test_fairness),
		cmocka_unit_test(test_beside_cubic),   cmocka_unit_test(test_aggregation),
		cmocka_unit_test(test_tiny_path),      cmocka_unit_test(test_pauses),
		cmocka_unit_test(test_without_sack),
	};
	const char *other = getenv("TAPSTACK_CONTEST_SEED");

	seed = other ? strtoull(other, NULL, 0) : 1;
	printf("seed %llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests_name("bbr in the simulator", tests, NULL, NULL);
}
