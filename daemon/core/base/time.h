#pragma once
/* Instants and durations, in nanoseconds, as types of their own: a millisecond or a duration can't be passed where an
 * instant is meant. The core never reads a clock; the host hands it monotonic instants. */
#include <stdbool.h>
#include <stdint.h>

struct instant {
	int64_t ns;
};
struct duration {
	int64_t ns;
};

#define INSTANT_NEVER ((struct instant){ INT64_MAX })
#define INSTANT_ZERO ((struct instant){ 0 })
#define DURATION_US(x) ((struct duration){ (int64_t)(x)*1000 })
#define DURATION_MS(x) ((struct duration){ (int64_t)(x)*1000000 })
#define DURATION_S(x) ((struct duration){ (int64_t)(x)*1000000000 })

static inline bool instant_before(struct instant a, struct instant b)
{
	return a.ns < b.ns;
}

static inline bool instant_reached(struct instant due, struct instant now)
{
	return due.ns <= now.ns;
}

static inline struct instant instant_min(struct instant a, struct instant b)
{
	return a.ns < b.ns ? a : b;
}

static inline struct instant instant_max(struct instant a, struct instant b)
{
	return a.ns > b.ns ? a : b;
}

/* Saturates at INSTANT_NEVER. */
static inline struct instant instant_add(struct instant at, struct duration by)
{
	if (by.ns > 0 && at.ns > INT64_MAX - by.ns)
		return INSTANT_NEVER;
	return (struct instant){ at.ns + by.ns };
}

/* a - b; both must be real instants, not INSTANT_NEVER. */
static inline struct duration instant_sub(struct instant a, struct instant b)
{
	return (struct duration){ a.ns - b.ns };
}

static inline struct duration duration_min(struct duration a, struct duration b)
{
	return a.ns < b.ns ? a : b;
}

static inline struct duration duration_max(struct duration a, struct duration b)
{
	return a.ns > b.ns ? a : b;
}
