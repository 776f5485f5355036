/* State transitions for systemd's journal, one entry each, with a field for everything that is known: `journalctl
 * TAPSTACK_CAUSE=RECEIVED_RST`, `journalctl -o json MESSAGE_ID=...`.
 *
 * The library says nothing when there is no journal at all; whether its socket is there is looked at before each
 * batch, so that what goes nowhere is counted. A journal that has a namespace (LogNamespace= of the unit) is found by
 * the library, as systemd puts its socket in the usual place. */
#define _GNU_SOURCE 1
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "event.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define SOCKET_PATH "/run/systemd/journal/socket"

/* One kind of message each, for `journalctl MESSAGE_ID=` and catalogues. */
#define ID_FIRST "5c1c6a7f2d9b4f0e9a3d6b1e84c7f201"
#define ID_BETWEEN "8e2f5b90c41a4d63b7a90e5d2f6c1802"
#define ID_LAST "f3a7d1c85e6249b2a0c4e97b18d5f603"

#define FIELDS_MAX 56u
#define TEXT_MAX 6144u

struct journal {
	char *identifier;
	struct event_filter filter;
	char *instance, *link;
	uint64_t run;
	struct tapstack_log_counts counts;
};

/* An entry in the making. */
struct entry {
	struct iovec field[FIELDS_MAX];
	int count;
	size_t used;
	char text[TEXT_MAX];
};

/* "NAME=value"; a text that does not fit is cut, a field that does not fit is left out. */
static void add(struct entry *entry, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct entry *entry, const char *format, ...)
{
	char *at = entry->text + entry->used;
	size_t room = sizeof(entry->text) - entry->used;
	va_list args;
	int length;

	if (entry->count == FIELDS_MAX || room < 2)
		return;
	va_start(args, format);
	length = vsnprintf(at, room, format, args);
	va_end(args);
	if (length < 0)
		return;
	if ((size_t)length >= room)
		length = (int)room - 1;
	entry->field[entry->count++] = (struct iovec){ at, (size_t)length };
	entry->used += (size_t)length + 1;
}

/* A number whose highest values stand for "unknown". */
static void add_known(struct entry *entry, const char *name, uint64_t value)
{
	if (value <= INT64_MAX)
		add(entry, "%s=%" PRIu64, name, value);
}

static void add_message(struct entry *entry, const struct journal *journal, const struct tapstack_log_event *event)
{
	char line[EVENT_LINE_MAX];

	event_line(event, line);
	add(entry, "MESSAGE=%s", line);
	add(entry, "MESSAGE_ID=%s",
	    (event->flags & TAPSTACK_LOG_LAST) != 0    ? ID_LAST
	    : (event->flags & TAPSTACK_LOG_FIRST) != 0 ? ID_FIRST
	                                               : ID_BETWEEN);
	add(entry, "PRIORITY=%d", event_priority(event));
	add(entry, "SYSLOG_IDENTIFIER=%s", journal->identifier);
	add(entry, "SYSLOG_FACILITY=%d", LOG_DAEMON >> 3);
	add(entry, "TAPSTACK_INSTANCE=%s", journal->instance);
	if (journal->link != NULL)
		add(entry, "TAPSTACK_LINK=%s", journal->link);
	if (journal->run != 0)
		add(entry, "TAPSTACK_RUN=%" PRIu64, journal->run);
}

static void add_transition(struct entry *entry, const struct tapstack_log_event *event, uint64_t missed)
{
	char time[EVENT_TIME_MAX];

	event_time(event->time_ns, 9, time);
	add(entry, "TAPSTACK_TIME=%s", time);
	add(entry, "TAPSTACK_CONNECTION=%" PRIu64, event->connection_id);
	add(entry, "TAPSTACK_INDEX=%" PRIu32, event->index);
	add(entry, "TAPSTACK_FROM=%s", event->from);
	add(entry, "TAPSTACK_TO=%s", event->to);
	add(entry, "TAPSTACK_CAUSE=%s", event->cause);
	add(entry, "TAPSTACK_CAUSE_MEANING=%s", event->cause_meaning);
	add(entry, "TAPSTACK_CAUSE_SECTION=%s", event->cause_section);
	add(entry, "TAPSTACK_LOCAL_ADDRESS=%s", event->local_address);
	add(entry, "TAPSTACK_LOCAL_PORT=%u", (unsigned)event->local_port);
	add(entry, "TAPSTACK_REMOTE_ADDRESS=%s", event->remote_address);
	add(entry, "TAPSTACK_REMOTE_PORT=%u", (unsigned)event->remote_port);
	add(entry, "TAPSTACK_ROLE=%s", event_role(event));
	add(entry, "TAPSTACK_FIRST=%d", (event->flags & TAPSTACK_LOG_FIRST) != 0);
	add(entry, "TAPSTACK_LAST=%d", (event->flags & TAPSTACK_LOG_LAST) != 0);
	add(entry, "TAPSTACK_MISSED=%" PRIu64, missed);
	add(entry, "TAPSTACK_SERVICE=%s", event->service);
	add(entry, "TAPSTACK_CONGESTION=%s", event->congestion);
	add(entry, "TAPSTACK_LAST_SPEAKER=%s", event->last_speaker);
	if (event->struct_size >= TAPSTACK_SIZE_UP_TO(struct tapstack_log_event, shard))
		add(entry, "TAPSTACK_SHARD=%" PRIu32, event->shard);
}

