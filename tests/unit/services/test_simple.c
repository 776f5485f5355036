/* echo, discard and chargen over a fake stack: all of them with spans of every size, with little room, and with ends
 * in every order. */
#include "services/service.h"
#include "support/fake_log.h"
#include "support/fake_stack.h"
#include "support/pattern.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static void begin_nothing(struct service_host *host)
{
	(void)host;
}

struct fixture {
	struct service_host host;
	struct service *service;
};

static void setup(struct fixture *f, const char *kind, size_t in_span, size_t out_span)
{
	const struct service_options options = { .name = "test", .id = 3 };
	const struct service_type *type = service_type_find(kind);

	assert_non_null(type);
	*f = (struct fixture){ .host = { .stack = fake_stack_new(in_span, out_span), .begin = begin_nothing } };
	assert_int_equal(service_start(type, &f->host, &options, &f->service), 0);
}

static void teardown(struct fixture *f)
{
	assert_int_equal(f->service->stats.accepted - f->service->stats.ended, fake_stack_open(f->host.stack));
	service_stop(f->service);
	fake_stack_free(f->host.stack);
}

static void turn(struct fixture *f)
{
	struct stack_ready ready;

	while (stack_next_ready(f->host.stack, &ready))
		service_ready(f->service, &ready);
}

static void peer_sends_pattern(struct fake_conn *conn, size_t from, size_t length)
{
	uint8_t *bytes = malloc(length);

	assert_non_null(bytes);
	fill_pattern(bytes, from, length);
	fake_peer_sends(conn, bytes, length);
	free(bytes);
}

/* What came as urgent goes back as urgent, and no octet more, however little room there is. */
static void echo_returns_urgent_data_as_such(void **state)
{
	static const size_t rooms[] = { 1, 7, 64, 1000 };

	(void)state;
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		struct fixture f;
		struct fake_conn *conn;

		setup(&f, "echo", 0, 0);
		conn = fake_accept(f.host.stack, 3);
		fake_set_room(conn, rooms[i]);
		peer_sends_pattern(conn, 0, 50);
		fake_peer_urges(conn);
		peer_sends_pattern(conn, 50, 100);
		do
			turn(&f);
		while (fake_peer_reads(conn, NULL, SIZE_MAX) > 0);
		assert_int_equal(conn->out_total, 150);
		assert_int_equal(conn->out_urgent, 50);
		fake_peer_closes(conn);
		turn(&f);
		assert_true(conn->closed);
		teardown(&f);
	}
}

