/* Prints tapstack.yaml(5), from the table of keys. */
#include "config/config.h"
#include "config/reader.h"
#include "roff.h"

#include <string.h>

enum { EVERY_KIND = (1u << CONFIG_SERVICE_KIND_COUNT) - 1 };

/* An instance of every sort of entry; a test has the daemon check it. */
static const char example[] = "link:\n"
                              "  impair:\n"
                              "    - {name: far, filter: \"peer=192.0.2.64/26\", delay: 20ms, loss: 0.1%}\n"
                              "    - {filter: sport=8080, direction: out, rate: 10Mbit/s, queue: 64KiB}\n"
                              "stack:\n"
                              "  addresses: [192.0.2.2/24]\n"
                              "plugins:\n"
                              "  congestion:\n"
                              "    - cubic\n"
                              "    - plugin: cubic\n"
                              "      name: bold\n"
                              "      params: {c: 1.2, beta: 0.85}\n"
                              "  logging:\n"
                              "    - plugin: jsonl\n"
                              "      params: {path: transitions.jsonl}\n"
                              "    - plugin: pcapng\n"
                              "      params: {path: refused.pcapng, files: 4}\n"
                              "      capture: {filter: sport=8080, bytes: 128, queue: 1MiB, verdicts: refused}\n"
                              "congestion:\n"
                              "  default: cubic\n"
                              "services:\n"
                              "  - {kind: echo, port: 7}\n"
                              "  - {name: status, kind: http, port: 80}\n"
                              "  - name: web\n"
                              "    kind: relay\n"
                              "    port: 8080\n"
                              "    target: tcp:127.0.0.1:8000\n"
                              "    congestion: bold\n"
                              "    idle_timeout: 10min\n"
                              "    proxy_protocol: v2";

/* What may stand there, and what stands there when nothing does. */
static void put_value(FILE *file, const struct config_key *key)
{
	char valid[READER_VALID_MAX];

	fputs(".br\nValue: ", file);
	roff_text(file, reader_valid(key, valid));
	if (key->initial == NULL) {
		fputs("; must be given", file);
	} else if (key->initial[0] != '\0') {
		fputs("; default ", file);
		roff_text(file, key->initial);
	}
}

static void put_keys(FILE *file)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);
	char section[64] = "";

	fputs(".SH KEYS\n", file);
	for (size_t i = 0; i < count; i++) {
		size_t length = strcspn(keys[i].path, ".");

		if (strncmp(section, keys[i].path, length) != 0 || section[length] != '\0') {
			snprintf(section, sizeof(section), "%.*s", (int)length, keys[i].path);
			fputs(".SS ", file);
			roff_line(file, section);
		}
		roff_item(file, keys[i].path, NULL, keys[i].help);
		put_value(file, &keys[i]);
		fprintf(file, "; %s%s\n", keys[i].live ? "live" : "restart",
		        keys[i].per_service ? ", per service" : "");
	}
}

static void put_service_options(FILE *file)
{
	size_t count;
	const struct config_key *keys = config_service_keys(&count);

	for (size_t i = 0; i < count; i++) {
		const char *before = "; only for ";

		roff_item(file, keys[i].path, NULL, keys[i].help);
		put_value(file, &keys[i]);
		for (uint32_t kind = 0; keys[i].kinds != EVERY_KIND && kind < CONFIG_SERVICE_KIND_COUNT; kind++) {
			if ((keys[i].kinds & 1u << kind) == 0)
				continue;
			fprintf(file, "%s%s", before, config_service_kind_name(kind));
			before = ", ";
		}
		fputc('\n', file);
	}
	roff_item(file, "tcp", "{KEY: VALUE, ...}",
	          "what its connections have of their own: keys of the section tcp that are marked \"per service\".\n"
	          "All others are as in that section");
}

