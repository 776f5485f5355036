#pragma once
/* What a stack makes of a segment for a synchronized connection, and what it sends, judged anew by the RFCs: what RFC
 * 9293 section 3.10.7.4, RFC 7323 and RFC 5961 refuse changes nothing, what they take changes exactly what they say.
 * The rules are worked out here with offsets from RCV.NXT and SND.UNA, not with the core's comparisons. */
#include "rig.h"

/* A connection, before a segment arrives. */
struct judged {
	struct conn conn; /* a copy */
	struct ranges holes;
	uint32_t sacked;
	int64_t urgent; /* bytes from the next unread one on */
	bool has_fin;
	uint32_t fin_at;
};

static inline struct conn *judge_find(const struct rig *rig, const struct flow *flow)
{
	enum record_kind kind;
	struct flow_node *node = demux_find(rig->stack, flow, &kind);

	return node && kind == RECORD_CONN ? (struct conn *)node : NULL;
}

static inline int64_t judge_urgent(const struct conn *conn)
{
	uint32_t read = conn->rx ? conn->rx->read.v : conn->rcv_nxt.v;

	return conn->extra && conn->extra->has_urgent ? (int32_t)(conn->extra->rcv_up.v - read) : 0;
}

/* False: there is nothing that could be judged. */
static inline bool judge_before(const struct rig *rig, const struct flow *flow, struct judged *ret_judged)
{
	const struct conn *conn = judge_find(rig, flow);

	if (!conn || conn->state < TCPS_ESTABLISHED || conn->state == TCPS_TIME_WAIT || conn->state == TCPS_CLOSED)
		return false;
	memset(ret_judged, 0, sizeof(*ret_judged));
	ret_judged->conn = *conn;
	if (conn->rx && conn->rx->holes)
		ret_judged->holes = *conn->rx->holes;
	ret_judged->sacked = conn->tx ? conn->tx->sent.sacked_bytes : 0;
	ret_judged->urgent = judge_urgent(conn);
	ret_judged->has_fin = conn->rx && conn->rx->has_fin;
	ret_judged->fin_at = conn->rx ? conn->rx->fin_at.v : 0;
	return true;
}

/* ---- what is to be expected --------------------------------------------------------------------------------------
 */

static inline int64_t judge_window(const struct conn *conn)
{
	int32_t window = (int32_t)(conn->rcv_adv.v - conn->rcv_nxt.v);

	return window > 0 ? window : 0;
}

/* RFC 9293 section 3.4, the table. */
static inline bool judge_acceptable(const struct conn *conn, const struct tcp_segment *segment)
{
	int64_t first = (int32_t)(segment->seq.v - conn->rcv_nxt.v), window = judge_window(conn);
	int64_t length = tcp_segment_length(segment), last = first + length - 1;

	if (length == 0)
		return window == 0 ? first == 0 : first >= 0 && first < window;
	return window > 0 && ((first >= 0 && first < window) || (last >= 0 && last < window));
}

/* A closed window takes no text, but control information of a segment that stands right (MUST-66). */
static inline bool judge_only_control(const struct conn *conn, const struct tcp_segment *segment)
{
	return judge_window(conn) == 0 && segment->seq.v == conn->rcv_nxt.v && !(segment->flags & TCP_SYN) &&
	       tcp_segment_length(segment) > 0;
}

/* The ACK of a peer that does not know that its probe of our window was taken. */
static inline bool judge_beside_probe(const struct conn *conn, const struct tcp_segment *segment)
{
	return conn->state >= TCPS_ESTABLISHED && segment->seq.v + 1 == conn->rcv_nxt.v &&
	       !(segment->flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_URG)) && segment->payload_bytes == 0;
}

/* All but RST: is it to be refused, by its sequence number, timestamp, SYN or ACK? */
static inline bool judge_refused(const struct rig *rig, const struct conn *conn, const struct tcp_segment *segment)
{
	int64_t age_s = (uint32_t)(rig->now.ns / 1000000000) - conn->ts_recent_age_s;
	int64_t ack = (int32_t)(segment->ack.v - conn->snd_una.v);
	int64_t flight = (uint32_t)(conn->snd_nxt.v - conn->snd_una.v);

	if (segment->flags & TCP_SYN)
		return true;
	if (conn->agreed.timestamps && !segment->options.has_timestamps)
		return true;
	if (conn->agreed.timestamps && (int32_t)(segment->options.tsval - conn->ts_recent) < 0 &&
	    age_s < (int64_t)24 * 86400)
		return true;
	if (!judge_acceptable(conn, segment) && !judge_only_control(conn, segment) &&
	    !judge_beside_probe(conn, segment))
		return true;
	return !(segment->flags & TCP_ACK) || ack > flight || ack < -(int64_t)conn->max_snd_wnd;
}

