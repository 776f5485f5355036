/* RFC 5482: how long unacknowledged data may wait, and what both ends say about it. */
#include "dialogue.h"

static void after_150_s(struct stack_config *config)
{
	classic(config);
	config->tcp.user_timeout = DURATION_S(150);
}

static void after_150_s_and_told(struct stack_config *config)
{
	after_150_s(config);
	config->tcp.user_timeout_option = true;
}

static struct tcp_options user_timeout_option(uint16_t seconds)
{
	return (struct tcp_options){ .has_user_timeout = true, .user_timeout = seconds };
}

/* Opened, and then the peer says (again, section 3.3: after the handshake) how long its data may wait. */
static struct peer *told(void (*tweak)(struct stack_config *config), struct tcp_options option)
{
	struct peer *p = opened(tweak, option);

	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = THEIRS(1), .ack = OURS(1), .options = option });
	expect_nothing(p);
	return p;
}

/* Data goes unanswered: the connection lives for so many seconds and no longer. */
static void lives_for(struct peer *p, int64_t seconds)
{
	service_sends(p, 10);
	peer_waits(p, DURATION_S(seconds - 1));
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_waits(p, DURATION_S(2));
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	assert_int_equal(p->ready.cause, CAUSE_TIMEOUT_USER);
	peer_stop_anyhow(p);
}

void rfc5482_user_timeout_aborts(void **state)
{
	struct peer *p = opened(after_150_s, no_options);

	(void)state;
	peer_waits(p, DURATION_S(1000)); /* nothing waits */
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	lives_for(p, 150);
}

void rfc5482_off_by_default(void **state)
{
	struct peer *p = told(classic, user_timeout_option(200));

	(void)state;
	assert_false(p->last.options.has_user_timeout); /* of the SYN-ACK */
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	assert_false(p->last.options.has_user_timeout);
	peer_waits(p, DURATION_S(400));
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop_anyhow(p);
	lives_for(told(after_150_s, user_timeout_option(300)), 150); /* its own, whatever the peer says */
}

void rfc5482_sent_with_the_syn(void **state)
{
	struct peer *p = opened(after_150_s_and_told, no_options);

	(void)state;
	assert_true(p->last.options.has_user_timeout);
	assert_int_equal(p->last.options.user_timeout, 150);
	assert_false(p->last.options.user_timeout_minutes);
	peer_stop(p);
	p = peer_start(after_150_s_and_told);
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	assert_int_equal(p->last.options.user_timeout, 150);
	peer_stop_anyhow(p);
}

void rfc5482_adopted_time(void **state)
{
	struct tcp_options minutes = user_timeout_option(5);

	(void)state;
	lives_for(told(after_150_s_and_told, user_timeout_option(120)), 150); /* ours is longer */
	lives_for(told(after_150_s_and_told, user_timeout_option(300)), 300);
	minutes.user_timeout_minutes = true;
	lives_for(told(after_150_s_and_told, minutes), 300);
}

static void after_10_s_and_told(struct stack_config *config)
{
	after_150_s_and_told(config);
	config->tcp.user_timeout = DURATION_S(10);
}

void rfc5482_peer_cannot_ask_for_too_little(void **state)
{
	(void)state;
	lives_for(told(after_10_s_and_told, user_timeout_option(1)), 100);
}

void rfc5482_change_is_told(void **state)
{
	struct peer *p = opened(after_150_s_and_told, no_options);
	struct stack_tcp_config tcp;

	(void)state;
	assert_int_equal(stack_get_tcp(p->stack, p->conn, &tcp), 0);
	tcp.user_timeout = DURATION_S(400);
	assert_int_equal(stack_set_tcp(p->stack, p->conn, &tcp), 0);
	peer_turn(p);
	hears(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(p->last.options.user_timeout, 400);
	lives_for(p, 400);
}

void rfc5482_zero_is_ignored(void **state)
{
	(void)state;
	lives_for(told(after_150_s_and_told, user_timeout_option(0)), 150);
}
