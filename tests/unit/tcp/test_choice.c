/* Which congestion algorithm a connection begins with, the change of it while it lives, and who refers to it. */
#include "algorithms.h"

#include <errno.h>

static struct puppet first, second, third;
static struct tapstack_cc_ops first_ops, second_ops, third_ops;

static int begin(void **state)
{
	(void)state;
	puppet_make(&first, &first_ops, "first", 1, 16);
	puppet_make(&second, &second_ops, "second", 2, 16);
	puppet_make(&third, &third_ops, "third", 3, 200); /* too large for the record */
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_int_equal(first.users, 0); /* whatever happened, nobody refers to them any more */
	assert_int_equal(second.users, 0);
	assert_int_equal(third.users, 0);
	return 0;
}

static void with_first(struct stack_config *config)
{
	config->congestion_default = &first.congestion;
	config->tcp.cwnd_validation = false;
}

/* ---- at the beginning --------------------------------------------------------------------------------------------
 */

static void defaults_and_listeners(void **state)
{
	struct peer *p = peer_start(with_first);
	struct stack_connect_options to = { .remote = PEER_IP, .remote_port = 80, .congestion = &third.congestion };
	struct stack_listen_options options = { .port = 9, .backlog = 1 };
	struct conn_handle listener;

	(void)state;
	assert_int_equal(first.users, 2); /* the stack and its listener */
	stack_set_default_congestion(p->stack, &second.congestion);
	assert_int_equal(first.users, 1); /* that listener was given it before */
	assert_int_equal(stack_listen(p->stack, &options, &listener), 0);
	assert_int_equal(second.users, 2);
	assert_int_equal(stack_set_listener_congestion(p->stack, p->listener, &third.congestion), 0);
	assert_int_equal(first.users, 0);
	peer_establishes(p, (struct tcp_options){ 0 });
	assert_string_equal(peer_info(p).congestion, "third");
	assert_int_equal(peer_info(p).congestion_id, 3);
	assert_int_equal(third.users, 2);
	assert_int_equal(stack_set_listener_congestion(p->stack, p->listener, NULL), 0);
	assert_int_equal(third.users, 1);
	assert_int_equal(second.users, 3);
	assert_int_equal(stack_unlisten(p->stack, listener), 0);
	assert_int_equal(second.users, 2);
	assert_int_equal(stack_set_listener_congestion(p->stack, listener, NULL), -EBADF);
	stack_set_default_congestion(p->stack, NULL);
	assert_int_equal(second.users, 1);
	stack_abort(p->stack, p->conn);
	peer_turn(p);
	peer_ignores_rest(p);
	assert_int_equal(third.users, 0);
	assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
	assert_int_equal(third.users, 1); /* before it has begun */
	assert_int_equal(third.inits, 1);
	peer_stop_anyhow(p);
}

