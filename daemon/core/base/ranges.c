#include "core/base/ranges.h"

#include <string.h>

bool ranges_add(struct ranges *ranges, seq_t start, seq_t end)
{
	struct seq_range *range = ranges->range;
	uint32_t from = ranges->count, to;

	/* [from, to): the ranges that the new one overlaps or touches. From the end, where new data mostly lands. */
	while (from > 0 && seq_geq(range[from - 1].end, start))
		from--;
	for (to = from; to < ranges->count && seq_leq(range[to].start, end); to++)
		;
	if (from == to) {
		if (ranges->count == RANGES_MAX)
			return false;
		memmove(&range[from + 1], &range[from], (ranges->count - from) * sizeof(*range));
		ranges->count++;
	} else {
		start = seq_min(start, range[from].start);
		end = seq_max(end, range[to - 1].end);
		memmove(&range[from + 1], &range[to], (ranges->count - to) * sizeof(*range));
		ranges->count -= to - from - 1;
	}
	range[from] = (struct seq_range){ start, end, ++ranges->stamp };
	return true;
}

void ranges_remove_before(struct ranges *ranges, seq_t to)
{
	struct seq_range *range = ranges->range;
	uint32_t gone = 0;

	while (gone < ranges->count && seq_leq(range[gone].end, to))
		gone++;
	ranges->count -= gone;
	if (gone > 0)
		memmove(range, range + gone, ranges->count * sizeof(*range));
	if (ranges->count > 0 && seq_lt(range[0].start, to))
		range[0].start = to;
}

bool ranges_contain(const struct ranges *ranges, seq_t start, seq_t end)
{
	if (seq_eq(start, end))
		return true;
	for (uint32_t i = 0; i < ranges->count; i++)
		if (seq_gt(ranges->range[i].end, start))
			return seq_leq(ranges->range[i].start, start) && seq_leq(end, ranges->range[i].end);
	return false;
}

uint32_t ranges_bytes(const struct ranges *ranges)
{
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < ranges->count; i++)
		bytes += (uint32_t)seq_diff(ranges->range[i].end, ranges->range[i].start);
	return bytes;
}

/* Counted backwards from the latest change, so that a count that wraps does no harm. */
static uint32_t age_of(const struct ranges *ranges, uint32_t index)
{
	return ranges->stamp - ranges->range[index].stamp;
}

uint32_t ranges_recent(const struct ranges *ranges, struct seq_range *ret_recent, uint32_t max)
{
	uint32_t count = 0, least = 0; /* what is younger than `least` has been taken */

	for (; count < max && count < ranges->count; count++) {
		uint32_t best = UINT32_MAX;

		for (uint32_t i = 0; i < ranges->count; i++) {
			if (age_of(ranges, i) >= least &&
			    (best == UINT32_MAX || age_of(ranges, i) < age_of(ranges, best)))
				best = i;
		}
		ret_recent[count] = ranges->range[best];
		least = age_of(ranges, best) + 1;
	}
	return count;
}
