/* A writer process is killed at random moments, during recovery too; what it had published must be in the database
 * once, in order, and what was open must have been closed. The writer keeps a log of its own in shared memory. */
#include "support.h"

#include "audit/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 36
#define SHARDS 2
#define OPEN_MAX 64
#define LOG_MAX 2000000u

/* What the writer was about to publish. */
struct logged {
	uint64_t connection;
	int64_t time_ns; /* since 1970 */
	uint8_t index, from, to, cause, last;
};

struct log {
	_Atomic uint64_t begun, published; /* entries; begun is at most one ahead */
	_Atomic uint32_t opened;           /* audit_open has returned in this round */
	_Atomic uint64_t lost;             /* what audits found damaged, or stored already */
	struct logged entry[LOG_MAX];
};

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

struct living {
	uint64_t id;
	const struct step *steps;
	size_t count, next;
	unsigned shard;
};

static bool write_logged(struct audit *audit, struct log *log, struct living *living)
{
	struct journal_ring *ring = audit_ring(audit, living->shard);
	uint64_t n = atomic_load(&log->published);
	struct journal_record *record, made;

	if (n == LOG_MAX)
		return false;
	while (journal_room(ring) == 0)
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	made = make_record(living->shard, living->id, living->steps, living->next);
	record = journal_next(ring);
	made.number = record->number;
	*record = made;
	log->entry[n] = (struct logged){
		living->id,          made.time_ns + audit_wall_offset_ns(audit), made.index, made.from, made.to,
		(uint8_t)made.cause, made.flags & JOURNAL_LAST ? 1 : 0
	};
	atomic_store(&log->begun, n + 1);
	journal_publish(ring);
	atomic_store(&log->published, n + 1);
	living->next++;
	return true;
}

/* The process to be killed: a daemon whose stacks have many connections at a time. */
static void write_until_killed(struct place *place, struct log *log, uint64_t seed)
{
	struct living living[OPEN_MAX] = { 0 };
	uint64_t next_id[SHARDS];
	struct audit_status status;
	struct audit *audit;
	char error[256];

	if (audit_open(&place->options, &audit, error, sizeof(error)) < 0) {
		fprintf(stderr, "%s\n", error);
		_exit(1);
	}
	audit_status(audit, &status);
	atomic_fetch_add(&log->lost, status.lost);
	if (audit_start(audit) < 0)
		_exit(1);
	for (unsigned shard = 0; shard < SHARDS; shard++)
		next_id[shard] = audit_first_connection_id(audit) + shard;
	atomic_store(&log->opened, 1);
	for (;;) {
		struct living *one = &living[next_random(&seed) % OPEN_MAX];

		if (one->next == one->count) {
			bool waits = next_random(&seed) % 2;

			one->shard = (unsigned)(next_random(&seed) % SHARDS);
			one->id = next_id[one->shard];
			next_id[one->shard] += SHARDS;
			one->steps = waits ? life_time_wait : life_passive;
			one->count = waits ? life_time_wait_steps : life_passive_steps;
			one->next = 0;
		}
		if (!write_logged(audit, log, one))
			pause();
	}
}

static void run_round(struct place *place, struct log *log, uint64_t *seed)
{
	/* Many are killed while they recover, the others while they write. */
	bool early = next_random(seed) % 3 == 0;
	int64_t delay_ns = (int64_t)(next_random(seed) % (early ? 20000000 : 60000000));
	uint64_t child_seed = next_random(seed);
	pid_t pid;
	int status;

	atomic_store(&log->opened, 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		write_until_killed(place, log, child_seed);
	while (!early && !atomic_load(&log->opened) && waitpid(pid, &status, WNOHANG) == 0)
		nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
	nanosleep(&(struct timespec){ .tv_nsec = delay_ns }, NULL);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

struct seen {
	uint64_t records; /* of this connection, by the log */
	int64_t opened_ns, last_ns;
	bool last;
	uint8_t to;
};

/* One connection's rows against what the log says of it. */
static void check_connection(sqlite3_stmt *statement, uint64_t id, const struct seen *seen)
{
	uint64_t rows = seen->records + (seen->last ? 0 : 1);

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)id);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int64(statement, 0), seen->opened_ns);
	assert_true(sqlite3_column_int64(statement, 1) >= seen->last_ns);
	assert_int_equal(sqlite3_column_int64(statement, 2), TCPS_CLOSED);
	if (seen->last)
		assert_int_not_equal(sqlite3_column_int64(statement, 3), CAUSE_DAEMON_CRASH);
	else
		assert_int_equal(sqlite3_column_int64(statement, 3), CAUSE_DAEMON_CRASH);
	assert_int_equal(sqlite3_column_int64(statement, 4), rows);
	sqlite3_reset(statement);
}

