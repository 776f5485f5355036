/* The recorder: one thread that moves records from the rings to the database and to the sinks. It polls; the data
 * path never wakes it. */
#include "audit/internal.h"

#include "core/tcp/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#define POLL_NS (20 * INT64_C(1000000))   /* between looks at the rings */
#define RETRY_NS (100 * INT64_C(1000000)) /* after a transaction that failed */
#define LOOK_NS (1000 * INT64_C(1000000)) /* between looks whether the database is still in its place */

/* What one turn has taken from the queue and the rings. */
struct turn {
	struct queued *first, *last; /* NULL: nothing queued */
	uint64_t queued;
	size_t count;     /* records in audit->records */
	uint64_t looked;  /* at this many records */
	uint64_t waiting; /* records in all rings */
	uint64_t highest; /* connection id */
	bool more;        /* go on at once */
};

/* ---- taking -------------------------------------------------------------------------------------------------- */

/* An equal share of the batch for each ring: none can starve another. */
static void take_records(struct audit *audit, struct turn *turn)
{
	uint64_t share = STORE_BATCH_MAX / audit->shards;

	for (unsigned shard = 0; shard < audit->shards; shard++) {
		struct journal_ring *ring = audit->ring[shard].ring;
		uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
		uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
		uint64_t take = head - tail < share ? head - tail : share;

		for (uint64_t at = tail; at < tail + take; at++) {
			const struct journal_record *record = &ring->record[at % ring->capacity];

			if (record->number != at)
				continue;
			audit->records[turn->count++] = record;
			if (record->connection_id > turn->highest)
				turn->highest = record->connection_id;
		}
		audit->taken[shard] = take;
		turn->looked += take;
		turn->waiting += head - tail;
		if (take == share || head - tail > ring->capacity / 4)
			turn->more = true;
	}
}

/* Those of a turn that could not be stored come again. */
static void take_samples(struct audit *audit, struct turn *turn)
{
	for (unsigned shard = 0; shard < audit->shards; shard++)
		audit->sample_count += sample_ring_take(audit->samples[shard], audit->sample + audit->sample_count,
		                                        SAMPLE_BATCH_MAX - audit->sample_count);
	if (audit->sample_count == SAMPLE_BATCH_MAX)
		turn->more = true;
}

/* After the records: a name is queued before the first record that needs it is published. */
static void take_queue(struct audit *audit, struct turn *turn)
{
	pthread_mutex_lock(&audit->lock);
	turn->first = audit->queue;
	turn->last = NULL;
	for (struct queued *item = audit->queue; item != NULL; item = item->next) {
		turn->last = item;
		turn->queued++;
	}
	audit->oldest_ns = turn->count > 0 ? audit->records[0]->time_ns : 0;
	if (turn->waiting > audit->status.waiting_most)
		audit->status.waiting_most = turn->waiting;
	pthread_mutex_unlock(&audit->lock);
}

void audit_free_queued(struct queued *first)
{
	while (first != NULL) {
		struct queued *next = first->next;

		free(first);
		first = next;
	}
}

/* ---- storing ------------------------------------------------------------------------------------------------- */

static int store_queue(struct audit *audit, const struct turn *turn)
{
	struct queued *item = turn->first;
	int r = 0;

	for (uint64_t i = 0; i < turn->queued && r == 0; i++, item = item->next) {
		if (item->kind != NAME_NONE) {
			r = names_set(&audit->run.name[item->kind], item->id, item->action.method);
			if (r == 0)
				r = store_name(audit->store, audit->run.id, item->kind, item->id,
				               item->action.method);
		} else {
			r = store_action(audit->store, audit->run.id, item->time_ns, &item->action);
		}
	}
	return r;
}

