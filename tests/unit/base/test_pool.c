#include "../../support/test_memory.h"
#include "../../support/test_random.h"
#include "core/base/pool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct record {
	struct pool_head head;
	uint64_t value[11];
};

static void test_limit_and_growth(void **state)
{
	enum { LIMIT = 3000 };
	struct test_memory counts;
	struct memory memory = test_memory(&counts);
	static struct record *records[LIMIT];
	struct pool pool;

	(void)state;
	assert_int_equal(pool_init(&pool, &memory, sizeof(struct record), LIMIT), 0);
	assert_int_equal(counts.live_count, 1); /* only the table: chunks are taken when needed */
	for (uint32_t i = 0; i < LIMIT; i++) {
		records[i] = pool_get(&pool);
		assert_non_null(records[i]);
		assert_ptr_equal(pool_at(&pool, records[i]->head.slot), records[i]);
		memset(records[i]->value, 0xff, sizeof(records[i]->value));
		assert_int_equal(pool_bytes(&pool), counts.live_bytes);
	}
	assert_null(pool_get(&pool));
	pool_put(&pool, records[17]);
	records[17] = pool_get(&pool);
	assert_non_null(records[17]);
	for (size_t i = 0; i < 11; i++)
		assert_true(records[17]->value[i] == 0);
	assert_null(pool_get(&pool));
	pool_done(&pool);
	assert_int_equal(counts.live_count, 0);
	assert_int_equal(counts.live_bytes, 0);
	assert_null(pool_get(&pool)); /* a pool that is done gives nothing */
}

static void test_handles_go_stale(void **state)
{
	struct test_memory counts;
	struct memory memory = test_memory(&counts);
	struct pool pool;
	struct record *record;
	uint64_t first, second;

	(void)state;
	assert_int_equal(pool_init(&pool, &memory, sizeof(struct record), 10), 0);
	assert_null(pool_find(&pool, 0));
	assert_null(pool_find(&pool, UINT64_C(1) << 32));
	record = pool_get(&pool);
	first = pool_handle(record);
	assert_ptr_equal(pool_find(&pool, first), record);
	assert_null(pool_find(&pool, first + 1));                   /* a slot not in use */
	assert_null(pool_find(&pool, first | UINT32_MAX));          /* a slot that can't be */
	assert_null(pool_find(&pool, first + (UINT64_C(2) << 32))); /* of a later generation */
	assert_null(pool_find(&pool, first & UINT32_MAX));          /* of none */
	pool_put(&pool, record);
	assert_null(pool_find(&pool, first));
	assert_null(pool_find(&pool, pool_handle(record))); /* what a freed record says is no handle */
	assert_ptr_equal(pool_get(&pool), record);
	second = pool_handle(record);
	assert_true(first != second);
	assert_null(pool_find(&pool, first));
	assert_ptr_equal(pool_find(&pool, second), record);
	pool_done(&pool);
	assert_null(pool_find(&pool, second));
}

static void test_out_of_memory(void **state)
{
	struct test_memory counts;
	struct memory memory = test_memory(&counts);
	struct pool pool;
	void *record;

	(void)state;
	test_memory_fail_after(&counts, 0);
	assert_int_equal(pool_init(&pool, &memory, sizeof(struct record), 10), -ENOMEM);
	pool_done(&pool);
	test_memory_fail_after(&counts, 1);
	assert_int_equal(pool_init(&pool, &memory, sizeof(struct record), 10), 0);
	assert_null(pool_get(&pool));
	assert_false(pool_reserve(&pool, 1));
	test_memory_fail_never(&counts);
	record = pool_get(&pool);
	assert_non_null(record);
	assert_int_equal(pool.used, 1);
	pool_done(&pool);
	assert_int_equal(counts.live_count, 0);
	assert_int_equal(pool_init(&pool, &memory, sizeof(struct record), UINT32_MAX), -ENOMEM);
	assert_int_equal(pool_init(&pool, &memory, sizeof(struct record), 0), 0);
	assert_null(pool_get(&pool));
	pool_done(&pool);
	assert_int_equal(counts.live_count, 0);
}

