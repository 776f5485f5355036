#include "control/context.h"
#include "tapstack/control.h"

#include <stdio.h>
#include <stdlib.h>

static const struct parameter none[] = { { 0 } };

static const struct parameter status_out[] = {
	{ "version", PARAMETER_STRING, false, "of the daemon" },
	{ "pid", PARAMETER_INT, false, "of the daemon" },
	{ "uptime", PARAMETER_FLOAT, false, "milliseconds since its start" },
	{ "role", PARAMETER_STRING, false, "what the caller may do: observe, operate or admin" },
	{ "stack", PARAMETER_OBJECT, false, "sums over the shards: connections by state, limits, memory" },
	{ "shards", PARAMETER_OBJECTS, false, "each shard: index, turns, link_up, ..." },
	{ "audit", PARAMETER_OBJECT, true, "path of the database, and how the recorder keeps up" },
	{ "link", PARAMETER_OBJECT, true, "the interface that frames go through" },
	{ "mac", PARAMETER_STRING, true, "of the stack" },
	{ "impair", PARAMETER_OBJECT, true, "rules of link.impair in force: how many, and where they come from" },
	{ 0 },
};

static const struct parameter connections_in[] = {
	{ "filter", PARAMETER_CONDITIONS, true,
	  "conditions that must all hold; absent: all connections and listeners" },
	{ "fields", PARAMETER_STRINGS, true, "names of the fields wanted; absent: all" },
	{ "limit", PARAMETER_INT, true, "no more than this many" },
	{ 0 },
};

static const struct parameter connections_out[] = {
	{ "connections", PARAMETER_CONNECTIONS, false,
	  "some of them; with `more`, others follow in further replies" },
	{ "complete", PARAMETER_BOOL, true, "last reply: nothing that fits was left out because of a limit" },
	{ 0 },
};

static const struct parameter show_in[] = { { "id", PARAMETER_INT, false, "of the connection" }, { 0 } };
static const struct parameter show_out[] = { { "connection", PARAMETER_CONNECTION, false, "all its fields" }, { 0 } };

static const struct parameter counters_in[] = {
	{ "all", PARAMETER_BOOL, true, "zero verdicts and transitions too" },
	{ 0 },
};
static const struct parameter counters_out[] = {
	{ "counters", PARAMETER_OBJECT, false, "sums over the shards; verdicts and transitions are objects inside" },
	{ 0 },
};

static const struct parameter close_in[] = {
	{ "id", PARAMETER_INT, false, "of the connection" },
	{ "abort", PARAMETER_BOOL, true, "reset it; else it is closed as its service would" },
	{ 0 },
};

static const struct parameter set_in[] = {
	{ "id", PARAMETER_INT, false, "of the connection" },
	{ "congestion", PARAMETER_STRING, true, "algorithm that takes over; it keeps window and round-trip time" },
	{ "shadow", PARAMETER_STRING, true,
	  "algorithm that sees the same and whose decisions are recorded only; `none` ends that" },
	{ "sample", PARAMETER_FLOAT, true,
	  "ms, the least time between two samples of its time series; 0: no samples" },
	{ 0 },
};

