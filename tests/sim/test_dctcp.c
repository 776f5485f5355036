/* DCTCP over a switch that marks beyond a threshold (RFC 8257 section 3.1): what it makes of the marks is what the
 * switch made, and the queue stays about as long as the threshold. */
#include "contest.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MBIT 125000u
#define SEGMENT 1448u

static const struct contest_path path = { .bytes_per_s = 50 * MBIT,
	                                  .rtt = { 5000000 },
	                                  .buffer_bytes = 500000,
	                                  .discipline = IMPAIR_STEP,
	                                  .target = { 1000000 } };

/* What RFC 8257 section 3.3 makes of the same ACKs, and the rules that each reduction must keep. */
struct model {
	double alpha, alpha_sum;
	uint64_t acked, marked, marked_total, windows, reductions, halvings, losses;
	bool exact; /* else each mark is answered as RFC 3168 has it */
};

static void follow(void *context, const struct contest_call *call)
{
	const struct tapstack_cc_sample *sample = call->sample;
	double before = (double)call->before.cwnd_bytes, after = (double)call->after.cwnd_bytes;
	struct model *model = context;

	if (call->kind == CONTEST_ACK) {
		model->acked += sample->delivered_bytes;
		model->marked += sample->ce_bytes;
		model->marked_total += sample->ce_bytes;
		if (sample->round_start && model->acked > 0) {
			double fraction = (double)model->marked / (double)model->acked;

			model->alpha += (fraction - model->alpha) / 16;
			model->alpha_sum += fraction;
			model->windows++;
			model->acked = model->marked = 0;
		}
		if (model->exact)
			assert_true(fabs(call->outputs[0] - model->alpha) < 1e-4);
	} else if (call->kind == CONTEST_EVENT && call->event == TAPSTACK_CC_ECN) {
		double left = before * (1 - (model->exact ? model->alpha : 1) / 2);

		assert_true(fabs(after - fmax(left, 2 * SEGMENT)) < 8);
		model->reductions++;
	} else if (call->kind == CONTEST_EVENT && call->event == TAPSTACK_CC_LOSS) {
		model->losses++;
		if (call->after.cwnd_bytes == sample->inflight_before_bytes / 2)
			model->halvings++;
	}
}

static struct contest *run(const struct contest_path *over, const struct contest_flow *flows, uint32_t count,
                           struct duration until)
{
	struct contest *contest = contest_begin(over, flows, count, DURATION_MS(10), 1);

	contest_run(contest, until);
	return contest;
}

static struct contest_flow dctcp(struct model *model)
{
	if (model)
		*model = (struct model){ .alpha = 1, .exact = true };
	return (struct contest_flow){ .plugin = contest_plugin("dctcp"),
		                      .ecn = STACK_ECN_REQUEST,
		                      .tap = model ? follow : NULL,
		                      .tap_context = model };
}

/* What it counts are the marks that the switch made, alpha is their share, and the queue is about the threshold. */
static void test_marks(void **state)
{
	const struct duration end = DURATION_S(SIM_SANITIZED ? 2 : 4);
	struct model model;
	struct contest_flow flow = dctcp(&model);

	(void)state;
	for (int64_t ms = 1; ms <= 3; ms += 2) {
		struct contest_path over = path;
		struct contest_bottleneck all, line;
		struct contest *contest;

		over.target = DURATION_MS(ms);
		flow = dctcp(&model);
		contest = run(&over, &flow, 1, end);
		all = contest_bottleneck(contest, DURATION_S(0), end);
		line = contest_bottleneck(contest, DURATION_S(1), end);
		/* the last of the marks are on their way */
		assert_true(all.marked > 100 && model.reductions > 20);
		assert_true(fabs((double)model.marked_total / SEGMENT / (double)all.marked - 1) < 0.03);
		/* mean of the windows' shares: windows are alike, so it is the share of all */
		assert_true(fabs(model.alpha_sum / (double)model.windows - (double)all.marked / (double)all.packets) <
		            0.05);
		assert_int_equal(all.dropped, 0);
		assert_true(line.utilisation > 0.99);
		assert_true(line.delay_mean_ms > 0.4 * (double)ms && line.delay_mean_ms < 1.1 * (double)ms);
		assert_true(line.delay_p99_ms < (double)ms + 0.8);
		contest_end(contest);
	}
}

