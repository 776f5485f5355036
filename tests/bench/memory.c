/* How much memory connections cost that do nothing: many of each kind of record, made by playing their peers'
 * segments through the core's face with an allocator that counts. What is printed is all told: records, tables,
 * timers, the unused rest of the last chunk; what a stack for a handful of connections needs anyhow is subtracted.
 * Ends with 1 when a kind costs more than its limit.
 *
 * memory [--json] [COUNT]: COUNT of each kind, 100,000 if not given. */
#include "core/stack.h"
#include "core/wire/arp.h"
#include "core/wire/ethernet.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT_STANDARD = 100000, COUNT_MAX = 200000, CLIENTS = 4, PORT = 7, ISS = 5000, FRAMES = 16, FEW = 64 };

/* Bytes that one record may cost. */
static const struct {
	enum tcp_state state;
	const char *name;
	double limit;
} kinds[] = {
	{ TCPS_ESTABLISHED, "established", 512 },
	{ TCPS_SYN_RECEIVED, "half-open", 128 },
	{ TCPS_TIME_WAIT, "TIME_WAIT", 128 },
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

struct rig {
	struct stack *stack;
	struct instant now;
	size_t bytes; /* taken by the stack */
	struct tcp_segment got;
	bool has_got;
	struct conn_handle accepted;
};

/* One client of the stack: 192.0.2.2 and up. */
struct client {
	struct ip_addr ip;
	uint16_t port;
	seq_t seq;
};

static const struct mac_addr stack_mac = { { 2, 0, 0, 0, 0, 1 } }, peer_mac = { { 2, 0, 0, 0, 0, 2 } };

static struct ip_addr address(unsigned last)
{
	return ip_addr_v4(0xc0000200u + last);
}

static void *count_alloc(void *context, size_t size)
{
	struct rig *rig = context;
	void *p = aligned_alloc(64, (size + 63) / 64 * 64);

	if (!p)
		return NULL;
	rig->bytes += size;
	return memset(p, 0, size);
}

static void count_free(void *context, void *pointer, size_t size)
{
	struct rig *rig = context;

	if (pointer)
		rig->bytes -= size;
	free(pointer);
}

static void fail(const char *what)
{
	fprintf(stderr, "memory: %s\n", what);
	exit(1);
}

/* Takes all frames; the last TCP segment is kept in rig->got. */
static void take_output(struct rig *rig)
{
	struct frame_out frames[FRAMES];
	size_t n;

	rig->has_got = false;
	stack_settle(rig->stack);
	while ((n = stack_output(rig->stack, frames, FRAMES)) > 0) {
		for (size_t i = 0; i < n; i++) {
			static uint8_t bytes[2048];
			struct ip_packet packet;
			size_t length = 0;

			for (uint32_t j = 0;
			     j < frames[i].iov_count && length + frames[i].iov[j].iov_len <= sizeof(bytes); j++) {
				memcpy(bytes + length, frames[i].iov[j].iov_base, frames[i].iov[j].iov_len);
				length += frames[i].iov[j].iov_len;
			}
			if (ipv4_read(bytes + ETHERNET_HEADER_BYTES, length - ETHERNET_HEADER_BYTES, &packet) == 0 &&
			    packet.protocol == IP_PROTOCOL_TCP &&
			    tcp_read(packet.payload, packet.payload_bytes, &rig->got) == 0)
				rig->has_got = true;
		}
	}
}

/* What the application does: takes the connection and answers a byte with a byte. */
static void serve(struct rig *rig)
{
	struct stack_ready ready;

	while (stack_next_ready(rig->stack, &ready)) {
		struct iovec iov[4];
		int count;

		if (ready.flags & READY_ACCEPTED)
			rig->accepted = ready.conn;
		if ((ready.flags & READY_READABLE) && stack_peek(rig->stack, ready.conn, iov, 4, &count) == 1) {
			stack_consume(rig->stack, ready.conn, 1);
			stack_send(rig->stack, ready.conn, "x", 1);
		}
	}
}

static void input(struct rig *rig, const uint8_t *bytes, size_t length)
{
	struct frame_in frame = { .bytes = bytes, .length = (uint32_t)length, .checksum = FRAME_CHECKSUM_PARTIAL };

	rig->now.ns += 1000;
	stack_input(rig->stack, rig->now, &frame);
	stack_advance(rig->stack, rig->now);
	serve(rig);
	take_output(rig);
}

/* A segment from the client that acknowledges the last one it got. */
static void client_sends(struct rig *rig, struct client *client, uint8_t flags, uint32_t payload)
{
	uint8_t bytes[256] = { 0 };
	struct tcp_segment segment = { .source_port = client->port,
		                       .destination_port = PORT,
		                       .seq = client->seq,
		                       .flags = flags,
		                       .window = 64240 };
	struct ip_packet packet = {
		.source = client->ip, .destination = address(1), .ttl = 64, .protocol = IP_PROTOCOL_TCP
	};
	size_t header;

	segment.options = (struct tcp_options){ .has_timestamps = true, .tsval = (uint32_t)(rig->now.ns / 1000) };
	if (flags & TCP_SYN) {
		segment.options.has_mss = segment.options.has_wscale = segment.options.sack_permitted = true;
		segment.options.mss = 1460;
		segment.options.wscale = 7;
	} else {
		segment.ack = seq_add(rig->got.seq, tcp_segment_length(&rig->got));
		segment.options.tsecr = rig->got.options.tsval;
	}
	ethernet_write(bytes, &(struct ethernet_header){ stack_mac, peer_mac, ETHERTYPE_IPV4 });
	header = tcp_write(bytes + ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES, &segment);
	packet.payload_bytes = (uint32_t)header + payload;
	ipv4_write(bytes + ETHERNET_HEADER_BYTES, &packet);
	segment.payload_bytes = payload;
	client->seq = seq_add(client->seq, tcp_segment_length(&segment));
	input(rig, bytes, ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES + header + payload);
}

static void expect(const struct rig *rig, uint8_t flags, const char *what)
{
	if (!rig->has_got || (rig->got.flags & flags) != flags)
		fail(what);
}

static void open_stack(struct rig *rig, uint32_t connections, uint32_t half_open, uint32_t time_wait)
{
	struct memory memory = { count_alloc, count_free, rig };
	struct stack_listen_options listen = { .port = PORT, .backlog = COUNT_MAX + FEW };
	struct conn_handle listener;
	struct stack_config config;

	*rig = (struct rig){ .now = { INT64_C(1000000000) } };
	stack_config_init(&config);
	config.mac = stack_mac;
	config.address[0] = (struct stack_address){ address(1), 120 };
	config.address_count = 1;
	config.mtu_bytes = 1500;
	config.connections_max = connections;
	config.half_open_max = half_open;
	config.time_wait_max = time_wait;
	if (stack_new(&config, &memory, rig->now, &rig->stack) < 0)
		fail("stack_new");
	if (stack_listen(rig->stack, &listen, &listener) < 0)
		fail("stack_listen");
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct arp_packet arp = { .operation = ARP_REQUEST,
			                  .sender_mac = peer_mac,
			                  .sender_ip = address(2 + i),
			                  .target_ip = address(1) };
		uint8_t bytes[ETHERNET_HEADER_BYTES + ARP_BYTES];

		ethernet_write(bytes, &(struct ethernet_header){ stack_mac, peer_mac, ETHERTYPE_ARP });
		arp_write(bytes + ETHERNET_HEADER_BYTES, &arp);
		input(rig, bytes, sizeof(bytes));
	}
}

