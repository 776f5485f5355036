/* Who may read the database, and that reading needs no right to write. */
#include "support.h"

#include <errno.h>
#include <linux/capability.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const parts[] = { "", "-wal", "-shm" };

static mode_t mode_of(const struct place *place, const char *part)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", place->database, part);
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void record_something(struct place *place)
{
	struct audit *audit = place_open(place);
	uint64_t id = audit_first_connection_id(audit);

	assert_int_equal(audit_start(audit), 0);
	write_steps(audit, id, life_time_wait, 0, life_time_wait_steps);
	assert_int_equal(audit_stop(audit, DURATION_S(10)), 0);
	audit_free(audit);
}

/* A process that may read what its owner may, but write nothing: root's own rights over files are given up. Returns
 * the number of rows, or -1 with a message on stderr. */
static int rows_for_a_reader(const char *database)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };
	sqlite3_stmt *statement = NULL;
	sqlite3 *db = NULL;
	int rows = -1;

	if (syscall(SYS_capset, &header, none) < 0)
		return -1;
	if (sqlite3_open_v2(database, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, "SELECT count(*) FROM transitions", -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		rows = sqlite3_column_int(statement, 0);
	else
		fprintf(stderr, "reader: %s\n", sqlite3_errmsg(db));
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return rows;
}

static void expect_rows(const struct place *place, int rows)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0)
		_exit(rows_for_a_reader(place->database) == rows ? 0 : 1);
	while (waitpid(child, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	assert_int_equal(status, 0);
}

/* What the owner has left when everything is read-only is what a member of the group has. */
static void set_writable(const struct place *place, bool writable)
{
	char path[128];

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", place->database, parts[i]);
		assert_int_equal(chmod(path, writable ? 0640 : 0440), 0);
	}
	assert_int_equal(chmod(place->directory, writable ? 0750 : 0550), 0);
}

static void readable_after_the_stop(void **state)
{
	struct place *place = *state;
	char path[128];
	struct stat st;

	for (int run = 1; run <= 2; run++) {
		sqlite3 *idle = NULL; /* somebody who has looked before, and has not gone yet */

		if (run == 2) {
			assert_int_equal(sqlite3_open_v2(place->database, &idle, SQLITE_OPEN_READONLY, NULL),
			                 SQLITE_OK);
			assert_int_equal(sqlite3_exec(idle, "SELECT * FROM run", NULL, NULL, NULL), SQLITE_OK);
		}
		record_something(place);
		snprintf(path, sizeof(path), "%s-wal", place->database);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, 0); /* all is in the database itself: that file alone is a good copy */
		sqlite3_close(idle);
		set_writable(place, false);
		expect_rows(place, run * (int)life_time_wait_steps);
		set_writable(place, true);
	}
}

static void readable_while_it_runs(void **state)
{
	struct place *place = *state;
	struct audit *audit = place_open(place);

	assert_int_equal(audit_start(audit), 0);
	write_steps(audit, 1, life_time_wait, 0, life_time_wait_steps);
	assert_int_equal(audit_drain(audit, DURATION_S(10)), 0);
	set_writable(place, false);
	expect_rows(place, (int)life_time_wait_steps);
	set_writable(place, true);
	assert_int_equal(audit_stop(audit, DURATION_S(10)), 0);
	audit_free(audit);
}

/* The umask takes away; what it leaves is never more than the group's right to read. */
static void modes(void **state)
{
	static const struct {
		mode_t umask, mode;
	} rows[] = { { 0, 0640 }, { 022, 0640 }, { 027, 0640 }, { 077, 0600 } };
	struct place *place = *state;

	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		mode_t before = umask(rows[row].umask);

		record_something(place);
		umask(before);
		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
			char path[128];

			assert_int_equal(mode_of(place, parts[i]), rows[row].mode);
			snprintf(path, sizeof(path), "%s%s", place->database, parts[i]);
			assert_int_equal(unlink(path), 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(readable_after_the_stop, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(readable_while_it_runs, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(modes, place_setup, place_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
