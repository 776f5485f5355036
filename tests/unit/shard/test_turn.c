/* The loop: what a turn does and, as important, what it does not do. timerfd_settime is wrapped by the linker and
 * counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#include <sys/timerfd.h>

static atomic_uint timer_sets;

int __real_timerfd_settime(int fd, int flags, const struct itimerspec *new_value, struct itimerspec *old_value);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *new_value, struct itimerspec *old_value);

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *new_value, struct itimerspec *old_value)
{
	atomic_fetch_add(&timer_sets, 1);
	return __real_timerfd_settime(fd, flags, new_value, old_value);
}

/* A job that the test waits for: the shard has taken everything before it. */
struct mark {
	struct shard_job job;
	bool done;
	void (*act)(struct stack *stack, void *context);
	void *context;
};

static void mark_run(struct shard_job *job, struct stack *stack)
{
	struct mark *mark = (struct mark *)job;

	if (mark->act)
		mark->act(stack, mark->context);
}

static void mark_done(struct shard_job *job)
{
	((struct mark *)job)->done = true;
}

static void on_shard(struct fixture *f, uint32_t shard, void (*act)(struct stack *, void *), void *context)
{
	struct mark mark = { { .run = mark_run, .done = mark_done }, false, act, context };

	shard_post(shards_at(f->shards, shard), &mark.job);
	WAIT_FOR(f, mark.done);
}

static uint64_t sleeps(struct fixture *f)
{
	struct shard_status status;

	shard_get_status(shards_at(f->shards, 0), &status);
	return status.sleeps;
}

static void frames_get_one_turn(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, 1, (struct duration){ 0 });
	assert_int_equal(shards_start(f.shards), 0);
	WAIT_FOR(&f, fake_stack(f.shards, 0)->announcements == 1);
	on_shard(&f, 0, NULL, NULL);
	atomic_store(&fake_stack(f.shards, 0)->settles, 0);
	fake_link_arrive(f.link, 0, 10);
	WAIT_FOR(&f, fake_stack(f.shards, 0)->inputs == 10);
	WAIT_FOR(&f, fake_stack(f.shards, 0)->settles > 0);
	assert_int_equal(fake_stack(f.shards, 0)->settles, 1);
	/* More than one batch: none is left behind although the descriptor wakes the loop only once. */
	fake_link_arrive(f.link, 0, 10 * LINK_BATCH_MAX + 1);
	WAIT_FOR(&f, fake_stack(f.shards, 0)->inputs == 10 * LINK_BATCH_MAX + 11);
	fixture_close(&f);
}

/* All of them in the turn in which they came up, though they are more than one call takes. */
static void what_stacks_tell_is_passed_on(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, 1, (struct duration){ 0 });
	atomic_store(&fake_stack(f.shards, 0)->samples, 1000);
	atomic_store(&fake_stack(f.shards, 0)->notices, 3);
	assert_int_equal(shards_start(f.shards), 0);
	WAIT_FOR(&f, f.told.notices == 3);
	assert_int_equal(f.told.samples, 1000);
	fixture_close(&f);
}

static void set_deadline(struct stack *stack, void *context)
{
	const struct duration *from_now = context;

	stack->deadline_ns = from_now->ns == INT64_MAX ? INT64_MAX : stack->latched.ns + from_now->ns;
}

static void timer_is_set_only_for_earlier_deadlines(void **state)
{
	struct duration hour = DURATION_S(3600), later = DURATION_S(4000), never = { INT64_MAX },
	                soon = DURATION_MS(20);
	struct fixture f;
	uint64_t before;

	(void)state;
	fixture_open(&f, 1, (struct duration){ 0 });
	assert_int_equal(shards_start(f.shards), 0);
	before = sleeps(&f);
	atomic_store(&timer_sets, 0);
	on_shard(&f, 0, set_deadline, &hour);
	WAIT_FOR(&f, sleeps(&f) > before);
	WAIT_FOR(&f, timer_sets == 1);
	/* Turn after turn with the deadline where it was, later, or gone: the timer is not touched. */
	for (int i = 0; i < 50; i++) {
		on_shard(&f, 0, set_deadline, i % 3 ? &later : &never);
		fake_link_arrive(f.link, 0, 1);
	}
	WAIT_FOR(&f, fake_stack(f.shards, 0)->inputs == 50);
	assert_int_equal(timer_sets, 1);
	/* An earlier one is set, and comes true. */
	on_shard(&f, 0, set_deadline, &soon);
	WAIT_FOR(&f, fake_stack(f.shards, 0)->deadline_ns == INT64_MAX);
	assert_int_equal(timer_sets, 2);
	/* It has gone off: the next deadline is set whatever it is. */
	on_shard(&f, 0, set_deadline, &later);
	WAIT_FOR(&f, timer_sets == 3);
	fixture_close(&f);
}

static void overdue_deadline_runs_without_sleep(void **state)
{
	struct duration past = DURATION_MS(-5);
	struct fixture f;

	(void)state;
	fixture_open(&f, 1, (struct duration){ 0 });
	assert_int_equal(shards_start(f.shards), 0);
	on_shard(&f, 0, NULL, NULL);
	atomic_store(&timer_sets, 0);
	on_shard(&f, 0, set_deadline, &past);
	WAIT_FOR(&f, fake_stack(f.shards, 0)->deadline_ns == INT64_MAX);
	assert_int_equal(timer_sets, 0);
	fixture_close(&f);
}

