/* What goes wrong between two ends that mean well, or don't: windows that stay closed, neighbours that fall silent,
 * holes in odd shapes, memory that runs out, blind attackers. */
#include "../../support/peer.h"

static const struct tcp_options none = { 0 };

/* ---- receiving ------------------------------------------------------------------------------------------------- */

/* One segment that fills a hole, overlaps one waiting range and ends inside the next. */
static void filler_reaches_into_second_range(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1011, .ack = OURS(1), .length = 10 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1031, .ack = OURS(1), .length = 10 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1051, .ack = OURS(1), .length = 10 });
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 35 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1041 });
	assert_int_equal(service_reads(p), 40);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1041, .ack = OURS(1), .length = 10 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1061 });
	assert_int_equal(service_reads(p), 20);
	peer_stop(p);
}

/* RFC 5961 section 3: payload in front of it doesn't bring a blind RST nearer to the exact sequence number. */
static void reset_with_payload_is_judged_by_its_own_number(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 901, .length = 200 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_int_equal(p->verdict, VERDICT_CHALLENGE_ACK);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop(p);
}

/* Whatever it acknowledges, the window's right edge stays where it was (SHLD-14). */
static void challenge_keeps_the_edge(void **state)
{
	struct peer *p = peer_start(NULL);
	uint16_t window;

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	window = p->last.window;
	peer_puts(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 100 });
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_int_equal(p->last.window, window);
	peer_stop_anyhow(p);
}

/* What is given up for want of memory is not reported as received twice. */
static void what_is_given_up_came_not_twice(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, (struct tcp_options){ .sack_permitted = true });
	/* One report first, so that there is room for the next; read in place, so that there is none for text. */
	peer_puts(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 10 });
	assert_int_equal(service_reads(p), 10);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 10 });
	peer_ignores_rest(p);
	test_memory_fail_after(&p->memory, 0);
	peer_puts(p, (struct seg){ .flags = TCP_ACK, .seq = 1011, .ack = OURS(1), .length = 100 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1011, .ack = OURS(1), .length = 100 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1011 });
	assert_int_equal(p->last.options.sack_count, 0);
	test_memory_fail_never(&p->memory);
	peer_ignores_rest(p);
	peer_stop_anyhow(p);
}

/* A challenge ACK goes out at once; it must not acknowledge what may still have to be given up. */
static void challenge_acks_only_what_is_safe(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	test_memory_fail_after(&p->memory, 0);
	peer_puts(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 100 });
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 }); /* the challenge */
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	test_memory_fail_never(&p->memory);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 100 });
	assert_int_equal(service_reads(p), 100);
	peer_waits(p, DURATION_MS(50));
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1101 });
	peer_stop(p);
}

/* ---- sending into a closed window ------------------------------------------------------------------------------ */

/* Long silence before is no reason to give up: only unanswered probes are. */
static void idle_hours_before_a_closed_window(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = WINDOW_ZERO });
	peer_waits(p, DURATION_S(2 * 3600));
	expect_nothing(p);
	service_sends(p, 10);
	peer_waits(p, DURATION_MS(900));
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 1 });
	peer_ignores_rest(p);
	peer_waits(p, DURATION_S(1000)); /* and those are: the peer is gone */
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	assert_int_equal(p->ready.cause, CAUSE_TIMEOUT_ZERO_WINDOW);
	peer_stop_anyhow(p);
}

static void fin_into_a_closed_window(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = WINDOW_ZERO });
	stack_shutdown(p->stack, p->conn);
	peer_turn(p);
	expect_nothing(p);
	peer_waits(p, DURATION_S(2));
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(1), .ack = 1001 });
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(2), .window = WINDOW_ZERO });
	assert_int_equal(peer_state(p), TCPS_FIN_WAIT_2);
	peer_stop(p);
}

