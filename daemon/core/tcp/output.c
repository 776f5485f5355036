/* What a connection sends next, and the segment for it. plan() alone decides; everything that may change its answer
 * calls conn_want_output, and what it waits for otherwise has a timer (output_restart_timer). */
#include "core/tcp/engine.h"
#include "core/wire/bytes.h"
#include "core/wire/checksum.h"

enum plan_kind { PLAN_NOTHING, PLAN_SYN, PLAN_RETRANSMIT, PLAN_TAIL, PLAN_DATA, PLAN_PROBE, PLAN_ACK };

struct plan {
	enum plan_kind kind;
	seq_t seq;
	uint32_t length; /* of payload */
	bool fin;        /* a FIN follows the payload */
	bool window_probe, tail_probe;
	bool mtu_probe; /* one segment, larger than the others (path_mtu.h) */
	struct sent *entry;
};

static uint32_t outstanding(const struct conn *conn)
{
	return (uint32_t)seq_diff(conn->snd_nxt, conn->snd_una);
}

/* Largest payload of one frame. */
static uint32_t frame_payload_max(const struct stack *stack, const struct conn *conn)
{
	uint32_t most = ecn_forbids_super_frames(conn) ? 0 : stack->config.gso_bytes_max;

	if (conn->tx && conn->tx->has_urgent) /* each segment needs a pointer of its own */
		return conn->mss;
	if (congestion_burst(conn) < most)
		most = congestion_burst(conn);
	if (most < 2u * conn->mss)
		return conn->mss;
	return most - most % conn->mss;
}

/* Bytes of the peer's window that lie beyond `at`. */
static uint32_t window_beyond(const struct conn *conn, seq_t at)
{
	int32_t room = seq_diff(seq_add(conn->snd_una, conn->snd_wnd), at);

	return room > 0 ? (uint32_t)room : 0;
}

static bool plan_retransmit(const struct stack *stack, struct conn *conn, struct plan *plan)
{
	struct sent *entry = sent_next_lost(&conn->tx->sent);
	uint32_t room, length, most;

	if (!entry || conn->tx->frto == FRTO_NEW_DATA || congestion_holds(stack, conn))
		return false;
	room = recovery_room(conn);
	if (conn->flags & CONN_FAST_RETRANSMIT)
		room = room > conn->mss ? room : conn->mss;
	length = (uint32_t)seq_diff(entry->end, entry->start);
	if (room < length)
		conn->flags |= CONN_CWND_LIMITED;
	if (room < conn->mss && room < length)
		return false;
	most = frame_payload_max(stack, conn);
	if (length > most)
		length = most;
	if (length > room)
		length = room < conn->mss ? conn->mss : room - room % conn->mss;
	/* What lies beyond a shrunk window waits (RFC 9293 SHLD-15, SHLD-16). */
	if (length > window_beyond(conn, entry->start))
		length = window_beyond(conn, entry->start);
	if (length == 0)
		return false;
	*plan = (struct plan){ .kind = PLAN_RETRANSMIT, .seq = entry->start, .length = length, .entry = entry };
	/* The last octet of the entry may be the FIN. */
	if ((conn->flags & CONN_FIN_SENT) && seq_gt(seq_add(plan->seq, plan->length), conn->snd_end)) {
		plan->fin = true;
		plan->length--;
	}
	return true;
}

/* Nagle's algorithm in Minshall's form: a partial segment waits while an earlier partial one is unacknowledged. And
 * what the service holds back. */
static bool nagle_holds(const struct conn *conn)
{
	if (conn->tx->has_urgent && seq_gt(conn->tx->snd_up, conn->snd_nxt))
		return false;
	if ((conn->flags & CONN_CORKED) && !(conn->flags & (CONN_FIN_QUEUED | CONN_FORCE)))
		return true;
	return !(conn->flags & (CONN_NODELAY | CONN_FIN_QUEUED | CONN_FORCE)) && conn->tx->has_small &&
	       seq_gt(conn->tx->small_end, conn->snd_una);
}

/* How many of the `queued` bytes may go out in one frame now (RFC 9293 3.8.6.2.1, sender's silly-window avoidance).
 */
