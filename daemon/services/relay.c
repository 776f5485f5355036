#include "services/relay.h"

#include "services/kinds.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static void timer_by(struct relay *relay, struct instant at)
{
	struct duration wait = instant_sub(at, relay->service.host->now);
	struct timeval tv;

	if (!instant_before(at, relay->timer_at))
		return;
	/* The event loop's clock and ours may differ by a rounding: not to spin, never less than a millisecond. */
	wait = duration_max(wait, DURATION_MS(1));
	tv.tv_sec = (time_t)(wait.ns / 1000000000);
	tv.tv_usec = (suseconds_t)(wait.ns % 1000000000 / 1000);
	relay->timer_at = at;
	event_add(&relay->timer, &tv);
}

static struct relay_queue *queue_of(struct relay_conn *c)
{
	struct relay *relay = c->relay;

	if (c->phase == RELAY_WAITING)
		return &relay->waiting;
	if (c->phase == RELAY_CONNECTING)
		return &relay->connecting;
	if (relay->service.options.idle_timeout.ns == 0)
		return &relay->untimed;
	if (relay->lenient && !c->peer_done && !c->server_done)
		return &relay->untimed;
	return &relay->timed;
}

/* When something is due for the first of a queue. */
static struct instant queue_due(const struct relay *relay, const struct relay_queue *queue)
{
	const struct service_options *options = &relay->service.options;
	const struct relay_conn *first = TAILQ_FIRST(queue);
	struct duration wait;

	if (!first || queue == &relay->untimed)
		return INSTANT_NEVER;
	wait = queue == &relay->timed ? options->idle_timeout : options->connect_timeout;
	return wait.ns > 0 ? instant_add(first->moved, wait) : INSTANT_NEVER;
}

static void set_timer(struct relay *relay)
{
	timer_by(relay, queue_due(relay, &relay->timed));
	timer_by(relay, queue_due(relay, &relay->connecting));
	timer_by(relay, queue_due(relay, &relay->waiting));
	if (!TAILQ_EMPTY(&relay->waiting))
		timer_by(relay, instant_add(relay->service.host->now, RELAY_AGAIN));
}

void relay_dequeue(struct relay_conn *c)
{
	if (c->queue)
		TAILQ_REMOVE(c->queue, c, link);
	c->queue = NULL;
}

void relay_enqueue(struct relay_conn *c)
{
	c->queue = queue_of(c);
	TAILQ_INSERT_TAIL(c->queue, c, link);
	if (c == TAILQ_FIRST(c->queue))
		set_timer(c->relay);
}

void relay_touch(struct relay_conn *c)
{
	c->moved = c->relay->service.host->now;
	if (c->queue == &c->relay->untimed && queue_of(c) == c->queue)
		return;
	relay_dequeue(c);
	relay_enqueue(c);
}

static void conn_free(struct relay_conn *c)
{
	relay_want_read(c, false);
	relay_want_write(c, false);
	if (c->fd >= 0)
		close(c->fd);
	relay_dequeue(c);
	free(c);
}

void relay_conn_close(struct relay_conn *c)
{
	service_close(&c->relay->service, c->conn);
	conn_free(c);
}

void relay_conn_abort(struct relay_conn *c)
{
	service_abort(&c->relay->service, c->conn);
	conn_free(c);
}

/* A TCP server is to see a reset; a unix socket has none. */
static void reset_server(struct relay_conn *c)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (c->fd >= 0)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void peer_died(struct relay_conn *c, const struct stack_ready *ready)
{
	unsigned cause = ready->cause;

	service_error(&c->relay->service, ready);
	if (cause != CAUSE_ADMIN_CLOSE && cause != CAUSE_DAEMON_STOP)
		reset_server(c);
	relay_conn_close(c);
}

/* Nothing has moved for too long. A peer that does not even take what waits for it would keep it waiting. */
static void idle(struct relay_conn *c)
{
	bool stuck = c->phase == RELAY_OPEN && !c->reading && !c->server_done;

	c->relay->service.stats.idle_timeouts++;
	if (stuck || (c->server_done && !c->all_sent))
		relay_conn_abort(c);
	else
		relay_conn_close(c);
}