static void check_transition(sqlite3_stmt *statement, const struct logged *entry)
{
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)(entry->connection << AUDIT_INDEX_BITS | entry->index));
	if (sqlite3_step(statement) == SQLITE_ROW) {
		assert_int_equal(sqlite3_column_int64(statement, 0), entry->time_ns);
		assert_int_equal(sqlite3_column_int64(statement, 1), entry->from);
		assert_int_equal(sqlite3_column_int64(statement, 2), entry->to);
		assert_int_equal(sqlite3_column_int64(statement, 3), entry->cause);
	} else {
		fail_msg("connection %llu, transition %d is lost", (unsigned long long)entry->connection,
		         entry->index);
	}
	sqlite3_reset(statement);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	return statement;
}

/* Every record of the log, and nothing else but the closing transitions. `unsure` marks entries that were begun but
 * not published when their process was killed. */
static void compare(struct place *place, const struct log *log, const bool *unsure)
{
	uint64_t count = atomic_load(&log->begun), highest = 0, connections = 0, expected = 0;
	struct seen *seen;
	sqlite3_stmt *statement;
	sqlite3 *db;

	for (uint64_t i = 0; i < count; i++)
		if (log->entry[i].connection > highest)
			highest = log->entry[i].connection;
	seen = calloc(highest + 1, sizeof(*seen));
	assert_non_null(seen);
	assert_int_equal(sqlite3_open_v2(place->database, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	statement = prepare(db, "SELECT time, from_state, to_state, cause FROM transition WHERE id = ?");
	for (uint64_t i = 0; i < count; i++) {
		const struct logged *entry = &log->entry[i];
		struct seen *one = &seen[entry->connection];

		if (unsure[i])
			continue; /* not published: its place may hold the closing transition, or another life */
		check_transition(statement, entry);
		assert_int_equal(one->records, entry->index);
		if (one->records++ == 0)
			one->opened_ns = entry->time_ns;
		one->last_ns = entry->time_ns;
		one->last = entry->last;
		one->to = entry->to;
	}
	sqlite3_finalize(statement);
	statement = prepare(db, "SELECT opened, closed, state, last_cause, (SELECT count(*) FROM transition WHERE id"
	                        " BETWEEN c.id << 5 AND c.id << 5 | 31) FROM connection c WHERE id = ?");
	for (uint64_t id = 1; id <= highest; id++) {
		if (seen[id].records == 0)
			continue;
		check_connection(statement, id, &seen[id]);
		connections++;
		expected += seen[id].records + (seen[id].last ? 0 : 1);
	}
	sqlite3_finalize(statement);
	sqlite3_close(db);
	free(seen);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM connection"), connections);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM transition"), expected);
	/* in order: each begins where the one before ended, and not before it */
	assert_int_equal(place_query_int(place,
	                                 "SELECT count(*) FROM transition t JOIN transition b ON b.id = t.id - 1"
	                                 " WHERE t.id & 31 > 0 AND (t.from_state <> b.to_state"
	                                 " OR t.time < b.time)"),
	                 0);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM transition t WHERE t.id & 31 > 0 AND"
	                                        " NOT EXISTS (SELECT 1 FROM transition b WHERE b.id = t.id - 1)"),
	                 0);
	assert_string_equal(place_query(place, "PRAGMA integrity_check"), "ok\n");
}

/* An entry that was begun and not marked as published: the database knows whether it was. */
static void settle_unsure(struct place *place, struct log *log, bool *unsure)
{
	uint64_t begun = atomic_load(&log->begun), published = atomic_load(&log->published);
	const struct logged *entry = &log->entry[published];
	char sql[128];

	if (begun == published)
		return;
	assert_int_equal(begun, published + 1);
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM transition WHERE id = %llu AND cause <> %d",
	         (unsigned long long)(entry->connection << AUDIT_INDEX_BITS | entry->index), CAUSE_DAEMON_CRASH);
	unsure[published] = place_query_int(place, sql) == 0;
	atomic_store(&log->published, begun);
}

