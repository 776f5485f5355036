/* ARP: questions and answers, who is believed, what waits, what is forgotten (RFC 826, RFC 1122 section 2.3.2, RFC
 * 5227). */
#include "net_test.h"

#include <errno.h>

#define OTHER_IP(n) ip_addr_v4(0xc0000214 + (uint32_t)(n)) /* 192.0.2.20 and up */

static const struct mac_addr other_mac = { { 2, 0, 0, 0, 0, 0x20 } };

/* All ARP is shown to the test. */
static struct peer *start(void (*tweak)(struct stack_config *config))
{
	struct peer *p = peer_start(tweak);

	p->answers_arp = false;
	return p;
}

static void connect_to(struct peer *p, struct ip_addr ip)
{
	struct stack_connect_options to = { .remote = ip, .remote_port = 80 };

	assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
	peer_turn(p);
}

static bool knows(struct peer *p, struct ip_addr ip, struct mac_addr mac)
{
	struct stack_neighbour_info infos[16];
	size_t count = stack_neighbours(p->stack, infos, 16);

	for (size_t i = 0; i < count; i++) {
		if (ip_addr_equal(&infos[i].ip, &ip))
			return infos[i].resolved && memcmp(&infos[i].mac, &mac, sizeof(mac)) == 0;
	}
	return false;
}

static void question_is_answered(void **state)
{
	struct peer *p = start(NULL);
	struct arp_packet arp;
	struct ip_addr stack_ip = STACK_IP, asker = OTHER_IP(0);

	(void)state;
	assert_int_equal(sends_arp(p, ARP_REQUEST, other_mac, asker, STACK_IP), VERDICT_ACCEPTED);
	arp = next_arp(p);
	assert_int_equal(arp.operation, ARP_REPLY);
	assert_true(ip_addr_equal(&arp.sender_ip, &stack_ip));
	assert_true(ip_addr_equal(&arp.target_ip, &asker));
	assert_memory_equal(&arp.target_mac, &other_mac, sizeof(other_mac));
	assert_true(knows(p, asker, other_mac)); /* and the asker is remembered */
	sends_arp(p, ARP_REQUEST, other_mac, asker, OTHER_IP(1));
	expect_nothing(p); /* not for us */
	peer_stop(p);
}

/* RFC 5227: a probe asks and tells nothing; the answer defends the address. */
static void probe_is_answered_and_not_learnt(void **state)
{
	struct peer *p = start(NULL);
	struct arp_packet arp;

	(void)state;
	sends_arp(p, ARP_REQUEST, other_mac, ip_addr_v4(0), STACK_IP);
	arp = next_arp(p);
	assert_int_equal(arp.operation, ARP_REPLY);
	assert_false(knows(p, ip_addr_v4(0), other_mac));
	peer_stop(p);
}

static void who_is_not_believed(void **state)
{
	static const struct {
		uint32_t sender;
		uint8_t mac0;
	} lies[] = {
		{ 0xc0000202, 2 }, /* our own address */
		{ 0xc0000214, 3 }, /* a group MAC */
		{ 0xc00002ff, 2 }, /* the broadcast address */
		{ 0xc0000200, 2 }, /* the network's */
		{ 0x0a000001, 2 }, /* a host that is not on this link */
		{ 0xe0000001, 2 }, /* multicast */
		{ 0x7f000001, 2 }, /* loopback */
	};
	struct peer *p = start(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct mac_addr mac = { { lies[i].mac0, 0, 0, 0, 0, 9 } };
		struct ip_addr ip = ip_addr_v4(lies[i].sender);

		assert_int_equal(sends_arp(p, ARP_REPLY, mac, ip, STACK_IP), VERDICT_DROP_ARP);
		assert_false(knows(p, ip, mac));
	}
	expect_nothing(p);
	peer_stop(p);
}

/* Who was never heard of is learnt only when it speaks to us; who is known may move (RFC 826). */
static void overheard(void **state)
{
	struct peer *p = start(NULL);
	struct mac_addr moved = { { 2, 0, 0, 0, 0, 0x21 } };

	(void)state;
	sends_arp(p, ARP_REQUEST, other_mac, OTHER_IP(0), OTHER_IP(5));
	assert_false(knows(p, OTHER_IP(0), other_mac));
	sends_arp(p, ARP_REQUEST, moved, PEER_IP, PEER_IP); /* gratuitous */
	assert_true(knows(p, PEER_IP, moved));
	peer_stop(p);
}

