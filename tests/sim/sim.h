#pragma once
/* A simulator: hosts and network on virtual time. Everything is an element: it takes packets, it has a time at which
 * it wants to run, and it passes packets on to the next one. All chance comes from one seed, so a seed makes a run.
 */
#include "../support/test_random.h"
#include "core/base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim;

/* A frame on its way. */
struct packet {
	struct packet *next;
	struct instant at;  /* for the element that holds it */
	uint32_t length;    /* from the Ethernet header on */
	uint16_t gso_bytes; /* of a super-frame, else 0 */
	bool partial;       /* its checksum is that of the pseudo-header alone, as if it never left the machine */
	uint8_t bytes[];
};

struct element {
	void (*take)(struct element *element, struct packet *packet);
	void (*run)(struct element *element); /* `due` has come; sets it anew */
	void (*done)(struct element *element);
	struct instant due; /* INSTANT_NEVER: waits for packets */
	struct element *next;
	struct sim *sim;
	struct element *next_of_sim;
};

struct sim {
	struct instant now;
	struct test_random random;
	struct element *elements;
	bool healed; /* the network has stopped doing harm */
	bool trace;  /* every packet is printed */
	uint64_t packets;
};

void sim_begin(struct sim *sim, uint64_t seed);
/* Ends all elements; those of the network free themselves. */
void sim_end(struct sim *sim);
void sim_add(struct sim *sim, struct element *element);
/* Runs until `end`, or until nothing is due any more. */
void sim_run(struct sim *sim, struct instant end);

/* [low, high] */
uint32_t sim_between(struct sim *sim, uint32_t low, uint32_t high);
/* True in `per_million` of a million cases. */
bool sim_chance(struct sim *sim, uint32_t per_million);
struct duration sim_duration(struct sim *sim, struct duration low, struct duration high);

/* ---- packets (packet.c) ------------------------------------------------------------------------------------------
 */

struct packet *packet_new(uint32_t length);
struct packet *packet_copy(const struct packet *packet);
/* Computes what a network card would: the transport checksum. */
void packet_finish_checksum(struct packet *packet);
/* Cuts a super-frame into the segments a network card would send, and frees it; any other packet is returned as it
 * is, with its checksum finished. A list. */
struct packet *packet_split(struct packet *packet);
/* Bytes of the longest IP packet that it will be on the wire. */
uint32_t packet_wire_mtu(const struct packet *packet);
/* One line about it. */
void packet_print(const struct packet *packet, struct instant now, const char *what);

/* ---- the network (network.c) -------------------------------------------------------------------------------------
 */

/* Each of these passes on to `next`, and frees itself at sim_end. */

/* Delay by `delay` plus up to `jitter`; with `reorders`, later packets may overtake. */
struct element *network_delay(struct sim *sim, struct element *next, struct duration delay, struct duration jitter,
                              bool reorders);
/* A link of so many bytes a second behind a drop-tail queue of so many bytes. */
struct element *network_rate(struct sim *sim, struct element *next, uint64_t bytes_per_s, uint32_t queue_bytes);
/* Loses packets, on average `per_million`, in bursts of up to `burst`. */
struct element *network_loss(struct sim *sim, struct element *next, uint32_t per_million, uint32_t burst);
struct element *network_duplicate(struct sim *sim, struct element *next, uint32_t per_million);
/* Flips bits behind the Ethernet header. */
struct element *network_corrupt(struct sim *sim, struct element *next, uint32_t per_million);
/* Cuts super-frames into segments: they leave the machine here. */
struct element *network_split(struct sim *sim, struct element *next);
/* A router on a path with a smaller MTU: what is too long goes no further, and `back` is sent an ICMP message about
 * it (RFC 1191) unless `silent`. */
struct element *network_mtu(struct sim *sim, struct element *next, struct element *back, uint32_t mtu, bool silent);

/* A switch: to the port with the destination's MAC; broadcasts to all but the sender. */
struct element *network_switch(struct sim *sim);
void network_switch_port(struct element *network, const uint8_t mac[6], struct element *port);
