/* The protocol machine in dialogues: open, close, reset, data, windows, timers. */
#include "../../support/peer.h"

static const struct tcp_options none = { 0 };

static void open_passive(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK,
	                        .ack = 1001,
	                        .check_options = true,
	                        .options = { .has_mss = true, .mss = 1460 } });
	assert_int_equal(peer_state(p), TCPS_SYN_RECEIVED);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) });
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	expect_journal(p, TCPS_LISTEN, TCPS_SYN_RECEIVED, CAUSE_RECEIVED_SYN);
	expect_journal(p, TCPS_SYN_RECEIVED, TCPS_ESTABLISHED, CAUSE_RECEIVED_ACK_OF_SYN);
	peer_stop(p);
}

static void options_are_agreed(void **state)
{
	struct peer *p = peer_start(NULL);
	struct tcp_options all = { .has_mss = true,
		                   .mss = 1400,
		                   .has_wscale = true,
		                   .wscale = 3,
		                   .sack_permitted = true,
		                   .has_timestamps = true,
		                   .tsval = 5 };

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .options = all });
	all.mss = 1460;
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001, .check_options = true, .options = all });
	assert_int_equal(p->last.options.tsecr, 5);
	peer_stop(p);
}

/* RFC 9293 3.5, figure 9: the peer knows nothing of the SYN, and says so. */
static void old_duplicate_syn(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 90 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 91 });
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 91 });
	expect_nothing(p);
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	peer_forgets_journal(p);
	peer_establishes(p, none); /* the real one, ISN 1000 */
	peer_stop(p);
}

static void open_active(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_connect_options to = { .remote = PEER_IP, .remote_port = 80, .local_port = 5000, .service = 2 };

	(void)state;
	assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	peer_sends(p, (struct seg){ .flags = TCP_SYN | TCP_ACK,
	                            .seq = 300,
	                            .ack = OURS(1),
	                            .source_port = 80,
	                            .destination_port = 5000 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 301 });
	assert_true(p->ready_flags & READY_CONNECTED);
	peer_stop(p);
}

/* RFC 9293 figure 8. */
static void open_simultaneous(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_connect_options to = { .remote = PEER_IP, .remote_port = 80, .local_port = 5000, .service = 2 };

	(void)state;
	assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 300, .source_port = 80, .destination_port = 5000 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .seq = OURS(0), .ack = 301 });
	assert_int_equal(peer_state(p), TCPS_SYN_RECEIVED);
	peer_sends(p, (struct seg){ .flags = TCP_SYN | TCP_ACK,
	                            .seq = 300,
	                            .ack = OURS(1),
	                            .source_port = 80,
	                            .destination_port = 5000 });
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	expect_nothing(p);
	expect_journal(p, TCPS_CLOSED, TCPS_SYN_SENT, CAUSE_LOCAL_CONNECT);
	expect_journal(p, TCPS_SYN_SENT, TCPS_SYN_RECEIVED, CAUSE_RECEIVED_SYN_SIMULTANEOUS);
	expect_journal(p, TCPS_SYN_RECEIVED, TCPS_ESTABLISHED, CAUSE_RECEIVED_ACK_OF_SYN);
	peer_stop(p);
}

static void refused(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_connect_options to = { .remote = PEER_IP, .remote_port = 80, .local_port = 5000, .service = 2 };

	(void)state;
	assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	peer_sends(p,
	           (struct seg){
	                   .flags = TCP_RST | TCP_ACK, .ack = OURS(1), .source_port = 80, .destination_port = 5000 });
	assert_true(p->ready_flags & READY_ERROR);
	assert_int_equal(p->ready.cause, CAUSE_RECEIVED_RST_REFUSED);
	peer_stop(p);
}

