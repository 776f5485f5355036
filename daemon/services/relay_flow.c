/* The two directions of a relayed connection.
 *
 * epoll is touched as rarely as possible: a write is tried at once and the descriptor watched only when it would
 * block; reading stays armed as long as there is room, and when room comes back the read is tried before it is armed
 * again. */
#include "services/relay.h"

#include "services/kinds.h"

#include <errno.h>

void relay_want_read(struct relay_conn *c, bool want)
{
	if (want == c->reading)
		return;
	c->reading = want;
	if (want)
		event_add(&c->readable, NULL);
	else
		event_del(&c->readable);
}

void relay_want_write(struct relay_conn *c, bool want)
{
	if (want == c->writing)
		return;
	c->writing = want;
	if (want)
		event_add(&c->writable, NULL);
	else
		event_del(&c->writable);
}

/* Both directions have ended: nothing is left to do here. */
static bool finished(struct relay_conn *c)
{
	if (!c->peer_done || !c->server_done)
		return false;
	relay_conn_close(c);
	return true;
}

/* The server's end comes after what it has sent. */
static bool end_to_peer(struct relay_conn *c)
{
	relay_want_read(c, false);
	c->server_done = true;
	stack_shutdown(c->relay->service.host->stack, c->conn);
	if (finished(c))
		return false;
	relay_touch(c);
	return true;
}

/* Reading from the server failed: it has reset its side, and nothing more comes from it. */
static bool server_reset(struct relay_conn *c)
{
	if (c->relay->lenient) {
		c->server_deaf = true;
		return end_to_peer(c);
	}
	c->relay->service.stats.target_resets++;
	relay_conn_abort(c);
	return false;
}

bool relay_sent(struct relay_conn *c)
{
	c->all_sent = true;
	if (!c->server_done && !c->server_deaf) /* an administrator has closed this direction, and that has arrived */
		return end_to_peer(c);
	if (!c->server_deaf || c->peer_done || c->relay->lenient)
		return true;
	c->relay->service.stats.target_resets++;
	relay_conn_abort(c);
	return false;
}

/* The peer's end comes after what it has sent. */
static bool end_to_server(struct relay_conn *c)
{
	c->peer_done = true;
	if (finished(c))
		return false;
	shutdown(c->fd, SHUT_WR);
	relay_touch(c);
	return true;
}

/* What the peer sends has nowhere to go. */
static bool discard(struct relay_conn *c)
{
	service_drain(&c->relay->service, c->conn);
	if (!c->peer_done && stack_at_eof(c->relay->service.host->stack, c->conn))
		return end_to_server(c);
	return true;
}

/* Writing to the server failed. What it has sent before still belongs to the peer: reading goes on until its end. If
 * it has closed, the peer is reset once it has everything; if it was this write that found a reset, the end is one.
 */
static bool server_deaf(struct relay_conn *c, int error)
{
	relay_want_write(c, false);
	c->server_deaf = true;
	c->server_reset = error != -EPIPE;
	if (c->all_sent)
		return relay_sent(c);
	return discard(c);
}

/* One write of what is there. Returns the payload bytes written or -errno; -EAGAIN only with nothing written.
 * *ret_left: something remains to be written. */
static ssize_t write_once(struct relay_conn *c, bool *ret_left)
{
	struct stack *stack = c->relay->service.host->stack;
	struct iovec iov[SERVICE_SPANS + 1];
	struct msghdr message = { .msg_iov = iov };
	size_t header = (size_t)(c->header_length - c->header_written);
	int first = header > 0, count = 0;
	ssize_t unread, written;

	iov[0] = (struct iovec){ c->header + c->header_written, header };
	unread = stack_peek(stack, c->conn, iov + first, SERVICE_SPANS, &count);
	if (unread < 0)
		return unread;
	*ret_left = false;
	if (unread == 0 && header == 0)
		return 0;
	message.msg_iovlen = (size_t)(first + count);
	written = sendmsg(c->fd, &message, MSG_NOSIGNAL);
	if (written < 0)
		return -errno;
	*ret_left = (size_t)written < header + (size_t)unread;
	if ((size_t)written < header)
		header = (size_t)written;
	c->header_written = (uint8_t)(c->header_written + header);
	written -= (ssize_t)header;
	if (written > 0)
		stack_consume(stack, c->conn, (size_t)written);
	return written;
}

bool relay_to_server(struct relay_conn *c)
{
	size_t moved = 0;
	bool left = true;
	ssize_t n;

	if (c->server_deaf)
		return discard(c);
	do {
		n = write_once(c, &left);
		if (n == -EAGAIN || n == -EINTR)
			break;
		if (n < 0)
			return server_deaf(c, (int)n);
		moved += (size_t)n;
	} while (n > 0 && !left && moved < RELAY_TURN_BYTES);
	if (moved > 0) {
		c->relay->service.stats.bytes_in += moved;
		relay_touch(c);
	}
	if (left || n > 0 || n < 0) {
		relay_want_write(c, true);
		return true;
	}
	relay_want_write(c, false);
	if (!c->peer_done && stack_at_eof(c->relay->service.host->stack, c->conn))
		return end_to_server(c);
	return true;
}

/* Room is asked for by what the last reads brought: little for requests and answers, much for a stream. */
static void adapt(struct relay_conn *c, size_t asked, size_t got)
{
	if (got == asked && c->ask < RELAY_TURN_BYTES)
		c->ask *= 2;
	else if (got < asked / 4 && c->ask > RELAY_ASK_BYTES)
		c->ask /= 2;
}

bool relay_to_peer(struct relay_conn *c)
{
	struct stack *stack = c->relay->service.host->stack;
	struct iovec iov[SERVICE_SPANS];
	size_t moved = 0, asked;
	ssize_t room, n;
	int count;

	do {
		asked = c->ask;
		room = stack_space(stack, c->conn, asked, iov, SERVICE_SPANS, &count);
		if (room == -EPIPE) /* an administrator has closed this direction: nothing more can go there */
			return end_to_peer(c);
		if (room <= 0) { /* READY_WRITABLE follows, or READY_ERROR */
			relay_want_read(c, false);
			return true;
		}
		n = readv(c->fd, iov, count);
		if (n == 0 && !c->server_reset)
			return end_to_peer(c);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return server_reset(c);
		if (n < 0)
			break;
		stack_commit(stack, c->conn, (size_t)n);
		c->relay->service.stats.bytes_out += (uint64_t)n;
		moved += (size_t)n;
		relay_touch(c);
		adapt(c, asked, (size_t)n);
	} while (n == room && moved < RELAY_TURN_BYTES);
	relay_want_read(c, true);
	return true;
}
