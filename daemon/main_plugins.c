/* Plugins of the configuration, and what the control plane does with them: changes of the registry, told to the
 * shards and to the audit. */
#include "config/value.h"
#include "main.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

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
		requests[i] = (struct registry_request){
			plugin->plugin, plugin->name,        texts + place++ * PLACE_MAX,
			param + used,   plugin->param_count, plugin->capture.given ? &plugin->capture.options : NULL
		};
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

/* For names of outputs, in listings. */
static const char *output_name(const void *context, uint16_t congestion, uint32_t index)
{
	const struct daemon *daemon = context;

	for (size_t i = 0; i < registry_count(daemon->registry); i++) {
		struct registry_info info;

		registry_get_info(daemon->registry, i, &info);
		if (info.kind == TAPSTACK_PLUGIN_CONGESTION && info.id == congestion)
			return index < info.output_count ? info.output[index].name : NULL;
	}
	return NULL;
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

	daemon->render_names.output = output_name;
	daemon->render_names.context = daemon;
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

const struct stack_congestion *plugins_congestion(const struct daemon *daemon, const struct registry_change *change,
                                                  const char *name)
{
	return change ? registry_change_congestion(change, name) : registry_congestion(daemon->registry, name);
}

static int begin_capture(void *context, struct capture *capture)
{
	return shards_capture_begin(((struct daemon *)context)->shards, capture);
}

static void end_capture(void *context, struct capture *capture)
{
	struct daemon *daemon = context;

	if (daemon->shards)
		shards_capture_end(daemon->shards, capture);
}

int plugins_start_logging(struct daemon *daemon, const struct registry_run *run, json_t *errors)
{
	struct registry_report report = { add_error, errors };
	struct registry_run with_packets = *run;

	with_packets.capture =
	        (struct registry_capture){ shards_count(daemon->shards), begin_capture, end_capture, daemon };
	return registry_log_start(daemon->registry, &with_packets, &report);
}

static int name_outputs(struct daemon *daemon, uint16_t id, const struct tapstack_output_spec *output, uint32_t count)
{
	int error = 0;

	for (uint32_t i = 0; i < count && error == 0; i++)
		error = audit_name_output(daemon->audit, id, i, output[i].name);
	return error;
}

/* Their own names the audit has been opened with. */
int plugins_name_outputs(struct daemon *daemon)
{
	int error = 0;

	for (size_t i = 1; i < registry_count(daemon->registry) && error == 0; i++) {
		struct registry_info info;

		registry_get_info(daemon->registry, i, &info);
		if (info.kind == TAPSTACK_PLUGIN_CONGESTION)
			error = name_outputs(daemon, info.id, info.output, info.output_count);
	}
	return error;
}

/* ---- unloading ----------------------------------------------------------------------------------------------- */

#define REAP_EVERY_US 100000

static void on_reap_timer(evutil_socket_t fd, short events, void *context)
{
	struct daemon *daemon = context;

	(void)fd;
	(void)events;
	if (registry_reap(daemon->registry) == 0)
		event_del(daemon->reap_timer);
}

/* Looks from time to time whether what drains can go. */
static void watch_draining(struct daemon *daemon)
{
	const struct timeval every = { .tv_usec = REAP_EVERY_US };

	if (!daemon->reap_timer)
		daemon->reap_timer = event_new(daemon->base, -1, EV_PERSIST, on_reap_timer, daemon);
	if (!daemon->reap_timer || event_add(daemon->reap_timer, &every) != 0)
		log_write(LOG_ERR, "plugins that are not used any more stay loaded: %s", strerror(ENOMEM));
}

/* ---- moving connections -------------------------------------------------------------------------------------- */

/* From one version to another: shard by shard, in slices. */
struct move {
	struct shard_job job;
	struct daemon *daemon;
	const struct stack_congestion *from, *to; /* held */
	uint64_t cursor, moved;
	uint32_t shard;
};

static void move_slice(struct shard_job *job, struct stack *stack)
{
	struct move *move = (struct move *)job;

	move->moved += stack_move_congestion(stack, &move->cursor, move->from, move->to);
}

static void move_on(struct shard_job *job)
{
	struct move *move = (struct move *)job;
	struct shards *shards = move->daemon->shards;

	if (move->cursor == UINT64_MAX) {
		move->cursor = 0;
		move->shard++;
	}
	if (move->shard < shards_count(shards)) {
		shard_post(shards_at(shards, move->shard), &move->job);
		return;
	}
	log_write(LOG_NOTICE, "plugin %s: %llu connections moved to the new version", move->to->name,
	          (unsigned long long)move->moved);
	registry_release(move->from);
	registry_release(move->to);
	free(move);
}

static void move_connections(struct daemon *daemon, const struct stack_congestion *from,
                             const struct stack_congestion *to)
{
	struct move *move = calloc(1, sizeof(*move));

	if (!move) {
		log_write(LOG_ERR, "plugin %s: connections stay with the old version: %s", to->name,
		          strerror(ENOMEM));
		return;
	}
	*move = (struct move){
		.job = { .run = move_slice, .done = move_on }, .daemon = daemon, .from = from, .to = to
	};
	registry_hold(from);
	registry_hold(to);
	shard_post(shards_at(daemon->shards, 0), &move->job);
}

/* ---- changes of any origin ----------------------------------------------------------------------------------- */

/* Before any connection can have them. */
static int name_for_audit(struct daemon *daemon, const struct registry_change *change)
{
	struct registry_step step;
	int error = 0;

	for (size_t i = 0; i < registry_change_count(change) && error == 0; i++) {
		registry_change_step(change, i, &step);
		if (step.to)
			error = audit_name_congestion(daemon->audit, step.to->id, step.name);
		if (step.to && error == 0)
			error = name_outputs(daemon, step.to->id, step.output, step.output_count);
	}
	return error;
}

static void note_step(const struct registry_step *step, json_t *changed)
{
	static const char *const words[] = {
		[REGISTRY_ADDED] = "loaded", [REGISTRY_REPLACED] = "replaced", [REGISTRY_REMOVED] = "unloaded"
	};

	json_array_append_new(changed, json_sprintf("plugins: %s %s", step->name, words[step->what]));
}

/* Committed, and every shard knows. */
static void commit(struct daemon *daemon, struct registry_change *change, bool move)
{
	struct registry_step step;

	for (size_t i = 0; i < registry_change_count(change); i++) {
		registry_change_step(change, i, &step);
		if (move && step.from && step.to)
			move_connections(daemon, step.from, step.to);
	}
	registry_commit(change);
	watch_draining(daemon);
}

static void default_on_shard(void *context, struct shard *shard)
{
	stack_set_default_congestion(shard_stack(shard), context);
}

static void set_default(struct daemon *daemon, const struct stack_congestion *congestion)
{
	shards_call(daemon->shards, default_on_shard, (void *)congestion);
}

/* ---- reload -------------------------------------------------------------------------------------------------- */

int plugins_prepare(struct daemon *daemon, const struct config *config, struct registry_change **ret_change,
                    json_t *errors)
{
	struct registry_report report = { add_error, errors };
	struct registry_change *change = NULL;
	int error = registry_set_directory(daemon->registry, config_plugin_directory(config));

	if (error == 0)
		error = registry_change_begin(daemon->registry, &report, &change);
	if (error == 0)
		error = configure(config, change);
	if (error == 0 && !registry_change_congestion(change, config->congestion.standard)) {
		json_array_append_new(errors,
		                      json_sprintf("congestion.default: there is no congestion algorithm called %s",
		                                   config->congestion.standard));
		error = -EINVAL;
	}
	if (error == 0)
		error = name_for_audit(daemon, change);
	if (error == 0)
		*ret_change = change;
	else
		plugins_abort(daemon, change);
	return error;
}

void plugins_abort(struct daemon *daemon, struct registry_change *change)
{
	int error = registry_set_directory(daemon->registry, config_plugin_directory(daemon->config));

	if (error != 0)
		log_write(LOG_ERR, "plugins.directory: %s", strerror(-error));
	registry_abort(change);
	watch_draining(daemon);
}

void plugins_commit(struct daemon *daemon, const struct config *config, struct registry_change *change,
                    json_t *changed)
{
	struct registry_step step;

	for (size_t i = 0; i < registry_change_count(change); i++) {
		registry_change_step(change, i, &step);
		note_step(&step, changed);
	}
	set_default(daemon, registry_change_congestion(change, config->congestion.standard));
	commit(daemon, change, config->plugins.replace == CONFIG_REPLACE_MOVE);
}

/* ---- through the control plane ------------------------------------------------------------------------------- */

/* Who names the algorithm, and would be without: "" when nobody. The one that is built in can't go anyway. */
static void list_holders(const struct daemon *daemon, const char *name, char *text, size_t size)
{
	const struct stack_congestion *congestion = registry_congestion(daemon->registry, name);
	size_t at = 0;

	text[0] = '\0';
	if (!congestion || congestion == stack_builtin_reno())
		return;
	if (strcmp(daemon->config->congestion.standard, name) == 0)
		at = (size_t)snprintf(text, size, "congestion.default");
	if (rules_name(daemon->config, name) && at < size)
		at += (size_t)snprintf(text + at, size - at, "%scongestion.rules", at ? ", " : "");
	for (size_t i = 0; i < daemon->services.count && at < size; i++) {
		const struct running_service *service = &daemon->services.item[i];

		if (service->listen.congestion == congestion)
			at += (size_t)snprintf(text + at, size - at, "%sservice %s", at ? ", " : "",
			                       service->options.name);
	}
}

static int refuse_holders(const struct daemon *daemon, const char *name, json_t *errors)
{
	char holders[400];

	list_holders(daemon, name, holders, sizeof(holders));
	if (!*holders)
		return 0;
	json_array_append_new(errors, json_sprintf("%s is in use by %s: give them another algorithm first (in the "
	                                           "configuration file, then reload)",
	                                           name, holders));
	return -EBUSY;
}

static int take_step(struct daemon *daemon, const struct control_plugin_request *request,
                     struct registry_change *change, json_t *errors)
{
	const struct registry_request load = { .plugin = request->plugin,
		                               .name = request->instance,
		                               .param = request->param,
		                               .param_count = request->param_count };
	int error = 0;

	switch (request->what) {
	case CONTROL_PLUGIN_LOAD:
		return registry_change_add(change, 0, &load);
	case CONTROL_PLUGIN_UNLOAD:
		error = refuse_holders(daemon, request->instance, errors);
		return error ? error : registry_change_remove(change, request->instance);
	case CONTROL_PLUGIN_RELOAD:
	case CONTROL_PLUGIN_TUNE:
		break;
	}
	return registry_change_replace(change, request->instance, request->param, request->param_count);
}

/* What will be different after a restart. */
static const char *note_of(const struct daemon *daemon, const struct control_plugin_request *request)
{
	bool configured = false;

	for (size_t i = 1; i < registry_count(daemon->registry); i++) {
		struct registry_info info;

		registry_get_info(daemon->registry, i, &info);
		if (strcmp(info.name, request->instance) == 0)
			configured |= info.configured;
	}
	if (request->what == CONTROL_PLUGIN_RELOAD && configured)
		return NULL;
	if (request->what == CONTROL_PLUGIN_UNLOAD)
		return configured ? "until the configuration is read again: it names this instance" : NULL;
	return configured ? "until the configuration is read again: what it says about this instance holds then"
	                  : "until the daemon stops: the configuration does not name this instance";
}

static void add_instance(const struct registry_step *step, const struct daemon *daemon, json_t *report)
{
	for (size_t i = 1; i < registry_count(daemon->registry); i++) {
		struct registry_info info;

		registry_get_info(daemon->registry, i, &info);
		if (info.state != REGISTRY_ACTIVE || strcmp(info.name, step->name) != 0)
			continue;
		json_object_set_new(report, "version", json_string(info.version));
		json_object_set_new(report, "generation", json_integer(info.generation));
	}
}

/* What rules name is what will be there. They were resolved before, so nothing but memory can be wanting. */
static void switch_rules(struct daemon *daemon, const struct registry_change *change)
{
	struct congestion_rules rules = { 0 };
	json_t *errors = json_array();

	if (rules_resolve(daemon, daemon->config, change, &daemon->services, &rules, errors) == 0)
		rules_apply(daemon, &rules);
	else
		log_write(LOG_ERR, "congestion.rules stay with the old version of a plugin: %s", strerror(ENOMEM));
	rules_free(&rules);
	json_decref(errors);
}

static void finish(struct daemon *daemon, const struct control_plugin_request *request,
                   struct registry_change *change, json_t *report)
{
	const char *note;
	struct registry_step step;

	registry_change_step(change, 0, &step);
	if (step.from && step.to) {
		services_switch(daemon, step.from, step.to);
		switch_rules(daemon, change);
		if (strcmp(daemon->config->congestion.standard, step.name) == 0)
			set_default(daemon, step.to);
	}
	/* Asked before it is removed from what is configured. */
	note = note_of(daemon, request);
	commit(daemon, change, request->move);
	if (request->what == CONTROL_PLUGIN_LOAD)
		note = note_of(daemon, request);
	json_object_set_new(report, "instance", json_string(step.name));
	add_instance(&step, daemon, report);
	if (note)
		json_object_set_new(report, "note", json_string(note));
}

int plugins_control(struct daemon *daemon, const struct control_plugin_request *request, json_t **ret_report)
{
	json_t *errors = json_array(), *report = json_pack("{s:o}", "errors", errors);
	struct registry_report complain = { add_error, errors };
	struct registry_change *change = NULL;
	int error = -ENOMEM;

	if (report)
		error = daemon->stopping ? -ESHUTDOWN : registry_change_begin(daemon->registry, &complain, &change);
	if (error == 0)
		error = take_step(daemon, request, change, errors);
	if (error == 0)
		error = name_for_audit(daemon, change);
	if (error == 0) {
		finish(daemon, request, change, report);
	} else {
		registry_abort(change);
		watch_draining(daemon);
		if (json_array_size(errors) == 0)
			json_array_append_new(errors, json_string(strerror(-error)));
	}
	*ret_report = report;
	return error;
}