static void first_rule_that_fits(void **state)
{
	const struct stack_address here = { PEER_IP, 128 }, near = { PEER_IP, 120 }, far = { peer_address(77), 128 };
	const struct {
		struct stack_congestion_rule rule[2];
		const char *congestion;
	} table[] = {
		{ { { .any_service = true, .arm = { { &second.congestion, 1 } }, .arm_count = 1 } }, "second" },
		{ { { .service = 1, .arm = { { &second.congestion, 1 } }, .arm_count = 1 } }, "second" },
		{ { { .service = 5, .arm = { { &second.congestion, 1 } }, .arm_count = 1 } }, "first" },
		{ { { .any_service = true, .peer = here, .arm = { { &second.congestion, 1 } }, .arm_count = 1 } },
		  "second" },
		{ { { .any_service = true, .peer = near, .arm = { { &second.congestion, 1 } }, .arm_count = 1 } },
		  "second" },
		{ { { .any_service = true, .peer = far, .arm = { { &second.congestion, 1 } }, .arm_count = 1 } },
		  "first" },
		{ { { .any_service = true, .peer = far, .arm = { { &second.congestion, 1 } }, .arm_count = 1 },
		    { .any_service = true, .arm = { { &third.congestion, 1 } }, .arm_count = 1 } },
		  "third" },
		{ { { .any_service = true, .arm = { { &third.congestion, 1 } }, .arm_count = 1 },
		    { .any_service = true, .arm = { { &second.congestion, 1 } }, .arm_count = 1 } },
		  "third" },
		{ { { .any_service = true }, /* chooses nothing, and ends the search */
		    { .any_service = true, .arm = { { &second.congestion, 1 } }, .arm_count = 1 } },
		  "first" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct peer *p = peer_start(with_first);
		size_t count = table[i].rule[1].any_service ? 2 : 1;

		assert_int_equal(stack_set_congestion_rules(p->stack, table[i].rule, count), 0);
		peer_establishes(p, (struct tcp_options){ 0 });
		assert_string_equal(peer_info(p).congestion, table[i].congestion);
		peer_stop(p);
		end(NULL);
	}
}

/* Before it has begun: as it is shown, recorded and captured. */
static void half_open_ones_follow_rules(void **state)
{
	const struct stack_congestion_rule rule = { .any_service = true,
		                                    .arm = { { &second.congestion, 1 } },
		                                    .arm_count = 1 };
	struct peer *p = peer_start(with_first);
	struct stack_view out[8];
	struct stack_watch watch = { .out = out };
	struct stack_conn_info info[4] = { 0 };
	uint64_t cursor = 0;
	size_t count;

	(void)state;
	assert_int_equal(stack_set_congestion_rules(p->stack, &rule, 1), 0);
	stack_set_watch(p->stack, &watch);
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 });
	stack_set_watch(p->stack, NULL);
	assert_int_equal(watch.in.state, TCPS_SYN_RECEIVED);
	assert_int_equal(watch.in.congestion, 2);
	assert_int_equal(p->ring->record[p->journal_seen].congestion, 2);
	count = stack_walk(p->stack, &cursor, info, 4);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(info[i].congestion, info[i].state == TCPS_LISTEN ? "first" : "second");
	assert_in_range(count, 1, 4);
	peer_stop_anyhow(p);
}

static void rules_are_all_or_none(void **state)
{
	struct stack_congestion_rule rules[STACK_RULES_MAX + 1] = { { .any_service = true,
		                                                      .arm = { { &second.congestion, 1 } },
		                                                      .arm_count = 1,
		                                                      .shadow = &third.congestion } };
	const struct stack_congestion_rule bad[] = {
		{ .arm_count = STACK_RULE_ARMS_MAX + 1 },
		{ .arm_count = 1 },
		{ .arm = { { &first.congestion, 0 } }, .arm_count = 1 },
		{ .arm = { { &first.congestion, 1000001 } }, .arm_count = 1 },
		{ .peer = { .prefix_bits = 129 } },
		{ .sample_every = { -1 } },
	};
	struct peer *p = peer_start(with_first);

	(void)state;
	assert_int_equal(stack_set_congestion_rules(p->stack, rules, 1), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		rules[1] = bad[i];
		assert_int_equal(stack_set_congestion_rules(p->stack, rules, 2), -EINVAL);
	}
	assert_int_equal(stack_set_congestion_rules(p->stack, rules, STACK_RULES_MAX + 1), -EINVAL);
	test_memory_fail_after(&p->memory, 0);
	assert_int_equal(stack_set_congestion_rules(p->stack, rules, 1), -ENOMEM);
	test_memory_fail_never(&p->memory);
	assert_int_equal(second.users, 1);
	assert_int_equal(third.users, 1);
	assert_int_equal(stack_set_congestion_rules(p->stack, NULL, 0), 0);
	assert_int_equal(second.users + third.users, 0);
	rules[0].arm_count = 0;
	assert_int_equal(stack_set_congestion_rules(p->stack, rules, 1), 0); /* for the end of the stack */
	peer_stop(p);
}

/* Arms are taken by their weights, and by the same five-tuple always the same. */
static void arms_by_hash(void **state)
{
	const struct stack_congestion_rule rule = { .any_service = true,
		                                    .arm = { { &first.congestion, 1 }, { &second.congestion, 3 } },
		                                    .arm_count = 2 };
	uint32_t seconds = 0;
	uint8_t arm[2][400];

	(void)state;
	for (int run = 0; run < 2; run++) {
		struct peer *p = peer_start(with_first);

		assert_int_equal(stack_set_congestion_rules(p->stack, &rule, 1), 0);
		for (uint16_t i = 0; i < 400; i++) {
			struct stack_connect_options to = { .remote = PEER_IP,
				                            .remote_port = 80,
				                            .local_port = (uint16_t)(2000 + i) };

			assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
			arm[run][i] = (uint8_t)peer_info(p).congestion_id;
			stack_abort(p->stack, p->conn);
			seconds += arm[run][i] == 2;
		}
		peer_stop_anyhow(p);
	}
	assert_memory_equal(arm[0], arm[1], sizeof(arm[0]));
	assert_in_range(seconds, 2 * 260, 2 * 340);
}

