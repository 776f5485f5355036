#include "support.h"

#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAIT_S 10

static const char *const service_names[] = { NULL, "echo", "http" };
static const char *const congestion_names[] = { "reno", "cubic" };

static void remember_report(void *context, int priority, const char *text)
{
	struct place *place = context;
	size_t at;

	pthread_mutex_lock(&place->lock);
	at = strlen(place->reports);
	snprintf(place->reports + at, sizeof(place->reports) - at, "<%d>%s\n", priority, text);
	pthread_mutex_unlock(&place->lock);
}

struct wanted_report {
	struct place *place;
	const char *text;
};

static bool is_reported(void *context)
{
	struct wanted_report *wanted = context;
	bool found;

	pthread_mutex_lock(&wanted->place->lock);
	found = strstr(wanted->place->reports, wanted->text) != NULL;
	pthread_mutex_unlock(&wanted->place->lock);
	return found;
}

bool place_was_told(struct place *place, const char *text)
{
	return test_wait(is_reported, &(struct wanted_report){ place, text });
}

void place_in(struct place *place, const char *directory)
{
	snprintf(place->directory, sizeof(place->directory), "%s", directory);
	snprintf(place->database, sizeof(place->database), "%s/audit.db", directory);
	place->options = (struct audit_options){ .database = place->database,
		                                 .state_directory = place->directory,
		                                 .version = "test",
		                                 .shards = 1,
		                                 .ring_bytes = AUDIT_RING_BYTES_MIN,
		                                 .services = { service_names, 3 },
		                                 .congestions = { congestion_names, 2 },
		                                 .report = remember_report,
		                                 .report_context = place };
}

int place_setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	char directory[] = "/tmp/audit-test-XXXXXX";

	if (place == NULL || mkdtemp(directory) == NULL)
		return -1;
	pthread_mutex_init(&place->lock, NULL);
	place_in(place, directory);
	*state = place;
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int place_teardown(void **state)
{
	struct place *place = *state;
	int r = nftw(place->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);

	place_query(place, NULL);
	pthread_mutex_destroy(&place->lock);
	free(place);
	return r;
}

struct audit *place_open(struct place *place)
{
	struct audit *audit = NULL;
	char error[256] = "";

	if (audit_open(&place->options, &audit, error, sizeof(error)) < 0)
		fail_msg("%s", error);
	return audit;
}

static void append_row(sqlite3_stmt *statement, FILE *out)
{
	for (int i = 0; i < sqlite3_column_count(statement); i++) {
		const char *text = (const char *)sqlite3_column_text(statement, i);

		fprintf(out, "%s%s", i > 0 ? "|" : "", text != NULL ? text : "");
	}
	fputc('\n', out);
}