static void close_by_peer(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(1) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1002 });
	assert_true(p->ready_flags & READY_EOF);
	assert_true(stack_at_eof(p->stack, p->conn));
	service_sends(p, 10); /* half-closed: we may go on */
	expect(p, (struct seg){ .flags = TCP_ACK | TCP_PSH, .seq = OURS(1), .ack = 1002, .length = 10 });
	stack_close(p->stack, p->conn);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(11), .ack = 1002 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1002, .ack = OURS(12) });
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	expect_journal(p, TCPS_ESTABLISHED, TCPS_CLOSE_WAIT, CAUSE_RECEIVED_FIN);
	expect_journal(p, TCPS_CLOSE_WAIT, TCPS_LAST_ACK, CAUSE_LOCAL_CLOSE);
	expect_journal(p, TCPS_LAST_ACK, TCPS_CLOSED, CAUSE_RECEIVED_ACK_OF_FIN);
	peer_stop(p);
}

static void close_by_us(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	stack_close(p->stack, p->conn);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(1), .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(2) });
	assert_int_equal(peer_state(p), TCPS_FIN_WAIT_2);
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(2) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(2), .ack = 1002 });
	assert_int_equal(peer_state(p), TCPS_TIME_WAIT);
	/* A FIN sent again restarts 2MSL. */
	peer_waits(p, DURATION_S(50));
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(2) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(2), .ack = 1002 });
	peer_waits(p, DURATION_S(59));
	assert_int_equal(peer_state(p), TCPS_TIME_WAIT);
	peer_waits(p, DURATION_S(2));
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	expect_journal(p, TCPS_ESTABLISHED, TCPS_FIN_WAIT_1, CAUSE_LOCAL_CLOSE);
	expect_journal(p, TCPS_FIN_WAIT_1, TCPS_FIN_WAIT_2, CAUSE_RECEIVED_ACK_OF_FIN);
	expect_journal(p, TCPS_FIN_WAIT_2, TCPS_TIME_WAIT, CAUSE_RECEIVED_FIN);
	expect_journal(p, TCPS_TIME_WAIT, TCPS_CLOSED, CAUSE_TIMEOUT_2MSL);
	peer_stop_anyhow(p);
}

/* RFC 9293 figure 13. */
static void close_simultaneous(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	stack_close(p->stack, p->conn);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(1), .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(1) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(2), .ack = 1002 });
	assert_int_equal(peer_state(p), TCPS_CLOSING);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1002, .ack = OURS(2) });
	assert_int_equal(peer_state(p), TCPS_TIME_WAIT);
	peer_stop(p);
}

static void close_with_unread_data_resets(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 100 });
	stack_close(p->stack, p->conn);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_RST | TCP_ACK, .seq = OURS(1), .ack = 1101 });
	expect_journal(p, TCPS_ESTABLISHED, TCPS_CLOSED, CAUSE_LOCAL_CLOSE_UNREAD);
	peer_stop(p);
}

static void data_after_close_resets(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	stack_close(p->stack, p->conn);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(1), .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(2), .length = 10 });
	expect(p, (struct seg){ .flags = TCP_RST | TCP_ACK, .seq = OURS(2), .ack = 1001 });
	peer_stop(p);
}

/* RFC 5961: only the exact sequence number resets; others in the window are challenged, the rest is ignored. */
static void blind_reset(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1002 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1000 });
	expect_nothing(p);
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1001 + 400000 });
	expect_nothing(p);
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1001 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1001 });
	assert_true(p->ready_flags & READY_ERROR);
	assert_int_equal(p->ready.cause, CAUSE_RECEIVED_RST);
	peer_stop(p);
}

static void data_in_order(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 100 });
	expect_nothing(p); /* delayed */
	assert_int_equal(service_reads(p), 100);
	peer_waits(p, DURATION_MS(41));
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1101 });
	/* every second full segment at once: without an MSS option a segment is 536 bytes */
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1101, .ack = OURS(1), .length = 536 });
	expect_nothing(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1637, .ack = OURS(1), .length = 536 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 2173 });
	assert_int_equal(service_reads(p), 1072);
	peer_stop_anyhow(p);
}