static void echo_returns_everything_whatever_the_spans(void **state)
{
	static const struct {
		size_t in_span, out_span, length;
	} rows[] = {
		{ 0, 0, 1 },     { 0, 0, 100000 },        { 1, 1, 500 },           { 7, 3, 10000 },
		{ 3, 7, 10000 }, { 1460, 16384, 300000 }, { 16384, 1460, 300000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;
		struct fake_conn *conn;

		setup(&f, "echo", rows[i].in_span, rows[i].out_span);
		conn = fake_accept(f.host.stack, 3);
		peer_sends_pattern(conn, 0, rows[i].length);
		fake_peer_closes(conn);
		turn(&f);
		assert_int_equal(conn->out_length, rows[i].length);
		assert_pattern(conn->out, 0, rows[i].length);
		assert_true(conn->closed);
		assert_false(conn->unread_at_close);
		assert_int_equal(f.service->stats.bytes_in, rows[i].length);
		assert_int_equal(f.service->stats.bytes_out, rows[i].length);
		teardown(&f);
	}
}

static void echo_leaves_unread_what_finds_no_room(void **state)
{
	struct fixture f;
	struct fake_conn *conn;
	uint8_t got[1000];
	size_t read = 0;

	(void)state;
	setup(&f, "echo", 100, 64);
	conn = fake_accept(f.host.stack, 3);
	fake_set_room(conn, 1000);
	peer_sends_pattern(conn, 0, 5000);
	fake_peer_closes(conn);
	turn(&f);
	assert_int_equal(conn->out_length, 1000);
	assert_int_equal(conn->in_length, 4000);
	assert_false(conn->closed);
	while (read < 5000) {
		size_t n = fake_peer_reads(conn, got, 333);

		assert_true(n > 0);
		assert_pattern(got, read, n);
		read += n;
		turn(&f);
		assert_int_equal(read + conn->out_length + conn->in_length, 5000);
		assert_int_equal(conn->closed, conn->in_length == 0);
	}
	teardown(&f);
}

static void echo_goes_on_after_idling(void **state)
{
	struct fixture f;
	struct fake_conn *conn;

	(void)state;
	setup(&f, "echo", 0, 0);
	conn = fake_accept(f.host.stack, 3);
	turn(&f);
	for (size_t at = 0; at < 50; at += 10) {
		peer_sends_pattern(conn, at, 10);
		turn(&f);
		assert_int_equal(conn->out_length, at + 10);
		assert_false(conn->closed);
	}
	assert_pattern(conn->out, 0, 50);
	fake_peer_closes(conn);
	turn(&f);
	assert_true(conn->closed);
	teardown(&f);
}

static void each_lets_go_once_of_a_dead_connection(void **state)
{
	static const char *const kinds[] = { "echo", "discard", "chargen" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct fixture f;
		struct fake_conn *early, *late;

		setup(&f, kinds[i], 0, 0);
		early = fake_accept(f.host.stack, 3);
		fake_peer_resets(early, CAUSE_RECEIVED_RST);
		late = fake_accept(f.host.stack, 3);
		fake_set_room(late, 5000);
		turn(&f);
		fake_peer_sends(late, "hello", 5);
		fake_peer_resets(late, CAUSE_TIMEOUT_RETRANSMIT);
		turn(&f);
		assert_true(early->closed && late->closed);
		assert_int_equal(f.service->stats.peer_errors, 2);
		assert_int_equal(f.service->stats.ended, 2);
		teardown(&f);
	}
}

/* What TCP tells without an end of the connection is counted and can be read about, and nothing else comes of it. */
static void each_is_told_of_trouble(void **state)
{
	static const char *const kinds[] = { "echo", "discard", "chargen" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const struct service_stats *stats;
		struct fake_conn *conn;
		struct fixture f;

		setup(&f, kinds[i], 0, 0);
		stats = &f.service->stats;
		conn = fake_accept(f.host.stack, 3);
		fake_set_room(conn, 5000);
		turn(&f);
		assert_int_equal(stats->troubles + stats->soft_errors + stats->urgencies, 0);
		fake_tells_trouble(conn);
		turn(&f);
		assert_non_null(strstr(fake_log_last(), "acknowledges nothing"));
		fake_tells_soft_error(conn, 3, 1);
		turn(&f);
		assert_non_null(strstr(fake_log_last(), "ICMP type 3 code 1"));
		fake_tells_soft_error(conn, 11, 0);
		turn(&f);
		fake_peer_sends(conn, "hello", 5);
		fake_peer_urges(conn);
		turn(&f);
		assert_non_null(strstr(fake_log_last(), "urgent data, 5 bytes"));
		assert_int_equal(stats->troubles, 1);
		assert_int_equal(stats->soft_errors, 2);
		assert_int_equal(stats->urgencies, 1);
		assert_int_equal(stats->bytes_in, 5);
		assert_int_equal(stats->peer_errors + stats->ended, 0);
		fake_peer_closes(conn);
		fake_set_room(conn, SIZE_MAX);
		turn(&f);
		assert_true(conn->closed);
		teardown(&f);
	}
}

/* The administrator's FIN has gone out: whatever the peer still sends, its own end must be noticed. */
static void each_ends_after_an_administrators_close(void **state)
{
	static const char *const kinds[] = { "echo", "discard", "chargen" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct fixture f;
		struct fake_conn *conn;

		setup(&f, kinds[i], 0, 0);
		conn = fake_accept(f.host.stack, 3);
		fake_set_room(conn, 100);
		peer_sends_pattern(conn, 0, 1000);
		turn(&f);
		fake_admin_closes(conn);
		fake_peer_reads(conn, NULL, 100);
		turn(&f);
		peer_sends_pattern(conn, 1000, 1000);
		turn(&f);
		assert_int_equal(conn->in_length, 0);
		assert_false(conn->closed);
		fake_peer_closes(conn);
		turn(&f);
		assert_true(conn->closed);
		teardown(&f);
	}
}

static void discard_reads_all_and_closes_at_the_end(void **state)
{
	struct fixture f;
	struct fake_conn *conn;

	(void)state;
	setup(&f, "discard", 10, 0);
	conn = fake_accept(f.host.stack, 3);
	for (int i = 0; i < 3; i++) {
		peer_sends_pattern(conn, 0, 5000);
		turn(&f);
		assert_int_equal(conn->in_length, 0);
		assert_false(conn->closed);
	}
	peer_sends_pattern(conn, 0, 1);
	fake_peer_closes(conn);
	turn(&f);
	assert_true(conn->closed);
	assert_false(conn->unread_at_close);
	assert_int_equal(conn->out_length, 0);
	assert_int_equal(f.service->stats.bytes_in, 15001);
	teardown(&f);
}

/* The stream by the words of RFC 864: character `column` of line `line`. */
static uint8_t rfc864(size_t i)
{
	size_t line = i / 74, column = i % 74;

	if (column == 72)
		return '\r';
	if (column == 73)
		return '\n';
	return (uint8_t)(' ' + (line + column) % 95);
}

static void chargen_rotates_on_across_partial_fills(void **state)
{
	static const size_t rooms[] = { 1, 73, 74, 999, 7030, 7031, 65536, 600000 };

	(void)state;
	for (size_t r = 0; r < sizeof(rooms) / sizeof(rooms[0]); r++) {
		struct fixture f;
		struct fake_conn *conn;
		uint8_t *got = malloc(rooms[r]);
		size_t at = 0;

		assert_non_null(got);
		setup(&f, "chargen", 0, 1000);
		conn = fake_accept(f.host.stack, 3);
		fake_set_room(conn, rooms[r]);
		for (int round = 0; round < 5; round++) {
			size_t n;

			turn(&f);
			assert_true(conn->out_length > 0);
			/* Taken in odd pieces, so that the room offered is odd too. */
			n = fake_peer_reads(conn, got, rooms[r] * 5 / 7 + 1);
			for (size_t i = 0; i < n; i++)
				if (got[i] != rfc864(at + i))
					fail_msg("room %zu: byte %zu is %u, not %u", rooms[r], at + i, got[i],
					         rfc864(at + i));
			at += n;
		}
		fake_peer_sends(conn, "stop", 4);
		fake_peer_closes(conn);
		turn(&f);
		assert_true(conn->closed);
		assert_false(conn->unread_at_close);
		teardown(&f);
		free(got);
	}
}

static void chargen_fills_all_the_room_there_is(void **state)
{
	struct fixture f;
	struct fake_conn *conn;

	(void)state;
	setup(&f, "chargen", 0, 16384);
	conn = fake_accept(f.host.stack, 3);
	fake_set_room(conn, 3000000);
	turn(&f);
	assert_int_equal(conn->out_length, 3000000);
	teardown(&f);
}

static void options_are_checked(void **state)
{
	struct service_host host = { .begin = begin_nothing };
	struct service_options options = { .name = "a", .id = 1 };
	struct service *service = NULL;
	size_t count;

	(void)state;
	assert_null(service_type_find("daytime"));
	assert_non_null(service_types(&count));
	assert_int_equal(count, 5);
	assert_int_equal(service_start(service_type_find("relay"), &host, &options, &service), -EINVAL);
	assert_int_equal(service_start(service_type_find("http"), &host, &options, &service), -EINVAL);
	assert_null(service);
	assert_int_equal(service_start(service_type_find("echo"), &host, &options, &service), 0);
	options.connections_max = 5;
	assert_int_equal(service_configure(service, &options), 0);
	assert_int_equal(service->options.connections_max, 5);
	options.id = 2;
	assert_int_equal(service_configure(service, &options), -EINVAL);
	service_stop(service);
	service_stop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo_returns_urgent_data_as_such),
		cmocka_unit_test(echo_returns_everything_whatever_the_spans),
		cmocka_unit_test(echo_leaves_unread_what_finds_no_room),
		cmocka_unit_test(echo_goes_on_after_idling),
		cmocka_unit_test(each_lets_go_once_of_a_dead_connection),
		cmocka_unit_test(each_is_told_of_trouble),
		cmocka_unit_test(each_ends_after_an_administrators_close),
		cmocka_unit_test(discard_reads_all_and_closes_at_the_end),
		cmocka_unit_test(chargen_rotates_on_across_partial_fills),
		cmocka_unit_test(chargen_fills_all_the_room_there_is),
		cmocka_unit_test(options_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
