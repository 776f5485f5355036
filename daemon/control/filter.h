#pragma once
/* Which connections a listing is about: conditions on the fields of TAPSTACK_CONNECTION_FIELDS, all of which must
 * hold. Made on main's thread, then read-only: shards evaluate it.
 *
 * One condition, as it comes over the socket: {"field": "peer_port", "operator": "=", "values": ["80", "443"]}. The
 * operators are = and != (one of the values, none of them), and for numbers and times < <= > >= with one value. A
 * record that doesn't keep the field fits no condition on it. Besides the fields there are two that look at both
 * ends: `port` and `address`. */
#include "core/stack.h"
#include "shard/render.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define FILTER_CONDITIONS_MAX 32
#define FILTER_VALUES_MAX 64

struct filter;

/* `conditions` is an array of objects; NULL: everything fits. `names` is used during the call only. Returns 0;
 * -ENOMEM; -EINVAL with a sentence that says what would be valid in `reason`. */
int filter_new(const json_t *conditions, const struct render_names *names, struct filter **ret_filter, char *reason,
               size_t reason_size);
void filter_free(struct filter *filter);

/* For survey_options.match: `filter` is a const struct filter *. */
bool filter_match(const void *filter, const struct stack_conn_info *info, struct instant now);

/* Can a condition be made on a field of this name? */
bool filter_field_exists(const char *name);
