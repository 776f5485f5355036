/* Runs a fuzz target on its corpus and on damaged examples from a seed, or on the files given.
 *
 * usage: TARGET [-runs=N] [-max_total_time=SECONDS] [FILE...]; the seed is printed, TAPSTACK_TEST_SEED replays one.
 * The corpus is in tests/fuzz/corpus/TARGET below TAPSTACK_SRCDIR. */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
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

/* ---- the corpus --------------------------------------------------------------------------------------------------
 */

struct input {
	uint8_t *bytes;
	size_t length;
};

struct corpus {
	struct input *input;
	size_t count;
};

/* The bytes are the caller's to free. 0 or -errno, which is told. */
static int read_file(const char *path, struct input *ret_input)
{
	static uint8_t bytes[1 << 20];
	FILE *file = fopen(path, "rb");
	struct input input;

	if (!file) {
		int error = errno;

		fprintf(stderr, "%s: %s\n", path, strerror(error));
		return -error;
	}
	input.length = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	input.bytes = malloc(input.length + 1);
	if (!input.bytes)
		abort();
	memcpy(input.bytes, bytes, input.length);
	*ret_input = input;
	return 0;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* In the order of the names, so that a seed means the same everywhere. None: empty. */
static int read_corpus(const char *target, struct corpus *ret_corpus)
{
	const char *top = getenv("TAPSTACK_SRCDIR"), *name = strrchr(target, '/');
	char folder[PATH_MAX], path[PATH_MAX];
	struct dirent **entry;
	int count, r = 0;

	*ret_corpus = (struct corpus){ 0 };
	name = name ? name + 1 : target;
	if (snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s", top ? top : ".", name) >= PATH_MAX)
		return -ENAMETOOLONG;
	count = scandir(folder, &entry, is_visible, alphasort);
	if (count < 0)
		return 0;
	ret_corpus->input = calloc((size_t)count + 1, sizeof(*ret_corpus->input));
	if (!ret_corpus->input)
		abort();
	for (int i = 0; i < count; i++) {
		if (r == 0 && snprintf(path, sizeof(path), "%s/%s", folder, entry[i]->d_name) < PATH_MAX)
			r = read_file(path, &ret_corpus->input[ret_corpus->count]);
		ret_corpus->count += r == 0;
		free(entry[i]);
	}
	free(entry);
	return r;
}

static void free_corpus(struct corpus *corpus)
{
	for (size_t i = 0; i < corpus->count; i++)
		free(corpus->input[i].bytes);
	free(corpus->input);
}

/* ---- runs --------------------------------------------------------------------------------------------------------
 */

/* What is to be damaged: one of the corpus, or a new example. Returns its length. */
static size_t begin_with(const struct corpus *corpus, struct test_random *random, uint8_t *bytes)
{
	const struct input *input;

	if (corpus->count == 0 || test_random_below(random, 4) > 0)
		return fuzz_example(random, bytes);
	input = &corpus->input[test_random_below(random, (uint32_t)corpus->count)];
	if (input->length > FUZZ_INPUT_MAX)
		return fuzz_example(random, bytes);
	memcpy(bytes, input->bytes, input->length);
	return input->length;
}

static int run_seeded(const char *name, unsigned long runs, unsigned long seconds)
{
	struct test_random random = test_random_begin(name);
	static uint8_t bytes[FUZZ_INPUT_MAX];
	time_t begun = time(NULL);
	struct corpus corpus;
	int r = read_corpus(name, &corpus);
	unsigned long run;

	for (size_t i = 0; i < corpus.count; i++)
		run_one(corpus.input[i].bytes, corpus.input[i].length);
	for (run = 0; run < runs && (seconds == 0 || time(NULL) - begun < (time_t)seconds); run++) {
		size_t length = begin_with(&corpus, &random, bytes);

		for (uint32_t wrongs = test_random_below(&random, 6); wrongs > 0; wrongs--)
			length = damage(&random, bytes, length);
		run_one(bytes, length);
	}
	printf("%s: %zu of the corpus, %lu others\n", name, corpus.count, run);
	free_corpus(&corpus);
	return r;
}

static int run_file(const char *path)
{
	struct input input;
	int r = read_file(path, &input);

	if (r < 0)
		return r;
	run_one(input.bytes, input.length);
	free(input.bytes);
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
	return files == 0 && run_seeded(argv[0], runs, seconds) < 0 ? 2 : 0;
}
