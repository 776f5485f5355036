/* feed_days CONNINFO: the postgresql plugin is given connections that live over midnight, for its live test, which
 * looks at what became of them. */
#include "log_event.h"
#include "postgresql_seen.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_NS INT64_C(3600000000000)

/* Against a plain array, at every step. */
static void check_seen(void)
{
	static int64_t wanted[512];
	struct seen seen = { 0 };
	unsigned random = 1;

	for (unsigned step = 1; step <= 200000; step++) {
		uint64_t id;
		int64_t got;

		random = random * 1664525u + 1013904223u;
		id = 1 + (random >> 10) % 511;
		if ((random >> 8 & 3) == 0) {
			seen_forget(&seen, id << 20);
			wanted[id] = 0;
			continue;
		}
		assert_int_equal(seen_get(&seen, id << 20, step, &got), 0);
		wanted[id] = wanted[id] == 0 ? step : wanted[id];
		assert_int_equal(got, wanted[id]);
	}
	seen_free(&seen);
}

/* Connections that are never heard of again take memory only up to a limit. */
static void check_seen_is_bounded(void)
{
	struct seen seen = { 0 };
	int64_t got;

	for (uint64_t id = 1; id <= SEEN_MAX; id++)
		assert_int_equal(seen_get(&seen, id, 1, &got), 0);
	assert_int_equal(seen.used, SEEN_MAX);
	assert_int_equal(seen_get(&seen, SEEN_MAX + 1, 2, &got), 0);
	assert_int_equal(seen.used, 1);
	assert_int_equal(got, 2);
	seen_free(&seen);
}

/* What is wrong is found before anything is connected to, and told without what may be a password. */
static void check_conninfo(struct tapstack_log_env *env)
{
	static const char *const wrong[] = { "conninfo=host=db password=my secret", "conninfo=passwort=secret",
		                             "conninfo=postgresql://user:secret@[::1" };
	static const char *const right[] = { "conninfo=tapstack", "conninfo=host=db password='my secret'",
		                             "conninfo=postgres://user:secret@[::1]/db" };
	void *log;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(log_open(env, &log, wrong[i], NULL), -EINVAL);
		assert_non_null(strstr(log_said(), "conninfo"));
		assert_null(strstr(log_said(), "secret"));
	}
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		assert_int_equal(log_open(env, &log, right[i], NULL), 0);
		log_ops()->close(log);
	}
}

static void *begin_run(const char *conninfo, const char *link, uint64_t run, int64_t started_ns)
{
	struct tapstack_log_env env = log_env(NULL);
	void *log;

	env.link_name = link;
	env.run_id = run;
	env.run_started_ns = started_ns;
	assert_int_equal(log_open(&env, &log, conninfo, "schema=select", "batch_events=1", NULL), 0);
	return log;
}

static void store(void *log, uint64_t id)
{
	struct tapstack_log_event event = log_event(id);

	assert_int_equal(log_ops()->events(log, &event, 1), 0);
	assert_int_equal(log_counts(log).waiting, 0);
}

/* What is never closed, as if its daemon had crashed; kept, so that it counts as no leak. */
static void *volatile crashed[3];

/* In a schema whose name is a key word. */
static void feed_runs(const char *conninfo)
{
	void *first = begin_run(conninfo, "tap0", 1, 2000), *other, *second, *replaced;

	store(first, 1);
	other = begin_run(conninfo, "tap1", 1, 3000); /* beside it, on the same machine */
	store(other, 2);
	second = begin_run(conninfo, "tap0", 2, 1000); /* after a crash, and the clock was set back */
	store(second, 3);
	replaced = begin_run(conninfo, "tap0", 2, 1000);
	store(replaced, 4);
	log_ops()->close(second);
	store(replaced, 5); /* its run goes on */
	crashed[0] = first;
	crashed[1] = other;
	crashed[2] = replaced;
}

/* The end of a connection is noted also when it is not wanted: what has the same number later is another one. */
static void feed_trouble(const char *conninfo)
{
	struct tapstack_log_env env = log_env(NULL);
	struct tapstack_log_event event = log_event(9);
	void *log;

	assert_int_equal(log_open(&env, &log, conninfo, "schema=trouble", "minimum=trouble", NULL), 0);
	event.cause = "RECEIVED_RST";
	assert_int_equal(log_ops()->events(log, &event, 1), 0);
	event.cause = "RECEIVED_FIN";
	event.flags |= TAPSTACK_LOG_LAST;
	event.index++;
	assert_int_equal(log_ops()->events(log, &event, 1), 0);
	assert_int_equal(log_counts(log).waiting, 1);
	event.cause = "RECEIVED_RST";
	event.time_ns += 48 * HOUR_NS;
	event.index++;
	assert_int_equal(log_ops()->events(log, &event, 1), 0);
	log_ops()->flush(log);
	log_ops()->close(log);
}

int main(int argc, char **argv)
{
	struct tapstack_log_env env = log_env(NULL);
	char conninfo[600];
	void *log;

	check_seen();
	check_seen_is_bounded();
	check_conninfo(&env);
	if (argc != 2)
		return 2;
	snprintf(conninfo, sizeof(conninfo), "conninfo=%s", argv[1]);
	feed_runs(conninfo);
	feed_trouble(conninfo);
	if (log_open(&env, &log, conninfo, "batch_events=3", NULL) != 0)
		return 1;
	for (uint64_t id = 1; id <= 4; id++) /* one begins each day, and takes 30 hours */
		for (uint32_t n = 0; n < 4; n++) {
			struct tapstack_log_event event = log_event(id);

			event.time_ns += (int64_t)(id - 1) * 24 * HOUR_NS + (int64_t)n * 10 * HOUR_NS;
			event.index = n;
			event.service = "tab\there \\ \xc3\xbc";
			event.flags = n == 0 ? TAPSTACK_LOG_FIRST : n == 3 ? TAPSTACK_LOG_LAST : 0;
			if (log_ops()->events(log, &event, 1) != 0)
				return 1;
		}
	log_ops()->flush(log);
	printf("%u waiting, %u lost\n", (unsigned)log_counts(log).waiting, (unsigned)log_counts(log).lost);
	log_ops()->close(log);
	return 0;
}
