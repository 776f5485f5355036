#include "rfc5424.h"

#include <stdint.h>
#include <string.h>

struct reader {
	const unsigned char *at, *end;
};

static bool take(struct reader *reader, unsigned char wanted)
{
	if (reader->at == reader->end || *reader->at != wanted)
		return false;
	reader->at++;
	return true;
}

/* PRINTUSASCII, `max` at most and one at least, without those of `but`. */
static bool take_name(struct reader *reader, const char *but, char *name, size_t max)
{
	size_t length = 0;

	while (reader->at<reader->end && * reader->at> 32 && *reader->at < 127 &&
	       strchr(but, (char)*reader->at) == NULL) {
		if (length == max)
			return false;
		name[length++] = (char)*reader->at++;
	}
	name[length] = '\0';
	return length > 0;
}

static bool digits(const char *text, const char *shape)
{
	for (; *shape != '\0'; shape++, text++)
		if (*shape == '9' ? *text < '0' || *text > '9' : *text != *shape)
			return false;
	return true;
}

/* RFC 3339 with "T", "Z" and at most six digits of a fraction. */
static bool is_timestamp(const char *text)
{
	size_t fraction;

	if (!digits(text, "9999-99-99T99:99:99"))
		return false;
	text += 19;
	if (*text == '.') {
		fraction = strspn(++text, "0123456789");
		if (fraction < 1 || fraction > 6)
			return false;
		text += fraction;
	}
	return strcmp(text, "Z") == 0;
}

/* RFC 3629, section 4. Decodes to a number, and refuses what is longer than it needs to be. */
static bool is_utf8(const unsigned char *at, const unsigned char *end)
{
	while (at < end) {
		static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
		unsigned more = *at < 0x80 ? 0 : *at >> 5 == 6 ? 1 : *at >> 4 == 14 ? 2 : *at >> 3 == 30 ? 3 : 9;
		uint32_t code = more == 0 ? *at : *at & (0x3fu >> more);

		if (more == 9 || (size_t)(end - at) <= more)
			return false;
		for (unsigned i = 1; i <= more; i++) {
			if (at[i] >> 6 != 2)
				return false;
			code = code << 6 | (at[i] & 0x3fu);
		}
		if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
			return false;
		at += more + 1;
	}
	return true;
}

/* Behind the first quote, up to and with the second. */
static const char *read_value(struct reader *reader, char value[RFC5424_TEXT_MAX])
{
	const unsigned char *begin = reader->at;
	size_t length = 0;

	for (; reader->at < reader->end && *reader->at != '"'; reader->at++) {
		if (*reader->at == ']')
			return "a bare bracket in a value";
		if (*reader->at == '\\') {
			if (++reader->at == reader->end || strchr("\"\\]", *reader->at) == NULL)
				return "a backslash before nothing that needs one";
		}
		if (length == RFC5424_TEXT_MAX - 1)
			return "a value too long for this test";
		value[length++] = (char)*reader->at;
	}
	value[length] = '\0';
	if (!is_utf8(begin, reader->at))
		return "a value that is not UTF-8";
	return take(reader, '"') ? NULL : "a value without an end";
}

static const char *read_element(struct reader *reader, struct rfc5424 *message)
{
	char id[33];
	const char *fault;

	if (!take_name(reader, "= ]\"", id, 32))
		return "SD-ID";
	for (unsigned i = 0; i < message->params; i++)
		if (strcmp(message->param[i].element, id) == 0)
			return "an SD-ID twice";
	while (take(reader, ' ')) {
		struct rfc5424_param *param = &message->param[message->params++];

		if (message->params > RFC5424_PARAMS_MAX)
			return "too many parameters for this test";
		strcpy(param->element, id);
		if (!take_name(reader, "= ]\"", param->name, 32) || !take(reader, '=') || !take(reader, '"'))
			return "PARAM-NAME";
		fault = read_value(reader, param->value);
		if (fault != NULL)
			return fault;
	}
	message->elements++;
	return take(reader, ']') ? NULL : "an element without an end";
}

static const char *read_header(struct reader *reader, struct rfc5424 *message)
{
	char number[4];
	unsigned value = 0;

	if (!take(reader, '<') || !take_name(reader, ">", number, 3) || !take(reader, '>') ||
	    number[strspn(number, "0123456789")] != '\0' || (number[0] == '0' && number[1] != '\0'))
		return "PRI";
	for (const char *c = number; *c != '\0'; c++)
		value = value * 10 + (unsigned)(*c - '0');
	if (value > 191)
		return "PRIVAL";
	message->facility = value / 8;
	message->severity = value % 8;
	if (!take(reader, '1') || !take(reader, ' '))
		return "VERSION";
	if (!take_name(reader, "", message->timestamp, 32) || !is_timestamp(message->timestamp) || !take(reader, ' '))
		return "TIMESTAMP";
	if (!take_name(reader, "", message->hostname, 255) || !take(reader, ' '))
		return "HOSTNAME";
	if (!take_name(reader, "", message->app_name, 48) || !take(reader, ' '))
		return "APP-NAME";
	if (!take_name(reader, "", message->procid, 128) || !take(reader, ' '))
		return "PROCID";
	if (!take_name(reader, "", message->msgid, 32) || !take(reader, ' '))
		return "MSGID";
	return NULL;
}

const char *rfc5424_read(const char *bytes, size_t length, struct rfc5424 *ret)
{
	struct reader reader = { (const unsigned char *)bytes, (const unsigned char *)bytes + length };
	const char *fault;

	memset(ret, 0, sizeof(*ret));
	fault = read_header(&reader, ret);
	if (fault == NULL && !take(&reader, '-')) {
		while (fault == NULL && take(&reader, '['))
			fault = read_element(&reader, ret);
		if (fault == NULL && ret->elements == 0)
			fault = "STRUCTURED-DATA";
	}
	if (fault != NULL || reader.at == reader.end)
		return fault;
	if (!take(&reader, ' '))
		return "no space before MSG";
	if (reader.end - reader.at >= 3 && memcmp(reader.at, "\xef\xbb\xbf", 3) == 0) {
		ret->bom = true;
		reader.at += 3;
	}
	length = (size_t)(reader.end - reader.at);
	if (length >= sizeof(ret->message))
		return "MSG too long for this test";
	if (!is_utf8(reader.at, reader.end))
		return "MSG is not UTF-8";
	memcpy(ret->message, reader.at, length);
	for (size_t i = 0; i < length; i++)
		if (!ret->bom && (unsigned char)ret->message[i] >= 0x80)
			return "MSG is not ASCII and has no BOM";
	return NULL;
}

const char *rfc5424_value(const struct rfc5424 *message, const char *element, const char *name)
{
	for (unsigned i = 0; i < message->params; i++)
		if (strcmp(message->param[i].element, element) == 0 && strcmp(message->param[i].name, name) == 0)
			return message->param[i].value;
	return NULL;
}