static uint32_t sendable(const struct stack *stack, struct conn *conn, uint32_t queued)
{
	uint32_t cwnd_room = recovery_room(conn);
	uint32_t window_room = window_beyond(conn, conn->snd_nxt);
	uint32_t most = frame_payload_max(stack, conn);
	uint32_t length = queued;

	if (length > cwnd_room) {
		conn->flags |= CONN_CWND_LIMITED;
		if (cwnd_room < conn->mss)
			return 0;
		length = cwnd_room - cwnd_room % conn->mss;
	}
	if (length > most)
		length = most;
	if (length > window_room) {
		length = window_room;
		if (length >= conn->mss)
			return length - length % conn->mss;
		if (length > 0 && (length >= conn->max_snd_wnd / 2 || (conn->flags & CONN_FORCE)))
			return length;
		return 0;
	}
	if (length % conn->mss != 0 && length == queued && nagle_holds(conn))
		length -= length % conn->mss;
	return length;
}

static bool may_send_data(const struct conn *conn)
{
	return conn->state == TCPS_ESTABLISHED || conn->state == TCPS_CLOSE_WAIT || conn->state == TCPS_FIN_WAIT_1 ||
	       conn->state == TCPS_CLOSING || conn->state == TCPS_LAST_ACK ||
	       (conn->state == TCPS_SYN_RECEIVED && fastopen_is_pending(conn)); /* RFC 7413 section 4.2.2 */
}

static bool plan_data(struct stack *stack, struct conn *conn, struct plan *plan)
{
	uint32_t queued = conn_not_sent(conn);
	bool fin_waits =
	        (conn->flags & CONN_FIN_QUEUED) && !(conn->flags & CONN_FIN_SENT) && conn->state != TCPS_SYN_RECEIVED;
	bool fin;
	uint32_t length = 0, probe = 0;

	if (!may_send_data(conn) || (queued == 0 && !fin_waits))
		return false;
	if (queued > 0) {
		if (congestion_holds(stack, conn))
			return false;
		if (outstanding(conn) == 0)
			congestion_resume(stack, conn);
		if (!path_probe(stack, conn, queued, &probe))
			return false;
		length = probe > 0 ? probe : sendable(stack, conn, queued);
		if (length == 0)
			return false;
	}
	fin = fin_waits && length == queued && (length > 0 || window_beyond(conn, conn->snd_nxt) > 0);
	if (length == 0 && !fin)
		return false;
	*plan = (struct plan){
		.kind = PLAN_DATA, .seq = conn->snd_nxt, .length = length, .fin = fin, .mtu_probe = probe > 0
	};
	return true;
}

/* One octet into a closed window (RFC 9293 3.8.6.1): the first unacknowledged, or the next new one, or the FIN. */
static bool plan_probe(struct conn *conn, struct plan *plan)
{
	conn->flags &= ~(uint32_t)CONN_PROBE;
	if (conn->tx && conn->tx->sent.first) {
		*plan = (struct plan){ .kind = PLAN_PROBE, .seq = conn->snd_una, .length = 1 };
		if ((conn->flags & CONN_FIN_SENT) && seq_eq(conn->snd_una, conn->snd_end)) {
			plan->length = 0;
			plan->fin = true;
		}
		return true;
	}
	if (seq_gt(conn->snd_end, conn->snd_nxt))
		*plan = (struct plan){ .kind = PLAN_DATA, .seq = conn->snd_nxt, .length = 1, .window_probe = true };
	else if ((conn->flags & CONN_FIN_QUEUED) && !(conn->flags & CONN_FIN_SENT))
		*plan = (struct plan){ .kind = PLAN_DATA, .seq = conn->snd_nxt, .fin = true };
	else
		return false;
	return true;
}

