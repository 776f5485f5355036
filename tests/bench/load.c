/* Load generator: the client's side, with the kernel's TCP. Prints one number: bytes per second for bulk, exchanges
 * or connections per second else.
 *
 *   in       N connections send as fast as they can
 *   out      N connections read as fast as they can
 *   rr       N connections exchange one byte for one byte, each one at a time
 *   crc      N at a time: connect, send a byte, read a byte, close; over several ports, so that ephemeral ports and
 *            TIME_WAIT do not limit it */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 20, EVENTS = 64, PORTS_MAX = 16, CONNECTIONS_MAX = 1024 };

struct load {
	const char *mode;
	struct sockaddr_in address;
	uint16_t port[PORTS_MAX];
	size_t port_count, next_port;
	int connections, epoll;
	bool busy, abortive;
	double warmup_s, seconds;
	uint64_t done, done_before; /* bytes or exchanges: in all; during the warm-up */
	int64_t start_ns, measured_ns, end_ns;
	char *buffer;
};

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Is there time left? Takes the starting point of the measurement when the warm-up is over. */
static bool go_on(struct load *load)
{
	int64_t now = now_ns();

	if (load->measured_ns == 0 && now - load->start_ns >= (int64_t)(load->warmup_s * 1e9)) {
		load->measured_ns = now;
		load->done_before = load->done;
		load->end_ns = now + (int64_t)(load->seconds * 1e9);
	}
	if (load->measured_ns == 0 || now < load->end_ns)
		return true;
	load->end_ns = now;
	return false;
}

static int connect_one(struct load *load, bool wait)
{
	int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (wait ? 0 : SOCK_NONBLOCK), 0);

	if (fd < 0)
		die("socket");
	load->address.sin_port = htons(load->port[load->next_port]);
	load->next_port = (load->next_port + 1) % load->port_count;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	if (connect(fd, (struct sockaddr *)&load->address, sizeof(load->address)) < 0 && errno != EINPROGRESS)
		die("connect");
	return fd;
}

static void watch(const struct load *load, int operation, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	if (epoll_ctl(load->epoll, operation, fd, &event) < 0)
		die("epoll_ctl");
}

/* N connections, ready to be used without waiting. */
static void connect_all(struct load *load, int *fds, uint32_t events)
{
	for (int i = 0; i < load->connections; i++) {
		fds[i] = connect_one(load, true);
		watch(load, EPOLL_CTL_ADD, fds[i], events);
	}
	load->start_ns = now_ns();
}

static int wait_events(const struct load *load, struct epoll_event *events)
{
	int n = epoll_wait(load->epoll, events, EVENTS, load->busy ? 0 : 5000);

	if (n == 0 && !load->busy) {
		errno = ETIMEDOUT;
		die("no progress");
	}
	return n;
}

static void run_bulk(struct load *load, bool in)
{
	struct epoll_event events[EVENTS];
	int fds[CONNECTIONS_MAX];

	connect_all(load, fds, in ? EPOLLOUT : EPOLLIN);
	while (go_on(load)) {
		int n = wait_events(load, events);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			ssize_t r = in ? send(fd, load->buffer, BUFFER_BYTES, MSG_DONTWAIT | MSG_NOSIGNAL)
			               : recv(fd, load->buffer, BUFFER_BYTES, MSG_DONTWAIT);

			if (r > 0)
				load->done += (uint64_t)r;
			else if (r == 0 || errno != EAGAIN)
				die("bulk");
		}
	}
}

static void run_exchanges(struct load *load)
{
	struct epoll_event events[EVENTS];
	int fds[CONNECTIONS_MAX];

	connect_all(load, fds, EPOLLIN);
	for (int i = 0; i < load->connections; i++)
		if (send(fds[i], "x", 1, MSG_NOSIGNAL) != 1)
			die("send");
	while (go_on(load)) {
		int n = wait_events(load, events);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (recv(fd, load->buffer, 16, 0) != 1 || send(fd, "x", 1, MSG_NOSIGNAL) != 1)
				die("exchange");
			load->done++;
		}
	}
}

