#include "ask.h"

#include <errno.h>

enum exit_code ask(struct session *session, const char *method, json_t *parameters, bool more,
                   client_answer_fn *answer, void *context)
{
	struct client client;
	enum exit_code code = client_open(&client, session->socket_path, session->timeout_ms, false);

	if (code != EXIT_OK) {
		json_decref(parameters);
		return code;
	}
	code = client_call(&client, method, parameters, more, answer, context);
	client_close(&client);
	return code;
}

bool keep_answer(void *context, const json_t *parameters)
{
	json_t **ret = context;

	*ret = json_incref((json_t *)parameters);
	return true;
}

const json_t *required(const json_t *answer, const char *member)
{
	const json_t *value = json_object_get(answer, member);

	if (!value)
		fprintf(stderr, "tapstackctl: the daemon's answer has no \"%s\": is it of another version?\n",
		        member);
	return value;
}

enum exit_code ask_list(struct session *session, const char *method, json_t *parameters, const char *member,
                        const char *const *columns, size_t count)
{
	json_t *answer = NULL, *row;
	enum exit_code code = ask(session, method, parameters, false, keep_answer, &answer);
	struct output *output = NULL;
	const json_t *rows;
	size_t i;

	rows = code == EXIT_OK ? required(answer, member) : NULL;
	if (code == EXIT_OK && !rows) {
		code = EXIT_REFUSED;
	} else if (code == EXIT_OK) {
		output = output_open(&session->output, columns, count);
		json_array_foreach(rows, i, row)
		{
			if (output && (session->limit == 0 || i < (size_t)session->limit))
				output_row(output, row);
		}
		code = finish_output(output ? output_close(output) : -ENOMEM);
	}
	json_decref(answer);
	return code;
}

enum exit_code say(const struct session *session, const json_t *object, const char *sentence)
{
	if (session->output.format != OUTPUT_TABLE)
		return finish_output(output_object(&session->output, object));
	fprintf(session->output.file, "%s\n", sentence);
	return finish_output(fflush(session->output.file) ? -EIO : 0);
}
