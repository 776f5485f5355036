#include "../../support/test_random.h"
#include "core/wire/checksum.h"
#include "wire_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_rfc_1071_example(void **state)
{
	static const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	(void)state;
	assert_int_equal(checksum_fold(checksum_add(0, bytes, sizeof(bytes), 0)), 0xddf2);
	assert_int_equal(checksum_fold(checksum_add(0, bytes, 0, 0)), 0);
	assert_int_equal(checksum_fold(checksum_add(0, NULL, 0, 1)), 0);
}

static void test_every_length_and_alignment(void **state)
{
	struct test_random random = test_random_begin("checksum");
	uint8_t bytes[400];

	(void)state;
	test_random_fill(&random, bytes, sizeof(bytes));
	for (size_t offset = 0; offset < 16; offset++)
		for (size_t length = 0; length <= 300; length++)
			assert_int_equal(checksum_fold(checksum_add(0, bytes + offset, length, 0)),
			                 naive_sum(bytes + offset, length));
	for (size_t length = 0; length <= 300; length++) {
		uint8_t *copy = exact_copy(bytes, length);

		assert_int_equal(checksum_fold(checksum_add(0, copy, length, 0)), naive_sum(copy, length));
		free(copy);
	}
}

/* All ones are where carries are lost, if they are. */
static void test_carries(void **state)
{
	static uint8_t ones[65536];
	uint64_t sum = 0;

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	for (size_t length = sizeof(ones) - 70; length <= sizeof(ones); length++)
		assert_int_equal(checksum_fold(checksum_add(0, ones, length, 0)), naive_sum(ones, length));
	for (int i = 0; i < 100000; i++)
		sum = checksum_add(sum, ones, 8, 0);
	assert_int_equal(checksum_fold(sum), 0xffff);
	assert_int_equal(checksum_fold(UINT64_MAX), 0xffff);
	assert_int_equal(checksum_fold(0x1ffff0000fffe), 0xffff);
}

static void test_any_split_gives_the_same(void **state)
{
	struct test_random random = test_random_begin("checksum in parts");
	static uint8_t bytes[5000];

	(void)state;
	for (int run = 0; run < 2000; run++) {
		size_t length = test_random_below(&random, sizeof(bytes)), done = 0, lead;
		uint64_t sum = 0, rest;
		struct iovec iov[8];
		int count = 0;

		test_random_fill(&random, bytes, 50);
		bytes[test_random_below(&random, sizeof(bytes))] ^= (uint8_t)run;
		while (done < length) {
			size_t part = test_random_below(&random, (uint32_t)(length - done) + 1);

			if (count == 7)
				part = length - done;
			iov[count++] = (struct iovec){ bytes + done, part };
			done += part;
			if (count == 8)
				break;
		}
		assert_int_equal(checksum_fold(checksum_add_iov(0, iov, count, 0)), naive_sum(bytes, length));
		/* The same, with the first part added by itself. */
		if (count == 0)
			continue;
		lead = iov[0].iov_len;
		sum = checksum_add(0, bytes, lead, 0);
		rest = checksum_add_iov(sum, iov + 1, count - 1, lead);
		assert_int_equal(checksum_fold(rest), naive_sum(bytes, length));
		assert_int_equal(checksum_fold(checksum_add(sum, bytes + lead, length - lead, lead & 1)),
		                 naive_sum(bytes, length));
	}
}

static void test_pseudo_header(void **state)
{
	static const uint8_t v4[] = { 192, 0, 2, 1, 192, 0, 2, 255, 0, 6, 0x12, 0x34 };
	struct ip_addr a4 = ip_addr_v4(0xc0000201), b4 = ip_addr_v4(0xc00002ff);
	struct ip_addr a6 = { { 0x20, 0x01, 0x0d, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 } };
	struct ip_addr b6 = { { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 9, 10, 11, 13 } };
	uint8_t v6[40] = { 0 };

	(void)state;
	assert_int_equal(checksum_fold(checksum_pseudo(&a4, &b4, 6, 0x1234)), naive_sum(v4, sizeof(v4)));
	memcpy(v6, a6.b, 16);
	memcpy(v6 + 16, b6.b, 16);
	v6[33] = 0x01; /* a length over 16 bits */
	v6[34] = 0x12;
	v6[35] = 0x34;
	v6[39] = 6;
	assert_int_equal(checksum_fold(checksum_pseudo(&a6, &b6, 6, 0x11234)), naive_sum(v6, sizeof(v6)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc_1071_example), cmocka_unit_test(test_every_length_and_alignment),
		cmocka_unit_test(test_carries),          cmocka_unit_test(test_any_split_gives_the_same),
		cmocka_unit_test(test_pseudo_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
