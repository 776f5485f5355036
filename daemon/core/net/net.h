#pragma once
/* Below TCP, from inside: our own addresses, routes, and what neighbour discovery knows of the link. Included by
 * tcp/engine.h, whose struct stack holds these. */
#include "core/base/addr.h"
#include "core/base/random.h"
#include "core/base/seq.h"
#include "core/base/time.h"
#include "core/stack.h"
#include "core/wire/ip.h"
#include "core/wire/nd.h"

struct neighbour;
struct raw_frame;

#define AUTONOMOUS_ADDRESSES_MAX 8 /* from router advertisements */
#define OWN_ADDRESSES_MAX (STACK_ADDRESSES_MAX + 1 + AUTONOMOUS_ADDRESSES_MAX)
#define ON_LINK_PREFIXES_MAX 8
#define DEFAULT_ROUTERS_MAX 4

/* An address of ours. */
struct own_address {
	struct ip_addr ip;
	uint8_t prefix_bits;   /* as in struct stack_address */
	uint8_t state, origin; /* enum stack_address_state, stack_address_origin */
	uint8_t probes_left;   /* solicitations of duplicate address detection still to be sent */
	uint8_t collisions;    /* RFC 7217's DAD_Counter */
	uint8_t nonce[ND_NONCE_BYTES];
	struct instant due; /* next step of duplicate address detection */
	struct instant preferred_until, valid_until;
};

/* A prefix whose addresses are on the link, as a router says. */
struct on_link_prefix {
	struct ip_addr prefix;
	uint8_t bits;
	struct instant until;
};

struct default_router {
	struct ip_addr ip;
	int8_t preference; /* RFC 4191 */
	bool failed;       /* did not answer when last asked, nor spoke since (RFC 4861 section 6.3.6) */
	struct instant until;
};

/* What the stack knows of IPv6 on its link. */
struct net6 {
	bool enabled;
	uint8_t hop_limit;  /* as advertised; 0: not */
	uint32_t mtu_bytes; /* of the link, or less as advertised */
	struct duration reachable, retransmit;
	struct instant due; /* earliest of all times in here and in own addresses; may be too early */

	struct on_link_prefix prefix[ON_LINK_PREFIXES_MAX];
	uint32_t prefix_count;
	struct default_router router[DEFAULT_ROUTERS_MAX];
	uint32_t router_count;
	uint8_t solicitations_left; /* of routers */
	struct instant solicit_due;

	uint8_t reports_left; /* of MLD, unasked */
	struct instant report_due, answer_due;
	struct instant mld1_until; /* a querier of version 1 is there, and hears nothing else */

	struct hash_key flow_label_key;
};

/* ---- address.c: our own addresses -------------------------------------------------------------------------------
 */

void address_init(struct stack *stack);
/* By address, in any state; NULL: not ours. */
struct own_address *address_find(struct stack *stack, const struct ip_addr *ip);
/* RFC 6724 section 5: the best of ours towards a destination; NULL: none that may be used. */
const struct own_address *address_for(const struct stack *stack, const struct ip_addr *destination);
/* RFC 4862 section 5.5.3: an advertised prefix makes an address, or says how long it may be used. */
void address_autonomous(struct stack *stack, const struct nd_prefix *prefix);
/* Somebody else has it (RFC 4862 section 5.4.5). */
void address_is_duplicate(struct stack *stack, struct own_address *address);
/* Is a frame for this Ethernet group, or a packet for this IPv6 group, for us? */
bool address_hears_mac(const struct stack *stack, const struct mac_addr *mac);
bool address_hears_group(const struct stack *stack, const struct ip_addr *group);
void address_timers(struct stack *stack);
struct instant address_due(const struct stack *stack);

/* ---- route6.c: prefixes, routers, and the timers of all this -----------------------------------------------------
 */

void net6_init(struct stack *stack);
/* Something is to be done then. */
void net6_wake_at(struct stack *stack, struct instant due);
void net6_timers(struct stack *stack);
struct instant net6_deadline(const struct stack *stack);
bool route6_is_on_link(const struct stack *stack, const struct ip_addr *ip);
/* False: neither on the link nor a router known. */
bool route6_next_hop(const struct stack *stack, const struct ip_addr *destination, struct ip_addr *ret_next_hop);
/* A default router does not answer, or does again. */
void route6_router_answers(struct stack *stack, const struct ip_addr *ip, bool answers);
/* It says that it is no router any more. */
void route6_forget_router(struct stack *stack, const struct ip_addr *ip);
/* A router advertisement from `source`, valid by RFC 4861 section 6.1.2; they are accepted (stack_config.accept_ra).
 */
void route6_advertised(struct stack *stack, const struct ip_addr *source, const struct nd_message *message);
/* Asks for routers, from now on (RFC 4861 section 6.3.7). */
void route6_solicit(struct stack *stack);

/* ---- nd.c: messages of neighbour discovery ------------------------------------------------------------------------
 */

