/* The server itself, with methods made for the test: framing, order, limits, readers that don't read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "talk.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define INVALID "org.tapstack.control.InvalidMessage"

/* ---- methods ------------------------------------------------------------------------------------------------- */

static void run_echo(struct call *call)
{
	call_reply(call, json_pack("{s:O}", "text", call_parameter(call, "text")));
}

static void answer_late(evutil_socket_t fd, short what, void *call)
{
	(void)fd;
	(void)what;
	run_echo(call);
}

static void run_late(struct call *call)
{
	struct talk *talk = call_context(call);

	event_base_once(talk->base, -1, EV_TIMEOUT, answer_late, call, &(struct timeval){ 0, 20000 });
}

/* Streams for ever, as fast as it is read; counts what it has sent in the parameter "text" of the test's own. */
struct flood {
	unsigned sent, drained, abandoned;
};
static struct flood *flood_state(void)
{
	static struct flood state;

	return &state;
}

static void run_flood_on(struct call *call)
{
	char text[1001];

	memset(text, 'x', 1000);
	text[1000] = '\0';
	do
		flood_state()->sent++;
	while (call_reply_more(call, json_pack("{s:s}", "text", text)));
}

static void flood_drained(struct call *call)
{
	flood_state()->drained++;
	run_flood_on(call);
}

static void flood_abandoned(struct call *call)
{
	flood_state()->abandoned++;
	call_reply(call, NULL);
}

static void run_flood(struct call *call)
{
	*flood_state() = (struct flood){ 0 };
	call->drained = flood_drained;
	call->abandoned = flood_abandoned;
	run_flood_on(call);
}

/* Calls that end when the test says so, whether or not somebody waits for the answer. */
struct held {
	unsigned count;
	struct call *call[SERVER_CLIENTS_MAX];
};
static struct held *held_state(void)
{
	static struct held state;

	return &state;
}

static void run_hold(struct call *call)
{
	assert_in_range(held_state()->count, 0, SERVER_CLIENTS_MAX - 1);
	held_state()->call[held_state()->count++] = call;
}

static const struct parameter text_parameter[] = { { "text", PARAMETER_STRING, false, "any" }, { 0 } };
static const struct parameter none[] = { { 0 } };
static const struct method methods[] = {
	{ "Echo", CONTROL_OBSERVE, false, text_parameter, text_parameter, run_echo, "h" },
	{ "Late", CONTROL_OBSERVE, false, text_parameter, text_parameter, run_late, "h" },
	{ "Flood", CONTROL_OBSERVE, false, none, text_parameter, run_flood, "h" },
	{ "Hold", CONTROL_OBSERVE, false, none, none, run_hold, "h" },
};
static const struct interface interface = { "org.example.test", "interface org.example.test\n", methods, 4 };

#define ECHO(text) "{\"method\":\"org.example.test.Echo\",\"parameters\":{\"text\":\"" text "\"}}"
#define LATE(text) "{\"method\":\"org.example.test.Late\",\"parameters\":{\"text\":\"" text "\"}}"
#define ECHOED(text) "{'parameters':{'text':'" text "'}}"

/* ---- tests --------------------------------------------------------------------------------------------------- */

static void service_interface(void **state)
{
	struct talk talk;
	int fd;

	(void)state;
	talk_open_server(&talk, &interface, 30000);
	fd = talk_dial(&talk);
	talk_expect(&talk, fd, "{\"method\":\"org.varlink.service.GetInfo\"}",
	            "{'parameters':{'vendor':'v','product':'p','version':'1','url':'u','interfaces':"
	            "['org.varlink.service','org.example.test']}}");
	talk_expect(&talk, fd,
	            "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":"
	            "\"org.example.test\"}}",
	            "{'parameters':{'description':'interface org.example.test\\n'}}");
	talk_expect(
	        &talk, fd,
	        "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"a.b\"}}",
	        "{'error':'org.varlink.service.InterfaceNotFound','parameters':{'interface':'a.b'}}");
	talk_expect(&talk, fd, "{\"method\":\"org.example.test.Nothing\"}",
	            "{'error':'org.varlink.service.MethodNotFound','parameters':{'method':'Nothing'}}");
	talk_expect(&talk, fd, "{\"method\":\"org.example.tes.Echo\"}",
	            "{'error':'org.varlink.service.InterfaceNotFound','parameters':{'interface':'org.example.tes'}}");
	talk_expect(&talk, fd, "{\"method\":\"nodot\"}",
	            "{'error':'org.varlink.service.InterfaceNotFound','parameters':{'interface':'nodot'}}");
	talk_expect(&talk, fd, "{\"method\":\"org.example.test.Echo\"}",
	            "{'error':'org.varlink.service.InvalidParameter','parameters':{'parameter':'text',"
	            "'reason':'is missing; it must be of type string'}}");
	talk_expect(&talk, fd, "{\"method\":\"org.example.test.Echo\",\"parameters\":{\"text\":1}}",
	            "{'error':'org.varlink.service.InvalidParameter','parameters':{'parameter':'text',"
	            "'reason':'must be of type string'}}");
	talk_expect(&talk, fd, "{\"method\":\"org.example.test.Echo\",\"parameters\":{\"text\":\"a\",\"b\":1}}",
	            "{'error':'org.varlink.service.InvalidParameter','parameters':{'parameter':'b',"
	            "'reason':'no such parameter; there are: text'}}");
	close(fd);
	talk_close(&talk);
}

