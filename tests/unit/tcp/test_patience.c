/* How long a connection waits for a silent peer: keepalive (RFC 9293 3.8.4), user timeout (3.9.1.1, RFC 5482), R1
 * (3.8.3). */
#include "../../support/peer.h"
#include "core/wire/arp.h"
#include "core/wire/bytes.h"
#include "core/wire/ethernet.h"

static const struct tcp_options none = { 0 };

static void tune(struct peer *p, void (*change)(struct stack_tcp_config *tcp))
{
	struct stack_tcp_config tcp;

	assert_int_equal(stack_get_tcp(p->stack, p->conn, &tcp), 0);
	change(&tcp);
	assert_int_equal(stack_set_tcp(p->stack, p->conn, &tcp), 0);
	peer_turn(p);
}

/* ---- keepalive ---------------------------------------------------------------------------------------------------
 */

static void keepalive_on(struct stack_tcp_config *tcp)
{
	tcp->keepalive = true;
	tcp->keepalive_idle = DURATION_S(100);
	tcp->keepalive_interval = DURATION_S(10);
	tcp->keepalive_count = 3;
}

static void keepalive_off(struct stack_tcp_config *tcp)
{
	tcp->keepalive = false;
}

static void with_keepalive(struct stack_config *config)
{
	keepalive_on(&config->tcp);
}

static void with_garbage(struct stack_config *config)
{
	keepalive_on(&config->tcp);
	config->tcp.keepalive_garbage = true;
}

static void answers(struct peer *p)
{
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) });
}

static void expect_probe(struct peer *p)
{
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(0), .ack = 1001 });
	expect_nothing(p);
}

/* MUST-25, MUST-28. */
static void off_unless_asked_for(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_tcp_config tcp;

	(void)state;
	peer_establishes(p, none);
	assert_int_equal(stack_get_tcp(p->stack, p->conn, &tcp), 0);
	assert_true(tcp.keepalive_idle.ns >= DURATION_S(7200).ns);
	peer_waits(p, DURATION_S(100000));
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop(p);
}

/* MUST-26: only when idle for that long; SHLD-12: without data. */
static void probes_when_idle(void **state)
{
	struct peer *p = peer_start(with_keepalive);

	(void)state;
	peer_establishes(p, none);
	peer_waits(p, DURATION_MS(99999));
	expect_nothing(p);
	peer_waits(p, DURATION_MS(2));
	expect_probe(p);
	answers(p);
	peer_waits(p, DURATION_MS(99999));
	expect_nothing(p);
	peer_waits(p, DURATION_MS(2));
	expect_probe(p);
	assert_int_equal(stack_get_counters(p->stack)->keepalive_probes, 2);
	peer_stop(p);
}

/* Whatever the peer sends shows that it is there. */
static void traffic_is_no_idleness(void **state)
{
	struct peer *p = peer_start(with_keepalive);

	(void)state;
	peer_establishes(p, none);
	for (uint32_t i = 0; i < 10; i++) {
		peer_waits(p, DURATION_S(60));
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001 + i, .ack = OURS(1), .length = 1 });
		service_reads(p);
		peer_waits(p, DURATION_S(1));
		expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1002 + i });
	}
	expect_nothing(p);
	peer_stop(p);
}

/* ... but what anybody can make up who knows the addresses and ports does not (RFC 5961). */
static void forgeries_are_no_answer(void **state)
{
	struct peer *p = peer_start(with_keepalive);

	(void)state;
	peer_establishes(p, none);
	peer_waits(p, DURATION_MS(90001));
	for (int i = 0; i < 3; i++) {
		peer_waits(p, DURATION_MS(10001));
		expect_probe(p);
		peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 900000 });
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 900000, .ack = OURS(1) });
		peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 900000 });
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(900000), .length = 10 });
		peer_sends(p, (struct seg){ .flags = TCP_PSH, .seq = 1001, .length = 10 });
		peer_ignores_rest(p);
	}
	peer_waits(p, DURATION_MS(10001));
	assert_int_equal(p->ready.cause, CAUSE_TIMEOUT_KEEPALIVE);
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	peer_stop_anyhow(p);
}

