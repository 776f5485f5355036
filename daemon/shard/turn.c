/* The loop of one shard. A turn is one pass of: what the event loop has called back, frames in, due timers, services,
 * frames out. System calls in a turn with traffic: epoll_wait, one read a frame and the one that finds nothing, one
 * write a frame. The timer is touched only when a sleep would otherwise last too long, and descriptors are registered
 * once. */
#include "log.h"
#include "shard/private.h"
#include "shard/tenants.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define BATCHES_A_TURN 8u  /* of full batches from the link, before the event loop is looked at again */
#define READY_A_TURN 4096u /* reports of readiness */
#define ROUNDS_A_TURN 8u   /* of services and output */
#define OUTPUTS_A_TURN 32u /* batches to the link */
#define SPINS_A_TURN 32u   /* polls of the link, while spinning, before the event loop is looked at again */
#define SAMPLES_A_CALL 16u
#define REATTACH_EVERY DURATION_MS(500)
#define CONGESTED_WAIT DURATION_MS(1)

struct instant shard_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (struct instant){ (int64_t)now.tv_sec * 1000000000 + now.tv_nsec };
}

void shard_begin(struct shard *shard)
{
	if (shard->begun)
		return;
	shard->begun = true;
	shard->host.now = shard_now();
	if (stack_advance(shard->host.stack, shard->host.now))
		shard->more = true;
}

static void host_begin(struct service_host *host)
{
	shard_begin(CONTAINER_OF(host, struct shard, host));
}

/* ---- what the event loop calls ------------------------------------------------------------------------------- */

static void on_link_readable(evutil_socket_t fd, short events, void *context)
{
	struct shard *shard = context;

	(void)fd;
	(void)events;
	shard->readable = true;
}

static void on_link_writable(evutil_socket_t fd, short events, void *context)
{
	/* Only there to end the sleep: every turn starts with link_flush when frames are kept. */
	(void)fd;
	(void)events;
	(void)context;
}

static void on_timer(evutil_socket_t fd, short events, void *context)
{
	struct shard *shard = context;

	(void)fd;
	(void)events;
	shard->armed = INSTANT_NEVER;
}

static void on_jobs(evutil_socket_t fd, short events, void *context)
{
	/* Only there to end the sleep: the turn runs them, after the frames that came before. */
	(void)fd;
	(void)events;
	(void)context;
}

static void on_frames(evutil_socket_t fd, short events, void *context)
{
	(void)fd;
	(void)events;
	(void)context;
}

static void run_letters(struct shard *shard, struct letter *letter)
{
	struct letter *next;

	if (!letter)
		return;
	shard_begin(shard);
	for (; letter; letter = next) {
		struct shard_job *job = CONTAINER_OF(letter, struct shard_job, letter);
		void (*done)(struct shard_job *) = job->done;

		next = letter->next;
		job->run(job, shard->host.stack);
		if (done)
			mailbox_post(&shard->set->done, &job->letter);
	}
}

void shard_run_jobs(struct shard *shard)
{
	run_letters(shard, mailbox_take(&shard->jobs));
}

/* ---- registration -------------------------------------------------------------------------------------------- */

/* 0 or -ENOMEM. */
static int watch(struct shard *shard, int fd, short events, event_callback_fn callback, bool at_once,
                 struct event **ret_event)
{
	struct event *event = event_new(shard->host.base, fd, events, callback, shard);

	if (!event)
		return -ENOMEM;
	if (at_once && event_add(event, NULL) != 0) {
		event_free(event);
		return -ENOMEM;
	}
	*ret_event = event;
	return 0;
}

