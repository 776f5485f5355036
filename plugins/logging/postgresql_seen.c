#define _GNU_SOURCE 1
#include "postgresql_seen.h"

#include <errno.h>
#include <stdlib.h>

#define SIZE_MIN 1024u

static size_t home(const struct seen *seen, uint64_t id)
{
	return (size_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (seen->size - 1);
}

/* Its slot, or the free one where it would go. */
static size_t find(const struct seen *seen, uint64_t id)
{
	size_t at = home(seen, id);

	while (seen->slot[at].id != 0 && seen->slot[at].id != id)
		at = (at + 1) & (seen->size - 1);
	return at;
}

static int grow(struct seen *seen)
{
	struct seen larger = { .size = seen->size == 0 ? SIZE_MIN : seen->size * 2, .used = seen->used };

	larger.slot = calloc(larger.size, sizeof(*larger.slot));
	if (larger.slot == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < seen->size; i++)
		if (seen->slot[i].id != 0)
			larger.slot[find(&larger, seen->slot[i].id)] = seen->slot[i];
	free(seen->slot);
	*seen = larger;
	return 0;
}

int seen_get(struct seen *seen, uint64_t id, int64_t time_ns, int64_t *ret_first_ns)
{
	struct seen_slot *slot;

	if (seen->used == SEEN_MAX)
		seen_free(seen);
	if (seen->used * 2 >= seen->size) {
		int r = grow(seen);

		if (r < 0)
			return r;
	}
	slot = &seen->slot[find(seen, id)];
	if (slot->id == 0) {
		*slot = (struct seen_slot){ id, time_ns };
		seen->used++;
	}
	*ret_first_ns = slot->time_ns;
	return 0;
}

/* What stands behind the gap and belongs at it or before moves into it. */
void seen_forget(struct seen *seen, uint64_t id)
{
	size_t mask = seen->size - 1, gap;

	if (seen->size == 0)
		return;
	gap = find(seen, id);
	if (seen->slot[gap].id == 0)
		return;
	for (size_t at = (gap + 1) & mask; seen->slot[at].id != 0; at = (at + 1) & mask)
		if (((at - home(seen, seen->slot[at].id)) & mask) >= ((at - gap) & mask)) {
			seen->slot[gap] = seen->slot[at];
			gap = at;
		}
	seen->slot[gap] = (struct seen_slot){ 0, 0 };
	seen->used--;
}

void seen_free(struct seen *seen)
{
	free(seen->slot);
	*seen = (struct seen){ 0 };
}
