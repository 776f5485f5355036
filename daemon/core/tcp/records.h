#pragma once
/* What the machine keeps of a connection. Three kinds of record carry it through its life, each in a pool of its own
 * and all in one flow table: struct half_open (SYN-RECEIVED after a passive open), struct conn (everything else),
 * struct time_wait. What belongs together is in queues and records that exist only while they are needed. */
#include "core/base/assert.h"
#include "core/base/pool.h"
#include "core/base/ranges.h"
#include "core/base/seq.h"
#include "core/base/strip.h"
#include "core/base/wheel.h"
#include "core/stack.h"
#include "core/tcp/chrono.h"
#include "core/tcp/dsack.h"
#include "core/tcp/ecn.h"
#include "core/tcp/fastopen.h"
#include "core/tcp/frto.h"
#include "core/tcp/pacer.h"
#include "core/tcp/path_mtu.h"
#include "core/tcp/prr.h"
#include "core/tcp/rack.h"
#include "core/tcp/rate.h"
#include "core/tcp/rtt.h"
#include "core/tcp/sent.h"
#include "core/tcp/shadow.h"
#include "core/tcp/tlp.h"
#include "core/tcp/undo.h"
#include "core/tcp/validation.h"

enum record_kind { RECORD_CONN, RECORD_HALF_OPEN, RECORD_TIME_WAIT };

/* How every record begins: pool head, five-tuple, next in its hash bucket (a record_ref). */
struct flow_node {
	struct pool_head head;
	struct flow flow;
	uint32_t next;
};

/* Tunables shared by all that have the same ones (profile.c). */
struct profile {
	struct pool_head head;
	uint32_t users;
	struct stack_tcp_config tcp;
};

struct listener {
	struct pool_head head;
	struct stack_listen_options options; /* but tcp: see below */
	const struct stack_tcp_config *tcp;  /* in a profile */
	uint32_t half_open;                  /* records of this listener */
	uint32_t accept_queue;               /* connections reported to nobody yet */
	uint32_t next_slot;                  /* listener on the next port of the same hash bucket */
};

/* Answers that an attacker could provoke at will, counted per record and second (RFC 5961 section 7). A count shared
 * by all would tell one peer about another (CVE-2016-5696). */
struct challenge_limit {
	uint8_t second, count;
};

/* What both ends agreed on at the handshake. */
struct tcp_agreed {
	uint16_t peer_mss;
	uint8_t snd_wscale : 4, rcv_wscale : 4; /* shift of windows we receive, and of windows we send */
	uint8_t ecn : 2;                        /* enum agreed_ecn */
	bool timestamps : 1, sack : 1, window_scaling : 1;
	bool no_ect : 1;     /* flags of the handshake were lost or changed: nothing is sent ECN-capable */
	uint8_t syn_ecn : 2; /* enum ip_ecn: how the peer's latest SYN arrived */
};
_Static_assert(sizeof(struct tcp_agreed) == 4, "it is in every record");

/* SYN-RECEIVED after a passive open (RFC 9293 3.10.7.2), small because anybody can make us hold one. */
struct half_open {
	struct flow_node node;
	struct timer timer; /* retransmission of the SYN-ACK */
	uint64_t id;
	struct instant opened; /* and first SYN-ACK: RTT, unless it had to be sent again */
	seq_t iss, irs;
	uint32_t ts_recent;
	uint32_t listener_slot;
	uint16_t snd_wnd, rcv_wnd; /* of the SYN and of its answer: never scaled */
	struct tcp_agreed agreed;
	uint8_t retransmits, index;
	struct challenge_limit challenges;
	bool fastopen; /* the SYN-ACK brings a Fast Open cookie */
	bool resent;   /* the SYN-ACK went out more than once: no RTT sample from its ACK (Karn) */
};
_Static_assert(sizeof(struct half_open) <= 120, "half-open records must stay small");

