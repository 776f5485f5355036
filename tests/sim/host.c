#include "host.h"

#include "inside.h"
#include "service.h"

#include <stdlib.h>

struct instant host_now(const struct host *host)
{
	return (struct instant){ host->sim->now.ns + host->clock_offset };
}

void host_wake(struct host *host)
{
	host->element.due = instant_min(host->element.due, host->sim->now);
}

/* ---- memory ------------------------------------------------------------------------------------------------------
 */

static void *memory_alloc(void *context, size_t size)
{
	struct host_memory *memory = context;

	if (memory->fail_per_million > 0 && !memory->sim->impair.resting &&
	    sim_chance(memory->sim, memory->fail_per_million))
		return NULL;
	return test_memory_alloc(&memory->memory, size);
}

static void memory_free(void *context, void *pointer, size_t size)
{
	struct host_memory *memory = context;

	test_memory_free(&memory->memory, pointer, size);
}

/* ---- frames ------------------------------------------------------------------------------------------------------
 */

static void take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	struct host *host = (struct host *)element;

	if (host->sim->trace)
		packet_print(packet, now, "in");
	packet->next = NULL;
	*host->inbox_end = packet;
	host->inbox_end = &packet->next;
	element->due = instant_min(element->due, instant_add(now, host->batch));
}

static void frames_in(struct host *host)
{
	for (struct impair_packet *packet = host->inbox; packet; packet = packet->next) {
		struct frame_in frame = {
			.bytes = packet->bytes,
			.length = packet->length,
			.gso_bytes = packet->gso_bytes,
			.checksum = packet->checksum_offset != 0 ? FRAME_CHECKSUM_PARTIAL : FRAME_CHECKSUM_UNKNOWN,
		};

		uint64_t cookies = stack_get_counters(host->stack)->cookies_received;

		wire_in(&host->wire, packet);
		stack_input(host->stack, host_now(host), &frame);
		if (stack_get_counters(host->stack)->cookies_received > cookies)
			wire_reborn(&host->wire, packet);
	}
}

/* The frames' memory is used for something else now. */
static void forget_frames(struct host *host)
{
	struct impair_packet *packet, *next;

	for (packet = host->inbox; packet; packet = next) {
		next = packet->next;
		memset(packet->bytes, 0xdb, packet->length);
		impair_packet_free(&host->sim->impair, packet);
	}
	host->inbox = NULL;
	host->inbox_end = &host->inbox;
}

static void frame_out(struct host *host, const struct frame_out *frame)
{
	struct impair_packet *packet = impair_packet_new(&host->sim->impair, frame->length);
	uint32_t at = 0;

	for (uint32_t i = 0; i < frame->iov_count; i++) {
		memcpy(packet->bytes + at, frame->iov[i].iov_base, frame->iov[i].iov_len);
		at += (uint32_t)frame->iov[i].iov_len;
	}
	WATCH_CHECK(at == frame->length);
	packet->gso_bytes = frame->gso_bytes;
	packet->header_bytes = frame->header_bytes;
	packet->checksum_start = frame->checksum_start;
	packet->checksum_offset = frame->checksum_offset;
	packet->is_ipv6 = frame->is_ipv6;
	WATCH_CHECK(packet_wire_mtu(packet) <= host->config.mtu_bytes);
	host->sim->packets++;
	if (host->sim->trace)
		packet_print(packet, host->sim->now, "out");
	wire_out(&host->wire, packet);
	impair_pass(&host->element, host->sim->now, packet);
}

static uint64_t frames_out(struct host *host)
{
	uint64_t sent = 0;

	for (;;) {
		struct frame_out frame[4];
		size_t count = stack_output(host->stack, frame, 1 + sent % 4);

		if (count == 0)
			return sent;
		for (size_t i = 0; i < count; i++)
			frame_out(host, &frame[i]);
		sent += count;
		WATCH_CHECK(sent < 100000);
	}
}

/* ---- a turn ------------------------------------------------------------------------------------------------------
 */

/* What the recorder does beside: it reads the journal, sooner or later. */
static void record(struct host *host)
{
	struct sim *sim = host->sim;
	uint64_t head = atomic_load(&host->ring->head), tail = atomic_load(&host->ring->tail);
	uint32_t most = (uint32_t)(head - tail);

	if (sim->impair.resting)
		atomic_store(&host->ring->tail, head);
	else if (most > 0 && !host->recorder_stalls)
		atomic_store(&host->ring->tail, tail + sim_between(sim, 0, most));
}

/* A loop that turns for nothing is a bug, too; but timers that were set too early may fire in vain. */
static void check_idle_turn(struct host *host)
{
	int64_t second = host_now(host).ns / 1000000000;

	if (second != host->idle_second) {
		host->idle_second = second;
		host->idle_turns = 0;
	}
	WATCH_CHECK(++host->idle_turns < 3000);
}

static void run(struct impair_element *element, struct instant now)
{
	struct host *host = (struct host *)element;
	bool had_frames = host->inbox != NULL;
	struct stack_ready ready;
	uint64_t did = 0;

	(void)now; /* the simulator's, as host_now has it */
	element->due = INSTANT_NEVER;
	frames_in(host);
	while (stack_advance(host->stack, host_now(host)))
		WATCH_CHECK(++did < 1000);
	services_wake(host);
	do { /* what goes out may make room that a service waits for */
		for (; stack_next_ready(host->stack, &ready); did++)
			services_ready(host, &ready);
		stack_settle(host->stack);
		forget_frames(host);
		did += frames_out(host);
		WATCH_CHECK(did < 100000);
	} while (stack_has_ready(host->stack));
	watch_turn(&host->watch, host_now(host), services_hold_dead(host));
	inside_check(host);
	record(host);
	if (!had_frames && did == 0)
		check_idle_turn(host);
	if (stack_deadline(host->stack).ns != INT64_MAX)
		element->due = instant_min(element->due,
		                           (struct instant){ stack_deadline(host->stack).ns - host->clock_offset });
	element->due = instant_min(element->due, services_due(host));
}

void host_begin(struct host *host, struct sim *sim, const struct stack_config *config, uint64_t journal_records,
                int64_t clock_offset)
{
	struct memory memory = { memory_alloc, memory_free, &host->memory };

	host->sim = sim;
	host->config = *config;
	host->clock_offset = clock_offset;
	host->memory.memory = (struct test_memory){ .fail_from = UINT64_MAX };
	host->memory.sim = sim;
	host->ring = watch_ring_new(journal_records);
	host->config.journal = host->ring;
	host->inbox_end = &host->inbox;
	host->element.take = take;
	host->element.run = run;
	impair_add(&sim->impair, &host->element, NULL);
	host->element.due = sim->now;
	WATCH_CHECK(stack_new(&host->config, &memory, host_now(host), &host->stack) == 0);
	host->wire.mac = host->config.mac;
	watch_begin(&host->watch, host->stack, host->ring);
}

void host_end(struct host *host)
{
	forget_frames(host);
	stack_free(host->stack);
	WATCH_CHECK(host->memory.memory.live_count == 0);
	watch_end(&host->watch);
	wire_end(&host->wire);
	free(host->ring);
}
