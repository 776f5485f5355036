#pragma once
/* The varlink server: clients, framing, order, limits, rights, dispatch. Knows methods as a table, not what they do.
 *
 * A client has at most one call under way; what it has pipelined behind waits in its input buffer. Output is bounded
 * by not taking the next call, and by telling streaming methods to pause, while more than SERVER_OUTPUT_HIGH bytes
 * are unread; a client that reads nothing for `stall_timeout` while there is output for it is cut off. */
#include "control/message.h"
#include "control/method.h"
#include "control/rights.h"

#include <event2/event.h>
#include <jansson.h>
#include <sys/time.h>

#define SERVER_OUTPUT_HIGH (256u << 10)
#define SERVER_OUTPUT_LOW (64u << 10)
#define SERVER_CLIENTS_MAX 64     /* with the calls whose clients have gone */
#define SERVER_CLIENTS_RESERVED 4 /* of them, kept for administrators */

struct server;

struct server_options {
	int listen_fd;                      /* non-blocking; the server's from here, also on failure */
	const struct interface *interfaces; /* org.varlink.service is added by the server */
	size_t interface_count;
	const char *vendor, *product, *version, *url; /* for GetInfo */
	struct rights rights;                         /* the server's from here */
	struct timeval stall_timeout;
	int (*credentials)(int fd, struct control_peer *ret_peer);
	void (*action)(void *context, const struct control_action *action);
	void *context; /* of action, and for methods */
};

/* Returns 0 or -ENOMEM. All pointers of options must live as long as the server. */
int server_new(const struct server_options *options, struct event_base *base, struct server **ret_server);
void server_set_rights(struct server *server, const struct rights *rights);
/* No more clients; calls that are under way lose their client and end by themselves. NULL is allowed. */
void server_free(struct server *server);
/* Calls that have not ended yet; after server_free nothing may touch `context` through them when this is 0. */
size_t server_clients(const struct server *server);

/* ---- for methods --------------------------------------------------------------------------------------------- */

struct call {
	struct server *server;
	struct client *client; /* NULL: gone; answers go nowhere */
	struct message_call message;
	const struct method *method;
	struct control_peer peer;
	enum control_role role;
	bool checked; /* the caller may do this, and the parameters are as the method has them */
	/* The method's own: its state; what to do when the client is gone (it must still end the call); and when
	 * output that was paused may go on. */
	void *state;
	void (*abandoned)(struct call *call);
	void (*drained)(struct call *call);
};

void *call_context(const struct call *call);
const json_t *call_parameter(const struct call *call, const char *name); /* NULL: absent or null */

/* Ends the call. `parameters` is a reference taken over; NULL: an empty object. */
void call_reply(struct call *call, json_t *parameters);
/* An answer that others follow; only for calls with `more`. False: enough is unread; wait for `drained`. */
bool call_reply_more(struct call *call, json_t *parameters);
/* Ends the call with an error: its full name, and parameters taken over. */
void call_fail(struct call *call, const char *error, json_t *parameters);
/* org.varlink.service.InvalidParameter with a sentence. */
void call_fail_parameter(struct call *call, const char *parameter, const char *reason);
void call_fail_memory(struct call *call);
