/* RFC 5681: how much may be in flight. */
#include "dialogue.h"

static struct peer *sending(uint16_t mss, uint32_t octets)
{
	struct peer *p = opened(classic, mss_option(mss));

	service_sends(p, octets);
	return p;
}

static void mtu_9000(struct stack_config *config)
{
	classic(config);
	config->mtu_bytes = 9000;
}

/* How many octets go out before anything is acknowledged. */
static uint32_t initial_window(uint16_t mss)
{
	struct peer *p = opened(mtu_9000, mss_option(mss));
	uint32_t sent;

	service_sends(p, 60000);
	sent = peer_info(p).snd_nxt - OURS(1);
	peer_stop_anyhow(p);
	return sent;
}

void rfc5681_initial_window(void **state)
{
	(void)state;
	assert_int_equal(initial_window(536), 5360);
	assert_int_equal(initial_window(1460), 14600);
	assert_int_equal(initial_window(4000), 12000); /* 14 600 has room for three */
	assert_int_equal(initial_window(8960), 17920);
}

void rfc5681_initial_window_after_a_lost_syn(void **state)
{
	struct peer *p = peer_start(classic);

	(void)state;
	sends_syn(p, mss_option(1000));
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	wakes_after(p, 1000);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	says(p, TCP_ACK, 1, 0, 1);
	service_sends(p, 5000);
	hears(p, TCP_ACK, 1, 1000, 1);
	expect_nothing(p);
	peer_stop_anyhow(p);
	p = peer_start(classic);
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	wakes_after(p, 1000);
	expect(p, (struct seg){ .flags = TCP_SYN });
	answers(p, TCP_SYN | TCP_ACK, 0, 0, 1, mss_option(1000));
	hears(p, TCP_ACK, 1, 0, 1);
	service_sends(p, 5000);
	hears(p, TCP_ACK, 1, 1000, 1);
	expect_nothing(p);
	peer_stop_anyhow(p);
}

/* One ACK for four segments opens as much as four ACKs; a part of a segment counts for that part: dividing ACKs
 * gains nothing. */
void rfc5681_slow_start_counts_octets(void **state)
{
	struct peer *p = sending(1000, 100000);

	(void)state;
	hears_run(p, 10, 1, 1000);
	says(p, TCP_ACK, 1, 0, 4001);
	assert_int_equal(peer_info(p).cwnd, 14000);
	hears_run(p, 8, 10001, 1000);
	for (uint32_t i = 1; i <= 10; i++)
		says(p, TCP_ACK, 1, 0, 4001 + 100 * i);
	assert_int_equal(peer_info(p).cwnd, 15000);
	hears_run(p, 2, 18001, 1000);
	expect_nothing(p);
	peer_stop_anyhow(p);
}

/* After recovery with ssthresh 5000: five segments acknowledged, one more. */
void rfc5681_congestion_avoidance(void **state)
{
	struct peer *p = sending(1000, 10000);

	(void)state;
	hears_run(p, 10, 1, 1000);
	for (int i = 0; i < 3; i++)
		says(p, TCP_ACK, 1, 0, 1);
	hears(p, TCP_ACK, 1, 1000, 1);
	says(p, TCP_ACK, 1, 0, 10001);
	assert_int_equal(peer_info(p).cwnd, 5000);
	service_sends(p, 20000);
	for (uint32_t i = 1; i <= 4; i++) {
		says(p, TCP_ACK, 1, 0, 10001 + 1000 * i);
		assert_int_equal(peer_info(p).cwnd, 5000);
	}
	says(p, TCP_ACK, 1, 0, 15001);
	assert_int_equal(peer_info(p).cwnd, 6000);
	for (uint32_t i = 1; i <= 6; i++)
		says(p, TCP_ACK, 1, 0, 15001 + 1000 * i);
	assert_int_equal(peer_info(p).cwnd, 7000);
	peer_stop_anyhow(p);
}

