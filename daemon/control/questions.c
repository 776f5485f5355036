/* Methods that ask the shards. Each ends in a `done` on main's thread, perhaps after the control plane was closed. */
#include "control/context.h"
#include "shard/render.h"
#include "shard/survey.h"
#include "tapstack/control.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define ERROR(name) TAPSTACK_CONTROL_INTERFACE "." name

/* ---- Status, Counters ---------------------------------------------------------------------------------------- */

static json_t *render_shard(size_t index, const struct survey_shard_totals *totals, struct instant now)
{
	const struct shard_status *status = &totals->status;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:f, s:o}", "index", (json_int_t)index, "turns",
	                 (json_int_t)status->turns, "sleeps", (json_int_t)status->sleeps, "forwarded_in",
	                 (json_int_t)status->forwarded_in, "forward_drops", (json_int_t)status->forward_drops,
	                 "link_losses", (json_int_t)status->link_losses, "link_up", status->link_up, "last_turn",
	                 (double)((now.ns - status->last_turn.ns) / 1000) / 1000.0, "stack",
	                 render_gauges(&totals->gauges));
}

static void status_done(void *user, const struct survey_totals *totals)
{
	struct call *call = user;
	struct control *control = call_control(call);
	struct instant now = shard_now();
	json_t *shards, *object;

	if (!control) {
		call_reply(call, NULL);
		return;
	}
	shards = json_array();
	for (size_t i = 0; i < totals->count; i++)
		json_array_append_new(shards, render_shard(i, &totals->shard[i], now));
	object = json_pack("{s:s, s:I, s:f, s:s, s:o, s:o}", "version", PACKAGE_VERSION, "pid", (json_int_t)getpid(),
	                   "uptime", (double)((now.ns - control->started.ns) / 1000) / 1000.0, "role",
	                   control_role_name(call->role), "stack", render_gauges(&totals->gauges), "shards", shards);
	if (!object) {
		call_fail_memory(call);
		return;
	}
	if (control->options.hooks.status)
		control->options.hooks.status(control->options.hooks.context, object);
	call_reply(call, object);
}

void method_status(struct call *call)
{
	if (survey_totals_start(call_control(call)->options.shards, status_done, call) < 0)
		call_fail_memory(call);
}

/* What impairment has done, in all shards; NULL: nothing, ever. */
static json_t *render_impair(const struct survey_totals *totals, bool all)
{
	struct shard_status sum = { 0 };

	for (size_t i = 0; i < totals->count; i++) {
		const struct shard_status *one = &totals->shard[i].status;

		sum.impair_frames += one->impair_frames;
		sum.impair_bytes += one->impair_bytes;
		sum.impair_dropped += one->impair_dropped;
		sum.impair_harmed += one->impair_harmed;
		sum.impair_held_packets += one->impair_held_packets;
		sum.impair_held_bytes += one->impair_held_bytes;
	}
	if (sum.impair_frames == 0 && !all)
		return NULL;
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "frames", (json_int_t)sum.impair_frames, "bytes",
	                 (json_int_t)sum.impair_bytes, "dropped", (json_int_t)sum.impair_dropped, "harmed",
	                 (json_int_t)sum.impair_harmed, "held_packets", (json_int_t)sum.impair_held_packets,
	                 "held_bytes", (json_int_t)sum.impair_held_bytes);
}

static void counters_done(void *user, const struct survey_totals *totals)
{
	struct call *call = user;
	bool all = json_is_true(call_parameter(call, "all"));
	json_t *counters = render_counters(&totals->counters, all), *impair = render_impair(totals, all);

	if (counters && impair)
		json_object_set(counters, "impair", impair);
	json_decref(impair);
	if (counters)
		call_reply(call, json_pack("{s:o}", "counters", counters));
	else
		call_fail_memory(call);
}

void method_counters(struct call *call)
{
	if (survey_totals_start(call_control(call)->options.shards, counters_done, call) < 0)
		call_fail_memory(call);
}

/* ---- Show, Close --------------------------------------------------------------------------------------------- */

static json_int_t id_of(const struct call *call)
{
	return json_integer_value(call_parameter(call, "id"));
}

static void fail_no_connection(struct call *call)
{
	call_fail(call, ERROR("NoSuchConnection"), json_pack("{s:I}", "id", id_of(call)));
}

/* False, and the call has ended: no connection can have this id. */
static bool check_id(struct call *call)
{
	if (id_of(call) > 0)
		return true;
	call_fail_parameter(call, "id", "must be at least 1");
	return false;
}

static void show_done(void *user, const struct stack_conn_info *info)
{
	struct call *call = user;
	struct control *control = call_control(call);
	json_t *object;

	if (!info || !control) {
		fail_no_connection(call);
		return;
	}
	object = render_connection(info, control->options.hooks.names(control->options.hooks.context), shard_now());
	if (object)
		call_reply(call, json_pack("{s:o}", "connection", object));
	else
		call_fail_memory(call);
}

void method_show(struct call *call)
{
	if (!check_id(call))
		return;
	if (survey_find_start(call_control(call)->options.shards, (uint64_t)id_of(call), show_done, call) < 0)
		call_fail_memory(call);
}

static void close_done(void *user, int error)
{
	struct call *call = user;

	switch (error) {
	case 0:
		call_reply(call, NULL);
		break;
	case -EALREADY:
		call_fail(call, ERROR("AlreadyClosing"), json_pack("{s:I}", "id", id_of(call)));
		break;
	case -EAGAIN:
		call_fail(call, ERROR("HandshakeIncomplete"), json_pack("{s:I}", "id", id_of(call)));
		break;
	default:
		fail_no_connection(call);
	}
}

void method_close(struct call *call)
{
	bool abort = json_is_true(call_parameter(call, "abort"));

	if (!check_id(call))
		return;
	if (survey_close_start(call_control(call)->options.shards, (uint64_t)id_of(call), abort, close_done, call) <
	    0)
		call_fail_memory(call);
}
