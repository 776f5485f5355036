/* The life of a congestion algorithm on a connection: its beginning, its callbacks, what it decides and what is made
 * of that, the exchange for another one, its end. What it is told is in congestion.c. */
#include "core/tcp/engine.h"

#include <errno.h>
#include <stdatomic.h>

_Static_assert((int)TAPSTACK_CC_ECN_NONE == (int)ECN_NONE && (int)TAPSTACK_CC_ECN_CLASSIC == (int)ECN_CLASSIC &&
                       (int)TAPSTACK_CC_ECN_ACCURATE == (int)ECN_ACCURATE,
               "one is told as the other");

/* ---- who refers to it --------------------------------------------------------------------------------------------
 */

const struct stack_congestion *algorithm_hold(const struct stack_congestion *congestion)
{
	if (congestion->users)
		atomic_fetch_add_explicit(congestion->users, 1, memory_order_relaxed);
	return congestion;
}

/* What the holder did with it is done before whoever sees the count at zero goes on. */
void algorithm_release(const struct stack_congestion *congestion)
{
	if (congestion->users)
		atomic_fetch_sub_explicit(congestion->users, 1, memory_order_release);
}

void algorithm_replace(const struct stack_congestion **place, const struct stack_congestion *congestion)
{
	const struct stack_congestion *before = *place;

	*place = algorithm_hold(congestion);
	if (before)
		algorithm_release(before);
}

/* ---- its callbacks -----------------------------------------------------------------------------------------------
 */

/* Plugins of before 0.2 end before on_lost. */
static bool has_on_lost(const struct tapstack_cc_ops *ops)
{
	return ops->struct_size >= TAPSTACK_SIZE_UP_TO(struct tapstack_cc_ops, on_lost) && ops->on_lost;
}

bool algorithm_hears(const struct stack_congestion *congestion, const struct told *told)
{
	if (told->what == TOLD_SENT)
		return congestion->ops->on_sent != NULL;
	return told->what != TOLD_LOST || has_on_lost(congestion->ops);
}

static void call(const struct tapstack_cc_ops *ops, void *state, const struct told *told,
                 struct tapstack_cc_decision *decision)
{
	switch (told->what) {
	case TOLD_ACK:
		ops->on_ack(state, told->sample, decision);
		break;
	case TOLD_EVENT:
		ops->on_event(state, told->event, told->sample, decision);
		break;
	case TOLD_LOST:
		ops->on_lost(state, told->lost, decision);
		break;
	case TOLD_SENT:
		ops->on_sent(state, told->now_ns, told->sent_bytes, told->inflight_bytes, decision);
		break;
	}
}

/* To read the stopwatch twice takes longer than most callbacks do. As long as nothing is wrong one in so many is
 * timed, over all connections; a prime number, so that it is not always the same of those that come by turns. */
#define TIMED_EVERY 11

/* What is built in needs no watching. */
static bool can_be_timed(const struct stack *stack, const struct stack_congestion *congestion)
{
	return stack->config.stopwatch && congestion != stack_builtin_reno();
}

/* Who has been slow, and that is not forgotten, is timed each time. */
static bool is_timed(struct stack *stack, const struct stack_congestion *congestion, const struct guard *guard)
{
	if (!can_be_timed(stack, congestion))
		return false;
	if (guard && guard->slow > 0)
		return true;
	if (stack->callbacks_untimed > 0) {
		stack->callbacks_untimed--;
		return false;
	}
	stack->callbacks_untimed = TIMED_EVERY - 1;
	return true;
}

struct duration algorithm_call(struct stack *stack, const struct stack_congestion *congestion, void *state,
                               const struct guard *guard, const struct told *told,
                               struct tapstack_cc_decision *decision)
{
	int64_t begin;

	if (!is_timed(stack, congestion, guard)) {
		call(congestion->ops, state, told, decision);
		return (struct duration){ -1 };
	}
	begin = stack->config.stopwatch();
	call(congestion->ops, state, told, decision);
	return (struct duration){ stack->config.stopwatch() - begin };
}

int algorithm_init(const struct stack *stack, const struct stack_congestion *congestion, void *state,
                   const struct tapstack_cc_env *env, struct tapstack_cc_decision *decision,
                   struct duration *ret_took)
{
	bool timed = can_be_timed(stack, congestion);
	int64_t begin = timed ? stack->config.stopwatch() : 0;
	int r = congestion->ops->init(state, env, &congestion->params, decision);

	ret_took->ns = timed ? stack->config.stopwatch() - begin : -1;
	return r < 0 ? -EINVAL : 0;
}

struct tapstack_cc_env algorithm_env(struct stack *stack, const struct conn *conn, uint32_t flags)
{
	return (struct tapstack_cc_env){
		.struct_size = sizeof(struct tapstack_cc_env),
		.mss_bytes = conn->mss,
		.now_ns = stack->now.ns,
		.initial_cwnd_bytes = congestion_initial_window(conn),
		.random = random_u64(&stack->random),
		.srtt_ns = conn->rtt.srtt.ns,
		.min_rtt_ns = conn->rtt.min.ns,
		.flags = flags | (conn->agreed.sack ? 0 : TAPSTACK_CC_NO_SACK),
		.ecn = conn->agreed.ecn,
	};
}

