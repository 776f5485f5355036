/* RFC 5682, 3522, 3708, 4015: what turns out not to have been lost; RFC 9937: how recovery is paced. */
#include "sacking.h"

static void without_probes(struct stack_config *config)
{
	config->tcp.tail_loss_probe = false;
}

/* ---- F-RTO
 * ----------------------------------------------------------------------------------------------------------- */

/* Ten segments of an open-ended stream are in flight, and nothing comes back in time. */
static struct peer *timed_out(void)
{
	struct peer *p = sends_over_100_ms(without_probes, 30000);

	hears_run(p, 10, 1, 1000);
	wakes_after(p, 300);
	hears(p, TCP_ACK, 1, 1000, 1);
	expect_nothing(p);
	assert_int_equal(peer_info(p).cwnd, 1000);
	return p;
}

void rfc5682_new_data_after_the_first(void **state)
{
	struct peer *p = timed_out();

	(void)state;
	says(p, TCP_ACK, 1, 0, 2001);
	hears_run(p, 2, 10001, 1000); /* and not 2001 again */
	expect_nothing(p);
	peer_stop_anyhow(p);
}

void rfc5682_spurious_time_out_is_undone(void **state)
{
	struct peer *p = timed_out();

	(void)state;
	says(p, TCP_ACK, 1, 0, 2001);
	peer_ignores_rest(p);
	says(p, TCP_ACK, 1, 0, 4001); /* originals, all of them */
	assert_int_equal(peer_info(p).ca_state, 0);
	assert_true(peer_info(p).cwnd >= 10000);
	assert_true(peer_info(p).ssthresh > 10000);
	while (frames_waiting(p) > 0) { /* nothing is sent again */
		assert_true(next_offset(p) >= 12001);
		hears(p, TCP_ACK, next_offset(p), 1000, 1);
	}
	peer_stop_anyhow(p);
}

void rfc5682_real_loss(void **state)
{
	struct peer *p = timed_out();

	(void)state;
	says(p, TCP_ACK, 1, 0, 2001);
	hears_run(p, 2, 10001, 1000);
	sacks(p, 2001, 10001, 11001); /* only the new ones arrive */
	assert_int_equal(peer_info(p).ca_state, 2);
	assert_true(peer_info(p).ssthresh <= 5000);
	assert_true(frames_waiting(p) > 0);
	assert_int_equal(next_offset(p), 2001); /* and now it is sent again */
	peer_stop_anyhow(p);
}

/* ---- Eifel
 * ------------------------------------------------------------------------------------------------------------- */

void rfc3522_echo_from_before(void **state)
{
	struct tcp_options options = sack_option(1012);
	struct seg ack = { .flags = TCP_ACK, .seq = THEIRS(1), .options = timestamps_option(200) };
	struct peer *p;
	uint64_t cwnd, ssthresh;
	uint32_t original;

	(void)state;
	options.has_timestamps = true;
	options.tsval = 100;
	p = opened(without_probes, options);
	service_sends(p, 30000);
	cwnd = peer_info(p).cwnd;
	ssthresh = peer_info(p).ssthresh;
	hears(p, TCP_ACK, 1, 1000, 1);
	original = p->last.options.tsval;
	peer_ignores_rest(p);
	wakes_after(p, 200);
	peer_ignores_rest(p);
	assert_int_equal(peer_info(p).cwnd, 1000);
	ack.ack = OURS(1001);
	ack.options.tsecr = original;
	peer_sends(p, ack);
	assert_int_equal(peer_info(p).ca_state, 0);
	assert_true(peer_info(p).cwnd >= cwnd);
	assert_int_equal(peer_info(p).ssthresh, ssthresh);
	peer_stop_anyhow(p);
}

/* ---- D-SACK
 * ------------------------------------------------------------------------------------------------------------ */

/* Reordering looks like a loss; the peer then says that it had both. */
void rfc3708_all_of_it_was_there(void **state)
{
	struct peer *p = sends_over_100_ms(NULL, 10000);
	uint64_t cwnd = peer_info(p).cwnd;

	(void)state;
	hears_run(p, 10, 1, 1000);
	peer_waits(p, DURATION_MS(100));
	sacks(p, 1, 1001, 4001);
	hears(p, TCP_ACK, 1, 1000, 1);
	assert_true(peer_info(p).ssthresh <= 5000);
	says(p, TCP_ACK, 1, 0, 10001);
	peer_waits(p, DURATION_MS(50));
	sacks(p, 10001, 1, 1001);
	assert_true(peer_info(p).cwnd >= cwnd);
	assert_true(peer_info(p).ssthresh >= cwnd);
	peer_stop_anyhow(p);
}

/* ---- RFC 9937
 * ---------------------------------------------------------------------------------------------------------- */

void rfc9937_first_at_once(void **state)
{
	struct peer *p = sends_over_100_ms(NULL, 30000);

	(void)state;
	hears_run(p, 10, 1, 1000);
	sacks(p, 1, 1001, 4001);
	hears(p, TCP_ACK, 1, 1000, 1);
	assert_int_equal(peer_info(p).ca_state, 1);
	peer_stop_anyhow(p);
}

/* Half of what arrives may go out, for ssthresh is half of what was in flight. */
void rfc9937_in_proportion(void **state)
{
	struct peer *p = sends_over_100_ms(NULL, 30000);
	uint32_t sent;

	(void)state;
	hears_run(p, 10, 1, 1000);
	sacks(p, 1, 1001, 4001);
	sent = frames_waiting(p);
	peer_ignores_rest(p);
	for (uint32_t arrived = 4; arrived <= 9; arrived++) {
		sacks(p, 1, 1001, 1001 + 1000 * arrived);
		sent += frames_waiting(p);
		peer_ignores_rest(p);
		assert_true(sent <= (arrived + 1) / 2 + 1);
		assert_true(sent + 1 >= arrived / 2);
	}
	assert_in_range(sent, 4, 6);
	peer_stop_anyhow(p);
}

void rfc9937_window_at_the_end(void **state)
{
	struct peer *p = sends_over_100_ms(NULL, 10000);

	(void)state;
	hears_run(p, 10, 1, 1000);
	sacks(p, 1, 1001, 4001);
	peer_waits(p, DURATION_MS(100));
	peer_ignores_rest(p);
	says(p, TCP_ACK, 1, 0, 10001);
	assert_int_equal(peer_info(p).ca_state, 0);
	assert_int_equal(peer_info(p).cwnd, peer_info(p).ssthresh);
	assert_int_equal(peer_info(p).ssthresh, 5000);
	peer_stop_anyhow(p);
}
