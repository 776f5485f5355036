#pragma once
/* The daemon's own status pages: libevent's evhttp on a unix socket, in main's thread. A service of kind `http`
 * relays to it, so that HTTP is seen to do to connections what it does: HTTP/1.0 closes after each response, HTTP/1.1
 * keeps the connection, pipelined requests are answered in order, and an idle connection is closed from here.
 *
 *   /             a readable page: totals, services, live connections
 *   /connections  {"connections": [...]}, each as shard/render.h has it
 *   /metrics      OpenMetrics 1.0
 *
 * Answers are put together from what the shards report when asked; a long listing is sent as it is walked, at the
 * reader's pace. The process must ignore SIGPIPE: libevent writes to clients that may be gone. */
#include "core/base/time.h"
#include "services/service.h"

#include <stddef.h>

struct event_base;
struct render_names;
struct shards;
struct status;

struct status_options {
	const char *path;             /* of the socket; what is left of an earlier one is replaced */
	struct duration idle_timeout; /* between requests, and for a reader that takes nothing; 0: never */
	struct shards *shards;
	const struct render_names *names; /* of services, by tag; stays valid, its content may change */
};

/* Returns 0, or -errno and what went wrong in `error`. `options->shards` must not run out before status_close. */
int status_open(const struct status_options *options, struct event_base *base, struct status **ret_status,
                char *error, size_t error_size);

/* For service_options.target. */
void status_target(const struct status *status, struct service_target *ret_target);

/* For connections from now on. */
void status_set_idle_timeout(struct status *status, struct duration idle_timeout);

/* Closes all connections and removes the socket. Before shards_free, which runs what is still under way. NULL is
 * allowed. */
void status_close(struct status *status);
