/* The receive side: payload read in place while its frame lasts, copied to the connection's own strip when a service
 * leaves it unread or when it arrives ahead of a hole; and the window that follows from it. */
#include "core/tcp/engine.h"

uint32_t receive_unread(const struct conn *conn)
{
	uint32_t fin = conn->flags & CONN_FIN_RECEIVED ? 1 : 0;

	return conn->rx ? (uint32_t)seq_diff(conn->rcv_nxt, conn->rx->read) - fin : 0;
}

static bool nothing_in_strip(const struct receive_queue *rx)
{
	return !rx->holes && seq_eq(rx->read, rx->settled);
}

/* Copies to the strip, at its place. */
static bool write_strip(struct stack *stack, struct receive_queue *rx, seq_t at, const uint8_t *bytes,
                        uint32_t length)
{
	if (strip_write(&rx->strip, &stack->blocks, at, bytes, length) == 0)
		return true;
	COUNT(stack, alloc_failures);
	return false;
}

/* What was dropped unread is not here any more to have come twice. */
static void forget_duplicates(struct conn *conn)
{
	if (conn->extra)
		conn->extra->loss.duplicates.count = 0;
}

bool receive_settle(struct stack *stack, struct conn *conn)
{
	struct receive_queue *rx = conn->rx;
	struct span *span;

	if (!rx)
		return true;
	for (span = rx->first_span; span; span = span->next) {
		if (!write_strip(stack, rx, rx->settled, span->bytes, span->length))
			break;
		rx->settled = seq_add(rx->settled, span->length);
		stack->counters.bytes_copied_in += span->length;
	}
	rx->first_span = rx->last_span = NULL;
	if (!span)
		return true;
	/* Not acknowledged yet (the ACK goes out after this), so the peer will send it again. */
	conn->bytes_received -= (uint32_t)seq_diff(conn->rcv_nxt, rx->settled);
	conn->rcv_nxt = rx->settled;
	forget_duplicates(conn);
	return false;
}

static bool add_span(struct stack *stack, struct conn *conn, const uint8_t *bytes, uint32_t length)
{
	struct receive_queue *rx = conn->rx;
	struct span *span;

	if (stack->spans_used == SPANS_PER_TURN)
		return false;
	span = &stack->spans[stack->spans_used++];
	*span = (struct span){ .bytes = bytes, .length = length };
	if (rx->last_span)
		rx->last_span->next = span;
	else
		rx->first_span = span;
	rx->last_span = span;
	if (!(conn->flags & CONN_ON_SETTLE)) {
		conn->flags |= CONN_ON_SETTLE;
		rx->settle_next = stack->settle_first;
		stack->settle_first = conn;
	}
	return true;
}

static void drop_holes(struct stack *stack, struct receive_queue *rx)
{
	if (rx->holes)
		pool_put(&stack->hole_sets, (char *)rx->holes - sizeof(struct pool_head));
	rx->holes = NULL;
}

/* What waited beyond the hole that was just filled becomes in-order. */
static void absorb_holes(struct stack *stack, struct conn *conn)
{
	struct receive_queue *rx = conn->rx;
	seq_t filled = conn->rcv_nxt;

	/* What filled the hole may reach over several ranges and end inside one. */
	for (uint32_t i = 0; i < rx->holes->count && seq_leq(rx->holes->range[i].start, conn->rcv_nxt); i++)
		conn->rcv_nxt = seq_max(conn->rcv_nxt, rx->holes->range[i].end);
	ranges_remove_before(rx->holes, conn->rcv_nxt);
	if (rx->holes->count == 0)
		drop_holes(stack, rx);
	rx->settled = conn->rcv_nxt;
	conn->bytes_received += (uint32_t)seq_diff(conn->rcv_nxt, filled);
}

void receive_ends(struct stack *stack, struct conn *conn)
{
	struct receive_queue *rx = conn->rx;

	if (!rx || !rx->holes)
		return;
	drop_holes(stack, rx);
	forget_duplicates(conn);
	if (nothing_in_strip(rx) && !rx->first_span)
		strip_release(&rx->strip, &stack->blocks, rx->read, true);
}

