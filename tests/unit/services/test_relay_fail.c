/* The relay when things go wrong: resets, refusals, time-outs, limits. */
#include "relay_fixture.h"

#include "support/fake_log.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void the_peers_reset_reaches_the_server(void **state)
{
	static const struct {
		enum server_kind kind;
		enum tcp_cause cause;
		ssize_t server_sees;
	} rows[] = {
		{ SERVER_TCP, CAUSE_RECEIVED_RST, -ECONNRESET },
		{ SERVER_TCP, CAUSE_TIMEOUT_RETRANSMIT, -ECONNRESET },
		{ SERVER_TCP, CAUSE_ADMIN_ABORT, -ECONNRESET },
		{ SERVER_TCP, CAUSE_ADMIN_CLOSE, 0 },
		{ SERVER_UNIX, CAUSE_RECEIVED_RST, 0 }, /* a unix socket knows no reset */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;
		struct fake_conn *conn;
		char byte;
		int fd;

		fixture_open(&f, rows[i].kind, 10);
		fixture_start(&f, "relay");
		conn = fake_accept(f.host.stack, 5);
		fd = server_accept(&f);
		fake_peer_sends(conn, "x", 1);
		server_read_all(&f, fd, &byte, 1);
		fake_peer_resets(conn, rows[i].cause);
		assert_int_equal(server_read(&f, fd, &byte, 1), rows[i].server_sees);
		assert_true(conn->closed);
		assert_int_equal(f.service->stats.peer_errors, 1);
		close(fd);
		fixture_close(&f);
	}
}

static void the_servers_reset_reaches_the_peer(void **state)
{
	struct fixture f;
	struct fake_conn *conn;
	char byte;
	int fd;

	(void)state;
	fixture_open(&f, SERVER_TCP, 10);
	fixture_start(&f, "relay");
	conn = fake_accept(f.host.stack, 5);
	fake_peer_sends(conn, "x", 1);
	fd = server_accept(&f);
	server_read_all(&f, fd, &byte, 1);
	server_resets(fd);
	UNTIL(&f, conn->aborted);
	assert_int_equal(f.service->stats.target_resets, 1);
	fixture_close(&f);
}

/* A unix server that dies with something unread: what it had said arrives before the reset. */
static void a_server_that_stops_reading_is_heard_out(void **state)
{
	struct fixture f;
	struct fake_conn *conn;
	char text[20];
	int fd;

	(void)state;
	fixture_open(&f, SERVER_UNIX, 10);
	fixture_start(&f, "relay");
	conn = fake_accept(f.host.stack, 5);
	fake_set_room(conn, 6);
	fd = server_accept(&f);
	assert_int_equal(write(fd, "answer and more", 15), 15);
	close(fd);
	UNTIL(&f, conn->out_length == 6);
	fake_peer_sends(conn, "nobody reads this", 17);
	UNTIL(&f, conn->in_length == 0);
	assert_int_equal(fake_peer_reads(conn, text, 6), 6);
	fake_set_room(conn, 100);
	UNTIL(&f, conn->shut);
	assert_false(conn->aborted);
	fake_peer_sends(conn, "nor this", 8);
	UNTIL(&f, conn->in_length == 0);
	assert_int_equal(fake_peer_reads(conn, text + 6, 9), 9);
	assert_memory_equal(text, "answer and more", 15);
	UNTIL(&f, conn->aborted);
	assert_int_equal(f.service->stats.target_resets, 1);
	fixture_close(&f);
}

/* A reset that writing to the server finds first is no end of what the server says, although reading shows one then.
 */
static void a_reset_found_in_writing_is_not_taken_for_the_end(void **state)
{
	struct fixture f;
	struct fake_conn *conn;
	char text[10];
	int fd;

	(void)state;
	fixture_open(&f, SERVER_TCP, 10);
	fixture_start(&f, "relay");
	conn = fake_accept(f.host.stack, 5);
	fake_set_room(conn, 6);
	fd = server_accept(&f);
	assert_int_equal(write(fd, "half a word", 11), 11);
	UNTIL(&f, conn->out_length == 6);
	server_resets(fd);
	fake_peer_sends(conn, "go on", 5);
	UNTIL(&f, conn->in_length == 0);
	assert_false(conn->aborted);
	assert_int_equal(fake_peer_reads(conn, text, 6), 6);
	fake_set_room(conn, 100);
	UNTIL(&f, conn->shut || conn->aborted);
	assert_false(conn->shut);
	assert_true(conn->aborted);
	assert_int_equal(f.service->stats.target_resets, 1);
	fixture_close(&f);
}