/* ---- what it decides ---------------------------------------------------------------------------------------------
 */

struct tapstack_cc_decision algorithm_decision(const struct conn *conn)
{
	return (struct tapstack_cc_decision){
		.cwnd_bytes = conn->cwnd,
		.ssthresh_bytes = conn->ssthresh == UINT32_MAX ? UINT64_MAX : conn->ssthresh,
		.pacing_bytes_per_s = conn->pacing_bytes_per_s,
		.burst_bytes_max = conn->burst_max,
	};
}

static void put_in_force(struct conn *conn, const struct tapstack_cc_decision *decision)
{
	conn->cwnd = (uint32_t)decision->cwnd_bytes;
	conn->ssthresh = decision->ssthresh_bytes == UINT64_MAX ? UINT32_MAX : (uint32_t)decision->ssthresh_bytes;
	conn->pacing_bytes_per_s = decision->pacing_bytes_per_s;
	conn->burst_max = decision->burst_bytes_max;
}

unsigned algorithm_judge(struct stack *stack, const struct conn *conn, struct guard *guard,
                         const struct tapstack_cc_decision *before, struct tapstack_cc_decision *decision,
                         struct duration took)
{
	unsigned offences = guard_bound(decision, before, conn->mss, conn->rtt.srtt);

	if (took.ns > stack->config.congestion_budget.ns)
		offences |= STACK_OFFENCE_TIME;
	else if (took.ns >= 0 && guard)
		guard_forgive(guard);
	if (offences)
		COUNT(stack, congestion_offences);
	return offences;
}

/* What an offender has left can't be trusted, neither as too little nor as too much: no less than what a connection
 * begins again with, no more than what is out. */
static void make_window_sane(struct conn *conn)
{
	uint32_t least = congestion_initial_window(conn), flight = (uint32_t)seq_diff(conn->snd_nxt, conn->snd_una);
	uint32_t most;

	if (least < 2u * conn->mss)
		least = 2u * conn->mss;
	most = flight > least ? flight : least;
	conn->ssthresh = UINT32_MAX;
	if (conn->ca_state != CA_OPEN)
		conn->ssthresh = most = most / 2 > least ? most / 2 : least;
	conn->cwnd = conn->cwnd < least ? least : conn->cwnd > most ? most : conn->cwnd;
}

static void reno_takes_over(struct stack *stack, struct conn *conn);

static void decide(struct stack *stack, struct conn *conn, struct tapstack_cc_decision *decision,
                   struct duration took)
{
	const struct tapstack_cc_decision before = algorithm_decision(conn), asked = *decision;
	unsigned offences =
	        algorithm_judge(stack, conn, conn->extra ? &conn->extra->guard : NULL, &before, decision, took);

	put_in_force(conn, decision);
	if (LIKELY(!offences) || conn->congestion == stack_builtin_reno() || !conn_extra(stack, conn))
		return; /* without memory they are corrected, and not remembered */
	if (!guard_note(&conn->extra->guard, offences, &asked, took))
		return;
	notice_offences(stack, conn, conn->congestion, &conn->extra->guard, false);
	make_window_sane(conn);
	reno_takes_over(stack, conn);
}

void algorithm_took(struct stack *stack, struct conn *conn, struct duration took)
{
	struct tapstack_cc_decision decision = algorithm_decision(conn);

	if (took.ns > stack->config.congestion_budget.ns)
		decide(stack, conn, &decision, took);
}

static void *state_of(struct conn *conn)
{
	void *outside;

	if (!(conn->flags & CONN_CC_OUTSIDE))
		return conn->cc_state;
	memcpy(&outside, conn->cc_state, sizeof(outside));
	return outside;
}

const void *algorithm_state(const struct conn *conn)
{
	return state_of((struct conn *)(uintptr_t)conn);
}

void algorithm_tell(struct stack *stack, struct conn *conn, const struct told *told)
{
	struct tapstack_cc_decision decision;
	struct duration took;

	if (algorithm_hears(conn->congestion, told)) {
		decision = algorithm_decision(conn);
		took = algorithm_call(stack, conn->congestion, state_of(conn),
		                      conn->extra ? &conn->extra->guard : NULL, told, &decision);
		decide(stack, conn, &decision, took);
	}
	if (conn->flags & CONN_SHADOWED)
		shadow_tell(stack, conn, told);
}

/* ---- beginning, exchange, end ------------------------------------------------------------------------------------
 */

static void free_state(struct stack *stack, struct conn *conn)
{
	if (conn->flags & CONN_CC_OUTSIDE)
		stack->memory.free(stack->memory.context, state_of(conn), conn->congestion->ops->state_size);
	conn->flags &= ~(uint32_t)CONN_CC_OUTSIDE;
	memset(conn->cc_state, 0, sizeof(conn->cc_state));
}

