/* What looked like a loss and was none: F-RTO (RFC 5682), Eifel detection and response (RFC 3522, 4015), D-SACK. The
 * sequence numbers wrap in the middle of each dialogue. */
#include "repair.h"

/* ---- spurious time-outs
 * --------------------------------------------------------------------------------------------- */

/* Ten in flight, all delayed: the timer goes off. Probes of the tail are not looked at here. */
static struct peer *timed_out(void (*tweak)(struct stack_config *), struct tcp_options options, uint32_t bytes)
{
	struct peer *p = sending(tweak, options, bytes);

	if (options.has_timestamps)
		answer.tsecr += 20; /* of the flight that is delayed */
	expect_run(p, 2001, bytes / MSS < 10 ? bytes / MSS : 10);
	peer_waits(p, DURATION_MS(250));
	expect_data(p, 2001);
	expect_nothing(p);
	assert_int_equal(counters(p).retransmission_timeouts, 1);
	assert_int_equal(peer_info(p).ca_state, 2);
	assert_int_equal(peer_info(p).cwnd, MSS);
	return p;
}

static void frto(struct tcp_options options)
{
	struct peer *p = timed_out(without_probes, options, 30 * MSS);

	acks(p, 3001);
	expect_run(p, 12001, 2); /* step 2b: new data, and nothing again */
	expect_nothing(p);
	acks(p, 4001); /* step 3b: the original */
	assert_int_equal(peer_info(p).ca_state, 0);
	assert_int_equal(counters(p).spurious_rto, 1);
	assert_int_equal(counters(p).undos, 1);
	assert_in_range(peer_info(p).cwnd, 10 * MSS, 12 * MSS);
	assert_int_equal(peer_info(p).ssthresh, UINT64_MAX);
	assert_int_equal(peer_info(p).backoff, 0);
	assert_int_equal(peer_info(p).lost, 0);
	assert_int_equal(peer_info(p).total_rto, 1);
	assert_int_equal(peer_info(p).total_rto_recoveries, 1);
	assert_int_equal(counters(p).retransmitted_segments, 1);
	expect_run(p, 14001, p->frame_count - p->frame_first);
	peer_stop_anyhow(p);
}

static void delay_is_told_from_loss_by_new_data(void **state)
{
	(void)state;
	frto(sacking);
	frto((struct tcp_options){ 0 });
}

/* RFC 5682 step 3a: what comes for the new data are duplicates: the loss was real. */
static void real_loss_is_repaired(void **state)
{
	struct peer *p = timed_out(without_probes, sacking, 30 * MSS);

	(void)state;
	acks(p, 3001);
	expect_run(p, 12001, 2);
	peer_waits(p, RTT);
	sack(p, 3001, 12001, 13001);
	assert_int_equal(peer_info(p).ca_state, 2);
	expect_data(p, 3001);
	assert_int_equal(counters(p).undos, 0);
	peer_stop_anyhow(p);
}

static void without_frto(struct stack_config *config)
{
	config->tcp.frto = false;
	config->tcp.tail_loss_probe = false;
}

static void without_frto_all_is_repaired(void **state)
{
	struct peer *p = timed_out(without_frto, sacking, 30 * MSS);

	(void)state;
	acks(p, 3001);
	expect_run(p, 3001, 2);
	expect_nothing(p);
	peer_stop_anyhow(p);
}

/* RFC 3522: the first ACK echoes the original. Then the new round trip is believed (RFC 4015). */
static void delay_is_told_from_loss_by_timestamps(void **state)
{
	struct peer *p = timed_out(without_frto, stamping, 10 * MSS);

	(void)state;
	acks(p, 3001);
	assert_int_equal(peer_info(p).ca_state, 0);
	assert_in_range(peer_info(p).cwnd, 10 * MSS, 12 * MSS);
	assert_int_equal(counters(p).spurious_rto, 1);
	assert_true(peer_info(p).srtt.ns >= DURATION_MS(240).ns);
	assert_true(peer_info(p).rto.ns >= DURATION_MS(600).ns);
	expect_nothing(p);
	peer_stop_anyhow(p);
	/* What echoes the retransmission undoes nothing. */
	p = timed_out(without_frto, stamping, 10 * MSS);
	answer.tsecr = p->last.options.tsval;
	peer_waits(p, RTT);
	acks(p, 3001);
	assert_int_equal(peer_info(p).ca_state, 2);
	assert_int_equal(counters(p).undos, 0);
	peer_stop_anyhow(p);
}

static void without_undo(struct stack_config *config)
{
	config->tcp.frto = config->tcp.undo = config->tcp.tail_loss_probe = false;
}

static void without_undo_nothing_is_taken_back(void **state)
{
	struct peer *p = timed_out(without_undo, stamping, 10 * MSS);

	(void)state;
	acks(p, 3001);
	assert_int_equal(peer_info(p).ca_state, 2);
	peer_stop_anyhow(p);
}

/* ---- spurious fast recoveries
 * --------------------------------------------------------------------------------------- */

