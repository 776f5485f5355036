/* Elements that hold packets for a time. */
#include "link/impair/impair.h"

/* Passes on what is due, each with its own time. */
static void run_held(struct impair_element *element, struct impair_held *held, struct instant now)
{
	while (held->first && instant_reached(held->first->at, now)) {
		struct instant at = held->first->at;

		impair_pass(element, at, impair_unhold(held));
	}
	element->due = held->first ? held->first->at : INSTANT_NEVER;
}

static void hold(struct impair_element *element, struct impair_held *held, struct impair_packet *packet,
                 struct instant at)
{
	impair_hold(held, packet, at);
	element->due = held->first->at;
}

/* ---- delay -------------------------------------------------------------------------------------------------------
 */

static void delay_take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	struct impair_delay *delay = (struct impair_delay *)element;
	const struct impair_delay_options *options = &delay->options;
	struct instant at = instant_add(now, options->delay);

	if (options->packets_max > 0 && delay->held.packets >= options->packets_max) {
		impair_drop(element, now, packet, "too many");
		return;
	}
	if (options->jitter.ns > 0)
		at = instant_add(at, impair_between(&element->random, (struct duration){ 0 }, options->jitter));
	if (!options->reorders || element->impair->resting)
		at = instant_max(at, delay->last_out);
	delay->last_out = instant_max(at, delay->last_out);
	hold(element, &delay->held, packet, at);
}

static void delay_run(struct impair_element *element, struct instant now)
{
	run_held(element, &((struct impair_delay *)element)->held, now);
}

static void delay_clear(struct impair_element *element)
{
	impair_held_clear(element->impair, &((struct impair_delay *)element)->held);
}

void impair_delay_begin(struct impair_delay *delay, struct impair *impair, struct impair_element *next,
                        const struct impair_delay_options *options)
{
	*delay = (struct impair_delay){ .element = { .take = delay_take, .run = delay_run, .clear = delay_clear },
		                        .options = *options,
		                        .last_out = { INT64_MIN } };
	impair_add(impair, &delay->element, next);
}

/* ---- reordering --------------------------------------------------------------------------------------------------
 */

static void reorder_take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	struct impair_reorder *reorder = (struct impair_reorder *)element;
	const struct impair_reorder_options *options = &reorder->options;
	bool chosen = impair_chance(&element->random, options->per_million);
	struct duration wait;

	if (!chosen || element->impair->resting ||
	    (options->packets_max > 0 && reorder->held.packets >= options->packets_max)) {
		impair_pass(element, now, packet);
		return;
	}
	impair_harm(element, now, packet, "held");
	wait = impair_between(&element->random, options->hold_min, options->hold_max);
	hold(element, &reorder->held, packet, instant_add(now, wait));
}

static void reorder_run(struct impair_element *element, struct instant now)
{
	run_held(element, &((struct impair_reorder *)element)->held, now);
}

static void reorder_clear(struct impair_element *element)
{
	impair_held_clear(element->impair, &((struct impair_reorder *)element)->held);
}

void impair_reorder_begin(struct impair_reorder *reorder, struct impair *impair, struct impair_element *next,
                          const struct impair_reorder_options *options)
{
	*reorder = (struct impair_reorder){
		.element = { .take = reorder_take, .run = reorder_run, .clear = reorder_clear },
		.options = *options,
	};
	impair_add(impair, &reorder->element, next);
}
