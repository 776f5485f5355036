/* IPv6 headers, extension headers and addresses (RFC 8200, RFC 4291). */
#include "../../support/test_random.h"
#include "core/wire/bytes.h"
#include "core/wire/ipv6.h"
#include "wire_test.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct ip_addr source = { { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } };
static const struct ip_addr destination = { { 0x20, 0x01, 0x0d, 0xb8, [15] = 2 } };

/* A packet whose payload is `bytes`. */
static size_t make(uint8_t *out, uint8_t protocol, const void *bytes, size_t length)
{
	struct ip_packet packet = { .source = source,
		                    .destination = destination,
		                    .tos = 0xb9,
		                    .ttl = 63,
		                    .protocol = protocol,
		                    .flow_label = 0xabcde,
		                    .payload_bytes = (uint32_t)length };

	ipv6_write(out, &packet);
	memcpy(out + IPV6_HEADER_BYTES, bytes, length);
	return IPV6_HEADER_BYTES + length;
}

static void test_fields(void **state)
{
	struct ip_packet packet;
	uint8_t bytes[100];
	size_t length = make(bytes, IP_PROTOCOL_TCP, "payload!", 8);

	(void)state;
	assert_int_equal(load32(bytes), 0x6b9abcde);
	assert_int_equal(ipv6_read(bytes, length, &packet), 0);
	assert_memory_equal(&packet.source, &source, 16);
	assert_memory_equal(&packet.destination, &destination, 16);
	assert_int_equal(packet.tos, 0xb9);
	assert_int_equal(packet.ttl, 63);
	assert_int_equal(packet.protocol, IP_PROTOCOL_TCP);
	assert_int_equal(packet.flow_label, 0xabcde);
	assert_int_equal(packet.header_bytes, 40);
	assert_int_equal(packet.protocol_at, 6);
	assert_ptr_equal(packet.payload, bytes + 40);
	assert_int_equal(packet.payload_bytes, 8);
	assert_int_equal(ipv6_read(bytes, sizeof(bytes), &packet), 0); /* the link's padding isn't payload */
	assert_int_equal(packet.payload_bytes, 8);
	bytes[0] = 0x45;
	assert_int_equal(ipv6_read(bytes, length, &packet), -EBADMSG);
}

static void test_truncated_everywhere(void **state)
{
	struct ip_packet packet;
	uint8_t bytes[100];
	size_t length = make(bytes, IP_PROTOCOL_TCP, "payload!", 8);

	(void)state;
	for (size_t cut = 0; cut < length; cut++) {
		uint8_t *copy = exact_copy(bytes, cut);

		assert_int_equal(ipv6_read(copy, cut, &packet), -EBADMSG);
		free(copy);
	}
}

#define TCP20 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6

