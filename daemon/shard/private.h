#pragma once
/* Inside daemon/shard only. */
#include "capture/capture.h"
#include "core/base/assert.h"
#include "link/impair/rules.h"
#include "link/link.h"
#include "services/service.h"
#include "shard/mailbox.h"
#include "shard/shard.h"

#include <event2/event.h>

#include <pthread.h>
#include <stdatomic.h>

#define SHARD_OUT_BATCH 32u
#define CACHE_LINE 64

/* A frame that another shard received. */
struct forwarded_frame {
	struct letter letter;
	struct frame_in frame; /* its bytes follow */
	uint8_t bytes[];
};

/* Memory of one stack, counted. */
struct shard_memory {
	uint64_t bytes, bytes_max; /* bytes_max 0: no limit */
};

struct tenant;

struct shard {
	struct shards *set;
	uint32_t index;
	pthread_t thread;
	bool running; /* a thread exists; written by main only */
	bool stop;    /* end of the loop; the shard's own */

	struct service_host host; /* .stack, .base, .now */
	struct event *link_read, *link_write, *timer, *jobs_event, *frames_event;
	int timer_fd;
	struct instant armed;      /* what timer_fd is set to; NEVER: not set */
	struct instant retry_at;   /* next link_reattach; NEVER while the link is there */
	struct instant last_frame; /* when traffic was last seen, for spinning */
	bool readable;             /* the link has frames, or may have */
	bool begun;                /* the time is latched for this turn */
	bool more;                 /* the turn left something to do: don't sleep */

	struct mailbox jobs;
	struct mailbox frames;           /* only with several shards */
	_Atomic uint32_t frames_waiting; /* in `frames` */
	struct shard_job stop_job;

	struct tenant **tenant; /* by service id */
	uint32_t tenant_end;
	uint32_t tenants_leaving; /* that wait for their last connection */

	uint32_t capture_count; /* 0: nobody captures, and the stack tells nothing of its frames */
	struct capture_queue *capture[SHARD_CAPTURES_MAX];
	struct stack_watch watch;
	struct stack_view view[SHARD_OUT_BATCH]; /* of `out` */

	struct impair_rules *impair;       /* NULL: nothing is impaired, and nothing of it is under way */
	struct impair_rules *impair_rules; /* ours, once there have been any */

	struct shard_memory memory;
	struct frame_in in[LINK_BATCH_MAX];
	struct frame_out out[SHARD_OUT_BATCH];

	/* struct shard_status, for others to read */
	_Alignas(CACHE_LINE) struct {
		_Atomic uint64_t turns, sleeps, forwarded_in, forward_drops, link_losses;
		_Atomic uint64_t impair_frames, impair_bytes, impair_dropped, impair_harmed;
		_Atomic uint64_t impair_held_packets, impair_held_bytes;
		_Atomic int64_t last_turn_ns;
		atomic_bool link_up;
	} status;
};

struct shards {
	uint32_t count;
	struct link *link;
	struct event_base *main_base;
	struct duration spin_max;
	uint64_t impair_bytes_max;
	void (*samples)(void *context, uint32_t shard, const struct stack_sample *samples, size_t count);
	void (*notice)(void *context, uint32_t shard, const struct stack_notice *notice);
	void *context;                  /* of these */
	uint8_t flow_key[16];           /* which shard owns a flow */
	uint16_t port_first, port_last; /* of active opens, all shards together */
	uint32_t ports_per_shard;
	struct mailbox done; /* jobs that are main's again */
	struct event *done_event;
	struct shard *shard[];
};

/* turn.c: the crank. */
void shard_loop(struct shard *shard);
/* Registers what the loop waits for. 0 or -errno. */
int shard_loop_prepare(struct shard *shard);
void shard_loop_release(struct shard *shard);
/* Latches the time unless this turn has done so. */
void shard_begin(struct shard *shard);
/* Runs what is in the mailbox of jobs. */
void shard_run_jobs(struct shard *shard);
/* One frame to the stack, and to who captures. */
void shard_input(struct shard *shard, const struct frame_in *frame);
/* Sends what the stack has to say. */
void shard_output(struct shard *shard);

/* capture.c: only while somebody captures. What the stack has just been given, or has given out. */
void capture_received(struct shard *shard, const struct frame_in *frame);
void capture_sent(struct shard *shard, size_t count);

/* forward.c: frames that belong to other shards; only with several. True: the frame was taken care of. */
bool forward_frame(struct shard *shard, const struct frame_in *frame);
/* Frees frames that the mailbox gave out. */
void forward_free(struct shard *shard, struct letter *letters);

/* The owner of the frame's flow, or `here` when any shard will do; *ret_everybody: all shards must see it. */
uint32_t forward_owner(const struct shards *shards, uint32_t here, const struct frame_in *frame, bool *ret_everybody);

/* impair.c: only while shard->impair is there. */
/* What is due, by the latched time. */
void impair_turn(struct shard *shard);
/* The turn is over: frames that were received are not needed any more. */
void impair_settle(struct shard *shard);
/* The end. */
void impair_flush(struct shard *shard);

/* tenants.c */
void tenant_dispatch(struct shard *shard, const struct stack_ready *ready);
/* Those that were leaving and have nobody left. */
void tenants_sweep(struct shard *shard);
void tenants_free(struct shard *shard);

static inline void shard_count_up(_Atomic uint64_t *counter)
{
	/* One writer: no locked instruction is needed. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}
