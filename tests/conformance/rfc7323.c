/* RFC 7323: the scale of windows, timestamps and what they protect from. */
#include "dialogue.h"

static struct tcp_options scale_option(uint8_t shift)
{
	return (struct tcp_options){ .has_wscale = true, .wscale = shift };
}

/* A segment with timestamps. */
static enum stack_verdict says_at(struct peer *p, uint8_t flags, uint32_t at, uint32_t length, uint32_t acks,
                                  uint32_t tsval)
{
	return peer_sends(p, (struct seg){ .flags = flags,
	                                   .seq = THEIRS(at),
	                                   .ack = flags & TCP_ACK ? OURS(acks) : 0,
	                                   .length = length,
	                                   .options = timestamps_option(tsval) });
}

/* ---- 2: window scaling
 * -------------------------------------------------------------------------------------------------- */

static void no_scaling(struct stack_config *config)
{
	config->tcp.window_scaling = false;
}

void rfc7323_scale_needs_both_sides(void **state)
{
	struct peer *p = opened(no_scaling, scale_option(7));

	(void)state;
	says_window(p, 1, 1, 1000);
	assert_int_equal(peer_info(p).snd_wnd, 1000);
	peer_stop(p);
	p = connected(NULL, no_options); /* we offer, the peer does not */
	assert_int_equal(p->last.window, 65535);
	assert_int_equal(peer_info(p).rcv_wscale, 0);
	peer_stop(p);
	p = connected(NULL, scale_option(7));
	assert_true(peer_info(p).rcv_wscale > 0);
	assert_int_equal(peer_info(p).snd_wscale, 7);
	peer_stop(p);
}

void rfc7323_scale_is_not_forced(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = THEIR_ISN });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	assert_false(p->last.options.has_wscale);
	peer_sends(p,
	           (struct seg){ .flags = TCP_SYN, .seq = THEIR_ISN, .options = scale_option(0), .source_port = 9 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	assert_true(p->last.options.has_wscale); /* a shift of 0 is an offer, too */
	peer_stop(p);
}

void rfc7323_syn_window_is_not_scaled(void **state)
{
	struct tcp_options options = scale_option(7);
	struct peer *p = peer_start(NULL);

	(void)state;
	sends_syn(p, options);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK,
	                        .ack = THEIRS(1),
	                        .window = 65535 }); /* of 256 KiB: all it can say */
	peer_stop(p);
	p = peer_start(NULL);
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN, .window = 65535 });
	peer_sends(p, (struct seg){ .flags = TCP_SYN | TCP_ACK,
	                            .seq = THEIR_ISN,
	                            .ack = OURS(1),
	                            .options = options,
	                            .window = 1000,
	                            .source_port = SERVICE_PORT,
	                            .destination_port = CONNECT_PORT });
	hears(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(peer_info(p).snd_wnd, 1000); /* not 128 000 */
	peer_stop(p);
}

void rfc7323_scale_on_other_segments(void **state)
{
	static const uint8_t scale[] = { 1, 3, 3, 9 };
	struct peer *p = opened(NULL, scale_option(2));

	(void)state;
	says_raw(p,
	         (struct raw){
	                 .flags = TCP_ACK, .at = 1, .acks = 1, .window = 100, .options = scale, .options_bytes = 4 });
	assert_int_equal(peer_info(p).snd_wscale, 2);
	assert_int_equal(peer_info(p).snd_wnd, 400);
	peer_stop(p);
}

static void wide_initial_window(struct stack_config *config)
{
	config->tcp.initial_window_segments = 200;
}

void rfc7323_windows_are_shifted(void **state)
{
	struct tcp_options options = scale_option(4);
	struct peer *p;

	(void)state;
	options.has_mss = true;
	options.mss = 1000;
	p = opened(wide_initial_window, options);
	says_window(p, 1, 1, 6000); /* 96 000 */
	service_sends(p, 120000);
	hears_run(p, 96, 1, 1000);
	expect_nothing(p);
	says_window(p, 1, 96001, 6000);
	peer_ignores_rest(p);
	says(p, TCP_ACK, 1, 1000, 120001); /* and ours, in units of 2^rcv_wscale */
	peer_ignores_rest(p);
	says(p, TCP_ACK, 1001, 1000, 120001);
	hears(p, TCP_ACK, 120001, 0, 2001);
	assert_int_equal((uint32_t)p->last.window << peer_info(p).rcv_wscale,
	                 peer_info(p).rcv_wnd >> peer_info(p).rcv_wscale << peer_info(p).rcv_wscale);
	assert_true((uint32_t)p->last.window << peer_info(p).rcv_wscale > 200000);
	peer_stop_anyhow(p);
}

