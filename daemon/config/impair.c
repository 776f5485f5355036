/* link.impair: rules of what a bad path does to frames. */
#include "config/errors.h"
#include "config/form.h"
#include "config/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define AT(field) .offset = offsetof(struct config_impair, field)
#define HOUR (3600 * UINT64_C(1000000000))
#define GIB (UINT64_C(1) << 30)
#define PATH_BYTES 64u

static const struct config_choice directions[] = {
	{ "both", CONFIG_IMPAIR_BOTH },
	{ "in", CONFIG_IMPAIR_IN },
	{ "out", CONFIG_IMPAIR_OUT },
	{ NULL, 0 },
};

static const struct config_choice disciplines[] = {
	{ "drop-tail", CONFIG_IMPAIR_DROP_TAIL },
	{ "codel", CONFIG_IMPAIR_CODEL },
	{ "codel-ecn", CONFIG_IMPAIR_CODEL_ECN },
	{ "step", CONFIG_IMPAIR_STEP },
	{ NULL, 0 },
};

#define PERCENT(field, text)                                                                                         \
	{                                                                                                            \
		.path = #field, .type = CONFIG_PERCENT, .max = 1000000, .initial = "0%", AT(field), .help = text     \
	}

/* clang-format off */
static const struct config_key keys[] = {
	{ .path = "name", .type = CONFIG_NAME, .initial = "", .check = form_name, AT(name),
	  .form = "up to 31 letters, digits and . _ -",
	  .help = "What tapstackctl calls it; unique; default: rule1, rule2, ..." },
	{ .path = "direction", .type = CONFIG_CHOICE, .initial = "both", .choices = directions, AT(direction),
	  .help = "Frames in, out, or both; each way has chances, a line and counters of its own" },
	{ .path = "filter", .type = CONFIG_FILTER, .initial = "", AT(filter),
	  .help = "Which frames: \"peer=192.0.2.0/24 dport=80,443 protocol=tcp\"; default: all, ARP too" },
	{ .path = "delay", .type = CONFIG_DURATION, .max = HOUR, .initial = "0", AT(delay),
	  .help = "How long each frame takes" },
	{ .path = "jitter", .type = CONFIG_DURATION, .max = HOUR, .initial = "0", AT(jitter),
	  .help = "Up to so much longer, by chance" },
	{ .path = "jitter_reorders", .type = CONFIG_BOOL, .initial = "no", AT(jitter_reorders),
	  .help = "With jitter, a later frame may overtake" },
	{ .path = "delay_packets", .type = CONFIG_UINT, .max = UINT32_MAX, .initial = "none", .word = "none", AT(delay_packets),
	  .unit = "packets", .help = "How many may be on their way at a time; more are dropped" },
	{ .path = "rate", .type = CONFIG_RATE, .min = 125, .max = UINT64_C(125000000000), .initial = "none", .word = "none", AT(rate),
	  .help = "Of the line that the frames go through; one line for all shards, a queue for each of them" },
	{ .path = "overhead", .type = CONFIG_UINT, .max = 1000, .initial = "0", .unit = "bytes", AT(overhead),
	  .help = "What each packet takes on the line besides the frame" },
	{ .path = "queue", .type = CONFIG_SIZE32, .max = GIB, .initial = "none", .word = "none", AT(queue),
	  .help = "Room before the line, in bytes; what does not fit is dropped" },
	{ .path = "queue_packets", .type = CONFIG_UINT, .max = UINT32_MAX, .initial = "none", .word = "none", AT(queue_packets),
	  .unit = "packets", .help = "The same in packets" },
	{ .path = "discipline", .type = CONFIG_CHOICE, .initial = "drop-tail", .choices = disciplines, AT(discipline),
	  .help = "Of the queue: CoDel drops (RFC 8289), or marks where it can; step marks all that has waited longer than target" },
	{ .path = "target", .type = CONFIG_DURATION, .max = HOUR, .initial = "auto", .word = "auto", AT(target),
	  .help = "Wait that codel or step take for too long; auto: 5ms and 1ms" },
	{ .path = "interval", .type = CONFIG_DURATION, .max = HOUR, .initial = "auto", .word = "auto", AT(interval),
	  .help = "For how long codel bears it; auto: 100ms" },
	PERCENT(loss, "Packets lost"),
	{ .path = "burst", .type = CONFIG_UINT, .min = 1, .max = 1000000, .initial = "1", .unit = "packets", AT(burst),
	  .help = "How many are lost in a row, on average" },
	PERCENT(duplicate, "Packets that come twice"),
	PERCENT(corrupt, "Packets of which one bit is turned over; checksums are complete before"),
	PERCENT(reorder, "Packets held back, so that later ones overtake them"),
	{ .path = "reorder_min", .type = CONFIG_DURATION, .max = HOUR, .initial = "1ms", AT(reorder_min),
	  .help = "For how long, at least" },
	{ .path = "reorder_max", .type = CONFIG_DURATION, .max = HOUR, .initial = "10ms", AT(reorder_max),
	  .help = "And at most" },
	{ .path = "drop_first", .type = CONFIG_UINT, .max = UINT32_MAX, .initial = "none", .word = "none", AT(drop_first),
	  .help = "Drop the packet of this number, from 1; counted by each shard, each way" },
	{ .path = "drop_every", .type = CONFIG_UINT, .max = UINT32_MAX, .initial = "none", .word = "none", AT(drop_every),
	  .help = "And after it one in so many; without drop_first: from this one on" },
	{ .path = "drop_count", .type = CONFIG_UINT, .max = UINT32_MAX, .initial = "none", .word = "none", AT(drop_count),
	  .help = "But so many in all" },
	{ .path = "outage_up", .type = CONFIG_DURATION, .max = 24 * HOUR, .initial = "0", AT(outage_up),
	  .help = "Everything passes for so long, from the first packet on," },
	{ .path = "outage_up_max", .type = CONFIG_DURATION, .max = 24 * HOUR, .initial = "0", AT(outage_up_max),
	  .help = "or, by chance, up to so long; 0: always the same" },
	{ .path = "outage_down", .type = CONFIG_DURATION, .max = 24 * HOUR, .initial = "0", AT(outage_down),
	  .help = "then nothing for so long, and so on" },
	{ .path = "outage_down_max", .type = CONFIG_DURATION, .max = 24 * HOUR, .initial = "0", AT(outage_down_max),
	  .help = "or, by chance, up to so long; 0: always the same" },
	{ .path = "seed", .type = CONFIG_UINT64, .max = UINT64_MAX, .initial = "random", .word = "random", AT(seed),
	  .help = "Of all chances: the same seed does the same to the n-th packet; tapstackctl shows one that was drawn" },
};
/* clang-format on */

