/* The one's complement sum does not depend on the order of bytes within words (RFC 1071 section 2), so the bulk is
 * added as 64-bit words of the machine's own order, folded to 16 bits, and only then turned into network order. */
#include "core/wire/checksum.h"

#include <string.h>

static uint64_t add_carry(uint64_t sum, uint64_t word)
{
	uint64_t result;

	return __builtin_add_overflow(sum, word, &result) ? result + 1 : result;
}

static uint64_t load_word(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

static uint16_t fold_word(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint64_t checksum_add(uint64_t sum, const void *bytes, size_t length, int odd)
{
	const uint8_t *p = bytes;
	uint64_t a = 0, b = 0, c = 0, d = 0;
	uint16_t part;

	/* Four sums, so that an addition doesn't wait for the carry of the one before. */
	for (; length >= 64; length -= 64, p += 64) {
		a = add_carry(a, load_word(p));
		b = add_carry(b, load_word(p + 8));
		c = add_carry(c, load_word(p + 16));
		d = add_carry(d, load_word(p + 24));
		a = add_carry(a, load_word(p + 32));
		b = add_carry(b, load_word(p + 40));
		c = add_carry(c, load_word(p + 48));
		d = add_carry(d, load_word(p + 56));
	}
	for (; length >= 8; length -= 8, p += 8)
		a = add_carry(a, load_word(p));
	/* The rest is less than a word; parts of it may be added as they are, being at even places. */
	if (length & 4) {
		uint32_t half;

		memcpy(&half, p, sizeof(half));
		b = add_carry(b, half);
		p += sizeof(half);
	}
	if (length & 2) {
		uint16_t pair;

		memcpy(&pair, p, sizeof(pair));
		c = add_carry(c, pair);
		p += sizeof(pair);
	}
	if (length & 1) {
		uint16_t last = 0;

		memcpy(&last, p, 1);
		d = add_carry(d, last);
	}
	part = fold_word(add_carry(add_carry(a, b), add_carry(c, d)));
	/* After an odd number of bytes, each byte belongs to the other half of its word. */
	if ((__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) != (odd != 0))
		part = __builtin_bswap16(part);
	return sum + part;
}

uint64_t checksum_add_iov(uint64_t sum, const struct iovec *iov, int count, size_t already_added)
{
	for (int i = 0; i < count; i++) {
		sum = checksum_add(sum, iov[i].iov_base, iov[i].iov_len, already_added & 1);
		already_added += iov[i].iov_len;
	}
	return sum;
}

uint16_t checksum_fold(uint64_t sum)
{
	return fold_word(sum);
}

uint64_t checksum_pseudo(const struct ip_addr *source, const struct ip_addr *destination, uint8_t protocol,
                         uint32_t length)
{
	/* IPv6 (RFC 8200 section 8.1) only has wider fields: protocol and length add up to the same. */
	uint64_t sum = (uint64_t)protocol + (length >> 16) + (length & 0xffff);

	if (ip_addr_is_v4(source)) {
		uint32_t from = ip_addr_to_v4(source), to = ip_addr_to_v4(destination);

		return sum + (from >> 16) + (from & 0xffff) + (to >> 16) + (to & 0xffff);
	}
	sum = checksum_add(sum, source->b, sizeof(source->b), 0);
	return checksum_add(sum, destination->b, sizeof(destination->b), 0);
}
