/* RFC 9293 sections 3.1 to 3.4: the header, its options, and initial sequence numbers. */
#include "dialogue.h"

/* ---- 3.1: the window and the checksum ----------------------------------------------------------------------------
 */

static void wide_initial_window(struct stack_config *config)
{
	config->tcp.initial_window_segments = 100;
}

/* 40 000 has its highest bit set: read as signed it would be less than nothing, or without end. */
void must_1_window_is_unsigned(void **state)
{
	struct peer *p = opened(wide_initial_window, no_options);

	(void)state;
	says_window(p, 1, 1, 40000);
	assert_int_equal(peer_info(p).snd_wnd, 40000);
	service_sends(p, 60000);
	hears_run(p, 74, 1, 536);
	expect_nothing(p); /* 336 octets are left of 40 000: not worth a segment */
	peer_stop(p);
}

void must_2_checksum_is_filled_in(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state; /* expect verifies the checksum of each */
	service_sends(p, 1);
	hears(p, TCP_ACK, 1, 1, 1);
	service_sends(p, 535);
	says(p, TCP_ACK, 1, 0, 2);
	hears(p, TCP_ACK, 2, 535, 1);
	says(p, TCP_ACK | TCP_FIN, 1, 0, 537);
	hears(p, TCP_ACK, 537, 0, 2);
	stack_abort(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_turn(p);
	hears(p, TCP_RST | TCP_ACK, 537, 0, 2);
	says(p, TCP_ACK, 700, 0, 1); /* and outside any connection */
	expect(p, (struct seg){ .flags = TCP_RST, .seq = OURS(1) });
	peer_stop(p);
}

void must_3_wrong_checksum_is_dropped_silently(void **state)
{
	struct seg syn = { .flags = TCP_SYN, .seq = THEIR_ISN, .bad_checksum = true };
	struct peer *p = peer_start(NULL);
	struct seg bad = { .seq = THEIRS(1), .bad_checksum = true };

	(void)state;
	assert_int_equal(peer_sends(p, syn), VERDICT_DROP_CHECKSUM);
	expect_nothing(p);
	opens(p, no_options);
	bad.flags = TCP_ACK;
	bad.ack = OURS(1);
	bad.length = 100;
	assert_int_equal(peer_sends(p, bad), VERDICT_DROP_CHECKSUM);
	bad.length = 0;
	bad.flags = TCP_RST;
	assert_int_equal(peer_sends(p, bad), VERDICT_DROP_CHECKSUM);
	peer_waits(p, DURATION_S(1));
	expect_nothing(p);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	assert_int_equal(peer_info(p).rcv_nxt, THEIRS(1));
	peer_stop(p);
}

/* ---- 3.1: options
 * -------------------------------------------------------------------------------------------------- */

/* A SYN with these options; the handshake is completed, and 2000 octets show which MSS was understood. */
static void mss_understood(const uint8_t *options, size_t bytes, uint32_t mss)
{
	struct peer *p = peer_start(NULL);

	says_raw(p, (struct raw){ .flags = TCP_SYN, .options = options, .options_bytes = bytes });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	says(p, TCP_ACK, 1, 0, 1);
	service_sends(p, 2000);
	hears_run(p, 2000 / mss, 1, mss);
	hears(p, TCP_ACK, 1 + 2000 / mss * mss, 2000 % mss, 1);
	expect_nothing(p);
	peer_stop(p);
}

/* MUST-15. */
static uint32_t default_mss(void)
{
	return peer_is_ipv6() ? 1220 : 536;
}

void must_4_end_no_operation_and_mss_are_known(void **state)
{
	static const uint8_t options[] = { 1, 1, 2, 4, 700 >> 8, 700 & 255, 1, 0 };
	static const uint8_t ended[] = { 1, 0, 2, 4, 700 >> 8, 700 & 255, 0, 0 }; /* nothing counts after the end */

	(void)state;
	mss_understood(options, sizeof(options), 700);
	mss_understood(ended, sizeof(ended), default_mss());
}

void must_5_options_are_taken_on_any_segment(void **state)
{
	static const uint8_t unknown[] = { 1, 250, 3, 7 };
	struct peer *p = opened(NULL, no_options);
	struct raw raw = { .flags = TCP_ACK, .at = 1, .acks = 1, .options = unknown, .options_bytes = 4 };

	(void)state;
	raw.length = 10;
	assert_int_equal(says_raw(p, raw), VERDICT_ACCEPTED);
	assert_int_equal(service_reads(p), 10);
	raw.at = 11;
	raw.length = 0;
	raw.flags = TCP_ACK | TCP_FIN;
	assert_int_equal(says_raw(p, raw), VERDICT_ACCEPTED);
	hears(p, TCP_ACK, 1, 0, 12);
	raw.at = 12;
	raw.flags = TCP_RST;
	assert_int_equal(says_raw(p, raw), VERDICT_RESET);
	peer_stop(p);
}

void must_6_unknown_options_are_skipped_by_length(void **state)
{
	/* What lies inside the unknown option looks like an MSS of 300. */
	static const uint8_t options[] = { 250, 7, 2, 4, 300 >> 8, 300 & 255, 0, 2, 4, 700 >> 8, 700 & 255, 0 };

	(void)state;
	mss_understood(options, sizeof(options), 700);
}

void must_7_illegal_option_lengths_do_no_harm(void **state)
{
	static const uint8_t illegal[][4] = {
		{ 250, 0, 1, 1 }, { 250, 1, 1, 1 }, { 250, 40, 1, 1 }, { 2, 0, 2, 4 },   { 2, 1, 1, 1 },
		{ 2, 255, 1, 1 }, { 8, 10, 1, 1 },  { 5, 34, 1, 1 },   { 3, 2, 14, 14 }, { 1, 1, 1, 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(illegal) / sizeof(illegal[0]); i++) {
		struct peer *p;
		struct raw data = { .flags = TCP_ACK, .at = 1, .acks = 1, .length = 5 };

		mss_understood(illegal[i], 4, default_mss());
		p = opened(NULL, no_options);
		data.options = illegal[i];
		data.options_bytes = 4;
		data.acks = 1;
		assert_int_equal(says_raw(p, data), VERDICT_ACCEPTED);
		assert_int_equal(service_reads(p), 5);
		peer_stop(p);
	}
}

void must_64_options_need_no_alignment(void **state)
{
	static const uint8_t options[] = { 1, 2, 4, 700 >> 8, 700 & 255, 3, 3, 2 };
	struct peer *p = peer_start(NULL);

	(void)state;
	mss_understood(options, sizeof(options), 700);
	says_raw(p, (struct raw){ .flags = TCP_SYN, .options = options, .options_bytes = sizeof(options) });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	says(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(peer_info(p).snd_wscale, 2);
	peer_stop(p);
}

void must_65_mss_counts_and_is_sent_on_syn_only(void **state)
{
	static const uint8_t options[] = { 2, 4, 100 >> 8, 100 & 255 };
	struct peer *p = opened(NULL, mss_option(1000));
	const uint8_t *sent;

	(void)state;
	assert_true(p->last.options.has_mss); /* of the SYN-ACK */
	says_raw(p,
	         (struct raw){
	                 .flags = TCP_ACK, .at = 1, .acks = 1, .length = 5, .options = options, .options_bytes = 4 });
	service_sends(p, 2000);
	assert_int_equal(next_options(p, &sent), 0);
	hears(p, TCP_ACK, 1, 1000, 6);
	assert_int_equal(next_options(p, &sent), 0);
	hears(p, TCP_ACK, 1001, 1000, 6);
	peer_stop(p);
}

/* Walks the options of the next frame as any receiver may: by their lengths. Returns how many there are. */
static int walk_options(struct peer *p, bool *ret_ended)
{
	const uint8_t *at;
	size_t left = next_options(p, &at);
	int count = 0;

	*ret_ended = false;
	while (left > 0) {
		size_t length = 1;

		if (*at == 0) {
			*ret_ended = true;
			for (; left > 0; at++, left--)
				assert_int_equal(*at, 0);
			return count;
		}
		if (*at != 1) {
			assert_true(left >= 2);
			length = at[1];
			count++;
		}
		assert_in_range(length, 1, left);
		at += length;
		left -= length;
	}
	return count;
}

static struct tcp_options all_options(void)
{
	return (struct tcp_options){ .has_mss = true,
		                     .mss = 1460,
		                     .sack_permitted = true,
		                     .has_wscale = true,
		                     .wscale = 7,
		                     .has_timestamps = true,
		                     .tsval = 5 };
}

void must_68_options_sent_carry_their_length(void **state)
{
	struct peer *p = peer_start(NULL);
	bool ended;

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = THEIR_ISN, .options = all_options() });
	assert_true(walk_options(p, &ended) >= 4); /* MSS, SACK permitted, timestamps, window scale */
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	peer_stop(p);
}

/* What follows an end-of-options option must be zero; NOPs in front make it needless. */
void must_69_padding_after_the_end_is_zero(void **state)
{
	struct tcp_options options = all_options();
	struct peer *p = peer_start(NULL);
	bool ended;

	(void)state;
	for (int i = 0; i < 16; i++) {
		options.has_mss = i & 1;
		options.sack_permitted = i & 2;
		options.has_wscale = i & 4;
		options.has_timestamps = i & 8;
		peer_sends(p, (struct seg){ .flags = TCP_SYN,
		                            .seq = THEIR_ISN,
		                            .options = options,
		                            .source_port = (uint16_t)(3000 + i) });
		walk_options(p, &ended);
		expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	}
	peer_stop(p);
}

void rec_1_windows_have_32_bits(void **state)
{
	struct tcp_options options = { .has_wscale = true, .wscale = 14 };
	struct peer *p = opened(NULL, options);

	(void)state;
	says_window(p, 1, 1, 65535);
	assert_int_equal(peer_info(p).snd_wnd, 65535u << 14);
	assert_true(peer_info(p).rcv_wnd >= 65535);
	peer_stop(p);
}

/* ---- 3.4: reset and urgent with a closed window -------------------------------------------------------------------
 */

static void small_receive_buffer(struct stack_config *config)
{
	config->tcp.rcvbuf_initial_bytes = config->tcp.rcvbuf_max_bytes = 4096;
}

static struct peer *with_closed_window(void)
{
	struct peer *p = opened(small_receive_buffer, mss_option(1460));

	says(p, TCP_ACK, 1, 1460, 1);
	says(p, TCP_ACK, 1461, 1460, 1);
	says(p, TCP_ACK, 2921, 1176, 1);
	peer_ignores_rest(p);
	peer_waits(p, DURATION_MS(500));
	peer_ignores_rest(p);
	assert_int_equal(peer_info(p).rcv_wnd, 0);
	return p;
}

void must_66_urgent_pointer_is_processed_with_a_closed_window(void **state)
{
	struct peer *p = with_closed_window();

	(void)state;
	p->ready_flags = 0;
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_URG, .seq = THEIRS(4097), .ack = OURS(1), .urgent = 100 });
	assert_true(p->ready_flags & READY_URGENT);
	assert_int_equal(stack_urgent(p->stack, p->conn), 4096 + 100);
	peer_ignores_rest(p);
	peer_stop(p);
}

