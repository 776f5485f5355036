/* The start of a run: what the rings of a crashed run still hold is stored, the run and its connections are closed,
 * and the rings are handed to a new run.
 *
 * Each step can be interrupted anywhere and done again. A record is stored together with the position after it, so
 * the next attempt goes on behind it; runs are closed in one transaction each; a ring file is given to the new run
 * only after its records are stored. */
#include "audit/internal.h"

#include "core/tcp/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

struct recovery {
	struct audit *audit;
	struct ring_file old[AUDIT_SHARDS_MAX];
	uint64_t position[AUDIT_SHARDS_MAX];      /* next record to be stored */
	int64_t last_ns[AUDIT_SHARDS_MAX];        /* time of the last record found, since 1970 */
	uint64_t highest_run, highest_connection; /* seen in rings */
	char *error;
	size_t error_size;
};

static int failed(struct recovery *recovery, int r)
{
	snprintf(recovery->error, recovery->error_size, "recovering the audit: %s",
	         r == -ENOMEM ? "out of memory" : store_error(recovery->audit->store));
	return r;
}

/* One transaction: records [*position, end), at most a batch of them. */
static int store_some(struct recovery *recovery, struct ring_file *file, const struct run *run, uint64_t *position,
                      uint64_t end)
{
	struct audit *audit = recovery->audit;
	struct journal_ring *ring = file->ring;
	uint64_t at = *position, highest = 0, bad = 0;
	struct store_counts counts = { 0 };
	size_t count = 0;
	int r;

	for (; at < end && count < STORE_BATCH_MAX; at++) {
		const struct journal_record *record = &ring->record[at % ring->capacity];

		if (record->number != at) {
			bad++;
			continue;
		}
		audit->records[count++] = record;
		if (record->connection_id > highest)
			highest = record->connection_id;
		if (record->time_ns + run->wall_offset_ns > recovery->last_ns[file->shard])
			recovery->last_ns[file->shard] = record->time_ns + run->wall_offset_ns;
	}
	r = store_begin(audit->store);
	if (r == 0)
		r = store_records(audit->store, run, audit->records, count);
	if (r == 0)
		r = store_set_position(audit->store, run->id, file->shard, at, highest);
	if (r == 0)
		r = store_commit(audit->store, &counts);
	if (r < 0) {
		store_rollback(audit->store);
		return r;
	}
	*position = at;
	audit->status.recovered += count;
	audit->status.transitions += counts.transitions;
	audit->status.connections += counts.connections;
	audit->status.lost += bad + counts.damaged;
	return 0;
}

/* Where to go on in the ring of a run that the database doesn't know. A power cut has taken back the commit that
 * began the run, and all later ones: then also what lies before the tail is wanted, as far as the ring still has it.
 * Or the database is another than the run had: what is stored twice then, in two files, is better than what is in
 * none. But a run that was stopped in order has left a database that is whole and synced; nothing of it is wanted in
 * another. */
static uint64_t position_unknown(const struct ring_file *file, uint64_t head)
{
	uint64_t tail = atomic_load(&file->ring->tail), first = file->header->first_record;

	if (first == 0 || first > tail || (atomic_load(&file->header->stopped) != 0 && tail == head))
		return tail;
	return head > first && head - first > file->ring->capacity ? head - file->ring->capacity : first;
}

/* Where to go on in this ring: the database knows, or position_unknown. */
static int find_position(struct recovery *recovery, struct ring_file *file, uint64_t head, uint64_t *ret_position)
{
	struct audit *audit = recovery->audit;
	struct journal_ring *ring = file->ring;
	uint64_t position = 0, highest;
	int r = store_get_position(audit->store, ring->run_id, file->shard, &position);

	if (r == -ENOENT) {
		position = position_unknown(file, head);
		highest = ring_file_highest_id(file);
		if (highest < file->header->first_connection_id && file->header->first_connection_id > 0)
			highest = file->header->first_connection_id - 1;
		if (highest > recovery->highest_connection)
			recovery->highest_connection = highest;
	} else if (r < 0) {
		return r;
	}
	if (position > head)
		head = position; /* the machine lost power: the ring is older than the database, which has it all */
	if (head - position > ring->capacity) {
		audit_report(audit, LOG_ERR,
		             "audit: ring %u of run %llu: %llu records were overwritten before they "
		             "were stored",
		             file->shard, (unsigned long long)ring->run_id,
		             (unsigned long long)(head - position - ring->capacity));
		audit->status.lost += head - position - ring->capacity;
		position = head - ring->capacity;
	}
	*ret_position = position;
	return 0;
}

