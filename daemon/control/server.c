#include "control/server.h"

#include "control/client.h"
#include "tapstack/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ACCEPTS_PER_ROUND = 16,
	CALLS_PER_ROUND = 16, /* of one client, before the others and the signals have their turn */
};

static void client_free(struct client *client)
{
	struct server *server = client->server;

	*client->link = client->next;
	if (client->next)
		client->next->link = client->link;
	server->client_count--;

	if (client->call) {
		struct call *call = client->call;

		client->call = NULL;
		call_abandon(call);
	}
	event_free(client->work);
	bufferevent_free(client->bev);
	free(client);
}

static void refuse_input(struct client *client, const char *reason)
{
	client_send_error(client, TAPSTACK_CONTROL_INTERFACE ".InvalidMessage", json_pack("{s:s}", "reason", reason));
	client->closing = true;
}

/* Length of the first whole message in the input, without its NUL; -1: there is none yet. */
static ssize_t whole_message(struct client *client, struct evbuffer *input)
{
	struct evbuffer_ptr from, at;

	if (client->scanned >= evbuffer_get_length(input))
		return -1;
	evbuffer_ptr_set(input, &from, client->scanned, EVBUFFER_PTR_SET);
	at = evbuffer_search(input, "", 1, &from);
	if (at.pos < 0)
		client->scanned = evbuffer_get_length(input);
	return at.pos;
}

/* Takes one message from the input and has it done. Returns false when there is nothing to take. */
static bool take_message(struct client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->bev);
	ssize_t length = whole_message(client, input);
	char *text;

	if (length > (ssize_t)MESSAGE_BYTES_MAX || (length < 0 && client->scanned > MESSAGE_BYTES_MAX)) {
		refuse_input(client, "longer than 1 MiB");
		return false;
	}
	if (length < 0) {
		if (client->at_eof && client->scanned > 0)
			refuse_input(client, "ends without a NUL byte");
		return false;
	}
	text = malloc((size_t)length + 1);
	if (!text) {
		refuse_input(client, "out of memory");
		return false;
	}
	evbuffer_remove(input, text, (size_t)length + 1);
	client->scanned = 0;
	call_dispatch(client, text, (size_t)length);
	free(text);
	return true;
}

/* Bounds the input by not reading. libevent's own high watermark is no use for that: it calls back again and again,
 * without looking at any descriptor, for as long as the input is full and nobody takes from it. */
static void choose_reading(struct client *client)
{
	size_t waiting = evbuffer_get_length(bufferevent_get_input(client->bev));

	if (client->closing || client->at_eof || waiting > MESSAGE_BYTES_MAX)
		bufferevent_disable(client->bev, EV_READ);
	else
		bufferevent_enable(client->bev, EV_READ);
}

/* Does what is waiting, as far as order, output and fairness allow; frees the client when all is done. */
static void client_work(struct client *client)
{
	struct evbuffer *output = bufferevent_get_output(client->bev);
	bool more = true;

	for (int i = 0; i < CALLS_PER_ROUND && more; i++)
		more = !client->call && !client->closing && evbuffer_get_length(output) < SERVER_OUTPUT_HIGH &&
		       take_message(client);
	if (!more && client->at_eof && !client->call && evbuffer_get_length(bufferevent_get_input(client->bev)) == 0)
		client->closing = true;
	if (client->closing && !client->call && evbuffer_get_length(output) == 0) {
		client_free(client);
		return;
	}
	choose_reading(client);
	if (more)
		client_go_on(client);
}

/* Not from within a method: it may free the client. A timer of zero runs after the loop has looked at all
 * descriptors again. */
void client_go_on(struct client *client)
{
	event_add(client->work, &(struct timeval){ 0, 0 });
}

static void on_work(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	client_work(context);
}

static void on_readable(struct bufferevent *bev, void *context)
{
	(void)bev;
	client_work(context);
}

static void on_drained(struct bufferevent *bev, void *context)
{
	struct client *client = context;

	(void)bev;
	if (client->call && client->call->drained)
		client->call->drained(client->call);
	client_go_on(client);
}

