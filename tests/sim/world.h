#pragma once
/* A world from a seed: hosts, the network between them, and chaos, which opens connections and makes trouble until it
 * is healed. Then everything must come to a good end. */
#include "network.h"
#include "service.h"

#define WORLD_HOSTS_MAX 6
#define WORLD_PORT 80
#define WORLD_NOBODY 77 /* no host has this index */

struct world {
	struct sim sim;
	struct impair_element chaos;
	struct host host[WORLD_HOSTS_MAX];
	uint32_t hosts;
	bool ipv6;      /* as well as IPv4 */
	bool dumbbell;  /* two switches, each with a router, and one line between them; else all are at one switch */
	uint32_t scale; /* bytes that are many here */
	uint32_t connects_left, troubles_left; /* for chaos to make */
	struct duration pace;                  /* of chaos */
};

void world_begin(struct world *world, uint64_t seed);
/* Runs it to its end and checks that nothing is left. */
void world_run(struct world *world);
void world_end(struct world *world);

/* Draws all that a world is made of (build.c). */
void world_build(struct world *world);
/* Changes what is tunable, starting from what it is. */
void world_draw_tcp(struct sim *sim, struct stack_tcp_config *tcp);
struct ip_addr world_address(const struct world *world, uint32_t index, bool ipv6);
/* Opens a connection with a plan at random. `to`: index of a host, or WORLD_NOBODY. `local_port` 0: any. */
void world_open(struct world *world, struct host *from, uint32_t to, uint16_t local_port, uint16_t port);
/* The host's service listens, if it did not. */
void world_listen(struct host *host);

#define PICK(sim, ...)                                                                                               \
	world_pick(sim, (const uint32_t[]){ __VA_ARGS__ },                                                           \
	           sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))
static inline uint32_t world_pick(struct sim *sim, const uint32_t *choices, uint32_t count)
{
	return choices[sim_between(sim, 0, count - 1)];
}

/* What was seen in all worlds so far. */
struct world_tally {
	uint64_t packets, endpoints, streams_whole, bytes;
	uint64_t cause[TCP_CAUSE_COUNT]; /* of READY_ERROR */
	struct stack_counters sum;
};
void world_tally(const struct world *world, struct world_tally *tally);
void world_tally_print(const struct world_tally *tally);