static const struct parameter services_out[] = {
	{ "services", PARAMETER_OBJECTS, false, "name, kind, address, port, backlog, congestion, ..." },
	{ 0 },
};
static const struct parameter plugins_out[] = {
	{ "plugins", PARAMETER_OBJECTS, false,
	  "each version of each instance: name, plugin, kind, version, params, outputs, state (active; draining: "
	  "replaced or removed, and still in use; hanging), generation, configured; of algorithms users, of logs "
	  "events, missed, errors, queued" },
	{ 0 },
};
static const struct parameter plugin_files_out[] = {
	{ "directory", PARAMETER_STRING, false, "that was looked into" },
	{ "files", PARAMETER_OBJECTS, false,
	  "plugin (the file without .so), and kind, version, licence, description, params, outputs; or error: why it "
	  "would be refused" },
	{ 0 },
};
static const struct parameter plugin_load_in[] = {
	{ "plugin", PARAMETER_STRING, false, "its file in plugins.directory, without .so" },
	{ "instance", PARAMETER_STRING, true, "what it shall be called; absent: as the plugin" },
	{ "params", PARAMETER_OBJECT, true, "values by name; absent ones have their default" },
	{ 0 },
};
static const struct parameter plugin_unload_in[] = {
	{ "instance", PARAMETER_STRING, false, "which" },
	{ 0 },
};
static const struct parameter plugin_reload_in[] = {
	{ "instance", PARAMETER_STRING, false, "which" },
	{ "move", PARAMETER_BOOL, true, "its connections go on with the new version; else they keep the old one" },
	{ 0 },
};
static const struct parameter plugin_tune_in[] = {
	{ "instance", PARAMETER_STRING, false, "which" },
	{ "params", PARAMETER_OBJECT, false, "values by name; the others stay" },
	{ "move", PARAMETER_BOOL, true, "its connections go on with the new values; else they keep the old ones" },
	{ 0 },
};
static const struct parameter plugin_change_out[] = {
	{ "instance", PARAMETER_STRING, false, "which" },
	{ "version", PARAMETER_STRING, true, "of the plugin that serves it now" },
	{ "generation", PARAMETER_INT, true, "counts the versions of this instance" },
	{ "note", PARAMETER_STRING, true, "how long this holds, when it is not for good" },
	{ 0 },
};
static const struct parameter neighbours_out[] = {
	{ "neighbours", PARAMETER_OBJECTS, false,
	  "address, mac (null: not resolved), state, age in ms, shard; at most 4096 of a shard" },
	{ 0 },
};
static const struct parameter addresses_out[] = {
	{ "addresses", PARAMETER_OBJECTS, false,
	  "address, prefix, state, origin, preferred and valid in ms (null: for ever), shard" },
	{ 0 },
};
static const struct parameter routers_out[] = {
	{ "routers", PARAMETER_OBJECTS, false,
	  "address, origin, preference, failed, valid in ms (null: for ever), shard" },
	{ 0 },
};
static const struct parameter paths_out[] = {
	{ "paths", PARAMETER_OBJECTS, false,
	  "destination, pmtu (null: no limit known) and its origin (router, search), probe_low and probe_high (null: "
	  "not searched), probes, probes_lost, too_big, black_holes, age in ms, fastopen_cookie (bytes), "
	  "fastopen_failures, fastopen_blocked in ms, shard; the latest used first, at most 4096 of a shard" },
	{ 0 },
};
static const struct parameter config_in[] = {
	{ "key", PARAMETER_STRING, true, "one key, or a part of them (\"tcp\"); absent: all" },
	{ 0 },
};
static const struct parameter config_out[] = {
	{ "config", PARAMETER_OBJECTS, false, "key, value, default, unit, live, help" },
	{ 0 },
};
static const struct parameter impair_out[] = {
	{ "rules", PARAMETER_OBJECTS, false,
	  "in order, each way that a rule is for: name, direction, rule (its text), seed, frames, bytes, packets "
	  "(super-frames cut), passed, dropped, harmed, held, held_bytes; of these lost, dropped_nth, "
	  "dropped_outage, "
	  "dropped_queue, dropped_delay, no_memory, duplicated, corrupted, reordered, marked" },
	{ 0 },
};
static const struct parameter impair_add_in[] = {
	{ "options", PARAMETER_OBJECT, false, "texts by name, as in an entry of link.impair" },
	{ "before", PARAMETER_STRING, true, "name of the rule that it goes before; absent: at the end" },
	{ 0 },
};
static const struct parameter impair_set_in[] = {
	{ "name", PARAMETER_STRING, false, "of the rule" },
	{ "options", PARAMETER_OBJECT, false, "texts by name: what is to be different" },
	{ 0 },
};
static const struct parameter impair_remove_in[] = {
	{ "name", PARAMETER_STRING, false, "of the rule" },
	{ 0 },
};
static const struct parameter reload_out[] = {
	{ "changed", PARAMETER_STRINGS, false, "keys that have a new value" },
	{ "needs_restart", PARAMETER_STRINGS, false, "keys whose new value takes effect after a restart" },
	{ 0 },
};

