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

/* The levels of the list by sequence: each is sorted, ends where the queue says, and holds what belongs on it. */
static void check_skips(const struct fixture *f)
{
	for (unsigned level = 0; level < SENT_SKIPS; level++) {
		const struct sent *on = f->queue.skip_first[level], *last = NULL;

		for (const struct sent *entry = f->queue.first; entry; entry = entry->next) {
			if (entry->skips <= level)
				continue;
			assert_ptr_equal(on, entry);
			last = entry;
			on = entry->skip[level];
		}
		assert_null(on);
		assert_ptr_equal(f->queue.skip_last[level], last);
	}
}

/* Returns how many are on it. */
static uint32_t check_links(const struct sent_list *list, bool by_time, bool lost)
{
	const struct sent *entry, *before = NULL;
	uint32_t count = 0;

	for (entry = list->first; entry; before = entry, entry = entry->after) {
		assert_ptr_equal(entry->before, before);
		assert_int_equal((entry->flags & (SENT_LOST | SENT_RETRANSMITTED)) == SENT_LOST, lost);
		assert_false(entry->flags & SENT_SACKED);
		if (by_time && before)
			assert_true(before->at.ns <= entry->at.ns);
		count++;
	}
	assert_ptr_equal(list->last, before);
	return count;
}

/* Sorted, touching, covering; sums that agree with the flags; no entry both SACKed and lost, no two neighbours
 * SACKed; each on the list it belongs on. */
