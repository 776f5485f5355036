/* The promise of the plugin interface: what was built with the headers of release 0.1 (abi/0.1, never to be changed)
 * works as it did. */
#include "plugin/loader.h"
#include "plugin/logger.h"

#include "layout.h"

#include "../../../sim/transfer.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void fields_stay_where_they_are(void **state)
{
	const struct layout *old = &layout_0_1, *today = &layout_today;

	(void)state;
	assert_int_equal(old->field_count, today->field_count);
	for (size_t i = 0; i < old->field_count; i++) {
		const struct layout_field *was = &old->field[i], *is = &today->field[i];

		if (was->offset != is->offset || was->size != is->size)
			fail_msg("%s was %zu bytes at %zu, now %zu at %zu", was->name, was->size, was->offset,
			         is->size, is->offset);
	}
	for (size_t i = 0; i < old->number_count; i++) {
		if (old->number[i].value != today->number[i].value)
			fail_msg("%s was %llu, now %llu", old->number[i].name, old->number[i].value,
			         today->number[i].value);
	}
}

static void elements_of_tables_do_not_grow(void **state)
{
	(void)state;
	assert_int_equal(layout_0_1.param_spec, layout_today.param_spec);
	assert_int_equal(layout_0_1.param_value, layout_today.param_value);
	assert_int_equal(layout_0_1.output_spec, layout_today.output_spec);
}

static struct plugin_file opened(const char *name, uint32_t kind)
{
	char error[PLUGIN_ERROR_MAX];
	struct plugin_file file;

	if (loader_open(SAMPLES, name, kind, &file, error) != 0)
		fail_msg("%s", error);
	return file;
}

static uint64_t transferred(const char *name)
{
	static const struct transfer_path path = { "20M/20ms",       2500000, 20,           1000,
		                                   IMPAIR_DROP_TAIL, false,   TRANSFER_LOSS };
	static const struct tapstack_param_value values[] = { { 1, NULL }, { 0.5, NULL } };
	struct plugin_file file = opened(name, TAPSTACK_PLUGIN_CONGESTION);
	struct stack_congestion congestion = { .name = name,
		                               .id = 1,
		                               .ops = &file.ops.congestion,
		                               .params = { sizeof(struct tapstack_params), 2, values } };
	struct transfer_sender sender = { .congestion = &congestion };
	uint64_t bytes;

	transfer_run(&path, 5000, &sender, 1, 4, 1, &bytes);
	loader_close(&file);
	return bytes;
}

/* The same source, the same path, and every decision the same. */
static void old_algorithm_works_as_ever(void **state)
{
	uint64_t old = transferred("aimd-old"), today = transferred("aimd-today");

	(void)state;
	assert_true(old > 1000000);
	assert_int_equal(old, today);
}

static struct {
	pthread_mutex_t lock;
	char text[2000];
} heard = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void hear(int priority, const char *text)
{
	size_t length;

	assert_int_equal(priority, 6);
	pthread_mutex_lock(&heard.lock);
	length = strlen(heard.text);
	snprintf(heard.text + length, sizeof(heard.text) - length, "%s\n", text);
	pthread_mutex_unlock(&heard.lock);
}

static const char *congestion_name(void *context, uint16_t id)
{
	(void)context;
	return id == 0 ? "reno" : "?";
}

static void service_name(void *context, uint16_t id, char *text)
{
	(void)context;
	snprintf(text, LOGGER_SERVICE_MAX, "service%u", (unsigned)id);
}

static struct journal_record record(uint64_t id, uint8_t index)
{
	return (struct journal_record){ .connection_id = id,
		                        .index = index,
		                        .from = TCPS_ESTABLISHED,
		                        .to = TCPS_CLOSE_WAIT,
		                        .cause = CAUSE_RECEIVED_FIN,
		                        .service = 3,
		                        .bytes_retransmitted = 10 * id,
		                        .flow = { .remote = ip_addr_v4(0xc0000201), .remote_port = 80 } };
}

/* Events have grown: one of then that goes from one to the next by index must not stumble. */
static void old_log_gets_whole_events(void **state)
{
	struct plugin_file file = opened("lines-old", TAPSTACK_PLUGIN_LOGGING);
	struct tapstack_params params = { .struct_size = sizeof(params) };
	struct logger_options options = { .ops = &file.ops.logging,
		                          .params = &params,
		                          .instance = "old",
		                          .queue_events = 16,
		                          .names = { congestion_name, service_name, NULL },
		                          .log = hear,
		                          .state_directory = "/nowhere",
		                          .open_patience = DURATION_S(10) };
	struct journal_record records[3] = { record(7, 4), record(8, 5), record(9, 6) };
	struct logger_counts counts;
	struct timespec deadline;
	struct logger *logger;

	(void)state;
	assert_int_equal(logger_start(&options, &logger), 0);
	logger_put(logger, records, 3);
	logger_finish(logger);
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += 30;
	assert_int_equal(logger_join(logger, &deadline, &counts), 0);
	assert_int_equal(counts.events, 3);
	assert_int_equal(counts.errors, 0);
	assert_string_equal(heard.text, "7 4 ESTABLISHED>CLOSE-WAIT RECEIVED_FIN 192.0.2.1:80 service3 70\n"
	                                "8 5 ESTABLISHED>CLOSE-WAIT RECEIVED_FIN 192.0.2.1:80 service3 80\n"
	                                "9 6 ESTABLISHED>CLOSE-WAIT RECEIVED_FIN 192.0.2.1:80 service3 90\n");
	loader_close(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_stay_where_they_are),
		cmocka_unit_test(elements_of_tables_do_not_grow),
		cmocka_unit_test(old_algorithm_works_as_ever),
		cmocka_unit_test(old_log_gets_whole_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
