/* RFC 9293 section 3.8.6: windows that shrink, close and open, silly windows, delayed acknowledgements. */
#include "dialogue.h"

/* ---- a window that shrinks
 * ------------------------------------------------------------------------------------------- */

/* Four segments of 1000 are in flight, and then the peer takes back all but 300. */
static struct peer *shrunk_to_300(void)
{
	struct peer *p = opened(classic, mss_option(1000));

	service_sends(p, 6000);
	hears_run(p, 6, 1, 1000);
	says_window(p, 1, 2001, 300);
	return p;
}

void must_34_sender_survives_a_shrunk_window(void **state)
{
	struct peer *p = shrunk_to_300();

	(void)state; /* the usable window is -3700 now */
	service_sends(p, 1000);
	expect_nothing(p);
	assert_int_equal(peer_info(p).snd_wnd, 300);
	says_window(p, 1, 6001, 65535); /* what was in flight had arrived nevertheless */
	hears(p, TCP_ACK, 6001, 1000, 1);
	peer_stop(p);
}

void shld_15_no_new_data_after_shrinking(void **state)
{
	struct peer *p = shrunk_to_300();

	(void)state;
	service_sends(p, 5000);
	peer_waits(p, DURATION_S(5));
	while (frames_waiting(p) > 0) /* only what is inside the window comes again */
		hears(p, TCP_ACK, 2001, 300, 1);
	assert_int_equal(peer_info(p).snd_nxt, OURS(6001));
	peer_stop(p);
}

void shld_16_data_inside_a_shrunk_window_is_resent(void **state)
{
	struct peer *p = shrunk_to_300();

	(void)state;
	peer_waits(p, DURATION_MS(250));
	hears(p, TCP_ACK, 2001, 300, 1);
	says_window(p, 1, 2301, 300);
	hears(p, TCP_ACK, 2301, 300, 1);
	peer_stop(p);
}

/* The peer acknowledges the window's edge and no more: the rest is no reason to give up, however long it lasts. */
void shld_17_data_beyond_a_shrunk_window_is_no_timeout(void **state)
{
	struct peer *p = shrunk_to_300();

	(void)state;
	says_window(p, 1, 2301, WINDOW_ZERO);
	for (int i = 0; i < 120; i++) { /* an hour */
		peer_waits(p, DURATION_S(30));
		peer_ignores_rest(p);
		says_window(p, 1, 2301, WINDOW_ZERO); /* the probes are answered */
	}
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	says_window(p, 1, 6001, 65535);
	peer_ignores_rest(p);
	assert_int_equal(peer_info(p).unacked, 0);
	peer_stop(p);
}

void must_35_window_shrunk_to_zero_is_probed(void **state)
{
	struct peer *p = opened(classic, mss_option(1000));

	(void)state;
	service_sends(p, 2000);
	hears_run(p, 2, 1, 1000);
	says_window(p, 1, 1, WINDOW_ZERO);
	peer_waits(p, DURATION_MS(250));
	hears(p, TCP_ACK, 1, 1, 1);
	says_window(p, 1, 2001, 65535);
	expect_nothing(p);
	peer_stop(p);
}

static void buffer_of_8000(struct stack_config *config)
{
	config->tcp.rcvbuf_initial_bytes = config->tcp.rcvbuf_max_bytes = 8000;
}

/* The right edge that the stack offers, from the next frame. */
static uint32_t edge_of_next(struct peer *p, uint32_t ack)
{
	hears(p, TCP_ACK, 1, 0, ack);
	return p->last.ack.v + p->last.window;
}

/* Whatever is or is not read: the edge stays or moves on. */
void shld_14_receiver_does_not_shrink_the_window(void **state)
{
	struct peer *p = opened(buffer_of_8000, mss_option(1000));
	uint32_t edge = THEIRS(1 + 8000), now, at = 1;

	(void)state;
	for (int i = 0; i < 20; i++) {
		uint32_t length = peer_info(p).rcv_wnd < 999 ? peer_info(p).rcv_wnd : 999;

		says(p, TCP_ACK, at, length, 1);
		at += length;
		peer_waits(p, DURATION_MS(100));
		while (frames_waiting(p) > 0) {
			now = edge_of_next(p, at);
			assert_true((int32_t)(now - edge) >= 0);
			edge = now;
		}
		if (i % 7 == 6) {
			service_reads(p);
			edge = edge_of_next(p, at);
		}
	}
	peer_stop_anyhow(p);
}

