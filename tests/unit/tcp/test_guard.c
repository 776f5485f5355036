/* Guard rails: what is an offence, when there are too many, and what becomes of the connection then. */
#include "algorithms.h"
#include "core/tcp/guard.h"

static struct puppet bad;
static struct tapstack_cc_ops bad_ops;
static int64_t clock_ns, callback_ns;

/* A clock that shows how long each callback is to take: begun and ended by turns. */
static int64_t stopwatch(void)
{
	return clock_ns += callback_ns;
}

static void with_bad(struct stack_config *config)
{
	config->congestion_default = &bad.congestion;
	config->tcp.cwnd_validation = false;
	config->stopwatch = stopwatch;
}

static int begin(void **state)
{
	(void)state;
	puppet_make(&bad, &bad_ops, "bad", 5, 100);
	bad_ops.on_sent = NULL; /* one callback for each ACK */
	clock_ns = callback_ns = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_int_equal(bad.users, 0);
	return 0;
}

/* ---- the value type ----------------------------------------------------------------------------------------------
 */

static void bounds(void **state)
{
	static const struct tapstack_cc_decision before = { 20000, 10000, 500000, 0, 0 };
	static const struct {
		struct tapstack_cc_decision asked, got;
		unsigned offences;
	} table[] = {
		{ { 20000, 10000, 500000, 0, 0 }, { 20000, 10000, 500000, 0, 0 }, 0 },
		{ { 1000, 1000, 0, 7, 0 }, { 1000, 1000, 0, 7, 0 }, 0 },
		{ { 999, 10000, 0, 0, 0 }, { 1000, 10000, 0, 0, 0 }, STACK_OFFENCE_WINDOW },
		{ { 0, 0, 0, 0, 0 }, { 1000, 1000, 0, 0, 0 }, STACK_OFFENCE_WINDOW },
		{ { UINT64_MAX, UINT64_MAX, 0, 0, 0 }, { 1u << 30, UINT64_MAX, 0, 0, 0 }, 0 },
		{ { 20000, (1u << 30) + 1, 0, 0, 0 }, { 20000, UINT64_MAX, 0, 0, 0 }, 0 },
		{ { 20000, 10000, 50000, 0, 0 }, { 20000, 10000, 50000, 0, 0 }, 0 },
		{ { 20000, 10000, 49999, 0, 0 }, { 20000, 10000, 50000, 0, 0 }, STACK_OFFENCE_PACING },
		{ { 20000, 10000, UINT64_MAX, 0, 0 }, { 20000, 10000, 1ull << 40, 0, 0 }, 0 },
		{ { 1, 10000, 1, 0, 0 }, { 1000, 10000, 50000, 0, 0 }, STACK_OFFENCE_WINDOW | STACK_OFFENCE_PACING },
	};
	struct tapstack_cc_decision same = { 400, 400, 400, 0, 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct tapstack_cc_decision decision = table[i].asked;

		assert_int_equal(guard_bound(&decision, &before, 1000, DURATION_MS(20)), table[i].offences);
		assert_memory_equal(&decision, &table[i].got, sizeof(decision));
	}
	assert_int_equal(guard_pacing_floor(1000, DURATION_MS(0)), 1000);
	assert_int_equal(guard_pacing_floor(1000, DURATION_US(50)), 100000);
	/* The bounds have moved, not the decision. */
	assert_int_equal(
	        guard_bound(&same, &(struct tapstack_cc_decision){ 400, 400, 400, 0, 0 }, 1000, DURATION_MS(20)), 0);
	assert_int_equal(same.cwnd_bytes, 1000);
	assert_int_equal(same.pacing_bytes_per_s, 50000);
}

