/* tapstack/congestion.h: congestion-control plugins.
 *
 * The host finds losses, reads ECN feedback, undoes spurious reactions, measures delivery rates and paces; a plugin
 * decides. A const sample goes in, a decision comes out. A plugin sees no connection, reads no clock and draws no
 * random number of its own: everything is in the arguments, so that a run can be replayed exactly.
 *
 * Thread and time: all callbacks of one connection run on the thread of the shard that owns it, between two packets;
 * those of different connections may run on different threads at once, so keep no mutable state outside `state`.
 * Never block, never allocate. A callback should take less than a microsecond or two; one that takes longer than the
 * host's budget, 100 microseconds, is an offence, see struct tapstack_cc_decision.
 *
 * Units: bytes of payload, and nanoseconds of a monotonic clock that begins anywhere, everywhere.
 *
 * Life of `state`: allocated zeroed, init, callbacks, and freed without a word; there is nothing to give back. In
 * shadow (see TAPSTACK_CC_SHADOW) everything is the same, but nobody does what is decided.
 *
 * Structs grow at the end only. A field is marked with the first release whose host fills it; read those of later
 * releases than the one you require only after looking at struct_size:
 *
 *     if (sample->struct_size >= TAPSTACK_SIZE_UP_TO(struct tapstack_cc_sample, lost_total_bytes)) ... */
#ifndef TAPSTACK_CONGESTION_H
#define TAPSTACK_CONGESTION_H

#include "tapstack/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Facts about one ACK (on_ack), or about the moment of an event (on_event). Valid during the call. */
struct tapstack_cc_sample {
	uint32_t struct_size;
	uint32_t mss_bytes;       /* payload of a full segment now */
	int64_t now_ns;           /* when the ACK arrived, not when it was handled; monotonic */
	int64_t rtt_ns;           /* of this ACK; -1: none */
	int64_t srtt_ns;          /* smoothed, RFC 6298; 0 before the first measurement */
	int64_t min_rtt_ns;       /* least seen on this connection; 0 before the first */
	uint64_t acked_bytes;     /* newly acknowledged, cumulatively; 0 in events */
	uint64_t delivered_bytes; /* newly delivered: cumulatively or by SACK; 0 in events */
	uint64_t lost_bytes;      /* on_ack: newly marked lost; on_event: all that is lost now */
	uint64_t ce_bytes;        /* newly reported as marked Congestion Experienced */
	uint64_t inflight_before_bytes, inflight_bytes; /* before and after this ACK; RFC 6675 "pipe". In events
	                                                   `before` is all that was not acknowledged then, lost or
	                                                   not (RFC 5681 FlightSize) */
	uint8_t round_start;      /* a round trip began with this ACK: what was sent after the last one began is
	                             acknowledged */
	uint8_t cwnd_limited;     /* the window, not the application, has held back sending in the round so far; with
	                             round_start: in the one that is over */
	uint8_t app_limited;      /* the rate sample was taken while the application had nothing to send */
	uint8_t in_recovery;      /* between LOSS and RECOVERED (cwnd is the host's, see there); not after RTO */
	uint8_t is_retransmit;    /* the rate sample comes from a retransmitted segment */
	uint8_t ece;              /* the ACK carried ECN-Echo (RFC 3168); with AccECN: ce_bytes is not 0 */
	uint8_t reserved[2];      /* 0 */
	int64_t rate_interval_ns; /* delivery-rate sample (draft-ietf-ccwg-bbr section 4.1):
	                             rate_delivered_bytes in rate_interval_ns; 0: none */
	uint64_t rate_delivered_bytes;
	uint64_t bytes_in_round; /* delivered since the round began */
	/* Since 0.2. About the segment that the rate sample comes from (the one sent last of those that this ACK
	 * newly delivers); valid when delivered_bytes > 0: */
	uint64_t sent_inflight_bytes;  /* in flight right after it was sent, itself included */
	uint64_t sent_delivered_bytes; /* delivered_total_bytes when it was sent */
	uint64_t sent_lost_bytes;      /* lost_total_bytes when it was sent */
	/* Since 0.2. Over the whole life of the connection, this ACK included: */
	uint64_t delivered_total_bytes; /* delivered */
	uint64_t lost_total_bytes;      /* marked lost; a segment that is lost twice counts twice */
	uint64_t ce_total_bytes;        /* reported as marked */
};