/* ---- 3.8.6.1: a closed window
 * -------------------------------------------------------------------------------------- */

static struct peer *closed_with_data(void)
{
	struct peer *p = opened(classic, mss_option(1000));

	says_window(p, 1, 1, WINDOW_ZERO);
	service_sends(p, 500);
	expect_nothing(p);
	return p;
}

void must_36_closed_window_is_probed(void **state)
{
	struct peer *p = closed_with_data();

	(void)state;
	peer_waits(p, DURATION_S(1));
	hears(p, TCP_ACK, 1, 1, 1); /* one octet of new data */
	peer_ignores_rest(p);
	says_window(p, 1, 2, 65535); /* taken, and the window is open */
	hears(p, TCP_ACK, 2, 499, 1);
	peer_stop(p);
}

void must_37_open_as_long_as_probes_are_answered(void **state)
{
	struct peer *p = closed_with_data();

	(void)state;
	for (int i = 0; i < 24 * 60; i++) { /* a day */
		peer_waits(p, DURATION_S(60));
		peer_ignores_rest(p);
		says_window(p, 1, 1, WINDOW_ZERO);
	}
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	says_window(p, 1, 1, 65535);
	hears(p, TCP_ACK, 1, 1, 1); /* the octet of the probes first */
	hears(p, TCP_ACK, 2, 499, 1);
	peer_stop(p);
}

void shld_29_first_probe_after_one_rto(void **state)
{
	struct peer *p = closed_with_data();

	(void)state;
	wakes_after(p, 200);
	hears(p, TCP_ACK, 1, 1, 1);
	peer_stop(p);
}

void shld_30_probe_interval_grows_exponentially(void **state)
{
	struct peer *p = closed_with_data();

	(void)state;
	for (int64_t wait = 200; wait <= 51200; wait *= 2) {
		wakes_after(p, wait);
		hears(p, TCP_ACK, 1, 1, 1);
		says_window(p, 1, 1, WINDOW_ZERO);
	}
	wakes_after(p, 60000); /* not beyond the greatest time-out */
	hears(p, TCP_ACK, 1, 1, 1);
	peer_stop(p);
}

/* A program that does not read for hours: the window stays shut, probes are answered, nothing is lost. */
void may_8_receive_window_stays_shut(void **state)
{
	struct peer *p = opened(buffer_of_8000, mss_option(1000));

	(void)state;
	for (uint32_t i = 0; i < 8; i++)
		says(p, TCP_ACK, 1 + 1000 * i, 1000, 1);
	peer_ignores_rest(p);
	for (int i = 0; i < 200; i++) {
		peer_waits(p, DURATION_S(60));
		says(p, TCP_ACK, 8001, 1, 1);
		expect(p,
		       (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = THEIRS(8001), .window = WINDOW_ZERO });
	}
	assert_int_equal(service_reads(p), 8000);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = THEIRS(8001), .window = 8000 });
	peer_stop(p);
}

/* ---- 3.8.6.2: silly windows
 * ------------------------------------------------------------------------------------------- */

/* Neither a full segment nor half of the greatest window: not worth sending, until the override's time has come. */
void must_38_sender_avoids_silly_windows(void **state)
{
	struct peer *p = opened(classic, mss_option(1000));

	(void)state;
	says_window(p, 1, 1, 4000);
	service_sends(p, 6000);
	hears_run(p, 4, 1, 1000);
	says_window(p, 1, 4001, 900);
	expect_nothing(p);
	says_window(p, 1, 4001, 1900);
	hears(p, TCP_ACK, 4001, 1000, 1); /* a full one, and not the 900 that are left */
	expect_nothing(p);
	says_window(p, 1, 5001, 900);
	expect_nothing(p);
	wakes_after(p, 200); /* section 3.8.6.2.1: 0.1 to 1 s */
	hears(p, TCP_ACK, 5001, 900, 1);
	peer_stop(p);
}

