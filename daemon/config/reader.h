#pragma once
/* From nodes to values, by the table. Shared by the files of this folder. */
#include "config/config.h"
#include "config/document.h"

struct reader {
	struct config *config;
	struct config_errors *errors;
	struct config_place nowhere; /* for what stands in no file */
	struct config_place *place;  /* by index of the key: where it was given */
	bool *given;                 /* by index of the key: in this source */
	bool no_memory;
};

/* What the value of a key may be: "a duration from 1ms to 1min". */
#define READER_VALID_MAX 400u
const char *reader_valid(const struct config_key *key, char text[static READER_VALID_MAX]);

/* Reads `node` into `value`, of the key's type. `path` is the key's name in messages. False: an error was added. */
bool reader_value(struct reader *reader, const struct config_key *key, const char *path, const struct node *node,
                  void *value);
/* The same from text: lists in YAML's flow style, all else as it stands (quotes allowed). */
bool reader_text(struct reader *reader, const struct config_key *key, const char *path, const char *text,
                 void *value);

bool reader_services(struct reader *reader, const struct config_key *key, const struct node *node,
                     struct config_service_list *ret);
bool reader_plugins(struct reader *reader, const struct config_key *key, const struct node *node,
                    struct config_plugin_list *ret);

bool reader_rules(struct reader *reader, const struct config_key *key, const struct node *node,
                  struct config_rule_list *ret);
/* As they stand in the file, without the brackets. */
void rules_write(FILE *file, const struct config_rule_list *list);
bool reader_impair(struct reader *reader, const struct config_key *key, const struct node *node,
                   struct config_impair_list *ret);
bool reader_capture(struct reader *reader, const struct config_key *key, const struct node *node,
                    struct config_capture *ret);

/* The entries of a mapping are few and each is there once; else an error was added. */
bool reader_entries(struct reader *reader, const struct node *mapping, const char *what);

/* Room for the entries of a list, of `size` bytes each, no more than key->max of them; or of nothing, which is an
 * empty list. NULL: an error was added, or there is no memory. */
void *reader_items(struct reader *reader, const struct config_key *key, const char *path, const struct node *node,
                   size_t size);

/* All keys below `root`. */
void reader_sections(struct reader *reader, const struct node *root);
/* One key of the table by its index, from text. */
void reader_key_text(struct reader *reader, size_t index, const char *text);

/* " (did you mean NEAREST?)", or nothing. `known` gives names by index, NULL after the last. */
#define READER_HINT_MAX 120u
const char *reader_hint(const char *unknown, const char *(*known)(size_t index), char text[static READER_HINT_MAX]);

/* The services' tunables: what they have not been given is as in the section tcp. Part of reader_check. */
void reader_inherit(struct reader *reader);
/* What depends on several keys; after all values are in. */
void reader_check(struct reader *reader);

/* The value of a key as text in the file. False: no memory. */
bool write_value(FILE *file, const struct config_key *key, const void *value);
/* One rule of link.impair, with what is not a default. */
bool write_impair(FILE *file, const struct config_impair *rule);
/* One service, for comparison. */
bool write_service(FILE *file, const struct config_service *service);
