#include "core/wire/icmp.h"

#include "core/wire/bytes.h"
#include "core/wire/checksum.h"

#include <errno.h>

static bool is_echo(uint8_t type)
{
	return type == ICMP_ECHO || type == ICMP_ECHO_REPLY;
}

static bool is_fragmentation_needed(uint8_t type, uint8_t code)
{
	return type == ICMP_UNREACHABLE && code == ICMP_FRAGMENTATION_NEEDED;
}

int icmp_read(const uint8_t *bytes, size_t length, struct icmp_message *ret_message)
{
	struct icmp_message message = { 0 };

	if (length < ICMP_HEADER_BYTES)
		return -EBADMSG;
	if (checksum_fold(checksum_add(0, bytes, length, 0)) != 0xffff)
		return -EILSEQ;
	message.type = bytes[0];
	message.code = bytes[1];
	if (is_echo(message.type)) {
		message.id = load16(bytes + 4);
		message.sequence = load16(bytes + 6);
	} else if (is_fragmentation_needed(message.type, message.code)) {
		message.next_hop_mtu = load16(bytes + 6);
	}
	message.payload = bytes + ICMP_HEADER_BYTES;
	message.payload_bytes = (uint32_t)(length - ICMP_HEADER_BYTES);
	*ret_message = message;
	return 0;
}

size_t icmp_write(uint8_t *out, const struct icmp_message *message)
{
	size_t length = ICMP_HEADER_BYTES + (size_t)message->payload_bytes;

	memset(out, 0, ICMP_HEADER_BYTES);
	out[0] = message->type;
	out[1] = message->code;
	if (is_echo(message->type)) {
		store16(out + 4, message->id);
		store16(out + 6, message->sequence);
	} else if (is_fragmentation_needed(message->type, message->code)) {
		store16(out + 6, message->next_hop_mtu);
	}
	if (message->payload_bytes > 0)
		memcpy(out + ICMP_HEADER_BYTES, message->payload, message->payload_bytes);
	store16(out + 2, (uint16_t)~checksum_fold(checksum_add(0, out, length, 0)));
	return length;
}
