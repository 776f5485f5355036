/* What the stacks tell of congestion algorithms, to those who keep it. */
#include "main.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NOTICES_A_SECOND 5u /* in the log */

int64_t congestion_stopwatch(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void congestion_samples(void *context, uint32_t shard, const struct stack_sample *samples, size_t count)
{
	struct daemon *daemon = context;

	audit_put_samples(daemon->audit, shard, samples, count); /* what does not fit is counted there */
}

/* What was wrong, and how wrong: "a window below one segment (1 bytes), callbacks that take too long (2.100 ms)". */
static void list_offences(const struct stack_notice *notice, char *text, size_t size)
{
	size_t at = 0;

	text[0] = '\0';
	if (notice->offences & STACK_OFFENCE_WINDOW)
		at += (size_t)snprintf(text, size, "a window below one segment (%llu bytes)",
		                       (unsigned long long)notice->cwnd_wanted);
	if (notice->offences & STACK_OFFENCE_PACING && at < size)
		at += (size_t)snprintf(text + at, size - at, "%sless than a segment a round trip (%llu bytes/s)",
		                       at > 0 ? ", " : "", (unsigned long long)notice->pacing_wanted);
	if (notice->offences & STACK_OFFENCE_TIME && at < size)
		snprintf(text + at, size - at, "%scallbacks that take too long (%.3f ms)", at > 0 ? ", " : "",
		         (double)notice->longest.ns / 1e6);
}

static const char *algorithm(const struct daemon *daemon, uint16_t id)
{
	const char *name = registry_congestion_name(daemon->registry, id);

	return name ? name : "?";
}

/* A row of `action`, by the daemon itself. */
static void record(struct daemon *daemon, const struct stack_notice *notice, const char *method, const char *from,
                   const char *to, const char *why)
{
	json_t *arguments = json_pack("{s:I, s:s, s:s, s:i}", "id", (json_int_t)notice->connection_id, "congestion",
	                              from, "offences", why, "count", (int)notice->count);
	char *text = arguments ? json_dumps(arguments, JSON_COMPACT) : NULL;

	audit_action(daemon->audit, &(struct audit_action){ .uid = (int64_t)geteuid(),
	                                                    .pid = (int64_t)getpid(),
	                                                    .method = method,
	                                                    .arguments = text,
	                                                    .result = to });
	free(text);
	json_decref(arguments);
}

/* A notice on its way to main's thread. */
struct told {
	struct shard_job job;
	struct daemon *daemon;
	struct stack_notice notice;
};

static void nothing(struct shard_job *job, struct stack *stack)
{
	(void)job;
	(void)stack;
}

/* An algorithm that is wrong is so on every connection: the log has the first few of each second, and how many more
 * there were. The audit has all. */
static bool may_log(struct daemon *daemon)
{
	int64_t second = shard_now().ns / 1000000000;

	if (daemon->noticed.second != second) {
		if (daemon->noticed.silent > 0)
			log_write(
			        LOG_WARNING,
			        "and %u more connections whose congestion algorithm was taken away: see the actions "
			        "in the audit",
			        daemon->noticed.silent);
		daemon->noticed.second = second;
		daemon->noticed.count = daemon->noticed.silent = 0;
	}
	if (daemon->noticed.count++ < NOTICES_A_SECOND)
		return true;
	daemon->noticed.silent++;
	return false;
}

static void log_notice(const struct stack_notice *notice, const char *from, const char *to, const char *why)
{
	unsigned long long id = notice->connection_id;

	if (notice->kind == STACK_NOTICE_CONGESTION_REFUSED) {
		log_write(LOG_WARNING, "connection %llu: congestion algorithm %s%s would not begin, or had no memory",
		          id, from, notice->shadow ? ", in shadow," : "");
	} else {
		log_write(LOG_WARNING, "connection %llu: congestion algorithm %s%s had to be corrected %u times: %s",
		          id, from, notice->shadow ? ", in shadow," : "", notice->count, why);
	}
	if (notice->shadow)
		log_write(LOG_WARNING, "connection %llu: %s is in its shadow no more", id, from);
	else
		log_write(LOG_WARNING, "connection %llu goes on with %s", id, to);
}

static void tell(struct shard_job *job)
{
	struct told *told = (struct told *)job;
	const struct stack_notice *notice = &told->notice;
	const char *from = algorithm(told->daemon, notice->from), *to = algorithm(told->daemon, notice->to);
	char why[200];

	list_offences(notice, why, sizeof(why));
	if (may_log(told->daemon))
		log_notice(notice, from, to, why);
	record(told->daemon, notice,
	       notice->kind == STACK_NOTICE_CONGESTION_REFUSED ? "CongestionRefused" : "CongestionFallback", from,
	       notice->shadow ? "none" : to, why);
	free(told);
}

void congestion_notice(void *context, uint32_t shard, const struct stack_notice *notice)
{
	struct daemon *daemon = context;
	struct told *told = malloc(sizeof(*told));

	if (!told) {
		log_write(LOG_ERR, "connection %llu: its congestion algorithm was taken away",
		          (unsigned long long)notice->connection_id);
		return;
	}
	*told = (struct told){ .job = { .run = nothing, .done = tell }, .daemon = daemon, .notice = *notice };
	shard_post(shards_at(daemon->shards, shard), &told->job);
}
