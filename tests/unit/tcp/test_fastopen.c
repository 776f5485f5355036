/* TCP Fast Open (RFC 7413): both sides, and what becomes of it when the other end or the way to it has no use for it.
 */
#include "../../support/peer.h"
#include "core/base/journal.h"

#define DATA 300 /* in a SYN */

static void server(struct stack_config *config)
{
	config->tcp.fastopen_server = true;
	config->tcp.timestamps = false;
}

static void client(struct stack_config *config)
{
	config->tcp.fastopen_client = true;
	config->tcp.timestamps = false;
}

static const struct stack_counters *counters(struct peer *p)
{
	return stack_get_counters(p->stack);
}

/* ---- the side that is opened ----------------------------------------------------------------------------------- */

static struct tcp_options asking(void)
{
	return (struct tcp_options){
		.has_mss = true, .mss = 1460, .has_wscale = true, .wscale = 7, .has_fastopen = true
	};
}

static struct tcp_options with_cookie(const struct tcp_options *cookie)
{
	struct tcp_options options = asking();

	options.fastopen_bytes = cookie->fastopen_bytes;
	memcpy(options.fastopen, cookie->fastopen, cookie->fastopen_bytes);
	return options;
}

/* An ordinary connection that brings a cookie; it is over afterwards. */
static struct tcp_options get_cookie(struct peer *p)
{
	struct tcp_options cookie;

	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 500, .source_port = 39000, .options = asking() });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 501 });
	cookie = p->last.options;
	assert_true(cookie.has_fastopen);
	assert_int_equal(cookie.fastopen_bytes, 8);
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 501, .source_port = 39000 });
	peer_forgets_journal(p);
	return cookie;
}

/* A SYN with a valid cookie and data. */
static void opens(struct peer *p, const struct tcp_options *cookie)
{
	p->conn = CONN_HANDLE_NONE;
	p->ready_flags = 0;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .length = DATA, .options = with_cookie(cookie) });
}

static void data_is_there_before_the_handshake_is(void **state)
{
	struct peer *p = peer_start(server);
	struct tcp_options cookie = get_cookie(p);

	(void)state;
	opens(p, &cookie);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 + DATA, .window = 65535 - DATA });
	assert_false(p->last.options.has_fastopen); /* the one it has is good */
	assert_int_equal(p->ready_flags, READY_ACCEPTED | READY_READABLE);
	assert_int_equal(peer_state(p), TCPS_SYN_RECEIVED);
	expect_journal(p, TCPS_LISTEN, TCPS_SYN_RECEIVED, CAUSE_RECEIVED_SYN);
	assert_true(peer_info(p).fastopen);
	assert_int_equal(service_reads(p), DATA);
	/* The service answers, before the client is known to be there. */
	service_sends(p, 2000);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 + DATA, .length = 1460 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1461), .ack = 1001 + DATA, .length = 540 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001 + DATA, .ack = OURS(1461) });
	expect_nothing(p);
	expect_journal(p, TCPS_SYN_RECEIVED, TCPS_ESTABLISHED, CAUSE_RECEIVED_ACK_OF_SYN);
	assert_int_equal(peer_info(p).unacked, 540);
	assert_int_equal(peer_info(p).bytes_acked, 1460);
	assert_int_equal(counters(p)->tfo_passive, 1);
	assert_int_equal(counters(p)->tfo_cookie_requests, 1);
	assert_int_equal(counters(p)->passive_opens, 1);
	assert_int_equal(counters(p)->active_opens, 0);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001 + DATA, .ack = OURS(2001), .length = 50 });
	assert_int_equal(service_reads(p), 50);
	peer_stop_anyhow(p);
}

/* RFC 9768 section 3.1.4.2: a SYN-ACK without the flags has gone out, too, and may be the one that was answered. Then
 * nothing is sent ECN-capable, also when the ACK brings text and a sound counter. */
