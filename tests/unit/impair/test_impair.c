/* Each element between a source of numbered packets and a sink that writes down what came when. */
#include "../../support/test_memory.h"
#include "../../support/test_random.h"
#include "core/wire/bytes.h"
#include "core/wire/ethernet.h"
#include "core/wire/ipv4.h"
#include "link/impair/ecn.h"
#include "link/impair/impair.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SINK_MAX = 200000, BYTES = 100 };

struct sink {
	struct impair_element element;
	uint32_t count;
	uint32_t number[SINK_MAX];
	int64_t at_us[SINK_MAX];
	int ecn[SINK_MAX];
	uint32_t damaged; /* bits that are not as they were sent */
};

struct fixture {
	struct test_memory memory;
	struct impair impair;
	struct sink sink;
};

static void frame_fill(uint8_t *frame, uint32_t length, uint32_t number, int ecn)
{
	struct ethernet_header ethernet = { .type = ETHERTYPE_IPV4 };
	struct ip_packet ip = { .ttl = 64, .protocol = IP_PROTOCOL_UDP, .tos = (uint8_t)ecn };

	memset(frame, 0, length);
	ethernet_write(frame, &ethernet);
	ip.payload_bytes = length - ETHERNET_HEADER_BYTES - IPV4_HEADER_BYTES;
	ipv4_write(frame + ETHERNET_HEADER_BYTES, &ip);
	store32(frame, number); /* in the destination MAC */
}

static void sink_take(struct impair_element *element, struct instant now, struct impair_packet *packet)
{
	struct sink *sink = (struct sink *)element;
	int ecn = ecn_get(packet->bytes, packet->length);
	uint8_t sent[65536];

	assert_true(sink->count < SINK_MAX);
	sink->number[sink->count] = load32(packet->bytes);
	sink->at_us[sink->count] = now.ns / 1000;
	sink->ecn[sink->count++] = ecn;
	frame_fill(sent, packet->length, load32(packet->bytes), ecn >= 0 ? ecn : 0);
	for (uint32_t i = ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES; i < packet->length; i++)
		sink->damaged += (uint32_t)__builtin_popcount(packet->bytes[i] ^ sent[i]);
	impair_packet_free(element->impair, packet);
}

static struct fixture *begin(uint64_t seed)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct memory memory;

	assert_non_null(fixture);
	memory = test_memory(&fixture->memory);
	impair_begin(&fixture->impair, &memory, seed);
	fixture->sink.element.take = sink_take;
	impair_add(&fixture->impair, &fixture->sink.element, NULL);
	return fixture;
}

static void end(struct fixture *fixture)
{
	impair_end(&fixture->impair);
	assert_int_equal(fixture->memory.live_count, 0);
	free(fixture);
}

static void give(struct fixture *fixture, struct impair_element *to, int64_t at_us, uint32_t number, uint32_t length,
                 int ecn)
{
	struct instant now = { at_us * 1000 };
	struct impair_packet *packet;

	impair_run(&fixture->impair, now);
	packet = impair_packet_new(&fixture->impair, length);
	assert_non_null(packet);
	frame_fill(packet->bytes, length, number, ecn);
	impair_give(to, now, packet);
}

static void run_until(struct fixture *fixture, int64_t us)
{
	impair_run(&fixture->impair, (struct instant){ us * 1000 });
}

/* `count` packets, one each 100 us. */
static void stream(struct fixture *fixture, struct impair_element *to, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		give(fixture, to, 100 * (int64_t)i, i, BYTES, ECN_NOT_ECT);
	run_until(fixture, INT64_MAX / 1000);
}

static bool in_order(const struct sink *sink)
{
	for (uint32_t i = 1; i < sink->count; i++) {
		if (sink->number[i] <= sink->number[i - 1])
			return false;
	}
	return true;
}

/* ---- delay -------------------------------------------------------------------------------------------------------
 */

