/* What systemd is told. The watchdog is fed only when all shards have answered: a shard that hangs ends in a
 * restart, and the audit survives it. */
#include "main.h"
#include "shard/survey.h"

#include <errno.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#else
/* Built without the library: nobody is told, and there is no watchdog to feed. */
static int sd_notifyf(int unset_environment, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int sd_notifyf(int unset_environment, const char *format, ...)
{
	(void)unset_environment;
	(void)format;
	return 0;
}

static int sd_watchdog_enabled(int unset_environment, uint64_t *every_us)
{
	(void)unset_environment;
	(void)every_us;
	return 0;
}
#endif

#define STATUS_EVERY_US 5000000u

static void answered(void *user, const struct survey_totals *totals)
{
	struct daemon *daemon = user;
	const struct stack_gauges *gauges = &totals->gauges;
	bool link_up = true;

	daemon->notify_pending = false;
	for (size_t i = 0; i < totals->count; i++)
		link_up = link_up && totals->shard[i].status.link_up;
	sd_notifyf(0, "WATCHDOG=1\nSTATUS=%u connections, %u half-open, %u in TIME-WAIT%s", gauges->connections,
	           gauges->half_open, gauges->time_wait, link_up ? "" : "; waiting for the interface");
}

static void on_notify_timer(evutil_socket_t fd, short events, void *context)
{
	struct daemon *daemon = context;

	(void)fd;
	(void)events;
	/* The last answer is still missing: no second question, and no food for the watchdog. */
	if (daemon->notify_pending)
		return;
	daemon->notify_pending = survey_totals_start(daemon->shards, answered, daemon) == 0;
}

int notify_watch(struct daemon *daemon)
{
	uint64_t every_us = 0;
	struct timeval every;

	if (sd_watchdog_enabled(0, &every_us) > 0 && every_us > 0)
		every_us /= 3;
	if (every_us == 0 || every_us > STATUS_EVERY_US)
		every_us = STATUS_EVERY_US;
	every = (struct timeval){ (time_t)(every_us / 1000000), (suseconds_t)(every_us % 1000000) };
	daemon->notify_timer = event_new(daemon->base, -1, EV_PERSIST, on_notify_timer, daemon);
	if (!daemon->notify_timer || event_add(daemon->notify_timer, &every) != 0)
		return -ENOMEM;
	return 0;
}

void notify_ready(struct daemon *daemon)
{
	sd_notifyf(0, "READY=1\nSTATUS=Ready on %s", link_name(daemon->link));
}

void notify_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=Reading the configuration again",
	           (long long)(shard_now().ns / 1000));
}

void notify_stopping(struct duration grace)
{
	/* What follows the grace (resets, the audit, logging plugins) is bounded by some seconds. */
	sd_notifyf(0, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld\nSTATUS=Closing connections",
	           (long long)(grace.ns / 1000 + 20000000));
}
