#include "relay_fixture.h"

#include "support/fake_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct instant fixture_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (struct instant){ (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec };
}

static void begin(struct service_host *host)
{
	host->now = fixture_now();
}

static int open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what, (void)context;
}

static void listen_at_target(struct fixture *f, int backlog)
{
	struct sockaddr *address = (struct sockaddr *)&f->options.target.address;
	socklen_t length = f->options.target.length;

	f->listener = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(f->listener >= 0);
	setsockopt(f->listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	assert_int_equal(bind(f->listener, address, length), 0);
	assert_int_equal(getsockname(f->listener, address, &length), 0);
	assert_int_equal(listen(f->listener, backlog), 0);
}

static void choose_target(struct fixture *f, enum server_kind kind)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&f->options.target.address;
	struct sockaddr_in *in = (struct sockaddr_in *)&f->options.target.address;

	if (kind == SERVER_UNIX) {
		un->sun_family = AF_UNIX;
		/* An abstract name: no file to clean up, and the network namespace's own. */
		memcpy(un->sun_path, "\0server", 7);
		f->options.target.length = offsetof(struct sockaddr_un, sun_path) + 7;
	} else {
		in->sin_family = AF_INET;
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		f->options.target.length = sizeof(*in);
	}
}

void server_listens_again(struct fixture *f)
{
	listen_at_target(f, 10);
	f->descriptors++;
}

void fixture_open(struct fixture *f, enum server_kind kind, int backlog)
{
	struct event_config *config = event_config_new();
	const struct timeval tick = { 0, 2000 };

	memset(f, 0, sizeof(*f));
	fake_log_clear();
	f->options = (struct service_options){ .name = "test", .id = 5 };
	choose_target(f, kind);
	listen_at_target(f, backlog);
	f->host.stack = fake_stack_new(1460, 16384);
	f->host.begin = begin;
	f->host.now = fixture_now();
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	f->host.base = event_base_new_with_config(config);
	event_config_free(config);
	f->tick = event_new(f->host.base, -1, EV_PERSIST, on_tick, NULL);
	event_add(f->tick, &tick);
	f->descriptors = open_descriptors();
}

void fixture_start(struct fixture *f, const char *kind)
{
	assert_int_equal(service_start(service_type_find(kind), &f->host, &f->options, &f->service), 0);
}

void fixture_close(struct fixture *f)
{
	assert_int_equal(f->service->stats.accepted - f->service->stats.ended, fake_stack_open(f->host.stack));
	service_stop(f->service);
	assert_int_equal(fake_stack_open(f->host.stack), 0);
	assert_int_equal(open_descriptors(), f->descriptors);
	event_free(f->tick);
	event_base_free(f->host.base);
	fake_stack_free(f->host.stack);
	if (f->listener >= 0)
		close(f->listener);
}

void crank(struct fixture *f)
{
	struct stack_ready ready;

	event_base_loop(f->host.base, EVLOOP_ONCE);
	begin(&f->host);
	while (stack_next_ready(f->host.stack, &ready))
		service_ready(f->service, &ready);
}

static bool accepts(struct fixture *f, int *ret_fd)
{
	*ret_fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	return *ret_fd >= 0;
}

int server_accept(struct fixture *f)
{
	int fd;

	UNTIL(f, accepts(f, &fd));
	return fd;
}

static bool reads(int fd, void *bytes, size_t length, ssize_t *ret_n)
{
	*ret_n = read(fd, bytes, length);
	if (*ret_n < 0)
		*ret_n = -errno;
	return *ret_n != -EAGAIN;
}

ssize_t server_read(struct fixture *f, int fd, void *bytes, size_t length)
{
	ssize_t n;

	UNTIL(f, reads(fd, bytes, length, &n));
	return n;
}

void server_read_all(struct fixture *f, int fd, void *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = server_read(f, fd, bytes, length);

		assert_true(n > 0);
		bytes = (uint8_t *)bytes + n;
		length -= (size_t)n;
	}
}

void server_resets(int fd)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}
