#pragma once
/* The link: where Ethernet frames come from and go to. Back ends behind one interface; knows descriptors, not TCP.
 *
 *   tap           a TAP interface, attached to or created, with segmentation and checksum offload if the kernel has
 * it unix:PATH     a SOCK_SEQPACKET socket at PATH on which the link listens; one peer at a time, one frame a
 * message, complete checksums, no offload; one queue
 *
 * A link has one or more queues, one per shard. A queue and all that is called with it belong to one thread;
 * different queues may be used from different threads at the same time. link_open and link_close run while no other
 * thread uses the link.
 *
 * Nothing here blocks, logs or raises SIGPIPE. Functions that return int return 0 or -errno. */
#include "core/base/addr.h"
#include "core/stack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct link;

/* Frames that one link_receive can return. */
#define LINK_BATCH_MAX 64u

struct link_options {
	const char *backend; /* "tap" or "unix:PATH" */
	const char *name;    /* tap: the interface, e.g. "tap0"; made if there is none of that name */
	uint32_t queues;     /* 0 counts as 1 */
	uint32_t mtu_bytes;  /* of an IP packet; 0: as the interface has it (unix: 1500) */
	bool offload;        /* tap: ask for segmentation and checksum offload */

	/* tap: the host's end. What already is as wanted is left alone, so that an interface which was prepared by
	 * somebody with more rights can be used without any. */
	struct mac_addr host_mac;                   /* all zero: as it is */
	const struct stack_address *host_addresses; /* given to the interface, beside those it has */
	size_t host_address_count;
	uint32_t queue_length; /* frames that may wait for this process in the kernel; 0: LINK_QUEUE_LENGTH */
};

/* The kernel drops frames towards a TAP reader when its queue is full; its own default, 500, is one window of small
 * segments. */
#define LINK_QUEUE_LENGTH 4096u

/* Opens all queues; the interface is up afterwards. `options` is copied. On failure `error` says in one line what
 * could not be done and why. */
int link_open(const struct link_options *options, struct link **ret_link, char *error, size_t error_size);
/* An interface that link_open made goes with it, and a socket file too. NULL is allowed. */
void link_close(struct link *link);

/* Something the operator should know although the link works (offload refused, ...): one line, or NULL. */
const char *link_warning(const struct link *link);

/* "tap" or "unix", and the interface's name or the path. */
const char *link_backend(const struct link *link);
const char *link_name(const struct link *link);
uint32_t link_queues(const struct link *link);
uint32_t link_mtu(const struct link *link);

/* What frames out may ask for: goes into struct stack_config. */
struct link_offload {
	uint32_t gso_bytes_max; /* largest TCP payload of one frame; 0: no super-frames */
	bool checksum;          /* partial checksums are completed by the kernel */
};
struct link_offload link_offload(const struct link *link);

/* The descriptor to wait on, level-triggered: readable when link_receive has something to do. Stays the same until
 * link_reattach. -1 while the interface is gone. */
int link_fd(const struct link *link, uint32_t queue);

/* What is there now, at most `max` and LINK_BATCH_MAX frames, without waiting. The frames' bytes stay valid until the
 * next link_receive on this queue. Returns their number, 0 for none, -ENODEV when the interface is gone (take
 * link_fd out of the event loop, and try link_reattach from time to time), or another -errno. Frames are passed on as
 * they came: the stack checks them. */
ssize_t link_receive(struct link *link, uint32_t queue, struct frame_in *frames, size_t max);

/* Sends all `count` frames. What can't go out now is copied and kept, in order, up to a limit, and sent by
 * link_flush or the next link_send; beyond the limit, and while the interface is down or gone, frames are dropped
 * and counted, as on any wire. */
void link_send(struct link *link, uint32_t queue, const struct frame_out *frames, size_t count);

/* True while frames are kept: pull no more from the stack; wait until link_fd is readable OR writable, and then call
 * link_flush first. */
bool link_congested(const struct link *link, uint32_t queue);
void link_flush(struct link *link, uint32_t queue);

/* After -ENODEV: one attempt to have the interface again, without waiting. Only this queue is touched: each shard
 * reattaches its own. An interface that the link had made is made again; one that it was attached to must be there
 * again. Returns 0: link_fd is a new descriptor, and the stack should announce itself; -ENODEV: not there yet;
 * another -errno. Then the queue stays as it is, gone; try again later. MTU and offload are as before. */
int link_reattach(struct link *link, uint32_t queue);

/* Of one queue; they only grow. May be read from any thread. */
struct link_counters {
	uint64_t frames_in, bytes_in, frames_out, bytes_out;
	uint64_t deferred;        /* frames that had to be kept for later */
	uint64_t dropped_full;    /* the limit of kept frames was reached */
	uint64_t dropped_down;    /* interface down or gone, no peer */
	uint64_t dropped_refused; /* the kernel refused the frame as such */
	uint64_t dropped_long;    /* received, but longer than a frame may be */
	uint64_t reattached;
};
struct link_counters link_counters(const struct link *link, uint32_t queue);