static int recover_ring(struct recovery *recovery, struct ring_file *file)
{
	struct audit *audit = recovery->audit;
	struct journal_ring *ring = file->ring;
	struct run run = { .id = ring->run_id, .wall_offset_ns = ring->wall_offset_ns };
	struct store_run_row row = { .id = run.id,
		                     .started_ns = file->header->started_ns,
		                     .wall_offset_ns = run.wall_offset_ns,
		                     .first_connection = file->header->first_connection_id };
	uint64_t head = atomic_load(&ring->head), lost = audit->status.lost, position = 0;
	int r;

	recovery->position[file->shard] = head;
	if (ring_file_is_blank(file))
		return 0;
	if (run.id > recovery->highest_run)
		recovery->highest_run = run.id;
	r = find_position(recovery, file, head, &position);
	if (r == 0 && position < head) {
		r = store_load_names(audit->store, &run);
		if (r == 0)
			r = store_run_begin(audit->store, &row); /* in case the database is new */
	}
	while (r == 0 && position < head) {
		r = store_some(recovery, file, &run, &position, head);
		if (r == 0)
			atomic_store(&ring->tail, position);
	}
	run_clear(&run);
	if (r < 0)
		return failed(recovery, r);
	recovery->position[file->shard] = position;
	if (audit->status.lost > lost)
		audit_report(audit, LOG_ERR, "audit: ring %u of run %llu: %llu records are damaged", file->shard,
		             (unsigned long long)ring->run_id, (unsigned long long)(audit->status.lost - lost));
	return 0;
}

static int open_old_rings(struct recovery *recovery)
{
	struct audit *audit = recovery->audit;

	for (unsigned shard = 0; shard < AUDIT_SHARDS_MAX; shard++) {
		int r = ring_file_open(audit->state_directory, shard, &recovery->old[shard]);

		if (r == -EBADMSG) {
			audit_report(audit, LOG_ERR,
			             "audit: ring-%u is not a ring file of this version; "
			             "moved aside to ring-%u.damaged",
			             shard, shard);
			r = ring_file_set_aside(audit->state_directory, shard);
		}
		if (r < 0 && r != -ENOENT) {
			snprintf(recovery->error, recovery->error_size, "ring-%u: %s", shard, strerror(-r));
			return r;
		}
	}
	return 0;
}

/* Closes the runs that have no end, at the time when they were last seen alive. */
static int close_old_runs(struct recovery *recovery)
{
	struct audit *audit = recovery->audit;
	uint64_t run = 0, closed = 0;
	int64_t time_ns;
	int r;

	while ((r = store_next_open_run(audit->store, run, &run, &time_ns)) == 0) {
		bool stopped = false;

		for (unsigned shard = 0; shard < AUDIT_SHARDS_MAX; shard++) {
			const struct ring_file *file = &recovery->old[shard];

			if (file->header == NULL || file->ring->run_id != run)
				continue;
			stopped = stopped || atomic_load(&file->header->stopped) != 0;
			if (atomic_load(&file->header->alive_ns) > time_ns)
				time_ns = atomic_load(&file->header->alive_ns);
			if (recovery->last_ns[shard] > time_ns)
				time_ns = recovery->last_ns[shard];
		}
		r = store_begin(audit->store);
		if (r == 0)
			r = store_run_end(audit->store, run, time_ns, stopped ? "stop" : "crash",
			                  stopped ? CAUSE_DAEMON_STOP : CAUSE_DAEMON_CRASH, &closed);
		if (r == 0)
			r = store_commit(audit->store, NULL);
		if (r < 0) {
			store_rollback(audit->store);
			return failed(recovery, r);
		}
		audit->status.crash_closed += closed;
		if (!stopped)
			audit_report(audit, LOG_WARNING, "audit: run %llu had crashed; %llu open connections closed",
			             (unsigned long long)run, (unsigned long long)closed);
	}
	return r == -ENOENT ? 0 : failed(recovery, r);
}

