#pragma once
/* Plugins: loaded, listed, replaced and unloaded while everything runs.
 *
 * An instance is a name, a plugin and values for its parameters: a congestion algorithm, or a log. What serves it is
 * a version: one load of the plugin's file, with one set of values. To replace an instance is to load another version
 * of it: the new one serves what begins from then on, the old one drains, and is unloaded when nothing uses it any
 * more. Names of instances are unique over both kinds.
 *
 * A plugin is refused, with a message that says why and what to do, when somebody other than root or the daemon's
 * user could have written it (trust.h), when it is no shared object that can be loaded here (image.h), when its
 * descriptor does not fit (descriptor.h), or when a parameter does not fit its table.
 *
 * All that changes is a struct registry_change: begun, filled with steps, and then committed as a whole or aborted.
 * Until it is committed nobody sees anything of it.
 *
 * Congestion algorithms: the built-in Reno and what is loaded. Each version has an id of its own, which is not used
 * again in this run, and a name that is valid until registry_free. Logging: each version has a bounded queue and a
 * thread of its own; registry_log_records puts records into the queues and never waits.
 *
 * For main's thread but where said. Functions return 0 or -errno; outputs are untouched on failure. */
#include "capture/capture.h"
#include "core/base/journal.h"
#include "core/stack.h"
#include "tapstack/logging.h"
#include "tapstack/plugin.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct registry;
struct registry_change;

/* One instance to make. `where` ("tapstack.yaml:12:5") goes in front of messages and may be NULL. */
struct registry_param {
	const char *name, *value, *where;
};

struct registry_request {
	const char *plugin; /* file is DIRECTORY/PLUGIN.so */
	const char *name;   /* of the instance */
	const char *where;
	const struct registry_param *param;
	size_t param_count;
	const struct capture_options *capture; /* logging: packets too, and which. NULL: none. Copied */
};

/* Where to say what is wrong with a request; called for every error. */
struct registry_report {
	void (*error)(void *context, const char *where, const char *message);
	void *context;
};

/* Reads a number with a unit of its own ("10ms", "64KiB") for a parameter of unit "ns" or "bytes". 0 or -errno. */
typedef int registry_quantity_fn(const char *unit, const char *text, double *ret);

struct registry_options {
	const char *directory;     /* where plugins are; copied */
	uint32_t log_queue_events; /* of each logging instance; 0: 16384 */
	/* Absolute; what logging plugins take relative paths to be relative to. Copied. */
	const char *state_directory;
	/* For the daemon's log: a logging plugin's line (on any thread), and what was unloaded. */
	void (*log)(int priority, const char *text);
	registry_quantity_fn *read_quantity; /* NULL: only plain numbers are taken */
	/* How long a logging plugin may take to open; to write what is in its queue when it goes. 0: 5 s, 10 s. */
	struct duration log_open_patience, log_drain_patience;
};

int registry_new(const struct registry_options *options, struct registry **ret);

/* Stops logging (see registry_log_stop) and unloads everything. No stack may be left. NULL is allowed. */
void registry_free(struct registry *registry);

/* For loads from now on. 0 or -ENOMEM. */
int registry_set_directory(struct registry *registry, const char *directory);
const char *registry_directory(const struct registry *registry);

/* ---- changing ------------------------------------------------------------------------------------------------ */

int registry_change_begin(struct registry *registry, const struct registry_report *report,
                          struct registry_change **ret);

/* The steps. Each returns 0; -EINVAL when it can't be done, which has been reported; -ENOMEM. */

/* Makes what the configuration names as the configuration says: an instance with other values, another plugin, or a
 * file of other contents is replaced, a new one added, and one that an earlier configuration named and this one
 * doesn't is removed. What was loaded otherwise stays, unless the configuration has something else of its name. */
int registry_change_configure(struct registry_change *change, const struct registry_request *congestion,
                              size_t congestion_count, const struct registry_request *logging, size_t logging_count);
/* `kind` is an enum tapstack_plugin_kind, or 0 for whatever the file is. */
int registry_change_add(struct registry_change *change, uint32_t kind, const struct registry_request *request);
/* The instance, loaded anew: values of `param` go over those that it has. */
int registry_change_replace(struct registry_change *change, const char *name, const struct registry_param *param,
                            size_t param_count);
int registry_change_remove(struct registry_change *change, const char *name);

/* NULL: there is no such algorithm when the change has been committed. */
const struct stack_congestion *registry_change_congestion(const struct registry_change *change, const char *name);

enum registry_what { REGISTRY_ADDED, REGISTRY_REPLACED, REGISTRY_REMOVED };

struct registry_step {
	enum registry_what what;
	uint32_t kind;                             /* enum tapstack_plugin_kind */
	const char *name;                          /* of the instance; valid until the registry goes */
	const struct stack_congestion *from, *to;  /* NULL: not a congestion algorithm, or not there */
	const struct tapstack_output_spec *output; /* of `to` */
	uint32_t output_count;
};
size_t registry_change_count(const struct registry_change *change);
void registry_change_step(const struct registry_change *change, size_t index, struct registry_step *ret_step);

