#pragma once
/* Congestion algorithms against each other, and against what is published of them: flows with an algorithm each
 * through one bottleneck, on virtual time. A seed makes a run. Algorithms are the plugins as they have been built, or
 * the core's own Reno; what they are told and what they decide can be looked at call by call.
 *
 *     sender ---+                                                                          +--- receiver
 *     sender ---+-- switch -- line (queue) -- probe -- losses, jitter -- half the RTT -- switch --- receiver
 *     (extra RTT)    ^                                                                     |
 *                    +------------------- half the RTT, losses of ACKs --------------------+
 *
 * Times are durations since the begin of the run. */
#include "service.h"
#include "tapstack/plugin.h"

#define CONTEST_FLOWS_MAX 6
#define CONTEST_OUTPUTS_MAX 8
#define CONTEST_PARAMS_MAX 32

/* ---- plugins ------------------------------------------------------------------------------------------------------
 */

/* The congestion plugin of this name, as built (TAPSTACK_BUILDDIR); NULL: there is none. It stays loaded. */
const struct tapstack_plugin *contest_plugin(const char *name);
/* All that are built, by name; returns their number, `most` at most. */
uint32_t contest_plugins(const struct tapstack_plugin **ret_plugins, uint32_t most);

/* ---- what there is to see of an algorithm -------------------------------------------------------------------------
 */

enum contest_call_kind { CONTEST_INIT, CONTEST_SENT, CONTEST_ACK, CONTEST_EVENT, CONTEST_LOST };

/* One call of the host. Only what belongs to its kind is set. */
struct contest_call {
	enum contest_call_kind kind;
	struct duration at;
	const struct tapstack_cc_env *env;       /* INIT */
	uint64_t bytes, inflight_bytes;          /* SENT */
	const struct tapstack_cc_sample *sample; /* ACK, EVENT */
	uint32_t event;                          /* EVENT */
	const struct tapstack_cc_lost *lost;     /* LOST */
	struct tapstack_cc_decision before, after;
	const void *state;     /* the algorithm's own */
	const double *outputs; /* now, in the order of its table; outputs[CONTEST_OUTPUTS_MAX] */
};

/* ---- a run --------------------------------------------------------------------------------------------------------
 */

struct contest_path {
	uint64_t bytes_per_s;
	struct duration rtt;   /* both ways together, without the queue */
	uint32_t buffer_bytes; /* of the queue; 0: no limit */
	enum impair_discipline discipline;
	struct duration target;         /* of CoDel and STEP; 0: as in impair.h */
	bool ecn;                       /* CoDel marks */
	uint32_t loss_per_million;      /* behind the queue */
	uint32_t loss_burst;            /* packets that are lost together on average; 0 and 1: independently */
	uint32_t ack_loss_per_million;  /* on the way back */
	struct duration jitter;         /* each packet of data takes up to so much longer, in order */
	struct duration jitter_of_acks; /* the same on the way back */
	uint32_t reorder_per_million;   /* of data: held back for up to a quarter of the round trip */
};

struct contest_param {
	const char *name;
	double number;
};

struct contest_flow {
	const struct tapstack_plugin *plugin;           /* NULL: the core's Reno */
	struct contest_param param[CONTEST_PARAMS_MAX]; /* others than the initial values; ends with a NULL name */
	struct duration start, stop;                    /* stop 0: never */
	struct duration extra_rtt;
	uint32_t ecn;         /* enum stack_ecn, of both ends; not ACCEPT: nobody would ask */
	bool no_accecn;       /* only RFC 3168's */
	uint32_t gso_bytes;   /* 0: no super-frames */
	uint64_t send_bytes;  /* 0: without end */
	uint32_t write_bytes; /* at a time, each `write_pause`; 0: as fast as it goes */
	struct duration write_pause;
	void (*tune)(struct stack_tcp_config *tcp); /* NULL: defaults */
	void (*tap)(void *context, const struct contest_call *call);
	void *tap_context;
};

/* A flow at one point of time. */
struct contest_point {
	struct duration at;
	uint64_t received;                     /* by the receiver's program, so far */
	uint64_t retransmitted, sent;          /* bytes so far */
	uint64_t cwnd, ssthresh, pacing, pipe; /* ssthresh UINT64_MAX: not known; pipe: RFC 6675, at the last call */
	struct duration srtt, min_rtt;
	double outputs[CONTEST_OUTPUTS_MAX];
	uint32_t timeouts;
	bool open; /* the connection exists; if not, the rest stays as it was */
};

struct contest;

/* Points are taken every `sample_every`. */
struct contest *contest_begin(const struct contest_path *path, const struct contest_flow *flows, uint32_t count,
                              struct duration sample_every, uint64_t seed);
/* Goes on until this time. */
void contest_run(struct contest *contest, struct duration until);
void contest_end(struct contest *contest);

/* For changes on the way: the line (options.bytes_per_s, options.queue_bytes), the delay (options.delay, of each way)
 * and who sends. The connection's handle is CONN_HANDLE_NONE before its flow starts. */
struct impair_line *contest_line(struct contest *contest);
struct impair_delay *contest_delay(struct contest *contest, bool back);
struct host *contest_sender(struct contest *contest, uint32_t flow, struct conn_handle *ret_conn);

/* ---- what came out ------------------------------------------------------------------------------------------------
 */

size_t contest_points(const struct contest *contest, uint32_t flow, const struct contest_point **ret_points);
/* The last point not after `at`. */
const struct contest_point *contest_at(const struct contest *contest, uint32_t flow, struct duration at);
/* Bytes a second that the receiver's program was given. */
double contest_goodput(const struct contest *contest, uint32_t flow, struct duration from, struct duration to);
uint64_t contest_retransmitted(const struct contest *contest, uint32_t flow, struct duration from,
                               struct duration to);
/* Jain's index of the flows' goodput: 1 when all have the same, 1/n when one has all. */
double contest_jain(const struct contest *contest, struct duration from, struct duration to);

/* Of the packets that left the line in [from, to). Delays without their own time on the line. */
struct contest_bottleneck {
	uint64_t packets, bytes, marked, dropped; /* marked: CE when it left; dropped: by the queue */
	double utilisation;                       /* of bytes_per_s, as it is at the end */
	double delay_mean_ms, delay_p95_ms, delay_p99_ms, delay_max_ms;
};
struct contest_bottleneck contest_bottleneck(const struct contest *contest, struct duration from, struct duration to);

/* A table of the flows and the bottleneck, for people. */
void contest_print(const struct contest *contest, const char *title, struct duration from, struct duration to);

/* Compares the window of a flow, every `every`, with tests/sim/curves/NAME.txt. A point fits when it is within
 * `tolerance` (0.1: 10 %) of what is stored for it or its neighbours in time, or between them. Returns the number of
 * points that don't, and prints them. TAPSTACK_GOLDEN_UPDATE=1 writes the file anew: read the difference before it is
 * committed. */
int contest_golden(const struct contest *contest, uint32_t flow, const char *name, struct duration every,
                   double tolerance);
