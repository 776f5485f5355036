#pragma once
/* A queue of letters that any thread may post to and one thread empties; an eventfd wakes the reader. Lock-free:
 * posting is one compare-and-swap, taking everything is one exchange. A letter belongs to the queue from
 * mailbox_post until mailbox_take hands it over. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct letter {
	struct letter *next;
};

struct mailbox {
	_Atomic(struct letter *) newest;
	int fd; /* readable edge at each post to an empty queue; register it edge-triggered, nobody reads it */
};

/* Returns 0 or -errno of eventfd(2). */
int mailbox_open(struct mailbox *mailbox);
/* Letters still inside stay their posters'; take them first. */
void mailbox_close(struct mailbox *mailbox);

void mailbox_post(struct mailbox *mailbox, struct letter *letter);

/* All letters, oldest first, linked through `next`; NULL: none. */
struct letter *mailbox_take(struct mailbox *mailbox);

static inline bool mailbox_is_empty(struct mailbox *mailbox)
{
	return atomic_load_explicit(&mailbox->newest, memory_order_relaxed) == NULL;
}
