/* RFC 9768: how many were marked, not only whether. */
#include "marking.h"

#define ASKS (TCP_AE | TCP_CWR | TCP_ECE)

static void asking(struct stack_config *config)
{
	config->tcp.ecn = STACK_ECN_REQUEST;
}

static void classic_only(struct stack_config *config)
{
	config->tcp.accecn = false;
}

static struct peer *agreed(void)
{
	return opened_marking(NULL, ASKS, NOT_ECT, TCP_CWR, ace(2));
}

static void expect_agreed(struct peer *p, uint8_t what, uint8_t codepoint)
{
	assert_int_equal(peer_info(p).ecn, what);
	assert_int_equal(peer_info(p).ecn_codepoint, codepoint);
}

void rfc9768_negotiation(void **state)
{
	static const uint16_t answer[] = {
		[NOT_ECT] = TCP_CWR, [ECT1] = TCP_CWR | TCP_ECE, [ECT0] = TCP_AE, [CE] = TCP_AE | TCP_CWR
	};

	(void)state;
	for (uint8_t mark = NOT_ECT; mark <= CE; mark++) {
		struct peer *p = opened_marking(NULL, ASKS, mark, answer[mark], ace(2));

		expect_agreed(p, 2, ECT0);
		service_sends(p, 10);
		hears_marked(p, ace(5), 1, 10, ECT0);
		peer_stop(p);
	}
}

void rfc9768_negotiation_as_client(void **state)
{
	static const unsigned reply[] = { [NOT_ECT] = 2, [ECT1] = 3, [ECT0] = 4, [CE] = 6 };

	(void)state;
	for (uint8_t mark = NOT_ECT; mark <= CE; mark++) {
		struct peer *p = peer_start(asking);

		connects(p);
		expect(p, (struct seg){ .flags = TCP_SYN | ASKS });
		assert_false(p->last.options.has_accecn);
		peer_sends(p, (struct seg){ .flags = TCP_SYN | TCP_ACK | TCP_CWR,
		                            .seq = THEIR_ISN,
		                            .ack = OURS(1),
		                            .ecn = mark,
		                            .options = mss_option(1000),
		                            .source_port = SERVICE_PORT,
		                            .destination_port = CONNECT_PORT });
		hears(p, TCP_ACK | ace(reply[mark]), 1, 0, 1);
		expect_agreed(p, 2, ECT0);
		peer_stop(p);
	}
}

void rfc9768_falls_back(void **state)
{
	static const struct {
		uint16_t answer;
		uint8_t what;
	} servers[] = { { TCP_ECE, 1 }, { 0, 0 }, { ASKS, 0 } }; /* the last only reflects */
	struct peer *p;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		p = peer_start(asking);
		connects(p);
		expect(p, (struct seg){ .flags = TCP_SYN | ASKS });
		answers(p, TCP_SYN | TCP_ACK | servers[i].answer, 0, 0, 1, mss_option(1000));
		hears(p, TCP_ACK, 1, 0, 1);
		expect_agreed(p, servers[i].what, servers[i].what ? ECT0 : NOT_ECT);
		peer_stop(p);
	}
	p = opened_marking(classic_only, ASKS, NOT_ECT, TCP_ECE, 0); /* as server */
	expect_agreed(p, 1, ECT0);
	peer_stop(p);
	p = opened_marking(NULL, TCP_CWR | TCP_ECE, NOT_ECT, TCP_ECE, 0); /* with a client of before */
	expect_agreed(p, 1, ECT0);
	peer_stop(p);
}

void rfc9768_syns_without_an_answer(void **state)
{
	struct peer *p = peer_start(asking);

	(void)state;
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN | ASKS });
	wakes_after(p, 1000);
	expect(p, (struct seg){ .flags = TCP_SYN | ASKS });
	wakes_after(p, 2000);
	expect(p, (struct seg){ .flags = TCP_SYN });
	peer_stop_anyhow(p);
}

void rfc9768_initial_counters(void **state)
{
	struct peer *p = agreed();

	(void)state;
	marks(p, ace(5), 1, CE); /* two packets: 5 + 2, and 2000 octets on top of 1, 0, 1 */
	hears(p, TCP_ACK | ace(7), 1, 0, 2001);
	assert_true(p->last.options.has_accecn);
	assert_int_equal(p->last.options.accecn[0], 1);
	assert_int_equal(p->last.options.accecn[1], 2000);
	marks(p, ace(5), 2001, ECT1);
	hears(p, TCP_ACK | ace(7), 1, 0, 4001);
	assert_true(p->last.options.has_accecn);
	assert_int_equal(p->last.options.accecn[p->last.options.accecn_order == TCP_ACCECN_ORDER_1 ? 0 : 2], 2001);
	peer_stop(p);
}

