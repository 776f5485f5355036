/* The lines of the jsonl plugin: JSON, whole, complete; and what happens to its file. */
#define _GNU_SOURCE
#include "log_event.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	char directory[64], path[100], moved[100];
	void *log;
};

static int open_path(const char *path, void **ret)
{
	const struct tapstack_log_env env = log_env(NULL);
	char text[120];

	snprintf(text, sizeof(text), "path=%s", path);
	return log_open(&env, ret, text, NULL);
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	strcpy(fixture->directory, "/tmp/tapstack-jsonl-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->path, sizeof(fixture->path), "%s/log", fixture->directory);
	snprintf(fixture->moved, sizeof(fixture->moved), "%s/moved", fixture->directory);
	assert_int_equal(open_path(fixture->path, &fixture->log), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	log_ops()->close(fixture->log);
	unlink(fixture->path);
	unlink(fixture->moved);
	assert_int_equal(rmdir(fixture->directory), 0);
	free(fixture);
	return 0;
}

static struct tapstack_log_event event(uint64_t id)
{
	struct tapstack_log_event event = log_event(id);

	event.time_ns = INT64_C(1700000000000000007);
	event.service = "a \"quoted\"\\\n\x01 name";
	return event;
}

/* Line `number` of the file, parsed; NULL when it isn't there or isn't JSON. */
static json_t *line(const char *path, unsigned number)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;
	json_t *object = NULL;
	ssize_t length = 0;

	assert_non_null(file);
	for (unsigned i = 0; length >= 0 && i <= number; i++)
		length = getline(&text, &size, file);
	if (length > 0 && text[length - 1] == '\n')
		object = json_loads(text, 0, NULL);
	free(text);
	fclose(file);
	return object;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static long long number_of(const json_t *object, const char *key)
{
	assert_true(json_is_integer(json_object_get(object, key)));
	return json_integer_value(json_object_get(object, key));
}

static void test_lines(void **state)
{
	struct fixture *fixture = *state;
	struct tapstack_log_event events[2] = { event(1), event(2) };
	json_t *object;

	events[1].flags = TAPSTACK_LOG_FIRST | TAPSTACK_LOG_LAST | TAPSTACK_LOG_ACTIVE | TAPSTACK_LOG_COMPACT;
	events[1].missed = 5;
	events[1].last_speaker = "";
	assert_int_equal(log_ops()->events(fixture->log, events, 2), 0);

	object = line(fixture->path, 0);
	assert_non_null(object);
	assert_string_equal(text_of(object, "time"), "2023-11-14T22:13:20.000000007Z");
	assert_int_equal(number_of(object, "connection"), 1);
	assert_int_equal(number_of(object, "n"), 2);
	assert_string_equal(text_of(object, "from"), "ESTABLISHED");
	assert_string_equal(text_of(object, "to"), "CLOSE-WAIT");
	assert_string_equal(text_of(object, "cause"), "RECEIVED_FIN");
	assert_string_equal(text_of(object, "remote"), "192.0.2.1");
	assert_int_equal(number_of(object, "remote_port"), 65535);
	assert_string_equal(text_of(object, "role"), "passive");
	assert_string_equal(text_of(object, "service"), "a \"quoted\"\\\n\x01 name");
	assert_string_equal(text_of(object, "last_speaker"), "peer");
	assert_int_equal(number_of(object, "iss"), UINT32_MAX);
	assert_int_equal(number_of(object, "cwnd"), 14480);
	assert_true(json_is_null(json_object_get(object, "ssthresh")));
	assert_int_equal(number_of(object, "bytes_acked"), 1LL << 40);
	assert_int_equal(number_of(object, "shard"), 3);
	assert_null(json_object_get(object, "missed"));
	assert_null(json_object_get(object, "first"));
	json_decref(object);

	object = line(fixture->path, 1);
	assert_non_null(object);
	assert_string_equal(text_of(object, "role"), "active");
	assert_true(json_is_true(json_object_get(object, "first")));
	assert_true(json_is_true(json_object_get(object, "last")));
	assert_int_equal(number_of(object, "missed"), 5);
	assert_null(json_object_get(object, "last_speaker"));
	assert_null(json_object_get(object, "cwnd"));
	json_decref(object);
	assert_null(line(fixture->path, 2));
}

/* Log rotation: the file is moved away, the next line after reopen goes to a new one. */
static void test_reopen(void **state)
{
	struct fixture *fixture = *state;
	struct tapstack_log_event one = event(1);
	json_t *object;

	assert_int_equal(log_ops()->events(fixture->log, &one, 1), 0);
	assert_int_equal(rename(fixture->path, fixture->moved), 0);
	one.connection_id = 2;
	assert_int_equal(log_ops()->events(fixture->log, &one, 1), 0);
	assert_int_equal(log_ops()->reopen(fixture->log), 0);
	one.connection_id = 3;
	assert_int_equal(log_ops()->events(fixture->log, &one, 1), 0);
	object = line(fixture->moved, 1);
	assert_int_equal(number_of(object, "connection"), 2);
	json_decref(object);
	object = line(fixture->path, 0);
	assert_int_equal(number_of(object, "connection"), 3);
	json_decref(object);
	/* what can't be opened again leaves the old one in use */
	assert_int_equal(unlink(fixture->path), 0);
	assert_int_equal(mkdir(fixture->path, 0700), 0);
	assert_int_equal(log_ops()->reopen(fixture->log), -EISDIR);
	assert_int_equal(log_ops()->events(fixture->log, &one, 1), 0);
	assert_int_equal(rmdir(fixture->path), 0);
}

/* A full disk, played by a limit on the size of files: the lines after it are whole again. */
static void test_full(void **state)
{
	struct fixture *fixture = *state;
	struct tapstack_log_event one = event(1);
	struct rlimit before, small;
	struct stat status;
	json_t *object;

	assert_int_equal(log_ops()->events(fixture->log, &one, 1), 0);
	assert_int_equal(stat(fixture->path, &status), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){ (rlim_t)status.st_size + 100, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(log_ops()->events(fixture->log, &one, 1), -EFBIG);
	assert_int_equal(log_counts(fixture->log).lost, 1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	one.connection_id = 3;
	assert_int_equal(log_ops()->events(fixture->log, &one, 1), 0);
	assert_null(line(fixture->path, 1));
	object = line(fixture->path, 2);
	assert_non_null(object);
	assert_int_equal(number_of(object, "connection"), 3);
	assert_int_equal(number_of(object, "missed"), 1);
	json_decref(object);
	assert_int_equal(log_counts(fixture->log).lost, 1);
}

/* A batch of which the disk takes a part: the lines that are whole in the file are not counted as lost. */
static void test_part(void **state)
{
	enum { BATCH = 50 };
	struct fixture *fixture = *state;
	struct tapstack_log_event batch[BATCH];
	struct rlimit before, small;
	struct stat status;
	unsigned whole = 0;
	json_t *object;

	for (unsigned i = 0; i < BATCH; i++)
		batch[i] = event(i);
	assert_int_equal(log_ops()->events(fixture->log, batch, 1), 0);
	assert_int_equal(stat(fixture->path, &status), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){ (rlim_t)(status.st_size * 10 + 20), before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(log_ops()->events(fixture->log, batch, BATCH), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	while ((object = line(fixture->path, whole)) != NULL) {
		json_decref(object);
		whole++;
	}
	assert_in_range(whole, 2, BATCH);
	assert_int_equal(log_counts(fixture->log).lost, BATCH + 1 - whole);
	/* the next begins on a line of its own and says how many are not there */
	assert_int_equal(log_ops()->events(fixture->log, batch, 1), 0);
	object = line(fixture->path, whole + 1);
	assert_int_equal(number_of(object, "missed"), BATCH + 1 - whole);
	json_decref(object);
}

/* Only some events, a mode of its own, and synchronising. */
static void test_params(void **state)
{
	struct fixture *fixture = *state;
	const struct tapstack_log_env env = log_env(fixture->directory);
	struct tapstack_log_event some[3] = { event(1), event(2), event(3) };
	struct stat status;
	json_t *object;
	void *log = NULL;

	some[0].missed = 4;
	some[1].cause = "RECEIVED_RST";
	assert_int_equal(log_open(&env, &log, "path=moved", "mode=600", "minimum=trouble", "flush=sync", NULL), 0);
	assert_int_equal(log_ops()->events(log, some, 3), 0);
	assert_int_equal(log_ops()->flush(log), 0);
	log_ops()->close(log);
	assert_int_equal(stat(fixture->moved, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	object = line(fixture->moved, 0);
	assert_int_equal(number_of(object, "connection"), 2);
	assert_int_equal(number_of(object, "missed"), 4);
	json_decref(object);
	assert_null(line(fixture->moved, 1));
	log = NULL;
	assert_int_equal(log_open(&env, &log, "path=x", "mode=0888", NULL), -EINVAL);
	assert_non_null(strstr(log_said(), "mode: \"0888\" is not valid"));
	assert_int_equal(log_open(&env, &log, "path=x", "mode=1777", NULL), -EINVAL);
	assert_int_equal(log_open(&env, &log, "path=x", "flush=soon", NULL), -EINVAL);
	assert_non_null(strstr(log_said(), "flush: \"soon\" is not valid"));
	assert_int_equal(log_open(&env, &log, "path=x", "minimum=none", NULL), -EINVAL);
	assert_null(log);
}

static void test_open(void **state)
{
	void *log = NULL;

	(void)state;
	assert_int_equal(open_path("/nonexistent/directory/log", &log), -ENOENT);
	assert_null(log);
	assert_string_equal(tapstack_plugin.params[0].name, "path");
	assert_null(tapstack_plugin.params[0].initial_text);
}

/* Relative paths begin in the state directory that the host names; an older host names none. */
static void test_relative(void **state)
{
	struct fixture *fixture = *state;
	struct tapstack_log_env env = log_env(fixture->directory);
	struct tapstack_log_event one = event(1);
	void *log = NULL;
	json_t *object;

	assert_int_equal(log_open(&env, &log, "path=moved", NULL), 0);
	assert_int_equal(unlink(fixture->moved), 0);
	assert_int_equal(log_ops()->reopen(log), 0);
	assert_int_equal(log_ops()->events(log, &one, 1), 0);
	log_ops()->close(log);
	object = line(fixture->moved, 0);
	assert_non_null(object);
	json_decref(object);

	/* What lies behind struct_size is not looked at. */
	assert_int_equal(unlink(fixture->moved), 0);
	assert_int_equal(chdir(fixture->directory), 0);
	env.struct_size = offsetof(struct tapstack_log_env, state_directory);
	env.state_directory = "/nonexistent";
	assert_int_equal(log_open(&env, &log, "path=moved", NULL), 0);
	log_ops()->close(log);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(access(fixture->moved, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reopen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_part, setup, teardown),
		cmocka_unit_test_setup_teardown(test_params, setup, teardown),
		cmocka_unit_test(test_open),
		cmocka_unit_test_setup_teardown(test_relative, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
