/* The TAP back end in a network namespace of this process's own; a packet socket on the interface plays the host. */
#include "link/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME "tap0"
#define ETHERTYPE_TEST 0x88b5 /* IEEE 802: local experiments */

static const struct stack_address host_addresses[] = {
	{ { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1 } }, 120 },
	{ { { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } }, 64 },
};

static const struct link_options usual = {
	.backend = "tap",
	.name = NAME,
	.mtu_bytes = 1400,
	.offload = true,
	.host_mac = { { 0x02, 0, 0, 0, 0, 1 } },
	.host_addresses = host_addresses,
	.host_address_count = 2,
};

struct fixture {
	struct link *link;
	int host; /* packet socket; -1 */
};

/* ---- the host's side ----------------------------------------------------------------------------------------- */

static void host_delete(const char *name)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} request = { 0 };
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		uint8_t more[256];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	request.header.nlmsg_len = sizeof(request);
	request.header.nlmsg_type = RTM_DELLINK;
	request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	request.info.ifi_index = (int)if_nametoindex(name);
	assert_int_equal(send(fd, &request, sizeof(request), 0), sizeof(request));
	assert_true(recv(fd, &answer, sizeof(answer), 0) > 0);
	assert_int_equal(answer.error.error, 0);
	close(fd);
}

/* Makes a persistent TAP, as an administrator does beforehand. */
static void host_create(short flags)
{
	struct ifreq request = { .ifr_name = NAME };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	request.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | flags);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	assert_int_equal(ioctl(fd, TUNSETPERSIST, 1), 0);
	close(fd);
}

/* An interface ioctl on NAME. */
static struct ifreq host_ioctl(unsigned long what, struct ifreq request)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(request.ifr_name, NAME);
	assert_int_equal(ioctl(fd, what, &request), 0);
	close(fd);
	return request;
}

static void host_set_up(bool up)
{
	struct ifreq request = host_ioctl(SIOCGIFFLAGS, (struct ifreq){ 0 });

	request.ifr_flags = (short)(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
	host_ioctl(SIOCSIFFLAGS, request);
}

/* Every frame over this socket is preceded by a struct virtio_net_hdr. */
static int host_socket(uint16_t ethertype)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ethertype) };
	int yes = 1, fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	address.sll_ifindex = (int)if_nametoindex(NAME);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof(yes)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void host_send(int fd, const struct virtio_net_hdr *header, const uint8_t *frame, size_t length)
{
	struct iovec iov[2] = { { (void *)header, sizeof(*header) }, { (void *)frame, length } };
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };

	assert_int_equal(sendmsg(fd, &message, 0), sizeof(*header) + length);
}

/* ---- helpers ------------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->host = -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->host >= 0)
		close(f->host);
	link_close(f->link);
	if (if_nametoindex(NAME))
		host_delete(NAME);
	free(f);
	return 0;
}

static void open_link(struct fixture *f, const struct link_options *options)
{
	char error[200] = "";

	if (link_open(options, &f->link, error, sizeof(error)) < 0)
		fail_msg("%s", error);
	assert_null(link_warning(f->link));
}

static uint16_t ethertype_of(const uint8_t *frame)
{
	return (uint16_t)(frame[12] << 8 | frame[13]);
}

static void make_frame(uint8_t *frame, size_t length, uint16_t ethertype)
{
	for (size_t i = 0; i < length; i++)
		frame[i] = (uint8_t)(i * 5);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, "\x02\0\0\0\0\x02", 6);
	frame[12] = (uint8_t)(ethertype >> 8);
	frame[13] = (uint8_t)ethertype;
}

/* The next frame of that type from any queue; the host's kernel sends others unasked. */
static struct frame_in receive_type(struct fixture *f, uint16_t ethertype)
{
	struct pollfd pollers[4];
	uint32_t queues = link_queues(f->link);

	for (;;) {
		for (uint32_t q = 0; q < queues; q++)
			pollers[q] = (struct pollfd){ .fd = link_fd(f->link, q), .events = POLLIN };
		if (poll(pollers, queues, 2000) <= 0)
			fail_msg("no frame within 2 s");
		for (uint32_t q = 0; q < queues; q++) {
			struct frame_in frame;

			while (link_receive(f->link, q, &frame, 1) == 1)
				if (ethertype_of(frame.bytes) == ethertype)
					return frame;
		}
	}
}

static void send_frame(struct fixture *f, uint32_t queue, uint8_t *bytes, uint32_t length)
{
	struct frame_out frame = { .length = length, .iov_count = 2 };

	memcpy(frame.header, bytes, 14);
	frame.iov[0] = (struct iovec){ frame.header, 14 };
	frame.iov[1] = (struct iovec){ bytes + 14, length - 14 };
	link_send(f->link, queue, &frame, 1);
}

