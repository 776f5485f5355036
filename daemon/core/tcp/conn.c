/* Birth, lists and death of connections. A connection is on at most three lists (output, ready, settle); one that
 * dies while it is on a list is freed when it leaves the last of them, so that no list ever holds a dangling pointer.
 */
#include "core/tcp/engine.h"

uint16_t conn_mss_offer(const struct stack *stack, const struct stack_tcp_config *tcp, const struct flow *flow)
{
	uint32_t mss =
	        ip_mtu(stack, &flow->remote) + ETHERNET_HEADER_BYTES - ip_headers_bytes(flow) - TCP_HEADER_BYTES;

	return (uint16_t)(tcp->mss_max_bytes && mss > tcp->mss_max_bytes ? tcp->mss_max_bytes : mss);
}

uint16_t conn_mss_default(const struct flow *flow)
{
	return ip_addr_is_v4(&flow->remote) ? 536 : 1220;
}

struct conn *conn_new(struct stack *stack, const struct flow *flow, const struct stack_congestion *congestion,
                      const struct stack_tcp_config *tcp)
{
	struct conn *conn = pool_get(&stack->conns);

	if (!conn) {
		COUNT(stack, alloc_failures);
		return NULL;
	}
	conn->node.flow = *flow;
	conn->flags = CONN_NOT_HASHED;
	conn->congestion = algorithm_hold(congestion);
	conn->tcp = profile_share(tcp);
	conn->opened = conn->last_rcv = conn->last_snd = conn->progress_at = stack->now;
	conn->autotune_us = (uint32_t)(stack->now.ns / 1000);
	conn->rtx_due = conn->ack_due = conn->idle_due = conn->pace_due = INSTANT_NEVER;
	conn->rcvbuf = conn->tcp->rcvbuf_initial_bytes;
	conn->sndbuf = conn->tcp->sndbuf_initial_bytes;
	conn->listener_slot = POOL_NONE;
	conn->ssthresh = UINT32_MAX;
	rtt_init(&conn->rtt, conn->tcp->rto_initial);
	return conn;
}

void conn_agree(struct stack *stack, struct conn *conn, const struct tcp_agreed *agreed)
{
	conn->agreed = *agreed;
	path_begin(stack, conn);
	conn->rcv_mss = conn->mss < 536 ? conn->mss : 536; /* until the peer's segments tell */
	congestion_init(stack, conn);
}

struct conn *conn_find(const struct stack *stack, struct conn_handle handle)
{
	struct conn *conn = pool_find(&stack->conns, handle.v);

	return conn && !(conn->flags & (CONN_ORPHAN | CONN_DEAD)) ? conn : NULL;
}

#define LISTENER_HANDLE (1ull << 31) /* no pool has so many slots */

struct conn_handle listener_handle(const struct listener *listener)
{
	return (struct conn_handle){ pool_handle(listener) | LISTENER_HANDLE };
}

struct listener *listener_find(const struct stack *stack, struct conn_handle handle)
{
	return handle.v & LISTENER_HANDLE ? pool_find(&stack->listeners, handle.v & ~LISTENER_HANDLE) : NULL;
}

/* ---- lists --------------------------------------------------------------------------------------------------- */

void conn_want_output(struct stack *stack, struct conn *conn)
{
	if (conn->flags & CONN_ON_OUTPUT)
		return;
	conn->flags |= CONN_ON_OUTPUT;
	conn->output_next = POOL_NONE;
	if (stack->output_last)
		stack->output_last->output_next = conn->node.head.slot;
	else
		stack->output_first = conn;
	stack->output_last = conn;
}

void conn_tell(struct stack *stack, struct conn *conn, unsigned ready_flags)
{
	if (conn->flags & CONN_ORPHAN)
		return;
	conn->ready |= (uint16_t)ready_flags;
	if (conn->flags & CONN_ON_READY)
		return;
	conn->flags |= CONN_ON_READY;
	conn->ready_next = POOL_NONE;
	if (stack->ready_last)
		stack->ready_last->ready_next = conn->node.head.slot;
	else
		stack->ready_first = conn;
	stack->ready_last = conn;
}

