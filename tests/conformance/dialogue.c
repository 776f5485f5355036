#include "dialogue.h"

#include "core/wire/checksum.h"
#include "core/wire/ethernet.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"

#define HEADERS (ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES)
#define ROUTER_IP ip_addr_v4(0xc00002fe)

const struct tcp_options no_options;

void classic(struct stack_config *config)
{
	struct stack_tcp_config *tcp = &config->tcp;

	tcp->rack = tcp->tail_loss_probe = tcp->prr = tcp->frto = tcp->undo = false;
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

enum stack_verdict says(struct peer *p, uint8_t flags, uint32_t at, uint32_t length, uint32_t acks)
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

void hears_segment(struct peer *p, uint8_t flags, uint32_t at, uint32_t length, uint32_t acks, const char *file,
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

	assert_int_equal(stack_connect(p->stack, &options, &p->conn), 0);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	assert_int_equal(stack_abort(p->stack, p->conn), 0);
	wait_for_wrap(p, p->iss);
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

enum stack_verdict answers(struct peer *p, uint8_t flags, uint32_t at, uint32_t length, uint32_t acks,
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

static size_t pad(uint8_t *out, const uint8_t *options, size_t bytes)
{
	size_t padded = (bytes + 3) & ~(size_t)3;

	memset(out, 0, padded);
	if (bytes > 0)
		memcpy(out, options, bytes);
	return padded;
}

/* The IPv4 header, whose checksum covers the options, too. Returns its length. */
static size_t write_ip(uint8_t *out, const struct raw *raw, size_t payload_bytes)
{
	size_t header = IPV4_HEADER_BYTES + pad(out + IPV4_HEADER_BYTES, raw->ip_options, raw->ip_options_bytes);
	struct ip_addr peer = PEER_IP, stack = STACK_IP;

	store16(out, (uint16_t)(4u << 12 | header / 4 << 8 | raw->tos));
	store16(out + 2, (uint16_t)(header + payload_bytes));
	store32(out + 4, 0);
	store16(out + 8, 64u << 8 | IP_PROTOCOL_TCP);
	store16(out + 10, 0);
	store32(out + 12, raw->source ? raw->source : ip_addr_to_v4(&peer));
	store32(out + 16, raw->destination ? raw->destination : ip_addr_to_v4(&stack));
	store16(out + 10, (uint16_t)~checksum_fold(checksum_add(0, out, header, 0)));
	return header;
}

enum stack_verdict says_raw(struct peer *p, struct raw raw)
{
	uint8_t tcp[2048] = { 0 }, frame[4096] = { 0 }, *ip = frame + ETHERNET_HEADER_BYTES;
	struct ethernet_header ethernet = { .destination = { { 2, 0, 0, 0, 0, 2 } },
		                            .source = p->mac,
		                            .type = ETHERTYPE_IPV4 };
	size_t header = TCP_HEADER_BYTES + pad(tcp + TCP_HEADER_BYTES, raw.options, raw.options_bytes), ip_header;
	uint32_t first = THEIRS(raw.at) + (raw.flags & TCP_SYN ? 1 : 0);
	struct ip_addr source, destination;
	uint64_t sum;

	store16(tcp, PEER_PORT);
	store16(tcp + 2, SERVICE_PORT);
	store32(tcp + 4, THEIRS(raw.at));
	store32(tcp + 8, raw.flags & TCP_ACK ? OURS(raw.acks) : 0);
	store16(tcp + 12, (uint16_t)(header / 4 << 12 | raw.flags));
	store16(tcp + 14, raw.window ? raw.window : 65535);
	store16(tcp + 18, raw.urgent);
	for (uint32_t i = 0; i < raw.length; i++)
		tcp[header + i] = peer_pattern(first + i);
	ip_header = write_ip(ip, &raw, header + raw.length);
	source = ip_addr_v4(load32(ip + 12));
	destination = ip_addr_v4(load32(ip + 16));
	sum = checksum_pseudo(&source, &destination, IP_PROTOCOL_TCP, (uint32_t)(header + raw.length));
	store16(tcp + 16, (uint16_t)~checksum_fold(checksum_add(sum, tcp, header + raw.length, 0)));
	ethernet_write(frame, &ethernet);
	memcpy(ip + ip_header, tcp, header + raw.length);
	return peer_sends_frame(p, frame, ETHERNET_HEADER_BYTES + ip_header + header + raw.length);
}

/* ---- what expect does not look at ------------------------------------------------------------------------------ */

const uint8_t *next_frame(const struct peer *p)
{
	return p->frame_first == p->frame_count ? NULL : p->frame[p->frame_first].bytes;
}

static const uint8_t *next_ip(const struct peer *p)
{
	assert_non_null(next_frame(p));
	return next_frame(p) + ETHERNET_HEADER_BYTES;
}

uint8_t next_tos(const struct peer *p)
{
	return next_ip(p)[1];
}

uint8_t next_ttl(const struct peer *p)
{
	return next_ip(p)[8];
}

uint16_t next_ip_id(const struct peer *p)
{
	return load16(next_ip(p) + 4);
}

size_t next_options(const struct peer *p, const uint8_t **ret_options)
{
	const uint8_t *tcp = next_ip(p) + IPV4_HEADER_BYTES;

	*ret_options = tcp + TCP_HEADER_BYTES;
	return (size_t)(tcp[12] >> 4) * 4 - TCP_HEADER_BYTES;
}

uint32_t frames_waiting(const struct peer *p)
{
	return p->frame_count - p->frame_first;
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

enum stack_verdict says_icmp(struct peer *p, struct icmp_error error)
{
	uint8_t frame[HEADERS + ICMP_HEADER_BYTES + IPV4_HEADER_BYTES + 8], quoted[IPV4_HEADER_BYTES + 8];
	struct ethernet_header ethernet = { .destination = { { 2, 0, 0, 0, 0, 2 } },
		                            .source = p->mac,
		                            .type = ETHERTYPE_IPV4 };
	struct ipv4_packet about = { .source = STACK_IP,
		                     .destination = PEER_IP,
		                     .ttl = 63,
		                     .protocol = IP_PROTOCOL_TCP,
		                     .payload_bytes = 20 };
	struct ipv4_packet ip = {
		.source = ROUTER_IP, .destination = STACK_IP, .ttl = 64, .protocol = IP_PROTOCOL_ICMP
	};
	struct icmp_message message = { .type = error.type,
		                        .code = error.code,
		                        .next_hop_mtu = error.mtu,
		                        .payload = quoted,
		                        .payload_bytes = sizeof(quoted) };

	ipv4_write(quoted, &about);
	store16(quoted + IPV4_HEADER_BYTES, error.local_port ? error.local_port : SERVICE_PORT);
	store16(quoted + IPV4_HEADER_BYTES + 2, error.remote_port ? error.remote_port : PEER_PORT);
	store32(quoted + IPV4_HEADER_BYTES + 4, error.seq);
	ip.payload_bytes = (uint32_t)icmp_write(frame + HEADERS, &message);
	ethernet_write(frame, &ethernet);
	ipv4_write(frame + ETHERNET_HEADER_BYTES, &ip);
	return peer_sends_frame(p, frame, HEADERS + ip.payload_bytes);
}
