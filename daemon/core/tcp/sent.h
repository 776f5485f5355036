#pragma once
/* What is in flight: the list of sent ranges between SND.UNA and SND.NXT, which is also the SACK scoreboard of RFC
 * 6675 and the record of transmission times that RACK (RFC 8985) judges by. One entry per frame sent (up to 64 KiB),
 * split where the peer's reports or a retransmission cut it; neighbours that are both SACKed become one.
 *
 * An entry is on up to two lists. All are on the list by sequence (a skip list, so that a SACK block is found in
 * logarithmic time, wherever it points). What is believed to be in the network is on the list by time of
 * transmission; what is to be sent again is on the list of the lost; what is SACKed is on neither.
 *
 * Work: an ACK costs what it newly reports, plus a logarithm for each block. A range that was SACKed before is one
 * entry, so that telling it again costs nothing; loss detection by time looks at what it marks and one entry more.
 *
 * Invariants: entries are sorted, touch each other, cover exactly [SND.UNA, SND.NXT); the byte sums in the head agree
 * with the entries' flags; an entry is never SACKED and LOST at once; RETRANSMITTED means: lost, and sent again
 * since; no two neighbours are SACKED. */
#include "core/base/pool.h"
#include "core/base/seq.h"
#include "core/base/time.h"
#include "core/tcp/rate.h"

#include <stdbool.h>

enum sent_flag {
	SENT_SACKED = 1,
	SENT_LOST = 2,
	SENT_RETRANSMITTED = 4,      /* sent again since it was marked lost */
	SENT_EVER_RETRANSMITTED = 8, /* Karn: no RTT sample from it */
};

#define SENT_SKIPS 3 /* levels of the list by sequence above the lowest; each holds one in eight of the one below */

struct sent {
	struct pool_head head;
	struct sent *next;             /* by sequence */
	struct sent *skip[SENT_SKIPS]; /* by sequence: farther on */
	struct sent *before, *after;   /* on the list by time, or of the lost */
	seq_t start, end;
	struct instant at;         /* of the latest transmission */
	struct rate_snapshot rate; /* taken then */
	uint32_t flags;
	uint32_t skips; /* levels it is on, besides the lowest */
};

struct sent_list {
	struct sent *first, *last;
};

struct sent_queue {
	struct sent *first, *last;
	struct sent *skip_first[SENT_SKIPS], *skip_last[SENT_SKIPS];
	struct sent_list flight; /* in the network as far as is known, in order of `at` */
	struct sent_list lost;   /* lost and not sent again, mostly in sequence: the lowest is first */
	uint32_t count, serial;
	uint32_t sacked_bytes;
	uint32_t lost_bytes;    /* LOST, sent again or not */
	uint32_t resent_bytes;  /* LOST and sent again */
	uint32_t reneged_bytes; /* had been SACKed, and the peer has thrown them away; so far */
	seq_t sacked_end;       /* highest SACKed sequence number; valid when sacked_bytes > 0 */
};

/* What an ACK told. All zero, but for what the caller gives, when it begins. */
struct sent_news {
	/* Given by the caller: the ACK of something sent again later than this must be that of an earlier
	 * transmission, and says nothing about the time of the latest (RFC 8985 section 6.2 step 2). */
	struct instant resent_before;
	/* Also given by the caller: told of each entry before it is marked lost; NULL: nobody is. It must leave the
	 * queue alone. */
	void (*on_lost)(void *witness, const struct sent *entry);
	void *witness;

	uint32_t acked_bytes;     /* newly, cumulatively */
	uint32_t sacked_bytes;    /* newly, by SACK */
	uint32_t delivered_bytes; /* newly known to have arrived */
	uint32_t lost_bytes;      /* newly marked lost */
	uint32_t lost_again;      /* entries among these that had been sent again already */
	struct instant sample_at; /* when the latest never-retransmitted, newly arrived entry was sent */
	bool has_sample;
	bool acked_resent; /* among what was acknowledged cumulatively is something sent more than once */
	bool has_newest, has_fresh;
	struct instant newest_at; /* what newly arrived and was sent last: when, and where it ends */
	seq_t newest_end;
	struct rate_snapshot rate; /* of what newly arrived and was sent last, valid with has_rate */
	struct instant rate_sent_at;
	seq_t rate_end;
	bool has_rate, rate_resent;
	seq_t fresh_end; /* of what newly arrived and was sent once only: the lowest end */
};

