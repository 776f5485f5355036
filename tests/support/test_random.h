#pragma once
/* Random numbers of tests (splitmix64). The seed is printed. It is new at each run of the program by itself;
 * TAPSTACK_TEST_SEED replays one, and `make check` gives always the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct test_random {
	uint64_t state;
};

static inline uint64_t test_random_u64(struct test_random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline uint32_t test_random_below(struct test_random *random, uint32_t bound)
{
	return (uint32_t)((test_random_u64(random) >> 32) * bound >> 32);
}

static inline void test_random_fill(struct test_random *random, void *out, size_t length)
{
	for (size_t i = 0; i < length; i++)
		((uint8_t *)out)[i] = (uint8_t)test_random_u64(random);
}

static inline struct test_random test_random_begin(const char *what)
{
	const char *given = getenv("TAPSTACK_TEST_SEED");
	uint64_t seed;

	if (given)
		seed = strtoull(given, NULL, 0);
	else if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		abort();
	printf("%s: TAPSTACK_TEST_SEED=0x%llx\n", what, (unsigned long long)seed);
	fflush(stdout);
	return (struct test_random){ seed };
}