/* The first segment was late by more than the reordering window. */
static struct peer *recovering(struct tcp_options options)
{
	struct peer *p = sending(no_tweak, options, 10 * MSS);

	if (options.has_timestamps)
		answer.tsecr += 20;
	expect_run(p, 2001, 10);
	peer_waits(p, RTT);
	sack(p, 2001, 3001, 6001);
	expect_data(p, 2001);
	assert_int_equal(peer_info(p).ca_state, 1);
	assert_int_equal(peer_info(p).cwnd, 5 * MSS);
	peer_waits(p, DURATION_MS(5));
	return p;
}

static void dsack_undoes_fast_recovery(void **state)
{
	struct peer *p = recovering(sacking);

	(void)state;
	acks(p, 6001); /* the original; nothing tells that yet */
	assert_int_equal(peer_info(p).cwnd, 5 * MSS);
	sack(p, 6001, 2001, 3001);
	assert_int_equal(peer_info(p).ca_state, 0);
	assert_in_range(peer_info(p).cwnd, 10 * MSS, 11 * MSS);
	assert_int_equal(peer_info(p).ssthresh, UINT64_MAX);
	assert_int_equal(counters(p).undos, 1);
	expect_nothing(p);
	peer_stop_anyhow(p);
}

/* All is acknowledged before the D-SACK comes. */
static void dsack_undoes_after_the_end(void **state)
{
	struct peer *p = recovering(sacking);

	(void)state;
	acks(p, 2001 + 10 * MSS);
	assert_int_equal(peer_info(p).ca_state, 0);
	assert_int_equal(peer_info(p).cwnd, 5 * MSS);
	sack(p, 2001 + 10 * MSS, 2001, 3001);
	assert_int_equal(peer_info(p).cwnd, 10 * MSS);
	sack(p, 2001 + 10 * MSS, 2001, 3001); /* once only */
	assert_int_equal(counters(p).undos, 1);
	peer_stop(p);
}

static void echo_undoes_fast_recovery(void **state)
{
	struct peer *p = recovering(stamping);

	(void)state;
	acks(p, 6001);
	assert_int_equal(peer_info(p).ca_state, 0);
	assert_in_range(peer_info(p).cwnd, 10 * MSS, 14 * MSS);
	assert_int_equal(counters(p).undos, 1);
	peer_stop_anyhow(p);
}

/* One hole is filled by a late original, the other by what was sent again: the repair was not needless. */
static void one_late_original_does_not_undo_all(void **state)
{
	struct peer *p = sending(no_tweak, stamping, 10 * MSS);

	(void)state;
	answer.tsecr += 20;
	expect_run(p, 2001, 10);
	peer_waits(p, RTT);
	sacks(p, 2001, 3001, 5001, 6001, 12001); /* 2001 and 5001 are missing */
	expect_data(p, 2001);
	expect_data(p, 5001);
	peer_waits(p, DURATION_MS(5));
	acks(p, 5001); /* the original of the first; the copy of the other is on its way */
	assert_int_equal(peer_info(p).ca_state, 1);
	assert_int_equal(counters(p).undos, 0);
	answer.tsecr += 20;
	peer_waits(p, DURATION_MS(15));
	acks(p, 12001);
	assert_int_equal(peer_info(p).ca_state, 0);
	assert_int_equal(peer_info(p).cwnd, 5 * MSS);
	assert_int_equal(counters(p).undos, 0);
	peer_stop_anyhow(p);
}

/* A round trip after the end it is too late for a D-SACK to be about this repair. */
static void late_dsack_undoes_nothing(void **state)
{
	struct peer *p = recovering(sacking);

	(void)state;
	acks(p, 12001);
	service_sends(p, MSS);
	expect_data(p, 12001);
	acks(p, 13001);
	sack(p, 13001, 2001, 3001);
	assert_int_equal(peer_info(p).cwnd, 5 * MSS);
	assert_int_equal(counters(p).undos, 0);
	peer_stop(p);
}

/* A D-SACK about something that was never sent again is the network's own. */
static void foreign_dsack_undoes_nothing(void **state)
{
	struct peer *p = recovering(sacking);

	(void)state;
	acks(p, 6001);
	sack(p, 6001, 3001, 4001);
	assert_int_equal(peer_info(p).cwnd, 5 * MSS);
	assert_int_equal(counters(p).undos, 0);
	peer_stop_anyhow(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delay_is_told_from_loss_by_new_data),
		cmocka_unit_test(real_loss_is_repaired),
		cmocka_unit_test(without_frto_all_is_repaired),
		cmocka_unit_test(delay_is_told_from_loss_by_timestamps),
		cmocka_unit_test(without_undo_nothing_is_taken_back),
		cmocka_unit_test(dsack_undoes_fast_recovery),
		cmocka_unit_test(dsack_undoes_after_the_end),
		cmocka_unit_test(echo_undoes_fast_recovery),
		cmocka_unit_test(foreign_dsack_undoes_nothing),
		cmocka_unit_test(one_late_original_does_not_undo_all),
		cmocka_unit_test(late_dsack_undoes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
