/* The orderly stop: services listen no more and connections are closed; what has not ended within the grace time is
 * aborted, with its record; the rest is daemon_free's. */
#include "main.h"

#include <sys/time.h>

#define LOOK_EVERY_US 10000

struct stop_round {
	bool abort;
	uint64_t alive;
};

/* TIME-WAIT has nothing left to say to anybody: it is not waited for. */
static uint64_t count_alive(const struct stack *stack)
{
	struct stack_gauges gauges;

	stack_get_gauges(stack, &gauges);
	return (uint64_t)gauges.connections + gauges.half_open;
}

static void stop_on_shard(void *context, struct shard *shard)
{
	struct stop_round *round = context;

	size_t left = stack_stop(shard_stack(shard), round->abort);

	round->alive += round->abort ? left : count_alive(shard_stack(shard));
}

#define ABORT_TIME DURATION_S(2) /* for the resets of all that is left */

static void look(struct daemon *daemon);

static void on_stop_timer(evutil_socket_t fd, short events, void *context)
{
	(void)fd;
	(void)events;
	look(context);
}

static void count_on_shard(void *context, struct shard *shard)
{
	struct stop_round *round = context;

	round->alive += count_alive(shard_stack(shard));
}

static void end(struct daemon *daemon, uint64_t alive)
{
	struct instant give_up = instant_add(shard_now(), ABORT_TIME);
	struct stop_round round;

	if (alive)
		log_write(LOG_NOTICE, "%llu connections are still alive: aborting them", (unsigned long long)alive);
	/* As many at a time as there is room for resets; the shards send these in between. */
	do {
		round = (struct stop_round){ .abort = true };
		shards_call(daemon->shards, stop_on_shard, &round);
	} while (round.alive > 0 && instant_before(shard_now(), give_up));
	if (round.alive)
		log_write(LOG_ERR, "%llu connections could not be aborted: their resets found no way out",
		          (unsigned long long)round.alive);
	event_base_loopbreak(daemon->base);
}

static void look(struct daemon *daemon)
{
	const struct timeval soon = { .tv_usec = LOOK_EVERY_US };
	struct stop_round round = { 0 };

	shards_call(daemon->shards, count_on_shard, &round);
	if (round.alive == 0 || daemon->hastened || instant_reached(daemon->stop_before, shard_now()) ||
	    event_add(daemon->stop_timer, &soon) != 0)
		end(daemon, round.alive);
}

void daemon_stop(struct daemon *daemon)
{
	struct stop_round round = { 0 };

	if (daemon->stopping) {
		daemon->hastened = true;
		return;
	}
	daemon->stopping = true;
	notify_stopping(daemon->config->shutdown.grace);
	daemon->stop_before = instant_add(shard_now(), daemon->config->shutdown.grace);
	daemon->stop_timer = evtimer_new(daemon->base, on_stop_timer, daemon);
	shards_call(daemon->shards, stop_on_shard, &round);
	if (round.alive)
		log_write(LOG_INFO, "closing %llu connections", (unsigned long long)round.alive);
	if (daemon->stop_timer)
		look(daemon);
	else
		end(daemon, round.alive);
}