/* What a chain of headers comes to. */
static const struct {
	const char *what;
	uint8_t first;     /* next header of the fixed one */
	uint8_t bytes[80]; /* behind it */
	uint8_t length;
	int result;
	uint8_t protocol, skipped; /* when it is taken */
	uint8_t code;              /* when it is refused aloud */
	uint8_t pointer;
	bool even_multicast;
} chains[] = {
	{ "no extension", 6, { TCP20 }, 20, 0, 6, 0, 0, 0, false },
	{ "hop by hop: PadN", 0, { 6, 0, 1, 4, 0, 0, 0, 0, TCP20 }, 28, 0, 6, 8, 0, 0, false },
	{ "destination options: Pad1", 60, { 6, 0, 0, 0, 0, 0, 0, 0, TCP20 }, 28, 0, 6, 8, 0, 0, false },
	{ "option 00: skipped", 60, { 6, 0, 0x1e, 4, 1, 2, 3, 4, TCP20 }, 28, 0, 6, 8, 0, 0, false },
	{ "option 01: dropped", 60, { 6, 0, 0x5e, 4, 1, 2, 3, 4, TCP20 }, 28, -EBADMSG, 0, 0, 0, 0, false },
	{ "option 10: told always", 60, { 6, 0, 0x9e, 4, 1, 2, 3, 4, TCP20 }, 28, -EPROTO, 0, 0, 2, 42, true },
	{ "option 11: told", 60, { 6, 0, 0, 0xde, 3, 1, 2, 3, TCP20 }, 28, -EPROTO, 0, 0, 2, 43, false },
	{ "jumbo payload", 0, { 6, 0, 0xc2, 4, 0, 1, 0, 0, TCP20 }, 28, -EPROTO, 0, 0, 2, 42, false },
	{ "option past the end", 60, { 6, 0, 1, 5, 0, 0, 0, 0, TCP20 }, 28, -EBADMSG, 0, 0, 0, 0, false },
	{ "option without a length", 60, { 6, 0, 1, 3, 0, 0, 0, 1, TCP20 }, 28, -EBADMSG, 0, 0, 0, 0, false },
	{ "header past the end", 60, { 6, 3, 1, 4, 0, 0, 0, 0, TCP20 }, 28, -EBADMSG, 0, 0, 0, 0, false },
	{ "header cut short", 60, { 6, 0, 1, 4, 0, 0, 0 }, 7, -EBADMSG, 0, 0, 0, 0, false },
	{ "hop by hop not at first",
	  60,
	  { 0, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0, TCP20 },
	  36,
	  -EPROTO,
	  0,
	  0,
	  1,
	  40,
	  false },
	{ "route, none left", 43, { 6, 0, 0, 0, 0, 0, 0, 0, TCP20 }, 28, 0, 6, 8, 0, 0, false },
	{ "route of type 0", 43, { 6, 0, 0, 1, 0, 0, 0, 0, TCP20 }, 28, -EPROTO, 0, 0, 0, 42, false },
	{ "route of type 4", 43, { 6, 0, 4, 2, 0, 0, 0, 0, TCP20 }, 28, -EPROTO, 0, 0, 0, 42, false },
	{ "nothing follows", 59, { 0 }, 0, 0, 59, 0, 0, 0, false },
	{ "unknown protocol", 99, { 1, 2 }, 2, 0, 99, 0, 0, 0, false },
	{ "atomic fragment", 44, { 6, 0, 0, 0, 9, 9, 9, 9, TCP20 }, 28, 0, 6, 8, 0, 0, false },
	{ "first fragment", 44, { 6, 0, 0, 1, 9, 9, 9, 9, TCP20, 1, 2, 3, 4 }, 32, 0, 6, 8, 0, 0, false },
	{ "first fragment without a TCP header",
	  44,
	  { 6, 0, 0, 1, 9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8 },
	  24,
	  -EPROTO,
	  0,
	  0,
	  3,
	  0,
	  false },
	{ "first fragment with half a header",
	  44,
	  { 60, 0, 0, 1, 9, 9, 9, 9, 6, 1, 1, 4, 0, 0, 0, 0 },
	  16,
	  -EPROTO,
	  0,
	  0,
	  3,
	  0,
	  false },
	{ "fragment in a fragment",
	  44,
	  { 44, 0, 0, 1, 9, 9, 9, 9, 6, 0, 0, 1, 1, 1, 1, 1, TCP20 },
	  36,
	  -EPROTO,
	  0,
	  0,
	  3,
	  0,
	  false },
	{ "later fragment", 44, { 60, 0, 0, 9, 9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8 }, 16, 0, 60, 8, 0, 0, false },
	{ "fragment header cut short", 44, { 6, 0, 0, 1, 9, 9, 9 }, 7, -EBADMSG, 0, 0, 0, 0, false },
};

static void test_chains(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(chains); i++) {
		struct ipv6_problem problem = { 0 };
		struct ip_packet packet, before;
		uint8_t bytes[200];
		size_t length = make(bytes, chains[i].first, chains[i].bytes, chains[i].length);
		uint8_t *copy = exact_copy(bytes, length);

		assert_int_equal(ipv6_read(copy, length, &packet), 0);
		before = packet;
		if (ipv6_skip_extensions(&packet, &problem) != chains[i].result)
			fail_msg("%s", chains[i].what);
		if (chains[i].result < 0) {
			assert_memory_equal(&packet, &before, sizeof(packet));
			if (problem.code != chains[i].code || problem.pointer != chains[i].pointer ||
			    problem.even_multicast != chains[i].even_multicast)
				fail_msg("%s: code %u pointer %u", chains[i].what, problem.code, problem.pointer);
		} else {
			assert_int_equal(packet.protocol, chains[i].protocol);
			assert_int_equal(copy[packet.protocol_at], chains[i].protocol);
			assert_int_equal(packet.header_bytes, IPV6_HEADER_BYTES + chains[i].skipped);
			assert_ptr_equal(packet.payload, copy + packet.header_bytes);
			assert_int_equal(packet.header_bytes + packet.payload_bytes, length);
		}
		free(copy);
	}
}

