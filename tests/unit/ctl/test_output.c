/* Output: text that is safe to print, and the four forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "output.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

static void printable(void **state)
{
	static const struct {
		const char *bytes, *text;
		size_t width;
	} cases[] = {
		{ "", "", 0 },
		{ "plain text", "plain text", 10 },
		{ "a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f", 15 },
		{ "\x1b[31mred", "\\x1b[31mred", 11 },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", 4 },
		{ "\xe2\x82\xac \xf0\x9f\x98\x80", "\xe2\x82\xac \xf0\x9f\x98\x80", 3 },
		{ "\xc3", "\\xc3", 4 },                             /* cut off */
		{ "\xc3(", "\\xc3(", 5 },                           /* no continuation */
		{ "\xc0\xaf", "\\xc0\\xaf", 8 },                    /* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80", 12 },          /* surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", 16 }, /* beyond Unicode */
		{ "\xc2\x9b"
		  "31m",
		  "\\xc2\\x9b"
		  "31m",
		  11 },                                    /* a control character of 8 bits */
		{ "\xe2\x80\xae", "\\xe2\\x80\\xae", 12 }, /* turns the direction */
		{ "\xff\xfe", "\\xff\\xfe", 8 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = text_printable(cases[i].bytes, strlen(cases[i].bytes));
		json_t *json = text_json(cases[i].bytes, strlen(cases[i].bytes));

		assert_string_equal(text, cases[i].text);
		assert_int_equal(text_width(text), cases[i].width);
		assert_string_equal(json_string_value(json), cases[i].text);
		free(text);
		json_decref(json);
	}
}

static void values(void **state)
{
	static const struct {
		const char *json, *text;
	} cases[] = {
		{ "[null]", "" },
		{ "[true]", "yes" },
		{ "[false]", "no" },
		{ "[12]", "12" },
		{ "[-12]", "-12" },
		{ "[1.5]", "1.5" },
		{ "[1.0]", "1" },
		{ "[0.000046]", "0.000046" },
		{ "[0.0000004]", "0" },
		{ "[-0.0000001]", "0" },
		{ "[100.0]", "100" },
		{ "[1e300]", "?" },
		{ "[\"a\\u0001\"]", "a\\x01" },
		{ "[[\"ts\",\"sack\"]]", "ts,sack" },
		{ "[[]]", "" },
		{ "[{\"a\":[1,\"\xc3\xbc\"]}]", "{\"a\":[1,\"\\u00FC\"]}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *array = json_loads(cases[i].json, 0, NULL);
		char *text = text_of(json_array_get(array, 0));

		assert_string_equal(text, cases[i].text);
		free(text);
		json_decref(array);
	}
}

/* What comes out for these rows (a JSON array); to be freed. */
static char *shown(struct output_options options, const char *rows)
{
	static const char *const columns[] = { "id", "name", "rate" };
	json_t *array = json_loads(rows, 0, NULL), *row;
	struct output *output;
	char *text = NULL;
	size_t size, i;

	options.file = open_memstream(&text, &size);
	output = output_open(&options, columns, 3);
	json_array_foreach(array, i, row)
	{
		output_row(output, row);
	}
	assert_int_equal(output_close(output), 0);
	fclose(options.file);
	json_decref(array);
	return text;
}

static void forms(void **state)
{
#define ROWS "[{\"id\":1,\"name\":\"one\",\"rate\":1.5},{\"id\":22,\"name\":\"a,\\\"b\\\"\",\"x\":1}]"
	static const char *const chosen[] = { "rate", "nothing", "id" };
	static const struct {
		struct output_options options;
		const char *rows, *text;
	} cases[] = {
		{ { .format = OUTPUT_TABLE, .header = true },
		  ROWS,
		  "ID  NAME   RATE\n 1  one     1.5\n22  a,\"b\"     -\n" },
		{ { .format = OUTPUT_TABLE }, ROWS, " 1  one    1.5\n22  a,\"b\"    -\n" },
		{ { .format = OUTPUT_TABLE, .header = true }, "[]", "ID  NAME  RATE\n" },
		{ { .format = OUTPUT_TABLE, .header = true, .bold = true }, "[]", "\033[1mID  NAME  RATE\033[0m\n" },
		{ { .format = OUTPUT_TABLE, .header = true, .columns = chosen, .column_count = 3 },
		  ROWS,
		  "RATE  NOTHING  ID\n 1.5        -   1\n   -        -  22\n" },
		{ { .format = OUTPUT_CSV, .header = true },
		  ROWS,
		  "id,name,rate\r\n1,one,1.5\r\n22,\"a,\"\"b\"\"\",\r\n" },
		{ { .format = OUTPUT_CSV }, "[]", "" },
		{ { .format = OUTPUT_CSV, .header = true }, "[]", "id,name,rate\r\n" },
		{ { .format = OUTPUT_JSON },
		  ROWS,
		  "[\n {\"id\":1,\"name\":\"one\",\"rate\":1.5},\n "
		  "{\"id\":22,\"name\":\"a,\\\"b\\\"\",\"x\":1}\n]\n" },
		{ { .format = OUTPUT_JSON }, "[]", "[]\n" },
		{ { .format = OUTPUT_JSONL, .columns = chosen, .column_count = 3 },
		  ROWS,
		  "{\"rate\":1.5,\"nothing\":null,\"id\":1}\n{\"rate\":null,\"nothing\":null,\"id\":22}\n" },
		{ { .format = OUTPUT_JSONL }, "[]", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = shown(cases[i].options, cases[i].rows);

		assert_string_equal(text, cases[i].text);
		free(text);
	}
}

/* The table decides on its widths early, streams after that, and loses nothing on the way. */
static void long_table(void **state)
{
	struct output_options options = { .format = OUTPUT_TABLE };
	static const char *const columns[] = { "id" };
	struct output *output;
	char *text = NULL;
	size_t size, lines = 0;

	(void)state;
	options.file = open_memstream(&text, &size);
	output = output_open(&options, columns, 1);
	for (int i = 0; i < 1000; i++) {
		json_t *row = json_pack("{s:i}", "id", i * 1000);

		output_row(output, row);
		json_decref(row);
		if (i == 500) {
			fflush(options.file);
			assert_true(size > 300 * 5); /* not held back to the end */
		}
	}
	assert_int_equal(output_close(output), 0);
	fclose(options.file);
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 1000);
	assert_non_null(strstr(text, "\n999000\n"));
	free(text);
}

static void write_error(void **state)
{
	static const char *const columns[] = { "id" };
	struct output_options options = { .format = OUTPUT_TABLE, .header = true };
	json_t *object = json_pack("{s:i}", "a", 1);

	(void)state;
	options.file = fopen("/dev/full", "w");
	assert_true(output_close(output_open(&options, columns, 1)) < 0);
	fclose(options.file);
	options.file = fopen("/dev/full", "w");
	assert_true(output_object(&options, object) < 0);
	options.format = OUTPUT_JSON;
	assert_true(output_object(&options, object) < 0);
	fclose(options.file);
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(printable),  cmocka_unit_test(values),      cmocka_unit_test(forms),
		cmocka_unit_test(long_table), cmocka_unit_test(write_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
