/* A dialogue: segments, time and the service's calls in any order. The bytes are a program; each step takes a few of
 * them. Segments are written relative to where the connection stands, so that almost every input gets deep. */
#include "core/wire/arp.h"
#include "core/wire/icmp.h"
#include "fuzz.h"
#include "rig.h"

#define HEADERS (ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES)
#define PORTS 6

static uint8_t take8(struct reader *program)
{
	const uint8_t *byte = reader_take(program, 1);

	return byte ? *byte : 0;
}

static uint16_t take16(struct reader *program)
{
	const uint8_t *bytes = reader_take(program, 2);

	return bytes ? load16(bytes) : 0;
}

/* Mostly none, sometimes a little, seldom far. */
static uint32_t take_offset(struct reader *program)
{
	uint8_t byte = take8(program);

	if (byte < 160)
		return 0;
	if (byte < 192)
		return byte & 31u;
	if (byte < 224)
		return 0u - (byte & 31u);
	return (uint32_t)(int16_t)take16(program) << (byte & 7) * 2;
}

/* Few values, so that windows often stay as they are, and often are closed. */
static uint16_t take_window(struct reader *program)
{
	static const uint16_t windows[] = { 65535, 65535, 65535, 65535, 65535, 0, 0, 1, 500, 3000 };

	return windows[take8(program) % (sizeof(windows) / sizeof(windows[0]))];
}

static bool find_flow(const struct rig *rig, uint16_t port, struct stack_conn_info *ret_info)
{
	struct stack_conn_info info[40];
	uint64_t cursor = 0;
	size_t count = stack_walk(rig->stack, &cursor, info, 40);

	for (size_t i = 0; i < count; i++) {
		if (info[i].flow.remote_port == port && info[i].state != TCPS_LISTEN) {
			*ret_info = info[i];
			return true;
		}
	}
	return false;
}

/* ---- what the peer does ------------------------------------------------------------------------------------------
 */

static void take_options(struct reader *program, struct rig *rig, const struct stack_conn_info *info,
                         struct tcp_segment *segment)
{
	struct tcp_options *options = &segment->options;
	uint8_t bits = take8(program);

	if (segment->flags & TCP_SYN) {
		options->has_mss = bits & 1;
		options->mss = (uint16_t)(take8(program) * 16);
		options->has_wscale = bits & 2;
		options->wscale = bits >> 4;
		options->sack_permitted = bits & 4;
	}
	options->has_timestamps = (segment->flags & TCP_SYN) ? bits & 8 : info->timestamps && (bits & 7);
	options->tsval = (uint32_t)(rig->now.ns / 1000000) + take_offset(program);
	options->tsecr = (uint32_t)(rig->now.ns / 1000000) - take8(program);
	if (segment->flags & TCP_SYN)
		return;
	options->sack_count = bits >> 6;
	for (int i = 0; i < options->sack_count; i++) {
		uint32_t start = info->snd_una + take8(program) * 100u;

		options->sack[i] = (struct tcp_sack_block){ SEQ(start), SEQ(start + take8(program) * 50u) };
	}
}

