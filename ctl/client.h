#pragma once
/* One connection to the daemon: blocking, with a limit on how long an answer may take. What goes wrong is said on
 * stderr, in a sentence, and becomes an exit code. */
#include "exit.h"

#include <jansson.h>
#include <stdbool.h>

struct client {
	int fd;
	const char *path;
	int timeout_ms; /* for each answer */
	bool quiet;     /* say nothing */
	char *buffer;   /* received, not yet taken */
	size_t used, size;
};

/* `quiet`: nothing is said, then or later, when something fails: for what is only nice to know. */
enum exit_code client_open(struct client *client, const char *path, int timeout_ms, bool quiet);
void client_close(struct client *client);

/* Sees one answer's parameters; false: no more are wanted, and the call ends as done. */
typedef bool client_answer_fn(void *context, const json_t *parameters);

/* Calls a method of org.tapstack.control, "Status", with `parameters` (taken over; NULL: none). `more`: the daemon
 * may answer several times. */
enum exit_code client_call(struct client *client, const char *method, json_t *parameters, bool more,
                           client_answer_fn *answer, void *context);
