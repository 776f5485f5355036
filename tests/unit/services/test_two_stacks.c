/* The services on the real stack, and a second stack as their client: two struct stack back to back, on virtual time,
 * frames handed over in memory. */
#include "services/service.h"
#include "support/fake_log.h"
#include "support/namespace.h"
#include "support/pattern.h"
#include "support/test_memory.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SERVER_IP ip_addr_v4(0xc0000201)
#define CLIENT_IP ip_addr_v4(0xc0000202)
#define PORT 7
#define FRAMES 64
#define FRAME_BYTES 70000

/* One side, with the frames that are on the way to it: they stay until its turn is over. */
struct side {
	struct stack *stack;
	struct test_memory memory;
	uint8_t *bytes;
	struct frame_in in[FRAMES];
	size_t count;
};

struct net {
	struct side server, client;
	struct service_host host;
	struct service *service;
	struct conn_handle listener;
	struct instant now;
	int listening, serving;  /* the relay's target, -1: none */
	struct conn_handle conn; /* the client's */
	unsigned flags;          /* all that was reported about it */
	bool lost;               /* it was reset */
};

static void begin_virtual(struct service_host *host)
{
	(void)host; /* the test keeps the time */
}

static void make_side(struct side *side, struct instant now, struct ip_addr ip, uint32_t gso)
{
	struct stack_config config;
	struct memory memory = test_memory(&side->memory);

	stack_config_init(&config);
	memset(config.secret, ip.b[15], sizeof(config.secret));
	config.mac = (struct mac_addr){ { 2, 0, 0, 0, 0, ip.b[15] } };
	config.address[0] = (struct stack_address){ ip, 120 };
	config.address_count = 1;
	config.gso_bytes_max = gso;
	config.checksum_offload = gso > 0;
	config.tcp.timestamps = config.tcp.sack = config.tcp.window_scaling = true;
	assert_int_equal(stack_new(&config, &memory, now, &side->stack), 0);
	side->bytes = malloc((size_t)FRAMES * FRAME_BYTES);
	assert_non_null(side->bytes);
}

static void net_open(struct net *net, const char *kind, uint32_t gso)
{
	struct service_options options = { .name = "test", .id = 1 };
	const struct stack_listen_options listen_options = { .port = PORT, .service = 1, .backlog = 300 };
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "\0two-stacks" };

	memset(net, 0, sizeof(*net));
	fake_log_clear();
	net->now = (struct instant){ 1000000000000 };
	make_side(&net->server, net->now, SERVER_IP, gso);
	make_side(&net->client, net->now, CLIENT_IP, gso);
	net->serving = -1;
	net->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(net->listening, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(net->listening, 300), 0);
	memcpy(&options.target.address, &un, sizeof(un));
	options.target.length = sizeof(un);
	net->host = (struct service_host){
		.stack = net->server.stack, .base = event_base_new(), .now = net->now, .begin = begin_virtual
	};
	assert_int_equal(service_start(service_type_find(kind), &net->host, &options, &net->service), 0);
	assert_int_equal(stack_listen(net->server.stack, &listen_options, &net->listener), 0);
}

static void free_side(struct side *side)
{
	stack_free(side->stack);
	assert_int_equal(side->memory.live_count, 0);
	free(side->bytes);
}

static void net_close(struct net *net)
{
	service_stop(net->service);
	free_side(&net->server);
	free_side(&net->client);
	event_base_free(net->host.base);
	close(net->listening);
	if (net->serving >= 0)
		close(net->serving);
}

