/* Neighbours on the Ethernet (RFC 826, RFC 1122 section 2.3.2): a bounded table with resolution, a short queue for
 * frames that wait, refresh of entries in use, and forgetting of the others. */
#include "core/tcp/engine.h"
#include "core/wire/arp.h"

#define REACHABLE_TIME DURATION_S(60)
#define REQUEST_INTERVAL DURATION_S(1)
#define REQUESTS_MAX 3

static uint32_t *bucket_of(struct stack *stack, const struct ip_addr *ip)
{
	return &stack->neighbour_bucket[(ip->b[15] ^ ip->b[14] * 31u) & 255];
}

static struct neighbour *find(struct stack *stack, const struct ip_addr *ip)
{
	if (stack->neighbour_last && ip_addr_equal(&stack->neighbour_last->ip, ip))
		return stack->neighbour_last;
	for (uint32_t slot = *bucket_of(stack, ip); slot != POOL_NONE;) {
		struct neighbour *neighbour = pool_at(&stack->neighbours, slot);

		if (ip_addr_equal(&neighbour->ip, ip)) {
			stack->neighbour_last = neighbour;
			return neighbour;
		}
		slot = neighbour->next_slot;
	}
	return NULL;
}

static void drop_pending(struct stack *stack, struct neighbour *neighbour)
{
	for (int i = 0; i < neighbour->pending_count; i++) {
		if (neighbour->pending[i].block)
			raw_block_put(stack, neighbour->pending[i].block);
	}
	neighbour->pending_count = 0;
	if (neighbour->pending)
		stack->memory.free(stack->memory.context, neighbour->pending,
		                   NEIGHBOUR_PENDING_MAX * sizeof(*neighbour->pending));
	neighbour->pending = NULL;
}

static void forget(struct stack *stack, struct neighbour *neighbour)
{
	uint32_t *slot = bucket_of(stack, &neighbour->ip);

	while (*slot != neighbour->head.slot)
		slot = &((struct neighbour *)pool_at(&stack->neighbours, *slot))->next_slot;
	*slot = neighbour->next_slot;
	if (stack->neighbour_last == neighbour)
		stack->neighbour_last = NULL;
	wheel_cancel(&stack->neighbour_wheel, &neighbour->timer);
	drop_pending(stack, neighbour);
	pool_put(&stack->neighbours, neighbour);
}

/* The table is full: the entry that was confirmed longest ago goes; but none that is so young that it may not have
 * been of any use yet, or connections to more neighbours than there is room for would do nothing but ask. */
static void evict(struct stack *stack)
{
	struct neighbour *victim = NULL, *neighbour;

	for (uint32_t from = 0; (neighbour = pool_next_live(&stack->neighbours, from));
	     from = neighbour->head.slot + 1) {
		if (!victim || instant_before(neighbour->updated, victim->updated))
			victim = neighbour;
	}
	if (victim && instant_sub(stack->now, victim->updated).ns >= REQUEST_INTERVAL.ns)
		forget(stack, victim);
}

static struct neighbour *create(struct stack *stack, const struct ip_addr *ip)
{
	struct neighbour *neighbour;
	uint32_t *bucket = bucket_of(stack, ip);

	if (stack->neighbours.used >= stack->neighbours.limit)
		evict(stack);
	neighbour = pool_get(&stack->neighbours);
	if (!neighbour) {
		COUNT(stack, alloc_failures);
		return NULL;
	}
	neighbour->ip = *ip;
	neighbour->state = NEIGHBOUR_INCOMPLETE;
	neighbour->updated = stack->now;
	neighbour->next_slot = *bucket;
	*bucket = neighbour->head.slot;
	return neighbour;
}

