#pragma once
/* The ECN field of an IP packet in an Ethernet frame (RFC 3168 section 5), IPv4 and IPv6. */
#include <stddef.h>
#include <stdint.h>

enum ecn_codepoint { ECN_NOT_ECT = 0, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3 };

/* enum ecn_codepoint; -EBADMSG: not an IP packet. */
int ecn_get(const uint8_t *frame, size_t length);
/* Writes the field, and mends the checksum of an IPv4 header. Returns 0, or -EBADMSG. */
int ecn_set(uint8_t *frame, size_t length, enum ecn_codepoint to);
