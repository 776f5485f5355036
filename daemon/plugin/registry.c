#include "plugin/registry.h"

#include "plugin/loader.h"
#include "plugin/logger.h"
#include "plugin/params.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOG_QUEUE_DEFAULT 16384u

/* One request that was met. */
struct entry {
	char *name, *where;
	struct plugin_file file;
	struct tapstack_params params;
	struct stack_congestion congestion;
	struct logger *logger;       /* NULL: not started, or over */
	struct logger_counts counts; /* of a logger that is over */
	bool hung;                   /* its thread never came back: leave everything of it alone */
};

struct registry {
	struct entry *congestion, *logging;
	size_t congestion_count, logging_count;
	uint32_t log_queue_events;
	char *state_directory;
	void (*log)(int priority, const char *text);
	void (*error)(void *context, const char *where, const char *message);
	void *error_context;
	pthread_mutex_t names_lock;
	char (*service)[LOGGER_SERVICE_MAX]; /* under names_lock */
	size_t service_count;
};

/* ---- loading ------------------------------------------------------------------------------------------------- */

static void report(void *context, const char *where, const char *message)
{
	struct registry *registry = context;

	if (registry->error != NULL)
		registry->error(registry->error_context, where, message);
}

static int load_entry(struct registry *registry, const struct registry_options *options,
                      const struct registry_request *request, uint32_t kind, struct entry *entry)
{
	char error[LOADER_ERROR_MAX];
	int r;

	entry->name = strdup(request->name);
	entry->where = strdup(request->where == NULL ? "" : request->where);
	if (entry->name == NULL || entry->where == NULL)
		return -ENOMEM;
	r = loader_open(options->directory, request->plugin, kind, &entry->file, error);
	if (r != 0) {
		report(registry, request->where, error);
		return r == -ENOMEM ? r : -EINVAL;
	}
	return params_read(entry->file.plugin, request, report, registry, &entry->params);
}

static bool name_taken(uint32_t kind, const struct entry *entries, size_t count, const char *name)
{
	if (kind == TAPSTACK_PLUGIN_CONGESTION && strcmp(stack_builtin_reno()->name, name) == 0)
		return true;
	for (size_t i = 0; i < count; i++)
		if (entries[i].name != NULL && strcmp(entries[i].name, name) == 0)
			return true;
	return false;
}

static int load_entries(struct registry *registry, const struct registry_options *options,
                        const struct registry_request *requests, size_t count, uint32_t kind, struct entry *entries)
{
	bool good = true;

	for (size_t i = 0; i < count; i++) {
		char message[200];
		int r;

		if (name_taken(kind, entries, i, requests[i].name)) {
			snprintf(message, sizeof(message), "there is already one named %.60s: choose another name",
			         requests[i].name);
			report(registry, requests[i].where, message);
			good = false;
			continue;
		}
		r = load_entry(registry, options, &requests[i], kind, &entries[i]);
		if (r == -ENOMEM)
			return r;
		good &= r == 0;
		entries[i].congestion = (struct stack_congestion){ .name = entries[i].name,
			                                           .id = (uint16_t)(i + 1),
			                                           .ops = &entries[i].file.congestion,
			                                           .params = entries[i].params };
	}
	return good ? 0 : -EINVAL;
}

