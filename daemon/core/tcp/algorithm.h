#pragma once
/* Congestion algorithms as the machine runs them: one that acts on each connection, perhaps another in shadow, by
 * what rules they come to it, and what is told of them to those who look on. */
#include "core/base/random.h"
#include "core/tcp/records.h"

/* Which congestion algorithm connections begin with (choice.c). */
struct rules {
	struct stack_congestion_rule *rule;
	size_t count;
	struct hash_key key; /* of A/B tests */
};

/* What waits to be taken; made with the first. */
struct sample_queue {
	struct stack_sample *sample;
	uint32_t head, tail;
};

struct notice_queue {
	struct stack_notice *notice;
	uint32_t head, tail;
};

/* ---- algorithm.c: the life of a congestion algorithm on a connection
 * -------------------------------------------------------------------------- */

/* One more, or one less, refers to it. */
const struct stack_congestion *algorithm_hold(const struct stack_congestion *congestion);
void algorithm_release(const struct stack_congestion *congestion);
/* *place refers to it from now on. */
void algorithm_replace(const struct stack_congestion **place, const struct stack_congestion *congestion);

/* What an algorithm is told: the arguments of one of its callbacks. */
struct told {
	enum { TOLD_ACK, TOLD_EVENT, TOLD_LOST, TOLD_SENT } what;
	uint32_t event;
	const struct tapstack_cc_sample *sample;
	const struct tapstack_cc_lost *lost;
	int64_t now_ns;
	uint64_t sent_bytes, inflight_bytes;
};

/* Tells the algorithm that acts, and the one in shadow; the decision of the first is in force then. An offender may
 * have been replaced. */
void algorithm_tell(struct stack *stack, struct conn *conn, const struct told *told);
/* The decision in force. */
struct tapstack_cc_decision algorithm_decision(const struct conn *conn);
/* Its state; NULL never. */
const void *algorithm_state(const struct conn *conn);
/* A callback that decides nothing took so long: an offence when it is beyond the budget. */
void algorithm_took(struct stack *stack, struct conn *conn, struct duration took);
/* Another one takes over, with the window in force. 0; -ENOMEM: all is as before; -EINVAL: it refused, and the
 * built-in Reno has taken over. */
int algorithm_switch(struct stack *stack, struct conn *conn, const struct stack_congestion *to);
/* The same with the state, where `to` is another version of the same plugin; Reno when it can't be. */
void algorithm_move(struct stack *stack, struct conn *conn, const struct stack_congestion *to);
/* The connection is over, only the record is still there: it refers to `to` now. */
void algorithm_bury(struct stack *stack, struct conn *conn, const struct stack_congestion *to);

/* What algorithms that act and those in shadow have in common. algorithm_hears: is it a callback that it has?
 * algorithm_call and algorithm_init return how long it took, -1: not measured. `guard` NULL: none yet. */
bool algorithm_hears(const struct stack_congestion *congestion, const struct told *told);
struct duration algorithm_call(struct stack *stack, const struct stack_congestion *congestion, void *state,
                               const struct guard *guard, const struct told *told,
                               struct tapstack_cc_decision *decision);
struct tapstack_cc_env algorithm_env(struct stack *stack, const struct conn *conn, uint32_t flags);
/* 0, or -EINVAL: it refused. */
int algorithm_init(const struct stack *stack, const struct stack_congestion *congestion, void *state,
                   const struct tapstack_cc_env *env, struct tapstack_cc_decision *decision,
                   struct duration *ret_took);
/* Brings a decision within bounds; returns the offences (enum stack_offence), counted. `guard` NULL: none yet. */
unsigned algorithm_judge(struct stack *stack, const struct conn *conn, struct guard *guard,
                         const struct tapstack_cc_decision *before, struct tapstack_cc_decision *decision,
                         struct duration took);
/* The state as text for `to`, in TAPSTACK_CC_EXPORT_MAX bytes. False: it can't be had, or `to` is not the same. */
bool algorithm_export(const struct stack_congestion *congestion, const void *state, const struct stack_congestion *to,
                      char *text);
/* After init. `text` NULL, or one that makes no sense: all is as it was. */
void algorithm_import(const struct stack_congestion *congestion, void *state, const char *text,
                      struct tapstack_cc_decision *decision);

/* ---- shadow.c: algorithms in shadow (see shadow.h)
 * -------------------------------------------------------------------------- */

/* In place of another one, if there is one. 0; -ENOMEM, or -EINVAL: it refused; then all is as before, and
 * there is a notice.
 * `flags`: of its env. */
int shadow_begin(struct stack *stack, struct conn *conn, const struct stack_congestion *congestion, uint32_t flags);
/* There is one: `to` goes on for it. */
void shadow_move(struct stack *stack, struct conn *conn, const struct stack_congestion *to);
void shadow_end(struct stack *stack, struct conn *conn);
/* There is one. */
void shadow_tell(struct stack *stack, struct conn *conn, const struct told *told);
const struct shadow *shadow_of(const struct conn *conn); /* NULL: none */
/* There is one. As algorithm_took. */
void shadow_took(struct stack *stack, struct conn *conn, struct duration took);

/* ---- choice.c: which algorithm a connection has
 * -------------------------------------------------------------------------- */

void choice_init(struct stack *stack);
void choice_done(struct stack *stack);
/* `otherwise`: where no rule chooses. */
const struct stack_congestion *choice_begins_with(const struct stack *stack, const struct flow *flow,
                                                  uint16_t service, const struct stack_congestion *otherwise);
/* As things stand, a half-open connection will begin with. */
const struct stack_congestion *choice_of_half_open(const struct stack *stack, const struct half_open *half);
/* The algorithm has begun: so do a shadow and samples, as the rules have it. */
void choice_companions(struct stack *stack, struct conn *conn);

/* ---- samples.c, notice.c: what is told to those who look on
 * -------------------------------------------------------------------------- */

/* Of a connection with CONN_SAMPLED: the turn is over, or the time has come. */
void samples_look(struct stack *stack, struct conn *conn);
/* The connection is over: the last point, if any were taken. */
void samples_end(struct stack *stack, struct conn *conn);
/* 0: no samples. False: no memory. */
bool samples_set(struct stack *stack, struct conn *conn, struct duration every);
void samples_done(struct stack *stack);
/* Returns how many there are. */
uint8_t samples_outputs(const struct stack_congestion *congestion, const void *state,
                        double ret_output[STACK_SAMPLE_OUTPUTS_MAX]);
void notice_offences(struct stack *stack, const struct conn *conn, const struct stack_congestion *offender,
                     const struct guard *guard, bool shadow);
void notice_refused(struct stack *stack, const struct conn *conn, const struct stack_congestion *refused,
                    bool shadow);
void notices_done(struct stack *stack);
