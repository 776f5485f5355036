/* Rules: which frame takes which, what becomes of it, and what of frames that are held when rules change. */
#include "../../support/test_random.h"
#include "core/wire/bytes.h"
#include "core/wire/checksum.h"
#include "core/wire/ethernet.h"
#include "core/wire/ipv4.h"
#include "core/wire/ipv6.h"
#include "core/wire/tcp.h"
#include "link/impair/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LOG_MAX = 20000, MIB = 1 << 20, MSS = 1000 };

/* What came through, in order. */
struct arrival {
	bool out;
	uint32_t length;
	uint32_t number; /* the sequence number */
	uint32_t bytes;  /* of payload */
	uint8_t flags;
	bool sound; /* its checksum is right */
};

struct fixture {
	struct impair_rules *rules;
	uint32_t count;
	struct arrival log[LOG_MAX];
};

static struct arrival look(const uint8_t *frame, uint32_t length, bool out)
{
	bool v6 = load16(frame + 12) == ETHERTYPE_IPV6;
	uint32_t header = v6 ? IPV6_HEADER_BYTES : IPV4_HEADER_BYTES, tcp_bytes = length - 14 - header;
	const uint8_t *ip = frame + 14, *tcp = ip + header;
	struct ip_addr source = ip_addr_v4(load32(ip + 12)), destination = ip_addr_v4(load32(ip + 16));
	uint64_t sum;

	if (v6) {
		memcpy(source.b, ip + 8, 16);
		memcpy(destination.b, ip + 24, 16);
	}
	sum = checksum_pseudo(&source, &destination, IP_PROTOCOL_TCP, tcp_bytes);
	return (struct arrival){
		.out = out,
		.length = length,
		.number = load32(tcp + 4),
		.bytes = tcp_bytes - (uint32_t)(tcp[12] >> 4) * 4,
		.flags = tcp[13],
		.sound = checksum_fold(checksum_add(sum, tcp, tcp_bytes, 0)) == 0xffff &&
		         (v6 ||
		          (checksum_fold(checksum_add(0, ip, header, 0)) == 0xffff && load16(ip + 2) == length - 14)),
	};
}

static void receive(void *context, const struct frame_in *frame)
{
	struct fixture *fixture = context;

	assert_true(fixture->count < LOG_MAX);
	assert_int_equal(frame->checksum, FRAME_CHECKSUM_UNKNOWN);
	assert_int_equal(frame->gso_bytes, 0);
	fixture->log[fixture->count++] = look(frame->bytes, frame->length, false);
}

static void transmit(void *context, const struct frame_out *frame)
{
	struct fixture *fixture = context;

	assert_true(fixture->count < LOG_MAX);
	assert_int_equal(frame->checksum_offset, 0);
	assert_int_equal(frame->gso_bytes, 0);
	assert_int_equal(frame->iov_count, 1);
	fixture->log[fixture->count++] = look(frame->iov[0].iov_base, frame->length, true);
}

static struct fixture *begin(uint64_t bytes_max)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct impair_rules_options options = {
		.queue = 0, .bytes_max = bytes_max, .receive = receive, .transmit = transmit, .context = fixture
	};

	assert_non_null(fixture);
	assert_int_equal(impair_rules_new(&options, &fixture->rules), 0);
	return fixture;
}

static void end(struct fixture *fixture)
{
	impair_rules_free(fixture->rules);
	free(fixture);
}

