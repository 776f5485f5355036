#include "../../support/test_random.h"
#include "core/wire/ipv4.h"
#include "wire_test.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The checksum over a header of `header` bytes, put where it belongs. */
static void seal(uint8_t *bytes, size_t header)
{
	uint16_t sum;

	bytes[10] = bytes[11] = 0;
	sum = (uint16_t)~naive_sum(bytes, header);
	bytes[10] = (uint8_t)(sum >> 8);
	bytes[11] = (uint8_t)sum;
}

/* A packet of `header` bytes of header, NOPs for options, and 8 bytes of payload. */
static size_t make(uint8_t *bytes, size_t header)
{
	static const uint8_t fixed[IPV4_HEADER_BYTES] = { 0, 0xb9, 0,   0, 0x12, 0x34, 0x40, 0, 63, 6,
		                                          0, 0,    192, 0, 2,    1,    192,  0, 2,  2 };

	memcpy(bytes, fixed, sizeof(fixed));
	memset(bytes + IPV4_HEADER_BYTES, 1, header - IPV4_HEADER_BYTES);
	memcpy(bytes + header, "payload!", 8);
	bytes[0] = (uint8_t)(4 << 4 | header / 4);
	bytes[3] = (uint8_t)(header + 8);
	seal(bytes, header);
	return header + 8;
}

static int read_exact(const uint8_t *bytes, size_t length, struct ip_packet *ret_packet)
{
	uint8_t *copy = exact_copy(bytes, length);
	int r = ipv4_read(copy, length, ret_packet);

	free(copy);
	return r;
}

static void test_fields(void **state)
{
	struct ip_packet packet;
	uint8_t bytes[100];
	size_t length = make(bytes, 20);

	(void)state;
	assert_int_equal(ipv4_read(bytes, length, &packet), 0);
	assert_int_equal(ip_addr_to_v4(&packet.source), 0xc0000201);
	assert_int_equal(ip_addr_to_v4(&packet.destination), 0xc0000202);
	assert_int_equal(packet.tos, 0xb9);
	assert_int_equal(packet.ttl, 63);
	assert_int_equal(packet.protocol, IP_PROTOCOL_TCP);
	assert_int_equal(packet.id, 0x1234);
	assert_true(packet.dont_fragment);
	assert_false(packet.more_fragments);
	assert_int_equal(packet.fragment_offset, 0);
	assert_int_equal(packet.header_bytes, 20);
	assert_ptr_equal(packet.payload, bytes + 20);
	assert_int_equal(packet.payload_bytes, 8);
	/* The link's padding isn't payload. */
	assert_int_equal(ipv4_read(bytes, sizeof(bytes), &packet), 0);
	assert_int_equal(packet.payload_bytes, 8);

	bytes[6] = 0x3f;
	bytes[7] = 0xff;
	seal(bytes, 20);
	assert_int_equal(ipv4_read(bytes, length, &packet), 0);
	assert_false(packet.dont_fragment);
	assert_true(packet.more_fragments);
	assert_int_equal(packet.fragment_offset, 65528);
}

static void test_truncated_everywhere(void **state)
{
	(void)state;
	for (size_t header = 20; header <= 60; header += 4) {
		uint8_t bytes[100];
		size_t length = make(bytes, header);
		struct ip_packet packet = { .ttl = 99 };

		for (size_t cut = 0; cut < length; cut++)
			assert_int_equal(read_exact(bytes, cut, &packet), -EBADMSG);
		assert_int_equal(packet.ttl, 99); /* untouched by failure */
		assert_int_equal(read_exact(bytes, length, &packet), 0);
		assert_int_equal(packet.header_bytes, header);
		assert_int_equal(packet.payload_bytes, 8);
	}
}

static void test_malformed(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		int result;
	} table[] = {
		{ 0, 0x65, -EBADMSG }, /* version 6 */
		{ 0, 0x05, -EBADMSG }, /* version 0 */
		{ 0, 0x44, -EBADMSG }, /* a header of 16 bytes */
		{ 0, 0x40, -EBADMSG }, /* of none */
		{ 0, 0x4f, -EBADMSG }, /* longer than the packet */
		{ 3, 19, -EBADMSG },   /* total length within the header */
		{ 3, 0, -EBADMSG },    /* none, as some hosts send with segmentation offload: not to us */
		{ 3, 29, -EBADMSG },   /* total length past the end */
		{ 2, 1, -EBADMSG },    { 3, 20, 0 }, /* no payload is fine */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct ip_packet packet;
		uint8_t bytes[100];
		size_t length = make(bytes, 20);

		bytes[table[i].at] = table[i].value;
		seal(bytes, 20);
		assert_int_equal(read_exact(bytes, length, &packet), table[i].result);
	}
}

