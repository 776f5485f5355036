/* Plugins as they are built, and a tap between one of them and its host: it shows every call and changes nothing. The
 * tap stands in front of the plugin's state, so a tapped algorithm has eight bytes more. */
#include "contest_inside.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static_assert(CONTEST_OUTPUTS_MAX >= STACK_SAMPLE_OUTPUTS_MAX, "all that the core shows is seen here");

static void plugin_folder(char *name, size_t size)
{
	const char *folder = getenv("TAPSTACK_BUILDDIR");

	snprintf(name, size, "%s/plugins/congestion/.libs", folder ? folder : ".");
}

const struct tapstack_plugin *contest_plugin(const char *name)
{
	char folder[4000], path[4096];
	void *library;

	plugin_folder(folder, sizeof(folder));
	snprintf(path, sizeof(path), "%s/%.80s.so", folder, name);
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	return library ? dlsym(library, "tapstack_plugin") : NULL;
}

static int is_plugin(const struct dirent *entry)
{
	const char *end = strrchr(entry->d_name, '.');

	return end && strcmp(end, ".so") == 0;
}

uint32_t contest_plugins(const struct tapstack_plugin **ret_plugins, uint32_t most)
{
	struct dirent **entries;
	uint32_t filled = 0;
	char folder[4000];
	int count;

	plugin_folder(folder, sizeof(folder));
	count = scandir(folder, &entries, is_plugin, alphasort);
	for (int i = 0; i < count; i++) {
		*strrchr(entries[i]->d_name, '.') = '\0';
		if (filled < most && (ret_plugins[filled] = contest_plugin(entries[i]->d_name)))
			filled++;
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return filled;
}

/* ---- the tap ------------------------------------------------------------------------------------------------------
 */

struct tapped {
	struct tap *tap;
	_Alignas(8) unsigned char state[];
};

static struct contest_call begin_call(enum contest_call_kind kind, int64_t now_ns,
                                      const struct tapstack_cc_decision *decision)
{
	return (struct contest_call){ .kind = kind, .at = { now_ns - CONTEST_CLOCK_OFFSET }, .before = *decision };
}

static void end_call(struct tapped *tapped, struct contest_call *call, const struct tapstack_cc_decision *decision)
{
	struct tap *tap = tapped->tap;

	if (tap->real->outputs)
		tap->real->outputs(tapped->state, tap->outputs);
	if (!tap->see)
		return;
	call->after = *decision;
	call->state = tapped->state;
	call->outputs = tap->outputs;
	tap->see(tap->context, call);
}

static int tap_init(void *state, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                    struct tapstack_cc_decision *decision)
{
	struct contest_call call = begin_call(CONTEST_INIT, env->now_ns, decision);
	struct tapped *tapped = state;
	int result;

	tapped->tap = (struct tap *)((char *)(uintptr_t)params->value - offsetof(struct tap, value));
	result = tapped->tap->real->init(tapped->state, env, params, decision);
	call.env = env;
	end_call(tapped, &call, decision);
	return result;
}

static void tap_on_sent(void *state, int64_t now_ns, uint64_t bytes, uint64_t inflight_bytes,
                        struct tapstack_cc_decision *decision)
{
	struct contest_call call = begin_call(CONTEST_SENT, now_ns, decision);
	struct tapped *tapped = state;

	if (tapped->tap->real->on_sent)
		tapped->tap->real->on_sent(tapped->state, now_ns, bytes, inflight_bytes, decision);
	tapped->tap->pipe = inflight_bytes;
	call.bytes = bytes;
	call.inflight_bytes = inflight_bytes;
	end_call(tapped, &call, decision);
}

static void tap_on_ack(void *state, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	struct contest_call call = begin_call(CONTEST_ACK, sample->now_ns, decision);
	struct tapped *tapped = state;

	tapped->tap->real->on_ack(tapped->state, sample, decision);
	tapped->tap->pipe = sample->inflight_bytes;
	call.sample = sample;
	end_call(tapped, &call, decision);
}

static void tap_on_event(void *state, uint32_t event, const struct tapstack_cc_sample *sample,
                         struct tapstack_cc_decision *decision)
{
	struct contest_call call = begin_call(CONTEST_EVENT, sample->now_ns, decision);
	struct tapped *tapped = state;

	tapped->tap->real->on_event(tapped->state, event, sample, decision);
	call.event = event;
	call.sample = sample;
	end_call(tapped, &call, decision);
}

static void tap_on_lost(void *state, const struct tapstack_cc_lost *lost, struct tapstack_cc_decision *decision)
{
	struct contest_call call = begin_call(CONTEST_LOST, lost->now_ns, decision);
	struct tapped *tapped = state;

	if (tapped->tap->real->on_lost)
		tapped->tap->real->on_lost(tapped->state, lost, decision);
	call.lost = lost;
	end_call(tapped, &call, decision);
}

static void tap_outputs(const void *state, double *values)
{
	const struct tapped *tapped = state;

	tapped->tap->real->outputs(tapped->state, values);
}

static double value_of(const struct tapstack_param_spec *spec, const struct contest_param *params)
{
	for (; params->name; params++) {
		if (strcmp(params->name, spec->name) == 0) {
			WATCH_CHECK(params->number >= spec->min && params->number <= spec->max);
			return params->number;
		}
	}
	return spec->initial;
}

static void check_names(const struct tapstack_plugin *plugin, const struct contest_param *params)
{
	for (; params->name; params++) {
		uint32_t i = 0;

		while (i < plugin->param_count && strcmp(plugin->params[i].name, params->name) != 0)
			i++;
		WATCH_CHECK(i < plugin->param_count);
	}
}

const struct stack_congestion *tap_begin(struct tap *tap, uint16_t id, const struct contest_flow *flow)
{
	const struct tapstack_plugin *plugin = flow->plugin;

	tap->real = plugin ? plugin->ops : stack_builtin_reno()->ops;
	tap->see = flow->tap;
	tap->context = flow->tap_context;
	WATCH_CHECK(!plugin ||
	            (plugin->kind == TAPSTACK_PLUGIN_CONGESTION && plugin->param_count <= CONTEST_PARAMS_MAX &&
	             plugin->output_count <= CONTEST_OUTPUTS_MAX));
	if (plugin)
		check_names(plugin, flow->param);
	for (uint32_t i = 0; plugin && i < plugin->param_count; i++) {
		tap->value[i].number = value_of(&plugin->params[i], flow->param);
		tap->value[i].text = plugin->params[i].initial_text;
	}
	tap->ops = (struct tapstack_cc_ops){
		.struct_size = sizeof(tap->ops),
		.flags = tap->real->flags,
		.state_size = sizeof(struct tapped) + tap->real->state_size,
		.init = tap_init,
		.on_sent = tap_on_sent,
		.on_ack = tap_on_ack,
		.on_event = tap_on_event,
		.outputs = tap->real->outputs ? tap_outputs : NULL,
		.on_lost = tap_on_lost,
	};
	tap->congestion = (struct stack_congestion){
		.name = plugin ? plugin->name : "reno",
		.id = id,
		.ops = &tap->ops,
		.params = { sizeof(struct tapstack_params), plugin ? plugin->param_count : 0, tap->value },
	};
	return &tap->congestion;
}
