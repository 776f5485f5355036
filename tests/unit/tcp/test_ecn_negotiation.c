/* Explicit Congestion Notification is agreed on, or not: the handshakes of RFC 3168 and RFC 9768. */
#include "ecn.h"

static void request_classic(struct stack_config *config)
{
	config->tcp.ecn = STACK_ECN_REQUEST;
	config->tcp.accecn = false;
}

static void ecn_off(struct stack_config *config)
{
	config->tcp.ecn = STACK_ECN_OFF;
}

static void no_accecn(struct stack_config *config)
{
	config->tcp.accecn = false;
}

static void passive_negotiation(void **state)
{
	static const struct {
		const char *what;
		void (*tweak)(struct stack_config *);
		uint16_t syn;
		uint8_t ip_ecn;
		uint16_t answer, ack_ace;
		uint8_t agreed, codepoint;
	} table[] = {
		{ "no ECN", NULL, 0, NOT_ECT, 0, 0, 0, NOT_ECT },
		{ "RFC 3168", NULL, TCP_CWR | TCP_ECE, NOT_ECT, TCP_ECE, 0, 1, ECT0 },
		{ "RFC 3168, turned off", ecn_off, TCP_CWR | TCP_ECE, NOT_ECT, 0, 0, 0, NOT_ECT },
		{ "AccECN, turned off", ecn_off, ACE_FLAGS, NOT_ECT, 0, 0, 0, NOT_ECT },
		{ "ECE alone asks for AccECN (RFC 9768 3.1.3)", NULL, TCP_ECE, NOT_ECT, TCP_CWR, 2, 2, ECT0 },
		{ "CWR alone is no ECN-setup SYN", no_accecn, TCP_CWR, NOT_ECT, 0, 0, 0, NOT_ECT },
		{ "AccECN", NULL, ACE_FLAGS, NOT_ECT, TCP_CWR, 2, 2, ECT0 },
		{ "AccECN, the SYN came as ECT(1)", NULL, ACE_FLAGS, ECT1, TCP_CWR | TCP_ECE, 2, 2, ECT0 },
		{ "AccECN, the SYN came as ECT(0)", NULL, ACE_FLAGS, ECT0, TCP_AE, 2, 2, ECT0 },
		{ "AccECN, the SYN came as CE", NULL, ACE_FLAGS, CE, TCP_AE | TCP_CWR, 2, 2, ECT0 },
		{ "a combination without meaning yet", NULL, TCP_AE, NOT_ECT, TCP_CWR, 2, 2, ECT0 },
		{ "AccECN asked, RFC 3168 is what there is", no_accecn, ACE_FLAGS, NOT_ECT, TCP_ECE, 0, 1, ECT0 },
		{ "our SYN-ACK arrived as ECT(1): mangled", NULL, ACE_FLAGS, NOT_ECT, TCP_CWR, 3, 2, NOT_ECT },
		{ "our SYN-ACK arrived as ECT(0): mangled", NULL, ACE_FLAGS, NOT_ECT, TCP_CWR, 4, 2, NOT_ECT },
		{ "our SYN-ACK arrived as CE: mangled", NULL, ACE_FLAGS, NOT_ECT, TCP_CWR, 6, 2, NOT_ECT },
		{ "the ACE field was zeroed", NULL, ACE_FLAGS, NOT_ECT, TCP_CWR, 0, 2, NOT_ECT },
		{ "an ACE without meaning (1)", NULL, ACE_FLAGS, NOT_ECT, TCP_CWR, 1, 2, ECT0 },
		{ "an ACE without meaning (5)", NULL, ACE_FLAGS, NOT_ECT, TCP_CWR, 5, 2, ECT0 },
		{ "an ACE without meaning (7)", NULL, ACE_FLAGS, NOT_ECT, TCP_CWR, 7, 2, ECT0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct peer *p;

		print_message("%s\n", table[i].what);
		p = opened(table[i].tweak, table[i].syn, table[i].ip_ecn, table[i].answer, ace(table[i].ack_ace));
		assert_int_equal(peer_info(p).ecn, table[i].agreed);
		assert_int_equal(peer_info(p).ecn_codepoint, table[i].codepoint);
		assert_int_equal(counters(p).ecn_classic, table[i].agreed == 1);
		assert_int_equal(counters(p).ecn_accurate, table[i].agreed == 2);
		assert_int_equal(counters(p).ecn_fallbacks, table[i].agreed != 0 && table[i].codepoint == NOT_ECT);
		service_sends(p, 100);
		expect(p, (struct seg){ .flags = TCP_ACK | (table[i].agreed == 2 ? ace(5) : 0),
		                        .seq = OURS(1),
		                        .length = 100,
		                        .ecn = table[i].codepoint });
		finish(p);
	}
}

static void active_negotiation(void **state)
{
	static const struct {
		const char *what;
		void (*tweak)(struct stack_config *);
		uint16_t syn, answer;
		uint8_t ip_ecn;
		uint16_t ack;
		uint8_t agreed, codepoint;
	} table[] = {
		{ "not asked for", NULL, 0, 0, 0, 0, 0, NOT_ECT },
		{ "not asked for, ECE all the same", NULL, 0, TCP_ECE, 0, 0, 0, NOT_ECT },
		{ "RFC 3168", request_classic, TCP_CWR | TCP_ECE, TCP_ECE, 0, 0, 1, ECT0 },
		{ "RFC 3168, refused", request_classic, TCP_CWR | TCP_ECE, 0, 0, 0, 0, NOT_ECT },
		{ "RFC 3168, a peer that reflects", request_classic, TCP_CWR | TCP_ECE, TCP_CWR | TCP_ECE, 0, 0, 0,
		  0 },
		{ "AccECN", request_accurate, ACE_FLAGS, TCP_CWR, 0, 2, 2, ECT0 },
		{ "AccECN, the SYN-ACK came as ECT(1)", request_accurate, ACE_FLAGS, TCP_CWR, ECT1, 3, 2, ECT0 },
		{ "AccECN, the SYN-ACK came as ECT(0)", request_accurate, ACE_FLAGS, TCP_CWR, ECT0, 4, 2, ECT0 },
		{ "AccECN, the SYN-ACK came as CE", request_accurate, ACE_FLAGS, TCP_CWR, CE, 6, 2, ECT0 },
		{ "AccECN, reserved answer", request_accurate, ACE_FLAGS, TCP_AE | TCP_ECE, 0, 2, 2, ECT0 },
		{ "AccECN, our SYN came as ECT(1)", request_accurate, ACE_FLAGS, TCP_CWR | TCP_ECE, 0, 2, 2,
		  NOT_ECT },
		{ "AccECN, our SYN came as ECT(0)", request_accurate, ACE_FLAGS, TCP_AE, 0, 2, 2, NOT_ECT },
		{ "AccECN, our SYN came as CE", request_accurate, ACE_FLAGS, TCP_AE | TCP_CWR, 0, 2, 2, NOT_ECT },
		{ "AccECN asked, RFC 3168 agreed", request_accurate, ACE_FLAGS, TCP_ECE, 0, 0, 1, ECT0 },
		{ "AccECN asked, nothing agreed", request_accurate, ACE_FLAGS, 0, 0, 0, 0, NOT_ECT },
		{ "AccECN asked of a peer that reflects", request_accurate, ACE_FLAGS, ACE_FLAGS, 0, 0, 0, NOT_ECT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct peer *p = peer_start(table[i].tweak);

		print_message("%s\n", table[i].what);
		connects(p);
		expect(p, (struct seg){ .flags = TCP_SYN | table[i].syn });
		assert_false(p->last.options.has_accecn); /* section 3.2.3.2.1: never on a SYN */
		answers(p, (struct seg){ .flags = TCP_SYN | TCP_ACK | table[i].answer,
		                         .seq = 1000,
		                         .ack = OURS(1),
		                         .ecn = table[i].ip_ecn,
		                         .options = syn_options });
		expect(p, (struct seg){ .flags = TCP_ACK | ace(table[i].ack), .seq = OURS(1), .ack = 1001 });
		assert_int_equal(p->last.options.has_accecn, table[i].agreed == 2);
		assert_int_equal(peer_info(p).ecn, table[i].agreed);
		assert_int_equal(peer_info(p).ecn_codepoint, table[i].codepoint);
		if (table[i].answer == (TCP_AE | TCP_CWR)) /* as if the SYN had been lost */
			assert_int_equal(peer_info(p).cwnd, MSS);
		service_sends(p, 100);
		expect(p, (struct seg){ .flags = TCP_ACK |
		                                 (table[i].agreed != 2 ? 0 : ace(table[i].ip_ecn == CE ? 6 : 5)),
		                        .seq = OURS(1),
		                        .length = 100,
		                        .ecn = table[i].codepoint });
		/* The first data shows the option, for the ACK may have been lost. */
		assert_int_equal(p->last.options.has_accecn, table[i].agreed == 2);
		service_sends(p, 100);
		assert_true(p->frame_first < p->frame_count || peer_info(p).notsent > 0);
		finish(p);
	}
}

/* RFC 9768 3.1.4.1, RFC 3168 6.1.1.1: a SYN that stays without an answer may be what a path refuses. */
static void syns_without_an_answer(void **state)
{
	struct peer *p = peer_start(request_accurate);

	(void)state;
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN | ACE_FLAGS });
	peer_waits(p, DURATION_MS(1100));
	expect(p, (struct seg){ .flags = TCP_SYN | ACE_FLAGS });
	peer_waits(p, DURATION_MS(2100));
	expect(p, (struct seg){ .flags = TCP_SYN });
	/* The answer to one of the first two is still good. */
	answers(p, (struct seg){ .flags = TCP_SYN | TCP_ACK | TCP_CWR, .seq = 1000, .ack = OURS(1) });
	expect(p, (struct seg){ .flags = TCP_ACK | ace(2), .seq = OURS(1), .ack = 1001 });
	assert_int_equal(peer_info(p).ecn, 2);
	assert_int_equal(peer_info(p).ecn_codepoint, ECT0);
	finish(p);

	p = peer_start(request_accurate);
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN | ACE_FLAGS });
	peer_waits(p, DURATION_MS(3200));
	peer_ignores_rest(p);
	answers(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .seq = 1000, .ack = OURS(1) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_int_equal(peer_info(p).ecn, 0);
	assert_int_equal(counters(p).ecn_fallbacks, 1);
	finish(p);

	p = peer_start(request_classic);
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_CWR | TCP_ECE });
	peer_waits(p, DURATION_MS(1100));
	expect(p, (struct seg){ .flags = TCP_SYN });
	answers(p, (struct seg){ .flags = TCP_SYN | TCP_ACK | TCP_ECE, .seq = 1000, .ack = OURS(1) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_int_equal(peer_info(p).ecn, 1); /* what arrives marked is told */
	assert_int_equal(peer_info(p).ecn_codepoint, NOT_ECT);
	finish(p);
}

/* RFC 9768 3.2.3.2.2: first without the option, then without the flags; AccECN all the same. */
static void syn_acks_without_an_answer(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN | ACE_FLAGS, .seq = 1000, .options = syn_options });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK | TCP_CWR, .ack = 1001 });
	assert_true(p->last.options.has_accecn);
	assert_int_equal(p->last.options.accecn_count, 3);
	assert_int_equal(p->last.options.accecn[0], 1);
	assert_int_equal(p->last.options.accecn[1], 0);
	assert_int_equal(p->last.options.accecn[2], 1);
	peer_waits(p, DURATION_MS(1100));
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK | TCP_CWR, .ack = 1001 });
	assert_false(p->last.options.has_accecn);
	peer_waits(p, DURATION_MS(2100));
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	assert_false(p->last.options.has_accecn);
	peer_sends(p, (struct seg){ .flags = TCP_ACK | ace(2), .seq = 1001, .ack = OURS(1) });
	assert_int_equal(peer_info(p).ecn, 2);
	assert_int_equal(peer_info(p).ecn_codepoint, NOT_ECT); /* section 3.1.5 */
	peer_sends(p,
	           (struct seg){ .flags = TCP_ACK | ace(5), .seq = 1001, .ack = OURS(1), .length = 10, .ecn = CE });
	expect(p, (struct seg){ .flags = TCP_ACK | ace(6), .seq = OURS(1), .ack = 1011 });
	finish(p);
}

