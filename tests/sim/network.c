/* The elements between hosts. */
#include "core/wire/bytes.h"
#include "core/wire/ethernet.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"
#include "sim.h"

#include <stdlib.h>
#include <string.h>

/* What all of them need; each uses of it what it wants. */
struct box {
	struct element element;
	struct packet *first; /* held, in order of `at` */
	struct duration delay, jitter;
	bool reorders;
	struct instant last_out; /* delay: nothing overtakes; rate: the line is busy until then */
	uint64_t bytes_per_s;
	uint32_t queue_bytes, queued;
	uint32_t per_million, burst, left;
	struct element *back;
	uint32_t mtu;
	bool silent;
};

static struct box *box_of(struct element *element)
{
	return (struct box *)element;
}

static void pass(struct element *element, struct packet *packet)
{
	packet->next = NULL;
	element->next->take(element->next, packet);
}

static void drop(struct element *element, struct packet *packet, const char *why)
{
	if (element->sim->trace)
		packet_print(packet, element->sim->now, why);
	free(packet);
}

static void done(struct element *element)
{
	struct packet *packet, *next;

	for (packet = box_of(element)->first; packet; packet = next) {
		next = packet->next;
		free(packet);
	}
	free(element);
}

static struct box *box_new(struct sim *sim, struct element *next, void (*take)(struct element *, struct packet *))
{
	struct box *box = calloc(1, sizeof(*box));

	if (!box)
		abort();
	box->element.take = take;
	box->element.done = done;
	box->element.due = INSTANT_NEVER;
	box->element.next = next;
	sim_add(sim, &box->element);
	return box;
}

/* Holds a packet until `at`; behind those with the same time. */
static void hold(struct box *box, struct packet *packet, struct instant at)
{
	struct packet **link = &box->first;

	while (*link && (*link)->at.ns <= at.ns)
		link = &(*link)->next;
	packet->at = at;
	packet->next = *link;
	*link = packet;
	box->element.due = box->first->at;
}

static void run_held(struct element *element)
{
	struct box *box = box_of(element);

	while (box->first && instant_reached(box->first->at, element->sim->now)) {
		struct packet *packet = box->first;

		box->first = packet->next;
		if (box->bytes_per_s > 0)
			box->queued -= packet->length;
		pass(element, packet);
	}
	element->due = box->first ? box->first->at : INSTANT_NEVER;
}

/* ---- delay, rate -------------------------------------------------------------------------------------------------
 */

static void take_delay(struct element *element, struct packet *packet)
{
	struct box *box = box_of(element);
	struct sim *sim = element->sim;
	struct instant at = instant_add(sim->now, box->delay);

	if (box->jitter.ns > 0)
		at = instant_add(at, sim_duration(sim, DURATION_S(0), box->jitter));
	if (!box->reorders || sim->healed)
		at = instant_max(at, box->last_out);
	box->last_out = instant_max(at, box->last_out);
	hold(box, packet, at);
}

struct element *network_delay(struct sim *sim, struct element *next, struct duration delay, struct duration jitter,
                              bool reorders)
{
	struct box *box = box_new(sim, next, take_delay);

	box->delay = delay;
	box->jitter = jitter;
	box->reorders = reorders;
	box->element.run = run_held;
	return &box->element;
}

static void take_rate(struct element *element, struct packet *packet)
{
	struct box *box = box_of(element);
	struct duration takes = { (int64_t)(packet->length * 1000000000ull / box->bytes_per_s) };

	if (box->queued > 0 && box->queued + packet->length > box->queue_bytes) {
		drop(element, packet, "full");
		return;
	}
	box->queued += packet->length;
	box->last_out = instant_add(instant_max(box->last_out, element->sim->now), takes);
	hold(box, packet, box->last_out);
}

struct element *network_rate(struct sim *sim, struct element *next, uint64_t bytes_per_s, uint32_t queue_bytes)
{
	struct box *box = box_new(sim, next, take_rate);

	box->bytes_per_s = bytes_per_s;
	box->queue_bytes = queue_bytes;
	box->element.run = run_held;
	return &box->element;
}

/* ---- harm --------------------------------------------------------------------------------------------------------
 */

static void take_loss(struct element *element, struct packet *packet)
{
	struct box *box = box_of(element);
	struct sim *sim = element->sim;

	if (box->left == 0 && !sim->healed && sim_chance(sim, box->per_million / box->burst))
		box->left = sim_between(sim, 1, 2 * box->burst - 1);
	if (box->left > 0 && !sim->healed) {
		box->left--;
		drop(element, packet, "lost");
		return;
	}
	pass(element, packet);
}

struct element *network_loss(struct sim *sim, struct element *next, uint32_t per_million, uint32_t burst)
{
	struct box *box = box_new(sim, next, take_loss);

	box->per_million = per_million;
	box->burst = burst;
	return &box->element;
}

static void take_duplicate(struct element *element, struct packet *packet)
{
	struct box *box = box_of(element);

	if (!element->sim->healed && sim_chance(element->sim, box->per_million))
		pass(element, packet_copy(packet));
	pass(element, packet);
}

