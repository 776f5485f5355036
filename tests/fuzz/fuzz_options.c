/* TCP options, made from their grammar. What the reader makes of them is compared with a second reading, by a table
 * of kinds and lengths; what the writer makes of any values is read back. An input is a program (program.h). */
#include "core/wire/tcp.h"
#include "fuzz.h"
#include "program.h"

#include <string.h>

#define ROOM (TCP_HEADER_BYTES_MAX - TCP_HEADER_BYTES)

/* ---- reading -----------------------------------------------------------------------------------------------------
 */

/* Kinds that are known, and lengths that they may have: a set of bits. */
static const struct known {
	uint8_t kind;
	bool only_syn;
	uint64_t lengths;
} known[] = {
	{ 2, true, 1ull << 4 },
	{ 3, true, 1ull << 3 },
	{ 4, true, 1ull << 2 },
	{ 5, false, 1ull << 10 | 1ull << 18 | 1ull << 26 | 1ull << 34 },
	{ 8, false, 1ull << 10 },
	{ 28, false, 1ull << 4 },
	{ 34, true,
	  1ull << 2 | 1ull << 6 | 1ull << 8 | 1ull << 10 | 1ull << 12 | 1ull << 14 | 1ull << 16 | 1ull << 18 },
	{ 172, false, ~3ull },
	{ 174, false, ~3ull },
};

#define KNOWN (sizeof(known) / sizeof(known[0]))

static uint32_t big(const uint8_t *bytes, int count)
{
	uint32_t value = 0;

	for (int i = 0; i < count; i++)
		value = value << 8 | bytes[i];
	return value;
}

static void expect_sack(const uint8_t *option, struct tcp_options *expected)
{
	for (int at = 2; at + 8 <= option[1]; at += 8) {
		uint32_t start = big(option + at, 4), end = big(option + at + 4, 4);

		if (start != end && end - start < 1u << 31)
			expected->sack[expected->sack_count++] = (struct tcp_sack_block){ SEQ(start), SEQ(end) };
	}
}

static void expect_value(const uint8_t *option, struct tcp_options *expected)
{
	switch (option[0]) {
	case 2:
		expected->has_mss = true;
		expected->mss = (uint16_t)big(option + 2, 2);
		break;
	case 3:
		expected->has_wscale = true;
		expected->wscale = option[2];
		break;
	case 4:
		expected->sack_permitted = true;
		break;
	case 5:
		expect_sack(option, expected);
		break;
	case 8:
		expected->has_timestamps = true;
		expected->tsval = big(option + 2, 4);
		expected->tsecr = big(option + 6, 4);
		break;
	case 28:
		expected->has_user_timeout = true;
		expected->user_timeout_minutes = option[2] & 0x80;
		expected->user_timeout = (uint16_t)(big(option + 2, 2) & 0x7fff);
		break;
	case 34:
		expected->has_fastopen = true;
		expected->fastopen_bytes = (uint8_t)(option[1] - 2);
		memcpy(expected->fastopen, option + 2, option[1] - 2u);
		break;
	default: /* AccECN */
		expected->has_accecn = true;
		expected->accecn_order = option[0] == 172 ? TCP_ACCECN_ORDER_0 : TCP_ACCECN_ORDER_1;
		for (int at = 2; at + 3 <= option[1] && expected->accecn_count < 3; at += 3)
			expected->accecn[expected->accecn_count++] = big(option + at, 3);
		break;
	}
}

/* Each kind once; the two orders of AccECN are one. */
static void expect(const uint8_t *bytes, size_t length, bool syn, struct tcp_options *expected)
{
	bool seen[KNOWN] = { false };
	size_t at = 0;

	memset(expected, 0, sizeof(*expected));
	while (at < length && bytes[at] != 0) {
		if (bytes[at] == 1) {
			at++;
			continue;
		}
		if (at + 2 > length || bytes[at + 1] < 2 || at + bytes[at + 1] > length)
			return;
		for (size_t i = 0; i < KNOWN; i++) {
			if (known[i].kind != bytes[at] || (known[i].only_syn && !syn) || seen[i] ||
			    !(known[i].lengths >> bytes[at + 1] & 1))
				continue;
			seen[i] = true;
			if (known[i].kind >= 172)
				seen[KNOWN - 1] = seen[KNOWN - 2] = true;
			expect_value(bytes + at, expected);
		}
		at += bytes[at + 1];
	}
}

