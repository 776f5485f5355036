#pragma once
/* Shards over the fakes, and waiting with a deadline. */
#include "fake.h"

#include <event2/event.h>

struct fixture {
	struct link *link;
	struct event_base *base; /* main's */
	struct shards *shards;
	struct fake_told told;
};

/* Aborts the test program when something can't be had. */
void fixture_open(struct fixture *fixture, uint32_t count, struct duration spin_max);
void fixture_close(struct fixture *fixture);

/* Runs main's event base until the expression is true; fails the test when that takes five seconds. */
#define WAIT_FOR(fixture, expression)                                                                                \
	do {                                                                                                         \
		struct instant give_up_ = instant_add(shard_now(), DURATION_S(5));                                   \
		while (!(expression)) {                                                                              \
			event_base_loop((fixture)->base, EVLOOP_NONBLOCK);                                           \
			if (instant_reached(give_up_, shard_now()))                                                  \
				fail_msg("still not true after five seconds: %s", #expression);                      \
		}                                                                                                    \
	} while (0)
