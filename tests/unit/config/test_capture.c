/* What a logging instance captures, as it is written in the file: what is understood, what is refused and where, and
 * that what is written out reads back as the same. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BIT(n) (UINT64_C(1) << (n))
#define ALL_VERDICTS (BIT(STACK_VERDICT_COUNT) - 1)

static int parse(const char *capture, struct config **ret, struct config_errors *errors)
{
	char text[1500];

	snprintf(text, sizeof(text),
	         "stack: {addresses: [192.0.2.2/24]}\nplugins: {logging: [{plugin: x, capture: %s}]}\n", capture);
	return config_parse("f", text, strlen(text), ret, errors);
}

static void what_is_understood(void **state)
{
	static const struct {
		const char *text;
		bool given;
		struct capture_options wanted; /* frame: looked at by its numbers only */
		unsigned conditions;
	} rows[] = {
		{ "yes", true, { .bytes = 256, .queue_bytes = 4 << 20 }, 0 },
		{ "no", false, { .bytes = 256, .queue_bytes = 4 << 20 }, 0 },
		{ "{}", true, { .bytes = 256, .queue_bytes = 4 << 20 }, 0 },
		{ "{bytes: 64, queue: 1MiB}", true, { .bytes = 64, .queue_bytes = 1 << 20 }, 0 },
		{ "{filter: 'peer=192.0.2.0/24 dport=80'}", true, { .bytes = 256, .queue_bytes = 4 << 20 }, 2 },
		{ "{filter: 'id=7,9'}",
		  true,
		  { .filter = { .id = { 7, 9 }, .id_count = 2 }, .bytes = 256, .queue_bytes = 4 << 20 },
		  0 },
		{ "{filter: '  state=established,TIME-WAIT  dport=80 '}",
		  true,
		  { .filter = { .states = 1u << TCPS_ESTABLISHED | 1u << TCPS_TIME_WAIT },
		    .bytes = 256,
		    .queue_bytes = 4 << 20 },
		  1 },
		{ "{filter: 'verdict!=ACCEPTED'}",
		  true,
		  { .filter = { .verdicts = ALL_VERDICTS & ~BIT(VERDICT_ACCEPTED) },
		    .bytes = 256,
		    .queue_bytes = 4 << 20 },
		  0 },
		{ "{verdicts: refused}",
		  true,
		  { .filter = { .verdicts = ALL_VERDICTS & ~BIT(VERDICT_ACCEPTED) },
		    .bytes = 256,
		    .queue_bytes = 4 << 20 },
		  0 },
		{ "{verdicts: refused, filter: 'verdict=accepted,RESET state!=LISTEN'}",
		  true,
		  { .filter = { .verdicts = BIT(VERDICT_RESET),
		                .states = (1u << TCPS_STATE_COUNT) - 1 - (1u << TCPS_LISTEN) },
		    .bytes = 256,
		    .queue_bytes = 4 << 20 },
		  0 },
		{ "{filter: 'verdict!=ACCEPTED verdict!=DUPLICATE'}",
		  true,
		  { .filter = { .verdicts = ALL_VERDICTS & ~BIT(VERDICT_ACCEPTED) & ~BIT(VERDICT_DUPLICATE) },
		    .bytes = 256,
		    .queue_bytes = 4 << 20 },
		  0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct config_errors errors = CONFIG_ERRORS_INIT;
		struct config *config, *again;
		const struct config_capture *capture;
		struct capture_options got;
		char *text;

		if (parse(rows[i].text, &config, &errors) != 0) {
			config_errors_print(&errors, stderr);
			fail_msg("row %zu: %s", i, rows[i].text);
		}
		capture = &config->plugins.logging.item[0].capture;
		assert_int_equal(capture->given, rows[i].given);
		got = capture->options;
		assert_int_equal(got.filter.frame.condition_count, rows[i].conditions);
		memset(&got.filter.frame, 0, sizeof(got.filter.frame));
		if (memcmp(&got, &rows[i].wanted, sizeof(got)) != 0)
			fail_msg("row %zu: %s", i, rows[i].text);

		/* As config_get writes it, it is the same. */
		assert_int_equal(config_get(config, config_find_key("plugins.logging"), &text), 0);
		assert_int_equal(config_with(config, "plugins.logging", text, &again, &errors), 0);
		assert_memory_equal(&again->plugins.logging.item[0].capture.options, &capture->options,
		                    rows[i].given ? sizeof(capture->options) : 0);
		assert_int_equal(again->plugins.logging.item[0].capture.given, rows[i].given);
		free(text);
		config_free(again);
		config_free(config);
	}
}

static void what_is_refused(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "3", "f:2:42: plugins.logging: capture: \"3\" is not valid: expected yes or no\n" },
		{ "[]", "f:2:42: plugins.logging: capture: expected {filter: ..., bytes: ..., queue: ..., verdicts: "
		        "...} or yes, found a list\n" },
		{ "{bytes: 10}",
		  "f:2:50: plugins.logging: capture: bytes: 10 is out of range: expected a size from 64 to 65550\n" },
		{ "{byte: 64}", "f:2:43: plugins.logging: capture: unknown entry byte; did you mean bytes?\n" },
		{ "{bytes: 64, bytes: 64}",
		  "f:2:54: plugins.logging: capture: bytes is given twice: first in line 2\n" },
		{ "{filter: 'id=x'}",
		  "f:2:51: plugins.logging: capture: filter: character 4: \"x\" is not the id of a connection\n" },
		{ "{filter: 'dport=80 state=OPEN'}", "f:2:51: plugins.logging: capture: filter: character 16: "
		                                     "\"OPEN\" is not a state such as ESTABLISHED or TIME-WAIT\n" },
		{ "{filter: 'verdict=RESET,'}", "f:2:51: plugins.logging: capture: filter: character 15: \"\" is not "
		                                "a verdict such as ACCEPTED, DUPLICATE or DROP_CHECKSUM\n" },
		{ "{filter: 'state=LISTEN state=CLOSED'}", "f:2:51: plugins.logging: capture: filter: character 14: "
		                                           "\"state=CLOSED\" is not possible: nothing would fit\n" },
		{ "{filter: 'id=1 dport=x'}", "f:2:51: plugins.logging: capture: filter: character 12: x is not a "
		                              "port from 0 to 65535 or a range such as 1024-65535\n" },
		{ "{filter: 'verdict=ACCEPTED', verdicts: refused}",
		  "f:2:81: plugins.logging: capture: nothing is refused and ACCEPTED at the same time\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct config_errors errors = CONFIG_ERRORS_INIT;
		struct config *config;
		char text[600];

		assert_true(parse(rows[i].text, &config, &errors) < 0);
		assert_int_equal(errors.count, 1);
		config_error_format(&errors.error[0], text, sizeof(text) - 1);
		strcat(text, "\n");
		assert_string_equal(text, rows[i].message);
		config_errors_free(&errors);
	}
}

static void only_logs_capture(void **state)
{
	static const char text[] =
	        "stack: {addresses: [192.0.2.2/24]}\nplugins: {congestion: [{plugin: x, capture: yes}]}\n";
	struct config_errors errors = CONFIG_ERRORS_INIT;
	struct config *config;

	(void)state;
	assert_true(config_parse("f", text, sizeof(text) - 1, &config, &errors) < 0);
	assert_non_null(strstr(errors.error[0].message, "unknown entry capture"));
	config_errors_free(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_understood),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(only_logs_capture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
