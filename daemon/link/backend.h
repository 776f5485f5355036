#pragma once
/* What the back ends of the link share with link.c; private to this folder. */
#include "link/link.h"

#include <net/if.h>
#include <sys/uio.h>

/* Room for one frame: the largest IP packet, Ethernet header with two tags, a vnet header, and alignment. */
#define LINK_SLOT_BYTES (65536u + 128u)

/* Frames of a batch lie one behind the other, each aligned, so that a batch of small ones stays in the nearest cache.
 * A read needs a whole slot's room: this many bytes hold 7 of the largest frames or LINK_BATCH_MAX small ones. */
#define LINK_ARENA_BYTES (8u * LINK_SLOT_BYTES)

#define LINK_PREFIX_MAX 12u
#define LINK_KEPT_BYTES (4u << 20)

/* Frames that could not go out yet: length (uint32_t) and bytes, one behind the other, in [start, end). */
struct link_kept {
	uint8_t *bytes; /* LINK_KEPT_BYTES, taken when first needed */
	size_t start, end;
};

struct link_queue {
	int fd;       /* what the caller waits on; -1: gone */
	int listener; /* unix only */
	int peer;     /* unix only; -1: none */
	bool congested;
	uint8_t *arena;
	struct link_kept kept;
	struct link_counters counters;
};

struct link_ops {
	const char *name;
	int (*open)(struct link *link, char *error, size_t error_size);
	void (*close)(struct link *link);
	ssize_t (*receive)(const struct link *link, struct link_queue *queue, struct frame_in *frames, size_t max);
	/* What stands before a frame's bytes when it is written; returns its length, at most LINK_PREFIX_MAX. */
	size_t (*prefix)(const struct link *link, const struct frame_out *frame, uint8_t *bytes);
	/* One frame with its prefix. 0; -EAGAIN; -ENODEV: gone; -ENETDOWN: nobody there now; else: refused. */
	int (*write)(struct link_queue *queue, const struct iovec *iov, int iov_count);
	/* link_congested has changed. NULL: nothing to do. */
	void (*wait_writable)(struct link_queue *queue, bool wanted);
	int (*reattach)(const struct link *link, struct link_queue *queue); /* NULL: never gone */
};

/* Only link_open and link_close write what is outside `queue`: the queues' threads share it. */
struct link {
	const struct link_ops *ops;
	struct link_options options;
	struct stack_address *host_addresses; /* our copy */
	char name[108];                       /* interface or path */
	uint32_t mtu_bytes;
	struct link_offload offload;
	char warning[280];
	unsigned offload_flags; /* tap: what TUNSETOFFLOAD took */
	bool made;              /* tap: the interface did not exist before */
	bool multi_queue;       /* tap: opened with IFF_MULTI_QUEUE */
	uint32_t prefix_bytes;  /* tap: of the vnet header; 0: the kernel has none */
	uint32_t queue_count;
	struct link_queue queue[];
};

extern const struct link_ops link_tap_ops, link_unix_ops;

/* Counters have one writer, the queue's thread, and are read from others: no locked instruction is needed. */
static inline void link_count(uint64_t *counter, uint64_t more)
{
	__atomic_store_n(counter, *counter + more, __ATOMIC_RELAXED);
}

/* Writes a message and returns -error. */
int link_fail(char *message, size_t size, int error, const char *format, ...) __attribute__((format(printf, 4, 5)));
