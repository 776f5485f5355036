/* Neighbours on the Ethernet, of both families: one bounded table with the states of RFC 4861 section 7.3, a short
 * queue for frames that wait, and forgetting of what is not used. ARP (arp.c) and neighbour discovery (nd.c) ask and
 * hear.
 *
 * Against floods (RFC 6583): addresses that nobody answers for never take more than half of the table; nothing is
 * pushed out within its first second, so that the table can't be turned over faster than that; and what has no
 * answer goes before what has one. */
#include "core/tcp/engine.h"

#define STALE_TIME DURATION_S(60)  /* unused for so long: forgotten */
#define DELAY_TIME DURATION_S(5)   /* RFC 4861 section 10, DELAY_FIRST_PROBE_TIME */
#define YOUNG_TIME DURATION_S(1)   /* not pushed out before */
#define ARP_INTERVAL DURATION_S(1) /* RFC 1122 section 2.3.2.1 */
#define ARP_REACHABLE_TIME DURATION_S(30)
#define REQUESTS_MAX 3

static uint32_t *bucket_of(struct stack *stack, const struct ip_addr *ip)
{
	uint64_t hash = keyed_hash(&stack->flow_key, ip->b, sizeof(ip->b)); /* nobody can aim at one bucket */

	return &stack->neighbour_bucket[hash & (NEIGHBOUR_BUCKETS - 1)];
}

struct neighbour *neighbour_find(struct stack *stack, const struct ip_addr *ip)
{
	for (uint32_t slot = *bucket_of(stack, ip); slot != POOL_NONE;) {
		struct neighbour *neighbour = pool_at(&stack->neighbours, slot);

		if (ip_addr_equal(&neighbour->ip, ip))
			return neighbour;
		slot = neighbour->next_slot;
	}
	return NULL;
}

bool neighbour_is_asked(const struct neighbour *neighbour)
{
	return neighbour->state == NEIGHBOUR_INCOMPLETE || neighbour->state == NEIGHBOUR_DELAY ||
	       neighbour->state == NEIGHBOUR_PROBE;
}

/* ---- states ------------------------------------------------------------------------------------------------------
 */

static struct duration interval_of(const struct stack *stack, const struct neighbour *neighbour)
{
	return ip_addr_is_v4(&neighbour->ip) ? ARP_INTERVAL : stack->net6.retransmit;
}

/* RFC 4861 section 6.3.4: between half and one and a half of the base, so that hosts don't ask in step. */
static struct duration reachable_time(struct stack *stack, const struct neighbour *neighbour)
{
	struct duration base = ip_addr_is_v4(&neighbour->ip) ? ARP_REACHABLE_TIME : stack->net6.reachable;
	uint32_t share = 512 + random_below(&stack->random, 1025);

	return (struct duration){ base.ns / 1024 * share };
}

static void count_state(struct stack *stack, uint8_t state, int32_t by)
{
	if (state == NEIGHBOUR_INCOMPLETE)
		stack->neighbours_incomplete += (uint32_t)by;
	if (state == NEIGHBOUR_DELAY || state == NEIGHBOUR_PROBE)
		stack->neighbours_unsure += (uint32_t)by;
}

static void set_state(struct stack *stack, struct neighbour *neighbour, enum neighbour_state state,
                      struct duration due)
{
	count_state(stack, neighbour->state, -1);
	neighbour->state = (uint8_t)state;
	count_state(stack, neighbour->state, 1);
	wheel_set(&stack->neighbour_wheel, &neighbour->timer, instant_add(stack->now, due));
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
	if (stack->hop_neighbour == neighbour)
		stack->hop_neighbour = NULL;
	count_state(stack, neighbour->state, -1);
	wheel_cancel(&stack->neighbour_wheel, &neighbour->timer);
	drop_pending(stack, neighbour);
	pool_put(&stack->neighbours, neighbour);
}

void neighbour_routes_changed(struct stack *stack)
{
	stack->hop_neighbour = NULL;
}

/* ---- room in the table
 * --------------------------------------------------------------------------------------------- */

/* Pushes out the entry that was confirmed longest ago; one without an answer first, and (`only_incomplete`) no other.
 * False: none is old enough. Looks at the whole table, but not again before there can be one: so often as that, at
 * most once for each entry and second. */
static bool evict(struct stack *stack, bool only_incomplete)
{
	struct neighbour *oldest = NULL, *silent = NULL, *victim, *neighbour;
	struct instant *not_before = &stack->neighbour_evict_at[only_incomplete];

	if (instant_before(stack->now, *not_before))
		return false;
	for (uint32_t from = 0; (neighbour = pool_next_live(&stack->neighbours, from));
	     from = neighbour->head.slot + 1) {
		if (!oldest || instant_before(neighbour->updated, oldest->updated))
			oldest = neighbour;
		if (neighbour->state == NEIGHBOUR_INCOMPLETE &&
		    (!silent || instant_before(neighbour->updated, silent->updated)))
			silent = neighbour;
	}
	victim = silent && instant_reached(instant_add(silent->updated, YOUNG_TIME), stack->now) ? silent : oldest;
	if (only_incomplete)
		victim = silent;
	if (!victim)
		return false;
	if (!instant_reached(instant_add(victim->updated, YOUNG_TIME), stack->now)) {
		*not_before = instant_add(victim->updated, YOUNG_TIME);
		return false;
	}
	forget(stack, victim);
	return true;
}

