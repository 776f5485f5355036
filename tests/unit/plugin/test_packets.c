/* Logging instances that capture packets: the way from the shards' queues to the plugin. */
#include "fixture.h"
#include "plugin/private.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define SHARDS 2u

/* What the shards are in the daemon: they fill the queues of whoever has begun, and when begin and end return, they
 * know. */
struct source {
	pthread_mutex_t lock;
	struct capture *capture;      /* NULL: nobody captures */
	uint32_t next_length[SHARDS]; /* each frame is one byte longer than the one before, up to 900 */
	uint32_t before_end[SHARDS];  /* next_length when the last capture ended */
	int refuse;
};

static int begin(void *context, struct capture *capture)
{
	struct source *source = context;

	if (source->refuse != 0)
		return source->refuse;
	pthread_mutex_lock(&source->lock);
	source->capture = capture;
	pthread_mutex_unlock(&source->lock);
	return 0;
}

static void end(void *context, struct capture *capture)
{
	struct source *source = context;

	pthread_mutex_lock(&source->lock);
	if (source->capture == capture)
		source->capture = NULL;
	memcpy(source->before_end, source->next_length, sizeof(source->before_end));
	pthread_mutex_unlock(&source->lock);
}

static void offer(struct source *source, uint32_t shard)
{
	static const uint8_t bytes[1000];
	static const struct stack_view view;
	struct iovec iov;
	struct timespec now;

	pthread_mutex_lock(&source->lock);
	iov = (struct iovec){ (void *)bytes, source->next_length[shard] };
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (source->capture != NULL) {
		struct capture_queue *queue = capture_queue_of(source->capture, shard);

		capture_offer(&queue, 1,
		              &(struct capture_frame){ .iov = &iov,
		                                       .iov_count = 1,
		                                       .length = (uint32_t)iov.iov_len,
		                                       .flags = CAPTURE_IN,
		                                       .time_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
		                                       .view = &view });
		source->next_length[shard] = source->next_length[shard] % 900 + 1;
	}
	pthread_mutex_unlock(&source->lock);
}

static void start(struct fixture *fixture, struct source *source, struct registry **ret)
{
	struct registry_run with_packets = run;

	*source = (struct source){ .lock = PTHREAD_MUTEX_INITIALIZER, .next_length = { 64, 64 } };
	with_packets.capture = (struct registry_capture){ SHARDS, begin, end, source };
	*ret = fixture_registry(fixture);
	assert_int_equal(registry_log_start(*ret, &with_packets, &fixture->report), 0);
}

static const struct capture_options everything = { .bytes = 64, .queue_bytes = 1 << 20 };

static struct registry_request request_of(const struct log_pipes *pipes)
{
	return (struct registry_request){
		.plugin = "sink", .name = "s", .param = pipes->param, .param_count = 4, .capture = &everything
	};
}

static int configure(struct fixture *fixture, struct registry *registry, const struct log_pipes *pipes)
{
	struct registry_request request = pipes == NULL ? (struct registry_request){ 0 } : request_of(pipes);

	return fixture_configure(fixture, registry, NULL, 0, &request, pipes != NULL);
}

static void reap(struct registry *registry)
{
	for (int i = 0; i < DEADLINE_MS && registry_reap(registry) > 0; i++)
		poll(NULL, 0, 1);
	assert_int_equal(registry_reap(registry), 0);
}

/* Up to its close; of each shard all that it offered, in order. */
static void expect_all(struct source *source, int fd, uint32_t expected[SHARDS])
{
	for (;;) {
		struct seen seen = next_seen(fd);

		if (seen.id == SEEN_CLOSE) {
			assert_int_equal(seen.missed, 1); /* flushes: who has an idle() is told so at the end only */
			break;
		}
		assert_true(seen.time < SHARDS);
		assert_int_equal(seen.id, expected[seen.time]);
		assert_int_equal(seen.missed, 0);
		expected[seen.time] = expected[seen.time] % 900 + 1;
	}
	for (unsigned shard = 0; shard < SHARDS; shard++)
		assert_int_equal(expected[shard], source->before_end[shard]);
}

/* Whatever the logger's thread does at the moment: what has been offered before the end is handed over, though it is
 * not old enough to be handed over before. */
