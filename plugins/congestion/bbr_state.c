/* The states: draft-ietf-ccwg-bbr-06, section 5.3. */
#include "bbr.h"

#define DRAIN_ROUNDS_MAX 3 /* section 5.3.2 */
#define PROBE_UP_ROUNDS_MAX 30

/* Section 5.6.1. */
double bbr_pacing_gain(const struct bbr *bbr)
{
	switch (bbr->state) {
	case BBR_STARTUP:
		return bbr_param(bbr, BBR_STARTUP_PACING_GAIN);
	case BBR_DRAIN:
		return bbr_param(bbr, BBR_DRAIN_PACING_GAIN);
	case BBR_PROBE_BW_DOWN:
		return bbr_param(bbr, BBR_DOWN_PACING_GAIN);
	case BBR_PROBE_BW_UP:
		return bbr_param(bbr, BBR_UP_PACING_GAIN);
	default:
		return 1;
	}
}

double bbr_cwnd_gain(const struct bbr *bbr)
{
	switch (bbr->state) {
	case BBR_PROBE_BW_UP:
		return bbr_param(bbr, BBR_UP_CWND_GAIN);
	case BBR_PROBE_RTT:
		return bbr_param(bbr, BBR_PROBE_RTT_CWND_GAIN);
	default:
		return bbr_param(bbr, BBR_CWND_GAIN);
	}
}

void bbr_save_cwnd(struct bbr *bbr, const struct tapstack_cc_decision *decision)
{
	if (!bbr->in_recovery && bbr->state != BBR_PROBE_RTT)
		bbr->prior_cwnd = decision->cwnd_bytes;
	else
		bbr->prior_cwnd = bbr_max(bbr->prior_cwnd, decision->cwnd_bytes);
}

void bbr_restore_cwnd(const struct bbr *bbr, struct tapstack_cc_decision *decision)
{
	decision->cwnd_bytes = bbr_max(decision->cwnd_bytes, bbr->prior_cwnd);
}

/* ---- Startup and Drain: sections 5.3.1 and 5.3.2 -----------------------------------------------------------------
 */

void bbr_enter_startup(struct bbr *bbr)
{
	bbr->state = BBR_STARTUP;
}

static void enter_drain(struct bbr *bbr, const struct bbr_moment *moment)
{
	bbr->state = BBR_DRAIN;
	bbr->drain_start_round = bbr->round_count;
	/* Not used here, but shown, and of use to the algorithm that may take over. */
	moment->decision->ssthresh_bytes = bbr_inflight(bbr, bbr_max_bw(bbr), 1, moment->decision);
}

/* Section 5.3.1.3. What one ACK finds lost counts as one range: with every other packet dropped, as when a queue is
 * full, each ACK finds one. */
static void check_startup_high_loss(struct bbr *bbr, const struct bbr_moment *moment)
{
	bool enough;

	if (bbr->full_bw_reached)
		return;
	if (moment->newly_lost > 0 && bbr->loss_events_in_round < UINT8_MAX)
		bbr->loss_events_in_round++;
	if (bbr->has_sack)
		enough = bbr->loss_round_start &&
		         bbr->loss_events_in_round >= bbr_param(bbr, BBR_STARTUP_LOSS_COUNT) &&
		         bbr_is_inflight_too_high(bbr, moment);
	else
		enough = moment->newly_lost > 0;
	if (bbr->loss_round_start)
		bbr->loss_events_in_round = 0;
	if (!enough || !bbr->in_recovery || bbr->state != BBR_STARTUP)
		return;
	bbr->undo_state = BBR_STARTUP;
	bbr->full_bw_now = bbr->full_bw_reached = true;
	bbr->inflight_longterm = bbr_max(bbr_bdp_multiple(bbr, bbr_max_bw(bbr), 1), bbr->inflight_latest);
}

void bbr_check_startup_done(struct bbr *bbr, const struct bbr_moment *moment)
{
	check_startup_high_loss(bbr, moment);
	if (bbr->state == BBR_STARTUP && bbr->full_bw_reached)
		enter_drain(bbr, moment);
}

/* ---- ProbeBW: section 5.3.3 --------------------------------------------------------------------------------------
 */

