/* What the sender makes of ACKs: losses and what only looks like one, the congestion window in the repair after a
 * time-out, round-trip samples. */
#include "../../support/peer.h"
#include "core/wire/ethernet.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"

#define MSS 1000

static const struct tcp_options plain = { .has_mss = true, .mss = MSS };
static const struct tcp_options sacking = { .has_mss = true, .mss = MSS, .sack_permitted = true };

/* Acknowledges the stream up to `ack`. */
static void acks(struct peer *p, uint32_t ack)
{
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(ack) });
}

static uint64_t fast_recoveries(struct peer *p)
{
	return stack_get_counters(p->stack)->fast_recoveries;
}

/* ---- after a time-out ------------------------------------------------------------------------------------------ */

/* RFC 5681: slow start ends at ssthresh, however much one ACK covers. */
static void one_ack_does_not_jump_over_ssthresh(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_conn_info info;

	(void)state;
	peer_establishes(p, plain);
	service_sends(p, 20 * MSS);
	peer_waits(p, DURATION_MS(300));
	peer_ignores_rest(p); /* ten segments, and the first again: it alone had been lost */
	info = peer_info(p);
	assert_int_equal(info.cwnd, MSS);
	assert_int_equal(info.ssthresh, 5 * MSS);
	acks(p, 1 + 10 * MSS);
	assert_in_range(peer_info(p).cwnd, 2 * MSS, info.ssthresh);
	peer_stop_anyhow(p);
}

/* RFC 3465 section 2.3: in slow start after a time-out an ACK counts for one segment at most; and ssthresh, which is
 * no multiple of a segment here, is not exceeded by a part of one. */
static void repair_grows_by_one_segment_an_ack(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, plain);
	service_sends(p, 10 * MSS - 500);
	peer_waits(p, DURATION_MS(300));
	assert_int_equal(peer_info(p).ssthresh, 5 * MSS - 250);
	acks(p, 1 + 3 * MSS);
	assert_int_equal(peer_info(p).cwnd, 2 * MSS);
	for (uint32_t i = 1; i <= 2; i++) {
		acks(p, 1 + (3 + i) * MSS);
		assert_int_equal(peer_info(p).cwnd, (2 + i) * MSS);
	}
	acks(p, 1 + 6 * MSS);
	assert_int_equal(peer_info(p).cwnd, 5 * MSS - 250);
	peer_stop_anyhow(p);
}

/* The peer acknowledges, one by one, the segments that the stack has sent since. Returns the end of what came. */
static uint32_t acks_each(struct peer *p, uint32_t from)
{
	uint32_t last = p->frame_count;

	while (p->frame_first < last) {
		expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(from), .ack = 1001, .length = MSS });
		from += MSS;
		acks(p, from);
	}
	return from;
}

/* The window opens while it holds the repair back, also when there is nothing new to send. */
static void repair_doubles_each_round(void **state)
{
	struct peer *p = peer_start(NULL);
	uint32_t repaired = 1;
	int rounds = 0;

	(void)state;
	peer_establishes(p, plain);
	service_sends(p, 10 * MSS);
	peer_ignores_rest(p); /* all ten are lost */
	peer_waits(p, DURATION_MS(300));
	while (repaired < 1 + 10 * MSS) {
		assert_true(p->frame_first < p->frame_count);
		repaired = acks_each(p, repaired);
		rounds++;
	}
	assert_in_range(rounds, 3, 5); /* 1, 2, 4, 3 */
	peer_stop(p);
}

/* ---- what is no loss ------------------------------------------------------------------------------------------- */

static void reopened_window(const struct tcp_options *options)
{
	struct peer *p = peer_start(NULL);
	struct stack_conn_info before, after;

	peer_establishes(p, *options);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = WINDOW_ZERO });
	service_sends(p, 3 * MSS);
	before = peer_info(p);
	peer_waits(p, DURATION_MS(300));
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 1 });
	acks(p, 1); /* open again; the octet was thrown away */
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 1 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(2), .ack = 1001, .length = MSS });
	peer_ignores_rest(p);
	acks(p, 2);
	after = peer_info(p);
	assert_int_equal(after.cwnd, before.cwnd);
	assert_int_equal(after.ssthresh, before.ssthresh);
	assert_int_equal(after.ca_state, 0);
	assert_int_equal(fast_recoveries(p), 0);
	assert_int_equal(stack_get_counters(p->stack)->retransmission_timeouts, 0);
	peer_stop_anyhow(p);
}

