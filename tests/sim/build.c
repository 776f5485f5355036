/* What a world is made of, drawn from its seed. */
#include "core/base/random.h"
#include "world.h"

#include <stdlib.h>

/* ---- hosts -------------------------------------------------------------------------------------------------------
 */

/* Which side of a dumbbell a host is on. */
static unsigned side_of(const struct world *world, uint32_t index)
{
	return world->dumbbell ? index % 2 : 0;
}

/* Number `number` of 192.0.2.0/24 and 2001:db8:0:1::/64; the other side of a dumbbell is 198.51.100.0/24 and
 * 2001:db8:0:2::/64. */
static struct ip_addr address(unsigned side, uint8_t number, bool ipv6)
{
	struct ip_addr v6 = { { 0x20, 1, 0x0d, 0xb8, [7] = (uint8_t)(1 + side), [15] = number } };

	return ipv6 ? v6 : ip_addr_v4((side == 1 ? 0xc6336400 : 0xc0000200) + number);
}

struct ip_addr world_address(const struct world *world, uint32_t index, bool ipv6)
{
	return address(side_of(world, index), (uint8_t)(10 + index), ipv6);
}

/* What is not drawn stays at its default, which is why each has its own chance: many changes at once hide each other.
 */
static void draw_mechanisms(struct sim *sim, struct stack_tcp_config *tcp)
{
	tcp->timestamps = sim_chance(sim, 600000);
	tcp->sack = sim_chance(sim, 700000);
	tcp->window_scaling = sim_chance(sim, 700000);
	if (sim_chance(sim, 200000))
		tcp->window_scale = (uint8_t)PICK(sim, 0, 3, 14);
	tcp->ecn = PICK(sim, STACK_ECN_OFF, STACK_ECN_ACCEPT, STACK_ECN_REQUEST, STACK_ECN_REQUEST);
	tcp->accecn = sim_chance(sim, 500000);
	tcp->fastopen_client = sim_chance(sim, 500000);
	tcp->fastopen_server = sim_chance(sim, 600000);
	tcp->rack = sim_chance(sim, 800000);
	tcp->tail_loss_probe = sim_chance(sim, 800000);
	tcp->prr = sim_chance(sim, 800000);
	tcp->frto = sim_chance(sim, 800000);
	tcp->undo = sim_chance(sim, 800000);
	tcp->cwnd_validation = sim_chance(sim, 800000);
	tcp->idle_restart = sim_chance(sim, 800000);
	tcp->rcvbuf_autotune = sim_chance(sim, 800000);
	tcp->sndbuf_autotune = sim_chance(sim, 800000);
	if (sim_chance(sim, 200000))
		tcp->pacing_max_bytes_per_s = PICK(sim, 10000, 1000000, 100000000);
	tcp->path_mtu = PICK(sim, STACK_PATH_MTU_OFF, STACK_PATH_MTU_ICMP, STACK_PATH_MTU_FALLBACK,
	                     STACK_PATH_MTU_FALLBACK, STACK_PATH_MTU_PROBE);
	tcp->icmp_policy = PICK(sim, STACK_ICMP_IGNORE, STACK_ICMP_SOFT, STACK_ICMP_STRICT);
	tcp->dscp = (uint8_t)PICK(sim, 0, 10, 46);
	tcp->ttl = (uint8_t)PICK(sim, 3, 64, 255); /* a dumbbell takes two hops */
}

