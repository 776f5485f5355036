/* BBR: what it does upon each callback, how rate and window follow from the model (draft-ietf-ccwg-bbr-06, sections
 * 5.2, 5.4 and 5.6), and the plugin's tables.
 *
 * ECN: the draft has no answer to marks (section 3.7), so packets are sent without ECT. Should a mark come all the
 * same, because another algorithm had asked for them, it counts as a loss in this round trip. */
#include "bbr.h"

#define NOMINAL_RTT_NS 1000000.0 /* section 5.6.2: before the first measurement */
#define QUANTUM_NS 1000000.0     /* section 5.6.3 */
#define QUANTUM_MAX 65536u
#define QUANTUM_SEGMENTS_MIN 2

/* ---- rate and window: section 5.6 --------------------------------------------------------------------------------
 */

static void set_send_quantum(const struct bbr *bbr, struct tapstack_cc_decision *decision)
{
	uint64_t quantum = (uint64_t)((double)decision->pacing_bytes_per_s * QUANTUM_NS * 1e-9);

	quantum = bbr_min(quantum, QUANTUM_MAX);
	decision->burst_bytes_max = (uint32_t)bbr_max(quantum, (uint64_t)QUANTUM_SEGMENTS_MIN * bbr->mss);
}

/* A segment a round trip is the least that the host takes; the least window is more than that. */
static uint64_t least_rate(const struct bbr *bbr)
{
	return bbr->srtt > 0 ? (uint64_t)(bbr->mss * 1e9 / (double)bbr->srtt) + 1 : bbr->mss;
}

static void set_pacing_rate(const struct bbr *bbr, double gain, struct tapstack_cc_decision *decision)
{
	double margin = 1 - bbr_param(bbr, BBR_PACING_MARGIN) / 100;
	uint64_t rate = bbr_max((uint64_t)(gain * (double)bbr->bw * margin), least_rate(bbr));

	if (bbr->bw > 0 && (bbr->full_bw_reached || rate > decision->pacing_bytes_per_s))
		decision->pacing_bytes_per_s = rate;
	set_send_quantum(bbr, decision);
}

static void init_pacing_rate(struct bbr *bbr, int64_t srtt, uint64_t window, struct tapstack_cc_decision *decision)
{
	double rtt = srtt > 0 ? (double)srtt : NOMINAL_RTT_NS;

	bbr->has_srtt = srtt > 0;
	decision->pacing_bytes_per_s =
	        (uint64_t)(bbr_param(bbr, BBR_STARTUP_PACING_GAIN) * (double)window / rtt * 1e9);
	set_send_quantum(bbr, decision);
}

void bbr_resume(const struct bbr *bbr, struct tapstack_cc_decision *decision)
{
	set_pacing_rate(bbr, bbr_pacing_gain(bbr), decision);
}

/* Section 5.6.4.7. */
static void bound_cwnd_for_model(const struct bbr *bbr, struct tapstack_cc_decision *decision)
{
	uint64_t cap = BBR_INFINITY;

	if (bbr->state == BBR_PROBE_RTT || bbr->state == BBR_PROBE_BW_CRUISE)
		cap = bbr_inflight_with_headroom(bbr);
	else if (bbr_in_probe_bw(bbr))
		cap = bbr->inflight_longterm;
	cap = bbr_max(bbr_min(cap, bbr->inflight_shortterm), bbr_min_pipe_cwnd(bbr));
	decision->cwnd_bytes = bbr_min(decision->cwnd_bytes, cap);
}

/* Section 5.6.4.6. */
static void set_cwnd(const struct bbr *bbr, uint64_t newly_acked, struct tapstack_cc_decision *decision)
{
	uint64_t inflight = bbr_bdp_multiple(bbr, bbr->bw, bbr_cwnd_gain(bbr)) + bbr_extra_acked(bbr);
	uint64_t max_inflight = bbr_quantization_budget(bbr, inflight, decision), cwnd = decision->cwnd_bytes;

	if (bbr->full_bw_reached)
		cwnd = bbr_min(cwnd + newly_acked, max_inflight);
	else if (cwnd < max_inflight || bbr->delivered < bbr->initial_cwnd)
		cwnd += newly_acked;
	cwnd = bbr_max(cwnd, bbr_min_pipe_cwnd(bbr));
	if (bbr->state == BBR_PROBE_RTT) /* section 5.6.4.5 */
		cwnd = bbr_min(cwnd,
		               bbr_max(bbr_bdp_multiple(bbr, bbr->bw, bbr_cwnd_gain(bbr)), bbr_min_pipe_cwnd(bbr)));
	decision->cwnd_bytes = cwnd;
	bound_cwnd_for_model(bbr, decision);
}

