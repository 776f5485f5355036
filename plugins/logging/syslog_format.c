#define _GNU_SOURCE 1
#include "syslog_format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void syslog_field(const char *text, char *field, size_t size)
{
	size_t length = 0;

	for (; text[length] != '\0' && length + 1 < size; length++)
		field[length] = text[length] > ' ' && text[length] < '\x7f' ? text[length] : '?';
	if (length == 0)
		field[length++] = '-';
	field[length] = '\0';
}

int syslog_facility(const char *name)
{
	static const char *const names[] = { "kern",   "user",   "mail",   "daemon", "auth",     "syslog",
		                             "lpr",    "news",   "uucp",   "cron",   "authpriv", "ftp",
		                             "ntp",    "audit",  "alert",  "clock",  "local0",   "local1",
		                             "local2", "local3", "local4", "local5", "local6",   "local7" };

	for (int i = 0; i < 24; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -EINVAL;
}

bool syslog_is_private_id(const char *id)
{
	const char *at = strchr(id, '@');
	size_t length = strlen(id);

	if (at == NULL || at == id || length > SYSLOG_SD_NAME_MAX || at[1] == '\0')
		return false;
	for (const char *c = id; c < at; c++)
		if (*c <= ' ' || *c >= '\x7f' || strchr("=]\"", *c) != NULL)
			return false;
	return at[1 + strspn(at + 1, "0123456789.")] == '\0';
}

/* ---- bytes ----------------------------------------------------------------------------------------------------- */

struct message {
	char *at;
	size_t length, size;
	bool full; /* something did not fit: nothing more goes in */
};

static void put(struct message *message, const char *bytes, size_t count)
{
	if (message->full || message->size - message->length < count) {
		message->full = true;
		return;
	}
	memcpy(message->at + message->length, bytes, count);
	message->length += count;
}

static void put_text(struct message *message, const char *text)
{
	put(message, text, strlen(text));
}

/* Bytes of the UTF-8 character that begins here (RFC 3629, section 4); 0: none does. */
static size_t character(const unsigned char *c)
{
	size_t length = *c < 0x80                 ? 1
	                : *c >= 0xc2 && *c < 0xe0 ? 2
	                : *c >= 0xe0 && *c < 0xf0 ? 3
	                : *c >= 0xf0 && *c < 0xf5 ? 4
	                                          : 0;

	for (size_t i = 1; i < length; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	if ((*c == 0xe0 && c[1] < 0xa0) || (*c == 0xed && c[1] > 0x9f) || (*c == 0xf0 && c[1] < 0x90) ||
	    (*c == 0xf4 && c[1] > 0x8f))
		return 0;
	return length;
}

/* One character of a text: control characters as #OOO (as 6.4 proposes for NUL), what is not UTF-8 as U+FFFD, and
 * those of `quoted` behind a backslash. Returns how many bytes of the text it was. */
static size_t put_character(struct message *message, const char *text, const char *quoted)
{
	size_t length = character((const unsigned char *)text);
	char escaped[5];

	if (length == 0) {
		put_text(message, "\xef\xbf\xbd");
		return 1;
	}
	if (length == 1 && ((unsigned char)*text < ' ' || *text == '\x7f')) {
		snprintf(escaped, sizeof(escaped), "#%03o", (unsigned)(unsigned char)*text);
		put_text(message, escaped);
	} else if (length == 1 && strchr(quoted, *text) != NULL) {
		escaped[0] = '\\';
		escaped[1] = *text;
		put(message, escaped, 2);
	} else {
		put(message, text, length);
	}
	return length;
}

/* ---- structured data ------------------------------------------------------------------------------------------- */

/* ` name="value"`, whole or not at all; one byte stays free for the bracket that closes the element. */
static void put_param(struct message *message, const char *name, const char *value)
{
	struct message before = *message;

	if (message->full)
		return;
	message->size--;
	put_text(message, " ");
	put_text(message, name);
	put_text(message, "=\"");
	for (size_t i = 0; value[i] != '\0' && !message->full;)
		i += put_character(message, value + i, "\"\\]");
	put_text(message, "\"");
	if (message->full)
		message->length = before.length;
	message->size++;
}

static void put_number(struct message *message, const char *name, uint64_t value)
{
	char text[24];

	if (value > INT64_MAX)
		return; /* stands for "unknown" */
	snprintf(text, sizeof(text), "%" PRIu64, value);
	put_param(message, name, text);
}

static void put_known_text(struct message *message, const char *name, const char *value)
{
	if (value[0] != '\0')
		put_param(message, name, value);
}

static void put_counters(struct message *message, const struct tapstack_log_event *event)
{
	put_number(message, "segs_in", event->segs_in);
	put_number(message, "segs_out", event->segs_out);
	put_number(message, "retransmits", event->retransmits);
	put_number(message, "bytes_received", event->bytes_received);
	put_number(message, "bytes_acked", event->bytes_acked);
	put_number(message, "bytes_retransmitted", event->bytes_retransmitted);
	put_number(message, "srtt_ns", (uint64_t)event->srtt_ns);
	put_number(message, "cwnd", event->cwnd_bytes);
	put_number(message, "ssthresh", event->ssthresh_bytes);
}

/* The most telling first: those at the end are left out first. Names are those of the audit database. */
static void put_event(struct message *message, const struct syslog_origin *origin,
                      const struct tapstack_log_event *event, uint64_t missed)
{
	put_text(message, "[");
	put_text(message, origin->sd_id);
	put_number(message, "connection", event->connection_id);
	put_number(message, "n", event->index);
	put_param(message, "from", event->from);
	put_param(message, "to", event->to);
	put_param(message, "cause", event->cause);
	put_param(message, "local", event->local_address);
	put_number(message, "local_port", event->local_port);
	put_param(message, "remote", event->remote_address);
	put_number(message, "remote_port", event->remote_port);
	put_param(message, "role", event_role(event));
	put_known_text(message, "service", event->service);
	if ((event->flags & TAPSTACK_LOG_FIRST) != 0)
		put_param(message, "first", "1");
	if ((event->flags & TAPSTACK_LOG_LAST) != 0)
		put_param(message, "last", "1");
	if (missed > 0)
		put_number(message, "missed", missed);
	put_known_text(message, "last_speaker", event->last_speaker);
	if ((event->flags & TAPSTACK_LOG_COMPACT) == 0)
		put_counters(message, event);
	put_known_text(message, "congestion", event->congestion);
	put_number(message, "iss", event->iss);
	put_number(message, "irs", event->irs);
	put_number(message, "snd_una", event->snd_una);
	put_number(message, "snd_nxt", event->snd_nxt);
	put_number(message, "rcv_nxt", event->rcv_nxt);
	if (event->struct_size >= TAPSTACK_SIZE_UP_TO(struct tapstack_log_event, shard))
		put_number(message, "shard", event->shard);
	if (origin->run != 0)
		put_number(message, "run", origin->run);
	put_known_text(message, "link", origin->link);
	put_known_text(message, "section", event->cause_section);
	message->full = false;
	put_text(message, "]");
}

/* ---- a message ------------------------------------------------------------------------------------------------- */

static void put_header(struct message *message, const struct syslog_origin *origin,
                       const struct tapstack_log_event *event, uint32_t sequence)
{
	char text[800], time[EVENT_TIME_MAX], msgid[SYSLOG_MSGID_MAX + 1];

	event_time(event->time_ns, 6, time);
	syslog_field(origin->msgid[0] == '\0' ? event->cause : origin->msgid, msgid, sizeof(msgid));
	snprintf(text, sizeof(text), "<%u>1 %s %s %s %s %s ", origin->facility * 8 + (unsigned)event_priority(event),
	         time, origin->hostname, origin->app_name, origin->procid, msgid);
	put_text(message, text);
	snprintf(text, sizeof(text), "[origin software=\"tapstackd\"");
	put_text(message, text);
	put_known_text(message, "swVersion", origin->version);
	put_text(message, "]");
	if (sequence != 0) {
		snprintf(text, sizeof(text), "[meta sequenceId=\"%" PRIu32 "\"]", sequence);
		put_text(message, text);
	}
}

static void put_line(struct message *message, const struct tapstack_log_event *event)
{
	char line[EVENT_LINE_MAX];
	bool ascii = true;

	event_line(event, line);
	for (const char *c = line; *c != '\0'; c++)
		ascii = ascii && (unsigned char)*c < 0x80;
	put_text(message, " ");
	if (!ascii)
		put_text(message, "\xef\xbb\xbf"); /* says that UTF-8 follows */
	for (size_t i = 0; line[i] != '\0' && !message->full;)
		i += put_character(message, line + i, "");
}

size_t syslog_fixed_bytes(const struct syslog_origin *origin)
{
	static const char most[] =
	        "<191>1 2023-11-14T22:13:20.123456Z     [origin software=\"tapstackd\" swVersion=\"\"]"
	        "[meta sequenceId=\"2147483647\"][]";

	/* In the version each character may need a backslash, or be a replacement. */
	return sizeof(most) + strlen(origin->hostname) + strlen(origin->app_name) + strlen(origin->procid) +
	       SYSLOG_MSGID_MAX + strlen(origin->sd_id) + 4 * strlen(origin->version);
}

size_t syslog_format(const struct syslog_origin *origin, const struct tapstack_log_event *event, uint64_t missed,
                     uint32_t sequence, char *text, size_t size)
{
	struct message message = { text, 0, size, false };

	put_header(&message, origin, event, sequence);
	put_event(&message, origin, event, missed);
	put_line(&message, event);
	return message.length;
}
