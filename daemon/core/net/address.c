/* Our own addresses: configured ones, the link-local one, and those that routers' prefixes make (RFC 4862); duplicate
 * address detection; which of them speaks to whom (RFC 6724). */
#include "core/tcp/engine.h"
#include "core/wire/ipv6.h"

#define PROBE_DELAY_MAX DURATION_S(1) /* RFC 4861 section 10, MAX_RTR_SOLICITATION_DELAY */
#define COLLISIONS_MAX 3              /* RFC 7217 section 6, IDGEN_RETRIES */
#define TWO_HOURS_S 7200u

static const struct ip_addr link_local_prefix = { { 0xfe, 0x80 } };

static bool is_valid(const struct own_address *address)
{
	return address->state == STACK_ADDRESS_PREFERRED || address->state == STACK_ADDRESS_DEPRECATED;
}

struct own_address *address_find(struct stack *stack, const struct ip_addr *ip)
{
	for (uint32_t i = 0; i < stack->own_count; i++) {
		if (ip_addr_equal(ip, &stack->own[i].ip))
			return &stack->own[i];
	}
	return NULL;
}

bool ip_is_local(const struct stack *stack, const struct ip_addr *ip)
{
	for (uint32_t i = 0; i < stack->own_count; i++) {
		if (ip_addr_equal(ip, &stack->own[i].ip))
			return is_valid(&stack->own[i]);
	}
	return false;
}

bool ip_is_own(const struct stack *stack, const struct ip_addr *ip)
{
	for (uint32_t i = 0; i < stack->own_count; i++) {
		if (ip_addr_equal(ip, &stack->own[i].ip))
			return true;
	}
	return false;
}

/* ---- making ---------------------------------------------------------------------------------------------------- */

