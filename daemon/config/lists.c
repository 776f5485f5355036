/* The two lists whose entries have keys of their own: services and plugins. */
#include "config/errors.h"
#include "config/reader.h"

#include <string.h>

#define PARAMS_MAX 64u
#define PATH_MAX_BYTES 200u

static const struct node *find(const struct node *mapping, const char *name)
{
	for (const struct node *child = mapping->child; child != NULL; child = child->next)
		if (strcmp(child->key->text, name) == 0)
			return child;
	return NULL;
}

bool reader_entries(struct reader *reader, const struct node *mapping, const char *what)
{
	char quote[ERRORS_QUOTE_MAX];
	unsigned count = 0;
	bool good = true;

	for (const struct node *child = mapping->child; child != NULL; child = child->next) {
		const struct node *first = find(mapping, child->key->text);

		if (++count > PARAMS_MAX) {
			errors_add(reader->errors, &child->key->place, "%s: too many entries", what);
			return false;
		}
		if (first == child)
			continue;
		errors_add(reader->errors, &child->key->place, "%s: %s is given twice: first in line %u", what,
		           errors_quote(child->key->text, quote), first->key->place.line);
		good = false;
	}
	return good;
}

/* Of a value in its struct. */
static size_t value_bytes(const struct config_key *key)
{
	switch (key->type) {
	case CONFIG_BOOL:
		return sizeof(bool);
	case CONFIG_BYTE:
		return sizeof(uint8_t);
	case CONFIG_SIZE:
		return sizeof(uint64_t);
	case CONFIG_DURATION:
		return sizeof(struct duration);
	default: /* section tcp has nothing wider */
		return sizeof(uint32_t);
	}
}

/* ---- services ------------------------------------------------------------------------------------------------ */

static const char *known_option(size_t index)
{
	size_t count;
	const struct config_key *keys = config_service_keys(&count);

	return index < count ? keys[index].path : NULL;
}

/* The row for this option of this kind; *ret_kinds: all kinds that have an option of this name. */
static const struct config_key *find_option(const char *name, uint32_t kind, uint32_t *ret_kinds)
{
	const struct config_key *found = NULL;
	size_t count;
	const struct config_key *keys = config_service_keys(&count);

	*ret_kinds = 0;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(keys[i].path, name) != 0)
			continue;
		*ret_kinds |= keys[i].kinds;
		if ((keys[i].kinds & 1u << kind) != 0)
			found = &keys[i];
	}
	return found;
}

static void wrong_option(struct reader *reader, const struct node *key, uint32_t kind, uint32_t kinds)
{
	char quote[ERRORS_QUOTE_MAX], hint[READER_HINT_MAX], names[100] = "";
	size_t at = 0;

	if (kinds == 0) {
		errors_add(reader->errors, &key->place, "services: unknown option %s%s",
		           errors_quote(key->text, quote), reader_hint(key->text, known_option, hint));
		return;
	}
	for (uint32_t i = 0; i < CONFIG_SERVICE_KIND_COUNT; i++)
		if ((kinds & 1u << i) != 0)
			at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s", at == 0 ? "" : " and ",
			                       config_service_kind_name(i));
	errors_add(reader->errors, &key->place, "services: %s is not an option of %s, only of %s", key->text,
	           config_service_kind_name(kind), names);
}

static bool service_kind(struct reader *reader, const struct node *node, struct config_service *service)
{
	const struct node *given = find(node, "kind");
	const struct config_key *key;
	char valid[READER_VALID_MAX];
	uint32_t kinds;

	key = find_option("kind", 0, &kinds);
	if (given != NULL)
		return reader_value(reader, key, "services[].kind", given, &service->kind);
	errors_add(reader->errors, &node->place, "services: an entry needs kind: %s", reader_valid(key, valid));
	return false;
}

static bool service_defaults(struct reader *reader, const struct node *node, struct config_service *service)
{
	size_t count;
	const struct config_key *keys = config_service_keys(&count);
	bool good = true;

	service->place = node->place;
	service->name = config_service_kind_name(service->kind);
	service->congestion = service->target = "";
	for (size_t i = 0; i < count; i++) {
		const struct config_key *key = &keys[i];

		if ((key->kinds & 1u << service->kind) == 0)
			continue;
		if (key->initial == NULL && find(node, key->path) == NULL) {
			char valid[READER_VALID_MAX];

			errors_add(reader->errors, &node->place, "services: a service of kind %s needs %s: %s",
			           config_service_kind_name(service->kind), key->path, reader_valid(key, valid));
			good = false;
		} else if (key->initial != NULL && key->type != CONFIG_TEXT) {
			good &= reader_text(reader, key, key->path, key->initial, (char *)service + key->offset);
		}
	}
	return good;
}

