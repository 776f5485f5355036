/* Time series: a point when something has changed, none too soon after another, and a last one. */
#include "algorithms.h"

static struct puppet dark;
static struct tapstack_cc_ops dark_ops;

static int begin(void **state)
{
	(void)state;
	puppet_make(&dark, &dark_ops, "dark", 2, 16);
	return 0;
}

static int set_samples(struct peer *p, struct duration every)
{
	return stack_admin_congestion(
	        p->stack, peer_info(p).id,
	        &(struct stack_congestion_change){ .set_samples = true, .sample_every = every });
}

static size_t take(struct peer *p, struct stack_sample *samples)
{
	return stack_samples(p->stack, samples, 1000);
}

static struct stack_sample got[1000];

static void points_when_something_changes(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 0);

	(void)state;
	service_sends(p, MSS);
	expect_data(p, 2001);
	acks(p, 3001);
	assert_int_equal(take(p, got), 0); /* not wanted */
	assert_int_equal(set_samples(p, DURATION_MS(100)), 0);
	peer_turn(p);
	assert_int_equal(take(p, got), 1);
	assert_int_equal(got[0].connection_id, peer_info(p).id);
	assert_int_equal(got[0].at.ns, p->now.ns);
	assert_int_equal(got[0].congestion, 0);
	assert_int_equal(got[0].cwnd, peer_info(p).cwnd);
	assert_int_equal(got[0].ssthresh, UINT32_MAX);
	assert_int_equal(got[0].bytes_acked, 3 * MSS);
	assert_int_equal(got[0].srtt_ns, peer_info(p).srtt.ns);
	assert_int_equal(got[0].min_rtt_ns, peer_info(p).min_rtt.ns);
	assert_int_equal(got[0].snd_wnd, peer_info(p).snd_wnd);
	assert_int_equal(got[0].rcv_wnd, peer_info(p).rcv_wnd);
	assert_false(got[0].last);
	assert_false(got[0].has_shadow);
	peer_waits(p, DURATION_S(10));
	acks(p, 3001);
	assert_int_equal(take(p, got), 0); /* nothing has changed */
	service_sends(p, MSS);
	expect_data(p, 3001);
	assert_int_equal(take(p, got), 1);
	assert_int_equal(got[0].inflight, MSS);
	peer_waits(p, RTT);
	acks(p, 4001); /* too soon: it has a timer */
	assert_int_equal(take(p, got), 0);
	peer_waits(p, DURATION_MS(200));
	assert_int_equal(take(p, got), 1);
	assert_int_equal(got[0].inflight, 0);
	assert_int_equal(got[0].bytes_acked, 4 * MSS);
	peer_waits(p, DURATION_S(1));
	assert_int_equal(set_samples(p, DURATION_MS(0)), 0);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(4001), .length = 100 });
	assert_int_equal(take(p, got), 0);
	peer_stop_anyhow(p);
}

/* What a receiver sees, too. */
static void receiving_changes_something(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 0);

	(void)state;
	assert_int_equal(set_samples(p, DURATION_MS(1)), 0);
	peer_turn(p);
	take(p, got);
	peer_waits(p, DURATION_MS(10));
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(2001), .length = 100 });
	assert_int_equal(take(p, got), 1);
	assert_int_equal(got[0].bytes_received, 100);
	peer_stop_anyhow(p);
}

static void no_more_than_the_rate(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 0);
	struct instant last = { INT64_MIN };
	uint32_t at = 2001;
	size_t count;

	(void)state;
	assert_int_equal(set_samples(p, DURATION_MS(50)), 0);
	for (int i = 0; i < 200; i++) {
		service_sends(p, MSS);
		peer_ignores_rest(p);
		peer_waits(p, DURATION_MS(5));
		acks(p, at += MSS);
	}
	count = take(p, got);
	assert_in_range(count, 18, 21);
	for (size_t i = 0; i < count; i++) {
		assert_true(i == 0 || instant_sub(got[i].at, last).ns >= DURATION_MS(50).ns);
		last = got[i].at;
	}
	peer_stop_anyhow(p);
}

