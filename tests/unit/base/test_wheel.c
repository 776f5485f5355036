#include "../../support/test_random.h"
#include "core/base/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TICK (INT64_C(1) << WHEEL_TICK_LOG2)
#define TIMERS 200

static struct instant at(int64_t ns)
{
	return (struct instant){ ns };
}

static void test_empty(void **state)
{
	struct wheel wheel;

	(void)state;
	wheel_init(&wheel, at(123456789));
	assert_true(wheel_deadline(&wheel).ns == INSTANT_NEVER.ns);
	assert_null(wheel_pop(&wheel, at(INT64_MAX / 2)));
	assert_true(wheel_deadline(&wheel).ns == INSTANT_NEVER.ns);
}

static void test_never_before_due_and_one_tick_after_at_most(void **state)
{
	static const int64_t delays[] = { 1,
		                          TICK - 1,
		                          TICK,
		                          TICK + 1,
		                          63 * TICK,
		                          64 * TICK,
		                          64 * TICK + 1,
		                          INT64_C(200000000),
		                          INT64_C(60000000000),
		                          INT64_C(1) << 45,
		                          (INT64_C(1) << 52) - 1,
		                          INT64_C(1) << 52,
		                          (INT64_C(1) << 52) + 3 * TICK,
		                          INT64_C(5) << 52,
		                          INT64_C(1) << 58 };

	(void)state;
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		const int64_t start = 987654321987;
		int64_t due = start + delays[i];
		struct timer timer = { 0 };
		struct wheel wheel;

		wheel_init(&wheel, at(start));
		wheel_set(&wheel, &timer, at(due));
		assert_true(timer_is_set(&timer));
		assert_null(wheel_pop(&wheel, at(due - 1)));
		assert_ptr_equal(wheel_pop(&wheel, at(due + TICK)), &timer);
		assert_false(timer_is_set(&timer));
		assert_null(wheel_pop(&wheel, at(due + TICK)));
	}
}

/* A loop that sleeps until each deadline: few turns for one timer, and it is not late. */
static void test_deadlines_lead_to_the_timer(void **state)
{
	struct timer timer = { 0 };
	struct wheel wheel;
	struct instant now = at(INT64_C(31415926535897));
	struct instant due = at(now.ns + INT64_C(3600000000000));
	int turns = 0;

	(void)state;
	wheel_init(&wheel, now);
	wheel_set(&wheel, &timer, due);
	for (;;) {
		struct instant deadline = wheel_deadline(&wheel);

		assert_true(deadline.ns > now.ns);
		now = deadline;
		turns++;
		if (wheel_pop(&wheel, now))
			break;
	}
	assert_true(now.ns >= due.ns && now.ns < due.ns + TICK);
	assert_true(turns <= WHEEL_LEVELS);
}

static void test_past_due_fires_at_once(void **state)
{
	struct timer timer = { 0 };
	struct wheel wheel;

	(void)state;
	wheel_init(&wheel, at(100 * TICK));
	wheel_set(&wheel, &timer, at(3));
	assert_true(wheel_deadline(&wheel).ns <= 100 * TICK);
	assert_ptr_equal(wheel_pop(&wheel, at(100 * TICK)), &timer);
}

static void test_cancel_and_never(void **state)
{
	struct timer timer[3] = { { 0 } };
	struct wheel wheel;

	(void)state;
	wheel_init(&wheel, at(0));
	for (int i = 0; i < 3; i++)
		wheel_set(&wheel, &timer[i], at(5 * TICK));
	wheel_cancel(&wheel, &timer[1]);
	wheel_cancel(&wheel, &timer[1]); /* not set: nothing */
	wheel_set(&wheel, &timer[0], INSTANT_NEVER);
	assert_false(timer_is_set(&timer[0]));
	assert_true(wheel_deadline(&wheel).ns == 5 * TICK);
	wheel_cancel(&wheel, &timer[2]);
	assert_true(wheel_deadline(&wheel).ns == INSTANT_NEVER.ns);
	for (int level = 0; level < WHEEL_LEVELS; level++)
		assert_true(wheel.occupied[level] == 0);
	/* Also from among those that are due already. */
	for (int i = 0; i < 3; i++)
		wheel_set(&wheel, &timer[i], at(5 * TICK));
	assert_non_null(wheel_pop(&wheel, at(6 * TICK)));
	for (int i = 0; i < 3; i++)
		wheel_cancel(&wheel, &timer[i]);
	assert_null(wheel_pop(&wheel, at(7 * TICK)));
}

