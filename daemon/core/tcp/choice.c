/* Which congestion algorithm a connection has: by rules when it begins, by an administrator later; and the way of all
 * of them from one algorithm to another. */
#include "core/tcp/engine.h"
#include "core/wire/ipv6.h"

#include <errno.h>

#define WEIGHT_MAX 1000000u
#define MOVES_PER_CALL 4096u

/* ---- rules -------------------------------------------------------------------------------------------------------
 */

static bool rule_makes_sense(const struct stack_congestion_rule *rule)
{
	if (rule->arm_count > STACK_RULE_ARMS_MAX || rule->peer.prefix_bits > 128 || rule->sample_every.ns < 0)
		return false;
	for (uint32_t i = 0; i < rule->arm_count; i++) {
		if (!rule->arm[i].congestion || rule->arm[i].weight == 0 || rule->arm[i].weight > WEIGHT_MAX)
			return false;
	}
	return true;
}

/* Calls `change` for each place in a rule that refers to an algorithm. */
static void each_reference(struct stack_congestion_rule *rule,
                           void (*change)(const struct stack_congestion **place, const void *context),
                           const void *context)
{
	for (uint32_t i = 0; i < rule->arm_count; i++)
		change(&rule->arm[i].congestion, context);
	if (rule->shadow)
		change(&rule->shadow, context);
}

static void hold(const struct stack_congestion **place, const void *context)
{
	(void)context;
	algorithm_hold(*place);
}

static void release(const struct stack_congestion **place, const void *context)
{
	(void)context;
	algorithm_release(*place);
}

static void drop_rules(struct stack *stack)
{
	struct rules *rules = &stack->rules;

	for (size_t i = 0; i < rules->count; i++)
		each_reference(&rules->rule[i], release, NULL);
	if (rules->rule)
		stack->memory.free(stack->memory.context, rules->rule, rules->count * sizeof(*rules->rule));
	rules->rule = NULL;
	rules->count = 0;
}

int stack_set_congestion_rules(struct stack *stack, const struct stack_congestion_rule *rules, size_t count)
{
	struct stack_congestion_rule *copy = NULL;

	if (count > STACK_RULES_MAX)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (!rule_makes_sense(&rules[i]))
			return -EINVAL;
	}
	if (count > 0) {
		copy = stack->memory.alloc(stack->memory.context, count * sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, rules, count * sizeof(*copy));
	}
	for (size_t i = 0; i < count; i++)
		each_reference(&copy[i], hold, NULL);
	drop_rules(stack);
	stack->rules.rule = copy;
	stack->rules.count = count;
	return 0;
}

static const struct stack_congestion_rule *rule_for(const struct stack *stack, const struct flow *flow,
                                                    uint16_t service)
{
	for (size_t i = 0; i < stack->rules.count; i++) {
		const struct stack_congestion_rule *rule = &stack->rules.rule[i];

		if ((rule->any_service || rule->service == service) &&
		    ip_addr_match(&flow->remote, &rule->peer.ip, rule->peer.prefix_bits))
			return rule;
	}
	return NULL;
}

/* The same five-tuple falls on the same arm in all stacks that have the same secret: in all shards, as long as the
 * daemon lives. Who knows the secret only can tell which, and nobody outside can choose. */
static const struct stack_congestion *arm_for(const struct stack *stack, const struct stack_congestion_rule *rule,
                                              const struct flow *flow)
{
	uint64_t sum = 0, at;
	uint32_t i = 0;

	for (uint32_t n = 0; n < rule->arm_count; n++)
		sum += rule->arm[n].weight;
	at = rule->arm_count > 1 ? keyed_hash(&stack->rules.key, flow, sizeof(*flow)) % sum : 0;
	while (at >= rule->arm[i].weight)
		at -= rule->arm[i++].weight;
	return rule->arm[i].congestion;
}

const struct stack_congestion *choice_begins_with(const struct stack *stack, const struct flow *flow,
                                                  uint16_t service, const struct stack_congestion *otherwise)
{
	const struct stack_congestion_rule *rule = rule_for(stack, flow, service);

	return rule && rule->arm_count > 0 ? arm_for(stack, rule, flow) : otherwise;
}

const struct stack_congestion *choice_of_half_open(const struct stack *stack, const struct half_open *half)
{
	const struct listener *listener = pool_at(&stack->listeners, half->listener_slot);

	return choice_begins_with(stack, &half->node.flow, listener->options.service, listener->options.congestion);
}

void choice_companions(struct stack *stack, struct conn *conn)
{
	const struct stack_congestion_rule *rule = rule_for(stack, &conn->node.flow, conn->service);

	if (!rule)
		return;
	if (rule->shadow)
		shadow_begin(stack, conn, rule->shadow, 0);
	if (rule->sample_every.ns > 0)
		samples_set(stack, conn, rule->sample_every);
}

/* ---- defaults ----------------------------------------------------------------------------------------------------
 */

void choice_init(struct stack *stack)
{
	if (!stack->config.congestion_default)
		stack->config.congestion_default = stack_builtin_reno();
	algorithm_hold(stack->config.congestion_default);
	stack->rules.key = derive_key(stack->config.secret, 22);
}

