/* Loss recovery as a peer sees it: RACK-TLP (RFC 8985), proportional rate reduction (RFC 9937), D-SACK (RFC 2883),
 * reneging (RFC 2018). The sequence numbers wrap in the middle of each dialogue. */
#include "repair.h"

static void without_rack(struct stack_config *config)
{
	config->tcp.rack = false;
}

/* ---- RACK --------------------------------------------------------------------------------------------------------
 */

/* One segment SACKed is no proof yet: what is before it gets a quarter of a round trip more. */
static void reordering_window_comes_first(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 10 * MSS);

	(void)state;
	expect_run(p, 2001, 10);
	peer_waits(p, RTT);
	sack(p, 2001, 4001, 5001);
	expect_nothing(p);
	peer_waits(p, DURATION_MS(4));
	expect_nothing(p);
	assert_int_equal(peer_info(p).ca_state, 0);
	peer_waits(p, DURATION_MS(2));
	expect_data(p, 2001);
	assert_int_equal(peer_info(p).ca_state, 1);
	assert_int_equal(counters(p).fast_recoveries, 1);
	acks(p, 2001 + 10 * MSS);
	expect_nothing(p);
	peer_stop(p);
}

/* DupThresh segments SACKed, and no reordering seen: at once. */
static void three_sacked_segments_are_proof(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 10 * MSS);

	(void)state;
	expect_run(p, 2001, 10);
	peer_waits(p, RTT);
	sack(p, 2001, 3001, 5001);
	expect_nothing(p);
	sack(p, 2001, 3001, 6001);
	expect_data(p, 2001);
	acks(p, 2001 + 10 * MSS);
	expect_nothing(p);
	assert_int_equal(counters(p).fast_recoveries, 1);
	peer_stop(p);
}

/* Small segments count as well: three ACKs that SACK something, though it is less than two full ones. */
static void three_small_segments_are_proof(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 0);

	(void)state;
	stack_set_nodelay(p->stack, p->conn, true);
	for (uint32_t i = 0; i < 6; i++) {
		service_sends(p, 100);
		peer_turn(p);
		expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(2001 + i * 100), .ack = 1001, .length = 100 });
		peer_waits(p, DURATION_US(10));
	}
	peer_waits(p, RTT);
	sack(p, 2001, 2201, 2401);
	sack(p, 2001, 2201, 2501);
	expect_nothing(p);
	sack(p, 2001, 2201, 2601);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(2001), .ack = 1001, .length = 100 });
	peer_stop_anyhow(p);
}

/* The head was sent again just now: the time-out waits for what RACK learns of that. */
static void timeout_counts_from_the_retransmission(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 10 * MSS);

	(void)state;
	expect_run(p, 2001, 10);
	peer_waits(p, DURATION_MS(150));
	peer_ignores_rest(p);
	sack(p, 2001, 3001, 6001);
	expect_data(p, 2001);
	assert_true(peer_info(p).timer_left.ns >= DURATION_MS(200).ns);
	peer_stop_anyhow(p);
}

/* RFC 8985 section 6.3: what left the moment before the time-out is not lost by it. */
static void timeout_spares_what_was_just_sent(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 3 * MSS);

	(void)state;
	expect_run(p, 2001, 3);
	peer_waits(p, DURATION_MS(43));
	expect_data(p, 4001); /* the probe */
	peer_waits(p, DURATION_MS(210));
	service_sends(p, MSS);
	expect_data(p, 5001);
	peer_waits(p, DURATION_MS(12));
	assert_int_equal(counters(p).retransmission_timeouts, 1);
	expect_data(p, 2001);
	assert_int_equal(peer_info(p).lost, 3 * MSS);
	peer_stop_anyhow(p);
}

/* What came late once may come late again. */
static void reordering_is_remembered(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 10 * MSS);

	(void)state;
	expect_run(p, 2001, 10);
	peer_waits(p, RTT);
	sack(p, 2001, 3001, 5001);
	acks(p, 5001); /* the first was late only */
	assert_int_equal(peer_info(p).reord_seen, 1);
	acks(p, 2001 + 10 * MSS); /* all is idle: it is remembered */
	service_sends(p, 10 * MSS);
	expect_run(p, 12001, 10);
	peer_waits(p, RTT);
	sack(p, 12001, 13001, 18001);
	expect_nothing(p);
	peer_waits(p, DURATION_MS(6));
	expect_data(p, 12001);
	assert_int_equal(counters(p).rack_reorderings, 1);
	peer_stop_anyhow(p);
}

