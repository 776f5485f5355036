#include "fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- the stack ----------------------------------------------------------------------------------------------- */

int stack_new(const struct stack_config *config, const struct memory *memory, struct instant now,
              struct stack **ret_stack)
{
	struct stack *stack = memory->alloc(memory->context, sizeof(*stack));

	(void)now;
	if (!stack)
		return -ENOMEM;
	stack->shard = config->shard;
	stack->deadline_ns = INT64_MAX;
	*ret_stack = stack;
	return 0;
}

void stack_free(struct stack *stack)
{
	free(stack);
}

enum stack_verdict stack_input(struct stack *stack, struct instant now, const struct frame_in *frame)
{
	(void)frame;
	stack->latched = now;
	if (stack->watch)
		stack->watch->in = (struct stack_view){ .verdict = VERDICT_DUPLICATE };
	atomic_fetch_add(&stack->inputs, 1);
	return VERDICT_ACCEPTED;
}

void stack_set_watch(struct stack *stack, struct stack_watch *watch)
{
	stack->watch = watch;
}

bool stack_advance(struct stack *stack, struct instant now)
{
	stack->latched = now;
	if (now.ns >= stack->deadline_ns)
		stack->deadline_ns = INT64_MAX;
	atomic_fetch_add(&stack->advances, 1);
	return false;
}

void stack_settle(struct stack *stack)
{
	atomic_fetch_add(&stack->settles, 1);
}

size_t stack_output(struct stack *stack, struct frame_out *frames, size_t count)
{
	size_t left = stack->to_send;

	if (count > left)
		count = left;
	memset(frames, 0, count * sizeof(*frames));
	for (size_t i = 0; i < count; i++) {
		frames[i].iov[0] = (struct iovec){ frames[i].header, 60 };
		frames[i].iov_count = 1;
		frames[i].length = 60;
		if (stack->watch)
			stack->watch->out[i] = (struct stack_view){ .connection_id = 100 + i };
	}
	stack->to_send -= (unsigned)count;
	return count;
}

struct instant stack_deadline(const struct stack *stack)
{
	return (struct instant){ atomic_load(&stack->deadline_ns) };
}

int stack_listen(struct stack *stack, const struct stack_listen_options *options, struct conn_handle *ret_listener)
{
	int error = stack->listen_error;

	(void)options;
	stack->listen_error = 0;
	if (error)
		return error;
	stack->listeners++;
	ret_listener->v = stack->listeners;
	return 0;
}

int stack_unlisten(struct stack *stack, struct conn_handle listener)
{
	(void)listener;
	stack->listeners--;
	return 0;
}

int stack_set_tcp(struct stack *stack, struct conn_handle handle, const struct stack_tcp_config *tcp)
{
	(void)stack;
	(void)handle;
	(void)tcp;
	return 0;
}

int stack_set_listener_congestion(struct stack *stack, struct conn_handle listener,
                                  const struct stack_congestion *congestion)
{
	(void)stack;
	(void)listener;
	(void)congestion;
	return 0;
}

bool stack_next_ready(struct stack *stack, struct stack_ready *ret_ready)
{
	if (!stack->has_ready)
		return false;
	stack->has_ready = false;
	*ret_ready = stack->ready;
	return true;
}

bool stack_has_ready(const struct stack *stack)
{
	return stack->has_ready;
}

int stack_abort(struct stack *stack, struct conn_handle conn)
{
	(void)stack;
	(void)conn;
	return 0;
}

/* Records 1 .. stack->records, at most 50 a call. */
size_t stack_walk(const struct stack *stack, uint64_t *cursor, struct stack_conn_info *ret_infos, size_t count)
{
	size_t filled = 0;

	atomic_fetch_add(&((struct stack *)stack)->walks, 1);
	while (filled < count && filled < 50 && *cursor < stack->records) {
		memset(&ret_infos[filled], 0, sizeof(ret_infos[filled]));
		ret_infos[filled].id = stack->shard * 1000000u + ++*cursor;
		ret_infos[filled].shard = (uint8_t)stack->shard;
		filled++;
	}
	if (*cursor == stack->records)
		*cursor = UINT64_MAX;
	return filled;
}

int stack_admin_close(struct stack *stack, uint64_t id, bool abort)
{
	(void)abort;
	stack->closed_id = (uint32_t)id;
	return 0;
}

const struct stack_counters *stack_get_counters(const struct stack *stack)
{
	return &stack->counters;
}

void stack_get_gauges(const struct stack *stack, struct stack_gauges *ret_gauges)
{
	memset(ret_gauges, 0, sizeof(*ret_gauges));
	ret_gauges->connections = stack->records;
	ret_gauges->connections_max = 1000;
	ret_gauges->orphans = 3;
}

void stack_set_offload(struct stack *stack, uint32_t gso_bytes_max, bool checksum_offload)
{
	(void)gso_bytes_max;
	(void)checksum_offload;
	atomic_fetch_add(&stack->offload_changes, 1);
}

size_t stack_samples(struct stack *stack, struct stack_sample *ret_samples, size_t count)
{
	unsigned left = atomic_load(&stack->samples);
	size_t take = left < count ? left : count;

	memset(ret_samples, 0, take * sizeof(*ret_samples));
	atomic_fetch_sub(&stack->samples, (unsigned)take);
	return take;
}

bool stack_next_notice(struct stack *stack, struct stack_notice *ret_notice)
{
	if (atomic_load(&stack->notices) == 0)
		return false;
	memset(ret_notice, 0, sizeof(*ret_notice));
	atomic_fetch_sub(&stack->notices, 1);
	return true;
}

