#include "audit/audit.h"

#include "audit/internal.h"
#include "audit/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define OPEN_BUSY_MS 2000 /* patience at the start with another writer */

int64_t audit_monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void audit_report(struct audit *audit, int priority, const char *format, ...)
{
	char text[512];
	va_list arguments;

	if (audit->report == NULL)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	audit->report(audit->report_context, priority, text);
}

/* ---- the database file --------------------------------------------------------------------------------------- */

static const char *const database_parts[AUDIT_DATABASE_PARTS] = { "", "-wal", "-shm" };

/* "NAME-wal" of part 1 and so on, or "NAME.damaged-TIME-wal" with a mark "damaged". To be freed; NULL: no memory. */
static char *part_name(const struct audit *audit, int part, const char *mark, int64_t now)
{
	time_t seconds = now / 1000000000;
	char when[40] = "", *name;
	struct tm tm;
	int r;

	gmtime_r(&seconds, &tm);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%S", &tm);
	if (mark == NULL)
		r = asprintf(&name, "%s%s", audit->database, database_parts[part]);
	else
		r = asprintf(&name, "%s.%s-%s.%06dZ%s", audit->database, mark, when, (int)(now % 1000000000 / 1000),
		             database_parts[part]);
	return r < 0 ? NULL : name;
}

static int rename_part(const struct audit *audit, int part, const char *mark, int64_t now)
{
	char *from = part_name(audit, part, NULL, now), *to = part_name(audit, part, mark, now);
	int r = from == NULL || to == NULL ? -ENOMEM : 0;

	if (r == 0 && rename(from, to) < 0 && errno != ENOENT)
		r = -errno;
	free(from);
	free(to);
	return r;
}

int audit_set_database_aside(struct audit *audit)
{
	int64_t now = realtime_ns();
	char *to = part_name(audit, 0, "damaged", now);
	int r = to == NULL ? -ENOMEM : 0;

	for (int part = 0; part < AUDIT_DATABASE_PARTS && r == 0; part++) {
		r = rename_part(audit, part, "damaged", now);
		if (r == 0 && part == 0)
			audit_report(audit, LOG_ERR,
			             "audit: the database is damaged; it was moved to %s and a new one is begun", to);
	}
	free(to);
	return r;
}

static struct file_identity identify(const char *path)
{
	struct stat st;

	if (path == NULL || stat(path, &st) < 0)
		return (struct file_identity){ 0 };
	return (struct file_identity){ .device = st.st_dev, .inode = st.st_ino };
}

static bool same_file(const struct file_identity *a, const struct file_identity *b)
{
	return a->inode != 0 && a->inode == b->inode && a->device == b->device;
}

bool audit_database_in_place(const struct audit *audit)
{
	struct stat st;

	if (stat(audit->database, &st) < 0)
		return errno != ENOENT;
	return same_file(&audit->database_part[0],
	                 &(struct file_identity){ .device = st.st_dev, .inode = st.st_ino });
}

/* Whoever has put a whole database in the place may have brought its WAL along: that one is not ours to touch. */
static bool part_is_ours(const struct audit *audit, int part, const char *name)
{
	struct file_identity there = identify(name);

	return same_file(&audit->database_part[part], &there);
}

void audit_remove_wal(struct audit *audit)
{
	for (int part = 1; part < AUDIT_DATABASE_PARTS; part++) {
		char *name = part_name(audit, part, NULL, 0);

		if (part_is_ours(audit, part, name))
			unlink(name);
		free(name);
	}
}

void audit_set_wal_aside(struct audit *audit)
{
	int64_t now = realtime_ns();

	for (int part = 1; part < AUDIT_DATABASE_PARTS; part++) {
		char *name = part_name(audit, part, NULL, 0), *to = part_name(audit, part, "left", now);

		if (part_is_ours(audit, part, name) && rename_part(audit, part, "left", now) == 0 && part == 1)
			audit_report(audit, LOG_ERR,
			             "audit: %s was taken away while it was in use; its last rows are in %s, which "
			             "belongs "
			             "beside it as its -wal",
			             audit->database, to != NULL ? to : name);
		free(name);
		free(to);
	}
}

