#include "core/tcp/sent.h"

#include "core/base/assert.h"

/* Looks of one ACK at entries for the rule of RFC 6675, which counts from the first: what lies farther is looked at
 * when SND.UNA has moved on. */
#define LOST_WALK_MAX 4096

static uint32_t length_of(const struct sent *entry)
{
	return (uint32_t)seq_diff(entry->end, entry->start);
}

static bool is_sacked(const struct sent *entry)
{
	return entry && (entry->flags & SENT_SACKED);
}

/* ---- the list by sequence -------------------------------------------------------------------------------------- */

/* Level 0 is the list of all. */
static struct sent **next_on(struct sent_queue *queue, struct sent *entry, unsigned level)
{
	if (level == 0)
		return entry ? &entry->next : &queue->first;
	return entry ? &entry->skip[level - 1] : &queue->skip_first[level - 1];
}

static struct sent **last_on(struct sent_queue *queue, unsigned level)
{
	return level == 0 ? &queue->last : &queue->skip_last[level - 1];
}

/* For each level the last entry that starts before `at`; NULL: none does. */
static void find_below(struct sent_queue *queue, seq_t at, struct sent *ret_below[SENT_SKIPS + 1])
{
	struct sent *entry = NULL, *next;

	for (unsigned level = SENT_SKIPS + 1; level-- > 0;) {
		while ((next = *next_on(queue, entry, level)) && seq_lt(next->start, at))
			entry = next;
		ret_below[level] = entry;
	}
}

/* Every eighth entry is on one level more than the others, of these every eighth on two. */
static uint32_t choose_skips(struct sent_queue *queue)
{
	uint32_t skips = (uint32_t)__builtin_ctz(++queue->serial | 1u << 31) / 3;

	return skips < SENT_SKIPS ? skips : SENT_SKIPS;
}

static void link_on(struct sent_queue *queue, struct sent *below, struct sent *entry, unsigned level)
{
	struct sent **place = next_on(queue, below, level);

	*next_on(queue, entry, level) = *place;
	*place = entry;
	if (*last_on(queue, level) == below)
		*last_on(queue, level) = entry;
}

static void unlink_on(struct sent_queue *queue, struct sent *below, struct sent *entry, unsigned level)
{
	CORE_ASSERT(*next_on(queue, below, level) == entry);
	*next_on(queue, below, level) = *next_on(queue, entry, level);
	if (*last_on(queue, level) == entry)
		*last_on(queue, level) = below;
}

/* ---- the list by time, and that of the lost -------------------------------------------------------------------- */

/* The list on which an entry with these flags is; NULL: none. */
static struct sent_list *list_for(struct sent_queue *queue, uint32_t flags)
{
	if (flags & SENT_SACKED)
		return NULL;
	return (flags & (SENT_LOST | SENT_RETRANSMITTED)) == SENT_LOST ? &queue->lost : &queue->flight;
}

/* Puts `entry` behind `place`; NULL: at the front. */
static void list_add(struct sent_list *list, struct sent *place, struct sent *entry)
{
	entry->before = place;
	entry->after = place ? place->after : list->first;
	*(entry->before ? &entry->before->after : &list->first) = entry;
	*(entry->after ? &entry->after->before : &list->last) = entry;
}

static void list_remove(struct sent_list *list, struct sent *entry)
{
	*(entry->before ? &entry->before->after : &list->first) = entry->after;
	*(entry->after ? &entry->after->before : &list->last) = entry->before;
	entry->before = entry->after = NULL;
}

/* ---- sums --------------------------------------------------------------------------------------------------------
 */

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

/* The entry goes to the end of the list that its new flags ask for; on that of the lost the lowest comes first. */
static void set_flags(struct sent_queue *queue, struct sent *entry, uint32_t flags)
{
	struct sent_list *from = list_for(queue, entry->flags), *to = list_for(queue, flags);

	account(queue, entry, -1);
	entry->flags = flags;
	account(queue, entry, +1);
	if (from)
		list_remove(from, entry);
	if (!to)
		return;
	if (to == &queue->lost && to->first && seq_lt(entry->start, to->first->start))
		list_add(to, NULL, entry);
	else
		list_add(to, to->last, entry);
}

