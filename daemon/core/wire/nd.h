#pragma once
/* Messages of neighbour discovery (RFC 4861) inside ICMPv6: solicitations and advertisements of neighbours and
 * routers, with their options. What depends on the IP header (hop limit 255, addresses) is the caller's to check. */
#include "core/wire/icmp6.h"

#include <stdbool.h>

enum {
	ND_OPTIONS_MAX = 16, /* read of one message */
	ND_PREFIXES_MAX = 4, /* kept of one message */
	ND_NONCE_BYTES = 6,  /* RFC 3971 section 5.3.2; what we send, and all that is kept of longer ones */
	ND_MESSAGE_BYTES_MAX = 64,
};

struct nd_prefix {
	struct ip_addr prefix; /* bits after the first `bits` are zero */
	uint8_t bits;
	bool on_link, autonomous;
	uint32_t valid_s, preferred_s; /* UINT32_MAX: for ever */
};

struct nd_options {
	bool has_source_mac, has_target_mac, has_nonce;
	struct mac_addr source_mac, target_mac;
	uint8_t nonce[ND_NONCE_BYTES];
	uint32_t mtu_bytes; /* 0: not given */
	uint8_t prefix_count;
	struct nd_prefix prefix[ND_PREFIXES_MAX];
};

struct nd_message {
	uint8_t type;
	/* neighbour solicitation and advertisement */
	struct ip_addr target;
	bool router, solicited, override;
	/* router advertisement; 0: not said */
	uint8_t hop_limit;
	int8_t preference; /* RFC 4191: -1 low, 0 medium, 1 high */
	uint16_t lifetime_s;
	uint32_t reachable_ms, retransmit_ms;
	struct nd_options options;
};

/* The message in an ICMPv6 message of types 133 to 136. Options of unknown kind, and known ones of a wrong length,
 * are skipped; of two of a kind the first holds. Returns 0, or -EBADMSG: code not 0, too short, a target that is a
 * group, an option of length 0 or past the end, too many of them. */
int nd_read(const struct icmp6_message *icmp, struct nd_message *ret_message);

/* Writes a solicitation (of a router or a neighbour) or a neighbour advertisement, with the link-layer addresses and
 * nonce that its options have, and the checksum. `out` has room for ND_MESSAGE_BYTES_MAX. Returns the bytes written.
 */
size_t nd_write(uint8_t *out, const struct ip_addr *source, const struct ip_addr *destination,
                const struct nd_message *message);
