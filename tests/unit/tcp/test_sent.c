/* The list of what is in flight against a naive scoreboard: one record per unit of bytes. */
#include "../../support/test_memory.h"
#include "../../support/test_random.h"
#include "core/tcp/sent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define UNIT 200u /* no entry is cut shorter by a SACK block */
#define UNITS_MAX 300
#define ROUNDS 300
#define STEPS 400

struct unit {
	uint32_t flags;
	int64_t at;
};

struct model {
	seq_t base; /* of unit[0] */
	uint32_t count;
	struct unit unit[UNITS_MAX];
};

struct fixture {
	struct test_memory memory;
	struct pool pool;
	struct sent_queue queue;
	struct model model;
	struct test_random random;
	int64_t now;
};

static uint32_t length_of(const struct sent *entry)
{
	return (uint32_t)seq_diff(entry->end, entry->start);
}

static void begin(struct fixture *f, uint64_t seed, uint32_t limit)
{
	struct memory memory;

	memset(f, 0, sizeof(*f));
	memory = test_memory(&f->memory);
	f->random.state = seed;
	f->model.base = SEQ(0u - test_random_below(&f->random, 100000)); /* around the wrap */
	assert_int_equal(pool_init(&f->pool, &memory, (sizeof(struct sent) + 7) & ~7u, limit), 0);
}

static void end(struct fixture *f)
{
	sent_clear(&f->queue, &f->pool);
	assert_int_equal(f->pool.used, 0);
	assert_null(f->queue.first);
	assert_null(f->queue.last);
	pool_done(&f->pool);
	assert_int_equal(f->memory.live_count, 0);
}

/* Sorted, touching, covering; sums that agree with the flags; no entry both SACKed and lost; the hint. */
static void check_list(const struct fixture *f)
{
	const struct sent_queue *queue = &f->queue;
	uint32_t count = 0, sacked = 0, lost = 0, resent = 0;
	const struct sent *entry, *last = NULL;
	bool hint_seen = queue->hint == NULL;
	seq_t at = f->model.base;

	for (entry = queue->first; entry; last = entry, entry = entry->next) {
		bool waits = (entry->flags & (SENT_LOST | SENT_RETRANSMITTED)) == SENT_LOST;

		assert_true(seq_eq(entry->start, at));
		assert_true(seq_lt(entry->start, entry->end));
		at = entry->end;
		count++;
		assert_false((entry->flags & SENT_SACKED) && (entry->flags & SENT_LOST));
		assert_false((entry->flags & SENT_RETRANSMITTED) && !(entry->flags & SENT_LOST));
		sacked += entry->flags & SENT_SACKED ? length_of(entry) : 0;
		lost += entry->flags & SENT_LOST ? length_of(entry) : 0;
		resent += entry->flags & SENT_RETRANSMITTED ? length_of(entry) : 0;
		hint_seen |= entry == queue->hint;
		assert_true(!waits || (queue->hint && hint_seen));
	}
	assert_true(hint_seen);
	assert_ptr_equal(queue->last, last);
	assert_true(seq_eq(at, seq_add(f->model.base, f->model.count * UNIT)));
	assert_int_equal(queue->count, count);
	assert_int_equal(queue->sacked_bytes, sacked);
	assert_int_equal(queue->lost_bytes, lost);
	assert_int_equal(queue->resent_bytes, resent);
}

static void compare(const struct fixture *f)
{
	const struct sent *entry = f->queue.first;
	uint32_t highest = 0;

	check_list(f);
	for (uint32_t i = 0; i < f->model.count; i++) {
		seq_t at = seq_add(f->model.base, i * UNIT);

		if (seq_leq(entry->end, at))
			entry = entry->next;
		assert_int_equal(entry->flags, f->model.unit[i].flags);
		assert_int_equal(entry->at.ns, f->model.unit[i].at);
		if (f->model.unit[i].flags & SENT_SACKED)
			highest = i + 1;
	}
	if (highest > 0)
		assert_int_equal(f->queue.sacked_end.v, f->model.base.v + highest * UNIT);
}

/* ---- each operation, on both sides
 * --------------------------------------------------------------------------------- */

static void append(struct fixture *f)
{
	uint32_t room = UNITS_MAX - f->model.count, units = 1 + test_random_below(&f->random, 20);
	seq_t start = seq_add(f->model.base, f->model.count * UNIT);

	if (units > room)
		return;
	for (uint32_t i = 0; i < units; i++)
		f->model.unit[f->model.count++] = (struct unit){ 0, f->now };
	assert_true(
	        sent_append(&f->queue, &f->pool, start, seq_add(start, units * UNIT), (struct instant){ f->now }));
}

