#pragma once
/* Journal records and the other facts of a run as rows: the statements, prepared once. Not thread-safe; used by
 * whoever opens the audit, then by the recorder.
 *
 * Everything between store_begin and store_commit is one transaction. Functions return 0 or -errno (schema_errno),
 * and then store_error has the text; the caller rolls back. */
#include "audit/audit.h"

#include <sqlite3.h>

/* The most records of one call of store_records. */
#define STORE_BATCH_MAX 8192u

/* Names by number; a growing table that owns its texts. */
struct names {
	char **name;
	size_t count;
};

int names_set(struct names *names, uint16_t id, const char *name);
const char *names_get(const struct names *names, uint16_t id); /* NULL: none */
void names_clear(struct names *names);

/* What has a name. */
enum name_kind { NAME_NONE, NAME_SERVICE, NAME_CONGESTION, NAME_OUTPUT, NAME_KIND_COUNT };
const char *name_kind_text(enum name_kind kind); /* in the table `name` */
/* The id under which a congestion algorithm's output is named. */
static inline uint16_t name_output_id(uint16_t congestion, uint32_t index)
{
	return (uint16_t)(congestion * STACK_SAMPLE_OUTPUTS_MAX + index);
}

/* Whose records they are: what their numbers and times mean. */
struct run {
	uint64_t id;
	int64_t wall_offset_ns;
	struct names name[NAME_KIND_COUNT];
};

void run_clear(struct run *run);

/* Rows written by a transaction, or by all since the start. */
struct store_counts {
	uint64_t transitions, connections, actions, samples;
	uint64_t damaged; /* records that made no sense, or whose row was there already */
};

struct store;

int store_open(const char *path, int busy_ms, struct store **ret_store, char *error, size_t error_size);
/* Writes the WAL back into the database and empties it, as far as readers allow; `fast` leaves that to the next who
 * opens. The files -wal and -shm stay: without them, only who may make them can read a database in WAL mode. */
void store_close(struct store *store, bool fast);

const char *store_error(const struct store *store);
/* How long to wait for another writer from now on. */
void store_set_patience(struct store *store, int busy_ms);

/* Writes the whole WAL back into the database and empties it, also when the files have other names by now. -EBUSY: a
 * reader or writer is in the way; nothing is lost, it can be tried again. */
int store_checkpoint(struct store *store);

int store_begin(struct store *store);
/* *counts, if given, is increased by what the transaction has written. */
int store_commit(struct store *store, struct store_counts *counts);
void store_rollback(struct store *store);

/* Rows for `count` records, in the order of their ring(s). A connection that begins and ends among them costs one
 * row of `connection` written once. */
int store_records(struct store *store, const struct run *run, const struct journal_record *const *records,
                  size_t count);

/* Rows of `sample` and `sample_output`. */
int store_samples(struct store *store, const struct run *run, const struct stack_sample *samples, size_t count);

/* All records of this run's ring before number `position` are stored; the highest connection id among them. */
int store_set_position(struct store *store, uint64_t run, unsigned shard, uint64_t position,
                       uint64_t last_connection);
/* -ENOENT: nothing is known about this ring. */
int store_get_position(struct store *store, uint64_t run, unsigned shard, uint64_t *ret_position);

struct store_run_row {
	uint64_t id;
	int64_t started_ns, wall_offset_ns; /* since 1970 */
	const char *version;                /* NULL: not known */
	unsigned shards;
	uint64_t first_connection;
};

/* Does nothing when the run is there already. */
int store_run_begin(struct store *store, const struct store_run_row *row);
int store_name(struct store *store, uint64_t run, enum name_kind kind, uint16_t id, const char *name);
/* Closes the run and its connections that are still open, each at `time_ns` or, if later, at its last transition.
 * *ret_closed is how many these were. */
int store_run_end(struct store *store, uint64_t run, int64_t time_ns, const char *ending, unsigned cause,
                  uint64_t *ret_closed);
int store_action(struct store *store, uint64_t run, int64_t time_ns, const struct audit_action *action);

/* The names that `run` had. run->id is set by the caller. */
int store_load_names(struct store *store, struct run *run);
/* The first run after `after` without an end; -ENOENT. *ret_started_ns: the time of its start. */
int store_next_open_run(struct store *store, uint64_t after, uint64_t *ret_run, int64_t *ret_started_ns);
/* The highest numbers ever used. */
int store_highest(struct store *store, uint64_t *ret_run, uint64_t *ret_connection);