static void on_event(struct bufferevent *bev, short what, void *context)
{
	struct client *client = context;

	(void)bev;
	if (what & (BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) {
		client_free(client);
		return;
	}
	if (what & BEV_EVENT_EOF) {
		client->at_eof = true;
		client_work(client);
	}
}

static int client_new(struct server *server, int fd, const struct control_peer *peer)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		return -ENOMEM;
	client->server = server;
	client->peer = *peer;
	client->work = event_new(server->base, -1, 0, on_work, client);
	client->bev = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!client->work || !client->bev) {
		if (client->work)
			event_free(client->work);
		if (client->bev) {
			bufferevent_setfd(client->bev, -1); /* stays the caller's */
			bufferevent_free(client->bev);
		}
		free(client);
		return -ENOMEM;
	}
	client->next = server->clients;
	if (client->next)
		client->next->link = &client->next;
	client->link = &server->clients;
	server->clients = client;
	server->client_count++;

	bufferevent_setcb(client->bev, on_readable, on_drained, on_event, client);
	bufferevent_setwatermark(client->bev, EV_WRITE, SERVER_OUTPUT_LOW, 0);
	bufferevent_set_timeouts(client->bev, NULL, &server->options.stall_timeout);
	bufferevent_enable(client->bev, EV_READ | EV_WRITE);
	return 0;
}

/* Says why, as far as that can be said without waiting, and closes. */
static void refuse_client(int fd, const char *error, json_t *parameters)
{
	char *text = call_error_text(error, parameters);

	if (text)
		(void)!send(fd, text, strlen(text) + 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	free(text);
	close(fd);
}

static void admit(struct server *server, int fd)
{
	struct control_peer peer;
	enum control_role role;
	size_t places;

	if (server->options.credentials(fd, &peer) < 0) {
		close(fd);
		return;
	}
	role = rights_role(&server->options.rights, &peer);
	if (role == CONTROL_NOBODY) {
		refuse_client(fd, TAPSTACK_VARLINK_INTERFACE ".PermissionDenied",
		              json_pack("{s:s, s:s}", "needed", control_role_name(CONTROL_OBSERVE), "role",
		                        control_role_name(role)));
		return;
	}
	places = role == CONTROL_ADMIN ? SERVER_CLIENTS_MAX : SERVER_CLIENTS_MAX - SERVER_CLIENTS_RESERVED;
	/* A call whose client has gone keeps the client's place until it has ended. Else those who call and go at
	 * once could have any number of calls under way. */
	if (server->client_count + server->abandoned >= places) {
		refuse_client(fd, TAPSTACK_CONTROL_INTERFACE ".TooManyClients",
		              json_pack("{s:I}", "limit", (json_int_t)places));
		return;
	}
	if (client_new(server, fd, &peer) < 0)
		close(fd);
}

static void on_acceptable(evutil_socket_t listen_fd, short what, void *context)
{
	struct server *server = context;

	(void)what;
	for (int i = 0; i < ACCEPTS_PER_ROUND; i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			admit(server, fd);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			/* Would be reported again and again: look away for a second. */
			event_del(server->accepting);
			event_add(server->accept_again, &(struct timeval){ 1, 0 });
			return;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			return;
		}
	}
}

static void on_accept_again(evutil_socket_t fd, short what, void *context)
{
	struct server *server = context;

	(void)fd;
	(void)what;
	event_add(server->accepting, NULL);
}

void server_unref(struct server *server)
{
	if (server->closed && server->calls == 0)
		free(server);
}

int server_new(const struct server_options *options, struct event_base *base, struct server **ret_server)
{
	struct server *server = calloc(1, sizeof(*server));

	if (server) {
		server->base = base;
		server->options = *options;
		if (!server->options.credentials)
			server->options.credentials = rights_peer;
		server->accepting = event_new(base, options->listen_fd, EV_READ | EV_PERSIST, on_acceptable, server);
		server->accept_again = event_new(base, -1, 0, on_accept_again, server);
		if (server->accepting && server->accept_again && event_add(server->accepting, NULL) == 0) {
			*ret_server = server;
			return 0;
		}
		if (server->accepting)
			event_free(server->accepting);
		if (server->accept_again)
			event_free(server->accept_again);
		free(server);
	}
	return -ENOMEM;
}

void server_set_rights(struct server *server, const struct rights *rights)
{
	rights_done(&server->options.rights);
	server->options.rights = *rights;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	event_free(server->accepting);
	event_free(server->accept_again);
	close(server->options.listen_fd);
	server->closed = true;
	server->calls++; /* until the last client is gone, nobody may free the server */
	while (server->clients) {
		struct client *client = server->clients;
		struct evbuffer *output = bufferevent_get_output(client->bev);

		/* The answer to Stop, for one. A bufferevent keeps its output to itself until it is told otherwise.
		 */
		evbuffer_unfreeze(output, 1);
		evbuffer_write(output, bufferevent_getfd(client->bev));
		client_free(client);
	}
	rights_done(&server->options.rights);
	server->calls--;
	server_unref(server);
}

size_t server_clients(const struct server *server)
{
	return server->client_count;
}
