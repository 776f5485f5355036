/* Boxes that don't leave segments alone. Options are overwritten with NOPs, as most boxes do. What was damaged before
 * it came passes as it is: a new checksum would hide the damage. */
#include "core/wire/bytes.h"
#include "core/wire/ethernet.h"
#include "core/wire/tcp.h"
#include "link/impair/ecn.h"
#include "network.h"
#include "packet.h"

#include <string.h>

enum {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_WSCALE = 3,
	OPTION_SACK_PERMITTED = 4,
	OPTION_SACK = 5,
	OPTION_TIMESTAMPS = 8,
	OPTION_ACCECN0 = 172,
	OPTION_ACCECN1 = 174,
	BYTE12_AE = 1, /* RFC 9768 */
	MERGED_BYTES_MAX = 9000,
};

struct middlebox {
	struct impair_element out, back;
	struct middlebox_options options;
	struct impair_packet *held; /* that the next one on the way out may be merged with */
};

/* ---- options -----------------------------------------------------------------------------------------------------
 */

static bool is_unwanted(uint32_t habits, uint8_t kind, bool syn)
{
	switch (kind) {
	case OPTION_MSS:
		return false;
	case OPTION_WSCALE:
		return syn && (habits & MIDDLEBOX_NO_WSCALE);
	case OPTION_SACK_PERMITTED:
		return syn && (habits & MIDDLEBOX_NO_SACK);
	case OPTION_SACK:
		return habits & MIDDLEBOX_NO_SACK_BLOCKS;
	case OPTION_TIMESTAMPS:
		return syn && (habits & MIDDLEBOX_NO_TIMESTAMPS);
	case OPTION_ACCECN0:
	case OPTION_ACCECN1:
		return habits & (MIDDLEBOX_NO_ACCECN | MIDDLEBOX_NO_UNKNOWN);
	default:
		return habits & MIDDLEBOX_NO_UNKNOWN;
	}
}

static void shift_blocks(uint8_t *option, uint32_t by)
{
	for (uint32_t at = 2; at + 4 <= option[1]; at += 4)
		store32(option + at, load32(option + at) + by);
}

/* Returns whether anything was changed. `sack_by` is added to the edges of SACK blocks. */
static bool change_options(const struct middlebox_options *options, const struct packet_view *view, uint32_t sack_by)
{
	bool syn = view->tcp[13] & TCP_SYN, changed = false;
	uint8_t *option = view->tcp + TCP_HEADER_BYTES;

	while (option < view->payload && *option != OPTION_END) {
		uint32_t length = 1;

		if (*option != OPTION_NOP) {
			if (view->payload - option < 2 || option[1] < 2 || option[1] > view->payload - option)
				break;
			length = option[1];
			if (is_unwanted(options->habits, *option, syn)) {
				memset(option, OPTION_NOP, length);
				changed = true;
			} else if (*option == OPTION_SACK && sack_by != 0) {
				shift_blocks(option, sack_by);
				changed = true;
			} else if (*option == OPTION_MSS && syn && (options->habits & MIDDLEBOX_CLAMP_MSS) &&
			           load16(option + 2) > options->mss) {
				store16(option + 2, options->mss);
				changed = true;
			}
		}
		option += length;
	}
	return changed;
}

/* ---- ECN ---------------------------------------------------------------------------------------------------------
 */

static void change_ecn(uint32_t habits, struct impair_packet *packet)
{
	int is = ecn_get(packet->bytes, packet->length);

	if (is <= ECN_NOT_ECT)
		return;
	if (habits & MIDDLEBOX_ALL_CE)
		ecn_set(packet->bytes, packet->length, ECN_CE);
	else if (habits & MIDDLEBOX_BLEACHES)
		ecn_set(packet->bytes, packet->length, ECN_NOT_ECT);
	else if ((habits & MIDDLEBOX_CLEARS_CE) && is == ECN_CE)
		ecn_set(packet->bytes, packet->length, ECN_ECT0);
}

static bool change_flags(uint32_t habits, const struct packet_view *view)
{
	if (!(habits & MIDDLEBOX_NO_ECN_FLAGS) || !(view->tcp[13] & TCP_SYN))
		return false;
	view->tcp[12] &= (uint8_t)~BYTE12_AE;
	view->tcp[13] &= (uint8_t) ~(TCP_ECE | TCP_CWR);
	return true;
}

/* ---- splitting, merging ------------------------------------------------------------------------------------------
 */