static void syn_ack_without_ecn(void **state)
{
	struct peer *p = peer_start(server);
	struct tcp_options cookie = get_cookie(p);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN | TCP_AE | TCP_CWR | TCP_ECE,
	                            .seq = 1000,
	                            .length = DATA,
	                            .options = with_cookie(&cookie) });
	peer_waits(p, DURATION_MS(3100));
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK | TCP_CWR, .ack = 1001 + DATA });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK | TCP_CWR, .ack = 1001 + DATA });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 + DATA });
	assert_int_equal(service_reads(p), DATA);
	peer_sends(p,
	           (struct seg){
	                   .flags = TCP_ACK | TCP_AE | TCP_ECE, .seq = 1001 + DATA, .ack = OURS(1), .length = 50 });
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	assert_int_equal(peer_info(p).ecn, 2);
	assert_int_equal(peer_info(p).ecn_codepoint, 0);
	assert_int_equal(counters(p)->ecn_fallbacks, 1);
	peer_stop_anyhow(p);
}

static void off_by_default(void **state)
{
	struct peer *p = peer_start(NULL);
	struct tcp_options options = asking();

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .length = DATA, .options = options });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	assert_false(p->last.options.has_fastopen);
	peer_stop_anyhow(p);
}

/* Section 4.2.2: the data of a SYN without a valid cookie is not there; the SYN-ACK brings a cookie that is. */
static void wrong_cookie(void **state)
{
	struct peer *p = peer_start(server);
	struct tcp_options cookie = get_cookie(p), given;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct tcp_options wrong = cookie;

		if (i == 0)
			wrong.fastopen[7] ^= 1;
		else
			wrong.fastopen_bytes = i == 1 ? 4 : 16;
		opens(p, &wrong);
		expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
		given = p->last.options;
		assert_int_equal(given.fastopen_bytes, 8);
		assert_memory_equal(given.fastopen, cookie.fastopen, 8);
		assert_int_equal(p->ready_flags, 0);
		peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1001 });
	}
	assert_int_equal(counters(p)->tfo_passive_fail, 3);
	assert_int_equal(counters(p)->tfo_passive, 0);
	peer_stop(p);
}

/* The key changes each day. The one before is good for a day more, and brings a new one. */
static void keys_change(void **state)
{
	struct peer *p = peer_start(server);
	struct tcp_options cookie = get_cookie(p), given;

	(void)state;
	peer_waits(p, DURATION_S(86400));
	peer_ignores_rest(p);
	opens(p, &cookie);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 + DATA });
	given = p->last.options;
	assert_int_equal(given.fastopen_bytes, 8);
	assert_memory_not_equal(given.fastopen, cookie.fastopen, 8);
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1001 + DATA });
	stack_close(p->stack, p->conn);
	peer_waits(p, DURATION_S(86400));
	peer_ignores_rest(p);
	opens(p, &cookie);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	assert_int_equal(counters(p)->tfo_passive_fail, 1);
	peer_stop_anyhow(p);
}

static void at_most_two(struct stack_config *config)
{
	server(config);
	config->tcp.fastopen_pending_max = 2;
}

/* Section 5.1: a stolen cookie opens only so many. Those that the true owner of the address resets count on. */
static void pending_is_limited(void **state)
{
	struct peer *p = peer_start(at_most_two);
	struct tcp_options cookie = get_cookie(p);
	struct conn_handle first, handle[2];

	(void)state;
	opens(p, &cookie);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 + DATA });
	first = p->conn;
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1001 + DATA });
	assert_true(p->ready_flags & READY_ERROR);
	assert_int_equal(p->ready.cause, CAUSE_RECEIVED_RST);
	stack_close(p->stack, first);
	opens(p, &cookie);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 + DATA });
	first = p->conn;
	peer_sends(p, (struct seg){ .flags = TCP_SYN,
	                            .seq = 1000,
	                            .length = DATA,
	                            .source_port = 41000,
	                            .options = with_cookie(&cookie) });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 }); /* the ordinary way */
	assert_int_equal(counters(p)->tfo_listen_overflow, 1);
	/* One that completes counts no more; one that was reset, not after a minute. */
	p->iss = 0;
	assert_int_equal(stack_abort(p->stack, first), 0);
	peer_waits(p, DURATION_S(61));
	peer_ignores_rest(p);
	for (uint16_t i = 0; i < 3; i++) {
		peer_sends(p, (struct seg){ .flags = TCP_SYN,
		                            .seq = 1000,
		                            .length = DATA,
		                            .source_port = 42000 + i,
		                            .options = with_cookie(&cookie) });
		expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = i < 2 ? 1001 + DATA : 1001 });
		if (i < 2)
			handle[i] = p->conn;
	}
	for (uint16_t i = 0; i < 2; i++)
		stack_abort(p->stack, handle[i]);
	peer_stop_anyhow(p);
}

