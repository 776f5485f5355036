#include "audit/store.h"

#include "audit/rows.h"
#include "audit/schema.h"
#include "audit/store_sql.h"
#include "core/tcp/state.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
#define STATEMENT_ENUM(name, sql) STATEMENT_##name,
	STORE_STATEMENTS(STATEMENT_ENUM)
#undef STATEMENT_ENUM
	        STATEMENT_COUNT
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *statement[STATEMENT_COUNT];
	/* [0]: one row, [1]: as many as pay */
	sqlite3_stmt *insert_transition[2], *insert_connection[2];
	struct store_counts counts; /* of the open transaction */
	struct batch *batch;
	char error[256];
};

/* ---- names --------------------------------------------------------------------------------------------------- */

int names_set(struct names *names, uint16_t id, const char *name)
{
	char *copy = strdup(name);

	if (copy == NULL)
		return -ENOMEM;
	if (id >= names->count) {
		size_t count = (size_t)id + 1;
		char **grown = realloc(names->name, count * sizeof(*grown));

		if (grown == NULL) {
			free(copy);
			return -ENOMEM;
		}
		memset(grown + names->count, 0, (count - names->count) * sizeof(*grown));
		names->name = grown;
		names->count = count;
	}
	free(names->name[id]);
	names->name[id] = copy;
	return 0;
}

const char *names_get(const struct names *names, uint16_t id)
{
	return id < names->count ? names->name[id] : NULL;
}

void names_clear(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->name[i]);
	free(names->name);
	*names = (struct names){ 0 };
}

const char *name_kind_text(enum name_kind kind)
{
	static const char *const text[NAME_KIND_COUNT] = { "", "service", "congestion", "output" };

	return text[kind];
}

void run_clear(struct run *run)
{
	for (int kind = 0; kind < NAME_KIND_COUNT; kind++)
		names_clear(&run->name[kind]);
	*run = (struct run){ 0 };
}

/* ---- opening ------------------------------------------------------------------------------------------------- */

static int prepare(struct store *store, const char *sql, sqlite3_stmt **ret_statement)
{
	int result = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_statement, NULL);

	if (result != SQLITE_OK)
		snprintf(store->error, sizeof(store->error), "%s", sqlite3_errmsg(store->db));
	return schema_errno(result);
}

/* "INSERT ... VALUES (?,?),(?,?)": `rows` rows of `columns`. */
static int prepare_rows(struct store *store, const char *insert, int columns, int rows, sqlite3_stmt **ret_statement)
{
	size_t size = strlen(insert) + (size_t)rows * (2 * (size_t)columns + 2) + 1, at;
	char *sql = malloc(size);
	int r;

	if (sql == NULL)
		return -ENOMEM;
	at = (size_t)snprintf(sql, size, "%s", insert);
	for (int row = 0; row < rows; row++) {
		for (int column = 0; column < columns; column++) {
			sql[at++] = column > 0 ? ',' : row > 0 ? ',' : ' ';
			if (column == 0)
				sql[at++] = '(';
			sql[at++] = '?';
		}
		sql[at++] = ')';
	}
	sql[at] = '\0';
	r = prepare(store, sql, ret_statement);
	free(sql);
	return r;
}

static int prepare_all(struct store *store)
{
	static const char *const sql[STATEMENT_COUNT] = {
#define STATEMENT_SQL(name, text) [STATEMENT_##name] = text,
		STORE_STATEMENTS(STATEMENT_SQL)
#undef STATEMENT_SQL
	};
	int r = 0;

	for (int i = 0; i < STATEMENT_COUNT && r == 0; i++)
		r = prepare(store, sql[i], &store->statement[i]);
	for (int i = 0; i < 2 && r == 0; i++)
		r = prepare_rows(store, INSERT_TRANSITION, TRANSITION_COLUMNS, i == 0 ? 1 : TRANSITION_ROWS,
		                 &store->insert_transition[i]);
	for (int i = 0; i < 2 && r == 0; i++)
		r = prepare_rows(store, INSERT_CONNECTION, CONNECTION_COLUMNS, i == 0 ? 1 : CONNECTION_ROWS,
		                 &store->insert_connection[i]);
	return r;
}

