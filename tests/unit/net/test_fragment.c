/* Reassembly: a UDP packet, which the stack refuses aloud or (whole from fragments) silently, and echo requests,
 * which come back as they were. */
#include "../../support/test_random.h"
#include "net_test.h"

#define PACKET_MAX 20000

static uint8_t message[ICMP_HEADER_BYTES + PACKET_MAX];

/* An echo request with `payload` bytes in message[]; returns its length. */
static uint32_t make_echo(uint32_t payload)
{
	static uint8_t bytes[PACKET_MAX];
	struct icmp_message ping = { .type = ICMP_ECHO, .id = 5, .payload = bytes, .payload_bytes = payload };

	for (uint32_t i = 0; i < payload; i++)
		bytes[i] = (uint8_t)(i * 31 >> 2);
	return (uint32_t)icmp_write(message, &ping);
}

static enum stack_verdict fragment(struct peer *p, uint16_t id, uint32_t from, uint32_t to, bool last)
{
	struct ip_packet ip = {
		.protocol = IP_PROTOCOL_ICMP, .id = id, .fragment_offset = from, .more_fragments = !last
	};

	return sends_ip(p, ip, message + from, to - from);
}

/* The reply, which comes in fragments of its own, in order. */
static void expect_echo(struct peer *p, uint32_t length)
{
	uint8_t reply[ICMP_HEADER_BYTES + PACKET_MAX];
	struct icmp_message pong;
	uint32_t at = 0;
	bool more = true;

	while (more) {
		struct ip_packet ip = next_ip(p);

		assert_int_equal(ip.fragment_offset, at);
		assert_true(IPV4_HEADER_BYTES + ip.payload_bytes <= 1500);
		memcpy(reply + at, ip.payload, ip.payload_bytes);
		at += ip.payload_bytes;
		more = ip.more_fragments;
	}
	assert_int_equal(at, length);
	assert_int_equal(icmp_read(reply, length, &pong), 0);
	assert_int_equal(pong.type, ICMP_ECHO_REPLY);
	assert_memory_equal(pong.payload, message + ICMP_HEADER_BYTES, length - ICMP_HEADER_BYTES);
	expect_nothing(p);
}

static void any_order(void **state)
{
	struct test_random random = test_random_begin("test_fragment");
	struct peer *p = peer_start(NULL);

	(void)state;
	for (uint16_t id = 1; id < 100; id++) {
		uint32_t length = make_echo(100 + test_random_below(&random, PACKET_MAX - 100));
		uint32_t piece = 8 * (40 + test_random_below(&random, 100)), count = (length + piece - 1) / piece;
		uint32_t order[64];

		if (count > 64)
			continue;
		for (uint32_t i = 0; i < count; i++) {
			uint32_t at = test_random_below(&random, i + 1);

			order[i] = order[at];
			order[at] = i;
		}
		for (uint32_t i = 0; i < count; i++) {
			uint32_t from = order[i] * piece, to = from + piece < length ? from + piece : length;
			enum stack_verdict verdict = fragment(p, id, from, to, to == length);

			assert_int_equal(verdict, i + 1 < count ? VERDICT_FRAGMENT_HELD : VERDICT_ACCEPTED);
			if (i + 1 < count && test_random_below(&random, 4) == 0) /* once more */
				assert_int_equal(fragment(p, id, from, to, to == length), VERDICT_FRAGMENT_HELD);
		}
		expect_echo(p, length);
	}
	peer_stop(p);
}

static void two_at_once(void **state)
{
	struct peer *p = peer_start(NULL);
	uint32_t length = make_echo(1000);

	(void)state;
	fragment(p, 1, 0, 512, false);
	fragment(p, 2, 512, length, true);
	assert_int_equal(fragment(p, 1, 512, length, true), VERDICT_ACCEPTED);
	expect_echo(p, length);
	assert_int_equal(fragment(p, 2, 0, 512, false), VERDICT_ACCEPTED);
	expect_echo(p, length);
	peer_stop(p);
}