/* RFC 8985 section 7.3: the next unsent segment, or the last one again; whatever the congestion window. */
static bool plan_tail_probe(struct stack *stack, struct conn *conn, struct plan *plan)
{
	uint32_t queued = conn_not_sent(conn);
	uint32_t length = queued < conn->mss ? queued : conn->mss, room = window_beyond(conn, conn->snd_nxt);
	bool fin = (conn->flags & CONN_FIN_SENT) != 0;
	struct sent *entry;
	uint32_t payload;

	conn->tx->tail_probe = false;
	if (length > 0 && length <= room && may_send_data(conn)) {
		*plan = (struct plan){
			.kind = PLAN_DATA, .seq = conn->snd_nxt, .length = length, .tail_probe = true
		};
		plan->fin = (conn->flags & CONN_FIN_QUEUED) && length == queued;
		return true;
	}
	if (!conn->tx->sent.last)
		return false;
	payload = (uint32_t)seq_diff(conn->tx->sent.last->end, conn->tx->sent.last->start) - fin;
	length = payload > 0 ? (payload - 1) % conn->mss + 1 : 0;
	entry = sent_tail(&conn->tx->sent, &stack->sents, length + fin);
	if (!entry)
		return false;
	*plan = (struct plan){ .kind = PLAN_TAIL,
		               .seq = entry->start,
		               .length = length,
		               .fin = fin,
		               .entry = entry,
		               .tail_probe = true };
	return true;
}

/* Is there something to be reported as received twice? */
static bool has_duplicates(const struct conn *conn)
{
	return conn->extra && conn->extra->loss.duplicates.count > 0;
}

static void plan_next(struct stack *stack, struct conn *conn, struct plan *plan)
{
	bool holes = (conn->rx && conn->rx->holes) || has_duplicates(conn);

	bool ack_first = ((holes && (conn->flags & CONN_ACK_NOW)) || ecn_wants_pure_ack(conn));

	*plan = (struct plan){ .kind = PLAN_NOTHING };
	if (conn->state == TCPS_SYN_SENT || conn->state == TCPS_SYN_RECEIVED) {
		if (conn->flags & CONN_SEND_SYN)
			*plan = (struct plan){ .kind = PLAN_SYN,
				               .seq = conn->iss,
				               .length = fastopen_syn_bytes(stack, conn) };
		else if (conn->state == TCPS_SYN_RECEIVED)
			plan_data(stack, conn, plan);
		return;
	}
	if (conn->state < TCPS_ESTABLISHED)
		return;
	/* SACK blocks and ECN feedback need the room that payload takes: they go out first, in a segment of their
	 * own.
	 */
	if (!ack_first) {
		if ((conn->flags & CONN_PROBE) && plan_probe(conn, plan))
			return;
		if (conn->tx && conn->tx->tail_probe && plan_tail_probe(stack, conn, plan))
			return;
		if (conn->tx && plan_retransmit(stack, conn, plan))
			return;
		if (plan_data(stack, conn, plan))
			return;
	}
	if (conn->flags & CONN_ACK_NOW)
		*plan = (struct plan){ .kind = PLAN_ACK, .seq = conn_bare_seq(conn) };
}

/* ---- the segment --------------------------------------------------------------------------------------------- */

static void fill_sack_blocks(struct stack *stack, struct conn *conn, struct tcp_options *options)
{
	struct tcp_sack_block twice;

	if (conn->agreed.sack && conn->extra && dsack_take(&conn->extra->loss.duplicates, &twice)) {
		options->sack[options->sack_count++] = twice; /* RFC 2883 section 4 */
		COUNT(stack, dsack_sent);
	}
	receive_sack_blocks(conn, options);
}

/* The field is rounded down, the promise is kept exactly: a segment that an earlier field allowed is still taken
 * though a later one looks smaller by rounding (RFC 7323 section 2.4). Rounding up would let the edge creep at each
 * ACK. */
static uint16_t advertise(struct stack *stack, struct conn *conn)
{
	/* Our SYN-ACK may have to go out again, and can't offer so much: its window is never scaled. */
	if (conn->state != TCPS_SYN_RECEIVED)
		conn->rcv_adv = receive_window_edge(stack, conn);
	return (uint16_t)((uint32_t)seq_diff(conn->rcv_adv, conn->rcv_nxt) >> conn->agreed.rcv_wscale);
}

