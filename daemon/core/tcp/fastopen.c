/* TCP Fast Open: see fastopen.h. */
#include "core/tcp/engine.h"

#define RESET_EPOCH DURATION_S(30)
#define OPTIONS_BYTES_MAX (TCP_HEADER_BYTES_MAX - TCP_HEADER_BYTES)

static bool has(const struct conn *conn, enum fastopen_flag flags)
{
	return conn->extra && (conn->extra->fastopen & flags);
}

/* ---- the side that is opened ----------------------------------------------------------------------------------- */

/* Pending connections, with those that were reset in the last half to whole minute. */
static uint32_t pending(struct stack *stack)
{
	struct fastopen_pending *all = &stack->fastopen;
	uint64_t epoch = (uint64_t)(stack->now.ns / RESET_EPOCH.ns);

	if (epoch != all->epoch) {
		all->reset[1] = epoch == all->epoch + 1 ? all->reset[0] : 0;
		all->reset[0] = 0;
		all->epoch = epoch;
	}
	return all->count + all->reset[0] + all->reset[1];
}

enum cookie_state { COOKIE_VALID, COOKIE_OLD, COOKIE_WRONG };

static bool is_cookie(const struct stack *stack, const struct arrival *in, unsigned age)
{
	uint64_t should = secrets_fastopen_cookie(stack, &in->flow.remote, age);
	uint8_t difference = 0; /* in constant time */

	for (unsigned i = 0; i < FASTOPEN_COOKIE_BYTES; i++)
		difference |= in->seg.options.fastopen[i] ^ (uint8_t)(should >> 8 * i);
	return difference == 0;
}

static enum cookie_state judge(const struct stack *stack, const struct arrival *in)
{
	if (in->seg.options.fastopen_bytes != FASTOPEN_COOKIE_BYTES)
		return COOKIE_WRONG;
	if (is_cookie(stack, in, 0))
		return COOKIE_VALID;
	return is_cookie(stack, in, 1) ? COOKIE_OLD : COOKIE_WRONG;
}

void fastopen_give(const struct stack *stack, const struct flow *flow, struct tcp_options *options)
{
	uint64_t cookie = secrets_fastopen_cookie(stack, &flow->remote, 0);

	options->has_fastopen = true;
	options->fastopen_bytes = FASTOPEN_COOKIE_BYTES;
	for (unsigned i = 0; i < FASTOPEN_COOKIE_BYTES; i++)
		options->fastopen[i] = (uint8_t)(cookie >> 8 * i);
}

/* The SYN's data goes to the service, as far as the window that the SYN-ACK offers reaches. */
static void take_data(struct stack *stack, struct conn *conn, const struct arrival *in)
{
	uint32_t window = (uint32_t)seq_diff(conn->rcv_adv, conn->rcv_nxt);
	uint32_t bytes = in->seg.payload_bytes < window ? in->seg.payload_bytes : window;

	if (bytes == 0 || !receive_in_order(stack, conn, in->seg.payload, bytes))
		return;
	conn->data_segs_in++;
	conn->extra->fastopen |= FASTOPEN_ACCEPTED;
	conn_tell(stack, conn, READY_READABLE);
}

/* The connection that a valid cookie opens. NULL: limit or memory. */
static struct conn *open_conn(struct stack *stack, struct listener *listener, const struct arrival *in,
                              const struct tcp_agreed *agreed, seq_t iss)
{
	struct half_open half = {
		.node.flow = in->flow,
		.opened = stack->now,
		.listener_slot = listener->head.slot,
		.iss = iss,
		.irs = in->seg.seq,
		.ts_recent = agreed->timestamps ? in->seg.options.tsval : 0,
		.snd_wnd = in->seg.window,
		.rcv_wnd = half_open_window(listener->tcp),
		.agreed = *agreed,
		.resent = true, /* there is no round trip yet to measure */
	};
	struct conn *conn = half_open_establish(stack, listener, &half);

	if (!conn)
		return NULL;
	if (!conn_extra(stack, conn)) {
		conn_free(stack, conn);
		return NULL;
	}
	conn->id = half.id = stack->next_id;
	stack->next_id += stack->config.connection_id_step;
	half_open_born(stack, &half, CAUSE_RECEIVED_SYN);
	conn->index = half.index;
	conn->snd_una = conn->snd_nxt = conn->snd_wl2 = iss; /* the SYN is yet to be sent */
	conn->segs_out = 0;
	conn->flags |= CONN_SEND_SYN;
	conn->extra->fastopen = FASTOPEN_PENDING;
	return conn;
}

