#include "client.h"

#include "tapstack/control.h"
#include "text.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The largest answer taken: the daemon's own messages are far smaller. */
#define ANSWER_BYTES_MAX (64u << 20)

static void complain(const struct client *client, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void complain(const struct client *client, const char *format, ...)
{
	va_list arguments;

	if (client->quiet)
		return;
	fputs("tapstackctl: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Waits for the socket; false: the time is over. */
static bool wait_for(const struct client *client, short events, int64_t deadline)
{
	struct pollfd fd = { .fd = client->fd, .events = events };

	for (;;) {
		int64_t left = deadline - now_ms();
		int r = poll(&fd, 1, left > 0 ? (int)left : 0);

		if (r > 0)
			return true;
		if (r == 0)
			return false;
		if (errno != EINTR)
			return true; /* the next call on the socket says what it is */
	}
}

static enum exit_code timed_out(const struct client *client)
{
	complain(client, "no answer from %s within %g s; --timeout SECONDS waits longer", client->path,
	         client->timeout_ms / 1000.0);
	return EXIT_TIMED_OUT;
}

static enum exit_code lost(const struct client *client, const char *what)
{
	complain(client, "%s: %s", client->path, what);
	return EXIT_UNREACHABLE;
}

static enum exit_code connect_failed(const struct client *client, int error)
{
	const char *path = client->path;

	if (error == EACCES || error == EPERM) {
		complain(client,
		         "%s: %s; the socket is open to root and to those named in the daemon's "
		         "control.observe, control.operate and control.admin",
		         path, strerror(error));
		return EXIT_NOT_PERMITTED;
	}
	if (error == EAGAIN) {
		complain(client, "%s: the daemon does not take new clients now", path);
		return EXIT_TIMED_OUT;
	}
	complain(client, "no daemon answers on %s: %s; --socket PATH chooses another", path, strerror(error));
	return EXIT_UNREACHABLE;
}

enum exit_code client_open(struct client *client, const char *path, int timeout_ms, bool quiet)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval patience = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	int error;

	*client = (struct client){ .fd = -1, .path = path, .timeout_ms = timeout_ms, .quiet = quiet };
	if (strlen(path) >= sizeof(address.sun_path)) {
		complain(client, "the path of a socket has at most %zu bytes: %s", sizeof(address.sun_path) - 1,
		         path);
		return EXIT_USAGE;
	}
	strcpy(address.sun_path, path);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd >= 0) {
		/* connect(2) waits for a place in the daemon's queue no longer than this. */
		setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		if (connect(client->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
			return EXIT_OK;
	}
	error = errno;
	client_close(client);
	return connect_failed(client, error);
}

void client_close(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	free(client->buffer);
	client->buffer = NULL;
}

static enum exit_code send_all(struct client *client, const char *bytes, size_t length)
{
	int64_t deadline = now_ms() + client->timeout_ms;

	while (length) {
		ssize_t n = send(client->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			bytes += n;
			length -= (size_t)n;
		} else if (errno == EAGAIN) {
			if (!wait_for(client, POLLOUT, deadline))
				return timed_out(client);
		} else if (errno == EPIPE || errno == ECONNRESET) {
			return EXIT_OK; /* refused: the answer that says why can be read */
		} else if (errno != EINTR) {
			return lost(client, strerror(errno));
		}
	}
	return EXIT_OK;
}

static bool grow(struct client *client)
{
	size_t size = client->size ? 2 * client->size : 65536;
	char *buffer = size <= ANSWER_BYTES_MAX ? realloc(client->buffer, size) : NULL;

	if (!buffer)
		return false;
	client->buffer = buffer;
	client->size = size;
	return true;
}

/* One message; *ret_length without its NUL. It stays in the buffer until `taken`. */
static enum exit_code receive(struct client *client, size_t *ret_length)
{
	int64_t deadline = now_ms() + client->timeout_ms;
	size_t searched = 0;

	for (;;) {
		char *end = client->used > searched ? memchr(client->buffer + searched, '\0', client->used - searched)
		                                    : NULL;
		ssize_t n;

		if (end) {
			*ret_length = (size_t)(end - client->buffer);
			return EXIT_OK;
		}
		searched = client->used;
		if (client->used == client->size && !grow(client))
			return lost(client, "the answer is too long");
		if (!wait_for(client, POLLIN, deadline))
			return timed_out(client);
		n = recv(client->fd, client->buffer + client->used, client->size - client->used, MSG_DONTWAIT);
		if (n == 0)
			return lost(client, "the daemon closed the connection without an answer");
		if (n > 0)
			client->used += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			return lost(client, strerror(errno));
	}
}

static void taken(struct client *client, size_t length)
{
	client->used -= length + 1;
	memmove(client->buffer, client->buffer + length + 1, client->used);
}

/* A member as printable text; to be freed. */
static char *member(const json_t *object, const char *name)
{
	return text_of(json_object_get(object, name));
}

static enum exit_code permission_denied(const struct client *client, const json_t *parameters, const char *method)
{
	char *needed = member(parameters, "needed"), *role = member(parameters, "role");

	complain(client,
	         "not permitted: %s needs the role \"%s\", yours is \"%s\"; the daemon's control.%s "
	         "names "
	         "who has it",
	         method, needed, role, needed);
	free(needed);
	free(role);
	return EXIT_NOT_PERMITTED;
}

static enum exit_code no_such_connection(const struct client *client, const json_t *parameters)
{
	char *id = member(parameters, "id");

	complain(client, "connection %s is not live; see: tapstackctl history %s", id, id);
	free(id);
	return EXIT_NO_MATCH;
}

static enum exit_code already_closing(const struct client *client, const json_t *parameters)
{
	char *id = member(parameters, "id");

	complain(client, "connection %s has been closed already and is in TIME-WAIT; --abort ends that at once", id);
	free(id);
	return EXIT_REFUSED;
}

static enum exit_code handshake_incomplete(const struct client *client, const json_t *parameters)
{
	char *id = member(parameters, "id");

	complain(client,
	         "connection %s: its handshake is not complete, so there is nothing to close; --abort ends it", id);
	free(id);
	return EXIT_REFUSED;
}

static enum exit_code invalid_parameter(const struct client *client, const json_t *parameters)
{
	char *parameter = member(parameters, "parameter"), *reason = member(parameters, "reason");

	complain(client, "the daemon refused %s: %s", parameter, *reason ? reason : "invalid");
	free(parameter);
	free(reason);
	return EXIT_REFUSED;
}

static enum exit_code invalid_configuration(const struct client *client, const json_t *parameters)
{
	const json_t *errors = json_object_get(parameters, "errors");
	size_t i;
	json_t *error;

	complain(client, "the configuration was not accepted; nothing has changed:");
	json_array_foreach(errors, i, error)
	{
		char *text = text_of(error);

		complain(client, "  %s", text);
		free(text);
	}
	return EXIT_REFUSED;
}

static enum exit_code plugin_refused(const struct client *client, const json_t *parameters)
{
	const json_t *errors = json_object_get(parameters, "errors");
	size_t i;
	json_t *error;

	json_array_foreach(errors, i, error)
	{
		char *text = text_of(error);

		complain(client, "%s", text);
		free(text);
	}
	return EXIT_REFUSED;
}

static enum exit_code say_error(const struct client *client, const char *error, const json_t *parameters,
                                const char *method)
{
	char *name, *details;

	if (strcmp(error, TAPSTACK_VARLINK_INTERFACE ".PermissionDenied") == 0)
		return permission_denied(client, parameters, method);
	if (strcmp(error, TAPSTACK_CONTROL_INTERFACE ".NoSuchConnection") == 0)
		return no_such_connection(client, parameters);
	if (strcmp(error, TAPSTACK_CONTROL_INTERFACE ".AlreadyClosing") == 0)
		return already_closing(client, parameters);
	if (strcmp(error, TAPSTACK_CONTROL_INTERFACE ".HandshakeIncomplete") == 0)
		return handshake_incomplete(client, parameters);
	if (strcmp(error, TAPSTACK_VARLINK_INTERFACE ".InvalidParameter") == 0)
		return invalid_parameter(client, parameters);
	if (strcmp(error, TAPSTACK_CONTROL_INTERFACE ".InvalidConfiguration") == 0)
		return invalid_configuration(client, parameters);
	if (strcmp(error, TAPSTACK_CONTROL_INTERFACE ".PluginRefused") == 0)
		return plugin_refused(client, parameters);

	name = text_printable(error, strlen(error));
	details = text_of(parameters);
	complain(client, "the daemon refused %s: %s %s", method, name, details);
	free(name);
	free(details);
	return EXIT_REFUSED;
}

/* One answer; *ret_continues: others follow. */
static enum exit_code take_answer(struct client *client, const char *method, client_answer_fn *answer, void *context,
                                  bool *ret_continues)
{
	size_t length;
	enum exit_code code = receive(client, &length);
	const char *error;
	json_t *document, *parameters;

	*ret_continues = false;
	if (code != EXIT_OK)
		return code;
	document = json_loadb(client->buffer, length, 0, NULL);
	taken(client, length);
	if (!json_is_object(document)) {
		json_decref(document);
		return lost(client, "the answer is not JSON: is this tapstackd's control socket?");
	}
	error = json_string_value(json_object_get(document, "error"));
	parameters = json_object_get(document, "parameters");
	if (error) {
		code = say_error(client, error, parameters, method);
	} else {
		*ret_continues = json_is_true(json_object_get(document, "continues"));
		if (answer && !answer(context, parameters))
			*ret_continues = false;
	}
	json_decref(document);
	return code;
}

enum exit_code client_call(struct client *client, const char *method, json_t *parameters, bool more,
                           client_answer_fn *answer, void *context)
{
	char name[128];
	bool continues = true;
	enum exit_code code;
	json_t *call;
	char *text;

	snprintf(name, sizeof(name), TAPSTACK_CONTROL_INTERFACE ".%s", method);
	call = json_pack("{s:s, s:o*}", "method", name, "parameters", parameters);
	if (call && more)
		json_object_set_new(call, "more", json_true());
	text = call ? json_dumps(call, JSON_COMPACT) : NULL;
	json_decref(call);
	if (!text) {
		complain(client, "out of memory");
		return EXIT_REFUSED;
	}
	code = send_all(client, text, strlen(text) + 1);
	free(text);
	while (code == EXIT_OK && continues)
		code = take_answer(client, method, answer, context, &continues);
	return code;
}
