#include "link/netlink.h"

#include "link/backend.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A request being put together. */
struct request {
	struct nlmsghdr header;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg address;
		uint8_t bytes[256];
	} body;
};

struct link_facts {
	int index;
	uint32_t flags, mtu_bytes, queue_length;
	struct mac_addr mac;
};

static void request_begin(struct request *request, uint16_t type, uint16_t flags, size_t body)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_type = type;
	request->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	request->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
	request->header.nlmsg_seq = 1;
}

static void request_add(struct request *request, uint16_t type, const void *bytes, size_t length)
{
	struct rtattr attribute = { .rta_len = (uint16_t)RTA_LENGTH(length), .rta_type = type };
	size_t at = NLMSG_ALIGN(request->header.nlmsg_len);

	memcpy((uint8_t *)request + at, &attribute, sizeof(attribute));
	memcpy((uint8_t *)request + at + RTA_LENGTH(0), bytes, length);
	request->header.nlmsg_len = (uint32_t)(at + RTA_ALIGN(attribute.rta_len));
}

/* Sends the request and waits for the kernel's answer, which it gives at once. Returns the answer's length, 0 for a
 * bare acknowledgement, or -errno, the kernel's or our own. */
static ssize_t ask(int fd, const struct request *request, void *answer, size_t answer_size)
{
	union {
		struct nlmsghdr header;
		uint8_t bytes[16384];
	} reply;
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t n = sendto(fd, request, request->header.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel));

	if (n < 0)
		return -errno;
	do
		n = recv(fd, &reply, sizeof(reply), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (!NLMSG_OK(&reply.header, (size_t)n))
		return -EBADMSG;
	if (reply.header.nlmsg_type == NLMSG_ERROR)
		return ((struct nlmsgerr *)NLMSG_DATA(&reply.header))->error;
	if ((size_t)n > answer_size)
		return -EMSGSIZE;
	memcpy(answer, &reply, (size_t)n);
	return n;
}

static int get_link(int fd, const char *name, struct link_facts *ret_facts)
{
	union {
		struct nlmsghdr header;
		uint8_t bytes[16384];
	} answer;
	struct request request;
	struct link_facts facts = { 0 };
	struct ifinfomsg *info;
	struct rtattr *attribute;
	size_t left;
	ssize_t n;

	request_begin(&request, RTM_GETLINK, 0, sizeof(request.body.link));
	request_add(&request, IFLA_IFNAME, name, strlen(name) + 1);
	n = ask(fd, &request, &answer, sizeof(answer));
	if (n <= 0)
		return n < 0 ? (int)n : -EBADMSG;
	info = NLMSG_DATA(&answer.header);
	facts.index = info->ifi_index;
	facts.flags = info->ifi_flags;
	left = IFLA_PAYLOAD(&answer.header);
	for (attribute = IFLA_RTA(info); RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		if (attribute->rta_type == IFLA_MTU)
			memcpy(&facts.mtu_bytes, RTA_DATA(attribute), sizeof(facts.mtu_bytes));
		else if (attribute->rta_type == IFLA_TXQLEN)
			memcpy(&facts.queue_length, RTA_DATA(attribute), sizeof(facts.queue_length));
		else if (attribute->rta_type == IFLA_ADDRESS && RTA_PAYLOAD(attribute) == sizeof(facts.mac))
			memcpy(&facts.mac, RTA_DATA(attribute), sizeof(facts.mac));
	}
	*ret_facts = facts;
	return 0;
}

/* One message with everything that differs; none when nothing does. */
static int set_link(int fd, const struct host_interface *wanted, const struct link_facts *is, char *error,
                    size_t error_size)
{
	static const struct mac_addr zero;
	bool mac =
	        memcmp(&wanted->mac, &zero, sizeof(zero)) != 0 && memcmp(&wanted->mac, &is->mac, sizeof(zero)) != 0;
	bool mtu = wanted->mtu_bytes && wanted->mtu_bytes != is->mtu_bytes;
	bool up = !(is->flags & IFF_UP);
	struct request request;
	ssize_t r;

	request_begin(&request, RTM_NEWLINK, NLM_F_ACK, sizeof(request.body.link));
	request.body.link.ifi_index = is->index;
	request.body.link.ifi_flags = request.body.link.ifi_change = IFF_UP;
	if (mac)
		request_add(&request, IFLA_ADDRESS, &wanted->mac, sizeof(wanted->mac));
	if (mtu)
		request_add(&request, IFLA_MTU, &wanted->mtu_bytes, sizeof(wanted->mtu_bytes));
	if (mac || mtu || up) {
		r = ask(fd, &request, NULL, 0);
		if (r < 0)
			return link_fail(error, error_size, (int)-r, "interface %s: %s%s%s: %s", wanted->name,
			                 mtu ? "setting the MTU, " : "", mac ? "setting the MAC address, " : "",
			                 "bringing it up", strerror((int)-r));
	}
	if (is->queue_length < wanted->queue_length) {
		request_begin(&request, RTM_NEWLINK, NLM_F_ACK, sizeof(request.body.link));
		request.body.link.ifi_index = is->index;
		request_add(&request, IFLA_TXQLEN, &wanted->queue_length, sizeof(wanted->queue_length));
		ask(fd, &request, NULL, 0);
	}
	return 0;
}

