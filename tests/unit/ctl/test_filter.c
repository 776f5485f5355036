/* The filter language: what people write, and what it becomes for the daemon and for the database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filter.h"

#include <stdlib.h>
#include <string.h>

/* "FIELD OP VALUE,VALUE;..." of what was parsed; static memory. */
static const char *parse(const char *argument, bool recorded)
{
	static char text[4096];
	char copy[512], error[2048], *argv[] = { copy };
	struct filter filter;
	size_t used = 0;

	snprintf(copy, sizeof(copy), "%s", argument);
	if (!filter_parse(argv, 1, recorded, &filter, error, sizeof(error))) {
		snprintf(text, sizeof(text), "error: %s", error);
		return text;
	}
	text[0] = '\0';
	for (size_t i = 0; i < filter.count; i++) {
		const struct filter_condition *condition = &filter.condition[i];

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %s ", i ? ";" : "",
		                         condition->field->name, condition->op);
		for (size_t v = 0; v < condition->count; v++)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", v ? "," : "",
			                         condition->value[v]);
	}
	filter_done(&filter);
	return text;
}

static void parsed(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "", "" },
		{ "id=1", "id = 1" },
		{ "id==1", "id = 1" },
		{ "id!=1,2", "id != 1,2" },
		{ "id<=1", "id <= 1" },
		{ "id<1", "id < 1" },
		{ "dport=80", "peer_port = 80" },
		{ "sport=80", "local_port = 80" },
		{ "dst=192.0.2.0/24", "peer = 192.0.2.0/24" },
		{ "src=2001:db8::/32", "local = 2001:db8::/32" },
		{ "addr=192.0.2.1", "address = 192.0.2.1" },
		{ "cwnd>64KiB", "cwnd > 65536" },
		{ "cwnd>1.5k", "cwnd > 1500" },
		{ "cwnd>1GiB", "cwnd > 1073741824" },
		{ "bytes_acked>=2MB", "bytes_acked >= 2000000" },
		{ "id=18446744073709551615", "id = 18446744073709551615" },
		{ "rtt>1.5", "rtt > 1.500" },
		{ "rtt>1.5ms", "rtt > 1.500" },
		{ "rtt>200us", "rtt > 0.200" },
		{ "age>2s", "age > 2000.000" },
		{ "age>1min", "age > 60000.000" },
		{ "age<1.5h", "age < 5400000.000" },
		{ "state=established", "state = ESTABLISHED" },
		{ "state=Estab", "state = ESTABLISHED" },
		{ "state=fin_wait_1", "state = FIN-WAIT-1" },
		{ "state=fin-wait1,time-wait", "state = FIN-WAIT-1,TIME-WAIT" },
		{ "state=connected",
		  "state = SYN-SENT,SYN-RECEIVED,ESTABLISHED,FIN-WAIT-1,FIN-WAIT-2,CLOSE-WAIT,CLOSING,"
		  "LAST-ACK,TIME-WAIT" },
		{ "state!=synchronized", "state != SYN-RECEIVED,ESTABLISHED,FIN-WAIT-1,FIN-WAIT-2,CLOSE-WAIT,CLOSING,"
		                         "LAST-ACK,TIME-WAIT" },
		{ "state=closing-down", "state = FIN-WAIT-1,FIN-WAIT-2,CLOSE-WAIT,CLOSING,LAST-ACK,TIME-WAIT" },
		{ "orphan=yes", "orphan = true" },
		{ "compact=0", "compact = false" },
		{ "service=a=b", "service = a=b" },
		{ "service=web*", "service = web*" },
		{ "cong=cubic  id>3\trole=active", "cong = cubic;id > 3;role = active" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strcmp(parse(cases[i].text, false), cases[i].expected) != 0)
			fail_msg("%s\n  became   %s\n  expected %s", cases[i].text, parse(cases[i].text, false),
			         cases[i].expected);
}