void rfc7323_shift_is_at_most_14(void **state)
{
	struct peer *p = opened(NULL, scale_option(15));

	(void)state;
	assert_int_equal(peer_info(p).snd_wscale, 14);
	peer_stop(p);
	p = opened(NULL, scale_option(255));
	says_window(p, 1, 1, 65535);
	assert_int_equal(peer_info(p).snd_wnd, 65535u << 14);
	peer_stop(p);
}

static void tiny_buffer_great_scale(struct stack_config *config)
{
	config->tcp.rcvbuf_initial_bytes = config->tcp.rcvbuf_max_bytes = 5000;
	config->tcp.window_scale = 10;
}

/* 5000 octets offered in units of 1024: the field says 4096 at first, and the whole promise is kept. */
void rfc7323_rounding_takes_nothing_back(void **state)
{
	struct peer *p = opened(tiny_buffer_great_scale, scale_option(0));

	(void)state;
	says(p, TCP_ACK, 1, 900, 1); /* the field: 4100 >> 10 = 4, which seems to end at 4997 */
	peer_waits(p, DURATION_MS(100));
	hears(p, TCP_ACK, 1, 0, 901);
	assert_int_equal(p->last.window, 4);
	assert_int_equal(says(p, TCP_ACK, 901, 4100, 1), VERDICT_ACCEPTED); /* as the first offer had it */
	assert_int_equal(service_reads(p), 5000);
	peer_stop_anyhow(p);
}

/* ---- 3.2: the option
 * ----------------------------------------------------------------------------------------------------- */

