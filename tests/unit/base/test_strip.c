#include "../../support/test_memory.h"
#include "../../support/test_random.h"
#include "core/base/strip.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define REACH (BLOCK_BYTES * 48u) /* how far ahead of base the model writes */
#define RING (BLOCK_BYTES * 64u)  /* the model's array: position modulo this */
#define IOV_MAX_TEST 64

struct model {
	struct test_memory counts;
	struct memory memory;
	struct block_pool pool;
	struct strip strip;
	uint8_t byte[RING];
	uint8_t valid[RING];
};

static uint32_t cell(seq_t at, uint32_t n)
{
	return (at.v + n) % RING;
}

static void model_init(struct model *model, seq_t base, uint32_t limit_blocks)
{
	memset(model, 0, sizeof(*model));
	model->memory = test_memory(&model->counts);
	assert_int_equal(block_pool_init(&model->pool, &model->memory, (uint64_t)limit_blocks * BLOCK_BYTES), 0);
	strip_init(&model->strip, base);
}

static void model_done(struct model *model)
{
	strip_clear(&model->strip, &model->pool);
	assert_null(model->strip.table);
	assert_int_equal(model->pool.used, 0);
	assert_int_equal(block_pool_bytes(&model->pool), model->counts.live_bytes);
	block_pool_done(&model->pool);
	assert_int_equal(model->counts.live_count, 0);
}

/* What the header promises about the strip's own books. */
static void check_invariants(const struct model *model)
{
	const struct strip *strip = &model->strip;
	uint32_t held = 0;

	assert_int_equal(strip->table == NULL, strip->blocks == 0);
	assert_int_equal(strip->blocks, model->pool.used);
	assert_int_equal(block_pool_bytes(&model->pool), model->counts.live_bytes);
	if (strip->table)
		for (uint32_t i = 0; i <= strip->table_mask; i++)
			held += strip->table[i] != NULL;
	assert_int_equal(held, strip->blocks);
}

/* Reads [at, at + length), all of it valid, through strip_view with few spans at a time and compares. */
static void check_view(const struct model *model, seq_t at, uint32_t length, int iov_max)
{
	while (length > 0) {
		struct iovec iov[IOV_MAX_TEST];
		int count = -1;
		uint32_t covered = strip_view(&model->strip, at, length, iov, iov_max, &count), sum = 0;

		assert_in_range(count, 1, iov_max);
		for (int i = 0; i < count; i++) {
			const uint8_t *p = iov[i].iov_base;

			for (size_t k = 0; k < iov[i].iov_len; k++)
				if (p[k] != model->byte[cell(at, sum + (uint32_t)k)])
					fail_msg("position %u differs", at.v + sum + (uint32_t)k);
			sum += (uint32_t)iov[i].iov_len;
		}
		assert_int_equal(sum, covered);
		assert_true(covered == length || count == iov_max);
		at = seq_add(at, covered);
		length -= covered;
	}
}

static void check_all_valid(const struct model *model)
{
	seq_t base = model->strip.base;

	for (uint32_t n = 0; n < REACH;) {
		uint32_t run = 0;

		while (n + run < REACH && model->valid[cell(base, n + run)])
			run++;
		check_view(model, seq_add(base, n), run, IOV_MAX_TEST);
		n += run + 1;
	}
}

static void model_note(struct model *model, seq_t at, const uint8_t *bytes, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++) {
		model->byte[cell(at, i)] = bytes[i];
		model->valid[cell(at, i)] = 1;
	}
}

static void do_write(struct model *model, struct test_random *random, seq_t at, uint32_t length)
{
	static uint8_t bytes[REACH];
	uint32_t missing = strip_blocks_missing(&model->strip, at, length), before = model->strip.blocks;
	int r;

	test_random_fill(random, bytes, length);
	r = strip_write(&model->strip, &model->pool, at, bytes, length);
	if (r < 0) {
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(model->strip.blocks, before);
		return;
	}
	assert_int_equal(model->strip.blocks, before + missing);
	assert_int_equal(strip_blocks_missing(&model->strip, at, length), 0);
	model_note(model, at, bytes, length);
}

