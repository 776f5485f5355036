/* Loading: the good ones, every kind of wrong one with its message; and the logging instances behind their queues. */
#include "plugin/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DEADLINE_MS 10000

/* What the core has built in. */
static const struct stack_congestion reno = { .name = "reno", .id = 0 };

const struct stack_congestion *stack_builtin_reno(void)
{
	return &reno;
}

struct fixture {
	char directory[64];
	char messages[4000];
};

static void copy_file(const char *from, const char *to)
{
	char block[65536];
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	size_t length;

	assert_non_null(in);
	assert_non_null(out);
	while ((length = fread(block, 1, sizeof(block), in)) > 0)
		assert_int_equal(fwrite(block, 1, length, out), length);
	fclose(in);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(to, 0644), 0);
}

static const char *const samples[] = { "good",  "older",     "nosymbol",   "magic",    "newer",
	                               "short", "shortops",  "noack",      "bigstate", "badparam",
	                               "twice", "noversion", "unresolved", "sink" };

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char from[600], to[200];

	strcpy(fixture->directory, "/tmp/tapstack-plugin-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	for (size_t i = 0; i < COUNT(samples); i++) {
		snprintf(from, sizeof(from), "%s/%s.so", SAMPLES, samples[i]);
		snprintf(to, sizeof(to), "%s/%s.so", fixture->directory, samples[i]);
		copy_file(from, to);
	}
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	char path[200];

	chmod(fixture->directory, 0700);
	for (size_t i = 0; i < COUNT(samples); i++) {
		snprintf(path, sizeof(path), "%s/%s.so", fixture->directory, samples[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/text.so", fixture->directory);
	unlink(path);
	snprintf(path, sizeof(path), "%s/other.so", fixture->directory);
	unlink(path);
	assert_int_equal(rmdir(fixture->directory), 0);
	free(fixture);
	return 0;
}

static void keep_message(void *context, const char *where, const char *message)
{
	struct fixture *fixture = context;
	size_t at = strlen(fixture->messages);

	snprintf(fixture->messages + at, sizeof(fixture->messages) - at, "%s: %s\n", where == NULL ? "-" : where,
	         message);
}

static void quiet(int priority, const char *text)
{
	(void)priority;
	(void)text;
}

static int load(struct fixture *fixture, const struct registry_request *congestion, size_t congestion_count,
                const struct registry_request *logging, size_t logging_count, struct registry **ret)
{
	struct registry_options options = {
		.directory = fixture->directory,
		.congestion = congestion,
		.congestion_count = congestion_count,
		.logging = logging,
		.logging_count = logging_count,
		.log_queue_events = 100,
		.state_directory = fixture->directory,
		.log = quiet,
		.error = keep_message,
		.error_context = fixture,
	};

	fixture->messages[0] = '\0';
	return registry_load(&options, ret);
}

static void test_good(void **state)
{
	struct fixture *fixture = *state;
	const struct registry_param param = { "gain", "0.25", "f:1:2" };
	const struct registry_request requests[] = {
		{ .plugin = "good", .name = "good" },
		{ .plugin = "good", .name = "gentle", .param = &param, .param_count = 1 },
		{ .plugin = "older", .name = "older" },
	};
	const struct stack_congestion *gentle;
	struct tapstack_cc_decision decision = { .cwnd_bytes = 10 };
	struct tapstack_cc_sample sample = { .acked_bytes = 5 };
	struct registry *registry = NULL;
	struct registry_info info;
	uint64_t memory;

	assert_int_equal(load(fixture, requests, 3, NULL, 0, &registry), 0);
	assert_string_equal(fixture->messages, "");
	assert_int_equal(registry_congestion_count(registry), 4);
	assert_ptr_equal(registry_congestion(registry, "reno"), &reno);
	assert_null(registry_congestion(registry, "bbr"));
	gentle = registry_congestion(registry, "gentle");
	assert_non_null(gentle);
	assert_int_equal(gentle->id, 2);
	assert_ptr_equal(registry_congestion_by_id(registry, 2), gentle);
	assert_null(registry_congestion_by_id(registry, 4));
	assert_int_equal(gentle->params.count, 2);
	assert_true(gentle->params.value[0].number == 0.25);
	assert_true(gentle->params.value[1].number == 1e6);
	assert_true(registry_congestion(registry, "good")->params.value[0].number == 0.5);
	assert_int_equal(gentle->ops->init(&memory, NULL, &gentle->params, &decision), 0);
	gentle->ops->on_ack(&memory, &sample, &decision);
	assert_int_equal(decision.cwnd_bytes, 15);
	/* What lies behind the struct_size of an older plugin is not believed. */
	assert_null(registry_congestion(registry, "older")->ops->outputs);

	assert_int_equal(registry_count(registry), 4);
	registry_get_info(registry, 0, &info);
	assert_string_equal(info.name, "reno");
	registry_get_info(registry, 2, &info);
	assert_string_equal(info.name, "gentle");
	assert_string_equal(info.plugin, "good");
	assert_string_equal(info.licence, "MIT");
	assert_int_equal(info.param_count, 2);
	assert_true(info.value[0].number == 0.25);
	registry_free(registry);
	registry_free(NULL);
}

static void test_wrong(void **state)
{
	static const struct {
		const char *plugin, *message;
	} rows[] = {
		{ "absent", "absent.so: No such file or directory" },
		{ "text", "cannot be loaded" },
		{ "nosymbol", "not a tapstack plugin: it does not export tapstack_plugin" },
		{ "magic", "not a tapstack plugin: wrong magic" },
		{ "newer", "made for plugin ABI 2, this tapstackd has 1: it needs a newer tapstackd" },
		{ "short", "its descriptor is incomplete: struct_size is 24" },
		{ "shortops", "its operations are incomplete: struct_size is 16" },
		{ "noack", "a required operation is missing: on_ack" },
		{ "bigstate", "its state of 1025 bytes is larger than 1024" },
		{ "badparam", "parameter gain: its default 2 is not between 0 and 1" },
		{ "twice", "two parameters are named gain" },
		{ "noversion", "version, licence or description is missing" },
		{ "unresolved", "undefined symbol: nobody_defines_this" },
		{ "other", "it calls itself good: its file must have that name" },
		{ "sink", "a plugin of kind logging, not congestion" },
	};
	struct fixture *fixture = *state;
	char path[200], from[200];
	FILE *file;

	snprintf(path, sizeof(path), "%s/text.so", fixture->directory);
	file = fopen(path, "w");
	fputs("not a shared object\n", file);
	fclose(file);
	chmod(path, 0644);
	snprintf(from, sizeof(from), "%s/good.so", fixture->directory);
	snprintf(path, sizeof(path), "%s/other.so", fixture->directory);
	copy_file(from, path);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct registry_request request = { .plugin = rows[i].plugin, .name = "x", .where = "f:3:4" };
		struct registry *registry = NULL;

		assert_int_equal(load(fixture, &request, 1, NULL, 0, &registry), -EINVAL);
		assert_null(registry);
		if (strncmp(fixture->messages, "f:3:4: ", 7) != 0 ||
		    strstr(fixture->messages, rows[i].message) == NULL)
			fail_msg("%s: %s", rows[i].plugin, fixture->messages);
	}
}

/* All faults of all requests are reported. */
static void test_requests(void **state)
{
	struct fixture *fixture = *state;
	const struct registry_param params[] = {
		{ "gian", "1", "f:1:1" },     { "gain", "2", "f:2:1" },      { "delay", "nan", "f:3:1" },
		{ "delay", "0x10", "f:4:1" }, { "delay", "1e400", "f:5:1" }, { "gain", "", "f:6:1" },
	};
	const struct registry_request congestion[] = {
		{ .plugin = "good", .name = "a", .where = "f:0:1", .param = params, .param_count = COUNT(params) },
		{ .plugin = "good", .name = "a", .where = "f:7:1" },
		{ .plugin = "good", .name = "reno", .where = "f:8:1" },
	};
	const struct registry_request logging[] = { { .plugin = "sink", .name = "s", .where = "f:9:1" } };
	struct registry *registry = NULL;

	assert_int_equal(load(fixture, congestion, 3, logging, 1, &registry), -EINVAL);
	assert_string_equal(fixture->messages,
	                    "f:1:1: good has no parameter gian: it has gain, delay\n"
	                    "f:2:1: good: gain: \"2\" is not valid: expected a number from 0 to 1\n"
	                    "f:3:1: good: delay: \"nan\" is not valid: expected a number from 0 to 1e+09 ns\n"
	                    "f:4:1: good: delay: \"0x10\" is not valid: expected a number from 0 to 1e+09 ns\n"
	                    "f:5:1: good: delay: \"1e400\" is not valid: expected a number from 0 to 1e+09 ns\n"
	                    "f:6:1: good: gain: \"\" is not valid: expected a number from 0 to 1\n"
	                    "f:7:1: there is already one named a: choose another name\n"
	                    "f:8:1: there is already one named reno: choose another name\n"
	                    "f:9:1: sink: parameter needed must be given: must be there\n");
}

static void test_owner(void **state)
{
	struct fixture *fixture = *state;
	struct registry_request request = { .plugin = "good", .name = "x" };
	struct registry *registry = NULL;
	char path[200];

	snprintf(path, sizeof(path), "%s/good.so", fixture->directory);
	chmod(path, 0666);
	assert_int_equal(load(fixture, &request, 1, NULL, 0, &registry), -EINVAL);
	assert_non_null(strstr(fixture->messages, "good.so can be written by everybody (mode 0666)"));
	chmod(path, 0644);
	chmod(fixture->directory, 0777);
	assert_int_equal(load(fixture, &request, 1, NULL, 0, &registry), -EINVAL);
	assert_non_null(strstr(fixture->messages, "can be written by everybody (mode 0777)"));
	chmod(fixture->directory, 0700);
	if (geteuid() == 0 && chown(path, 12345, (gid_t)-1) == 0) {
		assert_int_equal(load(fixture, &request, 1, NULL, 0, &registry), -EINVAL);
		assert_non_null(strstr(fixture->messages, "belongs to user 12345"));
		assert_int_equal(chown(path, 0, 12345), 0);
		chmod(path, 0664);
		assert_int_equal(load(fixture, &request, 1, NULL, 0, &registry), -EINVAL);
		assert_non_null(strstr(fixture->messages, "can be written by group 12345"));
	}
}

/* ---- logging ------------------------------------------------------------------------------------------------- */

struct seen {
	uint64_t id, missed, time;
	char text[200];
};

#define SEEN_REOPEN UINT64_MAX
#define SEEN_CLOSE (UINT64_MAX - 1)

/* The next thing the plugin has told. */
static struct seen next_seen(int fd)
{
	struct seen seen = { 0 };
	char *at = (char *)&seen;
	size_t length = 0, size = 24 + sizeof(seen.text);

	while (length < size) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		ssize_t got;

		assert_int_equal(poll(&ready, 1, DEADLINE_MS), 1);
		got = read(fd, at + length, size - length);
		assert_true(got > 0);
		length += (size_t)got;
	}
	return seen;
}

