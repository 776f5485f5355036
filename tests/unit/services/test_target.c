#include "services/relay.h"
#include "services/service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <setjmp.h>

#include <cmocka.h>

static void text_of(const struct service_target *target, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN];
	const struct sockaddr_in *in = (const struct sockaddr_in *)&target->address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&target->address;

	switch (target->address.ss_family) {
	case AF_UNIX:
		snprintf(text, size, "unix %s", ((const struct sockaddr_un *)&target->address)->sun_path);
		break;
	case AF_INET:
		snprintf(text, size, "inet %s %u", inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host)),
		         ntohs(in->sin_port));
		break;
	default:
		snprintf(text, size, "inet6 %s %u", inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host)),
		         ntohs(in6->sin6_port));
	}
}

static void targets_are_understood(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "unix:/run/web.sock", "unix /run/web.sock" },
		{ "tcp:127.0.0.1:80", "inet 127.0.0.1 80" },
		{ "tcp:[::1]:8080", "inet6 ::1 8080" },
		{ "tcp:[2001:db8::7]:65535", "inet6 2001:db8::7 65535" },
	};
	char error[200], text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct service_target target;

		assert_int_equal(service_target_parse(rows[i].text, &target, error, sizeof(error)), 0);
		text_of(&target, text, sizeof(text));
		assert_string_equal(text, rows[i].expected);
		assert_true(target.length > 0);
	}
}

static void wrong_targets_are_explained(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "", "a target is" },
		{ "udp:1.2.3.4:5", "a target is" },
		{ "unix:", "absolute path" },
		{ "unix:run/web", "absolute path" },
		{ "unix:/0123456789012345678901234567890123456789012345678901234567890123456789"
		  "0123456789012345678901234567890123456789",
		  "at most 107 bytes, this one 111" },
		{ "tcp:", "HOST:PORT" },
		{ "tcp:127.0.0.1", "HOST:PORT" },
		{ "tcp:127.0.0.1:", "1 to 65535" },
		{ "tcp:127.0.0.1:0", "1 to 65535" },
		{ "tcp:127.0.0.1:65536", "1 to 65535" },
		{ "tcp:127.0.0.1:http", "1 to 65535" },
		{ "tcp:127.0.0.1:80x", "1 to 65535" },
		{ "tcp:::1:80", "brackets" },
		{ "tcp::80", "host before the port" },
		{ "tcp:[]:80", "host before the port" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct service_target target = { .length = 99 };
		char error[200] = "";

		assert_int_equal(service_target_parse(rows[i].text, &target, error, sizeof(error)), -EINVAL);
		if (!strstr(error, rows[i].error))
			fail_msg("\"%s\": \"%s\" does not speak of \"%s\"", rows[i].text, error, rows[i].error);
		assert_int_equal(target.length, 99);
	}
}

/* The bytes as the protocol's specification lays them out. */
static void proxy_headers(void **state)
{
	static const uint8_t v4[] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49,
		                      0x54, 0x0a, 0x21, 0x11, 0,    12,   192,  0,    2,    2,
		                      192,  0,    2,    1,    0xc3, 0x50, 0,    80 };
	static const uint8_t v6[] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21,
		                      0x21, 0,    36,   0x20, 0x01, 0x0d, 0xb8, 0,    0,    0,    0,    0,    0,
		                      0,    0,    0,    0,    0,    2,    0x20, 0x01, 0x0d, 0xb8, 0,    0,    0,
		                      0,    0,    0,    0,    0,    0,    0,    0,    1,    0xff, 0xff, 0,    1 };
	struct flow flow = { ip_addr_v4(0xc0000201), ip_addr_v4(0xc0000202), 80, 50000 };
	uint8_t header[PROXY_HEADER_MAX];

	(void)state;
	assert_int_equal(proxy_header(&flow, header), sizeof(v4));
	assert_memory_equal(header, v4, sizeof(v4));
	memcpy(flow.local.b, v6 + 32, 16);
	memcpy(flow.remote.b, v6 + 16, 16);
	flow.local_port = 1;
	flow.remote_port = 65535;
	assert_int_equal(proxy_header(&flow, header), sizeof(v6));
	assert_memory_equal(header, v6, sizeof(v6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_are_understood),
		cmocka_unit_test(wrong_targets_are_explained),
		cmocka_unit_test(proxy_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
