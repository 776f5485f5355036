/* Frames of any kind into one stack, with a service behind it that reads, answers and closes. An input is a list of
 * frames, each behind three bytes: length (two) and how much of it is set right first, because random bytes would
 * never get past a checksum or into a window. */
#include "core/wire/arp.h"
#include "core/wire/icmp.h"
#include "core/wire/nd.h"
#include "fuzz.h"
#include "rig.h"

#define HEADERS (ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES)

/* How a frame is set right. */
enum {
	FIX_ETHERNET = 1,  /* for us, IPv4 unless it says IPv6 */
	FIX_IP = 2,        /* addresses, lengths and checksum of the IP header */
	FIX_CHECKSUM = 4,  /* of the transport: said to be partial */
	FIX_SEQUENCE = 8,  /* seq and ack are taken from where the connection stands */
	FIX_PORTS = 16,    /* of a connection or listener */
	SAME_TURN = 32,    /* the next frame comes in the same turn */
	TIME_PASSES = 64,  /* afterwards, up to the next deadline */
	SUPER_FRAME = 128, /* said to be one */
};

static bool find_conn(const struct rig *rig, unsigned which, struct stack_conn_info *ret_info)
{
	struct stack_conn_info info[32];
	uint64_t cursor = 0;
	size_t count = stack_walk(rig->stack, &cursor, info, 32), conns = 0;
	struct ip_addr peer = RIG_PEER, peer6 = RIG_PEER6;

	for (size_t i = 0; i < count; i++) {
		if (info[i].state != TCPS_LISTEN &&
		    (ip_addr_equal(&info[i].flow.remote, &peer) || ip_addr_equal(&info[i].flow.remote, &peer6)))
			info[conns++] = info[i];
	}
	if (conns > 0)
		*ret_info = info[which % conns];
	return conns > 0;
}

/* The bytes at the places of ports, seq and ack become small offsets from what the stack expects. */
static void fix_tcp(const struct rig *rig, uint8_t *tcp, size_t length, uint8_t fixes)
{
	struct stack_conn_info info;
	bool found;

	if (length < TCP_HEADER_BYTES)
		return;
	found = find_conn(rig, tcp[0], &info);
	if (fixes & FIX_PORTS) {
		store16(tcp, found && tcp[1] >= 64 ? info.flow.remote_port : 40000u + tcp[0] % 8);
		store16(tcp + 2, found && tcp[1] >= 64 ? info.flow.local_port : RIG_PORT);
	}
	if (!(fixes & FIX_SEQUENCE) || !found)
		return;
	store32(tcp + 4, info.rcv_nxt + (tcp[4] < 192 ? 0 : (uint32_t)(int8_t)tcp[5] * (tcp[4] & 15u)));
	store32(tcp + 8, (tcp[8] & 1 ? info.snd_una : info.snd_nxt) +
	                         (tcp[8] < 192 ? 0 : (uint32_t)(int8_t)tcp[9] * (tcp[8] & 15u)));
}

#define HEADERS6 (ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES)

/* IPv6: the destination's first byte chooses between the stack's address and groups, the source's between the peer,
 * a link-local address (as routers have), and none. */
static void fix6(const struct rig *rig, uint8_t *frame, size_t length, uint8_t fixes)
{
	static const struct ip_addr near_peer = { { 0xfe, 0x80, [15] = 1 } };
	struct ip_addr own = RIG_OWN6, peer = RIG_PEER6, group = ipv6_solicited_node(&own);
	uint8_t *header = frame + ETHERNET_HEADER_BYTES;
	struct ipv6_problem problem;
	struct ip_packet ip;

	if (length < HEADERS6)
		return;
	if (fixes & FIX_IP) {
		header[0] = (uint8_t)(0x60 | (header[0] & 15));
		store16(header + 4, (uint32_t)(length - HEADERS6));
		if (header[8] < 224)
			memcpy(header + 8, header[8] < 128 ? &peer : &near_peer, 16);
		else if (header[8] < 240)
			memset(header + 8, 0, 16);
		if (header[24] < 240)
			memcpy(header + 24,
			       header[24] < 160   ? &own
			       : header[24] < 200 ? &group
			                          : &IPV6_ALL_NODES,
			       16);
	}
	if ((fixes & FIX_ETHERNET) && header[24] == 0xff) {
		memset(frame, 0x33, 2);
		memcpy(frame + 2, header + 36, 4);
	}
	if (ipv6_read(header, length - ETHERNET_HEADER_BYTES, &ip) < 0 || ipv6_skip_extensions(&ip, &problem) < 0)
		return;
	if (ip.protocol == IP_PROTOCOL_TCP && ip.fragment_offset == 0) {
		fix_tcp(rig, frame + (ip.payload - frame), ip.payload_bytes, fixes);
	} else if (ip.protocol == IP_PROTOCOL_ICMPV6 && (fixes & FIX_CHECKSUM) &&
	           ip.payload_bytes >= ICMP6_HEADER_BYTES) {
		uint8_t *icmp = frame + (ip.payload - frame);
		uint64_t sum = checksum_pseudo(&ip.source, &ip.destination, IP_PROTOCOL_ICMPV6, ip.payload_bytes);

		store16(icmp + 2, 0);
		store16(icmp + 2, (uint16_t)~checksum_fold(checksum_add(sum, icmp, ip.payload_bytes, 0)));
	}
}