const struct config_key *config_impair_keys(size_t *ret_count)
{
	*ret_count = COUNT(keys);
	return keys;
}

static const char *known_entry(size_t index)
{
	return index < COUNT(keys) ? keys[index].path : NULL;
}

static const struct config_key *find_entry(const char *name)
{
	for (size_t i = 0; i < COUNT(keys); i++)
		if (strcmp(keys[i].path, name) == 0)
			return &keys[i];
	return NULL;
}

/* ---- one entry ---------------------------------------------------------------------------------------------------
 */

/* `prefix` before its name in messages. */
static bool read_rule_entry(struct reader *reader, const char *prefix, const char *name,
                            const struct config_place *place, const struct node *value, struct config_impair *rule)
{
	char path[PATH_BYTES], quote[ERRORS_QUOTE_MAX], hint[READER_HINT_MAX];
	const struct config_key *key = find_entry(name);

	if (key == NULL) {
		errors_add(reader->errors, place, "%sunknown option %s of a rule%s", *prefix ? "link.impair: " : "",
		           errors_quote(name, quote), reader_hint(name, known_entry, hint));
		return false;
	}
	snprintf(path, sizeof(path), "%s%s", prefix, key->path);
	return reader_value(reader, key, path, value, (char *)rule + key->offset);
}

