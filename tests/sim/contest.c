#include "contest_inside.h"

#include "link/impair/ecn.h"

#include <stdlib.h>

enum { PORT = 80, SENDER = 10, RECEIVER = 100 }; /* numbers: the last bytes of addresses and MACs */

/* ---- the probe ----------------------------------------------------------------------------------------------------
 */

static void probe_take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	struct probe *probe = (struct probe *)element;
	const struct impair_line_options *options = &probe->line->options;
	uint64_t bytes = (uint64_t)packet->length + options->overhead_bytes;
	int64_t on_line = (int64_t)(bytes * 1000000000u / options->bytes_per_s);
	int64_t delay = instant_sub(now, packet->at).ns - on_line; /* at: when the queue took it */

	CONTEST_GROW(probe->passage, probe->count, probe->room);
	probe->passage[probe->count++] =
	        (struct passage){ .at = now.ns,
		                  .delay = delay > 0 ? delay : 0,
		                  .bytes = (uint32_t)bytes,
		                  .marked = ecn_get(packet->bytes, packet->length) == ECN_CE };
	impair_pass(element, now, packet);
}

static void watch_queue(struct contest *contest)
{
	while (contest->drops < contest->line->element.counters.dropped) {
		CONTEST_GROW(contest->drop, contest->drops, contest->drops_room);
		contest->drop[contest->drops++] = contest->sim.now.ns;
	}
}

/* ---- the network --------------------------------------------------------------------------------------------------
 */

static struct impair_element *way_there(struct contest *contest, struct network_switch *to)
{
	const struct contest_path *path = &contest->path;
	struct impair_delay_options delay = { .delay = { path->rtt.ns / 2 }, .jitter = path->jitter };
	struct impair_reorder_options reorder = { .per_million = path->reorder_per_million,
		                                  .hold_min = { path->rtt.ns / 8 },
		                                  .hold_max = { path->rtt.ns / 4 } };
	struct impair_line_options line = { .bytes_per_s = path->bytes_per_s,
		                            .queue_bytes = path->buffer_bytes,
		                            .discipline = path->discipline,
		                            .target = path->target,
		                            .ecn = path->ecn };
	struct impair_element *way = network_delay(&contest->sim, network_switch_in(to), delay);

	contest->there = (struct impair_delay *)way;
	if (path->reorder_per_million > 0)
		way = network_reorder(&contest->sim, way, reorder);
	if (path->loss_per_million > 0)
		way = network_loss(&contest->sim, way, path->loss_per_million, path->loss_burst);
	contest->probe = sim_alloc(&contest->sim, sizeof(*contest->probe));
	contest->probe->element.take = probe_take;
	impair_add(&contest->sim.impair, &contest->probe->element, way);
	way = network_line(&contest->sim, &contest->probe->element, line);
	contest->line = contest->probe->line = (struct impair_line *)way;
	return way;
}

static struct impair_element *way_back(struct contest *contest, struct network_switch *to)
{
	const struct contest_path *path = &contest->path;
	struct impair_delay_options delay = { .delay = { path->rtt.ns - path->rtt.ns / 2 },
		                              .jitter = path->jitter_of_acks };
	struct impair_element *way = network_delay(&contest->sim, network_switch_in(to), delay);

	contest->back = (struct impair_delay *)way;
	if (path->ack_loss_per_million > 0)
		way = network_loss(&contest->sim, way, path->ack_loss_per_million, 1);
	return way;
}

static void plug(struct sim *sim, struct host *host, struct network_switch *network, struct duration extra_rtt)
{
	struct impair_delay_options extra = { .delay = { extra_rtt.ns / 2 } };
	struct impair_element *out = network_switch_in(network), *in = &host->element;

	if (extra_rtt.ns > 0) {
		out = network_delay(sim, out, extra);
		in = network_delay(sim, in, extra);
	}
	host->element.next = network_split(sim, out);
	network_switch_port(network, host->config.mac, in);
}

static void begin_host(struct contest *contest, struct host *host, uint8_t number, const struct contest_flow *flow,
                       const struct stack_congestion *congestion)
{
	struct stack_config config;

	stack_config_init(&config);
	test_random_fill(&contest->sim.random, config.secret, sizeof(config.secret));
	config.mac = (struct mac_addr){ { 2, 0, 0, 0, 0, number } };
	config.address[0] = (struct stack_address){ ip_addr_v4(0xc0000200 + number), 120 };
	config.address_count = 1;
	config.checksum_offload = true;
	config.gso_bytes_max = flow->gso_bytes;
	config.tcp.ecn = flow->ecn;
	config.tcp.accecn = !flow->no_accecn;
	config.congestion_default = congestion;
	if (flow->tune)
		flow->tune(&config.tcp);
	host_begin(host, &contest->sim, &config, 1000, CONTEST_CLOCK_OFFSET);
}

static void begin_racer(struct contest *contest, uint32_t i, struct network_switch *left,
                        struct network_switch *right)
{
	static const struct plan sink = { .read_max = 1 << 20, .ending = END_SHUTDOWN };
	struct stack_listen_options listen = { .port = PORT, .backlog = 1 };
	struct racer *racer = &contest->racer[i];
	const struct stack_congestion *congestion = tap_begin(&racer->tap, (uint16_t)(i + 1), &racer->flow);

	racer->plain = *congestion;
	racer->plain.ops = racer->tap.real;
	begin_host(contest, &racer->from, (uint8_t)(SENDER + i), &racer->flow, congestion);
	begin_host(contest, &racer->at, (uint8_t)(RECEIVER + i), &racer->flow, &racer->plain);
	racer->at.accept_plan = &sink;
	plug(&contest->sim, &racer->from, left, racer->flow.extra_rtt);
	plug(&contest->sim, &racer->at, right, (struct duration){ 0 });
	WATCH_CHECK(stack_listen(racer->at.stack, &listen, &racer->at.listener) == 0);
}

