/* Captures: what fits a filter, what is kept of a frame, what happens when the queue is full, and the order of what
 * several shards have seen. */
#include "capture/capture.h"
#include "capture/ring.h"
#include "core/base/random.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A frame of TCP from 192.0.2.1:40000 to 192.0.2.2:80, header only; the rest is payload. */
static void write_frame(uint8_t *bytes, uint32_t length)
{
	static const uint8_t headers[54] = { 2, 0,  0,    0,    0, 2,  2,  0, 0, 0, 0,   1, 8, 0, 0x45, 0,
		                             0, 40, 0,    0,    0, 0,  64, 6, 0, 0, 192, 0, 2, 1, 192,  0,
		                             2, 2,  0x9c, 0x40, 0, 80, 0,  0, 0, 0, 0,   0, 0, 0, 0x50, 0x10 };

	for (uint32_t i = 0; i < length; i++)
		bytes[i] = i < sizeof(headers) ? headers[i] : (uint8_t)i;
}

static const struct capture_options everything = { .bytes = 256, .queue_bytes = 4096 };

static void offer(struct capture *capture, uint32_t shard, uint32_t length, uint8_t flags, int64_t time_ns,
                  const struct stack_view *view)
{
	struct capture_queue *queue = capture_queue_of(capture, shard);
	static const struct stack_view nothing = { 0 };
	uint8_t bytes[70000];
	struct iovec iov[2];

	write_frame(bytes, length);
	iov[0] = (struct iovec){ bytes, length < 54 ? length : 54 };
	iov[1] = (struct iovec){ bytes + iov[0].iov_len, length - iov[0].iov_len };
	capture_offer(&queue, 1,
	              &(struct capture_frame){ .iov = iov,
	                                       .iov_count = 2,
	                                       .length = length,
	                                       .gso_bytes = length > 1514 ? 1448 : 0,
	                                       .flags = flags,
	                                       .time_ns = time_ns,
	                                       .view = view ? view : &nothing });
}

static struct capture *start(const struct capture_options *options, uint32_t shards)
{
	struct capture *capture;

	assert_int_equal(capture_new(options, shards, &capture), 0);
	return capture;
}

static const struct capture_packet *take_one(struct capture *capture)
{
	const struct capture_packet *packet;

	return capture_take(capture, INT64_MAX, &packet, 1) == 1 ? packet : NULL;
}

static void what_is_kept(void **state)
{
	static const uint32_t lengths[] = { 0, 13, 14, 42, 54, 255, 256, 257, 1514, 65000 };
	struct capture *capture = start(&everything, 1);
	uint8_t bytes[256];

	(void)state;
	write_frame(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct stack_view view = { .connection_id = 7 + i, .verdict = VERDICT_DUPLICATE };
		const struct capture_packet *packet;

		offer(capture, 0, lengths[i], CAPTURE_IN, 1000 + (int64_t)i, &view);
		packet = take_one(capture);
		assert_non_null(packet);
		assert_int_equal(packet->length, lengths[i]);
		assert_int_equal(packet->captured, lengths[i] < 256 ? lengths[i] : 256);
		assert_memory_equal(packet->bytes, bytes, packet->captured);
		assert_int_equal(packet->flags, CAPTURE_IN);
		assert_int_equal(packet->time_ns, 1000 + (int64_t)i);
		assert_int_equal(packet->view.connection_id, 7 + i);
		assert_int_equal(packet->view.verdict, VERDICT_DUPLICATE);
		assert_int_equal(packet->gso_bytes, lengths[i] > 1514 ? 1448 : 0);
		assert_int_equal(packet->header_bytes, lengths[i] > 1514 ? 54 : 0);
		capture_release(capture);
	}
	assert_null(take_one(capture));
	capture_free(capture);
}

