/* CUBIC and HyStart++ over a network: the curve of RFC 9438, and what RFC 9406 promises. */
#include "contest.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define C 0.4
#define BETA 0.7
#define MSS 1448.0

/* ---- the curve ----------------------------------------------------------------------------------------------------
 */

/* What RFC 9438 says of the window, computed beside the plugin from what it is told. */
struct curve {
	double w_max, k, worst, before, first;
	int64_t epoch;
	bool on;
	uint32_t losses, points, concave, convex;
};

static void follow(void *context, const struct contest_call *call)
{
	struct curve *curve = context;
	double cwnd = (double)call->after.cwnd_bytes / MSS, t, expected;

	if (call->kind == CONTEST_EVENT && call->event == TAPSTACK_CC_LOSS) {
		double saturated = (double)call->before.cwnd_bytes / MSS;

		curve->w_max = saturated < curve->w_max ? saturated * (1 + BETA) / 2 : saturated; /* 4.7 */
		curve->losses++;
		curve->on = false;
		if (fabs(cwnd / (saturated * BETA) - 1) > 0.01)
			fail_msg("%.1f segments after a loss at %.1f", cwnd, saturated);
	}
	if (call->kind != CONTEST_ACK || curve->losses == 0 || call->sample->in_recovery ||
	    call->sample->acked_bytes == 0)
		return;
	if (!curve->on) { /* 4.2: congestion avoidance begins */
		curve->on = true;
		curve->epoch = call->at.ns;
		curve->k = cbrt((curve->w_max - (double)call->before.cwnd_bytes / MSS) / C);
	}
	t = (double)(call->at.ns - curve->epoch) * 1e-9;
	expected = C * pow(t - curve->k, 3) + curve->w_max;
	curve->points++;
	curve->concave += t < curve->k;
	curve->convex += t > curve->k;
	curve->worst = fmax(curve->worst, fabs(cwnd / expected - 1));
}