/* Karn: a probe that was sent several times says nothing about the round trip. */
static void probes_give_no_round_trip(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_conn_info info;

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = WINDOW_ZERO });
	service_sends(p, 10);
	peer_waits(p, DURATION_S(20)); /* the octet, and the same again and again */
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(2) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(2), .ack = 1001, .length = 9 });
	assert_int_equal(stack_info(p->stack, p->conn, &info), 0);
	assert_true(info.srtt.ns < 1000000000);
	peer_stop_anyhow(p);
}

/* RFC 9293 SHLD-15, SHLD-16: what lies beyond a window that has shrunk waits until it opens again. */
static void window_shrinks_over_data_in_flight(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, (struct tcp_options){ .has_mss = true, .mss = 1000 });
	service_sends(p, 4000);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = 300 });
	peer_waits(p, DURATION_MS(300));
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 300 });
	expect_nothing(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(301), .window = WINDOW_ZERO });
	expect_nothing(p);
	peer_waits(p, DURATION_S(3));
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(301), .ack = 1001, .length = 1 }); /* probes */
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(301) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(301), .ack = 1001, .length = 700 });
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1001) });
	for (int i = 0; i < 10 && peer_state(p) == TCPS_ESTABLISHED; i++) {
		peer_waits(p, DURATION_MS(500));
		peer_ignores_rest(p);
	}
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(4001) });
	peer_waits(p, DURATION_S(5));
	expect_nothing(p);
	peer_stop(p);
}

/* ---- closing --------------------------------------------------------------------------------------------------- */

static void fin_lost(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	stack_shutdown(p->stack, p->conn);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(1), .ack = 1001 });
	peer_waits(p, DURATION_MS(300));
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(1), .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(2) });
	assert_int_equal(peer_state(p), TCPS_FIN_WAIT_2);
	assert_true(p->ready_flags & READY_SENT);
	peer_waits(p, DURATION_S(10));
	peer_stop(p);
}

static void fin_lost_with_its_data(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	service_sends(p, 100);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 100 });
	service_sends(p, 50);
	stack_shutdown(p->stack, p->conn);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(101), .ack = 1001, .length = 50 });
	peer_waits(p, DURATION_MS(300));
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 100 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(101) });
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(101), .ack = 1001, .length = 50 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(151) }); /* all but the FIN */
	assert_int_equal(peer_state(p), TCPS_FIN_WAIT_1);
	peer_waits(p, DURATION_MS(450)); /* backed off until there is a new measurement (Karn) */
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(151), .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(152) });
	assert_int_equal(peer_state(p), TCPS_FIN_WAIT_2);
	peer_stop(p);
}

/* In recovery the FIN is a part of what has to be repaired. */
static void fin_lost_in_recovery(void **state)
{
	struct peer *p = peer_start(NULL);
	struct tcp_options sack = { .has_mss = true, .mss = 1000, .sack_permitted = true };
	struct tcp_options block = { .sack_count = 1 };

	(void)state;
	peer_establishes(p, sack);
	service_sends(p, 5000);
	stack_shutdown(p->stack, p->conn);
	peer_turn(p);
	peer_ignores_rest(p); /* five segments, the first and the FIN with the last get lost */
	block.sack[0] = (struct tcp_sack_block){ SEQ(OURS(1001)), SEQ(OURS(4001)) };
	for (int i = 0; i < 3; i++) {
		block.sack[0].end = SEQ(OURS(2001 + 1000 * i));
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .options = block });
	}
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 1000 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(4001) });
	assert_int_equal(peer_state(p), TCPS_FIN_WAIT_1);
	peer_waits(p, DURATION_S(2));
	expect(p, (struct seg){ .flags = TCP_ACK | TCP_PSH, .seq = OURS(4001), .ack = 1001, .length = 1000 });
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(5002) });
	assert_int_equal(peer_state(p), TCPS_FIN_WAIT_2);
	peer_stop(p);
}

