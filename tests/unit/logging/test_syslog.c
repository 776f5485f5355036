/* The syslog plugin: its messages, read by a strict parser; and its transports, against receivers that take their
 * time, go away, and come back, in a network namespace of the test's own. */
#include "log_event.h"
#include "rfc5424.h"
#include "support/namespace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define DEADLINE_NS INT64_C(10000000000)
#define SD "tapstack@32473"

struct fixture {
	char directory[64], path[100], target[120];
	int receiver; /* bound; listens when it is a stream */
	int peer;     /* accepted; -1: none */
	void *log;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	strcpy(fixture->directory, "/tmp/tapstack-syslog-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->path, sizeof(fixture->path), "%s/log", fixture->directory);
	fixture->receiver = fixture->peer = -1;
	*state = fixture;
	return 0;
}

static void close_receiver(struct fixture *fixture)
{
	if (fixture->peer >= 0)
		close(fixture->peer);
	if (fixture->receiver >= 0)
		close(fixture->receiver);
	fixture->peer = fixture->receiver = -1;
	unlink(fixture->path);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	if (fixture->log != NULL)
		log_ops()->close(fixture->log);
	close_receiver(fixture);
	assert_int_equal(rmdir(fixture->directory), 0);
	free(fixture);
	return 0;
}

/* ---- receivers ------------------------------------------------------------------------------------------------- */

static void open_unix(struct fixture *fixture, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(address.sun_path, fixture->path);
	fixture->receiver = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(fixture->receiver, (struct sockaddr *)&address, sizeof(address)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fixture->receiver, 5), 0);
	snprintf(fixture->target, sizeof(fixture->target), "target=%s", fixture->path);
}

/* port 0: any that is free; the target says which. */
static uint16_t open_inet(struct fixture *fixture, int type, uint16_t port, int receive_bytes)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		                       .sin_port = htons(port) };
	socklen_t length = sizeof(address);
	int on = 1;

	fixture->receiver = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(fixture->receiver, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (receive_bytes > 0)
		setsockopt(fixture->receiver, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
	assert_int_equal(bind(fixture->receiver, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fixture->receiver, (struct sockaddr *)&address, &length), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fixture->receiver, 5), 0);
	snprintf(fixture->target, sizeof(fixture->target), "target=127.0.0.1:%u", ntohs(address.sin_port));
	return ntohs(address.sin_port);
}

/* One round of the plugin's own time. */
static int64_t idle(struct fixture *fixture)
{
	int64_t wait = INT64_MAX;

	assert_int_equal(log_ops()->idle(fixture->log, &wait), 0);
	return wait;
}

