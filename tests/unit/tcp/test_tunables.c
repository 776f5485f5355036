/* Tunables that no other test turns: each changes what it is for, as the stack's default, as a listener's own or as
 * that of one active open, and its default value does otherwise. */
#include "../../support/peer.h"

static const struct tcp_options none = { 0 };

typedef void tune_fn(struct stack_tcp_config *tcp);

/* A stack whose listener has other tunables: its own, or (`by_default`) the stack's. NULL: all as it is. */
static struct peer *tuned(tune_fn *tune, bool by_default)
{
	struct stack_listen_options listen = { .port = SERVICE_PORT, .service = 1, .backlog = 16 };
	struct peer *p = peer_start(NULL);
	struct stack_tcp_config tcp;

	if (!tune)
		return p;
	assert_int_equal(stack_get_tcp(p->stack, p->listener, &tcp), 0);
	tune(&tcp);
	if (!by_default) {
		assert_int_equal(stack_set_tcp(p->stack, p->listener, &tcp), 0);
		return p;
	}
	assert_int_equal(stack_set_default_tcp(p->stack, &tcp), 0);
	assert_int_equal(stack_unlisten(p->stack, p->listener), 0);
	assert_int_equal(stack_listen(p->stack, &listen, &p->listener), 0);
	return p;
}

/* Calls the check with the default, with a listener's own tunables and with the stack's. */
static void each_way(tune_fn *tune, void (*check)(struct peer *p, bool is_tuned))
{
	struct peer *p = peer_start(NULL);

	check(p, false);
	peer_stop_anyhow(p);
	for (int by_default = 0; by_default < 2; by_default++) {
		p = tuned(tune, by_default);
		check(p, true);
		peer_stop_anyhow(p);
	}
}

static void knocks(struct peer *p)
{
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 });
}

static uint32_t segments_sent(struct peer *p, struct duration during)
{
	uint64_t before = stack_get_counters(p->stack)->segments_out;

	peer_waits(p, during);
	return (uint32_t)(stack_get_counters(p->stack)->segments_out - before);
}

/* ---- passive ------------------------------------------------------------------------------------------------------
 */

static void five_seconds_half_open(struct stack_tcp_config *tcp)
{
	tcp->half_open_timeout = DURATION_S(5);
}

static void half_open_ends(struct peer *p, bool is_tuned)
{
	knocks(p);
	/* To the moment: not when the SYN-ACK would be due again, after 7 or 63 s. */
	peer_waits(p, is_tuned ? DURATION_MS(4900) : DURATION_MS(59900));
	assert_int_equal(peer_state(p), TCPS_SYN_RECEIVED);
	assert_int_equal(segments_sent(p, DURATION_MS(200)), 0);
	assert_int_equal(peer_state(p), TCPS_CLOSED);
}

static void half_open_timeout(void **state)
{
	(void)state;
	each_way(five_seconds_half_open, half_open_ends);
}

static void three_seconds_rto(struct stack_tcp_config *tcp)
{
	tcp->rto_initial = DURATION_S(3);
}

static void syn_ack_again(struct peer *p, bool is_tuned)
{
	knocks(p);
	assert_int_equal(segments_sent(p, DURATION_MS(2900)), is_tuned ? 0 : 1);
	assert_int_equal(segments_sent(p, DURATION_MS(200)), 1);
}

static void rto_initial(void **state)
{
	(void)state;
	each_way(three_seconds_rto, syn_ack_again);
}

static void two_seconds_at_most(struct stack_tcp_config *tcp)
{
	tcp->rto_max = DURATION_S(2);
}

static void back_off_is_bounded(struct peer *p, bool is_tuned)
{
	knocks(p);
	assert_int_equal(segments_sent(p, DURATION_MS(9500)), is_tuned ? 5 : 3); /* 1 3 5 7 9, or 1 3 7 */
}

static void rto_max(void **state)
{
	(void)state;
	each_way(two_seconds_at_most, back_off_is_bounded);
}

static void five_seconds_fin_wait_2(struct stack_tcp_config *tcp)
{
	tcp->fin_wait_2_timeout = DURATION_S(5);
}

static void fin_wait_2_ends(struct peer *p, bool is_tuned)
{
	peer_establishes(p, none);
	stack_close(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_turn(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(2) });
	peer_waits(p, DURATION_MS(4900));
	assert_int_equal(peer_state(p), TCPS_FIN_WAIT_2);
	peer_forgets_journal(p);
	peer_waits(p, is_tuned ? DURATION_MS(200) : DURATION_MS(55200));
	expect_journal(p, TCPS_FIN_WAIT_2, TCPS_CLOSED, CAUSE_TIMEOUT_FIN_WAIT_2);
}

