#define _GNU_SOURCE 1
#include "postgresql_db.h"

#include "postgresql_sql.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STATEMENT_MS 30000 /* for a statement: then something is wrong with the server */
#define MIGRATIONS (sizeof(postgresql_migrations) / sizeof(postgresql_migrations[0]))

bool pg_is_schema(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length < 60 && (name[0] < '0' || name[0] > '9') &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0' && strncmp(name, "pg_", 3) != 0;
}

bool pg_is_conninfo(const char *conninfo)
{
	bool uri = strncmp(conninfo, "postgresql://", 13) == 0 || strncmp(conninfo, "postgres://", 11) == 0;
	PQconninfoOption *options;

	if (!uri && strchr(conninfo, '=') == NULL)
		return true; /* the name of a database */
	options = PQconninfoParse(conninfo, NULL);
	PQconninfoFree(options);
	return options != NULL;
}

/* Lines of libpq's messages become one. */
static int fail(struct pg *pg, int r)
{
	const char *message = PQerrorMessage(pg->connection);
	size_t length = 0;

	for (; message[length] != '\0' && length + 1 < sizeof(pg->error); length++)
		pg->error[length] = message[length] == '\n' || message[length] == '\t' ? ' ' : message[length];
	while (length > 0 && pg->error[length - 1] == ' ')
		length--;
	pg->error[length] = '\0';
	pg_disconnect(pg);
	return r;
}

void pg_disconnect(struct pg *pg)
{
	PQfinish(pg->connection);
	pg->connection = NULL;
	pg->days = 0;
}

static int run_sql(struct pg *pg, const char *sql)
{
	PGresult *result = PQexec(pg->connection, sql);
	bool good = PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;

	PQclear(result);
	return good ? 0 : fail(pg, -EPROTO);
}

