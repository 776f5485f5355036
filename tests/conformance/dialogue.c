#include "dialogue.h"

#include "core/wire/checksum.h"
#include "core/wire/ethernet.h"
#include "core/wire/icmp.h"
#include "core/wire/icmp6.h"
#include "core/wire/ipv4.h"
#include "core/wire/ipv6.h"

const struct tcp_options no_options;

void classic(struct stack_config *config)
{
	struct stack_tcp_config *tcp = &config->tcp;

	tcp->rack = tcp->tail_loss_probe = tcp->prr = tcp->frto = tcp->undo = false;
	tcp->path_mtu = STACK_PATH_MTU_ICMP;
}

struct tcp_options mss_option(uint16_t mss)
{
	return (struct tcp_options){ .has_mss = true, .mss = mss };
}

struct tcp_options timestamps_option(uint32_t tsval)
{
	return (struct tcp_options){ .has_timestamps = true, .tsval = tsval };
}

struct tcp_options sack_option(uint16_t mss)
{
	return (struct tcp_options){ .has_mss = true, .mss = mss, .sack_permitted = true };
}

enum stack_verdict says(struct peer *p, uint16_t flags, uint32_t at, uint32_t length, uint32_t acks)
{
	return peer_sends(p, (struct seg){ .flags = flags,
	                                   .seq = THEIRS(at),
	                                   .ack = flags & TCP_ACK ? OURS(acks) : 0,
	                                   .length = length });
}

enum stack_verdict says_window(struct peer *p, uint32_t at, uint32_t acks, uint32_t window)
{
	return peer_sends(p,
	                  (struct seg){ .flags = TCP_ACK, .seq = THEIRS(at), .ack = OURS(acks), .window = window });
}

void hears_segment(struct peer *p, uint16_t flags, uint32_t at, uint32_t length, uint32_t acks, const char *file,
                   int line)
{
	struct seg seg = { .flags = flags, .seq = OURS(at), .length = length };

	if (flags & TCP_ACK) {
		seg.ack = THEIRS(acks);
		seg.has_ack = true;
	}
	expect_segment(p, seg, file, line);
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

/* The ISN's clock ticks every 4 microseconds: waits until it will give an ISN just below 2^32. `iss` is now's. */
static void wait_for_wrap(struct peer *p, uint32_t iss)
{
	peer_waits(p, (struct duration){ (int64_t)(uint32_t)(0xffffffd8u - iss) * 4000 });
}

void sends_syn(struct peer *p, struct tcp_options options)
{
	const struct seg syn = { .flags = TCP_SYN, .seq = THEIR_ISN, .options = options };

	peer_sends(p, syn);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = THEIRS(1) }), VERDICT_RESET);
	wait_for_wrap(p, p->iss);
	expect_nothing(p);
	peer_sends(p, syn);
}

void opens(struct peer *p, struct tcp_options options)
{
	struct tcp_options later = { .has_timestamps = options.has_timestamps, .tsval = options.tsval };

	sends_syn(p, options);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	assert_true(p->iss > 0xffffff00u);
	later.tsecr = p->last.options.tsval;
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = THEIRS(1), .ack = OURS(1), .options = later });
	expect_nothing(p);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	assert_true(p->ready_flags & READY_ACCEPTED);
	p->ready_flags = 0;
	peer_forgets_journal(p);
}

struct peer *opened(void (*tweak)(struct stack_config *config), struct tcp_options options)
{
	struct peer *p = peer_start(tweak);

	opens(p, options);
	return p;
}

void connects(struct peer *p)
{
	struct stack_connect_options options = {
		.remote = PEER_IP, .remote_port = SERVICE_PORT, .local_port = CONNECT_PORT, .service = 2
	};
	uint32_t wrap_from;

	assert_int_equal(stack_connect(p->stack, &options, &p->conn), 0);
	peer_turn(p);
	wrap_from = load32(next_ip(p).payload + 4);
	peer_ignores_rest(p);
	assert_int_equal(stack_abort(p->stack, p->conn), 0);
	wait_for_wrap(p, wrap_from);
	expect_nothing(p);
	peer_forgets_journal(p);
	assert_int_equal(stack_connect(p->stack, &options, &p->conn), 0);
	peer_turn(p);
}

