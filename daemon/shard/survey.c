#include "shard/survey.h"
#include "core/base/assert.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Records a slice looks at, at most: some ten microseconds. */
#define SLICE 128u

/* ---- the walk ------------------------------------------------------------------------------------------------ */

struct survey {
	struct shard_job job; /* under way from survey_start to the end, one slice after the other */
	struct survey_options options;
	struct shards *shards;
	uint32_t index; /* of the shard that is being walked */
	uint64_t cursor;
	size_t reported;
	atomic_bool cancelled;
	bool paused; /* wanted by the asker */
	bool parked; /* so no slice is under way */
	size_t count;
	struct stack_conn_info slice[SLICE];
};

static void walk_slice(struct shard_job *job, struct stack *stack)
{
	struct survey *survey = CONTAINER_OF(job, struct survey, job);
	struct instant now = shard_now();
	size_t count;

	survey->count = 0;
	if (atomic_load_explicit(&survey->cancelled, memory_order_relaxed))
		return;
	count = stack_walk(stack, &survey->cursor, survey->slice, SLICE);
	for (size_t i = 0; i < count; i++) {
		if (survey->options.match && !survey->options.match(survey->options.context, &survey->slice[i], now))
			continue;
		if (survey->count != i)
			survey->slice[survey->count] = survey->slice[i];
		survey->count++;
	}
}

static bool is_cancelled(const struct survey *survey)
{
	return atomic_load_explicit(&survey->cancelled, memory_order_relaxed);
}

/* Hands over what the slice has found, as far as `max` allows. False: no more is wanted. */
static bool report(struct survey *survey)
{
	size_t count = survey->count, max = survey->options.max;

	if (max && count > max - survey->reported)
		count = max - survey->reported;
	survey->reported += count;
	if (count)
		survey->options.chunk(survey->options.user, survey->slice, count);
	return !max || survey->reported < max;
}

static void end(struct survey *survey, bool truncated)
{
	if (!is_cancelled(survey))
		survey->options.done(survey->options.user, truncated);
	if (survey->options.released)
		survey->options.released(survey->options.user);
	free(survey);
}

/* The next slice, if there is one. */
static void go_on(struct survey *survey)
{
	if (survey->cursor == UINT64_MAX) {
		survey->cursor = 0;
		survey->index++;
	}
	if (survey->index == shards_count(survey->shards))
		end(survey, false);
	else
		shard_post(shards_at(survey->shards, survey->index), &survey->job);
}

static void slice_done(struct shard_job *job)
{
	struct survey *survey = CONTAINER_OF(job, struct survey, job);
	bool full = false;

	if (!is_cancelled(survey))
		full = !report(survey);
	if (is_cancelled(survey) || full)
		end(survey, full);
	else if (survey->paused)
		survey->parked = true;
	else
		go_on(survey);
}

int survey_start(struct shards *shards, const struct survey_options *options, struct survey **ret_survey)
{
	struct survey *survey = calloc(1, sizeof(*survey));

	if (!survey)
		return -ENOMEM;
	survey->job.run = walk_slice;
	survey->job.done = slice_done;
	survey->options = *options;
	survey->shards = shards;
	*ret_survey = survey;
	shard_post(shards_at(shards, 0), &survey->job);
	return 0;
}

void survey_cancel(struct survey *survey)
{
	atomic_store_explicit(&survey->cancelled, true, memory_order_relaxed);
	if (survey->parked)
		end(survey, false);
}

void survey_pause(struct survey *survey)
{
	survey->paused = true;
}

void survey_resume(struct survey *survey)
{
	survey->paused = false;
	if (survey->parked) {
		survey->parked = false;
		go_on(survey);
	}
}

/* ---- counters and gauges ------------------------------------------------------------------------------------- */

struct totals;

struct totals_job {
	struct shard_job job;
	struct totals *totals;
};

struct totals {
	uint32_t waiting; /* shards that have not answered yet */
	void (*done)(void *user, const struct survey_totals *totals);
	void *user;
	struct survey_totals *answer;
	struct totals_job job[];
};

static void count_shard(struct shard_job *job, struct stack *stack)
{
	struct totals *totals = CONTAINER_OF(job, struct totals_job, job)->totals;
	struct survey_shard_totals *own = &totals->answer->shard[shard_index(job->shard)];

	own->counters = *stack_get_counters(stack);
	stack_get_gauges(stack, &own->gauges);
	shard_get_status(job->shard, &own->status);
}

static void add_counters(struct stack_counters *sum, const struct stack_counters *part)
{
#define ADD_COUNTER(name, help) sum->name += part->name;
	STACK_COUNTERS(ADD_COUNTER)
#undef ADD_COUNTER
	for (unsigned i = 0; i < STACK_VERDICT_COUNT; i++)
		sum->verdict[i] += part->verdict[i];
	for (unsigned from = 0; from < TCPS_STATE_COUNT; from++) {
		for (unsigned to = 0; to < TCPS_STATE_COUNT; to++)
			sum->transitions[from][to] += part->transitions[from][to];
	}
}

