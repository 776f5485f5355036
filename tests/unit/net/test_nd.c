/* Neighbour discovery: questions and answers, who is believed, the states of entries, duplicate addresses, MLD
 * (RFC 4861 sections 7.1 to 7.3, RFC 4862 section 5.4, RFC 3810). */
#include "net6_test.h"

#include <errno.h>

static const struct mac_addr moved_mac = { { 2, 0, 0, 0, 0, 0x21 } };

static struct nd_message asks(struct ip_addr target, const struct mac_addr *mac)
{
	struct nd_message message = { .type = ICMP6_NEIGHBOUR_SOLICITATION, .target = target };

	if (mac) {
		message.options.has_source_mac = true;
		message.options.source_mac = *mac;
	}
	return message;
}

static struct nd_message says(struct ip_addr target, const struct mac_addr *mac, bool solicited, bool override)
{
	struct nd_message message = {
		.type = ICMP6_NEIGHBOUR_ADVERTISEMENT, .target = target, .solicited = solicited, .override = override
	};

	if (mac) {
		message.options.has_target_mac = true;
		message.options.target_mac = *mac;
	}
	return message;
}

/* An entry that has just answered. */
static void make_reachable(struct peer *p, struct ip_addr ip)
{
	struct ip_packet header;

	pings(p, ip, STACK_IP, 1);
	next_nd(p, ICMP6_NEIGHBOUR_SOLICITATION, &header);
	assert_int_equal(sends_nd(p, ip, STACK_IP, says(ip, &other_mac, true, true)), VERDICT_ACCEPTED);
	next_icmp6(p, &header);
	assert_string_equal(state_of(p, ip), "reachable");
}

static void waits_for(struct peer *p, struct ip_addr ip, const char *state)
{
	for (int i = 0; i < 200 && strcmp(state_of(p, ip), state) != 0; i++)
		peer_waits(p, DURATION_MS(500));
	assert_string_equal(state_of(p, ip), state);
}

static void question_is_answered(void **state)
{
	struct peer *p = start6(NULL);
	struct ip_addr own[] = { STACK_IP, STACK_NEAR_IP }, asker[] = { OTHER_IP(0), NEAR_IP(9) };
	struct ip_packet ip;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct nd_message answer;

		assert_int_equal(sends_nd(p, asker[i], ipv6_solicited_node(&own[i]), asks(own[i], &other_mac)),
		                 VERDICT_ACCEPTED);
		assert_memory_equal(p->frame[p->frame_first].bytes, &other_mac, 6);
		answer = next_nd(p, ICMP6_NEIGHBOUR_ADVERTISEMENT, &ip);
		assert_true(ip_addr_equal(&ip.source, &own[i]) && ip_addr_equal(&ip.destination, &asker[i]));
		assert_true(ip_addr_equal(&answer.target, &own[i]));
		assert_true(answer.solicited && answer.override && !answer.router);
		assert_memory_equal(&answer.options.target_mac, &stack_mac, 6);
		assert_string_equal(state_of(p, asker[i]), "stale"); /* it asked; it did not answer */
	}
	peer_stop(p);
}

/* Who does not say where he is has to be asked first: RFC 4861 section 7.2.4. */
static void question_without_mac(void **state)
{
	struct peer *p = start6(NULL);
	struct ip_addr asker = OTHER_IP(0);
	struct nd_message message;
	struct ip_packet ip;

	(void)state;
	assert_int_equal(sends_nd(p, asker, STACK_IP, asks(STACK_IP, NULL)), VERDICT_ACCEPTED);
	message = next_nd(p, ICMP6_NEIGHBOUR_SOLICITATION, &ip);
	assert_true(ip_addr_equal(&message.target, &asker));
	sends_nd(p, asker, STACK_IP, says(asker, &other_mac, true, true));
	for (int i = 0; i < 2; i++) {
		assert_memory_equal(p->frame[p->frame_first].bytes, &other_mac, 6);
		message = next_nd(p, ICMP6_NEIGHBOUR_ADVERTISEMENT, &ip);
		assert_true(message.solicited && ip_addr_equal(&ip.destination, &asker));
		expect_nothing(p);
		sends_nd(p, asker, STACK_IP, asks(STACK_IP, NULL)); /* now it is known */
	}
	peer_ignores_rest(p);
	peer_stop(p);
}