static void send_arp(struct stack *stack, uint16_t operation, const struct mac_addr *to,
                     const struct ip_addr *sender_ip, const struct mac_addr *target_mac,
                     const struct ip_addr *target_ip)
{
	struct raw_frame *frame = raw_slot(stack);
	struct ethernet_header ethernet = { .destination = *to, .source = stack->config.mac, .type = ETHERTYPE_ARP };
	struct arp_packet arp = {
		.operation = operation,
		.sender_mac = stack->config.mac,
		.sender_ip = *sender_ip,
		.target_mac = *target_mac,
		.target_ip = *target_ip,
	};

	if (!frame)
		return;
	ethernet_write(frame->bytes, &ethernet);
	arp_write(frame->bytes + ETHERNET_HEADER_BYTES, &arp);
	frame->destination = IP_ADDR_ANY;
	frame->length = frame->inline_bytes = ETHERNET_HEADER_BYTES + ARP_BYTES;
	frame->block = NULL;
	raw_push(stack);
}

static const struct mac_addr broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
static const struct mac_addr unknown = { { 0 } };

static void request(struct stack *stack, struct neighbour *neighbour)
{
	struct ip_addr source, next_hop;

	if (!ip_route(stack, &neighbour->ip, &source, &next_hop))
		return;
	COUNT(stack, arp_requests_out);
	neighbour->tries++;
	send_arp(stack, ARP_REQUEST, neighbour->state == NEIGHBOUR_INCOMPLETE ? &broadcast : &neighbour->mac, &source,
	         &unknown, &neighbour->ip);
	wheel_set(&stack->neighbour_wheel, &neighbour->timer, instant_add(stack->now, REQUEST_INTERVAL));
}

static struct neighbour *next_hop_of(struct stack *stack, const struct ip_addr *destination)
{
	struct ip_addr source, next_hop;
	struct neighbour *neighbour;

	if (!ip_route(stack, destination, &source, &next_hop))
		return NULL;
	neighbour = find(stack, &next_hop);
	if (!neighbour && (neighbour = create(stack, &next_hop)))
		request(stack, neighbour);
	return neighbour;
}

bool neighbour_resolve(struct stack *stack, const struct ip_addr *destination, struct mac_addr *ret_mac)
{
	struct neighbour *neighbour = stack->neighbour_last;

	if (!neighbour || !ip_addr_equal(&neighbour->ip, destination))
		neighbour = next_hop_of(stack, destination);
	if (!neighbour || neighbour->state == NEIGHBOUR_INCOMPLETE)
		return false;
	neighbour->used = true;
	*ret_mac = neighbour->mac;
	return true;
}

void neighbour_doubt(struct stack *stack, const struct ip_addr *destination)
{
	struct neighbour *neighbour = next_hop_of(stack, destination);

	if (!neighbour || neighbour->state != NEIGHBOUR_REACHABLE)
		return;
	neighbour->state = NEIGHBOUR_PROBING;
	neighbour->tries = 0;
	request(stack, neighbour);
}

void neighbour_hold(struct stack *stack, const struct raw_frame *frame)
{
	struct neighbour *neighbour = next_hop_of(stack, &frame->destination);

	if (neighbour && !neighbour->pending)
		neighbour->pending = stack->memory.alloc(stack->memory.context,
		                                         NEIGHBOUR_PENDING_MAX * sizeof(*neighbour->pending));
	if (!neighbour || !neighbour->pending || neighbour->pending_count == NEIGHBOUR_PENDING_MAX) {
		if (frame->block)
			raw_block_put(stack, frame->block);
		return;
	}
	neighbour->pending[neighbour->pending_count++] = *frame;
}

static void wake_blocked(struct stack *stack)
{
	struct conn *conn;

	if (stack->blocked_on_neighbour == 0)
		return;
	stack->blocked_on_neighbour = 0;
	for (uint32_t from = 0; (conn = pool_next_live(&stack->conns, from)); from = conn->node.head.slot + 1) {
		if (!(conn->flags & CONN_BLOCKED_ON_NEIGHBOUR) || (conn->flags & CONN_DEAD))
			continue;
		conn->flags &= ~(uint32_t)CONN_BLOCKED_ON_NEIGHBOUR;
		conn_want_output(stack, conn);
	}
}

