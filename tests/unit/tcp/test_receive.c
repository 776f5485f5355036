/* The receive side: the right edge of the window, when an ACK is due, what is refused. */
#include "../../support/peer.h"

#define RCVBUF (256u << 10) /* of the default configuration */

static const struct tcp_options none = { 0 };

/* ---- the window ------------------------------------------------------------------------------------------------ */

/* The field of a scaled window counts in units: rounding must not move the edge, however many ACKs there are. */
static void right_edge_does_not_creep(void **state)
{
	const struct tcp_options scaling = { .has_mss = true, .mss = 1460, .has_wscale = true, .wscale = 7 };
	struct peer *p = peer_start(NULL);
	uint32_t seq = 1001, edge = 0;

	(void)state;
	peer_establishes(p, scaling);
	for (int i = 0; i < 2000; i++) {
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = seq, .ack = OURS(1), .length = 500 });
		peer_waits(p, DURATION_MS(50));
		expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1) });
		seq = p->last.ack.v; /* what was refused comes again */
		edge = seq + (uint32_t)(p->last.window << peer_info(p).rcv_wscale);
		assert_in_range(edge, 1001, 1001 + RCVBUF);
		assert_in_range(peer_info(p).recv_q, 0, RCVBUF);
	}
	assert_int_equal(peer_info(p).recv_q, RCVBUF); /* all that was promised was taken */
	peer_stop(p);
}

/* ---- when to acknowledge --------------------------------------------------------------------------------------- */

/* RFC 9293 3.8.6.3: every second full segment; full is what the peer sends, not what we may. */
static void every_second_segment(uint16_t our_mss, uint32_t segment)
{
	const struct tcp_options options = { .has_mss = true, .mss = our_mss };
	struct peer *p = peer_start(NULL);
	uint32_t seq = 1001;

	peer_establishes(p, options);
	for (int i = 0; i < 10; i++) {
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = seq, .ack = OURS(1), .length = segment });
		expect_nothing(p);
		seq += segment;
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = seq, .ack = OURS(1), .length = segment });
		seq += segment;
		expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = seq });
		service_reads(p);
		peer_ignores_rest(p);
	}
	peer_stop(p);
}

static void every_second_segment_is_acknowledged(void **state)
{
	(void)state;
	every_second_segment(1460, 1000); /* smaller ones than ours */
	every_second_segment(536, 1460);  /* larger ones */
	every_second_segment(1460, 1460);
}

/* A super-frame is many segments: it is answered at once, and its length is not taken for that of a segment. */
static void super_frame_is_many_segments(void **state)
{
	const struct tcp_options options = { .has_mss = true, .mss = 1460 };
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, options);
	peer_sends(p,
	           (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 14600, .gso_bytes = 1460 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 15601 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 15601, .ack = OURS(1), .length = 1460 });
	expect_nothing(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 17061, .ack = OURS(1), .length = 1460 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 18521 });
	peer_stop(p);
}

/* A FIN ahead of a hole tells that something is missing, as data there would. */
static void fin_beyond_a_hole_is_answered(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1101, .ack = OURS(1) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 100 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1102 });
	assert_int_equal(peer_state(p), TCPS_CLOSE_WAIT);
	assert_int_equal(service_reads(p), 100);
	peer_stop(p);
}

/* ---- timestamps ------------------------------------------------------------------------------------------------ */

/* RFC 7323 section 3.2: where timestamps were agreed on, a segment without is dropped, silently; but a RST counts. */
static void segment_without_timestamps_is_dropped(void **state)
{
	const struct tcp_options options = { .has_timestamps = true, .tsval = 1000 };
	struct seg data = { .flags = TCP_ACK, .seq = 1001, .length = 10 };
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, options);
	data.ack = OURS(1);
	assert_int_equal(peer_sends(p, data), VERDICT_DROP_PAWS);
	expect_nothing(p);
	data.length = 0;
	assert_int_equal(peer_sends(p, data), VERDICT_DROP_PAWS);
	expect_nothing(p);
	assert_int_equal(peer_info(p).rcv_nxt, 1001);
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1001 }), VERDICT_RESET);
	peer_stop(p);
}

/* RFC 2018 section 4: whatever an ACK is sent for, it tells of what lies beyond a hole. */
static void challenge_tells_of_holes(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, (struct tcp_options){ .sack_permitted = true });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1101, .ack = OURS(1), .length = 50 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1001 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_int_equal(p->last.options.sack_count, 1);
	assert_int_equal(p->last.options.sack[0].start.v, 1101);
	assert_int_equal(p->last.options.sack[0].end.v, 1151);
	peer_stop_anyhow(p);
}

