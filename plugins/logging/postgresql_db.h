#pragma once
/* The database of the postgresql plugin: connecting, migrating, partitions, storing one batch at a time. All calls
 * may block: on a server that cannot be reached for half a minute or so, and on one that has stopped without letting
 * go of its connections for as long as it does. */
#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PG_DAYS_KNOWN 64u
#define PG_DAY_NS INT64_C(86400000000000)

/* What the row of the run says. */
struct pg_run {
	const char *host, *instance, *version, *link;
	uint64_t id;
	int64_t started_ns;
};

struct pg {
	PGconn *connection; /* NULL: none */
	char *conninfo, *schema;
	struct pg_run run;
	int key;                    /* of the run's row */
	int64_t position;           /* the last batch stored, as the database had it when it was connected to */
	int64_t day[PG_DAYS_KNOWN]; /* whose partitions are there */
	unsigned days;
	char error[300]; /* what went wrong last */
};

/* Is it a name that may be written between double quotes as it is, and without, unless it is a key word? */
bool pg_is_schema(const char *name);
/* Does libpq understand it? Its own message would repeat parts of the text, which may be passwords. */
bool pg_is_conninfo(const char *conninfo);

/* Connects; creates or migrates the schema when this is the first to come, one daemon at a time (advisory lock);
 * finds or makes the row of the run; closes the runs of this host that crashed. 0, -ECONNREFUSED or -EPROTO with
 * `error`. */
int pg_connect(struct pg *pg);
void pg_disconnect(struct pg *pg);

/* Makes the partitions of a day (in days since 1970) and of the next; nothing when they are known to be there. */
int pg_prepare_day(struct pg *pg, int64_t day);

/* Stores `text`, lines in COPY's text format for the table `stage`, as batch number `number`, in one transaction.
 * After an error the connection is gone; whether the batch is there says `position` after the next pg_connect. */
int pg_store(struct pg *pg, int64_t number, const char *text, size_t length);

/* The run has ended in order. */
int pg_end_run(struct pg *pg, int64_t ended_ns);