static void lost_syn_ack_comes_again(void **state)
{
	struct peer *p = peer_start(server);
	struct tcp_options cookie = get_cookie(p), none = { .has_mss = true, .mss = 1460 };

	(void)state;
	opens(p, &cookie);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 + DATA });
	service_sends(p, 100);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 + DATA, .length = 100 });
	/* The client sends its SYN again, without data (section 4.2.1). */
	assert_int_equal(peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .options = none }),
	                 VERDICT_DUPLICATE);
	expect(p, (struct seg){
	                  .flags = TCP_SYN | TCP_ACK, .seq = OURS(0), .ack = 1001 + DATA, .window = 65535 - DATA });
	/* And the same with the data: it is not there twice. */
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .length = DATA, .options = with_cookie(&cookie) });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .seq = OURS(0), .ack = 1001 + DATA });
	assert_int_equal(service_reads(p), DATA);
	/* By itself, too: the SYN-ACK, and no data before it is acknowledged. */
	peer_waits(p, DURATION_MS(1100));
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .seq = OURS(0), .ack = 1001 + DATA });
	expect_nothing(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001 + DATA, .ack = OURS(1) });
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_waits(p, DURATION_S(7));
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 + DATA, .length = 100 });
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001 + DATA, .ack = OURS(101) });
	peer_stop(p);
}

static void client_that_vanishes(void **state)
{
	struct peer *p = peer_start(server);
	struct tcp_options cookie = get_cookie(p);

	(void)state;
	opens(p, &cookie);
	peer_waits(p, DURATION_S(130));
	peer_ignores_rest(p);
	assert_true(p->ready_flags & READY_ERROR);
	assert_int_equal(p->ready.cause, CAUSE_TIMEOUT_SYN);
	expect_journal(p, TCPS_LISTEN, TCPS_SYN_RECEIVED, CAUSE_RECEIVED_SYN);
	expect_journal(p, TCPS_SYN_RECEIVED, TCPS_CLOSED, CAUSE_TIMEOUT_SYN);
	assert_int_equal(service_reads(p), DATA); /* what had come is still there */
	peer_stop(p);
}

/* The service answers and closes at once: the FIN waits for the handshake. */
static void closed_before_the_handshake(void **state)
{
	struct peer *p = peer_start(server);
	struct tcp_options cookie = get_cookie(p);

	(void)state;
	opens(p, &cookie);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 + DATA });
	service_reads(p);
	service_sends(p, 100);
	stack_shutdown(p->stack, p->conn);
	peer_turn(p);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 + DATA, .length = 100 });
	expect_nothing(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001 + DATA, .ack = OURS(101) });
	expect(p, (struct seg){ .flags = TCP_ACK | TCP_FIN, .seq = OURS(101), .ack = 1001 + DATA });
	assert_int_equal(peer_state(p), TCPS_FIN_WAIT_1);
	peer_stop_anyhow(p);
}

/* More than the window has room for is not taken; an unacceptable ACK is answered as ever. */
static void small_window(struct stack_config *config)
{
	server(config);
	config->tcp.rcvbuf_initial_bytes = config->tcp.rcvbuf_max_bytes = 2048;
}

