/* From an accepted connection to an open descriptor. */
#include "services/relay.h"

#include "log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

/* The operator is told when the target fails and when it is back, not at every connection. */
static void report_target(struct relay *relay, int error)
{
	if (relay->target_failing == (error != 0))
		return;
	relay->target_failing = error != 0;
	if (error)
		log_write(LOG_WARNING, "service %s: cannot connect to its target: %s", relay->service.options.name,
		          strerror(error));
	else
		log_write(LOG_NOTICE, "service %s: its target answers again", relay->service.options.name);
}

void relay_connect_failed(struct relay_conn *c, int error)
{
	report_target(c->relay, error);
	c->relay->service.stats.target_failures++;
	relay_conn_abort(c);
}

static void open_up(struct relay_conn *c)
{
	const struct service *service = &c->relay->service;
	struct stack_conn_info info;
	const int on = 1;

	report_target(c->relay, 0);
	relay_dequeue(c);
	c->phase = RELAY_OPEN;
	c->moved = service->host->now;
	relay_enqueue(c);
	/* The sender's own Nagle has had its say. */
	if (service->options.target.address.ss_family != AF_UNIX)
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (service->options.proxy_protocol && stack_info(service->host->stack, c->conn, &info) == 0)
		c->header_length = (uint8_t)proxy_header(&info.flow, c->header);
	relay_want_read(c, true);
	relay_to_server(c);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct relay_conn *c = context;

	(void)fd, (void)what;
	c->relay->service.host->begin(c->relay->service.host);
	relay_to_peer(c);
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
	struct relay_conn *c = context;
	int error = 0;
	socklen_t length = sizeof(error);

	(void)what;
	c->relay->service.host->begin(c->relay->service.host);
	if (c->phase == RELAY_OPEN) {
		relay_to_server(c);
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		error = errno;
	if (error)
		relay_connect_failed(c, error);
	else
		open_up(c);
}

static int make_socket(struct relay_conn *c)
{
	const struct service *service = &c->relay->service;
	struct event_base *base = service->host->base;
	const int on = 1;

	c->fd = socket(service->options.target.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	/* An octet that a server sends as urgent stays in its place in the stream (RFC 6093). */
	if (service->options.target.address.ss_family != AF_UNIX)
		setsockopt(c->fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	event_assign(&c->readable, base, c->fd, EV_READ | EV_PERSIST, on_readable, c);
	event_assign(&c->writable, base, c->fd, EV_WRITE | EV_PERSIST, on_writable, c);
	return 0;
}

/* One attempt. Returns -EAGAIN when the target's queue is full: nothing has changed. Else the connection is open, or
 * connecting, or gone. */
static int attempt(struct relay_conn *c)
{
	const struct service_target *target = &c->relay->service.options.target;
	int error = 0;

	if (c->fd < 0 && make_socket(c) < 0)
		error = errno;
	else if (connect(c->fd, (const struct sockaddr *)&target->address, target->length) < 0)
		error = errno;
	if (error == EAGAIN && target->address.ss_family == AF_UNIX)
		return -EAGAIN;
	if (error == EINPROGRESS) {
		relay_dequeue(c);
		c->phase = RELAY_CONNECTING;
		relay_enqueue(c);
		relay_want_write(c, true);
	} else if (error) {
		relay_connect_failed(c, error);
	} else {
		open_up(c);
	}
	return 0;
}

void relay_connect(struct relay_conn *c)
{
	c->phase = RELAY_WAITING;
	/* Nobody overtakes those who wait. */
	if (TAILQ_EMPTY(&c->relay->waiting) && attempt(c) == 0)
		return;
	relay_enqueue(c);
}

void relay_connect_again(struct relay *relay)
{
	while (!TAILQ_EMPTY(&relay->waiting))
		if (attempt(TAILQ_FIRST(&relay->waiting)) < 0)
			return;
}
