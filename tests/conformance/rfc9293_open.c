/* RFC 9293 sections 3.5 and 3.9.1.1: opening. */
#include "dialogue.h"

#include <errno.h>

#define SECOND_IP peer_address(3)

/* ---- 3.5: simultaneous open
 * ---------------------------------------------------------------------------------------- */

void must_10_simultaneous_open_completes(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	answers(p, TCP_SYN, 0, 0, 0, no_options);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .seq = OURS(0), .ack = THEIRS(1) });
	assert_int_equal(peer_state(p), TCPS_SYN_RECEIVED);
	answers(p, TCP_SYN | TCP_ACK, 0, 0, 1, no_options);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	assert_true(p->ready_flags & READY_CONNECTED);
	expect_journal(p, TCPS_CLOSED, TCPS_SYN_SENT, CAUSE_LOCAL_CONNECT);
	expect_journal(p, TCPS_SYN_SENT, TCPS_SYN_RECEIVED, CAUSE_RECEIVED_SYN_SIMULTANEOUS);
	expect_journal(p, TCPS_SYN_RECEIVED, TCPS_ESTABLISHED, CAUSE_RECEIVED_ACK_OF_SYN);
	peer_stop(p);
}

/* After a passive open a reset leads back to LISTEN, and nobody hears of it. */
void must_11_reset_in_syn_received_after_listen(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	sends_syn(p, no_options);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	assert_int_equal(says(p, TCP_RST, 1, 0, 0), VERDICT_RESET);
	assert_int_equal(p->ready_flags, 0);
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	opens(p, no_options); /* the listener is still there */
	peer_stop(p);
}

/* After an active one the program is told that the connection was refused. */
void must_11_reset_in_syn_received_after_syn_sent(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	answers(p, TCP_SYN, 0, 0, 0, no_options);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .seq = OURS(0), .ack = THEIRS(1) });
	assert_int_equal(answers(p, TCP_RST, 1, 0, 0, no_options), VERDICT_RESET);
	assert_true(p->ready_flags & READY_ERROR);
	assert_int_equal(p->ready.cause, CAUSE_RECEIVED_RST_REFUSED);
	peer_stop(p);
}

/* ---- 3.9.1.1: the OPEN call
 * ----------------------------------------------------------------------------------------- */

void must_41_passive_open_disturbs_nobody(void **state)
{
	struct stack_listen_options other = { .port = 99, .backlog = 4 },
	                            same = { .port = SERVICE_PORT, .backlog = 4 };
	struct peer *p = opened(NULL, no_options);
	struct conn_handle listener;

	(void)state;
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	assert_int_equal(stack_listen(p->stack, &other, &listener), 0);
	assert_int_equal(stack_unlisten(p->stack, p->listener), 0);
	assert_int_equal(stack_listen(p->stack, &same, &p->listener), 0);
	peer_turn(p);
	expect_nothing(p);
	assert_int_equal(says(p, TCP_ACK, 1, 20, 11), VERDICT_ACCEPTED);
	assert_int_equal(service_reads(p), 20);
	peer_stop(p);
}

void must_42_listen_while_the_port_is_opening(void **state)
{
	struct stack_listen_options listen = { .port = CONNECT_PORT, .backlog = 4 };
	struct peer *p = peer_start(NULL);
	struct conn_handle listener;

	(void)state;
	connects(p); /* SYN-SENT on CONNECT_PORT */
	expect(p, (struct seg){ .flags = TCP_SYN });
	assert_int_equal(stack_listen(p->stack, &listen, &listener), 0);
	assert_int_equal(stack_unlisten(p->stack, listener), 0);
	answers(p, TCP_SYN, 0, 0, 0, no_options); /* SYN-RECEIVED */
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .seq = OURS(0), .ack = THEIRS(1) });
	assert_int_equal(stack_listen(p->stack, &listen, &listener), 0);
	answers(p, TCP_ACK, 1, 0, 1, no_options);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	/* And a new connection comes to the listener. */
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5, .source_port = 9, .destination_port = CONNECT_PORT });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 6 });
	peer_stop(p);
}

static void two_addresses(struct stack_config *config)
{
	config->address[1] = (struct stack_address){ SECOND_IP, prefix_bits() };
	config->address_count = 2;
}

static void assert_from(const struct peer *p, struct ip_addr address)
{
	struct ip_packet ip = next_ip(p);

	assert_memory_equal(&ip.source, &address, sizeof(address));
}

