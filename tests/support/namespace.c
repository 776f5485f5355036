#include "support/namespace.h"

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int complain(const char *what)
{
	perror(what);
	return -1;
}

int namespace_enter(void **state)
{
	struct ifreq lo = { .ifr_name = "lo" };
	int fd;

	(void)state;
	if (unshare(CLONE_NEWNET | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) < 0)
		return complain("unshare");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &lo) < 0)
		return complain("lo");
	lo.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
		return complain("lo up");
	close(fd);
	return 0;
}
