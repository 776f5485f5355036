/* RFC 9293 section 3.9.2: what TCP has to do with IP and ICMP. */
#include "dialogue.h"

static void ttl_17(struct stack_config *config)
{
	config->tcp.ttl = 17;
}

/* Of segments of connections, and of those that belong to none. */
void must_49_ttl_is_configurable(void **state)
{
	struct peer *p = peer_start(ttl_17);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = THEIR_ISN });
	assert_int_equal(next_ip(p).ttl, 17);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	says(p, TCP_ACK, 1, 0, 1);
	service_sends(p, 5);
	assert_int_equal(next_ip(p).ttl, 17);
	hears(p, TCP_ACK, 1, 5, 1);
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5, .destination_port = 99 });
	assert_int_equal(next_ip(p).ttl, 17);
	expect(p, (struct seg){ .flags = TCP_RST | TCP_ACK, .ack = 6 });
	peer_stop(p);
}

void must_50_unknown_ip_options_are_ignored(void **state)
{
	/* Router alert, an unknown one, NOP, end; and Record Route and Timestamp, which need no answer. */
	static const uint8_t unknown[] = { 148, 4, 0, 0, 99, 3, 7, 1, 0 };
	static const uint8_t record_route[] = { 7, 7, 4, 0, 0, 0, 0 };
	static const uint8_t timestamp[] = { 68, 8, 5, 0, 0, 0, 0, 0 };
	static const struct {
		const uint8_t *options;
		size_t bytes;
	} list[] = { { unknown, sizeof(unknown) },
		     { record_route, sizeof(record_route) },
		     { timestamp, sizeof(timestamp) } };
	struct peer *p = opened(NULL, no_options);

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		struct raw raw = { .flags = TCP_ACK, .at = 1 + 10 * i, .acks = 1, .length = 10 };

		raw.ip_options = list[i].options;
		raw.ip_options_bytes = list[i].bytes;
		assert_int_equal(says_raw(p, raw), VERDICT_ACCEPTED);
	}
	assert_int_equal(service_reads(p), 30);
	peer_stop_anyhow(p);
}

/* ---- 3.9.2.2: ICMP
 * ------------------------------------------------------------------------------------------------------- */

/* Two connections with segments in flight; the error about one leaves the other alone. */
void must_54_icmp_errors_reach_their_connection(void **state)
{
	struct stack_connect_options options = { .remote = PEER_IP, .remote_port = 9, .local_port = 50001 };
	struct peer *p = peer_start(NULL);
	struct icmp_error error = { .what = NO_PORT };
	struct conn_handle other;

	(void)state;
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	error.local_port = CONNECT_PORT;
	error.remote_port = SERVICE_PORT;
	error.seq = OURS(0);
	assert_int_equal(stack_connect(p->stack, &options, &other), 0);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	p->ready_flags = 0;
	assert_int_equal(says_icmp(p, error), VERDICT_ACCEPTED);
	assert_true(p->ready_flags & READY_ERROR);
	assert_int_equal(p->ready.conn.v, p->conn.v);
	assert_int_equal(p->ready.cause, CAUSE_ICMP_HARD_ERROR);
	assert_int_equal(says_icmp(p, error), VERDICT_DROP_ICMP_UNRELATED); /* it is gone */
	stack_abort(p->stack, other);
	peer_stop_anyhow(p);
}

void must_55_source_quench_is_ignored(void **state)
{
	struct peer *p = opened(NULL, mss_option(1000));
	uint64_t cwnd = peer_info(p).cwnd;

	(void)state;
	service_sends(p, 500);
	hears(p, TCP_ACK, 1, 500, 1);
	assert_int_equal(says_icmp(p, (struct icmp_error){ .what = SOURCE_QUENCH, .seq = OURS(1) }),
	                 VERDICT_DROP_ICMP);
	expect_nothing(p);
	assert_int_equal(peer_info(p).cwnd, cwnd);
	assert_int_equal(peer_info(p).ca_state, 0);
	peer_stop(p);
}

/* In SYN-SENT and later. */
void must_56_soft_errors_do_not_abort(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	for (enum trouble what = NO_NET; what <= BAD_PARAMETER; what++) {
		struct icmp_error error = { .what = what };

		error.local_port = CONNECT_PORT;
		error.remote_port = SERVICE_PORT;
		error.seq = OURS(0);
		says_icmp(p, error);
		assert_int_equal(peer_state(p), TCPS_SYN_SENT);
	}
	answers(p, TCP_SYN | TCP_ACK, 0, 0, 1, no_options);
	hears(p, TCP_ACK, 1, 0, 1);
	service_sends(p, 100);
	hears(p, TCP_ACK, 1, 100, 1);
	for (enum trouble what = NO_NET; what <= BAD_PARAMETER; what++) {
		struct icmp_error error = { .what = what };

		error.local_port = CONNECT_PORT;
		error.remote_port = SERVICE_PORT;
		error.seq = OURS(1);
		says_icmp(p, error);
		assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	}
	answers(p, TCP_ACK, 1, 0, 101, no_options);
	peer_stop(p);
}

