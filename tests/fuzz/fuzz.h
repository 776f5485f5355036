#pragma once
/* A fuzz target: one function that takes any bytes, and one that makes an example of what it expects.
 *
 * Each target is built twice from the same source: with the driver in standalone.c, which damages examples, by any
 * compiler, and with clang's libFuzzer, which is led by coverage (libfuzzer.sh). */
#include "../support/test_random.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define FUZZ_INPUT_MAX 4096

/* What a target promises about its subject; unlike assert it is never compiled away. */
#define FUZZ_CHECK(condition)                                                                                        \
	do {                                                                                                         \
		if (!(condition)) {                                                                                  \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                      \
			abort();                                                                                     \
		}                                                                                                    \
	} while (0)

/* Handles one input, of which not a byte past `size` may be read; aborts when a promise is broken. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes a well-formed input into `out`, which has room for FUZZ_INPUT_MAX bytes. Returns its length. */
size_t fuzz_example(struct test_random *random, uint8_t *out);