/* One connection with a client that looks again and again instead of sleeping. */
static void run_busy_exchanges(struct load *load)
{
	int fd = connect_one(load, true);
	char byte = 'x';

	load->start_ns = now_ns();
	while (go_on(load)) {
		int64_t give_up = now_ns() + INT64_C(5000000000);
		ssize_t n;

		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
			die("send");
		while ((n = recv(fd, &byte, 1, MSG_DONTWAIT)) < 0 && errno == EAGAIN)
			if (now_ns() > give_up)
				die("no answer");
		if (n != 1)
			die("exchange");
		load->done++;
	}
}

static void run_connections(struct load *load)
{
	struct linger abort_on_close = { .l_onoff = 1 };
	struct epoll_event events[EVENTS];

	load->start_ns = now_ns();
	for (int i = 0; i < load->connections; i++)
		watch(load, EPOLL_CTL_ADD, connect_one(load, false), EPOLLOUT);
	while (go_on(load)) {
		int n = wait_events(load, events);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (events[i].events & EPOLLOUT) {
				if (send(fd, "x", 1, MSG_NOSIGNAL) != 1)
					die("send");
				watch(load, EPOLL_CTL_MOD, fd, EPOLLIN);
				continue;
			}
			if (recv(fd, load->buffer, 16, 0) != 1)
				die("answer");
			if (load->abortive)
				setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_on_close, sizeof(abort_on_close));
			close(fd);
			load->done++;
			watch(load, EPOLL_CTL_ADD, connect_one(load, false), EPOLLOUT);
		}
	}
}

static void usage(void)
{
	fprintf(stderr, "usage: load --address IP --port PORT [--port PORT]... [--connections N] [--seconds S]\n"
	                "            [--warmup S] [--busy] [--abort] in|out|rr|crc\n");
	exit(2);
}

static void parse_options(int argc, char **argv, struct load *load)
{
	static const struct option table[] = { { "address", 1, NULL, 'a' },     { "port", 1, NULL, 'p' },
		                               { "connections", 1, NULL, 'n' }, { "seconds", 1, NULL, 's' },
		                               { "warmup", 1, NULL, 'w' },      { "busy", 0, NULL, 'b' },
		                               { "abort", 0, NULL, 'r' },       { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (c == 'a' && inet_pton(AF_INET, optarg, &load->address.sin_addr) == 1)
			load->address.sin_family = AF_INET;
		else if (c == 'p' && load->port_count < PORTS_MAX)
			load->port[load->port_count++] = (uint16_t)atoi(optarg);
		else if (c == 'n')
			load->connections = atoi(optarg);
		else if (c == 's')
			load->seconds = atof(optarg);
		else if (c == 'w')
			load->warmup_s = atof(optarg);
		else if (c == 'b')
			load->busy = true;
		else if (c == 'r')
			load->abortive = true;
		else
			usage();
	}
	if (optind + 1 != argc || !load->address.sin_family || !load->port_count || load->connections < 1 ||
	    load->connections > CONNECTIONS_MAX)
		usage();
	load->mode = argv[optind];
}

int main(int argc, char **argv)
{
	struct load load = { .connections = 1, .seconds = 1, .warmup_s = 0.2 };

	parse_options(argc, argv, &load);
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	load.buffer = calloc(1, BUFFER_BYTES);
	if (load.epoll < 0 || !load.buffer)
		die("start");
	if (strcmp(load.mode, "in") == 0 || strcmp(load.mode, "out") == 0)
		run_bulk(&load, load.mode[0] == 'i');
	else if (strcmp(load.mode, "rr") == 0 && load.busy && load.connections == 1)
		run_busy_exchanges(&load);
	else if (strcmp(load.mode, "rr") == 0)
		run_exchanges(&load);
	else if (strcmp(load.mode, "crc") == 0)
		run_connections(&load);
	else
		usage();
	printf("%.1f\n", (double)(load.done - load.done_before) * 1e9 / (double)(load.end_ns - load.measured_ns));
	return 0;
}
