/* The life of instances: loaded, replaced, removed, drained and unloaded while others use them. */
#include "fixture.h"
#include "plugin/private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { ADD, REPLACE, REMOVE };

/* One step, committed when it can be done. */
static int change_one(struct fixture *fixture, struct registry *registry, int what,
                      const struct registry_request *request)
{
	struct registry_change *change;
	int r;

	fixture->messages[0] = '\0';
	assert_int_equal(registry_change_begin(registry, &fixture->report, &change), 0);
	if (what == ADD)
		r = registry_change_add(change, 0, request);
	else if (what == REPLACE)
		r = registry_change_replace(change, request->name, request->param, request->param_count);
	else
		r = registry_change_remove(change, request->name);
	if (r == 0)
		registry_commit(change);
	else
		registry_abort(change);
	return r;
}

/* What is listed of the instance, "generation state users" each. */
static const char *listed(struct registry *registry, const char *name, char text[static 200])
{
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < registry_count(registry); i++) {
		struct registry_info info;

		registry_get_info(registry, i, &info);
		if (strcmp(info.name, name) == 0)
			at += (size_t)snprintf(text + at, 200 - at, "%s%u %s %u", at == 0 ? "" : ", ",
			                       info.generation, registry_state_name(info.state), info.users);
	}
	return text;
}

static void expect_ack_works(const struct stack_congestion *congestion)
{
	struct tapstack_cc_decision decision = { .cwnd_bytes = 10 };
	struct tapstack_cc_sample sample = { .acked_bytes = 5 };
	uint64_t memory[8] = { 0 };

	assert_int_equal(congestion->ops->init(memory, NULL, &congestion->params, &decision), 0);
	congestion->ops->on_ack(memory, &sample, &decision);
	assert_int_equal(decision.cwnd_bytes, 15);
}

static const struct registry_request good = { .plugin = "good", .name = "good" };

static void test_replace(void **state)
{
	struct fixture *fixture = *state;
	const struct registry_param gain = { "gain", "0.25", NULL }, delay = { "delay", "7", NULL };
	struct registry *registry = fixture_registry(fixture);
	const struct stack_congestion *first, *second, *third;
	char text[200];

	assert_int_equal(change_one(fixture, registry, ADD, &good), 0);
	first = registry_congestion(registry, "good");
	registry_hold(first);
	assert_int_equal(change_one(fixture, registry, REPLACE,
	                            &(struct registry_request){ .name = "good", .param = &gain, .param_count = 1 }),
	                 0);
	second = registry_congestion(registry, "good");
	assert_ptr_not_equal(first, second);
	assert_int_equal(first->id, 1);
	assert_int_equal(second->id, 2);
	assert_ptr_equal(first->name, second->name);
	/* Two objects of one file. */
	assert_ptr_not_equal(first->ops->init, second->ops->init);
	assert_int_equal(registry_reap(registry), 1);
	assert_string_equal(listed(registry, "good", text), "1 draining 1, 2 active 0");
	expect_ack_works(first);
	assert_true(first->params.value[0].number == 0.5);
	/* What was given before stays as long as nothing else is given. */
	assert_int_equal(change_one(fixture, registry, REPLACE,
	                            &(struct registry_request){ .name = "good", .param = &delay, .param_count = 1 }),
	                 0);
	third = registry_congestion(registry, "good");
	assert_true(third->params.value[0].number == 0.25);
	assert_true(third->params.value[1].number == 7);
	assert_int_equal(registry_reap(registry), 1);
	assert_string_equal(listed(registry, "good", text), "1 draining 1, 3 active 0");
	registry_release(first);
	assert_int_equal(registry_reap(registry), 0);
	assert_string_equal(listed(registry, "good", text), "3 active 0");
	/* The built-in one can be held like any other; nobody counts it. */
	registry_hold(registry_congestion(registry, "reno"));
	registry_release(registry_congestion(registry, "reno"));
	/* Records may still carry the ids of those that are gone. */
	for (uint16_t id = 1; id <= 3; id++)
		assert_string_equal(registry_congestion_name(registry, id), "good");
	assert_int_equal(registry_id_end(registry), 4);
	/* Removed, and loaded again: another id, and the next generation while the last one is still there. */
	registry_hold(third);
	assert_int_equal(change_one(fixture, registry, REMOVE, &good), 0);
	assert_null(registry_congestion(registry, "good"));
	assert_int_equal(change_one(fixture, registry, ADD, &good), 0);
	assert_string_equal(listed(registry, "good", text), "3 draining 1, 4 active 0");
	assert_int_equal(registry_congestion(registry, "good")->id, 4);
	registry_free(registry);
}

