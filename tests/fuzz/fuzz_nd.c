/* Neighbour discovery as a dialogue: advertisements of routers with lifetimes, solicitations and advertisements of
 * neighbours, true and forged, while time passes and the stack itself wants to reach hosts on the link and beyond.
 * What RFC 4861 says is to be ignored changes nothing; what counts, counts for just so long. An input is a program
 * (program.h). */
#include "core/wire/nd.h"
#include "fuzz.h"
#include "program.h"
#include "rig.h"

#define HOSTS 6

/* ---- what the stack knows ----------------------------------------------------------------------------------------
 */

struct knowledge {
	struct net6 net;
	struct stack_address_info address[STACK_ADDRESSES_INFO_MAX];
	struct stack_neighbour_info neighbour[8];
	size_t addresses, neighbours;
};

static void know(const struct rig *rig, struct knowledge *ret_knowledge)
{
	memset(ret_knowledge, 0, sizeof(*ret_knowledge));
	ret_knowledge->net = rig->stack->net6;
	ret_knowledge->addresses = stack_addresses(rig->stack, ret_knowledge->address, STACK_ADDRESSES_INFO_MAX);
	ret_knowledge->neighbours = stack_neighbours(rig->stack, ret_knowledge->neighbour, 8);
}

static bool same_knowledge(const struct knowledge *a, const struct knowledge *b)
{
	bool same = a->addresses == b->addresses && a->neighbours == b->neighbours &&
	            a->net.prefix_count == b->net.prefix_count && a->net.router_count == b->net.router_count &&
	            a->net.mtu_bytes == b->net.mtu_bytes && a->net.hop_limit == b->net.hop_limit &&
	            a->net.reachable.ns == b->net.reachable.ns && a->net.retransmit.ns == b->net.retransmit.ns;

	for (size_t i = 0; i < a->addresses && same; i++)
		same = ip_addr_equal(&a->address[i].address.ip, &b->address[i].address.ip) &&
		       a->address[i].state == b->address[i].state &&
		       a->address[i].valid_until.ns == b->address[i].valid_until.ns;
	for (size_t i = 0; i < a->neighbours && same; i++)
		same = ip_addr_equal(&a->neighbour[i].ip, &b->neighbour[i].ip) &&
		       a->neighbour[i].state == b->neighbour[i].state &&
		       memcmp(&a->neighbour[i].mac, &b->neighbour[i].mac, sizeof(struct mac_addr)) == 0;
	for (uint32_t i = 0; i < a->net.prefix_count && same; i++)
		same = a->net.prefix[i].until.ns == b->net.prefix[i].until.ns;
	for (uint32_t i = 0; i < a->net.router_count && same; i++)
		same = a->net.router[i].until.ns == b->net.router[i].until.ns &&
		       a->net.router[i].failed == b->net.router[i].failed;
	return same;
}

/* What routers have said last, prefix by prefix and router by router. */
static struct net6 said;

/* Only a router's word changes for how long something counts. */
static void check_word(const struct net6 *net)
{
	for (uint32_t i = 0; i < net->prefix_count; i++) {
		bool found = false;

		for (uint32_t j = 0; j < said.prefix_count; j++)
			found |= ip_addr_equal(&said.prefix[j].prefix, &net->prefix[i].prefix) &&
			         said.prefix[j].bits == net->prefix[i].bits &&
			         said.prefix[j].until.ns == net->prefix[i].until.ns;
		FUZZ_CHECK(found);
	}
	for (uint32_t i = 0; i < net->router_count; i++) {
		bool found = false;

		for (uint32_t j = 0; j < said.router_count; j++)
			found |= ip_addr_equal(&said.router[j].ip, &net->router[i].ip) &&
			         said.router[j].until.ns == net->router[i].until.ns;
		FUZZ_CHECK(found);
	}
}

/* Nothing outlives its lifetime, and no table its limit. */
static void check_times(struct rig *rig)
{
	const struct net6 *net = &rig->stack->net6;
	struct knowledge now;
	uint32_t incomplete = 0;

	know(rig, &now);
	check_word(net);
	FUZZ_CHECK(net->prefix_count <= ON_LINK_PREFIXES_MAX && net->router_count <= DEFAULT_ROUTERS_MAX);
	for (uint32_t i = 0; i < net->prefix_count; i++)
		FUZZ_CHECK(net->prefix[i].until.ns > rig->now.ns);
	for (uint32_t i = 0; i < net->router_count; i++)
		FUZZ_CHECK(net->router[i].until.ns > rig->now.ns);
	for (size_t i = 0; i < now.addresses; i++) {
		const struct stack_address_info *own = &now.address[i];

		if (own->origin != STACK_ADDRESS_AUTONOMOUS)
			continue;
		FUZZ_CHECK(own->valid_until.ns > rig->now.ns);
		FUZZ_CHECK(own->state != STACK_ADDRESS_PREFERRED || own->preferred_until.ns > rig->now.ns);
	}
	FUZZ_CHECK(now.neighbours <= rig->stack->config.neighbours_max);
	for (size_t i = 0; i < now.neighbours; i++) {
		incomplete += now.neighbour[i].state == NEIGHBOUR_INCOMPLETE;
		FUZZ_CHECK(!(now.neighbour[i].mac.b[0] & 1));
	}
	FUZZ_CHECK(incomplete == rig->stack->neighbours_incomplete);
	FUZZ_CHECK(stack_deadline(rig->stack).ns > rig->now.ns);
}

