#include "core/wire/tcp.h"

#include "core/base/assert.h"
#include "core/wire/bytes.h"

#include <errno.h>

enum {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_WSCALE = 3,
	OPTION_SACK_PERMITTED = 4,
	OPTION_SACK = 5,
	OPTION_TIMESTAMPS = 8,
	OPTION_USER_TIMEOUT = 28,
	OPTION_FASTOPEN = 34,
	OPTION_ACCECN_0 = 172,
	OPTION_ACCECN_1 = 174,

	MSS_BYTES = 4,
	WSCALE_BYTES = 3,
	SACK_PERMITTED_BYTES = 2,
	TIMESTAMPS_BYTES = 10,
	SACK_BLOCK_BYTES = 8,
	USER_TIMEOUT_BYTES = 4,
	ACCECN_COUNTER_BYTES = 3,
};

#define OPTIONS_BYTES_MAX (TCP_HEADER_BYTES_MAX - TCP_HEADER_BYTES)
/* Two NOPs, then timestamps: what nearly every segment of an open connection has (RFC 7323 appendix A). */
#define NOP_NOP_TIMESTAMPS ((uint32_t)OPTION_NOP << 24 | OPTION_NOP << 16 | OPTION_TIMESTAMPS << 8 | TIMESTAMPS_BYTES)
#define NOP_NOP_TIMESTAMPS_BYTES 12

static void read_sack(const uint8_t *value, size_t length, struct tcp_options *options)
{
	for (; length >= SACK_BLOCK_BYTES; value += SACK_BLOCK_BYTES, length -= SACK_BLOCK_BYTES) {
		struct tcp_sack_block block = { SEQ(load32(value)), SEQ(load32(value + 4)) };

		if (seq_gt(block.end, block.start) && options->sack_count < TCP_SACK_BLOCKS_MAX)
			options->sack[options->sack_count++] = block;
	}
}

static void read_fastopen(const uint8_t *value, size_t length, struct tcp_options *options)
{
	bool sound = length == 0 || (length >= TCP_FASTOPEN_MIN && length <= TCP_FASTOPEN_MAX &&
	                             length % 2 == 0); /* RFC 7413 4.1.1 */

	if (!sound || options->has_fastopen)
		return;
	options->has_fastopen = true;
	options->fastopen_bytes = (uint8_t)length;
	memcpy(options->fastopen, value, length);
}

static void read_accecn(uint8_t order, const uint8_t *value, size_t length, struct tcp_options *options)
{
	if (options->has_accecn)
		return;
	options->has_accecn = true;
	options->accecn_order = order;
	for (; length >= ACCECN_COUNTER_BYTES && options->accecn_count < TCP_ACCECN_COUNTERS;
	     value += ACCECN_COUNTER_BYTES, length -= ACCECN_COUNTER_BYTES)
		options->accecn[options->accecn_count++] = (uint32_t)value[0] << 16 | load16(value + 1);
}

/* One option of a kind that has a length; `length` is that of `value`. */
static void read_option(uint8_t kind, const uint8_t *value, size_t length, bool syn, bool *sack_seen,
                        struct tcp_options *options)
{
	switch (kind) {
	case OPTION_MSS:
		if (syn && length == MSS_BYTES - 2 && !options->has_mss) {
			options->has_mss = true;
			options->mss = load16(value);
		}
		break;
	case OPTION_WSCALE:
		if (syn && length == WSCALE_BYTES - 2 && !options->has_wscale) {
			options->has_wscale = true;
			options->wscale = value[0];
		}
		break;
	case OPTION_SACK_PERMITTED:
		if (syn && length == SACK_PERMITTED_BYTES - 2)
			options->sack_permitted = true;
		break;
	case OPTION_SACK:
		if (length > 0 && length % SACK_BLOCK_BYTES == 0 && !*sack_seen) {
			*sack_seen = true;
			read_sack(value, length, options);
		}
		break;
	case OPTION_TIMESTAMPS:
		if (length == TIMESTAMPS_BYTES - 2 && !options->has_timestamps) {
			options->has_timestamps = true;
			options->tsval = load32(value);
			options->tsecr = load32(value + 4);
		}
		break;
	case OPTION_USER_TIMEOUT:
		if (length == USER_TIMEOUT_BYTES - 2 && !options->has_user_timeout) {
			options->has_user_timeout = true;
			options->user_timeout_minutes = value[0] >> 7;
			options->user_timeout = load16(value) & 0x7fff;
		}
		break;
	case OPTION_FASTOPEN:
		if (syn)
			read_fastopen(value, length, options);
		break;
	case OPTION_ACCECN_0:
	case OPTION_ACCECN_1:
		read_accecn(kind == OPTION_ACCECN_0 ? TCP_ACCECN_ORDER_0 : TCP_ACCECN_ORDER_1, value, length,
		            options);
		break;
	default:
		break;
	}
}

