/* What happens when a connection's time comes: retransmission (RFC 6298), window probes (RFC 9293 3.8.6.1), the
 * override of silly-window avoidance, delayed ACK. How long it all goes on when the peer is silent: patience.c, but
 * for R2. */
#include "core/tcp/engine.h"

static struct duration backed_off(const struct conn *conn)
{
	return rtt_backed_off(&conn->rtt, conn->backoff, conn->tcp->rto_max);
}

/* The next time is no later than `end`, when it is given up. */
static void back_off(struct stack *stack, struct conn *conn, struct instant end)
{
	if (conn->backoff < 32)
		conn->backoff++;
	conn->rtx_due = instant_min(instant_add(stack->now, backed_off(conn)), end);
}

/* R2, counted from `since`. */
static struct instant r2_end(const struct conn *conn, struct instant since)
{
	return instant_add(since, conn->tcp->retransmit_timeout);
}

void output_restart_timer(struct stack *stack, struct conn *conn)
{
	bool in_flight = conn->tx && conn->tx->sent.first;
	bool waiting = conn->tx && seq_gt(conn->snd_end, conn->snd_nxt);
	bool fin_waiting = (conn->flags & CONN_FIN_QUEUED) && !(conn->flags & CONN_FIN_SENT);

	if (conn->state < TCPS_ESTABLISHED) {
		waiting = true; /* for the handshake, even when the SYN could not leave yet */
	} else if (!in_flight && !waiting && !fin_waiting) {
		conn->rtx_due = INSTANT_NEVER;
		conn->flags &= ~(uint32_t)CONN_PERSIST;
	} else if (conn->snd_wnd == 0 && !(conn->flags & CONN_PERSIST)) {
		conn->flags |= CONN_PERSIST;
		conn->backoff = 0;
		conn->rtx_due = INSTANT_NEVER;
	}
	if (conn->rtx_due.ns == INT64_MAX && (in_flight || waiting || fin_waiting)) {
		conn->progress_at = stack->now; /* the waiting begins: what gives up counts from here */
		conn->rtx_due = instant_add(stack->now, backed_off(conn));
		patience_arm(stack, conn);
	}
	conn_arm(stack, conn);
}

static void syn_timeout(struct stack *stack, struct conn *conn)
{
	uint32_t retries_max =
	        conn->state == TCPS_SYN_SENT ? conn->tcp->syn_retries_max : conn->tcp->syn_ack_retries_max;
	struct duration limit = conn->flags & CONN_ACTIVE ? conn->tcp->syn_timeout : conn->tcp->half_open_timeout;
	struct instant end = instant_add(conn->opened, limit);

	if (instant_reached(end, stack->now) || (retries_max > 0 && conn->backoff >= retries_max)) {
		conn_reset(stack, conn, CAUSE_TIMEOUT_SYN);
		return;
	}
	back_off(stack, conn, end);
	patience_retransmitted(stack, conn);
	fastopen_timeout(stack, conn);
	conn->flags |= CONN_SEND_SYN | CONN_SYN_RETRANSMITTED;
	conn_want_output(stack, conn);
}

/* How long a closed window may hold buffers that are short. */
#define STALL_PATIENCE DURATION_S(10)

/* The peer's window is closed. As long as it answers, this goes on for ever (MUST-37). */
static void probe(struct stack *stack, struct conn *conn)
{
	struct instant stalled_long = instant_add(conn->progress_at, STALL_PATIENCE);
	struct instant answered = instant_max(conn->last_rcv, conn->progress_at);

	/* MUST-37 is for a program that still wants the connection; an orphan has only so much time. */
	if (conn->flags & CONN_ORPHAN)
		answered = instant_max(conn->progress_at, conn->orphaned_at);

	if (instant_reached(r2_end(conn, answered), stack->now)) {
		conn_reset(stack, conn, CAUSE_TIMEOUT_ZERO_WINDOW);
		return;
	}
	/* Though its peer answers: what it holds is what all others need (RFC 6429 section 3). */
	if (buffers_are_short(stack) && conn->tx && conn->tx->strip.blocks > 0 &&
	    instant_reached(stalled_long, stack->now)) {
		conn_reset(stack, conn, CAUSE_OUT_OF_MEMORY);
		return;
	}
	back_off(stack, conn, r2_end(conn, answered));
	conn->flags |= CONN_PROBE;
	COUNT(stack, window_probes);
	conn_want_output(stack, conn);
}

