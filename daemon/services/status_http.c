#include "services/status_http.h"

#include "services/status_http_private.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Answers that are being put together at a time; further requests are told to come back. */
#define ANSWERS_MAX 64
/* Requests have no body worth reading; their headers have a limit. */
#define HEADERS_MAX_BYTES 16384
#define BODY_MAX_BYTES 65536
#define BACKLOG 512
/* A listing is sent in pieces of about this size; what is shorter goes out whole, with its length. */
#define PIECE_BYTES 65536

TAILQ_HEAD(answers, answer);

struct status {
	struct evhttp *http;
	struct shards *shards;
	const struct render_names *names;
	struct answers answers;
	unsigned answer_count;
	struct sockaddr_un address;
};

/* A request that is being answered. Asks the shards one thing after the other; what is there so far goes out as soon
 * as it can. */
struct answer {
	TAILQ_ENTRY(answer) link;
	struct status *status;          /* NULL: status_close was called meanwhile */
	struct evhttp_request *request; /* NULL: the client has gone, or the answer is complete */
	const struct status_writer *writer;
	struct evbuffer *out;
	struct survey *survey; /* under way */
	bool asking;           /* a question is under way that can't be called off: it frees the answer in the end */
	bool started;          /* the head of the response is out */
	bool paused;           /* the survey is, until the client has taken what was sent */
	size_t rows;
};

static void answer_free(struct answer *answer)
{
	if (answer->status) {
		TAILQ_REMOVE(&answer->status->answers, answer, link);
		answer->status->answer_count--;
	}
	if (answer->survey)
		survey_cancel(answer->survey);
	evbuffer_free(answer->out);
	free(answer);
}

/* ---- sending -------------------------------------------------------------------------------------------------- */

/* evhttp watches for the client's end while it writes, and takes a half-close for a lost client. Who has sent a
 * request and closed its direction still gets the answer: so the end is looked for once the answer is out. */
static void ignore_end(struct evhttp_connection *connection)
{
	bufferevent_disable(evhttp_connection_get_bufferevent(connection), EV_READ);
}

/* The connection died under the answer: evhttp has let go of the request, and it is ours to free. */
static void on_gone(struct evhttp_connection *connection, void *context)
{
	struct answer *answer = context;

	(void)connection;
	if (!evhttp_request_get_connection(answer->request))
		evhttp_request_free(answer->request);
	answer->request = NULL;
	if (!answer->asking)
		answer_free(answer);
}

/* The request goes back to evhttp, which sends what is left and then frees it. */
static struct evhttp_request *release(struct answer *answer)
{
	struct evhttp_request *request = answer->request;

	evhttp_connection_set_closecb(evhttp_request_get_connection(request), NULL, NULL);
	answer->request = NULL;
	return request;
}

static void on_flushed(struct evhttp_connection *connection, void *context)
{
	struct answer *answer = context;

	(void)connection;
	if (answer->paused)
		survey_resume(answer->survey);
	answer->paused = false;
}

/* Sends what is there; the survey rests until the client has taken it. */
static void send_piece(struct answer *answer)
{
	if (!answer->started)
		evhttp_send_reply_start(answer->request, HTTP_OK, "OK");
	answer->started = true;
	evhttp_send_reply_chunk_with_cb(answer->request, answer->out, on_flushed, answer);
	ignore_end(evhttp_request_get_connection(answer->request));
	answer->paused = true;
	survey_pause(answer->survey);
}

/* An answer of which nothing has gone out yet gets a length. */
static void finish(struct answer *answer)
{
	struct evhttp_request *request = release(answer);
	struct evhttp_connection *connection = evhttp_request_get_connection(request);

	/* `out` holds at least the writer's end, so that there is something to write in each case, and the connection
	 * does not end before these calls return. */
	if (answer->started) {
		evhttp_send_reply_chunk(request, answer->out);
		evhttp_send_reply_end(request);
	} else {
		evhttp_send_reply(request, HTTP_OK, "OK", answer->out);
	}
	ignore_end(connection);
	answer_free(answer);
}

/* Too late for another status: that the body is cut short shows in the connection's end. */
static void fail(struct answer *answer)
{
	struct evhttp_request *request = release(answer);

	if (answer->started)
		evhttp_connection_free(evhttp_request_get_connection(request));
	else
		evhttp_send_error(request, HTTP_SERVUNAVAIL, "out of memory");
	answer_free(answer);
}