/* What one side has to send is put before the other, as far as there is place. */
static size_t carry(struct side *from, struct side *to)
{
	struct frame_out out;
	size_t before = to->count;

	while (to->count < FRAMES && stack_output(from->stack, &out, 1) == 1) {
		uint8_t *frame = to->bytes + to->count * FRAME_BYTES, *end = frame;

		assert_true(out.length <= FRAME_BYTES);
		for (uint32_t i = 0; i < out.iov_count; i++) {
			memcpy(end, out.iov[i].iov_base, out.iov[i].iov_len);
			end += out.iov[i].iov_len;
		}
		to->in[to->count++] = (struct frame_in){
			.bytes = frame,
			.length = out.length,
			.gso_bytes = out.gso_bytes,
			.checksum = out.checksum_offset ? FRAME_CHECKSUM_PARTIAL : FRAME_CHECKSUM_UNKNOWN,
		};
	}
	return to->count - before;
}

static void take_in(struct net *net, struct side *side)
{
	for (size_t i = 0; i < side->count; i++)
		stack_input(side->stack, net->now, &side->in[i]);
	while (stack_advance(side->stack, net->now))
		;
}

static void serve(struct net *net)
{
	struct stack_ready ready;

	net->host.now = net->now;
	take_in(net, &net->server);
	while (stack_next_ready(net->server.stack, &ready))
		service_ready(net->service, &ready);
	event_base_loop(net->host.base, EVLOOP_NONBLOCK);
	while (stack_next_ready(net->server.stack, &ready))
		service_ready(net->service, &ready);
	stack_settle(net->server.stack);
	net->server.count = 0;
}

static void client_turn(struct net *net)
{
	struct stack_ready ready;

	take_in(net, &net->client);
	while (stack_next_ready(net->client.stack, &ready)) {
		assert_int_equal(ready.conn.v, net->conn.v);
		net->flags |= ready.flags;
		net->lost |= (ready.flags & READY_ERROR) != 0;
	}
}

/* One turn of both. While nothing moves, time does. */
static void net_turn(struct net *net, void (*client)(struct net *net, void *context), void *context)
{
	size_t moved;

	net->now = instant_add(net->now, DURATION_US(10));
	serve(net);
	moved = carry(&net->server, &net->client);
	client_turn(net);
	if (client)
		client(net, context);
	stack_settle(net->client.stack);
	net->client.count = 0;
	moved += carry(&net->client, &net->server);
	if (!moved)
		net->now = instant_add(net->now, DURATION_MS(1));
}

