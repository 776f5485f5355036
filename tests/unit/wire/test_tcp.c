#include "../../support/test_random.h"
#include "core/wire/tcp.h"
#include "wire_test.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define OPTIONS_MAX 40

/* A segment with these option bytes (a multiple of 4 of them) and `payload` bytes of payload. Returns its length. */
static size_t make(uint8_t *bytes, uint8_t flags, const uint8_t *options, size_t options_length, size_t payload)
{
	static const uint8_t fixed[TCP_HEADER_BYTES] = { 0x12, 0x34, 0x56, 0x78, 0x80, 0,    0,    1,    0xff, 0xff,
		                                         0xff, 0xfe, 0,    0,    0xab, 0xcd, 0xde, 0xad, 0xbe, 0xef };
	size_t header = TCP_HEADER_BYTES + options_length;

	memcpy(bytes, fixed, sizeof(fixed));
	bytes[12] = (uint8_t)(header / 4 << 4);
	bytes[13] = flags;
	memcpy(bytes + TCP_HEADER_BYTES, options, options_length);
	memset(bytes + header, 'p', payload);
	return header + payload;
}

static int read_exact(const uint8_t *bytes, size_t length, struct tcp_segment *ret_segment)
{
	uint8_t *copy = exact_copy(bytes, length);
	int r = tcp_read(copy, length, ret_segment);

	free(copy);
	return r;
}

/* Reads a segment that carries just these options, padded to a multiple of 4 with `pad`. */
static struct tcp_options options_of(uint8_t flags, const uint8_t *bytes, size_t length, uint8_t pad)
{
	uint8_t segment[TCP_HEADER_BYTES_MAX], padded[OPTIONS_MAX];
	size_t padded_length = (length + 3) / 4 * 4;
	struct tcp_segment got;

	memset(padded, pad, sizeof(padded));
	memcpy(padded, bytes, length);
	length = make(segment, flags, padded, padded_length, 0);
	assert_int_equal(read_exact(segment, length, &got), 0);
	return got.options;
}

static void assert_same_options(const struct tcp_options *a, const struct tcp_options *b)
{
	assert_int_equal(a->has_mss, b->has_mss);
	assert_int_equal(a->mss, b->mss);
	assert_int_equal(a->has_wscale, b->has_wscale);
	assert_int_equal(a->wscale, b->wscale);
	assert_int_equal(a->sack_permitted, b->sack_permitted);
	assert_int_equal(a->has_timestamps, b->has_timestamps);
	assert_int_equal(a->tsval, b->tsval);
	assert_int_equal(a->tsecr, b->tsecr);
	assert_int_equal(a->sack_count, b->sack_count);
	for (int i = 0; i < a->sack_count; i++) {
		assert_int_equal(a->sack[i].start.v, b->sack[i].start.v);
		assert_int_equal(a->sack[i].end.v, b->sack[i].end.v);
	}
	assert_int_equal(a->has_user_timeout, b->has_user_timeout);
	assert_int_equal(a->user_timeout_minutes, b->user_timeout_minutes);
	assert_int_equal(a->user_timeout, b->user_timeout);
	assert_int_equal(a->has_fastopen, b->has_fastopen);
	assert_int_equal(a->fastopen_bytes, b->fastopen_bytes);
	assert_memory_equal(a->fastopen, b->fastopen, a->fastopen_bytes);
	assert_int_equal(a->has_accecn, b->has_accecn);
	assert_int_equal(a->accecn_order, b->accecn_order);
	assert_int_equal(a->accecn_count, b->accecn_count);
	for (int i = 0; i < a->accecn_count; i++)
		assert_int_equal(a->accecn[i], b->accecn[i]);
}

