/* A dialogue: segments, time and the service's calls in any order. The bytes are a program; each step takes a few of
 * them. Segments are written relative to where the connection stands, so that almost every input gets deep. */
#include "../sim/fickle.h"
#include "core/wire/arp.h"
#include "core/wire/icmp.h"
#include "core/wire/nd.h"
#include "fuzz.h"
#include "judge.h"
#include "program.h"
#include "tunables.h"

#include <errno.h>

/* Of even numbers are over IPv4, of odd ones over IPv6. */
#define PORTS 6
#define PORT_FIRST 40000

static bool is_v6(uint16_t port)
{
	return port % 2 == 1;
}

static struct flow flow_of(uint16_t local_port, uint16_t port)
{
	struct flow flow = { .local = is_v6(port) ? RIG_OWN6 : RIG_OWN,
		             .remote = is_v6(port) ? RIG_PEER6 : RIG_PEER };

	flow.local_port = local_port;
	flow.remote_port = port;
	return flow;
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

/* Around what is in flight: edges of segments and a little beside them, and sometimes what was acknowledged before.
 */
static void take_sack_blocks(struct reader *program, const struct stack_conn_info *info, struct tcp_options *options,
                             uint8_t count)
{
	uint32_t mss = info->mss > 0 ? info->mss : 500;

	options->sack_count = count;
	for (int i = 0; i < count; i++) {
		uint8_t where = take8(program), length = take8(program);
		uint32_t start = info->snd_una + (where & 15) * (where & 16 ? mss : 100);
		uint32_t end = start + (length & 15) * (length & 16 ? mss : 100);

		if (where >= 224) /* a duplicate */
			start -= 3 * mss;
		if (length >= 240)
			end = info->snd_nxt + (length & 3) - 1;
		else if (length >= 224)
			end += (length & 3) - 1u;
		options->sack[i] = (struct tcp_sack_block){ SEQ(start), SEQ(end) };
	}
}

/* What few segments have. */
static void take_rare_options(struct reader *program, struct tcp_options *options)
{
	uint8_t bits = take8(program);

	options->has_user_timeout = bits & 1;
	options->user_timeout_minutes = bits & 2;
	options->user_timeout = bits & 1 ? take16(program) & 0x7fff : 0;
	options->has_fastopen = bits & 4;
	options->fastopen_bytes = bits & 8 ? 8 : 0;
	options->has_accecn = bits & 16;
	options->accecn_order = bits >> 5 & 1;
	options->accecn_count = bits >> 6;
	for (int i = 0; i < options->accecn_count; i++)
		options->accecn[i] = take16(program);
}

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
	options->tsecr = rig->tsval[segment->source_port % 8] - take8(program) / 8;
	if (!(segment->flags & TCP_SYN))
		take_sack_blocks(program, info, options, bits >> 6);
	if ((bits & 0x38) == 0x38)
		take_rare_options(program, options);
}

/* Where the IP packet's payload is written; frame_in puts the headers in front of it. */
static uint8_t *payload_place(uint8_t *frame, bool v6)
{
	return frame + ETHERNET_HEADER_BYTES + (v6 ? IPV6_HEADER_BYTES : IPV4_HEADER_BYTES);
}

static enum stack_verdict frame_in(struct rig *rig, uint8_t *frame, struct ip_packet *ip, uint16_t gso_bytes,
                                   uint8_t checksum)
{
	bool v6 = !ip_addr_is_v4(&ip->source);
	struct ethernet_header ethernet = { .destination = { { 2, 0, 0, 0, 0, 2 } },
		                            .source = { { 2, 0, 0, 0, 0, 1 } },
		                            .type = v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4 };

	ethernet_write(frame, &ethernet);
	if (v6)
		ipv6_write(frame + ETHERNET_HEADER_BYTES, ip);
	else
		ipv4_write(frame + ETHERNET_HEADER_BYTES, ip);
	return rig_input(rig, frame, (size_t)(payload_place(frame, v6) - frame) + ip->payload_bytes, gso_bytes,
	                 checksum);
}

