#include "config/reader.h"

#include "config/errors.h"
#include "config/filter.h"
#include "config/value.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define ENTRIES_MAX 256u /* of one section; far more than there are keys */

static void write_limit(const struct config_key *key, uint64_t limit, char text[static VALUE_TEXT_MAX])
{
	if (key->type == CONFIG_DURATION)
		value_write_duration(limit, text);
	else if (key->type == CONFIG_SIZE || key->type == CONFIG_SIZE32)
		value_write_size(limit, text);
	else if (key->type == CONFIG_PERCENT)
		value_write_percent(limit, text);
	else if (key->type == CONFIG_RATE)
		value_write_rate(limit, text);
	else
		snprintf(text, VALUE_TEXT_MAX, "%" PRIu64, limit);
}

static void valid_choices(const struct config_key *key, char *text, size_t size)
{
	size_t at = (size_t)snprintf(text, size, "one of");

	for (const struct config_choice *choice = key->choices; choice->name != NULL; choice++)
		at += (size_t)snprintf(text + at, size - at, "%s %s", choice == key->choices ? "" : ",",
		                       choice->name);
}

const char *reader_valid(const struct config_key *key, char text[static READER_VALID_MAX])
{
	static const char *const names[] = {
		[CONFIG_BOOL] = "yes or no",
		[CONFIG_UINT] = "a whole number",
		[CONFIG_BYTE] = "a whole number",
		[CONFIG_SIZE] = "a size",
		[CONFIG_SIZE32] = "a size",
		[CONFIG_DURATION] = "a duration",
		[CONFIG_TEXT] = "a text",
		[CONFIG_IP] = "an IP address such as 192.0.2.1",
		[CONFIG_MAC] = "an Ethernet address such as 02:00:5e:10:00:01",
		[CONFIG_PREFIXES] = "a list of addresses with prefix length such as [192.0.2.2/24]",
		[CONFIG_TEXTS] = "a list of",
		[CONFIG_SERVICES] = "a list of services such as [{kind: echo, port: 7}]",
		[CONFIG_PLUGINS] = "a list of plugins such as [{plugin: cubic}]",
		[CONFIG_RULES] = "a list of rules such as [{peer: 192.0.2.0/24, use: cubic}]",
		[CONFIG_UINT64] = "a whole number",
		[CONFIG_PERCENT] = "a percentage such as 0.1%",
		[CONFIG_RATE] = "a rate such as 10Mbit/s or 1MB/s",
		[CONFIG_NAME] = "a name",
		[CONFIG_IMPAIR] = "a list of rules such as [{delay: 20ms, loss: 1%}]",
		[CONFIG_FILTER] = "a filter such as \"peer=192.0.2.0/24 dport=80,443\"",
	};
	char low[VALUE_TEXT_MAX], high[VALUE_TEXT_MAX], word[32];
	const char *unit = key->unit == NULL ? "" : key->unit;

	write_limit(key, key->min, low);
	write_limit(key, key->max, high);
	snprintf(word, sizeof(word), "%s%s", key->word == NULL ? "" : ", or ", key->word == NULL ? "" : key->word);
	switch (key->type) {
	case CONFIG_CHOICE:
		valid_choices(key, text, READER_VALID_MAX);
		break;
	case CONFIG_UINT:
	case CONFIG_UINT64:
	case CONFIG_BYTE:
		snprintf(text, READER_VALID_MAX, "a whole number from %s to %s%s%s%s", low, high,
		         unit[0] == '\0' ? "" : " ", unit, word);
		break;
	case CONFIG_SIZE:
	case CONFIG_SIZE32:
	case CONFIG_DURATION:
	case CONFIG_PERCENT:
	case CONFIG_RATE:
		snprintf(text, READER_VALID_MAX, "%s from %s to %s%s", names[key->type], low, high, word);
		break;
	case CONFIG_TEXT:
	case CONFIG_NAME:
		snprintf(text, READER_VALID_MAX, "%s", key->form == NULL ? "a text" : key->form);
		break;
	case CONFIG_TEXTS:
		snprintf(text, READER_VALID_MAX, "a list of %s", key->form == NULL ? "texts" : key->form);
		break;
	default:
		snprintf(text, READER_VALID_MAX, "%s%s", names[key->type], word);
	}
	return text;
}

