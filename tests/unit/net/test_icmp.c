/* ICMP and the IP layer: echo, errors out, errors in (RFC 792, RFC 1122 section 3.2.2, RFC 1191, RFC 5927), and which
 * packets are taken at all. */
#include "net_test.h"

static const struct tcp_options none = { 0 };

static void echo(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 56, 86, 87, 1000, 1472 };
	struct peer *p = peer_start(NULL);
	uint8_t payload[1472];

	(void)state;
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct icmp_message ping = { .type = ICMP_ECHO,
			                     .id = 77,
			                     .sequence = (uint16_t)i,
			                     .payload = payload,
			                     .payload_bytes = sizes[i] };
		struct icmp_message pong;

		assert_int_equal(sends_icmp(p, ping, PEER_IP), VERDICT_ACCEPTED);
		pong = next_icmp(p);
		assert_int_equal(pong.type, ICMP_ECHO_REPLY);
		assert_int_equal(pong.id, 77);
		assert_int_equal(pong.sequence, i);
		assert_int_equal(pong.payload_bytes, sizes[i]);
		assert_memory_equal(pong.payload, payload, sizes[i]);
	}
	peer_stop(p);
}

static void unknown_protocols_are_told(void **state)
{
	static const uint8_t bytes[40] = { 1, 2, 3 };
	struct peer *p = peer_start(NULL);
	struct icmp_message error;

	(void)state;
	assert_int_equal(sends_ip(p, (struct ip_packet){ .protocol = IP_PROTOCOL_UDP }, bytes, 40),
	                 VERDICT_DROP_PROTOCOL);
	error = next_icmp(p);
	assert_int_equal(error.type, ICMP_UNREACHABLE);
	assert_int_equal(error.code, ICMP_PORT_UNREACHABLE);
	assert_int_equal(error.payload_bytes, IPV4_HEADER_BYTES + 40);
	assert_memory_equal(error.payload + IPV4_HEADER_BYTES, bytes, 40);
	sends_ip(p, (struct ip_packet){ .protocol = 99 }, bytes, 40);
	assert_int_equal(next_icmp(p).code, ICMP_PROTOCOL_UNREACHABLE);
	sends_ip(p, (struct ip_packet){ .protocol = 99, .destination = ip_addr_v4(0xc00002ff) }, bytes, 40);
	expect_nothing(p); /* never about a broadcast: RFC 1122 3.2.2 */
	peer_stop(p);
}

/* RFC 1812 4.3.2.3 and 4.3.2.8: as much as fits 576 bytes, and not too often. */
static void errors_are_short_and_limited(void **state)
{
	static const uint8_t bytes[1400];
	struct peer *p = peer_start(NULL);
	uint32_t sent;

	(void)state;
	sends_ip(p, (struct ip_packet){ .protocol = 99 }, bytes, sizeof(bytes));
	assert_int_equal(p->frame[p->frame_first].length, ETHERNET_HEADER_BYTES + 576);
	peer_ignores_rest(p);
	for (int i = 0; i < 500; i++)
		sends_ip(p, (struct ip_packet){ .protocol = 99 }, bytes, 20);
	sent = p->frame_count - p->frame_first;
	assert_in_range(sent, 1, 100);
	peer_ignores_rest(p);
	peer_waits(p, DURATION_MS(100));
	for (int i = 0; i < 500; i++)
		sends_ip(p, (struct ip_packet){ .protocol = 99 }, bytes, 20);
	assert_int_equal(p->frame_count - p->frame_first, 10); /* 100 a second */
	peer_ignores_rest(p);
	peer_stop(p);
}

