#pragma once
/* One way through a bad path: all elements, in the order in which a packet meets them, of which those that have
 * something to do are there:
 *
 *     split -> drop the nth -> outage -> loss -> duplicate -> corrupt -> reorder -> line -> delay
 *
 * Super-frames are cut first, so that all others see packets as they are on the wire. Each element's chance depends
 * on the seed and on its kind only: to add another one changes nothing of what becomes of the n-th packet at the
 * first. */
#include "link/impair/impair.h"
#include "link/impair/packet.h"

/* All zeros: nothing happens. */
struct impair_way_options {
	struct impair_nth_options nth;       /* first 0: none */
	struct impair_outage_options outage; /* down_max 0: none */
	uint32_t loss, burst_packets;        /* loss per million; in bursts of so many on average, when more than 1 */
	uint32_t duplicate, corrupt;         /* per million */
	struct impair_reorder_options reorder;
	struct impair_line_options line; /* bytes_per_s 0: none */
	struct impair_delay_options delay;
};

struct impair_way_counters {
	uint64_t packets; /* that came, super-frames cut */
	uint64_t passed;  /* went on, copies counted too */
	uint64_t lost, dropped_nth, dropped_outage;
	uint64_t duplicated, corrupted, reordered;
	uint64_t dropped_delay;                  /* too many on their way */
	uint64_t dropped_queue;                  /* no room in the queue, or CoDel */
	uint64_t marked;                         /* CE */
	uint64_t queue_packets, queue_bytes;     /* now */
	uint64_t delayed_packets, delayed_bytes; /* now: on their way, or held back */
};

struct impair_way {
	struct impair impair;
	struct impair_element end; /* hands over to `out` */
	void (*out)(void *context, struct instant now, struct impair_packet *packet);
	void *context;
	struct impair_split split;
	struct impair_nth nth;
	struct impair_outage outage;
	struct impair_loss loss;
	struct impair_burst burst;
	struct impair_duplicate duplicate;
	struct impair_corrupt corrupt;
	struct impair_reorder reorder;
	struct impair_line line;
	struct impair_delay delay;
};

/* `out` takes over each packet that comes through (impair_packet_free with &way->impair). The way must stay in place
 * until impair_end(&way->impair). */
void impair_way_begin(struct impair_way *way, const struct memory *memory, uint64_t seed,
                      const struct impair_way_options *options,
                      void (*out)(void *context, struct instant now, struct impair_packet *packet), void *context);

static inline void impair_way_give(struct impair_way *way, struct instant now, struct impair_packet *packet)
{
	impair_give(&way->split.element, now, packet);
}

void impair_way_count(const struct impair_way *way, struct impair_way_counters *ret_counters);