static void a_server_gone_after_its_end_resets_the_peer(void **state)
{
	(void)state;
	for (enum server_kind kind = 0; kind < SERVER_KINDS; kind++) {
		struct fixture f;
		struct fake_conn *conn;
		int fd;

		fixture_open(&f, kind, 10);
		fixture_start(&f, "relay");
		conn = fake_accept(f.host.stack, 5);
		fd = server_accept(&f);
		assert_int_equal(write(fd, "bye", 3), 3);
		close(fd);
		UNTIL(&f, conn->shut);
		fake_peer_reads(conn, NULL, 3);
		crank(&f);
		assert_false(conn->aborted);
		for (int i = 0; i < 3 && !conn->aborted; i++) {
			fake_peer_sends(conn, "anybody there?", 14);
			UNTIL(&f, conn->aborted || conn->in_length == 0);
			crank(&f);
		}
		assert_true(conn->aborted);
		fixture_close(&f);
	}
}

static void a_refusal_resets_the_peer_and_is_logged_once(void **state)
{
	(void)state;
	for (enum server_kind kind = 0; kind < SERVER_KINDS; kind++) {
		struct fixture f;
		struct fake_conn *conn;
		int fd;

		fixture_open(&f, kind, 10);
		fixture_start(&f, "relay");
		close(f.listener);
		f.descriptors--;
		for (int i = 0; i < 3; i++) {
			conn = fake_accept(f.host.stack, 5);
			fake_peer_sends(conn, "unread", 6);
			UNTIL(&f, conn->aborted);
		}
		assert_int_equal(f.service->stats.target_failures, 3);
		assert_int_equal(fake_log_count(), 1);
		assert_non_null(strstr(fake_log_last(), "Connection refused"));
		server_listens_again(&f);
		conn = fake_accept(f.host.stack, 5);
		fd = server_accept(&f);
		UNTIL(&f, fake_log_count() == 2);
		assert_non_null(strstr(fake_log_last(), "answers again"));
		close(fd);
		fixture_close(&f);
	}
}

/* A server that never accepts: its queue fills up. */
static void connecting_takes_only_so_long(void **state)
{
	(void)state;
	for (enum server_kind kind = 0; kind < SERVER_KINDS; kind++) {
		struct fixture f;
		struct fake_conn *conn[6];
		struct instant began;

		fixture_open(&f, kind, 0);
		f.options.connect_timeout = DURATION_MS(60);
		fixture_start(&f, "relay");
		began = fixture_now();
		for (size_t i = 0; i < 6; i++)
			conn[i] = fake_accept(f.host.stack, 5);
		UNTIL(&f, conn[5]->aborted);
		assert_true(fixture_now().ns - began.ns >= DURATION_MS(60).ns);
		assert_false(conn[0]->aborted); /* found its place in the queue */
		assert_non_null(strstr(fake_log_last(), "timed out"));
		fixture_close(&f);
	}
}

static void one_who_gives_up_while_connecting_is_forgotten(void **state)
{
	(void)state;
	for (enum server_kind kind = 0; kind < SERVER_KINDS; kind++) {
		struct fixture f;
		struct fake_conn *conn[6];

		fixture_open(&f, kind, 0);
		f.options.connect_timeout = DURATION_S(100);
		fixture_start(&f, "relay");
		for (size_t i = 0; i < 6; i++)
			conn[i] = fake_accept(f.host.stack, 5);
		crank(&f);
		for (size_t i = 0; i < 6; i++)
			fake_peer_resets(conn[i], CAUSE_RECEIVED_RST);
		UNTIL(&f, fake_stack_open(f.host.stack) == 0);
		fixture_close(&f);
	}
}

static void an_administrators_close_ends_both_sides(void **state)
{
	(void)state;
	for (int talkative = 0; talkative < 2; talkative++) {
		struct fixture f;
		struct fake_conn *conn;
		char text[20];
		int fd;

		fixture_open(&f, SERVER_UNIX, 10);
		fixture_start(&f, "relay");
		conn = fake_accept(f.host.stack, 5);
		fd = server_accept(&f);
		fake_admin_closes(conn);
		if (talkative)
			assert_int_equal(write(fd, "more", 4), 4);
		crank(&f);
		fake_peer_sends(conn, "last words", 10);
		fake_peer_closes(conn);
		server_read_all(&f, fd, text, 10);
		/* What could not be delivered shows at the server. */
		assert_int_equal(server_read(&f, fd, text, 1), talkative ? -ECONNRESET : 0);
		close(fd);
		UNTIL(&f, conn->closed);
		assert_false(conn->aborted);
		fixture_close(&f);
	}
}

