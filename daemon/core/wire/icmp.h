#pragma once
/* ICMP for IPv4 (RFC 792, RFC 1122 section 3.2.2, RFC 1191, RFC 1812 section 4.3). */
#include "core/base/addr.h"

#include <stddef.h>

enum {
	ICMP_HEADER_BYTES = 8,
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_SOURCE_QUENCH = 4,
	ICMP_REDIRECT = 5,
	ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,

	ICMP_NET_UNREACHABLE = 0, /* codes of ICMP_UNREACHABLE */
	ICMP_HOST_UNREACHABLE = 1,
	ICMP_PROTOCOL_UNREACHABLE = 2,
	ICMP_PORT_UNREACHABLE = 3,
	ICMP_FRAGMENTATION_NEEDED = 4,

	ICMP_REASSEMBLY_TIME = 1, /* code of ICMP_TIME_EXCEEDED */
};

struct icmp_message {
	uint8_t type, code;
	uint16_t id, sequence;  /* echo */
	uint16_t next_hop_mtu;  /* ICMP_FRAGMENTATION_NEEDED; 0: not given */
	const uint8_t *payload; /* echo: the data; errors: the IP header and more of the packet they speak of */
	uint32_t payload_bytes;
};

/* Returns 0; -EBADMSG too short; -EILSEQ wrong checksum. */
int icmp_read(const uint8_t *bytes, size_t length, struct icmp_message *ret_message);

/* Writes header and payload (copied), with checksum; `out` has room for ICMP_HEADER_BYTES + payload_bytes.
 * Returns the bytes written. */
size_t icmp_write(uint8_t *out, const struct icmp_message *message);
