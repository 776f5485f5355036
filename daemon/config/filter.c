#include "config/filter.h"

#include "config/errors.h"
#include "config/reader.h"
#include "config/value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The first name of a field is the one that is written. */
static const struct field_name {
	const char *name;
	enum frame_field field;
} field_names[] = {
	{ "peer", FRAME_PEER },
	{ "local", FRAME_LOCAL },
	{ "address", FRAME_ADDRESS },
	{ "dport", FRAME_PEER_PORT },
	{ "sport", FRAME_LOCAL_PORT },
	{ "port", FRAME_PORT },
	{ "protocol", FRAME_PROTOCOL },
	/* as in tapstackctl */
	{ "peer_port", FRAME_PEER_PORT },
	{ "local_port", FRAME_LOCAL_PORT },
	{ "remote", FRAME_PEER },
	{ "remote_port", FRAME_PEER_PORT },
	{ "dst", FRAME_PEER },
	{ "src", FRAME_LOCAL },
	{ "addr", FRAME_ADDRESS },
};

static const char *const protocol_names[FRAME_PROTOCOL_COUNT] = {
	[FRAME_TCP] = "tcp", [FRAME_UDP] = "udp", [FRAME_ICMP] = "icmp",
	[FRAME_ND] = "nd",   [FRAME_ARP] = "arp", [FRAME_OTHER] = "other",
};

static const char *name_of(enum frame_field field)
{
	for (size_t i = 0; i < COUNT(field_names); i++)
		if (field_names[i].field == field)
			return field_names[i].name;
	return "?";
}

static const char *known_field(size_t index)
{
	return index < COUNT(field_names) ? field_names[index].name : NULL;
}

/* ---- reading -----------------------------------------------------------------------------------------------------
 */

struct parser {
	const char *text; /* all of it: places are counted from here */
	struct frame_filter filter;
	char *reason;
};

/* A part of the text as a text of its own; cut where it is longer than anything valid. */
#define PART_MAX 80u

static const char *part(const char *at, size_t length, char buffer[static PART_MAX])
{
	snprintf(buffer, PART_MAX, "%.*s", (int)(length < PART_MAX ? length : PART_MAX - 1), at);
	return buffer;
}

static int wrong(const struct parser *parser, const char *at, size_t length, const char *valid, const char *hint)
{
	char buffer[PART_MAX], quote[ERRORS_QUOTE_MAX];

	snprintf(parser->reason, CONFIG_FILTER_REASON_MAX, "character %zu: %s is not %s%s",
	         (size_t)(at - parser->text) + 1, errors_quote(part(at, length, buffer), quote), valid, hint);
	return -EINVAL;
}

static int too_many(const struct parser *parser, const char *at, unsigned max, const char *of_what)
{
	snprintf(parser->reason, CONFIG_FILTER_REASON_MAX, "character %zu: more than %u %s",
	         (size_t)(at - parser->text) + 1, max, of_what);
	return -EINVAL;
}