static struct client client_number(unsigned i)
{
	return (struct client){ address(2 + i % CLIENTS), (uint16_t)(10000 + i / CLIENTS), SEQ(ISS) };
}

static void make_half_open(struct rig *rig, unsigned i)
{
	struct client client = client_number(i);

	client_sends(rig, &client, TCP_SYN, 0);
	expect(rig, TCP_SYN | TCP_ACK, "no SYN-ACK");
}

/* Opened, and used once, so that what it holds is what remains after use. */
static struct client make_established(struct rig *rig, unsigned i)
{
	struct client client = client_number(i);

	client_sends(rig, &client, TCP_SYN, 0);
	expect(rig, TCP_SYN | TCP_ACK, "no SYN-ACK");
	rig->accepted = CONN_HANDLE_NONE;
	client_sends(rig, &client, TCP_ACK, 0);
	if (rig->accepted.v == 0)
		fail("connection was not accepted");
	client_sends(rig, &client, TCP_ACK | TCP_PSH, 1);
	expect(rig, TCP_ACK, "no answer");
	if (rig->got.payload_bytes != 1)
		fail("no answer to a byte");
	client_sends(rig, &client, TCP_ACK, 0);
	return client;
}

static void make_time_wait(struct rig *rig, unsigned i)
{
	struct client client = make_established(rig, i);

	if (stack_close(rig->stack, rig->accepted) < 0)
		fail("stack_close");
	take_output(rig);
	expect(rig, TCP_FIN | TCP_ACK, "no FIN");
	client_sends(rig, &client, TCP_FIN | TCP_ACK, 0);
	expect(rig, TCP_ACK, "no ACK of the FIN");
}

