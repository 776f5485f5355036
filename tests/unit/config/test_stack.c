/* What the configuration tells the stack. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct config *load(const char *const *set, size_t count)
{
	const struct config_source source = { .set = set, .set_count = count };
	struct config_errors errors = CONFIG_ERRORS_INIT;
	struct config *config = NULL;

	assert_int_equal(config_load(&source, &config, &errors), 0);
	return config;
}

/* The table's defaults are the core's, so that neither can drift. */
static void test_defaults(void **state)
{
	struct config *config = load(NULL, 0);
	struct stack_config core, ours;
	size_t count, tunables = 0;
	const struct config_key *keys = config_keys(&count);

	(void)state;
	stack_config_init(&core);
	config_stack(config, &ours);
#define SAME(field) assert_int_equal(ours.field, core.field)
	SAME(mtu_bytes);
	SAME(connections_max);
	SAME(half_open_max);
	SAME(time_wait_max);
	SAME(listeners_max);
	SAME(neighbours_max);
	SAME(paths_max);
	SAME(buffers_max_bytes);
	SAME(fragments_max_bytes);
	SAME(port_first);
	SAME(dad_transmits);
	for (size_t i = 0; i < count; i++) {
		struct config as_core = *config;
		char *text = NULL, *of_core = NULL;

		as_core.tcp = core.tcp;
		assert_int_equal(config_get(config, &keys[i], &text), 0);
		assert_int_equal(config_get(&as_core, &keys[i], &of_core), 0);
		if (strcmp(text, of_core) != 0)
			fail_msg("%s: %s here, %s in the core", keys[i].path, text, of_core);
		tunables += strncmp(keys[i].path, "tcp.", 4) == 0;
		free(text);
		free(of_core);
	}
	assert_in_range(tunables, 50, 200);
	config_free(config);
}

static void test_values(void **state)
{
	const char *const set[] = { "stack.addresses=[198.51.100.2/25, 192.0.2.9/24]",
		                    "stack.gateway=192.0.2.254",
		                    "stack.gateway6=fe80::1",
		                    "stack.accept_ra=yes",
		                    "stack.dad_transmits=3",
		                    "link.mtu=9000",
		                    "limits.half_open=7",
		                    "limits.fragments=0",
		                    "tcp.sack=no",
		                    "tcp.msl=1ms" };
	struct config *config = load(set, sizeof(set) / sizeof(set[0]));
	struct stack_config ours;

	(void)state;
	config_stack(config, &ours);
	assert_memory_equal(ours.mac.b, "\x02\x00\xc6\x33\x64\x02", 6);
	assert_int_equal(ours.address_count, 2);
	assert_int_equal(ip_addr_to_v4(&ours.address[0].ip), 0xc6336402);
	assert_int_equal(ours.address[0].prefix_bits, 96 + 25);
	assert_int_equal(ours.address[1].prefix_bits, 96 + 24);
	assert_int_equal(ip_addr_to_v4(&ours.gateway), 0xc00002fe);
	assert_int_equal(ours.gateway6.b[0], 0xfe);
	assert_true(ours.accept_ra);
	assert_int_equal(ours.dad_transmits, 3);
	assert_int_equal(ours.mtu_bytes, 9000);
	assert_int_equal(ours.half_open_max, 7);
	assert_int_equal(ours.fragments_max_bytes, 0);
	assert_false(ours.tcp.sack);
	assert_int_equal(ours.tcp.msl.ns, 1000000);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
