/* Reassembly of fragments (RFC 791 section 3.2, RFC 1122 section 3.3.2, RFC 8200 section 4.5) under a memory limit.
 * Fragments that overlap are never merged: the whole packet is dropped, and what comes of it later as well (RFC 5722
 * says so for IPv6, and attacks are its only use in IPv4 as well). */
#include "core/tcp/engine.h"
#include "core/wire/bytes.h"
#include "core/wire/ipv6.h"

#include <errno.h>

#define PACKET_BYTES_MAX 65535u
#define FRAGMENTS_MAX 64
#define REASSEMBLY_TIME DURATION_S(60)
/* What lies before a fragment's part of the payload. */
#define HEADERS_MAX (IPV6_HEADER_BYTES + IPV6_EXTENSION_BYTES_MAX + IPV6_FRAGMENT_HEADER_BYTES)

struct fragment_packet {
	struct fragment_packet *next;
	struct ip_addr source, destination;
	uint32_t id;
	uint8_t protocol; /* IPv4: packets of different protocols may have the same id */
	bool refused;     /* overlapped: stays, so that what comes later does not begin anew */
	uint8_t marks;    /* 1 << ECN field, of all fragments */
	struct instant due;
	uint32_t total; /* 0: the last fragment is not here yet */
	uint32_t have;
	uint32_t count;
	uint32_t first_bytes; /* of the first fragment's payload; 0: not here yet */
	struct {
		uint32_t start, end;
	} part[FRAGMENTS_MAX];
	struct ip_packet first; /* header of the first fragment, or while it is not here of another */
	/* The payload from HEADERS_MAX on, and the first fragment's headers up to there. */
	uint8_t bytes[HEADERS_MAX + PACKET_BYTES_MAX];
};

