/* Explicit Congestion Notification in dialogues: RFC 3168, and what congestion control has of either kind. */
#include "ecn.h"

static void one_segment(struct stack_config *config)
{
	config->tcp.initial_window_segments = 1;
}

/* The next frame's TCP header and ECN field. */
static const uint8_t *next_tcp(struct peer *p, uint8_t *ret_ecn)
{
	struct ip_packet ip = peer_ip(&p->frame[p->frame_first]);

	*ret_ecn = ip.tos & 3;
	return ip.payload;
}

static struct peer *opened_classic(void)
{
	return opened(NULL, TCP_CWR | TCP_ECE, NOT_ECT, TCP_ECE, 0);
}

/* ---- RFC 3168: the receiver of data
 * --------------------------------------------------------------------------------- */

static void echo_each(struct stack_config *config)
{
	config->tcp.dctcp_echo = true;
}

/* RFC 8257 section 3.2: an ACK tells of packets that came alike, and CWR means nothing. */
static void echo_each_mark(void **state)
{
	struct peer *p = opened(echo_each, TCP_CWR | TCP_ECE, NOT_ECT, TCP_ECE, 0);
	uint32_t at = 1001;

	(void)state;
#define ARRIVES(mark, flag)                                                                                          \
	do {                                                                                                         \
		peer_sends(                                                                                          \
		        p,                                                                                           \
		        (struct seg){                                                                                \
		                .flags = TCP_ACK | (flag), .seq = at, .ack = OURS(1), .length = MSS, .ecn = mark }); \
		at += MSS;                                                                                           \
	} while (0)
#define ANSWERED(upto, answer) expect(p, (struct seg){ .flags = TCP_ACK | (answer), .seq = OURS(1), .ack = upto })
	for (int i = 0; i < 3; i++) {
		ARRIVES(ECT0, 0);
		ARRIVES(ECT0, 0);
		ANSWERED(at, 0);
		ARRIVES(ECT0, 0);
		expect_nothing(p); /* it waits for another; but not for one that is marked */
		ARRIVES(CE, 0);
		ANSWERED(at - MSS, 0);
		ANSWERED(at, TCP_ECE);
		ARRIVES(CE, TCP_CWR);
		expect_nothing(p);
		ARRIVES(CE, 0);
		ANSWERED(at, TCP_ECE);
		ARRIVES(CE, 0);
		expect_nothing(p);
		ARRIVES(ECT0, 0);
		ANSWERED(at - MSS, TCP_ECE);
		ANSWERED(at, 0);
		service_reads(p);
		peer_ignores_rest(p);
	}
	/* One packet is marked, and that is all. */
	ARRIVES(CE, 0);
	ANSWERED(at, TCP_ECE);
	ARRIVES(ECT0, 0);
	ANSWERED(at, 0);
	/* What comes in one turn has one ACK: that says that something was marked, and the next one does not. */
	service_reads(p);
	peer_ignores_rest(p);
	for (uint8_t i = 0; i < 3; i++) {
		peer_puts(p, (struct seg){ .flags = TCP_ACK,
		                           .seq = at,
		                           .ack = OURS(1),
		                           .length = MSS,
		                           .ecn = i == 1 ? CE : ECT0 });
		at += MSS;
	}
	peer_turn(p);
	ANSWERED(at, TCP_ECE);
	ARRIVES(ECT0, 0);
	ARRIVES(ECT0, 0);
	ANSWERED(at, 0);
	finish(p);
#undef ANSWERED
#undef ARRIVES
}