void choice_done(struct stack *stack)
{
	struct listener *listener;

	drop_rules(stack);
	algorithm_release(stack->config.congestion_default);
	for (uint32_t from = 0; stack->listeners.chunks && (listener = pool_next_live(&stack->listeners, from));
	     from = listener->head.slot + 1)
		algorithm_release(listener->options.congestion);
}

void stack_set_default_congestion(struct stack *stack, const struct stack_congestion *congestion)
{
	algorithm_replace(&stack->config.congestion_default, congestion ? congestion : stack_builtin_reno());
}

int stack_set_listener_congestion(struct stack *stack, struct conn_handle handle,
                                  const struct stack_congestion *congestion)
{
	struct listener *listener = listener_find(stack, handle);

	if (!listener)
		return -EBADF;
	algorithm_replace(&listener->options.congestion, congestion ? congestion : stack->config.congestion_default);
	return 0;
}

/* ---- live connections --------------------------------------------------------------------------------------------
 */

static int change_conn(struct stack *stack, struct conn *conn, const struct stack_congestion_change *change)
{
	int r = 0, s = 0;

	if (change->congestion)
		r = algorithm_switch(stack, conn, change->congestion);
	if (r == -ENOMEM)
		return r;
	if (change->set_shadow && change->shadow)
		s = shadow_begin(stack, conn, change->shadow, TAPSTACK_CC_SWITCHED);
	else if (change->set_shadow)
		shadow_end(stack, conn);
	if (change->set_samples && !samples_set(stack, conn, change->sample_every))
		s = -ENOMEM;
	return r < 0 ? r : s;
}

static bool has_compact(const struct stack *stack, uint64_t id, int *ret_error)
{
	const struct half_open *half;
	const struct time_wait *tw;

	for (uint32_t from = 0; (half = pool_next_live(&stack->half_opens, from)); from = half->node.head.slot + 1) {
		*ret_error = -EAGAIN;
		if (half->id == id)
			return true;
	}
	for (uint32_t from = 0; (tw = pool_next_live(&stack->time_waits, from)); from = tw->node.head.slot + 1) {
		*ret_error = -EALREADY;
		if (tw->id == id)
			return true;
	}
	return false;
}

int stack_admin_congestion(struct stack *stack, uint64_t id, const struct stack_congestion_change *change)
{
	struct conn *conn;
	int error;

	if (change->set_samples && change->sample_every.ns < 0)
		return -EINVAL;
	for (uint32_t from = 0; (conn = pool_next_live(&stack->conns, from)); from = conn->node.head.slot + 1) {
		if (conn->id != id || (conn->flags & CONN_DEAD) || conn->state == TCPS_CLOSED)
			continue;
		if (conn->state == TCPS_TIME_WAIT)
			return -EALREADY;
		if (conn->state < TCPS_ESTABLISHED)
			return -EAGAIN;
		return change_conn(stack, conn, change);
	}
	return has_compact(stack, id, &error) ? error : -ENOENT;
}

/* ---- from one algorithm to another -------------------------------------------------------------------------------
 */

struct move {
	const struct stack_congestion *from, *to;
};

static void move_reference(const struct stack_congestion **place, const void *context)
{
	const struct move *move = context;

	if (*place == move->from)
		algorithm_replace(place, move->to);
}

static void move_choices(struct stack *stack, const struct move *move)
{
	struct listener *listener;

	move_reference(&stack->config.congestion_default, move);
	for (uint32_t from = 0; (listener = pool_next_live(&stack->listeners, from)); from = listener->head.slot + 1)
		move_reference(&listener->options.congestion, move);
	for (size_t i = 0; i < stack->rules.count; i++)
		each_reference(&stack->rules.rule[i], move_reference, move);
}

/* Returns whether it had anything to do with it. */
static bool move_conn(struct stack *stack, struct conn *conn, const struct move *move)
{
	bool acts = conn->congestion == move->from;
	const struct shadow *shadow = shadow_of(conn);
	bool shadows = shadow && shadow->congestion == move->from;

	if (conn->flags & CONN_DEAD)
		return false;
	if (acts && conn->state == TCPS_SYN_SENT) /* not begun yet */
		algorithm_replace(&conn->congestion, move->to);
	else if (acts && conn->state == TCPS_CLOSED)
		algorithm_bury(stack, conn, move->to);
	else if (acts)
		algorithm_move(stack, conn, move->to);
	if (shadows && conn->state == TCPS_CLOSED)
		shadow_end(stack, conn);
	else if (shadows)
		shadow_move(stack, conn, move->to);
	return acts || shadows;
}

size_t stack_move_congestion(struct stack *stack, uint64_t *cursor, const struct stack_congestion *from,
                             const struct stack_congestion *to)
{
	const struct move move = { from, to };
	struct conn *conn = NULL;
	size_t moved = 0;

	if (*cursor == 0) /* then no connection begins with it any more */
		move_choices(stack, &move);
	for (uint32_t looks = 0; looks < MOVES_PER_CALL; looks++) {
		conn = pool_next_live(&stack->conns, (uint32_t)*cursor);
		if (!conn)
			break;
		*cursor = conn->node.head.slot + 1ull;
		moved += move_conn(stack, conn, &move);
	}
	if (!conn)
		*cursor = UINT64_MAX;
	return moved;
}
