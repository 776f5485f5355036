/* The host of congestion algorithms: what it makes of decisions that no algorithm should make, of algorithms that
 * refuse, of state too large for the record; and pacing. */
#include "../../support/peer.h"

static const struct tcp_options none = { 0 };

/* An algorithm whose decisions the test makes up. */
static struct tapstack_cc_decision wanted;
static int refuses, inits;
static struct tapstack_cc_sample seen;

static int rogue_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                      struct tapstack_cc_decision *decision)
{
	(void)env;
	(void)params;
	(void)decision;
	inits++;
	*(uint8_t *)state = 0x77;
	return refuses ? -1 : 0;
}

static void rogue_on_ack(void *state, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	assert_int_equal(*(uint8_t *)state, 0x77);
	seen = *sample;
	*decision = wanted;
}

static void rogue_on_event(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
                           struct tapstack_cc_decision *decision)
{
	(void)event;
	rogue_on_ack(state, sample, decision);
}

static struct tapstack_cc_ops rogue_ops = {
	.struct_size = sizeof(rogue_ops),
	.state_size = 8,
	.init = rogue_init,
	.on_ack = rogue_on_ack,
	.on_event = rogue_on_event,
};
static const struct stack_congestion rogue = {
	.name = "rogue", .id = 9, .ops = &rogue_ops, .params = { .struct_size = sizeof(struct tapstack_params) }
};

static void with_rogue(struct stack_config *config)
{
	config->congestion_default = &rogue;
}

static int begin(void **state)
{
	(void)state;
	wanted = (struct tapstack_cc_decision){ .cwnd_bytes = 50000, .ssthresh_bytes = UINT64_MAX };
	rogue_ops.state_size = 8;
	refuses = inits = 0;
	return 0;
}

/* One segment sent and acknowledged: one decision. */
static uint32_t exchange(struct peer *p, uint32_t position)
{
	service_sends(p, 100);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(position + 100) });
	return position + 100;
}

static struct stack_conn_info info_of(struct peer *p)
{
	struct stack_conn_info info;

	assert_int_equal(stack_info(p->stack, p->conn, &info), 0);
	return info;
}

static void decisions_are_kept_in_bounds(void **state)
{
	static const struct {
		struct tapstack_cc_decision wanted;
		uint64_t cwnd, ssthresh, pacing;
		bool offends;
	} cases[] = {
		{ { 50000, 30000, 0, 0, 0 }, 50000, 30000, 0, false },
		{ { 50000, UINT64_MAX, 0, 0, 0 }, 50000, UINT64_MAX, 0, false },
		{ { 0, 30000, 0, 0, 0 }, 536, 30000, 0, true },
		{ { 535, 30000, 0, 0, 0 }, 536, 30000, 0, true },
		{ { 536, 0, 0, 0, 0 }, 536, 536, 0, false },
		{ { UINT64_MAX, 30000, 0, 0, 0 }, 1u << 30, 30000, 0, false },
		{ { 50000, 30000, 1, 0, 0 }, 50000, 30000, 53600, true }, /* a segment in 10 ms */
		{ { 50000, 30000, 1000000, 0, 0 }, 50000, 30000, 1000000, false },
	};
	struct peer *p = peer_start(with_rogue);
	uint32_t at = 1, offences = 0;

	(void)state;
	peer_establishes(p, none);
	assert_string_equal(info_of(p).congestion, "rogue");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		wanted = cases[i].wanted;
		at = exchange(p, at);
		offences += cases[i].offends;
		assert_int_equal(info_of(p).cwnd, cases[i].cwnd);
		assert_int_equal(info_of(p).ssthresh, cases[i].ssthresh);
		assert_int_equal(info_of(p).pacing_rate, cases[i].pacing);
		assert_int_equal(stack_get_counters(p->stack)->congestion_offences, offences);
		peer_waits(p, DURATION_MS(190)); /* what was paced is out, and it is too soon for an idle restart */
	}
	peer_stop(p);
}

static void offender_is_replaced(void **state)
{
	struct peer *p = peer_start(with_rogue);
	uint32_t at = 1;

	(void)state;
	peer_establishes(p, none);
	wanted.cwnd_bytes = 0;
	for (int i = 0; i < 7; i++)
		at = exchange(p, at);
	assert_string_equal(info_of(p).congestion, "rogue");
	at = exchange(p, at);
	assert_string_equal(info_of(p).congestion, "reno");
	exchange(p, at);
	assert_true(info_of(p).cwnd >= 536);
	peer_stop(p);
}

static void refusal_leaves_reno(void **state)
{
	struct peer *p = peer_start(with_rogue);

	(void)state;
	refuses = 1;
	peer_establishes(p, none);
	assert_int_equal(inits, 1);
	assert_string_equal(info_of(p).congestion, "reno");
	exchange(p, 1);
	peer_stop(p);
}

