/* Tunables of connections and listeners. Nearly all have the stack's own or their listener's, so equal ones are kept
 * once, with a count of those that use them. */
#include "core/tcp/engine.h"

#include <errno.h>

/* Beyond so many different ones a search would cost more than the memory it saves. */
#define PROFILES_SEARCHED 64

static struct profile *profile_of(const struct stack_tcp_config *tcp)
{
	return (struct profile *)((uintptr_t)tcp - offsetof(struct profile, tcp));
}

const struct stack_tcp_config *profile_share(const struct stack_tcp_config *tcp)
{
	profile_of(tcp)->users++;
	return tcp;
}

const struct stack_tcp_config *profile_get(struct stack *stack, const struct stack_tcp_config *tcp)
{
	struct profile *profile;
	uint32_t from = 0;

	for (int i = 0; i < PROFILES_SEARCHED && (profile = pool_next_live(&stack->profiles, from)); i++) {
		if (memcmp(&profile->tcp, tcp, sizeof(*tcp)) == 0)
			return profile_share(&profile->tcp);
		from = profile->head.slot + 1;
	}
	profile = pool_get(&stack->profiles);
	if (!profile) {
		COUNT(stack, alloc_failures);
		return NULL;
	}
	profile->users = 1;
	memcpy(&profile->tcp, tcp, sizeof(*tcp)); /* with its padding: the next search compares bytes */
	return &profile->tcp;
}

void profile_put(struct stack *stack, const struct stack_tcp_config *tcp)
{
	struct profile *profile = profile_of(tcp);

	CORE_ASSERT(profile->users > 0);
	if (--profile->users == 0)
		pool_put(&stack->profiles, profile);
}

/* ---- live changes ---------------------------------------------------------------------------------------------- */

/* Where a handle's tunables are kept; NULL: stale. */
static const struct stack_tcp_config **tunables_of(const struct stack *stack, struct conn_handle handle)
{
	struct listener *listener = listener_find(stack, handle);
	struct conn *conn = listener ? NULL : conn_find(stack, handle);

	if (listener)
		return &listener->tcp;
	return conn ? &conn->tcp : NULL;
}

/* A connection does by its new tunables what it would not do by itself when they are next asked for. */
static void conn_tuned(struct stack *stack, struct conn *conn, const struct stack_tcp_config *before)
{
	bool opening = conn->state == TCPS_SYN_SENT || conn->state == TCPS_SYN_RECEIVED;
	const struct stack_tcp_config *tcp = conn->tcp;
	uint32_t offered = conn->rcvbuf;

	/* Buffers that nothing tunes are as configured. A window that was offered is not taken back (SHLD-14). */
	if (!tcp->rcvbuf_autotune || conn->rcvbuf > tcp->rcvbuf_max_bytes)
		conn->rcvbuf = tcp->rcvbuf_autotune ? tcp->rcvbuf_max_bytes : tcp->rcvbuf_initial_bytes;
	if (opening && conn->rcvbuf < offered) /* the next SYN says the same as the one before */
		conn->rcvbuf = offered;
	if (!tcp->sndbuf_autotune || conn->sndbuf > tcp->sndbuf_max_bytes)
		conn->sndbuf = tcp->sndbuf_autotune ? tcp->sndbuf_max_bytes : tcp->sndbuf_initial_bytes;
	if (conn->state == TCPS_CLOSED)
		return;
	send_tell_space(stack, conn);
	if (tcp->keepalive && !before->keepalive)
		conn->keepalive_probes = 0;
	/* RFC 5482 section 3.1: the peer is told when it changes. */
	if (tcp->user_timeout_option &&
	    (tcp->user_timeout.ns != before->user_timeout.ns ||
	     tcp->user_timeout_option != before->user_timeout_option) &&
	    conn->state >= TCPS_ESTABLISHED)
		conn->flags |= CONN_TELL_TIMEOUT | CONN_ACK_NOW;
	patience_arm(stack, conn);
	conn_want_output(stack, conn);
}

/* What a SYN has offered stays on offer until it is answered: were the next SYN to say something else, the two ends
 * could go by different ones. */
static void keep_offer(struct stack_tcp_config *tcp, const struct stack_tcp_config *offered)
{
	tcp->timestamps = offered->timestamps;
	tcp->sack = offered->sack;
	tcp->window_scaling = offered->window_scaling;
	tcp->window_scale = offered->window_scale;
	tcp->ecn = offered->ecn;
	tcp->accecn = offered->accecn;
	tcp->mss_max_bytes = offered->mss_max_bytes;
}

int stack_set_tcp(struct stack *stack, struct conn_handle handle, const struct stack_tcp_config *tcp)
{
	const struct stack_tcp_config **place = tunables_of(stack, handle), *before, *after;
	struct conn *conn = conn_find(stack, handle);
	struct stack_tcp_config wanted = *tcp;

	if (!place)
		return -EBADF;
	if (!stack_tcp_config_valid(tcp))
		return -EINVAL;
	if (conn && (conn->state == TCPS_SYN_SENT || conn->state == TCPS_SYN_RECEIVED))
		keep_offer(&wanted, *place);
	after = profile_get(stack, &wanted);
	if (!after)
		return -ENOMEM;
	before = *place;
	*place = after;
	if (conn)
		conn_tuned(stack, conn, before);
	profile_put(stack, before);
	return 0;
}

int stack_set_default_tcp(struct stack *stack, const struct stack_tcp_config *tcp)
{
	const struct stack_tcp_config *after;

	if (!stack_tcp_config_valid(tcp))
		return -EINVAL;
	after = profile_get(stack, tcp);
	if (!after)
		return -ENOMEM;
	profile_put(stack, stack->tcp);
	stack->tcp = after;
	stack->config.tcp = *tcp;
	time_wait_shorten(stack);
	return 0;
}

int stack_get_tcp(const struct stack *stack, struct conn_handle handle, struct stack_tcp_config *ret_tcp)
{
	const struct stack_tcp_config **place = tunables_of(stack, handle);

	if (!place)
		return -EBADF;
	*ret_tcp = **place;
	return 0;
}
