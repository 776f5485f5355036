#include "control/value.h"

#include "tapstack/control.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define VALUE_STATE(name) name,
static const char *const states[] = { TAPSTACK_STATES(VALUE_STATE) };
#undef VALUE_STATE

static int parse_state(const char *text, uint64_t *ret)
{
	for (unsigned i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (strcasecmp(text, states[i]) == 0) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_integer(const char *text, uint64_t *ret)
{
	unsigned long long integer;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	integer = strtoull(text, &end, 10);
	if (errno || *end)
		return -EINVAL;
	*ret = integer;
	return 0;
}

/* Milliseconds, perhaps with a fraction, to microseconds; what is finer is cut off, as it is in answers. strtod would
 * take more than that, and depends on the locale. */
static int parse_milliseconds(const char *text, uint64_t *ret)
{
	unsigned decimals = 0;
	bool digits = false, point = false;
	uint64_t value = 0;

	for (; *text; text++) {
		if (*text == '.' && !point) {
			point = true;
			continue;
		}
		if (*text < '0' || *text > '9' || value > UINT64_MAX / 10000)
			return -EINVAL;
		digits = true;
		if (!point || decimals < 3)
			value = value * 10 + (unsigned)(*text - '0');
		decimals += point;
	}
	if (!digits)
		return -EINVAL;
	for (; decimals < 3; decimals++)
		value *= 10;
	*ret = value;
	return 0;
}

static int parse_prefix(const char *text, struct prefix *ret)
{
	char address[64];
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	struct prefix prefix = { .bits = 128 };
	struct in_addr v4;
	unsigned width = 128;

	if (length >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, length);
	address[length] = '\0';
	if (inet_pton(AF_INET, address, &v4) == 1) {
		prefix.ip = ip_addr_v4(ntohl(v4.s_addr));
		width = 32;
	} else if (inet_pton(AF_INET6, address, prefix.ip.b) != 1) {
		return -EINVAL;
	}
	if (slash) {
		uint64_t bits;

		if (parse_integer(slash + 1, &bits) < 0 || bits > width)
			return -EINVAL;
		prefix.bits = (uint8_t)(128 - width + bits);
	}
	*ret = prefix;
	return 0;
}

static int parse_boolean(const char *text, uint64_t *ret)
{
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return -EINVAL;
	*ret = *text == 't';
	return 0;
}

static int parse_text(const char *text, char **ret)
{
	char *copy;

	if (strnlen(text, VALUE_TEXT_MAX + 1) > VALUE_TEXT_MAX)
		return -EINVAL;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}

static void list_states(char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "must be a state:");

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]) && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, " %s", states[i]);
}

int value_parse(const char *text, unsigned kind, struct value *ret_value, char *reason, size_t reason_size)
{
	const char *valid = "has a kind that can't be compared";
	struct value value = { 0 };
	char too_long[64];
	int r = -EINVAL;

	switch ((enum tapstack_field_kind)kind) {
	case TAPSTACK_FIELD_NUMBER:
		r = parse_integer(text, &value.number);
		valid = "must be a whole number";
		break;
	case TAPSTACK_FIELD_MILLISECONDS:
		r = parse_milliseconds(text, &value.number);
		valid = "must be a number of milliseconds";
		break;
	case TAPSTACK_FIELD_STATE:
		r = parse_state(text, &value.number);
		valid = NULL;
		break;
	case TAPSTACK_FIELD_ADDRESS:
		r = parse_prefix(text, &value.prefix);
		valid = "must be an address or a prefix: 192.0.2.1, 192.0.2.0/24, 2001:db8::/32";
		break;
	case TAPSTACK_FIELD_BOOLEAN:
		r = parse_boolean(text, &value.number);
		valid = "must be true or false";
		break;
	case TAPSTACK_FIELD_TEXT:
	case TAPSTACK_FIELD_LIST:
		r = parse_text(text, &value.text);
		snprintf(too_long, sizeof(too_long), "must be a pattern of at most %d bytes", VALUE_TEXT_MAX);
		valid = too_long;
		break;
	}
	if (r == 0)
		*ret_value = value;
	else if (r == -EINVAL && valid)
		snprintf(reason, reason_size, "%s", valid);
	else if (r == -EINVAL)
		list_states(reason, reason_size);
	return r;
}

void value_done(struct value *value)
{
	free(value->text);
	value->text = NULL;
}

bool prefix_contains(const struct prefix *prefix, const struct ip_addr *ip)
{
	unsigned whole = prefix->bits / 8, rest = prefix->bits % 8;
	uint8_t mask = (uint8_t)(0xff00u >> rest);

	if (memcmp(prefix->ip.b, ip->b, whole) != 0)
		return false;
	return rest == 0 || ((prefix->ip.b[whole] ^ ip->b[whole]) & mask) == 0;
}