static void fill_syn(struct stack *stack, struct conn *conn, struct tcp_segment *seg)
{
	const struct stack_tcp_config *tcp = conn->tcp;
	bool answer = conn->state == TCPS_SYN_RECEIVED;

	seg->flags = answer ? TCP_SYN | TCP_ACK : (uint16_t)(TCP_SYN | ecn_syn_flags(conn));
	seg->window = (uint16_t)(conn->rcvbuf > UINT16_MAX ? UINT16_MAX : conn->rcvbuf);
	seg->options.has_mss = true;
	seg->options.mss = conn_mss_offer(stack, tcp, &conn->node.flow);
	seg->options.sack_permitted = answer ? conn->agreed.sack : tcp->sack;
	seg->options.has_wscale = answer ? conn->agreed.window_scaling : tcp->window_scaling;
	seg->options.wscale = conn->agreed.rcv_wscale;
	seg->options.has_timestamps = answer ? conn->agreed.timestamps : tcp->timestamps;
	patience_fill_option(tcp, &seg->options);
	if (!answer) {
		fastopen_fill_syn(stack, conn, &seg->options);
		return;
	}
	seg->window = (uint16_t)seq_diff(conn->rcv_adv, conn->rcv_nxt); /* less what a SYN brought, by RFC 7413 */
	if (conn->extra && (conn->extra->fastopen & FASTOPEN_GIVES))
		fastopen_give(stack, &conn->node.flow, &seg->options);
}

static void fill_segment(struct stack *stack, struct conn *conn, const struct plan *plan, struct tcp_segment *seg)
{
	*seg = (struct tcp_segment){
		.source_port = conn->node.flow.local_port,
		.destination_port = conn->node.flow.remote_port,
		.seq = plan->seq,
		.ack = conn->rcv_nxt,
		.flags = TCP_ACK,
	};
	if (plan->kind == PLAN_SYN) {
		fill_syn(stack, conn, seg);
		if (seg->flags & TCP_ACK)
			ecn_fill_syn_ack(&conn->agreed, conn->backoff, false, seg);
		if (!(seg->flags & TCP_ACK))
			seg->ack = SEQ(0);
	} else {
		seg->window = advertise(stack, conn);
		seg->options.has_timestamps = conn->agreed.timestamps;
		if (plan->length == 0)
			fill_sack_blocks(stack, conn, &seg->options);
		if (plan->kind == PLAN_ACK && (conn->flags & CONN_TELL_TIMEOUT)) {
			patience_fill_option(conn->tcp, &seg->options);
			conn->flags &= ~(uint32_t)CONN_TELL_TIMEOUT;
		}
		if (plan->length > 0 && seq_eq(seq_add(plan->seq, plan->length), conn->snd_end))
			seg->flags |= TCP_PSH; /* MUST-61 */
		if (plan->fin)
			seg->flags |= TCP_FIN;
		if (urgent_pointer(conn, plan->seq, &seg->urgent_pointer))
			seg->flags |= TCP_URG;
		ecn_fill(conn, plan->length, plan->kind == PLAN_DATA && !plan->window_probe, seg);
	}
	if (seg->options.has_timestamps) {
		seg->options.tsval = tcp_clock_ms(stack) + secrets_timestamp_offset(stack, &conn->node.flow);
		seg->options.tsecr = conn->ts_recent;
	}
}

/* Headers and payload become a frame; the checksum is left to the link where it offers to. */
static void build_frame(struct stack *stack, struct conn *conn, const struct plan *plan, const struct mac_addr *mac,
                        struct frame_out *frame)
{
	const struct flow *flow = &conn->node.flow;
	uint32_t ip_bytes = ip_headers_bytes(flow);
	uint8_t *tcp = frame->header + ip_bytes;
	bool ect = plan->kind == PLAN_DATA && plan->length > 0 && !plan->window_probe;
	struct tcp_segment seg;
	uint32_t tcp_bytes;
	uint64_t sum;
	int count = 0;

