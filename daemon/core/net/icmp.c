/* ICMP (RFC 792, RFC 1122 section 3.2.2): echo, errors out, and errors in as RFC 5927 wants them: matched to
 * something in flight, and never able to kill a connection that has been established. */
#include "core/tcp/engine.h"
#include "core/wire/bytes.h"
#include "core/wire/ipv6.h"

#define ERRORS_PER_S 100
#define QUOTED_BYTES_MAX 548 /* RFC 1812 4.3.2.3: an error packet of at most 576 bytes */

bool icmp_error_allowed(struct stack *stack)
{
	struct duration since = instant_sub(stack->now, stack->icmp_tokens_at);
	int64_t earned = since.ns / (1000000000 / ERRORS_PER_S);

	if (earned > 0) {
		stack->icmp_tokens = earned >= ERRORS_PER_S - stack->icmp_tokens
		                             ? ERRORS_PER_S
		                             : stack->icmp_tokens + (uint32_t)earned;
		stack->icmp_tokens_at = stack->now;
	}
	if (stack->icmp_tokens == 0)
		return false;
	stack->icmp_tokens--;
	return true;
}

static void send_message(struct stack *stack, const struct ip_packet *about, const struct icmp_message *message,
                         uint8_t *scratch)
{
	struct ip_packet ip = {
		.source = about->destination,
		.destination = about->source,
		.ttl = stack->config.tcp.ttl,
		.protocol = IP_PROTOCOL_ICMP,
	};

	COUNT(stack, icmp_out);
	ip_send(stack, &ip, scratch, (uint32_t)icmp_write(scratch, message));
}

static bool is_error(uint8_t type)
{
	return type == ICMP_UNREACHABLE || type == ICMP_SOURCE_QUENCH || type == ICMP_REDIRECT ||
	       type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER_PROBLEM;
}

/* RFC 1122 section 3.2.2: never about another error, nor about what was sent to more than this host. A packet made
 * whole from fragments has lost its header: nothing that could be quoted. */
static bool may_be_told(const struct stack *stack, const struct ip_packet *ip)
{
	if (ip->header_bytes == 0 || ip->to_group || !ip_is_local(stack, &ip->destination))
		return false;
	return ip->protocol != IP_PROTOCOL_ICMP || (ip->payload_bytes > 0 && !is_error(ip->payload[0]));
}

void icmp_error(struct stack *stack, const struct ip_packet *ip, uint8_t type, uint8_t code)
{
	uint32_t quoted = ip->header_bytes + ip->payload_bytes;
	uint8_t scratch[ICMP_HEADER_BYTES + QUOTED_BYTES_MAX];
	struct icmp_message message = {
		.type = type,
		.code = code,
		.payload = ip->payload - ip->header_bytes,
		.payload_bytes = quoted > QUOTED_BYTES_MAX ? QUOTED_BYTES_MAX : quoted,
	};

	if (may_be_told(stack, ip) && icmp_error_allowed(stack))
		send_message(stack, ip, &message, scratch);
}

static enum stack_verdict echo(struct stack *stack, const struct ip_packet *ip, const struct icmp_message *request)
{
	struct icmp_message reply = *request;
	uint8_t *scratch;
	size_t size = ICMP_HEADER_BYTES + (size_t)request->payload_bytes;

	reply.type = ICMP_ECHO_REPLY;
	reply.code = 0;
	scratch = stack->memory.alloc(stack->memory.context, size);
	if (!scratch)
		return VERDICT_DROP_NO_MEMORY;
	send_message(stack, ip, &reply, scratch);
	stack->memory.free(stack->memory.context, scratch, size);
	return VERDICT_ACCEPTED;
}

enum stack_verdict icmp_news_arrives(struct stack *stack, const struct icmp_news *news)
{
	struct flow_node *node;
	enum record_kind kind;
	struct conn *conn;

	watch_arrives(stack, &news->flow);
	node = demux_find(stack, &news->flow, &kind);
	if (node && kind == RECORD_HALF_OPEN)
		return unreachable_half_open(stack, (struct half_open *)node, news);
	if (!node || kind != RECORD_CONN)
		return VERDICT_DROP_ICMP_UNRELATED;
	conn = (struct conn *)node;
	if (seq_lt(news->seq, conn->snd_una) || seq_geq(news->seq, conn->snd_nxt)) /* RFC 5927 section 4.1 */
		return VERDICT_DROP_ICMP_UNRELATED;
	if (news->kind != ICMP_NEWS_TOO_BIG)
		return unreachable_conn(stack, conn, news);
	path_too_big(stack, conn, news->seq, news->mtu_bytes, news->quoted_bytes);
	return VERDICT_ACCEPTED;
}

/* The flow, sequence number and length of the packet that an error quotes; false: not TCP, or cut too short. */
static bool read_quoted(const struct icmp_message *message, struct flow *ret_flow, seq_t *ret_seq,
                        uint32_t *ret_bytes)
{
	struct reader reader = { message->payload, message->payload_bytes };
	const uint8_t *ip = reader_take(&reader, IPV4_HEADER_BYTES);
	const uint8_t *tcp;
	size_t options;

	if (!ip || ip[0] >> 4 != 4 || (ip[0] & 15) < 5 || ip[9] != IP_PROTOCOL_TCP || (load16(ip + 6) & 0x1fff) != 0)
		return false;
	options = (size_t)(ip[0] & 15) * 4 - IPV4_HEADER_BYTES;
	tcp = reader_take(&reader, options) ? reader_take(&reader, 8) : NULL;
	if (!tcp)
		return false;
	*ret_flow = (struct flow){
		.local = ip_addr_v4(load32(ip + 12)),
		.remote = ip_addr_v4(load32(ip + 16)),
		.local_port = load16(tcp),
		.remote_port = load16(tcp + 2),
	};
	*ret_seq = SEQ(load32(tcp + 4));
	*ret_bytes = load16(ip + 2);
	return true;
}

static enum icmp_news_kind kind_of(const struct icmp_message *message)
{
	if (message->type != ICMP_UNREACHABLE)
		return ICMP_NEWS_SOFT;
	switch (message->code) {
	case ICMP_FRAGMENTATION_NEEDED:
		return ICMP_NEWS_TOO_BIG;
	case ICMP_PROTOCOL_UNREACHABLE:
	case ICMP_PORT_UNREACHABLE:
		return ICMP_NEWS_HARD;
	default:
		return ICMP_NEWS_SOFT;
	}
}

static enum stack_verdict error_arrives(struct stack *stack, const struct icmp_message *message)
{
	struct icmp_news news = { .kind = kind_of(message),
		                  .type = message->type,
		                  .code = message->code,
		                  .mtu_bytes = message->next_hop_mtu };

	if (!read_quoted(message, &news.flow, &news.seq, &news.quoted_bytes))
		return VERDICT_DROP_ICMP_UNRELATED;
	return icmp_news_arrives(stack, &news);
}

enum stack_verdict icmp_arrives(struct stack *stack, const struct ip_packet *ip)
{
	struct icmp_message message;

	if (icmp_read(ip->payload, ip->payload_bytes, &message) < 0)
		return VERDICT_DROP_ICMP;
	switch (message.type) {
	case ICMP_ECHO:
		return echo(stack, ip, &message);
	case ICMP_UNREACHABLE:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETER_PROBLEM:
		return error_arrives(stack, &message);
	default: /* Source Quench among them: RFC 6633 */
		return VERDICT_DROP_ICMP;
	}
}
