#include "config/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 8192u

struct chunk {
	struct chunk *next;
	size_t used, size;
	alignas(max_align_t) unsigned char bytes[];
};

struct config_arena {
	struct chunk *chunk; /* the newest first */
};

struct config_arena *arena_new(void)
{
	return calloc(1, sizeof(struct config_arena));
}

void arena_free(struct config_arena *arena)
{
	if (arena == NULL)
		return;
	while (arena->chunk != NULL) {
		struct chunk *next = arena->chunk->next;

		free(arena->chunk);
		arena->chunk = next;
	}
	free(arena);
}

void *arena_alloc(struct config_arena *arena, size_t size)
{
	struct chunk *chunk = arena->chunk;
	void *piece;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
	if (chunk == NULL || chunk->size - chunk->used < size) {
		size_t bytes = size > CHUNK_BYTES ? size : CHUNK_BYTES;

		chunk = calloc(1, sizeof(*chunk) + bytes);
		if (chunk == NULL)
			return NULL;
		chunk->size = bytes;
		chunk->next = arena->chunk;
		arena->chunk = chunk;
	}
	piece = chunk->bytes + chunk->used;
	chunk->used += size;
	return piece;
}

char *arena_text(struct config_arena *arena, const char *text, size_t length)
{
	char *copy = arena_alloc(arena, length + 1);

	if (copy != NULL)
		memcpy(copy, text, length);
	return copy;
}
