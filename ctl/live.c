/* Commands that ask the daemon. */
#include "ask.h"
#include "command.h"
#include "filter.h"
#include "tapstack/control.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A method whose answer has an object, shown as such. */
static enum exit_code ask_object(struct session *session, const char *method, json_t *parameters, const char *member)
{
	json_t *answer = NULL;
	enum exit_code code = ask(session, method, parameters, false, keep_answer, &answer);

	if (code == EXIT_OK) {
		const json_t *object = required(answer, member);

		code = object ? finish_output(output_object(&session->output, object)) : EXIT_REFUSED;
	}
	json_decref(answer);
	return code;
}

enum exit_code command_status(struct session *session, int argc, char **argv)
{
	bool json = session->output.format == OUTPUT_JSON || session->output.format == OUTPUT_JSONL;
	json_t *answer = NULL, *shard;
	enum exit_code code = ask(session, "Status", NULL, false, keep_answer, &answer);
	size_t i;

	(void)argc;
	(void)argv;
	if (code == EXIT_OK) {
		/* The sums are what a person looks for; each shard's own numbers would hide them. */
		json_array_foreach(json_object_get(answer, "shards"), i, shard)
		{
			if (!json)
				json_object_del(shard, "stack");
		}
		code = finish_output(output_object(&session->output, answer));
	}
	json_decref(answer);
	return code;
}

enum exit_code command_counters(struct session *session, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return ask_object(session, "Counters", json_pack("{s:b}", "all", session->all), "counters");
}

enum exit_code command_services(struct session *session, int argc, char **argv)
{
	static const char *const columns[] = { "name",    "kind",       "address", "port",
		                               "backlog", "congestion", "nodelay", "target" };

	(void)argc;
	(void)argv;
	return ask_list(session, "Services", NULL, "services", columns, COUNT(columns));
}

enum exit_code command_neighbours(struct session *session, int argc, char **argv)
{
	static const char *const columns[] = { "address", "mac", "state", "age", "shard" };

	(void)argc;
	(void)argv;
	return ask_list(session, "Neighbours", NULL, "neighbours", columns, COUNT(columns));
}

enum exit_code command_addresses(struct session *session, int argc, char **argv)
{
	static const char *const columns[] = {
		"address", "prefix", "state", "origin", "preferred", "valid", "shard"
	};

	(void)argc;
	(void)argv;
	return ask_list(session, "Addresses", NULL, "addresses", columns, COUNT(columns));
}

enum exit_code command_paths(struct session *session, int argc, char **argv)
{
	static const char *const columns[] = { "destination", "pmtu",    "origin",      "probes",
		                               "probes_lost", "too_big", "black_holes", "fastopen_cookie",
		                               "age",         "shard" };

	(void)argc;
	(void)argv;
	return ask_list(session, "Paths", NULL, "paths", columns, COUNT(columns));
}

enum exit_code command_routers(struct session *session, int argc, char **argv)
{
	static const char *const columns[] = { "address", "origin", "preference", "failed", "valid", "shard" };

	(void)argc;
	(void)argv;
	return ask_list(session, "Routers", NULL, "routers", columns, COUNT(columns));
}

enum exit_code command_config(struct session *session, int argc, char **argv)
{
	static const char *const columns[] = { "key", "value", "default", "live" };
	json_t *parameters = argc ? json_pack("{s:s}", "key", argv[0]) : NULL;

	if (argc && !parameters)
		return usage_error("\"%s\" is no key: not UTF-8", argv[0]);
	return ask_list(session, "Config", parameters, "config", columns, COUNT(columns));
}

/* ---- impair ---------------------------------------------------------------------------------------------------- */

/* OPTION=VALUE; `before` is taken out. NULL, and said so: one of them is something else. */
static json_t *impair_options(int argc, char **argv, const char **ret_before)
{
	json_t *options = json_object();

	for (int i = 0; i < argc; i++) {
		const char *equal = strchr(argv[i], '=');
		char name[64];

		if (!equal || equal == argv[i] || (size_t)(equal - argv[i]) >= sizeof(name)) {
			usage_error("\"%s\" is not an OPTION=VALUE such as delay=20ms", argv[i]);
			json_decref(options);
			return NULL;
		}
		memcpy(name, argv[i], (size_t)(equal - argv[i]));
		name[equal - argv[i]] = '\0';
		if (ret_before && strcmp(name, "before") == 0) {
			*ret_before = equal + 1;
		} else if (json_object_set_new(options, name, json_string(equal + 1)) < 0) {
			usage_error("\"%s\" is not UTF-8", argv[i]);
			json_decref(options);
			return NULL;
		}
	}
	return options;
}

