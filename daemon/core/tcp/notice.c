/* What an operator should know of, and no counter tells: a short queue. */
#include "core/tcp/engine.h"

#define NOTICES_MAX 64
_Static_assert((NOTICES_MAX & (NOTICES_MAX - 1)) == 0, "positions in the ring wrap at 2^32");

static void push(struct stack *stack, const struct stack_notice *notice)
{
	struct notice_queue *queue = &stack->notices;

	if (!queue->notice)
		queue->notice = stack->memory.alloc(stack->memory.context, NOTICES_MAX * sizeof(*queue->notice));
	if (!queue->notice || queue->head - queue->tail == NOTICES_MAX) {
		COUNT(stack, notices_missed);
		return;
	}
	queue->notice[queue->head++ % NOTICES_MAX] = *notice;
}

void notice_offences(struct stack *stack, const struct conn *conn, const struct stack_congestion *offender,
                     const struct guard *guard, bool shadow)
{
	push(stack, &(struct stack_notice){
	                    .kind = STACK_NOTICE_CONGESTION_OFFENCES,
	                    .connection_id = conn->id,
	                    .at = stack->now,
	                    .from = offender->id,
	                    .to = stack_builtin_reno()->id,
	                    .shadow = shadow,
	                    .offences = guard->seen,
	                    .count = guard->wrong + guard->slow,
	                    .cwnd_wanted = guard->cwnd_wanted,
	                    .pacing_wanted = guard->pacing_wanted,
	                    .longest = guard->longest,
	            });
}

void notice_refused(struct stack *stack, const struct conn *conn, const struct stack_congestion *refused, bool shadow)
{
	push(stack, &(struct stack_notice){
	                    .kind = STACK_NOTICE_CONGESTION_REFUSED,
	                    .connection_id = conn->id,
	                    .at = stack->now,
	                    .from = refused->id,
	                    .to = stack_builtin_reno()->id,
	                    .shadow = shadow,
	            });
}

bool stack_next_notice(struct stack *stack, struct stack_notice *ret_notice)
{
	struct notice_queue *queue = &stack->notices;

	if (queue->head == queue->tail)
		return false;
	*ret_notice = queue->notice[queue->tail++ % NOTICES_MAX];
	return true;
}

void notices_done(struct stack *stack)
{
	if (stack->notices.notice)
		stack->memory.free(stack->memory.context, stack->notices.notice,
		                   NOTICES_MAX * sizeof(*stack->notices.notice));
}
