#include "plugin/loader.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYMBOL "tapstack_plugin"

/* The first version of each struct of this ABI ends here: less can't be a plugin. */
#define PLUGIN_SIZE_MIN (offsetof(struct tapstack_plugin, ops) + sizeof(void *))
#define CONGESTION_SIZE_MIN (offsetof(struct tapstack_cc_ops, on_event) + sizeof(void (*)(void)))
#define LOGGING_SIZE_MIN (offsetof(struct tapstack_log_ops, close) + sizeof(void (*)(void)))

static int refuse(char *error, int r, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int refuse(char *error, int r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, LOADER_ERROR_MAX, format, args);
	va_end(args);
	return r;
}

/* ---- who may have written it --------------------------------------------------------------------------------- */

/* Code of a plugin runs with the daemon's rights, so nobody else may be able to replace it. */
static int check_owner(int fd, const char *path, char *error)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return refuse(error, -errno, "%s: %s", path, strerror(errno));
	if (status.st_uid != 0 && status.st_uid != geteuid())
		return refuse(error, -EPERM, "%s belongs to user %u: must be root's or the daemon's own", path,
		              (unsigned)status.st_uid);
	if ((status.st_mode & S_IWOTH) != 0)
		return refuse(error, -EPERM, "%s can be written by everybody (mode %04o)", path,
		              status.st_mode & 07777u);
	if ((status.st_mode & S_IWGRP) != 0 && status.st_gid != 0 && status.st_gid != getegid())
		return refuse(error, -EPERM, "%s can be written by group %u (mode %04o)", path,
		              (unsigned)status.st_gid, status.st_mode & 07777u);
	return 0;
}

static int check_file(const char *directory, const char *name, const char *path, char *error)
{
	int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), file = -1, r;
	char base[300];

	if (folder < 0)
		return refuse(error, -errno, "plugins.directory %s: %s", directory, strerror(errno));
	r = check_owner(folder, directory, error);
	if (r != 0)
		goto out;
	snprintf(base, sizeof(base), "%s.so", name);
	file = openat(folder, base, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file < 0) {
		r = refuse(error, -errno, "%s: %s", path, strerror(errno));
		goto out;
	}
	r = check_owner(file, path, error);
out:
	if (file >= 0)
		close(file);
	close(folder);
	return r;
}

/* ---- what it says about itself ------------------------------------------------------------------------------- */

static bool is_word(const char *text, const char *characters)
{
	return text != NULL && text[0] != '\0' && strlen(text) < 64 && text[strspn(text, characters)] == '\0';
}

static int check_param(const struct tapstack_param_spec *param, char *error)
{
	if (!is_word(param->name, "abcdefghijklmnopqrstuvwxyz0123456789_"))
		return refuse(error, -EINVAL, "a parameter has no proper name (a-z 0-9 _)");
	if (param->unit == NULL || param->help == NULL)
		return refuse(error, -EINVAL, "parameter %s has no unit or help text", param->name);
	if (param->type == TAPSTACK_PARAM_TEXT)
		return 0;
	if (param->type != TAPSTACK_PARAM_NUMBER)
		return refuse(error, -EINVAL, "parameter %s has an unknown type (%u)", param->name, param->type);
	if (!isfinite(param->min) || !isfinite(param->max) || !(param->min <= param->initial) ||
	    !(param->initial <= param->max))
		return refuse(error, -EINVAL, "parameter %s: its default %g is not between %g and %g", param->name,
		              param->initial, param->min, param->max);
	return 0;
}

static int check_tables(const struct tapstack_plugin *plugin, char *error)
{
	if (plugin->param_count > LOADER_PARAMS_MAX || plugin->output_count > LOADER_PARAMS_MAX)
		return refuse(error, -EINVAL, "more than %u parameters or outputs", LOADER_PARAMS_MAX);
	if ((plugin->param_count > 0 && plugin->params == NULL) ||
	    (plugin->output_count > 0 && plugin->outputs == NULL))
		return refuse(error, -EINVAL, "a table is missing");
	for (uint32_t i = 0; i < plugin->param_count; i++) {
		int r = check_param(&plugin->params[i], error);

		if (r != 0)
			return r;
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(plugin->params[i].name, plugin->params[j].name) == 0)
				return refuse(error, -EINVAL, "two parameters are named %s", plugin->params[i].name);
	}
	for (uint32_t i = 0; i < plugin->output_count; i++)
		if (plugin->outputs[i].name == NULL || plugin->outputs[i].unit == NULL ||
		    plugin->outputs[i].help == NULL)
			return refuse(error, -EINVAL, "output %u has no name, unit or help text", i);
	return 0;
}

