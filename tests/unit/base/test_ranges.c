#include "../../support/test_random.h"
#include "core/base/ranges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define CELLS 2048

static struct seq_range newest_of(const struct ranges *ranges)
{
	struct seq_range newest;

	assert_int_equal(ranges_recent(ranges, &newest, 1), 1);
	return newest;
}

static void test_merging(void **state)
{
	static const struct {
		uint32_t start, end;         /* added to [10, 20) [30, 40) */
		uint32_t count;              /* ranges then */
		uint32_t got_start, got_end; /* the one that holds it */
	} table[] = {
		{ 1, 5, 3, 1, 5 },     { 1, 10, 2, 1, 20 },   { 1, 15, 2, 1, 20 },   { 1, 25, 2, 1, 25 },
		{ 1, 30, 1, 1, 40 },   { 12, 15, 2, 10, 20 }, { 10, 20, 2, 10, 20 }, { 20, 22, 2, 10, 22 },
		{ 20, 30, 1, 10, 40 }, { 22, 28, 3, 22, 28 }, { 28, 30, 2, 28, 40 }, { 35, 50, 2, 30, 50 },
		{ 40, 50, 2, 30, 50 }, { 41, 50, 3, 41, 50 }, { 1, 60, 1, 1, 60 },   { 15, 35, 1, 10, 40 },
	};
	static const uint32_t origins[] = { 0, 0xfffffff0, 0xffffffff - 24, 0x7ffffff0 };

	(void)state;
	for (size_t o = 0; o < 4; o++) {
		seq_t origin = SEQ(origins[o]);

		for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
			struct ranges ranges = { 0 };
			struct seq_range newest;

			assert_true(ranges_add(&ranges, seq_add(origin, 30), seq_add(origin, 40)));
			assert_true(ranges_add(&ranges, seq_add(origin, 10), seq_add(origin, 20)));
			assert_int_equal(newest_of(&ranges).start.v, origin.v + 10);
			assert_true(
			        ranges_add(&ranges, seq_add(origin, table[i].start), seq_add(origin, table[i].end)));
			assert_int_equal(ranges.count, table[i].count);
			newest = newest_of(&ranges);
			assert_int_equal(newest.start.v, origin.v + table[i].got_start);
			assert_int_equal(newest.end.v, origin.v + table[i].got_end);
		}
	}
}

static void test_full(void **state)
{
	struct ranges ranges = { 0 }, before;

	(void)state;
	for (uint32_t i = 0; i < RANGES_MAX; i++)
		assert_true(ranges_add(&ranges, SEQ(i * 10), SEQ(i * 10 + 5)));
	before = ranges;
	assert_false(ranges_add(&ranges, SEQ(6), SEQ(8)));
	assert_false(ranges_add(&ranges, SEQ(10000), SEQ(10001)));
	assert_memory_equal(&ranges, &before, sizeof(ranges));
	assert_true(ranges_add(&ranges, SEQ(5), SEQ(10))); /* closes a hole: no room needed */
	assert_int_equal(ranges.count, RANGES_MAX - 1);
	assert_true(ranges_add(&ranges, SEQ(10000), SEQ(10001)));
	assert_int_equal(newest_of(&ranges).start.v, 10000);
}

static void test_remove_before(void **state)
{
	struct ranges ranges = { 0 };

	(void)state;
	ranges_remove_before(&ranges, SEQ(5));
	assert_true(ranges_add(&ranges, SEQ(-10), SEQ(-5)));
	assert_true(ranges_add(&ranges, SEQ(-2), SEQ(2)));
	assert_true(ranges_add(&ranges, SEQ(10), SEQ(20)));
	assert_int_equal(newest_of(&ranges).start.v, 10);
	ranges_remove_before(&ranges, SEQ(-20));
	assert_int_equal(ranges.count, 3);
	ranges_remove_before(&ranges, SEQ(-5));
	assert_int_equal(ranges.count, 2);
	assert_int_equal(newest_of(&ranges).start.v, 10);
	ranges_remove_before(&ranges, SEQ(1));
	assert_int_equal(ranges.range[0].start.v, 1);
	assert_int_equal(ranges_bytes(&ranges), 11);
	ranges_remove_before(&ranges, SEQ(100));
	assert_int_equal(ranges.count, 0);
	assert_int_equal(ranges_bytes(&ranges), 0);
	assert_false(ranges_contain(&ranges, SEQ(10), SEQ(11)));
}

