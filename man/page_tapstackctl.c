/* Prints tapstackctl(1), from the program's own tables. */
#include "command.h"
#include "filter.h"
#include "roff.h"

#include <string.h>

static const struct {
	const char *number, *meaning;
} exit_codes[] = {
#define EXIT_TEXT(name, number, meaning) { #number, meaning },
	EXIT_CODES(EXIT_TEXT)
#undef EXIT_TEXT
};

static void put_options(FILE *file)
{
	for (const struct option_help *option = options(); option->name; option++) {
		char term[64];

		if (option->letter)
			snprintf(term, sizeof(term), "-%c, --%s", option->letter, option->name);
		else
			snprintf(term, sizeof(term), "--%s", option->name);
		roff_item(file, term, option->argument, option->help);
	}
}

static void put_filters(FILE *file)
{
	fputs("A filter is one or more conditions, all of which must hold: a field, one of\n"
	      ".BR = ,\n.BR != ,\n.BR < ,\n.BR <= ,\n.BR > ,\n.BR >= ,\n"
	      "and a value. = and != take several values with commas between: one of them, none of them. Texts are\n"
	      "shell patterns; addresses may be prefixes; sizes may have a suffix (64KiB), times a unit (200us, "
	      "1.5s;\n"
	      "milliseconds when there is none). Besides the states of RFC 9293 there are the groups connected,\n"
	      "synchronized and closing\\-down. A record that does not keep a field fits no condition on it.\n",
	      file);
	for (const struct filter_field *field = filter_fields(); field->name; field++) {
		roff_item(file, field->name, NULL, field->help);
		if (*field->unit)
			fprintf(file, "(%s)\n", field->unit);
	}
	for (const struct filter_alias *alias = filter_aliases(); alias->name; alias++) {
		char text[64];

		snprintf(text, sizeof(text), "the same as %s", alias->field);
		roff_item(file, alias->name, NULL, text);
	}
}

int main(void)
{
	FILE *file = stdout;

	roff_page(file, "tapstackctl", "1", "User Commands", "sees and steers tapstackd");
	fputs(".SH SYNOPSIS\n.B tapstackctl\n[\\fIOPTION\\fR...] \\fICOMMAND\\fR [\\fIARGUMENT\\fR...]\n.SH "
	      "DESCRIPTION\n"
	      "Shows what tapstackd does now, over its control socket, and what it did, from its audit database.\n"
	      ".SH COMMANDS\n",
	      file);
	for (const struct command *command = commands(); command->name; command++) {
		roff_item(file, command->name, command->args, command->help);
		if (command->example) {
			fputs(".br\n", file);
			roff_text(file, command->example);
			fputc('\n', file);
		}
	}
	fputs(".SH OPTIONS\n", file);
	put_options(file);
	fputs(".SH FILTERS\n", file);
	put_filters(file);
	fputs(".SH EXIT STATUS\n", file);
	for (size_t i = 0; i < sizeof(exit_codes) / sizeof(exit_codes[0]); i++)
		roff_item(file, exit_codes[i].number, NULL, exit_codes[i].meaning);
	fputs(".SH ENVIRONMENT\n.TP\n.B NO_COLOR\nWhen set and not empty, nothing is emphasised; it never is unless "
	      "the\n"
	      "output is a terminal.\n.SH SEE ALSO\n.BR tapstackd (8),\n.BR tapstack.yaml (5),\n.BR ss (8),\n.BR "
	      "sqlite3 (1)\n",
	      file);
	return roff_end(file);
}