static bool make_room(struct stack *stack, bool to_ask)
{
	uint32_t incomplete_max = (stack->neighbours.limit + 1) / 2;

	if (to_ask && stack->neighbours_incomplete >= incomplete_max)
		return evict(stack, true);
	return stack->neighbours.used < stack->neighbours.limit || evict(stack, false);
}

/* An entry without an address, yet; `to_ask`: because we want to send there. NULL: no room. */
static struct neighbour *create(struct stack *stack, const struct ip_addr *ip, bool to_ask)
{
	struct neighbour *neighbour = make_room(stack, to_ask) ? pool_get(&stack->neighbours) : NULL;
	uint32_t *bucket = bucket_of(stack, ip);

	if (!neighbour) {
		COUNT(stack, neighbours_refused);
		return NULL;
	}
	neighbour->ip = *ip;
	neighbour->state = NEIGHBOUR_INCOMPLETE;
	neighbour->updated = stack->now;
	neighbour->next_slot = *bucket;
	*bucket = neighbour->head.slot;
	count_state(stack, NEIGHBOUR_INCOMPLETE, 1);
	return neighbour;
}

/* ---- asking ------------------------------------------------------------------------------------------------------
 */

static void request(struct stack *stack, struct neighbour *neighbour)
{
	const struct mac_addr *mac = neighbour->state == NEIGHBOUR_INCOMPLETE ? NULL : &neighbour->mac;
	struct ip_addr source, next_hop;

	neighbour->tries++;
	wheel_set(&stack->neighbour_wheel, &neighbour->timer, instant_add(stack->now, interval_of(stack, neighbour)));
	if (!ip_route(stack, &neighbour->ip, &source, &next_hop))
		return;
	if (ip_addr_is_v4(&neighbour->ip))
		arp_request(stack, &source, &neighbour->ip, mac);
	else
		nd_solicit(stack, &source, &neighbour->ip, mac);
}

/* The entry for the next hop to `destination`, and remembered for the next packet. */
static struct neighbour *next_hop_of(struct stack *stack, const struct ip_addr *destination)
{
	struct ip_addr source, next_hop;
	struct neighbour *neighbour;

	if (stack->hop_neighbour && ip_addr_equal(&stack->hop_destination, destination))
		return stack->hop_neighbour;
	if (!ip_route(stack, destination, &source, &next_hop))
		return NULL;
	neighbour = neighbour_find(stack, &next_hop);
	if (!neighbour && (neighbour = create(stack, &next_hop, true)))
		request(stack, neighbour);
	stack->hop_neighbour = neighbour;
	stack->hop_destination = *destination;
	return neighbour;
}

bool neighbour_resolve(struct stack *stack, const struct ip_addr *destination, struct mac_addr *ret_mac)
{
	struct neighbour *neighbour = next_hop_of(stack, destination);

	if (!neighbour || neighbour->state == NEIGHBOUR_INCOMPLETE)
		return false;
	if (UNLIKELY(neighbour->state == NEIGHBOUR_STALE))
		set_state(stack, neighbour, NEIGHBOUR_DELAY, DELAY_TIME);
	*ret_mac = neighbour->mac;
	return true;
}