static void filters(void **state)
{
	static const struct frame_filter port_80 = { .condition_count = 1,
		                                     .value_count = 1,
		                                     .condition[0] = { .field = FRAME_LOCAL_PORT, .count = 1 },
		                                     .value[0] = { .low = 80, .high = 80 } };
	static const struct frame_filter port_81 = { .condition_count = 1,
		                                     .value_count = 1,
		                                     .condition[0] = { .field = FRAME_LOCAL_PORT, .count = 1 },
		                                     .value[0] = { .low = 81, .high = 81 } };
	static const struct stack_view seen = { .verdict = VERDICT_RESET,
		                                .is_segment = true,
		                                .connection_id = 5,
		                                .state_before = TCPS_ESTABLISHED,
		                                .state = TCPS_CLOSED };
	static const struct stack_view other = { .verdict = VERDICT_DROP_ARP };
	const struct {
		struct capture_filter filter;
		const struct stack_view *view;
		bool in, fits;
	} rows[] = {
		{ { .id_count = 0 }, &seen, true, true },
		{ { .frame = port_80 }, &seen, true, true },
		{ { .frame = port_80 }, &seen, false, false }, /* 80 is the other end's then */
		{ { .frame = port_81 }, &seen, true, false },
		{ { .id = { 5 }, .id_count = 1 }, &seen, true, true },
		{ { .id = { 4, 5 }, .id_count = 2 }, &seen, false, true },
		{ { .id = { 6 }, .id_count = 1 }, &seen, true, false },
		{ { .id = { 0 }, .id_count = 1 }, &other, true, false },
		{ { .states = 1u << TCPS_ESTABLISHED }, &seen, true, true },
		{ { .states = 1u << TCPS_CLOSED }, &seen, false, true },
		{ { .states = 1u << TCPS_LISTEN }, &seen, true, false },
		{ { .states = 1u << TCPS_CLOSED }, &other, true, false }, /* not a segment: CLOSED says nothing */
		{ { .verdicts = 1ull << VERDICT_RESET }, &seen, true, true },
		{ { .verdicts = 1ull << VERDICT_RESET }, &seen, false, false },
		{ { .verdicts = ~1ull }, &other, true, true },
		{ { .verdicts = 1ull << VERDICT_ACCEPTED }, &seen, true, false },
		{ { .verdicts = 1ull << VERDICT_RESET, .frame = port_81 }, &seen, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct capture_options options = everything;
		struct capture *capture;
		struct capture_counts counts;

		options.filter = rows[i].filter;
		capture = start(&options, 1);
		offer(capture, 0, 60, rows[i].in ? CAPTURE_IN : 0, 1, rows[i].view);
		if ((take_one(capture) != NULL) != rows[i].fits)
			fail_msg("row %zu", i);
		counts = capture_get_counts(capture);
		assert_int_equal(counts.taken, rows[i].fits);
		assert_int_equal(counts.missed + counts.queued, 0);
		capture_free(capture);
	}
}

/* Nothing is lost without being counted, and the next that fits says how many. */
static void full(void **state)
{
	struct capture *capture = start(&everything, 1);
	const struct capture_packet *packet;
	struct capture_counts counts;
	uint64_t kept, total = 1000;

	(void)state;
	for (uint64_t i = 0; i < total; i++)
		offer(capture, 0, 200, 0, (int64_t)i, NULL);
	counts = capture_get_counts(capture);
	kept = counts.queued;
	assert_true(kept >= 8 && kept < 100);
	assert_int_equal(counts.missed, total - kept);
	assert_true(capture_is_pressed(capture));
	for (uint64_t i = 0; i < kept; i++) {
		packet = take_one(capture);
		assert_int_equal(packet->time_ns, i);
		assert_int_equal(packet->missed, 0);
	}
	assert_null(take_one(capture));
	offer(capture, 0, 200, 0, 1, NULL); /* taken, and not released: no room yet */
	assert_null(take_one(capture));
	capture_release(capture);
	assert_false(capture_is_pressed(capture));
	offer(capture, 0, 200, 0, 5000, NULL);
	offer(capture, 0, 200, 0, 5001, NULL);
	packet = take_one(capture);
	assert_int_equal(packet->time_ns, 5000);
	assert_int_equal(packet->missed, total - kept + 1);
	assert_int_equal(take_one(capture)->missed, 0);
	counts = capture_get_counts(capture);
	assert_int_equal(counts.taken + counts.missed, total + 3);
	capture_free(capture);
}

static void order_over_shards(void **state)
{
	static const struct {
		uint32_t shard;
		int64_t time;
	} seen[] = { { 2, 10 }, { 0, 11 }, { 0, 11 }, { 1, 9 }, { 1, 12 }, { 2, 10 }, { 2, 30 } };
	static const int64_t wanted[] = { 9, 10, 10, 11, 11, 12 };
	struct capture *capture = start(&everything, 3);
	const struct capture_packet *packet[8];

	(void)state;
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++)
		offer(capture, seen[i].shard, 60, 0, seen[i].time, NULL);
	assert_int_equal(capture_take(capture, 30, packet, 8), 6);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(packet[i]->time_ns, wanted[i]);
	assert_int_equal(capture_take(capture, 31, packet, 8), 1);
	assert_int_equal(packet[0]->shard, 2);
	capture_free(capture);
}

