/* State transitions into a PostgreSQL database that many machines share: the tables and views of the audit, keyed by
 * host, partitioned by day. Events wait in a bounded buffer, go in batches through COPY, one transaction each, and a
 * batch whose fate is unknown after a lost connection is looked up before it is sent again. */
#define _GNU_SOURCE 1
#include "event.h"
#include "postgresql_db.h"
#include "postgresql_seen.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BACKOFF_MIN_NS INT64_C(250000000)
#define BACKOFF_MAX_NS INT64_C(30000000000)

enum param {
	PARAM_CONNINFO,
	PARAM_SCHEMA,
	PARAM_HOSTNAME,
	PARAM_BATCH,
	PARAM_INTERVAL,
	PARAM_BUFFER,
	PARAM_MINIMUM,
	PARAM_COUNT
};

/* An event that waits. */
struct row {
	char *text; /* a line for COPY */
	int64_t day, seen_day;
};

struct postgresql {
	struct pg pg;
	struct event_filter filter;
	struct seen seen;
	char *host, *instance, *version, *link;
	void (*log)(int priority, const char *text);
	struct row *row; /* ring of `size` */
	size_t size, first, count;
	size_t batch_events;
	size_t in_flight;               /* the oldest of them, sent as batch `number` and not confirmed */
	int64_t number;                 /* of the batch in flight, or of the next */
	int64_t interval_ns, oldest_ns; /* when the oldest came; CLOCK_MONOTONIC */
	int64_t retry_ns, backoff_ns;
	uint64_t lost;
	bool complained;
};

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void tell(const struct postgresql *postgresql, int priority, const char *what)
{
	char line[500];

	snprintf(line, sizeof(line), "log %.60s: %s%s%s", postgresql->instance, what,
	         priority < LOG_NOTICE ? ": " : "", priority < LOG_NOTICE ? postgresql->pg.error : "");
	postgresql->log(priority, line);
}

/* ---- rows ------------------------------------------------------------------------------------------------------ */

/* A column: tabs, line ends and backslashes behind a backslash; \N for what is empty; what is not ASCII as '?',
 * because the database refuses what is not its encoding. */
static void put_text(FILE *out, const char *text)
{
	if (text[0] == '\0')
		fputs("\\N", out);
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			fputs("\\\\", out);
		else
			fputc((unsigned char)*text < ' ' || (unsigned char)*text > '~' ? '?' : *text, out);
	}
	fputc('\t', out);
}

static void put_number(FILE *out, bool known, uint64_t value)
{
	if (known && value <= INT64_MAX)
		fprintf(out, "%" PRIu64 "\t", value);
	else
		fputs("\\N\t", out);
}

static void write_row(FILE *out, const struct tapstack_log_event *event, int64_t seen_ns)
{
	bool full = (event->flags & TAPSTACK_LOG_COMPACT) == 0;
	bool shard = event->struct_size >= TAPSTACK_SIZE_UP_TO(struct tapstack_log_event, shard);

	fprintf(out, "%" PRIu64 "\t%" PRIu32 "\t%" PRId64 "\t%" PRId64 "\t%" PRIu32 "\t", event->connection_id,
	        event->index, event->time_ns, seen_ns, event->flags);
	put_number(out, shard, shard ? event->shard : 0);
	put_text(out, event->from);
	put_text(out, event->to);
	put_text(out, event->cause);
	put_text(out, event->cause_meaning);
	put_text(out, event->cause_section);
	put_text(out, event->local_address);
	put_number(out, true, event->local_port);
	put_text(out, event->remote_address);
	put_number(out, true, event->remote_port);
	put_text(out, event_role(event));
	put_text(out, event->service);
	put_text(out, event->congestion);
	put_text(out, event->last_speaker);
	put_number(out, true, event->iss);
	put_number(out, true, event->irs);
	put_number(out, true, event->snd_una);
	put_number(out, true, event->snd_nxt);
	put_number(out, true, event->rcv_nxt);
	put_number(out, full, event->cwnd_bytes);
	put_number(out, full, event->ssthresh_bytes);
	put_number(out, full && event->srtt_ns > 0, (uint64_t)event->srtt_ns);
	put_number(out, full, event->segs_in);
	put_number(out, full, event->segs_out);
	put_number(out, full, event->retransmits);
	put_number(out, full, event->bytes_received);
	put_number(out, full, event->bytes_acked);
	if (full && event->bytes_retransmitted <= INT64_MAX)
		fprintf(out, "%" PRIu64 "\n", event->bytes_retransmitted);
	else
		fputs("\\N\n", out);
}