static void read_options(const uint8_t *bytes, size_t length, bool syn, struct tcp_options *options)
{
	struct reader reader = { bytes, length };
	bool sack_seen = false;

	while (reader.left > 0) {
		uint8_t kind = *reader_take(&reader, 1);
		const uint8_t *size, *value;

		if (kind == OPTION_END)
			return;
		if (kind == OPTION_NOP)
			continue;
		size = reader_take(&reader, 1);
		if (!size || *size < 2)
			return;
		value = reader_take(&reader, *size - 2u);
		if (!value)
			return;
		read_option(kind, value, *size - 2u, syn, &sack_seen, options);
	}
}

int tcp_read(const uint8_t *bytes, size_t length, struct tcp_segment *ret_segment)
{
	struct tcp_options *options = &ret_segment->options;
	size_t header;

	if (length < TCP_HEADER_BYTES)
		return -EBADMSG;
	header = (bytes[12] >> 4) * 4u;
	if (header < TCP_HEADER_BYTES || header > length)
		return -EBADMSG;
	ret_segment->source_port = load16(bytes);
	ret_segment->destination_port = load16(bytes + 2);
	ret_segment->seq = SEQ(load32(bytes + 4));
	ret_segment->ack = SEQ(load32(bytes + 8));
	ret_segment->flags = (uint16_t)((bytes[12] & 1u) << 8 | bytes[13]);
	ret_segment->window = load16(bytes + 14);
	ret_segment->urgent_pointer = load16(bytes + 18);
	ret_segment->payload = bytes + header;
	ret_segment->payload_bytes = (uint32_t)(length - header);
	memset(options, 0, sizeof(*options));
	if (LIKELY(header == TCP_HEADER_BYTES + NOP_NOP_TIMESTAMPS_BYTES &&
	           load32(bytes + TCP_HEADER_BYTES) == NOP_NOP_TIMESTAMPS)) {
		options->has_timestamps = true;
		options->tsval = load32(bytes + TCP_HEADER_BYTES + 4);
		options->tsecr = load32(bytes + TCP_HEADER_BYTES + 8);
	} else {
		read_options(bytes + TCP_HEADER_BYTES, header - TCP_HEADER_BYTES, bytes[13] & TCP_SYN, options);
	}
	return 0;
}

/* Fills up to a multiple of four. */
static uint8_t *pad(uint8_t *out, uint8_t *at)
{
	while ((at - out) % 4 != 0)
		*at++ = OPTION_NOP;
	return at;
}

static uint8_t *write_fastopen(uint8_t *out, uint8_t *at, const struct tcp_options *options)
{
	size_t bytes = 2u + options->fastopen_bytes;

	if ((size_t)(at - out) + ((bytes + 3) & ~(size_t)3) > OPTIONS_BYTES_MAX)
		return at;
	*at++ = OPTION_FASTOPEN;
	*at++ = (uint8_t)bytes;
	memcpy(at, options->fastopen, options->fastopen_bytes);
	return pad(out, at + options->fastopen_bytes);
}

/* See tcp_accecn_room; `used` bytes are taken by what comes before. */
static int accecn_room(size_t used, uint8_t sack_count)
{
	size_t blocks = sack_count < 2 ? sack_count : 2;
	size_t taken = used + (blocks > 0 ? 4 + blocks * SACK_BLOCK_BYTES : 0);
	size_t room = taken < OPTIONS_BYTES_MAX ? OPTIONS_BYTES_MAX - taken : 0;

	if (room < 4)
		return -1;
	return room < 8 ? 0 : room < 12 ? 2 : TCP_ACCECN_COUNTERS; /* multiples of four, all of them */
}