static bool invalid(struct reader *reader, const struct config_key *key, const char *path, const struct node *node,
                    int reason)
{
	char valid[READER_VALID_MAX], quote[ERRORS_QUOTE_MAX];

	reader_valid(key, valid);
	if (node->kind != NODE_SCALAR || node->is_null)
		errors_add(reader->errors, &node->place, "%s: expected %s, found %s", path, valid,
		           node_kind_text(node));
	else if (reason == -ERANGE)
		errors_add(reader->errors, &node->place, "%s: %s is out of range: expected %s", path,
		           errors_quote(node->text, quote), valid);
	else
		errors_add(reader->errors, &node->place, "%s: \"%s\" is not valid: expected %s", path,
		           errors_quote(node->text, quote), valid);
	return false;
}

static int read_choice(const struct config_key *key, const char *text, uint32_t *ret)
{
	for (const struct config_choice *choice = key->choices; choice->name != NULL; choice++) {
		if (strcmp(choice->name, text) != 0)
			continue;
		*ret = choice->value;
		return 0;
	}
	return -EINVAL;
}

static int read_text(struct reader *reader, const struct config_key *key, const char *text, const char **ret)
{
	size_t length = strlen(text);
	char *copy;

	if (length < key->min || length > key->max)
		return -EINVAL;
	if (key->check != NULL && key->check(text) != 0)
		return -EINVAL;
	copy = arena_text(reader->config->arena, text, length);
	if (copy == NULL) {
		reader->no_memory = true;
		return -ENOMEM;
	}
	*ret = copy;
	return 0;
}

/* A number of any kind, in the range of its key. */
static int read_number(const struct config_key *key, const char *text, uint64_t *ret)
{
	uint64_t number;
	int r;

	if (key->type == CONFIG_DURATION)
		r = value_read_duration(text, &number);
	else if (key->type == CONFIG_SIZE || key->type == CONFIG_SIZE32)
		r = value_read_size(text, &number);
	else if (key->type == CONFIG_PERCENT)
		r = value_read_percent(text, &number);
	else if (key->type == CONFIG_RATE)
		r = value_read_rate(text, &number);
	else
		r = value_read_uint(text, &number);
	if (r == 0 && (number < key->min || number > key->max))
		r = -ERANGE;
	if (r == 0)
		*ret = number;
	return r;
}

static int read_numeric(const struct config_key *key, const char *text, void *value)
{
	bool is_word = key->word != NULL && strcmp(text, key->word) == 0;
	uint64_t number = key->word_value;
	int r = is_word ? 0 : read_number(key, text, &number);

	if (r != 0)
		return r;
	switch (key->type) {
	case CONFIG_BYTE:
		*(uint8_t *)value = (uint8_t)number;
		break;
	case CONFIG_SIZE:
	case CONFIG_UINT64:
	case CONFIG_RATE:
		*(uint64_t *)value = number;
		break;
	case CONFIG_DURATION:
		*(struct duration *)value = (struct duration){ (int64_t)number };
		break;
	default:
		*(uint32_t *)value = (uint32_t)number;
	}
	return 0;
}

static int read_scalar(struct reader *reader, const struct config_key *key, const struct node *node, void *value)
{
	bool is_word = key->word != NULL && strcmp(node->text, key->word) == 0;

	if (node->kind != NODE_SCALAR || node->is_null)
		return -EINVAL;
	switch (key->type) {
	case CONFIG_BOOL:
		return value_read_bool(node->text, value);
	case CONFIG_CHOICE:
		return read_choice(key, node->text, value);
	case CONFIG_TEXT:
		return read_text(reader, key, node->text, value);
	case CONFIG_NAME:
		if (strlen(node->text) >= CONFIG_NAME_MAX || (key->check != NULL && key->check(node->text) != 0))
			return -EINVAL;
		strcpy(value, node->text);
		return 0;
	case CONFIG_IP:
		if (is_word)
			*(struct ip_addr *)value = IP_ADDR_ANY;
		return is_word ? 0 : value_read_ip(node->text, value);
	case CONFIG_MAC:
		if (is_word)
			*(struct mac_addr *)value = (struct mac_addr){ { 0 } };
		return is_word ? 0 : value_read_mac(node->text, value);
	default:
		return read_numeric(key, node->text, value);
	}
}