int registry_load(const struct registry_options *options, struct registry **ret)
{
	struct registry *registry = calloc(1, sizeof(*registry));
	int first, second;

	if (registry == NULL)
		return -ENOMEM;
	pthread_mutex_init(&registry->names_lock, NULL);
	registry->log_queue_events = options->log_queue_events == 0 ? LOG_QUEUE_DEFAULT : options->log_queue_events;
	registry->log = options->log;
	registry->error = options->error;
	registry->error_context = options->error_context;
	registry->congestion = calloc(options->congestion_count + 1, sizeof(*registry->congestion));
	registry->logging = calloc(options->logging_count + 1, sizeof(*registry->logging));
	registry->state_directory = strdup(options->state_directory);
	if (registry->congestion == NULL || registry->logging == NULL || registry->state_directory == NULL) {
		registry_free(registry);
		return -ENOMEM;
	}
	registry->congestion_count = options->congestion_count;
	registry->logging_count = options->logging_count;
	first = load_entries(registry, options, options->congestion, options->congestion_count,
	                     TAPSTACK_PLUGIN_CONGESTION, registry->congestion);
	second = load_entries(registry, options, options->logging, options->logging_count, TAPSTACK_PLUGIN_LOGGING,
	                      registry->logging);
	if (first != 0 || second != 0) {
		registry_free(registry);
		return first == -ENOMEM || second == -ENOMEM ? -ENOMEM : -EINVAL;
	}
	*ret = registry;
	return 0;
}

static bool free_entry(struct entry *entry)
{
	if (entry->hung)
		return false;
	params_free(&entry->params);
	loader_close(&entry->file);
	free(entry->name);
	free(entry->where);
	return true;
}

void registry_free(struct registry *registry)
{
	bool all = true;

	if (registry == NULL)
		return;
	registry_log_stop(registry, DURATION_S(0));
	for (size_t i = 0; i < registry->logging_count; i++)
		all &= free_entry(&registry->logging[i]);
	if (!all)
		return; /* a hanging thread may still read the registry, the names of algorithms among it */
	for (size_t i = 0; i < registry->congestion_count; i++)
		free_entry(&registry->congestion[i]);
	free(registry->congestion);
	free(registry->logging);
	free(registry->state_directory);
	free(registry->service);
	pthread_mutex_destroy(&registry->names_lock);
	free(registry);
}

/* ---- congestion ---------------------------------------------------------------------------------------------- */

size_t registry_congestion_count(const struct registry *registry)
{
	return registry->congestion_count + 1;
}

const struct stack_congestion *registry_congestion_by_id(const struct registry *registry, uint16_t id)
{
	if (id == 0)
		return stack_builtin_reno();
	return id <= registry->congestion_count ? &registry->congestion[id - 1].congestion : NULL;
}

const struct stack_congestion *registry_congestion(const struct registry *registry, const char *name)
{
	for (size_t i = 0; i < registry_congestion_count(registry); i++) {
		const struct stack_congestion *congestion = registry_congestion_by_id(registry, (uint16_t)i);

		if (strcmp(congestion->name, name) == 0)
			return congestion;
	}
	return NULL;
}

/* ---- logging ------------------------------------------------------------------------------------------------- */

static const char *congestion_name(void *context, uint16_t id)
{
	const struct stack_congestion *congestion = registry_congestion_by_id(context, id);

	return congestion == NULL ? NULL : congestion->name;
}

static void service_name(void *context, uint16_t id, char *text)
{
	struct registry *registry = context;

	pthread_mutex_lock(&registry->names_lock);
	snprintf(text, LOGGER_SERVICE_MAX, "%s", id < registry->service_count ? registry->service[id] : "");
	pthread_mutex_unlock(&registry->names_lock);
}