/* Into the buffer, or lost. */
static int take(struct postgresql *postgresql, const struct tapstack_log_event *event)
{
	struct row *row = &postgresql->row[(postgresql->first + postgresql->count) % postgresql->size];
	int64_t seen_ns = event->time_ns;
	size_t length;
	FILE *out;
	int r = seen_get(&postgresql->seen, event->connection_id, event->time_ns, &seen_ns);

	if (r < 0 || postgresql->count == postgresql->size)
		return r < 0 ? r : -ENOBUFS;
	out = open_memstream(&row->text, &length);
	if (out == NULL)
		return -ENOMEM;
	write_row(out, event, seen_ns);
	if (fclose(out) != 0)
		return -ENOMEM;
	row->day = event->time_ns / PG_DAY_NS;
	row->seen_day = seen_ns / PG_DAY_NS;
	if (postgresql->count++ == 0)
		postgresql->oldest_ns = clock_ns(CLOCK_MONOTONIC);
	return 0;
}

static void drop(struct postgresql *postgresql, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(postgresql->row[(postgresql->first + i) % postgresql->size].text);
	postgresql->first = (postgresql->first + count) % postgresql->size;
	postgresql->count -= count;
	postgresql->oldest_ns = clock_ns(CLOCK_MONOTONIC);
}

/* ---- sending --------------------------------------------------------------------------------------------------- */

static void confirmed(struct postgresql *postgresql)
{
	drop(postgresql, postgresql->in_flight);
	postgresql->in_flight = 0;
	postgresql->number++;
}

/* The connection is lost, or there was none. Said once until it is there again. */
static int put_off(struct postgresql *postgresql, int r)
{
	if (!postgresql->complained)
		tell(postgresql, LOG_WARNING, "the database cannot be written");
	postgresql->complained = true;
	postgresql->retry_ns = clock_ns(CLOCK_MONOTONIC) + postgresql->backoff_ns;
	postgresql->backoff_ns =
	        postgresql->backoff_ns * 2 < BACKOFF_MAX_NS ? postgresql->backoff_ns * 2 : BACKOFF_MAX_NS;
	return r;
}

static int reach(struct postgresql *postgresql)
{
	int r;

	if (postgresql->pg.connection != NULL)
		return 0;
	if (clock_ns(CLOCK_MONOTONIC) < postgresql->retry_ns)
		return -EAGAIN;
	r = pg_connect(&postgresql->pg);
	if (r < 0)
		return put_off(postgresql, r);
	if (postgresql->complained)
		tell(postgresql, LOG_NOTICE, "the database is written again");
	postgresql->complained = false;
	/* the batch in flight may have been stored before the connection was lost */
	if (postgresql->in_flight > 0 && postgresql->pg.position >= postgresql->number)
		confirmed(postgresql);
	else if (postgresql->in_flight == 0)
		postgresql->number = postgresql->pg.position + 1;
	return 0;
}

static int prepare_days(struct postgresql *postgresql)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < postgresql->in_flight; i++) {
		const struct row *row = &postgresql->row[(postgresql->first + i) % postgresql->size];

		r = pg_prepare_day(&postgresql->pg, row->day);
		if (r == 0 && row->seen_day != row->day)
			r = pg_prepare_day(&postgresql->pg, row->seen_day);
	}
	return r;
}

