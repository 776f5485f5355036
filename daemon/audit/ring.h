#pragma once
/* A journal ring in a file of the state directory: `ring-SHARD`. The first page of the file is the audit's own
 * header, then follows the struct journal_ring that a stack writes.
 *
 * The blocks of the file are allocated when it is created: a disk that is full is an error then, never a SIGBUS in
 * the data path. Record numbers go on from run to run as long as the file lives, so that what an earlier run has left
 * in a slot can't pass for a record of this run. */
#include "core/base/journal.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define RING_FILE_MAGIC 0x474e495253504154u /* "TAPSRING", little endian */
#define RING_FILE_VERSION 1u
#define RING_HEADER_BYTES 4096u

struct ring_header {
	uint64_t magic;
	uint32_t version, shard;
	int64_t started_ns;           /* of the run, since 1970 */
	uint64_t first_connection_id; /* of the run: no id below is the run's */
	_Atomic int64_t alive_ns;     /* since 1970: when the run was last seen alive */
	_Atomic uint32_t stopped;     /* 1: the run was being stopped in order */
	uint64_t first_record;        /* number of the run's first record; 0: the ring was begun without this field */
};
_Static_assert(sizeof(struct ring_header) <= RING_HEADER_BYTES, "the journal ring begins on the second page");

struct ring_file {
	struct ring_header *header; /* start of the mapping; NULL: not mapped */
	struct journal_ring *ring;
	size_t bytes; /* of the file and the mapping */
	unsigned shard;
	uint64_t touched; /* records before this one have been faulted in for writing */
};

/* Maps an existing ring file. -ENOENT; -EBADMSG not a ring file of this version (the caller should move it aside). */
int ring_file_open(int directory, unsigned shard, struct ring_file *ret_file);

/* Makes a new ring file of about `bytes` in the place of what was there, and maps it. Its ring is blank (see
 * ring_file_is_blank) and numbers start at 1. -ENOSPC. */
int ring_file_create(int directory, unsigned shard, uint64_t bytes, struct ring_file *ret_file);

/* Was the ring made or being reset when its owner died? Then there is nothing in it. */
bool ring_file_is_blank(const struct ring_file *file);

/* A run, as far as its rings know it. */
struct ring_owner {
	uint64_t run_id;
	int64_t started_ns, wall_offset_ns;
	uint64_t first_connection_id;
};

/* Gives the ring, drained, to a new run. The next record is `start` (at least head). A death half-way leaves the ring
 * blank. Only the first pages are faulted in: a start is to be quick. */
void ring_file_begin(struct ring_file *file, const struct ring_owner *owner, uint64_t start);

/* Faults in, for writing, the pages that the writer reaches next, so that it doesn't have to. Called by the recorder
 * at each turn. */
void ring_file_touch_ahead(struct ring_file *file);

/* The highest connection id in any slot, also of records stored long ago; 0: none. Reads the whole file. */
uint64_t ring_file_highest_id(const struct ring_file *file);

void ring_file_close(struct ring_file *file);
void ring_file_remove(int directory, unsigned shard);
/* Renames the file to ring-SHARD.damaged. */
int ring_file_set_aside(int directory, unsigned shard);

/* How many bytes ring_file_create would give the file. */
size_t ring_file_bytes(uint64_t bytes);
