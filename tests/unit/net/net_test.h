#pragma once
/* Packets of other protocols than TCP, for and from the stack of a dialogue. */
#include "../../support/peer.h"
#include "core/wire/arp.h"
#include "core/wire/bytes.h"
#include "core/wire/checksum.h"
#include "core/wire/ethernet.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"

#define HEADERS (ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES)

static const struct mac_addr stack_mac = { { 2, 0, 0, 0, 0, 2 } };
static const struct mac_addr broadcast_mac = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };

/* An IP packet; zeroes in `ip` mean: from the peer to the stack. */
static inline enum stack_verdict sends_ip(struct peer *p, struct ip_packet ip, const void *payload, uint32_t bytes)
{
	static uint8_t frame[HEADERS + 65536];
	struct ethernet_header ethernet = { .destination = stack_mac, .source = p->mac, .type = ETHERTYPE_IPV4 };

	if (ip_addr_is_any(&ip.source))
		ip.source = PEER_IP;
	if (ip_addr_is_any(&ip.destination))
		ip.destination = STACK_IP;
	ip.ttl = 64;
	ip.payload_bytes = bytes;
	ethernet_write(frame, &ethernet);
	ipv4_write(frame + ETHERNET_HEADER_BYTES, &ip);
	memcpy(frame + HEADERS, payload, bytes);
	return peer_sends_frame(p, frame, HEADERS + bytes);
}

static inline enum stack_verdict sends_icmp(struct peer *p, struct icmp_message message, struct ip_addr source)
{
	static uint8_t bytes[65536];

	return sends_ip(p, (struct ip_packet){ .source = source, .protocol = IP_PROTOCOL_ICMP }, bytes,
	                (uint32_t)icmp_write(bytes, &message));
}

static inline enum stack_verdict sends_arp(struct peer *p, uint16_t operation, struct mac_addr mac,
                                           struct ip_addr sender, struct ip_addr target)
{
	struct ethernet_header ethernet = { .destination = broadcast_mac, .source = mac, .type = ETHERTYPE_ARP };
	struct arp_packet arp = {
		.operation = operation, .sender_mac = mac, .sender_ip = sender, .target_ip = target
	};
	uint8_t frame[ETHERNET_HEADER_BYTES + ARP_BYTES];

	ethernet_write(frame, &ethernet);
	arp_write(frame + ETHERNET_HEADER_BYTES, &arp);
	return peer_sends_frame(p, frame, sizeof(frame));
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

/* It must be an ARP packet. */
static inline struct arp_packet next_arp(struct peer *p)
{
	const struct peer_frame *frame = next_frame(p);
	struct arp_packet arp;

	assert_int_equal(load16(frame->bytes + 12), ETHERTYPE_ARP);
	assert_int_equal(arp_read(frame->bytes + ETHERNET_HEADER_BYTES, frame->length - ETHERNET_HEADER_BYTES, &arp),
	                 0);
	return arp;
}

/* It must be an IP packet. */
static inline struct ip_packet next_ip(struct peer *p)
{
	const struct peer_frame *frame = next_frame(p);
	struct ip_packet ip;

	assert_int_equal(load16(frame->bytes + 12), ETHERTYPE_IPV4);
	assert_int_equal(ipv4_read(frame->bytes + ETHERNET_HEADER_BYTES, frame->length - ETHERNET_HEADER_BYTES, &ip),
	                 0);
	return ip;
}

/* It must be an ICMP message with a right checksum. */
static inline struct icmp_message next_icmp(struct peer *p)
{
	struct ip_packet ip = next_ip(p);
	struct icmp_message message;

	assert_int_equal(ip.protocol, IP_PROTOCOL_ICMP);
	assert_int_equal(icmp_read(ip.payload, ip.payload_bytes, &message), 0);
	return message;
}
