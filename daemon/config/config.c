#include "config/config.h"

#include "config/arena.h"
#include "config/document.h"
#include "config/errors.h"
#include "config/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void config_free(struct config *config)
{
	struct config_arena *arena;

	if (config == NULL)
		return;
	arena = config->arena; /* which holds *config too */
	arena_free(arena);
}

/* A reader with an empty configuration; everything in one arena. */
static int reader_open(struct reader *reader, const char *name, struct config_errors *errors)
{
	struct config_arena *arena = arena_new();
	size_t count;

	if (arena == NULL)
		return -ENOMEM;
	config_keys(&count);
	*reader = (struct reader){
		.errors = errors,
		.config = arena_alloc(arena, sizeof(*reader->config)),
		.place = arena_alloc(arena, count * sizeof(*reader->place)),
		.given = arena_alloc(arena, count * sizeof(*reader->given)),
		.nowhere = { .file = arena_text(arena, name, strlen(name)) },
	};
	if (reader->config == NULL || reader->place == NULL || reader->given == NULL ||
	    reader->nowhere.file == NULL) {
		arena_free(arena);
		return -ENOMEM;
	}
	reader->config->arena = arena;
	return 0;
}

static void read_defaults(struct reader *reader)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);

	for (size_t i = 0; i < count; i++)
		reader_key_text(reader, i, keys[i].initial);
}

static const char *known_key(size_t index)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);

	return index < count ? keys[index].path : NULL;
}

/* "key=value" */
static void read_setting(struct reader *reader, const char *setting)
{
	const char *equal = strchr(setting, '=');
	char quote[ERRORS_QUOTE_MAX], hint[READER_HINT_MAX], path[ERRORS_QUOTE_MAX];
	const struct config_key *key;
	size_t count;

	reader->nowhere.file = "--set";
	if (equal == NULL) {
		errors_add(reader->errors, &reader->nowhere, "%s: expected KEY=VALUE", errors_quote(setting, quote));
		return;
	}
	snprintf(path, sizeof(path), "%.*s", (int)(equal - setting), setting);
	key = config_find_key(path);
	if (key == NULL) {
		errors_add(reader->errors, &reader->nowhere, "unknown key %s%s", errors_quote(path, quote),
		           reader_hint(path, known_key, hint));
		return;
	}
	reader_key_text(reader, (size_t)(key - config_keys(&count)), equal + 1);
}

/* Checks, and gives out the configuration or frees it. */
static int reader_close(struct reader *reader, size_t errors_before, struct config **ret)
{
	struct config_errors *errors = reader->errors;
	int r = 0;

	if (reader->no_memory)
		r = -ENOMEM;
	else if (errors->count + errors->omitted != errors_before)
		r = -EINVAL;
	errors_sort(errors);
	if (r != 0) {
		arena_free(reader->config->arena);
		return r;
	}
	*ret = reader->config;
	return 0;
}

static int load_text(const char *name, const char *text, size_t length, const char *const *set, size_t set_count,
                     struct config **ret, struct config_errors *errors)
{
	size_t before = errors->count + errors->omitted;
	struct node *root = NULL;
	struct reader reader;
	int r = reader_open(&reader, name, errors);

	if (r != 0)
		return r;
	read_defaults(&reader);
	r = document_read(reader.config->arena, name, text, length, &root, errors);
	if (r == -ENOMEM)
		reader.no_memory = true;
	if (root != NULL)
		reader_sections(&reader, root);
	for (size_t i = 0; i < set_count; i++)
		read_setting(&reader, set[i]);
	/* Rules between keys would only confuse when half of the file could not be read. */
	if (r == 0 && !reader.no_memory)
		reader_check(&reader);
	return reader_close(&reader, before, ret);
}

int config_parse(const char *name, const char *text, size_t length, struct config **ret, struct config_errors *errors)
{
	return load_text(name, text, length, NULL, 0, ret, errors);
}

