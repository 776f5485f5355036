/* The unix back end: a SOCK_SEQPACKET listener, one peer at a time, one frame a message. The descriptor that the
 * caller waits on is an epoll set of our own, so that it stays the same while peers come and go: it holds the
 * listener while there is no peer, else the peer. */
#include "link/backend.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define UNIX_MTU_DEFAULT 1500u

static struct sockaddr_un path_address(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memcpy(address.sun_path, path, strnlen(path, sizeof(address.sun_path) - 1));
	return address;
}

/* Is the file a socket on which nobody listens any more? */
static bool socket_is_stale(const char *path)
{
	struct sockaddr_un address = path_address(path);
	struct stat status;
	bool stale;
	int fd;

	if (lstat(path, &status) < 0 || !S_ISSOCK(status.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	stale = connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int watch(struct link_queue *queue, int operation, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events };

	return epoll_ctl(queue->fd, operation, fd, &event) < 0 ? -errno : 0;
}

static int unix_open(struct link *link, char *error, size_t error_size)
{
	struct link_queue *queue = &link->queue[0];
	struct sockaddr_un address = path_address(link->name);
	int fd, r;

	if (link->queue_count > 1)
		return link_fail(error, error_size, EINVAL, "a unix link has one queue only (shard.count must be 1)");
	link->mtu_bytes = link->options.mtu_bytes ? link->options.mtu_bytes : UNIX_MTU_DEFAULT;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return link_fail(error, error_size, errno, "unix socket: %s", strerror(errno));
	r = bind(fd, (struct sockaddr *)&address, sizeof(address));
	if (r < 0 && errno == EADDRINUSE) {
		if (socket_is_stale(link->name) && unlink(link->name) == 0)
			r = bind(fd, (struct sockaddr *)&address, sizeof(address));
		else
			errno = EADDRINUSE;
	}
	if (r < 0) {
		r = link_fail(error, error_size, errno, "socket %s: %s", link->name, strerror(errno));
		close(fd);
		return r;
	}
	queue->listener = fd; /* from here on unix_close removes the file */
	queue->fd = epoll_create1(EPOLL_CLOEXEC);
	if (listen(fd, 4) < 0 || queue->fd < 0 || watch(queue, EPOLL_CTL_ADD, fd, EPOLLIN) < 0)
		return link_fail(error, error_size, errno, "socket %s: %s", link->name, strerror(errno));
	return 0;
}

static void unix_close(struct link *link)
{
	struct link_queue *queue = &link->queue[0];

	if (queue->peer >= 0)
		close(queue->peer);
	if (queue->fd >= 0)
		close(queue->fd);
	if (queue->listener >= 0) {
		close(queue->listener);
		unlink(link->name);
	}
	queue->peer = queue->fd = queue->listener = -1;
}

/* Takes the next peer that waits. 0, -EAGAIN when there is none, or another -errno. */
static int take_peer(struct link_queue *queue)
{
	int r, fd = accept4(queue->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return errno == EINTR || errno == ECONNABORTED ? -EAGAIN : -errno;
	r = watch(queue, EPOLL_CTL_ADD, fd, EPOLLIN);
	if (r < 0) {
		close(fd);
		return r;
	}
	watch(queue, EPOLL_CTL_DEL, queue->listener, 0);
	queue->peer = fd;
	return 0;
}

/* What was kept for the peer goes with it: the next one is another network. */
static void lose_peer(struct link_queue *queue)
{
	close(queue->peer); /* which takes it out of the epoll set */
	queue->peer = -1;
	queue->kept.start = queue->kept.end = 0;
	queue->congested = false;
	watch(queue, EPOLL_CTL_ADD, queue->listener, EPOLLIN);
}

/* A message of no bytes reads like the end of the connection, but only after that is the socket hung up. */
static bool hung_up(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLRDHUP };

	return poll(&poller, 1, 0) > 0 && (poller.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

static ssize_t unix_receive(const struct link *link, struct link_queue *queue, struct frame_in *frames, size_t max)
{
	size_t count = 0, at = 0;

	(void)link;
	while (count < max && at + LINK_SLOT_BYTES <= LINK_ARENA_BYTES) {
		/* Two bytes past a cache line: so the IP header, 14 bytes on, is aligned. */
		uint8_t *bytes = queue->arena + at + 2;
		ssize_t n;

		if (queue->peer < 0) {
			int r = take_peer(queue);

			if (r == -EAGAIN || (r < 0 && count > 0))
				break;
			if (r < 0)
				return r;
		}
		n = recv(queue->peer, bytes, LINK_SLOT_BYTES - 2, MSG_TRUNC | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0 || (n == 0 && hung_up(queue->peer))) {
			lose_peer(queue);
			continue;
		}
		if (n > (ssize_t)LINK_SLOT_BYTES - 2) {
			link_count(&queue->counters.dropped_long, 1);
			continue;
		}
		frames[count] = (struct frame_in){ .bytes = bytes, .length = (uint32_t)n };
		at += (2 + (size_t)n + 63) / 64 * 64;
		count++;
	}
	return (ssize_t)count;
}

static size_t unix_prefix(const struct link *link, const struct frame_out *frame, uint8_t *bytes)
{
	(void)link;
	(void)frame;
	(void)bytes;
	return 0;
}

static int unix_write(struct link_queue *queue, const struct iovec *iov, int iov_count)
{
	struct msghdr message = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)iov_count };

	if (queue->peer < 0)
		return -ENETDOWN;
	if (sendmsg(queue->peer, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return 0;
	switch (errno) {
	case EINTR:
	case EAGAIN:
		return -EAGAIN;
	case EPIPE: /* link_receive will find out too and take the next peer */
	case ECONNRESET:
	case ENOTCONN:
		return -ENETDOWN;
	default:
		return -errno;
	}
}

static void unix_wait_writable(struct link_queue *queue, bool wanted)
{
	if (queue->peer >= 0)
		watch(queue, EPOLL_CTL_MOD, queue->peer, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

const struct link_ops link_unix_ops = {
	.name = "unix",
	.open = unix_open,
	.close = unix_close,
	.receive = unix_receive,
	.prefix = unix_prefix,
	.write = unix_write,
	.wait_writable = unix_wait_writable,
};
