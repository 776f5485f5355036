/* State transitions as syslog messages: RFC 5424 with structured data, over UDP (RFC 5426), TCP (RFC 6587), or to the
 * machine's own /dev/log. What a message is made of is in syslog_format.h, how it is sent in syslog_out.h. */
#define _GNU_SOURCE 1
#include "syslog_format.h"
#include "syslog_out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAST_PATIENCE_NS INT64_C(1000000000) /* for what is buffered at the end */
#define SEQUENCE_MAX 2147483647u             /* RFC 5424, 7.3.1: then it begins again with 1 */

struct syslog {
	struct syslog_origin origin;
	struct syslog_out out;
	struct event_filter filter;
	uint32_t sequence;
	size_t message_bytes;
	char *message;
};

enum param {
	PARAM_TRANSPORT,
	PARAM_TARGET,
	PARAM_FRAMING,
	PARAM_FACILITY,
	PARAM_HOSTNAME,
	PARAM_APP_NAME,
	PARAM_PROCID,
	PARAM_MSGID,
	PARAM_SD_ID,
	PARAM_MESSAGE_BYTES,
	PARAM_BUFFER_BYTES,
	PARAM_MINIMUM,
	PARAM_COUNT,
};

static const struct tapstack_param_spec params[] = {
	[PARAM_TRANSPORT] = { "transport", "", "unix (datagrams, as /dev/log), unix-stream, udp or tcp",
	                      TAPSTACK_PARAM_TEXT, 0, 0, 0, 0, "unix" },
	[PARAM_TARGET] = { "target", "", "path of the socket, or HOST:PORT; the port's default is 514, over TCP 601",
	                   TAPSTACK_PARAM_TEXT, 0, 0, 0, 0, "/dev/log" },
	[PARAM_FRAMING] = { "framing", "",
	                    "of a stream: octets (octet counting), lf (a line feed), or auto: octets over tcp, lf "
	                    "over unix-stream",
	                    TAPSTACK_PARAM_TEXT, 0, 0, 0, 0, "auto" },
	[PARAM_FACILITY] = { "facility", "", "kern, user, daemon, auth, local0 ... local7, as RFC 5424 lists them",
	                     TAPSTACK_PARAM_TEXT, 0, 0, 0, 0, "daemon" },
	[PARAM_HOSTNAME] = { "hostname", "", "HOSTNAME of the messages; empty: this machine's", TAPSTACK_PARAM_TEXT,
	                     0, 0, 0, 0, "" },
	[PARAM_APP_NAME] = { "app_name", "", "APP-NAME of the messages", TAPSTACK_PARAM_TEXT, 0, 0, 0, 0,
	                     "tapstack" },
	[PARAM_PROCID] = { "procid", "", "PROCID of the messages; empty: the process id", TAPSTACK_PARAM_TEXT, 0, 0,
	                   0, 0, "" },
	[PARAM_MSGID] = { "msgid", "", "MSGID of the messages; empty: the cause of the transition",
	                  TAPSTACK_PARAM_TEXT, 0, 0, 0, 0, "" },
	[PARAM_SD_ID] = { "sd_id", "",
	                  "SD-ID of the structured data, NAME@NUMBER with your own private enterprise number; the "
	                  "default's is the one for examples (RFC 5612)",
	                  TAPSTACK_PARAM_TEXT, 0, 0, 0, 0, "tapstack@32473" },
	[PARAM_MESSAGE_BYTES] = { "message_bytes", "bytes", "longest message: what is more is cut",
	                          TAPSTACK_PARAM_NUMBER, 0, SYSLOG_MESSAGE_MIN, SYSLOG_MESSAGE_MAX, 2048, NULL },
	[PARAM_BUFFER_BYTES] = { "buffer_bytes", "bytes",
	                         "room for messages that wait for the receiver; what does not fit is lost and "
	                         "counted",
	                         TAPSTACK_PARAM_NUMBER, 0, 131072, 1073741824, 1048576, NULL },
	[PARAM_MINIMUM] = { "minimum", "", EVENT_MINIMUM_HELP, TAPSTACK_PARAM_TEXT, 0, 0, 0, 0, "all" },
};

/* ---- opening --------------------------------------------------------------------------------------------------- */

static int one_of(const struct tapstack_log_env *env, const struct tapstack_params *given, enum param param,
                  const char *const *names, int count)
{
	const char *text = given->value[param].text;

	for (int i = 0; i < count; i++)
		if (strcmp(names[i], text) == 0)
			return i;
	event_complain(env, LOG_ERR, "%s: \"%.60s\" is not valid: expected %s", params[param].name, text,
	               params[param].help);
	return -EINVAL;
}

static int read_origin(const struct tapstack_log_env *env, const struct tapstack_params *given,
                       struct syslog_origin *origin)
{
	bool known = env->struct_size >= TAPSTACK_SIZE_UP_TO(struct tapstack_log_env, run_id);
	const char *hostname = given->value[PARAM_HOSTNAME].text, *procid = given->value[PARAM_PROCID].text;
	int facility = syslog_facility(given->value[PARAM_FACILITY].text);
	char pid[16];

	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	syslog_field(hostname[0] != '\0' ? hostname
	             : known             ? env->host_name
	                                 : "",
	             origin->hostname, sizeof(origin->hostname));
	syslog_field(given->value[PARAM_APP_NAME].text, origin->app_name, sizeof(origin->app_name));
	syslog_field(procid[0] != '\0' ? procid : pid, origin->procid, sizeof(origin->procid));
	if (given->value[PARAM_MSGID].text[0] != '\0')
		syslog_field(given->value[PARAM_MSGID].text, origin->msgid, sizeof(origin->msgid));
	if (known) {
		snprintf(origin->version, sizeof(origin->version), "%s", env->daemon_version);
		snprintf(origin->link, sizeof(origin->link), "%s", env->link_name);
		origin->run = env->run_id;
	}
	if (facility < 0) {
		event_complain(env, LOG_ERR, "facility: \"%.60s\" is not one", given->value[PARAM_FACILITY].text);
		return facility;
	}
	origin->facility = (unsigned)facility;
	if (!syslog_is_private_id(given->value[PARAM_SD_ID].text)) {
		event_complain(env, LOG_ERR,
		               "sd_id: \"%.60s\" is not valid: expected NAME@NUMBER, at most %u characters",
		               given->value[PARAM_SD_ID].text, SYSLOG_SD_NAME_MAX);
		return -EINVAL;
	}
	strcpy(origin->sd_id, given->value[PARAM_SD_ID].text);
	return 0;
}

