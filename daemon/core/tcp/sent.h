#pragma once
/* What is in flight: the list of sent ranges between SND.UNA and SND.NXT, which is also the SACK scoreboard of RFC
 * 6675. One entry per frame sent (up to 64 KiB), split where the peer's reports or a retransmission cut it.
 *
 * Invariants: entries are sorted, touch each other, cover exactly [SND.UNA, SND.NXT); the byte sums in the head agree
 * with the entries' flags; an entry is never SACKED and LOST at once; RETRANSMITTED means: lost, and sent again
 * since. */
#include "core/base/pool.h"
#include "core/base/seq.h"
#include "core/base/time.h"

#include <stdbool.h>

enum sent_flag {
	SENT_SACKED = 1,
	SENT_LOST = 2,
	SENT_RETRANSMITTED = 4,      /* sent again since it was marked lost */
	SENT_EVER_RETRANSMITTED = 8, /* Karn: no RTT sample from it */
};

struct sent {
	struct pool_head head;
	struct sent *next;
	seq_t start, end;
	struct instant at; /* of the latest transmission */
	uint32_t flags;
};

struct sent_queue {
	struct sent *first, *last;
	struct sent *hint; /* no lost and unsent entry lies before it; NULL: none at all */
	uint32_t count;
	uint32_t sacked_bytes;
	uint32_t lost_bytes;   /* LOST, sent again or not */
	uint32_t resent_bytes; /* LOST and sent again */
	seq_t sacked_end;      /* highest SACKed sequence number; valid when sacked_bytes > 0 */
};

/* What an ACK told. */
struct sent_news {
	uint32_t acked_bytes;     /* newly, cumulatively */
	uint32_t sacked_bytes;    /* newly, by SACK */
	uint32_t delivered_bytes; /* newly known to have arrived */
	uint32_t lost_bytes;      /* newly marked lost */
	struct instant sample_at; /* when the latest never-retransmitted, newly arrived entry was sent */
	bool has_sample;
	bool acked_resent; /* among what was acknowledged cumulatively is something sent more than once */
};

/* [start, end) was sent at `at`, end of the queue. False: no memory; then nothing must be sent. */
bool sent_append(struct sent_queue *queue, struct pool *pool, seq_t start, seq_t end, struct instant at);

/* Everything before `una` has been acknowledged. */
void sent_acked(struct sent_queue *queue, struct pool *pool, seq_t una, struct sent_news *news);

/* The peer holds [start, end). Splits entries as needed; a split that finds no memory, or that only a peer bent on
 * shredding the list can ask for, leaves that entry unmarked. */
void sent_sacked(struct sent_queue *queue, struct pool *pool, seq_t start, seq_t end, struct sent_news *news);

/* RFC 6675 IsLost: marks what has at least `threshold` bytes SACKed above it. */
void sent_mark_lost_below_sacked(struct sent_queue *queue, uint32_t threshold, struct sent_news *news);

/* Marks the first `length` bytes lost (or again lost): fast retransmit without SACK, partial ACK of RFC 6582. */
void sent_mark_first_lost(struct sent_queue *queue, struct pool *pool, uint32_t length, struct sent_news *news);

/* The retransmission timer went off: all that is not SACKed is lost, and to be sent again. If the first entry is
 * SACKED the peer has reneged (RFC 2018 section 8), and all SACK marks are dropped. */
void sent_mark_all_lost(struct sent_queue *queue, struct sent_news *news);

/* The first entry that is lost and not sent again; NULL: none. */
struct sent *sent_next_lost(struct sent_queue *queue);

/* The first `length` bytes of that entry go out again at `at`; the entry is split when it is longer. False: no memory
 * for the split. */
bool sent_resend(struct sent_queue *queue, struct pool *pool, struct sent *entry, uint32_t length, struct instant at);

/* Frees all entries. */
void sent_clear(struct sent_queue *queue, struct pool *pool);