void rfc5681_ssthresh(void **state)
{
	struct peer *p = sending(1000, 7000);

	(void)state; /* FlightSize counts, not cwnd */
	peer_ignores_rest(p);
	peer_waits(p, DURATION_MS(250));
	assert_int_equal(peer_info(p).ssthresh, 3500);
	peer_stop_anyhow(p);
	p = sending(1000, 1000);
	peer_ignores_rest(p);
	peer_waits(p, DURATION_MS(250));
	assert_int_equal(peer_info(p).ssthresh, 2000);
	peer_stop_anyhow(p);
}

void rfc5681_loss_window(void **state)
{
	struct peer *p = sending(1000, 20000);

	(void)state;
	hears_run(p, 10, 1, 1000);
	peer_waits(p, DURATION_MS(250));
	hears(p, TCP_ACK, 1, 1000, 1);
	expect_nothing(p);
	assert_int_equal(peer_info(p).cwnd, 1000);
	peer_stop_anyhow(p);
}

void rfc5681_second_time_out(void **state)
{
	struct peer *p = sending(1000, 20000);

	(void)state;
	peer_waits(p, DURATION_MS(300));
	assert_int_equal(peer_info(p).ssthresh, 5000);
	says(p, TCP_ACK, 1, 0, 4001); /* 4001 goes out again, and is lost again */
	peer_waits(p, DURATION_S(10));
	peer_ignores_rest(p);
	assert_true(peer_info(p).backoff > 3);
	assert_int_equal(peer_info(p).ssthresh, 5000);
	assert_int_equal(peer_info(p).cwnd, 1000);
	peer_stop_anyhow(p);
}

void rfc5681_in_flight_is_bounded(void **state)
{
	struct peer *p = sending(1000, 200000);
	uint32_t end = 1;

	(void)state;
	for (int i = 0; i < 60; i++) {
		struct stack_conn_info info = peer_info(p);

		assert_true(info.snd_nxt - info.snd_una <= info.cwnd);
		assert_true(info.snd_nxt - info.snd_una <= 30000);
		peer_ignores_rest(p);
		end += end + 1000 <= info.snd_nxt - p->iss ? 1000 : 0;
		says_window(p, 1, end, 30000);
	}
	assert_int_equal(peer_info(p).snd_nxt - peer_info(p).snd_una, 30000); /* the window is full, cwnd larger */
	assert_true(peer_info(p).cwnd > 30000);
	peer_stop_anyhow(p);
}

/* ---- 3.2: duplicate ACKs
 * ------------------------------------------------------------------------------------------------- */

void rfc5681_fast_retransmit(void **state)
{
	struct peer *p = sending(1000, 10000);

	(void)state;
	hears_run(p, 10, 1, 1000);
	says(p, TCP_ACK, 1, 0, 1);
	says(p, TCP_ACK, 1, 0, 1);
	expect_nothing(p);
	says(p, TCP_ACK, 1, 0, 1);
	hears(p, TCP_ACK, 1, 1000, 1);
	expect_nothing(p);
	assert_int_equal(peer_info(p).ssthresh, 5000);
	peer_stop_anyhow(p);
}

void rfc5681_limited_transmit(void **state)
{
	struct peer *p = sending(1000, 15000);

	(void)state;
	hears_run(p, 10, 1, 1000);
	says(p, TCP_ACK, 1, 0, 1);
	hears(p, TCP_ACK, 10001, 1000, 1);
	says(p, TCP_ACK, 1, 0, 1);
	hears(p, TCP_ACK, 11001, 1000, 1);
	says(p, TCP_ACK, 1, 0, 1);
	hears(p, TCP_ACK, 1, 1000, 1);
	expect_nothing(p);
	peer_stop_anyhow(p);
}

void rfc5681_what_is_no_duplicate(void **state)
{
	struct peer *p = sending(1000, 10000);

	(void)state;
	hears_run(p, 10, 1, 1000);
	for (uint32_t i = 0; i < 4; i++) /* data the other way */
		says(p, TCP_ACK, 1 + 10 * i, 10, 1);
	for (uint32_t i = 0; i < 4; i++) /* window updates */
		says_window(p, 41, 1, 30000 + i);
	expect_nothing(p);
	assert_int_equal(peer_info(p).ca_state, 0);
	service_reads(p);
	says_window(p, 41, 10001, 30003);
	peer_waits(p, DURATION_MS(100));
	peer_ignores_rest(p);
	for (int i = 0; i < 5; i++) /* nothing is in flight */
		says_window(p, 41, 10001, 30003);
	expect_nothing(p);
	assert_int_equal(peer_info(p).ca_state, 0);
	peer_stop(p);
}