static void test_end(void **state)
{
	struct fixture *fixture = *state;
	uint32_t expected[SHARDS] = { 64, 64 };
	struct registry *registry;
	struct log_pipes pipes;
	struct source source;

	start(fixture, &source, &registry);
	log_pipes_open(&pipes, false, "kind");
	for (int round = 0; round < 50; round++) {
		assert_int_equal(configure(fixture, registry, &pipes), 0);
		for (int i = 0; i < 2 + round % 3; i++)
			offer(&source, (unsigned)(round + i) % SHARDS);
		poll(NULL, 0, round % 4);
		assert_int_equal(configure(fixture, registry, NULL), 0);
		expect_all(&source, pipes.events[0], expected);
		reap(registry);
	}
	registry_free(registry);
	log_pipes_close(&pipes);
}

struct shard_thread {
	struct source *source;
	uint32_t shard;
	pthread_t thread;
	atomic_bool stop;
};

static void *run_shard(void *context)
{
	struct shard_thread *thread = context;

	while (!atomic_load(&thread->stop)) {
		offer(thread->source, thread->shard);
		poll(NULL, 0, 1);
	}
	return NULL;
}

/* Added, replaced and removed while shards fill their queues. */
static void test_life(void **state)
{
	struct fixture *fixture = *state;
	uint32_t expected[SHARDS] = { 64, 64 };
	struct shard_thread thread[SHARDS];
	struct registry *registry;
	struct log_pipes pipes;
	struct source source;

	start(fixture, &source, &registry);
	for (uint32_t i = 0; i < SHARDS; i++) {
		thread[i] = (struct shard_thread){ .source = &source, .shard = i };
		assert_int_equal(pthread_create(&thread[i].thread, NULL, run_shard, &thread[i]), 0);
	}
	log_pipes_open(&pipes, false, "kind");
	for (int round = 0; round < 5; round++) {
		assert_int_equal(configure(fixture, registry, &pipes), 0);
		poll(NULL, 0, 30);
		assert_int_equal(configure(fixture, registry, NULL), 0);
		expect_all(&source, pipes.events[0], expected);
		reap(registry);
	}
	for (uint32_t i = 0; i < SHARDS; i++) {
		atomic_store(&thread[i].stop, true);
		pthread_join(thread[i].thread, NULL);
	}
	registry_free(registry);
	log_pipes_close(&pipes);
}

/* The shards have no room for another capture. */
static void test_refused(void **state)
{
	struct fixture *fixture = *state;
	struct registry *registry;
	struct log_pipes pipes;
	struct source source;

	start(fixture, &source, &registry);
	source.refuse = -ENOSPC;
	log_pipes_open(&pipes, false, "kind");
	assert_int_equal(configure(fixture, registry, &pipes), -EINVAL);
	assert_string_equal(fixture->messages, "-: log s cannot be opened: No space left on device\n");
	assert_int_equal(next_seen(pipes.events[0]).id, SEEN_CLOSE);
	assert_int_equal(registry_count(registry), 1);
	registry_free(registry);
	log_pipes_close(&pipes);
}

/* The same request again is no change, whatever lies between its fields; another filter, size or queue is one. */
static void test_same(void **state)
{
	static const struct capture_options others[] = {
		{ .bytes = 65, .queue_bytes = 1 << 20 },
		{ .bytes = 64, .queue_bytes = 1 << 21 },
		{ .bytes = 64, .queue_bytes = 1 << 20, .filter.verdicts = 2 },
	};
	struct fixture *fixture = *state;
	struct capture_options same;
	struct registry_request request;
	struct registry *registry;
	struct registry_info info;
	struct log_pipes pipes;
	struct source source;

	start(fixture, &source, &registry);
	log_pipes_open(&pipes, false, "kind");
	assert_int_equal(configure(fixture, registry, &pipes), 0);
	request = request_of(&pipes);
	request.capture = &same;
	memset(&same, 0xff, sizeof(same));
	memset(&same.filter, 0, sizeof(same.filter));
	same.bytes = everything.bytes;
	same.queue_bytes = everything.queue_bytes;
	assert_int_equal(fixture_configure(fixture, registry, NULL, 0, &request, 1), 0);
	registry_get_info(registry, 1, &info);
	assert_int_equal(info.generation, 1);
	assert_int_equal(info.state, REGISTRY_ACTIVE);
	for (unsigned i = 0; i < COUNT(others); i++) {
		request.capture = &others[i];
		assert_int_equal(fixture_configure(fixture, registry, NULL, 0, &request, 1), 0);
		reap(registry);
		registry_get_info(registry, 1, &info);
		assert_int_equal(info.generation, i + 2);
	}
	registry_free(registry);
	log_pipes_close(&pipes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = { TEST(test_end), TEST(test_life), TEST(test_refused), TEST(test_same) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
