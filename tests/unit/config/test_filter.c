/* Filters of frames as text: what reads, how it is written, and what is said of what does not read. */
#include "config/filter.h"
#include "config/value.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_forms(void **state)
{
	static const struct {
		const char *text, *written;
	} rows[] = {
		{ "", "" },
		{ " \t\n ", "" },
		{ "dport=80", "dport=80" },
		{ "dport==80", "dport=80" },
		{ "  peer=192.0.2.0/24   dport=80,443 ", "peer=192.0.2.0/24 dport=80,443" },
		{ "peer=192.0.2.7/24", "peer=192.0.2.0/24" },
		{ "local=192.0.2.1/32", "local=192.0.2.1" },
		{ "address=2001:db8::1", "address=2001:db8::1" },
		{ "peer=2001:db8:ffff::/33,::/0,0.0.0.0/0", "peer=2001:db8:8000::/33,::/0,0.0.0.0/0" },
		{ "sport!=1024-65535,80", "sport!=1024-65535,80" },
		{ "port=0-65535", "port=0-65535" },
		{ "protocol=udp,tcp", "protocol=tcp,udp" },
		{ "protocol!=arp,nd protocol!=other protocol!=icmp",
		  "protocol!=nd,arp protocol!=other protocol!=icmp" },
		{ "src=192.0.2.1 dst=192.0.2.2 addr=192.0.2.3", "local=192.0.2.1 peer=192.0.2.2 address=192.0.2.3" },
		{ "local_port=1 peer_port=2 remote_port=3 remote=192.0.2.1",
		  "sport=1 dport=2 dport=3 peer=192.0.2.1" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char reason[CONFIG_FILTER_REASON_MAX] = "", text[CONFIG_FILTER_TEXT_MAX];
		struct frame_filter filter, again;

		if (config_filter_read(rows[i].text, &filter, reason) != 0)
			fail_msg("\"%s\": %s", rows[i].text, reason);
		config_filter_write(&filter, text);
		assert_string_equal(text, rows[i].written);
		assert_int_equal(config_filter_read(text, &again, reason), 0);
		assert_memory_equal(&again, &filter, sizeof(filter));
	}
}

static void test_values(void **state)
{
	char reason[CONFIG_FILTER_REASON_MAX];
	struct frame_filter filter;

	(void)state;
	assert_int_equal(config_filter_read("peer!=192.0.2.0/24 dport=80,1000-2000 protocol=tcp", &filter, reason),
	                 0);
	assert_int_equal(filter.condition_count, 3);
	assert_int_equal(filter.value_count, 3);
	assert_int_equal(filter.condition[0].field, FRAME_PEER);
	assert_true(filter.condition[0].except);
	assert_int_equal(filter.value[0].bits, 120);
	assert_int_equal(ip_addr_to_v4(&filter.value[0].prefix), 0xc0000200);
	assert_int_equal(filter.condition[1].field, FRAME_PEER_PORT);
	assert_int_equal(filter.condition[1].first, 1);
	assert_int_equal(filter.condition[1].count, 2);
	assert_int_equal(filter.value[1].low, 80);
	assert_int_equal(filter.value[1].high, 80);
	assert_int_equal(filter.value[2].low, 1000);
	assert_int_equal(filter.value[2].high, 2000);
	assert_int_equal(filter.condition[2].protocols, 1 << FRAME_TCP);
}

static void test_errors(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "dport", "character 1: dport is not a condition such as dport=80,443 or peer!=192.0.2.0/24" },
		{ "dport = 80", "character 1: dport is not a condition" },
		{ "port=7 =80", "character 8: =80 is not a condition" },
		{ "dport!80", "character 1: dport!80 is not a condition" },
		{ "dport<80", "character 1: dport<80 is not a condition" },
		{ "port=7 dpor=80", "character 8: dpor is not a field: peer, local, address, dport, sport, port or "
		                    "protocol; did you mean dport?" },
		{ "dport=", "character 7:  is not a port from 0 to 65535 or a range such as 1024-65535" },
		{ "dport=80,", "character 10:  is not a port" },
		{ "dport=80,,81", "character 10:  is not a port" },
		{ "dport=80,65536", "character 10: 65536 is not a port" },
		{ "dport=2000-1000", "character 7: 2000-1000 is not a port" },
		{ "dport=1-2-3", "character 7: 1-2-3 is not a port" },
		{ "dport=-3", "character 7: -3 is not a port" },
		{ "peer=example.com", "character 6: example.com is not an address or prefix" },
		{ "peer=192.0.2.0/33", "character 6: 192.0.2.0/33 is not an address or prefix" },
		{ "protocol=sctp", "character 10: sctp is not a protocol: tcp, udp, icmp, nd, arp or other" },
		{ "port=1 port=1 port=1 port=1 port=1 port=1 port=1 port=1 port=9",
		  "character 57: more than 8 conditions" },
		{ "port=0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2",
		  "character 70: more than 32 values" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char reason[CONFIG_FILTER_REASON_MAX] = "";
		struct frame_filter filter = { .condition_count = 4711 };

		if (config_filter_read(rows[i].text, &filter, reason) != -EINVAL ||
		    strncmp(reason, rows[i].says, strlen(rows[i].says)) != 0)
			fail_msg("\"%s\": %s", rows[i].text, reason);
		assert_int_equal(filter.condition_count, 4711);
	}
}

/* The longest that can be written has room. */
static void test_longest(void **state)
{
	char text[4000] = "", reason[CONFIG_FILTER_REASON_MAX], written[CONFIG_FILTER_TEXT_MAX];
	struct frame_filter filter;

	(void)state;
	for (unsigned i = 0; i < FRAME_FILTER_CONDITIONS_MAX; i++) {
		strcat(text, i == 0 ? "address!=" : " address!=");
		for (unsigned v = 0; v < FRAME_FILTER_VALUES_MAX / FRAME_FILTER_CONDITIONS_MAX; v++) {
			strcat(text, v == 0 ? "" : ",");
			strcat(text, "2001:db8:1111:1111:1111:1111:1111:1110/127");
		}
	}
	assert_int_equal(config_filter_read(text, &filter, reason), 0);
	config_filter_write(&filter, written);
	assert_string_equal(written, text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
