/* ICMPv6 and the messages of neighbour discovery in it (RFC 4443, RFC 4861). */
#include "core/wire/bytes.h"
#include "core/wire/nd.h"
#include "wire_test.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct ip_addr source = { { 0xfe, 0x80, [15] = 1 } };
static const struct ip_addr destination = { { 0xfe, 0x80, [15] = 2 } };
static const struct mac_addr mac = { { 2, 0, 0, 0, 0, 9 } };

static void test_echo(void **state)
{
	struct icmp6_message ping = {
		.type = ICMP6_ECHO, .word = 0x00070001, .payload = (const uint8_t *)"data", .payload_bytes = 4
	};
	/* By hand: the pseudo-header and the message (RFC 8200 section 8.1). */
	uint8_t summed[40 + 12] = { [35] = 12, [39] = 58 }, bytes[12];
	struct icmp6_message read;

	(void)state;
	assert_int_equal(icmp6_write(bytes, &source, &destination, &ping), 12);
	memcpy(summed, source.b, 16);
	memcpy(summed + 16, destination.b, 16);
	memcpy(summed + 40, bytes, 12);
	assert_int_equal(naive_sum(summed, sizeof(summed)), 0xffff);
	assert_int_equal(icmp6_read(bytes, 12, &source, &destination, &read), 0);
	assert_int_equal(read.type, ICMP6_ECHO);
	assert_int_equal(read.word, 0x00070001);
	assert_int_equal(read.payload_bytes, 4);
	assert_memory_equal(read.payload, "data", 4);
	for (size_t i = 0; i < 12; i++) {
		bytes[i] ^= 0x10;
		assert_int_equal(icmp6_read(bytes, 12, &source, &destination, &read), -EILSEQ);
		bytes[i] ^= 0x10;
	}
	/* Addresses are part of it. */
	assert_int_equal(icmp6_read(bytes, 12, &source, &source, &read), -EILSEQ);
	assert_int_equal(icmp6_read(bytes, 7, &source, &destination, &read), -EBADMSG);
}