static void draw_limits(struct sim *sim, struct stack_tcp_config *tcp)
{
	if (sim_chance(sim, 100000))
		tcp->linger = DURATION_MS(PICK(sim, 0, 10, 1000));
	if (sim_chance(sim, 100000))
		tcp->orphan_timeout = DURATION_MS(PICK(sim, 100, 5000));
	if (sim_chance(sim, 100000))
		tcp->user_timeout = DURATION_S(PICK(sim, 1, 20, 200));
	tcp->user_timeout_option = sim_chance(sim, 200000);
	tcp->keepalive = sim_chance(sim, 200000);
	tcp->keepalive_garbage = sim_chance(sim, 500000);
	tcp->keepalive_count = PICK(sim, 1, 3, 9);
	tcp->keepalive_idle = DURATION_MS(PICK(sim, 500, 10000, 7200000));
	tcp->keepalive_interval = DURATION_MS(PICK(sim, 300, 1000, 75000));
	tcp->r1_retransmits = PICK(sim, 1, 3);
	if (sim_chance(sim, 100000))
		tcp->syn_retries_max = PICK(sim, 1, 6);
	if (sim_chance(sim, 100000))
		tcp->syn_ack_retries_max = PICK(sim, 1, 5);
	if (sim_chance(sim, 100000))
		tcp->orphans_max = PICK(sim, 1, 3);
	if (sim_chance(sim, 100000))
		tcp->time_wait = DURATION_MS(PICK(sim, 1, 1000));
}

void world_draw_tcp(struct sim *sim, struct stack_tcp_config *tcp)
{
	tcp->msl = (struct duration){ (int64_t)PICK(sim, 10, 1000, 30000) * 1000000 };
	tcp->rto_initial = (struct duration){ (int64_t)PICK(sim, 200, 1000) * 1000000 };
	tcp->delayed_ack = (struct duration){ (int64_t)PICK(sim, 1, 40, 200) * 1000000 };
	tcp->syn_timeout = DURATION_S(PICK(sim, 3, 190, 190));
	tcp->half_open_timeout = DURATION_S(PICK(sim, 2, 60, 60));
	tcp->retransmit_timeout = DURATION_S(PICK(sim, 5, 900, 900, 900));
	tcp->fin_wait_2_timeout = DURATION_S(PICK(sim, 1, 60));
	tcp->initial_window_segments = PICK(sim, 1, 2, 4, 10);
	tcp->rcvbuf_initial_bytes = PICK(sim, 2048, 4096, 16384, 65535, 262144);
	tcp->rcvbuf_max_bytes = tcp->rcvbuf_initial_bytes * PICK(sim, 1, 4, 64);
	tcp->sndbuf_initial_bytes = PICK(sim, 2048, 4096, 16384, 65535, 262144);
	tcp->sndbuf_max_bytes = tcp->sndbuf_initial_bytes * PICK(sim, 1, 4, 64);
	tcp->mss_max_bytes = PICK(sim, 0, 0, 0, 48, 536, 1460);
	tcp->syn_cookies = sim_chance(sim, 600000);
	tcp->challenge_acks_per_s = PICK(sim, 1, 10, 255);
	draw_mechanisms(sim, tcp);
	draw_limits(sim, tcp);
	WATCH_CHECK(stack_tcp_config_valid(tcp));
}

static struct mac_addr host_mac(uint32_t index)
{
	return (struct mac_addr){ { 2, 0, 0, 0, 0, (uint8_t)(10 + index) } };
}

static void configure(struct world *world, uint32_t index, struct stack_config *config)
{
	struct sim *sim = &world->sim;

	stack_config_init(config);
	test_random_fill(&sim->random, config->secret, sizeof(config->secret));
	config->mac = host_mac(index);
	config->address[0] = (struct stack_address){ world_address(world, index, false), 120 };
	config->address[1] = (struct stack_address){ world_address(world, index, true), 64 };
	config->address_count = world->ipv6 ? 2 : 1;
	if (world->dumbbell)
		config->gateway = address(side_of(world, index), 1, false);
	if (world->dumbbell && world->ipv6)
		config->gateway6 = address(side_of(world, index), 1, true);
	config->dad_transmits = (uint8_t)PICK(sim, 0, 0, 1, 2);
	config->mtu_bytes = world->ipv6 ? PICK(sim, 1280, 1500, 1500, 1500, 9000, 65535)
	                                : PICK(sim, 576, 1500, 1500, 1500, 9000, 65535);
	config->checksum_offload = sim_chance(sim, 500000);
	if (config->checksum_offload)
		config->gso_bytes_max = PICK(sim, 0, 16384, 65536);
	config->connections_max = PICK(sim, 2, 8, 1000);
	config->half_open_max = PICK(sim, 1, 4, 1000);
	config->time_wait_max = PICK(sim, 1, 4, 1000);
	config->listeners_max = 4;
	config->neighbours_max = PICK(sim, 1, 2, 100);
	config->paths_max = PICK(sim, 1, 2, 100);
	config->buffers_max_bytes = PICK(sim, 16 * 16384, 64 * 16384, 1024 * 16384);
	world_draw_tcp(sim, &config->tcp);
}

