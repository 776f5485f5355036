#pragma once
/* ICMP for IPv6 (RFC 4443): the header that all messages share, with the checksum over the pseudo-header. What
 * neighbour discovery and MLD put behind it is in nd.h and net/mld.c. */
#include "core/base/addr.h"

#include <stddef.h>

enum {
	ICMP6_HEADER_BYTES = 8, /* with the four bytes that every message has behind its checksum */

	ICMP6_UNREACHABLE = 1,
	ICMP6_PACKET_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
	ICMP6_PARAMETER_PROBLEM = 4,
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129,
	ICMP6_MLD_QUERY = 130,
	ICMP6_MLD_REPORT = 131, /* of version 1 */
	ICMP6_ROUTER_SOLICITATION = 133,
	ICMP6_ROUTER_ADVERTISEMENT = 134,
	ICMP6_NEIGHBOUR_SOLICITATION = 135,
	ICMP6_NEIGHBOUR_ADVERTISEMENT = 136,
	ICMP6_REDIRECT = 137,
	ICMP6_MLD2_REPORT = 143,

	ICMP6_NO_ROUTE = 0, /* codes of ICMP6_UNREACHABLE */
	ICMP6_PROHIBITED = 1,
	ICMP6_ADDRESS_UNREACHABLE = 3,
	ICMP6_PORT_UNREACHABLE = 4,

	ICMP6_REASSEMBLY_TIME = 1, /* code of ICMP6_TIME_EXCEEDED */

	ICMP6_PROBLEM_FIELD = 0, /* codes of ICMP6_PARAMETER_PROBLEM */
	ICMP6_PROBLEM_NEXT_HEADER = 1,
	ICMP6_PROBLEM_OPTION = 2,
	ICMP6_PROBLEM_FIRST_FRAGMENT = 3, /* RFC 7112 section 5 */
};

struct icmp6_message {
	uint8_t type, code;
	uint32_t word; /* bytes 4 to 7: an echo's id << 16 | sequence, an MTU, a pointer, flags of an advertisement */
	const uint8_t *payload; /* what follows: data, or the packet that an error speaks of */
	uint32_t payload_bytes;
};

static inline bool icmp6_is_error(uint8_t type)
{
	return type < 128;
}

/* Returns 0; -EBADMSG too short; -EILSEQ wrong checksum. */
int icmp6_read(const uint8_t *bytes, size_t length, const struct ip_addr *source, const struct ip_addr *destination,
               struct icmp6_message *ret_message);

/* Writes header and payload (copied, unless it lies at out + ICMP6_HEADER_BYTES already), with checksum; `out` has
 * room for ICMP6_HEADER_BYTES + payload_bytes. Returns the bytes written. */
size_t icmp6_write(uint8_t *out, const struct ip_addr *source, const struct ip_addr *destination,
                   const struct icmp6_message *message);
