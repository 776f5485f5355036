#include "core/base/seq.h"
#include "core/wire/bytes.h"
#include "core/wire/checksum.h"
#include "core/wire/ethernet.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcp.h"
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct packet *packet_new(uint32_t length)
{
	struct packet *packet = malloc(sizeof(*packet) + length);

	if (!packet)
		abort();
	*packet = (struct packet){ .length = length };
	return packet;
}

struct packet *packet_copy(const struct packet *packet)
{
	struct packet *copy = packet_new(packet->length);

	memcpy(copy, packet, sizeof(*packet) + packet->length);
	copy->next = NULL;
	return copy;
}

static bool read_ip(const struct packet *packet, struct ip_packet *ret_ip)
{
	struct ethernet_header ethernet;

	return ethernet_read(packet->bytes, packet->length, &ethernet) == 0 && ethernet.type == ETHERTYPE_IPV4 &&
	       ipv4_read(packet->bytes + ETHERNET_HEADER_BYTES, packet->length - ETHERNET_HEADER_BYTES, ret_ip) == 0;
}

static void write_checksum(uint8_t *tcp, uint32_t bytes, const struct ip_packet *ip)
{
	uint64_t sum = checksum_pseudo(&ip->source, &ip->destination, IP_PROTOCOL_TCP, bytes);

	store16(tcp + 16, 0);
	store16(tcp + 16, (uint16_t)~checksum_fold(checksum_add(sum, tcp, bytes, 0)));
}

void packet_finish_checksum(struct packet *packet)
{
	struct ip_packet ip;

	if (!packet->partial || !read_ip(packet, &ip))
		return;
	write_checksum(packet->bytes + (ip.payload - packet->bytes), ip.payload_bytes, &ip);
	packet->partial = false;
}

struct packet *packet_split(struct packet *packet)
{
	struct packet *first = NULL, **last = &first;
	uint32_t header, tcp_at, done = 0;
	struct tcp_segment tcp;
	struct ip_packet ip;

	if (packet->gso_bytes == 0 || !read_ip(packet, &ip) || tcp_read(ip.payload, ip.payload_bytes, &tcp) < 0) {
		packet_finish_checksum(packet);
		packet->next = NULL;
		return packet;
	}
	tcp_at = (uint32_t)(ip.payload - packet->bytes);
	header = (uint32_t)(tcp.payload - packet->bytes);
	while (done < tcp.payload_bytes) {
		uint32_t left = tcp.payload_bytes - done, part = left < packet->gso_bytes ? left : packet->gso_bytes;
		struct packet *segment = packet_new(header + part);
		uint8_t *bytes = segment->bytes;

		memcpy(bytes, packet->bytes, header);
		memcpy(bytes + header, tcp.payload + done, part);
		ip.payload_bytes = header - tcp_at + part;
		ipv4_write(bytes + ETHERNET_HEADER_BYTES, &ip);
		store32(bytes + tcp_at + 4, tcp.seq.v + done);
		if (part < left)
			bytes[tcp_at + 13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		write_checksum(bytes + tcp_at, ip.payload_bytes, &ip);
		*last = segment;
		last = &segment->next;
		done += part;
	}
	free(packet);
	return first;
}

uint32_t packet_wire_mtu(const struct packet *packet)
{
	struct tcp_segment tcp;
	struct ip_packet ip;

	if (packet->gso_bytes == 0 || !read_ip(packet, &ip) || tcp_read(ip.payload, ip.payload_bytes, &tcp) < 0)
		return packet->length - ETHERNET_HEADER_BYTES;
	return (uint32_t)(tcp.payload - packet->bytes) - ETHERNET_HEADER_BYTES + packet->gso_bytes;
}

void packet_print(const struct packet *packet, struct instant now, const char *what)
{
	struct tcp_segment tcp;
	struct ip_packet ip;

	printf("%12.6f %-8s ", (double)now.ns / 1e9, what);
	if (!read_ip(packet, &ip)) {
		printf("%u bytes\n", packet->length);
		return;
	}
	printf(".%u > .%u ", ip.source.b[15], ip.destination.b[15]);
	if (ip.protocol != IP_PROTOCOL_TCP || tcp_read(ip.payload, ip.payload_bytes, &tcp) < 0) {
		printf("protocol %u, %u bytes\n", ip.protocol, ip.payload_bytes);
		return;
	}
	printf("%u > %u %s%s%s%s%s seq %u ack %u win %u len %u gso %u", tcp.source_port, tcp.destination_port,
	       tcp.flags & TCP_SYN ? "S" : "", tcp.flags & TCP_FIN ? "F" : "", tcp.flags & TCP_RST ? "R" : "",
	       tcp.flags & TCP_PSH ? "P" : "", tcp.flags & TCP_ACK ? "." : "", tcp.seq.v, tcp.ack.v, tcp.window,
	       tcp.payload_bytes, packet->gso_bytes);
	for (int i = 0; i < tcp.options.sack_count; i++)
		printf(" sack %u-%u", tcp.options.sack[i].start.v, tcp.options.sack[i].end.v);
	printf("\n");
}
