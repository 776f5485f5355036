#include "core/wire/frame_filter.h"

#include "core/wire/bytes.h"
#include "core/wire/ethernet.h"
#include "core/wire/icmp6.h"
#include "core/wire/ipv4.h"
#include "core/wire/ipv6.h"

enum { IPV4_FRAGMENT_OFFSET = 0x1fff, IPV6_FRAGMENT_OFFSET = 0xfff8 };

/* ---- reading a frame ---------------------------------------------------------------------------------------------
 */

/* A frame on its way through frame_flow_read: source and destination, before they become the ends. */
struct walk {
	struct reader reader;
	struct frame_flow *flow;
	struct ip_addr source, destination;
	uint16_t source_port, destination_port;
};

static void upper_layer(struct walk *walk, uint8_t protocol, bool has_header)
{
	const uint8_t *bytes = has_header ? reader_take(&walk->reader, 4) : NULL;

	switch (protocol) {
	case IP_PROTOCOL_TCP:
	case IP_PROTOCOL_UDP:
		walk->flow->protocol = protocol == IP_PROTOCOL_TCP ? FRAME_TCP : FRAME_UDP;
		if (!bytes)
			return;
		walk->source_port = load16(bytes);
		walk->destination_port = load16(bytes + 2);
		walk->flow->has_ports = true;
		return;
	case IP_PROTOCOL_ICMP:
		walk->flow->protocol = FRAME_ICMP;
		return;
	case IP_PROTOCOL_ICMPV6:
		walk->flow->protocol = bytes && bytes[0] >= ICMP6_ROUTER_SOLICITATION && bytes[0] <= ICMP6_REDIRECT
		                               ? FRAME_ND
		                               : FRAME_ICMP;
		return;
	default:
		return;
	}
}

static void read_ipv4(struct walk *walk)
{
	const uint8_t *header = reader_take(&walk->reader, IPV4_HEADER_BYTES);
	size_t options;

	if (!header || header[0] >> 4 != 4 || (header[0] & 0xf) * 4u < IPV4_HEADER_BYTES)
		return;
	walk->source = ip_addr_v4(load32(header + 12));
	walk->destination = ip_addr_v4(load32(header + 16));
	walk->flow->has_addresses = true;
	options = (header[0] & 0xf) * 4u - IPV4_HEADER_BYTES;
	upper_layer(walk, header[9],
	            reader_take(&walk->reader, options) && (load16(header + 6) & IPV4_FRAGMENT_OFFSET) == 0);
}

static bool is_extension(uint8_t protocol)
{
	return protocol == IP_PROTOCOL_HOP_BY_HOP || protocol == IP_PROTOCOL_ROUTING ||
	       protocol == IP_PROTOCOL_DESTINATION_OPTIONS || protocol == IP_PROTOCOL_FRAGMENT;
}

static void read_ipv6(struct walk *walk)
{
	const uint8_t *header = reader_take(&walk->reader, IPV6_HEADER_BYTES);
	bool has_header = true;
	uint8_t protocol;

	if (!header || header[0] >> 4 != 6)
		return;
	memcpy(walk->source.b, header + 8, 16);
	memcpy(walk->destination.b, header + 24, 16);
	walk->flow->has_addresses = true;
	protocol = header[6];
	for (unsigned i = 0; has_header && i < FRAME_EXTENSIONS_MAX && is_extension(protocol); i++) {
		const uint8_t *extension = reader_take(&walk->reader, 8);

		if (!extension)
			return;
		if (protocol == IP_PROTOCOL_FRAGMENT)
			has_header = (load16(extension + 2) & IPV6_FRAGMENT_OFFSET) == 0;
		else if (!reader_take(&walk->reader, extension[1] * 8u))
			return;
		protocol = extension[0];
	}
	upper_layer(walk, protocol, has_header);
}

void frame_flow_read(const uint8_t *frame, uint32_t length, bool out, struct frame_flow *ret_flow)
{
	struct walk walk = { .reader = { frame, length }, .flow = ret_flow };
	const uint8_t *ethernet = reader_take(&walk.reader, ETHERNET_HEADER_BYTES);

	*ret_flow = (struct frame_flow){ .protocol = FRAME_OTHER };
	if (!ethernet)
		return;
	switch (load16(ethernet + 12)) {
	case ETHERTYPE_IPV4:
		read_ipv4(&walk);
		break;
	case ETHERTYPE_IPV6:
		read_ipv6(&walk);
		break;
	case ETHERTYPE_ARP:
		ret_flow->protocol = FRAME_ARP;
		break;
	default:
		break;
	}
	ret_flow->local = out ? walk.source : walk.destination;
	ret_flow->peer = out ? walk.destination : walk.source;
	ret_flow->local_port = out ? walk.source_port : walk.destination_port;
	ret_flow->peer_port = out ? walk.destination_port : walk.source_port;
}

/* ---- conditions --------------------------------------------------------------------------------------------------
 */

static bool in_prefix(const struct frame_filter_value *value, const struct ip_addr *ip)
{
	return ip_addr_is_v4(ip) == ip_addr_is_v4(&value->prefix) && ip_addr_match(ip, &value->prefix, value->bits);
}

static bool in_range(const struct frame_filter_value *value, uint16_t port)
{
	return value->low <= port && port <= value->high;
}

static bool fits_value(enum frame_field field, const struct frame_filter_value *value, const struct frame_flow *flow)
{
	switch (field) {
	case FRAME_PEER:
		return in_prefix(value, &flow->peer);
	case FRAME_LOCAL:
		return in_prefix(value, &flow->local);
	case FRAME_ADDRESS:
		return in_prefix(value, &flow->peer) || in_prefix(value, &flow->local);
	case FRAME_PEER_PORT:
		return in_range(value, flow->peer_port);
	case FRAME_LOCAL_PORT:
		return in_range(value, flow->local_port);
	case FRAME_PORT:
		return in_range(value, flow->peer_port) || in_range(value, flow->local_port);
	default:
		return false;
	}
}

static bool holds(const struct frame_filter *filter, const struct frame_condition *condition,
                  const struct frame_flow *flow)
{
	bool one = false;

	if (condition->field == FRAME_PROTOCOL)
		return (condition->protocols >> flow->protocol & 1) != condition->except;
	if (condition->field <= FRAME_ADDRESS ? !flow->has_addresses : !flow->has_ports)
		return false;
	for (uint32_t i = 0; i < condition->count && !one; i++)
		one = fits_value((enum frame_field)condition->field, &filter->value[condition->first + i], flow);
	return one != condition->except;
}

bool frame_filter_fits(const struct frame_filter *filter, const struct frame_flow *flow)
{
	for (uint32_t i = 0; i < filter->condition_count; i++)
		if (!holds(filter, &filter->condition[i], flow))
			return false;
	return true;
}

bool frame_filter_matches(const struct frame_filter *filter, const uint8_t *frame, uint32_t length, bool out)
{
	struct frame_flow flow;

	if (filter->condition_count == 0)
		return true;
	frame_flow_read(frame, length, out, &flow);
	return frame_filter_fits(filter, &flow);
}
