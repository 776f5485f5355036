/* Methods about plugins: what is loaded, what could be, and changes, which main makes. */
#include "control/context.h"
#include "plugin/registry.h"
#include "tapstack/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR(name) TAPSTACK_CONTROL_INTERFACE "." name

/* ---- Plugins ------------------------------------------------------------------------------------------------- */

static const char *kind_name(uint32_t kind)
{
	return kind == TAPSTACK_PLUGIN_LOGGING ? "logging" : "congestion";
}

static json_t *render_value(const struct tapstack_param_spec *spec, const struct tapstack_param_value *value)
{
	if (spec->type == TAPSTACK_PARAM_TEXT)
		return json_string(value->text ? value->text : "");
	if (spec->type == TAPSTACK_PARAM_SWITCH)
		return json_boolean(value->number > 0);
	return json_real(value->number);
}

static json_t *render_params(const struct registry_info *info)
{
	json_t *object = json_object();

	for (uint32_t i = 0; i < info->param_count; i++)
		json_object_set_new(object, info->spec[i].name, render_value(&info->spec[i], &info->value[i]));
	return object;
}

static json_t *render_outputs(const struct tapstack_output_spec *output, uint32_t count)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(array, json_pack("{s:s, s:s, s:s}", "name", output[i].name, "unit",
		                                       output[i].unit, "help", output[i].help));
	return array;
}

static json_t *render_plugin(const struct registry_info *info)
{
	json_t *object;

	object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:I, s:b}", "name", info->name, "kind",
	                   kind_name(info->kind), "plugin", info->plugin, "version", info->version, "licence",
	                   info->licence, "description", info->description, "path", info->path, "params",
	                   render_params(info), "outputs", render_outputs(info->output, info->output_count), "state",
	                   registry_state_name(info->state), "generation", (json_int_t)info->generation, "configured",
	                   info->configured);
	if (object && info->kind == TAPSTACK_PLUGIN_LOGGING) {
		json_object_set_new(object, "running", json_boolean(info->running));
		json_object_set_new(object, "events", json_integer((json_int_t)info->events));
		json_object_set_new(object, "missed", json_integer((json_int_t)info->missed));
		json_object_set_new(object, "errors", json_integer((json_int_t)info->errors));
		json_object_set_new(object, "queued", json_integer((json_int_t)info->queued));
		if (info->captures) {
			json_object_set_new(object, "packets", json_integer((json_int_t)info->packets));
			json_object_set_new(object, "packets_missed", json_integer((json_int_t)info->packets_missed));
			json_object_set_new(object, "packets_queued", json_integer((json_int_t)info->packets_queued));
		}
	} else if (object) {
		json_object_set_new(object, "id", json_integer(info->id));
		/* The built-in one is always there, and nobody counts who uses it. */
		json_object_set_new(object, "users", *info->path ? json_integer(info->users) : json_null());
	}
	return object;
}

void method_plugins(struct call *call)
{
	struct registry *registry = call_control(call)->options.registry;
	json_t *array = json_array();

	for (size_t i = 0; i < registry_count(registry); i++) {
		struct registry_info info;

		registry_get_info(registry, i, &info);
		json_array_append_new(array, render_plugin(&info));
	}
	call_reply(call, json_pack("{s:o}", "plugins", array));
}

/* ---- PluginFiles --------------------------------------------------------------------------------------------- */

static json_t *render_spec(const struct tapstack_param_spec *spec)
{
	json_t *object = json_pack("{s:s, s:s, s:s}", "name", spec->name, "unit", spec->unit, "help", spec->help);

	if (!object)
		return NULL;
	switch (spec->type) {
	case TAPSTACK_PARAM_TEXT:
		json_object_set_new(object, "type", json_string("text"));
		json_object_set_new(object, "default",
		                    spec->initial_text ? json_string(spec->initial_text) : json_null());
		break;
	case TAPSTACK_PARAM_SWITCH:
		json_object_set_new(object, "type", json_string("switch"));
		json_object_set_new(object, "default", json_boolean(spec->initial > 0));
		break;
	default:
		json_object_set_new(object, "type", json_string("number"));
		json_object_set_new(object, "default", json_real(spec->initial));
		json_object_set_new(object, "min", json_real(spec->min));
		json_object_set_new(object, "max", json_real(spec->max));
	}
	return object;
}

