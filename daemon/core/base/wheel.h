#pragma once
/* Hierarchical timing wheel: O(1) set and cancel; ticks of 2^16 ns (65.5 us), 64 slots a level, 6 levels.
 * A timer fires never before it is due, and at most one tick after. What lies past the last level's reach waits there
 * and is placed again. */
#include "core/base/time.h"

#include <stddef.h>

#define WHEEL_TICK_LOG2 16
#define WHEEL_SLOTS 64
#define WHEEL_LEVELS 6

struct timer {
	struct timer *next, **link; /* link: what points at this timer; NULL while not set */
	struct instant due;
};

struct wheel {
	int64_t tick; /* all ticks <= this one have been handled */
	uint64_t occupied[WHEEL_LEVELS];
	struct timer *slot[WHEEL_LEVELS][WHEEL_SLOTS];
	struct timer *expired; /* due and not yet handed out */
};

void wheel_init(struct wheel *wheel, struct instant now);

/* (Re)arms `timer` for `due`; INSTANT_NEVER cancels. */
void wheel_set(struct wheel *wheel, struct timer *timer, struct instant due);
void wheel_cancel(struct wheel *wheel, struct timer *timer);

static inline bool timer_is_set(const struct timer *timer)
{
	return timer->link != NULL;
}

/* Takes out one timer with due <= now; NULL when there is none left. The caller bounds how many it takes a turn. */
struct timer *wheel_pop(struct wheel *wheel, struct instant now);

/* When wheel_pop can next have something to do: INSTANT_NEVER when empty, never later than one tick after the
 * earliest due, and never at or before a `now` for which wheel_pop has returned NULL. May be earlier than any due (a
 * cascade). */
struct instant wheel_deadline(const struct wheel *wheel);
