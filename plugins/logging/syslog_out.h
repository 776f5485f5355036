#pragma once
/* Where syslog messages go: a bounded buffer of them, and behind it a socket that never blocks.
 *
 * Datagrams (RFC 5426, and /dev/log) are sent one by one. On a stream messages are framed by their length or by a
 * line feed (RFC 6587); over TCP they stay in the buffer until the other end has acknowledged them, and go again over
 * the next connection when this one is lost before: what was under way may come twice, and is not lost. A connection
 * that is lost or refused is tried again after a time that doubles up to SYSLOG_OUT_BACKOFF_MAX_NS.
 *
 * Invariant: sent_messages <= messages; each message that was put is delivered, counted as lost, or in the buffer. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYSLOG_OUT_BACKOFF_MIN_NS INT64_C(100000000)
#define SYSLOG_OUT_BACKOFF_MAX_NS INT64_C(30000000000)
#define SYSLOG_OUT_CONNECT_NS INT64_C(5000000000)
#define SYSLOG_OUT_ROOM_NS INT64_C(200000000) /* for room in a full buffer */

enum syslog_transport { SYSLOG_UDP, SYSLOG_TCP, SYSLOG_UNIX, SYSLOG_UNIX_STREAM };

struct syslog_out {
	enum syslog_transport transport;
	bool line_feeds;      /* frames of a stream end in one; else their length goes before them */
	char *target;         /* a path, or host and port */
	char *host, *service; /* parts of target; NULL for a path */
	int fd;               /* -1: none */
	bool connecting;
	int error;          /* why there is no connection: a negative errno; 0: there is, or none was tried */
	int64_t next_ns;    /* when to connect again, or to give up connecting; CLOCK_MONOTONIC */
	int64_t backoff_ns; /* for the next time */
	/* The buffer: records of a 32-bit length and a frame. */
	char *buffer;
	size_t size, begin, end;
	size_t sent_end;   /* begin <= sent_end <= end: records before it have been sent in full */
	size_t part_bytes; /* of the frame at sent_end, that have been sent */
	uint64_t messages, sent_messages;
	uint64_t lost;
	bool stuck; /* nothing has been taken since it was waited for in vain */
};

/* `target`: a path for the unix transports, else HOST, HOST:PORT or [ADDRESS]:PORT; the port's default is 514, over
 * TCP 601. Nothing is sent or resolved yet. 0, -EINVAL or -ENOMEM. */
int syslog_out_begin(struct syslog_out *out, enum syslog_transport transport, const char *target, bool line_feeds,
                     size_t buffer_bytes);
/* What is still in the buffer is gone. */
void syslog_out_end(struct syslog_out *out);

/* Puts a message into the buffer. When it is full it waits for a receiver that takes messages, but for one that takes
 * none only once: -ENOBUFS then, and the message is counted as lost. */
int syslog_out_put(struct syslog_out *out, const char *message, size_t length);

/* Sends what can be sent without waiting. *ret_wait_ns is when to call again if nothing else happens; INT64_MAX:
 * never. Returns out->error. */
int syslog_out_run(struct syslog_out *out, int64_t *ret_wait_ns);

/* As syslog_out_run until the buffer is empty, `patience_ns` have passed, or there is no connection to be had. */
void syslog_out_drain(struct syslog_out *out, int64_t patience_ns);
