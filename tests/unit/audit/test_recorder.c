/* What the recorder makes of records: rows, views, ids, sinks, actions, and how it takes trouble with the database.
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void drain(struct audit *audit)
{
	assert_int_equal(audit_drain(audit, DURATION_S(10)), 0);
}

static struct audit *open_and_start(struct place *place)
{
	struct audit *audit = place_open(place);

	assert_int_equal(audit_start(audit), 0);
	return audit;
}

static void stop(struct audit *audit)
{
	assert_int_equal(audit_stop(audit, DURATION_S(10)), 0);
	audit_free(audit);
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

/* The same rows, however the life is cut into batches. */
static void life_cut_anywhere(void **state)
{
	struct place *place = *state;
	struct audit *audit = open_and_start(place);

	for (uint64_t cut = 0; cut <= life_time_wait_steps; cut++) {
		write_steps(audit, 1 + cut, life_time_wait, 0, cut);
		drain(audit);
		write_steps(audit, 1 + cut, life_time_wait, cut, life_time_wait_steps);
		drain(audit);
	}
	stop(audit);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM connection"), 7);
	assert_string_equal(
	        place_query(place,
	                    "SELECT DISTINCT run, local, role, service, congestion, state, opened_by, closing_cause,"
	                    " last_cause, last_speaker, bytes_received, bytes_acked, segs_in, segs_out,"
	                    " retransmits, srtt_ms FROM connections"),
	        "1|192.0.2.1:80|passive|echo|cubic|CLOSED|RECEIVED_SYN|LOCAL_CLOSE|TIMEOUT_2MSL|local|40|80|4|5|0|1."
	        "5\n");
	assert_string_equal(place_query(place, "SELECT DISTINCT remote_port - id, iss - 1000 * id, irs - iss,"
	                                       " opened <= closed FROM connection"),
	                    "1024|1|500|1\n");
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM transition"), 42);
	assert_int_equal(place_query_int(place,
	                                 "SELECT count(*) FROM connection c JOIN transition t ON t.id = c.id << 5"
	                                 " JOIN transition l ON l.id = c.id << 5 | 5"
	                                 " WHERE c.opened = t.time AND c.closed = l.time"),
	                 7);
}

static void lifecycle_by_sql_alone(void **state)
{
	struct place *place = *state;
	struct audit *audit = open_and_start(place);

	for (uint64_t id = 16; id <= 18; id++)
		write_steps(audit, id, life_passive, 0, life_passive_steps);
	write_steps(audit, 19, life_passive, 0, 2);
	drain(audit);
	assert_string_equal(
	        place_query(place,
	                    "SELECT connection, n, from_state, to_state, cause, section, snd_una, snd_nxt, rcv_nxt,"
	                    " cwnd, ssthresh, srtt_ms FROM transitions WHERE connection = 17"),
	        "17|0|LISTEN|SYN-RECEIVED|RECEIVED_SYN|RFC 9293 3.10.7.2|17001|17002|17502|||\n"
	        "17|1|SYN-RECEIVED|ESTABLISHED|RECEIVED_ACK_OF_SYN|RFC 9293 3.10.7.4|17002|17002|17502|14600||1.5\n"
	        "17|2|ESTABLISHED|CLOSE-WAIT|RECEIVED_FIN|RFC 9293 3.10.7.4|17002|17002|17502|14600||1.5\n"
	        "17|3|CLOSE-WAIT|LAST-ACK|LOCAL_CLOSE|RFC 9293 3.9.1.4|17002|17002|17502|14600||1.5\n"
	        "17|4|LAST-ACK|CLOSED|RECEIVED_ACK_OF_FIN|RFC 9293 3.10.7.4|17002|17002|17502|14600||1.5\n");
	assert_string_equal(place_query(place,
	                                "SELECT DISTINCT time GLOB '20[0-9][0-9]-[01][0-9]-[0-3][0-9]T*.??????Z',"
	                                " since_previous_ms >= 0 FROM transitions WHERE n > 0"),
	                    "1|1\n");
	assert_string_equal(place_query(place, "SELECT count(since_previous_ms) FROM transitions WHERE n = 0"),
	                    "0\n");
	assert_string_equal(place_query(place, "SELECT connection, local, remote, state, opened_by FROM live"),
	                    "19|192.0.2.1:80|192.0.2.2:1043|ESTABLISHED|RECEIVED_SYN\n");
	assert_string_equal(place_query(place, "SELECT closing_cause, last_cause, connections, closing_meaning FROM"
	                                       " endings"),
	                    "RECEIVED_FIN|RECEIVED_ACK_OF_FIN|3|the peer closed its direction\n");
	assert_string_equal(
	        place_query(place, "SELECT run, ended, ending, version, shards, first_connection FROM runs"),
	        "1|||test|1|1\n");
	assert_non_null(
	        strstr(place_query(place, "EXPLAIN QUERY PLAN SELECT * FROM transitions WHERE connection = 17"),
	               "SEARCH t USING INTEGER PRIMARY KEY"));
	stop(audit);
	/* still open at the end */
	assert_string_equal(place_query(place, "SELECT state, last_cause, closing_cause FROM connections WHERE"
	                                       " connection = 19"),
	                    "CLOSED|DAEMON_STOP|DAEMON_STOP\n");
	assert_string_equal(place_query(place, "SELECT ending, duration_s >= 0 FROM runs"), "stop|1\n");
}