static void test_fields(void **state)
{
	struct tcp_segment segment;
	uint8_t bytes[100];
	size_t length = make(bytes, 0xff, (const uint8_t *)"", 0, 7);

	(void)state;
	assert_int_equal(tcp_read(bytes, length, &segment), 0);
	assert_int_equal(segment.source_port, 0x1234);
	assert_int_equal(segment.destination_port, 0x5678);
	assert_int_equal(segment.seq.v, 0x80000001);
	assert_int_equal(segment.ack.v, 0xfffffffe);
	assert_int_equal(segment.flags, 0xff);
	assert_int_equal(segment.window, 0xabcd);
	assert_int_equal(segment.urgent_pointer, 0xbeef);
	assert_ptr_equal(segment.payload, bytes + 20);
	assert_int_equal(segment.payload_bytes, 7);
	assert_int_equal(tcp_segment_length(&segment), 9);
	for (int bit = 0; bit < 8; bit++) {
		bytes[13] = (uint8_t)(1u << bit);
		assert_int_equal(tcp_read(bytes, length, &segment), 0);
		assert_int_equal(segment.flags, 1u << bit);
	}
	/* The bits beside the data offset are reserved and ignored. */
	bytes[12] |= 0xf;
	assert_int_equal(tcp_read(bytes, length, &segment), 0);
	assert_int_equal(segment.payload_bytes, 7);
}

static void test_data_offset(void **state)
{
	uint8_t bytes[TCP_HEADER_BYTES_MAX + 4], options[OPTIONS_MAX] = { 0 };

	(void)state;
	for (size_t words = 0; words < 16; words++) {
		for (size_t length = 0; length <= sizeof(bytes); length++) {
			bool good = length >= 20 && words >= 5 && words * 4 <= length;
			struct tcp_segment segment = { .window = 1 };

			make(bytes, TCP_ACK, options, OPTIONS_MAX, 4);
			bytes[12] = (uint8_t)(words << 4);
			assert_int_equal(read_exact(bytes, length, &segment), good ? 0 : -EBADMSG);
			if (good)
				assert_int_equal(segment.payload_bytes, length - words * 4);
			else
				assert_int_equal(segment.window, 1);
		}
	}
}

