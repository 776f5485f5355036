/* How connections end: FINs that wait, orphans, administrators; and what waits besides. */
#include "../../support/peer.h"

#include <errno.h>

static const struct tcp_options none = { 0 };

static void peer_closes_its_window(struct peer *p)
{
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = WINDOW_ZERO });
}

/* RFC 9293 3.10.4: CLOSE in CLOSE-WAIT is queued until all before it is in segments; only then LAST-ACK. */
static void last_ack_begins_with_the_fin(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_closes_its_window(p);
	service_sends(p, 100);
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(1), .window = WINDOW_ZERO });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1002 });
	expect_journal(p, TCPS_ESTABLISHED, TCPS_CLOSE_WAIT, CAUSE_RECEIVED_FIN);
	stack_close(p->stack, p->conn);
	peer_turn(p);
	assert_int_equal(peer_state(p), TCPS_CLOSE_WAIT);
	assert_int_equal(atomic_load(&p->ring->head), p->journal_seen);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1002, .ack = OURS(1) });
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(1), .ack = 1002, .length = 100 });
	assert_int_equal(peer_state(p), TCPS_LAST_ACK);
	expect_journal(p, TCPS_CLOSE_WAIT, TCPS_LAST_ACK, CAUSE_LOCAL_CLOSE);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1002, .ack = OURS(102) });
	expect_journal(p, TCPS_LAST_ACK, TCPS_CLOSED, CAUSE_RECEIVED_ACK_OF_FIN);
	p->conn = CONN_HANDLE_NONE;
	peer_stop(p);
}

/* The same with data that only waits for its ACKs: part by part. */
static void last_ack_waits_for_the_last_part(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, (struct tcp_options){ .has_mss = true, .mss = 1000 });
	service_sends(p, 12000);
	peer_ignores_rest(p); /* ten segments */
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(1) });
	peer_ignores_rest(p);
	stack_shutdown(p->stack, p->conn);
	peer_turn(p);
	assert_int_equal(peer_state(p), TCPS_CLOSE_WAIT);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1002, .ack = OURS(10001) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(10001), .ack = 1002, .length = 1000 });
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(11001), .ack = 1002, .length = 1000 });
	assert_int_equal(peer_state(p), TCPS_LAST_ACK);
	peer_stop_anyhow(p);
}

/* An administrator's abort finds the record that carries the connection now, not the one that has just been left
 * and still lies on a list. */
static void abort_after_passing_to_a_compact_record(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_gauges gauges;
	uint64_t id;

	(void)state;
	peer_establishes(p, none);
	id = peer_info(p).id;
	stack_close(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(1), .ack = 1001 });
	peer_forgets_journal(p);
	peer_puts(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(2) });
	expect_journal(p, TCPS_FIN_WAIT_1, TCPS_FIN_WAIT_2, CAUSE_RECEIVED_ACK_OF_FIN);
	expect_journal(p, TCPS_FIN_WAIT_2, TCPS_TIME_WAIT, CAUSE_RECEIVED_FIN);
	assert_int_equal(stack_admin_close(p->stack, id, true), 0);
	expect_journal(p, TCPS_TIME_WAIT, TCPS_CLOSED, CAUSE_ADMIN_ABORT);
	assert_int_equal(stack_admin_close(p->stack, id, true), -ENOENT);
	peer_turn(p);
	peer_ignores_rest(p); /* the ACK of the FIN */
	stack_get_gauges(p->stack, &gauges);
	assert_int_equal(gauges.connections, 0);
	peer_stop(p);
}

/* The peer answers every probe, with a closed window, for so long. */
static void answers_probes(struct peer *p, int minutes)
{
	while (minutes-- > 0 && peer_state(p) != TCPS_CLOSED) {
		peer_waits(p, DURATION_S(60));
		peer_ignores_rest(p);
		peer_closes_its_window(p);
		peer_ignores_rest(p);
	}
}

static void orphans_have_r2(struct stack_config *config)
{
	config->tcp.orphan_timeout = (struct duration){ 0 };
}

/* MUST-37 keeps a connection for a program that wants it. An orphan would be kept for nobody. */
static void orphan_behind_a_closed_window_ends(void **state)
{
	struct peer *p = peer_start(orphans_have_r2);

	(void)state;
	peer_establishes(p, none);
	peer_closes_its_window(p);
	service_sends(p, 100);
	stack_close(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_forgets_journal(p);
	answers_probes(p, 13);
	assert_int_equal(peer_state(p), TCPS_FIN_WAIT_1);
	answers_probes(p, 5);
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	expect_journal(p, TCPS_FIN_WAIT_1, TCPS_CLOSED, CAUSE_TIMEOUT_ZERO_WINDOW);
	peer_stop_anyhow(p);
}

/* Its time begins when it is orphaned, however long the window had been closed before. */
static void orphan_has_time_from_its_beginning(void **state)
{
	struct peer *p = peer_start(orphans_have_r2);

	(void)state;
	peer_establishes(p, none);
	peer_closes_its_window(p);
	service_sends(p, 100);
	answers_probes(p, 60);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	stack_close(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	answers_probes(p, 13);
	assert_int_equal(peer_state(p), TCPS_FIN_WAIT_1);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 1 });
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(2), .ack = 1001, .length = 99 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(102) });
	assert_int_equal(peer_state(p), TCPS_FIN_WAIT_2);
	peer_stop(p);
}

/* A FIN alone waited for the window, which opened before anything was probed: what follows is no probing. */
static void fin_alone_leaves_no_probe_timer(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_closes_its_window(p);
	stack_shutdown(p->stack, p->conn);
	peer_turn(p);
	expect_nothing(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) });
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(1), .ack = 1001 });
	peer_waits(p, DURATION_MS(300)); /* it gets lost */
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_int_equal(stack_get_counters(p->stack)->window_probes, 0);
	assert_int_equal(stack_get_counters(p->stack)->retransmission_timeouts, 1);
	peer_ignores_rest(p);
	peer_waits(p, DURATION_S(1000));
	assert_int_equal(p->ready.cause, CAUSE_TIMEOUT_RETRANSMIT);
	peer_stop_anyhow(p);
}

/* The override of silly-window avoidance is for data: an ACK that goes out first does not use it up. */
static void pure_ack_does_not_use_up_the_override(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = 100 });
	service_sends(p, 500);
	expect_nothing(p);
	p->now = instant_add(p->now, peer_info(p).timer_left);
	p->now.ns += 1000000; /* timers are a little late */
	/* a segment ahead of a hole asks for an ACK with SACK blocks, which is sent before any data */
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1101, .ack = OURS(1), .length = 10, .window = 100 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 100 });
	peer_stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(last_ack_begins_with_the_fin),
		cmocka_unit_test(last_ack_waits_for_the_last_part),
		cmocka_unit_test(abort_after_passing_to_a_compact_record),
		cmocka_unit_test(orphan_behind_a_closed_window_ends),
		cmocka_unit_test(orphan_has_time_from_its_beginning),
		cmocka_unit_test(fin_alone_leaves_no_probe_timer),
		cmocka_unit_test(pure_ack_does_not_use_up_the_override),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