/* State that does not fit the record lives outside, and goes with the connection. */
static void large_state(void **state)
{
	struct stack_gauges before, after;
	struct peer *p;

	(void)state;
	rogue_ops.state_size = 1000;
	p = peer_start(with_rogue);
	peer_establishes(p, none);
	assert_string_equal(info_of(p).congestion, "rogue");
	stack_get_gauges(p->stack, &before);
	exchange(p, 1);
	stack_abort(p->stack, p->conn);
	peer_turn(p);
	peer_ignores_rest(p);
	stack_get_gauges(p->stack, &after);
	assert_true(after.memory_bytes < before.memory_bytes + 1000000);
	peer_stop(p); /* counts what is out */
}

static void no_memory_for_large_state(void **state)
{
	struct peer *p;

	(void)state;
	rogue_ops.state_size = 1000;
	p = peer_start(with_rogue);
	peer_establishes(p, none); /* so that pools have what they need */
	stack_abort(p->stack, p->conn);
	peer_turn(p);
	peer_ignores_rest(p);
	test_memory_fail_after(&p->memory, 0);
	peer_establishes(p, none);
	test_memory_fail_never(&p->memory);
	assert_string_equal(info_of(p).congestion, "reno");
	peer_stop(p);
}

/* 100 bytes each at 10000 bytes a second. */
static void pacing(void **state)
{
	struct peer *p = peer_start(with_rogue);
	uint32_t sent;

	(void)state;
	peer_establishes(p, (struct tcp_options){ .has_mss = true, .mss = 100 });
	wanted.pacing_bytes_per_s = 10000;
	exchange(p, 1);
	peer_waits(p, DURATION_S(1));
	service_sends(p, 1000);
	assert_int_equal(p->frame_count - p->frame_first, 2); /* no burst is shorter */
	peer_waits(p, DURATION_MS(45));                       /* before the retransmission timer speaks */
	sent = p->frame_count - p->frame_first;
	assert_in_range(sent, 5, 6);
	peer_ignores_rest(p);
	peer_stop_anyhow(p);
}

static void sample_tells_what_happened(void **state)
{
	struct peer *p = peer_start(with_rogue);

	(void)state;
	peer_establishes(p, none);
	service_sends(p, 1000);
	peer_ignores_rest(p);
	peer_waits(p, DURATION_MS(50));
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(537) });
	assert_int_equal(seen.acked_bytes, 536);
	assert_int_equal(seen.delivered_bytes, 536);
	assert_int_equal(seen.inflight_before_bytes, 1000);
	assert_int_equal(seen.inflight_bytes, 464);
	assert_int_equal(seen.mss_bytes, 536);
	assert_int_equal(seen.rtt_ns, DURATION_MS(50).ns);
	assert_true(seen.round_start);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1001) });
	assert_int_equal(seen.acked_bytes, 464);
	assert_int_equal(seen.inflight_bytes, 0);
	peer_stop(p);
}

/* A time-out that was none leaves nothing behind: slow start goes on as before it, for all that an ACK tells of. */
static void reno_forgets_a_spurious_timeout(void **state)
{
	const struct tapstack_cc_ops *ops = stack_builtin_reno()->ops;
	const struct tapstack_cc_env env = { .struct_size = sizeof(env),
		                             .mss_bytes = 1000,
		                             .initial_cwnd_bytes = 10000 };
	struct tapstack_cc_sample sample = {
		.struct_size = sizeof(sample), .mss_bytes = 1000, .cwnd_limited = 1, .inflight_before_bytes = 20000
	};
	struct tapstack_cc_decision decision = { .cwnd_bytes = 20000, .ssthresh_bytes = UINT64_MAX };
	uint64_t reno[16] = { 0 };

	(void)state;
	assert_true(ops->state_size <= sizeof(reno));
	assert_int_equal(ops->init(reno, &env, &stack_builtin_reno()->params, &decision), 0);
	ops->on_event(reno, TAPSTACK_CC_RTO, &sample, &decision);
	assert_int_equal(decision.cwnd_bytes, 1000);
	ops->on_event(reno, TAPSTACK_CC_UNDO, &sample, &decision);
	assert_int_equal(decision.cwnd_bytes, 20000);
	sample.acked_bytes = sample.delivered_bytes = 5000;
	ops->on_ack(reno, &sample, &decision);
	assert_int_equal(decision.cwnd_bytes, 25000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(decisions_are_kept_in_bounds, begin),
		cmocka_unit_test_setup(offender_is_replaced, begin),
		cmocka_unit_test_setup(refusal_leaves_reno, begin),
		cmocka_unit_test_setup(large_state, begin),
		cmocka_unit_test_setup(no_memory_for_large_state, begin),
		cmocka_unit_test_setup(pacing, begin),
		cmocka_unit_test_setup(sample_tells_what_happened, begin),
		cmocka_unit_test(reno_forgets_a_spurious_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
