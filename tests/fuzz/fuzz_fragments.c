/* Pieces of packets of both families into one stack: in any order, twice, overlapping, too late, contradicting each
 * other, with headers in front. A model says of each piece what has to become of it; of a packet that becomes whole,
 * an echo request, the answer must have just its bytes. An input is a program (program.h). */
#include "core/wire/icmp.h"
#include "core/wire/icmp6.h"
#include "fuzz.h"
#include "program.h"
#include "rig.h"

#define PACKETS 6 /* even ones are IPv4 */
#define PACKET_BYTES_MAX 3000u
#define PIECES_MAX 64
#define REASSEMBLY_S 60

/* What the sender has made, and what the stack should know of it. */
struct packet {
	uint8_t bytes[PACKET_BYTES_MAX]; /* an ICMP message */
	uint32_t length;
	bool begun, refused;
	struct instant due;
	uint32_t total, have, count;
	struct {
		uint32_t start, end;
	} piece[PIECES_MAX];
	uint8_t marks; /* 1 << ECN field */
};

struct fragments {
	struct rig rig;
	struct packet packet[PACKETS];
	uint64_t answers; /* with the bytes of the packet that was asked with */
	const struct packet *asked;
};

static struct fragments all; /* large */

static bool is_v6(uint32_t number)
{
	return number % 2 == 1;
}

static void make_packet(uint32_t number, uint32_t length)
{
	struct packet *packet = &all.packet[number];
	struct ip_addr own = RIG_OWN6, peer = RIG_PEER6;
	uint8_t payload[PACKET_BYTES_MAX];

	for (uint32_t i = 0; i < length - 8; i++)
		payload[i] = rig_pattern(number << 16 | i);
	memset(packet, 0, sizeof(*packet));
	packet->length = length;
	if (is_v6(number)) {
		struct icmp6_message echo = {
			.type = ICMP6_ECHO, .word = number, .payload = payload, .payload_bytes = length - 8
		};

		icmp6_write(packet->bytes, &peer, &own, &echo);
	} else {
		struct icmp_message echo = {
			.type = ICMP_ECHO, .id = (uint16_t)number, .payload = payload, .payload_bytes = length - 8
		};

		icmp_write(packet->bytes, &echo);
	}
}

/* ---- the model ---------------------------------------------------------------------------------------------------
 */

static void forget_late(void)
{
	for (int i = 0; i < PACKETS; i++) {
		struct packet *packet = &all.packet[i];

		if (packet->begun && packet->due.ns <= all.rig.now.ns) {
			packet->begun = packet->refused = false;
			packet->total = packet->have = packet->count = packet->marks = 0;
		}
	}
}

/* What the piece [start, end) must be called, RFC 5722: overlaps spoil the packet, exact copies do not. */
static enum stack_verdict expect_piece(struct packet *packet, uint32_t start, uint32_t end, bool more, uint8_t ecn)
{
	bool bad = packet->total > 0 && (end > packet->total || (!more && end != packet->total));

	if (start == end || (more && end % 8 != 0))
		return VERDICT_DROP_FRAGMENT;
	if (!packet->begun) {
		packet->begun = true;
		packet->due = instant_add(all.rig.now, DURATION_S(REASSEMBLY_S));
	}
	if (packet->refused)
		return VERDICT_DROP_FRAGMENT;
	for (uint32_t i = 0; i < packet->count && !bad; i++) {
		if (packet->piece[i].start == start && packet->piece[i].end == end)
			return VERDICT_FRAGMENT_HELD;
		bad = (start < packet->piece[i].end && end > packet->piece[i].start) ||
		      (!more && packet->piece[i].end > end);
	}
	if (bad || packet->count == PIECES_MAX) {
		packet->refused = true;
		return VERDICT_DROP_FRAGMENT;
	}
	packet->piece[packet->count].start = start;
	packet->piece[packet->count++].end = end;
	packet->have += end - start;
	packet->marks |= (uint8_t)(1 << ecn);
	if (!more)
		packet->total = end;
	if (packet->total == 0 || packet->have < packet->total)
		return VERDICT_FRAGMENT_HELD;
	packet->begun = false;
	bad = (packet->marks & 8) && (packet->marks & 1); /* RFC 3168 section 5.3: CE beside not-ECT */
	packet->total = packet->have = packet->count = packet->marks = 0;
	return bad ? VERDICT_DROP_FRAGMENT : VERDICT_ACCEPTED;
}

/* ---- what goes out -----------------------------------------------------------------------------------------------
 */

