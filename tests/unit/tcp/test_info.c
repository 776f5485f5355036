/* What a snapshot of a connection tells beside the variables of the protocol: what Linux's struct tcp_info does. */
#include "../../support/peer.h"

static const struct tcp_options none = { 0 };

#define TS(value, echo) ((struct tcp_options){ .has_timestamps = true, .tsval = (value), .tsecr = (echo) })

static bool about(struct duration is, int64_t ms)
{
	return is.ns >= ms * 1000000 - 70000 && is.ns <= ms * 1000000 + 70000; /* a tick */
}

static void acknowledges(struct peer *p, uint32_t up_to, uint32_t window)
{
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(up_to), .window = window });
}

/* Payload and other segments have clocks of their own. */
static void when_what_last_happened(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_conn_info info;

	(void)state;
	peer_establishes(p, none);
	assert_int_equal(peer_info(p).last_data_rcv.ns, 0);
	peer_waits(p, DURATION_S(10));
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 10 });
	peer_waits(p, DURATION_S(5));
	service_reads(p);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1011, .ack = OURS(1) });
	peer_waits(p, DURATION_S(2));
	info = peer_info(p);
	assert_in_range(p->now.ns - info.last_data_rcv.ns, 7000000000, 7001000000);
	assert_int_equal(p->now.ns - info.last_rcv.ns, 2000000000);
	peer_stop(p);
}

/* Busy from the first octet until all is acknowledged; a SYN alone is no business. */
static void busy_time(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	peer_waits(p, DURATION_S(10));
	assert_int_equal(peer_info(p).busy_time.ns, 0);
	service_sends(p, 100);
	peer_waits(p, DURATION_MS(100));
	assert_true(about(peer_info(p).busy_time, 100));
	acknowledges(p, 101, 0);
	peer_waits(p, DURATION_S(10));
	assert_true(about(peer_info(p).busy_time, 100));
	service_sends(p, 100);
	peer_waits(p, DURATION_MS(50));
	assert_true(about(peer_info(p).busy_time, 150));
	assert_int_equal(peer_info(p).rwnd_limited.ns, 0);
	assert_int_equal(peer_info(p).sndbuf_limited.ns, 0);
	peer_stop_anyhow(p);
}

static void held_up_by_the_window(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, (struct tcp_options){ .has_mss = true, .mss = 1000 });
	acknowledges(p, 1, WINDOW_ZERO);
	service_sends(p, 100);
	peer_waits(p, DURATION_MS(150));
	assert_true(about(peer_info(p).rwnd_limited, 150));
	acknowledges(p, 1, 1000); /* now it flows */
	peer_waits(p, DURATION_MS(20));
	acknowledges(p, 101, 1000);
	assert_true(about(peer_info(p).rwnd_limited, 150));
	service_sends(p, 3000); /* more than the window: what is over waits */
	peer_waits(p, DURATION_MS(30));
	acknowledges(p, 1101, 65535);
	peer_waits(p, DURATION_MS(5));
	acknowledges(p, 3101, 65535);
	assert_true(about(peer_info(p).rwnd_limited, 180));
	assert_true(peer_info(p).busy_time.ns > peer_info(p).rwnd_limited.ns);
	peer_stop_anyhow(p);
}

static void small_buffer(struct stack_config *config)
{
	config->tcp.sndbuf_autotune = false;
	config->tcp.sndbuf_initial_bytes = config->tcp.sndbuf_max_bytes = 4096;
}

static void held_up_by_the_buffer(void **state)
{
	struct peer *p = peer_start(small_buffer);
	struct iovec iov[4];
	int count;

	(void)state;
	peer_establishes(p, none);
	service_sends(p, 4096);
	assert_int_equal(stack_space(p->stack, p->conn, 1000, iov, 4, &count), 0);
	peer_turn(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) }); /* a look at it */
	peer_waits(p, DURATION_MS(40));
	assert_true(about(peer_info(p).sndbuf_limited, 40));
	acknowledges(p, 4097, 0);
	peer_waits(p, DURATION_MS(40));
	assert_true(about(peer_info(p).sndbuf_limited, 40));
	assert_int_equal(peer_info(p).rwnd_limited.ns, 0);
	peer_stop_anyhow(p);
}

static void acks_at_once(struct stack_config *config)
{
	config->tcp.delayed_ack = (struct duration){ 0 };
}

