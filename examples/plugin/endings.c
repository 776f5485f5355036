/* A log that says, in the daemon's own log, how each connection ended: a beginning for a log of your own. See
 * tapstack-plugin(7), and tapstack/logging.h for what each call means. */
#include <tapstack/logging.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct endings {
	void (*log)(int priority, const char *text);
	int priority;
};

static int endings_open(const struct tapstack_log_env *env, const struct tapstack_params *params, void **ret_state)
{
	struct endings *endings = malloc(sizeof(*endings));

	if (!endings)
		return -ENOMEM;
	endings->log = env->log;
	endings->priority = (int)params->value[0].number;
	*ret_state = endings;
	return 0;
}

static int endings_events(void *state, const struct tapstack_log_event *event, size_t count)
{
	const struct endings *endings = state;

	for (; count > 0; event = tapstack_log_next_event(event), count--) {
		char text[300];

		if (!(event->flags & TAPSTACK_LOG_LAST))
			continue;
		snprintf(text, sizeof(text), "connection %llu with %s port %u has ended in %s: %s (%s)",
		         (unsigned long long)event->connection_id, event->remote_address,
		         (unsigned)event->remote_port, event->from, event->cause_meaning, event->cause_section);
		endings->log(endings->priority, text);
	}
	return 0;
}

static void endings_close(void *state)
{
	free(state);
}

static const struct tapstack_param_spec params[] = {
	{ .name = "priority",
	  .unit = "",
	  .help = "of the lines, as in syslog(3)",
	  .type = TAPSTACK_PARAM_NUMBER,
	  .min = 0,
	  .max = 7,
	  .initial = 6 },
};

static const struct tapstack_log_ops ops = {
	.struct_size = sizeof(ops),
	.open = endings_open,
	.events = endings_events,
	.close = endings_close,
};

const struct tapstack_plugin tapstack_plugin = {
	TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_LOGGING),   .name = "endings", .version = "1.0", .licence = "MIT",
	.description = "says how each connection ended", .params = params,  .param_count = 1, .ops = &ops,
};