static const struct {
	const char *what;
	uint8_t flags;
	uint8_t length;
	uint8_t bytes[OPTIONS_MAX];
	struct tcp_options expect;
} option_table[] = {
	{ "mss", TCP_SYN, 4, { 2, 4, 5, 0xb4 }, { .has_mss = true, .mss = 1460 } },
	{ "mss, not on a SYN", TCP_ACK, 4, { 2, 4, 5, 0xb4 }, { 0 } },
	{ "mss of 0 is the user's to judge", TCP_SYN, 4, { 2, 4, 0, 0 }, { .has_mss = true } },
	{ "mss, length 3", TCP_SYN, 4, { 2, 3, 5, 1 }, { 0 } },
	{ "mss, length 5, then wscale",
	  TCP_SYN,
	  8,
	  { 2, 5, 5, 0xb4, 0, 3, 3, 7 },
	  { .has_wscale = true, .wscale = 7 } },
	{ "of two the first holds", TCP_SYN, 8, { 2, 4, 0, 1, 2, 4, 0, 2 }, { .has_mss = true, .mss = 1 } },
	{ "of a wrong and a right one the right",
	  TCP_SYN,
	  8,
	  { 2, 2, 1, 1, 2, 4, 0, 2 },
	  { .has_mss = true, .mss = 2 } },
	{ "wscale", TCP_SYN, 4, { 1, 3, 3, 200 }, { .has_wscale = true, .wscale = 200 } },
	{ "wscale, not on a SYN", TCP_ACK | TCP_FIN, 4, { 1, 3, 3, 7 }, { 0 } },
	{ "wscale, length 2", TCP_SYN, 4, { 3, 2, 1, 1 }, { 0 } },
	{ "wscale, length 4", TCP_SYN, 4, { 3, 4, 1, 1 }, { 0 } },
	{ "wscale twice", TCP_SYN, 8, { 3, 3, 1, 3, 3, 2, 0, 0 }, { .has_wscale = true, .wscale = 1 } },
	{ "sack permitted", TCP_SYN | TCP_ACK, 4, { 1, 1, 4, 2 }, { .sack_permitted = true } },
	{ "sack permitted, not on a SYN", TCP_ACK, 4, { 1, 1, 4, 2 }, { 0 } },
	{ "sack permitted, length 3", TCP_SYN, 4, { 4, 3, 1, 1 }, { 0 } },
	{ "timestamps",
	  TCP_ACK,
	  12,
	  { 8, 10, 0x80, 0, 0, 1, 0, 0, 0, 2, 1, 1 },
	  { .has_timestamps = true, .tsval = 0x80000001, .tsecr = 2 } },
	{ "timestamps as everybody sends them",
	  TCP_ACK,
	  12,
	  { 1, 1, 8, 10, 0x80, 0, 0, 1, 0, 0, 0, 2 },
	  { .has_timestamps = true, .tsval = 0x80000001, .tsecr = 2 } },
	{ "timestamps, length 8", TCP_ACK, 8, { 8, 8, 0, 0, 0, 1, 0, 0 }, { 0 } },
	{ "timestamps, length 11", TCP_ACK, 12, { 8, 11, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1 }, { 0 } },
	{ "timestamps twice",
	  TCP_ACK,
	  20,
	  { 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 8, 10, 0, 0, 0, 3, 0, 0, 0, 4 },
	  { .has_timestamps = true, .tsval = 1, .tsecr = 2 } },
	{ "sack",
	  TCP_ACK,
	  12,
	  { 1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9 },
	  { .sack_count = 1, .sack = { { { 1 }, { 9 } } } } },
	{ "sack across the wrap",
	  TCP_ACK,
	  12,
	  { 1, 1, 5, 10, 0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 9 },
	  { .sack_count = 1, .sack = { { { 0xfffffff0 }, { 9 } } } } },
	{ "sack: empty, inverted and half the space are left out",
	  TCP_ACK,
	  36,
	  { 1, 1, 5, 34, 0, 0, 0,    9, 0, 0, 0, 9, 0, 0, 0, 9, 0, 0,
	    0, 8, 0, 0,  0, 0, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 5 },
	  { .sack_count = 1, .sack = { { { 1 }, { 5 } } } } },
	{ "sack of four",
	  TCP_ACK,
	  36,
	  { 1, 1, 5, 34, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0,
	    0, 4, 0, 0,  0, 5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0, 8 },
	  { .sack_count = 4, .sack = { { { 1 }, { 2 } }, { { 3 }, { 4 } }, { { 5 }, { 6 } }, { { 7 }, { 8 } } } } },
	{ "sack without a block", TCP_ACK, 4, { 5, 2, 1, 1 }, { 0 } },
	{ "sack with half a block", TCP_ACK, 8, { 5, 6, 0, 0, 0, 1, 1, 1 }, { 0 } },
	{ "sack with a block and a half", TCP_ACK, 16, { 5, 14, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 1 }, { 0 } },
	{ "sack twice",
	  TCP_ACK,
	  20,
	  { 5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 5, 10, 0, 0, 0, 3, 0, 0, 0, 4 },
	  { .sack_count = 1, .sack = { { { 1 }, { 2 } } } } },
	{ "sack twice, the first with nothing in it",
	  TCP_ACK,
	  20,
	  { 5, 10, 0, 0, 0, 2, 0, 0, 0, 1, 5, 10, 0, 0, 0, 3, 0, 0, 0, 4 },
	  { 0 } },
	{ "user timeout in seconds",
	  TCP_ACK,
	  4,
	  { 28, 4, 0x01, 0x2c },
	  { .has_user_timeout = true, .user_timeout = 300 } },
	{ "user timeout in minutes",
	  TCP_SYN,
	  4,
	  { 28, 4, 0x80, 5 },
	  { .has_user_timeout = true, .user_timeout_minutes = true, .user_timeout = 5 } },
	{ "user timeout, length 3", TCP_ACK, 4, { 28, 3, 1, 1 }, { 0 } },
	{ "user timeout twice",
	  TCP_ACK,
	  8,
	  { 28, 4, 0, 1, 28, 4, 0, 2 },
	  { .has_user_timeout = true, .user_timeout = 1 } },
	{ "fast open, asks for a cookie", TCP_SYN, 4, { 34, 2, 1, 1 }, { .has_fastopen = true } },
	{ "fast open, a cookie of 4",
	  TCP_SYN,
	  8,
	  { 34, 6, 9, 8, 7, 6, 1, 1 },
	  { .has_fastopen = true, .fastopen_bytes = 4, .fastopen = { 9, 8, 7, 6 } } },
	{ "fast open, a cookie of 16",
	  TCP_SYN | TCP_ACK,
	  20,
	  { 34, 18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1, 1 },
	  { .has_fastopen = true,
	    .fastopen_bytes = 16,
	    .fastopen = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } } },
	{ "fast open, not on a SYN", TCP_ACK, 4, { 34, 2, 1, 1 }, { 0 } },
	{ "fast open, a cookie of 2 is too short", TCP_SYN, 4, { 34, 4, 1, 1 }, { 0 } },
	{ "fast open, an odd cookie", TCP_SYN, 8, { 34, 7, 1, 1, 1, 1, 1, 1 }, { 0 } },
	{ "fast open, a cookie of 18 is too long", TCP_SYN, 20, { 34, 20 }, { 0 } },
	{ "fast open twice", TCP_SYN, 12, { 34, 2, 34, 6, 9, 8, 7, 6, 1, 1, 1, 1 }, { .has_fastopen = true } },
	{ "accecn, order 0",
	  TCP_ACK,
	  12,
	  { 172, 11, 0xff, 0xff, 0xff, 0, 1, 2, 0x80, 0, 1, 1 },
	  { .has_accecn = true, .accecn_count = 3, .accecn = { 0xffffff, 0x000102, 0x800001 } } },
	{ "accecn, order 1",
	  TCP_SYN | TCP_ACK,
	  8,
	  { 174, 8, 0, 0, 1, 0, 0, 0 },
	  { .has_accecn = true, .accecn_order = 1, .accecn_count = 2, .accecn = { 1, 0 } } },
	{ "accecn, one counter",
	  TCP_ACK,
	  8,
	  { 172, 5, 0, 0, 7, 1, 1, 1 },
	  { .has_accecn = true, .accecn_count = 1, .accecn = { 7 } } },
	{ "accecn, empty", TCP_ACK, 4, { 174, 2, 1, 1 }, { .has_accecn = true, .accecn_order = 1 } },
	{ "accecn, what is no whole counter is padding",
	  TCP_ACK,
	  8,
	  { 172, 7, 0, 0, 7, 9, 9, 1 },
	  { .has_accecn = true, .accecn_count = 1, .accecn = { 7 } } },
	{ "accecn, what follows the third counter is padding",
	  TCP_ACK,
	  16,
	  { 172, 14, 0, 0, 7, 0, 0, 8, 0, 0, 9, 0, 0, 10, 1, 1 },
	  { .has_accecn = true, .accecn_count = 3, .accecn = { 7, 8, 9 } } },
	{ "of two accecn options the first holds",
	  TCP_ACK,
	  12,
	  { 174, 5, 0, 0, 7, 172, 5, 0, 0, 8, 1, 1 },
	  { .has_accecn = true, .accecn_order = 1, .accecn_count = 1, .accecn = { 7 } } },
	{ "unknown ones are skipped",
	  TCP_SYN,
	  12,
	  { 253, 4, 2, 4, 254, 2, 99, 2, 2, 4, 0, 9 },
	  { .has_mss = true, .mss = 9 } },
	{ "nothing counts after the end", TCP_SYN, 8, { 0, 1, 1, 1, 2, 4, 0, 9 }, { 0 } },
	{ "length 0 ends", TCP_SYN, 12, { 2, 4, 0, 9, 99, 0, 3, 3, 7, 1, 1, 1 }, { .has_mss = true, .mss = 9 } },
	{ "length 1 ends", TCP_SYN, 12, { 2, 4, 0, 9, 99, 1, 3, 3, 7, 1, 1, 1 }, { .has_mss = true, .mss = 9 } },
	{ "length 0 of a known kind ends", TCP_SYN, 8, { 4, 0, 1, 1, 2, 4, 0, 9 }, { 0 } },
	{ "past the header ends", TCP_SYN, 8, { 2, 4, 0, 9, 1, 3, 4, 7 }, { .has_mss = true, .mss = 9 } },
	{ "255 past the header ends", TCP_SYN, 8, { 2, 4, 0, 9, 8, 255, 3, 3 }, { .has_mss = true, .mss = 9 } },
	{ "no room for a length", TCP_SYN, 8, { 2, 4, 0, 9, 1, 1, 1, 4 }, { .has_mss = true, .mss = 9 } },
};

