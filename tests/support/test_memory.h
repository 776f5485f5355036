#pragma once
/* A `struct memory` for tests: counts what is out, fills what is freed, and fails when told to. */
#include "core/base/memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_memory {
	size_t live_bytes, live_count; /* given out and not yet back */
	uint64_t allocations;          /* asked for, granted or not */
	uint64_t fail_from;            /* allocations of this number (from 0) and later fail; UINT64_MAX: none */
};

static void *test_memory_alloc(void *context, size_t size)
{
	struct test_memory *memory = context;
	void *p;

	if (memory->allocations++ >= memory->fail_from)
		return NULL;
	p = aligned_alloc(64, (size + 63) / 64 * 64);
	if (!p)
		abort();
	memset(p, 0, size);
	memory->live_bytes += size;
	memory->live_count++;
	return p;
}

static void test_memory_free(void *context, void *pointer, size_t size)
{
	struct test_memory *memory = context;

	if (memory->live_count == 0 || memory->live_bytes < size) {
		fprintf(stderr, "test_memory: %zu bytes freed that were not out\n", size);
		abort();
	}
	memset(pointer, 0xdb, size);
	memory->live_bytes -= size;
	memory->live_count--;
	free(pointer);
}

static inline struct memory test_memory(struct test_memory *memory)
{
	*memory = (struct test_memory){ .fail_from = UINT64_MAX };
	return (struct memory){ test_memory_alloc, test_memory_free, memory };
}

/* The allocations after the next `count` ones fail. */
static inline void test_memory_fail_after(struct test_memory *memory, uint64_t count)
{
	memory->fail_from = memory->allocations + count;
}

static inline void test_memory_fail_never(struct test_memory *memory)
{
	memory->fail_from = UINT64_MAX;
}
