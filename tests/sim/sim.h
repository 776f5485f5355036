#pragma once
/* A simulator: hosts and network on virtual time. Everything is an element as the impairment of links has them
 * (link/impair/impair.h): it takes packets, it has a time at which it wants to run, and it passes packets on to the
 * next one. All chance comes from one seed, so a seed makes a run. */
#include "../support/test_random.h"
#include "link/impair/impair.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A build in which everything takes ten times as long. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SIM_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SIM_SANITIZED 1
#endif
#endif
#ifndef SIM_SANITIZED
#define SIM_SANITIZED 0
#endif

struct sim {
	struct impair impair; /* all elements; `resting`: the network is healed, it does no more harm */
	struct instant now;
	struct test_random random;
	struct sim_block *blocks; /* of sim_alloc */
	bool trace;               /* every packet is printed: TAPSTACK_SIM_TRACE */
	uint64_t packets;
	/* What the way out of the host whose address ends in this byte adds to its sequence numbers. */
	uint32_t shift[256];
};

void sim_begin(struct sim *sim, uint64_t seed);
/* Ends all elements and frees what sim_alloc gave. */
void sim_end(struct sim *sim);
/* Zeroed; lives as long as the simulation. */
void *sim_alloc(struct sim *sim, size_t size);
/* Runs until `end`, or until nothing is due any more. */
void sim_run(struct sim *sim, struct instant end);

static inline struct sim *sim_of(const struct impair_element *element)
{
	return (struct sim *)((char *)element->impair - offsetof(struct sim, impair));
}

/* [low, high] */
uint32_t sim_between(struct sim *sim, uint32_t low, uint32_t high);
/* True in `per_million` of a million cases. */
bool sim_chance(struct sim *sim, uint32_t per_million);
struct duration sim_duration(struct sim *sim, struct duration low, struct duration high);
