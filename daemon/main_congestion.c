/* What the stacks tell of congestion algorithms, to those who keep it. */
#include "main.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

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

/* "its window, its pace" */
static void list_offences(uint32_t offences, char *text, size_t size)
{
	static const struct {
		uint32_t bit;
		const char *words;
	} kinds[] = {
		{ STACK_OFFENCE_WINDOW, "a window below one segment" },
		{ STACK_OFFENCE_PACING, "less than a segment a round trip" },
		{ STACK_OFFENCE_TIME, "callbacks that take too long" },
	};
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && at < size; i++) {
		if (offences & kinds[i].bit)
			at += (size_t)snprintf(text + at, size - at, "%s%s", at > 0 ? ", " : "", kinds[i].words);
	}
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
	json_t *arguments =
	        json_pack("{s:I, s:s, s:s, s:i, s:f}", "id", (json_int_t)notice->connection_id, "congestion", from,
	                  "offences", why, "count", (int)notice->count, "longest", (double)notice->longest.ns / 1e6);
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

static void tell(struct shard_job *job)
{
	struct told *told = (struct told *)job;
	const struct stack_notice *notice = &told->notice;
	const char *from = algorithm(told->daemon, notice->from), *to = algorithm(told->daemon, notice->to);
	unsigned long long id = notice->connection_id;
	char why[120];

	list_offences(notice->offences, why, sizeof(why));
	if (notice->kind == STACK_NOTICE_CONGESTION_REFUSED) {
		log_write(LOG_WARNING, "connection %llu: congestion algorithm %s%s would not begin, or had no memory",
		          id, from, notice->shadow ? ", in shadow," : "");
	} else {
		log_write(LOG_WARNING,
		          "connection %llu: congestion algorithm %s%s had to be corrected %u times: %s; its longest "
		          "callback took %.3f ms",
		          id, from, notice->shadow ? ", in shadow," : "", notice->count, why,
		          (double)notice->longest.ns / 1e6);
	}
	if (notice->shadow)
		log_write(LOG_WARNING, "connection %llu: %s is in its shadow no more", id, from);
	else
		log_write(LOG_WARNING, "connection %llu goes on with %s", id, to);
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
