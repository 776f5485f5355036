/* What a service can do with a connection: the calls of RFC 9293 section 3.9.1, on handles. */
#include "core/tcp/engine.h"

#include <errno.h>

/* ---- opening --------------------------------------------------------------------------------------------------- */

int stack_listen(struct stack *stack, const struct stack_listen_options *options, struct conn_handle *ret_listener)
{
	uint32_t *bucket = &stack->listener_bucket[options->port % LISTENER_BUCKETS];
	const struct stack_tcp_config *tcp;
	struct listener *listener;

	if (options->port == 0 || options->backlog == 0)
		return -EINVAL;
	if (!ip_addr_is_any(&options->address) && !ip_is_own(stack, &options->address)) /* it may still be on trial */
		return -EADDRNOTAVAIL;
	for (uint32_t slot = *bucket; slot != POOL_NONE; slot = listener->next_slot) {
		listener = pool_at(&stack->listeners, slot);
		if (listener->options.port == options->port &&
		    ip_addr_equal(&listener->options.address, &options->address))
			return -EADDRINUSE;
	}
	if (options->tcp && !stack_tcp_config_valid(options->tcp))
		return -EINVAL;
	tcp = options->tcp ? profile_get(stack, options->tcp) : profile_share(stack->tcp);
	if (!tcp)
		return -ENOMEM;
	listener = pool_get(&stack->listeners);
	if (!listener) {
		profile_put(stack, tcp);
		return -ENOSPC;
	}
	listener->options = *options;
	listener->options.tcp = NULL;
	listener->tcp = tcp;
	if (!listener->options.congestion)
		listener->options.congestion = stack->config.congestion_default;
	algorithm_hold(listener->options.congestion);
	listener->next_slot = *bucket;
	*bucket = listener->head.slot;
	stack->in_state[TCPS_LISTEN]++;
	*ret_listener = listener_handle(listener);
	return 0;
}

/* The flow of an active open, complete with source address and port. */
static int choose_flow(struct stack *stack, const struct stack_connect_options *options, struct flow *ret_flow)
{
	struct flow flow = { .remote = options->remote, .remote_port = options->remote_port };
	struct ip_addr next_hop;
	enum record_kind kind;

	if (!ip_is_unicast(stack, &options->remote) || ip_is_own(stack, &options->remote) ||
	    !ip_route(stack, &options->remote, &flow.local, &next_hop))
		return -ENETUNREACH; /* MUST-46 among others */
	if (options->remote_port == 0)
		return -EINVAL;
	if (!ip_addr_is_any(&options->local)) {
		if (!ip_is_local(stack, &options->local) ||
		    ip_addr_is_v4(&options->local) != ip_addr_is_v4(&options->remote))
			return -EADDRNOTAVAIL;
		flow.local = options->local;
	}
	flow.local_port = options->local_port;
	if (flow.local_port == 0) {
		if (secrets_port(stack, &flow) == 0)
			return -EADDRINUSE;
	} else if (demux_find(stack, &flow, &kind)) {
		return -EADDRINUSE;
	}
	*ret_flow = flow;
	return 0;
}

int stack_connect(struct stack *stack, const struct stack_connect_options *options, struct conn_handle *ret_conn)
{
	const struct stack_congestion *congestion =
	        options->congestion ? options->congestion : stack->config.congestion_default;
	const struct stack_tcp_config *tcp;
	struct conn *conn;
	struct flow flow;
	int error = choose_flow(stack, options, &flow);

	if (error < 0)
		return error;
	if (options->tcp && !stack_tcp_config_valid(options->tcp))
		return -EINVAL;
	if (!journal_admits(stack, TCPS_SYN_SENT) || stack->conns.used >= stack->conns.limit)
		return -ENOBUFS;
	tcp = options->tcp ? profile_get(stack, options->tcp) : profile_share(stack->tcp);
	if (!tcp)
		return -ENOMEM;
	conn = conn_new(stack, &flow, choice_begins_with(stack, &flow, options->service, congestion), tcp);
	profile_put(stack, tcp);
	if (!conn)
		return -ENOMEM;
	conn->id = stack->next_id;
	stack->next_id += stack->config.connection_id_step;
	conn->user = options->user;
	conn->service = options->service;
	conn->flags |= CONN_ACTIVE | CONN_SEND_SYN | (options->nodelay ? CONN_NODELAY : 0);
	conn->iss = conn->snd_una = conn->snd_nxt = secrets_isn(stack, &flow);
	conn->snd_end = seq_add(conn->iss, 1);
	conn->recover = conn->iss;
	conn->mss = conn_mss_default(&flow); /* until the peer has said more */
	if (conn->tcp->window_scaling)
		conn->agreed.rcv_wscale = window_scale(conn->tcp);
	conn->agreed.ecn = ecn_offer(conn);
	demux_insert(stack, &conn->node, RECORD_CONN);
	conn->flags &= ~(uint32_t)CONN_NOT_HASHED;
	connection_set_state(stack, conn, TCPS_SYN_SENT, CAUSE_LOCAL_CONNECT);
	conn_want_output(stack, conn);
	*ret_conn = (struct conn_handle){ pool_handle(conn) };
	return 0;
}