static bool is_due(struct relay *relay, struct relay_queue *queue)
{
	return instant_reached(queue_due(relay, queue), relay->service.host->now);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct relay *relay = context;
	struct service_host *host = relay->service.host;

	(void)fd, (void)what;
	relay->timer_at = INSTANT_NEVER;
	host->begin(host);
	while (is_due(relay, &relay->timed))
		idle(TAILQ_FIRST(&relay->timed));
	while (is_due(relay, &relay->connecting))
		relay_connect_failed(TAILQ_FIRST(&relay->connecting), ETIMEDOUT);
	while (is_due(relay, &relay->waiting))
		relay_connect_failed(TAILQ_FIRST(&relay->waiting), ETIMEDOUT);
	relay_connect_again(relay);
	set_timer(relay);
}

static void accept_one(struct relay *relay, const struct stack_ready *ready)
{
	const struct service *service = &relay->service;
	struct relay_conn *c = NULL;

	relay->service.stats.accepted++;
	if (ready->flags & READY_ERROR) {
		service_error(&relay->service, ready);
		service_close(&relay->service, ready->conn);
		return;
	}
	if (service->options.connections_max == 0 ||
	    service->stats.accepted - service->stats.ended <= service->options.connections_max)
		c = calloc(1, sizeof(*c));
	if (!c || stack_set_user(service->host->stack, ready->conn, (uintptr_t)c) < 0) {
		free(c);
		relay->service.stats.refused++;
		service_abort(&relay->service, ready->conn);
		return;
	}
	c->relay = relay;
	c->conn = ready->conn;
	c->fd = -1;
	c->ask = RELAY_ASK_BYTES;
	c->moved = service->host->now;
	relay_connect(c);
}

static void relay_ready(struct service *service, const struct stack_ready *ready)
{
	struct relay_conn *c = (struct relay_conn *)(uintptr_t)ready->user;

	if (ready->flags & READY_ACCEPTED) {
		accept_one((struct relay *)service, ready);
		return;
	}
	if (ready->flags & READY_ERROR) {
		peer_died(c, ready);
		return;
	}
	/* What comes before the server is there waits in the stack. */
	if (c->phase != RELAY_OPEN)
		return;
	if ((ready->flags & READY_SENT) && !relay_sent(c))
		return;
	if ((ready->flags & (READY_READABLE | READY_EOF)) && !c->writing && !relay_to_server(c))
		return;
	if ((ready->flags & READY_WRITABLE) && !c->reading && !c->server_done)
		relay_to_peer(c);
}

static int relay_start(struct service *service)
{
	struct relay *relay = (struct relay *)service;

	TAILQ_INIT(&relay->waiting);
	TAILQ_INIT(&relay->connecting);
	TAILQ_INIT(&relay->timed);
	TAILQ_INIT(&relay->untimed);
	relay->timer_at = INSTANT_NEVER;
	return evtimer_assign(&relay->timer, service->host->base, on_timer, relay) < 0 ? -EINVAL : 0;
}

static int http_start(struct service *service)
{
	((struct relay *)service)->lenient = true;
	return relay_start(service);
}

static void relay_stop(struct service *service)
{
	struct relay *relay = (struct relay *)service;
	struct relay_queue *const queues[] = { &relay->waiting, &relay->connecting, &relay->timed, &relay->untimed };

	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++)
		while (!TAILQ_EMPTY(queues[i]))
			relay_conn_close(TAILQ_FIRST(queues[i]));
	event_del(&relay->timer);
}

const struct service_type relay_service = {
	.name = "relay",
	.help = "joins the connection to a local server",
	.wants_target = true,
	.instance_size = sizeof(struct relay),
	.start = relay_start,
	.ready = relay_ready,
	.stop = relay_stop,
};

const struct service_type http_service = {
	.name = "http",
	.help = "the daemon's own status pages",
	.instance_size = sizeof(struct relay),
	.start = http_start,
	.ready = relay_ready,
	.stop = relay_stop,
};
