#pragma once
/* TCP Fast Open (RFC 7413): data in the SYN, from a peer that proves with a cookie that it has been at its address
 * before. Part of engine.h. */
#include "core/base/seq.h"
#include "core/base/time.h"

#include <stdbool.h>
#include <stdint.h>

struct stack;
struct conn;
struct listener;
struct arrival;
struct tcp_agreed;
struct tcp_segment;
struct tcp_options;
struct flow;

#define FASTOPEN_COOKIE_BYTES 8 /* of ours */

/* Of a connection (conn_extra.fastopen). */
enum fastopen_flag {
	FASTOPEN_ASKED = 1,    /* our SYN asked for a cookie */
	FASTOPEN_SENT = 2,     /* our SYN brought one */
	FASTOPEN_ACCEPTED = 4, /* the data of the SYN was taken: by the peer, or here */
	FASTOPEN_REFUSED = 8,  /* it was not, and had to be sent again */
	FASTOPEN_PENDING = 16, /* opened by the peer's cookie; its ACK of our SYN has not come yet */
	FASTOPEN_GIVES = 32,   /* our SYN-ACK brings a new cookie */
};

/* What section 5.1 limits. Connections that were reset before they were complete count for a while longer: else
 * whoever stole a cookie, and lets the owner of the address send the resets, would meet no limit. */
struct fastopen_pending {
	uint32_t count;    /* connections with FASTOPEN_PENDING */
	uint32_t reset[2]; /* of them: in this half minute and the one before */
	uint64_t epoch;    /* number of this half minute */
};

/* ---- the side that is opened ----------------------------------------------------------------------------------- */

/* A SYN that a half-open record would be made for. CONTINUE: make it, and let its SYN-ACK bring a cookie if
 * *ret_give. Else a connection has come to be, in SYN-RECEIVED with the SYN's data for the service. */
int fastopen_arrives(struct stack *stack, struct listener *listener, const struct arrival *in,
                     const struct tcp_agreed *agreed, seq_t iss, bool *ret_give);
/* Was it opened so, and is the handshake not complete yet? */
bool fastopen_is_pending(const struct conn *conn);
/* The handshake is complete. */
void fastopen_completed(struct stack *stack, struct conn *conn);
/* The connection ends, with an enum tcp_cause. */
void fastopen_over(struct stack *stack, struct conn *conn, unsigned cause);
/* Puts a cookie for `client` into the options of a SYN-ACK. */
void fastopen_give(const struct stack *stack, const struct flow *flow, struct tcp_options *options);

/* ---- the side that opens --------------------------------------------------------------------------------------- */

/* How many of the queued bytes our first SYN brings. */
uint32_t fastopen_syn_bytes(struct stack *stack, struct conn *conn);
/* Its option: a cookie, or the wish for one. */
void fastopen_fill_syn(struct stack *stack, struct conn *conn, struct tcp_options *options);
/* Is data of our SYN in flight? */
bool fastopen_in_flight(const struct conn *conn);
/* No answer came: from now on the SYN is an ordinary one. */
void fastopen_timeout(struct stack *stack, struct conn *conn);
/* The SYN-ACK, which has been noted in the queue of what is in flight: SND.UNA is past the SYN. */
void fastopen_answered(struct stack *stack, struct conn *conn, const struct tcp_segment *syn_ack);
