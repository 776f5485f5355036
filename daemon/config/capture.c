/* What a logging instance captures: {filter: "dport=80 verdict!=ACCEPTED", bytes: 256, queue: 4MiB, verdicts: all}.
 */
#include "config/errors.h"
#include "config/filter.h"
#include "config/reader.h"
#include "config/value.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILTER_TEXT_MAX 1000u
#define VALUE_MAX 40u

enum { VERDICTS_ALL, VERDICTS_REFUSED };

static const struct config_choice verdict_choices[] = { { "all", VERDICTS_ALL },
	                                                { "refused", VERDICTS_REFUSED },
	                                                { NULL, 0 } };

/* As it stands in the file. */
struct given {
	const char *filter;
	uint32_t verdicts, bytes;
	uint64_t queue;
};

static const struct config_key capture_keys[] = {
	{ .path = "filter", .type = CONFIG_TEXT, .max = FILTER_TEXT_MAX, .offset = offsetof(struct given, filter) },
	{ .path = "bytes",
	  .type = CONFIG_SIZE32,
	  .min = CAPTURE_BYTES_MIN,
	  .max = CAPTURE_BYTES_MAX,
	  .offset = offsetof(struct given, bytes) },
	{ .path = "queue",
	  .type = CONFIG_SIZE,
	  .min = 64 << 10,
	  .max = 1 << 30,
	  .offset = offsetof(struct given, queue) },
	{ .path = "verdicts",
	  .type = CONFIG_CHOICE,
	  .choices = verdict_choices,
	  .offset = offsetof(struct given, verdicts) },
};

#define KEY_COUNT (sizeof(capture_keys) / sizeof(capture_keys[0]))

static const char *known_key(size_t index)
{
	return index < KEY_COUNT ? capture_keys[index].path : NULL;
}

/* ---- conditions on what the stack thought ------------------------------------------------------------------------
 */

struct parser {
	char text[FILTER_TEXT_MAX + 1]; /* what is understood here is blanked out; the rest is a filter of frames */
	struct capture_filter filter;
	char reason[CONFIG_FILTER_REASON_MAX];
};

static int wrong(struct parser *parser, const char *at, size_t length, const char *valid)
{
	snprintf(parser->reason, sizeof(parser->reason), "character %zu: \"%.*s\" is not %s",
	         (size_t)(at - parser->text) + 1, (int)(length < VALUE_MAX ? length : VALUE_MAX), at, valid);
	return -1;
}

static int add_id(struct parser *parser, const char *at, size_t length, const char *value)
{
	struct capture_filter *filter = &parser->filter;
	uint64_t id;

	if (value_read_uint(value, &id) != 0 || id == 0)
		return wrong(parser, at, length, "the id of a connection");
	if (filter->id_count == CAPTURE_IDS_MAX)
		return wrong(parser, at, length, "possible: there may be no more than eight ids");
	filter->id[filter->id_count++] = id;
	return 0;
}

static const char *const verdict_names[] = {
#define VERDICT_NAME(name, meaning) #name,
	STACK_VERDICTS(VERDICT_NAME)
#undef VERDICT_NAME
};

static int add_verdict(struct parser *parser, const char *at, size_t length, const char *value, uint64_t *set)
{
	for (unsigned i = 0; i < STACK_VERDICT_COUNT; i++) {
		if (strcasecmp(value, verdict_names[i]) != 0)
			continue;
		*set |= UINT64_C(1) << i;
		return 0;
	}
	return wrong(parser, at, length, "a verdict such as ACCEPTED, DUPLICATE or DROP_CHECKSUM");
}

static int add_state(struct parser *parser, const char *at, size_t length, const char *value, uint64_t *set)
{
	for (unsigned i = 0; i < TCPS_STATE_COUNT; i++) {
		if (strcasecmp(value, tcp_state_name(i)) != 0)
			continue;
		*set |= UINT64_C(1) << i;
		return 0;
	}
	return wrong(parser, at, length, "a state such as ESTABLISHED or TIME-WAIT");
}

enum field { FIELD_NONE, FIELD_ID, FIELD_STATE, FIELD_VERDICT };

static enum field field_of(const char *word, size_t length)
{
	static const struct {
		const char *name;
		enum field field;
	} fields[] = { { "id", FIELD_ID }, { "state", FIELD_STATE }, { "verdict", FIELD_VERDICT } };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strlen(fields[i].name) == length && memcmp(word, fields[i].name, length) == 0)
			return fields[i].field;
	return FIELD_NONE;
}

/* The values of one condition, with commas between them. */
static int read_values(struct parser *parser, enum field field, const char *at, const char *end, uint64_t *set)
{
	int r = 0;

	for (; r == 0; at++) {
		size_t length = strcspn(at, ", \t\n");
		char value[VALUE_MAX + 1];

		snprintf(value, sizeof(value), "%.*s", (int)(length > VALUE_MAX ? VALUE_MAX : length), at);
		if (field == FIELD_ID)
			r = add_id(parser, at, length, value);
		else if (field == FIELD_STATE)
			r = add_state(parser, at, length, value, set);
		else
			r = add_verdict(parser, at, length, value, set);
		at += length;
		if (at >= end)
			break;
	}
	return r;
}