static void test_delay(void **state)
{
	struct impair_delay_options options = { .delay = DURATION_MS(7) };
	struct fixture *fixture = begin(1);
	struct impair_delay delay;

	(void)state;
	impair_delay_begin(&delay, &fixture->impair, &fixture->sink.element, &options);
	assert_true(impair_deadline(&fixture->impair).ns == INT64_MAX);
	give(fixture, &delay.element, 1000, 1, BYTES, 0);
	assert_int_equal(impair_deadline(&fixture->impair).ns, 8000000);
	give(fixture, &delay.element, 1000, 2, BYTES, 0);
	give(fixture, &delay.element, 2000, 3, BYTES, 0);
	run_until(fixture, 7999);
	assert_int_equal(fixture->sink.count, 0);
	run_until(fixture, 20000); /* late, but told with the right times */
	assert_int_equal(fixture->sink.count, 3);
	assert_true(in_order(&fixture->sink));
	assert_int_equal(fixture->sink.at_us[0], 8000);
	assert_int_equal(fixture->sink.at_us[1], 8000);
	assert_int_equal(fixture->sink.at_us[2], 9000);
	assert_true(impair_deadline(&fixture->impair).ns == INT64_MAX);
	end(fixture);
}

static void test_jitter(void **state)
{
	struct impair_delay_options options = { .delay = DURATION_MS(1), .jitter = DURATION_MS(5) };

	(void)state;
	for (int reorders = 0; reorders < 2; reorders++) {
		struct fixture *fixture = begin(2);
		struct impair_delay delay;
		int64_t most = 0, least = INT64_MAX;

		options.reorders = reorders;
		impair_delay_begin(&delay, &fixture->impair, &fixture->sink.element, &options);
		stream(fixture, &delay.element, 5000);
		assert_int_equal(fixture->sink.count, 5000);
		assert_int_equal(in_order(&fixture->sink), !reorders);
		for (uint32_t i = 0; i < 5000; i++) {
			int64_t took = fixture->sink.at_us[i] - 100 * (int64_t)fixture->sink.number[i];

			most = took > most ? took : most;
			least = took < least ? took : least;
			assert_true(i == 0 || fixture->sink.at_us[i] >= fixture->sink.at_us[i - 1]);
		}
		assert_in_range(most, 5990, 6000);
		assert_in_range(least, 1000, reorders ? 1010 : 6000);
		end(fixture);
	}
}

static void test_delay_limit(void **state)
{
	struct impair_delay_options options = { .delay = DURATION_S(1), .packets_max = 10 };
	struct fixture *fixture = begin(1);
	struct impair_delay delay;

	(void)state;
	impair_delay_begin(&delay, &fixture->impair, &fixture->sink.element, &options);
	stream(fixture, &delay.element, 15);
	assert_int_equal(fixture->sink.count, 10);
	assert_int_equal(delay.element.counters.dropped, 5);
	give(fixture, &delay.element, 9000000, 1, BYTES, 0); /* still held at the end, which must free it */
	end(fixture);
}

static void test_reorder(void **state)
{
	struct impair_reorder_options options = { .per_million = 100000,
		                                  .hold_min = DURATION_MS(1),
		                                  .hold_max = DURATION_MS(2) };
	struct fixture *fixture = begin(3);
	struct impair_reorder reorder;
	uint32_t late = 0;

	(void)state;
	impair_reorder_begin(&reorder, &fixture->impair, &fixture->sink.element, &options);
	stream(fixture, &reorder.element, 10000);
	assert_int_equal(fixture->sink.count, 10000);
	for (uint32_t i = 0; i < 10000; i++) {
		int64_t took = fixture->sink.at_us[i] - 100 * (int64_t)fixture->sink.number[i];

		assert_true(took == 0 || (took >= 1000 && took <= 2000));
		late += took > 0;
	}
	assert_in_range(late, 900, 1100);
	assert_int_equal(reorder.element.counters.harmed, late);
	end(fixture);
}

/* ---- line --------------------------------------------------------------------------------------------------------
 */

/* 1 MB/s with 20 bytes of overhead: a packet of 480 bytes takes 500 us. */
static struct impair_line_options slow_line(void)
{
	return (struct impair_line_options){ .bytes_per_s = 1000000, .overhead_bytes = 20 };
}

