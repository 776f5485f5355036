/* The dispatch of the link and its unix back end, with a socket as the peer. */
#include "link/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	char directory[32], path[64], backend[80];
	struct link *link;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->directory, "/tmp/link-test-XXXXXX");
	if (!mkdtemp(f->directory))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/socket", f->directory);
	snprintf(f->backend, sizeof(f->backend), "unix:%s", f->path);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	link_close(f->link);
	unlink(f->path);
	rmdir(f->directory);
	free(f);
	return 0;
}

static void open_link(struct fixture *f)
{
	struct link_options options = { .backend = f->backend };
	char error[200] = "";

	if (link_open(&options, &f->link, error, sizeof(error)) < 0)
		fail_msg("%s", error);
}

static int connect_peer(const struct fixture *f)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static bool readable(int fd, int timeout_ms)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };

	return poll(&poller, 1, timeout_ms) == 1;
}

/* The next batch; waits for it as the shard would. */
static ssize_t receive(struct fixture *f, struct frame_in *frames, size_t max)
{
	for (;;) {
		ssize_t n;

		assert_true(readable(link_fd(f->link, 0), 2000));
		n = link_receive(f->link, 0, frames, max);
		if (n != 0)
			return n;
	}
}

/* A frame of `length` bytes in two parts, marked with `number`. */
static void send_number(struct fixture *f, uint32_t number, uint32_t length)
{
	static uint8_t payload[60000];
	struct frame_out frame = { .length = length, .iov_count = 2 };

	memcpy(frame.header, &number, sizeof(number));
	memset(payload, (int)number & 0xff, length - 14);
	frame.iov[0] = (struct iovec){ frame.header, 14 };
	frame.iov[1] = (struct iovec){ payload, length - 14 };
	link_send(f->link, 0, &frame, 1);
}

static uint32_t receive_number(int peer, uint32_t length)
{
	uint8_t bytes[65536];
	uint32_t number;

	assert_true(readable(peer, 2000));
	assert_int_equal(recv(peer, bytes, sizeof(bytes), 0), length);
	memcpy(&number, bytes, sizeof(number));
	assert_int_equal(bytes[14], number & 0xff);
	assert_int_equal(bytes[length - 1], number & 0xff);
	return number;
}

static void test_bad_options(void **state)
{
	struct fixture *f = *state;
	char long_path[300] = "unix:/";
	const struct {
		const char *backend, *name;
		uint32_t queues;
		int expected;
	} table[] = {
		{ NULL, NULL, 1, -EINVAL },       { "tun", NULL, 1, -EINVAL },
		{ "unix:", NULL, 1, -EINVAL },    { "tap", "a-name-that-is-too-long", 1, -EINVAL },
		{ f->backend, NULL, 2, -EINVAL }, { "unix:/nonexistent/socket", NULL, 1, -ENOENT },
		{ long_path, NULL, 1, -EINVAL },
	};

	memset(long_path + 6, 'x', sizeof(long_path) - 7);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct link_options options = { .backend = table[i].backend,
			                        .name = table[i].name,
			                        .queues = table[i].queues };
		struct link *link = NULL;
		char error[200] = "";

		assert_int_equal(link_open(&options, &link, error, sizeof(error)), table[i].expected);
		assert_null(link);
		assert_true(strlen(error) > 0);
	}
}

static void test_facts(void **state)
{
	struct fixture *f = *state;

	open_link(f);
	assert_string_equal(link_backend(f->link), "unix");
	assert_string_equal(link_name(f->link), f->path);
	assert_int_equal(link_queues(f->link), 1);
	assert_int_equal(link_mtu(f->link), 1500);
	assert_int_equal(link_offload(f->link).gso_bytes_max, 0);
	assert_false(link_offload(f->link).checksum);
	assert_null(link_warning(f->link));
	assert_int_equal(link_reattach(f->link, 0), 0);
}