/* A clock at which the ISN of the connection between two known ports is a little below 2^32. */
static int64_t clock_before_wrap(struct sim *sim, const struct stack_config *config, const struct flow *flow)
{
	struct hash_key key = derive_key(config->secret, 2); /* as the stack makes it */
	uint32_t hash = (uint32_t)keyed_hash(&key, flow, sizeof(*flow));
	uint32_t wanted = 0u - sim_between(sim, 1, 60000);

	return (int64_t)(wanted - hash) * 4000;
}

#define WRAP_PORT 5000

static struct flow wrap_flow(const struct world *world, uint32_t local, uint32_t remote)
{
	struct flow flow = { .local = world_address(world, local, world->ipv6),
		             .remote = world_address(world, remote, world->ipv6) };

	flow.local_port = local == 0 ? WRAP_PORT : WORLD_PORT;
	flow.remote_port = local == 0 ? WORLD_PORT : WRAP_PORT;
	return flow;
}

/* ---- ways --------------------------------------------------------------------------------------------------------
 */

static struct impair_element *draw_line(struct sim *sim, struct impair_element *next)
{
	struct impair_line_options options = {
		.bytes_per_s = PICK(sim, 20000, 125000, 1250000, 125000000),
		.queue_bytes = PICK(sim, 5000, 64000, 1000000),
		.discipline = PICK(sim, IMPAIR_DROP_TAIL, IMPAIR_DROP_TAIL, IMPAIR_CODEL, IMPAIR_STEP),
		.ecn = sim_chance(sim, 500000),
	};

	if (sim_chance(sim, 200000))
		options.queue_packets = PICK(sim, 1, 5, 50);
	return network_line(sim, next, options);
}

/* What does harm on a way. */
static struct impair_element *draw_harm(struct sim *sim, struct impair_element *way)
{
	if (sim_chance(sim, 400000))
		way = network_corrupt(sim, way, PICK(sim, 1000, 20000, 100000));
	if (sim_chance(sim, 400000))
		way = network_duplicate(sim, way, PICK(sim, 1000, 20000, 200000));
	if (sim_chance(sim, 300000))
		way = network_reorder(
		        sim, way,
		        (struct impair_reorder_options){ .per_million = PICK(sim, 1000, 10000, 100000, 300000),
		                                         .hold_max = DURATION_MS(PICK(sim, 1, 10, 100)) });
	if (sim_chance(sim, 150000))
		way = network_outage(sim, way,
		                     (struct impair_outage_options){ .up_min = DURATION_MS(10),
		                                                     .up_max = DURATION_S(PICK(sim, 1, 10)),
		                                                     .down_min = DURATION_MS(1),
		                                                     .down_max = DURATION_S(PICK(sim, 1, 5)) });
	if (sim_chance(sim, 700000))
		way = network_loss(sim, way, PICK(sim, 1000, 10000, 50000, 200000), PICK(sim, 1, 1, 3, 30));
	return way;
}

static struct impair_element *draw_delay(struct sim *sim, struct impair_element *next, bool pristine)
{
	struct impair_delay_options options = {
		.delay = sim_duration(sim, DURATION_US(1), DURATION_MS(PICK(sim, 1, 10, 100, 300))),
		.jitter = sim_duration(sim, DURATION_S(0), DURATION_MS(PICK(sim, 1, 10, 50))),
	};

