#pragma once
/* An IP packet of either family, between the header's codec (ipv4.h, ipv6.h) and what is above it. The addresses tell
 * the family. */
#include "core/base/addr.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	IP_PROTOCOL_HOP_BY_HOP = 0, /* IPv6: an extension header, as are the others that say so */
	IP_PROTOCOL_ICMP = 1,
	IP_PROTOCOL_TCP = 6,
	IP_PROTOCOL_UDP = 17,
	IP_PROTOCOL_ROUTING = 43,  /* extension header */
	IP_PROTOCOL_FRAGMENT = 44, /* extension header */
	IP_PROTOCOL_ICMPV6 = 58,
	IP_PROTOCOL_NO_NEXT = 59,             /* nothing follows */
	IP_PROTOCOL_DESTINATION_OPTIONS = 60, /* extension header */
};

struct ip_packet {
	struct ip_addr source, destination; /* v4-mapped: the packet is IPv4 */
	uint8_t tos;                        /* DSCP << 2 | ECN; IPv6: traffic class */
	uint8_t ttl;                        /* IPv6: hop limit */
	uint8_t protocol;                   /* of the payload */
	bool dont_fragment;                 /* IPv4 */
	bool more_fragments;
	bool from_fragments;      /* made whole from them here, or came as the only one (RFC 6946) */
	bool to_group;            /* the frame was for more than this host */
	bool router_alert;        /* IPv6: the option is there */
	uint32_t id;              /* of the packet that a fragment belongs to; IPv4: 16 bits */
	uint32_t fragment_offset; /* in bytes */
	uint32_t flow_label;      /* IPv6: 20 bits */
	uint16_t header_bytes;    /* before the payload, with options or extension headers; 0: not there any more */
	uint16_t protocol_at;     /* IPv6: offset in the packet of the octet that names the protocol */
	const uint8_t *payload;   /* inside the bytes read; trailing link padding cut off */
	uint32_t payload_bytes;
};

/* Part of something larger? */
static inline bool ip_is_fragment(const struct ip_packet *ip)
{
	return ip->more_fragments || ip->fragment_offset > 0;
}
