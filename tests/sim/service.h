#pragma once
/* What runs on the hosts: endpoints of connections, each with a plan of its own: how much it sends, how fast it
 * reads, how it ends. What is sent is a pattern made from the sender's ISS, its port and the position in the stream;
 * the other end checks every byte. */
#include "host.h"

enum ending {
	END_SHUTDOWN,    /* FIN after the last byte, read to the end, close */
	END_AFTER_PEER,  /* FIN only when the peer has closed its direction */
	END_CLOSE,       /* close after the last byte, whatever is unread */
	END_CLOSE_EARLY, /* close at a point of time */
	END_ABORT,       /* RST at a point of time */
	ENDINGS
};

struct plan {
	uint64_t send_bytes;
	uint32_t write_max, read_max; /* a step */
	struct duration write_pause, read_pause;
	struct duration read_delay; /* before the first byte is read */
	struct duration end_delay;  /* END_CLOSE_EARLY, END_ABORT; or how long the handle is kept when all is done */
	enum ending ending;
	bool spills; /* now and then asks for room and does not use it */
};

struct endpoint {
	struct endpoint *next;
	struct host *host;
	struct conn_handle handle;
	struct plan plan;
	struct flow flow;
	uint64_t id;
	uint32_t iss, irs;  /* irs: as the peer has it, whatever a middlebox made of it */
	bool active, known; /* known: irs is valid */
	bool may_read, may_write, shut, eof, failed, done;
	uint16_t cause; /* of a failure */
	uint64_t sent, received;
	struct instant read_at, write_at, end_at;
};

/* What the sender with this ISS and these ports sends at a position of its stream. */
static inline uint64_t stream_key(uint32_t iss, uint16_t port, uint16_t peer_port)
{
	return ((uint64_t)iss << 32 | (uint64_t)port << 16 | peer_port) * 0x9e3779b97f4a7c15u;
}

static inline uint8_t stream_pattern(uint64_t key, uint64_t position)
{
	uint64_t word = (key ^ position >> 3) * 0xbf58476d1ce4e5b9u;

	return (uint8_t)((word ^ word >> 31) >> (position & 7) * 8);
}

/* A plan at random: `scale` bytes are many. */
struct plan plan_random(struct sim *sim, uint32_t scale);

/* Opens a connection and adds its endpoint; NULL: the stack refused. */
struct endpoint *service_connect(struct host *host, const struct stack_connect_options *options,
                                 const struct plan *plan);

void services_wake(struct host *host);
void services_ready(struct host *host, const struct stack_ready *ready);
struct instant services_due(const struct host *host);
/* Is the handle of a dead connection still held? */
bool services_hold_dead(const struct host *host);
/* Harm is over: everybody reads, finishes what it had to send, and closes. */
void services_finish(struct host *host);
/* Closes all that is still open. */
void services_close(struct host *host);
void services_end(struct host *host);
/* The endpoint at the other end, of those behind `after` (NULL: the first); NULL: there is none. There may be more
 * than one: a late segment can bring a SYN cookie back once more when the connection that it made is over. */
struct endpoint *endpoint_peer(const struct endpoint *endpoint, const struct endpoint *after, struct host *hosts,
                               uint32_t count);
