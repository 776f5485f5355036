/* Urgent data (RFC 9293 3.8.5, RFC 6093), with what went wrong elsewhere: pointers of 0, that move back, reach beyond
 * windows and FINs, or come in states that have no use for them. */
#include "../../support/peer.h"
#include "core/wire/bytes.h"
#include "core/wire/ethernet.h"

#include <errno.h>

static const struct tcp_options none = { 0 };

static void sends_urgent(struct peer *p, uint32_t seq, uint32_t length, uint16_t pointer)
{
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_URG,
	                            .seq = seq,
	                            .ack = OURS(1),
	                            .length = length,
	                            .urgent = pointer });
}

static int64_t left(struct peer *p)
{
	return stack_urgent(p->stack, p->conn);
}

static void reads(struct peer *p, uint32_t length)
{
	assert_int_equal(stack_consume(p->stack, p->conn, length), 0);
	peer_turn(p);
}

static bool was_told(struct peer *p)
{
	bool told = p->ready_flags & READY_URGENT;

	p->ready_flags = 0;
	return told;
}

/* ---- received ----------------------------------------------------------------------------------------------------
 */

/* MUST-32: told when it appears and when it moves on; MUST-33: measured; and it is read in its place in the stream.
 */
static void announced_and_measured(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	assert_int_equal(left(p), 0);
	sends_urgent(p, 1001, 10, 4);
	assert_true(was_told(p));
	assert_int_equal(left(p), 4);
	sends_urgent(p, 1011, 10, 5); /* moves on */
	assert_true(was_told(p));
	assert_int_equal(left(p), 15);
	sends_urgent(p, 1021, 10, 0); /* its end is said again, from further on: 1021 */
	assert_true(was_told(p));
	assert_int_equal(left(p), 20);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1031, .ack = OURS(1), .length = 10, .urgent = 9 });
	assert_false(was_told(p)); /* no URG: the field means nothing */
	reads(p, 7);
	assert_int_equal(left(p), 13);
	reads(p, 13);
	assert_int_equal(left(p), 0);
	assert_int_equal(service_reads(p), 20);
	assert_int_equal(left(p), 0);
	assert_int_equal(stack_urgent(p->stack, CONN_HANDLE_NONE), -EBADF);
	peer_stop_anyhow(p);
}

/* A pointer never moves back, and what it says again is no news. */
static void moving_back_is_no_news(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	sends_urgent(p, 1001, 10, 100);
	assert_true(was_told(p));
	sends_urgent(p, 1011, 10, 50);
	sends_urgent(p, 1021, 10, 80); /* the same */
	sends_urgent(p, 1001, 10, 0);
	sends_urgent(p, 1001, 0, 3);
	assert_false(was_told(p));
	assert_int_equal(left(p), 100);
	peer_stop_anyhow(p);
}

/* The text before may be known already, in part or wholly: the pointer counts from the sequence number it came with.
 */
static void counts_from_the_segments_own_number(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 20 });
	sends_urgent(p, 1001, 30, 25);
	assert_int_equal(left(p), 25);
	sends_urgent(p, 1011, 30, 10); /* 1021: behind */
	assert_int_equal(left(p), 25);
	service_reads(p);
	assert_int_equal(left(p), 0);
	was_told(p);
	sends_urgent(p, 1031, 20, 3); /* read already up to 1041: nothing of it is left to be read */
	assert_false(was_told(p));
	assert_int_equal(left(p), 0);
	peer_stop_anyhow(p);
}

