#pragma once
/* One logging instance: a bounded queue, and a thread that hands what is in it to the plugin. */
#include "plugin/descriptor.h"
#include "plugin/registry.h"

#include <time.h>

struct logger;

/* What turns ids into names; shared by all instances of a registry. */
struct logger_names {
	const char *(*congestion)(void *context, uint16_t id); /* valid for ever */
	/* Copied into `text`, of LOGGER_SERVICE_MAX bytes. */
	void (*service)(void *context, uint16_t id, char *text);
	void *context;
};

#define LOGGER_SERVICE_MAX 64u

/* Invariant: each record that was put is in exactly one of events, missed and queued. */
struct logger_counts {
	uint64_t events; /* taken by the plugin, and not lost or held back by it */
	uint64_t missed; /* did not fit into the queue; or taken and lost by the plugin */
	uint64_t errors; /* calls that the plugin answered with an error */
	uint64_t queued; /* in the queue, in the plugin's hands, or in a buffer of its own */
	/* The same for packets that fitted the filter. */
	uint64_t packets, packets_missed, packets_queued;
};

struct logger_options {
	const struct tapstack_log_ops *ops;
	const struct tapstack_params *params;
	const char *instance;
	uint32_t queue_events;
	struct registry_run run; /* its texts must outlive the logger too */
	struct logger_names names;
	void (*log)(int priority, const char *text);
	const char *state_directory;
	struct duration open_patience;
	const struct capture_options *capture; /* NULL: no packets */
};

/* Starts the thread, which opens the instance. -errno of the plugin's open, or of the thread; or -ETIMEDOUT when the
 * plugin has not come back from open within open_patience: then *ret is set, the thread finishes as soon as it does,
 * and is to be joined when it has ended. The pointers in `options` must outlive the logger. */
int logger_start(const struct logger_options *options, struct logger **ret);

/* From one thread at a time. Never waits for the plugin. */
void logger_put(struct logger *logger, const struct journal_record *records, size_t count);

void logger_reopen(struct logger *logger);

/* No more records will come: the thread hands over what is queued, flushes, closes and ends. Returns at once. */
void logger_finish(struct logger *logger);
/* The same, and what is queued is dropped and counted as missed. */
void logger_abandon(struct logger *logger);
/* Has the thread ended? Then logger_join does not wait. */
bool logger_ended(struct logger *logger);

void logger_counts(struct logger *logger, struct logger_counts *ret);

/* Waits for that until `deadline` (CLOCK_MONOTONIC), fills the last counts and frees the logger. -ETIMEDOUT: the
 * plugin hangs in a call, or is too slow; the thread, and the memory it uses, are left to it, and its code must stay
 * loaded. */
int logger_join(struct logger *logger, const struct timespec *deadline, struct logger_counts *ret_counts);