/* Port and protocol unreachable end an attempt in SYN-SENT, and nothing that is established (RFC 5927 section 4). */
void shld_26_hard_errors_end_an_attempt(void **state)
{
	struct icmp_error error = { .what = NO_PROTOCOL };
	struct peer *p = peer_start(NULL);

	(void)state;
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	error.local_port = CONNECT_PORT;
	error.remote_port = SERVICE_PORT;
	error.seq = OURS(0) - 1; /* about nothing that is in flight */
	assert_int_equal(says_icmp(p, error), VERDICT_DROP_ICMP_UNRELATED);
	error.seq = OURS(0);
	assert_int_equal(says_icmp(p, error), VERDICT_ACCEPTED);
	assert_true(p->ready_flags & READY_ERROR);
	assert_int_equal(p->ready.cause, CAUSE_ICMP_HARD_ERROR);
	peer_stop(p);
	p = opened(NULL, no_options);
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	for (enum trouble what = NO_PORT; what <= NO_PROTOCOL; what++)
		says_icmp(p, (struct icmp_error){ .what = what, .seq = OURS(1) });
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop_anyhow(p);
}

/* Told, with what they say and when; and the connection goes on. */
void must_47_soft_errors_are_reported(void **state)
{
	struct peer *p = opened(NULL, no_options);
	struct stack_soft_error error;

	(void)state;
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	assert_true(stack_soft_error(p->stack, p->conn, &error) < 0);
	assert_int_equal(says_icmp(p, (struct icmp_error){ .what = NO_HOST, .seq = OURS(1) }), VERDICT_ACCEPTED);
	assert_int_equal(p->ready_flags, READY_SOFT_ERROR);
	assert_int_equal(stack_soft_error(p->stack, p->conn, &error), 0);
	assert_int_equal(error.at.ns, p->now.ns);
	assert_int_equal(error.count, 1);
	says(p, TCP_ACK, 1, 0, 11);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop(p);
}

static void ignoring_icmp(struct stack_config *config)
{
	config->tcp.icmp_policy = STACK_ICMP_IGNORE;
}

void shld_20_reports_can_be_switched_off(void **state)
{
	struct peer *p = opened(ignoring_icmp, no_options);
	struct stack_soft_error error;

	(void)state;
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	says_icmp(p, (struct icmp_error){ .what = NO_HOST, .seq = OURS(1) });
	assert_int_equal(p->ready_flags, 0);
	assert_true(stack_soft_error(p->stack, p->conn, &error) < 0);
	peer_stop(p);
}

/* Type and code of each kind. */
void shld_25_what_an_error_says_is_shown(void **state)
{
	static const uint8_t shown[][4] = { [NO_NET] = { 3, 0, 1, 0 },
		                            [NO_HOST] = { 3, 1, 1, 3 },
		                            [TIME_EXCEEDED] = { 11, 0, 3, 0 },
		                            [BAD_PARAMETER] = { 12, 0, 4, 0 } };
	struct peer *p = opened(NULL, no_options);
	struct stack_soft_error error;

	(void)state;
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	for (enum trouble what = NO_NET; what <= BAD_PARAMETER; what++) {
		p->ready_flags = 0;
		says_icmp(p, (struct icmp_error){ .what = what, .seq = OURS(1) });
		assert_int_equal(p->ready_flags, READY_SOFT_ERROR);
		assert_int_equal(stack_soft_error(p->stack, p->conn, &error), 0);
		assert_int_equal(error.type, shown[what][peer_is_ipv6() ? 2 : 0]);
		assert_int_equal(error.code, shown[what][peer_is_ipv6() ? 3 : 1]);
		assert_false(error.hard);
	}
	peer_stop(p);
}

/* ---- 3.9.2.3: addresses
 * ---------------------------------------------------------------------------------------------------- */

void must_57_syn_to_broadcast_or_multicast_is_dropped(void **state)
{
	static const uint32_t groups[] = { 0xffffffff, 0xc00002ff, 0xc0000200, 0xe0000001, 0xef000001 };
	static const struct ip_addr groups6[] = { { { 0xff,
		                                      0x02, [15] = 1 } }, /* all nodes: the stack listens to it */
		                                  { { 0xff, 0x02, [15] = 0xfb } } }; /* and not to this one */
	struct peer *p = peer_start(NULL);

	(void)state;
	for (size_t i = 0; i < (peer_is_ipv6() ? 2 : sizeof(groups) / sizeof(groups[0])); i++) {
		struct raw raw = { .flags = TCP_SYN,
			           .destination = peer_is_ipv6() ? groups6[i] : ip_addr_v4(groups[i]) };

		assert_true(says_raw(p, raw) == VERDICT_DROP_BROADCAST || i > 0);
		assert_int_not_equal(p->verdict, VERDICT_ACCEPTED);
	}
	expect_nothing(p);
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	peer_stop(p);
}

void must_63_syn_from_an_invalid_source_is_dropped(void **state)
{
	/* Broadcast, multicast, this network, loopback, reserved, our network's broadcast; our own. */
	static const uint32_t invalid[] = { 0xffffffff, 0xe0000001, 0x00000001, 0x7f000001, 0xf0000001, 0xc00002ff };
	static const struct ip_addr invalid6[] = { { { 0xff, 0x02, [15] = 1 } }, { { [15] = 1 } } };
	struct raw own = { .flags = TCP_SYN, .source = STACK_IP };
	struct peer *p = peer_start(NULL);

	(void)state;
	for (size_t i = 0; i < (peer_is_ipv6() ? 2 : sizeof(invalid) / sizeof(invalid[0])); i++) {
		struct raw raw = { .flags = TCP_SYN,
			           .source = peer_is_ipv6() ? invalid6[i] : ip_addr_v4(invalid[i]) };

		assert_int_equal(says_raw(p, raw), VERDICT_DROP_IP_SOURCE);
	}
	assert_int_equal(says_raw(p, own), VERDICT_DROP_IP_SOURCE);
	expect_nothing(p);
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	peer_stop(p);
}
