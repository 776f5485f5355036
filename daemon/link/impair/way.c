#include "link/impair/way.h"

static void end_take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	struct impair_way *way = (struct impair_way *)((char *)element - offsetof(struct impair_way, end));

	way->out(way->context, now, packet);
}

/* An element that is not there leaves its seed unused. */
static void skip(struct impair_way *way)
{
	impair_random_u64(&way->impair.seeds);
}

/* From the end to the beginning; each time `next` becomes what the packet meets before. */
#define ADD(kind, wanted, options)                                                                                   \
	do {                                                                                                         \
		if (wanted) {                                                                                        \
			impair_##kind##_begin(&way->kind, &way->impair, next, options);                              \
			next = &way->kind.element;                                                                   \
		} else {                                                                                             \
			skip(way);                                                                                   \
		}                                                                                                    \
	} while (0)

void impair_way_begin(struct impair_way *way, const struct memory *memory, uint64_t seed,
                      const struct impair_way_options *options,
                      void (*out)(void *context, struct instant now, struct impair_packet *packet), void *context)
{
	struct impair_burst_options burst = impair_burst_of(options->loss, options->burst_packets);
	bool in_bursts = options->burst_packets > 1;
	struct impair_element *next;

	*way = (struct impair_way){ .end = { .take = end_take }, .out = out, .context = context };
	impair_begin(&way->impair, memory, seed);
	impair_add(&way->impair, &way->end, NULL);
	next = &way->end;
	ADD(delay, options->delay.delay.ns > 0 || options->delay.jitter.ns > 0, &options->delay);
	ADD(line, options->line.bytes_per_s > 0, &options->line);
	ADD(reorder, options->reorder.per_million > 0, &options->reorder);
	ADD(corrupt, options->corrupt > 0, options->corrupt);
	ADD(duplicate, options->duplicate > 0, options->duplicate);
	ADD(burst, options->loss > 0 && in_bursts, &burst);
	ADD(loss, options->loss > 0 && !in_bursts, options->loss);
	ADD(outage, options->outage.down_max.ns > 0, &options->outage);
	ADD(nth, options->nth.first > 0, &options->nth);
	impair_split_begin(&way->split, &way->impair, next);
}

void impair_way_count(const struct impair_way *way, struct impair_way_counters *ret_counters)
{
	*ret_counters = (struct impair_way_counters){
		.packets = way->split.element.next->counters.taken,
		.passed = way->end.counters.taken,
		.lost = way->loss.element.counters.dropped + way->burst.element.counters.dropped,
		.dropped_nth = way->nth.element.counters.dropped,
		.dropped_outage = way->outage.element.counters.dropped,
		.duplicated = way->duplicate.element.counters.harmed,
		.corrupted = way->corrupt.element.counters.harmed,
		.reordered = way->reorder.element.counters.harmed,
		.dropped_delay = way->delay.element.counters.dropped,
		.dropped_queue = way->line.element.counters.dropped,
		.marked = way->line.marked,
		.queue_packets = way->line.queue.packets + (way->line.sending != NULL),
		.queue_bytes = way->line.queue.bytes + (way->line.sending ? way->line.sending->length : 0),
		.delayed_packets = (uint64_t)way->delay.held.packets + way->reorder.held.packets,
		.delayed_bytes = way->delay.held.bytes + way->reorder.held.bytes,
	};
}
