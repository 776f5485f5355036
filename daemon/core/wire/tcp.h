#pragma once
/* TCP segments on the wire (RFC 9293 section 3.1, RFC 7323, RFC 2018, RFC 5482, RFC 7413, RFC 9768): every field and
 * option read and written. */
#include "core/base/seq.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	TCP_HEADER_BYTES = 20,
	TCP_HEADER_BYTES_MAX = 60,
	TCP_SACK_BLOCKS_MAX = 4,
	TCP_WSCALE_MAX = 14, /* RFC 7323 section 2.3 */
	TCP_FASTOPEN_MIN = 4,
	TCP_FASTOPEN_MAX = 16, /* bytes of a cookie, RFC 7413 section 4.1.1 */
	TCP_ACCECN_COUNTERS = 3,
};

enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80,
	TCP_AE = 0x100, /* RFC 9768, the former NS */
};

/* Orders of the AccECN option's counters (RFC 9768 section 3.2.3). */
enum tcp_accecn_order {
	TCP_ACCECN_ORDER_0, /* kind 172: EE0B, ECEB, EE1B */
	TCP_ACCECN_ORDER_1, /* kind 174: EE1B, ECEB, EE0B */
};

struct tcp_sack_block {
	seq_t start, end;
};

struct tcp_options {
	bool has_mss, has_wscale, sack_permitted, has_timestamps;
	uint8_t wscale; /* as received; the user limits it to TCP_WSCALE_MAX */
	uint8_t sack_count;
	uint16_t mss;
	uint32_t tsval, tsecr;
	struct tcp_sack_block sack[TCP_SACK_BLOCKS_MAX];

	bool has_user_timeout, user_timeout_minutes;
	uint16_t user_timeout; /* 15 bits, in seconds or minutes */
	bool has_fastopen;     /* only on a SYN; without a cookie it asks for one */
	uint8_t fastopen_bytes;
	uint8_t fastopen[TCP_FASTOPEN_MAX];
	bool has_accecn;
	uint8_t accecn_order, accecn_count;   /* 0 to 3 counters, in the order of the option */
	uint32_t accecn[TCP_ACCECN_COUNTERS]; /* 24 bits each */
};

struct tcp_segment {
	uint16_t source_port, destination_port;
	seq_t seq, ack;
	uint16_t flags;  /* enum tcp_flag */
	uint16_t window; /* as on the wire, not scaled */
	uint16_t urgent_pointer;
	struct tcp_options options;
	const uint8_t *payload;
	uint32_t payload_bytes;
};

/* Reads header and options; the checksum is not looked at. Options of unknown kind are skipped by their length; an
 * option with length 0, 1 or running past the header ends the reading of options, and what came before it holds; an
 * option of a known kind with a wrong length is skipped (of AccECN the whole counters count, whatever its length); of
 * two of one kind the first holds. MSS, window scale and
 * SACK-permitted, Fast Open count only on a SYN (the reader keeps them off other segments). SACK blocks that are
 * empty or inverted are left out. Returns 0, or -EBADMSG when the header is short or its data offset is wrong. */
int tcp_read(const uint8_t *bytes, size_t length, struct tcp_segment *ret_segment);

/* Writes header and options (order MSS, SACK-permitted, timestamps, window scale, user timeout, Fast Open, AccECN,
 * SACK; padded with NOP so that timestamps and SACK blocks are aligned), checksum 0, payload not. What does not fit
 * any more is left out (of the last two in part: as many counters as tcp_accecn_room says, as many SACK blocks as
 * fit). Returns the header's length, at most TCP_HEADER_BYTES_MAX. */
size_t tcp_write(uint8_t *out, const struct tcp_segment *segment);

/* The number of AccECN counters that fit beside all else in `options`, where two SACK blocks (if there are two) come
 * first (RFC 9768 section 3.2.3.3). Negative: not even the option without a counter. */
int tcp_accecn_room(const struct tcp_options *options);

/* Sequence space the segment takes: payload plus one for SYN and one for FIN (RFC 9293 section 3.4, SEG.LEN). */
static inline uint32_t tcp_segment_length(const struct tcp_segment *segment)
{
	return segment->payload_bytes + ((segment->flags & TCP_SYN) ? 1 : 0) + ((segment->flags & TCP_FIN) ? 1 : 0);
}
