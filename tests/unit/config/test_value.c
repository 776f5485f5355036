/* Single values: what reads, what does not, and that what is written reads back. */
#include "config/form.h"
#include "config/value.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct number_row {
	const char *text;
	int result;
	uint64_t value;
};

static void check_numbers(const struct number_row *rows, size_t count, int (*read)(const char *, uint64_t *))
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = 4711;
		int r = read(rows[i].text, &value);

		if (r != rows[i].result || value != (r == 0 ? rows[i].value : 4711))
			fail_msg("\"%s\": %d, %lu", rows[i].text, r, (unsigned long)value);
	}
}

static void test_uint(void **state)
{
	static const struct number_row rows[] = {
		{ "0", 0, 0 },
		{ "1", 0, 1 },
		{ "65535", 0, 65535 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ "010", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "1_000", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1.0", -EINVAL, 0 },
		{ "1:30", -EINVAL, 0 },
	};

	(void)state;
	check_numbers(rows, COUNT(rows), value_read_uint);
}

static void test_size(void **state)
{
	static const struct number_row rows[] = {
		{ "0", 0, 0 },
		{ "1500", 0, 1500 },
		{ "10B", 0, 10 },
		{ "64KiB", 0, 65536 },
		{ "64 KiB", 0, 65536 },
		{ "1.5KiB", 0, 1536 },
		{ "16MiB", 0, 16777216 },
		{ "2GiB", 0, UINT64_C(2) << 30 },
		{ "64kB", 0, 64000 },
		{ "16MB", 0, 16000000 },
		{ "1GB", 0, 1000000000 },
		{ "64K", -EINVAL, 0 },
		{ "64kib", -EINVAL, 0 },
		{ "0.3B", -EINVAL, 0 },
		{ "1.", -EINVAL, 0 },
		{ "KiB", -EINVAL, 0 },
		{ "1.0000000001KiB", -EINVAL, 0 },
		{ "16777216TiB", -ERANGE, 0 },
	};

	(void)state;
	check_numbers(rows, COUNT(rows), value_read_size);
}

static void test_duration(void **state)
{
	static const struct number_row rows[] = {
		{ "0", 0, 0 },
		{ "2", 0, 2000000000 },
		{ "0.25", 0, 250000000 },
		{ "1ns", 0, 1 },
		{ "100us", 0, 100000 },
		{ "200ms", 0, 200000000 },
		{ "1.5s", 0, 1500000000 },
		{ "2min", 0, UINT64_C(120000000000) },
		{ "1h", 0, UINT64_C(3600000000000) },
		{ "1d", 0, UINT64_C(86400000000000) },
		{ "1m", -EINVAL, 0 },
		{ "200 milliseconds", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 },
		{ "0.5ns", -EINVAL, 0 },
		{ "inf", -EINVAL, 0 },
		{ "9223372036", 0, UINT64_C(9223372036000000000) },
		{ "9223372037", -ERANGE, 0 },
		{ "1000000d", -ERANGE, 0 },
	};

	(void)state;
	check_numbers(rows, COUNT(rows), value_read_duration);
}

static void test_bool(void **state)
{
	static const char *const yes[] = { "yes", "true", "on", "Yes", "TRUE" },
	                         *const no[] = { "no", "false", "off" },
	                         *const neither[] = { "", "1", "0", "y", "enabled" };
	bool value;

	(void)state;
	for (size_t i = 0; i < COUNT(yes); i++) {
		value = false;
		assert_int_equal(value_read_bool(yes[i], &value), 0);
		assert_true(value);
	}
	for (size_t i = 0; i < COUNT(no); i++) {
		value = true;
		assert_int_equal(value_read_bool(no[i], &value), 0);
		assert_false(value);
	}
	for (size_t i = 0; i < COUNT(neither); i++)
		assert_int_equal(value_read_bool(neither[i], &value), -EINVAL);
}

/* Good ones come back as they were written; bad ones don't read. */
static void test_addresses(void **state)
{
	static const char *const ips[] = { "192.0.2.1", "255.255.255.255", "2001:db8::1", "::1" };
	static const char *const not_ips[] = { "", "192.0.2", "192.0.2.256", "192.0.2.01.", "2001:db8:::1", "host" };
	static const char *const prefixes[] = { "192.0.2.1/24", "192.0.2.1/0", "192.0.2.1/32", "2001:db8::1/64" };
	static const char *const not_prefixes[] = { "192.0.2.1",      "192.0.2.1/33",  "192.0.2.1/",     "/24",
		                                    "2001:db8::/129", "192.0.2.1/024", "192.0.2.1/24/24" };
	static const char *const not_macs[] = { "", "02:00:00:00:00", "02:00:00:00:00:0g", "02-00-00-00-00-00",
		                                "02:00:00:00:00:00:00" };
	char text[VALUE_TEXT_MAX];
	struct config_prefix prefix;
	struct mac_addr mac;
	struct ip_addr ip;

	(void)state;
	for (size_t i = 0; i < COUNT(ips); i++) {
		assert_int_equal(value_read_ip(ips[i], &ip), 0);
		value_write_ip(&ip, text);
		assert_string_equal(text, ips[i]);
	}
	for (size_t i = 0; i < COUNT(not_ips); i++)
		assert_int_equal(value_read_ip(not_ips[i], &ip), -EINVAL);
	for (size_t i = 0; i < COUNT(prefixes); i++) {
		assert_int_equal(value_read_prefix(prefixes[i], &prefix), 0);
		value_write_prefix(&prefix, text);
		assert_string_equal(text, prefixes[i]);
	}
	assert_int_equal(value_read_prefix("192.0.2.1/24", &prefix), 0);
	assert_int_equal(prefix.bits, 120);
	for (size_t i = 0; i < COUNT(not_prefixes); i++)
		assert_int_equal(value_read_prefix(not_prefixes[i], &prefix), -EINVAL);
	assert_int_equal(value_read_mac("02:00:C0:00:02:ff", &mac), 0);
	value_write_mac(&mac, text);
	assert_string_equal(text, "02:00:c0:00:02:ff");
	for (size_t i = 0; i < COUNT(not_macs); i++)
		assert_int_equal(value_read_mac(not_macs[i], &mac), -EINVAL);
}

static void test_write(void **state)
{
	static const struct number_row sizes[] = {
		{ "0", 0, 0 },
		{ "1500", 0, 1500 },
		{ "1KiB", 0, 1024 },
		{ "6MiB", 0, 6291456 },
		{ "1TiB", 0, UINT64_C(1) << 40 },
		{ "1000", 0, 1000 },
	};
	static const struct number_row durations[] = {
		{ "0", 0, 0 },
		{ "1ns", 0, 1 },
		{ "200ms", 0, 200000000 },
		{ "1500ms", 0, 1500000000 },
		{ "3min", 0, UINT64_C(180000000000) },
		{ "90s", 0, UINT64_C(90000000000) },
	};
	char text[VALUE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		value_write_size(sizes[i].value, text);
		assert_string_equal(text, sizes[i].text);
	}
	for (size_t i = 0; i < COUNT(durations); i++) {
		value_write_duration(durations[i].value, text);
		assert_string_equal(text, durations[i].text);
	}
}

static void test_forms(void **state)
{
	static const struct {
		int (*form)(const char *);
		const char *text;
		int result;
	} rows[] = {
		{ form_backend, "tap", 0 },
		{ form_backend, "unix:/run/x", 0 },
		{ form_backend, "unix:relative", -EINVAL },
		{ form_backend, "tun", -EINVAL },
		{ form_target, "unix:/run/x", 0 },
		{ form_target,
		  "unix:/"
		  "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123"
		  "456789012345",
		  0 },
		{ form_target,
		  "unix:/"
		  "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123"
		  "4567890123456",
		  -EINVAL },
		{ form_target, "tcp:127.0.0.1:8000", 0 },
		{ form_target, "tcp:localhost:1", 0 },
		{ form_target, "tcp:[::1]:8000", 0 },
		{ form_target, "tcp:[]:8000", -EINVAL },
		{ form_target, "tcp:[zz]:8000", -EINVAL },
		{ form_target, "tcp:[::1]8000", -EINVAL },
		{ form_target, "tcp:::1:8000", -EINVAL },
		{ form_target, "tcp:host", -EINVAL },
		{ form_target, "tcp:host:0", -EINVAL },
		{ form_target, "tcp:host:65536", -EINVAL },
		{ form_target, "tcp::80", -EINVAL },
		{ form_target, "host:80", -EINVAL },
		{ form_interface, "tapstack0", 0 },
		{ form_interface, "a-name-far-too-long", -EINVAL },
		{ form_interface, "a/b", -EINVAL },
		{ form_interface, "..", -EINVAL },
		{ form_principal, "root", 0 },
		{ form_principal, "group:adm", 0 },
		{ form_principal, "group:", -EINVAL },
		{ form_principal, "users:adm", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].form(rows[i].text) != rows[i].result)
			fail_msg("%s", rows[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uint),  cmocka_unit_test(test_size),      cmocka_unit_test(test_duration),
		cmocka_unit_test(test_bool),  cmocka_unit_test(test_addresses), cmocka_unit_test(test_write),
		cmocka_unit_test(test_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
