/* Handshakes under load and with losses: the listener that goes away, cookies, TIME-WAIT in the way, what a repeated
 * SYN says about the path. */
#include "../../support/peer.h"

static const struct tcp_options none = { 0 };

static struct tcp_options with_everything(void)
{
	return (struct tcp_options){ .has_mss = true,
		                     .mss = 1460,
		                     .sack_permitted = true,
		                     .has_wscale = true,
		                     .wscale = 5,
		                     .has_timestamps = true,
		                     .tsval = 77 };
}

static struct stack_gauges gauges_of(struct peer *p)
{
	struct stack_gauges gauges;

	stack_get_gauges(p->stack, &gauges);
	return gauges;
}

/* ---- a connection that dies before anybody has been told of it ------------------------------------------------- */

/* The ACK that completes a handshake and an exact RST, in one batch. */
static struct peer *accepted_and_reset(void)
{
	struct peer *p = peer_start(NULL);

	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	assert_int_equal(peer_puts(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) }),
	                 VERDICT_ACCEPTED);
	assert_int_equal(peer_puts(p, (struct seg){ .flags = TCP_RST, .seq = 1001 }), VERDICT_RESET);
	return p;
}

static void dead_before_accepted_and_unlistened(void **state)
{
	struct peer *p = accepted_and_reset();

	(void)state;
	assert_int_equal(stack_unlisten(p->stack, p->listener), 0);
	peer_turn(p);
	assert_int_equal(p->ready_flags, 0);
	assert_int_equal(gauges_of(p).connections, 0);
	peer_stop(p);
}

static void dead_before_accepted_and_stopped(void **state)
{
	struct peer *p = accepted_and_reset();

	(void)state;
	stack_stop(p->stack, true);
	peer_turn(p);
	assert_int_equal(p->ready_flags, 0);
	assert_int_equal(gauges_of(p).connections, 0);
	peer_stop(p);
}

/* ---- cookies ----------------------------------------------------------------------------------------------------
 */

static void one_half_open(struct stack_config *config)
{
	config->half_open_max = 1;
}

static void one_half_open_one_connection(struct stack_config *config)
{
	config->half_open_max = 1;
	config->connections_max = 1;
}

/* Takes the only half-open record, so that the SYNs after it are answered with cookies. */
static void fills_the_table(struct peer *p)
{
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1, .source_port = 9 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 2 });
}

static void empties_the_table(struct peer *p)
{
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 2, .source_port = 9 });
	expect_nothing(p);
}

/* A connection that went with its listener is nothing to the next listener in the same place, while it still waits to
 * be struck off a list. */
static void dead_before_accepted_and_listened_again(void **state)
{
	struct stack_listen_options listen = { .port = SERVICE_PORT, .service = 1, .backlog = 16 };
	struct peer *p = peer_start(one_half_open);
	struct seg ack[2];

	(void)state;
	fills_the_table(p);
	for (uint16_t i = 0; i < 2; i++) {
		peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .source_port = (uint16_t)(2000 + i) });
		expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
		ack[i] = (struct seg){ .flags = TCP_ACK, .seq = 1001, .source_port = (uint16_t)(2000 + i) };
		ack[i].ack = OURS(1);
	}
	assert_int_equal(peer_puts(p, ack[0]), VERDICT_ACCEPTED);
	assert_int_equal(stack_unlisten(p->stack, p->listener), 0);
	assert_int_equal(stack_listen(p->stack, &listen, &p->listener), 0);
	assert_int_equal(peer_puts(p, ack[1]), VERDICT_ACCEPTED);
	assert_int_equal(stack_unlisten(p->stack, p->listener), 0);
	peer_turn(p);
	assert_int_equal(p->ready_flags, 0);
	assert_int_equal(gauges_of(p).connections, 0);
	peer_stop_anyhow(p);
}

