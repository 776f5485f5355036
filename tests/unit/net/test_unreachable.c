/* ICMP errors about connections: noted and told, but for what may end an attempt to connect (RFC 9293 3.9.2.2, RFC
 * 5927). */
#include "net_test.h"

#include <errno.h>

static const struct tcp_options none = { 0 };

/* The stack's own segment, as a router quotes it. */
static enum stack_verdict complains(struct peer *p, uint8_t type, uint8_t code, uint16_t local_port, uint32_t seq)
{
	uint8_t quoted[28] = { 0 };
	struct ip_packet about = {
		.source = STACK_IP, .destination = PEER_IP, .protocol = IP_PROTOCOL_TCP, .payload_bytes = 8
	};
	struct icmp_message message = {
		.type = type, .code = code, .payload = quoted, .payload_bytes = sizeof(quoted)
	};

	ipv4_write(quoted, &about);
	store16(quoted + 20, local_port);
	store16(quoted + 22, PEER_PORT);
	store32(quoted + 24, seq);
	return sends_icmp(p, message, PEER_IP);
}

static void ignoring(struct stack_config *config)
{
	config->tcp.icmp_policy = STACK_ICMP_IGNORE;
}

static void strict(struct stack_config *config)
{
	config->tcp.icmp_policy = STACK_ICMP_STRICT;
}

static void has_in_flight(struct peer *p)
{
	peer_establishes(p, none);
	service_sends(p, 100);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .length = 100 });
}

/* MUST-47, SHLD-25: with type, code and time; MUST-56: nothing ends. */
static void told_to_the_service(void **state)
{
	static const struct {
		uint8_t type, code;
		bool hard;
	} errors[] = {
		{ ICMP_UNREACHABLE, ICMP_NET_UNREACHABLE, false },
		{ ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE, false },
		{ ICMP_UNREACHABLE, 5, false },
		{ ICMP_TIME_EXCEEDED, 0, false },
		{ ICMP_PARAMETER_PROBLEM, 0, false },
		{ ICMP_UNREACHABLE, ICMP_PROTOCOL_UNREACHABLE, true },
		{ ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE, true },
	};
	struct peer *p = peer_start(*state ? strict : NULL);
	struct stack_soft_error error;

	has_in_flight(p);
	assert_int_equal(stack_soft_error(p->stack, p->conn, &error), -ENOENT);
	for (uint32_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		p->now.ns += 1000;
		assert_int_equal(complains(p, errors[i].type, errors[i].code, SERVICE_PORT, OURS(1)),
		                 VERDICT_ACCEPTED);
		assert_true(p->ready_flags & READY_SOFT_ERROR);
		assert_false(p->ready_flags & READY_ERROR);
		p->ready_flags = 0;
		assert_int_equal(stack_soft_error(p->stack, p->conn, &error), 0);
		assert_int_equal(error.type, errors[i].type);
		assert_int_equal(error.code, errors[i].code);
		assert_int_equal(error.hard, errors[i].hard);
		assert_int_equal(error.count, i + 1);
		assert_int_equal(error.at.ns, p->now.ns);
		assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	}
	assert_int_equal(stack_soft_error(p->stack, CONN_HANDLE_NONE, &error), -EBADF);
	peer_stop(p);
}

/* SHLD-20. */
static void not_told_when_switched_off(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_soft_error error;
	struct stack_tcp_config tcp;

	(void)state;
	has_in_flight(p);
	assert_int_equal(stack_get_tcp(p->stack, p->conn, &tcp), 0);
	tcp.icmp_policy = STACK_ICMP_IGNORE;
	assert_int_equal(stack_set_tcp(p->stack, p->conn, &tcp), 0);
	assert_int_equal(complains(p, ICMP_UNREACHABLE, 1, SERVICE_PORT, OURS(1)), VERDICT_DROP_ICMP);
	assert_false(p->ready_flags & READY_SOFT_ERROR);
	assert_int_equal(stack_soft_error(p->stack, p->conn, &error), -ENOENT);
	peer_stop(p);
}

/* RFC 5927 section 4.1. */
static void nothing_is_noted_about_what_is_not_in_flight(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_soft_error error;

	(void)state;
	has_in_flight(p);
	assert_int_equal(complains(p, ICMP_UNREACHABLE, 1, SERVICE_PORT, OURS(0)), VERDICT_DROP_ICMP_UNRELATED);
	assert_int_equal(complains(p, ICMP_UNREACHABLE, 1, SERVICE_PORT, OURS(101)), VERDICT_DROP_ICMP_UNRELATED);
	assert_int_equal(stack_soft_error(p->stack, p->conn, &error), -ENOENT);
	peer_stop(p);
}

static void connects(struct peer *p)
{
	struct stack_connect_options to = { .remote = PEER_IP, .remote_port = PEER_PORT, .local_port = 5000 };

	assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
}

/* Only a hard error ends an attempt; one that ICMP may not end at all is left to its time-outs. */
static void attempts_by_policy(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	connects(p);
	assert_int_equal(complains(p, ICMP_UNREACHABLE, 1, 5000, p->iss), VERDICT_ACCEPTED);
	assert_true(p->ready_flags & READY_SOFT_ERROR);
	assert_int_equal(peer_state(p), TCPS_SYN_SENT);
	assert_int_equal(complains(p, ICMP_UNREACHABLE, 3, 5000, p->iss), VERDICT_ACCEPTED);
	assert_int_equal(p->ready.cause, CAUSE_ICMP_HARD_ERROR);
	peer_stop(p);
	p = peer_start(ignoring);
	connects(p);
	assert_int_equal(complains(p, ICMP_UNREACHABLE, 3, 5000, p->iss), VERDICT_DROP_ICMP);
	assert_int_equal(peer_state(p), TCPS_SYN_SENT);
	peer_stop(p);
}

/* SYN-RECEIVED: of a half-open record, and after a simultaneous open. */
static void syn_received_ends_by_the_strict_policy_only(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct peer *p = peer_start(i ? strict : NULL);

		(void)state;
		peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 });
		expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
		peer_forgets_journal(p);
		assert_int_equal(complains(p, ICMP_UNREACHABLE, 3, SERVICE_PORT, p->iss + 1),
		                 VERDICT_DROP_ICMP_UNRELATED);
		assert_int_equal(complains(p, ICMP_UNREACHABLE, 1, SERVICE_PORT, p->iss), VERDICT_DROP_ICMP);
		assert_int_equal(peer_state(p), TCPS_SYN_RECEIVED);
		complains(p, ICMP_UNREACHABLE, 3, SERVICE_PORT, p->iss);
		assert_int_equal(peer_state(p), i ? TCPS_CLOSED : TCPS_SYN_RECEIVED);
		if (i)
			expect_journal(p, TCPS_SYN_RECEIVED, TCPS_CLOSED, CAUSE_ICMP_HARD_ERROR);
		peer_stop(p);

		p = peer_start(i ? strict : NULL);
		connects(p);
		peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .destination_port = 5000 });
		expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
		complains(p, ICMP_UNREACHABLE, 3, 5000, p->iss);
		assert_int_equal(peer_state(p), i ? TCPS_CLOSED : TCPS_SYN_RECEIVED);
		peer_stop(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(told_to_the_service),
		cmocka_unit_test_prestate(told_to_the_service, (void *)1),
		cmocka_unit_test(not_told_when_switched_off),
		cmocka_unit_test(nothing_is_noted_about_what_is_not_in_flight),
		cmocka_unit_test(attempts_by_policy),
		cmocka_unit_test(syn_received_ends_by_the_strict_policy_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