struct peer *connected(void (*tweak)(struct stack_config *config), struct tcp_options options)
{
	struct peer *p = peer_start(tweak);

	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	answers(p, TCP_SYN | TCP_ACK, 0, 0, 1, options);
	hears(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	assert_true(p->ready_flags & READY_CONNECTED);
	p->ready_flags = 0;
	return p;
}

enum stack_verdict answers(struct peer *p, uint16_t flags, uint32_t at, uint32_t length, uint32_t acks,
                           struct tcp_options options)
{
	return peer_sends(p, (struct seg){ .flags = flags,
	                                   .seq = THEIRS(at),
	                                   .ack = flags & TCP_ACK ? OURS(acks) : 0,
	                                   .length = length,
	                                   .options = options,
	                                   .source_port = SERVICE_PORT,
	                                   .destination_port = CONNECT_PORT });
}

/* ---- what struct seg cannot say -------------------------------------------------------------------------------- */

static const struct mac_addr stack_mac = { { 2, 0, 0, 0, 0, 2 } };

uint8_t prefix_bits(void)
{
	return peer_is_ipv6() ? 64 : 120;
}

static size_t pad(uint8_t *out, const uint8_t *options, size_t bytes)
{
	size_t padded = (bytes + 3) & ~(size_t)3;

	memset(out, 0, padded);
	if (bytes > 0)
		memcpy(out, options, bytes);
	return padded;
}

/* Ethernet and IP headers, for a payload of `ip`.payload_bytes. IPv4 options go behind the header, whose length and
 * checksum then change. Returns the length of all. */
static size_t write_headers(const struct peer *p, uint8_t *frame, const struct ip_packet *ip, const struct raw *raw)
{
	struct ethernet_header ethernet = { .destination = stack_mac,
		                            .source = p->mac,
		                            .type = peer_is_ipv6() ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4 };
	uint8_t *at = frame + ETHERNET_HEADER_BYTES;
	size_t header = IPV4_HEADER_BYTES;

	ethernet_write(frame, &ethernet);
	if (peer_is_ipv6()) {
		ipv6_write(at, ip);
		return ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES;
	}
	ipv4_write(at, ip);
	if (!raw || raw->ip_options_bytes == 0)
		return ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES;
	header += pad(at + IPV4_HEADER_BYTES, raw->ip_options, raw->ip_options_bytes);
	at[0] = (uint8_t)(4u << 4 | header / 4);
	store16(at + 2, (uint16_t)(header + ip->payload_bytes));
	store16(at + 10, 0);
	store16(at + 10, (uint16_t)~checksum_fold(checksum_add(0, at, header, 0)));
	return ETHERNET_HEADER_BYTES + header;
}

enum stack_verdict says_raw(struct peer *p, struct raw raw)
{
	uint8_t tcp[2048] = { 0 }, frame[4096] = { 0 };
	size_t header = TCP_HEADER_BYTES + pad(tcp + TCP_HEADER_BYTES, raw.options, raw.options_bytes), headers;
	uint32_t first = THEIRS(raw.at) + (raw.flags & TCP_SYN ? 1 : 0);
	struct ip_packet ip = { .source = raw.source,
		                .destination = raw.destination,
		                .tos = raw.tos,
		                .ttl = 64,
		                .protocol = IP_PROTOCOL_TCP,
		                .payload_bytes = (uint32_t)header + raw.length };
	static const struct ip_addr unset;
	uint64_t sum;

	if (memcmp(&ip.source, &unset, sizeof(unset)) == 0)
		ip.source = PEER_IP;
	if (memcmp(&ip.destination, &unset, sizeof(unset)) == 0)
		ip.destination = STACK_IP;
	store16(tcp, PEER_PORT);
	store16(tcp + 2, SERVICE_PORT);
	store32(tcp + 4, THEIRS(raw.at));
	store32(tcp + 8, raw.flags & TCP_ACK ? OURS(raw.acks) : 0);
	store16(tcp + 12, (uint16_t)(header / 4 << 12 | raw.flags));
	store16(tcp + 14, raw.window ? raw.window : 65535);
	store16(tcp + 18, raw.urgent);
	for (uint32_t i = 0; i < raw.length; i++)
		tcp[header + i] = peer_pattern(first + i);
	sum = checksum_pseudo(&ip.source, &ip.destination, IP_PROTOCOL_TCP, ip.payload_bytes);
	store16(tcp + 16, (uint16_t)~checksum_fold(checksum_add(sum, tcp, ip.payload_bytes, 0)));
	headers = write_headers(p, frame, &ip, &raw);
	memcpy(frame + headers, tcp, ip.payload_bytes);
	return peer_sends_frame(p, frame, headers + ip.payload_bytes);
}

/* ---- what expect does not look at ------------------------------------------------------------------------------ */

uint32_t frames_waiting(const struct peer *p)
{
	return p->frame_count - p->frame_first;
}

struct ip_packet next_ip(const struct peer *p)
{
	assert_true(frames_waiting(p) > 0);
	return peer_ip(&p->frame[p->frame_first]);
}

uint32_t next_offset(const struct peer *p)
{
	return load32(next_ip(p).payload + 4) - p->iss;
}

size_t next_options(const struct peer *p, const uint8_t **ret_options)
{
	const uint8_t *tcp = next_ip(p).payload;

	*ret_options = tcp + TCP_HEADER_BYTES;
	return (size_t)(tcp[12] >> 4) * 4 - TCP_HEADER_BYTES;
}

void wakes_after_ms(struct peer *p, int64_t ms, const char *file, int line)
{
	expect_silence(p, file, line);
	peer_waits(p, DURATION_MS(ms - 1));
	expect_silence(p, file, line);
	/* In small steps: what is due next counts from when this was sent. */
	for (int i = 0; i < 20 && frames_waiting(p) == 0; i++)
		peer_waits(p, DURATION_US(100));
	if (frames_waiting(p) == 0) {
		print_error("%s:%d: nothing was sent\n", file, line);
		_fail(file, line);
	}
}

void hears_run(struct peer *p, uint32_t count, uint32_t at, uint32_t length)
{
	for (uint32_t i = 0; i < count; i++)
		expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(at + i * length), .length = length });
}

