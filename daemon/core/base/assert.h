#pragma once
/* Assertions for our own bugs only; what a peer sends must never reach one. A trap instead of assert(3), so that
 * the core needs nothing from libc. */
#define CORE_ASSERT(condition)                                                                                       \
	do {                                                                                                         \
		if (__builtin_expect(!(condition), 0))                                                               \
			__builtin_trap();                                                                            \
	} while (0)
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
