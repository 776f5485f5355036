/* How long a connection waits for a peer that says nothing: keepalive (RFC 9293 section 3.8.4), the user timeout
 * (section 3.9.1.1, RFC 5482), R1 (section 3.8.3), the time that one without a service has, FIN-WAIT-2, 2 MSL.
 *
 * All of them share one instant, idle_due: the earliest of what may end the connection, or earlier. When it has come,
 * what is really due then is worked out anew; so nothing has to be done for each segment. */
#include "core/tcp/engine.h"

#define USER_TIMEOUT_LEAST DURATION_S(100) /* RFC 5482 section 3.1: a peer can't ask for less */
#define USER_TIMEOUT_FIELD_MAX 0x7fff

/* An end that draws near. */
struct limit {
	struct instant due;
	enum tcp_cause cause;
};

static void limit_to(struct limit *limit, struct instant since, struct duration time, enum tcp_cause cause)
{
	struct instant due = instant_add(since, time);

	if (instant_before(due, limit->due))
		*limit = (struct limit){ due, cause };
}

/* Something of ours is not acknowledged yet, sent or not. */
static bool is_waiting(const struct conn *conn)
{
	return conn->state < TCPS_ESTABLISHED || (conn->tx && conn->tx->sent.first) ||
	       seq_gt(conn->snd_end, conn->snd_nxt) ||
	       ((conn->flags & CONN_FIN_QUEUED) && !(conn->flags & CONN_FIN_SENT));
}

/* ---- user timeout ---------------------------------------------------------------------------------------------- */

/* What we tell the peer (ADV_UTO). */
static struct duration advertised_timeout(const struct stack_tcp_config *tcp)
{
	return tcp->user_timeout.ns > 0 ? tcp->user_timeout : tcp->retransmit_timeout;
}

/* RFC 5482 section 3.1: min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT)), R2 being the upper limit. 0: only R2. */
struct duration patience_user_timeout(const struct conn *conn)
{
	const struct stack_tcp_config *tcp = conn->tcp;
	struct duration remote = { conn->extra ? conn->extra->peer_user_timeout_s * 1000000000LL : 0 };

	if (tcp->user_timeout.ns == 0 || !tcp->user_timeout_option || remote.ns == 0)
		return tcp->user_timeout;
	return duration_min(tcp->retransmit_timeout,
	                    duration_max(tcp->user_timeout, duration_max(remote, USER_TIMEOUT_LEAST)));
}

void patience_fill_option(const struct stack_tcp_config *tcp, struct tcp_options *options)
{
	int64_t seconds = (advertised_timeout(tcp).ns + 999999999) / 1000000000;

	if (!tcp->user_timeout_option)
		return;
	options->has_user_timeout = true;
	options->user_timeout_minutes = seconds > USER_TIMEOUT_FIELD_MAX;
	if (options->user_timeout_minutes)
		seconds = (seconds + 59) / 60;
	options->user_timeout = (uint16_t)(seconds > USER_TIMEOUT_FIELD_MAX ? USER_TIMEOUT_FIELD_MAX : seconds);
}

void patience_take_option(struct stack *stack, struct conn *conn, const struct tcp_options *options)
{
	struct conn_extra *extra;

	if (!conn->tcp->user_timeout_option || options->user_timeout == 0) /* section 3.2: 0 is to be ignored */
		return;
	extra = conn_extra(stack, conn);
	if (extra)
		extra->peer_user_timeout_s = options->user_timeout * (options->user_timeout_minutes ? 60u : 1u);
}

/* ---- what is due -------------------------------------------------------------------------------------------------
 */

static struct limit limit_of(const struct conn *conn)
{
	const struct stack_tcp_config *tcp = conn->tcp;
	struct duration user_timeout = patience_user_timeout(conn);
	struct limit limit = { INSTANT_NEVER, CAUSE_NONE };
	bool orphan = conn->flags & CONN_ORPHAN;

	if (orphan && conn->state == TCPS_FIN_WAIT_2)
		limit_to(&limit, instant_max(conn->orphaned_at, conn->progress_at), tcp->fin_wait_2_timeout,
		         CAUSE_TIMEOUT_FIN_WAIT_2);
	if (!is_waiting(conn))
		return limit;
	if (orphan && tcp->linger.ns > 0)
		limit_to(&limit, conn->orphaned_at, tcp->linger, CAUSE_TIMEOUT_LINGER);
	if (orphan && tcp->orphan_timeout.ns > 0)
		limit_to(&limit, instant_max(conn->orphaned_at, conn->progress_at), tcp->orphan_timeout,
		         CAUSE_TIMEOUT_ORPHAN);
	if (user_timeout.ns > 0) {
		/* A peer that keeps its window shut and answers probes is there (MUST-37). */
		bool shut = conn->flags & CONN_PERSIST;

		limit_to(&limit, shut ? instant_max(conn->progress_at, conn->last_rcv) : conn->progress_at,
		         user_timeout, CAUSE_TIMEOUT_USER);
	}
	return limit;
}

