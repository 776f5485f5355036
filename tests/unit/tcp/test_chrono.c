/* The times of a busy sender. */
#include "core/tcp/chrono.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct instant at(int64_t ns)
{
	return (struct instant){ ns };
}

static void times_are_kept_apart(void **state)
{
	struct chrono chrono;

	(void)state;
	chrono_start(&chrono, at(100));
	chrono_set(&chrono, CHRONO_RWND, at(110));
	assert_int_equal(chrono_limited(&chrono, CHRONO_RWND, at(115)).ns, 5);
	assert_int_equal(chrono_limited(&chrono, CHRONO_SNDBUF, at(115)).ns, 0);
	chrono_set(&chrono, CHRONO_RWND, at(120)); /* the same: nothing begins anew */
	chrono_set(&chrono, CHRONO_SNDBUF, at(130));
	chrono_set(&chrono, CHRONO_FREE, at(137));
	chrono_set(&chrono, CHRONO_RWND, at(200));
	chrono_set(&chrono, CHRONO_FREE, at(201));
	assert_int_equal(chrono_limited(&chrono, CHRONO_RWND, at(500)).ns, 21);
	assert_int_equal(chrono_limited(&chrono, CHRONO_SNDBUF, at(500)).ns, 7);
	assert_int_equal(chrono_limited(&chrono, CHRONO_FREE, at(500)).ns, 0);
	assert_int_equal(chrono.busy_since.ns, 100);
}

/* Times shorter than a tick: their sum is nearly right, though each is counted as none or one. */
static void short_times_add_up(void **state)
{
	uint32_t ticks = 0;
	int64_t sum = 0, now = 12345;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		int64_t length = 1000 + i % 20000;

		ticks = chrono_add_ticks(ticks, at(now), at(now + length));
		sum += length;
		now += length + 3 * (i % 40013);
	}
	assert_in_range((int64_t)ticks << CHRONO_TICK_LOG2, sum - sum / 50, sum + sum / 50);
}

static void the_sum_does_not_wrap(void **state)
{
	(void)state;
	assert_int_equal(chrono_add_ticks(UINT32_MAX - 1, at(0), at(1 << CHRONO_TICK_LOG2)), UINT32_MAX);
	assert_int_equal(chrono_add_ticks(UINT32_MAX - 1, at(0), at(5 << CHRONO_TICK_LOG2)), UINT32_MAX);
	assert_int_equal(chrono_add_ticks(7, at(0), at(3 << CHRONO_TICK_LOG2)), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_kept_apart),
		cmocka_unit_test(short_times_add_up),
		cmocka_unit_test(the_sum_does_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
