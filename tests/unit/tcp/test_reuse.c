/* What ends TIME-WAIT early, and what does not: a new incarnation by RFC 6191, resets (RFC 1337), FINs sent again. In
 * compact records and in connections that their service still holds. */
#include "../../support/peer.h"

static const struct tcp_options none = { 0 };

#define TS(value) ((struct tcp_options){ .has_timestamps = true, .tsval = (value) })

/* The peer's last timestamp is 5000, the next sequence number 1002. */
static void pass_to_time_wait(struct peer *p, bool timestamps, bool held)
{
	peer_establishes(p, timestamps ? TS(5000) : none);
	stack_shutdown(p->stack, p->conn);
	if (!held) {
		stack_close(p->stack, p->conn);
		p->conn = CONN_HANDLE_NONE;
	}
	peer_turn(p);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK,
	                            .seq = 1001,
	                            .ack = OURS(2),
	                            .options = timestamps ? TS(5000) : none });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(2), .ack = 1002 });
	assert_int_equal(peer_state(p), TCPS_TIME_WAIT);
	peer_forgets_journal(p);
	p->ready_flags = 0;
}

static void no_timestamps(struct peer *p)
{
	struct stack_tcp_config tcp;

	assert_int_equal(stack_get_tcp(p->stack, p->listener, &tcp), 0);
	tcp.timestamps = false;
	assert_int_equal(stack_set_tcp(p->stack, p->listener, &tcp), 0);
}

/* RFC 6191 section 2, row by row. */
static void new_incarnation(void **state)
{
	static const struct {
		bool before, syn, ours; /* timestamps: used before, on the SYN, and still ours to use */
		uint32_t tsval, seq;
		bool taken;
	} rows[] = {
		{ true, true, true, 5001, 500, true },  /* newer timestamp: whatever the number */
		{ true, true, true, 5000, 1003, true }, /* the same timestamp: the number decides */
		{ true, true, true, 5000, 1002, false },
		{ true, true, true, 4999, 5000000, false },
		{ true, true, true, 0x80001387, 1003, true },  /* as far ahead as can be, modulo 2^32 */
		{ true, true, true, 0x80001389, 1003, false }, /* behind */
		{ true, false, true, 0, 1003, true },
		{ true, false, true, 0, 1002, false },
		{ true, true, false, 9999, 1002, false },
		{ true, true, false, 4, 1003, true },
		{ false, true, true, 1, 500, true }, /* the option tells the two apart */
		{ false, true, true, 0x90000000, 500, true },
		{ false, true, false, 1, 500, false },
		{ false, false, true, 0, 1003, true },
		{ false, false, true, 0, 1002, false },
		{ false, false, true, 0, 1002 + 0x7fffffffu, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer *p = peer_start(NULL);
		struct seg syn = { .flags = TCP_SYN, .seq = rows[i].seq };
		uint32_t iss;

		pass_to_time_wait(p, rows[i].before, *state != NULL);
		if (!rows[i].ours)
			no_timestamps(p);
		iss = p->iss;
		if (rows[i].syn)
			syn.options = TS(rows[i].tsval);
		peer_sends(p, syn);
		if (rows[i].taken) {
			expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = rows[i].seq + 1 });
			assert_true((int32_t)(p->last.seq.v - iss) > 2); /* above the old one's */
			expect_journal(p, TCPS_TIME_WAIT, TCPS_CLOSED, CAUSE_RECEIVED_SYN_IN_TIME_WAIT);
			expect_journal(p, TCPS_LISTEN, TCPS_SYN_RECEIVED, CAUSE_RECEIVED_SYN);
			assert_int_equal(p->ready_flags & READY_ERROR, 0);
		} else {
			expect(p, (struct seg){ .flags = TCP_ACK, .seq = iss + 2, .ack = 1002 });
			assert_int_equal(peer_state(p), TCPS_TIME_WAIT);
		}
		peer_stop(p);
	}
}

