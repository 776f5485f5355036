/* Reassembly of IPv6 packets (RFC 8200 section 4.5, RFC 5722, RFC 6946, RFC 7112), with echo requests that come back
 * as they were. */
#include "../../support/test_random.h"
#include "net6_test.h"

#define PACKET_MAX 20000

static uint8_t message[ICMP6_HEADER_BYTES + PACKET_MAX];

/* An echo request with `payload` bytes in message[]; returns its length. */
static uint32_t make_echo(uint32_t payload)
{
	static uint8_t bytes[PACKET_MAX];
	struct icmp6_message ping = { .type = ICMP6_ECHO, .word = 5, .payload = bytes, .payload_bytes = payload };
	struct ip_addr source = PEER_IP, destination = STACK_IP;

	for (uint32_t i = 0; i < payload; i++)
		bytes[i] = (uint8_t)(i * 31 >> 2);
	return (uint32_t)icmp6_write(message, &source, &destination, &ping);
}

static enum stack_verdict fragment(struct peer *p, uint32_t id, uint32_t from, uint32_t to, bool last)
{
	static uint8_t bytes[8 + sizeof(message)];
	struct ip_packet ip = { .source = PEER_IP,
		                .protocol = IP_PROTOCOL_FRAGMENT,
		                .id = id,
		                .fragment_offset = from,
		                .more_fragments = !last };

	ipv6_write_fragment(bytes, &ip, IP_PROTOCOL_ICMPV6);
	memcpy(bytes + 8, message + from, to - from);
	return sends_ip6(p, ip, bytes, 8 + to - from);
}

/* The reply, which comes in fragments of its own, in order. */
static void expect_echo(struct peer *p, uint32_t length)
{
	uint8_t reply[sizeof(message)];
	struct ip_addr source = STACK_IP, destination = PEER_IP;
	struct icmp6_message pong;
	uint32_t at = 0;
	bool more = true;

	while (more) {
		struct ip_packet ip = next_ip6(p);

		assert_int_equal(ip.fragment_offset, at);
		assert_true(ip.header_bytes + ip.payload_bytes <= 1520);
		memcpy(reply + at, ip.payload, ip.payload_bytes);
		at += ip.payload_bytes;
		more = ip.more_fragments;
	}
	assert_int_equal(at, length);
	assert_int_equal(icmp6_read(reply, length, &source, &destination, &pong), 0);
	assert_int_equal(pong.type, ICMP6_ECHO_REPLY);
	assert_memory_equal(pong.payload, message + ICMP6_HEADER_BYTES, length - ICMP6_HEADER_BYTES);
	expect_nothing(p);
}

static void any_order(void **state)
{
	struct test_random random = test_random_begin("test_fragment6");
	struct peer *p = peer_start(NULL);

	(void)state;
	for (uint32_t id = 1; id < 100; id++) {
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
			enum stack_verdict verdict = fragment(p, id << 16, from, to, to == length);

			assert_int_equal(verdict, i + 1 < count ? VERDICT_FRAGMENT_HELD : VERDICT_ACCEPTED);
			if (i + 1 < count && test_random_below(&random, 4) == 0) /* once more */
				assert_int_equal(fragment(p, id << 16, from, to, to == length),
				                 VERDICT_FRAGMENT_HELD);
		}
		expect_echo(p, length);
	}
	peer_stop(p);
}

/* RFC 6946: one that is whole waits for nobody, and disturbs nobody of the same id. */
static void atomic_fragment(void **state)
{
	struct peer *p = peer_start(NULL);
	uint32_t length = make_echo(1000);

	(void)state;
	assert_int_equal(fragment(p, 1, 0, 512, false), VERDICT_FRAGMENT_HELD);
	assert_int_equal(fragment(p, 1, 0, length, true), VERDICT_ACCEPTED);
	expect_echo(p, length);
	assert_int_equal(fragment(p, 1, 512, length, true), VERDICT_ACCEPTED);
	expect_echo(p, length);
	peer_stop(p);
}

/* RFC 5722: what overlaps is dropped, and what comes of it later. */
static void overlaps(void **state)
{
	static const struct {
		uint32_t from, to;
		bool last;
	} second[] = {
		{ 504, 1008, false }, { 0, 504, false }, { 8, 16, false }, { 0, 520, false }, { 256, 400, true },
	};
	struct peer *p = peer_start(NULL);
	uint32_t length = make_echo(2000);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(second); i++) {
		uint32_t id = (uint32_t)(i + 1);

		assert_int_equal(fragment(p, id, 0, 512, false), VERDICT_FRAGMENT_HELD);
		assert_int_equal(fragment(p, id, second[i].from, second[i].to, second[i].last),
		                 VERDICT_DROP_FRAGMENT);
		assert_int_equal(fragment(p, id, 512, length, true), VERDICT_DROP_FRAGMENT);
		assert_int_equal(fragment(p, id, 0, 512, false), VERDICT_DROP_FRAGMENT);
	}
	peer_waits(p, DURATION_S(61));
	expect_nothing(p);
	peer_stop(p);
}