/* What is left of the text: offsets from RCV.NXT; *ret_fin: its FIN is still there. */
static inline void judge_text(const struct conn *conn, const struct tcp_segment *segment, int64_t *ret_start,
                              int64_t *ret_end, bool *ret_fin)
{
	int64_t start = (int32_t)(segment->seq.v - conn->rcv_nxt.v), end = start + segment->payload_bytes;
	int64_t window = judge_window(conn);

	*ret_fin = segment->flags & TCP_FIN;
	if (judge_only_control(conn, segment)) {
		*ret_fin = *ret_fin && segment->payload_bytes == 0;
		end = start;
	}
	if (end > window) {
		*ret_fin = false;
		end = window;
	}
	if (start < 0)
		start = end < 0 ? end : 0;
	*ret_start = start;
	*ret_end = end > start ? end : start;
}

static inline uint8_t judge_state(const struct judged *before, bool fin, bool fin_acked)
{
	switch (before->conn.state) {
	case TCPS_ESTABLISHED:
		return fin ? TCPS_CLOSE_WAIT : TCPS_ESTABLISHED;
	case TCPS_FIN_WAIT_1:
		if (fin_acked)
			return fin ? TCPS_TIME_WAIT : TCPS_FIN_WAIT_2;
		return fin ? TCPS_CLOSING : TCPS_FIN_WAIT_1;
	case TCPS_FIN_WAIT_2:
		return fin ? TCPS_TIME_WAIT : TCPS_FIN_WAIT_2;
	case TCPS_CLOSING:
		return fin_acked ? TCPS_TIME_WAIT : TCPS_CLOSING;
	case TCPS_LAST_ACK:
		return fin_acked ? TCPS_CLOSED : TCPS_LAST_ACK;
	default:
		return before->conn.state;
	}
}

/* ---- what has become of it ---------------------------------------------------------------------------------------
 */

static inline void judge_unchanged(const struct judged *before, const struct conn *after)
{
	const struct conn *conn = &before->conn;

	WATCH_CHECK(after && after->id == conn->id && after->state == conn->state);
	WATCH_CHECK(after->rcv_nxt.v == conn->rcv_nxt.v && after->snd_una.v == conn->snd_una.v);
	WATCH_CHECK(after->snd_nxt.v == conn->snd_nxt.v && after->snd_wnd == conn->snd_wnd);
	WATCH_CHECK(after->ts_recent == conn->ts_recent && after->bytes_received == conn->bytes_received);
	WATCH_CHECK((after->rx && after->rx->holes ? after->rx->holes->count : 0) == before->holes.count);
	WATCH_CHECK((after->tx ? after->tx->sent.sacked_bytes : 0) == before->sacked);
	WATCH_CHECK(judge_urgent(after) == before->urgent);
}

/* RFC 5961 section 3. */
static inline void judge_reset(const struct judged *before, const struct conn *after,
                               const struct tcp_segment *segment, enum stack_verdict verdict)
{
	const struct conn *conn = &before->conn;
	bool inside = judge_acceptable(conn, segment) || judge_only_control(conn, segment);

	if (inside && segment->seq.v == conn->rcv_nxt.v) {
		WATCH_CHECK(verdict == VERDICT_RESET);
		WATCH_CHECK(!after || after->id != conn->id || after->state == TCPS_CLOSED);
		return;
	}
	judge_unchanged(before, after);
	WATCH_CHECK(inside == (verdict == VERDICT_CHALLENGE_ACK || verdict == VERDICT_CHALLENGE_ACK_LIMITED));
}

/* RFC 9293: "SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK)", and each ACK that moves SND.UNA. */
static inline uint32_t judge_snd_wnd(const struct conn *conn, const struct tcp_segment *segment, int64_t start)
{
	int64_t seq = (int32_t)(conn->rcv_nxt.v + (uint32_t)start - conn->snd_wl1.v);
	bool old = (int32_t)(segment->ack.v - conn->snd_una.v) < 0;
	bool newer = seq >= 0 || (int32_t)(segment->ack.v - conn->snd_wl2.v) > 0;

	return !old && newer ? (uint32_t)segment->window << conn->agreed.snd_wscale : conn->snd_wnd;
}