static void test_line_rate(void **state)
{
	struct impair_line_options options = slow_line();
	struct fixture *fixture = begin(1);
	struct impair_line line;

	(void)state;
	impair_line_begin(&line, &fixture->impair, &fixture->sink.element, &options);
	for (uint32_t i = 0; i < 4; i++)
		give(fixture, &line.element, 1000, i, 480, 0);
	/* Nobody turned the crank for long: what comes now finds the queue as it would be. */
	give(fixture, &line.element, 2750, 4, 480, 0);
	run_until(fixture, 100000);
	give(fixture, &line.element, 100000, 5, 480, 0);
	run_until(fixture, 200000);
	assert_int_equal(fixture->sink.count, 6);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(fixture->sink.at_us[i], 1500 + 500 * i);
	assert_int_equal(fixture->sink.at_us[5], 100500);
	end(fixture);
}

static void test_line_limits(void **state)
{
	static const struct {
		uint32_t bytes, packets, passes; /* of 20 packets at once: the one on the line, and the queue */
	} rows[] = { { 0, 0, 20 }, { 4800, 0, 11 }, { 4799, 0, 10 }, { 0, 5, 6 }, { 960, 5, 3 }, { 1, 0, 2 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct impair_line_options options = slow_line();
		struct fixture *fixture = begin(1);
		struct impair_line line;

		options.queue_bytes = rows[i].bytes;
		options.queue_packets = rows[i].packets;
		impair_line_begin(&line, &fixture->impair, &fixture->sink.element, &options);
		for (uint32_t n = 0; n < 20; n++)
			give(fixture, &line.element, 0, n, 480, 0);
		run_until(fixture, 1000000);
		assert_int_equal(fixture->sink.count, rows[i].passes);
		assert_int_equal(line.element.counters.dropped, 20 - rows[i].passes);
		assert_true(in_order(&fixture->sink));
		end(fixture);
	}
}

/* Half as much again as the line carries, for 4 s. Returns how long the last packets have waited, in us. */
static int64_t overload(struct fixture *fixture, struct impair_line *line, const struct impair_line_options *options,
                        int ecn)
{
	uint32_t last;

	impair_line_begin(line, &fixture->impair, &fixture->sink.element, options);
	for (uint32_t i = 0; i < 12000; i++)
		give(fixture, &line->element, 333 * (int64_t)i, i, 480, ecn);
	run_until(fixture, 100000000);
	last = fixture->sink.count - 1;
	return fixture->sink.at_us[last] - 333 * (int64_t)fixture->sink.number[last] - 500;
}

static void test_line_codel(void **state)
{
	struct impair_line_options options = slow_line();
	struct fixture *fixture = begin(1);
	struct impair_line line;
	int64_t waited;

	(void)state;
	waited = overload(fixture, &line, &options, ECN_ECT0);
	assert_in_range(waited, 1950000, 2050000);
	end(fixture);
	fixture = begin(1);
	options.discipline = IMPAIR_CODEL;
	/* A flow that doesn't listen is not brought to the target within seconds; but it is held down. */
	assert_true(overload(fixture, &line, &options, ECN_ECT0) < waited * 95 / 100);
	assert_true(line.element.counters.dropped > 100);
	assert_int_equal(line.marked, 0);
	assert_int_equal(fixture->sink.count + line.element.counters.dropped, 12000);
	end(fixture);
}

static void test_line_codel_ecn(void **state)
{
	struct impair_line_options options = slow_line();

	(void)state;
	options.discipline = IMPAIR_CODEL;
	options.ecn = true;
	for (int ecn = 0; ecn < 4; ecn++) {
		struct fixture *fixture = begin(1);
		struct impair_line line;
		uint32_t marked = 0;

		overload(fixture, &line, &options, ecn);
		for (uint32_t i = 0; i < fixture->sink.count; i++)
			marked += fixture->sink.ecn[i] == ECN_CE;
		if (ecn == ECN_NOT_ECT) {
			assert_true(line.element.counters.dropped > 100);
			assert_int_equal(marked, 0);
		} else {
			assert_int_equal(line.element.counters.dropped, 0);
			assert_true(line.marked > 100);
			assert_int_equal(marked, ecn == ECN_CE ? 12000 : line.marked);
		}
		end(fixture);
	}
}

static void test_line_step(void **state)
{
	struct impair_line_options options = slow_line();
	struct fixture *fixture = begin(1);
	struct impair_line line;

	(void)state;
	options.discipline = IMPAIR_STEP;
	impair_line_begin(&line, &fixture->impair, &fixture->sink.element, &options);
	for (uint32_t i = 0; i < 6; i++)
		give(fixture, &line.element, 0, i, 480, i == 4 ? ECN_NOT_ECT : ECN_ECT1);
	run_until(fixture, 1000000);
	/* They waited 0, 500, 1000, 1500, 2000 and 2500 us. */
	assert_int_equal(fixture->sink.count, 6);
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(fixture->sink.ecn[i], i < 3 ? ECN_ECT1 : i == 4 ? ECN_NOT_ECT : ECN_CE);
	end(fixture);
}

/* ---- harm --------------------------------------------------------------------------------------------------------
 */

static void test_loss(void **state)
{
	static const uint32_t rows[] = { 0, 1000, 30000, 500000, 1000000 };
	struct test_random random = test_random_begin("test_loss");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *fixture = begin(test_random_u64(&random));
		double should = rows[i] / 10.0, deviation = 5 * __builtin_sqrt(should) + 0.5; /* of 100000 */
		struct impair_loss loss;

		impair_loss_begin(&loss, &fixture->impair, &fixture->sink.element, rows[i]);
		stream(fixture, &loss.element, 100000);
		assert_true(__builtin_fabs((double)loss.element.counters.dropped - should) <= deviation);
		assert_int_equal(loss.element.counters.dropped + fixture->sink.count, 100000);
		end(fixture);
	}
}

