/* A path between two machines, in real time: what comes in at one side goes out at the other, impaired as the options
 * say on the way to the first side, and delayed only on the way back. A side is a TAP interface, in this or in
 * another process's network namespace, or the Unix socket of a tapstackd. */
#include "link/impair/impair.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_BYTES_MAX = 65536 + 64, BATCH = 64 };

struct side {
	struct impair_element element; /* takes what goes out there */
	struct impair_element *entry;  /* what comes in there goes here */
	int fd;
	uint64_t refused;
};

struct path {
	struct impair impair;
	struct side side[2];
	struct impair_delay delay[2];
	struct impair_line line;
	struct impair_loss loss;
	struct impair_burst burst;
	struct impair_reorder reorder;
};

struct options {
	const char *side[2];
	uint32_t loss, burst, reorder;
	uint64_t seed, seconds;
	struct impair_delay_options delay;
	struct impair_reorder_options reordering;
	struct impair_line_options line;
};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "path: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct instant now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (struct instant){ t.tv_sec * INT64_C(1000000000) + t.tv_nsec };
}

static void *memory_alloc(void *context, size_t size)
{
	(void)context;
	return aligned_alloc(64, (size + 63) / 64 * 64);
}

static void memory_free(void *context, void *pointer, size_t size)
{
	(void)context;
	(void)size;
	free(pointer);
}

/* ---- sides -------------------------------------------------------------------------------------------------------
 */

/* NAME, or NAME@PID for one in the namespace of another process. */
static int open_tap(const char *text)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there, fd;
	const char *at = strchr(text, '@');
	char file[64];

	memcpy(request.ifr_name, text, at ? (size_t)(at - text) : strlen(text));
	if (at) {
		snprintf(file, sizeof(file), "/proc/%s/ns/net", at + 1);
		there = open(file, O_RDONLY | O_CLOEXEC);
		if (there < 0 || setns(there, CLONE_NEWNET) < 0)
			die(file);
		close(there);
	}
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
		die(text);
	if (setns(home, CLONE_NEWNET) < 0)
		die("setns");
	close(home);
	return fd;
}

static int open_unix(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, name, strnlen(name, sizeof(address.sun_path) - 1));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(name);
	return fd;
}

static int open_side(const char *text)
{
	if (strncmp(text, "tap:", 4) == 0 && strcspn(text + 4, "@") < IFNAMSIZ)
		return open_tap(text + 4);
	if (strncmp(text, "unix:", 5) == 0)
		return open_unix(text + 5);
	fprintf(stderr, "path: \"%s\" is neither tap:NAME[@PID] nor unix:PATH\n", text);
	exit(2);
}

static void side_take(struct impair_element *element, struct instant at, struct impair_packet *packet)
{
	struct side *side = (struct side *)element;

	(void)at;
	if (write(side->fd, packet->bytes, packet->length) < 0)
		side->refused++;
	impair_packet_free(element->impair, packet);
}

/* A batch of what has come in; at most so much, so that what is due is not held up. */
static void side_receive(struct side *side)
{
	static uint8_t bytes[FRAME_BYTES_MAX];
	struct impair_packet *packet;

	for (int i = 0; i < BATCH; i++) {
		ssize_t length = read(side->fd, bytes, sizeof(bytes));

		if (length == 0) /* the daemon is gone */
			stopped = 1;
		if (length <= 0)
			return;
		packet = impair_packet_new(side->element.impair, (uint32_t)length);
		if (!packet)
			die("memory");
		memcpy(packet->bytes, bytes, (size_t)length);
		impair_give(side->entry, now(), packet);
	}
}

/* ---- the path ----------------------------------------------------------------------------------------------------
 */

static void build(struct path *path, const struct options *options)
{
	struct memory memory = { memory_alloc, memory_free, NULL };
	struct impair_burst_options bursts = impair_burst_of(options->loss, options->burst);
	struct impair_element *way;

	impair_begin(&path->impair, &memory, options->seed);
	for (int i = 0; i < 2; i++) {
		path->side[i].fd = open_side(options->side[i]);
		path->side[i].element.take = side_take;
		impair_add(&path->impair, &path->side[i].element, NULL);
		impair_delay_begin(&path->delay[i], &path->impair, &path->side[i].element, &options->delay);
	}
	path->side[0].entry = &path->delay[1].element;
	way = &path->delay[0].element;
	if (options->burst > 1) {
		impair_burst_begin(&path->burst, &path->impair, way, &bursts);
		way = &path->burst.element;
	} else {
		impair_loss_begin(&path->loss, &path->impair, way, options->loss);
		way = &path->loss.element;
	}
	impair_reorder_begin(&path->reorder, &path->impair, way, &options->reordering);
	way = &path->reorder.element;
	impair_line_begin(&path->line, &path->impair, way, &options->line);
	path->side[1].entry = &path->line.element;
}

