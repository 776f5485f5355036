#include "core/wire/ipv6.h"

#include "core/base/assert.h"
#include "core/wire/bytes.h"
#include "core/wire/icmp6.h"

#include <errno.h>

enum {
	OPTION_PAD1 = 0,
	OPTION_PADN = 1,
	OPTION_ROUTER_ALERT = 5,

	FRAGMENT_MORE = 1,
	FRAGMENT_OFFSET_MASK = 0xfff8, /* it counts bytes, its low three bits being zero */
};

int ipv6_read(const uint8_t *bytes, size_t length, struct ip_packet *ret_packet)
{
	uint32_t first, payload;
	struct ip_packet *packet = ret_packet;

	if (length < IPV6_HEADER_BYTES || bytes[0] >> 4 != 6)
		return -EBADMSG;
	payload = load16(bytes + 4);
	if (payload > length - IPV6_HEADER_BYTES)
		return -EBADMSG;
	first = load32(bytes);
	*packet = (struct ip_packet){
		.tos = (uint8_t)(first >> 20),
		.ttl = bytes[7],
		.protocol = bytes[6],
		.flow_label = first & 0xfffff,
		.header_bytes = IPV6_HEADER_BYTES,
		.protocol_at = 6,
		.payload = bytes + IPV6_HEADER_BYTES,
		.payload_bytes = payload,
	};
	memcpy(packet->source.b, bytes + 8, 16);
	memcpy(packet->destination.b, bytes + 24, 16);
	return 0;
}

void ipv6_write(uint8_t *out, const struct ip_packet *packet)
{
	CORE_ASSERT(packet->payload_bytes <= 65535 && packet->flow_label <= 0xfffff);
	store32(out, 6u << 28 | (uint32_t)packet->tos << 20 | packet->flow_label);
	store16(out + 4, packet->payload_bytes);
	out[6] = packet->protocol;
	out[7] = packet->ttl;
	memcpy(out + 8, packet->source.b, 16);
	memcpy(out + 24, packet->destination.b, 16);
}

void ipv6_write_fragment(uint8_t *out, const struct ip_packet *packet, uint8_t protocol)
{
	CORE_ASSERT(packet->fragment_offset % 8 == 0 && packet->fragment_offset <= FRAGMENT_OFFSET_MASK);
	out[0] = protocol;
	out[1] = 0;
	store16(out + 2, packet->fragment_offset | (packet->more_fragments ? FRAGMENT_MORE : 0));
	store32(out + 4, packet->id);
}

void ipv6_write_router_alert(uint8_t *out, uint8_t protocol)
{
	static const uint8_t rest[] = { 0, OPTION_ROUTER_ALERT, 2, 0, 0, OPTION_PADN, 0 };

	out[0] = protocol;
	memcpy(out + 1, rest, sizeof(rest));
}

/* ---- extension headers ----------------------------------------------------------------------------------------- */

/* On the way through a packet's headers. */
struct walk {
	struct ip_packet *packet;
	struct reader reader; /* what is not yet stepped over */
	struct ipv6_problem *problem;
};

static uint32_t walk_offset(const struct walk *walk, const uint8_t *at)
{
	return (uint32_t)(at - (walk->packet->payload - walk->packet->header_bytes));
}

static int refuse(struct walk *walk, uint8_t code, const uint8_t *at)
{
	*walk->problem = (struct ipv6_problem){ .code = code, .pointer = walk_offset(walk, at) };
	return -EPROTO;
}

/* RFC 8200 section 4.2: the highest two bits of an option's type say what to do with one that is unknown. */
static int unknown_option(struct walk *walk, const uint8_t *type)
{
	switch (*type >> 6) {
	case 0:
		return 0;
	case 1:
		return -EBADMSG;
	default:
		refuse(walk, ICMP6_PROBLEM_OPTION, type);
		walk->problem->even_multicast = *type >> 6 == 2;
		return -EPROTO;
	}
}

