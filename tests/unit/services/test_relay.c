/* The relay: bytes, ends and back-pressure, both ways, against unix and TCP servers. */
#include "relay_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void bytes_go_both_ways_and_the_peer_ends_first(void **state)
{
	(void)state;
	for (enum server_kind kind = 0; kind < SERVER_KINDS; kind++) {
		struct fixture f;
		struct fake_conn *conn;
		char text[100];
		int fd;

		fixture_open(&f, kind, 10);
		fixture_start(&f, "relay");
		conn = fake_accept(f.host.stack, 5);
		fd = server_accept(&f);
		fake_peer_sends(conn, "question", 8);
		server_read_all(&f, fd, text, 8);
		assert_memory_equal(text, "question", 8);
		fake_peer_closes(conn);
		assert_int_equal(server_read(&f, fd, text, sizeof(text)), 0);
		/* The other direction stays open for as long as the server likes. */
		for (int i = 0; i < 3; i++) {
			assert_int_equal(write(fd, "answer", 6), 6);
			UNTIL(&f, conn->out_length == 6);
			assert_false(conn->shut);
			fake_peer_reads(conn, text, 6);
			assert_memory_equal(text, "answer", 6);
		}
		close(fd);
		UNTIL(&f, conn->closed);
		assert_int_equal(f.service->stats.bytes_in, 8);
		assert_int_equal(f.service->stats.bytes_out, 18);
		fixture_close(&f);
	}
}

static void the_server_ends_first(void **state)
{
	(void)state;
	for (enum server_kind kind = 0; kind < SERVER_KINDS; kind++) {
		struct fixture f;
		struct fake_conn *conn;
		char text[100];
		int fd;

		fixture_open(&f, kind, 10);
		fixture_start(&f, "relay");
		conn = fake_accept(f.host.stack, 5);
		fd = server_accept(&f);
		assert_int_equal(write(fd, "greeting", 8), 8);
		shutdown(fd, SHUT_WR);
		UNTIL(&f, conn->shut);
		assert_int_equal(conn->out_length, 8);
		for (int i = 0; i < 3; i++) {
			fake_peer_sends(conn, "late", 4);
			server_read_all(&f, fd, text, 4);
			assert_memory_equal(text, "late", 4);
			assert_false(conn->closed);
			fake_peer_reads(conn, NULL, 8); /* READY_SENT says nothing new */
		}
		fake_peer_closes(conn);
		UNTIL(&f, conn->closed);
		assert_int_equal(server_read(&f, fd, text, sizeof(text)), 0);
		close(fd);
		fixture_close(&f);
	}
}

static void what_came_before_the_server_was_there_arrives(void **state)
{
	(void)state;
	for (enum server_kind kind = 0; kind < SERVER_KINDS; kind++) {
		struct fixture f;
		struct fake_conn *conn;
		char text[10];
		int fd;

		fixture_open(&f, kind, 10);
		fixture_start(&f, "relay");
		conn = fake_accept(f.host.stack, 5);
		fake_peer_sends(conn, "early", 5);
		fake_peer_closes(conn);
		fd = server_accept(&f);
		server_read_all(&f, fd, text, 5);
		assert_memory_equal(text, "early", 5);
		assert_int_equal(server_read(&f, fd, text, 1), 0);
		close(fd);
		UNTIL(&f, conn->closed);
		fixture_close(&f);
	}
}

#define STREAM_BYTES (3 * 1024 * 1024)

/* The kernel would take an urgent octet out of the stream: nothing of it may be lost. */
static void what_the_server_sends_as_urgent_stays_in_line(void **state)
{
	struct fixture f;
	struct fake_conn *conn;
	char bytes[8] = { 0 };
	int fd;

	(void)state;
	fixture_open(&f, SERVER_TCP, 10);
	fixture_start(&f, "relay");
	conn = fake_accept(f.host.stack, 5);
	fd = server_accept(&f);
	UNTIL(&f, f.service->stats.accepted == 1);
	assert_int_equal(send(fd, "abc", 3, MSG_OOB), 3);
	assert_int_equal(send(fd, "de", 2, 0), 2);
	UNTIL(&f, conn->out_length == 5);
	assert_int_equal(fake_peer_reads(conn, bytes, sizeof(bytes)), 5);
	assert_string_equal(bytes, "abcde");
	fake_peer_closes(conn);
	close(fd);
	UNTIL(&f, conn->closed);
	fixture_close(&f);
}

