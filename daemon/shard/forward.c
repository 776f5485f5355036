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
	ARP_OPERATION_AT = ETHERNET_BYTES + 6,
	ARP_REPLY = 2,
	IPV4_BYTES_MIN = 20,
	PROTOCOL_ICMP = 1,
	PROTOCOL_TCP = 6,
	ICMP_HEADER_BYTES = 8,
};

static uint32_t get16(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 8 | bytes[1];
}

/* Names of the two ends, ours first. Hashed as bytes: no padding. */
struct ends {
	uint8_t local[4], remote[4];
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

/* The ends that an IPv4 packet names, source being `ours` or not; false: it has no ports that can be told. */
static bool packet_ends(const uint8_t *packet, size_t length, bool ours, struct ends *ends)
{
	size_t header;

	if (length < IPV4_BYTES_MIN || packet[0] >> 4 != 4 || packet[9] != PROTOCOL_TCP)
		return false;
	header = (size_t)(packet[0] & 15) * 4;
	if (header < IPV4_BYTES_MIN || length < header + 4 || get16(packet + 6) & 0x3fff)
		return false;
	memcpy(ours ? ends->local : ends->remote, packet + 12, 4);
	memcpy(ours ? ends->remote : ends->local, packet + 16, 4);
	memcpy(ours ? ends->local_port : ends->remote_port, packet + header, 2);
	memcpy(ours ? ends->remote_port : ends->local_port, packet + header + 2, 2);
	return true;
}

/* ICMP errors quote the packet that we sent. */
static bool quoted_ends(const uint8_t *packet, size_t length, struct ends *ends)
{
	size_t header = (size_t)(packet[0] & 15) * 4;
	uint8_t type;

	if (header < IPV4_BYTES_MIN || length < header + ICMP_HEADER_BYTES)
		return false;
	type = packet[header];
	if (type != 3 && type != 4 && type != 5 && type != 11 && type != 12)
		return false;
	return packet_ends(packet + header + ICMP_HEADER_BYTES, length - header - ICMP_HEADER_BYTES, true, ends);
}

uint32_t forward_owner(const struct shards *shards, uint32_t here, const struct frame_in *frame, bool *ret_everybody)
{
	const uint8_t *packet = frame->bytes + ETHERNET_BYTES;
	struct ends ends;
	size_t length;

	*ret_everybody = false;
	if (frame->length < ETHERNET_BYTES + IPV4_BYTES_MIN)
		return here;
	length = frame->length - ETHERNET_BYTES;
	switch (get16(frame->bytes + 12)) {
	case ETHERTYPE_ARP:
		/* Any shard answers a request; a reply may be what another one waits for. */
		*ret_everybody = get16(frame->bytes + ARP_OPERATION_AT) == ARP_REPLY;
		return here;
	case ETHERTYPE_IPV4:
		if (packet_ends(packet, length, false, &ends) ||
		    (packet[9] == PROTOCOL_ICMP && quoted_ends(packet, length, &ends)))
			return owner_of(shards, &ends);
		return here;
	default:
		return here;
	}
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
