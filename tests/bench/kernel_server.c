/* discard (9), chargen (19) and echo (all other ports given) with the kernel's own TCP, on one epoll: the reference
 * that tapstackd is compared with. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 * 1024, EVENTS = 64 };

enum kind { LISTEN, DISCARD, SOURCE, ECHO };

/* What epoll_event.data holds: the descriptor, its kind, and for a listener the kind of its connections. */
static uint64_t tag(int fd, enum kind kind, enum kind accepts)
{
	return (uint64_t)fd | (uint64_t)kind << 32 | (uint64_t)accepts << 40;
}

static void watch(int epoll, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		perror("kernel_server: epoll_ctl");
		exit(1);
	}
}

/* `congestion` NULL: as the namespace has it. */
static void listen_on(int epoll, uint16_t port, const char *congestion)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	enum kind kind = port == 9 ? DISCARD : port == 19 ? SOURCE : ECHO;
	int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (congestion &&
	    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, (socklen_t)strlen(congestion)) < 0) {
		fprintf(stderr, "kernel_server: %s: %s\n", congestion, strerror(errno));
		exit(3);
	}
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4096) < 0) {
		fprintf(stderr, "kernel_server: port %d: %s\n", port, strerror(errno));
		exit(1);
	}
	watch(epoll, fd, EPOLLIN, tag(fd, LISTEN, kind));
}

static void accept_all(int epoll, int listener, enum kind kind)
{
	int yes = 1, fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
		watch(epoll, fd, kind == SOURCE ? EPOLLIN | EPOLLOUT : EPOLLIN, tag(fd, kind, 0));
	}
}

/* One turn of a connection; false when it is over. The source stops when its client closes. */
static bool serve(int fd, enum kind kind, uint32_t events, char *buffer)
{
	ssize_t n;

	if (kind == SOURCE) {
		n = events & EPOLLIN ? read(fd, buffer, BUFFER_BYTES) : 1;
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return false;
		return !(events & EPOLLOUT) || send(fd, buffer, BUFFER_BYTES, MSG_NOSIGNAL) >= 0 || errno == EAGAIN;
	}
	n = read(fd, buffer, BUFFER_BYTES);
	if (n < 0)
		return errno == EAGAIN;
	/* What echo gets here is a byte: it fits. */
	return n > 0 && (kind == DISCARD || send(fd, buffer, (size_t)n, MSG_NOSIGNAL) == n);
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	static char buffer[BUFFER_BYTES];
	int epoll = epoll_create1(EPOLL_CLOEXEC), first = 1;
	const char *congestion = NULL;

	if (argc > 2 && strcmp(argv[1], "--congestion") == 0) {
		congestion = argv[2];
		first = 3;
	}
	if (argc <= first || epoll < 0) {
		fprintf(stderr, "usage: kernel_server [--congestion NAME] PORT...\n");
		return 2;
	}
	for (int i = first; i < argc; i++)
		listen_on(epoll, (uint16_t)atoi(argv[i]), congestion);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			uint64_t data = events[i].data.u64;
			int fd = (int)(uint32_t)data;
			enum kind kind = (enum kind)(data >> 32 & 0xff);

			if (kind == LISTEN)
				accept_all(epoll, fd, (enum kind)(data >> 40 & 0xff));
			else if (!serve(fd, kind, events[i].events, buffer))
				close(fd);
		}
	}
}