static void learn(struct stack *stack, struct neighbour *neighbour, const struct mac_addr *mac)
{
	bool was_incomplete = neighbour->state == NEIGHBOUR_INCOMPLETE;

	neighbour->mac = *mac;
	neighbour->state = NEIGHBOUR_REACHABLE;
	neighbour->updated = stack->now;
	neighbour->tries = 0;
	wheel_set(&stack->neighbour_wheel, &neighbour->timer, instant_add(stack->now, REACHABLE_TIME));
	if (!was_incomplete)
		return;
	for (int i = 0; i < neighbour->pending_count; i++) {
		struct raw_frame *frame = raw_slot(stack);

		if (!frame)
			break;
		*frame = neighbour->pending[i];
		neighbour->pending[i].block = NULL; /* it is the frame's now */
		raw_push(stack);
	}
	drop_pending(stack, neighbour);
	wake_blocked(stack);
}

void neighbour_timers(struct stack *stack, int *budget)
{
	struct timer *timer;

	while (*budget > 0 && (timer = wheel_pop(&stack->neighbour_wheel, stack->now))) {
		struct neighbour *neighbour = CONTAINER_OF(timer, struct neighbour, timer);

		(*budget)--;
		if (neighbour->state == NEIGHBOUR_REACHABLE && neighbour->used) {
			neighbour->used = false;
			neighbour->state = NEIGHBOUR_PROBING;
			request(stack, neighbour);
		} else if (neighbour->state != NEIGHBOUR_REACHABLE && neighbour->tries < REQUESTS_MAX) {
			request(stack, neighbour);
		} else {
			forget(stack, neighbour);
		}
	}
}

static bool is_group(const struct mac_addr *mac)
{
	return mac->b[0] & 1;
}

enum stack_verdict arp_arrives(struct stack *stack, const uint8_t *packet, size_t length)
{
	struct ip_addr source, next_hop;
	struct neighbour *neighbour;
	struct arp_packet arp;
	bool for_us, probe;

	if (arp_read(packet, length, &arp) < 0 || is_group(&arp.sender_mac) || ip_is_local(stack, &arp.sender_ip))
		return VERDICT_DROP_ARP;
	for_us = ip_is_local(stack, &arp.target_ip);
	probe = ip_addr_is_any(&arp.sender_ip); /* RFC 5227: asks, but tells nothing */
	if (!probe) {
		/* Only hosts that are really on this link. */
		if (!ip_is_unicast(stack, &arp.sender_ip) || !ip_route(stack, &arp.sender_ip, &source, &next_hop) ||
		    !ip_addr_equal(&next_hop, &arp.sender_ip))
			return VERDICT_DROP_ARP;
		neighbour = find(stack, &arp.sender_ip);
		if (!neighbour && for_us)
			neighbour = create(stack, &arp.sender_ip);
		if (neighbour)
			learn(stack, neighbour, &arp.sender_mac);
	}
	if (for_us && arp.operation == ARP_REQUEST)
		send_arp(stack, ARP_REPLY, &arp.sender_mac, &arp.target_ip, &arp.sender_mac, &arp.sender_ip);
	return VERDICT_ACCEPTED;
}

void neighbour_clear(struct stack *stack)
{
	struct neighbour *neighbour;

	while ((neighbour = pool_next_live(&stack->neighbours, 0)))
		forget(stack, neighbour);
}

void stack_announce(struct stack *stack)
{
	for (uint32_t i = 0; i < stack->config.address_count; i++) {
		const struct ip_addr *ip = &stack->config.address[i].ip;

		if (ip_addr_is_v4(ip))
			send_arp(stack, ARP_REQUEST, &broadcast, ip, &unknown, ip);
	}
}

size_t stack_neighbours(const struct stack *stack, struct stack_neighbour_info *ret_infos, size_t count)
{
	const struct neighbour *neighbour;
	size_t n = 0;

	for (uint32_t from = 0; n < count && (neighbour = pool_next_live(&stack->neighbours, from));
	     from = neighbour->head.slot + 1) {
		ret_infos[n++] = (struct stack_neighbour_info){
			.ip = neighbour->ip,
			.mac = neighbour->mac,
			.resolved = neighbour->state != NEIGHBOUR_INCOMPLETE,
			.updated = neighbour->updated,
		};
	}
	return n;
}