static void idle_shard_sleeps(void **state)
{
	struct shard_status before, after;
	struct instant until;
	struct fixture f;

	(void)state;
	fixture_open(&f, 1, DURATION_MS(1));
	assert_int_equal(shards_start(f.shards), 0);
	fake_link_arrive(f.link, 0, 1);
	WAIT_FOR(&f, fake_stack(f.shards, 0)->inputs == 1);
	/* After spinning its while it must come to rest. */
	until = instant_add(shard_now(), DURATION_MS(200));
	WAIT_FOR(&f, instant_reached(until, shard_now()));
	shard_get_status(shards_at(f.shards, 0), &before);
	until = instant_add(shard_now(), DURATION_MS(100));
	WAIT_FOR(&f, instant_reached(until, shard_now()));
	shard_get_status(shards_at(f.shards, 0), &after);
	assert_int_equal(after.turns, before.turns);
	fixture_close(&f);
}

static void spinning_polls_and_serves_jobs(void **state)
{
	struct fixture f;
	unsigned receives;

	(void)state;
	fixture_open(&f, 1, DURATION_S(60));
	assert_int_equal(shards_start(f.shards), 0);
	fake_link_arrive(f.link, 0, 1);
	WAIT_FOR(&f, fake_stack(f.shards, 0)->inputs == 1);
	receives = f.link->queue[0].receives;
	WAIT_FOR(&f, f.link->queue[0].receives > receives + 1000);
	on_shard(&f, 0, NULL, NULL);
	fake_link_arrive(f.link, 0, 3);
	WAIT_FOR(&f, fake_stack(f.shards, 0)->inputs == 4);
	fixture_close(&f);
}

static void output_stops_while_congested(void **state)
{
	struct fixture f;
	struct stack *stack;
	struct duration past = { 0 };

	(void)state;
	fixture_open(&f, 1, (struct duration){ 0 });
	stack = fake_stack(f.shards, 0);
	atomic_store(&f.link->queue[0].congested, true);
	atomic_store(&stack->to_send, 100);
	assert_int_equal(shards_start(f.shards), 0);
	on_shard(&f, 0, set_deadline, &past);
	on_shard(&f, 0, NULL, NULL);
	assert_int_equal(stack->to_send, 100);
	assert_int_equal(f.link->queue[0].sent, 0);
	atomic_store(&f.link->queue[0].congested, false);
	on_shard(&f, 0, NULL, NULL);
	WAIT_FOR(&f, f.link->queue[0].sent == 100);
	fixture_close(&f);
}

static void interface_goes_and_comes_back(void **state)
{
	struct shard_status status;
	struct stack *stack;
	struct fixture f;

	(void)state;
	fixture_open(&f, 1, (struct duration){ 0 });
	stack = fake_stack(f.shards, 0);
	assert_int_equal(shards_start(f.shards), 0);
	WAIT_FOR(&f, stack->announcements == 1);
	fake_link_go(f.link, 0);
	WAIT_FOR(&f, f.link->queue[0].reattaches == 1);
	shard_get_status(shards_at(f.shards, 0), &status);
	assert_false(status.link_up);
	assert_int_equal(status.link_losses, 1);
	on_shard(&f, 0, NULL, NULL); /* still answers */
	atomic_store(&f.link->queue[0].back, true);
	WAIT_FOR(&f, stack->announcements == 2);
	assert_int_equal(stack->offload_changes, 1);
	fake_link_arrive(f.link, 0, 2);
	WAIT_FOR(&f, stack->inputs == 2);
	shard_get_status(shards_at(f.shards, 0), &status);
	assert_true(status.link_up);
	fixture_close(&f);
}

static void jobs_run_without_threads_too(void **state)
{
	struct mark mark = { { .run = mark_run, .done = mark_done }, false, NULL, NULL };
	struct fixture f;

	(void)state;
	fixture_open(&f, 2, (struct duration){ 0 });
	shard_post(shards_at(f.shards, 1), &mark.job);
	assert_false(mark.done); /* never from inside shard_post */
	WAIT_FOR(&f, mark.done);
	assert_int_equal(shards_start(f.shards), 0);
	shards_stop(f.shards);
	mark.done = false;
	shard_post(shards_at(f.shards, 1), &mark.job);
	shards_free(f.shards);
	assert_true(mark.done);
	event_base_free(f.base);
	fake_link_free(f.link);
}

static void count_call(void *context, struct shard *shard)
{
	unsigned *calls = context;

	*calls = *calls * 10 + shard_index(shard) + 1;
}

static void a_call_waits_for_every_shard(void **state)
{
	struct fixture f;
	unsigned calls = 0;

	(void)state;
	fixture_open(&f, 3, (struct duration){ 0 });
	assert_int_equal(shards_start(f.shards), 0);
	shards_call(f.shards, count_call, &calls);
	assert_int_equal(calls, 123);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_get_one_turn),
		cmocka_unit_test(what_stacks_tell_is_passed_on),
		cmocka_unit_test(timer_is_set_only_for_earlier_deadlines),
		cmocka_unit_test(overdue_deadline_runs_without_sleep),
		cmocka_unit_test(idle_shard_sleeps),
		cmocka_unit_test(spinning_polls_and_serves_jobs),
		cmocka_unit_test(output_stops_while_congested),
		cmocka_unit_test(interface_goes_and_comes_back),
		cmocka_unit_test(jobs_run_without_threads_too),
		cmocka_unit_test(a_call_waits_for_every_shard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
