/* Any frame through all that impairment can do to it, both ways, as a super-frame and with its checksum incomplete.
 * Whatever it is, nothing beyond it is read, what is cut is no longer than it was, and each packet is accounted for.
 */
#include "core/wire/bytes.h"
#include "core/wire/ethernet.h"
#include "core/wire/ipv4.h"
#include "core/wire/ipv6.h"
#include "core/wire/tcp.h"
#include "fuzz.h"
#include "link/impair/rules.h"

enum { HEAD = 4 }; /* of an input, before the frame: segment size, what is done, checksum */

struct sink {
	size_t longest;
	uint64_t count;
	uint32_t sum; /* every byte is read */
};

static void add(struct sink *sink, const uint8_t *bytes, size_t length)
{
	FUZZ_CHECK(length <= sink->longest);
	for (size_t i = 0; i < length; i++)
		sink->sum += bytes[i];
	sink->count++;
}

static void receive(void *context, const struct frame_in *frame)
{
	add(context, frame->bytes, frame->length);
}

static void transmit(void *context, const struct frame_out *frame)
{
	FUZZ_CHECK(frame->iov_count == 1 && frame->iov[0].iov_len == frame->length);
	add(context, frame->iov[0].iov_base, frame->length);
}

static struct impair_rule *make_rule(uint8_t what)
{
	struct impair_rule_options options = {
		.applies = { true, true },
		.way = { .loss = what & 1 ? 100000 : 0,
		         .burst_packets = what & 2 ? 3 : 1,
		         .duplicate = what & 4 ? 500000 : 0,
		         .corrupt = what & 8 ? 500000 : 0,
		         .reorder = { what & 16 ? 300000u : 0, DURATION_MS(1), DURATION_MS(2), 0 },
		         .line = { .bytes_per_s = what & 32 ? 100000 : 0,
		                   .queue_bytes = 5000,
		                   .discipline = what & 64 ? IMPAIR_STEP : IMPAIR_CODEL,
		                   .ecn = true },
		         .delay = { DURATION_MS(what & 128 ? 1 : 0), { 0 }, false, 0 } },
		.seed = 1,
	};
	struct impair_rule *rule = impair_rule_new(&options);

	FUZZ_CHECK(rule);
	return rule;
}

static void check_counters(const struct impair_rules *rules)
{
	for (int direction = 0; direction < IMPAIR_DIRECTIONS; direction++) {
		struct impair_rule_counters counters;
		const struct impair_way_counters *way = &counters.way;

		impair_rules_count(rules, 0, (enum impair_direction)direction, &counters);
		FUZZ_CHECK(way->packets + way->duplicated == way->passed + way->lost + way->dropped_queue);
		FUZZ_CHECK(way->queue_packets == 0 && way->delayed_packets == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sink sink = { 0 };
	struct impair_rules_options options = {
		.bytes_max = 1 << 20, .receive = receive, .transmit = transmit, .context = &sink
	};
	struct impair_rules *rules;
	struct impair_rule *rule;
	struct impair_totals totals;

	if (size < HEAD + ETHERNET_HEADER_BYTES)
		return 0;
	rule = make_rule(data[2]);
	FUZZ_CHECK(impair_rules_new(&options, &rules) == 0);
	FUZZ_CHECK(impair_rules_set(rules, &rule, 1) == 0);
	impair_rule_unref(rule);
	sink.longest = size - HEAD;
	for (int64_t ms = 0; ms < 4; ms++) {
		struct instant now = { ms * 1000000 };
		struct frame_in in = { data + HEAD, (uint32_t)(size - HEAD), (uint16_t)load16(data), data[3] % 3 };
		struct frame_out out = { .iov[0] = { (void *)(uintptr_t)(data + HEAD), size - HEAD },
			                 .iov_count = 1,
			                 .length = in.length,
			                 .gso_bytes = in.gso_bytes,
			                 .checksum_offset = in.checksum };

		FUZZ_CHECK(impair_rules_take_in(rules, now, &in));
		FUZZ_CHECK(impair_rules_take_out(rules, now, &out));
		impair_rules_run(rules, now);
		impair_rules_settle(rules);
	}
	impair_rules_flush(rules);
	check_counters(rules);
	impair_rules_total(rules, &totals);
	FUZZ_CHECK(totals.held_packets == 0 && totals.held_bytes == 0 && totals.frames == 8);
	impair_rules_free(rules);
	return 0;
}

size_t fuzz_example(struct test_random *random, uint8_t *out)
{
	bool v6 = test_random_below(random, 2);
	uint32_t payload = test_random_below(random, 2000), header = v6 ? IPV6_HEADER_BYTES : IPV4_HEADER_BYTES;
	struct ethernet_header ethernet = { .type = v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4 };
	struct ip_packet ip = { .source = ip_addr_v4(0xc0000201),
		                .destination = ip_addr_v4(0xc0000202),
		                .tos = (uint8_t)test_random_below(random, 4),
		                .ttl = 64,
		                .protocol = IP_PROTOCOL_TCP };
	struct tcp_segment segment = { .source_port = 1, .destination_port = 2, .flags = TCP_ACK | TCP_PSH };
	uint8_t *tcp = out + HEAD + ETHERNET_HEADER_BYTES + header;
	uint32_t tcp_header = (uint32_t)tcp_write(tcp, &segment);

	store16(out, test_random_below(random, 2) ? 0 : 1 + test_random_below(random, 1460));
	out[2] = (uint8_t)test_random_u64(random);
	out[3] = (uint8_t)test_random_u64(random);
	ethernet_write(out + HEAD, &ethernet);
	ip.payload_bytes = tcp_header + payload;
	if (v6)
		ipv6_write(out + HEAD + ETHERNET_HEADER_BYTES, &ip);
	else
		ipv4_write(out + HEAD + ETHERNET_HEADER_BYTES, &ip);
	test_random_fill(random, tcp + tcp_header, payload);
	return HEAD + ETHERNET_HEADER_BYTES + header + tcp_header + payload;
}