static void three_questions_then_silence(void **state)
{
	struct peer *p = start(NULL);

	(void)state;
	connect_to(p, OTHER_IP(0));
	for (int i = 0; i < 3; i++) {
		struct arp_packet arp = next_arp(p);
		struct ip_addr target = OTHER_IP(0);

		assert_int_equal(arp.operation, ARP_REQUEST);
		assert_true(ip_addr_equal(&arp.target_ip, &target));
		expect_nothing(p);
		if (i < 2)
			peer_waits(p, DURATION_MS(1001)); /* RFC 1122 2.3.2.1: one a second */
	}
	peer_ignores_rest(p);
	peer_stop_anyhow(p);
}

static void answer_lets_the_connection_go(void **state)
{
	struct peer *p = start(NULL);

	(void)state;
	connect_to(p, OTHER_IP(0));
	next_arp(p);
	sends_arp(p, ARP_REPLY, other_mac, OTHER_IP(0), STACK_IP);
	assert_memory_equal(p->frame[p->frame_first].bytes, &other_mac, sizeof(other_mac));
	expect(p, (struct seg){ .flags = TCP_SYN });
	peer_stop_anyhow(p);
}

/* Frames of no connection (here: echo replies) wait in a short queue. */
static void four_frames_wait(void **state)
{
	struct icmp_message ping = { .type = ICMP_ECHO, .payload = (const uint8_t *)"ping", .payload_bytes = 4 };
	struct peer *p = start(NULL);

	(void)state;
	for (ping.sequence = 0; ping.sequence < 6; ping.sequence++)
		sends_icmp(p, ping, OTHER_IP(0));
	next_arp(p); /* one question for all */
	expect_nothing(p);
	sends_arp(p, ARP_REPLY, other_mac, OTHER_IP(0), STACK_IP);
	for (uint16_t i = 0; i < 4; i++)
		assert_int_equal(next_icmp(p).sequence, i);
	expect_nothing(p);
	peer_stop(p);
}

/* What comes up in the turn in which the answer arrives goes out behind what has waited for it. */
static void what_has_waited_goes_first(void **state)
{
	struct icmp_message ping = { .type = ICMP_ECHO, .payload = (const uint8_t *)"ping", .payload_bytes = 4 };
	struct peer *p = start(NULL);

	(void)state;
	for (ping.sequence = 0; ping.sequence < 2; ping.sequence++)
		sends_icmp(p, ping, OTHER_IP(0));
	next_arp(p);
	p->holds_turn = true;
	sends_icmp(p, ping, OTHER_IP(0));
	sends_arp(p, ARP_REPLY, other_mac, OTHER_IP(0), STACK_IP);
	p->holds_turn = false;
	peer_turn(p);
	for (uint16_t i = 0; i < 3; i++)
		assert_int_equal(next_icmp(p).sequence, i);
	peer_stop(p);
}

static void waiting_frames_are_given_up(void **state)
{
	static const uint8_t large[1000];
	struct icmp_message ping = { .type = ICMP_ECHO, .payload = large, .payload_bytes = sizeof(large) };
	struct peer *p = start(NULL);
	struct stack_gauges gauges;

	(void)state;
	sends_icmp(p, ping, OTHER_IP(0));
	stack_get_gauges(p->stack, &gauges);
	assert_true(gauges.buffer_bytes > 0);
	peer_waits(p, DURATION_S(10));
	peer_ignores_rest(p);
	stack_get_gauges(p->stack, &gauges);
	assert_int_equal(gauges.buffer_bytes, 0);
	assert_int_equal(gauges.neighbours, 1); /* the peer */
	peer_stop(p);
}

static const char *state_of(struct peer *p, struct ip_addr ip)
{
	struct stack_neighbour_info infos[16];
	size_t count = stack_neighbours(p->stack, infos, 16);

	for (size_t i = 0; i < count; i++) {
		if (ip_addr_equal(&infos[i].ip, &ip))
			return stack_neighbour_state_name(infos[i].state);
	}
	return "none";
}

/* Waits until the neighbour is in that state, with nothing sent meanwhile. */
static void waits_for(struct peer *p, struct ip_addr ip, const char *state)
{
	for (int i = 0; i < 200 && strcmp(state_of(p, ip), state) != 0; i++)
		peer_waits(p, DURATION_MS(500));
	assert_string_equal(state_of(p, ip), state);
}

static void ping(struct peer *p, struct ip_addr from)
{
	struct icmp_message request = { .type = ICMP_ECHO };

	sends_icmp(p, request, from);
}

