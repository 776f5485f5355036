/* Routers. */
#include "core/wire/arp.h"
#include "core/wire/bytes.h"
#include "core/wire/checksum.h"
#include "core/wire/ethernet.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"
#include "network.h"
#include "packet.h"

#include <stdlib.h>
#include <string.h>

enum {
	IP = ETHERNET_HEADER_BYTES,
	IPV6_BYTES = 40,
	ICMPV6 = 58,
	ICMPV6_TOO_BIG = 2,
	ICMPV6_SOLICITATION = 135,
	ICMPV6_ADVERTISEMENT = 136,
	ND_BYTES = 32, /* with one link-layer address option */
};

/* ---- messages ----------------------------------------------------------------------------------------------------
 */

/* RFC 1191: "fragmentation needed". */
static struct impair_packet *too_big4(struct impair *impair, const struct impair_packet *about, uint32_t mtu,
                                      const struct ip_addr *router, const struct mac_addr *mac)
{
	const uint8_t *quoted = about->bytes + IP;
	struct icmp_message message = { .type = ICMP_UNREACHABLE,
		                        .code = ICMP_FRAGMENTATION_NEEDED,
		                        .next_hop_mtu = (uint16_t)mtu,
		                        .payload = quoted,
		                        .payload_bytes = 40 };
	struct ip_packet ip = { .source = *router,
		                .destination = ip_addr_v4(load32(quoted + 12)),
		                .ttl = 64,
		                .protocol = IP_PROTOCOL_ICMP,
		                .payload_bytes = ICMP_HEADER_BYTES + 40 };
	struct ethernet_header ethernet = { .source = *mac, .type = ETHERTYPE_IPV4 };
	struct impair_packet *packet = impair_packet_new(impair, IP + IPV4_HEADER_BYTES + ip.payload_bytes);

	memcpy(ethernet.destination.b, about->bytes + 6, 6);
	ethernet_write(packet->bytes, &ethernet);
	ipv4_write(packet->bytes + IP, &ip);
	icmp_write(packet->bytes + IP + IPV4_HEADER_BYTES, &message);
	return packet;
}

/* Ethernet, IPv6 and ICMPv6 headers before a message of `bytes` bytes, which the caller has filled. */
static void write_icmp6(struct impair_packet *packet, const struct mac_addr *to, const struct mac_addr *from,
                        const struct ip_addr *source, const struct ip_addr *destination, uint8_t hops)
{
	struct ethernet_header ethernet = { .destination = *to, .source = *from, .type = ETHERTYPE_IPV6 };
	uint8_t *ip = packet->bytes + IP;
	uint32_t bytes = packet->length - IP - IPV6_BYTES;
	uint64_t sum;

	ethernet_write(packet->bytes, &ethernet);
	store32(ip, 6u << 28);
	store16(ip + 4, bytes);
	ip[6] = ICMPV6;
	ip[7] = hops;
	memcpy(ip + 8, source, 16);
	memcpy(ip + 24, destination, 16);
	store16(ip + IPV6_BYTES + 2, 0);
	sum = checksum_add(checksum_pseudo(source, destination, ICMPV6, bytes), ip + IPV6_BYTES, bytes, 0);
	store16(ip + IPV6_BYTES + 2, (uint16_t)~checksum_fold(sum));
}

/* RFC 4443 section 3.2; as much of the packet as fits into 1280 bytes. */
static struct impair_packet *too_big6(struct impair *impair, const struct impair_packet *about, uint32_t mtu,
                                      const struct ip_addr *router, const struct mac_addr *mac)
{
	uint32_t quoted = about->length - IP < 1280 - IPV6_BYTES - 8 ? about->length - IP : 1280 - IPV6_BYTES - 8;
	struct impair_packet *packet = impair_packet_new(impair, IP + IPV6_BYTES + 8 + quoted);
	uint8_t *icmp = packet->bytes + IP + IPV6_BYTES;
	struct ip_addr source, destination;
	struct mac_addr to;

	packet_addresses(about, &source, &destination);
	memcpy(to.b, about->bytes + 6, 6);
	icmp[0] = ICMPV6_TOO_BIG;
	icmp[1] = 0;
	store32(icmp + 4, mtu);
	memcpy(icmp + 8, about->bytes + IP, quoted);
	packet->is_ipv6 = true;
	write_icmp6(packet, &to, mac, router, &source, 64);
	return packet;
}