static void test_option_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(option_table) / sizeof(option_table[0]); i++) {
		struct tcp_options got =
		        options_of(option_table[i].flags, option_table[i].bytes, option_table[i].length, 1);

		print_message("%s\n", option_table[i].what);
		assert_int_equal(option_table[i].length % 4, 0);
		assert_same_options(&got, &option_table[i].expect);
	}
}

/* Each option cut off after each of its bytes, at the very end of the header: it isn't read, nothing past it is, and
 * what came before it holds. */
static void test_options_truncated_at_every_byte(void **state)
{
	static const uint8_t options[][34] = {
		{ 2, 4, 5, 0xb4 },
		{ 3, 3, 7 },
		{ 4, 2 },
		{ 8, 10, 1, 2, 3, 4, 5, 6, 7, 8 },
		{ 5, 10, 0, 0, 0, 1, 0, 0, 0, 2 },
		{ 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4 },
		{ 5, 34, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0,
		  4, 0,  0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0, 8 },
		{ 28, 4, 1, 2 },
		{ 34, 2 },
		{ 34, 6, 1, 2, 3, 4 },
		{ 172, 2 },
		{ 172, 5, 1, 2, 3 },
		{ 174, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9 },
		{ 253, 6, 1, 2, 3, 4 },
	};
	static const struct tcp_options nothing = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		for (size_t cut = 1; cut < options[i][1]; cut++) {
			/* NOPs first, so that the cut is where the header ends. */
			size_t before = (4 - cut % 4) % 4;
			uint8_t bytes[OPTIONS_MAX];
			struct tcp_options got;

			memset(bytes, 1, sizeof(bytes));
			memcpy(bytes + before, options[i], cut);
			got = options_of(TCP_SYN, bytes, before + cut, 1);
			assert_same_options(&got, &nothing);
			if (before + cut + 4 > OPTIONS_MAX)
				continue;
			memcpy(bytes, (const uint8_t[]){ 2, 4, 0, 9 }, 4);
			memset(bytes + 4, 1, before);
			memcpy(bytes + 4 + before, options[i], cut);
			got = options_of(TCP_SYN, bytes, 4 + before + cut, 1);
			assert_same_options(&got, &(struct tcp_options){ .has_mss = true, .mss = 9 });
		}
	}
}