/* RFC 5961 section 5: a segment whose ACK is out of range was not sent by the peer, and its timestamp is not
 * believed. Else one that was forged could make all later ones of the peer look old (RFC 7323 section 5). */
static void timestamp_of_unacceptable_ack_is_not_kept(void **state)
{
	const uint32_t far_ahead = 1000u + 0x7fffff00;
	struct tcp_options options = { .has_timestamps = true, .tsval = 1000 };
	struct peer *p = peer_start(NULL);
	struct seg forged = { .flags = TCP_ACK, .seq = 1001, .length = 10, .options = options };

	(void)state;
	peer_establishes(p, options);
	forged.options.tsval = far_ahead;
	forged.ack = OURS(1000);
	assert_int_equal(peer_sends(p, forged), VERDICT_DROP_ACK_UNSENT);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_int_equal(p->last.options.tsecr, 1000);
	forged.ack = OURS(1) - 0x40000000;
	assert_int_equal(peer_sends(p, forged), VERDICT_DROP_ACK_TOO_OLD);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	forged.flags = 0;
	assert_int_equal(peer_sends(p, forged), VERDICT_DROP_NO_ACK);
	expect_nothing(p);
	options.tsval = 1001;
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_PSH,
	                                             .seq = 1001,
	                                             .ack = OURS(1),
	                                             .length = 10,
	                                             .options = options }),
	                 VERDICT_ACCEPTED);
	peer_waits(p, DURATION_MS(500));
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1011 });
	assert_int_equal(p->last.options.tsecr, 1001);
	peer_stop(p);
}

/* ---- holes ----------------------------------------------------------------------------------------------------- */

#define BLOCK 16384u

static void sixteen_blocks(struct stack_config *config)
{
	config->buffers_max_bytes = 16 * BLOCK;
	config->tcp.rcvbuf_initial_bytes = 4u << 20;
}

static void large_window(struct stack_config *config)
{
	config->tcp.rcvbuf_initial_bytes = 4u << 20;
}

static uint64_t buffer_bytes(struct peer *p)
{
	struct stack_gauges gauges;

	stack_get_gauges(p->stack, &gauges);
	return gauges.buffer_bytes;
}

/* Establishes with a window of megabytes on the wire: the first is never scaled, the next one is. */
static struct peer *with_large_window(void (*tweak)(struct stack_config *))
{
	const struct tcp_options scaling = { .has_mss = true, .mss = 1460, .has_wscale = true, .wscale = 7 };
	struct peer *p = peer_start(tweak);

	peer_establishes(p, scaling);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 1 });
	peer_waits(p, DURATION_MS(50));
	assert_int_equal(service_reads(p), 1);
	peer_ignores_rest(p);
	return p;
}

/* One octet, `i` blocks ahead. */
static enum stack_verdict sends_octet(struct peer *p, uint32_t i)
{
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1002 + i * BLOCK + 5, .ack = OURS(1), .length = 1 });
	peer_ignores_rest(p);
	return p->verdict;
}

/* Lone octets far apart take a block each: no more of them than there are ranges to remember them by. */
static void range_too_many_takes_no_memory(void **state)
{
	struct peer *p = with_large_window(large_window);

	(void)state;
	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(sends_octet(p, i), VERDICT_ACCEPTED);
	assert_int_equal(buffer_bytes(p), 64 * BLOCK);
	for (uint32_t i = 64; i < 100; i++)
		assert_int_equal(sends_octet(p, i), VERDICT_DROP_REASSEMBLY);
	assert_int_equal(buffer_bytes(p), 64 * BLOCK);
	/* what makes a range longer is still welcome */
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1002 + 6, .ack = OURS(1), .length = 100 });
	assert_int_equal(p->verdict, VERDICT_ACCEPTED);
	peer_stop_anyhow(p);
}

/* When buffers run short, data ahead of a hole is the first to be refused: others can still send and receive. */
static void holes_leave_memory_to_others(void **state)
{
	struct peer *p = with_large_window(sixteen_blocks);
	uint32_t taken = 0;

	(void)state;
	for (uint32_t i = 0; i < 30; i++)
		taken += sends_octet(p, i) == VERDICT_ACCEPTED;
	assert_in_range(taken, 8, 15);
	assert_in_range(buffer_bytes(p), 1, 15 * BLOCK);
	service_sends(p, 10);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .length = 10 });
	peer_stop_anyhow(p);
}

