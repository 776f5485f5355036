/* What limits the end of a connection: linger, orphans, retries; and tunables of buffers and ACKs that can be
 * switched off. */
#include "../../support/peer.h"

#include <errno.h>

static const struct tcp_options none = { 0 };

static struct stack_tcp_config tunables(struct peer *p)
{
	struct stack_tcp_config tcp;

	assert_int_equal(stack_get_tcp(p->stack, p->conn, &tcp), 0);
	return tcp;
}

static void closes_with_linger(struct peer *p, struct duration linger)
{
	struct stack_tcp_config tcp = tunables(p);

	tcp.linger = linger;
	assert_int_equal(stack_set_tcp(p->stack, p->conn, &tcp), 0);
	stack_close(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_turn(p);
}

/* No time at all: RST instead of FIN, whether there is data or not, in each state that has a peer to tell. */
static void no_linger_resets(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	for (int round = 0; round < 3; round++) {
		peer_establishes(p, none);
		if (round == 1) {
			service_sends(p, 100);
			expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 100 });
		}
		if (round == 2) {
			peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(1) });
			expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1002 });
			peer_forgets_journal(p);
		}
		closes_with_linger(p, DURATION_S(0));
		expect(p, (struct seg){ .flags = TCP_RST | TCP_ACK, .seq = OURS(round == 1 ? 101 : 1) });
		expect_journal(p, round == 2 ? TCPS_CLOSE_WAIT : TCPS_ESTABLISHED, TCPS_CLOSED, CAUSE_LOCAL_LINGER);
		assert_int_equal(peer_state(p), TCPS_CLOSED);
	}
	peer_stop(p);
}

/* Both have closed already: nothing is left that a reset could cut off (RFC 9293 3.9.1.5). */
static void no_linger_is_nothing_in_last_ack(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(1) });
	peer_ignores_rest(p);
	stack_shutdown(p->stack, p->conn);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(1), .ack = 1002 });
	closes_with_linger(p, DURATION_S(0));
	expect_nothing(p);
	assert_int_equal(peer_state(p), TCPS_LAST_ACK);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1002, .ack = OURS(2) });
	peer_stop(p);
}

/* Time to deliver: what is acknowledged in time ends as ever, what is not is reset when the time is over. */
static void linger_gives_so_much_time(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	service_sends(p, 100);
	peer_ignores_rest(p);
	closes_with_linger(p, DURATION_S(5));
	peer_forgets_journal(p);
	peer_waits(p, DURATION_MS(4999));
	peer_ignores_rest(p);
	assert_int_equal(peer_state(p), TCPS_FIN_WAIT_1);
	peer_waits(p, DURATION_MS(2));
	expect(p, (struct seg){ .flags = TCP_RST | TCP_ACK, .seq = OURS(102) });
	expect_journal(p, TCPS_FIN_WAIT_1, TCPS_CLOSED, CAUSE_TIMEOUT_LINGER);

	peer_establishes(p, none);
	service_sends(p, 100);
	closes_with_linger(p, DURATION_S(5));
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(102) });
	peer_waits(p, DURATION_S(59));
	assert_int_equal(peer_state(p), TCPS_FIN_WAIT_2);
	peer_waits(p, DURATION_MS(1001));
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	peer_stop(p);
}

/* Off: as long as orphan_timeout lets it; each ACK that brings it on gives it that much again. */
static void orphan_has_time_while_it_gets_on(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	service_sends(p, 3000);
	stack_close(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_waits(p, DURATION_S(99));
	assert_int_equal(peer_state(p), TCPS_FIN_WAIT_1);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1001) });
	peer_forgets_journal(p);
	peer_waits(p, DURATION_S(99));
	assert_int_equal(peer_state(p), TCPS_FIN_WAIT_1);
	peer_ignores_rest(p);
	peer_waits(p, DURATION_MS(1001));
	expect(p, (struct seg){ .flags = TCP_RST | TCP_ACK, .seq = OURS(3002) });
	expect_journal(p, TCPS_FIN_WAIT_1, TCPS_CLOSED, CAUSE_TIMEOUT_ORPHAN);
	peer_stop(p);
}

/* A closed window, probes answered for ever: nobody is there any more who could want that. */
static void orphan_before_a_closed_window(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = WINDOW_ZERO });
	service_sends(p, 100);
	stack_close(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_forgets_journal(p);
	for (int i = 0; i < 11 && peer_state(p) != TCPS_CLOSED; i++) {
		assert_int_equal(peer_state(p), TCPS_FIN_WAIT_1);
		peer_waits(p, DURATION_S(10));
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = WINDOW_ZERO });
	}
	expect_journal(p, TCPS_FIN_WAIT_1, TCPS_CLOSED, CAUSE_TIMEOUT_ORPHAN);
	peer_stop_anyhow(p);
}

static void two_orphans(struct stack_config *config)
{
	config->tcp.orphans_max = 2;
}

static void opens(struct peer *p, uint16_t port)
{
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .source_port = port });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .source_port = port });
}

static uint32_t orphans(struct peer *p)
{
	struct stack_gauges gauges;

	stack_get_gauges(p->stack, &gauges);
	return gauges.orphans;
}

