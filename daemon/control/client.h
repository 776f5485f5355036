#pragma once
/* Private to server.c and call.c: what the two halves of the server share. */
#include "control/server.h"

#include <event2/bufferevent.h>

struct client {
	struct client *next, **link;
	struct server *server;
	struct bufferevent *bev;
	struct event *work; /* goes on with what waits in the input, in the loop's next round */
	struct control_peer peer;
	struct call *call; /* under way */
	size_t scanned;    /* of the input: no NUL before this */
	bool at_eof;       /* the client sends no more */
	bool closing;      /* takes no more calls; goes when its output has been written */
};

struct server {
	struct event_base *base;
	struct server_options options;
	struct event *accepting, *accept_again;
	struct client *clients;
	size_t client_count;
	size_t calls;     /* not ended yet; they keep this struct alive */
	size_t abandoned; /* of them, those whose client has gone */
	bool closed;      /* server_free has been called */
};

/* call.c */
void call_dispatch(struct client *client, const char *text, size_t length);
void call_abandon(struct call *call);
void client_send_error(struct client *client, const char *error, json_t *parameters);
char *call_error_text(const char *error, json_t *parameters);

/* server.c */
void client_go_on(struct client *client);
void server_unref(struct server *server);