static bool same(const struct tcp_options *a, const struct tcp_options *b)
{
	return a->has_mss == b->has_mss && a->mss == b->mss && a->has_wscale == b->has_wscale &&
	       a->wscale == b->wscale && a->sack_permitted == b->sack_permitted &&
	       a->has_timestamps == b->has_timestamps && a->tsval == b->tsval && a->tsecr == b->tsecr &&
	       a->sack_count == b->sack_count && memcmp(a->sack, b->sack, a->sack_count * sizeof(a->sack[0])) == 0 &&
	       a->has_user_timeout == b->has_user_timeout && a->user_timeout == b->user_timeout &&
	       a->user_timeout_minutes == b->user_timeout_minutes && a->has_fastopen == b->has_fastopen &&
	       a->fastopen_bytes == b->fastopen_bytes && memcmp(a->fastopen, b->fastopen, a->fastopen_bytes) == 0 &&
	       a->has_accecn == b->has_accecn && a->accecn_order == b->accecn_order &&
	       a->accecn_count == b->accecn_count &&
	       memcmp(a->accecn, b->accecn, a->accecn_count * sizeof(a->accecn[0])) == 0;
}

/* One option: mostly of a known kind and an allowed length. Returns the bytes it takes, up to `room`. */
static size_t take_option(struct reader *program, uint8_t *out, size_t room)
{
	uint8_t what = take8(program), length;

	if (room == 0)
		return 0;
	if (what < 24) {
		out[0] = what < 22 ? 1 : 0;
		return 1;
	}
	out[0] = what < 224 ? known[what % KNOWN].kind : take8(program);
	length = take8(program);
	if (what < 200) { /* the next longer one that is allowed */
		length %= 35;
		while (!(known[what % KNOWN].lengths >> length & 1))
			length = (uint8_t)((length + 1) % 40);
	}
	if (room == 1)
		return 1;
	out[1] = length;
	if (length < 2)
		return 2;
	for (size_t i = 2; i < length && i < room; i++)
		out[i] = take8(program);
	return length < room ? length : room;
}

static void reads(struct reader *program)
{
	uint8_t bytes[TCP_HEADER_BYTES_MAX] = { 0 }, shape = take8(program), *exact;
	size_t room = (shape >> 2) % (ROOM / 4 + 1) * 4, at = 0;
	struct tcp_segment segment;
	struct tcp_options expected;

	if (shape >= 220)
		room = ROOM;
	while (at < room && program->left > 0)
		at += take_option(program, bytes + TCP_HEADER_BYTES + at, room - at);
	bytes[12] = (uint8_t)((TCP_HEADER_BYTES + room) / 4 << 4);
	bytes[13] = shape & 1 ? TCP_SYN : TCP_ACK;
	exact = malloc(TCP_HEADER_BYTES + room); /* the sanitizer sees a byte read past it */
	FUZZ_CHECK(exact);
	memcpy(exact, bytes, TCP_HEADER_BYTES + room);
	FUZZ_CHECK(tcp_read(exact, TCP_HEADER_BYTES + room, &segment) == 0);
	expect(exact + TCP_HEADER_BYTES, room, shape & 1, &expected);
	FUZZ_CHECK(same(&segment.options, &expected));
	free(exact);
}

/* ---- writing -----------------------------------------------------------------------------------------------------
 */

static void take_values(struct reader *program, bool syn, struct tcp_options *options)
{
	uint16_t bits = take16(program);

	*options = (struct tcp_options){
		.has_mss = syn && (bits & 1),
		.has_wscale = syn && (bits & 2),
		.sack_permitted = syn && (bits & 4),
		.has_timestamps = bits & 8,
		.has_user_timeout = bits & 16,
		.has_fastopen = syn && (bits & 32),
		.has_accecn = bits & 64,
		.accecn_order = bits >> 7 & 1,
		.accecn_count = (uint8_t)((bits >> 8 & 3) % 4),
		.sack_count = (uint8_t)((bits >> 10) % (TCP_SACK_BLOCKS_MAX + 1)),
		.user_timeout_minutes = bits >> 15,
	};
	options->mss = options->has_mss ? take16(program) : 0;
	options->wscale = options->has_wscale ? take8(program) : 0;
	options->tsval = options->has_timestamps ? take16(program) : 0;
	options->tsecr = options->has_timestamps ? 0x80000000u | take16(program) : 0;
	options->user_timeout = take16(program) & 0x7fff;
	if (options->has_fastopen) {
		uint8_t length = take8(program) % 8;

		options->fastopen_bytes = length == 0 ? 0 : (uint8_t)(2 + 2 * length);
		memset(options->fastopen, 0xa0 + length, options->fastopen_bytes);
	}
	for (int i = 0; i < options->accecn_count; i++)
		options->accecn[i] = take16(program) * 0x101u & 0xffffff;
	for (int i = 0; i < options->sack_count; i++) {
		options->sack[i].start = SEQ(take16(program) * 0x10001u);
		options->sack[i].end = seq_add(options->sack[i].start, 1u + take16(program));
	}
}

