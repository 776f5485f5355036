#include "core/wire/arp.h"
#include "wire_test.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint8_t request[ARP_BYTES] = {
	0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1, 2, 0, 0, 0, 0, 9, 192, 0, 2, 2,
};

static void test_read_and_write(void **state)
{
	struct arp_packet packet;
	uint8_t out[ARP_BYTES];

	(void)state;
	assert_int_equal(arp_read(request, sizeof(request), &packet), 0);
	assert_int_equal(packet.operation, ARP_REQUEST);
	assert_memory_equal(packet.sender_mac.b, request + 8, 6);
	assert_memory_equal(packet.target_mac.b, request + 18, 6);
	assert_int_equal(ip_addr_to_v4(&packet.sender_ip), 0xc0000201);
	assert_int_equal(ip_addr_to_v4(&packet.target_ip), 0xc0000202);
	assert_true(ip_addr_is_v4(&packet.sender_ip) && ip_addr_is_v4(&packet.target_ip));
	memset(out, 0xee, sizeof(out));
	arp_write(out, &packet);
	assert_memory_equal(out, request, sizeof(request));
	packet.operation = ARP_REPLY;
	arp_write(out, &packet);
	assert_int_equal(out[7], ARP_REPLY);
	assert_int_equal(arp_read(out, sizeof(out), &packet), 0);
	assert_int_equal(packet.operation, ARP_REPLY);
}

static void test_truncated(void **state)
{
	(void)state;
	for (size_t length = 0; length < sizeof(request); length++) {
		struct arp_packet packet = { .operation = 77 };
		uint8_t *copy = exact_copy(request, length);

		assert_int_equal(arp_read(copy, length, &packet), -EBADMSG);
		assert_int_equal(packet.operation, 77);
		free(copy);
	}
}

static void test_padding_is_no_error(void **state)
{
	uint8_t padded[46] = { 0 };
	struct arp_packet packet;

	(void)state;
	memcpy(padded, request, sizeof(request));
	assert_int_equal(arp_read(padded, sizeof(padded), &packet), 0);
}

static void test_not_ours(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} table[] = {
		{ 1, 6 },    { 0, 1 },           /* hardware type */
		{ 2, 0x86 }, { 3, 6 },           /* protocol type */
		{ 4, 8 },    { 4, 0 },           /* length of a hardware address */
		{ 5, 16 },   { 5, 0 },           /* length of a protocol address */
		{ 7, 0 },    { 7, 3 }, { 6, 1 }, /* operation */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct arp_packet packet;
		uint8_t bytes[ARP_BYTES];

		memcpy(bytes, request, sizeof(bytes));
		bytes[table[i].at] = table[i].value;
		assert_int_equal(arp_read(bytes, sizeof(bytes), &packet), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_and_write),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_padding_is_no_error),
		cmocka_unit_test(test_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