/* splitmix64: one draw, in [0, 1). */
static double draw(struct bbr *bbr)
{
	uint64_t x = bbr->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (double)((x ^ (x >> 31)) >> 11) / 9007199254740992.0; /* 2^53 */
}

/* Section 5.3.3.8.3: by chance, so that flows don't all probe at once. */
static void pick_probe_wait(struct bbr *bbr)
{
	double least = bbr_param(bbr, BBR_PROBE_WAIT_MIN), most = bbr_param(bbr, BBR_PROBE_WAIT_MAX);

	bbr->rounds_since_probe_up = draw(bbr) < 0.5 ? 0 : 1;
	bbr->bw_probe_wait = (int64_t)(least + draw(bbr) * (most > least ? most - least : 0));
}

static void start_probe_bw_down(struct bbr *bbr, int64_t now)
{
	bbr_reset_congestion_signals(bbr);
	bbr->probe_up_acked_per_inc = BBR_INFINITY;
	pick_probe_wait(bbr);
	bbr->cycle_stamp = now;
	bbr->ack_phase = BBR_ACKS_PROBE_STOPPING;
	bbr_start_round(bbr);
	bbr->state = BBR_PROBE_BW_DOWN;
}

void bbr_start_probe_bw_refill(struct bbr *bbr)
{
	bbr_reset_short_term_model(bbr);
	bbr->bw_probe_up_rounds = 0;
	bbr->bw_probe_up_acked = 0;
	bbr->prev_probe_precautionary = false;
	bbr->ack_phase = BBR_ACKS_REFILLING;
	bbr_start_round(bbr);
	bbr->state = BBR_PROBE_BW_REFILL;
}

/* Grow by 1, 2, 4... segments a round trip. */
static void raise_inflight_longterm_slope(struct bbr *bbr, const struct bbr_moment *moment)
{
	uint64_t growth = UINT64_C(1) << bbr->bw_probe_up_rounds;

	if (bbr->bw_probe_up_rounds < PROBE_UP_ROUNDS_MAX)
		bbr->bw_probe_up_rounds++;
	bbr->probe_up_acked_per_inc = bbr_max(moment->decision->cwnd_bytes / growth, bbr->mss);
}

static void start_probe_bw_up(struct bbr *bbr, const struct bbr_moment *moment)
{
	bbr->ack_phase = BBR_ACKS_PROBE_STARTING;
	bbr_start_round(bbr);
	bbr_reset_full_bw(bbr);
	bbr->full_bw = moment->rate;
	bbr->state = BBR_PROBE_BW_UP;
	raise_inflight_longterm_slope(bbr, moment);
}

void bbr_check_drain_done(struct bbr *bbr, const struct bbr_moment *moment)
{
	if (bbr->state != BBR_DRAIN)
		return;
	if (moment->inflight <= bbr_inflight(bbr, bbr->bw, 1, moment->decision) ||
	    bbr->round_count - bbr->drain_start_round > DRAIN_ROUNDS_MAX)
		start_probe_bw_down(bbr, moment->now);
}

/* Section 5.3.3.8: after some seconds, or as many round trips as Reno would take to grow by what is in flight. */
static bool is_time_to_probe_bw(struct bbr *bbr, const struct bbr_moment *moment)
{
	double reno_rounds = (double)bbr_target_inflight(bbr, moment->decision) / bbr->mss;
	double most = bbr_param(bbr, BBR_PROBE_ROUNDS_MAX);

	if (moment->now - bbr->cycle_stamp <= bbr->bw_probe_wait &&
	    bbr->rounds_since_probe_up < (reno_rounds < most ? reno_rounds : most))
		return false;
	bbr_start_probe_bw_refill(bbr);
	return true;
}

static bool is_time_to_cruise(const struct bbr *bbr, const struct bbr_moment *moment)
{
	return moment->inflight <= bbr_inflight_with_headroom(bbr) &&
	       moment->inflight <= bbr_inflight(bbr, bbr_max_bw(bbr), 1, moment->decision);
}