static void killed_at_random(void **state)
{
	struct place *place = *state;
	const char *given = getenv("TEST_SEED");
	uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)test_now_ns() | 1;
	bool *unsure = calloc(LOG_MAX, sizeof(*unsure));
	struct log *log = mmap(NULL, sizeof(*log), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t total, crashes;
	struct audit *audit;

	assert_non_null(unsure);
	assert_ptr_not_equal(log, MAP_FAILED);
	print_message("TEST_SEED=%llu\n", (unsigned long long)seed);
	place->options.shards = SHARDS;
	place->options.report = NULL;
	for (int round = 0; round < ROUNDS; round++) {
		run_round(place, log, &seed);
		if (atomic_load(&log->begun) == atomic_load(&log->published))
			continue; /* the next process recovers, and may be killed while it does */
		audit = place_open(place);
		settle_unsure(place, log, unsure);
		audit_stop(audit, DURATION_S(10));
		audit_free(audit);
	}
	audit = place_open(place);
	compare(place, log, unsure);
	assert_int_equal(audit_stop(audit, DURATION_S(10)), 0);
	audit_free(audit);
	total = atomic_load(&log->published);
	crashes = (uint64_t)place_query_int(place, "SELECT count(*) FROM run WHERE ending = 'crash'");
	assert_int_equal(atomic_load(&log->lost), 0);
	print_message("%llu records, %llu crashed runs\n", (unsigned long long)total, (unsigned long long)crashes);
	assert_true(total > 1000);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM run WHERE ended IS NULL"), 0);
	munmap(log, sizeof(*log));
	free(unsure);
}

/* A process that writes some records with no recorder running, then dies. Optionally its ring's tail is moved. */
static void die_with_records(struct place *place, size_t connections, bool recorder)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct audit *audit;
		char error[256];

		if (audit_open(&place->options, &audit, error, sizeof(error)) < 0)
			_exit(1);
		if (recorder && audit_start(audit) < 0)
			_exit(1);
		for (uint64_t i = 0; i < connections; i++)
			write_steps(audit, audit_first_connection_id(audit) + i, life_passive, 0, i % 5 + 1);
		if (recorder && audit_drain(audit, DURATION_S(10)) < 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void died_before_anything_was_stored(void **state)
{
	struct place *place = *state;
	struct audit_status status;
	struct audit *audit;

	die_with_records(place, 10, false);
	audit = place_open(place);
	audit_status(audit, &status);
	assert_int_equal(status.recovered, 30);
	assert_int_equal(status.crash_closed, 8);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM transition"), 38);
	assert_string_equal(place_query(place, "SELECT ending, ended >= started FROM run WHERE id = 1"), "crash|1\n");
	assert_string_equal(place_query(place, "SELECT n, from_state, to_state, cause FROM transitions"
	                                       " WHERE connection = 2"),
	                    "0|LISTEN|SYN-RECEIVED|RECEIVED_SYN\n"
	                    "1|SYN-RECEIVED|ESTABLISHED|RECEIVED_ACK_OF_SYN\n"
	                    "2|ESTABLISHED|CLOSED|DAEMON_CRASH\n");
	/* what the connection was, in the names of the run that it belonged to */
	assert_string_equal(place_query(place, "SELECT service, congestion, state, closing_cause, last_cause,"
	                                       " last_speaker FROM connections WHERE connection = 2"),
	                    "echo|cubic|CLOSED|DAEMON_CRASH|DAEMON_CRASH|local\n");
	assert_true(place_was_told(place, "had crashed; 8 open connections closed"));
	audit_free(audit);
}

/* Killed between the commit and the moving of the tail: the ring offers again what the database has. */
static void died_before_the_tail_was_moved(void **state)
{
	struct place *place = *state;
	struct ring_file file;
	struct audit_status status;
	struct audit *audit;
	int directory;

	die_with_records(place, 10, true);
	directory = open(place->directory, O_RDONLY | O_DIRECTORY);
	assert_int_equal(ring_file_open(directory, 0, &file), 0);
	assert_int_equal(atomic_load(&file.ring->head), 31);
	assert_int_equal(atomic_load(&file.ring->tail), 31);
	atomic_store(&file.ring->tail, 5);
	ring_file_close(&file);
	close(directory);
	audit = place_open(place);
	audit_status(audit, &status);
	assert_int_equal(status.recovered, 0);
	assert_int_equal(status.lost, 0);
	assert_int_equal(status.crash_closed, 8);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM transition"), 38);
	audit_free(audit);
}

/* A power cut took back all commits of the run, also the one that began it; the ring has its records still. Those of
 * the run before it, in the same ring, are stored and are not taken for this run's. */
static void power_cut_took_the_run_back(void **state)
{
	struct place *place = *state;
	struct audit_status status;
	struct audit *audit;
	sqlite3 *db;

	die_with_records(place, 10, true);
	die_with_records(place, 10, true);
	assert_int_equal(place_query_int(place, "SELECT max(id) FROM run"), 2);
	assert_int_equal(sqlite3_open(place->database, &db), SQLITE_OK);
	assert_int_equal(
	        sqlite3_exec(db,
	                     "DELETE FROM transition WHERE id >> 5 IN (SELECT id FROM connection WHERE run = 2);"
	                     "DELETE FROM connection WHERE run = 2; DELETE FROM name WHERE run = 2;"
	                     "DELETE FROM ring WHERE run = 2; DELETE FROM run WHERE id = 2",
	                     NULL, NULL, NULL),
	        SQLITE_OK);
	sqlite3_close(db);
	audit = place_open(place);
	audit_status(audit, &status);
	assert_int_equal(status.recovered, 30);
	assert_int_equal(status.lost, 0);
	assert_int_equal(audit_run_id(audit), 3);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM connection WHERE run = 1"), 10);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM connection WHERE run = 2"), 10);
	assert_string_equal(place_query(place, "SELECT ending FROM run WHERE id = 2"), "crash\n");
	audit_free(audit);
}

