#include "control/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Whom the file lets in: see control_open. */
struct access {
	mode_t mode;
	gid_t group; /* with 0660 */
};

static struct access choose_access(const struct rights *rights)
{
	struct access access = { .mode = 0600 };

	for (size_t i = 0; i < rights->count; i++) {
		const struct rights_rule *rule = &rights->rule[i];

		if (!rule->is_group && (rule->id == 0 || rule->id == rights->owner))
			continue;
		if (!rule->is_group || (access.mode == 0660 && rule->id != access.group))
			return (struct access){ .mode = 0666 };
		access = (struct access){ 0660, rule->id };
	}
	return access;
}

/* Whoever holds the lock owns the path: two daemons that start at once can't take each other's socket away. */
static int lock_path(const char *path, int *ret_fd, char *error, size_t error_size)
{
	char lock[sizeof(((struct sockaddr_un *)0)->sun_path) + 8];
	int fd, r;

	snprintf(lock, sizeof(lock), "%s.lock", path);
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		r = -errno;
		snprintf(error, error_size, "can't create %s: %s", lock, strerror(-r));
		return r;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
		snprintf(error, error_size,
		         r == -EADDRINUSE ? "another daemon holds %s: is tapstackd already running?"
		                          : "can't lock %s",
		         lock);
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

/* Makes way for a new socket: removes one that nobody answers on. */
static int clear_path(const struct sockaddr_un *address, char *error, size_t error_size)
{
	const char *path = address->sun_path;
	struct stat status;
	int fd, r = 0;

	if (lstat(path, &status) < 0) {
		if (errno == ENOENT)
			return 0;
		r = -errno;
		snprintf(error, error_size, "can't look at %s: %s", path, strerror(-r));
		return r;
	}
	if (!S_ISSOCK(status.st_mode)) {
		snprintf(error, error_size, "%s is in the way: it is not a socket, so it is left alone", path);
		return -EEXIST;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno != ECONNREFUSED) {
		r = -EADDRINUSE;
		snprintf(error, error_size, "somebody answers on %s: is tapstackd already running?", path);
	} else if (unlink(path) < 0 && errno != ENOENT) {
		r = -errno;
		snprintf(error, error_size, "can't remove the old %s: %s", path, strerror(-r));
	}
	close(fd);
	return r;
}

static int set_access(const char *path, const struct access *access)
{
	/* When the daemon is no member of that group its own check has to do. */
	bool other_group = access->mode == 0660 && lchown(path, (uid_t)-1, access->group) < 0;

	return chmod(path, other_group ? 0666 : access->mode) < 0 ? -errno : 0;
}

/* The mode of the socket before bind(2) is that of the new file: closed to others from its first moment. It is opened
 * up to what is wanted before anybody can connect. */
static int bind_closed(int fd, const struct sockaddr_un *address, const struct access *access)
{
	if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return -errno;
	return set_access(address->sun_path, access);
}

static bool still_ours(const struct control_socket *control_socket)
{
	struct stat status;

	return control_socket->path && lstat(control_socket->path, &status) == 0 &&
	       status.st_dev == control_socket->device && status.st_ino == control_socket->inode;
}

void control_socket_set_access(const struct control_socket *control_socket, const struct rights *rights)
{
	struct access access = choose_access(rights);

	if (still_ours(control_socket))
		set_access(control_socket->path, &access);
}

static int remember_file(struct control_socket *made, const char *path)
{
	struct stat status;

	made->path = strdup(path);
	if (!made->path)
		return -ENOMEM;
	if (lstat(path, &status) < 0)
		return -errno;
	made->device = status.st_dev;
	made->inode = status.st_ino;
	return 0;
}

int control_socket_open(const char *path, const struct rights *rights, struct control_socket *ret_socket, char *error,
                        size_t error_size)
{
	struct control_socket made = { .fd = -1, .lock_fd = -1 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct access access = choose_access(rights);
	int r;

	if (strlen(path) >= sizeof(address.sun_path)) {
		snprintf(error, error_size, "the path of the control socket is longer than %zu bytes: %s",
		         sizeof(address.sun_path) - 1, path);
		return -ENAMETOOLONG;
	}
	strcpy(address.sun_path, path);

	r = lock_path(path, &made.lock_fd, error, error_size);
	if (r < 0)
		return r;
	r = clear_path(&address, error, error_size);
	if (r < 0) {
		close(made.lock_fd);
		return r;
	}
	made.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	r = made.fd < 0 ? -errno : bind_closed(made.fd, &address, &access);
	if (r == 0)
		r = remember_file(&made, path);
	if (r == 0 && listen(made.fd, SOMAXCONN) < 0)
		r = -errno;
	if (r < 0) {
		snprintf(error, error_size, "can't listen on %s: %s", path, strerror(-r));
		control_socket_remove(&made);
		if (made.fd >= 0)
			close(made.fd);
		return r;
	}
	*ret_socket = made;
	return 0;
}

int control_socket_adopt(int fd, struct control_socket *ret_socket, char *error, size_t error_size)
{
	int domain = 0, type = 0, listening = 0;
	socklen_t length = sizeof(int);

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length);
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length);
	getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length);
	if (domain != AF_UNIX || type != SOCK_STREAM || !listening) {
		snprintf(error, error_size, "descriptor %d is not a listening Unix stream socket", fd);
		return -EINVAL;
	}
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		int r = -errno;

		snprintf(error, error_size, "can't use descriptor %d: %s", fd, strerror(-r));
		return r;
	}
	*ret_socket = (struct control_socket){ .fd = fd, .lock_fd = -1 };
	return 0;
}

void control_socket_remove(struct control_socket *control_socket)
{
	if (still_ours(control_socket))
		unlink(control_socket->path);
	free(control_socket->path);
	control_socket->path = NULL;
	if (control_socket->lock_fd >= 0)
		close(control_socket->lock_fd);
	control_socket->lock_fd = -1;
}
