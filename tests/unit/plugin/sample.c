/* Plugins for the loader's tests: a good one of each kind, and one for each fault, chosen by VARIANT_... */
#include "tapstack/congestion.h"
#include "tapstack/logging.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef VERSION
#define VERSION "1"
#endif
#ifndef MORE_OPS
#define MORE_OPS 0 /* bytes that a later release has added */
#endif
#ifndef MORE_HEAD
#define MORE_HEAD 0
#endif
#ifndef SWITCH_INITIAL
#define SWITCH_INITIAL 0
#endif

#ifdef VARIANT_UNRESOLVED
extern int nobody_defines_this(void);
#endif

#ifdef VARIANT_LOGGING

/* Writes what it gets to a descriptor whose number is a parameter; waits as it is told to before. */
struct instance {
	int events_fd, gate_fd;
	bool keeps; /* odd connections are dropped, others held back until idle() is called for the second time */
	struct tapstack_log_counts counts;
	unsigned idles, flushes;
};

static struct instance instances[4];

/* What the host says about itself, in the shape of an event. */
static void tell_env(const struct instance *instance, const struct tapstack_log_env *env)
{
	uint64_t word[3] = { env->run_id, env->mtu_bytes, (uint64_t)env->run_started_ns };
	char text[200] = "";

	snprintf(text, sizeof(text), "%s %s %s", env->host_name, env->daemon_version, env->link_name);
	if (write(instance->events_fd, word, sizeof(word)) < 0 || write(instance->events_fd, text, sizeof(text)) < 0)
		return;
}

static int log_open(const struct tapstack_log_env *env, const struct tapstack_params *params, void **ret_state)
{
	static unsigned used;
	struct instance *instance = &instances[used++ % 4];

	instance->events_fd = (int)params->value[0].number;
	instance->gate_fd = (int)params->value[1].number;
	if (strcmp(params->value[2].text, "refuse") == 0)
		return -EACCES;
	if (strcmp(params->value[2].text, "asleep") == 0 && read(instance->gate_fd, &(char){ 0 }, 1) < 0)
		return -EIO;
	env->log(6, env->instance);
	if (strcmp(params->value[2].text, "curious") == 0)
		tell_env(instance, env);
	instance->keeps = strcmp(params->value[2].text, "keeps") == 0;
	*ret_state = instance;
	return 0;
}

static int log_idle(void *state, int64_t *ret_wait_ns)
{
	uint64_t word[28] = { UINT64_MAX - 2 };
	struct instance *instance = state;

	if (instance->counts.waiting == 0)
		return 0;
	if (++instance->idles % 2 == 1) {
		*ret_wait_ns = 5000000;
		return 0;
	}
	instance->counts.waiting = 0;
	return write(instance->events_fd, word, sizeof(word)) < 0 ? -EIO : 0;
}

static void log_counts(void *state, struct tapstack_log_counts *ret_counts)
{
	struct instance *instance = state;

	ret_counts->lost = instance->counts.lost;
	ret_counts->waiting = instance->counts.waiting;
}

static void keep(struct instance *instance, const struct tapstack_log_event *events, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		instance->counts.lost += events[i].connection_id % 2;
		instance->counts.waiting += events[i].connection_id % 2 == 0;
	}
}

static int log_events(void *state, const struct tapstack_log_event *events, size_t count)
{
	struct instance *instance = state;
	char byte;

	if (instance->gate_fd >= 0 && read(instance->gate_fd, &byte, 1) != 1) {
		instance->counts.lost += count;
		return -EIO;
	}
	if (instance->keeps) {
		keep(instance, events, count);
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		uint64_t word[3] = { events[i].connection_id, events[i].missed, (uint64_t)events[i].time_ns };
		char text[200], shard[12];
		size_t length = 0;
		const char *texts[] = { events[i].service, events[i].congestion,     events[i].cause,
			                events[i].to,      events[i].remote_address, shard };

		memset(text, 0, sizeof(text));
		snprintf(shard, sizeof(shard), "%u", events[i].shard);
		for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++) {
			memcpy(text + length, texts[j], strlen(texts[j]));
			length += strlen(texts[j]);
			text[length++] = ' ';
		}
		if (write(instance->events_fd, word, sizeof(word)) < 0 ||
		    write(instance->events_fd, text, sizeof(text)) < 0)
			return -EIO;
	}
	return 0;
}

static int log_packets(void *state, const struct tapstack_log_packet *packets, size_t count)
{
	for (; count > 0; count--, packets = tapstack_log_next_packet(packets)) {
		uint64_t word[28] = { packets->length, packets->missed, packets->shard };

		if (write(((struct instance *)state)->events_fd, word, 24 + 200) < 0)
			return -EIO;
	}
	return 0;
}

static int log_reopen(void *state)
{
	uint64_t word[28] = { UINT64_MAX };

	return write(((struct instance *)state)->events_fd, word, 24 + 200) < 0 ? -EIO : 0;
}

static int log_flush(void *state)
{
	((struct instance *)state)->flushes++;
	return 0;
}

static void log_close(void *state)
{
	struct instance *instance = state;
	uint64_t word[28] = { UINT64_MAX - 1, instance->flushes };

	if (write(instance->events_fd, word, 24 + 200) < 0)
		return;
}