static void data_beyond_the_window(void **state)
{
	struct peer *p = peer_start(small_window);
	struct tcp_options cookie = get_cookie(p);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .length = 3000, .options = with_cookie(&cookie) });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 + 2048, .window = WINDOW_ZERO });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001 + 2048, .ack = OURS(2) });
	expect(p, (struct seg){ .flags = TCP_RST, .seq = OURS(2) });
	assert_int_equal(peer_state(p), TCPS_SYN_RECEIVED);
	peer_stop_anyhow(p);
}

static void one_half_open(struct stack_config *config)
{
	server(config);
	config->half_open_max = 1;
}

/* When there is only room for SYN cookies, there is none for this. */
static void syn_cookies_come_first(void **state)
{
	struct peer *p = peer_start(one_half_open);
	struct tcp_options cookie = get_cookie(p);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 7000, .source_port = 41000, .options = asking() });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 7001 });
	opens(p, &cookie);
	assert_int_equal(p->verdict, VERDICT_COOKIE_SENT);
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	assert_int_equal(counters(p)->tfo_passive, 0);
	peer_stop_anyhow(p);
}

static void no_memory_is_the_ordinary_way(void **state)
{
	struct peer *p = peer_start(server);
	struct tcp_options cookie = get_cookie(p);
	unsigned ordinary = 0;

	(void)state;
	for (uint64_t i = 0; i < 4; i++) {
		test_memory_fail_after(&p->memory, i);
		p->conn = CONN_HANDLE_NONE;
		peer_sends(p, (struct seg){ .flags = TCP_SYN,
		                            .seq = 1000,
		                            .length = DATA,
		                            .source_port = (uint16_t)(42000 + i),
		                            .options = with_cookie(&cookie) });
		test_memory_fail_never(&p->memory);
		peer_waits(p, DURATION_S(2));
		if (p->frame_count == p->frame_first)
			continue;
		expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK });
		ordinary += p->last.ack.v == 1001;
		peer_ignores_rest(p);
		peer_sends(p, (struct seg){
		                      .flags = TCP_RST, .seq = p->last.ack.v, .source_port = (uint16_t)(42000 + i) });
		if (p->conn.v)
			stack_close(p->stack, p->conn);
	}
	assert_true(ordinary > 0);
	p->conn = CONN_HANDLE_NONE;
	peer_stop_anyhow(p);
}

/* ---- the side that opens --------------------------------------------------------------------------------------- */

#define SERVER_PORT 80

static const struct tcp_options answer = { .has_mss = true, .mss = 1000 };

static struct tcp_options answer_with(uint8_t bytes, uint8_t filler)
{
	struct tcp_options options = answer;

	options.has_fastopen = true;
	options.fastopen_bytes = bytes;
	memset(options.fastopen, filler, bytes);
	return options;
}

/* stack_connect from `port`, and a request in the same turn. */
static void connects(struct peer *p, uint16_t port, uint32_t bytes)
{
	struct stack_connect_options to = { .remote = PEER_IP, .remote_port = SERVER_PORT, .local_port = port };
	struct stack_conn_info info;
	uint8_t request[4000];

	assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
	assert_int_equal(stack_info(p->stack, p->conn, &info), 0);
	for (uint32_t i = 0; i < bytes; i++)
		request[i] = peer_pattern(1 + i);
	/* expect() looks at the position behind the ISS, of which a SYN takes none: give it what it wants. */
	assert_int_equal(stack_send(p->stack, p->conn, request, bytes), bytes);
	p->ready_flags = 0;
	peer_turn(p);
}

/* The next frame must be a SYN with so much of the request; checks the bytes. */
static struct tcp_options expect_syn(struct peer *p, uint32_t bytes)
{
	struct peer_frame *frame = &p->frame[p->frame_first];
	struct tcp_segment syn;
	struct ip_packet ip;

