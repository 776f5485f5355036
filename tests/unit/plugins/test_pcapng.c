/* The files of the pcapng plugin: every byte of every kind of block, whole blocks whatever happens, the ring, and the
 * words of the comments. */
#include "../../../plugins/logging/pcapng_block.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_MAX 400000

struct fixture {
	char directory[64], path[100];
	void *log;
	char said[1000];
	uint8_t file[FILE_MAX];
	size_t length;
};

static struct fixture *telling; /* whom the plugin tells what goes wrong */

static const struct tapstack_log_ops *ops(void)
{
	return tapstack_plugin.ops;
}

static void hear(int priority, const char *text)
{
	(void)priority;
	snprintf(telling->said, sizeof(telling->said), "%s", text);
}

static int open_log(struct fixture *f, double file_bytes, double file_seconds, double files)
{
	const struct tapstack_param_value values[] = {
		{ 0, f->path }, { file_bytes, NULL }, { file_seconds, NULL }, { files, NULL }, { 1, NULL }
	};
	const struct tapstack_params params = { sizeof(params), 5, values };
	const struct tapstack_log_env env = { .struct_size = sizeof(env),
		                              .instance = "test",
		                              .log = hear,
		                              .host_name = "host",
		                              .daemon_version = "0.2.0",
		                              .link_name = "tap0",
		                              .run_id = 12,
		                              .packet_bytes_max = 96 };

	telling = f;
	return ops()->open(&env, &params, &f->log);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->directory, "/tmp/tapstack-pcapng-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->path, sizeof(f->path), "%s/log.pcapng", f->directory);
	*state = f;
	return 0;
}

/* Calls `each` for the files there, in no order. */
static unsigned count_files(const struct fixture *f, bool remove)
{
	DIR *directory = opendir(f->directory);
	unsigned count = 0;
	struct dirent *entry;

	while ((entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		if (remove)
			assert_int_equal(unlinkat(dirfd(directory), entry->d_name, 0), 0);
	}
	closedir(directory);
	return count;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->log != NULL)
		ops()->close(f->log);
	count_files(f, true);
	assert_int_equal(rmdir(f->directory), 0);
	free(f);
	return 0;
}

static void close_log(struct fixture *f)
{
	ops()->close(f->log);
	f->log = NULL;
}

static bool read_file(struct fixture *f, unsigned number)
{
	char path[120];
	FILE *file;

	snprintf(path, sizeof(path), "%s/log-%06u.pcapng", f->directory, number);
	file = fopen(path, "rb");
	if (file == NULL)
		return false;
	f->length = fread(f->file, 1, sizeof(f->file), file);
	fclose(file);
	return true;
}

static uint64_t lost(struct fixture *f)
{
	struct tapstack_log_counts counts = { .struct_size = sizeof(counts) };

	ops()->counts(f->log, &counts);
	return counts.packets_lost;
}

static struct tapstack_log_packet a_packet(const uint8_t *bytes, uint32_t captured)
{
	return (struct tapstack_log_packet){ .struct_size = sizeof(struct tapstack_log_packet),
		                             .flags = TAPSTACK_LOG_PACKET_IN,
		                             .time_ns = INT64_C(0x1122334455667788),
		                             .bytes = bytes,
		                             .captured = captured,
		                             .length = captured,
		                             .verdict = "ACCEPTED",
		                             .verdict_meaning = "processed",
		                             .state_before = "",
		                             .state = "",
		                             .service = "",
		                             .congestion = "" };
}

/* ---- bytes -------------------------------------------------------------------------------------------------------
 */

struct cursor {
	const uint8_t *at, *end;
};

static uint32_t take32(struct cursor *cursor)
{
	uint32_t value;

	assert_true(cursor->end - cursor->at >= 4);
	memcpy(&value, cursor->at, 4);
	cursor->at += 4;
	return value;
}

/* The body of the next block, which must be whole and of this type. */
static struct cursor take_block(struct cursor *file, uint32_t type)
{
	const uint8_t *start = file->at;
	struct cursor body;
	uint32_t length, again;

	assert_int_equal(take32(file), type);
	length = take32(file);
	assert_int_equal(length % 4, 0);
	assert_true(length >= 12 && (size_t)(file->end - start) >= length);
	memcpy(&again, start + length - 4, 4);
	assert_int_equal(again, length);
	body = (struct cursor){ start + 8, start + length - 4 };
	file->at = start + length;
	return body;
}

