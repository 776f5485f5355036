#define _GNU_SOURCE 1
#include "log_event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PARAMS_MAX 24u

static char said[400];

const struct tapstack_log_ops *log_ops(void)
{
	return tapstack_plugin.ops;
}

struct tapstack_log_event log_event(uint64_t id)
{
	return (struct tapstack_log_event){
		.struct_size = sizeof(struct tapstack_log_event),
		.connection_id = id,
		.time_ns = INT64_C(1700000000123456789),
		.from = "ESTABLISHED",
		.to = "CLOSE-WAIT",
		.cause = "RECEIVED_FIN",
		.cause_meaning = "the peer closed its direction",
		.cause_section = "RFC 9293 3.10.7.4",
		.local_address = "192.0.2.2",
		.remote_address = "192.0.2.1",
		.local_port = 7,
		.remote_port = 65535,
		.index = 2,
		.service = "echo",
		.congestion = "cubic",
		.last_speaker = "peer",
		.iss = UINT32_MAX,
		.irs = 1,
		.snd_una = 2,
		.snd_nxt = 3,
		.rcv_nxt = 4,
		.segs_in = 5,
		.segs_out = 6,
		.retransmits = 7,
		.cwnd_bytes = 14480,
		.ssthresh_bytes = UINT64_MAX,
		.srtt_ns = 123456,
		.bytes_received = 8,
		.bytes_acked = UINT64_C(1) << 40,
		.bytes_retransmitted = 9,
		.shard = 3,
	};
}

static void keep_said(int priority, const char *text)
{
	snprintf(said, sizeof(said), "%d %s", priority, text);
}

const char *log_said(void)
{
	return said;
}

struct tapstack_log_env log_env(const char *state_directory)
{
	return (struct tapstack_log_env){
		.struct_size = sizeof(struct tapstack_log_env),
		.instance = "test",
		.log = keep_said,
		.state_directory = state_directory,
		.host_name = "host.example",
		.daemon_version = "9.8.7",
		.link_name = "tap0",
		.run_id = 12,
		.run_started_ns = INT64_C(1699999990000000000),
		.mtu_bytes = 1500,
	};
}

static void set(struct tapstack_param_value *values, const char *text)
{
	const char *equals = strchr(text, '=');

	assert_non_null(equals);
	for (uint32_t i = 0; i < tapstack_plugin.param_count; i++) {
		const struct tapstack_param_spec *spec = &tapstack_plugin.params[i];

		if (strlen(spec->name) != (size_t)(equals - text) ||
		    strncmp(spec->name, text, strlen(spec->name)) != 0)
			continue;
		values[i].text = equals + 1;
		values[i].number = strtod(equals + 1, NULL);
		return;
	}
	fail_msg("%s has no parameter %s", tapstack_plugin.name, text);
}

int log_open(const struct tapstack_log_env *env, void **ret_state, ...)
{
	static struct tapstack_param_value values[PARAMS_MAX];
	const struct tapstack_params params = { sizeof(params), tapstack_plugin.param_count, values };
	const char *text;
	va_list texts;

	assert_in_range(tapstack_plugin.param_count, 0, PARAMS_MAX);
	for (uint32_t i = 0; i < tapstack_plugin.param_count; i++)
		values[i] = (struct tapstack_param_value){ tapstack_plugin.params[i].initial,
			                                   tapstack_plugin.params[i].initial_text };
	va_start(texts, ret_state);
	while ((text = va_arg(texts, const char *)) != NULL)
		set(values, text);
	va_end(texts);
	return log_ops()->open(env, &params, ret_state);
}

struct tapstack_log_counts log_counts(void *state)
{
	struct tapstack_log_counts counts = { .struct_size = sizeof(counts) };

	log_ops()->counts(state, &counts);
	return counts;
}