static void test_refusals(void **state)
{
	struct fixture *fixture = *state;
	struct registry *registry = fixture_registry(fixture);
	const struct registry_param bad = { "gain", "2", NULL };
	char text[200];

	assert_int_equal(change_one(fixture, registry, REMOVE, &good), -EINVAL);
	assert_string_equal(fixture->messages, "-: no instance is named good: none is loaded\n");
	assert_int_equal(change_one(fixture, registry, ADD, &good), 0);
	assert_int_equal(change_one(fixture, registry, ADD, &good), -EINVAL);
	assert_string_equal(fixture->messages, "-: there is already one named good: choose another name\n");
	assert_int_equal(change_one(fixture, registry, REMOVE, &(struct registry_request){ .name = "gone" }),
	                 -EINVAL);
	assert_string_equal(fixture->messages, "-: no instance is named gone: there are good\n");
	assert_int_equal(change_one(fixture, registry, REMOVE, &(struct registry_request){ .name = "reno" }),
	                 -EINVAL);
	assert_string_equal(fixture->messages, "-: reno is built in: it has no parameters, and stays\n");
	assert_int_equal(
	        change_one(fixture, registry, ADD, &(struct registry_request){ .plugin = "good", .name = "a b" }),
	        -EINVAL);
	assert_string_equal(fixture->messages,
	                    "-: \"a b\" can't be the name of an instance: up to 63 of a-z 0-9 - _\n");
	assert_int_equal(change_one(fixture, registry, REPLACE,
	                            &(struct registry_request){ .name = "good", .param = &bad, .param_count = 1 }),
	                 -EINVAL);
	assert_string_equal(listed(registry, "good", text), "1 active 0");
	/* When there are no more, nothing else breaks. */
	registry->next_id = REGISTRY_IDS_MAX + 1;
	assert_int_equal(change_one(fixture, registry, REPLACE, &good), -EINVAL);
	assert_non_null(strstr(fixture->messages, "there are no more ids: restart it"));
	expect_ack_works(registry_congestion(registry, "good"));
	registry->next_id = 2;
	registry_free(registry);
}

/* The file is overwritten while its code runs; what was loaded stays what it was. */
static void test_new_file(void **state)
{
	struct fixture *fixture = *state;
	struct registry *registry = fixture_registry(fixture);
	const struct stack_congestion *first, *second;
	struct registry_info info;
	char path[300];

	assert_int_equal(fixture_configure(fixture, registry, &good, 1, NULL, 0), 0);
	first = registry_congestion(registry, "good");
	registry_hold(first);
	fixture_copy(fixture, "second", "good");
	expect_ack_works(first);
	assert_int_equal(fixture_configure(fixture, registry, &good, 1, NULL, 0), 0);
	second = registry_congestion(registry, "good");
	assert_ptr_not_equal(first, second);
	registry_get_info(registry, 1, &info);
	assert_string_equal(info.version, "1");
	registry_get_info(registry, 2, &info);
	assert_string_equal(info.version, "2");
	assert_true(info.configured);
	/* The same bytes again are no change. */
	fixture_copy(fixture, "second", "good");
	assert_int_equal(fixture_configure(fixture, registry, &good, 1, NULL, 0), 0);
	assert_ptr_equal(registry_congestion(registry, "good"), second);
	/* A file that is wrong now changes nothing either, and says so. */
	assert_int_equal(truncate(fixture_path(fixture, "good", path), 3000), 0);
	assert_int_equal(fixture_configure(fixture, registry, &good, 1, NULL, 0), -EINVAL);
	assert_non_null(strstr(fixture->messages, "good.so: cut short"));
	unlink(path);
	expect_ack_works(first);
	expect_ack_works(registry_congestion(registry, "good"));
	registry_free(registry);
}