struct time_wait {
	struct flow_node node;
	uint32_t newer, older; /* in order of expiry */
	struct instant due;
	uint64_t id;
	seq_t snd_nxt, rcv_nxt;
	uint32_t ts_recent;
	uint16_t window; /* as on the wire */
	uint16_t service, congestion;
	uint16_t ecn_flags;   /* of an ACK: the ACE field of AccECN */
	uint8_t index, flags; /* of the journal */
	struct challenge_limit challenges;
	bool timestamps;
};
_Static_assert(sizeof(struct time_wait) <= 120, "TIME-WAIT records must stay small");

/* Payload that lies in a frame of this turn. */
struct span {
	const uint8_t *bytes;
	uint32_t length;
	struct span *next;
};

/* Receive side of a connection that holds something: unread or out-of-order data.
 * Unread data is [read, rcv_nxt): first strip bytes [read, settled), then the spans [settled, rcv_nxt). */
struct receive_queue {
	struct pool_head head;
	struct strip strip;
	seq_t read;    /* next byte for the service */
	seq_t settled; /* end of the in-order bytes in the strip */
	struct span *first_span, *last_span;
	struct ranges *holes; /* what lies beyond rcv_nxt; NULL: nothing */
	struct conn *settle_next;
	seq_t fin_at; /* of a FIN that arrived ahead of a hole; valid with has_fin */
	bool has_fin;
};

/* Send side of a connection that has something queued or in flight (SYN and FIN included). */
struct send_queue {
	struct pool_head head;
	struct strip strip; /* payload [snd_una, snd_end) */
	struct sent_queue sent;
	seq_t small_end; /* end of the last partial segment sent (Nagle, in Minshall's form); valid with has_small */
	seq_t snd_up;    /* SND.UP: the octet after the urgent data; valid with has_urgent */
	bool has_small, has_urgent;
	struct chrono chrono;  /* of this busy time */
	uint32_t dupack_bytes; /* without SACK: what duplicate ACKs tell has left the network (RFC 5681, 6582) */
	seq_t round_end;       /* the round trip ends when this is acknowledged */
	uint32_t bytes_in_round;
	uint32_t lost_untold; /* marked lost, and not yet in a sample */
	struct path_sending path;
	struct rack rack;
	struct instant reo_due; /* RACK's reordering timer */
	struct instant pto_due; /* TLP's probe time-out */
	struct prr prr;
	struct pacer pacer;
	struct rate_sampler rate;
	struct rate_sample rate_sample; /* the latest */
	enum frto_step frto;
	bool tail_probe; /* is to be sent */
};

/* What losses, reordering and duplicates have taught, and what may have to be taken back. */
struct loss_record {
	struct rack_reordering reordering;
	struct undo undo;
	struct tlp tlp;
	struct dsack_queue duplicates;  /* received, and to be reported */
	struct instant rto_since;       /* when the repair after a time-out began; valid in CA_LOSS */
	struct duration total_rto_time; /* of such repairs that are over */
	uint32_t dsack_dups, reord_seen, total_rto, total_rto_recoveries;
	uint64_t lost_bytes;    /* marked lost so far; what is lost twice counts twice */
	uint64_t reneged_bytes; /* see sent.h; of send queues that are gone */
};

/* See samples.c. */
struct sampling {
	struct duration every;
	struct instant next; /* not before then */
	struct instant due;  /* something may have changed since the last; INSTANT_NEVER: no */
	uint64_t print;      /* of the last */
};

/* What few connections have, and what outlives the queues: made when first needed (conn_extra), gone with the
 * connection. */
struct conn_extra {
	struct pool_head head;
	uint32_t peer_user_timeout_s; /* as the peer has told (RFC 5482); 0: it has not */
	struct stack_soft_error soft_error;
	struct duration limited[CHRONO_LIMITS]; /* of busy times that are over */
	uint32_t rcv_ooopack;                   /* segments that arrived ahead of a hole */
	seq_t rcv_up;                           /* RCV.UP: the octet after the urgent data; valid with has_urgent */
	bool has_urgent;
	struct path_trouble path;
	struct loss_record loss;
	struct ecn ecn;               /* of a connection that agreed on ECN */
	uint8_t fastopen;             /* enum fastopen_flag */
	struct validation validation; /* of one whose window has grown beyond the initial one */
	struct guard guard;           /* of the algorithm that acts */
	struct shadow *shadow;        /* valid with CONN_SHADOWED; else NULL */
	struct sampling sampling;     /* valid with CONN_SAMPLED */
};

