#include "audit/schema.h"

#include "audit/views.h"
#include "core/tcp/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Migration 1. What is not obvious:
 * transition.id is connection << 5 | index (audit.h), so the rows of a connection are neighbours and need no index.
 * The columns of `connection` that grow while it lives are as of its last stored transition; NULL means unknown.
 * The partial index holds only what is open: it costs nothing for a connection that is stored when it has ended.
 * ring.position is the number of the next record to be stored; it changes in the transaction that stores the
 * records before it. */
static const char schema_1[] =
        "CREATE TABLE state (id INTEGER PRIMARY KEY, name TEXT NOT NULL);"
        "CREATE TABLE cause (id INTEGER PRIMARY KEY, name TEXT NOT NULL, meaning TEXT NOT NULL, section TEXT NOT "
        "NULL);"
        "CREATE TABLE run ("
        " id INTEGER PRIMARY KEY,"
        " started INTEGER NOT NULL," /* ns since 1970, as all times */
        " ended INTEGER,"
        " ending TEXT," /* 'stop', 'crash' */
        " version TEXT, pid INTEGER, shards INTEGER,"
        " first_connection INTEGER," /* all its connections have this id or a higher one */
        " wall_offset INTEGER);"     /* added to the monotonic clock */
        "CREATE TABLE ring ("
        " run INTEGER NOT NULL, shard INTEGER NOT NULL,"
        " position INTEGER NOT NULL,"
        " last_connection INTEGER NOT NULL," /* highest id stored: ids are not reused even when rows are deleted */
        " PRIMARY KEY (run, shard)) WITHOUT ROWID;"
        "CREATE TABLE name (" /* what the numbers in a run's ring records stand for */
        " run INTEGER NOT NULL, kind TEXT NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL,"
        " PRIMARY KEY (run, kind, id)) WITHOUT ROWID;"
        "CREATE TABLE connection ("
        " id INTEGER PRIMARY KEY,"
        " run INTEGER NOT NULL, shard INTEGER NOT NULL,"
        " local_address TEXT NOT NULL, local_port INTEGER NOT NULL,"
        " remote_address TEXT NOT NULL, remote_port INTEGER NOT NULL,"
        " role TEXT NOT NULL," /* 'active', 'passive' */
        " service TEXT, congestion TEXT,"
        " opened INTEGER, closed INTEGER,"
        " state INTEGER NOT NULL,"
        " first_cause INTEGER,"   /* how it came to be */
        " closing_cause INTEGER," /* why it began to close */
        " last_cause INTEGER,"    /* of the last transition */
        " last_speaker TEXT,"     /* who sent the last segment: 'local', 'peer' */
        " iss INTEGER, irs INTEGER,"
        " segs_in INTEGER, segs_out INTEGER, retransmits INTEGER, srtt INTEGER,"
        " bytes_received INTEGER, bytes_acked INTEGER, bytes_retransmitted INTEGER);"
        "CREATE INDEX connection_open ON connection (run) WHERE closed IS NULL;"
        "CREATE TABLE transition ("
        " id INTEGER PRIMARY KEY,"
        " time INTEGER NOT NULL,"
        " from_state INTEGER NOT NULL, to_state INTEGER NOT NULL, cause INTEGER NOT NULL,"
        " snd_una INTEGER, snd_nxt INTEGER, rcv_nxt INTEGER,"
        " cwnd INTEGER, ssthresh INTEGER, srtt INTEGER);"
        "CREATE TABLE action ("
        " id INTEGER PRIMARY KEY,"
        " run INTEGER NOT NULL, time INTEGER NOT NULL,"
        " uid INTEGER, pid INTEGER, method TEXT NOT NULL, arguments TEXT, result TEXT);";