/* The latest first, also when the count of changes wraps; a range that was changed again counts as new. */
static void test_recent(void **state)
{
	static const uint32_t begins[] = { 0, UINT32_MAX - 2 };
	struct seq_range recent[4];

	(void)state;
	for (size_t b = 0; b < 2; b++) {
		struct ranges ranges = { .stamp = begins[b] };

		assert_int_equal(ranges_recent(&ranges, recent, 4), 0);
		for (uint32_t i = 0; i < 6; i++)
			assert_true(ranges_add(&ranges, SEQ(100 * i), SEQ(100 * i + 10)));
		assert_true(ranges_add(&ranges, SEQ(110), SEQ(120)));
		assert_int_equal(ranges_recent(&ranges, recent, 4), 4);
		assert_int_equal(recent[0].start.v, 100);
		assert_int_equal(recent[1].start.v, 500);
		assert_int_equal(recent[2].start.v, 400);
		assert_int_equal(recent[3].start.v, 300);
		ranges_remove_before(&ranges, SEQ(350));
		assert_int_equal(ranges_recent(&ranges, recent, 4), 2);
		assert_int_equal(recent[0].start.v, 500);
		assert_int_equal(recent[1].start.v, 400);
	}
}

/* The ranges that the model's cells make, compared with what is held. */
static void compare(const struct ranges *ranges, const uint8_t *cells, seq_t origin)
{
	uint32_t n = 0, bytes = 0;

	for (uint32_t i = 0; i < CELLS; i++) {
		uint32_t start = i;

		if (!cells[i])
			continue;
		while (i < CELLS && cells[i])
			i++;
		assert_true(n < ranges->count);
		assert_int_equal(ranges->range[n].start.v, origin.v + start);
		assert_int_equal(ranges->range[n].end.v, origin.v + i);
		bytes += i - start;
		n++;
	}
	assert_int_equal(ranges->count, n);
	assert_int_equal(ranges_bytes(ranges), bytes);
	if (n > 0)
		newest_of(ranges);
}

static uint32_t count_runs(const uint8_t *cells)
{
	uint32_t runs = 0;

	for (uint32_t i = 0; i < CELLS; i++)
		runs += cells[i] && (i == 0 || !cells[i - 1]);
	return runs;
}

static void test_against_a_bitmap(void **state)
{
	struct test_random random = test_random_begin("ranges against a bitmap");

	(void)state;
	for (int run = 0; run < 100; run++) {
		seq_t origin = SEQ(run % 2 ? test_random_u64(&random) : 0u - test_random_below(&random, CELLS));
		uint32_t longest = 1u << test_random_below(&random, 9);
		uint8_t cells[CELLS] = { 0 }, next[CELLS];
		struct ranges ranges = { 0 };

		for (int step = 0; step < 500; step++) {
			uint32_t start = test_random_below(&random, CELLS - 1);
			uint32_t length = 1 + test_random_below(&random, longest);
			uint32_t end = start + length < CELLS ? start + length : CELLS;
			bool added, held = memchr(cells + start, 0, end - start) == NULL;

			assert_int_equal(ranges_contain(&ranges, seq_add(origin, start), seq_add(origin, end)), held);
			if (test_random_below(&random, 100) == 0) {
				ranges_remove_before(&ranges, seq_add(origin, start / 4));
				memset(cells, 0, start / 4);
				compare(&ranges, cells, origin);
				continue;
			}
			memcpy(next, cells, sizeof(next));
			memset(next + start, 1, end - start);
			added = ranges_add(&ranges, seq_add(origin, start), seq_add(origin, end));
			assert_int_equal(added, count_runs(next) <= RANGES_MAX);
			if (added) {
				struct seq_range newest = newest_of(&ranges);

				memcpy(cells, next, sizeof(cells));
				assert_true(seq_leq(newest.start, seq_add(origin, start)));
				assert_true(seq_geq(newest.end, seq_add(origin, end)));
			}
			compare(&ranges, cells, origin);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merging),          cmocka_unit_test(test_full),
		cmocka_unit_test(test_remove_before),    cmocka_unit_test(test_recent),
		cmocka_unit_test(test_against_a_bitmap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
