/* Router advertisements: routers, prefixes, addresses made from them, and what is not believed (RFC 4861 section 6,
 * RFC 4862 section 5.5, RFC 4191, RFC 6724). */
#include "net6_test.h"

#include <errno.h>

#define ROUTER NEAR_IP(0xa)
#define ROUTER_B NEAR_IP(0xb)
#define FAR_IP ((struct ip_addr){ { 0x20, 0x01, 0x0d, 0xb8, 0xff, [15] = 1 } })
/* The address that 2001:db8:0:5::/64 and the MAC make. */
#define MADE_IP ((struct ip_addr){ { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 5, [11] = 0xff, 0xfe, 0, 0, 2 } })
#define PREFIX5 ((struct ip_addr){ { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 5 } })

static const struct mac_addr router_mac = { { 2, 0, 0, 0, 0, 0xa } };

struct advertisement {
	uint16_t lifetime_s;
	uint8_t hop_limit;
	int preference; /* as in struct nd_message */
	uint32_t mtu;
	struct ip_addr prefix;
	uint8_t bits, flags; /* 0x80 on-link, 0x40 autonomous */
	uint32_t valid_s, preferred_s;
	struct ip_addr source; /* ROUTER */
	uint8_t ttl;           /* 255 */
	bool without_mac;
};

static enum stack_verdict advertises(struct peer *p, struct advertisement ra)
{
	uint8_t payload[8 + 8 + 8 + 32] = { 0 }, *at = payload + 8;
	struct ip_addr source = ip_addr_is_any(&ra.source) ? ROUTER : ra.source;
	struct icmp6_message icmp = { .type = ICMP6_ROUTER_ADVERTISEMENT, .payload = payload };

	icmp.word = (uint32_t)ra.hop_limit << 24 | ra.lifetime_s | (ra.preference & 3u) << 19;
	if (!ra.without_mac) {
		at[0] = at[1] = 1;
		memcpy(at + 2, &router_mac, 6);
		at += 8;
	}
	if (ra.mtu) {
		at[0] = 5;
		at[1] = 1;
		store32(at + 4, ra.mtu);
		at += 8;
	}
	if (ra.bits) {
		at[0] = 3;
		at[1] = 4;
		at[2] = ra.bits;
		at[3] = ra.flags;
		store32(at + 4, ra.valid_s);
		store32(at + 8, ra.preferred_s);
		memcpy(at + 16, &ra.prefix, 16);
		at += 32;
	}
	icmp.payload_bytes = (uint32_t)(at - payload);
	return sends_icmp6(p, source, IPV6_ALL_NODES, ra.ttl ? ra.ttl : 255, icmp);
}

static void listening(struct stack_config *config)
{
	config->accept_ra = true;
}

static struct peer *start(void)
{
	struct peer *p = peer_start(listening);

	p->answers_arp = false;
	peer_waits(p, DURATION_S(20));
	peer_ignores_rest(p);
	return p;
}

static int connects(struct peer *p, struct ip_addr to)
{
	struct stack_connect_options options = { .remote = to, .remote_port = 80 };
	int r = stack_connect(p->stack, &options, &p->conn);

	peer_turn(p);
	return r;
}

/* The router that a packet to FAR_IP goes to: who is asked for, or whose MAC is known. */
static size_t routers(struct peer *p, struct stack_router_info *infos)
{
	return stack_routers(p->stack, infos, STACK_ROUTERS_INFO_MAX);
}

/* The router is the one asked for first, or sent to when known. */
static bool goes_to(struct peer *p, struct ip_addr router)
{
	struct stack_connect_options options = { .remote = FAR_IP, .remote_port = 81 };
	struct conn_handle conn;
	struct stack_neighbour_info infos[16];
	size_t count;
	bool found = false;

	peer_ignores_rest(p);
	assert_int_equal(stack_connect(p->stack, &options, &conn), 0);
	peer_turn(p);
	count = stack_neighbours(p->stack, infos, 16);
	for (size_t i = 0; i < count; i++) {
		if (ip_addr_equal(&infos[i].ip, &router) && infos[i].resolved && p->frame_first < p->frame_count)
			found = memcmp(p->frame[p->frame_first].bytes, &infos[i].mac, 6) == 0;
	}
	if (p->frame_first < p->frame_count && !found) {
		struct ip_packet ip = peer_ip(&p->frame[p->frame_first]);
		struct ip_addr group = ipv6_solicited_node(&router);

		found = ip_addr_equal(&ip.destination, &group);
	}
	assert_int_equal(stack_abort(p->stack, conn), 0);
	peer_turn(p);
	peer_ignores_rest(p);
	return found;
}

