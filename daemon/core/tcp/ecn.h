#pragma once
/* Explicit Congestion Notification of a connection: what the handshake agrees on, what is fed back to the peer, and
 * what the peer's feedback means (RFC 3168; RFC 9768, AccECN). The state is in the connection's extra record, which a
 * connection has when it agreed on ECN (or, in SYN-SENT, never). */
#include "core/tcp/accecn.h"

struct stack;
struct conn;
struct arrival;
struct tcp_agreed;
struct sent_news;
struct stack_tcp_config;
struct tapstack_cc_sample;

enum agreed_ecn { ECN_NONE, ECN_CLASSIC, ECN_ACCURATE }; /* RFC 3168, RFC 9768 */

enum ecn_flag {
	ECN_NO_ECT = 1u << 0,            /* nothing is sent ECN-capable (any more) */
	ECN_IGNORE = 1u << 1,            /* the peer's feedback makes no sense: nothing is made of it */
	ECN_ECHO = 1u << 2,              /* RFC 3168: ECE on every segment until CWR arrives; RFC 8257: on the next */
	ECN_CWR = 1u << 3,               /* RFC 3168: CWR on the next new data */
	ECN_REDUCED = 1u << 4,           /* the window was reduced; not again before `recover` is acknowledged */
	ECN_HANDSHAKE_ACK = 1u << 5,     /* the next pure ACK tells how the SYN-ACK arrived (RFC 9768 3.2.2.1) */
	ECN_SHOW_ACK = 1u << 6,          /* the option goes with the next pure ACK even when nothing is new */
	ECN_SHOW_DATA = 1u << 17,        /* the same for the next data */
	ECN_SHOWN = 1u << 18,            /* an ACK had the option, and nothing has come since */
	ECN_NO_OPTION = 1u << 7,         /* options seem to be what gets our segments lost */
	ECN_OPTION_BELIEVED = 1u << 8,   /* the peer's options come through unharmed */
	ECN_OPTION_IGNORED = 1u << 9,    /* they came through zeroed */
	ECN_AWAITS_HANDSHAKE = 1u << 10, /* the peer's first ACK is about our SYN-ACK */
	ECN_HANDSHAKE_CAME = 1u << 11,   /* the segment in hand is that ACK: its ACE is no counter */
	ECN_FIRST_ACE = 1u << 12,        /* the next ACE field is the first: zero means mangled (RFC 9768 3.2.2.4) */
	ECN_SYN_ACK_CE = 1u << 13,       /* a SYN-ACK marked CE was counted */
	ECN_SEEN_ECT = 1u << 14,         /* the peer sends ECN-capable packets */
	ECN_ROUNDS_OVER = 1u << 15,      /* not everything is marked: marks are credible */
	ECN_FALLEN_BACK = 1u << 16,      /* counted in ecn_fallbacks */
};

struct ecn {
	uint32_t flags;  /* enum ecn_flag */
	seq_t recover;   /* SND.NXT at the last reduction; valid with ECN_REDUCED */
	uint8_t syn_ack; /* enum ip_ecn: how the peer's latest SYN-ACK arrived */
	uint8_t marked_rounds, contradictions, duplicates;
	uint32_t round_bytes, round_ce_bytes; /* delivered, and of it marked, since the round began */
	uint64_t ce_bytes;                    /* in all samples so far */
	uint32_t delivered_ce;                /* packets that arrived at the peer marked CE, as it says */
	struct accecn_receiver receiver;
	struct accecn_sender sender;
};

/* ---- the handshake --------------------------------------------------------------------------------------------- */

/* AE, CWR and ECE of a SYN of ours: fewer the more SYNs stayed without an answer (RFC 3168 6.1.1.1, RFC 9768
 * 3.1.4.1). */
uint16_t ecn_syn_flags(const struct conn *conn);
/* What a SYN of ours is to ask for; kept in `agreed` until the answer comes. */
enum agreed_ecn ecn_offer(const struct conn *conn);
/* What a peer's SYN and our tunables agree on: sets the ECN part of `agreed`. */
void ecn_agree(const struct stack_tcp_config *tcp, const struct arrival *syn, struct tcp_agreed *agreed);
/* The SYN came once more, perhaps with other flags. False: in a way that must reset the connection (RFC 9768 3.1.5).
 */
bool ecn_syn_again(const struct stack_tcp_config *tcp, const struct arrival *syn, struct tcp_agreed *agreed);
/* Flags and option of the SYN-ACK that is sent for the `retransmits`-th time again. */
void ecn_fill_syn_ack(struct tcp_agreed *agreed, unsigned retransmits, bool resent, struct tcp_segment *syn_ack);
/* A connection begins with what its handshake agreed on as the passive side. False: no memory. */
bool ecn_begin_passive(struct stack *stack, struct conn *conn);
/* The handshake of one that sent its SYN-ACK itself is complete: it falls back if that went out without ECN, too. */
void ecn_opened(struct stack *stack, struct conn *conn);
/* The active side: the answer to our SYN arrived. Sets the ECN part of `agreed`. False: no memory; nothing has
 * happened then. */
bool ecn_begin_active(struct stack *stack, struct conn *conn, const struct arrival *answer,
                      struct tcp_agreed *agreed);
/* The answer was taken: a mark on our SYN counts as its loss (RFC 5681 section 3.1). */
void ecn_syn_marked(struct conn *conn, const struct arrival *answer);

/* ---- the receiver of data ----------------------------------------------------------------------------------------
 */

/* A segment arrived that passed the sequence check, with `bytes` of payload (before any was cut off), perhaps with a
 * SYN (that was cut off). */
void ecn_arrived(struct stack *stack, struct conn *conn, const struct arrival *in, uint32_t bytes, bool syn);
/* A segment came with nothing new in it: perhaps our ACK was lost. */
void ecn_duplicate(struct stack *stack, struct conn *conn);
/* Must an ACK go out on its own before any data? */
bool ecn_wants_pure_ack(const struct conn *conn);
/* Flags and option of a segment (no SYN) with `length` bytes of payload, all else of which is filled in. It goes out.
 */
void ecn_fill(struct conn *conn, uint32_t length, bool new_data, struct tcp_segment *segment);
/* Flags of an ACK that is built without all that: of a challenge, of TIME-WAIT. `for_syn_ack`: it answers a SYN-ACK
 * that came again. */
uint16_t ecn_ack_flags(const struct conn *conn, bool for_syn_ack);
/* The peer's SYN-ACK came again. */
void ecn_syn_ack_again(struct conn *conn, const struct arrival *in);

/* ---- the sender of data ------------------------------------------------------------------------------------------
 */

/* The ECN field for new data. */
enum ip_ecn ecn_codepoint(const struct conn *conn);
/* The ECN part of an ACK that delivered something: fills ece and ce_bytes of the sample. Returns whether the window
 * is to be reduced for it (TAPSTACK_CC_ECN). */
bool ecn_feedback(struct stack *stack, struct conn *conn, const struct tcp_segment *segment,
                  const struct sent_news *news, struct tapstack_cc_sample *sample);
/* The window was reduced, for whatever reason. */
void ecn_reduced(struct conn *conn);
/* ... which turned out to be wrong. */
void ecn_reduction_undone(struct conn *conn);
/* The bytes that a super-frame may carry are limited to one segment: cutting it would change its ACE field. */
bool ecn_forbids_super_frames(const struct conn *conn);