static void peer_sends(struct rig *rig, struct reader *program)
{
	static const uint8_t flags[] = { TCP_ACK, TCP_ACK, TCP_ACK | TCP_URG, TCP_ACK | TCP_FIN,
		                         TCP_SYN, TCP_SYN, TCP_SYN | TCP_ACK, TCP_RST };
	static uint8_t frame[HEADERS + TCP_HEADER_BYTES_MAX + 65536];
	uint8_t what = take8(program), size;
	struct stack_conn_info info = { .rcv_nxt = 1000, .snd_nxt = 0 };
	struct ip_packet ip = { .source = RIG_PEER, .destination = RIG_OWN, .ttl = 64, .protocol = IP_PROTOCOL_TCP };
	struct ethernet_header ethernet = { .destination = { { 2, 0, 0, 0, 0, 2 } },
		                            .source = { { 2, 0, 0, 0, 0, 1 } },
		                            .type = ETHERTYPE_IPV4 };
	struct tcp_segment segment = { .source_port = (uint16_t)(40000 + (what >> 3) % PORTS),
		                       .destination_port = RIG_PORT };
	uint32_t header, first;

	segment.flags = what >= 248 ? take8(program) : flags[what & 7];
	if (find_flow(rig, segment.source_port, &info)) {
		segment.destination_port = info.flow.local_port;
	} else if (segment.flags & TCP_ACK) { /* perhaps it brings a cookie back */
		info.rcv_nxt = 1001;
		info.snd_una = info.snd_nxt = rig->syn_ack_seq[segment.source_port % 8] + 1;
		info.timestamps = true;
	}
	segment.seq = SEQ(info.rcv_nxt + take_offset(program));
	segment.ack = SEQ((what & 128 ? info.snd_una : info.snd_nxt) + take_offset(program));
	segment.window = take_window(program);
	if (segment.flags & TCP_URG)
		segment.urgent_pointer = take16(program);
	take_options(program, rig, &info, &segment);
	size = take8(program);
	segment.payload_bytes = size < 100 ? 0 : size < 240 ? size * 10u : size * 200u;
	header = (uint32_t)tcp_write(frame + HEADERS, &segment);
	first = segment.seq.v + (segment.flags & TCP_SYN ? 1 : 0);
	for (uint32_t i = 0; i < segment.payload_bytes; i++)
		frame[HEADERS + header + i] = rig_pattern(first + i);
	ip.payload_bytes = header + segment.payload_bytes;
	ethernet_write(frame, &ethernet);
	ipv4_write(frame + ETHERNET_HEADER_BYTES, &ip);
	rig_input(rig, frame, HEADERS + ip.payload_bytes, size >= 240 ? 1460 : 0, FRAME_CHECKSUM_PARTIAL);
}

/* The peer says the same several times. */
static void peer_repeats(struct rig *rig, struct reader *program)
{
	struct reader again = *program;

	for (int i = 0; i < 4 && rig->held_count < RIG_HELD; i++) {
		*program = again;
		peer_sends(rig, program);
	}
}

static void peer_answers_arp(struct rig *rig)
{
	struct ethernet_header ethernet = { .destination = { { 2, 0, 0, 0, 0, 2 } },
		                            .source = { { 2, 0, 0, 0, 0, 1 } },
		                            .type = ETHERTYPE_ARP };
	struct arp_packet arp = { .operation = ARP_REPLY,
		                  .sender_mac = ethernet.source,
		                  .sender_ip = RIG_PEER,
		                  .target_mac = ethernet.destination,
		                  .target_ip = RIG_OWN };
	uint8_t frame[ETHERNET_HEADER_BYTES + ARP_BYTES];

	ethernet_write(frame, &ethernet);
	arp_write(frame + ETHERNET_HEADER_BYTES, &arp);
	rig_input(rig, frame, sizeof(frame), 0, FRAME_CHECKSUM_UNKNOWN);
}

/* An ICMP error about what is in flight. */
static void router_complains(struct rig *rig, struct reader *program)
{
	uint8_t what = take8(program), quoted[28], frame[HEADERS + 64];
	struct stack_conn_info info = { .iss = 0 };
	struct ethernet_header ethernet = { .destination = { { 2, 0, 0, 0, 0, 2 } }, .type = ETHERTYPE_IPV4 };
	struct ip_packet about = {
		.source = RIG_OWN, .destination = RIG_PEER, .protocol = IP_PROTOCOL_TCP, .payload_bytes = 8
	};
	struct ip_packet ip = { .source = RIG_PEER, .destination = RIG_OWN, .ttl = 9, .protocol = IP_PROTOCOL_ICMP };
	struct icmp_message message = { .type = ICMP_UNREACHABLE,
		                        .code = what & 7,
		                        .next_hop_mtu = take16(program),
		                        .payload = quoted,
		                        .payload_bytes = sizeof(quoted) };
	uint16_t port = (uint16_t)(40000 + (what >> 3) % PORTS);

	if (!find_flow(rig, port, &info))
		return;
	ipv4_write(quoted, &about);
	store16(quoted + 20, info.flow.local_port);
	store16(quoted + 22, port);
	store32(quoted + 24, info.snd_una + take_offset(program));
	ip.payload_bytes = (uint32_t)icmp_write(frame + HEADERS, &message);
	ethernet_write(frame, &ethernet);
	ipv4_write(frame + ETHERNET_HEADER_BYTES, &ip);
	rig_input(rig, frame, HEADERS + ip.payload_bytes, 0, FRAME_CHECKSUM_UNKNOWN);
}

/* ---- what happens here -------------------------------------------------------------------------------------------
 */

