#include "peer.h"

#include "core/wire/arp.h"
#include "core/wire/bytes.h"
#include "core/wire/checksum.h"
#include "core/wire/ethernet.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"
#include "core/wire/ipv6.h"
#include "core/wire/nd.h"

#define JOURNAL_CAPACITY 65536
#define ASKING_BYTES_MAX (ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES + ND_MESSAGE_BYTES_MAX)

static const struct mac_addr stack_mac = { { 2, 0, 0, 0, 0, 2 } };

uint8_t peer_pattern(uint32_t position)
{
	return (uint8_t)((position * 2654435761u) >> 11);
}

bool peer_is_ipv6(void)
{
	const char *family = getenv("TAPSTACK_TEST_FAMILY");

	return family && strcmp(family, "6") == 0;
}

struct ip_addr peer_address(uint8_t number)
{
	return peer_is_ipv6() ? (struct ip_addr){ { 0x20, 0x01, 0x0d, 0xb8, [15] = number } }
	                      : ip_addr_v4(0xc0000200 + number);
}

/* Before a segment. */
static uint32_t headers_bytes(void)
{
	return ETHERNET_HEADER_BYTES + (peer_is_ipv6() ? IPV6_HEADER_BYTES : IPV4_HEADER_BYTES);
}

/* Ethernet and IP headers for a payload that is there already; returns the length of all. */
static size_t write_headers(const struct peer *p, uint8_t *frame, struct ip_packet ip)
{
	struct ethernet_header ethernet = { .destination = stack_mac,
		                            .source = p->mac,
		                            .type = peer_is_ipv6() ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4 };

	ip.source = PEER_IP;
	ip.destination = STACK_IP;
	if (ip.ttl == 0)
		ip.ttl = 64;
	ethernet_write(frame, &ethernet);
	(peer_is_ipv6() ? ipv6_write : ipv4_write)(frame + ETHERNET_HEADER_BYTES, &ip);
	return headers_bytes() + ip.payload_bytes;
}

static bool read_ip(const uint8_t *frame, uint32_t length, struct ip_packet *ret_ip)
{
	return (peer_is_ipv6() ? ipv6_read : ipv4_read)(frame + ETHERNET_HEADER_BYTES, length - ETHERNET_HEADER_BYTES,
	                                                ret_ip) == 0;
}

/* The peer asks for the stack's MAC, or answers for its own. */
static size_t write_arp(const struct peer *p, bool asks, uint8_t *frame)
{
	struct ethernet_header ethernet = { .destination = stack_mac, .source = p->mac, .type = ETHERTYPE_ARP };
	struct arp_packet arp = { .operation = asks ? ARP_REQUEST : ARP_REPLY,
		                  .sender_mac = p->mac,
		                  .sender_ip = PEER_IP,
		                  .target_mac = stack_mac,
		                  .target_ip = STACK_IP };

	ethernet_write(frame, &ethernet);
	arp_write(frame + ETHERNET_HEADER_BYTES, &arp);
	return ETHERNET_HEADER_BYTES + ARP_BYTES;
}

static size_t write_nd(const struct peer *p, bool asks, uint8_t *frame)
{
	struct ip_addr own = PEER_IP, stack_ip = STACK_IP;
	struct nd_message message = {
		.type = asks ? ICMP6_NEIGHBOUR_SOLICITATION : ICMP6_NEIGHBOUR_ADVERTISEMENT,
		.target = asks ? stack_ip : own,
		.solicited = true,
		.override = true,
		.options = { .has_source_mac = asks,
		             .source_mac = p->mac,
		             .has_target_mac = !asks,
		             .target_mac = p->mac },
	};
	size_t bytes = nd_write(frame + headers_bytes(), &own, &stack_ip, &message);

	return write_headers(
	        p, frame,
	        (struct ip_packet){ .protocol = IP_PROTOCOL_ICMPV6, .ttl = 255, .payload_bytes = (uint32_t)bytes });
}

static size_t write_asking(const struct peer *p, bool asks, uint8_t *frame)
{
	return peer_is_ipv6() ? write_nd(p, asks, frame) : write_arp(p, asks, frame);
}

