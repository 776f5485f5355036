/* One frame's bytes through every reader of core/wire, also through those its type wouldn't choose, and once more
 * with checksums made right. What a reader accepts, its writer must be able to say again. */
#include "core/base/seq.h"
#include "core/wire/arp.h"
#include "core/wire/bytes.h"
#include "core/wire/checksum.h"
#include "core/wire/ethernet.h"
#include "core/wire/frame_filter.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"
#include "core/wire/ipv6.h"
#include "core/wire/nd.h"
#include "core/wire/tcp.h"
#include "fuzz.h"

#include <errno.h>

static void check_inside(const uint8_t *payload, size_t payload_bytes, const uint8_t *bytes, size_t length)
{
	FUZZ_CHECK(payload >= bytes && payload <= bytes + length);
	FUZZ_CHECK(payload_bytes <= (size_t)(bytes + length - payload));
}

static void check_ethernet(const uint8_t *bytes, size_t length)
{
	struct ethernet_header header;
	uint8_t out[ETHERNET_HEADER_BYTES];

	if (ethernet_read(bytes, length, &header) < 0)
		return;
	ethernet_write(out, &header);
	FUZZ_CHECK(memcmp(out, bytes, sizeof(out)) == 0);
}

static void check_arp(const uint8_t *bytes, size_t length)
{
	struct arp_packet packet;
	uint8_t out[ARP_BYTES];

	if (arp_read(bytes, length, &packet) < 0)
		return;
	arp_write(out, &packet);
	FUZZ_CHECK(memcmp(out, bytes, sizeof(out)) == 0);
}

static void check_checksum(const uint8_t *bytes, size_t length)
{
	size_t first = length ? bytes[0] % (length + 1) : 0;
	struct iovec iov[2] = { { (void *)(uintptr_t)bytes, first },
		                { (void *)(uintptr_t)(bytes + first), length - first } };

	FUZZ_CHECK(checksum_fold(checksum_add(0, bytes, length, 0)) == checksum_fold(checksum_add_iov(0, iov, 2, 0)));
}

/* Options are written in one order, so a second reading gives the same values; of SACK blocks fewer may fit. */
static void check_tcp(const uint8_t *bytes, size_t length)
{
	struct tcp_segment segment, again;
	uint8_t out[TCP_HEADER_BYTES_MAX];
	size_t written;

	if (tcp_read(bytes, length, &segment) < 0)
		return;
	check_inside(segment.payload, segment.payload_bytes, bytes, length);
	FUZZ_CHECK(segment.payload + segment.payload_bytes == bytes + length);
	FUZZ_CHECK(segment.options.sack_count <= TCP_SACK_BLOCKS_MAX);
	for (int i = 0; i < segment.options.sack_count; i++)
		FUZZ_CHECK(seq_lt(segment.options.sack[i].start, segment.options.sack[i].end));
	if (!(segment.flags & TCP_SYN))
		FUZZ_CHECK(!segment.options.has_mss && !segment.options.has_wscale &&
		           !segment.options.sack_permitted);
	written = tcp_write(out, &segment);
	FUZZ_CHECK(written >= TCP_HEADER_BYTES && written <= sizeof(out) && written % 4 == 0);
	FUZZ_CHECK(tcp_read(out, written, &again) == 0);
	FUZZ_CHECK(memcmp(out, bytes, 12) == 0 && out[13] == bytes[13]);
	FUZZ_CHECK(again.options.has_mss == segment.options.has_mss && again.options.mss == segment.options.mss);
	FUZZ_CHECK(again.options.wscale == segment.options.wscale);
	FUZZ_CHECK(again.options.sack_permitted == segment.options.sack_permitted);
	FUZZ_CHECK(again.options.tsval == segment.options.tsval && again.options.tsecr == segment.options.tsecr);
	FUZZ_CHECK(again.options.sack_count <= segment.options.sack_count);
	FUZZ_CHECK(memcmp(again.options.sack, segment.options.sack,
	                  again.options.sack_count * sizeof(segment.options.sack[0])) == 0);
}