static void split(struct middlebox *box, struct instant now, struct impair_packet *packet,
                  const struct packet_view *view)
{
	uint32_t header = view->tcp_bytes - view->payload_bytes, piece = box->options.piece, done = 0;
	uint8_t tcp[TCP_HEADER_BYTES_MAX];

	while (done < view->payload_bytes) {
		uint32_t left = view->payload_bytes - done, part = left < piece ? left : piece;

		memcpy(tcp, view->tcp, header);
		store32(tcp + 4, load32(view->tcp + 4) + done);
		if (part < left)
			tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		impair_pass(&box->out, now,
		            packet_build(box->out.impair, packet, tcp, header, view->payload + done, part));
		done += part;
	}
	impair_packet_free(box->out.impair, packet);
}

static void release(struct middlebox *box, struct instant now)
{
	struct impair_packet *held = box->held;

	box->held = NULL;
	box->out.due = INSTANT_NEVER;
	if (held)
		impair_pass(&box->out, now, held);
}

/* Can text be joined to this segment at all? */
static bool is_plain(const struct impair_packet *packet, const struct packet_view *view)
{
	return packet->gso_bytes == 0 && packet->checksum_offset == 0 && view->payload_bytes > 0 &&
	       !(view->tcp[13] & (TCP_SYN | TCP_RST | TCP_URG));
}

/* Is `next` the continuation of `held`, with the same headers but for the timestamps? */
static bool follows(const struct packet_view *held, const struct packet_view *next)
{
	uint32_t header = next->tcp_bytes - next->payload_bytes;

	return held->version == next->version && !(held->tcp[13] & (TCP_FIN | TCP_PSH)) &&
	       held->tcp_bytes - held->payload_bytes == header &&
	       load32(held->tcp + 4) + held->payload_bytes == load32(next->tcp + 4) &&
	       load32(held->tcp) == load32(next->tcp) && load32(held->tcp + 8) == load32(next->tcp + 8) &&
	       (header == TCP_HEADER_BYTES || held->tcp[20] == next->tcp[20]);
}

/* Joins the held packet and `next`, both of which are gone afterwards; NULL: they stay as they are. */
static struct impair_packet *join(struct middlebox *box, struct impair_packet *next)
{
	struct ip_addr source[2], destination[2];
	uint8_t tcp[TCP_HEADER_BYTES_MAX];
	uint8_t text[MERGED_BYTES_MAX];
	struct packet_view a, b;
	struct impair_packet *both;
	uint32_t header;

	packet_addresses(box->held, &source[0], &destination[0]);
	packet_addresses(next, &source[1], &destination[1]);
	if (!packet_view(box->held, &a) || !packet_view(next, &b) || !ip_addr_equal(&source[0], &source[1]) ||
	    !ip_addr_equal(&destination[0], &destination[1]) || !follows(&a, &b) ||
	    next->length + a.payload_bytes - ETHERNET_HEADER_BYTES > box->options.mtu ||
	    a.payload_bytes + b.payload_bytes > sizeof(text))
		return NULL;
	header = a.tcp_bytes - a.payload_bytes;
	memcpy(tcp, a.tcp, header);
	tcp[13] |= b.tcp[13];
	memcpy(tcp + 14, b.tcp + 14, 2); /* the window */
	memcpy(text, a.payload, a.payload_bytes);
	memcpy(text + a.payload_bytes, b.payload, b.payload_bytes);
	both = packet_build(box->out.impair, box->held, tcp, header, text, a.payload_bytes + b.payload_bytes);
	if (ecn_get(next->bytes, next->length) == ECN_CE)
		ecn_set(both->bytes, both->length, ECN_CE);
	impair_packet_free(box->out.impair, box->held);
	impair_packet_free(box->out.impair, next);
	box->held = NULL;
	return both;
}

static void merge(struct middlebox *box, struct instant now, struct impair_packet *packet,
                  const struct packet_view *view)
{
	struct impair_packet *both = box->held && is_plain(packet, view) ? join(box, packet) : NULL;

	if (!both)
		release(box, now);
	if (!both && !is_plain(packet, view)) {
		impair_pass(&box->out, now, packet);
		return;
	}
	box->held = both ? both : packet;
	box->out.due = instant_add(now, DURATION_US(300));
}

/* ---- both ways ---------------------------------------------------------------------------------------------------
 */

