#include "core/wire/arp.h"

#include "core/wire/bytes.h"
#include "core/wire/ethernet.h"

#include <errno.h>

enum { HARDWARE_ETHERNET = 1, MAC_BYTES = 6, IPV4_BYTES = 4 };

int arp_read(const uint8_t *bytes, size_t length, struct arp_packet *ret_packet)
{
	uint16_t operation;

	if (length < ARP_BYTES)
		return -EBADMSG;
	if (load16(bytes) != HARDWARE_ETHERNET || load16(bytes + 2) != ETHERTYPE_IPV4 || bytes[4] != MAC_BYTES ||
	    bytes[5] != IPV4_BYTES)
		return -EBADMSG;
	operation = load16(bytes + 6);
	if (operation != ARP_REQUEST && operation != ARP_REPLY)
		return -EBADMSG;
	ret_packet->operation = operation;
	memcpy(ret_packet->sender_mac.b, bytes + 8, MAC_BYTES);
	ret_packet->sender_ip = ip_addr_v4(load32(bytes + 14));
	memcpy(ret_packet->target_mac.b, bytes + 18, MAC_BYTES);
	ret_packet->target_ip = ip_addr_v4(load32(bytes + 24));
	return 0;
}

void arp_write(uint8_t *out, const struct arp_packet *packet)
{
	store16(out, HARDWARE_ETHERNET);
	store16(out + 2, ETHERTYPE_IPV4);
	out[4] = MAC_BYTES;
	out[5] = IPV4_BYTES;
	store16(out + 6, packet->operation);
	memcpy(out + 8, packet->sender_mac.b, MAC_BYTES);
	store32(out + 14, ip_addr_to_v4(&packet->sender_ip));
	memcpy(out + 18, packet->target_mac.b, MAC_BYTES);
	store32(out + 24, ip_addr_to_v4(&packet->target_ip));
}