static struct impair_packet *too_big(struct impair *impair, const struct impair_packet *about, uint32_t mtu,
                                     const struct ip_addr *router, const struct ip_addr *router6,
                                     const struct mac_addr *mac)
{
	if (load16(about->bytes + 12) == ETHERTYPE_IPV6)
		return too_big6(impair, about, mtu, router6, mac);
	return too_big4(impair, about, mtu, router, mac);
}

/* ---- a hop with an MTU of its own ---------------------------------------------------------------------------------
 */

struct mtu {
	struct impair_element element;
	struct impair_element *back;
	struct network_mtu_options options;
};

static void mtu_take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	static const struct ip_addr router6 = { { 0x20, 1, 0x0d, 0xb8, [15] = 1 } };
	static const struct mac_addr mac = { { 2, 0, 0, 0, 0, 1 } };
	struct mtu *hop = (struct mtu *)element;
	const struct network_mtu_options *options = &hop->options;
	uint32_t mtu = instant_reached(options->later, now) ? options->later_mtu : options->mtu;
	struct ip_addr router = ip_addr_v4(0xc0000201); /* 192.0.2.1 */

	if (packet_wire_mtu(packet) <= mtu || (options->silent && element->impair->resting)) {
		impair_pass(element, now, packet);
		return;
	}
	if (!options->silent)
		impair_give(hop->back, now,
		            too_big(element->impair, packet, options->no_size ? 0 : mtu, &router, &router6, &mac));
	impair_drop(element, now, packet, "too big");
}

struct impair_element *network_mtu(struct sim *sim, struct impair_element *next, struct impair_element *back,
                                   struct network_mtu_options options)
{
	struct mtu *hop = sim_alloc(sim, sizeof(*hop));

	hop->element.take = mtu_take;
	hop->back = back;
	hop->options = options;
	impair_add(&sim->impair, &hop->element, next);
	return &hop->element;
}

/* ---- router ------------------------------------------------------------------------------------------------------
 */

#define ROUTES_MAX 32

struct side {
	struct impair_element element;
	struct network_router *router;
	struct network_router_side is;
};

struct network_router {
	struct side side[2];
	uint32_t routes;
	struct {
		struct ip_addr destination;
		unsigned side;
		struct mac_addr mac;
	} route[ROUTES_MAX];
};

static void arp_for_us(struct side *side, struct instant now, const struct impair_packet *packet)
{
	struct ethernet_header ethernet = { .source = side->is.mac, .type = ETHERTYPE_ARP };
	struct impair_packet *answer;
	struct arp_packet arp;

	if (arp_read(packet->bytes + IP, packet->length - IP, &arp) < 0 || arp.operation != ARP_REQUEST ||
	    !ip_addr_equal(&arp.target_ip, &side->is.address))
		return;
	arp = (struct arp_packet){ .operation = ARP_REPLY,
		                   .sender_mac = side->is.mac,
		                   .sender_ip = side->is.address,
		                   .target_mac = arp.sender_mac,
		                   .target_ip = arp.sender_ip };
	answer = impair_packet_new(side->element.impair, IP + ARP_BYTES);
	ethernet.destination = arp.target_mac;
	ethernet_write(answer->bytes, &ethernet);
	arp_write(answer->bytes + IP, &arp);
	impair_give(side->is.out, now, answer);
}

/* RFC 4861 section 7.2.4, for solicitations with a source link-layer address or from a known MAC. True: it was one.
 */
