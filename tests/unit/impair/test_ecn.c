#include "link/impair/ecn.h"

#include "core/wire/ethernet.h"
#include "core/wire/ipv4.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { LENGTH = ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES + 8 };

static void test_ipv4(void **state)
{
	struct ethernet_header ethernet = { .type = ETHERTYPE_IPV4 };
	struct ip_packet ip = { .ttl = 64, .protocol = IP_PROTOCOL_UDP, .payload_bytes = 8 };
	uint8_t frame[LENGTH] = { 0 };

	(void)state;
	ethernet_write(frame, &ethernet);
	for (unsigned i = 0; i < 4 * 0x10000; i += 0x155) { /* headers whose sums differ */
		ip.tos = (uint8_t)(0xb8 | (i & 3));
		ip.source = ip_addr_v4(0xc0000200 + i);
		ip.destination = ip_addr_v4(0xc6336400 - i);
		ipv4_write(frame + ETHERNET_HEADER_BYTES, &ip);
		assert_int_equal(ecn_get(frame, LENGTH), i & 3);
		for (int to = 0; to < 4; to++) {
			struct ip_packet read;

			assert_int_equal(ecn_set(frame, LENGTH, to), 0);
			assert_int_equal(ecn_get(frame, LENGTH), to);
			assert_int_equal(ipv4_read(frame + ETHERNET_HEADER_BYTES, LENGTH - 14, &read), 0);
			assert_int_equal(read.tos, 0xb8 | to);
		}
	}
	/* A wrong checksum stays wrong: damage is not hidden. */
	frame[ETHERNET_HEADER_BYTES + 8] ^= 1;
	ecn_set(frame, LENGTH, ECN_CE);
	assert_int_equal(ipv4_read(frame + ETHERNET_HEADER_BYTES, LENGTH - 14, &ip), -EILSEQ);
}

static void test_ipv6(void **state)
{
	struct ethernet_header ethernet = { .type = ETHERTYPE_IPV6 };
	uint8_t frame[ETHERNET_HEADER_BYTES + 40] = { 0 }, *ip = frame + ETHERNET_HEADER_BYTES;

	(void)state;
	ethernet_write(frame, &ethernet);
	memcpy(ip, (uint8_t[]){ 0x6b, 0x9f, 0xff, 0xff }, 4); /* traffic class b9, flow fffff */
	assert_int_equal(ecn_get(frame, sizeof(frame)), ECN_ECT1);
	assert_int_equal(ecn_set(frame, sizeof(frame), ECN_CE), 0);
	assert_memory_equal(ip, ((uint8_t[]){ 0x6b, 0xbf, 0xff, 0xff }), 4);
	assert_int_equal(ecn_set(frame, sizeof(frame), ECN_NOT_ECT), 0);
	assert_memory_equal(ip, ((uint8_t[]){ 0x6b, 0x8f, 0xff, 0xff }), 4);
}

static void test_other(void **state)
{
	struct ethernet_header ethernet = { .type = ETHERTYPE_ARP };
	uint8_t frame[60] = { 0 };

	(void)state;
	ethernet_write(frame, &ethernet);
	assert_int_equal(ecn_get(frame, sizeof(frame)), -EBADMSG);
	assert_int_equal(ecn_set(frame, sizeof(frame), ECN_CE), -EBADMSG);
	ethernet.type = ETHERTYPE_IPV6;
	ethernet_write(frame, &ethernet);
	frame[14] = 0x60;
	assert_int_equal(ecn_get(frame, ETHERNET_HEADER_BYTES + 39), -EBADMSG);
	ethernet.type = ETHERTYPE_IPV4;
	ethernet_write(frame, &ethernet);
	assert_int_equal(ecn_get(frame, sizeof(frame)), -EBADMSG); /* its version is 6 */
	frame[14] = 0x45;
	assert_int_equal(ecn_get(frame, ETHERNET_HEADER_BYTES + 19), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