	assert_true(p->frame_first < p->frame_count);
	ip = peer_ip(frame);
	assert_int_equal(tcp_read(ip.payload, ip.payload_bytes, &syn), 0);
	assert_int_equal(syn.flags & ~TCP_PSH, TCP_SYN);
	assert_int_equal(syn.payload_bytes, bytes);
	assert_int_equal(frame->gso_bytes, 0);
	for (uint32_t i = 0; i < bytes; i++)
		assert_int_equal(syn.payload[i], peer_pattern(1 + i));
	p->iss = syn.seq.v;
	p->frame_first++;
	free(frame->bytes);
	frame->bytes = NULL;
	return syn.options;
}

static void answers(struct peer *p, uint16_t port, uint32_t ack, struct tcp_options options)
{
	peer_sends(p, (struct seg){ .flags = TCP_SYN | TCP_ACK,
	                            .seq = 1000,
	                            .ack = OURS(ack),
	                            .source_port = SERVER_PORT,
	                            .destination_port = port,
	                            .options = options });
}

static void expect_request(struct peer *p, uint32_t from, uint32_t bytes)
{
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(from), .ack = 1001, .length = bytes });
}

static void ends(struct peer *p)
{
	assert_int_equal(stack_abort(p->stack, p->conn), 0);
	peer_turn(p);
	peer_ignores_rest(p);
	p->conn = CONN_HANDLE_NONE;
}

static struct stack_path_info path_info(struct peer *p)
{
	struct stack_path_info info;

	assert_int_equal(stack_paths(p->stack, &info, 1), 1);
	return info;
}

/* The first connection asks for a cookie and gets it. */
static void learn_cookie(struct peer *p)
{
	struct tcp_options options;

	connects(p, 5000, 500);
	options = expect_syn(p, 0);
	assert_true(options.has_fastopen);
	assert_int_equal(options.fastopen_bytes, 0);
	answers(p, 5000, 1, answer_with(8, 0x5a));
	expect_request(p, 1, 500);
	assert_false(peer_info(p).fastopen);
	assert_int_equal(path_info(p).fastopen_bytes, 8);
	assert_int_equal(path_info(p).fastopen_mss, 1000);
	ends(p);
}

/* RFC 9293 3.9.1.7: what the SYN has taken along is not in the queue any more. */
static void flush_leaves_what_the_syn_took(void **state)
{
	struct peer *p = peer_start(client);

	(void)state;
	learn_cookie(p);
	connects(p, 5001, 1500);
	expect_syn(p, 960);
	assert_int_equal(stack_flush(p->stack, p->conn), 1500 - 960);
	assert_int_equal(stack_flush(p->stack, p->conn), 0);
	answers(p, 5001, 961, answer);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(961), .ack = 1001 });
	expect_nothing(p);
	assert_int_equal(peer_info(p).send_q, 0);
	ends(p);
	peer_stop(p);
}

static void request_goes_with_the_syn(void **state)
{
	struct peer *p = peer_start(client);
	struct tcp_options options;

	(void)state;
	learn_cookie(p);
	connects(p, 5001, 500);
	options = expect_syn(p, 500);
	assert_int_equal(options.fastopen_bytes, 8);
	assert_int_equal(options.fastopen[3], 0x5a);
	expect_nothing(p);
	answers(p, 5001, 501, answer);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(501), .ack = 1001 });
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	assert_true(p->ready_flags & READY_CONNECTED);
	assert_true(peer_info(p).fastopen);
	assert_int_equal(peer_info(p).bytes_acked, 500);
	assert_int_equal(peer_info(p).send_q, 0);
	assert_int_equal(counters(p)->tfo_active, 1);
	service_sends(p, 700);
	expect_request(p, 501, 700);
	ends(p);
	peer_stop(p);
}

