#include "plugin/logger.h"

#include "plugin/deadline.h"
#include "plugin/packets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64u
#define PACKETS_EVERY DURATION_MS(10) /* the queues of packets are looked at: shards have no time to ring bells */
#define IDLE_MIN_NS INT64_C(1000000)  /* a plugin that asks for less would keep a core busy */
#define IDLE_MAX_NS INT64_C(86400000000000) /* a day: what is longer might not fit into a time */

struct slot {
	struct journal_record record;
	uint64_t missed; /* dropped between the one before and this one */
};

/* An event with the texts it points to. */
struct translated {
	char local[INET6_ADDRSTRLEN], remote[INET6_ADDRSTRLEN], service[LOGGER_SERVICE_MAX];
};

struct logger {
	struct logger_options options;
	void *state; /* the plugin's */
	pthread_t thread;
	struct packets *packets; /* NULL: it captures none */
	bool capturing;          /* the shards fill its queues; main's */
	pthread_mutex_t lock;
	pthread_cond_t wake; /* something for the thread to do */
	pthread_cond_t told; /* `opened` or `done` is new */
	/* below: under the lock */
	struct slot *slot; /* ring of options.queue_events */
	uint32_t first, count;
	uint64_t taken, missed, missed_pending, errors; /* taken: by the plugin, for good or not */
	uint32_t in_hand;                               /* out of the queue, on their way to the plugin */
	struct tapstack_log_counts plugin;              /* what it said last; written by the thread */
	uint64_t packets_taken;                         /* as `taken` */
	bool reopen, finish, abandon, opened, done;
	int open_result;         /* of the plugin's open; with `opened` */
	struct timespec idle_at; /* CLOCK_MONOTONIC: when the plugin wants to be called without events */
	bool idle_wanted;
	/* below: the thread's own */
	struct slot batch[BATCH];
	struct tapstack_log_event event[BATCH];
	struct translated text[BATCH];
};

/* ---- from record to event ------------------------------------------------------------------------------------ */

static void write_address(const struct ip_addr *ip, char text[static INET6_ADDRSTRLEN])
{
	if (ip_addr_is_v4(ip))
		inet_ntop(AF_INET, ip->b + 12, text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, ip->b, text, INET6_ADDRSTRLEN);
}

static uint32_t event_flags(uint8_t journal)
{
	return ((journal & JOURNAL_FIRST) != 0 ? TAPSTACK_LOG_FIRST : 0u) |
	       ((journal & JOURNAL_LAST) != 0 ? TAPSTACK_LOG_LAST : 0u) |
	       ((journal & JOURNAL_ACTIVE) != 0 ? TAPSTACK_LOG_ACTIVE : 0u) |
	       ((journal & JOURNAL_COMPACT) != 0 ? TAPSTACK_LOG_COMPACT : 0u);
}

static void translate(const struct logger *logger, const struct slot *slot, struct translated *text,
                      struct tapstack_log_event *event)
{
	static const char *const speakers[] = { "", "local", "peer" };
	const struct logger_names *names = &logger->options.names;
	const struct journal_record *record = &slot->record;
	const char *congestion = names->congestion(names->context, record->congestion);

	write_address(&record->flow.local, text->local);
	write_address(&record->flow.remote, text->remote);
	names->service(names->context, record->service, text->service);
	*event = (struct tapstack_log_event){
		.struct_size = sizeof(*event),
		.flags = event_flags(record->flags),
		.connection_id = record->connection_id,
		.missed = slot->missed,
		.time_ns = record->time_ns + logger->options.run.wall_offset_ns,
		.from = tcp_state_name(record->from),
		.to = tcp_state_name(record->to),
		.cause = tcp_cause_name(record->cause),
		.cause_meaning = tcp_cause_meaning(record->cause),
		.cause_section = tcp_cause_section(record->cause),
		.local_address = text->local,
		.remote_address = text->remote,
		.local_port = record->flow.local_port,
		.remote_port = record->flow.remote_port,
		.index = record->index,
		.service = text->service,
		.congestion = congestion == NULL ? "" : congestion,
		.last_speaker = record->last_speaker < 3 ? speakers[record->last_speaker] : "",
		.iss = record->iss,
		.irs = record->irs,
		.snd_una = record->snd_una,
		.snd_nxt = record->snd_nxt,
		.rcv_nxt = record->rcv_nxt,
		.segs_in = record->segs_in,
		.segs_out = record->segs_out,
		.retransmits = record->retransmits,
		.cwnd_bytes = record->cwnd_bytes,
		.ssthresh_bytes = record->ssthresh_bytes,
		.srtt_ns = record->srtt_ns,
		.bytes_received = record->bytes_received,
		.bytes_acked = record->bytes_acked,
		.bytes_retransmitted = record->bytes_retransmitted,
		.shard = record->shard,
	};
}

