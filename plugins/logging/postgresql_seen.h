#pragma once
/* When the connections that are open were first seen: the day whose partition their row is in. An open hash table by
 * the connection's id; it grows with the connections that are open, and an entry is 16 bytes. Connections whose last
 * event was missed stay in it: when there are SEEN_MAX, all are forgotten, and one that is still open gets a second
 * row.
 */
#include <stddef.h>
#include <stdint.h>

#define SEEN_MAX (1u << 22)

struct seen_slot {
	uint64_t id; /* 0: free */
	int64_t time_ns;
};

struct seen {
	struct seen_slot *slot;
	size_t size, used; /* size: a power of two, or 0 */
};

/* The time of the connection's first event, which is `time_ns` when it is not there yet; 0, or -ENOMEM. Ids are not
 * 0.
 */
int seen_get(struct seen *seen, uint64_t id, int64_t time_ns, int64_t *ret_first_ns);
/* The connection is gone. */
void seen_forget(struct seen *seen, uint64_t id);
void seen_free(struct seen *seen);