static void fragmented(void **state)
{
	static const char message[] = ECHO("bit by bit");
	struct talk talk;
	char *heard;
	int fd;

	(void)state;
	talk_open_server(&talk, &interface, 30000);
	fd = talk_dial(&talk);
	for (size_t i = 0; i < sizeof(message); i++) {
		assert_true(talk_send(&talk, fd, message + i, 1));
		talk_settle(&talk);
	}
	heard = talk_hear(&talk, fd);
	assert_string_equal(heard, "{\"parameters\":{\"text\":\"bit by bit\"}}");
	free(heard);
	talk_expect(&talk, fd, ECHO("b"), ECHOED("b")); /* shorter than what was looked at before */
	close(fd);
	talk_close(&talk);
}

/* Answers come in the order of the calls, also when one of them takes its time. */
static void pipelined(void **state)
{
	static const char calls[] = ECHO("1") "\0" LATE("2") "\0" ECHO("3") "\0" LATE("4") "\0" ECHO("5");
	struct talk talk;
	int fd;

	(void)state;
	talk_open_server(&talk, &interface, 30000);
	fd = talk_dial(&talk);
	assert_true(talk_send(&talk, fd, calls, sizeof(calls)));
	for (char n = '1'; n <= '5'; n++) {
		json_t *heard = talk_hear_json(&talk, fd);
		const char *text;

		assert_int_equal(json_unpack(heard, "{s:{s:s}}", "parameters", "text", &text), 0);
		assert_int_equal(text[0], n);
		json_decref(heard);
	}
	close(fd);
	talk_close(&talk);
}

static void oneway(void **state)
{
	struct talk talk;
	int fd;

	(void)state;
	talk_open_server(&talk, &interface, 30000);
	fd = talk_dial(&talk);
	assert_true(talk_say(&talk, fd, "{\"method\":\"org.example.test.Echo\",\"oneway\":true}"));
	assert_true(talk_say(
	        &talk, fd, "{\"method\":\"org.example.test.Echo\",\"parameters\":{\"text\":\"a\"},\"oneway\":true}"));
	talk_expect(&talk, fd, ECHO("answered"), ECHOED("answered"));
	close(fd);
	talk_close(&talk);
}

/* After a message that is none, the client is told why and let go; what it sent behind it is not looked at. */
static void broken(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} cases[] = {
#define BYTES(text) { text, sizeof(text) }
		BYTES("x"),
		BYTES(""),
		BYTES("{\"method\":\"\xff\xff\"}"),
		BYTES("{\"method\":1}\0" ECHO("never")),
		BYTES("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["),
#undef BYTES
	};
	struct talk talk;

	(void)state;
	talk_open_server(&talk, &interface, 30000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = talk_dial(&talk);

		talk_send(&talk, fd, cases[i].bytes, cases[i].length);
		assert_string_equal(talk_hear_error(&talk, fd), INVALID);
		assert_string_equal(talk_hear_error(&talk, fd), "closed");
		close(fd);
	}
	talk_close(&talk);
}

static void truncated(void **state)
{
	struct talk talk;
	int fd;

	(void)state;
	talk_open_server(&talk, &interface, 30000);
	fd = talk_dial(&talk);
	assert_true(talk_say(&talk, fd, LATE("whole")));
	assert_true(talk_send(&talk, fd, ECHO("cut"), 20));
	shutdown(fd, SHUT_WR);
	assert_string_equal(talk_hear_error(&talk, fd), ""); /* what was whole is answered */
	assert_string_equal(talk_hear_error(&talk, fd), INVALID);
	assert_string_equal(talk_hear_error(&talk, fd), "closed");
	close(fd);

	fd = talk_dial(&talk);
	assert_true(talk_say(&talk, fd, LATE("whole")));
	shutdown(fd, SHUT_WR);
	assert_string_equal(talk_hear_error(&talk, fd), "");
	assert_string_equal(talk_hear_error(&talk, fd), "closed");
	close(fd);
	TALK_UNTIL(&talk, server_clients(talk.server) == 0);
	talk_close(&talk);
}