/* A copy that fails half-way leaves no mark: what is not there is neither reported nor acknowledged later. */
static void failed_copy_leaves_no_mark(void **state)
{
	struct peer *p = with_large_window(sixteen_blocks);
	uint32_t i = 0, before, hole = 1002 + 30 * BLOCK;

	(void)state;
	while (sends_octet(p, i) == VERDICT_ACCEPTED)
		i++;
	peer_puts(p,
	          (struct seg){ .flags = TCP_ACK, .seq = 1002, .ack = OURS(1), .length = BLOCK, .gso_bytes = 1460 });
	peer_turn(p);
	assert_int_equal(service_reads(p), BLOCK); /* its block is free again: pressure is over */
	assert_int_equal(buffer_bytes(p), 14 * BLOCK);
	before = peer_info(p).rcv_holes;
	peer_ignores_rest(p);
	peer_sends(p,
	           (struct seg){ .flags = TCP_ACK, .seq = hole, .ack = OURS(1), .length = 60000, .gso_bytes = 1460 });
	assert_int_equal(p->verdict, VERDICT_DROP_REASSEMBLY);
	assert_int_equal(peer_info(p).rcv_holes, before);
	peer_stop_anyhow(p);
}

/* What can't be kept beyond the end of the turn is not acknowledged, and taken when it comes again. */
static void unread_text_without_memory_is_not_acknowledged(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_puts(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 100 });
	assert_int_equal(service_reads(p), 100); /* in place: no buffer is needed */
	peer_turn(p);
	test_memory_fail_after(&p->memory, 0);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1101, .ack = OURS(1), .length = 2000 });
	test_memory_fail_never(&p->memory);
	assert_int_equal(peer_info(p).rcv_nxt, 1101);
	assert_int_equal(peer_info(p).recv_q, 0);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1101, .ack = OURS(1), .length = 2000 });
	peer_waits(p, DURATION_MS(500));
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 3101 });
	assert_int_equal(service_reads(p), 2000);
	peer_stop_anyhow(p);
}

/* A peer that contradicts itself: text, and a FIN before it. The FIN is the end; what lies beyond it is neither
 * reported nor kept. */
static void fin_ends_what_came_beyond_it(void **state)
{
	const struct tcp_options sack = { .has_mss = true, .mss = 1460, .sack_permitted = true };
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, sack);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1102, .ack = OURS(1), .length = 500 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_int_equal(p->last.options.sack_count, 1);
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = OURS(1), .length = 100 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1102, .check_options = true });
	assert_int_equal(peer_info(p).state, TCPS_CLOSE_WAIT);
	assert_int_equal(peer_info(p).rcv_holes, 0);
	assert_int_equal(service_reads(p), 100);
	assert_int_equal(buffer_bytes(p), 0);
	peer_stop(p);
}

/* The same in one turn, and what lies beyond came twice: it is dropped before its report went out. */
static void duplicates_beyond_the_end_are_not_reported(void **state)
{
	const struct tcp_options sack = { .has_mss = true, .mss = 1460, .sack_permitted = true };
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, sack);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1102, .ack = OURS(1), .length = 500 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	peer_puts(p, (struct seg){ .flags = TCP_ACK, .seq = 1102, .ack = OURS(1), .length = 500 });
	peer_puts(p, (struct seg){ .flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = OURS(1), .length = 100 });
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1102, .check_options = true });
	assert_int_equal(service_reads(p), 100);
	peer_stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_edge_does_not_creep),
		cmocka_unit_test(every_second_segment_is_acknowledged),
		cmocka_unit_test(super_frame_is_many_segments),
		cmocka_unit_test(fin_beyond_a_hole_is_answered),
		cmocka_unit_test(fin_ends_what_came_beyond_it),
		cmocka_unit_test(duplicates_beyond_the_end_are_not_reported),
		cmocka_unit_test(failed_copy_leaves_no_mark),
		cmocka_unit_test(unread_text_without_memory_is_not_acknowledged),
		cmocka_unit_test(segment_without_timestamps_is_dropped),
		cmocka_unit_test(challenge_tells_of_holes),
		cmocka_unit_test(timestamp_of_unacceptable_ack_is_not_kept),
		cmocka_unit_test(range_too_many_takes_no_memory),
		cmocka_unit_test(holes_leave_memory_to_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