static size_t lesser(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int check_congestion(const struct tapstack_plugin *plugin, struct plugin_file *file, char *error)
{
	const struct tapstack_cc_ops *given = plugin->ops;
	struct tapstack_cc_ops *ops = &file->congestion;

	if (given->struct_size < CONGESTION_SIZE_MIN)
		return refuse(error, -EINVAL,
		              "its operations are incomplete: struct_size is %u, at least %zu is needed",
		              given->struct_size, CONGESTION_SIZE_MIN);
	memcpy(ops, given, lesser(given->struct_size, sizeof(*ops)));
	if (ops->init == NULL || ops->on_ack == NULL || ops->on_event == NULL)
		return refuse(error, -EINVAL, "a required operation is missing: %s",
		              ops->init == NULL     ? "init"
		              : ops->on_ack == NULL ? "on_ack"
		                                    : "on_event");
	if (ops->state_size > TAPSTACK_CC_STATE_MAX)
		return refuse(error, -EINVAL, "its state of %zu bytes is larger than %u", ops->state_size,
		              TAPSTACK_CC_STATE_MAX);
	if (plugin->output_count > 0 && ops->outputs == NULL)
		return refuse(error, -EINVAL, "it names outputs but has no operation for them");
	if ((ops->export_state == NULL) != (ops->import_state == NULL))
		return refuse(error, -EINVAL, "export_state and import_state come together or not at all");
	return 0;
}

static int check_logging(const struct tapstack_plugin *plugin, struct plugin_file *file, char *error)
{
	const struct tapstack_log_ops *given = plugin->ops;
	struct tapstack_log_ops *ops = &file->logging;

	if (given->struct_size < LOGGING_SIZE_MIN)
		return refuse(error, -EINVAL,
		              "its operations are incomplete: struct_size is %u, at least %zu is needed",
		              given->struct_size, LOGGING_SIZE_MIN);
	memcpy(ops, given, lesser(given->struct_size, sizeof(*ops)));
	if (ops->open == NULL || ops->events == NULL || ops->close == NULL)
		return refuse(error, -EINVAL, "a required operation is missing: %s",
		              ops->open == NULL     ? "open"
		              : ops->events == NULL ? "events"
		                                    : "close");
	return 0;
}

static const char *kind_name(uint32_t kind)
{
	return kind == TAPSTACK_PLUGIN_CONGESTION ? "congestion"
	       : kind == TAPSTACK_PLUGIN_LOGGING  ? "logging"
	                                          : "unknown";
}

int loader_check(const struct tapstack_plugin *plugin, const char *name, uint32_t kind, struct plugin_file *ret_file,
                 char error[static LOADER_ERROR_MAX])
{
	int r;

	if (plugin->magic != TAPSTACK_PLUGIN_MAGIC)
		return refuse(error, -EINVAL, "not a tapstack plugin: wrong magic");
	if (plugin->abi != TAPSTACK_PLUGIN_ABI)
		return refuse(error, -EINVAL, "made for plugin ABI %u, this tapstackd has %u: %s", plugin->abi,
		              TAPSTACK_PLUGIN_ABI,
		              plugin->abi > TAPSTACK_PLUGIN_ABI ? "it needs a newer tapstackd"
		                                                : "build it again with today's headers");
	if (plugin->struct_size < PLUGIN_SIZE_MIN)
		return refuse(error, -EINVAL,
		              "its descriptor is incomplete: struct_size is %u, at least %zu is needed",
		              plugin->struct_size, PLUGIN_SIZE_MIN);
	if (plugin->kind != kind)
		return refuse(error, -EINVAL, "a plugin of kind %s, not %s", kind_name(plugin->kind),
		              kind_name(kind));
	if (!is_word(plugin->name, "abcdefghijklmnopqrstuvwxyz0123456789-"))
		return refuse(error, -EINVAL, "it has no proper name (a-z 0-9 -)");
	if (strcmp(plugin->name, name) != 0)
		return refuse(error, -EINVAL, "it calls itself %s: its file must have that name", plugin->name);
	if (plugin->version == NULL || plugin->licence == NULL || plugin->description == NULL)
		return refuse(error, -EINVAL, "version, licence or description is missing");
	if (plugin->ops == NULL)
		return refuse(error, -EINVAL, "it has no operations");
	r = check_tables(plugin, error);
	if (r != 0)
		return r;
	return kind == TAPSTACK_PLUGIN_CONGESTION ? check_congestion(plugin, ret_file, error)
	                                          : check_logging(plugin, ret_file, error);
}

static int load(const char *name, uint32_t kind, struct plugin_file *file, char *error)
{
	char reason[LOADER_ERROR_MAX];
	int r;

	file->library = dlopen(file->path, RTLD_NOW | RTLD_LOCAL);
	if (file->library == NULL)
		return refuse(error, -EINVAL, "cannot be loaded: %s", dlerror());
	file->plugin = dlsym(file->library, SYMBOL);
	if (file->plugin == NULL)
		return refuse(error, -EINVAL, "%s: not a tapstack plugin: it does not export " SYMBOL, file->path);
	r = loader_check(file->plugin, name, kind, file, reason);
	return r == 0 ? 0 : refuse(error, r, "%s: %.900s", file->path, reason);
}

int loader_open(const char *directory, const char *name, uint32_t kind, struct plugin_file *ret_file,
                char error[static LOADER_ERROR_MAX])
{
	struct plugin_file file = { 0 };
	int r;

	if (asprintf(&file.path, "%s/%s.so", directory, name) < 0)
		return refuse(error, -ENOMEM, "out of memory");
	r = check_file(directory, name, file.path, error);
	if (r == 0)
		r = load(name, kind, &file, error);
	if (r != 0) {
		loader_close(&file);
		return r;
	}
	*ret_file = file;
	return 0;
}

void loader_close(struct plugin_file *file)
{
	if (file->library != NULL)
		dlclose(file->library);
	free(file->path);
	*file = (struct plugin_file){ 0 };
}
