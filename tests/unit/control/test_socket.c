/* The socket's file: its mode, and what is in its way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/socket.h"
#include "litter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct place {
	char directory[64], path[96];
};

static void place_make(struct place *place)
{
	snprintf(place->directory, sizeof(place->directory), "/tmp/tapstack-socket-XXXXXX");
	litter_make(place->directory);
	snprintf(place->path, sizeof(place->path), "%s/s", place->directory);
}

static void place_remove(struct place *place)
{
	assert_int_equal(litter_remove(place->directory), 0);
}

static struct rights make_rights(const char **names, size_t count)
{
	struct control_rights lists = { .observe = { names, count } };
	struct rights rights;

	assert_int_equal(rights_init(&rights, &lists, geteuid()), 0);
	return rights;
}

static mode_t mode_of(const char *path)
{
	struct stat status;

	return lstat(path, &status) < 0 ? 0 : status.st_mode & 07777;
}

/* What the file's mode was when somebody set about to change it; the linker puts this in chmod's place. */
static mode_t *mode_before(void)
{
	static mode_t mode;

	return &mode;
}

int __real_chmod(const char *path, mode_t mode);
int __wrap_chmod(const char *path, mode_t mode);

int __wrap_chmod(const char *path, mode_t mode)
{
	*mode_before() = mode_of(path);
	return __real_chmod(path, mode);
}

static void modes(void **state)
{
	char own_group[32];
	const char *nobody[] = { "root" }, *group[] = { own_group, own_group },
	           *groups[] = { own_group, "group:4242" }, *user[] = { "12345" };
	struct rights rights[] = { make_rights(nobody, 1), make_rights(group, 2), make_rights(groups, 2),
		                   make_rights(user, 1) };
	static const mode_t expected[] = { 0600, 0660, 0666, 0666 };
	char error[256];

	(void)state;
	snprintf(own_group, sizeof(own_group), "group:%u", getegid());
	rights_done(&rights[1]);
	rights_done(&rights[2]);
	rights[1] = make_rights(group, 2);
	rights[2] = make_rights(groups, 2);
	umask(0);
	for (size_t i = 0; i < 4; i++) {
		struct control_socket made;
		struct place place;

		place_make(&place);
		assert_int_equal(control_socket_open(place.path, &rights[i], &made, error, sizeof(error)), 0);
		assert_int_equal(mode_of(place.path), expected[i]);
		assert_int_equal(*mode_before(), 0600); /* closed from its first moment */
		/* Rights that change later change the file. */
		control_socket_set_access(&made, &rights[0]);
		assert_int_equal(mode_of(place.path), 0600);
		close(made.fd);
		control_socket_remove(&made);
		assert_int_equal(access(place.path, F_OK), -1);
		place_remove(&place);
	}
	for (size_t i = 0; i < 4; i++)
		rights_done(&rights[i]);
}

static void in_the_way(void **state)
{
	struct rights rights = make_rights(NULL, 0);
	struct control_socket first, second;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct place place;
	char error[256];
	int fd, waiting[8], waiting_count = 0;

	(void)state;
	place_make(&place);
	strcpy(address.sun_path, place.path);

	/* A file that is no socket. */
	close(open(place.path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(control_socket_open(place.path, &rights, &first, error, sizeof(error)), -EEXIST);
	assert_non_null(strstr(error, "not a socket"));
	assert_int_equal(access(place.path, F_OK), 0);
	unlink(place.path);

	/* A socket that nobody listens on. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(control_socket_open(place.path, &rights, &first, error, sizeof(error)), 0);

	/* Another one of us. */
	assert_int_equal(control_socket_open(place.path, &rights, &second, error, sizeof(error)), -EADDRINUSE);
	assert_non_null(strstr(error, "already running"));
	close(first.fd);
	control_socket_remove(&first);

	/* Somebody else who answers. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(control_socket_open(place.path, &rights, &first, error, sizeof(error)), -EADDRINUSE);
	assert_non_null(strstr(error, "somebody answers"));
	assert_int_equal(access(place.path, F_OK), 0);
	close(fd);
	unlink(place.path);

	/* Somebody who is too busy to answer is there all the same. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 0), 0);
	while (waiting_count < 8) {
		waiting[waiting_count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(waiting[waiting_count++], (struct sockaddr *)&address, sizeof(address)) < 0)
			break;
	}
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(control_socket_open(place.path, &rights, &first, error, sizeof(error)), -EADDRINUSE);
	assert_int_equal(access(place.path, F_OK), 0);
	while (waiting_count)
		close(waiting[--waiting_count]);
	close(fd);
	place_remove(&place);

	/* No directory; a path that is too long. */
	assert_int_equal(control_socket_open(place.path, &rights, &first, error, sizeof(error)), -ENOENT);
	assert_int_equal(
	        control_socket_open("/tmp/0123456789012345678901234567890123456789012345678901234567890123456789"
	                            "0123456789012345678901234567890123456789",
	                            &rights, &first, error, sizeof(error)),
	        -ENAMETOOLONG);
	rights_done(&rights);
}

/* A file that took our place is not ours to remove. */
static void taken_over(void **state)
{
	struct rights rights = make_rights(NULL, 0);
	struct control_socket made;
	struct place place;
	char error[256];

	(void)state;
	place_make(&place);
	assert_int_equal(control_socket_open(place.path, &rights, &made, error, sizeof(error)), 0);
	unlink(place.path);
	close(open(place.path, O_CREAT | O_WRONLY, 0644));
	control_socket_set_access(&made, &rights);
	assert_int_equal(mode_of(place.path) & 0444, 0444);
	close(made.fd);
	control_socket_remove(&made);
	assert_int_equal(access(place.path, F_OK), 0);
	place_remove(&place);
	rights_done(&rights);
}

static void adopted(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct control_socket made;
	struct place place;
	char error[256];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), pipes[2];

	(void)state;
	place_make(&place);
	strcpy(address.sun_path, place.path);
	assert_int_equal(control_socket_adopt(fd, &made, error, sizeof(error)), -EINVAL); /* does not listen */
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(control_socket_adopt(fd, &made, error, sizeof(error)), 0);
	control_socket_remove(&made);
	assert_int_equal(access(place.path, F_OK), 0); /* whoever made it removes it */
	close(fd);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(control_socket_adopt(pipes[0], &made, error, sizeof(error)), -EINVAL);
	close(pipes[0]);
	close(pipes[1]);
	place_remove(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modes),
		cmocka_unit_test(in_the_way),
		cmocka_unit_test(taken_over),
		cmocka_unit_test(adopted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