void conn_left_list(struct stack *stack, struct conn *conn, enum conn_flag list)
{
	conn->flags &= ~(uint32_t)list;
	if ((conn->flags & CONN_DEAD) && !(conn->flags & (CONN_ON_OUTPUT | CONN_ON_READY | CONN_ON_SETTLE)))
		pool_put(&stack->conns, conn);
}

void conn_arm(struct stack *stack, struct conn *conn)
{
	struct instant due =
	        instant_min(instant_min(conn->rtx_due, conn->ack_due), instant_min(conn->idle_due, conn->pace_due));

	if (conn->tx)
		due = instant_min(due, instant_min(conn->tx->reo_due, conn->tx->pto_due));
	if (conn->flags & CONN_SAMPLED)
		due = instant_min(due, conn->extra->sampling.due);
	if (timer_is_set(&conn->timer) && conn->timer.due.ns <= due.ns)
		return;
	wheel_set(&stack->conn_wheel, &conn->timer, due);
}

/* ---- queues --------------------------------------------------------------------------------------------------- */

struct send_queue *conn_tx(struct stack *stack, struct conn *conn)
{
	uint64_t delivered = congestion_delivered_total(conn);

	if (!conn->tx) {
		conn->tx = pool_get(&stack->send_queues);
		if (!conn->tx) {
			COUNT(stack, alloc_failures);
			return NULL;
		}
		conn->tx->rate.delivered = delivered;
		strip_init(&conn->tx->strip, conn->snd_end);
		conn->tx->round_end = conn->snd_nxt;
		conn->tx->reo_due = conn->tx->pto_due = INSTANT_NEVER;
		rack_init(&conn->tx->rack, conn->snd_una);
		chrono_start(&conn->tx->chrono, stack->now);
	}
	return conn->tx;
}

struct receive_queue *conn_rx(struct stack *stack, struct conn *conn)
{
	if (!conn->rx) {
		conn->rx = pool_get(&stack->receive_queues);
		if (!conn->rx) {
			COUNT(stack, alloc_failures);
			return NULL;
		}
		strip_init(&conn->rx->strip, conn->rcv_nxt);
		conn->rx->read = conn->rx->settled = conn->rcv_nxt;
	}
	return conn->rx;
}

struct conn_extra *conn_extra(struct stack *stack, struct conn *conn)
{
	if (!conn->extra) {
		conn->extra = pool_get(&stack->extras);
		if (!conn->extra)
			COUNT(stack, alloc_failures);
	}
	return conn->extra;
}

/* What outlives a busy time, which is over; that of a SYN alone is none. */
static void keep_of_tx(struct stack *stack, struct conn *conn)
{
	struct chrono *chrono = &conn->tx->chrono;
	struct conn_extra *extra;

	if (conn->tx->sent.reneged_bytes > 0 && (extra = conn_extra(stack, conn)))
		extra->loss.reneged_bytes += conn->tx->sent.reneged_bytes;
	if (conn->bytes_acked == 0 && seq_leq(conn->snd_end, seq_add(conn->iss, 1)))
		return;
	conn->busy_ticks = chrono_add_ticks(conn->busy_ticks, chrono->busy_since, stack->now);
	chrono_set(chrono, CHRONO_FREE, stack->now);
	if (chrono->limited[CHRONO_RWND].ns == 0 && chrono->limited[CHRONO_SNDBUF].ns == 0)
		return;
	extra = conn_extra(stack, conn);
	for (int by = CHRONO_RWND; extra && by < CHRONO_LIMITS; by++)
		extra->limited[by].ns += chrono->limited[by].ns;
}

static void free_tx(struct stack *stack, struct conn *conn)
{
	if (!conn->tx)
		return;
	keep_of_tx(stack, conn);
	sent_clear(&conn->tx->sent, &stack->sents);
	strip_clear(&conn->tx->strip, &stack->blocks);
	pool_put(&stack->send_queues, conn->tx);
	conn->tx = NULL;
}

