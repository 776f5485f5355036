#pragma once
/* The impairment of one queue of a link: rules, each with a filter and what it does to frames that fit. A frame takes
 * the first rule that is for its direction and whose filter it fits; with no such rule it goes its way untouched.
 *
 * Sans-I/O, as the elements are. Each queue's thread has a struct impair_rules of its own, so whatever a rule counts
 * (every nth packet, random numbers, a queue) each of them has for itself. One thing they share: the lines of a rule
 * are one line, with its rate, for all of them (struct impair_line_options).
 *
 * When rules change, one that stays keeps all its state. What a rule that goes has taken stays under way: it leaves
 * when it would have left, and only then is the rule gone. New frames go by the new rules from then on, and so may
 * overtake.
 *
 * Frames are copied, super-frames cut, partial checksums completed. The memory of all frames that are held is
 * limited; beyond it frames are dropped, and counted. */
#include "core/stack.h"
#include "core/wire/frame_filter.h"
#include "link/impair/way.h"

#define IMPAIR_RULES_MAX 32u

enum impair_direction { IMPAIR_IN, IMPAIR_OUT, IMPAIR_DIRECTIONS };

struct impair_rule_options {
	bool applies[IMPAIR_DIRECTIONS];
	struct frame_filter filter;
	struct impair_way_options way; /* for both directions, each with chances and a line of its own */
	uint64_t seed;
};

/* A rule as all queues share it: read-only but for its lines. */
struct impair_rule;

/* NULL: no memory. The caller has a reference. */
struct impair_rule *impair_rule_new(const struct impair_rule_options *options);
/* One reference more, and one less; from any thread. NULL is allowed in the latter. */
struct impair_rule *impair_rule_ref(struct impair_rule *rule);
void impair_rule_unref(struct impair_rule *rule);

struct impair_rules;

struct impair_rules_options {
	uint32_t queue;     /* its number: queues with the same seed get different chances */
	uint64_t bytes_max; /* of frames held */
	/* A frame that has come through. What it points at stays as it is until impair_rules_settle. */
	void (*receive)(void *context, const struct frame_in *frame);
	/* The same, for sending; it stays during the call. */
	void (*transmit)(void *context, const struct frame_out *frame);
	void *context;
};

/* 0 or -ENOMEM. There are no rules yet. */
int impair_rules_new(const struct impair_rules_options *options, struct impair_rules **ret_rules);
/* What is held is dropped. NULL is allowed. */
void impair_rules_free(struct impair_rules *rules);

/* Makes these the rules, in this order; takes references of its own. Returns 0; or -ENOMEM, with the rules as before.
 * At most IMPAIR_RULES_MAX. */
int impair_rules_set(struct impair_rules *rules, struct impair_rule *const *rule, size_t count);

/* Neither rules nor frames that are still held. */
bool impair_rules_idle(const struct impair_rules *rules);

/* One frame. True: a rule has taken it; it comes out again through `receive` or `transmit`, now or later or never.
 * False: it is none of theirs. */
bool impair_rules_take_in(struct impair_rules *rules, struct instant now, const struct frame_in *frame);
bool impair_rules_take_out(struct impair_rules *rules, struct instant now, const struct frame_out *frame);

/* When impair_rules_run has something to do. */
struct instant impair_rules_deadline(const struct impair_rules *rules);
void impair_rules_run(struct impair_rules *rules, struct instant now);
/* Frames that were received are not looked at any more. Rules that are over are freed. */
void impair_rules_settle(struct impair_rules *rules);
/* The end: what waits to be sent is sent, in order; what waits to be received is dropped. */
void impair_rules_flush(struct impair_rules *rules);

/* Nothing but uint64_t in it: they are added up as such. */
struct impair_rule_counters {
	uint64_t frames, bytes; /* that fitted; super-frames are not cut yet */
	uint64_t no_memory;     /* packets dropped or not doubled: the limit of bytes held was reached */
	struct impair_way_counters way;
};
/* Of the rule at this place of the order; zeros when there is none. */
void impair_rules_count(const struct impair_rules *rules, size_t index, enum impair_direction direction,
                        struct impair_rule_counters *ret_counters);

/* Of all rules there ever were. */
struct impair_totals {
	uint64_t frames, bytes;
	uint64_t dropped;                  /* packets, for whatever reason */
	uint64_t harmed;                   /* doubled, damaged, held back, or marked */
	uint64_t held_packets, held_bytes; /* now */
};
void impair_rules_total(const struct impair_rules *rules, struct impair_totals *ret_totals);
