#pragma once
/* The services of one shard: each listens in the shard's stack and gets the news of its connections. All functions
 * are for the shard's thread, or for main while no thread runs (shards_call does either).
 *
 * A service that is taken away stops listening at once; its connections live on, and the instance goes with the last
 * of them. */
#include "core/stack.h"
#include "services/service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shard;

struct tenant_options {
	const struct service_type *type;
	struct service_options service;     /* service.id is the tag: unique, also among those that are leaving */
	struct stack_listen_options listen; /* `service` is filled in */
};

/* Starts an instance and listens. Returns 0; -EEXIST the id is in use; -ENOMEM; or as service_start and stack_listen.
 */
int tenant_add(struct shard *shard, const struct tenant_options *options);

/* New options for connections from now on; listens anew where address, port or backlog, ... changed. Returns 0,
 * -ENOENT, or as stack_listen and service_configure: then all is as before. The type can't change. */
int tenant_change(struct shard *shard, const struct tenant_options *options);

/* -ENOENT: not there, or leaving already. */
int tenant_remove(struct shard *shard, uint16_t id);

/* The instance, for its counters; NULL: not there. */
const struct service *tenant_service(const struct shard *shard, uint16_t id);
/* Ids below this may be in use. */
uint32_t tenant_id_end(const struct shard *shard);
