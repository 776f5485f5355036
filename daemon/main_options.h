#pragma once
/* What tapstackd takes on its command line, which signals it answers and how it ends: the tables from which parsing,
 * --help and tapstackd(8) are made. */

/* Exit codes: name, number, meaning. */
#define EXIT_CODES(X)                                                                                                \
	X(OK, 0, "all is well")                                                                                      \
	X(RUNTIME, 1, "failed while starting or running")                                                            \
	X(USAGE, 2, "wrong usage")                                                                                   \
	X(CONFIG, 3, "bad configuration")

enum exit_code {
#define EXIT_ENUM(name, number, meaning) EXIT_##name = number,
	EXIT_CODES(EXIT_ENUM)
#undef EXIT_ENUM
};

/* What getopt_long returns: the letter, or a number beyond all letters for an option that has none. */
enum option_value {
	OPTION_CONFIG = 'c',
	OPTION_CHECK = 256,
	OPTION_PRINT,
	OPTION_SET,
	OPTION_VERSION,
	OPTION_HELP,
};

struct option_help {
	int value;            /* enum option_value */
	const char *name;     /* long, without the dashes; NULL ends the table */
	const char *argument; /* NULL: takes none */
	const char *help;     /* one line */
};

struct named_meaning {
	const char *name, *meaning; /* a NULL name ends the table */
};

const struct option_help *main_options(void);
const struct named_meaning *main_signals(void);
const struct named_meaning *main_exit_codes(void);