/* The answer lies in one packet: the MTU is large. */
static void look(struct rig *rig, const struct ip_packet *ip)
{
	const uint8_t *icmp = ip->payload;

	(void)rig;
	if ((ip->protocol != IP_PROTOCOL_ICMP || icmp[0] != ICMP_ECHO_REPLY) &&
	    (ip->protocol != IP_PROTOCOL_ICMPV6 || icmp[0] != ICMP6_ECHO_REPLY))
		return;
	FUZZ_CHECK(all.asked && ip->payload_bytes == all.asked->length);
	FUZZ_CHECK(memcmp(icmp + 4, all.asked->bytes + 4, all.asked->length - 4) == 0);
	all.answers++;
}

/* ---- pieces in ---------------------------------------------------------------------------------------------------
 */

/* Up to two headers in front of the fragment header; *ret_first names the first. */
static uint32_t write_chain(uint8_t how, uint8_t *out, uint8_t *ret_first)
{
	uint8_t count = how % 3, *named = ret_first;
	uint32_t length = 0;

	*named = IP_PROTOCOL_FRAGMENT;
	for (uint8_t i = 0; i < count; i++) {
		uint8_t *header = out + length, longer = how >> (2 + 2 * i) & 3;

		memset(header, 0, 8u + 8u * longer);
		header[1] = longer;
		*named = i == 0 ? IP_PROTOCOL_HOP_BY_HOP : IP_PROTOCOL_DESTINATION_OPTIONS;
		named = header;
		*named = IP_PROTOCOL_FRAGMENT;
		length += 8u + 8u * longer;
	}
	return length;
}

static enum stack_verdict piece_in(struct reader *program, uint32_t number, uint32_t start, uint32_t end, bool more,
                                   uint8_t ecn)
{
	uint8_t frame[ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES + 100 + PACKET_BYTES_MAX];
	struct ethernet_header ethernet = { .destination = { { 2, 0, 0, 0, 0, 2 } },
		                            .source = { { 2, 0, 0, 0, 0, 1 } },
		                            .type = is_v6(number) ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4 };
	struct ip_packet ip = { .source = RIG_PEER,
		                .destination = RIG_OWN,
		                .ttl = 64,
		                .tos = ecn,
		                .id = number,
		                .protocol = IP_PROTOCOL_ICMP,
		                .fragment_offset = start,
		                .more_fragments = more };
	uint8_t *at = frame + ETHERNET_HEADER_BYTES, headers = take8(program);

	ethernet_write(frame, &ethernet);
	if (is_v6(number)) {
		uint32_t chain = write_chain(headers, at + IPV6_HEADER_BYTES, &ip.protocol);

		ip.source = RIG_PEER6;
		ip.destination = RIG_OWN6;
		ip.payload_bytes = chain + IPV6_FRAGMENT_HEADER_BYTES + end - start;
		ipv6_write(at, &ip);
		ipv6_write_fragment(at + IPV6_HEADER_BYTES + chain, &ip, IP_PROTOCOL_ICMPV6);
		at += IPV6_HEADER_BYTES + chain + IPV6_FRAGMENT_HEADER_BYTES;
	} else {
		ip.payload_bytes = end - start;
		ipv4_write(at, &ip);
		at += IPV4_HEADER_BYTES;
	}
	memcpy(at, all.packet[number].bytes + start, end - start);
	return rig_input(&all.rig, frame, (size_t)(at - frame) + end - start, 0, FRAME_CHECKSUM_UNKNOWN);
}

/* A part of a packet, cut at a grid that most pieces share, so that they fit together. */
static void sends_piece(struct reader *program)
{
	uint32_t number = take8(program) % PACKETS;
	struct packet *packet = &all.packet[number];
	uint8_t what = take8(program), where = take8(program), ecn = what >= 250 ? take8(program) & 3 : 2;
	uint32_t grid = 8u << (what & 1) * 4 << 2, pieces = (packet->length + grid - 1) / grid;
	uint32_t start = where % pieces * grid, end = start + grid, answers = (uint32_t)all.answers;
	enum stack_verdict expected, verdict;
	bool more;

	if ((what & 0x1e) == 2) /* beside the grid */
		start += 8;
	if ((what & 0x1e) == 4)
		end += 8u + grid * (what >> 6);
	if (end > packet->length)
		end = packet->length;
	if (start >= end)
		return;
	more = end < packet->length;
	if ((what & 0x1e) == 6) /* says that more follows, or that none does */
		more = !more;
	if (!more && start == 0) /* that is no fragment */
		return;
	/* RFC 7112: an upper layer's header is in the first. */
	if (start == 0 && end < 8)
		return;
	forget_late();
	expected = expect_piece(packet, start, end, more, ecn);
	verdict = piece_in(program, number, start, end, more, ecn);
	if (expected == VERDICT_ACCEPTED && verdict != VERDICT_ACCEPTED) /* a contradicting end made it wrong */
		FUZZ_CHECK(verdict == VERDICT_DROP_ICMP && end != packet->length);
	else
		FUZZ_CHECK(verdict == expected);
	all.asked = verdict == VERDICT_ACCEPTED ? packet : NULL;
	rig_turn(&all.rig);
	FUZZ_CHECK(all.answers == answers + (verdict == VERDICT_ACCEPTED));
	all.asked = NULL;
}

