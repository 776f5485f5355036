/* RFC 9293 sections 3.8.1 to 3.8.3: retransmission, congestion control, giving up. */
#include "dialogue.h"

/* ---- 3.8.1: the retransmission time-out
 * ---------------------------------------------------------------------------- */

/* RTO by measurement (RTT 0: the minimum of 200 ms), doubled at each time-out, and kept after the ACK of what was
 * sent more than once, which measures nothing (Karn). */
void must_18_rto_by_rfc_6298_and_karn(void **state)
{
	struct peer *p = opened(classic, no_options);

	(void)state;
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	for (int64_t rto = 200; rto <= 800; rto *= 2) {
		wakes_after(p, rto);
		hears(p, TCP_ACK, 1, 10, 1);
	}
	says(p, TCP_ACK, 1, 0, 11);
	service_sends(p, 10);
	hears(p, TCP_ACK, 11, 10, 1);
	wakes_after(p, 1600);
	hears(p, TCP_ACK, 11, 10, 1);
	peer_stop(p);
}

/* Don't-fragment packets need no identification of their own (RFC 6864): all have the same. */
void may_4_retransmission_has_the_same_ip_id(void **state)
{
	struct peer *p = opened(classic, no_options);
	uint32_t id;

	(void)state;
	service_sends(p, 10);
	id = next_ip(p).id;
	hears(p, TCP_ACK, 1, 10, 1);
	wakes_after(p, 200);
	assert_int_equal(next_ip(p).id, id);
	hears(p, TCP_ACK, 1, 10, 1);
	peer_stop(p);
}

/* ---- 3.8.2: congestion control
 * ----------------------------------------------------------------------------------------- */

/* The initial window, slow start, a time-out with one segment, slow start to half of what was in flight, congestion
 * avoidance, and a second time-out with twice the time. */
void must_19_slow_start_avoidance_and_back_off(void **state)
{
	struct peer *p = opened(classic, mss_option(1000));

	(void)state;
	service_sends(p, 100000);
	hears_run(p, 10, 1, 1000);
	expect_nothing(p);
	says(p, TCP_ACK, 1, 0, 2001);
	hears_run(p, 4, 10001, 1000); /* two acknowledged, two more allowed */
	expect_nothing(p);
	wakes_after(p, 200); /* 12 in flight are lost */
	hears(p, TCP_ACK, 2001, 1000, 1);
	wakes_after(p, 400);
	hears(p, TCP_ACK, 2001, 1000, 1);
	expect_nothing(p);
	says(p, TCP_ACK, 1, 0, 3001);
	hears_run(p, 2, 3001, 1000);
	says(p, TCP_ACK, 1, 0, 4001);
	hears_run(p, 2, 5001, 1000);
	says(p, TCP_ACK, 1, 0, 5001);
	hears_run(p, 2, 7001, 1000);
	says(p, TCP_ACK, 1, 0, 6001);
	hears_run(p, 2, 9001, 1000); /* cwnd 5000 */
	says(p, TCP_ACK, 1, 0, 7001);
	hears_run(p, 2, 11001, 1000); /* cwnd 6000: half of 12 000 */
	says(p, TCP_ACK, 1, 0, 8001); /* from here one more segment a round trip */
	hears_run(p, 1, 13001, 1000);
	says(p, TCP_ACK, 1, 0, 13001);
	assert_int_equal(peer_info(p).cwnd, 7000);
	peer_stop_anyhow(p);
}

/* ---- 3.8.3: giving up
 * ------------------------------------------------------------------------------------------------- */

static struct peer *waits_for_answer(void (*tweak)(struct stack_config *config), int64_t seconds)
{
	struct peer *p = opened(tweak, no_options);

	service_sends(p, 10);
	peer_waits(p, DURATION_S(seconds));
	return p;
}

void must_20_r2_closes_the_connection(void **state)
{
	struct peer *p = waits_for_answer(NULL, 890);

	(void)state;
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_waits(p, DURATION_S(120));
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	assert_true(p->ready_flags & READY_ERROR);
	assert_int_equal(p->ready.cause, CAUSE_TIMEOUT_RETRANSMIT);
	peer_stop_anyhow(p);
}

static void r2_of_10_s(struct stack_config *config)
{
	config->tcp.retransmit_timeout = DURATION_S(10);
}