static void malformed(void **state)
{
	static const uint8_t bytes[8] = { ICMP_ECHO, 0, 0x12, 0x34 };
	struct icmp_message redirect = { .type = 5, .payload = bytes, .payload_bytes = 8 };
	struct icmp_message quench = { .type = ICMP_SOURCE_QUENCH, .payload = bytes, .payload_bytes = 8 };
	struct icmp_message cut = { .type = ICMP_UNREACHABLE, .payload = bytes, .payload_bytes = 8 };
	struct peer *p = peer_start(NULL);
	struct ip_packet icmp = { .protocol = IP_PROTOCOL_ICMP };

	(void)state;
	assert_int_equal(sends_ip(p, icmp, bytes, 7), VERDICT_DROP_ICMP);
	assert_int_equal(sends_ip(p, icmp, bytes, 8), VERDICT_DROP_ICMP); /* checksum */
	assert_int_equal(sends_icmp(p, redirect, PEER_IP), VERDICT_DROP_ICMP);
	assert_int_equal(sends_icmp(p, quench, PEER_IP), VERDICT_DROP_ICMP); /* RFC 6633 */
	assert_int_equal(sends_icmp(p, cut, PEER_IP), VERDICT_DROP_ICMP_UNRELATED);
	icmp.destination = ip_addr_v4(0xc00002ff);
	assert_int_equal(sends_ip(p, icmp, bytes, 8), VERDICT_DROP_ICMP);
	expect_nothing(p);
	peer_stop(p);
}

static void refused_packets(void **state)
{
	static const struct {
		uint32_t source, destination;
		enum stack_verdict verdict;
	} packets[] = {
		{ 0xc0000202, 0xc0000202, VERDICT_DROP_IP_SOURCE },      /* LAND */
		{ 0xc00002ff, 0xc0000202, VERDICT_DROP_IP_SOURCE },      /* from broadcast */
		{ 0xe0000001, 0xc0000202, VERDICT_DROP_IP_SOURCE },      /* from multicast */
		{ 0x7f000001, 0xc0000202, VERDICT_DROP_IP_SOURCE },      /* from loopback */
		{ 0xc0000201, 0xc0000203, VERDICT_DROP_IP_DESTINATION }, /* to somebody else */
		{ 0xc0000201, 0x0a000001, VERDICT_DROP_IP_DESTINATION }, /* we are no router */
		{ 0xc0000201, 0xc00002ff, VERDICT_DROP_BROADCAST },      /* TCP to broadcast: RFC 9293 MUST-57 */
		{ 0xc0000201, 0xe0000001, VERDICT_DROP_BROADCAST },      /* and multicast */
	};
	struct peer *p = peer_start(NULL);
	uint8_t tcp[20] = { 0 };

	(void)state;
	tcp[12] = 0x50;
	tcp[13] = TCP_SYN;
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		struct ip_packet ip = { .source = ip_addr_v4(packets[i].source),
			                .destination = ip_addr_v4(packets[i].destination),
			                .protocol = IP_PROTOCOL_TCP };

		assert_int_equal(sends_ip(p, ip, tcp, sizeof(tcp)), packets[i].verdict);
	}
	expect_nothing(p);
	peer_stop(p);
}

/* RFC 1122 3.2.2, 3.3.6: what all on the link can hear is not for us alone, whatever its IP header says. */
static void frames_for_all(void **state)
{
	struct peer *p = peer_start(NULL);
	struct ethernet_header ethernet = { .destination = broadcast_mac, .source = p->mac, .type = ETHERTYPE_IPV4 };
	struct ip_packet ip = { .source = PEER_IP,
		                .destination = STACK_IP,
		                .ttl = 64,
		                .protocol = IP_PROTOCOL_UDP,
		                .payload_bytes = 20 };
	uint8_t frame[HEADERS + 20] = { [HEADERS + 12] = 0x50, TCP_SYN };

	(void)state;
	ethernet_write(frame, &ethernet);
	ipv4_write(frame + ETHERNET_HEADER_BYTES, &ip);
	assert_int_equal(peer_sends_frame(p, frame, sizeof(frame)), VERDICT_DROP_PROTOCOL);
	ip.protocol = IP_PROTOCOL_TCP;
	ipv4_write(frame + ETHERNET_HEADER_BYTES, &ip);
	assert_int_equal(peer_sends_frame(p, frame, sizeof(frame)), VERDICT_DROP_BROADCAST);
	expect_nothing(p);
	peer_stop(p);
}

/* ---- errors about connections ------------------------------------------------------------------------------------
 */

/* The stack's own packet, as a router quotes it. */
static enum stack_verdict complains(struct peer *p, uint8_t type, uint8_t code, uint16_t mtu, uint16_t local_port,
                                    uint16_t remote_port, uint32_t seq)
{
	uint8_t quoted[28] = { 0 };
	struct ip_packet about = {
		.source = STACK_IP, .destination = PEER_IP, .protocol = IP_PROTOCOL_TCP, .payload_bytes = 8
	};
	struct icmp_message message = {
		.type = type, .code = code, .next_hop_mtu = mtu, .payload = quoted, .payload_bytes = sizeof(quoted)
	};

	ipv4_write(quoted, &about);
	store16(quoted + 20, local_port);
	store16(quoted + 22, remote_port);
	store32(quoted + 24, seq);
	return sends_icmp(p, message, PEER_IP);
}