/* RFC 2883 section 4: what of it is here already. */
static void note_overlap(struct stack *stack, struct conn *conn, const struct ranges *holes, seq_t at, seq_t end)
{
	for (uint32_t i = 0; i < holes->count && seq_lt(holes->range[i].start, end); i++)
		recovery_note_duplicate(stack, conn, seq_max(at, holes->range[i].start),
		                        seq_min(end, holes->range[i].end));
}

bool receive_in_order(struct stack *stack, struct conn *conn, const uint8_t *bytes, uint32_t length)
{
	struct receive_queue *rx = conn_rx(stack, conn);

	if (!rx)
		return false;
	if (rx->holes || !add_span(stack, conn, bytes, length)) {
		if (!receive_settle(stack, conn) || !write_strip(stack, rx, conn->rcv_nxt, bytes, length))
			return false;
		rx->settled = seq_add(conn->rcv_nxt, length);
		stack->counters.bytes_copied_in += length;
	}
	conn->rcv_nxt = seq_add(conn->rcv_nxt, length);
	conn->bytes_received += length;
	if (rx->holes) {
		note_overlap(stack, conn, rx->holes, seq_sub(conn->rcv_nxt, length), conn->rcv_nxt);
		absorb_holes(stack, conn);
	}
	return true;
}

bool buffers_are_short(const struct stack *stack)
{
	return stack->blocks.used > stack->blocks.limit - stack->blocks.limit / 8;
}

/* Is there room for one more range, or does this one only make another longer? */
static bool fits(const struct receive_queue *rx, seq_t at, uint32_t length)
{
	seq_t end = seq_add(at, length);

	if (!rx->holes || rx->holes->count < RANGES_MAX)
		return true;
	for (uint32_t i = 0; i < rx->holes->count; i++) {
		if (seq_leq(at, rx->holes->range[i].end) && seq_leq(rx->holes->range[i].start, end))
			return true;
	}
	return false;
}

bool receive_out_of_order(struct stack *stack, struct conn *conn, seq_t at, const uint8_t *bytes, uint32_t length)
{
	struct receive_queue *rx = conn_rx(stack, conn);
	bool first;

	if (!rx || buffers_are_short(stack) || !fits(rx, at, length))
		return false;
	first = !rx->holes;
	if (!first)
		note_overlap(stack, conn, rx->holes, at, seq_add(at, length));
	if (first) {
		char *record = pool_get(&stack->hole_sets);

		if (!record) {
			COUNT(stack, alloc_failures);
			return false;
		}
		rx->holes = (struct ranges *)(void *)(record + sizeof(struct pool_head));
	}
	/* First the bytes, then the mark: a failed copy must leave no mark. */
	if (write_strip(stack, rx, at, bytes, length) && ranges_add(rx->holes, at, seq_add(at, length)))
		return true;
	if (first) {
		drop_holes(stack, rx);
		if (nothing_in_strip(rx) && !rx->first_span)
			strip_release(&rx->strip, &stack->blocks, rx->read, true);
	}
	return false;
}

void receive_sack_blocks(const struct conn *conn, struct tcp_options *options)
{
	const struct ranges *holes = conn->rx ? conn->rx->holes : NULL;
	struct seq_range recent[TCP_SACK_BLOCKS_MAX];
	uint32_t count;

	if (!holes || !conn->agreed.sack)
		return;
	count = ranges_recent(holes, recent, TCP_SACK_BLOCKS_MAX - options->sack_count);
	for (uint32_t i = 0; i < count; i++)
		options->sack[options->sack_count++] = (struct tcp_sack_block){ recent[i].start, recent[i].end };
}

void receive_clear(struct stack *stack, struct conn *conn)
{
	struct receive_queue *rx = conn->rx;

	if (!rx)
		return;
	drop_holes(stack, rx);
	forget_duplicates(conn);
	strip_clear(&rx->strip, &stack->blocks);
	rx->first_span = rx->last_span = NULL;
	rx->read = rx->settled = seq_sub(conn->rcv_nxt, conn->flags & CONN_FIN_RECEIVED ? 1 : 0);
	if (conn->flags & CONN_ON_SETTLE) /* the list runs through it: stack_settle frees it */
		return;
	pool_put(&stack->receive_queues, rx);
	conn->rx = NULL;
}

