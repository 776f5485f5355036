/* What congestion algorithms are told: sums over the connection's life, the moment at which what is reported was
 * sent, each segment that is lost; and what they may ask for besides a window. */
#include "repair.h"

#define LOST_MAX 64

/* An algorithm that notes what it is told. */
static struct tapstack_cc_sample last, at_event;
static struct tapstack_cc_env told_env;
static struct tapstack_cc_lost lost[LOST_MAX];
static uint32_t lost_count, lost_before_event, events, mtu_changes;
static uint64_t lost_in_samples;
static struct tapstack_cc_decision wanted;
static bool wants;

static int note_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                     struct tapstack_cc_decision *decision)
{
	(void)state, (void)params, (void)decision;
	told_env = *env;
	return 0;
}

static void note_ack(void *state, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	(void)state;
	assert_true(sample->delivered_total_bytes >= last.delivered_total_bytes);
	assert_true(sample->lost_total_bytes >= last.lost_total_bytes);
	last = *sample;
	lost_in_samples += sample->lost_bytes;
	if (wants)
		*decision = wanted;
}

static void note_event(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
                       struct tapstack_cc_decision *decision)
{
	(void)state;
	mtu_changes += event == TAPSTACK_CC_MTU_CHANGED;
	if (event == TAPSTACK_CC_LOSS || event == TAPSTACK_CC_RTO) {
		at_event = *sample;
		lost_before_event = lost_count;
		events++;
	}
	if (wants)
		*decision = wanted;
}

static void note_lost(void *state, const struct tapstack_cc_lost *what, struct tapstack_cc_decision *decision)
{
	(void)state, (void)decision;
	assert_int_equal(what->struct_size, sizeof(*what));
	lost[lost_count++ % LOST_MAX] = *what;
}

static struct tapstack_cc_ops ops = {
	.struct_size = sizeof(ops),
	.state_size = 8,
	.init = note_init,
	.on_ack = note_ack,
	.on_event = note_event,
	.on_lost = note_lost,
};
static const struct stack_congestion algorithm = { .name = "notes", .id = 3, .ops = &ops };

static void with_algorithm(struct stack_config *config)
{
	config->congestion_default = &algorithm;
}

static void counting(struct stack_config *config)
{
	with_algorithm(config);
	config->tcp.rack = false;
}

static void without_tail_probes(struct stack_config *config)
{
	with_algorithm(config);
	config->tcp.tail_loss_probe = false;
}

static int begin(void **state)
{
	(void)state;
	ops.flags = 0;
	ops.struct_size = sizeof(ops);
	memset(&last, 0, sizeof(last));
	lost_count = events = mtu_changes = 0;
	lost_in_samples = 0;
	wants = false;
	return 0;
}

/* Sums go on while the send queue comes and goes. */
static void sums_outlive_idle_times(void **state)
{
	struct peer *p = sending(with_algorithm, sacking, 3 * MSS);

	(void)state;
	assert_int_equal(last.delivered_total_bytes, 2 * MSS);
	expect_run(p, 2001, 3);
	peer_waits(p, RTT);
	acks(p, 3001);
	assert_int_equal(last.delivered_total_bytes, 3 * MSS);
	assert_int_equal(last.sent_delivered_bytes, 2 * MSS);
	assert_int_equal(last.sent_inflight_bytes, MSS);
	acks(p, 5001);
	assert_int_equal(last.delivered_total_bytes, 5 * MSS);
	assert_int_equal(last.sent_delivered_bytes, 2 * MSS);
	assert_int_equal(last.sent_inflight_bytes, 3 * MSS);
	service_sends(p, MSS);
	expect_data(p, 5001);
	peer_waits(p, RTT);
	acks(p, 6001);
	assert_int_equal(last.delivered_total_bytes, 6 * MSS);
	assert_int_equal(last.sent_delivered_bytes, 5 * MSS);
	assert_int_equal(last.lost_total_bytes, 0);
	assert_int_equal(told_env.flags, 0);
	assert_int_equal(told_env.ecn, TAPSTACK_CC_ECN_NONE);
	peer_stop(p);
}