/* What contradicts itself is dropped as a whole, with what comes of it later (RFC 5722). */
static void contradictions(void **state)
{
	static const struct {
		uint32_t from, to;
		bool last;
	} second[] = {
		{ 504, 1008, false }, { 0, 504, false },  { 8, 16, false },
		{ 0, 520, false },    { 256, 400, true }, /* an end before what is there */
	};
	struct peer *p = peer_start(NULL);
	uint32_t length = make_echo(2000);

	(void)state;
	for (size_t i = 0; i < sizeof(second) / sizeof(second[0]); i++) {
		uint16_t id = (uint16_t)(i + 1);

		assert_int_equal(fragment(p, id, 0, 512, false), VERDICT_FRAGMENT_HELD);
		assert_int_equal(fragment(p, id, second[i].from, second[i].to, second[i].last),
		                 VERDICT_DROP_FRAGMENT);
		assert_int_equal(fragment(p, id, 512, length, true), VERDICT_DROP_FRAGMENT);
		expect_nothing(p);
	}
	/* beyond the end that is known, and another end */
	assert_int_equal(fragment(p, 50, 512, 1024, true), VERDICT_FRAGMENT_HELD);
	assert_int_equal(fragment(p, 50, 1024, 1032, false), VERDICT_DROP_FRAGMENT);
	assert_int_equal(fragment(p, 51, 512, 1024, true), VERDICT_FRAGMENT_HELD);
	assert_int_equal(fragment(p, 51, 256, 512, true), VERDICT_DROP_FRAGMENT);
	peer_stop(p);
}

static void impossible_sizes(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	make_echo(PACKET_MAX);
	assert_int_equal(fragment(p, 1, 0, 100, false), VERDICT_DROP_FRAGMENT); /* not a multiple of 8 */
	assert_int_equal(fragment(p, 2, 8, 8, true), VERDICT_DROP_FRAGMENT);    /* nothing */
	{
		struct ip_packet ip = { .protocol = IP_PROTOCOL_ICMP, .id = 3, .fragment_offset = 65528 };

		assert_int_equal(sends_ip(p, ip, message, 64), VERDICT_DROP_FRAGMENT); /* ping of death */
		ip.fragment_offset = 65528 - 64;
		ip.more_fragments = true;
		assert_int_equal(sends_ip(p, ip, message, 64), VERDICT_DROP_FRAGMENT);
	}
	expect_nothing(p);
	peer_stop(p);
}

static void too_many_pieces(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	make_echo(PACKET_MAX);
	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(fragment(p, 1, i * 16, i * 16 + 8, false), VERDICT_FRAGMENT_HELD);
	assert_int_equal(fragment(p, 1, 64 * 16, 64 * 16 + 8, false), VERDICT_DROP_FRAGMENT);
	peer_stop(p);
}

/* RFC 1122 3.3.2: after a minute nobody waits any more, and who sent the beginning is told. */
static void time_out(void **state)
{
	struct peer *p = peer_start(NULL);
	uint32_t length = make_echo(1000);
	struct stack_gauges before, after;
	struct icmp_message error;

	(void)state;
	stack_get_gauges(p->stack, &before);
	fragment(p, 1, 0, 512, false);
	peer_waits(p, DURATION_MS(59900));
	stack_get_gauges(p->stack, &after);
	assert_true(after.memory_bytes > before.memory_bytes);
	expect_nothing(p);
	peer_waits(p, DURATION_MS(200));
	error = next_icmp(p);
	assert_int_equal(error.type, ICMP_TIME_EXCEEDED);
	assert_int_equal(error.code, ICMP_REASSEMBLY_TIME);
	assert_int_equal(error.payload_bytes, IPV4_HEADER_BYTES + 512);
	assert_memory_equal(error.payload + IPV4_HEADER_BYTES, message, 512);
	assert_int_equal(fragment(p, 1, 512, length, true), VERDICT_FRAGMENT_HELD);
	expect_nothing(p);
	peer_waits(p, DURATION_S(61));
	expect_nothing(p); /* not without the beginning */
	peer_stop(p);
}

