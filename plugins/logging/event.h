#pragma once
/* What the logging plugins that write text have in common: how much an event matters, which events an instance wants,
 * and times and ends of connections as text. Linked into each of them; no state but what the caller gives. */
#include "tapstack/logging.h"

#include <stdbool.h>
#include <syslog.h>

/* How much an event matters, as in syslog(3). By its cause:
 *   LOG_ERR      the daemon's own trouble: OUT_OF_MEMORY, DAEMON_CRASH
 *   LOG_WARNING  somebody's trouble: resets received, time-outs (but the planned one of TIME-WAIT), ICMP errors, data
 *                that found no reader, half-open connections and orphans given up under load
 *   LOG_NOTICE   the connection was ended by decision: aborted from here, by an administrator, by a stop
 *   LOG_INFO     the ordinary life: first and last transition of a connection, and the one to ESTABLISHED
 *   LOG_DEBUG    all between
 * A cause that is not known here is LOG_WARNING when its name says that it is a time-out, else an ordinary one. */
int event_priority(const struct tapstack_log_event *event);

/* Which events an instance writes. */
enum event_minimum {
	EVENT_ALL,
	EVENT_ENDS,    /* the last transition of each connection, and trouble */
	EVENT_TROUBLE, /* LOG_WARNING and what is worse */
};

#define EVENT_MINIMUM_HELP                                                                                           \
	"which events: all; ends (the last of each connection, and trouble); trouble (warnings only)"

struct event_filter {
	enum event_minimum minimum;
	uint64_t missed; /* events lost since the last one that was wanted */
};

/* From the parameter's text: 0, or -EINVAL after a line in the daemon's log. */
int event_filter_begin(const struct tapstack_log_env *env, const char *minimum, struct event_filter *ret_filter);

/* A line in the daemon's log with the instance's name in front. */
void event_complain(const struct tapstack_log_env *env, int priority, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Is this event to be written? Then *ret_missed is how many the host, or event_filter_lost, has lost before it, also
 * before those that were not wanted. */
bool event_filter_take(struct event_filter *filter, const struct tapstack_log_event *event, uint64_t *ret_missed);

/* RFC 3339 in UTC with `digits` (0 to 9) of fractions of a second, cut, not rounded. */
#define EVENT_TIME_MAX 48u
void event_time(int64_t ns, unsigned digits, char text[static EVENT_TIME_MAX]);

/* "192.0.2.1:80", "[2001:db8::1]:80" */
#define EVENT_END_MAX 56u
void event_end(const char *address, uint16_t port, char text[static EVENT_END_MAX]);

/* One line for people: "echo: 192.0.2.2:7 <- 192.0.2.1:4711: ESTABLISHED to CLOSE-WAIT: the peer closed its direction
 * (RECEIVED_FIN)". The arrow points to where the connection was opened to. */
#define EVENT_LINE_MAX 512u
void event_line(const struct tapstack_log_event *event, char text[static EVENT_LINE_MAX]);

/* "active", "passive" */
const char *event_role(const struct tapstack_log_event *event);

/* `path`, or below the host's state directory when it is relative. To be freed; NULL: no memory. An older host gives
 * no state directory; then the path is as it is. */
char *event_path(const struct tapstack_log_env *env, const char *path);
