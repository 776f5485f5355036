/* Entries of the journal plugin, as a journal would get them: its socket is played in a mount namespace of the test's
 * own, and the datagrams are read by the documented native protocol. */
#define _GNU_SOURCE
#include "log_event.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define SOCKET_PATH "/run/systemd/journal/socket"

struct fixture {
	int journal;
	void *log;
};

/* The machine's own /run is out of sight from here on, in this process only. */
static int group_setup(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, "mode=0755") < 0 || mkdir("/run/systemd", 0755) < 0 ||
	    mkdir("/run/systemd/journal", 0755) < 0) {
		perror("a mount namespace");
		return -1;
	}
	return 0;
}

static int listen_there(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET_PATH };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->journal = listen_there();
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	if (fixture->log != NULL)
		log_ops()->close(fixture->log);
	close(fixture->journal);
	unlink(SOCKET_PATH);
	free(fixture);
	return 0;
}

/* ---- the other end --------------------------------------------------------------------------------------------- */

struct entry {
	char bytes[16384];
	size_t length;
};

static bool receive(int fd, struct entry *entry)
{
	ssize_t length = recv(fd, entry->bytes, sizeof(entry->bytes), 0);

	if (length < 0) {
		assert_int_equal(errno, EAGAIN);
		return false;
	}
	entry->length = (size_t)length;
	return true;
}