static void refused(void **state)
{
	static const struct {
		const char *text, *error;
		bool recorded;
	} cases[] = {
		{ "id", "not a condition", false },
		{ "=1", "not a condition", false },
		{ "id!1", "not a condition", false },
		{ "id=", "needs at least one value", false },
		{ "id=,", "needs at least one value", false },
		{ "id<1,2", "needs exactly one value", false },
		{ "id<", "needs exactly one value", false },
		{ "nothing=1", "fields are: id shard", false },
		{ "ID=1", "no field", false },
		{ "id=x", "is not a number", false },
		{ "id=-1", "is not a number", false },
		{ "id=1.", "is not a number", false },
		{ "id=0x10", "is not a number", false },
		{ "id=1Q", "is not a number", false },
		{ "id=18446744073709551616", "is not a number", false },
		{ "cwnd=99999999999GiB", "is not a number", false },
		{ "rtt=1KiB", "is not a time", false },
		{ "state=open", "states are: CLOSED LISTEN", false },
		{ "peer=192.0.2", "is not an address", false },
		{ "peer=192.0.2.1:80", "is not an address", false },
		{ "peer=192.0.2.0/-1", "is not an address", false },
		{ "peer=2001:db8::/129", "is not an address", false },
		{ "peer<192.0.2.1", "= and != only", false },
		{ "port>1", "= and != only", false },
		{ "orphan=maybe", "neither yes nor no", false },
		{ "cause=X", "no field", false },
		{ "cwnd=1", "in the history", true },
		{ "id=1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", "more than", false },
		{ "id=1 id=1 id=1 id=1 id=1 id=1 id=1 id=1 id=1 id=1 id=1 id=1 id=1 id=1 id=1 id=1 id=1 id=1 id=1 "
		  "id=1 "
		  "id=1 id=1 id=1 id=1 id=1 id=1 id=1 id=1 id=1 id=1 id=1 id=1 id=1",
		  "more than 32 conditions", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = parse(cases[i].text, cases[i].recorded);

		if (strncmp(got, "error: ", 7) != 0 || !strstr(got, cases[i].error))
			fail_msg("%s: \"%s\", not \"%s\"", cases[i].text, got, cases[i].error);
	}
}

static void as_json(void **state)
{
	char first[] = "state=estab", second[] = "dport=80,443", *argv[] = { first, second }, error[256], *text;
	struct filter filter;
	json_t *json;

	(void)state;
	assert_true(filter_parse(argv, 2, false, &filter, error, sizeof(error)));
	json = filter_json(&filter);
	text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, "[{\"field\":\"state\",\"operator\":\"=\",\"values\":[\"ESTABLISHED\"]},"
	                          "{\"field\":\"peer_port\",\"operator\":\"=\",\"values\":[\"80\",\"443\"]}]");
	free(text);
	json_decref(json);
	filter_done(&filter);
}

static void as_sql(void **state)
{
	static const struct {
		const char *text, *sql;
	} cases[] = {
		{ "", "1" },
		{ "id=5", "(connection = CAST(?1 AS NUMERIC))" },
		{ "id!=5,6", "NOT (connection = CAST(?1 AS NUMERIC) OR connection = CAST(?2 AS NUMERIC))" },
		{ "retransmits>3 cause=RECEIVED_*",
		  "(retransmits > CAST(?1 AS NUMERIC)) AND (closing_cause GLOB ?2)" },
		{ "peer=192.0.2.0/24", "(endpoint_in(remote, ?1))" },
		{ "port=80", "(CAST(?1 AS INTEGER) IN (endpoint_port(local), endpoint_port(remote)))" },
		{ "state=time-wait", "(state = ?1)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char copy[128], *argv[] = { copy }, error[256], *sql;
		struct filter filter;

		snprintf(copy, sizeof(copy), "%s", cases[i].text);
		assert_true(filter_parse(argv, 1, true, &filter, error, sizeof(error)));
		sql = filter_sql(&filter);
		assert_string_equal(sql, cases[i].sql);
		free(sql);
		filter_done(&filter);
	}
}

/* Every alias stands for a field. */
static void aliases(void **state)
{
	(void)state;
	for (const struct filter_alias *alias = filter_aliases(); alias->name; alias++) {
		const struct filter_field *field = filter_fields();

		while (field->name && strcmp(field->name, alias->field) != 0)
			field++;
		if (!field->name)
			fail_msg("%s stands for %s, which is no field", alias->name, alias->field);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parsed), cmocka_unit_test(refused), cmocka_unit_test(as_json),
		cmocka_unit_test(as_sql), cmocka_unit_test(aliases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