/* MUST-29: one unanswered probe is no dead peer, nor are two; after the third it is given up. */
static void gives_up_after_the_last_probe(void **state)
{
	struct peer *p = peer_start(with_keepalive);

	(void)state;
	peer_establishes(p, none);
	peer_waits(p, DURATION_MS(100001));
	expect_probe(p);
	peer_waits(p, DURATION_MS(10001));
	expect_probe(p);
	answers(p); /* so it begins anew */
	peer_waits(p, DURATION_MS(100001));
	expect_probe(p);
	for (int i = 0; i < 2; i++) {
		peer_waits(p, DURATION_MS(10001));
		expect_probe(p);
		assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	}
	peer_waits(p, DURATION_MS(9990));
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_waits(p, DURATION_MS(20));
	expect(p, (struct seg){ .flags = TCP_RST | TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_true(p->ready_flags & READY_ERROR);
	assert_int_equal(p->ready.cause, CAUSE_TIMEOUT_KEEPALIVE);
	expect_journal(p, TCPS_ESTABLISHED, TCPS_CLOSED, CAUSE_TIMEOUT_KEEPALIVE);
	peer_stop(p);
}

static void hasty(struct stack_config *config)
{
	config->tcp.keepalive = true;
	config->tcp.keepalive_idle = DURATION_S(5);
	config->tcp.keepalive_interval = DURATION_S(10);
	config->tcp.keepalive_count = 2;
}

/* Also where probes are further apart than the idle time is long: only unanswered ones count. */
static void answered_probes_do_not_count(void **state)
{
	struct peer *p = peer_start(hasty);

	(void)state;
	peer_establishes(p, none);
	peer_waits(p, DURATION_S(6));
	for (int i = 0; i < 10; i++) {
		expect_probe(p);
		answers(p);
		peer_waits(p, DURATION_MS(10001));
	}
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop_anyhow(p);
}

/* MAY-6; it takes no sequence space. */
static void garbage_when_asked_for(void **state)
{
	struct peer *p = peer_start(with_garbage);
	struct peer_frame *frame;

	(void)state;
	peer_establishes(p, none);
	peer_waits(p, DURATION_MS(100001));
	assert_int_equal(p->frame_count - p->frame_first, 1);
	frame = &p->frame[p->frame_first];
	assert_int_equal(peer_ip(frame).payload_bytes, TCP_HEADER_BYTES + 1);
	assert_int_equal(load32(peer_ip(frame).payload + 4), OURS(0));
	peer_ignores_rest(p);
	answers(p);
	service_sends(p, 10);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .length = 10 });
	peer_stop(p);
}

/* What is in flight is watched by its own timers, and data that waits behind a closed window by probes of it. */
static void no_probes_beside_data(void **state)
{
	struct peer *p = peer_start(with_keepalive);

	(void)state;
	peer_establishes(p, none);
	peer_waits(p, DURATION_S(99));
	service_sends(p, 10);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .length = 10 });
	peer_waits(p, DURATION_S(300));
	assert_int_equal(stack_get_counters(p->stack)->keepalive_probes, 0);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(11) });
	peer_waits(p, DURATION_S(99));
	expect_nothing(p);
	peer_waits(p, DURATION_S(11)); /* looked at every interval while there was data */
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(10), .ack = 1001 });
	peer_stop_anyhow(p);
}

/* MUST-24: switched on and off while the connection lives. */
static void switched_live(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_waits(p, DURATION_S(50));
	tune(p, keepalive_on);
	peer_waits(p, DURATION_MS(50001));
	expect_probe(p);
	tune(p, keepalive_off);
	peer_waits(p, DURATION_S(1000));
	expect_nothing(p);
	tune(p, keepalive_on); /* idle for longer than that already */
	peer_waits(p, DURATION_MS(2));
	expect_probe(p);
	peer_stop(p);
}

/* A half-closed connection is kept alive, too; an orphan has its own limit. */
static void half_closed_is_probed(void **state)
{
	struct peer *p = peer_start(with_keepalive);

	(void)state;
	peer_establishes(p, none);
	stack_shutdown(p->stack, p->conn);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(1), .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(2) });
	peer_waits(p, DURATION_S(110));
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	stack_close(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_ignores_rest(p);
	peer_waits(p, DURATION_S(61));
	expect_nothing(p);
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	peer_stop(p);
}