/* MLD, and solicitations of neighbours (all that the stack asks for are the peer). */
static bool is_asking(const struct frame_out *out, bool *ret_answer)
{
	const uint8_t *ip = out->header + ETHERNET_HEADER_BYTES;

	*ret_answer = true;
	if (load16(out->header + 12) == ETHERTYPE_ARP)
		return true;
	if (load16(out->header + 12) != ETHERTYPE_IPV6)
		return false;
	*ret_answer = ip[6] == IP_PROTOCOL_ICMPV6;
	return ip[6] == IP_PROTOCOL_HOP_BY_HOP ||
	       (ip[6] == IP_PROTOCOL_ICMPV6 && ip[IPV6_HEADER_BYTES] == ICMP6_NEIGHBOUR_SOLICITATION);
}

/* The stack checks now and then that its neighbour is still there. */
static bool answer_arp(struct peer *p, const struct frame_out *out)
{
	uint8_t reply[ASKING_BYTES_MAX];
	struct frame_in in = { .bytes = reply };
	bool answer;

	if (!p->answers_arp || !is_asking(out, &answer))
		return false;
	if (answer) {
		in.length = (uint32_t)write_asking(p, false, reply);
		stack_input(p->stack, p->now, &in);
	}
	return true;
}

/* ---- the stack's side ------------------------------------------------------------------------------------------ */

static void collect_frames(struct peer *p)
{
	struct frame_out out[16];
	size_t count;

	while ((count = stack_output(p->stack, out, 1)) > 0) {
		if (answer_arp(p, out))
			continue;
		for (size_t i = 0; i < count; i++) {
			struct peer_frame *frame = &p->frame[p->frame_count++];
			uint32_t at = 0;

			assert_true(p->frame_count < PEER_FRAMES_MAX);
			*frame = (struct peer_frame){ .length = out[i].length,
				                      .header_bytes = out[i].header_bytes,
				                      .gso_bytes = out[i].gso_bytes,
				                      .partial_checksum = out[i].checksum_offset != 0 };
			frame->bytes = malloc(frame->length);
			for (uint32_t v = 0; v < out[i].iov_count; v++) {
				memcpy(frame->bytes + at, out[i].iov[v].iov_base, out[i].iov[v].iov_len);
				at += (uint32_t)out[i].iov[v].iov_len;
			}
			assert_int_equal(at, frame->length);
		}
	}
}

void peer_turn(struct peer *p)
{
	struct stack_ready ready;

	while (stack_advance(p->stack, p->now))
		;
	while (stack_next_ready(p->stack, &ready)) {
		if (ready.flags & READY_ACCEPTED)
			p->conn = ready.conn;
		p->ready = ready;
		p->ready_flags |= ready.flags;
	}
	stack_settle(p->stack);
	while (p->held_count > 0)
		free(p->held[--p->held_count]);
	collect_frames(p);
}

void peer_waits(struct peer *p, struct duration time)
{
	struct instant end = instant_add(p->now, time);

	for (;;) {
		struct instant due = stack_deadline(p->stack);

		if (!instant_before(due, end))
			break;
		assert_true(due.ns > p->now.ns); /* never in the past after a finished turn */
		p->now = due;
		peer_turn(p);
	}
	p->now = end;
	peer_turn(p);
}

struct peer *peer_start(void (*tweak)(struct stack_config *config))
{
	struct stack_listen_options listen = { .port = SERVICE_PORT, .service = 1, .backlog = 16 };
	struct peer *p = calloc(1, sizeof(*p));
	uint8_t frame[ASKING_BYTES_MAX];
	struct stack_config config;
	struct memory memory;
	size_t length;