/* Records of all lengths, around and around: each in one piece, none beyond the end, none over another. */
static void no_record_lies_around_the_end(void **state)
{
	static _Alignas(8) uint8_t bytes[256 + 128];
	struct ring ring = { .bytes = bytes, .size = 256 };
	uint32_t put = 0, got = 0, room = 0;
	struct random_source random = { .counter = 1 };

	(void)state;
	memset(bytes, 0xa5, sizeof(bytes));
	while (got < 5000) {
		uint32_t length = 8 + 8 * random_below(&random, 15);
		uint32_t *record = ring_reserve(&ring, length);
		const uint32_t *oldest;

		if (record != NULL) {
			memset(record, (int)put, length);
			record[0] = length;
			ring_commit(&ring, length);
			put = (put + 1) % 251;
			room++;
		}
		for (size_t i = 256; i < sizeof(bytes); i++)
			assert_int_equal(bytes[i], 0xa5);
		if (record != NULL && random_below(&random, 2) == 0)
			continue;
		oldest = ring_peek(&ring);
		if (oldest == NULL)
			continue;
		for (uint32_t i = 4; i < oldest[0]; i++)
			assert_int_equal(((const uint8_t *)oldest)[i], got % 251);
		ring_next(&ring);
		ring_release(&ring);
		got++;
	}
	assert_true(room >= got);
}

/* ---- two threads ----------------------------------------------------------------------------------------------- */

#define MANY 200000

static void *write_many(void *context)
{
	struct random_source random = { .counter = 1 };

	for (int64_t i = 0; i < MANY; i++)
		offer(context, 0, (uint32_t)(random_u64(&random) % 300), 0, i, NULL);
	return NULL;
}

static void reader_and_writer(void **state)
{
	struct capture *capture = start(&everything, 1);
	const struct capture_packet *packet[16];
	uint8_t bytes[300];
	int64_t next = 0;
	pthread_t thread;

	(void)state;
	write_frame(bytes, sizeof(bytes));
	assert_int_equal(pthread_create(&thread, NULL, write_many, capture), 0);
	for (bool over = false; !over;) {
		struct capture_counts counts = capture_get_counts(capture);
		size_t count;

		over = counts.taken + counts.missed == MANY;
		count = capture_take(capture, INT64_MAX, packet, 16);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(packet[i]->time_ns, next + (int64_t)packet[i]->missed);
			assert_memory_equal(packet[i]->bytes, bytes, packet[i]->captured);
			next = packet[i]->time_ns + 1;
		}
		capture_release(capture);
	}
	pthread_join(thread, NULL);
	assert_true(next > 0 && next <= MANY);
	capture_free(capture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_kept),
		cmocka_unit_test(filters),
		cmocka_unit_test(full),
		cmocka_unit_test(order_over_shards),
		cmocka_unit_test(no_record_lies_around_the_end),
		cmocka_unit_test(reader_and_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