/* RFC 4861 section 6.3.7: three questions, four seconds apart, unless somebody answers. */
static void routers_are_asked_for(void **state)
{
	static const int seconds[] = { 1, 4, 4, 30 };
	struct peer *p = peer_start(listening);
	uint32_t asked = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(seconds); i++) {
		peer_waits(p, DURATION_S(seconds[i]));
		for (; p->frame_first < p->frame_count; asked++) {
			struct ip_packet ip;
			struct ip_addr all = IPV6_ALL_ROUTERS, near = STACK_NEAR_IP;
			struct nd_message message = next_nd(p, ICMP6_ROUTER_SOLICITATION, &ip);

			assert_true(ip_addr_equal(&ip.destination, &all) && ip_addr_equal(&ip.source, &near));
			assert_memory_equal(&message.options.source_mac, &stack_mac, 6);
		}
		assert_int_equal(asked, i < 3 ? i + 1 : 3);
	}
	peer_stop(p);
	p = peer_start(listening);
	peer_waits(p, DURATION_S(1));
	peer_ignores_rest(p);
	assert_int_equal(advertises(p, (struct advertisement){ .lifetime_s = 1800 }), VERDICT_ACCEPTED);
	peer_waits(p, DURATION_S(30));
	expect_nothing(p); /* answered */
	peer_stop(p);
	p = peer_start(listening);
	peer_waits(p, DURATION_S(1));
	peer_ignores_rest(p);
	advertises(p, (struct advertisement){ .lifetime_s = 0 }); /* not by a router that we could use */
	for (int i = 0; i < 2; i++) {
		struct ip_packet ip;

		peer_waits(p, DURATION_S(4));
		next_nd(p, ICMP6_ROUTER_SOLICITATION, &ip);
	}
	expect_nothing(p);
	peer_stop(p);
}

static void router_lives_as_long_as_it_says(void **state)
{
	struct stack_router_info infos[STACK_ROUTERS_INFO_MAX];
	struct peer *p = start();

	(void)state;
	assert_int_equal(connects(p, FAR_IP), -ENETUNREACH);
	assert_int_equal(advertises(p, (struct advertisement){ .lifetime_s = 100 }), VERDICT_ACCEPTED);
	assert_int_equal(routers(p, infos), 1);
	assert_true(infos[0].advertised);
	assert_true(goes_to(p, ROUTER));
	assert_true(knows(p, ROUTER, router_mac)); /* it told its MAC */
	peer_waits(p, DURATION_MS(98000));
	assert_int_equal(routers(p, infos), 1);
	peer_waits(p, DURATION_MS(2100));
	assert_int_equal(routers(p, infos), 0);
	assert_int_equal(connects(p, FAR_IP), -ENETUNREACH);
	advertises(p, (struct advertisement){ .lifetime_s = 100 });
	advertises(p, (struct advertisement){ .lifetime_s = 0 }); /* it goes */
	assert_int_equal(routers(p, infos), 0);
	peer_ignores_rest(p);
	peer_stop_anyhow(p);
}

/* RFC 4861 section 6.1.2. */
static void invalid_advertisements(void **state)
{
	static const struct advertisement rows[] = {
		{ .lifetime_s = 100, .ttl = 254 },
		{ .lifetime_s = 100, .source = { { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } } },
	};
	struct stack_router_info infos[STACK_ROUTERS_INFO_MAX];
	struct peer *p = start();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(advertises(p, rows[i]), VERDICT_DROP_ND);
	assert_int_equal(routers(p, infos), 0);
	peer_stop(p);
	p = start6(NULL); /* accept_ra off */
	assert_int_equal(advertises(p, (struct advertisement){ .lifetime_s = 100 }), VERDICT_DROP_ND);
	assert_int_equal(routers(p, infos), 0);
	peer_stop(p);
}

