#include "command.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const struct command table[] = {
	{ "status", "", "the daemon at a glance: version, connections by state, limits, audit", "tapstackctl status",
	  0, 0, command_status },
	{ "connections", "[FILTER...]", "live connections and listeners; see FILTERS",
	  "tapstackctl connections state=established dport=80,443 'retrans_total>3'", 0, INT_MAX,
	  command_connections },
	{ "show", "ID", "everything about one live connection, under the names that ss -tieom uses",
	  "tapstackctl show 17", 1, 1, command_show },
	{ "history", "[ID | FILTER...]",
	  "recorded connections, the latest first; or every transition of one. Reads the audit database itself: "
	  "works "
	  "without the daemon",
	  "tapstackctl history cause=RECEIVED_RST peer=192.0.2.0/24", 0, INT_MAX, command_history },
	{ "counters", "", "everything that is counted: frames, segments, verdicts, transitions",
	  "tapstackctl counters --all", 0, 0, command_counters },
	{ "close", "ID",
	  "closes a connection as its service would: what is queued is sent, then a FIN. One that is half open or in "
	  "TIME-WAIT is refused. --abort ends it at once, in any state",
	  "tapstackctl close 17 --abort", 1, 1, command_close },
	{ "set", "ID NAME=VALUE...",
	  "changes a live connection: congestion=ALGORITHM takes over, with window and round-trip time as they are; "
	  "shadow=ALGORITHM sees the same, and its decisions are recorded only (shadow=none ends that); "
	  "sample=TIME (100ms, 1s; a plain number is milliseconds) records its time series, a point no sooner than "
	  "that after the last (sample=0 ends "
	  "that)",
	  "tapstackctl set 17 congestion=bbr shadow=cubic sample=100", 2, INT_MAX, command_set },
	{ "services", "", "what answers on which port", NULL, 0, 0, command_services },
	{ "plugins", "",
	  "congestion algorithms and logging instances, in every version that is loaded, with their users", NULL, 0,
	  0, command_plugins },
	{ "plugin", "ACTION [ARGUMENT...]",
	  "available: what is in the plugin directory. load PLUGIN [as INSTANCE] [PARAM=VALUE...]: makes an "
	  "instance. "
	  "reload INSTANCE: loads its file again. tune INSTANCE PARAM=VALUE...: gives it other parameters. New "
	  "connections get the new version; those that are there keep the old one to their end, or go on with the "
	  "new "
	  "one with --move. unload INSTANCE: removes it; its code goes with the last connection. What was changed so "
	  "holds until the daemon reads its configuration again (what that does not name: until the daemon stops)",
	  "tapstackctl plugin tune cubic beta=0.8 --move", 1, INT_MAX, command_plugin },
	{ "neighbours", "", "who is on the link, and with which Ethernet address (ARP, neighbour discovery)", NULL, 0,
	  0, command_neighbours },
	{ "addresses", "", "the stack's own addresses: configured, made up, or from router advertisements", NULL, 0,
	  0, command_addresses },
	{ "routers", "", "default routers", NULL, 0, 0, command_routers },
	{ "paths", "",
	  "what is known of the way to each destination: its MTU and how it was found, its Fast Open cookie", NULL, 0,
	  0, command_paths },
	{ "config", "[KEY]", "the configuration in force; one key, or a part such as tcp", "tapstackctl config tcp",
	  0, 1, command_config },
	{ "impair", "[add | set NAME | remove NAME | clear] [OPTION=VALUE...]",
	  "what is done to frames on purpose, and what it has come to; or changes it, in the words of link.impair in "
	  "tapstack.yaml(5). A new rule comes last, or with before=NAME before another. Changes are lost when the "
	  "daemon "
	  "stops, and when link.impair is changed in its file",
	  "tapstackctl impair add name=far delay=20ms loss=0.1% 'filter=peer=192.0.2.0/24 dport=80'", 0, INT_MAX,
	  command_impair },
	{ "reload", "", "has the daemon read its configuration file again", NULL, 0, 0, command_reload },
	{ "stop", "", "has the daemon stop in good order", NULL, 0, 0, command_stop },
	{ "help", "[COMMAND]", "this, or more about one command", NULL, 0, 1, command_help },
	{ "version", "", "the version of this program", NULL, 0, 0, command_version },
	{ 0 },
};

const struct command *commands(void)
{
	return table;
}

const struct command *command_find(const char *name)
{
	for (const struct command *command = table; command->name; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

static const struct option_help option_table[] = {
	{ "socket", 's', "PATH",
	  "the daemon's control socket (default " TAPSTACK_RUNTIME_DIRECTORY "/control.sock)" },
	{ "database", 'd', "PATH",
	  "the audit database (default: where the daemon says, else " TAPSTACK_STATE_DIRECTORY "/audit.db)" },
	{ "json", 'j', NULL, "one JSON document; only one of --json, --jsonl, --csv" },
	{ "jsonl", 0, NULL, "a JSON object a line" },
	{ "csv", 0, NULL, "comma-separated values" },
	{ "no-header", 'H', NULL, "no names above the columns" },
	{ "columns", 'c', "NAME,...", "which columns, in this order" },
	{ "limit", 'n', "NUMBER", "no more than so many rows (default: all; history without an ID: 50)" },
	{ "all", 'a', NULL, "counters: zero ones too" },
	{ "abort", 0, NULL, "close: with a reset" },
	{ "move", 0, NULL, "plugin reload, plugin tune: live connections go on with the new version" },
	{ "timeout", 't', "SECONDS", "how long to wait for an answer (default 5)" },
	{ "help", 'h', NULL, "same as the command help" },
	{ "version", 'V', NULL, "same as the command version" },
	{ 0 },
};

const struct option_help *options(void)
{
	return option_table;
}

enum exit_code usage_error(const char *format, ...)
{
	va_list arguments;

	fputs("tapstackctl: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs("\nTry: tapstackctl help\n", stderr);
	return EXIT_USAGE;
}

bool parse_id(const char *text, long long *ret_id)
{
	char *end;
	long long id;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	id = strtoll(text, &end, 10);
	if (errno || *end || id < 1)
		return false;
	*ret_id = id;
	return true;
}

enum exit_code finish_output(int r)
{
	if (r == 0)
		return EXIT_OK;
	fprintf(stderr, "tapstackctl: can't write the output: %s\n", strerror(-r));
	return EXIT_REFUSED;
}
