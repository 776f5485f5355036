/* RFC 7413: data with the SYN. */
#include "dialogue.h"

#define DATA 300

static void as_server(struct stack_config *config)
{
	config->tcp.fastopen_server = true;
}

static void at_most_two(struct stack_config *config)
{
	as_server(config);
	config->tcp.fastopen_pending_max = 2;
}

static void as_client(struct stack_config *config)
{
	classic(config);
	config->tcp.fastopen_client = true;
}

/* ---- the server
 * -------------------------------------------------------------------------------------------------------- */

static struct tcp_options wish(void)
{
	struct tcp_options options = mss_option(1000);

	options.has_fastopen = true;
	return options;
}

/* A SYN of its own asks for it. */
static struct tcp_options get_cookie(struct peer *p)
{
	struct tcp_options cookie = wish();

	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 500, .source_port = 39000, .options = cookie });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 501 });
	assert_true(p->last.options.has_fastopen);
	assert_in_range(p->last.options.fastopen_bytes, 4, 16);
	cookie.fastopen_bytes = p->last.options.fastopen_bytes;
	memcpy(cookie.fastopen, p->last.options.fastopen, sizeof(cookie.fastopen));
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 501, .source_port = 39000 });
	return cookie;
}

/* A SYN with data; the SYN-ACK must acknowledge `taken` octets of it. */
static void opens_with_data(struct peer *p, uint16_t port, struct tcp_options options, uint32_t taken)
{
	p->ready_flags = 0;
	peer_sends(p, (struct seg){ .flags = TCP_SYN,
	                            .seq = THEIR_ISN,
	                            .length = DATA,
	                            .source_port = port,
	                            .options = options });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1 + taken) });
}

void rfc7413_off_by_default(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	opens_with_data(p, PEER_PORT, wish(), 0);
	assert_false(p->last.options.has_fastopen);
	peer_stop(p);
	p = peer_start(NULL);
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	assert_false(p->last.options.has_fastopen);
	peer_stop_anyhow(p);
}

void rfc7413_server_gives_a_cookie(void **state)
{
	struct peer *p = peer_start(as_server);
	struct tcp_options first = get_cookie(p), second = get_cookie(p);

	(void)state;
	assert_memory_equal(first.fastopen, second.fastopen,
	                    first.fastopen_bytes);    /* of the address, not of the port */
	opens_with_data(p, PEER_PORT, no_options, 0); /* no wish: none */
	assert_false(p->last.options.has_fastopen);
	peer_stop(p);
}

void rfc7413_data_with_a_valid_cookie(void **state)
{
	struct peer *p = peer_start(as_server);
	struct tcp_options cookie = get_cookie(p);

	(void)state;
	opens_with_data(p, PEER_PORT, cookie, DATA);
	assert_true(p->ready_flags & READY_ACCEPTED);
	assert_int_equal(peer_state(p), TCPS_SYN_RECEIVED);
	assert_int_equal(service_reads(p), DATA);
	service_sends(p, 500);
	hears(p, TCP_ACK, 1, 500, 1 + DATA);
	says(p, TCP_ACK, 1 + DATA, 0, 501);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop(p);
}

void rfc7413_data_with_an_invalid_cookie(void **state)
{
	struct peer *p = peer_start(as_server);
	struct tcp_options cookie = get_cookie(p), wrong = cookie;

	(void)state;
	wrong.fastopen[3] ^= 0x40;
	opens_with_data(p, PEER_PORT, wrong, 0);
	assert_int_equal(p->ready_flags, 0);
	assert_memory_equal(p->last.options.fastopen, cookie.fastopen, cookie.fastopen_bytes);
	says(p, TCP_ACK, 1, DATA, 1); /* and once more, the ordinary way */
	assert_int_equal(service_reads(p), DATA);
	peer_stop_anyhow(p);
}

