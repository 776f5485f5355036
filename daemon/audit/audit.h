#pragma once
/* The audit: what the stacks write into their journal rings (core/base/journal.h) ends as rows in an SQLite database.
 *
 * Life:  audit_open -> audit_add_sink... -> audit_start -> (stacks run) -> audit_stop -> audit_free.
 *
 * audit_open makes good what a crash left behind, begins a new run and maps one ring file per shard. From audit_start
 * on one thread, the recorder, drains the rings: one transaction per batch, and the position reached is stored in
 * that transaction. A record is therefore stored exactly once, whatever is killed when.
 *
 * A database that can't be written (disk full, locked by another process) makes the audit unhealthy, not dead:
 * records stay in the rings, the stacks refuse new connections when a ring is full, the recorder tries again and says
 * so when it has succeeded. A database that is damaged is moved aside (`NAME.damaged-TIME`) and a new one begun; one
 * that somebody has taken away is begun anew.
 *
 * Times given in records are CLOCK_MONOTONIC. Functions return 0 or -errno. */
#include "core/base/journal.h"
#include "core/base/time.h"
#include "core/stack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct audit;

/* name[id] for each id that records may carry; NULL entries: no name. */
struct audit_names {
	const char *const *name;
	size_t count;
};

/* Everything is copied. */
struct audit_options {
	const char *database;        /* path of the database file; its directory must exist */
	const char *state_directory; /* where the ring files and the lock live; must exist */
	const char *version;         /* of the daemon, for the run's row */
	uint32_t shards;             /* 1 to AUDIT_SHARDS_MAX */
	uint64_t ring_bytes;         /* of each shard's ring file; at least AUDIT_RING_BYTES_MIN */
	struct audit_names services, congestions;
	/* What the operator should read: priority as in syslog(3). Called from audit_open's caller or the recorder.
	 * May be NULL. */
	void (*report)(void *context, int priority, const char *text);
	void *report_context;
};

#define AUDIT_SHARDS_MAX 256u
#define AUDIT_RING_BYTES_MIN 65536u

/* Opens or creates the database and the ring files, stores what a crashed run has left in its rings, closes that run
 * and its connections (cause DAEMON_CRASH), and begins a run. Holds a lock on the state directory.
 * On failure returns -errno and puts one line of text into `error`: -EBUSY another daemon uses the state directory,
 * or the database is locked; -ENOSPC no room for the rings; -EPROTO the database is of a newer version, or not ours.
 */
int audit_open(const struct audit_options *options, struct audit **ret_audit, char *error, size_t error_size);

/* The ring that the stack of `shard` writes. Valid until audit_free. */
struct journal_ring *audit_ring(struct audit *audit, unsigned shard);

/* Above every id in the database and in the rings. The stack of shard s uses this + s, with a step of the number of
 * shards. At most AUDIT_CONNECTION_ID_MAX. */
uint64_t audit_first_connection_id(const struct audit *audit);

uint64_t audit_run_id(const struct audit *audit);

/* When the run began, in nanoseconds since 1970. */
int64_t audit_run_started_ns(const struct audit *audit);

/* Add this to a record's time_ns to get nanoseconds since 1970. Fixed for the run: times within a run never jump. */
int64_t audit_wall_offset_ns(const struct audit *audit);

/* Starts the recorder. */
int audit_start(struct audit *audit);

/* Waits until everything that was published or queued before the call is stored. -ETIMEDOUT. */
int audit_drain(struct audit *audit, struct duration timeout);

/* After the stacks have stopped: stores what is left, closes the run (connections still open get cause DAEMON_STOP)
 * and the database, joins the recorder. If the database can't be written until `timeout` has passed it returns
 * -ETIMEDOUT; nothing is lost then, the next start stores the rest. Call once, also when audit_start was not. */
int audit_stop(struct audit *audit, struct duration timeout);

/* Unmaps the rings and gives everything back; calls audit_stop with no patience if that has not been done. NULL is
 * allowed. */
void audit_free(struct audit *audit);

/* ---- sinks --------------------------------------------------------------------------------------------------- */

