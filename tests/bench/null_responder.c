/* The least TCP that keeps the kernel's TCP sending, on a TAP with the same offloads as tapstackd: what can be
 * reached on this machine at best. It trusts its peer, keeps no buffers, never retransmits and never times out.
 *
 *   port 9    discard: takes everything; one ACK for a connection in a batch
 *   port 19   source: sends as much as the peer's window allows
 *   others    echo: sends back what comes, segment by segment
 *
 * A connection is known by the client's port alone: one client address, and no port in use twice on 9 and 19. */
#include "core/wire/bytes.h"
#include "core/wire/checksum.h"
#include "core/wire/ethernet.h"
#include "core/wire/tcp.h"
#include "link/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	PORT_DISCARD = 9,
	PORT_SOURCE = 19,
	IP_AT = 14,
	TCP_AT = 34,
	HEADERS = 54,
	WSCALE = 10, /* what we offer: 64 MiB */
	OUT_MAX = 128,
};

struct client {
	uint32_t rcv_nxt, snd_nxt, snd_una, window; /* window in bytes */
	uint16_t local_port;
	uint8_t wscale;
	bool open, ack_due;
};

struct responder {
	struct link *link;
	struct link_offload offload;
	uint32_t mtu_bytes, local_ip, remote_ip, source_bytes;
	struct mac_addr mac, remote_mac;
	struct client client[65536];
	uint16_t due[LINK_BATCH_MAX]; /* clients whose ACK is due */
	size_t due_count;
	uint16_t sources[1024]; /* clients of port 19 */
	size_t source_count;
	struct frame_out out[OUT_MAX];
	size_t out_count;
};

static uint8_t zeroes[65536];

static void flush(struct responder *r)
{
	if (r->out_count > 0)
		link_send(r->link, 0, r->out, r->out_count);
	r->out_count = 0;
}

static void complete_checksums(const struct responder *r, struct frame_out *frame, size_t tcp_bytes)
{
	struct ip_addr local = ip_addr_v4(r->local_ip), remote = ip_addr_v4(r->remote_ip);
	uint64_t sum = checksum_pseudo(&local, &remote, 6, (uint32_t)tcp_bytes);
	uint8_t *ip = frame->header + IP_AT, *tcp = frame->header + TCP_AT;

	store16(ip + 10, (uint16_t)~checksum_fold(checksum_add(0, ip, 20, 0)));
	if (r->offload.checksum) {
		store16(tcp + 16, checksum_fold(sum));
		frame->checksum_start = TCP_AT;
		frame->checksum_offset = 16;
		return;
	}
	sum = checksum_add(sum, tcp, frame->header_bytes - TCP_AT, 0);
	if (frame->iov_count > 1)
		sum = checksum_add(sum, frame->iov[1].iov_base, frame->iov[1].iov_len, 0);
	store16(tcp + 16, (uint16_t)~checksum_fold(sum));
}

/* Queues a segment. `payload` must stay until flush. */
static void send_segment(struct responder *r, uint16_t port, uint8_t flags, uint32_t seq, const void *payload,
                         size_t length)
{
	struct client *c = &r->client[port];
	struct frame_out *frame = &r->out[r->out_count++];
	size_t options = flags & TCP_SYN ? 8 : 0;
	uint8_t *ip = frame->header + IP_AT, *tcp = frame->header + TCP_AT;
	uint16_t mss = (uint16_t)(r->mtu_bytes - 40);

	*frame = (struct frame_out){ .header_bytes = (uint16_t)(HEADERS + options), .iov_count = length ? 2 : 1 };
	frame->length = (uint32_t)(frame->header_bytes + length);
	ethernet_write(frame->header, &(struct ethernet_header){ r->remote_mac, r->mac, ETHERTYPE_IPV4 });
	ip[0] = 0x45;
	store16(ip + 2, frame->length - IP_AT);
	ip[8] = 64;
	ip[9] = 6;
	store32(ip + 12, r->local_ip);
	store32(ip + 16, r->remote_ip);
	store16(tcp, c->local_port);
	store16(tcp + 2, port);
	store32(tcp + 4, seq);
	store32(tcp + 8, c->rcv_nxt);
	tcp[12] = (uint8_t)((20 + options) << 2);
	tcp[13] = flags;
	store16(tcp + 14, 65535);
	if (options) {
		store32(tcp + 20, 0x02040000u | mss);
		store32(tcp + 24, 0x01030300u | WSCALE);
	}
	frame->iov[0] = (struct iovec){ frame->header, frame->header_bytes };
	frame->iov[1] = (struct iovec){ (void *)payload, length };
	if (length > mss)
		frame->gso_bytes = mss;
	complete_checksums(r, frame, 20 + options + length);
	if (r->out_count == OUT_MAX)
		flush(r);
}

