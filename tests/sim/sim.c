#include "sim.h"

#include <stdlib.h>

void sim_begin(struct sim *sim, uint64_t seed)
{
	*sim = (struct sim){ .random = { seed } };
	sim->trace = getenv("TAPSTACK_SIM_TRACE") != NULL;
}

void sim_end(struct sim *sim)
{
	struct element *element, *next;

	for (element = sim->elements; element; element = next) {
		next = element->next_of_sim;
		if (element->done)
			element->done(element);
	}
	sim->elements = NULL;
}

void sim_add(struct sim *sim, struct element *element)
{
	struct element **last = &sim->elements;

	while (*last)
		last = &(*last)->next_of_sim;
	element->sim = sim;
	element->next_of_sim = NULL;
	*last = element;
}

static struct instant earliest(const struct sim *sim)
{
	struct instant due = INSTANT_NEVER;

	for (const struct element *element = sim->elements; element; element = element->next_of_sim)
		due = instant_min(due, element->due);
	return due;
}

void sim_run(struct sim *sim, struct instant end)
{
	struct instant due;

	while ((due = earliest(sim)).ns <= end.ns) {
		sim->now = instant_max(sim->now, due);
		for (struct element *element = sim->elements; element; element = element->next_of_sim) {
			if (instant_reached(element->due, sim->now))
				element->run(element);
		}
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
