#pragma once
/* Opens a file that nobody but root or the daemon's user could have made, changed or put into its place: what is in
 * it runs with the daemon's rights.
 *
 * The path is walked component by component, symbolic links included, and each is looked at through the descriptor
 * that the next step starts from, so nothing can be exchanged between the look and the use:
 *   - the file and the directory that it is in belong to root or to the daemon's user, and nobody else may write
 *     there: not everybody, no group but root's and the daemon's own, and nobody by an access control list;
 *   - so does every directory on the way, from / on, and every symbolic link. There, whoever owns / is as good as
 *     root (in a user namespace root may not be mapped), and a directory that everybody may write into is let pass
 *     when its sticky bit is set (/tmp): others can't rename what is not theirs. Links in such a directory are
 *     refused.
 *
 * Functions return 0 or -errno, with a sentence in `error`. */
#include "plugin/refuse.h"

/* `path` must be absolute. Opened for reading; a regular file, or a directory. */
int trust_open_file(const char *path, int *ret_fd, char error[static PLUGIN_ERROR_MAX]);
int trust_open_directory(const char *path, int *ret_fd, char error[static PLUGIN_ERROR_MAX]);
