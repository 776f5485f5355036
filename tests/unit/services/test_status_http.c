/* The status server, as its clients see it over the unix socket. */
#include "services/status_http.h"
#include "shard/render.h"
#include "support/fake_shards.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#define CLIENTS_MAX 80

struct fixture {
	struct event_base *base;
	struct event *tick;
	char directory[40], path[64];
	struct fake_shards fake;
	struct service service;
	const char *names[4];
	struct render_names render_names;
	struct status *status;
	int clients[CLIENTS_MAX];
	size_t client_count;
};

static void on_tick(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what, (void)context;
}

static void make_infos(struct fixture *f, size_t count)
{
	free(f->fake.infos);
	f->fake.infos = calloc(count + 1, sizeof(f->fake.infos[0]));
	assert_non_null(f->fake.infos);
	f->fake.info_count = count;
	for (size_t i = 0; i < count; i++)
		f->fake.infos[i] = (struct stack_conn_info){ .id = i + 1,
			                                     .handle = { 1 },
			                                     .state = TCPS_ESTABLISHED,
			                                     .service = 1,
			                                     .congestion = "reno",
			                                     .opened = { 1 },
			                                     .flow = { ip_addr_v4(0xc0000201), ip_addr_v4(0xc0000202),
			                                               80, (uint16_t)(1024 + i) } };
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct timeval tick = { 0, 2000 };

	assert_non_null(f);
	*state = f;
	f->base = event_base_new();
	f->tick = event_new(f->base, -1, EV_PERSIST, on_tick, NULL);
	event_add(f->tick, &tick);
	strcpy(f->directory, "/tmp/tapstack-status-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->path, sizeof(f->path), "%s/http", f->directory);
	f->fake.base = f->base;
	f->fake.totals = calloc(1, sizeof(*f->fake.totals));
	f->fake.totals->counters.frames_in = 12345;
	f->fake.totals->counters.bytes_in = 678;
	f->fake.totals->counters.verdict[VERDICT_DROP_ARP] = 9;
	f->fake.totals->counters.transitions[TCPS_LISTEN][TCPS_SYN_RECEIVED] = 4;
	f->fake.totals->gauges.in_state[TCPS_ESTABLISHED] = 77;
	f->service.stats.accepted = 31;
	f->service.stats.bytes_in = 32;
	f->fake.service[1] = &f->service;
	make_infos(f, 3);
	f->names[1] = "a<b>&\"c\"";
	f->render_names = (struct render_names){ .service = f->names, .service_count = 4 };
	return 0;
}

static void open_status(struct fixture *f, struct duration idle_timeout)
{
	char error[200];
	const struct status_options options = {
		.path = f->path,
		.idle_timeout = idle_timeout,
		.shards = fake_shards(&f->fake),
		.names = &f->render_names,
	};

	if (status_open(&options, f->base, &f->status, error, sizeof(error)) != 0)
		fail_msg("%s", error);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < f->client_count; i++)
		close(f->clients[i]);
	status_close(f->status);
	f->fake.held = false;
	for (int i = 0; i < 2000 && f->fake.pending; i++)
		event_base_loop(f->base, EVLOOP_ONCE);
	unlink(f->path);
	rmdir(f->directory);
	event_free(f->tick);
	event_base_free(f->base);
	free(f->fake.totals);
	free(f->fake.infos);
	free(f);
	return 0;
}

