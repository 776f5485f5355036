#pragma once
/* The search for the largest packet that a path carries (RFC 4821 section 7, in the words of RFC 8899): sizes of IP
 * packets, in bytes. It says which size to try next and learns what became of it; who sends the probes, and when it
 * can, is not its business.
 *
 * Invariant while begun (high > 0): low <= high; what is known to get through is `low`, what may is `high`. */
#include "core/base/time.h"

#include <stdbool.h>
#include <stdint.h>

enum { PMTU_SEARCH_FAILURES = 3 }; /* of one size in a row, until it is believed (RFC 8899 MAX_PROBES) */

/* How long a result holds until something larger is tried (RFC 8899 PMTU_RAISE_TIMER, RFC 1191 section 6.3). */
#define PMTU_RAISE_INTERVAL DURATION_S(600)

struct pmtu_search {
	uint16_t low, high; /* high 0: not begun */
	uint16_t size;      /* being tried; not in (low, high]: none is */
	uint8_t failures;   /* of `size` */
	bool top;           /* `high` was not tried yet: the likeliest of all */
	bool done;          /* nothing is worth trying until next_at; then all is open again */
	struct instant next_at;
};

/* What gets through lies in [low, high]; `high` itself is tried first. */
void pmtu_search_begin(struct pmtu_search *search, uint16_t low, uint16_t high, struct instant now);

/* The size to try now; 0: none, ask again at next_at. `most`: no packet of the caller's is longer. */
uint16_t pmtu_search_next(struct pmtu_search *search, uint16_t most, struct instant now);

/* A packet of `size` bytes arrived. */
void pmtu_search_passed(struct pmtu_search *search, uint16_t size, struct instant now);

/* It did not; nothing is tried for `pause`. */
void pmtu_search_lost(struct pmtu_search *search, uint16_t size, struct duration pause, struct instant now);

/* A router has named the limit: nothing more to search for until the raise timer. */
void pmtu_search_told(struct pmtu_search *search, uint16_t limit, struct instant now);