/* ---- while it lives ----------------------------------------------------------------------------------------------
 */

static int change(struct peer *p, const struct stack_congestion *congestion)
{
	return stack_admin_congestion(p->stack, peer_info(p).id,
	                              &(struct stack_congestion_change){ .congestion = congestion });
}

static void window_and_times_are_kept(void **state)
{
	struct peer *p;

	(void)state;
	first.wanted = (struct tapstack_cc_decision){
		.cwnd_bytes = 33000, .ssthresh_bytes = 22000, .pacing_bytes_per_s = 1000000, .burst_bytes_max = 3000
	};
	p = sending(with_first, sacking, 10 * MSS);
	assert_int_equal(first.env.flags, 0);
	assert_int_equal(peer_info(p).pacing_rate, 1000000);
	assert_int_equal(change(p, &third.congestion), 0);
	assert_int_equal(first.users, 2);
	assert_int_equal(third.users, 1);
	assert_int_equal(third.env.flags, TAPSTACK_CC_SWITCHED);
	assert_int_equal(third.at_init.cwnd_bytes, 33000);
	assert_int_equal(third.at_init.ssthresh_bytes, 22000);
	assert_int_equal(third.at_init.pacing_bytes_per_s, 0); /* how fast the other one went is its own */
	assert_int_equal(third.at_init.burst_bytes_max, 0);
	assert_int_equal(third.env.srtt_ns, peer_info(p).srtt.ns);
	assert_in_range(third.env.min_rtt_ns, RTT.ns / 2, RTT.ns * 2);
	peer_turn(p);
	assert_int_equal(peer_info(p).notsent, 0); /* nothing waits for the pace of before */
	peer_ignores_rest(p);
	peer_waits(p, RTT);
	acks(p, 2001 + 10 * MSS);
	assert_int_equal(third.acks, 1);
	assert_int_equal(third.in_force.cwnd_bytes, 33000);
	assert_int_equal(change(p, &third.congestion), 0); /* anew */
	assert_int_equal(third.inits, 2);
	assert_int_equal(change(p, stack_builtin_reno()), 0);
	assert_string_equal(peer_info(p).congestion, "reno");
	assert_int_equal(third.users, 0);
	assert_int_equal(peer_info(p).cwnd, 33000);
	peer_stop(p);
}

static void switch_that_fails(void **state)
{
	struct peer *p = peer_start(with_first);
	struct stack_notice notice;

	(void)state;
	peer_establishes(p, (struct tcp_options){ 0 });
	test_memory_fail_after(&p->memory, 0);
	assert_int_equal(change(p, &third.congestion), -ENOMEM);
	test_memory_fail_never(&p->memory);
	assert_string_equal(peer_info(p).congestion, "first");
	assert_int_equal(first.inits, 1);
	assert_false(stack_next_notice(p->stack, &notice));
	second.refuses = 1;
	assert_int_equal(change(p, &second.congestion), -EINVAL);
	assert_string_equal(peer_info(p).congestion, "reno");
	assert_true(stack_next_notice(p->stack, &notice));
	assert_int_equal(notice.kind, STACK_NOTICE_CONGESTION_REFUSED);
	assert_int_equal(notice.from, 2);
	assert_int_equal(notice.to, 0);
	assert_int_equal(notice.connection_id, peer_info(p).id);
	assert_false(notice.shadow);
	assert_int_equal(second.users, 0);
	peer_stop(p);
}

static void only_what_is_there_can_be_changed(void **state)
{
	const struct stack_congestion_change to_second = { .congestion = &second.congestion };
	struct peer *p = peer_start(with_first);
	uint64_t id;

	(void)state;
	assert_int_equal(stack_admin_congestion(p->stack, 999, &to_second), -ENOENT);
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	assert_int_equal(stack_admin_congestion(p->stack, 1, &to_second), -EAGAIN);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) });
	id = peer_info(p).id;
	assert_int_equal(id, 1);
	assert_int_equal(stack_admin_congestion(p->stack, id, &to_second), 0);
	stack_close(p->stack, p->conn);
	peer_turn(p);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(2) });
	peer_ignores_rest(p);
	assert_int_equal(peer_state(p), TCPS_TIME_WAIT);
	assert_int_equal(stack_admin_congestion(p->stack, id, &to_second), -EALREADY);
	assert_int_equal(second.users, 0); /* TIME-WAIT knows the name only */
	peer_stop(p);
}