static void test_fragment_fields(void **state)
{
	struct ip_packet packet = { .source = source, .destination = destination, .payload_bytes = 24 }, read;
	struct ipv6_problem problem;
	uint8_t bytes[100] = { 0 };

	(void)state;
	packet.protocol = IP_PROTOCOL_FRAGMENT;
	packet.fragment_offset = 65528;
	packet.id = 0xdeadbeef;
	ipv6_write(bytes, &packet);
	ipv6_write_fragment(bytes + 40, &packet, IP_PROTOCOL_TCP);
	assert_int_equal(ipv6_read(bytes, 64, &read), 0);
	assert_int_equal(ipv6_skip_extensions(&read, &problem), 0);
	assert_int_equal(read.fragment_offset, 65528);
	assert_false(read.more_fragments);
	assert_int_equal(read.id, 0xdeadbeef);
	assert_int_equal(read.payload_bytes, 16);
	packet.more_fragments = true;
	ipv6_write_fragment(bytes + 40, &packet, IP_PROTOCOL_TCP);
	assert_int_equal(ipv6_read(bytes, 64, &read), 0);
	assert_int_equal(ipv6_skip_extensions(&read, &problem), 0);
	assert_true(read.more_fragments);
}

static void test_router_alert(void **state)
{
	struct ipv6_problem problem;
	struct ip_packet packet;
	uint8_t bytes[100], alert[IPV6_ROUTER_ALERT_BYTES];

	(void)state;
	ipv6_write_router_alert(alert, IP_PROTOCOL_NO_NEXT);
	ipv6_read(bytes, make(bytes, IP_PROTOCOL_HOP_BY_HOP, alert, 8), &packet);
	assert_int_equal(ipv6_skip_extensions(&packet, &problem), 0);
	assert_true(packet.router_alert);
	ipv6_read(bytes, make(bytes, IP_PROTOCOL_DESTINATION_OPTIONS, alert, 8), &packet);
	assert_int_equal(ipv6_skip_extensions(&packet, &problem), 0);
	assert_false(packet.router_alert); /* only hop by hop */
}

/* Many headers, many options, long ones: one more than the limit is too much. */
static void test_limits(void **state)
{
	static uint8_t payload[2048], bytes[2200];
	struct ipv6_problem problem;
	struct ip_packet packet;

	(void)state;
	for (int headers = IPV6_EXTENSIONS_MAX; headers <= IPV6_EXTENSIONS_MAX + 1; headers++) {
		memset(payload, 0, sizeof(payload));
		for (int i = 0; i < headers; i++)
			payload[i * 8] = i + 1 < headers ? IP_PROTOCOL_DESTINATION_OPTIONS : IP_PROTOCOL_NO_NEXT;
		ipv6_read(bytes, make(bytes, IP_PROTOCOL_DESTINATION_OPTIONS, payload, 100), &packet);
		assert_int_equal(ipv6_skip_extensions(&packet, &problem),
		                 headers == IPV6_EXTENSIONS_MAX ? 0 : -EBADMSG);
	}
	for (uint8_t options = IPV6_OPTIONS_MAX; options <= IPV6_OPTIONS_MAX + 1; options++) {
		memset(payload, 0, sizeof(payload));
		payload[0] = IP_PROTOCOL_NO_NEXT;
		payload[1] = 5;
		for (int i = 0; i < options; i++)
			payload[2 + 2 * i] = 0x1e;
		ipv6_read(bytes, make(bytes, IP_PROTOCOL_DESTINATION_OPTIONS, payload, 48), &packet);
		assert_int_equal(ipv6_skip_extensions(&packet, &problem), options == IPV6_OPTIONS_MAX ? 0 : -EBADMSG);
	}
	for (uint32_t length = 512; length <= 544; length += 32) { /* 520 bytes at most: a fragment header on top */
		memset(payload, 0, sizeof(payload));
		payload[0] = IP_PROTOCOL_NO_NEXT;
		payload[1] = (uint8_t)(length / 8 - 1);
		ipv6_read(bytes, make(bytes, IP_PROTOCOL_HOP_BY_HOP, payload, length), &packet);
		assert_int_equal(ipv6_skip_extensions(&packet, &problem), length == 512 ? 0 : -EBADMSG);
	}
}

