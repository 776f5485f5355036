/* link.impair: what reads and how it is written, what is said of what is wrong, and rules made word by word. */
#include "config/config.h"
#include "config/value.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int load(const char *text, struct config **ret_config, char *messages, size_t size)
{
	struct config_errors errors = CONFIG_ERRORS_INIT;
	int r = config_parse("f", text, strlen(text), ret_config, &errors);

	messages[0] = '\0';
	for (size_t i = 0; i < errors.count; i++) {
		size_t used = strlen(messages);

		config_error_format(&errors.error[i], messages + used, size - used);
		strncat(messages, "\n", size - strlen(messages) - 1);
	}
	config_errors_free(&errors);
	return r;
}

static void test_values(void **state)
{
	const struct config_impair *rule;
	struct config *config;
	char messages[2000];

	(void)state;
	assert_int_equal(
	        load("link:\n"
	             "  impair:\n"
	             "    - {name: far, filter: peer=192.0.2.0/24 dport=80, delay: 20ms, jitter: 2ms,\n"
	             "       loss: 0.1%, burst: 8, duplicate: 1.5%, corrupt: 100%, seed: 7}\n"
	             "    - {direction: in, rate: 10Mbit/s, queue: 64KiB, discipline: codel-ecn, target: 1ms}\n"
	             "    - drop_every: 10\n",
	             &config, messages, sizeof(messages)),
	        0);
	assert_int_equal(config->link.impair.count, 3);
	rule = config->link.impair.item;
	assert_string_equal(rule[0].name, "far");
	assert_int_equal(rule[0].direction, CONFIG_IMPAIR_BOTH);
	assert_int_equal(rule[0].filter.condition_count, 2);
	assert_int_equal(rule[0].delay.ns, 20000000);
	assert_int_equal(rule[0].loss, 1000);
	assert_int_equal(rule[0].burst, 8);
	assert_int_equal(rule[0].duplicate, 15000);
	assert_int_equal(rule[0].corrupt, 1000000);
	assert_int_equal(rule[0].seed, 7);
	assert_int_equal(rule[0].rate, 0);
	assert_string_equal(rule[1].name, "rule2");
	assert_int_equal(rule[1].direction, CONFIG_IMPAIR_IN);
	assert_int_equal(rule[1].rate, 1250000);
	assert_int_equal(rule[1].queue, 65536);
	assert_int_equal(rule[1].discipline, CONFIG_IMPAIR_CODEL_ECN);
	assert_int_equal(rule[1].seed, 0);
	assert_int_equal(rule[2].drop_every, 10);
	config_free(config);
}

/* What is written reads back, and is as short as it can be. */
static void test_written(void **state)
{
	static const char text[] =
	        "[{name: a, direction: out, filter: \"peer=2001:db8::/32 sport!=1-7\", delay: 1500us, "
	        "jitter: 2ms, jitter_reorders: yes, delay_packets: 9, rate: 1Gbit/s, overhead: 24, queue: "
	        "64KiB, queue_packets: 50, discipline: step, target: 1ms, interval: 2s, loss: 0.0001%, burst: 3, "
	        "duplicate: 1%, corrupt: 2.05%, reorder: 100%, reorder_min: 2ms, reorder_max: 3ms, "
	        "drop_first: 1, drop_every: 2, drop_count: 3, outage_up: 1s, outage_up_max: 2s, outage_down: 1ms, "
	        "outage_down_max: 2ms, seed: 18446744073709551615}, {name: b}]";
	struct config_errors errors = CONFIG_ERRORS_INIT;
	struct config_difference *difference;
	struct config *config, *again;
	char messages[2000], *written;

	(void)state;
	assert_int_equal(load("", &config, messages, sizeof(messages)), 0);
	assert_int_equal(config_with(config, "link.impair", text, &again, &errors), 0);
	assert_int_equal(config_get(again, config_find_key("link.impair"), &written), 0);
	assert_string_equal(written, text);
	assert_int_equal(config_diff(config, again, &difference), 0);
	assert_int_equal(difference->change_count, 1);
	assert_int_equal(difference->restart_count, 0);
	config_difference_free(difference);
	free(written);
	config_free(again);
	config_free(config);
}

