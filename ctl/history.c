/* history: what the audit database has, read without the daemon's help. */
#include "command.h"

#include "filter.h"
#include "text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { HISTORY_ROWS = 50 };

static const char *const connection_columns[] = { "connection", "opened",         "duration_s", "local",
	                                          "remote",     "service",        "state",      "closing_cause",
	                                          "last_cause", "bytes_received", "bytes_acked" };
static const char *const transition_columns[] = { "n",        "time",  "since_previous_ms", "from_state",
	                                          "to_state", "cause", "meaning",           "section" };

/* ---- SQL functions over "192.0.2.1:80", "[2001:db8::1]:80" ---------------------------------------------------- */

static const char *argument_text(sqlite3_value *value)
{
	const char *text = (const char *)sqlite3_value_text(value);

	return text ? text : "";
}

static void endpoint_port(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	const char *colon = strrchr(argument_text(argv[0]), ':');

	(void)argc;
	if (colon)
		sqlite3_result_int(context, atoi(colon + 1));
	else
		sqlite3_result_null(context);
}

/* 16 bytes, an IPv4 address mapped, and the bits of a prefix in that width. */
static bool read_address(const char *text, size_t length, unsigned char ret[16], unsigned *ret_offset)
{
	char address[64];

	if (length >= sizeof(address))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	memset(ret, 0, 16);
	*ret_offset = 0;
	if (inet_pton(AF_INET6, address, ret) == 1)
		return true;
	memset(ret, 0, 16);
	ret[10] = ret[11] = 0xff;
	*ret_offset = 96;
	return inet_pton(AF_INET, address, ret + 12) == 1;
}

static bool prefix_has(const char *prefix, const unsigned char address[16])
{
	const char *slash = strchr(prefix, '/');
	unsigned char network[16];
	unsigned offset, bits;

	if (!read_address(prefix, slash ? (size_t)(slash - prefix) : strlen(prefix), network, &offset))
		return false;
	bits = slash ? offset + (unsigned)atoi(slash + 1) : 128;
	for (unsigned i = 0; i < bits && i < 128; i++)
		if ((network[i / 8] ^ address[i / 8]) & 0x80 >> i % 8)
			return false;
	return true;
}

static void endpoint_in(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	const char *endpoint = argument_text(argv[0]);
	const char *colon = strrchr(endpoint, ':');
	size_t length = colon ? (size_t)(colon - endpoint) : strlen(endpoint);
	unsigned char address[16];
	unsigned offset;

	(void)argc;
	if (length >= 2 && endpoint[0] == '[' && endpoint[length - 1] == ']') {
		endpoint++;
		length -= 2;
	}
	sqlite3_result_int(context, read_address(endpoint, length, address, &offset) &&
	                                    prefix_has(argument_text(argv[1]), address));
}

/* ---- the database -------------------------------------------------------------------------------------------- */

static bool find_database(void *context, const json_t *parameters)
{
	const char *path = json_string_value(json_object_get(json_object_get(parameters, "audit"), "database"));

	if (path)
		*(char **)context = strdup(path);
	return true;
}

/* Where it is: as the user says, as the daemon says, or where it usually is. To be freed. */
static char *database_path(const struct session *session)
{
	struct client client;
	char *path = NULL;

	if (session->database)
		return strdup(session->database);
	if (client_open(&client, session->socket_path, session->timeout_ms, true) == EXIT_OK) {
		client_call(&client, "Status", NULL, false, find_database, &path);
		client_close(&client);
	}
	return path ? path : strdup(TAPSTACK_STATE_DIRECTORY "/audit.db");
}

static enum exit_code database_failed(sqlite3 *database, const char *path, int error)
{
	const char *what = database ? sqlite3_errmsg(database) : sqlite3_errstr(error);

	if (error == SQLITE_BUSY || error == SQLITE_LOCKED) {
		fprintf(stderr, "tapstackctl: %s is locked by another program; --timeout waits longer\n", path);
		return EXIT_TIMED_OUT;
	}
	if (error == SQLITE_ERROR && strstr(what, "no such"))
		fprintf(stderr, "tapstackctl: %s is not an audit database of this version: %s\n", path, what);
	else
		fprintf(stderr, "tapstackctl: %s: %s\n", path, what);
	return EXIT_REFUSED;
}

