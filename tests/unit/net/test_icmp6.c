/* ICMPv6 and IPv6's way in: echo, errors out, errors in (RFC 4443, RFC 8201, RFC 5927), extension headers (RFC 8200),
 * which packets are taken at all; and what TCP does differently over IPv6. */
#include "core/wire/arp.h"
#include "net6_test.h"

#include <errno.h>

static const struct tcp_options none = { 0 };

static void echo(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 56, 66, 67, 1000, 1472 };
	struct peer *p = peer_start(NULL);
	struct ip_addr own = STACK_IP;
	uint8_t payload[1472];
	struct ip_packet ip;

	(void)state;
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		struct icmp6_message ping = { .type = ICMP6_ECHO,
			                      .word = 0x12340000 + (uint32_t)i,
			                      .payload = payload,
			                      .payload_bytes = sizes[i] };
		struct icmp6_message pong;

		assert_int_equal(sends_icmp6(p, PEER_IP, STACK_IP, 64, ping), VERDICT_ACCEPTED);
		pong = next_icmp6(p, &ip);
		assert_true(ip_addr_equal(&ip.source, &own));
		assert_int_equal(pong.type, ICMP6_ECHO_REPLY);
		assert_int_equal(pong.word, ping.word);
		assert_int_equal(pong.payload_bytes, sizes[i]);
		assert_memory_equal(pong.payload, payload, sizes[i]);
	}
	/* To all nodes: the answer comes from the address of ours that suits the asker. */
	assert_int_equal(pings(p, PEER_IP, IPV6_ALL_NODES, 1), VERDICT_ACCEPTED);
	assert_int_equal(next_icmp6(p, &ip).type, ICMP6_ECHO_REPLY);
	assert_true(ip_addr_equal(&ip.source, &own));
	peer_stop_anyhow(p);
}

/* Who is told what about which packet (RFC 4443 section 2.4). */
static void errors_out(void **state)
{
	static const struct {
		uint8_t protocol, first; /* first byte of the payload */
		bool group;
		int type; /* -1: nothing */
		uint8_t code;
		uint32_t word;
	} rows[] = {
		{ IP_PROTOCOL_UDP, 0, false, ICMP6_UNREACHABLE, ICMP6_PORT_UNREACHABLE, 0 },
		{ 99, 0, false, ICMP6_PARAMETER_PROBLEM, ICMP6_PROBLEM_NEXT_HEADER, 6 },
		{ IP_PROTOCOL_ICMP, 0, false, ICMP6_PARAMETER_PROBLEM, ICMP6_PROBLEM_NEXT_HEADER, 6 },
		{ IP_PROTOCOL_NO_NEXT, 0, false, -1, 0, 0 },
		{ IP_PROTOCOL_UDP, 0, true, -1, 0, 0 },
		{ 99, 0, true, -1, 0, 0 },
	};
	struct peer *p = peer_start(NULL);
	uint8_t bytes[1400] = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct ip_packet ip = { .source = PEER_IP, .protocol = rows[i].protocol };
		struct icmp6_message error;

		bytes[0] = rows[i].first;
		if (rows[i].group)
			ip.destination = IPV6_ALL_NODES;
		assert_int_equal(sends_ip6(p, ip, bytes, sizeof(bytes)), VERDICT_DROP_PROTOCOL);
		if (rows[i].type >= 0) {
			error = next_icmp6(p, &ip);
			assert_int_equal(error.type, rows[i].type);
			assert_int_equal(error.code, rows[i].code);
			assert_int_equal(error.word, rows[i].word);
			assert_int_equal(ip.header_bytes + ip.payload_bytes, IPV6_MTU_LEAST); /* as much as fits */
		}
		expect_nothing(p);
	}
	peer_stop(p);
}