/* By the echo of our timestamps, though we send nothing that would be acknowledged. */
static void round_trip_of_a_receiver(void **state)
{
	struct peer *p = peer_start(acks_at_once);
	uint32_t seq = 1001, value = 1;

	(void)state;
	peer_establishes(p, TS(value, 0));
	assert_int_equal(peer_info(p).rcv_rtt.ns, 0);
	for (int i = 0; i < 20; i++) {
		uint32_t echo = i ? p->last.options.tsval : 0;

		if (i == 15) /* what was never sent: no measurement */
			echo -= 100000;
		peer_sends(p, (struct seg){ .flags = TCP_ACK,
		                            .seq = seq,
		                            .ack = OURS(1),
		                            .length = 3000,
		                            .options = TS(++value, echo) });
		expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = seq + 3000 });
		if (i > 0)
			assert_in_range(peer_info(p).rcv_rtt.ns, 29000000, 100000000);
		seq += service_reads(p);
		peer_waits(p, DURATION_MS(i == 5 ? 500 : 30)); /* once it had nothing to send */
	}
	assert_in_range(peer_info(p).rcv_rtt.ns, 29000000, 31000000);
	peer_stop(p);
}

static void order_and_sizes(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_conn_info info;

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 2001, .ack = OURS(1), .length = 1200 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 5001, .ack = OURS(1), .length = 100 });
	info = peer_info(p);
	assert_int_equal(info.rcv_ooopack, 2);
	assert_int_equal(info.rcv_holes, 2);
	assert_int_equal(info.rcv_mss, 1200);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 1000 });
	info = peer_info(p);
	assert_int_equal(info.rcv_ooopack, 2);
	assert_int_equal(info.rcv_holes, 1);
	assert_int_equal(info.ato.ns, DURATION_MS(40).ns);
	peer_stop_anyhow(p);
}

static void keepalive(struct stack_config *config)
{
	config->tcp.keepalive = true;
	config->tcp.keepalive_idle = DURATION_S(100);
	config->tcp.keepalive_interval = DURATION_S(10);
	config->tcp.user_timeout = DURATION_S(30);
	config->tcp.pacing_max_bytes_per_s = 1000000;
	config->tcp.dscp = 10;
}

static void patience(void **state)
{
	struct peer *p = peer_start(keepalive);

	(void)state;
	peer_establishes(p, none);
	assert_int_equal(peer_info(p).user_timeout.ns, DURATION_S(30).ns);
	assert_int_equal(peer_info(p).max_pacing_rate, 1000000);
	assert_int_equal(peer_info(p).dscp, 10);
	peer_waits(p, DURATION_S(40));
	assert_int_equal(peer_info(p).keepalive_left.ns, DURATION_S(60).ns);
	assert_int_equal(peer_info(p).probes, 0);
	peer_waits(p, DURATION_S(65));
	assert_int_equal(peer_info(p).probes, 1);
	assert_true(about(peer_info(p).keepalive_left, 5000));
	peer_ignores_rest(p);
	service_sends(p, 10); /* nothing is idle now */
	assert_int_equal(peer_info(p).keepalive_left.ns, 0);
	peer_stop_anyhow(p);
}

/* Also without ECN; and how long RACK waits for what may only be late. */
static void delivered_and_late(void **state)
{
	static const struct tcp_options sack = { .has_mss = true, .mss = 1000, .sack_permitted = true };
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .options = sack });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .seq = OURS(0), .ack = 1001 });
	peer_waits(p, DURATION_MS(80)); /* the least round trip */
	acknowledges(p, 1, 0);
	assert_int_equal(peer_info(p).delivered, 0); /* no SYN among them */
	assert_int_equal(peer_info(p).reo_wnd.ns, DURATION_MS(20).ns);
	service_sends(p, 4500);
	peer_waits(p, DURATION_MS(80));
	acknowledges(p, 2001, 0);
	assert_int_equal(peer_info(p).delivered, 2);
	peer_sends(p,
	           (struct seg){ .flags = TCP_ACK,
	                         .seq = 1001,
	                         .ack = OURS(2001),
	                         .options = { .sack_count = 1, .sack = { { SEQ(OURS(3001)), SEQ(OURS(4001)) } } } });
	assert_int_equal(peer_info(p).delivered, 3); /* by SACK, too, and once */
	acknowledges(p, 4501, 0);
	assert_int_equal(peer_info(p).delivered, 5);
	assert_int_equal(peer_info(p).delivered_ce, 0);
	peer_stop_anyhow(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_what_last_happened),
		cmocka_unit_test(busy_time),
		cmocka_unit_test(held_up_by_the_window),
		cmocka_unit_test(held_up_by_the_buffer),
		cmocka_unit_test(round_trip_of_a_receiver),
		cmocka_unit_test(order_and_sizes),
		cmocka_unit_test(patience),
		cmocka_unit_test(delivered_and_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