static void send_sized(struct talk *talk, int fd, size_t length)
{
	static const char head[] = "{\"method\":\"org.example.test.Echo\",\"parameters\":{\"text\":\"",
	                  tail[] = "\"}}";
	char *message = malloc(length + 1);
	size_t head_length = sizeof(head) - 1, tail_length = sizeof(tail) - 1;

	memset(message, 'y', length);
	memcpy(message, head, head_length);
	memcpy(message + length - tail_length, tail, tail_length);
	message[length] = '\0';
	talk_send(talk, fd, message, length + 1);
	free(message);
}

static void oversized(void **state)
{
	struct talk talk;
	int fd;

	(void)state;
	talk_open_server(&talk, &interface, 30000);
	fd = talk_dial(&talk);
	send_sized(&talk, fd, MESSAGE_BYTES_MAX);
	assert_string_equal(talk_hear_error(&talk, fd), "");
	send_sized(&talk, fd, MESSAGE_BYTES_MAX + 1);
	assert_string_equal(talk_hear_error(&talk, fd), INVALID);
	assert_string_equal(talk_hear_error(&talk, fd), "closed");
	close(fd);
	talk_close(&talk);
}

static void too_many_clients(void **state)
{
	int fd[SERVER_CLIENTS_MAX + 1];
	struct talk talk;

	(void)state;
	talk_open_server(&talk, &interface, 30000);
	for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
		fd[i] = talk_dial(&talk);
	TALK_UNTIL(&talk, server_clients(talk.server) == SERVER_CLIENTS_MAX);
	fd[SERVER_CLIENTS_MAX] = talk_dial(&talk);
	assert_string_equal(talk_hear_error(&talk, fd[SERVER_CLIENTS_MAX]), "org.tapstack.control.TooManyClients");
	assert_string_equal(talk_hear_error(&talk, fd[SERVER_CLIENTS_MAX]), "closed");
	close(fd[SERVER_CLIENTS_MAX]);
	talk_expect(&talk, fd[0], ECHO("still here"), ECHOED("still here"));

	/* A place that is left can be taken again. */
	close(fd[1]);
	TALK_UNTIL(&talk, server_clients(talk.server) == SERVER_CLIENTS_MAX - 1);
	fd[1] = talk_dial(&talk);
	talk_expect(&talk, fd[1], ECHO("new"), ECHOED("new"));
	for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
		close(fd[i]);
	talk_close(&talk);
}

/* Somebody else's place is kept free: a client that asks for everything and reads nothing. */
static void never_reads(void **state)
{
	struct talk talk;
	int fd, other;
	unsigned sent;

	(void)state;
	talk_open_server(&talk, &interface, 2000); /* longer than a busy machine may take between two reads */
	fd = talk_dial(&talk);
	other = talk_dial(&talk);
	assert_true(talk_say(&talk, fd, "{\"method\":\"org.example.test.Flood\",\"more\":true}"));
	talk_settle(&talk);
	sent = flood_state()->sent;
	assert_in_range(sent, SERVER_OUTPUT_HIGH / 1100, 2000); /* the buffers of the kernel and ours, no more */
	talk_settle(&talk);
	assert_int_equal(flood_state()->sent, sent);
	talk_expect(&talk, other, ECHO("not held up"), ECHOED("not held up"));

	/* While it reads, it goes on. */
	for (int i = 0; i < 3000; i++)
		free(talk_hear(&talk, fd));
	assert_true(flood_state()->drained > 0);
	assert_int_equal(flood_state()->abandoned, 0);

	/* And then it is cut off. */
	TALK_UNTIL(&talk, flood_state()->abandoned == 1);
	assert_int_equal(server_clients(talk.server), 1);
	close(fd);
	close(other);
	talk_close(&talk);
}