static void a_slow_server_stops_the_peer(void **state)
{
	(void)state;
	for (enum server_kind kind = 0; kind < SERVER_KINDS; kind++) {
		struct fixture f;
		struct fake_conn *conn;
		uint8_t *bytes = malloc(STREAM_BYTES);
		size_t left, read = 0;
		int fd;

		assert_non_null(bytes);
		fixture_open(&f, kind, 10);
		fixture_start(&f, "relay");
		conn = fake_accept(f.host.stack, 5);
		fd = server_accept(&f);
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ 20000 }, sizeof(int));
		fill_pattern(bytes, 0, STREAM_BYTES);
		fake_peer_sends(conn, bytes, STREAM_BYTES);
		fake_peer_closes(conn);
		do {
			left = conn->in_length;
			for (int i = 0; i < 20; i++)
				crank(&f);
		} while (conn->in_length < left);
		if (kind == SERVER_UNIX) /* the kernel's TCP buffers may take it all */
			assert_true(left > STREAM_BYTES / 2);
		memset(bytes, 0, STREAM_BYTES);
		while (read < STREAM_BYTES) {
			ssize_t n = server_read(&f, fd, bytes + read, 77777);

			assert_true(n > 0);
			read += (size_t)n;
		}
		assert_pattern(bytes, 0, STREAM_BYTES);
		assert_int_equal(server_read(&f, fd, bytes, 1), 0);
		assert_int_equal(f.service->stats.bytes_in, STREAM_BYTES);
		close(fd);
		UNTIL(&f, conn->closed);
		fixture_close(&f);
		free(bytes);
	}
}

static bool writes_some(int fd, const uint8_t *bytes, size_t length, size_t *at)
{
	ssize_t n = write(fd, bytes + *at, length - *at);

	if (n > 0)
		*at += (size_t)n;
	return n > 0;
}

static void a_slow_peer_stops_the_server(void **state)
{
	static const size_t rooms[] = { 1000, 16384, 400000 };

	(void)state;
	for (size_t r = 0; r < 3; r++) {
		struct fixture f;
		struct fake_conn *conn;
		uint8_t *bytes = malloc(STREAM_BYTES), *got = malloc(STREAM_BYTES);
		size_t written = 0, read = 0, length = STREAM_BYTES * (r + 1) / 3, limit = rooms[r];
		int fd;

		assert_true(bytes && got);
		fixture_open(&f, SERVER_UNIX, 10);
		fixture_start(&f, "relay");
		conn = fake_accept(f.host.stack, 5);
		fake_set_room(conn, limit);
		fd = server_accept(&f);
		fill_pattern(bytes, 0, length);
		UNTIL(&f, !writes_some(fd, bytes, length, &written) && conn->out_length == limit);
		for (int i = 0; i < 5; i++)
			crank(&f);
		while (read < length) {
			if (written < length && writes_some(fd, bytes, length, &written) && written == length)
				shutdown(fd, SHUT_WR);
			UNTIL(&f, conn->out_length > 0);
			assert_true(conn->out_length <= limit);
			read += fake_peer_reads(conn, got + read, length - read);
		}
		assert_pattern(got, 0, length);
		UNTIL(&f, conn->shut);
		fake_peer_closes(conn);
		UNTIL(&f, conn->closed);
		close(fd);
		fixture_close(&f);
		free(bytes);
		free(got);
	}
}

static void the_proxy_header_comes_first(void **state)
{
	(void)state;
	for (int early = 0; early < 2; early++) {
		struct fixture f;
		struct fake_conn *conn;
		uint8_t bytes[100];
		const uint8_t tail[] = { 0x21, 0x11, 0, 12, 192, 0, 2, 2, 192, 0, 2, 1, 0xc3, 0x50, 0, 7 };
		int fd;

		fixture_open(&f, SERVER_TCP, 10);
		f.options.proxy_protocol = true;
		fixture_start(&f, "relay");
		conn = fake_accept(f.host.stack, 5);
		if (early)
			fake_peer_sends(conn, "hello", 5);
		fd = server_accept(&f);
		server_read_all(&f, fd, bytes, 28);
		assert_memory_equal(bytes + 12, tail, sizeof(tail));
		if (!early)
			fake_peer_sends(conn, "hello", 5);
		server_read_all(&f, fd, bytes, 5);
		assert_memory_equal(bytes, "hello", 5);
		fake_peer_closes(conn);
		assert_int_equal(server_read(&f, fd, bytes, 1), 0);
		assert_int_equal(f.service->stats.bytes_in, 5);
		close(fd);
		UNTIL(&f, conn->closed);
		fixture_close(&f);
	}
}

