/* What all elements share: packets, chance, the set that they are in, and packets that wait. */
#include "link/impair/impair.h"

#include <string.h>

/* ---- chance ------------------------------------------------------------------------------------------------------
 */

/* Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014). */
uint64_t impair_random_u64(struct impair_random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

bool impair_chance(struct impair_random *random, uint32_t per_million)
{
	return (impair_random_u64(random) >> 32) * 1000000 >> 32 < per_million;
}

struct duration impair_between(struct impair_random *random, struct duration low, struct duration high)
{
	uint64_t range = (uint64_t)(high.ns - low.ns) + 1;

	return (struct duration){ low.ns + (int64_t)(impair_random_u64(random) % range) };
}

/* ---- the set -----------------------------------------------------------------------------------------------------
 */

void impair_begin(struct impair *impair, const struct memory *memory, uint64_t seed)
{
	*impair = (struct impair){ .memory = *memory, .seeds = { seed } };
}

void impair_end(struct impair *impair)
{
	struct impair_element *element, *next;

	for (element = impair->first; element; element = next) {
		next = element->next_of_impair; /* clear may free the element */
		if (element->clear)
			element->clear(element);
	}
	impair->first = impair->last = NULL;
}

void impair_add(struct impair *impair, struct impair_element *element, struct impair_element *next)
{
	element->impair = impair;
	element->next = next;
	element->next_of_impair = NULL;
	element->due = INSTANT_NEVER;
	element->random = (struct impair_random){ impair_random_u64(&impair->seeds) };
	element->counters = (struct impair_counters){ 0 };
	if (impair->last)
		impair->last->next_of_impair = element;
	else
		impair->first = element;
	impair->last = element;
}

struct instant impair_deadline(const struct impair *impair)
{
	struct instant due = INSTANT_NEVER;

	for (const struct impair_element *element = impair->first; element; element = element->next_of_impair)
		due = instant_min(due, element->due);
	return due;
}

void impair_run(struct impair *impair, struct instant now)
{
	while (instant_reached(impair_deadline(impair), now)) {
		for (struct impair_element *element = impair->first; element; element = element->next_of_impair) {
			if (instant_reached(element->due, now))
				element->run(element, now);
		}
	}
}

/* ---- packets -----------------------------------------------------------------------------------------------------
 */

struct impair_packet *impair_packet_new(struct impair *impair, uint32_t length)
{
	struct impair_packet *packet =
	        impair->memory.alloc(impair->memory.context, sizeof(struct impair_packet) + length);

	if (packet)
		*packet = (struct impair_packet){ .length = length };
	return packet;
}

struct impair_packet *impair_packet_copy(struct impair *impair, const struct impair_packet *packet)
{
	struct impair_packet *copy = impair_packet_new(impair, packet->length);

	if (copy) {
		memcpy(copy, packet, sizeof(*packet) + packet->length);
		copy->next = copy->previous = NULL;
	}
	return copy;
}

void impair_packet_free(struct impair *impair, struct impair_packet *packet)
{
	impair->memory.free(impair->memory.context, packet, sizeof(*packet) + packet->length);
}

static void tell(const struct impair *impair, struct instant now, const struct impair_packet *packet,
                 const char *what)
{
	if (impair->tell)
		impair->tell(impair->tell_context, now, packet, what);
}

void impair_drop(struct impair_element *element, struct instant now, struct impair_packet *packet, const char *why)
{
	element->counters.dropped++;
	tell(element->impair, now, packet, why);
	impair_packet_free(element->impair, packet);
}

void impair_harm(struct impair_element *element, struct instant now, const struct impair_packet *packet,
                 const char *what)
{
	element->counters.harmed++;
	tell(element->impair, now, packet, what);
}

/* ---- packets that wait -------------------------------------------------------------------------------------------
 */

void impair_hold(struct impair_held *held, struct impair_packet *packet, struct instant at)
{
	struct impair_packet *before = held->last;

	while (before && before->at.ns > at.ns)
		before = before->previous;
	packet->at = at;
	packet->previous = before;
	packet->next = before ? before->next : held->first;
	if (packet->next)
		packet->next->previous = packet;
	else
		held->last = packet;
	if (before)
		before->next = packet;
	else
		held->first = packet;
	held->packets++;
	held->bytes += packet->length;
}

struct impair_packet *impair_unhold(struct impair_held *held)
{
	struct impair_packet *packet = held->first;

	if (!packet)
		return NULL;
	held->first = packet->next;
	if (held->first)
		held->first->previous = NULL;
	else
		held->last = NULL;
	held->packets--;
	held->bytes -= packet->length;
	packet->next = packet->previous = NULL;
	return packet;
}

void impair_held_clear(struct impair *impair, struct impair_held *held)
{
	struct impair_packet *packet;

	while ((packet = impair_unhold(held)))
		impair_packet_free(impair, packet);
}