static void answer_arp(struct responder *r, const uint8_t *bytes, uint32_t length)
{
	struct frame_out *frame = &r->out[r->out_count++];
	uint8_t *out = frame->header;

	if (length < 42 || load16(bytes + 20) != 1 || load32(bytes + 38) != r->local_ip) {
		r->out_count--;
		return;
	}
	*frame = (struct frame_out){ .length = 42, .iov_count = 1 };
	memcpy(out, bytes, 42);
	memcpy(out, bytes + 6, 6);
	memcpy(out + 6, &r->mac, 6);
	store16(out + 20, 2);
	memcpy(out + 22, &r->mac, 6);
	store32(out + 28, r->local_ip);
	memcpy(out + 32, bytes + 22, 10);
	frame->iov[0] = (struct iovec){ out, 42 };
	memcpy(&r->remote_mac, bytes + 6, 6);
	r->remote_ip = load32(bytes + 28);
	if (r->out_count == OUT_MAX)
		flush(r);
}

/* What the peer's window still takes, in frames as large as they may be; a smaller one only when nothing is under
 * way. */
static void pump_source(struct responder *r, uint16_t port)
{
	struct client *c = &r->client[port];

	while (c->open) {
		uint32_t flight = c->snd_nxt - c->snd_una, n = r->source_bytes;

		if (flight + n > c->window) {
			if (flight > 0 || c->window == 0)
				return;
			n = c->window;
		}
		send_segment(r, port, TCP_ACK | TCP_PSH, c->snd_nxt, zeroes, n);
		c->snd_nxt += n;
	}
}

static void open_client(struct responder *r, uint16_t port, const uint8_t *tcp, size_t header)
{
	struct client *c = &r->client[port];
	uint32_t iss = 1000;

	*c = (struct client){ .rcv_nxt = load32(tcp + 4) + 1, .local_port = load16(tcp + 2), .open = true };
	c->snd_nxt = c->snd_una = iss + 1;
	for (size_t i = 20; i + 2 < header && tcp[i] != 0; i += tcp[i] == 1 ? 1 : tcp[i + 1] ? tcp[i + 1] : 40u)
		if (tcp[i] == 3)
			c->wscale = tcp[i + 2];
	if (c->local_port == PORT_SOURCE && r->source_count < 1024)
		r->sources[r->source_count++] = port;
	send_segment(r, port, TCP_SYN | TCP_ACK, iss, NULL, 0);
}

static void close_client(struct responder *r, uint16_t port)
{
	r->client[port].open = false;
	for (size_t i = 0; i < r->source_count; i++)
		if (r->sources[i] == port)
			r->sources[i--] = r->sources[--r->source_count];
}

static void take_segment(struct responder *r, const uint8_t *ip, uint32_t length)
{
	const uint8_t *tcp = ip + 20;
	uint16_t port = load16(tcp);
	struct client *c = &r->client[port];
	size_t header = (size_t)(tcp[12] >> 4) * 4;
	uint32_t payload = length - 20 - (uint32_t)header, ack = load32(tcp + 8);
	uint8_t flags = tcp[13];

	if (flags & TCP_RST) {
		close_client(r, port);
		return;
	}
	if (flags & TCP_SYN) {
		open_client(r, port, tcp, header);
		return;
	}
	c->window = (uint32_t)load16(tcp + 14) << c->wscale;
	c->snd_una = ack;
	c->rcv_nxt = load32(tcp + 4) + payload + (flags & TCP_FIN ? 1 : 0);
	if (flags & TCP_FIN) {
		close_client(r, port);
		send_segment(r, port, TCP_ACK | TCP_FIN, c->local_port == PORT_SOURCE ? c->snd_nxt : ack, NULL, 0);
	} else if (payload > 0 && c->local_port != PORT_DISCARD) {
		send_segment(r, port, TCP_ACK | TCP_PSH, ack, tcp + header, payload);
	} else if (payload > 0 && !c->ack_due) {
		c->ack_due = true;
		r->due[r->due_count++] = port;
	}
}

static void take_frame(struct responder *r, const struct frame_in *frame)
{
	const uint8_t *ip = frame->bytes + IP_AT;
	uint16_t type = frame->length >= IP_AT + 40 - 12 ? load16(frame->bytes + 12) : 0;

	if (type == ETHERTYPE_ARP)
		answer_arp(r, frame->bytes, frame->length);
	else if (type == ETHERTYPE_IPV4 && frame->length >= HEADERS && ip[0] == 0x45 && ip[9] == 6 &&
	         load32(ip + 16) == r->local_ip && frame->length >= IP_AT + (uint32_t)load16(ip + 2))
		take_segment(r, ip, load16(ip + 2));
}

