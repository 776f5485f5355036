#include "world.h"

#include "core/base/random.h"

#include <stdlib.h>

/* ---- hosts -------------------------------------------------------------------------------------------------------
 */

static uint32_t pick(struct sim *sim, const uint32_t *choices, uint32_t count)
{
	return choices[sim_between(sim, 0, count - 1)];
}
#define PICK(sim, ...)                                                                                               \
	pick(sim, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

static void configure_tcp(struct sim *sim, struct stack_tcp_config *tcp)
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
	tcp->timestamps = sim_chance(sim, 600000);
	tcp->sack = sim_chance(sim, 700000);
	tcp->window_scaling = sim_chance(sim, 700000);
	tcp->syn_cookies = sim_chance(sim, 600000);
	tcp->challenge_acks_per_s = PICK(sim, 1, 10, 1000);
}

void world_configure(struct world *world, uint32_t index, struct stack_config *config)
{
	struct sim *sim = &world->sim;

	stack_config_init(config);
	test_random_fill(&sim->random, config->secret, sizeof(config->secret));
	config->mac = (struct mac_addr){ { 2, 0, 0, 0, 0, (uint8_t)(10 + index) } };
	config->address[0] = (struct stack_address){ world_address(index), 120 };
	config->address_count = 1;
	config->mtu_bytes = PICK(sim, 576, 1500, 1500, 1500, 9000, 65535);
	config->checksum_offload = sim_chance(sim, 500000);
	if (config->checksum_offload)
		config->gso_bytes_max = PICK(sim, 0, 16384, 65536);
	config->connections_max = PICK(sim, 2, 8, 1000);
	config->half_open_max = PICK(sim, 1, 4, 1000);
	config->time_wait_max = PICK(sim, 1, 4, 1000);
	config->listeners_max = 4;
	config->neighbours_max = PICK(sim, 1, 2, 100);
	config->buffers_max_bytes = PICK(sim, 16 * 16384, 64 * 16384, 1024 * 16384);
	configure_tcp(sim, &config->tcp);
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

static struct flow wrap_flow(uint32_t local, uint32_t remote)
{
	struct flow flow = { .local = world_address(local), .remote = world_address(remote) };

	flow.local_port = local == 0 ? WRAP_PORT : WORLD_PORT;
	flow.remote_port = local == 0 ? WORLD_PORT : WRAP_PORT;
	return flow;
}

/* ---- the network -------------------------------------------------------------------------------------------------
 */

/* The way from a host to the switch, built from its end. */
static struct element *way_out(struct world *world, struct host *host, struct element *network, bool pristine)
{
	struct sim *sim = &world->sim;
	struct element *way = network;

	if (!pristine && sim_chance(sim, 150000))
		way = network_mtu(sim, way, &host->element, PICK(sim, 576, 600, 1000, 1400), false);
	if (!pristine && sim_chance(sim, 400000))
		way = network_corrupt(sim, way, PICK(sim, 1000, 20000, 100000));
	if (!pristine && sim_chance(sim, 400000))
		way = network_duplicate(sim, way, PICK(sim, 1000, 20000, 200000));
	way = network_delay(sim, way, sim_duration(sim, DURATION_US(1), DURATION_MS(PICK(sim, 1, 10, 100, 300))),
	                    sim_duration(sim, DURATION_S(0), DURATION_MS(PICK(sim, 1, 10, 50))),
	                    !pristine && sim_chance(sim, 500000));
	if (!pristine && sim_chance(sim, 700000))
		way = network_loss(sim, way, PICK(sim, 1000, 10000, 50000, 200000), PICK(sim, 1, 1, 3, 30));
	if (sim_chance(sim, 500000))
		way = network_rate(sim, way, PICK(sim, 20000, 125000, 1250000, 125000000),
		                   PICK(sim, 5000, 64000, 1000000));
	if (sim_chance(sim, 700000))
		way = network_split(sim, way);
	return way;
}

static void listen_again(struct host *host)
{
	struct sim *sim = host->element.sim;
	struct stack_listen_options options = {
		.port = WORLD_PORT, .service = 3, .backlog = PICK(sim, 1, 4, 100), .nodelay = sim_chance(sim, 300000)
	};

	if (host->listener.v == 0 && !host->stopped)
		stack_listen(host->stack, &options, &host->listener); /* may be refused: no memory */
}

static void add_host(struct world *world, uint32_t index, struct element *network, bool wraps, bool pristine)
{
	struct sim *sim = &world->sim;
	struct host *host = &world->host[index];
	struct stack_config config;
	struct flow flow = wrap_flow(index, index == 0 ? 1 : 0);
	int64_t offset;

	world_configure(world, index, &config);
	offset = wraps ? clock_before_wrap(sim, &config, &flow) : (int64_t)sim_between(sim, 0, 1000000) * 1000000;
	host->scale = world->scale;
	host->batch = sim_duration(sim, DURATION_S(0), DURATION_US(PICK(sim, 0, 50, 1000)));
	host_begin(host, sim, &config, PICK(sim, 8, 20, 100, 65536), offset);
	host->memory.fail_per_million = pristine ? 0 : PICK(sim, 0, 0, 0, 300000, 900000);
	host->element.next = way_out(world, host, network, pristine);
	network_switch_port(network, config.mac.b, &host->element);
	listen_again(host);
}

/* ---- chaos -------------------------------------------------------------------------------------------------------
 */

static void open_connection(struct world *world, struct host *from, uint32_t to, uint16_t local_port, uint16_t port)
{
	struct stack_connect_options options = { .remote = world_address(to),
		                                 .remote_port = port,
		                                 .local_port = local_port,
		                                 .service = 4,
		                                 .nodelay = sim_chance(&world->sim, 300000) };
	struct plan plan = plan_random(&world->sim, world->scale);

	service_connect(from, &options, &plan);
}

static void make_trouble(struct world *world, struct host *host)
{
	struct sim *sim = &world->sim;

	switch (sim_between(sim, 0, 5)) {
	case 0:
		if (host->listener.v != 0)
			WATCH_CHECK(stack_unlisten(host->stack, host->listener) == 0);
		host->listener = CONN_HANDLE_NONE;
		break;
	case 1:
		stack_admin_close(host->stack, sim_between(sim, 1, 30), sim_chance(sim, 500000));
		break;
	case 2:
		host->recorder_stalls = !host->recorder_stalls;
		break;
	case 3: /* nobody listens there */
		open_connection(world, host, host == &world->host[0], 0, 9);
		break;
	case 4: /* nobody is there */
		open_connection(world, host, 77, 0, WORLD_PORT);
		break;
	default:
		stack_announce(host->stack);
		break;
	}
	host_wake(host);
}

static void run_chaos(struct element *element)
{
	struct sim *sim = element->sim;
	struct world *world = (struct world *)((char *)element - offsetof(struct world, chaos));
	uint32_t from = sim_between(sim, 0, world->hosts - 1), to = (from + 1) % world->hosts;

	element->due = INSTANT_NEVER;
	if (sim->healed || world->connects_left + world->troubles_left == 0)
		return;
	element->due = instant_add(sim->now, sim_duration(sim, DURATION_US(10), world->pace));
	listen_again(&world->host[to]);
	if (sim_between(sim, 1, world->connects_left + world->troubles_left) <= world->troubles_left) {
		world->troubles_left--;
		make_trouble(world, &world->host[from]);
		return;
	}
	world->connects_left--;
	if (sim_chance(sim, 150000)) { /* simultaneous open, more or less */
		open_connection(world, &world->host[from], to, 1000, 1001);
		open_connection(world, &world->host[to], from, 1001, 1000);
	} else {
		open_connection(world, &world->host[from], to, 0, WORLD_PORT);
	}
}

/* ---- from beginning to end ---------------------------------------------------------------------------------------
 */

void world_begin(struct world *world, uint64_t seed)
{
	struct sim *sim = &world->sim;
	struct element *network;
	bool wraps, pristine;

	memset(world, 0, sizeof(*world));
	sim_begin(sim, seed);
	wraps = sim_chance(sim, 400000);
	pristine = sim_chance(sim, 50000);
	world->hosts = sim_chance(sim, 200000) ? 3 : 2;
	world->scale = PICK(sim, 1000, 20000, 100000, 400000);
	world->connects_left = PICK(sim, 2, 10, 30, 60);
	world->troubles_left = pristine ? 0 : PICK(sim, 0, 2, 10, 20);
	world->pace = (struct duration){ (int64_t)PICK(sim, 1, 20, 500) * 1000000 };
	network = network_switch(sim);
	for (uint32_t i = 0; i < world->hosts; i++)
		add_host(world, i, network, wraps && i < 2, pristine);
	if (wraps)
		open_connection(world, &world->host[0], 1, WRAP_PORT, WORLD_PORT);
	world->chaos.run = run_chaos;
	world->chaos.due = instant_add(sim->now, world->pace);
	sim_add(sim, &world->chaos);
}

static bool ended_orderly(const struct endpoint *endpoint)
{
	const struct watched *watched = watch_find(&endpoint->host->watch, endpoint->id);

	return watched->ended &&
	       (watched->cause == CAUSE_RECEIVED_ACK_OF_FIN || watched->cause == CAUSE_TIMEOUT_2MSL ||
	        watched->cause == CAUSE_EVICTED_TIME_WAIT || watched->cause == CAUSE_RECEIVED_SYN_IN_TIME_WAIT);
}

static void print_endpoint(const struct endpoint *end)
{
	struct stack_conn_info info = { .state = TCPS_STATE_COUNT };

	stack_info(end->host->stack, end->handle, &info);
	fprintf(stderr,
	        "host %u port %u > %u: %s, sent %llu of %llu, received %llu, flags%s%s%s%s%s, send_q %u recv_q %u "
	        "snd_wnd %u rcv_wnd %u timer %lld\n",
	        end->host->config.mac.b[5], end->flow.local_port, end->flow.remote_port, tcp_state_name(info.state),
	        (unsigned long long)end->sent, (unsigned long long)end->plan.send_bytes,
	        (unsigned long long)end->received, end->shut ? " shut" : "", end->eof ? " eof" : "",
	        end->done ? " done" : "", end->may_read ? " may_read" : "", end->may_write ? " may_write" : "",
	        info.send_q, info.recv_q, info.snd_wnd, info.rcv_wnd, (long long)info.timer_left.ns);
}

/* A late segment brought a cookie back once more, when the connection that it had made was over: the two ends don't
 * agree on what was sent, and find no end but that of the retransmission timer. Cookies are like that. */
static bool is_ghost(struct world *world, const struct endpoint *end, const struct endpoint *peer)
{
	return endpoint_peer(end, peer, world->host, world->hosts) ||
	       endpoint_peer(peer, NULL, world->host, world->hosts) != end ||
	       endpoint_peer(peer, end, world->host, world->hosts) || end->received > peer->sent ||
	       peer->received > end->sent;
}

/* Is it not done although both ends live and the network is good? */
static bool should_be_done(struct world *world, const struct endpoint *end, const struct endpoint *peer)
{
	if (end->done)
		return false;
	if (!end->known)
		return true;
	/* Without a peer, or with one that vanished, it may wait for what never comes. */
	return peer && (!peer->done || ended_orderly(peer)) && !is_ghost(world, end, peer);
}

/* What all have moved so far, and whether any connection is not done that should be. */
static uint64_t unfinished(struct world *world, bool print, bool *ret_any)
{
	uint64_t moved = 0;

	*ret_any = false;
	for (uint32_t i = 0; i < world->hosts; i++) {
		for (struct endpoint *end = world->host[i].endpoints; end; end = end->next) {
			const struct endpoint *peer = endpoint_peer(end, NULL, world->host, world->hosts);

			moved += end->sent + end->received + end->done;
			if (!should_be_done(world, end, peer))
				continue;
			*ret_any = true;
			if (print) {
				print_endpoint(end);
				if (peer)
					print_endpoint(peer);
			}
		}
	}
	return moved;
}

/* Everything that can be finished is, as long as there is any progress. */
static void finish(struct world *world)
{
	uint64_t moved, before = UINT64_MAX;
	bool any;

	for (;;) {
		sim_run(&world->sim, instant_add(world->sim.now, DURATION_S(300)));
		moved = unfinished(world, false, &any);
		if (!any)
			return;
		if (moved == before)
			unfinished(world, true, &any);
		WATCH_CHECK(moved != before); /* stuck */
		before = moved;
	}
}

/* The end of a stream is seen only after all of it. */
static void check_whole(struct world *world, const struct endpoint *end)
{
	const struct endpoint *peer = NULL;

	while ((peer = endpoint_peer(end, peer, world->host, world->hosts))) {
		if (end->received == peer->sent)
			return;
	}
	print_endpoint(end);
	WATCH_CHECK(!"a stream that ended is whole");
}

static void check_endpoints(struct world *world)
{
	for (uint32_t i = 0; i < world->hosts; i++) {
		for (struct endpoint *end = world->host[i].endpoints; end; end = end->next) {
			WATCH_CHECK(end->done);
			if (end->eof)
				check_whole(world, end);
		}
	}
}

/* One of the daemons stops, as it does: first politely, then at once. */
static void stop(struct world *world, struct host *host)
{
	struct sim *sim = &world->sim;

	host->stopped = true;
	host->listener = CONN_HANDLE_NONE;
	stack_stop(host->stack, false);
	host_wake(host);
	sim_run(sim, instant_add(sim->now, sim_duration(sim, DURATION_S(0), DURATION_S(2))));
	while (stack_stop(host->stack, true) > 0) {
		host_wake(host);
		sim_run(sim, sim->now);
	}
	host_wake(host);
	sim_run(sim, sim->now);
}

void world_run(struct world *world)
{
	struct sim *sim = &world->sim;

	sim_run(sim, instant_add(sim->now, sim_duration(sim, DURATION_MS(10), DURATION_S(20))));
	if (sim_chance(sim, 100000))
		stop(world, &world->host[0]);
	sim->healed = true;
	for (uint32_t i = 0; i < world->hosts; i++)
		services_finish(&world->host[i]);
	finish(world);
	for (uint32_t i = 0; i < world->hosts; i++) {
		services_close(&world->host[i]);
		if (world->host[i].listener.v != 0)
			stack_unlisten(world->host[i].stack, world->host[i].listener);
	}
	sim_run(sim, instant_add(sim->now, DURATION_S(1300))); /* the longest that TCP tries for is R2, 900 s */
	for (uint32_t i = 0; i < world->hosts; i++)
		watch_all_gone(&world->host[i].watch);
	check_endpoints(world);
}

void world_end(struct world *world)
{
	for (uint32_t i = 0; i < world->hosts; i++) {
		services_end(&world->host[i]);
		host_end(&world->host[i]);
	}
	sim_end(&world->sim);
}

/* ---- what was seen -----------------------------------------------------------------------------------------------
 */

void world_tally(const struct world *world, struct world_tally *tally)
{
	tally->packets += world->sim.packets;
	for (uint32_t i = 0; i < world->hosts; i++) {
		const struct stack_counters *counters = stack_get_counters(world->host[i].stack);
		const uint64_t *from = (const uint64_t *)counters;
		uint64_t *to = (uint64_t *)&tally->sum;

		for (size_t n = 0; n < sizeof(*counters) / sizeof(*from); n++)
			to[n] += from[n];
		for (const struct endpoint *end = world->host[i].endpoints; end; end = end->next) {
			tally->endpoints++;
			tally->streams_whole += end->eof;
			tally->bytes += end->received;
			tally->cause[end->cause]++;
		}
	}
}

void world_tally_print(const struct world_tally *tally)
{
	printf("%llu packets, %llu endpoints, %llu whole streams, %llu bytes\n", (unsigned long long)tally->packets,
	       (unsigned long long)tally->endpoints, (unsigned long long)tally->streams_whole,
	       (unsigned long long)tally->bytes);
#define SHOW_COUNTER(name, help) printf("  %-24s %llu\n", #name, (unsigned long long)tally->sum.name);
	STACK_COUNTERS(SHOW_COUNTER)
#undef SHOW_COUNTER
	for (unsigned from = 0; from < TCPS_STATE_COUNT; from++) {
		for (unsigned to = 0; to < TCPS_STATE_COUNT; to++) {
			if (tcp_state_edge_allowed(from, to))
				printf("  %-12s -> %-12s %llu\n", tcp_state_name(from), tcp_state_name(to),
				       (unsigned long long)tally->sum.transitions[from][to]);
		}
	}
	for (unsigned i = 0; i < STACK_VERDICT_COUNT; i++)
		printf("  %-24s %llu\n", stack_verdict_name(i), (unsigned long long)tally->sum.verdict[i]);
	for (unsigned i = 1; i < TCP_CAUSE_COUNT; i++)
		printf("  failed: %-24s %llu\n", tcp_cause_name(i), (unsigned long long)tally->cause[i]);
}
