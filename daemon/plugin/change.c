/* A change of the registry: steps that are prepared one by one, and committed together or not at all. */
#include "plugin/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct step {
	struct version *from, *to; /* NULL: added; removed */
	bool configured;           /* what `to` becomes */
};

struct registry_change {
	struct registry *registry;
	const struct registry_report *report;
	struct step *step;
	size_t count;
	struct version **keep; /* active ones that the configuration names as they are, or no longer names */
	size_t keep_count;
	struct version_list sinks; /* room for what will get records */
	uint32_t first_id;         /* ids from here on are this change's */
};

int registry_change_begin(struct registry *registry, const struct registry_report *report,
                          struct registry_change **ret)
{
	struct registry_change *change = calloc(1, sizeof(*change));

	if (change == NULL)
		return -ENOMEM;
	change->registry = registry;
	change->report = report;
	change->first_id = registry->next_id;
	*ret = change;
	return 0;
}

/* ---- what will be ------------------------------------------------------------------------------------------- */

static bool is_leaving(const struct registry_change *change, const struct version *version)
{
	for (size_t i = 0; i < change->count; i++)
		if (change->step[i].from == version)
			return true;
	return false;
}

/* The version of this name that is active when all is committed. */
static struct version *find(const struct registry_change *change, const char *name)
{
	struct version *version = registry_find(change->registry, name);

	for (size_t i = 0; i < change->count; i++)
		if (change->step[i].to != NULL && strcmp(change->step[i].to->name, name) == 0)
			return change->step[i].to;
	return version != NULL && is_leaving(change, version) ? NULL : version;
}

const struct stack_congestion *registry_change_congestion(const struct registry_change *change, const char *name)
{
	const struct version *version = find(change, name);

	if (strcmp(stack_builtin_reno()->name, name) == 0)
		return stack_builtin_reno();
	return version == NULL || version_kind(version) != TAPSTACK_PLUGIN_CONGESTION ? NULL : &version->congestion;
}

size_t registry_change_count(const struct registry_change *change)
{
	return change->count;
}

static const struct stack_congestion *congestion_of(const struct version *version)
{
	return version == NULL || version_kind(version) != TAPSTACK_PLUGIN_CONGESTION ? NULL : &version->congestion;
}

void registry_change_step(const struct registry_change *change, size_t index, struct registry_step *ret_step)
{
	const struct step *step = &change->step[index];
	const struct version *either = step->to != NULL ? step->to : step->from;

	*ret_step = (struct registry_step){
		.what = step->from == NULL ? REGISTRY_ADDED
		        : step->to == NULL ? REGISTRY_REMOVED
		                           : REGISTRY_REPLACED,
		.kind = version_kind(either),
		.name = either->name,
		.from = congestion_of(step->from),
		.to = congestion_of(step->to),
		.output = step->to == NULL ? NULL : step->to->file.plugin->outputs,
		.output_count = step->to == NULL ? 0 : step->to->file.plugin->output_count,
	};
}

/* ---- the steps ----------------------------------------------------------------------------------------------- */

static int reserve(struct registry_change *change)
{
	struct version_list *versions = &change->registry->versions;
	struct step *grown = realloc(change->step, (change->count + 1) * sizeof(*grown));

	if (grown == NULL)
		return -ENOMEM;
	change->step = grown;
	if (versions_reserve(versions, change->count + 1) != 0)
		return -ENOMEM;
	return versions_reserve(&change->sinks, versions->count + change->count + 1);
}

static uint32_t next_generation(const struct registry_change *change, const char *name)
{
	const struct version_list *list = &change->registry->versions;
	uint32_t generation = 0;

	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->item[i]->name, name) == 0 && list->item[i]->generation > generation)
			generation = list->item[i]->generation;
	return generation + 1;
}

static int exchange(struct registry_change *change, struct version *from, uint32_t kind,
                    const struct registry_request *request, bool configured)
{
	struct version *to;
	int r = reserve(change);

	if (r == 0)
		r = version_load(change->registry, kind, request, change->report, &to);
	if (r != 0)
		return r;
	to->generation = next_generation(change, to->name);
	change->step[change->count++] = (struct step){ from, to, configured };
	return 0;
}