/* What goes out comes from an address that may be used, with the hop limit that shows it is from this link. */
static void look(struct rig *rig, const struct ip_packet *ip)
{
	bool unspecified = ipv6_is_unspecified(&ip->source);
	const struct own_address *own;
	struct icmp6_message message;

	if (ip_addr_is_v4(&ip->source))
		return;
	own = address_find(rig->stack, &ip->source);
	/* It may have run out since, or, while a packet waited for its neighbour, been formed anew. */
	FUZZ_CHECK(!own || own->state != STACK_ADDRESS_DUPLICATE);
	if (ip->protocol != IP_PROTOCOL_ICMPV6)
		return;
	FUZZ_CHECK(icmp6_read(ip->payload, ip->payload_bytes, &ip->source, &ip->destination, &message) == 0);
	if (message.type < ICMP6_ROUTER_SOLICITATION || message.type > ICMP6_REDIRECT)
		return;
	FUZZ_CHECK(ip->ttl == 255 && message.code == 0);
	FUZZ_CHECK(!own || own->state != STACK_ADDRESS_TENTATIVE || !ipv6_is_multicast(&ip->destination));
	FUZZ_CHECK(!unspecified || message.type == ICMP6_ROUTER_SOLICITATION ||
	           message.type == ICMP6_NEIGHBOUR_SOLICITATION);
}

/* ---- who speaks --------------------------------------------------------------------------------------------------
 */

/* Neighbours in our prefix, with link-local addresses, in prefixes that are advertised, elsewhere; and ourselves. */
static struct ip_addr take_host(struct rig *rig, struct reader *program)
{
	uint8_t what = take8(program), number = (uint8_t)(1 + what / 8 % HOSTS);
	struct ip_addr ip = RIG_PEER6;

	if (what % 8 >= 3 && what % 8 < 6) {
		ip = (struct ip_addr){ { 0xfe, 0x80 } };
	} else if (what % 8 == 6) { /* an advertised prefix */
		ip.b[7] = (uint8_t)(1 + what / 64);
	} else if (what == 7) {
		return IP_ADDR_ANY;
	} else if (what % 8 == 7) { /* one of ours */
		struct knowledge now;

		know(rig, &now);
		return now.address[what / 8 % now.addresses].address.ip;
	}
	ip.b[15] = number == 2 ? 1 : number;
	return ip;
}

static struct mac_addr take_mac(struct reader *program)
{
	uint8_t what = take8(program);

	return (struct mac_addr){ { what >= 250 ? 3 : 2, 0, 0, 0, 0, (uint8_t)(1 + what % 4) } };
}

static enum stack_verdict message_in(struct rig *rig, uint8_t *frame, struct ip_packet *ip)
{
	struct ethernet_header ethernet = { .destination = { { 2, 0, 0, 0, 0, 2 } },
		                            .source = { { 2, 0, 0, 0, 0, 1 } },
		                            .type = ETHERTYPE_IPV6 };

	if (ipv6_is_multicast(&ip->destination))
		ethernet.destination = ipv6_group_mac(&ip->destination);
	ip->protocol = IP_PROTOCOL_ICMPV6;
	ethernet_write(frame, &ethernet);
	ipv6_write(frame + ETHERNET_HEADER_BYTES, ip);
	return rig_input(rig, frame, ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES + ip->payload_bytes, 0,
	                 FRAME_CHECKSUM_UNKNOWN);
}

/* Mostly the one that proves that no router has passed it on. */
static uint8_t take_hop_limit(struct reader *program)
{
	static const uint8_t wrong[] = { 254, 64, 0, 1 };
	uint8_t what = take8(program);

	return what < 220 ? 255 : wrong[what & 3];
}

/* ---- routers -----------------------------------------------------------------------------------------------------
 */

static uint32_t take_seconds(struct reader *program)
{
	static const uint32_t some[] = { 0, 1, 10, 600, 7200, 7201, 100000, UINT32_MAX };

	return some[take8(program) % (sizeof(some) / sizeof(some[0]))];
}