int audit_open_store(struct audit *audit, int busy_ms, char *error, size_t error_size)
{
	int r = store_open(audit->database, busy_ms, &audit->store, error, error_size);

	if (r == -EBADMSG) {
		r = audit_set_database_aside(audit);
		if (r == 0)
			r = store_open(audit->database, busy_ms, &audit->store, error, error_size);
	}
	if (r < 0)
		return r;
	for (int part = 0; part < AUDIT_DATABASE_PARTS; part++) {
		char *name = part_name(audit, part, NULL, 0);

		audit->database_part[part] = identify(name);
		free(name);
	}
	audit->database_looked_ns = audit_monotonic_ns();
	audit->database_leaving = false;
	return 0;
}

static int store_names(struct audit *audit, enum name_kind kind)
{
	const struct names *names = &audit->run.name[kind];
	int r = 0;

	for (size_t id = 0; id < names->count && r == 0; id++)
		if (names->name[id] != NULL)
			r = store_name(audit->store, audit->run.id, kind, (uint16_t)id, names->name[id]);
	return r;
}

int audit_store_run(struct audit *audit)
{
	struct store_run_row row = { .id = audit->run.id,
		                     .started_ns = audit->owner.started_ns,
		                     .wall_offset_ns = audit->run.wall_offset_ns,
		                     .version = audit->version,
		                     .shards = audit->shards,
		                     .first_connection = audit->owner.first_connection_id };
	int r = store_run_begin(audit->store, &row);

	for (enum name_kind kind = NAME_SERVICE; r == 0 && kind < NAME_KIND_COUNT; kind++)
		r = store_names(audit, kind);
	return r;
}

/* ---- opening ------------------------------------------------------------------------------------------------- */

static int copy_names(struct names *to, const struct audit_names *from)
{
	int r = 0;

	for (size_t id = 0; id < from->count && r == 0; id++)
		if (from->name[id] != NULL)
			r = id > UINT16_MAX ? -EINVAL : names_set(to, (uint16_t)id, from->name[id]);
	return r;
}

static int make_locks(struct audit *audit)
{
	pthread_condattr_t attributes;
	int r = pthread_mutex_init(&audit->lock, NULL);

	if (r == 0)
		r = pthread_mutex_init(&audit->sinks_lock, NULL);
	if (r == 0)
		r = pthread_condattr_init(&attributes);
	if (r != 0)
		return -r;
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	r = pthread_cond_init(&audit->wake, &attributes);
	if (r == 0)
		r = pthread_cond_init(&audit->stored, &attributes);
	pthread_condattr_destroy(&attributes);
	audit->locks_made = r == 0;
	return -r;
}

static int make(const struct audit_options *options, struct audit **ret_audit)
{
	struct audit *audit = calloc(1, sizeof(*audit));
	int r;

	if (audit == NULL)
		return -ENOMEM;
	*ret_audit = audit;
	audit->state_directory = audit->state_lock = audit->database_lock = -1;
	audit->stopped = true; /* until there is a run */
	audit->queue_end = &audit->queue;
	audit->report = options->report;
	audit->report_context = options->report_context;
	audit->shards = options->shards;
	audit->ring_bytes = options->ring_bytes;
	audit->database = strdup(options->database);
	audit->version = strdup(options->version != NULL ? options->version : "");
	audit->ring = calloc(options->shards, sizeof(*audit->ring));
	audit->taken = calloc(options->shards, sizeof(*audit->taken));
	audit->records = calloc(STORE_BATCH_MAX, sizeof(*audit->records));
	audit->samples = calloc(options->shards, sizeof(*audit->samples));
	if (audit->samples == NULL || audit->database == NULL || audit->version == NULL || audit->ring == NULL ||
	    audit->taken == NULL || audit->records == NULL)
		return -ENOMEM;
	audit->owner.started_ns = realtime_ns();
	audit->owner.wall_offset_ns = audit->owner.started_ns - audit_monotonic_ns();
	audit->run.wall_offset_ns = audit->owner.wall_offset_ns;
	audit->status.healthy = true;
	r = copy_names(&audit->run.name[NAME_SERVICE], &options->services);
	if (r == 0)
		r = copy_names(&audit->run.name[NAME_CONGESTION], &options->congestions);
	for (unsigned shard = 0; r == 0 && shard < audit->shards; shard++)
		r = sample_ring_new(&audit->samples[shard]);
	return r < 0 ? r : make_locks(audit);
}

