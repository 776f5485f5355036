#pragma once
/* IPv4 headers (RFC 791). */
#include "core/base/addr.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	IPV4_HEADER_BYTES = 20,
	IP_PROTOCOL_ICMP = 1,
	IP_PROTOCOL_TCP = 6,
	IP_PROTOCOL_UDP = 17,
};

struct ipv4_packet {
	struct ip_addr source, destination; /* v4-mapped */
	uint8_t tos;                        /* DSCP << 2 | ECN */
	uint8_t ttl, protocol;
	uint16_t id;
	bool dont_fragment, more_fragments;
	uint32_t fragment_offset; /* in bytes */
	uint8_t header_bytes;     /* with options */
	const uint8_t *payload;   /* inside the bytes read; trailing link padding cut off */
	uint32_t payload_bytes;
};

/* Checks version, header length, total length against `length`, the header checksum; tolerates any options but
 * refuses ones whose length runs past the header, and source routes.
 * Returns 0; -EBADMSG malformed; -EILSEQ wrong header checksum; -EOPNOTSUPP source route. */
int ipv4_read(const uint8_t *bytes, size_t length, struct ipv4_packet *ret_packet);

/* Writes a 20-byte header with its checksum for a payload of packet->payload_bytes; payload and header_bytes are
 * ignored. A total above 65535 is the caller's bug. */
void ipv4_write(uint8_t *out, const struct ipv4_packet *packet);