/* The model: `due` of each timer, INT64_MAX where it isn't set. */
struct model {
	struct wheel wheel;
	struct timer timer[TIMERS];
	int64_t due[TIMERS];
	int64_t now;
};

static int64_t model_earliest(const struct model *model)
{
	int64_t earliest = INT64_MAX;

	for (int i = 0; i < TIMERS; i++)
		if (model->due[i] < earliest)
			earliest = model->due[i];
	return earliest;
}

static void model_check_deadline(const struct model *model)
{
	int64_t earliest = model_earliest(model), deadline = wheel_deadline(&model->wheel).ns;

	if (earliest == INT64_MAX)
		assert_true(deadline == INT64_MAX);
	else
		assert_true(deadline < earliest + TICK || earliest < model->now);
}

static void model_pop_all(struct model *model)
{
	struct timer *timer;

	while ((timer = wheel_pop(&model->wheel, at(model->now)))) {
		long i = timer - model->timer;

		assert_in_range(i, 0, TIMERS - 1);
		assert_true(model->due[i] <= model->now);
		assert_true(timer->due.ns == model->due[i]);
		assert_false(timer_is_set(timer));
		model->due[i] = INT64_MAX;
	}
	assert_true(wheel_deadline(&model->wheel).ns > model->now);
	for (int i = 0; i < TIMERS; i++) {
		assert_true(model->due[i] > model->now - TICK);
		assert_int_equal(timer_is_set(&model->timer[i]), model->due[i] != INT64_MAX);
	}
}

/* Up to 2^53 ns, all magnitudes equally likely. */
static int64_t random_span(struct test_random *random)
{
	return (int64_t)(test_random_u64(random) >> (11 + test_random_below(random, 53)));
}

static void test_against_a_list(void **state)
{
	struct test_random random = test_random_begin("wheel against a list");
	struct model model = { .now = random_span(&random) };

	(void)state;
	wheel_init(&model.wheel, at(model.now));
	for (int i = 0; i < TIMERS; i++)
		model.due[i] = INT64_MAX;
	for (int step = 0; step < 100000; step++) {
		uint32_t i = test_random_below(&random, TIMERS);
		int64_t deadline;

		switch (test_random_below(&random, 8)) {
		case 0: /* forward by any span; rarely by a long one, which would clear the wheel each time */
			model.now += random_span(&random) >> test_random_below(&random, 40);
			model_pop_all(&model);
			break;
		case 1: /* to the very deadline, or just before it, where nothing may fire */
			deadline = wheel_deadline(&model.wheel).ns;
			if (deadline != INT64_MAX && deadline > model.now) {
				if (deadline - 1 > model.now) {
					model.now = deadline - 1;
					assert_null(wheel_pop(&model.wheel, at(model.now)));
				}
				model.now = deadline;
			}
			model_pop_all(&model);
			break;
		case 2:
			wheel_cancel(&model.wheel, &model.timer[i]);
			model.due[i] = INT64_MAX;
			break;
		case 3: /* re-armed by a little */
			if (model.due[i] == INT64_MAX)
				break;
			model.due[i] += test_random_below(&random, (uint32_t)TICK * 2);
			wheel_set(&model.wheel, &model.timer[i], at(model.due[i]));
			break;
		default:
			model.due[i] = model.now + random_span(&random) - (test_random_below(&random, 10) == 0);
			wheel_set(&model.wheel, &model.timer[i], at(model.due[i]));
			break;
		}
		model_check_deadline(&model);
	}
	model.now = INT64_MAX / 2;
	model_pop_all(&model);
	assert_true(model_earliest(&model) == INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_never_before_due_and_one_tick_after_at_most),
		cmocka_unit_test(test_deadlines_lead_to_the_timer),
		cmocka_unit_test(test_past_due_fires_at_once),
		cmocka_unit_test(test_cancel_and_never),
		cmocka_unit_test(test_against_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
