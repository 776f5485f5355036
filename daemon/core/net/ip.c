/* IPv4 below TCP: which packets are ours, where packets go, and the way to the transport (RFC 791, RFC 1122 section
 * 3). */
#include "core/tcp/engine.h"
#include "core/wire/bytes.h"
#include "core/wire/checksum.h"

#include <errno.h>

static bool in_prefix(const struct ip_addr *ip, const struct stack_address *address)
{
	uint32_t whole = address->prefix_bits / 8, rest = address->prefix_bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	return memcmp(ip->b, address->ip.b, whole) == 0 &&
	       (rest == 0 || ((ip->b[whole] ^ address->ip.b[whole]) & mask) == 0);
}

bool ip_is_local(const struct stack *stack, const struct ip_addr *ip)
{
	for (uint32_t i = 0; i < stack->config.address_count; i++) {
		if (ip_addr_equal(ip, &stack->config.address[i].ip))
			return true;
	}
	return false;
}

/* The all-ones (or, historically, all-zeros) host of one of our prefixes. */
static bool is_subnet_broadcast(const struct stack *stack, const struct ip_addr *ip)
{
	uint32_t v4 = ip_addr_to_v4(ip);

	for (uint32_t i = 0; i < stack->config.address_count; i++) {
		const struct stack_address *address = &stack->config.address[i];
		uint32_t host_bits = 128u - address->prefix_bits;
		uint32_t host_mask = host_bits >= 32 ? UINT32_MAX : (1u << host_bits) - 1;

		if (ip_addr_is_v4(&address->ip) && host_bits > 1 && in_prefix(ip, address) &&
		    ((v4 & host_mask) == host_mask || (v4 & host_mask) == 0))
			return true;
	}
	return false;
}

bool ip_is_unicast(const struct stack *stack, const struct ip_addr *ip)
{
	uint32_t v4 = ip_addr_to_v4(ip);

	if (!ip_addr_is_v4(ip) || v4 >> 24 == 0 || v4 >> 24 == 127 || v4 >> 28 >= 14)
		return false;
	return !is_subnet_broadcast(stack, ip);
}

bool ip_route(const struct stack *stack, const struct ip_addr *destination, struct ip_addr *ret_source,
              struct ip_addr *ret_next_hop)
{
	const struct stack_address *own = NULL;
	const struct ip_addr *hop = destination;

	for (uint32_t i = 0; i < stack->config.address_count && !own; i++) {
		if (in_prefix(destination, &stack->config.address[i]))
			own = &stack->config.address[i];
	}
	if (!own) {
		hop = &stack->config.gateway;
		for (uint32_t i = 0; i < stack->config.address_count && !own; i++) {
			if (!ip_addr_is_any(hop) && in_prefix(hop, &stack->config.address[i]))
				own = &stack->config.address[i];
		}
	}
	if (!own)
		return false;
	*ret_next_hop = *hop;
	*ret_source = own->ip;
	return true;
}

uint32_t ip_headers_bytes(const struct flow *flow)
{
	(void)flow;
	return ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES;
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
		.dont_fragment = service->dont_fragment,
		.id = service->dont_fragment ? 0 : (uint16_t)random_u64(&stack->random), /* RFC 6864 */
		.payload_bytes = payload_bytes,
	};

	if (mac)
		ethernet.destination = *mac;
	ethernet_write(out, &ethernet);
	ipv4_write(out + ETHERNET_HEADER_BYTES, &ip);
}

/* One packet or fragment as a raw frame. */
static void send_packet(struct stack *stack, const struct ip_packet *header, const uint8_t *payload)
{
	struct ethernet_header ethernet = { .source = stack->config.mac, .type = ETHERTYPE_IPV4 };
	uint32_t headers = ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES;
	struct raw_frame *frame = raw_slot(stack);

	if (!frame)
		return;
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
	ethernet_write(frame->bytes, &ethernet);
	ipv4_write(frame->bytes + ETHERNET_HEADER_BYTES, header);
	frame->destination = header->destination;
	frame->length = (uint16_t)(headers + header->payload_bytes);
	raw_push(stack);
}