/* ---- each ACK: section 5.2.3 -------------------------------------------------------------------------------------
 */

static bool is_app_limited(const struct bbr *bbr, bool by_application, uint64_t sent_delivered)
{
	return by_application || (sent_delivered >= bbr->app_limited_from && sent_delivered < bbr->app_limited_until);
}

static struct bbr_moment moment_of(const struct bbr *bbr, const struct tapstack_cc_sample *sample,
                                   struct tapstack_cc_decision *decision)
{
	struct bbr_moment moment = {
		.now = sample->now_ns,
		.rtt = sample->rtt_ns,
		.newly_acked = sample->delivered_bytes,
		.newly_lost = sample->lost_bytes,
		.delivered = sample->delivered_total_bytes - sample->sent_delivered_bytes,
		.prior_delivered = sample->sent_delivered_bytes,
		.lost = sample->lost_total_bytes - sample->sent_lost_bytes,
		.tx_in_flight = sample->sent_inflight_bytes,
		.inflight = sample->inflight_bytes,
		.app_limited = is_app_limited(bbr, sample->app_limited, sample->sent_delivered_bytes),
		.cwnd_limited = sample->cwnd_limited,
		.decision = decision,
	};

	if (sample->rate_interval_ns > 0)
		moment.rate =
		        (uint64_t)((double)sample->rate_delivered_bytes * 1e9 / (double)sample->rate_interval_ns);
	return moment;
}

static void update_model_and_state(struct bbr *bbr, const struct bbr_moment *moment)
{
	bbr_update_latest_delivery_signals(bbr, moment);
	bbr_update_congestion_signals(bbr, moment);
	bbr_update_ack_aggregation(bbr, moment);
	bbr_check_full_bw_reached(bbr, moment);
	bbr_check_startup_done(bbr, moment);
	bbr_check_drain_done(bbr, moment);
	bbr_update_probe_bw_cycle_phase(bbr, moment);
	bbr_update_min_rtt(bbr, moment);
	bbr_check_probe_rtt(bbr, moment);
	bbr_advance_latest_delivery_signals(bbr, moment);
	bbr_bound_bw_for_model(bbr);
	if (bbr->loss_round_start)
		bbr->saved_for_recovery = false;
}

static void bbr_on_ack(void *state, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	struct bbr *bbr = state;
	struct bbr_moment moment = moment_of(bbr, sample, decision);

	bbr->mss = sample->mss_bytes;
	bbr->srtt = sample->srtt_ns;
	bbr->delivered = sample->delivered_total_bytes;
	if (sample->delivered_bytes > 0)
		update_model_and_state(bbr, &moment);
	if (!bbr->has_srtt && sample->srtt_ns > 0)
		init_pacing_rate(bbr, sample->srtt_ns, bbr->initial_cwnd, decision);
	set_pacing_rate(bbr, bbr_pacing_gain(bbr), decision);
	set_cwnd(bbr, moment.newly_acked, decision);
}

/* ---- losses: sections 5.5.10.2, 5.5.11 and 5.6.4.4 ---------------------------------------------------------------
 */

static void save_state_upon_loss(struct bbr *bbr, const struct tapstack_cc_decision *decision)
{
	bbr_save_cwnd(bbr, decision);
	bbr->undo_state = BBR_NO_STATE;
	bbr->undo_bw_shortterm = bbr->bw_shortterm;
	bbr->undo_inflight_shortterm = bbr->inflight_shortterm;
	bbr->undo_inflight_longterm = bbr->inflight_longterm;
}

static void note_loss(struct bbr *bbr)
{
	if (!bbr->is_loss_in_round)
		bbr->loss_round_delivered = bbr->delivered;
	bbr->is_loss_in_round = true;
}

/* What an undo restores is what was there when the episode began (section 2.15): the losses that begin one are told
 * of before it begins, and may change it. */
static void bbr_on_lost(void *state, const struct tapstack_cc_lost *lost, struct tapstack_cc_decision *decision)
{
	struct bbr *bbr = state;
	struct bbr_moment moment = {
		.now = lost->now_ns,
		.rtt = -1,
		.tx_in_flight = lost->sent_inflight_bytes,
		.lost = lost->lost_total_bytes - lost->sent_lost_bytes,
		.app_limited = is_app_limited(bbr, lost->app_limited, lost->sent_delivered_bytes),
		.decision = decision,
	};

	bbr->delivered = lost->delivered_total_bytes;
	if (!bbr->in_recovery && !bbr->saved_for_recovery) {
		save_state_upon_loss(bbr, decision);
		bbr->saved_for_recovery = true;
	}
	note_loss(bbr);
	bbr_handle_probe_loss(bbr, &moment, lost->bytes);
}