static void echo_until_cwr(void **state)
{
	struct peer *p = opened_classic();
	uint32_t at = 1001;

	(void)state;
#define ARRIVES(mark, flag, answer)                                                                                  \
	do {                                                                                                         \
		peer_sends(p, (struct seg){ .flags = TCP_ACK | (flag),                                               \
		                            .seq = at,                                                               \
		                            .ack = OURS(1),                                                          \
		                            .length = 2 * MSS,                                                       \
		                            .gso_bytes = MSS,                                                        \
		                            .ecn = mark });                                                          \
		at += 2 * MSS;                                                                                       \
		expect(p, (struct seg){ .flags = TCP_ACK | (answer), .seq = OURS(1), .ack = at });                   \
		service_reads(p);                                                                                    \
	} while (0)
	ARRIVES(ECT0, 0, 0);
	ARRIVES(CE, 0, TCP_ECE);
	ARRIVES(ECT0, 0, TCP_ECE);
	/* On what it sends, too, retransmissions and all, and on challenges. */
	service_sends(p, 10);
	expect(p, (struct seg){ .flags = TCP_ACK | TCP_ECE, .seq = OURS(1), .length = 10, .ecn = ECT0 });
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5 });
	expect(p, (struct seg){ .flags = TCP_ACK | TCP_ECE, .seq = OURS(11) });
	/* CWR on something without data is nobody's; on data it ends the echo; but not of a mark on that packet. */
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_CWR, .seq = at, .ack = OURS(11) });
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_CWR,
	                            .seq = at,
	                            .ack = OURS(11),
	                            .length = 2 * MSS,
	                            .gso_bytes = MSS,
	                            .ecn = CE });
	at += 2 * MSS;
	expect(p, (struct seg){ .flags = TCP_ACK | TCP_ECE, .seq = OURS(11), .ack = at });
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_CWR,
	                            .seq = at,
	                            .ack = OURS(11),
	                            .length = 2 * MSS,
	                            .gso_bytes = MSS,
	                            .ecn = ECT0 });
	at += 2 * MSS;
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(11), .ack = at });
	/* A mark on an ACK, or outside the window, is not looked at. */
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = at, .ack = OURS(11), .ecn = CE });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = at - 100, .ack = OURS(11), .length = 100, .ecn = CE });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(11), .ack = at });
	assert_true(peer_info(p).ecn_seen);
	assert_int_equal(counters(p).ecn_ce_in, 2 + 2 + 1 + 1);
	finish(p);
}

static void marks_mean_nothing_without_ecn(void **state)
{
	struct peer *p = opened(NULL, 0, NOT_ECT, 0, 0);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_ACK,
	                            .seq = 1001,
	                            .ack = OURS(1),
	                            .length = 2 * MSS,
	                            .gso_bytes = MSS,
	                            .ecn = CE });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 + 2 * MSS });
	service_sends(p, MSS);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .length = MSS });
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_ECE, .seq = 1001 + 2 * MSS, .ack = OURS(1 + MSS) });
	assert_int_equal(counters(p).ecn_reductions, 0);
	finish(p);
}

/* ---- RFC 3168: the sender of data
 * ----------------------------------------------------------------------------------- */

/* Where the code point may be: on new data, and nowhere else (section 6.1.4, 6.1.5, 6.1.6). */
static void only_new_data_is_ect(void **state)
{
	struct peer *p = opened_classic();
	uint8_t ecn;

	(void)state;
	service_sends(p, 3 * MSS);
	for (int i = 0; i < 3; i++)
		expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1 + i * MSS), .length = MSS, .ecn = ECT0 });
	peer_waits(p, DURATION_MS(1100)); /* the first is sent again */
	while (p->frame_first < p->frame_count) {
		next_tcp(p, &ecn);
		assert_int_equal(ecn, NOT_ECT);
		free(p->frame[p->frame_first++].bytes);
	}
	/* A closed window is probed without it. */
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1 + 3 * MSS), .window = WINDOW_ZERO });
	peer_ignores_rest(p);
	service_sends(p, 100);
	peer_waits(p, DURATION_S(4));
	assert_true(p->frame_count > 0);
	next_tcp(p, &ecn);
	assert_int_equal(ecn, NOT_ECT);
	finish(p);
}