/* Also when it brings text that cannot be taken; and the ACK of such a segment counts. */
void must_66_reset_is_processed_with_a_closed_window(void **state)
{
	struct peer *p = with_closed_window();

	(void)state;
	assert_int_equal(says(p, TCP_RST, 4097, 0, 0), VERDICT_RESET);
	peer_stop(p);
	p = with_closed_window();
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 4097);
	says(p, TCP_ACK, 4097, 100, 11);
	hears(p, TCP_ACK, 11, 0, 4097);
	assert_int_equal(peer_info(p).unacked, 0);
	assert_int_equal(says(p, TCP_RST, 4097, 10, 0), VERDICT_RESET);
	assert_true(p->ready_flags & READY_ERROR);
	assert_int_equal(p->ready.cause, CAUSE_RECEIVED_RST);
	peer_stop(p);
}

/* ---- 3.4.1: initial sequence numbers
 * ------------------------------------------------------------------------------- */

/* The ISN that a SYN from this port is answered with, now. */
static uint32_t isn_for(struct peer *p, uint16_t port)
{
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = THEIR_ISN, .source_port = port });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = THEIRS(1), .source_port = port });
	return p->iss;
}

void must_8_isn_has_a_clock(void **state)
{
	struct peer *p = peer_start(NULL);
	uint32_t first = isn_for(p, 3000);

	(void)state;
	peer_waits(p, DURATION_S(1));
	assert_int_equal(isn_for(p, 3000) - first, 250000); /* 4 microseconds a step */
	peer_waits(p, DURATION_US(4));
	assert_int_equal(isn_for(p, 3000) - first, 250001);
	peer_stop(p);
}