static void out_take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	struct middlebox *box = (struct middlebox *)element;
	uint32_t habits = box->options.habits;
	struct packet_view view;
	bool changed;

	change_ecn(habits, packet);
	if (!packet_view(packet, &view) || !packet_segment_is_sound(packet, &view)) {
		release(box, now);
		impair_pass(element, now, packet);
		return;
	}
	changed = change_options(&box->options, &view, 0);
	changed = change_flags(habits, &view) || changed;
	if (habits & (MIDDLEBOX_SHIFT | MIDDLEBOX_SHIFT_BADLY)) {
		store32(view.tcp + 4, load32(view.tcp + 4) + box->options.shift);
		changed = true;
	}
	if (changed)
		packet_mend(packet);
	if ((habits & MIDDLEBOX_SPLITS) && is_plain(packet, &view) && view.payload_bytes > box->options.piece)
		split(box, now, packet, &view);
	else if (habits & MIDDLEBOX_MERGES)
		merge(box, now, packet, &view);
	else
		impair_pass(element, now, packet);
}

static void out_run(struct impair_element *element, struct instant now)
{
	release((struct middlebox *)element, now);
}

static void out_clear(struct impair_element *element)
{
	struct middlebox *box = (struct middlebox *)element;

	if (box->held)
		impair_packet_free(element->impair, box->held);
	box->held = NULL;
}

/* An ICMP error quotes a segment as it was behind the box. */
static void change_quote(struct impair_packet *packet, uint32_t by)
{
	uint8_t *ip = packet->bytes + ETHERNET_HEADER_BYTES, *icmp, *tcp;
	bool is_ipv4 = load16(packet->bytes + 12) == ETHERTYPE_IPV4;
	uint32_t icmp_at = ETHERNET_HEADER_BYTES + (is_ipv4 ? 20 : 40), tcp_at = icmp_at + 8 + (is_ipv4 ? 20 : 40);
	uint32_t before, after;

	if ((!is_ipv4 && load16(packet->bytes + 12) != ETHERTYPE_IPV6) || packet->length < tcp_at + 8 ||
	    ip[is_ipv4 ? 9 : 6] != (is_ipv4 ? 1 : 58) || !packet_header_is_sound(packet))
		return;
	icmp = packet->bytes + icmp_at;
	tcp = packet->bytes + tcp_at;
	if (icmp[0] != (is_ipv4 ? 3 : 2) || icmp[8 + (is_ipv4 ? 9 : 6)] != 6)
		return;
	before = load32(tcp + 4);
	after = before + by;
	store32(tcp + 4, after);
	/* RFC 1624 again: damage stays damage. */
	before = (uint32_t)(uint16_t)~load16(icmp + 2) + (uint16_t) ~(before >> 16) + (uint16_t)~before;
	before += (after >> 16) + (after & 0xffff);
	before = (before & 0xffff) + (before >> 16);
	before = (before & 0xffff) + (before >> 16);
	store16(icmp + 2, (uint16_t)~before);
}

static void back_take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	struct middlebox *box = (struct middlebox *)((char *)element - offsetof(struct middlebox, back));
	uint32_t habits = box->options.habits, by = 0;
	struct packet_view view;
	bool changed;

	change_ecn(habits, packet);
	if (habits & (MIDDLEBOX_SHIFT | MIDDLEBOX_SHIFT_BADLY))
		by = 0u - box->options.shift;
	if (by != 0)
		change_quote(packet, by);
	if (packet_view(packet, &view) && packet_segment_is_sound(packet, &view)) {
		changed = change_options(&box->options, &view, habits & MIDDLEBOX_SHIFT ? by : 0);
		changed = change_flags(habits, &view) || changed;
		if (by != 0 && (view.tcp[13] & TCP_ACK)) {
			store32(view.tcp + 8, load32(view.tcp + 8) + by);
			changed = true;
		}
		if (changed)
			packet_mend(packet);
	}
	impair_pass(element, now, packet);
}

struct impair_element *network_middlebox(struct sim *sim, struct impair_element *out, struct impair_element *back,
                                         struct middlebox_options options, struct impair_element **ret_back_in)
{
	struct middlebox *box = sim_alloc(sim, sizeof(*box));

	box->options = options;
	box->out.take = out_take;
	box->out.run = out_run;
	box->out.clear = out_clear;
	box->back.take = back_take;
	impair_add(&sim->impair, &box->out, out);
	impair_add(&sim->impair, &box->back, back);
	*ret_back_in = &box->back;
	return &box->out;
}
