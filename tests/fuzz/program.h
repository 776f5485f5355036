#pragma once
/* An input as a program: each step takes a few bytes of it; where it has ended, zeros. */
#include "core/wire/bytes.h"

static inline uint8_t take8(struct reader *program)
{
	const uint8_t *byte = reader_take(program, 1);

	return byte ? *byte : 0;
}

static inline uint16_t take16(struct reader *program)
{
	const uint8_t *bytes = reader_take(program, 2);

	return bytes ? load16(bytes) : 0;
}

/* Mostly none, sometimes a little, seldom far. */
static inline uint32_t take_offset(struct reader *program)
{
	uint8_t byte = take8(program);

	if (byte < 160)
		return 0;
	if (byte < 192)
		return byte & 31u;
	if (byte < 224)
		return 0u - (byte & 31u);
	return (uint32_t)(int16_t)take16(program) << (byte & 7) * 2;
}