/* What a cookie hides in its timestamp must not make it newer than the segments after it. */
static void cookie_timestamp_is_never_ahead(void **state)
{
	struct tcp_options options = with_everything(), later = { .has_timestamps = true, .tsval = 78 };
	struct peer *p = peer_start(one_half_open);

	(void)state;
	fills_the_table(p);
	for (uint16_t i = 0; i < 64; i++) {
		const struct seg from = { .source_port = (uint16_t)(2000 + i) };
		struct seg seg = from;

		p->now.ns += 1000000;
		seg.flags = TCP_SYN;
		seg.seq = 1000;
		seg.options = options;
		assert_int_equal(peer_sends(p, seg), VERDICT_COOKIE_SENT);
		expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
		later.tsecr = p->last.options.tsval;
		seg = from;
		seg.flags = TCP_ACK | TCP_FIN; /* answered at once */
		seg.seq = 1001;
		seg.ack = OURS(1);
		seg.options = later;
		assert_int_equal(peer_sends(p, seg), VERDICT_ACCEPTED);
		expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1002 });
		assert_in_range(p->last.options.tsval - later.tsecr, 0, 63);
		stack_abort(p->stack, p->conn);
		p->conn = CONN_HANDLE_NONE;
		peer_turn(p);
		expect(p, (struct seg){ .flags = TCP_RST | TCP_ACK, .seq = OURS(1) });
	}
	peer_stop_anyhow(p);
}

/* A FIN that comes without what was sent before it can't be told by its cookie; it is no reason to reset a connection
 * whose peer begins again with what was lost. What does not look like a cookie is refused as ever. */
static void later_segment_of_a_cookie(void **state)
{
	struct peer *p = peer_start(one_half_open);
	struct seg fin = { .flags = TCP_FIN | TCP_ACK, .seq = 1006, .source_port = 2000 }, data;

	(void)state;
	fills_the_table(p);
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .source_port = 2000 }),
	                 VERDICT_COOKIE_SENT);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK,
	                        .ack = 1001,
	                        .source_port = SERVICE_PORT,
	                        .destination_port = 2000 });
	fin.ack = OURS(1);
	assert_int_equal(peer_sends(p, fin), VERDICT_DROP_LISTEN);
	expect_nothing(p);
	data = (struct seg){
		.flags = TCP_PSH | TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 5, .source_port = 2000
	};
	assert_int_equal(peer_sends(p, data), VERDICT_ACCEPTED);
	assert_int_equal(gauges_of(p).in_state[TCPS_ESTABLISHED], 1);
	peer_ignores_rest(p);
	/* no text, or a number of long ago */
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1006, .ack = fin.ack, .source_port = 2001 });
	expect(p, (struct seg){
	                  .flags = TCP_RST, .seq = fin.ack, .source_port = SERVICE_PORT, .destination_port = 2001 });
	fin.source_port = 2001;
	fin.ack -= 8u << 27;
	peer_sends(p, fin);
	expect(p, (struct seg){
	                  .flags = TCP_RST, .seq = fin.ack, .source_port = SERVICE_PORT, .destination_port = 2001 });
	peer_stop_anyhow(p);
}

/* The echo of another segment's timestamp, after the connection was forgotten, tells nothing about options. */
static void cookie_goes_with_its_timestamp(void **state)
{
	struct seg seg = { .flags = TCP_SYN, .seq = 1000, .source_port = 2000, .options = with_everything() };
	struct peer *p = peer_start(one_half_open);

	(void)state;
	fills_the_table(p);
	assert_int_equal(peer_sends(p, seg), VERDICT_COOKIE_SENT);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	seg = (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .source_port = 2000 };
	seg.options = (struct tcp_options){ .has_timestamps = true, .tsval = 78 };
	for (uint32_t later = 1; later < 32; later++) {
		seg.options.tsecr = p->last.options.tsval ^ later;
		assert_int_equal(peer_puts(p, seg), VERDICT_DROP_LISTEN);
	}
	peer_turn(p);
	peer_ignores_rest(p);
	seg.options.tsecr = p->last.options.tsval;
	assert_int_equal(peer_sends(p, seg), VERDICT_ACCEPTED);
	peer_stop_anyhow(p);
}