	assert_non_null(p);
	memory = test_memory(&p->memory);
	p->now = (struct instant){ 1000000000000 };
	p->mac = (struct mac_addr){ { 2, 0, 0, 0, 0, 1 } };
	p->ring = calloc(1, sizeof(*p->ring) + JOURNAL_CAPACITY * sizeof(struct journal_record));
	p->ring->capacity = JOURNAL_CAPACITY;
	stack_config_init(&config);
	memset(config.secret, 7, sizeof(config.secret));
	config.mac = stack_mac;
	config.address[0] = (struct stack_address){ STACK_IP, peer_is_ipv6() ? 64 : 120 };
	config.dad_transmits = 0;
	config.address_count = 1;
	config.journal = p->ring;
	config.tcp.timestamps = config.tcp.sack = config.tcp.window_scaling = true;
	if (tweak)
		tweak(&config);
	if (peer_is_ipv6())
		config.mtu_bytes += IPV6_HEADER_BYTES - IPV4_HEADER_BYTES;
	assert_int_equal(stack_new(&config, &memory, p->now, &p->stack), 0);
	assert_int_equal(stack_listen(p->stack, &listen, &p->listener), 0);
	/* The peer asks for the stack's MAC, and so makes its own known. */
	length = write_asking(p, true, frame);
	peer_sends_frame(p, frame, length);
	assert_true(p->verdict == VERDICT_ACCEPTED || config.dad_transmits > 0); /* our address is still on trial */
	peer_ignores_rest(p);
	p->answers_arp = true;
	return p;
}

void peer_stop_anyhow(struct peer *p)
{
	struct stack_gauges gauges;

	peer_ignores_rest(p);
	stack_stop(p->stack, true);
	peer_turn(p);
	if (p->conn.v)
		stack_close(p->stack, p->conn);
	peer_turn(p);
	stack_get_gauges(p->stack, &gauges);
	assert_int_equal(gauges.connections, 0);
	assert_int_equal(gauges.half_open, 0);
	assert_int_equal(gauges.time_wait, 0);
	assert_int_equal(gauges.journal_reserved, 0);
	assert_int_equal(gauges.buffer_bytes, 0);
	for (int state = 0; state < TCPS_STATE_COUNT; state++)
		assert_int_equal(gauges.in_state[state], 0);
	stack_free(p->stack);
	assert_int_equal(p->memory.live_count, 0);
	peer_ignores_rest(p);
	free(p->ring);
	free(p);
}

void peer_stop(struct peer *p)
{
	expect_nothing(p);
	peer_stop_anyhow(p);
}

/* ---- the peer's side ---------------------------------------------------------------------------------------------
 */

static enum stack_verdict put_frame(struct peer *p, const void *bytes, size_t length, uint16_t gso_bytes)
{
	uint8_t *exact = malloc(length ? length : 1); /* so that a sanitizer sees every byte too far */
	struct frame_in in = { .bytes = exact, .length = (uint32_t)length, .gso_bytes = gso_bytes };

	assert_true(p->held_count < sizeof(p->held) / sizeof(p->held[0]));
	memcpy(exact, bytes, length);
	p->held[p->held_count++] = exact;
	p->verdict = stack_input(p->stack, p->now, &in);
	return p->verdict;
}

enum stack_verdict peer_puts_frame(struct peer *p, const void *bytes, size_t length)
{
	return put_frame(p, bytes, length, 0);
}

enum stack_verdict peer_sends_frame(struct peer *p, const void *bytes, size_t length)
{
	peer_puts_frame(p, bytes, length);
	if (!p->holds_turn)
		peer_turn(p);
	return p->verdict;
}

/* The frame of a segment; returns its length. */
static size_t write_segment(const struct peer *p, struct seg seg, uint8_t *frame)
{
	struct ip_addr source = PEER_IP, destination = STACK_IP;
	struct tcp_segment tcp = {
		.source_port = seg.source_port ? seg.source_port : PEER_PORT,
		.destination_port = seg.destination_port ? seg.destination_port : SERVICE_PORT,
		.seq = SEQ(seg.seq),
		.ack = SEQ(seg.ack),
		.flags = seg.flags,
		.window = seg.window == WINDOW_ZERO ? 0
		          : seg.window == 0         ? 65535
		                                    : (uint16_t)seg.window,
		.urgent_pointer = seg.urgent,
		.options = seg.options,
	};
	uint8_t *at = frame + headers_bytes();
	uint32_t first = seg.seq + (seg.flags & TCP_SYN ? 1 : 0), header, bytes;
	uint64_t sum;

	if (peer_is_ipv6() && (seg.flags & TCP_SYN) && !tcp.options.has_mss && !seg.exact_options) {
		tcp.options.has_mss = true;
		tcp.options.mss = 536;
	}
	header = (uint32_t)tcp_write(at, &tcp);
	for (uint32_t i = 0; i < seg.length; i++)
		at[header + i] = peer_pattern(first + i);
	bytes = header + seg.length;
	sum = checksum_pseudo(&source, &destination, IP_PROTOCOL_TCP, bytes);
	sum = checksum_add(sum, at, bytes, 0);
	store16(at + 16, (uint16_t)(~checksum_fold(sum) ^ (seg.bad_checksum ? 1 : 0)));
	return write_headers(
	        p, frame, (struct ip_packet){ .protocol = IP_PROTOCOL_TCP, .tos = seg.ecn, .payload_bytes = bytes });
}

