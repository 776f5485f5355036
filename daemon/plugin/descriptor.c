#include "plugin/descriptor.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* The first version of each struct of this ABI ends here: less can't be a plugin. */
#define PLUGIN_SIZE_MIN (offsetof(struct tapstack_plugin, ops) + sizeof(void *))
#define CONGESTION_SIZE_MIN (offsetof(struct tapstack_cc_ops, on_event) + sizeof(void (*)(void)))
#define LOGGING_SIZE_MIN (offsetof(struct tapstack_log_ops, close) + sizeof(void (*)(void)))

/* Both ends of a size: less than the first release had can't be a plugin; more than this release has would be things
 * that nobody here knows the meaning of, and the plugin may rely on. */
static int check_size(const char *what, uint32_t size, size_t least, size_t most, char *error)
{
	if (size < least)
		return refuse(error, -EINVAL, "%s incomplete: struct_size is %u, at least %zu is needed", what, size,
		              least);
	if (size > most)
		return refuse(
		        error, -EINVAL,
		        "built with headers of a newer tapstack: %s %u bytes long, and tapstackd " PACKAGE_VERSION
		        " knows %zu: install a newer tapstack, or build the plugin with this one's headers",
		        what, size, most);
	return 0;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyz0123456789"

static bool is_word(const char *text, const char *characters)
{
	return text != NULL && text[0] != '\0' && strlen(text) < 64 && text[strspn(text, characters)] == '\0';
}

static int check_param(const struct tapstack_param_spec *param, char *error)
{
	if (!is_word(param->name, LETTERS "_"))
		return refuse(error, -EINVAL, "a parameter has no proper name (a-z 0-9 _)");
	if (param->unit == NULL || param->help == NULL)
		return refuse(error, -EINVAL, "parameter %s has no unit or help text", param->name);
	if (param->type == TAPSTACK_PARAM_TEXT)
		return 0;
	if (param->type == TAPSTACK_PARAM_SWITCH) {
		if ((param->initial == 0 || param->initial == 1) && param->min == 0 && param->max == 1)
			return 0;
		return refuse(error, -EINVAL, "parameter %s: a switch has min 0, max 1, and 0 or 1 as its default",
		              param->name);
	}
	if (param->type != TAPSTACK_PARAM_NUMBER)
		return refuse(error, -EINVAL, "parameter %s has an unknown type (%u)", param->name, param->type);
	if (!isfinite(param->min) || !isfinite(param->max) || !(param->min <= param->initial) ||
	    !(param->initial <= param->max))
		return refuse(error, -EINVAL, "parameter %s: its default %g is not between %g and %g", param->name,
		              param->initial, param->min, param->max);
	return 0;
}

static int check_output(const struct tapstack_output_spec *outputs, uint32_t index, char *error)
{
	const struct tapstack_output_spec *output = &outputs[index];

	if (output->name == NULL || output->unit == NULL || output->help == NULL)
		return refuse(error, -EINVAL, "output %u has no name, unit or help text", index);
	for (uint32_t i = 0; i < index; i++)
		if (strcmp(outputs[i].name, output->name) == 0)
			return refuse(error, -EINVAL, "two outputs are named %.60s", output->name);
	return 0;
}

static int check_tables(const struct tapstack_plugin *plugin, char *error)
{
	if (plugin->param_count > DESCRIPTOR_TABLE_MAX || plugin->output_count > DESCRIPTOR_TABLE_MAX)
		return refuse(error, -EINVAL, "more than %u parameters or outputs", DESCRIPTOR_TABLE_MAX);
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
	for (uint32_t i = 0; i < plugin->output_count; i++) {
		int r = check_output(plugin->outputs, i, error);

		if (r != 0)
			return r;
	}
	return 0;
}

static size_t lesser(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int check_congestion(const struct tapstack_plugin *plugin, struct plugin_operations *ret, char *error)
{
	const struct tapstack_cc_ops *given = plugin->ops;
	struct tapstack_cc_ops *ops = &ret->congestion;
	int r = check_size("its operations are", given->struct_size, CONGESTION_SIZE_MIN, sizeof(*ops), error);

	if (r != 0)
		return r;
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

static int check_logging(const struct tapstack_plugin *plugin, struct plugin_operations *ret, char *error)
{
	const struct tapstack_log_ops *given = plugin->ops;
	struct tapstack_log_ops *ops = &ret->logging;
	int r = check_size("its operations are", given->struct_size, LOGGING_SIZE_MIN, sizeof(*ops), error);

	if (r != 0)
		return r;
	memcpy(ops, given, lesser(given->struct_size, sizeof(*ops)));
	if (ops->open == NULL || ops->events == NULL || ops->close == NULL)
		return refuse(error, -EINVAL, "a required operation is missing: %s",
		              ops->open == NULL     ? "open"
		              : ops->events == NULL ? "events"
		                                    : "close");
	return 0;
}

bool plugin_name_valid(const char *name)
{
	return is_word(name, LETTERS "-_");
}

const char *plugin_kind_name(uint32_t kind)
{
	return kind == TAPSTACK_PLUGIN_CONGESTION ? "congestion"
	       : kind == TAPSTACK_PLUGIN_LOGGING  ? "logging"
	                                          : "unknown";
}

int descriptor_check(const struct tapstack_plugin *plugin, const char *name, uint32_t kind,
                     struct plugin_operations *ret, char error[static PLUGIN_ERROR_MAX])
{
	int r;

	if (plugin->magic != TAPSTACK_PLUGIN_MAGIC)
		return refuse(error, -EINVAL, "not a tapstack plugin: wrong magic");
	if (plugin->abi != TAPSTACK_PLUGIN_ABI)
		return refuse(error, -EINVAL, "made for plugin ABI %u, this tapstackd has %u: %s", plugin->abi,
		              TAPSTACK_PLUGIN_ABI,
		              plugin->abi > TAPSTACK_PLUGIN_ABI ? "it needs a newer tapstackd"
		                                                : "build it again with today's headers");
	r = check_size("its descriptor is", plugin->struct_size, PLUGIN_SIZE_MIN, sizeof(*plugin), error);
	if (r != 0)
		return r;
	if (plugin->kind != TAPSTACK_PLUGIN_CONGESTION && plugin->kind != TAPSTACK_PLUGIN_LOGGING)
		return refuse(error, -EINVAL, "a plugin of a kind that this tapstackd does not know (%u)",
		              plugin->kind);
	if (kind != 0 && plugin->kind != kind)
		return refuse(error, -EINVAL, "a plugin of kind %s, not %s: it belongs into plugins.%s",
		              plugin_kind_name(plugin->kind), plugin_kind_name(kind), plugin_kind_name(plugin->kind));
	if (!is_word(plugin->name, LETTERS "-"))
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
	return plugin->kind == TAPSTACK_PLUGIN_CONGESTION ? check_congestion(plugin, ret, error)
	                                                  : check_logging(plugin, ret, error);
}
