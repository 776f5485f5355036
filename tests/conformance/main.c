/* Runs the test of every requirement, over IPv4 and IPv6, and reports.
 *
 *     conformance [-o FILE] [TEST]...
 *
 * -o FILE   writes the report there
 * TEST      runs only these (by id, as MUST-10, or by name) and reports nothing */
#include "requirement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ROWS_MAX 1024

static const struct requirement *row_of[ROWS_MAX];
static enum outcome outcomes[ROWS_MAX];
static size_t row_count;

static const char *source_root(void)
{
	const char *root = getenv("TAPSTACK_SRCDIR");

	return root ? root : ".";
}

static void collect_rows(void)
{
	for (size_t d = 0; d < document_count; d++) {
		for (size_t i = 0; i < documents[d].count; i++, row_count++) {
			const struct requirement *row = &documents[d].rows[i];

			if (row_count == ROWS_MAX)
				abort();
			row_of[row_count] = row;
			outcomes[row_count] = row->answer == ANSWER_CODE      ? BY_CODE
			                      : row->answer == ANSWER_EXCUSED ? EXCUSED
			                                                      : NOT_RUN;
		}
	}
}

/* A failing test does not come back here: cmocka jumps out of it. What has failed over one IP has failed. */
static void run_row(void **state)
{
	size_t index = (size_t)(uintptr_t)*state;
	enum outcome before = outcomes[index];
	void *none = NULL;

	outcomes[index] = FAILED;
	row_of[index]->test(&none);
	if (before != FAILED)
		outcomes[index] = PASSED;
}

static bool is_wanted(const struct requirement *row, char **wanted, int count)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(wanted[i], row->id) == 0 || (row->name && strcmp(wanted[i], row->name) == 0))
			return true;
	}
	return count == 0;
}

/* ---- what must be so of the tables themselves ------------------------------------------------------------------ */

static bool has_row(const char *prefix, int number)
{
	char id[32];

	snprintf(id, sizeof(id), "%s-%d", prefix, number);
	for (size_t i = 0; i < documents[0].count; i++) {
		if (strcmp(documents[0].rows[i].id, id) == 0)
			return true;
	}
	print_error("RFC 9293 %s has no row\n", id);
	return false;
}

/* The 119 numbered requirements of RFC 9293 (appendix B). */
static void every_numbered_requirement_has_a_row(void **state)
{
	static const struct {
		const char *prefix;
		int count;
	} kind[] = { { "MUST", 69 }, { "SHLD", 31 }, { "MAY", 18 }, { "REC", 1 } };
	size_t missing = 0;

	(void)state;
	for (size_t k = 0; k < sizeof(kind) / sizeof(kind[0]); k++) {
		for (int number = 1; number <= kind[k].count; number++)
			missing += !has_row(kind[k].prefix, number);
	}
	assert_int_equal(missing, 0);
}

static void every_line_of_code_is_where_the_table_says(void **state)
{
	size_t missing = 0;

	(void)state;
	for (size_t i = 0; i < row_count; i++) {
		const struct requirement *row = row_of[i];

		if (row->answer == ANSWER_CODE && !find_function(source_root(), row->file, row->name)) {
			print_error("%s: %s has no %s\n", row->id, row->file, row->name);
			missing++;
		}
	}
	assert_int_equal(missing, 0);
}

/* The rows of one requirement stand together: they count as one. */
static void rows_of_a_requirement_stand_together(void **state)
{
	(void)state;
	for (size_t d = 0; d < document_count; d++) {
		const struct requirement *rows = documents[d].rows;

		for (size_t i = 1; i < documents[d].count; i++) {
			for (size_t j = 0; j + 1 < i && strcmp(rows[i].id, rows[i - 1].id) != 0; j++)
				assert_string_not_equal(rows[i].id, rows[j].id);
		}
	}
}

/* The tests of one family of IP; returns how many failed. */
static int run(enum family family, char **wanted, int count)
{
	static struct CMUnitTest tests[ROWS_MAX + 3];
	size_t n = 0;

	if (count == 0 && family == OVER_IPV4) {
		tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_numbered_requirement_has_a_row);
		tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_line_of_code_is_where_the_table_says);
		tests[n++] = (struct CMUnitTest)cmocka_unit_test(rows_of_a_requirement_stand_together);
	}
	for (size_t i = 0; i < row_count; i++) {
		if (row_of[i]->answer == ANSWER_TEST && (row_of[i]->family & family) &&
		    is_wanted(row_of[i], wanted, count))
			tests[n++] =
			        (struct CMUnitTest){ row_of[i]->name, run_row, NULL, NULL, (void *)(uintptr_t)i };
	}
	if (n == 0)
		return 0;
	setenv("TAPSTACK_TEST_FAMILY", family == OVER_IPV6 ? "6" : "4", 1); /* tests/support/peer.h */
	return _cmocka_run_group_tests(family == OVER_IPV6 ? "conformance over IPv6" : "conformance over IPv4", tests,
	                               n, NULL, NULL);
}

static int report(const char *path)
{
	FILE *stream = fopen(path, "w");
	size_t unmet;

	if (!stream) {
		perror(path);
		return 1;
	}
	unmet = print_report(source_root(), outcomes, stream);
	if (fclose(stream) != 0) {
		perror(path);
		return 1;
	}
	return unmet > 0;
}

int main(int argc, char **argv)
{
	const char *path = NULL;
	int option, failed;

	while ((option = getopt(argc, argv, "o:")) != -1) {
		if (option != 'o') {
			fprintf(stderr, "usage: %s [-o FILE] [TEST]...\n", argv[0]);
			return 2;
		}
		path = optarg;
	}
	collect_rows();
	failed = run(OVER_IPV4, argv + optind, argc - optind) != 0;
	failed |= run(OVER_IPV6, argv + optind, argc - optind) != 0;
	if (path && optind == argc)
		failed |= report(path);
	return failed;
}