static void accept_peer(struct fixture *fixture)
{
	int64_t until = now_ns() + DEADLINE_NS;

	while ((fixture->peer = accept4(fixture->receiver, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) < 0) {
		assert_true(now_ns() < until);
		idle(fixture);
		poll(NULL, 0, 1);
	}
}

/* Bytes from the stream into `text`, behind `have`; the plugin gets its time meanwhile. 0: the end of the stream. */
static size_t more(struct fixture *fixture, char *text, size_t have, size_t size)
{
	int64_t until = now_ns() + DEADLINE_NS;
	ssize_t got;

	while ((got = recv(fixture->peer, text + have, size - have, 0)) < 0) {
		assert_int_equal(errno, EAGAIN);
		assert_true(now_ns() < until);
		idle(fixture);
		poll(&(struct pollfd){ fixture->peer, POLLIN, 0 }, 1, 1);
	}
	return (size_t)got;
}

struct stream {
	char text[70000];
	size_t have;
};

/* The next message with octet counting (RFC 6587, 3.4.1), strictly: its length, a space, the message. */
static void next_counted(struct fixture *fixture, struct stream *stream, struct rfc5424 *message)
{
	size_t length = 0, at = 0;
	const char *fault;

	for (;; at++) {
		while (at == stream->have)
			stream->have += more(fixture, stream->text, stream->have, sizeof(stream->text));
		if (stream->text[at] == ' ')
			break;
		assert_in_range(stream->text[at], at == 0 ? '1' : '0', '9');
		length = length * 10 + (size_t)(stream->text[at] - '0');
		assert_in_range(length, 1, 65000);
	}
	at++;
	while (stream->have < at + length)
		stream->have += more(fixture, stream->text, stream->have, sizeof(stream->text));
	fault = rfc5424_read(stream->text + at, length, message);
	if (fault != NULL)
		fail_msg("%s in %.*s", fault, (int)length, stream->text + at);
	stream->have -= at + length;
	memmove(stream->text, stream->text + at + length, stream->have);
}

static void next_datagram(struct fixture *fixture, struct rfc5424 *message)
{
	char bytes[70000];
	int64_t until = now_ns() + DEADLINE_NS;
	const char *fault;
	ssize_t got;

	while ((got = recv(fixture->receiver, bytes, sizeof(bytes), 0)) < 0) {
		assert_true(now_ns() < until);
		idle(fixture);
		poll(&(struct pollfd){ fixture->receiver, POLLIN, 0 }, 1, 1);
	}
	fault = rfc5424_read(bytes, (size_t)got, message);
	if (fault != NULL)
		fail_msg("%s in %.*s", fault, (int)got, bytes);
}

static void send_events(struct fixture *fixture, uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		struct tapstack_log_event event = log_event(first + i);

		log_ops()->events(fixture->log, &event, 1);
	}
}

static uint64_t id_of(const struct rfc5424 *message)
{
	return strtoul(rfc5424_value(message, SD, "connection"), NULL, 10);
}

static uint64_t missed_of(const struct rfc5424 *message)
{
	const char *missed = rfc5424_value(message, SD, "missed");

	return missed == NULL ? 0 : strtoul(missed, NULL, 10);
}

static void wait_delivered(struct fixture *fixture)
{
	int64_t until = now_ns() + DEADLINE_NS;

	while (log_counts(fixture->log).waiting > 0) {
		assert_true(now_ns() < until);
		idle(fixture);
		poll(NULL, 0, 1);
	}
}

/* ---- messages -------------------------------------------------------------------------------------------------- */

static void assert_value(const struct rfc5424 *message, const char *name, const char *wanted)
{
	const char *value = rfc5424_value(message, SD, name);

	if (value == NULL || strcmp(value, wanted) != 0)
		fail_msg("%s: %s, wanted %s", name, value == NULL ? "not there" : value, wanted);
}

