/* Filters: what fits which connection, and what a wrong condition is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/filter.h"
#include "control/value.h"
#include "tapstack/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const service_names[] = { "echo", "relay-web" };
static const struct render_names names = { .service = service_names, .service_count = 2 };
static const struct instant now = { INT64_C(60000000000) };

/* One connection, one listener, one TIME-WAIT record. */
static struct stack_conn_info connection(void)
{
	return (struct stack_conn_info){
		.id = 17,
		.flow = { .local = ip_addr_v4(0xc0000202),
		          .remote = ip_addr_v4(0xc0000263),
		          .local_port = 80,
		          .remote_port = 40000 },
		.state = TCPS_ESTABLISHED,
		.service = 1,
		.congestion = "cubic",
		.sack = true,
		.nodelay = true,
		.ecn = 2,
		.ecn_codepoint = 2,
		.accecn_option = STACK_ACCECN_OPTION_SEEN,
		.fastopen_refused = true,
		.delivered = 5,
		.srtt = DURATION_US(1500),
		.opened = { INT64_C(50000000000) },
		.retrans_total = 4,
		.cwnd = UINT64_C(1) << 40,
		.bytes_received = UINT64_MAX,
		.recv_q = 9,
		.send_q = 10,
	};
}

static struct stack_conn_info listener(void)
{
	return (struct stack_conn_info){
		.flow = { .local_port = 7 }, .state = TCPS_LISTEN, .backlog = 128, .accept_q = 3
	};
}

static struct stack_conn_info time_wait(void)
{
	struct stack_conn_info info = connection();

	info.state = TCPS_TIME_WAIT;
	info.compact = true;
	info.flow.remote = (struct ip_addr){ { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } };
	return info;
}

/* "FIELD OP VALUE[,VALUE]" to a condition. */
static json_t *condition(const char *text)
{
	char *copy = strdup(text), *save, *value;
	const char *field = strtok_r(copy, " ", &save), *op = strtok_r(NULL, " ", &save);
	json_t *values = json_array(), *object;

	while ((value = strtok_r(NULL, ",", &save)))
		json_array_append_new(values, json_string(value));
	object = json_pack("[{s:s, s:s, s:o}]", "field", field, "operator", op, "values", values);
	free(copy);
	return object;
}

static bool fits(const char *text, const struct stack_conn_info *info)
{
	json_t *conditions = condition(text);
	struct filter *filter;
	char reason[512];
	bool match;

	if (filter_new(conditions, &names, &filter, reason, sizeof(reason)) != 0)
		fail_msg("%s: %s", text, reason);
	match = filter_match(filter, info, now);
	filter_free(filter);
	json_decref(conditions);
	return match;
}

