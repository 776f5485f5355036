#pragma once
/* What lies between hosts. Each of these passes on to `next` and lives as long as the simulation. */
#include "core/base/addr.h"
#include "sim.h"

/* ---- impairment, as links have it: network.c ---------------------------------------------------------------------
 */

struct impair_element *network_delay(struct sim *sim, struct impair_element *next,
                                     struct impair_delay_options options);
struct impair_element *network_reorder(struct sim *sim, struct impair_element *next,
                                       struct impair_reorder_options options);
struct impair_element *network_line(struct sim *sim, struct impair_element *next, struct impair_line_options options);
/* Loses packets, on average `per_million`, in bursts of `burst` on average. */
struct impair_element *network_loss(struct sim *sim, struct impair_element *next, uint32_t per_million,
                                    uint32_t burst);
struct impair_element *network_outage(struct sim *sim, struct impair_element *next,
                                      struct impair_outage_options options);
struct impair_element *network_duplicate(struct sim *sim, struct impair_element *next, uint32_t per_million);
struct impair_element *network_corrupt(struct sim *sim, struct impair_element *next, uint32_t per_million);

/* Cuts super-frames into segments: they leave the machine here. */
struct impair_element *network_split(struct sim *sim, struct impair_element *next);

/* ---- routers: router.c -------------------------------------------------------------------------------------------
 */

/* A hop with an MTU of its own: what is too long goes no further, and `back` is sent an ICMP message about it (RFC
 * 1191, RFC 8201) unless it is silent. */
struct network_mtu_options {
	uint32_t mtu, later_mtu; /* the path changes */
	struct instant later;    /* at this time; NEVER: it doesn't */
	bool no_size;            /* a router of before RFC 1191: it does not say what would fit */
	bool silent;             /* as long as the network is not healed: then the hop is gone */
};
struct impair_element *network_mtu(struct sim *sim, struct impair_element *next, struct impair_element *back,
                                   struct network_mtu_options options);

/* A switch: to the port with the destination's MAC; broadcasts and multicasts to all but the sender. */
struct network_switch;
struct network_switch *network_switch(struct sim *sim);
/* What comes from any port of it. */
struct impair_element *network_switch_in(struct network_switch *network);
void network_switch_port(struct network_switch *network, struct mac_addr mac, struct impair_element *port);
/* What is for none of its ports leaves here, and broadcasts that come from one of them. */
void network_switch_trunk(struct network_switch *network, struct impair_element *trunk);

/* A router with two sides. It answers ARP requests (RFC 826) and neighbour solicitations (RFC 4861) for its own
 * addresses; a packet for one of its sides leaves there, with TTL or hop limit one less, or ends in an ICMP message
 * when it is longer than that side's MTU and may not be cut. */
struct network_router;
struct network_router_side {
	struct mac_addr mac;
	struct ip_addr address, address6; /* its own; hosts have it as their gateway */
	struct impair_element *out;
	uint32_t mtu;
};
struct network_router *network_router(struct sim *sim, const struct network_router_side sides[2]);
/* What comes from this side. */
struct impair_element *network_router_in(struct network_router *router, unsigned side);
/* Sets or changes where a side leads to. */
void network_router_out(struct network_router *router, unsigned side, struct impair_element *out);
/* A host (or what lies behind another router) is to be found at this side, under this MAC. */
void network_router_route(struct network_router *router, struct ip_addr destination, unsigned side,
                          struct mac_addr mac);

/* ---- middleboxes: middlebox.c -------------------------------------------------------------------------------------
 */

enum middlebox_habit {
	MIDDLEBOX_NO_SACK = 1u << 0,        /* takes SACK-permitted out of SYNs */
	MIDDLEBOX_NO_TIMESTAMPS = 1u << 1,  /* out of SYNs */
	MIDDLEBOX_NO_WSCALE = 1u << 2,      /* out of SYNs */
	MIDDLEBOX_NO_UNKNOWN = 1u << 3,     /* takes all options out that RFC 9293, 7323 and 2018 don't have */
	MIDDLEBOX_NO_SACK_BLOCKS = 1u << 4, /* though SACK was permitted */
	MIDDLEBOX_CLAMP_MSS = 1u << 5,      /* on SYNs, to `mss` */
	MIDDLEBOX_SHIFT = 1u << 6,          /* adds `shift` to sequence numbers, and takes it from what comes back */
	MIDDLEBOX_SHIFT_BADLY = 1u << 7,    /* the same, but forgets the SACK blocks that come back */
	MIDDLEBOX_SPLITS = 1u << 8,         /* into segments of `piece` */
	MIDDLEBOX_MERGES = 1u << 9,         /* segments that follow each other, up to `mtu` */
	MIDDLEBOX_BLEACHES = 1u << 10,      /* ECT and CE become Not-ECT */
	MIDDLEBOX_CLEARS_CE = 1u << 11,     /* CE becomes ECT(0) */
	MIDDLEBOX_ALL_CE = 1u << 12,        /* ECT becomes CE */
	MIDDLEBOX_NO_ECN_FLAGS = 1u << 13,  /* clears AE, CWR and ECE of SYNs */
	MIDDLEBOX_NO_ACCECN = 1u << 14,     /* takes AccECN options out (RFC 9768 section 3.2.3) */
};
#define MIDDLEBOX_HABITS 15

struct middlebox_options {
	uint32_t habits; /* enum middlebox_habit */
	uint16_t mss;
	uint32_t shift, piece, mtu;
};
/* A box on the way to `out`; what comes back must go through *ret_back_in, and leaves towards `back`. */
struct impair_element *network_middlebox(struct sim *sim, struct impair_element *out, struct impair_element *back,
                                         struct middlebox_options options, struct impair_element **ret_back_in);
