/* RFC 9293 section 3.9.1: the calls of the program; and 3.10.7.4, which segments are kept and when they are answered.
 */
#include "dialogue.h"

/* ---- 3.9.1.2: SEND and the push flag
 * ---------------------------------------------------------------------------------- */

void must_60_data_does_not_wait_for_a_push(void **state)
{
	struct peer *p = opened(NULL, mss_option(1000));

	(void)state; /* the calls have no push flag: each octet goes out with its turn, at the latest after an ACK */
	service_sends(p, 1);
	hears(p, TCP_ACK, 1, 1, 1);
	service_sends(p, 1);
	says(p, TCP_ACK, 1, 0, 2);
	hears(p, TCP_ACK, 2, 1, 1);
	peer_stop(p);
}

void must_61_psh_on_the_last_segment(void **state)
{
	struct peer *p = opened(NULL, mss_option(1000));

	(void)state;
	service_sends(p, 2500);
	hears(p, TCP_ACK, 1, 1000, 1);
	assert_false(p->last.flags & TCP_PSH);
	hears(p, TCP_ACK, 1001, 1000, 1);
	assert_false(p->last.flags & TCP_PSH);
	hears(p, TCP_ACK | TCP_PSH, 2001, 500, 1);
	peer_stop(p);
}

/* Many small calls in one turn: full segments, one PSH at the end. */
void shld_27_pushes_are_collapsed(void **state)
{
	struct peer *p = opened(NULL, mss_option(1000));
	uint8_t bytes[100];

	(void)state;
	for (uint32_t i = 0; i < 25; i++) {
		for (uint32_t j = 0; j < 100; j++)
			bytes[j] = peer_pattern(1 + 100 * i + j);
		assert_int_equal(stack_send(p->stack, p->conn, bytes, 100), 100);
	}
	peer_turn(p);
	hears(p, TCP_ACK, 1, 1000, 1);
	assert_false(p->last.flags & TCP_PSH);
	hears(p, TCP_ACK, 1001, 1000, 1);
	hears(p, TCP_ACK | TCP_PSH, 2001, 500, 1);
	peer_stop(p);
}

void shld_28_segments_are_full_sized(void **state)
{
	struct peer *p = opened(NULL, mss_option(1000));

	(void)state;
	says_window(p, 1, 1, 3500);
	service_sends(p, 20000);
	hears_run(p, 3, 1, 1000); /* not 500 more, though the window has room */
	expect_nothing(p);
	says_window(p, 1, 3001, 65535);
	hears_run(p, 10, 3001, 1000);
	peer_stop_anyhow(p);
}

/* stack_cork is the push flag turned round: with it data waits for more (MAY-16), but not for ever; without it what
 * waited is pushed (MAY-15). */
void may_16_unpushed_data_is_held_back(void **state)
{
	struct peer *p = opened(classic, mss_option(1000));

	(void)state;
	assert_int_equal(stack_cork(p->stack, p->conn, true), 0);
	service_sends(p, 10);
	expect_nothing(p);
	service_sends(p, 995);
	hears(p, TCP_ACK, 1, 1000, 1); /* a full segment goes */
	expect_nothing(p);
	says(p, TCP_ACK, 1, 0, 1001);
	wakes_after(p, 200); /* MUST-60 */
	hears(p, TCP_ACK, 1001, 5, 1);
	peer_stop_anyhow(p);
}

void may_15_push(void **state)
{
	struct peer *p = opened(classic, mss_option(1000));

	(void)state;
	assert_int_equal(stack_cork(p->stack, p->conn, true), 0);
	service_sends(p, 10);
	expect_nothing(p);
	assert_int_equal(stack_cork(p->stack, p->conn, false), 0);
	peer_turn(p);
	hears(p, TCP_ACK | TCP_PSH, 1, 10, 1);
	peer_stop(p);
}

/* ---- 3.9.1.7: FLUSH
 * ------------------------------------------------------------------------------------------------ */

void may_14_flush(void **state)
{
	struct peer *p = opened(NULL, mss_option(1000));

	(void)state;
	says_window(p, 1, 1, 2000);
	service_sends(p, 5000);
	hears_run(p, 2, 1, 1000);
	assert_int_equal(stack_flush(p->stack, p->conn), 3000);
	says(p, TCP_ACK, 1, 0, 2001);
	expect_nothing(p);
	service_sends(p, 10); /* what was flushed has no sequence numbers */
	hears(p, TCP_ACK, 2001, 10, 1);
	peer_stop(p);
}

/* ---- 3.9.1.9: differentiated services
 * -------------------------------------------------------------------------------- */

static void dscp_46(struct stack_config *config)
{
	config->tcp.dscp = 46;
	config->tcp.ecn = STACK_ECN_OFF;
}

void must_48_program_sets_the_dscp(void **state)
{
	struct stack_listen_options listen = { .port = 99, .backlog = 4 };
	struct seg seg = { .flags = TCP_SYN, .seq = THEIR_ISN, .destination_port = 99 };
	struct peer *p = peer_start(NULL);
	struct conn_handle listener;
	struct stack_config config;

	(void)state;
	stack_config_init(&config);
	dscp_46(&config);
	listen.tcp = &config.tcp;
	assert_int_equal(stack_listen(p->stack, &listen, &listener), 0);
	peer_sends(p, seg);
	assert_int_equal(next_ip(p).tos, 46 << 2);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	seg.flags = TCP_ACK;
	seg.seq = THEIRS(1);
	seg.ack = OURS(1);
	peer_sends(p, seg);
	service_sends(p, 10);
	assert_int_equal(next_ip(p).tos, 46 << 2);
	hears(p, TCP_ACK, 1, 10, 1);
	peer_stop(p);
}