seq_t receive_window_edge(struct stack *stack, struct conn *conn)
{
	uint32_t unread = receive_unread(conn);
	uint32_t room = conn->rcvbuf > unread ? conn->rcvbuf - unread : 0;
	uint32_t window_max = (uint32_t)UINT16_MAX << conn->agreed.rcv_wscale;
	int32_t unit = 1 << conn->agreed.rcv_wscale;
	uint32_t worth = conn->rcvbuf / 2 < conn->rcv_mss ? conn->rcvbuf / 2 : conn->rcv_mss;
	seq_t edge;

	if (buffers_are_short(stack) && room > BLOCK_BYTES)
		room = BLOCK_BYTES;
	if (room > window_max)
		room = window_max;
	edge = seq_add(conn->rcv_nxt, room);
	/* Receiver's silly-window avoidance (RFC 9293 3.8.6.2.2): open it by a worthwhile step or not at all. */
	if (seq_lt(edge, seq_add(conn->rcv_adv, worth)))
		edge = conn->rcv_adv;
	/* A small buffer must not be scaled away to nothing: then it is offered a little more than it has. */
	if (room > 0 && room >= worth && seq_diff(edge, conn->rcv_nxt) < unit)
		edge = seq_add(conn->rcv_nxt, (uint32_t)unit);
	return seq_lt(edge, conn->rcv_nxt) ? conn->rcv_nxt : edge;
}

/* Dynamic right-sizing: a window of twice what the service reads in a round trip never holds the sender back. */
static void autotune(struct stack *stack, struct conn *conn, seq_t read)
{
	int64_t rtt_us = conn->rtt.srtt.ns > 0 ? conn->rtt.srtt.ns / 1000 : conn->rcv_rtt_us;
	uint32_t now_us = (uint32_t)(stack->now.ns / 1000);
	uint32_t limit = conn->tcp->rcvbuf_max_bytes;
	uint32_t consumed;

	if (!conn->tcp->rcvbuf_autotune || now_us - conn->autotune_us < (rtt_us > 1000 ? rtt_us : 1000))
		return;
	consumed = (uint32_t)seq_diff(read, conn->autotune_seq);
	conn->autotune_seq = read;
	conn->autotune_us = now_us;
	if (consumed > conn->rcvbuf / 2 && conn->rcvbuf < limit && !buffers_are_short(stack))
		conn->rcvbuf = consumed > limit / 2 ? limit : 2 * consumed;
}

/* Takes `length` bytes off the front of the spans; the strip holds nothing before them. */
static void consume_spans(struct receive_queue *rx, uint32_t length)
{
	while (length > 0) {
		struct span *span = rx->first_span;

		if (length < span->length) {
			span->bytes += length;
			span->length -= length;
			return;
		}
		length -= span->length;
		rx->first_span = span->next;
		if (!rx->first_span)
			rx->last_span = NULL;
	}
}

void receive_consumed(struct stack *stack, struct conn *conn, uint32_t length)
{
	struct receive_queue *rx = conn->rx;
	uint32_t in_strip = (uint32_t)seq_diff(rx->settled, rx->read);
	int32_t window, growth;

	rx->read = seq_add(rx->read, length);
	if (length >= in_strip) {
		rx->settled = rx->read;
		consume_spans(rx, length - in_strip);
	}
	if (rx->strip.blocks > 0)
		strip_release(&rx->strip, &stack->blocks, rx->read, nothing_in_strip(rx));
	else
		strip_init(&rx->strip, rx->read);
	urgent_settle(conn);
	autotune(stack, conn, rx->read);
	if (!(conn->flags & CONN_ON_SETTLE))
		conn_release_idle_queues(stack, conn);
	if (conn->flags & CONN_FIN_RECEIVED || conn->state < TCPS_ESTABLISHED)
		return;
	/* A window update is worth a segment when the peer may be waiting for it. */
	window = seq_diff(conn->rcv_adv, conn->rcv_nxt);
	growth = seq_diff(receive_window_edge(stack, conn), conn->rcv_adv);
	if (growth > 0 && (window < 2 * conn->rcv_mss || growth >= (int32_t)(conn->rcvbuf / 4))) {
		conn->flags |= CONN_ACK_NOW;
		conn_want_output(stack, conn);
	}
}
