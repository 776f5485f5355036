#pragma once
/* Ethernet II frames. */
#include "core/base/addr.h"

#include <stddef.h>

enum { ETHERNET_HEADER_BYTES = 14, ETHERTYPE_IPV4 = 0x0800, ETHERTYPE_ARP = 0x0806, ETHERTYPE_IPV6 = 0x86dd };

struct ethernet_header {
	struct mac_addr destination, source;
	uint16_t type;
};

/* Returns 0, or -EBADMSG when the frame is too short. */
int ethernet_read(const uint8_t *frame, size_t length, struct ethernet_header *ret_header);
void ethernet_write(uint8_t *out, const struct ethernet_header *header);
