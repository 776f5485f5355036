/* Tunables of connections and listeners: shared where they are equal, given back, changed live, refused when they
 * make no sense. */
#include "../../support/peer.h"
#include "core/tcp/engine.h"

#include <errno.h>

static const struct tcp_options none = { 0 };

static struct stack_tcp_config of(struct peer *p, struct conn_handle handle)
{
	struct stack_tcp_config tcp;

	assert_int_equal(stack_get_tcp(p->stack, handle, &tcp), 0);
	return tcp;
}

static uint32_t profiles(const struct peer *p)
{
	return p->stack->profiles.used;
}

static void opens(struct peer *p, uint16_t port)
{
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .source_port = port });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .source_port = port });
}

/* Connections have their listener's, listeners the stack's: one copy for all of them. */
static void equal_ones_are_kept_once(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_listen_options listen = { .port = 9, .backlog = 4 };
	struct conn_handle other, kept[2];
	struct stack_tcp_config tcp;

	(void)state;
	assert_int_equal(profiles(p), 1);
	opens(p, 5000);
	kept[0] = p->conn;
	opens(p, 5001);
	kept[1] = p->conn;
	assert_int_equal(profiles(p), 1);
	tcp = of(p, p->listener);
	listen.tcp = &tcp;
	assert_int_equal(stack_listen(p->stack, &listen, &other), 0);
	assert_int_equal(profiles(p), 1);
	tcp.ttl = 7;
	assert_int_equal(stack_set_tcp(p->stack, kept[0], &tcp), 0);
	assert_int_equal(profiles(p), 2);
	assert_int_equal(stack_set_tcp(p->stack, kept[1], &tcp), 0);
	assert_int_equal(profiles(p), 2);
	assert_int_equal(of(p, kept[1]).ttl, 7);
	assert_int_equal(of(p, other).ttl, 64);
	/* given back with its last user */
	stack_abort(p->stack, kept[0]);
	assert_int_equal(profiles(p), 2);
	stack_abort(p->stack, kept[1]);
	peer_turn(p);
	assert_int_equal(profiles(p), 1);
	p->conn = CONN_HANDLE_NONE;
	peer_stop_anyhow(p);
}

/* A handle is a listener's or a connection's, though both are in slot 0 of their pools. */
static void listener_and_connection_are_told_apart(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_tcp_config tcp;

	(void)state;
	peer_establishes(p, none);
	tcp = of(p, p->conn);
	tcp.ttl = 9;
	assert_int_equal(stack_set_tcp(p->stack, p->conn, &tcp), 0);
	assert_int_equal(of(p, p->conn).ttl, 9);
	assert_int_equal(of(p, p->listener).ttl, 64);
	assert_int_equal(stack_unlisten(p->stack, p->conn), -EBADF);
	assert_int_equal(stack_close(p->stack, p->listener), -EBADF);
	assert_int_equal(stack_get_tcp(p->stack, CONN_HANDLE_NONE, &tcp), -EBADF);
	peer_stop(p);
}

/* A listener's are those of connections that it accepts from then on. */
static void listeners_are_for_later_connections(void **state)
{
	struct peer *p = peer_start(NULL);
	struct conn_handle earlier;
	struct stack_tcp_config tcp;

	(void)state;
	opens(p, 5000);
	earlier = p->conn;
	tcp = of(p, p->listener);
	tcp.dscp = 46;
	assert_int_equal(stack_set_tcp(p->stack, p->listener, &tcp), 0);
	opens(p, 5001);
	assert_int_equal(of(p, earlier).dscp, 0);
	assert_int_equal(of(p, p->conn).dscp, 46);
	stack_abort(p->stack, earlier);
	peer_stop_anyhow(p);
}

/* The DSCP and TTL of the next frame out (MUST-48, MUST-49, SHLD-21, SHLD-22). */
static void dscp_and_ttl_change_live(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_tcp_config tcp;
	struct ip_packet ip;

	(void)state;
	peer_establishes(p, none);
	for (uint8_t dscp = 0; dscp < 64; dscp = (uint8_t)(dscp + 21)) {
		tcp = of(p, p->conn);
		tcp.dscp = dscp;
		tcp.ttl = (uint8_t)(dscp + 1);
		assert_int_equal(stack_set_tcp(p->stack, p->conn, &tcp), 0);
		service_sends(p, 10);
		ip = peer_ip(&p->frame[p->frame_first]);
		assert_int_equal(ip.tos >> 2, dscp);
		assert_int_equal(ip.ttl, dscp + 1);
		peer_ignores_rest(p);
		/* what is sent on its behalf has them, too: a challenge ACK */
		peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1001 });
		ip = peer_ip(&p->frame[p->frame_first]);
		assert_int_equal(ip.tos >> 2, dscp);
		assert_int_equal(ip.ttl, dscp + 1);
		peer_ignores_rest(p);
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = peer_info(p).snd_nxt });
	}
	peer_stop(p);
}

/* Buffers: as configured when nothing tunes them, within the limits when something does. */
static void buffers_change_live(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_tcp_config tcp;

	(void)state;
	peer_establishes(p, none);
	tcp = of(p, p->conn);
	tcp.rcvbuf_autotune = tcp.sndbuf_autotune = false;
	tcp.rcvbuf_initial_bytes = 300000;
	tcp.sndbuf_initial_bytes = 4096;
	assert_int_equal(stack_set_tcp(p->stack, p->conn, &tcp), 0);
	assert_int_equal(peer_info(p).rcvbuf, 300000);
	assert_int_equal(peer_info(p).sndbuf, 4096);
	tcp.rcvbuf_autotune = tcp.sndbuf_autotune = true;
	tcp.rcvbuf_initial_bytes = tcp.rcvbuf_max_bytes = 100000;
	tcp.sndbuf_initial_bytes = 2048;
	assert_int_equal(stack_set_tcp(p->stack, p->conn, &tcp), 0);
	assert_int_equal(peer_info(p).rcvbuf, 100000);
	assert_int_equal(peer_info(p).sndbuf, 4096);
	peer_stop(p);
}

