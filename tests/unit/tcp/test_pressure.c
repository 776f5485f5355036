/* Many peers that let us send and never read: what they can hold of the buffers, and what is left for others. */
#include "../../support/peer.h"

#define BLOCKS 128u
#define SLOW_PEERS 200u
#define FIRST_PORT 20000u

static void small_buffers(struct stack_config *config)
{
	config->buffers_max_bytes = BLOCKS * 16384ull;
	config->tcp.path_mtu = STACK_PATH_MTU_ICMP;
}

static uint64_t buffer_bytes(struct peer *p)
{
	struct stack_gauges gauges;

	stack_get_gauges(p->stack, &gauges);
	return gauges.buffer_bytes;
}

static struct conn_handle opens(struct peer *p, uint16_t port, uint32_t window)
{
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .source_port = port });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK,
	                        .ack = 1001,
	                        .source_port = SERVICE_PORT,
	                        .destination_port = port });
	peer_sends(p, (struct seg){
	                      .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .source_port = port, .window = window });
	return p->conn;
}

/* As much as the stack takes. */
static uint32_t fills(struct peer *p, struct conn_handle conn)
{
	static const uint8_t bytes[65536];
	uint32_t sum = 0;
	ssize_t taken;

	while ((taken = stack_send(p->stack, conn, bytes, sizeof(bytes))) > 0)
		sum += (uint32_t)taken;
	return sum;
}

static void closed_windows_leave_room_for_others(void **state)
{
	struct peer *p = peer_start(small_buffers);
	struct conn_handle slow[SLOW_PEERS], honest;
	uint32_t ended = 0;

	(void)state;
	for (uint32_t i = 0; i < SLOW_PEERS; i++) {
		slow[i] = opens(p, (uint16_t)(FIRST_PORT + i), WINDOW_ZERO);
		if (i < 20)
			fills(p, slow[i]);
	}
	/* Those that came later could take little, and something is left. */
	assert_true(buffer_bytes(p) < (BLOCKS - BLOCKS / 8) * 16384ull);
	honest = opens(p, 30000, 65535);
	assert_int_equal(stack_send(p->stack, honest, "honest", 6), 6);
	peer_turn(p);
	peer_ignores_rest(p);
	/* All of them: the buffers run short, and who holds some behind a closed window is given up soon. */
	for (uint32_t i = 0; i < SLOW_PEERS; i++)
		fills(p, slow[i]);
	assert_true(buffer_bytes(p) >= (BLOCKS - BLOCKS / 8) * 16384ull);
	for (int second = 0; second < 60 && buffer_bytes(p) > (BLOCKS - BLOCKS / 8) * 16384ull; second++) {
		peer_waits(p, DURATION_S(1));
		peer_ignores_rest(p);
	}
	assert_true(buffer_bytes(p) <= (BLOCKS - BLOCKS / 8) * 16384ull);
	for (uint32_t i = 0; i < SLOW_PEERS; i++) {
		struct stack_conn_info info;

		if (stack_info(p->stack, slow[i], &info) == 0 && info.state == TCPS_CLOSED)
			ended++;
		stack_abort(p->stack, slow[i]);
	}
	assert_in_range(ended, 1, 60); /* no more than it takes */
	stack_abort(p->stack, honest);
	peer_turn(p);
	peer_stop_anyhow(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closed_windows_leave_room_for_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
