#include "roff.h"

#include <ctype.h>

void roff_page(FILE *file, const char *name, const char *section, const char *manual, const char *summary)
{
	fputs(".TH ", file);
	for (const char *at = name; *at; at++)
		fputc(toupper((unsigned char)*at), file);
	fprintf(file, " %s \"\" \"tapstack %s\" \"%s\"\n.SH NAME\n", section, PACKAGE_VERSION, manual);
	roff_text(file, name);
	fputs(" \\- ", file);
	roff_line(file, summary);
}

/* A point or an apostrophe is a request at the beginning of a line only, but \& does no harm elsewhere. */
static void put_char(FILE *file, char c, int first)
{
	switch (c) {
	case '-':
		fputs("\\-", file);
		break;
	case '\\':
		fputs("\\e", file);
		break;
	case '`':
		fputs("\\(ga", file);
		break;
	case '\'':
		fputs("\\(aq", file);
		break;
	case '~':
		fputs("\\(ti", file);
		break;
	case '^':
		fputs("\\(ha", file);
		break;
	case '.':
		fputs(first ? "\\&." : ".", file);
		break;
	default:
		fputc(c, file);
	}
}

void roff_text(FILE *file, const char *text)
{
	int first = 1;

	for (; *text; text++) {
		put_char(file, *text, first);
		first = *text == '\n';
	}
}

void roff_line(FILE *file, const char *text)
{
	roff_text(file, text);
	fputc('\n', file);
}

void roff_item(FILE *file, const char *term, const char *argument, const char *text)
{
	fputs(".TP\n\\fB", file);
	roff_text(file, term);
	fputs("\\fR", file);
	if (argument && *argument) {
		fputs(" \\fI", file);
		roff_text(file, argument);
		fputs("\\fR", file);
	}
	fputc('\n', file);
	roff_line(file, text);
}

void roff_example(FILE *file, const char *lines)
{
	fputs(".PP\n.RS 4\n.nf\n", file);
	roff_line(file, lines);
	fputs(".fi\n.RE\n", file);
}

int roff_end(FILE *file)
{
	return fflush(file) == 0 && !ferror(file) ? 0 : 1;
}