static void expect_both_ways(struct fixture *f)
{
	uint8_t bytes[900], answer[2000];
	struct virtio_net_hdr header = { 0 };
	struct frame_in frame;
	int host = host_socket(ETHERTYPE_TEST);

	make_frame(bytes, sizeof(bytes), ETHERTYPE_TEST);
	host_send(host, &header, bytes, sizeof(bytes));
	frame = receive_type(f, ETHERTYPE_TEST);
	assert_int_equal(frame.length, sizeof(bytes));
	assert_memory_equal(frame.bytes, bytes, sizeof(bytes));
	assert_int_equal(frame.gso_bytes, 0);
	assert_int_equal(((uintptr_t)frame.bytes + 14) % 4, 0);

	for (uint32_t queue = 0; queue < link_queues(f->link); queue++) {
		bytes[20] = (uint8_t)(0x40 + queue);
		send_frame(f, queue, bytes, sizeof(bytes));
		assert_int_equal(recv(host, answer, sizeof(answer), 0), sizeof(header) + sizeof(bytes));
		assert_memory_equal(answer + sizeof(header), bytes, sizeof(bytes));
	}
	close(host);
}

/* Is NAME up and as `usual` wants it? */
static void expect_host_end(void)
{
	struct ifreq request = host_ioctl(SIOCGIFFLAGS, (struct ifreq){ 0 });
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	int fd;

	assert_true(request.ifr_flags & IFF_UP);
	assert_int_equal(host_ioctl(SIOCGIFMTU, request).ifr_mtu, 1400);
	assert_int_equal(host_ioctl(SIOCGIFTXQLEN, request).ifr_qlen, LINK_QUEUE_LENGTH);
	request = host_ioctl(SIOCGIFHWADDR, request);
	assert_memory_equal(request.ifr_hwaddr.sa_data, usual.host_mac.b, 6);
	request = host_ioctl(SIOCGIFADDR, request);
	assert_string_equal(inet_ntoa(((struct sockaddr_in *)(void *)&request.ifr_addr)->sin_addr), "192.0.2.1");
	request = host_ioctl(SIOCGIFNETMASK, request);
	assert_string_equal(inet_ntoa(((struct sockaddr_in *)(void *)&request.ifr_addr)->sin_addr), "255.255.255.0");
	request = host_ioctl(SIOCGIFBRDADDR, request);
	assert_string_equal(inet_ntoa(((struct sockaddr_in *)(void *)&request.ifr_addr)->sin_addr), "192.0.2.255");

	/* Usable at once, that is without duplicate address detection. */
	inet_pton(AF_INET, "192.0.2.1", &v4.sin_addr);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&v4, sizeof(v4)), 0);
	close(fd);
	inet_pton(AF_INET6, "2001:db8::1", &v6.sin6_addr);
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&v6, sizeof(v6)), 0);
	close(fd);
}

/* ---- tests --------------------------------------------------------------------------------------------------- */

static void test_create(void **state)
{
	struct fixture *f = *state;

	open_link(f, &usual);
	assert_string_equal(link_backend(f->link), "tap");
	assert_string_equal(link_name(f->link), NAME);
	assert_int_equal(link_mtu(f->link), 1400);
	assert_in_range(link_offload(f->link).gso_bytes_max, 60000, 65495);
	assert_true(link_offload(f->link).checksum);
	expect_host_end();
	expect_both_ways(f);
	link_close(f->link);
	f->link = NULL;
	assert_int_equal(if_nametoindex(NAME), 0);
}

static void test_attach(void **state)
{
	struct fixture *f = *state;
	struct link_options options = usual;
	struct link *other;
	char error[200] = "";

	host_create(0);
	options.mtu_bytes = 0;
	open_link(f, &options);
	assert_int_equal(link_mtu(f->link), 1500);
	expect_both_ways(f);
	assert_int_equal(link_open(&options, &other, error, sizeof(error)), -EBUSY);
	assert_non_null(strstr(error, "in use"));
	link_close(f->link);
	f->link = NULL;
	assert_int_not_equal(if_nametoindex(NAME), 0);

	/* Once more, with everything there already. */
	open_link(f, &usual);
	expect_host_end();
}

static void test_attach_to_multi_queue(void **state)
{
	struct fixture *f = *state;

	host_create(IFF_MULTI_QUEUE);
	open_link(f, &usual);
	expect_both_ways(f);
}