static void check_icmp(const uint8_t *bytes, size_t length)
{
	struct icmp_message message, again;
	uint8_t *out;

	if (icmp_read(bytes, length, &message) < 0)
		return;
	check_inside(message.payload, message.payload_bytes, bytes, length);
	out = malloc(ICMP_HEADER_BYTES + message.payload_bytes);
	FUZZ_CHECK(out);
	FUZZ_CHECK(icmp_write(out, &message) == length);
	FUZZ_CHECK(icmp_read(out, length, &again) == 0);
	FUZZ_CHECK(again.type == message.type && again.code == message.code && again.id == message.id);
	FUZZ_CHECK(again.sequence == message.sequence && again.next_hop_mtu == message.next_hop_mtu);
	FUZZ_CHECK(memcmp(again.payload, message.payload, message.payload_bytes) == 0);
	free(out);
}

/* Makes the checksum at `place` right for the first `length` bytes. */
static void mend(uint8_t *bytes, size_t length, size_t place)
{
	store16(bytes + place, 0);
	store16(bytes + place, (uint16_t)~checksum_fold(checksum_add(0, bytes, length, 0)));
}

static void check_icmp_mended(const uint8_t *bytes, size_t length)
{
	uint8_t *copy;

	if (length < ICMP_HEADER_BYTES)
		return;
	copy = malloc(length);
	FUZZ_CHECK(copy);
	memcpy(copy, bytes, length);
	mend(copy, length, 2);
	check_icmp(copy, length);
	free(copy);
}

static void check_ipv4(const uint8_t *bytes, size_t length)
{
	struct ip_packet packet, again;
	uint8_t out[IPV4_HEADER_BYTES];
	int r = ipv4_read(bytes, length, &packet);

	FUZZ_CHECK(r == 0 || r == -EBADMSG || r == -EILSEQ || r == -EOPNOTSUPP);
	if (r < 0)
		return;
	check_inside(packet.payload, packet.payload_bytes, bytes, length);
	FUZZ_CHECK(packet.header_bytes >= IPV4_HEADER_BYTES && packet.payload == bytes + packet.header_bytes);
	FUZZ_CHECK(packet.header_bytes + packet.payload_bytes == load16(bytes + 2));
	if (packet.header_bytes == IPV4_HEADER_BYTES && packet.payload_bytes == 0) {
		ipv4_write(out, &packet);
		FUZZ_CHECK(ipv4_read(out, sizeof(out), &again) == 0);
		again.payload = packet.payload;
		FUZZ_CHECK(memcmp(out, bytes, 6) == 0 && memcmp(out + 8, bytes + 8, 2) == 0);
		FUZZ_CHECK(memcmp(out + 12, bytes + 12, 8) == 0);
	}
	check_tcp(packet.payload, packet.payload_bytes);
	check_icmp(packet.payload, packet.payload_bytes);
	check_icmp_mended(packet.payload, packet.payload_bytes);
	check_checksum(packet.payload, packet.payload_bytes);
}

static void check_ipv4_mended(const uint8_t *bytes, size_t length)
{
	size_t header = length > 0 ? (bytes[0] & 0xf) * 4u : 0;
	uint8_t *copy;

	if (header < IPV4_HEADER_BYTES || length < header)
		return;
	copy = malloc(length);
	FUZZ_CHECK(copy);
	memcpy(copy, bytes, length);
	mend(copy, header, 10);
	check_ipv4(copy, length);
	free(copy);
}

/* What nd_write can say is read back as it was. */
static void check_nd(const struct icmp6_message *icmp, const struct ip_packet *ip)
{
	uint8_t out[ND_MESSAGE_BYTES_MAX];
	struct nd_message message, again;
	struct icmp6_message read;
	size_t written;

	if (nd_read(icmp, &message) < 0)
		return;
	FUZZ_CHECK(message.options.prefix_count <= ND_PREFIXES_MAX);
	for (int i = 0; i < message.options.prefix_count; i++)
		FUZZ_CHECK(message.options.prefix[i].bits <= 128);
	if (message.type == ICMP6_ROUTER_ADVERTISEMENT)
		return;
	written = nd_write(out, &ip->source, &ip->destination, &message);
	FUZZ_CHECK(written <= sizeof(out));
	FUZZ_CHECK(icmp6_read(out, written, &ip->source, &ip->destination, &read) == 0);
	FUZZ_CHECK(nd_read(&read, &again) == 0);
	FUZZ_CHECK(ip_addr_equal(&again.target, &message.target) && again.solicited == message.solicited &&
	           again.override == message.override && again.router == message.router);
	FUZZ_CHECK(memcmp(again.options.nonce, message.options.nonce, ND_NONCE_BYTES) == 0);
}