/* The next option must be this one; its padding is zero. */
static void expect_option(struct cursor *body, unsigned code, const void *value, uint32_t length)
{
	uint32_t head = take32(body), padded = (length + 3) & ~3u;

	assert_int_equal(head & 0xffff, code);
	assert_int_equal(head >> 16, length);
	assert_true((size_t)(body->end - body->at) >= padded);
	if (value != NULL)
		assert_memory_equal(body->at, value, length);
	for (uint32_t i = length; i < padded; i++)
		assert_int_equal(body->at[i], 0);
	body->at += padded;
}

static void expect_text(struct cursor *body, unsigned code, const char *text)
{
	expect_option(body, code, text, (uint32_t)strlen(text));
}

static void expect_end(struct cursor *body)
{
	assert_int_equal(take32(body), 0);
	assert_ptr_equal(body->at, body->end);
}

static void skip_section(struct cursor *file)
{
	take_block(file, 0x0a0d0d0a);
}

static void every_byte(void **state)
{
	static const uint8_t bytes[7] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 7 };
	struct fixture *f = *state;
	struct tapstack_log_packet packet = a_packet(bytes, 7);
	uint64_t number = 1, missed = 5, accepted = 6;
	uint32_t time[2] = { 0x11223344, 0x55667788 }, flags = 1 | 3 << 2;
	struct cursor file, body;
	uint8_t nine = 9;

	packet.length = 60;
	packet.missed = 5;
	packet.shard = 3;
	assert_int_equal(open_log(f, 0, 0, 0), 0);
	assert_int_equal(ops()->packets(f->log, &packet, 1), 0);
	close_log(f);
	assert_true(read_file(f, 1));
	file = (struct cursor){ f->file, f->file + f->length };
	body = take_block(&file, 0x0a0d0d0a);
	assert_int_equal(take32(&body), 0x1a2b3c4d);
	assert_int_equal(take32(&body), 1); /* version 1.0 */
	assert_int_equal(take32(&body), UINT32_MAX);
	assert_int_equal(take32(&body), UINT32_MAX);
	expect_option(&body, 2, NULL, *(const uint16_t *)(const void *)(body.at + 2));
	expect_option(&body, 3, NULL, *(const uint16_t *)(const void *)(body.at + 2));
	expect_text(&body, 4, "tapstackd 0.2.0");
	expect_text(
	        &body, 1,
	        "run 12 of tapstackd on host, link tap0, log test. Sequence numbers in comments are relative to iss "
	        "and irs.");
	expect_end(&body);
	body = take_block(&file, 1);
	assert_int_equal(take32(&body), 1); /* Ethernet */
	assert_int_equal(take32(&body), 96);
	expect_text(&body, 2, "tap0/3");
	expect_text(&body, 3, "tapstack's end of tap0, as shard 3 sees it");
	expect_option(&body, 9, &nine, 1);
	expect_end(&body);
	body = take_block(&file, 6);
	assert_int_equal(take32(&body), 0); /* the first interface of the file */
	assert_int_equal(take32(&body), 0x11223344);
	assert_int_equal(take32(&body), 0x55667788);
	assert_int_equal(take32(&body), 7);
	assert_int_equal(take32(&body), 60);
	assert_memory_equal(body.at, bytes, 7);
	assert_int_equal(body.at[7], 0);
	body.at += 8;
	expect_option(&body, 2, &flags, 4);
	expect_option(&body, 4, &missed, 8);
	expect_option(&body, 5, &number, 8);
	expect_text(&body, 1, "ACCEPTED; 5 packets missed before it");
	expect_end(&body);
	body = take_block(&file, 5);
	assert_int_equal(take32(&body), 0);
	assert_int_equal(take32(&body), 0x11223344);
	assert_int_equal(take32(&body), 0x55667788);
	expect_option(&body, 2, time, 8);
	expect_option(&body, 3, time, 8);
	expect_option(&body, 5, &missed, 8);
	expect_option(&body, 6, &accepted, 8);
	expect_option(&body, 8, &number, 8);
	expect_end(&body);
	assert_ptr_equal(file.at, file.end);
}