/* ---- entries -----------------------------------------------------------------------------------------------------
 */

bool sent_append(struct sent_queue *queue, struct pool *pool, seq_t start, seq_t end, struct instant at)
{
	struct sent *entry = pool_get(pool);

	if (!entry)
		return false;
	entry->start = start;
	entry->end = end;
	entry->at = at;
	entry->skips = choose_skips(queue);
	for (unsigned level = 0; level <= entry->skips; level++)
		link_on(queue, *last_on(queue, level), entry, level);
	list_add(&queue->flight, queue->flight.last, entry);
	queue->count++;
	return true;
}

/* Cuts `entry` at `at`, which lies inside it; the second part becomes the next entry. */
static bool split(struct sent_queue *queue, struct pool *pool, struct sent *entry, seq_t at)
{
	struct sent *below[SENT_SKIPS + 1];
	struct sent *rest = pool_get(pool);
	struct sent_list *list = list_for(queue, entry->flags);

	if (!rest)
		return false;
	rest->start = at;
	rest->end = entry->end;
	rest->at = entry->at;
	rest->rate = entry->rate;
	rest->flags = entry->flags;
	rest->skips = choose_skips(queue);
	if (rest->skips > 0)
		find_below(queue, at, below);
	entry->end = at;
	link_on(queue, entry, rest, 0);
	for (unsigned level = 1; level <= rest->skips; level++)
		link_on(queue, below[level], rest, level);
	if (list)
		list_add(list, entry, rest);
	queue->count++;
	return true;
}

/* `entry` and the one behind it, both SACKed, become one. */
static void merge_next(struct sent_queue *queue, struct pool *pool, struct sent *entry)
{
	struct sent *below[SENT_SKIPS + 1];
	struct sent *next = entry->next;

	if (next->skips > 0)
		find_below(queue, next->start, below);
	unlink_on(queue, entry, next, 0);
	for (unsigned level = 1; level <= next->skips; level++)
		unlink_on(queue, below[level], next, level);
	entry->end = next->end;
	entry->at = instant_max(entry->at, next->at);
	entry->flags |= next->flags & SENT_EVER_RETRANSMITTED;
	queue->count--;
	pool_put(pool, next);
}

static void free_first(struct sent_queue *queue, struct pool *pool)
{
	struct sent *entry = queue->first;
	struct sent_list *list = list_for(queue, entry->flags);

	account(queue, entry, -1);
	if (list)
		list_remove(list, entry);
	for (unsigned level = 0; level <= entry->skips; level++)
		unlink_on(queue, NULL, entry, level);
	queue->count--;
	pool_put(pool, entry);
}

void sent_clear(struct sent_queue *queue, struct pool *pool)
{
	while (queue->first)
		free_first(queue, pool);
	*queue = (struct sent_queue){ 0 };
}

/* ---- what ACKs report
 * ---------------------------------------------------------------------------------------------- */

/* [entry->start, end) has arrived, which was not known before. */
static void note_delivered(const struct sent *entry, seq_t end, struct sent_news *news)
{
	bool resent = entry->flags & SENT_EVER_RETRANSMITTED;

	news->delivered_bytes += (uint32_t)seq_diff(end, entry->start);
	if (!news->has_rate || sent_after(entry->at, end, news->rate_sent_at, news->rate_end)) {
		news->rate = entry->rate;
		news->rate_sent_at = entry->at;
		news->rate_end = end;
		news->rate_resent = resent;
		news->has_rate = true;
	}
	if (!resent && (!news->has_fresh || seq_lt(end, news->fresh_end))) {
		news->fresh_end = end;
		news->has_fresh = true;
	}
	if (resent && instant_before(news->resent_before, entry->at))
		return;
	if (!news->has_newest || sent_after(entry->at, end, news->newest_at, news->newest_end)) {
		news->newest_at = entry->at;
		news->newest_end = end;
		news->has_newest = true;
	}
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
		seq_t end = seq_min(entry->end, una);

		news->acked_bytes += (uint32_t)seq_diff(end, entry->start);
		if (!is_sacked(entry))
			note_delivered(entry, end, news);
		if (seq_lt(end, entry->end)) {
			account(queue, entry, -1);
			entry->start = una;
			account(queue, entry, +1);
			break;
		}
		note_sample(entry, news);
		news->acked_resent |= (entry->flags & SENT_EVER_RETRANSMITTED) != 0;
		free_first(queue, pool);
	}
}

