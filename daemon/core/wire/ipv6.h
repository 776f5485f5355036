#pragma once
/* IPv6 headers and extension headers (RFC 8200). */
#include "core/wire/ip.h"

enum {
	IPV6_HEADER_BYTES = 40,
	IPV6_MTU_LEAST = 1280, /* of any link, RFC 8200 section 5 */
	IPV6_FRAGMENT_HEADER_BYTES = 8,
	IPV6_ROUTER_ALERT_BYTES = 8,    /* hop-by-hop header with nothing but a router alert */
	IPV6_EXTENSIONS_MAX = 8,        /* headers of one packet */
	IPV6_EXTENSION_BYTES_MAX = 512, /* all of them together, without a fragment header */
	IPV6_OPTIONS_MAX = 16,          /* of one header, padding not counted; RFC 8504 section 5.3 */
};

/* Why a packet is refused aloud: what a Parameter Problem about it says (RFC 4443 section 3.4). */
struct ipv6_problem {
	uint8_t code;
	uint32_t pointer;
	bool even_multicast; /* also when it was sent to a group (RFC 4443 2.4(e.3)) */
};

/* The fixed header: version, payload length against `length`. The packet's protocol is the first next header, and its
 * payload is all that follows. Returns 0, or -EBADMSG. */
int ipv6_read(const uint8_t *bytes, size_t length, struct ip_packet *ret_packet);

/* Steps over the extension headers of a packet that ipv6_read gave, up to the upper layer or to the part that a
 * fragment carries; an atomic fragment (RFC 6946) is as whole as any packet. Only one fragment header may be there.
 * A first fragment must hold all headers, the upper layer's included (RFC 7112). Options that are unknown are treated
 * as their highest two bits say; a route with segments left is refused (RFC 5095; we are no router), one without is
 * stepped over. Returns 0; -EBADMSG malformed, or beyond the limits above: to be dropped silently; -EPROTO: to be
 * dropped, and *ret_problem told to the source. On failure the packet is as it was. */
int ipv6_skip_extensions(struct ip_packet *packet, struct ipv6_problem *ret_problem);

/* Writes the fixed header for packet->payload_bytes of payload, packet->protocol being the first next header. More
 * than 65535 bytes are the caller's bug. */
void ipv6_write(uint8_t *out, const struct ip_packet *packet);

/* Writes a fragment header from packet->id, fragment_offset, more_fragments, in front of `protocol`. */
void ipv6_write_fragment(uint8_t *out, const struct ip_packet *packet, uint8_t protocol);

/* Writes a hop-by-hop header with a router alert for MLD (RFC 2711, RFC 3810 section 5), in front of `protocol`. */
void ipv6_write_router_alert(uint8_t *out, uint8_t protocol);

/* ---- addresses (RFC 4291) ----------------------------------------------------------------------------------------
 */

static inline bool ipv6_is_multicast(const struct ip_addr *ip)
{
	return ip->b[0] == 0xff;
}

/* fe80::/10 */
static inline bool ipv6_is_link_local(const struct ip_addr *ip)
{
	return ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

static inline bool ipv6_is_unspecified(const struct ip_addr *ip)
{
	return ip_addr_equal(ip, &IP_ADDR_ANY);
}

/* Unicast that a host may have: not ::, ::1, a group, or an IPv4-mapped address, which must never be on the wire
 * (RFC 4942 section 2.2): in here it would be taken for IPv4. */
bool ipv6_is_host(const struct ip_addr *ip);

/* ff02::1:ffXX:XXXX, where neighbours of this address are asked for (RFC 4291 section 2.7.1). */
struct ip_addr ipv6_solicited_node(const struct ip_addr *ip);

/* The Ethernet group of a multicast address (RFC 2464 section 7). */
struct mac_addr ipv6_group_mac(const struct ip_addr *group);

/* Are the first `bits` bits of both the same? */
bool ip_addr_match(const struct ip_addr *a, const struct ip_addr *b, uint32_t bits);

/* How many bits at their beginning are the same. */
uint32_t ip_addr_common_bits(const struct ip_addr *a, const struct ip_addr *b);

#define IPV6_ALL_NODES ((struct ip_addr){ { 0xff, 2, [15] = 1 } })
#define IPV6_ALL_ROUTERS ((struct ip_addr){ { 0xff, 2, [15] = 2 } })