/* RFC 4861 section 7.1.1, 7.1.2, RFC 6980: nothing of it is taken, and nobody learnt. */
static void invalid_messages(void **state)
{
	struct peer *p = start6(NULL);
	struct ip_addr own = STACK_IP, group = ipv6_solicited_node(&own), other = OTHER_IP(0);
	static const struct mac_addr group_mac = { { 3, 0, 0, 0, 0, 1 } };
	struct icmp6_message raw = { .type = ICMP6_NEIGHBOUR_SOLICITATION };
	uint8_t payload[24];
	struct ip_packet ip = { .source = other, .protocol = IP_PROTOCOL_FRAGMENT, .ttl = 255 };
	uint8_t bytes[ND_MESSAGE_BYTES_MAX + 8];
	struct nd_message question = asks(own, &other_mac);
	uint32_t length;

	(void)state;
	memcpy(payload, own.b, 16);
	memcpy(payload + 16, "\1\1\2\0\0\0\0\x20", 8);
	raw.payload = payload;
	raw.payload_bytes = 24;
	assert_int_equal(sends_icmp6(p, other, own, 254, raw), VERDICT_DROP_ND); /* from beyond a router */
	raw.code = 1;
	assert_int_equal(sends_icmp6(p, other, own, 255, raw), VERDICT_DROP_ND);
	assert_int_equal(sends_nd(p, NOWHERE, group, asks(own, &other_mac)), VERDICT_DROP_ND); /* a MAC of nobody */
	assert_int_equal(sends_nd(p, NOWHERE, own, asks(own, NULL)), VERDICT_DROP_ND);
	assert_int_equal(sends_nd(p, other, group, asks(own, &group_mac)), VERDICT_DROP_ND);
	assert_int_equal(sends_nd(p, other, group, asks(OTHER_IP(1), &other_mac)), VERDICT_DROP_ND);
	assert_int_equal(sends_nd(p, STRANGE_IP, own, asks(own, &other_mac)), VERDICT_DROP_ND); /* CVE-2008-2476 */
	assert_int_equal(sends_nd(p, other, IPV6_ALL_NODES, says(other, &other_mac, true, true)), VERDICT_DROP_ND);
	assert_int_equal(sends_nd(p, other, own, says(other, &other_mac, false, true)),
	                 VERDICT_DROP_ND); /* unasked */
	/* Neither in two fragments nor in one. */
	length = (uint32_t)nd_write(bytes + 8, &other, &own, &question);
	ip.id = 1;
	ipv6_write_fragment(bytes, &ip, IP_PROTOCOL_ICMPV6);
	assert_int_equal(sends_ip6(p, ip, bytes, 8 + length), VERDICT_DROP_ND);
	ip.more_fragments = true;
	ipv6_write_fragment(bytes, &ip, IP_PROTOCOL_ICMPV6);
	assert_int_equal(sends_ip6(p, ip, bytes, 8 + 16), VERDICT_FRAGMENT_HELD);
	ip.more_fragments = false;
	ip.fragment_offset = 16;
	memmove(bytes + 8, bytes + 24, length - 16);
	ipv6_write_fragment(bytes, &ip, IP_PROTOCOL_ICMPV6);
	assert_int_equal(sends_ip6(p, ip, bytes, 8 + length - 16), VERDICT_DROP_ND);
	assert_string_equal(state_of(p, other), "none");
	assert_string_equal(state_of(p, STRANGE_IP), "none");
	expect_nothing(p);
	peer_stop(p);
}