/* ---- the thread ---------------------------------------------------------------------------------------------- */

/* Under the lock: moves the oldest records out of the queue. */
static uint32_t take_batch(struct logger *logger)
{
	uint32_t take = logger->count < BATCH ? logger->count : BATCH;

	for (uint32_t i = 0; i < take; i++)
		logger->batch[i] = logger->slot[(logger->first + i) % logger->options.queue_events];
	logger->first = (logger->first + take) % logger->options.queue_events;
	logger->count -= take;
	return take;
}

/* A plugin of before 0.2 goes through events by index, and those were shorter then: it gets one at a time. */
static bool knows_next_event(const struct tapstack_log_ops *ops)
{
	return ops->struct_size >= TAPSTACK_SIZE_UP_TO(struct tapstack_log_ops, packets);
}

/* Without the lock. Returns what the plugin said. */
static int hand_over(struct logger *logger, uint32_t count)
{
	const struct tapstack_log_ops *ops = logger->options.ops;
	int error = 0;

	for (uint32_t i = 0; i < count; i++)
		translate(logger, &logger->batch[i], &logger->text[i], &logger->event[i]);
	if (knows_next_event(ops))
		return ops->events(logger->state, logger->event, count);
	for (uint32_t i = 0; i < count; i++) {
		int r = ops->events(logger->state, &logger->event[i], 1);

		error = error == 0 ? r : error;
	}
	return error;
}

static int call_optional(int (*operation)(void *state), void *state)
{
	return operation == NULL ? 0 : operation(state);
}

/* Events and packets that the plugin has been given, and of the last batch those of which it said that they failed.
 */
struct given {
	uint64_t events, packets, events_failed, packets_failed;
};

/* Without the lock. What the plugin says about itself is not believed beyond what it was given. */
static struct tapstack_log_counts ask_counts(const struct logger *logger, const struct given *given)
{
	struct tapstack_log_counts counts = { .struct_size = sizeof(counts) };
	uint64_t taken = given->events;

	if (logger->options.ops->counts != NULL) {
		logger->options.ops->counts(logger->state, &counts);
	} else {
		counts.lost = logger->plugin.lost + given->events_failed;
		counts.packets_lost = logger->plugin.packets_lost + given->packets_failed;
	}
	if (counts.packets_lost > given->packets)
		counts.packets_lost = given->packets;
	if (counts.lost > taken)
		counts.lost = taken;
	if (counts.waiting > taken - counts.lost)
		counts.waiting = taken - counts.lost;
	return counts;
}

/* Without the lock. When to come back. */
static int call_idle(const struct logger *logger, int64_t *ret_wait_ns)
{
	int r;

	*ret_wait_ns = INT64_MAX;
	if (logger->options.ops->idle == NULL)
		return 0;
	r = logger->options.ops->idle(logger->state, ret_wait_ns);
	if (*ret_wait_ns < IDLE_MIN_NS)
		*ret_wait_ns = IDLE_MIN_NS;
	return r;
}

