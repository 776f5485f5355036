#include "audit/rows.h"

#include "core/tcp/state.h"

#include <stdlib.h>
#include <string.h>

/* ---- grouping ------------------------------------------------------------------------------------------------ */

#define NONE UINT32_MAX

struct batch *batch_new(size_t records_max)
{
	struct batch *batch = calloc(1, sizeof(*batch));
	size_t slots = 1;

	if (batch == NULL)
		return NULL;
	while (slots < 2 * records_max)
		slots *= 2;
	batch->records_max = records_max;
	batch->group = calloc(records_max, sizeof(*batch->group));
	batch->ordered = calloc(records_max, sizeof(*batch->ordered));
	batch->next = calloc(records_max, sizeof(*batch->next));
	batch->slot = calloc(slots, sizeof(*batch->slot));
	if (batch->group == NULL || batch->ordered == NULL || batch->next == NULL || batch->slot == NULL) {
		batch_free(batch);
		return NULL;
	}
	return batch;
}

void batch_free(struct batch *batch)
{
	if (batch == NULL)
		return;
	free(batch->group);
	free(batch->ordered);
	free(batch->next);
	free(batch->slot);
	free(batch);
}

static bool sensible(const struct journal_record *record)
{
	return record->connection_id > 0 && record->connection_id <= AUDIT_CONNECTION_ID_MAX &&
	       record->index <= AUDIT_INDEX_MAX && record->from < TCPS_STATE_COUNT && record->to < TCPS_STATE_COUNT;
}

static bool is_closing_state(unsigned state)
{
	return state != TCPS_LISTEN && state != TCPS_SYN_SENT && state != TCPS_SYN_RECEIVED &&
	       state != TCPS_ESTABLISHED;
}

static struct group *find_group(struct batch *batch, uint64_t id, uint32_t slot_mask)
{
	/* Ids are given out in sequence; the multiplier spreads steps that are powers of two. */
	uint32_t slot = (uint32_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & slot_mask;

	while (batch->slot[slot] != NONE) {
		if (batch->group[batch->slot[slot]].id == id)
			return &batch->group[batch->slot[slot]];
		slot = (slot + 1) & slot_mask;
	}
	batch->slot[slot] = batch->group_count;
	batch->group[batch->group_count] = (struct group){ .id = id, .head = NONE };
	return &batch->group[batch->group_count++];
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct group *)a)->id, y = ((const struct group *)b)->id;

	return x < y ? -1 : x > y;
}

/* Rising keys are what a B-tree takes cheapest. New connections come in that order by themselves, one shard at a
 * time. */
static void sort_groups(struct batch *batch)
{
	for (uint32_t i = 1; i < batch->group_count; i++) {
		if (batch->group[i - 1].id > batch->group[i].id) {
			qsort(batch->group, batch->group_count, sizeof(*batch->group), by_id);
			return;
		}
	}
}

size_t batch_group(struct batch *batch, const struct journal_record *const *records, size_t count)
{
	uint32_t slots = 1;

	while (slots < 2 * count)
		slots *= 2;
	memset(batch->slot, 0xff, slots * sizeof(*batch->slot));
	batch->group_count = 0;
	batch->fresh_count = 0;
	batch->ordered_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct journal_record *record = records[i];
		struct group *group;

		if (!sensible(record))
			continue;
		group = find_group(batch, record->connection_id, slots - 1);
		if (group->head == NONE)
			group->first = record, group->head = i;
		else
			batch->next[group->tail] = i;
		group->tail = i;
		batch->next[i] = NONE;
		group->last = record;
		if (!(record->flags & JOURNAL_COMPACT))
			group->full = record;
		if (group->closing == NULL && is_closing_state(record->to))
			group->closing = record;
	}
	sort_groups(batch);
	for (uint32_t g = 0; g < batch->group_count; g++) {
		struct group *group = &batch->group[g];

		group->fresh = group->first->flags & JOURNAL_FIRST;
		batch->fresh_count += group->fresh;
		for (uint32_t i = group->head; i != NONE; i = batch->next[i])
			batch->ordered[batch->ordered_count++] = records[i];
	}
	return count - batch->ordered_count;
}

/* ---- binding ------------------------------------------------------------------------------------------------- */

static char *put_decimal_byte(char *at, unsigned v)
{
	if (v >= 100)
		*at++ = (char)('0' + v / 100);
	if (v >= 10)
		*at++ = (char)('0' + v / 10 % 10);
	*at++ = (char)('0' + v % 10);
	return at;
}

int format_address(const struct ip_addr *address, char text[INET6_ADDRSTRLEN])
{
	char *at = text;

	if (!ip_addr_is_v4(address)) {
		inet_ntop(AF_INET6, address->b, text, INET6_ADDRSTRLEN);
		return (int)strlen(text);
	}
	for (int i = 12; i < 16; i++) {
		at = put_decimal_byte(at, address->b[i]);
		*at++ = '.';
	}
	*--at = '\0';
	return (int)(at - text);
}

static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
	if (text == NULL)
		sqlite3_bind_null(statement, at);
	else
		sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

/* Values past what SQLite's integers hold, such as a threshold of "infinite", are stored as unknown. */
static void bind_u64(sqlite3_stmt *statement, int at, uint64_t value)
{
	if (value > INT64_MAX)
		sqlite3_bind_null(statement, at);
	else
		sqlite3_bind_int64(statement, at, (sqlite3_int64)value);
}