/* A D-SACK says that a quarter was not enough: half of a round trip now; after sixteen recoveries a quarter again is
 * test_mechanisms' matter. */
static void dsack_widens_the_window(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 10 * MSS);

	(void)state;
	expect_run(p, 2001, 10);
	peer_waits(p, RTT);
	sack(p, 2001, 3001, 6001);
	expect_data(p, 2001);
	acks(p, 2001 + 10 * MSS);
	sack(p, 2001 + 10 * MSS, 2001, 3001); /* needless */
	assert_int_equal(peer_info(p).dsack_dups, 1);
	service_sends(p, 10 * MSS);
	expect_run(p, 12001, 10);
	peer_waits(p, RTT);
	sack(p, 12001, 13001, 14001);
	peer_waits(p, DURATION_MS(9));
	expect_nothing(p);
	peer_waits(p, DURATION_MS(2));
	expect_data(p, 12001);
	peer_stop_anyhow(p);
}

/* RFC 8985 section 3.3: new data sent after the retransmission has arrived, it has not. */
static void lost_retransmission_is_found(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 20 * MSS);

	(void)state;
	expect_run(p, 2001, 10);
	peer_waits(p, RTT);
	sack(p, 2001, 3001, 6001);
	expect_data(p, 2001);
	peer_waits(p, DURATION_MS(1));
	sack(p, 2001, 3001, 12001); /* much leaves the network: new data goes out */
	expect_data(p, 12001);
	peer_ignores_rest(p);
	peer_waits(p, RTT);
	sack(p, 2001, 3001, 13001);
	expect_data(p, 2001);
	assert_int_equal(counters(p).lost_retransmissions, 1);
	assert_int_equal(counters(p).fast_recoveries, 1);
	assert_int_equal(counters(p).retransmission_timeouts, 0);
	peer_stop_anyhow(p);
}

/* The ACK that comes too soon after the retransmission is that of the original: it tells nothing about losses among
 * what was sent in between. */
static void ack_of_the_original_does_not_count_for_the_copy(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 20 * MSS);

	(void)state;
	expect_run(p, 2001, 10);
	peer_waits(p, RTT);
	sack(p, 2001, 3001, 6001);
	expect_data(p, 2001);
	peer_waits(p, DURATION_MS(2)); /* the shortest round trip is 20 ms */
	acks(p, 6001);
	assert_int_equal(peer_info(p).lost, 0);
	assert_int_equal(counters(p).retransmitted_segments, 1);
	peer_stop_anyhow(p);
}

/* A segment overtakes a flight, which then comes as it would have: what is left of it has time until it would be late
 * by the round trip that the others show. */
static void what_was_overtaken_is_not_lost(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 8 * MSS);

	(void)state;
	expect_run(p, 2001, 8);
	peer_waits(p, DURATION_MS(17));
	sack(p, 2001, 9001, 10001);
	peer_waits(p, DURATION_MS(3));
	for (uint32_t i = 1; i < 8; i++) { /* after 20 ms, 22 ms, ... */
		sack(p, 2001 + i * MSS, 9001, 10001);
		peer_waits(p, DURATION_MS(2));
	}
	assert_int_equal(counters(p).retransmitted_segments, 0);
	peer_stop_anyhow(p);
}

static void without_rack_segments_are_counted(void **state)
{
	struct peer *p = sending(without_rack, sacking, 10 * MSS);

	(void)state;
	expect_run(p, 2001, 10);
	peer_waits(p, RTT);
	sack(p, 2001, 3001, 5001);
	peer_waits(p, DURATION_MS(15));
	expect_nothing(p);
	sack(p, 2001, 3001, 6001);
	expect_data(p, 2001);
	peer_stop_anyhow(p);
}

/* ---- tail loss probes
 * ---------------------------------------------------------------------------------------------- */