/* One segment (or what was sent as one frame, and lost at once) that was marked lost. Since 0.2. */
struct tapstack_cc_lost {
	uint32_t struct_size;
	uint32_t mss_bytes;
	int64_t now_ns;
	uint64_t bytes;                 /* its payload; 0: a FIN alone */
	uint64_t sent_inflight_bytes;   /* in flight right after it was sent, itself included */
	uint64_t sent_lost_bytes;       /* lost_total_bytes when it was sent */
	uint64_t sent_delivered_bytes;  /* delivered_total_bytes when it was sent */
	uint64_t lost_total_bytes;      /* now, this one included */
	uint64_t delivered_total_bytes; /* now */
	uint8_t app_limited;            /* the application had nothing to send when it was sent */
	uint8_t is_retransmit;          /* it had been sent again before, and that was lost too */
	uint8_t reserved[6];
};

/* What the plugin wants. The host hands in the decision in force; change what should change. Go by the cwnd that is
 * handed in: between two calls the host takes of it what was not in use for long (RFC 7661), leaves one segment of it
 * when the retransmission timer goes off again, and raises it to one when segments grow.
 *
 * The host checks it. These are offences: a cwnd below one segment (raised to it), pacing below one segment a round
 * trip, of 10 ms at least (raised to it), a callback beyond its time budget (64 in time make one forgotten; some
 * callbacks are timed, and each one after one that took too long). They are counted (`tapstackctl counters`); a
 * connection whose algorithm has offended eight times goes on with the built-in Reno, which is written to the log and
 * the audit.
 * Not an offence, only cut: a cwnd above 2^30, an ssthresh below one segment; one above 2^30 counts as not known. */
struct tapstack_cc_decision {
	uint64_t cwnd_bytes;         /* most that may be in flight */
	uint64_t ssthresh_bytes;     /* slow start ends there; UINT64_MAX: not yet known. Shown, and kept when another
	                                algorithm takes over; nothing in the host goes by it */
	uint64_t pacing_bytes_per_s; /* 0: no pacing: what the window lets go goes at once */
	uint32_t burst_bytes_max;    /* largest burst or super-segment; 0: the host's choice */
	uint32_t reserved;
};

/* What happened, to on_event. */
enum tapstack_cc_event {
	TAPSTACK_CC_LOSS = 1, /* recovery begins (once per episode): set ssthresh and cwnd. Until RECOVERED the
	                         host sends by proportional rate reduction (RFC 9937) towards the cwnd you set,
	                         unless your algorithm has TAPSTACK_CC_OWN_RECOVERY. RECOVERED follows at once, and
	                         on_lost tells of nothing, where a probe of the tail has repaired the loss by itself
	                         (RFC 8985 section 7.4) */
	TAPSTACK_CC_ECN = 2,  /* ECN-Echo, at most once per round trip (RFC 3168); not in recovery. With AccECN
	                         likewise; ce_bytes of on_ack tells more */
	TAPSTACK_CC_RTO = 3,  /* the retransmission timer went off: set ssthresh and cwnd. Once until RECOVERED:
	                         when it goes off again the host sets cwnd to one segment, and asks nobody */
	TAPSTACK_CC_UNDO = 4, /* the last LOSS or RTO was spurious: restore what you had. After a switch it may be
	                         one that you have not seen */
	TAPSTACK_CC_RECOVERED = 5, /* what LOSS or RTO began is over: all that was in flight then is acknowledged, or
	                              it was spurious, and UNDO follows */
	TAPSTACK_CC_IDLE_RESTART = 6, /* about to send after an idle time longer than the RTO, and the tunables want
	                                 the window to begin anew then (RFC 5681 section 4.1) */
	TAPSTACK_CC_MTU_CHANGED = 7,  /* mss_bytes is new. What was in flight in larger segments is sent again, and
	                                 not counted as lost */
};

/* What a connection agreed on about ECN. Since 0.2. */
enum tapstack_cc_ecn_kind {
	TAPSTACK_CC_ECN_NONE = 0,
	TAPSTACK_CC_ECN_CLASSIC = 1,  /* RFC 3168: one event a round trip at most, ce_bytes is a guess */
	TAPSTACK_CC_ECN_ACCURATE = 2, /* AccECN (RFC 9768): ce_bytes is exact */
};

enum tapstack_cc_env_flag {
	TAPSTACK_CC_SWITCHED = 1, /* the connection had another algorithm before: *decision holds its window */
	TAPSTACK_CC_SHADOW = 2,  /* your decisions are recorded, and nobody acts on them. What you are told comes from
	                            what the acting algorithm does */
	TAPSTACK_CC_NO_SACK = 4, /* without SACK (RFC 2018): no more than one loss a round trip can be found */
};

