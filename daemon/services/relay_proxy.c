/* PROXY protocol, version 2 (haproxy.org, proxy-protocol.txt, section 2.2): who really speaks, in front of the first
 * byte. */
#include "services/relay.h"

#include <string.h>

#define VERSION_2_PROXY 0x21
#define FAMILY_TCP4 0x11
#define FAMILY_TCP6 0x21

static uint8_t *put16(uint8_t *p, uint16_t value)
{
	*p++ = (uint8_t)(value >> 8);
	*p++ = (uint8_t)value;
	return p;
}

static uint8_t *put_bytes(uint8_t *p, const uint8_t *bytes, size_t length)
{
	memcpy(p, bytes, length);
	return p + length;
}

size_t proxy_header(const struct flow *flow, uint8_t header[PROXY_HEADER_MAX])
{
	static const uint8_t signature[12] = {
		0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a
	};
	bool v4 = ip_addr_is_v4(&flow->remote) && ip_addr_is_v4(&flow->local);
	size_t skip = v4 ? 12 : 0; /* the IPv4 address is the end of the mapped one */
	uint8_t *p = header;

	p = put_bytes(p, signature, sizeof(signature));
	*p++ = VERSION_2_PROXY;
	*p++ = v4 ? FAMILY_TCP4 : FAMILY_TCP6;
	p = put16(p, (uint16_t)(2 * (16 - skip) + 4));
	p = put_bytes(p, flow->remote.b + skip, 16 - skip);
	p = put_bytes(p, flow->local.b + skip, 16 - skip);
	p = put16(p, flow->remote_port);
	p = put16(p, flow->local_port);
	return (size_t)(p - header);
}
