#include "core/tcp/sent.h"

#include "core/base/assert.h"

static uint32_t length_of(const struct sent *entry)
{
	return (uint32_t)seq_diff(entry->end, entry->start);
}

/* Takes an entry's bytes out of (sign -1) or into (sign +1) the sums, by its flags. */
static void account(struct sent_queue *queue, const struct sent *entry, int sign)
{
	uint32_t bytes = (uint32_t)sign * length_of(entry);

	if (entry->flags & SENT_SACKED)
		queue->sacked_bytes += bytes;
	if (entry->flags & SENT_LOST) {
		queue->lost_bytes += bytes;
		if (entry->flags & SENT_RETRANSMITTED)
			queue->resent_bytes += bytes;
	}
}

static void set_flags(struct sent_queue *queue, struct sent *entry, uint32_t flags)
{
	account(queue, entry, -1);
	entry->flags = flags;
	account(queue, entry, +1);
}

bool sent_append(struct sent_queue *queue, struct pool *pool, seq_t start, seq_t end, struct instant at)
{
	struct sent *entry = pool_get(pool);

	if (!entry)
		return false;
	entry->next = NULL;
	entry->start = start;
	entry->end = end;
	entry->at = at;
	entry->flags = 0;
	if (queue->last)
		queue->last->next = entry;
	else
		queue->first = entry;
	queue->last = entry;
	queue->count++;
	return true;
}

/* Cuts `entry` at `at`, which lies inside it; the second part becomes the next entry. */
static bool split(struct sent_queue *queue, struct pool *pool, struct sent *entry, seq_t at)
{
	struct sent *rest = pool_get(pool);

	if (!rest)
		return false;
	rest->next = entry->next;
	rest->start = at;
	rest->end = entry->end;
	rest->at = entry->at;
	rest->flags = entry->flags;
	entry->end = at;
	entry->next = rest;
	if (queue->last == entry)
		queue->last = rest;
	queue->count++;
	return true;
}

static void note_sample(const struct sent *entry, struct sent_news *news)
{
	if (entry->flags & (SENT_EVER_RETRANSMITTED | SENT_SACKED))
		return;
	if (!news->has_sample || instant_before(news->sample_at, entry->at))
		news->sample_at = entry->at;
	news->has_sample = true;
}

void sent_acked(struct sent_queue *queue, struct pool *pool, seq_t una, struct sent_news *news)
{
	struct sent *entry;

	while ((entry = queue->first) && seq_lt(entry->start, una)) {
		bool whole = seq_leq(entry->end, una);
		uint32_t bytes = whole ? length_of(entry) : (uint32_t)seq_diff(una, entry->start);

		news->acked_bytes += bytes;
		if (!(entry->flags & SENT_SACKED))
			news->delivered_bytes += bytes;
		if (!whole) {
			account(queue, entry, -1);
			entry->start = una;
			account(queue, entry, +1);
			break;
		}
		note_sample(entry, news);
		news->acked_resent |= (entry->flags & SENT_EVER_RETRANSMITTED) != 0;
		account(queue, entry, -1);
		if (queue->hint == entry)
			queue->hint = entry->next;
		queue->first = entry->next;
		if (!queue->first)
			queue->last = NULL;
		queue->count--;
		pool_put(pool, entry);
	}
}

/* Cuts an entry where a SACK block begins or ends. Honest edges lie between segments; a peer that reports crumbs
 * would make the list long and every walk over it slow. */
#define SACK_PIECE_MIN 200
#define SACK_SPLITS_MAX 4096

static bool split_for_sack(struct sent_queue *queue, struct pool *pool, struct sent *entry, seq_t at)
{
	if (queue->count >= SACK_SPLITS_MAX || seq_diff(at, entry->start) < SACK_PIECE_MIN ||
	    seq_diff(entry->end, at) < SACK_PIECE_MIN)
		return false;
	return split(queue, pool, entry, at);
}

