/* Runs a fuzz target on damaged examples from a seed, or on the files given.
 *
 * usage: TARGET [-runs=N] [-max_total_time=SECONDS] [FILE...]; the seed is printed, TAPSTACK_TEST_SEED replays one.
 */
#include "fuzz.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#ifndef FUZZ_RUNS
#define FUZZ_RUNS 100000
#endif

/* In memory of exactly that size, so that the address sanitizer sees a byte read past the end. */
static void run_one(const uint8_t *bytes, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);

	if (!copy)
		abort();
	memcpy(copy, bytes, length);
	LLVMFuzzerTestOneInput(copy, length);
	free(copy);
}

/* One small wrong; returns the new length. */
static size_t damage(struct test_random *random, uint8_t *bytes, size_t length)
{
	static const uint8_t telling[] = { 0, 1, 2, 3, 0x7f, 0x80, 0xfe, 0xff };
	uint8_t noise[16];
	size_t at, count;

	if (length == 0)
		return length;
	at = test_random_below(random, (uint32_t)length);
	switch (test_random_below(random, 6)) {
	case 0:
		bytes[at] ^= (uint8_t)(1u << test_random_below(random, 8));
		return length;
	case 1:
		bytes[at] = telling[test_random_below(random, sizeof(telling))];
		return length;
	case 2:
		bytes[at] = (uint8_t)(bytes[at] + test_random_below(random, 9) - 4);
		return length;
	case 3: /* cut off */
		return at;
	case 4: /* cut out */
		count = 1 + test_random_below(random, (uint32_t)(length - at));
		memmove(bytes + at, bytes + at + count, length - at - count);
		return length - count;
	default: /* put in */
		count = 1 + test_random_below(random, sizeof(noise));
		if (length + count > FUZZ_INPUT_MAX)
			return length;
		test_random_fill(random, noise, count);
		memmove(bytes + at + count, bytes + at, length - at);
		memcpy(bytes + at, noise, count);
		return length + count;
	}
}

static void run_seeded(const char *name, unsigned long runs, unsigned long seconds)
{
	struct test_random random = test_random_begin(name);
	static uint8_t bytes[FUZZ_INPUT_MAX];
	time_t begun = time(NULL);
	unsigned long run;

	for (run = 0; run < runs && (seconds == 0 || time(NULL) - begun < (time_t)seconds); run++) {
		size_t length = fuzz_example(&random, bytes);

		for (uint32_t wrongs = test_random_below(&random, 6); wrongs > 0; wrongs--)
			length = damage(&random, bytes, length);
		run_one(bytes, length);
	}
	printf("%s: %lu inputs\n", name, run);
}

static int run_file(const char *path)
{
	static uint8_t bytes[1 << 20];
	FILE *file = fopen(path, "rb");
	size_t length;

	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	length = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	run_one(bytes, length);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long runs = FUZZ_RUNS, seconds = 0;
	int files = 0;

	for (int i = 1; i < argc; i++) {
		char rest;

		if (strncmp(argv[i], "-runs=", 6) == 0 || strncmp(argv[i], "-max_total_time=", 16) == 0) {
			bool is_time = argv[i][1] == 'm';

			if (sscanf(strchr(argv[i], '=') + 1, "%lu%c", is_time ? &seconds : &runs, &rest) != 1) {
				fprintf(stderr, "%s: not a number\n", argv[i]);
				return 2;
			}
		} else if (run_file(argv[i]) < 0) {
			return 2;
		} else {
			files++;
		}
	}
	if (files == 0)
		run_seeded(argv[0], runs, seconds);
	return 0;
}