const char *place_query(struct place *place, const char *sql)
{
	static _Thread_local char *text; /* the last answer */
	sqlite3_stmt *statement = NULL;
	sqlite3 *db = NULL;
	size_t size;
	FILE *out;
	int result = SQLITE_DONE;

	free(text);
	text = NULL;
	if (sql == NULL)
		return NULL;
	out = open_memstream(&text, &size);
	assert_non_null(out);
	if (sqlite3_open_v2(place->database, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK) {
		sqlite3_busy_timeout(db, WAIT_S * 1000);
		result = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
		while (result == SQLITE_OK || result == SQLITE_ROW) {
			result = sqlite3_step(statement);
			if (result == SQLITE_ROW)
				append_row(statement, out);
		}
	}
	if (result != SQLITE_DONE)
		fprintf(out, "%s: %s\n", sql, sqlite3_errmsg(db));
	sqlite3_finalize(statement);
	sqlite3_close(db);
	fclose(out);
	return text;
}

int64_t place_query_int(struct place *place, const char *sql)
{
	const char *text = place_query(place, sql);
	char *end;
	int64_t value = strtoll(text, &end, 10);

	if (*end != '\n')
		fail_msg("not a number: %s", text);
	return value;
}

const struct step life_passive[] = {
	{ TCPS_LISTEN, TCPS_SYN_RECEIVED, CAUSE_RECEIVED_SYN, JOURNAL_FIRST | JOURNAL_COMPACT },
	{ TCPS_SYN_RECEIVED, TCPS_ESTABLISHED, CAUSE_RECEIVED_ACK_OF_SYN, 0 },
	{ TCPS_ESTABLISHED, TCPS_CLOSE_WAIT, CAUSE_RECEIVED_FIN, 0 },
	{ TCPS_CLOSE_WAIT, TCPS_LAST_ACK, CAUSE_LOCAL_CLOSE, 0 },
	{ TCPS_LAST_ACK, TCPS_CLOSED, CAUSE_RECEIVED_ACK_OF_FIN, JOURNAL_LAST },
};
const size_t life_passive_steps = 5;

const struct step life_time_wait[] = {
	{ TCPS_LISTEN, TCPS_SYN_RECEIVED, CAUSE_RECEIVED_SYN, JOURNAL_FIRST | JOURNAL_COMPACT },
	{ TCPS_SYN_RECEIVED, TCPS_ESTABLISHED, CAUSE_RECEIVED_ACK_OF_SYN, 0 },
	{ TCPS_ESTABLISHED, TCPS_FIN_WAIT_1, CAUSE_LOCAL_CLOSE, 0 },
	{ TCPS_FIN_WAIT_1, TCPS_FIN_WAIT_2, CAUSE_RECEIVED_ACK_OF_FIN, 0 },
	{ TCPS_FIN_WAIT_2, TCPS_TIME_WAIT, CAUSE_RECEIVED_FIN, 0 },
	{ TCPS_TIME_WAIT, TCPS_CLOSED, CAUSE_TIMEOUT_2MSL, JOURNAL_LAST | JOURNAL_COMPACT },
};
const size_t life_time_wait_steps = 6;

struct journal_record make_record(unsigned shard, uint64_t connection, const struct step *steps, size_t index)
{
	const struct step *step = &steps[index];
	bool full = !(step->flags & JOURNAL_COMPACT);
	uint32_t iss = (uint32_t)connection * 1000 + 1, irs = iss + 500;

	return (struct journal_record){
		.connection_id = connection,
		.time_ns = test_now_ns(),
		.flow = { ip_addr_v4(0xc0000201), ip_addr_v4(0xc0000202), 80, (uint16_t)(1024 + connection) },
		.from = step->from,
		.to = step->to,
		.cause = step->cause,
		.index = (uint8_t)index,
		.flags = step->flags,
		.service = 1,
		.congestion = full ? 1 : 0,
		.last_speaker = index % 2 == 0 ? SPEAKER_PEER : SPEAKER_LOCAL,
		.shard = (uint8_t)shard,
		.iss = iss,
		.irs = irs,
		.snd_una = iss + (index > 0),
		.snd_nxt = iss + 1,
		.rcv_nxt = irs + 1,
		.segs_in = full ? (uint32_t)index : 0,
		.segs_out = full ? (uint32_t)index + 1 : 0,
		.cwnd_bytes = full ? 14600 : 0,
		.ssthresh_bytes = full ? UINT64_MAX : 0,
		.srtt_ns = full ? 1500000 : 0,
		.bytes_received = full ? 10 * index : 0,
		.bytes_acked = full ? 20 * index : 0,
	};
}

static bool has_room(void *context)
{
	return journal_room(context) > 0;
}

void write_step(struct audit *audit, unsigned shard, uint64_t connection, const struct step *steps, size_t index)
{
	struct journal_ring *ring = audit_ring(audit, shard);
	struct journal_record *record, made;

	assert_true(test_wait(has_room, ring));
	made = make_record(shard, connection, steps, index);
	record = journal_next(ring);
	made.number = record->number;
	*record = made;
	journal_publish(ring);
}

void write_steps(struct audit *audit, uint64_t connection, const struct step *steps, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		write_step(audit, 0, connection, steps, i);
}

int64_t test_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

bool test_wait(bool (*condition)(void *context), void *context)
{
	int64_t deadline = test_now_ns() + WAIT_S * INT64_C(1000000000);

	while (!condition(context)) {
		if (test_now_ns() > deadline)
			return condition(context);
		nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
	}
	return true;
}
