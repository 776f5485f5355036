#include "link/impair/codel.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { PACKET = 1500, LONG_QUEUE = 100 * PACKET };

/* One packet each millisecond from `from` on, each after `sojourn_ms`; the times of the drops in *drops_ms. */
static int run(struct codel *codel, int from_ms, int until_ms, int sojourn_ms, uint64_t backlog, int *drops_ms,
               int drops_max)
{
	int drops = 0;

	for (int ms = from_ms; ms < until_ms; ms++) {
		if (codel_drops(codel, (struct instant){ (int64_t)ms * 1000000 }, DURATION_MS(sojourn_ms), backlog,
		                PACKET)) {
			assert_true(drops < drops_max);
			drops_ms[drops++] = ms;
		}
	}
	return drops;
}

static struct codel begin(void)
{
	struct codel codel;

	codel_begin(&codel, DURATION_MS(5), DURATION_MS(100));
	return codel;
}

/* Below the target nothing is dropped, nor is the last packet of a queue, however long it has waited. */
static void test_good_queue(void **state)
{
	struct codel codel = begin();
	int drop[1];

	(void)state;
	assert_int_equal(run(&codel, 1, 10000, 4, LONG_QUEUE, drop, 0), 0);
	assert_int_equal(run(&codel, 10000, 20000, 500, PACKET - 1, drop, 0), 0);
}

/* The first drop comes when the queue was bad for an interval, the next ones after interval/sqrt(n). */
static void test_control_law(void **state)
{
	struct codel codel = begin();
	int drop[256];
	double due = 1101;
	int drops;

	(void)state;
	drops = run(&codel, 1001, 3001, 5, LONG_QUEUE, drop, 256);
	assert_true(drops > 80);
	for (int i = 0; i < drops; i++) {
		assert_int_equal(drop[i], (int)ceil(due - 1e-3));
		due += 100 / sqrt(i + 1);
	}
}

/* One packet that did not wait too long ends it; the interval begins anew. */
static void test_interruption(void **state)
{
	struct codel codel = begin();
	int drop[64];

	(void)state;
	assert_int_equal(run(&codel, 1000, 1100, 20, LONG_QUEUE, drop, 0), 0);
	assert_int_equal(run(&codel, 1100, 1101, 4, LONG_QUEUE, drop, 0), 0);
	assert_int_equal(run(&codel, 1101, 1201, 20, LONG_QUEUE, drop, 0), 0);
	assert_int_equal(run(&codel, 1201, 1202, 20, LONG_QUEUE, drop, 64), 1);
}

/* Who is soon bad again is dropped from nearly as often as before; after a long good time it starts over. */
static void test_memory(void **state)
{
	struct codel codel = begin();
	int drop[256];
	uint32_t before;

	(void)state;
	run(&codel, 1000, 4000, 20, LONG_QUEUE, drop, 256);
	before = codel.count;
	assert_true(before > 40);
	run(&codel, 4000, 4100, 1, LONG_QUEUE, drop, 0);
	assert_int_equal(run(&codel, 4100, 4201, 20, LONG_QUEUE, drop, 256), 1);
	assert_int_equal(codel.count, before - 1);
	run(&codel, 4300, 9000, 1, LONG_QUEUE, drop, 0);
	assert_int_equal(run(&codel, 9000, 9101, 20, LONG_QUEUE, drop, 256), 1);
	assert_int_equal(codel.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_queue),
		cmocka_unit_test(test_control_law),
		cmocka_unit_test(test_interruption),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
