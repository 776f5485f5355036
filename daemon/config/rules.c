/* congestion.rules: which connections get which algorithm. */
#include "config/errors.h"
#include "config/reader.h"
#include "config/value.h"

#include <string.h>

#define KEY "congestion.rules"
#define ENTRIES_MAX 64u

static const struct config_key name_key = {
	.type = CONFIG_TEXT, .min = 1, .max = 63, .form = "the name of an algorithm"
};
static const struct config_key service_key = {
	.type = CONFIG_TEXT, .min = 1, .max = 63, .form = "the name of a service"
};
static const struct config_key peer_key = {
	.type = CONFIG_PREFIXES, .min = 1, .max = CONFIG_RULE_PEERS_MAX, .form = "prefixes such as 192.0.2.0/24"
};
static const struct config_key weight_key = { .type = CONFIG_UINT, .min = 1, .max = 1000000 };
static const struct config_key sample_key = { .type = CONFIG_DURATION, .min = 0, .max = UINT64_C(3600000000000) };

static const char *known_entry(size_t index)
{
	static const char *const names[] = { "service", "peer", "use", "shadow", "sample" };

	return index < sizeof(names) / sizeof(names[0]) ? names[index] : NULL;
}

static bool complain(struct reader *reader, const struct node *node, const char *what)
{
	errors_add(reader->errors, &node->place, KEY ": %s", what);
	return false;
}

/* One prefix, or a list of them. */
static bool read_peers(struct reader *reader, const struct node *node, struct config_rule *rule)
{
	struct node only = *node, list = { .kind = NODE_SEQUENCE, .place = node->place, .child = &only };

	only.next = NULL;
	if (node->kind == NODE_SCALAR && !node->is_null)
		node = &list;
	return reader_value(reader, &peer_key, KEY ": peer", node, &rule->peers);
}

static bool read_arm(struct reader *reader, const struct node *node, struct config_rule *rule)
{
	struct config_arm *arm = &rule->arm[rule->arm_count++];
	struct node name = *node->key;

	name.kind = NODE_SCALAR;
	return reader_value(reader, &name_key, KEY ": use", &name, &arm->name) &&
	       reader_value(reader, &weight_key, KEY ": use", node, &arm->weight);
}

/* NAME, or {NAME: WEIGHT, ...}. */
static bool read_use(struct reader *reader, const struct node *node, struct config_rule *rule)
{
	bool good = true;
	size_t count = 1;

	if (node->kind == NODE_MAPPING) {
		count = 0;
		for (const struct node *child = node->child; child != NULL; child = child->next)
			count++;
	}
	if (count == 0 || count > STACK_RULE_ARMS_MAX)
		return complain(reader, node,
		                "use: expected one algorithm, or up to 8 with their weights: "
		                "{cubic: 1, bbr: 1}");
	rule->arm = arena_alloc(reader->config->arena, count * sizeof(*rule->arm));
	if (rule->arm == NULL) {
		reader->no_memory = true;
		return false;
	}
	if (node->kind != NODE_MAPPING) {
		rule->arm[0].weight = 1;
		rule->arm_count = 1;
		return reader_value(reader, &name_key, KEY ": use", node, &rule->arm[0].name);
	}
	for (const struct node *child = node->child; good && child != NULL; child = child->next)
		good = node_repeats(node, child) ? complain(reader, child->key, "use: an algorithm is given twice")
		                                 : read_arm(reader, child, rule);
	return good;
}

static bool read_entry(struct reader *reader, const struct node *node, struct config_rule *rule)
{
	char quote[ERRORS_QUOTE_MAX], hint[READER_HINT_MAX];
	const char *name = node->key->text;

	if (strcmp(name, "service") == 0)
		return reader_value(reader, &service_key, KEY ": service", node, &rule->service);
	if (strcmp(name, "peer") == 0)
		return read_peers(reader, node, rule);
	if (strcmp(name, "use") == 0)
		return read_use(reader, node, rule);
	if (strcmp(name, "shadow") == 0)
		return reader_value(reader, &name_key, KEY ": shadow", node, &rule->shadow);
	if (strcmp(name, "sample") == 0)
		return reader_value(reader, &sample_key, KEY ": sample", node, &rule->sample);
	errors_add(reader->errors, &node->key->place,
	           KEY ": unknown entry %s%s: expected service, peer, use, shadow or sample",
	           errors_quote(name, quote), reader_hint(name, known_entry, hint));
	return false;
}

static bool read_rule(struct reader *reader, const struct node *node, struct config_rule *rule)
{
	bool good = true;

	*rule = (struct config_rule){ .place = node->place, .service = "", .shadow = "" };
	if (node->kind != NODE_MAPPING)
		return complain(reader, node, "expected an entry such as {peer: 192.0.2.0/24, use: cubic}");
	for (const struct node *child = node->child; child != NULL; child = child->next) {
		if (node_repeats(node, child))
			good = complain(reader, child->key, "an entry is given twice");
		else
			good = read_entry(reader, child, rule) && good;
	}
	if (good && rule->arm_count == 0 && rule->shadow[0] == '\0' && rule->sample.ns == 0)
		return complain(reader, node, "a rule needs use, shadow or sample: what is to happen");
	return good;
}

bool reader_rules(struct reader *reader, const struct config_key *key, const struct node *node,
                  struct config_rule_list *ret)
{
	struct config_rule_list list = { .item = reader_items(reader, key, key->path, node, sizeof(*list.item)) };
	bool good = true;

	if (list.item == NULL)
		return false;
	for (const struct node *child = node->child; child != NULL; child = child->next) {
		if (read_rule(reader, child, &list.item[list.count]))
			list.count++;
		else
			good = false;
	}
	*ret = list;
	return good;
}

/* ---- back to text -------------------------------------------------------------------------------------------- */

static void write_peers(FILE *file, const struct config_prefix_list *peers)
{
	char text[VALUE_TEXT_MAX];

	for (size_t i = 0; i < peers->count; i++) {
		value_write_prefix(&peers->item[i], text);
		fprintf(file, "%s%s", i == 0 ? "peer: [" : ", ", text);
	}
	if (peers->count > 0)
		fputc(']', file);
}

static void write_use(FILE *file, const struct config_rule *rule)
{
	if (rule->arm_count == 1) {
		fprintf(file, "use: %s", rule->arm[0].name);
		return;
	}
	for (size_t i = 0; i < rule->arm_count; i++)
		fprintf(file, "%s%s: %u", i == 0 ? "use: {" : ", ", rule->arm[i].name, rule->arm[i].weight);
	fputc('}', file);
}

/* Names need no quotes: they are a-z 0-9 - _, but those of services, which are checked when they are defined. */
void rules_write(FILE *file, const struct config_rule_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct config_rule *rule = &list->item[i];
		const char *separator = i == 0 ? "{" : ", {";
		char text[VALUE_TEXT_MAX];

		if (rule->service[0] != '\0') {
			fprintf(file, "%sservice: %s", separator, rule->service);
			separator = ", ";
		}
		if (rule->peers.count > 0) {
			fputs(separator, file);
			write_peers(file, &rule->peers);
			separator = ", ";
		}
		if (rule->arm_count > 0) {
			fputs(separator, file);
			write_use(file, rule);
			separator = ", ";
		}
		if (rule->shadow[0] != '\0') {
			fprintf(file, "%sshadow: %s", separator, rule->shadow);
			separator = ", ";
		}
		if (rule->sample.ns > 0) {
			value_write_duration((uint64_t)rule->sample.ns, text);
			fprintf(file, "%ssample: %s", separator, text);
		}
		fputc('}', file);
	}
}
