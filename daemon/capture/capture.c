#include "capture/capture.h"

#include "capture/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FRAMES_IN_A_QUEUE 8u /* at least so many of the largest */
#define ETHERNET_BYTES 14u
#define ETHERTYPE_V4 0x0800u
#define ETHERTYPE_V6 0x86ddu
#define PROTOCOL_TCP 6u

struct capture_queue {
	struct ring ring;
	const struct capture_options *options;
	uint8_t shard;
	/* the shard's */
	uint64_t missed_pending;
	_Atomic uint64_t offered, missed;
	/* the reader's */
	_Alignas(RING_LINE) _Atomic uint64_t taken;
};

struct capture {
	struct capture_options options;
	uint32_t count;
	struct capture_queue queue[];
};

static void count_up(_Atomic uint64_t *counter, uint64_t by)
{
	/* One writer: no locked instruction is needed. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
	                      memory_order_relaxed);
}

/* ---- making and unmaking --------------------------------------------------------------------------------------- */

static uint32_t record_bytes(uint32_t captured)
{
	return (uint32_t)((sizeof(struct capture_packet) + captured + 7) & ~(size_t)7);
}

static uint64_t ring_bytes(const struct capture_options *options)
{
	uint64_t least = (uint64_t)FRAMES_IN_A_QUEUE * record_bytes(options->bytes), size = 4096;

	while (size < options->queue_bytes || size < least)
		size *= 2;
	return size;
}

int capture_new(const struct capture_options *options, uint32_t shards, struct capture **ret)
{
	size_t size = sizeof(struct capture) + shards * sizeof(struct capture_queue);
	struct capture *capture = aligned_alloc(RING_LINE, (size + RING_LINE - 1) / RING_LINE * RING_LINE);

	if (capture == NULL)
		return -ENOMEM;
	memset(capture, 0, size);
	capture->options = *options;
	for (uint32_t i = 0; i < shards; i++) {
		struct capture_queue *queue = &capture->queue[i];

		queue->options = &capture->options;
		queue->shard = (uint8_t)i;
		queue->ring.size = ring_bytes(options);
		/* Costs nothing until it is used. */
		queue->ring.bytes = mmap(NULL, queue->ring.size, PROT_READ | PROT_WRITE,
		                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (queue->ring.bytes == MAP_FAILED) {
			capture_free(capture);
			return -ENOMEM;
		}
		capture->count++;
	}
	*ret = capture;
	return 0;
}

void capture_free(struct capture *capture)
{
	if (capture == NULL)
		return;
	for (uint32_t i = 0; i < capture->count; i++)
		munmap(capture->queue[i].ring.bytes, capture->queue[i].ring.size);
	free(capture);
}

struct capture_queue *capture_queue_of(struct capture *capture, uint32_t shard)
{
	return &capture->queue[shard];
}

uint32_t capture_shards(const struct capture *capture)
{
	return capture->count;
}

/* ---- the shard's side ------------------------------------------------------------------------------------------ */

static bool has_id(const struct capture_filter *filter, uint64_t id)
{
	for (uint32_t i = 0; i < filter->id_count; i++)
		if (filter->id[i] == id)
			return true;
	return false;
}

/* What needs no look at the frame's bytes. */
static bool fits_view(const struct capture_filter *filter, const struct capture_frame *frame)
{
	const struct stack_view *view = frame->view;

	if (filter->verdicts != 0 &&
	    ((frame->flags & CAPTURE_IN) == 0 || (filter->verdicts >> view->verdict & 1) == 0))
		return false;
	if (filter->states != 0 &&
	    (!view->is_segment || (filter->states & (1u << view->state | 1u << view->state_before)) == 0))
		return false;
	return filter->id_count == 0 || (view->connection_id != 0 && has_id(filter, view->connection_id));
}

static uint32_t ethertype(const uint8_t *bytes, size_t length)
{
	return length < ETHERNET_BYTES ? 0 : (uint32_t)bytes[12] << 8 | bytes[13];
}

/* All headers of a TCP segment over IP without extension headers, as super-frames are; 0: it is none. */
static uint16_t header_bytes(const uint8_t *bytes, size_t length)
{
	uint32_t type = ethertype(bytes, length), at = ETHERNET_BYTES;

	if (length < ETHERNET_BYTES + 40)
		return 0;
	if (type == ETHERTYPE_V4 && bytes[at + 9] == PROTOCOL_TCP)
		at += (bytes[at] & 15u) * 4;
	else if (type == ETHERTYPE_V6 && bytes[at + 6] == PROTOCOL_TCP)
		at += 40;
	else
		return 0;
	return at + 13 < length ? (uint16_t)(at + (bytes[at + 12] >> 4) * 4u) : 0;
}

static void copy_bytes(const struct capture_frame *frame, uint8_t *to, uint32_t length)
{
	for (uint32_t i = 0; length > 0 && i < frame->iov_count; i++) {
		size_t part = frame->iov[i].iov_len < length ? frame->iov[i].iov_len : length;

		memcpy(to, frame->iov[i].iov_base, part);
		to += part;
		length -= (uint32_t)part;
	}
}

static void put(struct capture_queue *queue, const struct capture_frame *frame)
{
	uint32_t captured = frame->length < queue->options->bytes ? frame->length : queue->options->bytes;
	uint32_t size = record_bytes(captured);
	struct capture_packet *packet = ring_reserve(&queue->ring, size);
	const uint8_t *first = frame->iov[0].iov_base;

	count_up(&queue->offered, 1);
	if (packet == NULL) {
		count_up(&queue->missed, 1);
		queue->missed_pending++;
		return;
	}
	*packet = (struct capture_packet){
		.size = size,
		.captured = captured,
		.length = frame->length,
		.gso_bytes = frame->gso_bytes,
		.header_bytes = frame->gso_bytes > 0 ? header_bytes(first, frame->iov[0].iov_len) : 0,
		.flags = frame->flags,
		.shard = queue->shard,
		.missed = queue->missed_pending,
		.time_ns = frame->time_ns,
		.view = *frame->view,
	};
	if (ethertype(first, frame->iov[0].iov_len) == ETHERTYPE_V6)
		packet->flags |= CAPTURE_IPV6;
	copy_bytes(frame, packet->bytes, captured);
	queue->missed_pending = 0;
	ring_commit(&queue->ring, size);
}

void capture_offer(struct capture_queue *const *queues, uint32_t count, const struct capture_frame *frame)
{
	struct frame_flow flow;
	bool read = false;

	for (uint32_t i = 0; i < count; i++) {
		const struct capture_filter *filter = &queues[i]->options->filter;

		if (!fits_view(filter, frame))
			continue;
		if (filter->frame.condition_count > 0) {
			if (!read)
				frame_flow_read(frame->iov[0].iov_base, (uint32_t)frame->iov[0].iov_len,
				                (frame->flags & CAPTURE_IN) == 0, &flow);
			read = true;
			if (!frame_filter_fits(&filter->frame, &flow))
				continue;
		}
		put(queues[i], frame);
	}
}

/* ---- the reader's side ----------------------------------------------------------------------------------------- */

/* The queue with the oldest packet of all; NULL: there is none of before `until_ns`. */
static struct capture_queue *oldest(struct capture *capture, int64_t until_ns)
{
	struct capture_queue *found = NULL;

	for (uint32_t i = 0; i < capture->count; i++) {
		const struct capture_packet *packet = ring_peek(&capture->queue[i].ring);

		if (packet != NULL && packet->time_ns < until_ns) {
			found = &capture->queue[i];
			until_ns = packet->time_ns;
		}
	}
	return found;
}

size_t capture_take(struct capture *capture, int64_t until_ns, const struct capture_packet **ret_packets,
                    size_t count)
{
	struct capture_queue *queue;
	size_t n = 0;

	while (n < count && (queue = oldest(capture, until_ns)) != NULL) {
		ret_packets[n++] = ring_peek(&queue->ring);
		ring_next(&queue->ring);
		count_up(&queue->taken, 1);
	}
	return n;
}

void capture_release(struct capture *capture)
{
	for (uint32_t i = 0; i < capture->count; i++)
		ring_release(&capture->queue[i].ring);
}

bool capture_is_pressed(const struct capture *capture)
{
	for (uint32_t i = 0; i < capture->count; i++)
		if (ring_used(&capture->queue[i].ring) > capture->queue[i].ring.size / 2)
			return true;
	return false;
}

struct capture_counts capture_get_counts(const struct capture *capture)
{
	struct capture_counts counts = { 0 };

	for (uint32_t i = 0; i < capture->count; i++) {
		const struct capture_queue *queue = &capture->queue[i];
		/* In this order: what is read later has grown, and nothing looks negative. */
		uint64_t taken = atomic_load_explicit(&queue->taken, memory_order_relaxed);
		uint64_t missed = atomic_load_explicit(&queue->missed, memory_order_relaxed);
		uint64_t offered = atomic_load_explicit(&queue->offered, memory_order_relaxed);

		counts.taken += taken;
		counts.missed += missed;
		counts.queued += offered > taken + missed ? offered - taken - missed : 0;
	}
	return counts;
}
