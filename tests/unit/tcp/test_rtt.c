/* The estimator of RFC 6298. */
#include "core/tcp/rtt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MIN DURATION_MS(200)
#define MAX DURATION_S(60)

static struct rtt_estimator begin(void)
{
	struct rtt_estimator rtt;

	rtt_init(&rtt, DURATION_S(1));
	assert_int_equal(rtt.rto.ns, DURATION_S(1).ns); /* (2.1) */
	assert_int_equal(rtt.srtt.ns, 0);
	return rtt;
}

static void samples(void **state)
{
	/* in milliseconds: sample, then SRTT, RTTVAR, RTO by the formulas of section 2 */
	static const struct {
		int64_t sample, srtt_us, rttvar_us, rto_us;
	} steps[] = {
		{ 800, 800000, 400000, 2400000 }, /* (2.2) R, R/2, R + 4 R/2 */
		{ 800, 800000, 300000, 2000000 }, /* (2.3) */
		{ 1600, 900000, 425000, 2600000 },
		{ 100, 800000, 518750, 2875000 },
	};
	struct rtt_estimator rtt = begin();

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		rtt_sample(&rtt, DURATION_MS(steps[i].sample), MIN, MAX);
		assert_int_equal(rtt.srtt.ns, steps[i].srtt_us * 1000);
		assert_int_equal(rtt.rttvar.ns, steps[i].rttvar_us * 1000);
		assert_int_equal(rtt.rto.ns, steps[i].rto_us * 1000);
	}
	assert_int_equal(rtt.min.ns, DURATION_MS(100).ns);
}

static void steady_path_keeps_a_margin(void **state)
{
	struct rtt_estimator rtt = begin();

	(void)state;
	for (int i = 0; i < 1000; i++)
		rtt_sample(&rtt, DURATION_MS(100), MIN, MAX);
	assert_int_equal(rtt.srtt.ns, DURATION_MS(100).ns);
	assert_true(rtt.rto.ns >= DURATION_MS(300).ns); /* the variance term is no less than the minimum */
	assert_true(rtt.rto.ns < DURATION_MS(301).ns);
}

static void extremes(void **state)
{
	struct rtt_estimator rtt = begin();

	(void)state;
	rtt_sample(&rtt, DURATION_S(0), MIN, MAX); /* quicker than the clock */
	assert_true(rtt.srtt.ns > 0 && rtt.min.ns > 0);
	assert_true(rtt.rto.ns >= MIN.ns);
	rtt_sample(&rtt, (struct duration){ -5 }, MIN, MAX);
	assert_true(rtt.srtt.ns > 0 && rtt.min.ns > 0);
	for (int i = 0; i < 100; i++)
		rtt_sample(&rtt, DURATION_S(1000), MIN, MAX);
	assert_int_equal(rtt.rto.ns, MAX.ns);
}

static void back_off(void **state)
{
	struct rtt_estimator rtt = begin();

	(void)state;
	assert_int_equal(rtt_backed_off(&rtt, 0, MAX).ns, DURATION_S(1).ns);
	assert_int_equal(rtt_backed_off(&rtt, 1, MAX).ns, DURATION_S(2).ns);
	assert_int_equal(rtt_backed_off(&rtt, 5, MAX).ns, DURATION_S(32).ns);
	assert_int_equal(rtt_backed_off(&rtt, 6, MAX).ns, MAX.ns);
	assert_int_equal(rtt_backed_off(&rtt, 255, MAX).ns, MAX.ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples),
		cmocka_unit_test(steady_path_keeps_a_margin),
		cmocka_unit_test(extremes),
		cmocka_unit_test(back_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