/* RFC 9768 3.1.5: the SYN once more. */
static void syn_comes_again(void **state)
{
	static const struct {
		const char *what;
		uint16_t first, answer, second;
		uint8_t ip_ecn;
		bool reset;
		uint16_t again;
		uint8_t codepoint;
	} table[] = {
		{ "AccECN", ACE_FLAGS, TCP_CWR, ACE_FLAGS, NOT_ECT, false, TCP_CWR, ECT0 },
		{ "AccECN, the later one marked", ACE_FLAGS, TCP_CWR, ACE_FLAGS, CE, false, TCP_AE | TCP_CWR, ECT0 },
		{ "AccECN, then nothing", ACE_FLAGS, TCP_CWR, 0, NOT_ECT, false, TCP_CWR, NOT_ECT },
		{ "AccECN, then RFC 3168", ACE_FLAGS, TCP_CWR, TCP_CWR | TCP_ECE, NOT_ECT, true, 0, 0 },
		{ "RFC 3168", TCP_CWR | TCP_ECE, TCP_ECE, TCP_CWR | TCP_ECE, NOT_ECT, false, TCP_ECE, ECT0 },
		{ "RFC 3168, then nothing", TCP_CWR | TCP_ECE, TCP_ECE, 0, NOT_ECT, false, 0, NOT_ECT },
		{ "RFC 3168, then AccECN", TCP_CWR | TCP_ECE, TCP_ECE, ACE_FLAGS, NOT_ECT, true, 0, 0 },
		{ "nothing, then AccECN", 0, 0, ACE_FLAGS, NOT_ECT, false, 0, NOT_ECT },
		{ "nothing, then RFC 3168", 0, 0, TCP_CWR | TCP_ECE, NOT_ECT, false, 0, NOT_ECT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct peer *p = peer_start(NULL);

		print_message("%s\n", table[i].what);
		peer_sends(p, (struct seg){ .flags = TCP_SYN | table[i].first, .seq = 1000, .options = syn_options });
		expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK | table[i].answer, .ack = 1001 });
		peer_sends(p, (struct seg){ .flags = TCP_SYN | table[i].second,
		                            .seq = 1000,
		                            .ecn = table[i].ip_ecn,
		                            .options = syn_options });
		if (table[i].reset) {
			expect(p, (struct seg){ .flags = TCP_RST | TCP_ACK, .ack = 1001 });
			assert_int_equal(peer_state(p), TCPS_CLOSED);
			finish(p);
			continue;
		}
		expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK | table[i].again, .ack = 1001 });
		assert_false(p->last.options.has_accecn); /* it may be what did not get through */
		peer_sends(p, (struct seg){ .flags = TCP_ACK | (table[i].first == ACE_FLAGS ? ace(2) : 0),
		                            .seq = 1001,
		                            .ack = OURS(1) });
		assert_int_equal(peer_info(p).ecn_codepoint, table[i].codepoint);
		finish(p);
	}
}