static void do_space(struct model *model, struct test_random *random, seq_t at, uint32_t length, int iov_max)
{
	struct iovec iov[IOV_MAX_TEST];
	int count = -1;
	uint32_t covered = strip_space(&model->strip, &model->pool, at, length, iov, iov_max, &count), sum = 0;

	assert_in_range(count, 0, iov_max);
	assert_true(covered <= length);
	for (int i = 0; i < count; i++) {
		test_random_fill(random, iov[i].iov_base, iov[i].iov_len);
		model_note(model, seq_add(at, sum), iov[i].iov_base, (uint32_t)iov[i].iov_len);
		sum += (uint32_t)iov[i].iov_len;
	}
	assert_int_equal(sum, covered);
	if (covered < length && count < iov_max) /* only for want of memory */
		assert_true(model->pool.used == model->pool.limit || model->counts.fail_from != UINT64_MAX);
}

static void do_release(struct model *model, uint32_t by)
{
	seq_t base = model->strip.base;
	uint32_t passed = (model->strip.origin + by) / BLOCK_BYTES, held = model->strip.blocks;
	bool empty = true;

	for (uint32_t i = 0; i < by && i < RING; i++)
		model->valid[cell(base, i)] = 0;
	for (uint32_t i = 0; i < RING; i++)
		if (model->valid[i])
			empty = false;
	if (passed > 0) /* those wholly before the new base go, and no others */
		held -= passed -
		        strip_blocks_missing(&model->strip, base, passed * BLOCK_BYTES - model->strip.origin);
	strip_release(&model->strip, &model->pool, seq_add(base, by), empty);
	assert_int_equal(model->strip.base.v, base.v + by);
	assert_int_equal(model->strip.blocks, empty ? 0 : held);
}

static uint32_t random_length(struct test_random *random, uint32_t max)
{
	return test_random_below(random, (max >> test_random_below(random, 18)) + 1);
}

static void run_against_an_array(struct test_random *random, seq_t base, uint32_t limit_blocks)
{
	static struct model model;

	model_init(&model, base, limit_blocks);
	for (int step = 0; step < 500; step++) {
		uint32_t offset = random_length(random, REACH - 1);
		uint32_t length = random_length(random, REACH - offset);
		seq_t at = seq_add(model.strip.base, offset);

		if (test_random_below(random, 20) == 0)
			test_memory_fail_after(&model.counts, test_random_below(random, 2));
		switch (test_random_below(random, 5)) {
		case 0:
		case 1:
			do_write(&model, random, at, length);
			break;
		case 2:
			do_space(&model, random, at, length, 1 + (int)test_random_below(random, IOV_MAX_TEST));
			break;
		case 3:
			do_release(&model, random_length(random, REACH));
			break;
		default:
			for (uint32_t i = 0; i < length; i++)
				if (!model.valid[cell(at, i)])
					length = i;
			check_view(&model, at, length, 1 + (int)test_random_below(random, 3));
			break;
		}
		test_memory_fail_never(&model.counts);
		check_invariants(&model);
		if (step % 25 == 0)
			check_all_valid(&model);
	}
	check_all_valid(&model);
	model_done(&model);
}

static void test_against_an_array(void **state)
{
	struct test_random random = test_random_begin("strip against an array");

	(void)state;
	run_against_an_array(&random, SEQ(0), 1000);
	run_against_an_array(&random, SEQ(-1), 1000);
	run_against_an_array(&random, SEQ(0u - REACH / 2 - 5), 1000); /* base crosses zero */
	run_against_an_array(&random, SEQ(0x7fffff00), 1000);
	run_against_an_array(&random, SEQ(test_random_u64(&random)), 20); /* runs into the limit */
}