int store_open(const char *path, int busy_ms, struct store **ret_store, char *error, size_t error_size)
{
	struct store *store = calloc(1, sizeof(*store));
	int r = -ENOMEM;

	if (store != NULL)
		store->batch = batch_new(STORE_BATCH_MAX);
	if (store == NULL || store->batch == NULL) {
		snprintf(error, error_size, "out of memory");
		goto failed;
	}
	r = schema_open(path, busy_ms, &store->db, error, error_size);
	if (r < 0)
		goto failed;
	r = prepare_all(store);
	if (r < 0) {
		snprintf(error, error_size, "%s", store->error);
		goto failed;
	}
	*ret_store = store;
	return 0;
failed:
	store_close(store, true);
	return r;
}

void store_close(struct store *store, bool fast)
{
	if (store == NULL)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(store->statement[i]);
	for (int i = 0; i < 2; i++) {
		sqlite3_finalize(store->insert_transition[i]);
		sqlite3_finalize(store->insert_connection[i]);
	}
	if (store->db != NULL) {
		sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, fast ? 1 : 0, (int *)NULL);
		/* An empty log whose index says so can be read by those who may write neither. */
		if (!fast)
			sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
		sqlite3_close(store->db);
	}
	batch_free(store->batch);
	free(store);
}

const char *store_error(const struct store *store)
{
	return store->error;
}

void store_set_patience(struct store *store, int busy_ms)
{
	sqlite3_busy_timeout(store->db, busy_ms);
}

int store_checkpoint(struct store *store)
{
	int result = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

	if (result != SQLITE_OK)
		snprintf(store->error, sizeof(store->error), "%s", sqlite3_errmsg(store->db));
	return schema_errno(result);
}

/* ---- steps --------------------------------------------------------------------------------------------------- */

/* Runs a statement that returns no row; it can be bound anew afterwards. */
static int step(struct store *store, sqlite3_stmt *statement)
{
	int result = sqlite3_step(statement);

	if (result != SQLITE_DONE && result != SQLITE_ROW)
		snprintf(store->error, sizeof(store->error), "%s", sqlite3_errmsg(store->db));
	sqlite3_reset(statement);
	return schema_errno(result);
}

int store_begin(struct store *store)
{
	store->counts = (struct store_counts){ 0 };
	return step(store, store->statement[STATEMENT_BEGIN]);
}

int store_commit(struct store *store, struct store_counts *counts)
{
	int r = step(store, store->statement[STATEMENT_COMMIT]);

	if (r == 0 && counts != NULL) {
		counts->transitions += store->counts.transitions;
		counts->connections += store->counts.connections;
		counts->actions += store->counts.actions;
		counts->samples += store->counts.samples;
		counts->damaged += store->counts.damaged;
	}
	return r;
}