static void take_news(const struct sent_news *news, const struct sent_news *expected, bool exact_sample)
{
	assert_int_equal(news->acked_bytes, expected->acked_bytes);
	assert_int_equal(news->sacked_bytes, expected->sacked_bytes);
	assert_int_equal(news->delivered_bytes, expected->delivered_bytes);
	assert_int_equal(news->lost_bytes, expected->lost_bytes);
	if (exact_sample)
		assert_int_equal(news->has_sample, expected->has_sample);
	if (news->has_sample && exact_sample)
		assert_int_equal(news->sample_at.ns, expected->sample_at.ns);
}

static void expect_sample(struct sent_news *expected, const struct unit *unit)
{
	if (unit->flags & (SENT_EVER_RETRANSMITTED | SENT_SACKED))
		return;
	if (!expected->has_sample || unit->at > expected->sample_at.ns)
		expected->sample_at.ns = unit->at;
	expected->has_sample = true;
}

static void acked(struct fixture *f)
{
	uint32_t units = test_random_below(&f->random, f->model.count + 1);
	seq_t una = seq_add(f->model.base, units * UNIT);
	struct sent_news news = { 0 }, expected = { .acked_bytes = units * UNIT };
	bool whole = units == f->model.count;

	if (test_random_below(&f->random, 3))
		return; /* or there would never be much in flight */
	for (const struct sent *entry = f->queue.first; entry; entry = entry->next)
		whole |= seq_eq(entry->start, una); /* an entry cut in its middle gives no sample */
	for (uint32_t i = 0; i < units; i++) {
		if (!(f->model.unit[i].flags & SENT_SACKED))
			expected.delivered_bytes += UNIT;
		expect_sample(&expected, &f->model.unit[i]);
	}
	sent_acked(&f->queue, &f->pool, una, &news);
	take_news(&news, &expected, whole);
	f->model.base = una;
	f->model.count -= units;
	memmove(f->model.unit, f->model.unit + units, f->model.count * sizeof(f->model.unit[0]));
}

static void sacked(struct fixture *f)
{
	uint32_t from = test_random_below(&f->random, f->model.count + 1);
	uint32_t to = from + test_random_below(&f->random, 30);
	struct sent_news news = { 0 }, expected = { 0 };

	if (to > f->model.count)
		to = f->model.count;
	for (uint32_t i = from; i < to; i++) {
		struct unit *unit = &f->model.unit[i];

		if (unit->flags & SENT_SACKED)
			continue;
		expected.sacked_bytes += UNIT;
		expected.delivered_bytes += UNIT;
		expect_sample(&expected, unit);
		unit->flags = (unit->flags & SENT_EVER_RETRANSMITTED) | SENT_SACKED;
	}
	sent_sacked(&f->queue, &f->pool, seq_add(f->model.base, from * UNIT), seq_add(f->model.base, to * UNIT),
	            &news);
	take_news(&news, &expected, true);
}

static void model_lost(struct unit *unit, struct sent_news *expected)
{
	unit->flags = (unit->flags & SENT_EVER_RETRANSMITTED) | SENT_LOST;
	expected->lost_bytes += UNIT;
}

static void lost_below_sacked(struct fixture *f)
{
	uint32_t threshold = 1 + test_random_below(&f->random, 10 * UNIT), above = 0;
	struct sent_news news = { 0 }, expected = { 0 };

	for (uint32_t i = f->model.count; i-- > 0;) {
		struct unit *unit = &f->model.unit[i];

		if (unit->flags & SENT_SACKED)
			above += UNIT;
		else if (!(unit->flags & SENT_LOST) && above >= threshold)
			model_lost(unit, &expected);
	}
	sent_mark_lost_below_sacked(&f->queue, threshold, &news);
	take_news(&news, &expected, true);
}

static void first_lost(struct fixture *f)
{
	uint32_t units = 1 + test_random_below(&f->random, 5);
	struct sent_news news = { 0 }, expected = { 0 };

	if (f->queue.first && length_of(f->queue.first) < units * UNIT)
		units = length_of(f->queue.first) / UNIT; /* the first entry only */
	for (uint32_t i = 0; f->queue.first && i < units; i++) {
		struct unit *unit = &f->model.unit[i];

		if (!(unit->flags & SENT_SACKED) &&
		    (!(unit->flags & SENT_LOST) || (unit->flags & SENT_RETRANSMITTED)))
			model_lost(unit, &expected);
	}
	sent_mark_first_lost(&f->queue, &f->pool, units * UNIT, &news);
	take_news(&news, &expected, true);
}

