/* IP below TCP: where packets of both families go and how they are sent, and IPv4's way in (RFC 791, RFC 1122 section
 * 3). IPv6's way in is in ip6.c. */
#include "core/tcp/engine.h"
#include "core/wire/bytes.h"
#include "core/wire/checksum.h"
#include "core/wire/ipv6.h"

#include <errno.h>

/* The all-ones (or, historically, all-zeros) host of one of our prefixes. */
static bool is_subnet_broadcast(const struct stack *stack, const struct ip_addr *ip)
{
	uint32_t v4 = ip_addr_to_v4(ip);

	for (uint32_t i = 0; i < stack->config.address_count; i++) {
		const struct stack_address *address = &stack->config.address[i];
		uint32_t host_bits = 128u - address->prefix_bits;
		uint32_t host_mask = host_bits >= 32 ? UINT32_MAX : (1u << host_bits) - 1;

		if (ip_addr_is_v4(&address->ip) && host_bits > 1 &&
		    ip_addr_match(ip, &address->ip, address->prefix_bits) &&
		    ((v4 & host_mask) == host_mask || (v4 & host_mask) == 0))
			return true;
	}
	return false;
}

bool ip_is_unicast(const struct stack *stack, const struct ip_addr *ip)
{
	uint32_t v4 = ip_addr_to_v4(ip);

	if (!ip_addr_is_v4(ip))
		return ipv6_is_host(ip);
	if (v4 >> 24 == 0 || v4 >> 24 == 127 || v4 >> 28 >= 14)
		return false;
	return !is_subnet_broadcast(stack, ip);
}

/* ---- routes ------------------------------------------------------------------------------------------------------
 */

static const struct stack_address *v4_prefix_of(const struct stack *stack, const struct ip_addr *ip)
{
	for (uint32_t i = 0; i < stack->config.address_count; i++) {
		const struct stack_address *own = &stack->config.address[i];

		if (ip_addr_is_v4(&own->ip) && ip_addr_match(ip, &own->ip, own->prefix_bits))
			return own;
	}
	return NULL;
}

static bool route4(const struct stack *stack, const struct ip_addr *destination, struct ip_addr *ret_source,
                   struct ip_addr *ret_next_hop)
{
	const struct stack_address *own = v4_prefix_of(stack, destination);
	const struct ip_addr *hop = destination;

	if (!own && !ip_addr_is_any(&stack->config.gateway)) {
		hop = &stack->config.gateway;
		own = v4_prefix_of(stack, hop);
	}
	if (!own)
		return false;
	*ret_next_hop = *hop;
	*ret_source = own->ip;
	return true;
}

bool ip_route(const struct stack *stack, const struct ip_addr *destination, struct ip_addr *ret_source,
              struct ip_addr *ret_next_hop)
{
	const struct own_address *own;

	if (ip_addr_is_v4(destination))
		return route4(stack, destination, ret_source, ret_next_hop);
	own = address_for(stack, destination);
	if (!own || !route6_next_hop(stack, destination, ret_next_hop))
		return false;
	*ret_source = own->ip;
	return true;
}

uint32_t ip_mtu(const struct stack *stack, const struct ip_addr *destination)
{
	return ip_addr_is_v4(destination) ? stack->config.mtu_bytes : stack->net6.mtu_bytes;
}

/* ---- sending -----------------------------------------------------------------------------------------------------
 */

uint32_t ip_headers_bytes(const struct flow *flow)
{
	return ETHERNET_HEADER_BYTES + (ip_addr_is_v4(&flow->remote) ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES);
}

void ip_write_headers(struct stack *stack, uint8_t *out, const struct mac_addr *mac, const struct flow *flow,
                      const struct ip_service *service, uint32_t payload_bytes)
{
	struct ethernet_header ethernet = { .source = stack->config.mac, .type = ETHERTYPE_IPV4 };
	struct ip_packet ip = {
		.source = flow->local,
		.destination = flow->remote,
		.tos = service->tos,
		.ttl = service->ttl,
		.protocol = IP_PROTOCOL_TCP,
		.payload_bytes = payload_bytes,
	};

	if (mac)
		ethernet.destination = *mac;
	if (ip_addr_is_v4(&flow->remote)) {
		ip.dont_fragment = service->dont_fragment;
		ip.id = service->dont_fragment ? 0 : (uint16_t)random_u64(&stack->random); /* RFC 6864 */
		ipv4_write(out + ETHERNET_HEADER_BYTES, &ip);
	} else {
		ethernet.type = ETHERTYPE_IPV6;
		ip.ttl = ip6_hop_limit(stack, service->ttl);
		ip.flow_label = ip6_flow_label(stack, flow);
		ipv6_write(out + ETHERNET_HEADER_BYTES, &ip);
	}
	ethernet_write(out, &ethernet);
}

