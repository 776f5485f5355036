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
	mode_t mode; /* of a file that is made */
	bool sync;   /* to the disk, whenever nothing more is waiting */
	int fd;
	struct event_filter filter;
	uint64_t lost;
	size_t lines; /* in text */
	bool broken;  /* the file ends in the middle of a line */
	char *text;   /* lines to be written */
	size_t length, size;
};

enum param { PARAM_PATH, PARAM_MODE, PARAM_MINIMUM, PARAM_FLUSH };

static const struct tapstack_param_spec params[] = {
	[PARAM_PATH] = { "path", "",
	                 "file to append to, relative to state_directory; the daemon's user must be allowed to write "
	                 "it",
	                 TAPSTACK_PARAM_TEXT, 0, 0, 0, 0, NULL },
	[PARAM_MODE] = { "mode", "", "permissions of a file that is made, in octal; the umask takes from them",
	                 TAPSTACK_PARAM_TEXT, 0, 0, 0, 0, "0640" },
	[PARAM_MINIMUM] = { "minimum", "", EVENT_MINIMUM_HELP, TAPSTACK_PARAM_TEXT, 0, 0, 0, 0, "all" },
	[PARAM_FLUSH] = { "flush", "",
	                  "write: lines are written as soon as they come; sync: and to the disk, whenever none is "
	                  "waiting",
	                  TAPSTACK_PARAM_TEXT, 0, 0, 0, 0, "write" },
};

static int open_file(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, mode);

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

/* "640", "0640" */
static int read_mode(const struct tapstack_log_env *env, const char *text, mode_t *ret_mode)
{
	size_t digits = strspn(text, "01234567");

	if (digits < 3 || digits > 4 || text[digits] != '\0' || strtoul(text, NULL, 8) > 0777) {
		event_complain(env, LOG_ERR, "mode: \"%.60s\" is not valid: expected octal digits, 000 to 777", text);
		return -EINVAL;
	}
	*ret_mode = (mode_t)strtoul(text, NULL, 8);
	return 0;
}

static int read_params(const struct tapstack_log_env *env, const struct tapstack_params *given, struct jsonl *jsonl)
{
	const char *flush = given->value[PARAM_FLUSH].text;
	int r = read_mode(env, given->value[PARAM_MODE].text, &jsonl->mode);

	if (r == 0)
		r = event_filter_begin(env, given->value[PARAM_MINIMUM].text, &jsonl->filter);
	jsonl->sync = strcmp(flush, "sync") == 0;
	if (r == 0 && !jsonl->sync && strcmp(flush, "write") != 0) {
		event_complain(env, LOG_ERR, "flush: \"%.60s\" is not valid: expected write or sync", flush);
		r = -EINVAL;
	}
	return r;
}

static int jsonl_open(const struct tapstack_log_env *env, const struct tapstack_params *given, void **ret_state)
{
	struct jsonl *jsonl = calloc(1, sizeof(*jsonl));
	int fd;

	if (jsonl == NULL)
		return -ENOMEM;
	jsonl->fd = -1;
	fd = read_params(env, given, jsonl);
	jsonl->path = event_path(env, given->value[PARAM_PATH].text);
	if (fd == 0)
		fd = jsonl->path == NULL ? -ENOMEM : open_file(jsonl->path, jsonl->mode);
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
	int fd = open_file(jsonl->path, jsonl->mode);

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

static int add_flags(json_t *object, const struct tapstack_log_event *event, uint64_t missed)
{
	int r = 0;

	if ((event->flags & TAPSTACK_LOG_FIRST) != 0)
		r |= json_object_set_new(object, "first", json_true());
	if ((event->flags & TAPSTACK_LOG_LAST) != 0)
		r |= json_object_set_new(object, "last", json_true());
	if (missed > 0)
		r |= json_object_set_new(object, "missed", number(missed));
	if (event->last_speaker[0] != '\0')
		r |= json_object_set_new(object, "last_speaker", json_string(event->last_speaker));
	if (event->struct_size >= TAPSTACK_SIZE_UP_TO(struct tapstack_log_event, shard))
		r |= json_object_set_new(object, "shard", json_integer(event->shard));
	return r;
}

/* NULL when there is no memory. Names are those of the audit database. */
static json_t *event_object(const struct tapstack_log_event *event, uint64_t missed)
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
	if (add_flags(object, event, missed) != 0 ||
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

static int append_event(struct jsonl *jsonl, const struct tapstack_log_event *event, uint64_t missed)
{
	size_t before = jsonl->length;
	json_t *object = event_object(event, missed);
	int r = object == NULL ? -1 : json_dump_callback(object, append, jsonl, JSON_COMPACT);

	json_decref(object);
	if (r == 0 && append("\n", 1, jsonl) == 0) {
		jsonl->lines++;
		return 0;
	}
	jsonl->length = before;
	return -ENOMEM;
}

/* Lines that are not in the file as a whole. */
static size_t lines_after(const struct jsonl *jsonl, size_t written)
{
	size_t lines = 0;

	for (size_t i = written; i < jsonl->length; i++)
		lines += jsonl->text[i] == '\n';
	return lines < jsonl->lines ? lines : jsonl->lines; /* the first may be the end of an older line */
}

static void lose(struct jsonl *jsonl, uint64_t lines)
{
	jsonl->lost += lines;
	jsonl->filter.missed += lines;
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
			lose(jsonl, lines_after(jsonl, written));
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
	jsonl->lines = 0;
	if (jsonl->broken && append("\n", 1, jsonl) != 0) {
		lose(jsonl, count);
		return -ENOMEM;
	}
	for (const struct tapstack_log_event *event = events; count > 0;
	     event = tapstack_log_next_event(event), count--) {
		uint64_t missed;
		int added;

		if (!event_filter_take(&jsonl->filter, event, &missed))
			continue;
		added = append_event(jsonl, event, missed);
		if (added < 0) {
			lose(jsonl, 1);
			jsonl->filter.missed += missed;
			r = added;
		}
	}
	written = jsonl->lines > 0 ? write_lines(jsonl) : 0;
	return written < 0 ? written : r;
}

static int jsonl_flush(void *state)
{
	struct jsonl *jsonl = state;

	/* A pipe has no disk to be synchronised with. */
	return jsonl->sync && fdatasync(jsonl->fd) < 0 && errno != EINVAL ? -errno : 0;
}

static void jsonl_counts(void *state, struct tapstack_log_counts *ret_counts)
{
	const struct jsonl *jsonl = state;

	ret_counts->lost = jsonl->lost;
}

static const struct tapstack_log_ops ops = {
	.struct_size = sizeof(ops),
	.open = jsonl_open,
	.events = jsonl_events,
	.flush = jsonl_flush,
	.reopen = jsonl_reopen,
	.counts = jsonl_counts,
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
