/* Time series: from the shards' queues to rows, with names, and the views that compare algorithms. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct stack_sample make_sample(uint64_t connection, int64_t at_ns)
{
	return (struct stack_sample){
		.connection_id = connection,
		.at = { at_ns },
		.congestion = 1,
		.ca_state = 1,
		.cwnd = 30000,
		.ssthresh = UINT32_MAX,
		.inflight = 20000,
		.snd_wnd = 65535,
		.rcv_wnd = 4096,
		.retransmits = 3,
		.delivery_bytes_per_s = 1000000,
		.bytes_acked = 12345,
		.srtt_ns = 1500000,
	};
}

static void samples_become_rows(void **state)
{
	struct place *place = *state;
	struct audit *audit = place_open(place);
	struct stack_sample samples[2] = { make_sample(7, 1000), make_sample(7, 2000) };
	int64_t offset = audit_wall_offset_ns(audit);
	char expected[512];

	assert_int_equal(audit_start(audit), 0);
	samples[0].output_count = 1;
	samples[0].output[0] = 2.5;
	samples[1].has_shadow = true;
	samples[1].shadow = 2;
	samples[1].shadow_cwnd = 15000;
	samples[1].shadow_ssthresh = 14000;
	samples[1].shadow_output_count = 2;
	samples[1].shadow_output[1] = -1;
	assert_int_equal(audit_name_congestion(audit, 2, "later"), 0);
	assert_int_equal(audit_name_output(audit, 1, 0, "w_max"), 0);
	assert_int_equal(audit_name_output(audit, 2, 1, "alpha"), 0);
	assert_int_equal(audit_drain(audit, DURATION_S(10)), 0);
	assert_int_equal(audit_put_samples(audit, 0, samples, 2), 2);
	assert_int_equal(audit_stop(audit, DURATION_S(10)), 0);
	snprintf(expected, sizeof(expected),
	         "7|%lld|cubic|recovery|30000||20000|3||1000000|1500000||||\n"
	         "7|%lld|cubic|recovery|30000||20000|3||1000000|1500000|later|15000|14000|\n",
	         (long long)(1000 + offset), (long long)(2000 + offset));
	assert_string_equal(place_query(place, "SELECT connection, time, congestion, phase, cwnd, ssthresh, inflight,"
	                                       " retransmits, pacing, delivery_rate, srtt, shadow, shadow_cwnd,"
	                                       " shadow_ssthresh, shadow_pacing FROM sample ORDER BY time"),
	                    expected);
	assert_string_equal(
	        place_query(place, "SELECT connection, algorithm, name, value FROM outputs ORDER BY sample"),
	        "7|cubic|w_max|2.5\n7|later|alpha|-1.0\n");
	assert_string_equal(place_query(place, "SELECT srtt_ms, length(time) FROM samples"), "1.5|27\n1.5|27\n");
	assert_string_equal(place_query(place, "SELECT * FROM shadow_comparison"),
	                    "7|cubic|later|1|30000|15000|0.5|15000|15000\n");
	audit_free(audit);
}

/* One name twice: a version in shadow of another one, or what was in shadow has taken over. */
static void an_algorithm_may_be_its_own_shadow(void **state)
{
	struct place *place = *state;
	struct audit *audit = place_open(place);
	struct stack_sample sample = make_sample(7, 1000);
	struct audit_status status;

	assert_int_equal(audit_start(audit), 0);
	sample.has_shadow = true;
	sample.shadow = sample.congestion;
	sample.output_count = sample.shadow_output_count = 1;
	sample.output[0] = 2.5;
	sample.shadow_output[0] = (double)-INFINITY;
	assert_int_equal(audit_name_output(audit, 1, 0, "w_max"), 0);
	assert_int_equal(audit_drain(audit, DURATION_S(10)), 0);
	assert_int_equal(audit_put_samples(audit, 0, &sample, 1), 1);
	assert_int_equal(audit_stop(audit, DURATION_S(10)), 0);
	audit_status(audit, &status);
	assert_int_equal(status.samples, 1);
	assert_string_equal(place_query(place, "SELECT shadow, algorithm, name, value FROM outputs ORDER BY shadow"),
	                    "0|cubic|w_max|2.5\n1|cubic|w_max|\n");
	audit_free(audit);
}

/* Whatever is wrong with samples must not hold up transitions. */
static void samples_stop_nothing(void **state)
{
	struct place *place = *state;
	struct audit *audit = place_open(place);
	struct stack_sample sample = make_sample(1, 5);

	sample.output_count = 2;
	assert_int_equal(audit_start(audit), 0);
	assert_int_equal(audit_name_output(audit, 1, 0, "same"), 0);
	assert_int_equal(audit_name_output(audit, 1, 1, "same"), 0);
	assert_int_equal(audit_drain(audit, DURATION_S(10)), 0);
	assert_int_equal(audit_put_samples(audit, 0, &sample, 1), 1);
	write_steps(audit, 1, life_passive, 0, life_passive_steps);
	assert_int_equal(audit_stop(audit, DURATION_S(10)), 0);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM transition"), life_passive_steps);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM sample_output"), 1);
	audit_free(audit);
}

/* What does not fit is counted; what was taken is stored, whatever else waits. */
static void too_many_are_counted(void **state)
{
	struct place *place = *state;
	struct audit *audit = place_open(place);
	struct stack_sample sample = make_sample(1, 5);
	struct audit_status status;
	uint64_t taken = 0;

	for (int i = 0; i < 10000; i++) /* nobody takes them yet */
		taken += audit_put_samples(audit, 0, &sample, 1);
	audit_status(audit, &status);
	assert_true(taken > 0 && taken < 10000);
	assert_int_equal(status.samples_lost, 10000 - taken);
	assert_int_equal(audit_start(audit), 0);
	assert_int_equal(audit_stop(audit, DURATION_S(10)), 0);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM sample"), taken);
	audit_free(audit);
}

static void arms_are_compared(void **state)
{
	struct place *place = *state;
	struct audit *audit = place_open(place);

	assert_int_equal(audit_start(audit), 0);
	for (uint64_t id = 1; id <= 4; id++)
		write_steps(audit, id, life_passive, 0, life_passive_steps);
	assert_int_equal(audit_stop(audit, DURATION_S(10)), 0);
	assert_string_equal(place_query(place, "SELECT congestion, connections, bytes_acked > 0, goodput > 0,"
	                                       " retransmission_ratio BETWEEN 0 AND 1 FROM congestion_comparison"),
	                    "cubic|4|1|1|1\n");
	audit_free(audit);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(samples_become_rows),  TEST(an_algorithm_may_be_its_own_shadow),
		TEST(samples_stop_nothing), TEST(too_many_are_counted),
		TEST(arms_are_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
