/* A secret that outlives the daemon: IPv6 addresses that the stack makes up are the same at each start, and tell
 * nobody anything (RFC 7217). */
#include "main.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME "stable-secret"

static int read_secret(const char *path, uint8_t *secret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
	uint8_t extra;
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read(fd, secret, size);
	if (got < 0)
		got = -errno;
	else if ((size_t)got < size || read(fd, &extra, 1) != 0)
		got = -EBADMSG;
	close(fd);
	return got < 0 ? (int)got : 0;
}

/* Under another name first: a file that is there is whole. */
static int write_secret(const char *path, const uint8_t *secret, size_t size)
{
	char temporary[300];
	ssize_t written;
	int fd, error = 0;

	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.new", path) >= sizeof(temporary))
		return -ENAMETOOLONG;
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	written = write(fd, secret, size);
	if (written >= 0 && (size_t)written < size)
		error = -ENOSPC; /* says nothing itself; the next write would */
	else if (written < 0 || fsync(fd) < 0)
		error = -errno;
	close(fd);
	if (error == 0 && rename(temporary, path) < 0)
		error = -errno;
	if (error != 0)
		unlink(temporary);
	return error;
}

int secret_load(const struct config *config, uint8_t *ret_secret, size_t size)
{
	char path[256];
	int error = config_state_path(config, FILE_NAME, path, sizeof(path));

	if (error == 0)
		error = read_secret(path, ret_secret, size);
	if (error == -ENOENT) {
		randombytes_buf(ret_secret, size);
		error = write_secret(path, ret_secret, size);
	}
	if (error != 0)
		log_write(LOG_ERR, "%s: %s", path,
		          error == -EBADMSG ? "not a secret of this daemon: remove it, and a new one is made"
		                            : strerror(-error));
	return error;
}
