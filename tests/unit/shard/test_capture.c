/* What a shard's stack receives and sends goes to whoever captures, with the stack's view of it, and to nobody else.
 */
#include "fixture.h"

#include "capture/capture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct capture_options everything = { .bytes = 128, .queue_bytes = 65536 };

static uint64_t queued(const struct capture *capture)
{
	return capture_get_counts(capture).queued;
}

static void both_ways(void **state)
{
	const struct capture_packet *packet[16];
	struct capture *capture, *second;
	struct fixture f;
	size_t count;

	(void)state;
	fixture_open(&f, 2, (struct duration){ 0 });
	assert_int_equal(shards_start(f.shards), 0);
	WAIT_FOR(&f, fake_stack(f.shards, 0)->announcements == 1 && fake_stack(f.shards, 1)->announcements == 1);
	assert_null(fake_stack(f.shards, 0)->watch);
	assert_int_equal(capture_new(&everything, 2, &capture), 0);
	assert_int_equal(capture_new(&everything, 2, &second), 0);
	assert_int_equal(shards_capture_begin(f.shards, capture), 0);
	assert_int_equal(shards_capture_begin(f.shards, second), 0);
	fake_link_arrive(f.link, 1, 3);
	WAIT_FOR(&f, queued(capture) == 3);
	shards_capture_end(f.shards, second);
	atomic_store(&fake_stack(f.shards, 0)->to_send, 2);
	fake_link_arrive(f.link, 0, 1);
	WAIT_FOR(&f, queued(capture) == 6);
	assert_int_equal(queued(second), 3);
	count = capture_take(capture, INT64_MAX, packet, 16);
	assert_int_equal(count, 6);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(packet[i]->shard, i < 3);
		assert_int_equal(packet[i]->flags, CAPTURE_IN);
		assert_int_equal(packet[i]->length, 64);
		assert_int_equal(packet[i]->view.verdict, VERDICT_DUPLICATE);
	}
	for (size_t i = 4; i < 6; i++) {
		assert_int_equal(packet[i]->flags, 0);
		assert_int_equal(packet[i]->length, 60);
		assert_int_equal(packet[i]->view.connection_id, 100 + i - 4);
	}
	assert_true(packet[5]->time_ns >= packet[0]->time_ns && packet[0]->time_ns > 0);
	shards_capture_end(f.shards, capture);
	assert_null(fake_stack(f.shards, 0)->watch);
	assert_null(fake_stack(f.shards, 1)->watch);
	fake_link_arrive(f.link, 0, 1);
	WAIT_FOR(&f, fake_stack(f.shards, 0)->inputs == 2);
	assert_int_equal(queued(capture), 0);
	fixture_close(&f);
	capture_free(capture);
	capture_free(second);
}

static void not_more_than_there_is_room_for(void **state)
{
	struct capture *capture[SHARD_CAPTURES_MAX + 1];
	struct fixture f;

	(void)state;
	fixture_open(&f, 1, (struct duration){ 0 });
	for (uint32_t i = 0; i <= SHARD_CAPTURES_MAX; i++) {
		assert_int_equal(capture_new(&everything, 1, &capture[i]), 0);
		assert_int_equal(shards_capture_begin(f.shards, capture[i]), i < SHARD_CAPTURES_MAX ? 0 : -ENOSPC);
	}
	shards_capture_end(f.shards, capture[3]);
	assert_int_equal(shards_capture_begin(f.shards, capture[SHARD_CAPTURES_MAX]), 0);
	fixture_close(&f);
	for (uint32_t i = 0; i <= SHARD_CAPTURES_MAX; i++)
		capture_free(capture[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(not_more_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
