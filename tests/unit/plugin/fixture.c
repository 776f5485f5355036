#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

const struct stack_congestion reno = { .name = "reno", .id = 0 };

const struct stack_congestion *stack_builtin_reno(void)
{
	return &reno;
}

const struct registry_run run = { .wall_offset_ns = 1000,
	                          .id = 12,
	                          .started_ns = 34,
	                          .daemon_version = "9.8.7",
	                          .link_name = "tap5",
	                          .mtu_bytes = 1400 };

/* ---- files --------------------------------------------------------------------------------------------------- */

static void copy_file(const char *from, const char *to)
{
	char block[65536];
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	size_t length;

	assert_non_null(in);
	assert_non_null(out);
	while ((length = fread(block, 1, sizeof(block), in)) > 0)
		assert_int_equal(fwrite(block, 1, length, out), length);
	fclose(in);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(to, 0644), 0);
}

const char *fixture_path(const struct fixture *fixture, const char *name, char path[static 300])
{
	snprintf(path, 300, "%s/%s.so", fixture->directory, name);
	return path;
}

void fixture_copy(const struct fixture *fixture, const char *sample, const char *name)
{
	char from[600], to[300];

	snprintf(from, sizeof(from), "%s/%s.so", SAMPLES, sample);
	copy_file(from, fixture_path(fixture, name, to));
}

static void keep_message(void *context, const char *where, const char *message)
{
	struct fixture *fixture = context;
	size_t at = strlen(fixture->messages);

	snprintf(fixture->messages + at, sizeof(fixture->messages) - at, "%s: %s\n", where == NULL ? "-" : where,
	         message);
}

int fixture_setup(void **state)
{
	static const char *const samples[] = { "good",       "older",     "nosymbol",   "magic",    "newer",
		                               "short",      "shortops",  "noack",      "bigstate", "badparam",
		                               "twice",      "noversion", "longops",    "longhead", "badswitch",
		                               "unresolved", "nodelete",  "quantities", "badkind",  "badoutput",
		                               "sink" };
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	strcpy(fixture->directory, "/tmp/tapstack-plugin-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	for (size_t i = 0; i < COUNT(samples); i++)
		fixture_copy(fixture, samples[i], samples[i]);
	fixture->report = (struct registry_report){ keep_message, fixture };
	*state = fixture;
	return 0;
}

int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;
	DIR *directory;

	chmod(fixture->directory, 0700);
	directory = opendir(fixture->directory);
	assert_non_null(directory);
	for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
	assert_int_equal(rmdir(fixture->directory), 0);
	free(fixture);
	return 0;
}

/* ---- registries ---------------------------------------------------------------------------------------------- */

static void quiet(int priority, const char *text)
{
	(void)priority;
	(void)text;
}

static int quantity(const char *unit, const char *text, double *ret)
{
	bool time = strcmp(unit, "ns") == 0;

	if (strcmp(text, time ? "10ms" : "64KiB") != 0)
		return -EINVAL;
	*ret = time ? 1e7 : 65536;
	return 0;
}

struct registry *fixture_registry(struct fixture *fixture)
{
	struct registry *registry = NULL;
	struct registry_options options = {
		.directory = fixture->directory,
		.log_queue_events = 100,
		.state_directory = fixture->directory,
		.log = quiet,
		.read_quantity = quantity,
		.log_open_patience = DURATION_MS(200),
		.log_drain_patience = DURATION_MS(20),
	};

	assert_int_equal(registry_new(&options, &registry), 0);
	return registry;
}

int fixture_configure(struct fixture *fixture, struct registry *registry, const struct registry_request *congestion,
                      size_t congestion_count, const struct registry_request *logging, size_t logging_count)
{
	struct registry_change *change;
	int r;

	fixture->messages[0] = '\0';
	assert_int_equal(registry_change_begin(registry, &fixture->report, &change), 0);
	r = registry_change_configure(change, congestion, congestion_count, logging, logging_count);
	if (r == 0)
		registry_commit(change);
	else
		registry_abort(change);
	return r;
}

int fixture_load(struct fixture *fixture, const struct registry_request *congestion, size_t congestion_count,
                 const struct registry_request *logging, size_t logging_count, struct registry **ret)
{
	struct registry *registry = fixture_registry(fixture);
	int r = fixture_configure(fixture, registry, congestion, congestion_count, logging, logging_count);

	if (r == 0)
		*ret = registry;
	else
		registry_free(registry);
	return r;
}

/* ---- the sample log ------------------------------------------------------------------------------------------ */

struct seen next_seen(int fd)
{
	struct seen seen = { 0 };
	char *at = (char *)&seen;
	size_t length = 0, size = 24 + sizeof(seen.text);

	while (length < size) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		ssize_t got;

		assert_int_equal(poll(&ready, 1, DEADLINE_MS), 1);
		got = read(fd, at + length, size - length);
		assert_true(got > 0);
		length += (size_t)got;
	}
	return seen;
}

void log_pipes_open(struct log_pipes *pipes, bool gated, const char *mood)
{
	assert_int_equal(pipe(pipes->events), 0);
	assert_int_equal(pipe(pipes->gate), 0);
	snprintf(pipes->events_text, sizeof(pipes->events_text), "%d", pipes->events[1]);
	snprintf(pipes->gate_text, sizeof(pipes->gate_text), "%d", gated ? pipes->gate[0] : -1);
	pipes->param[0] = (struct registry_param){ "events", pipes->events_text, NULL };
	pipes->param[1] = (struct registry_param){ "gate", pipes->gate_text, NULL };
	pipes->param[2] = (struct registry_param){ "mood", mood, NULL };
	pipes->param[3] = (struct registry_param){ "needed", "x", NULL };
}

void log_pipes_close(struct log_pipes *pipes)
{
	close(pipes->events[0]);
	close(pipes->events[1]);
	close(pipes->gate[0]);
	close(pipes->gate[1]);
}

struct journal_record record(uint64_t id)
{
	return (struct journal_record){ .connection_id = id,
		                        .time_ns = 5,
		                        .service = 1,
		                        .cause = CAUSE_RECEIVED_FIN,
		                        .to = TCPS_CLOSE_WAIT,
		                        .shard = 3,
		                        .flow = { .remote = ip_addr_v4(0xc0000201) } };
}
