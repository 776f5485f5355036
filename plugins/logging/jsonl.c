/* One JSON object per state transition, one to a line, appended to a file.
 *
 * Lines are written whole: what could not be written because the disk was full is lost (and reported to the host),
 * but the line after it begins on a line of its own. */
#define _GNU_SOURCE 1
#include "event.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct jsonl {
	char *path;
	int fd;
	bool broken; /* the file ends in the middle of a line */
	char *text;  /* lines to be written */
	size_t length, size;
};

static int open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

	return fd < 0 ? -errno : fd;
}

static void jsonl_close(void *state)
{
	struct jsonl *jsonl = state;

	if (jsonl->fd >= 0)
		close(jsonl->fd);
	free(jsonl->path);
	free(jsonl->text);
	free(jsonl);
}

static int jsonl_open(const struct tapstack_log_env *env, const struct tapstack_params *params, void **ret_state)
{
	struct jsonl *jsonl = calloc(1, sizeof(*jsonl));
	int fd;

	if (jsonl == NULL)
		return -ENOMEM;
	jsonl->fd = -1;
	jsonl->path = event_path(env, params->value[0].text);
	fd = jsonl->path == NULL ? -ENOMEM : open_file(jsonl->path);
	if (fd < 0) {
		jsonl_close(jsonl);
		return fd;
	}
	jsonl->fd = fd;
	*ret_state = jsonl;
	return 0;
}

/* The old file stays in use when the new one can't be opened. */
static int jsonl_reopen(void *state)
{
	struct jsonl *jsonl = state;
	int fd = open_file(jsonl->path);

	if (fd < 0)
		return fd;
	close(jsonl->fd);
	jsonl->fd = fd;
	jsonl->broken = false;
	return 0;
}

/* ---- one event ----------------------------------------------------------------------------------------------- */

/* UINT64_MAX stands for "unknown". */
static json_t *number(uint64_t value)
{
	return value > INT64_MAX ? json_null() : json_integer((json_int_t)value);
}

static int add_counters(json_t *object, const struct tapstack_log_event *event)
{
	json_t *counters = json_pack(
	        "{s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "cwnd", number(event->cwnd_bytes), "ssthresh",
	        number(event->ssthresh_bytes), "srtt_ns", (json_int_t)event->srtt_ns, "segs_in",
	        (json_int_t)event->segs_in, "segs_out", (json_int_t)event->segs_out, "retransmits",
	        (json_int_t)event->retransmits, "bytes_received", number(event->bytes_received), "bytes_acked",
	        number(event->bytes_acked), "bytes_retransmitted", number(event->bytes_retransmitted));
	int r = counters == NULL ? -1 : json_object_update(object, counters);

	json_decref(counters);
	return r;
}

static int add_flags(json_t *object, const struct tapstack_log_event *event)
{
	int r = 0;

	if ((event->flags & TAPSTACK_LOG_FIRST) != 0)
		r |= json_object_set_new(object, "first", json_true());
	if ((event->flags & TAPSTACK_LOG_LAST) != 0)
		r |= json_object_set_new(object, "last", json_true());
	if (event->missed > 0)
		r |= json_object_set_new(object, "missed", number(event->missed));
	if (event->last_speaker[0] != '\0')
		r |= json_object_set_new(object, "last_speaker", json_string(event->last_speaker));
	return r;
}

/* NULL when there is no memory. Names are those of the audit database. */
static json_t *event_object(const struct tapstack_log_event *event)
{
	char when[EVENT_TIME_MAX];
	json_t *object;

	event_time(event->time_ns, 9, when);
	object = json_pack(
	        "{s:s, s:o, s:I, s:s, s:s, s:s, s:s, s:s, s:i, s:s, s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}",
	        "time", when, "connection", number(event->connection_id), "n", (json_int_t)event->index, "from",
	        event->from, "to", event->to, "cause", event->cause, "meaning", event->cause_meaning, "local",
	        event->local_address, "local_port", (int)event->local_port, "remote", event->remote_address,
	        "remote_port", (int)event->remote_port, "role",
	        (event->flags & TAPSTACK_LOG_ACTIVE) != 0 ? "active" : "passive", "service", event->service,
	        "congestion", event->congestion, "iss", (json_int_t)event->iss, "irs", (json_int_t)event->irs,
	        "snd_una", (json_int_t)event->snd_una, "snd_nxt", (json_int_t)event->snd_nxt, "rcv_nxt",
	        (json_int_t)event->rcv_nxt);
	if (object == NULL)
		return NULL;
	if (add_flags(object, event) != 0 ||
	    ((event->flags & TAPSTACK_LOG_COMPACT) == 0 && add_counters(object, event) != 0)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

/* ---- lines --------------------------------------------------------------------------------------------------- */

static int append(const char *bytes, size_t count, void *state)
{
	struct jsonl *jsonl = state;

	if (jsonl->size - jsonl->length < count) {
		size_t size = (jsonl->size + count) * 2;
		char *grown = realloc(jsonl->text, size);

		if (grown == NULL)
			return -1;
		jsonl->text = grown;
		jsonl->size = size;
	}
	memcpy(jsonl->text + jsonl->length, bytes, count);
	jsonl->length += count;
	return 0;
}

static int append_event(struct jsonl *jsonl, const struct tapstack_log_event *event)
{
	size_t before = jsonl->length;
	json_t *object = event_object(event);
	int r = object == NULL ? -1 : json_dump_callback(object, append, jsonl, JSON_COMPACT);

	json_decref(object);
	if (r == 0 && append("\n", 1, jsonl) == 0)
		return 0;
	jsonl->length = before;
	return -ENOMEM;
}

static int write_lines(struct jsonl *jsonl)
{
	size_t written = 0;

	while (written < jsonl->length) {
		ssize_t n = write(jsonl->fd, jsonl->text + written, jsonl->length - written);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int r = n < 0 ? -errno : -EIO;

			if (written > 0)
				jsonl->broken = jsonl->text[written - 1] != '\n';
			return r;
		}
		written += (size_t)n;
	}
	jsonl->broken = false;
	return 0;
}

static int jsonl_events(void *state, const struct tapstack_log_event *events, size_t count)
{
	struct jsonl *jsonl = state;
	int r = 0, written;

	jsonl->length = 0;
	if (jsonl->broken && append("\n", 1, jsonl) != 0)
		return -ENOMEM;
	for (const struct tapstack_log_event *event = events; count > 0;
	     event = tapstack_log_next_event(event), count--) {
		int added = append_event(jsonl, event);

		r = added < 0 ? added : r;
	}
	written = write_lines(jsonl);
	return written < 0 ? written : r;
}

static const struct tapstack_param_spec params[] = {
	{ "path", "", "file to append to, relative to state_directory; the daemon's user must be allowed to write it",
	  TAPSTACK_PARAM_TEXT, 0, 0, 0, 0, NULL },
};

static const struct tapstack_log_ops ops = {
	.struct_size = sizeof(ops),
	.open = jsonl_open,
	.events = jsonl_events,
	.reopen = jsonl_reopen,
	.close = jsonl_close,
};

const struct tapstack_plugin tapstack_plugin = {
	TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_LOGGING),
	.name = "jsonl",
	.version = "1.0",
	.licence = "MIT",
	.description = "state transitions as JSON, one object to a line",
	.params = params,
	.param_count = sizeof(params) / sizeof(params[0]),
	.ops = &ops,
};