static void check_icmp6(const uint8_t *bytes, size_t length, const struct ip_packet *ip)
{
	struct icmp6_message message, again;
	uint8_t *out;

	if (icmp6_read(bytes, length, &ip->source, &ip->destination, &message) < 0)
		return;
	check_inside(message.payload, message.payload_bytes, bytes, length);
	out = malloc(ICMP6_HEADER_BYTES + message.payload_bytes);
	FUZZ_CHECK(out);
	FUZZ_CHECK(icmp6_write(out, &ip->source, &ip->destination, &message) == length);
	FUZZ_CHECK(icmp6_read(out, length, &ip->source, &ip->destination, &again) == 0);
	FUZZ_CHECK(again.type == message.type && again.code == message.code && again.word == message.word);
	free(out);
	check_nd(&message, ip);
}

static void check_icmp6_mended(const uint8_t *bytes, size_t length, const struct ip_packet *ip)
{
	uint64_t sum = checksum_pseudo(&ip->source, &ip->destination, IP_PROTOCOL_ICMPV6, (uint32_t)length);
	uint8_t *copy;

	if (length < ICMP6_HEADER_BYTES)
		return;
	copy = malloc(length);
	FUZZ_CHECK(copy);
	memcpy(copy, bytes, length);
	store16(copy + 2, 0);
	store16(copy + 2, (uint16_t)~checksum_fold(checksum_add(sum, copy, length, 0)));
	check_icmp6(copy, length, ip);
	free(copy);
}

static void check_ipv6(const uint8_t *bytes, size_t length)
{
	struct ipv6_problem problem;
	struct ip_packet packet;
	uint8_t out[IPV6_HEADER_BYTES];
	int r = ipv6_read(bytes, length, &packet);

	FUZZ_CHECK(r == 0 || r == -EBADMSG);
	if (r < 0)
		return;
	ipv6_write(out, &packet);
	FUZZ_CHECK(memcmp(out, bytes, sizeof(out)) == 0);
	r = ipv6_skip_extensions(&packet, &problem);
	FUZZ_CHECK(r == 0 || r == -EBADMSG || r == -EPROTO);
	if (r == -EPROTO)
		FUZZ_CHECK(problem.code <= 3 && problem.pointer < length);
	if (r < 0)
		return;
	check_inside(packet.payload, packet.payload_bytes, bytes, length);
	FUZZ_CHECK(packet.payload == bytes + packet.header_bytes);
	FUZZ_CHECK(packet.header_bytes <= IPV6_HEADER_BYTES + IPV6_EXTENSION_BYTES_MAX + IPV6_FRAGMENT_HEADER_BYTES);
	FUZZ_CHECK(bytes[packet.protocol_at] == packet.protocol);
	FUZZ_CHECK(packet.fragment_offset % 8 == 0 && packet.fragment_offset <= 65528);
	check_tcp(packet.payload, packet.payload_bytes);
	check_icmp6(packet.payload, packet.payload_bytes, &packet);
	check_icmp6_mended(packet.payload, packet.payload_bytes, &packet);
}

/* The payload length is made right: random ones are hardly ever. */
static void check_ipv6_mended(const uint8_t *bytes, size_t length)
{
	uint8_t *copy;

	if (length < IPV6_HEADER_BYTES || length > IPV6_HEADER_BYTES + 65535)
		return;
	copy = malloc(length);
	FUZZ_CHECK(copy);
	memcpy(copy, bytes, length);
	copy[0] = (uint8_t)(0x60 | (copy[0] & 15));
	store16(copy + 4, (uint32_t)(length - IPV6_HEADER_BYTES));
	check_ipv6(copy, length);
	free(copy);
}

