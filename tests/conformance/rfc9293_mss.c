/* RFC 9293 section 3.7: segment sizes and Nagle's algorithm. */
#include "dialogue.h"

/* The SYN-ACK to a SYN with these options. */
static struct tcp_options answer_to(void (*tweak)(struct stack_config *config), struct tcp_options options)
{
	struct peer *p = peer_start(tweak);
	struct tcp_options answer;

	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = THEIR_ISN, .options = options });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	answer = p->last.options;
	peer_stop(p);
	return answer;
}

/* The payload of a full segment to a peer that sent a SYN with these options. */
static uint32_t full_segment(void (*tweak)(struct stack_config *config), struct tcp_options options)
{
	struct peer *p = opened(tweak, options);
	uint32_t length;

	service_sends(p, 20000);
	assert_true(frames_waiting(p) > 0);
	length = p->frame[p->frame_first].length - p->frame[p->frame_first].header_bytes;
	peer_stop_anyhow(p);
	return length;
}

static void mtu_1400(struct stack_config *config)
{
	config->mtu_bytes = 1400;
}

/* The least that is of any use; over IPv6 the harness adds the 20 octets that its header is longer. */
static void least_mtu(struct stack_config *config)
{
	config->mtu_bytes = peer_is_ipv6() ? 1260 : 576;
}

static void mtu_9000(struct stack_config *config)
{
	config->mtu_bytes = 9000;
}

void must_14_mss_is_sent_and_read(void **state)
{
	struct peer *p;

	(void)state;
	assert_true(answer_to(NULL, no_options).has_mss);
	assert_int_equal(full_segment(NULL, mss_option(700)), 700);
	p = peer_start(NULL);
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	assert_true(p->last.options.has_mss);
	answers(p, TCP_SYN | TCP_ACK, 0, 0, 1, mss_option(700));
	hears(p, TCP_ACK, 1, 0, 1);
	service_sends(p, 1400);
	hears_run(p, 2, 1, 700);
	peer_stop(p);
}

void must_15_without_mss_536(void **state)
{
	struct peer *p;

	(void)state;
	assert_int_equal(full_segment(NULL, no_options), 536);
	p = connected(NULL, no_options);
	service_sends(p, 1072);
	hears_run(p, 2, 1, 536);
	peer_stop(p);
}

void must_15_without_mss_1220_over_ipv6(void **state)
{
	const struct seg syn = { .flags = TCP_SYN, .seq = THEIR_ISN, .exact_options = true };
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_sends(p, syn);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	says(p, TCP_ACK, 1, 0, 1);
	service_sends(p, 2440);
	hears_run(p, 2, 1, 1220);
	peer_stop(p);
	p = peer_start(NULL);
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	peer_sends(p, (struct seg){ .flags = TCP_SYN | TCP_ACK,
	                            .seq = THEIR_ISN,
	                            .ack = OURS(1),
	                            .exact_options = true,
	                            .source_port = SERVICE_PORT,
	                            .destination_port = CONNECT_PORT });
	hears(p, TCP_ACK, 1, 0, 1);
	service_sends(p, 1220);
	hears(p, TCP_ACK, 1, 1220, 1);
	peer_stop(p);
}

/* min(what the peer takes, what the path takes) less the options that are sent along. */
void must_16_effective_segment_size(void **state)
{
	struct tcp_options options = timestamps_option(5);

	(void)state;
	assert_int_equal(full_segment(NULL, mss_option(1460)), 1460);
	assert_int_equal(full_segment(NULL, mss_option(9000)), 1460);
	assert_int_equal(full_segment(mtu_1400, mss_option(1460)), 1360);
	assert_int_equal(full_segment(mtu_9000, mss_option(1460)), 1460);
	assert_int_equal(full_segment(mtu_9000, mss_option(8960)), 8960);
	options.has_mss = true;
	options.mss = 1460;
	assert_int_equal(full_segment(NULL, options), 1448);
	options.mss = 1000;
	assert_int_equal(full_segment(NULL, options), 988);
}

void must_67_mss_offered_fits_what_is_received(void **state)
{
	(void)state;
	assert_int_equal(answer_to(NULL, no_options).mss, 1460);
	assert_int_equal(answer_to(mtu_1400, no_options).mss, 1360);
	/* The offer counts neither options nor what the peer offers. */
	assert_int_equal(answer_to(mtu_9000, timestamps_option(5)).mss, 8960);
	assert_int_equal(answer_to(NULL, mss_option(500)).mss, 1460);
}

void shld_5_mss_is_sent_when_not_the_default(void **state)
{
	struct peer *p = peer_start(mtu_1400);

	(void)state;
	assert_int_equal(answer_to(mtu_1400, mss_option(536)).mss, 1360);
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	assert_int_equal(p->last.options.mss, 1360);
	answers(p, TCP_SYN, 0, 0, 0, no_options); /* also in the SYN-ACK of a simultaneous open */
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .seq = OURS(0), .ack = THEIRS(1) });
	assert_int_equal(p->last.options.mss, 1360);
	peer_stop(p);
}

void may_3_mss_is_always_sent(void **state)
{
	struct tcp_options answer = answer_to(least_mtu, no_options);

	(void)state;
	assert_true(answer.has_mss);
	assert_int_equal(answer.mss, peer_is_ipv6() ? 1220 : 536); /* the default, and sent nevertheless */
}

/* ---- 3.7.4: Nagle
 * ------------------------------------------------------------------------------------------------------- */

void shld_7_small_segments_wait_for_the_acknowledgement(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	service_sends(p, 10);
	service_sends(p, 10);
	expect_nothing(p);
	says(p, TCP_ACK, 1, 0, 11);
	hears(p, TCP_ACK, 11, 20, 1); /* together */
	service_sends(p, 536 + 5);
	hears(p, TCP_ACK, 31, 536, 1); /* a full one does not wait */
	expect_nothing(p);
	peer_stop(p);
}

void must_17_nagle_can_be_turned_off(void **state)
{
	struct stack_listen_options listen = { .port = 99, .backlog = 4, .nodelay = true };
	const struct seg to = { .source_port = PEER_PORT, .destination_port = 99, .seq = 1000 };
	struct peer *p = peer_start(NULL);
	struct seg seg = to;

	(void)state;
	assert_int_equal(stack_listen(p->stack, &listen, &p->listener), 0);
	seg.flags = TCP_SYN;
	peer_sends(p, seg);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	seg.flags = TCP_ACK;
	seg.seq = 1001;
	seg.ack = OURS(1);
	peer_sends(p, seg);
	for (uint32_t i = 0; i < 3; i++) {
		service_sends(p, 10);
		expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1 + 10 * i), .ack = 1001, .length = 10 });
	}
	peer_stop(p);
}