/* What has been tuned between the cookie and its return: the peer goes by what the SYN-ACK has said. */
static void cookie_and_tuning(void **state)
{
	static const struct {
		bool timestamps; /* are still ours to use */
		uint8_t window_scale;
		bool taken;
	} rows[] = { { true, 7, true }, { false, 7, true }, { true, 9, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seg seg = { .flags = TCP_SYN, .seq = 1000, .options = with_everything() };
		struct peer *p = peer_start(one_half_open);
		struct stack_tcp_config tcp;

		fills_the_table(p);
		assert_int_equal(stack_get_tcp(p->stack, p->listener, &tcp), 0);
		tcp.window_scale = 7;
		assert_int_equal(stack_set_tcp(p->stack, p->listener, &tcp), 0);
		assert_int_equal(peer_sends(p, seg), VERDICT_COOKIE_SENT);
		expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
		assert_int_equal(p->last.options.wscale, 7);
		tcp.timestamps = rows[i].timestamps;
		tcp.window_scale = rows[i].window_scale;
		assert_int_equal(stack_set_tcp(p->stack, p->listener, &tcp), 0);
		seg = (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) };
		seg.options =
		        (struct tcp_options){ .has_timestamps = true, .tsval = 78, .tsecr = p->last.options.tsval };
		assert_int_equal(peer_sends(p, seg), rows[i].taken ? VERDICT_ACCEPTED : VERDICT_DROP_LISTEN);
		if (rows[i].taken) {
			assert_int_equal(peer_info(p).rcv_wscale, 7);
			assert_true(peer_info(p).timestamps);
		} else {
			expect(p, (struct seg){ .flags = TCP_RST, .seq = OURS(1) });
		}
		peer_stop_anyhow(p);
	}
}

/* The peer of a valid cookie believes in the connection: silence makes it try again, a RST would end it. */
static void cookie_without_room_is_kept_waiting(void **state)
{
	struct seg first = { .flags = TCP_ACK, .seq = 1001, .source_port = 2000 };
	struct seg second = { .flags = TCP_ACK, .seq = 1001, .source_port = 2001, .length = 5 };
	struct peer *p = peer_start(one_half_open_one_connection);

	(void)state;
	fills_the_table(p);
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .source_port = 2000 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	first.ack = OURS(1);
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .source_port = 2001 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	second.ack = OURS(1);
	peer_sends(p, first);
	assert_int_equal(gauges_of(p).connections, 1);
	assert_int_not_equal(peer_sends(p, second), VERDICT_ACCEPTED);
	expect_nothing(p);
	stack_abort(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_turn(p);
	peer_ignores_rest(p);
	assert_int_equal(peer_sends(p, second), VERDICT_ACCEPTED);
	assert_int_equal(service_reads(p), 5);
	peer_stop_anyhow(p);
}

/* The same when it is the service that is behind: its backlog of one is taken by a connection that it has not asked
 * for yet. */
static void cookie_with_a_full_backlog_is_kept_waiting(void **state)
{
	struct stack_listen_options listen = { .port = 8, .service = 1, .backlog = 1 };
	struct seg syn = { .flags = TCP_SYN, .seq = 1000, .destination_port = 8 };
	struct seg ack[2] = { { 0 } };
	struct peer *p = peer_start(one_half_open);
	struct conn_handle first;

	(void)state;
	assert_int_equal(stack_listen(p->stack, &listen, &p->listener), 0);
	fills_the_table(p);
	for (uint16_t i = 0; i < 2; i++) {
		syn.source_port = (uint16_t)(2000 + i);
		assert_int_equal(peer_sends(p, syn), VERDICT_COOKIE_SENT);
		expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
		ack[i] = (struct seg){
			.flags = TCP_ACK, .seq = 1001, .source_port = syn.source_port, .destination_port = 8
		};
		ack[i].ack = OURS(1);
	}
	assert_int_equal(peer_puts(p, ack[0]), VERDICT_ACCEPTED);
	assert_int_equal(peer_puts(p, ack[1]), VERDICT_DROP_BACKLOG);
	peer_turn(p);
	expect_nothing(p);
	first = p->conn;
	assert_int_equal(peer_sends(p, ack[1]), VERDICT_ACCEPTED);
	stack_abort(p->stack, first);
	peer_stop_anyhow(p);
}

/* The table was full, then a delayed duplicate of the SYN found room: the cookie that is out is still good. */
static void cookie_meets_a_record_made_since(void **state)
{
	struct seg syn = { .flags = TCP_SYN, .seq = 1000, .options = with_everything() };
	struct seg ack = { .flags = TCP_ACK, .seq = 1001, .length = 5 };
	struct peer *p = peer_start(one_half_open);
	uint32_t cookie;

	(void)state;
	fills_the_table(p);
	assert_int_equal(peer_sends(p, syn), VERDICT_COOKIE_SENT);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	cookie = p->iss;
	ack.options = (struct tcp_options){ .has_timestamps = true, .tsval = 78, .tsecr = p->last.options.tsval };
	empties_the_table(p);
	assert_int_equal(peer_sends(p, syn), VERDICT_ACCEPTED);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	assert_int_not_equal(p->iss, cookie);
	p->iss = cookie;
	ack.ack = OURS(1);
	assert_int_equal(peer_sends(p, ack), VERDICT_ACCEPTED);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	assert_int_equal(gauges_of(p).half_open, 0);
	assert_true(peer_info(p).sack);
	assert_int_equal(service_reads(p), 5);
	peer_stop_anyhow(p);
}

/* ... but what is neither its own number nor a cookie is refused, and the record stays. */
static void wrong_ack_of_a_half_open(void **state)
{
	struct peer *p = peer_start(one_half_open);

	(void)state;
	fills_the_table(p);
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 }), VERDICT_COOKIE_SENT);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	empties_the_table(p);
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(5) });
	expect(p, (struct seg){ .flags = TCP_RST, .seq = OURS(5) });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) });
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop(p);
}

