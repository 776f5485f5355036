#pragma once
/* What must hold of every segment that a host sends, judged from the wire alone: by what has arrived there and by
 * what it has sent before. Nothing that arrived is known to have been taken, so all is judged by the most that it can
 * have been allowed; what no peer could accuse it of is no breach. A breach is told and aborts. */
#include "packet.h"

struct wire_flow;

struct wire {
	struct mac_addr mac;       /* of the host */
	struct wire_flow *flows;   /* the newest first */
	struct wire_syn *syns;     /* that arrived, the newest first */
	uint64_t segments, judged; /* that were sent; of which so many could be judged in all respects */
};

void wire_end(struct wire *wire);
/* A frame that arrives at the host, just before the stack has it. */
void wire_in(struct wire *wire, const struct impair_packet *packet);
/* The stack has taken that frame for a SYN cookie that came back: the connection begins, maybe not for the first
 * time.
 */
void wire_reborn(struct wire *wire, const struct impair_packet *packet);
/* A frame that the host sends. */
void wire_out(struct wire *wire, const struct impair_packet *packet);

/* A connection of the host, as it stood at the end of the last turn; for who looks inside (inside.c). */
struct wire_notes {
	struct instant owes_ack_since; /* NEVER: it doesn't */
	uint32_t snd_nxt;
	uint32_t rcvbuf_max; /* that it ever had */
	bool seen;
	bool reno; /* then the built-in algorithm decided */
};
/* Of the connection with this ISS; NULL: not known. *ret_ack is what the host has acknowledged last on the wire. */
struct wire_notes *wire_notes(const struct wire *wire, const struct flow *flow, uint32_t iss, uint32_t *ret_ack);