/* To the stack, and to the judge. */
static void segment_in(struct rig *rig, const struct tcp_segment *segment, uint8_t tos, bool super)
{
	static uint8_t frame[ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES + TCP_HEADER_BYTES_MAX + 65536];
	struct flow flow = flow_of(segment->destination_port, segment->source_port);
	struct ip_packet ip = {
		.source = flow.remote, .destination = flow.local, .ttl = 64, .tos = tos, .protocol = IP_PROTOCOL_TCP
	};
	uint8_t *tcp = payload_place(frame, is_v6(segment->source_port));
	uint32_t header = (uint32_t)tcp_write(tcp, segment);
	uint32_t first = segment->seq.v + (segment->flags & TCP_SYN ? 1 : 0);
	enum stack_verdict verdict;
	struct judged before;
	struct tcp_segment read;
	bool judged;

	for (uint32_t i = 0; i < segment->payload_bytes; i++)
		tcp[header + i] = rig_pattern(first + i);
	ip.payload_bytes = header + segment->payload_bytes;
	WATCH_CHECK(tcp_read(tcp, ip.payload_bytes, &read) == 0); /* as many options as there was room for */
	judged = judge_before(rig, &flow, &before);
	verdict = frame_in(rig, frame, &ip, super ? 1440 : 0, FRAME_CHECKSUM_PARTIAL);
	if (judged)
		judge_after(rig, &flow, &before, &read, verdict);
}

static uint16_t take_flags(struct reader *program, uint8_t what)
{
	static const uint8_t flags[] = { TCP_ACK, TCP_ACK, TCP_ACK | TCP_PSH, TCP_ACK | TCP_FIN,
		                         TCP_SYN, TCP_RST, TCP_ACK | TCP_URG, TCP_SYN | TCP_ACK };

	return what >= 248 ? take16(program) & 0x1ff : flags[what & 7];
}

static void peer_sends(struct rig *rig, struct reader *program)
{
	uint8_t what = take8(program), how, size;
	struct stack_conn_info info = { .rcv_nxt = 1000, .snd_nxt = 0 };
	struct tcp_segment segment = { .source_port = (uint16_t)(PORT_FIRST + (what >> 3) % PORTS),
		                       .destination_port = RIG_PORT };

	segment.flags = take_flags(program, what);
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
	take_options(program, rig, &info, &segment);
	how = take8(program);
	if (how & 128) /* around the window's right edge */
		segment.seq = SEQ(info.rcv_nxt + info.rcv_wnd + (how & 7) - 4u);
	if (how & 64)
		segment.flags |= (uint16_t)(take8(program) & 7) << 6; /* ECE, CWR, AE */
	segment.urgent_pointer = segment.flags & TCP_URG ? take16(program) : 0;
	size = take8(program);
	segment.payload_bytes = size < 100 ? 0 : size < 120 ? size % 10u : size < 240 ? size * 10u : size * 200u;
	segment_in(rig, &segment, how >> 3 & 3, size >= 240);
}

/* The peer says the same several times. */
static void peer_repeats(struct rig *rig, struct reader *program)
{
	struct reader again = *program;

	for (int i = 0; i < 4 && rig->held_count + 1 < RIG_HELD; i++) {
		*program = again;
		peer_sends(rig, program);
	}
}

/* Tells its address, for both families. */
static void peer_announces(struct rig *rig)
{
	struct ethernet_header ethernet = { .destination = { { 2, 0, 0, 0, 0, 2 } },
		                            .source = { { 2, 0, 0, 0, 0, 1 } },
		                            .type = ETHERTYPE_ARP };
	struct arp_packet arp = { .operation = ARP_REPLY,
		                  .sender_mac = ethernet.source,
		                  .sender_ip = RIG_PEER,
		                  .target_mac = ethernet.destination,
		                  .target_ip = RIG_OWN };
	struct ip_packet ip = {
		.source = RIG_PEER6, .destination = RIG_OWN6, .ttl = 255, .protocol = IP_PROTOCOL_ICMPV6
	};
	struct nd_message nd = { .type = ICMP6_NEIGHBOUR_SOLICITATION,
		                 .target = RIG_OWN6,
		                 .options = { .has_source_mac = true, .source_mac = ethernet.source } };
	uint8_t frame[ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES + ND_MESSAGE_BYTES_MAX];

	ethernet_write(frame, &ethernet);
	arp_write(frame + ETHERNET_HEADER_BYTES, &arp);
	rig_input(rig, frame, ETHERNET_HEADER_BYTES + ARP_BYTES, 0, FRAME_CHECKSUM_UNKNOWN);
	ip.payload_bytes = (uint32_t)nd_write(payload_place(frame, true), &ip.source, &ip.destination, &nd);
	frame_in(rig, frame, &ip, 0, FRAME_CHECKSUM_UNKNOWN);
	if (rig->memory.fail_from == UINT64_MAX)
		rig->neighbours_until = instant_add(rig->now, DURATION_S(20));
}

/* ---- errors ------------------------------------------------------------------------------------------------------
 */

/* Is there a flight, and does the error speak of it? Else it must change nothing but what errors count. */
static bool is_about_flight(const struct conn *conn, uint32_t seq)
{
	return seq - conn->snd_una.v < conn->snd_nxt.v - conn->snd_una.v;
}

