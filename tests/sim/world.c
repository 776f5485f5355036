#include "world.h"

#include "fickle.h"

#include <errno.h>
#include <stdlib.h>

/* ---- chaos -------------------------------------------------------------------------------------------------------
 */

void world_open(struct world *world, struct host *from, uint32_t to, uint16_t local_port, uint16_t port)
{
	bool ipv6 = world->ipv6 && (local_port != 0 || sim_chance(&world->sim, 600000));
	struct stack_connect_options options = { .remote = world_address(world, to, ipv6),
		                                 .remote_port = port,
		                                 .local_port = local_port,
		                                 .service = 4,
		                                 .nodelay = sim_chance(&world->sim, 300000) };
	struct plan plan = plan_random(&world->sim, world->scale);

	service_connect(from, &options, &plan);
}

/* Some connection, or the stack, is tuned while it runs. */
static void retune(struct world *world, struct host *host)
{
	struct sim *sim = &world->sim;
	struct endpoint *endpoint = host->endpoints;
	struct stack_tcp_config tcp;
	int r;

	for (uint32_t skip = sim_between(sim, 0, 5); skip > 0 && endpoint && endpoint->next; skip--)
		endpoint = endpoint->next;
	tcp = host->config.tcp;
	world_draw_tcp(sim, &tcp);
	if (endpoint && !endpoint->done && sim_chance(sim, 700000)) {
		r = stack_set_tcp(host->stack, endpoint->handle, &tcp);
		WATCH_CHECK(r == 0 || r == -ENOMEM);
	} else {
		r = stack_set_default_tcp(host->stack, &tcp);
		WATCH_CHECK(r == 0 || r == -ENOMEM);
	}
}

static const struct stack_congestion *any_congestion(struct sim *sim)
{
	uint32_t kind = sim_between(sim, 0, FICKLE_KINDS);

	return kind < FICKLE_KINDS ? fickle(kind) : stack_builtin_reno();
}

/* Algorithms come and go: on a connection, with those that begin, all of one kind. */
static void exchange_congestion(struct world *world, struct host *host)
{
	struct sim *sim = &world->sim;
	struct stack_congestion_change change = { .congestion = sim_chance(sim, 700000) ? any_congestion(sim) : NULL,
		                                  .set_shadow = sim_chance(sim, 500000),
		                                  .shadow = sim_chance(sim, 700000) ? any_congestion(sim) : NULL,
		                                  .set_samples = sim_chance(sim, 500000),
		                                  .sample_every = sim_duration(sim, DURATION_S(0), DURATION_MS(9)) };
	struct stack_congestion_rule rule = { .any_service = sim_chance(sim, 700000),
		                              .service = 4,
		                              .arm = { { any_congestion(sim), 1 }, { any_congestion(sim), 2 } },
		                              .arm_count = sim_between(sim, 0, 2),
		                              .shadow = change.shadow,
		                              .sample_every = change.sample_every };
	uint64_t cursor = 0;
	int r;

	switch (sim_between(sim, 0, 3)) {
	case 0:
		r = stack_set_congestion_rules(host->stack, &rule, sim_between(sim, 0, 1));
		WATCH_CHECK(r == 0 || r == -ENOMEM);
		break;
	case 1:
		stack_set_default_congestion(host->stack, any_congestion(sim));
		break;
	case 2:
		while (cursor != UINT64_MAX)
			stack_move_congestion(host->stack, &cursor, fickle(0), fickle(1));
		break;
	default:
		for (uint64_t id = 1; id <= 30; id++)
			stack_admin_congestion(host->stack, id, &change);
		break;
	}
}

static void make_trouble(struct world *world, struct host *host)
{
	struct sim *sim = &world->sim;

	switch (sim_between(sim, 0, 9)) {
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
		world_open(world, host, host == &world->host[0], 0, 9);
		break;
	case 4: /* nobody is there */
		world_open(world, host, WORLD_NOBODY, 0, WORLD_PORT);
		break;
	case 5:
		retune(world, host);
		break;
	case 6: /* the interface learned, or forgot, to cut super-frames */
		if (host->config.checksum_offload)
			stack_set_offload(host->stack, PICK(sim, 0, 16384, 65536), true);
		break;
	case 7:
	case 8:
		exchange_congestion(world, host);
		break;
	default:
		stack_announce(host->stack);
		break;
	}
	host_wake(host);
}

static void run_chaos(struct impair_element *element, struct instant now)
{
	struct sim *sim = sim_of(element);
	struct world *world = (struct world *)((char *)element - offsetof(struct world, chaos));
	uint32_t from = sim_between(sim, 0, world->hosts - 1);
	uint32_t to = (from + sim_between(sim, 1, world->hosts - 1)) % world->hosts;

	element->due = INSTANT_NEVER;
	if (sim->impair.resting || world->connects_left + world->troubles_left == 0)
		return;
	element->due = instant_add(now, sim_duration(sim, DURATION_US(10), world->pace));
	world_listen(&world->host[to]);
	if (sim_between(sim, 1, world->connects_left + world->troubles_left) <= world->troubles_left) {
		world->troubles_left--;
		make_trouble(world, &world->host[from]);
		return;
	}
	world->connects_left--;
	if (sim_chance(sim, 150000)) { /* simultaneous open, more or less */
		world_open(world, &world->host[from], to, 1000, 1001);
		world_open(world, &world->host[to], from, 1001, 1000);
	} else {
		world_open(world, &world->host[from], to, 0, WORLD_PORT);
	}
}

/* ---- from beginning to end ---------------------------------------------------------------------------------------
 */

void world_begin(struct world *world, uint64_t seed)
{
	memset(world, 0, sizeof(*world));
	sim_begin(&world->sim, seed);
	world_build(world);
	world->chaos.run = run_chaos;
	impair_add(&world->sim.impair, &world->chaos, NULL);
	world->chaos.due = instant_add(world->sim.now, world->pace);
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
	sim->impair.resting = true;
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
	WATCH_CHECK(fickle_users() == 0);
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