void rfc5681_partial_ack(void **state)
{
	struct peer *p = sending(1000, 10000);

	(void)state;
	hears_run(p, 10, 1, 1000);
	for (int i = 0; i < 3; i++)
		says(p, TCP_ACK, 1, 0, 1);
	hears(p, TCP_ACK, 1, 1000, 1);
	says(p, TCP_ACK, 1, 0, 4001); /* there is another hole */
	hears(p, TCP_ACK, 4001, 1000, 1);
	expect_nothing(p);
	assert_int_equal(peer_info(p).ca_state, 1);
	peer_stop_anyhow(p);
}

void rfc5681_full_ack(void **state)
{
	struct peer *p = sending(1000, 10000);

	(void)state;
	hears_run(p, 10, 1, 1000);
	for (int i = 0; i < 6; i++)
		says(p, TCP_ACK, 1, 0, 1);
	hears(p, TCP_ACK, 1, 1000, 1);
	says(p, TCP_ACK, 1, 0, 10001);
	assert_int_equal(peer_info(p).ca_state, 0);
	assert_int_equal(peer_info(p).cwnd, 5000);
	assert_int_equal(peer_info(p).ssthresh, 5000);
	expect_nothing(p);
	peer_stop(p);
}

/* ---- 4: the rest
 * ----------------------------------------------------------------------------------------------------------- */

void rfc5681_restart_after_idle(void **state)
{
	struct peer *p = sending(1000, 40000);

	(void)state;
	hears_run(p, 10, 1, 1000);
	says(p, TCP_ACK, 1, 0, 10001);
	hears_run(p, 20, 10001, 1000);
	says(p, TCP_ACK, 1, 0, 30001);
	hears_run(p, 10, 30001, 1000);
	assert_int_equal(peer_info(p).cwnd, 40000);
	says(p, TCP_ACK, 1, 0, 40001);
	peer_waits(p, DURATION_S(5));
	service_sends(p, 20000);
	hears_run(p, 10, 40001, 1000);
	expect_nothing(p);
	peer_stop_anyhow(p);
}

void rfc5681_filled_hole_is_acknowledged(void **state)
{
	struct peer *p = opened(NULL, mss_option(1000));

	(void)state;
	says(p, TCP_ACK, 101, 10, 1);
	hears(p, TCP_ACK, 1, 0, 1);
	says(p, TCP_ACK, 201, 10, 1);
	hears(p, TCP_ACK, 1, 0, 1);
	says(p, TCP_ACK, 1, 50, 1); /* in part */
	hears(p, TCP_ACK, 1, 0, 51);
	says(p, TCP_ACK, 51, 50, 1);
	hears(p, TCP_ACK, 1, 0, 111);
	says(p, TCP_ACK, 111, 90, 1);
	hears(p, TCP_ACK, 1, 0, 211);
	assert_int_equal(service_reads(p), 210);
	peer_stop(p);
}

void rfc5681_one_ack_for_a_segment(void **state)
{
	struct peer *p = opened(NULL, mss_option(1000));

	(void)state;
	peer_waits(p, DURATION_S(100));
	expect_nothing(p);
	says(p, TCP_ACK, 1, 1000, 1);
	says(p, TCP_ACK, 1001, 1000, 1);
	hears(p, TCP_ACK, 1, 0, 2001);
	peer_waits(p, DURATION_S(1));
	expect_nothing(p);
	says(p, TCP_ACK, 2001, 0, 1); /* an ACK asks for no ACK */
	peer_waits(p, DURATION_S(1));
	expect_nothing(p);
	assert_int_equal(service_reads(p), 2000);
	peer_stop(p);
}