enum conn_flag {
	CONN_SEND_SYN = 1u << 0, /* SYN (with ACK in SYN-RECEIVED) is to be sent */
	CONN_ACK_NOW = 1u << 1,
	CONN_ACK_DELAYED = 1u << 2, /* ack_due is armed */
	CONN_FIN_QUEUED = 1u << 3,  /* FIN follows snd_end */
	CONN_FIN_SENT = 1u << 4,
	CONN_FIN_RECEIVED = 1u << 5,
	CONN_ORPHAN = 1u << 6, /* no handle is out any more */
	CONN_ACTIVE = 1u << 7,
	CONN_NODELAY = 1u << 8,
	CONN_WANTS_SPACE = 1u << 9, /* stack_space fell short: report READY_WRITABLE */
	CONN_PROBE = 1u << 10,      /* send a window probe */
	CONN_FORCE = 1u << 11,      /* send what there is, however small (override time-out) */
	CONN_SYN_RETRANSMITTED = 1u << 12,
	CONN_CWND_LIMITED = 1u << 13,
	CONN_COOKIE = 1u << 14,
	CONN_ACCEPT_PENDING = 1u << 15, /* counted in its listener's accept queue */
	CONN_ON_OUTPUT = 1u << 16,      /* lists it is on */
	CONN_ON_READY = 1u << 17,
	CONN_ON_SETTLE = 1u << 18,
	CONN_DEAD = 1u << 19,       /* to be freed when on no list any more */
	CONN_NOT_HASHED = 1u << 20, /* not in the flow table (any more) */
	CONN_BLOCKED_ON_NEIGHBOUR = 1u << 21,
	CONN_PERSIST = 1u << 22,         /* the retransmission timer is a window-probe timer now */
	CONN_CC_OUTSIDE = 1u << 23,      /* congestion state was too large for the record: pointer in it */
	CONN_SHUTDOWN = 1u << 24,        /* the service has called stack_shutdown or stack_close */
	CONN_FAST_RETRANSMIT = 1u << 25, /* the first segment goes out whatever the window (RFC 5681 3.2 step 3) */
	CONN_TELL_TIMEOUT = 1u << 26,    /* the next ACK without text has the user timeout option */
	CONN_CORKED = 1u << 27,          /* the service will say when a partial segment may go */
	CONN_SHADOWED = 1u << 28,        /* an algorithm is in shadow */
	CONN_SAMPLED = 1u << 29,         /* points of its time series are taken */
	CONN_MAY_FRAGMENT = 1u << 30,    /* DF stays clear: the path wants less than we are ready to send */
};

enum congestion_state { CA_OPEN, CA_RECOVERY, CA_LOSS };

#define CC_INLINE_BYTES 64

struct conn {
	struct flow_node node;
	struct timer timer;      /* set for the earliest of the four below, or earlier */
	struct instant rtx_due;  /* retransmission, window probe, or silly-window override */
	struct instant ack_due;  /* delayed ACK */
	struct instant idle_due; /* patience.c has to look; 2MSL */
	struct instant pace_due; /* pacing lets the next segment go */

	uint64_t id; /* in the audit */
	union {
		uint64_t user;              /* the service's, */
		struct instant orphaned_at; /* and when there is none any more (CONN_ORPHAN): since when */
	};
	uint32_t output_next, ready_next; /* slots; POOL_NONE: the last */
	uint32_t flags;                   /* enum conn_flag */
	uint8_t state;                    /* enum tcp_state; written by connection_set_state alone */
	uint8_t ca_state;                 /* enum congestion_state */
	uint16_t ready;                   /* enum stack_ready_flag, not yet reported */
	uint8_t index;                    /* of the next journal record */
	uint8_t cause;                    /* enum tcp_cause: of the end */
	uint8_t last_speaker;             /* enum journal_speaker */
	uint8_t backoff, dupacks;
	struct tcp_agreed agreed;
	uint16_t mss; /* payload of a full segment now, options deducted */
	uint16_t service;
	uint16_t rcv_mss; /* largest segment seen from the peer: what its window and our ACKs are measured by */
	struct challenge_limit challenges;
	uint8_t keepalive_probes; /* sent, and nothing acceptable has been heard since */
	uint8_t timeouts;    /* since SND.UNA moved last: R1 counts these. Unlike the back-off, which Karn keeps */
	uint8_t rcv_tos;     /* of the IP header of the latest acceptable segment */
	uint16_t mss_proven; /* largest `mss` of which a full segment was acknowledged */
	uint32_t listener_slot;

