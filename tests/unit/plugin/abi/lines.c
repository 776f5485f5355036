/* A logging plugin that goes through events as one of release 0.1 may: by index. Each becomes a line of the host's
 * log.
 */
#include "tapstack/logging.h"

#include <errno.h>
#include <stdio.h>

static int lines_open(const struct tapstack_log_env *env, const struct tapstack_params *params, void **ret_state)
{
	union {
		void (*log)(int priority, const char *text);
		void *pointer;
	} state = { env->log };

	if (env->struct_size < sizeof(*env) || params->count != 0 || env->state_directory[0] != '/')
		return -EINVAL;
	*ret_state = state.pointer;
	return 0;
}

static int lines_events(void *state, const struct tapstack_log_event *events, size_t count)
{
	union {
		void *pointer;
		void (*log)(int priority, const char *text);
	} host = { state };

	for (size_t i = 0; i < count; i++) {
		char text[200];

		snprintf(text, sizeof(text), "%llu %u %s>%s %s %s:%u %s %llu",
		         (unsigned long long)events[i].connection_id, events[i].index, events[i].from, events[i].to,
		         events[i].cause, events[i].remote_address, events[i].remote_port, events[i].service,
		         (unsigned long long)events[i].bytes_retransmitted);
		host.log(6, text);
	}
	return 0;
}

static void lines_close(void *state)
{
	(void)state;
}

static const struct tapstack_log_ops ops = {
	.struct_size = sizeof(ops),
	.open = lines_open,
	.events = lines_events,
	.close = lines_close,
};

const struct tapstack_plugin tapstack_plugin = {
	TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_LOGGING),
	.name = NAME,
	.version = "1",
	.licence = "MIT",
	.description = "lines",
	.ops = &ops,
};
