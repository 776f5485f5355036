#pragma once
/* Questions to all shards at once, asked from main's thread without ever holding up packets: a listing walks the
 * tables in slices, each a job of its own with a bounded number of records. */
#include "core/stack.h"
#include "shard/shard.h"

#include <stdbool.h>
#include <stddef.h>

struct survey;

struct survey_options {
	/* On the shards' threads, one at a time: does this connection or listener belong in the answer? NULL: all do.
	 * `context` must stay valid until `done`, or, after survey_cancel, until `released` has run. */
	bool (*match)(const void *context, const struct stack_conn_info *info, struct instant now);
	const void *context;
	size_t max; /* no more than this many are reported; 0: all */

	/* The rest runs on main's thread. Some results; `infos` is valid during the call. May call survey_cancel
	 * or survey_pause. */
	void (*chunk)(void *user, const struct stack_conn_info *infos, size_t count);
	/* The end; not after survey_cancel. `truncated`: there may be more than `max`. The survey is gone after it.
	 */
	void (*done)(void *user, bool truncated);
	/* Last call in any case: no thread uses `context` any more. NULL is allowed. */
	void (*released)(void *user);
	void *user;
};

/* Starts a walk over every shard, one after the other. Returns 0 or -ENOMEM. Nothing is called before it returns. */
int survey_start(struct shards *shards, const struct survey_options *options, struct survey **ret_survey);

/* No more chunks, no `done`; what still runs frees itself. From main's thread; `released` follows, perhaps later. */
void survey_cancel(struct survey *survey);

/* From `chunk`: asks for no further slice until survey_resume, which may come any time later, from main's thread. For
 * a reader that is slower than the walk. survey_cancel works meanwhile too. */
void survey_pause(struct survey *survey);
void survey_resume(struct survey *survey);

/* Counters and gauges of one shard, all of the same moment. */
struct survey_shard_totals {
	struct stack_counters counters;
	struct stack_gauges gauges;
	struct shard_status status;
};

struct survey_totals {
	struct stack_counters counters; /* sums over the shards */
	struct stack_gauges gauges;     /* sums; limits too */
	size_t count;
	struct survey_shard_totals shard[];
};

/* Asks every shard; `done` runs on main's thread when all have answered, `totals` is valid during the call. */
int survey_totals_start(struct shards *shards, void (*done)(void *user, const struct survey_totals *totals),
                        void *user);

/* One connection by id in whichever shard has it; `info` is NULL when none has. */
int survey_find_start(struct shards *shards, uint64_t id,
                      void (*done)(void *user, const struct stack_conn_info *info), void *user);

/* Does something to one connection: runs `act` on the thread of the shard that has it, and tells `done` what it said,
 * or -ENOENT. `context` must stay valid until then. */
int survey_act_start(struct shards *shards, uint64_t id, int (*act)(void *context, struct stack *stack, uint64_t id),
                     void *context, void (*done)(void *user, int error), void *user);

/* stack_admin_close in whichever shard has it: error is 0, -ENOENT, -EALREADY or -EAGAIN. */
int survey_close_start(struct shards *shards, uint64_t id, bool abort, void (*done)(void *user, int error),
                       void *user);