static void addresses(void **state)
{
	struct place *place = *state;
	struct audit *audit = open_and_start(place);
	struct journal_ring *ring = audit_ring(audit, 0);
	struct journal_record *record = journal_next(ring);
	uint64_t number = record->number;

	*record = make_record(0, 1, life_passive, 0);
	record->number = number;
	record->flags |= JOURNAL_ACTIVE;
	record->service = 99;
	record->flow.local = (struct ip_addr){ { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } };
	record->flow.remote = ip_addr_v4(0xffffffff);
	journal_publish(ring);
	stop(audit);
	assert_string_equal(place_query(place,
	                                "SELECT local_address, remote_address, local, remote, c.role, c.service"
	                                " FROM connection c JOIN connections ON connection = id"),
	                    "2001:db8::1|255.255.255.255|[2001:db8::1]:80|255.255.255.255:1025|active|\n");
}

/* More than one batch, many times around the ring, in two rings. */
static void many(void **state)
{
	struct place *place = *state;
	struct audit_status status;
	struct audit *audit;

	place->options.shards = 2;
	audit = open_and_start(place);
	for (uint64_t i = 0; i < 4000; i++)
		for (size_t step = 0; step < life_passive_steps; step++)
			write_step(audit, i % 2, audit_first_connection_id(audit) + i, life_passive, step);
	drain(audit);
	audit_status(audit, &status);
	assert_int_equal(status.transitions, 20000);
	assert_int_equal(status.connections, 4000);
	assert_int_equal(status.lost, 0);
	assert_int_equal(status.waiting, 0);
	assert_int_equal(status.lag_ns, 0);
	assert_true(status.waiting_most > 0 && status.waiting_most <= status.ring_records);
	assert_true(status.healthy);
	stop(audit);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM connection WHERE closed NOTNULL AND"
	                                        " shard = (id - 1) % 2"),
	                 4000);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM transition"), 20000);
}

static void delete_all_rows(struct place *place)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(place->database, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM connection; DELETE FROM transition", NULL, NULL, NULL),
	                 SQLITE_OK);
	sqlite3_close(db);
}

/* Even when the rows are gone, or the whole database. */
static void ids_rise_from_run_to_run(void **state)
{
	struct place *place = *state;
	struct audit *audit = open_and_start(place);

	assert_int_equal(audit_first_connection_id(audit), 1);
	assert_int_equal(audit_run_id(audit), 1);
	write_steps(audit, 41, life_passive, 0, life_passive_steps);
	stop(audit);
	delete_all_rows(place);
	audit = open_and_start(place);
	assert_int_equal(audit_first_connection_id(audit), 42);
	assert_int_equal(audit_run_id(audit), 2);
	stop(audit);
	audit = open_and_start(place);
	assert_int_equal(audit_first_connection_id(audit), 42);
	write_steps(audit, 50, life_passive, 0, 1);
	stop(audit);
	assert_int_equal(unlink(place->database), 0);
	audit = place_open(place);
	assert_int_equal(audit_first_connection_id(audit), 51);
	assert_int_equal(audit_run_id(audit), 4);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM transition"), 0);
	audit_free(audit);
}

