/* Accurate ECN in dialogues: RFC 9768, with paths that mangle it. */
#include "ecn.h"

static struct peer *opened_accurate(void)
{
	return opened(NULL, ACE_FLAGS, NOT_ECT, TCP_CWR, ace(2));
}

/* ---- AccECN: the receiver of data
 * ------------------------------------------------------------------------------------ */

static void accurate_feedback(void **state)
{
	struct peer *p = opened_accurate();

	(void)state;
	/* A super-frame of ten, all marked; the ACK leaves at once with both counters. */
	peer_sends(p, (struct seg){ .flags = TCP_ACK | ace(5),
	                            .seq = 1001,
	                            .ack = OURS(1),
	                            .length = 10 * MSS,
	                            .gso_bytes = MSS,
	                            .ecn = CE });
	expect(p, (struct seg){ .flags = TCP_ACK | ace(15),
	                        .seq = OURS(1),
	                        .ack = 1001 + 10 * MSS,
	                        .check_options = true,
	                        .options = { .has_accecn = true, .accecn_count = 2, .accecn = { 1, 10 * MSS } } });
	/* A short one of ECT(0) waits for the delayed ACK... */
	peer_sends(p, (struct seg){ .flags = TCP_ACK | ace(5),
	                            .seq = 1001 + 10 * MSS,
	                            .ack = OURS(1),
	                            .length = 10,
	                            .ecn = ECT0 });
	expect_nothing(p);
	/* ... but a mark after it does not. */
	peer_sends(
	        p,
	        (struct seg){
	                .flags = TCP_ACK | ace(5), .seq = 1011 + 10 * MSS, .ack = OURS(1), .length = 10, .ecn = CE });
	expect(p,
	       (struct seg){ .flags = TCP_ACK | ace(16),
	                     .seq = OURS(1),
	                     .ack = 1021 + 10 * MSS,
	                     .check_options = true,
	                     .options = { .has_accecn = true, .accecn_count = 2, .accecn = { 11, 10 * MSS + 10 } } });
	/* Outside the window it was not accepted, and is not counted. */
	peer_sends(p,
	           (struct seg){ .flags = TCP_ACK | ace(5), .seq = 1001, .ack = OURS(1), .length = 10, .ecn = CE });
	expect(p, (struct seg){ .flags = TCP_ACK | ace(16), .seq = OURS(1), .ack = 1021 + 10 * MSS });
	peer_sends(p, (struct seg){ .flags = TCP_ACK | ace(5),
	                            .seq = 1021 + 10 * MSS,
	                            .ack = OURS(5000),
	                            .length = 10,
	                            .ecn = CE });
	expect(p, (struct seg){ .flags = TCP_ACK | ace(16), .seq = OURS(1), .ack = 1021 + 10 * MSS });
	/* Three marks on ACKs are told at last, too. */
	for (int i = 0; i < 3; i++) {
		expect_nothing(p);
		peer_sends(p, (struct seg){
		                      .flags = TCP_ACK | ace(5), .seq = 1021 + 10 * MSS, .ack = OURS(1), .ecn = CE });
	}
	expect(p, (struct seg){ .flags = TCP_ACK | ace(19), .seq = OURS(1), .ack = 1021 + 10 * MSS });
	assert_int_equal(peer_info(p).received_ce, 14);
	assert_int_equal(peer_info(p).received_ce_bytes, 10 * MSS + 10);
	assert_int_equal(peer_info(p).received_e0_bytes, 10);
	finish(p);
}