void sent_sacked(struct sent_queue *queue, struct pool *pool, seq_t start, seq_t end, struct sent_news *news)
{
	struct sent *entry;

	for (entry = queue->first; entry && seq_lt(entry->start, end); entry = entry->next) {
		if (seq_leq(entry->end, start) || (entry->flags & SENT_SACKED))
			continue;
		if (seq_lt(entry->start, start)) {
			split_for_sack(queue, pool, entry, start); /* the part behind is looked at next */
			continue;
		}
		if (seq_gt(entry->end, end) && !split_for_sack(queue, pool, entry, end))
			break;
		note_sample(entry, news);
		news->sacked_bytes += length_of(entry);
		news->delivered_bytes += length_of(entry);
		if (queue->sacked_bytes == 0 || seq_gt(entry->end, queue->sacked_end))
			queue->sacked_end = entry->end;
		set_flags(queue, entry, (entry->flags & SENT_EVER_RETRANSMITTED) | SENT_SACKED);
	}
}

static void mark_lost(struct sent_queue *queue, struct sent *entry, struct sent_news *news)
{
	news->lost_bytes += length_of(entry);
	set_flags(queue, entry, (entry->flags & SENT_EVER_RETRANSMITTED) | SENT_LOST);
	if (!queue->hint || seq_lt(entry->start, queue->hint->start))
		queue->hint = entry;
}

void sent_mark_lost_below_sacked(struct sent_queue *queue, uint32_t threshold, struct sent_news *news)
{
	uint32_t above = queue->sacked_bytes;
	struct sent *entry;

	for (entry = queue->first; entry && above >= threshold; entry = entry->next) {
		if (entry->flags & SENT_SACKED)
			above -= length_of(entry);
		else if (!(entry->flags & SENT_LOST))
			mark_lost(queue, entry, news);
	}
}

void sent_mark_first_lost(struct sent_queue *queue, struct pool *pool, uint32_t length, struct sent_news *news)
{
	struct sent *entry = queue->first;

	if (!entry || (entry->flags & SENT_SACKED))
		return;
	if (length_of(entry) > length)
		split(queue, pool, entry, seq_add(entry->start, length));
	if (!(entry->flags & SENT_LOST) || (entry->flags & SENT_RETRANSMITTED))
		mark_lost(queue, entry, news);
}

void sent_mark_all_lost(struct sent_queue *queue, struct sent_news *news)
{
	bool reneged = queue->first && (queue->first->flags & SENT_SACKED);
	struct sent *entry;

	for (entry = queue->first; entry; entry = entry->next) {
		if ((entry->flags & SENT_SACKED) && !reneged)
			continue;
		if (!(entry->flags & SENT_LOST) || (entry->flags & SENT_RETRANSMITTED))
			mark_lost(queue, entry, news);
	}
	queue->hint = queue->first;
}

struct sent *sent_next_lost(struct sent_queue *queue)
{
	struct sent *entry;

	if (queue->lost_bytes == queue->resent_bytes)
		return NULL;
	for (entry = queue->hint; entry; entry = entry->next) {
		if ((entry->flags & (SENT_LOST | SENT_RETRANSMITTED)) == SENT_LOST) {
			queue->hint = entry;
			return entry;
		}
	}
	CORE_ASSERT(!"sums and flags disagree");
	return NULL;
}

bool sent_resend(struct sent_queue *queue, struct pool *pool, struct sent *entry, uint32_t length, struct instant at)
{
	if (length_of(entry) > length && !split(queue, pool, entry, seq_add(entry->start, length)))
		return false;
	entry->at = at;
	set_flags(queue, entry, SENT_LOST | SENT_RETRANSMITTED | SENT_EVER_RETRANSMITTED);
	return true;
}

void sent_clear(struct sent_queue *queue, struct pool *pool)
{
	struct sent *entry, *next;

	for (entry = queue->first; entry; entry = next) {
		next = entry->next;
		pool_put(pool, entry);
	}
	*queue = (struct sent_queue){ 0 };
}