static void fin_wait_2_timeout(void **state)
{
	(void)state;
	each_way(five_seconds_fin_wait_2, fin_wait_2_ends);
}

static void small_segments(struct stack_tcp_config *tcp)
{
	tcp->mss_max_bytes = 900;
}

static void segments_are_small(struct peer *p, bool is_tuned)
{
	knocks(p);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	assert_int_equal(p->last.options.mss, is_tuned ? 900 : 1460);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1001 });
	peer_forgets_journal(p);
	peer_establishes(p, (struct tcp_options){ .has_mss = true, .mss = 1460 });
	assert_int_equal(peer_info(p).mss, is_tuned ? 900 : 1460);
}

static void mss_max(void **state)
{
	(void)state;
	each_way(small_segments, segments_are_small);
}

static void once_is_trouble(struct stack_tcp_config *tcp)
{
	tcp->r1_retransmits = 1;
}

static void trouble_comes(struct peer *p, bool is_tuned)
{
	peer_establishes(p, none);
	service_sends(p, 100);
	p->ready_flags = 0;
	while (peer_info(p).backoff < 1)
		peer_waits(p, DURATION_MS(10));
	assert_int_equal((p->ready_flags & READY_TROUBLE) != 0, is_tuned);
}

static void r1(void **state)
{
	(void)state;
	each_way(once_is_trouble, trouble_comes);
}

static void probes_from_1300(struct stack_tcp_config *tcp)
{
	tcp->path_mtu = STACK_PATH_MTU_PROBE;
	tcp->path_mtu_probe_floor_bytes = 1300;
}

static void search_begins(struct peer *p, bool is_tuned)
{
	peer_establishes(p, none);
	assert_int_equal(peer_info(p).pmtu, is_tuned ? 1300 : peer_is_ipv6() ? 1520 : 1500);
}

static void path_mtu_probe_floor(void **state)
{
	(void)state;
	each_way(probes_from_1300, search_begins);
}

static void nine_hops(struct stack_tcp_config *tcp)
{
	tcp->ttl = 9;
	tcp->dscp = 10;
}

static void next_frame_has(struct peer *p, bool is_tuned)
{
	struct ip_packet ip;

	assert_int_equal(p->frame_count - p->frame_first, 1);
	ip = peer_ip(&p->frame[p->frame_first]);
	assert_int_equal(ip.ttl, is_tuned ? 9 : 64);
	assert_int_equal(ip.tos >> 2, is_tuned ? 10 : 0);
	peer_ignores_rest(p);
}

/* Also what goes out when there is no connection, or none any more. */
static void answers_look_like_the_service(struct peer *p, bool is_tuned)
{
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1, .ack = 77 });
	next_frame_has(p, is_tuned); /* RST */
	peer_establishes(p, none);
	stack_shutdown(p->stack, p->conn);
	peer_turn(p);
	next_frame_has(p, is_tuned); /* FIN */
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(2) });
	next_frame_has(p, is_tuned);
	stack_close(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_turn(p);
	assert_int_equal(peer_state(p), TCPS_TIME_WAIT);
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(2) });
	next_frame_has(p, is_tuned);
}

static void ttl_and_dscp(void **state)
{
	(void)state;
	each_way(nine_hops, answers_look_like_the_service);
}

/* ---- active -------------------------------------------------------------------------------------------------------
 */

/* By the tunables of this connection, or (`by_default`) by the stack's. */
static void connects(struct peer *p, tune_fn *tune, bool by_default)
{
	struct stack_connect_options options = { .remote = PEER_IP, .remote_port = 80 };
	struct stack_tcp_config tcp;

	assert_int_equal(stack_get_tcp(p->stack, p->listener, &tcp), 0);
	tune(&tcp);
	if (by_default)
		assert_int_equal(stack_set_default_tcp(p->stack, &tcp), 0);
	else
		options.tcp = &tcp;
	assert_int_equal(stack_connect(p->stack, &options, &p->conn), 0);
	peer_turn(p);
}

static void ten_seconds_r2(struct stack_tcp_config *tcp)
{
	tcp->retransmit_timeout = DURATION_S(10);
}

/* To the moment, though the back-off would wait longer: of data, and of a window probe that nobody answers. */
static void r2_ends(struct peer *p, bool is_tuned)
{
	peer_establishes(p, none);
	for (int window_shut = 0; window_shut < 2; window_shut++) {
		if (window_shut) {
			peer_establishes(p, none);
			peer_sends(p, (struct seg){
			                      .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = WINDOW_ZERO });
		}
		service_sends(p, 100);
		peer_waits(p, is_tuned ? DURATION_MS(9900) : DURATION_MS(899900));
		assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
		p->ready_flags = 0;
		peer_waits(p, window_shut ? DURATION_MS(350) : DURATION_MS(200)); /* from the first probe on */
		assert_int_equal(peer_state(p), TCPS_CLOSED);
		assert_true(p->ready_flags & READY_ERROR);
		peer_ignores_rest(p);
		stack_close(p->stack, p->conn);
		p->conn = CONN_HANDLE_NONE;
	}
}