static void slowness_is_forgotten(void **state)
{
	static const struct tapstack_cc_decision any = { 0 };
	struct guard guard = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++) { /* interrupted now and then: as often as is forgiven */
		assert_false(guard_note(&guard, STACK_OFFENCE_TIME, &any, DURATION_MS(1)));
		for (int n = 0; n < GUARD_FORGIVES; n++)
			guard_forgive(&guard);
		assert_int_equal(guard.slow, 0);
	}
	for (int i = 0; i < 7; i++) {
		assert_false(guard_note(&guard, STACK_OFFENCE_TIME, &any, DURATION_MS(i)));
		for (int n = 0; n < GUARD_FORGIVES - 1; n++)
			guard_forgive(&guard);
	}
	assert_true(guard_note(&guard, STACK_OFFENCE_TIME, &any, DURATION_MS(0)));
	assert_int_equal(guard.longest.ns, DURATION_MS(6).ns);
	guard = (struct guard){ 0 };
	for (int i = 0; i < 7; i++) {
		assert_false(guard_note(&guard, STACK_OFFENCE_WINDOW, &any, DURATION_MS(0)));
		for (int n = 0; n < 10 * GUARD_FORGIVES; n++)
			guard_forgive(&guard);
	}
	assert_true(guard_note(&guard, STACK_OFFENCE_WINDOW, &any, DURATION_MS(0)));
}

/* ---- on connections ----------------------------------------------------------------------------------------------
 */

/* One segment there, its ACK back: a callback. */
static uint32_t exchange(struct peer *p, uint32_t position)
{
	service_sends(p, MSS);
	peer_ignores_rest(p);
	peer_waits(p, RTT);
	peer_ignores_rest(p);
	acks(p, position + MSS);
	return position + MSS;
}

static struct stack_notice expect_notice(struct peer *p)
{
	struct stack_notice notice;

	assert_true(stack_next_notice(p->stack, &notice));
	assert_int_equal(notice.connection_id, peer_info(p).id);
	return notice;
}

static void the_eighth_offence_is_the_last(void **state)
{
	struct peer *p = sending(with_bad, sacking, 0);
	struct stack_notice notice;
	uint32_t at = 2001;

	(void)state;
	for (int i = 1; i <= 7; i++) {
		bad.wanted = (struct tapstack_cc_decision){ .cwnd_bytes = (uint64_t)(100 - i),
			                                    .ssthresh_bytes = 5,
			                                    .pacing_bytes_per_s = i == 3 };
		at = exchange(p, at);
		assert_string_equal(peer_info(p).congestion, "bad");
		assert_int_equal(peer_info(p).cwnd, MSS);
		assert_int_equal(peer_info(p).congestion_offences, i);
	}
	assert_false(stack_next_notice(p->stack, &notice));
	at = exchange(p, at);
	assert_string_equal(peer_info(p).congestion, "reno");
	assert_int_equal(peer_info(p).congestion_offences, 0);
	assert_int_equal(bad.users, 2); /* the default, and the listener */
	notice = expect_notice(p);
	assert_int_equal(notice.kind, STACK_NOTICE_CONGESTION_OFFENCES);
	assert_int_equal(notice.from, 5);
	assert_int_equal(notice.to, 0);
	assert_int_equal(notice.offences, STACK_OFFENCE_WINDOW | STACK_OFFENCE_PACING);
	assert_int_equal(notice.count, 8);
	assert_int_equal(notice.cwnd_wanted, 93);
	assert_int_equal(notice.pacing_wanted, 1);
	assert_int_equal(notice.longest.ns, 0);
	assert_false(notice.shadow);
	assert_int_equal(counters(p).congestion_offences, 8);
	/* Reno begins with what a new connection does, and grows from there. */
	assert_int_equal(peer_info(p).cwnd, 10 * MSS);
	assert_int_equal(peer_info(p).ssthresh, UINT64_MAX);
	assert_int_equal(peer_info(p).pacing_rate, 0);
	service_sends(p, 10 * MSS);
	expect_run(p, at, 10);
	peer_stop_anyhow(p);
}

