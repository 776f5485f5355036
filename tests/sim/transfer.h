#pragma once
/* Long transfers over one bottleneck, to measure what they reach: senders and receivers at the ends of a dumbbell
 * without routers, the same way for all, with a delay of its own for each. Deterministic: a seed makes a run. */
#include "service.h"

enum transfer_harm {
	TRANSFER_LOSS,     /* independent of each other, on the way of the data */
	TRANSFER_BURST,    /* the same average, in bursts of 8 packets */
	TRANSFER_REORDER,  /* packets are held back for up to a quarter of the round trip, ten times as many */
	TRANSFER_ACK_LOSS, /* on the way of the ACKs, ten times as many */
};

struct transfer_path {
	const char *name;
	uint64_t bytes_per_s;
	uint32_t rtt_ms;          /* both ways together, without the queue */
	uint32_t buffer_permille; /* of what the line carries in a round trip; at least TRANSFER_BUFFER_MIN */
	enum impair_discipline discipline;
	bool ecn; /* of CoDel */
	enum transfer_harm harm;
};
#define TRANSFER_BUFFER_MIN 15000u

struct transfer_sender {
	const struct stack_congestion *congestion;
	bool no_sack, no_ecn;
	uint32_t gso_bytes;
	uint32_t extra_rtt_ms;
	int64_t (*stopwatch)(void); /* of callbacks; NULL: none */
};

#define TRANSFER_SENDERS_MAX 4
/* What arrives from each sender within `seconds`. `harm` is per million. */
void transfer_run(const struct transfer_path *path, uint32_t harm, const struct transfer_sender *senders,
                  uint32_t count, uint32_t seconds, uint64_t seed, uint64_t *ret_bytes);
/* How long `bytes` take from one sender, from its SYN on; `seconds_max` if they take longer. */
struct duration transfer_time(const struct transfer_path *path, uint32_t harm, const struct transfer_sender *sender,
                              uint64_t bytes, uint32_t seconds_max, uint64_t seed);