static void other_secret(struct stack_config *config)
{
	memset(config->secret, 8, sizeof(config->secret));
}

/* Two stacks that differ in their secret only have nothing in common at the same time. */
void must_9_isn_depends_on_a_secret(void **state)
{
	struct peer *one = peer_start(NULL), *other = peer_start(other_secret);
	uint32_t distance = isn_for(one, 3000) - isn_for(other, 3000);

	(void)state;
	assert_int_not_equal(distance, 0);
	assert_int_not_equal(isn_for(one, 3001) - isn_for(other, 3001), distance);
	peer_stop(one);
	peer_stop(other);
}

/* ISN = clock + F(four-tuple, secret): each flow has an offset of its own, and the clock in common. */
void shld_1_isn_is_clock_plus_keyed_hash(void **state)
{
	struct peer *p = peer_start(NULL);
	uint32_t a = isn_for(p, 3000), b = isn_for(p, 3001), c = isn_for(p, 3002);

	(void)state;
	assert_int_not_equal(a, b);
	assert_int_not_equal(b - a, c - b);
	peer_waits(p, DURATION_S(10));
	assert_int_equal(isn_for(p, 3000) - a, 2500000);
	assert_int_equal(isn_for(p, 3001) - b, 2500000);
	peer_stop(p);
}