void shld_21_dscp_can_change(void **state)
{
	struct peer *p = opened(dscp_46, no_options);
	struct stack_tcp_config tcp;

	(void)state;
	service_sends(p, 10);
	assert_int_equal(next_ip(p).tos, 46 << 2);
	hears(p, TCP_ACK, 1, 10, 1);
	says(p, TCP_ACK, 1, 0, 11);
	assert_int_equal(stack_get_tcp(p->stack, p->conn, &tcp), 0);
	tcp.dscp = 8;
	assert_int_equal(stack_set_tcp(p->stack, p->conn, &tcp), 0);
	service_sends(p, 10);
	assert_int_equal(next_ip(p).tos, 8 << 2);
	hears(p, TCP_ACK, 11, 10, 1);
	peer_stop(p);
}

void shld_22_dscp_reaches_ip_unchanged(void **state)
{
	struct peer *p = opened(dscp_46, no_options);
	struct stack_tcp_config tcp;
	uint32_t at = 1;

	(void)state;
	assert_int_equal(stack_get_tcp(p->stack, p->conn, &tcp), 0);
	for (tcp.dscp = 0; tcp.dscp < 64; tcp.dscp++, at += 10) {
		assert_int_equal(stack_set_tcp(p->stack, p->conn, &tcp), 0);
		service_sends(p, 10);
		assert_int_equal(next_ip(p).tos >> 2, tcp.dscp);
		hears(p, TCP_ACK, at, 10, 1);
		says(p, TCP_ACK, 1, 0, at + 10);
	}
	assert_true(stack_set_tcp(p->stack, p->conn, &tcp) < 0); /* 64 is none */
	peer_stop(p);
}

void may_9_received_dscp_is_shown(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	says_raw(p, (struct raw){ .flags = TCP_ACK, .at = 1, .acks = 1, .length = 10, .tos = 34 << 2 });
	assert_int_equal(peer_info(p).rcv_dscp, 34);
	says_raw(p, (struct raw){ .flags = TCP_ACK, .at = 11, .acks = 1, .length = 10, .tos = 10 << 2 });
	assert_int_equal(peer_info(p).rcv_dscp, 10);
	service_reads(p);
	peer_stop_anyhow(p);
}

/* ---- 3.10.7.4: segments in and out of order
 * ----------------------------------------------------------------------------- */

/* Ten segments in one turn: two in a row would be answered each time, a batch is answered once. */
void must_58_acknowledgements_are_aggregated(void **state)
{
	struct peer *p = opened(NULL, mss_option(1000));

	(void)state;
	for (uint32_t i = 0; i < 10; i++)
		peer_puts(p, (struct seg){
		                     .flags = TCP_ACK, .seq = THEIRS(1 + 1000 * i), .ack = OURS(1), .length = 1000 });
	peer_turn(p);
	hears(p, TCP_ACK, 1, 0, 10001);
	expect_nothing(p);
	peer_stop_anyhow(p);
}

/* All that waits is processed before anything is acknowledged, also when it comes out of order. */
void must_59_all_queued_segments_before_the_ack(void **state)
{
	static const uint32_t order[] = { 4, 2, 3, 1, 0 };
	struct peer *p = opened(NULL, mss_option(1000));

	(void)state;
	for (int i = 0; i < 5; i++)
		peer_puts(p, (struct seg){ .flags = TCP_ACK,
		                           .seq = THEIRS(1 + 1000 * order[i]),
		                           .ack = OURS(1),
		                           .length = 1000 });
	peer_turn(p);
	hears(p, TCP_ACK, 1, 0, 5001);
	expect_nothing(p);
	assert_int_equal(service_reads(p), 5000);
	peer_ignores_rest(p);
	peer_stop(p);
}

void shld_31_out_of_order_segments_are_kept(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	says(p, TCP_ACK, 11, 10, 1);
	hears(p, TCP_ACK, 1, 0, 1);
	says(p, TCP_ACK | TCP_FIN, 21, 10, 1);
	hears(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(service_reads(p), 0);
	says(p, TCP_ACK, 1, 10, 1);
	hears(p, TCP_ACK, 1, 0, 32); /* all of it, and the FIN */
	assert_int_equal(service_reads(p), 30);
	assert_true(stack_at_eof(p->stack, p->conn));
	peer_stop(p);
}

void may_12_old_acks_are_checked(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state; /* below SND.UNA by more than the greatest window: the text is not trusted either */
	assert_int_equal(says(p, TCP_ACK, 1, 10, 1 - 65536 - 1), VERDICT_DROP_ACK_TOO_OLD);
	hears(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(says(p, TCP_ACK, 1, 10, 1 - 65535), VERDICT_ACCEPTED);
	peer_waits(p, DURATION_MS(100));
	hears(p, TCP_ACK, 1, 0, 11);
	peer_stop(p);
}

void may_13_out_of_order_segment_is_acknowledged_at_once(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	says(p, TCP_ACK, 101, 10, 1);
	hears(p, TCP_ACK, 1, 0, 1);
	says(p, TCP_ACK, 201, 10, 1);
	hears(p, TCP_ACK, 1, 0, 1);
	peer_stop(p);
}