/* RFC 4942: IPv4 in IPv6's clothes would be taken for IPv4 in here. */
static void with_ipv4(struct stack_config *config)
{
	config->address[config->address_count++] = (struct stack_address){ ip_addr_v4(0xc0000202), 120 };
}

static void mapped_addresses(void **state)
{
	struct peer *p = start6(with_ipv4);
	struct ip_addr mapped = ip_addr_v4(0xc0000202), peer = ip_addr_v4(0xc0000201);
	uint8_t tcp[20] = { 0x9c, 0x40, 0, 7, [12] = 0x50, 2 };

	(void)state;
	assert_int_equal(sends_nd(p, OTHER_IP(0), STACK_IP, asks(mapped, &other_mac)), VERDICT_DROP_ND);
	assert_int_equal(sends_nd(p, OTHER_IP(0), STACK_IP, says(mapped, &other_mac, true, true)), VERDICT_DROP_ND);
	assert_int_equal(
	        sends_ip6(p, (struct ip_packet){ .source = peer, .protocol = IP_PROTOCOL_TCP }, tcp, sizeof(tcp)),
	        VERDICT_DROP_IP_SOURCE);
	assert_int_equal(sends_ip6(p,
	                           (struct ip_packet){ .source = OTHER_IP(0),
	                                               .destination = mapped,
	                                               .protocol = IP_PROTOCOL_TCP },
	                           tcp, sizeof(tcp)),
	                 VERDICT_DROP_IP_DESTINATION);
	expect_nothing(p);
	peer_stop(p);
}

/* What an advertisement does to an entry: RFC 4861 section 7.2.5. */
static void advertisements(void **state)
{
	static const struct {
		const char *before;
		bool has_mac, moves, solicited, override;
		const char *after;
		bool moved;
	} rows[] = {
		{ "incomplete", false, false, true, true, "incomplete", false },
		{ "incomplete", true, false, true, false, "reachable", false },
		{ "incomplete", true, false, false, true, "stale", false },
		{ "reachable", true, true, true, false, "stale", false },
		{ "reachable", true, true, false, false, "stale", false },
		{ "reachable", true, true, false, true, "stale", true },
		{ "reachable", true, true, true, true, "reachable", true },
		{ "reachable", true, false, false, true, "reachable", false },
		{ "stale", true, true, true, false, "stale", false },
		{ "stale", true, false, true, false, "reachable", false },
		{ "stale", false, false, true, false, "reachable", false },
		{ "stale", false, false, false, true, "stale", false },
		{ "stale", true, true, true, true, "reachable", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct peer *p = start6(NULL);
		struct ip_addr ip = OTHER_IP(0);

		if (strcmp(rows[i].before, "incomplete") == 0) {
			pings(p, ip, STACK_IP, 1);
		} else {
			make_reachable(p, ip);
			if (strcmp(rows[i].before, "stale") == 0)
				waits_for(p, ip, "stale");
		}
		assert_string_equal(state_of(p, ip), rows[i].before);
		sends_nd(p, ip, STACK_IP,
		         says(ip, rows[i].has_mac ? (rows[i].moves ? &moved_mac : &other_mac) : NULL,
		              rows[i].solicited, rows[i].override));
		if (strcmp(rows[i].after, state_of(p, ip)) != 0 || knows(p, ip, moved_mac) != rows[i].moved) {
			/* An answer to what waits makes use of the entry. */
			if (strcmp(state_of(p, ip), "delay") != 0 || strcmp(rows[i].after, "stale") != 0)
				fail_msg("row %zu: %s", i, state_of(p, ip));
		}
		peer_ignores_rest(p);
		peer_stop_anyhow(p);
	}
}

/* Stale, delayed, asked at its own address, given up; TCP alone can keep it alive. */
static void life_of_an_entry(void **state)
{
	struct peer *p = start6(NULL);
	struct ip_addr ip = OTHER_IP(0);
	struct ip_packet header;

	(void)state;
	make_reachable(p, ip);
	waits_for(p, ip, "stale");
	pings(p, ip, STACK_IP, 2);
	next_icmp6(p, &header);
	assert_string_equal(state_of(p, ip), "delay");
	peer_waits(p, DURATION_MS(4900));
	expect_nothing(p);
	for (int i = 0; i < 3; i++) {
		struct nd_message question;

		peer_waits(p, DURATION_MS(i == 0 ? 200 : 1000));
		assert_string_equal(state_of(p, ip), "probe");
		assert_memory_equal(p->frame[p->frame_first].bytes, &other_mac, 6);
		question = next_nd(p, ICMP6_NEIGHBOUR_SOLICITATION, &header);
		assert_true(ip_addr_equal(&header.destination, &ip) && ip_addr_equal(&question.target, &ip));
		assert_memory_equal(&question.options.source_mac, &stack_mac, 6);
		expect_nothing(p);
	}
	peer_waits(p, DURATION_S(1));
	assert_string_equal(state_of(p, ip), "none");
	peer_stop(p);
}

static void tcp_confirms(void **state)
{
	struct peer *p = start6(NULL);

	(void)state;
	peer_establishes(p, (struct tcp_options){ 0 });
	for (uint32_t i = 0; i < 30; i++) {
		service_sends(p, 1);
		expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1 + i), .ack = 1001, .length = 1 });
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(2 + i) });
		peer_waits(p, DURATION_S(4));
		expect_nothing(p);
	}
	peer_stop_anyhow(p);
}

