/* IPv6's way in (RFC 8200): whose packets are taken, extension headers, fragments, and the way to the transport. */
#include "core/tcp/engine.h"
#include "core/wire/ipv6.h"

#include <errno.h>

/* RFC 6437 section 3: the same for all packets of a flow, and no other flow's by more than chance. */
uint32_t ip6_flow_label(const struct stack *stack, const struct flow *flow)
{
	return (uint32_t)keyed_hash(&stack->net6.flow_label_key, flow, sizeof(*flow)) & 0xfffff;
}

uint8_t ip6_hop_limit(const struct stack *stack, uint8_t configured)
{
	return stack->net6.hop_limit > configured ? stack->net6.hop_limit : configured;
}

static enum stack_verdict transport_arrives(struct stack *stack, const struct ip_packet *ip, uint8_t checksum,
                                            uint16_t gso_bytes)
{
	/* Who has no address yet can only ask for one. */
	if (ipv6_is_unspecified(&ip->source) && ip->protocol != IP_PROTOCOL_ICMPV6)
		return VERDICT_DROP_IP_SOURCE;
	switch (ip->protocol) {
	case IP_PROTOCOL_TCP:
		return ip_tcp_arrives(stack, ip, checksum, gso_bytes);
	case IP_PROTOCOL_ICMPV6:
		return icmp6_arrives(stack, ip);
	case IP_PROTOCOL_NO_NEXT:
		return VERDICT_DROP_PROTOCOL;
	case IP_PROTOCOL_UDP:
		icmp6_error(stack, ip, ICMP6_UNREACHABLE, ICMP6_PORT_UNREACHABLE, 0);
		return VERDICT_DROP_PROTOCOL;
	default:
		icmp6_error(stack, ip, ICMP6_PARAMETER_PROBLEM, ICMP6_PROBLEM_NEXT_HEADER, ip->protocol_at);
		return VERDICT_DROP_PROTOCOL;
	}
}

/* Whose and for whom: RFC 4291 sections 2.5 and 2.7, RFC 4942 section 2.2. Nobody may come with an address of ours
 * (LAND, and what else loops), but to say that it is his. */
static enum stack_verdict check_addresses(const struct stack *stack, const struct ip_packet *ip)
{
	bool nowhere = ipv6_is_unspecified(&ip->source); /* see transport_arrives, icmp6_arrives */
	bool may_be_claim = ip->protocol == IP_PROTOCOL_ICMPV6;

	if ((!nowhere && !ipv6_is_host(&ip->source)) || (!may_be_claim && ip_is_own(stack, &ip->source)))
		return VERDICT_DROP_IP_SOURCE;
	if (ipv6_is_multicast(&ip->destination))
		return address_hears_group(stack, &ip->destination) ? VERDICT_ACCEPTED : VERDICT_DROP_IP_DESTINATION;
	if (ip_addr_is_v4(&ip->destination) || !ip_is_local(stack, &ip->destination))
		return VERDICT_DROP_IP_DESTINATION;
	return VERDICT_ACCEPTED;
}

/* Steps over the extension headers, and says what is wrong with them. */
static enum stack_verdict skip_extensions(struct stack *stack, struct ip_packet *ip)
{
	struct ipv6_problem problem;

	switch (ipv6_skip_extensions(ip, &problem)) {
	case 0:
		return VERDICT_ACCEPTED;
	case -EPROTO:
		if (problem.even_multicast || !ipv6_is_multicast(&ip->destination))
			icmp6_error(stack, ip, ICMP6_PARAMETER_PROBLEM, problem.code, problem.pointer);
		return problem.code == ICMP6_PROBLEM_FIELD ? VERDICT_DROP_IP_SOURCE_ROUTE : VERDICT_DROP_IP_EXTENSION;
	default:
		return VERDICT_DROP_IP_EXTENSION;
	}
}

enum stack_verdict ip6_arrives(struct stack *stack, const struct frame_in *frame, const uint8_t *packet,
                               size_t length, bool to_group)
{
	enum stack_verdict verdict;
	struct ip_packet ip, whole;

	if (ipv6_read(packet, length, &ip) < 0)
		return VERDICT_DROP_IP_MALFORMED;
	ip.to_group = to_group;
	verdict = check_addresses(stack, &ip);
	if (verdict == VERDICT_ACCEPTED)
		verdict = skip_extensions(stack, &ip);
	if (verdict != VERDICT_ACCEPTED)
		return verdict;
	if (!ip_is_fragment(&ip))
		return transport_arrives(stack, &ip, frame->checksum, frame->gso_bytes);
	COUNT(stack, fragments_in);
	verdict = fragment_arrives(stack, &ip, &whole);
	if (verdict != VERDICT_ACCEPTED)
		return verdict;
	COUNT(stack, reassembled);
	verdict = skip_extensions(stack, &whole);
	if (verdict != VERDICT_ACCEPTED)
		return verdict;
	return transport_arrives(stack, &whole, FRAME_CHECKSUM_UNKNOWN, 0);
}