static void data_out_of_order(void **state)
{
	struct tcp_options sack = { .sack_permitted = true };
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, sack);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1101, .ack = OURS(1), .length = 100 });
	expect(p, (struct seg){ .flags = TCP_ACK,
	                        .seq = OURS(1),
	                        .ack = 1001,
	                        .check_options = true,
	                        .options = { .sack_count = 1, .sack = { { { 1101 }, { 1201 } } } } });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1301, .ack = OURS(1), .length = 100 });
	expect(p, (struct seg){ .flags = TCP_ACK,
	                        .seq = OURS(1),
	                        .ack = 1001,
	                        .check_options = true,
	                        .options = { .sack_count = 2,
	                                     .sack = { { { 1301 }, { 1401 } }, { { 1101 }, { 1201 } } } } });
	assert_int_equal(service_reads(p), 0);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 150 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1201 });
	/* A FIN beyond a hole is kept, too. */
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_FIN, .seq = 1401, .ack = OURS(1) });
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1201, .ack = OURS(1), .length = 100 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1402 });
	assert_int_equal(service_reads(p), 400);
	assert_true(stack_at_eof(p->stack, p->conn));
	peer_stop(p);
}

static void retransmission_timeout_backs_off(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	service_sends(p, 100);
	expect(p, (struct seg){ .flags = TCP_ACK | TCP_PSH, .seq = OURS(1), .ack = 1001, .length = 100 });
	peer_waits(p, DURATION_MS(199));
	expect_nothing(p);
	peer_waits(p, DURATION_MS(3));
	expect(p, (struct seg){ .flags = TCP_ACK | TCP_PSH, .seq = OURS(1), .ack = 1001, .length = 100 });
	peer_waits(p, DURATION_MS(390));
	expect_nothing(p);
	peer_waits(p, DURATION_MS(20));
	expect(p, (struct seg){ .flags = TCP_ACK | TCP_PSH, .seq = OURS(1), .ack = 1001, .length = 100 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(101) });
	peer_waits(p, DURATION_S(10));
	peer_stop(p);
}

static void gives_up_at_last(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	service_sends(p, 100);
	peer_waits(p, DURATION_S(899));
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_waits(p, DURATION_S(62));
	assert_true(p->ready_flags & READY_ERROR);
	assert_int_equal(p->ready.cause, CAUSE_TIMEOUT_RETRANSMIT);
	peer_stop_anyhow(p);
}

static struct seg sack_ack(struct peer *p, uint32_t ack, uint32_t start, uint32_t end)
{
	struct seg seg = { .flags = TCP_ACK, .seq = 1001, .ack = OURS(ack) };

	seg.options.sack_count = 1;
	seg.options.sack[0] = (struct tcp_sack_block){ SEQ(OURS(start)), SEQ(OURS(end)) };
	return seg;
}

static void without_rack(struct stack_config *config)
{
	config->tcp.rack = false;
}

/* RFC 6675, for those who turn RACK off. */
static void fast_retransmit_by_sack(void **state)
{
	struct tcp_options sack = { .sack_permitted = true, .has_mss = true, .mss = 1000 };
	struct peer *p = peer_start(without_rack);

	(void)state;
	peer_establishes(p, sack);
	service_sends(p, 10000);
	for (uint32_t i = 0; i < 10; i++)
		expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1 + 1000 * i), .ack = 1001, .length = 1000 });
	peer_sends(p, sack_ack(p, 1, 1001, 2001));
	peer_sends(p, sack_ack(p, 1, 1001, 3001));
	expect_nothing(p);
	peer_sends(p, sack_ack(p, 1, 1001, 4001)); /* more than two segments above it: lost */
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 1000 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(10001) });
	expect_nothing(p);
	assert_int_equal(stack_get_counters(p->stack)->fast_recoveries, 1);
	peer_stop(p);
}

static void fast_retransmit_by_duplicate_acks(void **state)
{
	struct tcp_options mss = { .has_mss = true, .mss = 1000 };
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, mss);
	service_sends(p, 10000);
	peer_ignores_rest(p);
	for (int i = 0; i < 2; i++) {
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) });
		expect_nothing(p);
	}
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 1000 });
	/* A partial ACK (RFC 6582): the next hole at once. */
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(3001) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(3001), .ack = 1001, .length = 1000 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(10001) });
	peer_stop(p);
}

