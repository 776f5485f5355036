#pragma once
/* The socket part of core/stack.h over plain memory, for tests of what sits on it: link it instead of the core. The
 * test plays the peers. It checks what the contract asks of the caller: spans are used only while they are valid, no
 * more is consumed or committed than was there, a handle is let go of once. */
#include "core/stack.h"

#define FAKE_CONNS_MAX 512

struct fake_conn {
	struct stack *stack;
	struct conn_handle handle;
	struct stack_conn_info info; /* what stack_info answers */
	uint64_t user;
	uint16_t service;
	uint32_t pending; /* ready flags not yet reported */
	uint16_t cause;

	uint8_t *in; /* sent by the peer, unread */
	size_t in_length, in_capacity;
	bool in_eof;
	uint8_t *out; /* sent by the service, not taken by the peer */
	size_t out_length, out_capacity;
	size_t room;           /* most bytes in `out`; SIZE_MAX: no limit */
	size_t offered;        /* by the last stack_space, to be committed at most */
	bool wants_room, dead; /* dead: reset or timed out */

	struct stack_soft_error soft_error;
	size_t in_urgent;  /* bytes from the first unread one on that are urgent */
	size_t out_urgent; /* end of what was marked urgent, in all that was ever sent */
	size_t out_total;  /* ever sent */

	bool shut, closed, aborted; /* by the service; closed: with FIN, aborted: with RST */
	bool unread_at_close;
	bool admin_shut; /* the direction to the peer was closed by fake_admin_closes */
};

/* How finely data is cut into spans; 0: as one piece. Holds for all connections. */
struct stack *fake_stack_new(size_t in_span, size_t out_span);
void fake_stack_free(struct stack *stack);
size_t fake_stack_open(const struct stack *stack); /* handles not yet let go of */

struct fake_conn *fake_accept(struct stack *stack, uint16_t service);
void fake_peer_sends(struct fake_conn *conn, const void *bytes, size_t length);
/* All that was sent and not read is urgent. */
void fake_peer_urges(struct fake_conn *conn);
/* TCP gives notice (R1), and of an ICMP error that ended nothing. */
void fake_tells_trouble(struct fake_conn *conn);
void fake_tells_soft_error(struct fake_conn *conn, uint8_t type, uint8_t code);
void fake_peer_closes(struct fake_conn *conn);
void fake_peer_resets(struct fake_conn *conn, enum tcp_cause cause);
/* The peer takes and acknowledges up to `length` bytes of what was sent, and the end when nothing is left; returns
 * how many bytes. `bytes` may be NULL. */
size_t fake_peer_reads(struct fake_conn *conn, void *bytes, size_t length);
/* As stack_admin_close without abort: FIN to the peer, and nobody tells the service. */
void fake_admin_closes(struct fake_conn *conn);
void fake_set_room(struct fake_conn *conn, size_t room);