	fill_segment(stack, conn, plan, &seg);
	tcp_bytes = (uint32_t)tcp_write(tcp, &seg);
	ip_write_headers(stack, frame->header, mac, flow,
	                 &(struct ip_service){
	                         .tos = (uint8_t)(conn->tcp->dscp << 2 | (ect ? ecn_codepoint(conn) : IP_NOT_ECT)),
	                         .ttl = conn->tcp->ttl,
	                         .dont_fragment = conn->tcp->path_mtu != STACK_PATH_MTU_OFF &&
	                                          !(conn->flags & CONN_MAY_FRAGMENT) },
	                 tcp_bytes + plan->length);
	if (plan->length > 0) {
		seq_t from = plan->kind == PLAN_SYN ? seq_add(plan->seq, 1) : plan->seq;
		uint32_t got = strip_view(&conn->tx->strip, from, plan->length, frame->iov + 1, FRAME_OUT_IOV_MAX - 1,
		                          &count);

		CORE_ASSERT(got == plan->length);
	}
	frame->header_bytes = (uint16_t)(ip_bytes + tcp_bytes);
	frame->iov[0] = (struct iovec){ frame->header, frame->header_bytes };
	frame->iov_count = (uint32_t)count + 1;
	frame->length = frame->header_bytes + plan->length;
	frame->gso_bytes = plan->length > conn->mss && !plan->mtu_probe && plan->kind != PLAN_SYN ? conn->mss : 0;
	frame->is_ipv6 = !ip_addr_is_v4(&flow->remote);
	frame->checksum_start = (uint16_t)ip_bytes;
	sum = checksum_pseudo(&flow->local, &flow->remote, IP_PROTOCOL_TCP, tcp_bytes + plan->length);
	if (stack->config.checksum_offload) {
		frame->checksum_offset = 16;
		store16(tcp + 16, checksum_fold(sum));
	} else {
		frame->checksum_offset = 0;
		sum = checksum_add(sum, tcp, tcp_bytes, 0);
		sum = checksum_add_iov(sum, frame->iov + 1, count, tcp_bytes);
		store16(tcp + 16, (uint16_t)~checksum_fold(sum));
	}
}

/* ---- what sending changes -------------------------------------------------------------------------------------- */

static void fin_sent(struct stack *stack, struct conn *conn)
{
	conn->flags |= CONN_FIN_SENT;
	if (conn->state == TCPS_CLOSE_WAIT) /* RFC 9293 3.10.4: only now, when all before it is segmentized */
		connection_set_state(stack, conn, TCPS_LAST_ACK, conn->cause);
}

/* The scoreboard learns of it first: without memory for that nothing may go out. */
static bool note_in_flight(struct stack *stack, struct conn *conn, const struct plan *plan)
{
	struct send_queue *tx;
	seq_t end;

	switch (plan->kind) {
	case PLAN_RETRANSMIT:
		path_resent(stack, conn, plan->seq);
		if (!sent_resend(&conn->tx->sent, &stack->sents, plan->entry, plan->length + (plan->fin ? 1 : 0),
		                 stack->now))
			return false;
		congestion_snapshot(stack, conn, plan->entry);
		return true;
	case PLAN_TAIL:
		if (!recovery_probes_tail(stack, conn, true))
			return false;
		sent_probe(&conn->tx->sent, plan->entry, stack->now);
		congestion_snapshot(stack, conn, plan->entry);
		return true;
	case PLAN_SYN:
		tx = conn_tx(stack, conn);
		if (!tx)
			return false;
		if (tx->sent.first) { /* again */
			tx->sent.first->flags |= SENT_EVER_RETRANSMITTED;
			return true;
		}
		end = seq_add(conn->iss, 1 + plan->length);
		if (!sent_append(&tx->sent, &stack->sents, conn->iss, end, stack->now))
			return false;
		conn->snd_nxt = end;
		return true;
	case PLAN_PROBE:
		conn->tx->sent.first->flags |= SENT_EVER_RETRANSMITTED; /* Karn */
		return true;
	case PLAN_DATA:
		tx = conn_tx(stack, conn);
		end = seq_add(plan->seq, plan->length + (plan->fin ? 1 : 0));
		if (!tx || !sent_append(&tx->sent, &stack->sents, plan->seq, end, stack->now))
			return false;
		if (!seq_gt(conn->snd_nxt, conn->snd_una))
			conn->progress_at = stack->now;
		conn->snd_nxt = end;
		congestion_snapshot(stack, conn, tx->sent.last);
		if (plan->mtu_probe)
			path_probe_sent(stack, conn, plan->seq, plan->length);
		else if (plan->length >= conn->mss)
			path_full_sent(conn, end);
		if (plan->length % conn->mss != 0 && !plan->window_probe && !plan->mtu_probe) {
			tx->small_end = end;
			tx->has_small = true;
		}
		if (plan->fin)
			fin_sent(stack, conn);
		if (plan->tail_probe)
			recovery_probes_tail(stack, conn, false);
		return true;
	default:
		return true;
	}
}

