#include "link/impair/packet.h"

#include "core/wire/bytes.h"
#include "core/wire/checksum.h"
#include "core/wire/ethernet.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcp.h"

#include <string.h>

enum { IP = ETHERNET_HEADER_BYTES, IPV6_BYTES = 40 };

bool packet_view(const struct impair_packet *packet, struct packet_view *ret_view)
{
	uint8_t *ip = (uint8_t *)packet->bytes + IP;
	uint32_t header, total;

	if (packet->length < IP + IPV4_HEADER_BYTES + TCP_HEADER_BYTES)
		return false;
	if (load16(packet->bytes + 12) == ETHERTYPE_IPV4 && ip[0] >> 4 == 4) {
		header = (ip[0] & 15u) * 4;
		total = load16(ip + 2);
		if (ip[9] != IP_PROTOCOL_TCP || (load16(ip + 6) & 0x3fff) != 0)
			return false;
	} else if (load16(packet->bytes + 12) == ETHERTYPE_IPV6 && ip[0] >> 4 == 6) {
		header = IPV6_BYTES;
		total = IPV6_BYTES + load16(ip + 4);
		if (ip[6] != IP_PROTOCOL_TCP)
			return false;
	} else {
		return false;
	}
	if (total > packet->length - IP || total < header + TCP_HEADER_BYTES)
		return false;
	*ret_view = (struct packet_view){ .version = ip[0] >> 4, .ip = ip, .tcp = ip + header };
	ret_view->tcp_bytes = total - header;
	header = (uint32_t)(ret_view->tcp[12] >> 4) * 4;
	if (header < TCP_HEADER_BYTES || header > ret_view->tcp_bytes)
		return false;
	ret_view->payload = ret_view->tcp + header;
	ret_view->payload_bytes = ret_view->tcp_bytes - header;
	return true;
}

bool packet_addresses(const struct impair_packet *packet, struct ip_addr *ret_source, struct ip_addr *ret_destination)
{
	const uint8_t *ip = packet->bytes + IP;

	if (packet->length >= IP + IPV4_HEADER_BYTES && load16(packet->bytes + 12) == ETHERTYPE_IPV4) {
		*ret_source = ip_addr_v4(load32(ip + 12));
		*ret_destination = ip_addr_v4(load32(ip + 16));
		return true;
	}
	if (packet->length >= IP + IPV6_BYTES && load16(packet->bytes + 12) == ETHERTYPE_IPV6) {
		memcpy(ret_source->b, ip + 8, 16);
		memcpy(ret_destination->b, ip + 24, 16);
		return true;
	}
	return false;
}

bool packet_header_is_sound(const struct impair_packet *packet)
{
	const uint8_t *ip = packet->bytes + IP;
	uint32_t header = (ip[0] & 15u) * 4;

	if (load16(packet->bytes + 12) != ETHERTYPE_IPV4)
		return true;
	return ip[0] >> 4 == 4 && packet->length >= IP + header &&
	       checksum_fold(checksum_add(0, ip, header, 0)) == 0xffff;
}

bool packet_segment_is_sound(const struct impair_packet *packet, const struct packet_view *view)
{
	struct ip_addr source, destination;
	uint64_t sum;

	if (packet->checksum_offset != 0)
		return true;
	packet_addresses(packet, &source, &destination);
	sum = checksum_pseudo(&source, &destination, IP_PROTOCOL_TCP, view->tcp_bytes);
	return packet_header_is_sound(packet) &&
	       checksum_fold(checksum_add(sum, view->tcp, view->tcp_bytes, 0)) == 0xffff;
}

/* ---- checksums, lengths ------------------------------------------------------------------------------------------
 */

static void write_checksum(const struct impair_packet *packet, const struct packet_view *view)
{
	struct ip_addr source, destination;
	uint64_t sum;

	packet_addresses(packet, &source, &destination);
	sum = checksum_pseudo(&source, &destination, IP_PROTOCOL_TCP, view->tcp_bytes);
	store16(view->tcp + 16, 0);
	store16(view->tcp + 16, (uint16_t)~checksum_fold(checksum_add(sum, view->tcp, view->tcp_bytes, 0)));
}

