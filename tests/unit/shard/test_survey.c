/* Surveys: every shard is walked, in slices, and an answer can be bounded, filtered and called off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "shard/survey.h"

struct answer {
	size_t count, chunks;
	uint64_t id_sum;
	bool done, truncated, released;
	struct survey *cancel_me; /* in the first chunk */
	struct survey *pause_me;  /* in every chunk */
};

static void take_chunk(void *user, const struct stack_conn_info *infos, size_t count)
{
	struct answer *answer = user;

	answer->chunks++;
	answer->count += count;
	for (size_t i = 0; i < count; i++)
		answer->id_sum += infos[i].id;
	if (answer->cancel_me)
		survey_cancel(answer->cancel_me);
	if (answer->pause_me)
		survey_pause(answer->pause_me);
}

static void take_done(void *user, bool truncated)
{
	struct answer *answer = user;

	answer->done = true;
	answer->truncated = truncated;
}

static void take_released(void *user)
{
	((struct answer *)user)->released = true;
}

static bool is_even(const void *context, const struct stack_conn_info *info, struct instant now)
{
	(void)context;
	return now.ns > 0 && info->id % 2 == 0;
}

static void run(struct fixture *f, struct survey_options options, struct answer *answer, bool cancel)
{
	struct survey *survey;

	options.chunk = take_chunk;
	options.done = take_done;
	options.released = take_released;
	options.user = answer;
	assert_int_equal(survey_start(f->shards, &options, &survey), 0);
	assert_int_equal(answer->chunks, 0);
	if (cancel)
		answer->cancel_me = survey;
	WAIT_FOR(f, answer->released);
}

static void everything_in_slices(void **state)
{
	struct answer all = { 0 }, even = { 0 }, some = { 0 };
	struct fixture f;

	(void)state;
	fixture_open(&f, 3, (struct duration){ 0 });
	fake_stack(f.shards, 0)->records = 1000;
	fake_stack(f.shards, 2)->records = 333; /* shard 1 has none */
	assert_int_equal(shards_start(f.shards), 0);

	run(&f, (struct survey_options){ 0 }, &all, false);
	assert_true(all.done);
	assert_false(all.truncated);
	assert_int_equal(all.count, 1333);
	assert_int_equal(all.id_sum, 1000 * 1001 / 2 + 333u * 2000000 + 333 * 334 / 2);
	assert_true(fake_stack(f.shards, 0)->walks >= 1000 / 128);

	run(&f, (struct survey_options){ .match = is_even }, &even, false);
	assert_int_equal(even.count, 500 + 166);

	run(&f, (struct survey_options){ .match = is_even, .max = 77 }, &some, false);
	assert_int_equal(some.count, 77);
	assert_true(some.truncated);
	fixture_close(&f);
}

static void called_off(void **state)
{
	struct answer answer = { 0 };
	struct fixture f;

	(void)state;
	fixture_open(&f, 1, (struct duration){ 0 });
	fake_stack(f.shards, 0)->records = 100000;
	assert_int_equal(shards_start(f.shards), 0);
	run(&f, (struct survey_options){ 0 }, &answer, true);
	assert_false(answer.done);
	assert_int_equal(answer.chunks, 1);
	fixture_close(&f);
}

/* Runs main's loop until nothing has happened for a few rounds of a walk that would go on. */
static void let_it_run(struct fixture *f)
{
	unsigned walks = fake_stack(f->shards, 0)->walks;
	struct instant until = instant_add(shard_now(), DURATION_MS(20));

	while (!instant_reached(until, shard_now()))
		event_base_loop(f->base, EVLOOP_NONBLOCK);
	assert_int_equal(fake_stack(f->shards, 0)->walks, walks);
}

