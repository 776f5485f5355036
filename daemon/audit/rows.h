#pragma once
/* From journal records to the values of rows: a batch of records grouped by connection, and the binding of values to
 * statements (whose columns are listed in store_sql.h). */
#include "audit/store.h"

#include <arpa/inet.h>

/* What a batch tells about one connection. */
struct group {
	uint64_t id;
	const struct journal_record *first, *last;
	const struct journal_record *full;    /* the last one that knows the counters; NULL: none */
	const struct journal_record *closing; /* the first into a closing state; NULL: none */
	uint32_t head, tail;                  /* its records: a list through batch.next */
	bool fresh;                           /* the connection begins here */
};

/* Addresses as text, valid until the statement has run. */
struct connection_text {
	char local[INET6_ADDRSTRLEN], remote[INET6_ADDRSTRLEN];
};

#define BATCH_TEXTS 16

struct batch {
	size_t records_max;
	struct group *group; /* by rising id */
	uint32_t group_count, fresh_count;
	const struct journal_record **ordered; /* by connection and index: the order of the rows' keys */
	size_t ordered_count;
	uint32_t *next, *slot; /* list of a group's records; hash table of groups */
	struct connection_text text[BATCH_TEXTS];
};

struct batch *batch_new(size_t records_max);
void batch_free(struct batch *batch);

/* Groups `count` records. Those that make no sense (an id or index that can't be a key) are left out; returns how
 * many these were. */
size_t batch_group(struct batch *batch, const struct journal_record *const *records, size_t count);

/* `before` is the number of parameters before the row's first. Texts are not copied. */
void bind_transition(sqlite3_stmt *statement, int before, const struct run *run, const struct journal_record *record);
void bind_connection(sqlite3_stmt *statement, int before, const struct run *run, const struct group *group,
                     struct connection_text *text);
void bind_update(sqlite3_stmt *statement, const struct run *run, const struct group *group, bool closes);

/* "192.0.2.1", "2001:db8::1"; returns its length. */
int format_address(const struct ip_addr *address, char text[INET6_ADDRSTRLEN]);