static void zero_window_is_probed(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = WINDOW_ZERO });
	service_sends(p, 100);
	expect_nothing(p);
	for (int i = 0; i < 20; i++) { /* for as long as the peer answers */
		peer_waits(p, DURATION_S(61));
		assert_true(p->frame_count > p->frame_first);
		peer_ignores_rest(p);
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = WINDOW_ZERO });
	}
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 1 });
	expect(p, (struct seg){ .flags = TCP_ACK | TCP_PSH, .seq = OURS(2), .ack = 1001, .length = 99 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(101) });
	peer_stop(p);
}

static void small_receive_buffer(struct stack_config *config)
{
	config->tcp.rcvbuf_initial_bytes = config->tcp.rcvbuf_max_bytes = 4096;
}

static void window_closes_and_opens(void **state)
{
	struct peer *p = peer_start(small_receive_buffer);

	(void)state;
	peer_establishes(p, none);
	for (uint32_t i = 0; i < 8; i++)
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001 + 512 * i, .ack = OURS(1), .length = 512 });
	peer_waits(p, DURATION_MS(50));
	peer_ignores_rest(p);
	/* full: text is refused, the ACK says so */
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 5097, .ack = OURS(1), .length = 100 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 5097, .window = WINDOW_ZERO });
	assert_int_equal(service_reads(p), 4096);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 5097, .window = 4096 });
	peer_stop(p);
}

static void nagle(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	service_sends(p, 10);
	expect(p, (struct seg){ .flags = TCP_ACK | TCP_PSH, .seq = OURS(1), .ack = 1001, .length = 10 });
	service_sends(p, 10);
	service_sends(p, 10);
	expect_nothing(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(11) });
	expect(p, (struct seg){ .flags = TCP_ACK | TCP_PSH, .seq = OURS(11), .ack = 1001, .length = 20 });
	peer_stop_anyhow(p);
}

static void paws(void **state)
{
	struct tcp_options ts = { .has_timestamps = true, .tsval = 1000 };
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, ts);
	ts.tsval = 999;
	ts.tsecr = p->last.options.tsval;
	assert_int_equal(
	        peer_sends(
	                p,
	                (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 10, .options = ts }),
	        VERDICT_DROP_PAWS);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	ts.tsval = 1001;
	assert_int_equal(
	        peer_sends(
	                p,
	                (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 10, .options = ts }),
	        VERDICT_ACCEPTED);
	assert_int_equal(service_reads(p), 10);
	peer_stop_anyhow(p);
}

static void one_half_open(struct stack_config *config)
{
	config->half_open_max = 1;
}

static void cookies_behind_the_table(void **state)
{
	struct peer *p = peer_start(one_half_open);
	struct tcp_options options = { .has_mss = true,
		                       .mss = 1400,
		                       .sack_permitted = true,
		                       .has_wscale = true,
		                       .wscale = 5,
		                       .has_timestamps = true,
		                       .tsval = 77 };
	struct tcp_options later = { .has_timestamps = true, .tsval = 78 };
	struct stack_conn_info info;

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1, .source_port = 9 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 2 });
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .options = options }),
	                 VERDICT_COOKIE_SENT);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	later.tsecr = p->last.options.tsval;
	/* a forged ACK is refused, the true one accepted */
	assert_int_equal(
	        peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(2), .options = later }),
	        VERDICT_DROP_LISTEN);
	expect(p, (struct seg){ .flags = TCP_RST, .seq = OURS(2) });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 5, .options = later });
	assert_int_equal(stack_info(p->stack, p->conn, &info), 0);
	assert_int_equal(info.mss, 1360 - 12); /* the next lower of eight */
	assert_int_equal(info.snd_wscale, 5);
	assert_true(info.sack && info.timestamps);
	assert_int_equal(service_reads(p), 5);
	peer_stop_anyhow(p);
}

static void new_syn_ends_time_wait(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	stack_close(p->stack, p->conn);
	peer_turn(p);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(2) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(2), .ack = 1002 });
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1002 }); /* RFC 1337 */
	assert_int_equal(peer_state(p), TCPS_TIME_WAIT);
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 900 }); /* old */
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(2), .ack = 1002 });
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5000 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 5001 });
	assert_int_equal(peer_state(p), TCPS_SYN_RECEIVED);
	peer_stop(p);
}