enum stack_verdict nd_arrives(struct stack *stack, const struct ip_packet *ip, const struct icmp6_message *icmp);
/* Asks for the neighbour's MAC: the group, or (mac not NULL) the neighbour itself. */
void nd_solicit(struct stack *stack, const struct ip_addr *source, const struct ip_addr *target,
                const struct mac_addr *mac);
/* Asks whether somebody else has the address. */
void nd_probe_own(struct stack *stack, const struct own_address *address);
/* Tells everybody where our addresses are. */
void nd_announce(struct stack *stack, const struct own_address *address);
void nd_solicit_routers(struct stack *stack);

/* ---- mld.c: which groups we hear (RFC 3810)
 * ------------------------------------------------------------------------ */

enum stack_verdict mld_query_arrives(struct stack *stack, const struct ip_packet *ip,
                                     const struct icmp6_message *icmp);
/* Our groups have changed: routers and switches are told, twice. */
void mld_changed(struct stack *stack);
void mld_timers(struct stack *stack);
struct instant mld_due(const struct stack *stack);

/* ---- icmp.c: errors that arrive, of both families -----------------------------------------------------------------
 */

enum icmp_news_kind { ICMP_NEWS_SOFT, ICMP_NEWS_HARD, ICMP_NEWS_TOO_BIG };

/* What an ICMP error says of a segment of ours. */
struct icmp_news {
	enum icmp_news_kind kind;
	uint8_t type, code; /* of ICMP, or of ICMPv6 */
	struct flow flow;
	seq_t seq;
	uint32_t mtu_bytes;    /* ICMP_NEWS_TOO_BIG; 0: an old router, which did not say */
	uint32_t quoted_bytes; /* length of the packet it is about; IPv6: 0, it is not needed */
};

/* Treats it as RFC 5927 wants: nothing that is not in flight is believed, and no connection dies of it that has been
 * established. */
enum stack_verdict icmp_news_arrives(struct stack *stack, const struct icmp_news *news);
/* May an error go out now? Takes from the allowance when it may. */
bool icmp_error_allowed(struct stack *stack);

/* ---- ip.c
 * -------------------------------------------------------------------------------------------------------------- */

enum stack_verdict ip_tcp_arrives(struct stack *stack, const struct ip_packet *ip, uint8_t checksum,
                                  uint16_t gso_bytes);
/* The MTU of the link towards a destination. */
uint32_t ip_mtu(const struct stack *stack, const struct ip_addr *destination);
/* An address of ours, also one that may not be used (yet). */
bool ip_is_own(const struct stack *stack, const struct ip_addr *ip);

/* ---- ip6.c, icmp6.c
 * -------------------------------------------------------------------------------------------------- */

enum stack_verdict ip6_arrives(struct stack *stack, const struct frame_in *frame, const uint8_t *packet,
                               size_t length, bool to_group);
uint32_t ip6_flow_label(const struct stack *stack, const struct flow *flow);
uint8_t ip6_hop_limit(const struct stack *stack, uint8_t configured);
enum stack_verdict icmp6_arrives(struct stack *stack, const struct ip_packet *ip);
/* An ICMPv6 error about a packet, where RFC 4443 section 2.4(e) allows one. Rate-limited. `word`: a pointer, or 0. */
void icmp6_error(struct stack *stack, const struct ip_packet *ip, uint8_t type, uint8_t code, uint32_t word);

/* ---- neighbour.c
 * ------------------------------------------------------------------------------------------------------ */

struct neighbour *neighbour_find(struct stack *stack, const struct ip_addr *ip);
/* Is an answer of it waited for? */
bool neighbour_is_asked(const struct neighbour *neighbour);
/* Somebody said that `ip` is at `mac` without being asked: an entry is made (`create`) or changed, and believed to be
 * reachable only once it has answered. */
void neighbour_heard(struct stack *stack, const struct ip_addr *ip, const struct mac_addr *mac, bool create);
/* The answer to our question: the neighbour is there. */
void neighbour_answered(struct stack *stack, struct neighbour *neighbour, const struct mac_addr *mac);
/* RFC 4861 section 7.2.5: an advertisement about an entry. mac NULL: it had none. False: it was not believed, and
 * says nothing about the neighbour otherwise. */
bool neighbour_advertised(struct stack *stack, struct neighbour *neighbour, const struct mac_addr *mac,
                          bool solicited, bool override);
/* TCP has news that its segments reach this destination (RFC 4861 section 7.3.1). Call it when
 * stack->neighbours_unsure > 0. */
void neighbour_confirmed(struct stack *stack, const struct ip_addr *destination);
/* Routes have changed: what was found out about next hops is not so any more. */
void neighbour_routes_changed(struct stack *stack);

/* ---- arp.c
 * -------------------------------------------------------------------------------------------------------------- */

void arp_request(struct stack *stack, const struct ip_addr *source, const struct ip_addr *target,
                 const struct mac_addr *mac);
void arp_announce(struct stack *stack, const struct ip_addr *ip);
