/* The report: every requirement with its outcome and what answers it, and the sums. */
#include "requirement.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *const level_name[LEVEL_COUNT] = { "MUST", "SHOULD", "MAY", "RULE" };
static const char *const outcome_name[OUTCOME_COUNT] = { "NOT RUN", "pass", "FAIL", "by code", "n/a" };

/* A definition begins in the first column, and its first line does not end with a semicolon. */
static bool defines(const char *line, const char *function)
{
	size_t length = strlen(function);
	const char *at = line, *end = line + strcspn(line, "\n");

	if (strchr(" \t#/*{}", *line) || end == line || end[-1] == ';')
		return false;
	while ((at = strstr(at, function))) {
		if (at > line && strchr(" *", at[-1]) && at[length] == '(')
			return true;
		at += length;
	}
	return false;
}

unsigned find_function(const char *root, const char *file, const char *function)
{
	unsigned number = 0, found = 0;
	char path[4096], line[1024];
	FILE *source;

	snprintf(path, sizeof(path), "%s/%s", root, file);
	source = fopen(path, "r");
	if (!source)
		return 0;
	while (!found && fgets(line, sizeof(line), source)) {
		number++;
		if (defines(line, function))
			found = number;
	}
	fclose(source);
	return found;
}

static bool is_met(const char *root, const struct requirement *row, enum outcome outcome)
{
	if (row->answer == ANSWER_CODE)
		return find_function(root, row->file, row->name) > 0;
	return outcome == PASSED || outcome == EXCUSED;
}

static void print_row(const char *root, const struct requirement *row, enum outcome outcome, FILE *stream)
{
	static const char *const family_name[] = { "", "IPv4", "IPv6", "both" };

	fprintf(stream, "| %-8s | %-6s | %-10s | %-7s | %-4s | %-96s | ", row->id, level_name[row->level],
	        row->section, is_met(root, row, outcome) || outcome == NOT_RUN ? outcome_name[outcome] : "FAIL",
	        row->answer == ANSWER_TEST ? family_name[row->family] : "", row->phrase);
	switch (row->answer) {
	case ANSWER_TEST:
		fprintf(stream, "%s |\n", row->name);
		break;
	case ANSWER_CODE:
		fprintf(stream, "%s:%u %s: %s |\n", row->file, find_function(root, row->file, row->name), row->name,
		        row->reason);
		break;
	default:
		fprintf(stream, "%s |\n", row->reason);
		break;
	}
}

struct sums {
	size_t total, tested, by_code, excused, unmet;
};

static void add(struct sums *sums, const char *root, const struct requirement *row, const enum outcome *outcomes,
                size_t rows)
{
	bool tested = false, code = false, met = true;

	for (size_t i = 0; i < rows; i++) {
		tested = tested || row[i].answer == ANSWER_TEST;
		code = code || row[i].answer == ANSWER_CODE;
		met = met && is_met(root, &row[i], outcomes[i]);
	}
	sums->total++;
	if (!met)
		sums->unmet++;
	else if (tested)
		sums->tested++;
	else if (code)
		sums->by_code++;
	else
		sums->excused++;
}

static void print_sums(const char *what, const struct sums *sums, FILE *stream)
{
	if (sums->total > 0)
		fprintf(stream,
		        "%zu %s: %zu tested and met, %zu answered by a line of code, %zu do not apply, %zu not met\n",
		        sums->total, what, sums->tested, sums->by_code, sums->excused, sums->unmet);
}

/* One document; several rows may prove one requirement. */
static void print_document(const char *root, const struct document *document, const enum outcome *outcomes,
                           struct sums *all, FILE *stream)
{
	struct sums sums[LEVEL_COUNT] = { 0 };
	size_t rows;

	fprintf(stream, "\n## RFC %s: %s\n\n", document->rfc, document->title);
	fprintf(stream, "| %-8s | %-6s | %-10s | %-7s | %-4s | %-96s | %s |\n", "id", "level", "section", "result",
	        "over", "requirement", "test, code, or reason");
	fprintf(stream, "| --- | --- | --- | --- | --- | --- | --- |\n");
	for (size_t i = 0; i < document->count; i += rows) {
		const struct requirement *row = &document->rows[i];

		for (rows = 0; i + rows < document->count && strcmp(row[rows].id, row->id) == 0; rows++)
			print_row(root, &row[rows], outcomes[i + rows], stream);
		add(&sums[row->level], root, row, outcomes + i, rows);
		add(&all[row->level], root, row, outcomes + i, rows);
	}
	fprintf(stream, "\n");
	for (int level = 0; level < LEVEL_COUNT; level++)
		print_sums(level_name[level], &sums[level], stream);
}

size_t print_report(const char *root, const enum outcome *outcomes, void *stream)
{
	struct sums all[LEVEL_COUNT] = { 0 };
	size_t unmet = 0;

	fprintf(stream, "# Conformance\n");
	for (size_t i = 0; i < document_count; i++) {
		print_document(root, &documents[i], outcomes, all, stream);
		outcomes += documents[i].count;
	}
	fprintf(stream, "\n## All\n\n");
	for (int level = 0; level < LEVEL_COUNT; level++) {
		print_sums(level_name[level], &all[level], stream);
		unmet += all[level].unmet;
	}
	return unmet;
}
