#include "main_options.h"

#include <stddef.h>

const struct option_help *main_options(void)
{
	static const struct option_help options[] = {
		{ OPTION_CONFIG, "config", "FILE", "the configuration (default: " TAPSTACK_CONFIG_FILE ")" },
		{ OPTION_SET, "set", "KEY=VALUE", "one key, over the file; may be given more than once" },
		{ OPTION_CHECK, "check", NULL,
		  "check the configuration and load its plugins, without opening anything else it names, and end" },
		{ OPTION_PRINT, "print-config", NULL, "print every key with its help and default, and end" },
		{ OPTION_VERSION, "version", NULL, "print the version, and end" },
		{ OPTION_HELP, "help", NULL, "print this, and end" },
		{ 0 },
	};

	return options;
}

const struct named_meaning *main_signals(void)
{
	static const struct named_meaning signals[] = {
		{ "SIGTERM, SIGINT",
		  "stop: connections are closed within shutdown.grace; the second one aborts them" },
		{ "SIGHUP", "read the configuration and the plugins again, all of it or nothing, and reopen the logs "
		            "of plugins in either case" },
		{ NULL, NULL },
	};

	return signals;
}

const struct named_meaning *main_exit_codes(void)
{
	static const struct named_meaning codes[] = {
#define EXIT_TEXT(name, number, meaning) { #number, meaning },
		EXIT_CODES(EXIT_TEXT)
#undef EXIT_TEXT
		        { NULL, NULL },
	};

	return codes;
}