/* The errors that RFC 8200 section 4.5 and RFC 7112 want to be told. */
static void told(void **state)
{
	struct peer *p = peer_start(NULL);
	struct icmp6_message error;
	struct ip_packet ip = { .source = PEER_IP, .protocol = IP_PROTOCOL_FRAGMENT };
	uint8_t bytes[100] = { 0 };

	(void)state;
	make_echo(2000);
	assert_int_equal(fragment(p, 1, 0, 500, false), VERDICT_DROP_FRAGMENT); /* no multiple of 8 */
	error = next_icmp6(p, &ip);
	assert_int_equal(error.type, ICMP6_PARAMETER_PROBLEM);
	assert_int_equal(error.code, ICMP6_PROBLEM_FIELD);
	assert_int_equal(error.word, 4);
	ip = (struct ip_packet){
		.source = PEER_IP, .protocol = IP_PROTOCOL_FRAGMENT, .id = 2, .fragment_offset = 65528
	};
	ipv6_write_fragment(bytes, &ip, IP_PROTOCOL_UDP);
	assert_int_equal(sends_ip6(p, ip, bytes, 8 + 16), VERDICT_DROP_FRAGMENT); /* ping of death */
	error = next_icmp6(p, &ip);
	assert_int_equal(error.code, ICMP6_PROBLEM_FIELD);
	assert_int_equal(error.word, 42);
	ip = (struct ip_packet){
		.source = PEER_IP, .protocol = IP_PROTOCOL_FRAGMENT, .id = 3, .more_fragments = true
	};
	ipv6_write_fragment(bytes, &ip, IP_PROTOCOL_TCP);
	assert_int_equal(sends_ip6(p, ip, bytes, 8 + 16), VERDICT_DROP_IP_EXTENSION);
	error = next_icmp6(p, &ip);
	assert_int_equal(error.type, ICMP6_PARAMETER_PROBLEM);
	assert_int_equal(error.code, 3);
	expect_nothing(p);
	peer_stop(p);
}

/* After a minute, who sent the beginning is told; who did not send it is not. */
static void time_out(void **state)
{
	struct peer *p = peer_start(NULL);
	uint32_t length = make_echo(1000);
	struct icmp6_message error;
	struct ip_packet ip;

	(void)state;
	fragment(p, 1, 0, 512, false);
	fragment(p, 2, 512, length, true);
	peer_waits(p, DURATION_MS(59900));
	expect_nothing(p);
	peer_waits(p, DURATION_MS(200));
	error = next_icmp6(p, &ip);
	assert_int_equal(error.type, ICMP6_TIME_EXCEEDED);
	assert_int_equal(error.code, ICMP6_REASSEMBLY_TIME);
	assert_int_equal(error.payload_bytes, IPV6_HEADER_BYTES + IPV6_FRAGMENT_HEADER_BYTES + 512);
	assert_memory_equal(error.payload + 48, message, 512);
	expect_nothing(p);
	assert_int_equal(fragment(p, 1, 512, length, true), VERDICT_FRAGMENT_HELD);
	peer_stop(p);
}

/* Headers before the fragment header and behind it are part of the whole, which errors quote without the fragment
 * header. */
static void headers_around(void **state)
{
	static const uint8_t options[8] = { IP_PROTOCOL_FRAGMENT, 0, 1, 4 };
	static const uint8_t inner[8] = { 99, 0, 1, 4 };
	struct peer *p = peer_start(NULL);
	uint8_t bytes[8 + 8 + 64] = { 0 };
	struct ip_packet ip = {
		.source = PEER_IP, .protocol = IP_PROTOCOL_HOP_BY_HOP, .id = 7, .more_fragments = true
	};
	struct icmp6_message error;

	(void)state;
	memcpy(bytes, options, 8);
	ipv6_write_fragment(bytes + 8, &ip, IP_PROTOCOL_DESTINATION_OPTIONS);
	memcpy(bytes + 16, inner, 8);
	memset(bytes + 24, 0xaa, 8);
	assert_int_equal(sends_ip6(p, ip, bytes, 32), VERDICT_FRAGMENT_HELD);
	ip.more_fragments = false;
	ip.fragment_offset = 16;
	ipv6_write_fragment(bytes + 8, &ip, IP_PROTOCOL_DESTINATION_OPTIONS);
	memset(bytes + 16, 0xbb, 5);
	assert_int_equal(sends_ip6(p, ip, bytes, 21), VERDICT_DROP_PROTOCOL); /* 99 */
	error = next_icmp6(p, &ip);
	assert_int_equal(error.type, ICMP6_PARAMETER_PROBLEM);
	assert_int_equal(error.code, ICMP6_PROBLEM_NEXT_HEADER);
	assert_int_equal(error.word, 48); /* the inner options' next header */
	assert_int_equal(error.payload_bytes, 40 + 8 + 8 + 8 + 5);
	assert_int_equal(load16(error.payload + 4), 8 + 8 + 8 + 5);
	assert_int_equal(error.payload[40], IP_PROTOCOL_DESTINATION_OPTIONS);
	assert_memory_equal(error.payload + 48, inner, 8);
	assert_memory_equal(error.payload + 56, "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xbb\xbb\xbb\xbb\xbb", 13);
	expect_nothing(p);
	peer_stop(p);
}

