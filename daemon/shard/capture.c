/* Who captures what a shard's stack receives and sends. */
#include "shard/private.h"

#include <errno.h>

void capture_received(struct shard *shard, const struct frame_in *frame)
{
	const struct iovec iov = { (void *)frame->bytes, frame->length };

	capture_offer(shard->capture, shard->capture_count,
	              &(struct capture_frame){
	                      .iov = &iov,
	                      .iov_count = 1,
	                      .length = frame->length,
	                      .gso_bytes = frame->gso_bytes,
	                      .flags = CAPTURE_IN |
	                               (frame->checksum == FRAME_CHECKSUM_PARTIAL ? CAPTURE_PARTIAL_CHECKSUM : 0),
	                      .time_ns = shard->host.now.ns,
	                      .view = &shard->watch.in });
}

void capture_sent(struct shard *shard, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct frame_out *frame = &shard->out[i];

		capture_offer(
		        shard->capture, shard->capture_count,
		        &(struct capture_frame){ .iov = frame->iov,
		                                 .iov_count = frame->iov_count,
		                                 .length = frame->length,
		                                 .gso_bytes = frame->gso_bytes,
		                                 .flags = frame->checksum_offset != 0 ? CAPTURE_PARTIAL_CHECKSUM : 0,
		                                 .time_ns = shard->host.now.ns,
		                                 .view = &shard->view[i] });
	}
}

struct request {
	struct capture *capture;
	int error;
};

static void begin(void *context, struct shard *shard)
{
	struct request *request = context;

	if (shard->capture_count == SHARD_CAPTURES_MAX) {
		request->error = -ENOSPC;
		return;
	}
	shard->capture[shard->capture_count++] = capture_queue_of(request->capture, shard->index);
	shard->watch.out = shard->view;
	stack_set_watch(shard->host.stack, &shard->watch);
}

static void end(void *context, struct shard *shard)
{
	const struct capture_queue *queue = capture_queue_of(context, shard->index);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < shard->capture_count; i++)
		if (shard->capture[i] != queue)
			shard->capture[kept++] = shard->capture[i];
	shard->capture_count = kept;
	if (kept == 0)
		stack_set_watch(shard->host.stack, NULL);
}

int shards_capture_begin(struct shards *shards, struct capture *capture)
{
	struct request request = { capture, 0 };

	shards_call(shards, begin, &request);
	if (request.error != 0)
		shards_capture_end(shards, capture);
	return request.error;
}

void shards_capture_end(struct shards *shards, struct capture *capture)
{
	shards_call(shards, end, capture);
}