static void paused(void **state)
{
	struct answer answer = { 0 };
	struct survey_options options = {
		.chunk = take_chunk, .done = take_done, .released = take_released, .user = &answer
	};
	struct survey *survey;
	struct fixture f;

	(void)state;
	fixture_open(&f, 1, (struct duration){ 0 });
	fake_stack(f.shards, 0)->records = 150;
	assert_int_equal(shards_start(f.shards), 0);

	assert_int_equal(survey_start(f.shards, &options, &survey), 0);
	answer.pause_me = survey;
	for (size_t chunks = 1; chunks <= 3; chunks++) {
		WAIT_FOR(&f, answer.chunks == chunks);
		let_it_run(&f);
		assert_int_equal(answer.chunks, chunks);
		assert_false(answer.done);
		survey_resume(survey);
	}
	WAIT_FOR(&f, answer.released);
	assert_true(answer.done);
	assert_int_equal(answer.count, 150);

	/* Called off while nothing is under way. */
	answer = (struct answer){ 0 };
	assert_int_equal(survey_start(f.shards, &options, &survey), 0);
	answer.pause_me = survey;
	WAIT_FOR(&f, answer.chunks == 1);
	let_it_run(&f);
	survey_cancel(survey);
	assert_true(answer.released);
	assert_false(answer.done);
	fixture_close(&f);
}

static void sum_up(void *user, const struct survey_totals *totals)
{
	struct answer *answer = user;

	assert_int_equal(totals->count, 2);
	assert_int_equal(totals->counters.frames_in, 30);
	assert_int_equal(totals->counters.verdict[VERDICT_DROP_PAWS], 3);
	assert_int_equal(totals->counters.transitions[TCPS_LISTEN][TCPS_SYN_RECEIVED], 7);
	assert_int_equal(totals->gauges.connections, 11);
	assert_int_equal(totals->gauges.connections_max, 2000);
	assert_int_equal(totals->gauges.orphans, 6);
	assert_int_equal(totals->shard[1].counters.frames_in, 20);
	assert_true(totals->shard[0].status.link_up);
	answer->done = true;
}

static void totals_of_all_shards(void **state)
{
	struct answer answer = { 0 };
	struct fixture f;

	(void)state;
	fixture_open(&f, 2, (struct duration){ 0 });
	fake_stack(f.shards, 0)->counters.frames_in = 10;
	fake_stack(f.shards, 1)->counters.frames_in = 20;
	fake_stack(f.shards, 1)->counters.verdict[VERDICT_DROP_PAWS] = 3;
	fake_stack(f.shards, 0)->counters.transitions[TCPS_LISTEN][TCPS_SYN_RECEIVED] = 7;
	fake_stack(f.shards, 0)->records = 5;
	fake_stack(f.shards, 1)->records = 6;
	assert_int_equal(shards_start(f.shards), 0);
	assert_int_equal(survey_totals_start(f.shards, sum_up, &answer), 0);
	WAIT_FOR(&f, answer.done);
	fixture_close(&f);
}

static void remember_found(void *user, const struct stack_conn_info *info)
{
	struct answer *answer = user;

	answer->done = true;
	answer->count = info ? 1 : 0;
	answer->id_sum = info ? info->id : 0;
}

static void remember_closed(void *user, int error)
{
	struct answer *answer = user;

	answer->done = true;
	answer->count = (size_t)-error;
}

static void one_connection(void **state)
{
	struct answer found = { 0 }, missing = { 0 }, closed = { 0 }, not_closed = { 0 };
	struct fixture f;

	(void)state;
	fixture_open(&f, 2, (struct duration){ 0 });
	fake_stack(f.shards, 1)->records = 300;
	assert_int_equal(shards_start(f.shards), 0);
	assert_int_equal(survey_find_start(f.shards, 1000200, remember_found, &found), 0);
	assert_int_equal(survey_find_start(f.shards, 1000301, remember_found, &missing), 0);
	assert_int_equal(survey_close_start(f.shards, 1000123, true, remember_closed, &closed), 0);
	assert_int_equal(survey_close_start(f.shards, 5, true, remember_closed, &not_closed), 0);
	WAIT_FOR(&f, found.done && missing.done && closed.done && not_closed.done);
	assert_int_equal(found.id_sum, 1000200);
	assert_int_equal(missing.count, 0);
	assert_int_equal(closed.count, 0);
	assert_int_equal(fake_stack(f.shards, 1)->closed_id, 1000123);
	assert_int_equal(not_closed.count, 2); /* ENOENT */
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_in_slices), cmocka_unit_test(called_off),     cmocka_unit_test(paused),
		cmocka_unit_test(totals_of_all_shards), cmocka_unit_test(one_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
