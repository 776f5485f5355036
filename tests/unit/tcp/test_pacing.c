/* Pacing, idle restart and samples of the delivery rate, in connections. */
#include "../../support/peer.h"

#define MSS 1000

static const struct tcp_options options = {
	.has_mss = true, .mss = MSS, .sack_permitted = true, .has_wscale = true, .wscale = 7
};
static uint64_t rate;
static uint32_t gso;

static void paced(struct stack_config *config)
{
	config->tcp.pacing_max_bytes_per_s = rate;
	config->gso_bytes_max = gso;
	config->checksum_offload = true;
}

/* Answers all that the stack has sent; returns its bytes. Fails when more than `most` left in a moment. */
static uint32_t acknowledge(struct peer *p, uint32_t most)
{
	uint32_t before = peer_info(p).snd_una, sent = peer_info(p).snd_nxt - before;

	assert_true(sent <= most);
	peer_ignores_rest(p);
	if (sent > 0)
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = before + sent });
	return sent;
}

/* Within 2 % of the rate, whatever the size of frames; and never more than a quantum at once. */
static void rate_is_kept(void **state)
{
	static const struct {
		uint64_t rate;
		uint32_t gso;
	} table[] = { { 50000, 0 }, { 50000, 65000 }, { 2000000, 0 }, { 20000000, 65000 }, { 80000000, 65000 } };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct instant begin, end;
		uint32_t quantum, turns = 0;
		uint64_t sent = 0, should;
		struct peer *p;

		rate = table[i].rate;
		gso = table[i].gso;
		quantum = rate / 1000 < 2 * MSS ? 2 * MSS : (uint32_t)(rate / 1000);
		p = peer_start(paced);
		peer_establishes(p, options);
		assert_int_equal(peer_info(p).pacing_rate, rate);
		begin = p->now;
		end = instant_add(begin, DURATION_MS(rate < 1000000 ? 4000 : 400));
		while (instant_before(p->now, end)) {
			struct instant due = stack_deadline(p->stack);

			if (peer_info(p).notsent < 100000)
				service_sends(p, 100000 - peer_info(p).notsent);
			/* The ACK is there before anything else may leave. */
			sent += acknowledge(p, 2 * quantum + MSS);
			due = instant_min(stack_deadline(p->stack), end);
			assert_true(due.ns > p->now.ns);
			assert_true(++turns < 100000);
			p->now = due;
			peer_turn(p);
		}
		should = (uint64_t)(end.ns - begin.ns) / 1000 * rate / 1000000;
		print_message("%llu bytes/s: %llu bytes, should be %llu, in %u turns\n", (unsigned long long)rate,
		              (unsigned long long)sent, (unsigned long long)should, turns);
		assert_in_range(sent, should * 98 / 100 - quantum, should * 102 / 100 + 2 * quantum);
		peer_ignores_rest(p);
		peer_stop_anyhow(p);
	}
}

static int wide_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                     struct tapstack_cc_decision *decision)
{
	(void)state, (void)env, (void)params;
	decision->cwnd_bytes = 100 * MSS;
	return 0;
}

static void wide_ack(void *state, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	(void)state, (void)sample, (void)decision;
}

static void wide_event(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
                       struct tapstack_cc_decision *decision)
{
	(void)state, (void)event, (void)sample, (void)decision;
}

static const struct tapstack_cc_ops wide_ops = { .struct_size = sizeof(wide_ops),
	                                         .state_size = 8,
	                                         .init = wide_init,
	                                         .on_ack = wide_ack,
	                                         .on_event = wide_event };
static const struct stack_congestion wide = { .name = "wide", .id = 3, .ops = &wide_ops };

static void paced_wide(struct stack_config *config)
{
	paced(config);
	config->congestion_default = &wide; /* nothing but the pace holds it back */
	config->tcp.rto_min = DURATION_S(2);
	config->tcp.prr = config->tcp.cwnd_validation = config->tcp.tail_loss_probe = false;
}

static void retransmissions_are_paced(void **state)
{
	struct tcp_options sack = { .sack_count = 1 };
	uint32_t una, nxt;
	struct peer *p;

	(void)state;
	rate = 100000; /* 10 ms for each segment */
	gso = 0;
	p = peer_start(paced_wide);
	peer_establishes(p, options);
	service_sends(p, 40 * MSS);
	peer_waits(p, DURATION_MS(450));
	una = peer_info(p).snd_una;
	nxt = peer_info(p).snd_nxt;
	assert_int_equal(nxt - una, 40 * MSS);
	peer_ignores_rest(p);
	sack.sack[0] = (struct tcp_sack_block){ SEQ(nxt - 5 * MSS), SEQ(nxt) }; /* 35 are lost */
	for (int i = 0; i < 5; i++)
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = una, .options = sack });
	peer_waits(p, DURATION_MS(100));
	assert_in_range(p->frame_count - p->frame_first, 100 / 10 - 2, 100 / 10 + 4);
	peer_ignores_rest(p);
	peer_stop_anyhow(p);
}

static void without_idle_restart(struct stack_config *config)
{
	config->tcp.idle_restart = false;
	config->tcp.cwnd_validation = false;
}

static void with_idle_restart(struct stack_config *config)
{
	config->tcp.idle_restart = true;
	config->tcp.cwnd_validation = false;
}

/* RFC 5681 section 4.1, where it is wanted. */
static void idle_restart(void **state)
{
	(void)state;
	for (int on = 0; on < 2; on++) {
		struct peer *p = peer_start(on ? with_idle_restart : without_idle_restart);
		uint64_t cwnd;

		peer_establishes(p, options);
		for (int i = 0; i < 3; i++) {
			service_sends(p, 60 * MSS);
			while (acknowledge(p, UINT32_MAX) > 0)
				;
		}
		cwnd = peer_info(p).cwnd;
		assert_true(cwnd > 20 * MSS);
		peer_waits(p, DURATION_S(30));
		service_sends(p, MSS);
		assert_int_equal(peer_info(p).cwnd, on ? 10 * MSS : cwnd);
		peer_ignores_rest(p);
		peer_stop_anyhow(p);
	}
}

static void delivery_rate(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, options);
	service_sends(p, 10 * MSS);
	peer_ignores_rest(p);
	peer_waits(p, DURATION_MS(50));
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1 + 5 * MSS) });
	assert_in_range(peer_info(p).delivery_rate, 99000, 101000); /* 5000 bytes in 50 ms */
	assert_false(peer_info(p).delivery_app_limited);
	service_sends(p, MSS); /* there was nothing to send before it */
	peer_ignores_rest(p);
	peer_waits(p, DURATION_MS(50));
	service_sends(p, MSS);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1 + 11 * MSS) });
	assert_true(peer_info(p).delivery_app_limited);
	peer_ignores_rest(p);
	peer_stop_anyhow(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rate_is_kept),
		cmocka_unit_test(retransmissions_are_paced),
		cmocka_unit_test(idle_restart),
		cmocka_unit_test(delivery_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