/* Migration 2: time series. NULL: not known yet, or not so (no pacing, no algorithm in shadow). */
static const char schema_2[] = "CREATE TABLE sample ("
                               " id INTEGER PRIMARY KEY,"
                               " connection INTEGER NOT NULL,"
                               " time INTEGER NOT NULL,"
                               " congestion TEXT,"
                               " phase TEXT," /* 'open', 'recovery', 'loss' */
                               " cwnd INTEGER, ssthresh INTEGER, inflight INTEGER,"
                               " snd_wnd INTEGER, rcv_wnd INTEGER,"
                               " retransmits INTEGER,"
                               " pacing INTEGER, delivery_rate INTEGER," /* bytes a second */
                               " bytes_acked INTEGER, bytes_received INTEGER,"
                               " srtt INTEGER, rttvar INTEGER, min_rtt INTEGER,"
                               " shadow TEXT," /* what another algorithm would have done */
                               " shadow_cwnd INTEGER, shadow_ssthresh INTEGER, shadow_pacing INTEGER);"
                               "CREATE INDEX sample_connection ON sample (connection, time);"
                               "CREATE TABLE sample_output (" /* what algorithms say about themselves */
                               " sample INTEGER NOT NULL,"
                               " shadow INTEGER NOT NULL," /* 0: of the one that acts; 1: in its shadow */
                               " algorithm TEXT NOT NULL, name TEXT NOT NULL, value REAL,"
                               " PRIMARY KEY (sample, shadow, name)) WITHOUT ROWID;";

static const struct {
	const char *tables, *views;
} migrations[] = {
	{ schema_1, VIEWS_1 },
	{ schema_2, VIEWS_2 },
};

int schema_version(void)
{
	return (int)(sizeof(migrations) / sizeof(migrations[0]));
}

int schema_errno(int result)
{
	switch (result & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return -EBUSY;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return -EACCES;
	default:
		return -EIO;
	}
}

static int fail(sqlite3 *db, const char *what, char *error, size_t error_size)
{
	int r = schema_errno(sqlite3_errcode(db));

	snprintf(error, error_size, "%s: %s", what, sqlite3_errmsg(db));
	return r == 0 ? -EIO : r;
}

static int run_sql(sqlite3 *db, const char *sql, const char *what, char *error, size_t error_size)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(db, what, error, error_size);
}

static int query_int(sqlite3 *db, const char *sql, sqlite3_int64 *ret_value)
{
	sqlite3_stmt *statement;
	int result = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	if (result != SQLITE_OK)
		return schema_errno(result);
	result = sqlite3_step(statement);
	if (result == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return result == SQLITE_ROW ? 0 : schema_errno(result) == 0 ? -EIO : schema_errno(result);
}

/* user_version, after a look at whether this is a database of ours at all. */
static int current_version(sqlite3 *db, sqlite3_int64 *ret_version, char *error, size_t error_size)
{
	sqlite3_int64 version, application, tables;

	if (query_int(db, "PRAGMA user_version", &version) < 0 ||
	    query_int(db, "PRAGMA application_id", &application) < 0 ||
	    query_int(db, "SELECT count(*) FROM sqlite_schema", &tables) < 0)
		return fail(db, "reading the database", error, error_size);
	if (application != SCHEMA_APPLICATION_ID && (tables > 0 || application != 0)) {
		snprintf(error, error_size, "this is the database of another program");
		return -EPROTO;
	}
	if (version > schema_version()) {
		snprintf(error, error_size, "the database has version %lld, this program knows versions up to %d",
		         (long long)version, schema_version());
		return -EPROTO;
	}
	*ret_version = version;
	return 0;
}

int schema_migrate(sqlite3 *db, int version, char *error, size_t error_size)
{
	sqlite3_int64 current = 0;
	char sql[96];
	int r = current_version(db, &current, error, error_size);

	while (r == 0 && current < version) {
		r = run_sql(db, "BEGIN EXCLUSIVE", "migrating the database", error, error_size);
		if (r < 0)
			break;
		r = run_sql(db, migrations[current].tables, "migrating the database", error, error_size);
		if (r == 0)
			r = run_sql(db, migrations[current].views, "migrating the database", error, error_size);
		current++;
		snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
		         SCHEMA_APPLICATION_ID, (int)current);
		if (r == 0)
			r = run_sql(db, sql, "migrating the database", error, error_size);
		if (r < 0)
			sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	}
	return r;
}

