#pragma once
/* Accurate ECN feedback (RFC 9768): the counters of both ends, without a connection around them.
 *
 * The receiver of data counts what arrives marked, packets and bytes, and feeds the counters back: three bits of the
 * packet counter in every segment (the ACE field), 24 bits of the byte counters in an option. The sender follows
 * them.
 *
 * Invariant of the receiver: counters only grow (modulo 2^32). Invariant of the sender: what it has reported as
 * marked never exceeds what was delivered. */
#include "core/wire/tcp.h"

/* The ECN field of an IP header (RFC 3168 section 5). */
enum ip_ecn { IP_NOT_ECT, IP_ECT1, IP_ECT0, IP_CE };

/* RFC 9768 section 3.2.1: not zero, so that a zeroed field shows. */
#define ACCECN_CEP_INITIAL 5u
#define ACCECN_ECT_INITIAL 1u

/* Option fields, and bits of them. */
enum accecn_field { ACCECN_E0B = 1, ACCECN_CEB = 2, ACCECN_E1B = 4 };

struct accecn_receiver {
	uint32_t cep;           /* packets that came marked CE */
	uint32_t e0b, ceb, e1b; /* payload bytes that came as ECT(0), CE, ECT(1) */
	uint32_t unshown_bytes; /* counted since the last option */
	uint8_t ever, unshown;  /* enum accecn_field: changed at all; since the last option that showed it */
	uint8_t ce_unsent;      /* CE marks since the last ACK, 255 at most */
	bool last_was_ce;
};

void accecn_receiver_init(struct accecn_receiver *receiver);

/* `packets` packets with `bytes` of payload in all arrived with this ECN field. Returns whether an ACK must go out at
 * once (section 3.2.2.5.1): the first CE after something else, on data; or the second unreported CE (the third when
 * no data waits to be acknowledged). */
bool accecn_arrived(struct accecn_receiver *receiver, enum ip_ecn ecn, uint32_t packets, uint32_t bytes,
                    bool data_unacked);

/* Three bits of a counter as header flags (the ACE field), and back. */
uint16_t accecn_ace_flags(uint32_t cep);
uint32_t accecn_ace(uint16_t flags);

/* Puts the option on an ACK (section 3.2.3.3): all counters that have changed on this connection, or, where `options`
 * has no room for that, those that changed since they were shown last; without room for those, or when nothing has
 * changed and it is not `wanted` all the same, no option. Returns whether there is one now; then it counts as shown.
 */
bool accecn_show(struct accecn_receiver *receiver, bool wanted, struct tcp_options *options);

/* An ACK goes out, with or without the option. */
void accecn_acked(struct accecn_receiver *receiver);

struct accecn_sender {
	uint32_t cep;           /* the peer's, as far as it is known */
	uint32_t e0b, ceb, e1b; /* modulo 2^24 */
	uint32_t estimated;     /* CE bytes reported by the ACE field alone, since the last option */
	uint32_t unshown_bytes; /* delivered since the last option */
	uint32_t acked_packets; /* per ACK, on the average, times 8 */
	uint32_t marking;       /* share of packets marked, on the average, times 256 */
	bool options_came;      /* and are believed */
};

void accecn_sender_init(struct accecn_sender *sender);

/* What an ACK told. */
struct accecn_news {
	uint32_t ce_packets, ce_bytes;
	bool contradiction; /* bytes were marked, but no packet was: somebody mangles the feedback (section 3.2.3.2.5)
	                     */
};

/* An ACK that is not superseded and has delivered something. */
struct accecn_ack {
	uint32_t ace;
	const struct tcp_options *options;
	bool believe_option;      /* the option, if there is one, is looked at */
	bool gapless;             /* every ACK between this one and the one before would have told the same */
	uint32_t delivered_bytes; /* not 0 */
	uint32_t mss;             /* of the segments they came in, at most */
};

struct accecn_news accecn_feedback(struct accecn_sender *sender, const struct accecn_ack *ack);