/* An offender that had blown its window up leaves Reno no more than is out. */
static void what_was_blown_up_is_not_kept(void **state)
{
	struct peer *p = sending(with_bad, sacking, 0);
	uint32_t at = 2001;

	(void)state;
	bad.wanted = (struct tapstack_cc_decision){ .cwnd_bytes = 1u << 30, .ssthresh_bytes = UINT64_MAX };
	for (uint64_t i = 0; i < 8; i++) {
		bad.wanted.pacing_bytes_per_s = 1 + i;
		at = exchange(p, at);
	}
	assert_string_equal(peer_info(p).congestion, "reno");
	assert_int_equal(peer_info(p).cwnd, 10 * MSS);
	peer_stop_anyhow(p);
}

/* Not each callback is timed as long as all are well. */
static uint32_t until_slowness_is_seen(struct peer *p, uint32_t at)
{
	int callbacks = 0;

	while (peer_info(p).congestion_offences == 0) {
		assert_true(callbacks++ < 16);
		at = exchange(p, at);
	}
	return at;
}

static void slow_callbacks_are_offences(void **state)
{
	struct peer *p;
	struct stack_notice notice;
	uint32_t at = 2001;

	(void)state;
	callback_ns = 100000; /* just the budget */
	p = sending(with_bad, sacking, 0);
	for (int i = 0; i < 20; i++)
		at = exchange(p, at);
	assert_string_equal(peer_info(p).congestion, "bad");
	assert_int_equal(counters(p).congestion_offences, 0);
	callback_ns = 100001;
	at = until_slowness_is_seen(p, at);
	for (int i = 0; i < 6; i++)
		at = exchange(p, at);
	assert_string_equal(peer_info(p).congestion, "bad");
	assert_int_equal(peer_info(p).congestion_offences, 7);
	at = exchange(p, at);
	assert_string_equal(peer_info(p).congestion, "reno");
	notice = expect_notice(p);
	assert_int_equal(notice.offences, STACK_OFFENCE_TIME);
	assert_int_equal(notice.longest.ns, 100001);
	clock_ns = 0;
	exchange(p, at);
	assert_int_equal(clock_ns, 0); /* what is built in is not timed */
	peer_stop_anyhow(p);
}

static void one_slow_callback_in_a_hundred_is_none(void **state)
{
	struct peer *p = sending(with_bad, sacking, 0);
	uint32_t at = 2001;

	(void)state;
	for (int i = 0; i < 1200; i++) {
		callback_ns = i % 100 == 0 ? 5000000 : 1000;
		at = exchange(p, at);
	}
	assert_string_equal(peer_info(p).congestion, "bad");
	assert_in_range(counters(p).congestion_offences, 1, 12); /* who is timely again is not timed each time */
	peer_stop_anyhow(p);
}

/* Of callbacks that come by turns each is timed now and then, and few of them all: it costs more than they do. */
static void some_callbacks_are_timed(void **state)
{
	struct peer *p;
	uint32_t at = 2001;
	int64_t before;

	(void)state;
	bad_ops.on_sent = puppet_on_sent;
	p = sending(with_bad, sacking, 0); /* on_sent and on_ack by turns */
	callback_ns = 1;
	before = clock_ns;
	for (int i = 0; i < 100; i++)
		at = exchange(p, at);
	assert_in_range(clock_ns - before, 2 * 10, 2 * 30);
	peer_stop_anyhow(p);
}

static void slow_on_sent(void *memory, int64_t now_ns, uint64_t bytes, uint64_t inflight_bytes,
                         struct tapstack_cc_decision *decision)
{
	puppet_on_sent(memory, now_ns, bytes, inflight_bytes, decision);
	clock_ns += 1000000;
}

static void slow_on_ack(void *memory, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	puppet_on_ack(memory, sample, decision);
	clock_ns += 1000000;
}

