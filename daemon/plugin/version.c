/* One version of an instance: made from a request, compared with one, freed. */
#include "plugin/params.h"
#include "plugin/private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void registry_complain(const struct registry_report *report, const char *where, const char *format, ...)
{
	char message[PLUGIN_ERROR_MAX + 200];
	va_list args;

	if (report == NULL)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	report->error(report->context, where != NULL && where[0] != '\0' ? where : NULL, message);
}

uint32_t version_kind(const struct version *version)
{
	return version->file.plugin->kind;
}

/* ---- making -------------------------------------------------------------------------------------------------- */

static int copy_params(struct version *version, const struct registry_request *request)
{
	size_t size = (request->param_count + 1) * sizeof(*version->param);
	char *text;

	for (size_t i = 0; i < request->param_count; i++)
		size += strlen(request->param[i].name) + strlen(request->param[i].value) + 2;
	version->param = calloc(1, size);
	if (version->param == NULL)
		return -ENOMEM;
	text = (char *)(version->param + request->param_count + 1);
	for (size_t i = 0; i < request->param_count; i++) {
		version->param[i].name = text;
		text = stpcpy(text, request->param[i].name) + 1;
		version->param[i].value = text;
		text = stpcpy(text, request->param[i].value) + 1;
	}
	version->param_count = request->param_count;
	return 0;
}

static int copy_request(struct registry *registry, const struct registry_request *request, struct version *version)
{
	version->plugin = strdup(request->plugin);
	version->name = registry_intern(registry, request->name);
	version->where = strdup(request->where == NULL ? "" : request->where);
	if (version->plugin == NULL || version->name == NULL || version->where == NULL)
		return -ENOMEM;
	version->captures = request->capture != NULL;
	if (version->captures)
		version->capture = *request->capture;
	return copy_params(version, request);
}

/* The stack's view of it. */
static int offer(struct registry *registry, const struct registry_report *report, struct version *version)
{
	uint16_t id;
	int r = registry_take_id(registry, version->name, &id);

	if (r == -ENOSPC)
		registry_complain(report, version->where,
		                  "%s: %u algorithms have been loaded since the daemon was started, and there are no "
		                  "more ids: restart it",
		                  version->name, REGISTRY_IDS_MAX);
	if (r != 0)
		return r == -ENOMEM ? r : -EINVAL;
	version->congestion = (struct stack_congestion){ .name = version->name,
		                                         .id = id,
		                                         .ops = &version->file.ops.congestion,
		                                         .params = version->params,
		                                         .users = &version->users,
		                                         .output_count = version->file.plugin->output_count };
	return 0;
}

static int load(struct registry *registry, uint32_t kind, const struct registry_request *request,
                const struct registry_report *report, struct version *version)
{
	char error[PLUGIN_ERROR_MAX];
	int r = copy_request(registry, request, version);

	if (r != 0)
		return r;
	r = loader_open(registry->directory, request->plugin, kind, &version->file, error);
	if (r != 0) {
		registry_complain(report, request->where, "%s", error);
		return r == -ENOMEM ? r : -EINVAL;
	}
	if (version->captures &&
	    (version_kind(version) != TAPSTACK_PLUGIN_LOGGING || version->file.ops.logging.packets == NULL)) {
		registry_complain(report, request->where, "%s does not take packets: leave out its capture",
		                  request->plugin);
		return -EINVAL;
	}
	r = params_read(version->file.plugin, request, registry->read_quantity, report, &version->params);
	if (r != 0)
		return r;
	return version_kind(version) == TAPSTACK_PLUGIN_CONGESTION ? offer(registry, report, version) : 0;
}

int version_load(struct registry *registry, uint32_t kind, const struct registry_request *request,
                 const struct registry_report *report, struct version **ret)
{
	struct version *version = calloc(1, sizeof(*version));
	int r = version == NULL ? -ENOMEM : load(registry, kind, request, report, version);

	if (r == 0 && version_kind(version) == TAPSTACK_PLUGIN_LOGGING)
		r = version_open_log(registry, version, report);
	if (r == 0) {
		*ret = version;
		return 0;
	}
	if (version == NULL)
		return r;
	/* One whose plugin does not come back from opening is seen to by registry_reap. */
	if (version->logger == NULL)
		version_free(version);
	else if (versions_reserve(&registry->versions, 1) == 0)
		versions_add(&registry->versions, version);
	return r;
}

bool version_free(struct version *version)
{
	if (version->hung)
		return false;
	params_free(&version->params);
	loader_close(&version->file);
	free(version->plugin);
	free(version->where);
	free(version->param);
	free(version);
	return true;
}

/* ---- comparing ----------------------------------------------------------------------------------------------- */

static bool same_value(const struct tapstack_param_spec *spec, const struct tapstack_param_value *a,
                       const struct tapstack_param_value *b)
{
	if (spec->type == TAPSTACK_PARAM_TEXT)
		return strcmp(a->text, b->text) == 0;
	return a->number >= b->number && a->number <= b->number;
}

static bool same_values(const struct registry *registry, const struct version *version,
                        const struct registry_request *request)
{
	const struct tapstack_plugin *plugin = version->file.plugin;
	struct tapstack_params params;
	bool same = true;

	if (params_read(plugin, request, registry->read_quantity, NULL, &params) != 0)
		return false;
	for (uint32_t i = 0; i < plugin->param_count && same; i++)
		same = same_value(&plugin->params[i], &version->params.value[i], &params.value[i]);
	params_free(&params);
	return same;
}

static bool same_capture(const struct version *version, const struct capture_options *capture)
{
	if (!version->captures || capture == NULL)
		return version->captures == (capture != NULL);
	return memcmp(&version->capture.filter, &capture->filter, sizeof(capture->filter)) == 0 &&
	       version->capture.bytes == capture->bytes && version->capture.queue_bytes == capture->queue_bytes;
}

bool version_fits(const struct registry *registry, const struct version *version, uint32_t kind,
                  const struct registry_request *request)
{
	size_t directory = strlen(registry->directory);

	return version_kind(version) == kind && strcmp(version->plugin, request->plugin) == 0 &&
	       strncmp(version->file.path, registry->directory, directory) == 0 &&
	       version->file.path[directory] == '/' && same_values(registry, version, request) &&
	       same_capture(version, request->capture) && !loader_changed(&version->file);
}

/* ---- lists of them ------------------------------------------------------------------------------------------- */

int versions_reserve(struct version_list *list, size_t more)
{
	size_t room = list->count + more;
	struct version **grown;

	if (room <= list->room)
		return 0;
	grown = realloc(list->item, room * sizeof(struct version *));
	if (grown == NULL)
		return -ENOMEM;
	list->item = grown;
	list->room = room;
	return 0;
}

void versions_add(struct version_list *list, struct version *version)
{
	list->item[list->count++] = version;
}
