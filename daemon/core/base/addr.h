#pragma once
/* Addresses are 16 bytes wide everywhere; IPv4 is held as an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2), so
 * that one type serves both families. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct ip_addr {
	uint8_t b[16];
};

struct mac_addr {
	uint8_t b[6];
};

/* Of more than one host: multicast or broadcast. */
static inline bool mac_addr_is_group(const struct mac_addr *mac)
{
	return mac->b[0] & 1;
}

/* A connection's name: both ends, ports in host order. No padding, so it can be hashed and compared as bytes. */
struct flow {
	struct ip_addr local, remote;
	uint16_t local_port, remote_port;
};
_Static_assert(sizeof(struct flow) == 36, "struct flow is hashed as bytes and must have no padding");

#define IP_ADDR_ANY ((struct ip_addr){ { 0 } })

static inline bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline bool ip_addr_is_any(const struct ip_addr *a)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	static const uint8_t zero[16] = { 0 };

	return memcmp(a->b, zero, 16) == 0 || (memcmp(a->b, mapped, 12) == 0 && memcmp(a->b + 12, zero, 4) == 0);
}

static inline bool ip_addr_is_v4(const struct ip_addr *a)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	return memcmp(a->b, mapped, 12) == 0;
}

/* From and to a 32-bit IPv4 address in host order. */
static inline struct ip_addr ip_addr_v4(uint32_t v4)
{
	return (struct ip_addr){ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, (uint8_t)(v4 >> 24), (uint8_t)(v4 >> 16),
		                   (uint8_t)(v4 >> 8), (uint8_t)v4 } };
}

static inline uint32_t ip_addr_to_v4(const struct ip_addr *a)
{
	return (uint32_t)a->b[12] << 24 | (uint32_t)a->b[13] << 16 | (uint32_t)a->b[14] << 8 | a->b[15];
}

static inline bool flow_equal(const struct flow *a, const struct flow *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}
