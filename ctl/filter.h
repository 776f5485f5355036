#pragma once
/* The filter language, the same for every command: conditions that must all hold, as arguments or in one argument
 * with spaces between.
 *
 *     state=established dport=80,443 peer=192.0.2.0/24 service=echo retrans>3 rtt>=1.5ms
 *
 * FIELD OPERATOR VALUE[,VALUE]...: = and != take several values (one of them, none of them), < <= > >= one. Fields go
 * by their own names or by an alias (dport). Values are brought into the form that the daemon takes: 64KiB becomes
 * 65536, 1s becomes 1000, estab becomes ESTABLISHED. */
#include "tapstack/control.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define FILTER_CONDITIONS_MAX 32
#define FILTER_VALUES_MAX 32 /* of one condition */

/* A field as a filter knows it; tables end with a NULL name. */
struct filter_field {
	const char *name;
	enum tapstack_field_kind kind;
	const char *unit, *help;
};

/* The fields of a connection, live or recorded, and what stands for a field: dport for peer_port. */
const struct filter_field *filter_fields(void);
struct filter_alias {
	const char *name, *field;
};
const struct filter_alias *filter_aliases(void);

struct filter_condition {
	const struct filter_field *field;
	const char *op; /* "=", "!=", "<", "<=", ">", ">=" */
	size_t count;
	char *value[FILTER_VALUES_MAX];
};

struct filter {
	size_t count;
	struct filter_condition condition[FILTER_CONDITIONS_MAX];
};

/* Reads `argc` arguments. `recorded`: for the database; else for the daemon. Returns true and fills *ret_filter, to
 * be given to filter_done; or false with a sentence that says what would be valid in `error`. */
bool filter_parse(char *const *argv, int argc, bool recorded, struct filter *ret_filter, char *error,
                  size_t error_size);
void filter_done(struct filter *filter);

/* For the parameter `filter` of the method Connections. NULL: no memory. */
json_t *filter_json(const struct filter *filter);

/* A WHERE clause over the view `connections`, without the word, "1" when there is no condition; its ?1, ?2 ... are
 * the values in order, all as text. It uses the SQL functions endpoint_in and endpoint_port of history.c. To be
 * freed; NULL: no memory. */
char *filter_sql(const struct filter *filter);
