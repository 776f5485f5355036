#include "support/fake_shards.h"

#include "shard/tenants.h"

#include <event2/event.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <setjmp.h>

#include <cmocka.h>

#define SLICE 128u

struct shards *fake_shards(struct fake_shards *fake)
{
	return (struct shards *)fake;
}

static struct fake_shards *of_shards(const struct shards *shards)
{
	return (struct fake_shards *)(uintptr_t)shards;
}

uint32_t shards_count(const struct shards *shards)
{
	(void)shards;
	return 1;
}

struct shard *shards_at(const struct shards *shards, uint32_t index)
{
	assert_int_equal(index, 0);
	return (struct shard *)of_shards(shards);
}

uint32_t tenant_id_end(const struct shard *shard)
{
	(void)shard;
	return 4;
}

const struct service *tenant_service(const struct shard *shard, uint16_t id)
{
	return ((const struct fake_shards *)shard)->service[id];
}

struct instant shard_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (struct instant){ (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec };
}

/* ---- later ----------------------------------------------------------------------------------------------------- */

struct later {
	struct fake_shards *fake;
	struct event *event;
	void (*run)(void *context);
	void *context;
};

static void on_later(evutil_socket_t fd, short what, void *context)
{
	struct later *later = context;
	const struct timeval again = { 0, 1000 };

	(void)fd, (void)what;
	if (later->fake->held) {
		event_add(later->event, &again);
		return;
	}
	later->fake->pending--;
	event_free(later->event);
	later->run(later->context);
	free(later);
}

static void run_later(struct fake_shards *fake, void (*run)(void *context), void *context)
{
	struct later *later = calloc(1, sizeof(*later));
	const struct timeval now = { 0, 0 };

	assert_non_null(later);
	*later = (struct later){ fake, evtimer_new(fake->base, on_later, later), run, context };
	fake->pending++;
	event_add(later->event, &now);
}

static void run_job(void *context)
{
	struct shard_job *job = context;

	job->run(job, NULL);
	if (job->done)
		job->done(job);
}

void shard_post(struct shard *shard, struct shard_job *job)
{
	job->shard = shard;
	run_later((struct fake_shards *)shard, run_job, job);
}

struct totals_question {
	struct fake_shards *fake;
	void (*done)(void *user, const struct survey_totals *totals);
	void *user;
};

static void answer_totals(void *context)
{
	struct totals_question *question = context;

	question->done(question->user, question->fake->totals);
	free(question);
}

int survey_totals_start(struct shards *shards, void (*done)(void *user, const struct survey_totals *totals),
                        void *user)
{
	struct totals_question *question = malloc(sizeof(*question));

	assert_non_null(question);
	*question = (struct totals_question){ of_shards(shards), done, user };
	run_later(of_shards(shards), answer_totals, question);
	return 0;
}

/* ---- the walk -------------------------------------------------------------------------------------------------- */

struct survey {
	struct fake_shards *fake;
	struct survey_options options;
	size_t reported;
	bool cancelled, paused, scheduled;
};

static void slice(void *context)
{
	struct survey *survey = context;
	struct fake_shards *fake = survey->fake;
	size_t end = survey->options.max && survey->options.max < fake->info_count ? survey->options.max
	                                                                           : fake->info_count;
	size_t count = end - survey->reported < SLICE ? end - survey->reported : SLICE;
	const struct stack_conn_info *infos = fake->infos + survey->reported;

	survey->scheduled = false;
	if (!survey->cancelled && count) {
		fake->slices++;
		survey->reported += count;
		survey->options.chunk(survey->options.user, infos, count);
	}
	if (!survey->cancelled && survey->reported < end) {
		if (!survey->paused) {
			survey->scheduled = true;
			run_later(fake, slice, survey);
		}
		return;
	}
	if (survey->paused && !survey->cancelled) /* the end too waits for the reader */
		return;
	if (!survey->cancelled)
		survey->options.done(survey->options.user, end < fake->info_count);
	free(survey);
}

int survey_start(struct shards *shards, const struct survey_options *options, struct survey **ret_survey)
{
	struct survey *survey = calloc(1, sizeof(*survey));

	assert_non_null(survey);
	*survey = (struct survey){ .fake = of_shards(shards), .options = *options, .scheduled = true };
	of_shards(shards)->surveys++;
	*ret_survey = survey;
	run_later(of_shards(shards), slice, survey);
	return 0;
}

static void wake(struct survey *survey)
{
	survey->paused = false;
	if (!survey->scheduled) {
		survey->scheduled = true;
		run_later(survey->fake, slice, survey);
	}
}

void survey_cancel(struct survey *survey)
{
	survey->cancelled = true;
	survey->fake->cancelled++;
	wake(survey);
}

void survey_pause(struct survey *survey)
{
	survey->paused = true;
}

void survey_resume(struct survey *survey)
{
	assert_true(survey->paused);
	wake(survey);
}
