#include "plugin/registry.h"

#include "plugin/params.h"
#include "plugin/private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#define LOG_QUEUE_DEFAULT 16384u
#define OPEN_PATIENCE_DEFAULT DURATION_S(5)
#define DRAIN_PATIENCE_DEFAULT DURATION_S(10)

int registry_new(const struct registry_options *options, struct registry **ret)
{
	struct registry *registry = calloc(1, sizeof(*registry));

	if (registry == NULL)
		return -ENOMEM;
	pthread_mutex_init(&registry->names_lock, NULL);
	pthread_mutex_init(&registry->sinks_lock, NULL);
	registry->log_queue_events = options->log_queue_events == 0 ? LOG_QUEUE_DEFAULT : options->log_queue_events;
	registry->log = options->log;
	registry->read_quantity = options->read_quantity;
	registry->log_open_patience =
	        options->log_open_patience.ns == 0 ? OPEN_PATIENCE_DEFAULT : options->log_open_patience;
	registry->log_drain_patience =
	        options->log_drain_patience.ns == 0 ? DRAIN_PATIENCE_DEFAULT : options->log_drain_patience;
	registry->directory = strdup(options->directory);
	registry->state_directory = strdup(options->state_directory);
	registry->next_id = 1;
	if (registry->directory == NULL || registry->state_directory == NULL) {
		registry_free(registry);
		return -ENOMEM;
	}
	*ret = registry;
	return 0;
}

void registry_free(struct registry *registry)
{
	bool all = true;

	if (registry == NULL)
		return;
	registry_log_stop(registry, DURATION_S(0));
	for (size_t i = 0; i < registry->versions.count; i++)
		all &= version_free(registry->versions.item[i]);
	if (!all)
		return; /* a hanging thread may still read the registry, the names of algorithms among it */
	for (struct instance_name *name = registry->names, *next; name != NULL; name = next) {
		next = name->next;
		free(name);
	}
	free(registry->versions.item);
	free(registry->sinks.item);
	free(registry->name_of_id);
	free(registry->directory);
	free(registry->state_directory);
	free(registry->service);
	pthread_mutex_destroy(&registry->names_lock);
	pthread_mutex_destroy(&registry->sinks_lock);
	free(registry);
}

int registry_set_directory(struct registry *registry, const char *directory)
{
	char *copy = strdup(directory);

	if (copy == NULL)
		return -ENOMEM;
	free(registry->directory);
	registry->directory = copy;
	return 0;
}

const char *registry_directory(const struct registry *registry)
{
	return registry->directory;
}

/* ---- names --------------------------------------------------------------------------------------------------- */

char *registry_intern(struct registry *registry, const char *text)
{
	size_t size = strlen(text) + 1;
	struct instance_name *name;

	for (name = registry->names; name != NULL; name = name->next)
		if (strcmp(name->text, text) == 0)
			return name->text;
	name = malloc(sizeof(*name) + size);
	if (name == NULL)
		return NULL;
	memcpy(name->text, text, size);
	name->next = registry->names;
	registry->names = name;
	return name->text;
}

int registry_take_id(struct registry *registry, const char *name, uint16_t *ret_id)
{
	const char **grown = registry->name_of_id;
	int r = 0;

	if (registry->next_id > REGISTRY_IDS_MAX)
		return -ENOSPC;
	pthread_mutex_lock(&registry->names_lock);
	if (registry->next_id >= registry->name_room) {
		size_t room = registry->name_room == 0 ? 16 : 2 * registry->name_room;

		grown = realloc(registry->name_of_id, room * sizeof(*grown));
		if (grown != NULL) {
			registry->name_of_id = grown;
			registry->name_room = room;
		}
	}
	if (grown == NULL) {
		r = -ENOMEM;
	} else {
		grown[registry->next_id] = name;
		*ret_id = (uint16_t)registry->next_id++;
	}
	pthread_mutex_unlock(&registry->names_lock);
	return r;
}

void registry_return_ids(struct registry *registry, uint32_t first)
{
	pthread_mutex_lock(&registry->names_lock);
	registry->next_id = first;
	pthread_mutex_unlock(&registry->names_lock);
}

const char *registry_congestion_name(struct registry *registry, uint16_t id)
{
	const char *name = NULL;

	if (id == 0)
		return stack_builtin_reno()->name;
	pthread_mutex_lock(&registry->names_lock);
	if (id < registry->next_id)
		name = registry->name_of_id[id];
	pthread_mutex_unlock(&registry->names_lock);
	return name;
}

uint32_t registry_id_end(const struct registry *registry)
{
	return registry->next_id;
}

struct version *registry_find(const struct registry *registry, const char *name)
{
	for (size_t i = 0; i < registry->versions.count; i++) {
		struct version *version = registry->versions.item[i];

		if (version->state == REGISTRY_ACTIVE && strcmp(version->name, name) == 0)
			return version;
	}
	return NULL;
}

const struct stack_congestion *registry_congestion(const struct registry *registry, const char *name)
{
	const struct version *version = registry_find(registry, name);

	if (strcmp(stack_builtin_reno()->name, name) == 0)
		return stack_builtin_reno();
	return version == NULL || version_kind(version) != TAPSTACK_PLUGIN_CONGESTION ? NULL : &version->congestion;
}

