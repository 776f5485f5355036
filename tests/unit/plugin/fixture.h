#pragma once
/* What the tests of plugins share: a directory with all sample plugins, a registry with short patience, and the other
 * end of the sample log's pipes. */
#include "plugin/registry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DEADLINE_MS 10000

struct fixture {
	char directory[128];
	char messages[4000]; /* that were reported, a line each */
	struct registry_report report;
};

extern const struct stack_congestion reno; /* what the core has built in */
extern const struct registry_run run;      /* what the logs are told */

int fixture_setup(void **state);
int fixture_teardown(void **state);
/* DIRECTORY/NAME.so */
const char *fixture_path(const struct fixture *fixture, const char *name, char path[static 300]);
/* Another file of the build, in place of (or besides) what is there: written into the same inode. */
void fixture_copy(const struct fixture *fixture, const char *sample, const char *name);

/* A registry with nothing loaded. */
struct registry *fixture_registry(struct fixture *fixture);
/* As the configuration says; messages begin anew. */
int fixture_configure(struct fixture *fixture, struct registry *registry, const struct registry_request *congestion,
                      size_t congestion_count, const struct registry_request *logging, size_t logging_count);
/* Both; *ret is NULL on failure. */
int fixture_load(struct fixture *fixture, const struct registry_request *congestion, size_t congestion_count,
                 const struct registry_request *logging, size_t logging_count, struct registry **ret);

/* What the sample log tells of. */
struct seen {
	uint64_t id, missed, time;
	char text[200];
};

#define SEEN_REOPEN UINT64_MAX
#define SEEN_CLOSE (UINT64_MAX - 1)

/* The next thing. */
struct seen next_seen(int fd);

struct log_pipes {
	int events[2], gate[2];
	char events_text[16], gate_text[16];
	struct registry_param param[4];
};
/* Pipes, and the parameters that tell the sample log of them. */
void log_pipes_open(struct log_pipes *pipes, bool gated, const char *mood);
void log_pipes_close(struct log_pipes *pipes);

struct journal_record record(uint64_t id);