/* From here on `to` serves, and `from` drains. Whoever is handed algorithms must know of the new ones by now, or
 * before registry_reap is called next. Frees the change. */
void registry_commit(struct registry_change *change);
/* Everything stays as it was. What somebody uses by now (registry_change_congestion has told of it) drains. NULL is
 * allowed. */
void registry_abort(struct registry_change *change);

/* Unloads what drains and is not in use any more. Returns how many are still draining: call it again. */
size_t registry_reap(struct registry *registry);

/* While somebody holds a version it is not unloaded. The built-in one is always there. */
void registry_hold(const struct stack_congestion *congestion);
void registry_release(const struct stack_congestion *congestion);

/* ---- congestion algorithms ----------------------------------------------------------------------------------- */

/* NULL: no such algorithm. "reno" is always there. Valid until it has been replaced or removed, and reaped. */
const struct stack_congestion *registry_congestion(const struct registry *registry, const char *name);
/* Of an algorithm that is, or was; from any thread. NULL: no such id so far. Ids are 0 to registry_id_end - 1. */
const char *registry_congestion_name(struct registry *registry, uint16_t id);
uint32_t registry_id_end(const struct registry *registry);

/* ---- logging ------------------------------------------------------------------------------------------------- */

/* Where packets come from: called on main's thread. */
struct registry_capture {
	uint32_t shards;
	/* From now on the shards fill it; no longer. begin returns 0 or -errno. */
	int (*begin)(void *context, struct capture *capture);
	void (*end)(void *context, struct capture *capture);
	void *context;
};

/* What logging plugins are told about this start of the daemon. Texts must outlive the registry. */
struct registry_run {
	int64_t wall_offset_ns; /* CLOCK_REALTIME minus the monotonic clock of the records */
	uint64_t id;            /* as in the audit database */
	int64_t started_ns;     /* CLOCK_REALTIME */
	const char *daemon_version, *link_name;
	uint32_t mtu_bytes; /* of the link */
	struct registry_capture capture;
};

/* Opens all logging instances and starts their threads; those of later changes are opened while these are made. What
 * can't be opened is reported and fails the start: -EINVAL. */
int registry_log_start(struct registry *registry, const struct registry_run *run,
                       const struct registry_report *report);

/* Names for journal_record.service; copied. Again when services change. */
int registry_log_services(struct registry *registry, const char *const *names, size_t count);

/* The sink: hands `count` records to every logging instance. `context` is the registry. For any one thread at a time.
 * Never waits for a plugin; what does not fit into an instance's queue is counted as missed there. */
void registry_log_records(void *context, const struct journal_record *records, size_t count);

/* Asks every instance to open its files again (log rotation); returns at once. */
void registry_log_reopen(struct registry *registry);

/* Lets the queues drain for at most `timeout`, flushes and closes. A plugin that hangs is left behind, counted, and
 * its code stays loaded. Not before the last registry_log_records has returned. */
void registry_log_stop(struct registry *registry, struct duration timeout);

/* ---- listing ------------------------------------------------------------------------------------------------- */

enum registry_state {
	REGISTRY_ACTIVE,   /* serves */
	REGISTRY_DRAINING, /* replaced or removed, and still in use */
	REGISTRY_HANGING,  /* a log whose plugin did not come back in time: its code stays until it does */
	REGISTRY_STATE_COUNT
};
const char *registry_state_name(unsigned state); /* "active", "draining", "hanging" */

struct registry_info {
	const char *name;   /* of the instance */
	const char *plugin; /* "" for what is built in */
	const char *path;   /* "" for what is built in */
	uint32_t kind;      /* enum tapstack_plugin_kind */
	const char *version, *licence, *description;
	const struct tapstack_param_spec *spec; /* param_count of them */
	const struct tapstack_param_value *value;
	uint32_t param_count;
	const struct tapstack_output_spec *output;
	uint32_t output_count;
	enum registry_state state;
	uint32_t generation; /* of the instance; 0: built in */
	bool configured;     /* the configuration names it; else it is there until the daemon ends */
	/* congestion only */
	uint16_t id;
	uint32_t users; /* connections (acting or in shadow), listeners, rules, defaults of shards */
	/* logging only */
	uint64_t events, missed, errors, queued; /* as in struct logger_counts: events are those delivered */
	bool captures;
	uint64_t packets, packets_missed, packets_queued; /* likewise */
	bool running;
};

size_t registry_count(const struct registry *registry);
/* index below registry_count; what is built in first, then in the order in which they were loaded. Texts are valid
 * until the next change or reaping. */
void registry_get_info(struct registry *registry, size_t index, struct registry_info *ret_info);

/* A file of the plugin directory, loaded for a look and unloaded again. Texts are valid during the call. */
struct registry_file {
	const char *name;                     /* as in registry_request.plugin */
	const struct tapstack_plugin *plugin; /* NULL: it is refused */
	const char *error;                    /* why */
};
/* Calls `found` for each file NAME.so there. 0; or -errno with a sentence in `error`. */
int registry_available(struct registry *registry, void (*found)(void *context, const struct registry_file *file),
                       void *context, char *error, size_t error_size);