/* The field at `*at`, which is moved behind it: "NAME=value\n", or "NAME\n", 64 bits of length, value, "\n". */
static bool next_field(const struct entry *entry, size_t *at, char name[80], char value[1024])
{
	const char *begin = entry->bytes + *at, *end;
	size_t room = entry->length - *at, head;
	uint64_t length;

	if (room == 0)
		return false;
	end = memchr(begin, '\n', room);
	assert_non_null(end);
	head = strcspn(begin, "=\n");
	assert_in_range(head, 1, 79);
	memcpy(name, begin, head);
	name[head] = '\0';
	assert_int_equal(strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"), head);
	if (begin[head] == '=') {
		length = (size_t)(end - begin) - head - 1;
		begin += head + 1;
	} else {
		memcpy(&length, begin + head + 1, 8); /* little endian, as all machines that this is run on */
		begin += head + 9;
	}
	assert_in_range(length, 0, 1023);
	memcpy(value, begin, length);
	value[length] = '\0';
	assert_int_equal(begin[length], '\n');
	*at = (size_t)(begin - entry->bytes) + length + 1;
	return true;
}

/* NULL: there is none. Two of one name are a fault. */
static const char *field(const struct entry *entry, const char *wanted)
{
	static char values[8][1024];
	static unsigned turn;
	char name[80], value[1024], *found = NULL;
	size_t at = 0;

	while (next_field(entry, &at, name, value)) {
		if (strcmp(name, wanted) != 0)
			continue;
		assert_null(found);
		found = strcpy(values[turn++ % 8], value);
	}
	return found;
}

static void assert_field(const struct entry *entry, const char *name, const char *wanted)
{
	const char *value = field(entry, name);

	if (value == NULL || strcmp(value, wanted) != 0)
		fail_msg("%s: %s, wanted %s", name, value == NULL ? "not there" : value, wanted);
}

/* ---- tests ----------------------------------------------------------------------------------------------------- */

static void test_fields(void **state)
{
	static const char *const rows[][2] = {
		{ "MESSAGE", "echo: 192.0.2.2:7 <- 192.0.2.1:65535: ESTABLISHED to CLOSE-WAIT: the peer closed its "
		             "direction (RECEIVED_FIN)" },
		{ "PRIORITY", "7" },
		{ "SYSLOG_IDENTIFIER", "stack" },
		{ "SYSLOG_FACILITY", "3" },
		{ "TAPSTACK_INSTANCE", "test" },
		{ "TAPSTACK_LINK", "tap0" },
		{ "TAPSTACK_RUN", "12" },
		{ "TAPSTACK_TIME", "2023-11-14T22:13:20.123456789Z" },
		{ "TAPSTACK_CONNECTION", "77" },
		{ "TAPSTACK_INDEX", "2" },
		{ "TAPSTACK_FROM", "ESTABLISHED" },
		{ "TAPSTACK_TO", "CLOSE-WAIT" },
		{ "TAPSTACK_CAUSE", "RECEIVED_FIN" },
		{ "TAPSTACK_CAUSE_MEANING", "the peer closed its direction" },
		{ "TAPSTACK_CAUSE_SECTION", "RFC 9293 3.10.7.4" },
		{ "TAPSTACK_LOCAL_ADDRESS", "192.0.2.2" },
		{ "TAPSTACK_LOCAL_PORT", "7" },
		{ "TAPSTACK_REMOTE_ADDRESS", "192.0.2.1" },
		{ "TAPSTACK_REMOTE_PORT", "65535" },
		{ "TAPSTACK_ROLE", "passive" },
		{ "TAPSTACK_FIRST", "0" },
		{ "TAPSTACK_LAST", "0" },
		{ "TAPSTACK_MISSED", "0" },
		{ "TAPSTACK_SERVICE", "echo" },
		{ "TAPSTACK_CONGESTION", "cubic" },
		{ "TAPSTACK_LAST_SPEAKER", "peer" },
		{ "TAPSTACK_SHARD", "3" },
		{ "TAPSTACK_ISS", "4294967295" },
		{ "TAPSTACK_IRS", "1" },
		{ "TAPSTACK_SND_UNA", "2" },
		{ "TAPSTACK_SND_NXT", "3" },
		{ "TAPSTACK_RCV_NXT", "4" },
		{ "TAPSTACK_SEGS_IN", "5" },
		{ "TAPSTACK_SEGS_OUT", "6" },
		{ "TAPSTACK_RETRANSMITS", "7" },
		{ "TAPSTACK_CWND_BYTES", "14480" },
		{ "TAPSTACK_SRTT_NS", "123456" },
		{ "TAPSTACK_BYTES_RECEIVED", "8" },
		{ "TAPSTACK_BYTES_ACKED", "1099511627776" },
		{ "TAPSTACK_BYTES_RETRANSMITTED", "9" },
	};
	struct fixture *fixture = *state;
	struct tapstack_log_env env = log_env(NULL);
	struct tapstack_log_event event = log_event(77);
	struct entry entry;

	assert_int_equal(log_open(&env, &fixture->log, "identifier=stack", NULL), 0);
	assert_int_equal(log_ops()->events(fixture->log, &event, 1), 0);
	assert_true(receive(fixture->journal, &entry));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_field(&entry, rows[i][0], rows[i][1]);
	assert_null(field(&entry, "TAPSTACK_SSTHRESH_BYTES")); /* "infinite" is unknown */
	assert_int_equal(strlen(field(&entry, "MESSAGE_ID")), 32);
	assert_false(receive(fixture->journal, &entry));
}

/* What is not known is left out; each kind of event has its MESSAGE_ID; names can't forge fields. */
static void test_variants(void **state)
{
	struct fixture *fixture = *state;
	struct tapstack_log_env env = log_env(NULL);
	struct tapstack_log_event events[3] = { log_event(1), log_event(2), log_event(3) };
	struct entry entry[3];

	events[0].flags = TAPSTACK_LOG_FIRST | TAPSTACK_LOG_COMPACT | TAPSTACK_LOG_ACTIVE;
	events[1].service = "evil\nPRIORITY=0\nX=";
	events[1].missed = 5;
	events[1].struct_size = offsetof(struct tapstack_log_event, shard);
	events[2].flags = TAPSTACK_LOG_LAST;
	events[2].cause = "RECEIVED_RST";
	events[2].local_address = events[2].remote_address = "2001:db8::2";
	env.struct_size = offsetof(struct tapstack_log_env, host_name);
	assert_int_equal(log_open(&env, &fixture->log, NULL), 0);
	/* not in one call: those of one are as long as each other */
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(log_ops()->events(fixture->log, &events[i], 1), 0);
		assert_true(receive(fixture->journal, &entry[i]));
	}
	assert_field(&entry[0], "TAPSTACK_ROLE", "active");
	assert_field(&entry[0], "TAPSTACK_FIRST", "1");
	assert_field(&entry[0], "PRIORITY", "6");
	assert_null(field(&entry[0], "TAPSTACK_CWND_BYTES"));
	assert_null(field(&entry[0], "TAPSTACK_RUN"));
	assert_field(&entry[1], "TAPSTACK_SERVICE", "evil\nPRIORITY=0\nX=");
	assert_field(&entry[1], "PRIORITY", "7");
	assert_field(&entry[1], "TAPSTACK_MISSED", "5");
	assert_null(field(&entry[1], "TAPSTACK_SHARD"));
	assert_field(&entry[2], "PRIORITY", "4");
	assert_field(&entry[2], "TAPSTACK_LAST", "1");
	assert_non_null(strstr(field(&entry[2], "MESSAGE"), "[2001:db8::2]:7 <- "));
	assert_string_not_equal(field(&entry[0], "MESSAGE_ID"), field(&entry[1], "MESSAGE_ID"));
	assert_string_not_equal(field(&entry[1], "MESSAGE_ID"), field(&entry[2], "MESSAGE_ID"));
	assert_string_not_equal(field(&entry[0], "MESSAGE_ID"), field(&entry[2], "MESSAGE_ID"));
}