/* The service that held the old one keeps what it has not read, and lets go as ever. */
static void service_keeps_what_it_holds(void **state)
{
	struct peer *p = peer_start(NULL);
	struct conn_handle old;

	(void)state;
	peer_establishes(p, none);
	stack_shutdown(p->stack, p->conn);
	peer_turn(p);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(2), .length = 10 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(2), .ack = 1012 });
	old = p->conn;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 9000 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 9001 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 9001, .ack = OURS(1) });
	assert_true(p->conn.v != old.v);
	assert_int_equal(stack_consume(p->stack, old, 10), 0);
	assert_true(stack_at_eof(p->stack, old));
	assert_int_equal(stack_close(p->stack, old), 0);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop(p);
}

/* RFC 1337: a reset shortens nothing, exact or not. */
static void resets_are_ignored(void **state)
{
	struct peer *p = peer_start(NULL);

	pass_to_time_wait(p, false, *state != NULL);
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1002 });
	peer_sends(p, (struct seg){ .flags = TCP_RST | TCP_ACK, .seq = 1002, .ack = OURS(2) });
	assert_int_equal(peer_state(p), TCPS_TIME_WAIT);
	expect_nothing(p);
	peer_stop(p);
}

static void lasts(struct peer *p, int64_t milliseconds)
{
	peer_waits(p, DURATION_MS(milliseconds - 10));
	assert_int_equal(peer_state(p), TCPS_TIME_WAIT);
	peer_waits(p, DURATION_MS(20));
	assert_int_equal(peer_state(p), TCPS_CLOSED);
}

/* RFC 7323 section 5.3, R3: what is acceptable goes on telling the peer's latest timestamp; what is made up does not.
 */
static void timestamps_go_on(void **state)
{
	struct peer *p = peer_start(NULL);
	struct seg ack = { .flags = TCP_ACK, .seq = 1002, .options = TS(5100) };

	pass_to_time_wait(p, true, *state != NULL);
	ack.ack = OURS(2);
	peer_sends(p, ack);
	ack.ack = OURS(90000);
	ack.options = TS(90000);
	peer_sends(p, ack);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5000000, .options = TS(5050) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(2), .ack = 1002 });
	assert_int_equal(p->last.options.tsecr, 5100);
	assert_int_equal(peer_state(p), TCPS_TIME_WAIT);
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5000000, .options = TS(5101) });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 5000001 });
	peer_stop_anyhow(p);
}

/* The FIN sent again begins 2 MSL anew; one that is made up, or old, does not. */
static void only_the_fin_itself_restarts(void **state)
{
	static const struct {
		uint32_t seq, tsval;
		bool restarts;
	} rows[] = { { 1001, 5000, true },
		     { 1001, 5001, true },
		     { 1001, 4999, false },
		     { 1000, 5000, false },
		     { 7777, 5000, false } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer *p = peer_start(NULL);

		pass_to_time_wait(p, true, *state != NULL);
		peer_waits(p, DURATION_S(40));
		peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK,
		                            .seq = rows[i].seq,
		                            .ack = OURS(2),
		                            .options = TS(rows[i].tsval) });
		if (rows[i].seq == 1001)
			expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(2), .ack = 1002 });
		peer_ignores_rest(p);
		lasts(p, rows[i].restarts ? 60000 : 20000);
		peer_stop(p);
	}
}

/* RFC 7323 section 5.3, R1, before the handshake is done: an old timestamp is answered, none at all is not. */
static void half_open_answers_old_timestamps(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .options = TS(5000) });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	assert_int_equal(
	        peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .options = TS(4999) }),
	        VERDICT_DROP_PAWS);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_int_equal(p->last.options.tsecr, 5000);
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) }),
	                 VERDICT_DROP_PAWS);
	expect_nothing(p);
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1001 }), VERDICT_RESET);
	peer_stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_incarnation),
		cmocka_unit_test_prestate(new_incarnation, (void *)1),
		cmocka_unit_test(service_keeps_what_it_holds),
		cmocka_unit_test(resets_are_ignored),
		cmocka_unit_test_prestate(resets_are_ignored, (void *)1),
		cmocka_unit_test(timestamps_go_on),
		cmocka_unit_test_prestate(timestamps_go_on, (void *)1),
		cmocka_unit_test(only_the_fin_itself_restarts),
		cmocka_unit_test_prestate(only_the_fin_itself_restarts, (void *)1),
		cmocka_unit_test(half_open_answers_old_timestamps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