/* A FIN whose neighbour has fallen silent for a while still gets out in the end. */
static void fin_waits_for_the_neighbour(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	p->answers_arp = false;
	peer_waits(p, DURATION_S(200)); /* long enough to be forgotten */
	peer_ignores_rest(p);
	stack_shutdown(p->stack, p->conn);
	peer_waits(p, DURATION_S(30)); /* and to have been asked for in vain */
	peer_ignores_rest(p);
	p->answers_arp = true;
	peer_waits(p, DURATION_S(10));
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(1), .ack = 1001 });
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(2) });
	assert_int_equal(peer_state(p), TCPS_FIN_WAIT_2);
	peer_stop(p);
}

/* ... and if it never answers again, the connection comes to an end, too. */
static void neighbour_gone_for_good(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	p->answers_arp = false;
	peer_waits(p, DURATION_S(200));
	service_sends(p, 10);
	stack_shutdown(p->stack, p->conn);
	peer_waits(p, DURATION_S(800));
	assert_int_equal(peer_state(p), TCPS_FIN_WAIT_1);
	peer_waits(p, DURATION_S(200));
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	assert_int_equal(p->ready.cause, CAUSE_TIMEOUT_RETRANSMIT);
	peer_stop_anyhow(p);
}

/* ---- what is held ---------------------------------------------------------------------------------------------- */

/* Room that was asked for and not used is given back at the end of the turn. */
static void unused_room_is_given_back(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_gauges gauges;
	struct iovec iov[8];
	int count;

	(void)state;
	peer_establishes(p, none);
	assert_int_equal(stack_space(p->stack, p->conn, 40000, iov, 8, &count), 40000);
	peer_turn(p);
	stack_get_gauges(p->stack, &gauges);
	assert_int_equal(gauges.buffer_bytes, 0);
	service_sends(p, 10);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 10 });
	stack_space(p->stack, p->conn, 100000, iov, 8, &count);
	peer_turn(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(11) });
	stack_get_gauges(p->stack, &gauges);
	assert_int_equal(gauges.buffer_bytes, 0);
	peer_stop(p);
}

/* A listener takes every half-open connection with it, whatever the order in which slots were given back before. */
static void unlisten_refuses_all_half_open(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_gauges gauges;

	(void)state;
	for (uint16_t i = 0; i < 12; i++)
		peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .source_port = (uint16_t)(2000 + i) });
	for (uint16_t i = 0; i < 12; i += 3) /* gaps, and a free list that runs backwards */
		peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1001, .source_port = (uint16_t)(2000 + i) });
	peer_ignores_rest(p);
	stack_unlisten(p->stack, p->listener);
	peer_turn(p);
	assert_int_equal(p->frame_count - p->frame_first, 8);
	peer_ignores_rest(p);
	stack_get_gauges(p->stack, &gauges);
	assert_int_equal(gauges.half_open, 0);
	peer_stop(p);
}

static struct conn_handle connect_to_port(struct peer *p, uint16_t port)
{
	struct stack_connect_options to = { .remote = PEER_IP,
		                            .remote_port = port,
		                            .local_port = (uint16_t)(port + 1) };
	struct conn_handle conn;

	assert_int_equal(stack_connect(p->stack, &to, &conn), 0);
	return conn;
}

/* stack_stop says how many are left, and means it. */
static void stop_counts_those_that_live_on(void **state)
{
	struct peer *p = peer_start(NULL);
	struct conn_handle conn[9];
	struct stack_gauges gauges;

	(void)state;
	for (uint16_t i = 0; i < 9; i++) {
		conn[i] = connect_to_port(p, (uint16_t)(100 + 2 * i));
		peer_turn(p);
		expect(p, (struct seg){ .flags = TCP_SYN });
		peer_sends(p, (struct seg){ .flags = TCP_SYN | TCP_ACK,
		                            .seq = 1,
		                            .ack = OURS(1),
		                            .source_port = (uint16_t)(100 + 2 * i),
		                            .destination_port = (uint16_t)(101 + 2 * i) });
		peer_ignores_rest(p);
	}
	for (int i = 0; i < 9; i++) {
		if (i % 2)
			stack_abort(p->stack, conn[i]);
		else
			stack_close(p->stack, conn[i]);
	}
	peer_turn(p);
	peer_ignores_rest(p);
	p->conn = CONN_HANDLE_NONE;
	assert_int_equal(stack_stop(p->stack, true), 0);
	stack_get_gauges(p->stack, &gauges);
	assert_int_equal(gauges.connections, 0);
	peer_stop_anyhow(p);
}

