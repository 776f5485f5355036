/* Where IPv6 packets go: prefixes of the link and default routers, from the configuration and from router
 * advertisements (RFC 4861 section 6.3, RFC 4191), and the timers of IPv6 as a whole. */
#include "core/tcp/engine.h"
#include "core/wire/ipv6.h"

#define SOLICITATIONS_MAX 3
#define SOLICITATION_INTERVAL DURATION_S(4)
#define SOLICITATION_DELAY_MAX DURATION_S(1)
#define REACHABLE_TIME DURATION_S(30)
#define RETRANSMIT_TIME DURATION_S(1)
/* What an advertisement may set the two times above to: neither storms nor sleep. */
#define REACHABLE_TIME_LEAST DURATION_S(1)
#define REACHABLE_TIME_MOST DURATION_S(3600)
#define RETRANSMIT_TIME_LEAST DURATION_MS(100)
#define RETRANSMIT_TIME_MOST DURATION_S(10)

void net6_init(struct stack *stack)
{
	const struct stack_config *config = &stack->config;
	struct net6 *net = &stack->net6;

	*net = (struct net6){
		.enabled = config->accept_ra,
		.mtu_bytes = config->mtu_bytes,
		.reachable = REACHABLE_TIME,
		.retransmit = RETRANSMIT_TIME,
		.due = INSTANT_NEVER,
		.solicit_due = INSTANT_NEVER,
		.report_due = INSTANT_NEVER,
		.answer_due = INSTANT_NEVER,
		.flow_label_key = derive_key(config->secret, 8),
	};
	for (uint32_t i = 0; i < config->address_count; i++)
		net->enabled |= !ip_addr_is_v4(&config->address[i].ip);
	address_init(stack);
	route6_solicit(stack);
}

/* ---- timers ------------------------------------------------------------------------------------------------------
 */

void net6_wake_at(struct stack *stack, struct instant due)
{
	stack->net6.due = instant_min(stack->net6.due, due);
}

static struct instant route_due(const struct stack *stack)
{
	const struct net6 *net = &stack->net6;
	struct instant due = net->solicit_due;

	for (uint32_t i = 0; i < net->prefix_count; i++)
		due = instant_min(due, net->prefix[i].until);
	for (uint32_t i = 0; i < net->router_count; i++)
		due = instant_min(due, net->router[i].until);
	return due;
}

static void remove_router(struct stack *stack, struct default_router *router)
{
	*router = stack->net6.router[--stack->net6.router_count];
	neighbour_routes_changed(stack);
}

static void route_timers(struct stack *stack)
{
	struct net6 *net = &stack->net6;

	for (uint32_t i = net->prefix_count; i-- > 0;) {
		if (instant_reached(net->prefix[i].until, stack->now)) {
			net->prefix[i] = net->prefix[--net->prefix_count];
			neighbour_routes_changed(stack);
		}
	}
	for (uint32_t i = net->router_count; i-- > 0;) {
		if (instant_reached(net->router[i].until, stack->now))
			remove_router(stack, &net->router[i]);
	}
	if (!instant_reached(net->solicit_due, stack->now))
		return;
	net->solicitations_left--;
	nd_solicit_routers(stack);
	net->solicit_due =
	        net->solicitations_left > 0 ? instant_add(stack->now, SOLICITATION_INTERVAL) : INSTANT_NEVER;
}

void net6_timers(struct stack *stack)
{
	struct net6 *net = &stack->net6;

	if (!instant_reached(net->due, stack->now))
		return;
	address_timers(stack);
	route_timers(stack);
	mld_timers(stack);
	net->due = instant_min(instant_min(address_due(stack), route_due(stack)), mld_due(stack));
}

struct instant net6_deadline(const struct stack *stack)
{
	return stack->net6.due;
}

void route6_solicit(struct stack *stack)
{
	struct net6 *net = &stack->net6;

	if (!stack->config.accept_ra)
		return;
	net->solicitations_left = SOLICITATIONS_MAX;
	net->solicit_due = instant_add(
	        stack->now, (struct duration){ random_below(&stack->random, (uint32_t)SOLICITATION_DELAY_MAX.ns) });
	net6_wake_at(stack, net->solicit_due);
}

