/* feed_days CONNINFO: the postgresql plugin is given connections that live over midnight, for its live test, which
 * looks at what became of them. */
#include "log_event.h"
#include "postgresql_seen.h"

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

int main(int argc, char **argv)
{
	struct tapstack_log_env env = log_env(NULL);
	char conninfo[600];
	void *log;

	check_seen();
	if (argc != 2)
		return 2;
	snprintf(conninfo, sizeof(conninfo), "conninfo=%s", argv[1]);
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