static void test_attach_refused(void **state)
{
	struct fixture *f = *state;
	struct link_options options = usual;
	char error[200] = "";

	options.name = "lo";
	assert_int_equal(link_open(&options, &f->link, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "not a TAP"));

	host_create(0);
	options.name = NAME;
	options.queues = 2;
	assert_int_equal(link_open(&options, &f->link, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "several queues"));

	options.queues = 1;
	options.mtu_bytes = 10;
	assert_int_equal(link_open(&options, &f->link, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "MTU"));
}

static void test_without_offload(void **state)
{
	struct fixture *f = *state;
	struct link_options options = usual;

	options.offload = false;
	open_link(f, &options);
	assert_int_equal(link_offload(f->link).gso_bytes_max, 0);
	assert_false(link_offload(f->link).checksum);
	expect_both_ways(f);
}

static void test_several_queues(void **state)
{
	struct fixture *f = *state;
	struct link_options options = usual;

	options.queues = 3;
	open_link(f, &options);
	assert_int_equal(link_queues(f->link), 3);
	expect_host_end();
	expect_both_ways(f);
}

/* A TCP segment of `payload` bytes from port 1 to port 2; the checksum holds the pseudo-header only, as with offload.
 */
static size_t make_super_frame(uint8_t *frame, size_t payload)
{
	size_t length = 14 + 20 + 20 + payload;
	uint32_t sum = 0;
	uint8_t *ip = frame + 14, *tcp = ip + 20;

	make_frame(frame, length, ETHERTYPE_IP);
	memset(ip, 0, 40);
	ip[0] = 0x45;
	ip[2] = (uint8_t)((length - 14) >> 8);
	ip[3] = (uint8_t)(length - 14);
	ip[8] = 64;
	ip[9] = 6;
	memcpy(ip + 12, "\xc0\x00\x02\x02\xc0\x00\x02\x01", 8);
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	ip[10] = (uint8_t)(~sum >> 8);
	ip[11] = (uint8_t)~sum;
	tcp[1] = 1;
	tcp[3] = 2;
	tcp[12] = 0x50;
	tcp[13] = 0x10;
	sum = 0xc000 + 0x0202 + 0xc000 + 0x0201 + 6 + (uint32_t)(20 + payload);
	sum = (sum & 0xffff) + (sum >> 16);
	tcp[16] = (uint8_t)(sum >> 8);
	tcp[17] = (uint8_t)sum;
	return length;
}

static void test_super_frame_in(void **state)
{
	struct fixture *f = *state;
	static uint8_t bytes[65536];
	struct virtio_net_hdr header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = 54,
		.gso_size = 1300,
		.csum_start = 34,
		.csum_offset = 16,
	};
	size_t length = make_super_frame(bytes, 60000);
	struct frame_in frame;

	open_link(f, &usual);
	f->host = host_socket(ETHERTYPE_IP);
	host_send(f->host, &header, bytes, length);
	frame = receive_type(f, ETHERTYPE_IP);
	assert_int_equal(frame.length, length);
	assert_int_equal(frame.gso_bytes, 1300);
	assert_int_equal(frame.checksum, FRAME_CHECKSUM_PARTIAL);
	assert_memory_equal(frame.bytes, bytes, length);
}

static void test_super_frame_out(void **state)
{
	static const struct {
		uint8_t flags, gso_type;
	} table[] = {
		{ 0x10, VIRTIO_NET_HDR_GSO_TCPV4 },
		{ 0x90, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN }, /* with CWR */
	};
	struct fixture *f = *state;
	static uint8_t bytes[65536], answer[65536 + 64];
	size_t length = make_super_frame(bytes, 60000);

	open_link(f, &usual);
	f->host = host_socket(ETHERTYPE_IP);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct frame_out frame = {
			.length = (uint32_t)length,
			.iov_count = 3,
			.gso_bytes = 1346,
			.header_bytes = 54,
			.checksum_start = 34,
			.checksum_offset = 16,
		};
		struct virtio_net_hdr header;

		bytes[34 + 13] = table[i].flags;
		memcpy(frame.header, bytes, 54);
		frame.iov[0] = (struct iovec){ frame.header, 54 };
		frame.iov[1] = (struct iovec){ bytes + 54, 30000 };
		frame.iov[2] = (struct iovec){ bytes + 54 + 30000, 30000 };
		link_send(f->link, 0, &frame, 1);
		assert_int_equal(link_counters(f->link, 0).dropped_refused, 0);
		assert_int_equal(recv(f->host, answer, sizeof(answer), 0), sizeof(header) + length);
		memcpy(&header, answer, sizeof(header));
		assert_int_equal(header.gso_type, table[i].gso_type);
		assert_int_equal(header.gso_size, 1346);
		assert_int_equal(header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		assert_int_equal(header.csum_offset, 16);
		assert_memory_equal(answer + sizeof(header), bytes, length);
	}
}