static int skip_options(struct walk *walk, const uint8_t *options, size_t length, bool hop_by_hop)
{
	struct reader reader = { options, length };
	int count = 0;

	while (reader.left > 0) {
		const uint8_t *type = reader_take(&reader, 1), *size;
		int r;

		if (*type == OPTION_PAD1)
			continue;
		size = reader_take(&reader, 1);
		if (!size || !reader_take(&reader, *size))
			return -EBADMSG;
		if (*type == OPTION_PADN)
			continue;
		if (++count > IPV6_OPTIONS_MAX)
			return -EBADMSG;
		if (*type == OPTION_ROUTER_ALERT && hop_by_hop && *size == 2) {
			walk->packet->router_alert = true;
			continue;
		}
		r = unknown_option(walk, type);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A header that is as long as its second octet says. */
static int skip_extension(struct walk *walk)
{
	const uint8_t *header = walk->reader.at;
	uint8_t kind = walk->packet->protocol;
	size_t length;

	if (walk->reader.left < 8)
		return -EBADMSG;
	length = (header[1] + (size_t)1) * 8;
	if (!reader_take(&walk->reader, length))
		return -EBADMSG;
	if (kind == IP_PROTOCOL_ROUTING) {
		if (header[3] > 0) /* segments left */
			return refuse(walk, ICMP6_PROBLEM_FIELD, header + 2);
	} else {
		int r = skip_options(walk, header + 2, length - 2, kind == IP_PROTOCOL_HOP_BY_HOP);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Returns 1 where the packet is a fragment: what follows belongs to something larger. */
static int take_fragment(struct walk *walk)
{
	const uint8_t *header = reader_take(&walk->reader, IPV6_FRAGMENT_HEADER_BYTES);
	struct ip_packet *packet = walk->packet;

	if (!header || packet->from_fragments) /* the second one in this packet */
		return -EBADMSG;
	packet->from_fragments = true;
	packet->fragment_offset = load16(header + 2) & FRAGMENT_OFFSET_MASK;
	packet->more_fragments = load16(header + 2) & FRAGMENT_MORE;
	packet->id = load32(header + 4);
	return ip_is_fragment(packet);
}

/* RFC 7112: the upper layer's header must be in there. */
static bool upper_layer_is_there(const struct walk *walk)
{
	switch (walk->packet->protocol) {
	case IP_PROTOCOL_TCP:
		return walk->reader.left >= 20;
	case IP_PROTOCOL_UDP:
	case IP_PROTOCOL_ICMPV6:
		return walk->reader.left >= 8;
	default:
		return true;
	}
}

static bool is_extension(uint8_t protocol)
{
	return protocol == IP_PROTOCOL_HOP_BY_HOP || protocol == IP_PROTOCOL_ROUTING ||
	       protocol == IP_PROTOCOL_DESTINATION_OPTIONS || protocol == IP_PROTOCOL_FRAGMENT;
}

/* Steps over headers until the upper layer (0) or a fragment's part (1). */
static int walk_headers(struct walk *walk)
{
	struct ip_packet *packet = walk->packet;
	const uint8_t *first = walk->reader.at;

	for (int count = 0; is_extension(packet->protocol); count++) {
		const uint8_t *header = walk->reader.at;
		int r;

		if (count == IPV6_EXTENSIONS_MAX)
			return -EBADMSG;
		/* Hop-by-hop options come first or not at all. */
		if (packet->protocol == IP_PROTOCOL_HOP_BY_HOP && packet->protocol_at != 6)
			return refuse(walk, ICMP6_PROBLEM_NEXT_HEADER,
			              packet->payload - packet->header_bytes + packet->protocol_at);
		r = packet->protocol == IP_PROTOCOL_FRAGMENT ? take_fragment(walk) : skip_extension(walk);
		if (r < 0)
			return r;
		if (walk->reader.at - first > IPV6_EXTENSION_BYTES_MAX + IPV6_FRAGMENT_HEADER_BYTES)
			return -EBADMSG;
		packet->protocol = header[0];
		packet->protocol_at = (uint16_t)walk_offset(walk, header);
		if (r > 0)
			return 1;
	}
	return 0;
}

/* A first fragment goes on to the end of its headers, only to see that they are all there. What they say counts once
 * the packet is whole. */
static int check_first_fragment(const struct walk *at_part, struct ipv6_problem *ret_problem)
{
	struct ip_packet packet = *at_part->packet;
	struct ipv6_problem ignored;
	struct walk walk = { .packet = &packet, .reader = at_part->reader, .problem = &ignored };
	int r = walk_headers(&walk);

	if (r == -EBADMSG || r > 0 || (r == 0 && !upper_layer_is_there(&walk))) {
		*ret_problem = (struct ipv6_problem){ .code = ICMP6_PROBLEM_FIRST_FRAGMENT };
		return -EPROTO;
	}
	return 0;
}

int ipv6_skip_extensions(struct ip_packet *packet, struct ipv6_problem *ret_problem)
{
	struct ip_packet ahead = *packet;
	struct walk walk = { .packet = &ahead,
		             .reader = { packet->payload, packet->payload_bytes },
		             .problem = ret_problem };
	int r = walk_headers(&walk);

	if (r > 0)
		r = ahead.fragment_offset == 0 ? check_first_fragment(&walk, ret_problem) : 0;
	if (r < 0)
		return r;
	ahead.header_bytes = (uint16_t)walk_offset(&walk, walk.reader.at);
	ahead.payload = walk.reader.at;
	ahead.payload_bytes = (uint32_t)walk.reader.left;
	*packet = ahead;
	return 0;
}

/* ---- addresses ---------------------------------------------------------------------------------------------------
 */

bool ipv6_is_host(const struct ip_addr *ip)
{
	static const struct ip_addr loopback = { { [15] = 1 } };

	return !ipv6_is_multicast(ip) && !ip_addr_is_any(ip) && !ip_addr_is_v4(ip) && !ip_addr_equal(ip, &loopback);
}

struct ip_addr ipv6_solicited_node(const struct ip_addr *ip)
{
	struct ip_addr group = { { 0xff, 2, [11] = 1, [12] = 0xff } };

	memcpy(group.b + 13, ip->b + 13, 3);
	return group;
}

struct mac_addr ipv6_group_mac(const struct ip_addr *group)
{
	struct mac_addr mac = { { 0x33, 0x33 } };

	memcpy(mac.b + 2, group->b + 12, 4);
	return mac;
}

uint32_t ip_addr_common_bits(const struct ip_addr *a, const struct ip_addr *b)
{
	uint32_t bits = 0;

	while (bits < 128 && a->b[bits / 8] == b->b[bits / 8])
		bits += 8;
	while (bits < 128 && !((a->b[bits / 8] ^ b->b[bits / 8]) & (0x80u >> bits % 8)))
		bits++;
	return bits;
}

bool ip_addr_match(const struct ip_addr *a, const struct ip_addr *b, uint32_t bits)
{
	uint32_t whole = bits / 8, rest = bits % 8;

	return memcmp(a->b, b->b, whole) == 0 &&
	       (rest == 0 || ((a->b[whole] ^ b->b[whole]) & (uint8_t)(0xff00 >> rest)) == 0);
}