void fake_take_samples(void *context, uint32_t shard, const struct stack_sample *samples, size_t count)
{
	struct fake_told *told = context;

	(void)shard;
	(void)samples;
	atomic_fetch_add(&told->samples, (unsigned)count);
}

void fake_take_notice(void *context, uint32_t shard, const struct stack_notice *notice)
{
	struct fake_told *told = context;

	(void)shard;
	(void)notice;
	atomic_fetch_add(&told->notices, 1);
}

void stack_announce(struct stack *stack)
{
	atomic_fetch_add(&stack->announcements, 1);
}

const char *stack_neighbour_state_name(unsigned state)
{
	return state ? "reachable" : "incomplete";
}

const char *stack_address_state_name(unsigned state)
{
	return state ? "preferred" : "tentative";
}

const char *stack_address_origin_name(unsigned origin)
{
	return origin ? "autonomous" : "configured";
}

const char *stack_verdict_name(unsigned verdict)
{
#define VERDICT_NAME(name, meaning) [VERDICT_##name] = #name,
	static const char *const names[] = { STACK_VERDICTS(VERDICT_NAME) };
#undef VERDICT_NAME

	return verdict < STACK_VERDICT_COUNT ? names[verdict] : "?";
}

struct stack *fake_stack(const struct shards *shards, uint32_t shard)
{
	return shard_stack(shards_at(shards, shard));
}

/* ---- the link ------------------------------------------------------------------------------------------------ */

struct link *fake_link_new(uint32_t queues)
{
	struct link *link = calloc(1, sizeof(*link));

	link->queues = queues;
	for (uint32_t i = 0; i < queues; i++)
		link->queue[i].fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return link;
}

void fake_link_free(struct link *link)
{
	for (uint32_t i = 0; i < link->queues; i++)
		close(link->queue[i].fd);
	free(link);
}

static void wake(struct fake_queue *queue)
{
	const uint64_t one = 1;

	if (write(queue->fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

void fake_link_arrive(struct link *link, uint32_t queue, unsigned count)
{
	atomic_fetch_add(&link->queue[queue].frames, count);
	wake(&link->queue[queue]);
}

void fake_link_go(struct link *link, uint32_t queue)
{
	atomic_store(&link->queue[queue].gone, true);
	wake(&link->queue[queue]);
}

int link_fd(const struct link *link, uint32_t queue)
{
	return link->queue[queue].fd;
}

ssize_t link_receive(struct link *link, uint32_t queue, struct frame_in *frames, size_t max)
{
	struct fake_queue *q = &link->queue[queue];
	unsigned count = atomic_load(&q->frames);
	uint64_t value;

	atomic_fetch_add(&q->receives, 1);
	if (atomic_load(&q->gone))
		return -ENODEV;
	if (count > max)
		count = (unsigned)max;
	for (unsigned i = 0; i < count; i++)
		frames[i] = (struct frame_in){ .bytes = q->bytes[i], .length = sizeof(q->bytes[i]) };
	if (atomic_fetch_sub(&q->frames, count) == count && read(q->fd, &value, sizeof(value)) < 0 && errno != EAGAIN)
		abort();
	return count;
}

void link_send(struct link *link, uint32_t queue, const struct frame_out *frames, size_t count)
{
	(void)frames;
	atomic_fetch_add(&link->queue[queue].sent, (unsigned)count);
}

bool link_congested(const struct link *link, uint32_t queue)
{
	return atomic_load(&link->queue[queue].congested);
}

void link_flush(struct link *link, uint32_t queue)
{
	atomic_fetch_add(&link->queue[queue].flushes, 1);
}

int link_reattach(struct link *link, uint32_t queue)
{
	struct fake_queue *q = &link->queue[queue];

	atomic_fetch_add(&q->reattaches, 1);
	if (!atomic_load(&q->back))
		return -ENODEV;
	atomic_store(&q->gone, false);
	return 0;
}

const char *link_name(const struct link *link)
{
	(void)link;
	return "fake0";
}

const char *link_warning(const struct link *link)
{
	(void)link;
	return NULL;
}

struct link_offload link_offload(const struct link *link)
{
	(void)link;
	return (struct link_offload){ .gso_bytes_max = 65536, .checksum = true };
}

/* ---- services ------------------------------------------------------------------------------------------------ */

int service_start(const struct service_type *type, struct service_host *host, const struct service_options *options,
                  struct service **ret_service)
{
	struct service *service = calloc(1, type->instance_size);

	service->type = type;
	service->host = host;
	service->options = *options;
	*ret_service = service;
	return 0;
}

void service_ready(struct service *service, const struct stack_ready *ready)
{
	service->type->ready(service, ready);
}

int service_configure(struct service *service, const struct service_options *options)
{
	if (options->connections_max == 13)
		return -EINVAL;
	service->options = *options;
	return 0;
}

void service_stop(struct service *service)
{
	struct fake_service *fake = (struct fake_service *)service;

	if (service && fake->ended)
		++*fake->ended;
	free(service);
}

static void fake_ready(struct service *service, const struct stack_ready *ready)
{
	struct fake_service *fake = (struct fake_service *)service;

	fake->reports++;
	if (ready->flags & READY_ACCEPTED)
		service->stats.accepted++;
	if (ready->flags & READY_ERROR)
		service->stats.ended++;
}

const struct service_type fake_type = {
	.name = "fake",
	.instance_size = sizeof(struct fake_service),
	.ready = fake_ready,
};