int registry_log_services(struct registry *registry, const char *const *names, size_t count)
{
	char(*copy)[LOGGER_SERVICE_MAX] = calloc(count + 1, sizeof(*copy));
	void *old;

	if (copy == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		snprintf(copy[i], sizeof(copy[i]), "%s", names[i] == NULL ? "" : names[i]);
	pthread_mutex_lock(&registry->names_lock);
	old = registry->service;
	registry->service = copy;
	registry->service_count = count;
	pthread_mutex_unlock(&registry->names_lock);
	free(old);
	return 0;
}

int registry_log_start(struct registry *registry, const struct registry_run *run)
{
	bool good = true;

	for (size_t i = 0; i < registry->logging_count; i++) {
		struct entry *entry = &registry->logging[i];
		struct logger_options options = {
			.ops = &entry->file.logging,
			.params = &entry->params,
			.instance = entry->name,
			.queue_events = registry->log_queue_events,
			.run = *run,
			.names = { congestion_name, service_name, registry },
			.log = registry->log,
			.state_directory = registry->state_directory,
		};
		char message[200];
		int r = logger_start(&options, &entry->logger);

		if (r == 0)
			continue;
		snprintf(message, sizeof(message), "log %.60s cannot be opened: %s", entry->name, strerror(-r));
		report(registry, entry->where[0] == '\0' ? NULL : entry->where, message);
		good = false;
	}
	if (good)
		return 0;
	registry_log_stop(registry, DURATION_S(1));
	return -EINVAL;
}

void registry_log_records(void *context, const struct journal_record *records, size_t count)
{
	struct registry *registry = context;

	for (size_t i = 0; i < registry->logging_count; i++)
		if (registry->logging[i].logger != NULL)
			logger_put(registry->logging[i].logger, records, count);
}

void registry_log_reopen(struct registry *registry)
{
	for (size_t i = 0; i < registry->logging_count; i++)
		if (registry->logging[i].logger != NULL)
			logger_reopen(registry->logging[i].logger);
}

static struct timespec deadline_in(struct duration timeout)
{
	struct timespec now;
	int64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = now.tv_nsec + timeout.ns % 1000000000;
	now.tv_sec += timeout.ns / 1000000000 + ns / 1000000000;
	now.tv_nsec = ns % 1000000000;
	return now;
}

void registry_log_stop(struct registry *registry, struct duration timeout)
{
	struct timespec deadline = deadline_in(timeout);

	for (size_t i = 0; i < registry->logging_count; i++)
		if (registry->logging[i].logger != NULL)
			logger_finish(registry->logging[i].logger);
	for (size_t i = 0; i < registry->logging_count; i++) {
		struct entry *entry = &registry->logging[i];

		if (entry->logger == NULL)
			continue;
		if (logger_join(entry->logger, &deadline, &entry->counts) == -ETIMEDOUT)
			entry->hung = true;
		entry->logger = NULL;
	}
}

/* ---- listing ------------------------------------------------------------------------------------------------- */

size_t registry_count(const struct registry *registry)
{
	return registry_congestion_count(registry) + registry->logging_count;
}

static void plugin_info(const struct entry *entry, struct registry_info *info)
{
	const struct tapstack_plugin *plugin = entry->file.plugin;

	*info = (struct registry_info){
		.name = entry->name,
		.plugin = plugin->name,
		.path = entry->file.path,
		.kind = plugin->kind,
		.version = plugin->version,
		.licence = plugin->licence,
		.description = plugin->description,
		.spec = plugin->params,
		.value = entry->params.value,
		.param_count = plugin->param_count,
		.output = plugin->outputs,
		.output_count = plugin->output_count,
	};
}

void registry_get_info(struct registry *registry, size_t index, struct registry_info *ret_info)
{
	struct logger_counts counts;
	struct entry *entry;

	if (index == 0) {
		*ret_info = (struct registry_info){ .name = stack_builtin_reno()->name,
			                            .plugin = "",
			                            .path = "",
			                            .kind = TAPSTACK_PLUGIN_CONGESTION,
			                            .version = "",
			                            .licence = "",
			                            .description = "built in; RFC 5681 and RFC 6582",
			                            .running = true };
		return;
	}
	if (index <= registry->congestion_count) {
		plugin_info(&registry->congestion[index - 1], ret_info);
		ret_info->running = true;
		return;
	}
	entry = &registry->logging[index - registry_congestion_count(registry)];
	plugin_info(entry, ret_info);
	counts = entry->counts;
	if (entry->logger != NULL)
		logger_counts(entry->logger, &counts);
	ret_info->events = counts.events;
	ret_info->missed = counts.missed;
	ret_info->errors = counts.errors;
	ret_info->queued = counts.queued;
	ret_info->running = entry->logger != NULL;
}
