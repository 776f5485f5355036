#include "core/wire/icmp.h"
#include "wire_test.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_echo(void **state)
{
	struct icmp_message message = {
		.type = ICMP_ECHO,
		.id = 0x1234,
		.sequence = 0x5678,
		.next_hop_mtu = 99, /* of no meaning here */
		.payload = (const uint8_t *)"hello",
		.payload_bytes = 5,
	};
	static const uint8_t expected[] = { 8, 0, 0x4c, 0x8e, 0x12, 0x34, 0x56, 0x78, 'h', 'e', 'l', 'l', 'o' };
	struct icmp_message got;
	uint8_t out[64];

	(void)state;
	assert_int_equal(icmp_write(out, &message), sizeof(expected));
	assert_int_equal(naive_sum(out, sizeof(expected)), 0xffff);
	assert_memory_equal(out, expected, 2);
	assert_memory_equal(out + 4, expected + 4, sizeof(expected) - 4);
	assert_int_equal(icmp_read(out, sizeof(expected), &got), 0);
	assert_int_equal(got.type, ICMP_ECHO);
	assert_int_equal(got.id, 0x1234);
	assert_int_equal(got.sequence, 0x5678);
	assert_int_equal(got.next_hop_mtu, 0);
	assert_int_equal(got.payload_bytes, 5);
	assert_ptr_equal(got.payload, out + 8);
}

static void test_errors(void **state)
{
	static const struct {
		uint8_t type, code;
		uint16_t mtu;
	} table[] = {
		{ ICMP_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, 1400 },
		{ ICMP_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, 0 },
		{ ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE, 0 },
		{ ICMP_TIME_EXCEEDED, 0, 0 },
		{ ICMP_PARAMETER_PROBLEM, 0, 0 },
		{ ICMP_SOURCE_QUENCH, 0, 0 },
		{ 200, 201, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct icmp_message got, message = {
			.type = table[i].type,
			.code = table[i].code,
			.id = 0xffff, /* not of an echo: neither written nor read */
			.sequence = 0xffff,
			.next_hop_mtu = table[i].mtu,
		};
		uint8_t out[8];

		memset(out, 0xee, sizeof(out));
		assert_int_equal(icmp_write(out, &message), 8);
		assert_int_equal(icmp_read(out, 8, &got), 0);
		assert_int_equal(got.type, table[i].type);
		assert_int_equal(got.code, table[i].code);
		assert_int_equal(got.next_hop_mtu, table[i].mtu);
		assert_int_equal(got.id, 0);
		assert_int_equal(got.sequence, 0);
		assert_int_equal(out[4] << 8 | out[5], 0); /* unused: zero */
		assert_int_equal(out[6] << 8 | out[7], table[i].mtu);
		assert_int_equal(got.payload_bytes, 0);
	}
}

static void test_truncated_and_corrupt(void **state)
{
	struct icmp_message got = { .type = 99 }, message = { .type = ICMP_ECHO_REPLY,
		                                              .payload = (const uint8_t *)"payload",
		                                              .payload_bytes = 7 };
	uint8_t out[15];

	(void)state;
	assert_int_equal(icmp_write(out, &message), sizeof(out));
	for (size_t cut = 0; cut < sizeof(out); cut++) {
		uint8_t *copy = exact_copy(out, cut);

		assert_int_equal(icmp_read(copy, cut, &got), cut < 8 ? -EBADMSG : -EILSEQ);
		free(copy);
	}
	for (size_t bit = 0; bit < sizeof(out) * 8; bit++) {
		out[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(icmp_read(out, sizeof(out), &got), -EILSEQ);
		out[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(got.type, 99);
	assert_int_equal(icmp_read(out, sizeof(out), &got), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_truncated_and_corrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