static size_t write_prefix(struct reader *program, uint8_t *out)
{
	uint8_t what = take8(program), flags = take8(program);

	memset(out, 0, 32);
	out[0] = 3;
	out[1] = 4;
	out[2] = what < 230 ? 64 : take8(program);
	out[3] = flags & 0xc0; /* on-link, autonomous */
	store32(out + 4, take_seconds(program));
	store32(out + 8, take_seconds(program));
	memcpy(out + 16, "\x20\x01\x0d\xb8", 4);
	out[23] = (uint8_t)(1 + what % 12);
	if (what >= 250)
		out[16] = take8(program);
	return 32;
}

/* What an advertisement that counts has to lead to. */
static void check_router(const struct rig *rig, const struct ip_addr *ip, const struct nd_message *message,
                         const struct knowledge *before)
{
	const struct net6 *net = &rig->stack->net6;
	uint32_t mtu = message->options.mtu_bytes;
	bool found = false;

	for (uint32_t i = 0; i < net->router_count; i++) {
		if (!ip_addr_equal(&net->router[i].ip, ip))
			continue;
		found = true;
		FUZZ_CHECK(net->router[i].until.ns == instant_add(rig->now, DURATION_S(message->lifetime_s)).ns);
		FUZZ_CHECK(net->router[i].preference == message->preference);
	}
	FUZZ_CHECK(message->lifetime_s > 0 ? found || before->net.router_count == DEFAULT_ROUTERS_MAX : !found);
	if (mtu >= IPV6_MTU_LEAST && mtu <= rig->stack->config.mtu_bytes)
		FUZZ_CHECK(net->mtu_bytes == mtu);
	else
		FUZZ_CHECK(net->mtu_bytes == before->net.mtu_bytes);
	FUZZ_CHECK(net->reachable.ns >= 1000000000 && net->retransmit.ns >= 100000000);
	FUZZ_CHECK(message->lifetime_s == 0 || net->solicit_due.ns == INT64_MAX);
}

static void router_advertises(struct rig *rig, struct reader *program)
{
	uint8_t frame[ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES + 200], *icmp, options = take8(program);
	struct ip_packet ip = { .source = take_host(rig, program), .destination = IPV6_ALL_NODES };
	struct mac_addr mac = take_mac(program);
	struct knowledge before, after;
	struct icmp6_message message = { .type = ICMP6_ROUTER_ADVERTISEMENT };
	uint8_t payload[160] = { 0 };
	enum stack_verdict verdict;
	struct nd_message read;
	bool counts;

	if (ipv6_is_unspecified(&ip.source))
		return;
	ip.ttl = take_hop_limit(program);
	message.word =
	        (uint32_t)take8(program) << 24 | (take8(program) & 0x18u) << 16 | (take_seconds(program) & 0xffff);
	message.payload = payload;
	store32(payload, options & 1 ? take16(program) : 0);
	store32(payload + 4, options & 2 ? take16(program) : 0);
	message.payload_bytes = 8;
	if (options & 4) {
		payload[8] = payload[9] = 1;
		memcpy(payload + 10, &mac, 6);
		message.payload_bytes += 8;
	}
	if (options & 8) {
		payload[message.payload_bytes] = 5;
		payload[message.payload_bytes + 1] = 1;
		store32(payload + message.payload_bytes + 4, 1200 + take16(program) % 400);
		message.payload_bytes += 8;
	}
	for (uint8_t count = options >> 6; count > 0; count--)
		message.payload_bytes += (uint32_t)write_prefix(program, payload + message.payload_bytes);
	icmp = frame + ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES;
	ip.payload_bytes = (uint32_t)icmp6_write(icmp, &ip.source, &ip.destination, &message);
	FUZZ_CHECK(nd_read(&message, &read) == 0);
	counts = ip.ttl == 255 && ipv6_is_link_local(&ip.source) && !(read.options.has_source_mac && (mac.b[0] & 1));
	know(rig, &before);
	verdict = message_in(rig, frame, &ip);
	know(rig, &after);
	if (!counts)
		FUZZ_CHECK(verdict != VERDICT_ACCEPTED && same_knowledge(&before, &after));
	else if (verdict == VERDICT_ACCEPTED) /* else it claims to come from ourselves */
		check_router(rig, &ip.source, &read, &before);
	said = rig->stack->net6;
}

/* ---- neighbours --------------------------------------------------------------------------------------------------
 */

