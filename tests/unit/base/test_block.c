#include "../../support/test_memory.h"
#include "core/base/block.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_limit(void **state)
{
	enum { LIMIT = 37 };
	struct test_memory counts;
	struct memory memory = test_memory(&counts);
	struct block_pool pool;
	uint8_t *block[LIMIT];

	(void)state;
	/* A part of a block more than LIMIT blocks counts for nothing. */
	assert_int_equal(block_pool_init(&pool, &memory, LIMIT * BLOCK_BYTES + BLOCK_BYTES - 1), 0);
	for (uint32_t i = 0; i < LIMIT; i++) {
		block[i] = block_get(&pool);
		assert_non_null(block[i]);
		memset(block[i], (int)i, BLOCK_BYTES);
		assert_int_equal(pool.used, i + 1);
	}
	assert_null(block_get(&pool));
	for (uint32_t i = 0; i < LIMIT; i++)
		for (uint32_t j = 0; j < BLOCK_BYTES; j++)
			if (block[i][j] != i)
				fail_msg("block %u was written over at %u", i, j);
	assert_int_equal(block_pool_bytes(&pool), counts.live_bytes);
	assert_true(counts.live_bytes < (LIMIT + 1) * BLOCK_BYTES);
	/* Last in, first out. */
	block_put(&pool, block[3]);
	block_put(&pool, block[9]);
	assert_ptr_equal(block_get(&pool), block[9]);
	assert_ptr_equal(block_get(&pool), block[3]);
	assert_null(block_get(&pool));
	block_pool_done(&pool);
	assert_int_equal(counts.live_count, 0);
	assert_int_equal(counts.live_bytes, 0);
}

static void test_reserve(void **state)
{
	struct test_memory counts;
	struct memory memory = test_memory(&counts);
	struct block_pool pool;

	(void)state;
	assert_int_equal(block_pool_init(&pool, &memory, 100 * BLOCK_BYTES), 0);
	assert_non_null(block_get(&pool));
	assert_false(block_reserve(&pool, 100));
	assert_true(block_reserve(&pool, pool.free_count + 1));
	test_memory_fail_after(&counts, 0);
	for (int i = 0; i < 16; i++)
		assert_non_null(block_get(&pool));
	assert_false(block_reserve(&pool, 83));
	test_memory_fail_never(&counts);
	assert_true(block_reserve(&pool, 83));
	assert_false(block_reserve(&pool, 84));
	block_pool_done(&pool);
	assert_int_equal(counts.live_count, 0);
}

static void test_out_of_memory(void **state)
{
	struct test_memory counts;
	struct memory memory = test_memory(&counts);
	struct block_pool pool;

	(void)state;
	test_memory_fail_after(&counts, 0);
	assert_int_equal(block_pool_init(&pool, &memory, 100 * BLOCK_BYTES), -ENOMEM);
	assert_null(block_get(&pool));
	block_pool_done(&pool);
	test_memory_fail_after(&counts, 1);
	assert_int_equal(block_pool_init(&pool, &memory, 100 * BLOCK_BYTES), 0);
	assert_null(block_get(&pool));
	assert_int_equal(pool.used, 0);
	test_memory_fail_never(&counts);
	assert_non_null(block_get(&pool));
	block_pool_done(&pool);
	/* No limit worth the name: nothing is had, and nothing breaks. */
	assert_int_equal(block_pool_init(&pool, &memory, BLOCK_BYTES - 1), 0);
	assert_null(block_get(&pool));
	assert_true(block_reserve(&pool, 0));
	assert_false(block_reserve(&pool, 1));
	block_pool_done(&pool);
	assert_int_equal(counts.live_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
