/* One transfer over a path with one kind of trouble: random loss, a retransmission lost, the tail lost, reordering, a
 * pause of the path. What must not happen is a time-out, and what was no loss must not cost anything in the end. */
#include "core/wire/bytes.h"
#include "network.h"
#include "packet.h"
#include "service.h"

#include <stdlib.h>

#define LINE_BYTES_PER_S 25000000ull
#define PORT 80
#define SEGMENT 1448u
#define PAUSE_AT DURATION_MS(150)
#define PAUSE DURATION_MS(400)

enum trouble_kind {
	NOTHING,
	LOSE_AT_RANDOM, /* `amount` of a million */
	LOSE_TWICE,     /* the segment at `amount`, and what is sent for it first */
	LOSE_TAIL,      /* the last `amount` segments */
	REORDER,        /* every hundredth segment comes after the `amount` that were sent behind it */
	PAUSE_ONCE,     /* nothing moves for a while */
};

struct expected {
	uint32_t timeouts_max, recoveries_max, needless_max; /* needless: segments sent again in vain */
	uint32_t probes_min, lost_again_min, undos_min, spurious_rto_min;
	uint32_t lasts_ms_max;
	bool window_kept; /* no reduction is left at the end */
};

static const struct trial {
	const char *name;
	enum trouble_kind kind;
	uint32_t amount, segments;
	struct expected expected;
} trials[] = {
	{ "nothing", NOTHING, 0, 1000, { 0, 0, 0, 0, 0, 0, 0, 250, true } },
	{ "1 % at random", LOSE_AT_RANDOM, 10000, 5000, { 0, 50, 0, 0, 0, 0, 0, 9000, false } },
	{ "a retransmission", LOSE_TWICE, 60, 1000, { 0, 1, 0, 0, 1, 0, 0, 650, false } },
	{ "the last segment", LOSE_TAIL, 1, 1000, { 0, 0, 0, 1, 0, 0, 0, 500, false } },
	{ "the last three", LOSE_TAIL, 3, 1000, { 0, 1, 0, 1, 0, 0, 0, 400, false } },
	{ "the last ten", LOSE_TAIL, 10, 1000, { 0, 1, 0, 1, 0, 0, 0, 500, false } },
	{ "reordering by 3", REORDER, 3, 1000, { 0, 0, 0, 0, 0, 0, 0, 250, true } },
	{ "reordering by 30", REORDER, 30, 1000, { 0, 2, 2, 0, 0, 1, 0, 250, true } },
	{ "a pause", PAUSE_ONCE, 0, 1000, { 1, 0, 2, 0, 0, 1, 1, 650, true } },
};

/* ---- the path ----------------------------------------------------------------------------------------------------
 */

struct trouble {
	struct impair_element element;
	const struct trial *trial;
	uint32_t iss;   /* of the sender */
	uint32_t fresh; /* segments sent for the first time */
	uint32_t again; /* segments sent again */
	uint32_t lost, lost_at;
	struct impair_packet *late; /* held back until `behind` have passed */
	uint32_t behind;
	struct impair_held held;
};

/* Is this one to be lost? `position` is that of a segment, counted from 0. */
static bool loses(struct trouble *trouble, uint32_t position, bool fresh)
{
	const struct trial *trial = trouble->trial;

	switch (trial->kind) {
	case LOSE_AT_RANDOM:
		return impair_chance(&trouble->element.random, trial->amount);
	case LOSE_TWICE:
		return position == trial->amount && trouble->lost < 2;
	case LOSE_TAIL:
		return fresh && position >= trial->segments - trial->amount;
	default:
		return false;
	}
}

/* One more has passed; the one that was held back may follow. */
static void passed(struct trouble *trouble, struct instant now)
{
	struct impair_packet *late = trouble->late;

	if (!late || --trouble->behind > 0)
		return;
	trouble->late = NULL;
	trouble->element.due = INSTANT_NEVER;
	impair_pass(&trouble->element, now, late);
}