static void test_configure(void **state)
{
	struct fixture *fixture = *state;
	struct registry *registry = fixture_registry(fixture);
	const struct registry_param gain = { "gain", "0.25", NULL }, half = { "gain", "5e-1", NULL };
	const struct registry_request tuned = { .plugin = "good", .name = "good", .param = &gain, .param_count = 1 };
	const struct registry_request same = { .plugin = "good", .name = "good", .param = &half, .param_count = 1 };
	const struct registry_request other = { .plugin = "older", .name = "other" };
	const struct registry_request wrong[] = { tuned, { .plugin = "absent", .name = "absent" } };
	const struct registry_request twice[] = { { .plugin = "sink", .name = "good" } };
	struct registry_change *change;
	struct registry_step step;
	char text[200];

	assert_int_equal(fixture_configure(fixture, registry, &good, 1, NULL, 0), 0);
	assert_int_equal(change_one(fixture, registry, ADD, &other), 0);
	/* All or nothing. */
	assert_int_equal(fixture_configure(fixture, registry, wrong, 2, NULL, 0), -EINVAL);
	assert_int_equal(registry_id_end(registry), 3); /* ids that nobody has seen can be used by the next */
	assert_string_equal(listed(registry, "good", text), "1 active 0");
	assert_int_equal(fixture_configure(fixture, registry, &good, 1, twice, 1), -EINVAL);
	assert_string_equal(fixture->messages, "-: there is already one named good: choose another name\n");
	/* The default, written out. */
	assert_int_equal(fixture_configure(fixture, registry, &same, 1, NULL, 0), 0);
	assert_string_equal(listed(registry, "good", text), "1 active 0");
	/* Tuned by hand: the configuration has the last word when it is read again. */
	assert_int_equal(change_one(fixture, registry, REPLACE, &tuned), 0);
	assert_int_equal(fixture_configure(fixture, registry, &good, 1, NULL, 0), 0);
	registry_reap(registry);
	assert_string_equal(listed(registry, "good", text), "3 active 0");
	/* What it does not name it leaves alone, unless it had named it. */
	assert_int_equal(registry_change_begin(registry, &fixture->report, &change), 0);
	assert_int_equal(registry_change_configure(change, NULL, 0, NULL, 0), 0);
	assert_int_equal(registry_change_count(change), 1);
	registry_change_step(change, 0, &step);
	assert_int_equal(step.what, REGISTRY_REMOVED);
	assert_string_equal(step.name, "good");
	assert_null(registry_change_congestion(change, "good"));
	assert_non_null(registry_change_congestion(change, "other"));
	assert_non_null(registry_congestion(registry, "good"));
	registry_commit(change);
	assert_null(registry_congestion(registry, "good"));
	assert_int_equal(registry_reap(registry), 0);
	/* Named from now on. */
	assert_int_equal(fixture_configure(fixture, registry, &other, 1, NULL, 0), 0);
	assert_string_equal(listed(registry, "other", text), "1 active 0");
	assert_int_equal(fixture_configure(fixture, registry, NULL, 0, NULL, 0), 0);
	assert_int_equal(registry_reap(registry), 0);
	assert_int_equal(registry_count(registry), 1);
	registry_free(registry);
}

