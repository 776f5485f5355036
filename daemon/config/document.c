#include "config/document.h"

#include "config/errors.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

/* A collection that is being filled. */
struct level {
	struct node *node;
	struct node **tail; /* where its next child goes */
	struct node *key;   /* mapping: the key whose value comes next */
};

struct builder {
	struct config_arena *arena;
	struct config_errors *errors;
	const char *name;
	struct node *root;
	struct level level[DOCUMENT_DEPTH_MAX];
	unsigned depth, nodes, documents;
	bool bad; /* an error was added, but reading goes on */
};

static struct config_place place_of(const struct builder *builder, const yaml_mark_t *mark)
{
	return (struct config_place){ builder->name, (unsigned)mark->line + 1, (unsigned)mark->column + 1 };
}

static int fail(struct builder *builder, const yaml_mark_t *mark, const char *message)
{
	struct config_place place = place_of(builder, mark);

	errors_add(builder->errors, &place, "%s", message);
	return -EINVAL;
}

static void complain(struct builder *builder, const yaml_mark_t *mark, const char *message)
{
	fail(builder, mark, message);
	builder->bad = true;
}

/* Puts a finished or just begun node where it belongs. */
static void attach(struct builder *builder, struct node *node)
{
	struct level *level;

	if (builder->depth == 0) {
		builder->root = node;
		return;
	}
	level = &builder->level[builder->depth - 1];
	if (level->node->kind == NODE_MAPPING && level->key == NULL) {
		level->key = node;
		return;
	}
	node->key = level->key;
	level->key = NULL;
	*level->tail = node;
	level->tail = &node->next;
}

static struct node *node_new(struct builder *builder, enum node_kind kind, const yaml_mark_t *mark)
{
	struct node *node = arena_alloc(builder->arena, sizeof(*node));

	if (node == NULL)
		return NULL;
	node->kind = kind;
	node->place = place_of(builder, mark);
	node->text = "";
	return node;
}

/* Takes control characters out, so that whatever reads the text goes on; true: there were any. */
static bool replace_control(char *text, size_t length)
{
	bool found = false;

	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)text[i] >= 0x20 && text[i] != 0x7f)
			continue;
		text[i] = '?';
		found = true;
	}
	return found;
}

static int add_scalar(struct builder *builder, const yaml_event_t *event)
{
	struct node *node = node_new(builder, NODE_SCALAR, &event->start_mark);
	size_t length = event->data.scalar.length;
	char *text = arena_text(builder->arena, (const char *)event->data.scalar.value, length);

	if (node == NULL || text == NULL)
		return -ENOMEM;
	if (replace_control(text, length))
		complain(builder, &event->start_mark, "control characters and line ends are not allowed in a text");
	node->text = text;
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		node->is_null = text[0] == '\0' || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0;
	attach(builder, node);
	return 0;
}

static int begin_collection(struct builder *builder, enum node_kind kind, const yaml_event_t *event)
{
	struct level *level;
	struct node *node;

	if (builder->depth == DOCUMENT_DEPTH_MAX)
		return fail(builder, &event->start_mark, "nested too deeply");
	level = builder->depth == 0 ? NULL : &builder->level[builder->depth - 1];
	if (level != NULL && level->node->kind == NODE_MAPPING && level->key == NULL)
		return fail(builder, &event->start_mark, "a key must be a plain word");
	node = node_new(builder, kind, &event->start_mark);
	if (node == NULL)
		return -ENOMEM;
	attach(builder, node);
	level = &builder->level[builder->depth++];
	*level = (struct level){ .node = node, .tail = &node->child };
	return 0;
}

/* Anchors and tags on any node. */
static void check_properties(struct builder *builder, const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
	}
	if (anchor != NULL)
		complain(builder, &event->start_mark, "anchors (&name) are not supported: write the value out");
	if (tag != NULL)
		complain(builder, &event->start_mark, "tags (!name) are not supported: write the plain value");
}

static int take_event(struct builder *builder, const yaml_event_t *event)
{
	check_properties(builder, event);
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (++builder->documents > 1)
			return fail(builder, &event->start_mark,
			            "a second document (after ---) is not supported: only one per file");
		return 0;
	case YAML_ALIAS_EVENT:
		return fail(builder, &event->start_mark, "aliases (*name) are not supported: write the value out");
	case YAML_SCALAR_EVENT:
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		if (++builder->nodes > DOCUMENT_NODES_MAX)
			return fail(builder, &event->start_mark, "too many values in one file");
		if (event->type == YAML_SCALAR_EVENT)
			return add_scalar(builder, event);
		return begin_collection(
		        builder, event->type == YAML_MAPPING_START_EVENT ? NODE_MAPPING : NODE_SEQUENCE, event);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		builder->depth--;
		return 0;
	default:
		return 0;
	}
}

static int syntax_error(struct builder *builder, const yaml_parser_t *parser)
{
	const char *problem = parser->problem == NULL ? "not valid YAML" : parser->problem;
	struct config_place place = place_of(builder, &parser->problem_mark);

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (parser->error == YAML_READER_ERROR)
		place = (struct config_place){ builder->name, 0, 0 };
	if (parser->error == YAML_READER_ERROR)
		errors_add(builder->errors, &place, "not a UTF-8 text: %s at byte %zu", problem,
		           parser->problem_offset);
	else if (parser->context != NULL)
		errors_add(builder->errors, &place, "YAML syntax: %s %s (which began in line %zu)", problem,
		           parser->context, parser->context_mark.line + 1);
	else
		errors_add(builder->errors, &place, "YAML syntax: %s", problem);
	return -EINVAL;
}

static int build(struct builder *builder, yaml_parser_t *parser)
{
	bool end = false;
	int r = 0;

	while (r == 0 && !end) {
		yaml_event_t event;

		if (!yaml_parser_parse(parser, &event))
			return syntax_error(builder, parser);
		end = event.type == YAML_STREAM_END_EVENT;
		r = take_event(builder, &event);
		yaml_event_delete(&event);
	}
	if (r == 0 && builder->bad)
		r = -EINVAL;
	return r;
}

int document_read(struct config_arena *arena, const char *name, const char *text, size_t length,
                  struct node **ret_root, struct config_errors *errors)
{
	struct builder builder = { .arena = arena, .errors = errors };
	yaml_parser_t parser;
	int r;

	*ret_root = NULL;
	builder.name = arena_text(arena, name, strlen(name));
	if (builder.name == NULL)
		return -ENOMEM;
	if (length > DOCUMENT_BYTES_MAX) {
		struct config_place place = { builder.name, 0, 0 };

		errors_add(errors, &place, "longer than %u bytes", DOCUMENT_BYTES_MAX);
		return -EINVAL;
	}
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	r = build(&builder, &parser);
	yaml_parser_delete(&parser);
	*ret_root = r == -ENOMEM ? NULL : builder.root;
	return r;
}

bool node_repeats(const struct node *mapping, const struct node *entry)
{
	for (const struct node *child = mapping->child; child != entry; child = child->next)
		if (strcmp(child->key->text, entry->key->text) == 0)
			return true;
	return false;
}

const char *node_kind_text(const struct node *node)
{
	if (node->kind == NODE_MAPPING)
		return "a section";
	if (node->kind == NODE_SEQUENCE)
		return "a list";
	return node->is_null ? "nothing" : "a single value";
}