static void matches(void **state)
{
	static const struct {
		const char *condition;
		bool connection, listener, time_wait;
	} cases[] = {
		{ "id = 17", 1, 0, 1 },
		{ "id != 17", 0, 0, 0 },
		{ "id = 3,17", 1, 0, 1 },
		{ "id >= 17", 1, 0, 1 },
		{ "id > 17", 0, 0, 0 },
		{ "id <= 17", 1, 0, 1 },
		{ "id < 17", 0, 0, 0 },
		{ "state = established", 1, 0, 0 },
		{ "state = ESTABLISHED,TIME-WAIT", 1, 0, 1 },
		{ "state != LISTEN", 1, 0, 1 },
		{ "local = 192.0.2.2", 1, 0, 1 },
		{ "local = 192.0.2.3", 0, 0, 0 },
		{ "local = 192.0.2.0/30", 1, 0, 1 },
		{ "local = 192.0.2.4/30", 0, 0, 0 },
		{ "local = 0.0.0.0/0", 1, 0, 1 },
		{ "local = ::/0", 1, 1, 1 },
		{ "peer = 192.0.2.99", 1, 0, 0 },
		{ "peer = 2001:db8::/32", 0, 0, 1 },
		{ "peer = 2001:db8::2/127", 0, 0, 0 },
		{ "peer = 2001:db8::/127", 0, 0, 1 },
		{ "peer != 2001:db8::/32", 1, 1, 0 },
		{ "address = 192.0.2.99", 1, 0, 0 },
		{ "address = 192.0.2.2", 1, 0, 1 },
		{ "port = 80", 1, 0, 1 },
		{ "port = 40000", 1, 0, 1 },
		{ "port = 7", 0, 1, 0 },
		{ "port != 80", 0, 1, 0 },
		{ "local_port = 80", 1, 0, 1 },
		{ "peer_port = 80", 0, 0, 0 },
		{ "peer_port > 1023", 1, 0, 1 },
		{ "service = relay-web", 1, 0, 1 },
		{ "service = relay*", 1, 0, 1 },
		{ "service = echo", 0, 1, 0 },
		{ "service != echo", 1, 0, 1 },
		{ "role = passive", 1, 0, 1 },
		{ "role = active", 0, 0, 0 },
		{ "compact = true", 0, 0, 1 },
		{ "orphan = false", 1, 0, 0 }, /* compact records and listeners don't keep it */
		{ "orphan != true", 1, 0, 0 },
		{ "cong = cub?c", 1, 0, 0 },
		{ "ca_state = open", 1, 0, 0 },
		{ "opts = sack", 1, 0, 1 },
		{ "opts = ts", 0, 0, 0 },
		{ "opts != ts", 1, 0, 1 },
		{ "opts = ecn", 1, 0, 1 },
		{ "opts = ecnseen", 0, 0, 0 },
		{ "ecn = accurate", 1, 0, 0 },
		{ "ecn != none", 1, 0, 0 },
		{ "ect = ECT(0)", 1, 0, 0 },
		{ "accecn_option = seen", 1, 0, 0 },
		{ "fastopen = refused", 1, 0, 0 },
		{ "ecn_fallback = true", 0, 0, 0 },
		{ "delivered >= 5", 1, 0, 0 },
		{ "delivered_ce > 5", 0, 0, 0 },
		{ "rtt = 1.5", 1, 0, 0 },
		{ "rtt > 1.499", 1, 0, 0 },
		{ "rtt < 1.501", 1, 0, 0 },
		{ "rtt > 1.5", 0, 0, 0 },
		{ "age = 10000", 1, 0, 1 },
		{ "age > 9999.999", 1, 0, 1 },
		{ "lastsnd > 0", 0, 0, 0 }, /* never sent: unknown */
		{ "retrans_total >= 4", 1, 0, 0 },
		{ "cwnd = 1099511627776", 1, 0, 0 },
		{ "bytes_received = 18446744073709551615", 1, 0, 0 },
		{ "recv_q = 9", 1, 0, 0 },
		{ "recv_q = 3", 0, 1, 0 }, /* of a listener: to be accepted */
		{ "send_q = 128", 0, 1, 0 },
	};
	const struct stack_conn_info full = connection(), listening = listener(), waiting = time_wait();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (fits(cases[i].condition, &full) != cases[i].connection)
			fail_msg("%s: connection", cases[i].condition);
		if (fits(cases[i].condition, &listening) != cases[i].listener)
			fail_msg("%s: listener", cases[i].condition);
		if (fits(cases[i].condition, &waiting) != cases[i].time_wait)
			fail_msg("%s: TIME-WAIT", cases[i].condition);
	}
}

static void all_must_hold(void **state)
{
	const struct stack_conn_info full = connection();
	json_t *both = condition("id = 17"), *second = condition("port = 81");
	struct filter *filter;
	char reason[512];

	(void)state;
	assert_int_equal(filter_new(NULL, NULL, &filter, reason, sizeof(reason)), 0);
	assert_true(filter_match(filter, &full, now));
	filter_free(filter);
	json_array_extend(both, second);
	assert_int_equal(filter_new(both, &names, &filter, reason, sizeof(reason)), 0);
	assert_false(filter_match(filter, &full, now));
	filter_free(filter);
	json_decref(both);
	json_decref(second);
}

