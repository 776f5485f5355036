/* The impairment of links as parts of a network, switches. */
#include "network.h"

#include "core/wire/ethernet.h"
#include "packet.h"

#include <stdlib.h>
#include <string.h>

#define BEGIN(kind, options)                                                                                         \
	struct impair_##kind *element = sim_alloc(sim, sizeof(*element));                                            \
                                                                                                                     \
	impair_##kind##_begin(element, &sim->impair, next, options);                                                 \
	return &element->element

struct impair_element *network_delay(struct sim *sim, struct impair_element *next,
                                     struct impair_delay_options options)
{
	BEGIN(delay, &options);
}

struct impair_element *network_reorder(struct sim *sim, struct impair_element *next,
                                       struct impair_reorder_options options)
{
	BEGIN(reorder, &options);
}

struct impair_element *network_line(struct sim *sim, struct impair_element *next, struct impair_line_options options)
{
	BEGIN(line, &options);
}

static struct impair_element *burst(struct sim *sim, struct impair_element *next, struct impair_burst_options options)
{
	BEGIN(burst, &options);
}

static struct impair_element *loss(struct sim *sim, struct impair_element *next, uint32_t per_million)
{
	BEGIN(loss, per_million);
}

struct impair_element *network_loss(struct sim *sim, struct impair_element *next, uint32_t per_million,
                                    uint32_t burst_packets)
{
	if (burst_packets > 1)
		return burst(sim, next, impair_burst_of(per_million, burst_packets));
	return loss(sim, next, per_million);
}

struct impair_element *network_outage(struct sim *sim, struct impair_element *next,
                                      struct impair_outage_options options)
{
	BEGIN(outage, &options);
}

struct impair_element *network_duplicate(struct sim *sim, struct impair_element *next, uint32_t per_million)
{
	BEGIN(duplicate, per_million);
}

struct impair_element *network_corrupt(struct sim *sim, struct impair_element *next, uint32_t per_million)
{
	BEGIN(corrupt, per_million);
}

struct impair_element *network_split(struct sim *sim, struct impair_element *next)
{
	struct impair_split *element = sim_alloc(sim, sizeof(*element));

	impair_split_begin(element, &sim->impair, next);
	return &element->element;
}

/* ---- switch ------------------------------------------------------------------------------------------------------
 */

#define PORTS_MAX 8

struct network_switch {
	struct impair_element element;
	struct impair_element *trunk;
	uint32_t count;
	struct {
		struct mac_addr mac;
		struct impair_element *element;
	} port[PORTS_MAX];
};

static void switch_take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	struct network_switch *network = (struct network_switch *)element;
	bool group = packet->bytes[0] & 1, is_local = false, was_local = false;

	for (uint32_t i = 0; i < network->count; i++) {
		const struct mac_addr *mac = &network->port[i].mac;
		bool from = memcmp(packet->bytes + 6, mac, sizeof(*mac)) == 0;
		bool to = memcmp(packet->bytes, mac, sizeof(*mac)) == 0;

		is_local = is_local || to;
		was_local = was_local || from;
		if (to || (group && !from))
			impair_give(network->port[i].element, now, impair_packet_copy(element->impair, packet));
	}
	if (network->trunk && was_local && !is_local)
		impair_give(network->trunk, now, packet);
	else
		impair_packet_free(element->impair, packet);
}

void network_switch_trunk(struct network_switch *network, struct impair_element *trunk)
{
	network->trunk = trunk;
}

struct network_switch *network_switch(struct sim *sim)
{
	struct network_switch *network = sim_alloc(sim, sizeof(*network));

	network->element.take = switch_take;
	impair_add(&sim->impair, &network->element, NULL);
	return network;
}

struct impair_element *network_switch_in(struct network_switch *network)
{
	return &network->element;
}

void network_switch_port(struct network_switch *network, struct mac_addr mac, struct impair_element *port)
{
	if (network->count == PORTS_MAX)
		abort();
	network->port[network->count].mac = mac;
	network->port[network->count++].element = port;
}