/* A whole packet that turns out to be a fragment again. */
static void fragments_in_fragments(void **state)
{
	struct peer *p = peer_start(NULL);
	uint8_t bytes[8 + 24] = { 0 };
	struct ip_packet inner = { .id = 8, .fragment_offset = 800 };
	struct ip_packet ip = { .source = PEER_IP, .protocol = IP_PROTOCOL_FRAGMENT, .id = 7, .fragment_offset = 24 };

	(void)state;
	ipv6_write_fragment(bytes, &ip, IP_PROTOCOL_FRAGMENT);
	assert_int_equal(sends_ip6(p, ip, bytes, 16), VERDICT_FRAGMENT_HELD);
	ip.fragment_offset = 0;
	ip.more_fragments = true;
	ipv6_write_fragment(bytes, &ip, IP_PROTOCOL_FRAGMENT);
	ipv6_write_fragment(bytes + 8, &inner, IP_PROTOCOL_TCP);
	assert_int_equal(sends_ip6(p, ip, bytes, 32), VERDICT_DROP_IP_EXTENSION); /* told: headers not complete */
	peer_ignores_rest(p);
	peer_stop(p);
}

/* There is one fragment header in a packet (RFC 8200 section 4.1), also when the first says that it is whole. */
static void two_fragment_headers(void **state)
{
	struct peer *p = peer_start(NULL);
	uint32_t length = make_echo(100);
	uint8_t bytes[8 + 8 + 200];
	struct ip_packet ip = { .source = PEER_IP, .protocol = IP_PROTOCOL_FRAGMENT, .id = 7 };

	(void)state;
	for (uint32_t from = 0; from < length; from += 64) {
		uint32_t bytes_here = length - from < 64 ? length - from : 64;

		ip.more_fragments = false;
		ip.fragment_offset = 0;
		ipv6_write_fragment(bytes, &ip, IP_PROTOCOL_FRAGMENT);
		ip.more_fragments = from + 64 < length;
		ip.fragment_offset = from;
		ipv6_write_fragment(bytes + 8, &ip, IP_PROTOCOL_ICMPV6);
		memcpy(bytes + 16, message + from, bytes_here);
		assert_int_equal(sends_ip6(p, ip, bytes, 16 + bytes_here), VERDICT_DROP_IP_EXTENSION);
	}
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
	for (uint32_t id = 1; id <= 3; id++)
		fragment(p, id, 0, 512, false);
	assert_int_equal(fragment(p, 2, 512, length, true), VERDICT_ACCEPTED);
	expect_echo(p, length);
	assert_int_equal(fragment(p, 1, 512, length, true), VERDICT_FRAGMENT_HELD);
	peer_ignores_rest(p);
	peer_stop(p);
}

/* RFC 3168 section 5.3: a mark on one part is a mark on the whole; what can't be is dropped. */
static void marks(void **state)
{
	static const struct {
		uint8_t first, second;
		enum stack_verdict verdict;
	} rows[] = { { 2, 3, VERDICT_ACCEPTED }, { 3, 1, VERDICT_ACCEPTED }, { 0, 3, VERDICT_DROP_FRAGMENT } };
	struct peer *p = peer_start(NULL);
	uint32_t length = make_echo(100);
	uint8_t bytes[8 + 200];

	(void)state;
	for (uint32_t i = 0; i < COUNT_OF(rows); i++) {
		struct ip_packet ip = { .source = PEER_IP,
			                .protocol = IP_PROTOCOL_FRAGMENT,
			                .id = i,
			                .tos = rows[i].first,
			                .more_fragments = true };

		ipv6_write_fragment(bytes, &ip, IP_PROTOCOL_ICMPV6);
		memcpy(bytes + 8, message, 64);
		sends_ip6(p, ip, bytes, 72);
		ip.more_fragments = false;
		ip.fragment_offset = 64;
		ip.tos = rows[i].second;
		ipv6_write_fragment(bytes, &ip, IP_PROTOCOL_ICMPV6);
		memcpy(bytes + 8, message + 64, length - 64);
		assert_int_equal(sends_ip6(p, ip, bytes, 8 + length - 64), rows[i].verdict);
		peer_ignores_rest(p);
	}
	peer_stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order),
		cmocka_unit_test(atomic_fragment),
		cmocka_unit_test(overlaps),
		cmocka_unit_test(told),
		cmocka_unit_test(time_out),
		cmocka_unit_test(headers_around),
		cmocka_unit_test(fragments_in_fragments),
		cmocka_unit_test(two_fragment_headers),
		cmocka_unit_test(memory_limit),
		cmocka_unit_test(marks),
	};

	return over_ipv6() == 0 ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