static void test_reserve(void **state)
{
	struct test_memory counts;
	struct memory memory = test_memory(&counts);
	struct pool pool;

	(void)state;
	assert_int_equal(pool_init(&pool, &memory, sizeof(struct record), 5000), 0);
	for (int i = 0; i < 600; i++)
		assert_non_null(pool_get(&pool));
	assert_false(pool_reserve(&pool, 4401));
	assert_true(pool_reserve(&pool, 1024));
	test_memory_fail_after(&counts, 0);
	for (int i = 0; i < 1024; i++)
		assert_non_null(pool_get(&pool));
	test_memory_fail_never(&counts);
	assert_true(pool_reserve(&pool, 5000 - 1624));
	assert_false(pool_reserve(&pool, 5001 - 1624));
	pool_done(&pool);
	assert_int_equal(counts.live_count, 0);
}

static void test_record_larger_than_a_chunk(void **state)
{
	struct test_memory counts;
	struct memory memory = test_memory(&counts);
	struct pool pool;

	(void)state;
	assert_int_equal(pool_init(&pool, &memory, 100000, 3), 0);
	for (int i = 0; i < 3; i++)
		assert_non_null(pool_get(&pool));
	assert_null(pool_get(&pool));
	assert_int_equal(pool_bytes(&pool), counts.live_bytes);
	pool_done(&pool);
	assert_int_equal(counts.live_count, 0);
}

struct model {
	struct pool pool;
	struct record *live[2000];
	uint64_t live_handle[2000];
	uint32_t live_count;
	uint64_t stale[4096];
	uint32_t stale_count;
};

static void model_check(const struct model *model)
{
	uint32_t seen = 0, next = 0;
	struct record *record;

	for (uint32_t i = 0; i < model->live_count; i++) {
		assert_ptr_equal(pool_find(&model->pool, model->live_handle[i]), model->live[i]);
		assert_true(model->live[i]->value[0] == model->live_handle[i]);
	}
	for (uint32_t i = 0; i < model->stale_count && i < 4096; i++)
		assert_null(pool_find(&model->pool, model->stale[i]));
	while ((record = pool_next_live(&model->pool, next))) {
		assert_true(record->head.slot >= next);
		assert_true(record->value[0] == pool_handle(record));
		next = record->head.slot + 1;
		seen++;
	}
	assert_int_equal(seen, model->live_count);
	assert_int_equal(model->pool.used, model->live_count);
}

static void test_against_a_list(void **state)
{
	struct test_random random = test_random_begin("pool against a list");
	struct test_memory counts;
	struct memory memory = test_memory(&counts);
	static struct model model;

	(void)state;
	assert_int_equal(pool_init(&model.pool, &memory, sizeof(struct record), 2000), 0);
	for (int step = 0; step < 50000; step++) {
		/* Swings between mostly getting and mostly putting. */
		if (test_random_below(&random, 100) < (step / 5000 % 2 ? 30u : 70u)) {
			struct record *record = pool_get(&model.pool);

			assert_int_equal(record != NULL, model.live_count < 2000);
			if (!record)
				continue;
			for (size_t i = 0; i < 11; i++)
				assert_true(record->value[i] == 0);
			record->value[0] = pool_handle(record);
			record->value[10] = 1;
			model.live_handle[model.live_count] = pool_handle(record);
			model.live[model.live_count++] = record;
		} else if (model.live_count > 0) {
			uint32_t i = test_random_below(&random, model.live_count);

			model.stale[model.stale_count++ % 4096] = model.live_handle[i];
			pool_put(&model.pool, model.live[i]);
			model.live_count--;
			model.live[i] = model.live[model.live_count];
			model.live_handle[i] = model.live_handle[model.live_count];
		}
		if (step % 1000 == 0)
			model_check(&model);
	}
	model_check(&model);
	assert_int_equal(pool_bytes(&model.pool), counts.live_bytes);
	pool_done(&model.pool);
	assert_int_equal(counts.live_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit_and_growth),
		cmocka_unit_test(test_handles_go_stale),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_record_larger_than_a_chunk),
		cmocka_unit_test(test_against_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