/* Cuts an entry where a SACK block begins or ends. Honest edges lie between segments; a peer that reports crumbs
 * would make the list long and every walk over it slow. */
#define SACK_PIECE_MIN 200
#define SACK_SPLITS_MAX 4096

/* `rest`: all behind `at` is SACKed. That may be as short as it is: the last segment of a frame often is, and what
 * was lost before it would else go unseen. */
static bool split_for_sack(struct sent_queue *queue, struct pool *pool, struct sent *entry, seq_t at, bool rest)
{
	if (queue->count >= SACK_SPLITS_MAX || seq_diff(at, entry->start) < SACK_PIECE_MIN ||
	    (!rest && seq_diff(entry->end, at) < SACK_PIECE_MIN))
		return false;
	return split(queue, pool, entry, at);
}

static void mark_sacked(struct sent_queue *queue, struct sent *entry, struct sent_news *news)
{
	note_sample(entry, news);
	note_delivered(entry, entry->end, news);
	news->sacked_bytes += length_of(entry);
	if (queue->sacked_bytes == 0 || seq_gt(entry->end, queue->sacked_end))
		queue->sacked_end = entry->end;
	set_flags(queue, entry, (entry->flags & SENT_EVER_RETRANSMITTED) | SENT_SACKED);
}

void sent_sacked(struct sent_queue *queue, struct pool *pool, seq_t start, seq_t end, struct sent_news *news)
{
	struct sent *below[SENT_SKIPS + 1];
	struct sent *last, *entry;

	find_below(queue, start, below);
	last = below[0]; /* what was dealt with last */
	if (last && seq_gt(last->end, start) && !is_sacked(last))
		split_for_sack(queue, pool, last, start, seq_leq(last->end, end));
	while ((entry = last ? last->next : queue->first) && seq_lt(entry->start, end)) {
		if (!is_sacked(entry)) {
			if (seq_gt(entry->end, end) && !split_for_sack(queue, pool, entry, end, false))
				break;
			mark_sacked(queue, entry, news);
		}
		if (is_sacked(last))
			merge_next(queue, pool, last);
		else
			last = entry;
	}
	if (is_sacked(last) && is_sacked(last->next))
		merge_next(queue, pool, last);
}

/* ---- losses
 * -------------------------------------------------------------------------------------------------------- */

static void mark_lost(struct sent_queue *queue, struct sent *entry, struct sent_news *news)
{
	if (news->on_lost)
		news->on_lost(news->witness, entry);
	news->lost_bytes += length_of(entry);
	news->lost_again += (entry->flags & SENT_RETRANSMITTED) != 0;
	set_flags(queue, entry, (entry->flags & SENT_EVER_RETRANSMITTED) | SENT_LOST);
}

void sent_mark_lost_below_sacked(struct sent_queue *queue, uint32_t threshold, struct sent_news *news)
{
	uint32_t above = queue->sacked_bytes, looks = 0;
	struct sent *entry;

	for (entry = queue->first; entry && above >= threshold && looks < LOST_WALK_MAX; entry = entry->next) {
		if (is_sacked(entry))
			above -= length_of(entry);
		else if (!(entry->flags & SENT_LOST))
			mark_lost(queue, entry, news);
		looks++;
	}
}