static int begin_out(const struct tapstack_log_env *env, const struct tapstack_params *given, struct syslog_out *out)
{
	static const char *const transports[] = { "udp", "tcp", "unix", "unix-stream" };
	static const char *const framings[] = { "auto", "octets", "lf" };
	int transport = one_of(env, given, PARAM_TRANSPORT, transports, 4);
	int framing = one_of(env, given, PARAM_FRAMING, framings, 3);
	bool line_feeds = framing == 2 || (framing == 0 && transport == SYSLOG_UNIX_STREAM);
	int r;

	if (transport < 0 || framing < 0)
		return -EINVAL;
	r = syslog_out_begin(out, (enum syslog_transport)transport, given->value[PARAM_TARGET].text, line_feeds,
	                     (size_t)given->value[PARAM_BUFFER_BYTES].number);
	if (r == -EINVAL)
		event_complain(env, LOG_ERR, "target: \"%.100s\" is not valid: expected %s",
		               given->value[PARAM_TARGET].text, params[PARAM_TARGET].help);
	return r;
}

/* The header and the beginning of the structured data are never cut. */
static int check_room(const struct tapstack_log_env *env, const struct tapstack_params *given,
                      const struct syslog_origin *origin)
{
	size_t needed = syslog_fixed_bytes(origin);

	if (needed <= (size_t)given->value[PARAM_MESSAGE_BYTES].number)
		return 0;
	event_complain(env, LOG_ERR, "message_bytes: with names as long as these at least %zu are needed", needed);
	return -EINVAL;
}

static void syslog_close(void *state)
{
	struct syslog *syslog = state;

	syslog_out_end(&syslog->out);
	free(syslog->message);
	free(syslog);
}

/* The receiver need not be there yet. */
static int syslog_open(const struct tapstack_log_env *env, const struct tapstack_params *given, void **ret_state)
{
	struct syslog *syslog = calloc(1, sizeof(*syslog));
	int r;

	if (syslog == NULL)
		return -ENOMEM;
	syslog->out.fd = -1;
	r = event_filter_begin(env, given->value[PARAM_MINIMUM].text, &syslog->filter);
	if (r == 0)
		r = read_origin(env, given, &syslog->origin);
	if (r == 0)
		r = begin_out(env, given, &syslog->out);
	if (r == 0)
		r = check_room(env, given, &syslog->origin);
	syslog->message_bytes = (size_t)given->value[PARAM_MESSAGE_BYTES].number;
	syslog->message = malloc(syslog->message_bytes);
	if (r == 0 && syslog->message == NULL)
		r = -ENOMEM;
	if (r < 0) {
		syslog_close(syslog);
		return r;
	}
	*ret_state = syslog;
	return 0;
}

/* ---- running --------------------------------------------------------------------------------------------------- */

static int syslog_events(void *state, const struct tapstack_log_event *events, size_t count)
{
	struct syslog *syslog = state;
	int result = 0, r;
	int64_t wait;

	for (const struct tapstack_log_event *event = events; count > 0;
	     event = tapstack_log_next_event(event), count--) {
		uint64_t missed;
		size_t length;

		if (!event_filter_take(&syslog->filter, event, &missed))
			continue;
		syslog->sequence = syslog->sequence == SEQUENCE_MAX ? 1 : syslog->sequence + 1;
		length = syslog_format(&syslog->origin, event, missed, syslog->sequence, syslog->message,
		                       syslog->message_bytes);
		r = syslog_out_put(&syslog->out, syslog->message, length);
		if (r < 0) {
			syslog->filter.missed = missed + 1;
			result = r;
		}
	}
	syslog_out_run(&syslog->out, &wait);
	return result;
}

static int syslog_idle(void *state, int64_t *ret_wait_ns)
{
	struct syslog *syslog = state;

	syslog_out_run(&syslog->out, ret_wait_ns);
	return 0;
}

static int syslog_flush(void *state)
{
	struct syslog *syslog = state;

	syslog_out_drain(&syslog->out, LAST_PATIENCE_NS);
	return 0;
}

static void syslog_counts(void *state, struct tapstack_log_counts *ret_counts)
{
	const struct syslog *syslog = state;

	ret_counts->lost = syslog->out.lost;
	ret_counts->waiting = syslog->out.messages;
}

static const struct tapstack_log_ops ops = {
	.struct_size = sizeof(ops),
	.open = syslog_open,
	.events = syslog_events,
	.flush = syslog_flush,
	.idle = syslog_idle,
	.counts = syslog_counts,
	.close = syslog_close,
};

_Static_assert(sizeof(params) / sizeof(params[0]) == PARAM_COUNT, "one row each");

const struct tapstack_plugin tapstack_plugin = {
	TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_LOGGING),
	.name = "syslog",
	.version = "1.0",
	.licence = "MIT",
	.description = "state transitions as syslog messages with structured data, RFC 5424",
	.params = params,
	.param_count = PARAM_COUNT,
	.ops = &ops,
};