static bool is_paused(const struct trouble *trouble, struct instant now)
{
	struct instant from = instant_add(INSTANT_ZERO, PAUSE_AT);

	return trouble->trial->kind == PAUSE_ONCE && instant_reached(from, now) &&
	       instant_before(now, instant_add(from, PAUSE));
}

static void take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	struct trouble *trouble = (struct trouble *)element;
	const struct trial *trial = trouble->trial;
	struct packet_view view;
	uint32_t position;
	bool fresh;

	if (!packet_view(packet, &view) || (view.payload_bytes == 0 && !(view.tcp[13] & 2))) {
		impair_pass(element, now, packet);
		return;
	}
	if (view.tcp[13] & 2) {
		trouble->iss = load32(view.tcp + 4);
		impair_pass(element, now, packet);
		return;
	}
	position = (load32(view.tcp + 4) - trouble->iss - 1) / SEGMENT;
	fresh = position >= trouble->fresh;
	if (fresh)
		trouble->fresh = position + 1;
	else
		trouble->again++;
	if (loses(trouble, position, fresh)) {
		trouble->lost++;
		impair_drop(element, now, packet, "lost");
	} else if (is_paused(trouble, now)) {
		element->due = instant_add(instant_add(INSTANT_ZERO, PAUSE_AT), PAUSE);
		impair_hold(&trouble->held, packet, element->due);
	} else if (trial->kind == REORDER && fresh && position % 100 == 50 && !trouble->late) {
		trouble->late = packet;
		trouble->behind = trial->amount;
		element->due = instant_add(now, DURATION_S(1));
	} else {
		impair_pass(element, now, packet);
		passed(trouble, now);
	}
}

static void run(struct impair_element *element, struct instant now)
{
	struct trouble *trouble = (struct trouble *)element;
	struct impair_packet *packet;

	element->due = INSTANT_NEVER;
	while ((packet = impair_unhold(&trouble->held)))
		impair_pass(element, now, packet);
	if (trouble->late) {
		packet = trouble->late;
		trouble->late = NULL;
		impair_pass(element, now, packet);
	}
}

static void clear(struct impair_element *element)
{
	struct trouble *trouble = (struct trouble *)element;

	impair_held_clear(element->impair, &trouble->held);
	if (trouble->late)
		impair_packet_free(element->impair, trouble->late);
	trouble->late = NULL;
}

/* ---- a transfer over it
 * -------------------------------------------------------------------------------------------- */

static void begin_host(struct host *host, struct sim *sim, uint8_t number)
{
	struct stack_config config;

	stack_config_init(&config);
	memset(config.secret, number, sizeof(config.secret));
	config.mac = (struct mac_addr){ { 2, 0, 0, 0, 0, number } };
	config.address[0] = (struct stack_address){ ip_addr_v4(0xc0000200 + number), 120 };
	config.address_count = 1;
	config.checksum_offload = true;
	/* The receive window must not be what ends the sending: where nothing follows, nothing tells of a loss. */
	config.tcp.rcvbuf_initial_bytes = config.tcp.rcvbuf_max_bytes = 8 << 20;
	memset(host, 0, sizeof(*host));
	host_begin(host, sim, &config, 1000, 1000000000);
}

struct result {
	struct stack_conn_info info;
	struct stack_counters counters;
	uint32_t again, lost, lasts_ms;
	bool whole;
};

static struct result transfer(const struct trial *trial)
{
	static const struct plan sink = { .read_max = 1 << 20, .ending = END_AFTER_PEER };
	struct plan source = { .send_bytes = (uint64_t)trial->segments * SEGMENT,
		               .write_max = 1 << 20,
		               .ending = END_AFTER_PEER };
	struct stack_connect_options to = { .remote = ip_addr_v4(0xc000020c), .remote_port = PORT };
	struct stack_listen_options listen = { .port = PORT, .backlog = 1 };
	struct impair_delay_options delay = { .delay = DURATION_MS(10) };
	struct impair_line_options line = { .bytes_per_s = LINE_BYTES_PER_S, .queue_bytes = 1 << 20 };
	struct trouble trouble = { .element = { .take = take, .run = run, .clear = clear }, .trial = trial };
	static struct host from, at;
	struct result result = { 0 };
	struct instant now = INSTANT_ZERO;
	struct endpoint *end;
	struct sim sim;