/* Processor time that the server takes in 200 ms in which nobody does anything, in milliseconds. */
static long busy_ms(struct talk *talk)
{
	struct timespec before, after;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	event_base_loopexit(talk->base, &(struct timeval){ 0, 200000 });
	event_base_loop(talk->base, 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	return (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
}

/* Calls of a client that does not read its answers are not taken any more; the server then sleeps, others are served,
 * and it is noticed at once when the client goes. */
static void never_reads_answers(void **state)
{
	struct talk talk;
	size_t taken = 0;
	int64_t give_up;
	int fd, other;

	(void)state;
	talk_open_server(&talk, &interface, 30000);
	fd = talk_dial(&talk);
	other = talk_dial(&talk);
	give_up = talk_now_ms() + 5000;
	for (unsigned stuck = 0; stuck < 200;) {
		static const char call[] =
		        "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":"
		        "{\"interface\":\"org.varlink.service\"}}";
		ssize_t n = send(fd, call, sizeof(call), MSG_NOSIGNAL);

		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			stuck++;
		} else {
			taken += (size_t)n;
		}
		event_base_loop(talk.base, EVLOOP_NONBLOCK);
		assert_true(taken < 16u << 20);
		assert_true(talk_now_ms() < give_up);
	}
	assert_int_equal(server_clients(talk.server), 2);
	assert_in_range(busy_ms(&talk), 0, 50);
	talk_expect(&talk, other, ECHO("not held up"), ECHOED("not held up"));
	close(fd);
	TALK_UNTIL(&talk, server_clients(talk.server) == 1);
	close(other);
	talk_close(&talk);
}

/* The same while a call is under way and more has been sent behind it than is kept. */
static void much_behind_a_late_call(void **state)
{
	static char zeros[3u << 20];
	struct talk talk;
	int64_t give_up;
	int fd;

	(void)state;
	talk_open_server(&talk, &interface, 30000);
	fd = talk_dial(&talk);
	assert_true(talk_say(&talk, fd, "{\"method\":\"org.example.test.Flood\",\"more\":true}"));
	give_up = talk_now_ms() + 5000;
	for (int i = 0; i < 500; i++) {
		if (send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			assert_int_equal(errno, EAGAIN);
		event_base_loop(talk.base, EVLOOP_NONBLOCK);
		assert_true(talk_now_ms() < give_up);
	}
	assert_int_equal(server_clients(talk.server), 1);
	assert_in_range(busy_ms(&talk), 0, 50);
	close(fd);
	TALK_UNTIL(&talk, server_clients(talk.server) == 0);
	talk_close(&talk);
}

/* The client is gone before the answer; the server, before the call has ended. */
static void gone_before_the_answer(void **state)
{
	struct talk talk;
	int fd;

	(void)state;
	talk_open_server(&talk, &interface, 30000);
	fd = talk_dial(&talk);
	assert_true(talk_say(&talk, fd, LATE("nobody hears it")));
	close(fd);
	TALK_UNTIL(&talk, server_clients(talk.server) == 0);

	fd = talk_dial(&talk);
	assert_true(talk_say(&talk, fd, LATE("the server is gone")));
	talk_settle(&talk);
	server_free(talk.server);
	talk.server = NULL;
	assert_string_equal(talk_hear_error(&talk, fd), "closed");
	close(fd);
	event_base_loop(talk.base, EVLOOP_ONCE); /* the late answer */
	talk_close(&talk);
}

/* Callers that go without waiting leave their calls under way, and these keep their places. */
static void called_and_gone(void **state)
{
	/* One that goes without having read its answer is gone for good; it could be half a close else. */
	static const char calls[] = ECHO("unread") "\0{\"method\":\"org.example.test.Hold\"}";
	enum { PLACES = SERVER_CLIENTS_MAX };
	struct talk talk;
	int fd[PLACES];

	(void)state;
	talk_open_server(&talk, &interface, 30000);
	*held_state() = (struct held){ 0 };
	for (int i = 0; i < PLACES; i++) {
		fd[i] = talk_dial(&talk);
		assert_true(talk_send(&talk, fd[i], calls, sizeof(calls)));
	}
	TALK_UNTIL(&talk, held_state()->count == PLACES);
	for (int i = 0; i < PLACES; i++)
		close(fd[i]);
	TALK_UNTIL(&talk, server_clients(talk.server) == 0);
	fd[0] = talk_dial(&talk);
	assert_string_equal(talk_hear_error(&talk, fd[0]), "org.tapstack.control.TooManyClients");
	assert_string_equal(talk_hear_error(&talk, fd[0]), "closed");
	close(fd[0]);

	/* A place is free when one of the calls has ended. */
	call_reply(held_state()->call[0], NULL);
	fd[0] = talk_dial(&talk);
	talk_expect(&talk, fd[0], ECHO("new"), ECHOED("new"));
	for (unsigned i = 1; i < PLACES; i++)
		call_reply(held_state()->call[i], NULL);
	close(fd[0]);
	talk_close(&talk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(service_interface),
		cmocka_unit_test(fragmented),
		cmocka_unit_test(pipelined),
		cmocka_unit_test(oneway),
		cmocka_unit_test(broken),
		cmocka_unit_test(truncated),
		cmocka_unit_test(oversized),
		cmocka_unit_test(too_many_clients),
		cmocka_unit_test(never_reads),
		cmocka_unit_test(never_reads_answers),
		cmocka_unit_test(much_behind_a_late_call),
		cmocka_unit_test(gone_before_the_answer),
		cmocka_unit_test(called_and_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
