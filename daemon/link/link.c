#include "link/link.h"

#include "link/backend.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int link_fail(char *message, size_t size, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, size, format, arguments);
	va_end(arguments);
	return -error;
}

/* ---- opening and closing ------------------------------------------------------------------------------------- */

static int parse_backend(const struct link_options *options, const struct link_ops **ret_ops, const char **ret_name,
                         char *error, size_t error_size)
{
	const char *backend = options->backend ? options->backend : "";

	if (strcmp(backend, "tap") == 0) {
		*ret_ops = &link_tap_ops;
		*ret_name = options->name ? options->name : "";
		if (strlen(*ret_name) >= IFNAMSIZ)
			return link_fail(error, error_size, EINVAL, "interface name '%s' is longer than %d bytes",
			                 *ret_name, IFNAMSIZ - 1);
		return 0;
	}
	if (strncmp(backend, "unix:", 5) == 0 && backend[5]) {
		*ret_ops = &link_unix_ops;
		*ret_name = backend + 5;
		if (strlen(*ret_name) >= sizeof(((struct link *)NULL)->name))
			return link_fail(error, error_size, EINVAL, "socket path '%s' is too long", *ret_name);
		return 0;
	}
	return link_fail(error, error_size, EINVAL, "link back end '%s' is neither 'tap' nor 'unix:PATH'", backend);
}

static int link_allocate(const struct link_options *options, struct link **ret_link)
{
	uint32_t queues = options->queues ? options->queues : 1;
	size_t addresses = options->host_address_count * sizeof(*options->host_addresses);
	struct link *link = calloc(1, sizeof(*link) + queues * sizeof(link->queue[0]));

	if (!link)
		return -ENOMEM;
	link->queue_count = queues;
	for (uint32_t i = 0; i < queues; i++) {
		link->queue[i].fd = link->queue[i].listener = link->queue[i].peer = -1;
		link->queue[i].arena = aligned_alloc(64, LINK_ARENA_BYTES);
		if (!link->queue[i].arena) {
			link_close(link);
			return -ENOMEM;
		}
	}
	link->options = *options;
	link->options.backend = link->options.name = NULL; /* the caller's; ours is link->name */
	if (addresses) {
		link->host_addresses = malloc(addresses);
		if (!link->host_addresses) {
			link_close(link);
			return -ENOMEM;
		}
		memcpy(link->host_addresses, options->host_addresses, addresses);
	}
	link->options.host_addresses = link->host_addresses;
	*ret_link = link;
	return 0;
}

int link_open(const struct link_options *options, struct link **ret_link, char *error, size_t error_size)
{
	const struct link_ops *ops = NULL;
	const char *name = NULL;
	struct link *link;
	int r = parse_backend(options, &ops, &name, error, error_size);

	if (r < 0)
		return r;
	r = link_allocate(options, &link);
	if (r < 0)
		return link_fail(error, error_size, -r, "no memory for the link's buffers");
	snprintf(link->name, sizeof(link->name), "%s", name);
	link->ops = ops;
	r = ops->open(link, error, error_size);
	if (r < 0) {
		link_close(link);
		return r;
	}
	*ret_link = link;
	return 0;
}

void link_close(struct link *link)
{
	if (!link)
		return;
	if (link->ops)
		link->ops->close(link);
	for (uint32_t i = 0; i < link->queue_count; i++) {
		free(link->queue[i].arena);
		free(link->queue[i].kept.bytes);
	}
	free(link->host_addresses);
	free(link);
}

int link_reattach(struct link *link, uint32_t queue)
{
	int r;

	if (!link->ops->reattach || link->queue[queue].fd >= 0)
		return 0;
	r = link->ops->reattach(link, &link->queue[queue]);
	if (r == 0)
		link_count(&link->queue[queue].counters.reattached, 1);
	return r;
}

/* ---- what it is ---------------------------------------------------------------------------------------------- */

const char *link_warning(const struct link *link)
{
	return link->warning[0] ? link->warning : NULL;
}

const char *link_backend(const struct link *link)
{
	return link->ops->name;
}

const char *link_name(const struct link *link)
{
	return link->name;
}

uint32_t link_queues(const struct link *link)
{
	return link->queue_count;
}

uint32_t link_mtu(const struct link *link)
{
	return link->mtu_bytes;
}

struct link_offload link_offload(const struct link *link)
{
	return link->offload;
}

int link_fd(const struct link *link, uint32_t queue)
{
	return link->queue[queue].fd;
}

struct link_counters link_counters(const struct link *link, uint32_t queue)
{
	/* Whole numbers, though not all of the same moment when another thread asks. */
	const uint64_t *counter = (const uint64_t *)&link->queue[queue].counters;
	struct link_counters copy;

