#pragma once
/* Points in time for pthread_cond_timedwait on CLOCK_MONOTONIC. */
#include "core/base/time.h"

#include <stdbool.h>
#include <time.h>

static inline struct timespec deadline_in(struct duration patience)
{
	struct timespec now;
	int64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = now.tv_nsec + patience.ns % 1000000000;
	return (struct timespec){ now.tv_sec + patience.ns / 1000000000 + ns / 1000000000, ns % 1000000000 };
}

static inline bool deadline_passed(const struct timespec *deadline)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > deadline->tv_sec || (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec);
}
