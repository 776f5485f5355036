#include "support/fake_stack.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

struct stack {
	struct fake_conn *conns[FAKE_CONNS_MAX];
	size_t count, in_span, out_span, next_reported;
};

struct stack *fake_stack_new(size_t in_span, size_t out_span)
{
	struct stack *stack = calloc(1, sizeof(*stack));

	assert_non_null(stack);
	stack->in_span = in_span ? in_span : SIZE_MAX;
	stack->out_span = out_span ? out_span : SIZE_MAX;
	return stack;
}

void fake_stack_free(struct stack *stack)
{
	for (size_t i = 0; i < stack->count; i++) {
		free(stack->conns[i]->in);
		free(stack->conns[i]->out);
		free(stack->conns[i]);
	}
	free(stack);
}

static bool let_go(const struct fake_conn *conn)
{
	return conn->closed || conn->aborted;
}

size_t fake_stack_open(const struct stack *stack)
{
	size_t open = 0;

	for (size_t i = 0; i < stack->count; i++)
		open += !let_go(stack->conns[i]);
	return open;
}

struct fake_conn *fake_accept(struct stack *stack, uint16_t service)
{
	struct fake_conn *conn = calloc(1, sizeof(*conn));

	assert_non_null(conn);
	assert_true(stack->count < FAKE_CONNS_MAX);
	conn->stack = stack;
	conn->service = service;
	conn->room = SIZE_MAX;
	conn->pending = READY_ACCEPTED;
	conn->info.id = stack->count + 1;
	conn->info.flow = (struct flow){ .local = ip_addr_v4(0xc0000201),
		                         .remote = ip_addr_v4(0xc0000202),
		                         .local_port = 7,
		                         .remote_port = (uint16_t)(50000 + stack->count) };
	stack->conns[stack->count++] = conn;
	conn->handle.v = 1ull << 32 | stack->count;
	return conn;
}

static void append(uint8_t **buffer, size_t *length, size_t *capacity, const void *bytes, size_t n)
{
	if (*length + n > *capacity) {
		*capacity = (*length + n) * 2;
		*buffer = realloc(*buffer, *capacity);
		assert_non_null(*buffer);
	}
	if (bytes && n)
		memcpy(*buffer + *length, bytes, n);
	*length += n;
}

void fake_peer_sends(struct fake_conn *conn, const void *bytes, size_t length)
{
	append(&conn->in, &conn->in_length, &conn->in_capacity, bytes, length);
	conn->pending |= READY_READABLE;
}

void fake_peer_closes(struct fake_conn *conn)
{
	conn->in_eof = true;
	conn->pending |= READY_EOF;
}

void fake_peer_resets(struct fake_conn *conn, enum tcp_cause cause)
{
	conn->dead = true;
	conn->cause = (uint16_t)cause;
	conn->in_length = 0;
	conn->pending |= READY_ERROR;
}

static void offer_room(struct fake_conn *conn)
{
	if (conn->wants_room && conn->out_length < conn->room) {
		conn->wants_room = false;
		conn->pending |= READY_WRITABLE;
	}
}

size_t fake_peer_reads(struct fake_conn *conn, void *bytes, size_t length)
{
	size_t n = length < conn->out_length ? length : conn->out_length;

	if (bytes && n)
		memcpy(bytes, conn->out, n);
	conn->out_length -= n;
	if (conn->out_length)
		memmove(conn->out, conn->out + n, conn->out_length);
	conn->offered = 0;
	offer_room(conn);
	if (conn->shut && conn->out_length == 0)
		conn->pending |= READY_SENT;
	return n;
}

void fake_admin_closes(struct fake_conn *conn)
{
	conn->shut = true;
	conn->admin_shut = true;
}

void fake_set_room(struct fake_conn *conn, size_t room)
{
	conn->room = room;
	offer_room(conn);
}

/* ---- core/stack.h -------------------------------------------------------------------------------------------- */

static struct fake_conn *find(const struct stack *stack, struct conn_handle handle)
{
	size_t i = (size_t)(uint32_t)handle.v - 1;

	if (i >= stack->count || let_go(stack->conns[i]))
		return NULL;
	return stack->conns[i];
}

bool stack_next_ready(struct stack *stack, struct stack_ready *ret_ready)
{
	for (size_t n = 0; n < stack->count; n++) {
		struct fake_conn *conn = stack->conns[stack->next_reported++ % stack->count];

		if (let_go(conn) || !conn->pending)
			continue;
		*ret_ready =
		        (struct stack_ready){ conn->handle, conn->user, conn->service, conn->cause, conn->pending };
		conn->pending = 0;
		return true;
	}
	return false;
}

int stack_set_user(struct stack *stack, struct conn_handle handle, uint64_t user)
{
	struct fake_conn *conn = find(stack, handle);

	if (!conn)
		return -EBADF;
	conn->user = user;
	return 0;
}