static int name_taken(const struct registry_change *change, const struct registry_request *request)
{
	registry_complain(change->report, request->where, "there is already one named %.60s: choose another name",
	                  request->name);
	return -EINVAL;
}

static int check_name(const struct registry_change *change, const struct registry_request *request)
{
	if (!plugin_name_valid(request->name)) {
		registry_complain(change->report, request->where,
		                  "\"%.80s\" can't be the name of an instance: up to 63 of a-z 0-9 - _",
		                  request->name);
		return -EINVAL;
	}
	if (strcmp(stack_builtin_reno()->name, request->name) == 0 || find(change, request->name) != NULL)
		return name_taken(change, request);
	return 0;
}

int registry_change_add(struct registry_change *change, uint32_t kind, const struct registry_request *request)
{
	int r = check_name(change, request);

	return r != 0 ? r : exchange(change, NULL, kind, request, false);
}

/* The instance that somebody wants to change. */
static int find_loaded(const struct registry_change *change, const char *name, struct version **ret)
{
	struct version *version = find(change, name);
	char names[400] = "";
	size_t at = 0;

	if (version != NULL) {
		*ret = version;
		return 0;
	}
	if (strcmp(stack_builtin_reno()->name, name) == 0) {
		registry_complain(change->report, NULL, "%s is built in: it has no parameters, and stays", name);
		return -EINVAL;
	}
	for (size_t i = 0; i < change->registry->versions.count; i++) {
		const struct version *other = change->registry->versions.item[i];
		size_t length = strlen(other->name);

		if (other->state != REGISTRY_ACTIVE || at + length + 3 > sizeof(names))
			continue;
		if (at > 0)
			at = (size_t)(stpcpy(names + at, ", ") - names);
		at = (size_t)(stpcpy(names + at, other->name) - names);
	}
	registry_complain(change->report, NULL, "no instance is named %.60s: %s%s", name,
	                  at == 0 ? "none is loaded" : "there are ", names);
	return -EINVAL;
}

static bool is_given(const struct registry_param *param, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(param[i].name, name) == 0)
			return true;
	return false;
}

int registry_change_replace(struct registry_change *change, const char *name, const struct registry_param *param,
                            size_t param_count)
{
	struct registry_param *merged;
	struct version *from;
	size_t count = 0;
	int r = find_loaded(change, name, &from);

	if (r != 0)
		return r;
	merged = calloc(from->param_count + param_count + 1, sizeof(*merged));
	if (merged == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < from->param_count; i++)
		if (!is_given(param, param_count, from->param[i].name))
			merged[count++] = from->param[i];
	for (size_t i = 0; i < param_count; i++)
		merged[count++] = param[i];
	r = exchange(change, from, version_kind(from),
	             &(struct registry_request){ .plugin = from->plugin,
	                                         .name = from->name,
	                                         .param = merged,
	                                         .param_count = count,
	                                         .capture = from->captures ? &from->capture : NULL },
	             from->configured);
	free(merged);
	return r;
}

static int add_removal(struct registry_change *change, struct version *version)
{
	int r = reserve(change);

	if (r == 0)
		change->step[change->count++] = (struct step){ .from = version };
	return r;
}

int registry_change_remove(struct registry_change *change, const char *name)
{
	struct version *version;
	int r = find_loaded(change, name, &version);

	return r != 0 ? r : add_removal(change, version);
}

/* ---- as the configuration says ------------------------------------------------------------------------------- */

static bool is_named(const struct registry_request *requests, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(requests[i].name, name) == 0)
			return true;
	return false;
}

static void keep(struct registry_change *change, struct version *version)
{
	change->keep[change->keep_count++] = version;
}

static bool is_kept(const struct registry_change *change, const struct version *version)
{
	for (size_t i = 0; i < change->keep_count; i++)
		if (change->keep[i] == version)
			return true;
	return false;
}