static enum exit_code change_impair(struct session *session, const char *method, json_t *parameters)
{
	json_t *answer = NULL;
	enum exit_code code = ask(session, method, parameters, false, keep_answer, &answer);

	json_decref(answer);
	return code;
}

enum exit_code command_impair(struct session *session, int argc, char **argv)
{
	static const char *const columns[] = { "name",   "direction", "frames",     "packets", "dropped",
		                               "harmed", "held",      "held_bytes", "rule" };
	const char *before = NULL, *verb = argc > 0 ? argv[0] : "";
	json_t *options;

	if (argc == 0)
		return ask_list(session, "Impair", NULL, "rules", columns, COUNT(columns));
	if (strcmp(verb, "add") == 0) {
		options = impair_options(argc - 1, argv + 1, &before);
		return options ? change_impair(session, "ImpairAdd",
		                               json_pack("{s:o, s:s*}", "options", options, "before", before))
		               : EXIT_USAGE;
	}
	if (strcmp(verb, "set") == 0 && argc > 2) {
		options = impair_options(argc - 2, argv + 2, NULL);
		return options ? change_impair(session, "ImpairSet",
		                               json_pack("{s:s, s:o}", "name", argv[1], "options", options))
		               : EXIT_USAGE;
	}
	if (strcmp(verb, "remove") == 0 && argc == 2)
		return change_impair(session, "ImpairRemove", json_pack("{s:s}", "name", argv[1]));
	if (strcmp(verb, "clear") == 0 && argc == 1)
		return change_impair(session, "ImpairClear", NULL);
	return usage_error(
	        "impair %s: expected add OPTION=VALUE..., set NAME OPTION=VALUE..., remove NAME, clear, or "
	        "nothing",
	        verb);
}

/* ---- connections --------------------------------------------------------------------------------------------- */

struct rows {
	struct output *output;
	size_t count;
};

static bool put_rows(void *context, const json_t *parameters)
{
	struct rows *rows = context;
	size_t i;
	json_t *row;

	json_array_foreach(json_object_get(parameters, "connections"), i, row)
	{
		output_row(rows->output, row);
		rows->count++;
	}
	return true;
}

