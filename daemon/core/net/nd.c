/* Neighbour discovery (RFC 4861): its messages in and out. The table they fill is in neighbour.c, routers are in
 * route6.c, addresses in address.c. */
#include "core/tcp/engine.h"
#include "core/wire/ipv6.h"

#define ND_HOP_LIMIT 255 /* so that nobody beyond a router can have sent it */

/* As a raw frame. mac NULL: that of a group follows from its address, any other is found out. */
static void send_message(struct stack *stack, const struct ip_addr *source, const struct ip_addr *destination,
                         const struct mac_addr *mac, const struct nd_message *message)
{
	struct raw_frame *frame = raw_slot(stack);
	struct ethernet_header ethernet = { .source = stack->config.mac, .type = ETHERTYPE_IPV6 };
	struct ip_packet ip = {
		.source = *source,
		.destination = *destination,
		.ttl = ND_HOP_LIMIT,
		.protocol = IP_PROTOCOL_ICMPV6,
	};
	uint8_t *at;

	_Static_assert(ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES + ND_MESSAGE_BYTES_MAX <= RAW_INLINE_BYTES,
	               "neighbour discovery fits a raw frame");
	if (!frame)
		return;
	at = frame->bytes + ETHERNET_HEADER_BYTES;
	frame->destination = mac || ipv6_is_multicast(destination) ? IP_ADDR_ANY : *destination;
	ethernet.destination = mac ? *mac : ipv6_group_mac(destination);
	ip.payload_bytes = (uint32_t)nd_write(at + IPV6_HEADER_BYTES, source, destination, message);
	ethernet_write(frame->bytes, &ethernet);
	ipv6_write(at, &ip);
	frame->length = frame->inline_bytes =
	        (uint16_t)(ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES + ip.payload_bytes);
	frame->block = NULL;
	COUNT(stack, icmp_out);
	raw_push(stack);
}

void nd_solicit(struct stack *stack, const struct ip_addr *source, const struct ip_addr *target,
                const struct mac_addr *mac)
{
	struct ip_addr group = ipv6_solicited_node(target);
	struct nd_message message = {
		.type = ICMP6_NEIGHBOUR_SOLICITATION,
		.target = *target,
		.options = { .has_source_mac = true, .source_mac = stack->config.mac },
	};

	COUNT(stack, neighbour_solicitations_out);
	send_message(stack, source, mac ? target : &group, mac, &message);
}

void nd_probe_own(struct stack *stack, const struct own_address *address)
{
	struct ip_addr group = ipv6_solicited_node(&address->ip);
	struct nd_message message = {
		.type = ICMP6_NEIGHBOUR_SOLICITATION,
		.target = address->ip,
		.options = { .has_nonce = true },
	};

	memcpy(message.options.nonce, address->nonce, ND_NONCE_BYTES);
	COUNT(stack, neighbour_solicitations_out);
	send_message(stack, &IP_ADDR_ANY, &group, NULL, &message);
}

void nd_announce(struct stack *stack, const struct own_address *address)
{
	struct nd_message message = {
		.type = ICMP6_NEIGHBOUR_ADVERTISEMENT,
		.target = address->ip,
		.override = true,
		.options = { .has_target_mac = true, .target_mac = stack->config.mac },
	};

	send_message(stack, &address->ip, &IPV6_ALL_NODES, NULL, &message);
}

void nd_solicit_routers(struct stack *stack)
{
	const struct own_address *own = address_for(stack, &IPV6_ALL_ROUTERS);
	struct nd_message message = { .type = ICMP6_ROUTER_SOLICITATION };

	if (own) { /* RFC 4861 section 4.1: no MAC where there is no address */
		message.options.has_source_mac = true;
		message.options.source_mac = stack->config.mac;
	}
	send_message(stack, own ? &own->ip : &IP_ADDR_ANY, &IPV6_ALL_ROUTERS, NULL, &message);
}

/* The answer to a solicitation; asker NULL: it came from nowhere (somebody tries the address), and all are told. mac
 * NULL: it was not said. */
static void advertise(struct stack *stack, const struct own_address *own, const struct ip_addr *asker,
                      const struct mac_addr *mac)
{
	struct nd_message message = {
		.type = ICMP6_NEIGHBOUR_ADVERTISEMENT,
		.target = own->ip,
		.solicited = asker != NULL,
		.override = true,
		.options = { .has_target_mac = true, .target_mac = stack->config.mac },
	};

	send_message(stack, &own->ip, asker ? asker : &IPV6_ALL_NODES, mac, &message);
}

/* Hosts that are on this link by what we know of it; of others nothing is learnt: they would otherwise place routes
 * into our table (CVE-2008-2476). */
