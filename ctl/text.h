#pragma once
/* Text that is safe to print: what comes over the socket or out of a database may hold any bytes. */
#include <jansson.h>
#include <stddef.h>

/* A copy in which control characters and bytes that are not UTF-8 are written as \xNN. NULL: no memory. */
char *text_printable(const char *bytes, size_t length);

/* Columns that the text takes on a terminal: one for each character. */
size_t text_width(const char *utf8);

/* A JSON string of any bytes, made valid as text_printable does. NULL: no memory. */
json_t *text_json(const char *bytes, size_t length);

/* A JSON value as one line of plain text: texts as they are, numbers without superfluous zeros, lists with commas,
 * null as "". The caller frees it. NULL: no memory. */
char *text_of(const json_t *value);