static void padding(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[9] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	struct cursor file;

	assert_int_equal(open_log(f, 0, 0, 0), 0);
	for (uint32_t length = 0; length <= 9; length++) {
		struct tapstack_log_packet packet = a_packet(bytes, length);

		packet.flags = 0;
		assert_int_equal(ops()->packets(f->log, &packet, 1), 0);
	}
	assert_true(read_file(f, 1)); /* without closing: all is there */
	file = (struct cursor){ f->file, f->file + f->length };
	skip_section(&file);
	take_block(&file, 1);
	for (uint32_t length = 0; length <= 9; length++) {
		struct cursor body = take_block(&file, 6);
		uint32_t flags = length < 6 ? 2 : 2 | 2 << 2; /* outbound; to a group, where that can be told */

		body.at += 12;
		assert_int_equal(take32(&body), length);
		body.at += 4 + length;
		while ((body.at - f->file) % 4 != 0)
			assert_int_equal(*body.at++, 0);
		expect_option(&body, 2, &flags, 4);
		expect_option(&body, 5, NULL, 8);
		expect_text(&body, 1, "sent");
		expect_end(&body);
	}
	assert_ptr_equal(file.at, file.end);
}

/* ---- the ring
 * ------------------------------------------------------------------------------------------------------ */

static void put(struct fixture *f, unsigned count, int64_t time_ns, uint32_t length, int result)
{
	static uint8_t bytes[1000];
	struct tapstack_log_packet packet = a_packet(bytes, length);

	packet.time_ns = time_ns;
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(ops()->packets(f->log, &packet, 1), result);
}

static void by_size(void **state)
{
	struct fixture *f = *state;
	unsigned first = 1;

	assert_int_equal(open_log(f, 10000, 0, 3), 0);
	put(f, 200, 1, 500, 0);
	close_log(f);
	assert_int_equal(count_files(f, false), 3);
	while (!read_file(f, first))
		first++;
	assert_true(first > 2);
	for (unsigned number = first; number < first + 3; number++) {
		assert_true(read_file(f, number));
		assert_true(f->length <= 10000);
		assert_true(f->length > 8000 || number == first + 2);
	}
	/* Another run goes on with the numbers, and its first packet takes the place of the oldest. */
	assert_int_equal(open_log(f, 10000, 0, 3), 0);
	assert_int_equal(count_files(f, false), 4);
	put(f, 1, 1, 500, 0);
	assert_int_equal(count_files(f, false), 3);
	assert_true(read_file(f, first + 3));
}

static void by_age(void **state)
{
	struct fixture *f = *state;
	int64_t wait = INT64_MAX, second = 1000000000;

	assert_int_equal(open_log(f, 0, 10, 0), 0);
	put(f, 1, 100 * second, 60, 0);
	put(f, 1, 110 * second - 1, 60, 0);
	assert_false(read_file(f, 2));
	put(f, 1, 110 * second, 60, 0);
	assert_true(read_file(f, 2));
	/* Packets' times do not follow a clock that is set: by them the file would be old long since. */
	assert_int_equal(ops()->idle(f->log, &wait), 0);
	assert_true(wait > 0 && wait <= 10 * second);
	assert_false(read_file(f, 3));
	put(f, 1, 120 * second, 60, 0);
	assert_true(read_file(f, 3));
	assert_true(read_file(f, 2));
	{
		struct cursor file = { f->file, f->file + f->length };

		skip_section(&file);
		take_block(&file, 1);
		take_block(&file, 6);
		take_block(&file, 5);
		assert_ptr_equal(file.at, file.end);
	}
}

/* A file that is old enough is complete although nothing comes. */
static void by_age_alone(void **state)
{
	struct fixture *f = *state;
	int64_t wait = 0;

	assert_int_equal(open_log(f, 0, 0.001, 0), 0);
	put(f, 1, INT64_MAX / 2, 60, 0);
	for (time_t until = time(NULL) + 30; wait != INT64_MAX && time(NULL) < until;) {
		wait = INT64_MAX;
		assert_int_equal(ops()->idle(f->log, &wait), 0);
	}
	assert_true(wait == INT64_MAX);
	assert_true(read_file(f, 1));
	{
		struct cursor file = { f->file, f->file + f->length };

		skip_section(&file);
		take_block(&file, 1);
		take_block(&file, 6);
		take_block(&file, 5);
		assert_ptr_equal(file.at, file.end);
	}
}