/* Three questions to the group, one a second, then none. */
static void nobody_answers(void **state)
{
	struct peer *p = start6(NULL);
	struct ip_addr ip = NEAR_IP(7), group = ipv6_solicited_node(&ip);
	struct ip_packet header;

	(void)state;
	pings(p, ip, STACK_NEAR_IP, 1);
	for (int i = 0; i < 3; i++) {
		struct ip_addr near = STACK_NEAR_IP;

		next_nd(p, ICMP6_NEIGHBOUR_SOLICITATION, &header);
		assert_true(ip_addr_equal(&header.destination, &group));
		assert_true(ip_addr_equal(&header.source, &near)); /* RFC 6724 rule 2 */
		expect_nothing(p);
		peer_waits(p, DURATION_MS(1001));
	}
	expect_nothing(p);
	assert_string_equal(state_of(p, ip), "none");
	peer_stop(p);
}

static void small_table(struct stack_config *config)
{
	config->neighbours_max = 16;
}

/* RFC 6583: a flood from addresses that don't exist leaves those alone that do, and questions are bounded. */
static void scan(void **state)
{
	struct peer *p = start6(small_table);
	uint64_t before;

	(void)state;
	for (uint8_t i = 0; i < 7; i++)
		sends_nd(p, OTHER_IP(i), STACK_IP, asks(STACK_IP, &other_mac));
	peer_ignores_rest(p);
	before = stack_get_counters(p->stack)->neighbour_solicitations_out;
	for (int round = 0; round < 50; round++) {
		for (uint8_t i = 0; i < 100; i++) {
			struct ip_addr nobody = { { 0x20, 0x01, 0x0d, 0xb8, [13] = 1, (uint8_t)round, i } };

			pings(p, nobody, STACK_IP, 1);
		}
		peer_waits(p, DURATION_MS(200));
		peer_ignores_rest(p);
	}
	for (uint8_t i = 0; i < 7; i++)
		assert_true(knows(p, OTHER_IP(i), other_mac));
	/* Ten seconds, half of 16 entries, each asked for at most three times but not younger than a second. */
	assert_in_range(stack_get_counters(p->stack)->neighbour_solicitations_out - before, 1, 8 * 11 * 2);
	assert_true(stack_get_counters(p->stack)->neighbours_refused > 4000);
	peer_stop_anyhow(p);
}

/* ---- duplicate address detection ----------------------------------------------------------------------------------
 */

static void with_detection(struct stack_config *config)
{
	config->dad_transmits = 1;
}