/* RFC 5453: identifiers that mean something else: the subnet's routers, and reserved anycast addresses. */
static bool is_reserved_identifier(const uint8_t id[8])
{
	static const uint8_t zero[8], anycast[7] = { 0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	return memcmp(id, zero, 8) == 0 || (memcmp(id, anycast, 7) == 0 && id[7] >= 0x80);
}

static bool has_stable_secret(const struct stack *stack)
{
	static const uint8_t zero[sizeof(stack->config.stable_secret)];

	return memcmp(stack->config.stable_secret, zero, sizeof(zero)) != 0;
}

/* The lower half of an address: from a secret that outlives the stack (RFC 7217), so that it tells nothing and still
 * stays; without one from the MAC (RFC 4291 appendix A). */
static void make_identifier(const struct stack *stack, struct own_address *address)
{
	const struct mac_addr *mac = &stack->config.mac;
	uint8_t *id = address->ip.b + 8;

	if (!has_stable_secret(stack)) {
		memcpy(id, mac->b, 3);
		memcpy(id + 5, mac->b + 3, 3);
		id[0] ^= 2;
		id[3] = 0xff;
		id[4] = 0xfe;
		return;
	}
	do {
		struct hash_key key;
		uint8_t seed[8 + 6 + 1];
		uint64_t hash;

		memcpy(key.b, stack->config.stable_secret, sizeof(key.b));
		memcpy(seed, address->ip.b, 8);
		memcpy(seed + 8, mac->b, 6);
		seed[14] = address->collisions;
		hash = keyed_hash(&key, seed, sizeof(seed));
		for (int i = 0; i < 8; i++)
			id[i] = (uint8_t)(hash >> 8 * i);
		if (is_reserved_identifier(id))
			address->collisions++;
	} while (is_reserved_identifier(id));
}

/* RFC 4862 section 5.4.2: the first question waits a little, so that not all hosts of a link ask at once after it
 * came up. */
static void begin_detection(struct stack *stack, struct own_address *address)
{
	uint64_t nonce = random_u64(&stack->random);

	address->state = STACK_ADDRESS_TENTATIVE;
	address->probes_left = stack->config.dad_transmits;
	address->due = instant_add(stack->now,
	                           (struct duration){ random_below(&stack->random, (uint32_t)PROBE_DELAY_MAX.ns) });
	memcpy(address->nonce, &nonce, sizeof(address->nonce));
	if (stack->config.dad_transmits == 0) {
		address->state = STACK_ADDRESS_PREFERRED;
		address->due = INSTANT_NEVER;
	}
	net6_wake_at(stack, address->due);
	mld_changed(stack);
}

static struct own_address *add(struct stack *stack, const struct ip_addr *ip, uint8_t prefix_bits,
                               enum stack_address_origin origin)
{
	struct own_address *address;

	if (stack->own_count == OWN_ADDRESSES_MAX)
		return NULL;
	address = &stack->own[stack->own_count++];
	*address = (struct own_address){
		.ip = *ip,
		.prefix_bits = prefix_bits,
		.state = STACK_ADDRESS_PREFERRED,
		.origin = (uint8_t)origin,
		.due = INSTANT_NEVER,
		.preferred_until = INSTANT_NEVER,
		.valid_until = INSTANT_NEVER,
	};
	return address;
}

void address_init(struct stack *stack)
{
	const struct stack_config *config = &stack->config;
	bool has_link_local = false;

	for (uint32_t i = 0; i < config->address_count; i++) {
		const struct stack_address *own = &config->address[i];
		struct own_address *address = add(stack, &own->ip, own->prefix_bits, STACK_ADDRESS_CONFIGURED);

		if (ip_addr_is_v4(&own->ip))
			continue;
		has_link_local |= ipv6_is_link_local(&own->ip);
		begin_detection(stack, address);
	}
	if (stack->net6.enabled && !has_link_local) {
		struct own_address *address = add(stack, &link_local_prefix, 64, STACK_ADDRESS_LINK_LOCAL);

		make_identifier(stack, address);
		begin_detection(stack, address);
	}
}

static void remove_address(struct stack *stack, struct own_address *address)
{
	*address = stack->own[--stack->own_count];
	neighbour_routes_changed(stack);
	mld_changed(stack);
}

/* ---- prefixes that routers advertise
 * -------------------------------------------------------------------------------
 */

static struct instant lifetime_end(const struct stack *stack, uint32_t seconds)
{
	return seconds == UINT32_MAX ? INSTANT_NEVER : instant_add(stack->now, DURATION_S(seconds));
}

static struct own_address *find_autonomous(struct stack *stack, const struct nd_prefix *prefix)
{
	for (uint32_t i = 0; i < stack->own_count; i++) {
		struct own_address *address = &stack->own[i];

		if (address->origin == STACK_ADDRESS_AUTONOMOUS &&
		    ip_addr_match(&address->ip, &prefix->prefix, prefix->bits))
			return address;
	}
	return NULL;
}

/* RFC 4862 section 5.5.3(e): nobody can make an address vanish at once by one forged advertisement. */
static void renew(struct stack *stack, struct own_address *address, const struct nd_prefix *prefix)
{
	struct instant two_hours = instant_add(stack->now, DURATION_S(TWO_HOURS_S));
	struct instant end = lifetime_end(stack, prefix->valid_s);

	if (prefix->valid_s > TWO_HOURS_S || instant_before(address->valid_until, end))
		address->valid_until = end;
	else if (instant_before(two_hours, address->valid_until))
		address->valid_until = two_hours;
	address->preferred_until = instant_min(lifetime_end(stack, prefix->preferred_s), address->valid_until);
	if (address->state == STACK_ADDRESS_DEPRECATED && instant_before(stack->now, address->preferred_until))
		address->state = STACK_ADDRESS_PREFERRED;
	net6_wake_at(stack, address->preferred_until);
	net6_wake_at(stack, address->valid_until);
}

void address_autonomous(struct stack *stack, const struct nd_prefix *prefix)
{
	struct own_address *address;

	/* The identifier has 64 bits (RFC 2464 section 4), so the prefix must have the other 64. */
	if (prefix->preferred_s > prefix->valid_s || prefix->bits != 64)
		return;
	address = find_autonomous(stack, prefix);
	if (address) {
		renew(stack, address, prefix);
		return;
	}
	if (prefix->valid_s == 0)
		return;
	address = add(stack, &prefix->prefix, 64, STACK_ADDRESS_AUTONOMOUS);
	if (!address)
		return;
	make_identifier(stack, address);
	if (address_find(stack, &address->ip) != address) { /* configured by hand, too */
		stack->own_count--;
		return;
	}
	address->valid_until = lifetime_end(stack, prefix->valid_s);
	address->preferred_until = lifetime_end(stack, prefix->preferred_s);
	net6_wake_at(stack, address->preferred_until);
	begin_detection(stack, address);
}

/* ---- duplicate address detection ---------------------------------------------------------------------------------
 */

void address_is_duplicate(struct stack *stack, struct own_address *address)
{
	bool another = has_stable_secret(stack); /* from the MAC there is only one */

	COUNT(stack, duplicate_addresses);
	address->due = INSTANT_NEVER;
	if (address->origin != STACK_ADDRESS_CONFIGURED && another && address->collisions < COLLISIONS_MAX) {
		address->collisions++;
		make_identifier(stack, address);
		begin_detection(stack, address);
		return;
	}
	address->state = STACK_ADDRESS_DUPLICATE;
	mld_changed(stack);
}

static void detection_step(struct stack *stack, struct own_address *address)
{
	if (address->probes_left > 0) {
		address->probes_left--;
		nd_probe_own(stack, address);
		address->due = instant_add(stack->now, stack->net6.retransmit);
		return;
	}
	address->due = INSTANT_NEVER;
	address->state = instant_reached(address->preferred_until, stack->now) ? STACK_ADDRESS_DEPRECATED
	                                                                       : STACK_ADDRESS_PREFERRED;
	neighbour_routes_changed(stack);
	if (ipv6_is_link_local(&address->ip)) /* our groups were told from nowhere: RFC 3590 section 4 */
		mld_changed(stack);
}

void address_timers(struct stack *stack)
{
	for (uint32_t i = stack->own_count; i-- > 0;) {
		struct own_address *address = &stack->own[i];

		if (instant_reached(address->valid_until, stack->now)) {
			remove_address(stack, address); /* the last one takes its place, and has had its turn */
			continue;
		}
		if (instant_reached(address->due, stack->now))
			detection_step(stack, address);
		if (address->state == STACK_ADDRESS_PREFERRED &&
		    instant_reached(address->preferred_until, stack->now))
			address->state = STACK_ADDRESS_DEPRECATED;
	}
}

struct instant address_due(const struct stack *stack)
{
	struct instant due = INSTANT_NEVER;

	for (uint32_t i = 0; i < stack->own_count; i++) {
		const struct own_address *address = &stack->own[i];

		due = instant_min(due, instant_min(address->due, address->valid_until));
		if (address->state == STACK_ADDRESS_PREFERRED)
			due = instant_min(due, address->preferred_until);
	}
	return due;
}

/* ---- groups -------------------------------------------------------------------------------------------------------
 */

bool address_hears_mac(const struct stack *stack, const struct mac_addr *mac)
{
	static const uint8_t all_nodes[6] = { 0x33, 0x33, 0, 0, 0, 1 };

	if (!stack->net6.enabled || mac->b[0] != 0x33 || mac->b[1] != 0x33)
		return false;
	if (memcmp(mac->b, all_nodes, 6) == 0)
		return true;
	for (uint32_t i = 0; i < stack->own_count && mac->b[2] == 0xff; i++) {
		if (!ip_addr_is_v4(&stack->own[i].ip) && memcmp(mac->b + 3, stack->own[i].ip.b + 13, 3) == 0)
			return true;
	}
	return false;
}

bool address_hears_group(const struct stack *stack, const struct ip_addr *group)
{
	if (ip_addr_equal(group, &IPV6_ALL_NODES))
		return true;
	for (uint32_t i = 0; i < stack->own_count; i++) {
		struct ip_addr solicited = ipv6_solicited_node(&stack->own[i].ip);

		if (!ip_addr_is_v4(&stack->own[i].ip) && ip_addr_equal(group, &solicited))
			return true;
	}
	return false;
}

/* ---- source addresses
 * -----------------------------------------------------------------------------------------------
 */

/* RFC 6724 section 5, the rules that tell addresses of one interface without a home apart: is `a` better than `b`? */
static bool is_better_source(const struct own_address *a, const struct own_address *b,
                             const struct ip_addr *destination)
{
	bool near = ipv6_is_link_local(destination) || ipv6_is_multicast(destination);
	bool a_near = ipv6_is_link_local(&a->ip), b_near = ipv6_is_link_local(&b->ip);
	uint32_t a_bits = ip_addr_common_bits(&a->ip, destination), b_bits;

	if (a_near != b_near) /* rule 2: of the destination's scope */
		return a_near == near;
	if (a->state != b->state) /* rule 3 */
		return a->state == STACK_ADDRESS_PREFERRED;
	/* Rule 8; beyond the prefix the bits mean nothing. */
	b_bits = ip_addr_common_bits(&b->ip, destination);
	a_bits = a_bits < a->prefix_bits ? a_bits : a->prefix_bits;
	b_bits = b_bits < b->prefix_bits ? b_bits : b->prefix_bits;
	return a_bits > b_bits;
}

const struct own_address *address_for(const struct stack *stack, const struct ip_addr *destination)
{
	const struct own_address *best = NULL;

	for (uint32_t i = 0; i < stack->own_count; i++) {
		const struct own_address *own = &stack->own[i];

		if (ip_addr_is_v4(&own->ip) || !is_valid(own))
			continue;
		if (!best || is_better_source(own, best, destination))
			best = own;
	}
	return best;
}

/* ---- looking in ---------------------------------------------------------------------------------------------------
 */

const char *stack_address_state_name(unsigned state)
{
	static const char *const names[] = {
		[STACK_ADDRESS_TENTATIVE] = "tentative",
		[STACK_ADDRESS_PREFERRED] = "preferred",
		[STACK_ADDRESS_DEPRECATED] = "deprecated",
		[STACK_ADDRESS_DUPLICATE] = "duplicate",
	};

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

const char *stack_address_origin_name(unsigned origin)
{
	static const char *const names[] = {
		[STACK_ADDRESS_CONFIGURED] = "configured",
		[STACK_ADDRESS_LINK_LOCAL] = "link-local",
		[STACK_ADDRESS_AUTONOMOUS] = "autonomous",
	};

	return origin < sizeof(names) / sizeof(names[0]) ? names[origin] : "?";
}

size_t stack_addresses(const struct stack *stack, struct stack_address_info *ret_infos, size_t count)
{
	size_t n = 0;

	for (uint32_t i = 0; i < stack->own_count && n < count; i++) {
		const struct own_address *own = &stack->own[i];

		ret_infos[n++] = (struct stack_address_info){
			.address = { own->ip, own->prefix_bits },
			.state = own->state,
			.origin = own->origin,
			.preferred_until = own->preferred_until,
			.valid_until = own->valid_until,
		};
	}
	return n;
}
