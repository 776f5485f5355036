#pragma once
/* A relay between a fake stack (the test plays the peers) and real sockets (the test plays the server), for a
 * program in a network namespace of its own (support/namespace.h). */
#include "services/service.h"
#include "support/fake_stack.h"
#include "support/namespace.h"
#include "support/pattern.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum server_kind { SERVER_UNIX, SERVER_TCP, SERVER_KINDS };

struct fixture {
	struct service_host host;
	struct service_options options;
	struct service *service;
	struct event *tick; /* so that waiting can look at a condition now and then */
	int listener;
	int descriptors; /* open before the service started */
};

void fixture_open(struct fixture *f, enum server_kind kind, int backlog);
/* After f->options have been set as wanted. */
void fixture_start(struct fixture *f, const char *kind);
/* Ends the service, and finds leaks of handles and descriptors. */
void fixture_close(struct fixture *f);

/* One round of the event loop, and what it made ready. */
void crank(struct fixture *f);

/* Cranks until `condition` holds; fails the test after some seconds. */
#define UNTIL(f, condition)                                                                                          \
	do {                                                                                                         \
		int64_t give_up = fixture_now().ns + DURATION_S(10).ns;                                              \
		while (!(condition)) {                                                                               \
			if (fixture_now().ns > give_up)                                                              \
				fail_msg("waited in vain for: %s", #condition);                                      \
			crank(f);                                                                                    \
		}                                                                                                    \
	} while (0)

struct instant fixture_now(void);

/* The next connection at the server's side, non-blocking. */
int server_accept(struct fixture *f);
/* As read(2), cranking until there is something: bytes, 0 at the end, or -errno. */
ssize_t server_read(struct fixture *f, int fd, void *bytes, size_t length);
void server_read_all(struct fixture *f, int fd, void *bytes, size_t length);
void server_resets(int fd);
/* A new listener at the same address, after the test has closed the old one. */
void server_listens_again(struct fixture *f);
