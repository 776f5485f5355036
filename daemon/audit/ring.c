#include "audit/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

/* How far ahead of the writer pages are faulted in: at 200,000 records/s it lasts for a quarter of a second, longer
 * than the recorder is ever held up by a checkpoint of the database. And the step in which that is done. */
#define TOUCH_AHEAD_BYTES (8u << 20)
#define TOUCH_STEP_BYTES (256u << 10)

#define PAGE 4096u

static void ring_name(unsigned shard, const char *suffix, char name[32])
{
	snprintf(name, 32, "ring-%u%s", shard, suffix);
}

static uint64_t capacity_of(size_t bytes)
{
	return (bytes - RING_HEADER_BYTES - sizeof(struct journal_ring)) / sizeof(struct journal_record);
}

size_t ring_file_bytes(uint64_t bytes)
{
	return (size_t)((bytes + PAGE - 1) / PAGE * PAGE);
}

static int map(int fd, size_t bytes, unsigned shard, struct ring_file *ret_file)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	*ret_file = (struct ring_file){
		.header = at,
		.ring = (struct journal_ring *)((char *)at + RING_HEADER_BYTES),
		.bytes = bytes,
		.shard = shard,
	};
	return 0;
}

static bool valid(const struct ring_file *file)
{
	const struct journal_ring *ring = file->ring;

	return file->header->magic == RING_FILE_MAGIC && file->header->version == RING_FILE_VERSION &&
	       file->header->shard == file->shard && (ring->magic == JOURNAL_MAGIC || ring->magic == 0) &&
	       ring->version == JOURNAL_VERSION && ring->record_bytes == sizeof(struct journal_record) &&
	       ring->capacity == capacity_of(file->bytes);
}

int ring_file_open(int directory, unsigned shard, struct ring_file *ret_file)
{
	struct ring_file file;
	struct stat st;
	char name[32];
	int fd, r;

	ring_name(shard, "", name);
	fd = openat(directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size <= (off_t)(RING_HEADER_BYTES + sizeof(struct journal_ring)))
		r = -EBADMSG;
	else
		r = map(fd, (size_t)st.st_size, shard, &file);
	close(fd);
	if (r < 0)
		return r;
	if (!valid(&file)) {
		ring_file_close(&file);
		return -EBADMSG;
	}
	*ret_file = file;
	return 0;
}

/* Gives the file all its blocks. A file system that can't do that beforehand is written with zeros. */
static int allocate(int fd, size_t bytes)
{
	static const char zeros[16 * PAGE];
	size_t done = 0;

	if (fallocate(fd, 0, 0, (off_t)bytes) == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	while (done < bytes) {
		size_t part = bytes - done < sizeof(zeros) ? bytes - done : sizeof(zeros);
		ssize_t n = pwrite(fd, zeros, part, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

int ring_file_create(int directory, unsigned shard, uint64_t bytes, struct ring_file *ret_file)
{
	size_t size = ring_file_bytes(bytes);
	struct ring_file file = { 0 };
	char name[32], new_name[32];
	int fd, r;

	ring_name(shard, "", name);
	ring_name(shard, ".new", new_name);
	fd = openat(directory, new_name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	r = allocate(fd, size);
	if (r == 0)
		r = map(fd, size, shard, &file);
	close(fd);
	if (r < 0)
		goto out;
	*file.header = (struct ring_header){ .magic = RING_FILE_MAGIC, .version = RING_FILE_VERSION, .shard = shard };
	file.ring->version = JOURNAL_VERSION;
	file.ring->record_bytes = sizeof(struct journal_record);
	file.ring->capacity = capacity_of(size);
	atomic_store(&file.ring->head, 1); /* a slot never written is all zero: it must not look like number 0 */
	atomic_store(&file.ring->tail, 1);
	if (renameat(directory, new_name, directory, name) < 0)
		r = -errno;
out:
	if (r < 0) {
		ring_file_close(&file);
		unlinkat(directory, new_name, 0);
		return r;
	}
	*ret_file = file;
	return 0;
}

bool ring_file_is_blank(const struct ring_file *file)
{
	return file->ring->magic == 0;
}

/* Records [first, end) of one lap. A kernel that doesn't know the advice leaves the faults to the writer. */
static void touch(struct ring_file *file, uint64_t first, uint64_t end)
{
	uint64_t capacity = file->ring->capacity;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *base = (char *)file->header;
	size_t from = (size_t)((char *)&file->ring->record[first % capacity] - base) / page * page;
	size_t to = (size_t)((char *)&file->ring->record[(end - 1) % capacity + 1] - base);

	madvise(base + from, to - from, MADV_POPULATE_WRITE);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void touch_until(struct ring_file *file, uint64_t want)
{
	uint64_t capacity = file->ring->capacity;

	while (file->touched < want) {
		uint64_t lap_end = file->touched - file->touched % capacity + capacity;
		uint64_t end = smaller(want, lap_end);

		touch(file, file->touched, end);
		file->touched = end;
	}
}

void ring_file_begin(struct ring_file *file, const struct ring_owner *owner, uint64_t start)
{
	struct journal_ring *ring = file->ring;

	/* A process that is killed leaves the stores that it had made, in order: it is enough that the compiler keeps
	 * the order. */
	*(volatile uint64_t *)&ring->magic = 0;
	atomic_thread_fence(memory_order_seq_cst);
	ring->run_id = owner->run_id;
	ring->wall_offset_ns = owner->wall_offset_ns;
	atomic_store(&ring->head, start);
	atomic_store(&ring->tail, start);
	file->header->started_ns = owner->started_ns;
	file->header->first_connection_id = owner->first_connection_id;
	file->header->first_record = start;
	atomic_store(&file->header->alive_ns, owner->started_ns);
	atomic_store(&file->header->stopped, 0);
	atomic_thread_fence(memory_order_seq_cst);
	*(volatile uint64_t *)&ring->magic = JOURNAL_MAGIC;
	file->touched = start;
	touch_until(file, start + smaller(TOUCH_STEP_BYTES / sizeof(struct journal_record), ring->capacity));
}

void ring_file_touch_ahead(struct ring_file *file)
{
	uint64_t capacity = file->ring->capacity;
	uint64_t head = atomic_load_explicit(&file->ring->head, memory_order_relaxed);
	uint64_t want = head + smaller(TOUCH_AHEAD_BYTES / sizeof(struct journal_record), capacity);

	if (file->touched < head)
		file->touched = head;
	if (want - file->touched >= smaller(TOUCH_STEP_BYTES / sizeof(struct journal_record), capacity))
		touch_until(file, want);
}

uint64_t ring_file_highest_id(const struct ring_file *file)
{
	uint64_t highest = 0;

	for (uint64_t i = 0; i < file->ring->capacity; i++) {
		const struct journal_record *record = &file->ring->record[i];

		if (record->number % file->ring->capacity == i && record->connection_id > highest)
			highest = record->connection_id;
	}
	return highest;
}

void ring_file_close(struct ring_file *file)
{
	if (file->header != NULL)
		munmap(file->header, file->bytes);
	*file = (struct ring_file){ 0 };
}

void ring_file_remove(int directory, unsigned shard)
{
	char name[32];

	ring_name(shard, "", name);
	unlinkat(directory, name, 0);
}

int ring_file_set_aside(int directory, unsigned shard)
{
	char name[32], aside[32];

	ring_name(shard, "", name);
	ring_name(shard, ".damaged", aside);
	return renameat(directory, name, directory, aside) < 0 ? -errno : 0;
}