void store_rollback(struct store *store)
{
	if (!sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- records ------------------------------------------------------------------------------------------------- */

/* After an INSERT OR IGNORE of `rows` rows: those that were there already have been ignored. */
static int step_rows(struct store *store, sqlite3_stmt *statement, int rows, uint64_t *counter)
{
	int r = step(store, statement);
	int written;

	if (r < 0)
		return r;
	written = sqlite3_changes(store->db);
	*counter += (uint64_t)written;
	store->counts.damaged += (uint64_t)(rows - written);
	return 0;
}

/* The new connections of the batch, some to a statement as long as there are enough. */
static int insert_connections(struct store *store, const struct run *run)
{
	struct batch *batch = store->batch;
	uint32_t next = 0, left = batch->fresh_count;
	int r = 0;

	while (left > 0 && r == 0) {
		int rows = left >= CONNECTION_ROWS ? CONNECTION_ROWS : 1;
		sqlite3_stmt *statement = store->insert_connection[rows > 1];

		for (int row = 0; row < rows; row++) {
			while (!batch->group[next].fresh)
				next++;
			bind_connection(statement, row * CONNECTION_COLUMNS, run, &batch->group[next++],
			                &batch->text[row]);
		}
		r = step_rows(store, statement, rows, &store->counts.connections);
		left -= (uint32_t)rows;
	}
	return r;
}

/* What has changed about a connection that was stored before. If it was not (the database has been lost meanwhile) it
 * gets a row without a beginning. */
static int update_connection(struct store *store, const struct run *run, const struct group *group)
{
	bool closes = group->last->flags & JOURNAL_LAST;
	sqlite3_stmt *statement = store->statement[closes ? STATEMENT_CLOSE_CONNECTION : STATEMENT_UPDATE_CONNECTION];
	int r;

	bind_update(statement, run, group, closes);
	r = step(store, statement);
	if (r < 0 || sqlite3_changes(store->db) > 0)
		return r;
	bind_connection(store->insert_connection[0], 0, run, group, &store->batch->text[0]);
	return step_rows(store, store->insert_connection[0], 1, &store->counts.connections);
}

static int insert_transitions(struct store *store, const struct run *run)
{
	struct batch *batch = store->batch;
	size_t next = 0, left;
	int r = 0;

	for (left = batch->ordered_count; left > 0 && r == 0;) {
		int rows = left >= TRANSITION_ROWS ? TRANSITION_ROWS : 1;
		sqlite3_stmt *statement = store->insert_transition[rows > 1];

		for (int row = 0; row < rows; row++)
			bind_transition(statement, row * TRANSITION_COLUMNS, run, batch->ordered[next++]);
		r = step_rows(store, statement, rows, &store->counts.transitions);
		left -= (size_t)rows;
	}
	return r;
}

int store_records(struct store *store, const struct run *run, const struct journal_record *const *records,
                  size_t count)
{
	struct batch *batch = store->batch;
	int r;

	store->counts.damaged += batch_group(batch, records, count);
	r = insert_connections(store, run);
	for (uint32_t i = 0; i < batch->group_count && r == 0; i++)
		if (!batch->group[i].fresh)
			r = update_connection(store, run, &batch->group[i]);
	if (r == 0)
		r = insert_transitions(store, run);
	return r;
}

/* ---- runs, rings, names, actions ----------------------------------------------------------------------------- */

static void bind_optional(sqlite3_stmt *statement, int at, const char *text)
{
	if (text != NULL)
		sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
	else
		sqlite3_bind_null(statement, at);
}

static void bind_window(sqlite3_stmt *statement, int at, uint32_t bytes)
{
	if (bytes == UINT32_MAX)
		sqlite3_bind_null(statement, at);
	else
		sqlite3_bind_int64(statement, at, bytes);
}

/* 0: not measured yet. */
static void bind_measured(sqlite3_stmt *statement, int at, int64_t value)
{
	if (value == 0)
		sqlite3_bind_null(statement, at);
	else
		sqlite3_bind_int64(statement, at, value);
}

/* `shadow`: 1 for the algorithm in shadow, which may be of the same name as the one that acts. */
static int store_outputs(struct store *store, const struct run *run, sqlite3_int64 row, int shadow,
                         uint16_t congestion, const double *values, uint32_t count)
{
	sqlite3_stmt *statement = store->statement[STATEMENT_SAMPLE_OUTPUT];
	int r = 0;

	for (uint32_t i = 0; i < count && r == 0; i++) {
		const char *name = names_get(&run->name[NAME_OUTPUT], name_output_id(congestion, i));

		if (name == NULL)
			continue;
		sqlite3_bind_int64(statement, 1, row);
		sqlite3_bind_int(statement, 2, shadow);
		bind_optional(statement, 3, names_get(&run->name[NAME_CONGESTION], congestion));
		bind_optional(statement, 4, name);
		if (isfinite(values[i]))
			sqlite3_bind_double(statement, 5, values[i]);
		else
			sqlite3_bind_null(statement, 5);
		r = step(store, statement);
	}
	return r;
}

static int store_sample(struct store *store, const struct run *run, const struct stack_sample *sample)
{
	static const char *const phase[] = { "open", "recovery", "loss" };
	sqlite3_stmt *statement = store->statement[STATEMENT_SAMPLE];
	const struct names *algorithms = &run->name[NAME_CONGESTION];
	sqlite3_int64 row;
	int r;

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)sample->connection_id);
	sqlite3_bind_int64(statement, 2, sample->at.ns + run->wall_offset_ns);
	bind_optional(statement, 3, names_get(algorithms, sample->congestion));
	bind_optional(statement, 4, sample->ca_state < 3 ? phase[sample->ca_state] : NULL);
	bind_window(statement, 5, sample->cwnd);
	bind_window(statement, 6, sample->ssthresh);
	sqlite3_bind_int64(statement, 7, sample->inflight);
	sqlite3_bind_int64(statement, 8, sample->snd_wnd);
	sqlite3_bind_int64(statement, 9, sample->rcv_wnd);
	sqlite3_bind_int64(statement, 10, sample->retransmits);
	bind_measured(statement, 11, (sqlite3_int64)sample->pacing_bytes_per_s);
	bind_measured(statement, 12, (sqlite3_int64)sample->delivery_bytes_per_s);
	sqlite3_bind_int64(statement, 13, (sqlite3_int64)sample->bytes_acked);
	sqlite3_bind_int64(statement, 14, (sqlite3_int64)sample->bytes_received);
	bind_measured(statement, 15, sample->srtt_ns);
	bind_measured(statement, 16, sample->rttvar_ns);
	bind_measured(statement, 17, sample->min_rtt_ns);
	for (int at = 18; at <= 21; at++)
		sqlite3_bind_null(statement, at);
	if (sample->has_shadow) {
		bind_optional(statement, 18, names_get(algorithms, sample->shadow));
		bind_window(statement, 19, sample->shadow_cwnd);
		bind_window(statement, 20, sample->shadow_ssthresh);
		bind_measured(statement, 21, (sqlite3_int64)sample->shadow_pacing_bytes_per_s);
	}
	r = step(store, statement);
	row = sqlite3_last_insert_rowid(store->db);
	if (r == 0)
		r = store_outputs(store, run, row, 0, sample->congestion, sample->output, sample->output_count);
	if (r == 0 && sample->has_shadow)
		r = store_outputs(store, run, row, 1, sample->shadow, sample->shadow_output,
		                  sample->shadow_output_count);
	store->counts.samples += r == 0;
	return r;
}