static uint8_t segment_frame[70000];

/* The beginning of one of the stack's packets, as an error quotes it; returns its length. */
static uint32_t write_quoted(uint8_t *out, uint16_t stack_port, uint16_t peer_port, uint32_t seq)
{
	struct ip_packet quoted = { .source = STACK_IP,
		                    .destination = PEER_IP,
		                    .ttl = 60,
		                    .protocol = IP_PROTOCOL_TCP,
		                    .payload_bytes = 20 };
	uint8_t *tcp = out + headers_bytes() - ETHERNET_HEADER_BYTES;

	(peer_is_ipv6() ? ipv6_write : ipv4_write)(out, &quoted);
	store16(tcp, stack_port);
	store16(tcp + 2, peer_port);
	store32(tcp + 4, seq);
	return headers_bytes() - ETHERNET_HEADER_BYTES + 8;
}

enum stack_verdict peer_reports(struct peer *p, uint16_t stack_port, uint16_t peer_port, uint32_t seq,
                                uint32_t mtu_bytes)
{
	uint8_t quoted[IPV6_HEADER_BYTES + 8], frame[200], *at = frame + headers_bytes();
	uint32_t bytes = write_quoted(quoted, stack_port, peer_port, seq);
	struct ip_addr source = PEER_IP, destination = STACK_IP;
	struct ip_packet ip = { .protocol = IP_PROTOCOL_ICMPV6 };

	if (peer_is_ipv6()) {
		struct icmp6_message message = { .payload = quoted, .payload_bytes = bytes };

		message.type = mtu_bytes ? ICMP6_PACKET_TOO_BIG : ICMP6_UNREACHABLE;
		message.code = mtu_bytes ? 0 : ICMP6_PORT_UNREACHABLE;
		message.word = mtu_bytes ? mtu_bytes + IPV6_HEADER_BYTES - IPV4_HEADER_BYTES : 0;
		ip.payload_bytes = (uint32_t)icmp6_write(at, &source, &destination, &message);
	} else {
		struct icmp_message message = { .type = ICMP_UNREACHABLE, .payload = quoted, .payload_bytes = bytes };

		message.code = mtu_bytes ? ICMP_FRAGMENTATION_NEEDED : ICMP_PORT_UNREACHABLE;
		message.next_hop_mtu = (uint16_t)mtu_bytes;
		ip.protocol = IP_PROTOCOL_ICMP;
		ip.payload_bytes = (uint32_t)icmp_write(at, &message);
	}
	return peer_sends_frame(p, frame, write_headers(p, frame, ip));
}

enum stack_verdict peer_puts(struct peer *p, struct seg seg)
{
	return put_frame(p, segment_frame, write_segment(p, seg, segment_frame), seg.gso_bytes);
}

enum stack_verdict peer_sends(struct peer *p, struct seg seg)
{
	peer_puts(p, seg);
	peer_turn(p);
	return p->verdict;
}

/* ---- what is expected
 * ------------------------------------------------------------------------------------------------ */

static void show(const struct tcp_segment *tcp)
{
	print_message("the stack sent: flags 0x%02x seq %u ack %u window %u payload %u\n", tcp->flags, tcp->seq.v,
	              tcp->ack.v, tcp->window, tcp->payload_bytes);
}

#define COMPARE(what, is, should)                                                                                    \
	do {                                                                                                         \
		if ((is) != (should)) {                                                                              \
			show(tcp);                                                                                   \
			print_error("%s:%d: " what " is %u, expected %u\n", file, line, (unsigned)(is),              \
			            (unsigned)(should));                                                             \
			_fail(file, line);                                                                           \
		}                                                                                                    \
	} while (0)

