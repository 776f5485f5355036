/* ICMP errors about connections (RFC 9293 section 3.9.2.2), treated by RFC 5927: believed only about something that
 * is in flight, and nothing but advice to a connection that exists. */
#include "core/net/net.h"
#include "core/tcp/engine.h"

#include <errno.h>

static void note(struct stack *stack, struct conn *conn, const struct icmp_news *news)
{
	struct conn_extra *extra = conn_extra(stack, conn);

	if (!extra)
		return;
	extra->soft_error = (struct stack_soft_error){
		.at = stack->now,
		.count = extra->soft_error.count + 1,
		.type = news->type,
		.code = news->code,
		.hard = news->kind == ICMP_NEWS_HARD,
	};
	conn_tell(stack, conn, READY_SOFT_ERROR); /* MUST-47, SHLD-25 */
}

enum stack_verdict unreachable_conn(struct stack *stack, struct conn *conn, const struct icmp_news *news)
{
	uint8_t policy = conn->tcp->icmp_policy;
	bool ends = conn->state == TCPS_SYN_SENT || (conn->state == TCPS_SYN_RECEIVED && policy == STACK_ICMP_STRICT);

	if (policy == STACK_ICMP_IGNORE)
		return VERDICT_DROP_ICMP;
	if (news->kind == ICMP_NEWS_HARD && ends)
		conn_end(stack, conn, CAUSE_ICMP_HARD_ERROR);
	else
		note(stack, conn, news); /* MUST-56 */
	return VERDICT_ACCEPTED;
}

enum stack_verdict unreachable_half_open(struct stack *stack, struct half_open *half, const struct icmp_news *news)
{
	const struct listener *listener = pool_at(&stack->listeners, half->listener_slot);

	if (!seq_eq(news->seq, half->iss))
		return VERDICT_DROP_ICMP_UNRELATED;
	if (news->kind != ICMP_NEWS_HARD || listener->tcp->icmp_policy != STACK_ICMP_STRICT)
		return VERDICT_DROP_ICMP; /* nobody to tell */
	half_open_gone(stack, half, CAUSE_ICMP_HARD_ERROR);
	half_open_free(stack, half);
	return VERDICT_ACCEPTED;
}

int stack_soft_error(const struct stack *stack, struct conn_handle handle, struct stack_soft_error *ret_error)
{
	const struct conn *conn = conn_find(stack, handle);

	if (!conn)
		return -EBADF;
	if (!conn->extra || conn->extra->soft_error.count == 0)
		return -ENOENT;
	*ret_error = conn->extra->soft_error;
	return 0;
}