/* As much as fits the peer's segments; the rest follows when the connection is open. */
static void long_requests(void **state)
{
	struct peer *p = peer_start(client);

	(void)state;
	learn_cookie(p);
	connects(p, 5001, 3000);
	expect_syn(p, 960);
	answers(p, 5001, 961, answer);
	expect_request(p, 961, 1000);
	expect_request(p, 1961, 1000);
	expect_request(p, 2961, 40);
	ends(p);
	peer_stop(p);
}

/* The peer takes none or a part of it: that is sent again at once, and is no loss. */
static void data_that_is_not_taken(void **state)
{
	struct peer *p = peer_start(client);
	struct tcp_options options;
	uint32_t cwnd;

	(void)state;
	learn_cookie(p);
	for (uint32_t part = 0; part <= 200; part += 200) {
		uint16_t port = (uint16_t)(5001 + part);

		connects(p, port, 500);
		expect_syn(p, 500);
		answers(p, port, 1 + part, answer_with(4, 0x33)); /* a new cookie with it */
		expect_request(p, 1 + part, 500 - part);
		expect_nothing(p);
		cwnd = (uint32_t)peer_info(p).cwnd;
		assert_int_equal(cwnd, 10 * 1000);
		assert_int_equal(peer_info(p).fastopen, part > 0);
		assert_int_equal(peer_info(p).fastopen_refused, part == 0);
		assert_int_equal(peer_info(p).ca_state, 0);
		ends(p);
	}
	assert_int_equal(counters(p)->tfo_active, 1);
	assert_int_equal(counters(p)->tfo_active_fail, 1);
	connects(p, 5002, 500);
	options = expect_syn(p, 500);
	assert_int_equal(options.fastopen_bytes, 4);
	assert_int_equal(options.fastopen[0], 0x33);
	ends(p);
	peer_stop(p);
}

/* Neither taken nor answered with a new cookie: the peer has given Fast Open up. */
static void peer_without_it(void **state)
{
	struct peer *p = peer_start(client);
	struct tcp_options options;

	(void)state;
	learn_cookie(p);
	connects(p, 5001, 500);
	expect_syn(p, 500);
	answers(p, 5001, 1, answer);
	expect_request(p, 1, 500);
	ends(p);
	assert_int_equal(path_info(p).fastopen_bytes, 0);
	connects(p, 5002, 500);
	options = expect_syn(p, 0);
	assert_false(options.has_fastopen);
	ends(p);
	peer_waits(p, DURATION_S(600));
	peer_ignores_rest(p);
	connects(p, 5003, 500);
	options = expect_syn(p, 0);
	assert_true(options.has_fastopen); /* asked again, after a while */
	answers(p, 5003, 1, answer);
	ends(p);
	assert_int_equal(path_info(p).fastopen_failures, 2);
	peer_stop(p);
}

/* Section 4.1.3.1: a SYN that is not answered may have been thrown away for its option. */
static void unanswered_syn(void **state)
{
	struct peer *p = peer_start(client);
	struct tcp_options options;

	(void)state;
	learn_cookie(p);
	connects(p, 5001, 500);
	expect_syn(p, 500);
	peer_waits(p, DURATION_MS(1100));
	options = expect_syn(p, 0);
	assert_false(options.has_fastopen);
	answers(p, 5001, 1, answer);
	expect_request(p, 1, 500);
	ends(p);
	assert_int_equal(path_info(p).fastopen_failures, 1);
	assert_in_range(path_info(p).fastopen_blocked.ns, DURATION_S(590).ns, DURATION_S(600).ns);
	connects(p, 5002, 500);
	options = expect_syn(p, 0);
	assert_false(options.has_fastopen);
	ends(p);
	peer_waits(p, DURATION_S(600));
	peer_ignores_rest(p);
	connects(p, 5003, 500);
	options = expect_syn(p, 500); /* the cookie is still good */
	assert_int_equal(options.fastopen_bytes, 8);
	answers(p, 5003, 501, answer);
	assert_int_equal(path_info(p).fastopen_failures, 0);
	ends(p);
	peer_stop(p);
}

