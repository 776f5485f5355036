/* What the stack tells of frames to who watches: verdict, connection, states before and after, variables. */
#include "../../support/peer.h"

static const struct tcp_options none = { 0 };

struct watcher {
	struct stack_watch watch;
	struct stack_view out[16];
};

static struct peer *start(struct watcher *w)
{
	struct peer *p = peer_start(NULL);

	*w = (struct watcher){ 0 };
	w->watch.out = w->out;
	stack_set_watch(p->stack, &w->watch);
	return p;
}

#define expect_in(w, verdict_, before, after)                                                                        \
	do {                                                                                                         \
		assert_int_equal((w)->watch.in.verdict, verdict_);                                                   \
		assert_true((w)->watch.in.is_segment);                                                               \
		assert_int_equal((w)->watch.in.state_before, before);                                                \
		assert_int_equal((w)->watch.in.state, after);                                                        \
	} while (0)

#define expect_out(w, id, before, after)                                                                             \
	do {                                                                                                         \
		assert_true((w)->out[0].is_segment);                                                                 \
		assert_int_equal((w)->out[0].connection_id, id);                                                     \
		assert_int_equal((w)->out[0].state_before, before);                                                  \
		assert_int_equal((w)->out[0].state, after);                                                          \
	} while (0)

static void assert_flow(const struct stack_view *view, uint16_t local, uint16_t remote)
{
	struct ip_addr stack = STACK_IP, peer = PEER_IP;

	assert_true(ip_addr_equal(&view->flow.local, &stack));
	assert_true(ip_addr_equal(&view->flow.remote, &peer));
	assert_int_equal(view->flow.local_port, local);
	assert_int_equal(view->flow.remote_port, remote);
}

/* The connection's variables, as ctl would show them. */
static void assert_variables(struct peer *p, const struct stack_view *view)
{
	struct stack_conn_info info = peer_info(p);

	assert_int_equal(view->connection_id, info.id);
	assert_false(view->compact);
	assert_int_equal(view->service, 1);
	assert_int_equal(view->iss, info.iss);
	assert_int_equal(view->irs, info.irs);
	assert_int_equal(view->snd_una, info.snd_una);
	assert_int_equal(view->snd_nxt, info.snd_nxt);
	assert_int_equal(view->rcv_nxt, info.rcv_nxt);
	assert_int_equal(view->snd_wnd, info.snd_wnd);
	assert_int_equal(view->rcv_wnd, info.rcv_wnd);
	assert_int_equal(view->cwnd_bytes, info.cwnd);
	assert_true(view->ssthresh_bytes == info.ssthresh);
	assert_int_equal(view->inflight_bytes, info.unacked);
	assert_int_equal(view->srtt_ns, info.srtt.ns);
	assert_int_equal(view->retransmits, info.retrans_total);
}

/* Passive open, data both ways, passive close. */
static void a_life(void **state)
{
	struct watcher w;
	struct peer *p = start(&w);
	uint64_t id;

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000 });
	expect_in(&w, VERDICT_ACCEPTED, TCPS_LISTEN, TCPS_SYN_RECEIVED);
	assert_flow(&w.watch.in, SERVICE_PORT, PEER_PORT);
	id = w.watch.in.connection_id;
	assert_int_not_equal(id, 0);
	assert_true(w.watch.in.compact);
	assert_int_equal(w.watch.in.irs, 1000);
	expect_out(&w, id, TCPS_SYN_RECEIVED, TCPS_SYN_RECEIVED);
	assert_flow(&w.out[0], SERVICE_PORT, PEER_PORT);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	assert_int_equal(w.watch.in.iss, p->iss);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1) });
	expect_in(&w, VERDICT_ACCEPTED, TCPS_SYN_RECEIVED, TCPS_ESTABLISHED);
	assert_variables(p, &w.watch.in);
	assert_int_equal(w.watch.in.connection_id, id);
	service_sends(p, 300);
	peer_turn(p);
	expect_out(&w, id, TCPS_ESTABLISHED, TCPS_ESTABLISHED);
	assert_variables(p, &w.out[0]);
	assert_int_equal(w.out[0].inflight_bytes, 300);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = OURS(301) });
	expect_in(&w, VERDICT_ACCEPTED, TCPS_ESTABLISHED, TCPS_CLOSE_WAIT);
	peer_ignores_rest(p);
	stack_close(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_turn(p);
	expect_out(&w, id, TCPS_CLOSE_WAIT, TCPS_LAST_ACK);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1002, .ack = OURS(302) });
	expect_in(&w, VERDICT_ACCEPTED, TCPS_LAST_ACK, TCPS_CLOSED);
	assert_int_equal(w.watch.in.connection_id, id);
	assert_int_equal(w.watch.in.irs, 1000); /* as it was last */
	peer_stop(p);
}