static void last_segment_is_sent_again(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 5 * MSS);

	(void)state;
	expect_run(p, 2001, 5);
	peer_waits(p, DURATION_MS(41));
	expect_nothing(p);
	peer_waits(p, DURATION_MS(2)); /* two round trips and 2 ms */
	expect_data(p, 6001);
	assert_int_equal(counters(p).tlp_probes, 1);
	peer_waits(p, DURATION_MS(150));
	expect_nothing(p); /* one probe only */
	assert_int_equal(counters(p).retransmission_timeouts, 0);
	peer_waits(p, DURATION_MS(100)); /* the time-out counts from the probe */
	expect_data(p, 2001);
	assert_int_equal(counters(p).retransmission_timeouts, 1);
	peer_stop_anyhow(p);
}

/* One at a time: until its fate is known there is no other, whatever ACKs come. */
static void no_probe_follows_a_probe(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 5 * MSS);

	(void)state;
	expect_run(p, 2001, 5);
	peer_waits(p, DURATION_MS(43));
	expect_data(p, 6001);
	acks(p, 4001);
	peer_waits(p, DURATION_MS(100));
	expect_nothing(p);
	acks(p, 7001);
	sack(p, 7001, 6001, 7001); /* both had come */
	service_sends(p, 2 * MSS);
	expect_run(p, 7001, 2);
	peer_waits(p, DURATION_MS(150));
	expect_data(p, 8001);
	assert_int_equal(counters(p).tlp_probes, 2);
	peer_stop_anyhow(p);
}

/* Where something is SACKed, loss detection is on its way. */
static void no_probe_beside_sacks(void **state)
{
	struct peer *p = sending(without_rack, sacking, 10 * MSS);

	(void)state;
	expect_run(p, 2001, 10);
	peer_waits(p, RTT);
	sack(p, 3001, 5001, 6001);
	peer_waits(p, DURATION_MS(3));
	assert_int_equal(counters(p).tlp_probes, 0);
	assert_int_equal(peer_info(p).ca_state, 0);
	peer_waits(p, DURATION_MS(100));
	assert_int_equal(counters(p).tlp_probes, 0);
	peer_stop_anyhow(p);
}

/* The congestion window does not hold a probe back. */
static void new_data_probes_where_there_is_some(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 30 * MSS);
	uint32_t sent = peer_info(p).cwnd / MSS;

	(void)state;
	expect_run(p, 2001, sent);
	expect_nothing(p);
	peer_waits(p, DURATION_MS(43));
	expect_data(p, 2001 + sent * MSS);
	expect_nothing(p);
	acks(p, 2001 + (sent + 1) * MSS);
	assert_int_equal(counters(p).tlp_recoveries, 0);
	assert_int_equal(peer_info(p).ssthresh, UINT64_MAX);
	peer_stop_anyhow(p);
}

static void lone_segment_waits_for_the_delayed_ack(void **state)
{
	struct peer *p = sending(no_tweak, sacking, MSS);

	(void)state;
	expect_data(p, 2001);
	peer_waits(p, DURATION_MS(200));
	expect_nothing(p);
	peer_waits(p, DURATION_MS(45));
	expect_data(p, 2001);
	assert_int_equal(counters(p).tlp_probes, 1);
	peer_stop_anyhow(p);
}

/* Such a loss halves what was in flight when it happened, not what is left after the ACK that tells of it. */
static void flight_of_a_lost_tail(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 10 * MSS);

	(void)state;
	expect_run(p, 2001, 10);
	peer_waits(p, DURATION_MS(43));
	expect_data(p, 2001 + 9 * MSS);
	expect_nothing(p);
	acks(p, 2001 + 10 * MSS);
	service_sends(p, 10 * MSS);
	expect_run(p, 2001 + 10 * MSS, 10);
	acks(p, 2001 + 20 * MSS);
	assert_int_equal(counters(p).tlp_recoveries, 1);
	assert_int_equal(peer_info(p).ssthresh, 5 * MSS);
	peer_stop_anyhow(p);
}