/* Everything that is there, then the answers. */
static ssize_t turn(struct responder *r)
{
	struct frame_in frames[LINK_BATCH_MAX];
	ssize_t n = link_receive(r->link, 0, frames, LINK_BATCH_MAX);

	for (ssize_t i = 0; i < n; i++)
		take_frame(r, &frames[i]);
	for (size_t i = 0; i < r->due_count; i++) {
		struct client *c = &r->client[r->due[i]];

		c->ack_due = false;
		send_segment(r, r->due[i], TCP_ACK, c->snd_nxt, NULL, 0);
	}
	r->due_count = 0;
	for (size_t i = 0; n > 0 && i < r->source_count; i++)
		pump_source(r, r->sources[i]);
	flush(r);
	return n;
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* spin_ns: how long to look again and again after the last frame before sleeping; negative: always. */
static int run(struct responder *r, int64_t spin_ns)
{
	struct pollfd poller = { .fd = link_fd(r->link, 0), .events = POLLIN };
	int64_t last = now_ns();

	for (;;) {
		ssize_t n = turn(r);

		if (n < 0)
			return (int)n;
		if (spin_ns != 0 && n > 0)
			last = now_ns();
		if (n == 0 && (spin_ns == 0 || (spin_ns > 0 && now_ns() - last > spin_ns)))
			poll(&poller, 1, -1);
	}
}

static void usage(void)
{
	fprintf(stderr,
	        "usage: null_responder --interface NAME --address IP --host IP/BITS [--mtu BYTES] [--no-offload]\n"
	        "                      [--spin-us N: after the last frame; -1: always]\n");
	exit(2);
}

static uint32_t parse_v4(const char *text)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		usage();
	return ntohl(address.s_addr);
}

static int64_t parse_options(int argc, char **argv, struct link_options *options, struct stack_address *host,
                             uint32_t *ret_ip)
{
	static const struct option table[] = {
		{ "interface", 1, NULL, 'i' }, { "address", 1, NULL, 'a' },    { "host", 1, NULL, 'h' },
		{ "mtu", 1, NULL, 'm' },       { "no-offload", 0, NULL, 'n' }, { "spin-us", 1, NULL, 's' },
		{ NULL, 0, NULL, 0 }
	};
	int64_t spin_us = 0;
	char *slash;
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (c) {
		case 'i':
			options->name = optarg;
			break;
		case 'a':
			*ret_ip = parse_v4(optarg);
			break;
		case 'h':
			slash = strchr(optarg, '/');
			if (!slash)
				usage();
			*slash = '\0';
			*host = (struct stack_address){ ip_addr_v4(parse_v4(optarg)),
				                        (uint8_t)(96 + atoi(slash + 1)) };
			options->host_addresses = host;
			options->host_address_count = 1;
			break;
		case 'm':
			options->mtu_bytes = (uint32_t)atoi(optarg);
			break;
		case 'n':
			options->offload = false;
			break;
		case 's':
			spin_us = atoll(optarg);
			break;
		default:
			usage();
		}
	}
	if (!options->name || !*ret_ip || !options->host_address_count || optind != argc)
		usage();
	return spin_us;
}

int main(int argc, char **argv)
{
	struct link_options options = { .backend = "tap", .offload = true };
	struct responder *r = calloc(1, sizeof(*r));
	struct stack_address host;
	char error[200];
	int64_t spin_us;

	if (!r)
		return 1;
	spin_us = parse_options(argc, argv, &options, &host, &r->local_ip);
	r->mac = (struct mac_addr){ { 0x02, 0x6e, 0x75, 0x6c, 0x6c, (uint8_t)r->local_ip } };
	if (link_open(&options, &r->link, error, sizeof(error)) < 0) {
		fprintf(stderr, "null_responder: %s\n", error);
		return 1;
	}
	r->offload = link_offload(r->link);
	r->mtu_bytes = link_mtu(r->link);
	r->source_bytes = r->mtu_bytes - 40;
	if (r->offload.gso_bytes_max)
		r->source_bytes = r->offload.gso_bytes_max / r->source_bytes * r->source_bytes;
	printf("ready\n");
	fflush(stdout);
	fprintf(stderr, "null_responder: %s\n", strerror(-run(r, spin_us < 0 ? -1 : spin_us * 1000)));
	return 1;
}