static void on_demand(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_log(f, 0, 0, 0), 0);
	assert_int_equal(ops()->reopen(f->log), 0); /* nothing is in it: no file is left behind */
	assert_int_equal(count_files(f, false), 0);
	put(f, 2, 1, 60, 0);
	assert_int_equal(ops()->reopen(f->log), 0);
	put(f, 1, 1, 60, 0);
	assert_true(read_file(f, 1));
	assert_true(read_file(f, 2));
	close_log(f);
	assert_int_equal(count_files(f, false), 2);
	assert_int_equal(open_log(f, 0, 0, 0), 0);
	close_log(f);
	assert_int_equal(count_files(f, false), 2);
}

/* What is there by another's hand is not touched. */
static void no_file_is_overwritten(void **state)
{
	struct fixture *f = *state;
	char path[120];
	FILE *file;

	assert_int_equal(open_log(f, 0, 0, 0), 0);
	put(f, 1, 1, 60, 0);
	snprintf(path, sizeof(path), "%s/log-000002.pcapng", f->directory);
	file = fopen(path, "w");
	fputs("mine", file);
	fclose(file);
	assert_int_equal(ops()->reopen(f->log), 0);
	put(f, 1, 1, 60, 0);
	assert_true(read_file(f, 2));
	assert_int_equal(f->length, 4);
	assert_true(read_file(f, 3));
}

/* ---- what goes wrong
 * ----------------------------------------------------------------------------------------------- */

static void whole_blocks(const struct fixture *f, unsigned *packets)
{
	struct cursor file = { f->file, f->file + f->length };

	skip_section(&file);
	while (file.at < file.end) {
		uint32_t type = block_type(file.at);

		take_block(&file, type);
		*packets += type == 6;
	}
}

static void full_disk(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, small;
	unsigned written = 0, packets = 0, sent = 60;

	getrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_IGN);
	for (unsigned more = 0; more < 9; more++) { /* it ends in another place of a block each time */
		packets = written = 0;
		assert_int_equal(open_log(f, 0, 0, 0), 0);
		small = before;
		small.rlim_cur = 3001 + more * 13;
		setrlimit(RLIMIT_FSIZE, &small);
		for (unsigned i = 0; i < sent; i++) {
			uint8_t bytes[90] = { 0 };
			struct tapstack_log_packet packet[2] = { a_packet(bytes, 90), a_packet(bytes, 61) };

			ops()->packets(f->log, packet, 2);
		}
		setrlimit(RLIMIT_FSIZE, &before);
		assert_non_null(strstr(f->said, "not all could be written"));
		for (unsigned number = 1; count_files(f, false) > 0 && number < 1000; number++) {
			if (!read_file(f, number))
				continue;
			whole_blocks(f, &packets);
			written++;
		}
		assert_true(written >= 1);
		assert_int_equal(packets + lost(f), 2 * sent);
		put(f, 1, 1, 60, 0); /* it has healed */
		close_log(f);
		count_files(f, true);
	}
	signal(SIGXFSZ, SIG_DFL);
}

static void no_directory(void **state)
{
	struct fixture *f = *state;

	snprintf(f->path, sizeof(f->path), "%s/nowhere/log.pcapng", f->directory);
	assert_int_equal(open_log(f, 0, 0, 0), -ENOENT);
}

static void without_capture(void **state)
{
	const struct tapstack_log_env env = { .struct_size = sizeof(env), .instance = "test", .log = hear };
	struct fixture *f = *state;

	telling = f;
	assert_int_equal(ops()->open(&env, NULL, &f->log), -EINVAL);
	assert_non_null(strstr(f->said, "needs capture"));
}

/* ---- words
 * --------------------------------------------------------------------------------------------------------- */

