#pragma once
/* Shards, a configuration and plugins that do what a test tells them, in place of the real ones; all on the test's
 * own thread: answers come from the event base, later. */
#include "control/control.h"
#include "shard/render.h"
#include "shard/survey.h"

#include <event2/event.h>

#define FAKE_ACTIONS_MAX 64

struct survey;

/* There is one shard; struct shards is this. Connections have the ids 1 .. connections. */
struct shards {
	struct event_base *base;
	int delay_ms;     /* of every answer */
	unsigned pending; /* answers that have not been given */
	size_t connections;
	struct survey *survey; /* the last one that was started, while it lives */
	unsigned pauses, cancels, slices;
	uint64_t closed_id;
	bool closed_abort;
	int close_result;                      /* of the next closes, or changes, of a connection that exists */
	struct stack_congestion_change change; /* the last one */
	size_t neighbours;
	/* hooks */
	unsigned reloads, stops;
	int reload_result;
	char impair[256]; /* the latest change: "WHAT NAME BEFORE OPTIONS" */
	size_t action_count;
	char action[FAKE_ACTIONS_MAX][256]; /* "UID METHOD ARGUMENTS RESULT" */
};

/* Connection `id` as every part of the fake has it. */
struct stack_conn_info fake_connection(uint64_t id);

/* Hooks whose context is a struct shards. */
struct control_hooks fake_hooks(struct shards *shards);