static void test_curve(void **state)
{
	static const struct contest_path paths[] = {
		{ .bytes_per_s = 2000000, .rtt = { 20000000 }, .buffer_bytes = 70000 },
		{ .bytes_per_s = 2000000, .rtt = { 60000000 }, .buffer_bytes = 90000 },
		{ .bytes_per_s = 2000000, .rtt = { 150000000 }, .buffer_bytes = 100000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct curve curve = { 0 };
		struct contest_flow flow = { .plugin = contest_plugin("cubic"),
			                     .param = { { "friendly", 0 } },
			                     .tap = follow,
			                     .tap_context = &curve };
		struct contest *contest = contest_begin(&paths[i], &flow, 1, DURATION_MS(10), 1);

		contest_run(contest, DURATION_S(SIM_SANITIZED ? 9 : 18));
		print_message("%3d ms: %u losses, %u points, at most %.2f %% off the curve\n",
		              (int)(paths[i].rtt.ns / 1000000), curve.losses, curve.points, 100 * curve.worst);
		assert_true(curve.losses >= 2 && curve.concave > 1000);
		assert_true(SIM_SANITIZED || curve.convex > 100);
		assert_true(curve.worst < 0.03);
		contest_end(contest);
	}
}

static void test_stored_curve(void **state)
{
	const struct contest_path path = { .bytes_per_s = 2500000, .rtt = { 50000000 }, .buffer_bytes = 125000 };
	struct contest_flow flow = { .plugin = contest_plugin("cubic") };
	struct contest *contest = contest_begin(&path, &flow, 1, DURATION_MS(10), 1);

	(void)state;
	contest_run(contest, DURATION_S(12));
	assert_int_equal(contest_golden(contest, 0, "cubic", DURATION_MS(100), 0.05), 0);
	contest_end(contest);
}

/* ---- HyStart++ ----------------------------------------------------------------------------------------------------
 */

struct start {
	uint64_t over; /* the window when ssthresh was first set; 0: not yet */
	uint64_t lost; /* bytes, up to then and in the recovery that followed */
	uint32_t css;  /* times that conservative slow start began */
	bool was_css, by_loss;
};

static void see_start(void *context, const struct contest_call *call)
{
	struct start *start = context;

	if (call->kind == CONTEST_ACK) {
		bool in_css = call->outputs[3] > 0;

		start->css += in_css && !start->was_css;
		start->was_css = in_css;
	}
	if (start->over == 0 && call->after.ssthresh_bytes != UINT64_MAX) {
		start->over = call->before.cwnd_bytes;
		start->by_loss = call->kind == CONTEST_EVENT;
	}
}

/* Neither end's buffers are in the way of a window that doubles. */
static void large_buffers(struct stack_tcp_config *tcp)
{
	tcp->sndbuf_initial_bytes = tcp->sndbuf_max_bytes;
	tcp->rcvbuf_initial_bytes = tcp->rcvbuf_max_bytes;
}

static struct start slow_start(const struct contest_path *path, double hystart, uint32_t seconds, uint64_t seed,
                               const char *golden, double *ret_goodput)
{
	struct start start = { 0 };
	struct contest_flow flow = { .plugin = contest_plugin("cubic"),
		                     .param = { { "hystart", hystart } },
		                     .tune = large_buffers,
		                     .tap = see_start,
		                     .tap_context = &start };
	struct contest *contest = contest_begin(path, &flow, 1, DURATION_MS(10), seed);

	contest_run(contest, DURATION_S(seconds));
	start.lost = contest_retransmitted(contest, 0, DURATION_S(0), DURATION_S(seconds));
	*ret_goodput = contest_goodput(contest, 0, DURATION_S(0), DURATION_S(seconds));
	if (golden)
		assert_int_equal(contest_golden(contest, 0, golden, DURATION_MS(50), 0.05), 0);
	contest_end(contest);
	return start;
}

/* A large buffer: slow start is over before it overflows, and the line is no less used. */
static void test_large_buffer(void **state)
{
	/* Conservative slow start may add the threefold to what the path and a round's growth are. */
	static const struct {
		int64_t rtt;
		uint32_t buffer, seconds;
	} rows[] = { { 20, 16, 2 }, { 50, 16, 4 }, { 100, 12, 5 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint64_t bdp = 2500000 * (uint64_t)rows[i].rtt / 1000;
		const struct contest_path path = { .bytes_per_s = 2500000,
			                           .rtt = DURATION_MS(rows[i].rtt),
			                           .buffer_bytes = (uint32_t)(rows[i].buffer * bdp) };
		double goodput, goodput_without;
		struct start with = slow_start(&path, 1, rows[i].seconds, 1,
		                               rows[i].rtt == 50 ? "cubic-hystart" : NULL, &goodput);
		struct start without = slow_start(&path, 0, rows[i].seconds, 1, NULL, &goodput_without);

		print_message("%3d ms: with HyStart++ slow start ends at %.1f times the path, %.0f kB sent again, "
		              "%.0f kB/s; without: %.1f, %.0f kB, %.0f kB/s\n",
		              (int)rows[i].rtt, (double)with.over / (double)bdp, (double)with.lost / 1000,
		              goodput / 1000, (double)without.over / (double)bdp, (double)without.lost / 1000,
		              goodput_without / 1000);
		assert_true(without.by_loss && without.lost > bdp);
		assert_true(!with.by_loss && with.css == 1 && with.over >= bdp &&
		            with.over < (rows[i].buffer + 1) * bdp);
		assert_true(with.lost * 20 <= without.lost);
		assert_true(goodput > 0.97 * goodput_without);
	}
}

/* Noise within the thresholds ends nothing early. More of it may begin CSS, which then is called off or does no great
 * harm. */
static void test_jitter(void **state)
{
	const uint64_t bdp = 2500000 / 20;
	struct contest_path path = { .bytes_per_s = 2500000, .rtt = DURATION_MS(50), .buffer_bytes = 8 * 125000 };
	uint64_t seeds = SIM_SANITIZED ? 3 : 12;
	uint32_t css = 0, early = 0;
	double goodput, sum = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		struct start start;

		path.jitter = DURATION_MS(6);
		start = slow_start(&path, 1, 2, seed, NULL, &goodput);
		if (start.over < bdp || start.css != 1)
			fail_msg("seed %u: slow start was over at %.1f times the path, after %u conservative ones",
			         (unsigned)seed, (double)start.over / (double)bdp, start.css);
		path.jitter = DURATION_MS(25);
		start = slow_start(&path, 1, 2, seed, NULL, &goodput);
		css += start.css;
		early += start.over > 0 && start.over < bdp;
		sum += goodput;
	}
	print_message("25 ms of jitter at 50 ms: %u conservative slow starts in %u runs, %u were over too early; "
	              "%.0f kB/s\n",
	              css, (unsigned)seeds, early, sum / (double)seeds / 1000);
	assert_true(early * 4 <= seeds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_curve),
		cmocka_unit_test(test_stored_curve),
		cmocka_unit_test(test_large_buffer),
		cmocka_unit_test(test_jitter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