/* The rules of the header once more, with indices instead of a reader. */
static struct tcp_options reference_read(const uint8_t *p, int n, bool syn)
{
	struct tcp_options options = { 0 };
	bool sack = false;
	int i = 0;

	while (i < n && p[i] != 0) {
		int length;

		if (p[i] == 1) {
			i++;
			continue;
		}
		if (i + 1 >= n || p[i + 1] < 2 || i + p[i + 1] > n)
			break;
		length = p[i + 1];
		if (p[i] == 2 && length == 4 && syn && !options.has_mss) {
			options.has_mss = true;
			options.mss = (uint16_t)(p[i + 2] * 256 + p[i + 3]);
		} else if (p[i] == 3 && length == 3 && syn && !options.has_wscale) {
			options.has_wscale = true;
			options.wscale = p[i + 2];
		} else if (p[i] == 4 && length == 2 && syn) {
			options.sack_permitted = true;
		} else if ((p[i] == 8 && length == 10 && !options.has_timestamps) ||
		           (p[i] == 5 && (length - 2) % 8 == 0 && length > 2 && !sack)) {
			for (int k = i + 2; k < i + length; k += 8) {
				uint32_t word[2] = { 0, 0 };

				for (int b = 0; b < 8; b++)
					word[b / 4] = word[b / 4] * 256 + p[k + b];
				if (p[i] == 8) {
					options.has_timestamps = true;
					options.tsval = word[0];
					options.tsecr = word[1];
				} else if ((int32_t)(word[1] - word[0]) > 0) {
					options.sack[options.sack_count].start.v = word[0];
					options.sack[options.sack_count++].end.v = word[1];
				}
			}
			sack |= p[i] == 5;
		} else if (p[i] == 28 && length == 4 && !options.has_user_timeout) {
			options.has_user_timeout = true;
			options.user_timeout_minutes = p[i + 2] >= 128;
			options.user_timeout = (uint16_t)(p[i + 2] % 128 * 256 + p[i + 3]);
		} else if (p[i] == 34 && syn && !options.has_fastopen &&
		           (length == 2 || (length >= 6 && length <= 18 && length % 2 == 0))) {
			options.has_fastopen = true;
			options.fastopen_bytes = (uint8_t)(length - 2);
			for (int b = 2; b < length; b++)
				options.fastopen[b - 2] = p[i + b];
		} else if ((p[i] == 172 || p[i] == 174) && !options.has_accecn) {
			options.has_accecn = true;
			options.accecn_order = p[i] == 174;
			for (int k = i + 2; k + 3 <= i + length && options.accecn_count < 3; k += 3)
				options.accecn[options.accecn_count++] = p[k] * 65536u + p[k + 1] * 256u + p[k + 2];
		}
		i += length;
	}
	return options;
}