static void number_text(char text[16], int number)
{
	snprintf(text, 16, "%d", number);
}

static const struct registry_run run = { .wall_offset_ns = 1000,
	                                 .id = 12,
	                                 .started_ns = 34,
	                                 .daemon_version = "9.8.7",
	                                 .link_name = "tap5",
	                                 .mtu_bytes = 1400 };

struct log_fixture {
	struct registry *registry;
	int events[2], gate[2]; /* pipes */
};

static void open_log_mood(struct fixture *fixture, bool gated, const char *mood, struct log_fixture *log)
{
	char events[16], gate[16];
	const struct registry_param params[] = {
		{ "events", events, NULL }, { "gate", gate, NULL }, { "mood", mood, NULL }, { "needed", "x", NULL }
	};
	const struct registry_request request = {
		.plugin = "sink", .name = "s", .param = params, .param_count = COUNT(params)
	};
	const char *const services[] = { "none", "echo" };

	assert_int_equal(pipe(log->events), 0);
	assert_int_equal(pipe(log->gate), 0);
	number_text(events, log->events[1]);
	number_text(gate, gated ? log->gate[0] : -1);
	assert_int_equal(load(fixture, NULL, 0, &request, 1, &log->registry), 0);
	assert_int_equal(registry_log_services(log->registry, services, 2), 0);
	assert_int_equal(registry_log_start(log->registry, &run), 0);
}

