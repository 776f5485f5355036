/* Commands about plugins. */
#include "ask.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum exit_code command_plugins(struct session *session, int argc, char **argv)
{
	static const char *const columns[] = { "name",   "kind",   "plugin",  "version",        "generation",
		                               "state",  "users",  "params",  "events",         "missed",
		                               "errors", "queued", "packets", "packets_missed", "packets_queued" };

	(void)argc;
	(void)argv;
	return ask_list(session, "Plugins", NULL, "plugins", columns, COUNT(columns));
}

/* ---- plugin ACTION ------------------------------------------------------------------------------------------- */

static enum exit_code available(struct session *session, int argc, char **argv)
{
	static const char *const columns[] = { "plugin", "kind", "version", "licence", "description", "error" };

	(void)argc;
	(void)argv;
	return ask_list(session, "PluginFiles", NULL, "files", columns, COUNT(columns));
}

/* One PARAM=VALUE into the object; cuts the text. False, and said so: it is not of that form. */
static bool read_param(json_t *params, char *text)
{
	char *equals = strchr(text, '=');
	json_t *value;

	if (!equals || equals == text) {
		usage_error("\"%s\" is not PARAM=VALUE", text);
		return false;
	}
	*equals = '\0';
	if (json_object_get(params, text)) {
		usage_error("parameter %s is given twice", text);
		return false;
	}
	value = json_string(equals + 1);
	if (!value || json_object_set_new(params, text, value) != 0) {
		usage_error("the name or the value of parameter %s is not UTF-8", text);
		return false;
	}
	return true;
}

/* NULL: one of them is wrong, which has been said. */
static json_t *read_params(int argc, char **argv)
{
	json_t *params = json_object();

	for (int i = 0; i < argc; i++) {
		if (!read_param(params, argv[i])) {
			json_decref(params);
			return NULL;
		}
	}
	return params;
}

static enum exit_code tell(const struct session *session, const json_t *answer, const char *what)
{
	char *instance = text_of(json_object_get(answer, "instance")),
	     *note = text_of(json_object_get(answer, "note"));
	char *version = text_of(json_object_get(answer, "version"));
	char *generation = text_of(json_object_get(answer, "generation"));
	char sentence[1000];
	size_t at;
	enum exit_code code;

	at = (size_t)snprintf(sentence, sizeof(sentence), "%.200s: %s", instance ? instance : "?", what);
	if (generation && *generation)
		at += (size_t)snprintf(sentence + at, sizeof(sentence) - at, ": version %.100s, generation %.20s",
		                       version ? version : "?", generation);
	if (note && *note)
		snprintf(sentence + at, sizeof(sentence) - at, "\n(%.400s)", note);
	code = say(session, answer, sentence);
	free(instance);
	free(note);
	free(version);
	free(generation);
	return code;
}

/* Takes over `parameters`. */
static enum exit_code change(struct session *session, const char *method, json_t *parameters, const char *what)
{
	json_t *answer = NULL;
	enum exit_code code;

	if (!parameters)
		return usage_error("a name is not UTF-8");
	code = ask(session, method, parameters, false, keep_answer, &answer);
	if (code == EXIT_OK)
		code = tell(session, answer, what);
	json_decref(answer);
	return code;
}

static enum exit_code load(struct session *session, int argc, char **argv)
{
	const char *instance = argv[0];
	json_t *params;

	if (argc >= 2 && strcmp(argv[1], "as") == 0) {
		if (argc < 3)
			return usage_error("the name of the instance is missing behind \"as\"");
		instance = argv[2];
		params = read_params(argc - 3, argv + 3);
	} else {
		params = read_params(argc - 1, argv + 1);
	}
	if (!params)
		return EXIT_USAGE;
	return change(session, "PluginLoad",
	              json_pack("{s:s, s:s, s:o}", "plugin", argv[0], "instance", instance, "params", params),
	              "loaded");
}

static enum exit_code unload(struct session *session, int argc, char **argv)
{
	(void)argc;
	return change(session, "PluginUnload", json_pack("{s:s}", "instance", argv[0]), "unloaded");
}

static enum exit_code reload(struct session *session, int argc, char **argv)
{
	(void)argc;
	return change(session, "PluginReload",
	              json_pack("{s:s, s:b}", "instance", argv[0], "move", (int)session->move), "loaded again");
}

static enum exit_code tune(struct session *session, int argc, char **argv)
{
	json_t *params = read_params(argc - 1, argv + 1);

	if (!params)
		return EXIT_USAGE;
	return change(session, "PluginTune",
	              json_pack("{s:s, s:o, s:b}", "instance", argv[0], "params", params, "move", (int)session->move),
	              "tuned");
}

static const struct action {
	const char *name, *args;
	int args_min, args_max;
	bool moves;
	enum exit_code (*run)(struct session *session, int argc, char **argv);
} actions[] = {
	{ "available", "", 0, 0, false, available },
	{ "load", "PLUGIN [as INSTANCE] [PARAM=VALUE...]", 1, 70, false, load },
	{ "unload", "INSTANCE", 1, 1, false, unload },
	{ "reload", "INSTANCE", 1, 1, true, reload },
	{ "tune", "INSTANCE PARAM=VALUE...", 2, 70, true, tune },
};

enum exit_code command_plugin(struct session *session, int argc, char **argv)
{
	const struct action *action = NULL;

	for (size_t i = 0; i < COUNT(actions); i++)
		if (strcmp(actions[i].name, argv[0]) == 0)
			action = &actions[i];
	if (!action)
		return usage_error("plugin: \"%s\" is neither available, load, unload, reload nor tune", argv[0]);
	argc--;
	argv++;
	if (argc < action->args_min || argc > action->args_max)
		return usage_error("the command is: tapstackctl plugin %s%s%s", action->name,
		                   *action->args ? " " : "", action->args);
	if (session->move && !action->moves)
		return usage_error("--move goes with plugin reload and plugin tune only");
	return action->run(session, argc, argv);
}
