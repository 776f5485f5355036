/* HyStart++ (RFC 9406) by hand-made rounds, and that CUBIC goes by it. */
#include "flow.h"

#include "../../../plugins/congestion/hystart.h"

static const struct hystart_tuning rfc = {
	.min_thresh = 4000, .max_thresh = 16000, .min_rtt_divisor = 8, .samples = 8, .css_rounds = 5
};

/* A round of `count` ACKs with this round-trip time. */
static enum hystart_phase round_of(struct hystart *hystart, const struct hystart_tuning *tuning, unsigned count,
                                   int64_t rtt)
{
	enum hystart_phase phase = HYSTART_SLOW_START;

	for (unsigned i = 0; i < count && phase != HYSTART_OVER; i++)
		phase = hystart_on_ack(hystart, tuning, i == 0, rtt);
	return phase;
}

/* RttThresh = max(MIN_RTT_THRESH, min(lastRoundMinRTT / MIN_RTT_DIVISOR, MAX_RTT_THRESH)), to the microsecond. */
static void test_threshold(void **state)
{
	static const struct {
		int64_t last, thresh; /* us */
	} rows[] = { { 100, 4000 },    { 31000, 4000 },   { 40000, 5000 },
		     { 80000, 10000 }, { 128000, 16000 }, { 500000, 16000 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int64_t less = 1; less >= 0; less--) {
			struct hystart hystart = { 0 };

			assert_int_equal(round_of(&hystart, &rfc, 8, rows[i].last * 1000), HYSTART_SLOW_START);
			assert_int_equal(round_of(&hystart, &rfc, 8, (rows[i].last + rows[i].thresh - less) * 1000),
			                 less ? HYSTART_SLOW_START : HYSTART_CSS);
		}
	}
}

/* No judgement without N_RTT_SAMPLE measurements, of this round; and the least of them counts. */
static void test_samples(void **state)
{
	struct hystart hystart = { 0 };

	(void)state;
	round_of(&hystart, &rfc, 8, 50 * MS);
	assert_int_equal(round_of(&hystart, &rfc, 7, 90 * MS), HYSTART_SLOW_START);
	assert_int_equal(hystart_on_ack(&hystart, &rfc, false, -1), HYSTART_SLOW_START);
	assert_int_equal(hystart_on_ack(&hystart, &rfc, false, 90 * MS), HYSTART_CSS);

	hystart = (struct hystart){ 0 };
	round_of(&hystart, &rfc, 8, 50 * MS);
	hystart_on_ack(&hystart, &rfc, true, 51 * MS);
	assert_int_equal(round_of(&hystart, &rfc, 0, 0), HYSTART_SLOW_START);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(hystart_on_ack(&hystart, &rfc, false, 90 * MS), HYSTART_SLOW_START);

	/* nothing to compare with: a round before in which nothing was measured */
	hystart = (struct hystart){ 0 };
	assert_int_equal(round_of(&hystart, &rfc, 20, 90 * MS), HYSTART_SLOW_START);
	round_of(&hystart, &rfc, 20, -1);
	assert_int_equal(round_of(&hystart, &rfc, 20, 900 * MS), HYSTART_SLOW_START);
}

/* CSS lasts CSS_ROUNDS rounds, that in which it began included. */
static void test_css_rounds(void **state)
{
	struct hystart hystart = { 0 };

	(void)state;
	round_of(&hystart, &rfc, 8, 50 * MS);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(round_of(&hystart, &rfc, 20, 70 * MS + i), HYSTART_CSS);
	assert_int_equal(round_of(&hystart, &rfc, 1, 70 * MS), HYSTART_OVER);
}

/* A shorter round trip: it was jitter. Then all begins anew, from that round. */
static void test_jitter(void **state)
{
	struct hystart hystart = { 0 };

	(void)state;
	round_of(&hystart, &rfc, 8, 50 * MS);
	assert_int_equal(round_of(&hystart, &rfc, 8, 70 * MS), HYSTART_CSS);
	assert_int_equal(round_of(&hystart, &rfc, 7, 60 * MS), HYSTART_CSS); /* too few */
	assert_int_equal(hystart_on_ack(&hystart, &rfc, false, 71 * MS), HYSTART_SLOW_START);
	assert_int_equal(round_of(&hystart, &rfc, 8, 67 * MS), HYSTART_SLOW_START); /* 60 / 8 = 7.5 */
	assert_int_equal(round_of(&hystart, &rfc, 8, 80 * MS), HYSTART_CSS);
	for (unsigned i = 1; i < 5; i++)
		assert_int_equal(round_of(&hystart, &rfc, 8, 80 * MS), HYSTART_CSS);
	assert_int_equal(round_of(&hystart, &rfc, 8, 80 * MS), HYSTART_OVER);
}