/* ---- routes ------------------------------------------------------------------------------------------------------
 */

bool route6_is_on_link(const struct stack *stack, const struct ip_addr *ip)
{
	const struct net6 *net = &stack->net6;

	if (ipv6_is_link_local(ip))
		return true;
	for (uint32_t i = 0; i < stack->config.address_count; i++) {
		const struct stack_address *own = &stack->config.address[i];

		if (!ip_addr_is_v4(&own->ip) && ip_addr_match(ip, &own->ip, own->prefix_bits))
			return true;
	}
	for (uint32_t i = 0; i < net->prefix_count; i++) {
		if (ip_addr_match(ip, &net->prefix[i].prefix, net->prefix[i].bits))
			return true;
	}
	return false;
}

/* RFC 4191 section 3.2 and RFC 4861 section 6.3.6: the preferred one of those that answer; when none does, the first,
 * which route6_router_answers puts behind the others when it fails. */
static const struct default_router *choose_router(const struct net6 *net)
{
	const struct default_router *best = NULL;

	for (uint32_t i = 0; i < net->router_count; i++) {
		const struct default_router *router = &net->router[i];

		if (!best || (best->failed && !router->failed) ||
		    (best->failed == router->failed && router->preference > best->preference && !router->failed))
			best = router;
	}
	return best;
}

bool route6_next_hop(const struct stack *stack, const struct ip_addr *destination, struct ip_addr *ret_next_hop)
{
	const struct default_router *router;

	if (route6_is_on_link(stack, destination)) {
		*ret_next_hop = *destination;
		return true;
	}
	if (!ip_addr_is_any(&stack->config.gateway6)) {
		*ret_next_hop = stack->config.gateway6;
		return true;
	}
	router = choose_router(&stack->net6);
	if (!router)
		return false;
	*ret_next_hop = router->ip;
	return true;
}

static struct default_router *find_router(struct stack *stack, const struct ip_addr *ip)
{
	for (uint32_t i = 0; i < stack->net6.router_count; i++) {
		if (ip_addr_equal(&stack->net6.router[i].ip, ip))
			return &stack->net6.router[i];
	}
	return NULL;
}

void route6_router_answers(struct stack *stack, const struct ip_addr *ip, bool answers)
{
	struct default_router *router = find_router(stack, ip), *last;
	struct default_router failed;

	if (!router || (answers && !router->failed))
		return;
	router->failed = !answers;
	neighbour_routes_changed(stack);
	if (answers)
		return;
	failed = *router;
	last = &stack->net6.router[stack->net6.router_count - 1];
	for (; router < last; router++)
		*router = router[1];
	*last = failed;
}

void route6_forget_router(struct stack *stack, const struct ip_addr *ip)
{
	struct default_router *router = find_router(stack, ip);

	if (router)
		remove_router(stack, router);
}

/* ---- router advertisements ---------------------------------------------------------------------------------------
 */

/* As many as there is room for; those that came first stay. */
static void update_router(struct stack *stack, const struct ip_addr *ip, const struct nd_message *message)
{
	struct default_router *router = find_router(stack, ip);

	if (message->lifetime_s == 0) {
		if (router)
			remove_router(stack, router);
		return;
	}
	if (!router) {
		if (stack->net6.router_count == DEFAULT_ROUTERS_MAX)
			return;
		router = &stack->net6.router[stack->net6.router_count++];
		*router = (struct default_router){ .ip = *ip };
	}
	if (router->preference != message->preference || router->failed || router->until.ns == 0)
		neighbour_routes_changed(stack);
	router->preference = message->preference;
	router->failed = false; /* it is there, it says; if it does not answer that will be seen again */
	router->until = instant_add(stack->now, DURATION_S(message->lifetime_s));
	net6_wake_at(stack, router->until);
}

