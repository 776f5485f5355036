/* tapstackctl: reads the command line and runs one command. */
#include "command.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPTIONS_MAX = 32, COLUMNS_MAX = 64 };

struct command_line {
	struct session session;
	char *column_text;
	const char *columns[COLUMNS_MAX];
	bool help, version, format_chosen;
};

static bool parse_columns(struct command_line *line, const char *text)
{
	char *save;

	free(line->column_text);
	line->column_text = strdup(text);
	line->session.output.column_count = 0;
	for (char *name = line->column_text ? strtok_r(line->column_text, ", ", &save) : NULL; name;
	     name = strtok_r(NULL, ", ", &save)) {
		if (line->session.output.column_count == COLUMNS_MAX)
			return false;
		line->columns[line->session.output.column_count++] = name;
	}
	line->session.output.columns = line->columns;
	return line->session.output.column_count > 0;
}

static bool parse_timeout(struct command_line *line, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds > 0) || seconds > 1e6)
		return false;
	line->session.timeout_ms = (int)(seconds * 1000 + 0.999);
	return true;
}

static bool parse_limit(struct command_line *line, const char *text)
{
	long long limit;

	if (!parse_id(text, &limit) || limit > 1000000000)
		return false;
	line->session.limit = (long)limit;
	return true;
}

/* The form of the output; false: another one has been chosen before. */
static bool choose_format(struct command_line *line, enum output_format format)
{
	if (line->format_chosen && line->session.output.format != format)
		return false;
	line->format_chosen = true;
	line->session.output.format = format;
	return true;
}

/* Takes one option; false: its argument is not valid, or it does not go with one before. */
static bool take_option(struct command_line *line, const char *name, const char *argument)
{
	struct session *session = &line->session;

	if (strcmp(name, "socket") == 0)
		session->socket_path = argument;
	else if (strcmp(name, "database") == 0)
		session->database = argument;
	else if (strcmp(name, "json") == 0)
		return choose_format(line, OUTPUT_JSON);
	else if (strcmp(name, "jsonl") == 0)
		return choose_format(line, OUTPUT_JSONL);
	else if (strcmp(name, "csv") == 0)
		return choose_format(line, OUTPUT_CSV);
	else if (strcmp(name, "no-header") == 0)
		session->output.header = false;
	else if (strcmp(name, "columns") == 0)
		return parse_columns(line, argument);
	else if (strcmp(name, "limit") == 0)
		return parse_limit(line, argument);
	else if (strcmp(name, "all") == 0)
		session->all = true;
	else if (strcmp(name, "abort") == 0)
		session->abort = true;
	else if (strcmp(name, "move") == 0)
		session->move = true;
	else if (strcmp(name, "timeout") == 0)
		return parse_timeout(line, argument);
	else if (strcmp(name, "help") == 0)
		line->help = true;
	else if (strcmp(name, "version") == 0)
		line->version = true;
	return true;
}

/* The tables that getopt_long wants, from ours. The colon makes it tell a missing argument from an unknown option. */
static size_t getopt_tables(struct option *ret_long, char *ret_short)
{
	const struct option_help *table = options();
	size_t count = 0;

	*ret_short++ = ':';
	for (; table[count].name; count++) {
		ret_long[count] = (struct option){ .name = table[count].name,
			                           .has_arg = table[count].argument ? required_argument : no_argument,
			                           .val = (int)count + 0x100 };
		if (table[count].letter) {
			*ret_short++ = table[count].letter;
			if (table[count].argument)
				*ret_short++ = ':';
		}
	}
	ret_long[count] = (struct option){ 0 };
	*ret_short = '\0';
	return count;
}

static size_t option_index(int value)
{
	const struct option_help *table = options();
	size_t i = 0;

	if (value >= 0x100)
		return (size_t)value - 0x100;
	while (table[i].letter != value)
		i++;
	return i;
}

/* getopt_long has answered '?', after which optopt is 0 for a long option that is unknown or short for several, the
 * option's value for one that takes no argument, and else the letter. */
static enum exit_code not_an_option(char **argv)
{
	const char *last = argv[optind - 1];

	if (optopt >= 0x100)
		return usage_error("--%s takes no argument", options()[option_index(optopt)].name);
	if (optopt == 0)
		return usage_error("unrecognized option \"%s\", or ambiguous", last);
	if (optopt >= '0' && optopt <= '9') {
		/* getopt goes on to the next argument only when it has seen all letters of this one. */
		const char *number = last[0] == '-' && last[1] == optopt && last[2] == '\0' ? last : argv[optind];

		return usage_error("\"%s\" is neither an option nor a connection's number: these are above 0",
		                   number);
	}
	return usage_error("unrecognized option \"-%c\"", optopt);
}

static enum exit_code read_options(struct command_line *line, int argc, char **argv)
{
	struct option long_options[OPTIONS_MAX];
	char short_options[2 * OPTIONS_MAX];
	int value;

	getopt_tables(long_options, short_options);
	opterr = 0;
	while ((value = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		const struct option_help *option;

		if (value == '?')
			return not_an_option(argv);
		if (value == ':')
			return usage_error("--%s requires an argument", options()[option_index(optopt)].name);
		option = &options()[option_index(value)];
		if (take_option(line, option->name, optarg))
			continue;
		if (!optarg)
			return usage_error("only one of --json, --jsonl and --csv can be chosen");
		return usage_error("--%s %s is not valid: %s", option->name, optarg, option->help);
	}
	return EXIT_OK;
}

static enum exit_code run_command(struct command_line *line, int argc, char **argv)
{
	const struct command *command;

	if (line->version)
		return command_version(&line->session, 0, NULL);
	if (line->help)
		return command_help(&line->session, argc > 0 ? 1 : 0, argv);
	if (argc == 0) {
		command_help(&(struct session){ .output.file = stderr }, 0, NULL);
		return EXIT_USAGE;
	}
	command = command_find(argv[0]);
	if (!command)
		return usage_error("there is no command \"%s\"", argv[0]);
	argc--;
	argv++;
	if (argc < command->args_min || argc > command->args_max)
		return usage_error("the command is: tapstackctl %s%s%s", command->name, *command->args ? " " : "",
		                   command->args);
	if (line->session.abort && command->run != command_close)
		return usage_error("--abort goes with close only");
	if (line->session.move && command->run != command_plugin)
		return usage_error("--move goes with plugin reload and plugin tune only");
	return command->run(&line->session, argc, argv);
}

int main(int argc, char **argv)
{
	const char *no_color = getenv("NO_COLOR");
	struct command_line line = {
		.session = {
			.socket_path = TAPSTACK_RUNTIME_DIRECTORY "/control.sock",
			.timeout_ms = 5000,
			.output = { .file = stdout, .format = OUTPUT_TABLE, .header = true },
		},
	};
	enum exit_code code;

	line.session.output.bold = isatty(STDOUT_FILENO) && !(no_color && *no_color);
	code = read_options(&line, argc, argv);
	if (code == EXIT_OK)
		code = run_command(&line, argc - optind, argv + optind);
	free(line.column_text);
	return (int)code;
}