static void window_shrinks_once_a_round_trip(void **state)
{
	struct peer *p = opened_classic();
	uint32_t cwnd = (uint32_t)peer_info(p).cwnd;

	(void)state;
	service_sends(p, 10 * MSS);
	for (int i = 0; i < 10; i++)
		expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1 + i * MSS), .length = MSS, .ecn = ECT0 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_ECE, .seq = 1001, .ack = OURS(1 + 2 * MSS) });
	assert_true(peer_info(p).cwnd < cwnd);
	cwnd = (uint32_t)peer_info(p).cwnd;
	assert_int_equal(cwnd, 10 * MSS / 2);
	assert_int_equal(peer_info(p).ssthresh, cwnd);
	service_sends(p, 10 * MSS);
	expect_nothing(p);
	/* More of the same window: nothing more happens, and it does not grow. */
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_ECE, .seq = 1001, .ack = OURS(1 + 8 * MSS) });
	assert_int_equal(peer_info(p).cwnd, cwnd);
	/* CWR on the first new data, and only there. */
	expect(p, (struct seg){ .flags = TCP_ACK | TCP_CWR, .seq = OURS(1 + 10 * MSS), .length = MSS, .ecn = ECT0 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1 + 11 * MSS), .length = MSS, .ecn = ECT0 });
	/* The echo has not heard of it yet: all that was out is acknowledged, but nothing later. */
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_ECE, .seq = 1001, .ack = OURS(1 + 10 * MSS) });
	assert_int_equal(peer_info(p).cwnd, cwnd);
	peer_ignores_rest(p);
	/* Still set on what covers the CWR: a new mark. */
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_ECE, .seq = 1001, .ack = OURS(1 + 11 * MSS) });
	assert_true(peer_info(p).cwnd < cwnd);
	assert_int_equal(counters(p).ecn_reductions, 2);
	finish(p);
}

/* One reaction to loss and marks of the same window; and CWR tells of a reduction for loss, too (section 6.1.2). */
static void loss_and_marks_are_one_event(void **state)
{
	struct peer *p = opened_classic();
	struct tcp_options sack = { .sack_count = 1 };
	uint32_t cwnd;

	(void)state;
	service_sends(p, 20 * MSS);
	peer_ignores_rest(p);
	sack.sack[0] = (struct tcp_sack_block){ SEQ(OURS(1 + MSS)), SEQ(OURS(1 + 5 * MSS)) };
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .options = sack });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .options = sack });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .options = sack });
	assert_int_equal(peer_info(p).ca_state, 1);
	cwnd = (uint32_t)peer_info(p).ssthresh;
	sack.sack[0].end = SEQ(OURS(1 + 8 * MSS));
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_ECE, .seq = 1001, .ack = OURS(1), .options = sack });
	assert_int_equal(counters(p).ecn_reductions, 0);
	assert_int_equal(peer_info(p).ssthresh, cwnd);
	for (bool cwr = false; p->frame_first < p->frame_count || !cwr;) {
		const uint8_t *tcp;
		uint32_t seq;
		uint8_t ecn;

		assert_true(p->frame_first < p->frame_count);
		tcp = next_tcp(p, &ecn);
		seq = (uint32_t)tcp[4] << 24 | (uint32_t)tcp[5] << 16 | (uint32_t)tcp[6] << 8 | tcp[7];
		if (tcp[13] & TCP_CWR) {
			assert_true((int32_t)(seq - OURS(1 + 10 * MSS)) >= 0); /* new data */
			assert_false(cwr);
			cwr = true;
		}
		free(p->frame[p->frame_first++].bytes);
		if (p->frame_first == p->frame_count && !cwr)
			peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1 + 10 * MSS) });
	}
	finish(p);
}

/* A mark that comes between the end of a repair and the news that it was needless: that news takes nothing back of
 * what the mark has done. */