/* Gets every record after it has been stored, in the order of its ring, on the recorder's thread: it must be quick
 * and must not call into the audit. Records are valid during the call. */
struct audit_sink {
	const char *name; /* copied */
	void (*records)(void *context, const struct journal_record *records, size_t count);
	/* Optional: nothing more is waiting for now. */
	void (*idle)(void *context);
	void *context;
};

/* At any time, from any thread. -EEXIST the name is taken; -ENOMEM. */
int audit_add_sink(struct audit *audit, const struct audit_sink *sink);
/* When it returns the sink is not in use any more. -ENOENT. */
int audit_remove_sink(struct audit *audit, const char *name);

/* ---- actions ------------------------------------------------------------------------------------------------- */

/* Who changed what through the control socket. Texts are copied. */
struct audit_action {
	int64_t uid, pid;               /* of the caller */
	const char *method;             /* "io.tapstack.Close" */
	const char *arguments, *result; /* JSON, or any text; NULL allowed */
};

#define AUDIT_ACTIONS_MAX 4096

/* Queues a row for the recorder; from any thread. -ENOBUFS when AUDIT_ACTIONS_MAX are waiting (the database can't be
 * written): then the caller should refuse the action. -ENOMEM. */
int audit_action(struct audit *audit, const struct audit_action *action);

/* A service that was added, or renamed, while running; from any thread. To be called before records carry `id`. */
int audit_name_service(struct audit *audit, uint16_t id, const char *name);

/* The same for a congestion algorithm, and for its outputs: the `index`-th of its table. Those beyond
 * STACK_SAMPLE_OUTPUTS_MAX are not recorded, and their names are ignored. */
int audit_name_congestion(struct audit *audit, uint16_t id, const char *name);
int audit_name_output(struct audit *audit, uint16_t congestion, uint32_t index, const char *name);

/* ---- samples --------------------------------------------------------------------------------------------------- */

/* Points of connections' time series become rows of the table `sample`. From the thread of that shard; never waits.
 * Returns how many were taken: what does not fit is lost, and counted (samples_lost). Unlike transitions they don't
 * survive a crash. */
size_t audit_put_samples(struct audit *audit, unsigned shard, const struct stack_sample *samples, size_t count);

/* ---- looking in ---------------------------------------------------------------------------------------------- */

struct audit_status {
	bool healthy;
	char error[256];    /* why not; "" when healthy */
	char database[256]; /* its path (cut if longer) */
	uint64_t run_id;
	uint64_t transitions;  /* rows stored since the start */
	uint64_t connections;  /* rows stored since the start */
	uint64_t actions;      /* rows stored since the start */
	uint64_t samples;      /* rows stored since the start */
	uint64_t samples_lost; /* there was no room for them */
	uint64_t transactions; /* committed since the start */
	uint64_t lost;         /* records found damaged, at recovery or later; reported when it happens */
	uint64_t ring_records; /* capacity of all rings */
	uint64_t waiting;      /* records in the rings, not yet stored */
	uint64_t waiting_most; /* the most that was seen since the start */
	int64_t lag_ns;        /* age of the oldest of them; 0: none */
	uint64_t failures;     /* transactions that failed and were tried again */
	uint64_t cpu_ns;       /* CPU time the recorder has used */
	uint64_t recovered;    /* records that audit_open found in the rings of a crashed run */
	uint64_t crash_closed; /* connections that audit_open closed with DAEMON_CRASH */
};

/* From any thread. */
void audit_status(struct audit *audit, struct audit_status *ret_status);

/* ---- the database's numbers ---------------------------------------------------------------------------------- */

/* The key of a transition's row carries the connection and the index: transition.id = connection << 5 | index. All
 * rows of a connection lie side by side and are found without a secondary index. */
#define AUDIT_INDEX_BITS 5
#define AUDIT_INDEX_MAX ((1u << AUDIT_INDEX_BITS) - 1)
#define AUDIT_CONNECTION_ID_MAX (INT64_MAX >> AUDIT_INDEX_BITS)
