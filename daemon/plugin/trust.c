#include "plugin/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LINKS_MAX 40u /* as the kernel has it */

struct walk {
	int fd;              /* of the directory reached */
	struct stat here;    /* its status */
	char path[PATH_MAX]; /* its name, for messages; "" is / */
	char rest[PATH_MAX]; /* what is still to be walked */
	char part[NAME_MAX + 1];
	uid_t root_owner; /* of / */
	unsigned links;
	char *error;
};

/* ---- who may change it --------------------------------------------------------------------------------------- */

static int check_owner(const struct walk *walk, const struct stat *status, const char *path, bool strict)
{
	if (status->st_uid == 0 || status->st_uid == geteuid() || (!strict && status->st_uid == walk->root_owner))
		return 0;
	return refuse(walk->error, -EPERM, "%.400s belongs to user %u: must be root's or the daemon's own (chown)",
	              path, (unsigned)status->st_uid);
}

/* What it lets users and groups write shows as a right of the file's group. */
static bool has_access_list(int fd)
{
	char path[40]; /* `fd` may be one that only stands for a place */

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

/* `fd` is what has this status. */
static int check_writers(const struct walk *walk, int fd, const struct stat *status, const char *path)
{
	unsigned mode = status->st_mode & 07777u;

	if ((status->st_mode & S_IWOTH) != 0)
		return refuse(walk->error, -EPERM, "%.400s can be written by everybody (mode %04o): chmod o-w", path,
		              mode);
	if ((status->st_mode & S_IWGRP) != 0 && status->st_gid != 0 && status->st_gid != getegid())
		return refuse(walk->error, -EPERM, "%.400s can be written by group %u (mode %04o): chmod g-w", path,
		              (unsigned)status->st_gid, mode);
	if ((status->st_mode & S_IWGRP) != 0 && has_access_list(fd))
		return refuse(walk->error, -EPERM,
		              "%.400s has an access control list that lets others write: setfacl -b", path);
	return 0;
}

/* Others may put things there, but not rename or remove what is not theirs. */
static bool is_shared(const struct stat *status)
{
	return (status->st_mode & S_ISVTX) != 0 && (status->st_mode & (S_IWOTH | S_IWGRP)) != 0;
}

static int check_on_the_way(const struct walk *walk)
{
	const char *path = walk->path[0] == '\0' ? "/" : walk->path;
	int r = check_owner(walk, &walk->here, path, false);

	return r != 0 || is_shared(&walk->here) ? r : check_writers(walk, walk->fd, &walk->here, path);
}

static int check_end(const struct walk *walk, int fd, const struct stat *status, const char *path)
{
	int r = check_owner(walk, status, path, true);

	return r != 0 ? r : check_writers(walk, fd, status, path);
}

/* ---- the walk ------------------------------------------------------------------------------------------------ */

static int say_errno(const struct walk *walk, const char *path, int error)
{
	return refuse(walk->error, -error, "%.700s: %s", path, strerror(error));
}

/* Goes to a directory that is open as `fd`. */
static int arrive(struct walk *walk, int fd)
{
	if (walk->fd >= 0)
		close(walk->fd);
	walk->fd = fd;
	if (fd < 0 || fstat(fd, &walk->here) != 0)
		return say_errno(walk, walk->path[0] == '\0' ? "/" : walk->path, errno);
	return check_on_the_way(walk);
}

static int begin_at_root(struct walk *walk)
{
	struct stat root;

	walk->path[0] = '\0';
	if (stat("/", &root) == 0)
		walk->root_owner = root.st_uid;
	return arrive(walk, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

/* The next part of the path into walk->part: "" when there is none. */
static int next_part(struct walk *walk)
{
	const char *at = walk->rest + strspn(walk->rest, "/");
	size_t length = strcspn(at, "/");

	if (length > NAME_MAX)
		return say_errno(walk, at, ENAMETOOLONG);
	memcpy(walk->part, at, length);
	walk->part[length] = '\0';
	at += length;
	at += strspn(at, "/");
	memmove(walk->rest, at, strlen(at) + 1);
	return 0;
}

/* What walk->part is called in full. */
static void part_path(const struct walk *walk, char path[static PATH_MAX])
{
	size_t length = strlen(walk->path);

	memcpy(path, walk->path, length);
	snprintf(path + length, PATH_MAX - length, "/%s", walk->part);
}

static int follow(struct walk *walk, const struct stat *link, const char *path)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t length;
	int r = check_owner(walk, link, path, false);

	if (r != 0)
		return r;
	if (is_shared(&walk->here))
		return refuse(walk->error, -EPERM, "%.400s is a link in a directory that others may write into",
		              path);
	if (++walk->links > LINKS_MAX)
		return say_errno(walk, path, ELOOP);
	length = readlinkat(walk->fd, walk->part, target, sizeof(target) - 1);
	if (length < 0)
		return say_errno(walk, path, errno);
	target[length] = '\0';
	if ((size_t)length + 1 + strlen(walk->rest) >= sizeof(rest))
		return say_errno(walk, path, ENAMETOOLONG);
	stpcpy(stpcpy(stpcpy(rest, target), "/"), walk->rest);
	memcpy(walk->rest, rest, sizeof(rest));
	return target[0] == '/' ? begin_at_root(walk) : 0;
}

/* To the directory above, which was walked through, or is / itself. */
static int go_up(struct walk *walk)
{
	char *slash = strrchr(walk->path, '/');

	if (slash != NULL)
		*slash = '\0';
	return arrive(walk, openat(walk->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

static int go_down(struct walk *walk, const char *path)
{
	snprintf(walk->path, sizeof(walk->path), "%s", path);
	return arrive(walk, openat(walk->fd, walk->part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

/* The last part, which is no link. */
static int open_end(struct walk *walk, const char *path, mode_t type, int *ret_fd)
{
	struct stat status;
	int fd, r;

	r = check_end(walk, walk->fd, &walk->here, walk->path[0] == '\0' ? "/" : walk->path);
	if (r != 0)
		return r;
	fd = openat(walk->fd, walk->part, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) != 0)
		r = say_errno(walk, path, errno);
	else if ((status.st_mode & S_IFMT) != type)
		r = refuse(walk->error, -EINVAL, "%.700s is not a regular file", path);
	else
		r = check_end(walk, fd, &status, path);
	if (r == 0)
		*ret_fd = fd;
	else if (fd >= 0)
		close(fd);
	return r;
}

/* One part on; *ret_fd is set at the end of the way to a file. */
static int step(struct walk *walk, mode_t type, int *ret_fd)
{
	char path[PATH_MAX];
	struct stat status;

	if (strcmp(walk->part, ".") == 0)
		return 0;
	if (strcmp(walk->part, "..") == 0)
		return go_up(walk);
	part_path(walk, path);
	if (fstatat(walk->fd, walk->part, &status, AT_SYMLINK_NOFOLLOW) != 0)
		return say_errno(walk, path, errno);
	if (S_ISLNK(status.st_mode))
		return follow(walk, &status, path);
	if (walk->rest[0] != '\0' || S_ISDIR(type))
		return go_down(walk, path);
	if (!S_ISREG(status.st_mode))
		return refuse(walk->error, -EINVAL, "%.700s is not a regular file", path);
	return open_end(walk, path, type, ret_fd);
}

static int walk_path(struct walk *walk, const char *path, mode_t type, int *ret_fd)
{
	int r;

	if (path[0] != '/' || strlen(path) >= sizeof(walk->rest))
		return refuse(walk->error, -EINVAL, "%.700s: not an absolute path, or too long", path);
	strcpy(walk->rest, path);
	r = begin_at_root(walk);
	while (r == 0 && *ret_fd < 0) {
		r = next_part(walk);
		if (r != 0)
			return r;
		if (walk->part[0] != '\0')
			r = step(walk, type, ret_fd);
		else if (S_ISDIR(type))
			break;
		else
			r = refuse(walk->error, -EISDIR, "%.700s: %s", path, strerror(EISDIR));
	}
	return r;
}

static int open_trusted(const char *path, mode_t type, int *ret_fd, char *error)
{
	struct walk walk = { .fd = -1, .error = error };
	int fd = -1, r = walk_path(&walk, path, type, &fd);

	if (r == 0 && S_ISDIR(type)) {
		r = check_end(&walk, walk.fd, &walk.here, path);
		if (r == 0)
			fd = openat(walk.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (r == 0 && fd < 0)
			r = say_errno(&walk, path, errno);
	}
	if (walk.fd >= 0)
		close(walk.fd);
	if (r == 0)
		*ret_fd = fd;
	return r;
}

int trust_open_file(const char *path, int *ret_fd, char error[static PLUGIN_ERROR_MAX])
{
	return open_trusted(path, S_IFREG, ret_fd, error);
}

int trust_open_directory(const char *path, int *ret_fd, char error[static PLUGIN_ERROR_MAX])
{
	return open_trusted(path, S_IFDIR, ret_fd, error);
}