/* The one that is too many is reset; when one of the others is gone there is room again. */
static void orphans_are_limited(void **state)
{
	struct peer *p = peer_start(two_orphans);
	uint32_t first_iss = 0;

	(void)state;
	for (uint16_t port = 5000; port < 5002; port++) {
		opens(p, port);
		first_iss = first_iss ? first_iss : p->iss;
		stack_close(p->stack, p->conn);
		peer_turn(p);
		expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(1), .ack = 1001 });
	}
	assert_int_equal(orphans(p), 2);
	opens(p, 5002);
	peer_forgets_journal(p);
	stack_close(p->stack, p->conn);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_RST | TCP_ACK, .seq = OURS(1) });
	expect_journal(p, TCPS_ESTABLISHED, TCPS_CLOSED, CAUSE_TOO_MANY_ORPHANS);
	assert_int_equal(orphans(p), 2);
	peer_sends(p, (struct seg){
	                      .flags = TCP_RST | TCP_ACK, .seq = 1001, .ack = first_iss + 2, .source_port = 5000 });
	assert_int_equal(orphans(p), 1);
	opens(p, 5003);
	stack_close(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(1), .ack = 1001 });
	stack_stop(p->stack, true);
	peer_turn(p);
	assert_int_equal(orphans(p), 0);
	peer_stop_anyhow(p);
}

/* ---- retries -----------------------------------------------------------------------------------------------------
 */

static void three_syns(struct stack_config *config)
{
	config->tcp.syn_retries_max = 2;
}

static void syn_is_tried_so_often(void **state)
{
	struct stack_connect_options options = { .remote = PEER_IP, .remote_port = 80, .local_port = 4000 };
	struct peer *p = peer_start(three_syns);

	(void)state;
	assert_int_equal(stack_connect(p->stack, &options, &p->conn), 0);
	peer_turn(p);
	for (int i = 0; i < 3; i++) {
		expect(p, (struct seg){ .flags = TCP_SYN });
		expect_nothing(p);
		assert_false(p->ready_flags & READY_ERROR);
		peer_waits(p, DURATION_MS((1000 << i) + 1));
	}
	assert_true(p->ready_flags & READY_ERROR);
	assert_int_equal(p->ready.cause, CAUSE_TIMEOUT_SYN);
	peer_stop(p);
}

static void two_syn_acks(struct stack_config *config)
{
	config->tcp.syn_ack_retries_max = 1;
}

static void syn_ack_is_tried_so_often(void **state)
{
	struct peer *p = peer_start(two_syn_acks);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	peer_waits(p, DURATION_MS(1001));
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	assert_int_equal(peer_state(p), TCPS_SYN_RECEIVED);
	peer_waits(p, DURATION_S(2));
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	peer_stop(p);
}

/* ---- buffers and ACKs --------------------------------------------------------------------------------------------
 */

static void fixed_buffers(struct stack_config *config)
{
	config->tcp.rcvbuf_autotune = config->tcp.sndbuf_autotune = false;
	config->tcp.rcvbuf_initial_bytes = config->tcp.sndbuf_initial_bytes = 16384;
}

/* A stream that is read at once, and one that is acknowledged at once, make tuned buffers grow. */
static void buffers_stay_as_configured(void **state)
{
	struct peer *p = peer_start(*state ? NULL : fixed_buffers);
	struct stack_conn_info info;
	uint32_t seq = 1001;

	peer_establishes(p, (struct tcp_options){ .has_mss = true, .mss = 1400, .has_wscale = true, .wscale = 7 });
	for (int i = 0; i < 800; i++) {
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = seq, .ack = OURS(1), .length = 1400 });
		seq += service_reads(p);
		p->now.ns += 5000;
	}
	peer_ignores_rest(p);
	for (int i = 0; i < 100; i++) {
		service_sends(p, 8000);
		peer_ignores_rest(p);
		info = peer_info(p);
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = seq, .ack = info.snd_nxt });
		peer_ignores_rest(p);
	}
	info = peer_info(p);
	if (*state) {
		assert_true(info.rcvbuf > 262144);
		assert_true(info.sndbuf >= 262144);
	} else {
		assert_int_equal(info.rcvbuf, 16384);
		assert_int_equal(info.sndbuf, 16384);
	}
	peer_stop_anyhow(p);
}

static void no_delay(struct stack_config *config)
{
	config->tcp.delayed_ack = (struct duration){ 0 };
}

static void acks_need_no_delay(void **state)
{
	struct peer *p = peer_start(no_delay);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 10 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1011 });
	peer_stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_linger_resets),
		cmocka_unit_test(no_linger_is_nothing_in_last_ack),
		cmocka_unit_test(linger_gives_so_much_time),
		cmocka_unit_test(orphan_has_time_while_it_gets_on),
		cmocka_unit_test(orphan_before_a_closed_window),
		cmocka_unit_test(orphans_are_limited),
		cmocka_unit_test(syn_is_tried_so_often),
		cmocka_unit_test(syn_ack_is_tried_so_often),
		cmocka_unit_test(buffers_stay_as_configured),
		cmocka_unit_test_prestate(buffers_stay_as_configured, (void *)1),
		cmocka_unit_test(acks_need_no_delay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