/* 192.0.2.0/24, or one address. Bits behind the prefix are no part of it. */
static int read_prefix(const char *text, struct frame_filter_value *ret)
{
	struct config_prefix prefix;
	int r = 0;

	if (strchr(text, '/') != NULL) {
		r = value_read_prefix(text, &prefix);
	} else {
		r = value_read_ip(text, &prefix.ip);
		prefix.bits = 128;
	}
	if (r < 0)
		return r;
	for (unsigned bit = prefix.bits; bit < 128; bit++)
		prefix.ip.b[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
	ret->prefix = prefix.ip;
	ret->bits = prefix.bits;
	return 0;
}

static int read_ports(const char *text, struct frame_filter_value *ret)
{
	const char *dash = strchr(text, '-');
	char buffer[PART_MAX];
	uint64_t low, high;

	if (value_read_uint(dash == NULL ? text : part(text, (size_t)(dash - text), buffer), &low) != 0 ||
	    value_read_uint(dash == NULL ? text : dash + 1, &high) != 0 || low > high || high > 65535)
		return -EINVAL;
	ret->low = (uint16_t)low;
	ret->high = (uint16_t)high;
	return 0;
}

static int read_protocol(const char *text, uint8_t *protocols)
{
	for (unsigned i = 0; i < FRAME_PROTOCOL_COUNT; i++) {
		if (strcmp(text, protocol_names[i]) != 0)
			continue;
		*protocols |= (uint8_t)(1u << i);
		return 0;
	}
	return -EINVAL;
}

static int read_one_value(struct parser *parser, struct frame_condition *condition, const char *at, size_t length)
{
	struct frame_filter *filter = &parser->filter;
	struct frame_filter_value value = { 0 };
	char buffer[PART_MAX];
	const char *text = part(at, length, buffer);

	if (condition->field == FRAME_PROTOCOL)
		return read_protocol(text, &condition->protocols) == 0
		               ? 0
		               : wrong(parser, at, length, "a protocol: tcp, udp, icmp, nd, arp or other", "");
	if (condition->field <= FRAME_ADDRESS) {
		if (read_prefix(text, &value) != 0)
			return wrong(parser, at, length, "an address or prefix such as 192.0.2.1 or 2001:db8::/32",
			             "");
	} else if (read_ports(text, &value) != 0) {
		return wrong(parser, at, length, "a port from 0 to 65535 or a range such as 1024-65535", "");
	}
	if (filter->value_count == FRAME_FILTER_VALUES_MAX)
		return too_many(parser, at, FRAME_FILTER_VALUES_MAX, "values");
	filter->value[filter->value_count++] = value;
	condition->count++;
	return 0;
}

static int find_field(const struct parser *parser, const char *at, size_t length, uint8_t *ret_field)
{
	char name[PART_MAX], hint[READER_HINT_MAX];

	part(at, length, name);
	for (size_t i = 0; i < COUNT(field_names); i++) {
		if (strcmp(field_names[i].name, name) != 0)
			continue;
		*ret_field = (uint8_t)field_names[i].field;
		return 0;
	}
	return wrong(parser, at, length, "a field: peer, local, address, dport, sport, port or protocol",
	             reader_hint(name, known_field, hint));
}

/* One word: "dport=80,443". */
static int read_condition(struct parser *parser, const char *at, size_t length)
{
	struct frame_filter *filter = &parser->filter;
	struct frame_condition *condition = &filter->condition[filter->condition_count];
	size_t name = strcspn(at, "=! \t\n"), value;
	int r;

	if (filter->condition_count == FRAME_FILTER_CONDITIONS_MAX)
		return too_many(parser, at, FRAME_FILTER_CONDITIONS_MAX, "conditions");
	if (name == 0 || name >= length || (at[name] == '!' && at[name + 1] != '='))
		return wrong(parser, at, length, "a condition such as dport=80,443 or peer!=192.0.2.0/24", "");
	r = find_field(parser, at, name, &condition->field);
	condition->except = at[name] == '!';
	condition->first = (uint8_t)filter->value_count;
	value = name + (condition->except ? 2 : 1);
	if (at[name] == '=' && at[name + 1] == '=')
		value++;
	while (r == 0) {
		size_t one = strcspn(at + value, ", \t\n");

		r = read_one_value(parser, condition, at + value, one);
		value += one;
		if (at[value] != ',')
			break;
		value++;
	}
	filter->condition_count++;
	return r;
}

int config_filter_read(const char *text, struct frame_filter *ret_filter,
                       char reason[static CONFIG_FILTER_REASON_MAX])
{
	struct parser parser = { .text = text, .reason = reason };
	const char *at = text;

	for (;;) {
		size_t length;
		int r;

		at += strspn(at, " \t\n");
		length = strcspn(at, " \t\n");
		if (length == 0)
			break;
		r = read_condition(&parser, at, length);
		if (r < 0)
			return r;
		at += length;
	}
	*ret_filter = parser.filter;
	return 0;
}

/* ---- writing -----------------------------------------------------------------------------------------------------
 */

static void write_filter_value(enum frame_field field, const struct frame_filter_value *value,
                               char text[static VALUE_TEXT_MAX])
{
	if (field <= FRAME_ADDRESS && value->bits == 128) {
		value_write_ip(&value->prefix, text);
	} else if (field <= FRAME_ADDRESS) {
		struct config_prefix prefix = { value->prefix, value->bits };

		value_write_prefix(&prefix, text);
	} else if (value->low == value->high) {
		snprintf(text, VALUE_TEXT_MAX, "%u", value->low);
	} else {
		snprintf(text, VALUE_TEXT_MAX, "%u-%u", value->low, value->high);
	}
}

void config_filter_write(const struct frame_filter *filter, char text[static CONFIG_FILTER_TEXT_MAX])
{
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < filter->condition_count; i++) {
		const struct frame_condition *condition = &filter->condition[i];
		const char *comma = "";

		used += (size_t)snprintf(text + used, CONFIG_FILTER_TEXT_MAX - used, "%s%s%s", i == 0 ? "" : " ",
		                         name_of((enum frame_field)condition->field), condition->except ? "!=" : "=");
		for (unsigned p = 0; p < FRAME_PROTOCOL_COUNT; p++) {
			if ((condition->protocols >> p & 1) == 0)
				continue;
			used += (size_t)snprintf(text + used, CONFIG_FILTER_TEXT_MAX - used, "%s%s", comma,
			                         protocol_names[p]);
			comma = ",";
		}
		for (uint32_t v = 0; v < condition->count; v++) {
			char value[VALUE_TEXT_MAX];

			write_filter_value((enum frame_field)condition->field, &filter->value[condition->first + v],
			                   value);
			used += (size_t)snprintf(text + used, CONFIG_FILTER_TEXT_MAX - used, "%s%s", comma, value);
			comma = ",";
		}
	}
}