/* RFC 8985 section 7.4: the ACK says nothing of a duplicate, so the tail had been lost, which is congestion. */
static void tail(bool duplicate)
{
	struct peer *p = sending(no_tweak, sacking, 5 * MSS);
	uint64_t cwnd = peer_info(p).cwnd;

	expect_run(p, 2001, 5);
	peer_waits(p, RTT);
	acks(p, 6001);
	peer_waits(p, DURATION_MS(250)); /* one segment is left */
	expect_data(p, 6001);
	expect_nothing(p);
	cwnd = peer_info(p).cwnd;
	acks(p, 7001);
	if (duplicate)
		sack(p, 7001, 6001, 7001);
	service_sends(p, MSS);
	expect_data(p, 7001);
	acks(p, 8001);
	assert_int_equal(counters(p).tlp_recoveries, !duplicate);
	assert_int_equal(counters(p).retransmission_timeouts, 0);
	if (duplicate)
		assert_in_range(peer_info(p).cwnd, cwnd, UINT32_MAX);
	else
		assert_in_range(peer_info(p).cwnd, 2 * MSS, cwnd / 2 + MSS);
	peer_stop(p);
}

static void probe_that_repaired_is_a_loss(void **state)
{
	(void)state;
	tail(false);
}

static void probe_that_came_twice_is_none(void **state)
{
	(void)state;
	tail(true);
}

/* The SACK of the probe shows what is missing before it. */
static void lost_tail(struct tcp_options options)
{
	struct peer *p = sending(no_tweak, options, 5 * MSS);

	expect_run(p, 2001, 5);
	peer_waits(p, DURATION_MS(43));
	expect_data(p, 6001);
	peer_waits(p, RTT);
	sack(p, 2001, 6001, 7001);
	peer_waits(p, DURATION_MS(6));
	expect_data(p, 2001);
	peer_waits(p, RTT);
	acks(p, 3001);
	peer_ignores_rest(p);
	acks(p, 7001);
	assert_int_equal(counters(p).retransmission_timeouts, 0);
	assert_int_equal(counters(p).fast_recoveries, 1);
	peer_stop_anyhow(p);
}

/* Timestamps tell no more here: what lies ahead of a hole is not echoed (RFC 7323 section 4.3). */
static void lost_tail_is_repaired_without_time_out(void **state)
{
	(void)state;
	lost_tail(sacking);
	lost_tail(stamping);
}

static void no_probe_where_none_is_wanted(void **state)
{
	struct peer *p = sending(without_probes, sacking, 5 * MSS);

	(void)state;
	expect_run(p, 2001, 5);
	peer_waits(p, DURATION_MS(200));
	expect_nothing(p);
	peer_stop_anyhow(p);
	p = sending(no_tweak, (struct tcp_options){ 0 }, 5 * MSS); /* without SACK */
	expect_run(p, 2001, 5);
	peer_waits(p, DURATION_MS(200));
	expect_nothing(p);
	peer_stop_anyhow(p);
	p = sending(no_tweak, sacking, 0); /* a closed window has probes of its own */
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(2001), .window = WINDOW_ZERO });
	service_sends(p, 5 * MSS);
	peer_waits(p, DURATION_MS(190));
	expect_nothing(p);
	assert_int_equal(counters(p).tlp_probes, 0);
	peer_stop_anyhow(p);
}

static void fin_is_probed(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 2 * MSS);

	(void)state;
	expect_run(p, 2001, 2);
	stack_shutdown(p->stack, p->conn);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(4001), .ack = 1001 });
	peer_waits(p, DURATION_MS(43));
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(4001), .ack = 1001 });
	peer_stop_anyhow(p);
}

/* ---- proportional rate reduction
 * ------------------------------------------------------------------------------------ */

/* What goes out in recovery while all but the first of ten arrive: in the first half of the ACKs, and in all. */
static void sent_in_recovery(void (*tweak)(struct stack_config *), uint32_t *ret_first_half, uint32_t *ret_all)
{
	struct peer *p = sending(tweak, sacking, 60 * MSS);

	assert_int_equal(peer_info(p).unacked, 10 * MSS);
	peer_ignores_rest(p);
	peer_waits(p, RTT);
	sack(p, 2001, 3001, 6001);
	assert_int_equal(p->frame_count - p->frame_first, 1); /* 3/10 of what was in flight: half of that */
	sack(p, 2001, 3001, 7001);
	*ret_first_half = p->frame_count - p->frame_first;
	for (uint32_t i = 5; i < 10; i++)
		sack(p, 2001, 3001, 2001 + (i + 1) * MSS);
	*ret_all = p->frame_count - p->frame_first;
	peer_stop_anyhow(p);
}

