#include "core/wire/nd.h"

#include "core/wire/bytes.h"

#include <errno.h>

enum {
	OPTION_SOURCE_MAC = 1,
	OPTION_TARGET_MAC = 2,
	OPTION_PREFIX = 3,
	OPTION_MTU = 5,
	OPTION_NONCE = 14,

	PREFIX_BYTES = 32,

	ADVERTISEMENT_BYTES = 8, /* behind the ICMPv6 header: of a router */
	TARGET_BYTES = 16,       /* of a neighbour's messages */
};

#define FLAG_ROUTER 0x80000000u
#define FLAG_SOLICITED 0x40000000u
#define FLAG_OVERRIDE 0x20000000u

static void read_mac(const uint8_t *option, size_t length, bool *has, struct mac_addr *mac)
{
	if (length != 8 || *has)
		return;
	memcpy(mac->b, option + 2, 6);
	*has = true;
}

static void read_prefix(const uint8_t *option, size_t length, struct nd_options *options)
{
	struct nd_prefix *prefix = &options->prefix[options->prefix_count];

	if (length != PREFIX_BYTES || option[2] > 128 || options->prefix_count == ND_PREFIXES_MAX)
		return;
	*prefix = (struct nd_prefix){
		.bits = option[2],
		.on_link = option[3] & 0x80,
		.autonomous = option[3] & 0x40,
		.valid_s = load32(option + 4),
		.preferred_s = load32(option + 8),
	};
	memcpy(prefix->prefix.b, option + 16, prefix->bits / 8);
	if (prefix->bits % 8)
		prefix->prefix.b[prefix->bits / 8] =
		        option[16 + prefix->bits / 8] & (uint8_t)(0xff00 >> prefix->bits % 8);
	options->prefix_count++;
}

static void read_option(const uint8_t *option, size_t length, struct nd_options *options)
{
	switch (option[0]) {
	case OPTION_SOURCE_MAC:
		read_mac(option, length, &options->has_source_mac, &options->source_mac);
		break;
	case OPTION_TARGET_MAC:
		read_mac(option, length, &options->has_target_mac, &options->target_mac);
		break;
	case OPTION_PREFIX:
		read_prefix(option, length, options);
		break;
	case OPTION_MTU:
		if (length == 8 && options->mtu_bytes == 0)
			options->mtu_bytes = load32(option + 4);
		break;
	case OPTION_NONCE:
		if (!options->has_nonce)
			memcpy(options->nonce, option + 2, ND_NONCE_BYTES);
		options->has_nonce = true;
		break;
	default:
		break;
	}
}

static int read_options(struct reader *reader, struct nd_options *options)
{
	for (int count = 0; reader->left > 0; count++) {
		const uint8_t *option = reader->at;
		size_t length;

		if (reader->left < 8 || option[1] == 0 || count == ND_OPTIONS_MAX)
			return -EBADMSG;
		length = option[1] * (size_t)8;
		if (!reader_take(reader, length))
			return -EBADMSG;
		read_option(option, length, options);
	}
	return 0;
}

static int read_target(struct reader *reader, struct nd_message *message)
{
	const uint8_t *target = reader_take(reader, TARGET_BYTES);

	if (!target || target[0] == 0xff)
		return -EBADMSG;
	memcpy(message->target.b, target, TARGET_BYTES);
	return 0;
}

static int read_advertisement(struct reader *reader, uint32_t word, struct nd_message *message)
{
	static const int8_t preferences[4] = { 0, 1, 0, -1 }; /* 2 is reserved: as medium */
	const uint8_t *times = reader_take(reader, ADVERTISEMENT_BYTES);

	if (!times)
		return -EBADMSG;
	message->hop_limit = (uint8_t)(word >> 24);
	message->preference = preferences[word >> 19 & 3];
	message->lifetime_s = (uint16_t)word;
	message->reachable_ms = load32(times);
	message->retransmit_ms = load32(times + 4);
	return 0;
}

int nd_read(const struct icmp6_message *icmp, struct nd_message *ret_message)
{
	struct reader reader = { icmp->payload, icmp->payload_bytes };
	struct nd_message message = { .type = icmp->type };
	int r = 0;

	if (icmp->code != 0)
		return -EBADMSG;
	switch (icmp->type) {
	case ICMP6_ROUTER_SOLICITATION:
		break;
	case ICMP6_ROUTER_ADVERTISEMENT:
		r = read_advertisement(&reader, icmp->word, &message);
		break;
	case ICMP6_NEIGHBOUR_ADVERTISEMENT:
		message.router = icmp->word & FLAG_ROUTER;
		message.solicited = icmp->word & FLAG_SOLICITED;
		message.override = icmp->word & FLAG_OVERRIDE;
		r = read_target(&reader, &message);
		break;
	case ICMP6_NEIGHBOUR_SOLICITATION:
		r = read_target(&reader, &message);
		break;
	default:
		return -EBADMSG;
	}
	if (r == 0)
		r = read_options(&reader, &message.options);
	if (r < 0)
		return r;
	*ret_message = message;
	return 0;
}

static uint8_t *write_option(uint8_t *out, uint8_t kind, const uint8_t bytes[6])
{
	out[0] = kind;
	out[1] = 1;
	memcpy(out + 2, bytes, 6);
	return out + 8;
}

size_t nd_write(uint8_t *out, const struct ip_addr *source, const struct ip_addr *destination,
                const struct nd_message *message)
{
	uint8_t *payload = out + ICMP6_HEADER_BYTES, *at = payload;
	struct icmp6_message icmp = { .type = message->type, .payload = payload };

	if (message->type != ICMP6_ROUTER_SOLICITATION) {
		memcpy(at, message->target.b, TARGET_BYTES);
		at += TARGET_BYTES;
	}
	if (message->type == ICMP6_NEIGHBOUR_ADVERTISEMENT)
		icmp.word = (message->router ? FLAG_ROUTER : 0) | (message->solicited ? FLAG_SOLICITED : 0) |
		            (message->override ? FLAG_OVERRIDE : 0);
	if (message->options.has_source_mac)
		at = write_option(at, OPTION_SOURCE_MAC, message->options.source_mac.b);
	if (message->options.has_target_mac)
		at = write_option(at, OPTION_TARGET_MAC, message->options.target_mac.b);
	if (message->options.has_nonce)
		at = write_option(at, OPTION_NONCE, message->options.nonce);
	icmp.payload_bytes = (uint32_t)(at - payload);
	return icmp6_write(out, source, destination, &icmp);
}