void conn_release_idle_queues(struct stack *stack, struct conn *conn)
{
	if (conn->tx && !conn->tx->sent.first && seq_eq(conn->snd_una, conn->snd_nxt) &&
	    seq_geq(conn->snd_nxt, conn->snd_end))
		free_tx(stack, conn);
	if (conn->rx && !conn->rx->holes && receive_unread(conn) == 0 && !(conn->flags & CONN_ON_SETTLE))
		receive_clear(stack, conn);
}

/* ---- death ----------------------------------------------------------------------------------------------------- */

static void leave_table(struct stack *stack, struct conn *conn)
{
	if (conn->flags & CONN_NOT_HASHED)
		return;
	demux_remove(stack, &conn->node, RECORD_CONN);
	conn->flags |= CONN_NOT_HASHED;
}

static void stop_timers(struct stack *stack, struct conn *conn)
{
	conn->rtx_due = conn->ack_due = conn->idle_due = conn->pace_due = INSTANT_NEVER;
	wheel_cancel(&stack->conn_wheel, &conn->timer);
}

void conn_free(struct stack *stack, struct conn *conn)
{
	CORE_ASSERT(!(conn->flags & CONN_DEAD));
	samples_end(stack, conn);
	leave_table(stack, conn);
	stop_timers(stack, conn);
	free_tx(stack, conn);
	receive_clear(stack, conn);
	congestion_done(stack, conn);
	profile_put(stack, conn->tcp);
	if (conn->extra)
		pool_put(&stack->extras, conn->extra);
	if (conn->flags & CONN_ORPHAN)
		stack->orphans--;
	if (conn->flags & CONN_ACCEPT_PENDING)
		((struct listener *)pool_at(&stack->listeners, conn->listener_slot))->accept_queue--;
	conn->flags &= ~(uint32_t)CONN_ACCEPT_PENDING;
	conn->flags |= CONN_DEAD;
	conn_left_list(stack, conn, 0);
}

static bool is_orderly(enum tcp_cause cause)
{
	return cause == CAUSE_TIMEOUT_2MSL || cause == CAUSE_RECEIVED_ACK_OF_FIN ||
	       cause == CAUSE_RECEIVED_SYN_IN_TIME_WAIT;
}

void conn_end(struct stack *stack, struct conn *conn, enum tcp_cause cause)
{
	fastopen_over(stack, conn, cause);
	samples_end(stack, conn);
	connection_set_state(stack, conn, TCPS_CLOSED, cause);
	conn->cause = (uint8_t)cause;
	if (conn->flags & CONN_ORPHAN) {
		conn_free(stack, conn);
		return;
	}
	/* The service still holds the handle: what it has not read stays readable until it lets go. */
	leave_table(stack, conn);
	stop_timers(stack, conn);
	free_tx(stack, conn);
	conn_tell(stack, conn, is_orderly(cause) ? READY_EOF | READY_SENT : READY_ERROR);
}

void conn_reset(struct stack *stack, struct conn *conn, enum tcp_cause cause)
{
	conn->last_speaker = SPEAKER_LOCAL;
	if (conn->state != TCPS_SYN_SENT) /* RFC 9293 3.9.1.5: nothing to reset before the peer has answered */
		reply_reset_conn(stack, conn);
	conn_end(stack, conn, cause);
}

void conn_time_wait(struct stack *stack, struct conn *conn, enum tcp_cause cause)
{
	connection_set_state(stack, conn, TCPS_TIME_WAIT, cause);
	conn->rtx_due = INSTANT_NEVER;
	conn->idle_due = instant_add(stack->now, time_wait_length(stack));
	conn_arm(stack, conn);
	conn_tell(stack, conn, READY_EOF | READY_SENT);
}

void conn_compact_time_wait(struct stack *stack, struct conn *conn)
{
	leave_table(stack, conn);
	time_wait_insert(stack, conn);
	conn_free(stack, conn);
}
