#pragma once
/* The commands of tapstackctl: one table from which dispatch, help and the manual page are made. */
#include "client.h"
#include "exit.h"
#include "output.h"

#include <stdbool.h>

struct session {
	const char *socket_path;
	const char *database; /* NULL: the daemon is asked, then the default */
	int timeout_ms;
	long limit; /* of rows; 0: the command's own default */
	bool abort, all, move;
	struct output_options output;
};

struct command {
	const char *name, *args, *help;
	const char *example; /* NULL: none */
	int args_min, args_max;
	enum exit_code (*run)(struct session *session, int argc, char **argv);
};

/* Ends with a NULL name. */
const struct command *commands(void);
const struct command *command_find(const char *name); /* NULL: none */

struct option_help {
	const char *name;     /* long, without the dashes */
	char letter;          /* 0: none */
	const char *argument; /* NULL: takes none */
	const char *help;
};
/* Ends with a NULL name. */
const struct option_help *options(void);

/* Says what is wrong on stderr, and where to read on. */
enum exit_code usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Reads a connection's number. */
bool parse_id(const char *text, long long *ret_id);

/* Ends a list: EXIT_OK, or what went wrong in writing. */
enum exit_code finish_output(int r);

/* live.c */
enum exit_code command_status(struct session *session, int argc, char **argv);
enum exit_code command_connections(struct session *session, int argc, char **argv);
enum exit_code command_show(struct session *session, int argc, char **argv);
enum exit_code command_counters(struct session *session, int argc, char **argv);
enum exit_code command_close(struct session *session, int argc, char **argv);
enum exit_code command_services(struct session *session, int argc, char **argv);
enum exit_code command_neighbours(struct session *session, int argc, char **argv);
enum exit_code command_addresses(struct session *session, int argc, char **argv);
enum exit_code command_routers(struct session *session, int argc, char **argv);
enum exit_code command_paths(struct session *session, int argc, char **argv);
enum exit_code command_config(struct session *session, int argc, char **argv);
enum exit_code command_impair(struct session *session, int argc, char **argv);
enum exit_code command_reload(struct session *session, int argc, char **argv);
enum exit_code command_stop(struct session *session, int argc, char **argv);
/* plugins.c */
enum exit_code command_plugins(struct session *session, int argc, char **argv);
enum exit_code command_plugin(struct session *session, int argc, char **argv);
/* set.c */
enum exit_code command_set(struct session *session, int argc, char **argv);
/* history.c */
enum exit_code command_history(struct session *session, int argc, char **argv);
/* help.c */
enum exit_code command_help(struct session *session, int argc, char **argv);
enum exit_code command_version(struct session *session, int argc, char **argv);