static void comments(void **state)
{
	static const struct {
		struct tapstack_log_packet packet;
		const char *text;
	} rows[] = {
		{ { .flags = TAPSTACK_LOG_PACKET_IN,
		    .verdict = "DROP_ARP",
		    .verdict_meaning = "malformed or foreign ARP" },
		  "DROP_ARP (malformed or foreign ARP)" },
		{ { .flags = TAPSTACK_LOG_PACKET_IN,
		    .verdict = "DROP_LISTEN",
		    .verdict_meaning = "no",
		    .state_before = "LISTEN",
		    .state = "LISTEN" },
		  "LISTEN: DROP_LISTEN (no)" },
		{ { .flags = TAPSTACK_LOG_PACKET_CONNECTION | TAPSTACK_LOG_PACKET_CHECKSUM,
		    .state_before = "ESTABLISHED",
		    .state = "ESTABLISHED",
		    .connection_id = 17,
		    .service = "echo",
		    .congestion = "cubic",
		    .cwnd_bytes = 14480,
		    .ssthresh_bytes = UINT64_MAX,
		    .inflight_bytes = 2896,
		    .srtt_ns = 10234567,
		    .iss = 4294967290,
		    .irs = 1000,
		    .snd_una = 4,
		    .snd_nxt = 2900,
		    .rcv_nxt = 1001,
		    .snd_wnd = 65535,
		    .rcv_wnd = 262144,
		    .length = 29014,
		    .header_bytes = 66,
		    .gso_bytes = 1448,
		    .retransmits = 2 },
		  "ESTABLISHED: sent; connection 17 (echo, cubic); cwnd 14480 ssthresh - inflight 2896 srtt 10.235 "
		  "ms; snd_una "
		  "10 snd_nxt 2906 rcv_nxt 1 iss 4294967290 irs 1000 snd_wnd 65535 rcv_wnd 262144 retransmits 2; "
		  "checksum left to "
		  "the link: only the pseudo-header is summed; super-frame of 20 segments of up to 1448 bytes" },
		{ { .flags = TAPSTACK_LOG_PACKET_IN | TAPSTACK_LOG_PACKET_CONNECTION | TAPSTACK_LOG_PACKET_COMPACT,
		    .state_before = "FIN-WAIT-2",
		    .state = "TIME-WAIT",
		    .verdict = "ACCEPTED",
		    .verdict_meaning = "processed",
		    .connection_id = 3,
		    .snd_una = 5,
		    .snd_nxt = 5,
		    .rcv_nxt = 6,
		    .missed = 4 },
		  "FIN-WAIT-2 -> TIME-WAIT: ACCEPTED; connection 3; snd_una 5 snd_nxt 5 rcv_nxt 6 (absolute); 4 "
		  "packets missed "
		  "before it" },
		{ { .flags = TAPSTACK_LOG_PACKET_CONNECTION | TAPSTACK_LOG_PACKET_COMPACT | TAPSTACK_LOG_PACKET_GONE,
		    .state_before = "ESTABLISHED",
		    .state = "CLOSED",
		    .connection_id = 3 },
		  "ESTABLISHED -> CLOSED: sent; connection 3" },
		{ { .flags = TAPSTACK_LOG_PACKET_CONNECTION,
		    .state_before = "ESTABLISHED",
		    .state = "ESTABLISHED",
		    .connection_id = 3,
		    .ssthresh_bytes = 2000,
		    .pacing_bytes_per_s = 1250000,
		    .iss = 1,
		    .snd_una = 1,
		    .snd_nxt = 1 },
		  "ESTABLISHED: sent; connection 3; cwnd 0 ssthresh 2000 inflight 0 srtt - pacing 1250000 B/s; "
		  "snd_una 0 "
		  "snd_nxt 0 rcv_nxt 0 iss 1 irs 0 snd_wnd 0 rcv_wnd 0" },
	};
	char text[1000];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tapstack_log_packet packet = rows[i].packet;
		const char **texts[] = { &packet.verdict, &packet.verdict_meaning, &packet.state_before,
			                 &packet.state,   &packet.service,         &packet.congestion };

		for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++)
			if (*texts[t] == NULL)
				*texts[t] = "";
		pcapng_comment(&packet, text, sizeof(text));
		assert_string_equal(text, rows[i].text);
		for (size_t size = 1; size < 60; size++) { /* cut, never beyond its end */
			char *small = malloc(size);

			pcapng_comment(&packet, small, size);
			assert_true(strlen(small) < size && strncmp(small, text, strlen(small)) == 0);
			free(small);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_byte),
		TEST(padding),
		TEST(by_size),
		TEST(by_age),
		TEST(by_age_alone),
		TEST(on_demand),
		TEST(full_disk),
		TEST(no_directory),
		TEST(no_file_is_overwritten),
		TEST(without_capture),
		cmocka_unit_test(comments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
