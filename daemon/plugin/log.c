/* The registry's logging side: who gets records, and the life of their loggers. */
#include "plugin/deadline.h"
#include "plugin/private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names --------------------------------------------------------------------------------------------------- */

static const char *congestion_name(void *context, uint16_t id)
{
	return registry_congestion_name(context, id);
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

/* ---- one version --------------------------------------------------------------------------------------------- */

int version_open_log(struct registry *registry, struct version *version, const struct registry_report *report)
{
	struct logger_options options = {
		.ops = &version->file.ops.logging,
		.params = &version->params,
		.instance = version->name,
		.queue_events = registry->log_queue_events,
		.run = registry->run,
		.names = { congestion_name, service_name, registry },
		.log = registry->log,
		.state_directory = registry->state_directory,
		.open_patience = registry->log_open_patience,
		.capture = version->captures ? &version->capture : NULL,
	};
	int r;
	if (!registry->log_started)
		return 0;
	r = logger_start(&options, &version->logger);
	if (r == 0)
		return 0;
	if (r == -ENOMEM)
		return r;
	if (version->logger != NULL) {
		version->state = REGISTRY_HANGING;
		registry_complain(report, version->where,
		                  "log %.60s cannot be opened: its plugin has not come back for %g s; what can take "
		                  "long belongs into its events, not into its open",
		                  version->name, (double)registry->log_open_patience.ns / 1e9);
		return -EINVAL;
	}
	registry_complain(report, version->where, "log %.60s cannot be opened: %s", version->name, strerror(-r));
	return -EINVAL;
}

void version_drain_log(struct registry *registry, struct version *version)
{
	version->drain_until = deadline_in(registry->log_drain_patience);
	logger_finish(version->logger);
}

bool version_log_ended(struct version *version)
{
	static const struct timespec past = { 0 };

	if (version->logger == NULL)
		return true;
	if (!logger_ended(version->logger)) {
		if (version->state == REGISTRY_DRAINING && deadline_passed(&version->drain_until)) {
			logger_abandon(version->logger);
			version->state = REGISTRY_HANGING;
		}
		return false;
	}
	logger_join(version->logger, &past, &version->counts);
	version->logger = NULL;
	return true;
}

/* ---- all of them --------------------------------------------------------------------------------------------- */

void registry_set_sinks(struct registry *registry, struct version_list *sinks)
{
	struct version_list old;

	pthread_mutex_lock(&registry->sinks_lock);
	old = registry->sinks;
	registry->sinks = *sinks;
	pthread_mutex_unlock(&registry->sinks_lock);
	free(old.item);
	*sinks = (struct version_list){ 0 };
}

int registry_log_start(struct registry *registry, const struct registry_run *run,
                       const struct registry_report *report)
{
	struct version_list sinks = { 0 };
	size_t count = registry->versions.count;
	int result = versions_reserve(&sinks, count);

	if (result != 0)
		return result;
	registry->run = *run;
	registry->log_started = true;
	for (size_t i = 0; i < count; i++) {
		struct version *version = registry->versions.item[i];
		int r;

		if (version_kind(version) != TAPSTACK_PLUGIN_LOGGING)
			continue;
		r = version_open_log(registry, version, report);
		if (r == 0)
			versions_add(&sinks, version);
		else
			result = r;
	}
	registry_set_sinks(registry, &sinks);
	if (result != 0)
		registry_log_stop(registry, DURATION_S(1));
	return result;
}

void registry_log_records(void *context, const struct journal_record *records, size_t count)
{
	struct registry *registry = context;

	pthread_mutex_lock(&registry->sinks_lock);
	for (size_t i = 0; i < registry->sinks.count; i++)
		logger_put(registry->sinks.item[i]->logger, records, count);
	pthread_mutex_unlock(&registry->sinks_lock);
}

void registry_log_reopen(struct registry *registry)
{
	for (size_t i = 0; i < registry->versions.count; i++) {
		const struct version *version = registry->versions.item[i];

		if (version->state == REGISTRY_ACTIVE && version->logger != NULL)
			logger_reopen(version->logger);
	}
}

void registry_log_stop(struct registry *registry, struct duration timeout)
{
	struct timespec deadline = deadline_in(timeout);
	struct version_list *list = &registry->versions;
	struct version_list none = { 0 };

	registry_set_sinks(registry, &none);
	for (size_t i = 0; i < list->count; i++)
		if (list->item[i]->logger != NULL)
			logger_finish(list->item[i]->logger);
	for (size_t i = 0; i < list->count; i++) {
		struct version *version = list->item[i];

		if (version->logger == NULL)
			continue;
		if (logger_join(version->logger, &deadline, &version->counts) == -ETIMEDOUT) {
			version->hung = true;
			version->state = REGISTRY_HANGING;
		}
		version->logger = NULL;
	}
}