/* The moment of init. */
struct tapstack_cc_env {
	uint32_t struct_size;
	uint32_t mss_bytes;
	int64_t now_ns;
	uint64_t initial_cwnd_bytes; /* RFC 6928 */
	uint64_t random;             /* 64 random bits for this connection: seed a generator in `state` with them */
	int64_t srtt_ns, min_rtt_ns; /* what is known: mostly the handshake's; 0: nothing yet, for it was repeated */
	uint32_t flags;              /* since 0.2: enum tapstack_cc_env_flag */
	uint32_t ecn;                /* since 0.2: enum tapstack_cc_ecn_kind */
};

/* What an algorithm asks of the host, once for all of its connections. */
enum tapstack_cc_flag {
	TAPSTACK_CC_NEEDS_PACING = 1,  /* pacing_bytes_per_s must be honoured or the algorithm does not work; the
	                                  window is not validated by RFC 7661 either, which would fight it */
	TAPSTACK_CC_ECT0 = 2,          /* wants ECN, and packets marked ECT(0) */
	TAPSTACK_CC_ECT1 = 4,          /* the same with ECT(1) (RFC 9331) */
	TAPSTACK_CC_NEEDS_ACCECN = 8,  /* AccECN is asked for where the tunables would only accept ECN. A peer without
	                                  it gets ECT(0), and env.ecn says so: answer its marks as RFC 3168 has it */
	TAPSTACK_CC_OWN_RECOVERY = 16, /* since 0.2: in recovery, too, the decision's cwnd is the limit, and on_ack
	                                  moves it; no proportional rate reduction */
};

struct tapstack_cc_ops {
	uint32_t struct_size; /* sizeof(struct tapstack_cc_ops) */
	uint32_t flags;       /* enum tapstack_cc_flag */
	size_t state_size;    /* bytes of state per connection, at most TAPSTACK_CC_STATE_MAX; allocated zeroed by the
	                         host, aligned to 8. Up to 64 lie in the connection's own record; more costs an
	                         allocation for each connection */

	/* Required. A connection begins, or was switched to this algorithm: *decision then holds the window of the
	 * algorithm before, else the initial one. `params` is valid for as long as any connection uses this instance:
	 * keep the pointer or copy the values. Returns 0, or negative to refuse (the host takes Reno). */
	int (*init)(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *params,
	            struct tapstack_cc_decision *decision);
	/* Optional. `bytes` of payload were just sent, for the first time or again; inflight includes them. Not told:
	 * data with a SYN, and what probes a closed window again. */
	void (*on_sent)(void *state, int64_t now_ns, uint64_t bytes, uint64_t inflight_bytes,
	                struct tapstack_cc_decision *decision);
	/* Required. An ACK that acknowledged or delivered something, or by which something was found lost. */
	void (*on_ack)(void *state, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision);
	/* Required. `sample` tells the moment; the fields "of this ACK" may be zero. Ignore events that you don't
	 * know: later hosts may have more. */
	void (*on_event)(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
	                 struct tapstack_cc_decision *decision);
	/* Optional. Fills values[], in the order of the plugin's output table. Called for each sample that is
	 * recorded, where it is timed as the others are, and when somebody looks at the connection. Must not change
	 * anything. What is no number (NaN, infinite) is shown and recorded as unknown. */
	void (*outputs)(const void *state, double *values);
	/* Optional, both or none: state as text that a later version of the same plugin can read back, for
	 * connections that are moved to it while they live. export returns the bytes needed without the NUL (as
	 * snprintf does; the host takes no more than TAPSTACK_CC_EXPORT_MAX). Both are called once for a connection
	 * that is moved, and are not timed; import is called after init, and
	 * returns 0, or negative when it can't make sense of the text: then the state is as init left it. */
	int (*export_state)(const void *state, char *text, size_t size);
	int (*import_state)(void *state, const char *text, struct tapstack_cc_decision *decision);
	/* Optional; since 0.2. A segment was marked lost: called for each, before the on_ack or on_event in which the
	 * host tells of them together. Not for what was too long for the path: that is no congestion. */
	void (*on_lost)(void *state, const struct tapstack_cc_lost *lost, struct tapstack_cc_decision *decision);
};

#define TAPSTACK_CC_STATE_MAX 1024u
#define TAPSTACK_CC_EXPORT_MAX 4096u

#ifdef __cplusplus
}
#endif
#endif