/* An advisory lock that dies with the process. */
static int lock_file(int directory, const char *path, int *ret_fd, char *error, size_t error_size)
{
	int fd = openat(directory, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640), r = 0;

	if (fd < 0)
		r = -errno;
	else if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		r = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (r == 0) {
		*ret_fd = fd;
		return 0;
	}
	if (fd >= 0)
		close(fd);
	snprintf(error, error_size, "%s: %s", path, r == -EBUSY ? "in use by another daemon" : strerror(-r));
	return r;
}

static int lock_all(struct audit *audit, const char *state_directory, char *error, size_t error_size)
{
	char *lock_name;
	int r;

	audit->state_directory = open(state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (audit->state_directory < 0) {
		r = -errno;
		snprintf(error, error_size, "%s: %s", state_directory, strerror(-r));
		return r;
	}
	r = lock_file(audit->state_directory, "ring.lock", &audit->state_lock, error, error_size);
	if (r < 0)
		return r;
	if (asprintf(&lock_name, "%s.lock", audit->database) < 0) {
		snprintf(error, error_size, "out of memory");
		return -ENOMEM;
	}
	r = lock_file(AT_FDCWD, lock_name, &audit->database_lock, error, error_size);
	free(lock_name);
	return r;
}

int audit_open(const struct audit_options *options, struct audit **ret_audit, char *error, size_t error_size)
{
	struct audit *audit = NULL;
	int r;

	if (options->shards < 1 || options->shards > AUDIT_SHARDS_MAX || options->ring_bytes < AUDIT_RING_BYTES_MIN) {
		snprintf(error, error_size, "audit: number of shards or size of the rings out of range");
		return -EINVAL;
	}
	r = make(options, &audit);
	if (r < 0)
		snprintf(error, error_size, "audit: %s", strerror(-r));
	if (r == 0)
		r = lock_all(audit, options->state_directory, error, error_size);
	/* Damage may show itself only while the database is used: then once more with a new one. */
	for (int attempt = 0; attempt < 2 && r == 0; attempt++) {
		r = audit_open_store(audit, OPEN_BUSY_MS, error, error_size);
		if (r == 0)
			r = audit_recover(audit, error, error_size);
		if (r != -EBADMSG || attempt > 0)
			break;
		store_close(audit->store, true);
		audit->store = NULL;
		r = audit_set_database_aside(audit);
	}
	if (r < 0) {
		audit_free(audit);
		return r;
	}
	store_set_patience(audit->store, AUDIT_BUSY_MS);
	audit->stopped = false;
	audit->status.run_id = audit->run.id;
	snprintf(audit->status.database, sizeof(audit->status.database), "%s", audit->database);
	*ret_audit = audit;
	return 0;
}

struct journal_ring *audit_ring(struct audit *audit, unsigned shard)
{
	return audit->ring[shard].ring;
}

uint64_t audit_first_connection_id(const struct audit *audit)
{
	return audit->owner.first_connection_id;
}

uint64_t audit_run_id(const struct audit *audit)
{
	return audit->run.id;
}

int64_t audit_run_started_ns(const struct audit *audit)
{
	return audit->owner.started_ns;
}

int64_t audit_wall_offset_ns(const struct audit *audit)
{
	return audit->run.wall_offset_ns;
}

/* ---- running and stopping ------------------------------------------------------------------------------------ */

int audit_start(struct audit *audit)
{
	sigset_t all, before;
	int r;

	/* Signals are for main's thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&audit->thread, NULL, audit_recorder_main, audit);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		return -r;
	audit->started = true;
	pthread_setname_np(audit->thread, "recorder");
	return 0;
}

static bool all_stored(struct audit *audit, const uint64_t *heads, uint64_t queue)
{
	for (unsigned shard = 0; shard < audit->shards; shard++)
		if (atomic_load(&audit->ring[shard].ring->tail) < heads[shard])
			return false;
	return audit->queue_stored >= queue;
}

int audit_drain(struct audit *audit, struct duration timeout)
{
	int64_t deadline = audit_monotonic_ns() + timeout.ns;
	struct timespec until = { .tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000 };
	uint64_t heads[AUDIT_SHARDS_MAX], queue;
	int r = 0;

	for (unsigned shard = 0; shard < audit->shards; shard++)
		heads[shard] = atomic_load(&audit->ring[shard].ring->head);
	pthread_mutex_lock(&audit->lock);
	queue = audit->queue_added;
	while (!all_stored(audit, heads, queue) && r == 0) {
		if (audit->gone)
			break;
		audit->wanted = true;
		pthread_cond_signal(&audit->wake);
		r = pthread_cond_timedwait(&audit->stored, &audit->lock, &until);
	}
	r = all_stored(audit, heads, queue) ? 0 : -ETIMEDOUT;
	pthread_mutex_unlock(&audit->lock);
	return r;
}

int audit_stop(struct audit *audit, struct duration timeout)
{
	int64_t deadline = audit_monotonic_ns() + timeout.ns;

	if (audit->stopped)
		return 0;
	audit->stopped = true;
	if (!audit->started)
		return audit_recorder_finish(audit, deadline);
	pthread_mutex_lock(&audit->lock);
	audit->stopping = true;
	audit->stop_deadline_ns = deadline;
	pthread_cond_signal(&audit->wake);
	pthread_mutex_unlock(&audit->lock);
	pthread_join(audit->thread, NULL);
	return audit->stop_result;
}

void audit_free(struct audit *audit)
{
	if (audit == NULL)
		return;
	audit_stop(audit, (struct duration){ 0 });
	store_close(audit->store, true); /* when opening failed half-way */
	for (unsigned shard = 0; audit->ring != NULL && shard < audit->shards; shard++)
		ring_file_close(&audit->ring[shard]);
	while (audit->sinks != NULL)
		audit_remove_sink(audit, audit->sinks->sink.name);
	audit_free_queued(audit->queue);
	run_clear(&audit->run);
	if (audit->state_lock >= 0)
		close(audit->state_lock);
	if (audit->database_lock >= 0)
		close(audit->database_lock);
	if (audit->state_directory >= 0)
		close(audit->state_directory);
	if (audit->locks_made) {
		pthread_mutex_destroy(&audit->lock);
		pthread_mutex_destroy(&audit->sinks_lock);
		pthread_cond_destroy(&audit->wake);
		pthread_cond_destroy(&audit->stored);
	}
	for (unsigned shard = 0; audit->samples != NULL && shard < audit->shards; shard++)
		sample_ring_free(audit->samples[shard]);
	free(audit->samples);
	free(audit->records);
	free(audit->taken);
	free(audit->ring);
	free(audit->version);
	free(audit->database);
	free(audit);
}

/* ---- sinks --------------------------------------------------------------------------------------------------- */

static struct sink_entry **find_sink(struct audit *audit, const char *name)
{
	struct sink_entry **link = &audit->sinks;

	while (*link != NULL && strcmp((*link)->sink.name, name) != 0)
		link = &(*link)->next;
	return link;
}

int audit_add_sink(struct audit *audit, const struct audit_sink *sink)
{
	size_t size = strlen(sink->name) + 1;
	struct sink_entry *entry = calloc(1, sizeof(*entry) + size), **link;
	int r = 0;

	if (entry == NULL)
		return -ENOMEM;
	entry->sink = *sink;
	entry->sink.name = memcpy(entry + 1, sink->name, size);
	pthread_mutex_lock(&audit->sinks_lock);
	link = find_sink(audit, sink->name);
	if (*link == NULL)
		*link = entry;
	else
		r = -EEXIST;
	pthread_mutex_unlock(&audit->sinks_lock);
	if (r < 0)
		free(entry);
	return r;
}

int audit_remove_sink(struct audit *audit, const char *name)
{
	struct sink_entry **link, *entry;

	pthread_mutex_lock(&audit->sinks_lock);
	link = find_sink(audit, name);
	entry = *link;
	if (entry != NULL)
		*link = entry->next;
	pthread_mutex_unlock(&audit->sinks_lock);
	free(entry);
	return entry != NULL ? 0 : -ENOENT;
}

/* ---- the queue ----------------------------------------------------------------------------------------------- */

static const char *append_text(char **at, const char *text)
{
	char *start = *at;

	if (text == NULL)
		return NULL;
	*at = stpcpy(start, text) + 1;
	return start;
}

static struct queued *new_queued(const struct audit_action *action)
{
	size_t size = sizeof(struct queued) + strlen(action->method) + 1;
	struct queued *item;
	char *at;

	size += action->arguments != NULL ? strlen(action->arguments) + 1 : 0;
	size += action->result != NULL ? strlen(action->result) + 1 : 0;
	item = malloc(size);
	if (item == NULL)
		return NULL;
	at = (char *)(item + 1);
	*item = (struct queued){ .action = { .uid = action->uid, .pid = action->pid } };
	item->action.method = append_text(&at, action->method);
	item->action.arguments = append_text(&at, action->arguments);
	item->action.result = append_text(&at, action->result);
	return item;
}

static int enqueue(struct audit *audit, struct queued *item)
{
	int r = 0;

	if (item == NULL)
		return -ENOMEM;
	item->time_ns = audit_monotonic_ns() + audit->run.wall_offset_ns;
	pthread_mutex_lock(&audit->lock);
	if (audit->queue_added - audit->queue_stored >= AUDIT_ACTIONS_MAX) {
		r = -ENOBUFS;
	} else {
		*audit->queue_end = item;
		audit->queue_end = &item->next;
		audit->queue_added++;
		audit->wanted = true;
		pthread_cond_signal(&audit->wake);
	}
	pthread_mutex_unlock(&audit->lock);
	if (r < 0)
		free(item);
	return r;
}

int audit_action(struct audit *audit, const struct audit_action *action)
{
	return enqueue(audit, new_queued(action));
}

static int give_name(struct audit *audit, enum name_kind kind, uint16_t id, const char *name)
{
	struct queued *item = new_queued(&(struct audit_action){ .method = name });

	if (item != NULL) {
		item->kind = kind;
		item->id = id;
	}
	return enqueue(audit, item);
}

int audit_name_service(struct audit *audit, uint16_t id, const char *name)
{
	return give_name(audit, NAME_SERVICE, id, name);
}

int audit_name_congestion(struct audit *audit, uint16_t id, const char *name)
{
	return give_name(audit, NAME_CONGESTION, id, name);
}

int audit_name_output(struct audit *audit, uint16_t congestion, uint32_t index, const char *name)
{
	if (index >= STACK_SAMPLE_OUTPUTS_MAX || congestion > UINT16_MAX / STACK_SAMPLE_OUTPUTS_MAX - 1)
		return 0;
	return give_name(audit, NAME_OUTPUT, name_output_id(congestion, index), name);
}

size_t audit_put_samples(struct audit *audit, unsigned shard, const struct stack_sample *samples, size_t count)
{
	return sample_ring_put(audit->samples[shard], samples, count);
}

/* ---- status -------------------------------------------------------------------------------------------------- */

void audit_status(struct audit *audit, struct audit_status *ret_status)
{
	uint64_t capacity = 0, waiting = 0;
	int64_t oldest_ns;

	for (unsigned shard = 0; shard < audit->shards; shard++) {
		struct journal_ring *ring = audit->ring[shard].ring;
		uint64_t tail = atomic_load(&ring->tail), head = atomic_load(&ring->head);

		capacity += ring->capacity;
		waiting += head - tail;
	}
	pthread_mutex_lock(&audit->lock);
	*ret_status = audit->status;
	oldest_ns = audit->oldest_ns;
	pthread_mutex_unlock(&audit->lock);
	for (unsigned shard = 0; shard < audit->shards; shard++)
		ret_status->samples_lost += sample_ring_lost(audit->samples[shard]);
	ret_status->ring_records = capacity;
	ret_status->waiting = waiting;
	if (waiting > ret_status->waiting_most)
		ret_status->waiting_most = waiting;
	ret_status->lag_ns = waiting > 0 && oldest_ns > 0 ? audit_monotonic_ns() - oldest_ns : 0;
}