static void reopened_window_is_no_loss(void **state)
{
	(void)state;
	reopened_window(&plain);
	reopened_window(&sacking);
}

/* RFC 6582: duplicate ACKs right where a repair ended may answer needless copies; once more is acknowledged they
 * count.
 */
static void copies_are_no_loss(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, plain);
	service_sends(p, 10 * MSS);
	peer_waits(p, DURATION_MS(300));
	peer_ignores_rest(p);
	acks(p, 1 + 10 * MSS);
	service_sends(p, 2 * MSS);
	peer_ignores_rest(p);
	for (int i = 0; i < 3; i++)
		acks(p, 1 + 10 * MSS);
	assert_int_equal(fast_recoveries(p), 0);
	acks(p, 1 + 11 * MSS); /* beyond it they count again */
	service_sends(p, 4 * MSS);
	peer_ignores_rest(p);
	for (int i = 0; i < 3; i++)
		acks(p, 1 + 11 * MSS);
	assert_int_equal(fast_recoveries(p), 1);
	peer_stop_anyhow(p);
}

static void answers_to_probes_are_no_duplicate_acks(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_conn_info before, after;

	(void)state;
	peer_establishes(p, plain);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = WINDOW_ZERO });
	service_sends(p, 3 * MSS);
	before = peer_info(p);
	for (int i = 0; i < 5; i++) {
		peer_waits(p, DURATION_S(10));
		peer_ignores_rest(p);
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = WINDOW_ZERO });
		expect_nothing(p);
	}
	after = peer_info(p);
	assert_int_equal(after.cwnd, before.cwnd);
	assert_int_equal(after.ssthresh, before.ssthresh);
	assert_int_equal(fast_recoveries(p), 0);
	peer_stop_anyhow(p);
}

/* RFC 1191: a router found the segment with sequence number OURS(position) too big. */
static void router_says_too_big(struct peer *p, uint32_t position, uint16_t mtu)
{
	assert_int_equal(peer_reports(p, SERVICE_PORT, PEER_PORT, OURS(position), mtu), VERDICT_ACCEPTED);
}

static void smaller_path_is_no_loss(void **state)
{
	struct peer *p;
	struct stack_conn_info before, after;

	(void)state;
	PEER_IPV4_ONLY(); /* no path of IPv6's is so small */
	p = peer_start(NULL);
	peer_establishes(p, sacking);
	service_sends(p, 2 * MSS);
	peer_ignores_rest(p);
	before = peer_info(p);
	router_says_too_big(p, 1, 640);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 600 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(601), .ack = 1001, .length = 400 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1001), .ack = 1001, .length = 600 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1601), .ack = 1001, .length = 400 });
	acks(p, 601);
	after = peer_info(p);
	assert_int_equal(after.mss, 600);
	assert_in_range(after.cwnd, before.cwnd, UINT32_MAX);
	assert_int_equal(after.ssthresh, before.ssthresh);
	assert_int_equal(after.ca_state, 0);
	assert_int_equal(fast_recoveries(p), 0);
	peer_stop_anyhow(p);
}

/* Two duplicate ACKs that came from reordering: when the ACK moves on they don't stand for anything any more. */
static void reordering_leaves_no_trace(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, plain);
	service_sends(p, 30 * MSS);
	peer_ignores_rest(p); /* ten segments */
	acks(p, 1);
	acks(p, 1);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1 + 10 * MSS), .ack = 1001, .length = MSS });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1 + 11 * MSS), .ack = 1001, .length = MSS });
	acks(p, 1 + MSS); /* RFC 3042 sent two ahead of the window; they count again */
	assert_int_equal(peer_info(p).cwnd, 11 * MSS);
	assert_int_equal(peer_info(p).unacked, 11 * MSS);
	expect_nothing(p);
	peer_stop_anyhow(p);
}

/* ---- round trips ----------------------------------------------------------------------------------------------- */