/* Both ways the same ends, and every frame fits one of a condition on its protocol and the opposite. */
static void check_filter(const uint8_t *bytes, size_t length)
{
	struct frame_filter filter = { .condition_count = 1,
		                       .condition[0] = { .field = FRAME_PROTOCOL, .protocols = 1 << FRAME_TCP } };
	struct frame_flow in, out;
	bool fits;

	frame_flow_read(bytes, (uint32_t)length, false, &in);
	frame_flow_read(bytes, (uint32_t)length, true, &out);
	FUZZ_CHECK(in.protocol < FRAME_PROTOCOL_COUNT && in.protocol == out.protocol);
	FUZZ_CHECK(in.has_addresses == out.has_addresses && in.has_ports == out.has_ports);
	FUZZ_CHECK(ip_addr_equal(&in.peer, &out.local) && ip_addr_equal(&in.local, &out.peer));
	FUZZ_CHECK(in.peer_port == out.local_port && in.local_port == out.peer_port);
	FUZZ_CHECK(in.has_addresses || !in.has_ports);
	fits = frame_filter_matches(&filter, bytes, (uint32_t)length, false);
	FUZZ_CHECK(fits == (in.protocol == FRAME_TCP));
	filter.condition[0].except = true;
	FUZZ_CHECK(frame_filter_matches(&filter, bytes, (uint32_t)length, false) != fits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *packet = data;
	size_t length = size;

	check_ethernet(data, size);
	check_filter(data, size);
	check_checksum(data, size);
	if (size >= ETHERNET_HEADER_BYTES) {
		packet += ETHERNET_HEADER_BYTES;
		length -= ETHERNET_HEADER_BYTES;
	}
	check_arp(packet, length);
	check_ipv4(packet, length);
	check_ipv4_mended(packet, length);
	check_ipv6(packet, length);
	check_ipv6_mended(packet, length);
	check_icmp(packet, length);
	check_icmp_mended(packet, length);
	check_tcp(packet, length);
	return 0;
}

static size_t example_tcp(struct test_random *random, uint8_t *out)
{
	struct tcp_segment segment = {
		.source_port = (uint16_t)test_random_u64(random),
		.destination_port = (uint16_t)test_random_u64(random),
		.seq = SEQ(test_random_u64(random)),
		.ack = SEQ(test_random_u64(random)),
		.flags = test_random_below(random, 2) ? TCP_SYN : TCP_ACK,
		.window = (uint16_t)test_random_u64(random),
		.options = { .has_mss = test_random_below(random, 2),
		             .mss = 1460,
		             .has_wscale = test_random_below(random, 2),
		             .wscale = 7,
		             .sack_permitted = test_random_below(random, 2),
		             .has_timestamps = test_random_below(random, 2),
		             .sack_count = (uint8_t)test_random_below(random, TCP_SACK_BLOCKS_MAX + 1) },
	};

	for (int i = 0; i < segment.options.sack_count; i++) {
		segment.options.sack[i].start = SEQ(test_random_u64(random));
		segment.options.sack[i].end = seq_add(segment.options.sack[i].start, 1448);
	}
	return tcp_write(out, &segment);
}

static size_t example_arp(struct test_random *random, uint8_t *out)
{
	struct arp_packet packet = { .operation = (uint16_t)(1 + test_random_below(random, 2)),
		                     .sender_ip = ip_addr_v4(0xc0000201),
		                     .target_ip = ip_addr_v4(0xc0000202) };

	arp_write(out, &packet);
	return ARP_BYTES;
}

static size_t example_icmp(struct test_random *random, uint8_t *out)
{
	static const uint8_t types[] = { ICMP_ECHO, ICMP_ECHO_REPLY, ICMP_UNREACHABLE, ICMP_TIME_EXCEEDED };
	struct icmp_message message = { .type = types[test_random_below(random, sizeof(types))],
		                        .code = (uint8_t)test_random_below(random, 5),
		                        .next_hop_mtu = 1400 };

	return icmp_write(out, &message);
}

/* Up to four extension headers, chained; returns their length, and in *first how the chain is named. */
static size_t example_extensions(struct test_random *random, uint8_t *out, uint8_t last, uint8_t *first)
{
	static const uint8_t kinds[] = { IP_PROTOCOL_DESTINATION_OPTIONS, IP_PROTOCOL_ROUTING, IP_PROTOCOL_FRAGMENT,
		                         IP_PROTOCOL_DESTINATION_OPTIONS };
	uint8_t *named = first;
	size_t length = 0;

	*named = last;
	for (uint32_t count = test_random_below(random, 5); count > 0; count--) {
		uint8_t *header = out + length;
		uint8_t kind = length == 0 && test_random_below(random, 2) ? IP_PROTOCOL_HOP_BY_HOP
		                                                           : kinds[test_random_below(random, 4)];
		size_t bytes = kind == IP_PROTOCOL_FRAGMENT ? 8 : 8 * (size_t)(1 + test_random_below(random, 3));

		memset(header, 0, bytes);
		if (kind == IP_PROTOCOL_FRAGMENT)
			store32(header, test_random_below(random, 2) ? 0 : test_random_below(random, 0x10000));
		else if (test_random_below(random, 2))
			test_random_fill(random, header + 2, 3);
		header[1] = (uint8_t)(kind == IP_PROTOCOL_FRAGMENT ? 0 : bytes / 8 - 1);
		*named = kind;
		named = header;
		*named = last;
		length += bytes;
	}
	return length;
}

static size_t example_ipv6(struct test_random *random, uint8_t *out)
{
	static const uint8_t types[] = { ICMP6_ROUTER_SOLICITATION, ICMP6_NEIGHBOUR_SOLICITATION,
		                         ICMP6_NEIGHBOUR_ADVERTISEMENT, ICMP6_ROUTER_ADVERTISEMENT };
	struct ip_packet packet = { .source = { { 0xfe, 0x80, [15] = 1 } },
		                    .destination = { { 0xfe, 0x80, [15] = 2 } },
		                    .ttl = 255 };
	struct nd_message message = { .type = types[test_random_below(random, sizeof(types))] };
	bool tcp = test_random_below(random, 3) == 0;
	uint8_t *content = out + IPV6_HEADER_BYTES;
	size_t length;

	length = example_extensions(random, content, tcp ? IP_PROTOCOL_TCP : IP_PROTOCOL_ICMPV6, &packet.protocol);
	content += length;
	message.options.prefix_count = 0;
	message.options.has_source_mac = test_random_below(random, 2);
	message.options.has_target_mac = test_random_below(random, 2);
	message.options.has_nonce = test_random_below(random, 2);
	length +=
	        tcp ? example_tcp(random, content) : nd_write(content, &packet.source, &packet.destination, &message);
	packet.payload_bytes = (uint32_t)length;
	ipv6_write(out, &packet);
	return IPV6_HEADER_BYTES + length;
}

size_t fuzz_example(struct test_random *random, uint8_t *out)
{
	struct ethernet_header ethernet = { .type = ETHERTYPE_IPV4 };
	struct ip_packet packet = { .source = ip_addr_v4(0xc0000201),
		                    .destination = ip_addr_v4(0xc0000202),
		                    .ttl = 64,
		                    .id = (uint16_t)test_random_u64(random),
		                    .dont_fragment = test_random_below(random, 2),
		                    .protocol = test_random_below(random, 3) ? IP_PROTOCOL_TCP : IP_PROTOCOL_ICMP };
	uint8_t *ip = out + ETHERNET_HEADER_BYTES, *content;
	size_t options = test_random_below(random, 2) ? 0 : test_random_below(random, 11) * 4;
	size_t content_bytes, text = test_random_below(random, 100);

	if (test_random_below(random, 8) == 0) {
		ethernet.type = ETHERTYPE_ARP;
		ethernet_write(out, &ethernet);
		return ETHERNET_HEADER_BYTES + example_arp(random, ip);
	}
	if (test_random_below(random, 3) == 0) {
		ethernet.type = ETHERTYPE_IPV6;
		ethernet_write(out, &ethernet);
		return ETHERNET_HEADER_BYTES + example_ipv6(random, ip);
	}
	ethernet_write(out, &ethernet);
	content = ip + IPV4_HEADER_BYTES + options;
	content_bytes =
	        packet.protocol == IP_PROTOCOL_TCP ? example_tcp(random, content) : example_icmp(random, content);
	test_random_fill(random, content + content_bytes, text);
	content_bytes += text;
	packet.payload_bytes = (uint32_t)(options + content_bytes);
	ipv4_write(ip, &packet);
	memset(ip + IPV4_HEADER_BYTES, 1, options);
	ip[0] = (uint8_t)(4 << 4 | (IPV4_HEADER_BYTES + options) / 4);
	mend(ip, IPV4_HEADER_BYTES + options, 10);
	return ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES + options + content_bytes;
}