/* Ring files of the wanted size for each shard of the new run, from the old ones where they fit. */
static int take_rings(struct recovery *recovery)
{
	struct audit *audit = recovery->audit;

	for (unsigned shard = 0; shard < audit->shards; shard++) {
		struct ring_file *old = &recovery->old[shard];
		int r = 0;

		if (old->header != NULL && old->bytes == ring_file_bytes(audit->ring_bytes)) {
			audit->ring[shard] = *old;
			*old = (struct ring_file){ 0 };
		} else {
			r = ring_file_create(audit->state_directory, shard, audit->ring_bytes, &audit->ring[shard]);
			recovery->position[shard] = 1;
		}
		if (r < 0) {
			snprintf(recovery->error, recovery->error_size, "making ring-%u of %llu bytes: %s", shard,
			         (unsigned long long)audit->ring_bytes, strerror(-r));
			return r;
		}
		if (atomic_load(&audit->ring[shard].ring->head) > recovery->position[shard])
			recovery->position[shard] = atomic_load(&audit->ring[shard].ring->head);
	}
	return 0;
}

static int begin_run(struct recovery *recovery)
{
	struct audit *audit = recovery->audit;
	uint64_t run, connection;
	int r = store_highest(audit->store, &run, &connection);

	if (r < 0)
		return failed(recovery, r);
	if (recovery->highest_run > run)
		run = recovery->highest_run;
	if (recovery->highest_connection > connection)
		connection = recovery->highest_connection;
	audit->run.id = run + 1;
	audit->owner.run_id = run + 1;
	audit->owner.first_connection_id = connection + 1;
	r = store_begin(audit->store);
	if (r == 0)
		r = audit_store_run(audit);
	for (unsigned shard = 0; shard < audit->shards && r == 0; shard++)
		r = store_set_position(audit->store, audit->run.id, shard, recovery->position[shard], 0);
	if (r == 0)
		r = store_commit(audit->store, NULL);
	if (r < 0) {
		store_rollback(audit->store);
		return failed(recovery, r);
	}
	for (unsigned shard = 0; shard < audit->shards; shard++)
		ring_file_begin(&audit->ring[shard], &audit->owner, recovery->position[shard]);
	for (unsigned shard = audit->shards; shard < AUDIT_SHARDS_MAX; shard++)
		if (recovery->old[shard].header != NULL)
			ring_file_remove(audit->state_directory, shard);
	return 0;
}

int audit_recover(struct audit *audit, char *error, size_t error_size)
{
	struct recovery *recovery = calloc(1, sizeof(*recovery));
	int r;

	if (recovery == NULL) {
		snprintf(error, error_size, "out of memory");
		return -ENOMEM;
	}
	audit->status.recovered = audit->status.crash_closed = audit->status.lost = 0;
	audit->status.transitions = audit->status.connections = 0;
	recovery->audit = audit;
	recovery->error = error;
	recovery->error_size = error_size;
	r = open_old_rings(recovery);
	for (unsigned shard = 0; shard < AUDIT_SHARDS_MAX && r == 0; shard++)
		if (recovery->old[shard].header != NULL)
			r = recover_ring(recovery, &recovery->old[shard]);
	if (r == 0)
		r = close_old_runs(recovery);
	if (r == 0)
		r = take_rings(recovery);
	if (r == 0)
		r = begin_run(recovery);
	for (unsigned shard = 0; shard < AUDIT_SHARDS_MAX; shard++)
		ring_file_close(&recovery->old[shard]);
	if (r < 0)
		for (unsigned shard = 0; shard < audit->shards; shard++)
			ring_file_close(&audit->ring[shard]);
	free(recovery);
	return r;
}
