/* Migrations, what is refused, and that the lookup tables are the stack's own. */
#include "support.h"

#include "audit/schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static sqlite3 *open_plain(struct place *place)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(place->database, &db), SQLITE_OK);
	return db;
}

static int open_schema(struct place *place, sqlite3 **ret_db, char *error, size_t size)
{
	error[0] = '\0';
	return schema_open(place->database, 100, ret_db, error, size);
}

/* From each earlier version, with what an empty file leads to as the measure. */
static void migrations(void **state)
{
	struct place *place = *state;
	char shape[32768], error[256];
	sqlite3 *db;

	for (int from = schema_version(); from >= 0; from--) {
		const char *sql = "SELECT type, name, sql FROM sqlite_schema ORDER BY name";

		remove(place->database);
		db = open_plain(place);
		assert_int_equal(schema_migrate(db, from, error, sizeof(error)), 0);
		sqlite3_close(db);
		assert_int_equal(place_query_int(place, "PRAGMA user_version"), from);
		assert_int_equal(open_schema(place, &db, error, sizeof(error)), 0);
		sqlite3_close(db);
		assert_int_equal(place_query_int(place, "PRAGMA user_version"), schema_version());
		if (from == schema_version())
			snprintf(shape, sizeof(shape), "%s", place_query(place, sql));
		else
			assert_string_equal(place_query(place, sql), shape);
	}
	/* again: nothing to do */
	assert_int_equal(open_schema(place, &db, error, sizeof(error)), 0);
	sqlite3_close(db);
	assert_string_equal(place_query(place, "PRAGMA journal_mode"), "wal\n");
	assert_string_equal(place_query(place, "PRAGMA auto_vacuum"), "2\n");
	assert_string_equal(place_query(place, "PRAGMA integrity_check"), "ok\n");
}

static void lookup_tables(void **state)
{
	struct place *place = *state;
	char error[256], expected[256], sql[128];
	sqlite3 *db;

	assert_int_equal(open_schema(place, &db, error, sizeof(error)), 0);
	/* a text of an older program is brought up to date */
	assert_int_equal(sqlite3_exec(db, "UPDATE cause SET meaning = 'old'; DELETE FROM state WHERE id > 3", NULL,
	                              NULL, NULL),
	                 SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(open_schema(place, &db, error, sizeof(error)), 0);
	sqlite3_close(db);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM state"), TCPS_STATE_COUNT);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM cause"), TCP_CAUSE_COUNT);
	for (unsigned i = 0; i < TCPS_STATE_COUNT; i++) {
		snprintf(sql, sizeof(sql), "SELECT name FROM state WHERE id = %u", i);
		snprintf(expected, sizeof(expected), "%s\n", tcp_state_name(i));
		assert_string_equal(place_query(place, sql), expected);
	}
	for (unsigned i = 0; i < TCP_CAUSE_COUNT; i++) {
		snprintf(sql, sizeof(sql), "SELECT name, meaning, section FROM cause WHERE id = %u", i);
		snprintf(expected, sizeof(expected), "%s|%s|%s\n", tcp_cause_name(i), tcp_cause_meaning(i),
		         tcp_cause_section(i));
		assert_string_equal(place_query(place, sql), expected);
	}
}

static void every_view_runs(void **state)
{
	struct place *place = *state;
	char error[256], sql[128], names[1024], *save = NULL;
	sqlite3 *db;
	int count = 0;

	assert_int_equal(open_schema(place, &db, error, sizeof(error)), 0);
	sqlite3_close(db);
	snprintf(names, sizeof(names), "%s",
	         place_query(place, "SELECT name FROM sqlite_schema WHERE type = 'view'"));
	for (char *name = strtok_r(names, "\n", &save); name != NULL; name = strtok_r(NULL, "\n", &save), count++) {
		snprintf(sql, sizeof(sql), "SELECT * FROM %s", name);
		assert_string_equal(place_query(place, sql), "");
	}
	assert_true(count >= 6);
}

static void refused(void **state)
{
	struct place *place = *state;
	static const struct {
		const char *sql, *error;
		int result;
	} cases[] = {
		{ "CREATE TABLE mine (a)", "this is the database of another program", -EPROTO },
		{ "PRAGMA application_id = 5", "this is the database of another program", -EPROTO },
		{ "PRAGMA application_id = 1415671891; PRAGMA user_version = 99", "the database has version 99",
		  -EPROTO },
	};
	char error[256], before[1024];
	sqlite3 *db = NULL;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *shape = "SELECT group_concat(sql) FROM sqlite_schema UNION ALL"
		                    " SELECT journal_mode FROM pragma_journal_mode UNION ALL"
		                    " SELECT user_version FROM pragma_user_version";

		remove(place->database);
		db = open_plain(place);
		assert_int_equal(sqlite3_exec(db, cases[i].sql, NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
		snprintf(before, sizeof(before), "%s", place_query(place, shape));
		assert_int_equal(open_schema(place, &db, error, sizeof(error)), cases[i].result);
		assert_non_null(strstr(error, cases[i].error));
		assert_string_equal(place_query(place, shape), before);
	}
	/* and so by audit_open, which leaves the file where it is */
	struct audit *audit = NULL;
	assert_int_equal(audit_open(&place->options, &audit, error, sizeof(error)), -EPROTO);
	assert_int_equal(place_query_int(place, "PRAGMA user_version"), 99);
	assert_string_equal(place->reports, "");
}

static void damaged(void **state)
{
	struct place *place = *state;
	char error[256];
	sqlite3 *db = NULL;
	FILE *file = fopen(place->database, "w");

	for (int i = 0; i < 1000; i++)
		fputs("not a database ", file);
	fclose(file);
	assert_int_equal(open_schema(place, &db, error, sizeof(error)), -EBADMSG);
	assert_non_null(strstr(error, "not a database"));
	snprintf(place->database, sizeof(place->database), "/nowhere/audit.db");
	assert_true(open_schema(place, &db, error, sizeof(error)) < 0);
	assert_non_null(strstr(error, "unable to open"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(migrations), TEST(lookup_tables), TEST(every_view_runs), TEST(refused), TEST(damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
