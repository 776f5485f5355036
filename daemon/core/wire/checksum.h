#pragma once
/* The Internet checksum (RFC 1071) over spans, and the pseudo-header of RFC 9293 section 3.1. Sums are kept
 * unfolded in 64 bits, as sums of 16-bit words in host order: such words may also be added by hand. checksum_fold
 * gives the 16-bit one's complement sum, not inverted. */
#include "core/base/addr.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Adds `length` bytes to a running sum. `odd` is whether an odd number of bytes has been added before. */
uint64_t checksum_add(uint64_t sum, const void *bytes, size_t length, int odd);
uint64_t checksum_add_iov(uint64_t sum, const struct iovec *iov, int count, size_t already_added);
uint16_t checksum_fold(uint64_t sum);

/* Sum over the pseudo-header (IPv4 or IPv6 by the addresses' family). */
uint64_t checksum_pseudo(const struct ip_addr *source, const struct ip_addr *destination, uint8_t protocol,
                         uint32_t length);