static void begin_recovery(struct bbr *bbr, const struct tapstack_cc_decision *decision)
{
	if (!bbr->saved_for_recovery)
		save_state_upon_loss(bbr, decision);
	bbr->saved_for_recovery = false;
	bbr->in_recovery = true;
}

/* Section 5.5.11.2. */
static void handle_spurious_loss(struct bbr *bbr, struct tapstack_cc_decision *decision)
{
	bbr->in_recovery = false;
	bbr_restore_cwnd(bbr, decision);
	bbr->is_loss_in_round = false;
	bbr_reset_full_bw(bbr);
	bbr->bw_shortterm = bbr_max(bbr->bw_shortterm, bbr->undo_bw_shortterm);
	bbr->inflight_shortterm = bbr_max(bbr->inflight_shortterm, bbr->undo_inflight_shortterm);
	bbr->inflight_longterm = bbr_max(bbr->inflight_longterm, bbr->undo_inflight_longterm);
	if (bbr->undo_state == BBR_STARTUP && bbr->state != BBR_STARTUP) {
		bbr->full_bw_reached = false;
		if (bbr->state != BBR_PROBE_RTT)
			bbr_enter_startup(bbr);
	} else if (bbr->undo_state == BBR_PROBE_BW_UP && bbr->state != BBR_PROBE_BW_UP) {
		if (bbr->state != BBR_PROBE_RTT)
			bbr_start_probe_bw_refill(bbr);
	}
	bbr->undo_state = BBR_NO_STATE;
	bbr->undo_bw_shortterm = bbr->undo_inflight_shortterm = bbr->undo_inflight_longterm = 0;
	bbr_bound_bw_for_model(bbr);
}

/* ---- restart from idle: section 5.4 ------------------------------------------------------------------------------
 */

/* The draft moves the begin of the interval in which ACKs are counted, and lets the count stand. Then all that came
 * before a pause would be in excess after it, and with each pause more. */
static void restart_from_idle(struct bbr *bbr, int64_t now, struct tapstack_cc_decision *decision)
{
	bbr->idle_restart = true;
	bbr->extra_acked_interval_start = now;
	bbr->extra_acked_delivered = 0;
	if (bbr_in_probe_bw(bbr))
		set_pacing_rate(bbr, 1, decision);
	else if (bbr->state == BBR_PROBE_RTT)
		bbr_check_probe_rtt_done(bbr, now, decision);
	bound_cwnd_for_model(bbr, decision);
}

/* With nothing in flight it was not the window that held back; nor was it the pacer, when it would have let the next
 * burst go long ago. In recovery nothing may be in flight because all of it is lost. */
static void bbr_on_sent(void *state, int64_t now_ns, uint64_t bytes, uint64_t inflight_bytes,
                        struct tapstack_cc_decision *decision)
{
	struct bbr *bbr = state;
	double pace = decision->pacing_bytes_per_s > 0
	                      ? (double)decision->burst_bytes_max / (double)decision->pacing_bytes_per_s * 1e9
	                      : 0;

	if (inflight_bytes <= bytes && !bbr->in_recovery && (double)(now_ns - bbr->last_sent) > 2 * pace + QUANTUM_NS)
		restart_from_idle(bbr, now_ns, decision);
	bbr->last_sent = now_ns;
}

/* ---- the plugin --------------------------------------------------------------------------------------------------
 */

static void bbr_on_event(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
                         struct tapstack_cc_decision *decision)
{
	struct bbr *bbr = state;

	bbr->mss = sample->mss_bytes;
	switch (event) {
	case TAPSTACK_CC_LOSS:
		begin_recovery(bbr, decision);
		break;
	case TAPSTACK_CC_RTO:
		begin_recovery(bbr, decision);
		decision->cwnd_bytes = sample->inflight_bytes + sample->mss_bytes;
		break;
	case TAPSTACK_CC_ECN:
		note_loss(bbr);
		break;
	case TAPSTACK_CC_UNDO:
		handle_spurious_loss(bbr, decision);
		bound_cwnd_for_model(bbr, decision);
		break;
	case TAPSTACK_CC_RECOVERED:
		bbr->in_recovery = false;
		bbr_restore_cwnd(bbr, decision);
		bound_cwnd_for_model(bbr, decision);
		break;
	case TAPSTACK_CC_IDLE_RESTART:
		if (sample->inflight_bytes == 0)
			restart_from_idle(bbr, sample->now_ns, decision);
		break;
	case TAPSTACK_CC_MTU_CHANGED:
		decision->cwnd_bytes = bbr_max(decision->cwnd_bytes, bbr_min_pipe_cwnd(bbr));
		set_send_quantum(bbr, decision);
		break;
	default:
		break;
	}
}

