/* tapstackd: options, the configuration, and the end. What happens between is in the other main_*.c files. */
#include "main.h"

#include <errno.h>
#include <event2/thread.h>
#include <getopt.h>
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

enum { OPTION_CHECK = 256, OPTION_PRINT, OPTION_SET, OPTION_VERSION, OPTION_HELP };

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check", no_argument, NULL, OPTION_CHECK },
	{ "print-config", no_argument, NULL, OPTION_PRINT },
	{ "set", required_argument, NULL, OPTION_SET },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ 0 },
};

static void print_help(void)
{
	printf("usage: tapstackd [OPTION]...\n"
	       "A TCP/IP stack in user space, on a TAP interface, with an audit of every connection.\n"
	       "\n"
	       "  -c, --config FILE    the configuration (default: " TAPSTACK_CONFIG_FILE ")\n"
	       "      --set KEY=VALUE  one key, over the file; may be given more than once\n"
	       "      --check          check the configuration and load the plugins it names, without opening\n"
	       "                       an interface, file, directory or socket that it names, and end\n"
	       "      --print-config   print every key with its help and default, and end\n"
	       "      --version        print the version, and end\n"
	       "      --help           print this, and end\n"
	       "\n"
	       "Signals: SIGTERM and SIGINT stop (a second one at once), SIGHUP reads the configuration again.\n"
	       "Exit codes: 0 all is well, 1 failed while starting or running, 2 wrong usage, 3 bad "
	       "configuration.\n");
}

static int usage_error(const char *message)
{
	fprintf(stderr, "tapstackd: %s\nTry 'tapstackd --help'.\n", message);
	return EXIT_USAGE;
}

/* Returns an exit code, or -1 to go on. getopt reports unknown options itself. */
static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
	int option;

	while ((option = getopt_long(argc, argv, "c:", long_options, NULL)) != -1) {
		switch (option) {
		case 'c':
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
		notify_stopping();
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
