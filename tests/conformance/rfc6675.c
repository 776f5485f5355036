/* RFC 6675: recovery from the SACK scoreboard. */
#include "dialogue.h"

/* An ACK of offset `acks` with one block. */
static void sack(struct peer *p, uint32_t acks, uint32_t start, uint32_t end)
{
	struct seg seg = { .flags = TCP_ACK, .seq = THEIRS(1), .ack = OURS(acks) };

	seg.options.sack_count = 1;
	seg.options.sack[0] = (struct tcp_sack_block){ SEQ(OURS(start)), SEQ(OURS(end)) };
	peer_sends(p, seg);
}

/* Ten segments of 1000 in flight, and no more to send unless `more`. */
static struct peer *ten_in_flight(uint32_t more)
{
	struct peer *p = opened(classic, sack_option(1000));

	service_sends(p, 10000 + more);
	hears_run(p, 10, 1, 1000);
	expect_nothing(p);
	return p;
}

void rfc6675_three_sacked_segments_begin_recovery(void **state)
{
	struct peer *p = ten_in_flight(0);

	(void)state;
	sack(p, 1, 1001, 2001);
	sack(p, 1, 1001, 3001);
	assert_int_equal(peer_info(p).ca_state, 0);
	expect_nothing(p);
	sack(p, 1, 1001, 4001);
	hears(p, TCP_ACK, 1, 1000, 1);
	assert_int_equal(peer_info(p).ca_state, 1);
	expect_nothing(p);
	peer_stop_anyhow(p);
}

void rfc6675_is_lost_by_octets(void **state)
{
	struct peer *p = ten_in_flight(0);

	(void)state;
	sack(p, 1, 1001, 3001); /* two: not yet */
	expect_nothing(p);
	peer_stop_anyhow(p);
	p = ten_in_flight(0);
	sack(p, 1, 1001, 4001); /* three, in one ACK */
	hears(p, TCP_ACK, 1, 1000, 1);
	peer_stop_anyhow(p);
}

void rfc6675_limited_transmit(void **state)
{
	struct peer *p = ten_in_flight(5000);

	(void)state;
	sack(p, 1, 1001, 2001);
	hears(p, TCP_ACK, 10001, 1000, 1);
	sack(p, 1, 1001, 3001);
	hears(p, TCP_ACK, 11001, 1000, 1);
	expect_nothing(p);
	assert_int_equal(peer_info(p).cwnd, 10000);
	peer_stop_anyhow(p);
}

void rfc6675_window_is_halved(void **state)
{
	struct peer *p = ten_in_flight(0);

	(void)state;
	sack(p, 1, 1001, 4001);
	hears(p, TCP_ACK, 1, 1000, 1);
	assert_int_equal(peer_info(p).ssthresh, 5000);
	assert_int_equal(peer_info(p).cwnd, 5000);
	peer_stop_anyhow(p);
}

/* cwnd 5000; in flight: six that were not SACKed, and the one sent again: nothing may go out until two more have
 * arrived. */
void rfc6675_pipe_is_kept_full(void **state)
{
	struct peer *p = ten_in_flight(5000);

	(void)state;
	sack(p, 1, 1001, 4001);
	hears(p, TCP_ACK, 1, 1000, 1);
	expect_nothing(p);
	sack(p, 1, 1001, 5001); /* 6 in the pipe */
	expect_nothing(p);
	sack(p, 1, 1001, 6001); /* 5 */
	expect_nothing(p);
	sack(p, 1, 1001, 7001); /* 4: room for one */
	hears(p, TCP_ACK, 10001, 1000, 1);
	expect_nothing(p);
	sack(p, 1, 1001, 9001); /* two more */
	hears_run(p, 2, 11001, 1000);
	expect_nothing(p);
	peer_stop_anyhow(p);
}

void rfc6675_holes_first_then_new_data(void **state)
{
	struct peer *p = ten_in_flight(5000);

	(void)state;
	sack(p, 1, 7001, 10001); /* seven are lost: cwnd is 5000, the first goes at once, and four more */
	hears_run(p, 5, 1, 1000);
	expect_nothing(p);
	says(p, TCP_ACK, 1, 0, 4001);
	hears_run(p, 2, 5001, 1000); /* 5001 and 6001, then new data */
	hears_run(p, 2, 10001, 1000);
	expect_nothing(p);
	peer_stop_anyhow(p);
}

void rfc6675_end_of_recovery(void **state)
{
	struct peer *p = ten_in_flight(5000);

	(void)state;
	sack(p, 1, 1001, 7001);
	hears(p, TCP_ACK, 1, 1000, 1);
	hears(p, TCP_ACK, 10001, 1000, 1);
	says(p, TCP_ACK, 1, 0, 10000); /* one octet short */
	assert_int_equal(peer_info(p).ca_state, 1);
	says(p, TCP_ACK, 1, 0, 10001);
	assert_int_equal(peer_info(p).ca_state, 0);
	assert_int_equal(peer_info(p).cwnd, 5000);
	peer_stop_anyhow(p);
}

void rfc6675_one_reduction_an_episode(void **state)
{
	struct peer *p = ten_in_flight(0);

	(void)state;
	sack(p, 1, 1001, 4001);
	hears(p, TCP_ACK, 1, 1000, 1);
	sack(p, 1001 + 3000, 6001, 10001); /* another hole of the same flight */
	assert_int_equal(peer_info(p).ssthresh, 5000);
	assert_int_equal(peer_info(p).ca_state, 1);
	assert_int_equal(stack_get_counters(p->stack)->fast_recoveries, 1);
	peer_stop_anyhow(p);
}

void rfc6675_time_out_ends_recovery(void **state)
{
	struct peer *p = ten_in_flight(0);

	(void)state;
	sack(p, 1, 1001, 4001);
	hears(p, TCP_ACK, 1, 1000, 1);
	peer_waits(p, DURATION_MS(250));
	hears(p, TCP_ACK, 1, 1000, 1);
	assert_int_equal(peer_info(p).ca_state, 2);
	assert_int_equal(peer_info(p).cwnd, 1000);
	sack(p, 1, 1001, 9001); /* late news of the same flight */
	assert_int_equal(stack_get_counters(p->stack)->fast_recoveries, 1);
	assert_int_equal(peer_info(p).ca_state, 2);
	peer_stop_anyhow(p);
}
