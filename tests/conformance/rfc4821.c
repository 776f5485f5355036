/* RFC 1191, 8201, 5927 and 4821: how large packets may be on the way. */
#include "dialogue.h"

#define FULL 1460

/* Time-outs are counted: nothing but the plain timer. */
static void by_timer(struct stack_config *config)
{
	classic(config);
	config->tcp.path_mtu = STACK_PATH_MTU_FALLBACK;
}

static void probing(struct stack_config *config)
{
	classic(config);
	config->tcp.path_mtu = STACK_PATH_MTU_PROBE;
}

static enum stack_verdict says_too_big(struct peer *p, uint32_t at, uint16_t mtu, uint16_t size)
{
	return says_icmp(p, (struct icmp_error){ .what = TOO_BIG, .seq = OURS(at), .mtu = mtu, .size = size });
}

/* A full segment is in flight; nothing has proved yet that the path carries it. */
static struct peer *full_segment_in_flight(void (*tweak)(struct stack_config *config))
{
	struct peer *p = opened(tweak, mss_option(FULL));

	service_sends(p, FULL);
	hears(p, TCP_ACK, 1, FULL, 1);
	return p;
}

/* ---- reports ------------------------------------------------------------------------------------------------------
 */

void rfc1191_dont_fragment(void **state)
{
	struct peer *p = opened(classic, no_options);

	(void)state;
	service_sends(p, 600);
	assert_true(next_ip(p).dont_fragment);
	hears(p, TCP_ACK, 1, 536, 1);
	assert_true(next_ip(p).dont_fragment);
	peer_ignores_rest(p);
	wakes_after(p, 200); /* also when it is sent again */
	assert_true(next_ip(p).dont_fragment);
	peer_stop_anyhow(p);
}

void rfc1191_report_is_followed(void **state)
{
	struct peer *p = full_segment_in_flight(classic);

	(void)state;
	assert_int_equal(says_too_big(p, 1, 1300, 1500), VERDICT_ACCEPTED);
	hears(p, TCP_ACK, 1, 1260, 1);
	hears(p, TCP_ACK, 1261, 200, 1);
	says(p, TCP_ACK, 1, 0, 1461);
	service_sends(p, 2520);
	hears_run(p, 2, 1461, 1260);
	peer_stop_anyhow(p);
}

void rfc1191_plateaus(void **state)
{
	struct peer *p = full_segment_in_flight(classic);

	(void)state;
	says_too_big(p, 1, 0, 1500);
	hears(p, TCP_ACK, 1, 1492 - 40, 1);
	peer_ignores_rest(p);
	says_too_big(p, 1, 0, 1492);
	hears(p, TCP_ACK, 1, 1006 - 40, 1);
	peer_stop_anyhow(p);
}

void rfc1191_raised_after_ten_minutes(void **state)
{
	struct peer *p = full_segment_in_flight(classic);

	(void)state;
	says_too_big(p, 1, 1300, 1500);
	peer_ignores_rest(p);
	says(p, TCP_ACK, 1, 0, 1461);
	peer_waits(p, DURATION_S(590));
	service_sends(p, 1260);
	hears(p, TCP_ACK, 1461, 1260, 1);
	says(p, TCP_ACK, 1, 0, 2721);
	peer_waits(p, DURATION_S(20));
	service_sends(p, FULL);
	hears(p, TCP_ACK, 2721, FULL, 1);
	peer_stop_anyhow(p);
}

void rfc8201_larger_is_nonsense(void **state)
{
	struct peer *p = full_segment_in_flight(classic);

	(void)state;
	says_too_big(p, 1, 1500, 1500);
	says_too_big(p, 1, 9000, 1500);
	expect_nothing(p);
	assert_int_equal(peer_info(p).mss, FULL);
	peer_stop_anyhow(p);
}

void rfc8201_not_below_the_least(void **state)
{
	struct peer *p = full_segment_in_flight(classic);

	(void)state;
	says_too_big(p, 1, 100, 1500);
	if (peer_is_ipv6()) { /* what reports less is discarded whole */
		assert_int_equal(peer_info(p).mss, FULL);
		says_too_big(p, 1, 1259, 1500);
		assert_int_equal(peer_info(p).mss, FULL);
		says_too_big(p, 1, 1260, 1500); /* the header is longer by 20: 1280 */
		assert_int_equal(peer_info(p).mss, 1280 - 60);
	} else {
		assert_int_equal(peer_info(p).mss, 552 - 40);
	}
	peer_stop_anyhow(p);
}

