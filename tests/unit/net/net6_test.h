#pragma once
/* IPv6 packets of other protocols than TCP, for and from the stack of a dialogue. A test calls over_ipv6() first. */
#include "../../support/peer.h"
#include "core/wire/bytes.h"
#include "core/wire/checksum.h"
#include "core/wire/ethernet.h"
#include "core/wire/ipv6.h"
#include "core/wire/nd.h"

#include <stdlib.h>

#define HEADERS6 (ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES)
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
/* 2001:db8::20 and up; fe80::1 and up */
#define OTHER_IP(n) ((struct ip_addr){ { 0x20, 0x01, 0x0d, 0xb8, [15] = (uint8_t)(0x20 + (n)) } })
#define NEAR_IP(n) ((struct ip_addr){ { 0xfe, 0x80, [15] = (uint8_t)(n) } })
#define STRANGE_IP ((struct ip_addr){ { 0x20, 0x01, 0x0d, 0xb8, 0, 9, [15] = 9 } }) /* of another network */
/* The stack's link-local address, made from its MAC 02:00:00:00:00:02. */
#define STACK_NEAR_IP ((struct ip_addr){ { 0xfe, 0x80, [11] = 0xff, 0xfe, 0, 0, 2 } })
#define NOWHERE IP_ADDR_ANY

static const struct mac_addr stack_mac = { { 2, 0, 0, 0, 0, 2 } };
static const struct mac_addr other_mac = { { 2, 0, 0, 0, 0, 0x20 } };

static inline int over_ipv6(void)
{
	return setenv("TAPSTACK_TEST_FAMILY", "6", 1);
}

/* All of neighbour discovery is shown to the test; what the stack says at its start is not. */
static inline struct peer *start6(void (*tweak)(struct stack_config *config))
{
	struct peer *p = peer_start(tweak);

	peer_waits(p, DURATION_S(2));
	p->answers_arp = false;
	return p;
}

/* An IPv6 packet; zeroes in `ip` mean: TTL 64, to the stack. */
static inline enum stack_verdict sends_ip6(struct peer *p, struct ip_packet ip, const void *payload, uint32_t bytes)
{
	static uint8_t frame[HEADERS6 + 65536];
	struct ethernet_header ethernet = { .destination = stack_mac, .source = p->mac, .type = ETHERTYPE_IPV6 };

	if (ip_addr_is_any(&ip.destination))
		ip.destination = STACK_IP;
	if (ipv6_is_multicast(&ip.destination))
		ethernet.destination = ipv6_group_mac(&ip.destination);
	if (ip.ttl == 0)
		ip.ttl = 64;
	ip.payload_bytes = bytes;
	ethernet_write(frame, &ethernet);
	ipv6_write(frame + ETHERNET_HEADER_BYTES, &ip);
	memcpy(frame + HEADERS6, payload, bytes);
	return peer_sends_frame(p, frame, HEADERS6 + bytes);
}

static inline enum stack_verdict sends_icmp6(struct peer *p, struct ip_addr source, struct ip_addr destination,
                                             uint8_t ttl, struct icmp6_message message)
{
	static uint8_t bytes[65536];
	struct ip_packet ip = {
		.source = source, .destination = destination, .ttl = ttl, .protocol = IP_PROTOCOL_ICMPV6
	};

	return sends_ip6(p, ip, bytes, (uint32_t)icmp6_write(bytes, &source, &destination, &message));
}

static inline enum stack_verdict sends_nd(struct peer *p, struct ip_addr source, struct ip_addr destination,
                                          struct nd_message message)
{
	uint8_t bytes[ND_MESSAGE_BYTES_MAX];
	struct ip_packet ip = {
		.source = source, .destination = destination, .ttl = 255, .protocol = IP_PROTOCOL_ICMPV6
	};

	return sends_ip6(p, ip, bytes, (uint32_t)nd_write(bytes, &source, &destination, &message));
}

