/* Segments outside any connection, or on behalf of one that keeps no send queue: RST, SYN-ACK, challenge ACK, ACK
 * from TIME-WAIT. They go through the queue of raw frames. */
#include "core/tcp/engine.h"
#include "core/wire/bytes.h"
#include "core/wire/checksum.h"

uint32_t tcp_clock_ms(const struct stack *stack)
{
	return (uint32_t)(stack->now.ns / 1000000);
}

void reply_segment(struct stack *stack, const struct stack_tcp_config *tcp, const struct flow *flow,
                   const struct tcp_segment *segment)
{
	struct raw_frame *frame = raw_slot(stack);
	struct ip_service service = { .tos = (uint8_t)(tcp->dscp << 2), .ttl = tcp->ttl, .dont_fragment = true };
	uint32_t ip_bytes = ip_headers_bytes(flow), bytes;
	struct tcp_segment seg = *segment;
	uint8_t *out;
	uint64_t sum;

	if (!frame)
		return;
	out = frame->bytes + ip_bytes;
	seg.source_port = flow->local_port;
	seg.destination_port = flow->remote_port;
	bytes = (uint32_t)tcp_write(out, &seg);
	CORE_ASSERT(seg.payload_bytes <= 1);
	if (seg.payload_bytes > 0)
		out[bytes++] = seg.payload[0];
	sum = checksum_pseudo(&flow->local, &flow->remote, IP_PROTOCOL_TCP, bytes);
	sum = checksum_add(sum, out, bytes, 0);
	store16(out + 16, (uint16_t)~checksum_fold(sum));
	ip_write_headers(stack, frame->bytes, NULL, flow, &service, bytes);
	frame->destination = flow->remote;
	frame->inline_bytes = frame->length = (uint16_t)(ip_bytes + bytes);
	frame->block = NULL;
	if (stack->watch)
		watch_reply(stack, flow, frame);
	if (seg.flags & TCP_RST)
		COUNT(stack, resets_sent);
	COUNT(stack, segments_out);
	raw_push(stack);
}

const struct stack_tcp_config *reply_tunables(struct stack *stack, const struct flow *flow)
{
	const struct listener *listener = demux_listener(stack, &flow->local, flow->local_port);

	return listener ? listener->tcp : &stack->config.tcp;
}

void reply_reset(struct stack *stack, const struct arrival *in)
{
	struct tcp_segment rst = { .flags = TCP_RST };

	if (in->seg.flags & TCP_ACK) {
		rst.seq = in->seg.ack;
	} else {
		rst.ack = seq_add(in->seg.seq, tcp_segment_length(&in->seg));
		rst.flags |= TCP_ACK;
	}
	reply_segment(stack, reply_tunables(stack, &in->flow), &in->flow, &rst);
}

/* Of a segment with this ACK: whatever it acknowledges, the edge stays where it was (SHLD-14). */
static uint16_t window_field(const struct conn *conn, seq_t ack)
{
	int32_t window = seq_diff(conn->rcv_adv, ack);
	uint32_t field = window > 0 ? (uint32_t)window >> conn->agreed.rcv_wscale : 0;

	return field < UINT16_MAX ? (uint16_t)field : UINT16_MAX;
}

void reply_reset_conn(struct stack *stack, const struct conn *conn)
{
	struct tcp_segment rst = { .seq = conn_bare_seq(conn), .ack = conn->rcv_nxt, .flags = TCP_RST | TCP_ACK };

	reply_segment(stack, conn->tcp, &conn->node.flow, &rst);
}

bool reply_allowed(struct stack *stack, struct challenge_limit *limit)
{
	uint8_t second = (uint8_t)(stack->now.ns / 1000000000);

	if (limit->second != second)
		*limit = (struct challenge_limit){ .second = second };
	if (limit->count >= stack->config.tcp.challenge_acks_per_s || limit->count == UINT8_MAX)
		return false;
	limit->count++;
	COUNT(stack, challenge_acks);
	return true;
}

/* <SEQ><ACK=RCV.NXT><CTL=ACK> on behalf of a connection, out of its turn. */
static void send_ack(struct stack *stack, const struct conn *conn, seq_t seq, uint16_t ecn_flags, const void *payload,
                     uint32_t bytes)
{
	/* It leaves before this turn's payload is settled: what may still be given up is not acknowledged. */
	seq_t safe = conn->rx && conn->rx->first_span ? conn->rx->settled : conn->rcv_nxt;
	struct tcp_segment ack = {
		.seq = seq,
		.ack = safe,
		.flags = TCP_ACK | ecn_flags,
		.window = window_field(conn, safe),
		.payload = payload,
		.payload_bytes = bytes,
	};

	if (conn->agreed.timestamps) {
		ack.options.has_timestamps = true;
		ack.options.tsval = tcp_clock_ms(stack) + secrets_timestamp_offset(stack, &conn->node.flow);
		ack.options.tsecr = conn->ts_recent;
	}
	receive_sack_blocks(conn, &ack.options); /* RFC 2018 section 4: in all ACKs */
	reply_segment(stack, conn->tcp, &conn->node.flow, &ack);
}

void reply_ack(struct stack *stack, const struct conn *conn)
{
	send_ack(stack, conn, conn_bare_seq(conn), ecn_ack_flags(conn, false), NULL, 0);
}

enum stack_verdict reply_challenge(struct stack *stack, struct conn *conn)
{
	return reply_challenge_flags(stack, conn, ecn_ack_flags(conn, false));
}

enum stack_verdict reply_challenge_flags(struct stack *stack, struct conn *conn, uint16_t ecn_flags)
{
	if (seq_eq(conn->snd_nxt, conn->iss)) /* our SYN has not left yet: it will say all this */
		return VERDICT_CHALLENGE_ACK_LIMITED;
	if (!reply_allowed(stack, &conn->challenges))
		return VERDICT_CHALLENGE_ACK_LIMITED;
	send_ack(stack, conn, conn_bare_seq(conn), ecn_flags, NULL, 0);
	return VERDICT_CHALLENGE_ACK;
}

void reply_keepalive(struct stack *stack, struct conn *conn, bool garbage)
{
	static const uint8_t octet = 0;

	conn->segs_out++;
	send_ack(stack, conn, seq_sub(conn->snd_nxt, 1), ecn_ack_flags(conn, false), &octet, garbage ? 1 : 0);
}
