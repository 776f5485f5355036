/* Congestion window validation (RFC 7661): the measure of what is in use, and what follows from it. */
#include "../../support/peer.h"
#include "core/tcp/validation.h"

#define MSS 1000
#define AT_MS(n) ((struct instant){ (n)*1000000ll })
#define RTT DURATION_MS(100)

static const struct tcp_options options = {
	.has_mss = true, .mss = MSS, .sack_permitted = true, .has_wscale = true, .wscale = 7
};

static void most_of_a_round_trip(void **state)
{
	struct validation validation = { 0 };

	(void)state;
	assert_int_equal(validation_pipe_ack(&validation, AT_MS(1000), RTT), UINT32_MAX);
	for (int64_t ms = 1000; ms < 2000; ms += 10) /* 10 times 5000 in each round trip */
		validation_acked(&validation, AT_MS(ms), RTT, 5000);
	assert_int_equal(validation_pipe_ack(&validation, AT_MS(2000), RTT), 50000);
	for (int64_t ms = 2000; ms < 2600; ms += 10) /* less now; the maximum of the last second stays */
		validation_acked(&validation, AT_MS(ms), RTT, 100);
	assert_int_equal(validation_pipe_ack(&validation, AT_MS(2400), RTT), 50000);
	for (int64_t ms = 2600; ms < 4000; ms += 10)
		validation_acked(&validation, AT_MS(ms), RTT, 100);
	assert_int_equal(validation_pipe_ack(&validation, AT_MS(4000), RTT), 1000);
	assert_int_equal(validation_pipe_ack(&validation, AT_MS(60000), RTT), 0);
}

static void phases(void **state)
{
	struct validation validation = { 0 };

	(void)state;
	validation_look(&validation, AT_MS(1000), RTT, 100000);
	assert_false(validation.not_validated); /* undefined */
	for (int64_t ms = 1000; ms < 2000; ms += 10)
		validation_acked(&validation, AT_MS(ms), RTT, 5000);
	validation_look(&validation, AT_MS(2000), RTT, 100000);
	assert_false(validation.not_validated);
	validation_look(&validation, AT_MS(2000), RTT, 100002);
	assert_true(validation.not_validated);
	assert_false(validation_expires(&validation, AT_MS(301000)));
	assert_true(validation_expires(&validation, AT_MS(302000)));
	assert_false(validation_expires(&validation, AT_MS(302000)));
	assert_true(validation_expires(&validation, AT_MS(602000)));
}

/* ---- in a connection ----------------------------------------------------------------------------------------------
 */

static void no_restart(struct stack_config *config)
{
	config->tcp.idle_restart = false;
	config->tcp.timestamps = false;
	config->tcp.tail_loss_probe = false; /* it would take the waiting of these dialogues for a loss */
}

static void neither(struct stack_config *config)
{
	no_restart(config);
	config->tcp.cwnd_validation = false;
}

/* A connection with a window of some 80 segments, all of it in use until now. */
static struct peer *grown(void (*tweak)(struct stack_config *))
{
	struct peer *p = peer_start(tweak);

	peer_establishes(p, options);
	for (int i = 0; i < 6; i++) {
		service_sends(p, 80 * MSS);
		peer_waits(p, DURATION_MS(20));
		while (peer_info(p).unacked > 0) {
			peer_ignores_rest(p);
			peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = peer_info(p).snd_nxt });
		}
	}
	peer_ignores_rest(p);
	assert_in_range(peer_info(p).cwnd, 40 * MSS, 1000 * MSS);
	return p;
}