/* ---- asking ---------------------------------------------------------------------------------------------------- */

static void on_rows(void *user, const struct stack_conn_info *infos, size_t count)
{
	struct answer *answer = user;

	answer->writer->rows(answer->out, infos, count, answer->rows, answer->status->names, shard_now());
	answer->rows += count;
	if (evbuffer_get_length(answer->out) >= PIECE_BYTES)
		send_piece(answer);
}

static void on_rows_end(void *user, bool truncated)
{
	struct answer *answer = user;

	answer->survey = NULL;
	answer->writer->end(answer->out, answer->rows, truncated);
	finish(answer);
}

static void ask_rows(struct answer *answer)
{
	const struct survey_options options = {
		.max = answer->writer->rows_max, .chunk = on_rows, .done = on_rows_end, .user = answer
	};

	if (!answer->writer->rows)
		on_rows_end(answer, false);
	else if (survey_start(answer->status->shards, &options, &answer->survey) < 0)
		fail(answer);
}

/* The client may have gone while the question was under way. */
static bool is_wanted(struct answer *answer)
{
	answer->asking = false;
	if (answer->request)
		return true;
	answer_free(answer);
	return false;
}

static void on_services(void *user, const struct status_service *services, size_t count)
{
	struct answer *answer = user;

	if (!is_wanted(answer))
		return;
	answer->writer->services(answer->out, services, count, answer->status->names);
	ask_rows(answer);
}

static void ask_services(struct answer *answer)
{
	struct status *status = answer->status;

	if (!answer->writer->services) {
		ask_rows(answer);
		return;
	}
	answer->asking = true;
	if (status_services_start(status->shards, status->names->service_count, on_services, answer) < 0)
		fail(answer);
}

static void on_totals(void *user, const struct survey_totals *totals)
{
	struct answer *answer = user;

	if (!is_wanted(answer))
		return;
	answer->writer->totals(answer->out, totals);
	ask_services(answer);
}

static void ask_totals(struct answer *answer)
{
	if (!answer->writer->totals) {
		ask_services(answer);
		return;
	}
	answer->asking = true;
	if (survey_totals_start(answer->status->shards, on_totals, answer) < 0)
		fail(answer);
}

/* ---- requests -------------------------------------------------------------------------------------------------- */

static const struct status_writer *find_writer(const char *path)
{
	static const struct {
		const char *path;
		const struct status_writer *writer;
	} routes[] = {
		{ "/", &status_page },
		{ "/connections", &status_connections },
		{ "/metrics", &status_metrics },
	};

	for (size_t i = 0; path && i < sizeof(routes) / sizeof(routes[0]); i++)
		if (strcmp(routes[i].path, path) == 0)
			return routes[i].writer;
	return NULL;
}

static void refuse(struct evhttp_request *request, int code, const char *reason)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	struct evbuffer *body = evbuffer_new();

	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", "text/plain; charset=utf-8");
	if (body)
		evbuffer_add_printf(body, "%d %s\n", code, reason);
	evhttp_send_reply(request, code, reason, body);
	ignore_end(connection);
	if (body)
		evbuffer_free(body);
}

static void begin_answer(struct status *status, struct evhttp_request *request, const struct status_writer *writer)
{
	struct answer *answer = calloc(1, sizeof(*answer));

	if (answer)
		answer->out = evbuffer_new();
	if (!answer || !answer->out) {
		free(answer);
		refuse(request, HTTP_SERVUNAVAIL, "Service Unavailable");
		return;
	}
	answer->status = status;
	answer->request = request;
	answer->writer = writer;
	TAILQ_INSERT_TAIL(&status->answers, answer, link);
	status->answer_count++;
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_gone, answer);
	if (writer->begin)
		writer->begin(answer->out);
	ask_totals(answer);
}

