/* Explicit Congestion Notification in dialogues: RFC 3168 and RFC 9768, with paths that mangle it. */
#include "peer.h"

#include <string.h>

#define NOT_ECT 0
#define ECT1 1
#define ECT0 2
#define CE 3
#define ACE_FLAGS (TCP_AE | TCP_CWR | TCP_ECE)
#define MSS 1460

static const struct tcp_options syn_options = { .has_mss = true, .mss = MSS, .sack_permitted = true };

static uint16_t ace(unsigned v)
{
	return (uint16_t)((v & 4 ? TCP_AE : 0) | (v & 2 ? TCP_CWR : 0) | (v & 1 ? TCP_ECE : 0));
}

static void request_classic(struct stack_config *config)
{
	config->tcp.ecn = STACK_ECN_REQUEST;
	config->tcp.accecn = false;
}

static void request_accurate(struct stack_config *config)
{
	config->tcp.ecn = STACK_ECN_REQUEST;
}

static void ecn_off(struct stack_config *config)
{
	config->tcp.ecn = STACK_ECN_OFF;
}

static void no_accecn(struct stack_config *config)
{
	config->tcp.accecn = false;
}

static void one_segment(struct stack_config *config)
{
	config->tcp.initial_window_segments = 1;
}

static void super_frames(struct stack_config *config)
{
	config->gso_bytes_max = 65000;
	config->checksum_offload = true;
}

static struct stack_counters counters(struct peer *p)
{
	return *stack_get_counters(p->stack);
}

/* A passive open by a SYN with these flags and this mark; the SYN-ACK must have `answer`, the ACK has `ack_ace`. */
static struct peer *opened(void (*tweak)(struct stack_config *), uint16_t syn, uint8_t ip_ecn, uint16_t answer,
                           uint16_t ack_ace)
{
	struct peer *p = peer_start(tweak);

	peer_sends(p, (struct seg){ .flags = TCP_SYN | syn, .seq = 1000, .ecn = ip_ecn, .options = syn_options });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK | answer, .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK | ack_ace, .seq = 1001, .ack = OURS(1) });
	expect_nothing(p);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	return p;
}

static struct peer *opened_classic(void)
{
	return opened(NULL, TCP_CWR | TCP_ECE, NOT_ECT, TCP_ECE, 0);
}

static struct peer *opened_accurate(void)
{
	return opened(NULL, ACE_FLAGS, NOT_ECT, TCP_CWR, ace(2));
}

static void finish(struct peer *p)
{
	peer_ignores_rest(p);
	peer_stop(p);
}

static void connects(struct peer *p)
{
	struct stack_connect_options to = { .remote = PEER_IP, .remote_port = 80, .local_port = 5000 };

	assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
	peer_turn(p);
}

static void answers(struct peer *p, struct seg seg)
{
	seg.source_port = 80;
	seg.destination_port = 5000;
	peer_sends(p, seg);
}

/* The next frame's TCP header and ECN field. */
static const uint8_t *next_tcp(struct peer *p, uint8_t *ret_ecn)
{
	const uint8_t *ip = p->frame[p->frame_first].bytes + 14;
	bool v6 = ip[0] >> 4 == 6;

	*ret_ecn = v6 ? ip[1] >> 4 & 3 : ip[1] & 3;
	return ip + (v6 ? 40 : 20);
}

/* ---- negotiation ----------------------------------------------------------------------------------------------- */

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

/* ---- RFC 3168: the receiver of data
 * --------------------------------------------------------------------------------- */

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

/* ---- algorithms
 * ---------------------------------------------------------------------------------------------------- */

static int nothing_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                        struct tapstack_cc_decision *decision)
{
	(void)state, (void)env, (void)params, (void)decision;
	return 0;
}

static uint64_t seen_ce_bytes;
static unsigned seen_events;

static void note_ack(void *state, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	(void)state, (void)decision;
	seen_ce_bytes += sample->ce_bytes;
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
		cmocka_unit_test(passive_negotiation),
		cmocka_unit_test(active_negotiation),
		cmocka_unit_test(syns_without_an_answer),
		cmocka_unit_test(syn_acks_without_an_answer),
		cmocka_unit_test(syn_comes_again),
		cmocka_unit_test(cookies),
		cmocka_unit_test(syn_ack_comes_again),
		cmocka_unit_test(handshake_ack_goes_before_data),
		cmocka_unit_test(echo_until_cwr),
		cmocka_unit_test(marks_mean_nothing_without_ecn),
		cmocka_unit_test(only_new_data_is_ect),
		cmocka_unit_test(window_shrinks_once_a_round_trip),
		cmocka_unit_test(loss_and_marks_are_one_event),
		cmocka_unit_test(smallest_window_waits),
		cmocka_unit_test(super_frame_with_cwr),
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
		cmocka_unit_test(algorithms_choose_the_codepoint),
		cmocka_unit_test(algorithms_get_every_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