/* In CUBIC: doubling, then a quarter of it for each of five rounds, then congestion avoidance from there. */
static void test_cubic(void **state)
{
	struct flow flow;
	uint64_t before;

	(void)state;
	flow_defaults(&flow);
	flow_begin(&flow, 50 * MS);
	flow_round(&flow);
	flow_round(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 40 * MSS);
	assert_true(flow_output(&flow, "css_round") == 0 && flow_output(&flow, "round_min_rtt") == 50e6);
	flow.rtt = 60 * MS;
	flow_round(&flow); /* the first eight ACKs grow it by as much as ever, the other 32 by a quarter */
	assert_int_equal(flow.decision.cwnd_bytes, 40 * MSS + 7 * MSS + 33 * MSS / 4);
	assert_true(flow_output(&flow, "css_round") == 1);
	for (unsigned i = 2; i <= 5; i++) {
		before = flow.decision.cwnd_bytes;
		flow_round(&flow);
		assert_true(flow_output(&flow, "css_round") == i);
		assert_true(flow.decision.cwnd_bytes <= before * 5 / 4 &&
		            flow.decision.cwnd_bytes > before * 5 / 4 - 200);
	}
	before = flow.decision.cwnd_bytes;
	flow_ack(&flow, 0);
	flow_round(&flow);
	assert_int_equal(flow.decision.ssthresh_bytes, before);
	assert_true(flow.decision.cwnd_bytes < before + 3 * MSS);
	assert_true(flow_output(&flow, "css_round") == 0 && flow_output(&flow, "k") == 0);
	assert_true(flow_output(&flow, "w_max") > 0);

	/* not in later slow starts (RFC 9406 section 4.3) */
	flow_event(&flow, TAPSTACK_CC_RTO);
	flow_event(&flow, TAPSTACK_CC_RECOVERED);
	for (unsigned i = 0; i < 3; i++) {
		flow.rtt += 40 * MS;
		flow_round(&flow);
	}
	assert_int_equal(flow.decision.cwnd_bytes, 8 * MSS);
}

/* What is undone in the first slow start goes on with it, and with nothing of what HyStart++ knew in CUBIC's curve.
 */
static void test_undo(void **state)
{
	struct flow flow;

	(void)state;
	flow_defaults(&flow);
	flow_begin(&flow, 50 * MS);
	flow_round(&flow);
	flow_event(&flow, TAPSTACK_CC_LOSS);
	assert_true(flow_output(&flow, "k") == 0 && flow_output(&flow, "w_est") == 0);
	assert_true(flow_output(&flow, "w_max") == 20 * MSS);
	flow_event(&flow, TAPSTACK_CC_UNDO);
	assert_int_equal(flow.decision.cwnd_bytes, 20 * MSS);
	assert_true(flow.decision.ssthresh_bytes == UINT64_MAX);
	flow_round(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 40 * MSS);
	flow.rtt = 60 * MS;
	flow_round(&flow);
	assert_true(flow_output(&flow, "css_round") == 1);
	/* an idle time: what it knew is of another time */
	flow_event(&flow, TAPSTACK_CC_IDLE_RESTART);
	assert_int_equal(flow.decision.cwnd_bytes, 10 * MSS);
	flow.rtt = 90 * MS;
	flow_round(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 20 * MSS);
}

static void test_move(void **state)
{
	struct flow flow, stays;

	(void)state;
	flow_defaults(&flow);
	flow_begin(&flow, 100 * MS);
	flow_round(&flow);
	flow_move(&flow); /* in the first slow start */
	flow_round(&flow);
	assert_int_equal(flow.decision.cwnd_bytes, 40 * MSS);
	flow_event(&flow, TAPSTACK_CC_LOSS);
	flow_event(&flow, TAPSTACK_CC_RECOVERED);
	for (unsigned i = 0; i < 20; i++)
		flow_round(&flow);
	stays = flow;
	flow_move(&flow); /* on the curve */
	for (unsigned i = 0; i < 50; i++) {
		flow_round(&flow);
		flow_round(&stays);
	}
	assert_true(flow_segments(&flow) > 40 && flow_segments(&flow) - flow_segments(&stays) < 0.1 &&
	            flow_segments(&stays) - flow_segments(&flow) < 0.1);
	flow_event(&flow, TAPSTACK_CC_LOSS);
	stays = flow;
	flow_move(&flow); /* with something to undo */
	flow_event(&flow, TAPSTACK_CC_UNDO);
	flow_event(&stays, TAPSTACK_CC_UNDO);
	assert_int_equal(flow.decision.cwnd_bytes, stays.decision.cwnd_bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threshold), cmocka_unit_test(test_samples), cmocka_unit_test(test_css_rounds),
		cmocka_unit_test(test_jitter),    cmocka_unit_test(test_cubic),   cmocka_unit_test(test_undo),
		cmocka_unit_test(test_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