/* A TCP frame between ports 7 (ours) and 40000, checksum not complete. */
static uint32_t frame_write(uint8_t *out, bool ours, bool v6, uint32_t number, uint32_t payload, uint8_t flags)
{
	struct ethernet_header ethernet = { .type = v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4 };
	struct ip_packet ip = { .source = ip_addr_v4(0xc0000201),
		                .destination = ip_addr_v4(0xc0000202),
		                .ttl = 64,
		                .protocol = IP_PROTOCOL_TCP,
		                .payload_bytes = TCP_HEADER_BYTES + payload };
	uint8_t *tcp = out + 14 + (v6 ? IPV6_HEADER_BYTES : IPV4_HEADER_BYTES);

	if (v6) {
		ip.source = (struct ip_addr){ { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
		ip.destination = (struct ip_addr){ { 0x20, 1, 0xd, 0xb8, [15] = 2 } };
	}
	ethernet_write(out, &ethernet);
	if (v6)
		ipv6_write(out + 14, &ip);
	else
		ipv4_write(out + 14, &ip);
	memset(tcp, 0, TCP_HEADER_BYTES);
	store16(tcp, ours ? 7 : 40000);
	store16(tcp + 2, ours ? 40000 : 7);
	store32(tcp + 4, number);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	for (uint32_t i = 0; i < payload; i++)
		tcp[TCP_HEADER_BYTES + i] = (uint8_t)(number + i);
	return (uint32_t)(tcp - out) + TCP_HEADER_BYTES + payload;
}

static bool give_in(struct fixture *fixture, int64_t ms, uint32_t number, uint32_t payload)
{
	static uint8_t bytes[70000];
	struct frame_in frame = { .bytes = bytes, .checksum = FRAME_CHECKSUM_PARTIAL };

	frame.length = frame_write(bytes, false, false, number, payload, TCP_ACK);
	frame.gso_bytes = payload > MSS ? MSS : 0;
	return impair_rules_take_in(fixture->rules, (struct instant){ ms * 1000000 }, &frame);
}

static bool give_out(struct fixture *fixture, int64_t ms, bool v6, uint32_t number, uint32_t payload, uint8_t flags)
{
	static uint8_t bytes[70000];
	struct frame_out frame = { .iov_count = 2, .checksum_offset = 16, .is_ipv6 = v6 };
	uint32_t header = 14 + (v6 ? 40 : 20) + TCP_HEADER_BYTES;

	frame.length = frame_write(bytes, true, v6, number, payload, flags);
	frame.checksum_start = (uint16_t)(header - TCP_HEADER_BYTES);
	frame.header_bytes = (uint16_t)header;
	frame.iov[0] = (struct iovec){ bytes, header };
	frame.iov[1] = (struct iovec){ bytes + header, payload };
	frame.gso_bytes = payload > MSS ? MSS : 0;
	return impair_rules_take_out(fixture->rules, (struct instant){ ms * 1000000 }, &frame);
}

static void run_until(struct fixture *fixture, int64_t ms)
{
	impair_rules_run(fixture->rules, (struct instant){ ms * 1000000 });
	impair_rules_settle(fixture->rules);
}

/* For both directions; the caller gives the reference to `set`. */
static struct impair_rule *rule_of(struct impair_way_options way, uint64_t seed)
{
	struct impair_rule_options options = { .applies = { true, true }, .way = way, .seed = seed };
	struct impair_rule *rule = impair_rule_new(&options);

	assert_non_null(rule);
	return rule;
}

static void set(struct fixture *fixture, struct impair_rule *first, struct impair_rule *second)
{
	struct impair_rule *rule[] = { first, second };

	assert_int_equal(impair_rules_set(fixture->rules, rule, (first != NULL) + (second != NULL)), 0);
	impair_rule_unref(first);
	impair_rule_unref(second);
}

static struct impair_rule_counters counters(const struct fixture *fixture, size_t index, bool out)
{
	struct impair_rule_counters got;

	impair_rules_count(fixture->rules, index, out ? IMPAIR_OUT : IMPAIR_IN, &got);
	return got;
}

static void test_no_rules(void **state)
{
	struct fixture *fixture = begin(MIB);

	(void)state;
	assert_false(give_in(fixture, 0, 1, 10));
	assert_false(give_out(fixture, 0, false, 1, 10, TCP_ACK));
	assert_true(impair_rules_idle(fixture->rules));
	assert_int_equal(impair_rules_deadline(fixture->rules).ns, INSTANT_NEVER.ns);
	end(fixture);
}

static void test_first_rule_that_fits(void **state)
{
	struct impair_rule_options lossy = {
		.applies = { [IMPAIR_IN] = true },
		.filter = { .condition_count = 1,
		            .value_count = 1,
		            .condition[0] = { .field = FRAME_LOCAL_PORT, .count = 1 },
		            .value[0] = { .low = 7, .high = 7 } },
		.way = { .loss = 1000000 },
	};
	struct impair_rule *rest = rule_of((struct impair_way_options){ 0 }, 1);
	struct fixture *fixture = begin(MIB);

	(void)state;
	set(fixture, impair_rule_new(&lossy), rest);
	assert_true(give_in(fixture, 0, 1, 10));
	assert_int_equal(fixture->count, 0);
	assert_int_equal(counters(fixture, 0, false).way.lost, 1);
	assert_int_equal(counters(fixture, 0, false).bytes, 64);
	/* the first is not for frames out */
	assert_true(give_out(fixture, 0, false, 2, 10, TCP_ACK));
	assert_int_equal(fixture->count, 1);
	assert_int_equal(counters(fixture, 1, true).way.passed, 1);
	/* with the filter the other way about, the second takes them */
	lossy.filter.condition[0].except = true;
	rest = rule_of((struct impair_way_options){ 0 }, 1);
	set(fixture, impair_rule_new(&lossy), rest);
	assert_true(give_in(fixture, 0, 3, 10));
	assert_int_equal(fixture->count, 2);
	assert_true(fixture->log[1].sound && !fixture->log[1].out);
	end(fixture);
}

/* Super-frames become segments with everything in its place, whichever way they go. */
static void test_split(void **state)
{
	struct fixture *fixture = begin(MIB);

	(void)state;
	set(fixture, rule_of((struct impair_way_options){ 0 }, 1), NULL);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		fixture->count = 0;
		assert_true(give_out(fixture, 0, v6, 100, 3500, TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR));
		assert_int_equal(fixture->count, 4);
		for (uint32_t i = 0; i < 4; i++) {
			const struct arrival *got = &fixture->log[i];

			assert_true(got->sound && got->out);
			assert_int_equal(got->number, 100 + i * MSS);
			assert_int_equal(got->bytes, i < 3 ? MSS : 500);
			assert_int_equal(got->flags & (TCP_FIN | TCP_PSH), i == 3 ? TCP_FIN | TCP_PSH : 0);
			assert_int_equal(got->flags & TCP_CWR, i == 0 ? TCP_CWR : 0);
		}
	}
	fixture->count = 0;
	assert_true(give_in(fixture, 0, 500, 2500));
	assert_int_equal(fixture->count, 3);
	assert_true(fixture->log[0].sound && fixture->log[1].sound && fixture->log[2].sound);
	assert_int_equal(counters(fixture, 0, false).frames, 1);
	assert_int_equal(counters(fixture, 0, false).way.packets, 3);
	end(fixture);
}

/* Damage is done to checksums that were complete, so that it can be found. */
static void test_corruption_is_found(void **state)
{
	struct fixture *fixture = begin(MIB);
	uint32_t damaged = 0;

	(void)state;
	set(fixture, rule_of((struct impair_way_options){ .corrupt = 300000 }, 7), NULL);
	for (uint32_t i = 0; i < 1000; i++)
		give_out(fixture, 0, false, i, 10, TCP_ACK);
	assert_int_equal(fixture->count, 1000);
	for (uint32_t i = 0; i < 1000; i++)
		damaged += !fixture->log[i].sound;
	assert_int_equal(damaged, counters(fixture, 0, true).way.corrupted);
	assert_in_range(damaged, 200, 400);
	end(fixture);
}

static void test_delay_and_deadline(void **state)
{
	struct fixture *fixture = begin(MIB);

	(void)state;
	set(fixture, rule_of((struct impair_way_options){ .delay.delay = DURATION_MS(20) }, 1), NULL);
	give_in(fixture, 0, 1, 10);
	give_out(fixture, 5, false, 2, 10, TCP_ACK);
	assert_int_equal(impair_rules_deadline(fixture->rules).ns, 20000000);
	run_until(fixture, 19);
	assert_int_equal(fixture->count, 0);
	assert_int_equal(counters(fixture, 0, false).way.delayed_packets, 1);
	run_until(fixture, 20);
	assert_int_equal(fixture->count, 1);
	run_until(fixture, 25);
	assert_int_equal(fixture->count, 2);
	assert_true(!fixture->log[0].out && fixture->log[1].out);
	assert_int_equal(impair_rules_deadline(fixture->rules).ns, INSTANT_NEVER.ns);
	end(fixture);
}

/* A rule that goes lets go of what it holds at the time it would have; one that stays goes on as if nothing were. */
static void test_change_while_held(void **state)
{
	struct impair_way_options slow = { .delay.delay = DURATION_MS(20) }, nth = { .nth = { 2, 2, 0 } };
	struct impair_rule *stays = rule_of(nth, 1);
	struct fixture *fixture = begin(MIB);
	struct impair_totals totals;

	(void)state;
	set(fixture, rule_of(slow, 1), NULL);
	give_in(fixture, 0, 1, 10);
	give_out(fixture, 1, false, 2, 10, TCP_ACK);
	set(fixture, impair_rule_ref(stays), NULL);
	assert_int_equal(impair_rules_deadline(fixture->rules).ns, 20000000);
	give_in(fixture, 2, 3, 10); /* the first of the new rule overtakes */
	assert_int_equal(fixture->count, 1);
	run_until(fixture, 20);
	run_until(fixture, 21);
	assert_int_equal(fixture->count, 3);
	assert_int_equal(fixture->log[1].number, 1);
	assert_int_equal(fixture->log[2].number, 2);
	/* the second of a rule that stays, though another came beside it */
	set(fixture, impair_rule_ref(stays), rule_of(slow, 2));
	give_in(fixture, 22, 4, 10);
	assert_int_equal(fixture->count, 3);
	assert_int_equal(counters(fixture, 0, false).way.dropped_nth, 1);
	set(fixture, NULL, NULL);
	run_until(fixture, 22);
	assert_true(impair_rules_idle(fixture->rules));
	impair_rules_total(fixture->rules, &totals);
	assert_int_equal(totals.frames, 4);
	assert_int_equal(totals.dropped, 1);
	assert_int_equal(totals.held_packets, 0);
	impair_rule_unref(stays);
	end(fixture);
}

/* Nothing is lost of what is under way to the link when the daemon ends; nothing comes in any more. */
static void test_flush(void **state)
{
	struct fixture *fixture = begin(MIB);

	(void)state;
	set(fixture,
	    rule_of((struct impair_way_options){ .delay.delay = DURATION_S(60), .line.bytes_per_s = 1000 }, 1), NULL);
	for (uint32_t i = 0; i < 5; i++) {
		give_in(fixture, i, i, 10);
		give_out(fixture, i, false, i, 10, TCP_ACK);
	}
	impair_rules_flush(fixture->rules);
	assert_int_equal(fixture->count, 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_true(fixture->log[i].out && fixture->log[i].number == i);
	end(fixture);
}

static void test_memory_is_bounded(void **state)
{
	struct fixture *fixture = begin(100000);
	struct impair_totals totals;

	(void)state;
	set(fixture, rule_of((struct impair_way_options){ .delay.delay = DURATION_S(1) }, 1), NULL);
	for (uint32_t i = 0; i < 200; i++)
		assert_true(give_in(fixture, 0, i, MSS));
	impair_rules_total(fixture->rules, &totals);
	assert_in_range(totals.held_bytes, 90000, 100000);
	assert_int_equal(totals.held_packets + totals.dropped, 200);
	assert_int_equal(counters(fixture, 0, false).no_memory, totals.dropped);
	run_until(fixture, 1000);
	assert_int_equal(fixture->count, totals.held_packets);
	/* there is room again, once what came in has been settled */
	give_in(fixture, 1000, 1, MSS);
	run_until(fixture, 2000);
	assert_int_equal(fixture->count, totals.held_packets + 1);
	end(fixture);
}

static uint32_t replay(uint64_t seed, uint32_t duplicate, bool *lost, uint32_t count)
{
	struct fixture *fixture = begin(MIB);

	set(fixture,
	    rule_of((struct impair_way_options){ .loss = 100000, .burst_packets = 3, .duplicate = duplicate }, seed),
	    NULL);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t before = fixture->count;

		give_in(fixture, i, i, 10);
		lost[i] = fixture->count == before;
		run_until(fixture, i);
	}
	count = (uint32_t)counters(fixture, 0, false).way.lost;
	end(fixture);
	return count;
}

/* The same seed does the same, whatever else the rule does. */
static void test_seed_replays(void **state)
{
	uint64_t seed = test_random_begin("test_rules").state;
	bool first[2000], again[2000], other[2000];
	uint32_t lost = replay(seed, 0, first, 2000);

	(void)state;
	assert_in_range(lost, 60, 400);
	assert_int_equal(replay(seed, 0, again, 2000), lost);
	assert_memory_equal(first, again, sizeof(first));
	assert_int_equal(replay(seed, 500000, again, 2000), lost);
	assert_memory_equal(first, again, sizeof(first));
	replay(seed + 1, 0, other, 2000);
	assert_memory_not_equal(first, other, sizeof(first));
}

/* The lines of two queues are one: together they carry what the rule says. */
static void test_queues_share_a_line(void **state)
{
	struct fixture *a = begin(MIB), *b = begin(MIB);
	struct impair_way_options way = { .line.bytes_per_s =
		                                  1064000 }; /* a full frame and its header a millisecond */
	struct impair_rule *rule = rule_of(way, 1);

	(void)state;
	set(a, impair_rule_ref(rule), NULL);
	set(b, rule, NULL);
	for (uint32_t i = 0; i < 100; i++) {
		give_out(a, 0, false, i, MSS + 10, TCP_ACK); /* two of them */
		give_out(b, 0, false, i, MSS + 10, TCP_ACK);
	}
	for (int64_t ms = 1; ms <= 100; ms++) {
		run_until(a, ms);
		run_until(b, ms);
	}
	/* 100 ms of the line, of frames of 1054 and 64 bytes in turn. */
	assert_in_range(a->count + b->count, 184, 194);
	assert_in_range(a->count, 50, 140);
	end(a);
	end(b);
}

/* A shard that had no memory for the rules of the others is asked for their counters, too. */
static void test_count_of_none(void **state)
{
	struct fixture *fixture = begin(1000);
	struct impair_rule_counters got = { .frames = 1, .way.packets = 2 };

	(void)state;
	impair_rules_count(fixture->rules, 0, IMPAIR_OUT, &got);
	assert_int_equal(got.frames, 0);
	assert_int_equal(got.way.packets, 0);
	end(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count_of_none),        cmocka_unit_test(test_no_rules),
		cmocka_unit_test(test_first_rule_that_fits), cmocka_unit_test(test_split),
		cmocka_unit_test(test_corruption_is_found),  cmocka_unit_test(test_delay_and_deadline),
		cmocka_unit_test(test_change_while_held),    cmocka_unit_test(test_flush),
		cmocka_unit_test(test_memory_is_bounded),    cmocka_unit_test(test_seed_replays),
		cmocka_unit_test(test_queues_share_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