static void open_log(struct fixture *fixture, bool gated, struct log_fixture *log)
{
	open_log_mood(fixture, gated, "kind", log);
}

static void close_log(struct log_fixture *log)
{
	registry_free(log->registry);
	close(log->events[0]);
	close(log->events[1]);
	close(log->gate[0]);
	close(log->gate[1]);
}

static struct journal_record record(uint64_t id)
{
	return (struct journal_record){ .connection_id = id,
		                        .time_ns = 5,
		                        .service = 1,
		                        .cause = CAUSE_RECEIVED_FIN,
		                        .to = TCPS_CLOSE_WAIT,
		                        .shard = 3,
		                        .flow = { .remote = ip_addr_v4(0xc0000201) } };
}

static void test_log(void **state)
{
	struct fixture *fixture = *state;
	struct journal_record records[2] = { record(7), record(8) };
	struct log_fixture log;
	struct registry_info info;
	struct seen seen;

	open_log(fixture, false, &log);
	registry_log_records(log.registry, records, 2);
	seen = next_seen(log.events[0]);
	assert_int_equal(seen.id, 7);
	assert_int_equal(seen.missed, 0);
	assert_int_equal(seen.time, 1005);
	assert_string_equal(seen.text, "echo reno RECEIVED_FIN CLOSE-WAIT 192.0.2.1 3 ");
	assert_int_equal(next_seen(log.events[0]).id, 8);
	registry_log_reopen(log.registry);
	assert_int_equal(next_seen(log.events[0]).id, SEEN_REOPEN);
	records[0].service = 99;
	records[0].congestion = 99;
	registry_log_records(log.registry, records, 1);
	assert_string_equal(next_seen(log.events[0]).text, "  RECEIVED_FIN CLOSE-WAIT 192.0.2.1 3 ");
	registry_log_stop(log.registry, DURATION_S(10));
	assert_int_equal(next_seen(log.events[0]).id, SEEN_CLOSE);
	registry_get_info(log.registry, 1, &info);
	assert_string_equal(info.name, "s");
	assert_int_equal(info.kind, TAPSTACK_PLUGIN_LOGGING);
	assert_int_equal(info.events, 3);
	assert_int_equal(info.missed, 0);
	assert_int_equal(info.errors, 0);
	assert_false(info.running);
	close_log(&log);
}

