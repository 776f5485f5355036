/* Algorithms in shadow: told the same, decide for themselves, and nobody acts on it. */
#include "algorithms.h"

#include <errno.h>

static struct puppet acting, dark, other;
static struct tapstack_cc_ops acting_ops, dark_ops, other_ops;

static int begin(void **state)
{
	(void)state;
	puppet_make(&acting, &acting_ops, "acting", 1, 16);
	puppet_make(&dark, &dark_ops, "dark", 2, 16);
	puppet_make(&other, &other_ops, "dark", 3, 300); /* the next version */
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_int_equal(acting.users + dark.users + other.users, 0);
	return 0;
}

static void with_acting(struct stack_config *config)
{
	config->congestion_default = &acting.congestion;
	config->tcp.cwnd_validation = false;
	config->tcp.tail_loss_probe = false;
}

static int set_shadow(struct peer *p, const struct stack_congestion *shadow)
{
	return stack_admin_congestion(p->stack, peer_info(p).id,
	                              &(struct stack_congestion_change){ .set_shadow = true, .shadow = shadow });
}

/* All that the one hears the other hears. */
static void it_is_told_the_same(void **state)
{
	struct peer *p = sending(with_acting, sacking, 0);
	uint32_t acks_before = acting.acks, sent_before = acting.sent;

	(void)state;
	assert_int_equal(set_shadow(p, &dark.congestion), 0);
	assert_int_equal(dark.users, 1);
	assert_int_equal(dark.env.flags, TAPSTACK_CC_SHADOW | TAPSTACK_CC_SWITCHED);
	assert_int_equal(dark.at_init.cwnd_bytes, peer_info(p).cwnd);
	service_sends(p, 10 * MSS);
	peer_ignores_rest(p);
	peer_waits(p, RTT);
	sack(p, 2001, 4001, 7001);
	assert_int_equal(dark.lost, 2);
	assert_int_equal(dark.events[TAPSTACK_CC_LOSS], 1);
	peer_ignores_rest(p);
	peer_waits(p, RTT);
	acks(p, 12001);
	assert_int_equal(dark.events[TAPSTACK_CC_RECOVERED], 1);
	service_sends(p, 2 * MSS);
	peer_waits(p, DURATION_S(1));
	assert_int_equal(dark.events[TAPSTACK_CC_RTO], 1);
	assert_int_equal(dark.acks, acting.acks - acks_before);
	assert_int_equal(dark.sent, acting.sent - sent_before);
	assert_int_equal(dark.lost, acting.lost);
	assert_memory_equal(&dark.sample, &acting.sample, sizeof(dark.sample));
	peer_stop_anyhow(p);
}

static void nobody_acts_on_it(void **state)
{
	struct peer *p = sending(with_acting, sacking, 0);

	(void)state;
	acting.wanted = (struct tapstack_cc_decision){ .cwnd_bytes = 20 * MSS, .ssthresh_bytes = 15 * MSS };
	dark.wanted = (struct tapstack_cc_decision){
		.cwnd_bytes = 3 * MSS, .ssthresh_bytes = 2 * MSS, .pacing_bytes_per_s = 100000, .burst_bytes_max = MSS
	};
	assert_int_equal(set_shadow(p, &dark.congestion), 0);
	service_sends(p, 30 * MSS);
	peer_ignores_rest(p);
	peer_waits(p, RTT);
	acks(p, 3001);
	assert_int_equal(peer_info(p).cwnd, 20 * MSS);
	assert_int_equal(peer_info(p).ssthresh, 15 * MSS);
	assert_int_equal(peer_info(p).pacing_rate, 0);
	assert_int_equal(peer_info(p).unacked, 20 * MSS);
	assert_string_equal(peer_info(p).congestion, "acting");
	assert_string_equal(peer_info(p).shadow, "dark");
	assert_int_equal(peer_info(p).shadow_id, 2);
	assert_int_equal(peer_info(p).shadow_cwnd, 3 * MSS);
	assert_int_equal(peer_info(p).shadow_ssthresh, 2 * MSS);
	assert_int_equal(peer_info(p).shadow_pacing_rate, 100000);
	assert_int_equal(peer_info(p).shadow_output_count, 2);
	assert_int_equal(peer_info(p).shadow_output[0], 1);
	acks(p, 4001);
	assert_int_equal(dark.in_force.cwnd_bytes, 3 * MSS); /* its own goes on */
	assert_int_equal(acting.in_force.cwnd_bytes, 20 * MSS);
	/* It stays when the other one is exchanged. */
	assert_int_equal(
	        stack_admin_congestion(p->stack, peer_info(p).id,
	                               &(struct stack_congestion_change){ .congestion = stack_builtin_reno() }),
	        0);
	assert_string_equal(peer_info(p).shadow, "dark");
	assert_int_equal(dark.inits, 1);
	assert_int_equal(set_shadow(p, NULL), 0);
	assert_null(peer_info(p).shadow);
	assert_int_equal(dark.users, 0);
	peer_stop_anyhow(p);
}