void rfc8201_size_is_no_congestion(void **state)
{
	struct peer *p = opened(classic, mss_option(FULL));
	uint64_t segments;

	(void)state;
	service_sends(p, 10 * FULL);
	peer_ignores_rest(p);
	segments = peer_info(p).cwnd / FULL;
	says_too_big(p, 1, 1300, 1500);
	assert_true(peer_info(p).cwnd / peer_info(p).mss >= segments);
	assert_int_equal(peer_info(p).ca_state, 0);
	assert_int_equal(stack_get_counters(p->stack)->fast_recoveries, 0);
	peer_stop_anyhow(p);
}

/* ---- RFC 5927
 * ------------------------------------------------------------------------------------------------------- */

void rfc5927_only_about_what_is_in_flight(void **state)
{
	struct peer *p = full_segment_in_flight(classic);
	struct stack_soft_error error;

	(void)state;
	for (enum trouble what = NO_NET; what <= TOO_BIG; what++) {
		struct icmp_error report = { .what = what, .mtu = 1300, .seq = OURS(0) };

		assert_int_equal(says_icmp(p, report), VERDICT_DROP_ICMP_UNRELATED);
		report.seq = OURS(1 + FULL);
		assert_int_equal(says_icmp(p, report), VERDICT_DROP_ICMP_UNRELATED);
		report.seq = OURS(0x80000000u);
		assert_int_equal(says_icmp(p, report), VERDICT_DROP_ICMP_UNRELATED);
		report.seq = OURS(1);
		report.remote_port = 9;
		assert_int_equal(says_icmp(p, report), VERDICT_DROP_ICMP_UNRELATED);
	}
	expect_nothing(p);
	assert_true(stack_soft_error(p->stack, p->conn, &error) < 0);
	assert_int_equal(peer_info(p).mss, FULL);
	peer_stop_anyhow(p);
}

void rfc5927_report_against_the_evidence_waits(void **state)
{
	struct peer *p = full_segment_in_flight(classic);

	(void)state;
	says(p, TCP_ACK, 1, 0, 1 + FULL); /* this size has arrived */
	service_sends(p, FULL);
	hears(p, TCP_ACK, 1 + FULL, FULL, 1);
	says_too_big(p, 1 + FULL, 1300, 1500);
	expect_nothing(p);
	assert_int_equal(peer_info(p).mss, FULL);
	wakes_after(p, 200); /* now there is a reason to believe it */
	hears(p, TCP_ACK, 1 + FULL, 1260, 1);
	peer_stop_anyhow(p);
}

/* ---- RFC 4821
 * ------------------------------------------------------------------------------------------------------- */

void rfc4821_probe_raises(void **state)
{
	struct peer *p = opened(probing, sack_option(FULL));
	uint32_t small = peer_info(p).mss;

	(void)state;
	assert_true(small < FULL);
	service_sends(p, 8000);
	hears(p, TCP_ACK, 1, FULL, 1); /* the probe */
	hears(p, TCP_ACK, 1 + FULL, small, 1);
	peer_ignores_rest(p);
	assert_int_equal(peer_info(p).mss, small);
	says(p, TCP_ACK, 1, 0, 1 + FULL);
	assert_int_equal(peer_info(p).mss, FULL);
	peer_stop_anyhow(p);
}

void rfc4821_lost_probe_is_no_congestion(void **state)
{
	struct seg ack = { .flags = TCP_ACK, .seq = THEIRS(1), .options = { .sack_count = 1 } };
	struct peer *p = opened(probing, sack_option(FULL));
	struct stack_conn_info before;

	(void)state;
	service_sends(p, 7000);
	hears(p, TCP_ACK, 1, FULL, 1);
	peer_ignores_rest(p);
	before = peer_info(p);
	ack.ack = OURS(1);
	for (uint32_t i = 1; i <= 4; i++) { /* all that was sent after it arrives */
		ack.options.sack[0] =
		        (struct tcp_sack_block){ SEQ(OURS(1 + FULL)), SEQ(OURS(1 + FULL + i * before.mss)) };
		peer_sends(p, ack);
	}
	hears(p, TCP_ACK, 1, before.mss, 1); /* in ordinary size */
	assert_true(peer_info(p).cwnd >= before.cwnd);
	assert_int_equal(peer_info(p).ssthresh, before.ssthresh);
	assert_int_equal(peer_info(p).ca_state, 0);
	assert_int_equal(stack_get_counters(p->stack)->fast_recoveries, 0);
	peer_stop_anyhow(p);
}

void rfc4821_black_hole(void **state)
{
	struct peer *p = full_segment_in_flight(by_timer);

	(void)state;
	wakes_after(p, 200);
	hears(p, TCP_ACK, 1, FULL, 1); /* once is nothing special */
	wakes_after(p, 400);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .length = peer_info(p).mss });
	assert_in_range(peer_info(p).mss, 500, 1300);
	peer_stop_anyhow(p);
}