static void stable_identifiers(struct stack_config *config)
{
	config->dad_transmits = 1;
	memset(config->stable_secret, 5, sizeof(config->stable_secret));
}

/* The stack's first seconds: the next question about an address of its own. */
static struct nd_message next_probe(struct peer *p)
{
	for (int i = 0; i < 400; i++) {
		while (p->frame_first < p->frame_count) {
			struct ip_packet ip;
			struct icmp6_message icmp = next_icmp6(p, &ip);
			struct ip_addr group;
			struct nd_message message;

			if (icmp.type != ICMP6_NEIGHBOUR_SOLICITATION)
				continue;
			assert_int_equal(nd_read(&icmp, &message), 0);
			group = ipv6_solicited_node(&message.target);
			assert_true(ipv6_is_unspecified(&ip.source));
			assert_true(ip_addr_equal(&ip.destination, &group));
			assert_false(message.options.has_source_mac);
			assert_true(message.options.has_nonce);
			return message;
		}
		peer_waits(p, DURATION_MS(10));
	}
	fail_msg("no question");
	return (struct nd_message){ 0 };
}

static struct peer *start_tentative(void (*tweak)(struct stack_config *config))
{
	struct peer *p = peer_start(tweak);

	p->answers_arp = false;
	return p;
}

static void address_is_tried_first(void **state)
{
	struct peer *p = start_tentative(with_detection);
	struct stack_connect_options to = { .remote = PEER_IP, .remote_port = 80 };
	struct ip_addr group;
	struct ip_packet ip;

	(void)state;
	assert_string_equal(own_state(p, STACK_IP, NULL), "tentative");
	assert_int_equal(stack_connect(p->stack, &to, &p->conn), -ENETUNREACH); /* no address to speak from */
	assert_int_equal(pings(p, PEER_IP, STACK_IP, 1), VERDICT_DROP_IP_DESTINATION);
	next_probe(p);
	next_probe(p); /* of the link-local address */
	peer_waits(p, DURATION_MS(2500));
	peer_ignores_rest(p);
	assert_string_equal(own_state(p, STACK_IP, NULL), "preferred");
	assert_string_equal(own_state(p, STACK_NEAR_IP, NULL), "preferred");
	/* From now on it is defended. */
	group = STACK_IP;
	group = ipv6_solicited_node(&group);
	sends_nd(p, NOWHERE, group, asks(STACK_IP, NULL));
	assert_false(next_nd(p, ICMP6_NEIGHBOUR_ADVERTISEMENT, &ip).solicited);
	group = IPV6_ALL_NODES;
	assert_true(ip_addr_equal(&ip.destination, &group));
	peer_stop(p);
}

/* Somebody has it, or tries it at the same time (RFC 4862 sections 5.4.3, 5.4.4). */
static void address_is_taken(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) {
		struct peer *p = start_tentative(with_detection);
		struct ip_addr own = STACK_IP;

		if (how < 2) /* who has it says so from the address itself, or from another one of its own */
			assert_int_equal(sends_nd(p, how == 0 ? own : NEAR_IP(9), IPV6_ALL_NODES,
			                          says(own, &other_mac, false, true)),
			                 VERDICT_ACCEPTED);
		else
			assert_int_equal(sends_nd(p, NOWHERE, ipv6_solicited_node(&own), asks(own, NULL)),
			                 VERDICT_ACCEPTED);
		assert_string_equal(own_state(p, own, NULL), "duplicate");
		peer_waits(p, DURATION_S(5));
		assert_string_equal(own_state(p, own, NULL), "duplicate");
		assert_int_equal(pings(p, PEER_IP, own, 1), VERDICT_DROP_IP_DESTINATION);
		/* It is the other's now: nothing to complain about. */
		assert_int_equal(sends_nd(p, own, IPV6_ALL_NODES, says(own, &other_mac, false, true)),
		                 VERDICT_DROP_ND);
		assert_int_equal(stack_get_counters(p->stack)->address_conflicts, 0);
		peer_stop_anyhow(p);
	}
}

