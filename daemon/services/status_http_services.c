/* The counters of all services, from all shards. */
#include "services/status_http_private.h"
#include "shard/tenants.h"

#include <errno.h>
#include <stdlib.h>

struct question_job {
	struct shard_job job;
	struct question *question;
	struct status_service *own; /* what this shard has, by tag */
};

struct question {
	status_services_fn *done;
	void *user;
	struct status_service *item; /* the sums, and after them each shard's own */
	size_t count;
	uint32_t waiting;
	struct question_job job[];
};

static void add(struct service_stats *sum, const struct service_stats *part)
{
#define ADD_COUNTER(name, help) sum->name += part->name;
	SERVICE_COUNTERS(ADD_COUNTER)
#undef ADD_COUNTER
}

static void count_shard(struct shard_job *job, struct stack *stack)
{
	struct question_job *part = (struct question_job *)job;
	uint32_t end = tenant_id_end(job->shard);

	(void)stack;
	for (uint32_t id = 0; id < end && id < part->question->count; id++) {
		const struct service *service = tenant_service(job->shard, (uint16_t)id);

		if (service)
			part->own[id] = (struct status_service){ true, service->stats };
	}
}

static void shard_counted(struct shard_job *job)
{
	struct question_job *part = (struct question_job *)job;
	struct question *question = part->question;

	for (size_t id = 0; id < question->count; id++) {
		question->item[id].present |= part->own[id].present;
		add(&question->item[id].stats, &part->own[id].stats);
	}
	if (--question->waiting > 0)
		return;
	question->done(question->user, question->item, question->count);
	free(question->item);
	free(question);
}

int status_services_start(struct shards *shards, size_t count, status_services_fn *done, void *user)
{
	uint32_t shard_count = shards_count(shards);
	struct question *question = calloc(1, sizeof(*question) + shard_count * sizeof(question->job[0]));
	struct status_service *item = calloc((shard_count + 1) * count + 1, sizeof(*item));

	if (!question || !item) {
		free(question);
		free(item);
		return -ENOMEM;
	}
	*question = (struct question){ done, user, item, count, shard_count };
	for (uint32_t i = 0; i < shard_count; i++) {
		question->job[i] = (struct question_job){ { .run = count_shard, .done = shard_counted },
			                                  question,
			                                  item + (i + 1) * count };
		shard_post(shards_at(shards, i), &question->job[i].job);
	}
	return 0;
}