static void told_of_each_loss(void (*tweak)(struct stack_config *))
{
	struct peer *p = sending(tweak, sacking, 10 * MSS);

	expect_run(p, 2001, 10);
	peer_waits(p, RTT);
	sack(p, 2001, 4001, 6001);
	assert_int_equal(lost_count, 0);
	sack(p, 2001, 4001, 7001);
	assert_int_equal(lost_count, 2);
	assert_int_equal(lost_before_event, 2);
	assert_int_equal(at_event.lost_bytes, 2 * MSS);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(lost[i].bytes, MSS);
		assert_int_equal(lost[i].mss_bytes, MSS);
		assert_int_equal(lost[i].sent_inflight_bytes, (i + 1) * MSS);
		assert_int_equal(lost[i].sent_lost_bytes, 0);
		assert_int_equal(lost[i].sent_delivered_bytes, 2 * MSS);
		assert_int_equal(lost[i].lost_total_bytes, (i + 1) * MSS);
		assert_int_equal(lost[i].delivered_total_bytes, 5 * MSS);
		assert_false(lost[i].is_retransmit);
	}
	assert_int_equal(last.lost_bytes, 2 * MSS);
	assert_int_equal(last.lost_total_bytes, 2 * MSS);
	assert_int_equal(last.delivered_total_bytes, 5 * MSS);
	assert_int_equal(last.sent_inflight_bytes, 5 * MSS); /* of what begins at 6001 */
	peer_ignores_rest(p);
	peer_waits(p, RTT);
	acks(p, 12001); /* what was sent again came, and all else */
	assert_int_equal(last.delivered_total_bytes, 12 * MSS);
	assert_int_equal(last.sent_lost_bytes, 2 * MSS);
	assert_int_equal(lost_in_samples, 2 * MSS);
	peer_stop_anyhow(p);
}

static void losses_by_time(void **state)
{
	(void)state;
	told_of_each_loss(with_algorithm);
}

static void losses_by_counting(void **state)
{
	(void)state;
	told_of_each_loss(counting);
}

/* Three duplicate ACKs without SACK, then a partial one. */
static void losses_without_sack(void **state)
{
	struct peer *p = sending(with_algorithm, (struct tcp_options){ 0 }, 10 * MSS);

	(void)state;
	expect_run(p, 2001, 10);
	peer_waits(p, RTT);
	for (int i = 0; i < 3; i++)
		acks(p, 2001);
	assert_int_equal(lost_count, 1);
	assert_int_equal(events, 1);
	peer_ignores_rest(p);
	acks(p, 5001);
	assert_int_equal(lost_count, 2);
	assert_int_equal(lost[1].lost_total_bytes, 2 * MSS);
	peer_stop_anyhow(p);
}

/* The reordering timer finds losses when no ACK comes: the next sample tells of them. */
static void losses_by_the_timer(void **state)
{
	struct peer *p = sending(with_algorithm, sacking, 10 * MSS);

	(void)state;
	expect_run(p, 2001, 10);
	peer_waits(p, RTT);
	sack(p, 2001, 4001, 5001);
	assert_int_equal(lost_count, 0);
	peer_waits(p, DURATION_MS(10));
	assert_int_equal(lost_count, 2);
	assert_int_equal(lost_before_event, 2);
	assert_int_equal(lost_in_samples, 0);
	sack(p, 2001, 4001, 6001);
	assert_int_equal(last.lost_bytes, 2 * MSS);
	peer_stop_anyhow(p);
}

/* All that was out is lost, and told before the event; once more when it is lost again. */
static void losses_by_timeout(void **state)
{
	struct peer *p = sending(without_tail_probes, sacking, 4 * MSS);

	(void)state;
	expect_run(p, 2001, 4);
	peer_waits(p, DURATION_MS(400));
	assert_int_equal(events, 1);
	assert_int_equal(lost_before_event, 4);
	assert_int_equal(at_event.lost_bytes, 4 * MSS);
	assert_int_equal(at_event.inflight_before_bytes, 4 * MSS);
	assert_int_equal(at_event.lost_total_bytes, 4 * MSS);
	peer_waits(p, DURATION_MS(600));
	assert_int_equal(events, 1);
	assert_int_equal(lost_count, 8);
	assert_true(lost[4].is_retransmit);
	assert_int_equal(lost[4].lost_total_bytes, 5 * MSS);
	assert_int_equal(lost[4].sent_lost_bytes, 4 * MSS);
	peer_stop_anyhow(p);
}

/* What a peer throws away that it had SACKed has been delivered twice in the end: sums never shrink. */
static void reneging_takes_nothing_back(void **state)
{
	struct peer *p = sending(without_tail_probes, sacking, 4 * MSS);

	(void)state;
	expect_run(p, 2001, 4);
	peer_waits(p, RTT);
	sack(p, 2001, 3001, 4001);
	assert_int_equal(last.delivered_total_bytes, 3 * MSS);
	acks(p, 3001);
	assert_int_equal(last.delivered_total_bytes, 4 * MSS);
	peer_waits(p, DURATION_S(1));
	assert_int_equal(counters(p).sack_reneges, 1);
	peer_ignores_rest(p);
	acks(p, 6001);
	assert_int_equal(last.delivered_total_bytes, 7 * MSS);
	service_sends(p, MSS);
	peer_ignores_rest(p);
	acks(p, 7001);
	assert_int_equal(last.delivered_total_bytes, 8 * MSS);
	assert_int_equal(last.sent_delivered_bytes, 7 * MSS);
	peer_stop_anyhow(p);
}