/* Section 3.2.3.3: loss feedback first, where there is not room for all. */
static void option_beside_sack(void **state)
{
	struct peer *p = peer_start(NULL);
	struct tcp_options ts = { .has_timestamps = true, .tsval = 5 };
	struct tcp_options options = syn_options;
	uint32_t at = 1001;

	(void)state;
	options.has_timestamps = true;
	peer_sends(p, (struct seg){ .flags = TCP_SYN | ACE_FLAGS, .seq = 1000, .options = options });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK | TCP_CWR, .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK | ace(2), .seq = 1001, .ack = OURS(1), .options = ts });
	for (uint8_t i = 1; i <= 3; i++) { /* three holes */
		at += 2000;
		peer_sends(p, (struct seg){ .flags = TCP_ACK | ace(5),
		                            .seq = at,
		                            .ack = OURS(1),
		                            .length = 1000,
		                            .ecn = CE,
		                            .options = ts });
		expect(p, (struct seg){ .flags = TCP_ACK | ace(5u + i), .seq = OURS(1), .ack = 1001 });
		assert_int_equal(p->last.options.sack_count, i < 2 ? i : 2);
		assert_int_equal(p->last.options.has_accecn, true);
		assert_int_equal(p->last.options.accecn_count, 2);
		assert_int_equal(p->last.options.accecn[1], 1000 * i);
	}
	finish(p);
}

/* Section 3.2.3.2.2: ACKs with the option never seem to arrive. */
static void options_that_do_not_get_through(void **state)
{
	struct peer *p = opened_accurate();
	struct seg data = {
		.flags = TCP_ACK | ace(5), .seq = 1001, .ack = OURS(1), .length = 2 * MSS, .gso_bytes = MSS
	};

	(void)state;
	for (int i = 0; i < 6; i++) {
		data.ecn = ECT0;
		peer_sends(p, data);
		expect(p, (struct seg){ .flags = TCP_ACK | ace(5), .seq = OURS(1), .ack = data.seq + 2 * MSS });
		assert_int_equal(p->last.options.has_accecn, i < 5);
		if (i != 1) { /* this once it got through: the count begins anew */
			data.ecn = NOT_ECT;
			peer_sends(p, data);
			expect(p,
			       (struct seg){ .flags = TCP_ACK | ace(5), .seq = OURS(1), .ack = data.seq + 2 * MSS });
			assert_false(p->last.options.has_accecn);
		}
		service_reads(p);
		data.seq += 2 * MSS;
	}
	finish(p);
}

/* ---- AccECN: the sender of data
 * ------------------------------------------------------------------------------------- */

static void accurate_reaction(void **state)
{
	struct peer *p = opened_accurate();
	struct tcp_options told = { .has_accecn = true, .accecn_count = 2, .accecn = { 1 + 2 * MSS, 2 * MSS } };
	uint32_t cwnd;

	(void)state;
	service_sends(p, 20 * MSS);
	for (int i = 0; i < 10; i++)
		expect(p, (struct seg){
		                  .flags = TCP_ACK | ace(5), .seq = OURS(1 + i * MSS), .length = MSS, .ecn = ECT0 });
	peer_sends(p,
	           (struct seg){ .flags = TCP_ACK | ace(7), .seq = 1001, .ack = OURS(1 + 4 * MSS), .options = told });
	assert_int_equal(peer_info(p).delivered, 4);
	assert_int_equal(peer_info(p).delivered_ce, 2);
	assert_int_equal(peer_info(p).accecn_option, STACK_ACCECN_OPTION_SEEN);
	assert_int_equal(peer_info(p).delivered_ce_bytes, 2 * MSS);
	assert_int_equal(peer_info(p).delivered_e0_bytes, 2 * MSS);
	cwnd = (uint32_t)peer_info(p).cwnd;
	assert_int_equal(cwnd, 10 * MSS / 2);
	/* More marks of the same window are counted, but are no new event. */
	told.accecn[1] += MSS;
	peer_sends(p, (struct seg){
	                      .flags = TCP_ACK | ace(8), .seq = 1001, .ack = OURS(1 + 10 * MSS), .options = told });
	assert_int_equal(peer_info(p).delivered_ce, 3);
	assert_int_equal(peer_info(p).cwnd, cwnd);
	assert_int_equal(counters(p).ecn_reductions, 1);
	/* CWR is never set for what it means in RFC 3168. */
	expect(p, (struct seg){ .flags = TCP_ACK | ace(5), .seq = OURS(1 + 10 * MSS), .length = MSS, .ecn = ECT0 });
	finish(p);
}