/* RFC 4191, RFC 4861 section 6.3.6: the better one, as long as it answers. */
static void better_router(void **state)
{
	struct stack_router_info infos[STACK_ROUTERS_INFO_MAX];
	struct peer *p = start();

	(void)state;
	advertises(p, (struct advertisement){ .lifetime_s = 3000, .without_mac = true });
	advertises(p, (struct advertisement){
	                      .lifetime_s = 3000, .preference = 1, .source = ROUTER_B, .without_mac = true });
	assert_true(goes_to(p, ROUTER_B));
	peer_waits(p, DURATION_S(5)); /* nobody answers */
	assert_int_equal(routers(p, infos), 2);
	assert_true(infos[1].failed);
	assert_true(goes_to(p, ROUTER));
	peer_waits(p, DURATION_S(5));
	assert_true(goes_to(p, ROUTER_B)); /* none answers: in turn */
	peer_waits(p, DURATION_S(5));
	advertises(p, (struct advertisement){ .lifetime_s = 3000 });
	assert_true(goes_to(p, ROUTER));
	advertises(p, (struct advertisement){ .lifetime_s = 3000, .preference = 1, .source = ROUTER_B });
	routers(p, infos);
	assert_false(infos[0].failed || infos[1].failed);
	assert_true(goes_to(p, ROUTER_B)); /* the better one is back, as it says itself */
	peer_stop_anyhow(p);
}

/* Advertisements from many routers and of many prefixes take no more than a few places. */
static void floods_are_bounded(void **state)
{
	struct stack_router_info infos[STACK_ROUTERS_INFO_MAX];
	struct stack_address_info own[STACK_ADDRESSES_INFO_MAX];
	struct peer *p = start();

	(void)state;
	for (uint8_t i = 1; i < 200; i++) {
		struct advertisement ra = { .lifetime_s = 1000,
			                    .source = NEAR_IP(i),
			                    .bits = 64,
			                    .flags = 0xc0,
			                    .valid_s = 1000,
			                    .preferred_s = 1000,
			                    .prefix = PREFIX5 };

		ra.prefix.b[7] = i;
		assert_int_equal(advertises(p, ra), VERDICT_ACCEPTED);
	}
	assert_int_equal(routers(p, infos), 4);
	assert_true(stack_addresses(p->stack, own, STACK_ADDRESSES_INFO_MAX) <= STACK_ADDRESSES_INFO_MAX);
	peer_waits(p, DURATION_S(10));
	peer_stop_anyhow(p);
}

static struct advertisement prefix5(uint32_t valid_s, uint32_t preferred_s)
{
	return (struct advertisement){
		.prefix = PREFIX5, .bits = 64, .flags = 0xc0, .valid_s = valid_s, .preferred_s = preferred_s
	};
}

static void address_is_made(void **state)
{
	struct stack_address_info info = { 0 };
	struct peer *p = start();
	struct ip_addr source, made = MADE_IP, near_made = MADE_IP;
	struct ip_packet ip;

	(void)state;
	near_made.b[15] = 9;
	assert_int_equal(advertises(p, prefix5(10000, 5000)), VERDICT_ACCEPTED);
	assert_string_equal(own_state(p, MADE_IP, &info), "preferred"); /* (no detection in this test) */
	assert_int_equal(info.origin, STACK_ADDRESS_AUTONOMOUS);
	assert_int_equal(info.address.prefix_bits, 64);
	peer_waits(p, DURATION_S(2));
	peer_ignores_rest(p); /* its group is told */
	/* It is on the link, and the address there speaks: RFC 6724 rule 8. */
	assert_int_equal(pings(p, near_made, MADE_IP, 1), VERDICT_ACCEPTED);
	next_nd(p, ICMP6_NEIGHBOUR_SOLICITATION, &ip);
	assert_true(ip_addr_equal(&ip.source, &made));
	source = STACK_IP;
	pings(p, OTHER_IP(3), STACK_IP, 1);
	next_nd(p, ICMP6_NEIGHBOUR_SOLICITATION, &ip);
	assert_true(ip_addr_equal(&ip.source, &source));
	/* Deprecated, it still answers, but is not chosen: rule 3. */
	peer_waits(p, DURATION_S(4999));
	peer_ignores_rest(p);
	assert_string_equal(own_state(p, MADE_IP, NULL), "deprecated");
	pings(p, near_made, MADE_IP, 1);
	next_nd(p, ICMP6_NEIGHBOUR_SOLICITATION, &ip);
	assert_true(ip_addr_equal(&ip.source, &source));
	advertises(p, prefix5(10000, 5000));
	assert_string_equal(own_state(p, MADE_IP, NULL), "preferred");
	peer_waits(p, DURATION_S(10001));
	peer_ignores_rest(p);
	assert_string_equal(own_state(p, MADE_IP, NULL), "none");
	assert_int_equal(pings(p, near_made, MADE_IP, 1), VERDICT_DROP_IP_DESTINATION);
	peer_stop_anyhow(p);
}

