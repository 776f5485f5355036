/* ARP (RFC 826, RFC 1122 section 2.3.2, RFC 5227): how IPv4 asks for neighbours. The table is in neighbour.c. */
#include "core/wire/arp.h"
#include "core/tcp/engine.h"

static const struct mac_addr broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
static const struct mac_addr unknown = { { 0 } };

static void send_arp(struct stack *stack, uint16_t operation, const struct mac_addr *to,
                     const struct ip_addr *sender_ip, const struct mac_addr *target_mac,
                     const struct ip_addr *target_ip)
{
	struct raw_frame *frame = raw_slot(stack);
	struct ethernet_header ethernet = { .destination = *to, .source = stack->config.mac, .type = ETHERTYPE_ARP };
	struct arp_packet arp = {
		.operation = operation,
		.sender_mac = stack->config.mac,
		.sender_ip = *sender_ip,
		.target_mac = *target_mac,
		.target_ip = *target_ip,
	};

	if (!frame)
		return;
	ethernet_write(frame->bytes, &ethernet);
	arp_write(frame->bytes + ETHERNET_HEADER_BYTES, &arp);
	frame->destination = IP_ADDR_ANY;
	frame->length = frame->inline_bytes = ETHERNET_HEADER_BYTES + ARP_BYTES;
	frame->block = NULL;
	raw_push(stack);
}

void arp_request(struct stack *stack, const struct ip_addr *source, const struct ip_addr *target,
                 const struct mac_addr *mac)
{
	COUNT(stack, arp_requests_out);
	send_arp(stack, ARP_REQUEST, mac ? mac : &broadcast, source, &unknown, target);
}

void arp_announce(struct stack *stack, const struct ip_addr *ip)
{
	send_arp(stack, ARP_REQUEST, &broadcast, ip, &unknown, ip);
}

/* Only hosts that are really on this link. */
static bool is_neighbour(const struct stack *stack, const struct ip_addr *ip)
{
	struct ip_addr source, next_hop;

	return ip_is_unicast(stack, ip) && ip_route(stack, ip, &source, &next_hop) && ip_addr_equal(&next_hop, ip);
}

/* Who is known may move (RFC 826), but is asked again before long; who asks for us is remembered. An answer that we
 * have asked for says more: that the way there works, too. */
static void learn(struct stack *stack, const struct arp_packet *arp, bool for_us)
{
	struct neighbour *neighbour = neighbour_find(stack, &arp->sender_ip);

	if (neighbour && arp->operation == ARP_REPLY && for_us && neighbour_is_asked(neighbour))
		neighbour_answered(stack, neighbour, &arp->sender_mac);
	else
		neighbour_heard(stack, &arp->sender_ip, &arp->sender_mac, for_us);
}

enum stack_verdict arp_arrives(struct stack *stack, const uint8_t *packet, size_t length)
{
	struct arp_packet arp;
	bool for_us;

	if (arp_read(packet, length, &arp) < 0 || mac_addr_is_group(&arp.sender_mac) ||
	    ip_is_local(stack, &arp.sender_ip))
		return VERDICT_DROP_ARP;
	for_us = ip_is_local(stack, &arp.target_ip);
	if (!ip_addr_is_any(&arp.sender_ip)) { /* RFC 5227: a probe asks, but tells nothing */
		if (!is_neighbour(stack, &arp.sender_ip))
			return VERDICT_DROP_ARP;
		learn(stack, &arp, for_us);
	}
	if (for_us && arp.operation == ARP_REQUEST)
		send_arp(stack, ARP_REPLY, &arp.sender_mac, &arp.target_ip, &arp.sender_mac, &arp.sender_ip);
	return VERDICT_ACCEPTED;
}
