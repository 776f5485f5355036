/* Loading: the good ones, every kind of wrong one with its message; and the logging instances behind their queues. */
#include "fixture.h"

#include <elf.h>
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
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

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

	assert_int_equal(fixture_load(fixture, requests, 3, NULL, 0, &registry), 0);
	assert_string_equal(fixture->messages, "");
	assert_int_equal(registry_id_end(registry), 4);
	assert_ptr_equal(registry_congestion(registry, "reno"), &reno);
	assert_null(registry_congestion(registry, "bbr"));
	gentle = registry_congestion(registry, "gentle");
	assert_non_null(gentle);
	assert_int_equal(gentle->id, 2);
	assert_string_equal(registry_congestion_name(registry, 2), "gentle");
	assert_string_equal(registry_congestion_name(registry, 0), "reno");
	assert_null(registry_congestion_name(registry, 4));
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

/* A file of these bytes. */
static void write_file(const struct fixture *fixture, const char *name, const void *bytes, size_t size)
{
	char path[300];
	FILE *file = fopen(fixture_path(fixture, name, path), "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0644), 0);
}

/* The good one, changed in one place and cut. */
static void write_changed(const struct fixture *fixture, const char *name, size_t at, uint16_t value, size_t size)
{
	static uint8_t bytes[1 << 20];
	char path[300];
	FILE *file = fopen(fixture_path(fixture, "good", path), "rb");
	size_t whole;

	assert_non_null(file);
	whole = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	assert_in_range(whole, 1000, sizeof(bytes) - 1);
	if (at != 0)
		memcpy(bytes + at, &value, sizeof(value));
	write_file(fixture, name, bytes, size == 0 ? whole : size);
}

static void make_bad_files(const struct fixture *fixture)
{
	char path[300];

	write_file(fixture, "text", "not a shared object\n", 20);
	write_file(fixture, "empty", "", 0);
	write_changed(fixture, "half", 0, 0, 5000);
	write_changed(fixture, "headless", 0, 0, 80);
	write_changed(fixture, "alien", offsetof(Elf64_Ehdr, e_machine), 4711, 0);
	write_changed(fixture, "program", offsetof(Elf64_Ehdr, e_type), ET_EXEC, 0);
	fixture_copy(fixture, "good", "other");
	assert_int_equal(mkfifo(fixture_path(fixture, "pipe", path), 0644), 0);
	assert_int_equal(symlink(fixture->directory, fixture_path(fixture, "folder", path)), 0);
}

static void test_wrong(void **state)
{
	static const struct {
		const char *plugin, *message;
	} rows[] = {
		{ "absent", "absent.so: No such file or directory; in /tmp/" },
		{ "absent", "there are: alien, badkind, badoutput, badparam" },
		{ "../good", "\"../good\" can't be the name of a plugin" },
		{ "text", "text.so: not a shared object: build it with -shared -fPIC" },
		{ "empty", "empty.so: the file is empty" },
		{ "half", "half.so: cut short: it has" },
		{ "headless", "headless.so: its program headers are damaged or cut off" },
		{ "alien", "alien.so: built for another kind of machine (ELF class 2, machine 4711" },
		{ "program", "program.so: an ELF file, but not a shared object" },
		{ "pipe", "pipe.so is not a regular file" },
		{ "folder", " is not a regular file" },
		{ "nosymbol", "not a tapstack plugin: it does not export tapstack_plugin" },
		{ "magic", "not a tapstack plugin: wrong magic" },
		{ "newer", "made for plugin ABI 2, this tapstackd has 1: it needs a newer tapstackd" },
		{ "short", "its descriptor is incomplete: struct_size is 24" },
		{ "shortops", "its operations are incomplete: struct_size is 16" },
		{ "noack", "a required operation is missing: on_ack" },
		{ "longhead", "built with headers of a newer tapstack: its descriptor is 96 bytes long" },
		{ "longops", "built with headers of a newer tapstack: its operations are" },
		{ "longops", "install a newer tapstack, or build the plugin with this one's headers" },
		{ "badswitch", "parameter fast: a switch has min 0, max 1, and 0 or 1 as its default" },
		{ "badkind", "a plugin of a kind that this tapstackd does not know (77)" },
		{ "badoutput", "two outputs are named same" },
		{ "bigstate", "its state of 1025 bytes is larger than 1024" },
		{ "badparam", "parameter gain: its default 2 is not between 0 and 1" },
		{ "twice", "two parameters are named gain" },
		{ "noversion", "version, licence or description is missing" },
		{ "unresolved", "unresolved.so: undefined symbol: nobody_defines_this: define it, or link" },
		{ "other", "it calls itself good: its file must have that name" },
		{ "sink", "a plugin of kind logging, not congestion: it belongs into plugins.logging" },
	};
	struct fixture *fixture = *state;

	make_bad_files(fixture);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct registry_request request = { .plugin = rows[i].plugin, .name = "x", .where = "f:3:4" };
		struct registry *registry = NULL;

		assert_int_equal(fixture_load(fixture, &request, 1, NULL, 0, &registry), -EINVAL);
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

	assert_int_equal(fixture_load(fixture, congestion, 3, logging, 1, &registry), -EINVAL);
	assert_string_equal(fixture->messages,
	                    "f:1:1: good has no parameter gian: it has gain, delay\n"
	                    "f:2:1: good: gain: \"2\" is not valid: expected a number from 0 to 1\n"
	                    "f:3:1: good: delay: \"nan\" is not valid: expected a number from 0 to 1e+09 ns "
	                    "(or as 10ms, 1.5s)\n"
	                    "f:4:1: good: delay: \"0x10\" is not valid: expected a number from 0 to 1e+09 ns "
	                    "(or as 10ms, 1.5s)\n"
	                    "f:5:1: good: delay: \"1e400\" is not valid: expected a number from 0 to 1e+09 ns "
	                    "(or as 10ms, 1.5s)\n"
	                    "f:6:1: good: gain: \"\" is not valid: expected a number from 0 to 1\n"
	                    "f:7:1: there is already one named a: choose another name\n"
	                    "f:8:1: there is already one named reno: choose another name\n"
	                    "f:9:1: sink: parameter needed must be given: must be there\n");
}

/* Numbers in the forms that whoever loads it can read, and switches. */
static void test_values(void **state)
{
	static const struct {
		const char *name, *value;
		double wanted;
		const char *message;
	} rows[] = {
		{ "fast", "yes", 1, NULL },
		{ "fast", "Off", 0, NULL },
		{ "fast", "true", 1, NULL },
		{ "fast", "0", 0, NULL },
		{ "fast", "2", 0, "quantities: fast: \"2\" is not valid: expected yes or no" },
		{ "delay", "10ms", 1e7, NULL },
		{ "delay", "250", 250, NULL },
		{ "delay", "64KiB", 0, "expected a number from 0 to 1e+09 ns (or as 10ms, 1.5s)" },
		{ "size", "64KiB", 65536, NULL },
		{ "size", "1e3", 1000, NULL },
		{ "size", "10ms", 0, "expected a number from 0 to 1e+06 bytes (or as 64KiB, 1MB)" },
		{ "plain", "64KiB", 0, "quantities: plain: \"64KiB\" is not valid: expected a number from 0 to 1" },
	};
	static const char *const names[] = { "fast", "delay", "size", "plain" };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct registry_param param = { rows[i].name, rows[i].value, "f:1:1" };
		const struct registry_request request = {
			.plugin = "quantities", .name = "q", .param = &param, .param_count = 1
		};
		struct registry *registry = NULL;
		int r = fixture_load(fixture, &request, 1, NULL, 0, &registry);
		struct registry_info info;

		assert_int_equal(r, rows[i].message == NULL ? 0 : -EINVAL);
		if (rows[i].message != NULL) {
			if (strstr(fixture->messages, rows[i].message) == NULL)
				fail_msg("%s", fixture->messages);
			continue;
		}
		registry_get_info(registry, 1, &info);
		for (size_t j = 0; j < COUNT(names); j++)
			if (strcmp(names[j], rows[i].name) == 0 && info.value[j].number != rows[i].wanted)
				fail_msg("%s=%s is %g", rows[i].name, rows[i].value, info.value[j].number);
		registry_free(registry);
	}
}

