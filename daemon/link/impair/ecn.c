#include "link/impair/ecn.h"

#include "core/wire/bytes.h"
#include "core/wire/ethernet.h"

#include <errno.h>

enum { IPV4_BYTES = 20, IPV6_BYTES = 40, IP = ETHERNET_HEADER_BYTES };

/* 4, 6, or -EBADMSG. */
static int version(const uint8_t *frame, size_t length)
{
	if (length < IP + IPV4_BYTES)
		return -EBADMSG;
	if (load16(frame + 12) == ETHERTYPE_IPV4 && frame[IP] >> 4 == 4)
		return 4;
	if (load16(frame + 12) == ETHERTYPE_IPV6 && frame[IP] >> 4 == 6 && length >= IP + IPV6_BYTES)
		return 6;
	return -EBADMSG;
}

int ecn_get(const uint8_t *frame, size_t length)
{
	int is = version(frame, length);

	if (is < 0)
		return is;
	return (is == 4 ? frame[IP + 1] : frame[IP + 1] >> 4) & 3;
}

int ecn_set(uint8_t *frame, size_t length, enum ecn_codepoint to)
{
	int is = version(frame, length);
	uint32_t before, sum;

	if (is < 0)
		return is;
	if (is == 6) {
		frame[IP + 1] = (uint8_t)((frame[IP + 1] & ~0x30) | to << 4);
		return 0;
	}
	before = load16(frame + IP);
	frame[IP + 1] = (uint8_t)((frame[IP + 1] & ~3) | to);
	/* RFC 1624: HC' = ~(~HC + ~m + m') */
	sum = (uint16_t)~load16(frame + IP + 10) + (uint16_t)~before + (uint32_t)load16(frame + IP);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	store16(frame + IP + 10, (uint16_t)~sum);
	return 0;
}