static void time_passes(struct reader *program)
{
	uint8_t how = take8(program);

	all.rig.now = instant_add(all.rig.now, how < 200 ? DURATION_MS(how) : DURATION_S(how - 195));
	rig_turn(&all.rig);
}

/* Both neighbours are known as long as they are heard. */
static void peer_announces(void)
{
	static const uint8_t arp[42] = { 2, 0, 0, 0, 0, 2, 2, 0,   0, 0, 0, 1, 8, 6, 0, 1, 8, 0,   6, 4, 0,
		                         2, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1, 2, 0, 0, 0, 0, 2, 192, 0, 2, 2 };
	uint8_t frame[ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES + 32] = { 2, 0, 0, 0, 0, 2,    2,
		                                                          0, 0, 0, 0, 1, 0x86, 0xdd };
	struct ip_packet ip = { .source = RIG_PEER6,
		                .destination = RIG_OWN6,
		                .ttl = 255,
		                .protocol = IP_PROTOCOL_ICMPV6,
		                .payload_bytes = 32 };
	struct ip_addr own = RIG_OWN6;
	uint8_t target[24] = { [16] = 1, [17] = 1, [18] = 2, [23] = 1 };
	struct icmp6_message solicitation = { .type = ICMP6_NEIGHBOUR_SOLICITATION,
		                              .payload = target,
		                              .payload_bytes = sizeof(target) };

	memcpy(target, &own, 16);
	rig_input(&all.rig, arp, sizeof(arp), 0, FRAME_CHECKSUM_UNKNOWN);
	ipv6_write(frame + ETHERNET_HEADER_BYTES, &ip);
	icmp6_write(frame + ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES, &ip.source, &ip.destination, &solicitation);
	rig_input(&all.rig, frame, sizeof(frame), 0, FRAME_CHECKSUM_UNKNOWN);
	rig_turn(&all.rig);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader program = { data, size };
	struct stack_config config;

	rig_config(&config);
	config.accept_ra = true; /* IPv6 as well */
	config.dad_transmits = 0;
	config.mtu_bytes = 9000;
	config.fragments_max_bytes = (PACKETS + 1) * 70000;
	config.buffers_max_bytes = 64 * 16384;
	memset(&all, 0, sizeof(all));
	rig_begin(&all.rig, &config);
	all.rig.look_ip = look;
	for (uint32_t i = 0; i < PACKETS; i++)
		make_packet(i, 100 + take16(&program) % (i < 2 ? 300 : PACKET_BYTES_MAX - 100));
	while (program.left > 0) {
		peer_announces();
		if (take8(&program) < 230)
			sends_piece(&program);
		else
			time_passes(&program);
	}
	rig_end(&all.rig);
	FUZZ_CHECK(all.rig.memory.live_count == 0);
	return 0;
}

/* A plan of pieces that make packets whole, shuffled; damage does the rest. */
size_t fuzz_example(struct test_random *random, uint8_t *out)
{
	size_t length = 2 * PACKETS, first;

	test_random_fill(random, out, length);
	for (uint32_t packets = 1 + test_random_below(random, 3); packets > 0; packets--) {
		uint8_t number = (uint8_t)test_random_below(random, PACKETS), fine = number < 2 ? 0 : 1;
		uint32_t bytes = 100 + (uint32_t)(out[2 * number] << 8 | out[2 * number + 1]) %
		                               (number < 2 ? 300 : PACKET_BYTES_MAX - 100);
		uint32_t grid = 8u << fine * 4 << 2, pieces = (bytes + grid - 1) / grid;

		first = length;
		for (uint32_t i = 0; i < pieces && length + 6 < FUZZ_INPUT_MAX; i++) {
			uint32_t place = test_random_below(random, (uint32_t)(length - first) / 5 + 1);
			uint8_t *step = out + first + (size_t)5 * place;

			memmove(step + 5, step, out + length - step);
			memcpy(step, (uint8_t[]){ 0, number, fine, (uint8_t)i, 0 }, 5);
			length += 5;
		}
	}
	return length;
}