static void nonsense_is_refused(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_listen_options listen = { .port = 9, .backlog = 4 };
	struct stack_connect_options connect = { .remote = PEER_IP, .remote_port = 80 };
	struct stack_tcp_config good, bad;
	struct conn_handle handle;

	(void)state;
	peer_establishes(p, none);
	good = of(p, p->conn);
#define REFUSED(change)                                                                                              \
	bad = good;                                                                                                  \
	bad.change;                                                                                                  \
	assert_false(stack_tcp_config_valid(&bad));                                                                  \
	assert_int_equal(stack_set_tcp(p->stack, p->conn, &bad), -EINVAL)
	REFUSED(ttl = 0);
	REFUSED(dscp = 64);
	REFUSED(keepalive_count = 0);
	REFUSED(keepalive_count = 256);
	REFUSED(keepalive_idle.ns = 0);
	REFUSED(keepalive_interval.ns = 0);
	REFUSED(delayed_ack = DURATION_MS(500));
	REFUSED(rto_min = DURATION_S(61));
	REFUSED(retransmit_timeout.ns = 0);
	REFUSED(user_timeout.ns = -1);
	REFUSED(orphan_timeout.ns = -1);
	REFUSED(fin_wait_2_timeout.ns = 0);
	REFUSED(rcvbuf_initial_bytes = 2047);
	REFUSED(sndbuf_max_bytes = (1u << 30) + 1);
	REFUSED(window_scale = 15);
	REFUSED(icmp_policy = 3);
	REFUSED(path_mtu = 4);
	REFUSED(ecn = 3);
	REFUSED(mss_max_bytes = 47);
	REFUSED(initial_window_segments = 0);
#undef REFUSED
	listen.tcp = connect.tcp = &bad;
	assert_int_equal(stack_listen(p->stack, &listen, &handle), -EINVAL);
	assert_int_equal(stack_connect(p->stack, &connect, &handle), -EINVAL);
	assert_int_equal(profiles(p), 1);
	peer_stop(p);
}

/* Without memory all is as before. */
static void no_memory_changes_nothing(void **state)
{
	static const struct stack_tcp_config *held[4096];
	struct stack_listen_options listen = { .port = 9, .backlog = 4 };
	struct peer *p = peer_start(NULL);
	struct conn_handle handle;
	struct stack_tcp_config tcp;
	uint32_t count = 0;

	(void)state;
	peer_establishes(p, none);
	tcp = of(p, p->conn);
	test_memory_fail_after(&p->memory, 0);
	do { /* until what the pool has is used up */
		tcp.r1_retransmits = 10 + count;
		held[count] = profile_get(p->stack, &tcp);
		assert_true(count < 4095);
	} while (held[count++]);
	tcp.r1_retransmits = 5;
	listen.tcp = &tcp;
	assert_int_equal(stack_set_tcp(p->stack, p->conn, &tcp), -ENOMEM);
	assert_int_equal(stack_listen(p->stack, &listen, &handle), -ENOMEM);
	assert_int_equal(of(p, p->conn).r1_retransmits, 3);
	assert_true(stack_get_counters(p->stack)->alloc_failures >= 2);
	test_memory_fail_never(&p->memory);
	assert_int_equal(stack_set_tcp(p->stack, p->conn, &tcp), 0);
	assert_int_equal(of(p, p->conn).r1_retransmits, 5);
	for (count--; count > 0; count--)
		profile_put(p->stack, held[count - 1]);
	assert_int_equal(profiles(p), 2);
	peer_stop_anyhow(p);
}

/* The answer to the first SYN may still be on its way: the second must not offer anything else. */
static void what_a_syn_offers_stays(void **state)
{
	struct stack_connect_options to = { .remote = PEER_IP, .remote_port = 80, .local_port = 5000 };
	struct peer *p = peer_start(NULL);
	struct stack_tcp_config tcp;
	struct tcp_options first;
	uint16_t window;

	(void)state;
	assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	first = p->last.options;
	window = p->last.window;
	assert_true(first.has_timestamps && first.sack_permitted && first.has_wscale);
	tcp = of(p, p->conn);
	tcp.timestamps = tcp.sack = tcp.window_scaling = false;
	tcp.window_scale = 3;
	tcp.mss_max_bytes = 500;
	tcp.rcvbuf_autotune = false;
	tcp.rcvbuf_initial_bytes = 2048;
	tcp.ttl = 9;
	assert_int_equal(stack_set_tcp(p->stack, p->conn, &tcp), 0);
	assert_int_equal(of(p, p->conn).ttl, 9);
	peer_waits(p, DURATION_MS(1100));
	expect(p, (struct seg){ .flags = TCP_SYN });
	assert_true(p->last.options.has_timestamps && p->last.options.sack_permitted);
	assert_int_equal(p->last.options.mss, first.mss);
	assert_int_equal(p->last.window, window);
	assert_true(p->last.options.has_wscale && p->last.options.wscale == first.wscale);
	peer_stop_anyhow(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_ones_are_kept_once),
		cmocka_unit_test(listener_and_connection_are_told_apart),
		cmocka_unit_test(listeners_are_for_later_connections),
		cmocka_unit_test(dscp_and_ttl_change_live),
		cmocka_unit_test(buffers_change_live),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(no_memory_changes_nothing),
		cmocka_unit_test(what_a_syn_offers_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
