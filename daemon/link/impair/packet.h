#pragma once
/* Looking into packets and changing them on their way. */
#include "core/base/addr.h"
#include "link/impair/impair.h"

/* Where things are in a TCP segment: over IPv4 without fragments, or over IPv6 without extension headers. */
struct packet_view {
	uint8_t version; /* 4, 6 */
	uint8_t *ip, *tcp, *payload;
	uint32_t tcp_bytes; /* header with options, and payload */
	uint32_t payload_bytes;
};
/* False: it is something else. */
bool packet_view(const struct impair_packet *packet, struct packet_view *ret_view);

/* Are the checksums of its IP header and its TCP segment right? (An IP header that was damaged must not get a new
 * one.) */
bool packet_header_is_sound(const struct impair_packet *packet);
bool packet_segment_is_sound(const struct impair_packet *packet, const struct packet_view *view);

/* The addresses of any IP packet; false: it is none. */
bool packet_addresses(const struct impair_packet *packet, struct ip_addr *ret_source,
                      struct ip_addr *ret_destination);

/* A TCP segment with the headers of `of` (Ethernet, IP), these bytes as its TCP header with options, and this
 * payload; all lengths and checksums are right. NULL: no memory, or `of` is something else. */
struct impair_packet *packet_build(struct impair *impair, const struct impair_packet *of, const uint8_t *tcp,
                                   uint32_t header_bytes, const uint8_t *payload, uint32_t payload_bytes);
/* The TCP header has been changed in place: its checksum is made right again, if it was complete. */
void packet_mend(struct impair_packet *packet);

/* Computes what a network card would: the checksum of a TCP segment. Anything else stays incomplete. */
void packet_finish_checksum(struct impair_packet *packet);
/* Cuts a super-frame into the segments a network card would send, and frees it; any other packet is returned as it
 * is, with its checksum finished. A list; segments for which there is no memory are missing in it. */
struct impair_packet *packet_split(struct impair *impair, struct impair_packet *packet);
/* The element that cuts super-frames: what follows it works on packets as they are on the wire. */
struct impair_split {
	struct impair_element element;
};
void impair_split_begin(struct impair_split *split, struct impair *impair, struct impair_element *next);