/* ---- readiness ---------------------------------------------------------------------------------------------------
 */

bool stack_next_ready(struct stack *stack, struct stack_ready *ret_ready)
{
	struct conn *conn;

	while ((conn = stack->ready_first)) {
		stack->ready_first = conn->ready_next == POOL_NONE ? NULL : pool_at(&stack->conns, conn->ready_next);
		if (!stack->ready_first)
			stack->ready_last = NULL;
		if (conn->flags & (CONN_DEAD | CONN_ORPHAN)) {
			conn_left_list(stack, conn, CONN_ON_READY);
			continue;
		}
		conn->flags &= ~(uint32_t)CONN_ON_READY;
		if (conn->flags & CONN_ACCEPT_PENDING) {
			((struct listener *)pool_at(&stack->listeners, conn->listener_slot))->accept_queue--;
			conn->flags &= ~(uint32_t)CONN_ACCEPT_PENDING;
		}
		*ret_ready = (struct stack_ready){
			.conn = { pool_handle(conn) },
			.user = conn->user,
			.service = conn->service,
			.cause = conn->cause,
			.flags = conn->ready,
		};
		conn->ready = 0;
		return true;
	}
	return false;
}

bool stack_has_ready(const struct stack *stack)
{
	return stack->ready_first != NULL;
}

int stack_set_user(struct stack *stack, struct conn_handle handle, uint64_t user)
{
	struct conn *conn = conn_find(stack, handle);

	if (!conn)
		return -EBADF;
	conn->user = user;
	return 0;
}

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

ssize_t stack_peek(struct stack *stack, struct conn_handle handle, struct iovec *iov, int iov_max, int *ret_count)
{
	struct conn *conn = conn_find(stack, handle);
	const struct receive_queue *rx;
	size_t bytes = 0;
	int count = 0;

	if (!conn)
		return -EBADF;
	rx = conn->rx;
	if (rx && seq_lt(rx->read, rx->settled))
		bytes = strip_view(&rx->strip, rx->read, (uint32_t)seq_diff(rx->settled, rx->read), iov, iov_max,
		                   &count);
	if (rx && bytes == (uint32_t)seq_diff(rx->settled, rx->read)) {
		for (const struct span *span = rx->first_span; span && count < iov_max; span = span->next) {
			iov[count++] = (struct iovec){ (void *)(uintptr_t)span->bytes, span->length };
			bytes += span->length;
		}
	}
	*ret_count = count;
	return (ssize_t)bytes;
}

int stack_consume(struct stack *stack, struct conn_handle handle, size_t length)
{
	struct conn *conn = conn_find(stack, handle);

	if (!conn)
		return -EBADF;
	if (length == 0)
		return 0;
	CORE_ASSERT(length <= receive_unread(conn));
	receive_consumed(stack, conn, (uint32_t)length);
	return 0;
}

bool stack_at_eof(const struct stack *stack, struct conn_handle handle)
{
	const struct conn *conn = conn_find(stack, handle);

	return conn && (conn->flags & CONN_FIN_RECEIVED) && receive_unread(conn) == 0;
}

/* ---- writing ------------------------------------------------------------------------------------------------------
 */

static uint32_t queued_bytes(const struct conn *conn)
{
	seq_t start = conn_payload_start(conn);

	return seq_gt(conn->snd_end, start) ? (uint32_t)seq_diff(conn->snd_end, start) : 0;
}

/* What is queued beyond this and can't be sent yet would only get cold in the cache before it is. */
#define NOT_SENT_MAX (512u << 10)

/* The fuller the buffers are, the less a connection may have queued that can't be sent yet: many whose peers keep
 * their windows shut must not take what the others need. */
static uint32_t not_sent_max(const struct stack *stack)
{
	const struct block_pool *blocks = &stack->blocks;

	if (blocks->used < blocks->limit / 2)
		return NOT_SENT_MAX;
	return blocks->used < blocks->limit - blocks->limit / 4 ? 4 * BLOCK_BYTES : BLOCK_BYTES;
}

/* Send-buffer auto-tuning: twice the congestion window keeps the path full while one window waits for its ACKs. An
 * algorithm that does not slow down in recovery sends a third one meanwhile. */
static void tune_sndbuf(const struct stack *stack, struct conn *conn)
{
	bool goes_on = (conn->congestion->ops->flags & TAPSTACK_CC_OWN_RECOVERY) != 0;
	uint64_t wanted = (goes_on ? 3ull : 2ull) * conn->cwnd;

	if (!conn->tcp->sndbuf_autotune)
		return;
	if (wanted > conn->tcp->sndbuf_max_bytes)
		wanted = conn->tcp->sndbuf_max_bytes;
	if (wanted > conn->sndbuf && stack->blocks.used < stack->blocks.limit - stack->blocks.limit / 4)
		conn->sndbuf = (uint32_t)wanted;
}