static void fix(const struct rig *rig, uint8_t *frame, size_t length, uint8_t fixes)
{
	struct ethernet_header ethernet = { .destination = { { 2, 0, 0, 0, 0, 2 } },
		                            .source = { { 2, 0, 0, 0, 0, 1 } },
		                            .type = ETHERTYPE_IPV4 };
	struct ip_packet ip = { .source = RIG_PEER, .destination = RIG_OWN, .ttl = 1 };
	const uint8_t *header = frame + ETHERNET_HEADER_BYTES;

	if (length >= ETHERNET_HEADER_BYTES && load16(frame + 12) == ETHERTYPE_IPV6)
		ethernet.type = ETHERTYPE_IPV6;
	if (length >= ETHERNET_HEADER_BYTES && (fixes & FIX_ETHERNET))
		ethernet_write(frame, &ethernet);
	if (length >= ETHERNET_HEADER_BYTES && load16(frame + 12) == ETHERTYPE_IPV6)
		fix6(rig, frame, length, fixes);
	if (length < HEADERS || load16(frame + 12) != ETHERTYPE_IPV4)
		return;
	if (fixes & FIX_IP) {
		ip.protocol = header[9];
		ip.id = load16(header + 4);
		ip.more_fragments = header[6] & 0x20;
		ip.fragment_offset = (load16(header + 6) & 0x1fffu) * 8;
		ip.payload_bytes = (uint32_t)(length - HEADERS);
		ipv4_write(frame + ETHERNET_HEADER_BYTES, &ip);
	}
	if (header[9] == IP_PROTOCOL_TCP && (header[0] & 15) == 5)
		fix_tcp(rig, frame + HEADERS, length - HEADERS, fixes);
	else if (header[9] == IP_PROTOCOL_ICMP && (fixes & FIX_CHECKSUM) && length >= HEADERS + ICMP_HEADER_BYTES) {
		store16(frame + HEADERS + 2, 0);
		store16(frame + HEADERS + 2,
		        (uint16_t)~checksum_fold(checksum_add(0, frame + HEADERS, length - HEADERS, 0)));
	}
}

/* The service: reads most of what is there, sends something, closes at its end. */
static void serve(struct rig *rig, unsigned turn)
{
	for (unsigned i = 0; i < RIG_HANDLES; i++) {
		struct rig_conn *conn = &rig->conn[i];
		struct stack_conn_info info;

		if (!conn->used)
			continue;
		if (turn % 3 != i % 3)
			rig_read(rig, conn, 1u << (turn + i) % 14);
		if (turn % 5 == i % 5)
			rig_write(rig, conn, 1u << (turn + i) % 15, true);
		WATCH_CHECK(stack_info(rig->stack, conn->handle, &info) == 0);
		if (info.state == TCPS_CLOSED || (turn + i) % 29 == 0)
			rig_release(rig, conn, i % 7 == 0);
		else if (stack_at_eof(rig->stack, conn->handle) || (turn + i) % 23 == 0)
			stack_shutdown(rig->stack, conn->handle);
	}
}