/* A change that is given up after somebody has begun to use what it had prepared: a listener of a service that
 * another shard could not take. It drains, as what was replaced does, and its id is its own. */
static void test_abort_in_use(void **state)
{
	struct fixture *fixture = *state;
	struct registry *registry = fixture_registry(fixture);
	const struct stack_congestion *prepared;
	struct registry_change *change;
	char text[200];

	assert_int_equal(registry_change_begin(registry, &fixture->report, &change), 0);
	assert_int_equal(registry_change_add(change, 0, &good), 0);
	prepared = registry_change_congestion(change, "good");
	registry_hold(prepared);
	registry_abort(change);
	assert_null(registry_congestion(registry, "good"));
	assert_string_equal(listed(registry, "good", text), "1 draining 1");
	assert_int_equal(registry_reap(registry), 1);
	expect_ack_works(prepared);
	assert_int_equal(change_one(fixture, registry, ADD, &good), 0);
	assert_int_equal(registry_congestion(registry, "good")->id, 2);
	registry_release(prepared);
	assert_int_equal(registry_reap(registry), 0);
	assert_string_equal(listed(registry, "good", text), "2 active 0");
	registry_free(registry);
}

/* Code that can't be unloaded keeps its descriptor, so that the next file is not taken for it. */
static void test_nodelete(void **state)
{
	struct fixture *fixture = *state;
	struct registry *registry = fixture_registry(fixture);
	const struct registry_request staying = { .plugin = "nodelete", .name = "a" };
	struct registry_info info;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(change_one(fixture, registry, ADD, &staying), 0);
		assert_int_equal(change_one(fixture, registry, REMOVE, &staying), 0);
		assert_int_equal(registry_reap(registry), 0);
		assert_int_equal(change_one(fixture, registry, ADD, &good), 0);
		registry_get_info(registry, 1, &info);
		assert_string_equal(info.plugin, "good");
		assert_int_equal(change_one(fixture, registry, REMOVE, &good), 0);
		assert_int_equal(registry_reap(registry), 0);
	}
	registry_free(registry);
}

/* ---- logs ---------------------------------------------------------------------------------------------------- */

static void wait_reaped(struct registry *registry)
{
	for (int i = 0; i < DEADLINE_MS && registry_reap(registry) > 0; i++)
		poll(NULL, 0, 1);
	assert_int_equal(registry_reap(registry), 0);
}

static void wait_state(struct registry *registry, size_t index, enum registry_state wanted)
{
	struct registry_info info = { 0 };

	for (int i = 0; i < DEADLINE_MS && info.state != wanted; i++) {
		registry_reap(registry);
		registry_get_info(registry, index, &info);
		poll(NULL, 0, 1);
	}
	assert_int_equal(info.state, wanted);
}

static struct registry_request log_request(const struct log_pipes *pipes)
{
	return (struct registry_request){ .plugin = "sink", .name = "s", .param = pipes->param, .param_count = 4 };
}

#define AHEAD 45u /* twice that fits into a queue: on the busiest machine nothing is missed */

struct recorder {
	struct registry *registry;
	pthread_t thread;
	atomic_bool stop;
	_Atomic uint64_t limit; /* the last record that there may be by now */
	uint64_t records;
};

static void *record_all(void *context)
{
	struct recorder *recorder = context;

	while (!atomic_load(&recorder->stop)) {
		struct journal_record one = record(recorder->records + 1);

		if (recorder->records < atomic_load(&recorder->limit)) {
			registry_log_records(recorder->registry, &one, 1);
			recorder->records++;
		}
		if (recorder->records % 4 == 0)
			poll(NULL, 0, 1);
	}
	return NULL;
}

/* The next record, or SEEN_CLOSE. */
static uint64_t next_record(struct recorder *recorder, const struct log_pipes *pipes)
{
	uint64_t id = next_seen(pipes->events[0]).id;

	if (id != SEEN_CLOSE)
		atomic_store(&recorder->limit, id + AHEAD);
	return id;
}

