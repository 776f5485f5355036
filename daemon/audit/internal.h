#pragma once
/* What the files of the audit share. */
#include "audit/audit.h"
#include "audit/ring.h"
#include "audit/samples.h"
#include "audit/store.h"

#include <pthread.h>
#include <sys/types.h>

#define AUDIT_BUSY_MS 100 /* the recorder's patience with another writer, per attempt */

/* The database, its WAL and the WAL's index. */
#define AUDIT_DATABASE_PARTS 3

/* Which file it is, whatever its name. */
struct file_identity {
	dev_t device;
	ino_t inode;
};

/* A row that another thread asked for. */
struct queued {
	struct queued *next;
	int64_t time_ns;
	enum name_kind kind; /* NAME_NONE: an action; else the name of `id` */
	uint16_t id;
	struct audit_action action; /* texts behind this struct; a name is in .method */
};

struct sink_entry {
	struct sink_entry *next;
	struct audit_sink sink;
};

struct audit {
	/* Fixed once open. */
	char *database, *version;
	int state_directory, state_lock, database_lock; /* descriptors; -1 */
	void (*report)(void *context, int priority, const char *text);
	void *report_context;
	unsigned shards;
	uint64_t ring_bytes;
	struct ring_file *ring;       /* one per shard */
	struct sample_ring **samples; /* likewise */
	struct ring_owner owner;

	/* The opener's, from audit_start on the recorder's. */
	struct store *store; /* NULL: the database could not be opened again, to be tried */
	struct run run;
	struct file_identity database_part[AUDIT_DATABASE_PARTS]; /* as opened; inode 0: there was none */
	int64_t database_looked_ns;                               /* when its place was last looked at; monotonic */
	bool database_leaving;                                    /* it is not in its place, and has readers still */
	const struct journal_record **records;                    /* of the batch at hand */
	uint64_t highest_connection;                              /* id seen in a record */
	uint64_t *taken;                                          /* by ring: records looked at for the batch */
	struct stack_sample sample[SAMPLE_BATCH_MAX];             /* taken, and not stored yet: */
	size_t sample_count;

	pthread_t thread;
	bool started, stopped, locks_made;

	pthread_mutex_t sinks_lock;
	struct sink_entry *sinks;
	bool sinks_fed; /* the recorder's: they have not been told that there is nothing more */

	pthread_mutex_t lock;  /* all below */
	pthread_cond_t wake;   /* the recorder has something to do at once; CLOCK_MONOTONIC, as the next */
	pthread_cond_t stored; /* something was stored, or the recorder is gone */
	bool wanted, stopping, gone;
	int64_t stop_deadline_ns; /* monotonic */
	int stop_result;
	struct queued *queue, **queue_end;
	uint64_t queue_added, queue_stored;
	struct audit_status status; /* without what audit_status computes */
	int64_t oldest_ns;          /* monotonic: time of the oldest record that waits; 0: none */
};

int64_t audit_monotonic_ns(void);
void audit_report(struct audit *audit, int priority, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Opens the store of audit->database. A damaged database is moved aside, with a report, and a new one begun. */
int audit_open_store(struct audit *audit, int busy_ms, char *error, size_t error_size);
/* Is the database that was opened still the one of this name? */
bool audit_database_in_place(const struct audit *audit);
/* Renames the database, with its WAL, to NAME.damaged-TIME. The store must be closed. */
int audit_set_database_aside(struct audit *audit);
/* The database that was opened is gone from its place, and its WAL was left behind: removes it (it must be empty), or
 * renames it to NAME.left-TIME-wal. A WAL that is another database's is left alone. */
void audit_remove_wal(struct audit *audit);
void audit_set_wal_aside(struct audit *audit);
/* Within a transaction: the row of this run and its names. */
int audit_store_run(struct audit *audit);

/* recover.c: stores what the rings of earlier runs hold, closes these runs, and gives the rings to a new one. */
int audit_recover(struct audit *audit, char *error, size_t error_size);

/* recorder.c */
void *audit_recorder_main(void *audit);
/* Stores what is left and closes the run; -ETIMEDOUT if that can't be done until the (monotonic) deadline. */
int audit_recorder_finish(struct audit *audit, int64_t deadline_ns);
void audit_free_queued(struct queued *first);