/* An ACK from before, or one that came out of order, must not wind the counter round. */
static void superseded_acks(void **state)
{
	struct peer *p = opened_accurate();
	struct tcp_options sack = { .sack_count = 1 };

	(void)state;
	service_sends(p, 10 * MSS);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK | ace(6), .seq = 1001, .ack = OURS(1 + 4 * MSS) });
	assert_int_equal(peer_info(p).delivered_ce, 1);
	peer_sends(p, (struct seg){ .flags = TCP_ACK | ace(5), .seq = 1001, .ack = OURS(1 + 2 * MSS) });
	peer_sends(p, (struct seg){ .flags = TCP_ACK | ace(5), .seq = 1001, .ack = OURS(1 + 4 * MSS) });
	assert_int_equal(peer_info(p).delivered_ce, 1);
	/* Not even when it brings SACK blocks that are new. */
	sack.sack[0] = (struct tcp_sack_block){ SEQ(OURS(1 + 6 * MSS)), SEQ(OURS(1 + 7 * MSS)) };
	peer_sends(p,
	           (struct seg){ .flags = TCP_ACK | ace(5), .seq = 1001, .ack = OURS(1 + 2 * MSS), .options = sack });
	assert_int_equal(peer_info(p).sacked, MSS);
	assert_int_equal(peer_info(p).delivered_ce, 1);
	finish(p);
}

static void retransmission_shows_the_latest_counters(void **state)
{
	struct peer *p = opened_accurate();

	(void)state;
	service_sends(p, 100);
	expect(p, (struct seg){ .flags = TCP_ACK | ace(5), .seq = OURS(1), .length = 100, .ecn = ECT0 });
	peer_sends(p,
	           (struct seg){ .flags = TCP_ACK | ace(5), .seq = 1001, .ack = OURS(1), .length = 10, .ecn = CE });
	expect(p, (struct seg){ .flags = TCP_ACK | ace(6), .seq = OURS(101), .ack = 1011 });
	for (int i = 0; i < 200 && p->frame_first == p->frame_count; i++)
		peer_waits(p, DURATION_MS(10));
	expect(p, (struct seg){ .flags = TCP_ACK | ace(6), .seq = OURS(1), .length = 100 }); /* not-ECT, no option */
	assert_false(p->last.options.has_accecn);
	finish(p);
}

/* A super-frame would lose its ACE field where it is cut, when the field has the bit of CWR. */
static void super_frames_and_ace(void **state)
{
	struct peer *p = opened(super_frames, ACE_FLAGS, NOT_ECT, TCP_CWR, ace(2));

	(void)state;
	service_sends(p, 4 * MSS);
	expect(p, (struct seg){ .flags = TCP_ACK | ace(5), .seq = OURS(1), .length = 4 * MSS, .ecn = ECT0 });
	peer_sends(
	        p,
	        (struct seg){
	                .flags = TCP_ACK | ace(5), .seq = 1001, .ack = OURS(1 + 4 * MSS), .length = 10, .ecn = CE });
	peer_ignores_rest(p);
	service_sends(p, 2 * MSS);
	for (int i = 4; i < 6; i++)
		expect(p, (struct seg){
		                  .flags = TCP_ACK | ace(6), .seq = OURS(1 + i * MSS), .length = MSS, .ecn = ECT0 });
	finish(p);
}

/* ---- mangled paths ------------------------------------------------------------------------------------------------
 */

/* Section 3.2.2.3: everything comes back as marked, from the first packet on. */
static void everything_is_marked(void **state)
{
	struct peer *p = opened_accurate();
	uint32_t acked = 0, cep = 5;

	(void)state;
	for (int round = 0; round < 8; round++) {
		uint32_t sent;

		service_sends(p, 2 * MSS);
		peer_ignores_rest(p);
		sent = peer_info(p).snd_nxt - OURS(1) - acked;
		acked += sent;
		cep += (sent + MSS - 1) / MSS;
		peer_sends(p, (struct seg){ .flags = TCP_ACK | ace(cep), .seq = 1001, .ack = OURS(1 + acked) });
	}
	assert_int_equal(counters(p).ecn_fallbacks, 1);
	assert_true(peer_info(p).ecn_fallback);
	assert_int_equal(peer_info(p).ecn_codepoint, NOT_ECT);
	finish(p);
}

