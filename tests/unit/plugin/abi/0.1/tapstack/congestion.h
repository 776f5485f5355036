/* tapstack/congestion.h: congestion-control plugins.
 *
 * The host finds losses, reads ECN feedback, undoes spurious reactions and paces; a plugin decides. A const sample
 * goes in, a decision comes out. A plugin sees no connection, reads no clock and draws no random number of its own:
 * everything is in the arguments, so that a run can be replayed exactly.
 *
 * All callbacks run on the thread of the shard that owns the connection, between two packets: stay below a few
 * microseconds, never block, never allocate. Different connections may run on different threads at once; keep no
 * mutable state outside `state`. Bytes and nanoseconds everywhere. */
#ifndef TAPSTACK_CONGESTION_H
#define TAPSTACK_CONGESTION_H

#include "tapstack/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Facts about one ACK, and (on_event) about the moment of an event. */
struct tapstack_cc_sample {
	uint32_t struct_size;
	uint32_t mss_bytes;                             /* payload of a full segment now */
	int64_t now_ns;                                 /* when the ACK arrived, not when it was handled; monotonic */
	int64_t rtt_ns;                                 /* of this ACK; -1: none */
	int64_t srtt_ns;                                /* smoothed, RFC 6298; 0 before the first measurement */
	int64_t min_rtt_ns;                             /* least seen on this connection; 0 before the first */
	uint64_t acked_bytes;                           /* newly acknowledged, cumulatively */
	uint64_t delivered_bytes;                       /* newly delivered: cumulatively or by SACK */
	uint64_t lost_bytes;                            /* newly marked lost */
	uint64_t ce_bytes;                              /* newly reported as marked Congestion Experienced */
	uint64_t inflight_before_bytes, inflight_bytes; /* before and after this ACK; RFC 6675 "pipe" */
	uint8_t round_start;                            /* a round trip began with this ACK */
	uint8_t cwnd_limited;  /* the window, not the application, held back sending in the last round */
	uint8_t app_limited;   /* the rate sample was taken while the application had nothing to send */
	uint8_t in_recovery;   /* loss recovery is going on (cwnd is the host's, see below) */
	uint8_t is_retransmit; /* the rate sample comes from a retransmitted segment */
	uint8_t ece;           /* the ACK carried ECN-Echo (RFC 3168) */
	uint8_t reserved[2];
	int64_t rate_interval_ns; /* delivery-rate sample: rate_delivered_bytes in rate_interval_ns; 0: none */
	uint64_t rate_delivered_bytes;
	uint64_t bytes_in_round; /* delivered since the round began */
};

/* What the plugin wants. The host hands in the decision in force; change what should change. Validated by the host:
 * cwnd is raised to one MSS, clamped to 2^30; offences are counted, and repeated ones end in the built-in Reno. */
struct tapstack_cc_decision {
	uint64_t cwnd_bytes;
	uint64_t ssthresh_bytes;     /* UINT64_MAX: not yet known */
	uint64_t pacing_bytes_per_s; /* 0: no pacing */
	uint32_t burst_bytes_max;    /* largest burst or super-segment; 0: the host's choice */
	uint32_t reserved;
};

enum tapstack_cc_event {
	TAPSTACK_CC_LOSS = 1,      /* recovery begins (once per episode): set ssthresh and cwnd. Until RECOVERED the
	                              host sends by proportional rate within what you set */
	TAPSTACK_CC_ECN = 2,       /* ECN-Echo, at most once per round trip (RFC 3168) */
	TAPSTACK_CC_RTO = 3,       /* the retransmission timer went off: set ssthresh and cwnd */
	TAPSTACK_CC_UNDO = 4,      /* the last LOSS or RTO was spurious: restore what you had */
	TAPSTACK_CC_RECOVERED = 5, /* recovery is over */
	TAPSTACK_CC_IDLE_RESTART = 6, /* about to send after an idle time longer than the RTO */
	TAPSTACK_CC_MTU_CHANGED = 7,  /* mss_bytes is new */
};

struct tapstack_cc_env {
	uint32_t struct_size;
	uint32_t mss_bytes;
	int64_t now_ns;
	uint64_t initial_cwnd_bytes; /* RFC 6928 */
	uint64_t random;             /* 64 random bits for this connection */
	int64_t srtt_ns, min_rtt_ns; /* what is known: after a live switch not zero */
};

enum tapstack_cc_flag {
	TAPSTACK_CC_NEEDS_PACING = 1, /* pacing_bytes_per_s must be honoured or the algorithm does not work */
	TAPSTACK_CC_ECT0 = 2,         /* wants ECN, and packets marked ECT(0) */
	TAPSTACK_CC_ECT1 = 4,         /* the same with ECT(1) */
	TAPSTACK_CC_NEEDS_ACCECN = 8,
};

struct tapstack_cc_ops {
	uint32_t struct_size;
	uint32_t flags;    /* enum tapstack_cc_flag */
	size_t state_size; /* bytes of state per connection, at most TAPSTACK_CC_STATE_MAX; allocated zeroed by the
	                      host, aligned to 8 */

	/* Required. A connection begins, or was switched to this algorithm: *decision then holds the window of the
	 * algorithm before, else the initial one. Returns 0, or negative to refuse (the host takes Reno). */
	int (*init)(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *params,
	            struct tapstack_cc_decision *decision);
	/* Optional. `bytes` of payload were just sent; inflight includes them. */
	void (*on_sent)(void *state, int64_t now_ns, uint64_t bytes, uint64_t inflight_bytes,
	                struct tapstack_cc_decision *decision);
	/* Required. An ACK that acknowledged or delivered something, or moved a mark. */
	void (*on_ack)(void *state, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision);
	/* Required. `sample` tells the moment; the fields "of this ACK" may be zero. */
	void (*on_event)(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
	                 struct tapstack_cc_decision *decision);
	/* Optional. Fills values[], in the order of the plugin's output table. */
	void (*outputs)(const void *state, double *values);
	/* Optional, both or none: state as text that a later version of the same plugin can read back.
	 * export returns the bytes needed without the NUL (as snprintf does); import returns 0 or negative. */
	int (*export_state)(const void *state, char *text, size_t size);
	int (*import_state)(void *state, const char *text, struct tapstack_cc_decision *decision);
};

#define TAPSTACK_CC_STATE_MAX 1024u

#ifdef __cplusplus
}
#endif
#endif
