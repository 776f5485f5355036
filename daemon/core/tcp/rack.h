#pragma once
/* RACK (RFC 8985 section 6): what was sent well before something that has arrived, and has not arrived itself, is
 * lost. A value type: no connection inside; sent.h holds the times of transmission.
 *
 * Invariant: xmit_ts and end_seq only move forward in the sense of sent_after; fack only moves forward. */
#include "core/base/seq.h"
#include "core/base/time.h"

#include <stdbool.h>
#include <stdint.h>

struct rack {
	struct instant xmit_ts; /* of the segment sent last among those that have arrived; before all: none has */
	struct duration rtt;    /* of the segment that arrived last */
	seq_t end_seq;          /* where it ends */
	seq_t fack;             /* highest sequence number that has arrived */
};

/* What is known about reordering on the path. It outlives what is in flight. All zero: nothing was seen. */
struct rack_reordering {
	seq_t dsack_round;       /* D-SACKs count once until this is acknowledged; valid with has_round */
	uint8_t reo_wnd_more;    /* reo_wnd_mult less one */
	uint8_t reo_wnd_persist; /* recoveries until it goes back to one */
	bool has_round, reordering_seen;
};

#define RACK_REO_WND_PERSIST 16

void rack_init(struct rack *rack, seq_t snd_una);

/* ACKs that seemed to be for what was sent again were for the originals: nothing is known of times. */
void rack_forget(struct rack *rack);

/* Section 6.2 step 2: a segment sent at `at` that ends at `end` has arrived. What came late tells that others of its
 * time may, too. */
void rack_update(struct rack *rack, struct instant at, seq_t end, struct instant now);

/* Step 3: has what was sent once only, and ends at `fresh_end`, arrived after something higher? `highest` has arrived
 * now, too. */
bool rack_detect_reordering(struct rack *rack, bool has_fresh, seq_t fresh_end, seq_t highest);

/* Step 4, the part about D-SACK: called for each ACK of a connection that has seen reordering or a D-SACK. */
void rack_adapt(struct rack_reordering *reordering, seq_t snd_una, seq_t snd_nxt, bool dsack, bool recovered);

/* Step 4: how much later than the newest arrival something older may come. `reordering` NULL: none was seen.
 * `losses_known`: loss recovery is going on, or DupThresh segments are SACKed. */
struct duration rack_reo_wnd(const struct rack_reordering *reordering, bool losses_known, struct duration min_rtt,
                             struct duration srtt);