/* The service sends a little; its ACK comes `rtt` later, caused by the first transmission. Returns how often it was
 * sent in vain. */
static uint32_t exchange(struct peer *p, uint32_t *at, bool timestamps, struct duration rtt)
{
	struct tcp_options options = { 0 };
	uint32_t resent;

	service_sends(p, 100);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(*at), .ack = 1001, .length = 100 });
	options.has_timestamps = timestamps;
	options.tsecr = p->last.options.tsval;
	options.tsval = 1000 + *at;
	peer_waits(p, rtt);
	resent = p->frame_count - p->frame_first;
	peer_ignores_rest(p);
	*at += 100;
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(*at), .options = options });
	return resent;
}

/* How many exchanges until nothing is sent in vain any more, when the round trip grows from 20 ms to 1 s. */
static int exchanges_to_learn(bool timestamps)
{
	struct peer *p = peer_start(NULL);
	int count = 0;
	uint32_t at = 1;

	peer_establishes(p, (struct tcp_options){ .has_timestamps = timestamps, .tsval = 1 });
	for (int i = 0; i < 20; i++)
		assert_int_equal(exchange(p, &at, timestamps, DURATION_MS(20)), 0);
	assert_true(peer_info(p).rto.ns < DURATION_MS(300).ns);
	while (exchange(p, &at, timestamps, DURATION_MS(1000)) > 0 && count < 20) {
		/* Timestamps tell the transmissions apart: the first ACK teaches. */
		assert_int_equal(peer_info(p).srtt.ns > DURATION_MS(100).ns, timestamps);
		count++;
	}
	assert_true(peer_info(p).srtt.ns > DURATION_MS(100).ns);
	peer_stop(p);
	return count;
}

static void longer_path_is_learnt(void **state)
{
	(void)state;
	assert_in_range(exchanges_to_learn(true), 1, 2);
	assert_in_range(exchanges_to_learn(false), 1, 3); /* the backed-off time-out lets one through unrepeated */
}

/* RFC 6298 section 5: the time-out stays backed off until something that was sent once has been acknowledged. */
static void backoff_stays_until_a_sample(void **state)
{
	struct peer *p = peer_start(NULL);
	uint32_t at = 1;

	(void)state;
	peer_establishes(p, (struct tcp_options){ 0 });
	assert_int_equal(exchange(p, &at, false, DURATION_MS(700)), 2);
	assert_int_equal(peer_info(p).backoff, 2);
	assert_int_equal(exchange(p, &at, false, DURATION_MS(700)), 0);
	assert_int_equal(peer_info(p).backoff, 0);
	peer_stop(p);
}

/* Karn: segments that waited at the peer behind a lost one say how long the repair took, not how long the path is. */
static void no_sample_across_a_retransmission(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_conn_info before, after;
	uint32_t at = 1;

	(void)state;
	peer_establishes(p, plain);
	for (int i = 0; i < 3; i++)
		exchange(p, &at, false, DURATION_MS(20));
	before = peer_info(p);
	service_sends(p, 4 * MSS);
	peer_waits(p, DURATION_MS(400));
	peer_ignores_rest(p); /* the first of the four again */
	peer_waits(p, DURATION_MS(20));
	acks(p, at + 4 * MSS);
	after = peer_info(p);
	assert_int_equal(after.unacked, 0);
	assert_int_equal(after.srtt.ns, before.srtt.ns);
	assert_int_equal(after.rttvar.ns, before.rttvar.ns);
	peer_stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_ack_does_not_jump_over_ssthresh),
		cmocka_unit_test(repair_grows_by_one_segment_an_ack),
		cmocka_unit_test(repair_doubles_each_round),
		cmocka_unit_test(reopened_window_is_no_loss),
		cmocka_unit_test(copies_are_no_loss),
		cmocka_unit_test(answers_to_probes_are_no_duplicate_acks),
		cmocka_unit_test(smaller_path_is_no_loss),
		cmocka_unit_test(reordering_leaves_no_trace),
		cmocka_unit_test(longer_path_is_learnt),
		cmocka_unit_test(backoff_stays_until_a_sample),
		cmocka_unit_test(no_sample_across_a_retransmission),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