/* What the reader refuses, and whether it is told; an option that asks for it also to a group. */
static void extension_headers(void **state)
{
	static const struct {
		uint8_t protocol, bytes[16];
		bool group;
		enum stack_verdict verdict;
		int code; /* of a Parameter Problem; -1: nothing */
		uint32_t pointer;
	} rows[] = {
		{ 60, { 59, 0, 1, 4 }, false, VERDICT_DROP_PROTOCOL, -1, 0 },
		{ 60, { 59, 0, 0x5e, 4 }, false, VERDICT_DROP_IP_EXTENSION, -1, 0 },
		{ 60, { 59, 0, 0x9e, 4 }, false, VERDICT_DROP_IP_EXTENSION, 2, 42 },
		{ 60, { 59, 0, 0x9e, 4 }, true, VERDICT_DROP_IP_EXTENSION, 2, 42 },
		{ 60, { 59, 0, 0xde, 4 }, false, VERDICT_DROP_IP_EXTENSION, 2, 42 },
		{ 60, { 59, 0, 0xde, 4 }, true, VERDICT_DROP_IP_EXTENSION, -1, 0 },
		{ 43, { 59, 0, 0, 1 }, false, VERDICT_DROP_IP_SOURCE_ROUTE, 0, 42 },
		{ 43, { 59, 0, 0, 0 }, false, VERDICT_DROP_PROTOCOL, -1, 0 },
		{ 0, { 59, 0, 0xc2, 4, 0, 2 }, false, VERDICT_DROP_IP_EXTENSION, 2, 42 }, /* jumbogram */
	};
	struct peer *p = peer_start(NULL);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct ip_packet ip = { .source = PEER_IP, .protocol = rows[i].protocol };
		struct icmp6_message error;

		if (rows[i].group)
			ip.destination = IPV6_ALL_NODES;
		assert_int_equal(sends_ip6(p, ip, rows[i].bytes, 16), rows[i].verdict);
		if (rows[i].code >= 0) {
			error = next_icmp6(p, &ip);
			assert_int_equal(error.type, ICMP6_PARAMETER_PROBLEM);
			assert_int_equal(error.code, rows[i].code);
			assert_int_equal(error.word, rows[i].pointer);
		}
		expect_nothing(p);
	}
	peer_stop(p);
}

static void errors_are_limited(void **state)
{
	static const uint8_t bytes[20];
	struct peer *p = peer_start(NULL);
	uint32_t sent;

	(void)state;
	for (int i = 0; i < 500; i++)
		sends_ip6(p, (struct ip_packet){ .source = PEER_IP, .protocol = 99 }, bytes, 20);
	sent = p->frame_count - p->frame_first;
	assert_in_range(sent, 1, 100);
	peer_ignores_rest(p);
	peer_waits(p, DURATION_MS(100));
	for (int i = 0; i < 500; i++)
		sends_ip6(p, (struct ip_packet){ .source = PEER_IP, .protocol = 99 }, bytes, 20);
	assert_int_equal(p->frame_count - p->frame_first, 10);
	peer_ignores_rest(p);
	peer_stop(p);
}

/* Never about an error: an answer to what is none of ours. */
static void errors_about_errors(void **state)
{
	struct peer *p = peer_start(NULL);
	uint8_t bytes[16 + 40] = { IP_PROTOCOL_ICMPV6, 0, 0x9e, 4 };
	struct ip_packet ip = { .source = PEER_IP, .protocol = IP_PROTOCOL_DESTINATION_OPTIONS };

	(void)state;
	bytes[8] = ICMP6_UNREACHABLE;
	assert_int_equal(sends_ip6(p, ip, bytes, sizeof(bytes)), VERDICT_DROP_IP_EXTENSION);
	peer_ignores_rest(p); /* about the option it may be told; about the error not: */
	ip.protocol = IP_PROTOCOL_ICMPV6;
	assert_int_equal(sends_ip6(p, ip, bytes + 8, 40), VERDICT_DROP_ICMP);
	expect_nothing(p);
	peer_stop(p);
}