void *reader_items(struct reader *reader, const struct config_key *key, const char *path, const struct node *node,
                   size_t size)
{
	char valid[READER_VALID_MAX];
	uint64_t count = 0;
	void *items;

	/* Nothing is an empty list: everything in it is commented out. */
	if (node->kind != NODE_SEQUENCE && !node->is_null) {
		errors_add(reader->errors, &node->place, "%s: expected %s, found %s", path, reader_valid(key, valid),
		           node_kind_text(node));
		return NULL;
	}
	for (const struct node *child = node->child; child != NULL; child = child->next)
		count++;
	if (count > key->max || count < key->min) {
		errors_add(reader->errors, &node->place, "%s: %" PRIu64 " entries: expected %" PRIu64 " to %" PRIu64,
		           path, count, key->min, key->max);
		return NULL;
	}
	items = arena_alloc(reader->config->arena, count * size);
	if (items == NULL)
		reader->no_memory = true;
	return items;
}

static bool read_prefixes(struct reader *reader, const struct config_key *key, const char *path,
                          const struct node *node, struct config_prefix_list *ret)
{
	struct config_prefix_list list = { .item = reader_items(reader, key, path, node, sizeof(*list.item)) };
	bool good = true;

	if (list.item == NULL)
		return false;
	for (const struct node *child = node->child; child != NULL; child = child->next) {
		if (child->kind == NODE_SCALAR && value_read_prefix(child->text, &list.item[list.count]) == 0)
			list.count++;
		else
			good = invalid(reader, key, path, child, -EINVAL);
	}
	if (good)
		*ret = list;
	return good;
}

static bool read_texts(struct reader *reader, const struct config_key *key, const char *path, const struct node *node,
                       struct config_text_list *ret)
{
	struct config_key item = { .type = CONFIG_TEXT, .min = 1, .max = 300, .check = key->check };
	struct config_text_list list = { .item = reader_items(reader, key, path, node, sizeof(*list.item)) };
	bool good = true;

	if (list.item == NULL)
		return false;
	for (const struct node *child = node->child; child != NULL; child = child->next) {
		if (read_scalar(reader, &item, child, &list.item[list.count]) == 0)
			list.count++;
		else
			good = invalid(reader, key, path, child, -EINVAL);
	}
	if (good)
		*ret = list;
	return good;
}

static bool read_filter(struct reader *reader, const struct config_key *key, const char *path,
                        const struct node *node, struct frame_filter *ret)
{
	char reason[CONFIG_FILTER_REASON_MAX];

	if (node->kind != NODE_SCALAR || node->is_null)
		return invalid(reader, key, path, node, -EINVAL);
	if (config_filter_read(node->text, ret, reason) == 0)
		return true;
	errors_add(reader->errors, &node->place, "%s: %s", path, reason);
	return false;
}

bool reader_value(struct reader *reader, const struct config_key *key, const char *path, const struct node *node,
                  void *value)
{
	int r;

	switch (key->type) {
	case CONFIG_PREFIXES:
		return read_prefixes(reader, key, path, node, value);
	case CONFIG_TEXTS:
		return read_texts(reader, key, path, node, value);
	case CONFIG_SERVICES:
		return reader_services(reader, key, node, value);
	case CONFIG_PLUGINS:
		return reader_plugins(reader, key, node, value);
	case CONFIG_RULES:
		return reader_rules(reader, key, node, value);
	case CONFIG_IMPAIR:
		return reader_impair(reader, key, node, value);
	case CONFIG_FILTER:
		return read_filter(reader, key, path, node, value);
	default:
		r = read_scalar(reader, key, node, value);
		return r == 0 || (r != -ENOMEM && invalid(reader, key, path, node, r));
	}
}