/* RFC 4862 section 5.5.3(e). */
static void lifetime_is_not_cut_short(void **state)
{
	static const struct {
		uint32_t before_s, said_s, after_s;
	} rows[] = {
		{ 100000, 50000, 50000 }, /* above two hours: as it says */
		{ 100000, 10, 7200 },     /* not below two hours */
		{ 100, 10, 100 },         /* nor shorter when it has less */
		{ 100, 150, 150 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct stack_address_info info = { 0 };
		struct peer *p = start();
		struct advertisement other = prefix5(20000, 10);

		advertises(p, prefix5(rows[i].before_s, 10));
		advertises(p, prefix5(rows[i].said_s, 10));
		other.bits = 60; /* one that makes no address has no say either */
		advertises(p, other);
		assert_string_equal(own_state(p, MADE_IP, &info), "preferred");
		assert_int_equal(instant_sub(info.valid_until, p->now).ns, DURATION_S(rows[i].after_s).ns);
		peer_ignores_rest(p);
		peer_stop_anyhow(p);
	}
}

/* What a prefix has put on the link is there as long as the prefix is valid. */
static void prefix_lives_as_long_as_it_says(void **state)
{
	struct peer *p = start();
	struct advertisement ra = prefix5(100, 100);

	(void)state;
	ra.flags = 0x80;
	assert_int_equal(advertises(p, ra), VERDICT_ACCEPTED);
	peer_waits(p, DURATION_MS(98000));
	assert_int_equal(connects(p, MADE_IP), 0);
	peer_waits(p, DURATION_MS(2100));
	assert_int_equal(connects(p, MADE_IP), -ENETUNREACH);
	peer_stop_anyhow(p);
}

/* What makes no address, and no route. */
static void prefixes_of_no_use(void **state)
{
	struct peer *p = start();
	struct stack_address_info infos[STACK_ADDRESSES_INFO_MAX];
	size_t before = stack_addresses(p->stack, infos, STACK_ADDRESSES_INFO_MAX);
	struct advertisement ra;

	(void)state;
	ra = prefix5(100, 200); /* preferred longer than valid */
	ra.flags = 0x40;
	advertises(p, ra);
	ra = prefix5(100, 100);
	ra.bits = 60; /* no room for our half */
	ra.flags = 0x40;
	advertises(p, ra);
	ra = prefix5(0, 0);
	advertises(p, ra);
	ra = prefix5(100, 100);
	ra.prefix = NEAR_IP(0);
	advertises(p, ra);
	ra.prefix = IPV6_ALL_NODES;
	advertises(p, ra);
	ra.prefix = ip_addr_v4(0);
	ra.bits = 96;
	advertises(p, ra);
	ra = prefix5(100, 100);
	ra.flags = 0;
	advertises(p, ra);
	assert_int_equal(stack_addresses(p->stack, infos, STACK_ADDRESSES_INFO_MAX), before);
	assert_int_equal(connects(p, MADE_IP), -ENETUNREACH);
	/* on-link alone: a route and no address */
	ra.flags = 0x80;
	advertises(p, ra);
	assert_int_equal(stack_addresses(p->stack, infos, STACK_ADDRESSES_INFO_MAX), before);
	assert_int_equal(connects(p, MADE_IP), 0);
	peer_stop_anyhow(p);
}

/* A smaller MTU makes smaller segments; one that can't be is not believed. */
static void advertised_mtu(void **state)
{
	static const struct {
		uint32_t told, mss;
	} rows[] = { { 1400, 1340 }, { 1279, 1460 }, { 1280, 1220 }, { 9000, 1460 } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct peer *p = start();

		advertises(p, (struct advertisement){ .mtu = rows[i].told });
		peer_ignores_rest(p);
		p->answers_arp = true;
		peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 });
		expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
		assert_int_equal(p->last.options.mss, rows[i].mss);
		peer_stop_anyhow(p);
	}
}