static void error_in(struct rig *rig, const struct flow *flow, uint32_t seq, uint8_t what, uint32_t mtu)
{
	static const uint8_t types6[] = { ICMP6_UNREACHABLE, ICMP6_PACKET_TOO_BIG, ICMP6_PACKET_TOO_BIG,
		                          ICMP6_TIME_EXCEEDED, ICMP6_PARAMETER_PROBLEM };
	uint8_t frame[ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES + 80], quoted[64], *out, *tcp;
	bool v6 = !ip_addr_is_v4(&flow->local);
	struct ip_packet ip = { .source = flow->remote, .destination = flow->local, .ttl = 9 };
	struct ip_packet about = {
		.source = flow->local, .destination = flow->remote, .protocol = IP_PROTOCOL_TCP, .payload_bytes = 1480
	};

	memset(quoted, 0, sizeof(quoted));
	out = payload_place(frame, v6);
	tcp = quoted + (v6 ? IPV6_HEADER_BYTES : IPV4_HEADER_BYTES);
	if (v6)
		ipv6_write(quoted, &about);
	else
		ipv4_write(quoted, &about);
	store16(tcp, flow->local_port);
	store16(tcp + 2, flow->remote_port);
	store32(tcp + 4, seq);
	if (v6) {
		struct icmp6_message message = { .type = types6[(what >> 3) % sizeof(types6)],
			                         .code = what & 7,
			                         .word = mtu,
			                         .payload = quoted,
			                         .payload_bytes = IPV6_HEADER_BYTES + 8 };

		ip.protocol = IP_PROTOCOL_ICMPV6;
		ip.payload_bytes = (uint32_t)icmp6_write(out, &ip.source, &ip.destination, &message);
	} else {
		struct icmp_message message = { .type = what & 64 ? ICMP_TIME_EXCEEDED : ICMP_UNREACHABLE,
			                        .code = what & 7,
			                        .next_hop_mtu = (uint16_t)mtu,
			                        .payload = quoted,
			                        .payload_bytes = IPV4_HEADER_BYTES + 8 };

		ip.protocol = IP_PROTOCOL_ICMP;
		ip.payload_bytes = (uint32_t)icmp_write(out, &message);
	}
	frame_in(rig, frame, &ip, 0, FRAME_CHECKSUM_UNKNOWN);
}

