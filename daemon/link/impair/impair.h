#pragma once
/* Impairment: what a bad path does to packets. A path is a chain of elements; each takes one packet at a time and
 * passes it on to the next, now or later. Sans-I/O: packets and time are arguments, the deadline is a result, and all
 * chance comes from one seed, so that a run can be had again. The owner of the chain calls
 *
 *     impair_give(first, now, packet)...   for what enters
 *     impair_run(impair, now)              when impair_deadline(impair) has come
 *
 * and puts an element of its own at the end, whose `take` sends the packet on its way.
 *
 * Times are exact also when the caller is late: an element passes a packet on with the time at which it was due, so
 * lateness does not add up along the chain, and a line of so many bytes a second carries just as many.
 *
 * Every element has random numbers of its own, made from the seed and from its place in the order of creation: what
 * one of them does to the n-th packet does not depend on what the others have done. */
#include "core/base/memory.h"
#include "core/base/time.h"
#include "link/impair/codel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- packets ----------------------------------------------------------------------------------------------------
 */

/* A frame on its way, from the Ethernet header on. It belongs to who holds it. The fields below `length` are those of
 * struct frame_out and of a vnet header: elements carry them along. */
struct impair_packet {
	struct impair_packet *next, *previous; /* for the element that holds it */
	struct instant at;                     /* likewise: when it may go on, or since when it waits */
	uint32_t length;
	uint16_t gso_bytes;                       /* payload of each segment of a super-frame, else 0 */
	uint16_t header_bytes;                    /* of a super-frame: what each segment repeats */
	uint16_t checksum_start, checksum_offset; /* offset 0: the checksum is complete */
	bool is_ipv6;
	bool damaged; /* a bit has been turned over */
	uint8_t bytes[];
};

struct impair_random {
	uint64_t state;
};
uint64_t impair_random_u64(struct impair_random *random);
/* True in `per_million` of a million cases. */
bool impair_chance(struct impair_random *random, uint32_t per_million);
/* In [low, high]. */
struct duration impair_between(struct impair_random *random, struct duration low, struct duration high);

/* ---- elements ---------------------------------------------------------------------------------------------------
 */

struct impair;

struct impair_counters {
	uint64_t taken;   /* packets that came */
	uint64_t dropped; /* and went no further */
	uint64_t harmed;  /* were duplicated, corrupted, held back, or marked */
};

/* The head of every element. The structs below are their owner's: embedded, or allocated by him. */
struct impair_element {
	void (*take)(struct impair_element *element, struct instant now, struct impair_packet *packet);
	void (*run)(struct impair_element *element, struct instant now); /* `due` has come; sets it anew */
	void (*clear)(struct impair_element *element);                   /* frees what it holds; NULL: nothing */
	struct instant due;                                              /* INSTANT_NEVER: waits for packets */
	struct impair_element *next;
	struct impair *impair;
	struct impair_element *next_of_impair;
	struct impair_random random;
	struct impair_counters counters;
};

/* What the elements of one or more chains have in common. */
struct impair {
	struct memory memory; /* of packets */
	struct impair_element *first, *last;
	struct impair_random seeds;
	bool resting; /* nothing is lost, doubled, damaged, or taken out of order; delay and rate stay */
	/* Hears of every packet that is dropped or harmed, and why; NULL: nobody does. */
	void (*tell)(void *context, struct instant now, const struct impair_packet *packet, const char *what);
	void *tell_context;
};

void impair_begin(struct impair *impair, const struct memory *memory, uint64_t seed);
/* Frees all packets that are held. The elements are their owners'. */
void impair_end(struct impair *impair);
/* Joins an element, with `next` behind it (may be set later; NULL only for the last). Sets all of its head but
 * `take`, `run` and `clear`. It must stay in place until impair_end. */
void impair_add(struct impair *impair, struct impair_element *element, struct impair_element *next);
/* The earliest time at which something is due. */
struct instant impair_deadline(const struct impair *impair);
/* All that is due by now. */
void impair_run(struct impair *impair, struct instant now);

/* `length` bytes, not filled; NULL: no memory. */
struct impair_packet *impair_packet_new(struct impair *impair, uint32_t length);
struct impair_packet *impair_packet_copy(struct impair *impair, const struct impair_packet *packet);
void impair_packet_free(struct impair *impair, struct impair_packet *packet);

/* Hands a packet over to an element. */
static inline void impair_give(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	element->counters.taken++;
	element->take(element, now, packet);
}

/* For elements: hands a packet on to the next, or ends its way. */
static inline void impair_pass(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	impair_give(element->next, now, packet);
}
void impair_drop(struct impair_element *element, struct instant now, struct impair_packet *packet, const char *why);
/* Counts and tells what was done to a packet that goes on. */
void impair_harm(struct impair_element *element, struct instant now, const struct impair_packet *packet,
                 const char *what);

/* Packets in order of `at`; those with the same in the order in which they came. */
struct impair_held {
	struct impair_packet *first, *last;
	uint32_t packets;
	uint64_t bytes;
};
/* Time grows with the number of packets that it goes before. */
void impair_hold(struct impair_held *held, struct impair_packet *packet, struct instant at);
/* The first; NULL: there is none. */
struct impair_packet *impair_unhold(struct impair_held *held);
void impair_held_clear(struct impair *impair, struct impair_held *held);

/* ---- time: delay.c -----------------------------------------------------------------------------------------------
 */

