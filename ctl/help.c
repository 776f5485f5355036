/* Help, from the tables. */
#include "command.h"

#include "filter.h"
#include "tapstack/control.h"

#include <errno.h>
#include <string.h>

static const struct {
	int code;
	const char *meaning;
} exit_codes[] = {
#define EXIT_HELP(name, number, meaning) { number, meaning },
	EXIT_CODES(EXIT_HELP)
#undef EXIT_HELP
};

enum { EXIT_COUNT = sizeof(exit_codes) / sizeof(exit_codes[0]) };

static void print_option(FILE *file, const struct option_help *option)
{
	char left[64];

	snprintf(left, sizeof(left), "%s%c%s--%s%s%s", option->letter ? "-" : " ",
	         option->letter ? option->letter : ' ', option->letter ? ", " : "  ", option->name,
	         option->argument ? " " : "", option->argument ? option->argument : "");
	fprintf(file, "  %-26s %s\n", left, option->help);
}

static void print_filters(FILE *file)
{
	fputs("Filters: FIELD=VALUE[,VALUE...], also != < <= > >=; all must hold. Texts may have * and ?, addresses "
	      "a\n"
	      "prefix, sizes a suffix (64KiB), times a unit (200us, 1.5s; alone: ms). A state is one of RFC 9293, "
	      "or\n"
	      "connected, synchronized, closing-down. Quote < and > from the shell.\n",
	      file);
}

static void print_overview(FILE *file)
{
	fputs("tapstackctl: sees and steers tapstackd\n\nUsage: tapstackctl [OPTION...] COMMAND "
	      "[ARGUMENT...]\n\nCommands:\n",
	      file);
	for (const struct command *command = commands(); command->name; command++) {
		char left[64];

		snprintf(left, sizeof(left), "%s %s", command->name, command->args);
		fprintf(file, "  %-26s %s\n", left, command->help);
	}
	fputs("\nOptions:\n", file);
	for (const struct option_help *option = options(); option->name; option++)
		print_option(file, option);
	fputc('\n', file);
	print_filters(file);
	fputs("\nExit status:\n", file);
	for (int i = 0; i < EXIT_COUNT; i++)
		fprintf(file, "  %d  %s\n", exit_codes[i].code, exit_codes[i].meaning);
}

static void print_fields(FILE *file)
{
	fputs("\nFields:\n", file);
	for (const struct filter_field *field = filter_fields(); field->name; field++)
		fprintf(file, "  %-16s %s%s%s%s\n", field->name, field->help, *field->unit ? " (" : "", field->unit,
		        *field->unit ? ")" : "");
	fputs("\nOther names:\n", file);
	for (const struct filter_alias *alias = filter_aliases(); alias->name; alias++)
		fprintf(file, "  %-16s %s\n", alias->name, alias->field);
}

enum exit_code command_help(struct session *session, int argc, char **argv)
{
	FILE *file = session->output.file;
	const struct command *command;

	if (argc == 0) {
		print_overview(file);
		return finish_output(fflush(file) ? -EIO : 0);
	}
	command = command_find(argv[0]);
	if (!command)
		return usage_error("there is no command \"%s\"", argv[0]);
	fprintf(file, "tapstackctl %s%s%s\n\n  %s\n", command->name, *command->args ? " " : "", command->args,
	        command->help);
	if (command->example)
		fprintf(file, "\nExample:\n  %s\n", command->example);
	if (strstr(command->args, "FILTER")) {
		fputc('\n', file);
		print_filters(file);
		print_fields(file);
	}
	return finish_output(fflush(file) ? -EIO : 0);
}

enum exit_code command_version(struct session *session, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	fprintf(session->output.file, "tapstackctl %s\n", PACKAGE_VERSION);
	return finish_output(fflush(session->output.file) ? -EIO : 0);
}