static void test_message(void **state)
{
	static const char *const rows[][2] = {
		{ "connection", "77" },
		{ "n", "2" },
		{ "from", "ESTABLISHED" },
		{ "to", "CLOSE-WAIT" },
		{ "cause", "RECEIVED_FIN" },
		{ "section", "RFC 9293 3.10.7.4" },
		{ "local", "192.0.2.2" },
		{ "local_port", "7" },
		{ "remote", "192.0.2.1" },
		{ "remote_port", "65535" },
		{ "role", "passive" },
		{ "service", "echo" },
		{ "congestion", "cubic" },
		{ "last_speaker", "peer" },
		{ "iss", "4294967295" },
		{ "irs", "1" },
		{ "snd_una", "2" },
		{ "snd_nxt", "3" },
		{ "rcv_nxt", "4" },
		{ "segs_in", "5" },
		{ "segs_out", "6" },
		{ "retransmits", "7" },
		{ "cwnd", "14480" },
		{ "srtt_ns", "123456" },
		{ "bytes_received", "8" },
		{ "bytes_acked", "1099511627776" },
		{ "bytes_retransmitted", "9" },
		{ "shard", "3" },
		{ "run", "12" },
		{ "link", "tap0" },
	};
	struct fixture *fixture = *state;
	struct tapstack_log_env env = log_env(NULL);
	struct tapstack_log_event event = log_event(77);
	struct rfc5424 message;

	open_unix(fixture, SOCK_DGRAM);
	assert_int_equal(log_open(&env, &fixture->log, fixture->target, "procid=-", "facility=local3", NULL), 0);
	assert_int_equal(log_ops()->events(fixture->log, &event, 1), 0);
	next_datagram(fixture, &message);
	assert_int_equal(message.facility, 19);
	assert_int_equal(message.severity, 7);
	assert_string_equal(message.timestamp, "2023-11-14T22:13:20.123456Z");
	assert_string_equal(message.hostname, "host.example");
	assert_string_equal(message.app_name, "tapstack");
	assert_string_equal(message.procid, "-");
	assert_string_equal(message.msgid, "RECEIVED_FIN");
	assert_string_equal(rfc5424_value(&message, "origin", "software"), "tapstackd");
	assert_string_equal(rfc5424_value(&message, "origin", "swVersion"), "9.8.7");
	assert_string_equal(rfc5424_value(&message, "meta", "sequenceId"), "1");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_value(&message, rows[i][0], rows[i][1]);
	assert_null(rfc5424_value(&message, SD, "ssthresh"));
	assert_null(rfc5424_value(&message, SD, "missed"));
	assert_false(message.bom);
	assert_string_equal(message.message,
	                    "echo: 192.0.2.2:7 <- 192.0.2.1:65535: ESTABLISHED to CLOSE-WAIT: the peer "
	                    "closed its direction (RECEIVED_FIN)");

	event.flags = TAPSTACK_LOG_COMPACT | TAPSTACK_LOG_FIRST | TAPSTACK_LOG_LAST;
	event.cause = "TIMEOUT_SYN";
	event.missed = 3;
	event.struct_size = offsetof(struct tapstack_log_event, shard);
	assert_int_equal(log_ops()->events(fixture->log, &event, 1), 0);
	next_datagram(fixture, &message);
	assert_int_equal(message.severity, 4);
	assert_string_equal(message.msgid, "TIMEOUT_SYN");
	assert_string_equal(rfc5424_value(&message, "meta", "sequenceId"), "2");
	assert_value(&message, "missed", "3");
	assert_value(&message, "first", "1");
	assert_value(&message, "last", "1");
	assert_null(rfc5424_value(&message, SD, "cwnd"));
	assert_null(rfc5424_value(&message, SD, "shard"));
}

/* Names that try to break out of their place, in all kinds of bytes. */
static void test_escapes(void **state)
{
	static const struct {
		const char *service, *value;
		bool bom;
	} rows[] = {
		{ "a\"b\\c]d", "a\"b\\c]d", false },
		{ "line\nfeed\x01\x7f", "line#012feed#001#177", false },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", true },
		{ "bad\xff\xc0\xafUTF\xe2\x82", "bad\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdUTF\xef\xbf\xbd\xef\xbf\xbd",
		  true },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", true },
		{ "\xf0\x9f\x90\x8d", "\xf0\x9f\x90\x8d", true },
	};
	struct fixture *fixture = *state;
	struct tapstack_log_env env = log_env(NULL);
	struct rfc5424 message;

	open_unix(fixture, SOCK_DGRAM);
	assert_int_equal(log_open(&env, &fixture->log, fixture->target, "hostname=a b\xc3\xbc",
	                          "app_name=", "msgid=a msgid that is longer than thirty-two characters", NULL),
	                 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tapstack_log_event event = log_event(i);

		event.service = rows[i].service;
		assert_int_equal(log_ops()->events(fixture->log, &event, 1), 0);
		next_datagram(fixture, &message);
		assert_value(&message, "service", rows[i].value);
		assert_int_equal(message.bom, rows[i].bom);
		assert_string_equal(message.hostname, "a?b??");
		assert_string_equal(message.app_name, "-");
		assert_string_equal(message.msgid, "a?msgid?that?is?longer?than?thir");
	}
}

