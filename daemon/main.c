/* tapstackd: options, the configuration, and the end. What happens between is in the other main_*.c files. */
#include "main.h"

#include <errno.h>
#include <event2/thread.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
	const char *path;
	const char **set; /* key=value */
	size_t set_count;
	bool check, print;
};

static void print_meanings(const char *title, const struct named_meaning *table)
{
	printf("\n%s:\n", title);
	for (; table->name; table++)
		printf("  %-20s %s\n", table->name, table->meaning);
}

static void print_help(void)
{
	printf("usage: tapstackd [OPTION]...\n"
	       "A TCP/IP stack in user space, on a TAP interface, with an audit of every connection.\n"
	       "\nOptions:\n");
	for (const struct option_help *option = main_options(); option->name; option++) {
		bool has_letter = option->value <= UCHAR_MAX;
		char left[40];

		snprintf(left, sizeof(left), "%c%c%c --%s%s%s", has_letter ? '-' : ' ',
		         has_letter ? option->value : ' ', has_letter ? ',' : ' ', option->name,
		         option->argument ? " " : "", option->argument ? option->argument : "");
		printf("  %-20s %s\n", left, option->help);
	}
	print_meanings("Signals", main_signals());
	print_meanings("Exit codes", main_exit_codes());
}

#define OPTIONS_MAX 16

/* The tables that getopt_long wants, from ours. */
static void getopt_tables(struct option ret_long[static OPTIONS_MAX], char ret_short[static 2 * OPTIONS_MAX])
{
	for (const struct option_help *option = main_options(); option->name; option++) {
		*ret_long++ = (struct option){ option->name, option->argument ? required_argument : no_argument, NULL,
			                       option->value };
		if (option->value > UCHAR_MAX)
			continue;
		*ret_short++ = (char)option->value;
		if (option->argument)
			*ret_short++ = ':';
	}
	*ret_long = (struct option){ 0 };
	*ret_short = '\0';
}

static int usage_error(const char *message)
{
	fprintf(stderr, "tapstackd: %s\nTry 'tapstackd --help'.\n", message);
	return EXIT_USAGE;
}

/* Returns an exit code, or -1 to go on. getopt reports unknown options itself. */
static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
	struct option long_options[OPTIONS_MAX];
	char short_options[2 * OPTIONS_MAX];
	int option;

	getopt_tables(long_options, short_options);
	while ((option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		switch (option) {
		case OPTION_CONFIG:
			arguments->path = optarg;
			break;
		case OPTION_CHECK:
			arguments->check = true;
			break;
		case OPTION_PRINT:
			arguments->print = true;
			break;
		case OPTION_SET:
			if (!strchr(optarg, '='))
				return usage_error("--set wants KEY=VALUE");
			arguments->set[arguments->set_count++] = optarg;
			break;
		case OPTION_VERSION:
			printf("tapstackd %s\n", PACKAGE_VERSION);
			return EXIT_OK;
		case OPTION_HELP:
			print_help();
			return EXIT_OK;
		default:
			return usage_error("wrong usage");
		}
	}
	if (optind < argc)
		return usage_error("no arguments are expected besides options");
	return -1;
}

static int load(const struct config_source *source, struct config **ret_config)
{
	struct config_errors errors = CONFIG_ERRORS_INIT;
	int error = config_load(source, ret_config, &errors);

	if (error != 0) {
		config_errors_print(&errors, stderr);
		if (errors.count == 0)
			fprintf(stderr, "tapstackd: %s: %s\n", source->path, strerror(-error));
	}
	config_errors_free(&errors);
	return error == 0 ? EXIT_OK : EXIT_CONFIG;
}

static void on_terminate(evutil_socket_t signal_number, short events, void *context)
{
	struct daemon *daemon = context;

	(void)events;
	log_write(LOG_NOTICE, "received %s%s", signal_number == SIGINT ? "SIGINT" : "SIGTERM",
	          daemon->stopping ? " again" : "");
	daemon_stop(daemon);
}

static void on_hangup(evutil_socket_t signal_number, short events, void *context)
{
	struct daemon *daemon = context;
	json_t *report = NULL;

	(void)signal_number;
	(void)events;
	log_write(LOG_NOTICE, "received SIGHUP: reading the configuration again");
	daemon_reload(daemon, &report);
	json_decref(report);
}

static struct event *watch_signal(struct daemon *daemon, int number, event_callback_fn callback)
{
	struct event *event = evsignal_new(daemon->base, number, callback, daemon);

	if (event && event_add(event, NULL) != 0) {
		event_free(event);
		return NULL;
	}
	return event;
}

static int run(struct daemon *daemon)
{
	int code;

	signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0 || evthread_use_pthreads() != 0) {
		log_write(LOG_CRIT, "cannot start: libsodium or libevent does not work here");
		return EXIT_RUNTIME;
	}
	daemon->base = event_base_new();
	if (daemon->base) {
		daemon->signal_term = watch_signal(daemon, SIGTERM, on_terminate);
		daemon->signal_int = watch_signal(daemon, SIGINT, on_terminate);
		daemon->signal_hup = watch_signal(daemon, SIGHUP, on_hangup);
	}
	if (!daemon->signal_term || !daemon->signal_int || !daemon->signal_hup) {
		log_write(LOG_CRIT, "cannot start: no event loop: %s", strerror(errno));
		daemon_free(daemon);
		return EXIT_RUNTIME;
	}
	code = daemon_start(daemon);
	if (code == EXIT_OK) {
		event_base_dispatch(daemon->base);
		notify_stopping(DURATION_S(0));
	}
	daemon_free(daemon);
	if (code == EXIT_OK)
		log_write(LOG_NOTICE, "stopped");
	return code;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .path = TAPSTACK_CONFIG_FILE };
	struct config_source source = { 0 };
	struct daemon daemon = { .source = &source, .born = shard_now() };
	int code;

	arguments.set = calloc((size_t)argc + 1, sizeof(*arguments.set));
	if (!arguments.set)
		return EXIT_RUNTIME;
	code = parse_arguments(argc, argv, &arguments);
	if (code < 0 && arguments.print)
		code = config_write_template(stdout) == 0 ? EXIT_OK : EXIT_RUNTIME;
	if (code < 0) {
		source = (struct config_source){ arguments.path, arguments.set, arguments.set_count };
		code = load(&source, &daemon.config);
	} else {
		free(arguments.set);
		return code;
	}
	if (code == EXIT_OK) {
		log_open((int)daemon.config->log.level);
		daemon.started = daemon.config;
		code = arguments.check ? daemon_check(&daemon) : run(&daemon);
	}
	if (daemon.started != daemon.config)
		config_free(daemon.started);
	config_free(daemon.config);
	free(arguments.set);
	return code;
}
