#pragma once
/* One event as a syslog message: RFC 5424, section 6. What is cut so that the message fits is named here. */
#include "event.h"

#include <stddef.h>

#define SYSLOG_HOSTNAME_MAX 255u
#define SYSLOG_APP_NAME_MAX 48u
#define SYSLOG_PROCID_MAX 128u
#define SYSLOG_MSGID_MAX 32u
#define SYSLOG_SD_NAME_MAX 32u
#define SYSLOG_MESSAGE_MIN 480u   /* what every receiver takes (6.1) */
#define SYSLOG_MESSAGE_MAX 65000u /* of a datagram, with room for its headers */

/* The same for all messages of an instance: printable ASCII without spaces, "-" for what is not known. */
struct syslog_origin {
	unsigned facility; /* 0 to 23 */
	char hostname[SYSLOG_HOSTNAME_MAX + 1];
	char app_name[SYSLOG_APP_NAME_MAX + 1];
	char procid[SYSLOG_PROCID_MAX + 1];
	char msgid[SYSLOG_MSGID_MAX + 1]; /* "": the event's cause */
	char sd_id[SYSLOG_SD_NAME_MAX + 1];
	char version[SYSLOG_SD_NAME_MAX + 1],
	        link[SYSLOG_SD_NAME_MAX + 1]; /* of the daemon, of its link; "": unknown */
	uint64_t run;                         /* 0: unknown */
};

/* Copies `text` as a header field: what is not printable ASCII becomes '?', what is too long is cut, nothing becomes
 * "-". `size` counts the NUL. */
void syslog_field(const char *text, char *field, size_t size);

/* 0 to 23 by its name in RFC 5424, table 1, as syslog.conf writes it ("daemon", "local3"); -EINVAL. */
int syslog_facility(const char *name);

/* Is this an SD-ID that may be used privately, NAME@NUMBER (6.3.2)? */
bool syslog_is_private_id(const char *id);

/* What a message has at least: the most that header and structured data without the event's parameters can take. */
size_t syslog_fixed_bytes(const struct syslog_origin *origin);

/* Writes a message of at most `size` bytes (syslog_fixed_bytes or more) and returns its length; there is no NUL. When
 * it does not fit, first the text at its end is cut, at the boundary of a character; then SD-PARAMs are left out
 * whole, from the last. `sequence` counts from 1 (7.3.1); 0: none. */
size_t syslog_format(const struct syslog_origin *origin, const struct tapstack_log_event *event, uint64_t missed,
                     uint32_t sequence, char *message, size_t size);
