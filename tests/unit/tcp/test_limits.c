/* What runs out: room for frames, memory for a first send, patience with a peer that shreds the scoreboard. */
#include "../../support/peer.h"
#include "core/wire/arp.h"
#include "core/wire/bytes.h"
#include "core/wire/ethernet.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"

#define STRANGER_IP ip_addr_v4(0xc000024d) /* on the link, not resolved yet */
#define ECHO_BYTES 400
#define HEADERS (ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES + ICMP_HEADER_BYTES)
#define RAW_QUEUE_FRAMES 1024 /* of the stack */

static const struct mac_addr stack_mac = { { 2, 0, 0, 0, 0, 2 } };
static const struct mac_addr stranger_mac = { { 2, 0, 0, 0, 0, 0x4d } };

static uint64_t buffer_bytes(struct peer *p)
{
	struct stack_gauges gauges;

	stack_get_gauges(p->stack, &gauges);
	return gauges.buffer_bytes;
}

/* ---- frames outside connections -------------------------------------------------------------------------------- */

/* An echo request too large to be answered within a queue entry: the answer takes a block. */
static enum stack_verdict puts_echo_request(struct peer *p, struct ip_addr from)
{
	uint8_t frame[HEADERS + ECHO_BYTES], data[ECHO_BYTES];
	struct ethernet_header ethernet = { .destination = stack_mac,
		                            .source = stranger_mac,
		                            .type = ETHERTYPE_IPV4 };
	struct ip_packet ip = { .source = from,
		                .destination = STACK_IP,
		                .ttl = 64,
		                .protocol = IP_PROTOCOL_ICMP,
		                .payload_bytes = ICMP_HEADER_BYTES + ECHO_BYTES };
	struct icmp_message message = { .type = ICMP_ECHO, .id = 7, .payload = data, .payload_bytes = ECHO_BYTES };

	for (uint32_t i = 0; i < ECHO_BYTES; i++)
		data[i] = peer_pattern(i);
	ethernet_write(frame, &ethernet);
	ipv4_write(frame + ETHERNET_HEADER_BYTES, &ip);
	icmp_write(frame + ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES, &message);
	return peer_puts_frame(p, frame, sizeof(frame));
}

static void expect_echo_reply(struct peer *p)
{
	struct peer_frame *frame = &p->frame[p->frame_first++];
	struct icmp_message message;
	struct ip_packet ip;

	assert_true(p->frame_first <= p->frame_count);
	assert_memory_equal(frame->bytes, &stranger_mac, sizeof(stranger_mac));
	assert_int_equal(ipv4_read(frame->bytes + ETHERNET_HEADER_BYTES, frame->length - ETHERNET_HEADER_BYTES, &ip),
	                 0);
	assert_int_equal(icmp_read(ip.payload, ip.payload_bytes, &message), 0);
	assert_int_equal(message.type, ICMP_ECHO_REPLY);
	assert_int_equal(message.payload_bytes, ECHO_BYTES);
	for (uint32_t i = 0; i < ECHO_BYTES; i++)
		assert_int_equal(message.payload[i], peer_pattern(i));
	free(frame->bytes);
}

static void stranger_answers_arp(struct peer *p)
{
	uint8_t frame[ETHERNET_HEADER_BYTES + ARP_BYTES];
	struct ethernet_header ethernet = { .destination = stack_mac, .source = stranger_mac, .type = ETHERTYPE_ARP };
	struct arp_packet arp = { .operation = ARP_REPLY,
		                  .sender_mac = stranger_mac,
		                  .sender_ip = STRANGER_IP,
		                  .target_mac = stack_mac,
		                  .target_ip = STACK_IP };

	ethernet_write(frame, &ethernet);
	arp_write(frame + ETHERNET_HEADER_BYTES, &arp);
	assert_int_equal(peer_sends_frame(p, frame, sizeof(frame)), VERDICT_ACCEPTED);
}

/* The queue is full, and its first frame has to wait for its neighbour: the question for it finds no free entry, and
 * must not take that of the frame. */
static struct peer *full_queue_with_an_unresolved_frame(void)
{
	struct peer *p = peer_start(NULL);

	p->answers_arp = false;
	assert_int_equal(puts_echo_request(p, STRANGER_IP), VERDICT_ACCEPTED);
	for (int i = 1; i < RAW_QUEUE_FRAMES + 10; i++)
		peer_puts(p, (struct seg){ .flags = TCP_ACK, .seq = 1, .ack = 1, .destination_port = 99 });
	peer_turn(p);
	assert_int_equal(p->frame_count, RAW_QUEUE_FRAMES - 1);
	for (int i = 1; i < RAW_QUEUE_FRAMES; i++)
		expect(p, (struct seg){ .flags = TCP_RST, .seq = 1 });
	peer_ignores_rest(p);
	assert_true(buffer_bytes(p) > 0);
	return p;
}

static void full_queue_leaves_a_waiting_frame_alone(void **state)
{
	struct peer *p;

	(void)state;
	PEER_IPV4_ONLY();
	p = full_queue_with_an_unresolved_frame();
	stranger_answers_arp(p);
	expect_echo_reply(p);
	expect_nothing(p);
	peer_turn(p); /* what was handed out comes back at the next call */
	assert_int_equal(buffer_bytes(p), 0);
	peer_stop(p);
}

static void full_queue_leaks_no_block(void **state)
{
	struct peer *p;

	(void)state;
	PEER_IPV4_ONLY();
	p = full_queue_with_an_unresolved_frame();
	peer_waits(p, DURATION_S(10)); /* nobody answers */
	assert_int_equal(buffer_bytes(p), 0);
	peer_stop_anyhow(p);
}

