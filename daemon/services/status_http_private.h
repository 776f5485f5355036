#pragma once
/* What the pages are made of; private to status_http*.c. */
#include "services/status_http.h"
#include "shard/render.h"
#include "shard/survey.h"

#include <event2/buffer.h>

struct status_service {
	bool present; /* some shard has it */
	struct service_stats stats;
};

/* Asks every shard for the counters of the services with tags below `count`; `done` runs on main's thread with the
 * sums by tag, valid during the call. Returns 0 or -ENOMEM. */
typedef void status_services_fn(void *user, const struct status_service *services, size_t count);
int status_services_start(struct shards *shards, size_t count, status_services_fn *done, void *user);

/* An answer is written piece by piece, in this order; members may be NULL, and what they would need isn't asked. */
struct status_writer {
	const char *content_type;
	void (*begin)(struct evbuffer *out);
	void (*totals)(struct evbuffer *out, const struct survey_totals *totals);
	void (*services)(struct evbuffer *out, const struct status_service *services, size_t count,
	                 const struct render_names *names);
	/* `before`: how many rows there were already. */
	void (*rows)(struct evbuffer *out, const struct stack_conn_info *infos, size_t count, size_t before,
	             const struct render_names *names, struct instant now);
	size_t rows_max; /* 0: all */
	void (*end)(struct evbuffer *out, size_t rows, bool truncated);
};

extern const struct status_writer status_page, status_connections, status_metrics;

/* The service's name, "" when it has none. */
const char *status_service_name(const struct render_names *names, uint16_t id);
