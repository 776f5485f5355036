/* A line of so many bytes a second, and the queue before it. */
#include "link/impair/ecn.h"
#include "link/impair/impair.h"

#include <stdatomic.h>

#define FULL_PACKET_BYTES 1514 /* CoDel: a backlog below one packet is none */

static struct duration time_on_line(const struct impair_line *line, const struct impair_packet *packet)
{
	uint64_t bytes = (uint64_t)packet->length + line->options.overhead_bytes;

	return (struct duration){ (int64_t)(bytes * 1000000000u / line->options.bytes_per_s) };
}

/* Tells the transport of the congestion without a loss; false: it does not understand that. */
static bool mark(struct impair_line *line, struct instant now, struct impair_packet *packet)
{
	int is = ecn_get(packet->bytes, packet->length);

	if (is <= ECN_NOT_ECT)
		return false;
	ecn_set(packet->bytes, packet->length, ECN_CE);
	line->marked++;
	impair_harm(&line->element, now, packet, "marked");
	return true;
}

/* The packet leaves the queue. Returns whether it goes onto the line. */
static bool leaves_queue(struct impair_line *line, struct instant now, struct impair_packet *packet)
{
	const struct impair_line_options *options = &line->options;
	struct duration waited = instant_sub(now, packet->at);

	switch (options->discipline) {
	case IMPAIR_CODEL:
		if (!codel_drops(&line->codel, now, waited, line->queue.bytes, FULL_PACKET_BYTES))
			return true;
		return options->ecn && mark(line, now, packet);
	case IMPAIR_STEP:
		if (waited.ns > options->target.ns)
			mark(line, now, packet);
		return true;
	default:
		return true;
	}
}

/* When a packet that may go from `now` on has left the line. */
static struct instant off_the_line(struct impair_line *line, struct instant now, const struct impair_packet *packet)
{
	struct duration takes = time_on_line(line, packet);
	int64_t busy, end;

	if (!line->options.busy_until)
		return instant_add(now, takes);
	busy = atomic_load_explicit(line->options.busy_until, memory_order_relaxed);
	do {
		end = instant_add((struct instant){ busy > now.ns ? busy : now.ns }, takes).ns;
	} while (!atomic_compare_exchange_weak_explicit(line->options.busy_until, &busy, end, memory_order_relaxed,
	                                                memory_order_relaxed));
	return (struct instant){ end };
}

/* The line is free at `now`: the next packet. */
static void send_next(struct impair_line *line, struct instant now)
{
	struct impair_packet *packet;

	while ((packet = impair_unhold(&line->queue)) && !leaves_queue(line, now, packet))
		impair_drop(&line->element, now, packet, "codel");
	line->sending = packet;
	line->element.due = packet ? off_the_line(line, now, packet) : INSTANT_NEVER;
}

static bool is_full(const struct impair_line *line, const struct impair_packet *packet)
{
	const struct impair_line_options *options = &line->options;

	if (line->queue.packets == 0)
		return false;
	return (options->queue_bytes > 0 && line->queue.bytes + packet->length > options->queue_bytes) ||
	       (options->queue_packets > 0 && line->queue.packets >= options->queue_packets);
}

/* What left the line before `now`, if its owner is late: then the queue is as it would be. */
static void catch_up(struct impair_line *line, struct instant now)
{
	while (line->sending && instant_reached(line->element.due, now)) {
		struct instant at = line->element.due;
		struct impair_packet *packet = line->sending;

		send_next(line, at);
		impair_pass(&line->element, at, packet);
	}
}

static void line_take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	struct impair_line *line = (struct impair_line *)element;

	catch_up(line, now);
	if (is_full(line, packet)) {
		impair_drop(element, now, packet, "full");
		return;
	}
	impair_hold(&line->queue, packet, now);
	if (!line->sending)
		send_next(line, now);
}

static void line_run(struct impair_element *element, struct instant now)
{
	catch_up((struct impair_line *)element, now);
}

static void line_clear(struct impair_element *element)
{
	struct impair_line *line = (struct impair_line *)element;

	impair_held_clear(element->impair, &line->queue);
	if (line->sending)
		impair_packet_free(element->impair, line->sending);
	line->sending = NULL;
}

void impair_line_begin(struct impair_line *line, struct impair *impair, struct impair_element *next,
                       const struct impair_line_options *options)
{
	*line = (struct impair_line){ .element = { .take = line_take, .run = line_run, .clear = line_clear },
		                      .options = *options };
	if (line->options.target.ns == 0)
		line->options.target = DURATION_MS(options->discipline == IMPAIR_CODEL ? 5 : 1);
	if (line->options.interval.ns == 0)
		line->options.interval = DURATION_MS(100);
	codel_begin(&line->codel, line->options.target, line->options.interval);
	impair_add(impair, &line->element, next);
}
