/* RFC 3168: marks instead of losses. */
#include "marking.h"

static void asking(struct stack_config *config)
{
	classic(config);
	config->tcp.ecn = STACK_ECN_REQUEST;
	config->tcp.accecn = false;
}

static void one_segment(struct stack_config *config)
{
	classic(config);
	config->tcp.initial_window_segments = 1;
}

static struct peer *agreed(void (*tweak)(struct stack_config *config))
{
	return opened_marking(tweak, TCP_CWR | TCP_ECE, NOT_ECT, TCP_ECE, 0);
}

/* Both ways; expect compares the ECN field, too: SYN and SYN-ACK are not ECN-capable. */
void rfc3168_negotiation(void **state)
{
	struct peer *p = agreed(classic);

	(void)state;
	service_sends(p, 10);
	hears_marked(p, 0, 1, 10, ECT0);
	peer_stop(p);
	p = peer_start(asking);
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_CWR | TCP_ECE });
	answers(p, TCP_SYN | TCP_ACK | TCP_ECE, 0, 0, 1, mss_option(1000));
	hears(p, TCP_ACK, 1, 0, 1);
	service_sends(p, 10);
	hears_marked(p, 0, 1, 10, ECT0);
	peer_stop(p);
}

static void no_marks_here(struct peer *p)
{
	marks(p, 0, 1, CE);
	hears(p, TCP_ACK, 1, 0, 2001);
	service_sends(p, 500);
	hears(p, TCP_ACK, 1, 500, 2001);
	says(p, TCP_ACK | TCP_ECE, 2001, 0, 501);
	assert_int_equal(stack_get_counters(p->stack)->ecn_reductions, 0);
	peer_stop(p);
}

static void without_ecn(struct stack_config *config)
{
	config->tcp.ecn = STACK_ECN_OFF;
}

void rfc3168_without_agreement(void **state)
{
	(void)state;
	no_marks_here(opened_marking(classic, 0, NOT_ECT, 0, 0));                     /* not asked for */
	no_marks_here(opened_marking(without_ecn, TCP_CWR | TCP_ECE, NOT_ECT, 0, 0)); /* refused */
}

void rfc3168_syn_without_an_answer(void **state)
{
	struct peer *p = peer_start(asking);

	(void)state;
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_CWR | TCP_ECE });
	wakes_after(p, 1000);
	expect(p, (struct seg){ .flags = TCP_SYN });
	answers(p, TCP_SYN | TCP_ACK, 0, 0, 1, mss_option(1000));
	hears(p, TCP_ACK, 1, 0, 1);
	service_sends(p, 10);
	hears_marked(p, 0, 1, 10, NOT_ECT);
	peer_stop(p);
}

void rfc3168_window_is_halved_once(void **state)
{
	struct peer *p = agreed(classic);

	(void)state;
	service_sends(p, 20000);
	for (uint32_t i = 0; i < 10; i++)
		hears_marked(p, 0, 1 + 1000 * i, 1000, ECT0);
	says(p, TCP_ACK | TCP_ECE, 1, 0, 2001);
	assert_int_equal(peer_info(p).cwnd, 5000);
	assert_int_equal(peer_info(p).ssthresh, 5000);
	expect_nothing(p);
	says(p, TCP_ACK | TCP_ECE, 1, 0, 8001); /* more of the same window */
	assert_int_equal(peer_info(p).cwnd, 5000);
	hears_marked(p, TCP_CWR, 10001, 1000, ECT0);
	hears_marked(p, 0, 11001, 1000, ECT0); /* once */
	hears_marked(p, 0, 12001, 1000, ECT0);
	says(p, TCP_ACK | TCP_ECE, 1, 0, 10001); /* cannot have heard of the CWR yet */
	assert_int_equal(peer_info(p).cwnd, 5000);
	assert_int_equal(stack_get_counters(p->stack)->ecn_reductions, 1);
	assert_int_equal(stack_get_counters(p->stack)->retransmitted_segments, 0);
	peer_stop_anyhow(p);
}

void rfc3168_smallest_window_waits(void **state)
{
	struct peer *p = agreed(one_segment);

	(void)state;
	service_sends(p, 3000);
	hears_marked(p, 0, 1, 1000, ECT0);
	expect_nothing(p);
	says(p, TCP_ACK | TCP_ECE, 1, 0, 1001);
	wakes_after(p, peer_info(p).rto.ns / 1000000);
	hears_marked(p, TCP_CWR, 1001, 1000, ECT0);
	peer_stop_anyhow(p);
}

void rfc3168_echo_until_cwr(void **state)
{
	struct peer *p = agreed(classic);

	(void)state;
	marks(p, 0, 1, ECT0);
	hears(p, TCP_ACK, 1, 0, 2001);
	marks(p, 0, 2001, CE);
	hears(p, TCP_ACK | TCP_ECE, 1, 0, 4001);
	marks(p, 0, 4001, ECT0);
	hears(p, TCP_ACK | TCP_ECE, 1, 0, 6001);
	service_sends(p, 10); /* on data as well */
	hears_marked(p, TCP_ECE, 1, 10, ECT0);
	marks(p, TCP_CWR, 6001, ECT0);
	hears(p, TCP_ACK, 11, 0, 8001);
	marks(p, TCP_CWR, 8001, CE); /* marked itself: begins anew */
	hears(p, TCP_ACK | TCP_ECE, 11, 0, 10001);
	peer_stop(p);
}

void rfc3168_echo_of_delayed_acks(void **state)
{
	struct peer *p = agreed(classic);
	struct seg small = { .flags = TCP_ACK, .ack = OURS(1), .length = 10 };

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		small.seq = THEIRS(1 + 10 * i);
		small.ecn = i == 1 ? CE : ECT0;
		peer_puts(p, small);
	}
	peer_waits(p, DURATION_MS(100));
	hears(p, TCP_ACK | TCP_ECE, 1, 0, 31);
	service_reads(p);
	peer_stop(p);
}

void rfc3168_acks_are_not_capable(void **state)
{
	struct peer *p = agreed(classic);

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		marks(p, 0, 1 + 2000 * i, ECT0);
		assert_int_equal(next_ip(p).tos & 3, NOT_ECT);
		hears(p, TCP_ACK, 1, 0, 2001 + 2000 * i);
	}
	stack_shutdown(p->stack, p->conn);
	peer_turn(p);
	assert_int_equal(next_ip(p).tos & 3, NOT_ECT); /* a FIN alone */
	hears(p, TCP_ACK | TCP_FIN, 1, 0, 8001);
	peer_stop(p);
}

void rfc3168_retransmissions_are_not_capable(void **state)
{
	struct peer *p = agreed(classic);

	(void)state;
	service_sends(p, 1000);
	hears_marked(p, 0, 1, 1000, ECT0);
	for (int64_t rto = 200; rto <= 800; rto *= 2) {
		wakes_after(p, rto);
		hears_marked(p, 0, 1, 1000, NOT_ECT);
	}
	peer_stop_anyhow(p);
}

void rfc3168_probes_are_not_capable(void **state)
{
	struct peer *p = agreed(classic);

	(void)state;
	says_window(p, 1, 1, WINDOW_ZERO);
	service_sends(p, 500);
	wakes_after(p, 200);
	assert_int_equal(next_ip(p).tos & 3, NOT_ECT);
	hears(p, TCP_ACK, 1, 1, 1);
	peer_stop_anyhow(p);
}
