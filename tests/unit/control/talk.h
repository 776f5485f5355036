#pragma once
/* A control plane over the fakes in a directory of its own, and the client's side of its socket. The test's thread
 * runs the server's event base while it waits; every wait has a deadline. */
#include "fake.h"

#include "control/server.h"

#include <jansson.h>
#include <stdbool.h>

struct talk {
	struct event_base *base;
	struct shards shards;
	struct control *control; /* one of the two is there */
	struct server *server;
	char directory[64], path[96];
};

/* Who connects from now on, as the injected credentials say. */
struct control_peer *talk_peer(void);

/* The real control plane over the fakes. */
void talk_open(struct talk *talk);
/* Only the server, with these methods; `stall` in milliseconds. */
void talk_open_server(struct talk *talk, const struct interface *interface, int stall);
void talk_close(struct talk *talk);

/* Connects; the descriptor does not block. */
int talk_dial(struct talk *talk);

/* Sends all of it, as fast as the server takes it. False: the server has closed. */
bool talk_send(struct talk *talk, int fd, const void *bytes, size_t length);
/* A text and its NUL. */
bool talk_say(struct talk *talk, int fd, const char *text);

/* The next message, as text (to be freed); NULL: the server has closed. Fails the test after five seconds. */
char *talk_hear(struct talk *talk, int fd);
json_t *talk_hear_json(struct talk *talk, int fd);

/* Says, hears, and compares the answer as JSON with `expected` (which may use ' for "). */
void talk_expect(struct talk *talk, int fd, const char *text, const char *expected);

/* The error's name in the next answer, "" when it is none; "closed" at the end. Static memory. */
const char *talk_hear_error(struct talk *talk, int fd);

/* Runs the server for a moment: until it has nothing more to do. */
void talk_settle(struct talk *talk);

/* Milliseconds of the monotonic clock. */
int64_t talk_now_ms(void);

#define TALK_UNTIL(talk, expression)                                                                                 \
	do {                                                                                                         \
		int64_t give_up_ = talk_now_ms() + 5000;                                                             \
		while (!(expression)) {                                                                              \
			event_base_loop((talk)->base, EVLOOP_NONBLOCK);                                              \
			if (talk_now_ms() > give_up_)                                                                \
				fail_msg("still not true after five seconds: %s", #expression);                      \
		}                                                                                                    \
	} while (0)
