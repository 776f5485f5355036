/* Services in a shard: added, listening or not, and gone with their last connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "shard/tenants.h"

#include <errno.h>

/* Here no shard has been started: calls may come from the test's own thread. */
static void added_changed_and_removed(void **state)
{
	struct service_options options = { .id = 5 };
	struct stack_listen_options listen = { .port = 80 };
	struct fixture f;
	struct shard *shard;
	struct stack *stack;
	unsigned ended = 0;

	(void)state;
	fixture_open(&f, 1, (struct duration){ 0 });
	shard = shards_at(f.shards, 0);
	stack = fake_stack(f.shards, 0);
	assert_int_equal(tenant_add(shard, &fake_type, &options), 0);
	assert_int_equal(tenant_add(shard, &fake_type, &options), -EEXIST);
	assert_int_equal(stack->listeners, 0);
	assert_int_equal(tenant_listen(shard, 4, &listen), -ENOENT);
	assert_int_equal(tenant_listen(shard, 5, &listen), 0);
	assert_int_equal(tenant_listen(shard, 5, &listen), -EISCONN);
	assert_int_equal(stack->listeners, 1);
	assert_int_equal(tenant_id_end(shard), 6);
	assert_null(tenant_service(shard, 4));
	assert_null(tenant_service(shard, 6));
	((struct fake_service *)(void *)tenant_service(shard, 5))->ended = &ended;

	assert_int_equal(tenant_deafen(shard, 5), 0);
	assert_int_equal(tenant_deafen(shard, 5), 0);
	assert_int_equal(stack->listeners, 0);
	stack->listen_error = -EADDRINUSE;
	assert_int_equal(tenant_listen(shard, 5, &listen), -EADDRINUSE);
	assert_int_equal(tenant_listen(shard, 5, &listen), 0);

	options.connections_max = 13; /* the fake refuses it */
	assert_int_equal(tenant_configure(shard, &options), -EINVAL);
	options.connections_max = 14;
	assert_int_equal(tenant_configure(shard, &options), 0);
	assert_int_equal(tenant_service(shard, 5)->options.connections_max, 14);
	options.id = 6;
	assert_int_equal(tenant_configure(shard, &options), -ENOENT);

	assert_int_equal(tenant_remove(shard, 5), 0);
	assert_int_equal(tenant_remove(shard, 5), -ENOENT);
	assert_int_equal(stack->listeners, 0);
	assert_int_equal(ended, 1);
	fixture_close(&f);
}

struct report {
	struct stack *stack;
	struct stack_ready ready;
};

static void report_on_shard(void *context, struct shard *shard)
{
	struct report *report = context;

	(void)shard;
	report->stack->ready = report->ready;
	report->stack->has_ready = true;
}

/* The stack says this of the service's connection, and the turn that hears it has been finished. */
static void report(struct fixture *f, uint16_t id, uint32_t flags)
{
	struct stack *stack = fake_stack(f->shards, 0);
	struct report report = { stack, { .conn = { 1 }, .service = id, .flags = flags } };
	unsigned before;

	shards_call(f->shards, report_on_shard, &report);
	before = stack->settles;
	fake_link_arrive(f->link, 0, 1);
	WAIT_FOR(f, stack->settles > before);
}

struct removal {
	unsigned ended;
	const struct service *left;
	int error;
};

static void remove_on_shard(void *context, struct shard *shard)
{
	struct removal *removal = context;

	removal->error = tenant_remove(shard, 1);
	removal->left = tenant_service(shard, 1);
}

static void leaves_with_its_last_connection(void **state)
{
	struct service_options options = { .id = 1 };
	struct stack_listen_options listen = { .port = 80 };
	struct removal removal = { 0 };
	struct fixture f;

	(void)state;
	fixture_open(&f, 1, (struct duration){ 0 });
	assert_int_equal(tenant_add(shards_at(f.shards, 0), &fake_type, &options), 0);
	assert_int_equal(tenant_listen(shards_at(f.shards, 0), 1, &listen), 0);
	((struct fake_service *)(void *)tenant_service(shards_at(f.shards, 0), 1))->ended = &removal.ended;
	assert_int_equal(shards_start(f.shards), 0);
	report(&f, 1, READY_ACCEPTED);
	shards_call(f.shards, remove_on_shard, &removal);
	assert_int_equal(removal.error, 0);
	assert_null(removal.left);
	assert_int_equal(removal.ended, 0);
	report(&f, 1, READY_ERROR);
	report(&f, 1, READY_READABLE); /* nobody's: must not crash */
	shards_stop(f.shards);
	assert_int_equal(removal.ended, 1);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(added_changed_and_removed),
		cmocka_unit_test(leaves_with_its_last_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