/* The IP header of a packet whose TCP segment has now so many bytes. */
static void write_length(uint8_t *ip, uint32_t tcp_bytes)
{
	uint32_t header = (ip[0] & 15u) * 4;

	if (ip[0] >> 4 == 6) {
		store16(ip + 4, tcp_bytes);
		return;
	}
	store16(ip + 2, header + tcp_bytes);
	store16(ip + 10, 0);
	store16(ip + 10, (uint16_t)~checksum_fold(checksum_add(0, ip, header, 0)));
}

void packet_mend(struct impair_packet *packet)
{
	struct packet_view view;

	if (packet->checksum_offset == 0 && packet_view(packet, &view))
		write_checksum(packet, &view);
}

void packet_finish_checksum(struct impair_packet *packet)
{
	struct packet_view view;

	if (packet->checksum_offset == 0 || !packet_view(packet, &view))
		return;
	packet->checksum_offset = 0;
	write_checksum(packet, &view);
}

struct impair_packet *packet_build(struct impair *impair, const struct impair_packet *of, const uint8_t *tcp,
                                   uint32_t header_bytes, const uint8_t *payload, uint32_t payload_bytes)
{
	struct impair_packet *packet;
	struct packet_view view;
	uint32_t tcp_at;

	if (!packet_view(of, &view))
		return NULL;
	tcp_at = (uint32_t)(view.tcp - of->bytes);
	packet = impair_packet_new(impair, tcp_at + header_bytes + payload_bytes);
	if (!packet)
		return NULL;
	memcpy(packet->bytes, of->bytes, tcp_at);
	memcpy(packet->bytes + tcp_at, tcp, header_bytes);
	memcpy(packet->bytes + tcp_at + header_bytes, payload, payload_bytes);
	packet->bytes[tcp_at + 12] = (uint8_t)(header_bytes / 4 << 4 | (tcp[12] & 15));
	packet->is_ipv6 = view.version == 6;
	write_length(packet->bytes + IP, header_bytes + payload_bytes);
	packet_mend(packet);
	return packet;
}

/* ---- super-frames ------------------------------------------------------------------------------------------------
 */

struct impair_packet *packet_split(struct impair *impair, struct impair_packet *packet)
{
	struct impair_packet *first = NULL, **last = &first;
	uint8_t tcp[TCP_HEADER_BYTES_MAX];
	struct packet_view view;
	uint32_t header, done = 0;

	if (packet->gso_bytes == 0 || !packet_view(packet, &view)) {
		packet_finish_checksum(packet);
		packet->next = NULL;
		return packet;
	}
	header = view.tcp_bytes - view.payload_bytes;
	while (done < view.payload_bytes) {
		uint32_t left = view.payload_bytes - done;
		uint32_t part = left < packet->gso_bytes ? left : packet->gso_bytes;

		memcpy(tcp, view.tcp, header);
		store32(tcp + 4, load32(view.tcp + 4) + done);
		if (part < left)
			tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		if (done > 0)
			tcp[13] &= (uint8_t)~TCP_CWR; /* as cards do: RFC 3168 asks for one segment with it */
		*last = packet_build(impair, packet, tcp, header, view.payload + done, part);
		if (*last)
			last = &(*last)->next;
		done += part;
	}
	impair_packet_free(impair, packet);
	return first;
}

/* ---- the element -------------------------------------------------------------------------------------------------
 */

static void split_take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	struct impair_packet *next;

	for (packet = packet_split(element->impair, packet); packet; packet = next) {
		next = packet->next;
		packet->next = NULL;
		impair_pass(element, now, packet);
	}
}

void impair_split_begin(struct impair_split *split, struct impair *impair, struct impair_element *next)
{
	*split = (struct impair_split){ .element = { .take = split_take } };
	impair_add(impair, &split->element, next);
}
