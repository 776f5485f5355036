/* Compact records, half-open and TIME-WAIT: the rules of RFC 5961 hold for them too, and an administrator's close
 * does not cut them short. */
#include "../../support/peer.h"

#include <errno.h>

static const struct tcp_options none = { 0 };

static void begin_handshake(struct peer *p)
{
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
}

static void pass_to_time_wait(struct peer *p)
{
	peer_establishes(p, none);
	stack_close(p->stack, p->conn);
	peer_turn(p);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(2) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(2), .ack = 1002 });
	peer_forgets_journal(p);
}

/* RFC 5961 sections 3.2 and 4.2. */
static void half_open_challenges(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	begin_handshake(p);
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1050 }), VERDICT_CHALLENGE_ACK);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1050 }), VERDICT_CHALLENGE_ACK);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 900 }), VERDICT_DROP_OUT_OF_WINDOW);
	/* just outside, and just inside the window that the SYN-ACK has offered */
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1001 + 65535 }),
	                 VERDICT_DROP_OUT_OF_WINDOW);
	expect_nothing(p);
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1001 + 65534 }), VERDICT_CHALLENGE_ACK);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_int_equal(peer_state(p), TCPS_SYN_RECEIVED);
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1001 }), VERDICT_RESET);
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	peer_stop(p);
}

static uint32_t frames_sent(struct peer *p)
{
	uint32_t count = p->frame_count - p->frame_first;

	peer_ignores_rest(p);
	return count;
}

static void half_open_answers_only_so_often(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	begin_handshake(p);
	for (int i = 0; i < 100; i++) {
		peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 }); /* the same again */
		peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5000000 });
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 5000000, .ack = OURS(1) });
	}
	assert_in_range(frames_sent(p), 1, 20); /* ten a second; the loop may see two of them */
	peer_stop(p);
}

static void time_wait_answers_only_so_often(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	pass_to_time_wait(p);
	for (int i = 0; i < 100; i++)
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 77, .ack = OURS(2) });
	assert_in_range(frames_sent(p), 1, 20);
	peer_stop(p);
}

static void tiny_journal(struct stack_config *config)
{
	config->journal->capacity = 3;
	config->half_open_max = 1;
}

/* A cookie would promise a connection that may not come to be. */
static void full_journal_sends_no_cookies(void **state)
{
	struct peer *p = peer_start(tiny_journal);

	(void)state;
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 }), VERDICT_DROP_JOURNAL_FULL);
	peer_stop(p);
}

static uint64_t only_id(struct peer *p)
{
	struct stack_conn_info info[4];
	uint64_t cursor = 0, id = 0;

	while (cursor != UINT64_MAX) {
		size_t count = stack_walk(p->stack, &cursor, info, 4);

		for (size_t i = 0; i < count; i++)
			id = info[i].id ? info[i].id : id;
	}
	return id;
}

static void close_leaves_compact_records_alone(void **state)
{
	struct peer *p = peer_start(NULL);
	uint64_t id;

	(void)state;
	begin_handshake(p);
	id = only_id(p);
	assert_int_equal(stack_admin_close(p->stack, id, false), -EAGAIN);
	assert_int_equal(stack_admin_close(p->stack, id, true), 0);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_RST | TCP_ACK, .seq = OURS(1), .ack = 1001 });
	peer_forgets_journal(p);
	pass_to_time_wait(p);
	id = only_id(p);
	assert_int_equal(stack_admin_close(p->stack, id, false), -EALREADY);
	assert_int_equal(peer_state(p), TCPS_TIME_WAIT);
	assert_int_equal(stack_admin_close(p->stack, id, true), 0);
	expect_journal(p, TCPS_TIME_WAIT, TCPS_CLOSED, CAUSE_ADMIN_ABORT);
	assert_int_equal(stack_admin_close(p->stack, id, true), -ENOENT);
	peer_stop(p);
}

static void text_after_fin_is_named(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(1) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1002 });
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1002, .ack = OURS(1), .length = 5 }),
	                 VERDICT_DROP_TEXT_AFTER_FIN);
	assert_int_equal(service_reads(p), 0);
	peer_stop_anyhow(p);
}

/* Tuning while it runs: those that wait do so no longer than a new one would, and never end out of order. */
static void shorter_time_wait(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_tcp_config tcp;

	(void)state;
	pass_to_time_wait(p);
	assert_int_equal(stack_get_tcp(p->stack, p->listener, &tcp), 0);
	peer_waits(p, DURATION_S(1));
	tcp.time_wait = DURATION_S(2);
	assert_int_equal(stack_set_default_tcp(p->stack, &tcp), 0);
	peer_waits(p, DURATION_MS(1900));
	assert_int_equal(peer_state(p), TCPS_TIME_WAIT);
	peer_waits(p, DURATION_MS(200));
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	/* A longer one leaves those that wait alone. */
	pass_to_time_wait(p);
	tcp.time_wait = DURATION_S(20);
	assert_int_equal(stack_set_default_tcp(p->stack, &tcp), 0);
	peer_waits(p, DURATION_MS(2100));
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	peer_stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_open_challenges),
		cmocka_unit_test(half_open_answers_only_so_often),
		cmocka_unit_test(time_wait_answers_only_so_often),
		cmocka_unit_test(full_journal_sends_no_cookies),
		cmocka_unit_test(close_leaves_compact_records_alone),
		cmocka_unit_test(text_after_fin_is_named),
		cmocka_unit_test(shorter_time_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