static void refused_packets(void **state)
{
	static const struct ip_addr loopback = { { [15] = 1 } };
	static const uint8_t tcp[20] = { 0x9c, 0x40, 0, 7, [12] = 0x50, 2 };
	const struct {
		struct ip_addr source, destination;
		enum stack_verdict verdict;
	} rows[] = {
		{ STACK_IP, STACK_IP, VERDICT_DROP_IP_SOURCE },      /* LAND */
		{ STACK_NEAR_IP, STACK_IP, VERDICT_DROP_IP_SOURCE }, /* and by another address of ours */
		{ IPV6_ALL_NODES, STACK_IP, VERDICT_DROP_IP_SOURCE },
		{ loopback, STACK_IP, VERDICT_DROP_IP_SOURCE },
		{ ip_addr_v4(0xc0000201), STACK_IP, VERDICT_DROP_IP_SOURCE },
		{ PEER_IP, OTHER_IP(0), VERDICT_DROP_IP_DESTINATION },
		{ PEER_IP, STRANGE_IP, VERDICT_DROP_IP_DESTINATION },
		{ PEER_IP, loopback, VERDICT_DROP_IP_DESTINATION },
		{ PEER_IP, ip_addr_v4(0xc0000202), VERDICT_DROP_IP_DESTINATION },
		{ PEER_IP, IPV6_ALL_ROUTERS, VERDICT_DROP_ETHERNET },
		{ PEER_IP, IPV6_ALL_NODES, VERDICT_DROP_BROADCAST }, /* RFC 9293 MUST-57 */
		{ NOWHERE, STACK_IP, VERDICT_DROP_IP_SOURCE },       /* SYN from :: */
	};
	struct peer *p = peer_start(NULL);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct ip_packet ip = { .source = rows[i].source,
			                .destination = rows[i].destination,
			                .protocol = IP_PROTOCOL_TCP };

		if (sends_ip6(p, ip, tcp, sizeof(tcp)) != rows[i].verdict)
			fail_msg("row %zu: %s", i, stack_verdict_name(p->verdict));
	}
	expect_nothing(p);
	peer_stop(p);
}

/* Without IPv6 in its configuration the stack knows none. */
static void ipv4_stack(struct stack_config *config)
{
	config->address[0] = (struct stack_address){ ip_addr_v4(0xc0000202), 120 };
}

static void off_by_itself(void **state)
{
	struct stack_address_info infos[4];
	struct stack_config config;
	struct test_memory counted;
	struct memory memory = test_memory(&counted);
	struct stack *stack;

	(void)state;
	stack_config_init(&config);
	config.address_count = 1;
	ipv4_stack(&config);
	config.mtu_bytes = 1000;
	assert_int_equal(stack_new(&config, &memory, INSTANT_ZERO, &stack), 0);
	assert_int_equal(stack_addresses(stack, infos, 4), 1);
	assert_int_equal(stack_deadline(stack).ns, INT64_MAX);
	stack_free(stack);
	config.accept_ra = true;
	assert_int_equal(stack_new(&config, &memory, INSTANT_ZERO, &stack), -EINVAL); /* RFC 8200 section 5 */
	config.mtu_bytes = 1280;
	config.address_count = 0;
	assert_int_equal(stack_new(&config, &memory, INSTANT_ZERO, &stack), 0);
	assert_int_equal(stack_addresses(stack, infos, 4), 1); /* link-local */
	stack_free(stack);
	config.address_count = 1;
	config.address[0].ip = IPV6_ALL_NODES;
	assert_int_equal(stack_new(&config, &memory, INSTANT_ZERO, &stack), -EINVAL);
}

/* ---- errors about TCP
 * ----------------------------------------------------------------------------------------------
 */