/* One that is slow each time is found out, whichever of them it is. */
static void each_kind_of_callback_is_timed(void **state)
{
	(void)state;
	for (int slow = 0; slow < 2; slow++) {
		struct peer *p;
		uint32_t at = 2001;

		begin(NULL);
		bad_ops.on_sent = slow == 0 ? slow_on_sent : puppet_on_sent;
		bad_ops.on_ack = slow == 1 ? slow_on_ack : puppet_on_ack;
		p = sending(with_bad, sacking, 0);
		for (int i = 0; i < 40; i++)
			at = exchange(p, at);
		assert_string_equal(peer_info(p).congestion, "reno");
		peer_stop_anyhow(p);
		end(NULL);
	}
}

static void slow_outputs(const void *memory, double *values)
{
	puppet_outputs(memory, values);
	clock_ns += 1000000;
}

/* It decides nothing, and is called when samples are taken: there it is timed, too, acting and in shadow. */
static void slow_outputs_are_offences(void **state)
{
	(void)state;
	for (int shadow = 0; shadow < 2; shadow++) {
		struct stack_congestion_change change = { .set_samples = true, .sample_every = { 1000000 } };
		struct stack_notice notice;
		struct peer *p;
		uint32_t at = 2001;

		begin(NULL);
		bad_ops.outputs = slow_outputs;
		p = sending(with_bad, sacking, 0);
		if (shadow) {
			change.congestion = stack_builtin_reno();
			change.set_shadow = true;
			change.shadow = &bad.congestion;
		}
		assert_int_equal(stack_admin_congestion(p->stack, peer_info(p).id, &change), 0);
		for (int i = 0; i < 20; i++)
			at = exchange(p, at);
		assert_string_equal(peer_info(p).congestion, "reno");
		assert_null(peer_info(p).shadow);
		notice = expect_notice(p);
		assert_int_equal(notice.offences, STACK_OFFENCE_TIME);
		assert_int_equal(notice.shadow, shadow);
		assert_int_equal(notice.longest.ns, 1000000);
		peer_stop_anyhow(p);
		end(NULL);
	}
}

static void refusal_gives_a_notice(void **state)
{
	struct peer *p;
	struct stack_notice notice;

	(void)state;
	bad.refuses = 1;
	p = sending(with_bad, sacking, 0);
	assert_string_equal(peer_info(p).congestion, "reno");
	notice = expect_notice(p);
	assert_int_equal(notice.kind, STACK_NOTICE_CONGESTION_REFUSED);
	assert_int_equal(notice.from, 5);
	peer_stop_anyhow(p);
}

/* Few notices are kept; the others are counted. */
static void notices_are_bounded(void **state)
{
	struct peer *p = sending(with_bad, sacking, 0);
	const struct stack_congestion_change to_bad = { .congestion = &bad.congestion };
	struct stack_notice notice;
	uint32_t taken = 0;

	(void)state;
	bad.refuses = 1;
	for (int i = 0; i < 100; i++)
		stack_admin_congestion(p->stack, peer_info(p).id, &to_bad);
	while (stack_next_notice(p->stack, &notice))
		taken++;
	assert_in_range(taken, 10, 99);
	assert_int_equal(taken + counters(p).notices_missed, 100);
	peer_stop_anyhow(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds),
		cmocka_unit_test(slowness_is_forgotten),
		cmocka_unit_test_setup_teardown(the_eighth_offence_is_the_last, begin, end),
		cmocka_unit_test_setup_teardown(what_was_blown_up_is_not_kept, begin, end),
		cmocka_unit_test_setup_teardown(slow_callbacks_are_offences, begin, end),
		cmocka_unit_test_setup_teardown(one_slow_callback_in_a_hundred_is_none, begin, end),
		cmocka_unit_test_setup_teardown(some_callbacks_are_timed, begin, end),
		cmocka_unit_test_setup_teardown(each_kind_of_callback_is_timed, begin, end),
		cmocka_unit_test_setup_teardown(slow_outputs_are_offences, begin, end),
		cmocka_unit_test_setup_teardown(refusal_gives_a_notice, begin, end),
		cmocka_unit_test_setup_teardown(notices_are_bounded, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