/* Only an idle connection is probed (MUST-26), and one that somebody holds: others have their own limits. */
static bool keeps_alive(const struct conn *conn)
{
	return conn->tcp->keepalive && !(conn->flags & CONN_ORPHAN) && conn->state >= TCPS_ESTABLISHED &&
	       conn->state != TCPS_TIME_WAIT;
}

/* When it has to be looked at for its keepalive; after a probe idle_due holds that already. */
static struct instant keepalive_due(const struct stack *stack, const struct conn *conn)
{
	struct instant idle_over = instant_add(conn->last_rcv, conn->tcp->keepalive_idle);

	if (!keeps_alive(conn) || (conn->keepalive_probes > 0 && conn->idle_due.ns != INT64_MAX))
		return INSTANT_NEVER;
	if (is_waiting(conn))
		return instant_max(idle_over, instant_add(stack->now, conn->tcp->keepalive_interval));
	return idle_over;
}

struct duration patience_keepalive_left(const struct stack *stack, const struct conn *conn)
{
	struct instant due =
	        conn->keepalive_probes > 0 ? conn->idle_due : instant_add(conn->last_rcv, conn->tcp->keepalive_idle);

	if (!keeps_alive(conn) || is_waiting(conn) || !instant_before(stack->now, due))
		return (struct duration){ 0 };
	return instant_sub(due, stack->now);
}

void patience_arm(struct stack *stack, struct conn *conn)
{
	struct instant due;

	if (conn->state == TCPS_TIME_WAIT || conn->state == TCPS_CLOSED)
		return;
	due = instant_min(limit_of(conn).due, keepalive_due(stack, conn));
	due = instant_max(due, instant_add(stack->now, (struct duration){ 1 }));
	if (!instant_before(due, conn->idle_due))
		return;
	conn->idle_due = due;
	conn_arm(stack, conn);
}

/* RFC 9293 section 3.8.4. False: it was given up. */
static bool keep_alive(struct stack *stack, struct conn *conn)
{
	if (instant_before(stack->now, instant_add(conn->last_rcv, conn->tcp->keepalive_idle))) {
		conn->keepalive_probes = 0;
		return true;
	}
	if (conn->keepalive_probes >= conn->tcp->keepalive_count) {
		conn_reset(stack, conn, CAUSE_TIMEOUT_KEEPALIVE);
		return false;
	}
	conn->keepalive_probes++;
	COUNT(stack, keepalive_probes);
	reply_keepalive(stack, conn, conn->tcp->keepalive_garbage);
	conn->idle_due = instant_add(stack->now, conn->tcp->keepalive_interval);
	return true;
}

void patience_fire(struct stack *stack, struct conn *conn)
{
	struct limit limit;

	conn->idle_due = INSTANT_NEVER;
	if (conn->state == TCPS_TIME_WAIT) {
		conn_end(stack, conn, CAUSE_TIMEOUT_2MSL);
		return;
	}
	limit = limit_of(conn);
	if (instant_reached(limit.due, stack->now)) {
		if (limit.cause == CAUSE_TIMEOUT_FIN_WAIT_2)
			conn_end(stack, conn, limit.cause);
		else
			conn_reset(stack, conn, limit.cause);
		return;
	}
	if (!keeps_alive(conn) || is_waiting(conn))
		conn->keepalive_probes = 0;
	else if (!keep_alive(stack, conn))
		return;
	patience_arm(stack, conn);
}

/* ---- R1 ----------------------------------------------------------------------------------------------------------
 */

void patience_retransmitted(struct stack *stack, struct conn *conn)
{
	uint32_t r1 = conn->tcp->r1_retransmits > 0 ? conn->tcp->r1_retransmits : 1;

	if (conn->timeouts < UINT8_MAX)
		conn->timeouts++;
	if (conn->timeouts < r1)
		return;
	neighbour_doubt(stack, &conn->node.flow.remote);
	if (conn->timeouts == r1)
		conn_tell(stack, conn, READY_TROUBLE);
}
