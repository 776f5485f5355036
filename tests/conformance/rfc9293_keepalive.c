/* RFC 9293 section 3.8.4: keepalive. */
#include "dialogue.h"

#define HOUR (3600 * INT64_C(1000)) /* milliseconds */

static void keepalive(struct stack_config *config)
{
	config->tcp.keepalive = true;
}

static void keepalive_of_a_minute(struct stack_config *config)
{
	config->tcp.keepalive = true;
	config->tcp.keepalive_idle = DURATION_S(60);
	config->tcp.keepalive_interval = DURATION_S(10);
	config->tcp.keepalive_count = 3;
}

/* The stack has said up to our 11, the peer up to its 11. */
static struct peer *idle(void (*tweak)(struct stack_config *config))
{
	struct peer *p = opened(tweak, no_options);

	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	says(p, TCP_ACK, 1, 10, 11);
	peer_waits(p, DURATION_MS(100));
	hears(p, TCP_ACK, 11, 0, 11);
	assert_int_equal(service_reads(p), 10);
	says(p, TCP_ACK, 11, 0, 11); /* from here the time counts */
	expect_nothing(p);
	return p;
}

/* One octet below SND.NXT, which any peer answers. */
static void probed(struct peer *p)
{
	hears(p, TCP_ACK, 10, 0, 11);
	expect_nothing(p);
}

/* Two connections, and only one of them is asked for. */
void must_24_keepalive_of_one_connection(void **state)
{
	struct peer *p = opened(NULL, no_options);
	struct conn_handle first = p->conn;
	struct stack_tcp_config tcp;
	uint32_t first_iss = p->iss;

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 10, .source_port = 3000 });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 11 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 11, .ack = OURS(1), .source_port = 3000 });
	assert_int_equal(stack_get_tcp(p->stack, first, &tcp), 0);
	tcp.keepalive = true;
	assert_int_equal(stack_set_tcp(p->stack, first, &tcp), 0);
	peer_waits(p, DURATION_S(7300));
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = first_iss, .ack = THEIRS(1) });
	while (frames_waiting(p) > 0)
		expect(p, (struct seg){ .flags = TCP_ACK, .seq = first_iss, .ack = THEIRS(1) });
	tcp.keepalive = false; /* and off again */
	assert_int_equal(stack_set_tcp(p->stack, first, &tcp), 0);
	peer_waits(p, DURATION_S(7300));
	expect_nothing(p);
	stack_abort(p->stack, first);
	peer_stop_anyhow(p);
}

void must_25_keepalive_is_off_by_default(void **state)
{
	struct peer *p = idle(NULL);

	(void)state;
	peer_waits(p, DURATION_S(7 * 86400));
	expect_nothing(p);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop(p);
}

/* Whatever arrives begins the time anew; what is in flight has its own timer. */
void must_26_probe_only_when_idle(void **state)
{
	struct peer *p = idle(keepalive_of_a_minute);
	uint64_t probes = stack_get_counters(p->stack)->keepalive_probes;

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		peer_waits(p, DURATION_S(50));
		expect_nothing(p);
		says(p, TCP_ACK, 11, 0, 11);
	}
	wakes_after(p, 60000);
	probed(p);
	says(p, TCP_ACK, 11, 0, 11);
	service_sends(p, 10);
	hears(p, TCP_ACK, 11, 10, 11);
	probes = stack_get_counters(p->stack)->keepalive_probes;
	peer_waits(p, DURATION_S(300)); /* unanswered: retransmissions, no probes */
	assert_int_equal(stack_get_counters(p->stack)->keepalive_probes, probes);
	peer_stop_anyhow(p);
}

void must_27_interval_is_configurable(void **state)
{
	struct peer *p = idle(keepalive_of_a_minute);
	struct stack_tcp_config tcp;

	(void)state;
	wakes_after(p, 60000);
	probed(p);
	wakes_after(p, 10000);
	probed(p);
	says(p, TCP_ACK, 11, 0, 11);
	assert_int_equal(stack_get_tcp(p->stack, p->conn, &tcp), 0);
	tcp.keepalive_idle = DURATION_S(30);
	assert_int_equal(stack_set_tcp(p->stack, p->conn, &tcp), 0);
	wakes_after(p, 30000);
	probed(p);
	peer_stop(p);
}

void must_28_default_interval_is_two_hours(void **state)
{
	struct peer *p = idle(keepalive);

	(void)state;
	wakes_after(p, 2 * HOUR);
	probed(p);
	says(p, TCP_ACK, 11, 0, 11);
	wakes_after(p, 2 * HOUR);
	probed(p);
	peer_stop(p);
}

void must_29_one_unanswered_probe_is_not_the_end(void **state)
{
	struct peer *p = idle(keepalive_of_a_minute);

	(void)state;
	wakes_after(p, 60000);
	probed(p);
	for (int i = 0; i < 2; i++) {
		wakes_after(p, 10000);
		probed(p);
		assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	}
	says(p, TCP_ACK, 11, 0, 11); /* the last moment: all is well again */
	wakes_after(p, 60000);
	probed(p);
	for (int i = 0; i < 2; i++) {
		wakes_after(p, 10000);
		probed(p);
	}
	wakes_after(p, 10000); /* three in a row, and none answered */
	hears(p, TCP_RST | TCP_ACK, 11, 0, 11);
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	assert_true(p->ready_flags & READY_ERROR);
	assert_int_equal(p->ready.cause, CAUSE_TIMEOUT_KEEPALIVE);
	peer_stop(p);
}

void shld_12_probe_carries_no_data(void **state)
{
	struct peer *p = idle(keepalive_of_a_minute);

	(void)state;
	wakes_after(p, 60000);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(10), .ack = THEIRS(11), .length = 0 });
	peer_stop(p);
}

void may_5_keepalive_is_offered(void **state)
{
	struct stack_listen_options listen = { .port = 99, .backlog = 4 };
	struct seg seg = { .flags = TCP_SYN, .seq = THEIR_ISN, .destination_port = 99 };
	struct peer *p = peer_start(NULL);
	struct conn_handle listener;
	struct stack_config config;

	(void)state; /* for a listener and what it accepts */
	stack_config_init(&config);
	keepalive_of_a_minute(&config);
	listen.tcp = &config.tcp;
	assert_int_equal(stack_listen(p->stack, &listen, &listener), 0);
	peer_sends(p, seg);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	seg.flags = TCP_ACK;
	seg.seq = THEIRS(1);
	seg.ack = OURS(1);
	peer_sends(p, seg);
	wakes_after(p, 60000);
	hears(p, TCP_ACK, 0, 0, 1);
	peer_stop(p);
}

static void with_garbage(struct stack_config *config)
{
	keepalive_of_a_minute(config);
	config->tcp.keepalive_garbage = true;
}

void may_6_probe_with_an_octet_of_garbage(void **state)
{
	struct peer *p = idle(with_garbage);

	(void)state;
	wakes_after(p, 60000);
	assert_int_equal(next_ip(p).payload_bytes, TCP_HEADER_BYTES + 1);
	peer_ignores_rest(p);
	says(p, TCP_ACK, 11, 0, 11);
	assert_int_equal(peer_info(p).unacked, 0); /* it is no data of the connection */
	peer_stop(p);
}