static void put_services(FILE *file)
{
	static const char *const kinds[CONFIG_SERVICE_KIND_COUNT] = {
		[CONFIG_SERVICE_ECHO] = "sends back what it gets (RFC 862)",
		[CONFIG_SERVICE_DISCARD] = "throws away what it gets (RFC 863)",
		[CONFIG_SERVICE_CHARGEN] = "sends lines of characters until the peer has enough (RFC 864)",
		[CONFIG_SERVICE_RELAY] = "joins the connection to a local server, the target",
		[CONFIG_SERVICE_HTTP] =
		        "the daemon's status: a page at /, JSON at /connections, OpenMetrics at /metrics",
	};

	fputs(".SH SERVICES\n", file);
	roff_line(
	        file,
	        "services is a list; each entry is a mapping with a kind, a port, and the options below. On reload\n"
	        "services may come, go and change; connections of a service that is gone go on. The kinds:");
	for (uint32_t kind = 0; kind < CONFIG_SERVICE_KIND_COUNT; kind++)
		roff_item(file, config_service_kind_name(kind), NULL, kinds[kind]);
	fputs(".PP\nThe options:\n", file);
	put_service_options(file);
}

static void put_plugins(FILE *file)
{
	fputs(".SH PLUGINS\n", file);
	roff_line(
	        file,
	        "plugins.congestion and plugins.logging are lists. An entry is the NAME of a plugin, whose file is\n"
	        "NAME.so in plugins.directory, or a mapping:");
	roff_item(file, "plugin", "NAME", "the plugin; must be given");
	roff_item(
	        file, "name", "INSTANCE",
	        "what the rest of the file calls it, unique over both lists; default: the plugin's name. One plugin\n"
	        "may have several instances with different parameters");
	roff_item(
	        file, "params", "{PARAMETER: VALUE, ...}",
	        "the plugin says which there are, and tapstackd --check refuses others; tapstackctl plugin available "
	        "lists\n"
	        "them. Switches are yes or no; times and sizes have the forms of the keys of this file, but a plain "
	        "number\n"
	        "is in the unit that the plugin says");
	roff_item(
	        file, "capture", "yes, or {filter: FILTER, bytes: SIZE, queue: SIZE, verdicts: all or refused}",
	        "of plugins.logging, for a plugin that takes packets: frames received and sent, with what the stack\n"
	        "thought of each. A filter has conditions with spaces between them, all of which must hold: peer, "
	        "local,\n"
	        "address (192.0.2.0/24), dport, sport, port (80, or 1024-65535; dport is the other end's), protocol "
	        "(tcp,\n"
	        "udp, icmp, nd, arp, other), id (of connections), state, verdict; then = or !=, and values with "
	        "commas\n"
	        "between them. Default: all frames, 256 bytes of each, 4MiB for each shard to wait in. refused: only "
	        "frames\n"
	        "received whose verdict is not ACCEPTED. What does not fit into the queue is missed, and counted by\n"
	        "tapstackctl plugins");
	fputs(".PP\n", file);
	roff_line(
	        file,
	        "A plugin runs with the rights of the daemon. Its file, the directory that it is in, and all above, "
	        "up to /,\n"
	        "must belong to root or to the daemon's user, and nobody else may write there. A directory above\n"
	        "plugins.directory may be everybody's when it is sticky, as /tmp is; links are followed when the "
	        "same "
	        "holds\n"
	        "for them. The file is copied before it is loaded: it may be overwritten at any time, and the copy "
	        "of\n"
	        "each load is its own. Libraries that a plugin finds by $ORIGIN are not found therefore.");
	fputs(".PP\n", file);
	roff_line(
	        file,
	        "A reload loads what is new, and loads anew what has other parameters, another plugin, or a file of "
	        "other\n"
	        "contents; when one of them can't be loaded, or a log can't be opened, nothing changes. New "
	        "connections get\n"
	        "the new version; plugins.replace says what becomes of those that are there. The old version is "
	        "unloaded\n"
	        "when its last connection has ended. A log that is replaced or removed has 10 seconds for what is in "
	        "its\n"
	        "queue; the rest is counted as missed. What tapstackctl plugin has loaded stays, unless the file "
	        "has\n"
	        "another instance of that name; what it has changed of an instance that the file names, or removed, "
	        "is as the\n"
	        "file says again.");
}