static void bind_known(sqlite3_stmt *statement, int at, bool known, uint64_t value)
{
	bind_u64(statement, at, known ? value : UINT64_MAX);
}

static const char *speaker(unsigned value)
{
	return value == SPEAKER_LOCAL ? "local" : value == SPEAKER_PEER ? "peer" : NULL;
}

void bind_transition(sqlite3_stmt *statement, int before, const struct run *run, const struct journal_record *record)
{
	bool full = !(record->flags & JOURNAL_COMPACT);
	int at = before;

	sqlite3_bind_int64(statement, ++at,
	                   (sqlite3_int64)(record->connection_id << AUDIT_INDEX_BITS | record->index));
	sqlite3_bind_int64(statement, ++at, record->time_ns + run->wall_offset_ns);
	sqlite3_bind_int64(statement, ++at, record->from);
	sqlite3_bind_int64(statement, ++at, record->to);
	sqlite3_bind_int64(statement, ++at, record->cause);
	sqlite3_bind_int64(statement, ++at, record->snd_una);
	sqlite3_bind_int64(statement, ++at, record->snd_nxt);
	sqlite3_bind_int64(statement, ++at, record->rcv_nxt);
	bind_known(statement, ++at, full, record->cwnd_bytes);
	bind_known(statement, ++at, full, record->ssthresh_bytes);
	bind_known(statement, ++at, full && record->srtt_ns > 0, (uint64_t)record->srtt_ns);
}

/* The seven columns of counters, from segs_in on. */
static void bind_counters(sqlite3_stmt *statement, int before, const struct journal_record *full)
{
	int at = before;

	if (full == NULL) {
		for (int i = 0; i < 7; i++)
			sqlite3_bind_null(statement, ++at);
		return;
	}
	sqlite3_bind_int64(statement, ++at, full->segs_in);
	sqlite3_bind_int64(statement, ++at, full->segs_out);
	sqlite3_bind_int64(statement, ++at, full->retransmits);
	bind_known(statement, ++at, full->srtt_ns > 0, (uint64_t)full->srtt_ns);
	bind_u64(statement, ++at, full->bytes_received);
	bind_u64(statement, ++at, full->bytes_acked);
	bind_u64(statement, ++at, full->bytes_retransmitted);
}

void bind_connection(sqlite3_stmt *statement, int before, const struct run *run, const struct group *group,
                     struct connection_text *text)
{
	const struct journal_record *first = group->first, *last = group->last;
	const struct journal_record *best = group->full != NULL ? group->full : first;
	int at = before, local_length = format_address(&first->flow.local, text->local);
	int remote_length = format_address(&first->flow.remote, text->remote);

	sqlite3_bind_int64(statement, ++at, (sqlite3_int64)group->id);
	sqlite3_bind_int64(statement, ++at, (sqlite3_int64)run->id);
	sqlite3_bind_int64(statement, ++at, first->shard);
	sqlite3_bind_text(statement, ++at, text->local, local_length, SQLITE_STATIC);
	sqlite3_bind_int64(statement, ++at, first->flow.local_port);
	sqlite3_bind_text(statement, ++at, text->remote, remote_length, SQLITE_STATIC);
	sqlite3_bind_int64(statement, ++at, first->flow.remote_port);
	bind_text(statement, ++at, first->flags & JOURNAL_ACTIVE ? "active" : "passive");
	bind_text(statement, ++at, names_get(&run->name[NAME_SERVICE], first->service));
	bind_text(statement, ++at, names_get(&run->name[NAME_CONGESTION], best->congestion));
	bind_known(statement, ++at, group->fresh, (uint64_t)(first->time_ns + run->wall_offset_ns));
	bind_known(statement, ++at, last->flags & JOURNAL_LAST, (uint64_t)(last->time_ns + run->wall_offset_ns));
	sqlite3_bind_int64(statement, ++at, last->to);
	bind_known(statement, ++at, group->fresh, first->cause);
	bind_known(statement, ++at, group->closing != NULL, group->closing != NULL ? group->closing->cause : 0);
	sqlite3_bind_int64(statement, ++at, last->cause);
	bind_text(statement, ++at, speaker(last->last_speaker));
	bind_known(statement, ++at, last->iss != 0, last->iss);
	bind_known(statement, ++at, last->irs != 0, last->irs);
	bind_counters(statement, at, group->full);
}

void bind_update(sqlite3_stmt *statement, const struct run *run, const struct group *group, bool closes)
{
	const struct journal_record *last = group->last, *full = group->full;

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)group->id);
	sqlite3_bind_int64(statement, 2, last->to);
	bind_known(statement, 3, group->closing != NULL, group->closing != NULL ? group->closing->cause : 0);
	sqlite3_bind_int64(statement, 4, last->cause);
	bind_text(statement, 5, speaker(last->last_speaker));
	bind_text(statement, 6, full != NULL ? names_get(&run->name[NAME_CONGESTION], full->congestion) : NULL);
	bind_known(statement, 7, last->iss != 0, last->iss);
	bind_known(statement, 8, last->irs != 0, last->irs);
	bind_counters(statement, 8, full);
	if (closes)
		sqlite3_bind_int64(statement, 16, last->time_ns + run->wall_offset_ns);
}
