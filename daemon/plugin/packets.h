#pragma once
/* The packets that one logging instance captures: from the shards' queues to what the plugin is given. */
#include "capture/capture.h"
#include "plugin/logger.h"

struct packets;

#define PACKETS_BATCH 64u

/* The names and the run of `options` must stay. 0 or -ENOMEM. */
int packets_new(const struct logger_options *options, struct packets **ret);
/* NULL is allowed. No shard may fill its queues any more. */
void packets_free(struct packets *packets);
struct capture *packets_capture(struct packets *packets);

/* On the logger's thread: the next ones, at most PACKETS_BATCH, valid until packets_release. `all`: without waiting
 * for shards that may be a little behind. */
size_t packets_take(struct packets *packets, bool all, const struct tapstack_log_packet **ret);
void packets_release(struct packets *packets);
