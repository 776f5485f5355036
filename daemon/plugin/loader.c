#include "plugin/loader.h"

#include "plugin/trust.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYMBOL "tapstack_plugin"
#define SUFFIX ".so"
#define LIBRARIES_MAX 4096 /* files of a directory that are looked at */

/* ---- what is there ------------------------------------------------------------------------------------------- */

static int is_library(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name), suffix = strlen(SUFFIX);

	return entry->d_name[0] != '.' && length > suffix && strcmp(entry->d_name + length - suffix, SUFFIX) == 0;
}

int loader_list(const char *directory, void (*found)(void *context, const char *name), void *context,
                char error[static PLUGIN_ERROR_MAX])
{
	struct dirent **entries;
	int fd, count, r = trust_open_directory(directory, &fd, error);

	if (r != 0)
		return r;
	count = scandirat(fd, ".", &entries, is_library, alphasort);
	r = count < 0 ? refuse(error, -errno, "%.700s: %s", directory, strerror(errno)) : 0;
	close(fd);
	for (int i = 0; i < count; i++) {
		char *name = entries[i]->d_name;

		name[strlen(name) - strlen(SUFFIX)] = '\0';
		if (i < LIBRARIES_MAX)
			found(context, name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return r;
}

struct name_list {
	char text[300];
	size_t length;
};

static void add_name(void *context, const char *name)
{
	struct name_list *list = context;
	size_t room = sizeof(list->text) - list->length;
	int length = snprintf(list->text + list->length, room, "%s%s", list->length == 0 ? "" : ", ", name);

	if ((size_t)length < room)
		list->length += (size_t)length;
	else
		list->text[list->length] = '\0';
}

static int not_there(const char *directory, const char *path, char *error)
{
	struct name_list list = { .length = 0 };
	int r = loader_list(directory, add_name, &list, error);

	if (r != 0)
		return r;
	return refuse(error, -ENOENT, "%.400s: %s; in %.200s there %s%s", path, strerror(ENOENT), directory,
	              list.length == 0 ? "is no plugin at all" : "are: ", list.text);
}

/* ---- loading ------------------------------------------------------------------------------------------------- */

/* In what dlerror says the file has the name that the dynamic linker was given. */
static void name_file(const char *reason, const char *name, const char *path, char text[static PLUGIN_ERROR_MAX])
{
	const char *at = strstr(reason, name);

	if (at == NULL)
		snprintf(text, PLUGIN_ERROR_MAX, "%.400s: %.600s", path, reason);
	else
		snprintf(text, PLUGIN_ERROR_MAX, "%.*s%.400s%.500s", (int)(at - reason < 100 ? at - reason : 100),
		         reason, path, at + strlen(name));
}

static int not_loaded(const struct plugin_file *file, const char *name, char *error)
{
	static const char *const advice[][2] = {
		{ "undefined symbol",
		  "define it, or link the library that does (-lNAME behind the objects that need it)" },
		{ "cannot open shared object file", "install the library that it needs" },
		{ "not found (required by", "build it on a system as old as this one" },
		{ "failed to map segment", "does a policy of this system forbid code in memory files?" },
		{ "static TLS", "build it without -ftls-model=initial-exec" },
	};
	const char *reason = dlerror();
	char text[PLUGIN_ERROR_MAX];

	name_file(reason == NULL ? "no reason is given" : reason, name, file->path, text);
	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++)
		if (strstr(text, advice[i][0]) != NULL)
			return refuse(error, -EINVAL, "cannot be loaded: %.850s: %s", text, advice[i][1]);
	return refuse(error, -EINVAL, "cannot be loaded: %.950s", text);
}

static int load(const char *name, uint32_t kind, struct plugin_file *file, char *error)
{
	char object[IMAGE_NAME_MAX], reason[PLUGIN_ERROR_MAX];
	int r;

	image_name(&file->image, object);
	file->library = dlopen(object, RTLD_NOW | RTLD_LOCAL);
	if (file->library == NULL)
		return not_loaded(file, object, error);
	file->plugin = dlsym(file->library, SYMBOL);
	if (file->plugin == NULL)
		return refuse(error, -EINVAL, "%.700s: not a tapstack plugin: it does not export " SYMBOL,
		              file->path);
	r = descriptor_check(file->plugin, name, kind, &file->ops, reason);
	return r == 0 ? 0 : refuse(error, r, "%.400s: %.600s", file->path, reason);
}

static int copy(const char *directory, const char *path, struct image *ret, char *error)
{
	int file, r = trust_open_file(path, &file, error);

	if (r == -ENOENT)
		return not_there(directory, path, error);
	if (r != 0)
		return r;
	r = image_copy(file, path, ret, error);
	close(file);
	return r;
}

int loader_open(const char *directory, const char *name, uint32_t kind, struct plugin_file *ret_file,
                char error[static PLUGIN_ERROR_MAX])
{
	struct plugin_file file = { .image = IMAGE_NONE };
	int r;

	if (!plugin_name_valid(name))
		return refuse(error, -EINVAL, "\"%.80s\" can't be the name of a plugin: up to 63 of a-z 0-9 - _",
		              name);
	if (asprintf(&file.path, "%s/%s" SUFFIX, directory, name) < 0)
		return refuse(error, -ENOMEM, "out of memory");
	r = copy(directory, file.path, &file.image, error);
	if (r == 0)
		r = load(name, kind, &file, error);
	if (r != 0) {
		loader_close(&file);
		return r;
	}
	*ret_file = file;
	return 0;
}

/* Code that was linked to stay (-z nodelete) is still there, under the name that the descriptor gives it. */
static bool still_there(const struct image *image)
{
	char name[IMAGE_NAME_MAX];
	void *library;

	image_name(image, name);
	library = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
	if (library == NULL)
		return false;
	dlclose(library);
	return true;
}

void loader_close(struct plugin_file *file)
{
	if (file->library != NULL) {
		dlclose(file->library);
		if (still_there(&file->image))
			file->image = IMAGE_NONE; /* the descriptor is its for ever */
		else
			image_close(&file->image);
	} else if (file->path != NULL) {
		image_close(&file->image);
	}
	free(file->path);
	*file = (struct plugin_file){ .image = IMAGE_NONE };
}

bool loader_changed(const struct plugin_file *file)
{
	struct image now = IMAGE_NONE;
	char error[PLUGIN_ERROR_MAX];
	bool changed = true;
	int fd;

	if (trust_open_file(file->path, &fd, error) != 0)
		return true;
	if (image_copy(fd, file->path, &now, error) == 0) {
		changed = !image_equal(&file->image, &now);
		image_close(&now);
	}
	close(fd);
	return changed;
}