static const char *known_tunable(size_t index)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);

	for (size_t i = 0; i < count; i++)
		if (keys[i].per_service && index-- == 0)
			return keys[i].path + strlen("tcp.");
	return NULL;
}

/* The service's own section tcp. */
static bool read_tunables(struct reader *reader, const struct node *node, struct config_service *service)
{
	char path[PATH_MAX_BYTES], quote[ERRORS_QUOTE_MAX], hint[READER_HINT_MAX];
	size_t count;
	const struct config_key *keys = config_keys(&count);
	bool *given = arena_alloc(reader->config->arena, count * sizeof(*given));
	bool good = true;

	if (given == NULL) {
		reader->no_memory = true;
		return false;
	}
	service->tcp_given = given;
	if (node->kind == NODE_SCALAR && node->is_null)
		return true;
	if (node->kind != NODE_MAPPING) {
		errors_add(reader->errors, &node->place, "services[].tcp: expected {KEY: VALUE}, found %s",
		           node_kind_text(node));
		return false;
	}
	if (!reader_entries(reader, node, "services[].tcp"))
		return false;
	for (const struct node *child = node->child; child != NULL; child = child->next) {
		const struct config_key *key;

		snprintf(path, sizeof(path), "tcp.%.*s", ERRORS_QUOTE_MAX, child->key->text);
		key = config_find_key(path);
		if (key == NULL || !key->per_service) {
			errors_add(reader->errors, &child->key->place, "services[].tcp: %s %s%s",
			           key == NULL ? "unknown key" : "only the whole stack can have",
			           errors_quote(child->key->text, quote),
			           key == NULL ? reader_hint(child->key->text, known_tunable, hint) : "");
			good = false;
			continue;
		}
		snprintf(path, sizeof(path), "services[].%s", key->path);
		given[key - keys] = true;
		good &= reader_value(reader, key, path, child,
		                     (char *)&service->tcp + key->offset - offsetof(struct config, tcp));
	}
	return good;
}

void reader_inherit(struct reader *reader)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);
	struct config *config = reader->config;

	for (size_t i = 0; i < config->services.count; i++) {
		struct config_service *service = &config->services.item[i];
		struct stack_tcp_config own = service->tcp;

		memcpy(&service->tcp, &config->tcp, sizeof(own));
		for (size_t k = 0; service->tcp_given != NULL && k < count; k++) {
			size_t at = keys[k].offset - offsetof(struct config, tcp);

			if (service->tcp_given[k])
				memcpy((char *)&service->tcp + at, (char *)&own + at, value_bytes(&keys[k]));
		}
	}
}

static bool read_service(struct reader *reader, const struct node *node, struct config_service *service)
{
	char path[PATH_MAX_BYTES];
	bool good;

	if (node->kind != NODE_MAPPING) {
		errors_add(reader->errors, &node->place,
		           "services: expected an entry such as {kind: echo, port: 7}, found %s",
		           node_kind_text(node));
		return false;
	}
	if (!reader_entries(reader, node, "services") || !service_kind(reader, node, service))
		return false;
	good = service_defaults(reader, node, service);
	for (const struct node *child = node->child; child != NULL; child = child->next) {
		uint32_t kinds;
		const struct config_key *key = find_option(child->key->text, service->kind, &kinds);

		if (strcmp(child->key->text, "tcp") == 0) {
			good &= read_tunables(reader, child, service);
			continue;
		}
		if (key == NULL) {
			wrong_option(reader, child->key, service->kind, kinds);
			good = false;
			continue;
		}
		snprintf(path, sizeof(path), "services[].%s", key->path);
		good &= reader_value(reader, key, path, child, (char *)service + key->offset);
	}
	return good;
}

bool reader_services(struct reader *reader, const struct config_key *key, const struct node *node,
                     struct config_service_list *ret)
{
	struct config_service_list list = { .item = reader_items(reader, key, key->path, node, sizeof(*list.item)) };
	bool good = true;