/* ---- user timeout ------------------------------------------------------------------------------------------------
 */

static void thirty_seconds(struct stack_tcp_config *tcp)
{
	tcp->user_timeout = DURATION_S(30);
}

static void with_timeout(struct stack_config *config)
{
	thirty_seconds(&config->tcp);
}

static void with_option(struct stack_config *config)
{
	thirty_seconds(&config->tcp);
	config->tcp.user_timeout_option = true;
}

static void hour_and_option(struct stack_tcp_config *tcp)
{
	tcp->retransmit_timeout = DURATION_S(40000);
	tcp->user_timeout = DURATION_S(36000);
	tcp->user_timeout_option = true;
}

static void aborts_just_in_time(struct peer *p, int64_t seconds)
{
	peer_waits(p, DURATION_MS(seconds * 1000 - 1));
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_waits(p, DURATION_MS(2));
	assert_true(p->ready_flags & READY_ERROR);
	assert_int_equal(p->ready.cause, CAUSE_TIMEOUT_USER);
	expect_journal(p, TCPS_ESTABLISHED, TCPS_CLOSED, CAUSE_TIMEOUT_USER);
}

/* Counted from the last progress, whatever the retransmission timer does. */
static void unacknowledged_for_too_long(void **state)
{
	struct peer *p = peer_start(with_timeout);

	(void)state;
	peer_establishes(p, none);
	peer_waits(p, DURATION_S(500)); /* idle is no waiting */
	service_sends(p, 2000);
	peer_waits(p, DURATION_S(20));
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1001) });
	aborts_just_in_time(p, 30);
	peer_stop_anyhow(p);
}

/* MUST-37: a peer that answers probes is not given up. */
static void answered_probes_are_no_timeout(void **state)
{
	struct peer *p = peer_start(with_timeout);
	struct seg shut = { .flags = TCP_ACK, .seq = 1001, .window = WINDOW_ZERO };

	(void)state;
	peer_establishes(p, none);
	shut.ack = OURS(1);
	peer_sends(p, shut);
	service_sends(p, 100);
	for (int i = 0; i < 20; i++) {
		peer_waits(p, DURATION_S(10));
		peer_sends(p, shut);
	}
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	aborts_just_in_time(p, 30);
	peer_stop_anyhow(p);
}

static void set_while_waiting(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	service_sends(p, 100);
	peer_waits(p, DURATION_S(10));
	tune(p, thirty_seconds);
	aborts_just_in_time(p, 20);
	peer_stop_anyhow(p);
}

/* It goes out with the SYN-ACK; on our own SYN, too, and once more after it, for a peer that keeps nothing of it. */
static void option_is_sent(void **state)
{
	struct stack_connect_options options = { .remote = PEER_IP, .remote_port = 80, .local_port = SERVICE_PORT };
	struct peer *p = peer_start(with_option);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	assert_true(p->last.options.has_user_timeout);
	assert_false(p->last.options.user_timeout_minutes);
	assert_int_equal(p->last.options.user_timeout, 30);
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1001 });

	options.remote_port = PEER_PORT;
	assert_int_equal(stack_connect(p->stack, &options, &p->conn), 0);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	assert_int_equal(p->last.options.user_timeout, 30);
	peer_sends(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .seq = 1000, .ack = OURS(1) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_int_equal(p->last.options.user_timeout, 30);
	tune(p, hour_and_option); /* a change is told; what does not fit in seconds, in minutes */
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_true(p->last.options.user_timeout_minutes);
	assert_int_equal(p->last.options.user_timeout, 600);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 10 });
	peer_waits(p, DURATION_S(1));
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1011 });
	assert_false(p->last.options.has_user_timeout);
	peer_stop_anyhow(p);
}

static void not_without_being_asked(void **state)
{
	struct peer *p = peer_start(with_timeout);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	assert_false(p->last.options.has_user_timeout);
	peer_stop_anyhow(p);
}