static void on_request(struct evhttp_request *request, void *context)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const struct status_writer *writer = find_writer(uri ? evhttp_uri_get_path(uri) : NULL);
	enum evhttp_cmd_type method = evhttp_request_get_command(request);
	struct status *status = context;

	if (!writer) {
		refuse(request, HTTP_NOTFOUND, "Not Found");
	} else if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
		evhttp_add_header(headers, "Allow", "GET, HEAD");
		refuse(request, HTTP_BADMETHOD, "Method Not Allowed");
	} else if (status->answer_count >= ANSWERS_MAX) {
		evhttp_add_header(headers, "Retry-After", "1");
		refuse(request, HTTP_SERVUNAVAIL, "Service Unavailable");
	} else {
		struct evhttp_connection *connection = evhttp_request_get_connection(request);

		evhttp_add_header(headers, "Content-Type", writer->content_type);
		evhttp_add_header(headers, "Cache-Control", "no-store");
		evhttp_add_header(headers, "Content-Security-Policy",
		                  "default-src 'none'; style-src 'unsafe-inline'");
		if (method == EVHTTP_REQ_HEAD) {
			evhttp_send_reply(request, HTTP_OK, "OK", NULL);
			ignore_end(connection);
		} else {
			begin_answer(status, request, writer);
		}
	}
}

/* ---- the server ------------------------------------------------------------------------------------------------ */

static int complain(int code, const char *path, const char *what, char *error, size_t error_size)
{
	snprintf(error, error_size, "status server: %s %s: %s", what, path, strerror(code));
	return -code;
}

/* Returns the descriptor or -errno. */
static int listen_at(const struct sockaddr_un *address, char *error, size_t error_size)
{
	struct stat before;
	int fd, code;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return complain(errno, address->sun_path, "socket for", error, error_size);
	if (lstat(address->sun_path, &before) == 0 && S_ISSOCK(before.st_mode))
		unlink(address->sun_path);
	/* Only this daemon's shards connect. The mode has to be there before the name is. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		code = errno;
		close(fd);
		return complain(code, address->sun_path, "cannot listen at", error, error_size);
	}
	return fd;
}

static struct evhttp *make_server(struct status *status, struct event_base *base, int fd)
{
	struct evhttp *http = evhttp_new(base);

	if (!http)
		return NULL;
	if (evhttp_accept_socket(http, fd) < 0) {
		evhttp_free(http);
		return NULL;
	}
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
	                                         EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
	                                         EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
	evhttp_set_max_headers_size(http, HEADERS_MAX_BYTES);
	evhttp_set_max_body_size(http, BODY_MAX_BYTES);
	evhttp_set_gencb(http, on_request, status);
	return http;
}

int status_open(const struct status_options *options, struct event_base *base, struct status **ret_status,
                char *error, size_t error_size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct status *status;
	int fd;

	if (strlen(options->path) >= sizeof(address.sun_path))
		return complain(ENAMETOOLONG, options->path, "cannot listen at", error, error_size);
	strcpy(address.sun_path, options->path);
	fd = listen_at(&address, error, error_size);
	if (fd < 0)
		return fd;
	status = calloc(1, sizeof(*status));
	if (status)
		status->http = make_server(status, base, fd);
	if (!status || !status->http) {
		free(status);
		close(fd);
		unlink(address.sun_path);
		return complain(ENOMEM, options->path, "cannot listen at", error, error_size);
	}
	status->shards = options->shards;
	status->names = options->names;
	status->address = address;
	TAILQ_INIT(&status->answers);
	status_set_idle_timeout(status, options->idle_timeout);
	*ret_status = status;
	return 0;
}

void status_target(const struct status *status, struct service_target *ret_target)
{
	memset(ret_target, 0, sizeof(*ret_target));
	memcpy(&ret_target->address, &status->address, sizeof(status->address));
	ret_target->length = sizeof(status->address);
}

void status_set_idle_timeout(struct status *status, struct duration idle_timeout)
{
	const struct timeval tv = { (time_t)(idle_timeout.ns / 1000000000),
		                    (suseconds_t)(idle_timeout.ns % 1000000000 / 1000) };

	evhttp_set_timeout_tv(status->http, idle_timeout.ns > 0 ? &tv : NULL);
}

void status_close(struct status *status)
{
	struct answer *answer, *next;

	if (!status)
		return;
	for (answer = TAILQ_FIRST(&status->answers); answer; answer = next) {
		next = TAILQ_NEXT(answer, link);
		/* The request goes with its connection. */
		if (answer->request)
			release(answer);
		if (!answer->asking) {
			answer_free(answer);
			continue;
		}
		TAILQ_REMOVE(&status->answers, answer, link);
		answer->status = NULL;
	}
	evhttp_free(status->http);
	unlink(status->address.sun_path);
	free(status);
}