static void test_frames_both_ways(void **state)
{
	struct fixture *f = *state;
	struct frame_in frames[LINK_BATCH_MAX];
	uint8_t bytes[65535];
	int peer;

	open_link(f);
	peer = connect_peer(f);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	assert_int_equal(send(peer, bytes, 60, 0), 60);
	assert_int_equal(send(peer, bytes, 1514, 0), 1514);
	assert_int_equal(send(peer, bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_int_equal(receive(f, frames, LINK_BATCH_MAX), 3);
	assert_int_equal(frames[0].length, 60);
	assert_int_equal(frames[1].length, 1514);
	assert_int_equal(frames[2].length, sizeof(bytes));
	for (int i = 0; i < 3; i++) {
		assert_memory_equal(frames[i].bytes, bytes, frames[i].length);
		assert_int_equal(frames[i].checksum, FRAME_CHECKSUM_UNKNOWN);
		assert_int_equal(frames[i].gso_bytes, 0);
		assert_int_equal(((uintptr_t)frames[i].bytes + 14) % 4, 0);
	}
	assert_int_equal(link_receive(f->link, 0, frames, LINK_BATCH_MAX), 0);

	send_number(f, 77, 1514);
	assert_int_equal(receive_number(peer, 1514), 77);
	assert_false(link_congested(f->link, 0));
	assert_int_equal(link_counters(f->link, 0).frames_in, 3);
	assert_int_equal(link_counters(f->link, 0).bytes_in, 60 + 1514 + sizeof(bytes));
	assert_int_equal(link_counters(f->link, 0).frames_out, 1);
	assert_int_equal(link_counters(f->link, 0).bytes_out, 1514);
	close(peer);
}

static void test_batches(void **state)
{
	struct fixture *f = *state;
	struct frame_in frames[LINK_BATCH_MAX * 2];
	uint8_t bytes[60] = { 0 };
	unsigned next = 0;
	int peer;

	open_link(f);
	peer = connect_peer(f);
	for (unsigned i = 0; i < LINK_BATCH_MAX + 6; i++) {
		bytes[0] = (uint8_t)i;
		assert_int_equal(send(peer, bytes, sizeof(bytes), 0), sizeof(bytes));
	}
	assert_int_equal(receive(f, frames, 4), 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(frames[i].bytes[0], next++);
	assert_int_equal(receive(f, frames, LINK_BATCH_MAX * 2), LINK_BATCH_MAX);
	for (unsigned i = 0; i < LINK_BATCH_MAX; i++)
		assert_int_equal(frames[i].bytes[0], next++);
	assert_int_equal(receive(f, frames, LINK_BATCH_MAX), 2);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(frames[i].bytes[0], next++);
	close(peer);
}

static void test_odd_messages(void **state)
{
	struct fixture *f = *state;
	struct frame_in frames[LINK_BATCH_MAX];
	static uint8_t bytes[70000];
	int peer;

	open_link(f);
	peer = connect_peer(f);
	assert_int_equal(send(peer, bytes, 0, 0), 0);
	assert_int_equal(send(peer, bytes, 1, 0), 1);
	assert_int_equal(send(peer, bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_int_equal(send(peer, bytes, 2, 0), 2);
	assert_int_equal(receive(f, frames, LINK_BATCH_MAX), 3);
	assert_int_equal(frames[0].length, 0);
	assert_int_equal(frames[1].length, 1);
	assert_int_equal(frames[2].length, 2);
	assert_int_equal(link_counters(f->link, 0).dropped_long, 1);
	close(peer);
}

/* One peer at a time; the next one is taken when it has gone; the descriptor stays the same. */
static void test_peers_come_and_go(void **state)
{
	struct fixture *f = *state;
	struct frame_in frames[LINK_BATCH_MAX];
	int first, second, fd;

	open_link(f);
	fd = link_fd(f->link, 0);
	send_number(f, 1, 60); /* to nobody */
	assert_int_equal(link_counters(f->link, 0).dropped_down, 1);

	first = connect_peer(f);
	assert_int_equal(send(first, "1", 1, 0), 1);
	assert_int_equal(receive(f, frames, LINK_BATCH_MAX), 1);
	second = connect_peer(f);
	assert_int_equal(send(second, "2", 1, 0), 1);
	assert_int_equal(link_receive(f->link, 0, frames, LINK_BATCH_MAX), 0);
	assert_false(readable(fd, 0)); /* a waiting peer does not make the loop spin */

	assert_int_equal(send(first, "3", 1, 0), 1);
	close(first);
	send_number(f, 2, 60); /* into a closed socket: no SIGPIPE */
	assert_int_equal(link_counters(f->link, 0).dropped_down, 2);
	assert_int_equal(receive(f, frames, LINK_BATCH_MAX), 2);
	assert_int_equal(frames[0].bytes[0], '3');
	assert_int_equal(frames[1].bytes[0], '2');
	assert_int_equal(link_fd(f->link, 0), fd);
	send_number(f, 3, 60);
	assert_int_equal(receive_number(second, 60), 3);
	close(second);
	assert_true(readable(fd, 2000));
	assert_int_equal(link_receive(f->link, 0, frames, LINK_BATCH_MAX), 0);
	assert_false(readable(fd, 0));

	first = connect_peer(f);
	assert_int_equal(send(first, "4", 1, 0), 1);
	assert_int_equal(receive(f, frames, LINK_BATCH_MAX), 1);
	assert_int_equal(frames[0].bytes[0], '4');
	close(first);
}

/* A small frame may still go where a large one does not fit any more: it must not overtake. */
static uint32_t mixed_length(uint32_t number)
{
	return number % 2 ? 60 : 30000;
}

/* A peer that does not read: frames are kept in order, and go when it reads. */
static void test_congestion(void **state)
{
	struct fixture *f = *state;
	uint32_t sent = 0, received = 0;
	struct frame_in frames[1];
	int peer;

	open_link(f);
	peer = connect_peer(f);
	assert_int_equal(link_receive(f->link, 0, frames, 1), 0);
	for (; !link_congested(f->link, 0) && sent < 10000; sent++)
		send_number(f, sent, mixed_length(sent));
	assert_true(link_congested(f->link, 0));
	for (int i = 0; i < 20; i++, sent++)
		send_number(f, sent, mixed_length(sent));
	assert_int_equal(link_counters(f->link, 0).deferred, 21);
	assert_false(readable(link_fd(f->link, 0), 0));
	while (received < sent) {
		assert_int_equal(receive_number(peer, mixed_length(received)), received);
		received++;
		if (link_congested(f->link, 0) && readable(link_fd(f->link, 0), 0))
			link_flush(f->link, 0);
	}
	assert_false(link_congested(f->link, 0));
	assert_false(readable(link_fd(f->link, 0), 0));
	assert_int_equal(link_counters(f->link, 0).frames_out, sent);
	close(peer);
}

/* What is kept is bounded, and dies with its peer. */
static void test_congestion_limit(void **state)
{
	struct fixture *f = *state;
	struct frame_in frames[1];
	uint32_t sent = 0, next = 0, dropped;
	int peer;

	open_link(f);
	peer = connect_peer(f);
	assert_int_equal(link_receive(f->link, 0, frames, 1), 0);
	while (link_counters(f->link, 0).dropped_full == 0 && sent < 1000)
		send_number(f, sent++, 60000);
	assert_int_equal(link_counters(f->link, 0).dropped_full, 1);
	assert_in_range(link_counters(f->link, 0).deferred, 50, 100);

	/* Room at the front is used again, and nothing is mixed up. Some is left for the next peer not to get. */
	for (; next < 10; next++) {
		assert_int_equal(receive_number(peer, 60000), next);
		link_flush(f->link, 0);
	}
	dropped = sent - 1;
	for (int i = 0; i < 5; i++)
		send_number(f, sent++, 60000);
	assert_int_equal(link_counters(f->link, 0).dropped_full, 1);
	for (; next < sent - 20; next++) {
		if (next != dropped)
			assert_int_equal(receive_number(peer, 60000), next);
		link_flush(f->link, 0);
	}
	close(peer);

	peer = connect_peer(f);
	assert_int_equal(link_receive(f->link, 0, frames, 1), 0);
	assert_false(link_congested(f->link, 0));
	send_number(f, 4242, 60);
	assert_int_equal(receive_number(peer, 60), 4242);
	close(peer);
}

static void test_socket_file(void **state)
{
	struct fixture *f = *state;
	struct link_options options = { .backend = f->backend };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct link *other = NULL;
	char error[200] = "";
	int fd;

	/* Somebody listens: refused, and the file stays. */
	open_link(f);
	assert_int_equal(link_open(&options, &other, error, sizeof(error)), -EADDRINUSE);
	assert_non_null(strstr(error, f->path));
	assert_int_equal(access(f->path, F_OK), 0);
	link_close(f->link);
	f->link = NULL;
	assert_int_equal(access(f->path, F_OK), -1);

	/* Left behind by a process that died: replaced. */
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	strcpy(address.sun_path, f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(access(f->path, F_OK), 0);
	open_link(f);
	close(connect_peer(f));
	link_close(f->link);
	f->link = NULL;

	/* Not a socket: never removed. */
	fd = open(f->path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(link_open(&options, &other, error, sizeof(error)), -EADDRINUSE);
	assert_int_equal(access(f->path, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_bad_options),      TEST(test_facts),
		TEST(test_frames_both_ways), TEST(test_batches),
		TEST(test_odd_messages),     TEST(test_peers_come_and_go),
		TEST(test_congestion),       TEST(test_congestion_limit),
		TEST(test_socket_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