static void connecting(struct peer *p)
{
	struct stack_connect_options to = { .remote = PEER_IP, .remote_port = 80, .local_port = 5000 };

	assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
}

/* RFC 5927 5.2: hard errors end only what is still being opened. */
static void hard_error_ends_an_attempt(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	connecting(p);
	assert_int_equal(complains(p, ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE, 0, 5000, 80, p->iss),
	                 VERDICT_ACCEPTED);
	assert_int_equal(peer_state(p), TCPS_SYN_SENT); /* soft: the path may come back */
	assert_int_equal(complains(p, ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE, 0, 5000, 80, p->iss),
	                 VERDICT_ACCEPTED);
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	assert_true(p->ready_flags & READY_ERROR);
	assert_int_equal(p->ready.cause, CAUSE_ICMP_HARD_ERROR);
	peer_stop(p);
}

static void hard_error_does_not_end_a_connection(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	service_sends(p, 100);
	peer_ignores_rest(p);
	assert_int_equal(complains(p, ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE, 0, SERVICE_PORT, PEER_PORT, OURS(1)),
	                 VERDICT_ACCEPTED);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop_anyhow(p);
}

/* RFC 5927 section 4.1: an error about nothing that is in flight is made up. */
static void sequence_number_must_be_in_flight(void **state)
{
	static const struct {
		int32_t seq; /* from what is unacknowledged */
		bool taken;
	} errors[] = { { -1, false }, { 0, true }, { 99, true }, { 100, false }, { 1000000, false } };
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	assert_int_equal(complains(p, ICMP_UNREACHABLE, 0, 0, SERVICE_PORT, PEER_PORT, OURS(1)),
	                 VERDICT_DROP_ICMP_UNRELATED); /* nothing at all is */
	service_sends(p, 100);
	peer_ignores_rest(p);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		assert_int_equal(
		        complains(p, ICMP_UNREACHABLE, 0, 0, SERVICE_PORT, PEER_PORT, OURS(1 + errors[i].seq)),
		        errors[i].taken ? VERDICT_ACCEPTED : VERDICT_DROP_ICMP_UNRELATED);
	assert_int_equal(complains(p, ICMP_UNREACHABLE, 0, 0, SERVICE_PORT, PEER_PORT + 1, OURS(1)),
	                 VERDICT_DROP_ICMP_UNRELATED);
	peer_stop_anyhow(p);
}

/* RFC 1191. */
static void path_mtu(void **state)
{
	struct tcp_options big = { .has_mss = true, .mss = 1460 };
	struct peer *p = peer_start(NULL);
	struct stack_conn_info info;

	(void)state;
	peer_establishes(p, big);
	service_sends(p, 1460);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 1460 });
	complains(p, ICMP_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, 2000, SERVICE_PORT, PEER_PORT, OURS(1));
	expect_nothing(p); /* larger than what we send: nonsense */
	complains(p, ICMP_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, 1000, SERVICE_PORT, PEER_PORT, OURS(1));
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001, .length = 960 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(961), .ack = 1001, .length = 500 });
	assert_int_equal(stack_info(p->stack, p->conn, &info), 0);
	assert_int_equal(info.mss, 960);
	complains(p, ICMP_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, 68, SERVICE_PORT, PEER_PORT, OURS(1));
	assert_int_equal(stack_info(p->stack, p->conn, &info), 0);
	assert_int_equal(info.mss, 552 - 40); /* nobody talks us into crumbs */
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1461) });
	peer_stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo),
		cmocka_unit_test(unknown_protocols_are_told),
		cmocka_unit_test(errors_are_short_and_limited),
		cmocka_unit_test(malformed),
		cmocka_unit_test(refused_packets),
		cmocka_unit_test(frames_for_all),
		cmocka_unit_test(hard_error_ends_an_attempt),
		cmocka_unit_test(hard_error_does_not_end_a_connection),
		cmocka_unit_test(sequence_number_must_be_in_flight),
		cmocka_unit_test(path_mtu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