static int store_turn(struct audit *audit, const struct turn *turn, struct store_counts *counts)
{
	int r = store_begin(audit->store);

	if (r == 0)
		r = store_queue(audit, turn);
	if (r == 0 && turn->count > 0)
		r = store_records(audit->store, &audit->run, audit->records, turn->count);
	if (r == 0)
		r = store_samples(audit->store, &audit->run, audit->sample, audit->sample_count);
	for (unsigned shard = 0; shard < audit->shards && r == 0; shard++)
		if (audit->taken[shard] > 0)
			r = store_set_position(audit->store, audit->run.id, shard,
			                       atomic_load(&audit->ring[shard].ring->tail) + audit->taken[shard],
			                       turn->highest);
	if (r == 0)
		r = store_commit(audit->store, counts);
	if (r < 0)
		store_rollback(audit->store);
	return r;
}

/* Records that lie side by side in a ring go to the sinks together. */
static void feed_sinks(struct audit *audit, const struct turn *turn)
{
	pthread_mutex_lock(&audit->sinks_lock);
	for (struct sink_entry *entry = audit->sinks; entry != NULL; entry = entry->next) {
		for (size_t from = 0, to; from < turn->count; from = to) {
			for (to = from + 1; to < turn->count; to++)
				if (audit->records[to] != audit->records[to - 1] + 1)
					break;
			entry->sink.records(entry->sink.context, audit->records[from], to - from);
		}
	}
	pthread_mutex_unlock(&audit->sinks_lock);
	audit->sinks_fed = audit->sinks_fed || turn->count > 0;
}

static void tell_sinks_idle(struct audit *audit)
{
	pthread_mutex_lock(&audit->sinks_lock);
	for (struct sink_entry *entry = audit->sinks; entry != NULL; entry = entry->next)
		if (entry->sink.idle != NULL)
			entry->sink.idle(entry->sink.context);
	pthread_mutex_unlock(&audit->sinks_lock);
	audit->sinks_fed = false;
}

static uint64_t thread_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The turn is stored: the rings' room goes back to the writers, and everybody may know. */
static void finish_turn(struct audit *audit, const struct turn *turn, const struct store_counts *counts)
{
	uint64_t bad = turn->looked - turn->count + counts->damaged;
	struct queued *done = NULL;
	bool healed;

	for (unsigned shard = 0; shard < audit->shards; shard++) {
		struct journal_ring *ring = audit->ring[shard].ring;
		uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

		atomic_store_explicit(&ring->tail, tail + audit->taken[shard], memory_order_release);
	}
	audit->sample_count = 0;
	pthread_mutex_lock(&audit->lock);
	if (turn->last != NULL) {
		done = audit->queue;
		audit->queue = turn->last->next;
		if (audit->queue == NULL)
			audit->queue_end = &audit->queue;
		turn->last->next = NULL;
		audit->queue_stored += turn->queued;
	}
	audit->status.transitions += counts->transitions;
	audit->status.connections += counts->connections;
	audit->status.actions += counts->actions;
	audit->status.samples += counts->samples;
	audit->status.lost += bad;
	audit->status.transactions++;
	audit->status.cpu_ns = thread_cpu_ns();
	audit->oldest_ns = 0;
	healed = !audit->status.healthy;
	audit->status.healthy = true;
	audit->status.error[0] = '\0';
	pthread_cond_broadcast(&audit->stored);
	pthread_mutex_unlock(&audit->lock);
	audit_free_queued(done);
	if (turn->highest > audit->highest_connection)
		audit->highest_connection = turn->highest;
	if (healed)
		audit_report(audit, LOG_NOTICE, "audit: the database can be written again");
	if (bad > 0)
		audit_report(audit, LOG_ERR, "audit: %llu records were damaged or already stored",
		             (unsigned long long)bad);
}

/* ---- trouble ------------------------------------------------------------------------------------------------- */

static void set_unhealthy(struct audit *audit, const char *error)
{
	bool first;

	pthread_mutex_lock(&audit->lock);
	first = audit->status.healthy;
	audit->status.healthy = false;
	audit->status.failures++;
	snprintf(audit->status.error, sizeof(audit->status.error), "%s", error);
	pthread_mutex_unlock(&audit->lock);
	if (first)
		audit_report(audit, LOG_ERR,
		             "audit: the database can't be written: %s; records wait in the rings, new connections "
		             "are refused when these are full",
		             error);
}

