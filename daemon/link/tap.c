/* The TAP back end. Every frame is preceded by a struct virtio_net_hdr (little endian) that carries what is left to
 * do for its checksum and how it is to be cut into segments: Documentation/networking/tuntap.rst of the kernel and
 * section 5.1.6 of the virtio specification. */
#include "link/backend.h"
#include "link/netlink.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TUN_PATH "/dev/net/tun"

/* An IPv4 packet has at most 65535 bytes; less the longest headers we ever send: 20 (IP), 60 (TCP with options). */
#define TAP_GSO_BYTES_MAX (65535u - 80u)

#define TCP_FLAGS_OFFSET 13u
#define TCP_FLAG_CWR 0x80u

/* ---- attaching ----------------------------------------------------------------------------------------------- */

static int explain_attach(struct link *link, int errnum, char *error, size_t error_size)
{
	const char *name = link->name[0] ? link->name : "tap%d";

	switch (errnum) {
	case EPERM:
		return link_fail(error, error_size, errnum,
		                 "interface %s: not permitted; run with CAP_NET_ADMIN, or have it made beforehand: "
		                 "ip tuntap add %s mode tap user USER",
		                 name, name);
	case EBUSY:
		return link_fail(error, error_size, errnum, "interface %s is in use by another process", name);
	case EINVAL:
		return link_fail(error, error_size, errnum, "interface %s is not a TAP interface%s", name,
		                 link->queue_count > 1 ? ", or not one with several queues" : "");
	default:
		return link_fail(error, error_size, errnum, "interface %s: %s", name, strerror(errnum));
	}
}

/* One more descriptor on the interface. Returns it, or -errno. `name` becomes the interface's. */
static int attach(const struct link *link, bool multi_queue, char name[IFNAMSIZ])
{
	struct ifreq request = { 0 };
	int fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	request.ifr_flags = IFF_TAP | IFF_NO_PI;
	if (link->prefix_bytes)
		request.ifr_flags |= IFF_VNET_HDR;
	if (multi_queue)
		request.ifr_flags |= IFF_MULTI_QUEUE;
	memcpy(request.ifr_name, link->name, strnlen(link->name, IFNAMSIZ - 1));
	if (ioctl(fd, TUNSETIFF, &request) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	memcpy(name, request.ifr_name, IFNAMSIZ);
	return fd;
}

/* How the vnet header looks and what the kernel may leave undone in frames that come in. Frames out need no
 * permission, only the header. */
static int set_header(const struct link *link, int fd)
{
	int size = sizeof(struct virtio_net_hdr), yes = 1;

	if (!link->prefix_bytes)
		return 0;
	if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0 || ioctl(fd, TUNSETVNETLE, &yes) < 0)
		return -errno;
	return ioctl(fd, TUNSETOFFLOAD, link->offload_flags) < 0 ? -errno : 0;
}

/* Finds the best of the offloads that the kernel takes. */
static void choose_offload(struct link *link, int fd)
{
	static const unsigned levels[] = {
		TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
		TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6,
		TUN_F_CSUM | TUN_F_TSO4,
		TUN_F_CSUM,
		0,
	};
	size_t level = 0;

	if (!link->options.offload)
		return;
	if (!link->prefix_bytes) {
		snprintf(link->warning, sizeof(link->warning),
		         "interface %s: the kernel has no vnet header, so no offload: bulk transfers will be slow",
		         link->name);
		return;
	}
	while (levels[level] && ioctl(fd, TUNSETOFFLOAD, levels[level]) < 0)
		level++;
	link->offload_flags = levels[level];
	if (!(levels[level] & TUN_F_TSO4))
		snprintf(link->warning, sizeof(link->warning),
		         "interface %s: the kernel refused segmentation%s offload: bulk transfers will be slow",
		         link->name, levels[level] ? "" : " and checksum");
	link->offload = (struct link_offload){ .gso_bytes_max = TAP_GSO_BYTES_MAX, .checksum = true };
}

/* The host's end as the options want it. */
static int set_up_host(const struct link *link, uint32_t *ret_mtu, char *error, size_t error_size)
{
	struct host_interface wanted = {
		.name = link->name,
		.mtu_bytes = link->options.mtu_bytes,
		.mac = link->options.host_mac,
		.queue_length = link->options.queue_length ? link->options.queue_length : LINK_QUEUE_LENGTH,
		.addresses = link->host_addresses,
		.address_count = link->options.host_address_count,
	};

	return host_interface_set_up(&wanted, ret_mtu, error, error_size);
}

static bool kernel_has_vnet_header(void)
{
	unsigned features = 0;
	int fd = open(TUN_PATH, O_RDWR | O_CLOEXEC);
	bool has = fd >= 0 && ioctl(fd, TUNGETFEATURES, &features) == 0 && (features & IFF_VNET_HDR);

	if (fd >= 0)
		close(fd);
	return has;
}

static int attach_first(struct link *link)
{
	char name[IFNAMSIZ];
	int fd;

	link->made = !link->name[0] || if_nametoindex(link->name) == 0;
	link->multi_queue = link->queue_count > 1;
	fd = attach(link, link->multi_queue, name);
	if (fd == -EINVAL && !link->made && !link->multi_queue) {
		/* The interface was prepared for several queues; we may be its only user all the same. */
		link->multi_queue = true;
		fd = attach(link, true, name);
	}
	if (fd >= 0)
		memcpy(link->name, name, IFNAMSIZ);
	return fd;
}