/* Added, replaced and removed while records flow: each record goes to exactly one version, in order. */
static void test_log_life(void **state)
{
	struct fixture *fixture = *state;
	struct registry *registry = fixture_registry(fixture);
	struct recorder recorder = { .registry = registry, .limit = AHEAD };
	struct log_pipes first, second;
	struct registry_request request;
	uint64_t last = 0, id = 1;
	int left = 2;

	assert_int_equal(registry_log_start(registry, &run, &fixture->report), 0);
	assert_int_equal(pthread_create(&recorder.thread, NULL, record_all, &recorder), 0);
	log_pipes_open(&first, false, "kind");
	log_pipes_open(&second, false, "kind");
	request = log_request(&first);
	assert_int_equal(change_one(fixture, registry, ADD, &request), 0);
	atomic_fetch_add(&recorder.limit, AHEAD);
	last = next_record(&recorder, &first);
	for (int i = 0; i < 20; i++)
		assert_int_equal(next_record(&recorder, &first), ++last);
	request = log_request(&second);
	assert_int_equal(change_one(fixture, registry, REPLACE, &request), 0);
	/* What the old one had in its queue, its close, and nothing else. */
	while ((id = next_record(&recorder, &first)) != SEEN_CLOSE)
		assert_int_equal(id, ++last);
	for (int i = 0; i < 20; i++)
		assert_int_equal(next_record(&recorder, &second), ++last);
	assert_int_equal(change_one(fixture, registry, REMOVE, &request), 0);
	while ((id = next_record(&recorder, &second)) != SEEN_CLOSE)
		assert_int_equal(id, ++last);
	for (; left > 0; left--)
		wait_reaped(registry);
	assert_int_equal(registry_count(registry), 1);
	atomic_store(&recorder.stop, true);
	pthread_join(recorder.thread, NULL);
	registry_free(registry);
	log_pipes_close(&first);
	log_pipes_close(&second);
}

/* A new one that can't be opened: the old one goes on. */
static void test_log_refused(void **state)
{
	struct fixture *fixture = *state;
	struct registry *registry = fixture_registry(fixture);
	const struct registry_param refuse = { "mood", "refuse", NULL };
	struct registry_request request;
	struct journal_record one = record(7);
	struct log_pipes pipes;

	log_pipes_open(&pipes, false, "kind");
	request = log_request(&pipes);
	assert_int_equal(fixture_configure(fixture, registry, NULL, 0, &request, 1), 0);
	assert_int_equal(registry_log_start(registry, &run, &fixture->report), 0);
	assert_int_equal(change_one(fixture, registry, REPLACE,
	                            &(struct registry_request){ .name = "s", .param = &refuse, .param_count = 1 }),
	                 -EINVAL);
	assert_string_equal(fixture->messages, "-: log s cannot be opened: Permission denied\n");
	registry_log_records(registry, &one, 1);
	assert_int_equal(next_seen(pipes.events[0]).id, 7);
	/* A change that fails after a log was opened closes it again. */
	fixture->messages[0] = '\0';
	pipes.param[3].value = "y";
	assert_int_equal(fixture_configure(fixture, registry, NULL, 0,
	                                   (struct registry_request[]){ request, { .plugin = "no", .name = "no" } },
	                                   2),
	                 -EINVAL);
	assert_int_equal(next_seen(pipes.events[0]).id, SEEN_CLOSE);
	wait_reaped(registry);
	registry_log_records(registry, &one, 1);
	assert_int_equal(next_seen(pipes.events[0]).id, 7);
	registry_free(registry);
	log_pipes_close(&pipes);
}