static bool is_neighbour(const struct stack *stack, const struct ip_addr *ip)
{
	return ipv6_is_host(ip) && route6_is_on_link(stack, ip);
}

/* Somebody asks for an address that we are only about to take (RFC 4862 section 5.4.3): if it does as we do, and it
 * is not our own question come back (RFC 7527), nobody may have it. */
static void asked_for_tentative(struct stack *stack, struct own_address *own, const struct ip_packet *ip,
                                const struct nd_message *message)
{
	bool own_echo = message->options.has_nonce && memcmp(message->options.nonce, own->nonce, ND_NONCE_BYTES) == 0;

	if (ipv6_is_unspecified(&ip->source) && !own_echo)
		address_is_duplicate(stack, own);
}

static enum stack_verdict solicitation(struct stack *stack, const struct ip_packet *ip,
                                       const struct nd_message *message)
{
	struct own_address *own = address_find(stack, &message->target);
	const struct mac_addr *mac = message->options.has_source_mac ? &message->options.source_mac : NULL;
	struct ip_addr group = ipv6_solicited_node(&message->target);
	bool probe = ipv6_is_unspecified(&ip->source);

	/* RFC 4861 section 7.1.1. */
	if (probe && (mac || !ip_addr_equal(&ip->destination, &group)))
		return VERDICT_DROP_ND;
	if (!own || ip_addr_is_v4(&own->ip) || own->state == STACK_ADDRESS_DUPLICATE)
		return VERDICT_DROP_ND;
	if (own->state == STACK_ADDRESS_TENTATIVE) {
		asked_for_tentative(stack, own, ip, message);
		return VERDICT_ACCEPTED;
	}
	if (probe) {
		advertise(stack, own, NULL, NULL);
		return VERDICT_ACCEPTED;
	}
	if ((mac && mac_addr_is_group(mac)) || !is_neighbour(stack, &ip->source))
		return VERDICT_DROP_ND;
	if (mac)
		neighbour_heard(stack, &ip->source, mac, true);
	advertise(stack, own, &ip->source, mac);
	return VERDICT_ACCEPTED;
}

static enum stack_verdict advertisement(struct stack *stack, const struct ip_packet *ip,
                                        const struct nd_message *message)
{
	struct own_address *own = address_find(stack, &message->target);
	const struct mac_addr *mac = message->options.has_target_mac ? &message->options.target_mac : NULL;
	struct neighbour *neighbour;

	/* RFC 4861 section 7.1.2. */
	if ((ipv6_is_multicast(&ip->destination) && message->solicited) || (mac && mac_addr_is_group(mac)) ||
	    ip_addr_is_v4(&message->target))
		return VERDICT_DROP_ND;
	if (own) {
		if (own->state != STACK_ADDRESS_TENTATIVE) {
			if (own->state != STACK_ADDRESS_DUPLICATE)
				COUNT(stack, address_conflicts);
			return VERDICT_DROP_ND;
		}
		address_is_duplicate(stack, own);
		return VERDICT_ACCEPTED;
	}
	neighbour = neighbour_find(stack, &message->target);
	if (!neighbour) /* RFC 4861 section 7.2.5: none of our business */
		return VERDICT_DROP_ND;
	if (neighbour_advertised(stack, neighbour, mac, message->solicited, message->override) && !message->router)
		route6_forget_router(stack, &message->target);
	return VERDICT_ACCEPTED;
}

enum stack_verdict nd_arrives(struct stack *stack, const struct ip_packet *ip, const struct icmp6_message *icmp)
{
	struct nd_message message;

	/* Only from this link, and whole as it was sent (RFC 6980). */
	if (ip->ttl != ND_HOP_LIMIT || ip->from_fragments || nd_read(icmp, &message) < 0)
		return VERDICT_DROP_ND;
	switch (message.type) {
	case ICMP6_NEIGHBOUR_SOLICITATION:
		return solicitation(stack, ip, &message);
	case ICMP6_NEIGHBOUR_ADVERTISEMENT:
		return advertisement(stack, ip, &message);
	case ICMP6_ROUTER_ADVERTISEMENT:
		if (!ipv6_is_link_local(&ip->source) || !stack->config.accept_ra)
			return VERDICT_DROP_ND;
		if (message.options.has_source_mac && mac_addr_is_group(&message.options.source_mac))
			return VERDICT_DROP_ND;
		route6_advertised(stack, &ip->source, &message);
		return VERDICT_ACCEPTED;
	default: /* solicitations of routers: we are none */
		return VERDICT_DROP_ND;
	}
}
