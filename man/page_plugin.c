/* Prints tapstack-plugin(7); what it says about each plugin that comes with tapstack is what the plugin says about
 * itself. Arguments: the shared objects. */
#include "roff.h"
#include "tapstack/congestion.h"
#include "tapstack/logging.h"

#include <dlfcn.h>
#include <math.h>
#include <string.h>

static void put_description(FILE *file)
{
	fputs(".SH DESCRIPTION\n", file);
	roff_line(
	        file,
	        "A plugin is one shared object that exports one symbol, tapstack_plugin: a table that says what it\n"
	        "is, which parameters it takes, what it can tell about itself, and which functions tapstackd is to\n"
	        "call. There are two kinds. A congestion algorithm decides how much may be in flight; a log is told\n"
	        "of every state transition of every connection, and of packets where the configuration asks for\n"
	        "them.");
	fputs(".PP\n", file);
	roff_line(
	        file,
	        "The headers are the reference: <tapstack/plugin.h>, <tapstack/congestion.h> and\n"
	        "<tapstack/logging.h> say for each field what it means, in which unit, and when it is valid, and\n"
	        "for each function when it is called, on which thread, and how long it may take. They need nothing\n"
	        "but a C11 or C++ compiler, and a plugin includes nothing else of tapstack.");
}

static void put_beginning(FILE *file)
{
	fputs(".SH WRITING ONE\n", file);
	roff_line(file,
	          "The folder examples/plugin of the sources has one of each kind, and a Makefile of five lines:");
	roff_example(file, "CFLAGS += -g -O2 -Wall -Wextra -fPIC -fvisibility=hidden \\e\n"
	                   "    $(shell pkg-config --cflags tapstack-plugin)\n"
	                   "%.so: %.c ; $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -shared -o $@ $<");
	roff_line(
	        file,
	        "The file must have the plugin's name, and lie in plugins.directory (pkg-config\n"
	        "--variable=plugindir tapstack-plugin). Only root or the daemon's user may be able to write the\n"
	        "file, its folder, and the folders above: its code has all rights of the daemon, and one that never\n"
	        "comes back stops its shard until the watchdog starts the daemon again.");
	fputs(".PP\n", file);
	roff_line(file,
	          "A congestion algorithm gets facts and returns a decision; it sees no connection, reads no clock\n"
	          "and draws no random number of its own, so that the same facts lead to the same decisions. Keep\n"
	          "everything in the state that the daemon allocates for each connection. A decision that makes no\n"
	          "sense is corrected and counted; a connection whose algorithm keeps offending, or takes too long,\n"
	          "goes on with the built-in Reno, and the log and the audit say so.");
	fputs(".PP\n", file);
	roff_line(
	        file,
	        "A log runs on a thread of its own behind a bounded queue: it may wait, and what it then misses is\n"
	        "counted. Go through events with tapstack_log_next_event(), not by an index.");
}

static void put_versions(FILE *file)
{
	fputs(".SH VERSIONS\n", file);
	roff_line(
	        file,
	        "TAPSTACK_PLUGIN_ABI changes only when old plugins can't work any more. As long as it is the same,\n"
	        "a plugin works with every tapstackd that is as new as the headers it was built with, or newer;\n"
	        "structs only grow at the end, and say in struct_size how far they reach. A plugin that was built\n"
	        "with newer headers than the daemon's is refused, and the message says so.");
	fputs(".PP\n", file);
	roff_line(
	        file,
	        "A running daemon takes a new version of a plugin: install the file (by renaming, as install(1) and\n"
	        "package managers do, or in place), then tapstackctl plugin reload NAME. New connections get the\n"
	        "new version; those that live keep the old one until they end, or are moved with --move, with\n"
	        "their state where the plugin has export_state and import_state.");
}

static void put_trying(FILE *file)
{
	fputs(".SH TRYING ONE OUT\n", file);
	roff_line(file, "Beside the one that acts, on the live connections of one service, without risk:");
	roff_example(file, "congestion:\n"
	                   "  rules:\n"
	                   "    - {service: web, shadow: fixed, sample: 100ms}");
	roff_line(file, "and then, in the audit: SELECT * FROM shadow_comparison. On a half of the connections:");
	roff_example(file, "    - {service: web, use: {cubic: 1, fixed: 1}}");
	roff_line(file, "and then SELECT * FROM congestion_comparison. On one connection: tapstackctl set ID\n"
	                "congestion=fixed. link.impair (see tapstack.yaml(5)) makes the path as bad as it is to be.");
}

