/* The model of the path: draft-ietf-ccwg-bbr-06, sections 5.5 and 5.6.4.2. */
#include "bbr.h"

#define FULL_BW_GROWTH 1.25 /* section 5.3.1.2: a round trip with less growth did not grow */
#define FULL_BW_ROUNDS 3
#define MIN_PIPE_SEGMENTS 4 /* section 2.8: MinPipeCwnd */
#define OFFLOAD_QUANTA 3    /* section 5.5.8.1 */
#define PROBE_UP_EXTRA_SEGMENTS 2

uint64_t bbr_max_bw(const struct bbr *bbr)
{
	return bbr_max(bbr->max_bw_filter[0], bbr->max_bw_filter[1]);
}

uint64_t bbr_extra_acked(const struct bbr *bbr)
{
	return bbr_max(bbr->extra_acked_filter[0], bbr->extra_acked_filter[1]);
}

uint64_t bbr_min_pipe_cwnd(const struct bbr *bbr)
{
	return (uint64_t)MIN_PIPE_SEGMENTS * bbr->mss;
}

uint64_t bbr_bdp_multiple(const struct bbr *bbr, uint64_t bw, double gain)
{
	if (bbr->min_rtt == BBR_RTT_UNKNOWN)
		return bbr->initial_cwnd;
	return (uint64_t)(gain * (double)bw * (double)bbr->min_rtt * 1e-9);
}

uint64_t bbr_quantization_budget(const struct bbr *bbr, uint64_t inflight, const struct tapstack_cc_decision *now)
{
	inflight = bbr_max(inflight, (uint64_t)OFFLOAD_QUANTA * now->burst_bytes_max);
	inflight = bbr_max(inflight, bbr_min_pipe_cwnd(bbr));
	return bbr->state == BBR_PROBE_BW_UP ? inflight + PROBE_UP_EXTRA_SEGMENTS * bbr->mss : inflight;
}

uint64_t bbr_inflight(const struct bbr *bbr, uint64_t bw, double gain, const struct tapstack_cc_decision *now)
{
	return bbr_quantization_budget(bbr, bbr_bdp_multiple(bbr, bw, gain), now);
}

/* Section 5.3.3.9: room that is left to others. */
uint64_t bbr_inflight_with_headroom(const struct bbr *bbr)
{
	uint64_t headroom;

	if (bbr->inflight_longterm == BBR_INFINITY)
		return BBR_INFINITY;
	headroom = bbr_max(bbr->mss, bbr_scale(bbr->inflight_longterm, bbr_param(bbr, BBR_HEADROOM)));
	if (bbr->inflight_longterm < headroom + bbr_min_pipe_cwnd(bbr))
		return bbr_min_pipe_cwnd(bbr);
	return bbr->inflight_longterm - headroom;
}

/* Section 5.3.3.8.3. */
uint64_t bbr_target_inflight(const struct bbr *bbr, const struct tapstack_cc_decision *now)
{
	return bbr_min(bbr_bdp_multiple(bbr, bbr->bw, 1), now->cwnd_bytes);
}

/* ---- round trips: section 5.5.1 ----------------------------------------------------------------------------------
 */

void bbr_start_round(struct bbr *bbr)
{
	bbr->next_round_delivered = bbr->delivered;
}

static void update_round(struct bbr *bbr, const struct bbr_moment *moment)
{
	bbr->round_start = moment->prior_delivered >= bbr->next_round_delivered;
	if (!bbr->round_start)
		return;
	bbr_start_round(bbr);
	bbr->round_count++;
	bbr->rounds_since_probe_up++;
}

/* ---- bandwidth: sections 5.5.2 to 5.5.6 --------------------------------------------------------------------------
 */

static void update_max_bw(struct bbr *bbr, const struct bbr_moment *moment)
{
	update_round(bbr, moment);
	if (moment->rate > 0 && (moment->rate >= bbr_max_bw(bbr) || !moment->app_limited))
		bbr->max_bw_filter[1] = bbr_max(bbr->max_bw_filter[1], moment->rate);
}

/* A cycle without any sample does not make the last one older. */
void bbr_advance_max_bw_filter(struct bbr *bbr)
{
	if (bbr->max_bw_filter[1] == 0)
		return;
	bbr->max_bw_filter[0] = bbr->max_bw_filter[1];
	bbr->max_bw_filter[1] = 0;
}

void bbr_bound_bw_for_model(struct bbr *bbr)
{
	bbr->bw = bbr_min(bbr_max_bw(bbr), bbr->bw_shortterm);
}

/* Section 5.3.1.2: is the pipe full? */
void bbr_reset_full_bw(struct bbr *bbr)
{
	bbr->full_bw = 0;
	bbr->full_bw_count = 0;
	bbr->full_bw_now = false;
}

void bbr_check_full_bw_reached(struct bbr *bbr, const struct bbr_moment *moment)
{
	if (bbr->full_bw_now || !bbr->round_start || moment->app_limited || moment->rate == 0)
		return;
	if ((double)moment->rate >= (double)bbr->full_bw * FULL_BW_GROWTH) {
		bbr_reset_full_bw(bbr);
		bbr->full_bw = moment->rate;
		return;
	}
	bbr->full_bw_count++;
	bbr->full_bw_now = bbr->full_bw_count >= FULL_BW_ROUNDS;
	if (bbr->full_bw_now)
		bbr->full_bw_reached = true;
}

/* ---- round-trip time: sections 5.3.4.3 and 5.5.7 -----------------------------------------------------------------
 */