/* One round; under the lock before and after, not during calls of the plugin. */
static void work(struct logger *logger)
{
	bool reopen = logger->reopen, drained;
	uint32_t count = take_batch(logger);
	int opened = 0, taken = 0, flushed = 0, idled = 0;
	struct given given = { logger->taken + count, logger->packets_taken, 0, 0 };
	struct tapstack_log_counts counts;
	int64_t wait_ns = INT64_MAX;

	logger->reopen = false;
	logger->in_hand = count;
	drained = logger->count == 0;
	pthread_mutex_unlock(&logger->lock);
	if (reopen)
		opened = call_optional(logger->options.ops->reopen, logger->state);
	if (count > 0)
		taken = hand_over(logger, count);
	if (count > 0 && drained && logger->options.ops->idle == NULL)
		flushed = call_optional(logger->options.ops->flush, logger->state);
	if (drained)
		idled = call_idle(logger, &wait_ns);
	given.events_failed = taken < 0 ? count : 0;
	counts = ask_counts(logger, &given);
	pthread_mutex_lock(&logger->lock);
	logger->in_hand = 0;
	logger->taken = given.events;
	logger->plugin = counts;
	logger->idle_wanted = wait_ns != INT64_MAX;
	if (logger->idle_wanted)
		logger->idle_at = deadline_in((struct duration){ wait_ns < IDLE_MAX_NS ? wait_ns : IDLE_MAX_NS });
	logger->errors +=
	        (unsigned)(opened < 0) + (unsigned)(taken < 0) + (unsigned)(flushed < 0) + (unsigned)(idled < 0);
}

/* A batch of packets; under the lock before and after, not during calls of the plugin. Returns how many there were.
 */
static size_t work_packets(struct logger *logger)
{
	struct given given = { logger->taken, logger->packets_taken, 0, 0 };
	const struct tapstack_log_packet *packet;
	struct tapstack_log_counts counts;
	bool all = logger->finish;
	int taken, flushed = 0;
	size_t count;

	pthread_mutex_unlock(&logger->lock);
	count = packets_take(logger->packets, all, &packet);
	if (count == 0) {
		pthread_mutex_lock(&logger->lock);
		return 0;
	}
	taken = logger->options.ops->packets(logger->state, packet, count);
	packets_release(logger->packets);
	if (count < PACKETS_BATCH && logger->options.ops->idle == NULL)
		flushed = call_optional(logger->options.ops->flush, logger->state);
	given.packets += count;
	given.packets_failed = taken < 0 ? count : 0;
	counts = ask_counts(logger, &given);
	pthread_mutex_lock(&logger->lock);
	logger->packets_taken = given.packets;
	logger->plugin = counts;
	logger->errors += (unsigned)(taken < 0) + (unsigned)(flushed < 0);
	logger->idle_wanted = true; /* what the plugin waits for may have changed */
	logger->idle_at = deadline_in((struct duration){ 0 });
	return count;
}

/* Under the lock, which is given up meanwhile. */
static void wait_for_work(struct logger *logger)
{
	struct timespec until;

	if (logger->idle_wanted && deadline_passed(&logger->idle_at)) {
		work(logger);
		return;
	}
	if (logger->packets != NULL) {
		until = deadline_in(PACKETS_EVERY);
		pthread_cond_timedwait(&logger->wake, &logger->lock, &until);
	} else if (!logger->idle_wanted) {
		pthread_cond_wait(&logger->wake, &logger->lock);
	} else {
		pthread_cond_timedwait(&logger->wake, &logger->lock, &logger->idle_at);
	}
}

/* Under the lock, which is given up meanwhile. What the plugin still holds after this is lost. */
static void work_last(struct logger *logger)
{
	struct tapstack_log_counts counts;
	int flushed;

	pthread_mutex_unlock(&logger->lock);
	flushed = call_optional(logger->options.ops->flush, logger->state);
	counts = ask_counts(logger, &(struct given){ logger->taken, logger->packets_taken, 0, 0 });
	logger->options.ops->close(logger->state);
	pthread_mutex_lock(&logger->lock);
	logger->errors += (unsigned)(flushed < 0);
	counts.lost += counts.waiting;
	counts.waiting = 0;
	logger->plugin = counts;
}