/* Section 3.2.2.4: the ACE field is zero from the first one on. */
static void zeroed_ace(void **state)
{
	struct peer *p = peer_start(request_accurate);

	(void)state;
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN | ACE_FLAGS });
	answers(p,
	        (struct seg){
	                .flags = TCP_SYN | TCP_ACK | TCP_CWR, .seq = 1000, .ack = OURS(1), .options = syn_options });
	expect(p, (struct seg){ .flags = TCP_ACK | ace(2), .seq = OURS(1), .ack = 1001 });
	service_sends(p, 2 * MSS);
	peer_ignores_rest(p);
	answers(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1 + MSS) });
	assert_int_equal(peer_info(p).ecn_codepoint, NOT_ECT);
	assert_int_equal(counters(p).ecn_reductions, 0); /* it is not believed, either */
	/* What arrives here is told as before. */
	answers(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1 + 2 * MSS), .length = 10, .ecn = CE });
	expect(p, (struct seg){ .flags = TCP_ACK | ace(6), .seq = OURS(1 + 2 * MSS), .ack = 1011 });
	finish(p);
}

/* Section 3.2.3.2.4: zeroed counters in the first option; the ACE field alone is followed. */
static void zeroed_option(void **state)
{
	struct peer *p = peer_start(NULL);
	struct tcp_options zero = { .has_accecn = true, .accecn_count = 3 };
	struct tcp_options lies = { .has_accecn = true, .accecn_count = 2, .accecn = { 0, 5 * MSS } };

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN | ACE_FLAGS, .seq = 1000, .options = syn_options });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK | TCP_CWR, .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK | ace(2), .seq = 1001, .ack = OURS(1), .options = zero });
	service_sends(p, 10 * MSS);
	peer_ignores_rest(p);
	peer_sends(p,
	           (struct seg){ .flags = TCP_ACK | ace(5), .seq = 1001, .ack = OURS(1 + 5 * MSS), .options = lies });
	assert_int_equal(peer_info(p).delivered_ce, 0);
	assert_int_equal(peer_info(p).delivered_ce_bytes, 0);
	assert_int_equal(peer_info(p).accecn_option, STACK_ACCECN_OPTION_MANGLED);
	assert_false(peer_info(p).ecn_fallback);
	assert_int_equal(peer_info(p).ecn_codepoint, ECT0);
	finish(p);
}

/* Section 3.2.3.2.5: bytes were marked, and never a packet. */
static void frozen_ace(void **state)
{
	struct peer *p = opened_accurate();
	uint32_t acked = 0;

	(void)state;
	for (uint32_t i = 1; i <= 6; i++) {
		struct tcp_options told = { .has_accecn = true, .accecn_count = 2, .accecn = { 1, MSS * i } };

		service_sends(p, 2 * MSS);
		peer_ignores_rest(p);
		acked = (uint32_t)(peer_info(p).snd_nxt - OURS(1));
		peer_sends(p,
		           (struct seg){
		                   .flags = TCP_ACK | ace(5), .seq = 1001, .ack = OURS(1 + acked), .options = told });
	}
	assert_int_equal(peer_info(p).ecn_codepoint, NOT_ECT);
	finish(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accurate_feedback),
		cmocka_unit_test(option_beside_sack),
		cmocka_unit_test(options_that_do_not_get_through),
		cmocka_unit_test(accurate_reaction),
		cmocka_unit_test(superseded_acks),
		cmocka_unit_test(retransmission_shows_the_latest_counters),
		cmocka_unit_test(super_frames_and_ace),
		cmocka_unit_test(everything_is_marked),
		cmocka_unit_test(zeroed_ace),
		cmocka_unit_test(zeroed_option),
		cmocka_unit_test(frozen_ace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