	static_assert(sizeof(copy) % sizeof(uint64_t) == 0, "nothing but counters");
	for (size_t i = 0; i < sizeof(copy) / sizeof(uint64_t); i++)
		((uint64_t *)&copy)[i] = __atomic_load_n(&counter[i], __ATOMIC_RELAXED);
	return copy;
}

/* ---- frames -------------------------------------------------------------------------------------------------- */

ssize_t link_receive(struct link *link, uint32_t queue, struct frame_in *frames, size_t max)
{
	struct link_queue *q = &link->queue[queue];
	uint64_t bytes = 0;
	ssize_t n;

	if (q->fd < 0)
		return -ENODEV;
	n = link->ops->receive(link, q, frames, max < LINK_BATCH_MAX ? max : LINK_BATCH_MAX);
	for (ssize_t i = 0; i < n; i++)
		bytes += frames[i].length;
	if (n > 0) {
		link_count(&q->counters.bytes_in, bytes);
		link_count(&q->counters.frames_in, (uint64_t)n);
	}
	return n;
}

/* Counts what write said about one frame of `length` bytes. Returns false when it must be tried again later. */
static bool account(struct link_queue *q, int result, size_t length)
{
	switch (result) {
	case 0:
		link_count(&q->counters.frames_out, 1);
		link_count(&q->counters.bytes_out, length);
		return true;
	case -EAGAIN:
		return false;
	case -ENODEV:
	case -ENETDOWN:
		link_count(&q->counters.dropped_down, 1);
		return true;
	default:
		link_count(&q->counters.dropped_refused, 1);
		return true;
	}
}

static bool kept_any(const struct link_kept *kept)
{
	return kept->start < kept->end;
}

static void set_congested(struct link *link, struct link_queue *q)
{
	bool congested = kept_any(&q->kept);

	if (congested == q->congested)
		return;
	q->congested = congested;
	if (link->ops->wait_writable)
		link->ops->wait_writable(q, congested);
}

static void keep(struct link_queue *q, const struct iovec *iov, int iov_count)
{
	struct link_kept *kept = &q->kept;
	uint32_t length = 0;

	for (int i = 0; i < iov_count; i++)
		length += (uint32_t)iov[i].iov_len;
	if (!kept->bytes)
		kept->bytes = malloc(LINK_KEPT_BYTES);
	if (kept->bytes && kept->start > 0 && kept->end + sizeof(length) + length > LINK_KEPT_BYTES) {
		memmove(kept->bytes, kept->bytes + kept->start, kept->end - kept->start);
		kept->end -= kept->start;
		kept->start = 0;
	}
	if (!kept->bytes || kept->end + sizeof(length) + length > LINK_KEPT_BYTES) {
		link_count(&q->counters.dropped_full, 1);
		return;
	}
	memcpy(kept->bytes + kept->end, &length, sizeof(length));
	kept->end += sizeof(length);
	for (int i = 0; i < iov_count; i++) {
		memcpy(kept->bytes + kept->end, iov[i].iov_base, iov[i].iov_len);
		kept->end += iov[i].iov_len;
	}
	link_count(&q->counters.deferred, 1);
}

static void flush_kept(struct link *link, struct link_queue *q)
{
	struct link_kept *kept = &q->kept;

	while (kept_any(kept)) {
		struct iovec iov;
		uint32_t length;

		memcpy(&length, kept->bytes + kept->start, sizeof(length));
		iov = (struct iovec){ kept->bytes + kept->start + sizeof(length), length };
		if (!account(q, q->fd < 0 ? -ENODEV : link->ops->write(q, &iov, 1), length - link->prefix_bytes))
			break;
		kept->start += sizeof(length) + length;
	}
	if (!kept_any(kept))
		kept->start = kept->end = 0;
}

void link_flush(struct link *link, uint32_t queue)
{
	struct link_queue *q = &link->queue[queue];

	flush_kept(link, q);
	set_congested(link, q);
}

bool link_congested(const struct link *link, uint32_t queue)
{
	return link->queue[queue].congested;
}

void link_send(struct link *link, uint32_t queue, const struct frame_out *frames, size_t count)
{
	struct link_queue *q = &link->queue[queue];

	flush_kept(link, q);
	for (size_t i = 0; i < count; i++) {
		const struct frame_out *frame = &frames[i];
		struct iovec iov[1 + FRAME_OUT_IOV_MAX];
		uint8_t prefix[LINK_PREFIX_MAX];
		size_t prefix_length = link->ops->prefix(link, frame, prefix);
		int n = 0;

		if (prefix_length > 0)
			iov[n++] = (struct iovec){ prefix, prefix_length };
		for (uint32_t j = 0; j < frame->iov_count; j++)
			iov[n++] = frame->iov[j];
		if (kept_any(&q->kept) ||
		    !account(q, q->fd < 0 ? -ENODEV : link->ops->write(q, iov, n), frame->length))
			keep(q, iov, n);
	}
	set_congested(link, q);
}
