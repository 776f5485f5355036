#pragma once
/* Shards: one thread each, with its own event loop, stack and link queue; two share nothing but the link and letters.
 * A shard turns the crank: frames in, due timers, services, frames out, sleep.
 *
 * Lifetimes: shards_new on main's thread makes stacks and event bases; main may then prepare each of them (services);
 * shards_start starts the threads, and from then on a stack and its base belong to the shard's thread: everybody else
 * posts a job. shards_stop joins the threads, after which main owns everything again until shards_free. */
#include "core/base/time.h"
#include "core/stack.h"
#include "shard/mailbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct capture;
struct event_base;
struct impair_rule;
struct impair_rule_counters;
struct link;
struct service_host;
struct shard;
struct shards;

/* Something that main asks a shard. Embed it at the start of a struct of your own; it is yours again in `done`. */
struct shard_job {
	struct letter letter; /* the mailbox's */
	/* On the shard's thread, between two turns, with the time latched in the stack. Keep it short (tens of
	 * microseconds); for more, do a slice and post the job again from `done`. */
	void (*run)(struct shard_job *job, struct stack *stack);
	/* On main's thread, from its event base; may free the job or post it again. NULL: `run` is the last that the
	 * shard does with the job, and `run` may free it. */
	void (*done)(struct shard_job *job);
	struct shard *shard; /* set by shard_post */
};

/* Posts from any thread. Jobs of one poster run in order. While no thread runs (before shards_start, after
 * shards_stop) `run` is called at once, on the caller's thread; `done` comes through main's event base, or from
 * shards_free. */
void shard_post(struct shard *shard, struct shard_job *job);

struct shards_options {
	uint32_t count;                   /* shards; the link has as many queues */
	const struct stack_config *stack; /* for each shard: what differs (see `prepare`) is filled in */
	/* Last word on the config of one shard's stack (its journal ring); may be NULL. Returns 0 or -errno. */
	int (*prepare)(void *context, uint32_t shard, struct stack_config *config);
	/* What the stacks have to tell, on the shards' threads; must not wait. NULL: nobody listens. */
	void (*samples)(void *context, uint32_t shard, const struct stack_sample *samples, size_t count);
	void (*notice)(void *context, uint32_t shard, const struct stack_notice *notice);
	void *context;
	struct link *link;            /* outlives the shards */
	struct event_base *main_base; /* `done` runs there */
	struct duration spin_max;     /* after traffic, poll the link this long before sleeping; 0: sleep at once */
	uint64_t memory_max_bytes;    /* of each stack; 0: no limit of its own */
	uint64_t impair_bytes_max;    /* of frames that a shard's impairment holds */
};

/* Stacks and event bases, no threads yet. Returns 0, -errno of what failed, or what stack_new said. */
int shards_new(const struct shards_options *options, struct shards **ret_shards);
/* The threads run from here. Returns 0 or -errno; on failure none runs. */
int shards_start(struct shards *shards);
/* Ends and joins the threads after what is in their mailboxes has been done. Connections are not touched: see
 * stack_stop. Frames that wait in stack_output are sent first. */
void shards_stop(struct shards *shards);
/* Stops if need be, runs outstanding `done`s, frees. NULL is allowed. */
void shards_free(struct shards *shards);

/* Runs `run` on the thread of every shard, one shard after the other, and waits for it: for main's thread, and for
 * what takes microseconds (reload, stop). */
void shards_call(struct shards *shards, void (*run)(void *context, struct shard *shard), void *context);

/* From now on all shards fill the capture's queues; or no longer, and then the capture may go. From main's thread.
 * Returns 0; -ENOSPC when SHARD_CAPTURES_MAX are filled already. */
#define SHARD_CAPTURES_MAX 16u
int shards_capture_begin(struct shards *shards, struct capture *capture);
void shards_capture_end(struct shards *shards, struct capture *capture);

uint32_t shards_count(const struct shards *shards);
struct shard *shards_at(const struct shards *shards, uint32_t index);

uint32_t shard_index(const struct shard *shard);
/* Only for the shard's thread (jobs, services), or while no thread runs. */
struct stack *shard_stack(const struct shard *shard);
struct event_base *shard_base(const struct shard *shard);
/* What the shard offers its services: stack, base, and `begin` for callbacks of their own descriptors. */
struct service_host *shard_host(struct shard *shard);

/* What is done to frames between this shard and the link: link/impair/rules.h. Frames in are impaired in the shard
 * that owns their flow. On the shard's thread, or while no thread runs; takes references of its own. 0 or -ENOMEM:
 * then all is as before. */
int shard_impair(struct shard *shard, struct impair_rule *const *rule, size_t count);
/* Of the rule at this place of the order; direction as enum impair_direction. On the same thread. */
void shard_impair_count(const struct shard *shard, size_t index, unsigned direction,
                        struct impair_rule_counters *ret_counters);

/* The clock of every instant in the daemon: CLOCK_MONOTONIC. */
struct instant shard_now(void);

/* What a shard can say about itself beyond its stack; written by its thread, readable by any. */
struct shard_status {
	uint64_t turns;         /* times round the loop */
	uint64_t sleeps;        /* of them, ended in waiting for something */
	uint64_t forwarded_in;  /* frames that another shard had received for this one */
	uint64_t forward_drops; /* frames for another shard dropped: its mailbox was full */
	uint64_t link_losses;   /* times the interface went away */
	bool link_up;           /* the interface is there */
	/* Impairment: frames that a rule took; packets dropped; doubled, damaged, held back or marked; held now. */
	uint64_t impair_frames, impair_bytes, impair_dropped, impair_harmed, impair_held_packets, impair_held_bytes;
	struct instant last_turn;
};
void shard_get_status(const struct shard *shard, struct shard_status *ret_status);
