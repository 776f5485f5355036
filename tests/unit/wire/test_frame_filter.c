/* Which frames a filter takes. */
#include "core/wire/bytes.h"
#include "core/wire/ethernet.h"
#include "core/wire/frame_filter.h"
#include "core/wire/icmp6.h"
#include "core/wire/ipv4.h"
#include "core/wire/ipv6.h"
#include "wire_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define LOCAL4 0xc0000202u
#define PEER4 0xc6336407u
#define EPHEMERAL 49152

static const struct ip_addr local6 = { { 0x20, 0x01, 0x0d, 0xb8, [15] = 2 } };
static const struct ip_addr peer6 = { { 0x20, 0x01, 0x0d, 0xb8, [4] = 7, [15] = 7 } };

/* A frame from the peer's port 49152 to the stack's port 80. */
struct example {
	uint8_t bytes[200];
	uint32_t length;
};

static struct example make(uint16_t type)
{
	struct example made = { .length = ETHERNET_HEADER_BYTES };

	ethernet_write(made.bytes, &(struct ethernet_header){ .type = type });
	return made;
}

static void add_ports(uint8_t *at)
{
	store16(at, EPHEMERAL);
	store16(at + 2, 80);
}

static struct example v4(uint8_t protocol, uint32_t fragment_offset, bool more)
{
	struct ip_packet packet = { .source = ip_addr_v4(PEER4),
		                    .destination = ip_addr_v4(LOCAL4),
		                    .ttl = 64,
		                    .protocol = protocol,
		                    .fragment_offset = fragment_offset,
		                    .more_fragments = more,
		                    .payload_bytes = 20 };
	struct example made = make(ETHERTYPE_IPV4);

	ipv4_write(made.bytes + 14, &packet);
	add_ports(made.bytes + 34);
	made.length = 54;
	return made;
}

/* With `extensions` (their first octet names what follows) between header and ports. */
static struct example v6(uint8_t first, const uint8_t *extensions, size_t length)
{
	struct ip_packet packet = { .source = peer6,
		                    .destination = local6,
		                    .ttl = 64,
		                    .protocol = first,
		                    .payload_bytes = (uint32_t)(20 + length) };
	struct example made = make(ETHERTYPE_IPV6);

	ipv6_write(made.bytes + 14, &packet);
	if (length > 0)
		memcpy(made.bytes + 54, extensions, length);
	add_ports(made.bytes + 54 + length);
	made.length = (uint32_t)(74 + length);
	return made;
}

static struct frame_flow flow_of(const struct example *example, bool out)
{
	struct frame_flow flow;
	uint8_t *copy = exact_copy(example->bytes, example->length);

	frame_flow_read(copy, example->length, out, &flow);
	free(copy);
	return flow;
}

static void test_ends(void **state)
{
	struct ip_addr local = ip_addr_v4(LOCAL4), peer = ip_addr_v4(PEER4);
	struct example example = v4(IP_PROTOCOL_TCP, 0, false);
	struct frame_flow in = flow_of(&example, false), out = flow_of(&example, true);

	(void)state;
	assert_true(in.has_addresses && in.has_ports);
	assert_int_equal(in.protocol, FRAME_TCP);
	assert_true(ip_addr_equal(&in.local, &local) && ip_addr_equal(&in.peer, &peer));
	assert_int_equal(in.local_port, 80);
	assert_int_equal(in.peer_port, EPHEMERAL);
	assert_true(ip_addr_equal(&out.local, &peer) && ip_addr_equal(&out.peer, &local));
	assert_int_equal(out.local_port, EPHEMERAL);
	assert_int_equal(out.peer_port, 80);
}

#define OPTIONS(next) next, 0, 1, 4, 0, 0, 0, 0
#define LONG_OPTIONS(next) next, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
#define FRAGMENT(next, offset_and_more) next, 0, (offset_and_more) >> 8, (offset_and_more)&0xff, 0, 0, 0, 9

static const struct {
	const char *what;
	uint8_t first, bytes[80];
	size_t length;
	enum frame_protocol protocol;
	bool has_ports;
} chains[] = {
	{ "none", 6, { 0 }, 0, FRAME_TCP, true },
	{ "UDP", 17, { 0 }, 0, FRAME_UDP, true },
	{ "hop by hop", 0, { OPTIONS(6) }, 8, FRAME_TCP, true },
	{ "two, one of them long", 0, { OPTIONS(60), LONG_OPTIONS(6) }, 24, FRAME_TCP, true },
	{ "routing", 43, { OPTIONS(17) }, 8, FRAME_UDP, true },
	{ "first fragment", 44, { FRAGMENT(6, 1) }, 8, FRAME_TCP, true },
	{ "a later fragment", 44, { FRAGMENT(6, 1281) }, 8, FRAME_TCP, false },
	{ "the last fragment", 44, { FRAGMENT(6, 1280) }, 8, FRAME_TCP, false },
	{ "atomic fragment", 44, { FRAGMENT(6, 0) }, 8, FRAME_TCP, true },
	{ "a later fragment that begins with options", 44, { FRAGMENT(60, 8), OPTIONS(6) }, 16, FRAME_OTHER, false },
	{ "nothing next", 59, { 0 }, 0, FRAME_OTHER, false },
	{ "more than there may be",
	  0,
	  { OPTIONS(60), OPTIONS(60), OPTIONS(60), OPTIONS(60), OPTIONS(60), OPTIONS(60), OPTIONS(60), OPTIONS(60),
	    OPTIONS(6) },
	  72,
	  FRAME_OTHER,
	  false },
	{ "as many as there may be",
	  0,
	  { OPTIONS(60), OPTIONS(60), OPTIONS(60), OPTIONS(60), OPTIONS(60), OPTIONS(60), OPTIONS(60), OPTIONS(6) },
	  64,
	  FRAME_TCP,
	  true },
	{ "a length beyond the frame", 60, { 6, 200 }, 8, FRAME_OTHER, false },
};

