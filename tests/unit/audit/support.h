#pragma once
/* What the tests of the audit share: a directory of their own, a writer of records, and SQL as text. */
#include "audit/audit.h"
#include "core/tcp/state.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four that it needs */
#include <cmocka.h>

struct place {
	char directory[64], database[96];
	struct audit_options options; /* two services, two algorithms, one shard; to be changed at will */
	pthread_mutex_t lock;         /* around reports: the recorder says things too */
	char reports[4096];           /* what the audit said to the operator, a line each */
};

/* cmocka's setup and teardown: *state is a struct place with an empty directory, removed in the end. */
int place_setup(void **state);
int place_teardown(void **state);
/* The same directory for a directory that is there already (a mounted one). */
void place_in(struct place *place, const char *directory);

/* Has the audit said this to the operator, or does it within ten seconds? */
bool place_was_told(struct place *place, const char *text);

/* audit_open that must succeed. */
struct audit *place_open(struct place *place);

/* All rows of a query, columns joined by '|', each row ended by a newline; valid until the next call. Through a
 * connection of its own, that only reads. */
const char *place_query(struct place *place, const char *sql);
int64_t place_query_int(struct place *place, const char *sql);

/* One step of a connection's life. */
struct step {
	uint8_t from, to;
	uint16_t cause;
	uint8_t flags;
};

/* Passive; the peer closes first. */
extern const struct step life_passive[];
extern const size_t life_passive_steps;
/* Passive; we close first, so it ends in TIME-WAIT. */
extern const struct step life_time_wait[];
extern const size_t life_time_wait_steps;

/* A record with everything in it that follows from the three; waits for room (fails the test after ten seconds). */
void write_step(struct audit *audit, unsigned shard, uint64_t connection, const struct step *steps, size_t index);
/* Steps [from, to). */
void write_steps(struct audit *audit, uint64_t connection, const struct step *steps, size_t from, size_t to);
/* What write_step would write; the number in the ring is missing. */
struct journal_record make_record(unsigned shard, uint64_t connection, const struct step *steps, size_t index);

int64_t test_now_ns(void);
/* Polls until `condition(context)` or ten seconds have passed; returns what it said last. */
bool test_wait(bool (*condition)(void *context), void *context);
