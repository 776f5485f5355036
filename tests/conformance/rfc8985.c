/* RFC 8985: losses found by time, and tails probed. The round trip is 100 ms here. */
#include "sacking.h"

void rfc8985_lost_by_time(void **state)
{
	struct peer *p = sends_over_100_ms(NULL, 5000);

	(void)state;
	hears_run(p, 5, 1, 1000);
	peer_waits(p, DURATION_MS(100));
	sacks(p, 1, 1001, 2001); /* the first is missing */
	wakes_after(p, 25);
	hears(p, TCP_ACK, 1, 1000, 1);
	assert_int_equal(peer_info(p).ca_state, 1);
	peer_stop_anyhow(p);
}

void rfc8985_no_wait_after_three(void **state)
{
	struct peer *p = sends_over_100_ms(NULL, 5000);

	(void)state;
	hears_run(p, 5, 1, 1000);
	peer_waits(p, DURATION_MS(100));
	sacks(p, 1, 1001, 2001);
	sacks(p, 1, 1001, 3001);
	expect_nothing(p);
	sacks(p, 1, 1001, 4001);
	hears(p, TCP_ACK, 1, 1000, 1);
	peer_stop_anyhow(p);
}

void rfc8985_reordering_is_no_loss(void **state)
{
	struct peer *p = sends_over_100_ms(NULL, 5000);

	(void)state;
	hears_run(p, 5, 1, 1000);
	peer_waits(p, DURATION_MS(100));
	sacks(p, 1, 1001, 3001);
	peer_waits(p, DURATION_MS(20));
	says(p, TCP_ACK, 1, 0, 3001); /* there it is */
	peer_waits(p, DURATION_MS(50));
	expect_nothing(p);
	assert_int_equal(peer_info(p).ca_state, 0);
	assert_int_equal(stack_get_counters(p->stack)->retransmitted_segments, 0);
	peer_stop_anyhow(p);
}

void rfc8985_wait_once_reordering_was_seen(void **state)
{
	struct peer *p = sends_over_100_ms(NULL, 5000);

	(void)state;
	hears_run(p, 5, 1, 1000);
	peer_waits(p, DURATION_MS(100));
	sacks(p, 1, 1001, 3001);
	says(p, TCP_ACK, 1, 0, 5001); /* the first came after others: reordering */
	service_sends(p, 5000);
	hears_run(p, 5, 5001, 1000);
	peer_waits(p, DURATION_MS(100));
	sacks(p, 5001, 6001, 9001);
	expect_nothing(p);
	wakes_after(p, 25);
	hears(p, TCP_ACK, 5001, 1000, 1);
	peer_stop_anyhow(p);
}

/* The first is lost, and lost again; what was sent after the retransmission arrives. */
void rfc8985_lost_retransmission(void **state)
{
	struct peer *p = sends_over_100_ms(NULL, 20000);
	uint32_t end;

	(void)state;
	hears_run(p, 10, 1, 1000);
	peer_waits(p, DURATION_MS(100));
	sacks(p, 1, 1001, 4001);
	hears(p, TCP_ACK, 1, 1000, 1);
	peer_ignores_rest(p);
	for (uint32_t i = 5; i <= 10; i++)
		sacks(p, 1, 1001, 1001 + 1000 * i - 1000);
	peer_ignores_rest(p);
	end = peer_info(p).snd_nxt - p->iss;
	assert_true(end > 10001); /* new data went out after the retransmission */
	peer_waits(p, DURATION_MS(100));
	assert_int_equal(stack_get_counters(p->stack)->retransmission_timeouts, 0);
	peer_ignores_rest(p);
	sacks(p, 1, 1001, end);
	hears(p, TCP_ACK, 1, 1000, 1);
	assert_int_equal(stack_get_counters(p->stack)->retransmission_timeouts, 0);
	peer_stop_anyhow(p);
}

/* ---- 7: tails
 * -------------------------------------------------------------------------------------------------------- */

void rfc8985_probe_after_two_round_trips(void **state)
{
	struct peer *p = sends_over_100_ms(NULL, 3000);

	(void)state;
	hears_run(p, 3, 1, 1000);
	wakes_after(p, 202); /* 2 SRTT and 2 ms */
	hears(p, TCP_ACK, 2001, 1000, 1);
	expect_nothing(p);
	assert_int_equal(stack_get_counters(p->stack)->retransmission_timeouts, 0);
	peer_stop_anyhow(p);
}

/* One segment: its ACK may be delayed, 2 SRTT + 200 ms; the time-out is 300 ms. */
void rfc8985_probe_is_not_later_than_the_time_out(void **state)
{
	struct peer *p = sends_over_100_ms(NULL, 1000);

	(void)state;
	hears(p, TCP_ACK, 1, 1000, 1);
	wakes_after(p, 300);
	hears(p, TCP_ACK, 1, 1000, 1);
	peer_stop_anyhow(p);
}

void rfc8985_probe_with_new_data(void **state)
{
	struct peer *p = sends_over_100_ms(NULL, 20000);

	(void)state;
	hears_run(p, 10, 1, 1000);
	wakes_after(p, 202);
	hears(p, TCP_ACK, 10001, 1000, 1);
	expect_nothing(p);
	peer_stop_anyhow(p);
}

void rfc8985_one_probe(void **state)
{
	struct peer *p = sends_over_100_ms(NULL, 3000);

	(void)state;
	hears_run(p, 3, 1, 1000);
	wakes_after(p, 202);
	hears(p, TCP_ACK, 2001, 1000, 1);
	peer_waits(p, DURATION_MS(290));
	expect_nothing(p);
	peer_waits(p, DURATION_MS(20));
	hears(p, TCP_ACK, 1, 1000, 1);
	assert_int_equal(stack_get_counters(p->stack)->retransmission_timeouts, 1);
	peer_stop_anyhow(p);
}

/* The last was lost, the probe arrives in its place: all is acknowledged, no D-SACK comes, and what is sent after it
 * is acknowledged, too. */
void rfc8985_repaired_loss_counts(void **state)
{
	struct peer *p = sends_over_100_ms(NULL, 10000);

	(void)state;
	hears_run(p, 10, 1, 1000);
	wakes_after(p, 202);
	hears(p, TCP_ACK, 9001, 1000, 1);
	says(p, TCP_ACK, 1, 0, 10001);
	service_sends(p, 1000);
	hears(p, TCP_ACK, 10001, 1000, 1);
	peer_waits(p, DURATION_MS(100));
	says(p, TCP_ACK, 1, 0, 11001);
	assert_true(peer_info(p).ssthresh <= 5000);
	peer_stop_anyhow(p);
}