static size_t padded(size_t length)
{
	return (length + 3) / 4 * 4;
}

/* What is left out is what had no room. */
static void expect_written(const struct tcp_options *in, const struct tcp_options *out, size_t length)
{
	size_t used = (in->has_mss ? 4u : 0) + (in->has_wscale ? 4u : 0) +
	              (in->has_timestamps   ? 12u
	               : in->sack_permitted ? 4u
	                                    : 0);
	int counters = tcp_accecn_room(in);

	FUZZ_CHECK(out->has_mss == in->has_mss && out->mss == in->mss && out->has_wscale == in->has_wscale);
	FUZZ_CHECK(out->wscale == in->wscale && out->sack_permitted == in->sack_permitted);
	FUZZ_CHECK(out->has_timestamps == in->has_timestamps && out->tsval == in->tsval && out->tsecr == in->tsecr);
	FUZZ_CHECK(out->has_user_timeout == in->has_user_timeout); /* there is always room */
	if (in->has_user_timeout) {
		FUZZ_CHECK(out->user_timeout == in->user_timeout);
		FUZZ_CHECK(out->user_timeout_minutes == in->user_timeout_minutes);
		used += 4;
	}
	FUZZ_CHECK(out->has_fastopen == (in->has_fastopen && used + padded(2u + in->fastopen_bytes) <= ROOM));
	if (out->has_fastopen) {
		FUZZ_CHECK(out->fastopen_bytes == in->fastopen_bytes);
		FUZZ_CHECK(memcmp(out->fastopen, in->fastopen, in->fastopen_bytes) == 0);
		used += padded(2u + in->fastopen_bytes);
	}
	FUZZ_CHECK(out->has_accecn == (in->has_accecn && counters >= 0));
	if (out->has_accecn) {
		FUZZ_CHECK(out->accecn_count == (in->accecn_count < counters ? in->accecn_count : counters));
		FUZZ_CHECK(memcmp(out->accecn, in->accecn, out->accecn_count * sizeof(in->accecn[0])) == 0);
		used += padded(2u + 3u * out->accecn_count);
		FUZZ_CHECK(in->sack_count == 0 || out->sack_count >= (in->sack_count < 2 ? in->sack_count : 2));
	}
	FUZZ_CHECK(out->sack_count <= in->sack_count);
	FUZZ_CHECK(memcmp(out->sack, in->sack, out->sack_count * sizeof(in->sack[0])) == 0);
	used += out->sack_count ? 4 + 8u * out->sack_count : 0;
	FUZZ_CHECK(out->sack_count == in->sack_count || used + (out->sack_count ? 8 : 12) > ROOM);
	FUZZ_CHECK(TCP_HEADER_BYTES + used == length);
}

static void writes(struct reader *program)
{
	uint8_t flags = take8(program), bytes[TCP_HEADER_BYTES_MAX + 8];
	struct tcp_segment segment = { .flags = (uint16_t)(flags & 1 ? TCP_SYN | flags : flags & ~TCP_SYN) }, again;
	struct tcp_options second;
	size_t length;

	take_values(program, segment.flags & TCP_SYN, &segment.options);
	memset(bytes, 0xee, sizeof(bytes));
	length = tcp_write(bytes, &segment);
	FUZZ_CHECK(length >= TCP_HEADER_BYTES && length <= TCP_HEADER_BYTES_MAX && length % 4 == 0);
	for (size_t i = length; i < sizeof(bytes); i++)
		FUZZ_CHECK(bytes[i] == 0xee);
	FUZZ_CHECK(tcp_read(bytes, length, &again) == 0);
	FUZZ_CHECK(again.flags == segment.flags && again.payload_bytes == 0);
	expect(bytes + TCP_HEADER_BYTES, length - TCP_HEADER_BYTES, segment.flags & TCP_SYN, &second);
	FUZZ_CHECK(same(&again.options, &second));
	expect_written(&segment.options, &again.options, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader program = { data, size };

	while (program.left > 0) {
		if (take8(&program) & 1)
			reads(&program);
		else
			writes(&program);
	}
	return 0;
}

/* Any bytes are a program. */
size_t fuzz_example(struct test_random *random, uint8_t *out)
{
	size_t length = 1 + test_random_below(random, 200);

	test_random_fill(random, out, length);
	return length;
}