void send_tell_space(struct stack *stack, struct conn *conn)
{
	if (!(conn->flags & CONN_WANTS_SPACE))
		return;
	tune_sndbuf(stack, conn);
	if (queued_bytes(conn) > conn->sndbuf - conn->sndbuf / 3 || conn_not_sent(conn) > not_sent_max(stack) / 2)
		return;
	conn->flags &= ~(uint32_t)CONN_WANTS_SPACE;
	conn_tell(stack, conn, READY_WRITABLE);
}

ssize_t stack_space(struct stack *stack, struct conn_handle handle, size_t wanted, struct iovec *iov, int iov_max,
                    int *ret_count)
{
	struct conn *conn = conn_find(stack, handle);
	uint32_t queued, room, got = 0;
	struct send_queue *tx;

	*ret_count = 0;
	if (!conn)
		return -EBADF;
	if (conn->flags & CONN_SHUTDOWN) /* also when it has ended since, in good order */
		return -EPIPE;
	if (conn->state == TCPS_CLOSED)
		return -ECONNRESET;
	tune_sndbuf(stack, conn);
	queued = queued_bytes(conn);
	room = conn->sndbuf > queued ? conn->sndbuf - queued : 0;
	if (conn_not_sent(conn) + room > not_sent_max(stack))
		room = not_sent_max(stack) > conn_not_sent(conn) ? not_sent_max(stack) - conn_not_sent(conn) : 0;
	if (room > wanted)
		room = (uint32_t)wanted;
	tx = room > 0 ? conn_tx(stack, conn) : NULL;
	if (tx)
		got = strip_space(&tx->strip, &stack->blocks, conn->snd_end, room, iov, iov_max, ret_count);
	if (room > 0 && queued == 0) /* what is not committed by the end of the turn goes back then */
		conn_want_output(stack, conn);
	if (got < wanted)
		conn->flags |= CONN_WANTS_SPACE;
	if (got == 0 && queued == 0) { /* out of memory, and no ACK will ever come to say that there is room */
		conn->pace_due = instant_add(stack->now, DURATION_MS(10));
		conn_arm(stack, conn);
	}
	return got;
}

int stack_commit(struct stack *stack, struct conn_handle handle, size_t length)
{
	struct conn *conn = conn_find(stack, handle);

	if (!conn)
		return -EBADF;
	if (conn->state == TCPS_CLOSED)
		return -ECONNRESET;
	conn->snd_end = seq_add(conn->snd_end, (uint32_t)length);
	conn_want_output(stack, conn);
	return 0;
}

ssize_t stack_send(struct stack *stack, struct conn_handle handle, const void *bytes, size_t length)
{
	const uint8_t *from = bytes;
	struct iovec iov[8];
	size_t done = 0;
	int count;

	do {
		ssize_t room = stack_space(stack, handle, length - done, iov, 8, &count);
		size_t filled = 0;

		if (room < 0)
			return room;
		if (room == 0)
			break;
		for (int i = 0; i < count; i++) {
			memcpy(iov[i].iov_base, from + done + filled, iov[i].iov_len);
			filled += iov[i].iov_len;
		}
		stack_commit(stack, handle, filled);
		done += filled;
	} while (done < length);
	return (ssize_t)done;
}

/* ---- how it is sent
 * ------------------------------------------------------------------------------------------------
 */

static int set_flag(struct stack *stack, struct conn_handle handle, enum conn_flag flag, bool on)
{
	struct conn *conn = conn_find(stack, handle);

	if (!conn)
		return -EBADF;
	conn->flags = on ? conn->flags | flag : conn->flags & ~(uint32_t)flag;
	if (conn->state != TCPS_CLOSED)
		conn_want_output(stack, conn);
	return 0;
}

int stack_cork(struct stack *stack, struct conn_handle handle, bool corked)
{
	return set_flag(stack, handle, CONN_CORKED, corked);
}

int stack_set_nodelay(struct stack *stack, struct conn_handle handle, bool nodelay)
{
	return set_flag(stack, handle, CONN_NODELAY, nodelay);
}

ssize_t stack_flush(struct stack *stack, struct conn_handle handle)
{
	struct conn *conn = conn_find(stack, handle);
	uint32_t unsent;
	seq_t sent;

	if (!conn)
		return -EBADF;
	/* SND.NXT may still be before the SYN, which may have taken some along (RFC 7413). */
	sent = seq_max(conn->snd_nxt, conn_payload_start(conn));
	unsent = seq_gt(conn->snd_end, sent) ? (uint32_t)seq_diff(conn->snd_end, sent) : 0;
	if (conn->state == TCPS_CLOSED || unsent == 0)
		return 0;
	conn->snd_end = seq_sub(conn->snd_end, unsent);
	if (conn->tx->has_urgent && seq_gt(conn->tx->snd_up, conn->snd_end))
		conn->tx->snd_up = conn->snd_end;
	output_restart_timer(stack, conn);
	send_tell_space(stack, conn);
	conn_want_output(stack, conn); /* a FIN may follow now; empty buffers are given back */
	return unsent;
}