/* What was paced by the one before need not wait for that any longer. */
static void stop_pacing(struct stack *stack, struct conn *conn)
{
	conn->pacing_bytes_per_s = 0;
	conn->burst_max = 0;
	if (conn->tx)
		conn->tx->pacer = (struct pacer){ 0 };
	if (!congestion_holds(stack, conn))
		return;
	conn->pace_due = stack->now;
	conn_arm(stack, conn);
}

static bool same_name(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

bool algorithm_export(const struct stack_congestion *from, const void *state, const struct stack_congestion *to,
                      char *text)
{
	int length;

	if (!from->ops->export_state || !to->ops->import_state || !same_name(from->name, to->name))
		return false;
	length = from->ops->export_state(state, text, TAPSTACK_CC_EXPORT_MAX);
	if (length < 0 || length >= (int)TAPSTACK_CC_EXPORT_MAX)
		return false;
	text[length] = 0;
	return true;
}

void algorithm_import(const struct stack_congestion *congestion, void *state, const char *text,
                      struct tapstack_cc_decision *decision)
{
	struct tapstack_cc_decision moved = *decision;

	if (text && congestion->ops->import_state(state, text, &moved) == 0)
		*decision = moved;
}

/* Puts `congestion` in the place of the connection's algorithm, with the window in force and, where `text` is not
 * NULL, what another version of itself knew. 0; -ENOMEM: all is as before; -EINVAL: it refused, and the connection
 * has none. */
static int begin(struct stack *stack, struct conn *conn, const struct stack_congestion *congestion, uint32_t flags,
                 const char *text)
{
	size_t bytes = congestion->ops->state_size;
	struct tapstack_cc_decision decision;
	struct tapstack_cc_env env;
	struct duration took;
	void *outside = NULL;

	if (bytes > CC_INLINE_BYTES) {
		outside = stack->memory.alloc(stack->memory.context, bytes);
		if (!outside) {
			COUNT(stack, alloc_failures);
			return -ENOMEM;
		}
	}
	free_state(stack, conn);
	algorithm_replace(&conn->congestion, congestion);
	if (outside) {
		memcpy(conn->cc_state, &outside, sizeof(outside));
		conn->flags |= CONN_CC_OUTSIDE;
	}
	if (conn->extra) {
		conn->extra->guard = (struct guard){ 0 };
		conn->extra->validation = (struct validation){ 0 }; /* measured anew */
	}
	stop_pacing(stack, conn);
	decision = algorithm_decision(conn);
	env = algorithm_env(stack, conn, flags);
	if (algorithm_init(stack, congestion, state_of(conn), &env, &decision, &took) < 0)
		return -EINVAL;
	algorithm_import(congestion, state_of(conn), text, &decision);
	decide(stack, conn, &decision, took);
	return 0;
}

static void reno_takes_over(struct stack *stack, struct conn *conn)
{
	begin(stack, conn, stack_builtin_reno(), TAPSTACK_CC_SWITCHED, NULL); /* needs no memory, and never refuses */
}

void congestion_init(struct stack *stack, struct conn *conn)
{
	conn->cwnd = congestion_initial_window(conn);
	conn->ssthresh = UINT32_MAX;
	if (begin(stack, conn, conn->congestion, 0, NULL) < 0) {
		notice_refused(stack, conn, conn->congestion, false);
		begin(stack, conn, stack_builtin_reno(), 0, NULL);
	}
	choice_companions(stack, conn);
}

int algorithm_switch(struct stack *stack, struct conn *conn, const struct stack_congestion *to)
{
	int r = begin(stack, conn, to, TAPSTACK_CC_SWITCHED, NULL);

	if (r == -EINVAL) {
		notice_refused(stack, conn, to, false);
		reno_takes_over(stack, conn);
	}
	if (r != -ENOMEM)
		conn_want_output(stack, conn);
	return r;
}

void algorithm_move(struct stack *stack, struct conn *conn, const struct stack_congestion *to)
{
	char text[TAPSTACK_CC_EXPORT_MAX];
	bool exported = algorithm_export(conn->congestion, state_of(conn), to, text);
	int r = begin(stack, conn, to, TAPSTACK_CC_SWITCHED, exported ? text : NULL);

	if (r < 0) { /* also for want of memory: it has to go */
		notice_refused(stack, conn, to, false);
		reno_takes_over(stack, conn);
	}
	conn_want_output(stack, conn);
}

void algorithm_bury(struct stack *stack, struct conn *conn, const struct stack_congestion *to)
{
	free_state(stack, conn);
	algorithm_replace(&conn->congestion, to);
}

void congestion_done(struct stack *stack, struct conn *conn)
{
	shadow_end(stack, conn);
	free_state(stack, conn);
	algorithm_release(conn->congestion);
}