/* Not more than the blocks that lie in what is in flight. */
static inline void judge_sacked(const struct judged *before, const struct conn *after,
                                const struct tcp_segment *segment)
{
	uint32_t una = before->conn.snd_una.v;
	int64_t flight = (uint32_t)(before->conn.snd_nxt.v - una), most = before->sacked;

	for (int i = 0; i < segment->options.sack_count && before->conn.agreed.sack; i++) {
		int64_t start = (int32_t)(segment->options.sack[i].start.v - una);
		int64_t end = (int32_t)(segment->options.sack[i].end.v - una);

		if (end <= flight && end > 0)
			most += end - (start > 0 ? start : 0);
	}
	WATCH_CHECK(!after->tx || after->tx->sent.sacked_bytes <= most);
}

/* How far RCV.NXT moves, without a FIN. */
static inline int64_t judge_progress(const struct judged *before, int64_t start, int64_t end)
{
	if (start > 0 || end == start)
		return 0;
	for (uint32_t i = 0; i < before->holes.count; i++) {
		int64_t first = (int32_t)(before->holes.range[i].start.v - before->conn.rcv_nxt.v);
		int64_t past = (int32_t)(before->holes.range[i].end.v - before->conn.rcv_nxt.v);

		if (first <= end && past > end)
			end = past;
	}
	return end;
}

static inline void judge_taken(struct rig *rig, const struct judged *before, const struct conn *after,
                               const struct tcp_segment *segment, enum stack_verdict verdict)
{
	const struct conn *conn = &before->conn;
	int64_t ack = (int32_t)(segment->ack.v - conn->snd_una.v), start, end, moved;
	uint32_t una = ack > 0 ? segment->ack.v : conn->snd_una.v;
	bool fin_acked = (conn->flags & CONN_FIN_SENT) && una == conn->snd_end.v + 1, fin, takes, alive;
	uint8_t state;

	takes = !(conn->flags & CONN_FIN_RECEIVED) &&
	        (conn->state == TCPS_ESTABLISHED || conn->state == TCPS_FIN_WAIT_1 || conn->state == TCPS_FIN_WAIT_2);
	judge_text(conn, segment, &start, &end, &fin);
	WATCH_CHECK(verdict != VERDICT_DROP_OUT_OF_WINDOW && verdict != VERDICT_DROP_PAWS &&
	            verdict != VERDICT_CHALLENGE_ACK && verdict != VERDICT_DROP_ACK_UNSENT &&
	            verdict != VERDICT_DROP_ACK_TOO_OLD && verdict != VERDICT_DROP_NO_ACK);
	alive = after && after->id == conn->id;
	if (alive) {
		WATCH_CHECK(after->snd_una.v == una);
		WATCH_CHECK(after->snd_wnd == judge_snd_wnd(conn, segment, start));
		judge_sacked(before, after, segment);
	}
	if (verdict == VERDICT_DROP_NO_MEMORY || verdict == VERDICT_DROP_REASSEMBLY)
		return;
	if ((conn->flags & CONN_ORPHAN) && takes && end > start) { /* RFC 2525 section 2.17 */
		WATCH_CHECK(verdict == VERDICT_DROP_TEXT_CLOSED && (!alive || after->state == TCPS_CLOSED));
		return;
	}
	moved = takes ? judge_progress(before, start, end) : 0;
	/* A FIN that this segment has, else one that waited beyond a hole. */
	fin = takes && (fin ? start <= 0 && end == moved
	                    : before->has_fin && before->fin_at == conn->rcv_nxt.v + (uint32_t)moved);
	state = judge_state(before, fin, fin_acked);
	if (!alive) {
		WATCH_CHECK(state == TCPS_CLOSED || (state == TCPS_TIME_WAIT && (conn->flags & CONN_ORPHAN)));
		return;
	}
	WATCH_CHECK(after->state == state);
	WATCH_CHECK(after->rcv_nxt.v == conn->rcv_nxt.v + (uint32_t)moved + fin);
	if ((segment->flags & TCP_URG) && takes && !fin && !(conn->flags & CONN_ORPHAN) &&
	    rig->memory.fail_from == UINT64_MAX) {
		uint32_t read = conn->rx ? conn->rx->read.v : conn->rcv_nxt.v;
		int64_t up = (int32_t)(segment->seq.v + segment->urgent_pointer - read);

		WATCH_CHECK(judge_urgent(after) == (up > before->urgent ? up : before->urgent));
	}
}

static inline void judge_after(struct rig *rig, const struct flow *flow, const struct judged *before,
                               const struct tcp_segment *segment, enum stack_verdict verdict)
{
	const struct conn *after = judge_find(rig, flow);

	if ((segment->flags & TCP_RST)) {
		judge_reset(before, after, segment, verdict);
	} else if (judge_refused(rig, &before->conn, segment)) {
		judge_unchanged(before, after);
		WATCH_CHECK(verdict != VERDICT_ACCEPTED && verdict != VERDICT_RESET);
	} else {
		judge_taken(rig, before, after, segment, verdict);
	}
}