static void test_mistakes(void **state)
{
	static const struct {
		const char *entries, *says;
	} rows[] = {
		{ "[x]", "f:1:17: link.impair: expected a rule such as {delay: 20ms, loss: 1%}, found " },
		{ "[{dely: 1ms}]", "f:1:18: link.impair: unknown option dely of a rule; did you mean delay?" },
		{ "[{delay: 1 fortnight}]", "f:1:25: link.impair[].delay: \"1 fortnight\" is not valid: expected a "
		                            "duration from 0 to 1h" },
		{ "[{delay: 2h}]", "f:1:25: link.impair[].delay: 2h is out of range" },
		{ "[{loss: 101%}]", "f:1:24: link.impair[].loss: 101% is out of range: expected a percentage such as "
		                    "0.1% from 0% to 100%" },
		{ "[{loss: 1}]", "f:1:24: link.impair[].loss: \"1\" is not valid" },
		{ "[{rate: 10Mb}]", "f:1:24: link.impair[].rate: \"10Mb\" is not valid: expected a rate such as "
		                    "10Mbit/s or 1MB/s from 1kbit/s to 1000Gbit/s, or none" },
		{ "[{filter: dport=http}]", "f:1:26: link.impair[].filter: character 7: http is not a port" },
		{ "[{name: a b}]", "f:1:24: link.impair[].name: \"a b\" is not valid: expected up to 31 letters" },
		{ "[{name: abcdefghijklmnopqrstuvwxyz012345}]", "f:1:24: link.impair[].name: " },
		{ "[{name: a}, {name: a}]", "f:1:28: two rules named a: give one of them another name" },
		{ "[{loss: 1%, loss: 2%}]", "f:1:28: link.impair: loss is given twice" },
		{ "[{queue: 1KiB}]",
		  "f:1:17: rule rule1: queue, queue_packets, overhead and discipline need a rate" },
		{ "[{target: 1ms, rate: 1MB/s}]", "f:1:17: rule rule1: target and interval need a discipline" },
		{ "[{burst: 2}]", "f:1:17: rule rule1: burst needs a loss" },
		{ "[{loss: 90%, burst: 8}]",
		  "f:1:17: rule rule1: a loss of 90% takes bursts of at least 9 packets on average" },
		{ "[{jitter_reorders: yes}]", "f:1:17: rule rule1: jitter_reorders needs a jitter" },
		{ "[{delay_packets: 1}]", "f:1:17: rule rule1: delay_packets needs a delay" },
		{ "[{reorder_min: 11ms}]", "f:1:17: rule rule1: reorder_min is longer than reorder_max" },
		{ "[{drop_count: 1}]", "f:1:17: rule rule1: drop_count needs drop_first or drop_every" },
		{ "[{outage_up: 1s}]", "f:1:17: rule rule1: outage_up and outage_down need each other" },
		{ "[{outage_up: 2s, outage_up_max: 1s, outage_down: 1s}]", "f:1:17: rule rule1: an outage's max" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[300], messages[2000];
		struct config *config;

		snprintf(text, sizeof(text), "link: {impair: %s}\n", rows[i].entries);
		if (load(text, &config, messages, sizeof(messages)) != -EINVAL ||
		    strncmp(messages, rows[i].says, strlen(rows[i].says)) != 0)
			fail_msg("%s: %s", rows[i].entries, messages);
	}
}

/* As ctl does. */
static void test_word_by_word(void **state)
{
	struct config_errors errors = CONFIG_ERRORS_INIT;
	struct config_impair rule[2];
	struct config_impair_list list = { rule, 2 };
	char *text;

	(void)state;
	config_impair_init(&rule[0]);
	assert_int_equal(rule[0].burst, 1);
	assert_int_equal(config_impair_set(&rule[0], "name", "x", &errors), 0);
	assert_int_equal(config_impair_set(&rule[0], "delay", "5ms", &errors), 0);
	assert_int_equal(config_impair_set(&rule[0], "filter", "sport=80 protocol=tcp", &errors), 0);
	assert_int_equal(config_impair_text(&rule[0], &text), 0);
	assert_string_equal(text, "{name: x, filter: \"sport=80 protocol=tcp\", delay: 5ms}");
	free(text);
	assert_int_equal(config_impair_set(&rule[0], "delay", "0", &errors), 0);
	assert_int_equal(config_impair_set(&rule[0], "filter", "", &errors), 0);
	assert_int_equal(config_impair_text(&rule[0], &text), 0);
	assert_string_equal(text, "{name: x}");
	free(text);
	assert_int_equal(errors.count, 0);
	assert_int_equal(config_impair_set(&rule[0], "dely", "1", &errors), -EINVAL);
	assert_int_equal(config_impair_set(&rule[0], "loss", "\"1%\"", &errors), -EINVAL);
	rule[1] = rule[0];
	assert_int_equal(config_impair_check(&list, &errors), -EINVAL);
	assert_int_equal(errors.count, 3);
	assert_string_equal(errors.error[0].message, "unknown option dely of a rule; did you mean delay?");
	assert_string_equal(errors.error[2].message, "two rules named x: give one of them another name");
	config_errors_free(&errors);
	list.count = 1;
	assert_int_equal(config_impair_check(&list, &errors), 0);
}

static void test_percent_and_rate(void **state)
{
	static const struct {
		const char *text, *written;
		int (*read)(const char *, uint64_t *);
		void (*write)(uint64_t, char[static VALUE_TEXT_MAX]);
		int result;
		uint64_t value;
	} rows[] = {
		{ "0%", "0%", value_read_percent, value_write_percent, 0, 0 },
		{ "0.1%", "0.1%", value_read_percent, value_write_percent, 0, 1000 },
		{ "0.0500%", "0.05%", value_read_percent, value_write_percent, 0, 500 },
		{ "12.0001%", "12.0001%", value_read_percent, value_write_percent, 0, 120001 },
		{ "100 %", "100%", value_read_percent, value_write_percent, 0, 1000000 },
		{ "100.0001%", "", value_read_percent, value_write_percent, -ERANGE, 0 },
		{ "0.00001%", "", value_read_percent, value_write_percent, -EINVAL, 0 },
		{ "1", "", value_read_percent, value_write_percent, -EINVAL, 0 },
		{ "10Mbit/s", "10Mbit/s", value_read_rate, value_write_rate, 0, 1250000 },
		{ "1.25MB/s", "10Mbit/s", value_read_rate, value_write_rate, 0, 1250000 },
		{ "1000", "8kbit/s", value_read_rate, value_write_rate, 0, 1000 },
		{ "1001", "1001B/s", value_read_rate, value_write_rate, 0, 1001 },
		{ "1Gbit/s", "1Gbit/s", value_read_rate, value_write_rate, 0, 125000000 },
		{ "1MiB/s", "1048576B/s", value_read_rate, value_write_rate, 0, 1048576 },
		{ "10Mbps", "", value_read_rate, value_write_rate, -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[VALUE_TEXT_MAX];
		uint64_t value = 0;
		int r = rows[i].read(rows[i].text, &value);

		if (r != rows[i].result || value != rows[i].value)
			fail_msg("%s: %d %llu", rows[i].text, r, (unsigned long long)value);
		if (r < 0)
			continue;
		rows[i].write(value, text);
		assert_string_equal(text, rows[i].written);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),           cmocka_unit_test(test_written),
		cmocka_unit_test(test_mistakes),         cmocka_unit_test(test_word_by_word),
		cmocka_unit_test(test_percent_and_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
