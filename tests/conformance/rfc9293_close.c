/* RFC 9293 section 3.6: closing; and 3.5.3, resets. */
#include "dialogue.h"

/* ---- 3.6: orderly or not
 * ------------------------------------------------------------------------------------------- */

/* Both sides close: what the program is told has no error in it, and the record says so. */
static void orderly(void)
{
	struct peer *p = opened(NULL, no_options);

	says(p, TCP_ACK | TCP_FIN, 1, 0, 1);
	hears(p, TCP_ACK, 1, 0, 2);
	assert_true(p->ready_flags & READY_EOF);
	assert_true(stack_at_eof(p->stack, p->conn));
	stack_shutdown(p->stack, p->conn);
	peer_turn(p);
	hears(p, TCP_ACK | TCP_FIN, 1, 0, 2);
	says(p, TCP_ACK, 2, 0, 2);
	assert_false(p->ready_flags & READY_ERROR);
	assert_true(p->ready_flags & READY_SENT);
	assert_int_equal(p->ready.cause, CAUSE_RECEIVED_ACK_OF_FIN);
	peer_stop(p);
}

void must_12_orderly_end_is_told_from_abort(void **state)
{
	struct peer *p;

	(void)state;
	orderly();
	p = opened(NULL, no_options);
	says(p, TCP_RST, 1, 0, 0);
	assert_true(p->ready_flags & READY_ERROR);
	assert_false(p->ready_flags & READY_EOF);
	assert_false(stack_at_eof(p->stack, p->conn));
	assert_int_equal(p->ready.cause, CAUSE_RECEIVED_RST);
	peer_stop(p);
}

/* ---- 3.6.1: TIME-WAIT
 * ------------------------------------------------------------------------------------------------ */

/* We close first; the peer follows. */
static struct peer *in_time_wait(struct tcp_options options)
{
	struct peer *p = opened(NULL, options);
	struct tcp_options later = { .has_timestamps = options.has_timestamps, .tsval = options.tsval };

	stack_close(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_turn(p);
	hears(p, TCP_ACK | TCP_FIN, 1, 0, 1);
	later.tsecr = p->last.options.tsval;
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_FIN, .seq = THEIRS(1), .ack = OURS(2), .options = later });
	hears(p, TCP_ACK, 2, 0, 2);
	assert_int_equal(peer_state(p), TCPS_TIME_WAIT);
	return p;
}

void must_13_time_wait_lasts_two_segment_lifetimes(void **state)
{
	struct peer *p = in_time_wait(no_options);

	(void)state;
	peer_waits(p, DURATION_MS(59900)); /* MSL is 30 s */
	assert_int_equal(peer_state(p), TCPS_TIME_WAIT);
	says(p, TCP_ACK | TCP_FIN, 1, 0, 2); /* its FIN again: acknowledged, and the time begins anew */
	hears(p, TCP_ACK, 2, 0, 2);
	peer_waits(p, DURATION_MS(59900));
	assert_int_equal(peer_state(p), TCPS_TIME_WAIT);
	peer_waits(p, DURATION_MS(200));
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	peer_stop(p);
}

/* The passive closer does not wait: LAST-ACK, and gone. */
void must_13_passive_closer_does_not_wait(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	says(p, TCP_ACK | TCP_FIN, 1, 0, 1);
	hears(p, TCP_ACK, 1, 0, 2);
	stack_close(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_turn(p);
	hears(p, TCP_ACK | TCP_FIN, 1, 0, 2);
	assert_int_equal(peer_state(p), TCPS_LAST_ACK);
	says(p, TCP_ACK, 2, 0, 2);
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	peer_stop(p);
}

/* RFC 6191: a SYN with a newer timestamp begins anew, even when its sequence number lies below. */
void shld_4_timestamps_end_time_wait(void **state)
{
	struct peer *p = in_time_wait(timestamps_option(100));
	struct seg syn = { .flags = TCP_SYN, .seq = THEIR_ISN - 100000, .options = timestamps_option(101) };
	uint32_t end = OURS(2);

	(void)state;
	syn.options.tsval = 99; /* older: no */
	peer_sends(p, syn);
	hears(p, TCP_ACK, 2, 0, 2);
	syn.options.tsval = 101;
	assert_int_equal(peer_sends(p, syn), VERDICT_ACCEPTED);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIR_ISN - 100000 + 1 });
	assert_true((int32_t)(p->iss - end) > 0); /* above all that was used before */
	peer_stop(p);
}

void may_2_new_syn_in_time_wait(void **state)
{
	struct peer *p = in_time_wait(no_options);
	uint32_t end = OURS(2);

	(void)state;
	assert_int_equal(says(p, TCP_SYN, 2, 0, 0), VERDICT_TIME_WAIT_ACK); /* not above RCV.NXT */
	hears(p, TCP_ACK, 2, 0, 2);
	assert_int_equal(says(p, TCP_SYN, 3, 0, 0), VERDICT_ACCEPTED);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(4) });
	assert_true((int32_t)(p->iss - end) > 0);
	says(p, TCP_ACK, 4, 0, 1);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop(p);
}

/* ---- 3.6.1: half-duplex close
 * ------------------------------------------------------------------------------------------ */

void shld_3_close_with_unread_data_resets(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	says(p, TCP_ACK, 1, 100, 1);
	stack_close(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_turn(p);
	hears(p, TCP_RST | TCP_ACK, 1, 0, 101);
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	expect_journal(p, TCPS_ESTABLISHED, TCPS_CLOSED, CAUSE_LOCAL_CLOSE_UNREAD);
	peer_stop(p);
}

/* The same for what arrives after the close. */
void shld_3_data_after_close_is_reset(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	stack_close(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_turn(p);
	hears(p, TCP_ACK | TCP_FIN, 1, 0, 1);
	says(p, TCP_ACK, 1, 100, 2);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_RST | TCP_ACK, .seq = OURS(2) });
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	peer_stop(p);
}

/* stack_close gives up reading, too; stack_shutdown leaves it. */
void may_1_half_duplex_close(void **state)
{
	struct iovec iov;
	struct peer *p = opened(NULL, no_options);
	struct conn_handle conn = p->conn;
	int count;

	(void)state;
	stack_shutdown(p->stack, conn);
	peer_turn(p);
	hears(p, TCP_ACK | TCP_FIN, 1, 0, 1);
	says(p, TCP_ACK, 1, 100, 2);
	assert_int_equal(service_reads(p), 100);
	stack_close(p->stack, conn);
	assert_true(stack_peek(p->stack, conn, &iov, 1, &count) < 0);
	p->conn = CONN_HANDLE_NONE;
	peer_waits(p, DURATION_MS(100));
	hears(p, TCP_ACK, 2, 0, 101);
	says(p, TCP_ACK, 101, 1, 2);
	expect(p, (struct seg){ .flags = TCP_RST | TCP_ACK, .seq = OURS(2) });
	peer_stop(p);
}

/* ---- 3.5.3
 * -------------------------------------------------------------------------------------------------------------- */

void shld_2_reset_may_carry_data(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	assert_int_equal(says(p, TCP_RST, 1, 50, 0), VERDICT_RESET);
	assert_int_equal(p->ready.cause, CAUSE_RECEIVED_RST);
	assert_int_equal(service_reads(p), 0); /* the text of a reset is no data */
	peer_stop(p);
}