/* Whoever asks for echoes gets no more of the connections' memory than a fixed share. */
static void echoes_take_a_share_of_the_blocks(void **state)
{
	struct peer *p;

	(void)state;
	PEER_IPV4_ONLY();
	p = peer_start(NULL);
	for (int i = 0; i < 600; i++)
		puts_echo_request(p, PEER_IP);
	assert_in_range(buffer_bytes(p), 1, 256 * 16384);
	peer_turn(p);
	assert_int_equal(p->frame_count, 256);
	peer_ignores_rest(p);
	peer_turn(p);
	assert_int_equal(buffer_bytes(p), 0);
	peer_stop(p);
}

/* ---- the scoreboard -------------------------------------------------------------------------------------------- */

static void with_offload(struct stack_config *config)
{
	config->checksum_offload = true;
	config->gso_bytes_max = 65000;
}

static void sacks(struct peer *p, uint32_t start, uint32_t end)
{
	struct tcp_options options = { .sack_count = 1 };

	options.sack[0] = (struct tcp_sack_block){ SEQ(OURS(start)), SEQ(OURS(end)) };
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .options = options });
	peer_ignores_rest(p);
}

static uint64_t memory_bytes(struct peer *p)
{
	struct stack_gauges gauges;

	stack_get_gauges(p->stack, &gauges);
	return gauges.memory_bytes;
}

/* A peer that reports every second octet cuts the list of what is in flight into no more pieces than honest segments
 * would; while reports along the segments of a super-frame count. */
static void sack_crumbs_shred_nothing(void **state)
{
	const struct tcp_options sacking = { .has_mss = true, .mss = 1000, .sack_permitted = true };
	struct peer *p = peer_start(with_offload);
	uint64_t before;

	(void)state;
	peer_establishes(p, sacking);
	service_sends(p, 10000);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 10000 });
	sacks(p, 9001, 10001);
	assert_int_equal(peer_info(p).sacked, 1000);
	before = memory_bytes(p);
	for (uint32_t at = 2; at < 9000; at += 2)
		sacks(p, at, at + 1);
	assert_int_equal(memory_bytes(p), before);
	peer_stop_anyhow(p);
}

/* ---- challenges ------------------------------------------------------------------------------------------------ */

static void ten_challenges(struct stack_config *config)
{
	config->tcp.challenge_acks_per_s = 10;
}

static void thousand_challenges(struct stack_config *config)
{
	config->tcp.challenge_acks_per_s = 1000;
}

/* How many challenge ACKs 600 blind SYNs draw from a connection within a second. */
static uint64_t challenges(void (*tweak)(struct stack_config *))
{
	struct peer *p = peer_start(tweak);
	uint64_t count;

	peer_establishes(p, (struct tcp_options){ 0 });
	for (int i = 0; i < 600; i++) {
		peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5 });
		peer_ignores_rest(p);
	}
	count = stack_get_counters(p->stack)->challenge_acks;
	peer_waits(p, DURATION_S(1));
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5 }), VERDICT_CHALLENGE_ACK);
	peer_stop_anyhow(p);
	return count;
}

/* RFC 5961 section 7, also with a limit beyond what the counter holds. */
static void challenges_are_limited(void **state)
{
	(void)state;
	assert_int_equal(challenges(ten_challenges), 10);
	assert_int_equal(challenges(thousand_challenges), 255);
}

/* ---- memory ---------------------------------------------------------------------------------------------------- */

static void impatient(struct stack_config *config)
{
	config->tcp.retransmit_timeout = DURATION_S(10);
}

/* After long silence memory is out just when something is to be sent: the silence is no reason to give up. */
static void no_memory_for_the_first_send_after_idle(void **state)
{
	struct peer *p = peer_start(impatient);
	uint8_t bytes[10];

	(void)state;
	peer_establishes(p, (struct tcp_options){ 0 });
	peer_waits(p, DURATION_S(20));
	expect_nothing(p);
	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = peer_pattern(1 + i);
	assert_int_equal(stack_send(p->stack, p->conn, bytes, sizeof(bytes)), sizeof(bytes));
	test_memory_fail_after(&p->memory, 0); /* none for the scoreboard */
	peer_turn(p);
	expect_nothing(p);
	peer_waits(p, DURATION_S(3));
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	expect_nothing(p);
	test_memory_fail_never(&p->memory);
	peer_waits(p, DURATION_S(1));
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 10 });
	peer_stop_anyhow(p);
}

/* What is to be sent needs memory, what is to be acknowledged does not wait for it. */
static void ack_without_memory(void **state)
{
	struct peer *p = peer_start(impatient);
	uint8_t bytes[10] = { 0 };

	(void)state;
	peer_establishes(p, (struct tcp_options){ 0 });
	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = peer_pattern(1 + i);
	assert_int_equal(stack_send(p->stack, p->conn, bytes, sizeof(bytes)), sizeof(bytes));
	test_memory_fail_after(&p->memory, 0); /* none for the scoreboard */
	peer_turn(p);
	expect_nothing(p);
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(1) });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1002 });
	expect_nothing(p);
	test_memory_fail_never(&p->memory);
	peer_stop_anyhow(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_queue_leaves_a_waiting_frame_alone),
		cmocka_unit_test(full_queue_leaks_no_block),
		cmocka_unit_test(echoes_take_a_share_of_the_blocks),
		cmocka_unit_test(sack_crumbs_shred_nothing),
		cmocka_unit_test(challenges_are_limited),
		cmocka_unit_test(no_memory_for_the_first_send_after_idle),
		cmocka_unit_test(ack_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