/* ---- TIME-WAIT -------------------------------------------------------------------------------------------------
 */

/* A SYN that can't be taken must not cost the TIME-WAIT that guards against old duplicates. */
static void time_wait_stays_when_the_syn_is_refused(void **state)
{
	struct peer *p = peer_start(one_half_open);
	uint32_t iss;

	(void)state;
	peer_establishes(p, none);
	stack_close(p->stack, p->conn);
	peer_turn(p);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(2) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(2), .ack = 1002 });
	assert_int_equal(gauges_of(p).time_wait, 1);
	iss = p->iss;
	fills_the_table(p);
	p->iss = iss;
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5000 }), VERDICT_TIME_WAIT_ACK);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(2), .ack = 1002 });
	assert_int_equal(gauges_of(p).time_wait, 1);
	empties_the_table(p);
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5000 }); /* tried again, with room */
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 5001 });
	assert_int_equal(gauges_of(p).time_wait, 0);
	peer_stop(p);
}

/* ---- losses in the handshake -----------------------------------------------------------------------------------
 */

/* RFC 6298 section 5.7, RFC 5681 section 3.1: the loss of a SYN-ACK makes careful. */
static void lost_syn_ack_makes_careful(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_conn_info info;

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	peer_waits(p, DURATION_MS(1100));
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) });
	info = peer_info(p);
	assert_int_equal(info.rto.ns, DURATION_S(3).ns);
	assert_int_equal(info.cwnd, info.mss);
	assert_int_equal(info.srtt.ns, 0);
	service_sends(p, 5 * info.mss);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = info.mss });
	peer_stop(p);
}

/* A SYN that came twice was answered twice: which answer the ACK belongs to is not known (Karn). */
static void duplicate_syn_gives_no_sample(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_conn_info info;

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	peer_waits(p, DURATION_MS(900));
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) });
	info = peer_info(p);
	assert_int_equal(info.srtt.ns, 0);
	assert_int_equal(info.rto.ns, DURATION_S(1).ns);
	assert_int_equal(info.cwnd, 10 * info.mss);
	peer_stop(p);
}

/* An undisturbed handshake, for comparison, measures. */
static void handshake_gives_the_first_sample(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_conn_info info;

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	peer_waits(p, DURATION_MS(300));
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) });
	info = peer_info(p);
	assert_int_equal(info.srtt.ns, DURATION_MS(300).ns);
	assert_int_equal(info.cwnd, 10 * info.mss);
	peer_stop(p);
}

static void jumbo_frames(struct stack_config *config)
{
	config->mtu_bytes = 9000;
}