static void refused(void **state)
{
	static const struct {
		const char *json, *reason;
	} cases[] = {
		{ "[{}]", "field, operator and values" },
		{ "[1]", "field, operator and values" },
		{ "[{\"field\":\"id\",\"operator\":\"=\",\"values\":[\"1\"],\"x\":1}]",
		  "field, operator and values" },
		{ "[{\"field\":\"id\",\"operator\":\"=\",\"values\":\"1\"}]", "field, operator and values" },
		{ "[{\"field\":\"idd\",\"operator\":\"=\",\"values\":[\"1\"]}]", "no field idd" },
		{ "[{\"field\":\"id\",\"operator\":\"~\",\"values\":[\"1\"]}]", "takes the operators =, !=, <" },
		{ "[{\"field\":\"peer\",\"operator\":\"<\",\"values\":[\"1\"]}]", "takes the operators = and !=" },
		{ "[{\"field\":\"port\",\"operator\":\"<\",\"values\":[\"1\"]}]", "takes the operators = and !=" },
		{ "[{\"field\":\"id\",\"operator\":\"=\",\"values\":[]}]", "at least one" },
		{ "[{\"field\":\"id\",\"operator\":\"<\",\"values\":[\"1\",\"2\"]}]", "exactly one" },
		{ "[{\"field\":\"id\",\"operator\":\"=\",\"values\":[1]}]", "must be strings" },
		{ "[{\"field\":\"id\",\"operator\":\"=\",\"values\":[\"-1\"]}]", "whole number" },
		{ "[{\"field\":\"id\",\"operator\":\"=\",\"values\":[\"18446744073709551616\"]}]", "whole number" },
		{ "[{\"field\":\"rtt\",\"operator\":\"=\",\"values\":[\"1.2.3\"]}]", "milliseconds" },
		{ "[{\"field\":\"rtt\",\"operator\":\"=\",\"values\":[\".\"]}]", "milliseconds" },
		{ "[{\"field\":\"rtt\",\"operator\":\"=\",\"values\":[\"99999999999999999999\"]}]", "milliseconds" },
		{ "[{\"field\":\"state\",\"operator\":\"=\",\"values\":[\"open\"]}]", "ESTABLISHED" },
		{ "[{\"field\":\"peer\",\"operator\":\"=\",\"values\":[\"192.0.2\"]}]", "192.0.2.0/24" },
		{ "[{\"field\":\"peer\",\"operator\":\"=\",\"values\":[\"192.0.2.1/33\"]}]", "192.0.2.0/24" },
		{ "[{\"field\":\"peer\",\"operator\":\"=\",\"values\":[\"::/129\"]}]", "192.0.2.0/24" },
		{ "[{\"field\":\"orphan\",\"operator\":\"=\",\"values\":[\"yes\"]}]", "true or false" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *conditions = json_loads(cases[i].json, 0, NULL);
		struct filter *filter;
		char reason[512] = "";

		assert_non_null(conditions);
		if (filter_new(conditions, &names, &filter, reason, sizeof(reason)) != -EINVAL)
			fail_msg("taken: %s", cases[i].json);
		if (!strstr(reason, cases[i].reason))
			fail_msg("%s: reason is \"%s\", not \"%s\"", cases[i].json, reason, cases[i].reason);
		json_decref(conditions);
	}
}

/* A long pattern is refused; and what was read before it is not left behind (a sanitizer sees it). */
static void long_text(void **state)
{
	static const char *const fields[] = { "service", "opts" };

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(fields) / sizeof(fields[0]); i++) {
		char text[VALUE_TEXT_MAX + 2] = "", reason[512] = "";
		bool fine = i % 2 == 0;
		struct filter *filter;
		json_t *conditions;

		memset(text, '*', fine ? VALUE_TEXT_MAX : VALUE_TEXT_MAX + 1);
		conditions = json_pack("[{s:s, s:s, s:[s, s]}]", "field", fields[i / 2], "operator", "=", "values",
		                       "web", text);
		assert_int_equal(filter_new(conditions, &names, &filter, reason, sizeof(reason)), fine ? 0 : -EINVAL);
		if (fine)
			filter_free(filter);
		else
			assert_non_null(strstr(reason, "at most 128 bytes"));
		json_decref(conditions);
	}
}

static void too_much(void **state)
{
	json_t *many = json_array(), *values = json_array();
	struct filter *filter;
	char reason[512];

	(void)state;
	for (int i = 0; i <= FILTER_CONDITIONS_MAX; i++)
		json_array_append_new(many,
		                      json_pack("{s:s, s:s, s:[s]}", "field", "id", "operator", "=", "values", "1"));
	assert_int_equal(filter_new(many, NULL, &filter, reason, sizeof(reason)), -EINVAL);
	json_decref(many);
	for (int i = 0; i <= FILTER_VALUES_MAX; i++)
		json_array_append_new(values, json_string("1"));
	many = json_pack("[{s:s, s:s, s:o}]", "field", "id", "operator", "=", "values", values);
	assert_int_equal(filter_new(many, NULL, &filter, reason, sizeof(reason)), -EINVAL);
	json_decref(many);
}

/* The table of fields is one for all: every field can be filtered by, and is what rendering writes. */
static void every_field(void **state)
{
	static const char *const fields[] = {
#define NAME(name, kind, unit, help) #name,
		TAPSTACK_CONNECTION_FIELDS(NAME)
#undef NAME
	};
	struct stack_conn_info info = connection();
	json_t *rendered, *value;
	const char *key;

	(void)state;
	info.window_scaling = true;
	rendered = render_connection(&info, &names, now);
	assert_non_null(rendered);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!filter_field_exists(fields[i]))
			fail_msg("no filter by %s", fields[i]);
		if (!json_object_get(rendered, fields[i]))
			fail_msg("%s is not rendered", fields[i]);
	}
	json_object_foreach(rendered, key, value)
	{
		size_t i = 0;

		while (i < sizeof(fields) / sizeof(fields[0]) && strcmp(fields[i], key) != 0)
			i++;
		if (i == sizeof(fields) / sizeof(fields[0]))
			fail_msg("%s is rendered, but not in the table of fields", key);
	}
	json_decref(rendered);
}

/* A state's number in filters is its number in the stack. */
static void every_state(void **state)
{
	static const char *const states[] = {
#define NAME(name) name,
		TAPSTACK_STATES(NAME)
#undef NAME
	};

	(void)state;
	assert_int_equal(sizeof(states) / sizeof(states[0]), TCPS_STATE_COUNT);
	for (unsigned i = 0; i < TCPS_STATE_COUNT; i++)
		assert_string_equal(states[i], tcp_state_name(i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches),     cmocka_unit_test(all_must_hold), cmocka_unit_test(refused),
		cmocka_unit_test(long_text),   cmocka_unit_test(too_much),      cmocka_unit_test(every_field),
		cmocka_unit_test(every_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
