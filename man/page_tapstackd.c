/* Prints tapstackd(8), from the daemon's own tables. */
#include "main_options.h"
#include "roff.h"

#include <limits.h>

static void put_options(FILE *file)
{
	for (const struct option_help *option = main_options(); option->name; option++) {
		char term[64];

		if (option->value <= UCHAR_MAX)
			snprintf(term, sizeof(term), "-%c, --%s", option->value, option->name);
		else
			snprintf(term, sizeof(term), "--%s", option->name);
		roff_item(file, term, option->argument, option->help);
	}
}

static void put_meanings(FILE *file, const char *title, const struct named_meaning *table)
{
	fprintf(file, ".SH %s\n", title);
	for (; table->name; table++)
		roff_item(file, table->name, NULL, table->meaning);
}

static void put_description(FILE *file)
{
	fputs(".SH SYNOPSIS\n.B tapstackd\n[\\fIOPTION\\fR]...\n.SH DESCRIPTION\n", file);
	roff_line(file,
	          "A TCP/IP stack of its own, in user space, on a TAP interface. It answers with the services that\n"
	          "its configuration names, and records every state transition of every connection in an SQLite\n"
	          "database, with the time and the cause.");
	fputs(".PP\n", file);
	roff_line(
	        file,
	        "It stays in the foreground and writes its log to standard error, in the journal's form when that\n"
	        "is the journal. It needs CAP_NET_ADMIN to make and configure the interface; it needs no privilege\n"
	        "when the interface was made for its user beforehand (ip tuntap add NAME mode tap user USER, with\n"
	        "its addresses) and link.host_addresses is [], or when link.backend is a Unix socket.");
}

static void put_reload(FILE *file)
{
	fputs(".SH RELOADING\n", file);
	roff_line(
	        file,
	        "SIGHUP, tapstackctl reload and systemctl reload have the file read and checked as a whole, options\n"
	        "given by --set over it again. When anything is wrong, nothing changes and the log says what. Else\n"
	        "the keys marked live take their new values, services in all shards or in none; keys that need a\n"
	        "restart are named in the log and stay as they were.");
	fputs(".SH STOPPING\n", file);
	roff_line(file,
	          "Services listen no more and connections are closed. What has not ended within shutdown.grace, or\n"
	          "when a second signal comes, is aborted and recorded so. Then the audit is written out. What a\n"
	          "daemon could not write, because it was killed, the next one finds in the journal and writes.");
}

static void put_guard(FILE *file)
{
	fputs(".SH CONGESTION ALGORITHMS\n", file);
	roff_line(
	        file,
	        "What a plugin decides is held in bounds: a window of one segment at least, a pace of one segment a\n"
	        "round trip at least. Asking for less is an offence, and so is a callback that takes longer than\n"
	        "100 microseconds (64 in time make one forgotten; some callbacks are timed, and each one after one\n"
	        "that took too long); the counter congestion_offences has all of them.\n"
	        "After eight offences the connection goes on with the built-in Reno, which begins with a window of\n"
	        "its own; an algorithm in shadow is taken away. The log then has a warning, and the view actions a\n"
	        "row of the daemon itself: CongestionFallback, or CongestionRefused when the algorithm would not\n"
	        "begin, with the connection's id, the algorithm and what it did; the result is who took over.");
	fputs(".PP\n", file);
	roff_line(
	        file,
	        "An algorithm may be tried in shadow, and two beside each other in an A/B test: congestion.rules in\n"
	        "tapstack.yaml(5). The views shadow_comparison and congestion_comparison of the audit compare them;\n"
	        "samples and outputs are the time series of connections that are sampled.");
}

static void put_files(FILE *file)
{
	fputs(".SH FILES\nThe keys of tapstack.yaml name other places.\n", file);
	roff_item(file, TAPSTACK_CONFIG_FILE, NULL, "the configuration, see tapstack.yaml(5)");
	roff_item(file, TAPSTACK_STATE_DIRECTORY "/audit.db", NULL,
	          "the audit, for the sqlite3 shell and tapstackctl history. Begin with the views connections, "
	          "transitions,\n"
	          "live, endings, runs and actions; for time series samples and outputs, and for algorithms\n"
	          "congestion_comparison and shadow_comparison");
	roff_item(file, TAPSTACK_STATE_DIRECTORY "/ring-*", NULL,
	          "the journal, one file a shard: what is not in the database yet");
	roff_item(file, TAPSTACK_STATE_DIRECTORY "/stable-secret", NULL,
	          "what IPv6 addresses are made from, so that they stay the same; made when there is none");
	roff_item(file, TAPSTACK_RUNTIME_DIRECTORY "/control.sock", NULL,
	          "the control socket, for tapstackctl; varlink");
	roff_item(file, TAPSTACK_PLUGIN_DIRECTORY "/*.so", NULL,
	          "plugins. They are copied to memory files before they are loaded (/proc/PID/maps shows "
	          "memfd:NAME.so), which\n"
	          "the kernel must allow: sysctl vm.memfd_noexec is 0 or 1");
}

static void put_unit(FILE *file)
{
	fputs(".SH SYSTEMD\n", file);
	roff_line(file,
	          "tapstackd.service runs the daemon as user tapstack with CAP_NET_ADMIN and nothing else. It is\n"
	          "ready when the interface is up and the services listen, so units ordered after it find them. It\n"
	          "is watched: when a shard no longer answers, the daemon is started again. A configuration that is\n"
	          "wrong is not tried again, and one that --check refuses makes systemctl reload fail.");
	fputs(".PP\n", file);
	roff_line(file, "Logging plugins may write in the state directory and in /var/log/tapstack.");
	fputs(".PP\n", file);
	roff_line(file, "Relays reach servers on this machine only. For a server elsewhere, allow it in a drop-in "
	                "(systemctl\n"
	                "edit tapstackd):");
	roff_example(file, "[Service]\nIPAddressAllow=198.51.100.7");
}

int main(void)
{
	FILE *file = stdout;

	roff_page(file, "tapstackd", "8", "System Administration",
	          "TCP/IP stack in user space, with an audit of every connection");
	put_description(file);
	fputs(".SH OPTIONS\n", file);
	put_options(file);
	put_meanings(file, "SIGNALS", main_signals());
	put_reload(file);
	put_meanings(file, "EXIT STATUS", main_exit_codes());
	put_guard(file);
	put_files(file);
	put_unit(file);
	fputs(".SH EXAMPLES\nTo see whether a file is good, and to try another congestion control once:\n", file);
	roff_example(file, "tapstackd --check -c new.yaml\n"
	                   "tapstackd -c new.yaml --set plugins.congestion=[cubic] --set congestion.default=cubic");
	fputs(".SH SEE ALSO\n.BR tapstack.yaml (5),\n.BR tapstackctl (1),\n.BR sqlite3 (1),\n.BR systemctl (1)\n",
	      file);
	return roff_end(file);
}
