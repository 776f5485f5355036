/* The flow table: from a five-tuple to its record, of whichever kind. Buckets hold references (kind and slot),
 * chained through the records; the hash is keyed, so nobody outside can aim for one bucket. */
#include "core/tcp/engine.h"

#include <errno.h>

#define REF_NONE UINT32_MAX
#define REF_SLOT_BITS 30

static uint32_t make_ref(const struct flow_node *node, enum record_kind kind)
{
	return (uint32_t)kind << REF_SLOT_BITS | node->head.slot;
}

static struct flow_node *deref(const struct stack *stack, uint32_t ref)
{
	uint32_t slot = ref & ((1u << REF_SLOT_BITS) - 1);

	switch (ref >> REF_SLOT_BITS) {
	case RECORD_CONN:
		return pool_at(&stack->conns, slot);
	case RECORD_HALF_OPEN:
		return pool_at(&stack->half_opens, slot);
	default:
		return pool_at(&stack->time_waits, slot);
	}
}

int demux_init(struct stack *stack)
{
	uint64_t records =
	        (uint64_t)stack->config.connections_max + stack->config.half_open_max + stack->config.time_wait_max;
	uint32_t count = 1024;

	while (count < records && count < 1u << 22)
		count *= 2;
	stack->buckets = stack->memory.alloc(stack->memory.context, count * sizeof(*stack->buckets));
	if (!stack->buckets)
		return -ENOMEM;
	memset(stack->buckets, 0xff, count * sizeof(*stack->buckets));
	stack->bucket_mask = count - 1;
	for (int i = 0; i < LISTENER_BUCKETS; i++)
		stack->listener_bucket[i] = POOL_NONE;
	return 0;
}

static uint32_t *bucket_of(const struct stack *stack, const struct flow *flow)
{
	return &stack->buckets[keyed_hash(&stack->flow_key, flow, sizeof(*flow)) & stack->bucket_mask];
}

void demux_insert(struct stack *stack, struct flow_node *node, enum record_kind kind)
{
	uint32_t *bucket = bucket_of(stack, &node->flow);

	node->next = *bucket;
	*bucket = make_ref(node, kind);
}

void demux_remove(struct stack *stack, struct flow_node *node, enum record_kind kind)
{
	uint32_t wanted = make_ref(node, kind);
	uint32_t *ref = bucket_of(stack, &node->flow);

	while (*ref != wanted) {
		CORE_ASSERT(*ref != REF_NONE);
		ref = &deref(stack, *ref)->next;
	}
	*ref = node->next;
	if (kind == RECORD_CONN && stack->last_conn == (struct conn *)node)
		stack->last_conn = NULL;
}

struct flow_node *demux_find(struct stack *stack, const struct flow *flow, enum record_kind *ret_kind)
{
	uint32_t ref;

	if (stack->last_conn && flow_equal(&stack->last_conn->node.flow, flow)) {
		*ret_kind = RECORD_CONN;
		return &stack->last_conn->node;
	}
	for (ref = *bucket_of(stack, flow); ref != REF_NONE;) {
		struct flow_node *node = deref(stack, ref);

		if (flow_equal(&node->flow, flow)) {
			*ret_kind = (enum record_kind)(ref >> REF_SLOT_BITS);
			if (*ret_kind == RECORD_CONN)
				stack->last_conn = (struct conn *)node;
			return node;
		}
		ref = node->next;
	}
	return NULL;
}

struct listener *demux_listener(struct stack *stack, const struct ip_addr *local, uint16_t port)
{
	struct listener *any = NULL;
	uint32_t slot = stack->listener_bucket[port % LISTENER_BUCKETS];

	while (slot != POOL_NONE) {
		struct listener *listener = pool_at(&stack->listeners, slot);

		if (listener->options.port == port) {
			if (ip_addr_equal(&listener->options.address, local))
				return listener;
			if (ip_addr_is_any(&listener->options.address))
				any = listener;
		}
		slot = listener->next_slot;
	}
	return any;
}
