#pragma once
/* Plugins: loaded at start, checked before anything of theirs runs, kept until the end.
 *
 * A plugin is refused, with a message that says why, when its file or directory could have been written by somebody
 * other than root or the daemon's user, when it does not export `tapstack_plugin`, when magic, ABI number or kind do
 * not fit, when a required operation is missing, or when a parameter does not fit its table. Nothing is ever unloaded
 * while a connection or an instance uses it: the registry lives as long as the stacks.
 *
 * Congestion algorithms: the built-in Reno and one per request. Logging: one instance per request, each with a
 * bounded queue and a thread of its own; registry_log_records puts records into the queues and never waits.
 *
 * Functions return 0 or -errno; outputs are untouched on failure. */
#include "core/base/journal.h"
#include "core/stack.h"
#include "tapstack/logging.h"
#include "tapstack/plugin.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct registry;

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
};

struct registry_options {
	const char *directory;
	const struct registry_request *congestion;
	size_t congestion_count;
	const struct registry_request *logging;
	size_t logging_count;
	uint32_t log_queue_events; /* of each logging instance; 0: 16384 */
	/* Absolute; what logging plugins take relative paths to be relative to. Copied. */
	const char *state_directory;
	/* A logging plugin's line for the daemon's log; called on any thread. */
	void (*log)(int priority, const char *text);
	/* What is wrong with a request; called during registry_load and registry_log_start, for every error. */
	void (*error)(void *context, const char *where, const char *message);
	void *error_context;
};

/* Loads and checks everything and opens nothing yet. Returns 0; -EINVAL when a request can't be met (all of them are
 * reported first); -ENOMEM. */
int registry_load(const struct registry_options *options, struct registry **ret);

/* Stops logging (see registry_log_stop) and unloads. No stack may be left. NULL is allowed. */
void registry_free(struct registry *registry);

/* NULL: no such algorithm. "reno" is always there. Valid until registry_free. */
const struct stack_congestion *registry_congestion(const struct registry *registry, const char *name);
/* By id, as in journal_record.congestion; ids are 0 to count - 1. NULL: none. */
const struct stack_congestion *registry_congestion_by_id(const struct registry *registry, uint16_t id);
size_t registry_congestion_count(const struct registry *registry);

/* ---- logging ------------------------------------------------------------------------------------------------- */

/* What logging plugins are told about this start of the daemon. Texts must outlive the registry. */
struct registry_run {
	int64_t wall_offset_ns; /* CLOCK_REALTIME minus the monotonic clock of the records */
	uint64_t id;            /* as in the audit database */
	int64_t started_ns;     /* CLOCK_REALTIME */
	const char *daemon_version, *link_name;
	uint32_t mtu_bytes; /* of the link */
};

/* Opens all logging instances and starts their threads. What can't be opened is reported as in registry_load and
 * fails the start: -EINVAL. */
int registry_log_start(struct registry *registry, const struct registry_run *run);

/* Names for journal_record.service; copied. Again when services change. */
int registry_log_services(struct registry *registry, const char *const *names, size_t count);

/* The sink: hands `count` records to every logging instance. `context` is the registry. For one thread at a time.
 * Never waits; what does not fit into an instance's queue is counted as missed there. */
void registry_log_records(void *context, const struct journal_record *records, size_t count);

/* Asks every instance to open its files again (log rotation); returns at once. */
void registry_log_reopen(struct registry *registry);

/* Lets the queues drain for at most `timeout`, flushes and closes. A plugin that hangs is left behind, counted, and
 * its code stays loaded. Not before the last registry_log_records has returned. */
void registry_log_stop(struct registry *registry, struct duration timeout);

/* ---- listing ------------------------------------------------------------------------------------------------- */

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
	/* logging only */
	uint64_t events, missed, errors, queued; /* as in struct logger_counts: events are those delivered */
	bool running;
};

size_t registry_count(const struct registry *registry);
/* index below registry_count; congestion algorithms first. Texts are valid until registry_free. */
void registry_get_info(struct registry *registry, size_t index, struct registry_info *ret_info);