static void check_list(const struct fixture *f)
{
	const struct sent_queue *queue = &f->queue;
	uint32_t count = 0, sacked = 0, lost = 0, resent = 0, sacked_entries = 0;
	const struct sent *entry, *last = NULL;
	seq_t at = f->model.base;

	for (entry = queue->first; entry; last = entry, entry = entry->next) {
		assert_true(seq_eq(entry->start, at));
		assert_true(seq_lt(entry->start, entry->end));
		at = entry->end;
		count++;
		assert_false((entry->flags & SENT_SACKED) && (entry->flags & SENT_LOST));
		assert_false((entry->flags & SENT_RETRANSMITTED) && !(entry->flags & SENT_LOST));
		assert_false(last && (last->flags & SENT_SACKED) && (entry->flags & SENT_SACKED));
		sacked += entry->flags & SENT_SACKED ? length_of(entry) : 0;
		lost += entry->flags & SENT_LOST ? length_of(entry) : 0;
		resent += entry->flags & SENT_RETRANSMITTED ? length_of(entry) : 0;
		sacked_entries += (entry->flags & SENT_SACKED) != 0;
	}
	assert_ptr_equal(queue->last, last);
	assert_true(seq_eq(at, seq_add(f->model.base, f->model.count * UNIT)));
	assert_int_equal(queue->count, count);
	assert_int_equal(queue->sacked_bytes, sacked);
	assert_int_equal(queue->lost_bytes, lost);
	assert_int_equal(queue->resent_bytes, resent);
	assert_int_equal(check_links(&queue->flight, true, false) + check_links(&queue->lost, false, true),
	                 count - sacked_entries);
	check_skips(f);
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
		if (f->model.unit[i].flags &
		    SENT_SACKED) { /* of many that became one the rest is not known any more */
			highest = i + 1;
			assert_true(entry->flags & SENT_SACKED);
			continue;
		}
		assert_int_equal(entry->flags, f->model.unit[i].flags);
		assert_int_equal(entry->at.ns, f->model.unit[i].at);
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
	assert_int_equal(news->has_fresh, expected->has_fresh);
	assert_int_equal(news->has_newest, expected->has_newest);
	if (expected->has_fresh) /* the entry may be longer than the unit */
		assert_in_range(news->fresh_end.v - expected->fresh_end.v, 0, UNITS_MAX * UNIT);
	if (expected->has_newest)
		assert_int_equal(news->newest_at.ns, expected->newest_at.ns);
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

/* Unit `i` has arrived, which was not known before. */
static void expect_delivered(struct sent_news *expected, const struct fixture *f, uint32_t i)
{
	const struct unit *unit = &f->model.unit[i];
	bool resent = unit->flags & SENT_EVER_RETRANSMITTED;

	expected->delivered_bytes += UNIT;
	if (!resent && !expected->has_fresh) {
		expected->fresh_end = seq_add(f->model.base, (i + 1) * UNIT);
		expected->has_fresh = true;
	}
	if (resent && unit->at > expected->resent_before.ns)
		return;
	if (!expected->has_newest || unit->at > expected->newest_at.ns)
		expected->newest_at.ns = unit->at;
	expected->has_newest = true;
}

static void acked(struct fixture *f)
{
	uint32_t units = test_random_below(&f->random, f->model.count + 1);
	seq_t una = seq_add(f->model.base, units * UNIT);
	struct sent_news news = { .resent_before = { f->now - test_random_below(&f->random, 50) } };
	struct sent_news expected = { .acked_bytes = units * UNIT, .resent_before = news.resent_before };
	bool whole = units == f->model.count;

	if (test_random_below(&f->random, 3))
		return; /* or there would never be much in flight */
	for (const struct sent *entry = f->queue.first; entry; entry = entry->next)
		whole |= seq_eq(entry->start, una); /* an entry cut in its middle gives no sample */
	for (uint32_t i = 0; i < units; i++) {
		if (!(f->model.unit[i].flags & SENT_SACKED))
			expect_delivered(&expected, f, i);
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
	struct sent_news news = { .resent_before = { f->now - test_random_below(&f->random, 50) } };
	struct sent_news expected = { .resent_before = news.resent_before };

	if (to > f->model.count)
		to = f->model.count;
	for (uint32_t i = from; i < to; i++) {
		struct unit *unit = &f->model.unit[i];

		if (unit->flags & SENT_SACKED)
			continue;
		expected.sacked_bytes += UNIT;
		expect_delivered(&expected, f, i);
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

/* RFC 8985 section 6.2 step 5. */
static void lost_by_time(struct fixture *f)
{
	struct instant newest = { f->now - test_random_below(&f->random, 100) };
	struct instant deadline = { newest.ns - 1 - test_random_below(&f->random, 50) }, next;
	seq_t newest_end = seq_add(f->model.base, test_random_below(&f->random, f->model.count + 1) * UNIT);
	struct sent_news news = { 0 }, expected = { 0 };
	int64_t waits = INT64_MAX;

	for (uint32_t i = 0; i < f->model.count; i++) {
		struct unit *unit = &f->model.unit[i];
		bool in_flight =
		        !(unit->flags & SENT_SACKED) && (unit->flags & (SENT_LOST | SENT_RETRANSMITTED)) != SENT_LOST;

		/* What left at the very time of the newest is not due by any deadline given here. */
		if (!in_flight || unit->at >= newest.ns)
			continue;
		if (unit->at <= deadline.ns)
			model_lost(unit, &expected);
		else if (unit->at < waits)
			waits = unit->at;
	}
	next = sent_mark_lost_by_time(&f->queue, newest, newest_end, deadline, &news);
	take_news(&news, &expected, true);
	if (waits != INT64_MAX)
		assert_int_equal(next.ns, waits);
}

/* Flags of what was SACKed are those of the entry it became part of. */
static void copy_from_list(struct fixture *f, uint32_t i)
{
	seq_t at = seq_add(f->model.base, i * UNIT);
	const struct sent *entry = f->queue.first;

	while (seq_leq(entry->end, at))
		entry = entry->next;
	f->model.unit[i] = (struct unit){ entry->flags, entry->at.ns };
}

static void all_lost(struct fixture *f)
{
	struct instant deadline = test_random_below(&f->random, 2)
	                                  ? INSTANT_NEVER
	                                  : (struct instant){ f->now - test_random_below(&f->random, 50) };
	bool reneged = f->model.count > 0 && (f->model.unit[0].flags & SENT_SACKED);
	struct sent_news news = { 0 }, expected = { 0 };
	bool was_sacked[UNITS_MAX] = { 0 };
	const struct sent *entry;
	uint32_t first;

	if (test_random_below(&f->random, 5))
		return;
	first = f->queue.first ? length_of(f->queue.first) / UNIT : 0;
	for (uint32_t i = 0; i < f->model.count; i++) {
		struct unit *unit = &f->model.unit[i];

		was_sacked[i] = unit->flags & SENT_SACKED;
		if ((!(unit->flags & SENT_SACKED) || reneged) &&
		    (!(unit->flags & SENT_LOST) || (unit->flags & SENT_RETRANSMITTED)) &&
		    (reneged || i < first || unit->at <= deadline.ns))
			model_lost(unit, &expected);
	}
	assert_int_equal(sent_mark_all_lost(&f->queue, deadline, &news), reneged);
	take_news(&news, &expected, true);
	for (uint32_t i = 0; i < f->model.count; i++)
		if (was_sacked[i] && reneged)
			copy_from_list(f, i);
	for (entry = f->queue.lost.first; entry && entry->after; entry = entry->after)
		assert_true(seq_lt(entry->start, entry->after->start)); /* repaired from the front */
}

static void resend(struct fixture *f)
{
	uint32_t units = 1 + test_random_below(&f->random, 4), i;
	struct sent *entry = sent_next_lost(&f->queue);
	bool waits = false;

	for (i = 0; i < f->model.count; i++)
		waits |= (f->model.unit[i].flags & (SENT_LOST | SENT_RETRANSMITTED)) == SENT_LOST;
	assert_int_equal(entry != NULL, waits);
	if (!entry)
		return;
	i = (uint32_t)seq_diff(entry->start, f->model.base) / UNIT;
	assert_int_equal(f->model.unit[i].flags & (SENT_LOST | SENT_RETRANSMITTED), SENT_LOST);
	if (units * UNIT > length_of(entry))
		units = length_of(entry) / UNIT;
	for (uint32_t n = 0; n < units; n++)
		f->model.unit[i + n] =
		        (struct unit){ SENT_LOST | SENT_RETRANSMITTED | SENT_EVER_RETRANSMITTED, f->now };
	assert_true(sent_resend(&f->queue, &f->pool, entry, units * UNIT, (struct instant){ f->now }));
}

/* A probe: the end of the queue once more. */
static void probe(struct fixture *f)
{
	uint32_t units = 1 + test_random_below(&f->random, 3), count = f->model.count;
	struct sent *entry;

	if (units > count)
		return;
	entry = sent_tail(&f->queue, &f->pool, units * UNIT);
	assert_int_equal(entry == NULL, (f->model.unit[count - 1].flags & (SENT_SACKED | SENT_LOST)) != 0);
	if (!entry)
		return;
	assert_true(length_of(entry) <= units * UNIT);
	units = length_of(entry) / UNIT;
	sent_probe(&f->queue, entry, (struct instant){ f->now });
	for (uint32_t i = count - units; i < count; i++) {
		f->model.unit[i].flags |= SENT_EVER_RETRANSMITTED;
		f->model.unit[i].at = f->now;
	}
}

static void (*const operations[])(struct fixture *) = {
	append, append, append, acked,    sacked,       sacked, lost_below_sacked,
	resend, resend, resend, all_lost, lost_by_time, probe,  first_lost,
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
		{ 500, 9000, 8500 }, { 0, 10000, 10000 }, { 9950, 10000, 50 }, /* its last segment is short */
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

/* A spurious repair taken back: all is in flight, in the order in which it was sent. */
static void unmarking_restores_the_order(void **state)
{
	struct sent_news news = { 0 };
	struct sent *entry;
	struct fixture f;

	(void)state;
	begin(&f, 1, 100);
	f.model.base = SEQ(0u - 3000);
	for (uint32_t i = 0; i < 10; i++)
		assert_true(sent_append(&f.queue, &f.pool, seq_add(f.model.base, i * 1000),
		                        seq_add(f.model.base, (i + 1) * 1000), (struct instant){ i }));
	f.model.count = 10000 / UNIT;
	sent_sacked(&f.queue, &f.pool, seq_add(f.model.base, 8000), seq_add(f.model.base, 9000), &news);
	sent_mark_all_lost(&f.queue, (struct instant){ 6 }, &news);
	assert_int_equal(f.queue.lost_bytes, 7000);
	assert_true(sent_resend(&f.queue, &f.pool, sent_next_lost(&f.queue), 1000, (struct instant){ 20 }));
	assert_true(sent_append(&f.queue, &f.pool, seq_add(f.model.base, 10000), seq_add(f.model.base, 11000),
	                        (struct instant){ 21 }));
	f.model.count = 11000 / UNIT;
	check_list(&f);
	sent_unmark_lost(&f.queue);
	check_list(&f);
	assert_int_equal(f.queue.lost_bytes, 0);
	assert_int_equal(f.queue.resent_bytes, 0);
	assert_int_equal(f.queue.sacked_bytes, 1000);
	assert_null(sent_next_lost(&f.queue));
	entry = f.queue.flight.first;
	assert_int_equal(entry->at.ns, 1);
	assert_int_equal(f.queue.first->flags, SENT_EVER_RETRANSMITTED);
	assert_int_equal(f.queue.flight.last->at.ns, 21);
	end(&f);
}

/* The head of the line first: what is lost again goes before what has not had its turn. */
static void lowest_is_sent_again_first(void **state)
{
	struct sent_news news = { 0 };
	struct fixture f;

	(void)state;
	begin(&f, 1, 10);
	for (uint32_t i = 0; i < 4; i++)
		assert_true(
		        sent_append(&f.queue, &f.pool, SEQ(i * 1000), SEQ((i + 1) * 1000), (struct instant){ i }));
	sent_mark_lost_by_time(&f.queue, (struct instant){ 3 }, SEQ(4000), (struct instant){ 2 }, &news);
	assert_true(sent_resend(&f.queue, &f.pool, sent_next_lost(&f.queue), 1000, (struct instant){ 4 }));
	assert_int_equal(sent_next_lost(&f.queue)->start.v, 1000);
	sent_mark_lost_by_time(&f.queue, (struct instant){ 9 }, SEQ(9000), (struct instant){ 5 }, &news);
	assert_int_equal(news.lost_again, 1);
	assert_int_equal(sent_next_lost(&f.queue)->start.v, 0);
	end(&f);
}

/* RFC 8985 section 6.2: of what left at the same time, the sequence tells what was sent before. */
static void same_time_is_told_by_sequence(void **state)
{
	static const struct {
		int64_t newest_at;
		uint32_t newest_end;
		uint32_t lost;
	} rows[] = { { 5, 3000, 2000 }, { 5, 1000, 0 }, { 4, 4000, 0 }, { 6, 0, 4000 }, { 5, 2000, 1000 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sent_news news = { 0 };
		struct fixture f;

		begin(&f, 1, 10);
		for (uint32_t n = 0; n < 4; n++)
			assert_true(sent_append(&f.queue, &f.pool, SEQ(0u - 1500 + n * 1000),
			                        SEQ(0u - 500 + n * 1000), (struct instant){ 5 }));
		sent_mark_lost_by_time(&f.queue, (struct instant){ rows[i].newest_at },
		                       SEQ(0u - 1500 + rows[i].newest_end), (struct instant){ 5 }, &news);
		assert_int_equal(news.lost_bytes, rows[i].lost);
		end(&f);
	}
}

/* Sixteen megabytes in segments of their own: what was SACKed is one entry, whatever is told again. */
static void told_again_costs_nothing(void **state)
{
	struct sent_news news = { 0 };
	struct fixture f;

	(void)state;
	begin(&f, 1, 20000);
	for (uint32_t i = 0; i < 11600; i++)
		assert_true(
		        sent_append(&f.queue, &f.pool, SEQ(i * 1448), SEQ((i + 1) * 1448), (struct instant){ i }));
	sent_sacked(&f.queue, &f.pool, SEQ(1448), SEQ(11599 * 1448), &news);
	assert_int_equal(f.queue.count, 3);
	assert_int_equal(news.sacked_bytes, 11598u * 1448);
	sent_sacked(&f.queue, &f.pool, SEQ(1448), SEQ(11599 * 1448), &news);
	assert_int_equal(news.sacked_bytes, 11598u * 1448);
	f.model.count = 0;
	end(&f);
}

/* A block is found by a few steps on the higher levels of the list. */
static void blocks_are_found_by_skipping(void **state)
{
	struct fixture f;
	uint32_t on[SENT_SKIPS] = { 0 };

	(void)state;
	begin(&f, 1, 20000);
	for (uint32_t i = 0; i < 11600; i++)
		assert_true(
		        sent_append(&f.queue, &f.pool, SEQ(i * 1448), SEQ((i + 1) * 1448), (struct instant){ i }));
	for (unsigned level = 0; level < SENT_SKIPS; level++)
		for (const struct sent *entry = f.queue.skip_first[level]; entry; entry = entry->skip[level])
			on[level]++;
	assert_int_equal(on[0], 11600 / 8);
	assert_int_equal(on[1], 11600 / 64);
	assert_int_equal(on[2], 11600 / 512);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations),
		cmocka_unit_test(random_operations_without_memory),
		cmocka_unit_test(crumbs_leave_entries_whole),
		cmocka_unit_test(unmarking_restores_the_order),
		cmocka_unit_test(same_time_is_told_by_sequence),
		cmocka_unit_test(lowest_is_sent_again_first),
		cmocka_unit_test(told_again_costs_nothing),
		cmocka_unit_test(blocks_are_found_by_skipping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
