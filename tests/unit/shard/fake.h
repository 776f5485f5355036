#pragma once
/* A stack, a link and services that do only what a test tells them, and count what was asked of them: so the shard is
 * tested alone. Fields are for the shard's thread, or for the test while no thread runs, unless they are atomic. */
#include "link/link.h"
#include "services/service.h"
#include "shard/shard.h"

#include <stdatomic.h>
#include <sys/types.h>

#define FAKE_SHARDS_MAX 4

struct stack {
	uint32_t shard;
	struct instant latched;
	_Atomic int64_t deadline_ns;
	atomic_uint inputs, advances, settles, announcements, walks, offload_changes;
	atomic_uint to_send; /* frames that stack_output still gives out */
	uint32_t records;    /* that stack_walk reports: ids are shard * 1000000 + 1 ... */
	uint32_t closed_id;
	struct stack_ready ready;
	atomic_bool has_ready; /* set by the test, taken by the shard's thread */
	int listen_error;      /* of the next stack_listen only */
	uint32_t listeners;
	struct stack_watch *watch; /* as the shard has set it */
	struct stack_counters counters;
	atomic_uint samples, notices; /* that stack_samples and stack_next_notice still give out */
};

struct fake_queue {
	int fd; /* eventfd: readable while frames wait */
	atomic_uint frames;
	atomic_bool gone, back, congested;
	atomic_uint receives, sent, flushes, reattaches;
	uint8_t bytes[LINK_BATCH_MAX][64];
};

struct link {
	uint32_t queues;
	struct fake_queue queue[FAKE_SHARDS_MAX];
};

struct link *fake_link_new(uint32_t queues);
void fake_link_free(struct link *link);
/* Frames that queue `queue` has from now on. */
void fake_link_arrive(struct link *link, uint32_t queue, unsigned count);
void fake_link_go(struct link *link, uint32_t queue);

/* What shards have told, as struct shards_options wants it; `context` is a struct fake_told. */
struct fake_told {
	atomic_uint samples, notices;
};
void fake_take_samples(void *context, uint32_t shard, const struct stack_sample *samples, size_t count);
void fake_take_notice(void *context, uint32_t shard, const struct stack_notice *notice);

/* The stack of that shard, made by shards_new. */
struct stack *fake_stack(const struct shards *shards, uint32_t shard);

/* A service kind that counts. */
extern const struct service_type fake_type;
struct fake_service {
	struct service service;
	unsigned reports;
	unsigned *ended; /* counts stops */
};