static void without_prr(struct stack_config *config)
{
	config->tcp.prr = false;
}

/* Half of ten, spread over the ACKs; without it nothing follows what is sent again, until five are left. */
static void reduction_is_spread_over_the_round_trip(void **state)
{
	uint32_t first_half, all;

	(void)state;
	sent_in_recovery(no_tweak, &first_half, &all);
	assert_int_equal(first_half, 2);
	assert_int_equal(all, 5);
	sent_in_recovery(without_prr, &first_half, &all);
	assert_int_equal(first_half, 1);
}

/* ---- SACK and D-SACK
 * ------------------------------------------------------------------------------------------------ */

/* RFC 2883 at the sender: what the first block says about duplicates, and what is no D-SACK. */
static void dsacks_are_told_from_sacks(void **state)
{
	static const struct {
		uint32_t start[2], end[2];
		uint32_t dsacks, sacked;
	} rows[] = {
		{ { 3001 }, { 4001 }, 0, 1000 },
		{ { 1001 }, { 2001 }, 1, 0 },                /* below the ACK */
		{ { 1001, 3001 }, { 2001, 5001 }, 1, 2000 }, /* and something above it */
		{ { 4001, 3001 }, { 5001, 6001 }, 1, 3000 }, /* inside the second */
		{ { 3001, 4001 }, { 6001, 5001 }, 0, 3000 }, /* the other way round */
		{ { 1501, 0 }, { 2501, 0 }, 0, 0 },          /* across the ACK: nonsense */
		{ { 13001, 0 }, { 14001, 0 }, 0, 0 },        /* never sent */
		{ { 4001, 0 }, { 4001, 0 }, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer *p = sending(no_tweak, sacking, 10 * MSS);

		expect_run(p, 2001, 10);
		sacks(p, 2001, rows[i].start[0], rows[i].end[0], rows[i].start[1], rows[i].end[1]);
		assert_int_equal(peer_info(p).dsack_dups, rows[i].dsacks);
		assert_int_equal(counters(p).dsack_received, rows[i].dsacks);
		assert_int_equal(peer_info(p).sacked, rows[i].sacked);
		peer_stop_anyhow(p);
	}
}

static void peer_sends_text(struct peer *p, uint32_t seq, uint32_t length)
{
	peer_puts(p, (struct seg){ .flags = TCP_ACK, .seq = seq, .ack = OURS(1), .length = length });
}

static void expect_blocks_at(struct peer *p, uint32_t ack, uint32_t count, const uint32_t (*block)[2], int line)
{
	struct seg seg = { .flags = TCP_ACK, .seq = OURS(1), .ack = ack, .check_options = true };

	seg.options.sack_count = (uint8_t)count;
	for (uint32_t i = 0; i < count; i++)
		seg.options.sack[i] = (struct tcp_sack_block){ SEQ(block[i][0]), SEQ(block[i][1]) };
	expect_segment(p, seg, __FILE__, line);
}
#define expect_blocks(p, ack, count, block) expect_blocks_at(p, ack, count, block, __LINE__)

/* RFC 2883 section 4 at the receiver. */
static void duplicates_are_reported(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, (struct tcp_options){ .has_mss = true, .mss = MSS, .sack_permitted = true });
	peer_sends_text(p, 1001, 500);
	peer_turn(p);
	peer_waits(p, DURATION_MS(50));
	expect_blocks(p, 1501, 0, NULL);
	peer_sends_text(p, 1001, 500); /* the same again */
	peer_turn(p);
	expect_blocks(p, 1501, 1, ((const uint32_t[][2]){ { 1001, 1501 } }));
	peer_sends_text(p, 1201, 500); /* old and new: the old part */
	peer_turn(p);
	expect_blocks(p, 1701, 1, ((const uint32_t[][2]){ { 1201, 1501 } }));
	peer_sends_text(p, 2701, 500); /* ahead of a hole */
	peer_turn(p);
	expect_blocks(p, 1701, 1, ((const uint32_t[][2]){ { 2701, 3201 } }));
	peer_sends_text(p, 2801, 100); /* of which a part comes again */
	peer_turn(p);
	expect_blocks(p, 1701, 2, ((const uint32_t[][2]){ { 2801, 2901 }, { 2701, 3201 } }));
	peer_sends_text(p, 1001, 100); /* two in one turn: an ACK for each */
	peer_sends_text(p, 1301, 100);
	peer_turn(p);
	expect_blocks(p, 1701, 2, ((const uint32_t[][2]){ { 1001, 1101 }, { 2701, 3201 } }));
	expect_blocks(p, 1701, 2, ((const uint32_t[][2]){ { 1301, 1401 }, { 2701, 3201 } }));
	peer_sends_text(p, 1701, 1200); /* fills the hole, and reaches over what was there */
	peer_turn(p);
	expect_blocks(p, 3201, 1, ((const uint32_t[][2]){ { 2701, 2901 } }));
	expect_nothing(p);
	assert_int_equal(counters(p).dsack_sent, 6);
	assert_int_equal(service_reads(p), 2200);
	peer_stop_anyhow(p);
}

