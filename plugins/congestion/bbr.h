#pragma once
/* BBR, version 3, as draft-ietf-ccwg-bbr-06 has it: what the files of the plugin share. "Section" means a section of
 * the draft, and variables have the names that it gives them.
 *
 * A model of the path, the greatest bandwidth and the least round-trip time seen of late, says how fast to send and
 * how much to have in flight. Both are bounded by what losses have taught: for long (inflight_longterm, found by
 * probing) and for the time until the next probe (bw_shortterm, inflight_shortterm).
 *
 * bbr_model.c keeps the model, bbr_state.c walks through the states, bbr.c sets rate and window and is the plugin,
 * bbr_text.c writes the state down and reads it back. */
#include "tapstack/congestion.h"

#include <stdbool.h>

#define BBR_INFINITY UINT64_MAX   /* of bytes and rates: no bound */
#define BBR_RTT_UNKNOWN INT64_MAX /* min_rtt before the first measurement */

enum bbr_state {
	BBR_STARTUP,
	BBR_DRAIN,
	BBR_PROBE_BW_DOWN,
	BBR_PROBE_BW_CRUISE,
	BBR_PROBE_BW_REFILL,
	BBR_PROBE_BW_UP,
	BBR_PROBE_RTT,
	BBR_STATES,
	BBR_NO_STATE = BBR_STATES, /* undo_state: nothing to go back to */
};

/* Section 2.14: what the ACKs that come in tell about. */
enum bbr_ack_phase {
	BBR_ACKS_INIT,           /* nothing in particular */
	BBR_ACKS_REFILLING,      /* the pipe being filled */
	BBR_ACKS_PROBE_STARTING, /* not yet the probe */
	BBR_ACKS_PROBE_FEEDBACK, /* the probe */
	BBR_ACKS_PROBE_STOPPING, /* still the probe, which is over */
	BBR_ACK_PHASES,
};

/* The parameters, in the order of the table in bbr.c. */
enum bbr_param {
	BBR_STARTUP_PACING_GAIN,
	BBR_DRAIN_PACING_GAIN,
	BBR_CWND_GAIN,
	BBR_UP_PACING_GAIN,
	BBR_UP_CWND_GAIN,
	BBR_DOWN_PACING_GAIN,
	BBR_LOSS_THRESHOLD,
	BBR_STARTUP_LOSS_COUNT,
	BBR_BETA,
	BBR_HEADROOM,
	BBR_PACING_MARGIN,
	BBR_MIN_RTT_WINDOW,
	BBR_PROBE_RTT_INTERVAL,
	BBR_PROBE_RTT_DURATION,
	BBR_PROBE_RTT_CWND_GAIN,
	BBR_PROBE_WAIT_MIN,
	BBR_PROBE_WAIT_MAX,
	BBR_PROBE_ROUNDS_MAX,
	BBR_EXTRA_ACKED_ROUNDS,
	BBR_PARAMS,
};

struct bbr {
	const struct tapstack_param_value *param; /* by enum bbr_param; the host keeps them */
	uint64_t random;                          /* state of a generator */

	/* Bytes a second. max_bw is the greater of the two: this cycle of probing and the one before. */
	uint64_t max_bw_filter[2];
	uint64_t bw, bw_latest, bw_shortterm;
	uint64_t full_bw; /* what the next round trips have to be faster than by a quarter */
	/* Bytes. */
	uint64_t inflight_latest, inflight_shortterm, inflight_longterm;
	uint64_t initial_cwnd, prior_cwnd;
	uint64_t bw_probe_up_acked, probe_up_acked_per_inc;
	/* Bytes delivered in all: a clock that counts round trips. */
	uint64_t delivered, next_round_delivered, loss_round_delivered;
	uint64_t app_limited_from, app_limited_until; /* sent between the two: by us, in PROBE_RTT, section 4.1.2.4 */
	/* Excess of ACKs: the greatest of this half of the window, and of the half before. */
	uint64_t extra_acked_filter[2], extra_acked_delivered;
	uint64_t undo_bw_shortterm, undo_inflight_shortterm, undo_inflight_longterm;
	/* Nanoseconds. */
	int64_t extra_acked_interval_start;
	int64_t min_rtt, min_rtt_stamp, probe_rtt_min_delay, probe_rtt_min_stamp;
	int64_t probe_rtt_done_stamp; /* 0: inflight is not low enough yet */
	int64_t cycle_stamp, bw_probe_wait;
	int64_t last_sent, srtt;
	/* Round trips. */
	uint32_t round_count, drain_start_round, rounds_since_probe_up, extra_acked_since;
	uint32_t mss;

	uint8_t state, undo_state; /* enum bbr_state */
	uint8_t ack_phase;         /* enum bbr_ack_phase */
	uint8_t full_bw_count, bw_probe_up_rounds, loss_events_in_round;
	bool round_start, loss_round_start, is_loss_in_round;
	bool full_bw_reached, full_bw_now;
	bool is_bw_probe_sample, prev_probe_too_high, prev_probe_precautionary;
	bool probe_rtt_expired, probe_rtt_round_done, idle_restart;
	bool in_recovery;        /* between LOSS or RTO, and RECOVERED or UNDO */
	bool saved_for_recovery; /* the losses that are about to begin one have saved the state already */
	bool has_sack;           /* more than one loss a round trip can be found */
	bool has_srtt;           /* the initial rate comes from a measured round trip */
};

