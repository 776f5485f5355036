#pragma once
/* How the conformance tests talk to a stack: on top of peer.h, connections whose sequence numbers wrap on both sides
 * after a few octets, and one line for each segment.
 *
 *     says(p, TCP_ACK, 1, 100, 1);     the peer's octets 1 to 100, acknowledging up to our 1
 *     hears(p, TCP_ACK, 1, 0, 101);    the stack acknowledges all of it
 *
 * THEIRS(n) is the peer's ISN + n, OURS(n) the stack's. */
#include "peer.h"

#include "core/wire/bytes.h"
#include "core/wire/ip.h"
#include "tests.h"

#define THEIR_ISN 0xfffffff0u
#define THEIRS(n) (THEIR_ISN + (uint32_t)(n))
#define CONNECT_PORT 50000 /* local port of active opens; the peer's is SERVICE_PORT */

/* Flags, first octet's offset, payload, offset acknowledged (without ACK: 0). Returns the verdict. */
enum stack_verdict says(struct peer *p, uint16_t flags, uint32_t at, uint32_t length, uint32_t acks);
/* The same with a window field (WINDOW_ZERO: 0). */
enum stack_verdict says_window(struct peer *p, uint32_t at, uint32_t acks, uint32_t window);
void hears_segment(struct peer *p, uint16_t flags, uint32_t at, uint32_t length, uint32_t acks, const char *file,
                   int line);
#define hears(p, flags, at, length, acks) hears_segment(p, flags, at, length, acks, __FILE__, __LINE__)

/* A passive open to ESTABLISHED, from THEIR_ISN, so timed that the stack's ISN lies some 40 below 2^32, too. */
void opens(struct peer *p, struct tcp_options options);
struct peer *opened(void (*tweak)(struct stack_config *config), struct tcp_options options);
/* Only the peer's SYN, at such a time. */
void sends_syn(struct peer *p, struct tcp_options options);
/* An active open from CONNECT_PORT to the peer's SERVICE_PORT: the SYN waits to be expected. */
void connects(struct peer *p);
/* And completed. */
struct peer *connected(void (*tweak)(struct stack_config *config), struct tcp_options options);
/* As says and hears for an active open, whose ports are the other way round. */
enum stack_verdict answers(struct peer *p, uint16_t flags, uint32_t at, uint32_t length, uint32_t acks,
                           struct tcp_options options);

/* A configuration with loss recovery as RFC 6298, 5681 and 6675 have it, without what was built on them since (RACK,
 * tail loss probes, PRR, undo) and without the search for black holes: for the dialogues about just these. */
void classic(struct stack_config *config);

extern const struct tcp_options no_options;
struct tcp_options mss_option(uint16_t mss);
struct tcp_options timestamps_option(uint32_t tsval);
struct tcp_options sack_option(uint16_t mss);

/* A segment with these octets for options (padded with EOL) and IPv4 options, for what `struct seg` cannot say. */
struct raw {
	uint8_t flags;
	uint32_t at, acks, length; /* offsets as in says */
	const uint8_t *options, *ip_options;
	size_t options_bytes, ip_options_bytes;
	uint16_t urgent, window;            /* window 0: 65535 */
	struct ip_addr source, destination; /* all zero: the peer and the stack */
	uint8_t tos;
};
enum stack_verdict says_raw(struct peer *p, struct raw raw);

/* Of what expect would look at next: its IP header (and in it the segment), the first sequence number as an offset
 * from our ISN, and the TCP options, whose bytes are returned. */
struct ip_packet next_ip(const struct peer *p);
uint32_t next_offset(const struct peer *p);
size_t next_options(const struct peer *p, const uint8_t **ret_options);
uint32_t frames_waiting(const struct peer *p);
/* Bits of the prefix of the network that peer_address() numbers. */
uint8_t prefix_bits(void);

/* ICMP errors by what they mean; each family has its own numbers for them. */
enum trouble {
	NO_NET, /* soft ones */
	NO_HOST,
	TIME_EXCEEDED,
	BAD_PARAMETER,
	NO_PORT, /* hard ones */
	NO_PROTOCOL,
	TOO_BIG,       /* for the next hop, which takes `mtu` */
	SOURCE_QUENCH, /* IPv4 alone has it */
	TROUBLE_COUNT
};

/* An ICMP error from a router, about the segment with this sequence number. */
struct icmp_error {
	enum trouble what;
	uint32_t seq;
	uint16_t local_port, remote_port; /* 0: SERVICE_PORT, PEER_PORT */
	uint16_t mtu, size; /* of the next hop; of the packet quoted (0: 1500). Over IPv6 both are told 20
	                       octets larger: then segments are as large either way */
};
enum stack_verdict says_icmp(struct peer *p, struct icmp_error error);

/* Time passes until the stack sends again: it must be within a millisecond of `ms` from now. */
void wakes_after_ms(struct peer *p, int64_t ms, const char *file, int line);
#define wakes_after(p, ms) wakes_after_ms(p, ms, __FILE__, __LINE__)

/* Takes `count` segments of `length` octets from our offset `at` on. */
void hears_run(struct peer *p, uint32_t count, uint32_t at, uint32_t length);