static void test_neighbour_messages(void **state)
{
	const struct nd_message messages[] = {
		{ .type = ICMP6_ROUTER_SOLICITATION },
		{ .type = ICMP6_ROUTER_SOLICITATION, .options = { .has_source_mac = true, .source_mac = mac } },
		{ .type = ICMP6_NEIGHBOUR_SOLICITATION, .target = destination },
		{ .type = ICMP6_NEIGHBOUR_SOLICITATION,
		  .target = destination,
		  .options = { .has_source_mac = true, .source_mac = mac, .has_nonce = true, .nonce = "nonces" } },
		{ .type = ICMP6_NEIGHBOUR_ADVERTISEMENT,
		  .target = destination,
		  .solicited = true,
		  .options = { .has_target_mac = true, .target_mac = mac } },
		{ .type = ICMP6_NEIGHBOUR_ADVERTISEMENT, .target = destination, .override = true, .router = true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(messages); i++) {
		uint8_t bytes[ND_MESSAGE_BYTES_MAX];
		struct icmp6_message icmp;
		struct nd_message read;
		size_t length = nd_write(bytes, &source, &destination, &messages[i]);

		assert_true(length <= sizeof(bytes) && length % 8 == 0);
		assert_int_equal(icmp6_read(bytes, length, &source, &destination, &icmp), 0);
		assert_int_equal(nd_read(&icmp, &read), 0);
		assert_int_equal(read.type, messages[i].type);
		assert_memory_equal(&read.target, &messages[i].target, 16);
		assert_int_equal(read.solicited, messages[i].solicited);
		assert_int_equal(read.override, messages[i].override);
		assert_int_equal(read.router, messages[i].router);
		assert_int_equal(read.options.has_source_mac, messages[i].options.has_source_mac);
		assert_int_equal(read.options.has_target_mac, messages[i].options.has_target_mac);
		assert_int_equal(read.options.has_nonce, messages[i].options.has_nonce);
		assert_memory_equal(read.options.nonce, messages[i].options.nonce, ND_NONCE_BYTES);
		assert_memory_equal(&read.options.source_mac, &messages[i].options.source_mac, 6);
		assert_memory_equal(&read.options.target_mac, &messages[i].options.target_mac, 6);
		for (size_t cut = 0; cut < icmp.payload_bytes; cut++) {
			struct icmp6_message part = icmp;
			uint8_t *copy = exact_copy(icmp.payload, cut);
			bool whole = cut == 0 && icmp.type == ICMP6_ROUTER_SOLICITATION;

			part.payload = copy;
			part.payload_bytes = (uint32_t)cut;
			if (cut % 8 || (cut < 16 && !whole))
				assert_int_equal(nd_read(&part, &read), -EBADMSG);
			free(copy);
		}
	}
}

static void test_router_advertisement(void **state)
{
	static const uint8_t payload[] = {
		0,    0, 0x75, 0x30, 0,  0,  3,    0xe8, /* reachable 30 s, retransmit 1 s */
		1,    1, 2,    0,    0,  0,  0,    9,    /* its MAC */
		5,    1, 0,    0,    0,  0,  5,    0xdc, /* MTU 1500 */
		99,   2, 1,    2,    3,  4,  5,    6,    /* of no known kind */
		7,    8, 9,    10,   11, 12, 13,   14,   /* its rest */
		3,    4, 60,   0xc0, 0,  0,  0x0e, 0x10, /* prefix: 60 bits, on-link, autonomous, 1 h */
		0,    0, 7,    8,    0,  0,  0,    0,    /* preferred 30 min */
		0x20, 1, 0xd,  0xb8, 0,  0,  0,    0xff, /* bits beyond the 60 don't count */
		1,    2, 3,    4,    5,  6,  7,    8,
	};
	struct icmp6_message icmp = { .type = ICMP6_ROUTER_ADVERTISEMENT,
		                      .word = 0x40080708, /* hop limit 64, preference high, 1800 s */
		                      .payload = payload,
		                      .payload_bytes = sizeof(payload) };
	struct nd_message read;

	(void)state;
	assert_int_equal(nd_read(&icmp, &read), 0);
	assert_int_equal(read.hop_limit, 64);
	assert_int_equal(read.preference, 1);
	assert_int_equal(read.lifetime_s, 1800);
	assert_int_equal(read.reachable_ms, 30000);
	assert_int_equal(read.retransmit_ms, 1000);
	assert_true(read.options.has_source_mac);
	assert_memory_equal(&read.options.source_mac, &mac, 6);
	assert_int_equal(read.options.mtu_bytes, 1500);
	assert_int_equal(read.options.prefix_count, 1);
	assert_int_equal(read.options.prefix[0].bits, 60);
	assert_true(read.options.prefix[0].on_link && read.options.prefix[0].autonomous);
	assert_int_equal(read.options.prefix[0].valid_s, 3600);
	assert_int_equal(read.options.prefix[0].preferred_s, 1800);
	assert_memory_equal(&read.options.prefix[0].prefix, "\x20\1\xd\xb8\0\0\0\xf0\0\0\0\0\0\0\0", 16);
	icmp.word = 0x40180708;
	nd_read(&icmp, &read);
	assert_int_equal(read.preference, -1);
	icmp.word = 0x40100708; /* reserved: as medium */
	nd_read(&icmp, &read);
	assert_int_equal(read.preference, 0);
}

/* RFC 4861 sections 6.1 and 7.1: what makes a message invalid as a whole. */
static void test_refused(void **state)
{
	uint8_t payload[8 * (ND_OPTIONS_MAX + 3)] = { 0xfe, 0x80, [15] = 2 };
	struct icmp6_message icmp = { .type = ICMP6_NEIGHBOUR_SOLICITATION, .payload = payload };
	struct nd_message read;

	(void)state;
	for (size_t at = 16; at < sizeof(payload); at += 8) {
		payload[at] = 99;
		payload[at + 1] = 1;
	}
	icmp.payload_bytes = 16 + 8 * ND_OPTIONS_MAX;
	assert_int_equal(nd_read(&icmp, &read), 0);
	icmp.payload_bytes += 8;
	assert_int_equal(nd_read(&icmp, &read), -EBADMSG); /* too many options */
	icmp.payload_bytes = 24;
	icmp.code = 1;
	assert_int_equal(nd_read(&icmp, &read), -EBADMSG);
	icmp.code = 0;
	payload[17] = 0;
	assert_int_equal(nd_read(&icmp, &read), -EBADMSG); /* an option of no length */
	payload[17] = 2;
	assert_int_equal(nd_read(&icmp, &read), -EBADMSG); /* past the end */
	payload[17] = 1;
	payload[0] = 0xff;
	assert_int_equal(nd_read(&icmp, &read), -EBADMSG); /* a group */
	payload[0] = 0xfe;
	icmp.type = ICMP6_ECHO;
	assert_int_equal(nd_read(&icmp, &read), -EBADMSG);
}

/* More prefixes than are kept, a MAC that isn't Ethernet's, a second MAC: nothing of it does harm. */
static void test_odd_options(void **state)
{
	uint8_t payload[8 + 32 * (ND_PREFIXES_MAX + 1) + 16 + 8 + 8] = { 0 }, *at = payload + 8;
	struct icmp6_message icmp = { .type = ICMP6_ROUTER_ADVERTISEMENT,
		                      .payload = payload,
		                      .payload_bytes = sizeof(payload) };
	struct nd_message read;

	(void)state;
	for (int i = 0; i <= ND_PREFIXES_MAX; i++, at += 32) {
		at[0] = 3;
		at[1] = 4;
		at[2] = (uint8_t)(i == 1 ? 129 : 64);
	}
	at[0] = 1;
	at[1] = 2; /* 14 bytes of MAC */
	at += 16;
	for (int i = 0; i < 2; i++, at += 8) {
		at[0] = 1;
		at[1] = 1;
		at[7] = (uint8_t)(1 + i);
	}
	assert_int_equal(nd_read(&icmp, &read), 0);
	assert_int_equal(read.options.prefix_count, ND_PREFIXES_MAX); /* the one of 129 bits left out */
	assert_int_equal(read.options.source_mac.b[5], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_neighbour_messages),
		cmocka_unit_test(test_router_advertisement),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_odd_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
