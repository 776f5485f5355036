#pragma once
/* Captures: copies of the frames that the shards' stacks receive and send, with what the stack thought of each. One
 * struct capture is one that wants them (a logging instance, say); it has a queue for each shard. A shard never
 * waits: what does not fit is counted. One thread reads all queues of a capture, in order of time.
 *
 * Knows neither shards nor plugins: both see it. */
#include "core/stack.h"
#include "core/wire/frame_filter.h"

#include <sys/uio.h>

struct capture;
struct capture_queue;

#define CAPTURE_IDS_MAX 8u

/* All that is given must hold. All zero: every frame fits. */
struct capture_filter {
	struct frame_filter frame;
	uint64_t id[CAPTURE_IDS_MAX]; /* of connections; one of them */
	uint32_t id_count;
	uint32_t states;   /* 1 << enum tcp_state, before or after the frame; 0: any */
	uint64_t verdicts; /* 1 << enum stack_verdict, of frames received: those sent have none, and do not fit; 0:
	                      any */
};
_Static_assert(STACK_VERDICT_COUNT <= 64, "verdicts are a set of bits");

struct capture_options {
	struct capture_filter filter;
	uint32_t bytes;       /* of each frame, from its Ethernet header on; at least CAPTURE_BYTES_MIN */
	uint64_t queue_bytes; /* for each shard; rounded up to a power of two, and to what holds some frames */
};
#define CAPTURE_BYTES_MIN 64u
#define CAPTURE_BYTES_MAX 65550u /* all of any frame */

enum capture_flag {
	CAPTURE_IN = 1,
	CAPTURE_PARTIAL_CHECKSUM = 2, /* only the pseudo-header is summed */
	CAPTURE_IPV6 = 4,
};

struct capture_packet {
	uint32_t size;     /* of this record */
	uint32_t captured; /* of `bytes` */
	uint32_t length;   /* of the frame */
	uint16_t gso_bytes,
	        header_bytes; /* of a super-frame: payload of each of its segments, and what each repeats */
	uint8_t flags;        /* enum capture_flag */
	uint8_t shard;
	uint64_t missed; /* frames of this shard that fitted the filter and not the queue, since the one before */
	int64_t time_ns; /* as the stack's clock */
	struct stack_view view;
	uint8_t bytes[];
};

/* 0 or -ENOMEM. */
int capture_new(const struct capture_options *options, uint32_t shards, struct capture **ret);
/* No shard may have a queue of it any more. NULL is allowed. */
void capture_free(struct capture *capture);

/* ---- a shard's side ------------------------------------------------------------------------------------------ */

struct capture_queue *capture_queue_of(struct capture *capture, uint32_t shard);

struct capture_frame {
	const struct iovec *iov;
	uint32_t iov_count, length;
	uint16_t gso_bytes;
	uint8_t flags; /* enum capture_flag; whether it is IPv6 is found out */
	int64_t time_ns;
	const struct stack_view *view;
};

/* Offers the frame to all these queues of one shard. Its headers must be in the first element. */
void capture_offer(struct capture_queue *const *queues, uint32_t count, const struct capture_frame *frame);

/* ---- the reader's side ----------------------------------------------------------------------------------------- */

/* Up to `count` packets of before `until_ns` (those of a shard in the order in which its stack saw them; over all
 * shards in order of time), valid until capture_release; returns how many. A shard that is a little behind may still
 * add older ones: keep `until_ns` a while behind the clock. */
size_t capture_take(struct capture *capture, int64_t until_ns, const struct capture_packet **ret_packets,
                    size_t count);
/* The room of what was taken is free again. */
void capture_release(struct capture *capture);
/* Half of a queue is taken: it is time to read, whatever the order. */
bool capture_is_pressed(const struct capture *capture);

/* Each frame that fitted the filter is in exactly one of `taken`, `queued` and `missed`. From any thread. */
struct capture_counts {
	uint64_t taken, queued, missed;
};
struct capture_counts capture_get_counts(const struct capture *capture);
uint32_t capture_shards(const struct capture *capture);
