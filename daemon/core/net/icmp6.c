/* ICMPv6 (RFC 4443): echo, errors out, errors in; the rest goes to neighbour discovery (nd.c) and MLD (mld.c). */
#include "core/tcp/engine.h"
#include "core/wire/bytes.h"
#include "core/wire/ipv6.h"

#define QUOTED_BYTES_MAX (IPV6_MTU_LEAST - IPV6_HEADER_BYTES - ICMP6_HEADER_BYTES) /* section 2.4(c) */

static void send_message(struct stack *stack, const struct ip_packet *about, const struct ip_addr *source,
                         const struct icmp6_message *message, uint8_t *scratch)
{
	struct ip_packet ip = {
		.source = *source,
		.destination = about->source,
		.ttl = ip6_hop_limit(stack, stack->config.tcp.ttl),
		.protocol = IP_PROTOCOL_ICMPV6,
	};

	COUNT(stack, icmp_out);
	ip_send(stack, &ip, scratch, (uint32_t)icmp6_write(scratch, &ip.source, &ip.destination, message));
}

/* The address that answers a packet: the one it was sent to, but for a group one of ours (RFC 4443 section 2.2). */
static bool answer_from(const struct stack *stack, const struct ip_packet *ip, struct ip_addr *ret_source)
{
	struct ip_addr next_hop;

	if (!ipv6_is_multicast(&ip->destination)) {
		*ret_source = ip->destination;
		return true;
	}
	return ip_route(stack, &ip->source, ret_source, &next_hop);
}

/* RFC 4443 section 2.4(e): never about another error or a redirect, and about what was sent to a group only what the
 * sender must hear even so. */
static bool may_be_told(const struct ip_packet *ip, uint8_t type, uint8_t code)
{
	bool group = ip->to_group || ipv6_is_multicast(&ip->destination);

	if (ipv6_is_unspecified(&ip->source) || (ip->header_bytes == 0))
		return false;
	if (group && !(type == ICMP6_PARAMETER_PROBLEM && code == ICMP6_PROBLEM_OPTION))
		return false;
	return ip->protocol != IP_PROTOCOL_ICMPV6 ||
	       (ip->payload_bytes > 0 && !icmp6_is_error(ip->payload[0]) && ip->payload[0] != ICMP6_REDIRECT);
}

void icmp6_error(struct stack *stack, const struct ip_packet *ip, uint8_t type, uint8_t code, uint32_t word)
{
	uint32_t quoted = ip->header_bytes + ip->payload_bytes;
	uint8_t scratch[ICMP6_HEADER_BYTES + QUOTED_BYTES_MAX];
	struct icmp6_message message = {
		.type = type,
		.code = code,
		.word = word,
		.payload = ip->payload - ip->header_bytes,
		.payload_bytes = quoted > QUOTED_BYTES_MAX ? QUOTED_BYTES_MAX : quoted,
	};
	struct ip_addr source;

	if (may_be_told(ip, type, code) && answer_from(stack, ip, &source) && icmp_error_allowed(stack))
		send_message(stack, ip, &source, &message, scratch);
}

/* Groups are answered, too: that is how people look for neighbours; but no faster than errors go out. */
static enum stack_verdict echo(struct stack *stack, const struct ip_packet *ip, const struct icmp6_message *request)
{
	struct icmp6_message reply = *request;
	size_t size = ICMP6_HEADER_BYTES + (size_t)request->payload_bytes;
	struct ip_addr source;
	uint8_t *scratch;

	if (!answer_from(stack, ip, &source) || (ipv6_is_multicast(&ip->destination) && !icmp_error_allowed(stack)))
		return VERDICT_DROP_ICMP;
	reply.type = ICMP6_ECHO_REPLY;
	reply.code = 0;
	scratch = stack->memory.alloc(stack->memory.context, size);
	if (!scratch)
		return VERDICT_DROP_NO_MEMORY;
	send_message(stack, ip, &source, &reply, scratch);
	stack->memory.free(stack->memory.context, scratch, size);
	return VERDICT_ACCEPTED;
}

/* The flow and sequence number that an error quotes; false: not TCP as we send it, or cut too short. IPv4 addresses
 * in there would name a connection that no IPv6 error can be about. */
