#define _GNU_SOURCE 1
#include "syslog_out.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define RETRY_NS INT64_C(20000000)         /* until a full socket may have room */
#define ACKNOWLEDGED_NS INT64_C(100000000) /* until what is under way may have been acknowledged */
#define FRAME_HEAD_MAX 8u                  /* "65000 " or a line feed */

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool is_unix(const struct syslog_out *out)
{
	return out->transport == SYSLOG_UNIX || out->transport == SYSLOG_UNIX_STREAM;
}

static bool is_stream(const struct syslog_out *out)
{
	return out->transport == SYSLOG_TCP || out->transport == SYSLOG_UNIX_STREAM;
}

/* ---- the target ------------------------------------------------------------------------------------------------ */

static int split_target(struct syslog_out *out)
{
	const char *target = out->target, *host = target, *port = NULL, *end;
	size_t length = strlen(target);

	if (target[0] == '[') {
		end = strchr(target, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return -EINVAL;
		host = target + 1;
		length = (size_t)(end - host);
		port = end[1] == ':' ? end + 2 : NULL;
	} else if ((end = strchr(target, ':')) != NULL && strchr(end + 1, ':') == NULL) {
		length = (size_t)(end - target);
		port = end + 1;
	}
	if (length == 0 || (port != NULL && port[0] == '\0'))
		return -EINVAL;
	out->host = strndup(host, length);
	out->service = strdup(port != NULL ? port : out->transport == SYSLOG_TCP ? "601" : "514");
	return out->host == NULL || out->service == NULL ? -ENOMEM : 0;
}

int syslog_out_begin(struct syslog_out *out, enum syslog_transport transport, const char *target, bool line_feeds,
                     size_t buffer_bytes)
{
	struct sockaddr_un address;
	int r = 0;

	*out = (struct syslog_out){ .transport = transport,
		                    .line_feeds = line_feeds,
		                    .fd = -1,
		                    .backoff_ns = SYSLOG_OUT_BACKOFF_MIN_NS,
		                    .size = buffer_bytes };
	out->target = strdup(target);
	out->buffer = malloc(buffer_bytes);
	if (out->target == NULL || out->buffer == NULL)
		r = -ENOMEM;
	else if (!is_unix(out))
		r = split_target(out);
	else if (target[0] != '/' || strlen(target) >= sizeof(address.sun_path))
		r = -EINVAL;
	if (r < 0)
		syslog_out_end(out);
	return r;
}

void syslog_out_end(struct syslog_out *out)
{
	if (out->fd >= 0)
		close(out->fd);
	free(out->target);
	free(out->host);
	free(out->service);
	free(out->buffer);
	*out = (struct syslog_out){ .fd = -1 };
}

/* ---- the buffer ------------------------------------------------------------------------------------------------ */

static uint32_t record_length(const struct syslog_out *out, size_t at)
{
	uint32_t length;

	memcpy(&length, out->buffer + at, sizeof(length));
	return length;
}

/* Makes room at the end by moving what is there to the beginning. */
static void compact(struct syslog_out *out)
{
	memmove(out->buffer, out->buffer + out->begin, out->end - out->begin);
	out->end -= out->begin;
	out->sent_end -= out->begin;
	out->begin = 0;
}

/* The oldest record is done with. */
static void forget_first(struct syslog_out *out)
{
	out->begin += sizeof(uint32_t) + record_length(out, out->begin);
	out->messages--;
	out->sent_messages--;
	out->stuck = false;
	if (out->begin == out->end)
		out->begin = out->end = out->sent_end = 0;
}

/* All but the last `unacknowledged` bytes that were sent have arrived. */
static void forget_delivered(struct syslog_out *out, size_t unacknowledged)
{
	size_t sent = out->part_bytes;

	for (size_t at = out->begin; at < out->sent_end; at += sizeof(uint32_t) + record_length(out, at))
		sent += record_length(out, at);
	while (out->sent_messages > 0) {
		uint32_t length = record_length(out, out->begin);

		if (sent < unacknowledged + length)
			break;
		sent -= length;
		forget_first(out);
	}
}

/* ---- the connection -------------------------------------------------------------------------------------------- */

/* What was sent and not acknowledged is to be sent again, from the beginning of a message. */
static void disconnect(struct syslog_out *out, int error)
{
	if (out->fd >= 0)
		close(out->fd);
	out->fd = -1;
	out->connecting = false;
	out->error = error;
	out->next_ns = now_ns() + out->backoff_ns;
	out->backoff_ns =
	        out->backoff_ns * 2 < SYSLOG_OUT_BACKOFF_MAX_NS ? out->backoff_ns * 2 : SYSLOG_OUT_BACKOFF_MAX_NS;
	out->sent_end = out->begin;
	out->sent_messages = 0;
	out->part_bytes = 0;
}

static void connected(struct syslog_out *out)
{
	out->connecting = false;
	out->error = 0;
	out->backoff_ns = SYSLOG_OUT_BACKOFF_MIN_NS;
}

static int connect_to(struct syslog_out *out, int family, const struct sockaddr *address, socklen_t length)
{
	int type = (is_stream(out) ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
	int fd = socket(family, type, 0), on = 1, r;

	if (fd < 0)
		return -errno;
	if (out->transport == SYSLOG_TCP)
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (connect(fd, address, length) == 0) {
		out->fd = fd;
		connected(out);
		return 0;
	}
	if (errno == EINPROGRESS) {
		out->fd = fd;
		out->connecting = true;
		out->next_ns = now_ns() + SYSLOG_OUT_CONNECT_NS;
		return 0;
	}
	r = -errno;
	close(fd);
	return r;
}

/* Names are looked up each time: a collector may move. The look-up may block, on the instance's own thread. */
static int connect_to_host(struct syslog_out *out)
{
	struct addrinfo hints = { .ai_socktype = is_stream(out) ? SOCK_STREAM : SOCK_DGRAM }, *found, *at;
	int r = -EHOSTUNREACH;

	if (getaddrinfo(out->host, out->service, &hints, &found) != 0)
		return r;
	for (at = found; at != NULL && r < 0; at = at->ai_next)
		r = connect_to(out, at->ai_family, at->ai_addr, at->ai_addrlen);
	freeaddrinfo(found);
	return r;
}

static void start_connecting(struct syslog_out *out)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int r;

	if (is_unix(out)) {
		strcpy(address.sun_path, out->target); /* syslog_out_begin has looked at its length */
		r = connect_to(out, AF_UNIX, (struct sockaddr *)&address, sizeof(address));
	} else {
		r = connect_to_host(out);
	}
	if (r < 0)
		disconnect(out, r);
}

static void look_at_connecting(struct syslog_out *out)
{
	struct pollfd ready = { .fd = out->fd, .events = POLLOUT };
	socklen_t size = sizeof(int);
	int error = 0;

	if (poll(&ready, 1, 0) == 0) {
		if (now_ns() >= out->next_ns)
			disconnect(out, -ETIMEDOUT);
		return;
	}
	getsockopt(out->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error != 0)
		disconnect(out, -error);
	else
		connected(out);
}

/* Nobody answers syslog; what comes is thrown away, and an end is an end. */
static void look_at_stream(struct syslog_out *out)
{
	char bytes[512];
	ssize_t got;

	do
		got = recv(out->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	while (got > 0);
	if (got == 0 || (errno != EAGAIN && errno != EINTR))
		disconnect(out, got == 0 ? -ECONNRESET : -errno);
}

/* ---- sending --------------------------------------------------------------------------------------------------- */

/* The frame at sent_end, or the rest of it. False: not now. */
static bool send_frame(struct syslog_out *out)
{
	uint32_t length = record_length(out, out->sent_end);
	const char *frame = out->buffer + out->sent_end + sizeof(length);
	ssize_t sent = send(out->fd, frame + out->part_bytes, length - out->part_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0 && errno == ECONNREFUSED && out->transport == SYSLOG_UDP) {
		out->lost++; /* it was a datagram before this one that was refused */
		return true;
	}
	if (sent < 0 && errno == EMSGSIZE && !is_stream(out)) {
		out->lost++; /* it will never fit */
		sent = (ssize_t)length;
	}
	if (sent < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
			disconnect(out, -errno);
		return false;
	}
	out->part_bytes += (size_t)sent;
	if (out->part_bytes < length)
		return is_stream(out);
	out->part_bytes = 0;
	out->sent_end += sizeof(length) + length;
	out->sent_messages++;
	return true;
}

static void look_at_acknowledged(struct syslog_out *out)
{
	int waiting = 0;

	if (out->transport == SYSLOG_TCP && ioctl(out->fd, SIOCOUTQ, &waiting) < 0)
		waiting = 0;
	forget_delivered(out, (size_t)waiting);
}

static int64_t wait_ns(const struct syslog_out *out)
{
	int64_t rest;

	if (out->messages == 0)
		return INT64_MAX;
	if (out->fd >= 0 && !out->connecting)
		return out->sent_end < out->end ? RETRY_NS : ACKNOWLEDGED_NS;
	if (out->connecting)
		return RETRY_NS;
	rest = out->next_ns - now_ns();
	return rest > 0 ? rest : 0;
}

int syslog_out_run(struct syslog_out *out, int64_t *ret_wait_ns)
{
	if (out->fd < 0 && out->messages > 0 && now_ns() >= out->next_ns)
		start_connecting(out);
	if (out->connecting)
		look_at_connecting(out);
	if (out->fd >= 0 && !out->connecting && is_stream(out)) {
		look_at_acknowledged(out);
		look_at_stream(out);
	}
	if (out->fd >= 0 && !out->connecting) {
		while (out->sent_end < out->end && send_frame(out))
			;
		if (out->fd >= 0)
			look_at_acknowledged(out);
	}
	*ret_wait_ns = wait_ns(out);
	return out->error;
}

/* For room in the socket, or just a moment. */
static void wait_a_moment(const struct syslog_out *out)
{
	bool blocked = out->fd >= 0 && (out->connecting || out->sent_end < out->end);
	struct pollfd ready = { .fd = blocked ? out->fd : -1, .events = POLLOUT };

	poll(&ready, 1, 5);
}

void syslog_out_drain(struct syslog_out *out, int64_t patience_ns)
{
	int64_t until = now_ns() + patience_ns, wait;

	while (syslog_out_run(out, &wait) == 0 && wait != INT64_MAX && now_ns() < until)
		wait_a_moment(out);
}

/* ---- taking ---------------------------------------------------------------------------------------------------- */

static bool has_room(struct syslog_out *out, size_t bytes)
{
	if (out->size - out->end < bytes && out->begin > 0)
		compact(out);
	return out->size - out->end >= bytes;
}

static bool wait_for_room(struct syslog_out *out, size_t bytes)
{
	int64_t until = now_ns() + SYSLOG_OUT_ROOM_NS, wait;

	while (!has_room(out, bytes)) {
		int r = syslog_out_run(out, &wait);

		if (has_room(out, bytes))
			break;
		if (r != 0 || out->stuck || now_ns() >= until) {
			out->stuck = true;
			return false;
		}
		wait_a_moment(out);
	}
	return true;
}

int syslog_out_put(struct syslog_out *out, const char *message, size_t length)
{
	char head[FRAME_HEAD_MAX + 1] = "", *at;
	size_t head_length;
	uint32_t frame;

	if (is_stream(out) && !out->line_feeds)
		snprintf(head, sizeof(head), "%u ", (unsigned)length);
	head_length = strlen(head);
	frame = (uint32_t)(head_length + length + (is_stream(out) && out->line_feeds));
	if (!wait_for_room(out, sizeof(frame) + frame)) {
		out->lost++;
		return -ENOBUFS;
	}
	at = out->buffer + out->end;
	memcpy(at, &frame, sizeof(frame));
	at += sizeof(frame);
	memcpy(at, head, head_length);
	memcpy(at + head_length, message, length);
	if (head_length + length < frame)
		at[frame - 1] = '\n';
	out->end += sizeof(frame) + frame;
	out->messages++;
	return 0;
}