static void test_extensions(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(chains); i++) {
		struct example example = v6(chains[i].first, chains[i].bytes, chains[i].length);
		struct frame_flow flow = flow_of(&example, false);

		if (flow.protocol != chains[i].protocol || flow.has_ports != chains[i].has_ports ||
		    !flow.has_addresses || (flow.has_ports && flow.local_port != 80))
			fail_msg("%s: protocol %d, ports %d", chains[i].what, flow.protocol, flow.has_ports);
		assert_true(ip_addr_equal(&flow.peer, &peer6) && ip_addr_equal(&flow.local, &local6));
	}
}

static void test_fragments_of_v4(void **state)
{
	struct example first = v4(IP_PROTOCOL_TCP, 0, true), later = v4(IP_PROTOCOL_TCP, 1480, false);
	struct frame_flow a = flow_of(&first, false), b = flow_of(&later, false);

	(void)state;
	assert_true(a.has_ports && a.protocol == FRAME_TCP);
	assert_true(!b.has_ports && b.has_addresses && b.protocol == FRAME_TCP);
}

static void test_protocols(void **state)
{
	static const struct {
		uint8_t type;
		enum frame_protocol protocol;
	} icmp6[] = {
		{ ICMP6_ECHO, FRAME_ICMP },
		{ ICMP6_MLD2_REPORT, FRAME_ICMP },
		{ ICMP6_ROUTER_SOLICITATION, FRAME_ND },
		{ ICMP6_REDIRECT, FRAME_ND },
		{ ICMP6_REDIRECT + 1, FRAME_ICMP },
		{ ICMP6_ROUTER_SOLICITATION - 1, FRAME_ICMP },
	};
	struct example example = v4(IP_PROTOCOL_ICMP, 0, false);

	(void)state;
	assert_int_equal(flow_of(&example, false).protocol, FRAME_ICMP);
	assert_false(flow_of(&example, false).has_ports);
	for (size_t i = 0; i < COUNT(icmp6); i++) {
		example = v6(IP_PROTOCOL_ICMPV6, NULL, 0);
		example.bytes[54] = icmp6[i].type;
		assert_int_equal(flow_of(&example, false).protocol, icmp6[i].protocol);
	}
	example = make(ETHERTYPE_ARP);
	assert_int_equal(flow_of(&example, false).protocol, FRAME_ARP);
	example = v4(IP_PROTOCOL_TCP, 0, false);
	store16(example.bytes + 12, 0x8100); /* a VLAN tag */
	assert_int_equal(flow_of(&example, false).protocol, FRAME_OTHER);
	assert_false(flow_of(&example, false).has_addresses);
}

/* Cut anywhere, nothing is read that is not there; what is known of it is still true. */
static void test_cut(void **state)
{
	static const uint8_t options[] = { LONG_OPTIONS(6) };
	struct example examples[] = { v4(IP_PROTOCOL_TCP, 0, false), v6(IP_PROTOCOL_HOP_BY_HOP, options, 16) };
	const uint32_t ports_end[] = { 38, 74 }, addresses_end[] = { 34, 54 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		for (uint32_t length = examples[i].length; length-- > 0;) {
			struct frame_flow flow;

			examples[i].length = length;
			flow = flow_of(&examples[i], false);
			assert_int_equal(flow.has_ports, length >= ports_end[i]);
			assert_int_equal(flow.has_addresses, length >= addresses_end[i]);
		}
	}
}

/* ---- conditions --------------------------------------------------------------------------------------------------
 */

static struct frame_filter_value prefix4(uint32_t ip, unsigned bits)
{
	return (struct frame_filter_value){ .prefix = ip_addr_v4(ip), .bits = (uint8_t)(96 + bits) };
}

static struct frame_filter_value ports(uint16_t low, uint16_t high)
{
	return (struct frame_filter_value){ .low = low, .high = high };
}

