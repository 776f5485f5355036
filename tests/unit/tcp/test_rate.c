/* The pacer and the sampler of delivery rates, without a connection. */
#include "core/tcp/pacer.h"
#include "core/tcp/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define AT_MS(n) ((struct instant){ (n)*1000000ll })

static void quantum(void **state)
{
	(void)state;
	assert_int_equal(pacer_quantum(1000, 1460), 2 * 1460);       /* two segments at least */
	assert_int_equal(pacer_quantum(10000000, 1460), 10000);      /* a millisecond */
	assert_int_equal(pacer_quantum(10000000000, 1460), 1 << 16); /* a super-frame at most */
	assert_int_equal(pacer_time(1, 3).ns, 333333334);
	assert_int_equal(pacer_time(1u << 30, 1).ns, 1000000000ll << 30);
}

/* Asked late, now and then, it makes up for it; the rate holds to the byte. */
static void rate_is_kept(void **state)
{
	static const uint64_t rates[] = { 10000, 1234567, 100000000, 3000000000 };

	(void)state;
	for (unsigned r = 0; r < 4; r++) {
		struct instant now = AT_MS(5000), begin = now, next;
		struct pacer pacer = { INSTANT_ZERO };
		uint64_t sent = 0;
		int64_t bound;

		for (int i = 0; i < 3000; i++) {
			next = pacer_sent(&pacer, now, 1000, rates[r], pacer_quantum(rates[r], 1000));
			sent += 1000;
			bound = (now.ns - begin.ns) / 1000 * (int64_t)rates[r] / 1000000 +
			        2 * pacer_quantum(rates[r], 1000) + 1000;
			assert_true((int64_t)sent <= bound);
			if (next.ns > now.ns)
				now = instant_add(next, (struct duration){ i % 7 * 3000 });
		}
		assert_in_range((uint64_t)(now.ns - begin.ns) / 1000 * rates[r] / 1000000, sent * 98 / 100,
		                sent * 102 / 100);
	}
}

static void idle_time_is_not_saved_up(void **state)
{
	struct pacer pacer = { INSTANT_ZERO };
	struct instant now = AT_MS(1000);
	uint32_t sent = 0;

	(void)state;
	while (!instant_before(now, pacer_sent(&pacer, now, 1000, 100000, pacer_quantum(100000, 1000))))
		assert_true((sent += 1000) < 100000);
	now = AT_MS(100000);
	for (sent = 1000; !instant_before(now, pacer_sent(&pacer, now, 1000, 100000, pacer_quantum(100000, 1000)));
	     sent += 1000)
		;
	assert_in_range(sent, 2000, 4000);
}

/* ---- samples ------------------------------------------------------------------------------------------------------
 */

/* Ten segments of 1000 bytes, one a millisecond, each known to have arrived 20 ms later. */
static void steady_flow(void **state)
{
	struct rate_sampler rate = { 0 };
	struct rate_snapshot kept[80];
	struct rate_sample sample = { 0 };

	(void)state;
	for (int ms = 0; ms < 80; ms++) {
		kept[ms] = rate_on_sent(&rate, AT_MS(1000 + ms), ms == 0);
		if (ms < 20)
			continue;
		sample = rate_on_delivered(&rate, AT_MS(1000 + ms), 1000, &kept[ms - 20], AT_MS(980 + ms),
		                           DURATION_MS(20));
	}
	/* The last one was sent at 1059, when 1058 was the last time that something had been reported. */
	assert_int_equal(sample.delivered_bytes, 21000);
	assert_int_equal(sample.interval.ns, DURATION_MS(21).ns);
	assert_int_equal(rate_bytes_per_s(&sample), 1000000);
	assert_false(sample.app_limited);
}

/* ACKs that come all at once do not make the network faster: the flight took its time to send. */
static void the_slower_of_both_counts(void **state)
{
	struct rate_sampler rate = { 0 };
	struct rate_snapshot first, last;
	struct rate_sample sample;

	(void)state;
	first = rate_on_sent(&rate, AT_MS(1000), true);
	for (int i = 1; i < 10; i++)
		last = rate_on_sent(&rate, AT_MS(1000 + 10 * i), false);
	rate_on_delivered(&rate, AT_MS(1095), 1000, &first, AT_MS(1000), DURATION_MS(5));
	sample = rate_on_delivered(&rate, AT_MS(1095), 9000, &last, AT_MS(1090), DURATION_MS(5));
	assert_int_equal(sample.interval.ns, DURATION_MS(95).ns);
	assert_int_equal(sample.delivered_bytes, 10000);
	/* The ACK of the first came late, and those of what was sent after it at once. */
	first = rate_on_sent(&rate, AT_MS(1500), true);
	rate_on_delivered(&rate, AT_MS(1580), 1000, &first, AT_MS(1500), DURATION_MS(5));
	last = rate_on_sent(&rate, AT_MS(1585), false);
	sample = rate_on_delivered(&rate, AT_MS(1595), 1000, &last, AT_MS(1585), DURATION_MS(5));
	assert_int_equal(sample.interval.ns, DURATION_MS(85).ns);
	/* Sent in a moment, and reported over time. */
	first = rate_on_sent(&rate, AT_MS(2000), true);
	sample = rate_on_delivered(&rate, AT_MS(2100), 5000, &first, AT_MS(2000), DURATION_MS(5));
	assert_int_equal(rate_bytes_per_s(&sample), 50000);
}

static void shorter_than_the_least_round_trip(void **state)
{
	struct rate_sampler rate = { 0 };
	struct rate_snapshot kept = rate_on_sent(&rate, AT_MS(1000), true);
	struct rate_sample sample = rate_on_delivered(&rate, AT_MS(1004), 1000, &kept, AT_MS(1000), DURATION_MS(5));

	(void)state;
	assert_int_equal(sample.interval.ns, 0);
	assert_int_equal(rate_bytes_per_s(&sample), 0);
	assert_int_equal(rate.delivered, 1000); /* delivered it was all the same */
}

/* What is sent while there was nothing to send is marked, until all that was in flight then is delivered. */
static void app_limited_marks(void **state)
{
	struct rate_sampler rate = { 0 };
	struct rate_snapshot before = rate_on_sent(&rate, AT_MS(1000), true), marked, after;

	(void)state;
	rate_app_limited(&rate, 1000);
	marked = rate_on_sent(&rate, AT_MS(1001), false);
	assert_false(rate_on_delivered(&rate, AT_MS(1010), 1000, &before, AT_MS(1000), DURATION_MS(0)).app_limited);
	assert_true(rate_on_delivered(&rate, AT_MS(1011), 1000, &marked, AT_MS(1001), DURATION_MS(0)).app_limited);
	after = rate_on_sent(&rate, AT_MS(1012), false);
	assert_false(rate_on_delivered(&rate, AT_MS(1020), 1000, &after, AT_MS(1012), DURATION_MS(0)).app_limited);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantum),
		cmocka_unit_test(rate_is_kept),
		cmocka_unit_test(idle_time_is_not_saved_up),
		cmocka_unit_test(steady_flow),
		cmocka_unit_test(the_slower_of_both_counts),
		cmocka_unit_test(shorter_than_the_least_round_trip),
		cmocka_unit_test(app_limited_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