/* Nor one who sent it to a group, nor an error: RFC 1122 3.2.2. */
static void time_out_of_a_group(void **state)
{
	struct peer *p = peer_start(NULL);
	struct ip_packet ip = { .protocol = IP_PROTOCOL_UDP, .more_fragments = true };
	struct ip_addr groups[] = { ip_addr_v4(0xe0000001), ip_addr_v4(0xffffffff), ip_addr_v4(0xc00002ff) };
	uint8_t error[16] = { ICMP_UNREACHABLE };

	(void)state;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		ip.destination = groups[i];
		assert_int_equal(sends_ip(p, ip, message, 64), VERDICT_FRAGMENT_HELD);
	}
	ip.destination = STACK_IP;
	ip.protocol = IP_PROTOCOL_ICMP;
	assert_int_equal(sends_ip(p, ip, error, sizeof(error)), VERDICT_FRAGMENT_HELD);
	peer_waits(p, DURATION_S(61));
	expect_nothing(p);
	peer_stop(p);
}

static void room_for_two(struct stack_config *config)
{
	config->fragments_max_bytes = 150000;
}

/* The oldest makes room. */
static void memory_limit(void **state)
{
	struct peer *p = peer_start(room_for_two);
	uint32_t length = make_echo(1000);

	(void)state;
	fragment(p, 1, 0, 512, false);
	fragment(p, 2, 0, 512, false);
	fragment(p, 3, 0, 512, false);
	assert_int_equal(fragment(p, 2, 512, length, true), VERDICT_ACCEPTED);
	expect_echo(p, length);
	assert_int_equal(fragment(p, 3, 512, length, true), VERDICT_ACCEPTED);
	expect_echo(p, length);
	assert_int_equal(fragment(p, 1, 512, length, true), VERDICT_FRAGMENT_HELD); /* that was it */
	test_memory_fail_after(&p->memory, 0);
	assert_int_equal(fragment(p, 9, 0, 512, false), VERDICT_DROP_FRAGMENT);
	test_memory_fail_never(&p->memory);
	peer_stop(p);
}

static void no_room(struct stack_config *config)
{
	config->fragments_max_bytes = 0;
}

static void none_wanted(void **state)
{
	struct peer *p = peer_start(no_room);

	(void)state;
	make_echo(1000);
	assert_int_equal(fragment(p, 1, 0, 512, false), VERDICT_DROP_FRAGMENT);
	peer_stop(p);
}

/* TCP in fragments is TCP; its checksum is checked. */
static void tcp_in_fragments(void **state)
{
	struct tcp_segment syn = { .source_port = PEER_PORT,
		                   .destination_port = SERVICE_PORT,
		                   .seq = SEQ(1000),
		                   .flags = TCP_SYN,
		                   .options = { .has_mss = true, .mss = 1000 } };
	struct ip_addr from = PEER_IP, to = STACK_IP;
	struct peer *p = peer_start(NULL);
	uint8_t tcp[TCP_HEADER_BYTES_MAX];
	uint32_t length = (uint32_t)tcp_write(tcp, &syn);

	(void)state;
	assert_int_equal(length, 24);
	for (int wrong = 1; wrong >= 0; wrong--) {
		struct ip_packet ip = { .protocol = IP_PROTOCOL_TCP,
			                .id = (uint16_t)(1 + wrong),
			                .more_fragments = true };

		store16(tcp + 16, 0);
		store16(tcp + 16, (uint16_t)~checksum_fold(checksum_add(
		                          checksum_pseudo(&from, &to, IP_PROTOCOL_TCP, length), tcp, length, 0)) ^
		                          (uint16_t)wrong);
		assert_int_equal(sends_ip(p, ip, tcp, 16), VERDICT_FRAGMENT_HELD);
		ip.fragment_offset = 16;
		ip.more_fragments = false;
		assert_int_equal(sends_ip(p, ip, tcp + 16, length - 16),
		                 wrong ? VERDICT_DROP_CHECKSUM : VERDICT_ACCEPTED);
	}
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	peer_stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order),           cmocka_unit_test(two_at_once),
		cmocka_unit_test(contradictions),      cmocka_unit_test(impossible_sizes),
		cmocka_unit_test(too_many_pieces),     cmocka_unit_test(time_out),
		cmocka_unit_test(time_out_of_a_group), cmocka_unit_test(memory_limit),
		cmocka_unit_test(none_wanted),         cmocka_unit_test(tcp_in_fragments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