static const struct method methods[] = {
	{ "Status", CONTROL_OBSERVE, false, none, status_out, method_status, "The daemon at a glance." },
	{ "Connections", CONTROL_OBSERVE, false, connections_in, connections_out, method_connections,
	  "Connections and listeners; call it with `more` for all of them." },
	{ "Show", CONTROL_OBSERVE, false, show_in, show_out, method_show, "One live connection." },
	{ "Counters", CONTROL_OBSERVE, false, counters_in, counters_out, method_counters,
	  "Everything that is counted since the start." },
	{ "Close", CONTROL_OPERATE, true, close_in, none, method_close,
	  "Closes one connection as its service would, or aborts it." },
	{ "Set", CONTROL_OPERATE, true, set_in, none, method_set, "Changes one live connection." },
	{ "Services", CONTROL_OBSERVE, false, none, services_out, method_services, "What answers on which port." },
	{ "Plugins", CONTROL_OBSERVE, false, none, plugins_out, method_plugins,
	  "Congestion algorithms and logging instances." },
	{ "PluginFiles", CONTROL_ADMIN, false, none, plugin_files_out, method_plugin_files,
	  "What is in the plugin directory. Each file is loaded for it, and unloaded again." },
	{ "PluginLoad", CONTROL_ADMIN, true, plugin_load_in, plugin_change_out, method_plugin_load,
	  "Makes an instance of a plugin." },
	{ "PluginUnload", CONTROL_ADMIN, true, plugin_unload_in, plugin_change_out, method_plugin_unload,
	  "Removes an instance. What uses it goes on; its code is unloaded after that." },
	{ "PluginReload", CONTROL_ADMIN, true, plugin_reload_in, plugin_change_out, method_plugin_reload,
	  "Loads the file of an instance again: the new version serves what begins from then on." },
	{ "PluginTune", CONTROL_ADMIN, true, plugin_tune_in, plugin_change_out, method_plugin_tune,
	  "Gives an instance other parameters, for what begins from then on." },
	{ "Neighbours", CONTROL_OBSERVE, false, none, neighbours_out, method_neighbours,
	  "Who is on the link (ARP, neighbour discovery)." },
	{ "Addresses", CONTROL_OBSERVE, false, none, addresses_out, method_addresses,
	  "The stack's own addresses and what became of them." },
	{ "Routers", CONTROL_OBSERVE, false, none, routers_out, method_routers, "Default routers." },
	{ "Paths", CONTROL_OBSERVE, false, none, paths_out, method_paths,
	  "What is known of the way to each destination: its MTU, and its Fast Open cookie." },
	{ "Config", CONTROL_OBSERVE, false, config_in, config_out, method_config, "The configuration in force." },
	{ "Impair", CONTROL_OBSERVE, false, none, impair_out, method_impair,
	  "What is done to frames on purpose, and what it has come to." },
	{ "ImpairAdd", CONTROL_ADMIN, true, impair_add_in, none, method_impair_add,
	  "A further rule; as all changes, it lasts until the next start, or until link.impair is changed in the "
	  "file." },
	{ "ImpairSet", CONTROL_ADMIN, true, impair_set_in, none, method_impair_set,
	  "Changes a rule. What it holds leaves as it would have." },
	{ "ImpairRemove", CONTROL_ADMIN, true, impair_remove_in, none, method_impair_remove, "Ends a rule." },
	{ "ImpairClear", CONTROL_ADMIN, true, none, none, method_impair_clear, "Ends all rules." },
	{ "Reload", CONTROL_ADMIN, true, none, reload_out, method_reload,
	  "Reads the configuration file again and takes over what can be taken over." },
	{ "Stop", CONTROL_ADMIN, true, none, none, method_stop, "Begins the orderly stop of the daemon." },
};

const struct method *methods_table(size_t *ret_count)
{
	*ret_count = sizeof(methods) / sizeof(methods[0]);
	return methods;
}

static const char *varlink_type(enum tapstack_field_kind kind)
{
	switch (kind) {
	case TAPSTACK_FIELD_NUMBER:
		return "int";
	case TAPSTACK_FIELD_MILLISECONDS:
		return "float";
	case TAPSTACK_FIELD_BOOLEAN:
		return "bool";
	case TAPSTACK_FIELD_LIST:
		return "[]string";
	case TAPSTACK_FIELD_TEXT:
	case TAPSTACK_FIELD_STATE:
	case TAPSTACK_FIELD_ADDRESS:
		break;
	}
	return "string";
}

static void describe_types(FILE *out)
{
	const char *separator = "";

	fputs("\n# One condition of a filter: the field is equal (=) or not (!=) to one of the values, or a number "
	      "is\n"
	      "# less or greater (< <= > >=) than the value. Texts are shell patterns, addresses may be prefixes.\n"
	      "# Besides the fields of a connection there are `port` and `address`: of either end.\n"
	      "type Condition (field: string, operator: string, values: []string)\n\n"
	      "# A connection or listener. What a record doesn't keep is absent.\n",
	      out);
#define DESCRIBE_HELP(name, kind, unit, help) fprintf(out, "# %s: %s%s%s\n", #name, help, *unit ? ", in " : "", unit);
	TAPSTACK_CONNECTION_FIELDS(DESCRIBE_HELP)
#undef DESCRIBE_HELP
	fputs("# outputs, shadow_outputs: what the algorithms say about themselves, see Plugins\ntype Connection (",
	      out);
#define DESCRIBE_FIELD(name, kind, unit, help)                                                                       \
	fprintf(out, "%s%s: ?%s", separator, #name, varlink_type(TAPSTACK_FIELD_##kind));                            \
	separator = ", ";
	TAPSTACK_CONNECTION_FIELDS(DESCRIBE_FIELD)
#undef DESCRIBE_FIELD
	fputs(", outputs: ?[string]float, shadow_outputs: ?[string]float)\n", out);
#define DESCRIBE_ERROR(name, parameters, help)                                                                       \
	fprintf(out, "\n# %c%s\nerror %s (%s)\n", (help)[0] - 'a' + 'A', &(help)[1], #name, parameters);
	TAPSTACK_CONTROL_ERRORS(DESCRIBE_ERROR)
#undef DESCRIBE_ERROR
}

char *methods_describe(void)
{
	char *head = NULL, *text;
	size_t size;
	FILE *out = open_memstream(&head, &size);

	if (!out)
		return NULL;
	describe_types(out);
	if (fclose(out) != 0) {
		free(head);
		return NULL;
	}
	text = interface_describe(TAPSTACK_CONTROL_INTERFACE,
	                          "tapstackd: see every connection, change what can be changed", head, methods,
	                          sizeof(methods) / sizeof(methods[0]));
	free(head);
	return text;
}