/* RFC 8201: segments get smaller and go out again; a limit below 1280 is not believed at all (section 4). */
static void packet_too_big(void **state)
{
	static const struct {
		uint32_t mtu, mss;
	} rows[] = { { 1400, 1340 }, { 1280, 1220 }, { 1279, 1460 }, { 0, 1460 }, { 9000, 1460 } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct peer *p = peer_start(NULL);
		uint8_t quoted[60] = { 0 };
		struct ip_packet ip = {
			.source = STACK_IP, .destination = PEER_IP, .protocol = IP_PROTOCOL_TCP, .payload_bytes = 20
		};
		struct icmp6_message message = {
			.type = ICMP6_PACKET_TOO_BIG, .word = 1400, .payload = quoted, .payload_bytes = 60
		};

		peer_establishes(p, (struct tcp_options){ .has_mss = true, .mss = 1460 });
		service_sends(p, 1460);
		peer_ignores_rest(p);
		ipv6_write(quoted, &ip);
		store16(quoted + 40, SERVICE_PORT);
		store16(quoted + 42, PEER_PORT);
		store32(quoted + 44, OURS(100000)); /* never sent: RFC 5927 */
		assert_int_equal(sends_icmp6(p, NEAR_IP(1), STACK_IP, 64, message), VERDICT_DROP_ICMP_UNRELATED);
		assert_int_equal(peer_info(p).mss, 1460);
		store32(quoted + 44, OURS(1));
		message.word = rows[i].mtu;
		assert_int_equal(sends_icmp6(p, NEAR_IP(1), STACK_IP, 64, message),
		                 rows[i].mtu < 1280 ? VERDICT_DROP_ICMP : VERDICT_ACCEPTED);
		assert_int_equal(peer_info(p).mss, rows[i].mss);
		if (rows[i].mss < 1460)
			expect(p,
			       (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = rows[i].mss });
		peer_ignores_rest(p);
		peer_stop_anyhow(p);
	}
}

/* RFC 5927: an attempt ends by a hard error, a connection by none. */
static void hard_errors(void **state)
{
	struct stack_connect_options to = { .remote = PEER_IP, .remote_port = 80, .local_port = 5000 };
	struct peer *p = peer_start(NULL);

	(void)state;
	assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	assert_int_equal(peer_reports(p, 5000, 80, OURS(0), 0), VERDICT_ACCEPTED);
	assert_true(p->ready_flags & READY_ERROR);
	assert_int_equal(p->ready.cause, CAUSE_ICMP_HARD_ERROR);
	peer_stop_anyhow(p);
	p = peer_start(NULL);
	peer_establishes(p, none);
	service_sends(p, 10);
	peer_ignores_rest(p);
	assert_int_equal(peer_reports(p, SERVICE_PORT, PEER_PORT, OURS(1), 0), VERDICT_ACCEPTED);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop_anyhow(p);
}

/* An IPv6 error that quotes IPv4 addresses in IPv6's form is about no connection over IPv4. */
static void with_ipv4(struct stack_config *config)
{
	config->address[config->address_count++] = (struct stack_address){ ip_addr_v4(0xc0000202), 120 };
}

static void errors_across_families(void **state)
{
	struct stack_connect_options to = { .remote = ip_addr_v4(0xc0000201), .remote_port = 80, .local_port = 5000 };
	struct peer *p = peer_start(with_ipv4);
	struct ip_packet ip = { .source = ip_addr_v4(0xc0000202),
		                .destination = ip_addr_v4(0xc0000201),
		                .protocol = IP_PROTOCOL_TCP,
		                .payload_bytes = 20 };
	struct icmp6_message message = { .type = ICMP6_UNREACHABLE, .code = ICMP6_PORT_UNREACHABLE };
	struct ethernet_header ethernet = { .destination = stack_mac, .source = other_mac, .type = ETHERTYPE_ARP };
	struct arp_packet arp = { .operation = ARP_REQUEST,
		                  .sender_mac = other_mac,
		                  .sender_ip = ip_addr_v4(0xc0000201),
		                  .target_ip = ip_addr_v4(0xc0000202) };
	uint8_t quoted[60] = { 0 }, frame[ETHERNET_HEADER_BYTES + ARP_BYTES];

	(void)state;
	ethernet_write(frame, &ethernet);
	arp_write(frame + ETHERNET_HEADER_BYTES, &arp);
	assert_int_equal(peer_sends_frame(p, frame, sizeof(frame)), VERDICT_ACCEPTED);
	assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
	peer_turn(p);
	assert_int_equal(peer_info(p).unacked, 1); /* the SYN is out */
	ipv6_write(quoted, &ip);
	store16(quoted + 40, 5000);
	store16(quoted + 42, 80);
	store32(quoted + 44, peer_info(p).iss);
	message.payload = quoted;
	message.payload_bytes = sizeof(quoted);
	assert_int_equal(sends_icmp6(p, PEER_IP, STACK_IP, 64, message), VERDICT_DROP_ICMP_UNRELATED);
	assert_int_equal(peer_info(p).state, TCPS_SYN_SENT);
	to.local = STACK_IP; /* nor does a connection have ends of two families */
	assert_int_equal(stack_connect(p->stack, &to, &p->conn), -EADDRNOTAVAIL);
	peer_ignores_rest(p);
	p->conn = CONN_HANDLE_NONE;
	stack_stop(p->stack, true);
	peer_ignores_rest(p);
	{
		struct stack_ready ready;

		while (stack_next_ready(p->stack, &ready))
			stack_close(p->stack, ready.conn);
	}
	peer_stop_anyhow(p);
}

