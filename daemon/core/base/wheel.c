/* Placement: a timer's expiry tick and the wheel's tick, both written in base 64, first differ in some digit. That
 * digit's place is the level, the expiry's digit there is the slot. So at every level but the last only slots ahead
 * of the current digit are used, and all that waits at a level is earlier than all that waits at the next one: the
 * lowest occupied level tells when something happens next. The last level is a ring: its slot for the current digit
 * stands for one whole turn ahead, and a timer that is more turns away is put back at each. */
#include "core/base/wheel.h"

#include "core/base/assert.h"

#include <string.h>

#define SLOT_LOG2 6
_Static_assert(WHEEL_SLOTS == 1 << SLOT_LOG2, "a level is one digit of the tick, and one bit each in a uint64_t");

/* The first tick at which a timer may fire: rounded up, never before `due`. */
static int64_t expiry_tick(struct instant due)
{
	return (due.ns >> WHEEL_TICK_LOG2) + ((due.ns & ((1 << WHEEL_TICK_LOG2) - 1)) != 0);
}

static void push(struct timer **list, struct timer *timer)
{
	timer->next = *list;
	timer->link = list;
	if (timer->next)
		timer->next->link = &timer->next;
	*list = timer;
}

/* Puts a timer that is not in any list where its `due` belongs. */
static void place(struct wheel *wheel, struct timer *timer)
{
	int64_t expiry = expiry_tick(timer->due);
	int level;
	unsigned slot;

	if (expiry <= wheel->tick) {
		push(&wheel->expired, timer);
		return;
	}
	level = (63 - __builtin_clzll((uint64_t)(expiry ^ wheel->tick))) / SLOT_LOG2;
	if (level >= WHEEL_LEVELS)
		level = WHEEL_LEVELS - 1;
	slot = (unsigned)(expiry >> level * SLOT_LOG2) & (WHEEL_SLOTS - 1);
	push(&wheel->slot[level][slot], timer);
	wheel->occupied[level] |= 1ull << slot;
}

/* The next tick at which a slot has to be emptied, and which slot; false when all slots are empty. */
static bool next_slot(const struct wheel *wheel, int *ret_level, unsigned *ret_slot, int64_t *ret_tick)
{
	for (int level = 0; level < WHEEL_LEVELS; level++) {
		int64_t current = wheel->tick >> level * SLOT_LOG2;
		unsigned from = (unsigned)(current + 1) & (WHEEL_SLOTS - 1);
		uint64_t bits = wheel->occupied[level];
		int ahead;

		if (!bits)
			continue;
		bits = bits >> from | bits << ((WHEEL_SLOTS - from) & (WHEEL_SLOTS - 1));
		ahead = __builtin_ctzll(bits) + 1;
		*ret_level = level;
		*ret_slot = (unsigned)(current + ahead) & (WHEEL_SLOTS - 1);
		*ret_tick = (current + ahead) * (1ll << level * SLOT_LOG2);
		return true;
	}
	return false;
}

void wheel_init(struct wheel *wheel, struct instant now)
{
	memset(wheel, 0, sizeof(*wheel));
	wheel->tick = now.ns >> WHEEL_TICK_LOG2;
}

void wheel_set(struct wheel *wheel, struct timer *timer, struct instant due)
{
	if (timer_is_set(timer)) {
		/* Same tick, same place: most re-arming within a batch ends here. */
		if (due.ns != INSTANT_NEVER.ns && expiry_tick(due) == expiry_tick(timer->due)) {
			timer->due = due;
			return;
		}
		wheel_cancel(wheel, timer);
	}
	timer->due = due;
	if (due.ns != INSTANT_NEVER.ns)
		place(wheel, timer);
}

void wheel_cancel(struct wheel *wheel, struct timer *timer)
{
	struct timer **slots = &wheel->slot[0][0];

	if (!timer_is_set(timer))
		return;
	*timer->link = timer->next;
	if (timer->next) {
		timer->next->link = timer->link;
	} else if ((uintptr_t)timer->link - (uintptr_t)slots < sizeof(wheel->slot)) {
		/* It was the only one of its slot: what pointed at it is the slot itself. */
		size_t index = (size_t)(timer->link - slots);

		wheel->occupied[index / WHEEL_SLOTS] &= ~(1ull << index % WHEEL_SLOTS);
	}
	timer->next = NULL;
	timer->link = NULL;
}

struct timer *wheel_pop(struct wheel *wheel, struct instant now)
{
	int64_t target = now.ns >> WHEEL_TICK_LOG2;
	struct timer *timer;

	while (!wheel->expired && wheel->tick < target) {
		int level;
		unsigned slot;
		int64_t at;

		if (!next_slot(wheel, &level, &slot, &at) || at > target) {
			wheel->tick = target;
			break;
		}
		wheel->tick = at;
		timer = wheel->slot[level][slot];
		wheel->slot[level][slot] = NULL;
		wheel->occupied[level] &= ~(1ull << slot);
		while (timer) {
			struct timer *next = timer->next;

			place(wheel, timer);
			timer = next;
		}
	}
	timer = wheel->expired;
	if (timer)
		wheel_cancel(wheel, timer);
	return timer;
}

struct instant wheel_deadline(const struct wheel *wheel)
{
	int level;
	unsigned slot;
	int64_t at;

	if (wheel->expired)
		return (struct instant){ wheel->tick * (1ll << WHEEL_TICK_LOG2) };
	if (!next_slot(wheel, &level, &slot, &at))
		return INSTANT_NEVER;
	if (at > INT64_MAX >> WHEEL_TICK_LOG2)
		return INSTANT_NEVER;
	return (struct instant){ at * (1ll << WHEEL_TICK_LOG2) };
}