static int tap_open(struct link *link, char *error, size_t error_size)
{
	char name[IFNAMSIZ];
	int r;

	if (access(TUN_PATH, R_OK | W_OK) < 0)
		return link_fail(error, error_size, errno, "%s: %s; is the kernel module tun there?", TUN_PATH,
		                 strerror(errno));
	link->prefix_bytes = kernel_has_vnet_header() ? sizeof(struct virtio_net_hdr) : 0;
	for (uint32_t i = 0; i < link->queue_count; i++) {
		int fd = i == 0 ? attach_first(link) : attach(link, true, name);

		if (fd < 0)
			return explain_attach(link, -fd, error, error_size);
		link->queue[i].fd = fd;
		if (i == 0)
			choose_offload(link, fd);
		r = set_header(link, fd);
		if (r < 0)
			return link_fail(error, error_size, -r, "interface %s: setting up the vnet header: %s",
			                 link->name, strerror(-r));
	}
	return set_up_host(link, &link->mtu_bytes, error, error_size);
}

static void tap_close(struct link *link)
{
	for (uint32_t i = 0; i < link->queue_count; i++) {
		if (link->queue[i].fd >= 0)
			close(link->queue[i].fd);
		link->queue[i].fd = -1;
	}
}

static void mark_gone(struct link_queue *queue)
{
	close(queue->fd);
	queue->fd = -1;
}

static int tap_reattach(const struct link *link, struct link_queue *queue)
{
	char name[IFNAMSIZ], ignored[200];
	uint32_t mtu_bytes;
	int fd, r;

	/* Without this, TUNSETIFF would make a bare interface in place of one that somebody else prepares. */
	if (!link->made && if_nametoindex(link->name) == 0)
		return -ENODEV;
	fd = attach(link, link->multi_queue, name);
	if (fd < 0)
		return fd;
	r = set_header(link, fd);
	if (r == 0)
		r = set_up_host(link, &mtu_bytes, ignored, sizeof(ignored));
	if (r < 0) {
		close(fd);
		return r;
	}
	queue->fd = fd;
	return 0;
}

/* ---- frames -------------------------------------------------------------------------------------------------- */

static void read_prefix(const uint8_t *bytes, struct frame_in *frame)
{
	struct virtio_net_hdr header;
	unsigned gso;

	memcpy(&header, bytes, sizeof(header));
	gso = header.gso_type & ~(unsigned)VIRTIO_NET_HDR_GSO_ECN;
	if (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		frame->checksum = FRAME_CHECKSUM_PARTIAL;
	else if (header.flags & VIRTIO_NET_HDR_F_DATA_VALID)
		frame->checksum = FRAME_CHECKSUM_VALID;
	if (gso == VIRTIO_NET_HDR_GSO_TCPV4 || gso == VIRTIO_NET_HDR_GSO_TCPV6)
		frame->gso_bytes = le16toh(header.gso_size);
}

/* read and writev of the C library are cancellation points, and in a process with threads that costs two locked
 * instructions a call: some per cent of a small exchange. Nobody cancels threads here, so the bare calls are made. */

static ssize_t tap_receive(const struct link *link, struct link_queue *queue, struct frame_in *frames, size_t max)
{
	const size_t prefix = link->prefix_bytes;
	size_t count = 0, at = 0;

	while (count < max && at + LINK_SLOT_BYTES <= LINK_ARENA_BYTES) {
		/* Two bytes past a cache line: so the IP header, 14 bytes on, is aligned. */
		uint8_t *bytes = queue->arena + at + 64 + 2;
		ssize_t n = syscall(SYS_read, queue->fd, bytes - prefix, LINK_SLOT_BYTES - 64 - 2);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			if (errno == EAGAIN || count > 0)
				break;
			if (errno == EBADFD || errno == ENODEV) {
				mark_gone(queue);
				return -ENODEV;
			}
			return -errno;
		}
		if ((size_t)n < prefix)
			continue;
		frames[count] = (struct frame_in){ .bytes = bytes, .length = (uint32_t)((size_t)n - prefix) };
		if (prefix)
			read_prefix(bytes - prefix, &frames[count]);
		at += (64 + 2 + frames[count].length + 63) / 64 * 64;
		count++;
	}
	return (ssize_t)count;
}

static size_t tap_prefix(const struct link *link, const struct frame_out *frame, uint8_t *bytes)
{
	struct virtio_net_hdr header = { 0 };

	if (!link->prefix_bytes)
		return 0;
	if (frame->checksum_offset) {
		header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		header.csum_start = htole16(frame->checksum_start);
		header.csum_offset = htole16(frame->checksum_offset);
	}
	if (frame->gso_bytes) {
		header.gso_type = frame->is_ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
		/* CWR belongs on the first segment only: whoever cuts the frame must know. */
		if (frame->header[frame->checksum_start + TCP_FLAGS_OFFSET] & TCP_FLAG_CWR)
			header.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
		header.gso_size = htole16(frame->gso_bytes);
		header.hdr_len = htole16(frame->header_bytes);
	}
	memcpy(bytes, &header, sizeof(header));
	return sizeof(header);
}

static int tap_write(struct link_queue *queue, const struct iovec *iov, int iov_count)
{
	if (syscall(SYS_writev, queue->fd, iov, iov_count) >= 0)
		return 0;
	switch (errno) {
	case EINTR:
	case EAGAIN:
		return -EAGAIN;
	case EBADFD:
	case ENODEV:
		/* link_receive will find out too, and tell the caller: the descriptor is readable now. */
		return -ENODEV;
	case EIO: /* the interface is not up */
		return -ENETDOWN;
	default:
		return -errno;
	}
}

const struct link_ops link_tap_ops = {
	.name = "tap",
	.open = tap_open,
	.close = tap_close,
	.receive = tap_receive,
	.prefix = tap_prefix,
	.write = tap_write,
	.reattach = tap_reattach,
};
