/* Algorithms in shadow: see shadow.h. */
#include "core/tcp/engine.h"

#include <errno.h>

static void take(struct stack *stack, struct conn *conn, struct tapstack_cc_decision *decision, struct duration took)
{
	struct shadow *shadow = conn->extra->shadow;
	const struct tapstack_cc_decision asked = *decision;
	unsigned offences = algorithm_judge(stack, conn, &shadow->guard, &shadow->decision, decision, took);

	shadow->decision = *decision;
	if (LIKELY(!offences) || !guard_note(&shadow->guard, offences, &asked, took))
		return;
	notice_offences(stack, conn, shadow->congestion, &shadow->guard, true);
	shadow_end(stack, conn);
}

/* `decision`: to begin with; `text`: what another version of itself knew, or NULL. */
static int begin(struct stack *stack, struct conn *conn, const struct stack_congestion *congestion,
                 const struct tapstack_cc_decision *from, uint32_t flags, const char *text)
{
	size_t bytes = sizeof(struct shadow) + congestion->ops->state_size;
	struct tapstack_cc_env env = algorithm_env(stack, conn, flags | TAPSTACK_CC_SHADOW);
	struct shadow *shadow = conn_extra(stack, conn) ? stack->memory.alloc(stack->memory.context, bytes) : NULL;
	struct tapstack_cc_decision decision = *from;
	struct duration took;

	if (!shadow) {
		COUNT(stack, alloc_failures);
		return -ENOMEM;
	}
	if (algorithm_init(stack, congestion, shadow->state, &env, &decision, &took) < 0) {
		stack->memory.free(stack->memory.context, shadow, bytes);
		return -EINVAL;
	}
	algorithm_import(congestion, shadow->state, text, &decision);
	shadow_end(stack, conn);
	shadow->congestion = algorithm_hold(congestion);
	shadow->bytes = bytes;
	shadow->decision = *from;
	conn->extra->shadow = shadow;
	conn->flags |= CONN_SHADOWED;
	take(stack, conn, &decision, took);
	return 0;
}

int shadow_begin(struct stack *stack, struct conn *conn, const struct stack_congestion *congestion, uint32_t flags)
{
	struct tapstack_cc_decision from = algorithm_decision(conn);
	int r;

	from.pacing_bytes_per_s = 0;
	from.burst_bytes_max = 0;
	r = begin(stack, conn, congestion, &from, flags, NULL);
	if (r < 0)
		notice_refused(stack, conn, congestion, true);
	return r;
}

void shadow_move(struct stack *stack, struct conn *conn, const struct stack_congestion *to)
{
	struct shadow *shadow = conn->extra->shadow;
	struct tapstack_cc_decision from = shadow->decision;
	char text[TAPSTACK_CC_EXPORT_MAX];
	bool exported = algorithm_export(shadow->congestion, shadow->state, to, text);

	from.pacing_bytes_per_s = 0;
	from.burst_bytes_max = 0;
	if (begin(stack, conn, to, &from, TAPSTACK_CC_SWITCHED, exported ? text : NULL) == 0)
		return;
	notice_refused(stack, conn, to, true);
	shadow_end(stack, conn);
}

void shadow_end(struct stack *stack, struct conn *conn)
{
	struct shadow *shadow = conn->extra ? conn->extra->shadow : NULL;

	conn->flags &= ~(uint32_t)CONN_SHADOWED;
	if (!shadow)
		return;
	conn->extra->shadow = NULL;
	algorithm_release(shadow->congestion);
	stack->memory.free(stack->memory.context, shadow, shadow->bytes);
}

void shadow_tell(struct stack *stack, struct conn *conn, const struct told *told)
{
	struct shadow *shadow = conn->extra->shadow;
	struct tapstack_cc_decision decision = shadow->decision;
	struct duration took;

	if (!algorithm_hears(shadow->congestion, told))
		return;
	took = algorithm_call(stack, shadow->congestion, shadow->state, &shadow->guard, told, &decision);
	take(stack, conn, &decision, took);
}

void shadow_took(struct stack *stack, struct conn *conn, struct duration took)
{
	struct tapstack_cc_decision decision = conn->extra->shadow->decision;

	if (took.ns > stack->config.congestion_budget.ns)
		take(stack, conn, &decision, took);
}

const struct shadow *shadow_of(const struct conn *conn)
{
	return conn->flags & CONN_SHADOWED ? conn->extra->shadow : NULL;
}