static bool is_time_to_go_down(struct bbr *bbr, const struct bbr_moment *moment)
{
	/* Section 5.3.3.6: the last probe went too high, so this one stops where that one did harm. */
	if (bbr->prev_probe_too_high && moment->inflight >= bbr->inflight_longterm) {
		bbr->prev_probe_precautionary = true;
		return true;
	}
	if (moment->cwnd_limited && moment->decision->cwnd_bytes >= bbr->inflight_longterm) {
		bbr_reset_full_bw(bbr); /* it is not the bandwidth that is the limit */
		bbr->full_bw = moment->rate;
		return false;
	}
	return bbr->full_bw_now;
}

static void probe_inflight_longterm_upward(struct bbr *bbr, const struct bbr_moment *moment)
{
	uint64_t steps;

	if (!moment->cwnd_limited || moment->decision->cwnd_bytes < bbr->inflight_longterm)
		return;
	bbr->bw_probe_up_acked += moment->newly_acked;
	if (bbr->bw_probe_up_acked >= bbr->probe_up_acked_per_inc) {
		steps = bbr->bw_probe_up_acked / bbr->probe_up_acked_per_inc;
		bbr->bw_probe_up_acked -= steps * bbr->probe_up_acked_per_inc;
		bbr->inflight_longterm += steps * bbr->mss;
	}
	if (bbr->round_start)
		raise_inflight_longterm_slope(bbr, moment);
}

/* Section 5.3.3.9. True: it has decided on the next state. */
static bool adapt_long_term_model(struct bbr *bbr, const struct bbr_moment *moment)
{
	if (bbr->ack_phase == BBR_ACKS_PROBE_STARTING && bbr->round_start)
		bbr->ack_phase = BBR_ACKS_PROBE_FEEDBACK;
	if (bbr->ack_phase == BBR_ACKS_PROBE_STOPPING && bbr->round_start) {
		bbr->is_bw_probe_sample = false;
		bbr->ack_phase = BBR_ACKS_INIT;
		if (bbr_in_probe_bw(bbr) && !moment->app_limited)
			bbr_advance_max_bw_filter(bbr);
		if (bbr_in_probe_bw(bbr) && bbr->prev_probe_precautionary && !bbr->prev_probe_too_high) {
			bbr_start_probe_bw_refill(bbr);
			return true;
		}
	}
	if (bbr_is_inflight_too_high(bbr, moment) || bbr->inflight_longterm == BBR_INFINITY)
		return false;
	bbr->inflight_longterm = bbr_max(bbr->inflight_longterm, moment->tx_in_flight);
	if (bbr->state == BBR_PROBE_BW_UP)
		probe_inflight_longterm_upward(bbr, moment);
	return false;
}

void bbr_update_probe_bw_cycle_phase(struct bbr *bbr, const struct bbr_moment *moment)
{
	if (!bbr->full_bw_reached || adapt_long_term_model(bbr, moment))
		return;
	switch (bbr->state) {
	case BBR_PROBE_BW_DOWN:
		if (!is_time_to_probe_bw(bbr, moment) && is_time_to_cruise(bbr, moment))
			bbr->state = BBR_PROBE_BW_CRUISE;
		break;
	case BBR_PROBE_BW_CRUISE:
		is_time_to_probe_bw(bbr, moment);
		break;
	case BBR_PROBE_BW_REFILL:
		if (bbr->round_start) {
			bbr->is_bw_probe_sample = true;
			start_probe_bw_up(bbr, moment);
		}
		break;
	case BBR_PROBE_BW_UP:
		if (is_time_to_go_down(bbr, moment)) {
			bbr->prev_probe_too_high = false;
			start_probe_bw_down(bbr, moment->now);
		}
		break;
	default:
		break;
	}
}

/* ---- losses while probing: section 5.5.10.2 ----------------------------------------------------------------------
 */

static void handle_inflight_too_high(struct bbr *bbr, const struct bbr_moment *moment)
{
	uint64_t least = bbr_scale(bbr_target_inflight(bbr, moment->decision), bbr_param(bbr, BBR_BETA));

	bbr->prev_probe_too_high = true;
	bbr->is_bw_probe_sample = false;
	if (!moment->app_limited)
		bbr->inflight_longterm = bbr_max(moment->tx_in_flight, least);
	if (bbr->state == BBR_PROBE_BW_UP) {
		bbr->undo_state = BBR_PROBE_BW_UP;
		start_probe_bw_down(bbr, moment->now);
	}
}