/* ---- actions, names, sinks ----------------------------------------------------------------------------------- */

static void actions_and_names(void **state)
{
	struct place *place = *state;
	struct audit *audit = open_and_start(place);
	struct audit_action action = {
		.uid = 1000, .pid = 77, .method = "io.tapstack.Close", .arguments = "{\"id\":3}"
	};
	struct audit_status status;

	assert_int_equal(audit_action(audit, &action), 0);
	assert_int_equal(audit_name_service(audit, 1, "renamed"), 0);
	assert_int_equal(audit_name_service(audit, 700, "added"), 0);
	write_steps(audit, 1, life_passive, 0, 1);
	drain(audit);
	audit_status(audit, &status);
	assert_int_equal(status.actions, 1);
	assert_string_equal(place_query(place, "SELECT action, run, uid, pid, method, arguments, result IS NULL,"
	                                       " time > '2020' FROM actions"),
	                    "1|1|1000|77|io.tapstack.Close|{\"id\":3}|1|1\n");
	assert_string_equal(place_query(place, "SELECT service FROM connection"), "renamed\n");
	assert_string_equal(
	        place_query(place, "SELECT kind, id, name FROM name"),
	        "congestion|0|reno\ncongestion|1|cubic\nservice|1|renamed\nservice|2|http\nservice|700|added\n");
	stop(audit);
}

struct heard {
	uint64_t count, idle, next_connection, next_index;
	bool disorder;
};

static void hear(void *context, const struct journal_record *records, size_t count)
{
	struct heard *heard = context;

	for (size_t i = 0; i < count; i++) {
		if (records[i].connection_id != 1 + heard->count / 5 || records[i].index != heard->count % 5)
			heard->disorder = true;
		heard->count++;
	}
}

static void hear_idle(void *context)
{
	((struct heard *)context)->idle++;
}

static void sinks(void **state)
{
	struct place *place = *state;
	struct audit *audit = open_and_start(place);
	struct heard all = { 0 }, half = { 0 };
	struct audit_sink sink = { .name = "all", .records = hear, .idle = hear_idle, .context = &all };

	assert_int_equal(audit_add_sink(audit, &sink), 0);
	assert_int_equal(audit_add_sink(audit, &sink), -EEXIST);
	sink = (struct audit_sink){ .name = "half", .records = hear, .context = &half };
	assert_int_equal(audit_add_sink(audit, &sink), 0);
	for (uint64_t id = 1; id <= 2000; id++) {
		if (id == 1001) {
			drain(audit);
			assert_int_equal(audit_remove_sink(audit, "half"), 0);
			assert_int_equal(audit_remove_sink(audit, "half"), -ENOENT);
		}
		write_steps(audit, id, life_passive, 0, life_passive_steps);
	}
	stop(audit);
	assert_int_equal(all.count, 10000);
	assert_int_equal(half.count, 5000);
	assert_false(all.disorder || half.disorder);
	assert_true(all.idle > 0);
}

/* ---- trouble ------------------------------------------------------------------------------------------------- */

static bool is_unhealthy(void *audit)
{
	struct audit_status status;

	audit_status(audit, &status);
	return !status.healthy;
}

static bool is_healthy(void *audit)
{
	return !is_unhealthy(audit);
}