void rfc9768_ace_counts_packets(void **state)
{
	struct peer *p = agreed();

	(void)state;
	for (uint32_t i = 0; i < 9; i++) {
		marks(p, ace(5), 1 + 2000 * i, i % 3 ? CE : ECT0);
		hears(p, TCP_ACK | ace(5 + 2 * (i - i / 3)), 1, 0, 2001 + 2000 * i);
	}
	service_sends(p, 10); /* on data, too */
	hears_marked(p, ace(5 + 12), 1, 10, ECT0);
	assert_int_equal(peer_info(p).received_ce, 12);
	peer_stop(p);
}

void rfc9768_first_mark_is_told_at_once(void **state)
{
	struct peer *p = agreed();
	struct seg small = { .flags = TCP_ACK | ace(5), .seq = THEIRS(1), .ack = OURS(1), .length = 10, .ecn = ECT0 };

	(void)state;
	peer_sends(p, small);
	expect_nothing(p); /* delayed, as ever */
	small.seq = THEIRS(11);
	small.ecn = CE;
	peer_sends(p, small);
	hears(p, TCP_ACK | ace(6), 1, 0, 21);
	service_reads(p);
	peer_stop(p);
}

void rfc9768_mangled_syn_ack(void **state)
{
	static const unsigned told[] = { 3, 4, 6 }; /* it left as not-ECT, and came as something else */

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct peer *p = opened_marking(NULL, ASKS, NOT_ECT, TCP_CWR, ace(told[i]));

		expect_agreed(p, 2, NOT_ECT);
		service_sends(p, 10);
		hears_marked(p, ace(5), 1, 10, NOT_ECT);
		peer_stop(p);
	}
}

void rfc9768_zeroed_ace(void **state)
{
	struct peer *p = opened_marking(NULL, ASKS, NOT_ECT, TCP_CWR, 0);

	(void)state;
	expect_agreed(p, 2, NOT_ECT);
	peer_stop(p);
}

void rfc9768_option_counts_bytes(void **state)
{
	struct peer *p = agreed();

	(void)state;
	marks(p, ace(5), 1, ECT0);
	hears(p, TCP_ACK | ace(5), 1, 0, 2001);
	assert_true(p->last.options.has_accecn);
	assert_int_equal(p->last.options.accecn[0], 1 + 2000);
	marks(p, ace(5), 2001, CE);
	hears(p, TCP_ACK | ace(7), 1, 0, 4001);
	assert_int_equal(p->last.options.accecn_count, 2);
	assert_int_equal(p->last.options.accecn[0], 1 + 2000);
	assert_int_equal(p->last.options.accecn[1], 2000);
	peer_stop(p);
}

/* Ten in flight; the peer has counted marks. */
static struct peer *ten_in_flight(void)
{
	struct peer *p = agreed();

	service_sends(p, 20000);
	for (uint32_t i = 0; i < 10; i++)
		hears_marked(p, ace(5), 1 + 1000 * i, 1000, ECT0);
	return p;
}

void rfc9768_reported_marks_reduce(void **state)
{
	struct peer *p = ten_in_flight();

	(void)state;
	says(p, TCP_ACK | ace(5), 1, 0, 2001); /* none */
	assert_true(peer_info(p).cwnd >= 10000);
	assert_int_equal(stack_get_counters(p->stack)->ecn_reductions, 0);
	says(p, TCP_ACK | ace(6), 1, 0, 4001); /* one */
	assert_true(peer_info(p).cwnd < 10000);
	assert_int_equal(stack_get_counters(p->stack)->ecn_reductions, 1);
	assert_int_equal(peer_info(p).delivered_ce, 1);
	peer_stop_anyhow(p);
}

void rfc9768_old_acks_are_ignored(void **state)
{
	struct peer *p = ten_in_flight();

	(void)state;
	says(p, TCP_ACK | ace(6), 1, 0, 4001);
	assert_int_equal(peer_info(p).delivered_ce, 1);
	says(p, TCP_ACK | ace(5), 1, 0, 2001); /* sent before, arrived after: not seven more */
	assert_int_equal(peer_info(p).delivered_ce, 1);
	peer_stop_anyhow(p);
}
