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

/* Starts an instance, which does not listen yet. options->id is the tag: unique, also among those that are leaving.
 * Returns 0; -EEXIST the id is in use; -ENOMEM; or as service_start. */
int tenant_add(struct shard *shard, const struct service_type *type, const struct service_options *options);

/* The service listens there (`service` of the options is filled in). Returns 0; -ENOENT; -EISCONN it listens
 * already; or as stack_listen. */
int tenant_listen(struct shard *shard, uint16_t id, const struct stack_listen_options *options);
/* Tunables of the connections that it accepts from now on. 0; -ENOENT; or as stack_set_tcp. */
int tenant_tune(struct shard *shard, uint16_t id, const struct stack_tcp_config *tcp);
/* Congestion algorithm of the connections that it accepts from now on. 0 or -ENOENT. */
int tenant_set_congestion(struct shard *shard, uint16_t id, const struct stack_congestion *congestion);
/* It listens no more; what it has accepted lives on. 0 or -ENOENT. */
int tenant_deafen(struct shard *shard, uint16_t id);

/* New options for connections from now on: -ENOENT, or as service_configure. */
int tenant_configure(struct shard *shard, const struct service_options *options);

/* -ENOENT: not there, or leaving already. */
int tenant_remove(struct shard *shard, uint16_t id);

/* The instance, for its counters; NULL: not there, or leaving. */
const struct service *tenant_service(const struct shard *shard, uint16_t id);
/* Ids below this may be in use. */
uint32_t tenant_id_end(const struct shard *shard);