static void listens(struct rig *rig, struct reader *program)
{
	struct stack_listen_options options = { .port = RIG_PORT, .service = 1, .backlog = 1 + take8(program) % 8u };

	if (rig->listener.v != 0) {
		WATCH_CHECK(stack_unlisten(rig->stack, rig->listener) == 0);
		rig->listener = CONN_HANDLE_NONE;
	} else {
		stack_listen(rig->stack, &options, &rig->listener);
	}
}

static void connects(struct rig *rig, struct reader *program)
{
	uint8_t what = take8(program);
	struct stack_connect_options options = {
		.remote = RIG_PEER,
		.remote_port = (uint16_t)(40000 + what % PORTS),
		.local_port = what & 64 ? RIG_PORT : 0,
		.nodelay = what & 128,
	};
	struct conn_handle handle;

	if (stack_connect(rig->stack, &options, &handle) == 0)
		rig_adopt(rig, handle);
}

static void time_passes(struct rig *rig, struct reader *program)
{
	uint8_t how = take8(program);
	struct instant due = stack_deadline(rig->stack);

	if (how < 128 && due.ns != INT64_MAX)
		rig->now = instant_max(rig->now, due);
	else
		rig->now = instant_add(rig->now, (struct duration){ 1000ll << how % 30 });
	rig_turn(rig);
}

static void memory_runs_out(struct rig *rig, struct reader *program)
{
	uint8_t when = take8(program);

	if (when & 1)
		test_memory_fail_never(&rig->memory);
	else
		test_memory_fail_after(&rig->memory, when >> 5);
}

static void service_does(struct rig *rig, struct reader *program)
{
	uint8_t what = take8(program);
	struct rig_conn *conn = &rig->conn[take8(program) % RIG_HANDLES];

	/* Handles are few, most slots are empty: the next one in use is meant. */
	for (int i = 0; i < RIG_HANDLES && !conn->used; i++)
		conn = &rig->conn[(conn - rig->conn + 1) % RIG_HANDLES];
	if (!conn->used)
		return;
	switch (what % 8) {
	case 0:
	case 1:
		rig_read_checked(rig, conn, 1u << what / 8 % 18);
		break;
	case 2:
	case 3:
		rig_write(rig, conn, 1u + take16(program), true);
		break;
	case 4:
		rig_write(rig, conn, 1u + take16(program), false);
		break;
	case 5:
		WATCH_CHECK(stack_shutdown(rig->stack, conn->handle) == 0);
		break;
	case 6:
		rig_release(rig, conn, false);
		break;
	default:
		rig_release(rig, conn, true);
		break;
	}
}

/* Tunables of a connection, drawn to matter soon. No garbage in keepalive probes: the rig checks all it is sent. */
static void service_tunes(struct rig *rig, struct rig_conn *conn, struct reader *program)
{
	struct stack_tcp_config tcp;
	uint8_t what = take8(program);

	WATCH_CHECK(stack_get_tcp(rig->stack, conn->handle, &tcp) == 0);
	tcp.keepalive = what & 1;
	tcp.user_timeout_option = what & 2;
	tcp.delayed_ack = (struct duration){ what & 4 ? 0 : 40000000 };
	tcp.user_timeout = (struct duration){ what & 8 ? 1000000000ll * take8(program) : 0 };
	tcp.linger = (struct duration){ what & 16 ? 10000000ll * take8(program) : -1 };
	tcp.icmp_policy = what / 32 % 3;
	tcp.keepalive_idle = (struct duration){ 1 + 1000000ll * take16(program) };
	tcp.keepalive_interval = (struct duration){ 1 + 1000000ll * take8(program) };
	tcp.keepalive_count = 1 + what / 64;
	tcp.rcvbuf_autotune = what & 128;
	WATCH_CHECK(stack_set_tcp(rig->stack, conn->handle, &tcp) == 0);
}