/* Killed while the ring was given to the new run: nothing is in it. */
static void died_while_the_ring_was_reset(void **state)
{
	struct place *place = *state;
	struct ring_file file;
	struct audit *audit;
	int directory;

	die_with_records(place, 10, true);
	directory = open(place->directory, O_RDONLY | O_DIRECTORY);
	assert_int_equal(ring_file_open(directory, 0, &file), 0);
	file.ring->magic = 0;
	file.ring->run_id = 77;
	atomic_store(&file.ring->tail, 2);
	ring_file_close(&file);
	close(directory);
	audit = place_open(place);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM transition"), 38);
	assert_int_equal(audit_run_id(audit), 2);
	audit_free(audit);
}

/* A record whose number is wrong is reported, and what follows it is stored. */
static void damaged_record(void **state)
{
	struct place *place = *state;
	struct ring_file file;
	struct audit_status status;
	struct audit *audit;
	int directory;

	die_with_records(place, 10, false);
	directory = open(place->directory, O_RDONLY | O_DIRECTORY);
	assert_int_equal(ring_file_open(directory, 0, &file), 0);
	file.ring->record[20].number = 1234;
	ring_file_close(&file);
	close(directory);
	audit = place_open(place);
	audit_status(audit, &status);
	assert_int_equal(status.recovered, 29);
	assert_int_equal(status.lost, 1);
	assert_true(place_was_told(place, "1 records are damaged"));
	audit_free(audit);
}

/* With fewer shards, or rings of another size, the next run still finds what the old rings hold. */
static void other_number_and_size_of_rings(void **state)
{
	struct place *place = *state;
	struct audit *audit;
	char path[128];

	place->options.shards = 3;
	audit = place_open(place);
	for (unsigned shard = 0; shard < 3; shard++)
		write_step(audit, shard, audit_first_connection_id(audit) + shard, life_passive, 0);
	assert_int_equal(audit_stop(audit, DURATION_S(10)), 0);
	audit_free(audit);
	die_with_records(place, 5, false);
	place->options.shards = 1;
	place->options.ring_bytes = 3 * AUDIT_RING_BYTES_MIN;
	audit = place_open(place);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM connection"), 8);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM connection WHERE closed IS NULL"), 0);
	assert_true(audit_ring(audit, 0)->capacity > 2 * AUDIT_RING_BYTES_MIN / sizeof(struct journal_record));
	snprintf(path, sizeof(path), "%s/ring-2", place->directory);
	assert_int_equal(access(path, F_OK), -1);
	audit_free(audit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(died_before_anything_was_stored, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(died_before_the_tail_was_moved, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(power_cut_took_the_run_back, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(died_while_the_ring_was_reset, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(damaged_record, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(other_number_and_size_of_rings, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(killed_at_random, place_setup, place_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