	sim_begin(&sim, 1);
	begin_host(&from, &sim, 11);
	begin_host(&at, &sim, 12);
	at.accept_plan = &sink;
	impair_add(&sim.impair, &trouble.element, network_delay(&sim, &at.element, delay));
	from.element.next = network_split(&sim, network_line(&sim, &trouble.element, line));
	at.element.next = network_delay(&sim, network_split(&sim, &from.element), delay);
	WATCH_CHECK(stack_listen(at.stack, &listen, &at.listener) == 0);
	end = service_connect(&from, &to, &source);
	WATCH_CHECK(end);
	while (!result.whole && now.ns < DURATION_S(30).ns) {
		now = instant_add(now, DURATION_MS(10));
		sim_run(&sim, now);
		result.whole = at.endpoints && at.endpoints->received == source.send_bytes;
	}
	result.lasts_ms = (uint32_t)(now.ns / 1000000);
	/* A D-SACK may still be on its way. */
	sim_run(&sim, instant_add(now, DURATION_MS(100)));
	WATCH_CHECK(stack_info(from.stack, end->handle, &result.info) == 0);
	result.counters = *stack_get_counters(from.stack);
	result.again = trouble.again;
	result.lost = trouble.lost;
	services_end(&from);
	services_end(&at);
	host_end(&from);
	host_end(&at);
	sim_end(&sim);
	return result;
}

static bool is_good(const struct expected *expected, const struct result *result)
{
	uint32_t needless = result->again > result->lost ? result->again - result->lost : 0;
	const struct stack_counters *counters = &result->counters;

	return result->whole && counters->retransmission_timeouts <= expected->timeouts_max &&
	       counters->fast_recoveries <= expected->recoveries_max && needless <= expected->needless_max &&
	       counters->tlp_probes >= expected->probes_min &&
	       counters->lost_retransmissions >= expected->lost_again_min && counters->undos >= expected->undos_min &&
	       counters->spurious_rto >= expected->spurious_rto_min && result->lasts_ms <= expected->lasts_ms_max &&
	       (!expected->window_kept || result->info.ssthresh == UINT64_MAX);
}

/* usage: test_losses [NAME]: all, or one of them. */
int main(int argc, char **argv)
{
	int bad = 0;

	printf("%-18s %6s %6s %6s %6s %6s %6s %6s %6s %6s %8s\n", "trouble", "RTOs", "recov", "again", "lost",
	       "probes", "twice", "dsacks", "undos", "ms", "cwnd");
	for (size_t t = 0; t < sizeof(trials) / sizeof(trials[0]); t++) {
		struct result result;
		const struct stack_counters *counters = &result.counters;
		bool good;

		if (argc > 1 && strcmp(argv[1], trials[t].name) != 0)
			continue;
		result = transfer(&trials[t]);
		good = is_good(&trials[t].expected, &result);

		printf("%-18s %6u %6u %6u %6u %6u %6u %6u %6u %6u %8u%s\n", trials[t].name,
		       (unsigned)counters->retransmission_timeouts, (unsigned)counters->fast_recoveries, result.again,
		       result.lost, (unsigned)counters->tlp_probes, (unsigned)counters->lost_retransmissions,
		       (unsigned)counters->dsack_received, (unsigned)counters->undos, result.lasts_ms,
		       (unsigned)result.info.cwnd, good ? "" : "  BAD");
		bad += !good;
	}
	return bad > 0;
}