/* A path that carries less than was sent: what was too long is sent again, and it was not congestion. */
static void a_shorter_path_loses_nothing(void **state)
{
	struct peer *p;

	(void)state;
	if (peer_is_ipv6())
		return; /* no path of IPv6 is as narrow as that */
	p = sending(with_algorithm, sacking, 4 * MSS);
	expect_run(p, 2001, 4);
	peer_reports(p, SERVICE_PORT, PEER_PORT, OURS(2001), 900);
	peer_waits(p, DURATION_MS(300));
	assert_true(peer_info(p).mss < MSS);
	assert_int_equal(mtu_changes, 1);
	assert_int_equal(at_event.lost_bytes, 4 * MSS);
	assert_int_equal(lost_count, 0);
	peer_ignores_rest(p);
	acks(p, 6001);
	assert_int_equal(last.lost_total_bytes, 0);
	assert_int_equal(last.lost_bytes, 0);
	assert_int_equal(last.delivered_total_bytes, 6 * MSS);
	peer_stop_anyhow(p);
}

/* A plugin of before on_lost was there ends before it. */
static void older_plugins_are_not_told(void **state)
{
	struct peer *p;

	(void)state;
	ops.struct_size = offsetof(struct tapstack_cc_ops, on_lost);
	p = sending(with_algorithm, sacking, 10 * MSS);
	expect_run(p, 2001, 10);
	peer_waits(p, RTT);
	sack(p, 2001, 4001, 7001);
	assert_int_equal(lost_count, 0);
	assert_int_equal(last.lost_bytes, 2 * MSS);
	peer_stop_anyhow(p);
}

/* In recovery the window is the algorithm's where it says so; else it is come down to by PRR. */
static void own_recovery(void **state)
{
	(void)state;
	for (int own = 0; own < 2; own++) {
		struct peer *p;
		uint32_t pipe;

		begin(NULL);
		ops.flags = own ? TAPSTACK_CC_OWN_RECOVERY : 0;
		p = sending(with_algorithm, sacking, 40 * MSS);
		expect_run(p, 2001, 10);
		peer_waits(p, RTT);
		wants = true;
		wanted = (struct tapstack_cc_decision){ .cwnd_bytes = 20 * MSS, .ssthresh_bytes = 20 * MSS };
		sack(p, 2001, 3001, 6001);
		assert_int_equal(peer_info(p).ca_state, 1);
		pipe = peer_info(p).unacked - peer_info(p).sacked - peer_info(p).lost + peer_info(p).retrans;
		if (own)
			assert_int_equal(pipe, 20 * MSS);
		else
			assert_in_range(pipe, 7 * MSS, 11 * MSS);
		peer_stop_anyhow(p);
	}
}

static void paced_super_frames(struct stack_config *config)
{
	with_algorithm(config);
	config->gso_bytes_max = 65000;
	config->checksum_offload = true;
}

/* What leaves at once is what the algorithm says, paced or not; but a segment it is. */
static void bursts_are_bounded(void **state)
{
	static const struct {
		uint64_t pacing;
		uint32_t burst, most; /* `most`: in one frame, and paced in one moment but for a segment */
	} table[] = {
		{ 0, 0, 40 * MSS },        { 0, 5 * MSS, 5 * MSS },        { 0, 1, MSS },
		{ 20000000, 0, 20 * MSS }, { 20000000, 4 * MSS, 4 * MSS }, { 20000000, 1, MSS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct peer *p;
		uint32_t longest = 0, all = 0;

		begin(NULL);
		wants = true;
		wanted = (struct tapstack_cc_decision){ .cwnd_bytes = 40 * MSS,
			                                .ssthresh_bytes = 40 * MSS,
			                                .pacing_bytes_per_s = table[i].pacing,
			                                .burst_bytes_max = table[i].burst };
		p = sending(paced_super_frames, sacking, 60 * MSS);
		for (uint32_t n = p->frame_first; n < p->frame_count; n++) {
			uint32_t payload = p->frame[n].length - p->frame[n].header_bytes;

			all += payload;
			longest = payload > longest ? payload : longest;
		}
		assert_int_equal(longest, table[i].most);
		if (table[i].pacing > 0)
			assert_in_range(all, table[i].most, table[i].most + MSS);
		else
			assert_int_equal(all, 40 * MSS);
		peer_stop_anyhow(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(sums_outlive_idle_times, begin),
		cmocka_unit_test_setup(losses_by_time, begin),
		cmocka_unit_test_setup(losses_by_counting, begin),
		cmocka_unit_test_setup(losses_without_sack, begin),
		cmocka_unit_test_setup(losses_by_the_timer, begin),
		cmocka_unit_test_setup(losses_by_timeout, begin),
		cmocka_unit_test_setup(reneging_takes_nothing_back, begin),
		cmocka_unit_test_setup(a_shorter_path_loses_nothing, begin),
		cmocka_unit_test_setup(older_plugins_are_not_told, begin),
		cmocka_unit_test_setup(own_recovery, begin),
		cmocka_unit_test_setup(bursts_are_bounded, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
