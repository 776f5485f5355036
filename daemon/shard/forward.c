/* Which shard owns a flow, with several of them. The kernel steers a flow to the TAP queue that last sent for it, so
 * nearly all frames arrive where they belong; the first ones of a connection may not, and are passed on.
 *
 * The owner follows from the frame alone: a keyed hash of addresses and ports, or, for connections opened from here,
 * the range of local ports that each shard takes its own from. IP fragments can't be told and stay where they
 * arrived. */
#include "shard/private.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define FORWARD_MAX 1024u /* frames that may wait for one shard */

enum {
	ETHERNET_BYTES = 14,
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_ARP = 0x0806,
	ETHERTYPE_IPV6 = 0x86dd,
	ARP_OPERATION_AT = ETHERNET_BYTES + 6,
	ARP_REPLY = 2,
	IPV4_BYTES_MIN = 20,
	IPV6_BYTES = 40,
	PROTOCOL_ICMP = 1,
	PROTOCOL_TCP = 6,
	PROTOCOL_ICMPV6 = 58,
	ICMP_HEADER_BYTES = 8,
	EXTENSIONS_MAX = 8,
	MLD_QUERY = 130,
	ND_ROUTER_ADVERTISEMENT = 134,
	ND_NEIGHBOUR_SOLICITATION = 135,
	ND_NEIGHBOUR_ADVERTISEMENT = 136,
};

static uint32_t get16(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 8 | bytes[1];
}

/* Names of the two ends, ours first. Hashed as bytes: no padding. Of an IPv4 address the first four bytes. */
struct ends {
	uint8_t local[16], remote[16];
	uint8_t local_port[2], remote_port[2];
};

static uint32_t owner_of(const struct shards *shards, const struct ends *ends)
{
	uint32_t port = get16(ends->local_port);
	uint8_t hash[crypto_shorthash_BYTES];
	uint64_t value;

	if (port >= shards->port_first && port <= shards->port_last) {
		uint32_t index = (port - shards->port_first) / shards->ports_per_shard;

		return index < shards->count ? index : shards->count - 1;
	}
	crypto_shorthash(hash, (const uint8_t *)ends, sizeof(*ends), shards->flow_key);
	memcpy(&value, hash, sizeof(value));
	return (uint32_t)(value % shards->count);
}

/* What an IP packet carries. */
struct payload {
	const uint8_t *bytes;
	size_t length;
	uint8_t protocol;
	const uint8_t *source, *destination; /* addresses */
	size_t address_bytes;
};

static bool read_ipv4(const uint8_t *packet, size_t length, struct payload *ret)
{
	size_t header;

	if (length < IPV4_BYTES_MIN || packet[0] >> 4 != 4 || get16(packet + 6) & 0x3fff)
		return false;
	header = (size_t)(packet[0] & 15) * 4;
	if (header < IPV4_BYTES_MIN || length < header)
		return false;
	*ret = (struct payload){ packet + header, length - header, packet[9], packet + 12, packet + 16, 4 };
	return true;
}

/* Past the extension headers that may stand before the transport's: hop-by-hop 0, routing 43, destination 60. */
static bool read_ipv6(const uint8_t *packet, size_t length, struct payload *ret)
{
	size_t at = IPV6_BYTES;
	uint8_t next;

	if (length < IPV6_BYTES || packet[0] >> 4 != 6)
		return false;
	next = packet[6];
	for (int i = 0; next == 0 || next == 43 || next == 60; i++) {
		if (i == EXTENSIONS_MAX || length < at + 8)
			return false;
		next = packet[at];
		at += ((size_t)packet[at + 1] + 1) * 8;
	}
	if (length < at)
		return false;
	*ret = (struct payload){ packet + at, length - at, next, packet + 8, packet + 24, 16 };
	return true;
}

static bool read_packet(const uint8_t *packet, size_t length, struct payload *ret)
{
	return length > 0 && (packet[0] >> 4 == 4 ? read_ipv4(packet, length, ret) : read_ipv6(packet, length, ret));
}

/* The ends that a packet names, source being `ours` or not; false: it has no ports that can be told. */
static bool ends_of(const struct payload *payload, bool ours, struct ends *ends)
{
	if (payload->protocol != PROTOCOL_TCP || payload->length < 4)
		return false;
	memset(ends, 0, sizeof(*ends));
	memcpy(ours ? ends->local : ends->remote, payload->source, payload->address_bytes);
	memcpy(ours ? ends->remote : ends->local, payload->destination, payload->address_bytes);
	memcpy(ours ? ends->local_port : ends->remote_port, payload->bytes, 2);
	memcpy(ours ? ends->remote_port : ends->local_port, payload->bytes + 2, 2);
	return true;
}

