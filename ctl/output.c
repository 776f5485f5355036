#include "output.h"

#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Rows that a table looks at before it decides on the width of its columns. */
enum { ROWS_AHEAD = 200 };

struct output {
	struct output_options options;
	const char *const *columns;
	size_t column_count;
	size_t rows; /* so far */
	bool begun, failed;
	/* table */
	size_t *width;
	bool *text;   /* the column holds texts: aligned to the left */
	json_t *held; /* NULL: widths are fixed */
};

/* ---- table --------------------------------------------------------------------------------------------------- */

static char *cell_text(const json_t *row, const char *column)
{
	const json_t *value = json_object_get(row, column);

	if (!value || json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0))
		return strdup("-");
	return text_of(value);
}

static void measure(struct output *output, const json_t *row)
{
	for (size_t i = 0; i < output->column_count; i++) {
		char *text = cell_text(row, output->columns[i]);
		size_t width = text ? text_width(text) : 0;

		if (width > output->width[i])
			output->width[i] = width;
		if (!json_is_number(json_object_get(row, output->columns[i])) && text && strcmp(text, "-") != 0)
			output->text[i] = true;
		free(text);
	}
}

static void put_padded(struct output *output, size_t column, const char *text)
{
	FILE *file = output->options.file;
	size_t width = text_width(text), wanted = output->width[column];
	bool last = column + 1 == output->column_count;
	int padding = width < wanted ? (int)(wanted - width) : 0;

	if (column)
		fputs("  ", file);
	if (output->text[column])
		fprintf(file, "%s%*s", text, last ? 0 : padding, "");
	else
		fprintf(file, "%*s%s", padding, "", text);
}

static void put_table_header(struct output *output)
{
	FILE *file = output->options.file;

	if (output->options.bold)
		fputs("\033[1m", file);
	for (size_t i = 0; i < output->column_count; i++) {
		char *title = strdup(output->columns[i]);

		for (char *c = title; c && *c; c++)
			*c = (char)toupper((unsigned char)*c);
		put_padded(output, i, title ? title : "?");
		free(title);
	}
	fputs(output->options.bold ? "\033[0m\n" : "\n", file);
}

static void put_table_row(struct output *output, const json_t *row)
{
	for (size_t i = 0; i < output->column_count; i++) {
		char *text = cell_text(row, output->columns[i]);

		put_padded(output, i, text ? text : "?");
		free(text);
	}
	fputc('\n', output->options.file);
}

/* The widths are decided: what was held back goes out. */
static void release_held(struct output *output)
{
	size_t i;
	json_t *row;

	if (output->options.header) {
		for (i = 0; i < output->column_count; i++)
			if (strlen(output->columns[i]) > output->width[i])
				output->width[i] = strlen(output->columns[i]);
		put_table_header(output);
	}
	json_array_foreach(output->held, i, row)
	{
		put_table_row(output, row);
	}
	json_decref(output->held);
	output->held = NULL;
}

static void table_row(struct output *output, const json_t *row)
{
	if (!output->held) {
		put_table_row(output, row);
		return;
	}
	measure(output, row);
	if (json_array_append(output->held, (json_t *)row) < 0)
		output->failed = true;
	if (json_array_size(output->held) >= ROWS_AHEAD)
		release_held(output);
}

/* ---- CSV (RFC 4180) ------------------------------------------------------------------------------------------ */

static void put_csv_cell(FILE *file, const char *text)
{
	if (!strpbrk(text, ",\"\r\n")) {
		fputs(text, file);
		return;
	}
	fputc('"', file);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', file);
		fputc(*text, file);
	}
	fputc('"', file);
}

static void csv_header(struct output *output)
{
	for (size_t i = 0; i < output->column_count; i++) {
		if (i)
			fputc(',', output->options.file);
		put_csv_cell(output->options.file, output->columns[i]);
	}
	fputs("\r\n", output->options.file);
}

static void csv_row(struct output *output, const json_t *row)
{
	for (size_t i = 0; i < output->column_count; i++) {
		char *text = text_of(json_object_get(row, output->columns[i]));

		if (i)
			fputc(',', output->options.file);
		put_csv_cell(output->options.file, text ? text : "?");
		free(text);
	}
	fputs("\r\n", output->options.file);
}

/* ---- JSON ---------------------------------------------------------------------------------------------------- */