static void no_connection(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 5, .ack = 77, .destination_port = 99 });
	expect(p, (struct seg){ .flags = TCP_RST, .seq = 77 });
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5, .destination_port = 99 });
	expect(p, (struct seg){ .flags = TCP_RST | TCP_ACK, .seq = 0, .ack = 6 });
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 5, .destination_port = 99 });
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5, .bad_checksum = true }),
	                 VERDICT_DROP_CHECKSUM);
	peer_stop(p);
}

static void tiny_journal(struct stack_config *config)
{
	config->journal->capacity = 7;
}

static void full_journal_refuses_connections(void **state)
{
	struct peer *p = peer_start(tiny_journal);

	(void)state;
	peer_establishes(p, none); /* may need 6 records in all */
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1, .source_port = 9 }),
	                 VERDICT_DROP_JOURNAL_FULL);
	peer_stop(p);
}

static void with_offload(struct stack_config *config)
{
	config->checksum_offload = true;
	config->gso_bytes_max = 65000;
}

/* Comparisons of sequence numbers hold for half their space: nothing may be compared with where the stream began. */
static void stream_longer_than_the_sequence_space(void **state)
{
	const struct tcp_options options = { .has_mss = true, .mss = 1460, .has_wscale = true, .wscale = 10 };
	struct peer *p = peer_start(with_offload);
	uint64_t sent = 0, total = 5ull << 30;
	struct stack_conn_info info;

	(void)state;
	peer_establishes(p, options);
	while (sent < total) {
		struct frame_out out[4];
		struct iovec iov[64];
		ssize_t room;
		int count;

		room = stack_space(p->stack, p->conn, 1 << 20, iov, 64, &count);
		assert_true(room >= 0);
		stack_commit(p->stack, p->conn, (size_t)room);
		for (size_t n; (n = stack_output(p->stack, out, 4)) > 0;) {
			for (size_t i = 0; i < n; i++)
				sent += out[i].length - out[i].header_bytes;
		}
		assert_int_equal(stack_info(p->stack, p->conn, &info), 0);
		assert_in_range(info.send_q, 1, 17 << 20);
		assert_true(info.unacked > 0);
		p->now.ns += 100000;
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = info.snd_nxt });
		for (uint32_t i = 0; i < p->frame_count; i++)
			sent += p->frame[i].length - p->frame[i].header_bytes;
		peer_ignores_rest(p);
	}
	assert_int_equal(stack_info(p->stack, p->conn, &info), 0);
	assert_true(info.bytes_acked > 4ull << 30);
	assert_int_equal(info.retrans_total, 0);
	peer_stop_anyhow(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_passive),
		cmocka_unit_test(options_are_agreed),
		cmocka_unit_test(old_duplicate_syn),
		cmocka_unit_test(open_active),
		cmocka_unit_test(open_simultaneous),
		cmocka_unit_test(refused),
		cmocka_unit_test(close_by_peer),
		cmocka_unit_test(close_by_us),
		cmocka_unit_test(close_simultaneous),
		cmocka_unit_test(close_with_unread_data_resets),
		cmocka_unit_test(data_after_close_resets),
		cmocka_unit_test(blind_reset),
		cmocka_unit_test(data_in_order),
		cmocka_unit_test(data_out_of_order),
		cmocka_unit_test(retransmission_timeout_backs_off),
		cmocka_unit_test(gives_up_at_last),
		cmocka_unit_test(fast_retransmit_by_sack),
		cmocka_unit_test(fast_retransmit_by_duplicate_acks),
		cmocka_unit_test(zero_window_is_probed),
		cmocka_unit_test(window_closes_and_opens),
		cmocka_unit_test(nagle),
		cmocka_unit_test(paws),
		cmocka_unit_test(cookies_behind_the_table),
		cmocka_unit_test(new_syn_ends_time_wait),
		cmocka_unit_test(no_connection),
		cmocka_unit_test(stream_longer_than_the_sequence_space),
		cmocka_unit_test(full_journal_refuses_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
