/* Who gets which role. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/rights.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void roles(void **state)
{
	static const char *observe[] = { "1001", "group:2001", "no-such-user-xyz", "group:no-such-group-xyz" };
	static const char *operate[] = { "1002", "group:2002", "1003" };
	static const char *admin[] = { "1003", "root", "group:2003" };
	static const struct {
		struct control_peer peer;
		enum control_role role;
	} cases[] = {
		{ { .uid = 0 }, CONTROL_ADMIN },
		{ { .uid = 500 }, CONTROL_ADMIN }, /* the daemon's own */
		{ { .uid = 999, .gid = 999 }, CONTROL_NOBODY },
		{ { .uid = 1001, .gid = 1 }, CONTROL_OBSERVE },
		{ { .uid = 1002, .gid = 1 }, CONTROL_OPERATE },
		{ { .uid = 1003, .gid = 1 }, CONTROL_ADMIN }, /* named twice: the higher counts */
		{ { .uid = 1, .gid = 2001 }, CONTROL_OBSERVE },
		{ { .uid = 1, .gid = 1, .group_count = 2, .groups = { 7, 2002 } }, CONTROL_OPERATE },
		{ { .uid = 1, .gid = 1, .group_count = 1, .groups = { 7, 2002 } }, CONTROL_NOBODY },
		{ { .uid = 1, .gid = 2001, .group_count = 1, .groups = { 2003 } }, CONTROL_ADMIN },
		{ { .uid = 2001, .gid = 1001 }, CONTROL_NOBODY }, /* a user's number is no group's */
	};
	const struct control_rights names = { { observe, 4 }, { operate, 3 }, { admin, 3 } };
	struct rights rights;

	(void)state;
	assert_int_equal(rights_init(&rights, &names, 500), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (rights_role(&rights, &cases[i].peer) != cases[i].role)
			fail_msg("uid %u gid %u: not %s", cases[i].peer.uid, cases[i].peer.gid,
			         control_role_name(cases[i].role));
	rights_done(&rights);
}

static void bad_names(void **state)
{
	static const char *bad[] = { "", "-1", "4294967295", "99999999999", "group:", "group:-1", "0x10" };
	const struct control_rights names = { .admin = { bad, 7 } };
	struct rights rights;

	(void)state;
	assert_int_equal(rights_init(&rights, &names, 500), 0);
	assert_int_equal(rights.count, 0);
	rights_done(&rights);
}

static void real_peer(void **state)
{
	struct control_peer peer;
	gid_t groups[CONTROL_GROUPS_MAX];
	int fds[2], count;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(rights_peer(fds[0], &peer), 0);
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.gid, getegid());
	assert_int_equal(peer.pid, getpid());
	count = getgroups(CONTROL_GROUPS_MAX, groups);
	assert_int_equal(peer.group_count, count);
	assert_memory_equal(peer.groups, groups, (size_t)count * sizeof(groups[0]));
	close(fds[0]);
	close(fds[1]);
	assert_true(rights_peer(-1, &peer) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roles),
		cmocka_unit_test(bad_names),
		cmocka_unit_test(real_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