static void update_prefix(struct stack *stack, const struct nd_prefix *advertised)
{
	struct net6 *net = &stack->net6;
	struct on_link_prefix *prefix = NULL;

	for (uint32_t i = 0; i < net->prefix_count; i++) {
		if (net->prefix[i].bits == advertised->bits &&
		    ip_addr_equal(&net->prefix[i].prefix, &advertised->prefix))
			prefix = &net->prefix[i];
	}
	if (!prefix) {
		if (advertised->valid_s == 0 || net->prefix_count == ON_LINK_PREFIXES_MAX)
			return;
		prefix = &net->prefix[net->prefix_count++];
		prefix->prefix = advertised->prefix;
		prefix->bits = advertised->bits;
		neighbour_routes_changed(stack);
	}
	prefix->until = advertised->valid_s == UINT32_MAX ? INSTANT_NEVER
	                                                  : instant_add(stack->now, DURATION_S(advertised->valid_s));
	net6_wake_at(stack, prefix->until);
}

/* What no router may say is on this link: everything, groups, link-local addresses (which are always), IPv4. */
static bool is_sensible_prefix(const struct nd_prefix *prefix)
{
	return prefix->bits >= 3 && !ipv6_is_multicast(&prefix->prefix) && !ipv6_is_link_local(&prefix->prefix) &&
	       !ip_addr_is_v4(&prefix->prefix) && prefix->prefix.b[0] != 0;
}

static struct duration clamp_ms(uint32_t ms, struct duration least, struct duration most)
{
	return duration_max(least, duration_min(most, DURATION_MS(ms)));
}

void route6_advertised(struct stack *stack, const struct ip_addr *source, const struct nd_message *message)
{
	struct net6 *net = &stack->net6;

	if (message->lifetime_s > 0) { /* section 6.3.7: who is no default router may have been the first to answer */
		net->solicitations_left = 0;
		net->solicit_due = INSTANT_NEVER;
	}
	if (message->options.has_source_mac)
		neighbour_heard(stack, source, &message->options.source_mac, true);
	update_router(stack, source, message);
	/* Only ever upwards of what is configured: a forged low one would let packets die on the way (CVE-2015-2922).
	 */
	if (message->hop_limit > stack->config.tcp.ttl)
		net->hop_limit = message->hop_limit;
	if (message->reachable_ms > 0)
		net->reachable = clamp_ms(message->reachable_ms, REACHABLE_TIME_LEAST, REACHABLE_TIME_MOST);
	if (message->retransmit_ms > 0)
		net->retransmit = clamp_ms(message->retransmit_ms, RETRANSMIT_TIME_LEAST, RETRANSMIT_TIME_MOST);
	if (message->options.mtu_bytes >= IPV6_MTU_LEAST && message->options.mtu_bytes <= stack->config.mtu_bytes)
		net->mtu_bytes = message->options.mtu_bytes;
	for (uint32_t i = 0; i < message->options.prefix_count; i++) {
		const struct nd_prefix *prefix = &message->options.prefix[i];

		if (!is_sensible_prefix(prefix))
			continue;
		if (prefix->on_link)
			update_prefix(stack, prefix);
		if (prefix->autonomous)
			address_autonomous(stack, prefix);
	}
}

size_t stack_routers(const struct stack *stack, struct stack_router_info *ret_infos, size_t count)
{
	const struct stack_config *config = &stack->config;
	size_t n = 0;

	if (!ip_addr_is_any(&config->gateway) && n < count)
		ret_infos[n++] = (struct stack_router_info){ .ip = config->gateway, .until = INSTANT_NEVER };
	if (!ip_addr_is_any(&config->gateway6) && n < count)
		ret_infos[n++] = (struct stack_router_info){ .ip = config->gateway6, .until = INSTANT_NEVER };
	for (uint32_t i = 0; i < stack->net6.router_count && n < count; i++) {
		const struct default_router *router = &stack->net6.router[i];

		ret_infos[n++] = (struct stack_router_info){
			.ip = router->ip,
			.advertised = true,
			.failed = router->failed,
			.preference = router->preference,
			.until = router->until,
		};
	}
	return n;
}