int store_samples(struct store *store, const struct run *run, const struct stack_sample *samples, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = store_sample(store, run, &samples[i]);
	return r;
}

int store_set_position(struct store *store, uint64_t run, unsigned shard, uint64_t position, uint64_t last_connection)
{
	sqlite3_stmt *statement = store->statement[STATEMENT_SET_POSITION];

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)run);
	sqlite3_bind_int64(statement, 2, shard);
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)position);
	sqlite3_bind_int64(statement, 4, (sqlite3_int64)last_connection);
	return step(store, statement);
}

/* Runs a query of one row with up to two integers as parameters and results. -ENOENT: no row. */
static int query(struct store *store, int number, const uint64_t *parameters, int parameter_count,
                 uint64_t results[2], int result_count)
{
	sqlite3_stmt *statement = store->statement[number];
	int result, r;

	for (int i = 0; i < parameter_count; i++)
		sqlite3_bind_int64(statement, i + 1, (sqlite3_int64)parameters[i]);
	result = sqlite3_step(statement);
	r = result == SQLITE_DONE ? -ENOENT : schema_errno(result);
	if (r == 0)
		for (int i = 0; i < result_count; i++)
			results[i] = (uint64_t)sqlite3_column_int64(statement, i);
	else if (r != -ENOENT)
		snprintf(store->error, sizeof(store->error), "%s", sqlite3_errmsg(store->db));
	sqlite3_reset(statement);
	return r;
}

int store_get_position(struct store *store, uint64_t run, unsigned shard, uint64_t *ret_position)
{
	uint64_t result[2];
	int r = query(store, STATEMENT_GET_POSITION, (uint64_t[]){ run, shard }, 2, result, 1);

	if (r == 0)
		*ret_position = result[0];
	return r;
}

int store_highest(struct store *store, uint64_t *ret_run, uint64_t *ret_connection)
{
	uint64_t result[2];
	int r = query(store, STATEMENT_HIGHEST, NULL, 0, result, 2);

	if (r == 0) {
		*ret_run = result[0];
		*ret_connection = result[1];
	}
	return r;
}

int store_next_open_run(struct store *store, uint64_t after, uint64_t *ret_run, int64_t *ret_started_ns)
{
	uint64_t result[2];
	int r = query(store, STATEMENT_NEXT_OPEN_RUN, &after, 1, result, 2);

	if (r == 0) {
		*ret_run = result[0];
		*ret_started_ns = (int64_t)result[1];
	}
	return r;
}