static inline enum stack_verdict pings(struct peer *p, struct ip_addr source, struct ip_addr destination,
                                       uint16_t sequence)
{
	return sends_icmp6(p, source, destination, 64,
	                   (struct icmp6_message){ .type = ICMP6_ECHO, .word = sequence });
}

/* The next frame the stack sent; valid until the next call. */
static inline const struct peer_frame *next_frame(struct peer *p)
{
	static uint8_t *last;

	assert_true(p->frame_first < p->frame_count);
	free(last);
	last = p->frame[p->frame_first].bytes;
	return &p->frame[p->frame_first++];
}

/* It must be an IPv6 packet, as its headers say. */
static inline struct ip_packet next_ip6(struct peer *p)
{
	const struct peer_frame *frame = next_frame(p);
	struct ipv6_problem problem;
	struct ip_packet ip;

	assert_int_equal(load16(frame->bytes + 12), ETHERTYPE_IPV6);
	assert_int_equal(ipv6_read(frame->bytes + ETHERNET_HEADER_BYTES, frame->length - ETHERNET_HEADER_BYTES, &ip),
	                 0);
	assert_int_equal(ipv6_skip_extensions(&ip, &problem), 0);
	if (ipv6_is_multicast(&ip.destination)) {
		struct mac_addr mac = ipv6_group_mac(&ip.destination);

		assert_memory_equal(frame->bytes, &mac, sizeof(mac));
	}
	return ip;
}

/* It must be an ICMPv6 message with a right checksum. */
static inline struct icmp6_message next_icmp6(struct peer *p, struct ip_packet *ret_ip)
{
	struct icmp6_message message;

	*ret_ip = next_ip6(p);
	assert_int_equal(ret_ip->protocol, IP_PROTOCOL_ICMPV6);
	assert_int_equal(
	        icmp6_read(ret_ip->payload, ret_ip->payload_bytes, &ret_ip->source, &ret_ip->destination, &message),
	        0);
	return message;
}

/* It must be a message of neighbour discovery of this type. */
static inline struct nd_message next_nd(struct peer *p, uint8_t type, struct ip_packet *ret_ip)
{
	struct icmp6_message icmp = next_icmp6(p, ret_ip);
	struct nd_message message;

	assert_int_equal(icmp.type, type);
	assert_int_equal(ret_ip->ttl, 255);
	assert_int_equal(nd_read(&icmp, &message), 0);
	return message;
}

static inline const char *state_of(struct peer *p, struct ip_addr ip)
{
	struct stack_neighbour_info infos[64];
	size_t count = stack_neighbours(p->stack, infos, 64);

	for (size_t i = 0; i < count; i++) {
		if (ip_addr_equal(&infos[i].ip, &ip))
			return stack_neighbour_state_name(infos[i].state);
	}
	return "none";
}

static inline bool knows(struct peer *p, struct ip_addr ip, struct mac_addr mac)
{
	struct stack_neighbour_info infos[64];
	size_t count = stack_neighbours(p->stack, infos, 64);

	for (size_t i = 0; i < count; i++) {
		if (ip_addr_equal(&infos[i].ip, &ip))
			return infos[i].resolved && memcmp(&infos[i].mac, &mac, sizeof(mac)) == 0;
	}
	return false;
}

/* What the stack says of an address of its own; "none": it has no such. */
static inline const char *own_state(struct peer *p, struct ip_addr ip, struct stack_address_info *ret_info)
{
	struct stack_address_info infos[STACK_ADDRESSES_INFO_MAX];
	size_t count = stack_addresses(p->stack, infos, STACK_ADDRESSES_INFO_MAX);

	for (size_t i = 0; i < count; i++) {
		if (!ip_addr_equal(&infos[i].address.ip, &ip))
			continue;
		if (ret_info)
			*ret_info = infos[i];
		return stack_address_state_name(infos[i].state);
	}
	return "none";
}