static bool fits_one(uint8_t field, bool except, struct frame_filter_value first, struct frame_filter_value second,
                     const struct example *example, bool out)
{
	struct frame_filter filter = {
		.condition_count = 1,
		.value_count = 2,
		.condition[0] = { .field = field, .except = except, .count = 2 },
		.value = { first, second },
	};

	return frame_filter_matches(&filter, example->bytes, example->length, out);
}

static void test_addresses(void **state)
{
	struct frame_filter_value peer = prefix4(PEER4 & 0xffffff00, 24), local = prefix4(LOCAL4, 32),
	                          nobody = prefix4(0xcb007100, 24), any4 = prefix4(0, 0),
	                          any6 = { .prefix = { { 0 } }, .bits = 0 };
	struct example four = v4(IP_PROTOCOL_TCP, 0, false), six = v6(IP_PROTOCOL_TCP, NULL, 0);
	struct example arp = make(ETHERTYPE_ARP);

	(void)state;
	assert_true(fits_one(FRAME_PEER, false, nobody, peer, &four, false));
	assert_false(fits_one(FRAME_PEER, false, nobody, peer, &four, true));
	assert_false(fits_one(FRAME_PEER, false, nobody, local, &four, false));
	assert_true(fits_one(FRAME_LOCAL, false, nobody, local, &four, false));
	assert_true(fits_one(FRAME_LOCAL, false, peer, nobody, &four, true));
	assert_true(fits_one(FRAME_ADDRESS, false, nobody, peer, &four, false));
	assert_true(fits_one(FRAME_ADDRESS, false, nobody, local, &four, false));
	assert_false(fits_one(FRAME_ADDRESS, false, nobody, nobody, &four, false));
	assert_true(fits_one(FRAME_PEER, true, nobody, nobody, &four, false));
	assert_false(fits_one(FRAME_PEER, true, nobody, peer, &four, false));
	/* 0.0.0.0/0 and ::/0 are all of one family */
	assert_true(fits_one(FRAME_PEER, false, any4, any4, &four, false));
	assert_false(fits_one(FRAME_PEER, false, any6, any6, &four, false));
	assert_true(fits_one(FRAME_PEER, false, any6, any6, &six, false));
	assert_false(fits_one(FRAME_PEER, false, any4, any4, &six, false));
	/* what has no addresses fits neither */
	assert_false(fits_one(FRAME_PEER, false, any4, any6, &arp, false));
	assert_false(fits_one(FRAME_PEER, true, nobody, nobody, &arp, false));
}

static void test_ports(void **state)
{
	struct frame_filter_value web = ports(80, 80), high = ports(EPHEMERAL, 65535), low = ports(0, EPHEMERAL - 1),
	                          other = ports(443, 443);
	struct example tcp = v4(IP_PROTOCOL_TCP, 0, false), later = v4(IP_PROTOCOL_TCP, 1480, false);

	(void)state;
	assert_true(fits_one(FRAME_LOCAL_PORT, false, other, web, &tcp, false));
	assert_false(fits_one(FRAME_LOCAL_PORT, false, other, web, &tcp, true));
	assert_true(fits_one(FRAME_PEER_PORT, false, web, high, &tcp, false));
	assert_false(fits_one(FRAME_PEER_PORT, false, low, low, &tcp, false));
	assert_true(fits_one(FRAME_PORT, false, other, web, &tcp, true));
	assert_false(fits_one(FRAME_PORT, false, other, other, &tcp, true));
	assert_true(fits_one(FRAME_PORT, true, other, other, &tcp, true));
	assert_false(fits_one(FRAME_PORT, false, low, high, &later, false));
	assert_false(fits_one(FRAME_PORT, true, other, other, &later, false));
}

static void test_conjunction(void **state)
{
	struct frame_filter filter = {
		.condition_count = 3,
		.value_count = 2,
		.condition = { { .field = FRAME_PEER, .count = 1 },
		               { .field = FRAME_LOCAL_PORT, .first = 1, .count = 1 },
		               { .field = FRAME_PROTOCOL, .protocols = 1 << FRAME_TCP } },
		.value = { prefix4(PEER4, 32), ports(80, 80) },
	};
	struct example tcp = v4(IP_PROTOCOL_TCP, 0, false), udp = v4(IP_PROTOCOL_UDP, 0, false);
	struct frame_filter all = { 0 };

	(void)state;
	assert_true(frame_filter_matches(&filter, tcp.bytes, tcp.length, false));
	assert_false(frame_filter_matches(&filter, tcp.bytes, tcp.length, true));
	assert_false(frame_filter_matches(&filter, udp.bytes, udp.length, false));
	filter.condition[2].except = true;
	assert_true(frame_filter_matches(&filter, udp.bytes, udp.length, false));
	assert_false(frame_filter_matches(&filter, tcp.bytes, tcp.length, false));
	assert_true(frame_filter_matches(&all, NULL, 0, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),      cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_protocols), cmocka_unit_test(test_fragments_of_v4),
		cmocka_unit_test(test_cut),       cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_ports),     cmocka_unit_test(test_conjunction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