/* One that does not come back from open is left alone until it does, and then goes. */
static void test_log_hangs_in_open(void **state)
{
	struct fixture *fixture = *state;
	struct registry *registry = fixture_registry(fixture);
	struct registry_request request;
	struct log_pipes pipes;

	log_pipes_open(&pipes, true, "asleep");
	request = log_request(&pipes);
	assert_int_equal(registry_log_start(registry, &run, &fixture->report), 0);
	assert_int_equal(change_one(fixture, registry, ADD, &request), -EINVAL);
	assert_non_null(strstr(fixture->messages, "cannot be opened: its plugin has not come back for 0.2 s"));
	wait_state(registry, 1, REGISTRY_HANGING);
	assert_int_equal(write(pipes.gate[1], ".", 1), 1);
	assert_int_equal(next_seen(pipes.events[0]).id, SEEN_CLOSE);
	wait_reaped(registry);
	assert_int_equal(registry_count(registry), 1);
	registry_free(registry);
	log_pipes_close(&pipes);
}

/* Several that have been opened, and then one that does not come back: they all go. */
static void test_log_hangs_behind_others(void **state)
{
	enum { OPENED = 5 };
	static const char *const names[OPENED] = { "a", "b", "c", "d", "e" };
	struct fixture *fixture = *state;
	struct registry *registry = fixture_registry(fixture);
	struct registry_request request[OPENED + 1];
	struct log_pipes kind, asleep;

	log_pipes_open(&kind, false, "kind");
	log_pipes_open(&asleep, true, "asleep");
	for (size_t i = 0; i < OPENED; i++) {
		request[i] = log_request(&kind);
		request[i].name = names[i];
	}
	request[OPENED] = log_request(&asleep);
	assert_int_equal(registry_log_start(registry, &run, &fixture->report), 0);
	assert_int_equal(fixture_configure(fixture, registry, NULL, 0, request, OPENED + 1), -EINVAL);
	for (size_t i = 0; i < OPENED; i++)
		assert_int_equal(next_seen(kind.events[0]).id, SEEN_CLOSE);
	assert_int_equal(write(asleep.gate[1], ".", 1), 1);
	assert_int_equal(next_seen(asleep.events[0]).id, SEEN_CLOSE);
	wait_reaped(registry);
	assert_int_equal(registry_count(registry), 1);
	registry_free(registry);
	log_pipes_close(&kind);
	log_pipes_close(&asleep);
}

/* One that hangs with a full queue is not waited for; what it misses is counted. */
static void test_log_hangs_in_events(void **state)
{
	struct fixture *fixture = *state;
	struct registry *registry = fixture_registry(fixture);
	struct registry_request request;
	struct timespec before, after;
	struct registry_info info;
	struct log_pipes pipes;

	log_pipes_open(&pipes, true, "kind");
	request = log_request(&pipes);
	assert_int_equal(registry_log_start(registry, &run, &fixture->report), 0);
	assert_int_equal(change_one(fixture, registry, ADD, &request), 0);
	for (uint64_t id = 1; id <= 500; id++) {
		struct journal_record one = record(id);

		registry_log_records(registry, &one, 1);
	}
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(change_one(fixture, registry, REMOVE, &request), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec < 5);
	wait_state(registry, 1, REGISTRY_HANGING);
	/* It comes back from one call, and is not called for the rest. */
	assert_int_equal(write(pipes.gate[1], ".", 1), 1);
	while (next_seen(pipes.events[0]).id != SEEN_CLOSE)
		;
	registry_get_info(registry, 1, &info);
	assert_true(info.missed >= 500 - 128);
	wait_reaped(registry);
	registry_free(registry);
	log_pipes_close(&pipes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_replace),
		TEST(test_refusals),
		TEST(test_new_file),
		TEST(test_configure),
		TEST(test_abort_in_use),
		TEST(test_nodelete),
		TEST(test_log_life),
		TEST(test_log_refused),
		TEST(test_log_hangs_in_open),
		TEST(test_log_hangs_behind_others),
		TEST(test_log_hangs_in_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