/* Each packet takes `delay`, and up to `jitter` more. */
struct impair_delay_options {
	struct duration delay, jitter;
	bool reorders;        /* with jitter, a later one may overtake */
	uint32_t packets_max; /* more are dropped; 0: no limit */
};
struct impair_delay {
	struct impair_element element;
	struct impair_delay_options options;
	struct impair_held held;
	struct instant last_out;
};
void impair_delay_begin(struct impair_delay *delay, struct impair *impair, struct impair_element *next,
                        const struct impair_delay_options *options);

/* Holds some packets back between `hold_min` and `hold_max`, so that later ones overtake them. */
struct impair_reorder_options {
	uint32_t per_million;
	struct duration hold_min, hold_max;
	uint32_t packets_max; /* while so many are held, no more are; 0: no limit */
};
struct impair_reorder {
	struct impair_element element;
	struct impair_reorder_options options;
	struct impair_held held;
};
void impair_reorder_begin(struct impair_reorder *reorder, struct impair *impair, struct impair_element *next,
                          const struct impair_reorder_options *options);

/* ---- a line and its queue: line.c ---------------------------------------------------------------------------------
 */

enum impair_discipline {
	IMPAIR_DROP_TAIL,
	IMPAIR_CODEL, /* RFC 8289 */
	IMPAIR_STEP, /* marks all that has waited longer than `target` (RFC 8257 section 3.1, RFC 9332 section 2.4) */
};

struct impair_line_options {
	uint64_t bytes_per_s;                /* > 0 */
	uint32_t overhead_bytes;             /* each packet takes so many more on the wire */
	uint32_t queue_bytes, queue_packets; /* limits of what waits; 0: none. One packet always may */
	enum impair_discipline discipline;
	struct duration target, interval; /* 0: 5 ms and 100 ms with CoDel, 1 ms with STEP */
	bool ecn; /* CoDel: packets of ECN-capable transports are marked, not dropped (RFC 3168 section 5) */
	/* Lines of several threads that are one: until when it is taken, in ns. Each of them has a queue of its own,
	 * and gets its turn packet by packet. NULL: this line is nobody else's. */
	_Atomic int64_t *busy_until;
};
struct impair_line {
	struct impair_element element;
	struct impair_line_options options;
	struct impair_held queue;
	struct impair_packet *sending; /* on the line until `element.due` */
	struct codel codel;
	uint64_t marked;
};
void impair_line_begin(struct impair_line *line, struct impair *impair, struct impair_element *next,
                       const struct impair_line_options *options);

/* ---- harm: harm.c -------------------------------------------------------------------------------------------------
 */

/* Loses packets independently of each other. */
struct impair_loss {
	struct impair_element element;
	uint32_t per_million;
};
void impair_loss_begin(struct impair_loss *loss, struct impair *impair, struct impair_element *next,
                       uint32_t per_million);

/* Gilbert and Elliott's two states: before each packet the path may turn bad, or good again; each state has a loss of
 * its own, per million. Mean length of a bad time: IMPAIR_BURST_SURE / `turns_good` packets. */
#define IMPAIR_BURST_SURE (UINT64_C(1) << 63)
struct impair_burst_options {
	uint64_t turns_bad, turns_good; /* cases in IMPAIR_BURST_SURE: long bursts that are rare take small chances */
	uint32_t loss_good, loss_bad;
};
struct impair_burst {
	struct impair_element element;
	struct impair_burst_options options;
	bool bad;
};
void impair_burst_begin(struct impair_burst *burst, struct impair *impair, struct impair_element *next,
                        const struct impair_burst_options *options);
/* Options for an average loss, all packets of a bad time being lost, `burst_packets` of them on average. A burst is
 * followed by at least one packet that is not lost: of more than burst_packets / (burst_packets + 1) only that much
 * is lost; but of a million in a million, all. */
struct impair_burst_options impair_burst_of(uint32_t per_million, uint32_t burst_packets);

/* Loses packet number `first` (from 1) and then each `every`-th after it (0: no more), `count` in all (0: no limit).
 */
struct impair_nth_options {
	uint64_t first, every, count;
};
struct impair_nth {
	struct impair_element element;
	struct impair_nth_options options;
};
void impair_nth_begin(struct impair_nth *nth, struct impair *impair, struct impair_element *next,
                      const struct impair_nth_options *options);

/* Nothing passes for a time between `down_min` and `down_max`, after each time between `up_min` and `up_max` in which
 * everything does. It begins with the latter, at the first packet, and anew when no packet has come for a thousand
 * such times. */
struct impair_outage_options {
	struct duration up_min, up_max, down_min, down_max;
};
struct impair_outage {
	struct impair_element element;
	struct impair_outage_options options;
	struct instant until; /* of the time that it is in */
	bool begun, down;
};
void impair_outage_begin(struct impair_outage *outage, struct impair *impair, struct impair_element *next,
                         const struct impair_outage_options *options);

/* A copy goes behind some packets. */
struct impair_duplicate {
	struct impair_element element;
	uint32_t per_million;
};
void impair_duplicate_begin(struct impair_duplicate *duplicate, struct impair *impair, struct impair_element *next,
                            uint32_t per_million);

/* Turns one bit of some IP packets over, behind the Ethernet header: the checksum is sure to find it, unless it is in
 * a field of the IPv6 header that none covers. Two could make up for each other, so a packet is damaged only once.
 * Packets whose checksum is not complete pass as they are, since who completes it would hide the damage. */
struct impair_corrupt {
	struct impair_element element;
	uint32_t per_million;
};
void impair_corrupt_begin(struct impair_corrupt *corrupt, struct impair *impair, struct impair_element *next,
                          uint32_t per_million);