/* Half of the greatest window that was ever offered is worth it for a peer with small buffers. */
void must_38_half_a_window_is_not_silly(void **state)
{
	struct peer *p = peer_start(classic);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = THEIR_ISN, .options = mss_option(1000), .window = 800 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	says_window(p, 1, 1, 800);
	service_sends(p, 2000);
	hears(p, TCP_ACK, 1, 800, 1);
	says_window(p, 1, 801, 399);
	expect_nothing(p);
	says_window(p, 1, 801, 400);
	hears(p, TCP_ACK, 801, 400, 1);
	peer_stop(p);
}

/* The receiver opens a closed window by a segment (or half its buffer) or not at all. */
void must_39_receiver_avoids_silly_windows(void **state)
{
	struct peer *p = opened(buffer_of_8000, mss_option(1000));
	struct iovec iov[8];
	int count;

	(void)state;
	for (uint32_t i = 0; i < 8; i++)
		says(p, TCP_ACK, 1 + 1000 * i, 1000, 1);
	peer_ignores_rest(p);
	for (int i = 0; i < 9; i++) { /* 900 octets, in small bites */
		assert_true(stack_peek(p->stack, p->conn, iov, 8, &count) >= 100);
		stack_consume(p->stack, p->conn, 100);
		peer_turn(p);
		expect_nothing(p);
		says(p, TCP_ACK, 8001, 0, 1);
		expect_nothing(p);
	}
	stack_consume(p->stack, p->conn, 100);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = THEIRS(8001), .window = 1000 });
	peer_stop_anyhow(p);
}

/* ---- 3.8.6.3: delayed acknowledgements
 * ----------------------------------------------------------------------------------- */

void must_40_delay_is_below_half_a_second(void **state)
{
	struct peer *p = opened(NULL, mss_option(1000));
	struct stack_tcp_config tcp;

	(void)state;
	says(p, TCP_ACK, 1, 10, 1);
	peer_waits(p, DURATION_MS(499));
	hears(p, TCP_ACK, 1, 0, 11);
	assert_int_equal(stack_get_tcp(p->stack, p->conn, &tcp), 0);
	tcp.delayed_ack = DURATION_MS(500); /* cannot be set to more */
	assert_true(stack_set_tcp(p->stack, p->conn, &tcp) < 0);
	peer_stop(p);
}

void shld_18_acknowledgement_is_delayed(void **state)
{
	struct peer *p = opened(NULL, mss_option(1000));

	(void)state;
	says(p, TCP_ACK, 1, 10, 1);
	expect_nothing(p);
	peer_waits(p, DURATION_MS(39));
	expect_nothing(p);
	peer_waits(p, DURATION_MS(2));
	hears(p, TCP_ACK, 1, 0, 11);
	says(p, TCP_ACK, 11, 10, 1); /* and rides on data when there is some */
	service_sends(p, 5);
	hears(p, TCP_ACK, 1, 5, 21);
	peer_waits(p, DURATION_MS(100));
	expect_nothing(p);
	peer_stop(p);
}

void shld_19_every_second_full_segment_is_acknowledged(void **state)
{
	struct peer *p = opened(NULL, mss_option(1000));

	(void)state;
	for (uint32_t i = 0; i < 10; i += 2) {
		says(p, TCP_ACK, 1 + 1000 * i, 1000, 1);
		if (i > 0) /* the first shows how large full segments are */
			expect_nothing(p);
		says(p, TCP_ACK, 1001 + 1000 * i, 1000, 1);
		hears(p, TCP_ACK, 1, 0, 2001 + 1000 * i);
	}
	peer_ignores_rest(p);
	service_reads(p);
	peer_stop_anyhow(p);
}