static void service_asks(struct rig *rig, struct reader *program)
{
	uint8_t what = take8(program);
	struct rig_conn *conn = &rig->conn[take8(program) % RIG_HANDLES];
	struct stack_soft_error error;

	for (int i = 0; i < RIG_HANDLES && !conn->used; i++)
		conn = &rig->conn[(conn - rig->conn + 1) % RIG_HANDLES];
	if (!conn->used)
		return;
	switch (what % 8) {
	case 0:
	case 1:
		stack_mark_urgent(rig->stack, conn->handle);
		break;
	case 2:
		WATCH_CHECK(stack_cork(rig->stack, conn->handle, what & 8) == 0);
		break;
	case 3:
		WATCH_CHECK(stack_set_nodelay(rig->stack, conn->handle, what & 8) == 0);
		break;
	case 4:
		stack_soft_error(rig->stack, conn->handle, &error);
		break;
	case 5:
	case 6: /* a pointer reaches 65,535 octets beyond what fits the window */
		WATCH_CHECK(stack_urgent(rig->stack, conn->handle) >= 0);
		WATCH_CHECK(stack_urgent(rig->stack, conn->handle) <= (1ll << 30) + 2 * 65535);
		break;
	default:
		service_tunes(rig, conn, program);
		break;
	}
}

static void operator_does(struct rig *rig, struct reader *program)
{
	uint8_t what = take8(program);

	switch (what % 4) {
	case 0:
		stack_admin_close(rig->stack, what / 8 + 1u, what & 4);
		break;
	case 1:
		stack_set_offload(rig->stack, what & 4 ? 65536 : 0, what & 8);
		break;
	case 2:
		stack_announce(rig->stack);
		break;
	default:
		if (what < 8) {
			stack_stop(rig->stack, what & 4);
			rig->listener = CONN_HANDLE_NONE;
		}
		break;
	}
}

static void step(struct rig *rig, struct reader *program)
{
	switch (take8(program) % 32) {
	case 0:
		listens(rig, program);
		break;
	case 1:
	case 2:
		connects(rig, program);
		break;
	case 3:
	case 4:
	case 5:
		time_passes(rig, program);
		break;
	case 6:
		memory_runs_out(rig, program);
		break;
	case 7:
	case 8:
		rig_recorder_reads(rig);
		break;
	case 9:
		peer_answers_arp(rig);
		break;
	case 10:
		router_complains(rig, program);
		break;
	case 11:
		operator_does(rig, program);
		break;
	case 12:
		peer_repeats(rig, program);
		break;
	case 13:
	case 14:
		rig_turn(rig);
		break;
	case 15:
	case 16:
	case 17:
	case 18:
	case 19:
	case 20:
	case 21:
		service_does(rig, program);
		break;
	case 22:
	case 23:
		service_asks(rig, program);
		break;
	default:
		peer_sends(rig, program);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stack_listen_options listen = { .port = RIG_PORT, .service = 1, .backlog = 6 };
	struct reader program = { data, size };
	uint8_t bits = take8(&program), sizes = take8(&program);
	struct stack_config config;
	static struct rig rig;

	rig_config(&config);
	config.tcp.syn_cookies = bits & 1;
	config.checksum_offload = bits & 2;
	config.gso_bytes_max = bits & 2 ? 65536 : 0;
	config.tcp.sack = bits & 4;
	config.tcp.timestamps = bits & 8;
	config.tcp.window_scaling = bits & 16;
	config.tcp.rcvbuf_initial_bytes = 2048u << sizes % 8;
	config.tcp.rcvbuf_max_bytes = config.tcp.rcvbuf_initial_bytes << (sizes >> 4 & 3);
	config.tcp.sndbuf_initial_bytes = 2048u << (sizes >> 3) % 8;
	config.tcp.sndbuf_max_bytes = config.tcp.sndbuf_initial_bytes << (sizes >> 6);
	rig_begin(&rig, &config);
	rig.verify = true;
	FUZZ_CHECK(stack_listen(rig.stack, &listen, &rig.listener) == 0);
	peer_answers_arp(&rig);
	rig_turn(&rig);
	while (program.left > 0) {
		step(&rig, &program);
		if (rig.held_count == RIG_HELD)
			rig_turn(&rig);
	}
	rig_end(&rig);
	return 0;
}

/* Any bytes are a program; a handshake in front helps. */
size_t fuzz_example(struct test_random *random, uint8_t *out)
{
	static const uint8_t handshake[] = { 31, 4, 0, 0, 0, 0x7f, 91, 0, 1, 0, 14, 31, 0, 0, 0, 0, 1, 0, 0, 0, 14 };
	size_t length = 50 + test_random_below(random, 1000);

	test_random_fill(random, out, length);
	if (test_random_below(random, 4) > 0)
		memcpy(out + 2, handshake, sizeof(handshake));
	return length;
}