/* Somebody takes it later (RFC 4862 section 5.4.4): it stays ours, and is counted. Anything else that comes with an
 * address of ours is not listened to. */
static void address_is_claimed(void **state)
{
	struct peer *p = start6(NULL);
	struct ip_addr own = STACK_IP;

	(void)state;
	assert_int_equal(sends_nd(p, own, IPV6_ALL_NODES, says(own, &other_mac, false, true)), VERDICT_DROP_ND);
	assert_int_equal(stack_get_counters(p->stack)->address_conflicts, 1);
	assert_string_equal(own_state(p, own, NULL), "preferred");
	assert_int_equal(sends_nd(p, own, own, asks(own, &other_mac)), VERDICT_DROP_IP_SOURCE);
	assert_int_equal(pings(p, own, own, 1), VERDICT_DROP_IP_SOURCE);
	assert_string_equal(state_of(p, own), "none");
	expect_nothing(p);
	peer_stop(p);
}

/* RFC 7527: a switch that sends our own question back is nobody else. */
static void own_question_comes_back(void **state)
{
	struct peer *p = start_tentative(with_detection);
	struct nd_message question = next_probe(p);
	struct ip_addr group = ipv6_solicited_node(&question.target);

	(void)state;
	sends_nd(p, NOWHERE, group, question);
	assert_string_equal(own_state(p, question.target, NULL), "tentative");
	question.options.nonce[0] ^= 1;
	sends_nd(p, NOWHERE, group, question);
	assert_string_equal(own_state(p, question.target, NULL), "duplicate");
	peer_stop_anyhow(p);
}

static struct ip_addr made_address(struct peer *p)
{
	struct stack_address_info infos[4];
	size_t count = stack_addresses(p->stack, infos, 4);

	for (size_t i = 0; i < count; i++) {
		if (infos[i].origin == STACK_ADDRESS_LINK_LOCAL)
			return infos[i].address.ip;
	}
	fail_msg("no link-local address");
	return IP_ADDR_ANY;
}

/* RFC 7217: the same each time, another one when it is taken, and no MAC in it. */
static void stable_address(void **state)
{
	struct peer *p = start_tentative(stable_identifiers), *again = start_tentative(stable_identifiers);
	struct ip_addr first = made_address(p), same = made_address(again), second, from_mac = STACK_NEAR_IP;

	(void)state;
	assert_true(ip_addr_equal(&first, &same));
	assert_false(ip_addr_equal(&first, &from_mac));
	assert_true(ipv6_is_link_local(&first));
	sends_nd(p, NOWHERE, ipv6_solicited_node(&first), asks(first, NULL));
	second = made_address(p);
	assert_false(ip_addr_equal(&first, &second));
	assert_string_equal(own_state(p, second, NULL), "tentative");
	for (int i = 0; i < 3; i++) {
		second = made_address(p);
		sends_nd(p, NOWHERE, ipv6_solicited_node(&second), asks(second, NULL));
	}
	assert_string_equal(own_state(p, second, NULL), "duplicate"); /* enough tried */
	assert_int_equal(stack_get_counters(p->stack)->duplicate_addresses, 4);
	peer_stop_anyhow(p);
	peer_stop_anyhow(again);
}

static void announcement(void **state)
{
	struct peer *p = start6(NULL);
	struct ip_addr own[] = { STACK_IP, STACK_NEAR_IP }, all = IPV6_ALL_NODES;
	struct ip_packet ip;

	(void)state;
	stack_announce(p->stack);
	peer_turn(p);
	for (size_t i = 0; i < 2; i++) {
		struct nd_message message = next_nd(p, ICMP6_NEIGHBOUR_ADVERTISEMENT, &ip);

		assert_true(ip_addr_equal(&message.target, &own[i]) && ip_addr_equal(&ip.destination, &all));
		assert_true(message.override && !message.solicited);
	}
	peer_ignores_rest(p);
	peer_stop_anyhow(p);
}

