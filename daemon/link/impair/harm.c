/* Elements that lose, double or damage packets. Each draws its lot for every packet, also while nobody is harmed:
 * what becomes of the n-th packet is decided by the seed alone. */
#include "core/wire/bytes.h"
#include "core/wire/ethernet.h"
#include "link/impair/impair.h"

static void drop_or_pass(struct impair_element *element, struct instant now, struct impair_packet *packet, bool drop)
{
	if (drop && !element->impair->resting)
		impair_drop(element, now, packet, "lost");
	else
		impair_pass(element, now, packet);
}

/* ---- loss --------------------------------------------------------------------------------------------------------
 */

static void loss_take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	uint32_t per_million = ((struct impair_loss *)element)->per_million;

	drop_or_pass(element, now, packet, impair_chance(&element->random, per_million));
}

void impair_loss_begin(struct impair_loss *loss, struct impair *impair, struct impair_element *next,
                       uint32_t per_million)
{
	*loss = (struct impair_loss){ .element = { .take = loss_take }, .per_million = per_million };
	impair_add(impair, &loss->element, next);
}

static void burst_take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	struct impair_burst *burst = (struct impair_burst *)element;
	const struct impair_burst_options *options = &burst->options;

	if (impair_random_u64(&element->random) >> 1 < (burst->bad ? options->turns_good : options->turns_bad))
		burst->bad = !burst->bad;
	drop_or_pass(element, now, packet,
	             impair_chance(&element->random, burst->bad ? options->loss_bad : options->loss_good));
}

void impair_burst_begin(struct impair_burst *burst, struct impair *impair, struct impair_element *next,
                        const struct impair_burst_options *options)
{
	*burst = (struct impair_burst){ .element = { .take = burst_take }, .options = *options };
	impair_add(impair, &burst->element, next);
}

struct impair_burst_options impair_burst_of(uint32_t per_million, uint32_t burst_packets)
{
	/* In the long run the share of bad packets is turns_bad / (turns_bad + turns_good). */
	uint64_t turns_good = IMPAIR_BURST_SURE / (burst_packets > 0 ? burst_packets : 1);
	uint64_t part; /* of turns_bad, `per_million` times */

	if (per_million >= 1000000)
		return (struct impair_burst_options){ .turns_bad = IMPAIR_BURST_SURE, .loss_bad = 1000000 };
	part = turns_good / (1000000 - per_million);
	return (struct impair_burst_options){
		.turns_bad = part <= IMPAIR_BURST_SURE / (per_million > 0 ? per_million : 1) ? part * per_million
		                                                                             : IMPAIR_BURST_SURE,
		.turns_good = turns_good,
		.loss_bad = 1000000,
	};
}

static void nth_take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	const struct impair_nth_options *options = &((struct impair_nth *)element)->options;
	uint64_t number = element->counters.taken; /* this one is counted already */
	uint64_t after = number - options->first;  /* when it is not before it */
	bool chosen = number >= options->first &&
	              (after == 0 || (options->every > 0 && after % options->every == 0)) &&
	              (options->count == 0 || element->counters.dropped < options->count);

	drop_or_pass(element, now, packet, chosen);
}

void impair_nth_begin(struct impair_nth *nth, struct impair *impair, struct impair_element *next,
                      const struct impair_nth_options *options)
{
	*nth = (struct impair_nth){ .element = { .take = nth_take }, .options = *options };
	impair_add(impair, &nth->element, next);
}

#define OUTAGE_CHANGES_MAX 1000u /* that one packet catches up with */

/* How long the time lasts that it is in now. */
static struct duration outage_lasts(const struct impair_outage *outage, struct impair_random *random)
{
	const struct impair_outage_options *options = &outage->options;

	return outage->down ? impair_between(random, options->down_min, options->down_max)
	                    : impair_between(random, options->up_min, options->up_max);
}

static void outage_take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	struct impair_outage *outage = (struct impair_outage *)element;

	for (unsigned changes = 0; outage->begun && instant_reached(outage->until, now); changes++) {
		if (changes == OUTAGE_CHANGES_MAX) {
			outage->begun = outage->down = false;
			break;
		}
		outage->down = !outage->down;
		outage->until = instant_add(outage->until, outage_lasts(outage, &element->random));
	}
	if (!outage->begun) {
		outage->begun = true;
		outage->until = instant_add(now, outage_lasts(outage, &element->random));
	}
	drop_or_pass(element, now, packet, outage->down);
}

void impair_outage_begin(struct impair_outage *outage, struct impair *impair, struct impair_element *next,
                         const struct impair_outage_options *options)
{
	*outage = (struct impair_outage){ .element = { .take = outage_take }, .options = *options };
	impair_add(impair, &outage->element, next);
}

/* ---- doubles, damage ---------------------------------------------------------------------------------------------
 */

static void duplicate_take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	uint32_t per_million = ((struct impair_duplicate *)element)->per_million;
	struct impair_packet *copy = NULL;

	if (impair_chance(&element->random, per_million) && !element->impair->resting)
		copy = impair_packet_copy(element->impair, packet);
	impair_pass(element, now, packet);
	if (copy) {
		impair_harm(element, now, copy, "doubled");
		impair_pass(element, now, copy);
	}
}

void impair_duplicate_begin(struct impair_duplicate *duplicate, struct impair *impair, struct impair_element *next,
                            uint32_t per_million)
{
	*duplicate = (struct impair_duplicate){ .element = { .take = duplicate_take }, .per_million = per_million };
	impair_add(impair, &duplicate->element, next);
}

static bool can_be_corrupted(const struct impair_packet *packet)
{
	uint16_t type;

	if (packet->length <= ETHERNET_HEADER_BYTES || packet->checksum_offset != 0 || packet->damaged)
		return false;
	type = load16(packet->bytes + 12);
	return type == ETHERTYPE_IPV4 || type == ETHERTYPE_IPV6;
}

static void corrupt_take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	bool chosen = impair_chance(&element->random, ((struct impair_corrupt *)element)->per_million);
	uint64_t lot = impair_random_u64(&element->random);

	if (chosen && !element->impair->resting && can_be_corrupted(packet)) {
		uint64_t bit = lot % ((packet->length - ETHERNET_HEADER_BYTES) * 8ull);

		packet->bytes[ETHERNET_HEADER_BYTES + bit / 8] ^= (uint8_t)(1u << bit % 8);
		packet->damaged = true;
		impair_harm(element, now, packet, "damaged");
	}
	impair_pass(element, now, packet);
}

void impair_corrupt_begin(struct impair_corrupt *corrupt, struct impair *impair, struct impair_element *next,
                          uint32_t per_million)
{
	*corrupt = (struct impair_corrupt){ .element = { .take = corrupt_take }, .per_million = per_million };
	impair_add(impair, &corrupt->element, next);
}