	if (list.item == NULL)
		return false;
	for (const struct node *child = node->child; child != NULL; child = child->next) {
		struct config_service service = { 0 };

		if (read_service(reader, child, &service))
			list.item[list.count++] = service;
		else
			good = false;
	}
	/* Even with errors: the good ones can be checked against each other. */
	*ret = list;
	return good;
}

/* ---- plugins ------------------------------------------------------------------------------------------------- */

static const char *known_plugin_entry(size_t index)
{
	static const char *const names[] = { "plugin", "name", "params", "capture" };

	return index < 4 ? names[index] : NULL;
}

static bool read_params(struct reader *reader, const struct config_key *key, const struct node *node,
                        struct config_plugin *plugin)
{
	struct config_key value = { .type = CONFIG_TEXT, .max = 4000 };
	size_t count = 0;

	if (node->kind == NODE_SCALAR && node->is_null)
		return true;
	if (node->kind != NODE_MAPPING) {
		errors_add(reader->errors, &node->place, "%s: params: expected {PARAMETER: VALUE}, found %s",
		           key->path, node_kind_text(node));
		return false;
	}
	if (!reader_entries(reader, node, key->path))
		return false;
	for (const struct node *child = node->child; child != NULL; child = child->next)
		count++;
	plugin->param = arena_alloc(reader->config->arena, count * sizeof(*plugin->param));
	if (plugin->param == NULL) {
		reader->no_memory = true;
		return false;
	}
	for (const struct node *child = node->child; child != NULL; child = child->next) {
		struct config_param *param = &plugin->param[plugin->param_count];

		if (!reader_value(reader, &value, "params", child, &param->value))
			return false;
		param->name = child->key->text;
		param->place = child->place;
		plugin->param_count++;
	}
	return true;
}

static bool read_plugin_entry(struct reader *reader, const struct config_key *key, const struct node *node,
                              const struct config_key *text, struct config_plugin *plugin)
{
	char quote[ERRORS_QUOTE_MAX], hint[READER_HINT_MAX];
	const char *name = node->key->text;
	bool logging = strcmp(key->path, "plugins.logging") == 0;

	if (strcmp(name, "plugin") == 0)
		return reader_value(reader, text, key->path, node, &plugin->plugin);
	if (strcmp(name, "name") == 0)
		return reader_value(reader, text, key->path, node, &plugin->name);
	if (strcmp(name, "params") == 0)
		return read_params(reader, key, node, plugin);
	if (strcmp(name, "capture") == 0 && logging)
		return reader_capture(reader, key, node, &plugin->capture);
	errors_add(reader->errors, &node->key->place, "%s: unknown entry %s%s: expected plugin, name%s", key->path,
	           errors_quote(name, quote), reader_hint(name, known_plugin_entry, hint),
	           logging ? ", params or capture" : " or params");
	return false;
}

static int check_plugin_name(const char *text)
{
	return text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_")] == '\0' ? 0 : -1;
}

static bool read_plugin(struct reader *reader, const struct config_key *key, const struct node *node,
                        struct config_plugin *plugin)
{
	struct config_key text = { .type = CONFIG_TEXT,
		                   .min = 1,
		                   .max = 63,
		                   .check = check_plugin_name,
		                   .form = "a name of up to 63 of a-z 0-9 - _" };
	bool good = true;

	plugin->place = node->place;
	if (node->kind == NODE_SCALAR) {
		good = reader_value(reader, &text, key->path, node, &plugin->plugin);
	} else if (node->kind == NODE_MAPPING) {
		good = reader_entries(reader, node, key->path);
		for (const struct node *child = node->child; good && child != NULL; child = child->next)
			good = read_plugin_entry(reader, key, child, &text, plugin);
	}
	if (good && plugin->plugin == NULL) {
		errors_add(reader->errors, &node->place,
		           "%s: an entry needs plugin: the name of its file without .so", key->path);
		return false;
	}
	if (plugin->name == NULL)
		plugin->name = plugin->plugin;
	return good;
}

bool reader_plugins(struct reader *reader, const struct config_key *key, const struct node *node,
                    struct config_plugin_list *ret)
{
	struct config_plugin_list list = { .item = reader_items(reader, key, key->path, node, sizeof(*list.item)) };
	bool good = true;

	if (list.item == NULL)
		return false;
	for (const struct node *child = node->child; child != NULL; child = child->next) {
		struct config_plugin plugin = { 0 };

		if (read_plugin(reader, key, child, &plugin))
			list.item[list.count++] = plugin;
		else
			good = false;
	}
	*ret = list;
	return good;
}
