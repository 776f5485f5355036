#define _GNU_SOURCE 1
#include "event.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct cause_priority {
	const char *cause;
	int priority;
};

/* Those that are not ordinary. */
static const struct cause_priority causes[] = {
	{ "OUT_OF_MEMORY", LOG_ERR },          { "DAEMON_CRASH", LOG_ERR },
	{ "RECEIVED_RST", LOG_WARNING },       { "RECEIVED_RST_REFUSED", LOG_WARNING },
	{ "ICMP_HARD_ERROR", LOG_WARNING },    { "LATE_DATA", LOG_WARNING },
	{ "LOCAL_CLOSE_UNREAD", LOG_WARNING }, { "EVICTED_HALF_OPEN", LOG_WARNING },
	{ "TOO_MANY_ORPHANS", LOG_WARNING },   { "ECN_CONFLICT", LOG_WARNING },
	{ "LOCAL_ABORT", LOG_NOTICE },         { "LOCAL_LINGER", LOG_NOTICE },
	{ "ADMIN_CLOSE", LOG_NOTICE },         { "ADMIN_ABORT", LOG_NOTICE },
	{ "LISTENER_CLOSED", LOG_NOTICE },     { "DAEMON_STOP", LOG_NOTICE },
	{ "EVICTED_TIME_WAIT", LOG_NOTICE },
};

static bool is_time_out(const char *cause)
{
	return strncmp(cause, "TIMEOUT_", 8) == 0 && strcmp(cause, "TIMEOUT_2MSL") != 0;
}

int event_priority(const struct tapstack_log_event *event)
{
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		if (strcmp(causes[i].cause, event->cause) == 0)
			return causes[i].priority;
	if (is_time_out(event->cause))
		return LOG_WARNING;
	return (event->flags & (TAPSTACK_LOG_FIRST | TAPSTACK_LOG_LAST)) != 0 || strcmp(event->to, "ESTABLISHED") == 0
	               ? LOG_INFO
	               : LOG_DEBUG;
}

void event_complain(const struct tapstack_log_env *env, int priority, const char *format, ...)
{
	char message[300], line[400];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	snprintf(line, sizeof(line), "log %.60s: %s", env->instance, message);
	env->log(priority, line);
}

int event_filter_begin(const struct tapstack_log_env *env, const char *minimum, struct event_filter *ret_filter)
{
	static const char *const names[] = { "all", "ends", "trouble" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], minimum) == 0) {
			*ret_filter = (struct event_filter){ (enum event_minimum)i, 0 };
			return 0;
		}
	event_complain(env, LOG_ERR, "minimum: \"%.60s\" is not valid: expected all, ends or trouble", minimum);
	return -EINVAL;
}

static bool wanted(enum event_minimum minimum, const struct tapstack_log_event *event)
{
	return minimum == EVENT_ALL || (minimum == EVENT_ENDS && (event->flags & TAPSTACK_LOG_LAST) != 0) ||
	       event_priority(event) <= LOG_WARNING;
}

bool event_filter_take(struct event_filter *filter, const struct tapstack_log_event *event, uint64_t *ret_missed)
{
	filter->missed += event->missed;
	if (!wanted(filter->minimum, event))
		return false;
	*ret_missed = filter->missed;
	filter->missed = 0;
	return true;
}

void event_time(int64_t ns, unsigned digits, char text[static EVENT_TIME_MAX])
{
	int64_t part = ns % 1000000000;
	time_t seconds = (time_t)(ns / 1000000000);
	char fraction[16];
	struct tm utc;
	size_t length;

	if (part < 0) {
		part += 1000000000;
		seconds--;
	}
	gmtime_r(&seconds, &utc);
	length = strftime(text, EVENT_TIME_MAX, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(fraction, sizeof(fraction), "%09d", (int)part);
	snprintf(text + length, EVENT_TIME_MAX - length, "%s%.*sZ", digits > 0 ? "." : "", (int)digits, fraction);
}

void event_end(const char *address, uint16_t port, char text[static EVENT_END_MAX])
{
	const char *format = strchr(address, ':') != NULL ? "[%.45s]:%u" : "%.45s:%u";

	snprintf(text, EVENT_END_MAX, format, address, (unsigned)port);
}

void event_line(const struct tapstack_log_event *event, char text[static EVENT_LINE_MAX])
{
	char local[EVENT_END_MAX], remote[EVENT_END_MAX];

	event_end(event->local_address, event->local_port, local);
	event_end(event->remote_address, event->remote_port, remote);
	snprintf(text, EVENT_LINE_MAX, "%s%s%s %s %s: %s to %s: %s (%s)", event->service,
	         event->service[0] == '\0' ? "" : ": ", local,
	         (event->flags & TAPSTACK_LOG_ACTIVE) != 0 ? "->" : "<-", remote, event->from, event->to,
	         event->cause_meaning, event->cause);
}

const char *event_role(const struct tapstack_log_event *event)
{
	return (event->flags & TAPSTACK_LOG_ACTIVE) != 0 ? "active" : "passive";
}

char *event_path(const struct tapstack_log_env *env, const char *path)
{
	bool given = env->struct_size >= TAPSTACK_SIZE_UP_TO(struct tapstack_log_env, state_directory);
	char *joined;

	if (path[0] == '/' || !given || env->state_directory == NULL)
		return strdup(path);
	return asprintf(&joined, "%s/%s", env->state_directory, path) < 0 ? NULL : joined;
}