/* ---- MLD ---------------------------------------------------------------------------------------------------------
 */

static void expect_report(struct peer *p, uint8_t kind)
{
	struct ip_addr own[] = { STACK_IP, STACK_NEAR_IP };
	struct ip_packet ip;
	struct icmp6_message report = next_icmp6(p, &ip);

	assert_int_equal(report.type, ICMP6_MLD2_REPORT);
	assert_int_equal(ip.ttl, 1);
	assert_true(ip.router_alert);
	assert_int_equal(report.word, 1); /* both addresses end in the same 24 bits: one group */
	assert_int_equal(report.payload_bytes, 20);
	for (size_t i = 0; i < 1; i++) {
		struct ip_addr group = ipv6_solicited_node(&own[i]);

		assert_int_equal(report.payload[20 * i], kind);
		assert_memory_equal(report.payload + 20 * i + 4, &group, 16);
	}
}

static void groups_are_reported(void **state)
{
	struct peer *p = peer_start(NULL);
	uint8_t bytes[8 + 8 + 20] = { 0 };
	struct ip_packet ip = { .source = NEAR_IP(1), .destination = IPV6_ALL_NODES, .ttl = 1 };
	struct icmp6_message query = { .type = ICMP6_MLD_QUERY, .word = 1000u << 16, .payload_bytes = 20 };

	(void)state;
	p->answers_arp = false;
	stack_announce(p->stack);
	peer_turn(p);
	next_frame(p); /* announcements */
	next_frame(p);
	expect_report(p, 4);
	peer_waits(p, DURATION_S(1));
	expect_report(p, 4);
	peer_waits(p, DURATION_S(5));
	expect_nothing(p);
	/* A query is answered within the time it says. */
	ipv6_write_router_alert(bytes, IP_PROTOCOL_ICMPV6);
	query.payload = bytes + 16;
	icmp6_write(bytes + 8, &ip.source, &ip.destination, &query);
	ip.protocol = IP_PROTOCOL_HOP_BY_HOP;
	assert_int_equal(sends_ip6(p, ip, bytes, sizeof(bytes)), VERDICT_ACCEPTED);
	peer_waits(p, DURATION_S(1));
	expect_report(p, 2);
	/* Not from beyond a router, not without the alert. */
	ip.ttl = 2;
	assert_int_equal(sends_ip6(p, ip, bytes, sizeof(bytes)), VERDICT_DROP_ICMP);
	ip.ttl = 1;
	ip.protocol = IP_PROTOCOL_ICMPV6;
	assert_int_equal(sends_ip6(p, ip, bytes + 8, sizeof(bytes) - 8), VERDICT_DROP_ICMP);
	peer_waits(p, DURATION_S(5));
	expect_nothing(p);
	peer_stop(p);
}

static void another_address(struct stack_config *config)
{
	config->address[config->address_count++] = (struct stack_address){ OTHER_IP(9), 64 };
}

static void expect_old_report(struct peer *p, struct ip_addr own)
{
	struct ip_addr near = STACK_NEAR_IP, group = ipv6_solicited_node(&own);
	struct ip_packet ip;
	struct icmp6_message report = next_icmp6(p, &ip);

	assert_int_equal(report.type, ICMP6_MLD_REPORT);
	assert_true(ip_addr_equal(&ip.source, &near) && ip_addr_equal(&ip.destination, &group));
	assert_int_equal(ip.ttl, 1);
	assert_true(ip.router_alert);
	assert_int_equal(report.payload_bytes, 16);
	assert_memory_equal(report.payload, &group, 16);
}