static void test_burst(void **state)
{
	struct impair_burst_options options = impair_burst_of(20000, 8);
	struct test_random random = test_random_begin("test_burst");
	struct fixture *fixture = begin(test_random_u64(&random));
	struct impair_burst burst;
	uint32_t bursts = 0, lost, next = 0;

	(void)state;
	impair_burst_begin(&burst, &fixture->impair, &fixture->sink.element, &options);
	stream(fixture, &burst.element, 200000);
	for (uint32_t i = 0; i < fixture->sink.count; i++) {
		bursts += fixture->sink.number[i] != next;
		next = fixture->sink.number[i] + 1;
	}
	lost = 200000 - fixture->sink.count;
	assert_in_range(lost, 2800, 5200); /* 4000; bursts make it scatter */
	assert_in_range(lost * 10 / bursts, 70, 90);
	end(fixture);
	assert_int_equal(impair_burst_of(1000000, 3).turns_good, 0); /* all is lost, for good */
	assert_int_equal(impair_burst_of(0, 3).turns_bad, 0);
}

/* Average loss and length of bursts follow from the two chances. */
static void test_burst_chances(void **state)
{
	static const struct {
		uint32_t per_million, packets;
	} rows[] = { { 1, 3 },       { 10, 20 }, { 500, 1000 }, { 20000, 8 },        { 100000, 1000000 },
		     { 1, 1000000 }, { 1, 1 },   { 500000, 1 }, { 999999, 1000000 }, { 666666, 2 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct impair_burst_options options = impair_burst_of(rows[i].per_million, rows[i].packets);
		double bad = (double)options.turns_bad, good = (double)options.turns_good;

		assert_true(__builtin_fabs(bad / (bad + good) * 1e6 / rows[i].per_million - 1) < 1e-4);
		assert_true(__builtin_fabs((double)IMPAIR_BURST_SURE / good / rows[i].packets - 1) < 1e-4);
	}
	assert_true(impair_burst_of(900000, 2).turns_bad == IMPAIR_BURST_SURE);
}

static void test_nth(void **state)
{
	static const struct {
		struct impair_nth_options options;
		uint32_t lost[6], count; /* packet numbers, from 0 */
	} rows[] = {
		{ { 1, 0, 0 }, { 0 }, 1 },           { { 3, 0, 0 }, { 2 }, 1 },
		{ { 2, 4, 0 }, { 1, 5, 9, 13 }, 4 }, { { 2, 4, 2 }, { 1, 5 }, 2 },
		{ { 14, 1, 0 }, { 13, 14, 15 }, 3 }, { { 99, 1, 0 }, { 0 }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *fixture = begin(1);
		struct impair_nth nth;
		uint32_t at = 0, lost = 0;

		impair_nth_begin(&nth, &fixture->impair, &fixture->sink.element, &rows[i].options);
		stream(fixture, &nth.element, 16);
		for (uint32_t n = 0; n < 16; n++) {
			if (at < fixture->sink.count && fixture->sink.number[at] == n)
				at++;
			else
				assert_int_equal(rows[i].lost[lost++], n);
		}
		assert_int_equal(lost, rows[i].count);
		end(fixture);
	}
}

static void test_outage(void **state)
{
	struct impair_outage_options options = { DURATION_MS(10), DURATION_MS(10), DURATION_MS(5), DURATION_MS(5) };
	struct fixture *fixture = begin(1);
	struct impair_outage outage;

	(void)state;
	impair_outage_begin(&outage, &fixture->impair, &fixture->sink.element, &options);
	for (uint32_t i = 0; i < 600; i++)
		give(fixture, &outage.element, 5000 + 100 * (int64_t)i, i, BYTES, 0);
	assert_int_equal(fixture->sink.count, 400);
	for (uint32_t i = 0; i < 400; i++)
		assert_int_equal(fixture->sink.number[i], i / 100 * 150 + i % 100);
	end(fixture);
}

/* Times of no length, and a long silence, cost no more than a bounded number of steps. */
static void test_outage_without_length(void **state)
{
	struct impair_outage_options none = { 0 }, tiny = { { 1 }, { 1 }, { 1 }, { 1 } };
	struct fixture *fixture = begin(1);
	struct impair_outage outage, other;

	(void)state;
	impair_outage_begin(&outage, &fixture->impair, &fixture->sink.element, &none);
	for (uint32_t i = 0; i < 10; i++)
		give(fixture, &outage.element, i * 1000000000ll, i, BYTES, 0);
	assert_int_equal(fixture->sink.count, 10);
	impair_outage_begin(&other, &fixture->impair, &fixture->sink.element, &tiny);
	for (uint32_t i = 0; i < 10; i++)
		give(fixture, &other.element, (i + 10) * 1000000000ll, i, BYTES, 0);
	assert_int_equal(fixture->sink.count, 20); /* each finds it anew */
	end(fixture);
}

static void test_duplicate(void **state)
{
	struct fixture *fixture = begin(5);
	struct impair_duplicate duplicate;
	uint32_t doubled = 0;

	(void)state;
	impair_duplicate_begin(&duplicate, &fixture->impair, &fixture->sink.element, 100000);
	stream(fixture, &duplicate.element, 10000);
	for (uint32_t i = 1; i < fixture->sink.count; i++)
		doubled += fixture->sink.number[i] == fixture->sink.number[i - 1];
	assert_in_range(doubled, 850, 1150);
	assert_int_equal(fixture->sink.count, 10000 + doubled);
	assert_int_equal(fixture->sink.damaged, 0);
	/* Without memory for a copy there is none, and the packet goes on. */
	duplicate.per_million = 1000000;
	fixture->sink.count = 0;
	for (uint32_t i = 0; i < 10; i++) {
		test_memory_fail_after(&fixture->memory, 1);
		give(fixture, &duplicate.element, 9000000, i, BYTES, 0);
		test_memory_fail_never(&fixture->memory);
	}
	assert_int_equal(fixture->sink.count, 10);
	end(fixture);
}

static void test_corrupt(void **state)
{
	struct fixture *fixture = begin(6);
	struct impair_corrupt corrupt;
	uint64_t harmed;

	(void)state;
	impair_corrupt_begin(&corrupt, &fixture->impair, &fixture->sink.element, 100000);
	stream(fixture, &corrupt.element, 10000);
	assert_int_equal(fixture->sink.count, 10000);
	harmed = corrupt.element.counters.harmed;
	assert_in_range(harmed, 850, 1150);
	/* One bit each; those of the IP header are not counted here. */
	assert_in_range(fixture->sink.damaged, harmed * 66 / 86 * 8 / 10, harmed);
	end(fixture);
}

/* Two bits could make up for each other in the checksum. */
static void test_corrupt_once(void **state)
{
	struct impair_corrupt corrupt[3];
	struct fixture *fixture = begin(8);
	struct impair_element *way = &fixture->sink.element;

	(void)state;
	for (int i = 0; i < 3; i++) {
		impair_corrupt_begin(&corrupt[i], &fixture->impair, way, 1000000);
		way = &corrupt[i].element;
	}
	stream(fixture, way, 1000);
	assert_int_equal(corrupt[2].element.counters.harmed, 1000);
	assert_int_equal(corrupt[1].element.counters.harmed + corrupt[0].element.counters.harmed, 0);
	end(fixture);
}

static void test_resting(void **state)
{
	struct impair_reorder_options reorders = { .per_million = 500000, .hold_max = DURATION_MS(5) };
	struct impair_nth_options all = { .first = 1, .every = 1 };
	struct fixture *fixture = begin(7);
	struct impair_duplicate duplicate;
	struct impair_corrupt corrupt;
	struct impair_reorder reorder;
	struct impair_loss loss;
	struct impair_nth nth;

	(void)state;
	fixture->impair.resting = true;
	impair_loss_begin(&loss, &fixture->impair, &fixture->sink.element, 500000);
	impair_nth_begin(&nth, &fixture->impair, &loss.element, &all);
	impair_corrupt_begin(&corrupt, &fixture->impair, &nth.element, 500000);
	impair_duplicate_begin(&duplicate, &fixture->impair, &corrupt.element, 500000);
	impair_reorder_begin(&reorder, &fixture->impair, &duplicate.element, &reorders);
	stream(fixture, &reorder.element, 1000);
	assert_int_equal(fixture->sink.count, 1000);
	assert_true(in_order(&fixture->sink));
	assert_int_equal(fixture->sink.damaged, 0);
	end(fixture);
}

/* The same seed does the same; another one doesn't. What an element does is not changed by others before it. */
static void test_seeds(void **state)
{
	static uint32_t first[1000];
	uint32_t first_count = 0;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct impair_delay_options options = { .jitter = DURATION_MS(3) };
		struct fixture *fixture = begin(i == 3 ? 43 : 42);
		struct impair_element *entry;
		struct impair_delay delay;
		struct impair_loss loss;

		impair_loss_begin(&loss, &fixture->impair, &fixture->sink.element, 200000);
		entry = &loss.element;
		if (i == 2) {
			impair_delay_begin(&delay, &fixture->impair, entry, &options);
			entry = &delay.element;
		}
		stream(fixture, entry, 1000);
		if (i == 0) {
			first_count = fixture->sink.count;
			memcpy(first, fixture->sink.number, sizeof(first));
		} else if (i < 3) {
			assert_int_equal(fixture->sink.count, first_count);
			assert_memory_equal(first, fixture->sink.number, first_count * sizeof(first[0]));
		} else {
			assert_true(fixture->sink.count != first_count ||
			            memcmp(first, fixture->sink.number, first_count * sizeof(first[0])) != 0);
		}
		end(fixture);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delay),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_delay_limit),
		cmocka_unit_test(test_reorder),
		cmocka_unit_test(test_line_rate),
		cmocka_unit_test(test_line_limits),
		cmocka_unit_test(test_line_codel),
		cmocka_unit_test(test_line_codel_ecn),
		cmocka_unit_test(test_line_step),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_burst_chances),
		cmocka_unit_test(test_nth),
		cmocka_unit_test(test_outage),
		cmocka_unit_test(test_outage_without_length),
		cmocka_unit_test(test_duplicate),
		cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_corrupt_once),
		cmocka_unit_test(test_resting),
		cmocka_unit_test(test_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
