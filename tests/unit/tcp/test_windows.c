/* Windows of every size: up to 1 GiB each way (RFC 7323 section 2), and buffers that grow with what is used. */
#include "../../support/peer.h"

static const struct tcp_options scaled = { .has_mss = true, .mss = 1460, .has_wscale = true, .wscale = 14 };

static void largest_windows(struct stack_config *config)
{
	config->tcp.rcvbuf_initial_bytes = config->tcp.rcvbuf_max_bytes = 1u << 30;
	config->tcp.sndbuf_max_bytes = 1u << 30;
}

static void receive_window_of_a_gib(void **state)
{
	struct peer *p = peer_start(largest_windows);
	uint32_t window = 65535u << 14;

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .options = scaled });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001, .window = 65535 });
	assert_int_equal(p->last.options.wscale, 14);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 1460 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 2461, .ack = OURS(1), .length = 1460 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 3921, .window = 65535 });
	/* The last octet of the window is taken, the one after it is not. */
	assert_int_equal(
	        peer_sends(p,
	                   (struct seg){ .flags = TCP_ACK, .seq = 3921 + window - 10, .ack = OURS(1), .length = 10 }),
	        VERDICT_ACCEPTED);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 3921 });
	assert_int_equal(peer_info(p).rcv_holes, 1);
	assert_int_equal(
	        peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 3921 + window, .ack = OURS(1), .length = 10 }),
	        VERDICT_DROP_OUT_OF_WINDOW);
	peer_stop_anyhow(p);
}

static void send_window_of_a_gib(void **state)
{
	struct peer *p = peer_start(largest_windows);

	(void)state;
	peer_establishes(p, scaled);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = 65535 });
	assert_int_equal(peer_info(p).snd_wnd, 65535u << 14);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = 1 });
	assert_int_equal(peer_info(p).snd_wnd, 1u << 14);
	peer_stop(p);
}

/* A peer whose window is closed takes only what begins where it waits. What has probed the window is not there, so
 * that our ACKs and resets begin before it (RFC 9293 3.10.7.4, MUST-66). */
static void acks_beside_a_probe_are_acceptable(void **state)
{
	struct seg probed = { .flags = TCP_ACK, .seq = 1001, .window = WINDOW_ZERO };
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, (struct tcp_options){ 0 });
	probed.ack = OURS(1);
	peer_sends(p, probed);
	service_sends(p, 100);
	peer_waits(p, DURATION_MS(210));
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 1 });
	peer_sends(p, probed);
	probed.length = 536;
	peer_sends(p, probed);
	probed.seq += 536;
	peer_sends(p, probed);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 2073 });
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 2073 });
	stack_abort(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_RST | TCP_ACK, .seq = OURS(1), .ack = 2073 });
	peer_stop(p);
}

/* RFC 7323 section 2.3: a shift above 14 counts as 14. */
static void shift_is_limited(void **state)
{
	struct tcp_options options = scaled;
	struct peer *p = peer_start(NULL);

	(void)state;
	options.wscale = 15;
	peer_establishes(p, options);
	assert_int_equal(peer_info(p).snd_wscale, 14);
	peer_stop(p);
}

static void small_at_first(struct stack_config *config)
{
	config->tcp.rcvbuf_initial_bytes = config->tcp.sndbuf_initial_bytes = 64u << 10;
	config->tcp.rcvbuf_max_bytes = config->tcp.sndbuf_max_bytes = 1u << 20;
}

static void receive_buffer_grows_with_what_is_read(void **state)
{
	struct peer *p = peer_start(small_at_first);
	uint32_t seq = 1001, before, after;

	(void)state;
	peer_establishes(p, scaled);
	before = peer_info(p).rcvbuf;
	for (int round = 0; round < 8; round++) {
		uint32_t burst = peer_info(p).rcvbuf; /* a window a round trip: the window is what holds it back */

		for (uint32_t sent = 0; sent < burst; sent += 1460, seq += 1460) {
			peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = seq, .ack = OURS(1), .length = 1460 });
			service_reads(p);
		}
		peer_waits(p, DURATION_MS(5));
		peer_ignores_rest(p);
	}
	after = peer_info(p).rcvbuf;
	assert_int_equal(before, 64u << 10);
	assert_int_equal(after, 1u << 20);
	peer_stop_anyhow(p);
}

/* A service that does not read gives no reason to grow. */
static void receive_buffer_stays_when_nobody_reads(void **state)
{
	struct peer *p = peer_start(small_at_first);

	(void)state;
	peer_establishes(p, scaled);
	for (uint32_t seq = 1001; seq < 1001 + 60000; seq += 1460)
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = seq, .ack = OURS(1), .length = 1460 });
	peer_waits(p, DURATION_S(1));
	assert_int_equal(peer_info(p).rcvbuf, 64u << 10);
	peer_stop_anyhow(p);
}

