/* Methods that list a table of every stack: neighbours, own addresses, routers, paths. Tables are bounded, so one
 * message holds all of them. */
#include "control/context.h"
#include "shard/render.h"

#include <stdlib.h>

struct table {
	const char *name; /* of the list in the answer */
	size_t item_size, items_max;
	size_t (*fill)(const struct stack *stack, void *items, size_t count);
	json_t *(*render)(const void *item, struct instant now);
};

struct question {
	struct shard_job job; /* goes from shard to shard */
	const struct table *table;
	struct call *call;
	struct shards *shards;
	uint32_t index;
	json_t *array;
	size_t count;
	_Alignas(max_align_t) char items[];
};

static void run(struct shard_job *job, struct stack *stack)
{
	struct question *question = (struct question *)job;

	question->count = question->table->fill(stack, question->items, question->table->items_max);
}

static void done(struct shard_job *job)
{
	struct question *question = (struct question *)job;
	struct instant now = shard_now();

	for (size_t i = 0; i < question->count; i++) {
		json_t *object = question->table->render(question->items + i * question->table->item_size, now);

		if (object)
			json_object_set_new(object, "shard", json_integer(question->index));
		json_array_append_new(question->array, object);
	}
	if (++question->index < shards_count(question->shards)) {
		shard_post(shards_at(question->shards, question->index), &question->job);
		return;
	}
	call_reply(question->call, json_pack("{s:o}", question->table->name, question->array));
	free(question);
}

static void ask(struct call *call, const struct table *table)
{
	struct question *question = calloc(1, sizeof(*question) + table->item_size * table->items_max);

	if (!question) {
		call_fail_memory(call);
		return;
	}
	question->job.run = run;
	question->job.done = done;
	question->table = table;
	question->call = call;
	question->shards = call_control(call)->options.shards;
	question->array = json_array();
	shard_post(shards_at(question->shards, 0), &question->job);
}

/* ---- the tables ------------------------------------------------------------------------------------------------ */

static size_t fill_neighbours(const struct stack *stack, void *items, size_t count)
{
	return stack_neighbours(stack, items, count);
}

static json_t *render_one_neighbour(const void *item, struct instant now)
{
	return render_neighbour(item, now);
}

static size_t fill_addresses(const struct stack *stack, void *items, size_t count)
{
	return stack_addresses(stack, items, count);
}

static json_t *render_one_address(const void *item, struct instant now)
{
	return render_own_address(item, now);
}

static size_t fill_routers(const struct stack *stack, void *items, size_t count)
{
	return stack_routers(stack, items, count);
}

static json_t *render_one_router(const void *item, struct instant now)
{
	return render_router(item, now);
}

static size_t fill_paths(const struct stack *stack, void *items, size_t count)
{
	return stack_paths(stack, items, count);
}

static json_t *render_one_path(const void *item, struct instant now)
{
	(void)now;
	return render_path(item);
}

void method_neighbours(struct call *call)
{
	static const struct table table = { "neighbours", sizeof(struct stack_neighbour_info), 4096, fill_neighbours,
		                            render_one_neighbour };

	ask(call, &table);
}

void method_addresses(struct call *call)
{
	static const struct table table = { "addresses", sizeof(struct stack_address_info), STACK_ADDRESSES_INFO_MAX,
		                            fill_addresses, render_one_address };

	ask(call, &table);
}

void method_routers(struct call *call)
{
	static const struct table table = { "routers", sizeof(struct stack_router_info), STACK_ROUTERS_INFO_MAX,
		                            fill_routers, render_one_router };

	ask(call, &table);
}

void method_paths(struct call *call)
{
	static const struct table table = { "paths", sizeof(struct stack_path_info), 4096, fill_paths,
		                            render_one_path };

	ask(call, &table);
}
