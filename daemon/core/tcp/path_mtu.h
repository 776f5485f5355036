#pragma once
/* The path's MTU as a connection sees it: what ICMP reports do to it (RFC 1191, RFC 8201, with the checks of RFC 5927
 * section 7), black holes (RFC 2923), and probing (RFC 4821). What was learned is shared through the path cache
 * (core/net/path.h). Part of engine.h. */
#include "core/base/seq.h"
#include "core/base/time.h"

#include <stdbool.h>
#include <stdint.h>

struct stack;
struct conn;
struct sent_news;

/* Of a connection with something to send: in its send queue. */
struct path_sending {
	uint64_t path;           /* handle of the path's record; stale or 0: to be looked up */
	struct instant check_at; /* the path is looked at again, and perhaps a probe sent */
	seq_t probe_at;          /* the probe in flight, valid while probe_bytes > 0: [probe_at, + probe_bytes) */
	uint32_t probe_bytes;
	uint16_t probe_size; /* of its IP packet */
	bool has_full;       /* a full segment is in flight up to full_end: its ACK proves the size */
	seq_t full_end;
};

/* Of a connection in trouble: outlives the send queue. */
struct path_trouble {
	seq_t told_at;       /* a router's report waits: it quoted this sequence number */
	uint16_t told;       /* and named this size; 0: none waits */
	uint16_t black_hole; /* smaller segments are tried since time-outs made us suspect one: the size before; 0: no
	                      */
	seq_t black_hole_at; /* SND.UNA at that moment */
	uint8_t black_hole_backoff;
};

/* The largest IP packet the connection may send now, by its tunables and what is known of the path. */
uint16_t path_mtu(const struct stack *stack, const struct conn *conn);

/* TCP payload, options included, of the largest packet. */
uint16_t path_payload_max(const struct stack *stack, const struct conn *conn);

/* Payload of a full segment in packets of `mtu` bytes, within the peer's MSS; options deducted. */
uint16_t path_mss(const struct stack *stack, const struct conn *conn, uint16_t mtu);

/* The handshake is complete: conn->mss gets its first value. */
void path_begin(struct stack *stack, struct conn *conn);

/* New data is about to be sent: time to look at the path again, perhaps with other segment sizes from now on. False:
 * nothing goes out now, for the windows are to open until a probe fits them. Else *ret_payload is the payload of the
 * one segment that is to go out as a probe; 0: none. `queued`: bytes that wait. */
bool path_probe(struct stack *stack, struct conn *conn, uint32_t queued, uint32_t *ret_payload);
/* It did: at `at`. */
void path_probe_sent(struct stack *stack, struct conn *conn, seq_t at, uint32_t bytes);
/* What lies at `at` is sent again, for whatever reason: if that was the probe, its ACK proves nothing any more. */
void path_resent(struct stack *stack, struct conn *conn, seq_t at);
/* A full segment of ordinary size went out, ending at `end`. */
void path_full_sent(struct conn *conn, seq_t end);

/* ACKs and SACKs have been noted, and losses marked: for the probe's fate, before anybody reacts to these losses.
 * What was lost for its size alone is taken out of news->lost_bytes. */
void path_acked(struct stack *stack, struct conn *conn, struct sent_news *news);

/* The retransmission timer went off; backed off already. */
void path_timeout(struct stack *stack, struct conn *conn);

/* A router said that the packet with the segment `seq`, which is in flight, was too big: its next hop takes `mtu` (0:
 * it did not say). `size`: of that packet, as quoted. */
void path_too_big(struct stack *stack, struct conn *conn, seq_t seq, uint32_t mtu, uint32_t size);
