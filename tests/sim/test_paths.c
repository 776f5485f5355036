/* Long transfers over paths whose MTU is not what the first hop suggests: routers that say so, that say nothing, that
 * say so without a number; paths that become narrower on the way; jumbo frames all along. All must be used to nearly
 * what they carry, in the largest packets that get through. */
#include "network.h"
#include "service.h"

#include <stdlib.h>

#define LINE_BYTES_PER_S 2500000ull
#define PORT 80

struct way {
	const char *name;
	uint8_t mode;            /* enum stack_path_mtu */
	uint32_t interface;      /* MTU of both hosts */
	uint32_t carries, later; /* MTU of the path, and after five seconds; 0: the same */
	enum { TELLS, TELLS_NO_SIZE, SILENT } router;
	uint32_t gso_bytes, loss; /* per million */
	uint32_t finds_at_least;
	double use; /* at least this part of the line */
};

static const struct way ways[] = {
	{ "told", STACK_PATH_MTU_ICMP, 1500, 1400, 0, TELLS, 65536, 0, 1400, 0.9 },
	{ "told, fallback", STACK_PATH_MTU_FALLBACK, 1500, 1400, 0, TELLS, 0, 0, 1400, 0.9 },
	{ "old router", STACK_PATH_MTU_ICMP, 1500, 1400, 0, TELLS_NO_SIZE, 0, 0, 1006, 0.85 },
	{ "shrinks, told", STACK_PATH_MTU_FALLBACK, 1500, 1500, 1300, TELLS, 65536, 0, 1300, 0.85 },
	{ "black hole", STACK_PATH_MTU_FALLBACK, 1500, 1420, 0, SILENT, 65536, 0, 1410, 0.8 },
	{ "black hole, no offload", STACK_PATH_MTU_FALLBACK, 1500, 1420, 0, SILENT, 0, 0, 1410, 0.8 },
	{ "black hole, losses", STACK_PATH_MTU_FALLBACK, 1500, 1420, 0, SILENT, 65536, 1000, 1410, 0.5 },
	{ "becomes a black hole", STACK_PATH_MTU_FALLBACK, 1500, 1500, 1400, SILENT, 0, 0, 1390, 0.7 },
	{ "narrow black hole", STACK_PATH_MTU_FALLBACK, 1500, 600, 0, SILENT, 65536, 0, 590, 0.6 },
	{ "probing", STACK_PATH_MTU_PROBE, 1500, 1454, 0, SILENT, 65536, 0, 1444, 0.9 },
	{ "probing, losses", STACK_PATH_MTU_PROBE, 1500, 1454, 0, SILENT, 0, 1000, 1400, 0.6 },
	{ "probing, whole", STACK_PATH_MTU_PROBE, 1500, 1500, 0, SILENT, 65536, 0, 1500, 0.9 },
	{ "jumbo all along", STACK_PATH_MTU_PROBE, 9000, 9000, 0, SILENT, 65536, 0, 9000, 0.9 },
	{ "jumbo at first", STACK_PATH_MTU_PROBE, 9000, 1500, 0, SILENT, 65536, 0, 1500, 0.85 },
	{ "jumbo, black hole", STACK_PATH_MTU_FALLBACK, 9000, 1500, 0, SILENT, 0, 0, 1500, 0.75 },
};

static void begin_host(struct host *host, struct sim *sim, uint8_t number, const struct way *way)
{
	struct stack_config config;

	stack_config_init(&config);
	memset(config.secret, number, sizeof(config.secret));
	config.mac = (struct mac_addr){ { 2, 0, 0, 0, 0, number } };
	config.address[0] = (struct stack_address){ ip_addr_v4(0xc0000200 + number), 120 };
	config.address_count = 1;
	config.mtu_bytes = way->interface;
	config.checksum_offload = true;
	config.gso_bytes_max = way->gso_bytes;
	config.tcp.path_mtu = way->mode;
	memset(host, 0, sizeof(*host));
	host_begin(host, sim, &config, 1000, 1000000000);
}

struct result {
	double use;
	struct stack_conn_info info;
	struct stack_path_info path;
	struct stack_counters counters;
};

static struct result transfer(const struct way *way)
{
	static const struct plan sink = { .read_max = 1 << 20, .ending = END_SHUTDOWN };
	static const struct plan source = { .send_bytes = 1u << 31, .write_max = 1 << 20, .ending = END_SHUTDOWN };
	struct stack_connect_options to = { .remote = ip_addr_v4(0xc000020c), .remote_port = PORT };
	struct stack_listen_options listen = { .port = PORT, .backlog = 1 };
	struct impair_delay_options delay = { .delay = DURATION_MS(5) };
	struct impair_line_options line = { .bytes_per_s = LINE_BYTES_PER_S, .queue_bytes = 64000 };
	struct network_mtu_options hop = { .mtu = way->carries,
		                           .later_mtu = way->later,
		                           .later = way->later > 0 ? instant_add(INSTANT_ZERO, DURATION_S(5))
		                                                   : INSTANT_NEVER,
		                           .no_size = way->router == TELLS_NO_SIZE,
		                           .silent = way->router == SILENT };
	static struct host from, at;
	struct impair_element *there;
	struct result result;
	struct sim sim;
	struct endpoint *end;

	sim_begin(&sim, 1);
	begin_host(&from, &sim, 11, way);
	begin_host(&at, &sim, 12, way);
	at.accept_plan = &sink;
	there = network_delay(&sim, &at.element, delay);
	there = network_mtu(&sim, network_loss(&sim, there, way->loss, 1), &from.element, hop);
	from.element.next = network_split(&sim, network_line(&sim, there, line));
	at.element.next = network_delay(&sim, network_split(&sim, &from.element), delay);
	WATCH_CHECK(stack_listen(at.stack, &listen, &at.listener) == 0);
	end = service_connect(&from, &to, &source);
	WATCH_CHECK(end);
	sim_run(&sim, instant_add(INSTANT_ZERO, DURATION_S(20)));
	WATCH_CHECK(at.endpoints && stack_info(from.stack, end->handle, &result.info) == 0);
	result.use = (double)at.endpoints->received / (20.0 * (double)LINE_BYTES_PER_S);
	if (stack_paths(from.stack, &result.path, 1) == 0)
		result.path = (struct stack_path_info){ 0 };
	result.counters = *stack_get_counters(from.stack);
	services_end(&from);
	services_end(&at);
	host_end(&from);
	host_end(&at);
	sim_end(&sim);
	return result;
}

int main(void)
{
	int bad = 0;

	printf("%-24s %6s %6s %6s %6s %6s %6s %6s\n", "path", "use", "pmtu", "mss", "told", "holes", "probes",
	       "lost");
	for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
		struct result result = transfer(&ways[w]);
		uint32_t carries = ways[w].later ? ways[w].later : ways[w].carries;
		bool good = result.use >= ways[w].use && result.info.pmtu >= ways[w].finds_at_least &&
		            result.info.pmtu <= carries && result.info.mss == result.info.pmtu - 52;

		printf("%-24s %6.3f %6u %6u %6u %6u %6u %6u%s\n", ways[w].name, result.use, result.info.pmtu,
		       result.info.mss, (unsigned)result.counters.path_mtu_reports, result.path.black_holes,
		       result.path.probes, result.path.probes_lost, good ? "" : "  BAD");
		bad += !good;
	}
	return bad > 0;
}