/* ---- errors from the network ------------------------------------------------------------------------------------
 */

static const struct {
	uint8_t type, code, type6, code6;
} icmp_numbers[TROUBLE_COUNT] = {
	[NO_NET] = { ICMP_UNREACHABLE, ICMP_NET_UNREACHABLE, ICMP6_UNREACHABLE, ICMP6_NO_ROUTE },
	[NO_HOST] = { ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE, ICMP6_UNREACHABLE, ICMP6_ADDRESS_UNREACHABLE },
	[TIME_EXCEEDED] = { ICMP_TIME_EXCEEDED, 0, ICMP6_TIME_EXCEEDED, 0 },
	[BAD_PARAMETER] = { ICMP_PARAMETER_PROBLEM, 0, ICMP6_PARAMETER_PROBLEM, ICMP6_PROBLEM_FIELD },
	[NO_PORT] = { ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE, ICMP6_UNREACHABLE, ICMP6_PORT_UNREACHABLE },
	[NO_PROTOCOL] = { ICMP_UNREACHABLE, ICMP_PROTOCOL_UNREACHABLE, ICMP6_PARAMETER_PROBLEM,
	                  ICMP6_PROBLEM_NEXT_HEADER },
	[TOO_BIG] = { ICMP_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, ICMP6_PACKET_TOO_BIG, 0 },
	[SOURCE_QUENCH] = { ICMP_SOURCE_QUENCH, 0, 0, 0 },
};

enum stack_verdict says_icmp(struct peer *p, struct icmp_error error)
{
	uint8_t frame[256], message[128], quoted[IPV6_HEADER_BYTES + 8];
	struct ip_packet about = { .source = STACK_IP,
		                   .destination = PEER_IP,
		                   .ttl = 63,
		                   .protocol = IP_PROTOCOL_TCP,
		                   .payload_bytes = (error.size ? error.size : 1500u) - IPV4_HEADER_BYTES };
	struct ip_packet ip = { .source = peer_address(254), .destination = STACK_IP, .ttl = 64 };
	uint32_t header = peer_is_ipv6() ? IPV6_HEADER_BYTES : IPV4_HEADER_BYTES;
	size_t headers;

	(peer_is_ipv6() ? ipv6_write : ipv4_write)(quoted, &about);
	store16(quoted + header, error.local_port ? error.local_port : SERVICE_PORT);
	store16(quoted + header + 2, error.remote_port ? error.remote_port : PEER_PORT);
	store32(quoted + header + 4, error.seq);
	if (peer_is_ipv6()) {
		struct icmp6_message icmp = { .type = icmp_numbers[error.what].type6,
			                      .code = icmp_numbers[error.what].code6,
			                      .word = error.mtu ? error.mtu + IPV6_HEADER_BYTES - IPV4_HEADER_BYTES
			                                        : 0,
			                      .payload = quoted,
			                      .payload_bytes = header + 8 };

		ip.protocol = IP_PROTOCOL_ICMPV6;
		ip.payload_bytes = (uint32_t)icmp6_write(message, &ip.source, &ip.destination, &icmp);
	} else {
		struct icmp_message icmp = { .type = icmp_numbers[error.what].type,
			                     .code = icmp_numbers[error.what].code,
			                     .next_hop_mtu = error.mtu,
			                     .payload = quoted,
			                     .payload_bytes = header + 8 };

		ip.protocol = IP_PROTOCOL_ICMP;
		ip.payload_bytes = (uint32_t)icmp_write(message, &icmp);
	}
	headers = write_headers(p, frame, &ip, NULL);
	memcpy(frame + headers, message, ip.payload_bytes);
	return peer_sends_frame(p, frame, headers + ip.payload_bytes);
}