static void test_any_bytes(void **state)
{
	struct test_random random = test_random_begin("test_ipv6");

	(void)state;
	for (int i = 0; i < 20000; i++) {
		static const uint8_t kinds[] = { 0, 6, 43, 44, 58, 59, 60 };
		size_t length = IPV6_HEADER_BYTES + test_random_below(&random, 80);
		uint8_t bytes[128], *copy;
		struct ipv6_problem problem;
		struct ip_packet packet;

		test_random_fill(&random, bytes, length);
		bytes[0] = 0x60;
		store16(bytes + 4, (uint32_t)length - IPV6_HEADER_BYTES);
		bytes[6] = kinds[test_random_below(&random, COUNT(kinds))];
		for (size_t at = IPV6_HEADER_BYTES; at + 1 < length; at += 8) {
			bytes[at] = kinds[test_random_below(&random, COUNT(kinds))];
			bytes[at + 1] %= 3;
		}
		copy = exact_copy(bytes, length);
		assert_int_equal(ipv6_read(copy, length, &packet), 0);
		switch (ipv6_skip_extensions(&packet, &problem)) {
		case 0:
			assert_int_equal(packet.header_bytes + packet.payload_bytes, length);
			break;
		case -EPROTO:
			assert_true(problem.code <= 3 && problem.pointer < length);
			break;
		default:
			break;
		}
		free(copy);
	}
}

static void test_addresses(void **state)
{
	static const struct {
		struct ip_addr ip;
		bool host;
	} hosts[] = {
		{ { { 0 } }, false },
		{ { { [15] = 1 } }, false },
		{ { { 0xff, 2, [15] = 1 } }, false },
		{ { { [10] = 0xff, 0xff, 192, 0, 2, 1 } }, false },
		{ { { 0xfe, 0x80, [15] = 1 } }, true },
		{ { { 0x20, 1, 0xd, 0xb8, [15] = 1 } }, true },
	};
	static const struct ip_addr ip = { { 0xfe, 0x80, [12] = 0x11, 0x22, 0x33, 0x44 } };
	struct ip_addr group = ipv6_solicited_node(&ip);
	struct mac_addr mac = ipv6_group_mac(&group);

	(void)state;
	for (size_t i = 0; i < COUNT(hosts); i++)
		assert_int_equal(ipv6_is_host(&hosts[i].ip), hosts[i].host);
	assert_memory_equal(&group, "\xff\x02\0\0\0\0\0\0\0\0\0\1\xff\x22\x33\x44", 16);
	assert_memory_equal(&mac, "\x33\x33\xff\x22\x33\x44", 6);
	assert_true(ipv6_is_link_local(&ip));
	assert_false(ipv6_is_link_local(&source));
	assert_int_equal(ip_addr_common_bits(&source, &destination), 126);
	assert_int_equal(ip_addr_common_bits(&source, &source), 128);
	assert_int_equal(ip_addr_common_bits(&source, &ip), 0);
	for (uint32_t bits = 0; bits <= 128; bits++)
		assert_int_equal(ip_addr_match(&source, &destination, bits), bits <= 126);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),       cmocka_unit_test(test_truncated_everywhere),
		cmocka_unit_test(test_chains),       cmocka_unit_test(test_fragment_fields),
		cmocka_unit_test(test_router_alert), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_any_bytes),    cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