/* The row with the user's columns only; a new reference. */
static json_t *chosen(const struct output_options *options, const json_t *row)
{
	json_t *object;

	if (!options->columns)
		return json_incref((json_t *)row);
	object = json_object();
	for (size_t i = 0; i < options->column_count; i++) {
		json_t *value = json_object_get(row, options->columns[i]);

		json_object_set(object, options->columns[i], value ? value : json_null());
	}
	return object;
}

static int put_json(const struct output_options *options, const json_t *row, size_t flags)
{
	json_t *object = chosen(options, row);
	int r = json_dumpf(object, options->file,
	                   flags | JSON_ENSURE_ASCII | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

	json_decref(object);
	return r;
}

static void json_row(struct output *output, const json_t *row)
{
	bool lines = output->options.format == OUTPUT_JSONL;

	if (!lines)
		fputs(output->rows ? ",\n " : "[\n ", output->options.file);
	if (put_json(&output->options, row, JSON_COMPACT) < 0)
		output->failed = true;
	if (lines)
		fputc('\n', output->options.file);
}

/* ---- all of them --------------------------------------------------------------------------------------------- */

struct output *output_open(const struct output_options *options, const char *const *columns, size_t count)
{
	struct output *output = calloc(1, sizeof(*output));

	if (!output)
		return NULL;
	output->options = *options;
	output->columns = options->columns ? options->columns : columns;
	output->column_count = options->columns ? options->column_count : count;
	if (options->format == OUTPUT_TABLE) {
		output->width = calloc(output->column_count + 1, sizeof(*output->width));
		output->text = calloc(output->column_count + 1, sizeof(*output->text));
		output->held = json_array();
		if (!output->width || !output->text || !output->held) {
			free(output->width);
			free(output->text);
			json_decref(output->held);
			free(output);
			return NULL;
		}
	}
	return output;
}

/* CSV's header and JSON's bracket wait for the first row or the end, so that an error can still come first. */
static void begin(struct output *output)
{
	if (output->begun)
		return;
	output->begun = true;
	if (output->options.format == OUTPUT_CSV && output->options.header)
		csv_header(output);
}

void output_row(struct output *output, const json_t *row)
{
	begin(output);
	switch (output->options.format) {
	case OUTPUT_TABLE:
		table_row(output, row);
		break;
	case OUTPUT_CSV:
		csv_row(output, row);
		break;
	case OUTPUT_JSON:
	case OUTPUT_JSONL:
		json_row(output, row);
		break;
	}
	output->rows++;
}

void output_discard(struct output *output)
{
	json_decref(output->held);
	free(output->width);
	free(output->text);
	free(output);
}

int output_close(struct output *output)
{
	FILE *file = output->options.file;
	bool failed;

	begin(output);
	if (output->held)
		release_held(output);
	if (output->options.format == OUTPUT_JSON)
		fputs(output->rows ? "\n]\n" : "[]\n", file);
	failed = fflush(file) != 0 || ferror(file) || output->failed;
	output_discard(output);
	return failed ? -EIO : 0;
}

/* Rows {"name", "value"} of the members, those of objects inside as "outer.inner", those of lists by number. */
static void flatten(struct output *output, const char *prefix, const json_t *value)
{
	const char *key;
	json_t *member, *row;
	size_t i;
	char name[512];

	if (json_is_object(value)) {
		json_object_foreach((json_t *)value, key, member)
		{
			snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "." : "", key);
			flatten(output, name, member);
		}
	} else if (json_is_array(value) && json_is_object(json_array_get(value, 0))) {
		json_array_foreach(value, i, member)
		{
			snprintf(name, sizeof(name), "%s.%zu", prefix, i);
			flatten(output, name, member);
		}
	} else {
		row = json_pack("{s:s, s:O}", "name", prefix, "value", value);
		output_row(output, row);
		json_decref(row);
	}
}

int output_object(const struct output_options *options, const json_t *object)
{
	static const char *const columns[] = { "name", "value" };
	struct output_options list = *options;
	struct output *output;
	json_t *members;

	if (options->format == OUTPUT_JSON || options->format == OUTPUT_JSONL) {
		int r = put_json(options, object, options->format == OUTPUT_JSON ? JSON_INDENT(2) : JSON_COMPACT);

		fputc('\n', options->file);
		return r < 0 || fflush(options->file) != 0 ? -EIO : 0;
	}
	list.columns = NULL;
	output = output_open(&list, columns, 2);
	if (!output)
		return -ENOMEM;
	if (output->text)
		output->text[1] = true; /* names and values read better from the left */
	members = chosen(options, object);
	flatten(output, "", members);
	json_decref(members);
	return output_close(output);
}