static void run(struct path *path, uint64_t seconds)
{
	struct instant end = instant_add(now(), DURATION_S((int64_t)seconds));

	while (!stopped && !instant_reached(end, now())) {
		struct pollfd fds[2] = { { path->side[0].fd, POLLIN, 0 }, { path->side[1].fd, POLLIN, 0 } };
		struct duration wait = instant_sub(instant_min(impair_deadline(&path->impair), end), now());
		struct timespec timeout = { 0 };

		if (wait.ns > 0)
			timeout = (struct timespec){ wait.ns / 1000000000, wait.ns % 1000000000 };
		if (ppoll(fds, 2, &timeout, NULL) < 0 && errno != EINTR)
			die("poll");
		for (int i = 0; i < 2; i++) {
			if (fds[i].revents & POLLIN)
				side_receive(&path->side[i]);
			else if (fds[i].revents)
				stopped = 1;
		}
		impair_run(&path->impair, now());
	}
}

static void usage(void)
{
	fprintf(stderr, "usage: path [--rate BYTES_PER_S] [--queue BYTES] [--codel] [--ecn] [--delay-us ONE_WAY]\n"
	                "            [--loss PER_MILLION] [--burst PACKETS] [--reorder PER_MILLION] [--seed N] "
	                "[--seconds N]\n"
	                "            SIDE SIDE      SIDE: tap:NAME[@PID] or unix:PATH\n");
	exit(2);
}

static void parse(struct options *options, int argc, char **argv)
{
	static const struct option table[] = {
		{ "rate", 1, NULL, 'r' },
		{ "queue", 1, NULL, 'q' },
		{ "codel", 0, NULL, 'c' },
		{ "ecn", 0, NULL, 'e' },
		{ "loss", 1, NULL, 'l' },
		{ "burst", 1, NULL, 'b' },
		{ "reorder", 1, NULL, 'o' },
		{ "seed", 1, NULL, 's' },
		{ "seconds", 1, NULL, 't' },
		{ "delay-us", 1, NULL, 'd' },
		{ 0 },
	};
	int c;

	*options = (struct options){ .seed = 1, .seconds = 60, .line = { .bytes_per_s = 1250000 } };
	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		uint64_t value = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (c) {
		case 'r':
			options->line.bytes_per_s = value;
			break;
		case 'q':
			options->line.queue_bytes = (uint32_t)value;
			break;
		case 'c':
			options->line.discipline = IMPAIR_CODEL;
			break;
		case 'e':
			options->line.ecn = true;
			break;
		case 'l':
			options->loss = (uint32_t)value;
			break;
		case 'b':
			options->burst = (uint32_t)value;
			break;
		case 'o':
			options->reorder = (uint32_t)value;
			break;
		case 's':
			options->seed = value;
			break;
		case 't':
			options->seconds = value;
			break;
		case 'd':
			options->delay.delay = DURATION_US(value);
			break;
		default:
			usage();
		}
	}
	if (argc - optind != 2 || options->line.bytes_per_s == 0)
		usage();
	options->side[0] = argv[optind];
	options->side[1] = argv[optind + 1];
	options->reordering = (struct impair_reorder_options){ .per_million = options->reorder,
		                                               .hold_min = { options->delay.delay.ns / 4 },
		                                               .hold_max = { options->delay.delay.ns / 2 } };
}

int main(int argc, char **argv)
{
	static struct path path;
	struct options options;

	parse(&options, argc, argv);
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	signal(SIGPIPE, SIG_IGN);
	build(&path, &options);
	printf("ready\n");
	fflush(stdout);
	run(&path, options.seconds);
	printf("%llu packets towards the first side, %llu lost or refused\n",
	       (unsigned long long)path.line.element.counters.taken,
	       (unsigned long long)(path.line.element.counters.dropped + path.loss.element.counters.dropped +
	                            path.burst.element.counters.dropped + path.side[0].refused));
	impair_end(&path.impair);
	return 0;
}