/* What the steps look at: an ACK (RS in the draft), or the loss of a packet. */
struct bbr_moment {
	int64_t now, rtt; /* rtt -1: none */
	uint64_t rate;    /* delivery_rate; 0: no sample */
	uint64_t newly_acked, newly_lost;
	uint64_t delivered, prior_delivered; /* since the packet was sent; until it was sent */
	uint64_t lost;                       /* since the packet was sent */
	uint64_t tx_in_flight, inflight;     /* when it was sent; now */
	bool app_limited, cwnd_limited;
	struct tapstack_cc_decision *decision;
};

static inline uint64_t bbr_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t bbr_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline double bbr_param(const struct bbr *bbr, enum bbr_param which)
{
	return bbr->param[which].number;
}

static inline uint64_t bbr_scale(uint64_t value, double factor)
{
	return value == BBR_INFINITY ? value : (uint64_t)((double)value * factor);
}

static inline bool bbr_in_probe_bw(const struct bbr *bbr)
{
	return bbr->state >= BBR_PROBE_BW_DOWN && bbr->state <= BBR_PROBE_BW_UP;
}

/* ---- bbr_model.c -------------------------------------------------------------------------------------------------
 */

uint64_t bbr_max_bw(const struct bbr *bbr);
uint64_t bbr_extra_acked(const struct bbr *bbr);
uint64_t bbr_min_pipe_cwnd(const struct bbr *bbr);
/* What is in flight at this rate: `gain` times the bandwidth-delay product (section 5.6.4.2). */
uint64_t bbr_bdp_multiple(const struct bbr *bbr, uint64_t bw, double gain);
/* At least what offloads and delayed ACKs need. */
uint64_t bbr_quantization_budget(const struct bbr *bbr, uint64_t inflight, const struct tapstack_cc_decision *now);
uint64_t bbr_inflight(const struct bbr *bbr, uint64_t bw, double gain, const struct tapstack_cc_decision *now);
uint64_t bbr_inflight_with_headroom(const struct bbr *bbr);
uint64_t bbr_target_inflight(const struct bbr *bbr, const struct tapstack_cc_decision *now);

void bbr_start_round(struct bbr *bbr);
void bbr_reset_congestion_signals(struct bbr *bbr);
void bbr_reset_short_term_model(struct bbr *bbr);
void bbr_reset_full_bw(struct bbr *bbr);
void bbr_advance_max_bw_filter(struct bbr *bbr);
bool bbr_is_inflight_too_high(const struct bbr *bbr, const struct bbr_moment *moment);

/* The steps of an ACK, section 5.2.3, in this order; those of the state machine come between. */
void bbr_update_latest_delivery_signals(struct bbr *bbr, const struct bbr_moment *moment);
void bbr_update_congestion_signals(struct bbr *bbr, const struct bbr_moment *moment);
void bbr_update_ack_aggregation(struct bbr *bbr, const struct bbr_moment *moment);
void bbr_check_full_bw_reached(struct bbr *bbr, const struct bbr_moment *moment);
void bbr_update_min_rtt(struct bbr *bbr, const struct bbr_moment *moment);
void bbr_advance_latest_delivery_signals(struct bbr *bbr, const struct bbr_moment *moment);
void bbr_bound_bw_for_model(struct bbr *bbr);

/* ---- bbr_state.c -------------------------------------------------------------------------------------------------
 */

void bbr_enter_startup(struct bbr *bbr);
void bbr_start_probe_bw_refill(struct bbr *bbr);

void bbr_check_startup_done(struct bbr *bbr, const struct bbr_moment *moment);
void bbr_check_drain_done(struct bbr *bbr, const struct bbr_moment *moment);
void bbr_update_probe_bw_cycle_phase(struct bbr *bbr, const struct bbr_moment *moment);
void bbr_check_probe_rtt(struct bbr *bbr, const struct bbr_moment *moment);
void bbr_check_probe_rtt_done(struct bbr *bbr, int64_t now, struct tapstack_cc_decision *decision);
/* Section 5.5.10.2: the packet of this moment was sent while bandwidth was probed, and lost. */
void bbr_handle_probe_loss(struct bbr *bbr, struct bbr_moment *moment, uint64_t packet_bytes);

double bbr_pacing_gain(const struct bbr *bbr);
double bbr_cwnd_gain(const struct bbr *bbr);
/* Section 5.6.4.4: the window as it was before a recovery or PROBE_RTT changed it. */
void bbr_save_cwnd(struct bbr *bbr, const struct tapstack_cc_decision *decision);
void bbr_restore_cwnd(const struct bbr *bbr, struct tapstack_cc_decision *decision);

/* ---- bbr.c -------------------------------------------------------------------------------------------------------
 */

/* Rate and burst from a state that was read. */
void bbr_resume(const struct bbr *bbr, struct tapstack_cc_decision *decision);

/* ---- bbr_text.c --------------------------------------------------------------------------------------------------
 */

int bbr_export(const void *state, char *text, size_t size);
int bbr_import(void *state, const char *text, struct tapstack_cc_decision *decision);