static void expect_refusal(struct fixture *fixture, const char *message)
{
	struct registry_request request = { .plugin = "good", .name = "x" };
	struct registry *registry = NULL;

	assert_int_equal(fixture_load(fixture, &request, 1, NULL, 0, &registry), -EINVAL);
	if (strstr(fixture->messages, message) == NULL)
		fail_msg("%s\nis not: %s", fixture->messages, message);
}

static void expect_load(struct fixture *fixture)
{
	struct registry_request request = { .plugin = "good", .name = "x" };
	struct registry *registry = NULL;

	if (fixture_load(fixture, &request, 1, NULL, 0, &registry) != 0)
		fail_msg("%s", fixture->messages);
	registry_free(registry);
}

static void test_owner(void **state)
{
	struct fixture *fixture = *state;
	char path[300];

	fixture_path(fixture, "good", path);
	chmod(path, 0666);
	expect_refusal(fixture, "good.so can be written by everybody (mode 0666): chmod o-w");
	chmod(path, 0644);
	chmod(fixture->directory, 0777);
	expect_refusal(fixture, "can be written by everybody (mode 0777): chmod o-w");
	/* A sticky directory of everybody's is good enough on the way, as /tmp is here, but not for plugins. */
	chmod(fixture->directory, 01777);
	expect_refusal(fixture, "can be written by everybody (mode 1777): chmod o-w");
	chmod(fixture->directory, 0700);
	expect_load(fixture);
	if (geteuid() != 0 || chown(path, 12345, (gid_t)-1) != 0)
		return;
	expect_refusal(fixture, "belongs to user 12345: must be root's or the daemon's own (chown)");
	assert_int_equal(chown(path, 0, 12345), 0);
	chmod(path, 0664);
	expect_refusal(fixture, "can be written by group 12345");
	chmod(path, 0644);
	assert_int_equal(chown(fixture->directory, 12345, (gid_t)-1), 0);
	expect_refusal(fixture, "belongs to user 12345");
	assert_int_equal(chown(fixture->directory, 0, (gid_t)-1), 0);
}