#define NET_UNTIL(net, client, context, condition)                                                                   \
	do {                                                                                                         \
		for (long turns = 0; !(condition); turns++) {                                                        \
			if (turns == 200000)                                                                         \
				fail_msg("in vain: %s", #condition);                                                 \
			net_turn(net, client, context);                                                              \
		}                                                                                                    \
	} while (0)

static void connect_client(struct net *net)
{
	const struct stack_connect_options options = { .remote = SERVER_IP, .remote_port = PORT, .nodelay = true };

	net->flags = 0;
	net->lost = false;
	assert_int_equal(stack_connect(net->client.stack, &options, &net->conn), 0);
	NET_UNTIL(net, NULL, NULL, net->flags & READY_CONNECTED);
}

static bool all_over(const struct net *net)
{
	struct stack_gauges gauges;

	stack_get_gauges(net->server.stack, &gauges);
	return net->service->stats.accepted == net->service->stats.ended && gauges.connections == 0 &&
	       gauges.buffer_bytes == 0;
}

/* A client that sends `total` bytes of the pattern, closes its direction, and checks what comes back. */
struct talk {
	size_t total, sent, received;
	bool stays, shut; /* stays: does not close its direction yet */
};

static void read_pattern(struct net *net, struct talk *talk)
{
	struct iovec iov[16];
	ssize_t n;
	int count;

	while ((n = stack_peek(net->client.stack, net->conn, iov, 16, &count)) > 0) {
		for (int i = 0; i < count; i++) {
			assert_pattern(iov[i].iov_base, talk->received, iov[i].iov_len);
			talk->received += iov[i].iov_len;
		}
		stack_consume(net->client.stack, net->conn, (size_t)n);
	}
}

static void write_pattern(struct net *net, struct talk *talk)
{
	uint8_t bytes[50000];
	ssize_t n;

	while (talk->sent < talk->total) {
		size_t length = talk->total - talk->sent < sizeof(bytes) ? talk->total - talk->sent : sizeof(bytes);

		fill_pattern(bytes, talk->sent, length);
		n = stack_send(net->client.stack, net->conn, bytes, length);
		if (n <= 0)
			return;
		talk->sent += (size_t)n;
	}
	if (!talk->shut && !talk->stays)
		stack_shutdown(net->client.stack, net->conn);
	talk->shut = !talk->stays;
}

static void talk_turn(struct net *net, void *context)
{
	struct talk *talk = context;

	assert_false(net->lost);
	read_pattern(net, talk);
	write_pattern(net, talk);
}

static void echo_over_real_stacks(void **state)
{
	static const uint32_t gsos[] = { 0, 65000 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct talk talk = { .total = 3000000 };
		struct net net;

		net_open(&net, "echo", gsos[i]);
		connect_client(&net);
		NET_UNTIL(&net, talk_turn, &talk, stack_at_eof(net.client.stack, net.conn));
		assert_int_equal(talk.received, talk.total);
		stack_close(net.client.stack, net.conn);
		NET_UNTIL(&net, NULL, NULL, all_over(&net));
		assert_int_equal(net.service->stats.bytes_out, talk.total);
		assert_int_equal(net.service->stats.peer_errors, 0);
		net_close(&net);
	}
}

static void discard_over_real_stacks(void **state)
{
	struct talk talk = { .total = 3000000, .stays = true };
	struct net net;

	(void)state;
	net_open(&net, "discard", 65000);
	connect_client(&net);
	NET_UNTIL(&net, talk_turn, &talk, net.service->stats.bytes_in == talk.total);
	/* Read in place: what a service consumes in its turn is not copied. */
	assert_int_equal(stack_get_counters(net.server.stack)->bytes_copied_in, 0);
	talk.stays = false;
	NET_UNTIL(&net, talk_turn, &talk, stack_at_eof(net.client.stack, net.conn));
	stack_close(net.client.stack, net.conn);
	NET_UNTIL(&net, NULL, NULL, all_over(&net));
	net_close(&net);
}

static void count_only(struct net *net, void *context)
{
	struct talk *talk = context;
	struct iovec iov[16];
	ssize_t n;
	int count;

	while ((n = stack_peek(net->client.stack, net->conn, iov, 16, &count)) > 0) {
		for (int i = 0; i < count; i++) {
			const uint8_t *bytes = iov[i].iov_base;

			for (size_t b = 0; b < iov[i].iov_len; b++, talk->received++) {
				size_t line = talk->received / 74, column = talk->received % 74;
				int expected = column == 72   ? '\r'
				               : column == 73 ? '\n'
				                              : (int)(' ' + (line + column) % 95);

				if (bytes[b] != expected)
					fail_msg("byte %zu is %u, not %d", talk->received, bytes[b], expected);
			}
		}
		stack_consume(net->client.stack, net->conn, (size_t)n);
	}
}

static void chargen_over_real_stacks(void **state)
{
	(void)state;
	for (int rude = 0; rude < 2; rude++) {
		struct talk talk = { 0 };
		struct net net;

		net_open(&net, "chargen", 65000);
		connect_client(&net);
		NET_UNTIL(&net, count_only, &talk, talk.received > 3000000);
		if (rude)
			stack_abort(net.client.stack, net.conn);
		else
			stack_shutdown(net.client.stack, net.conn);
		NET_UNTIL(&net, rude ? NULL : count_only, &talk, all_over(&net));
		assert_int_equal(net.service->stats.peer_errors, rude);
		if (!rude)
			stack_close(net.client.stack, net.conn);
		net_close(&net);
	}
}

/* The relay's target: sends back what it reads, and its end after the end. */
static void target_turn(struct net *net)
{
	uint8_t bytes[30000];
	ssize_t n;

	if (net->serving < 0)
		net->serving = accept4(net->listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (net->serving < 0)
		return;
	n = recv(net->serving, bytes, sizeof(bytes), MSG_PEEK);
	if (n == 0)
		shutdown(net->serving, SHUT_WR);
	if (n <= 0)
		return;
	n = send(net->serving, bytes, (size_t)n, MSG_NOSIGNAL);
	if (n > 0)
		assert_int_equal(recv(net->serving, bytes, (size_t)n, 0), n);
}

static void relayed_talk_turn(struct net *net, void *context)
{
	target_turn(net);
	talk_turn(net, context);
}

static void relay_over_real_stacks(void **state)
{
	static const uint32_t gsos[] = { 0, 65000 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct talk talk = { .total = 3000000 };
		struct net net;

		net_open(&net, "relay", gsos[i]);
		connect_client(&net);
		NET_UNTIL(&net, relayed_talk_turn, &talk, stack_at_eof(net.client.stack, net.conn));
		assert_int_equal(talk.received, talk.total);
		stack_close(net.client.stack, net.conn);
		NET_UNTIL(&net, NULL, NULL, all_over(&net));
		net_close(&net);
	}
}

/* The server stops reading and dies: what it had said arrives, then a reset. */
static void a_dead_target_resets_after_its_last_word(void **state)
{
	struct talk talk = { 0 };
	struct net net;
	uint8_t word[20000];

	(void)state;
	net_open(&net, "relay", 65000);
	connect_client(&net);
	NET_UNTIL(&net, NULL, NULL, (net.serving = accept4(net.listening, NULL, NULL, SOCK_CLOEXEC)) >= 0);
	fill_pattern(word, 0, sizeof(word));
	assert_int_equal(write(net.serving, word, sizeof(word)), sizeof(word));
	close(net.serving);
	net.serving = -1;
	assert_int_equal(stack_send(net.client.stack, net.conn, "still there?", 12), 12);
	NET_UNTIL(&net, NULL, NULL, net.flags & READY_EOF);
	read_pattern(&net, &talk);
	assert_int_equal(talk.received, sizeof(word));
	stack_send(net.client.stack, net.conn, "hello?", 6);
	NET_UNTIL(&net, NULL, NULL, net.lost);
	stack_close(net.client.stack, net.conn);
	NET_UNTIL(&net, NULL, NULL, all_over(&net));
	assert_int_equal(net.service->stats.target_resets, 1);
	net_close(&net);
}

static void a_reset_passes_both_ways(void **state)
{
	(void)state;
	for (int by_client = 0; by_client < 2; by_client++) {
		struct net net;
		char byte;

		net_open(&net, "relay", 65000);
		connect_client(&net);
		NET_UNTIL(&net, NULL, NULL,
		          (net.serving = accept4(net.listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0);
		if (by_client) {
			stack_abort(net.client.stack, net.conn);
			NET_UNTIL(&net, NULL, NULL, read(net.serving, &byte, 1) == 0);
		} else {
			stack_send(net.client.stack, net.conn, "unread", 6);
			for (int i = 0; i < 10; i++)
				net_turn(&net, NULL, NULL);
			close(net.serving); /* with something unread, that is how a unix socket resets */
			net.serving = -1;
			NET_UNTIL(&net, NULL, NULL, net.lost);
			stack_close(net.client.stack, net.conn);
		}
		NET_UNTIL(&net, NULL, NULL, all_over(&net));
		net_close(&net);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo_over_real_stacks),
		cmocka_unit_test(discard_over_real_stacks),
		cmocka_unit_test(chargen_over_real_stacks),
		cmocka_unit_test(relay_over_real_stacks),
		cmocka_unit_test(a_dead_target_resets_after_its_last_word),
		cmocka_unit_test(a_reset_passes_both_ways),
	};

	return cmocka_run_group_tests(tests, namespace_enter, NULL);
}