static void one_half_open(struct stack_config *config)
{
	config->half_open_max = 1;
}

static void cookies(void **state)
{
	static const struct {
		bool timestamps;
		uint16_t syn, answer, ack;
		uint8_t agreed;
	} table[] = {
		{ true, TCP_CWR | TCP_ECE, TCP_ECE, 0, 1 }, { true, ACE_FLAGS, TCP_CWR, 2, 2 },  { true, 0, 0, 0, 0 },
		{ false, TCP_CWR | TCP_ECE, 0, 0, 0 },      { false, ACE_FLAGS, TCP_CWR, 2, 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct peer *p = peer_start(one_half_open);
		struct tcp_options options = syn_options;

		peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1, .source_port = 999 });
		peer_ignores_rest(p);
		options.has_timestamps = table[i].timestamps;
		options.tsval = 77;
		peer_sends(p, (struct seg){ .flags = TCP_SYN | table[i].syn, .seq = 1000, .options = options });
		assert_int_equal(p->verdict, VERDICT_COOKIE_SENT);
		expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK | table[i].answer, .ack = 1001 });
		options = (struct tcp_options){ .has_timestamps = table[i].timestamps,
			                        .tsval = 78,
			                        .tsecr = p->last.options.tsval };
		peer_sends(p, (struct seg){ .flags = TCP_ACK | ace(table[i].ack),
		                            .seq = 1001,
		                            .ack = OURS(1),
		                            .options = options });
		assert_int_equal(peer_info(p).ecn, table[i].agreed);
		finish(p);
	}
}