static void put_impair(FILE *file)
{
	size_t count;
	const struct config_key *keys = config_impair_keys(&count);

	fputs(".SH IMPAIRMENT\n", file);
	roff_line(file, "link.impair is a list of rules; each entry is a mapping of the options below. A frame takes "
	                "the first\n"
	                "rule that is for its direction and whose filter it fits; with none it goes its way "
	                "untouched. On its\n"
	                "way through a rule a packet meets, in this order: drop_first and its like, outage, loss, "
	                "duplicate,\n"
	                "corrupt, reorder, rate with its queue, delay. Super-frames are cut into packets first, and "
	                "checksums\n"
	                "completed: both cost time, as does the copy of each frame.");
	fputs(".PP\n", file);
	roff_line(
	        file,
	        "With several shards each has queues, counts and chances of its own, those of the shard that owns "
	        "the\n"
	        "frame's connection; but a rate is one line for all of them. When rules change, what a rule that "
	        "goes\n"
	        "or changes still holds leaves as it would have left, and newer frames may overtake it; a rule that\n"
	        "stays as it is keeps its state. What is captured is what the stack sends and takes: frames out "
	        "before\n"
	        "they are impaired, frames in after it. tapstackctl impair shows what each rule has done, and adds,\n"
	        "changes and removes rules; what it has changed lasts until the daemon stops, or until a reload "
	        "finds\n"
	        "another link.impair in the file.");
	fputs(".PP\n", file);
	roff_line(
	        file,
	        "A filter is one or more conditions with spaces between them, all of which must hold: a field, = or\n"
	        "!=, and values with commas between them, one of which must fit (with != none). The fields are "
	        "peer,\n"
	        "local and address (of either end), with addresses or prefixes as values; dport, sport and port, "
	        "the\n"
	        "peer's, the stack's and either's, with ports or ranges such as 1024-65535; and protocol, with tcp,\n"
	        "udp, icmp, nd, arp and other. Ends are seen from the stack, whichever way a frame goes. A frame\n"
	        "that has no ports or addresses fits no condition on them: so it is with later fragments and ports,\n"
	        "and with ARP. The options:");
	for (size_t i = 0; i < count; i++) {
		roff_item(file, keys[i].path, NULL, keys[i].help);
		put_value(file, &keys[i]);
		fputc('\n', file);
	}
}

int main(void)
{
	FILE *file = stdout;

	roff_page(file, "tapstack.yaml", "5", "File Formats", "configuration of tapstackd");
	fputs(".SH SYNOPSIS\n.I " TAPSTACK_CONFIG_FILE "\n.SH DESCRIPTION\n", file);
	roff_line(
	        file,
	        "A file in YAML. Every key may be left out; then its default holds. A key that does not exist is an\n"
	        "error, and so is a value out of its range. The point in the name of a key stands for a level:\n"
	        "tcp.msl is msl in the mapping tcp. After --set, keys are written as here.");
	fputs(".PP\n", file);
	roff_line(
	        file,
	        "Keys marked live take a new value when the configuration is read again, those marked restart when\n"
	        "the daemon starts again. Live keys of the section tcp that are marked per service hold for\n"
	        "connections that begin after that; its others are the whole stack's, and hold at once.\n"
	        "Values are written so:");
	roff_item(file, "a size", NULL,
	          "65536, 64KiB, 16MiB, 1GiB (powers of 1024), 64kB, 16MB, 1GB (powers of 1000)");
	roff_item(file, "a duration", NULL, "200ms, 30s, 1.5s, 2min, 1h, 1d, 100us, 50ns; a plain number is seconds");
	roff_item(file, "a percentage", NULL, "0.1%, with up to four digits behind the point");
	roff_item(file, "a rate", NULL,
	          "kbit/s, Mbit/s, Gbit/s, B/s, kB/s, MB/s, GB/s, KiB/s, MiB/s, GiB/s; a plain number is bytes per "
	          "second");
	roff_item(file, "yes or no", NULL, "also true, false, on, off");
	put_keys(file);
	put_services(file);
	put_plugins(file);
	put_impair(file);
	fputs(".SH EXAMPLES\nTwo rules of impairment, two instances of one plugin, a log beside the audit, and three "
	      "services:\n",
	      file);
	roff_example(file, example);
	fputs(".PP\n", file);
	roff_line(file, "tapstackd --print-config prints a whole file with every default.");
	fputs(".SH SEE ALSO\n.BR tapstackd (8),\n.BR tapstackctl (1)\n", file);
	return roff_end(file);
}