void must_43_local_address_can_be_given(void **state)
{
	struct stack_connect_options options = { .remote = PEER_IP, .remote_port = 9, .local = SECOND_IP };
	struct stack_listen_options listen = { .port = 99, .backlog = 1, .address = SECOND_IP };
	struct peer *p = peer_start(two_addresses);
	struct conn_handle listener;

	(void)state;
	assert_int_equal(stack_connect(p->stack, &options, &p->conn), 0);
	peer_turn(p);
	assert_from(p, SECOND_IP);
	expect(p, (struct seg){ .flags = TCP_SYN });
	options.local = peer_address(99); /* somebody else's */
	assert_int_equal(stack_connect(p->stack, &options, &listener), -EADDRNOTAVAIL);
	assert_int_equal(stack_listen(p->stack, &listen, &listener), 0);
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5, .destination_port = 99 }); /* to the first address */
	expect(p, (struct seg){ .flags = TCP_RST | TCP_ACK, .ack = 6 });
	peer_stop(p);
}

/* Host `number` of 198.51.100.0/24, or of 2001:db8:1::/64. */
static struct ip_addr other_network(uint8_t number)
{
	return peer_is_ipv6() ? (struct ip_addr){ { 0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = number } }
	                      : ip_addr_v4(0xc6336400 + number);
}

static void second_network(struct stack_config *config)
{
	config->address[1] = (struct stack_address){ other_network(2), prefix_bits() };
	config->address_count = 2;
}

/* Without one, the address is that of the network which leads there. */
void must_44_local_address_by_route(void **state)
{
	struct stack_connect_options options = { .remote = PEER_IP, .remote_port = 9 };
	struct peer *p = peer_start(second_network);
	struct ip_addr first = STACK_IP, second = other_network(2);
	struct stack_conn_info info;

	(void)state;
	assert_int_equal(stack_connect(p->stack, &options, &p->conn), 0);
	assert_int_equal(stack_info(p->stack, p->conn, &info), 0);
	assert_memory_equal(&info.flow.local, &first, sizeof(first));
	stack_abort(p->stack, p->conn);
	options.remote = other_network(1);
	assert_int_equal(stack_connect(p->stack, &options, &p->conn), 0);
	assert_int_equal(stack_info(p->stack, p->conn, &info), 0);
	assert_memory_equal(&info.flow.local, &second, sizeof(second));
	peer_stop_anyhow(p);
}

void must_45_local_address_is_kept(void **state)
{
	struct stack_connect_options options = {
		.remote = PEER_IP, .remote_port = SERVICE_PORT, .local = SECOND_IP, .local_port = CONNECT_PORT
	};
	const struct raw to_second = { .destination = SECOND_IP };
	struct peer *p = peer_start(two_addresses);
	struct raw raw = to_second;

	(void)state;
	/* A passive connection to the second address: SYN-ACK, data, retransmission, FIN, RST. */
	raw.flags = TCP_SYN;
	says_raw(p, raw);
	assert_from(p, SECOND_IP);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	raw.flags = TCP_ACK;
	raw.at = raw.acks = 1;
	says_raw(p, raw);
	service_sends(p, 10);
	assert_from(p, SECOND_IP);
	hears(p, TCP_ACK, 1, 10, 1);
	peer_waits(p, DURATION_MS(250));
	while (frames_waiting(p) > 0) {
		assert_from(p, SECOND_IP);
		hears(p, TCP_ACK, 1, 10, 1);
	}
	stack_abort(p->stack, p->conn);
	peer_turn(p);
	assert_from(p, SECOND_IP);
	hears(p, TCP_RST | TCP_ACK, 11, 0, 1);
	/* An active one: its SYN, and the SYN again. */
	assert_int_equal(stack_connect(p->stack, &options, &p->conn), 0);
	peer_turn(p);
	for (int i = 0; i < 2; i++) {
		assert_from(p, SECOND_IP);
		expect(p, (struct seg){ .flags = TCP_SYN });
		peer_waits(p, DURATION_MS(1100));
	}
	peer_stop(p);
}

void must_46_no_open_to_broadcast_or_multicast(void **state)
{
	static const uint32_t refused[] = { 0xffffffff, 0xc00002ff, 0xc0000200, 0xe0000001, 0xefffffff, 0 };
	static const struct ip_addr refused6[] = { { { 0xff, 0x02, [15] = 1 } },
		                                   { { 0xff, 0x0e, [15] = 9 } },
		                                   { { 0 } } };
	struct stack_connect_options options = { .remote_port = 9 };
	struct peer *p = peer_start(NULL);
	struct conn_handle conn;

	(void)state;
	for (size_t i = 0; i < (peer_is_ipv6() ? 3 : sizeof(refused) / sizeof(refused[0])); i++) {
		options.remote = peer_is_ipv6() ? refused6[i] : ip_addr_v4(refused[i]);
		assert_int_equal(stack_connect(p->stack, &options, &conn), -ENETUNREACH);
	}
	peer_turn(p);
	peer_stop(p);
}