struct element *network_duplicate(struct sim *sim, struct element *next, uint32_t per_million)
{
	struct box *box = box_new(sim, next, take_duplicate);

	box->per_million = per_million;
	return &box->element;
}

static void take_corrupt(struct element *element, struct packet *packet)
{
	struct sim *sim = element->sim;

	if (!packet->partial && packet->length > ETHERNET_HEADER_BYTES && !sim->healed &&
	    load16(packet->bytes + 12) == ETHERTYPE_IPV4 && sim_chance(sim, box_of(element)->per_million)) {
		/* One bit, so that the checksum is sure to find it. */
		uint32_t at = sim_between(sim, ETHERNET_HEADER_BYTES, packet->length - 1);

		packet->bytes[at] ^= (uint8_t)(1u << sim_between(sim, 0, 7));
		if (sim->trace)
			packet_print(packet, sim->now, "corrupt");
	}
	pass(element, packet);
}

struct element *network_corrupt(struct sim *sim, struct element *next, uint32_t per_million)
{
	struct box *box = box_new(sim, next, take_corrupt);

	box->per_million = per_million;
	return &box->element;
}

/* ---- super-frames, MTU -------------------------------------------------------------------------------------------
 */

static void take_split(struct element *element, struct packet *packet)
{
	struct packet *next;

	for (packet = packet_split(packet); packet; packet = next) {
		next = packet->next;
		pass(element, packet);
	}
}

struct element *network_split(struct sim *sim, struct element *next)
{
	return &box_new(sim, next, take_split)->element;
}

/* RFC 1191: "fragmentation needed", from the router 192.0.2.1. */
static struct packet *too_big(const struct packet *about, uint32_t mtu)
{
	const uint8_t *quoted = about->bytes + ETHERNET_HEADER_BYTES;
	struct icmp_message message = { .type = ICMP_UNREACHABLE,
		                        .code = ICMP_FRAGMENTATION_NEEDED,
		                        .next_hop_mtu = (uint16_t)mtu,
		                        .payload = quoted,
		                        .payload_bytes = 40 };
	struct ip_packet ip = { .source = ip_addr_v4(0xc0000201),
		                .destination = ip_addr_v4(load32(quoted + 12)),
		                .ttl = 64,
		                .protocol = IP_PROTOCOL_ICMP,
		                .payload_bytes = ICMP_HEADER_BYTES + 40 };
	struct ethernet_header ethernet = { .source = { { 2, 0, 0, 0, 0, 1 } }, .type = ETHERTYPE_IPV4 };
	struct packet *packet = packet_new(ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES + ip.payload_bytes);

	memcpy(ethernet.destination.b, about->bytes + 6, 6);
	ethernet_write(packet->bytes, &ethernet);
	ipv4_write(packet->bytes + ETHERNET_HEADER_BYTES, &ip);
	icmp_write(packet->bytes + ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES, &message);
	return packet;
}

static void take_mtu(struct element *element, struct packet *packet)
{
	struct box *box = box_of(element);

	if (packet_wire_mtu(packet) <= box->mtu) {
		pass(element, packet);
		return;
	}
	if (!box->silent)
		box->back->take(box->back, too_big(packet, box->mtu));
	drop(element, packet, "too big");
}

struct element *network_mtu(struct sim *sim, struct element *next, struct element *back, uint32_t mtu, bool silent)
{
	struct box *box = box_new(sim, next, take_mtu);

	box->back = back;
	box->mtu = mtu;
	box->silent = silent;
	return &box->element;
}

/* ---- switch ------------------------------------------------------------------------------------------------------
 */

#define PORTS_MAX 8

struct network_switch {
	struct element element;
	uint32_t count;
	struct {
		uint8_t mac[6];
		struct element *element;
	} port[PORTS_MAX];
};

static void take_switch(struct element *element, struct packet *packet)
{
	struct network_switch *network = (struct network_switch *)element;

	for (uint32_t i = 0; i < network->count; i++) {
		struct element *port = network->port[i].element;
		bool from = memcmp(packet->bytes + 6, network->port[i].mac, 6) == 0;

		if (memcmp(packet->bytes, network->port[i].mac, 6) == 0 || ((packet->bytes[0] & 1) && !from))
			port->take(port, packet_copy(packet));
	}
	free(packet);
}

static void switch_done(struct element *element)
{
	free(element);
}

struct element *network_switch(struct sim *sim)
{
	struct network_switch *network = calloc(1, sizeof(*network));

	if (!network)
		abort();
	network->element.take = take_switch;
	network->element.done = switch_done;
	network->element.due = INSTANT_NEVER;
	sim_add(sim, &network->element);
	return &network->element;
}

void network_switch_port(struct element *element, const uint8_t mac[6], struct element *port)
{
	struct network_switch *network = (struct network_switch *)element;

	if (network->count == PORTS_MAX)
		abort();
	memcpy(network->port[network->count].mac, mac, 6);
	network->port[network->count++].element = port;
}