/* RFC 6928 section 2: min(10 MSS, max(2 MSS, 14600)). */
static void initial_window_counts_bytes_too(void **state)
{
	static const struct {
		uint16_t mss;
		uint32_t window;
	} cases[] = { { 536, 5360 }, { 1460, 14600 }, { 4000, 14600 }, { 8960, 17920 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct peer *p = peer_start(jumbo_frames);

		peer_establishes(p, (struct tcp_options){ .has_mss = true, .mss = cases[i].mss });
		assert_int_equal(peer_info(p).mss, cases[i].mss);
		assert_int_equal(peer_info(p).cwnd, cases[i].window);
		peer_stop(p);
	}
}

static void lost_syn_makes_careful(void **state)
{
	struct stack_connect_options to = { .remote = PEER_IP, .remote_port = 80, .local_port = 5000 };
	struct peer *p = peer_start(NULL);
	struct stack_conn_info info;

	(void)state;
	assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	peer_waits(p, DURATION_MS(1100));
	expect(p, (struct seg){ .flags = TCP_SYN });
	peer_sends(p, (struct seg){ .flags = TCP_SYN | TCP_ACK,
	                            .seq = 1000,
	                            .ack = OURS(1),
	                            .source_port = 80,
	                            .destination_port = 5000 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	info = peer_info(p);
	assert_int_equal(info.state, TCPS_ESTABLISHED);
	assert_int_equal(info.rto.ns, DURATION_S(3).ns);
	assert_int_equal(info.cwnd, info.mss);
	assert_int_equal(info.srtt.ns, 0);
	peer_stop(p);
}

/* A simultaneous open of which our SYN could not leave, for want of memory: no ACK goes before it. */
static void nothing_before_our_syn(void **state)
{
	struct stack_connect_options to = { .remote = PEER_IP, .remote_port = 80, .local_port = 5000 };
	struct seg syn = { .flags = TCP_SYN, .seq = 1000, .source_port = 80, .destination_port = 5000 };
	struct peer *p = peer_start(NULL);

	(void)state;
	assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
	test_memory_fail_after(&p->memory, 0);
	peer_turn(p);
	expect_nothing(p);
	peer_sends(p, syn);
	assert_int_equal(peer_state(p), TCPS_SYN_RECEIVED);
	peer_sends(p, syn);
	expect_nothing(p);
	test_memory_fail_never(&p->memory);
	peer_waits(p, DURATION_S(4));
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	peer_stop_anyhow(p);
}

/* RFC 7323 section 2.2: the window of a segment with SYN is not scaled, whatever state it finds. */
static void simultaneous_open_does_not_scale_the_syn(void **state)
{
	struct stack_connect_options to = { .remote = PEER_IP, .remote_port = 80, .local_port = 5000 };
	struct seg syn = { .flags = TCP_SYN,
		           .seq = 1000,
		           .window = 2000,
		           .source_port = 80,
		           .destination_port = 5000,
		           .options = { .has_wscale = true, .wscale = 7 } };
	struct peer *p = peer_start(NULL);

	(void)state;
	assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	peer_sends(p, syn);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	syn.flags = TCP_SYN | TCP_ACK;
	syn.ack = OURS(1);
	peer_sends(p, syn);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	assert_in_range(peer_info(p).snd_wnd, 2000 - 127, 2000);
	peer_ignores_rest(p);
	peer_stop_anyhow(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dead_before_accepted_and_unlistened),
		cmocka_unit_test(dead_before_accepted_and_stopped),
		cmocka_unit_test(dead_before_accepted_and_listened_again),
		cmocka_unit_test(cookie_timestamp_is_never_ahead),
		cmocka_unit_test(cookie_goes_with_its_timestamp),
		cmocka_unit_test(later_segment_of_a_cookie),
		cmocka_unit_test(cookie_and_tuning),
		cmocka_unit_test(cookie_without_room_is_kept_waiting),
		cmocka_unit_test(cookie_with_a_full_backlog_is_kept_waiting),
		cmocka_unit_test(cookie_meets_a_record_made_since),
		cmocka_unit_test(wrong_ack_of_a_half_open),
		cmocka_unit_test(time_wait_stays_when_the_syn_is_refused),
		cmocka_unit_test(lost_syn_ack_makes_careful),
		cmocka_unit_test(duplicate_syn_gives_no_sample),
		cmocka_unit_test(handshake_gives_the_first_sample),
		cmocka_unit_test(lost_syn_makes_careful),
		cmocka_unit_test(nothing_before_our_syn),
		cmocka_unit_test(simultaneous_open_does_not_scale_the_syn),
		cmocka_unit_test(initial_window_counts_bytes_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