/* RFC 9768 3.2.2.1: the SYN-ACK comes again; its ACK tells how it came. */
static void syn_ack_comes_again(void **state)
{
	struct peer *p = peer_start(request_accurate);
	struct seg syn_ack = { .flags = TCP_SYN | TCP_ACK | TCP_CWR, .seq = 1000, .options = syn_options };

	(void)state;
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN | ACE_FLAGS });
	syn_ack.ack = OURS(1);
	answers(p, syn_ack);
	expect(p, (struct seg){ .flags = TCP_ACK | ace(2), .seq = OURS(1), .ack = 1001 });
	for (int i = 0; i < 2; i++) {
		syn_ack.ecn = CE;
		answers(p, syn_ack);
		expect(p, (struct seg){ .flags = TCP_ACK | ace(6), .seq = OURS(1), .ack = 1001 });
		assert_int_equal(peer_info(p).received_ce, 1); /* once only */
	}
	finish(p);
}

/* Data that waits for the handshake does not take the place of the ACK that tells about the SYN-ACK. */
static void handshake_ack_goes_before_data(void **state)
{
	struct peer *p = peer_start(request_accurate);

	(void)state;
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN | ACE_FLAGS });
	service_sends(p, 100);
	answers(p, (struct seg){ .flags = TCP_SYN | TCP_ACK | TCP_CWR,
	                         .seq = 1000,
	                         .ack = OURS(1),
	                         .options = syn_options,
	                         .ecn = CE });
	expect(p, (struct seg){ .flags = TCP_ACK | ace(6), .seq = OURS(1), .ack = 1001 });
	expect(p, (struct seg){ .flags = TCP_ACK | ace(6), .seq = OURS(1), .ack = 1001, .length = 100, .ecn = ECT0 });
	finish(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passive_negotiation),    cmocka_unit_test(active_negotiation),
		cmocka_unit_test(syns_without_an_answer), cmocka_unit_test(syn_acks_without_an_answer),
		cmocka_unit_test(syn_comes_again),        cmocka_unit_test(cookies),
		cmocka_unit_test(syn_ack_comes_again),    cmocka_unit_test(handshake_ack_goes_before_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
