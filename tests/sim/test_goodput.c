/* Goodput of one long transfer, by algorithm, delay and loss, in a table that is compared to the byte with a stored
 * one: all is deterministic, so any difference comes from a change, and is either meant or a bug. Some proportions
 * must hold besides, whatever the table says.
 *
 * TAPSTACK_GOLDEN_UPDATE=1 writes tests/sim/goodput.txt anew: read the difference before it is committed. */
#include "service.h"
#include "tapstack/plugin.h"

#include <stdlib.h>

#define LINE_BYTES_PER_S 2500000ull
#define SECONDS 10
#define PORT 80

static const uint32_t delays_ms[] = { 1, 20, 100 };         /* round trip */
static const uint32_t losses[] = { 0, 1000, 10000, 30000 }; /* of a million */
#define DELAYS 3
#define LOSSES 4

struct way {
	const char *name;
	bool cubic, sack;
	uint32_t gso_bytes;
};
static const struct way ways[] = {
	{ "reno", false, true, 0 }, { "reno-nosack", false, false, 0 }, { "reno-gso", false, true, 65536 },
	{ "cubic", true, true, 0 }, { "cubic-gso", true, true, 65536 },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

typedef uint64_t table[WAYS][DELAYS][LOSSES];

static const struct tapstack_param_value cubic_values[] = { { 0.4, NULL }, { 0.7, NULL }, { 1, NULL }, { 1, NULL } };
static struct stack_congestion cubic = {
	.name = "cubic",
	.id = 1,
	.params = { sizeof(struct tapstack_params), 4, cubic_values },
};

static void begin_host(struct host *host, struct sim *sim, uint8_t number, const struct way *way)
{
	struct stack_config config;

	stack_config_init(&config);
	memset(config.secret, number, sizeof(config.secret));
	config.mac = (struct mac_addr){ { 2, 0, 0, 0, 0, number } };
	config.address[0] = (struct stack_address){ ip_addr_v4(0xc0000200 + number), 120 };
	config.address_count = 1;
	config.checksum_offload = true;
	config.gso_bytes_max = way->gso_bytes;
	config.tcp.sack = way->sack;
	config.congestion_default = way->cubic ? &cubic : NULL;
	memset(host, 0, sizeof(*host));
	host_begin(host, sim, &config, 1000, 1000000000);
}

/* Bytes that arrive in SECONDS. The way there loses, the way back doesn't. */
static uint64_t transfer(const struct way *way, uint32_t delay_ms, uint32_t loss)
{
	static const struct plan sink = { .read_max = 1 << 20, .ending = END_SHUTDOWN };
	static const struct plan source = { .send_bytes = 1u << 31, .write_max = 1 << 20, .ending = END_SHUTDOWN };
	struct stack_connect_options to = { .remote = ip_addr_v4(0xc0000202), .remote_port = PORT };
	struct stack_listen_options listen = { .port = PORT, .backlog = 1 };
	struct duration delay = DURATION_US(500 * delay_ms);
	uint32_t queue = (uint32_t)(LINE_BYTES_PER_S * delay_ms / 1000);
	static struct host from, at;
	struct sim sim;
	uint64_t bytes;

	sim_begin(&sim, 1);
	begin_host(&from, &sim, 1, way);
	begin_host(&at, &sim, 2, way);
	at.accept_plan = &sink;
	from.element.next =
	        network_loss(&sim, network_delay(&sim, &at.element, delay, DURATION_S(0), false), loss, 1);
	from.element.next = network_rate(&sim, from.element.next, LINE_BYTES_PER_S, queue < 64000 ? 64000 : queue);
	from.element.next = network_split(&sim, from.element.next);
	at.element.next = network_delay(&sim, network_split(&sim, &from.element), delay, DURATION_S(0), false);
	WATCH_CHECK(stack_listen(at.stack, &listen, &at.listener) == 0);
	WATCH_CHECK(service_connect(&from, &to, &source));
	sim_run(&sim, instant_add(INSTANT_ZERO, DURATION_S(SECONDS)));
	WATCH_CHECK(at.endpoints);
	bytes = at.endpoints->received;
	services_end(&from);
	services_end(&at);
	host_end(&from);
	host_end(&at);
	sim_end(&sim);
	return bytes;
}

static void write_table(FILE *file, table *goodput)
{
	fprintf(file,
	        "# bytes in %d s over a line of %llu bytes/s: algorithm, round trip in ms, bytes at each loss\n",
	        SECONDS, LINE_BYTES_PER_S);
	fprintf(file, "# %-14s %6s", "", "loss");
	for (int l = 0; l < LOSSES; l++)
		fprintf(file, " %9.1f%%", losses[l] / 10000.0);
	fprintf(file, "\n");
	for (size_t w = 0; w < WAYS; w++) {
		for (int d = 0; d < DELAYS; d++) {
			fprintf(file, "%-16s %6u", ways[w].name, delays_ms[d]);
			for (int l = 0; l < LOSSES; l++)
				fprintf(file, " %10llu", (unsigned long long)(*goodput)[w][d][l]);
			fprintf(file, "\n");
		}
	}
}

static int compare(table *goodput, const char *path)
{
	static char stored[8192], fresh[8192];
	FILE *file = fopen(path, "r");

	if (!file) {
		perror(path);
		return 1;
	}
	stored[fread(stored, 1, sizeof(stored) - 1, file)] = '\0';
	fclose(file);
	file = fmemopen(fresh, sizeof(fresh), "w");
	write_table(file, goodput);
	fclose(file);
	if (strcmp(stored, fresh) == 0)
		return 0;
	printf("differs from %s:\n%s\nstored is:\n%s", path, fresh, stored);
	return 1;
}

static int at_least(const char *what, double is, double should)
{
	if (is >= should)
		return 0;
	printf("%s: %.3f, at least %.3f is expected\n", what, is, should);
	return 1;
}

/* What must hold of any table. */
static int check_proportions(table *goodput)
{
	double most = (double)LINE_BYTES_PER_S * SECONDS * 1448 / 1514; /* the rest is headers */
	char what[64];
	int bad = 0;

	for (size_t w = 0; w < WAYS; w++) {
		for (int d = 0; d < DELAYS; d++) {
			const uint64_t *row = (*goodput)[w][d];

			snprintf(what, sizeof(what), "%s, %u ms: use of a clean line", ways[w].name, delays_ms[d]);
			/* Without SACK, what slow start lost at its end is repaired one segment a round trip. */
			bad += at_least(what, (double)row[0] / most,
			                !ways[w].sack     ? 0.65
			                : d == DELAYS - 1 ? 0.80
			                                  : 0.95);
			snprintf(what, sizeof(what), "%s, %u ms: less with more loss", ways[w].name, delays_ms[d]);
			for (int l = 1; l < LOSSES; l++)
				bad += at_least(what, (double)row[l - 1] * 1.02, (double)row[l]);
		}
	}
	/* RFC 9438: the curve, not the round trip, sets the pace where there is room. */
	bad += at_least("cubic over reno at 100 ms and 0.1 %",
	                (double)(*goodput)[3][2][1] / (double)(*goodput)[0][2][1], 1.2);
	bad += at_least("SACK over none at 20 ms and 1 %", (double)(*goodput)[0][1][2] / (double)(*goodput)[1][1][2],
	                1.0);
	return bad;
}

int main(void)
{
	const char *folder = getenv("TAPSTACK_SRCDIR");
	static table goodput;
	char path[4096];
	FILE *file;

	cubic.ops = tapstack_plugin.ops;
	snprintf(path, sizeof(path), "%s/tests/sim/goodput.txt", folder ? folder : ".");
	for (size_t w = 0; w < WAYS; w++) {
		for (int d = 0; d < DELAYS; d++) {
			for (int l = 0; l < LOSSES; l++)
				goodput[w][d][l] = transfer(&ways[w], delays_ms[d], losses[l]);
		}
	}
	if (getenv("TAPSTACK_GOLDEN_UPDATE")) {
		file = fopen(path, "w");
		if (!file) {
			perror(path);
			return 1;
		}
		write_table(file, &goodput);
		fclose(file);
	}
	return check_proportions(&goodput) + compare(&goodput, path) > 0;
}