static bool read_quoted(const struct icmp6_message *message, struct flow *ret_flow, seq_t *ret_seq)
{
	struct reader reader = { message->payload, message->payload_bytes };
	const uint8_t *ip = reader_take(&reader, IPV6_HEADER_BYTES);
	const uint8_t *tcp = ip ? reader_take(&reader, 8) : NULL;
	struct flow flow;

	if (!tcp || ip[0] >> 4 != 6 || ip[6] != IP_PROTOCOL_TCP)
		return false;
	memcpy(flow.local.b, ip + 8, 16);
	memcpy(flow.remote.b, ip + 24, 16);
	flow.local_port = load16(tcp);
	flow.remote_port = load16(tcp + 2);
	if (ip_addr_is_v4(&flow.local) || ip_addr_is_v4(&flow.remote))
		return false;
	*ret_flow = flow;
	*ret_seq = SEQ(load32(tcp + 4));
	return true;
}

/* Hard ones say that nobody will ever answer there: RFC 1122 section 4.2.3.9, in the words of RFC 4443. */
static enum icmp_news_kind kind_of(const struct icmp6_message *message)
{
	switch (message->type) {
	case ICMP6_PACKET_TOO_BIG:
		return ICMP_NEWS_TOO_BIG;
	case ICMP6_UNREACHABLE:
		return message->code == ICMP6_PORT_UNREACHABLE || message->code == ICMP6_PROHIBITED ? ICMP_NEWS_HARD
		                                                                                    : ICMP_NEWS_SOFT;
	case ICMP6_PARAMETER_PROBLEM:
		return message->code == ICMP6_PROBLEM_NEXT_HEADER ? ICMP_NEWS_HARD : ICMP_NEWS_SOFT;
	default:
		return ICMP_NEWS_SOFT;
	}
}

static enum stack_verdict error_arrives(struct stack *stack, const struct icmp6_message *message)
{
	struct icmp_news news = {
		.kind = kind_of(message), .type = message->type, .code = message->code, .mtu_bytes = message->word
	};

	if (news.kind == ICMP_NEWS_TOO_BIG && news.mtu_bytes < IPV6_MTU_LEAST) /* RFC 8201 section 4 */
		return VERDICT_DROP_ICMP;
	if (!read_quoted(message, &news.flow, &news.seq))
		return VERDICT_DROP_ICMP_UNRELATED;
	return icmp_news_arrives(stack, &news);
}

enum stack_verdict icmp6_arrives(struct stack *stack, const struct ip_packet *ip)
{
	bool nowhere = ipv6_is_unspecified(&ip->source);
	struct icmp6_message message;

	if (icmp6_read(ip->payload, ip->payload_bytes, &ip->source, &ip->destination, &message) < 0)
		return VERDICT_DROP_ICMP;
	/* Whoever has no address yet asks for neighbours, and nothing else that we answer. */
	if (nowhere && message.type != ICMP6_NEIGHBOUR_SOLICITATION)
		return VERDICT_DROP_ICMP;
	/* Who has an address that we have, too, or want, says so from that address (RFC 4862 section 5.4.4). */
	if (message.type != ICMP6_NEIGHBOUR_ADVERTISEMENT && ip_is_own(stack, &ip->source))
		return VERDICT_DROP_IP_SOURCE;
	switch (message.type) {
	case ICMP6_ECHO:
		return echo(stack, ip, &message);
	case ICMP6_UNREACHABLE:
	case ICMP6_PACKET_TOO_BIG:
	case ICMP6_TIME_EXCEEDED:
	case ICMP6_PARAMETER_PROBLEM:
		return ipv6_is_multicast(&ip->destination) ? VERDICT_DROP_ICMP : error_arrives(stack, &message);
	case ICMP6_MLD_QUERY:
		return mld_query_arrives(stack, ip, &message);
	case ICMP6_ROUTER_SOLICITATION:
	case ICMP6_ROUTER_ADVERTISEMENT:
	case ICMP6_NEIGHBOUR_SOLICITATION:
	case ICMP6_NEIGHBOUR_ADVERTISEMENT:
		return nd_arrives(stack, ip, &message);
	default:
		/* Redirects among them: they save one hop to a router that is there anyway, and whoever can write to
		 * this link could lead connections astray with them. */
		return VERDICT_DROP_ICMP;
	}
}
