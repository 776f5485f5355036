/* What a transition costs the recorder: a writer thread fills the ring as fast as there is room, with the life of
 * passive connections; printed are rows per second, CPU per transition (with the rows of `connection`) and bytes per
 * connection.
 *
 *     bench_recorder [CONNECTIONS [LATER [SHARDS [DIRECTORY]]]]
 *
 * LATER: how many connections begin before TIME-WAIT of one ends. 0: whole lives lie side by side. */
#include "audit/audit.h"

#include "core/tcp/state.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct step {
	uint8_t from, to;
	uint16_t cause;
	uint8_t flags;
};

/* We close first: the longest life, with TIME-WAIT. */
static const struct step life[] = {
	{ TCPS_LISTEN, TCPS_SYN_RECEIVED, CAUSE_RECEIVED_SYN, JOURNAL_FIRST | JOURNAL_COMPACT },
	{ TCPS_SYN_RECEIVED, TCPS_ESTABLISHED, CAUSE_RECEIVED_ACK_OF_SYN, 0 },
	{ TCPS_ESTABLISHED, TCPS_FIN_WAIT_1, CAUSE_LOCAL_CLOSE, 0 },
	{ TCPS_FIN_WAIT_1, TCPS_FIN_WAIT_2, CAUSE_RECEIVED_ACK_OF_FIN, 0 },
	{ TCPS_FIN_WAIT_2, TCPS_TIME_WAIT, CAUSE_RECEIVED_FIN, 0 },
	{ TCPS_TIME_WAIT, TCPS_CLOSED, CAUSE_TIMEOUT_2MSL, JOURNAL_LAST | JOURNAL_COMPACT },
};
#define STEPS (sizeof(life) / sizeof(life[0]))

struct writer {
	struct audit *audit;
	uint64_t connections, later, first, step;
	unsigned shard;
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void write_record(struct writer *writer, uint64_t n, size_t at, int64_t now)
{
	struct journal_ring *ring = audit_ring(writer->audit, writer->shard);
	const struct step *step = &life[at];
	struct journal_record *record;

	while (journal_room(ring) == 0)
		usleep(200);
	record = journal_next(ring);
	uint64_t number = record->number;
	*record = (struct journal_record){
		.number = number,
		.connection_id = writer->first + writer->shard + n * writer->step,
		.time_ns = now,
		.flow = { ip_addr_v4(0xc0000201), ip_addr_v4(0xc0000202), 80, (uint16_t)(n % 50000 + 1024) },
		.from = step->from,
		.to = step->to,
		.cause = step->cause,
		.index = (uint8_t)at,
		.flags = step->flags,
		.service = 1,
		.last_speaker = SPEAKER_PEER,
		.shard = (uint8_t)writer->shard,
		.iss = (uint32_t)(n * 2654435761u),
		.irs = (uint32_t)(n * 40503u),
		.snd_una = (uint32_t)(n * 2654435761u) + 1,
		.snd_nxt = (uint32_t)(n * 2654435761u) + 612,
		.rcv_nxt = (uint32_t)(n * 40503u) + 80,
		.segs_in = 5,
		.segs_out = 4,
		.cwnd_bytes = 14600,
		.ssthresh_bytes = UINT64_MAX,
		.srtt_ns = 120345,
		.bytes_received = 79,
		.bytes_acked = 611,
	};
	journal_publish(ring);
}

static void *write_all(void *context)
{
	struct writer *writer = context;

	for (uint64_t n = 0; n < writer->connections + writer->later; n++) {
		int64_t now = now_ns();

		if (n < writer->connections)
			for (size_t at = 0; at < STEPS - 1; at++)
				write_record(writer, n, at, now);
		if (n >= writer->later)
			write_record(writer, n - writer->later, STEPS - 1, now);
	}
	return NULL;
}

static void report(void *context, int priority, const char *text)
{
	(void)context;
	fprintf(stderr, "<%d>%s\n", priority, text);
}

static const char *const names[] = { NULL, "http" }, *const algorithms[] = { "reno" };

static int run(const char *directory, uint64_t connections, uint64_t later, unsigned shards)
{
	char database[4096], error[256];
	struct audit_options options = { .database = database,
		                         .state_directory = directory,
		                         .version = "bench",
		                         .shards = shards,
		                         .ring_bytes = 64u << 20,
		                         .services = { names, 2 },
		                         .congestions = { algorithms, 1 },
		                         .report = report };
	struct writer writer[8];
	pthread_t thread[8];
	struct audit_status status;
	struct audit *audit;
	struct stat st;
	int64_t start;
	double seconds;
	int r;

	snprintf(database, sizeof(database), "%s/audit.db", directory);
	start = now_ns();
	r = audit_open(&options, &audit, error, sizeof(error));
	if (r < 0) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	printf("open %.1f ms\n", (double)(now_ns() - start) / 1e6);
	audit_start(audit);
	start = now_ns();
	for (unsigned i = 0; i < shards; i++) {
		writer[i] = (struct writer){ audit,          connections / shards,
			                     later / shards, audit_first_connection_id(audit),
			                     shards,         i };
		pthread_create(&thread[i], NULL, write_all, &writer[i]);
	}
	for (unsigned i = 0; i < shards; i++)
		pthread_join(thread[i], NULL);
	audit_drain(audit, DURATION_S(60));
	seconds = (double)(now_ns() - start) / 1e9;
	audit_status(audit, &status);
	start = now_ns();
	r = audit_stop(audit, DURATION_S(60));
	printf("stop %.1f ms (%d)\n", (double)(now_ns() - start) / 1e6, r);
	audit_free(audit);
	stat(database, &st);
	printf("%llu connections, %llu transitions, %llu transactions in %.2f s: %.0f transitions/s, %.0f ns CPU per "
	       "transition, %.0f bytes per connection, ring at most %.0f %% full, %llu lost\n",
	       (unsigned long long)status.connections, (unsigned long long)status.transitions,
	       (unsigned long long)status.transactions, seconds, (double)status.transitions / seconds,
	       (double)status.cpu_ns / (double)status.transitions, (double)st.st_size / (double)status.connections,
	       100.0 * (double)status.waiting_most / (double)status.ring_records, (unsigned long long)status.lost);
	return status.lost > 0 || r < 0;
}

int main(int argc, char **argv)
{
	uint64_t connections = argc > 1 ? strtoull(argv[1], NULL, 10) : 200000;
	uint64_t later = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
	unsigned shards = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 1;
	char template[] = "/tmp/bench-recorder-XXXXXX", command[64];
	const char *directory = argc > 4 ? argv[4] : mkdtemp(template);
	int r;

	if (directory == NULL || shards < 1 || shards > 8)
		return 2;
	r = run(directory, connections, later, shards);
	if (directory == template) {
		snprintf(command, sizeof(command), "rm -rf %s", template);
		if (system(command) != 0)
			return 1;
	}
	return r;
}