int fastopen_arrives(struct stack *stack, struct listener *listener, const struct arrival *in,
                     const struct tcp_agreed *agreed, seq_t iss, bool *ret_give)
{
	const struct tcp_options *options = &in->seg.options;
	enum cookie_state cookie;
	struct conn *conn;

	*ret_give = false;
	if (!listener->tcp->fastopen_server || !options->has_fastopen)
		return CONTINUE;
	if (options->fastopen_bytes == 0) {
		COUNT(stack, tfo_cookie_requests);
		*ret_give = true;
		return CONTINUE;
	}
	cookie = judge(stack, in);
	if (cookie == COOKIE_WRONG) { /* section 4.2.2: an ordinary handshake, and a cookie for the next time */
		COUNT(stack, tfo_passive_fail);
		*ret_give = true;
		return CONTINUE;
	}
	if (pending(stack) >= stack->config.tcp.fastopen_pending_max) {
		COUNT(stack, tfo_listen_overflow);
		return CONTINUE;
	}
	conn = open_conn(stack, listener, in, agreed, iss);
	if (!conn)
		return CONTINUE;
	COUNT(stack, tfo_passive);
	stack->fastopen.count++;
	if (cookie == COOKIE_OLD)
		conn->extra->fastopen |= FASTOPEN_GIVES;
	half_open_announce(stack, listener, conn);
	take_data(stack, conn, in);
	conn_want_output(stack, conn);
	return VERDICT_ACCEPTED;
}

bool fastopen_is_pending(const struct conn *conn)
{
	return has(conn, FASTOPEN_PENDING);
}

void fastopen_completed(struct stack *stack, struct conn *conn)
{
	conn->extra->fastopen &= (uint8_t)~FASTOPEN_PENDING;
	if (conn->flags & CONN_SYN_RETRANSMITTED)
		conn->rtt.rto = duration_max(conn->rtt.rto, DURATION_S(3)); /* RFC 6298 section 5.7 */
	stack->fastopen.count--;
}

void fastopen_over(struct stack *stack, struct conn *conn, unsigned cause)
{
	if (!fastopen_is_pending(conn))
		return;
	pending(stack); /* turns to this half minute */
	fastopen_completed(stack, conn);
	if (cause == CAUSE_RECEIVED_RST)
		stack->fastopen.reset[0]++;
}

/* ---- the side that opens --------------------------------------------------------------------------------------- */

static bool may_try(const struct conn *conn)
{
	return conn->state == TCPS_SYN_SENT && conn->tcp->fastopen_client && !(conn->flags & CONN_SYN_RETRANSMITTED);
}

/* The path's record when it has a cookie that may be used now. */
static const struct path *path_with_cookie(struct stack *stack, const struct conn *conn)
{
	const struct path *path = path_find(&stack->paths, &conn->node.flow.remote);

	return path && path->fastopen.cookie_bytes > 0 && !path_fastopen_blocked(path, stack->now) ? path : NULL;
}

uint32_t fastopen_syn_bytes(struct stack *stack, struct conn *conn)
{
	uint32_t queued = (uint32_t)seq_diff(conn->snd_end, conn->iss) - 1;
	const struct path *path;
	uint32_t most;

	if (!may_try(conn) || queued == 0)
		return 0;
	path = path_with_cookie(stack, conn);
	if (!path || !conn_extra(stack, conn))
		return 0;
	/* Section 4.1.3: what the peer takes in one segment, less the options, of which a SYN may have all. */
	most = path->fastopen.mss;
	if (most > conn_mss_offer(stack, conn->tcp, &conn->node.flow))
		most = conn_mss_offer(stack, conn->tcp, &conn->node.flow);
	if (most > path_payload_max(stack, conn))
		most = path_payload_max(stack, conn);
	most = most > OPTIONS_BYTES_MAX ? most - OPTIONS_BYTES_MAX : 0;
	return queued < most ? queued : most;
}