/* RFC 4861 section 7.3, for ARP as well: an answer counts for some time, after which the entry still serves; used
 * then, it is asked at its own address first, and forgotten when it keeps silent. */
static void life_of_an_entry(void **state)
{
	struct peer *p = start(NULL);

	(void)state;
	ping(p, OTHER_IP(0));
	assert_string_equal(state_of(p, OTHER_IP(0)), "incomplete");
	next_arp(p);
	sends_arp(p, ARP_REPLY, other_mac, OTHER_IP(0), STACK_IP);
	next_icmp(p);
	assert_string_equal(state_of(p, OTHER_IP(0)), "reachable");
	waits_for(p, OTHER_IP(0), "stale");
	expect_nothing(p);
	ping(p, OTHER_IP(0));
	next_icmp(p);
	assert_string_equal(state_of(p, OTHER_IP(0)), "delay");
	peer_waits(p, DURATION_MS(4900));
	expect_nothing(p);
	peer_waits(p, DURATION_MS(200));
	assert_string_equal(state_of(p, OTHER_IP(0)), "probe");
	assert_memory_equal(p->frame[p->frame_first].bytes, &other_mac, sizeof(other_mac)); /* unicast */
	assert_int_equal(next_arp(p).operation, ARP_REQUEST);
	ping(p, OTHER_IP(0)); /* meanwhile it serves */
	next_icmp(p);
	sends_arp(p, ARP_REPLY, other_mac, OTHER_IP(0), STACK_IP);
	assert_string_equal(state_of(p, OTHER_IP(0)), "reachable");
	waits_for(p, OTHER_IP(0), "stale");
	ping(p, OTHER_IP(0));
	next_icmp(p);
	peer_waits(p, DURATION_MS(5100));
	for (int i = 0; i < 3; i++) {
		next_arp(p);
		peer_waits(p, DURATION_S(1));
	}
	assert_string_equal(state_of(p, OTHER_IP(0)), "none");
	peer_stop(p);
}

static void forgotten_when_not_used(void **state)
{
	struct peer *p = start(NULL);

	(void)state;
	assert_string_equal(state_of(p, PEER_IP), "stale"); /* it asked for us, but never answered */
	peer_waits(p, DURATION_S(59));
	assert_true(knows(p, PEER_IP, p->mac));
	peer_waits(p, DURATION_S(2));
	assert_string_equal(state_of(p, PEER_IP), "none");
	peer_stop(p);
}

/* RFC 4861 section 7.3.1: where TCP gets on, nobody needs to ask. */
static void tcp_confirms(void **state)
{
	struct peer *p = start(NULL);
	struct tcp_options none = { 0 };

	(void)state;
	peer_establishes(p, none);
	for (uint32_t i = 0; i < 40; i++) {
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001 + i, .ack = OURS(1), .length = 1 });
		service_reads(p);
		peer_waits(p, DURATION_S(3));
		expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1002 + i });
		expect_nothing(p); /* no ARP */
	}
	for (uint32_t i = 0; i < 40; i++) { /* and the other way round */
		service_sends(p, 1);
		expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1 + i), .ack = 1041, .length = 1 });
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1041, .ack = OURS(2 + i) });
		peer_waits(p, DURATION_S(3));
		expect_nothing(p);
	}
	peer_stop_anyhow(p);
}

/* Old text proves nothing: the peer may never have heard of us. */
static void repetitions_confirm_nothing(void **state)
{
	struct peer *p = start(NULL);
	struct tcp_options none = { 0 };
	bool asked = false;

	(void)state;
	peer_establishes(p, none);
	for (int i = 0; i < 60; i++) {
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1000, .ack = OURS(1), .length = 1 });
		peer_waits(p, DURATION_S(1));
		while (p->frame_first < p->frame_count)
			asked |= load16(next_frame(p)->bytes + 12) == ETHERTYPE_ARP;
	}
	assert_true(asked);
	peer_stop_anyhow(p);
}

static void two_neighbours(struct stack_config *config)
{
	config->neighbours_max = 2;
}

