/* The nearest known name for a mistyped one. */
#include "config/reader.h"

#include <string.h>

#define NAME_MAX_BYTES 48u

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

/* Levenshtein's distance; both no longer than NAME_MAX_BYTES. */
static unsigned distance(const char *a, const char *b)
{
	size_t columns = strlen(b);
	unsigned row[NAME_MAX_BYTES + 1];

	for (unsigned j = 0; j <= columns; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1] != '\0'; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= columns; j++) {
			unsigned above = row[j];

			row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[columns];
}

static const char *last_part(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot == NULL ? path : dot + 1;
}

const char *reader_hint(const char *unknown, const char *(*known)(size_t index), char text[static READER_HINT_MAX])
{
	unsigned limit = strlen(unknown) < 6 ? 1 : (unsigned)strlen(unknown) / 4 + 1, best = limit + 1;
	const char *nearest = NULL, *name;

	text[0] = '\0';
	if (strlen(unknown) > NAME_MAX_BYTES)
		return text;
	for (size_t i = 0; (name = known(i)) != NULL; i++) {
		unsigned away = strlen(name) > NAME_MAX_BYTES ? best : distance(unknown, name);

		/* the right key in the wrong section is as near as a typing error */
		if (strcmp(last_part(unknown), last_part(name)) == 0 && away > 1)
			away = 1;
		if (away < best) {
			best = away;
			nearest = name;
		}
	}
	if (nearest != NULL)
		snprintf(text, READER_HINT_MAX, "; did you mean %s?", nearest);
	return text;
}