static void test_random_options_against_a_second_reader(void **state)
{
	struct test_random random = test_random_begin("tcp options");
	static const uint8_t kinds[] = { 0, 1, 1, 2, 3, 4, 5, 8, 8, 28, 34, 172, 174, 30, 254 };

	(void)state;
	for (int run = 0; run < 200000; run++) {
		size_t length = test_random_below(&random, 11) * 4, at = 0;
		uint8_t bytes[OPTIONS_MAX + 64], flags = test_random_below(&random, 2) ? TCP_SYN : TCP_ACK;
		struct tcp_options got, expect;

		test_random_fill(&random, bytes, sizeof(bytes));
		/* Mostly sensible options, so that the later ones are reached too. */
		while (at < length && test_random_below(&random, 12)) {
			uint8_t kind = kinds[test_random_below(&random, sizeof(kinds))];
			static const uint8_t size[] = { 1, 1, 4, 3, 2, 10, 2, 2, 10 };
			uint8_t usual = kind < 9 ? size[kind] : (uint8_t)test_random_below(&random, 14);

			bytes[at] = kind;
			if (kind > 1)
				bytes[at + 1] = test_random_below(&random, 8) ? usual : bytes[at + 1] & 15;
			if (kind == 5 && test_random_below(&random, 2))
				bytes[at + 1] = (uint8_t)(2 + 8 * test_random_below(&random, 5));
			at += kind > 1 ? bytes[at + 1] + (bytes[at + 1] == 0) : 1;
		}
		got = options_of(flags, bytes, length, 0);
		expect = reference_read(bytes, (int)length, flags == TCP_SYN);
		assert_same_options(&got, &expect);
	}
}

