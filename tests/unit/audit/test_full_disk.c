/* A file system that is full, made for the purpose: a small tmpfs in a mount namespace of its own. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK_BYTES (2u << 20)

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), r = -1;

	if (fd >= 0) {
		r = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
		close(fd);
	}
	return r;
}

/* A mount namespace; without root, in a user namespace where we are root. */
static int enter_namespace(void)
{
	char map[64];
	unsigned uid = getuid(), gid = getgid();

	if (unshare(CLONE_NEWNS) < 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
			return -1;
		snprintf(map, sizeof(map), "0 %u 1", uid);
		if (write_file("/proc/self/setgroups", "deny") < 0 || write_file("/proc/self/uid_map", map) < 0)
			return -1;
		snprintf(map, sizeof(map), "0 %u 1", gid);
		if (write_file("/proc/self/gid_map", map) < 0)
			return -1;
	}
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static int disk_setup(void **state)
{
	struct place *place;
	char options[32];

	if (place_setup(state) < 0)
		return -1;
	place = *state;
	snprintf(options, sizeof(options), "size=%u", DISK_BYTES);
	return mount("tmpfs", place->directory, "tmpfs", 0, options);
}

static int disk_teardown(void **state)
{
	struct place *place = *state;

	umount2(place->directory, MNT_DETACH);
	return place_teardown(state);
}

/* Takes all that is left, to the last page. */
static void fill_disk(struct place *place)
{
	static const char page[4096];
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/filler", place->directory);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_true(fd >= 0);
	while (write(fd, page, sizeof(page)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

static void make_room(struct place *place)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/filler", place->directory);
	assert_int_equal(unlink(path), 0);
}

static bool is_unhealthy(void *audit)
{
	struct audit_status status;

	audit_status(audit, &status);
	return !status.healthy;
}

static bool is_healthy(void *audit)
{
	return !is_unhealthy(audit);
}

static void full_at_start(void **state)
{
	struct place *place = *state;
	struct audit *audit = NULL;
	char error[256] = "";

	place->options.ring_bytes = 2 * DISK_BYTES;
	assert_int_equal(audit_open(&place->options, &audit, error, sizeof(error)), -ENOSPC);
	assert_non_null(strstr(error, "making ring-0"));
	assert_null(audit);
	/* with a smaller one it goes */
	place->options.ring_bytes = AUDIT_RING_BYTES_MIN;
	audit = place_open(place);
	assert_int_equal(audit_stop(audit, DURATION_S(10)), 0);
	audit_free(audit);
	fill_disk(place);
	place->options.ring_bytes = 2 * AUDIT_RING_BYTES_MIN;
	assert_true(audit_open(&place->options, &audit, error, sizeof(error)) < 0);
	assert_true(error[0] != '\0');
}

/* The ring fills and then refuses, nothing is lost, and it heals by itself. */
static void full_while_running(void **state)
{
	struct place *place = *state;
	struct audit *audit = place_open(place);
	struct journal_ring *ring = audit_ring(audit, 0);
	struct audit_status status;
	uint64_t id = 1;
	int64_t deadline;

	assert_int_equal(audit_start(audit), 0);
	write_steps(audit, id++, life_passive, 0, life_passive_steps);
	assert_int_equal(audit_drain(audit, DURATION_S(10)), 0);
	fill_disk(place);
	/* until nothing goes any more: the WAL may have had room */
	deadline = test_now_ns() + 10 * INT64_C(1000000000);
	while (!is_unhealthy(audit) || journal_room(ring) >= life_passive_steps) {
		assert_true(test_now_ns() < deadline);
		if (journal_room(ring) >= life_passive_steps)
			write_steps(audit, id++, life_passive, 0, life_passive_steps);
		else
			sched_yield();
	}
	audit_status(audit, &status);
	assert_string_equal(status.error, "database or disk is full");
	assert_true(place_was_told(place, "can't be written: database or disk is full"));
	make_room(place);
	assert_true(test_wait(is_healthy, audit));
	write_steps(audit, id++, life_passive, 0, life_passive_steps);
	assert_int_equal(audit_stop(audit, DURATION_S(10)), 0);
	audit_status(audit, &status);
	assert_int_equal(status.lost, 0);
	audit_free(audit);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM connection WHERE closed NOTNULL"), id - 1);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM transition"), 5 * (id - 1));
	assert_string_equal(place_query(place, "PRAGMA integrity_check"), "ok\n");
}

/* Stopped while full: bounded, and the next start, with room, has it all. */
static void stopped_while_full(void **state)
{
	struct place *place = *state;
	struct audit *audit = place_open(place);

	assert_int_equal(audit_start(audit), 0);
	fill_disk(place);
	for (uint64_t id = 1; id <= 50; id++)
		write_steps(audit, id, life_passive, 0, life_passive_steps);
	audit_stop(audit, DURATION_MS(300));
	audit_free(audit);
	make_room(place);
	audit = place_open(place);
	assert_int_equal(place_query_int(place, "SELECT count(*) FROM transition"), 250);
	assert_string_equal(place_query(place, "SELECT ending FROM run WHERE id = 1"), "stop\n");
	assert_int_equal(audit_stop(audit, DURATION_S(10)), 0);
	audit_free(audit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(full_at_start, disk_setup, disk_teardown),
		cmocka_unit_test_setup_teardown(full_while_running, disk_setup, disk_teardown),
		cmocka_unit_test_setup_teardown(stopped_while_full, disk_setup, disk_teardown),
	};

	if (enter_namespace() < 0) {
		printf("no mount namespace to be had here: %s\n", strerror(errno));
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