static bool is_field(const char *name)
{
	static const char *const names[] = {
#define NAME(name, kind, unit, help) #name,
		TAPSTACK_CONNECTION_FIELDS(NAME)
#undef NAME
	};

	for (size_t i = 0; i < COUNT(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static enum exit_code check_columns(const struct session *session)
{
	for (size_t i = 0; session->output.columns && i < session->output.column_count; i++)
		if (!is_field(session->output.columns[i]))
			return usage_error("there is no column \"%s\"; columns of connections are: "
#define NAME(name, kind, unit, help) #name " "
			                   TAPSTACK_CONNECTION_FIELDS(NAME),
#undef NAME
			                   session->output.columns[i]);
	return EXIT_OK;
}

static json_t *listing_parameters(const struct session *session, const struct filter *filter,
                                  const char *const *columns, size_t count)
{
	json_t *parameters = json_pack("{s:o}", "filter", filter_json(filter));
	bool everything = (session->output.format == OUTPUT_JSON || session->output.format == OUTPUT_JSONL) &&
	                  !session->output.columns;

	if (!everything) {
		json_t *fields = json_array();

		for (size_t i = 0; i < count; i++)
			json_array_append_new(fields, json_string(columns[i]));
		json_object_set_new(parameters, "fields", fields);
	}
	if (session->limit)
		json_object_set_new(parameters, "limit", json_integer(session->limit));
	return parameters;
}

enum exit_code command_connections(struct session *session, int argc, char **argv)
{
	static const char *const standard[] = {
		"id",      "state", "recv_q", "send_q", "local",          "local_port",  "peer",          "peer_port",
		"service", "cong",  "rtt",    "cwnd",   "bytes_received", "bytes_acked", "retrans_total", "age"
	};
	const char *const *columns = session->output.columns ? session->output.columns : standard;
	size_t count = session->output.columns ? session->output.column_count : COUNT(standard);
	enum exit_code code = check_columns(session), written;
	struct rows rows = { 0 };
	struct filter filter;
	char error[2048];
	bool filtered;
	json_t *parameters;

	if (code != EXIT_OK)
		return code;
	if (!filter_parse(argv, argc, false, &filter, error, sizeof(error)))
		return usage_error("%s", error);
	parameters = listing_parameters(session, &filter, columns, count);
	filtered = filter.count > 0;
	filter_done(&filter);

	rows.output = output_open(&session->output, columns, count);
	if (!rows.output) {
		json_decref(parameters);
		return finish_output(-ENOMEM);
	}
	code = ask(session, "Connections", parameters, true, put_rows, &rows);
	if (code != EXIT_OK && rows.count == 0) {
		output_discard(rows.output);
		return code;
	}
	written = finish_output(output_close(rows.output));
	if (code != EXIT_OK)
		return code;
	if (written == EXIT_OK && filtered && rows.count == 0)
		return EXIT_NO_MATCH;
	return written;
}

/* ---- show, close --------------------------------------------------------------------------------------------- */

static enum exit_code print_fields(const struct session *session, const json_t *connection)
{
	static const char *const columns[] = { "field", "value", "unit" };
	static const struct {
		const char *name, *unit;
	} fields[] = {
#define FIELD(name, kind, unit, help) { #name, unit },
		TAPSTACK_CONNECTION_FIELDS(FIELD)
#undef FIELD
	};
	struct output_options options = session->output;
	struct output *output;

	options.columns = NULL;
	output = output_open(&options, columns, COUNT(columns));
	for (size_t i = 0; output && i < COUNT(fields); i++) {
		json_t *value = json_object_get(connection, fields[i].name), *row;
		char *text;

		if (!value || json_is_null(value))
			continue;
		text = text_of(value); /* all as texts, so that the column is aligned to the left */
		row = json_pack("{s:s, s:s*, s:s}", "field", fields[i].name, "value", text, "unit", fields[i].unit);
		output_row(output, row);
		json_decref(row);
		free(text);
	}
	return finish_output(output ? output_close(output) : -ENOMEM);
}

enum exit_code command_show(struct session *session, int argc, char **argv)
{
	bool json = session->output.format == OUTPUT_JSON || session->output.format == OUTPUT_JSONL;
	const json_t *connection = NULL;
	json_t *answer = NULL;
	enum exit_code code;
	long long id;

	(void)argc;
	if (!parse_id(argv[0], &id))
		return usage_error("\"%s\" is no connection's number; tapstackctl connections shows them", argv[0]);
	code = ask(session, "Show", json_pack("{s:I}", "id", (json_int_t)id), false, keep_answer, &answer);
	if (code == EXIT_OK)
		connection = required(answer, "connection");
	if (connection && (json || session->output.columns))
		code = finish_output(output_object(&session->output, connection));
	else if (connection)
		code = print_fields(session, connection);
	else if (code == EXIT_OK)
		code = EXIT_REFUSED;
	json_decref(answer);
	return code;
}

enum exit_code command_close(struct session *session, int argc, char **argv)
{
	const char *what = session->abort ? "reset" : "closing";
	enum exit_code code;
	char sentence[128];
	json_t *object;
	long long id;

	(void)argc;
	if (!parse_id(argv[0], &id))
		return usage_error("\"%s\" is no connection's number; tapstackctl connections shows them", argv[0]);
	code = ask(session, "Close", json_pack("{s:I, s:b}", "id", (json_int_t)id, "abort", session->abort), false,
	           NULL, NULL);
	if (code != EXIT_OK)
		return code;
	snprintf(sentence, sizeof(sentence), "connection %lld: %s", id, what);
	object = json_pack("{s:I, s:s}", "id", (json_int_t)id, "result", what);
	code = say(session, object, sentence);
	json_decref(object);
	return code;
}

/* ---- reload, stop -------------------------------------------------------------------------------------------- */

static void print_keys(FILE *file, const char *heading, const json_t *keys)
{
	char *text;

	if (json_array_size(keys) == 0)
		return;
	text = text_of(keys);
	fprintf(file, "%s: %s\n", heading, text ? text : "?");
	free(text);
}

enum exit_code command_reload(struct session *session, int argc, char **argv)
{
	json_t *answer = NULL, *changed, *restart;
	enum exit_code code = ask(session, "Reload", NULL, false, keep_answer, &answer);
	FILE *file = session->output.file;

	(void)argc;
	(void)argv;
	if (code == EXIT_OK && session->output.format != OUTPUT_TABLE) {
		code = finish_output(output_object(&session->output, answer));
	} else if (code == EXIT_OK) {
		changed = json_object_get(answer, "changed");
		restart = json_object_get(answer, "needs_restart");
		print_keys(file, "changed", changed);
		print_keys(file, "takes effect after a restart", restart);
		if (json_array_size(changed) + json_array_size(restart) == 0)
			fputs("nothing has changed\n", file);
		code = finish_output(fflush(file) ? -EIO : 0);
	}
	json_decref(answer);
	return code;
}

enum exit_code command_stop(struct session *session, int argc, char **argv)
{
	enum exit_code code = ask(session, "Stop", NULL, false, NULL, NULL);
	json_t *object;

	(void)argc;
	(void)argv;
	if (code != EXIT_OK)
		return code;
	object = json_pack("{s:s}", "result", "stopping");
	code = say(session, object, "the daemon is stopping");
	json_decref(object);
	return code;
}