/* RFC 3810 section 8.2: a querier of version 1 is answered in its own, for as long as it is heard of. */
static void old_querier(void **state)
{
	struct peer *p = start6(another_address);
	uint8_t bytes[8 + 8 + 16] = { 0 };
	struct ip_packet ip = {
		.source = NEAR_IP(1), .destination = IPV6_ALL_NODES, .ttl = 1, .protocol = IP_PROTOCOL_HOP_BY_HOP
	};
	struct icmp6_message query = { .type = ICMP6_MLD_QUERY, .word = 1000u << 16, .payload_bytes = 16 };

	(void)state;
	ipv6_write_router_alert(bytes, IP_PROTOCOL_ICMPV6);
	query.payload = bytes + 16;
	icmp6_write(bytes + 8, &ip.source, &ip.destination, &query);
	assert_int_equal(sends_ip6(p, ip, bytes, sizeof(bytes)), VERDICT_ACCEPTED);
	peer_waits(p, DURATION_S(1));
	expect_old_report(p, STACK_IP);
	expect_old_report(p, OTHER_IP(9));
	expect_nothing(p);
	peer_waits(p, DURATION_S(258));
	for (int version = 1; version <= 2; version++) {
		stack_announce(p->stack);
		peer_turn(p);
		for (int i = 0; i < 3; i++)
			next_frame(p); /* announcements */
		if (version == 1) {
			expect_old_report(p, STACK_IP);
			expect_old_report(p, OTHER_IP(9));
		} else {
			struct icmp6_message report = next_icmp6(p, &ip);

			assert_int_equal(report.type, ICMP6_MLD2_REPORT);
			assert_int_equal(report.word, 2);
		}
		peer_waits(p, DURATION_S(5));
		peer_ignores_rest(p);
	}
	peer_stop(p);
}

/* The sources of the reports that the stack has sent: only from our link-local address or from nowhere, else routers
 * ignore them (RFC 3810 section 5.2.14). Returns how many came from the former. */
static uint32_t good_reports(struct peer *p)
{
	uint32_t count = 0;

	while (p->frame_first < p->frame_count) {
		struct ip_packet ip;

		if (next_icmp6(p, &ip).type != ICMP6_MLD2_REPORT)
			continue;
		assert_true(ipv6_is_link_local(&ip.source) || ipv6_is_unspecified(&ip.source));
		count += ipv6_is_link_local(&ip.source);
	}
	return count;
}

/* RFC 3590 section 4: what was told from nowhere is told again once we have an address to say it from. */
static void report_has_a_source(void **state)
{
	struct peer *p = start_tentative(with_detection);
	struct ip_addr near = STACK_NEAR_IP;

	(void)state;
	peer_waits(p, DURATION_S(10));
	assert_int_equal(good_reports(p), 2);
	peer_stop(p);
	p = start_tentative(with_detection);
	sends_nd(p, NOWHERE, ipv6_solicited_node(&near), asks(near, NULL));
	assert_string_equal(own_state(p, near, NULL), "duplicate");
	peer_turn(p);
	peer_waits(p, DURATION_S(10));
	assert_string_equal(own_state(p, STACK_IP, NULL), "preferred");
	stack_announce(p->stack);
	peer_turn(p);
	peer_waits(p, DURATION_S(10));
	assert_int_equal(good_reports(p), 0);
	peer_stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(question_is_answered),
		cmocka_unit_test(question_without_mac),
		cmocka_unit_test(invalid_messages),
		cmocka_unit_test(mapped_addresses),
		cmocka_unit_test(advertisements),
		cmocka_unit_test(life_of_an_entry),
		cmocka_unit_test(tcp_confirms),
		cmocka_unit_test(nobody_answers),
		cmocka_unit_test(scan),
		cmocka_unit_test(address_is_tried_first),
		cmocka_unit_test(address_is_taken),
		cmocka_unit_test(address_is_claimed),
		cmocka_unit_test(own_question_comes_back),
		cmocka_unit_test(stable_address),
		cmocka_unit_test(announcement),
		cmocka_unit_test(groups_are_reported),
		cmocka_unit_test(old_querier),
		cmocka_unit_test(report_has_a_source),
	};

	return over_ipv6() == 0 ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