static void marks_outlast_what_is_undone(void **state)
{
	struct peer *p = opened_classic();
	struct tcp_options sack = { .sack_count = 1 };
	uint32_t cwnd;

	(void)state;
	service_sends(p, 20 * MSS);
	peer_ignores_rest(p);
	sack.sack[0] = (struct tcp_sack_block){ SEQ(OURS(1 + MSS)), SEQ(OURS(1 + 9 * MSS)) };
	for (int i = 0; i < 3; i++)
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .options = sack });
	assert_int_equal(peer_info(p).ca_state, 1);
	assert_true(peer_info(p).snd_nxt - OURS(1 + 10 * MSS) > MSS); /* new data in the repair */
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1 + 10 * MSS) });
	assert_int_equal(peer_info(p).ca_state, 0);
	cwnd = (uint32_t)peer_info(p).cwnd;
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_ECE, .seq = 1001, .ack = OURS(1 + 11 * MSS) });
	assert_int_equal(counters(p).ecn_reductions, 1);
	assert_true(peer_info(p).cwnd < cwnd);
	cwnd = (uint32_t)peer_info(p).cwnd;
	sack.sack[0] = (struct tcp_sack_block){ SEQ(OURS(1)), SEQ(OURS(1 + MSS)) };
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1 + 11 * MSS), .options = sack });
	assert_int_equal(counters(p).dsack_received, 1);
	assert_int_equal(counters(p).undos, 0);
	assert_int_equal(peer_info(p).cwnd, cwnd);
	finish(p);
}

/* Section 6.1.2: a window of one segment can't shrink; the retransmission time-out is waited for. */
static void smallest_window_waits(void **state)
{
	struct peer *p = opened(one_segment, TCP_CWR | TCP_ECE, NOT_ECT, TCP_ECE, 0);
	int64_t rto_ms;

	(void)state;
	service_sends(p, 3 * MSS);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .length = MSS, .ecn = ECT0 });
	expect_nothing(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_ECE, .seq = 1001, .ack = OURS(1 + MSS) });
	rto_ms = peer_info(p).rto.ns / 1000000;
	peer_waits(p, DURATION_MS(rto_ms - 2));
	expect_nothing(p);
	peer_waits(p, DURATION_MS(4));
	expect(p, (struct seg){ .flags = TCP_ACK | TCP_CWR, .seq = OURS(1 + MSS), .length = MSS, .ecn = ECT0 });
	finish(p);
}

static void super_frame_with_cwr(void **state)
{
	struct peer *p = opened(super_frames, TCP_CWR | TCP_ECE, NOT_ECT, TCP_ECE, 0);

	(void)state;
	service_sends(p, 10 * MSS);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .length = 10 * MSS, .ecn = ECT0 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_ECE, .seq = 1001, .ack = OURS(1 + 10 * MSS) });
	service_sends(p, 4 * MSS);
	/* One frame; the link is told that CWR is for its first segment (it looks at the header). */
	expect(p,
	       (struct seg){ .flags = TCP_ACK | TCP_CWR, .seq = OURS(1 + 10 * MSS), .length = 4 * MSS, .ecn = ECT0 });
	finish(p);
}

/* ---- algorithms
 * ---------------------------------------------------------------------------------------------------- */

static struct tapstack_cc_env begun;

static int nothing_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                        struct tapstack_cc_decision *decision)
{
	(void)state, (void)params, (void)decision;
	begun = *env;
	return 0;
}

static uint64_t seen_ce_bytes;
static unsigned seen_events;

static void note_ack(void *state, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	(void)state, (void)decision;
	seen_ce_bytes += sample->ce_bytes;
	assert_int_equal(sample->ce_total_bytes, seen_ce_bytes);
	assert_int_equal(sample->ece, sample->ce_bytes > 0);
}

static void note_event(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
                       struct tapstack_cc_decision *decision)
{
	(void)state, (void)sample, (void)decision;
	seen_events += event == TAPSTACK_CC_ECN;
}

static struct tapstack_cc_ops ops = {
	.struct_size = sizeof(ops),
	.state_size = 8,
	.init = nothing_init,
	.on_ack = note_ack,
	.on_event = note_event,
};
static const struct stack_congestion algorithm = { .name = "test", .id = 3, .ops = &ops };

static void with_algorithm(struct stack_config *config)
{
	config->congestion_default = &algorithm;
}