	options.reorders = !pristine && sim_chance(sim, 500000);
	return network_delay(sim, next, options);
}

/* Not below what every path of that protocol must carry (RFC 8200 section 5). */
static struct impair_element *draw_mtu(struct world *world, struct impair_element *next, struct impair_element *back)
{
	struct sim *sim = &world->sim;
	struct network_mtu_options options = {
		.mtu = world->ipv6 ? PICK(sim, 1280, 1300, 1400) : PICK(sim, 576, 600, 1000, 1400),
		.later_mtu = world->ipv6 ? PICK(sim, 1280, 1400, 9000) : PICK(sim, 576, 1000, 1280, 9000),
		.later = INSTANT_NEVER,
		.silent = sim_chance(sim, 200000),
		.no_size = sim_chance(sim, 200000) && !world->ipv6, /* there it was never left out */
	};

	if (sim_chance(sim, 300000))
		options.later = instant_add(INSTANT_ZERO, sim_duration(sim, DURATION_S(0), DURATION_S(10)));
	return network_mtu(sim, next, back, options);
}

/* A box between a host and its network, whose *out and *in ways it becomes part of. */
static void draw_middlebox(struct world *world, struct host *host, struct impair_element **out,
                           struct impair_element **in)
{
	struct sim *sim = &world->sim;
	struct middlebox_options options = { .mss = (uint16_t)PICK(sim, 100, 536, 1400),
		                             .shift = (uint32_t)test_random_u64(&sim->random),
		                             .piece = PICK(sim, 1, 100, 536, 1000),
		                             .mtu = PICK(sim, 576, 1500, 9000) };

	for (uint32_t i = 0; i < MIDDLEBOX_HABITS; i++)
		options.habits |= sim_chance(sim, 150000) ? 1u << i : 0;
	if (options.piece == 1 && world->scale > 20000)
		options.piece = 100;
	if (options.habits & (MIDDLEBOX_SHIFT | MIDDLEBOX_SHIFT_BADLY))
		sim->shift[host->config.address[0].ip.b[15]] = options.shift;
	*out = network_middlebox(sim, *out, *in, options, in);
}

/* The way from a host into its network, built from its end; *ret_in is the way back. */
static struct impair_element *draw_way(struct world *world, struct host *host, struct impair_element *network,
                                       bool pristine, struct impair_element **ret_in)
{
	struct sim *sim = &world->sim;
	struct impair_element *way = network;
	bool boxed = !pristine && sim_chance(sim, 200000);

	*ret_in = &host->element;
	if (boxed)
		draw_middlebox(world, host, &way, ret_in);
	if (!pristine && sim_chance(sim, 150000))
		way = draw_mtu(world, way, &host->element);
	if (!pristine)
		way = draw_harm(sim, way);
	way = draw_delay(sim, way, pristine);
	if (sim_chance(sim, 500000))
		way = draw_line(sim, way);
	if (boxed || sim_chance(sim, 700000)) /* a box works on what is on the wire */
		way = network_split(sim, way);
	return way;
}

/* ---- networks ----------------------------------------------------------------------------------------------------
 */

void world_listen(struct host *host)
{
	struct sim *sim = host->sim;
	struct stack_listen_options options = {
		.port = WORLD_PORT, .service = 3, .backlog = PICK(sim, 1, 4, 100), .nodelay = sim_chance(sim, 300000)
	};

	if (host->listener.v == 0 && !host->stopped)
		stack_listen(host->stack, &options, &host->listener); /* may be refused: no memory */
}