/* Section 5.2.1. */
static int bbr_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                    struct tapstack_cc_decision *decision)
{
	struct bbr *bbr = state;
	bool switched;

	/* Hosts of before 0.2 tell nothing of single losses, nor of what was in flight. */
	if (env->struct_size < TAPSTACK_SIZE_UP_TO(struct tapstack_cc_env, ecn) || params->count < BBR_PARAMS)
		return -1;
	switched = (env->flags & TAPSTACK_CC_SWITCHED) != 0;
	*bbr = (struct bbr){
		.param = params->value,
		.random = env->random,
		.initial_cwnd = env->initial_cwnd_bytes,
		.mss = env->mss_bytes,
		.has_sack = (env->flags & TAPSTACK_CC_NO_SACK) == 0,
		.bw_shortterm = BBR_INFINITY,
		.inflight_shortterm = BBR_INFINITY,
		.inflight_longterm = BBR_INFINITY,
		.probe_up_acked_per_inc = BBR_INFINITY,
		.min_rtt = BBR_RTT_UNKNOWN,
		.min_rtt_stamp = env->now_ns,
		.probe_rtt_min_delay = BBR_RTT_UNKNOWN,
		.probe_rtt_min_stamp = env->now_ns,
		.extra_acked_interval_start = env->now_ns,
		.last_sent = env->now_ns,
		.srtt = env->srtt_ns,
		.undo_state = BBR_NO_STATE,
	};
	if (env->srtt_ns > 0)
		bbr->min_rtt = switched && env->min_rtt_ns > 0 ? env->min_rtt_ns : env->srtt_ns;
	bbr_enter_startup(bbr);
	/* The window that another algorithm had found is where the search begins. */
	init_pacing_rate(bbr, env->srtt_ns, switched ? decision->cwnd_bytes : env->initial_cwnd_bytes, decision);
	return 0;
}

enum { OUT_STATE, OUT_BW, OUT_MAX_BW, OUT_MIN_RTT, OUT_LONGTERM, OUT_SHORTTERM, OUT_EXTRA_ACKED, OUT_PACING_GAIN };

static double bound(uint64_t bytes)
{
	return bytes == BBR_INFINITY ? 0 : (double)bytes;
}

static void bbr_outputs(const void *state, double *values)
{
	const struct bbr *bbr = state;

	values[OUT_STATE] = bbr->state;
	values[OUT_BW] = (double)bbr->bw;
	values[OUT_MAX_BW] = (double)bbr_max_bw(bbr);
	values[OUT_MIN_RTT] = bbr->min_rtt == BBR_RTT_UNKNOWN ? 0 : (double)bbr->min_rtt;
	values[OUT_LONGTERM] = bound(bbr->inflight_longterm);
	values[OUT_SHORTTERM] = bound(bbr->inflight_shortterm);
	values[OUT_EXTRA_ACKED] = (double)bbr_extra_acked(bbr);
	values[OUT_PACING_GAIN] = bbr_pacing_gain(bbr);
}

#define NUMBER(which, name, unit, help, min, max, initial)                                                           \
	[which] = { name, unit, help, TAPSTACK_PARAM_NUMBER, 0, min, max, initial, NULL }