/* ---- TCP ---------------------------------------------------------------------------------------------------------
 */

/* RFC 9293 MUST-15: who does not say takes 1220. */
static void default_mss(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .exact_options = true });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) });
	service_sends(p, 3000);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 1220 });
	peer_ignores_rest(p);
	peer_stop_anyhow(p);
}

/* RFC 6437: one label for a flow, another for another. */
static void flow_labels(void **state)
{
	struct peer *p = peer_start(NULL);
	uint32_t label[2];

	(void)state;
	for (uint16_t i = 0; i < 2; i++) {
		struct seg syn = { .flags = TCP_SYN, .seq = 1000, .source_port = (uint16_t)(50000 + i) };

		peer_sends(p, syn);
		label[i] = peer_ip(&p->frame[p->frame_first]).flow_label;
		expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
		peer_waits(p, DURATION_MS(1100)); /* once more */
		assert_int_equal(peer_ip(&p->frame[p->frame_first]).flow_label, label[i]);
		peer_ignores_rest(p);
	}
	assert_int_not_equal(label[0], label[1]);
	assert_int_not_equal(label[0], 0);
	peer_stop_anyhow(p);
}

/* A super-frame says which family it is of. */
static void super_frames_allowed(struct stack_config *config)
{
	config->checksum_offload = true;
	config->gso_bytes_max = 65535;
}

static void super_frames(void **state)
{
	struct peer *p = peer_start(super_frames_allowed);
	struct frame_out out;
	uint32_t longest = 0;

	(void)state;
	peer_establishes(p, (struct tcp_options){ .has_mss = true, .mss = 1460 });
	assert_true(stack_send(p->stack, p->conn, p, 14600) == 14600);
	while (stack_output(p->stack, &out, 1) == 1) {
		if (out.length > longest)
			longest = out.length;
		assert_true(out.is_ipv6);
		assert_int_equal(out.checksum_start, HEADERS6);
		assert_int_equal(out.gso_bytes, out.length > 2000 ? 1460 : 0);
		assert_int_equal(load16(out.header + 12), ETHERTYPE_IPV6);
		assert_int_equal(load16(out.header + 18), out.length - HEADERS6);
	}
	assert_true(longest > 2920);
	peer_stop_anyhow(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo),
		cmocka_unit_test(errors_out),
		cmocka_unit_test(extension_headers),
		cmocka_unit_test(errors_are_limited),
		cmocka_unit_test(errors_about_errors),
		cmocka_unit_test(refused_packets),
		cmocka_unit_test(off_by_itself),
		cmocka_unit_test(packet_too_big),
		cmocka_unit_test(hard_errors),
		cmocka_unit_test(errors_across_families),
		cmocka_unit_test(default_mss),
		cmocka_unit_test(flow_labels),
		cmocka_unit_test(super_frames),
	};

	return over_ipv6() == 0 ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