/* MUST-31: of any length, far beyond what has arrived or fits the window; MUST-66: through a closed window. */
static void reaches_beyond_the_window(void **state)
{
	struct peer *p = peer_start(NULL);
	uint32_t seq = 1001;

	(void)state;
	peer_establishes(p, none);
	while (peer_info(p).rcv_wnd > 0) {
		uint32_t length = peer_info(p).rcv_wnd < 1400 ? peer_info(p).rcv_wnd : 1400;

		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = seq, .ack = OURS(1), .length = length });
		seq += length;
	}
	peer_ignores_rest(p);
	was_told(p);
	sends_urgent(p, seq, 0, 65535);
	assert_true(was_told(p));
	assert_int_equal(left(p), seq - 1001 + 65535);
	sends_urgent(p, seq + 1, 0, 65535); /* outside the window: not believed */
	assert_false(was_told(p));
	sends_urgent(p, seq, 1, 65535); /* a probe with text: no news */
	assert_false(was_told(p));
	peer_stop_anyhow(p);
}

/* Announced 65,535 octets at a time, more is urgent than a pointer reaches. */
static void longer_than_a_pointer_reaches(void **state)
{
	struct peer *p = peer_start(NULL);
	uint32_t seq = 1001;

	(void)state;
	peer_establishes(p, none);
	for (int i = 0; i < 200; i++) {
		sends_urgent(p, seq, 1000, 65535);
		assert_true(was_told(p));
		assert_int_equal(left(p), 65535);
		seq += service_reads(p);
		assert_int_equal(left(p), 64535);
	}
	peer_stop_anyhow(p);
}

/* Nothing follows a FIN: what was announced beyond it is not waited for. */
static void fin_ends_it(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK | TCP_URG,
	                            .seq = 1001,
	                            .ack = OURS(1),
	                            .length = 10,
	                            .urgent = 500 });
	assert_int_equal(left(p), 10);
	was_told(p);
	sends_urgent(p, 1012, 0, 100);
	assert_false(was_told(p));
	assert_int_equal(left(p), 10);
	reads(p, 10);
	assert_int_equal(left(p), 0);
	peer_stop_anyhow(p);
}

/* A reset: only what has arrived can still be read. */
static void reset_ends_it(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	sends_urgent(p, 1001, 10, 500);
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1011 });
	assert_int_equal(left(p), 10);
	reads(p, 10);
	assert_int_equal(left(p), 0);
	peer_stop_anyhow(p);
}

/* On a SYN, in the handshake, and after our service has gone it means nothing. */
static void means_nothing_in_other_states(void **state)
{
	struct stack_connect_options options = { .remote = PEER_IP, .remote_port = PEER_PORT, .local_port = 5000 };
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN | TCP_URG, .seq = 1000, .urgent = 65535 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	assert_int_equal(p->last.urgent_pointer, 0);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) });
	assert_false(was_told(p));
	assert_int_equal(left(p), 0);
	stack_close(p->stack, p->conn);
	peer_turn(p);
	peer_ignores_rest(p);
	sends_urgent(p, 1001, 0, 100);
	assert_int_equal(peer_state(p), TCPS_FIN_WAIT_1);
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1001 });

	assert_int_equal(stack_connect(p->stack, &options, &p->conn), 0);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	peer_sends(p, (struct seg){ .flags = TCP_SYN | TCP_ACK | TCP_URG,
	                            .seq = 1000,
	                            .ack = OURS(1),
	                            .urgent = 65535,
	                            .destination_port = 5000 });
	assert_false(was_told(p));
	assert_int_equal(left(p), 0);
	peer_stop_anyhow(p);
}

/* ---- sent --------------------------------------------------------------------------------------------------------
 */

/* As service_sends, but the turn goes on. */
static void commits(struct peer *p, uint32_t length)
{
	struct stack_conn_info info = peer_info(p);
	uint32_t position = info.snd_una + info.send_q - p->iss;
	static uint8_t bytes[100000];

	for (uint32_t i = 0; i < length; i++)
		bytes[i] = peer_pattern(position + i);
	assert_int_equal(stack_send(p->stack, p->conn, bytes, length), length);
}

static void expect_urgent(struct peer *p, uint32_t seq, uint32_t length, uint16_t pointer)
{
	expect(p, (struct seg){ .flags = TCP_ACK | TCP_URG, .seq = seq, .length = length });
	assert_int_equal(p->last.urgent_pointer, pointer);
}

