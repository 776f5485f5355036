/* Methods that list a table of every stack: neighbours, own addresses, routers, paths. A table that may be long is
 * cut after TABLE_ROWS_MAX rows of each shard, so one message holds the answer. */
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

#define TABLE_ROWS_MAX 4096

/* The method that lists a table: `fill` is a function of stack.h that fills an array of `info`, and `render` makes an
 * object of one of them. */
#define TABLE(name, info, rows_max, fill, render)                                                                    \
	static size_t fill_##name(const struct stack *stack, void *items, size_t count)                              \
	{                                                                                                            \
		return fill(stack, items, count);                                                                    \
	}                                                                                                            \
	static json_t *render_item_##name(const void *item, struct instant now)                                      \
	{                                                                                                            \
		return render(item, now);                                                                            \
	}                                                                                                            \
	void method_##name(struct call *call)                                                                        \
	{                                                                                                            \
		static const struct table table = { #name, sizeof(info), rows_max, fill_##name,                      \
			                            render_item_##name };                                            \
                                                                                                                     \
		ask(call, &table);                                                                                   \
	}

TABLE(neighbours, struct stack_neighbour_info, TABLE_ROWS_MAX, stack_neighbours, render_neighbour)
TABLE(addresses, struct stack_address_info, STACK_ADDRESSES_INFO_MAX, stack_addresses, render_own_address)
TABLE(routers, struct stack_router_info, STACK_ROUTERS_INFO_MAX, stack_routers, render_router)

/* Its times are durations, which need no clock. */
static json_t *render_path_as_it_is(const struct stack_path_info *info, struct instant now)
{
	(void)now;
	return render_path(info);
}

TABLE(paths, struct stack_path_info, TABLE_ROWS_MAX, stack_paths, render_path_as_it_is)