static uint8_t *write_accecn(uint8_t *out, uint8_t *at, const struct tcp_options *options)
{
	int room = accecn_room((size_t)(at - out), options->sack_count);
	size_t count = options->accecn_count;

	if (room < 0)
		return at;
	if (count > (size_t)room)
		count = (size_t)room;
	*at++ = options->accecn_order == TCP_ACCECN_ORDER_0 ? OPTION_ACCECN_0 : OPTION_ACCECN_1;
	*at++ = (uint8_t)(2 + count * ACCECN_COUNTER_BYTES);
	for (size_t i = 0; i < count; i++, at += ACCECN_COUNTER_BYTES) {
		at[0] = (uint8_t)(options->accecn[i] >> 16);
		store16(at + 1, options->accecn[i] & 0xffff);
	}
	return pad(out, at);
}

/* As many blocks as the options still have room for; none when not even one fits. */
static uint8_t *write_sack(uint8_t *at, size_t used, const struct tcp_options *options)
{
	size_t count = used + 4 > OPTIONS_BYTES_MAX ? 0 : (OPTIONS_BYTES_MAX - used - 4) / SACK_BLOCK_BYTES;

	if (count > options->sack_count)
		count = options->sack_count;
	if (count > TCP_SACK_BLOCKS_MAX)
		count = TCP_SACK_BLOCKS_MAX;
	if (count == 0)
		return at;
	*at++ = OPTION_NOP;
	*at++ = OPTION_NOP;
	*at++ = OPTION_SACK;
	*at++ = (uint8_t)(2 + count * SACK_BLOCK_BYTES);
	for (size_t i = 0; i < count; i++, at += SACK_BLOCK_BYTES) {
		store32(at, options->sack[i].start.v);
		store32(at + 4, options->sack[i].end.v);
	}
	return at;
}

/* All but AccECN and SACK. Each step leaves `at` at a multiple of four from the options' start. */
static uint8_t *write_fixed_options(uint8_t *out, const struct tcp_options *options)
{
	uint8_t *at = out;

	if (options->has_mss) {
		*at++ = OPTION_MSS;
		*at++ = MSS_BYTES;
		store16(at, options->mss);
		at += 2;
	}
	/* SACK-permitted takes the place of the two NOPs before the timestamps. */
	if (options->sack_permitted || options->has_timestamps) {
		if (!options->sack_permitted || !options->has_timestamps) {
			*at++ = OPTION_NOP;
			*at++ = OPTION_NOP;
		}
		if (options->sack_permitted) {
			*at++ = OPTION_SACK_PERMITTED;
			*at++ = SACK_PERMITTED_BYTES;
		}
		if (options->has_timestamps) {
			*at++ = OPTION_TIMESTAMPS;
			*at++ = TIMESTAMPS_BYTES;
			store32(at, options->tsval);
			store32(at + 4, options->tsecr);
			at += 8;
		}
	}
	if (options->has_wscale) {
		*at++ = OPTION_NOP;
		*at++ = OPTION_WSCALE;
		*at++ = WSCALE_BYTES;
		*at++ = options->wscale;
	}
	if (options->has_user_timeout && at - out + USER_TIMEOUT_BYTES <= OPTIONS_BYTES_MAX) {
		*at++ = OPTION_USER_TIMEOUT;
		*at++ = USER_TIMEOUT_BYTES;
		store16(at, (uint32_t)options->user_timeout_minutes << 15 | (options->user_timeout & 0x7fff));
		at += 2;
	}
	if (options->has_fastopen)
		at = write_fastopen(out, at, options);
	return at;
}

static size_t write_options(uint8_t *out, const struct tcp_options *options)
{
	uint8_t *at = write_fixed_options(out, options);

	if (options->has_accecn)
		at = write_accecn(out, at, options);
	if (options->sack_count > 0)
		at = write_sack(at, (size_t)(at - out), options);
	return (size_t)(at - out);
}

int tcp_accecn_room(const struct tcp_options *options)
{
	uint8_t scratch[OPTIONS_BYTES_MAX];

	return accecn_room((size_t)(write_fixed_options(scratch, options) - scratch), options->sack_count);
}

size_t tcp_write(uint8_t *out, const struct tcp_segment *segment)
{
	size_t header = TCP_HEADER_BYTES + write_options(out + TCP_HEADER_BYTES, &segment->options);

	store16(out, segment->source_port);
	store16(out + 2, segment->destination_port);
	store32(out + 4, segment->seq.v);
	store32(out + 8, segment->ack.v);
	out[12] = (uint8_t)(header / 4 << 4 | (segment->flags >> 8 & 1));
	out[13] = (uint8_t)segment->flags;
	store16(out + 14, segment->window);
	store16(out + 16, 0);
	store16(out + 18, segment->urgent_pointer);
	return header;
}