/* MUST-62: the octet after the urgent data; each segment before it points there, none after it does. */
static void points_behind_the_last_octet(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, (struct tcp_options){ .has_mss = true, .mss = 1000 });
	assert_int_equal(stack_mark_urgent(p->stack, p->conn), -ENODATA);
	commits(p, 1500);
	assert_int_equal(stack_mark_urgent(p->stack, p->conn), 0);
	service_sends(p, 1000);
	expect_urgent(p, OURS(1), 1000, 1500);
	expect_urgent(p, OURS(1001), 1000, 500);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(2001), .length = 500 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(2501) });
	service_sends(p, 10);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(2501), .length = 10 });
	peer_stop_anyhow(p);
}

/* What is sent again points, too. */
static void retransmissions_point_as_well(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	commits(p, 100);
	assert_int_equal(stack_mark_urgent(p->stack, p->conn), 0);
	peer_turn(p);
	expect_urgent(p, OURS(1), 100, 100);
	peer_waits(p, DURATION_S(1));
	expect_urgent(p, OURS(1), 100, 100);
	peer_stop_anyhow(p);
}

/* A super-frame would have one pointer for all its segments. */
static void big_segments(struct stack_config *config)
{
	config->gso_bytes_max = 65536;
	config->checksum_offload = true;
}

static void no_super_frame_points(void **state)
{
	struct peer *p = peer_start(big_segments);

	(void)state;
	peer_establishes(p, (struct tcp_options){ .has_mss = true, .mss = 1000 });
	commits(p, 3000);
	assert_int_equal(stack_mark_urgent(p->stack, p->conn), 0);
	peer_turn(p);
	assert_int_equal(p->frame_count - p->frame_first, 3);
	for (uint32_t i = p->frame_first; i < p->frame_count; i++) {
		const uint8_t *tcp = peer_ip(&p->frame[i]).payload;

		assert_int_equal(load16(tcp + 18), 3000 - 1000 * (i - p->frame_first));
	}
	peer_stop_anyhow(p);
}

/* A closed window lets no data through, but the pointer. */
static void passes_a_closed_window(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = WINDOW_ZERO });
	service_sends(p, 100);
	expect_nothing(p);
	assert_int_equal(stack_mark_urgent(p->stack, p->conn), 0);
	peer_turn(p);
	expect_urgent(p, OURS(1), 0, 100);
	expect_nothing(p);
	peer_stop_anyhow(p);
}

/* More than 16 bits reach. */
static void points_as_far_as_it_can(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, (struct tcp_options){ .has_mss = true, .mss = 1000, .has_wscale = true, .wscale = 4 });
	service_sends(p, 10000);
	peer_ignores_rest(p);
	commits(p, 90000);
	assert_int_equal(stack_mark_urgent(p->stack, p->conn), 0);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(10001) });
	expect_urgent(p, OURS(10001), 1000, 65535);
	peer_stop_anyhow(p);
}

/* Small urgent data does not wait for an ACK (Nagle). */
static void not_held_back(void **state)
{
	struct peer *p = peer_start(NULL);
	uint8_t bytes[10];

	(void)state;
	peer_establishes(p, none);
	service_sends(p, 10);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .length = 10 });
	service_sends(p, 10);
	expect_nothing(p);
	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = peer_pattern(21 + i);
	assert_int_equal(stack_send_urgent(p->stack, p->conn, bytes, sizeof(bytes)), 10);
	peer_turn(p);
	expect_urgent(p, OURS(11), 20, 20);
	stack_shutdown(p->stack, p->conn);
	assert_int_equal(stack_mark_urgent(p->stack, p->conn), -EPIPE);
	peer_stop_anyhow(p);
}

/* ---- how it is sent ----------------------------------------------------------------------------------------------
 */

