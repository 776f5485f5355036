#include "config/errors.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static int errors_grow(struct config_errors *errors)
{
	struct config_error *grown;

	/* doubles at 0, 1, 2, 4, 8, ... */
	if ((errors->count & (errors->count - 1)) != 0)
		return 0;
	grown = realloc(errors->error, (errors->count == 0 ? 1 : errors->count * 2) * sizeof(*grown));
	if (grown == NULL)
		return -1;
	errors->error = grown;
	return 0;
}

void errors_add(struct config_errors *errors, const struct config_place *place, const char *format, ...)
{
	struct config_error error = { .place = *place };
	va_list args;
	int length;

	if (errors->count >= CONFIG_ERRORS_MAX || errors_grow(errors) != 0) {
		errors->omitted++;
		return;
	}
	va_start(args, format);
	length = vasprintf(&error.message, format, args);
	va_end(args);
	error.place.file = length < 0 ? NULL : strdup(place->file == NULL ? "" : place->file);
	if (error.place.file == NULL) {
		if (length >= 0)
			free(error.message);
		errors->omitted++;
		return;
	}
	errors->error[errors->count++] = error;
}

static int place_before(const struct config_place *a, const struct config_place *b)
{
	if ((a->line == 0) != (b->line == 0))
		return a->line != 0;
	if (a->line != b->line)
		return a->line < b->line;
	return a->column < b->column;
}

void errors_sort(struct config_errors *errors)
{
	/* Insertion sort: stable, and there are at most CONFIG_ERRORS_MAX. */
	for (size_t i = 1; i < errors->count; i++) {
		struct config_error moving = errors->error[i];
		size_t at = i;

		for (; at > 0 && place_before(&moving.place, &errors->error[at - 1].place); at--)
			errors->error[at] = errors->error[at - 1];
		errors->error[at] = moving;
	}
}

const char *errors_quote(const char *text, char buffer[static ERRORS_QUOTE_MAX])
{
	size_t length = strlen(text), limit = ERRORS_QUOTE_MAX - 4;
	bool cut = length > limit;

	if (cut) {
		length = limit;
		while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
			length--; /* not in the middle of a character */
	}
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)text[i];

		buffer[i] = byte < 0x20 || byte == 0x7f ? '?' : text[i];
	}
	strcpy(buffer + length, cut ? "..." : "");
	return buffer;
}

void config_errors_free(struct config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		free((char *)errors->error[i].place.file);
		free(errors->error[i].message);
	}
	free(errors->error);
	*errors = CONFIG_ERRORS_INIT;
}

int config_error_format(const struct config_error *error, char *text, size_t size)
{
	if (error->place.line == 0)
		return snprintf(text, size, "%s: %s", error->place.file, error->message);
	return snprintf(text, size, "%s:%u:%u: %s", error->place.file, error->place.line, error->place.column,
	                error->message);
}

void config_errors_print(const struct config_errors *errors, FILE *file)
{
	for (size_t i = 0; i < errors->count; i++) {
		const struct config_error *error = &errors->error[i];

		fprintf(file, "%s:", error->place.file);
		if (error->place.line != 0)
			fprintf(file, "%u:%u:", error->place.line, error->place.column);
		fprintf(file, " %s\n", error->message);
	}
	if (errors->omitted > 0)
		fprintf(file, "%zu further errors are not shown\n", errors->omitted);
}