void must_21_r2_can_be_set(void **state)
{
	struct peer *p = waits_for_answer(r2_of_10_s, 9);
	struct stack_tcp_config tcp;

	(void)state;
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_waits(p, DURATION_S(10));
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	peer_stop_anyhow(p);
	p = opened(NULL, no_options); /* of one connection, while it lives */
	assert_int_equal(stack_get_tcp(p->stack, p->conn, &tcp), 0);
	tcp.retransmit_timeout = DURATION_S(10);
	assert_int_equal(stack_set_tcp(p->stack, p->conn, &tcp), 0);
	service_sends(p, 10);
	peer_waits(p, DURATION_S(20));
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	peer_stop_anyhow(p);
}

/* A SYN is sent again after 1, 2, 4, ... s, and given up at last. */
void must_22_syn_is_retransmitted_and_given_up(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	for (int64_t rto = 1000; rto <= 32000; rto *= 2) {
		wakes_after(p, rto);
		expect(p, (struct seg){ .flags = TCP_SYN, .seq = OURS(0) });
	}
	peer_waits(p, DURATION_S(300));
	assert_true(p->ready_flags & READY_ERROR);
	assert_int_equal(p->ready.cause, CAUSE_TIMEOUT_SYN);
	peer_stop_anyhow(p);
}

void must_23_syn_is_tried_for_three_minutes(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	peer_waits(p, DURATION_S(180));
	assert_int_equal(peer_state(p), TCPS_SYN_SENT);
	peer_ignores_rest(p);
	answers(p, TCP_SYN | TCP_ACK, 0, 0, 1, no_options); /* also then an answer is welcome */
	hears(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop(p);
}

void shld_11_r2_is_at_least_100_s(void **state)
{
	struct peer *p = waits_for_answer(NULL, 100);

	(void)state;
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_ignores_rest(p);
	peer_waits(p, DURATION_S(60)); /* and it is still trying */
	hears(p, TCP_ACK, 1, 10, 1);
	peer_ignores_rest(p);
	says(p, TCP_ACK, 1, 0, 11);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop(p);
}

/* ---- 3.8.3: R1 ---------------------------------------------------------------------------------------------------
 */

/* The third retransmission (R1) makes the stack ask whether the next hop is still there. */
void must_20_r1_asks_for_the_next_hop(void **state)
{
	struct peer *p = opened(classic, no_options);
	uint64_t before;

	(void)state;
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	for (int64_t rto = 200; rto <= 400; rto *= 2) {
		wakes_after(p, rto);
		hears(p, TCP_ACK, 1, 10, 1);
	}
	before = peer_asked(p);
	peer_waits(p, DURATION_MS(790));
	assert_int_equal(peer_asked(p), before);
	wakes_after(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	assert_int_equal(peer_asked(p), before + 1);
	peer_stop_anyhow(p);
}

/* READY_TROUBLE, once, while the connection lives on. */
void shld_9_program_is_told_between_r1_and_r2(void **state)
{
	struct peer *p = opened(classic, no_options);

	(void)state;
	service_sends(p, 10);
	peer_waits(p, DURATION_S(2));
	assert_int_equal(p->ready_flags, READY_TROUBLE);
	p->ready_flags = 0;
	peer_waits(p, DURATION_S(100));
	assert_int_equal(p->ready_flags, 0);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_ignores_rest(p);
	says(p, TCP_ACK, 1, 0, 11);
	service_sends(p, 10); /* and anew for the next trouble, though the back-off is kept */
	peer_waits(p, DURATION_S(600));
	assert_int_equal(p->ready_flags, READY_TROUBLE);
	peer_ignores_rest(p);
	peer_stop_anyhow(p);
}

void shld_10_r1_is_at_least_three_retransmissions(void **state)
{
	struct peer *p = opened(classic, no_options);

	(void)state;
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	for (int64_t rto = 200; rto <= 400; rto *= 2) {
		wakes_after(p, rto);
		hears(p, TCP_ACK, 1, 10, 1);
		assert_int_equal(p->ready_flags, 0);
	}
	wakes_after(p, 800);
	hears(p, TCP_ACK, 1, 10, 1);
	assert_int_equal(p->ready_flags, READY_TROUBLE);
	peer_stop_anyhow(p);
}