/* A plugin that does not come back misses what its queue can't hold, and is told how many. */
static void test_slow_log(void **state)
{
	struct fixture *fixture = *state;
	struct registry_info info;
	struct log_fixture log;
	uint64_t taken, missed, told = 0;
	struct seen seen;

	open_log(fixture, true, &log);
	for (uint64_t id = 1; id <= 500; id++) {
		struct journal_record one = record(id);

		registry_log_records(log.registry, &one, 1);
	}
	registry_get_info(log.registry, 1, &info);
	assert_int_equal(info.events, 0);
	assert_int_equal(info.missed + info.queued, 500);
	/* 100 fit into the queue, up to 64 are in the plugin's hands */
	assert_true(info.missed >= 500 - 100 - 64 && info.missed <= 500 - 100);
	close(log.gate[1]); /* end of file: the calls return with an error */
	log.gate[1] = open("/dev/null", O_RDONLY);
	registry_log_stop(log.registry, DURATION_S(10));
	assert_int_equal(next_seen(log.events[0]).id, SEEN_CLOSE);
	registry_get_info(log.registry, 1, &info);
	assert_int_equal(info.events + info.missed, 500);
	assert_true(info.errors >= 1);
	close_log(&log);

	/* The count of the missed ones comes with the next event that finds room: the last, or one in between when
	 * the thread woke up late and emptied the queue in the middle. */
	open_log(fixture, true, &log);
	for (uint64_t id = 1; id <= 300; id++) {
		struct journal_record one = record(id);

		registry_log_records(log.registry, &one, 1);
	}
	registry_get_info(log.registry, 1, &info);
	missed = info.missed;
	assert_int_equal(write(log.gate[1], "..................................................", 50), 50);
	taken = 300 - missed;
	for (uint64_t i = 0; i < taken; i++)
		told += next_seen(log.events[0]).missed;
	registry_log_records(log.registry, &(struct journal_record){ .connection_id = 301 }, 1);
	seen = next_seen(log.events[0]);
	assert_int_equal(seen.id, 301);
	assert_int_equal(told + seen.missed, missed);
	registry_log_stop(log.registry, DURATION_S(10));
	close_log(&log);
}