static void neighbour_speaks(struct rig *rig, struct reader *program)
{
	uint8_t frame[ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES + ND_MESSAGE_BYTES_MAX], bits = take8(program);
	struct ip_packet ip = { .source = take_host(rig, program), .destination = RIG_OWN6 };
	struct nd_message nd = { .type = bits & 1 ? ICMP6_NEIGHBOUR_SOLICITATION : ICMP6_NEIGHBOUR_ADVERTISEMENT,
		                 .target = take_host(rig, program),
		                 .solicited = bits & 2,
		                 .override = bits & 4,
		                 .router = bits & 8,
		                 .options = { .has_nonce = (bits & 0x70) == 0x70 } };
	struct ip_addr group;
	struct knowledge before, after;
	enum stack_verdict verdict;
	bool probe = ipv6_is_unspecified(&ip.source), wrong;

	nd.options.has_source_mac = (bits & 1) && (bits & 16);
	nd.options.has_target_mac = !(bits & 1) && (bits & 16);
	nd.options.source_mac = nd.options.target_mac = take_mac(program);
	group = ipv6_solicited_node(&nd.target);
	if (bits & 32)
		ip.destination = bits & 1 ? group : IPV6_ALL_NODES;
	else if (bits & 64)
		ip.destination = nd.target;
	ip.ttl = take_hop_limit(program);
	if (ipv6_is_unspecified(&ip.destination) || ipv6_is_unspecified(&nd.target))
		return;
	ip.payload_bytes = (uint32_t)nd_write(frame + ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES, &ip.source,
	                                      &ip.destination, &nd);
	wrong = ip.ttl != 255;
	if (bits & 1) /* RFC 4861 section 7.1.1 */
		wrong |= probe && (nd.options.has_source_mac || !ip_addr_equal(&ip.destination, &group));
	else /* section 7.1.2 */
		wrong |= probe || (nd.solicited && ipv6_is_multicast(&ip.destination));
	wrong |= (nd.options.has_source_mac || nd.options.has_target_mac) && (nd.options.source_mac.b[0] & 1) &&
	         !probe;
	know(rig, &before);
	verdict = message_in(rig, frame, &ip);
	know(rig, &after);
	if (wrong && !((bits & 1) && (nd.options.source_mac.b[0] & 1)))
		FUZZ_CHECK(verdict != VERDICT_ACCEPTED);
	if (wrong && verdict != VERDICT_ACCEPTED)
		FUZZ_CHECK(same_knowledge(&before, &after));
	/* Hosts elsewhere are nobody's neighbours (CVE-2008-2476). */
	for (size_t i = 0; i < after.neighbours; i++)
		FUZZ_CHECK(after.neighbours <= before.neighbours ||
		           !ip_addr_equal(&after.neighbour[i].ip, &ip.source) ||
		           route6_is_on_link(rig->stack, &ip.source));
}

/* ---- what happens here -------------------------------------------------------------------------------------------
 */

static void connects(struct rig *rig, struct reader *program)
{
	struct stack_connect_options options = { .remote = take_host(rig, program), .remote_port = 40000 };
	struct conn_handle handle;

	if (stack_connect(rig->stack, &options, &handle) == 0)
		rig_adopt(rig, handle);
}

static void time_passes(struct rig *rig, struct reader *program)
{
	static const uint32_t seconds[] = { 1, 5, 10, 30, 60, 599, 600, 7200, 100000 };
	uint8_t how = take8(program);
	struct instant due = stack_deadline(rig->stack);

	if (how < 200 && due.ns != INT64_MAX)
		rig->now = instant_max(rig->now, due);
	else
		rig->now = instant_add(rig->now, DURATION_S(seconds[how % (sizeof(seconds) / sizeof(seconds[0]))]));
}

static void step(struct rig *rig, struct reader *program)
{
	uint8_t what = take8(program);

	switch (what % 16) {
	case 0:
	case 1:
	case 2:
	case 3:
		router_advertises(rig, program);
		break;
	case 4:
	case 5:
	case 6:
	case 7:
	case 8:
		neighbour_speaks(rig, program);
		break;
	case 9:
		connects(rig, program);
		break;
	case 10:
		rig_release(rig, &rig->conn[what / 16], true);
		break;
	case 11:
		if (what / 16 < 3)
			stack_announce(rig->stack);
		else if (what / 16 < 6)
			test_memory_fail_after(&rig->memory, what / 16 - 3);
		else
			test_memory_fail_never(&rig->memory);
		break;
	default:
		time_passes(rig, program);
		break;
	}
	rig_turn(rig);
	check_times(rig);
	rig_recorder_reads(rig);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader program = { data, size };
	uint8_t bits = take8(&program);
	struct stack_config config;
	static struct rig rig;

	rig_config(&config);
	config.accept_ra = true;
	config.dad_transmits = bits & 3;
	config.neighbours_max = 2 + (bits >> 2 & 3);
	memset(config.stable_secret, bits & 16, sizeof(config.stable_secret));
	rig_begin(&rig, &config);
	rig.look_ip = look;
	said = rig.stack->net6;
	while (program.left > 0)
		step(&rig, &program);
	rig_end(&rig);
	return 0;
}

/* Any bytes are a program. */
size_t fuzz_example(struct test_random *random, uint8_t *out)
{
	size_t length = 20 + test_random_below(random, 500);

	test_random_fill(random, out, length);
	return length;
}
