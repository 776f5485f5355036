#include "packet.h"

#include "core/wire/bytes.h"
#include "core/wire/ethernet.h"
#include "core/wire/tcp.h"
#include "link/impair/ecn.h"

#include <stdio.h>

enum { IP = ETHERNET_HEADER_BYTES };

uint32_t packet_wire_mtu(const struct impair_packet *packet)
{
	struct packet_view view;

	if (packet->gso_bytes == 0 || !packet_view(packet, &view))
		return packet->length - IP;
	return (uint32_t)(view.payload - packet->bytes) - IP + packet->gso_bytes;
}

/* ---- printing ----------------------------------------------------------------------------------------------------
 */

static void print_tcp(const struct packet_view *view)
{
	static const char letters[] = "FSRP.UEW";
	struct tcp_segment tcp;

	if (tcp_read(view->tcp, view->tcp_bytes, &tcp) < 0)
		return;
	printf("%u > %u ", tcp.source_port, tcp.destination_port);
	for (int i = 0; i < 8; i++) {
		if (tcp.flags & 1u << i)
			printf("%c", letters[i]);
	}
	printf(" seq %u ack %u win %u len %u", tcp.seq.v, tcp.ack.v, tcp.window, tcp.payload_bytes);
	if (tcp.options.has_mss)
		printf(" mss %u", tcp.options.mss);
	if (tcp.options.has_wscale)
		printf(" wscale %u", tcp.options.wscale);
	if (tcp.options.sack_permitted)
		printf(" sackOK");
	if (tcp.options.has_timestamps)
		printf(" ts %u %u", tcp.options.tsval, tcp.options.tsecr);
	for (int i = 0; i < tcp.options.sack_count; i++)
		printf(" sack %u-%u", tcp.options.sack[i].start.v, tcp.options.sack[i].end.v);
}

void packet_print(const struct impair_packet *packet, struct instant now, const char *what)
{
	static const char *const ecn[] = { "", " ECT(1)", " ECT(0)", " CE" };
	struct ip_addr source, destination;
	struct packet_view view;

	printf("%12.6f %-8s ", (double)now.ns / 1e9, what);
	if (!packet_addresses(packet, &source, &destination)) {
		printf("type %04x, %u bytes\n", load16(packet->bytes + 12), packet->length);
		return;
	}
	printf(".%u > .%u ", source.b[15], destination.b[15]);
	if (packet_view(packet, &view))
		print_tcp(&view);
	else
		printf("protocol %u, %u bytes", packet->bytes[IP + (packet->bytes[IP] >> 4 == 4 ? 9 : 6)],
		       packet->length);
	if (packet->gso_bytes > 0)
		printf(" gso %u", packet->gso_bytes);
	printf("%s\n", ecn[ecn_get(packet->bytes, packet->length) & 3]);
}