/* Options as they are written, byte by byte. */
static const struct layout {
	struct tcp_options options;
	uint8_t length;
	uint8_t bytes[OPTIONS_MAX];
} layouts[] = {
	{ { 0 }, 0, { 0 } },
	{ { .has_mss = true, .mss = 1460 }, 4, { 2, 4, 5, 0xb4 } },
	{ { .sack_permitted = true }, 4, { 1, 1, 4, 2 } },
	{ { .has_wscale = true, .wscale = 7 }, 4, { 1, 3, 3, 7 } },
	{ { .has_timestamps = true, .tsval = 0x01020304, .tsecr = 0x05060708 },
	  12,
	  { 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8 } },
	{ { .has_mss = true,
	    .mss = 1460,
	    .sack_permitted = true,
	    .has_timestamps = true,
	    .tsval = 1,
	    .has_wscale = true,
	    .wscale = 9 },
	  20,
	  { 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 9 } },
	{ { .has_mss = true, .mss = 1460, .sack_permitted = true, .has_wscale = true, .wscale = 9 },
	  12,
	  { 2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 9 } },
	{ { .sack_count = 2, .sack = { { { 1 }, { 2 } }, { { 3 }, { 4 } } } },
	  20,
	  { 1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4 } },
	{ { .has_user_timeout = true, .user_timeout_minutes = true, .user_timeout = 0x1234 },
	  4,
	  { 28, 4, 0x92, 0x34 } },
	{ { .has_fastopen = true }, 4, { 34, 2, 1, 1 } },
	{ { .has_fastopen = true, .fastopen_bytes = 8, .fastopen = { 1, 2, 3, 4, 5, 6, 7, 8 } },
	  12,
	  { 34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1 } },
	{ { .has_accecn = true, .accecn_count = 3, .accecn = { 1, 0x020304, 0x1ffffff } },
	  12,
	  { 172, 11, 0, 0, 1, 2, 3, 4, 0xff, 0xff, 0xff, 1 } },
	{ { .has_accecn = true, .accecn_order = 1, .accecn_count = 2, .accecn = { 1, 2 } },
	  8,
	  { 174, 8, 0, 0, 1, 0, 0, 2 } },
	{ { .has_accecn = true, .accecn_count = 1, .accecn = { 1 } }, 8, { 172, 5, 0, 0, 1, 1, 1, 1 } },
	{ { .has_accecn = true }, 4, { 172, 2, 1, 1 } },
	/* All of a SYN-ACK's, with a cookie of 4: what does not fit is shortened from the end. */
	{ { .has_mss = true,
	    .mss = 1460,
	    .sack_permitted = true,
	    .has_timestamps = true,
	    .has_wscale = true,
	    .wscale = 9,
	    .has_fastopen = true,
	    .fastopen_bytes = 4,
	    .has_accecn = true,
	    .accecn_count = 3,
	    .accecn = { 1, 0, 1 } },
	  40,
	  { 2,  4, 5, 0xb4, 4, 2, 8, 10, 0,   0,  0, 0, 0, 0, 0, 0, 1, 3, 3, 9,
	    34, 6, 0, 0,    0, 0, 1, 1,  172, 11, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1 } },
	/* Two SACK blocks go before the third counter... */
	{ { .has_timestamps = true,
	    .has_accecn = true,
	    .accecn_count = 3,
	    .accecn = { 1, 2, 3 },
	    .sack_count = 3,
	    .sack = { { { 1 }, { 2 } }, { { 3 }, { 4 } }, { { 5 }, { 6 } } } },
	  40,
	  { 1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 172, 8, 0, 0, 1, 0, 0, 2,
	    1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0,   0, 0, 3, 0, 0, 0, 4 } },
	/* ... but not a third one. */
	{ { .has_accecn = true,
	    .accecn_count = 3,
	    .accecn = { 1, 2, 3 },
	    .sack_count = 3,
	    .sack = { { { 1 }, { 2 } }, { { 3 }, { 4 } }, { { 5 }, { 6 } } } },
	  40,
	  { 172, 11, 0, 0, 1, 0, 0, 2, 0, 0, 3, 1, 1, 1, 5, 26, 0, 0, 0, 1,
	    0,   0,  0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5,  0, 0, 0, 6 } },
	/* Beside timestamps there is room for three blocks of four. */
	{ { .has_timestamps = true,
	    .sack_count = 4,
	    .sack = { { { 1 }, { 2 } }, { { 3 }, { 4 } }, { { 5 }, { 6 } }, { { 7 }, { 8 } } } },
	  40,
	  { 1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 5, 26, 0, 0, 0, 1,
	    0, 0, 0, 2,  0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5,  0, 0, 0, 6 } },
};

static void test_write_layout(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		struct tcp_segment segment = { .source_port = 0x1234,
			                       .destination_port = 0x5678,
			                       .seq = SEQ(0x9abcdef0),
			                       .ack = SEQ(0x13579bdf),
			                       .flags = 0xc3,
			                       .window = 0x2468,
			                       .urgent_pointer = 0xaa55,
			                       .options = layouts[i].options };
		static const uint8_t fixed[] = { 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0x13, 0x57,
			                         0x9b, 0xdf, 0x00, 0xc3, 0x24, 0x68, 0,    0,    0xaa, 0x55 };
		uint8_t out[TCP_HEADER_BYTES_MAX + 4];
		size_t length;

		memset(out, 0xee, sizeof(out));
		length = tcp_write(out, &segment);
		assert_int_equal(length, 20u + layouts[i].length);
		assert_memory_equal(out, fixed, 12);
		assert_int_equal(out[12], length / 4 << 4);
		assert_memory_equal(out + 13, fixed + 13, 7);
		assert_memory_equal(out + 20, layouts[i].bytes, layouts[i].length);
		assert_int_equal(out[length], 0xee);
	}
}