static sqlite3 *lock_database(struct place *place)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(place->database, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static void locked_database(void **state)
{
	struct place *place = *state;
	struct audit *audit = open_and_start(place);
	struct audit_status status;
	uint64_t id = 1;
	sqlite3 *db;

	write_steps(audit, id++, life_passive, 0, life_passive_steps);
	drain(audit);
	db = lock_database(place);
	while (journal_room(audit_ring(audit, 0)) >= life_passive_steps)
		write_steps(audit, id++, life_passive, 0, life_passive_steps);
	assert_true(test_wait(is_unhealthy, audit));
	audit_status(audit, &status);
	assert_string_equal(status.error, "database is locked");
	assert_true(status.failures > 0);
	assert_true(status.waiting > status.ring_records - life_passive_steps);
	assert_true(status.lag_ns > 0);
	assert_true(place_was_told(place, "can't be written: database is locked"));
	assert_int_equal(audit_drain(audit, DURATION_MS(1)), -ETIMEDOUT);
	sqlite3_close(db);
	assert_true(test_wait(is_healthy, audit));
	drain(audit);
	audit_status(audit, &status);
	assert_string_equal(status.error, "");
	assert_int_equal(status.connections, id - 1);
	assert_int_equal(status.transitions, 5 * (id - 1));
	assert_int_equal(status.lost, 0);
	assert_true(place_was_told(place, "can be written again"));
	stop(audit);
}

/* The queue is bounded. */
static void too_many_actions(void **state)
{
	struct place *place = *state;
	struct audit *audit = open_and_start(place);
	struct audit_action action = { .method = "io.tapstack.Close" };
	sqlite3 *db = lock_database(place);

	for (int i = 0; i < AUDIT_ACTIONS_MAX; i++)
		assert_int_equal(audit_action(audit, &action), 0);
	assert_int_equal(audit_action(audit, &action), -ENOBUFS);
	sqlite3_close(db);
	drain(audit);
	assert_int_equal(audit_action(audit, &action), 0);
	stop(audit);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM action"), AUDIT_ACTIONS_MAX + 1);
}

/* The stop is bounded when the database is locked; the next start stores the rest, as what it was: a stop. */
static void stopped_while_locked(void **state)
{
	struct place *place = *state;
	struct audit *audit = open_and_start(place);
	sqlite3 *db = lock_database(place);
	int64_t start;

	write_steps(audit, 1, life_passive, 0, life_passive_steps);
	write_steps(audit, 2, life_passive, 0, 2);
	start = test_now_ns();
	assert_int_equal(audit_stop(audit, DURATION_MS(200)), -ETIMEDOUT);
	assert_true(test_now_ns() - start < INT64_C(1500000000));
	audit_free(audit);
	sqlite3_close(db);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM transition"), 0);
	audit = place_open(place);
	assert_string_equal(place_query(place, "SELECT connection, state, last_cause FROM connections"),
	                    "1|CLOSED|RECEIVED_ACK_OF_FIN\n2|CLOSED|DAEMON_STOP\n");
	assert_string_equal(place_query(place, "SELECT ending FROM run WHERE id = 1"), "stop\n");
	audit_free(audit);
}

static void stopped_without_start(void **state)
{
	struct place *place = *state;
	struct audit *audit = place_open(place);

	write_steps(audit, 1, life_passive, 0, life_passive_steps);
	stop(audit);
	assert_string_equal(place_query(place, "SELECT state FROM connections"), "CLOSED\n");
	assert_string_equal(place_query(place, "SELECT ending FROM run"), "stop\n");
}

static void second_daemon(void **state)
{
	struct place *place = *state;
	struct audit *audit = place_open(place), *second = NULL;
	struct audit_options options = place->options;
	char error[256], other[] = "/tmp/audit-test-XXXXXX", lock[96];

	assert_int_equal(audit_open(&options, &second, error, sizeof(error)), -EBUSY);
	assert_non_null(strstr(error, "in use by another daemon"));
	/* another state directory, the same database */
	assert_non_null(mkdtemp(other));
	options.state_directory = other;
	assert_int_equal(audit_open(&options, &second, error, sizeof(error)), -EBUSY);
	assert_null(second);
	snprintf(lock, sizeof(lock), "%s/ring.lock", other);
	unlink(lock);
	rmdir(other);
	audit_free(audit);
}

static int count_files(struct place *place, const char *pattern)
{
	char path[128];
	glob_t found;
	int count;

	snprintf(path, sizeof(path), "%s/%s", place->directory, pattern);
	count = glob(path, 0, NULL, &found) == 0 ? (int)found.gl_pathc : 0;
	globfree(&found);
	return count;
}

static void scribble(const char *path, off_t from, size_t length)
{
	static char rubbish[65536];
	int fd = open(path, O_WRONLY);

	memset(rubbish, 0xa5, sizeof(rubbish));
	assert_true(fd >= 0 && length <= sizeof(rubbish));
	assert_int_equal(pwrite(fd, rubbish, length, from), length);
	close(fd);
}

/* Damaged where it is seen at once (the header), or not until it is used (the tables). */
static void damaged_at_start(void **state)
{
	struct place *place = *state;
	const struct {
		off_t from;
		size_t length;
	} cases[] = { { 0, 4096 }, { 4096, 65536 } };

	for (size_t i = 0; i < 2; i++) {
		struct audit *audit = open_and_start(place);
		uint64_t first = audit_first_connection_id(audit);

		for (uint64_t id = first; id < first + 500; id++)
			write_steps(audit, id, life_passive, 0, life_passive_steps);
		stop(audit);
		scribble(place->database, cases[i].from, cases[i].length);
		place->reports[0] = '\0';
		audit = open_and_start(place);
		assert_true(place_was_told(place, "the database is damaged; it was moved to"));
		assert_int_equal(count_files(place, "audit.db.damaged-*Z"), i + 1);
		assert_true(audit_first_connection_id(audit) >= first + 500);
		write_steps(audit, audit_first_connection_id(audit), life_passive, 0, life_passive_steps);
		stop(audit);
		assert_int_equal(place_query_int(place, "SELECT count(*) FROM connection"), 1);
	}
}

/* Damaged while it is written: what is in the ring goes to the new one, under the same run. */
static void damaged_while_running(void **state)
{
	struct place *place = *state;
	struct audit *audit = open_and_start(place);
	struct audit_status status;
	sqlite3 *db;

	write_steps(audit, 1, life_passive, 0, 2);
	drain(audit);
	/* What SQLite takes for damage, without racing its cache: a table whose root page is of another kind. */
	assert_int_equal(sqlite3_open(place->database, &db), SQLITE_OK);
	assert_int_equal(
	        sqlite3_exec(db,
	                     "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = (SELECT rootpage"
	                     " FROM sqlite_schema WHERE name = 'connection_open') WHERE name = 'connection';"
	                     "PRAGMA writable_schema = RESET; CREATE TABLE other (a)",
	                     NULL, NULL, NULL),
	        SQLITE_OK);
	sqlite3_close(db);
	write_steps(audit, 1, life_passive, 2, life_passive_steps);
	write_steps(audit, 2, life_passive, 0, life_passive_steps);
	drain(audit);
	audit_status(audit, &status);
	assert_true(status.healthy);
	assert_int_equal(status.lost, 0);
	assert_int_equal(count_files(place, "audit.db.damaged-*Z"), 1);
	assert_true(place_was_told(place, "the database is damaged; it was moved to"));
	stop(audit);
	assert_string_equal(place_query(place, "SELECT connection, run, opened IS NULL, service, state, closing_cause"
	                                       " FROM connections"),
	                    "1|1|1|echo|CLOSED|RECEIVED_FIN\n2|1|0|echo|CLOSED|RECEIVED_FIN\n");
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM transition"), 8);
	assert_string_equal(place_query(place, "SELECT id, version, ending FROM run"), "1|test|stop\n");
}

/* Somebody moves the database away: the one that was taken is whole, a new one goes on. */
static bool is_there(void *path)
{
	return access(path, F_OK) == 0;
}

static void taken_away(void **state)
{
	struct place *place = *state;
	struct audit *audit = open_and_start(place);
	char moved[128], kept[96];

	snprintf(moved, sizeof(moved), "%s.moved", place->database);
	write_steps(audit, 1, life_passive, 0, life_passive_steps);
	drain(audit);
	assert_int_equal(rename(place->database, moved), 0);
	assert_true(test_wait(is_there, place->database));
	write_steps(audit, 2, life_passive, 0, life_passive_steps);
	stop(audit);
	assert_true(place_was_told(place, "was taken away; a new database is begun"));
	assert_string_equal(place_query(place, "SELECT group_concat(id) FROM connection"), "2\n");
	memcpy(kept, place->database, sizeof(kept));
	snprintf(place->database, sizeof(place->database), "%.88s.moved", kept);
	assert_string_equal(place_query(place, "SELECT group_concat(id) FROM connection"), "1\n");
	assert_string_equal(place_query(place, "PRAGMA integrity_check"), "ok\n");
	memcpy(place->database, kept, sizeof(kept));
}

/* Rows of the database that was moved away, without the WAL that it had. */
static const char *query_moved(struct place *place, const char *sql)
{
	struct place moved = *place;
	static char rows[128];

	snprintf(moved.database, sizeof(moved.database), "%.88s.moved", place->database);
	snprintf(rows, sizeof(rows), "%s", place_query(&moved, sql));
	return rows;
}

/* The same while somebody reads: nothing is lost of what the reader keeps from being written back. */
static void taken_away_from_a_reader(void **state)
{
	struct place *place = *state;
	struct audit *audit = open_and_start(place);
	char moved[128];
	sqlite3 *reader;

	snprintf(moved, sizeof(moved), "%.88s.moved", place->database);
	write_steps(audit, 1, life_passive, 0, life_passive_steps);
	drain(audit);
	assert_int_equal(sqlite3_open(place->database, &reader), SQLITE_OK);
	assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM connection", NULL, NULL, NULL), SQLITE_OK);
	write_steps(audit, 2, life_passive, 0, life_passive_steps);
	drain(audit);
	assert_int_equal(rename(place->database, moved), 0);
	assert_true(place_was_told(place, "it is written on until it can be left whole"));
	write_steps(audit, 3, life_passive, 0, life_passive_steps);
	drain(audit);
	assert_int_equal(access(place->database, F_OK), -1);
	sqlite3_close(reader);
	assert_true(place_was_told(place, "was taken away; a new database is begun"));
	write_steps(audit, 4, life_passive, 0, life_passive_steps);
	stop(audit);
	assert_string_equal(place_query(place, "SELECT group_concat(id) FROM connection"), "4\n");
	assert_string_equal(query_moved(place, "SELECT group_concat(id) FROM connection"), "1,2,3\n");
}

/* Stopped while the reader still reads: the WAL isn't left where the next database would take it for its own. */
static void taken_away_and_stopped(void **state)
{
	struct place *place = *state;
	struct audit *audit = open_and_start(place);
	char moved[128];
	sqlite3 *reader;

	snprintf(moved, sizeof(moved), "%.88s.moved", place->database);
	assert_int_equal(sqlite3_open(place->database, &reader), SQLITE_OK);
	assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM connection", NULL, NULL, NULL), SQLITE_OK);
	write_steps(audit, 1, life_passive, 0, life_passive_steps);
	drain(audit);
	assert_int_equal(rename(place->database, moved), 0);
	assert_int_equal(audit_stop(audit, DURATION_MS(300)), 0);
	audit_free(audit);
	sqlite3_close(reader);
	assert_true(place_was_told(place, "which belongs beside it as its -wal"));
	assert_int_equal(count_files(place, "audit.db-wal"), 0);
	assert_int_equal(count_files(place, "audit.db.left-*Z-wal"), 1);
}

/* Another database is put in the place: a whole one, then one with a damaged table. The old WAL isn't applied to it.
 */
static void replaced(void **state)
{
	struct place *place = *state;
	char other[128], moved[128], sql[192];

	snprintf(other, sizeof(other), "%.88s.other", place->database);
	snprintf(moved, sizeof(moved), "%.88s.moved", place->database);
	for (int damage = 0; damage < 2; damage++) {
		struct audit *audit = open_and_start(place);
		uint64_t first = audit_first_connection_id(audit);
		int64_t root = place_query_int(place, "SELECT rootpage FROM sqlite_schema WHERE name = 'ring'");
		sqlite3 *db;

		assert_int_equal(sqlite3_open(place->database, &db), SQLITE_OK);
		snprintf(sql, sizeof(sql), "VACUUM INTO '%s'", other);
		assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
		if (damage)
			scribble(other, (off_t)(root - 1) * 4096, 4096);
		write_steps(audit, first, life_passive, 0, life_passive_steps);
		drain(audit);
		place->reports[0] = '\0';
		assert_int_equal(rename(place->database, moved), 0);
		assert_int_equal(rename(other, place->database), 0);
		assert_true(place_was_told(place, "was taken away; a new database is begun"));
		if (damage)
			assert_true(place_was_told(place, "the database is damaged; it was moved to"));
		write_steps(audit, first + 1, life_passive, 0, life_passive_steps);
		drain(audit);
		stop(audit);
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM connection WHERE id = %d", (int)first);
		assert_int_equal(place_query_int(place, sql), 0);
		assert_string_equal(query_moved(place, sql), "1\n");
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM connection WHERE id = %d", (int)first + 1);
		assert_int_equal(place_query_int(place, sql), 1);
		assert_string_equal(place_query(place, "PRAGMA integrity_check"), "ok\n");
	}
}

/* A record that can't be a row, or is one already, is counted and doesn't hold up the rest. */
static void senseless_records(void **state)
{
	struct place *place = *state;
	struct audit *audit = open_and_start(place);
	struct journal_ring *ring = audit_ring(audit, 0);
	struct audit_status status;
	struct journal_record *record;

	write_steps(audit, 1, life_passive, 0, 3);
	write_steps(audit, 1, life_passive, 1, 2); /* again */
	write_steps(audit, 1, life_passive, 3, life_passive_steps);
	for (int i = 0; i < 3; i++) {
		uint64_t number = (record = journal_next(ring))->number;

		*record = make_record(0, 2, life_passive, 0);
		record->number = number + (i == 0);
		record->connection_id = i == 1 ? UINT64_MAX : 2;
		record->index = i == 2 ? 32 : 0;
		journal_publish(ring);
	}
	write_steps(audit, 3, life_passive, 0, life_passive_steps);
	drain(audit);
	audit_status(audit, &status);
	assert_int_equal(status.lost, 4);
	assert_true(status.healthy);
	stop(audit);
	assert_string_equal(place_query(place, "SELECT group_concat(id), (SELECT count(*) FROM transition) FROM"
	                                       " connection"),
	                    "1,3|10\n");
}

static void bad_options(void **state)
{
	struct place *place = *state;
	struct audit *audit = NULL;
	struct audit_options options = place->options;
	char error[256];

	options.shards = 0;
	assert_int_equal(audit_open(&options, &audit, error, sizeof(error)), -EINVAL);
	options.shards = AUDIT_SHARDS_MAX + 1;
	assert_int_equal(audit_open(&options, &audit, error, sizeof(error)), -EINVAL);
	options = place->options;
	options.ring_bytes = AUDIT_RING_BYTES_MIN - 1;
	assert_int_equal(audit_open(&options, &audit, error, sizeof(error)), -EINVAL);
	options = place->options;
	options.state_directory = "/nowhere";
	assert_int_equal(audit_open(&options, &audit, error, sizeof(error)), -ENOENT);
	assert_non_null(strstr(error, "/nowhere"));
	assert_null(audit);
	audit_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(life_cut_anywhere),
		TEST(lifecycle_by_sql_alone),
		TEST(addresses),
		TEST(many),
		TEST(ids_rise_from_run_to_run),
		TEST(actions_and_names),
		TEST(sinks),
		TEST(locked_database),
		TEST(too_many_actions),
		TEST(stopped_while_locked),
		TEST(stopped_without_start),
		TEST(second_daemon),
		TEST(damaged_at_start),
		TEST(damaged_while_running),
		TEST(taken_away),
		TEST(taken_away_from_a_reader),
		TEST(taken_away_and_stopped),
		TEST(replaced),
		TEST(senseless_records),
		TEST(bad_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