/* Ethernet and IP headers of one packet or fragment; returns their length. */
static uint32_t write_packet_headers(const struct stack *stack, uint8_t *out, const struct ip_packet *packet,
                                     bool in_fragments)
{
	struct ethernet_header ethernet = { .source = stack->config.mac, .type = ETHERTYPE_IPV4 };
	uint8_t *at = out + ETHERNET_HEADER_BYTES;
	struct ip_packet outer = *packet;

	if (ip_addr_is_v4(&packet->destination)) {
		ethernet_write(out, &ethernet);
		ipv4_write(at, packet);
		return ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES;
	}
	ethernet.type = ETHERTYPE_IPV6;
	if (ipv6_is_multicast(&packet->destination))
		ethernet.destination = ipv6_group_mac(&packet->destination);
	ethernet_write(out, &ethernet);
	if (in_fragments) {
		ipv6_write_fragment(at + IPV6_HEADER_BYTES, packet, packet->protocol);
		outer.protocol = IP_PROTOCOL_FRAGMENT;
		outer.payload_bytes += IPV6_FRAGMENT_HEADER_BYTES;
	}
	ipv6_write(at, &outer);
	return ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES + (in_fragments ? IPV6_FRAGMENT_HEADER_BYTES : 0);
}

/* One packet or fragment as a raw frame. */
static void send_packet(struct stack *stack, const struct ip_packet *header, const uint8_t *payload,
                        bool in_fragments)
{
	struct raw_frame *frame = raw_slot(stack);
	uint32_t headers;

	if (!frame)
		return;
	headers = write_packet_headers(stack, frame->bytes, header, in_fragments);
	frame->block = NULL;
	if (headers + header->payload_bytes > RAW_INLINE_BYTES) {
		if (header->payload_bytes > BLOCK_BYTES || !(frame->block = raw_block_get(stack))) {
			COUNT(stack, alloc_failures);
			return;
		}
		memcpy(frame->block, payload, header->payload_bytes);
		frame->inline_bytes = (uint16_t)headers;
	} else {
		memcpy(frame->bytes + headers, payload, header->payload_bytes);
		frame->inline_bytes = (uint16_t)(headers + header->payload_bytes);
	}
	/* An IPv6 group's frame is complete. */
	frame->destination = ipv6_is_multicast(&header->destination) ? IP_ADDR_ANY : header->destination;
	frame->length = (uint16_t)(headers + header->payload_bytes);
	raw_push(stack);
}

/* The largest IP packet that is sent without knowing the path. IPv6 has no routers that cut packets, and only TCP
 * keeps what it learns about paths: anything else leaves the link in packets that every path takes (RFC 8200 section
 * 5). */
static uint32_t packet_max(const struct stack *stack, const struct ip_addr *destination)
{
	bool far = !ip_addr_is_v4(destination) && !ipv6_is_multicast(destination) &&
	           !route6_is_on_link(stack, destination);

	return far ? IPV6_MTU_LEAST : ip_mtu(stack, destination);
}

void ip_send(struct stack *stack, const struct ip_packet *header, const uint8_t *payload, uint32_t bytes)
{
	bool v4 = ip_addr_is_v4(&header->destination);
	uint32_t room = packet_max(stack, &header->destination) - (v4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES);
	bool in_fragments = bytes > room || bytes > BLOCK_BYTES;
	struct ip_packet part = *header;
	uint32_t offset = 0, most = bytes;

	part.id = v4 ? (uint16_t)random_u64(&stack->random) : (uint32_t)random_u64(&stack->random); /* RFC 7739 */
	part.dont_fragment = false;
	if (in_fragments) {
		most = (room - (v4 ? 0 : IPV6_FRAGMENT_HEADER_BYTES)) & ~7u;
		if (most > BLOCK_BYTES)
			most = BLOCK_BYTES;
	}
	do {
		part.fragment_offset = offset;
		part.payload_bytes = bytes - offset > most ? most : bytes - offset;
		part.more_fragments = offset + part.payload_bytes < bytes;
		send_packet(stack, &part, payload + offset, in_fragments);
		offset += part.payload_bytes;
	} while (offset < bytes);
}