/* ---- limits ------------------------------------------------------------------------------------------------------
 */

static void small_buffers(struct stack_config *config)
{
	config->tcp.rcvbuf_initial_bytes = config->tcp.rcvbuf_max_bytes = 4096;
	config->tcp.sndbuf_initial_bytes = config->tcp.sndbuf_max_bytes = 4096;
}

/* RFC 9293 3.8.6.2.2: a closed window opens by a worthwhile step or not at all. */
static void window_does_not_open_by_crumbs(void **state)
{
	struct peer *p = peer_start(small_buffers);

	(void)state;
	peer_establishes(p, (struct tcp_options){ .has_mss = true, .mss = 1000 });
	for (uint32_t i = 0; i < 4; i++)
		peer_sends(p,
		           (struct seg){ .flags = TCP_ACK, .seq = 1001 + 1024 * i, .ack = OURS(1), .length = 1024 });
	peer_ignores_rest(p);
	assert_int_equal(stack_consume(p->stack, p->conn, 400), 0);
	peer_turn(p);
	expect_nothing(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 5097, .ack = OURS(1), .length = 1 }); /* a probe */
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 5097, .window = WINDOW_ZERO });
	assert_int_equal(stack_consume(p->stack, p->conn, 700), 0);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 5097, .window = 1100 });
	peer_stop_anyhow(p);
}

static void few_blocks(struct stack_config *config)
{
	config->buffers_max_bytes = 16 * 16384;
}

/* When the blocks of all connections are nearly used up, nobody is offered much more. */
static void windows_are_small_under_pressure(void **state)
{
	struct tcp_options scaled = { .has_mss = true, .mss = 1460, .has_wscale = true };
	struct peer *p = peer_start(few_blocks);
	struct conn_handle hog;
	uint32_t seq = 1001;

	(void)state;
	peer_establishes(p, scaled);
	hog = p->conn;
	for (int i = 0; i < 15 * 16; i++, seq += 1024) /* left unread */
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = seq, .ack = OURS(1), .length = 1024 });
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .source_port = 3000, .options = scaled });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .source_port = 3000 });
	seq = 1001;
	for (int i = 0; i < 64; i++, seq += 1024) {
		peer_sends(
		        p,
		        (struct seg){
		                .flags = TCP_ACK, .seq = seq, .ack = OURS(1), .length = 1024, .source_port = 3000 });
		service_reads(p);
	}
	peer_waits(p, DURATION_MS(50));
	while (p->frame_first < p->frame_count - 1)
		free(p->frame[p->frame_first++].bytes);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = seq });
	assert_in_range((uint32_t)p->last.window << 9, 1, 16384 + 1024);
	stack_abort(p->stack, hog);
	peer_turn(p);
	peer_ignores_rest(p);
	peer_stop_anyhow(p);
}

static void send_buffer_is_limited(void **state)
{
	struct peer *p = peer_start(small_buffers);
	static uint8_t bytes[10000];

	(void)state;
	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = peer_pattern(1 + i);
	peer_establishes(p, none);
	assert_int_equal(stack_send(p->stack, p->conn, bytes, sizeof(bytes)), 4096);
	assert_int_equal(stack_send(p->stack, p->conn, bytes + 4096, 10), 0);
	peer_turn(p);
	peer_ignores_rest(p);
	assert_false(p->ready_flags & READY_WRITABLE);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1 + 2000) });
	assert_true(p->ready_flags & READY_WRITABLE);
	assert_int_equal(stack_send(p->stack, p->conn, bytes + 4096, 10000 - 4096), 2000);
	peer_turn(p);
	peer_ignores_rest(p);
	peer_stop_anyhow(p);
}