static int configure_one(struct registry_change *change, uint32_t kind, const struct registry_request *request)
{
	struct version *active = registry_find(change->registry, request->name);
	bool taken = active != NULL && (is_leaving(change, active) || is_kept(change, active));

	if (active == NULL || taken)
		return check_name(change, request) != 0 ? -EINVAL : exchange(change, NULL, kind, request, true);
	if (version_fits(change->registry, active, kind, request)) {
		keep(change, active);
		return 0;
	}
	return exchange(change, active, kind, request, true);
}

static int configure(struct registry_change *change, uint32_t kind, const struct registry_request *requests,
                     size_t count)
{
	int result = 0;

	for (size_t i = 0; i < count; i++) {
		int r = is_named(requests, i, requests[i].name) ? name_taken(change, &requests[i])
		                                                : configure_one(change, kind, &requests[i]);

		if (r == -ENOMEM)
			return r;
		if (r != 0)
			result = r;
	}
	return result;
}

int registry_change_configure(struct registry_change *change, const struct registry_request *congestion,
                              size_t congestion_count, const struct registry_request *logging, size_t logging_count)
{
	const struct version_list *list = &change->registry->versions;
	int first, second;

	free(change->keep);
	change->keep_count = 0;
	change->keep = calloc(list->count + 1, sizeof(struct version *));
	if (change->keep == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++) {
		struct version *version = list->item[i];
		int r = 0;

		if (version->state == REGISTRY_ACTIVE && version->configured &&
		    !is_named(congestion, congestion_count, version->name) &&
		    !is_named(logging, logging_count, version->name))
			r = add_removal(change, version);
		if (r != 0)
			return r;
	}
	first = configure(change, TAPSTACK_PLUGIN_CONGESTION, congestion, congestion_count);
	if (first == -ENOMEM)
		return first;
	second = configure(change, TAPSTACK_PLUGIN_LOGGING, logging, logging_count);
	return second != 0 ? second : first;
}

/* ---- the end ------------------------------------------------------------------------------------------------- */

static void change_free(struct registry_change *change)
{
	free(change->sinks.item);
	free(change->keep);
	free(change->step);
	free(change);
}

static void set_sinks(struct registry_change *change)
{
	const struct version_list *list = &change->registry->versions;

	for (size_t i = 0; i < list->count; i++)
		if (list->item[i]->state == REGISTRY_ACTIVE && list->item[i]->logger != NULL)
			versions_add(&change->sinks, list->item[i]);
	registry_set_sinks(change->registry, &change->sinks);
}

void registry_commit(struct registry_change *change)
{
	struct registry *registry = change->registry;

	for (size_t i = 0; i < change->keep_count; i++)
		change->keep[i]->configured = true;
	for (size_t i = 0; i < change->count; i++) {
		struct step *step = &change->step[i];

		if (step->from != NULL)
			step->from->state = REGISTRY_DRAINING;
		if (step->to == NULL)
			continue;
		step->to->configured = step->configured;
		versions_add(&registry->versions, step->to);
	}
	if (change->count > 0 && registry->log_started)
		set_sinks(change);
	for (size_t i = 0; i < change->count; i++)
		if (change->step[i].from != NULL && change->step[i].from->logger != NULL)
			version_drain_log(registry, change->step[i].from);
	change_free(change);
}

void registry_abort(struct registry_change *change)
{
	struct registry *registry;
	bool seen = false; /* an algorithm whose id is on a connection, and so perhaps in records */

	if (change == NULL)
		return;
	registry = change->registry;
	for (size_t i = 0; i < change->count; i++) {
		struct version *version = change->step[i].to;

		if (version == NULL)
			continue;
		if (version->logger == NULL && atomic_load(&version->users) == 0) {
			version_free(version);
			continue;
		}
		/* Room was made when the step was. */
		version->state = REGISTRY_DRAINING;
		versions_add(&registry->versions, version);
		if (version->logger != NULL)
			version_drain_log(registry, version);
		else
			seen = true;
	}
	if (!seen)
		registry_return_ids(registry, change->first_id);
	change_free(change);
}
