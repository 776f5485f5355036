#pragma once
/* Inside daemon/plugin only: what the files of the registry share. */
#include "plugin/loader.h"
#include "plugin/logger.h"
#include "plugin/registry.h"

#include <pthread.h>
#include <stdatomic.h>

/* One load of an instance. */
struct version {
	char *plugin, *name, *where;  /* as requested; `name` is the registry's, for ever */
	struct registry_param *param; /* as requested; names and values in one block, `where` NULL */
	size_t param_count;
	struct plugin_file file;
	struct tapstack_params params;
	enum registry_state state;
	uint32_t generation;
	bool configured;
	bool captures;
	struct capture_options capture; /* with `captures` */
	struct stack_congestion congestion;
	_Atomic uint32_t users;      /* of `congestion` */
	struct logger *logger;       /* NULL: not started, or over */
	struct logger_counts counts; /* of a logger that is over */
	struct timespec drain_until; /* a logger that drains is told to give up then */
	bool hung;                   /* its thread never came back: leave everything of it alone */
};

struct version_list {
	struct version **item;
	size_t count, room;
};

struct instance_name {
	struct instance_name *next;
	char text[];
};

struct registry {
	struct version_list versions;
	char *directory, *state_directory;
	uint32_t log_queue_events;
	void (*log)(int priority, const char *text);
	registry_quantity_fn *read_quantity;
	struct duration log_open_patience, log_drain_patience;
	uint32_t next_id; /* of a congestion algorithm */
	bool log_started;
	struct registry_run run; /* once log_started */

	pthread_mutex_t names_lock; /* the next three */
	struct instance_name *names;
	const char **name_of_id;
	char (*service)[LOGGER_SERVICE_MAX];
	size_t service_count, name_room;

	pthread_mutex_t sinks_lock;
	struct version_list sinks; /* logging versions that get records; under sinks_lock */
};

#define REGISTRY_IDS_MAX UINT16_MAX

/* version.c */

/* Loads, takes an id, opens a log. 0; -EINVAL (reported); -ENOMEM. */
int version_load(struct registry *registry, uint32_t kind, const struct registry_request *request,
                 const struct registry_report *report, struct version **ret);
/* False: it hangs, and has been left alone. */
bool version_free(struct version *version);
uint32_t version_kind(const struct version *version);
/* Does it do what the request asks for, with the file as it is now? */
bool version_fits(const struct registry *registry, const struct version *version, uint32_t kind,
                  const struct registry_request *request);
void registry_complain(const struct registry_report *report, const char *where, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Room for so many more: 0 or -ENOMEM; then adding them can't fail. Room that is there stays. */
int versions_reserve(struct version_list *list, size_t more);
void versions_add(struct version_list *list, struct version *version);

/* registry.c: the active version of this name; NULL. */
struct version *registry_find(const struct registry *registry, const char *name);
/* The registry's own copy of the name. NULL: no memory. */
char *registry_intern(struct registry *registry, const char *name);
/* 0, -ENOSPC or -ENOMEM. */
int registry_take_id(struct registry *registry, const char *name, uint16_t *ret_id);
/* Those from `first` on have not been seen by anybody: the next algorithms get them. */
void registry_return_ids(struct registry *registry, uint32_t first);

/* log.c */
/* Opens it, if logging has started. 0; -ENOMEM; -EINVAL (reported), where a logger that is left means that the plugin
 * hangs. */
int version_open_log(struct registry *registry, struct version *version, const struct registry_report *report);
/* It gets no more records, drains and ends; returns at once. */
void version_drain_log(struct registry *registry, struct version *version);
/* Is its logger gone? Tells it to give up when its time is over. */
bool version_log_ended(struct version *version);
/* Makes `sinks` what gets records from now on; frees the old list. */
void registry_set_sinks(struct registry *registry, struct version_list *sinks);