/* A cookie took the last place: the half-open connection waits until there is one again. */
static void half_open_waits_for_the_backlog(void **state)
{
	struct stack_listen_options listen = { .port = 8, .service = 1, .backlog = 1 };
	struct peer *p = peer_start(NULL);
	struct seg ack[2];
	struct conn_handle first;

	(void)state;
	assert_int_equal(stack_listen(p->stack, &listen, &p->listener), 0);
	for (uint16_t i = 0; i < 2; i++) {
		peer_sends(p, (struct seg){ .flags = TCP_SYN,
		                            .seq = 1000,
		                            .source_port = (uint16_t)(2000 + i),
		                            .destination_port = 8 });
		expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
		ack[i] = (struct seg){ .flags = TCP_ACK,
			               .seq = 1001,
			               .ack = OURS(1),
			               .source_port = (uint16_t)(2000 + i),
			               .destination_port = 8 };
	}
	assert_int_equal(peer_puts(p, ack[1]), VERDICT_ACCEPTED); /* the cookie */
	assert_int_equal(peer_puts(p, ack[0]), VERDICT_DROP_BACKLOG);
	assert_int_equal(
	        peer_puts(p,
	                  (struct seg){ .flags = TCP_SYN, .seq = 1000, .source_port = 2002, .destination_port = 8 }),
	        VERDICT_DROP_BACKLOG); /* not even a cookie: it could not come true now */
	peer_turn(p);
	first = p->conn;
	assert_int_equal(peer_sends(p, ack[0]), VERDICT_ACCEPTED);
	assert_int_not_equal(p->conn.v, first.v);
	stack_abort(p->stack, first);
	peer_stop_anyhow(p);
}

static void half_open_gives_up(void **state)
{
	struct peer *p = peer_start(NULL);
	uint32_t answers;

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 });
	peer_waits(p, DURATION_S(50));
	assert_int_equal(peer_state(p), TCPS_SYN_RECEIVED);
	peer_waits(p, DURATION_S(70));
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	expect_journal(p, TCPS_LISTEN, TCPS_SYN_RECEIVED, CAUSE_RECEIVED_SYN);
	expect_journal(p, TCPS_SYN_RECEIVED, TCPS_CLOSED, CAUSE_TIMEOUT_SYN);
	answers = p->frame_count - p->frame_first;
	assert_in_range(answers, 5, 7); /* at once, and after 1, 3, 7, 15, 31 (and 63) seconds */
	peer_ignores_rest(p);
	peer_stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filler_reaches_into_second_range),
		cmocka_unit_test(reset_with_payload_is_judged_by_its_own_number),
		cmocka_unit_test(what_is_given_up_came_not_twice),
		cmocka_unit_test(challenge_acks_only_what_is_safe),
		cmocka_unit_test(challenge_keeps_the_edge),
		cmocka_unit_test(idle_hours_before_a_closed_window),
		cmocka_unit_test(fin_into_a_closed_window),
		cmocka_unit_test(probes_give_no_round_trip),
		cmocka_unit_test(window_shrinks_over_data_in_flight),
		cmocka_unit_test(fin_lost),
		cmocka_unit_test(fin_lost_with_its_data),
		cmocka_unit_test(fin_lost_in_recovery),
		cmocka_unit_test(fin_waits_for_the_neighbour),
		cmocka_unit_test(neighbour_gone_for_good),
		cmocka_unit_test(unused_room_is_given_back),
		cmocka_unit_test(unlisten_refuses_all_half_open),
		cmocka_unit_test(stop_counts_those_that_live_on),
		cmocka_unit_test(window_does_not_open_by_crumbs),
		cmocka_unit_test(windows_are_small_under_pressure),
		cmocka_unit_test(send_buffer_is_limited),
		cmocka_unit_test(half_open_waits_for_the_backlog),
		cmocka_unit_test(half_open_gives_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
