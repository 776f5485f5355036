#pragma once
/* What a command has to say, in the form that the user chose: an aligned table, one JSON document, JSON lines, CSV.
 * A command gives rows as JSON objects; the form decides what is shown of them and how. */
#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum output_format { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_JSONL, OUTPUT_CSV };

struct output_options {
	FILE *file;
	enum output_format format;
	bool header;                /* of table and CSV */
	bool bold;                  /* the table's header: only for terminals */
	const char *const *columns; /* chosen by the user, in this order; NULL: see output_open */
	size_t column_count;
};

struct output;

/* Begins a list. Without columns of the user's own, table and CSV have `columns`, and JSON and JSON lines everything
 * that the rows hold. NULL: no memory. */
struct output *output_open(const struct output_options *options, const char *const *columns, size_t count);
/* One row; an object. The table holds the first rows back until it knows how wide its columns must be, then streams.
 */
void output_row(struct output *output, const json_t *row);
/* The end: returns 0, or -errno when something could not be written. */
int output_close(struct output *output);

/* Instead of output_close when there is nothing to show after all: what has not been written stays so. */
void output_discard(struct output *output);

/* One thing: a JSON document, or a list of its members by name and value (nested ones as "outer.inner"). Columns of
 * the user's choose among the members. Returns as output_close. */
int output_object(const struct output_options *options, const json_t *object);
