/* Packets as pcapng files, for Wireshark and its kin (draft-ietf-opsawg-pcapng), each with a comment that says what
 * the stack thought of it: state, verdict, window.
 *
 * The files are a ring: NAME-000001.pcapng, NAME-000002.pcapng, ..., a new one when one is large or old enough, at
 * each start, and when files are to be opened again (SIGHUP); the oldest go. A file that is there is never written
 * to: a reader that finds one can trust it. Blocks are written whole: what could not be written to the end is cut off
 * again, so that a file is readable up to where it ends, whatever happened. */
#include "pcapng_block.h"

#include "tapstack/logging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define NUMBER_DIGITS 6
#define NUMBER_MAX 999999u
#define SHARDS_MAX 256u
#define TEXT_MAX 1000u
#define PACKET_BYTES_MORE 800u /* of a packet's block beside the packet: its comment, mostly */
#define INTERFACE_BYTES 300u   /* its description and its statistics */
#define BUFFER_BYTES (256u * 1024)
/* More than the largest block: a frame, its comment and all other options. */
#define BLOCK_MAX (65550u + TEXT_MAX + 256)
#define FILE_BYTES_MAX 1000000000000 /* more than anybody opens */

enum { PARAM_PATH, PARAM_FILE_BYTES, PARAM_FILE_SECONDS, PARAM_FILES, PARAM_COMMENTS };

/* One shard is one interface of a file, described when its first packet comes. */
struct interface {
	bool described;
	uint32_t id;
	uint64_t written, missed;
	int64_t first_ns, last_ns;
};

struct pcapng {
	void (*log)(int priority, const char *text);
	char *directory, *stem, *suffix; /* "/dir", "name", ".pcapng" */
	uint64_t file_bytes;             /* 0: no limit */
	int64_t file_ns;                 /* 0: no limit */
	uint32_t files;                  /* 0: all are kept */
	bool comments;
	uint32_t packet_bytes;
	char instance[64], link[64], host[256], version[64];
	uint64_t run_id;

	int fd; /* -1: the next packet opens a file */
	uint32_t number;
	uint64_t good;      /* length of the file, in whole blocks */
	uint64_t packets;   /* in it, or in the buffer for it */
	int64_t started_ns; /* time of its first packet */
	int64_t began_ns;   /* when that came; CLOCK_MONOTONIC, because packets' times go on when the clock is set */
	struct interface interface[SHARDS_MAX];
	uint32_t interface_count;

	uint64_t packet_id, lost;
	bool complained; /* about what fails now */
	uint8_t *buffer;
	size_t length; /* of whole blocks in it */
};

static void say(struct pcapng *pcapng, int priority, const char *what, int error)
{
	char text[PATH_MAX + 200];

	if (pcapng->log == NULL)
		return;
	snprintf(text, sizeof(text), "pcapng %s: %s/%s-%0*u%s: %s: %s", pcapng->instance, pcapng->directory,
	         pcapng->stem, NUMBER_DIGITS, (unsigned)pcapng->number, pcapng->suffix, what, strerror(error));
	pcapng->log(priority, text);
}

/* The first of several failures in a row is told. Returns -error. */
static int fails(struct pcapng *pcapng, const char *what, int error)
{
	if (!pcapng->complained)
		say(pcapng, 3, what, error);
	pcapng->complained = true;
	return -error;
}

/* ---- the ring of files -------------------------------------------------------------------------------------------
 */

static void name_of(const struct pcapng *pcapng, uint32_t number, char path[static PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s-%0*u%s", pcapng->directory, pcapng->stem, NUMBER_DIGITS, (unsigned)number,
	         pcapng->suffix);
}

/* Is this one of ours, and which? 0: no. */
static uint32_t number_of(const struct pcapng *pcapng, const char *name)
{
	size_t stem = strlen(pcapng->stem);
	uint32_t number = 0;

	if (strncmp(name, pcapng->stem, stem) != 0 || name[stem] != '-')
		return 0;
	name += stem + 1;
	for (int i = 0; i < NUMBER_DIGITS; i++, name++) {
		if (*name < '0' || *name > '9')
			return 0;
		number = number * 10 + (uint32_t)(*name - '0');
	}
	return strcmp(name, pcapng->suffix) == 0 ? number : 0;
}