/* ---- all of them -------------------------------------------------------------------------------------------------
 */

static size_t move(struct peer *p, const struct stack_congestion *from, const struct stack_congestion *to)
{
	uint64_t cursor = 0;
	size_t moved = 0;

	while (cursor != UINT64_MAX)
		moved += stack_move_congestion(p->stack, &cursor, from, to);
	return moved;
}

static void versions_hand_over(void **state)
{
	const struct stack_congestion_rule rule = {
		.service = 99, .arm = { { &first.congestion, 1 } }, .arm_count = 1, .shadow = &first.congestion
	};
	struct stack_connect_options to = { .remote = PEER_IP, .remote_port = 80 };
	struct conn_handle opening;
	struct stack_conn_info info;
	struct peer *p;

	(void)state;
	third.congestion.name = "first"; /* a newer version */
	p = sending(with_first, sacking, 0);
	assert_int_equal(stack_set_congestion_rules(p->stack, &rule, 1), 0);
	assert_int_equal(stack_connect(p->stack, &to, &opening), 0);
	peer_ignores_rest(p);
	assert_int_equal(first.users, 6); /* default, listener, rule and its shadow, two connections */
	assert_int_equal(move(p, &first.congestion, &third.congestion), 2);
	assert_int_equal(first.users, 0);
	assert_int_equal(third.users, 6);
	assert_true(third.imported);
	assert_int_equal(third.inits, 1);
	assert_int_equal(third.env.flags, TAPSTACK_CC_SWITCHED);
	assert_int_equal(peer_info(p).output[0], 2);                       /* two ACKs had been counted */
	assert_int_equal(peer_info(p).cwnd, third.at_init.cwnd_bytes + 1); /* as import decides */
	assert_int_equal(stack_info(p->stack, opening, &info), 0);
	assert_int_equal(info.congestion_id, 3);
	stack_abort(p->stack, opening);
	peer_stop_anyhow(p);
}

static void what_cannot_be_imported_begins_anew(void **state)
{
	struct peer *p = sending(with_first, sacking, 0);

	(void)state;
	second.congestion.name = "first";
	second.import_fails = true;
	assert_int_equal(move(p, &first.congestion, &second.congestion), 1);
	assert_int_equal(peer_info(p).output[0], 0);
	assert_int_equal(peer_info(p).cwnd, second.at_init.cwnd_bytes);
	assert_int_equal(move(p, &second.congestion, &third.congestion), 1); /* of another name: not tried */
	assert_false(third.imported);
	assert_int_equal(second.users, 0);
	first.refuses = 1;
	assert_int_equal(move(p, &third.congestion, &first.congestion), 1);
	assert_string_equal(peer_info(p).congestion, "reno");
	stack_set_default_congestion(p->stack, NULL);
	peer_stop(p);
}

/* A connection that is over, and whose service has not let go, does not keep the old one either. */
static void the_dead_are_moved_as_well(void **state)
{
	struct peer *p = sending(with_first, sacking, 0);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1001 });
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	assert_int_equal(first.users, 3);
	assert_int_equal(move(p, &first.congestion, &third.congestion), 1);
	assert_int_equal(first.users, 0);
	assert_int_equal(third.inits, 0);
	stack_close(p->stack, p->conn);
	peer_stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(defaults_and_listeners, begin, end),
		cmocka_unit_test_setup_teardown(first_rule_that_fits, begin, end),
		cmocka_unit_test_setup_teardown(half_open_ones_follow_rules, begin, end),
		cmocka_unit_test_setup_teardown(rules_are_all_or_none, begin, end),
		cmocka_unit_test_setup_teardown(arms_by_hash, begin, end),
		cmocka_unit_test_setup_teardown(window_and_times_are_kept, begin, end),
		cmocka_unit_test_setup_teardown(switch_that_fails, begin, end),
		cmocka_unit_test_setup_teardown(only_what_is_there_can_be_changed, begin, end),
		cmocka_unit_test_setup_teardown(versions_hand_over, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_imported_begins_anew, begin, end),
		cmocka_unit_test_setup_teardown(the_dead_are_moved_as_well, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
