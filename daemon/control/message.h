#pragma once
/* Varlink messages: text to call and back. Pure: no I/O, no state. */
#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>

#define MESSAGE_BYTES_MAX (1u << 20) /* without the NUL that ends it */
#define MESSAGE_DEPTH_MAX 32         /* objects and arrays inside one another */

struct message_call {
	json_t *document;   /* owns what the others point at */
	const char *method; /* "org.tapstack.control.Status" */
	json_t *parameters; /* an object; empty when the message has none */
	bool more, oneway;
};

/* Deepest nesting of objects and arrays in a JSON text; strings are skipped. For text that is no JSON the number
 * means nothing, but it is never less than what a parser would have to nest before it noticed. */
unsigned message_depth(const char *text, size_t length);

/* Reads one call. Returns 0 and fills *ret_call, to be given to message_done; or -EBADMSG with a sentence in
 * `reason`: not JSON, too deep, not an object, a member of the wrong type, an unknown member. */
int message_parse(const char *text, size_t length, struct message_call *ret_call, char *reason, size_t reason_size);
void message_done(struct message_call *call);