/* By cause; and which events each minimum lets through. */
static void test_minimum(void **state)
{
	static const struct {
		const char *to, *cause, *priority;
		uint32_t flags;
		bool ends, trouble;
	} rows[] = {
		{ "ESTABLISHED", "RECEIVED_ACK_OF_SYN", "6", 0, false, false },
		{ "FIN-WAIT-1", "LOCAL_CLOSE", "7", 0, false, false },
		{ "CLOSED", "TIMEOUT_2MSL", "6", TAPSTACK_LOG_LAST, true, false },
		{ "CLOSED", "TIMEOUT_USER", "4", TAPSTACK_LOG_LAST, true, true },
		{ "CLOSED", "TIMEOUT_OF_TOMORROW", "4", TAPSTACK_LOG_LAST, true, true },
		{ "CLOSED", "RECEIVED_RST", "4", TAPSTACK_LOG_LAST, true, true },
		{ "CLOSED", "ADMIN_ABORT", "5", TAPSTACK_LOG_LAST, true, false },
		{ "CLOSED", "OUT_OF_MEMORY", "3", TAPSTACK_LOG_LAST, true, true },
		{ "FIN-WAIT-1", "TIMEOUT_LINGER", "4", 0, true, true },
	};
	enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
	static const char *const minima[] = { "minimum=all", "minimum=ends", "minimum=trouble" };
	struct fixture *fixture = *state;
	struct tapstack_log_env env = log_env(NULL);

	for (unsigned minimum = 0; minimum < 3; minimum++) {
		struct entry entry;
		uint64_t told = 0, given = 0;

		assert_int_equal(log_open(&env, &fixture->log, minima[minimum], NULL), 0);
		for (unsigned i = 0; i < ROWS; i++) {
			struct tapstack_log_event event = log_event(i);
			bool wanted = minimum == 0 || (minimum == 1 ? rows[i].ends : rows[i].trouble);

			event.to = rows[i].to;
			event.cause = rows[i].cause;
			event.flags = rows[i].flags;
			event.missed = i;
			given += i;
			assert_int_equal(log_ops()->events(fixture->log, &event, 1), 0);
			assert_int_equal(receive(fixture->journal, &entry), wanted);
			if (!wanted)
				continue;
			assert_field(&entry, "PRIORITY", rows[i].priority);
			/* what was missed before an event that was not wanted is told with the next that is */
			told += strtoul(field(&entry, "TAPSTACK_MISSED"), NULL, 10);
			assert_int_equal(told, given);
		}
		assert_int_equal(log_counts(fixture->log).lost, 0);
		log_ops()->close(fixture->log);
		fixture->log = NULL;
	}
	assert_int_equal(log_open(&env, &fixture->log, "minimum=some", NULL), -EINVAL);
	assert_string_equal(log_said(), "3 log test: minimum: \"some\" is not valid: expected all, ends or trouble");
}

/* No journal: the events are lost, counted, and told about when it is back. */
static void test_away(void **state)
{
	struct fixture *fixture = *state;
	struct tapstack_log_env env = log_env(NULL);
	struct tapstack_log_event events[2] = { log_event(1), log_event(2) };
	struct entry entry;

	assert_int_equal(log_open(&env, &fixture->log, NULL), 0);
	close(fixture->journal); /* the name is still there, as when a journal has crashed */
	assert_int_equal(log_ops()->events(fixture->log, events, 2), -ECONNREFUSED);
	assert_int_equal(log_counts(fixture->log).lost, 2);
	assert_int_equal(unlink(SOCKET_PATH), 0);
	assert_int_equal(log_ops()->events(fixture->log, events, 2), -ENOENT);
	assert_int_equal(log_counts(fixture->log).lost, 4);
	fixture->journal = listen_there();
	assert_int_equal(log_ops()->events(fixture->log, events, 2), 0);
	assert_int_equal(log_counts(fixture->log).lost, 4);
	assert_true(receive(fixture->journal, &entry));
	assert_field(&entry, "TAPSTACK_MISSED", "4");
	assert_true(receive(fixture->journal, &entry));
	assert_field(&entry, "TAPSTACK_MISSED", "0");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = { TEST(test_fields), TEST(test_variants), TEST(test_minimum),
		                            TEST(test_away) };

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