/* RFC 5482 section 3.1: the longer of both, at least 100 s, at most R2. */
static void peers_wish_is_followed(void **state)
{
	static const struct {
		bool option, minutes;
		uint16_t told;
		int64_t expected_s;
	} rows[] = {
		{ true, false, 200, 200 },   { true, true, 5, 300 }, { true, false, 20, 100 },
		{ true, false, 5000, 900 },  { true, false, 0, 30 }, { false, false, 200, 30 },
		{ true, true, 0x7fff, 900 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer *p = peer_start(rows[i].option ? with_option : with_timeout);
		struct tcp_options told = { .has_user_timeout = true,
			                    .user_timeout_minutes = rows[i].minutes,
			                    .user_timeout = rows[i].told };

		peer_establishes(p, none);
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .options = told });
		service_sends(p, 100);
		peer_waits(p, DURATION_MS(rows[i].expected_s * 1000 - 1));
		assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
		peer_waits(p, DURATION_S(61)); /* R2 is looked at when a retransmission is due */
		assert_int_equal(p->ready.cause, rows[i].expected_s == 900 && p->ready.cause != CAUSE_TIMEOUT_USER
		                                         ? CAUSE_TIMEOUT_RETRANSMIT
		                                         : CAUSE_TIMEOUT_USER);
		peer_stop_anyhow(p);
	}
}

/* ---- R1 ----------------------------------------------------------------------------------------------------------
 */

/* SHLD-9, MUST-20: after the third retransmission the service hears of it, once, and the next hop is asked for. */
static void r1_tells_service_and_neighbour(void **state)
{
	struct peer *p = peer_start(NULL);
	uint64_t asked;

	(void)state;
	peer_establishes(p, none);
	peer_waits(p, DURATION_S(61)); /* its entry is asked for by itself now and then */
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) });
	service_sends(p, 100);
	asked = peer_asked(p);
	while (peer_info(p).backoff < 2)
		peer_waits(p, DURATION_MS(100));
	assert_false(p->ready_flags & READY_TROUBLE);
	assert_int_equal(peer_asked(p), asked);
	while (peer_info(p).backoff < 3)
		peer_waits(p, DURATION_MS(100));
	assert_true(p->ready_flags & READY_TROUBLE);
	assert_int_equal(peer_asked(p), asked + 1);
	p->ready_flags = 0;
	while (peer_info(p).backoff < 5)
		peer_waits(p, DURATION_MS(100));
	assert_false(p->ready_flags & READY_TROUBLE);
	assert_int_equal(peer_asked(p), asked + 3);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop_anyhow(p);
}

/* MUST-22: the same for a SYN. */
static void r1_counts_for_a_syn(void **state)
{
	struct stack_connect_options options = { .remote = PEER_IP, .remote_port = 80 };
	struct peer *p = peer_start(NULL);

	(void)state;
	assert_int_equal(stack_connect(p->stack, &options, &p->conn), 0);
	peer_turn(p);
	peer_waits(p, DURATION_MS(3100)); /* after 1 s and 2 s */
	assert_false(p->ready_flags & READY_TROUBLE);
	peer_waits(p, DURATION_S(4));
	assert_true(p->ready_flags & READY_TROUBLE);
	peer_stop_anyhow(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(off_unless_asked_for),
		cmocka_unit_test(probes_when_idle),
		cmocka_unit_test(traffic_is_no_idleness),
		cmocka_unit_test(forgeries_are_no_answer),
		cmocka_unit_test(gives_up_after_the_last_probe),
		cmocka_unit_test(answered_probes_do_not_count),
		cmocka_unit_test(garbage_when_asked_for),
		cmocka_unit_test(no_probes_beside_data),
		cmocka_unit_test(switched_live),
		cmocka_unit_test(half_closed_is_probed),
		cmocka_unit_test(unacknowledged_for_too_long),
		cmocka_unit_test(answered_probes_are_no_timeout),
		cmocka_unit_test(set_while_waiting),
		cmocka_unit_test(option_is_sent),
		cmocka_unit_test(not_without_being_asked),
		cmocka_unit_test(peers_wish_is_followed),
		cmocka_unit_test(r1_tells_service_and_neighbour),
		cmocka_unit_test(r1_counts_for_a_syn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