static void many_at_once_keep_apart(void **state)
{
	enum { COUNT = 200 };
	struct fixture f;
	struct fake_conn *conn[COUNT];
	int fd[COUNT];

	(void)state;
	fixture_open(&f, SERVER_UNIX, 5);
	fixture_start(&f, "relay");
	for (size_t i = 0; i < COUNT; i++) {
		char text[16];

		conn[i] = fake_accept(f.host.stack, 5);
		fake_peer_sends(conn[i], text, (size_t)snprintf(text, sizeof(text), "%05zu", i));
	}
	/* More than the server's queue holds: those who wait are served in their order. */
	for (size_t i = 0; i < COUNT; i++) {
		char text[16] = "";

		fd[i] = server_accept(&f);
		server_read_all(&f, fd[i], text, 5);
		assert_int_equal(atoi(text), i);
		assert_int_equal(write(fd[i], text, 5), 5);
		close(fd[i]);
	}
	for (size_t i = 0; i < COUNT; i++) {
		char text[16] = "";

		UNTIL(&f, conn[i]->shut);
		assert_int_equal(fake_peer_reads(conn[i], text, 16), 5);
		assert_int_equal(atoi(text), i);
		fake_peer_closes(conn[i]);
	}
	UNTIL(&f, fake_stack_open(f.host.stack) == 0);
	assert_int_equal(f.service->stats.target_failures, 0);
	fixture_close(&f);
}

static void nobody_overtakes_those_who_wait(void **state)
{
	enum { COUNT = 8 };
	struct fixture f;
	struct fake_conn *conn[COUNT + 1];
	char text[2] = "";
	int fd[COUNT + 1];

	(void)state;
	fixture_open(&f, SERVER_UNIX, 0);
	fixture_start(&f, "relay");
	for (size_t i = 0; i <= COUNT; i++) {
		if (i == COUNT) {
			/* A place becomes free, and one comes who has not waited. */
			crank(&f);
			fd[0] = server_accept(&f);
			fd[1] = accept4(f.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		}
		conn[i] = fake_accept(f.host.stack, 5);
		text[0] = (char)('a' + i);
		fake_peer_sends(conn[i], text, 1);
	}
	for (size_t i = 0; i <= COUNT; i++) {
		if (i > 0 && (i > 1 || fd[1] < 0))
			fd[i] = server_accept(&f);
		server_read_all(&f, fd[i], text, 1);
		assert_int_equal(text[0], 'a' + i);
		fake_peer_resets(conn[i], CAUSE_RECEIVED_RST);
	}
	UNTIL(&f, fake_stack_open(f.host.stack) == 0);
	for (size_t i = 0; i <= COUNT; i++)
		close(fd[i]);
	fixture_close(&f);
}

static void stopping_lets_go_of_everything(void **state)
{
	struct fixture f;
	char byte;
	int fd;

	(void)state;
	fixture_open(&f, SERVER_UNIX, 0);
	fixture_start(&f, "relay");
	fake_accept(f.host.stack, 5);
	fd = server_accept(&f);
	f.descriptors++;
	for (int i = 0; i < 3; i++) /* open, and waiting for the server's queue */
		fake_accept(f.host.stack, 5);
	crank(&f);
	fixture_close(&f); /* looks for descriptors and handles left */
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_go_both_ways_and_the_peer_ends_first),
		cmocka_unit_test(the_server_ends_first),
		cmocka_unit_test(what_came_before_the_server_was_there_arrives),
		cmocka_unit_test(what_the_server_sends_as_urgent_stays_in_line),
		cmocka_unit_test(a_slow_server_stops_the_peer),
		cmocka_unit_test(a_slow_peer_stops_the_server),
		cmocka_unit_test(the_proxy_header_comes_first),
		cmocka_unit_test(many_at_once_keep_apart),
		cmocka_unit_test(nobody_overtakes_those_who_wait),
		cmocka_unit_test(stopping_lets_go_of_everything),
	};

	return cmocka_run_group_tests(tests, namespace_enter, NULL);
}