static void unused_for_five_minutes(void **state)
{
	struct peer *p = grown(no_restart);
	uint64_t cwnd = peer_info(p).cwnd;

	(void)state;
	peer_waits(p, DURATION_S(290));
	service_sends(p, 1);
	assert_int_equal(peer_info(p).cwnd, cwnd); /* it may still be used */
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = peer_info(p).snd_nxt });
	peer_waits(p, DURATION_S(20));
	service_sends(p, 1);
	assert_int_equal(peer_info(p).cwnd, cwnd / 2);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = peer_info(p).snd_nxt });
	peer_waits(p, DURATION_S(3600)); /* no less than the initial one */
	service_sends(p, 1);
	assert_int_equal(peer_info(p).cwnd, 10 * MSS);
	assert_true(stack_get_counters(p->stack)->cwnd_validations >= 2);
	peer_ignores_rest(p);
	peer_stop_anyhow(p);

	p = grown(neither);
	cwnd = peer_info(p).cwnd;
	peer_waits(p, DURATION_S(3600));
	service_sends(p, 1);
	assert_int_equal(peer_info(p).cwnd, cwnd);
	peer_ignores_rest(p);
	peer_stop_anyhow(p);
}

static struct tapstack_cc_ops ops;
static const struct stack_congestion stubborn = { .name = "stubborn", .id = 4, .ops = &ops };

static int keep_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                     struct tapstack_cc_decision *decision)
{
	(void)state, (void)env, (void)params;
	decision->cwnd_bytes = 100 * MSS;
	return 0;
}

static void keep_ack(void *state, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	(void)state, (void)sample, (void)decision;
}

/* Takes a tenth off, whatever was in use. */
static void keep_event(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
                       struct tapstack_cc_decision *decision)
{
	(void)state, (void)sample;
	if (event == TAPSTACK_CC_LOSS)
		decision->cwnd_bytes = decision->ssthresh_bytes = decision->cwnd_bytes / 10 * 9;
}

static struct tapstack_cc_ops ops = {
	.struct_size = sizeof(ops), .state_size = 8, .init = keep_init, .on_ack = keep_ack, .on_event = keep_event
};

static void with_stubborn(struct stack_config *config)
{
	no_restart(config);
	config->congestion_default = &stubborn;
}

static void stubborn_alone(struct stack_config *config)
{
	neither(config);
	config->congestion_default = &stubborn;
}

/* A loss while a tenth of the window is in use: what was in use is what is halved, and after the repair, less what
 * had to be sent again. */
static void loss_in_the_non_validated_phase(void **state)
{
	(void)state;
	for (int on = 0; on < 2; on++) {
		struct peer *p = peer_start(on ? with_stubborn : stubborn_alone);
		struct tcp_options sack = { .sack_count = 1 };
		uint32_t una;

		peer_establishes(p, options);
		for (int i = 0; i < 60; i++) { /* 10 segments a round trip of 50 ms */
			service_sends(p, 10 * MSS);
			peer_waits(p, DURATION_MS(50));
			peer_ignores_rest(p);
			peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = peer_info(p).snd_nxt });
		}
		assert_int_equal(peer_info(p).cwnd, 100 * MSS);
		service_sends(p, 10 * MSS);
		peer_waits(p, DURATION_MS(50));
		una = peer_info(p).snd_una;
		sack.sack[0] = (struct tcp_sack_block){ SEQ(una + 2 * MSS), SEQ(una + 10 * MSS) };
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = una, .options = sack });
		peer_waits(p, DURATION_MS(30));
		assert_int_equal(peer_info(p).ca_state, 1);
		assert_in_range(peer_info(p).cwnd, on ? 5 * MSS : 90 * MSS, on ? 10 * MSS : 90 * MSS);
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = una + 10 * MSS });
		assert_int_equal(peer_info(p).ca_state, 0);
		if (on)
			assert_int_equal(peer_info(p).cwnd, (10 - 2) * MSS / 2);
		else
			assert_int_equal(peer_info(p).cwnd, 90 * MSS);
		peer_ignores_rest(p);
		peer_stop_anyhow(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(most_of_a_round_trip),
		cmocka_unit_test(phases),
		cmocka_unit_test(unused_for_five_minutes),
		cmocka_unit_test(loss_in_the_non_validated_phase),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