static void add_file(void *context, const struct registry_file *file)
{
	const struct tapstack_plugin *plugin = file->plugin;
	json_t *array = context, *params, *object;

	if (!plugin) {
		json_array_append_new(array, json_pack("{s:s, s:s}", "plugin", file->name, "error", file->error));
		return;
	}
	params = json_array();
	for (uint32_t i = 0; i < plugin->param_count; i++)
		json_array_append_new(params, render_spec(&plugin->params[i]));
	object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "plugin", file->name, "kind",
	                   kind_name(plugin->kind), "version", plugin->version, "licence", plugin->licence,
	                   "description", plugin->description, "params", params, "outputs",
	                   render_outputs(plugin->outputs, plugin->output_count));
	json_array_append_new(array, object);
}

void method_plugin_files(struct call *call)
{
	struct registry *registry = call_control(call)->options.registry;
	json_t *array = json_array();
	char error[1024];

	if (registry_available(registry, add_file, array, error, sizeof(error)) == 0) {
		call_reply(call, json_pack("{s:s, s:o}", "directory", registry_directory(registry), "files", array));
		return;
	}
	json_decref(array);
	call_fail(call, ERROR("PluginRefused"), json_pack("{s:[s]}", "errors", error));
}

/* ---- changes ------------------------------------------------------------------------------------------------- */

/* Values as a person would write them; the texts are the object's, or in `text`. */
static const char *value_text(const json_t *value, char text[static 40])
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return json_string_value(value);
	case JSON_TRUE:
		return "yes";
	case JSON_FALSE:
		return "no";
	case JSON_INTEGER:
		snprintf(text, 40, "%lld", (long long)json_integer_value(value));
		return text;
	case JSON_REAL:
		snprintf(text, 40, "%.17g", json_real_value(value));
		return text;
	default:
		return NULL;
	}
}

#define PARAMS_MAX 64u

struct params {
	struct registry_param param[PARAMS_MAX];
	char text[PARAMS_MAX][40];
	size_t count;
};

/* False, and the call has ended: they can't be parameters. */
static bool read_params(struct call *call, struct params *ret)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)call_parameter(call, "params"), name, value)
	{
		const char *text = ret->count < PARAMS_MAX ? value_text(value, ret->text[ret->count]) : NULL;

		if (!text) {
			call_fail_parameter(call, "params",
			                    ret->count < PARAMS_MAX
			                            ? "its values must be texts, numbers, true or false"
			                            : "has too many members");
			return false;
		}
		ret->param[ret->count++] = (struct registry_param){ .name = name, .value = text };
	}
	return true;
}

static void change(struct call *call, enum control_plugin_what what)
{
	const struct control_hooks *hooks = &call_control(call)->options.hooks;
	struct control_plugin_request request = {
		.what = what,
		.plugin = json_string_value(call_parameter(call, "plugin")),
		.instance = json_string_value(call_parameter(call, "instance")),
		.move = json_is_true(call_parameter(call, "move")),
	};
	struct params params = { .count = 0 };
	json_t *report = NULL;
	int r;

	if (!read_params(call, &params))
		return;
	request.param = params.param;
	request.param_count = params.count;
	if (!request.instance)
		request.instance = request.plugin;
	r = hooks->plugin(hooks->context, &request, &report);
	if (!report) {
		call_fail_memory(call);
	} else if (r < 0) {
		call_fail(call, ERROR("PluginRefused"),
		          json_pack("{s:O}", "errors", json_object_get(report, "errors")));
	} else {
		json_object_del(report, "errors");
		call_reply(call, json_incref(report));
	}
	json_decref(report);
}

void method_plugin_load(struct call *call)
{
	change(call, CONTROL_PLUGIN_LOAD);
}

void method_plugin_unload(struct call *call)
{
	change(call, CONTROL_PLUGIN_UNLOAD);
}

void method_plugin_reload(struct call *call)
{
	change(call, CONTROL_PLUGIN_RELOAD);
}

void method_plugin_tune(struct call *call)
{
	change(call, CONTROL_PLUGIN_TUNE);
}
