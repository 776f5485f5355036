#pragma once
/* Looking into packets: what only the simulator needs. */
#include "link/impair/packet.h"
#include "sim.h"

/* Bytes of the longest IP packet that it will be on the wire. */
uint32_t packet_wire_mtu(const struct impair_packet *packet);
/* One line about it. */
void packet_print(const struct impair_packet *packet, struct instant now, const char *what);
