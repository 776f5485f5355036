#include "core/wire/ipv4.h"

#include "core/base/assert.h"
#include "core/wire/bytes.h"
#include "core/wire/checksum.h"

#include <errno.h>

enum {
	FLAG_DONT_FRAGMENT = 0x4000,
	FLAG_MORE_FRAGMENTS = 0x2000,
	FRAGMENT_OFFSET_MASK = 0x1fff, /* in units of 8 bytes */

	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_LOOSE_SOURCE_ROUTE = 131,
	OPTION_STRICT_SOURCE_ROUTE = 137,
};

/* RFC 791 section 3.1, "Options". */
static int check_options(const uint8_t *options, size_t length)
{
	struct reader reader = { options, length };

	while (reader.left > 0) {
		uint8_t kind = *reader_take(&reader, 1);
		const uint8_t *size;

		if (kind == OPTION_END)
			return 0;
		if (kind == OPTION_NOP)
			continue;
		size = reader_take(&reader, 1);
		if (!size || *size < 2 || !reader_take(&reader, *size - 2u))
			return -EBADMSG;
		if (kind == OPTION_LOOSE_SOURCE_ROUTE || kind == OPTION_STRICT_SOURCE_ROUTE)
			return -EOPNOTSUPP;
	}
	return 0;
}

int ipv4_read(const uint8_t *bytes, size_t length, struct ip_packet *ret_packet)
{
	size_t header, total;
	uint16_t fragment;

	if (length < IPV4_HEADER_BYTES || bytes[0] >> 4 != 4)
		return -EBADMSG;
	header = (bytes[0] & 0xf) * 4u;
	total = load16(bytes + 2);
	if (header < IPV4_HEADER_BYTES || total < header || total > length)
		return -EBADMSG;
	if (checksum_fold(checksum_add(0, bytes, header, 0)) != 0xffff)
		return -EILSEQ;
	if (UNLIKELY(header > IPV4_HEADER_BYTES)) {
		int r = check_options(bytes + IPV4_HEADER_BYTES, header - IPV4_HEADER_BYTES);

		if (r < 0)
			return r;
	}
	fragment = load16(bytes + 6);
	*ret_packet = (struct ip_packet){
		.source = ip_addr_v4(load32(bytes + 12)),
		.destination = ip_addr_v4(load32(bytes + 16)),
		.tos = bytes[1],
		.ttl = bytes[8],
		.protocol = bytes[9],
		.id = load16(bytes + 4),
		.dont_fragment = fragment & FLAG_DONT_FRAGMENT,
		.more_fragments = fragment & FLAG_MORE_FRAGMENTS,
		.fragment_offset = (fragment & FRAGMENT_OFFSET_MASK) * 8u,
		.header_bytes = (uint16_t)header,
		.payload = bytes + header,
		.payload_bytes = (uint32_t)(total - header),
	};
	return 0;
}

void ipv4_write(uint8_t *out, const struct ip_packet *packet)
{
	uint32_t total = IPV4_HEADER_BYTES + packet->payload_bytes;
	uint32_t source = ip_addr_to_v4(&packet->source), destination = ip_addr_to_v4(&packet->destination);
	uint32_t first = 4u << 12 | IPV4_HEADER_BYTES / 4 << 8 | packet->tos;
	uint32_t fragment = packet->fragment_offset / 8;
	uint32_t ttl_protocol = (uint32_t)packet->ttl << 8 | packet->protocol;
	uint64_t sum;

	CORE_ASSERT(total <= 65535);
	if (packet->dont_fragment)
		fragment |= FLAG_DONT_FRAGMENT;
	if (packet->more_fragments)
		fragment |= FLAG_MORE_FRAGMENTS;
	/* Summed from the values: reading back what has just been stored in other widths would stall. */
	sum = (uint64_t)first + total + packet->id + fragment + ttl_protocol + (source >> 16) + (source & 0xffff) +
	      (destination >> 16) + (destination & 0xffff);
	store16(out, first);
	store16(out + 2, total);
	store16(out + 4, packet->id);
	store16(out + 6, fragment);
	store16(out + 8, ttl_protocol);
	store16(out + 10, (uint16_t)~checksum_fold(sum));
	store32(out + 12, source);
	store32(out + 16, destination);
}