/* ---- what goes out -----------------------------------------------------------------------------------------------
 */

static inline void judge_out_blocks(const struct conn *conn, const struct tcp_segment *segment)
{
	WATCH_CHECK(segment->options.sack_count == 0 || conn->agreed.sack);
	for (int i = 0; i < segment->options.sack_count; i++) {
		const struct tcp_sack_block *block = &segment->options.sack[i];
		bool twice =
		        i == 0 && ((int32_t)(block->end.v - segment->ack.v) <= 0 || segment->options.sack_count > 1);

		WATCH_CHECK((int32_t)(conn->rcv_adv.v - block->end.v) >= 0 || twice);
		WATCH_CHECK(twice || (int32_t)(block->start.v - segment->ack.v) > 0);
	}
}

/* Text goes no further than the peer's window, but for the octet that probes a closed one; what was sent before the
 * window shrank waits (SHLD-15), but for the tail that is probed with (RFC 8985 section 7.3; MAY-7). */
static inline void judge_out_text(struct rig *rig, const struct conn *conn, const struct tcp_segment *segment)
{
	struct rig_sent *sent = &rig->sent[conn->id % RIG_SENT];
	int64_t first = (int32_t)(segment->seq.v - conn->snd_una.v), past = first + segment->payload_bytes;
	int64_t flight = (uint32_t)(conn->snd_nxt.v - conn->snd_una.v);
	bool is_new = sent->id != conn->id || (int32_t)(conn->snd_una.v + (uint32_t)past - sent->end) > 0;

	if (segment->payload_bytes == 1 && first == flight - 1)
		return; /* garbage of a keepalive (RFC 9293 section 3.8.4), or a probe */
	WATCH_CHECK(first >= 0 && past <= flight);
	if (segment->payload_bytes > 1 && (is_new || past < flight - 1))
		WATCH_CHECK(past <= conn->snd_wnd);
	if (is_new)
		*sent = (struct rig_sent){ conn->id, conn->snd_una.v + (uint32_t)past };
}

static inline void judge_out(struct rig *rig, const struct ip_packet *ip, const struct tcp_segment *segment)
{
	struct flow flow = { .local = ip->source, .remote = ip->destination };
	int64_t edge, promised;
	const struct conn *conn;

	flow.local_port = segment->source_port;
	flow.remote_port = segment->destination_port;
	conn = judge_find(rig, &flow);
	if (!conn || conn->state < TCPS_ESTABLISHED || (segment->flags & (TCP_SYN | TCP_RST)) ||
	    conn->state == TCPS_CLOSED)
		return;
	if (segment->seq.v - conn->iss.v > conn->snd_nxt.v - conn->iss.v ||
	    (segment->payload_bytes == 0 &&
	     (rig->now.ns - conn->opened.ns < 1000000 || rig->now.ns < rig->neighbours_until.ns)))
		return; /* of an earlier connection perhaps: it had to wait for the neighbour, or for its turn */
	WATCH_CHECK(segment->flags & TCP_ACK);
	if (segment->payload_bytes > 0)
		judge_out_text(rig, conn, segment);
	if (segment->flags & TCP_FIN) {
		WATCH_CHECK(segment->seq.v + segment->payload_bytes == conn->snd_end.v);
		WATCH_CHECK(conn->flags & CONN_FIN_QUEUED);
	}
	if (segment->flags & TCP_URG)
		WATCH_CHECK(conn->tx && conn->tx->has_urgent &&
		            (segment->urgent_pointer == UINT16_MAX ||
		             segment->seq.v + segment->urgent_pointer == conn->tx->snd_up.v));
	/* What is acknowledged has arrived; the window's edge is the one that is remembered, but for rounding. */
	WATCH_CHECK((int32_t)(conn->rcv_nxt.v - segment->ack.v) >= 0);
	edge = (int32_t)(segment->ack.v - conn->rcv_nxt.v) + ((int64_t)segment->window << conn->agreed.rcv_wscale);
	promised = (int32_t)(conn->rcv_adv.v - conn->rcv_nxt.v);
	WATCH_CHECK(edge <= (promised > 0 ? promised : 0));
	WATCH_CHECK(edge + (1ll << conn->agreed.rcv_wscale) > promised || segment->window == UINT16_MAX ||
	            rig->now.ns >= rig->neighbours_until.ns);
	WATCH_CHECK(segment->options.has_timestamps == conn->agreed.timestamps);
	judge_out_blocks(conn, segment);
}