static void add_host(struct world *world, uint32_t index, struct network_switch *network, bool wraps, bool pristine)
{
	struct sim *sim = &world->sim;
	struct host *host = &world->host[index];
	struct stack_config config;
	struct impair_element *in;
	struct flow flow = wrap_flow(world, index, index == 0 ? 1 : 0);
	int64_t offset;

	configure(world, index, &config);
	offset = wraps ? clock_before_wrap(sim, &config, &flow) : (int64_t)sim_between(sim, 0, 1000000) * 1000000;
	host->scale = world->scale;
	host->batch = sim_duration(sim, DURATION_S(0), DURATION_US(PICK(sim, 0, 50, 1000)));
	host_begin(host, sim, &config, PICK(sim, 8, 20, 100, 65536), offset);
	host->memory.fail_per_million = pristine ? 0 : PICK(sim, 0, 0, 0, 300000, 900000);
	host->element.next = draw_way(world, host, network_switch_in(network), pristine, &in);
	network_switch_port(network, config.mac, in);
	world_listen(host);
}

static struct mac_addr router_mac(unsigned router, unsigned side)
{
	return (struct mac_addr){ { 2, 0, 0, 0, 1, (uint8_t)(2 * router + side) } };
}

/* Switch - router - line - router - switch. Hosts with an even index are at the first switch. The line between the
 * routers is what all share: router i has side i at its switch, and the other at the line. */
static void build_dumbbell(struct world *world, struct network_switch *network[2], bool pristine)
{
	struct sim *sim = &world->sim;
	struct network_router *router[2];
	struct network_router_side side[2][2];
	struct impair_element *way[2];

	for (unsigned i = 0; i < 2; i++) {
		network[i] = network_switch(sim);
		side[i][i] = (struct network_router_side){ .mac = router_mac(i, i),
			                                   .address = address(i, 1, false),
			                                   .address6 = address(i, 1, true),
			                                   .mtu = 65535 };
		side[i][i].out = network_switch_in(network[i]);
		side[i][!i] = (struct network_router_side){ .mac = router_mac(i, !i),
			                                    .mtu = world->ipv6 ? PICK(sim, 1280, 1500, 65535)
			                                                       : PICK(sim, 576, 1500, 65535) };
		router[i] = network_router(sim, side[i]);
		network_switch_port(network[i], router_mac(i, i), network_router_in(router[i], i));
	}
	for (unsigned i = 0; i < 2; i++) {
		way[i] = network_router_in(router[!i], i);
		if (!pristine && sim_chance(sim, 300000))
			way[i] = draw_harm(sim, way[i]);
		way[i] = draw_line(sim, draw_delay(sim, way[i], pristine));
		network_router_out(router[i], !i, network_split(sim, way[i]));
	}
	for (uint32_t i = 0; i < world->hosts; i++) {
		unsigned at = i % 2;

		for (int ipv6 = 0; ipv6 < 2; ipv6++) {
			network_router_route(router[at], world_address(world, i, ipv6), at, host_mac(i));
			network_router_route(router[!at], world_address(world, i, ipv6), at, router_mac(at, !at));
		}
	}
}

void world_build(struct world *world)
{
	struct sim *sim = &world->sim;
	struct network_switch *network[2];
	bool wraps, pristine;

	wraps = sim_chance(sim, 400000);
	pristine = sim_chance(sim, 50000);
	world->dumbbell = sim_chance(sim, 200000);
	world->ipv6 = sim_chance(sim, 400000);
	world->hosts = world->dumbbell ? sim_between(sim, 2, WORLD_HOSTS_MAX) : sim_chance(sim, 200000) ? 3 : 2;
	world->scale = PICK(sim, 1000, 20000, 100000, 400000);
	world->connects_left = PICK(sim, 2, 10, 30, 60);
	world->troubles_left = pristine ? 0 : PICK(sim, 0, 2, 10, 20);
	world->pace = (struct duration){ (int64_t)PICK(sim, 1, 20, 500) * 1000000 };
	if (world->dumbbell)
		build_dumbbell(world, network, pristine);
	else
		network[0] = network[1] = network_switch(sim);
	for (uint32_t i = 0; i < world->hosts; i++)
		add_host(world, i, network[i % 2], wraps && i < 2, pristine);
	if (wraps)
		world_open(world, &world->host[0], 1, WRAP_PORT, WORLD_PORT);
}