/* Opens a database where there is none any more, or the one that is there is another, and enters this run. */
static int open_again(struct audit *audit)
{
	char error[256];
	int r = audit_open_store(audit, AUDIT_BUSY_MS, error, sizeof(error));

	if (r < 0) {
		set_unhealthy(audit, error);
		return r;
	}
	r = store_begin(audit->store);
	if (r == 0)
		r = audit_store_run(audit);
	for (unsigned shard = 0; shard < audit->shards && r == 0; shard++)
		r = store_set_position(audit->store, audit->run.id, shard,
		                       atomic_load(&audit->ring[shard].ring->tail), audit->highest_connection);
	if (r == 0)
		r = store_commit(audit->store, NULL);
	if (r < 0) {
		set_unhealthy(audit, store_error(audit->store));
		store_close(audit->store, true);
		audit->store = NULL;
		if (r == -EBADMSG)
			audit_set_database_aside(audit); /* the next attempt begins a new one */
	}
	return r;
}

/* The database was taken from its place: makes it whole without its WAL, then lets go of it. A WAL that is not empty
 * must not stay behind, it would be taken for that of the next database of this name. While readers are in the way
 * the old file is written on. */
static int leave_database(struct audit *audit)
{
	int r = store_checkpoint(audit->store);

	if (r < 0) {
		if (!audit->database_leaving)
			audit_report(audit, LOG_WARNING,
			             "audit: %s was taken away while it was in use; it is written on until it can be "
			             "left whole: %s",
			             audit->database, store_error(audit->store));
		audit->database_leaving = true;
		return r;
	}
	store_close(audit->store, true);
	audit->store = NULL;
	audit_remove_wal(audit);
	return 0;
}

/* Has somebody moved the database away, or put another in its place? */
static void look_after_database(struct audit *audit)
{
	int64_t now = audit_monotonic_ns();

	if (audit->store == NULL || now - audit->database_looked_ns < LOOK_NS)
		return;
	audit->database_looked_ns = now;
	if (audit_database_in_place(audit))
		audit->database_leaving = false;
	else if (leave_database(audit) == 0)
		audit_report(audit, LOG_ERR, "audit: %s was taken away; a new database is begun", audit->database);
}

/* 0, or -errno when it has to be tried again later. */
static int handle_failure(struct audit *audit, int r)
{
	set_unhealthy(audit, store_error(audit->store));
	if (r != -EBADMSG)
		return r;
	store_close(audit->store, true);
	audit->store = NULL;
	if (audit_database_in_place(audit))
		return audit_set_database_aside(audit);
	audit_set_wal_aside(audit);
	return 0;
}

/* ---- the loop ------------------------------------------------------------------------------------------------ */

static void look_after_rings(struct audit *audit)
{
	int64_t now = audit_monotonic_ns() + audit->run.wall_offset_ns;

	for (unsigned shard = 0; shard < audit->shards; shard++) {
		atomic_store_explicit(&audit->ring[shard].header->alive_ns, now, memory_order_relaxed);
		ring_file_touch_ahead(&audit->ring[shard]);
	}
}

/* Stores what there is, at most a batch. *ret_idle: there was nothing; *ret_more: there is more already. */
static int one_turn(struct audit *audit, bool *ret_idle, bool *ret_more)
{
	struct turn turn = { 0 };
	struct store_counts counts = { 0 };
	int r = 0;

	look_after_rings(audit);
	look_after_database(audit);
	if (audit->store == NULL)
		r = open_again(audit);
	if (r < 0)
		return r;
	take_records(audit, &turn);
	take_samples(audit, &turn);
	take_queue(audit, &turn);
	*ret_idle = turn.looked == 0 && turn.first == NULL && audit->sample_count == 0;
	*ret_more = turn.more;
	if (*ret_idle && audit->sinks_fed)
		tell_sinks_idle(audit);
	if (*ret_idle && audit->status.healthy) /* only this thread changes it */
		return 0;
	r = store_turn(audit, &turn, &counts);
	if (r < 0)
		return handle_failure(audit, r);
	feed_sinks(audit, &turn);
	finish_turn(audit, &turn, &counts);
	return 0;
}

