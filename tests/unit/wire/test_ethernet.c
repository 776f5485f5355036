#include "core/wire/ethernet.h"
#include "wire_test.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint8_t frame[] = { 0x02, 1, 2, 3, 4, 5, 0x02, 11, 12, 13, 14, 15, 0x08, 0x06 };

static void test_read_and_write(void **state)
{
	struct ethernet_header header;
	uint8_t out[ETHERNET_HEADER_BYTES];

	(void)state;
	assert_int_equal(ethernet_read(frame, sizeof(frame), &header), 0);
	assert_memory_equal(header.destination.b, frame, 6);
	assert_memory_equal(header.source.b, frame + 6, 6);
	assert_int_equal(header.type, ETHERTYPE_ARP);
	ethernet_write(out, &header);
	assert_memory_equal(out, frame, sizeof(frame));
}

static void test_truncated(void **state)
{
	(void)state;
	for (size_t length = 0; length < sizeof(frame); length++) {
		struct ethernet_header header = { .type = 0x5a5a };
		uint8_t *copy = exact_copy(frame, length);

		assert_int_equal(ethernet_read(copy, length, &header), -EBADMSG);
		assert_int_equal(header.type, 0x5a5a);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_and_write),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