static int try_open(const char *path, bool immutable, const struct session *session, sqlite3 **ret)
{
	char *uri = sqlite3_mprintf("file:%s%s", path, immutable ? "?immutable=1" : "");
	int r = uri ? sqlite3_open_v2(immutable ? uri : path, ret,
	                              SQLITE_OPEN_READONLY | (immutable ? SQLITE_OPEN_URI : 0), NULL)
	            : SQLITE_NOMEM;

	sqlite3_free(uri);
	if (r == SQLITE_OK) {
		sqlite3_busy_timeout(*ret, session->timeout_ms);
		/* The first read is what fails when the directory can't be written and the log's index is missing. */
		r = sqlite3_exec(*ret, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
	}
	return r;
}

static enum exit_code open_database(const struct session *session, const char *path, sqlite3 **ret)
{
	char *log = NULL;
	int r;

	if (access(path, R_OK) < 0) {
		fprintf(stderr,
		        "tapstackctl: can't read the audit database %s: %s; --database PATH chooses another\n", path,
		        strerror(errno));
		return errno == EACCES ? EXIT_NOT_PERMITTED : EXIT_UNREACHABLE;
	}
	r = try_open(path, false, session, ret);
	if ((r == SQLITE_CANTOPEN || r == SQLITE_READONLY) && asprintf(&log, "%s-wal", path) >= 0) {
		/* Nobody writes it and nothing waits in the log: it can be read as it lies there. */
		if (access(log, F_OK) < 0 && !strpbrk(path, "?%#")) {
			sqlite3_close(*ret);
			*ret = NULL;
			r = try_open(path, true, session, ret);
		}
		free(log);
	}
	if (r == SQLITE_OK)
		r = sqlite3_create_function(*ret, "endpoint_port", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
		                            endpoint_port, NULL, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_create_function(*ret, "endpoint_in", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
		                            endpoint_in, NULL, NULL);
	return r == SQLITE_OK ? EXIT_OK : database_failed(*ret, path, r);
}

static json_t *column_value(sqlite3_stmt *statement, int i)
{
	switch (sqlite3_column_type(statement, i)) {
	case SQLITE_INTEGER:
		return json_integer(sqlite3_column_int64(statement, i));
	case SQLITE_FLOAT:
		return json_real(sqlite3_column_double(statement, i));
	case SQLITE_NULL:
		return json_null();
	default:
		return text_json(sqlite3_column_blob(statement, i), (size_t)sqlite3_column_bytes(statement, i));
	}
}

static json_t *row_of(sqlite3_stmt *statement)
{
	json_t *row = json_object();

	for (int i = 0; i < sqlite3_column_count(statement); i++)
		json_object_set_new(row, sqlite3_column_name(statement, i), column_value(statement, i));
	return row;
}

/* ---- the command --------------------------------------------------------------------------------------------- */

static enum exit_code check_columns(const struct session *session, sqlite3_stmt *statement)
{
	char known[2048] = "";
	size_t used = 0;
	int n = sqlite3_column_count(statement);

	for (int i = 0; i < n && used < sizeof(known); i++)
		used += (size_t)snprintf(known + used, sizeof(known) - used, " %s",
		                         sqlite3_column_name(statement, i));
	for (size_t c = 0; session->output.columns && c < session->output.column_count; c++) {
		int i = 0;

		while (i < n && strcmp(sqlite3_column_name(statement, i), session->output.columns[c]) != 0)
			i++;
		if (i == n)
			return usage_error("there is no column \"%s\" in the history; columns are:%s",
			                   session->output.columns[c], known);
	}
	return EXIT_OK;
}

/* `empty`: that there are no rows is shown too, as a list of none. */
static enum exit_code print_rows(const struct session *session, sqlite3_stmt *statement, const char *path,
                                 const char *const *columns, size_t count, bool empty, size_t *ret_rows)
{
	struct output *output = output_open(&session->output, columns, count);
	enum exit_code written;
	int r;

	if (!output)
		return finish_output(-ENOMEM);
	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		json_t *row = row_of(statement);

		output_row(output, row);
		json_decref(row);
		(*ret_rows)++;
	}
	if (*ret_rows == 0 && !empty) {
		output_discard(output);
		return r == SQLITE_DONE ? EXIT_OK : database_failed(sqlite3_db_handle(statement), path, r);
	}
	written = finish_output(output_close(output));
	return r == SQLITE_DONE ? written : database_failed(sqlite3_db_handle(statement), path, r);
}

/* Runs a query whose first parameters are the filter's values. */
static enum exit_code run_query(const struct session *session, sqlite3 *database, const char *path, const char *sql,
                                const struct filter *filter, const char *const *columns, size_t count, bool empty)
{
	sqlite3_stmt *statement = NULL;
	enum exit_code code;
	size_t rows = 0;
	int n = 1, r = sqlite3_prepare_v2(database, sql, -1, &statement, NULL);

	if (r != SQLITE_OK)
		return database_failed(database, path, r);
	for (size_t i = 0; i < filter->count; i++)
		for (size_t v = 0; v < filter->condition[i].count; v++)
			sqlite3_bind_text(statement, n++, filter->condition[i].value[v], -1, SQLITE_TRANSIENT);
	code = check_columns(session, statement);
	if (code == EXIT_OK)
		code = print_rows(session, statement, path, columns, count, empty, &rows);
	sqlite3_finalize(statement);
	if (code == EXIT_OK && rows == 0 && filter->count)
		return EXIT_NO_MATCH;
	return code;
}

static enum exit_code list_connections(const struct session *session, sqlite3 *database, const char *path,
                                       const struct filter *filter)
{
	char *where = filter_sql(filter), *sql = NULL;
	long limit = session->limit ? session->limit : HISTORY_ROWS;
	enum exit_code code;

	if (where)
		sql = sqlite3_mprintf("SELECT * FROM connections WHERE %s ORDER BY connection DESC LIMIT %lld", where,
		                      (long long)limit);
	code = sql ? run_query(session, database, path, sql, filter, connection_columns, COUNT(connection_columns),
	                       true)
	           : finish_output(-ENOMEM);
	sqlite3_free(sql);
	free(where);
	return code;
}

/* The transitions of one connection, which is the value of the filter's one condition. */
static enum exit_code list_transitions(const struct session *session, sqlite3 *database, const char *path,
                                       const struct filter *filter)
{
	long long limit = session->limit ? session->limit : -1; /* SQL for "all" */
	enum exit_code code;
	char *sql = sqlite3_mprintf(
	        "SELECT * FROM transitions WHERE connection = CAST(?1 AS INTEGER) ORDER BY n LIMIT %lld", limit);

	code = sql ? run_query(session, database, path, sql, filter, transition_columns, COUNT(transition_columns),
	                       false)
	           : finish_output(-ENOMEM);
	sqlite3_free(sql);
	if (code == EXIT_NO_MATCH)
		fprintf(stderr, "tapstackctl: connection %s is not in %s\n", filter->condition[0].value[0], path);
	return code;
}

enum exit_code command_history(struct session *session, int argc, char **argv)
{
	bool one = argc == 1 && argv[0][0] >= '0' && argv[0][0] <= '9';
	char error[2048], condition[32], *argument = condition;
	sqlite3 *database = NULL;
	struct filter filter;
	enum exit_code code;
	long long id;
	char *path;

	if (one && !parse_id(argv[0], &id))
		return usage_error("\"%s\" is no connection's number; tapstackctl history shows them", argv[0]);
	if (one)
		snprintf(condition, sizeof(condition), "id=%lld", id);
	if (!filter_parse(one ? &argument : argv, argc, true, &filter, error, sizeof(error)))
		return usage_error("%s", error);

	path = database_path(session);
	code = path ? open_database(session, path, &database) : finish_output(-ENOMEM);
	if (code == EXIT_OK)
		code = one ? list_transitions(session, database, path, &filter)
		           : list_connections(session, database, path, &filter);
	sqlite3_close(database);
	filter_done(&filter);
	free(path);
	return code;
}