static void retransmit_timeout(void **state)
{
	(void)state;
	each_way(ten_seconds_r2, r2_ends);
}

static void twenty_seconds(struct stack_tcp_config *tcp)
{
	tcp->syn_timeout = DURATION_S(20);
}

static void forty_seconds(struct stack_tcp_config *tcp)
{
	tcp->syn_timeout = DURATION_S(40);
}

/* To the moment: not when the SYN would be due again, after 31 or 63 s. */
static void syn_timeout(void **state)
{
	(void)state;
	for (int way = 0; way < 4; way++) {
		struct peer *p = peer_start(NULL);

		connects(p, way < 2 ? twenty_seconds : forty_seconds, way % 2);
		peer_waits(p, way < 2 ? DURATION_MS(19900) : DURATION_MS(39900));
		assert_int_equal(peer_state(p), TCPS_SYN_SENT);
		assert_int_equal(segments_sent(p, DURATION_MS(200)), 0);
		assert_int_equal(peer_state(p), TCPS_CLOSED);
		assert_true(p->ready_flags & READY_ERROR);
		peer_stop_anyhow(p);
	}
}

/* RFC 9293 MUST-20 and RFC 6298: the active side's first time-out is configured, too. */
static void rto_initial_of_a_syn(void **state)
{
	(void)state;
	for (int by_default = 0; by_default < 2; by_default++) {
		struct peer *p = peer_start(NULL);

		connects(p, three_seconds_rto, by_default);
		assert_int_equal(segments_sent(p, DURATION_MS(2900)), 0);
		assert_int_equal(segments_sent(p, DURATION_MS(200)), 1);
		peer_stop_anyhow(p);
	}
}

/* ---- per stack ----------------------------------------------------------------------------------------------------
 */

static void five_seconds_msl(struct stack_config *config)
{
	config->tcp.msl = DURATION_S(5);
}

static void longer_time_wait(struct stack_config *config)
{
	config->tcp.msl = DURATION_S(5);
	config->tcp.time_wait = DURATION_S(30);
}

/* Both kinds of record: held by the service, and compact. An explicit length counts more than 2 MSL. */
static void msl(void **state)
{
	(void)state;
	for (int way = 0; way < 4; way++) {
		struct peer *p = peer_start(way < 2 ? five_seconds_msl : longer_time_wait);

		peer_establishes(p, none);
		stack_shutdown(p->stack, p->conn);
		peer_turn(p);
		peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(2) });
		if (way % 2) {
			stack_close(p->stack, p->conn);
			p->conn = CONN_HANDLE_NONE;
			peer_turn(p);
		}
		peer_waits(p, DURATION_MS(9900));
		assert_int_equal(peer_state(p), TCPS_TIME_WAIT);
		peer_waits(p, DURATION_MS(200));
		assert_int_equal(peer_state(p), way < 2 ? TCPS_CLOSED : TCPS_TIME_WAIT);
		peer_waits(p, DURATION_S(20));
		assert_int_equal(peer_state(p), TCPS_CLOSED);
		peer_stop_anyhow(p);
	}
}

static void no_cookies(struct stack_config *config)
{
	config->half_open_max = 1;
	config->tcp.syn_cookies = false;
}

/* RFC 4987: whoever doesn't want them has a table that is full. */
static void syn_cookies_off(void **state)
{
	struct peer *p = peer_start(no_cookies);

	(void)state;
	knocks(p);
	peer_ignores_rest(p);
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5000, .source_port = PEER_PORT + 1 }),
	                 VERDICT_DROP_BACKLOG);
	expect_nothing(p);
	assert_int_equal(stack_get_counters(p->stack)->cookies_sent, 0);
	peer_stop_anyhow(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_open_timeout),
		cmocka_unit_test(rto_initial),
		cmocka_unit_test(rto_max),
		cmocka_unit_test(fin_wait_2_timeout),
		cmocka_unit_test(mss_max),
		cmocka_unit_test(r1),
		cmocka_unit_test(path_mtu_probe_floor),
		cmocka_unit_test(retransmit_timeout),
		cmocka_unit_test(ttl_and_dscp),
		cmocka_unit_test(syn_timeout),
		cmocka_unit_test(rto_initial_of_a_syn),
		cmocka_unit_test(msl),
		cmocka_unit_test(syn_cookies_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
