#pragma once
/* One question to the daemon, and its answer shown. */
#include "command.h"

/* Opens the connection, calls once, closes. Takes over `parameters`. */
enum exit_code ask(struct session *session, const char *method, json_t *parameters, bool more,
                   client_answer_fn *answer, void *context);
/* An answer function that keeps the parameters as a new reference; `context` is a json_t **. */
bool keep_answer(void *context, const json_t *parameters);
/* An answer's member that must be there; NULL, and said so: the daemon speaks another dialect. */
const json_t *required(const json_t *answer, const char *member);

/* A method whose answer has a list, shown as rows. */
enum exit_code ask_list(struct session *session, const char *method, json_t *parameters, const char *member,
                        const char *const *columns, size_t count);

/* What came of a command: a sentence, or the object in the form that was asked for. */
enum exit_code say(const struct session *session, const json_t *object, const char *sentence);