#define UNTIL(f, condition)                                                                                          \
	do {                                                                                                         \
		int64_t give_up = shard_now().ns + DURATION_S(10).ns;                                                \
		while (!(condition)) {                                                                               \
			if (shard_now().ns > give_up)                                                                \
				fail_msg("waited in vain for: %s", #condition);                                      \
			event_base_loop((f)->base, EVLOOP_ONCE);                                                     \
		}                                                                                                    \
	} while (0)

/* ---- a client -------------------------------------------------------------------------------------------------- */

static int client(struct fixture *f)
{
	struct service_target target;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	status_target(f->status, &target);
	assert_int_equal(connect(fd, (struct sockaddr *)&target.address, target.length), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	assert_true(f->client_count < CLIENTS_MAX);
	f->clients[f->client_count++] = fd;
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static bool reads(int fd, void *bytes, size_t length, ssize_t *ret_n)
{
	*ret_n = read(fd, bytes, length);
	if (*ret_n < 0)
		*ret_n = -errno;
	return *ret_n != -EAGAIN;
}

static bool hear_byte(struct fixture *f, int fd, char *byte)
{
	ssize_t n;

	UNTIL(f, reads(fd, byte, 1, &n));
	return n == 1;
}

static bool hear_line(struct fixture *f, int fd, char *line, size_t size)
{
	size_t length = 0;

	while (length + 1 < size && hear_byte(f, fd, &line[length])) {
		if (line[length] == '\n') {
			line[length > 0 && line[length - 1] == '\r' ? length - 1 : length] = '\0';
			return true;
		}
		length++;
	}
	line[length] = '\0';
	return false;
}

struct response {
	int code, minor;
	bool chunked, close;
	long length; /* -1: none given */
	char type[100], allow[50], retry[50];
	char *body;
	size_t body_length;
};

static void hear_body(struct fixture *f, int fd, struct response *r, size_t length)
{
	ssize_t n;

	r->body = realloc(r->body, r->body_length + length + 1);
	assert_non_null(r->body);
	for (; length > 0; length -= (size_t)n, r->body_length += (size_t)n) {
		UNTIL(f, reads(fd, r->body + r->body_length, length, &n));
		assert_true(n > 0);
	}
	r->body[r->body_length] = '\0';
}

static void hear_chunks(struct fixture *f, int fd, struct response *r)
{
	char line[100];
	size_t length;

	do {
		assert_true(hear_line(f, fd, line, sizeof(line)));
		length = strtoul(line, NULL, 16);
		hear_body(f, fd, r, length);
		assert_true(hear_line(f, fd, line, sizeof(line)));
		assert_string_equal(line, "");
	} while (length > 0);
}

static void hear_to_end(struct fixture *f, int fd, struct response *r)
{
	char some[65536];
	ssize_t n;

	for (;;) {
		UNTIL(f, reads(fd, some, sizeof(some), &n));
		if (n <= 0)
			return;
		r->body = realloc(r->body, r->body_length + (size_t)n + 1);
		assert_non_null(r->body);
		memcpy(r->body + r->body_length, some, (size_t)n);
		r->body_length += (size_t)n;
		r->body[r->body_length] = '\0';
	}
}

static struct response hear(struct fixture *f, int fd, bool head)
{
	struct response r = { .length = -1 };
	char line[300];

	assert_true(hear_line(f, fd, line, sizeof(line)));
	assert_int_equal(sscanf(line, "HTTP/1.%d %d", &r.minor, &r.code), 2);
	while (hear_line(f, fd, line, sizeof(line)) && line[0]) {
		sscanf(line, "Content-Length: %ld", &r.length);
		sscanf(line, "Content-Type: %99[^\n]", r.type);
		sscanf(line, "Allow: %49[^\n]", r.allow);
		sscanf(line, "Retry-After: %49[^\n]", r.retry);
		r.chunked |= strcasecmp(line, "Transfer-Encoding: chunked") == 0;
		r.close |= strcasecmp(line, "Connection: close") == 0;
	}
	hear_body(f, fd, &r, 0);
	if (head)
		return r;
	if (r.chunked)
		hear_chunks(f, fd, &r);
	else if (r.length >= 0)
		hear_body(f, fd, &r, (size_t)r.length);
	else
		hear_to_end(f, fd, &r);
	return r;
}

static bool at_end(struct fixture *f, int fd)
{
	char byte;

	return !hear_byte(f, fd, &byte);
}

static void expect(struct fixture *f, int fd, int code, const char *content)
{
	struct response r = hear(f, fd, false);

	assert_int_equal(r.code, code);
	if (!strstr(r.body, content))
		fail_msg("\"%s\" is not in the body: %s", content, r.body);
	free(r.body);
}

static void expect_rows(struct fixture *f, int fd, size_t rows)
{
	struct response r = hear(f, fd, false);
	json_t *root = json_loadb(r.body, r.body_length, 0, NULL), *list;

	assert_int_equal(r.code, 200);
	assert_string_equal(r.type, "application/json");
	assert_non_null(root);
	list = json_object_get(root, "connections");
	assert_int_equal(json_array_size(list), rows);
	for (size_t i = 0; i < rows; i++)
		assert_int_equal(json_integer_value(json_object_get(json_array_get(list, i), "id")), i + 1);
	json_decref(root);
	free(r.body);
}

/* ---- tests ----------------------------------------------------------------------------------------------------- */

static void http_1_0_closes_after_each_response(void **state)
{
	static const char *const paths[] = { "/", "/connections", "/metrics", "/nothing" };
	struct fixture *f = *state;

	open_status(f, DURATION_S(60));
	for (size_t i = 0; i < 4; i++) {
		char request[100];
		int fd = client(f);

		snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", paths[i]);
		say(fd, request);
		expect(f, fd, i < 3 ? 200 : 404, "");
		assert_true(at_end(f, fd));
	}
}

static void http_1_1_keeps_the_connection(void **state)
{
	struct fixture *f = *state;
	int fd;

	open_status(f, DURATION_S(60));
	fd = client(f);
	for (int i = 0; i < 5; i++) {
		say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
		expect(f, fd, 200, "ESTABLISHED");
		say(fd, "GET /connections?x=y HTTP/1.1\r\nHost: x\r\n\r\n");
		expect_rows(f, fd, 3);
	}
	say(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	expect(f, fd, 200, "# EOF\n");
	assert_true(at_end(f, fd));
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	struct fixture *f = *state;
	int fd;

	open_status(f, DURATION_S(60));
	fd = client(f);
	for (int round = 0; round < 3; round++) {
		make_infos(f, round * 700);
		say(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
		        "GET /connections HTTP/1.1\r\nHost: x\r\n\r\n"
		        "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
		        "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"
		        "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
		        "GET /connections HTTP/1.1\r\nHo");
		expect(f, fd, 200, "# EOF\n");
		expect_rows(f, fd, (size_t)round * 700);
		expect(f, fd, 404, "Not Found");
		free(hear(f, fd, true).body);
		expect(f, fd, 200, "</html>");
		say(fd, "st: x\r\n\r\n");
		expect_rows(f, fd, (size_t)round * 700);
	}
}

static void who_has_closed_its_direction_is_still_answered(void **state)
{
	struct fixture *f = *state;

	open_status(f, DURATION_S(60));
	for (int version = 0; version < 2; version++) {
		for (size_t rows = 1; rows < 2000; rows += 600) {
			char request[200];
			int fd = client(f);

			make_infos(f, rows);
			snprintf(request, sizeof(request), "GET /connections HTTP/1.%d\r\nHost: x\r\n\r\n", version);
			say(fd, request);
			if (version == 1)
				say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
			shutdown(fd, SHUT_WR);
			expect_rows(f, fd, rows);
			if (version == 1) {
				expect(f, fd, 200, "</html>");
				expect(f, fd, 200, "# EOF\n");
			}
			assert_true(at_end(f, fd));
		}
	}
}

static void an_idle_connection_is_closed(void **state)
{
	struct fixture *f = *state;
	struct instant began;
	int fd, silent;

	open_status(f, DURATION_MS(100));
	fd = client(f);
	silent = client(f);
	say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(f, fd, 200, "");
	began = shard_now();
	assert_true(at_end(f, fd));
	assert_true(shard_now().ns - began.ns > DURATION_MS(50).ns);
	assert_true(at_end(f, silent));
}

static void wrong_requests_are_refused(void **state)
{
	struct fixture *f = *state;
	struct response r;
	int fd;

	open_status(f, DURATION_S(60));
	fd = client(f);
	say(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
	r = hear(f, fd, false);
	assert_int_equal(r.code, 405);
	assert_string_equal(r.allow, "GET, HEAD");
	free(r.body);
	say(fd, "DELETE /connections HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(f, fd, 405, "Method Not Allowed");
	say(fd, "GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(f, fd, 404, "Not Found");
	say(fd, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	r = hear(f, fd, true);
	assert_int_equal(r.code, 200);
	assert_non_null(strstr(r.type, "openmetrics"));
	free(r.body);
	say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(f, fd, 200, "");
	say(fd, "nonsense\r\n\r\n");
	r = hear(f, fd, false);
	assert_int_equal(r.code, 400);
	free(r.body);
	assert_true(at_end(f, fd));
}

static void too_many_at_once_are_told_to_come_back(void **state)
{
	struct fixture *f = *state;
	struct response r;

	open_status(f, DURATION_S(60));
	f->fake.held = true;
	for (int i = 0; i < 64; i++)
		say(client(f), "GET /connections HTTP/1.0\r\n\r\n");
	UNTIL(f, f->fake.surveys == 64);
	say(client(f), "GET / HTTP/1.0\r\n\r\n");
	r = hear(f, f->clients[64], false);
	assert_int_equal(r.code, 503);
	assert_string_equal(r.retry, "1");
	free(r.body);
	f->fake.held = false;
	for (int i = 0; i < 64; i++)
		expect_rows(f, f->clients[i], 3);
	say(client(f), "GET / HTTP/1.0\r\n\r\n");
	expect(f, f->clients[65], 200, "");
}

static void a_slow_reader_holds_the_survey_up(void **state)
{
	struct fixture *f = *state;
	size_t slices;
	int fd;

	open_status(f, DURATION_S(60));
	make_infos(f, 5000);
	fd = client(f);
	say(fd, "GET /connections HTTP/1.1\r\nHost: x\r\n\r\n");
	do {
		slices = f->fake.slices;
		for (int i = 0; i < 20; i++)
			event_base_loop(f->base, EVLOOP_ONCE);
	} while (f->fake.slices != slices);
	assert_in_range(slices, 1, 10); /* of 40 */
	expect_rows(f, fd, 5000);
	assert_int_equal(f->fake.slices, 40);
}

static void the_page_is_limited(void **state)
{
	struct fixture *f = *state;
	int fd;

	open_status(f, DURATION_S(60));
	fd = client(f);
	make_infos(f, 1000);
	say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(f, fd, 200, "1000 listed</p>");
	make_infos(f, 1001);
	say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(f, fd, 200, "1000 listed, there are more");
}

static void a_client_that_goes_away_is_forgotten(void **state)
{
	struct fixture *f = *state;
	int fd;

	open_status(f, DURATION_MS(50));
	make_infos(f, 5000);
	/* in the middle of a listing: */
	fd = client(f);
	say(fd, "GET /connections HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(f, f->fake.slices > 0);
	close(fd);
	f->client_count--;
	UNTIL(f, f->fake.cancelled == 1);
	/* one that does not read; idle_timeout is for it: */
	fd = client(f);
	say(fd, "GET /connections HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(f, f->fake.cancelled == 2);
	/* while the shards think: */
	f->fake.held = true;
	fd = client(f);
	say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(f, f->fake.pending > 0);
	close(fd);
	f->client_count--;
	f->fake.held = false;
	UNTIL(f, f->fake.pending == 0);
}

/* The sanitizer and teardown look for what is left. */
static void closing_in_the_middle_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	open_status(f, DURATION_S(60));
	make_infos(f, 5000);
	client(f);
	say(client(f), "GET /connections HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(f, f->fake.slices > 0);
	f->fake.held = true;
	say(client(f), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	say(client(f), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	say(client(f), "GET /connections HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(f, f->fake.surveys == 2);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	status_close(f->status);
	f->status = NULL;
	assert_int_equal(stat(f->path, &st), -1);
	for (size_t i = 0; i < f->client_count; i++) {
		struct response r = { 0 };

		hear_to_end(f, f->clients[i], &r);
		free(r.body);
	}
}

static void names_from_outside_are_escaped(void **state)
{
	struct fixture *f = *state;
	int fd;

	open_status(f, DURATION_S(60));
	fd = client(f);
	say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(f, fd, 200, "<td>a&lt;b&gt;&amp;&quot;c&quot;</td><td>reno</td>");
	say(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(f, fd, 200, "tapstack_service_accepted_total{service=\"a<b>&\\\"c\\\"\"} 31\n");
	say(fd, "GET /connections HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(f, fd, 200, "\"service\":\"a<b>&\\\"c\\\"\"");
}

static void what_is_not_known_is_a_dash(void **state)
{
	struct fixture *f = *state;
	int fd;

	f->fake.infos[0].state = TCPS_LISTEN;
	f->fake.infos[0].id = 0;
	f->fake.infos[1].state = TCPS_TIME_WAIT;
	f->fake.infos[1].compact = true;
	f->fake.infos[2].srtt = DURATION_US(1500);
	f->fake.infos[2].cwnd = 14600;
	open_status(f, DURATION_S(60));
	fd = client(f);
#define NUMBER(text) "<td class=\"n\">" text "</td>"
#define DASH NUMBER("-")
	say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(f, fd, 200, "<tr>" DASH "<td>LISTEN</td>");
	say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(f, fd, 200, "<td>reno</td>" DASH DASH DASH DASH DASH DASH "</tr>");
	say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(f, fd, 200, "<tr>" NUMBER("2") "<td>TIME-WAIT</td>");
	say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(f, fd, 200, DASH DASH DASH DASH DASH "</tr>\n<tr>" NUMBER("3") "<td>ESTABLISHED</td>");
	say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(f, fd, 200, NUMBER("1.500") NUMBER("14600") NUMBER("0") NUMBER("0") NUMBER("0") "</tr>");
#undef DASH
#undef NUMBER
}

/* Each line is a comment of the format or a sample of the family that was announced last. */
static void check_line(const char *line, char *family, char *type)
{
	char name[100], word[100], unit[100], sample[100], expected[120];
	unsigned long long value;

	if (sscanf(line, "# TYPE %99s %99s", name, word) == 2) {
		strcpy(family, name);
		strcpy(type, word);
	} else if (sscanf(line, "# UNIT %99s %99s", name, unit) == 2) {
		assert_string_equal(name, family);
		assert_true(strlen(name) > strlen(unit));
		assert_string_equal(name + strlen(name) - strlen(unit), unit);
	} else if (sscanf(line, "# HELP %99s %99s", name, word) == 2) {
		assert_string_equal(name, family);
	} else {
		const char *space = strrchr(line, ' ');

		assert_non_null(space);
		assert_int_equal(sscanf(space, " %llu", &value), 1);
		assert_int_equal(sscanf(line, "%99[^{ ]", sample), 1);
		snprintf(expected, sizeof(expected), "%s%s", family, strcmp(type, "counter") == 0 ? "_total" : "");
		assert_string_equal(sample, expected);
	}
}

static void metrics_are_openmetrics(void **state)
{
	static const char *const samples[] = {
		"\ntapstack_frames_in_total 12345\n",
		"\n# UNIT tapstack_in_bytes bytes\n",
		"\ntapstack_in_bytes_total 678\n",
		"\ntapstack_verdicts_total{verdict=\"DROP_ARP\"} 9\n",
		"\ntapstack_transitions_total{from=\"LISTEN\",to=\"SYN-RECEIVED\"} 4\n",
		"\ntapstack_connections{state=\"ESTABLISHED\"} 77\n",
		"\ntapstack_service_in_bytes_total{service=",
	};
	struct fixture *f = *state;
	char family[100] = "", type[100] = "", *line, *rest;
	struct response r;
	int fd;

	open_status(f, DURATION_S(60));
	fd = client(f);
	say(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	r = hear(f, fd, false);
	assert_string_equal(r.type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		if (!strstr(r.body, samples[i]))
			fail_msg("missing: %s", samples[i]);
	assert_true(r.body_length > 6);
	assert_string_equal(r.body + r.body_length - 6, "# EOF\n");
	r.body[r.body_length - 6] = '\0';
	for (line = strtok_r(r.body, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		check_line(line, family, type);
	free(r.body);
}

static void what_cannot_be_opened_is_explained(void **state)
{
	struct fixture *f = *state;
	struct status_options options = { .path = "/nowhere/at/all", .names = &f->render_names };
	struct status *status = NULL;
	char error[200] = "", path[200];

	assert_int_equal(status_open(&options, f->base, &status, error, sizeof(error)), -ENOENT);
	assert_non_null(strstr(error, "/nowhere/at/all"));
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	options.path = path;
	assert_int_equal(status_open(&options, f->base, &status, error, sizeof(error)), -ENAMETOOLONG);
	assert_null(status);
	/* What a killed daemon left behind is no obstacle. */
	open_status(f, DURATION_S(1));
	snprintf(path, sizeof(path), "%s.saved", f->path);
	assert_int_equal(link(f->path, path), 0);
	status_close(f->status);
	assert_int_equal(rename(path, f->path), 0);
	open_status(f, DURATION_S(1));
	status_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(http_1_0_closes_after_each_response, setup, teardown),
		cmocka_unit_test_setup_teardown(http_1_1_keeps_the_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(pipelined_requests_are_answered_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(who_has_closed_its_direction_is_still_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(an_idle_connection_is_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_requests_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_at_once_are_told_to_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slow_reader_holds_the_survey_up, setup, teardown),
		cmocka_unit_test_setup_teardown(the_page_is_limited, setup, teardown),
		cmocka_unit_test_setup_teardown(a_client_that_goes_away_is_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(closing_in_the_middle_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(names_from_outside_are_escaped, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_known_is_a_dash, setup, teardown),
		cmocka_unit_test_setup_teardown(metrics_are_openmetrics, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_opened_is_explained, setup, teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