static void the_last_one_comes_always(void **state)
{
	(void)state;
	for (int orderly = 0; orderly < 2; orderly++) {
		struct peer *p = sending(no_tweak, sacking, 0);
		size_t count;

		assert_int_equal(set_samples(p, DURATION_S(100)), 0);
		peer_turn(p);
		assert_int_equal(take(p, got), 1);
		stack_close(p->stack, p->conn);
		peer_turn(p);
		peer_ignores_rest(p);
		if (orderly)
			peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(2002) });
		else
			peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1001 });
		count = take(p, got);
		assert_int_equal(count, 1);
		assert_true(got[0].last);
		assert_int_equal(got[0].bytes_acked, 2 * MSS);
		peer_waits(p, DURATION_S(200));
		assert_int_equal(take(p, got), 0);
		peer_stop_anyhow(p);
	}
}

static void rules_shadows_and_outputs(void **state)
{
	const struct stack_congestion_rule rule = { .any_service = true,
		                                    .arm = { { &dark.congestion, 1 } },
		                                    .arm_count = 1,
		                                    .shadow = &dark.congestion,
		                                    .sample_every = { 1000 } };
	struct peer *p = peer_start(no_tweak);
	size_t count;

	(void)state;
	dark.wanted = (struct tapstack_cc_decision){ .cwnd_bytes = 9000,
		                                     .ssthresh_bytes = UINT64_MAX,
		                                     .pacing_bytes_per_s = 5000000 };
	assert_int_equal(stack_set_congestion_rules(p->stack, &rule, 1), 0);
	peer_establishes(p, (struct tcp_options){ 0 });
	peer_waits(p, DURATION_MS(1));
	service_sends(p, 100);
	peer_ignores_rest(p);
	peer_waits(p, DURATION_MS(1));
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(101) });
	count = take(p, got);
	assert_true(count > 1);
	count--;
	assert_int_equal(got[count].congestion, 2);
	assert_true(got[count].has_shadow);
	assert_int_equal(got[count].shadow, 2);
	assert_int_equal(got[count].shadow_cwnd, 9000);
	assert_int_equal(got[count].shadow_ssthresh, UINT32_MAX);
	assert_int_equal(got[count].shadow_pacing_bytes_per_s, 5000000);
	assert_int_equal(got[count].output_count, 2);
	assert_int_equal(got[count].shadow_output_count, 2);
	assert_true(got[count].output[0] == 1 && got[count].output[1] == 0.5);
	assert_true(got[count].shadow_output[0] == 1);
	peer_stop_anyhow(p);
	assert_int_equal(dark.users, 0);
}

/* More outputs than are kept do no harm. */
static void many_outputs(const void *memory, double *values)
{
	(void)memory;
	for (int i = 0; i < STACK_OUTPUTS_MAX; i++)
		values[i] = i;
}

static void outputs_are_cut(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 0);
	const struct stack_congestion_change to_dark = { .congestion = &dark.congestion };

	(void)state;
	dark_ops.outputs = many_outputs;
	dark.congestion.output_count = STACK_OUTPUTS_MAX;
	assert_int_equal(stack_admin_congestion(p->stack, peer_info(p).id, &to_dark), 0);
	assert_int_equal(peer_info(p).output_count, STACK_SAMPLE_OUTPUTS_MAX);
	assert_int_equal(peer_info(p).output[7], 7);
	dark.congestion.output_count = STACK_OUTPUTS_MAX + 1;
	assert_int_equal(peer_info(p).output_count, 0);
	peer_stop(p);
}

static void what_nobody_takes_is_counted(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 0);
	uint32_t at = 2001;
	size_t kept;

	(void)state;
	assert_int_equal(set_samples(p, (struct duration){ 1 }), 0);
	for (int i = 0; i < 1000; i++) {
		service_sends(p, MSS);
		peer_ignores_rest(p);
		peer_waits(p, DURATION_US(10));
		acks(p, at += MSS);
	}
	kept = take(p, got);
	assert_in_range(kept, 100, 999);
	assert_true(counters(p).samples_missed > 0);
	assert_true(kept + counters(p).samples_missed >= 1000);
	peer_stop_anyhow(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(points_when_something_changes, begin),
		cmocka_unit_test_setup(receiving_changes_something, begin),
		cmocka_unit_test_setup(no_more_than_the_rate, begin),
		cmocka_unit_test_setup(the_last_one_comes_always, begin),
		cmocka_unit_test_setup(rules_shadows_and_outputs, begin),
		cmocka_unit_test_setup(outputs_are_cut, begin),
		cmocka_unit_test_setup(what_nobody_takes_is_counted, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
