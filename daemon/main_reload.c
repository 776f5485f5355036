/* A reload is all or nothing: the file is read and checked as a whole, then everything that a running daemon can
 * change is changed, services in all shards or in none. What needs a restart is named and stays as it is. */
#include "main.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct report {
	json_t *changed, *needs_restart, *errors;
};

static void add_config_errors(json_t *list, const struct config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		char text[1024];

		config_error_format(&errors->error[i], text, sizeof(text));
		json_array_append_new(list, json_string(text));
	}
	if (errors->omitted)
		json_array_append_new(list, json_sprintf("%zu more errors", errors->omitted));
}

static void add_service_change(json_t *list, const struct config_service_change *change)
{
	static const char *const words[] = {
		[CONFIG_SERVICE_ADDED] = "added",
		[CONFIG_SERVICE_REMOVED] = "removed",
		[CONFIG_SERVICE_CHANGED] = "changed",
	};
	const struct config_service *service = change->after ? change->after : change->before;

	json_array_append_new(list, json_sprintf("services: %s %s", service->name, words[change->what]));
}

/* What ctl has changed stays, as long as the file says what it said before. */
static int reload_impair(struct daemon *daemon, const struct config *config)
{
	const struct config_key *key = config_find_key("link.impair");
	char *before = NULL, *after = NULL;
	int error = config_get(daemon->config, key, &before);

	if (error == 0)
		error = config_get(config, key, &after);
	if (error == 0 && strcmp(before, after) != 0)
		error = impair_apply(daemon, config);
	free(before);
	free(after);
	return error;
}

/* What differs from what was read last (live keys), and from what the daemon was started with (the others). */
static int compare(const struct daemon *daemon, const struct config *config, struct report *report)
{
	struct config_difference *live = NULL, *restart = NULL;
	int error = config_diff(daemon->config, config, &live);

	if (error == 0)
		error = config_diff(daemon->started, config, &restart);
	for (size_t i = 0; error == 0 && i < live->change_count; i++) {
		if (!live->change[i].restart)
			json_array_append_new(report->changed, json_string(live->change[i].key->path));
	}
	for (size_t i = 0; error == 0 && i < live->service_count; i++)
		add_service_change(report->changed, &live->service[i]);
	for (size_t i = 0; error == 0 && i < restart->change_count; i++) {
		if (restart->change[i].restart)
			json_array_append_new(report->needs_restart, json_string(restart->change[i].key->path));
	}
	if (live)
		config_difference_free(live);
	if (restart)
		config_difference_free(restart);
	return error;
}

static void log_list(int priority, const char *what, json_t *list)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) log_write(priority, "%s: %s", what, json_string_value(item));
}

static int apply(struct daemon *daemon, struct config *config, struct report *report)
{
	struct control_rights rights = { config->control.observe, config->control.operate, config->control.admin };
	struct running_services services = { 0 };
	struct registry_change *plugins = NULL;
	struct congestion_rules rules = { 0 };
	int error = compare(daemon, config, report);

	if (error == 0)
		error = plugins_prepare(daemon, config, &plugins, report->errors);
	if (error == 0)
		error = services_resolve(daemon, config, plugins, &services, report->errors);
	if (error == 0)
		error = rules_resolve(daemon, config, plugins, &services, &rules, report->errors);
	if (error == 0)
		error = services_open_status(daemon, config, report->errors);
	if (error == 0)
		error = services_apply(daemon, &services, report->errors);
	services_free(&services);
	if (error != 0) {
		rules_free(&rules);
		plugins_abort(daemon, plugins);
		return error;
	}
	/* From here on nothing can fail but for want of memory; then the old values stay. */
	rules_apply(daemon, &rules);
	rules_free(&rules);
	plugins_commit(daemon, config, plugins, report->changed);
	services_tune(daemon, config);
	log_set_level((int)config->log.level);
	error = reload_impair(daemon, config);
	if (error != 0)
		log_write(LOG_ERR, "link.impair stays as it was: %s", strerror(-error));
	error = control_set_rights(daemon->control, &rights);
	if (error != 0)
		log_write(LOG_ERR, "the lists of who may use the control socket stay as they were: %s",
		          strerror(-error));
	if (daemon->config != daemon->started)
		config_free(daemon->config);
	daemon->config = config;
	return 0;
}

static int load_and_apply(struct daemon *daemon, struct report *report)
{
	struct config_errors errors = CONFIG_ERRORS_INIT;
	struct config *config = NULL;
	int error = config_load(daemon->source, &config, &errors);

	if (error == 0) {
		error = apply(daemon, config, report);
		if (error != 0)
			config_free(config);
	}
	add_config_errors(report->errors, &errors);
	config_errors_free(&errors);
	if (error != 0 && json_array_size(report->errors) == 0)
		json_array_append_new(report->errors, json_string(strerror(-error)));
	return error;
}

int daemon_reload(struct daemon *daemon, json_t **ret_report)
{
	struct report report = { json_array(), json_array(), json_array() };
	int error = -ENOMEM;

	if (daemon->stopping) {
		error = -ESHUTDOWN;
		json_array_append_new(report.errors, json_string("the daemon is stopping"));
	} else if (report.changed && report.needs_restart && report.errors) {
		notify_reloading();
		error = load_and_apply(daemon, &report);
		/* In either case: whoever has moved the files knows nothing of the configuration. */
		registry_log_reopen(daemon->registry);
		notify_ready(daemon);
	}
	if (error != 0) {
		log_list(LOG_ERR, "configuration", report.errors);
		log_write(LOG_ERR, "the configuration was not accepted; nothing has changed");
		json_array_clear(report.changed);
		json_array_clear(report.needs_restart);
	} else {
		log_list(LOG_NOTICE, "changed", report.changed);
		log_list(LOG_WARNING, "needs a restart", report.needs_restart);
		log_write(LOG_NOTICE, "the configuration has been read again");
	}
	*ret_report = json_pack("{s:o, s:o, s:o}", "changed", report.changed, "needs_restart", report.needs_restart,
	                        "errors", report.errors);
	return error;
}