void rfc7413_pending_connections_are_limited(void **state)
{
	struct peer *p = peer_start(at_most_two);
	struct tcp_options cookie = get_cookie(p);
	struct conn_handle first;

	(void)state;
	opens_with_data(p, 3000, cookie, DATA);
	first = p->conn;
	opens_with_data(p, 3001, cookie, DATA);
	opens_with_data(p, 3002, cookie, 0);
	assert_int_equal(p->ready_flags, 0);
	stack_abort(p->stack, first);
	peer_stop_anyhow(p);
}

/* ---- the client
 * -------------------------------------------------------------------------------------------------------- */

/* An active open from this port, with data queued at once; returns the options of the SYN, which must carry `sent`.
 */
static struct tcp_options connects_with_data(struct peer *p, uint16_t port, uint32_t sent)
{
	struct stack_connect_options to = { .remote = PEER_IP, .remote_port = SERVICE_PORT, .local_port = port };
	uint8_t request[DATA];
	struct tcp_segment syn;

	assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
	for (uint32_t i = 0; i < DATA; i++)
		request[i] = peer_pattern(1 + i);
	assert_int_equal(stack_send(p->stack, p->conn, request, DATA), DATA);
	peer_turn(p);
	assert_int_equal(frames_waiting(p), 1);
	assert_int_equal(tcp_read(next_ip(p).payload, next_ip(p).payload_bytes, &syn), 0);
	assert_int_equal(syn.flags & ~TCP_PSH, TCP_SYN);
	assert_int_equal(syn.payload_bytes, sent);
	for (uint32_t i = 0; i < sent; i++)
		assert_int_equal(syn.payload[i], peer_pattern(1 + i));
	p->iss = syn.seq.v;
	peer_ignores_rest(p);
	return syn.options;
}

static void answered(struct peer *p, uint16_t port, uint32_t acks, bool brings_cookie)
{
	struct tcp_options options = mss_option(1000);

	options.has_fastopen = brings_cookie;
	options.fastopen_bytes = brings_cookie ? 8 : 0;
	memset(options.fastopen, 0x5a, options.fastopen_bytes);
	peer_sends(p, (struct seg){ .flags = TCP_SYN | TCP_ACK,
	                            .seq = THEIR_ISN,
	                            .ack = OURS(acks),
	                            .options = options,
	                            .source_port = SERVICE_PORT,
	                            .destination_port = port });
}

static struct peer *knows_a_cookie(void)
{
	struct peer *p = peer_start(as_client);
	struct tcp_options syn = connects_with_data(p, 5000, 0);

	assert_true(syn.has_fastopen);
	assert_int_equal(syn.fastopen_bytes, 0);
	answered(p, 5000, 1, true);
	hears(p, TCP_ACK, 1, DATA, 1);
	stack_abort(p->stack, p->conn);
	peer_turn(p);
	peer_ignores_rest(p);
	return p;
}

void rfc7413_client_learns_a_cookie(void **state)
{
	struct peer *p = knows_a_cookie();
	struct tcp_options syn = connects_with_data(p, 5001, DATA);

	(void)state;
	assert_int_equal(syn.fastopen_bytes, 8);
	assert_int_equal(syn.fastopen[7], 0x5a);
	answered(p, 5001, 1 + DATA, false);
	hears(p, TCP_ACK, 1 + DATA, 0, 1);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_stop(p);
}

void rfc7413_data_not_taken_is_sent_again(void **state)
{
	struct peer *p = knows_a_cookie();

	(void)state;
	connects_with_data(p, 5001, DATA);
	answered(p, 5001, 1, false);
	hears(p, TCP_ACK, 1, DATA, 1);
	expect_nothing(p);
	assert_int_equal(peer_info(p).ca_state, 0); /* no sign of congestion */
	peer_stop(p);
}

void rfc7413_syn_without_an_answer(void **state)
{
	struct peer *p = knows_a_cookie();

	(void)state;
	connects_with_data(p, 5001, DATA);
	wakes_after(p, 1000);
	expect(p, (struct seg){ .flags = TCP_SYN, .seq = OURS(0) });
	assert_false(p->last.options.has_fastopen);
	answered(p, 5001, 1, false);
	hears(p, TCP_ACK, 1, DATA, 1);
	peer_stop(p);
}