static void test_any_wrong_bit_is_noticed(void **state)
{
	(void)state;
	for (size_t bit = 0; bit < 160; bit++) {
		struct ip_packet packet;
		uint8_t bytes[100];
		size_t length = make(bytes, 20);

		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (bit >= 32) /* before that are version and lengths */
			assert_int_equal(read_exact(bytes, length, &packet), -EILSEQ);
		else
			assert_true(read_exact(bytes, length, &packet) < 0);
	}
}

static void test_options(void **state)
{
	static const struct {
		uint8_t option[8];
		int result;
	} table[] = {
		{ { 7, 7, 4, 0, 0, 0, 0, 1 }, 0 },               /* record route */
		{ { 68, 8, 5, 0, 0, 0, 0, 0 }, 0 },              /* timestamp */
		{ { 148, 4, 0, 0, 1, 1, 1, 1 }, 0 },             /* router alert */
		{ { 99, 2, 99, 2, 99, 2, 99, 2 }, 0 },           /* unknown, empty */
		{ { 1, 1, 1, 1, 1, 1, 1, 99 }, -EBADMSG },       /* no room for a length */
		{ { 99, 0, 1, 1, 1, 1, 1, 1 }, -EBADMSG },       /* length 0 */
		{ { 99, 1, 1, 1, 1, 1, 1, 1 }, -EBADMSG },       /* length 1 */
		{ { 99, 9, 1, 1, 1, 1, 1, 1 }, -EBADMSG },       /* one past the header */
		{ { 99, 255, 1, 1, 1, 1, 1, 1 }, -EBADMSG },     /* far past it */
		{ { 99, 8, 1, 1, 1, 1, 1, 1 }, 0 },              /* to its very end */
		{ { 0, 99, 0, 131, 3, 9, 9, 9 }, 0 },            /* nothing counts after the end of options */
		{ { 131, 7, 4, 192, 0, 2, 9, 0 }, -EOPNOTSUPP }, /* loose source route */
		{ { 1, 137, 7, 4, 192, 0, 2, 9 }, -EOPNOTSUPP }, /* strict source route */
		{ { 131, 9, 4, 192, 0, 2, 9, 0 }, -EBADMSG },    /* one that runs past the header */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct ip_packet packet;
		uint8_t bytes[100];
		size_t length = make(bytes, 28);
		int r;

		memcpy(bytes + 20, table[i].option, 8);
		seal(bytes, 28);
		r = read_exact(bytes, length, &packet);
		if (r != table[i].result)
			fail_msg("row %zu: %d, not %d", i, r, table[i].result);
	}
}

static void test_round_trip(void **state)
{
	struct test_random random = test_random_begin("ipv4 round trip");

	(void)state;
	for (int i = 0; i < 10000; i++) {
		struct ip_packet packet = {
			.source = ip_addr_v4((uint32_t)test_random_u64(&random)),
			.destination = ip_addr_v4((uint32_t)test_random_u64(&random)),
			.tos = (uint8_t)test_random_u64(&random),
			.ttl = (uint8_t)test_random_u64(&random),
			.protocol = (uint8_t)test_random_u64(&random),
			.id = (uint16_t)test_random_u64(&random),
			.dont_fragment = test_random_below(&random, 2),
			.more_fragments = test_random_below(&random, 2),
			.fragment_offset = test_random_below(&random, 8192) * 8,
			.payload_bytes = test_random_below(&random, 65516),
		};
		static uint8_t bytes[65536];
		struct ip_packet got;

		ipv4_write(bytes, &packet);
		assert_int_equal(naive_sum(bytes, 20), 0xffff);
		assert_int_equal(ipv4_read(bytes, sizeof(bytes), &got), 0);
		assert_true(ip_addr_equal(&got.source, &packet.source));
		assert_true(ip_addr_equal(&got.destination, &packet.destination));
		assert_int_equal(got.tos, packet.tos);
		assert_int_equal(got.ttl, packet.ttl);
		assert_int_equal(got.protocol, packet.protocol);
		assert_int_equal(got.id, packet.id);
		assert_int_equal(got.dont_fragment, packet.dont_fragment);
		assert_int_equal(got.more_fragments, packet.more_fragments);
		assert_int_equal(got.fragment_offset, packet.fragment_offset);
		assert_int_equal(got.payload_bytes, packet.payload_bytes);
		assert_ptr_equal(got.payload, bytes + 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),    cmocka_unit_test(test_truncated_everywhere),
		cmocka_unit_test(test_malformed), cmocka_unit_test(test_any_wrong_bit_is_noticed),
		cmocka_unit_test(test_options),   cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