static void all_lost(struct fixture *f)
{
	bool reneged = f->model.count > 0 && (f->model.unit[0].flags & SENT_SACKED);
	struct sent_news news = { 0 }, expected = { 0 };

	if (test_random_below(&f->random, 5))
		return;
	for (uint32_t i = 0; i < f->model.count; i++) {
		struct unit *unit = &f->model.unit[i];

		if ((!(unit->flags & SENT_SACKED) || reneged) &&
		    (!(unit->flags & SENT_LOST) || (unit->flags & SENT_RETRANSMITTED)))
			model_lost(unit, &expected);
	}
	sent_mark_all_lost(&f->queue, &news);
	take_news(&news, &expected, true);
}

static void resend(struct fixture *f)
{
	uint32_t units = 1 + test_random_below(&f->random, 4), i = 0;
	struct sent *entry = sent_next_lost(&f->queue);

	while (i < f->model.count && (f->model.unit[i].flags & (SENT_LOST | SENT_RETRANSMITTED)) != SENT_LOST)
		i++;
	if (i == f->model.count) {
		assert_null(entry);
		return;
	}
	assert_non_null(entry);
	assert_true(seq_eq(entry->start, seq_add(f->model.base, i * UNIT)));
	if (units * UNIT > length_of(entry))
		units = length_of(entry) / UNIT;
	for (uint32_t n = 0; n < units; n++)
		f->model.unit[i + n] =
		        (struct unit){ SENT_LOST | SENT_RETRANSMITTED | SENT_EVER_RETRANSMITTED, f->now };
	assert_true(sent_resend(&f->queue, &f->pool, entry, units * UNIT, (struct instant){ f->now }));
}

static void (*const operations[])(struct fixture *) = {
	append, append, append, acked, sacked, sacked, lost_below_sacked, first_lost, all_lost, resend, resend
};

static void random_operations(void **state)
{
	struct test_random random = test_random_begin("test_sent");
	static struct fixture f;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		begin(&f, test_random_u64(&random), 100000);
		for (int i = 0; i < STEPS; i++) {
			f.now++;
			operations[test_random_below(&f.random, sizeof(operations) / sizeof(operations[0]))](&f);
			compare(&f);
		}
		end(&f);
	}
}

/* Without memory for a split some entries stay as they are; the list stays sound. */
static void random_operations_without_memory(void **state)
{
	struct test_random random = test_random_begin("test_sent, little memory");
	static struct fixture f;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		begin(&f, test_random_u64(&random), 1 + test_random_below(&random, 12));
		for (int i = 0; i < STEPS; i++) {
			seq_t from = seq_add(f.model.base, test_random_below(&f.random, f.model.count + 1) * UNIT);
			seq_t to = seq_add(f.model.base, f.model.count * UNIT);
			struct sent_news news = { 0 };
			struct sent *entry;

			switch (test_random_below(&f.random, 6)) {
			case 0:
				if (f.model.count + 4 < UNITS_MAX &&
				    sent_append(&f.queue, &f.pool, to, seq_add(to, 4 * UNIT), INSTANT_ZERO))
					f.model.count += 4;
				break;
			case 1:
				sent_acked(&f.queue, &f.pool, from, &news);
				f.model.count -= (uint32_t)seq_diff(from, f.model.base) / UNIT;
				f.model.base = from;
				break;
			case 2:
				sent_sacked(&f.queue, &f.pool, from, seq_add(from, 3 * UNIT), &news);
				break;
			case 3:
				sent_mark_first_lost(&f.queue, &f.pool, UNIT, &news);
				break;
			case 4:
				sent_mark_lost_below_sacked(&f.queue, 2 * UNIT, &news);
				break;
			default:
				entry = sent_next_lost(&f.queue);
				if (entry)
					sent_resend(&f.queue, &f.pool, entry, UNIT, INSTANT_ZERO);
				break;
			}
			check_list(&f);
		}
		end(&f);
	}
}

/* A peer that reports crumbs can't make the list long. */
static void crumbs_leave_entries_whole(void **state)
{
	static const struct {
		uint32_t start, end, marked;
	} blocks[] = {
		{ 0, 199, 0 },       { 0, 200, 200 },     { 1, 10000, 0 }, /* the piece in front would be a crumb */
		{ 200, 9801, 0 },                                          /* and here the one behind */
		{ 500, 9000, 8500 }, { 0, 10000, 10000 },
	};
	struct sent_news news;
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		begin(&f, 1, 10);
		news = (struct sent_news){ 0 };
		assert_true(sent_append(&f.queue, &f.pool, SEQ(0), SEQ(10000), INSTANT_ZERO));
		sent_sacked(&f.queue, &f.pool, SEQ(blocks[i].start), SEQ(blocks[i].end), &news);
		assert_int_equal(f.queue.sacked_bytes, blocks[i].marked);
		assert_int_equal(news.sacked_bytes, blocks[i].marked);
		end(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations),
		cmocka_unit_test(random_operations_without_memory),
		cmocka_unit_test(crumbs_leave_entries_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