static bool solicitation_for_us(struct side *side, struct instant now, const struct impair_packet *packet)
{
	const uint8_t *ip = packet->bytes + IP, *icmp = ip + IPV6_BYTES;
	struct impair_packet *answer;
	struct ip_addr source;
	struct mac_addr to;
	uint8_t *reply;

	if (packet->length < IP + IPV6_BYTES + 24 || ip[6] != ICMPV6 || icmp[0] != ICMPV6_SOLICITATION)
		return false;
	memcpy(source.b, ip + 8, 16);
	if (memcmp(icmp + 8, side->is.address6.b, 16) != 0 || ip_addr_is_any(&source))
		return true;
	memcpy(to.b, packet->bytes + 6, 6);
	answer = impair_packet_new(side->element.impair, IP + IPV6_BYTES + ND_BYTES);
	reply = answer->bytes + IP + IPV6_BYTES;
	reply[0] = ICMPV6_ADVERTISEMENT;
	reply[1] = 0;
	store32(reply + 4, 0xe0000000); /* router, solicited, override */
	memcpy(reply + 8, side->is.address6.b, 16);
	reply[24] = 2; /* target link-layer address */
	reply[25] = 1;
	memcpy(reply + 26, side->is.mac.b, 6);
	answer->is_ipv6 = true;
	write_icmp6(answer, &to, &side->is.mac, &side->is.address6, &source, 255);
	impair_give(side->is.out, now, answer);
	return true;
}

/* One hop less to go; false: it was the last. */
static bool count_hop(struct impair_packet *packet)
{
	uint8_t *ip = packet->bytes + IP;
	uint8_t *hops = ip + (ip[0] >> 4 == 6 ? 7 : 8);

	if (*hops <= 1)
		return false;
	--*hops;
	if (ip[0] >> 4 == 4) {
		store16(ip + 10, 0);
		store16(ip + 10, (uint16_t)~checksum_fold(checksum_add(0, ip, (ip[0] & 15u) * 4, 0)));
	}
	return true;
}

static void forward(struct side *side, struct instant now, struct impair_packet *packet)
{
	struct network_router *router = side->router;
	struct ip_addr source, destination;
	const struct side *out;
	uint32_t i = 0;

	packet_addresses(packet, &source, &destination);
	while (i < router->routes && !ip_addr_equal(&router->route[i].destination, &destination))
		i++;
	if (i == router->routes || !packet_header_is_sound(packet) || !count_hop(packet)) {
		impair_drop(&side->element, now, packet, "no way");
		return;
	}
	out = &router->side[router->route[i].side];
	if (packet_wire_mtu(packet) > out->is.mtu) {
		impair_give(side->is.out, now,
		            too_big(side->element.impair, packet, out->is.mtu, &side->is.address, &side->is.address6,
		                    &side->is.mac));
		impair_drop(&side->element, now, packet, "too big");
		return;
	}
	memcpy(packet->bytes, router->route[i].mac.b, 6);
	memcpy(packet->bytes + 6, out->is.mac.b, 6);
	impair_give(out->is.out, now, packet);
}

static void side_take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	struct side *side = (struct side *)element;
	struct ip_addr source, destination;
	bool ours = memcmp(packet->bytes, side->is.mac.b, 6) == 0;

	if (load16(packet->bytes + 12) == ETHERTYPE_ARP)
		arp_for_us(side, now, packet);
	else if (packet_addresses(packet, &source, &destination) && !solicitation_for_us(side, now, packet) && ours) {
		forward(side, now, packet);
		return;
	}
	impair_packet_free(element->impair, packet);
}

struct network_router *network_router(struct sim *sim, const struct network_router_side sides[2])
{
	struct network_router *router = sim_alloc(sim, sizeof(*router));

	for (unsigned i = 0; i < 2; i++) {
		struct side *side = &router->side[i];

		side->router = router;
		side->is = sides[i];
		side->element.take = side_take;
		impair_add(&sim->impair, &side->element, NULL);
	}
	return router;
}

struct impair_element *network_router_in(struct network_router *router, unsigned side)
{
	return &router->side[side].element;
}

void network_router_out(struct network_router *router, unsigned side, struct impair_element *out)
{
	router->side[side].is.out = out;
}

void network_router_route(struct network_router *router, struct ip_addr destination, unsigned side,
                          struct mac_addr mac)
{
	if (router->routes == ROUTES_MAX)
		abort();
	router->route[router->routes].destination = destination;
	router->route[router->routes].side = side;
	router->route[router->routes++].mac = mac;
}