/* Every size is kept to, every message is well formed, and the most telling parameters stay. */
static void test_sizes(void **state)
{
	struct fixture *fixture = *state;
	struct tapstack_log_env env = log_env(NULL);
	struct tapstack_log_event event = log_event(77);
	struct rfc5424 message;
	char text[40], host[300] = "hostname=", bytes[4096];
	size_t before = 0;

	open_unix(fixture, SOCK_DGRAM);
	event.service = "s\xc3\xbc\"\xc3\xbc\"\xc3\xbc";
	for (unsigned size = 480; size < 1300; size++) {
		ssize_t got;

		snprintf(text, sizeof(text), "message_bytes=%u", size);
		assert_int_equal(log_open(&env, &fixture->log, fixture->target, text, NULL), 0);
		assert_int_equal(log_ops()->events(fixture->log, &event, 1), 0);
		got = recv(fixture->receiver, bytes, sizeof(bytes), 0);
		assert_in_range(got, before, size);
		if (rfc5424_read(bytes, (size_t)got, &message) != NULL)
			fail_msg("%u: %s in %.*s", size, rfc5424_read(bytes, (size_t)got, &message), (int)got, bytes);
		assert_value(&message, "remote_port", "65535");
		before = (size_t)got -
		         (size_t)got / 20; /* a larger limit may only be worth a few bytes less: whole characters */
		log_ops()->close(fixture->log);
	}
	assert_non_null(strstr(message.message, "(RECEIVED_FIN)"));
	fixture->log = NULL;
	memset(host + strlen(host), 'h', 280); /* cut to 255, which with the rest is too much */
	assert_int_equal(log_open(&env, &fixture->log, fixture->target, "message_bytes=480", host,
	                          "app_name=forty-eight characters of a name that says a lot", NULL),
	                 -EINVAL);
	assert_non_null(strstr(log_said(), "message_bytes: with names as long as these at least "));
}

static void test_parameters(void **state)
{
	static const struct {
		const char *param, *said;
	} rows[] = {
		{ "transport=pigeon", "transport: \"pigeon\" is not valid" },
		{ "framing=none", "framing: \"none\" is not valid" },
		{ "facility=local8", "facility: \"local8\" is not one" },
		{ "sd_id=tapstack", "sd_id: \"tapstack\" is not valid" },
		{ "sd_id=@1", "sd_id: \"@1\" is not valid" },
		{ "sd_id=a b@1", "sd_id: \"a b@1\" is not valid" },
		{ "sd_id=a@x", "sd_id: \"a@x\" is not valid" },
		{ "minimum=few", "minimum: \"few\" is not valid" },
		{ "target=dev/log", "target: \"dev/log\" is not valid" },
	};
	static const char *const targets[] = { "target=", "target=[::1", "target=[::1]x",
		                               "target=host:", "target=:514" };
	struct fixture *fixture = *state;
	struct tapstack_log_env env = log_env(NULL);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(log_open(&env, &fixture->log, rows[i].param, NULL), -EINVAL);
		if (strstr(log_said(), rows[i].said) == NULL)
			fail_msg("%s: %s", rows[i].param, log_said());
	}
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		assert_int_equal(log_open(&env, &fixture->log, "transport=tcp", targets[i], NULL), -EINVAL);
	assert_null(fixture->log);
}

/* ---- transports ------------------------------------------------------------------------------------------------ */

static void test_udp(void **state)
{
	struct fixture *fixture = *state;
	struct tapstack_log_env env = log_env(NULL);
	struct rfc5424 message;
	uint16_t port = open_inet(fixture, SOCK_DGRAM, 0, 0);
	uint64_t lost;

	assert_int_equal(log_open(&env, &fixture->log, "transport=udp", fixture->target, NULL), 0);
	send_events(fixture, 1, 3);
	for (uint64_t id = 1; id <= 3; id++) {
		next_datagram(fixture, &message);
		assert_int_equal(id_of(&message), id);
	}
	/* nobody there: what ICMP tells of is counted */
	close_receiver(fixture);
	send_events(fixture, 4, 5);
	lost = log_counts(fixture->log).lost;
	assert_in_range(lost, 1, 5);
	open_inet(fixture, SOCK_DGRAM, port, 0);
	send_events(fixture, 9, 1);
	next_datagram(fixture, &message);
	assert_int_equal(id_of(&message), 9);
	assert_int_equal(log_counts(fixture->log).waiting, 0);
}