static const struct tapstack_log_ops ops = {
	.struct_size = sizeof(ops),
	.open = log_open,
	.events = log_events,
	.reopen = log_reopen,
	.close = log_close,
	.packets = log_packets,
	.flush = log_flush,
	.idle = log_idle,
	.counts = log_counts,
};

static const struct tapstack_param_spec params[] = {
	{ "events", "", "descriptor", TAPSTACK_PARAM_NUMBER, 0, -1, 1000000, -1, NULL },
	{ "gate", "", "descriptor", TAPSTACK_PARAM_NUMBER, 0, -1, 1000000, -1, NULL },
	{ "mood", "", "a text", TAPSTACK_PARAM_TEXT, 0, 0, 0, 0, "kind" },
	{ "needed", "", "must be there", TAPSTACK_PARAM_TEXT, 0, 0, 0, 0, NULL },
};
#define KIND TAPSTACK_PLUGIN_LOGGING

#else

static int cc_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *values,
                   struct tapstack_cc_decision *decision)
{
	(void)state;
	(void)env;
	(void)decision;
#ifdef VARIANT_UNRESOLVED
	return values->count == 2 ? nobody_defines_this() : -EINVAL;
#else
	return values->count == 2 ? 0 : -EINVAL;
#endif
}

static void cc_on_ack(void *state, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	(void)state;
	decision->cwnd_bytes += sample->acked_bytes;
}

static void cc_on_event(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
                        struct tapstack_cc_decision *decision)
{
	(void)state;
	(void)event;
	(void)sample;
	(void)decision;
}

#ifdef VARIANT_BAD_OUTPUT
static void cc_outputs(const void *state, double *values)
{
	(void)state;
	values[0] = values[1] = 1;
}

static const struct tapstack_output_spec outputs[] = { { "same", "", "a" }, { "same", "", "b" } };
#endif

static const struct tapstack_cc_ops ops = {
#ifdef VARIANT_SHORT_OPS
	.struct_size = 16,
#elif defined(VARIANT_OLDER)
	/* as one that was made before the optional operations at the end were thought of */
	.struct_size = offsetof(struct tapstack_cc_ops, outputs),
	.outputs = (void (*)(const void *, double *))1,
#else
	.struct_size = sizeof(ops) + MORE_OPS,
#endif
#ifdef VARIANT_BIG_STATE
	.state_size = TAPSTACK_CC_STATE_MAX + 1,
#else
	.state_size = 8,
#endif
	.init = cc_init,
#ifdef VARIANT_NO_ON_ACK
	.on_ack = 0 ? cc_on_ack : NULL,
#else
	.on_ack = cc_on_ack,
#endif
	.on_event = cc_on_event,
#ifdef VARIANT_BAD_OUTPUT
	.outputs = cc_outputs,
#endif
};

#ifdef VARIANT_QUANTITIES
static const struct tapstack_param_spec params[] = {
	{ "fast", "", "a switch", TAPSTACK_PARAM_SWITCH, 0, 0, 1, SWITCH_INITIAL, NULL },
	{ "delay", "ns", "a time", TAPSTACK_PARAM_NUMBER, 0, 0, 1e9, 1, NULL },
	{ "size", "bytes", "a size", TAPSTACK_PARAM_NUMBER, 0, 0, 1e6, 1, NULL },
	{ "plain", "", "a number", TAPSTACK_PARAM_NUMBER, 0, 0, 1, 1, NULL },
};
#else
static const struct tapstack_param_spec params[] = {
#ifdef VARIANT_BAD_PARAM
	{ "gain", "", "out of its own range", TAPSTACK_PARAM_NUMBER, 0, 0, 1, 2, NULL },
#else
	{ "gain", "", "a number", TAPSTACK_PARAM_NUMBER, 0, 0, 1, 0.5, NULL },
#endif
#ifdef VARIANT_TWICE
	{ "gain", "", "again", TAPSTACK_PARAM_NUMBER, 0, 0, 1, 0.5, NULL },
#else
	{ "delay", "ns", "another", TAPSTACK_PARAM_NUMBER, 0, 0, 1e9, 1e6, NULL },
#endif
};
#endif
#ifndef KIND
#define KIND TAPSTACK_PLUGIN_CONGESTION
#endif

#endif

#ifdef VARIANT_NO_SYMBOL
#define DESCRIPTOR something_else
extern TAPSTACK_EXPORT const struct tapstack_plugin something_else;
#else
#define DESCRIPTOR tapstack_plugin
#endif

const struct tapstack_plugin DESCRIPTOR = {
#ifdef VARIANT_MAGIC
	.magic = 1,
#else
	.magic = TAPSTACK_PLUGIN_MAGIC,
#endif
#ifdef VARIANT_NEWER
	.abi = TAPSTACK_PLUGIN_ABI + 1,
#else
	.abi = TAPSTACK_PLUGIN_ABI,
#endif
#ifdef VARIANT_SHORT
	.struct_size = 24,
#else
	.struct_size = sizeof(struct tapstack_plugin) + MORE_HEAD,
#endif
	.kind = KIND,
	.name = NAME,
#ifndef VARIANT_NO_VERSION
	.version = VERSION,
#endif
	.licence = "MIT",
	.description = "for tests",
	.params = params,
	.param_count = sizeof(params) / sizeof(params[0]),
#ifdef VARIANT_BAD_OUTPUT
	.outputs = outputs,
	.output_count = 2,
#endif
	.ops = &ops,
};
