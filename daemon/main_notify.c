/* What systemd is told. The watchdog is fed only when all shards have answered: a shard that hangs ends in a
 * restart, and the audit survives it. */
#include "main.h"
#include "shard/survey.h"

#include <errno.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#else
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Built without the library: the same in few words, as sd_notify(3) and sd_watchdog_enabled(3) describe it, because
 * the unit waits for it. */
static int sd_notifyf(int unset_environment, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int sd_notifyf(int unset_environment, const char *format, ...)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length = path == NULL ? 0 : strlen(path);
	char message[500];
	va_list args;
	int fd, r;

	(void)unset_environment;
	if (length < 2 || length >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
		return 0;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = sendto(fd, message, strlen(message), MSG_NOSIGNAL, (const struct sockaddr *)&address,
	           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0
	            ? -errno
	            : 1;
	close(fd);
	return r;
}

static int sd_watchdog_enabled(int unset_environment, uint64_t *every_us)
{
	const char *every = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	(void)unset_environment;
	if (every == NULL || (pid != NULL && strtoll(pid, NULL, 10) != (long long)getpid()))
		return 0;
	*every_us = strtoull(every, NULL, 10);
	return *every_us > 0;
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