/* A receiver of datagrams that does not take them, goes away and comes back: those in the buffer wait for it. */
static void test_unix(void **state)
{
	struct fixture *fixture = *state;
	struct tapstack_log_env env = log_env(NULL);
	struct rfc5424 message;

	open_unix(fixture, SOCK_DGRAM);
	assert_int_equal(log_open(&env, &fixture->log, fixture->target, NULL), 0);
	send_events(fixture, 1, 1000);
	assert_true(log_counts(fixture->log).waiting > 0);
	for (uint64_t id = 1; id <= 100; id++) {
		next_datagram(fixture, &message);
		assert_int_equal(id_of(&message), id);
	}
	close_receiver(fixture);
	send_events(fixture, 1001, 10);
	assert_int_equal(log_counts(fixture->log).lost, 0);
	open_unix(fixture, SOCK_DGRAM);
	do
		next_datagram(fixture, &message);
	while (id_of(&message) != 1010);
	assert_int_equal(log_counts(fixture->log).waiting, 0);
}

/* The receiver isn't there at first; then it takes a byte now and then; nothing is lost, and all is in order. */
static void test_tcp(void **state)
{
	enum { COUNT = 3000 };
	struct fixture *fixture = *state;
	struct tapstack_log_env env = log_env(NULL);
	struct stream *stream = calloc(1, sizeof(*stream));
	uint16_t port = open_inet(fixture, SOCK_STREAM, 0, 2048);
	struct rfc5424 message;

	close_receiver(fixture);
	assert_int_equal(
	        log_open(&env, &fixture->log, "transport=tcp", "buffer_bytes=4000000", fixture->target, NULL), 0);
	send_events(fixture, 1, COUNT);
	assert_int_equal(log_counts(fixture->log).waiting, COUNT);
	open_inet(fixture, SOCK_STREAM, port, 2048);
	accept_peer(fixture);
	for (uint64_t id = 1; id <= COUNT; id++) {
		next_counted(fixture, stream, &message);
		assert_int_equal(id_of(&message), id);
	}
	wait_delivered(fixture);
	assert_int_equal(log_counts(fixture->log).lost, 0);
	free(stream);
}

/* The connection is cut in the middle, hard: what was not acknowledged comes again, from the beginning of a message.
 * All arrive in order; what comes twice does so in one piece of the sequence. */