static void compare(const struct tcp_segment *tcp, const struct seg *seg, const char *file, int line)
{
	COMPARE("flags", tcp->flags & ~(uint8_t)TCP_PSH, seg->flags & ~(uint8_t)TCP_PSH);
	if (seg->flags & TCP_PSH)
		COMPARE("PSH", tcp->flags & TCP_PSH, TCP_PSH);
	COMPARE("seq", tcp->seq.v, seg->seq);
	if (seg->ack || seg->has_ack)
		COMPARE("ack", tcp->ack.v, seg->ack);
	COMPARE("payload", tcp->payload_bytes, seg->length);
	if (seg->window)
		COMPARE("window", tcp->window, seg->window == WINDOW_ZERO ? 0 : seg->window);
	if (!seg->check_options)
		return;
	COMPARE("MSS", tcp->options.has_mss ? tcp->options.mss : 0, seg->options.has_mss ? seg->options.mss : 0);
	COMPARE("window scale present", tcp->options.has_wscale, seg->options.has_wscale);
	COMPARE("SACK permitted", tcp->options.sack_permitted, seg->options.sack_permitted);
	COMPARE("timestamps present", tcp->options.has_timestamps, seg->options.has_timestamps);
	COMPARE("AccECN present", tcp->options.has_accecn, seg->options.has_accecn);
	COMPARE("AccECN order", tcp->options.accecn_order, seg->options.accecn_order);
	COMPARE("AccECN counters", tcp->options.accecn_count, seg->options.accecn_count);
	for (int i = 0; i < seg->options.accecn_count; i++)
		COMPARE("AccECN counter", tcp->options.accecn[i], seg->options.accecn[i]);
	COMPARE("SACK blocks", tcp->options.sack_count, seg->options.sack_count);
	for (int i = 0; i < seg->options.sack_count; i++) {
		COMPARE("SACK start", tcp->options.sack[i].start.v, seg->options.sack[i].start.v);
		COMPARE("SACK end", tcp->options.sack[i].end.v, seg->options.sack[i].end.v);
	}
}

void expect_segment(struct peer *p, struct seg seg, const char *file, int line)
{
	struct tcp_segment parsed, *tcp = &parsed;
	struct peer_frame *frame;
	struct ip_packet ip;
	uint64_t sum;

	if (p->frame_first == p->frame_count) {
		print_error("%s:%d: expected flags 0x%02x seq %u, nothing was sent\n", file, line, seg.flags,
		            seg.seq);
		_fail(file, line);
	}
	frame = &p->frame[p->frame_first++];
	assert_true(read_ip(frame->bytes, frame->length, &ip));
	assert_int_equal(ip.protocol, IP_PROTOCOL_TCP);
	assert_int_equal(tcp_read(ip.payload, ip.payload_bytes, tcp), 0);
	sum = checksum_pseudo(&ip.source, &ip.destination, IP_PROTOCOL_TCP, ip.payload_bytes);
	if (!frame->partial_checksum)
		COMPARE("checksum", checksum_fold(checksum_add(sum, ip.payload, ip.payload_bytes, 0)), 0xffffu);
	if (tcp->flags & TCP_SYN)
		p->iss = tcp->seq.v;
	if (seg.seq == 0 && (seg.flags & TCP_SYN))
		seg.seq = p->iss;
	compare(tcp, &seg, file, line);
	COMPARE("ECN of the IP header", ip.tos & 3, seg.ecn);
	for (uint32_t i = 0; i < tcp->payload_bytes; i++)
		COMPARE("payload byte", tcp->payload[i], peer_pattern(tcp->seq.v - p->iss + i));
	p->last = *tcp;
	p->last.payload = NULL;
	free(frame->bytes);
	frame->bytes = NULL;
}

struct ip_packet peer_ip(const struct peer_frame *frame)
{
	struct ip_packet ip;

	assert_true(read_ip(frame->bytes, frame->length, &ip));
	return ip;
}

uint64_t peer_asked(const struct peer *p)
{
	const struct stack_counters *counters = stack_get_counters(p->stack);

	return counters->arp_requests_out + counters->neighbour_solicitations_out;
}

