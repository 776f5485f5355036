/* Numbers that nobody outside may guess. */
#include "../../support/test_memory.h"
#include "../../support/test_random.h"
#include "core/tcp/engine.h"

#include <errno.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct test_memory memories[3]; /* by secret */

static struct stack *make(uint8_t secret, uint16_t port_first, uint16_t port_last)
{
	struct memory memory = test_memory(&memories[secret]);
	struct stack_config config;
	struct stack *stack;

	stack_config_init(&config);
	memset(config.secret, secret, sizeof(config.secret));
	config.address[0] = (struct stack_address){ ip_addr_v4(0xc0000202), 120 };
	config.address_count = 1;
	config.port_first = port_first;
	config.port_last = port_last;
	assert_int_equal(stack_new(&config, &memory, (struct instant){ 1000000000000 }, &stack), 0);
	return stack;
}

static void unmake(struct stack *stack)
{
	stack_free(stack);
	for (int i = 0; i < 3; i++)
		assert_int_equal(memories[i].live_count, 0);
}

static struct flow a_flow(uint16_t local_port, uint16_t remote_port)
{
	return (struct flow){ .local = ip_addr_v4(0xc0000202),
		              .remote = ip_addr_v4(0xc0000201),
		              .local_port = local_port,
		              .remote_port = remote_port };
}

/* RFC 6528: per flow a clock of 4 us; between flows, and between secrets, nothing to see. */
static void isn_grows_with_time(void **state)
{
	struct stack *stack = make(1, 1000, 2000), *other = make(2, 1000, 2000);
	struct flow flow = a_flow(7, 5000), beside = a_flow(7, 5001);
	seq_t first = secrets_isn(stack, &flow);

	(void)state;
	assert_int_equal(secrets_isn(stack, &flow).v, first.v);
	assert_int_not_equal(secrets_isn(stack, &beside).v, first.v);
	assert_int_not_equal(secrets_isn(other, &flow).v, first.v);
	stack->now.ns += 4000;
	assert_int_equal(secrets_isn(stack, &flow).v, first.v + 1);
	stack->now.ns += 1000000000;
	assert_int_equal(secrets_isn(stack, &flow).v, first.v + 250001);
	assert_int_equal(secrets_timestamp_offset(stack, &flow), secrets_timestamp_offset(stack, &flow));
	assert_int_not_equal(secrets_timestamp_offset(stack, &flow), secrets_timestamp_offset(stack, &beside));
	stack_free(other);
	unmake(stack);
}

static void cookie_comes_back(void **state)
{
	static const struct {
		uint16_t told, kept;
	} sizes[] = { { 0, 48 },      { 216, 48 },    { 535, 48 },    { 536, 536 },   { 1219, 1024 }, { 1220, 1220 },
		      { 1400, 1360 }, { 1440, 1440 }, { 1460, 1460 }, { 8960, 8940 }, { 65535, 8940 } };
	struct stack *stack = make(1, 1000, 2000);
	struct flow flow = a_flow(7, 5000), beside = a_flow(7, 5001);
	seq_t irs = SEQ(123456), cookie;
	uint16_t mss;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		cookie = secrets_cookie(stack, &flow, irs, sizes[i].told, 7);
		assert_true(secrets_cookie_check(stack, &flow, irs, cookie, 7, &mss));
		assert_int_equal(mss, sizes[i].kept); /* never more than the peer takes */
		assert_true(i == 0 || mss <= sizes[i].told);
	}
	cookie = secrets_cookie(stack, &flow, irs, 1460, 7);
	assert_false(secrets_cookie_check(stack, &beside, irs, cookie, 7, &mss));
	assert_false(secrets_cookie_check(stack, &flow, seq_add(irs, 1), cookie, 7, &mss));
	assert_false(secrets_cookie_check(stack, &flow, irs, seq_add(cookie, 1), 7, &mss));
	assert_false(secrets_cookie_check(stack, &flow, irs, SEQ(cookie.v ^ 1u << 24), 7, &mss)); /* another MSS */
	assert_false(secrets_cookie_check(stack, &flow, irs, SEQ(cookie.v ^ 1u << 31), 7, &mss)); /* another time */
	assert_false(secrets_cookie_check(stack, &flow, irs, cookie, 6, &mss));                   /* other options */
	unmake(stack);
}

static void cookie_ages(void **state)
{
	struct stack *stack = make(1, 1000, 2000);
	struct flow flow = a_flow(7, 5000);
	seq_t cookie;
	uint16_t mss;

	(void)state;
	stack->now.ns = DURATION_S(64 * 100).ns; /* the beginning of a tick */
	cookie = secrets_cookie(stack, &flow, SEQ(9), 1460, 7);
	stack->now.ns = DURATION_S(64 * 103).ns - 1;
	assert_true(secrets_cookie_check(stack, &flow, SEQ(9), cookie, 7, &mss));
	stack->now.ns += 1;
	assert_false(secrets_cookie_check(stack, &flow, SEQ(9), cookie, 7, &mss));
	stack->now.ns = DURATION_S(64 * 132).ns; /* the same five bits of the clock */
	assert_false(secrets_cookie_check(stack, &flow, SEQ(9), cookie, 7, &mss));
	unmake(stack);
}

static void cookies_are_not_guessed(void **state)
{
	struct test_random random = test_random_begin("test_secrets");
	struct stack *stack = make(1, 1000, 2000);
	struct flow flow = a_flow(7, 5000);
	int hits = 0;
	uint16_t mss;

	(void)state;
	for (int i = 0; i < 200000; i++)
		hits += secrets_cookie_check(stack, &flow, SEQ(test_random_u64(&random)),
		                             SEQ(test_random_u64(&random)), 7, &mss);
	assert_true(hits <= 1); /* 3 of 32 ticks, 24 bits: one in 178 million */
	unmake(stack);
}

/* RFC 6056: inside the range, free, and not one after the other. */
static void ports(void **state)
{
	struct stack *stack = make(1, 40000, 40099);
	struct stack_listen_options listen = { .port = 40050, .backlog = 1 };
	bool taken[100] = { false };
	struct conn_handle handle;
	int neighbours = 0;
	uint16_t before = 0;

	(void)state;
	assert_int_equal(stack_listen(stack, &listen, &handle), 0);
	for (int i = 0; i < 99; i++) {
		struct stack_connect_options options = { .remote = ip_addr_v4(0xc0000201), .remote_port = 80 };
		struct stack_conn_info info;

		assert_int_equal(stack_connect(stack, &options, &handle), 0);
		assert_int_equal(stack_info(stack, handle, &info), 0);
		assert_in_range(info.flow.local_port, 40000, 40099);
		assert_int_not_equal(info.flow.local_port, 40050); /* a listener's */
		assert_false(taken[info.flow.local_port - 40000]);
		taken[info.flow.local_port - 40000] = true;
		neighbours += i < 50 && info.flow.local_port == before + 1;
		before = info.flow.local_port;
	}
	assert_true(neighbours < 15);
	{
		struct stack_connect_options options = { .remote = ip_addr_v4(0xc0000201), .remote_port = 80 };

		assert_int_equal(stack_connect(stack, &options, &handle), -EADDRINUSE);
		options.remote_port = 81; /* toward another port all are free */
		assert_int_equal(stack_connect(stack, &options, &handle), 0);
	}
	unmake(stack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(isn_grows_with_time),
		cmocka_unit_test(cookie_comes_back),
		cmocka_unit_test(cookie_ages),
		cmocka_unit_test(cookies_are_not_guessed),
		cmocka_unit_test(ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