static void frames_in(struct rig *rig, const uint8_t *data, size_t size)
{
	static uint8_t frame[FUZZ_INPUT_MAX];

	for (unsigned turn = 0; size >= 3; turn++) {
		size_t length = load16(data) % FUZZ_INPUT_MAX;
		uint8_t fixes = data[2];

		data += 3;
		size -= 3;
		if (length > size)
			length = size;
		memcpy(frame, data, length);
		data += length;
		size -= length;
		fix(rig, frame, length, fixes);
		rig_input(rig, frame, length, fixes & SUPER_FRAME ? 1460 : 0,
		          fixes & FIX_CHECKSUM ? FRAME_CHECKSUM_PARTIAL : FRAME_CHECKSUM_UNKNOWN);
		if ((fixes & SAME_TURN) && rig->held_count < RIG_HELD)
			continue;
		serve(rig, turn);
		rig_turn(rig);
		rig_recorder_reads(rig);
		if ((fixes & TIME_PASSES) && stack_deadline(rig->stack).ns != INT64_MAX) {
			rig->now = stack_deadline(rig->stack);
			rig_turn(rig);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stack_listen_options listen = { .port = RIG_PORT, .service = 1, .backlog = 6 };
	struct stack_config config;
	static struct rig rig;

	rig_config(&config);
	if (size > 0) {
		config.tcp.syn_cookies = data[0] & 1;
		config.checksum_offload = data[0] & 2;
		config.gso_bytes_max = data[0] & 2 ? 65536 : 0;
		config.mtu_bytes = data[0] & 4 ? 9000 : 1500;
		config.accept_ra = !(data[0] & 8);
		config.dad_transmits = data[0] >> 4 & 1;
		memset(config.stable_secret, data[0] & 32, sizeof(config.stable_secret));
		data++;
		size--;
	}
	rig_begin(&rig, &config);
	FUZZ_CHECK(stack_listen(rig.stack, &listen, &rig.listener) == 0);
	frames_in(&rig, data, size);
	rig_end(&rig);
	return 0;
}

/* ---- examples ----------------------------------------------------------------------------------------------------
 */

static size_t example_tcp(struct test_random *random, uint8_t *frame)
{
	static const uint8_t flags[] = { TCP_SYN,           TCP_ACK, TCP_ACK | TCP_PSH, TCP_ACK,
		                         TCP_ACK | TCP_FIN, TCP_RST, TCP_SYN | TCP_ACK, TCP_ACK | TCP_URG };
	struct tcp_segment segment = { .flags = flags[test_random_below(random, sizeof(flags))],
		                       .window = (uint16_t)test_random_u64(random) };
	struct tcp_options *options = &segment.options;
	uint32_t payload = test_random_below(random, 4) ? 0 : test_random_below(random, 300);
	size_t header;

	test_random_fill(random, &segment.seq, sizeof(segment.seq));
	test_random_fill(random, &segment.ack, sizeof(segment.ack));
	test_random_fill(random, &segment.source_port, sizeof(segment.source_port));
	if (segment.flags & TCP_SYN) {
		options->has_mss = true;
		options->mss = (uint16_t)test_random_below(random, 3000);
		options->has_wscale = options->sack_permitted = test_random_below(random, 2);
		options->wscale = (uint8_t)test_random_below(random, 16);
	} else {
		options->sack_count = (uint8_t)test_random_below(random, 4);
		for (int i = 0; i < options->sack_count; i++)
			options->sack[i] = (struct tcp_sack_block){ segment.ack, seq_add(segment.ack, 100) };
	}
	options->has_timestamps = test_random_below(random, 3) == 0;
	options->tsval = test_random_below(random, 3) ? 100 : (uint32_t)test_random_u64(random);
	header = tcp_write(frame + HEADERS, &segment);
	test_random_fill(random, frame + HEADERS + header, payload);
	return HEADERS + header + payload;
}

static size_t example_icmp(struct test_random *random, uint8_t *frame)
{
	static const uint8_t types[] = { ICMP_ECHO, ICMP_UNREACHABLE, ICMP_UNREACHABLE, ICMP_TIME_EXCEEDED };
	uint8_t quoted[64];
	struct icmp_message message = { .type = types[test_random_below(random, sizeof(types))],
		                        .code = (uint8_t)test_random_below(random, 5),
		                        .next_hop_mtu = (uint16_t)test_random_below(random, 2000),
		                        .payload = quoted,
		                        .payload_bytes = 28 + test_random_below(random, 36) };
	struct ip_packet ip = {
		.source = RIG_OWN, .destination = RIG_PEER, .protocol = IP_PROTOCOL_TCP, .payload_bytes = 20
	};

	test_random_fill(random, quoted, sizeof(quoted));
	ipv4_write(quoted, &ip);
	store16(quoted + IPV4_HEADER_BYTES, RIG_PORT);
	store16(quoted + IPV4_HEADER_BYTES + 2, 40000 + test_random_below(random, 8));
	return HEADERS + icmp_write(frame + HEADERS, &message);
}

static size_t example_arp(struct test_random *random, uint8_t *frame)
{
	struct ethernet_header ethernet = { .destination = { { 2, 0, 0, 0, 0, 2 } },
		                            .source = { { 2, 0, 0, 0, 0, 1 } },
		                            .type = ETHERTYPE_ARP };
	struct arp_packet arp = { .operation = (uint16_t)(1 + test_random_below(random, 2)),
		                  .sender_mac = ethernet.source,
		                  .sender_ip = ip_addr_v4(0xc0000201 + test_random_below(random, 6)),
		                  .target_ip = RIG_OWN };

	ethernet_write(frame, &ethernet);
	arp_write(frame + ETHERNET_HEADER_BYTES, &arp);
	return ETHERNET_HEADER_BYTES + ARP_BYTES;
}

/* A chain of up to three extension headers, the last a fragment header now and then; returns its length. */
static size_t example_chain(struct test_random *random, uint8_t *out, uint8_t last, uint8_t *first)
{
	uint8_t *named = first;
	size_t length = 0;

	*named = last;
	for (uint32_t count = test_random_below(random, 3); count > 0; count--) {
		uint8_t *header = out + length;

		memset(header, 0, 8);
		if (test_random_below(random, 6) == 0)
			test_random_fill(random, header + 2, 2);
		*named = length == 0 && test_random_below(random, 2) ? IP_PROTOCOL_HOP_BY_HOP
		                                                     : IP_PROTOCOL_DESTINATION_OPTIONS;
		named = header;
		*named = last;
		length += 8;
	}
	if (test_random_below(random, 4) == 0) {
		struct ip_packet ip = { .id = test_random_below(random, 3),
			                .fragment_offset = 8 * test_random_below(random, 8),
			                .more_fragments = test_random_below(random, 3) };

		*named = IP_PROTOCOL_FRAGMENT;
		ipv6_write_fragment(out + length, &ip, last);
		length += IPV6_FRAGMENT_HEADER_BYTES;
	}
	return length;
}

/* Router advertisements with all the options that are read. */
static size_t example_ra(struct test_random *random, uint8_t *out)
{
	size_t at = 16;

	memset(out, 0, 120);
	out[0] = ICMP6_ROUTER_ADVERTISEMENT;
	store32(out + 4, (uint32_t)test_random_u64(random) & 0xff18000f);
	store32(out + 8, test_random_below(random, 4) * 10000);
	for (uint32_t options = test_random_below(random, 4); options > 0; options--) {
		uint8_t *option = out + at;

		switch (test_random_below(random, 3)) {
		case 0:
			option[0] = option[1] = 1;
			option[2] = 2;
			option[7] = (uint8_t)test_random_below(random, 4);
			at += 8;
			break;
		case 1:
			option[0] = 5;
			option[1] = 1;
			store32(option + 4, 1200 + test_random_below(random, 600));
			at += 8;
			break;
		default:
			option[0] = 3;
			option[1] = 4;
			option[2] = test_random_below(random, 4) ? 64 : (uint8_t)test_random_below(random, 130);
			option[3] = (uint8_t)test_random_u64(random);
			store32(option + 4, test_random_below(random, 30));
			store32(option + 8, test_random_below(random, 30));
			memcpy(option + 16, "\x20\x01\x0d\xb8", 4);
			option[23] = (uint8_t)test_random_below(random, 12);
			at += 32;
			break;
		}
	}
	return at;
}

static size_t example_icmp6(struct test_random *random, uint8_t *out)
{
	static const uint8_t errors[] = { ICMP6_UNREACHABLE, ICMP6_PACKET_TOO_BIG, ICMP6_TIME_EXCEEDED,
		                          ICMP6_PARAMETER_PROBLEM };
	struct ip_addr own = RIG_OWN6, peer = RIG_PEER6;
	struct nd_message nd = { .type = (uint8_t)(ICMP6_ROUTER_SOLICITATION + 2 * test_random_below(random, 2)),
		                 .target = own };
	struct ip_packet quoted = {
		.source = own, .destination = peer, .protocol = IP_PROTOCOL_TCP, .payload_bytes = 20
	};

	switch (test_random_below(random, 4)) {
	case 0:
		return example_ra(random, out);
	case 1: /* an error */
		memset(out, 0, 68);
		out[0] = errors[test_random_below(random, sizeof(errors))];
		out[1] = (uint8_t)test_random_below(random, 5);
		store32(out + 4, test_random_below(random, 2000));
		ipv6_write(out + 8, &quoted);
		store16(out + 48, RIG_PORT);
		store16(out + 50, 40000 + test_random_below(random, 8));
		return 68;
	case 2: /* echo, MLD, anything */
		test_random_fill(random, out, 40);
		out[0] = (uint8_t)(ICMP6_ECHO + test_random_below(random, 20));
		return 40;
	default:
		if (test_random_below(random, 2))
			nd.type = ICMP6_NEIGHBOUR_ADVERTISEMENT;
		nd.target.b[15] = (uint8_t)test_random_below(random, 6);
		nd.solicited = test_random_below(random, 2);
		nd.override = test_random_below(random, 2);
		nd.router = test_random_below(random, 2);
		nd.options.has_source_mac = nd.options.has_target_mac = test_random_below(random, 2);
		nd.options.source_mac.b[5] = nd.options.target_mac.b[5] = (uint8_t)test_random_below(random, 3);
		return nd_write(out, &peer, &own, &nd);
	}
}

static size_t example_ipv6(struct test_random *random, uint8_t *frame, uint8_t *ret_fixes)
{
	struct ethernet_header ethernet = { .type = ETHERTYPE_IPV6 };
	bool tcp = test_random_below(random, 3) > 0;
	struct ip_packet ip = { .ttl = test_random_below(random, 8) ? 255 : 1 };
	uint8_t chain[64], content[800];
	size_t length;

	*ret_fixes = (uint8_t)(FIX_ETHERNET | FIX_IP | FIX_CHECKSUM | FIX_SEQUENCE | FIX_PORTS |
	                       (test_random_below(random, 4) ? 0 : SAME_TURN) |
	                       (test_random_below(random, 8) ? 0 : TIME_PASSES));
	if (tcp) {
		length = example_tcp(random, content) - HEADERS;
		memmove(content, content + HEADERS, length);
	} else {
		length = example_icmp6(random, content);
	}
	test_random_fill(random, &ip.source, 1);
	test_random_fill(random, &ip.destination, 1);
	if (tcp) { /* mostly from the peer to the stack */
		ip.source.b[0] %= 140;
		ip.destination.b[0] %= 170;
	}
	ip.payload_bytes =
	        (uint32_t)example_chain(random, chain, tcp ? IP_PROTOCOL_TCP : IP_PROTOCOL_ICMPV6, &ip.protocol);
	memcpy(frame + HEADERS6, chain, ip.payload_bytes);
	memcpy(frame + HEADERS6 + ip.payload_bytes, content, length);
	ip.payload_bytes += (uint32_t)length;
	ethernet_write(frame, &ethernet);
	ipv6_write(frame + ETHERNET_HEADER_BYTES, &ip);
	return HEADERS6 + ip.payload_bytes;
}

static size_t example_frame(struct test_random *random, uint8_t *frame, uint8_t *ret_fixes)
{
	struct ethernet_header ethernet = { .type = ETHERTYPE_IPV4 };
	struct ip_packet ip = { .source = RIG_PEER, .destination = RIG_OWN, .ttl = 64, .protocol = IP_PROTOCOL_TCP };
	size_t length;

	if (test_random_below(random, 2))
		return example_ipv6(random, frame, ret_fixes);
	*ret_fixes = (uint8_t)(FIX_ETHERNET | FIX_IP | FIX_CHECKSUM | FIX_SEQUENCE | FIX_PORTS |
	                       (test_random_below(random, 4) ? 0 : SAME_TURN) |
	                       (test_random_below(random, 8) ? 0 : TIME_PASSES));
	switch (test_random_below(random, 12)) {
	case 0:
		*ret_fixes = 0;
		return example_arp(random, frame);
	case 1:
		length = example_icmp(random, frame);
		ip.protocol = IP_PROTOCOL_ICMP;
		break;
	case 2: /* a fragment */
		length = HEADERS + 8 + 8 * (size_t)test_random_below(random, 20);
		test_random_fill(random, frame + HEADERS, length - HEADERS);
		ip.id = (uint16_t)test_random_below(random, 3);
		ip.fragment_offset = 8 * test_random_below(random, 30);
		ip.more_fragments = test_random_below(random, 3);
		break;
	default:
		length = example_tcp(random, frame);
		break;
	}
	ip.payload_bytes = (uint32_t)(length - HEADERS);
	ethernet_write(frame, &ethernet);
	ipv4_write(frame + ETHERNET_HEADER_BYTES, &ip);
	return length;
}

size_t fuzz_example(struct test_random *random, uint8_t *out)
{
	uint32_t frames = 1 + test_random_below(random, 40);
	size_t at = 1;

	out[0] = (uint8_t)test_random_u64(random);
	for (uint32_t i = 0; i < frames && at + 600 < FUZZ_INPUT_MAX; i++) {
		size_t length = example_frame(random, out + at + 3, &out[at + 2]);

		store16(out + at, (uint32_t)length);
		at += 3 + length;
	}
	return at;
}