static void test_tcp_reconnect(void **state)
{
	enum { COUNT = 2000 };
	struct fixture *fixture = *state;
	struct tapstack_log_env env = log_env(NULL);
	struct stream *stream = calloc(1, sizeof(*stream));
	struct linger hard = { 1, 0 };
	struct rfc5424 message;
	uint64_t wanted = 1;

	open_inet(fixture, SOCK_STREAM, 0, 2048);
	assert_int_equal(
	        log_open(&env, &fixture->log, "transport=tcp", "buffer_bytes=4000000", fixture->target, NULL), 0);
	send_events(fixture, 1, COUNT);
	for (unsigned life = 0; life < 5; life++) {
		stream->have = 0;
		accept_peer(fixture);
		for (unsigned i = 0; i < 100; i++) {
			next_counted(fixture, stream, &message);
			/* nothing is skipped but what the dead peer's kernel had acknowledged and nobody read */
			assert_true(life > 0 || id_of(&message) == wanted);
			wanted = id_of(&message) + 1;
		}
		setsockopt(fixture->peer, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		close(fixture->peer);
	}
	stream->have = 0;
	accept_peer(fixture);
	next_counted(fixture, stream, &message);
	for (uint64_t id = id_of(&message) + 1; id <= COUNT; id++) {
		next_counted(fixture, stream, &message);
		assert_int_equal(id_of(&message), id);
	}
	wait_delivered(fixture);
	assert_int_equal(log_counts(fixture->log).lost, 0);
	free(stream);
}

/* A receiver that stops: the buffer fills, the rest is lost and counted, and the next message tells how many. Waiting
 * for it costs time once, not with each event. */
static void test_tcp_stopped(void **state)
{
	enum { COUNT = 5000 };
	struct fixture *fixture = *state;
	struct tapstack_log_env env = log_env(NULL);
	struct stream *stream = calloc(1, sizeof(*stream));
	struct tapstack_log_counts counts;
	struct rfc5424 message;
	uint64_t got = 0, missed = 0;
	int64_t began = now_ns();

	open_inet(fixture, SOCK_STREAM, 0, 2048);
	assert_int_equal(log_open(&env, &fixture->log, "transport=tcp", "buffer_bytes=131072", fixture->target, NULL),
	                 0);
	send_events(fixture, 1, COUNT);
	accept_peer(fixture);
	counts = log_counts(fixture->log);
	assert_true(counts.lost > 0 && counts.waiting > 0);
	assert_true(now_ns() - began < 5 * INT64_C(1000000000));
	while (got < COUNT - counts.lost) {
		next_counted(fixture, stream, &message);
		missed += missed_of(&message);
		got++;
	}
	send_events(fixture, COUNT + 1, 1);
	next_counted(fixture, stream, &message);
	assert_int_equal(id_of(&message), COUNT + 1);
	missed += missed_of(&message);
	assert_int_equal(missed, counts.lost);
	free(stream);
}

/* Line feeds end the messages of a unix stream; none is within one. */
static void test_unix_stream(void **state)
{
	struct fixture *fixture = *state;
	struct tapstack_log_env env = log_env(NULL);
	struct tapstack_log_event event = log_event(2);
	struct rfc5424 message;
	char text[8192];
	size_t have = 0;

	open_unix(fixture, SOCK_STREAM);
	assert_int_equal(log_open(&env, &fixture->log, "transport=unix-stream", fixture->target, NULL), 0);
	event.service = "two\nlines";
	send_events(fixture, 1, 1);
	assert_int_equal(log_ops()->events(fixture->log, &event, 1), 0);
	accept_peer(fixture);
	for (uint64_t id = 1; id <= 2; id++) {
		char *end;

		while ((end = memchr(text, '\n', have)) == NULL)
			have += more(fixture, text, have, sizeof(text));
		assert_null(rfc5424_read(text, (size_t)(end - text), &message));
		assert_int_equal(id_of(&message), id);
		have -= (size_t)(end - text) + 1;
		memmove(text, end + 1, have);
	}
	assert_int_equal(have, 0);
}

/* What is in the buffer goes out at the end, if there is somebody who takes it. */
static void test_flush(void **state)
{
	struct fixture *fixture = *state;
	struct tapstack_log_env env = log_env(NULL);
	int64_t began;

	open_inet(fixture, SOCK_STREAM, 0, 0);
	assert_int_equal(log_open(&env, &fixture->log, "transport=tcp", fixture->target, NULL), 0);
	send_events(fixture, 1, 10);
	assert_int_equal(log_ops()->flush(fixture->log), 0);
	assert_int_equal(log_counts(fixture->log).waiting, 0);
	close_receiver(fixture);
	send_events(fixture, 11, 10);
	began = now_ns();
	assert_int_equal(log_ops()->flush(fixture->log), 0);
	assert_true(now_ns() - began < 3 * INT64_C(1000000000));
	assert_int_equal(log_counts(fixture->log).waiting, 10);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_message),     TEST(test_escapes),     TEST(test_sizes), TEST(test_parameters),
		TEST(test_udp),         TEST(test_unix),        TEST(test_tcp),   TEST(test_tcp_reconnect),
		TEST(test_tcp_stopped), TEST(test_unix_stream), TEST(test_flush),
	};

	return cmocka_run_group_tests(tests, namespace_enter, NULL);
}
