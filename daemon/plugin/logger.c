#include "plugin/logger.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 64u

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
	pthread_mutex_t lock;
	pthread_cond_t wake;  /* something for the thread to do */
	pthread_cond_t ended; /* the thread is through */
	/* below: under the lock */
	struct slot *slot; /* ring of options.queue_events */
	uint32_t first, count;
	uint64_t events, missed, missed_pending, errors;
	bool reopen, finish, abandon, done;
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
		.time_ns = record->time_ns + logger->options.wall_offset_ns,
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

/* One round; under the lock before and after, not during calls of the plugin. */
static void work(struct logger *logger)
{
	bool reopen = logger->reopen, drained;
	uint32_t count = take_batch(logger);
	int opened = 0, taken = 0, flushed = 0;

	logger->reopen = false;
	drained = logger->count == 0;
	pthread_mutex_unlock(&logger->lock);
	if (reopen)
		opened = call_optional(logger->options.ops->reopen, logger->state);
	if (count > 0)
		taken = hand_over(logger, count);
	if (count > 0 && drained)
		flushed = call_optional(logger->options.ops->flush, logger->state);
	pthread_mutex_lock(&logger->lock);
	logger->events += count;
	logger->errors += (unsigned)(opened < 0) + (unsigned)(taken < 0) + (unsigned)(flushed < 0);
}

static void *logger_main(void *argument)
{
	struct logger *logger = argument;

	pthread_mutex_lock(&logger->lock);
	for (;;) {
		if (logger->abandon) {
			logger->missed += logger->count;
			logger->count = 0;
		}
		if (logger->count > 0 || logger->reopen)
			work(logger);
		else if (logger->finish)
			break;
		else
			pthread_cond_wait(&logger->wake, &logger->lock);
	}
	pthread_mutex_unlock(&logger->lock);
	logger->options.ops->close(logger->state);
	pthread_mutex_lock(&logger->lock);
	logger->done = true;
	pthread_cond_signal(&logger->ended);
	pthread_mutex_unlock(&logger->lock);
	return NULL;
}

/* ---- from outside -------------------------------------------------------------------------------------------- */

static void logger_free(struct logger *logger)
{
	pthread_cond_destroy(&logger->ended);
	pthread_cond_destroy(&logger->wake);
	pthread_mutex_destroy(&logger->lock);
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
	if (logger->slot == NULL) {
		free(logger);
		return NULL;
	}
	pthread_mutex_init(&logger->lock, NULL);
	pthread_cond_init(&logger->wake, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&logger->ended, &monotonic);
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

int logger_start(const struct logger_options *options, struct logger **ret)
{
	struct tapstack_log_env env = { .struct_size = sizeof(env),
		                        .instance = options->instance,
		                        .log = options->log,
		                        .state_directory = options->state_directory };
	struct logger *logger = logger_new(options);
	int r;

	if (logger == NULL)
		return -ENOMEM;
	r = options->ops->open(&env, options->params, &logger->state);
	if (r < 0) {
		logger_free(logger);
		return r;
	}
	r = start_thread(logger);
	if (r != 0) {
		options->ops->close(logger->state);
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
	pthread_mutex_lock(&logger->lock);
	logger->finish = true;
	pthread_cond_signal(&logger->wake);
	pthread_mutex_unlock(&logger->lock);
}

int logger_join(struct logger *logger, const struct timespec *deadline, struct logger_counts *ret_counts)
{
	struct logger_counts counts;
	bool done;

	pthread_mutex_lock(&logger->lock);
	while (!logger->done)
		if (pthread_cond_timedwait(&logger->ended, &logger->lock, deadline) == ETIMEDOUT)
			break;
	done = logger->done;
	logger->abandon = !done;
	counts = (struct logger_counts){ logger->events, logger->missed + logger->count, logger->errors, 0 };
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
	*ret = (struct logger_counts){ logger->events, logger->missed, logger->errors, logger->count };
	pthread_mutex_unlock(&logger->lock);
}