static void test_refused_frame(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[64];

	open_link(f, &usual);
	make_frame(bytes, sizeof(bytes), ETHERTYPE_TEST);
	/* checksum far outside the frame */
	struct frame_out frame = { .length = 64, .iov_count = 1, .checksum_start = 5000, .checksum_offset = 16 };

	frame.iov[0] = (struct iovec){ bytes, sizeof(bytes) };
	link_send(f->link, 0, &frame, 1);
	assert_int_equal(link_counters(f->link, 0).dropped_refused, 1);
	assert_false(link_congested(f->link, 0));
}

static void test_interface_down(void **state)
{
	struct fixture *f = *state;
	struct frame_in frame;
	uint8_t bytes[64];

	open_link(f, &usual);
	make_frame(bytes, sizeof(bytes), ETHERTYPE_TEST);
	host_set_up(false);
	send_frame(f, 0, bytes, sizeof(bytes));
	assert_int_equal(link_counters(f->link, 0).dropped_down, 1);
	assert_true(link_receive(f->link, 0, &frame, 1) >= 0);
	assert_true(link_fd(f->link, 0) >= 0);
	host_set_up(true);
	expect_both_ways(f);
}

/* Waits until the link has noticed that its interface is gone. */
static void expect_gone(struct fixture *f, uint32_t queue)
{
	struct pollfd poller = { .fd = link_fd(f->link, queue), .events = POLLIN };
	struct frame_in frame;
	ssize_t n;

	do {
		assert_int_equal(poll(&poller, 1, 2000), 1);
		n = link_receive(f->link, queue, &frame, 1);
	} while (n >= 0);
	assert_int_equal(n, -ENODEV);
	assert_int_equal(link_fd(f->link, queue), -1);
	assert_int_equal(link_receive(f->link, queue, &frame, 1), -ENODEV);
}

static void test_removed_and_made_again(void **state)
{
	struct fixture *f = *state;
	struct link_options options = usual;
	uint8_t bytes[64];

	options.queues = 2;
	open_link(f, &options);
	make_frame(bytes, sizeof(bytes), ETHERTYPE_TEST);
	host_delete(NAME);
	send_frame(f, 0, bytes, sizeof(bytes)); /* before the link has noticed */
	expect_gone(f, 0);
	send_frame(f, 0, bytes, sizeof(bytes));
	assert_int_equal(link_counters(f->link, 0).dropped_down, 2);
	expect_gone(f, 1);
	assert_int_equal(link_reattach(f->link, 0), 0);
	assert_int_equal(link_reattach(f->link, 1), 0);
	assert_int_equal(link_counters(f->link, 0).reattached, 1);
	expect_host_end();
	expect_both_ways(f);
}

static void test_removed_and_attached_again(void **state)
{
	struct fixture *f = *state;

	host_create(0);
	open_link(f, &usual);
	host_delete(NAME);
	expect_gone(f, 0);
	/* It was not ours to make, so it is not ours to make again. */
	assert_int_equal(link_reattach(f->link, 0), -ENODEV);
	assert_int_equal(if_nametoindex(NAME), 0);
	host_create(0);
	assert_int_equal(link_reattach(f->link, 0), 0);
	expect_host_end();
	expect_both_ways(f);
}

static void test_kernel_chooses_name(void **state)
{
	struct fixture *f = *state;
	struct link_options options = { .backend = "tap", .offload = true };

	open_link(f, &options);
	assert_int_not_equal(if_nametoindex(link_name(f->link)), 0);
	assert_int_equal(link_mtu(f->link), 1500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_create),
		TEST(test_attach),
		TEST(test_attach_to_multi_queue),
		TEST(test_attach_refused),
		TEST(test_without_offload),
		TEST(test_several_queues),
		TEST(test_super_frame_in),
		TEST(test_super_frame_out),
		TEST(test_refused_frame),
		TEST(test_interface_down),
		TEST(test_removed_and_made_again),
		TEST(test_removed_and_attached_again),
		TEST(test_kernel_chooses_name),
	};

	/* As root a namespace is enough; others need to be root in a user namespace of their own. */
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
		printf("skipped: no network namespace: %s\n", strerror(errno));
		return 77;
	}
	if (access("/dev/net/tun", R_OK | W_OK) < 0) {
		printf("skipped: /dev/net/tun: %s\n", strerror(errno));
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