static int fill_row(sqlite3_stmt *statement, int id, const char *const *texts, int count)
{
	sqlite3_bind_int(statement, 1, id);
	for (int i = 0; i < count; i++)
		sqlite3_bind_text(statement, 2 + i, texts[i], -1, SQLITE_STATIC);
	return sqlite3_step(statement) == SQLITE_DONE && sqlite3_reset(statement) == SQLITE_OK ? 0 : -1;
}

/* The names and meanings that this program knows; written only where they differ, so that a start leaves the tables
 * alone. */
static int fill_lookup(sqlite3 *db, char *error, size_t error_size)
{
	sqlite3_stmt *states = NULL, *causes = NULL;
	int r = run_sql(db, "BEGIN IMMEDIATE", "filling the lookup tables", error, error_size);

	if (r < 0)
		return r;
	if (sqlite3_prepare_v2(
	            db, "INSERT INTO state VALUES (?1, ?2) ON CONFLICT DO UPDATE SET name = ?2 WHERE name <> ?2", -1,
	            &states, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db,
	                       "INSERT INTO cause VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE"
	                       " SET name = ?2, meaning = ?3, section = ?4"
	                       " WHERE name <> ?2 OR meaning <> ?3 OR section <> ?4",
	                       -1, &causes, NULL) != SQLITE_OK)
		goto failed;
	for (int i = 0; i < TCPS_STATE_COUNT; i++)
		if (fill_row(states, i, (const char *[]){ tcp_state_name((unsigned)i) }, 1) < 0)
			goto failed;
	for (int i = 0; i < TCP_CAUSE_COUNT; i++) {
		unsigned cause = (unsigned)i;

		if (fill_row(causes, i,
		             (const char *[]){ tcp_cause_name(cause), tcp_cause_meaning(cause),
		                               tcp_cause_section(cause) },
		             3) < 0)
			goto failed;
	}
	if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
		goto out;
failed:
	r = fail(db, "filling the lookup tables", error, error_size);
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
out:
	sqlite3_finalize(states);
	sqlite3_finalize(causes);
	return r;
}

/* auto_vacuum can only be chosen before the first table: it lets deleted rows shrink the file without VACUUM.
 * synchronous=NORMAL: a commit isn't synced; a power cut may take back the last ones, and the ring has them still.
 * A checkpoint each 16 MiB: one fsync pair then, in the recorder's thread. */
static const char pragmas[] = "PRAGMA auto_vacuum = INCREMENTAL;"
                              "PRAGMA journal_mode = WAL;"
                              "PRAGMA synchronous = NORMAL;"
                              "PRAGMA wal_autocheckpoint = 4000;"
                              "PRAGMA journal_size_limit = 67108864;"
                              "PRAGMA cache_size = -16384;"
                              "PRAGMA temp_store = MEMORY;";

/* Group members may read the audit and nobody else, whatever the umask would allow; SQLite gives -wal and -shm the
 * mode of the database. Only a file that is new is opened here, so that no lock on it can be lost with the
 * descriptor. What fails here fails again, and is reported, when SQLite opens the file. */
static void create(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	if (fd >= 0)
		close(fd);
}

int schema_open(const char *path, int busy_ms, sqlite3 **ret_db, char *error, size_t error_size)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	sqlite3_int64 version;
	sqlite3 *db = NULL;
	int keep = 1; /* -wal and -shm at the end: see store_close */
	int result, r;

	create(path);
	result = sqlite3_open_v2(path, &db, flags, NULL);
	if (result != SQLITE_OK) {
		snprintf(error, error_size, "%s: %s", path, db == NULL ? sqlite3_errstr(result) : sqlite3_errmsg(db));
		r = schema_errno(result);
		goto out;
	}
	sqlite3_busy_timeout(db, busy_ms);
	sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
	r = current_version(db, &version, error, error_size); /* before anything is changed in somebody else's file */
	if (r == 0)
		r = run_sql(db, pragmas, "setting up the database", error, error_size);
	if (r == 0)
		r = schema_migrate(db, schema_version(), error, error_size);
	if (r == 0)
		r = fill_lookup(db, error, error_size);
out:
	if (r < 0) {
		sqlite3_close(db);
		return r;
	}
	*ret_db = db;
	return 0;
}
