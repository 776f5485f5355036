#pragma once
/* A relay joins each accepted connection to a local server and carries bytes, ends and resets across, both ways.
 * Private to this folder.
 *
 *   peer  <- stack -> conn | relay_conn | fd <- kernel -> server
 *
 * Nothing is buffered here. Peer to server: sendmsg straight from the spans of stack_peek; what the server does not
 * take stays unread in the stack, and so the peer's window closes. Server to peer: readv straight into the spans of
 * stack_space; when there is no room the descriptor is not read, and so the server's socket fills up.
 *
 * A relay_conn lives from READY_ACCEPTED until relay_conn_close or relay_conn_abort; a function below that returns
 * false has come to one of these. */
#include "services/service.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

/* What one callback moves at most in one direction before others get their turn. */
#define RELAY_TURN_BYTES (256 * 1024)

/* The first read from a server asks for this much room, later ones for up to RELAY_TURN_BYTES. */
#define RELAY_ASK_BYTES 16384

/* How long to wait before connecting again to a unix socket whose queue is full: the kernel doesn't tell. */
#define RELAY_AGAIN DURATION_MS(5)

#define PROXY_HEADER_MAX 52

enum relay_phase {
	RELAY_WAITING,    /* the unix socket's queue is full: connect is tried again */
	RELAY_CONNECTING, /* the kernel's handshake runs */
	RELAY_OPEN,
};

TAILQ_HEAD(relay_queue, relay_conn);

struct relay_conn {
	TAILQ_ENTRY(relay_conn) link;
	struct relay_queue *queue; /* the one it is in; NULL: none */
	struct relay *relay;
	struct conn_handle conn;
	struct event readable, writable; /* of fd, both persistent, added only while wanted */
	struct instant moved;            /* when it was accepted; once open, when something last moved */
	int fd;
	uint32_t ask;           /* bytes of room for the next read */
	uint8_t phase;          /* enum relay_phase */
	bool reading, writing;  /* readable, writable is added */
	bool peer_done;         /* the peer's end has been passed to the server */
	bool server_done;       /* the server's end has been passed to the peer */
	bool all_sent;          /* and the peer has acknowledged it */
	bool server_deaf;       /* the server reads no more: what the peer sends is thrown away */
	bool server_reset;      /* and its end is a reset */
	uint8_t header_length;  /* of the PROXY header; 0: none */
	uint8_t header_written; /* of it */
	uint8_t header[PROXY_HEADER_MAX];
};

struct relay {
	struct service service;
	/* The http kind: the server is the daemon's own. A connection that it drops is over in the ordinary way, and
	 * it watches over idle time itself, so that ours only runs once a side has ended. */
	bool lenient;
	struct relay_queue waiting, connecting; /* the oldest first */
	struct relay_queue timed;               /* open, under idle_timeout; the one that moved longest ago first */
	struct relay_queue untimed;             /* open, may stay for ever */
	struct event timer;
	struct instant timer_at; /* INSTANT_NEVER: not set */
	bool target_failing;     /* the operator has been told */
};

/* relay.c. The first two free the connection. */
/* Lets go of both sides in an orderly way: FIN to the peer. */
void relay_conn_close(struct relay_conn *c);
/* The peer is reset, the server's side is closed. */
void relay_conn_abort(struct relay_conn *c);
/* Bytes have moved or an end was passed on: idle time starts again. */
void relay_touch(struct relay_conn *c);
/* Into the queue of its phase, at the end, with the timer set for it. */
void relay_enqueue(struct relay_conn *c);
void relay_dequeue(struct relay_conn *c);

/* relay_connect.c */
/* Begins to connect; the outcome may already be there when it returns, and the connection gone. */
void relay_connect(struct relay_conn *c);
/* Tries again for those that wait because the target's queue was full. */
void relay_connect_again(struct relay *relay);
/* Gives up: counts it, and resets the peer. `error` is an errno. */
void relay_connect_failed(struct relay_conn *c, int error);

/* relay_flow.c. False: the connection is gone. */
bool relay_to_server(struct relay_conn *c);
bool relay_to_peer(struct relay_conn *c);
/* The peer has acknowledged everything, and the server's end too. */
bool relay_sent(struct relay_conn *c);
void relay_want_read(struct relay_conn *c, bool want);
void relay_want_write(struct relay_conn *c, bool want);

/* relay_proxy.c */
/* The PROXY protocol's version 2 header for a connection that `flow.remote` opened to `flow.local`. Returns its
 * length. */
size_t proxy_header(const struct flow *flow, uint8_t header[PROXY_HEADER_MAX]);