static size_t cut(uint8_t *bytes, size_t length, size_t span, struct iovec *iov, int iov_max, int *ret_count)
{
	size_t covered = 0;
	int n = 0;

	while (covered < length && n < iov_max) {
		size_t piece = length - covered < span ? length - covered : span;

		iov[n++] = (struct iovec){ bytes + covered, piece };
		covered += piece;
	}
	*ret_count = n;
	return covered;
}

ssize_t stack_peek(struct stack *stack, struct conn_handle handle, struct iovec *iov, int iov_max, int *ret_count)
{
	struct fake_conn *conn = find(stack, handle);

	if (!conn)
		return -EBADF;
	return (ssize_t)cut(conn->in, conn->in_length, stack->in_span, iov, iov_max, ret_count);
}

int stack_consume(struct stack *stack, struct conn_handle handle, size_t length)
{
	struct fake_conn *conn = find(stack, handle);

	if (!conn)
		return -EBADF;
	assert_true(length <= conn->in_length);
	conn->offered = 0;
	conn->in_length -= length;
	conn->in_urgent -= length < conn->in_urgent ? length : conn->in_urgent;
	if (length == 0)
		return 0;
	/* A new place: whoever still looks at the old spans is found out by the sanitizer. */
	uint8_t *moved = malloc(conn->in_capacity);
	assert_non_null(moved);
	memcpy(moved, conn->in + length, conn->in_length);
	free(conn->in);
	conn->in = moved;
	return 0;
}

bool stack_at_eof(const struct stack *stack, struct conn_handle handle)
{
	const struct fake_conn *conn = find(stack, handle);

	return conn && conn->in_eof && conn->in_length == 0;
}

ssize_t stack_space(struct stack *stack, struct conn_handle handle, size_t wanted, struct iovec *iov, int iov_max,
                    int *ret_count)
{
	struct fake_conn *conn = find(stack, handle);
	size_t length, room;

	if (!conn)
		return -EBADF;
	if (conn->dead)
		return -ECONNRESET;
	if (conn->shut)
		return -EPIPE;
	room = conn->room > conn->out_length ? conn->room - conn->out_length : 0;
	length = conn->out_length;
	if (room > wanted)
		room = wanted;
	append(&conn->out, &conn->out_length, &conn->out_capacity, NULL, room);
	conn->out_length = length;
	conn->offered = cut(conn->out + length, room, stack->out_span, iov, iov_max, ret_count);
	conn->wants_room = conn->offered < wanted;
	return (ssize_t)conn->offered;
}

int stack_commit(struct stack *stack, struct conn_handle handle, size_t length)
{
	struct fake_conn *conn = find(stack, handle);

	if (!conn)
		return -EBADF;
	assert_true(length <= conn->offered);
	conn->offered = 0;
	conn->out_length += length;
	conn->out_total += length;
	return 0;
}

void fake_peer_urges(struct fake_conn *conn)
{
	conn->in_urgent = conn->in_length;
	conn->pending |= READY_URGENT;
}

void fake_tells_trouble(struct fake_conn *conn)
{
	conn->pending |= READY_TROUBLE;
}

void fake_tells_soft_error(struct fake_conn *conn, uint8_t type, uint8_t code)
{
	conn->soft_error =
	        (struct stack_soft_error){ .count = conn->soft_error.count + 1, .type = type, .code = code };
	conn->pending |= READY_SOFT_ERROR;
}

int stack_soft_error(const struct stack *stack, struct conn_handle handle, struct stack_soft_error *ret_error)
{
	const struct fake_conn *conn = find(stack, handle);

	if (!conn)
		return -EBADF;
	if (conn->soft_error.count == 0)
		return -ENOENT;
	*ret_error = conn->soft_error;
	return 0;
}

int64_t stack_urgent(const struct stack *stack, struct conn_handle handle)
{
	const struct fake_conn *conn = find(stack, handle);

	return conn ? (int64_t)conn->in_urgent : -EBADF;
}

int stack_mark_urgent(struct stack *stack, struct conn_handle handle)
{
	struct fake_conn *conn = find(stack, handle);

	if (!conn)
		return -EBADF;
	conn->out_urgent = conn->out_total;
	return 0;
}

int stack_shutdown(struct stack *stack, struct conn_handle handle)
{
	struct fake_conn *conn = find(stack, handle);

	if (!conn)
		return -EBADF;
	assert_true(!conn->shut || conn->admin_shut);
	conn->shut = true;
	return 0;
}

int stack_close(struct stack *stack, struct conn_handle handle)
{
	struct fake_conn *conn = find(stack, handle);

	assert_non_null(conn);
	conn->closed = true;
	conn->unread_at_close = conn->in_length > 0;
	return 0;
}

int stack_abort(struct stack *stack, struct conn_handle handle)
{
	struct fake_conn *conn = find(stack, handle);

	assert_non_null(conn);
	conn->aborted = true;
	return 0;
}

int stack_info(const struct stack *stack, struct conn_handle handle, struct stack_conn_info *ret_info)
{
	const struct fake_conn *conn = find(stack, handle);

	if (!conn)
		return -EBADF;
	*ret_info = conn->info;
	return 0;
}