static bool is_error(const struct payload *icmp)
{
	uint8_t type = icmp->bytes[0];

	if (icmp->protocol == PROTOCOL_ICMPV6)
		return type >= 1 && type <= 4;
	return icmp->protocol == PROTOCOL_ICMP && (type == 3 || type == 4 || type == 5 || type == 11 || type == 12);
}

/* ICMP errors quote the packet that we sent. */
static bool quoted_ends(const struct payload *icmp, struct ends *ends)
{
	struct payload quoted;

	return icmp->length > ICMP_HEADER_BYTES && is_error(icmp) &&
	       read_packet(icmp->bytes + ICMP_HEADER_BYTES, icmp->length - ICMP_HEADER_BYTES, &quoted) &&
	       ends_of(&quoted, true, ends);
}

/* Any shard answers a question about our addresses. But an answer may be what another shard waits for, routers speak
 * to all, and who asks from the unspecified address wants an address that each shard believes to be its own (RFC 4862
 * section 5.4.3). */
static bool is_for_everybody(const struct payload *payload)
{
	static const uint8_t unspecified[16] = { 0 };

	if (payload->protocol != PROTOCOL_ICMPV6 || payload->length == 0)
		return false;
	switch (payload->bytes[0]) {
	case MLD_QUERY:
	case ND_ROUTER_ADVERTISEMENT:
	case ND_NEIGHBOUR_ADVERTISEMENT:
		return true;
	case ND_NEIGHBOUR_SOLICITATION:
		return payload->address_bytes == 16 && memcmp(payload->source, unspecified, 16) == 0;
	default:
		return false;
	}
}

uint32_t forward_owner(const struct shards *shards, uint32_t here, const struct frame_in *frame, bool *ret_everybody)
{
	const uint8_t *packet = frame->bytes + ETHERNET_BYTES;
	struct payload payload;
	struct ends ends;
	uint32_t type;

	*ret_everybody = false;
	if (frame->length < ETHERNET_BYTES + IPV4_BYTES_MIN)
		return here;
	type = get16(frame->bytes + 12);
	if (type == ETHERTYPE_ARP)
		*ret_everybody = get16(frame->bytes + ARP_OPERATION_AT) == ARP_REPLY;
	if (type != (packet[0] >> 4 == 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6) ||
	    !read_packet(packet, frame->length - ETHERNET_BYTES, &payload))
		return here;
	if (ends_of(&payload, false, &ends) || quoted_ends(&payload, &ends))
		return owner_of(shards, &ends);
	*ret_everybody = is_for_everybody(&payload);
	return here;
}

static void pass_on(struct shard *shard, uint32_t to, const struct frame_in *frame)
{
	struct shard *owner = shard->set->shard[to];
	struct forwarded_frame *copy = NULL;

	if (atomic_fetch_add_explicit(&owner->frames_waiting, 1, memory_order_relaxed) < FORWARD_MAX)
		copy = malloc(sizeof(*copy) + frame->length);
	if (!copy) {
		/* As on any wire: TCP sends it again. */
		atomic_fetch_sub_explicit(&owner->frames_waiting, 1, memory_order_relaxed);
		shard_count_up(&shard->status.forward_drops);
		return;
	}
	copy->frame = *frame;
	copy->frame.bytes = copy->bytes;
	memcpy(copy->bytes, frame->bytes, frame->length);
	mailbox_post(&owner->frames, &copy->letter);
}

bool forward_frame(struct shard *shard, const struct frame_in *frame)
{
	bool everybody;
	uint32_t owner = forward_owner(shard->set, shard->index, frame, &everybody);

	if (everybody) {
		for (uint32_t i = 0; i < shard->set->count; i++) {
			if (i != shard->index)
				pass_on(shard, i, frame);
		}
		return false;
	}
	if (owner == shard->index)
		return false;
	pass_on(shard, owner, frame);
	return true;
}

void forward_free(struct shard *shard, struct letter *letters)
{
	struct letter *next;

	for (struct letter *letter = letters; letter; letter = next) {
		next = letter->next;
		atomic_fetch_sub_explicit(&shard->frames_waiting, 1, memory_order_relaxed);
		shard_count_up(&shard->status.forwarded_in);
		free(CONTAINER_OF(letter, struct forwarded_frame, letter));
	}
}