void expect_silence(struct peer *p, const char *file, int line)
{
	if (p->frame_first == p->frame_count)
		return;
	expect_segment(p, (struct seg){ .flags = 0, .seq = 0xffffffff, .length = 0xffffffff }, file, line);
}

void peer_ignores_rest(struct peer *p)
{
	while (p->frame_first < p->frame_count)
		free(p->frame[p->frame_first++].bytes);
	p->frame_first = p->frame_count = 0;
}

struct stack_conn_info peer_info(struct peer *p)
{
	struct stack_conn_info info;

	assert_int_equal(stack_info(p->stack, p->conn, &info), 0);
	return info;
}

enum tcp_state peer_state(struct peer *p)
{
	enum tcp_state state = TCPS_CLOSED;
	struct stack_conn_info info[4];
	uint64_t cursor = 0;

	while (cursor != UINT64_MAX) {
		size_t count = stack_walk(p->stack, &cursor, info, 4);

		for (size_t i = 0; i < count; i++) {
			if (info[i].state != TCPS_LISTEN)
				state = info[i].state;
		}
	}
	return state;
}

void expect_journal(struct peer *p, enum tcp_state from, enum tcp_state to, enum tcp_cause cause)
{
	const struct journal_record *record = &p->ring->record[p->journal_seen];

	assert_true(atomic_load(&p->ring->head) > p->journal_seen);
	p->journal_seen++;
	assert_string_equal(tcp_state_name(record->from), tcp_state_name(from));
	assert_string_equal(tcp_state_name(record->to), tcp_state_name(to));
	assert_string_equal(tcp_cause_name(record->cause), tcp_cause_name(cause));
}

void peer_forgets_journal(struct peer *p)
{
	p->journal_seen = (uint32_t)atomic_load(&p->ring->head);
}

/* ---- common beginnings
 * ------------------------------------------------------------------------------------------------ */

void peer_establishes(struct peer *p, struct tcp_options options)
{
	struct tcp_options later = { .has_timestamps = options.has_timestamps,
		                     .tsval = options.tsval,
		                     .tsecr = options.tsecr };

	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .options = options });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	later.tsecr = p->last.options.tsval;
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .options = later });
	expect_nothing(p);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	assert_true(p->ready_flags & READY_ACCEPTED);
	p->ready_flags = 0;
	peer_forgets_journal(p);
}

void service_sends(struct peer *p, uint32_t length)
{
	struct stack_conn_info info;
	struct iovec iov[8];
	uint32_t position;
	int count;

	while (length > 0) {
		ssize_t room = stack_space(p->stack, p->conn, length, iov, 8, &count);

		assert_true(room > 0);
		assert_int_equal(stack_info(p->stack, p->conn, &info), 0);
		position = info.snd_una + info.send_q - p->iss;
		for (int i = 0; i < count; i++) {
			for (size_t j = 0; j < iov[i].iov_len; j++)
				((uint8_t *)iov[i].iov_base)[j] = peer_pattern(position++);
		}
		assert_int_equal(stack_commit(p->stack, p->conn, (size_t)room), 0);
		length -= (uint32_t)room;
	}
	peer_turn(p);
}

uint32_t service_reads(struct peer *p)
{
	struct stack_conn_info info;
	struct iovec iov[16];
	uint32_t total = 0;
	ssize_t bytes;
	int count;

	while ((bytes = stack_peek(p->stack, p->conn, iov, 16, &count)) > 0) {
		uint32_t position;

		assert_int_equal(stack_info(p->stack, p->conn, &info), 0);
		position = info.rcv_nxt - (stack_at_eof(p->stack, p->conn) ? 1 : 0) - info.recv_q;
		if (p->ready_flags & READY_EOF)
			position = info.rcv_nxt - 1 - info.recv_q;
		for (int i = 0; i < count; i++) {
			for (size_t j = 0; j < iov[i].iov_len; j++)
				assert_int_equal(((uint8_t *)iov[i].iov_base)[j], peer_pattern(position++));
		}
		assert_int_equal(stack_consume(p->stack, p->conn, (size_t)bytes), 0);
		total += (uint32_t)bytes;
	}
	peer_turn(p);
	return total;
}
