#pragma once
/* IPv4 headers (RFC 791). */
#include "core/wire/ip.h"

enum { IPV4_HEADER_BYTES = 20 };

/* Checks version, header length, total length against `length`, the header checksum; tolerates any options but
 * refuses ones whose length runs past the header, and source routes.
 * Returns 0; -EBADMSG malformed; -EILSEQ wrong header checksum; -EOPNOTSUPP source route. */
int ipv4_read(const uint8_t *bytes, size_t length, struct ip_packet *ret_packet);

/* Writes a 20-byte header with its checksum for a payload of packet->payload_bytes; payload and header_bytes are
 * ignored. A total above 65535 is the caller's bug. */
void ipv4_write(uint8_t *out, const struct ip_packet *packet);
