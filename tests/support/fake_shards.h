#pragma once
/* shard/shard.h and shard/survey.h over a table in memory, answering from the event loop of the test: link it instead
 * of libshard's loop. Rendering is the real one. */
#include "shard/shard.h"
#include "shard/survey.h"

struct event_base;
struct service;

struct fake_shards {
	struct event_base *base;
	struct stack_conn_info *infos; /* what a survey finds */
	size_t info_count;
	struct survey_totals *totals;
	const struct service *service[4]; /* by tag */
	bool held;                        /* questions are not answered until this is false */

	/* What was seen. */
	size_t slices, surveys, cancelled, pending;
};

/* `fake` must be zeroed but for the members that say what is found. */
struct shards *fake_shards(struct fake_shards *fake);
