#include "link/impair/codel.h"

void codel_begin(struct codel *codel, struct duration target, struct duration interval)
{
	*codel = (struct codel){ .target = target, .interval = interval };
}

/* The whole part of the square root. */
static uint64_t square_root(uint64_t of)
{
	uint64_t root = 0;

	for (uint64_t bit = 1ull << 31; bit > 0; bit >>= 1) {
		if ((root + bit) * (root + bit) <= of)
			root += bit;
	}
	return root;
}

/* Section 5.4: the more drops it takes, the closer they follow: interval over the square root of their number. */
static struct instant control_law(const struct codel *codel, struct instant from)
{
	uint64_t root = square_root((uint64_t)codel->count << 32); /* times 2^16 */

	return instant_add(from, (struct duration){ (int64_t)(((uint64_t)codel->interval.ns << 16) / root) });
}

/* Section 5.6: too long for a whole interval? */
static bool too_long(struct codel *codel, struct instant now, struct duration sojourn, uint64_t backlog_bytes,
                     uint32_t packet_bytes)
{
	if (sojourn.ns < codel->target.ns || backlog_bytes < packet_bytes) {
		codel->first_above = INSTANT_ZERO;
		return false;
	}
	if (codel->first_above.ns == 0) {
		codel->first_above = instant_add(now, codel->interval);
		return false;
	}
	return instant_reached(codel->first_above, now);
}

bool codel_drops(struct codel *codel, struct instant now, struct duration sojourn, uint64_t backlog_bytes,
                 uint32_t packet_bytes)
{
	bool above = too_long(codel, now, sojourn, backlog_bytes, packet_bytes);

	if (!above) {
		codel->dropping = false;
		return false;
	}
	if (codel->dropping) {
		if (!instant_reached(codel->drop_next, now))
			return false;
		codel->count++;
		codel->drop_next = control_law(codel, codel->drop_next);
		return true;
	}
	/* Section 5.5: when the last time of dropping is not long ago, it goes on nearly where that one was. */
	if (codel->count - codel->last_count > 1 && instant_sub(now, codel->drop_next).ns < 16 * codel->interval.ns)
		codel->count -= codel->last_count;
	else
		codel->count = 1;
	codel->last_count = codel->count;
	codel->dropping = true;
	codel->drop_next = control_law(codel, now);
	return true;
}