static void test_accecn_room(void **state)
{
	static const struct {
		struct tcp_options options;
		int room;
	} table[] = {
		{ { 0 }, 3 },
		{ { .has_timestamps = true }, 3 },
		{ { .has_timestamps = true, .sack_count = 1 }, 3 },
		{ { .has_timestamps = true, .sack_count = 2 }, 2 },
		{ { .has_timestamps = true, .sack_count = 4 }, 2 },
		{ { .sack_count = 2 }, 3 },
		{ { .has_timestamps = true, .has_user_timeout = true, .sack_count = 2 }, 0 },
		{ { .has_timestamps = true, .has_mss = true, .has_wscale = true, .sack_count = 2 }, -1 },
		{ { .has_timestamps = true,
		    .has_mss = true,
		    .has_wscale = true,
		    .has_fastopen = true,
		    .fastopen_bytes = 16 },
		  -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(tcp_accecn_room(&table[i].options), table[i].room);
}

static void test_round_trip(void **state)
{
	struct test_random random = test_random_begin("tcp round trip");

	(void)state;
	for (int run = 0; run < 50000; run++) {
		struct tcp_segment segment = {
			.source_port = (uint16_t)test_random_u64(&random),
			.destination_port = (uint16_t)test_random_u64(&random),
			.seq = SEQ(test_random_u64(&random)),
			.ack = SEQ(test_random_u64(&random)),
			.flags = (uint8_t)test_random_u64(&random) | TCP_SYN,
			.window = (uint16_t)test_random_u64(&random),
			.urgent_pointer = (uint16_t)test_random_u64(&random),
			.options = { .has_mss = test_random_below(&random, 2),
			             .has_wscale = test_random_below(&random, 2),
			             .sack_permitted = test_random_below(&random, 2),
			             .has_timestamps = test_random_below(&random, 2),
			             .sack_count = (uint8_t)test_random_below(&random, TCP_SACK_BLOCKS_MAX + 1) },
		};
		struct tcp_options *options = &segment.options;
		uint8_t out[TCP_HEADER_BYTES_MAX];
		size_t room, length;
		struct tcp_segment got;

		if (options->has_mss)
			options->mss = (uint16_t)test_random_u64(&random);
		if (options->has_wscale)
			options->wscale = (uint8_t)test_random_u64(&random);
		if (options->has_timestamps) {
			options->tsval = (uint32_t)test_random_u64(&random);
			options->tsecr = (uint32_t)test_random_u64(&random);
		}
		for (int i = 0; i < options->sack_count; i++) {
			options->sack[i].start = SEQ(test_random_u64(&random));
			options->sack[i].end = seq_add(options->sack[i].start, 1 + (uint32_t)i * 1000);
		}
		length = tcp_write(out, &segment);
		assert_true(length <= TCP_HEADER_BYTES_MAX && length % 4 == 0);
		assert_int_equal(read_exact(out, length, &got), 0);
		/* As many blocks as fit, and not one fewer. */
		room = (TCP_HEADER_BYTES_MAX - length) / 8;
		assert_true(got.options.sack_count == options->sack_count ||
		            (got.options.sack_count > 0 ? room == 0 : TCP_HEADER_BYTES_MAX - length < 12));
		options->sack_count = got.options.sack_count;
		assert_same_options(&got.options, options);
		assert_int_equal(got.source_port, segment.source_port);
		assert_int_equal(got.destination_port, segment.destination_port);
		assert_int_equal(got.seq.v, segment.seq.v);
		assert_int_equal(got.ack.v, segment.ack.v);
		assert_int_equal(got.flags, segment.flags);
		assert_int_equal(got.window, segment.window);
		assert_int_equal(got.urgent_pointer, segment.urgent_pointer);
		assert_int_equal(got.payload_bytes, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_data_offset),
		cmocka_unit_test(test_option_table),
		cmocka_unit_test(test_options_truncated_at_every_byte),
		cmocka_unit_test(test_random_options_against_a_second_reader),
		cmocka_unit_test(test_write_layout),
		cmocka_unit_test(test_accecn_room),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
