/* RFC 5961: a blind attacker guesses sequence numbers. */
#include "dialogue.h"

void rfc5961_reset_outside_the_window(void **state)
{
	struct peer *p = opened(NULL, no_options);
	uint32_t window = peer_info(p).rcv_wnd;

	(void)state;
	assert_int_equal(says(p, TCP_RST, 0, 0, 0), VERDICT_DROP_OUT_OF_WINDOW);
	assert_int_equal(says(p, TCP_RST | TCP_ACK, 1 + window, 0, 1), VERDICT_DROP_OUT_OF_WINDOW);
	assert_int_equal(says(p, TCP_RST, 0x80000000u, 0, 0), VERDICT_DROP_OUT_OF_WINDOW);
	expect_nothing(p);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop(p);
}

void rfc5961_reset_exactly(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	says(p, TCP_ACK, 1, 30, 1); /* RCV.NXT has moved over 2^32 */
	assert_int_equal(says(p, TCP_RST, 31, 0, 0), VERDICT_RESET);
	assert_int_equal(p->ready.cause, CAUSE_RECEIVED_RST);
	service_reads(p);
	peer_stop(p);
}

void rfc5961_reset_inside_the_window(void **state)
{
	struct peer *p = opened(NULL, no_options);
	uint32_t window = peer_info(p).rcv_wnd;

	(void)state;
	assert_int_equal(says(p, TCP_RST, 2, 0, 0), VERDICT_CHALLENGE_ACK);
	hears(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(says(p, TCP_RST | TCP_ACK, window, 0, 1), VERDICT_CHALLENGE_ACK);
	hears(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop(p);
}

void rfc5961_reset_inside_the_window_half_open(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	sends_syn(p, no_options);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	assert_int_equal(says(p, TCP_RST, 100, 0, 0), VERDICT_CHALLENGE_ACK);
	hears(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(says(p, TCP_RST, 0, 0, 0), VERDICT_DROP_OUT_OF_WINDOW);
	expect_nothing(p);
	assert_int_equal(peer_state(p), TCPS_SYN_RECEIVED);
	peer_stop(p);
}

void rfc5961_reset_in_syn_sent(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	answers(p, TCP_RST, 0, 0, 0, no_options);
	answers(p, TCP_RST | TCP_ACK, 0, 0, 0, no_options); /* ISS is not the SYN's ACK */
	answers(p, TCP_RST | TCP_ACK, 0, 0, 2, no_options);
	expect_nothing(p);
	assert_int_equal(peer_state(p), TCPS_SYN_SENT);
	assert_int_equal(answers(p, TCP_RST | TCP_ACK, 0, 0, 1, no_options), VERDICT_RESET);
	assert_int_equal(p->ready.cause, CAUSE_RECEIVED_RST_REFUSED);
	peer_stop(p);
}

void rfc5961_syn_is_challenged(void **state)
{
	static const uint32_t at[] = { 0, 1, 2, 70000, 0x80000000u };
	struct peer *p = opened(NULL, no_options);

	(void)state;
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		assert_int_equal(says(p, TCP_SYN, at[i], 0, 0), VERDICT_CHALLENGE_ACK);
		hears(p, TCP_ACK, 1, 0, 1);
		assert_int_equal(says(p, TCP_SYN | TCP_ACK, at[i], 0, 1), VERDICT_CHALLENGE_ACK);
		hears(p, TCP_ACK, 1, 0, 1);
		peer_waits(p, DURATION_S(1)); /* within the limit */
	}
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop(p);
}

void rfc5961_restarted_peer_comes_back(void **state)
{
	struct peer *p = opened(NULL, no_options);
	const struct seg syn = { .flags = TCP_SYN, .seq = 77 };

	(void)state;
	peer_sends(p, syn);
	hears(p, TCP_ACK, 1, 0, 1);
	says(p, TCP_RST, 1, 0, 0); /* a host without that connection: <SEQ=SEG.ACK> */
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	stack_close(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_sends(p, syn);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 78 });
	peer_stop(p);
}

void rfc5961_syn_segment_is_not_processed(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	assert_int_equal(says(p, TCP_SYN | TCP_ACK | TCP_FIN, 0, 20, 11), VERDICT_CHALLENGE_ACK);
	hears(p, TCP_ACK, 11, 0, 1);
	assert_int_equal(peer_info(p).unacked, 10);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	assert_int_equal(service_reads(p), 0);
	peer_stop(p);
}

/* ---- 5: data injection
 * ------------------------------------------------------------------------------------------------- */

/* MAX.SND.WND is 1000; 500 octets have been acknowledged. */
static struct peer *acknowledged_500(void)
{
	struct peer *p = peer_start(NULL);

	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = THEIR_ISN, .window = 1000 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	says_window(p, 1, 1, 1000);
	service_sends(p, 500);
	hears(p, TCP_ACK, 1, 500, 1);
	says_window(p, 1, 501, 1000);
	return p;
}

static enum stack_verdict injects(struct peer *p, uint32_t acks)
{
	return peer_sends(
	        p,
	        (struct seg){ .flags = TCP_ACK, .seq = THEIRS(1), .ack = OURS(acks), .length = 10, .window = 1000 });
}

void rfc5961_lowest_acceptable_ack(void **state)
{
	struct peer *p = acknowledged_500();

	(void)state;
	assert_int_equal(injects(p, 501 - 1000), VERDICT_ACCEPTED);
	assert_int_equal(service_reads(p), 10);
	peer_stop(p);
}

void rfc5961_ack_too_old(void **state)
{
	struct peer *p = acknowledged_500();

	(void)state;
	assert_int_equal(injects(p, 501 - 1000 - 1), VERDICT_DROP_ACK_TOO_OLD);
	hears(p, TCP_ACK, 501, 0, 1);
	assert_int_equal(injects(p, 501 + 0x80000001u), VERDICT_DROP_ACK_TOO_OLD);
	hears(p, TCP_ACK, 501, 0, 1);
	assert_int_equal(service_reads(p), 0);
	peer_stop(p);
}

void rfc5961_ack_of_the_unsent(void **state)
{
	struct peer *p = acknowledged_500();

	(void)state;
	assert_int_equal(injects(p, 502), VERDICT_DROP_ACK_UNSENT);
	hears(p, TCP_ACK, 501, 0, 1);
	assert_int_equal(service_reads(p), 0);
	assert_int_equal(peer_info(p).snd_una, OURS(501));
	peer_stop(p);
}

/* ---- 7: the limit
 * -------------------------------------------------------------------------------------------------------- */

/* How many of `count` SYNs from this port are answered, at this instant. */
static uint32_t challenges(struct peer *p, uint16_t port, int count)
{
	uint32_t answered = 0;

	for (int i = 0; i < count; i++) {
		peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5, .source_port = port });
		answered += frames_waiting(p);
		peer_ignores_rest(p);
	}
	return answered;
}

void rfc5961_challenges_are_limited(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	assert_int_equal(challenges(p, PEER_PORT, 100), 10);
	peer_waits(p, DURATION_S(1));
	assert_int_equal(challenges(p, PEER_PORT, 100), 10);
	peer_stop(p);
}

static void three_a_second(struct stack_config *config)
{
	config->tcp.challenge_acks_per_s = 3;
}

void rfc5961_limit_is_configurable(void **state)
{
	struct peer *p = opened(three_a_second, no_options);

	(void)state;
	assert_int_equal(challenges(p, PEER_PORT, 100), 3);
	peer_stop(p);
}

void rfc5961_limit_is_not_shared(void **state)
{
	struct peer *p = opened(NULL, no_options);
	struct conn_handle first;

	(void)state;
	first = p->conn;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 10, .source_port = 3000 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 11 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 11, .ack = p->last.seq.v + 1, .source_port = 3000 });
	assert_int_equal(challenges(p, PEER_PORT, 100), 10);
	assert_int_equal(challenges(p, 3000, 100), 10);
	stack_abort(p->stack, first);
	peer_stop_anyhow(p);
}