void config_impair_init(struct config_impair *rule)
{
	struct config_errors errors = CONFIG_ERRORS_INIT;

	memset(rule, 0, sizeof(*rule));
	for (size_t i = 0; i < COUNT(keys); i++)
		if (keys[i].type != CONFIG_NAME)
			config_impair_set(rule, keys[i].path, keys[i].initial, &errors);
	config_errors_free(&errors);
}

int config_impair_set(struct config_impair *rule, const char *name, const char *value, struct config_errors *errors)
{
	struct config_place nowhere = { .file = "rule" };
	struct reader reader = { .errors = errors, .nowhere = nowhere };
	struct node node = { .kind = NODE_SCALAR, .place = nowhere, .text = value };

	return read_rule_entry(&reader, "", name, &nowhere, &node, rule) ? 0 : -EINVAL;
}

/* ---- rules as a whole --------------------------------------------------------------------------------------------
 */

#define COMPLAIN(...) (errors_add(errors, place, __VA_ARGS__), good = false)

static bool check_rule(const struct config_impair *rule, const struct config_place *place,
                       struct config_errors *errors)
{
	uint32_t kept = rule->loss < 1000000 ? 1000000 - rule->loss : 1000000; /* a million: bursts have no end */
	bool good = true;

	if (rule->rate == 0 && (rule->queue != 0 || rule->queue_packets != 0 || rule->overhead != 0 ||
	                        rule->discipline != CONFIG_IMPAIR_DROP_TAIL))
		COMPLAIN("rule %s: queue, queue_packets, overhead and discipline need a rate", rule->name);
	if (rule->discipline == CONFIG_IMPAIR_DROP_TAIL && (rule->target.ns != 0 || rule->interval.ns != 0))
		COMPLAIN("rule %s: target and interval need a discipline other than drop-tail", rule->name);
	if (rule->burst > 1 && rule->loss == 0)
		COMPLAIN("rule %s: burst needs a loss", rule->name);
	/* Bursts have at least one packet between them. */
	if (rule->burst > 1 && (uint64_t)rule->burst * kept < rule->loss)
		COMPLAIN("rule %s: a loss of %g%% takes bursts of at least %u packets on average", rule->name,
		         rule->loss / 1e4, (rule->loss + kept - 1) / kept);
	if (rule->jitter_reorders && rule->jitter.ns == 0)
		COMPLAIN("rule %s: jitter_reorders needs a jitter", rule->name);
	if (rule->delay_packets != 0 && rule->delay.ns == 0 && rule->jitter.ns == 0)
		COMPLAIN("rule %s: delay_packets needs a delay", rule->name);
	if (rule->reorder_min.ns > rule->reorder_max.ns)
		COMPLAIN("rule %s: reorder_min is longer than reorder_max", rule->name);
	if (rule->drop_count != 0 && rule->drop_first == 0 && rule->drop_every == 0)
		COMPLAIN("rule %s: drop_count needs drop_first or drop_every", rule->name);
	if ((rule->outage_up.ns == 0) != (rule->outage_down.ns == 0))
		COMPLAIN("rule %s: outage_up and outage_down need each other", rule->name);
	if ((rule->outage_up_max.ns != 0 && rule->outage_up_max.ns < rule->outage_up.ns) ||
	    (rule->outage_down_max.ns != 0 && rule->outage_down_max.ns < rule->outage_down.ns))
		COMPLAIN("rule %s: an outage's max is shorter than its least", rule->name);
	if (rule->outage_down_max.ns != 0 && rule->outage_down.ns == 0)
		COMPLAIN("rule %s: outage_down_max needs outage_down", rule->name);
	if (rule->outage_up_max.ns != 0 && rule->outage_up.ns == 0)
		COMPLAIN("rule %s: outage_up_max needs outage_up", rule->name);
	return good;
}

