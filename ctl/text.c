#include "text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Length of the UTF-8 character at `bytes`, which is no control character; 0: it is none. */
static size_t character(const unsigned char *bytes, size_t left)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} forms[] = { { 0x80, 0x00, 0x20 }, { 0xe0, 0xc0, 0xa0 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };

	for (size_t extra = 0; extra < 4; extra++) {
		uint32_t code = bytes[0] & (unsigned char)~forms[extra].mask;

		if ((bytes[0] & forms[extra].mask) != forms[extra].lead)
			continue;
		if (left <= extra)
			return 0;
		for (size_t i = 1; i <= extra; i++) {
			if ((bytes[i] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (bytes[i] & 0x3f);
		}
		if (code < forms[extra].least || code == 0x7f || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
			return 0;
		/* Direction marks and line separators would break a table, too. */
		if ((code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
			return 0;
		return extra + 1;
	}
	return 0;
}

char *text_printable(const char *bytes, size_t length)
{
	char *text = malloc(4 * length + 1), *at = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < length;) {
		size_t n = character((const unsigned char *)bytes + i, length - i);

		if (n == 0) {
			at += sprintf(at, "\\x%02x", (unsigned char)bytes[i]);
			i++;
			continue;
		}
		memcpy(at, bytes + i, n);
		at += n;
		i += n;
	}
	*at = '\0';
	return text;
}

size_t text_width(const char *utf8)
{
	size_t width = 0;

	for (; *utf8; utf8++)
		width += ((unsigned char)*utf8 & 0xc0) != 0x80;
	return width;
}

json_t *text_json(const char *bytes, size_t length)
{
	char *text = text_printable(bytes, length);
	json_t *value = text ? json_string(text) : NULL;

	free(text);
	return value;
}

static char *number_text(double number)
{
	char text[64];
	size_t length = (size_t)snprintf(text, sizeof(text), "%.6f", number);

	if (length >= sizeof(text)) /* some 10^60: no field of ours */
		return strdup("?");
	while (text[length - 1] == '0')
		text[--length] = '\0';
	if (text[length - 1] == '.')
		text[--length] = '\0';
	return strdup(strcmp(text, "-0") == 0 ? "0" : text);
}

static char *list_text(const json_t *list)
{
	char *text = NULL;
	size_t size, i;
	json_t *element;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	json_array_foreach(list, i, element)
	{
		char *one = text_of(element);

		fprintf(out, "%s%s", i ? "," : "", one ? one : "?");
		free(one);
	}
	fclose(out);
	return text;
}

char *text_of(const json_t *value)
{
	char number[32];

	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		return text_printable(json_string_value(value), json_string_length(value));
	case JSON_INTEGER:
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return strdup(number);
	case JSON_REAL:
		return number_text(json_real_value(value));
	case JSON_TRUE:
		return strdup("yes");
	case JSON_FALSE:
		return strdup("no");
	case JSON_ARRAY:
		return list_text(value);
	case JSON_OBJECT:
		return json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
	case JSON_NULL:
		break;
	}
	return strdup("");
}
