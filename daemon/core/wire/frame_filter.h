#pragma once
/* Which Ethernet frames something is about: conditions on the five-tuple as this stack sees it, all of which must
 * hold. A value: no pointers, to be copied and compared with memcmp when it began as zeros. For impairment and for
 * captures; made from text by config/filter.h.
 *
 * `local` and `peer` are the stack's end and the other, whichever way the frame goes: of a frame in, the peer is its
 * source; of a frame out, its destination.
 *
 *   - Only headers are read, no checksum is looked at, and of a super-frame or of one whose payload lies elsewhere
 * the first bytes are enough. What is cut short or malformed is of protocol `other` from there on.
 *   - A frame that has not got what a condition asks for fits neither the condition nor its opposite: ports are those
 *     of TCP and UDP (an ICMP error has none, though it speaks of a packet that has), addresses those of IP (ARP has
 *     none).
 *   - Of a fragmented packet only the first fragment has ports. The others keep addresses and protocol.
 *   - IPv6 extension headers are stepped over, at most FRAME_EXTENSIONS_MAX of them, whatever options they hold.
 *   - A frame with a VLAN tag is of protocol `other`, without addresses. */
#include "core/base/addr.h"

#include <stddef.h>

#define FRAME_FILTER_CONDITIONS_MAX 8u
#define FRAME_FILTER_VALUES_MAX 32u /* of all conditions together, protocols not counted */
#define FRAME_EXTENSIONS_MAX 8u

enum frame_field {
	FRAME_PEER,      /* address of the other end */
	FRAME_LOCAL,     /* of the stack's */
	FRAME_ADDRESS,   /* of one of both */
	FRAME_PEER_PORT, /* likewise */
	FRAME_LOCAL_PORT,
	FRAME_PORT,
	FRAME_PROTOCOL,
	FRAME_FIELD_COUNT
};

/* Every frame is one of these. */
enum frame_protocol {
	FRAME_TCP,
	FRAME_UDP,
	FRAME_ICMP, /* of both families, without what is ND; with MLD */
	FRAME_ND,   /* neighbour discovery: ICMPv6 types 133 to 137 (RFC 4861) */
	FRAME_ARP,
	FRAME_OTHER,
	FRAME_PROTOCOL_COUNT
};

/* What is known of one frame. Read once, it can be held against many filters. */
struct frame_flow {
	struct ip_addr local, peer;
	uint16_t local_port, peer_port;
	uint8_t protocol; /* enum frame_protocol */
	bool has_addresses, has_ports;
};

/* `length` bytes of the frame, from its Ethernet header on; `out`: the stack sends it. */
void frame_flow_read(const uint8_t *frame, uint32_t length, bool out, struct frame_flow *ret_flow);

struct frame_filter_value {
	struct ip_addr prefix; /* addresses; fits its own family only */
	uint8_t bits;          /* of an IPv6-wide address: an IPv4 /24 is 120 */
	uint16_t low, high;    /* ports: inclusive */
};

/* One of the values fits; or with `except`, none of them. */
struct frame_condition {
	uint8_t field; /* enum frame_field */
	bool except;
	uint8_t first, count; /* in the filter's values */
	uint8_t protocols;    /* FRAME_PROTOCOL: 1 << enum frame_protocol */
};

struct frame_filter {
	uint32_t condition_count, value_count; /* no conditions: every frame fits */
	struct frame_condition condition[FRAME_FILTER_CONDITIONS_MAX];
	struct frame_filter_value value[FRAME_FILTER_VALUES_MAX];
};

bool frame_filter_fits(const struct frame_filter *filter, const struct frame_flow *flow);

/* frame_flow_read and frame_filter_fits; a filter without conditions reads nothing. */
bool frame_filter_matches(const struct frame_filter *filter, const uint8_t *frame, uint32_t length, bool out);
