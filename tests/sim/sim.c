#include "sim.h"

#include "packet.h"

#include <stdio.h>
#include <stdlib.h>

struct sim_block {
	struct sim_block *next;
	_Alignas(16) uint8_t bytes[];
};

void *sim_alloc(struct sim *sim, size_t size)
{
	struct sim_block *block = calloc(1, sizeof(*block) + size);

	if (!block)
		abort();
	block->next = sim->blocks;
	sim->blocks = block;
	return block->bytes;
}

static void *packet_alloc(void *context, size_t size)
{
	void *packet = malloc(size);

	(void)context;
	if (!packet)
		abort();
	return packet;
}

static void packet_free(void *context, void *packet, size_t size)
{
	(void)context;
	(void)size;
	free(packet);
}

static void trace(void *context, struct instant now, const struct impair_packet *packet, const char *what)
{
	(void)context;
	packet_print(packet, now, what);
}

void sim_begin(struct sim *sim, uint64_t seed)
{
	struct memory memory = { packet_alloc, packet_free, NULL };

	*sim = (struct sim){ .random = { seed } };
	impair_begin(&sim->impair, &memory, ~seed);
	sim->trace = getenv("TAPSTACK_SIM_TRACE") != NULL;
	if (sim->trace) {
		sim->impair.tell = trace;
		setvbuf(stdout, NULL, _IOLBF, 0); /* whatever ends it, the last packet is told */
	}
}

void sim_end(struct sim *sim)
{
	struct sim_block *block, *next;

	impair_end(&sim->impair);
	for (block = sim->blocks; block; block = next) {
		next = block->next;
		free(block);
	}
	sim->blocks = NULL;
}

void sim_run(struct sim *sim, struct instant end)
{
	struct instant due;

	while ((due = impair_deadline(&sim->impair)).ns <= end.ns) {
		sim->now = instant_max(sim->now, due);
		impair_run(&sim->impair, sim->now);
	}
	sim->now = instant_max(sim->now, end);
}

uint32_t sim_between(struct sim *sim, uint32_t low, uint32_t high)
{
	return low + test_random_below(&sim->random, high - low + 1);
}

bool sim_chance(struct sim *sim, uint32_t per_million)
{
	return test_random_below(&sim->random, 1000000) < per_million;
}

struct duration sim_duration(struct sim *sim, struct duration low, struct duration high)
{
	uint64_t range = (uint64_t)(high.ns - low.ns) + 1;

	return (struct duration){ low.ns + (int64_t)(test_random_u64(&sim->random) % range) };
}
