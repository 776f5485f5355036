#pragma once
/* ARP for IPv4 over Ethernet (RFC 826, RFC 5227). */
#include "core/base/addr.h"

#include <stddef.h>

enum { ARP_BYTES = 28, ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp_packet {
	uint16_t operation;
	struct mac_addr sender_mac, target_mac;
	struct ip_addr sender_ip, target_ip; /* v4-mapped */
};

/* Returns 0, or -EBADMSG when it is too short or not IPv4 over Ethernet with a known operation. */
int arp_read(const uint8_t *bytes, size_t length, struct arp_packet *ret_packet);
void arp_write(uint8_t *out, const struct arp_packet *packet);