/* One that hangs for ever does not keep the daemon from stopping. In a process of its own, because memory is left
 * behind on purpose. */
static void test_hanging_log(void **state)
{
	struct fixture *fixture = *state;
	struct journal_record one = record(1);
	struct registry_info info;
	struct log_fixture log;
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child > 0) {
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		return;
	}
	open_log(fixture, true, &log);
	registry_log_records(log.registry, &one, 1);
	registry_log_stop(log.registry, DURATION_MS(20));
	registry_get_info(log.registry, 1, &info);
	assert_int_equal(info.missed, 1);
	registry_free(log.registry);
	close(log.gate[1]); /* now it comes back, in memory that is still there */
	assert_int_equal(next_seen(log.events[0]).id, SEEN_CLOSE);
	_exit(0);
}

/* What a plugin is told about the daemon that it runs in. */
static void test_log_env(void **state)
{
	struct fixture *fixture = *state;
	struct log_fixture log;
	char host[65] = "", wanted[200];
	struct seen seen;

	open_log_mood(fixture, false, "curious", &log);
	seen = next_seen(log.events[0]);
	gethostname(host, sizeof(host) - 1);
	snprintf(wanted, sizeof(wanted), "%s 9.8.7 tap5", host);
	assert_string_equal(seen.text, wanted);
	assert_int_equal(seen.id, 12);
	assert_int_equal(seen.missed, 1400);
	assert_int_equal(seen.time, 34);
	registry_log_stop(log.registry, DURATION_S(10));
	close_log(&log);
}

static void wait_for_counts(struct registry *registry, uint64_t events, uint64_t missed, uint64_t queued)
{
	struct registry_info info;

	for (int i = 0; i < DEADLINE_MS; i++) {
		registry_get_info(registry, 1, &info);
		assert_int_equal(info.events + info.missed + info.queued, events + missed + queued);
		if (info.events == events && info.missed == missed && info.queued == queued)
			return;
		poll(NULL, 0, 1);
	}
	fail_msg("events %lu, missed %lu, queued %lu", (unsigned long)info.events, (unsigned long)info.missed,
	         (unsigned long)info.queued);
}

/* One with a buffer of its own gets time to empty it, and its losses are shown. Every event is in one count, at any
 * moment. */
static void test_keeping_log(void **state)
{
	struct fixture *fixture = *state;
	struct journal_record records[5] = { record(2), record(3), record(4), record(6), record(8) };
	struct log_fixture log;
	struct registry_info info;

	open_log_mood(fixture, false, "keeps", &log);
	registry_log_records(log.registry, records, 3);
	assert_int_equal(next_seen(log.events[0]).id, UINT64_MAX - 2);
	wait_for_counts(log.registry, 2, 1, 0);
	registry_log_records(log.registry, records, 5);
	registry_log_stop(log.registry, DURATION_S(10));
	/* what it still had when it was closed is lost */
	registry_get_info(log.registry, 1, &info);
	assert_int_equal(info.events, 2);
	assert_int_equal(info.missed, 6);
	assert_int_equal(info.queued, 0);
	close_log(&log);
}

static void test_refused_log(void **state)
{
	struct fixture *fixture = *state;
	const struct registry_param params[] = { { "mood", "refuse", NULL }, { "needed", "x", NULL } };
	const struct registry_request request = {
		.plugin = "sink", .name = "s", .where = "f:1:1", .param = params, .param_count = 2
	};
	struct registry *registry = NULL;

	assert_int_equal(load(fixture, NULL, 0, &request, 1, &registry), 0);
	assert_int_equal(registry_log_start(registry, &run), -EINVAL);
	assert_string_equal(fixture->messages, "f:1:1: log s cannot be opened: Permission denied\n");
	registry_free(registry);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_good),    TEST(test_wrong),       TEST(test_requests),    TEST(test_owner),
		TEST(test_log),     TEST(test_slow_log),    TEST(test_hanging_log), TEST(test_refused_log),
		TEST(test_log_env), TEST(test_keeping_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
