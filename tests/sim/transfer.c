#include "transfer.h"

#include "network.h"

enum { PORT = 80, SENDER = 10, RECEIVER = 100 }; /* numbers: the last bytes of addresses and MACs */

static void begin_host(struct host *host, struct sim *sim, uint8_t number, const struct transfer_sender *sender)
{
	struct stack_config config;

	stack_config_init(&config);
	test_random_fill(&sim->random, config.secret, sizeof(config.secret));
	config.mac = (struct mac_addr){ { 2, 0, 0, 0, 0, number } };
	config.address[0] = (struct stack_address){ ip_addr_v4(0xc0000200 + number), 120 };
	config.address_count = 1;
	config.checksum_offload = true;
	config.gso_bytes_max = sender->gso_bytes;
	config.tcp.sack = !sender->no_sack;
	config.tcp.ecn = sender->no_ecn ? STACK_ECN_OFF : STACK_ECN_REQUEST;
	config.congestion_default = sender->congestion;
	config.stopwatch = sender->stopwatch;
	memset(host, 0, sizeof(*host));
	host_begin(host, sim, &config, 1000, 1000000000);
}

/* The harm that a path does on one of its two ways. */
static struct impair_element *harm_on(struct sim *sim, struct impair_element *way, const struct transfer_path *path,
                                      uint32_t harm, bool back)
{
	struct impair_reorder_options reorder = { .per_million = 10 * harm,
		                                  .hold_min = DURATION_US(125 * path->rtt_ms),
		                                  .hold_max = DURATION_US(250 * path->rtt_ms) };

	if (harm == 0 || back != (path->harm == TRANSFER_ACK_LOSS))
		return way;
	switch (path->harm) {
	case TRANSFER_BURST:
		return network_loss(sim, way, harm, 8);
	case TRANSFER_REORDER:
		return network_reorder(sim, way, reorder);
	case TRANSFER_ACK_LOSS:
		return network_loss(sim, way, 10 * harm, 1);
	default:
		return network_loss(sim, way, harm, 1);
	}
}

/* From one switch to the other: a line as fast as the path there, one that is never full back. */
static struct impair_element *shared_way(struct sim *sim, struct network_switch *to, const struct transfer_path *path,
                                         uint32_t harm, bool back)
{
	struct impair_delay_options delay = { .delay = DURATION_US(500 * path->rtt_ms) };
	uint64_t buffer = path->bytes_per_s * path->rtt_ms * path->buffer_permille / 1000000;
	struct impair_line_options line = { .bytes_per_s = path->bytes_per_s,
		                            .queue_bytes = (uint32_t)buffer,
		                            .discipline = path->discipline,
		                            .ecn = path->ecn };
	struct impair_element *way = network_delay(sim, network_switch_in(to), delay);

	if (line.queue_bytes < TRANSFER_BUFFER_MIN)
		line.queue_bytes = TRANSFER_BUFFER_MIN;
	way = harm_on(sim, way, path, harm, back);
	return back ? way : network_line(sim, way, line);
}

static void plug(struct sim *sim, struct host *host, struct network_switch *network, uint32_t extra_rtt_ms)
{
	struct impair_delay_options extra = { .delay = DURATION_US(500 * extra_rtt_ms) };

	host->element.next = network_split(sim, network_delay(sim, network_switch_in(network), extra));
	network_switch_port(network, host->config.mac, network_delay(sim, &host->element, extra));
}

struct transfer {
	struct sim sim;
	struct host from[TRANSFER_SENDERS_MAX], at[TRANSFER_SENDERS_MAX];
	uint32_t count;
};

static void begin(struct transfer *transfer, const struct transfer_path *path, uint32_t harm,
                  const struct transfer_sender *senders, uint32_t count, uint64_t bytes, uint64_t seed)
{
	static const struct plan sink = { .read_max = 1 << 20, .ending = END_SHUTDOWN };
	const struct plan source = { .send_bytes = bytes, .write_max = 1 << 20, .ending = END_SHUTDOWN };
	struct sim *sim = &transfer->sim;
	struct network_switch *left, *right;

	transfer->count = count;
	sim_begin(sim, seed);
	left = network_switch(sim);
	right = network_switch(sim);
	network_switch_trunk(left, shared_way(sim, right, path, harm, false));
	network_switch_trunk(right, shared_way(sim, left, path, harm, true));
	for (uint32_t i = 0; i < count; i++) {
		struct host *from = &transfer->from[i], *at = &transfer->at[i];
		struct stack_connect_options to = { .remote = ip_addr_v4(0xc0000200 + RECEIVER + i),
			                            .remote_port = PORT };
		struct stack_listen_options listen = { .port = PORT, .backlog = 1 };

		begin_host(from, sim, (uint8_t)(SENDER + i), &senders[i]);
		begin_host(at, sim, (uint8_t)(RECEIVER + i), &senders[i]);
		at->accept_plan = &sink;
		plug(sim, from, left, senders[i].extra_rtt_ms);
		plug(sim, at, right, 0);
		WATCH_CHECK(stack_listen(at->stack, &listen, &at->listener) == 0);
		WATCH_CHECK(service_connect(from, &to, &source));
	}
}

static uint64_t received(const struct transfer *transfer, uint32_t i)
{
	return transfer->at[i].endpoints ? transfer->at[i].endpoints->received : 0;
}

static void end(struct transfer *transfer)
{
	for (uint32_t i = 0; i < transfer->count; i++) {
		services_end(&transfer->from[i]);
		services_end(&transfer->at[i]);
		host_end(&transfer->from[i]);
		host_end(&transfer->at[i]);
	}
	sim_end(&transfer->sim);
}

void transfer_run(const struct transfer_path *path, uint32_t harm, const struct transfer_sender *senders,
                  uint32_t count, uint32_t seconds, uint64_t seed, uint64_t *ret_bytes)
{
	struct transfer transfer;

	begin(&transfer, path, harm, senders, count, 1ull << 34, seed);
	sim_run(&transfer.sim, instant_add(INSTANT_ZERO, DURATION_S(seconds)));
	for (uint32_t i = 0; i < count; i++)
		ret_bytes[i] = received(&transfer, i);
	end(&transfer);
}

struct duration transfer_time(const struct transfer_path *path, uint32_t harm, const struct transfer_sender *sender,
                              uint64_t bytes, uint32_t seconds_max, uint64_t seed)
{
	struct transfer transfer;
	struct duration took = { 0 };

	begin(&transfer, path, harm, sender, 1, bytes, seed);
	while (received(&transfer, 0) < bytes && took.ns < DURATION_S(seconds_max).ns) {
		took.ns += DURATION_MS(1).ns;
		sim_run(&transfer.sim, instant_add(INSTANT_ZERO, took));
	}
	end(&transfer);
	return took;
}