static int open_instance(struct logger *logger)
{
	const struct logger_options *options = &logger->options;
	const struct registry_run *run = &options->run;
	char host[HOST_NAME_MAX + 1] = "";
	struct tapstack_log_env env = { .struct_size = sizeof(env),
		                        .instance = options->instance,
		                        .log = options->log,
		                        .state_directory = options->state_directory,
		                        .host_name = host,
		                        .daemon_version = run->daemon_version,
		                        .link_name = run->link_name,
		                        .run_id = run->id,
		                        .run_started_ns = run->started_ns,
		                        .mtu_bytes = run->mtu_bytes };

	gethostname(host, sizeof(host) - 1);
	if (options->capture != NULL)
		env.packet_bytes_max = options->capture->bytes;
	return options->ops->open(&env, options->params, &logger->state);
}

/* Until it is to finish; under the lock. What came while a call of the plugin, or the look for packets, had the lock
 * given up is seen in another round: the last one begins with the order to finish, and finds nothing. */
static void serve(struct logger *logger)
{
	for (;;) {
		bool last = logger->finish;

		if (logger->abandon) {
			logger->missed += logger->count;
			logger->count = 0;
		}
		bool some = logger->count > 0 || logger->reopen;

		if (some)
			work(logger);
		if (logger->packets != NULL && !logger->abandon && work_packets(logger) > 0)
			continue;
		if (some)
			continue;
		if (last)
			break;
		if (!logger->finish)
			wait_for_work(logger);
	}
}

static void *logger_main(void *argument)
{
	struct logger *logger = argument;
	int r = open_instance(logger);

	pthread_mutex_lock(&logger->lock);
	logger->opened = true;
	logger->open_result = r < 0 ? r : 0;
	pthread_cond_signal(&logger->told);
	if (r >= 0) {
		serve(logger);
		work_last(logger);
	}
	logger->done = true;
	pthread_cond_signal(&logger->told);
	pthread_mutex_unlock(&logger->lock);
	return NULL;
}

/* ---- from outside -------------------------------------------------------------------------------------------- */

static void logger_free(struct logger *logger)
{
	pthread_cond_destroy(&logger->told);
	pthread_cond_destroy(&logger->wake);
	pthread_mutex_destroy(&logger->lock);
	packets_free(logger->packets);
	free(logger->slot);
	free(logger);
}

static struct logger *logger_new(const struct logger_options *options)
{
	struct logger *logger = calloc(1, sizeof(*logger));
	pthread_condattr_t monotonic;

	if (logger == NULL)
		return NULL;
	logger->options = *options;
	logger->slot = calloc(options->queue_events, sizeof(*logger->slot));
	if (logger->slot == NULL ||
	    (options->capture != NULL && packets_new(&logger->options, &logger->packets) < 0)) {
		free(logger->slot);
		free(logger);
		return NULL;
	}
	pthread_mutex_init(&logger->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&logger->wake, &monotonic);
	pthread_cond_init(&logger->told, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return logger;
}

/* Signals are for main's thread. */
static int start_thread(struct logger *logger)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&logger->thread, NULL, logger_main, logger);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

/* Waits for the plugin's open. False: it has not come back, and when it does, the thread finishes. */
static bool wait_open(struct logger *logger, int *ret_result)
{
	struct timespec deadline = deadline_in(logger->options.open_patience);
	bool opened;

	pthread_mutex_lock(&logger->lock);
	while (!logger->opened)
		if (pthread_cond_timedwait(&logger->told, &logger->lock, &deadline) == ETIMEDOUT)
			break;
	opened = logger->opened;
	logger->finish = !opened;
	*ret_result = logger->open_result;
	pthread_mutex_unlock(&logger->lock);
	return opened;
}

static int begin_capture(struct logger *logger)
{
	const struct registry_capture *source = &logger->options.run.capture;
	int r = 0;

	if (logger->packets != NULL)
		r = source->begin(source->context, packets_capture(logger->packets));
	logger->capturing = logger->packets != NULL && r == 0;
	return r;
}

static void end_capture(struct logger *logger)
{
	const struct registry_capture *source = &logger->options.run.capture;

	if (logger->capturing)
		source->end(source->context, packets_capture(logger->packets));
	logger->capturing = false;
}