/* Upwards only (CVE-2015-2922). */
static void advertised_hop_limit(void **state)
{
	static const struct {
		uint8_t told, used;
	} rows[] = { { 0, 64 }, { 1, 64 }, { 200, 200 } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct peer *p = start();

		advertises(p, (struct advertisement){ .hop_limit = rows[i].told });
		peer_ignores_rest(p);
		p->answers_arp = true;
		peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 });
		assert_int_equal(peer_ip(&p->frame[p->frame_first]).ttl, rows[i].used);
		peer_ignores_rest(p);
		peer_stop_anyhow(p);
	}
}

static void with_gateway(struct stack_config *config)
{
	config->accept_ra = true;
	config->gateway6 = NEAR_IP(0xc);
}

/* What is configured goes first. */
static void configured_gateway(void **state)
{
	struct peer *p = peer_start(with_gateway);

	(void)state;
	p->answers_arp = false;
	peer_waits(p, DURATION_S(20));
	advertises(p, (struct advertisement){ .lifetime_s = 100 });
	assert_true(goes_to(p, NEAR_IP(0xc)));
	peer_stop_anyhow(p);
}

/* RFC 4861 section 7.2.5: a router that says it is none. */
static void no_router_any_more(void **state)
{
	struct stack_router_info infos[STACK_ROUTERS_INFO_MAX];
	struct peer *p = start();
	struct nd_message message = { .type = ICMP6_NEIGHBOUR_ADVERTISEMENT,
		                      .target = ROUTER,
		                      .router = true,
		                      .options = { .has_target_mac = true, .target_mac = router_mac } };

	(void)state;
	advertises(p, (struct advertisement){ .lifetime_s = 100 });
	sends_nd(p, ROUTER, IPV6_ALL_NODES, message);
	assert_int_equal(routers(p, infos), 1);
	message.router = false;
	/* Another MAC without "override" is a word about nothing. */
	message.options.target_mac = other_mac;
	sends_nd(p, ROUTER, IPV6_ALL_NODES, message);
	assert_int_equal(routers(p, infos), 1);
	message.options.target_mac = router_mac;
	sends_nd(p, ROUTER, IPV6_ALL_NODES, message);
	assert_int_equal(routers(p, infos), 0);
	/* Neither is one without a MAC, when it is that which is asked for. */
	advertises(p, (struct advertisement){ .lifetime_s = 100, .source = ROUTER_B, .without_mac = true });
	assert_int_equal(connects(p, FAR_IP), 0);
	message.target = ROUTER_B;
	message.options.has_target_mac = false;
	sends_nd(p, ROUTER_B, IPV6_ALL_NODES, message);
	assert_int_equal(routers(p, infos), 1);
	peer_stop_anyhow(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routers_are_asked_for),
		cmocka_unit_test(router_lives_as_long_as_it_says),
		cmocka_unit_test(prefix_lives_as_long_as_it_says),
		cmocka_unit_test(invalid_advertisements),
		cmocka_unit_test(better_router),
		cmocka_unit_test(floods_are_bounded),
		cmocka_unit_test(address_is_made),
		cmocka_unit_test(lifetime_is_not_cut_short),
		cmocka_unit_test(prefixes_of_no_use),
		cmocka_unit_test(advertised_mtu),
		cmocka_unit_test(advertised_hop_limit),
		cmocka_unit_test(configured_gateway),
		cmocka_unit_test(no_router_any_more),
	};

	return over_ipv6() == 0 ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