bool reader_text(struct reader *reader, const struct config_key *key, const char *path, const char *text, void *value)
{
	bool is_list = key->type == CONFIG_PREFIXES || key->type == CONFIG_TEXTS || key->type == CONFIG_SERVICES ||
	               key->type == CONFIG_PLUGINS || key->type == CONFIG_RULES || key->type == CONFIG_IMPAIR;
	struct node plain = { .kind = NODE_SCALAR, .place = reader->nowhere, .text = text };
	struct node *root = &plain;
	char where[ERRORS_QUOTE_MAX];
	const char *name;
	int r;

	if (is_list || text[0] == '"' || text[0] == '\'') {
		/* "--set services:1:9: ..." */
		snprintf(where, sizeof(where), "%s %s", reader->nowhere.file, path);
		name = arena_text(reader->config->arena, where, strlen(where));
		r = name == NULL
		            ? -ENOMEM
		            : document_read(reader->config->arena, name, text, strlen(text), &root, reader->errors);
		if (r == -ENOMEM)
			reader->no_memory = true;
		if (r != 0)
			return false;
		if (root == NULL) {
			plain.is_null = true;
			root = &plain;
		}
	}
	return reader_value(reader, key, path, root, value);
}

void reader_key_text(struct reader *reader, size_t index, const char *text)
{
	size_t count;
	const struct config_key *key = &config_keys(&count)[index];

	if (reader_text(reader, key, key->path, text, (char *)reader->config + key->offset))
		reader->place[index] = reader->nowhere;
}

/* ---- sections ------------------------------------------------------------------------------------------------ */

static const char *known_key(size_t index)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);

	return index < count ? keys[index].path : NULL;
}

static bool is_section(const char *path)
{
	size_t length = strlen(path);
	const char *known;

	for (size_t i = 0; (known = known_key(i)) != NULL; i++)
		if (strncmp(known, path, length) == 0 && known[length] == '.')
			return true;
	return false;
}

static void unknown_key(struct reader *reader, const char *path, const struct node *key)
{
	char quote[ERRORS_QUOTE_MAX], hint[READER_HINT_MAX];

	if (reader->errors->count >= CONFIG_ERRORS_MAX)
		hint[0] = '\0'; /* nobody will see it */
	else
		reader_hint(path, known_key, hint);
	errors_add(reader->errors, &key->place, "unknown key %s%s", errors_quote(path, quote), hint);
}

static void read_section(struct reader *reader, const char *section, const struct node *node);

static void read_entry(struct reader *reader, const char *path, const struct node *node)
{
	const struct config_key *key = config_find_key(path);
	size_t count, index;

	if (key == NULL && is_section(path)) {
		read_section(reader, path, node);
		return;
	}
	if (key == NULL) {
		unknown_key(reader, path, node->key);
		return;
	}
	index = (size_t)(key - config_keys(&count));
	if (reader->given[index]) {
		errors_add(reader->errors, &node->key->place, "%s is given twice: first in line %u", path,
		           reader->place[index].line);
		return;
	}
	reader->given[index] = true;
	reader->place[index] = node->key->place;
	reader_value(reader, key, path, node, (char *)reader->config + key->offset);
}

static void read_section(struct reader *reader, const char *section, const struct node *node)
{
	unsigned entries = 0;
	char path[ERRORS_QUOTE_MAX * 2];

	if (node->kind == NODE_SCALAR && node->is_null)
		return; /* a section with everything commented out */
	if (node->kind != NODE_MAPPING) {
		errors_add(reader->errors, &node->place, "%s: expected a section (key: value), found %s",
		           section[0] == '\0' ? "configuration" : section, node_kind_text(node));
		return;
	}
	for (const struct node *child = node->child; child != NULL; child = child->next) {
		if (++entries > ENTRIES_MAX) {
			errors_add(reader->errors, &child->key->place, "too many entries");
			return;
		}
		if (child->key->text[0] == '\0') {
			errors_add(reader->errors, &child->key->place, "a key is missing before the colon");
			continue;
		}
		snprintf(path, sizeof(path), "%s%s%.*s", section, section[0] == '\0' ? "" : ".", ERRORS_QUOTE_MAX,
		         child->key->text);
		read_entry(reader, path, child);
	}
}

void reader_sections(struct reader *reader, const struct node *root)
{
	read_section(reader, "", root);
}