/* More neighbours than there is room for: the one confirmed longest ago goes, but not at once. */
static void full_table(void **state)
{
	struct peer *p = start(two_neighbours); /* the peer is one of them */
	struct mac_addr mac[3] = { other_mac, other_mac, other_mac };

	(void)state;
	mac[1].b[5]++;
	mac[2].b[5] += 2;
	sends_arp(p, ARP_REQUEST, mac[0], OTHER_IP(0), STACK_IP);
	sends_arp(p, ARP_REQUEST, mac[1], OTHER_IP(1), STACK_IP); /* within the same second */
	assert_false(knows(p, OTHER_IP(1), mac[1]));
	assert_true(knows(p, PEER_IP, p->mac));
	peer_waits(p, DURATION_S(2));
	sends_arp(p, ARP_REQUEST, mac[1], OTHER_IP(1), STACK_IP);
	assert_true(knows(p, OTHER_IP(1), mac[1]));
	assert_false(knows(p, PEER_IP, p->mac)); /* it was the oldest */
	assert_true(knows(p, OTHER_IP(0), mac[0]));
	peer_ignores_rest(p);
	peer_stop(p);
}

/* Connections to more silent hosts than there is room for don't flood the link with questions. */
static void questions_are_bounded(void **state)
{
	struct peer *p = start(two_neighbours);

	(void)state;
	peer_waits(p, DURATION_S(5));
	for (int i = 0; i < 20; i++)
		connect_to(p, OTHER_IP(i));
	peer_waits(p, DURATION_S(10));
	assert_true(p->frame_count - p->frame_first <= 40);
	peer_ignores_rest(p);
	p->conn = CONN_HANDLE_NONE;
	stack_stop(p->stack, true);
	peer_ignores_rest(p);
	{
		struct stack_conn_info info[32];
		struct stack_ready ready;
		uint64_t cursor = 0;

		assert_int_equal(stack_walk(p->stack, &cursor, info, 32), 0);
		while (stack_next_ready(p->stack, &ready))
			assert_int_equal(stack_close(p->stack, ready.conn), 0);
	}
	peer_stop_anyhow(p);
}

static void with_gateway(struct stack_config *config)
{
	config->gateway = PEER_IP;
}

static void far_hosts_through_the_gateway(void **state)
{
	struct peer *p = start(NULL);
	struct stack_connect_options to = { .remote = ip_addr_v4(0xcb007105), .remote_port = 80 };

	(void)state;
	assert_int_equal(stack_connect(p->stack, &to, &p->conn), -ENETUNREACH);
	peer_stop(p);
	p = start(with_gateway);
	assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
	peer_turn(p);
	assert_memory_equal(p->frame[p->frame_first].bytes, &p->mac, sizeof(p->mac));
	expect(p, (struct seg){ .flags = TCP_SYN });
	peer_stop_anyhow(p);
}

static void announcement(void **state)
{
	struct peer *p = start(NULL);
	struct ip_addr own = STACK_IP;
	struct arp_packet arp;

	(void)state;
	stack_announce(p->stack);
	peer_turn(p);
	assert_memory_equal(p->frame[p->frame_first].bytes, &broadcast_mac, sizeof(broadcast_mac));
	arp = next_arp(p);
	assert_true(ip_addr_equal(&arp.sender_ip, &own) && ip_addr_equal(&arp.target_ip, &own));
	peer_stop(p);
}

static void no_memory(void **state)
{
	struct icmp_message ping = { .type = ICMP_ECHO, .payload = (const uint8_t *)"x", .payload_bytes = 1 };
	struct peer *p = start(NULL);

	(void)state;
	test_memory_fail_after(&p->memory, 1); /* enough for the message, not for its waiting */
	sends_icmp(p, ping, OTHER_IP(0));
	test_memory_fail_never(&p->memory);
	peer_ignores_rest(p);
	sends_arp(p, ARP_REPLY, other_mac, OTHER_IP(0), STACK_IP);
	expect_nothing(p);
	peer_stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(question_is_answered),
		cmocka_unit_test(probe_is_answered_and_not_learnt),
		cmocka_unit_test(who_is_not_believed),
		cmocka_unit_test(overheard),
		cmocka_unit_test(three_questions_then_silence),
		cmocka_unit_test(answer_lets_the_connection_go),
		cmocka_unit_test(four_frames_wait),
		cmocka_unit_test(what_has_waited_goes_first),
		cmocka_unit_test(waiting_frames_are_given_up),
		cmocka_unit_test(life_of_an_entry),
		cmocka_unit_test(forgotten_when_not_used),
		cmocka_unit_test(tcp_confirms),
		cmocka_unit_test(repetitions_confirm_nothing),
		cmocka_unit_test(full_table),
		cmocka_unit_test(questions_are_bounded),
		cmocka_unit_test(far_hosts_through_the_gateway),
		cmocka_unit_test(announcement),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