/* ---- arriving ----------------------------------------------------------------------------------------------------
 */

enum stack_verdict ip_tcp_arrives(struct stack *stack, const struct ip_packet *ip, uint8_t checksum,
                                  uint16_t gso_bytes)
{
	struct arrival in = { .flow = { .local = ip->destination, .remote = ip->source }, .tos = ip->tos };
	uint64_t sum;

	COUNT(stack, segments_in);
	if (ip->to_group || !ip_is_local(stack, &ip->destination)) /* RFC 1122 section 3.3.6, RFC 9293 MUST-57 */
		return VERDICT_DROP_BROADCAST;
	if (tcp_read(ip->payload, ip->payload_bytes, &in.seg) < 0)
		return VERDICT_DROP_MALFORMED;
	in.flow.local_port = in.seg.destination_port;
	in.flow.remote_port = in.seg.source_port;
	watch_arrives(stack, &in.flow);
	if (checksum == FRAME_CHECKSUM_UNKNOWN) {
		sum = checksum_pseudo(&ip->source, &ip->destination, IP_PROTOCOL_TCP, ip->payload_bytes);
		if (checksum_fold(checksum_add(sum, ip->payload, ip->payload_bytes, 0)) != 0xffff)
			return VERDICT_DROP_CHECKSUM;
	}
	in.segment_bytes =
	        (uint16_t)(gso_bytes && gso_bytes < in.seg.payload_bytes ? gso_bytes : in.seg.payload_bytes);
	return tcp_arrives(stack, &in);
}

static enum stack_verdict transport_arrives(struct stack *stack, const struct ip_packet *ip, uint8_t checksum,
                                            uint16_t gso_bytes)
{
	switch (ip->protocol) {
	case IP_PROTOCOL_TCP:
		return ip_tcp_arrives(stack, ip, checksum, gso_bytes);
	case IP_PROTOCOL_ICMP:
		return ip_is_local(stack, &ip->destination) ? icmp_arrives(stack, ip) : VERDICT_DROP_ICMP;
	case IP_PROTOCOL_UDP:
		icmp_error(stack, ip, ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE);
		return VERDICT_DROP_PROTOCOL;
	default:
		icmp_error(stack, ip, ICMP_UNREACHABLE, ICMP_PROTOCOL_UNREACHABLE);
		return VERDICT_DROP_PROTOCOL;
	}
}

enum stack_verdict ip_arrives(struct stack *stack, const struct frame_in *frame, const uint8_t *packet, size_t length,
                              bool to_group)
{
	struct ip_packet ip, whole;
	enum stack_verdict verdict;

	switch (ipv4_read(packet, length, &ip)) {
	case 0:
		break;
	case -EILSEQ:
		return VERDICT_DROP_IP_CHECKSUM;
	case -EOPNOTSUPP:
		return VERDICT_DROP_IP_SOURCE_ROUTE;
	default:
		return VERDICT_DROP_IP_MALFORMED;
	}
	ip.to_group = to_group;
	/* RFC 1122 3.2.1.3, RFC 9293 MUST-63; our own address as source is LAND. */
	if (!ip_is_unicast(stack, &ip.source) || ip_is_local(stack, &ip.source))
		return VERDICT_DROP_IP_SOURCE;
	if (!ip_is_local(stack, &ip.destination) && ip_is_unicast(stack, &ip.destination))
		return VERDICT_DROP_IP_DESTINATION;
	if (!ip_is_fragment(&ip))
		return transport_arrives(stack, &ip, frame->checksum, frame->gso_bytes);
	COUNT(stack, fragments_in);
	verdict = fragment_arrives(stack, &ip, &whole);
	if (verdict != VERDICT_ACCEPTED)
		return verdict;
	COUNT(stack, reassembled);
	return transport_arrives(stack, &whole, FRAME_CHECKSUM_UNKNOWN, 0);
}