/* Does the interface have it already? If so nothing needs to be permitted. */
static bool has_address(const char *name, const struct stack_address *address)
{
	struct ifaddrs *list = NULL;
	bool found = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (struct ifaddrs *i = list; i && !found; i = i->ifa_next) {
		struct ip_addr ip;

		if (!i->ifa_addr || strcmp(i->ifa_name, name) != 0)
			continue;
		if (i->ifa_addr->sa_family == AF_INET)
			ip = ip_addr_v4(ntohl(((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr.s_addr));
		else if (i->ifa_addr->sa_family == AF_INET6)
			memcpy(&ip, &((struct sockaddr_in6 *)(void *)i->ifa_addr)->sin6_addr, sizeof(ip));
		else
			continue;
		found = ip_addr_equal(&ip, &address->ip);
	}
	freeifaddrs(list);
	return found;
}

static int add_address(int fd, int index, const struct stack_address *address)
{
	bool v4 = ip_addr_is_v4(&address->ip);
	const uint8_t *bytes = address->ip.b + (v4 ? 12 : 0);
	size_t length = v4 ? 4 : 16;
	struct request request;
	uint8_t broadcast[4];
	ssize_t r;

	request_begin(&request, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sizeof(request.body.address));
	request.body.address.ifa_family = v4 ? AF_INET : AF_INET6;
	request.body.address.ifa_prefixlen = (uint8_t)(address->prefix_bits - (v4 ? 96 : 0));
	request.body.address.ifa_index = (uint32_t)index;
	/* The other end is this daemon: waiting a second for duplicate address detection would find nothing. */
	request.body.address.ifa_flags = v4 ? 0 : IFA_F_NODAD;
	request_add(&request, IFA_LOCAL, bytes, length);
	request_add(&request, IFA_ADDRESS, bytes, length);
	if (v4 && request.body.address.ifa_prefixlen < 31) {
		uint32_t host = UINT32_MAX >> request.body.address.ifa_prefixlen;
		uint32_t all = htonl(ip_addr_to_v4(&address->ip) | host);

		memcpy(broadcast, &all, sizeof(broadcast));
		request_add(&request, IFA_BROADCAST, broadcast, sizeof(broadcast));
	}
	r = ask(fd, &request, NULL, 0);
	return r == -EEXIST ? 0 : (int)r;
}

static int set_addresses(int fd, int index, const struct host_interface *wanted, char *error, size_t error_size)
{
	for (size_t i = 0; i < wanted->address_count; i++) {
		const struct stack_address *address = &wanted->addresses[i];
		bool v4 = ip_addr_is_v4(&address->ip);
		char text[INET6_ADDRSTRLEN];
		int r;

		if (has_address(wanted->name, address))
			continue;
		inet_ntop(v4 ? AF_INET : AF_INET6, address->ip.b + (v4 ? 12 : 0), text, sizeof(text));
		if (address->prefix_bits > 128 || (v4 && address->prefix_bits < 96))
			return link_fail(error, error_size, EINVAL, "host address %s: bad prefix length", text);
		r = add_address(fd, index, address);
		if (r < 0)
			return link_fail(error, error_size, -r, "interface %s: adding address %s/%d: %s",
			                 wanted->name, text, address->prefix_bits - (v4 ? 96 : 0), strerror(-r));
	}
	return 0;
}

int host_interface_set_up(const struct host_interface *wanted, uint32_t *ret_mtu, char *error, size_t error_size)
{
	struct link_facts facts;
	int r, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return link_fail(error, error_size, errno, "netlink socket: %s", strerror(errno));
	r = get_link(fd, wanted->name, &facts);
	if (r < 0) {
		link_fail(error, error_size, -r, "interface %s: %s", wanted->name, strerror(-r));
		goto out;
	}
	r = set_link(fd, wanted, &facts, error, error_size);
	if (r < 0)
		goto out;
	r = set_addresses(fd, facts.index, wanted, error, error_size);
	if (r < 0)
		goto out;
	r = get_link(fd, wanted->name, &facts);
	if (r < 0)
		link_fail(error, error_size, -r, "interface %s: %s", wanted->name, strerror(-r));
	else
		*ret_mtu = facts.mtu_bytes;
out:
	close(fd);
	return r;
}