struct contest *contest_begin(const struct contest_path *path, const struct contest_flow *flows, uint32_t count,
                              struct duration sample_every, uint64_t seed)
{
	struct contest *contest = calloc(1, sizeof(*contest));
	struct network_switch *left, *right;

	WATCH_CHECK(contest && count > 0 && count <= CONTEST_FLOWS_MAX && sample_every.ns > 0);
	contest->path = *path;
	contest->count = count;
	contest->sample_every = sample_every;
	sim_begin(&contest->sim, seed);
	contest->sampled = contest->sim.now;
	left = network_switch(&contest->sim);
	right = network_switch(&contest->sim);
	network_switch_trunk(left, way_there(contest, right));
	network_switch_trunk(right, way_back(contest, left));
	for (uint32_t i = 0; i < count; i++) {
		contest->racer[i].flow = flows[i];
		begin_racer(contest, i, left, right);
	}
	return contest;
}

void contest_end(struct contest *contest)
{
	for (uint32_t i = 0; i < contest->count; i++) {
		struct racer *racer = &contest->racer[i];

		services_end(&racer->from);
		services_end(&racer->at);
		host_end(&racer->from);
		host_end(&racer->at);
		free(racer->point);
	}
	free(contest->probe->passage);
	free(contest->drop);
	sim_end(&contest->sim);
	free(contest);
}

/* ---- the run ------------------------------------------------------------------------------------------------------
 */

static void start(struct contest *contest, uint32_t i)
{
	struct racer *racer = &contest->racer[i];
	const struct contest_flow *flow = &racer->flow;
	struct stack_connect_options to = { .remote = ip_addr_v4(0xc0000200 + RECEIVER + i), .remote_port = PORT };
	struct plan plan = { .send_bytes = flow->send_bytes > 0 ? flow->send_bytes : UINT64_C(1) << 40,
		             .write_max = flow->write_bytes > 0 ? flow->write_bytes : 1 << 20,
		             .write_pause = flow->write_pause,
		             .ending = END_SHUTDOWN };

	racer->started = true;
	stack_advance(racer->from.stack, host_now(&racer->from)); /* it connects at this time */
	racer->endpoint = service_connect(&racer->from, &to, &plan);
	WATCH_CHECK(racer->endpoint);
	host_wake(&racer->from);
}

static void stop(struct racer *racer)
{
	racer->stopped = true;
	racer->endpoint->plan.send_bytes = racer->endpoint->sent;
	host_wake(&racer->from);
}

static void take_point(struct contest *contest, struct racer *racer)
{
	struct contest_point point = { .ssthresh = UINT64_MAX };
	struct stack_conn_info info;

	if (racer->count > 0)
		point = racer->point[racer->count - 1];
	point.at = (struct duration){ contest->sim.now.ns };
	point.received = racer->at.endpoints ? racer->at.endpoints->received : 0;
	point.open = racer->started && !racer->endpoint->done &&
	             stack_info(racer->from.stack, racer->endpoint->handle, &info) == 0;
	if (point.open) {
		point.retransmitted = info.bytes_retrans;
		point.sent = info.bytes_sent;
		point.cwnd = info.cwnd;
		point.ssthresh = info.ssthresh >= UINT32_MAX ? UINT64_MAX : info.ssthresh;
		point.pacing = info.pacing_rate;
		point.pipe = racer->tap.pipe;
		point.srtt = info.srtt;
		point.min_rtt = info.min_rtt;
		point.timeouts = info.total_rto;
		memcpy(point.outputs, racer->tap.outputs, sizeof(point.outputs));
	}
	CONTEST_GROW(racer->point, racer->count, racer->room);
	racer->point[racer->count++] = point;
}

/* The next time, up to `end`, at which something is to be done from outside. */
static struct instant next_stop(const struct contest *contest, struct instant end)
{
	struct instant next = instant_min(end, contest->sampled);

	for (uint32_t i = 0; i < contest->count; i++) {
		const struct racer *racer = &contest->racer[i];

		if (!racer->started)
			next = instant_min(next, (struct instant){ racer->flow.start.ns });
		else if (!racer->stopped && racer->flow.stop.ns > 0)
			next = instant_min(next, (struct instant){ racer->flow.stop.ns });
	}
	return next;
}

void contest_run(struct contest *contest, struct duration until)
{
	struct instant end = { until.ns };

	do {
		struct instant now = next_stop(contest, end);

		sim_run(&contest->sim, now);
		watch_queue(contest);
		for (uint32_t i = 0; i < contest->count; i++) {
			struct racer *racer = &contest->racer[i];

			if (!racer->started && racer->flow.start.ns <= now.ns)
				start(contest, i);
			if (racer->started && !racer->stopped && racer->flow.stop.ns > 0 &&
			    racer->flow.stop.ns <= now.ns)
				stop(racer);
			if (contest->sampled.ns <= now.ns)
				take_point(contest, racer);
		}
		if (contest->sampled.ns <= now.ns)
			contest->sampled = instant_add(contest->sampled, contest->sample_every);
	} while (contest->sim.now.ns < end.ns);
}

struct impair_line *contest_line(struct contest *contest)
{
	return contest->line;
}

struct impair_delay *contest_delay(struct contest *contest, bool back)
{
	return back ? contest->back : contest->there;
}

struct host *contest_sender(struct contest *contest, uint32_t flow, struct conn_handle *ret_conn)
{
	struct racer *racer = &contest->racer[flow];

	*ret_conn = racer->endpoint ? racer->endpoint->handle : CONN_HANDLE_NONE;
	return &racer->from;
}