static void algorithms_choose_the_codepoint(void **state)
{
	static const struct {
		uint32_t flags;
		uint8_t accurate, classic;
	} table[] = {
		{ 0, NOT_ECT, NOT_ECT },
		{ TAPSTACK_CC_ECT0, ECT0, ECT0 },
		{ TAPSTACK_CC_ECT1, ECT1, ECT1 },
		{ TAPSTACK_CC_ECT0 | TAPSTACK_CC_ECT1, ECT1, ECT0 },
		{ TAPSTACK_CC_ECT1 | TAPSTACK_CC_NEEDS_ACCECN, ECT1, ECT0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct peer *p;

		ops.flags = table[i].flags;
		p = opened(with_algorithm, ACE_FLAGS, NOT_ECT, TCP_CWR, ace(2));
		assert_int_equal(peer_info(p).ecn_codepoint, table[i].accurate);
		service_sends(p, 10);
		expect(p,
		       (struct seg){
		               .flags = TCP_ACK | ace(5), .seq = OURS(1), .length = 10, .ecn = table[i].accurate });
		finish(p);
		p = opened(with_algorithm, TCP_CWR | TCP_ECE, NOT_ECT, TCP_ECE, 0);
		assert_int_equal(peer_info(p).ecn_codepoint, table[i].classic);
		finish(p);
		/* One that can't do without asks for it, though the tunables only accept. */
		p = peer_start(with_algorithm);
		connects(p);
		expect(p, (struct seg){ .flags = TCP_SYN |
		                                 (table[i].flags & TAPSTACK_CC_NEEDS_ACCECN ? ACE_FLAGS : 0) });
		finish(p);
	}
}

/* What was agreed on, which may be less than was asked for, and how long the handshake took. */
static void algorithms_know_the_handshake(void **state)
{
	static const struct {
		uint16_t answer;
		uint32_t kind;
	} table[] = { { 0, TAPSTACK_CC_ECN_NONE },
		      { TCP_ECE, TAPSTACK_CC_ECN_CLASSIC },
		      { TCP_CWR, TAPSTACK_CC_ECN_ACCURATE } };

	(void)state;
	ops.flags = TAPSTACK_CC_ECT1 | TAPSTACK_CC_NEEDS_ACCECN;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct peer *p = peer_start(with_algorithm);

		connects(p);
		expect(p, (struct seg){ .flags = TCP_SYN | ACE_FLAGS });
		peer_waits(p, DURATION_MS(30));
		answers(p, (struct seg){ .flags = TCP_SYN | TCP_ACK | table[i].answer, .seq = 1000, .ack = OURS(1) });
		assert_int_equal(begun.ecn, table[i].kind);
		assert_true(begun.srtt_ns >= 30000000 && begun.srtt_ns < 32000000);
		finish(p);
	}
}

static void algorithms_get_every_mark(void **state)
{
	struct peer *p;

	(void)state;
	ops.flags = TAPSTACK_CC_ECT1 | TAPSTACK_CC_NEEDS_ACCECN;
	seen_ce_bytes = seen_events = 0;
	p = opened(with_algorithm, ACE_FLAGS, NOT_ECT, TCP_CWR, ace(2));
	service_sends(p, 10 * MSS);
	peer_ignores_rest(p);
	for (unsigned i = 1; i <= 8; i++)
		peer_sends(p, (struct seg){ .flags = TCP_ACK | ace(5 + i), .seq = 1001, .ack = OURS(1 + i * MSS) });
	assert_int_equal(seen_ce_bytes, 8 * MSS);
	assert_int_equal(seen_events, 1);
	finish(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo_each_mark),
		cmocka_unit_test(echo_until_cwr),
		cmocka_unit_test(marks_mean_nothing_without_ecn),
		cmocka_unit_test(only_new_data_is_ect),
		cmocka_unit_test(window_shrinks_once_a_round_trip),
		cmocka_unit_test(loss_and_marks_are_one_event),
		cmocka_unit_test(marks_outlast_what_is_undone),
		cmocka_unit_test(smallest_window_waits),
		cmocka_unit_test(super_frame_with_cwr),
		cmocka_unit_test(algorithms_choose_the_codepoint),
		cmocka_unit_test(algorithms_know_the_handshake),
		cmocka_unit_test(algorithms_get_every_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