static void unwatch(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

static int watch_link(struct shard *shard)
{
	int fd = link_fd(shard->set->link, shard->index);
	int error;

	if (fd < 0)
		return -ENODEV;
	error = watch(shard, fd, EV_READ | EV_PERSIST, on_link_readable, true, &shard->link_read);
	if (error == 0)
		error = watch(shard, fd, EV_WRITE, on_link_writable, false, &shard->link_write);
	if (error != 0)
		unwatch(&shard->link_read);
	return error;
}

int shard_loop_prepare(struct shard *shard)
{
	int error;

	shard->host.begin = host_begin;
	shard->armed = INSTANT_NEVER;
	shard->retry_at = INSTANT_NEVER;
	shard->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (shard->timer_fd < 0)
		return -errno;
	/* Edge-triggered: the event is over by itself, nobody has to read the descriptor. */
	error = watch(shard, shard->timer_fd, EV_READ | EV_PERSIST | EV_ET, on_timer, true, &shard->timer);
	if (error == 0)
		error = watch(shard, shard->jobs.fd, EV_READ | EV_PERSIST | EV_ET, on_jobs, true, &shard->jobs_event);
	if (error == 0 && shard->set->count > 1)
		error = watch(shard, shard->frames.fd, EV_READ | EV_PERSIST | EV_ET, on_frames, true,
		              &shard->frames_event);
	if (error == 0)
		error = watch_link(shard);
	if (error == 0)
		atomic_store(&shard->status.link_up, true);
	return error;
}

void shard_loop_release(struct shard *shard)
{
	unwatch(&shard->link_read);
	unwatch(&shard->link_write);
	unwatch(&shard->timer);
	unwatch(&shard->jobs_event);
	unwatch(&shard->frames_event);
	if (shard->timer_fd >= 0)
		close(shard->timer_fd);
	shard->timer_fd = -1;
}

/* ---- the link goes and comes --------------------------------------------------------------------------------- */

static void link_lost(struct shard *shard)
{
	unwatch(&shard->link_read);
	unwatch(&shard->link_write);
	shard->readable = false;
	shard->retry_at = instant_add(shard_now(), REATTACH_EVERY);
	atomic_store(&shard->status.link_up, false);
	shard_count_up(&shard->status.link_losses);
	if (shard->index == 0)
		log_write(LOG_ERR, "interface %s is gone; waiting for it to come back", link_name(shard->set->link));
}

static void link_retry(struct shard *shard)
{
	struct link *link = shard->set->link;
	struct link_offload offload;
	int error = link_reattach(link, shard->index);

	if (error == 0)
		error = watch_link(shard);
	if (error != 0) {
		shard->retry_at = instant_add(shard_now(), REATTACH_EVERY);
		if (error != -ENODEV && shard->index == 0)
			log_write(LOG_WARNING, "interface %s: %s; trying again", link_name(link), strerror(-error));
		return;
	}
	shard->retry_at = INSTANT_NEVER;
	offload = link_offload(link);
	stack_set_offload(shard->host.stack, offload.gso_bytes_max, offload.checksum);
	stack_announce(shard->host.stack);
	atomic_store(&shard->status.link_up, true);
	if (shard->index != 0)
		return;
	log_write(LOG_NOTICE, "interface %s is back", link_name(link));
	if (link_warning(link))
		log_write(LOG_WARNING, "%s", link_warning(link));
}

/* ---- one turn ------------------------------------------------------------------------------------------------ */

static void send_frames(struct shard *shard, size_t count)
{
	struct link *link = shard->set->link;

	if (LIKELY(!shard->impair)) {
		link_send(link, shard->index, shard->out, count);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (!impair_rules_take_out(shard->impair, shard->host.now, &shard->out[i]))
			link_send(link, shard->index, &shard->out[i], 1);
	}
}

void shard_output(struct shard *shard)
{
	struct link *link = shard->set->link;
	uint32_t batches;

	for (batches = 0; batches < OUTPUTS_A_TURN; batches++) {
		size_t count;

		if (link_congested(link, shard->index))
			return;
		count = stack_output(shard->host.stack, shard->out, SHARD_OUT_BATCH);
		if (count == 0)
			return;
		if (shard->capture_count > 0)
			capture_sent(shard, count);
		send_frames(shard, count);
	}
	shard->more = true;
}

/* Services have their say. */
static void dispatch(struct shard *shard)
{
	struct stack_ready ready;
	uint32_t reports = 0;

	while (stack_next_ready(shard->host.stack, &ready)) {
		tenant_dispatch(shard, &ready);
		if (++reports == READY_A_TURN) {
			shard->more = true;
			return;
		}
	}
}

/* Samples and notices go to whoever wants them. */
static void tell(struct shard *shard)
{
	const struct shards *set = shard->set;
	struct stack *stack = shard->host.stack;
	struct stack_sample samples[SAMPLES_A_CALL];
	struct stack_notice notice;
	size_t count;

	while ((count = stack_samples(stack, samples, SAMPLES_A_CALL)) > 0) {
		if (set->samples)
			set->samples(set->context, shard->index, samples, count);
	}
	while (stack_next_notice(stack, &notice)) {
		if (set->notice)
			set->notice(set->context, shard->index, &notice);
	}
}

/* Services, then the answer to all that came in: the end of a turn whose time is latched. What goes out makes room
 * for services that send in bulk, so they take turns with the link, and what they write is still in the cache when it
 * is sent. */
static void finish(struct shard *shard)
{
	struct stack *stack = shard->host.stack;
	uint32_t rounds = 0;

	do {
		dispatch(shard);
		stack_settle(stack);
		if (shard->tenants_leaving)
			tenants_sweep(shard);
		shard_output(shard);
	} while (stack_has_ready(stack) && ++rounds < ROUNDS_A_TURN);
	if (stack_has_ready(stack))
		shard->more = true;
	if (shard->impair)
		impair_settle(shard);
	tell(shard);
	shard->begun = false;
}

void shard_input(struct shard *shard, const struct frame_in *frame)
{
	stack_input(shard->host.stack, shard->host.now, frame);
	if (shard->capture_count > 0)
		capture_received(shard, frame);
}

static void take_frame(struct shard *shard, const struct frame_in *frame)
{
	if (LIKELY(!shard->impair) || !impair_rules_take_in(shard->impair, shard->host.now, frame))
		shard_input(shard, frame);
}

/* One batch of frames and all that follows from it. Returns how many there were, or -errno. */
static ssize_t take_batch(struct shard *shard)
{
	ssize_t count = link_receive(shard->set->link, shard->index, shard->in, LINK_BATCH_MAX);

	if (count <= 0)
		return count;
	shard->begun = true;
	shard->host.now = shard_now();
	if (shard->impair)
		impair_turn(shard);
	for (ssize_t i = 0; i < count; i++) {
		if (shard->set->count == 1 || !forward_frame(shard, &shard->in[i]))
			take_frame(shard, &shard->in[i]);
	}
	if (stack_advance(shard->host.stack, shard->host.now))
		shard->more = true;
	shard->last_frame = shard->host.now;
	finish(shard);
	return count;
}

static void take_frames(struct shard *shard)
{
	ssize_t count = 0;

	shard->readable = false;
	for (uint32_t batches = 0; batches < BATCHES_A_TURN; batches++) {
		count = take_batch(shard);
		if (count < (ssize_t)LINK_BATCH_MAX)
			break;
	}
	if (count == (ssize_t)LINK_BATCH_MAX) {
		shard->readable = shard->more = true;
	} else if (count == -ENODEV) {
		link_lost(shard);
	} else if (count < 0 && count != -EAGAIN) {
		/* The descriptor stays readable, so this would be once a turn for ever: treat it as a loss. */
		log_write(LOG_ERR, "reading from %s: %s", link_name(shard->set->link), strerror((int)-count));
		link_lost(shard);
	}
}

/* What other shards have received for this one. */
static void take_forwarded(struct shard *shard)
{
	struct letter *letters = mailbox_take(&shard->frames);

	if (!letters)
		return;
	shard_begin(shard);
	for (struct letter *letter = letters; letter; letter = letter->next)
		take_frame(shard, &CONTAINER_OF(letter, struct forwarded_frame, letter)->frame);
	finish(shard);
	forward_free(shard, letters);
}

static void turn(struct shard *shard)
{
	struct link *link = shard->set->link;
	struct letter *jobs = mailbox_take(&shard->jobs);

	shard->more = false;
	if (link_congested(link, shard->index))
		link_flush(link, shard->index);
	if (shard->retry_at.ns != INSTANT_NEVER.ns && instant_reached(shard->retry_at, shard_now()))
		link_retry(shard);
	/* A job may stop a service or the whole stack: what peers had sent before it was asked for is heard first. */
	if (shard->link_read && jobs)
		shard->readable = true;
	if (shard->readable)
		take_frames(shard);
	if (shard->set->count > 1)
		take_forwarded(shard);
	run_letters(shard, jobs);
	if (shard->impair && instant_reached(impair_rules_deadline(shard->impair), shard_now())) {
		shard_begin(shard);
		impair_turn(shard);
	}
	/* Callbacks of services, or timers, and no frames that took them along. */
	if (shard->begun)
		finish(shard);
	shard_count_up(&shard->status.turns);
	atomic_store_explicit(&shard->status.last_turn_ns, shard->host.now.ns, memory_order_relaxed);
}

/* ---- waiting ------------------------------------------------------------------------------------------------- */

/* When the shard must wake up by itself. */
static struct instant wake_at(const struct shard *shard)
{
	struct instant due = instant_min(stack_deadline(shard->host.stack), shard->retry_at);

	return shard->impair ? instant_min(due, impair_rules_deadline(shard->impair)) : due;
}

/* Sets the timer for `due`, unless it will go off earlier anyway: waking up once too early is cheaper than a system
 * call at each change. */
static void arm(struct shard *shard, struct instant due)
{
	struct itimerspec when = { .it_value = { due.ns / 1000000000, due.ns % 1000000000 } };

	if (!instant_before(due, shard->armed))
		return;
	if (timerfd_settime(shard->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0)
		shard->armed = due;
	else
		shard->more = true; /* can't happen; better awake than deaf */
}

/* Polls the link instead of sleeping, while the last traffic is younger than spin_max. Returns true when the loop
 * should look at the event loop without sleeping, false when it is time to sleep. */
static bool spin(struct shard *shard)
{
	struct instant until = instant_add(shard->last_frame, shard->set->spin_max);

	if (!shard->link_read || link_congested(shard->set->link, shard->index))
		return false;
	for (uint32_t polls = 0; polls < SPINS_A_TURN; polls++) {
		ssize_t count = take_batch(shard);
		struct instant now;

		if (count < 0 || count == (ssize_t)LINK_BATCH_MAX) {
			shard->readable = true; /* an error, to be handled there, or more of the same */
			return true;
		}
		if (count > 0)
			until = instant_add(shard->last_frame, shard->set->spin_max);
		now = shard_now();
		if (shard->more || !mailbox_is_empty(&shard->jobs) || instant_reached(wake_at(shard), now))
			return true;
		if (instant_reached(until, now))
			return false;
	}
	return true;
}

/* Decides whether the event loop may sleep, and makes sure that it wakes up in time. */
static bool may_sleep(struct shard *shard)
{
	struct instant due, now;

	if (shard->more || shard->readable)
		return false;
	if (shard->set->spin_max.ns > 0 && spin(shard))
		return false;
	due = wake_at(shard);
	if (link_congested(shard->set->link, shard->index)) {
		if (shard->link_write && !event_pending(shard->link_write, EV_WRITE, NULL))
			event_add(shard->link_write, NULL);
		/* What waits to be sent is due all the time: timers get a turn now and then. */
		due = instant_max(due, instant_add(shard->host.now, CONGESTED_WAIT));
	}
	if (due.ns == INSTANT_NEVER.ns)
		return true;
	if (!instant_before(due, shard->armed))
		return true;
	now = shard_now();
	if (instant_reached(due, now))
		return false;
	arm(shard, due);
	return !shard->more;
}

void shard_loop(struct shard *shard)
{
	shard->begun = false;
	shard_begin(shard);
	stack_announce(shard->host.stack);
	finish(shard);
	while (!shard->stop) {
		bool sleep = may_sleep(shard);

		if (sleep)
			shard_count_up(&shard->status.sleeps);
		event_base_loop(shard->host.base, sleep ? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK);
		/* A turn has a time even when no callback asked for one: due timers. With frames the batch does that.
		 */
		if (!shard->readable)
			shard_begin(shard);
		turn(shard);
	}
}