/* An ICMP error about what is in flight, or just beside it. RFC 5927: it never ends a connection that is open. */
static void router_complains(struct rig *rig, struct reader *program)
{
	uint8_t what = take8(program), where = take8(program);
	uint16_t port = (uint16_t)(PORT_FIRST + where % PORTS);
	struct stack_conn_info info = { .iss = 0 };
	struct conn before = { .id = 0 }, *conn;
	uint32_t mtu = take16(program), seq;
	struct stack_soft_error error;

	if (!find_flow(rig, port, &info))
		return;
	if (where < 192)
		mtu = 500 + mtu % 1200;
	seq = where & 8 ? info.snd_nxt : info.snd_una + take_offset(program);
	conn = judge_find(rig, &info.flow);
	if (conn)
		before = *conn;
	error_in(rig, &info.flow, seq, what, mtu);
	if (!conn)
		return;
	conn = judge_find(rig, &info.flow);
	if (before.state >= TCPS_ESTABLISHED || !is_about_flight(&before, seq))
		WATCH_CHECK(conn && conn->id == before.id && conn->state == before.state);
	if (conn && !is_about_flight(&before, seq)) {
		WATCH_CHECK(conn->mss == before.mss && conn->ready == before.ready);
		WATCH_CHECK(conn->extra == before.extra);
	}
	if (conn && stack_soft_error(rig->stack, info.handle, &error) == 0)
		WATCH_CHECK(error.count > 0 && error.at.ns <= rig->now.ns);
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
		.remote = what % PORTS % 2 ? RIG_PEER6 : RIG_PEER,
		.remote_port = (uint16_t)(PORT_FIRST + what % PORTS),
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

/* The calls that say when and how something is sent. */
static void service_urges(struct rig *rig, struct rig_conn *conn, uint8_t what)
{
	struct stack_conn_info info;
	ssize_t thrown_away;
	int r;

	WATCH_CHECK(stack_info(rig->stack, conn->handle, &info) == 0);
	switch (what % 5) {
	case 0:
	case 1:
		r = stack_mark_urgent(rig->stack, conn->handle);
		WATCH_CHECK(r == 0 || r == -EPIPE || r == -ECONNRESET || r == -ENODATA);
		break;
	case 2:
		WATCH_CHECK(stack_cork(rig->stack, conn->handle, what & 8) == 0);
		break;
	case 3:
		WATCH_CHECK(stack_set_nodelay(rig->stack, conn->handle, what & 8) == 0);
		break;
	default:
		thrown_away = stack_flush(rig->stack, conn->handle);
		WATCH_CHECK(thrown_away >= 0);
		conn->write_seq -= (uint32_t)thrown_away;
		break;
	}
	/* A pointer reaches 65,535 octets beyond what fits the window. */
	WATCH_CHECK(stack_urgent(rig->stack, conn->handle) >= 0);
	WATCH_CHECK(stack_urgent(rig->stack, conn->handle) <= (1ll << 30) + 2 * 65535);
}

/* The connection's tunables, or its listener's, or the stack's. */
static void service_tunes(struct rig *rig, const struct rig_conn *conn, struct reader *program)
{
	uint8_t what = take8(program);
	struct conn_handle handle = what % 4 || rig->listener.v == 0 ? conn->handle : rig->listener;
	struct stack_tcp_config tcp;
	bool sound;
	int r;

	WATCH_CHECK(stack_get_tcp(rig->stack, handle, &tcp) == 0);
	change_tunables(&tcp, program);
	sound = stack_tcp_config_valid(&tcp);
	rig->garbage |= sound && tcp.keepalive_garbage;
	r = what >= 192 ? stack_set_default_tcp(rig->stack, &tcp) : stack_set_tcp(rig->stack, handle, &tcp);
	WATCH_CHECK(sound ? r == 0 || r == -ENOMEM : r == -EINVAL);
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
	switch (what % 10) {
	case 0:
	case 1:
		rig_read_checked(rig, conn, 1u << what / 10 % 18);
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
	case 7:
		rig_release(rig, conn, true);
		break;
	case 8:
		service_urges(rig, conn, what / 10);
		break;
	default:
		service_tunes(rig, conn, program);
		break;
	}
}

static const struct stack_congestion *any_congestion(uint8_t what)
{
	return what % 3 < FICKLE_KINDS ? fickle(what % 3) : stack_builtin_reno();
}

/* Another algorithm, in shadow perhaps, for one connection, for those that begin, for all that have one. */
static void exchange_congestion(struct rig *rig, struct reader *program)
{
	uint8_t what = take8(program), which = take8(program);
	struct stack_congestion_change change = { .congestion = what & 4 ? any_congestion(which) : NULL,
		                                  .set_shadow = what & 8,
		                                  .shadow = which & 32 ? any_congestion(which / 8) : NULL,
		                                  .set_samples = what & 16,
		                                  .sample_every = { which % 7 * 1000000 } };
	struct stack_congestion_rule rule = { .any_service = true,
		                              .arm = { { any_congestion(which), 1 } },
		                              .arm_count = what & 4 ? 1 : 0,
		                              .shadow = change.shadow,
		                              .sample_every = change.sample_every };
	struct stack_sample samples[4];
	struct stack_notice notice;
	uint64_t cursor = 0;

	switch (what % 4) {
	case 0:
		stack_set_congestion_rules(rig->stack, &rule, what / 32 % 2);
		break;
	case 1:
		stack_move_congestion(rig->stack, &cursor, any_congestion(which), any_congestion(which / 8));
		stack_samples(rig->stack, samples, 4);
		stack_next_notice(rig->stack, &notice);
		break;
	default:
		for (uint64_t id = 1; id <= 8; id++)
			stack_admin_congestion(rig->stack, id, &change);
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
		} else {
			exchange_congestion(rig, program);
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
		peer_announces(rig);
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
	config.accept_ra = true; /* IPv6 as well */
	config.dad_transmits = 0;
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
	rig.look = judge_out;
	FUZZ_CHECK(stack_listen(rig.stack, &listen, &rig.listener) == 0);
	peer_announces(&rig);
	rig_turn(&rig);
	while (program.left > 0) {
		step(&rig, &program);
		if (rig.held_count + 2 > RIG_HELD) /* a step brings two at most, but for repetitions */
			rig_turn(&rig);
	}
	rig_end(&rig);
	FUZZ_CHECK(fickle_users() == 0);
	return 0;
}

/* Any bytes are a program; a handshake in front helps. */
size_t fuzz_example(struct test_random *random, uint8_t *out)
{
	static const uint8_t handshake[] = { 31, 4, 0, 0, 0, 0x4f, 91, 0, 0, 0, 0, 14,
		                             31, 0, 0, 0, 0, 1,    0,  0, 0, 0, 14 };
	size_t length = 60 + test_random_below(random, 1000), at = 2;

	test_random_fill(random, out, length);
	for (uint32_t count = test_random_below(random, 3); count > 0; count--, at += sizeof(handshake)) {
		memcpy(out + at, handshake, sizeof(handshake));
		out[at + 1] += (uint8_t)(8 * count); /* another port */
		out[at + 13] += (uint8_t)(8 * count);
	}
	return length;
}