int logger_start(const struct logger_options *options, struct logger **ret)
{
	struct logger *logger = logger_new(options);
	int r;

	if (logger == NULL)
		return -ENOMEM;
	r = start_thread(logger);
	if (r != 0) {
		logger_free(logger);
		return r;
	}
	if (!wait_open(logger, &r)) {
		*ret = logger;
		return -ETIMEDOUT;
	}
	if (r != 0) {
		pthread_join(logger->thread, NULL);
		logger_free(logger);
		return r;
	}
	r = begin_capture(logger);
	if (r < 0) {
		logger_finish(logger);
		pthread_join(logger->thread, NULL);
		logger_free(logger);
		return r;
	}
	*ret = logger;
	return 0;
}

void logger_put(struct logger *logger, const struct journal_record *records, size_t count)
{
	uint32_t size = logger->options.queue_events;

	pthread_mutex_lock(&logger->lock);
	for (size_t i = 0; i < count; i++) {
		if (logger->count == size || logger->finish) {
			logger->missed++;
			logger->missed_pending++;
			continue;
		}
		logger->slot[(logger->first + logger->count) % size] =
		        (struct slot){ records[i], logger->missed_pending };
		logger->missed_pending = 0;
		logger->count++;
	}
	pthread_cond_signal(&logger->wake);
	pthread_mutex_unlock(&logger->lock);
}

void logger_reopen(struct logger *logger)
{
	pthread_mutex_lock(&logger->lock);
	logger->reopen = true;
	pthread_cond_signal(&logger->wake);
	pthread_mutex_unlock(&logger->lock);
}

void logger_finish(struct logger *logger)
{
	end_capture(logger);
	pthread_mutex_lock(&logger->lock);
	logger->finish = true;
	pthread_cond_signal(&logger->wake);
	pthread_mutex_unlock(&logger->lock);
}

/* Under the lock. */
static struct logger_counts counts_of(const struct logger *logger)
{
	struct logger_counts counts = {
		.events = logger->taken - logger->plugin.lost - logger->plugin.waiting,
		.missed = logger->missed + logger->plugin.lost,
		.errors = logger->errors,
		.queued = logger->count + logger->in_hand + logger->plugin.waiting,
		.packets = logger->packets_taken - logger->plugin.packets_lost,
	};

	if (logger->packets != NULL) {
		struct capture_counts capture = capture_get_counts(packets_capture(logger->packets));

		counts.packets_missed = capture.missed + logger->plugin.packets_lost;
		counts.packets_queued = capture.taken + capture.queued - logger->packets_taken;
	}
	return counts;
}

void logger_abandon(struct logger *logger)
{
	end_capture(logger);
	pthread_mutex_lock(&logger->lock);
	logger->finish = true;
	logger->abandon = true;
	pthread_cond_signal(&logger->wake);
	pthread_mutex_unlock(&logger->lock);
}

bool logger_ended(struct logger *logger)
{
	bool done;

	pthread_mutex_lock(&logger->lock);
	done = logger->done;
	pthread_mutex_unlock(&logger->lock);
	return done;
}

int logger_join(struct logger *logger, const struct timespec *deadline, struct logger_counts *ret_counts)
{
	struct logger_counts counts;
	bool done;

	pthread_mutex_lock(&logger->lock);
	while (!logger->done)
		if (pthread_cond_timedwait(&logger->told, &logger->lock, deadline) == ETIMEDOUT)
			break;
	done = logger->done;
	logger->abandon = !done;
	counts = counts_of(logger);
	counts.missed += counts.queued;
	counts.packets_missed += counts.packets_queued;
	counts.queued = counts.packets_queued = 0;
	pthread_mutex_unlock(&logger->lock);
	if (!done) {
		pthread_detach(logger->thread);
		*ret_counts = counts;
		return -ETIMEDOUT;
	}
	pthread_join(logger->thread, NULL);
	logger_free(logger);
	*ret_counts = counts;
	return 0;
}

void logger_counts(struct logger *logger, struct logger_counts *ret)
{
	pthread_mutex_lock(&logger->lock);
	*ret = counts_of(logger);
	pthread_mutex_unlock(&logger->lock);
}