static void test_fair(void **state)
{
	const struct duration begin = DURATION_S(1), end = DURATION_S(SIM_SANITIZED ? 2 : 4);
	const struct contest_flow flows[2] = { dctcp(NULL), dctcp(NULL) };
	struct contest *contest = run(&path, flows, 2, end);

	(void)state;
	assert_true(contest_jain(contest, begin, end) > 0.97);
	assert_true(contest_bottleneck(contest, begin, end).utilisation > 0.98);
	contest_end(contest);
}

/* Without AccECN each mark halves the window; it holds the line all the same, where the threshold leaves room. */
static void test_classic_feedback(void **state)
{
	const struct duration end = DURATION_S(SIM_SANITIZED ? 2 : 4);
	struct contest_path over = path;
	struct contest *contest;
	struct model model;
	struct contest_flow flow = dctcp(&model);

	(void)state;
	model.exact = false;
	flow.no_accecn = true;
	over.target = DURATION_MS(6);
	contest = run(&over, &flow, 1, end);
	assert_true(model.reductions > 3);
	assert_true(contest_bottleneck(contest, DURATION_S(1), end).utilisation > 0.95);
	contest_end(contest);
}

static void echo(struct stack_tcp_config *tcp)
{
	tcp->dctcp_echo = true;
}

/* Without AccECN, but with a receiver as RFC 8257 section 3.2 has it: as exact. */
static void test_echo(void **state)
{
	const struct duration end = DURATION_S(SIM_SANITIZED ? 2 : 4);
	struct contest_bottleneck all, line;
	struct contest *contest;
	struct model model;
	struct contest_flow flow = dctcp(&model);

	(void)state;
	flow.no_accecn = true;
	flow.tune = echo;
	flow.param[0] = (struct contest_param){ "peer_echoes_marks", 1 };
	contest = run(&path, &flow, 1, end);
	all = contest_bottleneck(contest, DURATION_S(0), end);
	line = contest_bottleneck(contest, DURATION_S(1), end);
	assert_true(all.marked > 100 && model.reductions > 20);
	assert_true(fabs((double)model.marked_total / SEGMENT / (double)all.marked - 1) < 0.03);
	assert_true(line.utilisation > 0.99 && line.delay_p99_ms < 1.8);
	contest_end(contest);
}

/* A path that does not mark: it is standard TCP, and halves for each loss. */
static void test_loss(void **state)
{
	const struct contest_path over = { .bytes_per_s = 20 * MBIT, .rtt = { 20000000 }, .buffer_bytes = 60000 };
	const struct duration end = DURATION_S(SIM_SANITIZED ? 3 : 6);
	struct model model;
	struct contest_flow flow = dctcp(&model);
	struct contest *contest = run(&over, &flow, 1, end);

	(void)state;
	assert_true(model.losses >= 2);
	assert_int_equal(model.halvings, model.losses);
	assert_int_equal(model.reductions, 0);
	assert_true(contest_bottleneck(contest, DURATION_S(1), end).utilisation > 0.95);
	contest_end(contest);
}

static void test_curve(void **state)
{
	const struct contest_flow flow = dctcp(NULL);
	struct contest *contest = run(&path, &flow, 1, DURATION_S(3));

	(void)state;
	assert_int_equal(contest_golden(contest, 0, "dctcp", DURATION_MS(50), 0.05), 0);
	contest_end(contest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_marks), cmocka_unit_test(test_fair), cmocka_unit_test(test_classic_feedback),
		cmocka_unit_test(test_echo),  cmocka_unit_test(test_loss), cmocka_unit_test(test_curve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
