#include "control/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

unsigned message_depth(const char *text, size_t length)
{
	unsigned depth = 0, deepest = 0;
	bool in_string = false;

	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > deepest)
				deepest = depth;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return deepest;
}

/* The reason goes back to the caller as JSON text: what the parser quotes from hostile input must be plain ASCII. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static json_t *load(const char *text, size_t length, char *reason, size_t reason_size)
{
	json_t *document;
	json_error_t error;

	if (message_depth(text, length) > MESSAGE_DEPTH_MAX) {
		snprintf(reason, reason_size, "nested deeper than %d levels", MESSAGE_DEPTH_MAX);
		return NULL;
	}
	document = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
	if (!document) {
		snprintf(reason, reason_size, "not JSON at byte %d: %s", error.position, error.text);
		make_printable(reason);
		return NULL;
	}
	if (!json_is_object(document)) {
		snprintf(reason, reason_size, "a message must be an object");
		json_decref(document);
		return NULL;
	}
	return document;
}

/* Takes one member over into *call; returns false when its name or type is none that a call may have. */
static bool take_member(struct message_call *call, const char *key, json_t *value, bool *ret_upgrade)
{
	if (strcmp(key, "method") == 0 && json_is_string(value))
		call->method = json_string_value(value);
	else if (strcmp(key, "parameters") == 0 && json_is_object(value))
		call->parameters = value;
	else if (strcmp(key, "parameters") == 0 && json_is_null(value))
		call->parameters = NULL;
	else if (strcmp(key, "more") == 0 && json_is_boolean(value))
		call->more = json_is_true(value);
	else if (strcmp(key, "oneway") == 0 && json_is_boolean(value))
		call->oneway = json_is_true(value);
	else if (strcmp(key, "upgrade") == 0 && json_is_boolean(value))
		*ret_upgrade = json_is_true(value);
	else
		return false;
	return true;
}

int message_parse(const char *text, size_t length, struct message_call *ret_call, char *reason, size_t reason_size)
{
	struct message_call call = { 0 };
	bool upgrade = false;
	const char *key;
	json_t *value;

	call.document = load(text, length, reason, reason_size);
	if (!call.document)
		return -EBADMSG;

	json_object_foreach(call.document, key, value)
	{
		if (!take_member(&call, key, value, &upgrade)) {
			snprintf(reason, reason_size, "member \"%.64s\" is unknown or has the wrong type", key);
			make_printable(reason);
			goto refuse;
		}
	}
	if (!call.method) {
		snprintf(reason, reason_size, "member \"method\" is missing");
		goto refuse;
	}
	if (upgrade) {
		snprintf(reason, reason_size, "connections can't be upgraded here");
		goto refuse;
	}
	if (call.more && call.oneway) {
		snprintf(reason, reason_size, "\"more\" and \"oneway\" exclude each other");
		goto refuse;
	}
	if (!call.parameters) {
		json_t *empty = json_object();

		if (!empty || json_object_set_new(call.document, "parameters", empty) < 0) {
			snprintf(reason, reason_size, "out of memory");
			goto refuse;
		}
		call.parameters = empty;
	}
	*ret_call = call;
	return 0;

refuse:
	json_decref(call.document);
	return -EBADMSG;
}

void message_done(struct message_call *call)
{
	json_decref(call->document);
	*call = (struct message_call){ 0 };
}
