#pragma once
/* A stream whose every place can be told: byte `i` of it, without a short period. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static inline uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 31 + i / 251);
}

static inline void fill_pattern(uint8_t *bytes, size_t from, size_t length)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = pattern(from + i);
}

static inline void assert_pattern(const uint8_t *bytes, size_t from, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i] != pattern(from + i))
			fail_msg("byte %zu of the stream is %u, not %u", from + i, bytes[i], pattern(from + i));
}
