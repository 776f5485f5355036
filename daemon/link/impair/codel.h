#pragma once
/* CoDel (RFC 8289): from how long packets have waited, which of them to drop, or to mark, as they leave the queue.
 * A value: the queue is its user's. */
#include "core/base/time.h"

#include <stdbool.h>
#include <stdint.h>

struct codel {
	struct duration target, interval; /* section 4.3: 5 ms, 100 ms */
	struct instant first_above;       /* they wait too long since before then, if still at that time; ZERO: not */
	struct instant drop_next;
	uint32_t count, last_count; /* drops of this time of dropping; where the last one began */
	bool dropping;
};

void codel_begin(struct codel *codel, struct duration target, struct duration interval);
/* A packet that has waited for `sojourn` leaves the queue, in which `backlog_bytes` stay. Returns whether it is to be
 * dropped. A backlog below `packet_bytes`, a full packet of the line, is never too long. */
bool codel_drops(struct codel *codel, struct instant now, struct duration sojourn, uint64_t backlog_bytes,
                 uint32_t packet_bytes);