/* Bytes of one of `count` in state `state`. */
static double measure(enum tcp_state state, uint32_t count)
{
	uint32_t established = state == TCPS_ESTABLISHED ? count : FEW;
	uint32_t half_open = state == TCPS_SYN_RECEIVED ? count : FEW;
	uint32_t time_wait = state == TCPS_TIME_WAIT ? count : FEW;
	struct stack_gauges gauges;
	struct rig rig;
	size_t base, full;

	open_stack(&rig, FEW, FEW, FEW);
	base = rig.bytes;
	stack_free(rig.stack);
	if (rig.bytes != 0)
		fail("stack_free left memory behind");
	open_stack(&rig, established, half_open, time_wait);
	for (unsigned i = 0; i < count; i++) {
		if (state == TCPS_SYN_RECEIVED)
			make_half_open(&rig, i);
		else if (state == TCPS_ESTABLISHED)
			make_established(&rig, i);
		else
			make_time_wait(&rig, i);
	}
	stack_get_gauges(rig.stack, &gauges);
	if (gauges.in_state[state] != count)
		fail("not all connections are in the state they should be in");
	full = rig.bytes;
	stack_free(rig.stack);
	return ((double)full - (double)base) / count;
}

static uint32_t count_of(const char *text)
{
	char *end;
	unsigned long count = strtoul(text, &end, 10);

	if (*text < '1' || *text > '9' || *end || count > COUNT_MAX) {
		fprintf(stderr, "usage: memory [--json] [COUNT]; COUNT is 1 to %d\n", COUNT_MAX);
		exit(2);
	}
	return (uint32_t)count;
}

int main(int argc, char **argv)
{
	bool json = argc > 1 && strcmp(argv[1], "--json") == 0, good = true;
	uint32_t count = argc > 1 + json ? count_of(argv[1 + json]) : COUNT_STANDARD;

	fputs(json ? "{" : "bytes each:", stdout);
	for (int i = 0; i < KINDS; i++) {
		double bytes = measure(kinds[i].state, count);

		printf(json ? "%s\"%s\": %.1f" : "%s %s %.1f", i ? json ? ", " : "," : "", kinds[i].name, bytes);
		if (bytes <= kinds[i].limit)
			continue;
		fprintf(stderr, "memory: %s: %.1f bytes, more than %.0f\n", kinds[i].name, bytes, kinds[i].limit);
		good = false;
	}
	puts(json ? "}" : "");
	return good ? 0 : 1;
}
