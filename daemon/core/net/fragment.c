/* Reassembly of IPv4 fragments (RFC 791 section 3.2, RFC 1122 section 3.3.2) under a memory limit. Fragments that
 * overlap are never merged: the whole packet is dropped (RFC 5722 says so for IPv6, and attacks are its only use in
 * IPv4 as well). */
#include "core/tcp/engine.h"

#define PACKET_BYTES_MAX 65535u
#define FRAGMENTS_MAX 64
#define REASSEMBLY_TIME DURATION_S(30)

struct fragment_packet {
	struct fragment_packet *next;
	struct ip_addr source, destination;
	uint16_t id;
	uint8_t protocol;
	struct instant due;
	uint32_t total; /* 0: the last fragment is not here yet */
	uint32_t have;
	uint32_t count;
	struct {
		uint32_t start, end;
	} part[FRAGMENTS_MAX];
	struct ip_packet first; /* header of the first fragment that came */
	uint8_t payload[PACKET_BYTES_MAX];
};

static void free_packet(struct stack *stack, struct fragment_packet *packet)
{
	stack->memory.free(stack->memory.context, packet, sizeof(*packet));
	stack->fragment_bytes -= (uint32_t)sizeof(*packet);
}

/* Takes a packet off the list of those that wait. */
static void unlink_packet(struct stack *stack, struct fragment_packet *packet)
{
	struct fragment_packet **link = &stack->fragments;

	while (*link != packet)
		link = &(*link)->next;
	*link = packet->next;
}

static void drop_packet(struct stack *stack, struct fragment_packet *packet)
{
	unlink_packet(stack, packet);
	free_packet(stack, packet);
}

static struct fragment_packet *find_packet(struct stack *stack, const struct ip_packet *ip)
{
	struct fragment_packet *packet;

	for (packet = stack->fragments; packet; packet = packet->next) {
		if (packet->id == ip->id && packet->protocol == ip->protocol &&
		    ip_addr_equal(&packet->source, &ip->source) &&
		    ip_addr_equal(&packet->destination, &ip->destination))
			return packet;
	}
	return NULL;
}

static struct fragment_packet *new_packet(struct stack *stack, const struct ip_packet *ip)
{
	struct fragment_packet *packet, **link = &stack->fragments;

	while (stack->fragments && stack->fragment_bytes + sizeof(*packet) > stack->config.fragments_max_bytes)
		drop_packet(stack, stack->fragments); /* the oldest */
	if (stack->fragment_bytes + sizeof(*packet) > stack->config.fragments_max_bytes)
		return NULL;
	packet = stack->memory.alloc(stack->memory.context, sizeof(*packet));
	if (!packet)
		return NULL;
	stack->fragment_bytes += (uint32_t)sizeof(*packet);
	packet->source = ip->source;
	packet->destination = ip->destination;
	packet->id = ip->id;
	packet->protocol = ip->protocol;
	packet->due = instant_add(stack->now, REASSEMBLY_TIME);
	packet->first = *ip;
	packet->next = NULL;
	while (*link)
		link = &(*link)->next;
	*link = packet;
	return packet;
}

/* 1 new, 0 an exact duplicate, -1 overlaps or contradicts what is there. */
static int fits(const struct fragment_packet *packet, uint32_t start, uint32_t end, bool last)
{
	if (packet->total && (end > packet->total || (last && end != packet->total)))
		return -1;
	for (uint32_t i = 0; i < packet->count; i++) {
		if (packet->part[i].start == start && packet->part[i].end == end)
			return 0;
		if (start < packet->part[i].end && packet->part[i].start < end)
			return -1;
		if (last && packet->part[i].end > end)
			return -1;
	}
	return 1;
}

enum stack_verdict fragment_arrives(struct stack *stack, const struct ip_packet *ip, struct ip_packet *ret_whole)
{
	uint32_t start = ip->fragment_offset, end = start + ip->payload_bytes;
	struct fragment_packet *packet = find_packet(stack, ip);
	bool last = !ip->more_fragments;
	int fit;

	if (end > PACKET_BYTES_MAX - IPV4_HEADER_BYTES || ip->payload_bytes == 0 ||
	    (!last && ip->payload_bytes % 8 != 0))
		return VERDICT_DROP_FRAGMENT;
	if (!packet && !(packet = new_packet(stack, ip))) {
		COUNT(stack, alloc_failures);
		return VERDICT_DROP_FRAGMENT;
	}
	fit = fits(packet, start, end, last);
	if (fit == 0)
		return VERDICT_FRAGMENT_HELD;
	if (fit < 0 || packet->count == FRAGMENTS_MAX) {
		drop_packet(stack, packet);
		return VERDICT_DROP_FRAGMENT;
	}
	memcpy(packet->payload + start, ip->payload, ip->payload_bytes);
	packet->part[packet->count].start = start;
	packet->part[packet->count++].end = end;
	packet->have += ip->payload_bytes;
	if (last)
		packet->total = end;
	if (packet->total == 0 || packet->have != packet->total)
		return VERDICT_FRAGMENT_HELD;
	unlink_packet(stack, packet);
	packet->next = stack->fragments_done;
	stack->fragments_done = packet;
	*ret_whole = packet->first;
	ret_whole->more_fragments = false;
	ret_whole->fragment_offset = 0;
	ret_whole->header_bytes = 0; /* there is none before the payload that could be quoted */
	ret_whole->payload = packet->payload;
	ret_whole->payload_bytes = packet->total;
	return VERDICT_ACCEPTED;
}

void fragment_timers(struct stack *stack)
{
	while (stack->fragments && instant_reached(stack->fragments->due, stack->now))
		drop_packet(stack, stack->fragments);
}

struct instant fragment_deadline(const struct stack *stack)
{
	return stack->fragments ? stack->fragments->due : INSTANT_NEVER;
}

void fragment_settle(struct stack *stack)
{
	while (stack->fragments_done) {
		struct fragment_packet *packet = stack->fragments_done;

		stack->fragments_done = packet->next;
		free_packet(stack, packet);
	}
}

void fragment_clear(struct stack *stack)
{
	fragment_settle(stack);
	while (stack->fragments)
		drop_packet(stack, stack->fragments);
}
