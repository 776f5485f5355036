#pragma once
/* Memory of one configuration: handed out piece by piece, given back all at once. */
#include <stddef.h>

struct config_arena;

/* NULL when there is no memory. */
struct config_arena *arena_new(void);
void arena_free(struct config_arena *arena);

/* `size` zeroed bytes, aligned for any type; NULL when there is no memory. */
void *arena_alloc(struct config_arena *arena, size_t size);
/* A copy of `length` bytes with a NUL behind. */
char *arena_text(struct config_arena *arena, const char *text, size_t length);
