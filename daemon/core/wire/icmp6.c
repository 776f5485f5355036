#include "core/wire/icmp6.h"

#include "core/wire/bytes.h"
#include "core/wire/checksum.h"
#include "core/wire/ip.h"

#include <errno.h>

static uint16_t sum(const uint8_t *bytes, size_t length, const struct ip_addr *source,
                    const struct ip_addr *destination)
{
	uint64_t pseudo = checksum_pseudo(source, destination, IP_PROTOCOL_ICMPV6, (uint32_t)length);

	return checksum_fold(checksum_add(pseudo, bytes, length, 0));
}

int icmp6_read(const uint8_t *bytes, size_t length, const struct ip_addr *source, const struct ip_addr *destination,
               struct icmp6_message *ret_message)
{
	if (length < ICMP6_HEADER_BYTES)
		return -EBADMSG;
	if (sum(bytes, length, source, destination) != 0xffff)
		return -EILSEQ;
	*ret_message = (struct icmp6_message){
		.type = bytes[0],
		.code = bytes[1],
		.word = load32(bytes + 4),
		.payload = bytes + ICMP6_HEADER_BYTES,
		.payload_bytes = (uint32_t)(length - ICMP6_HEADER_BYTES),
	};
	return 0;
}

size_t icmp6_write(uint8_t *out, const struct ip_addr *source, const struct ip_addr *destination,
                   const struct icmp6_message *message)
{
	size_t length = ICMP6_HEADER_BYTES + (size_t)message->payload_bytes;

	out[0] = message->type;
	out[1] = message->code;
	store16(out + 2, 0);
	store32(out + 4, message->word);
	if (message->payload_bytes > 0 && message->payload != out + ICMP6_HEADER_BYTES)
		memcpy(out + ICMP6_HEADER_BYTES, message->payload, message->payload_bytes);
	store16(out + 2, (uint16_t)~sum(out, length, source, destination));
	return length;
}