/* The first SYN did arrive, and only its answer was late. */
static void late_answer_to_the_first_syn(void **state)
{
	struct peer *p = peer_start(client);

	(void)state;
	learn_cookie(p);
	connects(p, 5001, 500);
	expect_syn(p, 500);
	peer_waits(p, DURATION_MS(1100));
	expect_syn(p, 0);
	answers(p, 5001, 501, answer);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(501), .ack = 1001 });
	assert_int_equal(peer_info(p).bytes_acked, 500);
	ends(p);
	peer_stop(p);
}

static void cookie_with_all_options(void **state)
{
	struct peer *p = peer_start(client);
	struct tcp_options options;

	(void)state;
	connects(p, 5000, 500);
	expect_syn(p, 0);
	answers(p, 5000, 1, answer_with(16, 0x77));
	ends(p);
	connects(p, 5001, 500);
	options = expect_syn(p, 500);
	assert_int_equal(options.fastopen_bytes, 16);
	assert_true(options.has_mss && options.sack_permitted && options.has_wscale);
	ends(p);
	peer_stop(p);
}

/* Nothing queued: the cookie goes alone, for a server that speaks first. */
static void nothing_to_say(void **state)
{
	struct peer *p = peer_start(client);

	(void)state;
	learn_cookie(p);
	connects(p, 5001, 0);
	assert_int_equal(expect_syn(p, 0).fastopen_bytes, 8);
	answers(p, 5001, 1, answer);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_int_equal(path_info(p).fastopen_bytes, 8);
	assert_int_equal(path_info(p).fastopen_failures, 0);
	ends(p);
	peer_stop(p);
}

static void client_is_off_by_default(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	connects(p, 5000, 500);
	assert_false(expect_syn(p, 0).has_fastopen);
	ends(p);
	peer_stop(p);
}

/* Closed before it is open: as without Fast Open. */
static void simultaneous_open(void **state)
{
	struct peer *p = peer_start(client);

	(void)state;
	learn_cookie(p);
	connects(p, 5001, 500);
	expect_syn(p, 500);
	peer_sends(p, (struct seg){ .flags = TCP_SYN,
	                            .seq = 1000,
	                            .source_port = SERVER_PORT,
	                            .destination_port = 5001,
	                            .options = answer });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .seq = OURS(0), .ack = 1001 });
	assert_false(p->last.options.has_fastopen);
	peer_sends(p, (struct seg){ .flags = TCP_ACK,
	                            .seq = 1001,
	                            .ack = OURS(1),
	                            .source_port = SERVER_PORT,
	                            .destination_port = 5001 });
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_waits(p, DURATION_S(4));
	expect_request(p, 1, 500);
	ends(p);
	peer_stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syn_ack_without_ecn),
		cmocka_unit_test(data_is_there_before_the_handshake_is),
		cmocka_unit_test(off_by_default),
		cmocka_unit_test(wrong_cookie),
		cmocka_unit_test(keys_change),
		cmocka_unit_test(pending_is_limited),
		cmocka_unit_test(lost_syn_ack_comes_again),
		cmocka_unit_test(client_that_vanishes),
		cmocka_unit_test(closed_before_the_handshake),
		cmocka_unit_test(data_beyond_the_window),
		cmocka_unit_test(syn_cookies_come_first),
		cmocka_unit_test(no_memory_is_the_ordinary_way),
		cmocka_unit_test(flush_leaves_what_the_syn_took),
		cmocka_unit_test(request_goes_with_the_syn),
		cmocka_unit_test(long_requests),
		cmocka_unit_test(data_that_is_not_taken),
		cmocka_unit_test(peer_without_it),
		cmocka_unit_test(unanswered_syn),
		cmocka_unit_test(late_answer_to_the_first_syn),
		cmocka_unit_test(cookie_with_all_options),
		cmocka_unit_test(nothing_to_say),
		cmocka_unit_test(client_is_off_by_default),
		cmocka_unit_test(simultaneous_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