static void add_gauges(struct stack_gauges *sum, const struct stack_gauges *part)
{
	for (unsigned i = 0; i < TCPS_STATE_COUNT; i++)
		sum->in_state[i] += part->in_state[i];
	sum->connections += part->connections;
	sum->half_open += part->half_open;
	sum->time_wait += part->time_wait;
	sum->neighbours += part->neighbours;
	sum->orphans += part->orphans;
	sum->connections_max += part->connections_max;
	sum->half_open_max += part->half_open_max;
	sum->time_wait_max += part->time_wait_max;
	sum->buffer_bytes += part->buffer_bytes;
	sum->buffer_bytes_max += part->buffer_bytes_max;
	sum->memory_bytes += part->memory_bytes;
	sum->journal_room += part->journal_room;
	sum->journal_reserved += part->journal_reserved;
}

static void shard_counted(struct shard_job *job)
{
	struct totals *totals = CONTAINER_OF(job, struct totals_job, job)->totals;
	struct survey_totals *answer = totals->answer;

	if (--totals->waiting > 0)
		return;
	for (size_t i = 0; i < answer->count; i++) {
		add_counters(&answer->counters, &answer->shard[i].counters);
		add_gauges(&answer->gauges, &answer->shard[i].gauges);
	}
	totals->done(totals->user, answer);
	free(answer);
	free(totals);
}

int survey_totals_start(struct shards *shards, void (*done)(void *user, const struct survey_totals *totals),
                        void *user)
{
	uint32_t count = shards_count(shards);
	struct totals *totals = calloc(1, sizeof(*totals) + count * sizeof(totals->job[0]));
	struct survey_totals *answer = calloc(1, sizeof(*answer) + count * sizeof(answer->shard[0]));

	if (!totals || !answer) {
		free(totals);
		free(answer);
		return -ENOMEM;
	}
	totals->waiting = count;
	totals->done = done;
	totals->user = user;
	totals->answer = answer;
	answer->count = count;
	for (uint32_t i = 0; i < count; i++) {
		totals->job[i] = (struct totals_job){ { .run = count_shard, .done = shard_counted }, totals };
		shard_post(shards_at(shards, i), &totals->job[i].job);
	}
	return 0;
}

/* ---- one connection ------------------------------------------------------------------------------------------ */

struct search {
	uint64_t id;
	bool found;
	int error;
	struct stack_conn_info info;
	struct shards *shards;
	struct shard_job job; /* for `act`, in the shard that has it */
	void (*found_done)(void *user, const struct stack_conn_info *info);
	int (*act)(void *context, struct stack *stack, uint64_t id); /* NULL: it is only looked for */
	void *context;
	void (*acted)(void *user, int error);
	void *user;
};

static bool has_id(const void *context, const struct stack_conn_info *info, struct instant now)
{
	const struct search *search = context;

	(void)now;
	return info->id == search->id;
}

static void search_chunk(void *user, const struct stack_conn_info *infos, size_t count)
{
	struct search *search = user;

	(void)count;
	search->found = true;
	search->info = infos[0];
}

static void acted(struct shard_job *job)
{
	struct search *search = CONTAINER_OF(job, struct search, job);

	search->acted(search->user, search->error);
	free(search);
}

static void act_there(struct shard_job *job, struct stack *stack)
{
	struct search *search = CONTAINER_OF(job, struct search, job);

	search->error = search->act(search->context, stack, search->id);
}

static void search_done(void *user, bool truncated)
{
	struct search *search = user;

	(void)truncated;
	if (search->act && search->found) {
		search->job = (struct shard_job){ .run = act_there, .done = acted };
		shard_post(shards_at(search->shards, search->info.shard), &search->job);
		return;
	}
	if (search->act)
		search->acted(search->user, -ENOENT);
	else
		search->found_done(search->user, search->found ? &search->info : NULL);
	free(search);
}

static int search_start(struct shards *shards, const struct search *wanted)
{
	struct search *search = malloc(sizeof(*search));
	struct survey *survey;
	int error;

	if (!search)
		return -ENOMEM;
	*search = *wanted;
	search->shards = shards;
	error = survey_start(shards,
	                     &(struct survey_options){ .match = has_id,
	                                               .context = search,
	                                               .max = 1,
	                                               .chunk = search_chunk,
	                                               .done = search_done,
	                                               .user = search },
	                     &survey);
	if (error != 0)
		free(search);
	return error;
}

int survey_find_start(struct shards *shards, uint64_t id,
                      void (*done)(void *user, const struct stack_conn_info *info), void *user)
{
	return search_start(shards, &(struct search){ .id = id, .found_done = done, .user = user });
}

int survey_act_start(struct shards *shards, uint64_t id, int (*act)(void *context, struct stack *stack, uint64_t id),
                     void *context, void (*done)(void *user, int error), void *user)
{
	return search_start(
	        shards, &(struct search){ .id = id, .act = act, .context = context, .acted = done, .user = user });
}

static int close_it(void *context, struct stack *stack, uint64_t id)
{
	(void)context;
	return stack_admin_close(stack, id, false);
}

static int abort_it(void *context, struct stack *stack, uint64_t id)
{
	(void)context;
	return stack_admin_close(stack, id, true);
}

int survey_close_start(struct shards *shards, uint64_t id, bool abort, void (*done)(void *user, int error),
                       void *user)
{
	return survey_act_start(shards, id, abort ? abort_it : close_it, NULL, done, user);
}
