#include "inside.h"

#define ACK_DELAY_MAX DURATION_MS(500) /* RFC 9293 section 3.8.6.3, MUST-58 */
/* Beyond the window: limited transmit (RFC 3042), a probe for the tail (RFC 8985), one for the path (RFC 4821). */
#define LOOSE_SEGMENTS 4

static bool is_open(const struct conn *conn)
{
	return conn->state >= TCPS_ESTABLISHED && conn->state != TCPS_TIME_WAIT;
}

/* What waits for an answer is never left alone, and the wheel knows of all that is due. */
static void check_timers(const struct conn *conn)
{
	struct instant due =
	        instant_min(instant_min(conn->rtx_due, conn->ack_due), instant_min(conn->idle_due, conn->pace_due));

	if (is_open(conn) && conn->tx && conn->tx->sent.first)
		WATCH_CHECK(conn->rtx_due.ns != INT64_MAX);
	if (conn->state != TCPS_CLOSED && due.ns != INT64_MAX)
		WATCH_CHECK(timer_is_set(&conn->timer) && conn->timer.due.ns <= due.ns);
}

static void check_ack(const struct host *host, const struct conn *conn, struct wire_notes *notes, uint32_t ack)
{
	struct instant now = host->sim->now;

	if (conn->rcv_nxt.v == ack || !is_open(conn) || host->stack->blocked_on_neighbour > 0)
		notes->owes_ack_since = INSTANT_NEVER;
	else
		notes->owes_ack_since = instant_min(notes->owes_ack_since, now);
	if (notes->owes_ack_since.ns != INT64_MAX)
		WATCH_CHECK(instant_sub(now, notes->owes_ack_since).ns <= ACK_DELAY_MAX.ns);
}

static void check_window(const struct conn *conn, struct wire_notes *notes)
{
	uint32_t sent = conn->snd_nxt.v - notes->snd_nxt, loose = LOOSE_SEGMENTS * conn->mss;

	bool reno = conn->congestion == stack_builtin_reno();

	/* In recovery PRR lets go what has been delivered, also while more than the new window is out (RFC 9937). And
	 * one that is fickle may take back what it has just granted. */
	if (notes->seen && is_open(conn) && conn->ca_state == CA_OPEN && reno && notes->reno && sent > loose)
		WATCH_CHECK(congestion_pipe(conn) <= conn->cwnd + loose);
	notes->snd_nxt = conn->snd_nxt.v;
	notes->reno = reno;
	notes->seen = true;
}

/* What a service leaves unread closes the window: it never comes to more than there was room for, or the least that
 * the field can express. */
static void check_buffer(const struct conn *conn, struct wire_notes *notes)
{
	if (conn->rcvbuf > notes->rcvbuf_max)
		notes->rcvbuf_max = conn->rcvbuf;
	WATCH_CHECK(receive_unread(conn) <= notes->rcvbuf_max + (1u << conn->agreed.rcv_wscale));
}

void inside_check(struct host *host)
{
	struct stack_conn_info info[16];
	uint64_t cursor = 0;

	while (cursor != UINT64_MAX) {
		size_t count = stack_walk(host->stack, &cursor, info, 16);

		for (size_t i = 0; i < count; i++) {
			struct conn *conn = info[i].compact ? NULL : conn_find(host->stack, info[i].handle);
			struct wire_notes *notes;
			uint32_t ack;

			if (!conn)
				continue;
			check_timers(conn);
			notes = wire_notes(&host->wire, &conn->node.flow, conn->iss.v, &ack);
			if (!notes)
				continue;
			check_ack(host, conn, notes, ack);
			check_window(conn, notes);
			check_buffer(conn, notes);
		}
	}
}