static const struct tapstack_param_spec params[BBR_PARAMS] = {
	NUMBER(BBR_STARTUP_PACING_GAIN, "startup_pacing_gain", "", "rate in STARTUP, of the bandwidth", 1.1, 4, 2.77),
	NUMBER(BBR_DRAIN_PACING_GAIN, "drain_pacing_gain", "", "rate in DRAIN, of the bandwidth", 0.1, 0.95, 0.5),
	NUMBER(BBR_CWND_GAIN, "cwnd_gain", "", "window in most states, of the bandwidth-delay product", 1, 4, 2),
	NUMBER(BBR_UP_PACING_GAIN, "probe_up_pacing_gain", "", "rate in PROBE_BW_UP, of the bandwidth", 1.01, 2,
	       1.25),
	NUMBER(BBR_UP_CWND_GAIN, "probe_up_cwnd_gain", "", "window in PROBE_BW_UP, of the bandwidth-delay product", 1,
	       4, 2.25),
	NUMBER(BBR_DOWN_PACING_GAIN, "probe_down_pacing_gain", "", "rate in PROBE_BW_DOWN, of the bandwidth", 0.5,
	       0.99, 0.9),
	NUMBER(BBR_LOSS_THRESHOLD, "loss_threshold", "", "part lost in a round trip that ends a probe", 0.001, 0.5,
	       0.02),
	NUMBER(BBR_STARTUP_LOSS_COUNT, "startup_loss_count", "",
	       "losses in a round trip that end STARTUP, if they are above the threshold", 1, 200, 6),
	NUMBER(BBR_BETA, "beta", "", "what is left at least after a round trip with losses", 0.1, 0.95, 0.7),
	NUMBER(BBR_HEADROOM, "headroom", "", "part of the long-term bound that is left to others", 0, 0.5, 0.15),
	NUMBER(BBR_PACING_MARGIN, "pacing_margin", "percent", "by how much to stay below the bandwidth", 0, 10, 1),
	NUMBER(BBR_MIN_RTT_WINDOW, "min_rtt_window", "ns", "how long the least round-trip time is believed", 1e9,
	       600e9, 10e9),
	NUMBER(BBR_PROBE_RTT_INTERVAL, "probe_rtt_interval", "ns",
	       "how often the queue is emptied to measure it; others on the path must have the same", 1e9, 300e9,
	       5e9),
	NUMBER(BBR_PROBE_RTT_DURATION, "probe_rtt_duration", "ns", "and for how long", 10e6, 2e9, 200e6),
	NUMBER(BBR_PROBE_RTT_CWND_GAIN, "probe_rtt_cwnd_gain", "", "window meanwhile, of the bandwidth-delay product",
	       0.1, 1, 0.5),
	NUMBER(BBR_PROBE_WAIT_MIN, "probe_wait_min", "ns", "least time between two probes for bandwidth", 0.1e9, 60e9,
	       2e9),
	NUMBER(BBR_PROBE_WAIT_MAX, "probe_wait_max", "ns", "most; it is chosen at random in between", 0.1e9, 60e9,
	       3e9),
	NUMBER(BBR_PROBE_ROUNDS_MAX, "probe_rounds_max", "", "round trips between two probes at most", 1, 1000, 63),
	NUMBER(BBR_EXTRA_ACKED_ROUNDS, "extra_acked_rounds", "",
	       "round trips for which bunched acknowledgements are remembered", 1, 100, 10),
};

static const struct tapstack_output_spec outputs[] = {
	[OUT_STATE] = { "state", "", "0 STARTUP, 1 DRAIN, PROBE_BW: 2 DOWN, 3 CRUISE, 4 REFILL, 5 UP; 6 PROBE_RTT" },
	[OUT_BW] = { "bw", "bytes/s", "bandwidth that is gone by" },
	[OUT_MAX_BW] = { "max_bw", "bytes/s", "greatest of the last two cycles of probing" },
	[OUT_MIN_RTT] = { "min_rtt", "ns", "least round-trip time; 0: not known" },
	[OUT_LONGTERM] = { "inflight_longterm", "bytes", "more in flight has brought losses; 0: no bound" },
	[OUT_SHORTTERM] = { "inflight_shortterm", "bytes", "bound until the next probe; 0: none" },
	[OUT_EXTRA_ACKED] = { "extra_acked", "bytes", "what acknowledgements come in advance, bunched" },
	[OUT_PACING_GAIN] = { "pacing_gain", "", "rate, of bw" },
};

static const struct tapstack_cc_ops ops = {
	.struct_size = sizeof(ops),
	.flags = TAPSTACK_CC_NEEDS_PACING | TAPSTACK_CC_OWN_RECOVERY,
	.state_size = sizeof(struct bbr),
	.init = bbr_init,
	.on_sent = bbr_on_sent,
	.on_ack = bbr_on_ack,
	.on_event = bbr_on_event,
	.outputs = bbr_outputs,
	.export_state = bbr_export,
	.import_state = bbr_import,
	.on_lost = bbr_on_lost,
};

_Static_assert(sizeof(struct bbr) <= TAPSTACK_CC_STATE_MAX, "more than the host gives");

const struct tapstack_plugin tapstack_plugin = {
	TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_CONGESTION),
	.name = "bbr",
	.version = "1.0",
	.licence = "MIT",
	.description = "BBR, version 3 (draft-ietf-ccwg-bbr-06)",
	.params = params,
	.param_count = BBR_PARAMS,
	.outputs = outputs,
	.output_count = sizeof(outputs) / sizeof(outputs[0]),
	.ops = &ops,
};
