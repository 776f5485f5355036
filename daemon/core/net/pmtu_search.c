#include "core/net/pmtu_search.h"

/* Two sizes closer than this are not worth the loss that telling them apart may cost. */
static uint16_t grain(uint16_t low)
{
	return (uint16_t)(8 + low / 512);
}

void pmtu_search_begin(struct pmtu_search *search, uint16_t low, uint16_t high, struct instant now)
{
	*search = (struct pmtu_search){ .low = low, .high = high > low ? high : low, .top = true, .next_at = now };
}

static void finish(struct pmtu_search *search, struct instant now)
{
	search->done = true;
	search->size = 0;
	search->failures = 0;
	search->next_at = instant_add(now, PMTU_RAISE_INTERVAL);
}

/* Sizes that links and tunnels have: jumbo frames, FDDI, Ethernet, PPPoE, 6in4, GRE, VXLAN, WireGuard, the least of
 * IPv6. Meeting one of them exactly saves the last steps of the halving. */
static const uint16_t common[] = { 65535, 32000, 17914, 9216, 9000, 8166, 4464, 4352, 2304, 2002,
	                           1500,  1492,  1480,  1476, 1472, 1460, 1450, 1440, 1420, 1400,
	                           1380,  1360,  1340,  1300, 1280, 1200, 1006, 576 };

#define ETHERNET_MTU 1500

static uint16_t distance(uint16_t a, uint16_t b)
{
	return a > b ? a - b : b - a;
}

/* Near the middle of (low, high], at a common size if one lies in the inner half; but Ethernet's before all others.
 */
static uint16_t halve(uint16_t low, uint16_t high)
{
	uint16_t middle = (uint16_t)(low + (high - low + 1) / 2), best = middle;
	uint16_t nearest = (uint16_t)((high - low) / 4);

	if (low < ETHERNET_MTU && high >= ETHERNET_MTU)
		return ETHERNET_MTU;
	for (unsigned i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
		if (common[i] > low && common[i] <= high && distance(common[i], middle) <= nearest) {
			nearest = distance(common[i], middle);
			best = common[i];
		}
	}
	return best;
}

uint16_t pmtu_search_next(struct pmtu_search *search, uint16_t most, struct instant now)
{
	uint16_t high;

	if (search->high == 0 || !instant_reached(search->next_at, now))
		return 0;
	if (search->done && most > search->low) { /* time to see whether the path has become better */
		search->done = false;
		search->top = true;
		search->high = most;
	}
	high = search->high < most ? search->high : most;
	if (search->size > search->low && search->size <= high) /* its fate is not yet known */
		return search->size;
	if (high < search->low + grain(search->low)) {
		if (search->high < search->low + grain(search->low))
			finish(search, now);
		return 0;
	}
	search->size = search->top ? high : halve(search->low, high);
	search->top = false;
	search->failures = 0;
	return search->size;
}

void pmtu_search_passed(struct pmtu_search *search, uint16_t size, struct instant now)
{
	if (size > search->low)
		search->low = size;
	if (search->high < search->low)
		search->high = search->low;
	if (search->failures > 0 && size >= search->size)
		search->failures = 0;
	search->next_at = now;
	if (search->high < search->low + grain(search->low))
		finish(search, now);
}

void pmtu_search_lost(struct pmtu_search *search, uint16_t size, struct duration pause, struct instant now)
{
	if (search->done || size <= search->low || size > search->high)
		return; /* settled meanwhile, by another connection or a router */
	search->next_at = instant_add(now, pause);
	if (size != search->size)
		return;
	if (++search->failures < PMTU_SEARCH_FAILURES)
		return;
	search->failures = 0;
	search->high = size - 1;
	if (search->high < search->low + grain(search->low))
		finish(search, now);
}

void pmtu_search_told(struct pmtu_search *search, uint16_t limit, struct instant now)
{
	search->low = search->high = limit;
	finish(search, now);
}