static void no_report_without_sack(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, (struct tcp_options){ .has_mss = true, .mss = MSS });
	peer_sends_text(p, 1001, 500);
	peer_turn(p);
	peer_waits(p, DURATION_MS(50));
	peer_ignores_rest(p);
	peer_sends_text(p, 1001, 500);
	peer_turn(p);
	expect_blocks(p, 1501, 0, NULL);
	peer_stop_anyhow(p);
}

/* RFC 2018 section 8: a peer that ACKs right up to what it had SACKed has thrown that away. */
static void reneging(void **state)
{
	struct peer *p = sending(no_tweak, sacking, 6 * MSS);

	(void)state;
	expect_run(p, 2001, 6);
	peer_waits(p, RTT);
	sack(p, 2001, 3001, 8001);
	expect_data(p, 2001);
	peer_waits(p, RTT);
	acks(p, 3001);
	expect_nothing(p);
	peer_waits(p, DURATION_MS(11)); /* half a round trip */
	assert_int_equal(counters(p).sack_reneges, 1);
	assert_int_equal(peer_info(p).sacked, 0);
	expect_data(p, 3001);
	acks(p, 4001);
	expect_run(p, 4001, 2);
	peer_stop_anyhow(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reordering_window_comes_first),
		cmocka_unit_test(three_sacked_segments_are_proof),
		cmocka_unit_test(three_small_segments_are_proof),
		cmocka_unit_test(timeout_counts_from_the_retransmission),
		cmocka_unit_test(timeout_spares_what_was_just_sent),
		cmocka_unit_test(no_probe_follows_a_probe),
		cmocka_unit_test(flight_of_a_lost_tail),
		cmocka_unit_test(no_probe_beside_sacks),
		cmocka_unit_test(reordering_is_remembered),
		cmocka_unit_test(dsack_widens_the_window),
		cmocka_unit_test(lost_retransmission_is_found),
		cmocka_unit_test(ack_of_the_original_does_not_count_for_the_copy),
		cmocka_unit_test(what_was_overtaken_is_not_lost),
		cmocka_unit_test(without_rack_segments_are_counted),
		cmocka_unit_test(last_segment_is_sent_again),
		cmocka_unit_test(new_data_probes_where_there_is_some),
		cmocka_unit_test(lone_segment_waits_for_the_delayed_ack),
		cmocka_unit_test(probe_that_repaired_is_a_loss),
		cmocka_unit_test(probe_that_came_twice_is_none),
		cmocka_unit_test(lost_tail_is_repaired_without_time_out),
		cmocka_unit_test(no_probe_where_none_is_wanted),
		cmocka_unit_test(fin_is_probed),
		cmocka_unit_test(reduction_is_spread_over_the_round_trip),
		cmocka_unit_test(dsacks_are_told_from_sacks),
		cmocka_unit_test(duplicates_are_reported),
		cmocka_unit_test(no_report_without_sack),
		cmocka_unit_test(reneging),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