struct instant sent_mark_lost_by_time(struct sent_queue *queue, struct instant newest_at, seq_t newest_end,
                                      struct instant deadline, struct sent_news *news)
{
	struct sent *entry;

	while ((entry = queue->flight.first)) {
		if (!sent_after(newest_at, newest_end, entry->at, entry->end))
			break;
		if (instant_before(deadline, entry->at))
			return entry->at;
		mark_lost(queue, entry, news);
	}
	return INSTANT_NEVER;
}

void sent_mark_first_lost(struct sent_queue *queue, struct pool *pool, uint32_t length, struct sent_news *news)
{
	struct sent *entry = queue->first;

	if (!entry || is_sacked(entry))
		return;
	if (length_of(entry) > length)
		split(queue, pool, entry, seq_add(entry->start, length));
	if (list_for(queue, entry->flags) == &queue->flight)
		mark_lost(queue, entry, news);
}

bool sent_mark_all_lost(struct sent_queue *queue, struct instant deadline, struct sent_news *news)
{
	bool reneged = is_sacked(queue->first);
	struct sent *entry;

	if (reneged)
		queue->reneged_bytes += queue->sacked_bytes;
	queue->lost = (struct sent_list){ 0 }; /* made anew, in sequence */
	for (entry = queue->first; entry; entry = entry->next) {
		bool due = reneged || entry == queue->first || !instant_before(deadline, entry->at);

		if (is_sacked(entry) && !reneged)
			continue;
		if (list_for(queue, entry->flags) == &queue->lost)
			list_add(&queue->lost, queue->lost.last, entry);
		else if (due)
			mark_lost(queue, entry, news);
	}
	return reneged;
}

void sent_mark_longer_lost(struct sent_queue *queue, uint32_t length, struct sent_news *news)
{
	struct sent *entry;

	for (entry = queue->first; entry; entry = entry->next) {
		if (length_of(entry) > length && list_for(queue, entry->flags) == &queue->flight)
			mark_lost(queue, entry, news);
	}
}

void sent_unmark_lost(struct sent_queue *queue)
{
	struct sent *entry;

	for (entry = queue->flight.first; entry; entry = entry->after) {
		account(queue, entry, -1);
		entry->flags &= SENT_EVER_RETRANSMITTED;
		account(queue, entry, +1);
	}
	/* What waited to be sent again was sent before all that is in flight. */
	while ((entry = queue->lost.last)) {
		list_remove(&queue->lost, entry);
		account(queue, entry, -1);
		entry->flags &= SENT_EVER_RETRANSMITTED;
		list_add(&queue->flight, NULL, entry);
	}
}

/* ---- sending again
 * --------------------------------------------------------------------------------------------------- */

struct sent *sent_next_lost(const struct sent_queue *queue)
{
	CORE_ASSERT((queue->lost_bytes == queue->resent_bytes) == !queue->lost.first);
	return queue->lost.first;
}

bool sent_resend(struct sent_queue *queue, struct pool *pool, struct sent *entry, uint32_t length, struct instant at)
{
	if (length_of(entry) > length && !split(queue, pool, entry, seq_add(entry->start, length)))
		return false;
	entry->at = at;
	set_flags(queue, entry, SENT_LOST | SENT_RETRANSMITTED | SENT_EVER_RETRANSMITTED);
	return true;
}

struct sent *sent_tail(struct sent_queue *queue, struct pool *pool, uint32_t length)
{
	struct sent *entry = queue->last;

	if (!entry || (entry->flags & (SENT_SACKED | SENT_LOST)))
		return NULL;
	if (length_of(entry) > length && !split(queue, pool, entry, seq_sub(entry->end, length)))
		return NULL;
	return queue->last;
}

void sent_probe(struct sent_queue *queue, struct sent *entry, struct instant at)
{
	entry->at = at;
	set_flags(queue, entry, entry->flags | SENT_EVER_RETRANSMITTED);
}