static void timespec_of(int64_t ns, struct timespec *ret_ts)
{
	ret_ts->tv_sec = ns / 1000000000;
	ret_ts->tv_nsec = ns % 1000000000;
}

/* Sleeps for a while or until somebody wants something. Returns whether the audit is being stopped. */
static bool pause_for(struct audit *audit, int64_t ns)
{
	struct timespec until;
	bool stopping;

	timespec_of(audit_monotonic_ns() + ns, &until);
	pthread_mutex_lock(&audit->lock);
	while (!audit->wanted && !audit->stopping)
		if (pthread_cond_timedwait(&audit->wake, &audit->lock, &until) == ETIMEDOUT)
			break;
	audit->wanted = false;
	stopping = audit->stopping;
	pthread_mutex_unlock(&audit->lock);
	return stopping;
}

void *audit_recorder_main(void *context)
{
	struct audit *audit = context;
	bool idle, more;

	for (;;) {
		int64_t pause = POLL_NS;

		more = false;
		if (one_turn(audit, &idle, &more) < 0)
			pause = RETRY_NS;
		else if (more)
			pause = 0;
		if (pause_for(audit, pause))
			break;
	}
	audit->stop_result = audit_recorder_finish(audit, audit->stop_deadline_ns);
	pthread_mutex_lock(&audit->lock);
	audit->gone = true;
	pthread_cond_broadcast(&audit->stored);
	pthread_mutex_unlock(&audit->lock);
	return NULL;
}

/* ---- the end ------------------------------------------------------------------------------------------------- */

static int end_run(struct audit *audit)
{
	int64_t now = audit_monotonic_ns() + audit->run.wall_offset_ns;
	uint64_t closed = 0;
	int r = store_begin(audit->store);

	if (r == 0)
		r = store_run_end(audit->store, audit->run.id, now, "stop", CAUSE_DAEMON_STOP, &closed);
	if (r == 0)
		r = store_commit(audit->store, NULL);
	if (r < 0) {
		store_rollback(audit->store);
		return handle_failure(audit, r) < 0 ? r : -EAGAIN;
	}
	if (closed > 0)
		audit_report(audit, LOG_WARNING, "audit: %llu connections were still open at the end of the run",
		             (unsigned long long)closed);
	return 0;
}

/* Closes the database. One that was taken away is given until the deadline to get rid of its readers. */
static void close_database(struct audit *audit, bool fast, int64_t deadline_ns)
{
	if (audit->store == NULL)
		return;
	while (!audit_database_in_place(audit)) {
		if (leave_database(audit) == 0)
			return;
		if (audit_monotonic_ns() >= deadline_ns) {
			store_close(audit->store, true);
			audit->store = NULL;
			audit_set_wal_aside(audit);
			return;
		}
		nanosleep(&(struct timespec){ .tv_nsec = POLL_NS }, NULL);
	}
	store_close(audit->store, fast);
	audit->store = NULL;
}

int audit_recorder_finish(struct audit *audit, int64_t deadline_ns)
{
	bool idle = false, more;
	int r;

	for (unsigned shard = 0; shard < audit->shards; shard++)
		atomic_store(&audit->ring[shard].header->stopped, 1);
	for (;;) {
		idle = false;
		r = one_turn(audit, &idle, &more);
		if (r == 0 && idle) {
			r = audit->store != NULL ? end_run(audit) : -EAGAIN;
			if (r == 0)
				break;
		}
		if (audit_monotonic_ns() >= deadline_ns)
			break;
		if (r < 0)
			nanosleep(&(struct timespec){ .tv_nsec = POLL_NS }, NULL);
	}
	if (r < 0 || !idle) {
		audit_report(audit, LOG_ERR, "audit: stopped before everything was stored; the next start stores it");
		r = -ETIMEDOUT;
	}
	close_database(audit, r < 0, deadline_ns);
	return r;
}
