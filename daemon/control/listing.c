/* Connections: a walk over the shards, streamed as fast as the caller reads. */
#include "control/context.h"
#include "control/filter.h"
#include "shard/render.h"
#include "shard/survey.h"
#include "tapstack/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most connections in an answer to a call without `more`: one message must hold them. */
enum { LISTING_SINGLE_MAX = 500 };

struct listing {
	struct call *call; /* NULL: has been answered */
	struct survey *survey;
	struct filter *filter;
	const json_t *fields; /* names, in the call's parameters; NULL: all */
	json_t *collected;    /* of a call without `more` */
	bool paused, failed;
};

/* The chosen fields of a rendered connection; takes over `object`. */
static json_t *choose_fields(json_t *object, const json_t *fields)
{
	json_t *chosen, *name;
	size_t i;

	if (!object || !fields)
		return object;
	chosen = json_object();
	json_array_foreach(fields, i, name)
	{
		json_t *value = json_object_get(object, json_string_value(name));

		if (value && json_object_set(chosen, json_string_value(name), value) < 0) {
			json_decref(chosen);
			chosen = NULL;
			break;
		}
	}
	json_decref(object);
	return chosen;
}

static json_t *render_all(const struct listing *listing, const struct stack_conn_info *infos, size_t count)
{
	const struct control_hooks *hooks = &call_control(listing->call)->options.hooks;
	const struct render_names *names = hooks->names(hooks->context);
	struct instant now = shard_now();
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *object = choose_fields(render_connection(&infos[i], names, now), listing->fields);

		if (json_array_append_new(array, object) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static void on_chunk(void *user, const struct stack_conn_info *infos, size_t count)
{
	struct listing *listing = user;
	json_t *array = render_all(listing, infos, count);

	if (!array || (listing->collected && json_array_extend(listing->collected, array) < 0)) {
		json_decref(array);
		listing->failed = true;
		survey_cancel(listing->survey);
		return;
	}
	if (listing->collected) {
		json_decref(array);
	} else if (!call_reply_more(listing->call, json_pack("{s:o}", "connections", array))) {
		listing->paused = true;
		survey_pause(listing->survey);
	}
}

static void on_drained(struct call *call)
{
	struct listing *listing = call->state;

	if (listing->paused) {
		listing->paused = false;
		survey_resume(listing->survey);
	}
}

static void on_done(void *user, bool truncated)
{
	struct listing *listing = user;
	struct call *call = listing->call;
	json_t *array = listing->collected ? json_incref(listing->collected) : json_array();

	listing->call = NULL;
	call_reply(call, json_pack("{s:o, s:b}", "connections", array, "complete", !truncated));
}

static void on_released(void *user)
{
	struct listing *listing = user;

	if (listing->call && listing->failed)
		call_fail_memory(listing->call);
	else if (listing->call)
		call_reply(listing->call, NULL); /* the caller has gone: to nobody */
	filter_free(listing->filter);
	json_decref(listing->collected);
	free(listing);
}

static void on_abandoned(struct call *call)
{
	struct listing *listing = call->state;

	survey_cancel(listing->survey);
}

/* Checks that all are names of fields, and each is there once: choosing them is work for every connection. Returns 0
 * or -EINVAL with the reason. */
static int check_fields(const json_t *fields, char *reason, size_t reason_size)
{
	static const char *const known[] = {
#define FIELD_NAME(name, kind, unit, help) #name,
		TAPSTACK_CONNECTION_FIELDS(FIELD_NAME)
#undef FIELD_NAME
	};
	enum { KNOWN = sizeof(known) / sizeof(known[0]) };
	bool chosen[KNOWN] = { false };
	size_t i, k;
	json_t *name;

	json_array_foreach(fields, i, name)
	{
		for (k = 0; k < KNOWN; k++)
			if (strcmp(known[k], json_string_value(name)) == 0)
				break;
		if (k == KNOWN || chosen[k]) {
			snprintf(reason, reason_size,
			         k == KNOWN ? "there is no field %.40s" : "field %.40s is twice in it",
			         json_string_value(name));
			return -EINVAL;
		}
		chosen[k] = true;
	}
	return 0;
}

/* Checks what the parameter table can't; ends the call and returns false when something is wrong. */
static bool prepare(struct listing *listing, struct call *call, size_t *ret_max)
{
	const struct control_hooks *hooks = &call_control(call)->options.hooks;
	const json_t *limit = call_parameter(call, "limit");
	char reason[512];
	int r;

	listing->fields = call_parameter(call, "fields");
	if (check_fields(listing->fields, reason, sizeof(reason)) < 0) {
		call_fail_parameter(call, "fields", reason);
		return false;
	}
	if (limit && json_integer_value(limit) < 1) {
		call_fail_parameter(call, "limit", "must be at least 1");
		return false;
	}
	*ret_max = (size_t)json_integer_value(limit);
	if (!call->message.more && (*ret_max == 0 || *ret_max > LISTING_SINGLE_MAX))
		*ret_max = LISTING_SINGLE_MAX;

	r = filter_new(call_parameter(call, "filter"), hooks->names(hooks->context), &listing->filter, reason,
	               sizeof(reason));
	if (r == -EINVAL)
		call_fail_parameter(call, "filter", reason);
	else if (r < 0)
		call_fail_memory(call);
	return r == 0;
}

void method_connections(struct call *call)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	struct survey_options options = {
		.match = filter_match,
		.chunk = on_chunk,
		.done = on_done,
		.released = on_released,
		.user = listing,
	};

	if (!listing) {
		call_fail_memory(call);
		return;
	}
	if (!prepare(listing, call, &options.max)) {
		free(listing);
		return;
	}
	listing->call = call;
	if (!call->message.more)
		listing->collected = json_array();
	options.context = listing->filter;
	if (survey_start(call_control(call)->options.shards, &options, &listing->survey) < 0) {
		listing->failed = true;
		on_released(listing);
		return;
	}
	call->state = listing;
	call->abandoned = on_abandoned;
	call->drained = on_drained;
}