static void test_empty_holds_nothing(void **state)
{
	static struct model model;
	struct iovec iov;
	int count = -1;
	size_t at_rest;

	(void)state;
	model_init(&model, SEQ(-10), 100);
	at_rest = model.counts.live_count;
	assert_int_equal(strip_view(&model.strip, SEQ(-10), 0, &iov, 1, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(strip_write(&model.strip, &model.pool, SEQ(-10), "", 0), 0);
	assert_int_equal(strip_space(&model.strip, &model.pool, SEQ(-10), 0, &iov, 1, &count), 0);
	assert_int_equal(count, 0);
	strip_release(&model.strip, &model.pool, SEQ(10), true);
	strip_release(&model.strip, &model.pool, SEQ(30), false);
	strip_clear(&model.strip, &model.pool);
	assert_int_equal(model.strip.base.v, 30);
	assert_int_equal(model.counts.live_count, at_rest);
	/* Filled and emptied: the table is gone too. */
	assert_int_equal(strip_write(&model.strip, &model.pool, SEQ(30), "hello", 5), 0);
	strip_release(&model.strip, &model.pool, SEQ(35), true);
	check_invariants(&model);
	assert_int_equal(model.pool.used, 0);
	assert_int_equal(model.pool.strip_table_bytes, 0);
	/* Also when the last block is passed and nobody has said that nothing is left. */
	assert_int_equal(strip_write(&model.strip, &model.pool, SEQ(35), "hello", 5), 0);
	strip_release(&model.strip, &model.pool, SEQ(35 + BLOCK_BYTES), false);
	check_invariants(&model);
	assert_int_equal(model.pool.used, 0);
	model_done(&model);
}

/* An empty strip begins at the start of a block, wherever its base is: 64 KiB are four spans. */
static void test_few_spans(void **state)
{
	static struct model model;
	struct iovec iov[8];
	int count = -1;

	(void)state;
	model_init(&model, SEQ(-12345), 100);
	assert_int_equal(strip_space(&model.strip, &model.pool, SEQ(-12345), 65536, iov, 8, &count), 65536);
	assert_int_equal(count, 4);
	strip_release(&model.strip, &model.pool, SEQ(-12345 + 65536), true);
	assert_int_equal(strip_blocks_missing(&model.strip, SEQ(-12345 + 65536), 65536), 4);
	model_done(&model);
}

/* Each allocation of a write fails in turn: what was there stays. */
static void test_write_fails_whole(void **state)
{
	static struct model model;
	static uint8_t bytes[REACH], old[100];

	(void)state;
	memset(bytes, 'n', sizeof(bytes));
	memset(old, 'o', sizeof(old));
	for (uint64_t fail = 0;; fail++) {
		seq_t base = SEQ(-50);
		int r;

		model_init(&model, base, 100);
		assert_int_equal(strip_write(&model.strip, &model.pool, base, old, sizeof(old)), 0);
		model_note(&model, base, old, sizeof(old));
		test_memory_fail_after(&model.counts, fail);
		r = strip_write(&model.strip, &model.pool, seq_add(base, 50), bytes, BLOCK_BYTES * 40);
		if (r == 0)
			model_note(&model, seq_add(base, 50), bytes, BLOCK_BYTES * 40);
		else
			assert_int_equal(model.strip.blocks, 1);
		check_invariants(&model);
		check_all_valid(&model);
		model_done(&model);
		if (r == 0) {
			assert_true(fail >= 3); /* two chunks and the table */
			break;
		}
	}
	/* The first write of all fails: nothing is held. */
	for (uint64_t fail = 0; fail < 2; fail++) {
		int count = -1;
		struct iovec iov[8];

		model_init(&model, SEQ(-50), 100);
		test_memory_fail_after(&model.counts, fail);
		/* Five blocks: a chunk of them, and a table outside the strip. */
		assert_int_equal(strip_write(&model.strip, &model.pool, SEQ(-50), bytes, 5 * BLOCK_BYTES), -ENOMEM);
		assert_int_equal(model.strip.blocks, 0);
		check_invariants(&model);
		test_memory_fail_never(&model.counts);
		assert_int_equal(strip_write(&model.strip, &model.pool, SEQ(-50), old, 1), 0);
		model_done(&model);
		/* Space, where there is no block, or no table to reach beyond four. */
		model_init(&model, SEQ(-50), 100);
		test_memory_fail_after(&model.counts, fail);
		assert_int_equal(strip_space(&model.strip, &model.pool, SEQ(-50), 5 * BLOCK_BYTES, iov, 8, &count),
		                 fail == 0 ? 0 : 4 * BLOCK_BYTES);
		assert_int_equal(count, fail == 0 ? 0 : 4);
		check_invariants(&model);
		model_done(&model);
	}
}

/* Far ahead of base only what is written costs blocks. */
static void test_sparse(void **state)
{
	static struct model model;
	struct iovec iov;
	int count;

	(void)state;
	model_init(&model, SEQ(-100), 100);
	assert_int_equal(strip_write(&model.strip, &model.pool, SEQ(0x3fffffff), "x", 1), 0);
	assert_int_equal(model.strip.blocks, 1);
	assert_int_equal(strip_view(&model.strip, SEQ(0x3fffffff), 1, &iov, 1, &count), 1);
	assert_memory_equal(iov.iov_base, "x", 1);
	strip_release(&model.strip, &model.pool, SEQ(0x3fffffff), false);
	assert_int_equal(strip_view(&model.strip, SEQ(0x3fffffff), 1, &iov, 1, &count), 1);
	assert_memory_equal(iov.iov_base, "x", 1);
	check_invariants(&model);
	model_done(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_holds_nothing), cmocka_unit_test(test_few_spans),
		cmocka_unit_test(test_write_fails_whole),   cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_against_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