/* Is the name of this rule that of an earlier one? */
static bool check_name(const struct config_impair_list *list, size_t index, const struct config_place *place,
                       struct config_errors *errors)
{
	bool good = true;

	for (size_t i = 0; i < index && good; i++)
		if (strcmp(list->item[i].name, list->item[index].name) == 0)
			COMPLAIN("two rules named %s: give one of them another name", list->item[i].name);
	return good;
}

int config_impair_check(const struct config_impair_list *list, struct config_errors *errors)
{
	struct config_place nowhere = { .file = "rule" };
	bool good = true;

	for (size_t i = 0; i < list->count; i++)
		good = check_rule(&list->item[i], &nowhere, errors) && check_name(list, i, &nowhere, errors) && good;
	return good ? 0 : -EINVAL;
}

/* ---- the list in a file ------------------------------------------------------------------------------------------
 */

static bool read_rule(struct reader *reader, const struct node *node, size_t index, struct config_impair *rule)
{
	bool good = true;

	config_impair_init(rule);
	snprintf(rule->name, sizeof(rule->name), "rule%zu", index + 1);
	if (node->kind != NODE_MAPPING) {
		errors_add(reader->errors, &node->place,
		           "link.impair: expected a rule such as {delay: 20ms, loss: 1%%}, found %s",
		           node_kind_text(node));
		return false;
	}
	for (const struct node *child = node->child; child != NULL; child = child->next) {
		char quote[ERRORS_QUOTE_MAX];

		if (node_repeats(node, child)) {
			errors_add(reader->errors, &child->key->place, "link.impair: %s is given twice",
			           errors_quote(child->key->text, quote));
			return false;
		}
		good &= read_rule_entry(reader, "link.impair[].", child->key->text, &child->key->place, child, rule);
	}
	return good && check_rule(rule, &node->place, reader->errors);
}

bool reader_impair(struct reader *reader, const struct config_key *key, const struct node *node,
                   struct config_impair_list *ret)
{
	struct config_impair_list list = { .item = reader_items(reader, key, key->path, node, sizeof(*list.item)) };
	bool good = true;

	if (list.item == NULL)
		return false;
	for (const struct node *child = node->child; child != NULL; child = child->next) {
		good &= read_rule(reader, child, list.count, &list.item[list.count]) &&
		        check_name(&list, list.count, &child->place, reader->errors);
		list.count++;
	}
	if (good)
		*ret = list;
	return good;
}

/* ---- writing -----------------------------------------------------------------------------------------------------
 */

static bool is_default(const struct config_impair *rule, const struct config_impair *standard,
                       const struct config_key *key)
{
	const char *value = (const char *)rule + key->offset, *other = (const char *)standard + key->offset;

	switch (key->type) {
	case CONFIG_NAME:
		return false;
	case CONFIG_FILTER:
		return rule->filter.condition_count == 0;
	case CONFIG_BOOL:
		return *(const bool *)value == *(const bool *)other;
	case CONFIG_DURATION:
	case CONFIG_RATE:
	case CONFIG_UINT64:
		return memcmp(value, other, sizeof(uint64_t)) == 0;
	default:
		return memcmp(value, other, sizeof(uint32_t)) == 0;
	}
}

bool write_impair(FILE *file, const struct config_impair *rule)
{
	struct config_impair standard;
	bool good = true;

	config_impair_init(&standard);
	for (size_t i = 0; i < COUNT(keys); i++) {
		if (is_default(rule, &standard, &keys[i]))
			continue;
		fprintf(file, "%s%s: ", i == 0 ? "{" : ", ", keys[i].path);
		good &= write_value(file, &keys[i], (const char *)rule + keys[i].offset);
	}
	fputc('}', file);
	return good && !ferror(file);
}

int config_impair_text(const struct config_impair *rule, char **ret_text)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	bool good;

	if (file == NULL)
		return -ENOMEM;
	good = write_impair(file, rule);
	if (fclose(file) != 0 || !good) {
		free(text);
		return -ENOMEM;
	}
	*ret_text = text;
	return 0;
}