void bbr_update_min_rtt(struct bbr *bbr, const struct bbr_moment *moment)
{
	bbr->probe_rtt_expired =
	        (double)(moment->now - bbr->probe_rtt_min_stamp) > bbr_param(bbr, BBR_PROBE_RTT_INTERVAL);
	if (moment->rtt >= 0 && (moment->rtt < bbr->probe_rtt_min_delay || bbr->probe_rtt_expired)) {
		bbr->probe_rtt_min_delay = moment->rtt;
		bbr->probe_rtt_min_stamp = moment->now;
	}
	if (bbr->probe_rtt_min_delay < bbr->min_rtt ||
	    (double)(moment->now - bbr->min_rtt_stamp) > bbr_param(bbr, BBR_MIN_RTT_WINDOW)) {
		bbr->min_rtt = bbr->probe_rtt_min_delay;
		bbr->min_rtt_stamp = bbr->probe_rtt_min_stamp;
	}
}

/* ---- aggregation of ACKs: section 5.5.9 --------------------------------------------------------------------------
 */

/* The window consists of two halves, so what is remembered is the maximum of half a window to a whole one. Before the
 * pipe was full, a round trip is enough: rates double in each. */
static void remember_extra_acked(struct bbr *bbr, uint64_t extra)
{
	uint32_t half = bbr->full_bw_reached ? ((uint32_t)bbr_param(bbr, BBR_EXTRA_ACKED_ROUNDS) + 1) / 2 : 1;

	if (bbr->round_count - bbr->extra_acked_since >= half) {
		bbr->extra_acked_since = bbr->round_count;
		bbr->extra_acked_filter[0] = bbr->extra_acked_filter[1];
		bbr->extra_acked_filter[1] = 0;
	}
	bbr->extra_acked_filter[1] = bbr_max(bbr->extra_acked_filter[1], extra);
}

void bbr_update_ack_aggregation(struct bbr *bbr, const struct bbr_moment *moment)
{
	int64_t interval = moment->now - bbr->extra_acked_interval_start;
	uint64_t expected = (uint64_t)((double)bbr->bw * (double)interval * 1e-9);

	if (bbr->extra_acked_delivered <= expected) { /* ACKs come no faster than expected: begin anew */
		bbr->extra_acked_delivered = 0;
		bbr->extra_acked_interval_start = moment->now;
		expected = 0;
	}
	bbr->extra_acked_delivered += moment->newly_acked;
	remember_extra_acked(bbr, bbr_min(bbr->extra_acked_delivered - expected, moment->decision->cwnd_bytes));
}

/* ---- congestion: section 5.5.10 ----------------------------------------------------------------------------------
 */

bool bbr_is_inflight_too_high(const struct bbr *bbr, const struct bbr_moment *moment)
{
	return (double)moment->lost > (double)moment->tx_in_flight * bbr_param(bbr, BBR_LOSS_THRESHOLD) ||
	       (moment->lost > 0 && !bbr->has_sack);
}

void bbr_reset_congestion_signals(struct bbr *bbr)
{
	bbr->is_loss_in_round = false;
	bbr->bw_latest = 0;
	bbr->inflight_latest = 0;
}

void bbr_reset_short_term_model(struct bbr *bbr)
{
	bbr->bw_shortterm = BBR_INFINITY;
	bbr->inflight_shortterm = BBR_INFINITY;
}

void bbr_update_latest_delivery_signals(struct bbr *bbr, const struct bbr_moment *moment)
{
	bbr->bw_latest = bbr_max(bbr->bw_latest, moment->rate);
	bbr->inflight_latest = bbr_max(bbr->inflight_latest, moment->delivered);
	bbr->loss_round_start = moment->prior_delivered >= bbr->loss_round_delivered;
	if (bbr->loss_round_start)
		bbr->loss_round_delivered = bbr->delivered;
}

void bbr_advance_latest_delivery_signals(struct bbr *bbr, const struct bbr_moment *moment)
{
	if (!bbr->loss_round_start)
		return;
	bbr->bw_latest = moment->rate;
	bbr->inflight_latest = moment->delivered;
}

static bool is_probing_bw(const struct bbr *bbr)
{
	return bbr->state == BBR_STARTUP || bbr->state == BBR_PROBE_BW_REFILL || bbr->state == BBR_PROBE_BW_UP;
}

/* Section 5.5.10.3: once a round trip with losses, down towards what was delivered in it, but not by more than
 * beta. */
static void adapt_lower_bounds(struct bbr *bbr, const struct bbr_moment *moment)
{
	double beta = bbr_param(bbr, BBR_BETA);

	if (is_probing_bw(bbr) || !bbr->is_loss_in_round)
		return;
	if (bbr->bw_shortterm == BBR_INFINITY)
		bbr->bw_shortterm = bbr_max_bw(bbr);
	if (bbr->inflight_shortterm == BBR_INFINITY)
		bbr->inflight_shortterm = moment->decision->cwnd_bytes;
	bbr->bw_shortterm = bbr_max(bbr->bw_latest, bbr_scale(bbr->bw_shortterm, beta));
	bbr->inflight_shortterm = bbr_max(bbr->inflight_latest, bbr_scale(bbr->inflight_shortterm, beta));
}

void bbr_update_congestion_signals(struct bbr *bbr, const struct bbr_moment *moment)
{
	update_max_bw(bbr, moment);
	if (!bbr->loss_round_start)
		return;
	adapt_lower_bounds(bbr, moment);
	bbr->is_loss_in_round = false;
}
