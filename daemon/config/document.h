#pragma once
/* A YAML document as a tree of nodes, each with its place. Only what a configuration needs: scalars, sequences and
 * mappings. Anchors, aliases, tags and a second document are errors, and depth, number of nodes and length are
 * bounded, so that no file can make the reader take more than some megabytes. */
#include "config/arena.h"
#include "config/config.h"

#define DOCUMENT_BYTES_MAX (1024u * 1024u)
#define DOCUMENT_DEPTH_MAX 12u
#define DOCUMENT_NODES_MAX 50000u

enum node_kind { NODE_SCALAR, NODE_SEQUENCE, NODE_MAPPING };

struct node {
	enum node_kind kind;
	struct config_place place;
	const char *text;   /* scalar: without NUL or other control characters inside */
	bool is_null;       /* scalar: nothing, ~ or null, not in quotes */
	struct node *child; /* the first; of a mapping: values, each with its key */
	struct node *key;   /* in a mapping */
	struct node *next;
};

/* Reads `text` (UTF-8). Errors go to *errors. Returns 0, -EINVAL or -ENOMEM. *ret_root is set in any case: NULL for
 * an empty document, after an error the part that was understood, so that the rest of it can be checked too. */
int document_read(struct config_arena *arena, const char *name, const char *text, size_t length,
                  struct node **ret_root, struct config_errors *errors);

/* Does an entry of a mapping have the key of one before it? */
bool node_repeats(const struct node *mapping, const struct node *entry);

/* What a node is, for messages: "a list". */
const char *node_kind_text(const struct node *node);