void rfc7323_every_segment_has_timestamps(void **state)
{
	struct peer *p = opened(classic, timestamps_option(100));

	(void)state;
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	assert_true(p->last.options.has_timestamps);
	assert_int_equal(p->last.options.tsecr, 100);
	peer_waits(p, DURATION_MS(250)); /* a retransmission */
	hears(p, TCP_ACK, 1, 10, 1);
	assert_true(p->last.options.has_timestamps);
	says_at(p, TCP_ACK, 1, 10, 11, 101);
	peer_waits(p, DURATION_MS(100)); /* an ACK */
	hears(p, TCP_ACK, 11, 0, 11);
	assert_true(p->last.options.has_timestamps);
	says_at(p, TCP_SYN, 1, 0, 0, 101); /* a challenge ACK */
	hears(p, TCP_ACK, 11, 0, 11);
	assert_true(p->last.options.has_timestamps);
	service_reads(p);
	stack_close(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_turn(p); /* a FIN, and ACKs from TIME-WAIT */
	hears(p, TCP_ACK | TCP_FIN, 11, 0, 11);
	assert_true(p->last.options.has_timestamps);
	says_at(p, TCP_ACK | TCP_FIN, 11, 0, 12, 102);
	hears(p, TCP_ACK, 12, 0, 12);
	assert_true(p->last.options.has_timestamps);
	says_at(p, TCP_ACK | TCP_FIN, 11, 0, 12, 103);
	hears(p, TCP_ACK, 12, 0, 12);
	assert_true(p->last.options.has_timestamps);
	peer_stop(p);
}

void rfc7323_timestamps_not_negotiated(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	assert_int_equal(says_at(p, TCP_ACK, 1, 10, 1, 50), VERDICT_ACCEPTED);
	assert_int_equal(says_at(p, TCP_ACK, 11, 10, 1, 49), VERDICT_ACCEPTED); /* and means nothing */
	peer_waits(p, DURATION_MS(100));
	hears(p, TCP_ACK, 1, 0, 21);
	assert_false(p->last.options.has_timestamps);
	service_reads(p);
	peer_stop(p);
}

void rfc7323_segment_without_timestamps(void **state)
{
	struct peer *p = opened(NULL, timestamps_option(100));

	(void)state;
	assert_int_equal(says(p, TCP_ACK, 1, 10, 1), VERDICT_DROP_PAWS);
	assert_int_equal(says(p, TCP_ACK | TCP_FIN, 1, 0, 1), VERDICT_DROP_PAWS);
	peer_waits(p, DURATION_S(1));
	expect_nothing(p);
	assert_int_equal(service_reads(p), 0);
	peer_stop(p);
}

void rfc7323_reset_without_timestamps(void **state)
{
	struct peer *p = opened(NULL, timestamps_option(100));

	(void)state;
	assert_int_equal(says(p, TCP_RST, 1, 0, 0), VERDICT_RESET);
	peer_stop(p);
}

void rfc7323_syn_echoes_nothing(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	assert_true(p->last.options.has_timestamps);
	assert_int_equal(p->last.options.tsecr, 0);
	answers(p, TCP_SYN | TCP_ACK, 0, 0, 1, timestamps_option(77));
	hears(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(p->last.options.tsecr, 77);
	peer_stop(p);
}

void rfc7323_timestamps_are_aligned(void **state)
{
	struct peer *p = opened(NULL, timestamps_option(100));
	const uint8_t *options;

	(void)state;
	service_sends(p, 1);
	assert_int_equal(next_options(p, &options), 12);
	assert_int_equal(load32(options), 0x0101080a);
	hears(p, TCP_ACK, 1, 1, 1);
	peer_stop(p);
}

/* ---- 4.1: round trips
 * ------------------------------------------------------------------------------------------------------ */

/* The echo tells which of the transmissions arrived. */
void rfc7323_rtt_of_retransmissions(void **state)
{
	struct peer *p = opened(classic, timestamps_option(100));
	struct seg ack = { .flags = TCP_ACK, .seq = THEIRS(1), .options = timestamps_option(101) };
	uint32_t again;

	(void)state;
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	wakes_after(p, 200);
	hears(p, TCP_ACK, 1, 10, 1);
	again = p->last.options.tsval;
	peer_waits(p, DURATION_MS(80));
	ack.ack = OURS(11);
	ack.options.tsecr = again;
	peer_sends(p, ack);
	/* The first sample was 0; 80 ms weigh an eighth. */
	assert_int_equal(peer_info(p).srtt.ns / 1000000, 10);
	assert_int_equal(peer_info(p).backoff, 0);
	peer_stop(p);
}

void rfc7323_no_rtt_from_old_acks(void **state)
{
	struct peer *p = opened(classic, timestamps_option(100));
	struct seg data = { .flags = TCP_ACK, .seq = THEIRS(1), .length = 10, .options = timestamps_option(101) };
	int64_t srtt = peer_info(p).srtt.ns;

	(void)state;
	data.options.tsecr =
	        p->last.options.tsval; /* an old echo, long after: the peer had nothing to say meanwhile */
	data.ack = OURS(1);
	peer_waits(p, DURATION_S(30));
	peer_sends(p, data);
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 11);
	data.seq = THEIRS(11);
	peer_sends(p, data);
	assert_int_equal(peer_info(p).srtt.ns, srtt);
	service_reads(p);
	peer_stop_anyhow(p);
}

/* ---- 4.3: which timestamp is echoed
 * --------------------------------------------------------------------------------------- */

void rfc7323_echo_of_delayed_acks(void **state)
{
	struct peer *p = opened(NULL, timestamps_option(100));

	(void)state;
	says_at(p, TCP_ACK, 1, 10, 1, 101);
	says_at(p, TCP_ACK, 11, 10, 1, 102);
	says_at(p, TCP_ACK, 21, 10, 1, 103);
	expect_nothing(p);
	peer_waits(p, DURATION_MS(100));
	hears(p, TCP_ACK, 1, 0, 31);
	assert_int_equal(p->last.options.tsecr, 101);
	says_at(p, TCP_ACK, 31, 10, 1, 110);
	peer_waits(p, DURATION_MS(100));
	hears(p, TCP_ACK, 1, 0, 41);
	assert_int_equal(p->last.options.tsecr, 110);
	service_reads(p);
	peer_stop(p);
}

void rfc7323_echo_ahead_of_a_hole(void **state)
{
	struct peer *p = opened(NULL, timestamps_option(100));

	(void)state;
	says_at(p, TCP_ACK, 11, 10, 1, 101);
	hears(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(p->last.options.tsecr, 100);
	says_at(p, TCP_ACK, 21, 10, 1, 102);
	hears(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(p->last.options.tsecr, 100);
	peer_stop(p);
}

void rfc7323_echo_of_the_hole(void **state)
{
	struct peer *p = opened(NULL, timestamps_option(100));

	(void)state;
	says_at(p, TCP_ACK, 11, 10, 1, 102);
	hears(p, TCP_ACK, 1, 0, 1);
	says_at(p, TCP_ACK, 1, 10, 1, 101); /* sent before, arrived late: its own stamp */
	hears(p, TCP_ACK, 1, 0, 21);
	assert_int_equal(p->last.options.tsecr, 101);
	service_reads(p);
	peer_stop(p);
}

/* ---- 5: PAWS
 * ------------------------------------------------------------------------------------------------------------------
 */

void rfc7323_paws_drops_old_segments(void **state)
{
	struct peer *p = opened(NULL, timestamps_option(100));

	(void)state;
	assert_int_equal(says_at(p, TCP_ACK, 1, 10, 1, 99), VERDICT_DROP_PAWS);
	hears(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(service_reads(p), 0);
	assert_int_equal(says_at(p, TCP_ACK, 1, 10, 1, 100), VERDICT_ACCEPTED);
	assert_int_equal(service_reads(p), 10);
	peer_stop(p);
}

void rfc7323_paws_wraps(void **state)
{
	struct peer *p = opened(NULL, timestamps_option(0xfffffff0u));

	(void)state;
	assert_int_equal(says_at(p, TCP_ACK, 1, 10, 1, 5), VERDICT_ACCEPTED);
	peer_waits(p, DURATION_MS(100));
	hears(p, TCP_ACK, 1, 0, 11);
	assert_int_equal(says_at(p, TCP_ACK, 11, 10, 1, 0xfffffff8u), VERDICT_DROP_PAWS);
	hears(p, TCP_ACK, 1, 0, 11);
	assert_int_equal(service_reads(p), 10);
	peer_stop(p);
}

void rfc7323_recent_is_not_taken_from_the_future(void **state)
{
	struct peer *p = opened(NULL, timestamps_option(100));

	(void)state;
	says_at(p, TCP_ACK, 11, 10, 1, 200); /* ahead of a hole */
	hears(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(says_at(p, TCP_ACK, 1, 10, 1, 150), VERDICT_ACCEPTED);
	hears(p, TCP_ACK, 1, 0, 21);
	assert_int_equal(service_reads(p), 20);
	peer_stop(p);
}

void rfc7323_recent_needs_an_acceptable_segment(void **state)
{
	struct peer *p = opened(NULL, timestamps_option(100));

	(void)state;
	says_at(p, TCP_ACK, 0x80000000u, 10, 1, 5000);
	hears(p, TCP_ACK, 1, 0, 1);
	says_at(p, TCP_ACK, 0u - 20, 10, 1, 5000); /* all of it old */
	hears(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(p->last.options.tsecr, 100);
	assert_int_equal(says_at(p, TCP_ACK, 1, 10, 1, 101), VERDICT_ACCEPTED);
	assert_int_equal(service_reads(p), 10);
	peer_stop(p);
}

void rfc7323_paws_spares_resets(void **state)
{
	struct peer *p = opened(NULL, timestamps_option(100));

	(void)state;
	assert_int_equal(says_at(p, TCP_RST, 1, 0, 0, 1), VERDICT_RESET);
	peer_stop(p);
}

/* ---- 5.4, 5.5: the clock
 * ------------------------------------------------------------------------------------------------------ */

static uint32_t clock_of(struct peer *p, uint16_t port)
{
	uint32_t tsval;

	peer_sends(p,
	           (struct seg){ .flags = TCP_SYN, .seq = 5, .source_port = port, .options = timestamps_option(9) });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 6 });
	tsval = p->last.options.tsval;
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 6, .source_port = port });
	return tsval;
}

void rfc7323_clock_ticks_each_millisecond(void **state)
{
	struct peer *p = peer_start(NULL);
	uint32_t first = clock_of(p, 3000);

	(void)state;
	peer_waits(p, DURATION_S(10));
	assert_int_equal(clock_of(p, 3000) - first, 10000);
	peer_stop(p);
}

void rfc7323_clocks_have_offsets(void **state)
{
	struct peer *p = peer_start(NULL);
	uint32_t a = clock_of(p, 3000), b = clock_of(p, 3001), c = clock_of(p, 3002);

	(void)state;
	assert_int_not_equal(a, b);
	assert_int_not_equal(b, c);
	assert_int_not_equal(b - a, c - b);
	peer_stop(p);
}

void rfc7323_recent_ages(void **state)
{
	struct peer *p = opened(NULL, timestamps_option(100));

	(void)state;
	peer_waits(p, DURATION_S(23 * 86400));
	assert_int_equal(says_at(p, TCP_ACK, 1, 10, 1, 50), VERDICT_DROP_PAWS);
	hears(p, TCP_ACK, 1, 0, 1);
	peer_waits(p, DURATION_S(2 * 86400));
	assert_int_equal(says_at(p, TCP_ACK, 1, 10, 1, 50), VERDICT_ACCEPTED);
	assert_int_equal(service_reads(p), 10);
	peer_stop(p);
}