static int run_format(struct pg *pg, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int run_format(struct pg *pg, const char *format, ...)
{
	va_list args;
	char *sql;
	int r;

	va_start(args, format);
	r = vasprintf(&sql, format, args);
	va_end(args);
	if (r < 0)
		return -ENOMEM;
	r = run_sql(pg, sql);
	free(sql);
	return r;
}

/* The one number that a query answers with; NULL is 0. */
static int ask(struct pg *pg, const char *sql, int count, const char *const *values, int64_t *ret_value)
{
	PGresult *result = PQexecParams(pg->connection, sql, count, NULL, values, NULL, NULL, 0);
	bool good = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;

	if (good)
		*ret_value = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return good ? 0 : fail(pg, -EPROTO);
}

/* ---- the schema ------------------------------------------------------------------------------------------------ */

/* In the transaction that holds the lock. */
static int migrate_locked(struct pg *pg)
{
	int64_t there = 0, version = 0;
	int r = ask(pg, "SELECT count(*) FROM pg_namespace WHERE nspname = $1", 1, (const char *[]){ pg->schema },
	            &there);

	if (r == 0 && there == 0)
		r = run_format(pg, "CREATE SCHEMA \"%s\"", pg->schema);
	if (r == 0)
		r = ask(pg, "SELECT count(*) FROM pg_tables WHERE schemaname = $1 AND tablename = 'schema_version'",
		        1, (const char *[]){ pg->schema }, &there);
	if (r == 0 && there == 0)
		r = run_sql(pg, "CREATE TABLE schema_version AS SELECT 0 AS version");
	if (r == 0)
		r = ask(pg, "SELECT version FROM schema_version", 0, NULL, &version);
	if (r == 0 && version > (int64_t)MIGRATIONS) {
		snprintf(pg->error, sizeof(pg->error),
		         "the schema has version %" PRId64 ", this plugin knows versions up to %zu", version,
		         MIGRATIONS);
		pg_disconnect(pg);
		return -EPROTO;
	}
	for (; r == 0 && version < (int64_t)MIGRATIONS; version++) {
		r = run_sql(pg, postgresql_migrations[version].tables);
		if (r == 0)
			r = run_sql(pg, postgresql_migrations[version].views);
		if (r == 0)
			r = run_format(pg, "UPDATE schema_version SET version = %" PRId64, version + 1);
	}
	return r;
}

/* Ends with the transaction; one for all daemons that write to the schema. */
static int lock(struct pg *pg)
{
	return run_format(pg, "SELECT pg_advisory_xact_lock(hashtext('tapstack'), hashtext('%s'))", pg->schema);
}

static int migrate(struct pg *pg)
{
	int r = run_sql(pg, "BEGIN");

	if (r == 0)
		r = lock(pg);
	if (r == 0)
		r = migrate_locked(pg);
	return r == 0 ? run_sql(pg, "COMMIT") : r;
}

static int begin_run(struct pg *pg)
{
	static const char insert[] =
	        "INSERT INTO run (host, id, instance, started, version, link)"
	        " SELECT h.id, $2::bigint, $3, $4::bigint, $5, $6 FROM host h WHERE h.name = $1"
	        " ON CONFLICT (host, id, started, instance) DO UPDATE SET ended = NULL, ending = NULL"
	        " RETURNING key";
	const struct pg_run *run = &pg->run;
	char id[24], started[24], key[24];
	const char *values[] = { run->host, id, run->instance, started, run->version, run->link };
	int64_t number = 0;
	PGresult *result;
	int r;

	snprintf(id, sizeof(id), "%" PRIu64, run->id);
	snprintf(started, sizeof(started), "%" PRId64, run->started_ns);
	result = PQexecParams(pg->connection, "INSERT INTO host (name) VALUES ($1) ON CONFLICT DO NOTHING", 1, NULL,
	                      values, NULL, NULL, 0);
	r = PQresultStatus(result) == PGRES_COMMAND_OK ? 0 : fail(pg, -EPROTO);
	PQclear(result);
	if (r == 0)
		r = ask(pg, insert, 6, values, &number);
	pg->key = (int)number;
	snprintf(key, sizeof(key), "%d", pg->key);
	if (r == 0)
		r = ask(pg, "SELECT position FROM run WHERE key = $1::integer", 1, (const char *[]){ key },
		        &pg->position);
	if (r == 0)
		r = run_format(pg, "SET tapstack.run = '%d'", pg->key);
	if (r == 0)
		r = run_sql(pg, "BEGIN");
	if (r == 0)
		r = run_sql(pg, postgresql_crashed);
	return r == 0 ? run_sql(pg, "COMMIT") : r;
}

int pg_connect(struct pg *pg)
{
	/* What the conninfo says comes later, and wins. A server that is gone without a word is missed also when
	 * nothing is on its way to it. */
	const char *const names[] = { "connect_timeout",
		                      "tcp_user_timeout",
		                      "keepalives_idle",
		                      "keepalives_interval",
		                      "application_name",
		                      "dbname",
		                      NULL };
	const char *const values[] = { "5", "20000", "15", "5", "tapstack", pg->conninfo, NULL };
	int r;

	pg->connection = PQconnectdbParams(names, values, 1);
	if (PQstatus(pg->connection) != CONNECTION_OK)
		return fail(pg, -ECONNREFUSED);
	r = run_format(
	        pg,
	        "SET statement_timeout = %d; SET client_min_messages = warning; SET search_path = \"%s\", pg_temp",
	        STATEMENT_MS, pg->schema);
	if (r == 0)
		r = migrate(pg);
	if (r == 0)
		r = begin_run(pg);
	if (r == 0)
		r = run_sql(pg, postgresql_stage);
	return r;
}

/* ---- partitions ------------------------------------------------------------------------------------------------ */

static int create_day(struct pg *pg, const char *table, int64_t day)
{
	time_t noon = (time_t)(day * 86400 + 43200);
	char name[16];
	struct tm utc;

	gmtime_r(&noon, &utc);
	strftime(name, sizeof(name), "%Y%m%d", &utc);
	return run_format(
	        pg, "CREATE TABLE IF NOT EXISTS %s_%s PARTITION OF %s FOR VALUES FROM (%" PRId64 ") TO (%" PRId64 ")",
	        table, name, table, day * PG_DAY_NS, (day + 1) * PG_DAY_NS);
}

int pg_prepare_day(struct pg *pg, int64_t day)
{
	int r;

	for (unsigned i = 0; i < pg->days; i++)
		if (pg->day[i] == day)
			return 0;
	r = run_sql(pg, "BEGIN");
	if (r == 0)
		r = lock(pg);
	for (int64_t d = day; r == 0 && d <= day + 1; d++) {
		r = create_day(pg, "connection", d);
		if (r == 0)
			r = create_day(pg, "transition", d);
	}
	if (r == 0)
		r = run_sql(pg, "COMMIT");
	if (r == 0)
		pg->day[pg->days < PG_DAYS_KNOWN ? pg->days++ : (unsigned)((uint64_t)day % PG_DAYS_KNOWN)] = day;
	return r;
}

/* ---- batches --------------------------------------------------------------------------------------------------- */

static int copy(struct pg *pg, const char *text, size_t length)
{
	PGresult *result = PQexec(pg->connection, "COPY stage FROM STDIN");
	bool good = PQresultStatus(result) == PGRES_COPY_IN;

	PQclear(result);
	if (!good || PQputCopyData(pg->connection, text, (int)length) != 1 || PQputCopyEnd(pg->connection, NULL) != 1)
		return fail(pg, -EPROTO);
	while ((result = PQgetResult(pg->connection)) != NULL) {
		good = good && PQresultStatus(result) == PGRES_COMMAND_OK;
		PQclear(result);
	}
	return good ? 0 : fail(pg, -EPROTO);
}

int pg_store(struct pg *pg, int64_t number, const char *text, size_t length)
{
	int r = run_sql(pg, "BEGIN");

	if (r == 0)
		r = copy(pg, text, length);
	if (r == 0)
		r = run_sql(pg, postgresql_store);
	/* A run that stores has not ended, although an instance that this one replaces may have said so. */
	if (r == 0)
		r = run_format(pg,
		               "UPDATE run SET position = %" PRId64
		               ", ended = NULL, ending = NULL WHERE key = %d; COMMIT",
		               number, pg->key);
	return r;
}

int pg_end_run(struct pg *pg, int64_t ended_ns)
{
	return run_format(pg, "UPDATE run SET ended = %" PRId64 ", ending = 'stop' WHERE key = %d", ended_ns,
	                  pg->key);
}