static void time_wait(void **state)
{
	struct watcher w;
	struct peer *p = start(&w);
	uint64_t id;

	(void)state;
	peer_establishes(p, none);
	id = peer_info(p).id;
	stack_close(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_turn(p);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = OURS(2) });
	expect_in(&w, VERDICT_ACCEPTED, TCPS_FIN_WAIT_1, TCPS_TIME_WAIT);
	assert_true(w.watch.in.compact);
	expect_out(&w, id, TCPS_TIME_WAIT, TCPS_TIME_WAIT);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = OURS(2) });
	expect_in(&w, VERDICT_TIME_WAIT_ACK, TCPS_TIME_WAIT, TCPS_TIME_WAIT);
	assert_int_equal(w.watch.in.connection_id, id);
	assert_int_equal(w.watch.in.rcv_nxt, 1002);
	peer_ignores_rest(p);
	/* A new incarnation: the frame belongs to what it began. */
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 5000 });
	expect_in(&w, VERDICT_ACCEPTED, TCPS_TIME_WAIT, TCPS_SYN_RECEIVED);
	assert_int_equal(w.watch.in.connection_id, id + 1);
	peer_ignores_rest(p);
	peer_stop(p);
}

static void resets(void **state)
{
	struct watcher w;
	struct peer *p = start(&w);
	uint64_t id;

	(void)state;
	peer_establishes(p, none);
	id = peer_info(p).id;
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1011 });
	expect_in(&w, VERDICT_CHALLENGE_ACK, TCPS_ESTABLISHED, TCPS_ESTABLISHED);
	assert_variables(p, &w.watch.in);
	expect_out(&w, id, TCPS_ESTABLISHED, TCPS_ESTABLISHED);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	peer_sends(p,
	           (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 9, .bad_checksum = true });
	expect_in(&w, VERDICT_DROP_CHECKSUM, TCPS_ESTABLISHED, TCPS_ESTABLISHED);
	assert_int_equal(w.watch.in.connection_id, id);
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1001 });
	expect_in(&w, VERDICT_RESET, TCPS_ESTABLISHED, TCPS_CLOSED);
	assert_int_equal(w.watch.in.connection_id, id);
	assert_int_equal(w.watch.in.rcv_nxt, 1001);
	stack_close(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;

	/* Our own reset: its connection is gone when it leaves. */
	peer_establishes(p, none);
	id = peer_info(p).id;
	stack_abort(p->stack, p->conn);
	p->conn = CONN_HANDLE_NONE;
	peer_turn(p);
	expect_out(&w, id, TCPS_ESTABLISHED, TCPS_CLOSED);
	assert_true(w.out[0].compact);
	assert_flow(&w.out[0], SERVICE_PORT, PEER_PORT);
	peer_ignores_rest(p);
	peer_stop(p);
}

static void strangers(void **state)
{
	struct watcher w;
	struct peer *p = start(&w);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1, .destination_port = 4242 });
	expect_in(&w, VERDICT_DROP_NO_CONNECTION, TCPS_CLOSED, TCPS_CLOSED);
	assert_int_equal(w.watch.in.connection_id, 0);
	expect_out(&w, 0, TCPS_CLOSED, TCPS_CLOSED);
	assert_flow(&w.out[0], 4242, PEER_PORT);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1, .ack = 1 });
	expect_in(&w, VERDICT_DROP_LISTEN, TCPS_LISTEN, TCPS_LISTEN);
	peer_ignores_rest(p);
	peer_sends_frame(p, "no frame", 8);
	assert_int_equal(w.watch.in.verdict, VERDICT_DROP_ETHERNET);
	assert_false(w.watch.in.is_segment);
	peer_stop(p);
}

static void icmp(void **state)
{
	struct watcher w;
	struct peer *p = start(&w);
	uint64_t id;

	(void)state;
	peer_establishes(p, none);
	id = peer_info(p).id;
	service_sends(p, 10);
	peer_turn(p);
	peer_ignores_rest(p);
	peer_reports(p, SERVICE_PORT, PEER_PORT, OURS(1), 0);
	expect_in(&w, VERDICT_ACCEPTED, TCPS_ESTABLISHED, TCPS_ESTABLISHED);
	assert_int_equal(w.watch.in.connection_id, id);
	peer_stop(p);
}

/* The slots of raw frames are used again and again; what is not a segment must not look like the one before. */
static void what_is_no_segment(void **state)
{
	static const uint8_t arp[42] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0,   1, 8, 6,
		                         0,    1,    8,    0,    6,    4,    0, 1, 2, 0, 0,   0, 0, 1,
		                         192,  0,    2,    1,    0,    0,    0, 0, 0, 0, 192, 0, 2, 2 };
	struct watcher w;
	struct peer *p;

	(void)state;
	PEER_IPV4_ONLY();
	p = start(&w);
	for (int i = 0; i < 2500; i++) {
		bool segment = i < 1200;

		if (segment)
			peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1, .ack = 1, .destination_port = 9 });
		else
			peer_sends_frame(p, arp, sizeof(arp));
		peer_ignores_rest(p);
		assert_int_equal(w.out[0].is_segment, segment);
		assert_int_equal(w.watch.in.is_segment, segment);
	}
	peer_stop(p);
}

static void nobody_watches(void **state)
{
	struct watcher w;
	struct peer *p = start(&w);
	struct watcher before;

	(void)state;
	stack_set_watch(p->stack, NULL);
	memset(&w, 0x5a, sizeof(w));
	before = w;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1011 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_memory_equal(&before, &w, sizeof(w));
	peer_stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_life),         cmocka_unit_test(time_wait), cmocka_unit_test(resets),
		cmocka_unit_test(strangers),      cmocka_unit_test(icmp),      cmocka_unit_test(what_is_no_segment),
		cmocka_unit_test(nobody_watches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