/* Was the first sent after the second? Of what was sent at the same time the sequence decides (RFC 8985 section 6.2).
 */
static inline bool sent_after(struct instant at, seq_t end, struct instant other_at, seq_t other_end)
{
	return instant_before(other_at, at) || (at.ns == other_at.ns && seq_gt(end, other_end));
}

/* [start, end) was sent at `at`, end of the queue. False: no memory; then nothing must be sent. */
bool sent_append(struct sent_queue *queue, struct pool *pool, seq_t start, seq_t end, struct instant at);

/* Everything before `una` has been acknowledged. */
void sent_acked(struct sent_queue *queue, struct pool *pool, seq_t una, struct sent_news *news);

/* The peer holds [start, end). Splits entries as needed; a split that finds no memory, or that only a peer bent on
 * shredding the list can ask for, leaves that entry unmarked. */
void sent_sacked(struct sent_queue *queue, struct pool *pool, seq_t start, seq_t end, struct sent_news *news);

/* RFC 6675 IsLost: marks what has at least `threshold` bytes SACKed above it. Looks at a bounded number of entries.
 */
void sent_mark_lost_below_sacked(struct sent_queue *queue, uint32_t threshold, struct sent_news *news);

/* RFC 8985 section 6.2 step 5: marks what was sent before the segment that was sent at `newest_at` and ended at
 * `newest_end`, and not later than `deadline`. Returns when the next of them was sent; INSTANT_NEVER: there is none.
 */
struct instant sent_mark_lost_by_time(struct sent_queue *queue, struct instant newest_at, seq_t newest_end,
                                      struct instant deadline, struct sent_news *news);

/* Marks the first `length` bytes lost (or again lost): fast retransmit without SACK, partial ACK of RFC 6582. */
void sent_mark_first_lost(struct sent_queue *queue, struct pool *pool, uint32_t length, struct sent_news *news);

/* The retransmission timer went off: the first entry, and all that was sent not later than `deadline` and is not
 * SACKed, is lost and to be sent again; INSTANT_NEVER: all. If the first entry is SACKED the peer has reneged (RFC
 * 2018 section 8): all SACK marks are dropped and all is lost. Returns whether it has. */
bool sent_mark_all_lost(struct sent_queue *queue, struct instant deadline, struct sent_news *news);

/* Segments have become smaller, and what was sent in larger ones did not get through: entries longer than `length`
 * are lost, unless SACKed. */
void sent_mark_longer_lost(struct sent_queue *queue, uint32_t length, struct sent_news *news);

/* It was no loss: nothing is lost any more, all that is not SACKed is in flight. */
void sent_unmark_lost(struct sent_queue *queue);

/* The first of what is lost and not sent again; NULL: none. */
struct sent *sent_next_lost(const struct sent_queue *queue);

/* The first `length` bytes of that entry go out again at `at`; the entry is split when it is longer. False: no memory
 * for the split. */
bool sent_resend(struct sent_queue *queue, struct pool *pool, struct sent *entry, uint32_t length, struct instant at);

/* The last `length` bytes of the queue as an entry of their own; NULL: no memory for the split, or they are SACKed or
 * lost. */
struct sent *sent_tail(struct sent_queue *queue, struct pool *pool, uint32_t length);

/* An entry that is not lost goes out once more at `at`: a probe. */
void sent_probe(struct sent_queue *queue, struct sent *entry, struct instant at);

/* Frees all entries. */
void sent_clear(struct sent_queue *queue, struct pool *pool);