static void send_buffer_grows_with_the_window(void **state)
{
	struct peer *p = peer_start(small_at_first);
	struct stack_conn_info info;
	struct iovec iov[64];
	int count;

	(void)state;
	peer_establishes(p, scaled);
	assert_int_equal(peer_info(p).sndbuf, 64u << 10);
	for (int round = 0; round < 12; round++) {
		ssize_t room = stack_space(p->stack, p->conn, 1 << 20, iov, 64, &count);

		assert_true(room >= 0);
		stack_commit(p->stack, p->conn, (size_t)room);
		peer_turn(p);
		info = peer_info(p);
		peer_ignores_rest(p);
		p->now.ns += 1000000;
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = info.snd_nxt });
		peer_ignores_rest(p);
	}
	assert_true(peer_info(p).cwnd > 512u << 10);
	assert_int_equal(peer_info(p).sndbuf, 1u << 20);
	peer_stop_anyhow(p);
}

/* SND.UNA moves by a segment that the peer sent again: its window counts, though its sequence number is an old one.
 */
static void window_of_an_old_segment(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, (struct tcp_options){ 0 });
	service_sends(p, 1000);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1101, .ack = OURS(1), .length = 100, .window = 3000 });
	assert_int_equal(peer_info(p).snd_wnd, 3000);
	peer_sends(p,
	           (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1001), .length = 100, .window = 2000 });
	assert_int_equal(peer_info(p).snd_wnd, 2000);
	/* An ACK that was overtaken tells of a window that was. */
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1201, .ack = OURS(501), .window = 2500 });
	assert_int_equal(peer_info(p).snd_wnd, 2000);
	peer_ignores_rest(p);
	peer_stop_anyhow(p);
}

/* One octet more than the peer takes is one too many: what fits goes out when waiting for more room has been in vain.
 */
static void window_is_kept_to_the_octet(void **state)
{
	const struct tcp_options mss = { .has_mss = true, .mss = 1460 };
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, mss);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = 500 });
	service_sends(p, 501);
	expect_nothing(p);
	peer_waits(p, DURATION_MS(250));
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 500 });
	expect_nothing(p);
	peer_stop_anyhow(p);
}

/* Both ends have probed the other's window, and both probes were taken: who says so stands one octet too early. */
static void ack_beside_a_probe_that_was_taken_counts(void **state)
{
	struct seg waits = { .flags = TCP_ACK, .seq = 1001, .window = WINDOW_ZERO };
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, (struct tcp_options){ 0 });
	waits.ack = OURS(1);
	peer_sends(p, waits);
	service_sends(p, 100);
	peer_waits(p, DURATION_S(2)); /* our probe */
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 1 });
	peer_ignores_rest(p);
	peer_sends(p,
	           (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 1, .window = WINDOW_ZERO });
	peer_waits(p, DURATION_MS(100));
	peer_ignores_rest(p);
	/* It has not heard yet that its probe was taken; ours was. */
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(2), .window = 5000 }),
	                 VERDICT_DUPLICATE);
	assert_int_equal(peer_info(p).snd_wnd, 5000);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1002 });
	expect(p, (struct seg){ .flags = TCP_ACK | TCP_PSH, .seq = OURS(2), .ack = 1002, .length = 99 });
	peer_stop_anyhow(p);
}

static void small_buffer(struct stack_config *config)
{
	config->tcp.rcvbuf_initial_bytes = config->tcp.rcvbuf_max_bytes = 2048;
	config->tcp.window_scale = 14;
}

/* What the field can't express is offered as the least that it can, while there is room worth a segment. */
static void small_buffer_is_not_scaled_away(void **state)
{
	struct peer *p = peer_start(small_buffer);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .options = scaled });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001, .window = 2048 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 1000 });
	peer_waits(p, DURATION_MS(500));
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 2001, .window = 1 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 2001, .ack = OURS(1), .length = 1000 });
	peer_waits(p, DURATION_MS(500));
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 3001, .window = WINDOW_ZERO });
	assert_int_equal(service_reads(p), 2000);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 3001, .window = 1 });
	peer_stop_anyhow(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(receive_window_of_a_gib),
		cmocka_unit_test(send_window_of_a_gib),
		cmocka_unit_test(acks_beside_a_probe_are_acceptable),
		cmocka_unit_test(ack_beside_a_probe_that_was_taken_counts),
		cmocka_unit_test(small_buffer_is_not_scaled_away),
		cmocka_unit_test(shift_is_limited),
		cmocka_unit_test(receive_buffer_grows_with_what_is_read),
		cmocka_unit_test(receive_buffer_stays_when_nobody_reads),
		cmocka_unit_test(send_buffer_grows_with_the_window),
		cmocka_unit_test(window_is_kept_to_the_octet),
		cmocka_unit_test(window_of_an_old_segment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
