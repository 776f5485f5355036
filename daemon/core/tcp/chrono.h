#pragma once
/* What a sender waits for while it has something to send or to be acknowledged: nothing but itself and the network,
 * the peer's window, or room in its own buffer (Linux's busy_time, rwnd_limited, sndbuf_limited). A value type: no
 * connection inside. Invariant: limited[CHRONO_FREE] is 0; `since` is valid unless `by` is CHRONO_FREE. */
#include "core/base/time.h"

enum chrono_limit {
	CHRONO_FREE,   /* not held up by either of */
	CHRONO_RWND,   /* the peer's window takes no more */
	CHRONO_SNDBUF, /* all is sent, more is there, and the send buffer has no room for it */
	CHRONO_LIMITS
};

struct chrono {
	struct instant busy_since, since;
	struct duration limited[CHRONO_LIMITS];
	uint8_t by; /* enum chrono_limit */
};

static inline void chrono_start(struct chrono *chrono, struct instant now)
{
	*chrono = (struct chrono){ .busy_since = now };
}

/* From now on it is held up `by` this. */
static inline void chrono_set(struct chrono *chrono, enum chrono_limit by, struct instant now)
{
	if (chrono->by == (uint8_t)by)
		return;
	if (chrono->by != CHRONO_FREE)
		chrono->limited[chrono->by].ns += instant_sub(now, chrono->since).ns;
	chrono->by = (uint8_t)by;
	chrono->since = now;
}

/* Time held up by this, up to now. */
static inline struct duration chrono_limited(const struct chrono *chrono, enum chrono_limit by, struct instant now)
{
	struct duration time = chrono->limited[by];

	if (chrono->by == (uint8_t)by && by != CHRONO_FREE)
		time.ns += instant_sub(now, chrono->since).ns;
	return time;
}

/* Many short times are added up in ticks of 2^16 ns: each counts the ticks that begin in it, so the sum is right
 * though hardly one of them is. The sum stays at its largest value. */
#define CHRONO_TICK_LOG2 16

static inline uint32_t chrono_add_ticks(uint32_t ticks, struct instant from, struct instant to)
{
	uint64_t sum = ticks + (uint64_t)((to.ns >> CHRONO_TICK_LOG2) - (from.ns >> CHRONO_TICK_LOG2));

	return sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}
