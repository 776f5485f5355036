/* Methods that main's thread can answer by itself. */
#include "config/config.h"
#include "control/context.h"
#include "shard/render.h"
#include "tapstack/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ERROR(name) TAPSTACK_CONTROL_INTERFACE "." name

static const struct config *current_config(const struct call *call)
{
	const struct control_hooks *hooks = &call_control(call)->options.hooks;

	return hooks->config(hooks->context);
}

/* ---- Services ------------------------------------------------------------------------------------------------ */

static json_t *render_service(const struct config *config, const struct config_service *service)
{
	bool relayed = service->kind == CONFIG_SERVICE_RELAY || service->kind == CONFIG_SERVICE_HTTP;
	char address[RENDER_ADDRESS_MAX];
	json_t *object;

	object = json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:b}", "name", service->name, "kind",
	                   config_service_kind_name(service->kind), "address",
	                   render_address(&service->address, address), "port", (json_int_t)service->port, "backlog",
	                   (json_int_t)service->backlog, "congestion",
	                   *service->congestion ? service->congestion : config->congestion.standard, "nodelay",
	                   service->nodelay);
	if (object && relayed)
		json_object_set_new(object, "idle_timeout", json_real((double)service->idle_timeout.ns / 1000000.0));
	if (object && service->kind == CONFIG_SERVICE_RELAY) {
		json_object_set_new(object, "target", json_string(service->target));
		json_object_set_new(object, "connect_timeout",
		                    json_real((double)service->connect_timeout.ns / 1000000.0));
		json_object_set_new(object, "proxy_protocol",
		                    json_string(service->proxy_protocol == CONFIG_PROXY_V2 ? "v2" : "none"));
	}
	return object;
}

void method_services(struct call *call)
{
	const struct config *config = current_config(call);
	json_t *array = json_array();

	for (size_t i = 0; i < config->services.count; i++)
		json_array_append_new(array, render_service(config, &config->services.item[i]));
	call_reply(call, json_pack("{s:o}", "services", array));
}

/* ---- Config -------------------------------------------------------------------------------------------------- */

static bool key_wanted(const char *path, const char *wanted)
{
	size_t length = wanted ? strlen(wanted) : 0;

	return !wanted || (strncmp(path, wanted, length) == 0 && (path[length] == '\0' || path[length] == '.'));
}

static json_t *render_key(const struct config *config, const struct config_key *key)
{
	json_t *object;
	char *text;

	if (config_get(config, key, &text) < 0)
		return NULL;
	object = json_pack("{s:s, s:s, s:s?, s:s, s:b, s:s}", "key", key->path, "value", text, "default",
	                   key->initial, "unit", key->unit ? key->unit : "", "live", key->live, "help", key->help);
	free(text);
	return object;
}

void method_config(struct call *call)
{
	const struct config *config = current_config(call);
	const char *wanted = json_string_value(call_parameter(call, "key"));
	json_t *array = json_array();
	const struct config_key *keys;
	size_t count;

	keys = config_keys(&count);
	for (size_t i = 0; i < count; i++)
		if (key_wanted(keys[i].path, wanted))
			json_array_append_new(array, render_key(config, &keys[i]));
	if (wanted && json_array_size(array) == 0) {
		json_decref(array);
		call_fail_parameter(call, "key", "there is no such key");
		return;
	}
	call_reply(call, json_pack("{s:o}", "config", array));
}

/* ---- Impair -------------------------------------------------------------------------------------------------- */

void method_impair(struct call *call)
{
	const struct control_hooks *hooks = &call_control(call)->options.hooks;
	json_t *rules = hooks->impair(hooks->context);

	if (rules)
		call_reply(call, json_pack("{s:o}", "rules", rules));
	else
		call_fail_memory(call);
}

static void change_impair(struct call *call, enum control_impair_what what)
{
	const struct control_hooks *hooks = &call_control(call)->options.hooks;
	struct control_impair_change change = {
		.what = what,
		.name = json_string_value(call_parameter(call, "name")),
		.before = json_string_value(call_parameter(call, "before")),
		.options = call_parameter(call, "options"),
	};
	json_t *errors = json_array();

	if (hooks->impair_change(hooks->context, &change, errors) < 0) {
		call_fail(call, ERROR("InvalidConfiguration"), json_pack("{s:o}", "errors", errors));
		return;
	}
	json_decref(errors);
	call_reply(call, NULL);
}

void method_impair_add(struct call *call)
{
	change_impair(call, CONTROL_IMPAIR_ADD);
}

void method_impair_set(struct call *call)
{
	change_impair(call, CONTROL_IMPAIR_SET);
}

void method_impair_remove(struct call *call)
{
	change_impair(call, CONTROL_IMPAIR_REMOVE);
}

void method_impair_clear(struct call *call)
{
	change_impair(call, CONTROL_IMPAIR_CLEAR);
}

/* ---- Reload, Stop -------------------------------------------------------------------------------------------- */

static json_t *list_of(const json_t *report, const char *name)
{
	json_t *list = json_object_get(report, name);

	return json_is_array(list) ? json_incref(list) : json_array();
}

void method_reload(struct call *call)
{
	const struct control_hooks *hooks = &call_control(call)->options.hooks;
	json_t *report = NULL;
	int r = hooks->reload(hooks->context, &report);

	if (r < 0)
		call_fail(call, ERROR("InvalidConfiguration"),
		          json_pack("{s:o}", "errors", list_of(report, "errors")));
	else
		call_reply(call, json_pack("{s:o, s:o}", "changed", list_of(report, "changed"), "needs_restart",
		                           list_of(report, "needs_restart")));
	json_decref(report);
}

void method_stop(struct call *call)
{
	const struct control_hooks *hooks = &call_control(call)->options.hooks;

	hooks->stop(hooks->context);
	call_reply(call, NULL);
}
