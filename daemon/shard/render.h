#pragma once
/* What the stack knows, as JSON: connections under the field names of `ss -tieom`, counters under the names of the
 * tables in stack.h. Used by the control socket and by the status page, so that both say the same. */
#include "core/stack.h"
#include "shard/words.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct render_names {
	const char *const *service; /* by tag; NULL entries are allowed */
	size_t service_count;
	/* Of the index-th output of a congestion algorithm; NULL: it has none. May itself be NULL. */
	const char *(*output)(const void *context, uint16_t congestion, uint32_t index);
	const void *context;
};

#define RENDER_ADDRESS_MAX 48  /* "2001:db8::1" with NUL */
#define RENDER_ENDPOINT_MAX 56 /* "[2001:db8::1]:65535", "192.0.2.1:80", "*:80" with NUL */

/* "192.0.2.1", "2001:db8::1"; "*" for IP_ADDR_ANY. */
const char *render_address(const struct ip_addr *ip, char text[RENDER_ADDRESS_MAX]);
const char *render_endpoint(const struct ip_addr *ip, uint16_t port, char text[RENDER_ENDPOINT_MAX]);
const char *render_mac(const struct mac_addr *mac, char text[18]);

/* Flags for json_dumps: times are given to the microsecond, and without the digits that doubles add to it. */
#define RENDER_JSON (JSON_COMPACT | JSON_REAL_PRECISION(15))

/* An object with the fields of TAPSTACK_CONNECTION_FIELDS (tapstack/control.h), or NULL when memory is out. Times are
 * milliseconds as numbers with fraction, as ss has them; bytes and counts are integers; what is not known, or never
 * was, is null. A listener has its accept queue and backlog as recv_q and send_q. A compact record (half-open,
 * TIME-WAIT) leaves out what it does not keep. What algorithms say about themselves is in members of its own:
 * "outputs" and "shadow_outputs", {"w_max": number, ...}. */
json_t *render_connection(const struct stack_conn_info *info, const struct render_names *names, struct instant now);

/* {"frames_in": n, ..., "verdicts": {"DROP_PAWS": n, ...}, "transitions": {"LISTEN>SYN-RECEIVED": n, ...}}.
 * `all`: zero verdicts and transitions too. */
json_t *render_counters(const struct stack_counters *counters, bool all);

/* {"states": {"ESTABLISHED": n, ...}, "connections": n, "connections_max": n, ...} */
json_t *render_gauges(const struct stack_gauges *gauges);

/* {"address", "mac" or null, "state", "age" in ms} */
json_t *render_neighbour(const struct stack_neighbour_info *info, struct instant now);
/* {"address", "prefix", "state", "origin", "preferred", "valid": ms from now, null: for ever} */
json_t *render_own_address(const struct stack_address_info *info, struct instant now);
/* {"address", "origin", "preference", "failed", "valid": ms from now, null: for ever} */
json_t *render_router(const struct stack_router_info *info, struct instant now);
/* See the control interface, method Paths. */
json_t *render_path(const struct stack_path_info *info);
