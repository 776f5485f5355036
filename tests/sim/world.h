#pragma once
/* A world from a seed: hosts, the network between them, and chaos, which opens connections and makes trouble until it
 * is healed. Then everything must come to a good end. */
#include "service.h"

#define WORLD_HOSTS_MAX 3
#define WORLD_PORT 80

struct world {
	struct sim sim;
	struct element chaos;
	struct host host[WORLD_HOSTS_MAX];
	uint32_t hosts;
	uint32_t scale;                        /* bytes that are many here */
	uint32_t connects_left, troubles_left; /* for chaos to make */
	struct duration pace;                  /* of chaos */
};

void world_begin(struct world *world, uint64_t seed);
/* Runs it to its end and checks that nothing is left. */
void world_run(struct world *world);
void world_end(struct world *world);

/* How a host's configuration is drawn. */
void world_configure(struct world *world, uint32_t index, struct stack_config *config);

static inline struct ip_addr world_address(uint32_t index)
{
	return ip_addr_v4(0xc000020a + index); /* 192.0.2.10 and up */
}

/* What was seen in all worlds so far. */
struct world_tally {
	uint64_t packets, endpoints, streams_whole, bytes;
	uint64_t cause[TCP_CAUSE_COUNT]; /* of READY_ERROR */
	struct stack_counters sum;
};
void world_tally(const struct world *world, struct world_tally *tally);
void world_tally_print(const struct world_tally *tally);
