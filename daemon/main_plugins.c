/* Plugins of the configuration, and what the control plane does with them: changes of the registry, told to the
 * shards and to the audit. */
#include "config/value.h"
#include "main.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- requests ------------------------------------------------------------------------------------------------ */

/* Numbers in the forms that the configuration has for times and sizes. */
static int read_quantity(const char *unit, const char *text, double *ret)
{
	uint64_t number;
	int error = strcmp(unit, "ns") == 0 ? value_read_duration(text, &number) : value_read_size(text, &number);

	if (error == 0)
		*ret = (double)number;
	return error;
}

static void log_text(int priority, const char *text)
{
	log_write(priority, "%s", text);
}

static void add_error(void *context, const char *where, const char *message)
{
	bool placed = where && *where;

	json_array_append_new(context, json_sprintf("%s%s%s", placed ? where : "", placed ? ": " : "", message));
}

/* Requests of one list of the configuration. Everything is in one block, so that one free is enough. */
static struct registry_request *requests_of(const struct config_plugin_list *list)
{
	size_t params = 0, used = 0, places = list->count, place = 0;
	struct registry_request *requests;
	struct registry_param *param;
	enum { PLACE_MAX = PATH_MAX + 32 };
	char *texts;

	for (size_t i = 0; i < list->count; i++)
		params += list->item[i].param_count;
	places += params;
	requests = calloc(1, (list->count + 1) * sizeof(*requests) + params * sizeof(*param) + places * PLACE_MAX);
	if (!requests)
		return NULL;
	param = (struct registry_param *)(requests + list->count + 1);
	texts = (char *)(param + params);
	for (size_t i = 0; i < list->count; i++) {
		const struct config_plugin *plugin = &list->item[i];

		snprintf(texts + place * PLACE_MAX, PLACE_MAX, "%s:%u:%u", plugin->place.file, plugin->place.line,
		         plugin->place.column);
		requests[i] = (struct registry_request){ plugin->plugin, plugin->name, texts + place++ * PLACE_MAX,
			                                 param + used, plugin->param_count };
		for (size_t p = 0; p < plugin->param_count; p++) {
			const struct config_param *given = &plugin->param[p];

			snprintf(texts + place * PLACE_MAX, PLACE_MAX, "%s:%u:%u", given->place.file,
			         given->place.line, given->place.column);
			param[used++] =
			        (struct registry_param){ given->name, given->value, texts + place++ * PLACE_MAX };
		}
	}
	return requests;
}

static int configure(const struct config *config, struct registry_change *change)
{
	struct registry_request *congestion = requests_of(&config->plugins.congestion);
	struct registry_request *logging = requests_of(&config->plugins.logging);
	int error = -ENOMEM;

	if (congestion && logging)
		error = registry_change_configure(change, congestion, config->plugins.congestion.count, logging,
		                                  config->plugins.logging.count);
	free(congestion);
	free(logging);
	return error;
}

/* ---- at the start -------------------------------------------------------------------------------------------- */

int plugins_open(struct daemon *daemon, json_t *errors)
{
	const struct config *config = daemon->config;
	struct registry_report report = { add_error, errors };
	struct registry_change *change = NULL;
	int error = registry_new(&(struct registry_options){ .directory = config_plugin_directory(config),
	                                                     .state_directory = config->state_directory,
	                                                     .log = log_text,
	                                                     .read_quantity = read_quantity },
	                         &daemon->registry);

	if (error == 0)
		error = registry_change_begin(daemon->registry, &report, &change);
	if (error == 0)
		error = configure(config, change);
	if (error == 0)
		registry_commit(change);
	else
		registry_abort(change);
	return error;
}

int plugins_start_logging(struct daemon *daemon, const struct registry_run *run, json_t *errors)
{
	struct registry_report report = { add_error, errors };

	return registry_log_start(daemon->registry, run, &report);
}