static void idle_connections_end(void **state)
{
	struct fixture f;
	struct fake_conn *quiet, *stuck, *busy;
	uint8_t bytes[5000] = { 0 };
	char byte;
	int fd[3], rounds = 0;

	(void)state;
	fixture_open(&f, SERVER_UNIX, 10);
	f.options.idle_timeout = DURATION_MS(80);
	fixture_start(&f, "relay");
	quiet = fake_accept(f.host.stack, 5);
	fd[0] = server_accept(&f);
	stuck = fake_accept(f.host.stack, 5);
	fd[1] = server_accept(&f);
	busy = fake_accept(f.host.stack, 5);
	fd[2] = server_accept(&f);
	fake_set_room(stuck, 1000);
	assert_int_equal(write(fd[1], bytes, 5000), 5000);
	while (!quiet->closed || !stuck->aborted) {
		fake_peer_sends(busy, "x", 1);
		assert_int_equal(server_read(&f, fd[2], &byte, 1), 1);
		assert_true(++rounds < 100000);
	}
	assert_false(busy->closed || busy->aborted);
	assert_int_equal(f.service->stats.idle_timeouts, 2);
	assert_int_equal(server_read(&f, fd[0], &byte, 1), 0);
	UNTIL(&f, busy->closed);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	fixture_close(&f);
}

static void the_limit_resets_what_is_too_much(void **state)
{
	struct fixture f;
	struct fake_conn *conn[3];

	(void)state;
	fixture_open(&f, SERVER_UNIX, 10);
	f.options.connections_max = 2;
	fixture_start(&f, "relay");
	for (size_t i = 0; i < 3; i++) {
		conn[i] = fake_accept(f.host.stack, 5);
		crank(&f);
	}
	assert_true(!conn[0]->aborted && !conn[1]->aborted && conn[2]->aborted);
	assert_int_equal(f.service->stats.refused, 1);
	fake_peer_resets(conn[0], CAUSE_RECEIVED_RST);
	crank(&f);
	conn[2] = fake_accept(f.host.stack, 5);
	crank(&f);
	assert_false(conn[2]->aborted);
	fixture_close(&f);
}

/* The http kind: its server closing on a pipelining client is an ordinary end. */
static void the_http_kind_ends_in_order(void **state)
{
	struct fixture f;
	struct fake_conn *conn;
	char byte;
	int fd;

	(void)state;
	fixture_open(&f, SERVER_UNIX, 10);
	f.options.idle_timeout = DURATION_MS(60);
	fixture_start(&f, "http");
	for (int silent = 0; silent < 2; silent++) {
		conn = fake_accept(f.host.stack, 5);
		fake_peer_sends(conn, "GET GET", 7);
		fd = server_accept(&f);
		server_read_all(&f, fd, &byte, 1);
		assert_int_equal(write(fd, "ok", 2), 2);
		close(fd); /* with six bytes unread */
		UNTIL(&f, conn->shut);
		fake_peer_sends(conn, "GET", 3);
		UNTIL(&f, conn->in_length == 0);
		fake_peer_reads(conn, NULL, 2);
		crank(&f);
		assert_false(conn->aborted || conn->closed);
		if (!silent)
			fake_peer_closes(conn);
		UNTIL(&f, conn->closed);
		assert_int_equal(f.service->stats.idle_timeouts, silent);
	}
	assert_int_equal(f.service->stats.target_resets, 0);
	fixture_close(&f);
}

static void the_http_kind_leaves_idle_time_to_its_server(void **state)
{
	struct fixture f;
	struct fake_conn *conn;
	struct instant began = fixture_now();
	int fd;

	(void)state;
	fixture_open(&f, SERVER_UNIX, 10);
	f.options.idle_timeout = DURATION_MS(20);
	fixture_start(&f, "http");
	conn = fake_accept(f.host.stack, 5);
	fd = server_accept(&f);
	UNTIL(&f, fixture_now().ns - began.ns > DURATION_MS(80).ns);
	assert_false(conn->closed);
	close(fd);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_peers_reset_reaches_the_server),
		cmocka_unit_test(the_servers_reset_reaches_the_peer),
		cmocka_unit_test(a_server_that_stops_reading_is_heard_out),
		cmocka_unit_test(a_reset_found_in_writing_is_not_taken_for_the_end),
		cmocka_unit_test(a_server_gone_after_its_end_resets_the_peer),
		cmocka_unit_test(a_refusal_resets_the_peer_and_is_logged_once),
		cmocka_unit_test(connecting_takes_only_so_long),
		cmocka_unit_test(one_who_gives_up_while_connecting_is_forgotten),
		cmocka_unit_test(an_administrators_close_ends_both_sides),
		cmocka_unit_test(idle_connections_end),
		cmocka_unit_test(the_limit_resets_what_is_too_much),
		cmocka_unit_test(the_http_kind_ends_in_order),
		cmocka_unit_test(the_http_kind_leaves_idle_time_to_its_server),
	};

	return cmocka_run_group_tests(tests, namespace_enter, NULL);
}