static char *join_rows(const struct postgresql *postgresql, size_t *ret_length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_length);

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < postgresql->in_flight; i++)
		fputs(postgresql->row[(postgresql->first + i) % postgresql->size].text, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/* One batch. 0, or why not. */
static int send_batch(struct postgresql *postgresql)
{
	size_t length = 0;
	char *text;
	int r = reach(postgresql);

	if (r < 0 || postgresql->count == 0)
		return r;
	if (postgresql->in_flight == 0)
		postgresql->in_flight =
		        postgresql->count < postgresql->batch_events ? postgresql->count : postgresql->batch_events;
	r = prepare_days(postgresql);
	if (r < 0)
		return put_off(postgresql, r);
	text = join_rows(postgresql, &length);
	if (text == NULL)
		return -ENOMEM;
	r = pg_store(&postgresql->pg, postgresql->number, text, length);
	free(text);
	if (r < 0)
		return put_off(postgresql, r);
	postgresql->backoff_ns = BACKOFF_MIN_NS;
	confirmed(postgresql);
	return 0;
}

/* Until there is no whole batch left; `all`: until there is nothing. */
static void send_all(struct postgresql *postgresql, bool all)
{
	while (postgresql->count >= (all ? 1 : postgresql->batch_events))
		if (send_batch(postgresql) < 0)
			return;
}

/* ---- operations ------------------------------------------------------------------------------------------------ */

static int postgresql_events(void *state, const struct tapstack_log_event *events, size_t count)
{
	struct postgresql *postgresql = state;
	int result = 0;

	for (const struct tapstack_log_event *event = events; count > 0;
	     event = tapstack_log_next_event(event), count--) {
		uint64_t missed;
		int r = event_filter_take(&postgresql->filter, event, &missed) ? take(postgresql, event) : 0;

		if ((event->flags & TAPSTACK_LOG_LAST) != 0) /* wanted or not, taken or lost */
			seen_forget(&postgresql->seen, event->connection_id);
		if (r < 0) {
			postgresql->lost++;
			result = r;
		}
	}
	send_all(postgresql, false);
	return result;
}

static int postgresql_idle(void *state, int64_t *ret_wait_ns)
{
	struct postgresql *postgresql = state;
	int64_t now = clock_ns(CLOCK_MONOTONIC), due;

	if (postgresql->count > 0 && now >= postgresql->oldest_ns + postgresql->interval_ns)
		send_all(postgresql, true);
	if (postgresql->count == 0)
		return 0;
	now = clock_ns(CLOCK_MONOTONIC);
	due = postgresql->oldest_ns + postgresql->interval_ns;
	if (postgresql->pg.connection == NULL && postgresql->retry_ns > due)
		due = postgresql->retry_ns;
	*ret_wait_ns = due > now ? due - now : 0;
	return 0;
}

static int postgresql_flush(void *state)
{
	send_all(state, true);
	return 0;
}

static void postgresql_counts(void *state, struct tapstack_log_counts *ret_counts)
{
	const struct postgresql *postgresql = state;

	ret_counts->lost = postgresql->lost;
	ret_counts->waiting = postgresql->count;
}

static void postgresql_close(void *state)
{
	struct postgresql *postgresql = state;

	if (postgresql->pg.connection != NULL && postgresql->count == 0)
		pg_end_run(&postgresql->pg, clock_ns(CLOCK_REALTIME));
	pg_disconnect(&postgresql->pg);
	if (postgresql->row != NULL)
		drop(postgresql, postgresql->count);
	seen_free(&postgresql->seen);
	free(postgresql->row);
	free(postgresql->pg.conninfo);
	free(postgresql->pg.schema);
	free(postgresql->host);
	free(postgresql->instance);
	free(postgresql->version);
	free(postgresql->link);
	free(postgresql);
}

static const struct tapstack_param_spec params[] = {
	[PARAM_CONNINFO] = { "conninfo", "",
	                     "how to connect, as libpq takes it: \"host=db.example dbname=tapstack\"; passwords "
	                     "belong into a .pgpass file",
	                     TAPSTACK_PARAM_TEXT, 0, 0, 0, 0, NULL },
	[PARAM_SCHEMA] = { "schema", "", "where the tables are; made when it is not there", TAPSTACK_PARAM_TEXT, 0, 0,
	                   0, 0, "tapstack" },
	[PARAM_HOSTNAME] = { "hostname", "",
	                     "the host that rows belong to, its own for each machine; empty: this machine's name",
	                     TAPSTACK_PARAM_TEXT, 0, 0, 0, 0, "" },
	[PARAM_BATCH] = { "batch_events", "events", "most that go in one transaction", TAPSTACK_PARAM_NUMBER, 0, 1,
	                  100000, 2000, NULL },
	[PARAM_INTERVAL] = { "interval_ms", "ms", "how long an event may wait for a batch to fill",
	                     TAPSTACK_PARAM_NUMBER, 0, 0, 3600000, 500, NULL },
	[PARAM_BUFFER] = { "buffer_events", "events",
	                   "that wait while the database cannot be written; what is more is lost and counted",
	                   TAPSTACK_PARAM_NUMBER, 0, 1000, 10000000, 100000, NULL },
	[PARAM_MINIMUM] = { "minimum", "", EVENT_MINIMUM_HELP, TAPSTACK_PARAM_TEXT, 0, 0, 0, 0, "all" },
};

static int copy_texts(const struct tapstack_log_env *env, const struct tapstack_params *given,
                      struct postgresql *postgresql)
{
	bool known = env->struct_size >= TAPSTACK_SIZE_UP_TO(struct tapstack_log_env, run_started_ns);
	const char *hostname = given->value[PARAM_HOSTNAME].text;

	postgresql->host = strdup(hostname[0] != '\0' || !known ? hostname : env->host_name);
	postgresql->instance = strdup(env->instance);
	postgresql->version = strdup(known ? env->daemon_version : "");
	postgresql->link = strdup(known ? env->link_name : "");
	postgresql->pg.conninfo = strdup(given->value[PARAM_CONNINFO].text);
	postgresql->pg.schema = strdup(given->value[PARAM_SCHEMA].text);
	postgresql->pg.run =
	        (struct pg_run){ postgresql->host, postgresql->instance,    postgresql->version,
		                 postgresql->link, known ? env->run_id : 0, known ? env->run_started_ns : 0 };
	return postgresql->host != NULL && postgresql->instance != NULL && postgresql->version != NULL &&
	                       postgresql->link != NULL && postgresql->pg.conninfo != NULL &&
	                       postgresql->pg.schema != NULL
	               ? 0
	               : -ENOMEM;
}

/* The database need not be there yet. */
static int postgresql_open(const struct tapstack_log_env *env, const struct tapstack_params *given, void **ret_state)
{
	struct postgresql *postgresql = calloc(1, sizeof(*postgresql));
	int r;

	if (postgresql == NULL)
		return -ENOMEM;
	postgresql->log = env->log;
	postgresql->backoff_ns = BACKOFF_MIN_NS;
	postgresql->batch_events = (size_t)given->value[PARAM_BATCH].number;
	postgresql->interval_ns = (int64_t)(given->value[PARAM_INTERVAL].number * 1e6);
	postgresql->size = (size_t)given->value[PARAM_BUFFER].number;
	r = copy_texts(env, given, postgresql);
	postgresql->row = calloc(postgresql->size, sizeof(*postgresql->row));
	if (postgresql->row == NULL)
		r = -ENOMEM;
	if (r == 0)
		r = event_filter_begin(env, given->value[PARAM_MINIMUM].text, &postgresql->filter);
	if (r == 0 && !pg_is_conninfo(postgresql->pg.conninfo)) {
		event_complain(env, LOG_ERR,
		               "conninfo: is not valid: expected KEYWORD=VALUE ..., a value with spaces "
		               "in single quotes, or postgresql://USER@HOST/DATABASE");
		r = -EINVAL;
	}
	if (r == 0 && !pg_is_schema(postgresql->pg.schema)) {
		event_complain(env, LOG_ERR, "schema: \"%.60s\" is not valid: expected a-z, 0-9 and _",
		               postgresql->pg.schema);
		r = -EINVAL;
	}
	if (r < 0) {
		postgresql_close(postgresql);
		return r;
	}
	*ret_state = postgresql;
	return 0;
}

static const struct tapstack_log_ops ops = {
	.struct_size = sizeof(ops),
	.open = postgresql_open,
	.events = postgresql_events,
	.flush = postgresql_flush,
	.idle = postgresql_idle,
	.counts = postgresql_counts,
	.close = postgresql_close,
};

const struct tapstack_plugin tapstack_plugin = {
	TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_LOGGING),
	.name = "postgresql",
	.version = "1.0",
	.licence = "MIT",
	.description = "state transitions into PostgreSQL: the audit of many machines, partitioned by day",
	.params = params,
	.param_count = PARAM_COUNT,
	.ops = &ops,
};
