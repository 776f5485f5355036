/* The command that changes a live connection. */
#include "ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One NAME=VALUE into the object. False, and said so: it is none. */
static bool read_assignment(json_t *parameters, const char *text)
{
	const char *equals = strchr(text, '=');
	size_t length = equals ? (size_t)(equals - text) : 0;
	char *end;
	double ms;

	if (length == strlen("congestion") && strncmp(text, "congestion", length) == 0)
		return json_object_set_new(parameters, "congestion", json_string(equals + 1)) == 0;
	if (length == strlen("shadow") && strncmp(text, "shadow", length) == 0)
		return json_object_set_new(parameters, "shadow", json_string(equals + 1)) == 0;
	if (length != strlen("sample") || strncmp(text, "sample", length) != 0) {
		usage_error("\"%s\" is none of congestion=ALGORITHM, shadow=ALGORITHM and sample=TIME", text);
		return false;
	}
	ms = strtod(equals + 1, &end);
	if (strcmp(end, "s") == 0)
		ms *= 1000;
	if (end == equals + 1 || (*end != '\0' && strcmp(end, "ms") != 0 && strcmp(end, "s") != 0) ||
	    !(ms >= 0 && ms <= 3600000)) {
		usage_error(
		        "sample=%s: must be a time such as 100ms or 1s (a plain number is milliseconds), up to an "
		        "hour; 0: no samples",
		        equals + 1);
		return false;
	}
	return json_object_set_new(parameters, "sample", json_real(ms)) == 0;
}

enum exit_code command_set(struct session *session, int argc, char **argv)
{
	json_t *parameters, *object;
	enum exit_code code;
	char sentence[64];
	long long id;

	if (!parse_id(argv[0], &id))
		return usage_error("\"%s\" is no connection's number; tapstackctl connections shows them", argv[0]);
	parameters = json_pack("{s:I}", "id", (json_int_t)id);
	for (int i = 1; i < argc; i++) {
		if (!read_assignment(parameters, argv[i])) {
			json_decref(parameters);
			return EXIT_USAGE;
		}
	}
	object = json_copy(parameters);
	code = ask(session, "Set", parameters, false, NULL, NULL);
	snprintf(sentence, sizeof(sentence), "connection %lld: set", id);
	if (code == EXIT_OK)
		code = say(session, object, sentence);
	json_decref(object);
	return code;
}