/* RFC 6298 section 5.4 to 5.6, RFC 5681 section 3.1. */
static void retransmission_timeout(struct stack *stack, struct conn *conn)
{
	struct instant end = r2_end(conn, conn->progress_at);

	if (instant_reached(end, stack->now)) {
		conn_reset(stack, conn, CAUSE_TIMEOUT_RETRANSMIT);
		return;
	}
	COUNT(stack, retransmission_timeouts);
	back_off(stack, conn, end);
	patience_retransmitted(stack, conn);
	path_timeout(stack, conn);
	recovery_timeout(stack, conn);
}

/* Something waits that could not leave yet: held back by the sender's silly-window avoidance (RFC 9293 3.8.6.2.1, the
 * override), or for want of a neighbour or of memory. */
static void waiting_timeout(struct stack *stack, struct conn *conn)
{
	bool fin_waiting = (conn->flags & CONN_FIN_QUEUED) && !(conn->flags & CONN_FIN_SENT);
	struct instant end = r2_end(conn, conn->progress_at);

	if (!fin_waiting && !seq_gt(conn->snd_end, conn->snd_nxt))
		return;
	if (instant_reached(end, stack->now)) {
		conn_reset(stack, conn, CAUSE_TIMEOUT_RETRANSMIT);
		return;
	}
	conn->flags |= CONN_FORCE;
	conn->rtx_due = instant_min(instant_add(stack->now, backed_off(conn)), end);
	conn_want_output(stack, conn);
}

static void retransmission_timer(struct stack *stack, struct conn *conn)
{
	conn->rtx_due = INSTANT_NEVER;
	if (conn->state == TCPS_SYN_SENT || conn->state == TCPS_SYN_RECEIVED) {
		syn_timeout(stack, conn);
	} else if (conn->flags & CONN_PERSIST) {
		probe(stack, conn);
	} else if (conn->tx && conn->tx->sent.first) {
		retransmission_timeout(stack, conn);
	} else {
		waiting_timeout(stack, conn);
	}
}

void timers_fire(struct stack *stack, struct conn *conn)
{
	uint32_t generation = conn->node.head.generation;
	bool alive;

	if (instant_reached(conn->ack_due, stack->now)) {
		conn->ack_due = INSTANT_NEVER;
		conn->flags |= CONN_ACK_NOW;
		COUNT(stack, delayed_acks);
		conn_want_output(stack, conn);
	}
	if (instant_reached(conn->pace_due, stack->now)) {
		conn->pace_due = INSTANT_NEVER;
		send_tell_space(stack, conn);
		conn_want_output(stack, conn);
	}
	if ((conn->flags & CONN_SAMPLED) && instant_reached(conn->extra->sampling.due, stack->now))
		samples_look(stack, conn);
	recovery_timers(stack, conn); /* first: a probe of the tail puts the retransmission off */
	if (instant_reached(conn->rtx_due, stack->now))
		retransmission_timer(stack, conn);
	alive = conn->node.head.generation == generation && !(conn->flags & CONN_DEAD) && conn->state != TCPS_CLOSED;
	if (alive && instant_reached(conn->idle_due, stack->now)) {
		patience_fire(stack, conn);
		alive = conn->node.head.generation == generation && !(conn->flags & CONN_DEAD) &&
		        conn->state != TCPS_CLOSED;
	}
	if (alive)
		conn_arm(stack, conn);
}
