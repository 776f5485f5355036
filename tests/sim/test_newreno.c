/* NewReno decides as the built-in Reno does: the decisions that the core's Reno made over whole transfers, with
 * losses, marks, time-outs and idle times, are asked of the plugin again, call by call. */
#include "contest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct replay {
	const struct tapstack_cc_ops *ops;
	struct tapstack_param_value value[CONTEST_PARAMS_MAX];
	struct tapstack_params params;
	_Alignas(8) unsigned char state[TAPSTACK_CC_STATE_MAX];
	uint64_t calls, differ, events[TAPSTACK_CC_MTU_CHANGED + 1];
};

static void again(void *context, const struct contest_call *call)
{
	struct tapstack_cc_decision decision = call->before;
	struct replay *replay = context;

	switch (call->kind) {
	case CONTEST_INIT:
		assert_int_equal(replay->ops->init(replay->state, call->env, &replay->params, &decision), 0);
		break;
	case CONTEST_ACK:
		replay->ops->on_ack(replay->state, call->sample, &decision);
		break;
	case CONTEST_EVENT:
		replay->ops->on_event(replay->state, call->event, call->sample, &decision);
		replay->events[call->event]++;
		break;
	default:
		return;
	}
	replay->calls++;
	if (decision.cwnd_bytes == call->after.cwnd_bytes && decision.ssthresh_bytes == call->after.ssthresh_bytes &&
	    decision.pacing_bytes_per_s == call->after.pacing_bytes_per_s)
		return;
	replay->differ++;
	print_message("at %.6f s, kind %d event %u: cwnd %llu and ssthresh %llu, the built-in has %llu and %llu\n",
	              (double)call->at.ns * 1e-9, call->kind, call->event, (unsigned long long)decision.cwnd_bytes,
	              (unsigned long long)decision.ssthresh_bytes, (unsigned long long)call->after.cwnd_bytes,
	              (unsigned long long)call->after.ssthresh_bytes);
}

static void replay_begin(struct replay *replay)
{
	const struct tapstack_plugin *newreno = contest_plugin("newreno");

	assert_non_null(newreno);
	*replay = (struct replay){ .ops = newreno->ops };
	for (uint32_t i = 0; i < newreno->param_count; i++)
		replay->value[i].number = newreno->params[i].initial;
	replay->params =
	        (struct tapstack_params){ sizeof(struct tapstack_params), newreno->param_count, replay->value };
}

static void test_same_as_builtin(void **state)
{
	static const struct contest_path paths[] = {
		{ 1250000, { 20000000 }, 30000, .loss_per_million = 0 },
		{ 1250000, { 20000000 }, 60000, .loss_per_million = 20000 },
		{ 1250000, { 50000000 }, 60000, .loss_per_million = 50000, .loss_burst = 8 },
		{ 1250000, { 50000000 }, 60000, .discipline = IMPAIR_CODEL, .ecn = true },
		{ 1250000, { 20000000 }, 60000, .reorder_per_million = 20000, .ack_loss_per_million = 50000 },
	};
	uint64_t events[TAPSTACK_CC_MTU_CHANGED + 1] = { 0 };
	struct replay replay;
	uint64_t calls = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		for (int pauses = 0; pauses < 2; pauses++) {
			struct contest_flow flow = { .tap = again,
				                     .tap_context = &replay,
				                     .ecn = STACK_ECN_REQUEST,
				                     .gso_bytes = pauses ? 65536 : 0,
				                     .write_bytes = pauses ? 200000 : 0,
				                     .write_pause = DURATION_MS(pauses * 900) };
			struct contest *contest;

			replay_begin(&replay);
			contest = contest_begin(&paths[i], &flow, 1, DURATION_MS(100), i + 1);
			contest_run(contest, DURATION_S(6));
			contest_end(contest);
			assert_int_equal(replay.differ, 0);
			calls += replay.calls;
			for (unsigned e = 0; e <= TAPSTACK_CC_MTU_CHANGED; e++)
				events[e] += replay.events[e];
		}
	}
	assert_true(calls > 5000);
	for (unsigned e = TAPSTACK_CC_LOSS; e <= TAPSTACK_CC_IDLE_RESTART; e++) {
		if (events[e] == 0)
			fail_msg("event %u never happened", e);
	}
}

/* RFC 5681: the saw tooth, from half of what the path and its queue hold up to all of it, a segment a round trip. */
static void test_curve(void **state)
{
	const struct contest_path path = { .bytes_per_s = 1250000, .rtt = { 40000000 }, .buffer_bytes = 50000 };
	struct contest_flow flow = { .plugin = contest_plugin("newreno") };
	struct contest *contest = contest_begin(&path, &flow, 1, DURATION_MS(10), 1);
	const struct contest_point *points;
	double highest = 0, lowest = 1e9;
	size_t count;

	(void)state;
	contest_run(contest, DURATION_S(8));
	count = contest_points(contest, 0, &points);
	for (size_t i = 300; i < count; i++) {
		highest = (double)points[i].cwnd > highest ? (double)points[i].cwnd : highest;
		lowest = (double)points[i].cwnd < lowest ? (double)points[i].cwnd : lowest;
	}
	/* 50 kB in the path and 50 kB in the queue, less the headers */
	assert_true(highest > 90000 && highest < 106000);
	assert_true(lowest / highest > 0.47 && lowest / highest < 0.55);
	assert_int_equal(contest_golden(contest, 0, "newreno", DURATION_MS(100), 0.05), 0);
	contest_end(contest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_as_builtin),
		cmocka_unit_test(test_curve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