/* At most one byte more than a document may have, so that a file that is too long is seen as such. */
static int read_file(const char *path, char **ret_text, size_t *ret_length)
{
	size_t size = DOCUMENT_BYTES_MAX + 1, length = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a FIFO must not hold up a reload */
	struct stat status;
	char *text = NULL;
	ssize_t got = 0;
	int r = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) != 0)
		r = -errno;
	else if (!S_ISREG(status.st_mode))
		r = -EINVAL;
	else if ((text = malloc(size)) == NULL)
		r = -ENOMEM;
	while (r == 0 && length < size && (got = read(fd, text + length, size - length)) != 0) {
		if (got > 0)
			length += (size_t)got;
		else if (errno != EINTR)
			r = -errno;
	}
	close(fd);
	if (r != 0) {
		free(text);
		return r;
	}
	*ret_text = text;
	*ret_length = length;
	return 0;
}

int config_load(const struct config_source *source, struct config **ret, struct config_errors *errors)
{
	struct config_place place = { source->path, 0, 0 };
	char *text = NULL;
	size_t length = 0;
	int r;

	if (source->path == NULL)
		return load_text("defaults", "", 0, source->set, source->set_count, ret, errors);
	r = read_file(source->path, &text, &length);
	if (r != 0) {
		errors_add(errors, &place, "%s", r == -EINVAL ? "not a regular file" : strerror(-r));
		return r;
	}
	r = load_text(source->path, text, length, source->set, source->set_count, ret, errors);
	free(text);
	return r;
}

static int copy_values(struct reader *reader, const struct config *base)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);

	for (size_t i = 0; i < count; i++) {
		char *text;
		int r = config_get(base, &keys[i], &text);

		if (r != 0)
			return r;
		reader_key_text(reader, i, text);
		free(text);
	}
	return 0;
}

int config_with(const struct config *base, const char *key, const char *value, struct config **ret,
                struct config_errors *errors)
{
	size_t before = errors->count + errors->omitted, count;
	const struct config_key *found = config_find_key(key);
	struct reader reader;
	int r = reader_open(&reader, "running configuration", errors);

	if (r != 0)
		return r;
	if (found == NULL) {
		char quote[ERRORS_QUOTE_MAX], hint[READER_HINT_MAX];

		errors_add(errors, &reader.nowhere, "unknown key %s%s", errors_quote(key, quote),
		           reader_hint(key, known_key, hint));
		return reader_close(&reader, before, ret);
	}
	if (copy_values(&reader, base) != 0)
		reader.no_memory = true;
	reader_key_text(&reader, (size_t)(found - config_keys(&count)), value);
	if (!reader.no_memory)
		reader_check(&reader);
	return reader_close(&reader, before, ret);
}

/* ---- what the parts need ------------------------------------------------------------------------------------- */

struct mac_addr config_mac(const struct config *config)
{
	static const struct mac_addr automatic;
	struct mac_addr mac = { { 2 } };

	if (memcmp(&config->link.mac, &automatic, sizeof(automatic)) != 0)
		return config->link.mac;
	memcpy(mac.b + 2, config->stack.addresses.item[0].ip.b + 12, 4);
	return mac;
}

static int path_under(const char *directory, const char *path, char *text, size_t size)
{
	int length =
	        path[0] == '/' ? snprintf(text, size, "%s", path) : snprintf(text, size, "%s/%s", directory, path);

	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

int config_state_path(const struct config *config, const char *path, char *text, size_t size)
{
	return path_under(config->state_directory, path, text, size);
}

int config_runtime_path(const struct config *config, const char *path, char *text, size_t size)
{
	return path_under(config->runtime_directory, path, text, size);
}

const char *config_plugin_directory(const struct config *config)
{
	return strcmp(config->plugins.directory, "auto") == 0 ? TAPSTACK_PLUGIN_DIRECTORY : config->plugins.directory;
}