static void account(struct stack *stack, struct conn *conn, const struct plan *plan)
{
	COUNT(stack, segments_out);
	conn->segs_out++;
	conn->last_speaker = SPEAKER_LOCAL;
	conn->flags &= ~(uint32_t)(CONN_ACK_NOW | CONN_ACK_DELAYED | CONN_SEND_SYN);
	if (plan->kind == PLAN_DATA)
		conn->flags &= ~(uint32_t)CONN_FORCE;
	conn->ack_due = INSTANT_NEVER;
	conn->rcv_unacked = 0;
	conn->last_ack_sent = conn->rcv_nxt;
	if (plan->length > 0) {
		conn->data_segs_out++;
		conn->last_snd = stack->now;
	}
	if (has_duplicates(conn)) /* each in an ACK of its own */
		conn->flags |= CONN_ACK_NOW;
	if (plan->kind == PLAN_RETRANSMIT || plan->kind == PLAN_TAIL || plan->kind == PLAN_PROBE ||
	    (plan->kind == PLAN_SYN && (conn->flags & CONN_SYN_RETRANSMITTED))) {
		conn->retransmits++;
		conn->bytes_retransmitted += plan->length;
		COUNT(stack, retransmitted_segments);
	}
	if (plan->kind == PLAN_RETRANSMIT)
		conn->flags &= ~(uint32_t)CONN_FAST_RETRANSMIT;
}

/* Nothing more goes out now: is it for want of window, or of send buffer? */
static enum chrono_limit held_up_by(const struct conn *conn)
{
	uint32_t unsent = conn_not_sent(conn);
	uint32_t segment = unsent < conn->mss ? unsent : conn->mss;

	if (!may_send_data(conn))
		return CHRONO_FREE;
	if (unsent > 0 && window_beyond(conn, conn->snd_nxt) < segment &&
	    congestion_pipe(conn) + segment <= conn->cwnd)
		return CHRONO_RWND;
	return unsent == 0 && conn->tx->sent.first && (conn->flags & CONN_WANTS_SPACE) ? CHRONO_SNDBUF : CHRONO_FREE;
}

bool output_next(struct stack *stack, struct conn *conn, struct frame_out *frame)
{
	struct mac_addr mac;
	struct plan plan;

	if (conn->state == TCPS_CLOSED) /* dead, but the service has not let go yet */
		return false;
	plan_next(stack, conn, &plan);
	if (plan.kind == PLAN_NOTHING) {
		congestion_nothing_to_send(conn);
		if (conn->flags & CONN_SAMPLED)
			samples_look(stack, conn);
		if (conn->tx)
			chrono_set(&conn->tx->chrono, held_up_by(conn), stack->now);
		output_restart_timer(stack, conn);
		return false;
	}
	if (!neighbour_resolve(stack, &conn->node.flow.remote, &mac)) {
		if (!(conn->flags & CONN_BLOCKED_ON_NEIGHBOUR))
			stack->blocked_on_neighbour++;
		conn->flags |= CONN_BLOCKED_ON_NEIGHBOUR;
		output_restart_timer(stack, conn);
		return false;
	}
	if (!note_in_flight(stack, conn, &plan)) {
		COUNT(stack, alloc_failures);
		output_restart_timer(stack, conn); /* try again later, whatever there is to send */
		if (!(conn->flags & CONN_ACK_NOW) || conn->state < TCPS_ESTABLISHED)
			return false;
		plan = (struct plan){ .kind = PLAN_ACK, .seq = conn_bare_seq(conn) }; /* takes no memory */
	}
	build_frame(stack, conn, &plan, &mac, frame);
	account(stack, conn, &plan);
	if (plan.kind == PLAN_DATA)
		send_tell_space(stack, conn);
	if (plan.kind == PLAN_RETRANSMIT || plan.kind == PLAN_DATA)
		recovery_sent(stack, conn, plan.seq, seq_add(plan.seq, plan.length + (plan.fin ? 1 : 0)),
		              plan.kind == PLAN_RETRANSMIT);
	if (plan.length > 0 && plan.kind != PLAN_PROBE && plan.kind != PLAN_SYN)
		congestion_on_sent(stack, conn, plan.length);
	if (plan.kind != PLAN_ACK)
		output_restart_timer(stack, conn);
	if (plan.kind == PLAN_DATA)
		recovery_schedule_probe(stack, conn);
	return true;
}