static uint8_t key_protocol(const struct ip_packet *ip)
{
	return ip_addr_is_v4(&ip->source) ? ip->protocol : 0;
}

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
		if (packet->id == ip->id && packet->protocol == key_protocol(ip) &&
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
	packet->protocol = key_protocol(ip);
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

/* Makes a packet of the first fragment's headers, without the fragment header, and the payload. */
static int rebuild6(struct fragment_packet *packet, struct ip_packet *ret_whole)
{
	uint32_t headers = packet->first.header_bytes - IPV6_FRAGMENT_HEADER_BYTES;
	uint8_t *payload = packet->bytes + HEADERS_MAX, *start = payload - headers;
	uint32_t named_at = 6, at = IPV6_HEADER_BYTES;

	memmove(start, start - IPV6_FRAGMENT_HEADER_BYTES, headers);
	while (start[named_at] != IP_PROTOCOL_FRAGMENT) {
		CORE_ASSERT(at < headers);
		named_at = at;
		at += (start[at + 1] + 1u) * 8;
	}
	start[named_at] = packet->first.protocol;
	if (headers - IPV6_HEADER_BYTES + packet->total > PACKET_BYTES_MAX)
		return -EBADMSG;
	store16(start + 4, headers - IPV6_HEADER_BYTES + packet->total);
	return ipv6_read(start, headers + packet->total, ret_whole);
}

/* RFC 3168 section 5.3: marked, when a fragment was; but not when others could not have been. */
static bool whole_mark(const struct fragment_packet *packet, uint8_t *ret_tos)
{
	bool congested = packet->marks & 1 << 3;

	*ret_tos = (uint8_t)(packet->first.tos | (congested ? 3 : 0));
	return !(congested && (packet->marks & 1));
}

static enum stack_verdict finish(struct stack *stack, struct fragment_packet *packet, struct ip_packet *ret_whole)
{
	struct ip_packet whole = packet->first;
	uint8_t tos;

	unlink_packet(stack, packet);
	packet->next = stack->fragments_done;
	stack->fragments_done = packet;
	if (!whole_mark(packet, &tos))
		return VERDICT_DROP_FRAGMENT;
	if (!ip_addr_is_v4(&packet->source)) {
		if (rebuild6(packet, &whole) < 0)
			return VERDICT_DROP_FRAGMENT;
	} else {
		whole.more_fragments = false;
		whole.fragment_offset = 0;
		whole.header_bytes = 0; /* there is none before the payload that could be quoted */
		whole.payload = packet->bytes + HEADERS_MAX;
		whole.payload_bytes = packet->total;
	}
	whole.tos = tos;
	whole.from_fragments = true;
	whole.to_group = packet->first.to_group;
	*ret_whole = whole;
	return VERDICT_ACCEPTED;
}

/* Lengths that no sender may choose; RFC 8200 section 4.5 wants them told. */
static bool is_sound(struct stack *stack, const struct ip_packet *ip)
{
	bool v4 = ip_addr_is_v4(&ip->source);
	uint32_t headers = v4 ? IPV4_HEADER_BYTES : ip->header_bytes - IPV6_HEADER_BYTES - IPV6_FRAGMENT_HEADER_BYTES;

	if (ip->payload_bytes == 0)
		return false;
	if (ip->more_fragments && ip->payload_bytes % 8 != 0) {
		if (!v4) /* the payload length is wrong */
			icmp6_error(stack, ip, ICMP6_PARAMETER_PROBLEM, ICMP6_PROBLEM_FIELD, 4);
		return false;
	}
	if (headers + ip->fragment_offset + ip->payload_bytes > PACKET_BYTES_MAX) {
		if (!v4) /* the offset is */
			icmp6_error(stack, ip, ICMP6_PARAMETER_PROBLEM, ICMP6_PROBLEM_FIELD,
			            ip->header_bytes - IPV6_FRAGMENT_HEADER_BYTES + 2u);
		return false;
	}
	return true;
}

static void keep(struct fragment_packet *packet, const struct ip_packet *ip)
{
	uint32_t start = ip->fragment_offset, end = start + ip->payload_bytes;

	if (start == 0) {
		packet->first = *ip;
		packet->first_bytes = ip->payload_bytes;
		memcpy(packet->bytes + HEADERS_MAX - ip->header_bytes, ip->payload - ip->header_bytes,
		       ip->header_bytes);
	}
	memcpy(packet->bytes + HEADERS_MAX + start, ip->payload, ip->payload_bytes);
	packet->part[packet->count].start = start;
	packet->part[packet->count++].end = end;
	packet->have += ip->payload_bytes;
	packet->marks |= (uint8_t)(1 << (ip->tos & 3));
	if (!ip->more_fragments)
		packet->total = end;
}

enum stack_verdict fragment_arrives(struct stack *stack, const struct ip_packet *ip, struct ip_packet *ret_whole)
{
	uint32_t start = ip->fragment_offset, end = start + ip->payload_bytes;
	struct fragment_packet *packet;
	int fit;

	if (!is_sound(stack, ip))
		return VERDICT_DROP_FRAGMENT;
	packet = find_packet(stack, ip);
	if (!packet && !(packet = new_packet(stack, ip))) {
		COUNT(stack, alloc_failures);
		return VERDICT_DROP_FRAGMENT;
	}
	if (packet->refused)
		return VERDICT_DROP_FRAGMENT;
	fit = fits(packet, start, end, !ip->more_fragments);
	if (fit == 0)
		return VERDICT_FRAGMENT_HELD;
	if (fit < 0 || packet->count == FRAGMENTS_MAX) {
		packet->refused = true;
		return VERDICT_DROP_FRAGMENT;
	}
	keep(packet, ip);
	if (packet->total == 0 || packet->have != packet->total)
		return VERDICT_FRAGMENT_HELD;
	return finish(stack, packet, ret_whole);
}

/* It will never be whole: who sent the first fragment is told (RFC 1122 section 3.3.2, RFC 8200 section 4.5). */
static void give_up(struct stack *stack, struct fragment_packet *packet)
{
	struct ip_packet *first = &packet->first;

	if (packet->first_bytes > 0 && !packet->refused) {
		first->payload = packet->bytes + HEADERS_MAX;
		first->payload_bytes = packet->first_bytes;
		if (ip_addr_is_v4(&packet->source))
			icmp_error(stack, first, ICMP_TIME_EXCEEDED, ICMP_REASSEMBLY_TIME);
		else
			icmp6_error(stack, first, ICMP6_TIME_EXCEEDED, ICMP6_REASSEMBLY_TIME, 0);
	}
	drop_packet(stack, packet);
}

void fragment_timers(struct stack *stack)
{
	while (stack->fragments && instant_reached(stack->fragments->due, stack->now))
		give_up(stack, stack->fragments);
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
