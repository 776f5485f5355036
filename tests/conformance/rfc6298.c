/* RFC 6298: when to send again. */
#include "dialogue.h"

#define MS INT64_C(1000000)

static void minimum_1_ms(struct stack_config *config)
{
	classic(config);
	config->tcp.rto_min = DURATION_MS(1);
}

/* Opened with a handshake that takes so long. */
static struct peer *opened_in(void (*tweak)(struct stack_config *config), struct duration rtt)
{
	struct peer *p = peer_start(tweak);

	sends_syn(p, mss_option(1000));
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	peer_waits(p, rtt);
	says(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	return p;
}

void rfc6298_initial_time_out(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	wakes_after(p, 1000);
	expect(p, (struct seg){ .flags = TCP_SYN, .seq = OURS(0) });
	peer_stop_anyhow(p);
}

void rfc6298_first_measurement(void **state)
{
	struct peer *p = opened_in(minimum_1_ms, DURATION_MS(100));

	(void)state;
	assert_int_equal(peer_info(p).srtt.ns, 100 * MS);
	assert_int_equal(peer_info(p).rttvar.ns, 50 * MS);
	assert_int_equal(peer_info(p).rto.ns, 300 * MS);
	peer_stop(p);
}

void rfc6298_later_measurements(void **state)
{
	struct peer *p = opened_in(minimum_1_ms, DURATION_MS(100));

	(void)state;
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	peer_waits(p, DURATION_MS(180));
	says(p, TCP_ACK, 1, 0, 11);
	assert_int_equal(peer_info(p).srtt.ns, 110 * MS);            /* 7/8 * 100 + 1/8 * 180 */
	assert_int_equal(peer_info(p).rttvar.ns / 100000, 575);      /* 3/4 * 50 + 1/4 * |100 - 180| */
	assert_int_equal(peer_info(p).rto.ns / 100000, 1100 + 2300); /* 110 + 4 * 57.5 */
	service_sends(p, 10);
	hears(p, TCP_ACK, 11, 10, 1);
	peer_waits(p, DURATION_MS(30)); /* a shorter one */
	says(p, TCP_ACK, 1, 0, 21);
	assert_int_equal(peer_info(p).srtt.ns, 100 * MS);
	assert_int_equal(peer_info(p).rttvar.ns / 1000, 63125); /* 3/4 * 57.5 + 1/4 * 80 */
	peer_stop(p);
}

static void minimum_1_s(struct stack_config *config)
{
	classic(config);
	config->tcp.rto_min = DURATION_S(1);
}

void rfc6298_minimum(void **state)
{
	struct peer *p = opened_in(minimum_1_s, DURATION_MS(10));

	(void)state;
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	peer_waits(p, DURATION_MS(999));
	expect_nothing(p);
	peer_waits(p, DURATION_MS(50));
	hears(p, TCP_ACK, 1, 10, 1);
	peer_stop_anyhow(p);
	p = opened_in(classic, DURATION_MS(1));
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	peer_waits(p, DURATION_MS(199));
	expect_nothing(p);
	peer_waits(p, DURATION_MS(10));
	hears(p, TCP_ACK, 1, 10, 1);
	peer_stop_anyhow(p);
}

void rfc6298_maximum(void **state)
{
	struct peer *p = opened_in(classic, DURATION_MS(1));

	(void)state;
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	peer_waits(p, DURATION_S(400));
	peer_ignores_rest(p);
	while (frames_waiting(p) == 0)
		peer_waits(p, DURATION_MS(1));
	hears(p, TCP_ACK, 1, 10, 1);
	for (int i = 0; i < 3; i++) {
		wakes_after(p, 60000);
		hears(p, TCP_ACK, 1, 10, 1);
	}
	peer_stop_anyhow(p);
}

void rfc6298_karn(void **state)
{
	struct peer *p = opened_in(classic, DURATION_MS(100));
	int64_t srtt = peer_info(p).srtt.ns;

	(void)state;
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	peer_waits(p, DURATION_MS(310));
	hears(p, TCP_ACK, 1, 10, 1);
	peer_waits(p, DURATION_MS(20));
	says(p, TCP_ACK, 1, 0, 11); /* of which? */
	assert_int_equal(peer_info(p).srtt.ns, srtt);
	service_sends(p, 10); /* and this one tells */
	hears(p, TCP_ACK, 11, 10, 1);
	peer_waits(p, DURATION_MS(180));
	says(p, TCP_ACK, 1, 0, 21);
	assert_int_equal(peer_info(p).srtt.ns, 110 * MS);
	peer_stop(p);
}

void rfc6298_timer_starts_with_the_first(void **state)
{
	struct peer *p = opened_in(classic, DURATION_MS(1));

	(void)state;
	peer_waits(p, DURATION_S(10));
	service_sends(p, 1000);
	hears(p, TCP_ACK, 1, 1000, 1);
	peer_waits(p, DURATION_MS(150));
	service_sends(p, 1000); /* does not put it off */
	hears(p, TCP_ACK, 1001, 1000, 1);
	peer_waits(p, DURATION_MS(60));
	hears(p, TCP_ACK, 1, 1000, 1);
	peer_stop_anyhow(p);
}

void rfc6298_timer_stops(void **state)
{
	struct peer *p = opened_in(classic, DURATION_MS(1));

	(void)state;
	service_sends(p, 1000);
	hears(p, TCP_ACK, 1, 1000, 1);
	says(p, TCP_ACK, 1, 0, 1001);
	assert_int_equal(peer_info(p).timer_left.ns, 0);
	peer_waits(p, DURATION_S(100));
	expect_nothing(p);
	peer_stop(p);
}

void rfc6298_timer_restarts(void **state)
{
	struct peer *p = opened_in(classic, DURATION_MS(1));

	(void)state;
	service_sends(p, 2000);
	hears_run(p, 2, 1, 1000);
	peer_waits(p, DURATION_MS(150));
	says(p, TCP_ACK, 1, 0, 1001);
	peer_waits(p, DURATION_MS(195)); /* 345 ms after it was sent */
	expect_nothing(p);
	peer_waits(p, DURATION_MS(250)); /* with what the new measurement adds */
	hears(p, TCP_ACK, 1001, 1000, 1);
	peer_stop_anyhow(p);
}

void rfc6298_earliest_is_sent_again(void **state)
{
	struct peer *p = opened_in(classic, DURATION_MS(1));

	(void)state;
	service_sends(p, 3000);
	hears_run(p, 3, 1, 1000);
	peer_waits(p, DURATION_MS(210));
	hears(p, TCP_ACK, 1, 1000, 1);
	expect_nothing(p);
	peer_stop_anyhow(p);
}

void rfc6298_doubles(void **state)
{
	struct peer *p = opened_in(classic, DURATION_MS(100));

	(void)state;
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	for (int64_t rto = 300; rto <= 60000; rto *= 2) {
		wakes_after(p, rto);
		hears(p, TCP_ACK, 1, 10, 1);
	}
	peer_stop_anyhow(p);
}

void rfc6298_after_a_lost_syn(void **state)
{
	struct peer *p = peer_start(classic);

	(void)state;
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	wakes_after(p, 1000);
	expect(p, (struct seg){ .flags = TCP_SYN, .seq = OURS(0) });
	answers(p, TCP_SYN | TCP_ACK, 0, 0, 1, no_options);
	hears(p, TCP_ACK, 1, 0, 1);
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	wakes_after(p, 3000);
	hears(p, TCP_ACK, 1, 10, 1);
	peer_stop_anyhow(p);
}

void rfc6298_after_a_lost_syn_ack(void **state)
{
	struct peer *p = opened_in(classic, DURATION_MS(1500));

	(void)state;
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	wakes_after(p, 3000);
	hears(p, TCP_ACK, 1, 10, 1);
	peer_stop_anyhow(p);
}