/* MAY-16, MAY-15: full segments go, the rest waits for the cork to be taken out, or the override. */
static void corked(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, (struct tcp_options){ .has_mss = true, .mss = 1000 });
	assert_int_equal(stack_cork(p->stack, p->conn, true), 0);
	service_sends(p, 100);
	expect_nothing(p);
	service_sends(p, 1000);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .length = 1000 });
	expect_nothing(p);
	assert_int_equal(stack_cork(p->stack, p->conn, false), 0);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_ACK | TCP_PSH, .seq = OURS(1001), .length = 100 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1101) });
	stack_cork(p->stack, p->conn, true);
	service_sends(p, 50);
	expect_nothing(p);
	peer_waits(p, DURATION_MS(210)); /* MUST-60 */
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1101), .length = 50 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1151) });
	service_sends(p, 50);
	expect_nothing(p);
	stack_shutdown(p->stack, p->conn);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(1151), .length = 50 });
	assert_int_equal(stack_cork(p->stack, CONN_HANDLE_NONE, true), -EBADF);
	peer_stop_anyhow(p);
}

/* MUST-17, live. */
static void nagle_is_switched(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	service_sends(p, 10);
	service_sends(p, 10);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .length = 10 });
	expect_nothing(p);
	assert_int_equal(stack_set_nodelay(p->stack, p->conn, true), 0);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(11), .length = 10 });
	stack_set_nodelay(p->stack, p->conn, false);
	service_sends(p, 10);
	expect_nothing(p);
	peer_stop_anyhow(p);
}

/* MAY-14: what was never sent is forgotten, what was is still delivered; the stream goes on with what comes next. */
static void flushed(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	assert_int_equal(stack_flush(p->stack, p->conn), 0);
	service_sends(p, 10);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .length = 10 });
	service_sends(p, 500);
	expect_nothing(p);
	assert_int_equal(stack_flush(p->stack, p->conn), 500);
	assert_int_equal(peer_info(p).notsent, 0);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(11) });
	expect_nothing(p);
	service_sends(p, 20);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(11), .length = 20 });
	service_sends(p, 30);
	assert_int_equal(stack_mark_urgent(p->stack, p->conn), 0);
	stack_shutdown(p->stack, p->conn);
	assert_int_equal(stack_flush(p->stack, p->conn), 30);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = OURS(31) });
	peer_stop_anyhow(p);
}

/* Before the handshake is done all of it is unsent. */
static void flushed_before_it_began(void **state)
{
	struct stack_connect_options options = { .remote = PEER_IP, .remote_port = PEER_PORT };
	struct peer *p = peer_start(NULL);

	(void)state;
	assert_int_equal(stack_connect(p->stack, &options, &p->conn), 0);
	assert_int_equal(stack_send(p->stack, p->conn, "hello", 5), 5);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	assert_int_equal(stack_flush(p->stack, p->conn), 5);
	assert_int_equal(stack_flush(p->stack, p->conn), 0);
	assert_int_equal(stack_flush(p->stack, CONN_HANDLE_NONE), -EBADF);
	peer_stop_anyhow(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(announced_and_measured),
		cmocka_unit_test(moving_back_is_no_news),
		cmocka_unit_test(counts_from_the_segments_own_number),
		cmocka_unit_test(reaches_beyond_the_window),
		cmocka_unit_test(longer_than_a_pointer_reaches),
		cmocka_unit_test(fin_ends_it),
		cmocka_unit_test(reset_ends_it),
		cmocka_unit_test(means_nothing_in_other_states),
		cmocka_unit_test(points_behind_the_last_octet),
		cmocka_unit_test(retransmissions_point_as_well),
		cmocka_unit_test(no_super_frame_points),
		cmocka_unit_test(passes_a_closed_window),
		cmocka_unit_test(points_as_far_as_it_can),
		cmocka_unit_test(not_held_back),
		cmocka_unit_test(corked),
		cmocka_unit_test(nagle_is_switched),
		cmocka_unit_test(flushed),
		cmocka_unit_test(flushed_before_it_began),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