/* ---- unloading ----------------------------------------------------------------------------------------------- */

void registry_hold(const struct stack_congestion *congestion)
{
	if (congestion->users != NULL)
		atomic_fetch_add(congestion->users, 1);
}

void registry_release(const struct stack_congestion *congestion)
{
	if (congestion->users != NULL)
		atomic_fetch_sub(congestion->users, 1);
}

/* Whoever used it has let go, and what it did then has happened before. */
static bool is_unused(struct version *version)
{
	if (version_kind(version) == TAPSTACK_PLUGIN_LOGGING)
		return version_log_ended(version);
	return atomic_load(&version->users) == 0;
}

static void unload(struct registry *registry, struct version *version)
{
	char text[200];

	snprintf(text, sizeof(text), "plugin %s, generation %u (%s %.40s): unloaded", version->name,
	         version->generation, version->file.plugin->name, version->file.plugin->version);
	version_free(version);
	if (registry->log != NULL)
		registry->log(LOG_INFO, text);
}

size_t registry_reap(struct registry *registry)
{
	struct version_list *list = &registry->versions;
	size_t kept = 0, draining = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct version *version = list->item[i];

		if (version->state != REGISTRY_ACTIVE && !version->hung && is_unused(version)) {
			unload(registry, version);
			continue;
		}
		draining += version->state != REGISTRY_ACTIVE && !version->hung;
		list->item[kept++] = version;
	}
	list->count = kept;
	return draining;
}

/* ---- listing ------------------------------------------------------------------------------------------------- */

const char *registry_state_name(unsigned state)
{
	static const char *const names[REGISTRY_STATE_COUNT] = {
		[REGISTRY_ACTIVE] = "active",
		[REGISTRY_DRAINING] = "draining",
		[REGISTRY_HANGING] = "hanging",
	};

	return state < REGISTRY_STATE_COUNT ? names[state] : "?";
}

size_t registry_count(const struct registry *registry)
{
	return 1 + registry->versions.count;
}

static void plugin_info(const struct version *version, struct registry_info *info)
{
	const struct tapstack_plugin *plugin = version->file.plugin;

	*info = (struct registry_info){
		.name = version->name,
		.plugin = plugin->name,
		.path = version->file.path,
		.kind = plugin->kind,
		.version = plugin->version,
		.licence = plugin->licence,
		.description = plugin->description,
		.spec = plugin->params,
		.value = version->params.value,
		.param_count = plugin->param_count,
		.output = plugin->outputs,
		.output_count = plugin->output_count,
		.state = version->state,
		.generation = version->generation,
		.configured = version->configured,
		.id = version->congestion.id,
		.users = atomic_load(&((struct version *)version)->users),
	};
}

void registry_get_info(struct registry *registry, size_t index, struct registry_info *ret_info)
{
	struct logger_counts counts;
	struct version *version;

	if (index == 0) {
		*ret_info = (struct registry_info){ .name = stack_builtin_reno()->name,
			                            .plugin = "",
			                            .path = "",
			                            .kind = TAPSTACK_PLUGIN_CONGESTION,
			                            .version = "",
			                            .licence = "",
			                            .description = "built in; RFC 5681 and RFC 6582",
			                            .configured = true,
			                            .running = true };
		return;
	}
	version = registry->versions.item[index - 1];
	plugin_info(version, ret_info);
	ret_info->running = true;
	if (ret_info->kind != TAPSTACK_PLUGIN_LOGGING)
		return;
	counts = version->counts;
	if (version->logger != NULL)
		logger_counts(version->logger, &counts);
	ret_info->events = counts.events;
	ret_info->missed = counts.missed;
	ret_info->captures = version->captures;
	ret_info->packets = counts.packets;
	ret_info->packets_missed = counts.packets_missed;
	ret_info->packets_queued = counts.packets_queued;
	ret_info->errors = counts.errors;
	ret_info->queued = counts.queued;
	ret_info->running = version->logger != NULL;
}

struct look {
	struct registry *registry;
	void (*found)(void *context, const struct registry_file *file);
	void *context;
};

static void look_into(void *context, const char *name)
{
	const struct look *look = context;
	struct plugin_file file = { .image = IMAGE_NONE };
	char error[PLUGIN_ERROR_MAX];

	if (loader_open(look->registry->directory, name, 0, &file, error) == 0)
		look->found(look->context, &(struct registry_file){ .name = name, .plugin = file.plugin });
	else
		look->found(look->context, &(struct registry_file){ .name = name, .error = error });
	loader_close(&file);
}

int registry_available(struct registry *registry, void (*found)(void *context, const struct registry_file *file),
                       void *context, char *error, size_t error_size)
{
	struct look look = { registry, found, context };
	char reason[PLUGIN_ERROR_MAX];
	int r = loader_list(registry->directory, look_into, &look, reason);

	if (r != 0)
		snprintf(error, error_size, "%s", reason);
	return r;
}