int store_run_begin(struct store *store, const struct store_run_row *row)
{
	sqlite3_stmt *statement = store->statement[STATEMENT_RUN_BEGIN];

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)row->id);
	sqlite3_bind_int64(statement, 2, row->started_ns);
	bind_optional(statement, 3, row->version);
	if (row->version != NULL)
		sqlite3_bind_int64(statement, 4, getpid());
	else
		sqlite3_bind_null(statement, 4);
	sqlite3_bind_int64(statement, 5, row->shards);
	sqlite3_bind_int64(statement, 6, (sqlite3_int64)row->first_connection);
	sqlite3_bind_int64(statement, 7, row->wall_offset_ns);
	return step(store, statement);
}

int store_name(struct store *store, uint64_t run, enum name_kind kind, uint16_t id, const char *name)
{
	sqlite3_stmt *statement = store->statement[STATEMENT_NAME];

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)run);
	bind_optional(statement, 2, name_kind_text(kind));
	sqlite3_bind_int64(statement, 3, id);
	bind_optional(statement, 4, name);
	return step(store, statement);
}

int store_load_names(struct store *store, struct run *run)
{
	sqlite3_stmt *statement = store->statement[STATEMENT_LOAD_NAMES];
	int result, r = 0;

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)run->id);
	while (r == 0 && (result = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *kind = (const char *)sqlite3_column_text(statement, 0);
		const char *name = (const char *)sqlite3_column_text(statement, 2);
		uint16_t id = (uint16_t)sqlite3_column_int(statement, 1);

		for (int i = NAME_SERVICE; kind != NULL && name != NULL && r == 0 && i < NAME_KIND_COUNT; i++)
			if (strcmp(kind, name_kind_text(i)) == 0)
				r = names_set(&run->name[i], id, name);
	}
	if (r == 0 && result != SQLITE_DONE) {
		snprintf(store->error, sizeof(store->error), "%s", sqlite3_errmsg(store->db));
		r = schema_errno(result);
	}
	sqlite3_reset(statement);
	return r;
}

int store_run_end(struct store *store, uint64_t run, int64_t time_ns, const char *ending, unsigned cause,
                  uint64_t *ret_closed)
{
	sqlite3_stmt *transitions = store->statement[STATEMENT_END_TRANSITIONS];
	sqlite3_stmt *connections = store->statement[STATEMENT_END_CONNECTIONS];
	sqlite3_stmt *end = store->statement[STATEMENT_RUN_END];
	uint64_t closed;
	int r;

	for (int i = 0; i < 2; i++) {
		sqlite3_stmt *statement = i == 0 ? transitions : connections;

		sqlite3_bind_int64(statement, 1, (sqlite3_int64)run);
		sqlite3_bind_int64(statement, 2, time_ns);
		sqlite3_bind_int64(statement, 3, cause);
		sqlite3_bind_int64(statement, 4, TCPS_CLOSED);
	}
	sqlite3_bind_int64(end, 1, (sqlite3_int64)run);
	sqlite3_bind_int64(end, 2, time_ns);
	bind_optional(end, 3, ending);
	r = step(store, transitions);
	if (r < 0)
		return r;
	store->counts.transitions += (uint64_t)sqlite3_changes(store->db);
	r = step(store, connections);
	if (r < 0)
		return r;
	closed = (uint64_t)sqlite3_changes(store->db);
	r = step(store, end);
	if (r == 0)
		*ret_closed = closed;
	return r;
}

int store_action(struct store *store, uint64_t run, int64_t time_ns, const struct audit_action *action)
{
	sqlite3_stmt *statement = store->statement[STATEMENT_ACTION];
	int r;

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)run);
	sqlite3_bind_int64(statement, 2, time_ns);
	sqlite3_bind_int64(statement, 3, action->uid);
	sqlite3_bind_int64(statement, 4, action->pid);
	bind_optional(statement, 5, action->method);
	bind_optional(statement, 6, action->arguments);
	bind_optional(statement, 7, action->result);
	r = step(store, statement);
	store->counts.actions += r == 0;
	return r;
}
