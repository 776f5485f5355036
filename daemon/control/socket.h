#pragma once
/* The control socket's file: who holds its path, with which mode it is made, and that nobody else's is taken away. */
#include "control/rights.h"

#include <stddef.h>
#include <sys/types.h>

struct control_socket {
	int fd;      /* listening, non-blocking */
	int lock_fd; /* held on PATH.lock while this daemon owns the path; -1: none */
	char *path;  /* NULL: the socket was opened by somebody else */
	dev_t device;
	ino_t inode;
};

/* Binds `path` and listens. -EADDRINUSE: another daemon holds the path, or somebody answers on the socket; -EEXIST:
 * something that is no socket lies there; -ENAMETOOLONG; others as bind(2), each with a sentence in `error`. */
int control_socket_open(const char *path, const struct rights *rights, struct control_socket *ret_socket, char *error,
                        size_t error_size);

/* Takes over a listening stream socket (socket activation). -EINVAL: it is none. */
int control_socket_adopt(int fd, struct control_socket *ret_socket, char *error, size_t error_size);

/* The rights have changed: gives the file the mode that goes with them (see control_open), if it is ours. */
void control_socket_set_access(const struct control_socket *control_socket, const struct rights *rights);

/* Removes the file if it is still ours. Closes the lock, not fd: that is the server's. */
void control_socket_remove(struct control_socket *control_socket);