void ip_send(struct stack *stack, const struct ip_packet *header, const uint8_t *payload, uint32_t bytes)
{
	uint32_t most = (stack->config.mtu_bytes - IPV4_HEADER_BYTES) & ~7u;
	struct ip_packet part = *header;
	uint32_t offset = 0;

	part.id = (uint16_t)random_u64(&stack->random);
	part.dont_fragment = false;
	if (most > BLOCK_BYTES)
		most = BLOCK_BYTES;
	do {
		part.fragment_offset = offset;
		part.payload_bytes = bytes - offset > most ? most : bytes - offset;
		part.more_fragments = offset + part.payload_bytes < bytes;
		send_packet(stack, &part, payload + offset);
		offset += part.payload_bytes;
	} while (offset < bytes);
}

static enum stack_verdict tcp_packet_arrives(struct stack *stack, const struct ip_packet *ip, uint8_t checksum,
                                             uint16_t gso_bytes)
{
	struct arrival in = { .flow = { .local = ip->destination, .remote = ip->source }, .tos = ip->tos };
	uint64_t sum;

	COUNT(stack, segments_in);
	if (!ip_is_local(stack, &ip->destination))
		return VERDICT_DROP_BROADCAST;
	if (tcp_read(ip->payload, ip->payload_bytes, &in.seg) < 0)
		return VERDICT_DROP_MALFORMED;
	if (checksum == FRAME_CHECKSUM_UNKNOWN) {
		sum = checksum_pseudo(&ip->source, &ip->destination, IP_PROTOCOL_TCP, ip->payload_bytes);
		if (checksum_fold(checksum_add(sum, ip->payload, ip->payload_bytes, 0)) != 0xffff)
			return VERDICT_DROP_CHECKSUM;
	}
	in.segment_bytes =
	        (uint16_t)(gso_bytes && gso_bytes < in.seg.payload_bytes ? gso_bytes : in.seg.payload_bytes);
	in.flow.local_port = in.seg.destination_port;
	in.flow.remote_port = in.seg.source_port;
	return tcp_arrives(stack, &in);
}

static enum stack_verdict transport_arrives(struct stack *stack, const struct ip_packet *ip, uint8_t checksum,
                                            uint16_t gso_bytes)
{
	bool unicast = ip_is_local(stack, &ip->destination);

	switch (ip->protocol) {
	case IP_PROTOCOL_TCP:
		return tcp_packet_arrives(stack, ip, checksum, gso_bytes);
	case IP_PROTOCOL_ICMP:
		return unicast ? icmp_arrives(stack, ip) : VERDICT_DROP_ICMP;
	case IP_PROTOCOL_UDP:
		if (unicast)
			icmp_error(stack, ip, ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE);
		return VERDICT_DROP_PROTOCOL;
	default:
		if (unicast)
			icmp_error(stack, ip, ICMP_UNREACHABLE, ICMP_PROTOCOL_UNREACHABLE);
		return VERDICT_DROP_PROTOCOL;
	}
}

enum stack_verdict ip_arrives(struct stack *stack, const struct frame_in *frame, const uint8_t *packet, size_t length)
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
	/* RFC 1122 3.2.1.3, RFC 9293 MUST-63; our own address as source is LAND. */
	if (!ip_is_unicast(stack, &ip.source) || ip_is_local(stack, &ip.source))
		return VERDICT_DROP_IP_SOURCE;
	if (!ip_is_local(stack, &ip.destination) && ip_is_unicast(stack, &ip.destination))
		return VERDICT_DROP_IP_DESTINATION;
	if (!ip.more_fragments && ip.fragment_offset == 0)
		return transport_arrives(stack, &ip, frame->checksum, frame->gso_bytes);
	COUNT(stack, fragments_in);
	verdict = fragment_arrives(stack, &ip, &whole);
	if (verdict != VERDICT_ACCEPTED)
		return verdict;
	COUNT(stack, reassembled);
	return transport_arrives(stack, &whole, FRAME_CHECKSUM_UNKNOWN, 0);
}