void neighbour_doubt(struct stack *stack, const struct ip_addr *destination)
{
	struct neighbour *neighbour = next_hop_of(stack, destination);

	if (!neighbour || neighbour->state == NEIGHBOUR_INCOMPLETE || neighbour->state == NEIGHBOUR_PROBE)
		return;
	set_state(stack, neighbour, NEIGHBOUR_PROBE, DELAY_TIME);
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

/* ---- hearing -----------------------------------------------------------------------------------------------------
 */

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

/* In their order, and before what has come up since. */
static void send_pending(struct stack *stack, struct neighbour *neighbour)
{
	for (int i = neighbour->pending_count - 1; i >= 0; i--) {
		struct raw_frame *frame = raw_front(stack);

		if (!frame)
			break;
		*frame = neighbour->pending[i];
		neighbour->pending[i].block = NULL; /* it is the frame's now */
	}
	drop_pending(stack, neighbour);
	wake_blocked(stack);
}

/* It has this MAC, and is REACHABLE or STALE. */
static void learn(struct stack *stack, struct neighbour *neighbour, const struct mac_addr *mac,
                  enum neighbour_state state)
{
	bool was_incomplete = neighbour->state == NEIGHBOUR_INCOMPLETE;

	neighbour->mac = *mac;
	neighbour->updated = stack->now;
	neighbour->tries = 0;
	set_state(stack, neighbour, state,
	          state == NEIGHBOUR_REACHABLE ? reachable_time(stack, neighbour) : STALE_TIME);
	if (state == NEIGHBOUR_REACHABLE)
		route6_router_answers(stack, &neighbour->ip, true);
	if (was_incomplete)
		send_pending(stack, neighbour);
}

void neighbour_heard(struct stack *stack, const struct ip_addr *ip, const struct mac_addr *mac, bool create_it)
{
	struct neighbour *neighbour = neighbour_find(stack, ip);

	if (!neighbour && create_it)
		neighbour = create(stack, ip, false);
	if (neighbour &&
	    (neighbour->state == NEIGHBOUR_INCOMPLETE || memcmp(&neighbour->mac, mac, sizeof(*mac)) != 0))
		learn(stack, neighbour, mac, NEIGHBOUR_STALE);
}

void neighbour_answered(struct stack *stack, struct neighbour *neighbour, const struct mac_addr *mac)
{
	learn(stack, neighbour, mac, NEIGHBOUR_REACHABLE);
}

bool neighbour_advertised(struct stack *stack, struct neighbour *neighbour, const struct mac_addr *mac,
                          bool solicited, bool override)
{
	bool differs = mac && memcmp(mac, &neighbour->mac, sizeof(*mac)) != 0;

	if (neighbour->state == NEIGHBOUR_INCOMPLETE) {
		if (mac)
			learn(stack, neighbour, mac, solicited ? NEIGHBOUR_REACHABLE : NEIGHBOUR_STALE);
		return mac != NULL;
	}
	if (differs && !override) {
		if (neighbour->state == NEIGHBOUR_REACHABLE)
			set_state(stack, neighbour, NEIGHBOUR_STALE, STALE_TIME);
		return false;
	}
	if (solicited)
		learn(stack, neighbour, differs ? mac : &neighbour->mac, NEIGHBOUR_REACHABLE);
	else if (differs)
		learn(stack, neighbour, mac, NEIGHBOUR_STALE);
	return true;
}

void neighbour_confirmed(struct stack *stack, const struct ip_addr *destination)
{
	struct ip_addr source, next_hop;
	struct neighbour *neighbour = NULL;

	if (stack->hop_neighbour && ip_addr_equal(&stack->hop_destination, destination))
		neighbour = stack->hop_neighbour;
	else if (ip_route(stack, destination, &source, &next_hop))
		neighbour = neighbour_find(stack, &next_hop);
	if (neighbour && (neighbour->state == NEIGHBOUR_DELAY || neighbour->state == NEIGHBOUR_PROBE))
		learn(stack, neighbour, &neighbour->mac, NEIGHBOUR_REACHABLE);
}

/* ---- time --------------------------------------------------------------------------------------------------------
 */

static void timer_fires(struct stack *stack, struct neighbour *neighbour)
{
	switch (neighbour->state) {
	case NEIGHBOUR_REACHABLE:
		set_state(stack, neighbour, NEIGHBOUR_STALE, STALE_TIME);
		return;
	case NEIGHBOUR_STALE:
		forget(stack, neighbour);
		return;
	case NEIGHBOUR_DELAY:
		set_state(stack, neighbour, NEIGHBOUR_PROBE, DELAY_TIME);
		request(stack, neighbour);
		return;
	default:
		if (neighbour->tries < REQUESTS_MAX) {
			request(stack, neighbour);
			return;
		}
		route6_router_answers(stack, &neighbour->ip, false);
		forget(stack, neighbour);
		return;
	}
}

void neighbour_timers(struct stack *stack, int *budget)
{
	struct timer *timer;

	while (*budget > 0 && (timer = wheel_pop(&stack->neighbour_wheel, stack->now))) {
		(*budget)--;
		timer_fires(stack, CONTAINER_OF(timer, struct neighbour, timer));
	}
}

void neighbour_clear(struct stack *stack)
{
	struct neighbour *neighbour;

	while ((neighbour = pool_next_live(&stack->neighbours, 0)))
		forget(stack, neighbour);
}

void stack_announce(struct stack *stack)
{
	for (uint32_t i = 0; i < stack->own_count; i++) {
		const struct own_address *own = &stack->own[i];

		if (ip_addr_is_v4(&own->ip))
			arp_announce(stack, &own->ip);
		else if (ip_is_local(stack, &own->ip))
			nd_announce(stack, own);
	}
	mld_changed(stack);
	route6_solicit(stack);
}

const char *stack_neighbour_state_name(unsigned state)
{
	static const char *const names[] = {
		[NEIGHBOUR_INCOMPLETE] = "incomplete", [NEIGHBOUR_REACHABLE] = "reachable",
		[NEIGHBOUR_STALE] = "stale",           [NEIGHBOUR_DELAY] = "delay",
		[NEIGHBOUR_PROBE] = "probe",
	};

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
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
			.state = neighbour->state,
			.resolved = neighbour->state != NEIGHBOUR_INCOMPLETE,
			.updated = neighbour->updated,
		};
	}
	return n;
}