void fastopen_fill_syn(struct stack *stack, struct conn *conn, struct tcp_options *options)
{
	const struct path *path = path_find(&stack->paths, &conn->node.flow.remote);

	if (!may_try(conn) || (path && path_fastopen_blocked(path, stack->now)) || !conn_extra(stack, conn))
		return;
	options->has_fastopen = true;
	options->fastopen_bytes = 0;
	if (path && path->fastopen.cookie_bytes > 0) {
		options->fastopen_bytes = path->fastopen.cookie_bytes;
		memcpy(options->fastopen, path->fastopen.cookie, path->fastopen.cookie_bytes);
	}
	if (options->fastopen_bytes > 12) /* no room for both; the first ACK will tell it */
		options->has_user_timeout = false;
	conn->extra->fastopen |= options->fastopen_bytes > 0 ? FASTOPEN_SENT : FASTOPEN_ASKED;
}

bool fastopen_in_flight(const struct conn *conn)
{
	return has(conn, FASTOPEN_SENT) && conn->state == TCPS_SYN_SENT &&
	       seq_gt(conn->snd_nxt, seq_add(conn->iss, 1));
}

static void failed(struct stack *stack, const struct conn *conn)
{
	struct path *path = path_get(&stack->paths, &conn->node.flow.remote);

	if (path)
		path_fastopen_failed(path, stack->now);
	else
		COUNT(stack, alloc_failures);
}

void fastopen_timeout(struct stack *stack, struct conn *conn)
{
	if (conn->state != TCPS_SYN_SENT || (conn->flags & CONN_SYN_RETRANSMITTED) ||
	    !has(conn, FASTOPEN_ASKED | FASTOPEN_SENT))
		return;
	failed(stack, conn);
}

/* A SYN-ACK brought a cookie. */
static void remember(struct stack *stack, const struct conn *conn, const struct tcp_options *options)
{
	struct path *path = path_get(&stack->paths, &conn->node.flow.remote);

	if (!path) {
		COUNT(stack, alloc_failures);
		return;
	}
	path->fastopen = (struct path_fastopen){
		.cookie_bytes = options->fastopen_bytes,
		.mss = conn->agreed.peer_mss,
	};
	memcpy(path->fastopen.cookie, options->fastopen, options->fastopen_bytes);
}

/* The peer has no use for the cookie any more. */
static void forget(struct stack *stack, const struct conn *conn)
{
	struct path *path = path_find(&stack->paths, &conn->node.flow.remote);

	if (path)
		path->fastopen.cookie_bytes = 0;
}

/* Bytes of the SYN's data that were acknowledged leave the send buffer. */
static uint32_t take_acked(struct stack *stack, struct conn *conn)
{
	uint32_t acked = (uint32_t)seq_diff(conn->snd_una, conn->iss) - 1;

	if (acked == 0)
		return 0;
	conn->bytes_acked += acked;
	strip_release(&conn->tx->strip, &stack->blocks, conn->snd_una, seq_eq(conn->snd_una, conn->snd_end));
	return acked;
}

void fastopen_answered(struct stack *stack, struct conn *conn, const struct tcp_segment *syn_ack)
{
	bool cookie = syn_ack->options.has_fastopen && syn_ack->options.fastopen_bytes > 0;
	bool data = seq_gt(conn->snd_nxt, seq_add(conn->iss, 1));
	bool repeated = conn->flags & CONN_SYN_RETRANSMITTED;
	struct path *path;

	if (!has(conn, FASTOPEN_ASKED | FASTOPEN_SENT))
		return;
	if (take_acked(stack, conn) > 0) {
		COUNT(stack, tfo_active);
		conn->extra->fastopen |= FASTOPEN_ACCEPTED;
		path = path_find(&stack->paths, &conn->node.flow.remote);
		if (path && !repeated)
			path->fastopen.failures = 0;
	} else if (data) {
		COUNT(stack, tfo_active_fail);
		conn->extra->fastopen |= FASTOPEN_REFUSED;
		if (!cookie && !repeated)
			forget(stack, conn);
	}
	/* Section 4.1.3.1: an answer without a cookie is remembered, too. */
	if (cookie)
		remember(stack, conn, &syn_ack->options);
	else if (!repeated && !has(conn, FASTOPEN_ACCEPTED) && (data || has(conn, FASTOPEN_ASKED)))
		failed(stack, conn);
	if (seq_lt(conn->snd_una, conn->snd_nxt)) { /* not for congestion: it was not wanted */
		struct sent_news ignored = { 0 };

		sent_mark_all_lost(&conn->tx->sent, INSTANT_NEVER, &ignored);
	}
}
