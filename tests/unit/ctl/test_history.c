/* history: over a database that the real audit has written, while it is open and after. */
#include "tests/unit/audit/support.h"

#include "command.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct answer {
	enum exit_code code;
	json_t *rows;
};

/* Runs `history ARGUMENT`; rows only from JSON. ret_size: of the output; may be NULL. */
static struct answer history_in(enum output_format format, long limit, const char *database, const char *argument,
                                size_t *ret_size)
{
	struct session session = {
		.socket_path = "/nonexistent/socket", .database = database, .timeout_ms = 1000, .limit = limit
	};
	char copy[128], *argv[] = { copy }, *text = NULL;
	struct answer answer;
	size_t size;

	snprintf(copy, sizeof(copy), "%s", argument);
	session.output = (struct output_options){ .format = format, .header = true };
	session.output.file = open_memstream(&text, &size);
	answer.code = command_history(&session, *argument ? 1 : 0, argv);
	fclose(session.output.file);
	answer.rows = json_loads(text, 0, NULL);
	free(text);
	if (ret_size != NULL)
		*ret_size = size;
	return answer;
}

static struct answer history(const char *database, const char *argument)
{
	return history_in(OUTPUT_JSON, 0, database, argument, NULL);
}

static void expect(const char *database, const char *argument, enum exit_code code, size_t rows)
{
	struct answer answer = history(database, argument);

	if (answer.code != code || json_array_size(answer.rows) != rows)
		fail_msg("history %s: code %d with %zu rows, not %d with %zu", argument, (int)answer.code,
		         json_array_size(answer.rows), (int)code, rows);
	json_decref(answer.rows);
}

static const char *text_at(const json_t *rows, size_t row, const char *column)
{
	return json_string_value(json_object_get(json_array_get(rows, row), column));
}

/* --limit holds for the list and for one connection, whose first transitions are shown. */
static void expect_limited(const char *database, const char *argument, long limit, const char *first)
{
	struct answer answer = history_in(OUTPUT_JSON, limit, database, argument, NULL);

	assert_int_equal(answer.code, EXIT_OK);
	assert_int_equal(json_array_size(answer.rows), limit);
	if (first != NULL)
		assert_string_equal(text_at(answer.rows, 0, "from_state"), first);
	json_decref(answer.rows);
}

/* No header and no empty list before the message that there is no such connection. */
static void expect_nothing(const char *database, const char *argument)
{
	static const enum output_format formats[] = { OUTPUT_TABLE, OUTPUT_CSV, OUTPUT_JSON, OUTPUT_JSONL };

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		size_t size = 0;
		struct answer answer = history_in(formats[i], 0, database, argument, &size);

		assert_int_equal(answer.code, EXIT_NO_MATCH);
		assert_int_equal(size, 0);
		json_decref(answer.rows);
	}
}

static void check(const char *database)
{
	struct answer answer = history(database, "3");

	/* One connection: its transitions in order. */
	assert_int_equal(answer.code, EXIT_OK);
	assert_int_equal(json_array_size(answer.rows), life_time_wait_steps);
	assert_string_equal(text_at(answer.rows, 0, "from_state"), "LISTEN");
	assert_string_equal(text_at(answer.rows, 2, "cause"), "LOCAL_CLOSE");
	assert_string_equal(text_at(answer.rows, 5, "to_state"), "CLOSED");
	json_decref(answer.rows);

	/* All of them, the latest first. */
	answer = history(database, "");
	assert_int_equal(answer.code, EXIT_OK);
	assert_int_equal(json_array_size(answer.rows), 4);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(answer.rows, 0), "connection")), 4);
	json_decref(answer.rows);

	expect_limited(database, "3", 2, "LISTEN");
	expect_limited(database, "", 2, NULL);
	expect_nothing(database, "99");
	expect(database, "id=2", EXIT_OK, 1);
	expect(database, "id>=2 id<4", EXIT_OK, 2);
	expect(database, "id!=1,2", EXIT_OK, 2);
	expect(database, "cause=RECEIVED_FIN", EXIT_OK, 2);
	expect(database, "cause=*CLOSE", EXIT_OK, 1);
	expect(database, "last_cause=TIMEOUT_2MSL", EXIT_OK, 1);
	expect(database, "state=established", EXIT_OK, 1);
	expect(database, "state=closed", EXIT_OK, 3);
	expect(database, "sport=80", EXIT_OK, 4);
	expect(database, "port=1026", EXIT_OK, 1);
	expect(database, "dport>1026", EXIT_OK, 2);
	expect(database, "peer=192.0.2.2", EXIT_OK, 4);
	expect(database, "peer=192.0.2.0/24 id=1", EXIT_OK, 1);
	expect(database, "peer!=192.0.2.2/31", EXIT_NO_MATCH, 0);
	expect(database, "address=192.0.2.1/32", EXIT_OK, 4);
	expect(database, "peer=::/0", EXIT_OK, 4);
	expect(database, "peer=2001:db8::/32", EXIT_NO_MATCH, 0);
	expect(database, "bytes_received>=40", EXIT_OK, 3);
	expect(database, "duration>1h", EXIT_NO_MATCH, 0);
	expect(database, "run=1 role=passive", EXIT_OK, 4);
}

static void recorded(void **state)
{
	struct place *place = *state;
	struct audit *audit = place_open(place);

	assert_int_equal(audit_start(audit), 0);
	write_steps(audit, 1, life_passive, 0, life_passive_steps);
	write_steps(audit, 2, life_passive, 0, life_passive_steps);
	write_steps(audit, 3, life_time_wait, 0, life_time_wait_steps);
	write_steps(audit, 4, life_passive, 0, 2);
	assert_int_equal(audit_drain(audit, DURATION_S(10)), 0);
	check(place->database); /* while the daemon writes it */
	assert_int_equal(audit_stop(audit, DURATION_S(10)), 0);
	audit_free(audit);
	/* After an orderly stop nothing is open any more. */
	expect(place->database, "state=established", EXIT_NO_MATCH, 0);
	expect(place->database, "", EXIT_OK, 4);
}

static void not_a_database(void **state)
{
	struct place *place = *state;
	char path[128];
	FILE *file;

	expect("/nonexistent/audit.db", "", EXIT_UNREACHABLE, 0);
	snprintf(path, sizeof(path), "%s/text", place->directory);
	file = fopen(path, "w");
	fputs("this is not a database, and long enough to be looked at: 0123456789 0123456789 0123456789 "
	      "0123456789\n",
	      file);
	fclose(file);
	expect(path, "", EXIT_REFUSED, 0);
	file = fopen(path, "w"); /* empty: a database without tables */
	fclose(file);
	expect(path, "", EXIT_REFUSED, 0);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(recorded, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(not_a_database, place_setup, place_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