static int read_word(struct parser *parser, char *word, size_t length)
{
	size_t name = strcspn(word, "=! \t\n"), value = name;
	enum field field = name < length ? field_of(word, name) : FIELD_NONE;
	struct capture_filter *filter = &parser->filter;
	bool except = word[name] == '!';
	uint64_t set = 0, all;
	int r;

	if (field == FIELD_NONE)
		return 0;
	value += strspn(word + value, "!=");
	if (except && field == FIELD_ID)
		return wrong(parser, word, length, "possible: ids are those to be captured");
	r = read_values(parser, field, word + value, word + length, &set);
	if (r != 0 || field == FIELD_ID) {
		memset(word, ' ', r == 0 ? length : 0);
		return r;
	}
	all = field == FIELD_STATE ? (UINT64_C(1) << TCPS_STATE_COUNT) - 1 : (UINT64_C(1) << STACK_VERDICT_COUNT) - 1;
	if (except)
		set = ~set & all;
	if (field == FIELD_STATE)
		filter->states = filter->states == 0 ? (uint32_t)set : filter->states & (uint32_t)set;
	else
		filter->verdicts = filter->verdicts == 0 ? set : filter->verdicts & set;
	if (set == 0 || (field == FIELD_STATE ? filter->states : filter->verdicts) == 0)
		return wrong(parser, word, length, "possible: nothing would fit");
	memset(word, ' ', length);
	return 0;
}

static int read_filter(const char *text, struct parser *parser)
{
	char *at = parser->text;
	size_t length;

	snprintf(parser->text, sizeof(parser->text), "%s", text);
	for (;;) {
		at += strspn(at, " \t\n");
		length = strcspn(at, " \t\n");
		if (length == 0)
			break;
		if (read_word(parser, at, length) != 0)
			return -1;
		at += length;
	}
	if (config_filter_read(parser->text, &parser->filter.frame, parser->reason) == 0)
		return 0;
	length = strlen(parser->reason);
	if (strstr(parser->reason, "is not a field") != NULL)
		snprintf(parser->reason + length, sizeof(parser->reason) - length,
		         "; a capture has id, state and verdict, too");
	return -1;
}

/* ---- the entry ------------------------------------------------------------------------------------------------- */

static bool read_entries(struct reader *reader, const struct config_key *key, const struct node *node,
                         struct given *given)
{
	char path[200], quote[ERRORS_QUOTE_MAX], hint[READER_HINT_MAX];
	bool good = true;

	snprintf(path, sizeof(path), "%s: capture", key->path);
	if (!reader_entries(reader, node, path))
		return false;
	for (const struct node *child = node->child; child != NULL; child = child->next) {
		const struct config_key *found = NULL;

		for (size_t i = 0; i < KEY_COUNT; i++)
			if (strcmp(capture_keys[i].path, child->key->text) == 0)
				found = &capture_keys[i];
		if (found == NULL) {
			errors_add(reader->errors, &child->key->place, "%s: capture: unknown entry %s%s", key->path,
			           errors_quote(child->key->text, quote),
			           reader_hint(child->key->text, known_key, hint));
			good = false;
			continue;
		}
		snprintf(path, sizeof(path), "%s: capture: %s", key->path, found->path);
		good &= reader_value(reader, found, path, child, (char *)given + found->offset);
	}
	return good;
}

static const struct config_place *place_of(const struct node *node, const char *name)
{
	for (const struct node *child = node->child; child != NULL; child = child->next)
		if (strcmp(child->key->text, name) == 0)
			return &child->place;
	return &node->place;
}

bool reader_capture(struct reader *reader, const struct config_key *key, const struct node *node,
                    struct config_capture *ret)
{
	const uint64_t taken = UINT64_C(1) << VERDICT_ACCEPTED;
	struct given given = { .filter = "", .bytes = 256, .queue = 4 << 20 };
	struct parser parser = { .reason = "" };
	bool wanted = true;

	if (node->kind == NODE_SCALAR) {
		static const struct config_key yes = { .path = "capture", .type = CONFIG_BOOL };

		if (!reader_value(reader, &yes, "plugins.logging: capture", node, &wanted))
			return false;
	} else if (node->kind != NODE_MAPPING || !read_entries(reader, key, node, &given)) {
		if (node->kind != NODE_MAPPING)
			errors_add(
			        reader->errors, &node->place,
			        "%s: capture: expected {filter: ..., bytes: ..., queue: ..., verdicts: ...} or yes, "
			        "found %s",
			        key->path, node_kind_text(node));
		return false;
	}
	if (read_filter(given.filter, &parser) != 0) {
		errors_add(reader->errors, place_of(node, "filter"), "%s: capture: filter: %s", key->path,
		           parser.reason);
		return false;
	}
	if (given.verdicts == VERDICTS_REFUSED) {
		uint64_t *verdicts = &parser.filter.verdicts;

		*verdicts = (*verdicts == 0 ? (UINT64_C(1) << STACK_VERDICT_COUNT) - 1 : *verdicts) & ~taken;
		if (*verdicts == 0) {
			errors_add(reader->errors, place_of(node, "verdicts"),
			           "%s: capture: nothing is refused and ACCEPTED at the same time", key->path);
			return false;
		}
	}
	*ret = (struct config_capture){ .given = wanted,
		                        .filter = given.filter,
		                        .refused = given.verdicts == VERDICTS_REFUSED,
		                        .options = { parser.filter, given.bytes, given.queue } };
	return true;
}