/* The oldest and the newest there are, and how many. Numbers begin anew after the last one: then the oldest is the
 * lowest of those above the largest gap; rather than search for that, age is told by the time of the last change. */
struct ring {
	uint32_t newest, oldest, count;
};

static bool is_older(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

static int look_around(const struct pcapng *pcapng, struct ring *ret)
{
	DIR *directory = opendir(pcapng->directory);
	struct ring ring = { 0, 0, 0 };
	struct timespec oldest = { 0, 0 }, newest = { 0, 0 };
	struct dirent *entry;

	if (directory == NULL)
		return -errno;
	while ((entry = readdir(directory)) != NULL) {
		uint32_t number = number_of(pcapng, entry->d_name);
		struct stat st;

		if (number == 0 || fstatat(dirfd(directory), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (ring.count == 0 || is_older(&st.st_mtim, &oldest) ||
		    (!is_older(&oldest, &st.st_mtim) && number < ring.oldest)) {
			oldest = st.st_mtim;
			ring.oldest = number;
		}
		if (ring.count == 0 || is_older(&newest, &st.st_mtim) ||
		    (!is_older(&st.st_mtim, &newest) && number > ring.newest)) {
			newest = st.st_mtim;
			ring.newest = number;
		}
		ring.count++;
	}
	closedir(directory);
	*ret = ring;
	return 0;
}

/* Makes room for the one that begins with the next packet; it may be there already, and empty. */
static void drop_oldest(const struct pcapng *pcapng)
{
	uint32_t others = pcapng->files - (pcapng->fd < 0);
	char path[PATH_MAX];
	struct ring ring;

	while (pcapng->files > 0 && look_around(pcapng, &ring) == 0 && ring.count > others) {
		name_of(pcapng, ring.oldest, path);
		if ((pcapng->fd >= 0 && ring.oldest == pcapng->number) || unlink(path) != 0)
			return;
	}
}

/* ---- blocks
 * -------------------------------------------------------------------------------------------------------- */

static struct block begin(struct pcapng *pcapng, uint32_t type)
{
	return block_begin(pcapng->buffer + pcapng->length, type);
}

static void end(struct pcapng *pcapng, struct block *block)
{
	pcapng->length += block_end(block);
}

static void add_section(struct pcapng *pcapng)
{
	struct block block = begin(pcapng, BLOCK_SECTION);
	char text[TEXT_MAX];
	struct utsname name;

	block_u32(&block, 0x1a2b3c4d);
	block_u16(&block, 1);
	block_u16(&block, 0);
	block_u64(&block, UINT64_MAX); /* as long as the file */
	if (uname(&name) == 0) {
		block_text(&block, OPTION_SECTION_HARDWARE, name.machine);
		snprintf(text, sizeof(text), "%s %s", name.sysname, name.release);
		block_text(&block, OPTION_SECTION_OS, text);
	}
	snprintf(text, sizeof(text), "tapstackd %s", pcapng->version);
	block_text(&block, OPTION_SECTION_APPLICATION, text);
	snprintf(text, sizeof(text),
	         "run %" PRIu64
	         " of tapstackd on %s, link %s, log %s. Sequence numbers in comments are relative to iss "
	         "and irs.",
	         pcapng->run_id, pcapng->host, pcapng->link, pcapng->instance);
	block_text(&block, OPTION_COMMENT, text);
	block_options_end(&block);
	end(pcapng, &block);
}

static void add_interface(struct pcapng *pcapng, uint32_t shard)
{
	struct interface *interface = &pcapng->interface[shard];
	struct block block = begin(pcapng, BLOCK_INTERFACE);
	const uint8_t nanoseconds = 9;
	char text[TEXT_MAX];

	block_u16(&block, 1); /* LINKTYPE_ETHERNET */
	block_u16(&block, 0);
	block_u32(&block, pcapng->packet_bytes);
	snprintf(text, sizeof(text), "%s/%u", pcapng->link, (unsigned)shard);
	block_text(&block, OPTION_INTERFACE_NAME, text);
	snprintf(text, sizeof(text), "tapstack's end of %s, as shard %u sees it", pcapng->link, (unsigned)shard);
	block_text(&block, OPTION_INTERFACE_DESCRIPTION, text);
	block_option(&block, OPTION_INTERFACE_RESOLUTION, &nanoseconds, 1);
	block_options_end(&block);
	end(pcapng, &block);
	interface->described = true;
	interface->id = pcapng->interface_count++;
}

/* What has become of the packets of each shard while this file was written. */
static void add_statistics(struct pcapng *pcapng)
{
	for (uint32_t shard = 0; shard < SHARDS_MAX; shard++) {
		const struct interface *interface = &pcapng->interface[shard];
		struct block block;

		if (!interface->described)
			continue;
		block = begin(pcapng, BLOCK_STATISTICS);
		block_u32(&block, interface->id);
		block_time(&block, interface->last_ns);
		block_option_time(&block, OPTION_STATISTICS_START, interface->first_ns);
		block_option_time(&block, OPTION_STATISTICS_END, interface->last_ns);
		block_option_u64(&block, OPTION_STATISTICS_DROPPED, interface->missed);
		block_option_u64(&block, OPTION_STATISTICS_ACCEPTED, interface->written + interface->missed);
		block_option_u64(&block, OPTION_STATISTICS_DELIVERED, interface->written);
		block_options_end(&block);
		end(pcapng, &block);
	}
}

/* ---- writing
 * ------------------------------------------------------------------------------------------------------- */

/* The buffer's first `written` bytes are in the file: cuts off the block that is there in part. Returns the packets
 * that are not. */
static uint64_t cut(struct pcapng *pcapng, size_t written)
{
	uint64_t lost = 0;
	size_t at = 0, whole = 0;

	for (; at < pcapng->length; at += block_length(pcapng->buffer + at)) {
		bool there = at + block_length(pcapng->buffer + at) <= written;

		if (there)
			whole = at + block_length(pcapng->buffer + at);
		else if (block_type(pcapng->buffer + at) == BLOCK_PACKET)
			lost++;
	}
	pcapng->good += whole;
	return lost;
}

static void forget_file(struct pcapng *pcapng)
{
	if (pcapng->fd >= 0)
		close(pcapng->fd);
	pcapng->fd = -1;
	pcapng->packets = 0;
	pcapng->interface_count = 0;
	memset(pcapng->interface, 0, sizeof(pcapng->interface));
}

/* The rest of the buffer did not go out: what is missing of descriptions would make the file's next packets
 * unreadable, so they get another file. */
static int write_failed(struct pcapng *pcapng, size_t written, int error)
{
	uint64_t lost = cut(pcapng, written);

	pcapng->lost += lost;
	pcapng->length = 0;
	fails(pcapng, "not all could be written", error);
	if (ftruncate(pcapng->fd, (off_t)pcapng->good) != 0)
		say(pcapng, 4, "ends in the middle of a block", errno);
	if (pcapng->good == 0) {
		char path[PATH_MAX];

		name_of(pcapng, pcapng->number, path);
		unlink(path);
	}
	forget_file(pcapng);
	return -error;
}

static int write_out(struct pcapng *pcapng)
{
	size_t written = 0;

	while (written < pcapng->length) {
		ssize_t n = write(pcapng->fd, pcapng->buffer + written, pcapng->length - written);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return write_failed(pcapng, written, n < 0 ? errno : EIO);
		written += (size_t)n;
	}
	if (pcapng->length > 0)
		pcapng->complained = false;
	pcapng->good += pcapng->length;
	pcapng->length = 0;
	return 0;
}

static int open_file(struct pcapng *pcapng)
{
	char path[PATH_MAX];

	for (uint32_t tries = 0; tries < NUMBER_MAX; tries++) {
		pcapng->number = pcapng->number % NUMBER_MAX + 1;
		name_of(pcapng, pcapng->number, path);
		pcapng->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0640);
		if (pcapng->fd >= 0)
			break;
		if (errno != EEXIST)
			return fails(pcapng, "cannot be opened", errno);
	}
	if (pcapng->fd < 0)
		return fails(pcapng, "cannot be opened", EEXIST);
	pcapng->good = 0;
	add_section(pcapng);
	return 0;
}

/* A file without packets says nothing and takes a place in the ring: it is not left behind. */
static int close_file(struct pcapng *pcapng)
{
	char path[PATH_MAX];
	int r = 0;

	if (pcapng->fd < 0)
		return 0;
	if (pcapng->packets > 0) {
		r = write_out(pcapng);
		if (r == 0) {
			add_statistics(pcapng);
			r = write_out(pcapng);
		}
	} else {
		pcapng->length = 0;
		name_of(pcapng, pcapng->number, path);
		unlink(path);
		pcapng->number--; /* the next one gets its name */
	}
	forget_file(pcapng);
	return r;
}

/* ---- packets
 * ------------------------------------------------------------------------------------------------------- */

#define FLAG_INBOUND 1u
#define FLAG_OUTBOUND 2u

/* Direction, and how it was addressed. */
static uint32_t flags_of(const struct tapstack_log_packet *packet)
{
	static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	uint32_t flags = (packet->flags & TAPSTACK_LOG_PACKET_IN) != 0 ? FLAG_INBOUND : FLAG_OUTBOUND;
	uint32_t reception = 1; /* unicast */

	if (packet->captured < sizeof(broadcast))
		return flags;
	if (memcmp(packet->bytes, broadcast, sizeof(broadcast)) == 0)
		reception = 3;
	else if ((packet->bytes[0] & 1) != 0)
		reception = 2;
	return flags | reception << 2;
}

static int64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void add_packet(struct pcapng *pcapng, const struct tapstack_log_packet *packet)
{
	struct interface *interface = &pcapng->interface[packet->shard % SHARDS_MAX];
	char text[TEXT_MAX];
	struct block block;

	if (!interface->described) {
		add_interface(pcapng, packet->shard % SHARDS_MAX);
		interface->first_ns = packet->time_ns;
	}
	interface->last_ns = packet->time_ns;
	interface->missed += packet->missed;
	interface->written++;
	block = begin(pcapng, BLOCK_PACKET);
	block_u32(&block, interface->id);
	block_time(&block, packet->time_ns);
	block_u32(&block, packet->captured);
	block_u32(&block, packet->length);
	block_bytes(&block, packet->bytes, packet->captured);
	block_option_u32(&block, OPTION_PACKET_FLAGS, flags_of(packet));
	if (packet->missed > 0)
		block_option_u64(&block, OPTION_PACKET_DROPPED, packet->missed);
	block_option_u64(&block, OPTION_PACKET_ID, ++pcapng->packet_id);
	if (pcapng->comments) {
		pcapng_comment(packet, text, sizeof(text));
		block_text(&block, OPTION_COMMENT, text);
	}
	block_options_end(&block);
	end(pcapng, &block);
	if (pcapng->packets++ == 0) {
		pcapng->started_ns = packet->time_ns;
		pcapng->began_ns = monotonic_ns();
	}
}

/* Would the file be too long, or too old, with this packet and the statistics at its end? */
static bool is_over(const struct pcapng *pcapng, const struct tapstack_log_packet *packet)
{
	uint64_t end = pcapng->good + pcapng->length + packet->captured + PACKET_BYTES_MORE +
	               (pcapng->interface_count + 1u) * INTERFACE_BYTES;
	int64_t now_ns = packet->time_ns;

	if (pcapng->packets == 0)
		return false;
	if (pcapng->file_bytes > 0 && end > pcapng->file_bytes)
		return true;
	return pcapng->file_ns > 0 && now_ns - pcapng->started_ns >= pcapng->file_ns;
}

/* 0; or -errno: the packet is lost, and counted. */
static int take(struct pcapng *pcapng, const struct tapstack_log_packet *packet)
{
	int r = 0;

	if (pcapng->fd >= 0 && is_over(pcapng, packet))
		r = close_file(pcapng);
	else if (pcapng->fd >= 0 && pcapng->length + 2 * BLOCK_MAX > BUFFER_BYTES)
		r = write_out(pcapng);
	if (pcapng->packets == 0)
		drop_oldest(pcapng);
	if (pcapng->fd < 0) {
		int opened = open_file(pcapng);

		if (opened < 0) {
			pcapng->lost++;
			return opened;
		}
	}
	add_packet(pcapng, packet);
	return r;
}

static int pcapng_packets(void *state, const struct tapstack_log_packet *packets, size_t count)
{
	struct pcapng *pcapng = state;
	const struct tapstack_log_packet *packet = packets;
	int result = 0, r;

	for (size_t i = 0; i < count; i++, packet = tapstack_log_next_packet(packet)) {
		r = take(pcapng, packet);
		result = r < 0 ? r : result;
	}
	r = pcapng->fd >= 0 ? write_out(pcapng) : 0;
	return r < 0 ? r : result;
}

/* Packets are what is recorded here; each says which state it found and left. */
static int pcapng_events(void *state, const struct tapstack_log_event *events, size_t count)
{
	(void)state;
	(void)events;
	(void)count;
	return 0;
}

/* ---- the instance
 * -------------------------------------------------------------------------------------------------- */

static int pcapng_reopen(void *state)
{
	return close_file(state);
}

/* A file that is old enough is complete although nothing comes any more. */
static int pcapng_idle(void *state, int64_t *ret_wait_ns)
{
	struct pcapng *pcapng = state;
	int64_t age_ns;

	if (pcapng->fd < 0 || pcapng->file_ns == 0 || pcapng->packets == 0)
		return 0;
	age_ns = monotonic_ns() - pcapng->began_ns;
	if (age_ns >= pcapng->file_ns)
		return close_file(pcapng);
	*ret_wait_ns = pcapng->file_ns - age_ns;
	return 0;
}

static void pcapng_counts(void *state, struct tapstack_log_counts *ret)
{
	const struct pcapng *pcapng = state;

	if (ret->struct_size >= TAPSTACK_SIZE_UP_TO(struct tapstack_log_counts, packets_lost))
		ret->packets_lost = pcapng->lost;
}

static void pcapng_close(void *state)
{
	struct pcapng *pcapng = state;

	close_file(pcapng);
	free(pcapng->directory);
	free(pcapng->stem);
	free(pcapng->suffix);
	free(pcapng->buffer);
	free(pcapng);
}

/* "/dir/name.pcapng" in its three parts. 0, -ENOMEM or -EINVAL. */
static int split_path(struct pcapng *pcapng, const struct tapstack_log_env *env, const char *path)
{
	char whole[PATH_MAX];
	const char *base, *dot;
	char *slash;
	int length;

	if (path[0] == '/' || env->state_directory == NULL)
		length = snprintf(whole, sizeof(whole), "%s", path);
	else
		length = snprintf(whole, sizeof(whole), "%s/%s", env->state_directory, path);
	if (length < 0 || length + NUMBER_DIGITS + 2 >= PATH_MAX)
		return -ENAMETOOLONG;
	slash = strrchr(whole, '/');
	base = slash == NULL ? whole : slash + 1;
	if (base[0] == '\0')
		return -EISDIR;
	dot = strrchr(base, '.');
	if (dot == NULL || dot == base)
		dot = base + strlen(base);
	pcapng->stem = strndup(base, (size_t)(dot - base));
	pcapng->suffix = strdup(*dot == '\0' ? ".pcapng" : dot);
	if (slash != NULL)
		*slash = '\0';
	pcapng->directory = strdup(slash == NULL ? "." : whole[0] == '\0' ? "/" : whole);
	return pcapng->stem == NULL || pcapng->suffix == NULL || pcapng->directory == NULL ? -ENOMEM : 0;
}

static const char *text_or(const char *text, const char *otherwise)
{
	return text != NULL && text[0] != '\0' ? text : otherwise;
}

static bool knows_packets(const struct tapstack_log_env *env)
{
	return env->struct_size >= TAPSTACK_SIZE_UP_TO(struct tapstack_log_env, packet_bytes_max);
}

static int open_instance(struct pcapng *pcapng, const struct tapstack_log_env *env,
                         const struct tapstack_params *params)
{
	struct ring ring;
	int r;

	pcapng->log = env->log;
	pcapng->file_bytes = (uint64_t)params->value[PARAM_FILE_BYTES].number;
	pcapng->file_ns = (int64_t)(params->value[PARAM_FILE_SECONDS].number * 1e9);
	pcapng->files = (uint32_t)params->value[PARAM_FILES].number;
	pcapng->comments = params->value[PARAM_COMMENTS].number != 0;
	pcapng->packet_bytes = env->packet_bytes_max;
	pcapng->run_id = env->run_id;
	snprintf(pcapng->instance, sizeof(pcapng->instance), "%s", text_or(env->instance, "?"));
	snprintf(pcapng->link, sizeof(pcapng->link), "%s", text_or(env->link_name, "link"));
	snprintf(pcapng->host, sizeof(pcapng->host), "%s", text_or(env->host_name, "?"));
	snprintf(pcapng->version, sizeof(pcapng->version), "%s", text_or(env->daemon_version, "?"));
	pcapng->buffer = malloc(BUFFER_BYTES);
	if (pcapng->buffer == NULL)
		return -ENOMEM;
	r = split_path(pcapng, env, params->value[PARAM_PATH].text);
	if (r == 0)
		r = look_around(pcapng, &ring);
	if (r < 0)
		return r;
	pcapng->number = ring.newest;
	/* What can't be written is found out now, while somebody is looking. */
	return open_file(pcapng);
}

static int pcapng_open(const struct tapstack_log_env *env, const struct tapstack_params *params, void **ret_state)
{
	struct pcapng *pcapng;
	int r;

	if (!knows_packets(env) || env->packet_bytes_max == 0) {
		if (env->log != NULL)
			env->log(3, "pcapng writes packets: its entry in plugins.logging needs capture, such as "
			            "capture: {filter: \"dport=80\"}, or capture: yes for all");
		return -EINVAL;
	}
	pcapng = calloc(1, sizeof(*pcapng));
	if (pcapng == NULL)
		return -ENOMEM;
	pcapng->fd = -1;
	r = open_instance(pcapng, env, params);
	if (r < 0) {
		pcapng_close(pcapng);
		return r;
	}
	*ret_state = pcapng;
	return 0;
}

static const struct tapstack_param_spec params[] = {
	{ .name = "path",
	  .unit = "",
	  .help = "of the files, relative to state_directory: DIRECTORY/NAME.pcapng makes NAME-000001.pcapng and so "
	          "on",
	  .type = TAPSTACK_PARAM_TEXT },
	{ .name = "file_bytes",
	  .unit = "bytes",
	  .help = "a new file rather than one larger than this; 0: no limit",
	  .type = TAPSTACK_PARAM_NUMBER,
	  .max = FILE_BYTES_MAX,
	  .initial = 64 << 20 },
	{ .name = "file_seconds",
	  .unit = "s",
	  .help = "a new file so long after the first packet of the last; 0: no limit",
	  .type = TAPSTACK_PARAM_NUMBER,
	  .max = 31536000,
	  .initial = 0 },
	{ .name = "files",
	  .unit = "",
	  .help = "so many are kept, those of earlier runs too; then the oldest goes; 0: all",
	  .type = TAPSTACK_PARAM_NUMBER,
	  .max = NUMBER_MAX,
	  .initial = 16 },
	{ .name = "comments",
	  .unit = "",
	  .help = "on each packet: what the stack thought of it",
	  .type = TAPSTACK_PARAM_SWITCH,
	  .max = 1,
	  .initial = 1 },
};

static const struct tapstack_log_ops ops = {
	.struct_size = sizeof(ops),
	.open = pcapng_open,
	.events = pcapng_events,
	.reopen = pcapng_reopen,
	.close = pcapng_close,
	.packets = pcapng_packets,
	.idle = pcapng_idle,
	.counts = pcapng_counts,
};

const struct tapstack_plugin tapstack_plugin = {
	TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_LOGGING),
	.name = "pcapng",
	.version = "1.0",
	.licence = "MIT",
	.description = "packets with what the stack thought of each, for Wireshark; draft-ietf-opsawg-pcapng",
	.params = params,
	.param_count = sizeof(params) / sizeof(params[0]),
	.ops = &ops,
};