/* An access control list that lets user 12345 write; to whom the mode shows it as something that the group may.
 * False: there are none here. */
static bool let_write(const char *path)
{
	static const struct {
		uint32_t version;
		struct {
			uint16_t tag, permissions;
			uint32_t id;
		} entry[5];
	} list = { 2, { { 1, 7, ~0u }, { 2, 7, 12345 }, { 4, 5, ~0u }, { 16, 7, ~0u }, { 32, 5, ~0u } } };

	return setxattr(path, "system.posix_acl_access", &list, sizeof(list), 0) == 0;
}

static void test_access_lists(void **state)
{
	struct fixture *fixture = *state;
	char path[300];

	if (geteuid() != 0 || !let_write(fixture_path(fixture, "good", path)))
		skip();
	expect_refusal(fixture, "good.so has an access control list that lets others write: setfacl -b");
	/* One that lets them read only is none of our business. */
	chmod(path, 0644);
	expect_load(fixture);
	assert_true(let_write(fixture->directory));
	expect_refusal(fixture, "has an access control list that lets others write: setfacl -b");
	chmod(fixture->directory, 0700);
	expect_load(fixture);
}

/* Whoever can rename a directory on the way can put another in its place; and so can whoever can change a link. */
static void test_parents(void **state)
{
	struct fixture *fixture = *state;
	char plain[128], outer[100], inner[120], path[300], target[300];

	strcpy(plain, fixture->directory);
	snprintf(outer, sizeof(outer), "%.80s/outer", plain);
	snprintf(inner, sizeof(inner), "%s/inner", outer);
	assert_int_equal(mkdir(outer, 0755), 0);
	assert_int_equal(mkdir(inner, 0755), 0);
	snprintf(fixture->directory, sizeof(fixture->directory), "%s", inner);
	fixture_copy(fixture, "good", "real");
	assert_int_equal(symlink("real.so", fixture_path(fixture, "good", path)), 0);
	expect_load(fixture);
	chmod(outer, 0777);
	expect_refusal(fixture, "outer can be written by everybody (mode 0777)");
	chmod(outer, 01777);
	expect_load(fixture);
	/* A link there could be anybody's, by way of a hard link. */
	snprintf(fixture->directory, sizeof(fixture->directory), "%s/link", outer);
	assert_int_equal(symlink("inner", fixture->directory), 0);
	expect_refusal(fixture, "outer/link is a link in a directory that others may write into");
	chmod(outer, 0755);
	expect_load(fixture);
	if (geteuid() == 0 && lchown(fixture->directory, 12345, (gid_t)-1) == 0)
		expect_refusal(fixture, "outer/link belongs to user 12345");
	unlink(fixture->directory);
	snprintf(target, sizeof(target), "%s/../outer/./inner", outer);
	assert_int_equal(symlink(target, fixture->directory), 0);
	expect_load(fixture);
	unlink(fixture->directory);
	assert_int_equal(symlink("link", fixture->directory), 0);
	expect_refusal(fixture, "Too many levels of symbolic links");
	unlink(fixture->directory);
	expect_refusal(fixture, "No such file or directory");
	unlink(path);
	snprintf(path, sizeof(path), "%s/real.so", inner);
	unlink(path);
	assert_int_equal(rmdir(inner), 0);
	assert_int_equal(rmdir(outer), 0);
	strcpy(fixture->directory, plain);
}

static void see_file(void *context, const struct registry_file *file)
{
	char *text = context;
	size_t at = strlen(text);

	snprintf(text + at, 4000 - at, "%s %s\n", file->name,
	         file->plugin != NULL ? file->plugin->version : file->error);
}