	/* Send sequence space (RFC 9293 section 3.3.1) */
	seq_t snd_una, snd_nxt, snd_wl1, snd_wl2, iss;
	seq_t snd_end; /* end of queued payload; the FIN comes here */
	seq_t recover; /* RFC 6582: recovery ends when this is acknowledged */
	uint32_t snd_wnd, max_snd_wnd;
	/* Receive sequence space */
	seq_t rcv_nxt, irs;
	seq_t rcv_adv; /* right edge of the window advertised */
	seq_t last_ack_sent;
	uint32_t ts_recent, ts_recent_age_s;
	uint32_t rcv_unacked; /* received since the last ACK sent */

	uint32_t rcvbuf, sndbuf;
	seq_t autotune_seq;
	uint32_t autotune_us; /* when its round began, modulo 2^32 */
	uint32_t rcv_rtt_us;  /* round-trip time as a receiver sees it; 0: not known */

	struct receive_queue *rx;
	struct send_queue *tx;
	struct conn_extra *extra;           /* NULL: nothing of it is needed yet */
	const struct stack_tcp_config *tcp; /* in a profile; never NULL */

	struct rtt_estimator rtt;
	struct instant opened, last_rcv, last_snd, progress_at;
	/* The congestion algorithm's decision in force; ssthresh UINT32_MAX: not yet known */
	uint32_t cwnd, ssthresh, burst_max;
	uint32_t last_data_rcv_ms; /* on the clock of timestamps without an offset; valid with data_segs_in */
	uint64_t pacing_bytes_per_s;
	const struct stack_congestion *congestion;
	uint64_t bytes_received, bytes_retransmitted, bytes_acked;
	uint32_t segs_in, segs_out, data_segs_in, data_segs_out, retransmits;
	uint32_t busy_ticks; /* see chrono.h; of busy times that are over */
	uint32_t delivered;  /* full segments' worth that arrived at the peer, by its ACKs */
	_Alignas(8) uint8_t cc_state[CC_INLINE_BYTES];
};
_Static_assert(sizeof(struct conn) <= 496, "an idle connection must stay below 512 bytes all told");

#define MSS_FLOOR 48 /* a peer can't make us send crumbs (CVE-2019-11479) */

/* Where unacknowledged payload starts: SND.UNA, but that the SYN is none. Comparing with the ISS alone would be wrong
 * 2^31 bytes later. */
static inline seq_t conn_payload_start(const struct conn *conn)
{
	bool syn = conn->bytes_acked == 0 && seq_eq(conn->snd_una, conn->iss);

	return syn ? seq_add(conn->iss, 1) : conn->snd_una;
}

/* SEQ of a segment that carries nothing. A peer whose window is closed takes only what begins where it waits, which
 * what has probed that window is past. */
static inline seq_t conn_bare_seq(const struct conn *conn)
{
	return conn->snd_wnd == 0 ? conn_payload_start(conn) : conn->snd_nxt;
}

/* Queued, and never sent. */
static inline uint32_t conn_not_sent(const struct conn *conn)
{
	return seq_gt(conn->snd_end, conn->snd_nxt) ? (uint32_t)seq_diff(conn->snd_end, conn->snd_nxt) : 0;
}

/* Of options in an ordinary segment. */
static inline uint16_t conn_options_bytes(const struct conn *conn)
{
	return conn->agreed.timestamps ? 12 : 0;
}