/* How much was in flight when losses crossed the threshold: that may have been in the middle of a burst. */
static uint64_t inflight_at_loss(const struct bbr *bbr, const struct bbr_moment *moment, uint64_t packet_bytes)
{
	double threshold = bbr_param(bbr, BBR_LOSS_THRESHOLD);
	double inflight_prev = (double)moment->tx_in_flight - (double)packet_bytes;
	double lost_prev = (double)moment->lost - (double)packet_bytes, lost_prefix;

	inflight_prev = inflight_prev < 0 ? 0 : inflight_prev;
	lost_prefix = (threshold * inflight_prev - lost_prev) / (1 - threshold);
	return (uint64_t)(inflight_prev + (lost_prefix > 0 ? lost_prefix : 0));
}

void bbr_handle_probe_loss(struct bbr *bbr, struct bbr_moment *moment, uint64_t packet_bytes)
{
	if (!bbr->is_bw_probe_sample || !bbr_is_inflight_too_high(bbr, moment))
		return;
	moment->tx_in_flight = inflight_at_loss(bbr, moment, packet_bytes);
	handle_inflight_too_high(bbr, moment);
}

/* ---- ProbeRTT: section 5.3.4 -------------------------------------------------------------------------------------
 */

static uint64_t probe_rtt_cwnd(const struct bbr *bbr)
{
	return bbr_max(bbr_bdp_multiple(bbr, bbr->bw, bbr_param(bbr, BBR_PROBE_RTT_CWND_GAIN)),
	               bbr_min_pipe_cwnd(bbr));
}

/* Section 5.3.4.4. */
static void exit_probe_rtt(struct bbr *bbr, int64_t now)
{
	bbr_reset_short_term_model(bbr);
	if (!bbr->full_bw_reached) {
		bbr_enter_startup(bbr);
		return;
	}
	start_probe_bw_down(bbr, now);
	bbr->state = BBR_PROBE_BW_CRUISE;
}

void bbr_check_probe_rtt_done(struct bbr *bbr, int64_t now, struct tapstack_cc_decision *decision)
{
	if (bbr->probe_rtt_done_stamp == 0 || now <= bbr->probe_rtt_done_stamp)
		return;
	bbr->probe_rtt_min_stamp = now;
	bbr_restore_cwnd(bbr, decision);
	exit_probe_rtt(bbr, now);
}

/* Section 4.1.2.4, MarkConnectionAppLimited: what is sent from now until what is in flight has arrived says nothing
 * about the bandwidth. */
static void mark_app_limited(struct bbr *bbr, const struct bbr_moment *moment)
{
	if (bbr->app_limited_until < bbr->delivered)
		bbr->app_limited_from = bbr->delivered;
	bbr->app_limited_until = bbr->delivered + bbr_max(moment->inflight, 1);
}

static void handle_probe_rtt(struct bbr *bbr, const struct bbr_moment *moment)
{
	mark_app_limited(bbr, moment);
	if (bbr->probe_rtt_done_stamp == 0) {
		if (moment->inflight > probe_rtt_cwnd(bbr))
			return;
		bbr->probe_rtt_done_stamp = moment->now + (int64_t)bbr_param(bbr, BBR_PROBE_RTT_DURATION);
		bbr->probe_rtt_round_done = false;
		bbr_start_round(bbr);
		return;
	}
	if (bbr->round_start)
		bbr->probe_rtt_round_done = true;
	if (bbr->probe_rtt_round_done)
		bbr_check_probe_rtt_done(bbr, moment->now, moment->decision);
}

void bbr_check_probe_rtt(struct bbr *bbr, const struct bbr_moment *moment)
{
	if (bbr->state != BBR_PROBE_RTT && bbr->probe_rtt_expired && !bbr->idle_restart) {
		bbr_save_cwnd(bbr, moment->decision);
		bbr->state = BBR_PROBE_RTT;
		bbr->probe_rtt_done_stamp = 0;
		bbr->ack_phase = BBR_ACKS_PROBE_STOPPING;
		bbr_start_round(bbr);
	}
	if (bbr->state == BBR_PROBE_RTT)
		handle_probe_rtt(bbr, moment);
	if (moment->delivered > 0)
		bbr->idle_restart = false;
}