/* What the logging plugins here have in common, and what their parameters do not say. */
static void put_logs(FILE *file)
{
	fputs(".SH LOGS\n", file);
	roff_line(
	        file,
	        "An event matters as much as its cause: err are OUT_OF_MEMORY and DAEMON_CRASH; warning are resets\n"
	        "received, time-outs but that of TIME-WAIT, ICMP errors, data that found no reader, and what was "
	        "given\n"
	        "up under load; notice is what was ended by decision, of an administrator for example; info are the\n"
	        "first and last transition of a connection and the one to ESTABLISHED; debug is the rest. The "
	        "parameter\n"
	        "minimum selects by that: trouble is warning and worse, ends are trouble and the last of each "
	        "connection.");
	fputs(".PP\n", file);
	roff_line(file,
	          "No log holds up packets or the audit. What a slow or dead one loses is counted, and told with the "
	          "next\n"
	          "event that it gets: events, missed and queued of tapstackctl plugins add up to the transitions "
	          "there\n"
	          "were. Over TCP, syslog keeps what the receiver's kernel has not acknowledged, and sends it again "
	          "when\n"
	          "the connection is lost; a message may come twice then. jsonl opens its file again on SIGHUP.");
	fputs(".PP\n", file);
	roff_line(file, "postgresql needs a role that may create its schema the first time, or owns it, because it "
	                "makes the\n"
	                "partitions of each day (connection_20231114, transition_20231114, in UTC) as the days come: "
	                "CREATE ROLE\n"
	                "tapstack LOGIN; CREATE SCHEMA tapstack AUTHORIZATION tapstack; for readers, GRANT USAGE ON "
	                "SCHEMA and\n"
	                "SELECT on the views connections, transitions, live, runs, endings and "
	                "congestion_comparison. A day is forgotten by "
	                "DROP TABLE of\n"
	                "its two partitions. Time series and actions are in each machine's own audit only. Events "
	                "that waited in the daemon when it crashed are in its own audit "
	                "only. The\n"
	                "unit of systemd lets the daemon reach this machine only: a receiver elsewhere needs "
	                "IPAddressAllow= in a\n"
	                "drop-in. Whoever wants the journal's entries in a namespace sets LogNamespace= there.");
}

static void put_param(FILE *file, const struct tapstack_param_spec *param)
{
	char text[600], term[100];

	snprintf(term, sizeof(term), "%s=%s", param->name,
	         param->type == TAPSTACK_PARAM_SWITCH ? "yes|no"
	         : param->type == TAPSTACK_PARAM_TEXT ? "TEXT"
	                                              : "NUMBER");
	if (param->type == TAPSTACK_PARAM_TEXT)
		snprintf(text, sizeof(text), "%s (%s%s)", param->help,
		         param->initial_text == NULL ? "must be given" : "default: ",
		         param->initial_text == NULL      ? ""
		         : param->initial_text[0] == '\0' ? "nothing"
		                                          : param->initial_text);
	else if (param->type == TAPSTACK_PARAM_SWITCH)
		snprintf(text, sizeof(text), "%s (default: %s)", param->help, param->initial != 0 ? "yes" : "no");
	else
		snprintf(text, sizeof(text), "%s (%.12g to %.12g%s%s; default: %.12g)", param->help, param->min,
		         param->max, param->unit[0] != '\0' ? " " : "", param->unit, param->initial);
	roff_item(file, term, NULL, text);
}

static void put_plugin(FILE *file, const struct tapstack_plugin *plugin)
{
	fprintf(file, ".SS %s\n", plugin->name);
	roff_line(file, plugin->description);
	if (plugin->param_count > 0)
		fputs(".PP\nParameters:\n", file);
	for (uint32_t i = 0; i < plugin->param_count; i++)
		put_param(file, &plugin->params[i]);
	if (plugin->output_count > 0)
		fputs(".PP\nOutputs:\n", file);
	for (uint32_t i = 0; i < plugin->output_count; i++) {
		const struct tapstack_output_spec *output = &plugin->outputs[i];
		char text[600];

		snprintf(text, sizeof(text), "%s%s%s", output->help, output->unit[0] != '\0' ? ", in " : "",
		         output->unit);
		roff_item(file, output->name, NULL, text);
	}
}

/* False: it can't be loaded. */
static int put_file(FILE *file, const char *path, uint32_t kind)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const struct tapstack_plugin *plugin = library ? dlsym(library, "tapstack_plugin") : NULL;

	if (!plugin) {
		fprintf(stderr, "%s\n", dlerror());
		return -1;
	}
	if (plugin->kind == kind)
		put_plugin(file, plugin);
	dlclose(library);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		uint32_t kind;
		const char *title;
	} kinds[] = {
		{ TAPSTACK_PLUGIN_CONGESTION, "CONGESTION ALGORITHMS" },
		{ TAPSTACK_PLUGIN_LOGGING, "LOGS" },
	};
	FILE *file = stdout;

	roff_page(file, "tapstack-plugin", "7", "Miscellaneous Information",
	          "plugins of tapstackd: congestion algorithms and logs");
	put_description(file);
	put_beginning(file);
	put_versions(file);
	put_trying(file);
	put_logs(file);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		fprintf(file, ".SH %s\n", kinds[i].title);
		roff_line(file, "That come with tapstack; tapstackctl plugin available lists what is in the folder.");
		for (int j = 1; j < argc; j++) {
			if (put_file(file, argv[j], kinds[i].kind) != 0)
				return 1;
		}
	}
	fputs(".SH SEE ALSO\n.BR tapstackd (8),\n.BR tapstackctl (1),\n.BR tapstack.yaml (5),\n.BR pkg-config (1)\n",
	      file);
	return roff_end(file);
}
