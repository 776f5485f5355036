#include "shard/shard.h"
#include "shard/private.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- memory of a stack --------------------------------------------------------------------------------------- */

/* From this size on whole pages are taken: they come zeroed, and cost nothing until they are touched. */
#define WHOLE_PAGES ((size_t)128 * 1024)

static size_t rounded(size_t size)
{
	return (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

static void *memory_alloc(void *context, size_t size)
{
	struct shard_memory *memory = context;
	void *pointer;

	if (size > SIZE_MAX / 2 || (memory->bytes_max && memory->bytes + size > memory->bytes_max))
		return NULL;
	if (size >= WHOLE_PAGES) {
		pointer = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (pointer == MAP_FAILED)
			return NULL;
	} else {
		pointer = aligned_alloc(CACHE_LINE, rounded(size));
		if (!pointer)
			return NULL;
		memset(pointer, 0, size);
	}
	memory->bytes += size;
	return pointer;
}

static void memory_free(void *context, void *pointer, size_t size)
{
	struct shard_memory *memory = context;

	if (!pointer)
		return;
	if (size >= WHOLE_PAGES)
		munmap(pointer, size);
	else
		free(pointer);
	memory->bytes -= size;
}

/* ---- one shard ----------------------------------------------------------------------------------------------- */

static int make_base(struct event_base **ret_base)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	if (!config)
		return -ENOMEM;
	/* Only its own thread touches the base: no locks. The timers that matter are on a timerfd of the shard's own;
	 * what services use libevent's for is not in a hurry, so that no precise timer is asked for: it would cost a
	 * system call each time round. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	base = event_base_new_with_config(config);
	event_config_free(config);
	if (!base)
		return -ENOMEM;
	*ret_base = base;
	return 0;
}

static int make_stack(struct shard *shard, const struct shards_options *options)
{
	struct shards *set = shard->set;
	struct link_offload offload = link_offload(set->link);
	struct stack_config config = *options->stack;
	struct memory memory = { memory_alloc, memory_free, &shard->memory };
	uint32_t first = set->port_first + shard->index * set->ports_per_shard;

	config.shard = (uint8_t)shard->index;
	config.first_connection_id += shard->index;
	config.connection_id_step = set->count;
	config.gso_bytes_max = offload.gso_bytes_max;
	config.checksum_offload = offload.checksum;
	config.port_first = (uint16_t)first;
	if (shard->index + 1 < set->count)
		config.port_last = (uint16_t)(first + set->ports_per_shard - 1);
	if (options->prepare) {
		int error = options->prepare(options->context, shard->index, &config);

		if (error != 0)
			return error;
	}
	shard->memory.bytes_max = options->memory_max_bytes;
	shard->host.now = shard_now();
	return stack_new(&config, &memory, shard->host.now, &shard->host.stack);
}

static void free_shard(struct shard *shard)
{
	if (!shard)
		return;
	if (shard->host.base) {
		tenants_free(shard);
		shard_loop_release(shard);
		event_base_free(shard->host.base);
	}
	impair_rules_free(shard->impair_rules);
	stack_free(shard->host.stack);
	if (shard->frames.fd >= 0) {
		forward_free(shard, mailbox_take(&shard->frames));
		mailbox_close(&shard->frames);
	}
	if (shard->jobs.fd >= 0)
		mailbox_close(&shard->jobs);
	free(shard);
}

static int make_shard(struct shards *set, uint32_t index, const struct shards_options *options,
                      struct shard **ret_shard)
{
	struct shard *shard = aligned_alloc(CACHE_LINE, rounded(sizeof(*shard)));
	int error;

	if (!shard)
		return -ENOMEM;
	memset(shard, 0, sizeof(*shard));
	shard->set = set;
	shard->index = index;
	shard->timer_fd = shard->jobs.fd = shard->frames.fd = -1;
	error = mailbox_open(&shard->jobs);
	if (error == 0 && set->count > 1)
		error = mailbox_open(&shard->frames);
	if (error == 0)
		error = make_stack(shard, options);
	if (error == 0)
		error = make_base(&shard->host.base);
	if (error == 0)
		error = shard_loop_prepare(shard);
	if (error != 0) {
		free_shard(shard);
		return error;
	}
	*ret_shard = shard;
	return 0;
}

/* ---- all of them --------------------------------------------------------------------------------------------- */

static void run_done(struct shards *shards)
{
	struct letter *letter = mailbox_take(&shards->done), *next;

	for (; letter; letter = next) {
		struct shard_job *job = CONTAINER_OF(letter, struct shard_job, letter);

		next = letter->next;
		job->done(job);
	}
}

static void on_done(evutil_socket_t fd, short events, void *context)
{
	(void)fd;
	(void)events;
	run_done(context);
}

static int watch_done(struct shards *shards)
{
	int error = mailbox_open(&shards->done);

	if (error != 0)
		return error;
	shards->done_event =
	        event_new(shards->main_base, shards->done.fd, EV_READ | EV_PERSIST | EV_ET, on_done, shards);
	if (!shards->done_event || event_add(shards->done_event, NULL) != 0)
		return -ENOMEM;
	return 0;
}

int shards_new(const struct shards_options *options, struct shards **ret_shards)
{
	uint32_t count = options->count ? options->count : 1;
	struct shards *shards = calloc(1, sizeof(*shards) + count * sizeof(shards->shard[0]));
	int error;

	if (!shards)
		return -ENOMEM;
	shards->count = count;
	shards->link = options->link;
	shards->main_base = options->main_base;
	shards->spin_max = options->spin_max;
	shards->impair_bytes_max = options->impair_bytes_max;
	shards->samples = options->samples;
	shards->notice = options->notice;
	shards->context = options->context;
	shards->port_first = options->stack->port_first;
	shards->port_last = options->stack->port_last;
	shards->ports_per_shard = ((uint32_t)shards->port_last - shards->port_first + 1) / count;
	shards->done.fd = -1;
	randombytes_buf(shards->flow_key, sizeof(shards->flow_key));
	if (shards->port_last < shards->port_first || shards->ports_per_shard == 0) {
		free(shards);
		return -EINVAL;
	}
	error = watch_done(shards);
	for (uint32_t i = 0; error == 0 && i < count; i++)
		error = make_shard(shards, i, options, &shards->shard[i]);
	if (error != 0) {
		shards_free(shards);
		return error;
	}
	*ret_shards = shards;
	return 0;
}

static void *thread_main(void *context)
{
	shard_loop(context);
	return NULL;
}

int shards_start(struct shards *shards)
{
	sigset_t all, before;
	int error = 0;

	/* Signals are for main's thread; threads inherit the mask. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (uint32_t i = 0; error == 0 && i < shards->count; i++) {
		struct shard *shard = shards->shard[i];
		char name[16];

		shard->stop = false;
		error = -pthread_create(&shard->thread, NULL, thread_main, shard);
		if (error != 0)
			break;
		shard->running = true;
		snprintf(name, sizeof(name), "shard-%u", i % 1000);
		pthread_setname_np(shard->thread, name);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0)
		shards_stop(shards);
	return error;
}

static void run_stop(struct shard_job *job, struct stack *stack)
{
	(void)stack;
	job->shard->stop = true;
}

void shards_stop(struct shards *shards)
{
	for (uint32_t i = 0; i < shards->count; i++) {
		struct shard *shard = shards->shard[i];

		if (!shard || !shard->running)
			continue;
		shard->stop_job = (struct shard_job){ .run = run_stop };
		shard_post(shard, &shard->stop_job);
	}
	for (uint32_t i = 0; i < shards->count; i++) {
		struct shard *shard = shards->shard[i];

		if (!shard || !shard->running)
			continue;
		pthread_join(shard->thread, NULL);
		shard->running = false;
		shard->begun = false;
		shard_run_jobs(shard); /* posted behind the end */
		shard_output(shard);
		if (shard->impair)
			impair_flush(shard);
	}
}

void shards_free(struct shards *shards)
{
	if (!shards)
		return;
	shards_stop(shards);
	if (shards->done.fd >= 0) {
		while (!mailbox_is_empty(&shards->done)) /* an answer may ask again */
			run_done(shards);
		if (shards->done_event)
			event_free(shards->done_event);
		mailbox_close(&shards->done);
	}
	for (uint32_t i = 0; i < shards->count; i++)
		free_shard(shards->shard[i]);
	sodium_memzero(shards->flow_key, sizeof(shards->flow_key));
	free(shards);
}

void shard_post(struct shard *shard, struct shard_job *job)
{
	job->shard = shard;
	mailbox_post(&shard->jobs, &job->letter);
	if (!shard->running) {
		shard->begun = false;
		shard_run_jobs(shard);
	}
}

/* ---- calls that wait ----------------------------------------------------------------------------------------- */

struct call {
	struct shard_job job;
	void (*run)(void *context, struct shard *shard);
	void *context;
	pthread_mutex_t mutex;
	pthread_cond_t over;
	bool is_over;
};

static void run_call(struct shard_job *job, struct stack *stack)
{
	struct call *call = CONTAINER_OF(job, struct call, job);

	(void)stack;
	call->run(call->context, job->shard);
	/* Signalled under the lock: the caller owns the memory and goes on as soon as it can have it. */
	pthread_mutex_lock(&call->mutex);
	call->is_over = true;
	pthread_cond_signal(&call->over);
	pthread_mutex_unlock(&call->mutex);
}

void shards_call(struct shards *shards, void (*run)(void *context, struct shard *shard), void *context)
{
	for (uint32_t i = 0; i < shards->count; i++) {
		struct call call = { .job.run = run_call, .run = run, .context = context };

		pthread_mutex_init(&call.mutex, NULL);
		pthread_cond_init(&call.over, NULL);
		shard_post(shards->shard[i], &call.job);
		pthread_mutex_lock(&call.mutex);
		while (!call.is_over)
			pthread_cond_wait(&call.over, &call.mutex);
		pthread_mutex_unlock(&call.mutex);
		pthread_cond_destroy(&call.over);
		pthread_mutex_destroy(&call.mutex);
	}
}

/* ---- looking in ---------------------------------------------------------------------------------------------- */

uint32_t shards_count(const struct shards *shards)
{
	return shards->count;
}

struct shard *shards_at(const struct shards *shards, uint32_t index)
{
	return index < shards->count ? shards->shard[index] : NULL;
}

uint32_t shard_index(const struct shard *shard)
{
	return shard->index;
}

struct stack *shard_stack(const struct shard *shard)
{
	return shard->host.stack;
}

struct event_base *shard_base(const struct shard *shard)
{
	return shard->host.base;
}

struct service_host *shard_host(struct shard *shard)
{
	return &shard->host;
}

void shard_get_status(const struct shard *shard, struct shard_status *ret_status)
{
	ret_status->turns = atomic_load_explicit(&shard->status.turns, memory_order_relaxed);
	ret_status->sleeps = atomic_load_explicit(&shard->status.sleeps, memory_order_relaxed);
	ret_status->forwarded_in = atomic_load_explicit(&shard->status.forwarded_in, memory_order_relaxed);
	ret_status->forward_drops = atomic_load_explicit(&shard->status.forward_drops, memory_order_relaxed);
	ret_status->link_losses = atomic_load_explicit(&shard->status.link_losses, memory_order_relaxed);
	ret_status->link_up = atomic_load_explicit(&shard->status.link_up, memory_order_relaxed);
	ret_status->impair_frames = atomic_load_explicit(&shard->status.impair_frames, memory_order_relaxed);
	ret_status->impair_bytes = atomic_load_explicit(&shard->status.impair_bytes, memory_order_relaxed);
	ret_status->impair_dropped = atomic_load_explicit(&shard->status.impair_dropped, memory_order_relaxed);
	ret_status->impair_harmed = atomic_load_explicit(&shard->status.impair_harmed, memory_order_relaxed);
	ret_status->impair_held_packets =
	        atomic_load_explicit(&shard->status.impair_held_packets, memory_order_relaxed);
	ret_status->impair_held_bytes = atomic_load_explicit(&shard->status.impair_held_bytes, memory_order_relaxed);
	ret_status->last_turn.ns = atomic_load_explicit(&shard->status.last_turn_ns, memory_order_relaxed);
}