static void rules_bring_shadows(void **state)
{
	const struct stack_congestion_rule rule = { .any_service = true, .shadow = &dark.congestion };
	struct peer *p = peer_start(with_acting);

	(void)state;
	assert_int_equal(stack_set_congestion_rules(p->stack, &rule, 1), 0);
	peer_establishes(p, (struct tcp_options){ 0 });
	assert_string_equal(peer_info(p).congestion, "acting");
	assert_string_equal(peer_info(p).shadow, "dark");
	assert_int_equal(dark.env.flags, TAPSTACK_CC_SHADOW | TAPSTACK_CC_NO_SACK);
	assert_int_equal(dark.users, 2);
	peer_stop(p);
}

static void offenders_leave(void **state)
{
	struct peer *p = sending(with_acting, sacking, 0);
	struct stack_notice notice;
	uint32_t at = 2001;

	(void)state;
	dark.wanted.cwnd_bytes = 1;
	assert_int_equal(set_shadow(p, &dark.congestion), 0); /* the first offence */
	for (int i = 0; i < 7; i++) {
		assert_string_equal(peer_info(p).shadow, "dark");
		assert_int_equal(peer_info(p).shadow_cwnd, MSS);
		service_sends(p, MSS);
		peer_ignores_rest(p);
		acks(p, at += MSS);
	}
	assert_null(peer_info(p).shadow);
	assert_int_equal(dark.users, 0);
	assert_string_equal(peer_info(p).congestion, "acting");
	assert_int_equal(peer_info(p).congestion_offences, 0);
	assert_true(stack_next_notice(p->stack, &notice));
	assert_int_equal(notice.kind, STACK_NOTICE_CONGESTION_OFFENCES);
	assert_int_equal(notice.from, 2);
	assert_true(notice.shadow);
	assert_false(stack_next_notice(p->stack, &notice));
	peer_stop(p);
}

static void beginnings_that_fail(void **state)
{
	struct peer *p = sending(with_acting, sacking, 0);
	struct stack_notice notice;

	(void)state;
	assert_int_equal(set_shadow(p, &dark.congestion), 0);
	test_memory_fail_after(&p->memory, 0);
	assert_int_equal(set_shadow(p, &other.congestion), -ENOMEM);
	test_memory_fail_never(&p->memory);
	assert_int_equal(peer_info(p).shadow_id, 2); /* as before */
	other.refuses = 1;
	assert_int_equal(set_shadow(p, &other.congestion), -EINVAL);
	assert_int_equal(peer_info(p).shadow_id, 2);
	for (int i = 0; i < 2; i++) {
		bool any = stack_next_notice(p->stack, &notice);

		if (i == 0 && !any) /* there was no memory for the first */
			break;
		assert_int_equal(notice.kind, STACK_NOTICE_CONGESTION_REFUSED);
		assert_true(notice.shadow);
	}
	peer_stop(p);
}

static void shadows_are_moved(void **state)
{
	struct peer *p = sending(with_acting, sacking, 0);
	uint64_t cursor = 0;

	(void)state;
	assert_int_equal(set_shadow(p, &dark.congestion), 0);
	service_sends(p, MSS);
	peer_ignores_rest(p);
	acks(p, 3001);
	dark.wanted.cwnd_bytes = 0;
	assert_int_equal(stack_move_congestion(p->stack, &cursor, &dark.congestion, &other.congestion), 1);
	assert_int_equal(cursor, UINT64_MAX);
	assert_true(other.imported);
	assert_int_equal(other.env.flags, TAPSTACK_CC_SHADOW | TAPSTACK_CC_SWITCHED);
	assert_int_equal(dark.users, 0);
	assert_int_equal(peer_info(p).shadow_id, 3);
	assert_int_equal(peer_info(p).shadow_output[0], 1);
	peer_stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_told_the_same, begin, end),
		cmocka_unit_test_setup_teardown(nobody_acts_on_it, begin, end),
		cmocka_unit_test_setup_teardown(rules_bring_shadows, begin, end),
		cmocka_unit_test_setup_teardown(offenders_leave, begin, end),
		cmocka_unit_test_setup_teardown(beginnings_that_fail, begin, end),
		cmocka_unit_test_setup_teardown(shadows_are_moved, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