static void test_available(void **state)
{
	struct fixture *fixture = *state;
	struct registry *registry = fixture_registry(fixture);
	char text[4000] = "", error[100] = "";

	assert_int_equal(registry_available(registry, see_file, text, error, sizeof(error)), 0);
	assert_non_null(strstr(text, "good 1\n"));
	assert_non_null(strstr(text, "sink 1\n"));
	assert_non_null(strstr(text, "made for plugin ABI 2, this tapstackd has 1"));
	assert_int_equal(registry_count(registry), 1);
	assert_int_equal(registry_set_directory(registry, "/nowhere/at/all"), 0);
	assert_int_equal(registry_available(registry, see_file, text, error, sizeof(error)), -ENOENT);
	assert_string_equal(error, "/nowhere: No such file or directory");
	registry_free(registry);
}

/* ---- logging ------------------------------------------------------------------------------------------------- */

struct log_fixture {
	struct registry *registry;
	struct log_pipes pipes;
};

static void open_log_mood(struct fixture *fixture, bool gated, const char *mood, struct log_fixture *log)
{
	const char *const services[] = { "none", "echo" };

	log_pipes_open(&log->pipes, gated, mood);
	const struct registry_request request = {
		.plugin = "sink", .name = "s", .param = log->pipes.param, .param_count = COUNT(log->pipes.param)
	};

	assert_int_equal(fixture_load(fixture, NULL, 0, &request, 1, &log->registry), 0);
	assert_int_equal(registry_log_services(log->registry, services, 2), 0);
	assert_int_equal(registry_log_start(log->registry, &run, &fixture->report), 0);
}

static void open_log(struct fixture *fixture, bool gated, struct log_fixture *log)
{
	open_log_mood(fixture, gated, "kind", log);
}

static void close_log(struct log_fixture *log)
{
	registry_free(log->registry);
	log_pipes_close(&log->pipes);
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
	seen = next_seen(log.pipes.events[0]);
	assert_int_equal(seen.id, 7);
	assert_int_equal(seen.missed, 0);
	assert_int_equal(seen.time, 1005);
	assert_string_equal(seen.text, "echo reno RECEIVED_FIN CLOSE-WAIT 192.0.2.1 3 ");
	assert_int_equal(next_seen(log.pipes.events[0]).id, 8);
	registry_log_reopen(log.registry);
	assert_int_equal(next_seen(log.pipes.events[0]).id, SEEN_REOPEN);
	records[0].service = 99;
	records[0].congestion = 99;
	registry_log_records(log.registry, records, 1);
	assert_string_equal(next_seen(log.pipes.events[0]).text, "  RECEIVED_FIN CLOSE-WAIT 192.0.2.1 3 ");
	registry_log_stop(log.registry, DURATION_S(10));
	assert_int_equal(next_seen(log.pipes.events[0]).id, SEEN_CLOSE);
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
	close(log.pipes.gate[1]); /* end of file: the calls return with an error */
	log.pipes.gate[1] = open("/dev/null", O_RDONLY);
	registry_log_stop(log.registry, DURATION_S(10));
	assert_int_equal(next_seen(log.pipes.events[0]).id, SEEN_CLOSE);
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
	assert_int_equal(write(log.pipes.gate[1], "..................................................", 50), 50);
	taken = 300 - missed;
	for (uint64_t i = 0; i < taken; i++)
		told += next_seen(log.pipes.events[0]).missed;
	registry_log_records(log.registry, &(struct journal_record){ .connection_id = 301 }, 1);
	seen = next_seen(log.pipes.events[0]);
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
	close(log.pipes.gate[1]); /* now it comes back, in memory that is still there */
	assert_int_equal(next_seen(log.pipes.events[0]).id, SEEN_CLOSE);
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
	seen = next_seen(log.pipes.events[0]);
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
	assert_int_equal(next_seen(log.pipes.events[0]).id, UINT64_MAX - 2);
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

	assert_int_equal(fixture_load(fixture, NULL, 0, &request, 1, &registry), 0);
	assert_int_equal(registry_log_start(registry, &run, &fixture->report), -EINVAL);
	assert_string_equal(fixture->messages, "f:1:1: log s cannot be opened: Permission denied\n");
	registry_free(registry);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_good),         TEST(test_wrong),     TEST(test_requests),    TEST(test_owner),
		TEST(test_access_lists), TEST(test_log),       TEST(test_slow_log),    TEST(test_hanging_log),
		TEST(test_refused_log),  TEST(test_log_env),   TEST(test_keeping_log), TEST(test_values),
		TEST(test_parents),      TEST(test_available),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
