#include "value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define STATE_NAME(name) name,
static const char *const states[] = { TAPSTACK_STATES(STATE_NAME) };
#undef STATE_NAME

enum { STATE_COUNT = sizeof(states) / sizeof(states[0]) };

/* What people write besides the RFC's names: ss's words, and groups of states; a bit for each state. */
static const struct {
	const char *name;
	unsigned states;
} state_words[] = {
	{ "listening", 1u << 1 },  { "syn-recv", 1u << 3 },  { "estab", 1u << 4 },
	{ "fin-wait1", 1u << 5 },  { "fin-wait2", 1u << 6 }, { "connected", 0x7fc }, /* all but CLOSED and LISTEN */
	{ "synchronized", 0x7f8 },                                                   /* and but SYN-SENT */
	{ "closing-down", 0x7e0 },                                                   /* FIN-WAIT-1 and later */
};

static size_t one(char *text, char **ret_value)
{
	*ret_value = text;
	return text ? 1 : 0;
}

static size_t normalize_state(const char *text, char **ret_value, char *error, size_t error_size)
{
	unsigned wanted = 0;
	size_t count = 0, used;
	char word[32];

	snprintf(word, sizeof(word), "%s", text);
	for (char *c = word; *c; c++)
		if (*c == '_')
			*c = '-';
	for (unsigned i = 0; i < STATE_COUNT; i++)
		if (strcasecmp(word, states[i]) == 0)
			wanted = 1u << i;
	for (unsigned i = 0; i < sizeof(state_words) / sizeof(state_words[0]); i++)
		if (strcasecmp(word, state_words[i].name) == 0)
			wanted = state_words[i].states;
	for (unsigned i = 0; i < STATE_COUNT; i++)
		if (wanted & 1u << i)
			count += one(strdup(states[i]), &ret_value[count]);
	if (count)
		return count;

	used = (size_t)snprintf(error, error_size, "there is no state \"%s\"; states are:", text);
	for (unsigned i = 0; i < STATE_COUNT && used < error_size; i++)
		used += (size_t)snprintf(error + used, error_size - used, " %s", states[i]);
	for (unsigned i = 0; i < sizeof(state_words) / sizeof(state_words[0]) && used < error_size; i++)
		used += (size_t)snprintf(error + used, error_size - used, " %s", state_words[i].name);
	return 0;
}

struct suffix {
	const char *name;
	uint64_t factor;
};

/* Digits, perhaps with a fraction, and a suffix. False when it is none of that, or too large. */
static bool read_number(const char *text, const struct suffix *suffixes, uint64_t *ret)
{
	uint64_t whole, fraction = 0, place = 1;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	whole = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (*end == '.') {
		const char *digits = ++end;

		for (; *end >= '0' && *end <= '9'; end++) {
			if (place == 1000000)
				continue;
			fraction = fraction * 10 + (uint64_t)(*end - '0');
			place *= 10;
		}
		if (end == digits)
			return false;
	}
	for (; suffixes->name; suffixes++)
		if (strcmp(end, suffixes->name) == 0)
			return !__builtin_mul_overflow(whole, suffixes->factor, &whole) &&
			       !__builtin_add_overflow(whole, fraction * suffixes->factor / place, ret);
	return false;
}

static size_t normalize_number(const char *text, char **ret_value, char *error, size_t error_size)
{
	static const struct suffix suffixes[] = {
		{ "", 1 },           { "k", 1000 },        { "kB", 1000 },        { "K", 1024 },
		{ "KiB", 1024 },     { "M", 1000000 },     { "MB", 1000000 },     { "MiB", 1048576 },
		{ "G", 1000000000 }, { "GB", 1000000000 }, { "GiB", 1073741824 }, { 0 },
	};
	uint64_t number;
	char *copy;

	if (!read_number(text, suffixes, &number)) {
		snprintf(error, error_size, "\"%s\" is not a number; valid are 80, 64KiB, 1.5M", text);
		return 0;
	}
	return one(asprintf(&copy, "%llu", (unsigned long long)number) < 0 ? NULL : copy, ret_value);
}

static size_t normalize_time(const char *text, char **ret_value, char *error, size_t error_size)
{
	/* In microseconds; a number alone means milliseconds, as ss shows them. */
	static const struct suffix suffixes[] = {
		{ "", 1000 },        { "us", 1 },          { "ms", 1000 },        { "s", 1000000 },
		{ "min", 60000000 }, { "h", 3600000000u }, { "d", 86400000000u }, { 0 },
	};
	uint64_t us;
	char *copy;

	if (!read_number(text, suffixes, &us)) {
		snprintf(error, error_size,
		         "\"%s\" is not a time; valid are 1.5 (milliseconds), 200us, 30s, 5min, 1h", text);
		return 0;
	}
	return one(asprintf(&copy, "%llu.%03u", (unsigned long long)(us / 1000), (unsigned)(us % 1000)) < 0 ? NULL
	                                                                                                    : copy,
	           ret_value);
}

static size_t normalize_address(const char *text, char **ret_value, char *error, size_t error_size)
{
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	char address[64] = "", binary[16], *end;
	long bits, width = 0;

	if (length < sizeof(address)) {
		memcpy(address, text, length);
		if (inet_pton(AF_INET, address, binary) == 1)
			width = 32;
		else if (inet_pton(AF_INET6, address, binary) == 1)
			width = 128;
	}
	if (width && slash) {
		bits = strtol(slash + 1, &end, 10);
		if (slash[1] < '0' || slash[1] > '9' || *end || bits > width)
			width = 0;
	}
	if (width)
		return one(strdup(text), ret_value);
	snprintf(error, error_size, "\"%s\" is not an address; valid are 192.0.2.1, 192.0.2.0/24, 2001:db8::/32",
	         text);
	return 0;
}

static size_t normalize_boolean(const char *text, char **ret_value, char *error, size_t error_size)
{
	static const char *const words[][2] = { { "yes", "true" },  { "true", "true" }, { "on", "true" },
		                                { "1", "true" },    { "no", "false" },  { "false", "false" },
		                                { "off", "false" }, { "0", "false" } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(text, words[i][0]) == 0)
			return one(strdup(words[i][1]), ret_value);
	snprintf(error, error_size, "\"%s\" is neither yes nor no", text);
	return 0;
}

size_t value_normalize(const char *text, enum tapstack_field_kind kind, char *ret_value[VALUE_EXPANSION_MAX],
                       char *error, size_t error_size)
{
	snprintf(error, error_size, "out of memory");
	switch (kind) {
	case TAPSTACK_FIELD_NUMBER:
		return normalize_number(text, ret_value, error, error_size);
	case TAPSTACK_FIELD_MILLISECONDS:
		return normalize_time(text, ret_value, error, error_size);
	case TAPSTACK_FIELD_STATE:
		return normalize_state(text, ret_value, error, error_size);
	case TAPSTACK_FIELD_ADDRESS:
		return normalize_address(text, ret_value, error, error_size);
	case TAPSTACK_FIELD_BOOLEAN:
		return normalize_boolean(text, ret_value, error, error_size);
	case TAPSTACK_FIELD_TEXT:
	case TAPSTACK_FIELD_LIST:
		break;
	}
	return one(strdup(text), ret_value);
}