static void add_numbers(struct entry *entry, const struct tapstack_log_event *event)
{
	add(entry, "TAPSTACK_ISS=%" PRIu32, event->iss);
	add(entry, "TAPSTACK_IRS=%" PRIu32, event->irs);
	add(entry, "TAPSTACK_SND_UNA=%" PRIu32, event->snd_una);
	add(entry, "TAPSTACK_SND_NXT=%" PRIu32, event->snd_nxt);
	add(entry, "TAPSTACK_RCV_NXT=%" PRIu32, event->rcv_nxt);
	if ((event->flags & TAPSTACK_LOG_COMPACT) != 0)
		return;
	add(entry, "TAPSTACK_SEGS_IN=%" PRIu32, event->segs_in);
	add(entry, "TAPSTACK_SEGS_OUT=%" PRIu32, event->segs_out);
	add(entry, "TAPSTACK_RETRANSMITS=%" PRIu32, event->retransmits);
	add_known(entry, "TAPSTACK_CWND_BYTES", event->cwnd_bytes);
	add_known(entry, "TAPSTACK_SSTHRESH_BYTES", event->ssthresh_bytes);
	add(entry, "TAPSTACK_SRTT_NS=%" PRId64, event->srtt_ns);
	add_known(entry, "TAPSTACK_BYTES_RECEIVED", event->bytes_received);
	add_known(entry, "TAPSTACK_BYTES_ACKED", event->bytes_acked);
	add_known(entry, "TAPSTACK_BYTES_RETRANSMITTED", event->bytes_retransmitted);
}

static int send_event(const struct journal *journal, const struct tapstack_log_event *event, uint64_t missed)
{
	struct entry entry;

	entry.count = 0;
	entry.used = 0;
	add_message(&entry, journal, event);
	add_transition(&entry, event, missed);
	add_numbers(&entry, event);
	return sd_journal_sendv(entry.field, entry.count);
}

static int journal_events(void *state, const struct tapstack_log_event *events, size_t count)
{
	struct journal *journal = state;
	int result = access(SOCKET_PATH, W_OK) == 0 ? 0 : -errno;
	bool there = result == 0;

	for (const struct tapstack_log_event *event = events; count > 0;
	     event = tapstack_log_next_event(event), count--) {
		uint64_t missed;
		int r;

		if (!event_filter_take(&journal->filter, event, &missed))
			continue;
		r = there ? send_event(journal, event, missed) : result;
		if (r < 0) {
			journal->filter.missed = missed + 1;
			journal->counts.lost++;
			result = r;
		}
	}
	return result;
}

static void journal_counts(void *state, struct tapstack_log_counts *ret_counts)
{
	const struct journal *journal = state;

	ret_counts->lost = journal->counts.lost;
}

static void journal_close(void *state)
{
	struct journal *journal = state;

	free(journal->identifier);
	free(journal->instance);
	free(journal->link);
	free(journal);
}

static int journal_open(const struct tapstack_log_env *env, const struct tapstack_params *params, void **ret_state)
{
	bool run_known = env->struct_size >= TAPSTACK_SIZE_UP_TO(struct tapstack_log_env, run_id);
	struct journal *journal = calloc(1, sizeof(*journal));
	int r;

	if (journal == NULL)
		return -ENOMEM;
	r = event_filter_begin(env, params->value[1].text, &journal->filter);
	journal->identifier = strdup(params->value[0].text);
	journal->instance = strdup(env->instance);
	if (run_known && env->link_name != NULL) {
		journal->link = strdup(env->link_name);
		journal->run = env->run_id;
		r = journal->link == NULL ? -ENOMEM : r;
	}
	if (journal->identifier == NULL || journal->instance == NULL)
		r = -ENOMEM;
	if (r < 0) {
		journal_close(journal);
		return r;
	}
	*ret_state = journal;
	return 0;
}

static const struct tapstack_param_spec params[] = {
	{ "identifier", "", "SYSLOG_IDENTIFIER of the entries: what journalctl -t selects", TAPSTACK_PARAM_TEXT, 0, 0,
	  0, 0, "tapstack" },
	{ "minimum", "", EVENT_MINIMUM_HELP, TAPSTACK_PARAM_TEXT, 0, 0, 0, 0, "all" },
};

static const struct tapstack_log_ops ops = {
	.struct_size = sizeof(ops),
	.open = journal_open,
	.events = journal_events,
	.counts = journal_counts,
	.close = journal_close,
};

const struct tapstack_plugin tapstack_plugin = {
	TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_LOGGING),
	.name = "journal",
	.version = "1.0",
	.licence = "MIT",
	.description = "state transitions as entries of systemd's journal, a field for each fact",
	.params = params,
	.param_count = sizeof(params) / sizeof(params[0]),
	.ops = &ops,
};
