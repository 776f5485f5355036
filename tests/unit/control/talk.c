#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "talk.h"

#include "control/socket.h"
#include "litter.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct control_peer *talk_peer(void)
{
	static struct control_peer peer;

	return &peer;
}

static int injected(int fd, struct control_peer *ret_peer)
{
	(void)fd;
	*ret_peer = *talk_peer();
	return 0;
}

static void begin(struct talk *talk)
{
	*talk = (struct talk){ 0 };
	*talk_peer() = (struct control_peer){ .pid = 1 };
	signal(SIGPIPE, SIG_IGN);
	snprintf(talk->directory, sizeof(talk->directory), "/tmp/tapstack-control-XXXXXX");
	litter_make(talk->directory);
	snprintf(talk->path, sizeof(talk->path), "%s/control.sock", talk->directory);
	talk->base = event_base_new();
	talk->shards.base = talk->base;
}

void talk_open(struct talk *talk)
{
	static const char *observe[] = { "group:70" }, *operate[] = { "71" };
	struct control_options options = { .listen_fd = -1, .credentials = injected };
	char error[256];

	begin(talk);
	options.path = talk->path;
	options.shards = &talk->shards;
	options.hooks = fake_hooks(&talk->shards);
	options.rights.observe = (struct config_text_list){ observe, 1 };
	options.rights.operate = (struct config_text_list){ operate, 1 };
	if (control_open(&options, talk->base, &talk->control, error, sizeof(error)) < 0)
		fail_msg("%s", error);
}

void talk_open_server(struct talk *talk, const struct interface *interface, int stall)
{
	struct control_rights nobody = { 0 };
	struct server_options options = { .interfaces = interface,
		                          .interface_count = 1,
		                          .vendor = "v",
		                          .product = "p",
		                          .version = "1",
		                          .url = "u",
		                          .stall_timeout = { stall / 1000, stall % 1000 * 1000 },
		                          .credentials = injected,
		                          .context = talk };
	struct control_socket made;
	struct rights rights;
	char error[256];

	begin(talk);
	assert_int_equal(rights_init(&options.rights, &nobody, 0), 0);
	assert_int_equal(rights_init(&rights, &nobody, 0), 0);
	if (control_socket_open(talk->path, &rights, &made, error, sizeof(error)) < 0)
		fail_msg("%s", error);
	options.listen_fd = made.fd;
	assert_int_equal(server_new(&options, talk->base, &talk->server), 0);
	rights_done(&rights);
	free(made.path);
	close(made.lock_fd);
}

void talk_close(struct talk *talk)
{
	control_close(talk->control);
	server_free(talk->server);
	talk_settle(talk);
	event_base_free(talk->base);
	assert_int_equal(litter_remove(talk->directory), 0);
}

int talk_dial(struct talk *talk)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, talk->path);
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		assert_int_equal(errno, EAGAIN);
		talk_settle(talk);
	}
	return fd;
}

int64_t talk_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Lets the server work; fails the test when the deadline has passed. */
static void turn(struct talk *talk, int64_t deadline, const char *what)
{
	event_base_loop(talk->base, EVLOOP_NONBLOCK);
	if (talk_now_ms() > deadline)
		fail_msg("five seconds, and still %s", what);
}

bool talk_send(struct talk *talk, int fd, const void *bytes, size_t length)
{
	const char *at = bytes;
	int64_t deadline = talk_now_ms() + 5000;

	while (length) {
		ssize_t n = send(fd, at, length, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			at += n;
			length -= (size_t)n;
		}
		turn(talk, deadline, "not all is sent");
	}
	return true;
}

bool talk_say(struct talk *talk, int fd, const char *text)
{
	return talk_send(talk, fd, text, strlen(text) + 1);
}

char *talk_hear(struct talk *talk, int fd)
{
	int64_t deadline = talk_now_ms() + 5000;
	size_t used = 0, size = 4096;
	char *text = malloc(size);

	for (;;) {
		ssize_t n;
		char *end;

		/* No byte of the next message may be taken: look first. */
		if (used + 4096 > size)
			text = realloc(text, size *= 2);
		n = recv(fd, text + used, size - used, MSG_PEEK);
		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			free(text);
			return NULL;
		}
		if (n < 0) {
			turn(talk, deadline, "no answer");
			continue;
		}
		end = memchr(text + used, '\0', (size_t)n);
		n = recv(fd, text + used, end ? (size_t)(end - text) + 1 - used : (size_t)n, 0);
		used += (size_t)n;
		if (end)
			return text;
	}
}

json_t *talk_hear_json(struct talk *talk, int fd)
{
	char *text = talk_hear(talk, fd);
	json_error_t error;
	json_t *document;

	assert_non_null(text);
	document = json_loads(text, 0, &error);
	if (!document)
		fail_msg("not JSON: %s: %s", error.text, text);
	free(text);
	return document;
}

void talk_expect(struct talk *talk, int fd, const char *text, const char *expected)
{
	char *wanted_text = strdup(expected), *heard_text;
	json_t *wanted, *heard;

	for (char *c = wanted_text; *c; c++)
		if (*c == '\'')
			*c = '"';
	wanted = json_loads(wanted_text, 0, NULL);
	if (!wanted)
		fail_msg("the test is wrong: %s", expected);
	assert_true(talk_say(talk, fd, text));
	heard = talk_hear_json(talk, fd);
	if (!json_equal(wanted, heard)) {
		heard_text = json_dumps(heard, 0);
		fail_msg("%s\n  answered: %s\n  expected: %s", text, heard_text, wanted_text);
	}
	json_decref(heard);
	json_decref(wanted);
	free(wanted_text);
}

const char *talk_hear_error(struct talk *talk, int fd)
{
	static char name[128];
	char *text = talk_hear(talk, fd);
	json_t *document = text ? json_loads(text, 0, NULL) : NULL;
	const char *error = json_string_value(json_object_get(document, "error"));

	snprintf(name, sizeof(name), "%s", !text ? "closed" : error ? error : "");
	json_decref(document);
	free(text);
	return name;
}

void talk_settle(struct talk *talk)
{
	for (int i = 0; i < 50; i++)
		event_base_loop(talk->base, EVLOOP_NONBLOCK);
}
